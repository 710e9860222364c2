/* vault_issue.c - the vault: first pairs go to the issuer (MF), and the ledger is walked.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Issuing goes in three rounds for some cards at a time: which wait for it; where the ledger stands; their keys, and then in one batch the
 * cards' records, lines of the ledger and the package.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vault_int.h"

#define ISSUE_CARDS  DESK_PAGE /* in a package */
#define ISSUE_ROUNDS 3
#define FIRST_KVN    1 /* card interface, 1.2 */

struct issue {
	unsigned n;
	uint64_t issued;
	struct vault_card card[ISSUE_CARDS];
	uint64_t version[ISSUE_CARDS];
	struct ledger_head head; /* as the round before has left it */
};

void vault_scratch_drop(struct desk_call *c)
{
	free(c->scratch);
	c->scratch = NULL;
}

unsigned vault_issue_want(struct desk *d, struct desk_call *c, struct desk_open_order *o, char (*keys)[BOOK_KEY_MAX],
			  unsigned max)
{
	struct issue *s = c->scratch;
	unsigned n = 0;

	(void)d;
	(void)o;
	if (!s || c->round % ISSUE_ROUNDS == 0)
		return 0; /* the list of those that wait */
	if (c->round % ISSUE_ROUNDS == 1) {
		c->book = BOOK_LEDGER;
		snprintf(keys[0], BOOK_KEY_MAX, LEDGER_HEAD);
		return 1;
	}
	c->book = BOOK_PAIR;
	for (unsigned i = 0; i < s->n && n < max; i++)
		pair_key(keys[n++], s->card[i].iccid, s->card[i].active);
	return n;
}

/* Where it cannot be noted, nothing more is issued. */
static int mark(struct desk *d, struct desk_call *c, const struct ledger_head *h)
{
	int rc = vault_mark_write(d, h);

	if (rc)
		snprintf(c->text, sizeof(c->text),
			 "nothing is issued: how far the ledger has come cannot be noted in %.100s: %s", d->cfg.dir,
			 strerror(-rc));
	return rc;
}

static int issue_list(struct desk *d, struct desk_job *j, struct desk_call *c)
{
	const struct desk_partner *p = desk_partner_by_name(d, c->r.partner);
	struct issue *s = c->scratch;

	if (!p || !(p->roles & XCHG_A)) {
		snprintf(c->text, sizeof(c->text), "%s is no partner in the configuration that is an operator",
			 *c->r.partner ? c->r.partner : "(nobody)");
		return -ENOENT;
	}
	if (!s && !(s = c->scratch = calloc(1, sizeof(*s))))
		return -ENOMEM;
	if (s->head.n && mark(d, c, &s->head)) /* durable since the round before */
		return -EIO;
	s->n = 0;
	for (unsigned i = 0; i < j->n && s->n < ISSUE_CARDS; i++) {
		struct vault_card *k = &s->card[s->n];

		if (vault_card_unpack(k, j->row[i].body, j->row[i].row.len)) {
			snprintf(c->text, sizeof(c->text), "card %s: its record cannot be read", j->row[i].row.key);
			return -EIO;
		}
		if (!k->imsi[0]) {
			snprintf(c->text, sizeof(c->text),
				 "card %s: its IMSI is not known here, and the issuer needs it: order gen-batch once "
				 "more, with a list of ICCID,IMSI",
				 k->iccid);
			return -EINVAL;
		}
		s->version[s->n++] = j->row[i].row.version;
	}
	if (s->n)
		return DESK_MORE;
	snprintf(c->text, sizeof(c->text),
		 s->issued ? "%" PRIu64 " cards issued to %s" : "%" PRIu64 " cards: none waits to be issued to %s",
		 s->issued, c->r.partner);
	return s->issued ? 0 : -ENOENT;
}

static int head_take(struct desk *d, struct desk_job *j, struct desk_call *c)
{
	const struct store_book *row = &j->row[0];
	struct desk_vault *v = &d->vault;
	struct ledger_head h = { 0 };
	const char *why;

	if (row->row.version && ledger_head_unpack(&h, row->body, row->row.len)) {
		snprintf(c->text, sizeof(c->text), "the ledger's head is damaged");
		return -EIO;
	}
	v->n = h.n;
	memcpy(v->hash, h.hash, sizeof(v->hash));
	v->version = row->row.version;
	if (!vault_mark_fits(d, &h, &why)) {
		snprintf(c->text, sizeof(c->text), "nothing is issued: %s: see the vault's documentation", why);
		return -ESTALE;
	}
	return mark(d, c, &h) ? -EIO : DESK_MORE;
}

static int issue_keys(struct desk *d, const struct vault_card *k, const struct store_book *row, struct ks_wrap *wrap,
		      char hex[2 * KS_BLOCK_MAX + 1])
{
	struct ks_block b = { .has_sub = true, .sets = 1 };
	uint8_t block[KS_BLOCK_MAX];
	struct vault_pair p;
	int len = row->row.version && !vault_pair_unpack(&p, row->body, row->row.len) ? 0 : KS_E_SEALED;

	if (!len)
		len = ks_pair_keyset(d->deps.ks, k->iccid, k->active, &p.keys, FIRST_KVN, b.set[0].sealed);
	if (len > 0) {
		memcpy(b.sub, p.keys.sub, sizeof(b.sub));
		b.set[0].kvn = FIRST_KVN;
		b.set[0].len = (size_t)len;
		len = ks_block_wrap(wrap, k->iccid, &b, block);
	}
	ks_wipe(&b, sizeof(b));
	if (len <= 0)
		return -1;
	vault_hex(hex, block, (size_t)len);
	return 0;
}

