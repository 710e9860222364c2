/* exchange_tls.h - packages to and from partners over mutual TLS, and as files.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A partner is let in by its pinned TLS certificate alone: no CA, no name is looked at.  What it brings (POST /exchange/FROM-SEQ) is on
 * disk in dir/in before it is answered 202; whether it is any good is for the desk to say, with a package of its own.  What goes out
 * waits in a queue for each partner, in the order of its numbers, until the partner has said 202.
 */
#ifndef OTAGW_EXCHANGE_TLS_H
#define OTAGW_EXCHANGE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/package.h"
#include "../env.h"

#define EXCHANGE_PARTNERS_MAX 32
#define EXCHANGE_BODY_MAX     (16u << 20) /* octets of a package that goes over TLS; larger ones as files */
#define EXCHANGE_HEADERS_MAX  8192
#define EXCHANGE_CONNS_MAX    64    /* connections to us at a time */
#define EXCHANGE_CONNS_ONE    4	    /* of them by one partner: it brings one package after the other */
#define EXCHANGE_IDLE_S	      30    /* silence in the midst of something */
#define EXCHANGE_SHAKE_S      10    /* until a connection has shown whose it is */
#define EXCHANGE_HURRY_S      2	    /* the same while all places are taken */
#define EXCHANGE_REQUEST_S    300   /* a connection must have brought a package within so long */
#define EXCHANGE_QUEUE_MAX    65536 /* packages that wait for one partner */
#define EXCHANGE_FIRST_MS     500   /* delay after a failure; doubles up to */
#define EXCHANGE_LATEST_MS    60000
#define EXCHANGE_WHY_MAX      200
#define EXCHANGE_FILE_MAX     64 /* name of a package's file in dir/in, incl. NUL: struct parcel, file */

struct event_base;

struct exchange_partner {
	const struct pkg_partner *pinned; /* outlives the exchange */
	const char *host;		  /* "": files alone */
	uint16_t port;
};
struct exchange_cfg {
	const char *listen_host; /* NULL or port 0: nobody comes */
	uint16_t listen_port;
	const char *dir; /* with in/ in it */
	const struct pkg_self *self;
	unsigned n_partners;
	struct exchange_partner partner[EXCHANGE_PARTNERS_MAX];
	const struct env *env;
	/* A package is in dir/in: 0, or negative with a sentence; then its sender is told to try later. */
	int (*take)(void *ctx, const char *name, char *err, size_t err_cap);
	/* The partner has it. */
	void (*carried)(void *ctx, const char *partner, uint64_t seq);
	void (*log)(void *ctx, int level, const char *line);
	void *ctx;
};

struct exchange;
struct exchange *exchange_new(struct event_base *base, const struct exchange_cfg *cfg, char *err, size_t err_cap);
void exchange_free(struct exchange *x);

/* To be brought to this partner; the same number again is the same package.  An unknown partner, or one without a URL: stays a file. */
void exchange_carry(struct exchange *x, const char *partner, const char *path, uint64_t seq);
/* From somewhere else on this machine into dir/in, as if it had come by TLS; whose it is, it says itself.  0, or -1 with a sentence. */
int exchange_import(struct exchange *x, const char *path, char *err, size_t err_cap);

const char *exchange_dir(const struct exchange *x); /* "": none */

struct exchange_view {
	const char *name;
	bool reachable; /* has a URL */
	unsigned waiting;
	uint64_t brought, taken; /* by us, by it */
	int64_t next_ms;	 /* when it is tried again; 0: now, or nothing waits */
	const char *why;	 /* of the last failure; "" none since the last package */
};
unsigned exchange_views(const struct exchange *x, struct exchange_view *out, unsigned cap);

#endif
