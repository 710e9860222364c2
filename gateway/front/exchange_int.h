/* exchange_int.h - what the files of the transport share.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_EXCHANGE_INT_H
#define OTAGW_EXCHANGE_INT_H

#include <openssl/ssl.h>

#include "exchange_tls.h"

struct bufferevent;
struct event;
struct evhttp;
struct evhttp_connection;
struct evconnlistener;

struct exchange_parcel {
	struct exchange_parcel *next;
	uint64_t seq;
	char path[];
};
/* One partner: what waits for it, and the connection that brings the first of it. */
struct exchange_peer {
	struct exchange *x;
	unsigned index;
	struct exchange_parcel *first; /* ascending by number */
	unsigned waiting;
	struct evhttp_connection *conn; /* NULL: none is under way */
	struct event *turn;		/* what comes next: a look at the answer, or another try */
	bool over;			/* conn is through, with this: */
	int status;			/* of the answer; 0: none came */
	uint64_t sent_seq, brought, taken;
	unsigned failures; /* in a row */
	int64_t next_ms;
	char why[EXCHANGE_WHY_MAX];
};
struct exchange_conn {
	struct bufferevent *bev; /* a reference of ours */
	int64_t since_ms;	 /* connected, or brought the last package */
};
struct exchange {
	struct exchange_cfg cfg;
	struct event_base *base;
	SSL_CTX *ssl;
	struct evhttp *http;
	struct evconnlistener *listener;
	struct event *sweep;
	struct exchange_conn conn[EXCHANGE_CONNS_MAX];
	unsigned conns;
	struct exchange_peer peer[EXCHANGE_PARTNERS_MAX];
	int64_t said_ms; /* strangers do not fill the log */
	unsigned unsaid;
};

int64_t exchange_now(const struct exchange *x);
void exchange_log(struct exchange *x, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same of what strangers do: now and then. */
void exchange_log_stranger(struct exchange *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* exchange_tls.c: who is at the other end.  want: index of the partner it must be, -1: any. */
SSL *exchange_ssl(struct exchange *x, int want);
int exchange_ssl_partner(const SSL *ssl); /* after the handshake; -1: nobody */

/* exchange_in.c */
int exchange_listen(struct exchange *x, char *err, size_t err_cap);
void exchange_listen_end(struct exchange *x);
/* exchange_out.c */
int exchange_peer_init(struct exchange_peer *p);
void exchange_peer_end(struct exchange_peer *p);

#endif