static int issue_record(struct desk *d, struct desk_job *j, const struct vault_card *k, const struct store_book *row,
			struct desk_out *out, struct ks_wrap *wrap)
{
	char index[8], kvn[8], left[8], hex[2 * KS_BLOCK_MAX + 1];

	if (issue_keys(d, k, row, wrap, hex)) {
		snprintf(j->why, sizeof(j->why), "card %s: its first pair cannot be given out", k->iccid);
		return -1;
	}
	snprintf(index, sizeof(index), "%u", k->active);
	snprintf(kvn, sizeof(kvn), "%u", FIRST_KVN);
	snprintf(left, sizeof(left), "%u", k->pairs - k->active);
	return out_record(out, (const char *const[]){ k->iccid, k->imsi, k->msisdn, index, kvn, left, "", hex });
}

/* The card's record, and its line in the ledger. */
static int issue_note(struct desk *d, struct desk_job *j, struct vault_card *k, uint64_t version, const char *to,
		      struct ledger_head *h)
{
	struct ledger_line entry = { .at_ms = desk_now(d), .index = k->active, .kvn = FIRST_KVN };
	struct vault_slot *slot = &k->slot[k->active - 1];

	slot->who = vault_who(to);
	slot->kvn = FIRST_KVN;
	snprintf(k->issuer, sizeof(k->issuer), "%s", to);
	snprintf(entry.order, sizeof(entry.order), DESK_NO_ORDER);
	snprintf(entry.iccid, sizeof(entry.iccid), "%s", k->iccid);
	snprintf(entry.to, sizeof(entry.to), "%s", to);
	return vault_card_put(j, k, VAULT_ISSUED, version) || vault_ledger_put(j, h, &entry) ? -1 : 0;
}

static int issue_cards(struct desk *d, struct desk_job *j, struct desk_call *c)
{
	struct issue *s = c->scratch;
	struct ledger_head h = { .n = d->vault.n };
	struct desk_out *out = out_open(j, XCHG_MF, c->r.partner, NULL);
	struct ks_wrap *wrap = out ? out_wrap(out) : NULL;
	int rc = wrap ? 0 : -1;

	memcpy(h.hash, d->vault.hash, sizeof(h.hash));
	for (unsigned i = 0; i < s->n && !rc; i++) {
		struct vault_card k = s->card[i]; /* asked once more: as it was */

		rc = issue_record(d, j, &k, &j->row[i], out, wrap);
		if (!rc)
			rc = issue_note(d, j, &k, s->version[i], c->r.partner, &h);
	}
	if (!rc)
		rc = vault_ledger_close(j, &h);
	if (out && rc)
		out_drop(out);
	else if (out)
		rc = out_close(out);
	/* whoever writes into it next looks first where it stands */
	d->vault.ready = false;
	d->vault.next_n = 0;
	if (rc)
		return -EIO;
	s->head = h;
	s->issued += s->n;
	return DESK_MORE;
}

int vault_issue_decide(struct desk *d, struct desk_job *j, struct desk_call *c)
{
	switch (c->round % ISSUE_ROUNDS) {
	case 0:
		return issue_list(d, j, c);
	case 1:
		return head_take(d, j, c);
	default:
		return issue_cards(d, j, c);
	}
}

/* ---- the ledger is walked ---- */

struct walk {
	struct ledger_head h;
	bool end; /* all lines seen: the head is next */
};

unsigned vault_ledger_want(struct desk *d, struct desk_call *c, struct desk_open_order *o, char (*keys)[BOOK_KEY_MAX],
			   unsigned max)
{
	struct walk *w = c->scratch;

	(void)d;
	(void)o;
	if (!w && !(w = c->scratch = calloc(1, sizeof(*w))))
		return 0;
	if (w->end) {
		snprintf(keys[0], BOOK_KEY_MAX, LEDGER_HEAD);
		return 1;
	}
	for (unsigned i = 0; i < max; i++)
		ledger_key(keys[i], w->h.n + 1 + i);
	return max;
}

static int walk_end(const struct walk *w, const struct store_book *row, struct desk_call *c)
{
	struct ledger_head h = { 0 };

	if (row->row.version && ledger_head_unpack(&h, row->body, row->row.len)) {
		snprintf(c->text, sizeof(c->text),
			 "the ledger's head is damaged; its %" PRIu64 " lines follow each other", w->h.n);
		return -EBADMSG;
	}
	if (h.n != w->h.n || memcmp(h.hash, w->h.hash, sizeof(h.hash))) {
		snprintf(c->text, sizeof(c->text),
			 "the ledger has %" PRIu64 " lines that follow each other, and its head says %" PRIu64
			 ": lines are missing, or the last one was changed",
			 w->h.n, h.n);
		return -EBADMSG;
	}
	snprintf(c->text, sizeof(c->text), "%" PRIu64 " lines, each follows the one before", w->h.n);
	return 0;
}

int vault_ledger_decide(struct desk *d, struct desk_job *j, struct desk_call *c)
{
	struct walk *w = c->scratch;

	(void)d;
	if (!w)
		return -ENOMEM;
	if (w->end)
		return walk_end(w, &j->row[0], c);
	for (unsigned i = 0; i < j->n && !w->end; i++) {
		if (!j->row[i].row.version)
			w->end = true;
		else if (ledger_walk(&w->h, j->row[i].body, j->row[i].row.len, c->text, sizeof(c->text)))
			return -EBADMSG;
	}
	return DESK_MORE;
}
