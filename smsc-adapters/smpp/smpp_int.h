/* smpp_int.h - the inside of an SMPP link: smpp_link.c (ops, outcomes, messages) and smpp_fsm.c (connection).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTA_SMPP_INT_H
#define OTA_SMPP_INT_H

#include <event2/dns.h>
#include <event2/event.h>

#include "ota/link_gauge.h"
#include "ota/smpp_link.h"

#include "smpp_pdu.h"

#define SMPP_IN_MAX	   32768       /* octets read in one go; holds several PDUs */
#define SMPP_SUBMIT_LEN	   320	       /* more than any submit_sm of ours takes */
#define SMPP_WHOLE_LEN	   2560	       /* ... nor one with a packet of OTA_SEGMENTS_MAX segments in it */
#define SMPP_OUT_SPARE	   65536       /* besides a full window: answers, enquire_link, bind */
#define SMPP_OUT_PAUSE	   SMPP_IN_MAX /* with less room than this for answers nothing more is read */
#define SMPP_STABLE_MS	   5000	       /* a bind that held so long starts the next backoff from the beginning */
#define SMPP_UNBIND_MS	   1000	       /* how long stop() lets the SMSC answer what is outstanding */
#define SMPP_MSGIDS_KEPT   65536 /* ids of accepted submits whose receipt may come; 1.5 MB, taken with the first */
#define SMPP_ERRORS_IN_ROW 5	 /* system errors in a row that slow the link down */
#define SMPP_NOISE_MAX	   100	 /* PDUs in a row that are not for an ESME: the connection is given up */
#define SMPP_NOISE_SHOWN   5 /* lines about such a row, and about others that a peer or a slow store can make long */
#define SMPP_NONE	   UINT16_MAX /* no index */

enum smpp_state { SMPP_CLOSED, SMPP_CONNECTING, SMPP_SECURING, SMPP_BINDING, SMPP_BOUND, SMPP_UNBINDING, _SMPP_STATES };

/* What a connection carries.  A link has one for both ways, or one for each. */
enum smpp_role { SMPP_ROLE_TRX, SMPP_ROLE_TX, SMPP_ROLE_RX };

/* A submit_sm that waits for its response.  All have the same time to live, so that a FIFO is their timer. */
struct smpp_slot {
	uint64_t token;
	int64_t due_ms;
	uint32_t seq;	/* 0: free */
	uint32_t dst;	/* hash of the destination when a receipt was asked for, else 0 */
	uint64_t *rest; /* of a whole packet in one PDU: the tokens of its segments after the first */
	uint8_t n_rest;
	uint16_t prev, next;
};

struct smpp_gather;
struct ssl_st; /* OpenSSL's SSL and SSL_CTX, which are smpp_tls.c's alone */
struct ssl_ctx_st;

/* A segment as sar_* parameters have it: user data without the concatenation IE. */
struct smpp_sar {
	uint16_t ref;
	uint8_t total, seq;
	bool udhi;
	size_t len;
	uint8_t ud[LINK_UD_MAX];
};

/* A message that waits for answer(). */
struct smpp_held {
	uint64_t token; /* 0: free */
	int64_t due_ms;
	uint32_t seq, resp_id;
	uint16_t prev, next; /* next is also the free list */
};

struct smpp_link {
	struct link link; /* first: what the owner sees */
	struct smpp_link_cfg cfg;
	struct smpp_link_env env;
	enum smpp_role role;
	unsigned flavour; /* in env.errtab */
	struct link_credit credit;
	struct link_stats stats;
	struct link_gauge gauge;

