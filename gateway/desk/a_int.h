/* a_int.h - what the files of the old operator's side (a_*.c) share.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A keeps its card until the new operator says that it has it: nothing that could serve the card goes before CF(E6).  Until the ARM is
 * committed a line may be given up at any time; from then on only a CF, or what the card says under its keys, closes it.
 *
 * Steps wait in three ways: for a person's or a partner's package, for a card, or for a time; what waits is looked at again when its
 * order is cancelled or its time is over.
 */
#ifndef OTAGW_DESK_A_H
#define OTAGW_DESK_A_H

#include "desk_int.h"
#include "once.h"
#include "so.h"

/* ---- a_set.c: what the IL says of a card ---- */
#define A_SET_FILES_MAX OTA_SUB_SET_MAX
struct a_set {
	char imsi[IMSI_DIGITS_MAX + 1], msisdn[MSISDN_DIGITS_MAX + 1];
	uint32_t trial_s;
	uint8_t plmns; /* of three octets */
	uint8_t plmn[OTA_SUB_PLMNS_MAX][3];
	uint16_t files_len; /* each: number of FIDs, these, length, content */
	uint8_t files[A_SET_FILES_MAX];
	bool has_opc;		 /* else the card keeps its own */
	uint8_t opc[KS_OPC_LEN]; /* sealed; bound to the ICCID, in the pool to the IMSI */
};
enum { A_SET_PAIRED, A_SET_POOL }; /* steps of BOOK_SET: of a line; not given to a card yet */
/* From a record of an IL, all but its keys; 0, or desk_refuse(). */
int a_set_parse(struct a_set *s, const struct xchg_record *r, struct desk_no *no);
bool a_set_has_sca(const struct a_set *s); /* tells the card which SMSC it shall send to */
int a_set_pack(const struct a_set *s, uint8_t body[BOOK_BODY_MAX]);
int a_set_unpack(struct a_set *s, const uint8_t *body, size_t len);
/* What STAGE carries; opc: wrapped for the card, may be empty.  Length, or a negative ota_err. */
int a_set_encode(const struct a_set *s, const struct line *l, struct ota_span opc, uint8_t out[OTA_SUB_SET_MAX]);
/* A record of BOOK_SET for each line. */
void a_set_key(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX]);

/* ---- a_line.c ---- */
#define A_UNSTAGE_MAX_MS (86400ll * 1000) /* so long for a card to be told that its order is over */
void a_put(struct desk_job *j, unsigned i, enum line_step step);
/* A backup was put back since nothing of the line can have been forgotten: it may have been armed, and the card be at the new operator.  Only
 * a CF, or an authenticated answer of the card to a question of since, ends such a line. */
bool a_forgot(const struct desk_job *j, const struct line *l);
/* So it counts as armed from now on: where it waits. */
enum line_step a_may_be_armed(const struct desk_job *j, struct line *l);
/* How a line that is not armed ends now, for its order was cancelled or its time is over; END_NONE: it goes on. */
enum line_end a_over(const struct desk_job *j, const struct line *l);
/* Ends it so: the step that comes next, A_LIST, or A_UNSTAGE where the card may hold the set.  One that may be armed without our knowing
 * does not end: A_ARMED. */
enum line_step a_give_up(const struct desk_job *j, struct line *l, enum line_end end, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* If its order is over: puts it on its way out. */
bool a_gave_up(struct desk_job *j, unsigned i);
/* Staged and ready, whatever came first: A_ARM, else A_STAGED.  A plain card in the papers' order does not wait for B. */
enum line_step a_gate(const struct desk_job *j, const struct line *l);
/* The last step, when its MSISDN is back: what was kept for the hand-over goes, the order counts it. */
void a_close(struct desk_job *j, unsigned i);
void a_closed(struct desk_job *j, unsigned i); /* now */

/* ---- a_number.c ---- */
bool a_keeps_msisdn(const struct line *l);	   /* its MSISDN goes with it */
void a_number_off(struct desk_job *j, unsigned i); /* it is served elsewhere: our register gives it up */
void a_number_on(struct desk_job *j, unsigned i);  /* it is here, proven */
bool a_number_waits(struct desk_job *j,
		    unsigned i);		 /* true: the line is at A_NUMBER now, and is closed when it is back */
void a_numbered(struct desk_job *j, unsigned i); /* what our register has answered */
/* Waits of a step end at the order's time, too; `at_ms` 0: nothing else is waited for. */
void a_wait(struct desk_job *j, enum line_step step, int64_t at_ms);
uint8_t a_kvn_from(const struct desk_job *j, const struct line *l); /* of the pair that is active until ARM */
void a_hex(char *out, const uint8_t *p, size_t len);
void a_sub_key(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX]); /* our K of its active pair */
/* Closes a package that was opened, if any; drops it after an error.  0, or -EIO. */
int a_out_done(struct desk_out *o, int rc);
/* Line of the record that a package is about; refuses what is none of the order. */
struct line *a_line_of(struct desk_in *in, struct desk_rec *r, struct desk_no *no);
void a_line_key(struct desk_in *in, const struct xchg_record *r, char key[BOOK_KEY_MAX]); /* "" without ICCID */
/* Work of a step that only waits: gives up what is over. */
int a_idle(struct desk *d, struct desk_job *j);

