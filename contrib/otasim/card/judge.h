/* judge.h - reads the raw memory of a card with the subscription applet and refuses what cannot be.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Knows nothing of commands: it is shown the card after everything that happens to it, dead or alive, and holds what it
 * sees against what it saw before.  Shares no code with the applet but the layout of its memory.
 */
#ifndef OTASIM_JUDGE_H
#define OTASIM_JUDGE_H

#include "card_sub.h"

#define JUDGE_MOVES_MAX 64
#define JUDGE_PAIRS_MAX 64

struct judge {
	bool begun;
	struct sim_sub_rec rec; /* in force at the last look */
	uint8_t spoke;		/* state at the last look at a living card */
	struct sim_sub_trial trial;
	struct {
		uint16_t index;
		struct sim_pair pair;
	} pair[JUDGE_PAIRS_MAX]; /* every pair ever held */
	unsigned pairs;
	struct {
		uint8_t order[8];
		unsigned times;
	} move[JUDGE_MOVES_MAX]; /* orders that began a trial */
	unsigned moves, trials, returns;
	uint64_t vault_cntr, change_cntr;
	uint8_t fs[SIM_FS_OCTETS];	  /* at the last look at a living card */
	uint8_t before_fs[SIM_FS_OCTETS]; /* before the trial */
	struct sim_sub_rec before;
	char why[160]; /* of the last refusal */
};

void judge_init(struct judge *j);
/* False: the card cannot be in this state; j->why says more. */
bool judge_look(struct judge *j, const struct sim_card *c);
/* False: eight octets in a row of some key of this card stand in what it has said. */
bool judge_answer(struct judge *j, const struct sim_card *c, const uint8_t *p, size_t len);

#endif
