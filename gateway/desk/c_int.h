/* c_int.h - what the files of a change at home (c_*.c) share.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A change gives cards of our own new OTA keys, a new K, a new OPc (handover-protocol: the last working keyset is never touched).
 * It is an order with one party, SIDE_HOME, and goes the same way as the others: lines, campaigns of works, the register's outbox.
 *
 *	OTA keys	into the other key version; both work.  A question under the new one proves it, and with that the old one is gone
 *	K, OPc		pending: the card tries them first and uses the old ones until the first success.  So our register may have the old
 *			ones until the card has said, by their check values, that it holds the new: then it is switched, and both ways of asking are
 *			answered.  When nothing is pending any more, the new ones are in force, and the old ones go
 *
 * New values stand sealed in BOOK_CHANGE from before the first octet of them leaves until they are in force; the old ones beside them, in
 * BOOK_SUB and in the card's keyset.  What may have left is not taken back: a cancelled change ends what it has begun.  A card that refuses
 * keys of which an earlier copy may have come is asked under those that it had before: its answer is the fence for every copy, and tells
 * whether one has come.  If none has, it ends there; if one has, it ends when the change is cancelled: what is pending was never in force,
 * and without its values nobody can bring it into force.
 */
#ifndef OTAGW_DESK_C_H
#define OTAGW_DESK_C_H

#include "desk_int.h"

#define C_BUSY_MS	10000ll	 /* the card has another command under way */
#define C_RETRY_MS	600000ll /* no answer, or our register refuses: the next try */
#define C_SETTLE_MS	10000ll	 /* from the switch to the first question whether they are in force; then it doubles */
#define C_SETTLE_MAX_MS (6 * 3600 * 1000ll)

/* The line's flags, as they are meant here: LINE_ARMED: new keys may have left; LINE_FINAL: its OTA keys are new; LINE_CANCEL: it has
 * refused K or OPc, and gets those in force once more; LINE_PROVISIONAL: it holds the new K; LINE_PROVISIONED: our register has it; LINE_CONFIRMED: it is in force. */

/* ---- c_begin.c ---- */
unsigned c_want(struct desk *d, struct desk_call *c, struct desk_open_order *o, char (*keys)[BOOK_KEY_MAX],
		unsigned max);
int c_start_decide(struct desk *d, struct desk_job *j, struct desk_call *c);
void c_start_drop(struct desk_call *c);
int c_take_decide(struct desk *d, struct desk_job *j);
int c_hold_decide(struct desk *d, struct desk_job *j);
int c_make_decide(struct desk *d, struct desk_job *j);

/* ---- c_card.c ---- */
int c_ota_decide(struct desk *d, struct desk_job *j);
int c_prove_decide(struct desk *d, struct desk_job *j);
int c_ask_decide(struct desk *d, struct desk_job *j);
int c_key_decide(struct desk *d, struct desk_job *j);
int c_settle_decide(struct desk *d, struct desk_job *j);
int c_doubt_decide(struct desk *d, struct desk_job *j);
/* What was made for it; false, with an alarm: it cannot be read. */
bool c_made(struct desk_job *j, unsigned i, struct change_keys *k);

/* True: planned.  Else the line stays; next_ms says when it is looked at again. */
bool c_plan(struct desk_job *j, unsigned i, const struct work *w, uint8_t kvn, int64_t *next_ms);

/* ---- c_imsi.c, c_move.c: another IMSI ---- */
#define C_IMSI_LIFE_S (90ll * 86400) /* who is not armed by then stays what it is */
#define C_DOUBT_MS    3600000ll	     /* seen under its old IMSI, asked, and says nothing: its new one counts again */
void c_imsi_key(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX]);
int c_pair_decide(struct desk *d, struct desk_job *j);
int c_provision_decide(struct desk *d, struct desk_job *j);
int c_undo_decide(struct desk *d, struct desk_job *j);
int c_purge_decide(struct desk *d, struct desk_job *j);
void c_imsi_event(struct desk_job *j, unsigned i);
void c_look_after(struct desk *d, struct desk_job *j); /* at the HLR, under both IMSIs */
int c_come_decide(struct desk *d, struct desk_job *j);
int c_confirm_decide(struct desk *d, struct desk_job *j);
int c_back_decide(struct desk *d, struct desk_job *j);
int c_number_off_decide(struct desk *d, struct desk_job *j);
int c_number_decide(struct desk *d, struct desk_job *j);
int c_numbered_decide(struct desk *d, struct desk_job *j);
void c_move_txn(struct desk_job *j, unsigned i);
void c_move_hlr(struct desk_job *j, unsigned i);

/* ---- c_found.c ---- */
int c_found_decide(struct desk *d, struct desk_job *j);

/* ---- c_end.c ---- */
int c_proved_decide(struct desk *d, struct desk_job *j);
int c_switch_decide(struct desk *d, struct desk_job *j);
int c_shred_decide(struct desk *d, struct desk_job *j);
int c_note_decide(struct desk *d, struct desk_job *j);
/* It does not go on: what has been made for it goes, what it has stays in force. */
void c_give_up(struct desk_job *j, unsigned i, enum line_end end, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* At its end; taken: it was ours in BOOK_TAKEN. */
void c_close(struct desk_job *j, unsigned i, bool taken);
/* Cancelled before anything has left: given up, true. */
bool c_cancelled(struct desk_job *j, unsigned i);
/* This step's work comes again at the earliest of these; next_ms begins with INT64_MAX. */
void c_again(struct desk_job *j, int64_t next_ms);

const struct keyset_row *c_keyset(const struct card_bundle *c, uint8_t kvn); /* NULL: none */

#endif
