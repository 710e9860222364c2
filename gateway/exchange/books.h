/* books.h - what a hand-over keeps: orders, their lines, packages, pairs; records of the store's books.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A record's body is packed here and opaque to the store; its key, owner and step are what is looked for.
 */
#ifndef OTAGW_EXCHANGE_BOOKS_H
#define OTAGW_EXCHANGE_BOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "../store/rows.h"
#include "ota/package.h"
#include "ota/subscription.h"

enum book {
	BOOK_ORDER = 1, /* key: name of the order; owner 0; step: enum order_step */
	BOOK_LINE,	/* key: line_key(); owner: order; step: enum line_step */
	BOOK_SET,	/* key: as its line; what the IL says of it: files, PLMNs, trial, OPc */
	BOOK_IMSI, /* key: IMSI; owner: the order in which it was promised last (B: step says whether it has come back) */
	BOOK_SEQ,     /* key: partner; body: last sequence out and in */
	BOOK_OUT,     /* key: partner/sequence; owner: order; step: enum parcel_step */
	BOOK_IN,      /* likewise */
	BOOK_SUB,     /* key: ICCID/index; sealed K and OPc */
	BOOK_HLR,     /* key: order/ICCID/kind; owner: order; an operation due at our HLR */
	BOOK_PAIR,    /* vault; key: ICCID/index; owner: order; step: enum pair_step */
	BOOK_LEDGER,  /* vault; key: number of 20 digits; hash-chained */
	BOOK_CARD,    /* vault; key: ICCID; issuer, highest index, KVN 14 and 15 sealed */
	BOOK_TAKEN,   /* A and B; key: ICCID; owner: the open order that the card is in */
	BOOK_HOLD,    /* A and B; key: ICCID; body: struct hold.  Not there: as it left the factory */
	BOOK_CHANGE,  /* key: as its line; owner: the change; body: struct change_keys, until they are in force */
	BOOK_RELEASE, /* A; key: as its line; the card's release key, sealed, until it has been told */
	_BOOKS
};

/* A text in a body: its length in one octet, then the characters.  Taking one that is too long for cap, or holds a NUL, is bad. */
struct rd;
struct wr;
void book_text_put(struct wr *w, const char *text); /* at most 255 characters */
void book_text_take(struct rd *r, char *text, size_t cap);

/* ---- an order, as one party sees it ---- */
#define ORDER_NAME_MAX 38 /* its campaigns are named after it, as NAME.unstage */
/* SIDE_HOME: a change that an operator makes to its own cards; there is no other party in it. */
enum order_side { SIDE_A = 1, SIDE_B, SIDE_M, SIDE_HOME };
#define ORDER_SIDES SIDE_HOME
/* ORDER_REFUSED: never taken; kept so that what partners send about it gets its answer. */
enum order_step { ORDER_OPEN = 1, ORDER_CANCELLED, ORDER_ENDED, ORDER_REFUSED };
enum order_kind { ORDER_3A = 1, ORDER_3B, ORDER_CHANGE };
enum order_policy { POLICY_DELIVER_FIRST = 1, POLICY_ACTIVATE_FIRST, POLICY_ESCROW };
#define ORDER_WORKS	16 /* enum work_kind */
#define ORDER_ALARM_MAX 160
#define ORDER_OVER	0
/* What A's operator says of cards that have no way back. */
enum order_no_rollback { NO_ROLLBACK_UNSAID, NO_ROLLBACK_OK, NO_ROLLBACK_REFUSED };

/* What a change gives a card anew. */
#define CHANGE_OTA  0x01
#define CHANGE_K    0x02
#define CHANGE_OPC  0x04
#define CHANGE_IMSI 0x08 /* alone: another IMSI of ours */

