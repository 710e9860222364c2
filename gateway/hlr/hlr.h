/* hlr.h - the seam to a home location register: what is asked of it, and what it said.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Every operation may be repeated: it brings the register to a state, whatever it had before, and reads back what it has written.  An
 * adapter keeps nothing over a restart and tries nothing twice: who asks has the operation in its outbox and asks again.
 */
#ifndef OTAGW_HLR_H
#define OTAGW_HLR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/keystore.h"

#define HLR_DIGITS_MAX 15
#define HLR_WHY_MAX    200
#define HLR_VLR_MAX    63  /* a number, or a name: OsmoHLR has the MSC's IPA name */
#define HLR_OPEN_MAX   256 /* operations under way at one register */

enum hlr_kind {
	HLR_READ,      /* what it has of an IMSI; keyed: REFUSED unless it is there with these keys */
	HLR_PROVISION, /* the IMSI is there with this MSISDN and these keys, and may use CS and PS */
	HLR_MSISDN,    /* the IMSI has this MSISDN, or none when empty */
	HLR_REMOVE,    /* the IMSI is not there; keyed: unless it is there with other keys */
	HLR_REKEY,     /* the IMSI, which is there, has these keys; nothing else of it changes */
};
const char *hlr_kind_name(enum hlr_kind kind);

struct hlr_op {
	uint64_t id; /* the caller's; comes back */
	enum hlr_kind kind;
	char imsi[HLR_DIGITS_MAX + 1];
	char msisdn[HLR_DIGITS_MAX + 1];
	char bridge
		[HLR_DIGITS_MAX +
		 1]; /* PROVISION: this MSISDN as long as the right one is another subscriber's; "": then it is refused */
	uint64_t sqn;	/* PROVISION: handed over; an adapter that can goes on from there; 0: none */
	char iccid[24]; /* PROVISION, REKEY, keyed READ and REMOVE: whose keys `sub` are */
	bool keyed;	/* READ, REMOVE: `sub` is given */
	uint8_t sub[KS_SUB_LEN];
	bool has_was; /* REKEY: unless it has keys that are neither these nor `sub` */
	uint8_t was[KS_SUB_LEN];
};

enum hlr_end {
	HLR_OK,
	HLR_ABSENT,    /* READ, MSISDN, REKEY: no such subscriber */
	HLR_REFUSED,   /* it will not; a person must look */
	HLR_TEMPORARY, /* no connection, no answer: ask again later */
	HLR_TAKEN,     /* MSISDN: it is another subscriber's; PROVISION: so is the bridge */
};
struct hlr_result {
	uint64_t id;
	enum hlr_end end;
	char why[HLR_WHY_MAX]; /* for REFUSED and TEMPORARY; never a key */
	/* READ, PROVISION, REKEY: as read back */
	char msisdn[HLR_DIGITS_MAX + 1];
	bool bridged;		   /* PROVISION: it has got its bridge */
	char vlr[HLR_VLR_MAX + 1]; /* where it is registered; "" nowhere */
	bool cs, ps;
	bool has_keys;
	uint64_t sqn;	/* of 48 bits, with IND; 0 without keys */
	int64_t seen_s; /* READ: its last contact, UTC; 0: it does not tell */
};

struct hlr; /* an adapter's own */
struct hlr_ops {
	const char *name;
	/* 0: there is one result, perhaps before this returns.  On TEMPORARY wait before asking again: not from the callback.  -ENOBUFS: HLR_OPEN_MAX are under way; -EINVAL: not an operation. */
	int (*submit)(struct hlr *h, const struct hlr_op *op);
	void (*free)(struct hlr *h); /* operations under way end without a result */
};

/* What every adapter's object begins with. */
struct hlr {
	const struct hlr_ops *ops;
	void (*on_result)(void *ctx, const struct hlr_result *r);
	void (*on_log)(void *ctx, int level, const char *line); /* levels as syslog */
	void *ctx;
};

/* ---- OsmoHLR by its CTRL interface (hlr_osmo.c) ---- */
struct event_base;
struct hlr_osmo_cfg {
	const char *host;	   /* numeric */
	uint16_t port;		   /* 4259 */
	unsigned timeout_ms;	   /* for an answer, 0: 5000 */
	unsigned reconnect_ms;	   /* first delay, 0: 500; doubles */
	unsigned reconnect_max_ms; /* 0: 30000 */
	const char *sqn_database;  /* OsmoHLR's SQLite file, to set SQN; NULL: it is not set */
};
struct hlr *hlr_osmo_new(const struct hlr_osmo_cfg *cfg, struct event_base *base, struct ks *ks,
			 void (*on_result)(void *ctx, const struct hlr_result *r),
			 void (*on_log)(void *ctx, int level, const char *line), void *ctx);
bool hlr_osmo_connected(const struct hlr *h);

/* ---- any other register, by a program of the operator's and a template (hlr_template.c, contrib/doc/hlr-template.md) ---- */
#define HLR_TEMPLATE_MAX 512 /* characters of a line of the template */
struct hlr_template {
	char program[256];			    /* absolute; run without arguments */
	char line[HLR_REKEY + 1][HLR_TEMPLATE_MAX]; /* by enum hlr_kind; that of REKEY may be missing */
};
/* Reads a template file.  0, or -1 with a sentence. */
int hlr_template_read(struct hlr_template *out, const char *path, char *err, size_t err_cap);
struct hlr_template_cfg {
	const struct hlr_template *tpl; /* copied */
	unsigned timeout_ms;		/* for an answer, 0: 5000 */
	unsigned restart_ms;		/* of a program that has ended, first delay, 0: 500; doubles */
	unsigned restart_max_ms;	/* 0: 30000 */
};
struct hlr *hlr_template_new(const struct hlr_template_cfg *cfg, struct event_base *base, struct ks *ks,
			     void (*on_result)(void *ctx, const struct hlr_result *r),
			     void (*on_log)(void *ctx, int level, const char *line), void *ctx);

#endif
