/* truth_text.h - what each card says of itself, as lines of text and as JSON; and the client that asks for it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTASIM_TRUTH_TEXT_H
#define OTASIM_TRUTH_TEXT_H

#include <stdio.h>

#include "world/world.h"

#define WHOLE_TRUTH_HEADER                                                                                           \
	"iccid,imsi,presented,index,kvn,state,order,moves,moves_max,imsi_writes,executions_max,pairs_left,operator," \
	"present,sqn"
#define WHOLE_TRUTH_LINE_MAX 320

/* `op`: the operator's name, "" nowhere. */
void whole_truth_print(char out[WHOLE_TRUTH_LINE_MAX], const struct sim_world_card *c, const char *op);
void whole_truth_json(FILE *out, const struct sim_world_card *c, const char *op);
/* Such a line; c->op is left alone, the name goes to op. */
bool whole_truth_parse(const char *line, struct sim_world_card *c, char *op, size_t op_cap);
const char *sub_state_name(unsigned state); /* enum sim_sub_state */

/* A fleet's control socket as a stream; NULL with errno. */
FILE *fleet_connect(const char *path);
/* otasim truth ... : the client.  Gives the exit status. */
int truth_main(int argc, char **argv);
int ask_main(int argc, char **argv); /* otasim ask: one command of the control socket */

#endif