	enum smpp_state state;
	bool wanted;				     /* between start() and stop() */
	int fd;					     /* -1: none */
	struct event *read_ev, *write_ev;	     /* of fd */
	struct event *flush_ev;			     /* once per loop turn */
	struct event *conn_ev, *submit_ev, *held_ev; /* timers */
	bool flush_due, write_waits, read_paused;
	struct ssl_ctx_st *tls; /* NULL: plain */
	struct ssl_st *ssl;	/* of this connection */
	bool tls_wants_write, tls_broken;
	bool refused;	   /* this connection, for a reason that time alone does not heal */
	char tls_why[160]; /* with EPROTO */
	struct evdns_base *dns;
	struct evdns_getaddrinfo_request *resolving;
	unsigned tries; /* since the last stable bind */
	unsigned errors_in_row;
	unsigned expired_in_row; /* submits without any response */
	bool expiry_told;
	unsigned noise, odd_resps; /* in a row: refused PDUs, responses that nobody waits for */
	unsigned unsettled;	   /* messages in a row without an answer() in time */
	unsigned oversized;	   /* messages of this connection */
	int64_t bound_ms, rx_ms;
	uint64_t rx_octets; /* of this connection, before in[0] */
	bool enquiring;	    /* an enquire_link has left and nothing came since */
	uint32_t seq, bind_seq;

	uint8_t *in, *out;
	size_t in_len, out_at, out_len, out_cap; /* out: octets [out_at, out_at + out_len) wait */

	size_t submit_len; /* more than any submit_sm of this link takes */
	struct smpp_gather *gather, *gathers_dropped;
	struct event *gather_ev;
	struct smpp_slot *slots; /* slot_mask + 1, by seq & slot_mask */
	uint32_t slot_mask;
	uint16_t slot_first, slot_last;

	struct smpp_held held[SMPP_RECEIVED_MAX];
	uint16_t held_free, held_first, held_last;
	uint64_t held_count; /* messages ever handed up: makes tokens unique over connections */

	const struct smpp_link *ids; /* where receipts look their message up: this, or the transmitter beside it */
	struct smpp_msgid *msgids;   /* SMPP_MSGIDS_KEPT of them, NULL: none yet */
	uint32_t msgid_age;
	unsigned msgid_equal; /* submits in a row with the id msgid_last */
	uint64_t msgid_last;
	bool msgids_useless;

	struct event *renew_ev;
	int64_t open_until_ms;	/* an earlier connection's submits may be under way at the SMSC until then */
	int64_t renew_ms;	/* while renewing: until then nothing is sent */
	bool renewing, renewed; /* waits for what is under way, to bind once more; has done so */
	bool expired_here;	/* a submit of this connection had no response in time */

	struct link_event ev; /* the event being told; on_event never nests */
};

