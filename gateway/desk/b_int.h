/* b_int.h - what the files of the new operator's side (b_*.c) share.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What B keeps besides its lines:
 *
 *	BOOK_IMSI	every IMSI that was ever promised, so that none is given twice: step enum imsi_step, owner the order
 *	BOOK_SET	3a: the card's OPc, sealed, as it stands in the IL; with keys in escrow these behind it, locked
 *	BOOK_SUB	K and OPc of an index, sealed, as they go to the HLR
 *	BOOK_HOLD	which index a card that came is at, once it is confirmed
 */
#ifndef OTAGW_DESK_B_H
#define OTAGW_DESK_B_H

#include "desk_int.h"

/* What the books say of an IMSI.  One that came back rests for a while, so that nothing that was meant for its last card reaches
 * the next. */
enum imsi_step { IMSI_GIVEN = 1, IMSI_BACK };
#define IMSI_REST_MS (30ll * 86400 * 1000)

#define B_RETRY_MS     60000ll	/* something of ours is in the way: looked at again */
#define B_CONFIRM_MS   600000ll /* CONFIRM was not answered: the next one */
#define B_TELL_MS      250	/* what is to be told is gathered for so long: a package costs more than a line */
#define B_AGAIN_MS     (30ll * 60 * 1000) /* what A has not answered in words is told again: first delay, doubles */
#define B_AGAIN_MAX    10		  /* times: then a person must look */
#define B_OVER_WHY     "%s has ended or refused the order without it"
#define B_POLL_LINES   16384 /* lines of an order that are gone through in one period */
#define B_POLL_AGE     16    /* a line is looked up every sixteenth of the time it has waited, */
#define B_POLL_PERIODS 16    /* and at least every so many periods */

void b_hex(char *out, const uint8_t *p, size_t len); /* NUL-terminated */

/* ---- b_own.c: a file of ICCID,IMSI[,MSISDN] lines ---- */
#define LIST_MAX  1000000 /* cards in a list of an operator's */
#define LIST_TURN 16384	  /* lines of it that are read in one turn */
struct b_entry {
	char iccid[ICCID_DIGITS_MAX + 1], imsi[IMSI_DIGITS_MAX + 1], msisdn[MSISDN_DIGITS_MAX + 1];
};
struct b_list *b_list_open(const char *path, char err[DESK_ERR_MAX], int *rc); /* NULL: rc and a sentence */
/* The next lines: IMSIs of these networks, nothing twice.  0: that was the last one; DESK_MORE; negative with a sentence. */
int b_list_more(struct b_list *l, const char *plmns, char err[DESK_ERR_MAX]);
size_t b_list_n(const struct b_list *l);
void b_list_at(const struct b_list *l, size_t i, struct b_entry *e);
bool b_list_find(const struct b_list *l, const char *iccid, struct b_entry *e);
void b_list_free(struct b_list *l); /* NULL is allowed */

/* ---- b_list.c ---- */
/* Of the set for this IMSI, with its access class. */
void b_files_of(const struct desk_pool *p, const char *imsi, char *out, size_t cap);
bool b_imsi_free(const struct store_book *b, int64_t now_ms); /* as its record in BOOK_IMSI says */
void b_pool_msisdn(const struct desk_pool *p, const char *imsi, char msisdn[MSISDN_DIGITS_MAX + 1]);
/* Whether each line of the page can have the IMSI of the pool that b_list_also() names: their number; 0: not yet, the page comes again;
 * negative: there are not enough.  b_list_after() takes them, d->b.given of them. */
int b_pool_give(struct desk *d, struct desk_job *j);
void b_list_also(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX]);
int b_list_decide(struct desk *d, struct desk_job *j);
void b_list_after(struct desk *d, struct desk_job *j);
unsigned b_il_want(struct desk *d, struct desk_call *c, struct desk_open_order *o, char (*keys)[BOOK_KEY_MAX],
		   unsigned max);
int b_il_decide(struct desk *d, struct desk_job *j, struct desk_call *c);
void b_il_drop(struct desk_call *c);
int b_pl_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no);
/* What all packages in have in common: each card stands in one once. */
int b_in_begin(struct desk_in *in, struct desk_no *no);
int b_in_once(struct desk_in *in, const struct xchg_record *r, struct desk_no *no);
void b_in_drop(struct desk_in *in);
void b_line_key(struct desk_in *in, const struct xchg_record *r, char key[BOOK_KEY_MAX]);

