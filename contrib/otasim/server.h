/* server.h - the sockets of otasim, on libevent: SMPP and control.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTASIM_SERVER_H
#define OTASIM_SERVER_H

#include <stdio.h>

#include <event2/event.h>

#include "fleet.h"
#include "opts.h"

struct server;

/* Listens on what o says.  NULL with a sentence in err. */
struct server *server_new(struct event_base *base, const struct opts *o, struct fleet *fleet, char *err,
			  size_t err_cap);
void server_free(struct server *s);
uint16_t server_port(const struct server *s);
/* One line about what happened. */
void server_summary(const struct server *s, FILE *out);

/* For control.c */
struct control;
struct sim_air *server_air(struct server *s);
struct smsc *server_smsc(struct server *s);
struct fleet *server_fleet(struct server *s);
void server_wake(struct server *s); /* something was put in from outside: look at the time again */
struct control *control_new(struct event_base *base, struct server *s, const char *path, char *err, size_t err_cap);
void control_free(struct control *c);

#endif