/* ---- smpp_fsm.c ---- */
bool smpp_conn_init(struct smpp_link *l); /* events and buffers; false: out of memory */
void smpp_conn_free(struct smpp_link *l);
void smpp_conn_start(struct smpp_link *l);
void smpp_conn_stop(struct smpp_link *l);
void smpp_conn_unbind(struct smpp_link *l); /* from BOUND */
/* Closes, tells UNKNOWN for all that is outstanding and DOWN, and plans the next try when the link is wanted. */
void smpp_conn_close(struct smpp_link *l, struct fail why, const char *detail);
void smpp_take_input(struct smpp_link *l); /* what stands in in[0..in_len) */
uint32_t smpp_next_seq(struct smpp_link *l);
/* Packs into the out-buffer and lets it leave at the end of this turn.  False when it does not fit. */
bool smpp_send(struct smpp_link *l, const struct smpp_pdu *p);
size_t smpp_out_room(const struct smpp_link *l);
int64_t smpp_now(const struct smpp_link *l);
void smpp_timer(struct event *ev, int64_t wait_ms);
void smpp_last_error(struct smpp_link *l, const char *what, const char *detail);
void smpp_log(struct smpp_link *l, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

const char *smpp_state_name(const struct smpp_link *l);

/* ---- smpp_link.c, called from the connection ---- */
void smpp_on_response(struct smpp_link *l, const struct smpp_pdu *p); /* submit_sm_resp, generic_nack */
void smpp_on_message(struct smpp_link *l, const struct smpp_pdu *p);  /* deliver_sm, data_sm */
void smpp_on_alert(struct smpp_link *l, const struct smpp_pdu *p);
void smpp_on_up(struct smpp_link *l);
void smpp_on_down(struct smpp_link *l, struct fail why); /* was bound: UNKNOWN for all, then DOWN */
void smpp_submits_due(struct smpp_link *l);
void smpp_helds_due(struct smpp_link *l);

void smpp_outcome(struct smpp_link *l, enum link_event_kind kind, uint64_t token, struct fail why, const char *id);
/* One connection; cfg has been looked at.  NULL with a sentence: out of memory, a file that cannot be read. */
struct smpp_link *smpp_single_new(const struct smpp_link_cfg *cfg, const struct smpp_link_env *env, enum smpp_role role,
				  char *err, size_t cap);

/* ---- smpp_tls.c ---- */
struct ssl_ctx_st *smpp_tls_context(const struct smpp_link_cfg *cfg, char *err, size_t cap); /* NULL with a sentence */
void smpp_tls_context_free(struct ssl_ctx_st *x);
bool smpp_tls_begin(struct smpp_link *l); /* on fd */
void smpp_tls_end(struct smpp_link *l);
int smpp_tls_handshake(struct smpp_link *l); /* 1 done, 0 not yet, -1 with tls_why or errno */
/* As read() and write(); errno EPROTO: tls_why says more. */
ssize_t smpp_tls_read(struct smpp_link *l, void *buf, size_t cap);
ssize_t smpp_tls_write(struct smpp_link *l, const void *buf, size_t len);
bool smpp_tls_pending(const struct smpp_link *l);
const char *smpp_tls_text(const struct smpp_link *l, char *buf, size_t cap); /* ", TLSv1.3, ..." or "" */

/* ---- smpp_concat.c ---- */
enum { SMPP_GATHERING = 1, SMPP_GATHERED };
/* 0: no part of a packet, send it as it is; else SMPP_GATHERING, SMPP_GATHERED or a negative errno. */
int smpp_gather_add(struct smpp_link *l, const struct link_submit *s, int64_t now_ms);
struct smpp_octets smpp_gathered(const struct smpp_link *l);
void smpp_gather_slot(const struct smpp_link *l, struct smpp_slot *slot);
void smpp_gather_done(struct smpp_link *l);
void smpp_gather_undo(struct smpp_link *l);
void smpp_gathers_due(struct smpp_link *l);
void smpp_gathers_end(struct smpp_link *l, const struct fail *why);
bool smpp_sar_of(struct smpp_sar *out, const uint8_t *ud, size_t len); /* false: not one of several parts */
void smpp_sar_to_udh(struct link_event *ev, const struct smpp_tlvs *t);

/* ---- smpp_renew.c ---- */
bool smpp_renew_init(struct smpp_link *l); /* false: out of memory */
void smpp_renew_up(struct smpp_link *l);
void smpp_renew_down(struct smpp_link *l);
void smpp_renew_step(struct smpp_link *l); /* something that was under way has ended */

/* ---- smpp_pair.c ---- */
struct link *smpp_pair_new(const struct smpp_link_cfg *cfg, const struct smpp_link_env *env, char *err, size_t cap);

/* ---- smpp_msgid.c ---- */
uint32_t smpp_digits_hash(const char *digits); /* never 0 */
void smpp_msgid_keep(struct smpp_link *l, const char *message_id, uint32_t dst, uint16_t ref);
bool smpp_msgid_find(const struct smpp_link *l, const char *message_id, const char *digits, uint16_t *ref);

/* ---- smpp_errors.c ---- */
enum smpp_slow { SMPP_SLOW_NOT, SMPP_SLOW_IN_ROW, SMPP_SLOW_AT_ONCE };
struct fail smpp_status_fail(const struct smpp_link *l, uint32_t status);
const char *smpp_status_name(const struct smpp_link *l, uint32_t status); /* "ESME_RTHROTTLED", ... never NULL */
enum smpp_slow smpp_status_slow(const struct smpp_link *l, uint32_t status);
/* Sets delivered and fail of a REPORT by its stat and net_error. */
void smpp_receipt_judge(const struct smpp_link *l, struct link_event *ev);

enum { SMPP_LOG_ERR = 3, SMPP_LOG_WARNING = 4, SMPP_LOG_NOTICE = 5, SMPP_LOG_INFO = 6, SMPP_LOG_DEBUG = 7 };

#endif