/* What packages about many cards have in common: no card twice, from the party that the order names. */
struct a_take {
	struct once *cards, *imsis; /* pass 1 */
	bool sca_missing;
};
int a_take_begin(struct desk_in *in, const char *party, struct desk_no *no);
int a_take_card(struct desk_in *in, const struct desk_rec *r, struct desk_no *no);
void a_take_drop(struct desk_in *in);

/* ---- a_here.c: is it still here? ---- */
int64_t a_heard_ms(const struct desk *d, const struct order *o); /* how often armed lines are gone through */
/* The last thing that is known of it: presence counts from there on.  c NULL: attempts aside. */
int64_t a_since_ms(const struct line *l, const struct card_bundle *c);
bool a_waits_here(uint16_t step); /* armed: its old IMSI is looked up */
int a_arming_decide(struct desk *d, struct desk_job *j);
void a_here_after(struct desk *d, struct desk_job *j);
void a_here(struct desk_job *j, unsigned i); /* such a look has an answer */

/* ---- a_list.c: IL, AQ, AL, PL ---- */
void a_imsi_key(struct desk_in *in, const struct xchg_record *r, char key[BOOK_KEY_MAX]);
int a_il_begin(struct desk_in *in, struct desk_no *no);
int a_il_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no);
int a_il_end(struct desk_in *in, struct desk_no *no);
int a_al_begin(struct desk_in *in, struct desk_no *no);
int a_al_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no);
int a_pool_decide(struct desk *d, struct desk_job *j);
int a_ask_decide(struct desk *d, struct desk_job *j);
int a_plan_decide(struct desk *d, struct desk_job *j);

/* ---- a_card.c: STAGE, ARM ---- */
int a_stage_decide(struct desk *d, struct desk_job *j);
int a_accept_decide(struct desk *d, struct desk_job *j, struct desk_call *c);
int a_look_decide(struct desk *d, struct desk_job *j);
int a_looking_decide(struct desk *d, struct desk_job *j);
int a_arm_decide(struct desk *d, struct desk_job *j);
int a_unstage_decide(struct desk *d, struct desk_job *j);
int a_unstaging_decide(struct desk *d, struct desk_job *j);
int a_heard_decide(struct desk *d, struct desk_job *j); /* armed: the card was heard at us again */
void a_on_txn(struct desk_job *j, unsigned i);

/* ---- a_escrow.c: keys that are locked, and told later how to open them ---- */
int a_escrow_decide(struct desk *d, struct desk_job *j);
int a_release_decide(struct desk *d, struct desk_job *j);
void a_release_key(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX]);
enum line_step a_hand_step(const struct order *o); /* 3a: by which step K is handed over when the card is staged */

/* ---- a_end.c: CF, hand-over lists, purge ---- */
int a_cf_begin(struct desk_in *in, struct desk_no *no);
int a_cf_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no);
int a_hand_decide(struct desk *d, struct desk_job *j);
int a_due_decide(struct desk *d, struct desk_job *j);
int a_listed_decide(struct desk *d, struct desk_job *j);
int a_purge_decide(struct desk *d, struct desk_job *j);
void a_on_hlr(struct desk_job *j, unsigned i);

/* stray.c */
int a_sp_begin(struct desk_in *in, struct desk_no *no);
int a_sp_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no);

/* a_first.c */
int a_first_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no);

#endif
