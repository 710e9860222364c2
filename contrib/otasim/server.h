/* server.h - the sockets of otasim, on libevent: SMPP and control.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTASIM_SERVER_H
#define OTASIM_SERVER_H

#include <netinet/in.h>

#include <event2/event.h>

#include "otasim_int.h"

struct server;

/* Listens on what its options say, and lets time begin.  Ends the loop when a scenario has ended.  NULL with a sentence in
 * err; o stays the caller's. */
struct server *server_new(struct event_base *base, struct otasim *o, char err[OTASIM_ERR_MAX]);
void server_free(struct server *s);
uint16_t server_port(const struct server *s, unsigned smsc);
/* One line about what happened. */
void server_summary(const struct server *s, FILE *out);

/* For control.c and http.c */
struct control;
struct web;
struct hlr_server;
struct otasim *server_otasim(const struct server *s);
int64_t server_now_ms(const struct server *s);
void server_wake(struct server *s); /* something was put in from outside: look at the time again */
struct control *control_new(struct event_base *base, struct server *s, const char *path, char *err, size_t err_cap);
void control_free(struct control *c);
struct web *web_new(struct event_base *base, struct server *s, const char *host, uint16_t port, char *err,
		    size_t err_cap);
void web_free(struct web *w);
uint16_t web_port(const struct web *w);
struct hlr_server *hlr_server_new(struct event_base *base, struct server *s, char err[OTASIM_ERR_MAX]);
void hlr_server_free(struct hlr_server *h);
void hlr_server_tend(struct hlr_server *h); /* replies that are due go out; doors open and shut */
uint16_t hlr_server_port(const struct hlr_server *h, unsigned op);
uint16_t server_hlr_port(const struct server *s, unsigned op);
/* A socket bound to this address that does not listen; *sa gets the port.  -1 with a sentence in err. */
int server_bind(const char *host, uint16_t port, struct sockaddr_in *sa, char err[OTASIM_ERR_MAX]);
uint16_t server_http_port(const struct server *s); /* 0: none */

#endif
