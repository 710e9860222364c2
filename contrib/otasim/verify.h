/* verify.h - what the cards hold against what an operator's lists say.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTASIM_VERIFY_H
#define OTASIM_VERIFY_H

#include <stdio.h>

#include "world/world.h"

#define VERIFY_SHOWN_MAX 20 /* differences listed of each kind */

/* One card, as told by the fleet. */
struct truth_row {
	struct sim_card_truth t;
	char imsi_first[SIM_IMSI_LEN];
	bool present; /* in coverage */
	struct sim_world_card whole;
	char op[SIM_WORLD_NAME_MAX]; /* where it is registered, "" nowhere */
};

/* As a line of text, and back; the header names the columns. */
#define TRUTH_HEADER                                                                                                  \
	"iccid,imsi_first,imsi_stored,imsi_presented,accepted,scripts_done,imsi_changes,imsi_writes,replays_refused," \
	"security_refused,executions_max,same_cntr_other_packet,imsi_update_cntrs,seen_dropped,present"
#define TRUTH_LINE_MAX 256
void truth_print(char out[TRUTH_LINE_MAX], const struct truth_row *r);
bool truth_parse(const char *line, struct truth_row *r);

struct verify_job {
	/* CSV with ICCID and IMSI: what the cards are to hold; if it has them, INDEX and OPERATOR */
	const char *list;
	const char *report;	/* CSV with iccid, state, new_imsi; NULL: none */
	bool partial;		/* a card that is not changed yet is no difference */
	uint32_t times;		/* how often a card may have been written at most */
	struct truth_row *rows; /* sorted here */
	size_t n;
	unsigned ops; /* of the fleet, and their names */
	char op[SIM_OPS_MAX][SIM_WORLD_NAME_MAX];
};

enum verify_result { VERIFY_HOLDS = 0, VERIFY_DIFFERS = 1, VERIFY_CANNOT = 2 };
enum verify_result verify_run(const struct verify_job *job, FILE *out);

/* otasim verify ... : the client.  Gives the exit status. */
int verify_main(int argc, char **argv);

#endif
