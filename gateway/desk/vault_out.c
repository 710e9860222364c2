/* vault_out.c - the vault: answers (AL), releases with their lines in the ledger, and then the keys (KP).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Before a key leaves, that it will is durable: an index is released and written into the ledger in one batch, and only lines that have
 * been through that get their keys.  A crash between the two repeats the second; a request that comes again gets the same keys again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vault_int.h"

void vault_sets_key(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX])
{
	pair_key(key, j->line[i].iccid, VAULT_SETS);
}

void vault_own_key(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX])
{
	snprintf(key, BOOK_KEY_MAX, "%s", j->line[i].iccid);
}

void vault_pair_key(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX])
{
	pair_key(key, j->line[i].iccid, j->line[i].to);
}

/* Lines that wait from now on: not for ever. */
static void waits(struct desk_job *j, enum line_step step)
{
	desk_again(j->d, j->order->o.number, step, j->order->o.until_s * 1000 + VAULT_KEEP_MS);
}

/* One package answers one: lines that answer another one come again at once. */
static bool same_answer(struct desk_job *j, unsigned i)
{
	if (!memcmp(j->line[i].hash, j->line[0].hash, sizeof(j->line[i].hash)))
		return true;
	desk_again(j->d, j->order->o.number, j->row[i].row.step, desk_now(j->d));
	return false;
}

static int out_done(struct desk_out *o, int rc)
{
	if (!rc)
		return out_close(o) ? -EIO : 0;
	out_drop(o);
	return -EIO;
}

/* ---- AL ---- */

static int answer_record(struct desk *d, struct desk_job *j, unsigned i, struct desk_out *out)
{
	const struct line *l = &j->line[i];
	char from[8], to[8], left[8], jump[2 * OTA_SUB_MAC_LEN + 1] = "";
	uint8_t mac[OTA_SUB_MAC_LEN];
	struct vault_sets s;
	int rc = 0;

	if (l->has_jump) {
		if (!j->also[i].row.version || vault_sets_unpack(&s, j->also[i].body, j->also[i].row.len))
			rc = KS_E_SEALED;
		else
			rc = vault_jump_mac(d->deps.ks, l->iccid, &s, l->from, l->to, l->order, mac);
		if (rc) {
			snprintf(j->why, sizeof(j->why), "card %s: its vault keyset cannot be used for a jump: %s",
				 l->iccid, ks_strerror(rc));
			return -1;
		}
		vault_hex(jump, mac, sizeof(mac));
	}
	snprintf(from, sizeof(from), "%u", l->from);
	snprintf(to, sizeof(to), "%u", l->to);
	snprintf(left, sizeof(left), "%u", l->left);
	return out_record(out, (const char *const[]){ l->iccid, from, to, jump, left });
}

int vault_answer_decide(struct desk *d, struct desk_job *j)
{
	struct desk_out *out = j->n ? out_open(j, XCHG_AL, j->order->o.a, j->line[0].hash) : NULL;
	int rc = 0;

	if (!out)
		return j->n ? -EIO : 0;
	for (unsigned i = 0; i < j->n && !rc; i++) {
		if (!same_answer(j, i))
			continue;
		rc = answer_record(d, j, i, out);
		job_line_put(j, i, M_PLACED);
	}
	waits(j, M_PLACED);
	return out_done(out, rc);
}

/* ---- the ledger ---- */

static void head_read(struct store_query *q, int rc)
{
	struct desk *d = q->ctx;
	struct desk_vault *v = &d->vault;
	struct ledger_head h = { 0 };

	v->reading = false;
	if (rc || (q->n && ledger_head_unpack(&h, v->row.body, v->row.row.len))) {
		desk_log(d, 3, "the ledger's head cannot be read: %s", rc ? store_why_text(rc, q->why) : "damaged");
		return;
	}
	v->n = h.n;
	memcpy(v->hash, h.hash, sizeof(v->hash));
	v->version = q->n ? v->row.row.version : 0;
	v->behind = NULL;
	v->marked = false;
	if (!vault_mark_fits(d, &h, &v->behind))
		desk_log(d, 3, "nothing is released: %s", v->behind);
	else
		v->behind = NULL;
	v->ready = true;
}

