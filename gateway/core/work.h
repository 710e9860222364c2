/* work.h - what is done to a card for an order: script, question, verdict.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A work is one command of an order to one card.  A card with the subscription application (contrib/doc/card-interface.md) compares and
 * swaps, so that the same work may arrive any number of times; what it made of it is asked by STATUS with the order's number.  A plain
 * card has files alone: its IMSI is written by the script of its profile, each file absolutely, and asked by reading EF_IMSI.
 * What an answer means for the work is told here.  Pure.
 */
#ifndef OTAGW_WORK_H
#define OTAGW_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/keystore.h"
#include "ota/subscription.h"

enum work_kind {
	WORK_STAGE = 1, /* store the set; nothing in force changes */
	WORK_UNSTAGE,
	WORK_ARM,     /* irrevocable for the sender: takes effect at the next reset */
	WORK_ADVANCE, /* STAGE and ARM in one, the papers' literal step */
	WORK_CONFIRM, /* by the new operator, under the new pair */
	WORK_ROLLBACK,
	WORK_STATUS, /* only ask */
	/* New keys for a card that is ours, left pending (card interface, 8).  Whether the card has them, it says by their check values, in the
	 * answer to the work itself alone; the same value takes its own place, so the work may be sent any number of times. */
	WORK_OTA_KEYS, /* into the other key version */
	WORK_K_OPC,    /* both in one script */
	WORK_WRITE,    /* plain card: STAGE and ARM in one, and no way back */
	WORK_READ,     /* plain card: only ask for its IMSI */
	_WORK_KINDS
};
const char *work_kind_name(uint8_t kind); /* "STAGE"; never NULL */
static inline bool work_plain(uint8_t kind)
{
	return kind == WORK_WRITE || kind == WORK_READ;
}

/* STATUS, READ: when it was planned the card may have moved already, so it binds like the ARM or WRITE before it. */
#define WORK_F_MOVED 0x01
/* STATUS, READ: of no order; somebody wants to know whether the card answers, and what it says is believed. */
#define WORK_F_PROBE 0x02

#define WORK_PACKED_MAX (1 + 1 + 8 + 2 + 2 + 16 + OTA_SUB_HASH_LEN + 2 + OTA_SUB_SET_MAX + 1 + 1 + KS_OPC_LEN)
#define WORK_WHY_MAX	120

struct work {
	uint8_t kind;
	uint8_t flags;			/* WORK_F_... */
	uint64_t order;			/* not 0 */
	uint16_t from, to;		/* equal in 3a */
	char imsi[16];			/* of the set: what the card will present */
	bool keeps_msisdn;		/* its MSISDN goes with it: who speaks under it may be here or there */
	uint8_t hash[OTA_SUB_HASH_LEN]; /* new keys: their check values, then 0 */
	/* STAGE, ADVANCE; new keys: as they are wrapped, K before OPc; WRITE: the new operator's files, as in struct swap_values */
	uint16_t set_len;
	uint8_t set[OTA_SUB_SET_MAX];
	bool has_opc; /* WRITE: the card gets this one, sealed and bound to its ICCID, where its profile says */
	uint8_t opc[KS_OPC_LEN];
};

/* From a set's octets as ota_sub_set_encode() made them; hash is the leftmost 16 octets of SHA-256 over them, by the keystore.
 * 0, or a negative ota_err: not a set. */
int work_of_set(struct work *w, enum work_kind kind, const uint8_t *set, size_t len,
		const uint8_t hash[OTA_SUB_HASH_LEN]);

/* New keys: wrapped as they travel, and the check value of each.  0, or a negative ota_err. */
int work_of_keys(struct work *w, enum work_kind kind, const uint8_t *wrapped, size_t len, const uint8_t *kcvs);

/* For the store.  Length, or a negative ota_err. */
int work_pack(const struct work *w, uint8_t *buf, size_t cap);
int work_unpack(struct work *w, const uint8_t *buf, size_t len);

/* The script that does it; *apdus gets the number of commands.  Length or a negative ota_err.  Plain cards: profile.h. */
int work_script(const struct work *w, uint8_t *buf, size_t cap, uint16_t *apdus);
/* The script that asks what became of it. */
int work_question(const struct work *w, uint8_t *buf, size_t cap, uint16_t *apdus);

enum work_verdict {
	WORK_IS_DONE, /* the card has done it, or is further already */
	WORK_NOT_RUN, /* authenticated: it has not run and may be sent again under a fresh counter */
	WORK_TOO_LATE, /* the order has moved on so that it cannot be done any more: UNSTAGE or ROLLBACK after the fact */
	WORK_WENT_BACK,	 /* the card has gone back to the old subscription, by ROLLBACK or by its timer */
	WORK_TAKEN_BACK, /* what it builds on is not there: ARM or CONFIRM of an order that is not staged */
	WORK_CONFLICT,	 /* another order, another set, another index, or no such card: a person must look */
};
const char *work_verdict_name(enum work_verdict v);

/* What a card's state says about a work; rsp is of STATUS with the work's order, or the state object that comes with every answer.
 * why gets a sentence for what is not DONE. */
enum work_verdict work_judge(const struct work *w, const struct ota_sub_rsp *rsp, char why[WORK_WHY_MAX]);
/* The same from a status word other than 9000 of the work's own script: final words only; anything else is NOT known and must be
 * asked.  False: ask. */
bool work_judge_sw(const struct work *w, uint16_t sw, enum work_verdict *v, char why[WORK_WHY_MAX]);
/* Of a plain card: what its EF_IMSI says; old: the IMSI that it had when the order came, "" not known. */
enum work_verdict work_judge_imsi(const struct work *w, const char *imsi, const char *old, char why[WORK_WHY_MAX]);

#endif