struct order {
	char name[PKG_WORD_MAX + 1];
	uint64_t number; /* on the card and as owner in the books: order_number() */
	uint8_t side, step, kind;
	uint8_t policy; /* enum order_policy; of a change: CHANGE_..., ored */
	char s[PKG_NAME_MAX + 1], a[PKG_NAME_MAX + 1], b[PKG_NAME_MAX + 1], m[PKG_NAME_MAX + 1]; /* m "": 3a */
	uint8_t so[PKG_ID_LEN]; /* the swap order's package, and where its manifest stands (file of BOOK_IN) */
	uint64_t so_seq;
	uint64_t lines;	  /* cards in it */
	uint8_t whole;	  /* all of them have their line */
	uint8_t own_list; /* B: its IMSIs come from a list of the operator's, never from the pool */
	uint64_t paired;  /* of these: have got an IMSI by the IL (A in, B out), */
	uint64_t listed;  /* have come back in a final HL, */
	uint64_t closed;  /* are at an end: with the last one the order is */
	int64_t until_s;  /* ORDER_OVER: a partner has said that it has ended there */
	int64_t created_ms, ended_ms;
	uint64_t campaign[ORDER_WORKS]; /* per enum work_kind; 0: none yet */
	char alarm[ORDER_ALARM_MAX];	/* what a person should look at, "" nothing */
	uint8_t no_rollback;		/* A: enum order_no_rollback */
};
/* First eight octets of SHA-256("otagw order\n" s "\n" name "\n"); never 0.  The hash is the caller's (keystore). */
#define ORDER_NUMBER_INPUT_MAX (PKG_NAME_MAX + PKG_WORD_MAX + 20)
size_t order_number_input(char out[ORDER_NUMBER_INPUT_MAX], const char *s, const char *name);

int order_pack(const struct order *o, uint8_t body[BOOK_BODY_MAX]); /* length */
int order_unpack(struct order *o, const uint8_t *body, size_t len); /* 0 or -1 */

/* ---- a line: one card in an order ---- */
enum line_step {
	/* at A.  A step with "to do" in its comment is looked for by a job; at the others something else is waited for */
	A_OPEN = 1, /* SO in; waits for the IL */
	A_PAIRED,   /* to do: AQ (3b), else PL */
	A_ASKED,    /* AQ out; waits for AL */
	A_PLACED,   /* to do: PL */
	A_STAGE,    /* to do: plan STAGE (or ADVANCE) */
	A_STAGING,  /* waits for the card */
	A_HAND,	    /* 3a, to do: provisional HL3a */
	A_STAGED,   /* waits for B_READY */
	A_LOOK,	    /* to do: presence is old, plan STATUS */
	A_LOOKING,
	A_ARM,	   /* to do: plan ARM */
	A_ARMING,  /* waits for PoR_2 */
	A_ARMED,   /* armed, or not known: waits for B's CF */
	A_DUE,	   /* 3a, to do: final HL3a with OTA keys, for B's CONFIRM: its state is "armed", which is no end */
	A_SERVED,  /* E5; waits for E6 */
	A_UNSTAGE, /* to do: cancelled, plan UNSTAGE */
	A_UNSTAGING,
	A_LIST,	 /* to do: final HL line with its end (done, failed ...), the one that counts; never keys */
	A_PURGE, /* to do: old IMSI removed at our HLR, card left, keys shredded */
	A_PURGING,
	A_CLOSED,
	A_ESCROW,  /* 3a, to do: KE */
	A_RELEASE, /* 3a, to do: RK */
	A_NUMBER,  /* not done, and listed; waits for its MSISDN to be back at our HLR */
	/* at B */
	B_OPEN = 64, /* to do: IL */
	B_LISTED,    /* IL out; waits for PL */
	B_PLANNED,   /* 3b, to do: KR */
	B_ASKED,     /* KR out; waits for KP.  3a: PL in, waits for the provisional HL3a */
	B_KEYED,     /* to do: HLR operation, card taken */
	B_PROVISIONING,
	B_TELL_READY,  /* to do: CF ready */
	B_READY,       /* looked at now and then at the HLR: E5? */
	B_TELL_SERVED, /* to do: CF served */
	B_SERVED,      /* 3a: waits for the final HL3a */
	B_CONFIRM,     /* to do: plan CONFIRM (plain card: a read of EF_IMSI) */
	B_CONFIRMING,
	B_TELL_CONFIRMED, /* to do: CF confirmed */
	B_CONFIRMED,	  /* waits for the final HL */
	B_UNDO,		  /* to do: rolled back or cancelled: IMSI removed at our HLR */
	B_UNDOING,
	B_ENDING, /* refused, or gone back: waits for the final HL */
	B_CLOSED,
	B_NUMBER, /* to do: confirmed and listed, and its MSISDN was another subscriber's at our HLR: it gets it now */
	B_NUMBERING,
	/* at M: only that it knows of it */
	M_OPEN = 128,
	M_ASKED,    /* to do: AL */
	M_PLACED,   /* AL out; waits for KR */
	M_WANTED,   /* to do: released, with a line in the ledger */
	M_RELEASED, /* to do: KP */
	M_KEYED,    /* KP out; waits for CF confirmed */
	M_CLOSED,
	/* of a change at home (desk/c_*.c) */
	C_OPEN = 192, /* to do: the card is taken */
	C_TAKEN,      /* to do: which of its pairs is active? */
	C_MAKE,	      /* to do: new keys made */
	C_OTA,	      /* to do: plan the new OTA keys, into the other key version */
	C_OTA_SENT,
	C_PROVE, /* to do: a question under the new key version, which then is the one */
	C_PROVING,
	C_PROVED, /* to do: it is noted, and the old one goes */
	C_KEY,	  /* to do: plan K, OPc */
	C_KEY_SENT,
	C_SWITCH, /* to do: our HLR gets them */
	C_SWITCHING,
	C_SETTLE, /* asked now and then: are they in force? */
	C_SETTLING,
	C_SHRED, /* to do: what is old goes */
	C_NOTE,	 /* to do: who knows its keys now */
	C_CLOSED,
	/* of a second IMSI; STAGE, ARM and what follows from them are the steps of A */
	C_PAIR,	     /* to do: it gets its new IMSI, in the books */
	C_PROVISION, /* to do: our HLR has it under both */
	C_PROVISIONING,
	C_COME,	   /* to do: registered under the new one: its new numbers in our books */
	C_CONFIRM, /* to do: plan CONFIRM */
	C_CONFIRMING,
	C_BACK,	      /* to do: seen under the old one again: its old numbers, then STATUS */
	C_NUMBER_OFF, /* to do: the MSISDN leaves the old one */
	C_NUMBERING_OFF,
	C_NUMBER, /* to do: and goes to the new one */
	C_NUMBERING,
	C_NUMBERED, /* to do: in our books, too */
	C_UNDOING,
	/* of a change of keys, before C_KEY */
	C_ASK,	  /* to do: has our HLR the keys that our books say? */
	C_ASKING, /* after that C_KEY */
	/* it refuses what an earlier copy may have brought */
	C_DOUBT, /* to do: plan STATUS, under the keys that it had before */
	C_DOUBTING,
	C_FOUND, /* to do: its change stood in a file, and the books, an older copy of them, knew less of it */
	_LINE_STEPS
};
const char *line_step_name(uint16_t step); /* "A_STAGED"; never NULL */