bool vault_ledger_ready(struct desk *d)
{
	struct desk_vault *v = &d->vault;

	if (v->ready || v->reading)
		return v->ready;
	v->q = (struct store_query){
		.kind = Q_BOOK_GET, .book = BOOK_LEDGER, .out = &v->row, .limit = 1, .done = head_read, .ctx = d
	};
	snprintf(v->q.key, sizeof(v->q.key), LEDGER_HEAD);
	v->reading = true;
	d->deps.store->ops->query(d->deps.store, &v->q);
	return false;
}

int vault_ledger_put(struct desk_job *j, struct ledger_head *h, struct ledger_line *l)
{
	uint8_t body[BOOK_BODY_MAX];
	char key[BOOK_KEY_MAX];
	int len = ledger_next(h, l, body);

	if (len < 0)
		return -1;
	ledger_key(key, l->n);
	job_put(j, BOOK_LEDGER, key, 0, 0, 0, body, (size_t)len);
	return 0;
}

int vault_ledger_close(struct desk_job *j, const struct ledger_head *h)
{
	struct desk_vault *v = &j->d->vault;
	uint8_t body[BOOK_BODY_MAX];
	int len = ledger_head_pack(h, body);

	if (len < 0)
		return -1;
	job_put(j, BOOK_LEDGER, LEDGER_HEAD, 0, 0, v->version, body, (size_t)len);
	v->next_n = h->n;
	memcpy(v->next_hash, h->hash, sizeof(v->next_hash));
	return 0;
}

/* ---- releases ---- */

/* Returns 1 when there is a new line in the ledger. */
static int release(struct desk_job *j, unsigned i, struct ledger_head *h)
{
	const struct order *o = &j->order->o;
	struct line *l = &j->line[i];
	struct ledger_line entry = { .at_ms = desk_now(j->d), .index = l->to, .kvn = l->kvn };
	struct vault_card c;
	struct vault_no no;
	bool fresh;

	if (!j->also[i].row.version || vault_card_unpack(&c, j->also[i].body, j->also[i].row.len)) {
		snprintf(j->why, sizeof(j->why), "card %s: its record in the vault cannot be read", l->iccid);
		return -1;
	}
	if (!vault_release(&c, vault_who(o->a), vault_who(o->b), o->number, l->to, l->kvn, &fresh, &no)) {
		/* asked for rightly, and since then it has become another order's */
		desk_log(j->d, 4, "order %s: no keys for %s: %s: %s", o->name, o->b, no.rule, no.why);
		job_line_put(j, i, M_PLACED);
		waits(j, M_PLACED);
		return 0;
	}
	job_line_put(j, i, M_RELEASED);
	if (!fresh)
		return 0;
	snprintf(entry.order, sizeof(entry.order), "%s", o->name);
	snprintf(entry.iccid, sizeof(entry.iccid), "%s", l->iccid);
	snprintf(entry.to, sizeof(entry.to), "%s", o->b);
	memcpy(entry.request, l->hash, sizeof(entry.request));
	memcpy(entry.root, l->plan, sizeof(entry.root));
	if (vault_card_put(j, &c, j->also[i].row.step, j->also[i].row.version) || vault_ledger_put(j, h, &entry)) {
		snprintf(j->why, sizeof(j->why), "card %s: its release cannot be written down", l->iccid);
		return -1;
	}
	return 1;
}

int vault_release_decide(struct desk *d, struct desk_job *j)
{
	struct ledger_head h = { .n = d->vault.n };
	int rc = 0;
	bool any = false;

	d->vault.next_n = 0;
	if (!vault_ledger_ready(d)) {
		desk_again(d, j->order->o.number, M_WANTED, desk_now(d) + 1);
		return 0;
	}
	if (d->vault.behind) {
		snprintf(j->why, sizeof(j->why), "order %s: no keys are released: %s: see the vault's documentation",
			 j->order->o.name, d->vault.behind);
		return -ESTALE;
	}
	h.n = d->vault.n;
	memcpy(h.hash, d->vault.hash, sizeof(h.hash));
	for (unsigned i = 0; i < j->n && rc >= 0; i++) {
		rc = release(j, i, &h);
		any |= rc > 0;
	}
	if (rc >= 0 && any)
		rc = vault_ledger_close(j, &h);
	return rc < 0 ? -EIO : 0;
}

void vault_release_after(struct desk *d, struct desk_job *j)
{
	struct desk_vault *v = &d->vault;

	(void)j;
	if (!v->next_n)
		return;
	v->n = v->next_n;
	memcpy(v->hash, v->next_hash, sizeof(v->hash));
	v->version++;
	v->next_n = 0;
	v->marked = false; /* before the keys leave, which is the next job's */
}

