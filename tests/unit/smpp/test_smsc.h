/* test_smsc.h - a tiny SMSC on a loopback socket and the link under test, in one libevent loop.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Nothing sleeps: a test says what it waits for and the loop runs until that is so.
 */
#ifndef TEST_SMSC_H
#define TEST_SMSC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "ota/smpp_link.h"

#include "smpp_int.h"

#define SMSC_BUF    (1 << 20)
#define SMSC_SEEN   2048
#define BED_EVENTS  2048
#define BED_LOGS    512
#define BED_GUARD_S 20 /* a test that waits longer has failed */

struct smsc {
	struct event_base *base;
	struct smsc *second; /* takes the connection that comes while there is one; NULL: none may */
	struct evconnlistener *listener;
	uint16_t port;
	int fd;
	struct event *read_ev, *write_ev;
	struct ssl_ctx_st *tls; /* of OpenSSL; NULL: plain */
	struct ssl_st *ssl;
	uint8_t *in, *out;
	size_t in_len, out_at, out_len;
	/* behaviour */
	bool mute_bind, mute_enquire, deaf, close_on_accept, one_octet;
	bool auto_submit; /* answer each submit_sm with submit_status */
	uint32_t bind_status, submit_status;
	/* what came */
	unsigned accepts, closes, binds, enquires, enquire_resps, unbinds;
	unsigned n_seen;
	struct smsc_seen {
		uint32_t id, status, seq;
	} seen[SMSC_SEEN];
	uint32_t bind_id; /* of the last bind */
	unsigned n_submits;
	uint32_t submit_seq[SMSC_SEEN];
	uint8_t submit[SMPP_PDU_MAX]; /* the last submit_sm, whole */
	size_t submit_len;
	uint8_t bind[128]; /* the last bind, whole */
	size_t bind_len;
};

struct bed {
	struct errtab *errtab;
	struct event_base *base;
	struct smsc smsc, other; /* of one SMSC's port; other only after bed_pair() */
	struct link *link;
	struct smpp_link_cfg cfg;
	int64_t skew_ms; /* added to the link's clock */
	unsigned n_events;
	struct link_event ev[BED_EVENTS];
	unsigned n_logs;
	char log[BED_LOGS][256];
	void (*hook)(struct bed *b, const struct link_event *ev); /* from inside on_event */
	unsigned hooked;
};

int bed_setup(void **state);
int bed_teardown(void **state);
/* Makes the link from b->cfg and starts it. */
void bed_start(struct bed *b);
/* The link binds twice, and the SMSC takes two connections. */
void bed_pair(struct bed *b);
/* The connection that was bound with this command; NULL: none is. */
struct smsc *bed_bound(struct bed *b, uint32_t bind_id);
/* ... and waits until it is up. */
void bed_up(struct bed *b);
int64_t bed_now(struct bed *b);
int64_t bed_clock(void *ctx); /* the same, as a link wants it */

/* Runs the loop until cond holds. */
#define BED_WAIT(b, cond)                                               \
	do {                                                            \
		struct event *guard_ = bed_guard(b);                    \
		while (!(cond))                                         \
			bed_turn(b, guard_, #cond, __FILE__, __LINE__); \
		event_free(guard_);                                     \
	} while (0)
struct event *bed_guard(struct bed *b);
void bed_turn(struct bed *b, struct event *guard, const char *what, const char *file, int line);

unsigned bed_count(struct bed *b, enum link_event_kind kind);
/* Event number n (from 0) of a kind; fails when there is none. */
const struct link_event *bed_event(struct bed *b, enum link_event_kind kind, unsigned n);
bool bed_logged(struct bed *b, const char *part);
struct link_stats bed_stats(struct bed *b);
/* A submit of a plain one-segment packet; the token is its number. */
int bed_submit(struct bed *b, uint64_t token);

void smsc_send(struct smsc *s, const struct smpp_pdu *p);
void smsc_raw(struct smsc *s, const void *octets, size_t len);
void smsc_answer(struct smsc *s, uint32_t seq, uint32_t status, const char *id);
void smsc_close(struct smsc *s);
/* Connections from now on have a small receive buffer: set before they are made, or TCP waits for its timers. */
void smsc_narrow(struct smsc *s);
unsigned smsc_count(struct smsc *s, uint32_t id);
/* The answer that carries seq and id; NULL when it did not come (yet). */
const struct smsc_seen *smsc_find(struct smsc *s, uint32_t id, uint32_t seq);

int smpp_input_run(void);   /* test_smpp_input.c */
int smpp_flavour_run(void); /* test_smpp_flavour.c */
int smpp_bind_run(void);    /* test_smpp_bind.c */
int smpp_concat_run(void);  /* test_smpp_concat.c */
int smpp_tls_run(void);	    /* test_smpp_tls.c */
int smpp_renew_run(void);   /* test_smpp_renew.c */

#endif