/* How it ended, as it stands in the final HL; 0: not yet. */
enum line_end { END_NONE, END_DONE, END_FAILED, END_UNREACHED, END_CANCELLED, END_ROLLED_BACK };
const char *line_end_name(uint8_t end); /* the schema's words */

#define LINE_READY	 0x0001 /* CF ready in (A), out (B) */
#define LINE_STAGED	 0x0002 /* the card has said so: E4 */
#define LINE_PROVISIONAL 0x0004 /* K went out (A), came in (B) */
#define LINE_FINAL	 0x0008 /* OTA keys went out (A), came in (B) */
#define LINE_ARMED	 0x0010 /* ARM may have left: from here on only CF or an authenticated STATUS closes */
#define LINE_SERVED	 0x0020
#define LINE_CONFIRMED	 0x0040
#define LINE_CANCEL	 0x0080 /* wanted, as soon as it is allowed */
#define LINE_PLAIN	 0x0100 /* a card without the subscription application: no way back */
#define LINE_LISTED	 0x0200 /* its final HL line has gone out (A), come in (B) */
#define LINE_FOUND	 0x0400 /* of a change at home: taken in from its file after a backup was put back */
#define LINE_REFUSED	 0x0800 /* B: our HLR, or our store, would not have it */
#define LINE_PROVISIONED 0x1000 /* B: our HLR has it, and has said so: only then it is removed there */
#define LINE_GIVEN_UP	 0x2000 /* A: armed, and the new operator will not have it any more */
#define LINE_AGAIN	 0x4000 /* B: our operator has ordered it to be provided once more, whatever was before */
#define LINE_ESCROW	 0x8000 /* K went out locked (A), came in locked (B); with LINE_PROVISIONAL its release key, too */

