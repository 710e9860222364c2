/* vault_int.h - what the files of the vault's side (vault_*.c) share.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_DESK_VAULT_INT_H
#define OTAGW_DESK_VAULT_INT_H

#include "desk_int.h"
#include "vault.h"

#define VAULT_KEEP_MS (30 * 86400000ll) /* so long after its time an order waits for confirmations */

/* vault_in.c: AQ, KR, CF */
void vault_line_key(struct desk_in *in, const struct xchg_record *r, char key[BOOK_KEY_MAX]);
void vault_card_key(struct desk_in *in, const struct xchg_record *r, char key[BOOK_KEY_MAX]);
int vault_aq_begin(struct desk_in *in, struct desk_no *no);
int vault_aq_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no);
int vault_kr_begin(struct desk_in *in, struct desk_no *no);
int vault_kr_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no);
void vault_kr_drop(struct desk_in *in);
int vault_cf_begin(struct desk_in *in, struct desk_no *no);
int vault_cf_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no);
/* The card's record, changed. */
int vault_card_put(struct desk_job *j, const struct vault_card *c, uint16_t step, uint64_t version);
void vault_hex(char *out, const uint8_t *p, size_t len);

/* vault_out.c: AL, releases, KP; orders that have waited long enough */
void vault_sets_key(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX]);
void vault_own_key(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX]);
void vault_pair_key(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX]);
int vault_answer_decide(struct desk *d, struct desk_job *j);
int vault_release_decide(struct desk *d, struct desk_job *j);
void vault_release_after(struct desk *d, struct desk_job *j);
int vault_keys_decide(struct desk *d, struct desk_job *j);
int vault_wait_decide(struct desk *d, struct desk_job *j);
/* The ledger's head, read once; false: it is being read, come again a little later. */
bool vault_ledger_ready(struct desk *d);
/* In decide(): lines are put behind it; what they are is told by after(). */
int vault_ledger_put(struct desk_job *j, struct ledger_head *h, struct ledger_line *l);
int vault_ledger_close(struct desk_job *j, const struct ledger_head *h);

/* vault_mark.c */
/* Whether the ledger has come as far as was noted outside the database; else it releases nothing, and *why says so. */
bool vault_mark_fits(struct desk *d, const struct ledger_head *h, const char **why);
int vault_mark_write(struct desk *d, const struct ledger_head *h); /* 0 or a negative errno */

/* vault_make.c, vault_file.c: what is ordered of it */
unsigned vault_gen_want(struct desk *d, struct desk_call *c, struct desk_open_order *o, char (*keys)[BOOK_KEY_MAX],
			unsigned max);
int vault_gen_decide(struct desk *d, struct desk_job *j, struct desk_call *c);
unsigned vault_import_want(struct desk *d, struct desk_call *c, struct desk_open_order *o, char (*keys)[BOOK_KEY_MAX],
			   unsigned max);
int vault_import_decide(struct desk *d, struct desk_job *j, struct desk_call *c);
unsigned vault_issue_want(struct desk *d, struct desk_call *c, struct desk_open_order *o, char (*keys)[BOOK_KEY_MAX],
			  unsigned max);
int vault_issue_decide(struct desk *d, struct desk_job *j, struct desk_call *c);
unsigned vault_ledger_want(struct desk *d, struct desk_call *c, struct desk_open_order *o, char (*keys)[BOOK_KEY_MAX],
			   unsigned max);
int vault_ledger_decide(struct desk *d, struct desk_job *j, struct desk_call *c);
void vault_make_drop(struct desk_call *c);
void vault_import_drop(struct desk_call *c);
void vault_scratch_drop(struct desk_call *c);

#endif
