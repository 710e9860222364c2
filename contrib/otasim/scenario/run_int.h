/* run_int.h - the parts of a scenario under way.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTASIM_RUN_INT_H
#define OTASIM_RUN_INT_H

#include "run.h"

#define RATE_RING 65536 /* submits of one second that are counted */

/* A rule begins or ends for a card (for an SMSC). */
struct edge {
	int64_t due_ms;
	uint32_t rule, who;
};

struct expect_state {
	enum run_verdict verdict;
	int64_t settled_ms, total;
	uint32_t members, needed, hits, bad;
	uint8_t *member, *met, *broken; /* bits of cards */
	uint32_t *count;		/* per card, for "while" and "from" */
	struct {
		uint32_t card;
		int64_t value;
	} shown[RUN_SHOWN_MAX];
	unsigned n_shown;
};

struct rate_ring {
	int64_t *at; /* RATE_RING of them, made with the first submit */
	uint32_t head, n;
};

struct run {
	const struct scn *scn;
	struct sim_card *cards;
	uint32_t n;
	char prefix[8];
	struct sim_card_profile base; /* what the cards are without any rule */
	struct sim_air *air;
	struct smsc *smsc;
	struct sim_hlr *const *hlr; /* operators' */
	struct sim_ctrl *const *ctrl;
	bool begun, ended, stopped;
	int64_t begin_ms, ended_ms; /* ended_ms: since the beginning */
	int64_t now_ms;
	/* schedule */
	struct edge *edge; /* heap */
	size_t edges, edge_cap;
	/* books */
	struct card_book *book;
	struct door_book door[SMSC_DOORS_MAX];
	struct rate_ring rate[SMSC_DOORS_MAX];
	struct {
		uint32_t serial, owed;
	} session[SMSC_SESSIONS_MAX];
	int64_t last_submit_ms;
	struct run_line *log; /* ring */
	uint64_t log_n;	      /* written so far */
	size_t log_cap;
	/* expectations */
	struct expect_state expect[SCN_EXPECTS_MAX];
	unsigned timed, timed_open, open;
	int64_t last_settled_ms, last_look_ms; /* the latter: whether it may end */
};

static inline bool bit_get(const uint8_t *bits, uint32_t i)
{
	return bits[i / 8] >> i % 8 & 1;
}

static inline void bit_set(uint8_t *bits, uint32_t i)
{
	bits[i / 8] |= (uint8_t)(1u << i % 8);
}

/* verdict.c */
bool verdict_init(struct run *r, char err[SCN_ERR_MAX]);
void verdict_free(struct run *r);
void verdict_card(struct run *r, uint32_t card);				     /* something of it has changed */
void verdict_counted(struct run *r, enum scn_metric m, unsigned door, int64_t card); /* one more of these */
void verdict_doors(struct run *r);
void verdict_time(struct run *r);	  /* judges what is to be judged by now */
bool verdict_stands(struct run *r);	  /* would all that is open be met if this were the end? */
void verdict_final(struct run *r);	  /* judges all that is open */
int64_t verdict_due(const struct run *r); /* since the beginning */

/* ledger.c */
void ledger_free(struct run *r);
void ledger_seen(struct run *r, const struct smsc_seen *seen);

#endif