#define LINE_WHY_MAX 96
struct line {
	uint64_t order; /* number */
	char iccid[ICCID_DIGITS_MAX + 1];
	char imsi[IMSI_DIGITS_MAX + 1], msisdn[MSISDN_DIGITS_MAX + 1]; /* new ones */
	char old_imsi[IMSI_DIGITS_MAX + 1], old_msisdn[MSISDN_DIGITS_MAX + 1];
	char profile[PROFILE_NAME_MAX];
	uint64_t card;		 /* ours */
	uint64_t txn;		 /* the last one of ours whose end has been taken: ends of older ones are repeats */
	uint16_t from, to, left; /* indexes; 3a: equal */
	uint8_t kvn;		 /* of the pair `to` */
	uint8_t end;		 /* enum line_end */
	uint8_t told;		 /* B: as A's final HL has it */
	uint8_t evidence;	 /* 0..6, 255 none */
	uint16_t flags;
	uint8_t jump[OTA_SUB_MAC_LEN]; /* the vault's, when has_jump */
	bool has_jump;
	/* of the staged set.  M: the package that is to be answered */
	uint8_t hash[OTA_SUB_HASH_LEN];
	bool has_plan;
	uint8_t plan[PKG_HASH_LEN]; /* M: root of the plan that the request showed */
	uint64_t pl_seq, pl_n;	    /* B: in which PL package, which record */
	uint64_t cntr, sqn;	    /* handed over, or received */
	int64_t evidence_ms, paired_ms, staged_ms, ready_ms, armed_ms, served_ms, confirmed_ms, ended_ms;
	int64_t again_ms; /* what has to be tried again: not before */
	uint8_t again_n;  /* B: how often it has been told again what it waits for */
	uint8_t strays;	  /* B: response packets of it that have been forwarded */
	char vlr[16];	  /* baseline at B_READY, then where it is */
	char why[LINE_WHY_MAX];
	/* A: what our register had of the old IMSI, asked for after all that was done to the card: growth from there on is presence */
	struct line_mark {
		int64_t at_ms; /* of the question; 0: none yet */
		uint64_t sqn;
		int64_t seen_ms; /* its last contact, where the register tells */
		uint32_t vlr;	 /* digest of where it was; 0 nowhere */
	} mark;
	/* B: its MSISDN is another's at our HLR: it has this one until then.  A: our HLR has given its MSISDN up, the old IMSI has none */
	bool bridged;
	char bridge[MSISDN_DIGITS_MAX + 1];
	/* A: a plain card gets this OPc, sealed, with its new IMSI, and with K it is the one that goes to B; else it keeps its own */
	bool has_opc;
	uint8_t opc[KS_OPC_LEN];
	int64_t here_ms; /* A: so our register has told that it was here, under its old IMSI */
	/* A: restore epochs: in which nothing of it can have been forgotten, and in which the card was asked last */
	uint32_t epoch, asked;
};
/* At A: a card without a way back was written, and the new operator does not have its IMSI, or has it no more.  Whoever knows better,
 * its CF or EF_IMSI, changes the line. */
static inline bool line_stranded(const struct line *l)
{
	return l->flags & LINE_PLAIN && l->flags & LINE_ARMED && !(l->flags & LINE_SERVED) && !l->end &&
	       (l->flags & LINE_GIVEN_UP || !(l->flags & LINE_READY));
}
#define LINE_KEY_LEN (16 + 1 + ICCID_DIGITS_MAX)
void line_key(char key[BOOK_KEY_MAX], uint64_t order, const char *iccid); /* "%016x/ICCID" */
int line_pack(const struct line *l, uint8_t body[BOOK_BODY_MAX]);
int line_unpack(struct line *l, const uint8_t *body, size_t len);

