/* watch.h - what the two ways of watching share.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTACTL_WATCH_H
#define OTACTL_WATCH_H

#include "ctl.h"

#define WATCH_TEXT_MAX 4096

struct watch {
	struct ctl *c;
	const char *name; /* of the campaign; NULL: the links are watched */
	double interval_s, patience_s, until_percent;
	bool json_lines;
	char *last;	/* what was printed last, without its time: to see a change */
	double quiet_s; /* since the last plain line */
	double down_s;	/* how long the gateway has not answered */
};

/* Whether there is nothing more to see; *code is then the exit code. */
bool watch_finished(const struct watch *w, const json_t *v, int *code);
/* "swap1 RUNNING 460/1000 (46.0 %)  DONE 460 ..." */
void watch_line(char out[WATCH_TEXT_MAX], const struct watch *w, const json_t *v, const json_t *status);
/* The full screen, until it ends or the operator leaves; the exit code. */
int watch_screen(struct watch *w);

#endif