/* ---- KP ---- */

static int keys_block(struct desk *d, const struct line *l, const struct vault_pair *p, struct ks_wrap *wrap,
		      char hex[2 * KS_BLOCK_MAX + 1])
{
	struct ks_block b = { .has_sub = true, .sets = 1 };
	uint8_t block[KS_BLOCK_MAX];
	int len = ks_pair_keyset(d->deps.ks, l->iccid, l->to, &p->keys, l->kvn, b.set[0].sealed);

	if (len > 0) {
		memcpy(b.sub, p->keys.sub, sizeof(b.sub));
		b.set[0].kvn = l->kvn;
		b.set[0].len = (size_t)len;
		len = ks_block_wrap(wrap, l->iccid, &b, block);
	}
	ks_wipe(&b, sizeof(b));
	if (len < 0)
		return len;
	vault_hex(hex, block, (size_t)len);
	return 0;
}

static int keys_record(struct desk *d, struct desk_job *j, unsigned i, struct desk_out *out, struct ks_wrap *wrap)
{
	const struct store_book *row = &j->also[i];
	const struct line *l = &j->line[i];
	char index[8], kvn[8], hex[2 * KS_BLOCK_MAX + 1];
	uint8_t body[BOOK_BODY_MAX];
	struct vault_pair p;
	int rc = row->row.version && !vault_pair_unpack(&p, row->body, row->row.len) ? 0 : KS_E_SEALED;

	if (!rc)
		rc = keys_block(d, l, &p, wrap, hex);
	if (rc) {
		snprintf(j->why, sizeof(j->why), "card %s: the keys of index %u cannot be given out: %s", l->iccid,
			 l->to, ks_strerror(rc));
		return -1;
	}
	snprintf(p.who, sizeof(p.who), "%s", j->order->o.b);
	p.at_ms = desk_now(d);
	rc = vault_pair_pack(&p, body);
	if (rc < 0)
		return -1;
	job_put(j, BOOK_PAIR, row->row.key, l->order, PAIR_RELEASED, row->row.version, body, (size_t)rc);
	snprintf(index, sizeof(index), "%u", l->to);
	snprintf(kvn, sizeof(kvn), "%u", l->kvn);
	return out_record(out, (const char *const[]){ l->iccid, index, kvn, hex });
}

/* What was released is noted outside the database, or no key leaves. */
static int marked(struct desk *d, struct desk_job *j)
{
	struct desk_vault *v = &d->vault;
	struct ledger_head h = { .n = v->n };
	int rc;

	if (v->marked || v->behind) /* behind: what is noted is more than this */
		return 0;
	memcpy(h.hash, v->hash, sizeof(h.hash));
	rc = vault_mark_write(d, &h);
	v->marked = !rc;
	if (rc)
		snprintf(j->why, sizeof(j->why),
			 "no keys leave: how far the ledger has come cannot be noted in %.100s: %s", d->cfg.dir,
			 strerror(-rc));
	return rc;
}

int vault_keys_decide(struct desk *d, struct desk_job *j)
{
	struct desk_out *out;
	struct ks_wrap *wrap;
	int rc;

	if (!j->n)
		return 0;
	if (!vault_ledger_ready(d)) {
		desk_again(d, j->order->o.number, M_RELEASED, desk_now(d) + 1);
		return 0;
	}
	rc = marked(d, j);
	if (rc)
		return rc;
	out = out_open(j, XCHG_KP, j->order->o.b, j->line[0].hash);
	if (!out)
		return -EIO;
	wrap = out_wrap(out);
	rc = wrap ? 0 : -1;
	for (unsigned i = 0; i < j->n && !rc; i++) {
		if (!same_answer(j, i))
			continue;
		rc = keys_record(d, j, i, out, wrap);
		job_line_put(j, i, M_KEYED);
	}
	waits(j, M_KEYED);
	return out_done(out, rc);
}

/* ---- waiting ---- */

/* How an order ends is told to the operators.  Here it is at its end when every card is confirmed, or a good while after its time. */
int vault_wait_decide(struct desk *d, struct desk_job *j)
{
	struct order *o = &j->order->o;

	if (desk_now(d) < o->until_s * 1000 + VAULT_KEEP_MS) {
		waits(j, (enum line_step)j->work->step);
		return 0;
	}
	for (unsigned i = 0; i < j->n; i++)
		job_line_put(j, i, M_CLOSED);
	o->closed += j->n;
	job_order_put(j);
	return 0;
}
