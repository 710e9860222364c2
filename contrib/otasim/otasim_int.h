/* otasim_int.h - what stands behind struct otasim; the program's sockets look into it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTASIM_OTASIM_INT_H
#define OTASIM_OTASIM_INT_H

#include "fleet.h"
#include "opts.h"
#include "otasim.h"
#include "scenario/run.h"
#include "world/world.h"

struct otasim {
	struct opts opts;
	struct scn *scn;
	struct fleet fleet;
	struct sim_air *air; /* these three from simulation_begin() on */
	struct smsc *smsc;
	struct run *run;
	struct sim_hlr *hlr[SIM_OPS_MAX]; /* the operators' */
	struct sim_ctrl *ctrl[SIM_OPS_MAX];
	int64_t now_ms;
	void (*log)(void *ctx, const char *line);
	void *ctx;
};

/* Where the fleet is registered, in one line without its end: "990 cards at A, 10 at B, 0 nowhere". */
void where_print(const struct otasim *o, FILE *out);

/* A whole file into the heap; NULL with a sentence in err. */
char *scenario_read(const char *path, size_t *len, char err[OTASIM_ERR_MAX]);
/* The fleet; takes the scenario over, also when it fails. */
struct otasim *simulation_make(const struct opts *opts, struct scn *scn, char err[OTASIM_ERR_MAX]);
/* Its SMSCs, and time.  0, or -1. */
int simulation_begin(struct otasim *o, int64_t now_ms, char err[OTASIM_ERR_MAX]);

#endif