/* Which pair of a card of ours is active: a later order begins there.  Kept by whoever takes a card over, when it is confirmed. */
enum hold_known {
	HOLD_KNOWS,
	HOLD_IF_HEARD
}; /* by whoever gave it; if it listened when the new one went to the card */
struct hold {
	uint16_t index;
	uint8_t kvn;		     /* of its OTA keys */
	uint8_t k, ota;		     /* enum hold_known: what `from` knows of K and OPc, of the OTA keys */
	char from[PKG_NAME_MAX + 1]; /* who gave us the keys; "" nobody who is known here: whoever made the card */
};
#define HOLD_LEN (6 + PKG_NAME_MAX)
size_t hold_pack(const struct hold *h, uint8_t body[HOLD_LEN]);
int hold_unpack(struct hold *h, const uint8_t *body, size_t len); /* 0 or -1 */
/* "operator-a", "operator-a if it listened", ...: who besides us has them.  ota: OTA keys, else K. */
#define HOLD_WHO_MAX (PKG_NAME_MAX + 32)
void hold_who(const struct hold *h, bool ota, char out[HOLD_WHO_MAX]);

/* What a change makes for a card: sealed, and kept beside what is in force until the card has the new. */
struct change_keys {
	uint8_t kvn; /* of the new OTA keys; 0: none */
	uint16_t sealed_len;
	uint8_t sealed[KS_SEALED_MAX];
	bool has_sub, has_was; /* new K and OPc; those that were in force, as far as our books have them */
	uint8_t sub[KS_SUB_LEN], was[KS_SUB_LEN];
	uint8_t base_kvn; /* OTA keys in force when it began, and how far they were counted */
	uint16_t base_len;
	uint8_t base[KS_SEALED_MAX];
	uint32_t base_epoch;
	uint64_t base_cntr;
};
int change_pack(const struct change_keys *c, uint8_t body[BOOK_BODY_MAX]); /* length */
int change_unpack(struct change_keys *c, const uint8_t *body, size_t len);

/* What is noted of a card in a change's file beside the database (desk/c_kept.c). */
enum kept_kind { KEPT_KEYS = 1, KEPT_END = 3 };
struct kept {
	uint8_t kind;
	int64_t at_ms;
	char iccid[ICCID_DIGITS_MAX + 1];
	char imsi[IMSI_DIGITS_MAX + 1], msisdn[MSISDN_DIGITS_MAX + 1]; /* as the line has them */
	char old_imsi[IMSI_DIGITS_MAX + 1], old_msisdn[MSISDN_DIGITS_MAX + 1];
	uint16_t index;
	uint8_t kvn;
	uint16_t body_len; /* its BOOK_CHANGE */
	uint8_t body[BOOK_BODY_MAX];
	/* KEPT_END: what is in force */
	uint8_t end;
	uint16_t flags;
	char why[LINE_WHY_MAX];
};
#define KEPT_BODY_MAX (BOOK_BODY_MAX + 384)
int kept_pack(const struct kept *k, uint8_t body[KEPT_BODY_MAX]); /* length */
int kept_unpack(struct kept *k, const uint8_t *body, size_t len);

/* ---- packages ---- */
enum parcel_step {
	PARCEL_READY = 1, /* out: signed and durable, to be carried until it is acknowledged */
	PARCEL_ACKED,
	PARCEL_REFUSED,	 /* by the receiver (out), by us (in) */
	PARCEL_ACCEPTED, /* in: checked whole; records are being applied from cursor on */
	PARCEL_APPLIED,
	PARCEL_WAITS, /* in: its number is taken; for its order, which is not known here yet */
};
#define PARCEL_FILE_MAX 64
struct parcel {
	uint8_t id[PKG_ID_LEN];
	char type[8], order[PKG_WORD_MAX + 1];
	uint64_t seq, records, cursor; /* cursor: records applied so far */
	int64_t at_ms, ended_ms;
	uint64_t
		skipped; /* records that were applied to nothing, for what they are about has moved on since it was accepted */
	uint64_t ack;		    /* in: sequence of our package that answers it, 0: not yet */
	char file[PARCEL_FILE_MAX]; /* its name, in DIR/in, done, out, sent or refused */
	char rule[32];		    /* REFUSED: by which, "" */
	char why[200];
};
void parcel_key(char key[BOOK_KEY_MAX], const char *partner, uint64_t seq);	 /* "partner/%012u" */
void parcel_file(char file[PARCEL_FILE_MAX], const char *partner, uint64_t seq); /* "partner-%012u.otapkg" */
int parcel_pack(const struct parcel *p, uint8_t body[BOOK_BODY_MAX]);
int parcel_unpack(struct parcel *p, const uint8_t *body, size_t len);

#endif
