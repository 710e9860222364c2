/* control.h - the control socket of otabsc, and the client that asks by it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTABSC_CONTROL_H
#define OTABSC_CONTROL_H

#include "ask.h"

struct control;

struct control *control_new(struct lab *l, const char *path, char *err, size_t err_cap);
void control_free(struct control *ctl); /* and removes the socket */
bool control_quit(const struct control *ctl);
/* To whoever has asked for events. */
void control_event(struct control *ctl, const char *line);

/* otabsc --ask: one command, its answer to stdout.  0: ok, 1: error, 2: nobody answers. */
int control_ask(const char *path, const char *command);

#endif