/* ---- b_keys.c ---- */
int b_ask_decide(struct desk *d, struct desk_job *j);
int b_kp_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no);
void b_sub_key(const struct line *l, char key[BOOK_KEY_MAX]); /* in BOOK_SUB, of the index that the card goes to */
int b_block_take(struct desk_in *in, const struct desk_rec *r, struct ks_block *out, struct desk_no *no);
int b_card_take(struct desk_in *in, struct desk_rec *r, const struct ks_block *block, uint64_t cntr,
		struct desk_no *no);
bool b_not_taken(struct desk_in *in, struct desk_rec *r);
/* K of an algorithm that we can provision; else it is refused here, and not by the HLR when the card is staged. */
int b_alg_ok(struct desk_in *in, const struct desk_rec *r, const uint8_t sub[KS_SUB_LEN], struct desk_no *no);
void b_sub_put(struct desk_in *in, const struct desk_rec *r, const uint8_t sub[KS_SUB_LEN]);

/* ---- b_hand.c ---- */
int b_hl3a_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no);
int b_hl3b_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no);
int b_ke_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no);
int b_rk_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no);

/* ---- b_hlr.c ---- */
void b_sub_also(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX]);
int b_provision_decide(struct desk *d, struct desk_job *j);
unsigned b_provide_want(struct desk *d, struct desk_call *c, struct desk_open_order *o, char (*keys)[BOOK_KEY_MAX],
			unsigned max);
int b_provide_decide(struct desk *d, struct desk_job *j, struct desk_call *c);
void b_provide_drop(struct desk_call *c);
int b_wait_decide(struct desk *d, struct desk_job *j);
int b_poll_decide(struct desk *d, struct desk_job *j);
void b_poll_after(struct desk *d, struct desk_job *j);
bool b_look_soon(struct desk *d, const struct line *l); /* at the HLR; false: too many wait for that */
void b_event_hlr(struct desk *d, struct desk_job *j, unsigned i);

/* ---- b_number.c: the MSISDN, where another subscriber of our HLR has it still ---- */
const char *b_bridge(const struct desk *d, const struct line *l, char out[MSISDN_DIGITS_MAX + 1]);
bool b_bridge_next(const struct desk *d,
		   struct line *l);	    /* it is another's, too: b_bridge() gives the next one; false: all are */
const char *b_msisdn(const struct line *l); /* what our HLR has of it now */
void b_number_is(struct desk_job *j, unsigned i, const char *bridge); /* our HLR has given it this one; "": its own */
int b_number_decide(struct desk *d, struct desk_job *j);
void b_number_soon(struct desk_job *j, unsigned i);   /* it is served here: asked for from now on */
void b_number_heard(struct desk_job *j, unsigned i);  /* who speaks under its own is the card; j->card */
void b_number_forget(struct desk_job *j, unsigned i); /* it went back: not asked for any more */
void b_numbered(struct desk_job *j, unsigned i);

/* ---- b_tell.c: CF ---- */
int b_ready_decide(struct desk *d, struct desk_job *j);
int b_served_decide(struct desk *d, struct desk_job *j);
int b_confirmed_decide(struct desk *d, struct desk_job *j);
/* At a step that waits for what A says next: told again by itself, for A's books may have been put back. */
int b_again_decide(struct desk *d, struct desk_job *j);
void b_again_from(struct desk_job *j, unsigned i, enum line_step step); /* from now on */
/* To a step B_TELL_...: told a little later, together with others. */
void b_tell_soon(struct desk_job *j, unsigned i, enum line_step step);
/* One line of a CF; cntr: 0 none. */
int b_tell(struct desk_job *j, struct desk_out *o, const struct line *l, const char *what, const char *evidence,
	   int64_t at_ms, uint64_t cntr);
uint64_t b_highest(const struct card_bundle *c, uint8_t kvn); /* counter of ours */

/* ---- b_end.c ---- */
int b_confirm_decide(struct desk *d, struct desk_job *j);
int b_undo_decide(struct desk *d, struct desk_job *j);
void b_event_txn(struct desk *d, struct desk_job *j, unsigned i);
void b_imsi_back(struct desk_job *j, unsigned i);
void b_imsi_rest(struct desk_job *j, const char *imsi, uint64_t order); /* from now on */
void b_close(struct desk_job *j, unsigned i); /* the line is at its end: the order counts it */
/* Nothing is left to do for it but to be listed by A: closed when it is. */
void b_rest(struct desk_job *j, unsigned i);
/* Undoes what B has of a line that does not come, from whatever step it is at. */
void b_undo(struct desk_job *j, unsigned i, uint16_t step, enum line_end end);

#endif
