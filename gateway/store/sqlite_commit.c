/* sqlite_commit.c - a batch as one transaction.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Rows of a card stand close together in every table, and cards in random order are what makes SQLite slow (ten times):
 * so operations between two that look at the whole are carried out sorted by card.
 */
#include <stdlib.h>
#include <string.h>

#include "sqlite_int.h"

_Static_assert(KVN_MAX < 16, "keyset.id is card * 16 + kvn");

static void bind_text(sqlite3_stmt *st, int i, const char *text)
{
	sqlite3_bind_text(st, i, text, -1, SQLITE_STATIC);
}

static void bind_blob(sqlite3_stmt *st, int i, const uint8_t *bytes, size_t len)
{
	/* A NULL pointer would bind NULL: an empty blob is what is meant. */
	sqlite3_bind_blob(st, i, len ? bytes : (const uint8_t *)"", (int)len, SQLITE_STATIC);
}

static int put_row(struct conn *c, enum stmt_id id, const struct table *t, const void *row)
{
	row_bind(t, c->st[id], row);
	return st_run(c, c->st[id]);
}

/* As put_row for an update: says in *rc whether the row was there. */
static int update_row(struct conn *c, enum stmt_id id, const struct table *t, const void *row, int16_t *rc)
{
	int err = put_row(c, id, t, row);

	*rc = !err && !sqlite3_changes(c->db) ? STORE_R_NOT_FOUND : 0;
	return err;
}

/* Does a query with one text and one optional number find anything?  1, 0 or an error. */
static int found(struct conn *c, enum stmt_id id, const char *text, uint64_t number)
{
	sqlite3_stmt *st = c->st[id];
	int rc;

	bind_text(st, 1, text);
	if (sqlite3_bind_parameter_count(st) > 1)
		sqlite3_bind_int64(st, 2, (sqlite3_int64)number);
	rc = st_row(c, st);
	sqlite3_reset(st);
	return rc;
}

/* May `card` (0: a new one) hold these numbers?  *rc: STORE_R_DUP_*. */
static int numbers_check(struct conn *c, uint64_t card, const char *imsi, const char *msisdn, int16_t *rc)
{
	int hit = 0;

	if (*imsi) {
		hit = found(c, S_CARD_IMSI, imsi, card);
		if (!hit)
			hit = found(c, S_TXN_OPEN_IMSI, imsi, card);
		if (hit > 0)
			*rc = STORE_R_DUP_IMSI;
	}
	if (!hit && *msisdn) {
		hit = found(c, S_CARD_MSISDN, msisdn, card);
		if (!hit)
			hit = found(c, S_TXN_OPEN_MSISDN, msisdn, card);
		if (hit > 0)
			*rc = STORE_R_DUP_MSISDN;
	}
	return hit < 0 ? hit : 0;
}

static int addr_put(struct conn *c, const struct card_row *card, enum addr_type type, const char *digits)
{
	struct card_addr_row a = { .type = (uint8_t)type, .card = card->id, .valid_from_ms = card->created_ms };

	if (!*digits)
		return 0;
	memcpy(a.digits, digits, strnlen(digits, sizeof(a.digits) - 1));
	return put_row(c, S_ADDR_PUT, &t_addr, &a);
}

static int addr_end(struct conn *c, const struct card_row *card, enum addr_type type, const char *digits, int64_t at_ms)
{
	sqlite3_stmt *st = c->st[S_ADDR_END];

	sqlite3_bind_int(st, 1, type);
	bind_text(st, 2, digits);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)card->id);
	sqlite3_bind_int64(st, 4, at_ms);
	return st_run(c, st);
}

/* The ICCID is known already: the same card once more, or another one?  1 known (rc set), 0 new. */
static int card_known(struct conn *c, struct card_row *card, int16_t *rc)
{
	sqlite3_stmt *st = c->st[S_CARD_BY_ICCID];
	int got;

	bind_text(st, 1, card->iccid);
	got = st_row(c, st);
	if (got > 0) {
		const char *imsi = (const char *)sqlite3_column_text(st, 1);
		const char *msisdn = (const char *)sqlite3_column_text(st, 2);

		if (sqlite3_column_int64(st, 5)) {
			*rc = STORE_R_GONE;
		} else if (imsi && msisdn && !strcmp(imsi, card->imsi) && !strcmp(msisdn, card->msisdn)) {
			card->id = (uint64_t)sqlite3_column_int64(st, 0);
			*rc = STORE_R_SAME;
		} else {
			*rc = STORE_R_DUP_ICCID;
		}
	}
	sqlite3_reset(st);
	return got;
}

static int story_add(struct conn *c, struct story_row *row, const uint8_t *bytes, uint32_t len)
{
	sqlite3_stmt *st = c->st[S_STORY_ADD];
	int err;

	row->detail_len = len < STORY_DETAIL_MAX ? (uint16_t)len : STORY_DETAIL_MAX;
	row_bind(&t_story, st, row);
	sqlite3_bind_null(st, 1);
	bind_blob(st, 7, bytes, row->detail_len);
	err = st_run(c, st);
	row->id = (uint64_t)sqlite3_last_insert_rowid(c->db);
	return err;
}

/* Are commands open under the keys that are to be replaced?  Their answers could not be opened any more. */
static int keysets_in_use(struct conn *c, struct store_card_insert *in, const struct keyset_row *own, int16_t *rc)
{
	sqlite3_stmt *st = c->st[S_KEYSET_OPEN];
	int got = 0;

	for (unsigned i = 0; i < in->n_keysets && !got; i++) {
		if (in->change[i] != KEYSET_REPLACED)
			continue;
		sqlite3_bind_int64(st, 1, (sqlite3_int64)in->card.id);
		sqlite3_bind_int64(st, 2, in->keyset[i].kvn);
		got = st_row(c, st);
		sqlite3_reset(st);
		if (got <= 0)
			continue;
		in->refused_kvn = in->keyset[i].kvn;
		while (own->kvn != in->refused_kvn)
			own++;
		in->known_generation = own->generation;
		*rc = STORE_R_OPEN_TXN;
	}
	return got < 0 ? got : 0;
}

/* The same keys under a new name: what went out under them before is theirs. */
static int cmds_rename(struct conn *c, const struct keyset_row *own, unsigned n, const struct keyset_row *now)
{
	sqlite3_stmt *st = c->st[S_KEYSET_RENAME];

	for (unsigned i = 0; i < n; i++) {
		if (!store_keysets_renamed(&own[i], now))
			continue;
		sqlite3_bind_int64(st, 1, (sqlite3_int64)now->card);
		sqlite3_bind_int64(st, 2, now->kvn);
		sqlite3_bind_int64(st, 3, own[i].generation);
		sqlite3_bind_int64(st, 4, now->generation);
		return st_run(c, st);
	}
	return 0;
}

/* The same card once more: what of its keysets is new? */
static int card_keysets(struct conn *c, struct store_card_insert *in, int16_t *rc)
{
	struct keyset_row own[CARD_KEYSETS_MAX], now[CARD_KEYSETS_MAX];
	sqlite3_stmt *st = c->st[S_KEYSETS];
	struct story_row told;
	int n, err;

	sqlite3_bind_int64(st, 1, (sqlite3_int64)in->card.id);
	memset(own, 0, sizeof(own));
	n = rows_read(c, st, &t_keyset, own, sizeof(own[0]), CARD_KEYSETS_MAX);
	if (n < 0)
		return n;
	*rc = store_keysets_merge(own, (unsigned)n, in, now);
	if (*rc != STORE_R_SAME && *rc != STORE_R_UPDATED)
		return 0;
	err = keysets_in_use(c, in, own, rc);
	if (err || *rc == STORE_R_OPEN_TXN)
		return err;
	for (unsigned i = 0; i < in->n_keysets && !err; i++) {
		in->keyset[i] = now[i];
		if (in->change[i] != KEYSET_KEPT)
			err = put_row(c, in->change[i] == KEYSET_NEW ? S_KEYSET_INSERT : S_KEYSET_PUT, &t_keyset,
				      &in->keyset[i]);
		if (!err)
			err = cmds_rename(c, own, (unsigned)n, &in->keyset[i]);
		if (!err && store_keysets_story(&told, in, i))
			err = story_add(c, &told, NULL, 0);
	}
	return err;
}

/* Its zone and its profile may be others, too. */
static int card_traits(struct conn *c, const struct card_row *card, int16_t *rc)
{
	sqlite3_stmt *st = c->st[S_CARD_TRAITS];
	int err;

	sqlite3_bind_int64(st, 1, (sqlite3_int64)card->id);
	if (card->tz_min == CARD_TZ_KEEP)
		sqlite3_bind_null(st, 2);
	else
		sqlite3_bind_int64(st, 2, card->tz_min);
	if (*card->profile)
		bind_text(st, 3, card->profile);
	else
		sqlite3_bind_null(st, 3);
	err = st_run(c, st);
	if (!err && sqlite3_changes(c->db))
		*rc = STORE_R_UPDATED;
	return err;
}

static int card_again(struct conn *c, struct store_card_insert *in, int16_t *rc)
{
	int err = card_keysets(c, in, rc);

	if (err || (*rc != STORE_R_SAME && *rc != STORE_R_UPDATED))
		return err;
	return card_traits(c, &in->card, rc);
}

static int card_new(struct conn *c, struct store_card_insert *in, int16_t *rc)
{
	sqlite3_stmt *st = c->st[S_CARD_INSERT];
	int err;

	if (in->card.tz_min == CARD_TZ_KEEP)
		in->card.tz_min = 0;
	in->card.gone_ms = 0;
	in->card.moves = 0;
	in->card.quarantine_ms = 0;
	err = numbers_check(c, 0, in->card.imsi, in->card.msisdn, rc);
	if (err || *rc)
		return err;
	row_bind(&t_card, st, &in->card);
	sqlite3_bind_null(st, 1); /* whatever a try before this one has left there */
	err = st_run(c, st);
	if (err)
		return err;
	in->card.id = (uint64_t)sqlite3_last_insert_rowid(c->db);
	for (unsigned i = 0; i < in->n_keysets && !err; i++) {
		struct keyset_row *k = &in->keyset[i];

		k->card = in->card.id;
		err = put_row(c, S_KEYSET_INSERT, &t_keyset, k);
	}
	if (!err)
		err = addr_put(c, &in->card, ADDR_MSISDN, in->card.msisdn);
	if (!err)
		err = addr_put(c, &in->card, ADDR_IMSI, in->card.imsi);
	return err;
}

static int op_card_insert(struct conn *c, struct store_op *op)
{
	struct store_card_insert *in = op->row;
	int err;

	if (!store_keysets_ok(in))
		return conn_asked(c, "a card with %u keysets, or one that cannot be", in->n_keysets);
	err = card_known(c, &in->card, &op->rc);
	if (err < 0)
		return err;
	if (err)
		return op->rc == STORE_R_SAME ? card_again(c, in, &op->rc) : 0;
	return card_new(c, in, &op->rc);
}

/* ---- cards that come and go ---- */

/* The card as it is: 1, none: 0, or an error. */
static int card_read(struct conn *c, const char *iccid, struct card_row *out)
{
	sqlite3_stmt *st = c->st[S_CARD_BY_ICCID];
	uint64_t id = 0;
	int got, n;

	bind_text(st, 1, iccid);
	got = st_row(c, st);
	if (got > 0)
		id = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	if (got <= 0)
		return got;
	sqlite3_bind_int64(c->st[S_CARD], 1, (sqlite3_int64)id);
	memset(out, 0, sizeof(*out));
	n = rows_read(c, c->st[S_CARD], &t_card, out, sizeof(*out), 1);
	return n;
}

/* Something of it is still under way: 1, 0, or an error. */
static int card_open(struct conn *c, uint64_t card)
{
	int got;

	sqlite3_bind_int64(c->st[S_CARD_OPEN], 1, (sqlite3_int64)card);
	got = st_row(c, c->st[S_CARD_OPEN]);
	sqlite3_reset(c->st[S_CARD_OPEN]);
	return got;
}

/* From *old to *now: addresses, the row, a line of its story. */
static int card_moved(struct conn *c, const struct card_row *old, const struct card_row *now, int64_t at_ms)
{
	struct story_row told;
	int err = addr_end(c, old, ADDR_MSISDN, old->msisdn, at_ms);

	if (!err)
		err = addr_end(c, old, ADDR_IMSI, old->imsi, at_ms);
	if (!err)
		err = put_row(c, S_CARD_MOVED, &t_card, now);
	store_move_story(&told, now, at_ms);
	return err ? err : story_add(c, &told, NULL, 0);
}

/* A known card comes: *now is what it is from now on. */
static int card_back(struct conn *c, struct store_card_insert *in, const struct card_row *old, int16_t *rc)
{
	struct keyset_row own[CARD_KEYSETS_MAX];
	struct card_row *now = &in->card;
	int64_t at_ms = now->created_ms;
	bool moved = old->gone_ms || strcmp(old->imsi, now->imsi) || strcmp(old->msisdn, now->msisdn);
	int n, err = moved ? card_open(c, old->id) : 0;

	if (err > 0)
		*rc = STORE_R_OPEN_TXN;
	if (!err)
		err = numbers_check(c, old->id, now->imsi, now->msisdn, rc);
	if (err || *rc)
		return err < 0 ? err : 0;
	now->id = old->id;
	sqlite3_bind_int64(c->st[S_KEYSETS], 1, (sqlite3_int64)old->id);
	n = rows_read(c, c->st[S_KEYSETS], &t_keyset, own, sizeof(own[0]), CARD_KEYSETS_MAX);
	if (n < 0)
		return n;
	store_keysets_name(own, (unsigned)n, in);
	err = card_again(c, in, rc);
	if (err || (*rc != STORE_R_SAME && *rc != STORE_R_UPDATED))
		return err;
	if (now->tz_min == CARD_TZ_KEEP)
		now->tz_min = old->tz_min;
	if (!*now->profile)
		memcpy(now->profile, old->profile, sizeof(now->profile));
	if (now->last_seen_ms < old->last_seen_ms)
		now->last_seen_ms = old->last_seen_ms;
	now->gone_ms = 0;
	now->moves = old->moves + moved;
	now->quarantine_ms = old->quarantine_ms;
	if (moved) {
		*rc = STORE_R_UPDATED;
		err = card_moved(c, old, now, at_ms);
		if (!err)
			err = addr_put(c, now, ADDR_MSISDN, now->msisdn);
		if (!err)
			err = addr_put(c, now, ADDR_IMSI, now->imsi);
	}
	return err;
}

static int op_card_take(struct conn *c, struct store_op *op)
{
	struct store_card_insert *in = op->row;
	struct story_row told;
	struct card_row old;
	int err;

	if (!store_keysets_ok(in))
		return conn_asked(c, "a card with %u keysets, or one that cannot be", in->n_keysets);
	err = card_read(c, in->card.iccid, &old);
	if (err)
		return err < 0 ? err : card_back(c, in, &old, &op->rc);
	store_keysets_name(NULL, 0, in);
	err = card_new(c, in, &op->rc);
	if (err || op->rc)
		return err;
	store_move_story(&told, &in->card, in->card.created_ms);
	return story_add(c, &told, NULL, 0);
}

static int op_card_leave(struct conn *c, struct store_op *op)
{
	struct card_row *now = op->row, old;
	int64_t at_ms = now->gone_ms;
	int err = card_read(c, now->iccid, &old);

	if (err <= 0) {
		op->rc = STORE_R_NOT_FOUND;
		return err;
	}
	err = old.gone_ms ? 0 : card_open(c, old.id);
	if (err > 0 || old.gone_ms)
		op->rc = err ? STORE_R_OPEN_TXN : STORE_R_SAME;
	if (err < 0 || op->rc == STORE_R_OPEN_TXN)
		return err < 0 ? err : 0;
	*now = old;
	if (op->rc)
		return 0;
	now->gone_ms = at_ms;
	now->moves++;
	memset(now->imsi, 0, sizeof(now->imsi));
	memset(now->msisdn, 0, sizeof(now->msisdn));
	sqlite3_bind_int64(c->st[S_KEYSETS_DROP], 1, (sqlite3_int64)now->id);
	err = st_run(c, c->st[S_KEYSETS_DROP]);
	return err ? err : card_moved(c, &old, now, at_ms);
}

static int op_addr_put(struct conn *c, const struct store_op *op)
{
	c->addr_card = ((const struct card_addr_row *)op->row)->card;
	return put_row(c, S_ADDR_PUT, &t_addr, op->row);
}

/* The cheapest way that fits is tried first; a card with a change among its addresses has most likely new numbers. */
static int op_card_put(struct conn *c, struct store_op *op)
{
	const struct card_row *card = op->row;
	int err = 0;

	op->rc = STORE_R_NOT_FOUND;
	if (card->id != c->addr_card)
		err = update_row(c, S_CARD_TOUCH, &t_card, op->row, &op->rc);
	if (!err && op->rc)
		err = update_row(c, S_CARD_IMSI_PUT, &t_card, op->row, &op->rc);
	if (!err && op->rc)
		err = update_row(c, S_CARD_UPDATE, &t_card, op->row, &op->rc);
	if (!err && op->rc) /* somebody who has not heard yet that it has moved: the numbers are the store's */
		err = update_row(c, S_CARD_SEEN, &t_card, op->row, &op->rc);
	return err;
}

static int op_card_quarantine(struct conn *c, struct store_op *op)
{
	const struct card_row *card = op->row;
	sqlite3_stmt *st = c->st[S_CARD_QUARANTINE];
	int err;

	sqlite3_bind_int64(st, 1, (sqlite3_int64)card->id);
	sqlite3_bind_int64(st, 2, card->quarantine_ms);
	err = st_run(c, st);
	if (!err && !sqlite3_changes(c->db))
		op->rc = STORE_R_NOT_FOUND;
	return err;
}

/* Most commands that are put are there: to update a row outright is cheaper than to find out by inserting it. */
static int op_cmd_put(struct conn *c, struct store_op *op)
{
	const struct cmd_row *cmd = op->row;
	int16_t rc = 0;
	int err;

	if (cmd->state > CMD_PREPARED || cmd->attempt > 1) {
		err = update_row(c, S_CMD_UPDATE, &t_cmd, cmd, &rc);
		if (err || !rc)
			return err;
	}
	return put_row(c, S_CMD_PUT, &t_cmd, cmd);
}

static int op_keyset_cntr(struct conn *c, struct store_op *op)
{
	const struct keyset_row *k = op->row;
	sqlite3_stmt *st = c->st[S_KEYSET_CNTR];
	int err;

	if (k->kvn > KVN_MAX) {
		op->rc = STORE_R_NOT_FOUND;
		return 0;
	}
	sqlite3_bind_int64(st, 1, (sqlite3_int64)(k->card * 16 + k->kvn));
	sqlite3_bind_int64(st, 2, (sqlite3_int64)k->cntr);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)k->cntr_proven);
	sqlite3_bind_int64(st, 4, k->epoch);
	sqlite3_bind_int64(st, 5, k->generation);
	bind_blob(st, 6, k->sealed, k->sealed_len < KS_SEALED_MAX ? k->sealed_len : KS_SEALED_MAX);
	err = st_run(c, st);
	if (err || sqlite3_changes(c->db))
		return err;
	st = c->st[S_KEYSET_ALGS];
	sqlite3_bind_int64(st, 1, (sqlite3_int64)(k->card * 16 + k->kvn));
	err = st_row(c, st);
	sqlite3_reset(st);
	op->rc = err > 0 ? STORE_R_OLD_GENERATION : STORE_R_NOT_FOUND;
	return err < 0 ? err : 0;
}

/* State of a campaign, -1 when there is none, or an error. */
static int campaign_state(struct conn *c, uint64_t id, int *state)
{
	sqlite3_stmt *st = c->st[S_CAMPAIGN_STATE];
	int got;

	sqlite3_bind_int64(st, 1, (sqlite3_int64)id);
	got = st_row(c, st);
	*state = got > 0 ? sqlite3_column_int(st, 0) : -1;
	sqlite3_reset(st);
	return got < 0 ? got : 0;
}

static int op_campaign_insert(struct conn *c, struct store_op *op)
{
	const struct campaign_row *row = op->row;
	sqlite3_stmt *st = c->st[S_PROFILE_INSERT];
	int err = found(c, S_CAMPAIGN_BY_NAME, row->name, 0);

	if (err) {
		op->rc = err > 0 ? STORE_R_DUP_NAME : 0;
		return err < 0 ? err : 0;
	}
	if (!row->id || op->bytes_len > PROFILE_TEXT_MAX)
		return conn_asked(c, "campaign %s without an id, or its profile too long", row->name);
	err = put_row(c, S_CAMPAIGN_INSERT, &t_campaign, row);
	if (err)
		return err;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)row->id);
	bind_blob(st, 2, op->bytes, op->bytes_len);
	return st_run(c, st);
}

static int op_campaign_drop(struct conn *c, struct store_op *op)
{
	static const enum stmt_id parts[] = { S_WORKS_DELETE, S_TXNS_DELETE, S_PROFILE_DELETE, S_CAMPAIGN_DELETE };
	const struct campaign_row *row = op->row;
	int state, err = campaign_state(c, row->id, &state);

	/* Once it has run its transactions are history, and history is not dropped. */
	if (!err && state != CAMPAIGN_LOADING && state != CAMPAIGN_READY) {
		op->rc = STORE_R_NOT_FOUND;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(parts) && !err; i++) {
		sqlite3_bind_int64(c->st[parts[i]], 1, (sqlite3_int64)row->id);
		err = st_run(c, c->st[parts[i]]);
	}
	return err;
}

/* Whether the plan's filter lets this card through: 1, 0, or an error. */
static int plan_holds(struct conn *c, const struct store_txn_plan *p, const char *imsi, const char *msisdn,
		      const char *profile)
{
	struct store_facts f = { .imsi = imsi, .msisdn = msisdn, .profile = profile, .last_seen_ms = p->seen_ms };
	sqlite3_stmt *st = c->st[S_KEYSET_KINDS];
	int got = 0;

	if (!p->filter.n)
		return 1;
	if (store_filter_keys(&p->filter)) {
		sqlite3_bind_int64(st, 1, (sqlite3_int64)p->txn.card);
		while (f.n_keys < CARD_KEYSETS_MAX && (got = st_row(c, st)) > 0) {
			f.key[f.n_keys].kvn = (uint8_t)sqlite3_column_int(st, 0);
			f.key[f.n_keys].alg = (uint8_t)sqlite3_column_int(st, 1);
			f.key[f.n_keys].octets = (uint8_t)ks_sealed_kic_octets(sqlite3_column_blob(st, 2),
									       (size_t)sqlite3_column_bytes(st, 2));
			f.n_keys++;
		}
		sqlite3_reset(st);
	}
	return got < 0 ? got : store_filter_holds(&p->filter, &f, p->kvn);
}

/* Card, filter, keyset and numbers of a plan.  *rc: FILTERED, NO_CARD, NO_KEYSET, NO_MSISDN, IMSI_LEN. */
static int plan_card(struct conn *c, struct store_txn_plan *p, int16_t *rc)
{
	sqlite3_stmt *st = c->st[S_CARD_BY_ICCID];
	int16_t numbers = 0;
	bool gone = false, barred = false;
	int got, holds = 1;

	p->txn.card = 0;
	if (!store_filter_iccid(&p->filter, p->iccid)) {
		*rc = STORE_R_FILTERED;
		return 0;
	}
	bind_text(st, 1, p->iccid);
	got = st_row(c, st);
	if (got > 0) {
		const char *imsi = (const char *)sqlite3_column_text(st, 1);
		const char *msisdn = (const char *)sqlite3_column_text(st, 2);
		const char *profile = (const char *)sqlite3_column_text(st, 4);

		p->txn.card = (uint64_t)sqlite3_column_int64(st, 0);
		p->seen_ms = sqlite3_column_int64(st, 3);
		gone = sqlite3_column_int64(st, 5) != 0;
		barred = p->not_quarantined && sqlite3_column_int64(st, 6) != 0;
		holds = plan_holds(c, p, imsi ? imsi : "", msisdn ? msisdn : "", profile ? profile : "");
		if (holds > 0 && !gone)
			numbers = store_plan_numbers(p, imsi ? imsi : "", msisdn ? msisdn : "");
	}
	sqlite3_reset(st);
	if (got <= 0 || holds <= 0) {
		*rc = got <= 0 ? STORE_R_NO_CARD : STORE_R_FILTERED;
		return got <= 0 ? got : holds;
	}
	if (gone || barred) {
		*rc = gone ? STORE_R_GONE : STORE_R_QUARANTINE;
		return 0;
	}
	st = c->st[S_KEYSET_ALGS];
	sqlite3_bind_int64(st, 1, (sqlite3_int64)(p->txn.card * 16 + p->kvn));
	got = p->kvn && p->kvn <= KVN_MAX ? st_row(c, st) : 0;
	if (got > 0) {
		p->kic_alg = (uint8_t)sqlite3_column_int(st, 0);
		p->kid_alg = (uint8_t)sqlite3_column_int(st, 1);
		p->cc_len = (uint8_t)sqlite3_column_int(st, 2);
		*rc = numbers;
	} else {
		*rc = STORE_R_NO_KEYSET;
	}
	sqlite3_reset(st);
	return got < 0 ? got : 0;
}

/* LATER_TXN when what is to be done again is not the newest of its card. */
static int plan_newest(struct conn *c, const struct store_txn_plan *p, int16_t *rc)
{
	sqlite3_stmt *st = c->st[S_TXN_NEWEST];
	int got;

	if (!p->retry_of)
		return 0;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)p->txn.card);
	got = st_row(c, st);
	if (got > 0 && sqlite3_column_type(st, 0) != SQLITE_NULL &&
	    (uint64_t)sqlite3_column_int64(st, 0) != p->retry_of)
		*rc = STORE_R_LATER_TXN;
	sqlite3_reset(st);
	return got < 0 ? got : 0;
}

static int work_insert(struct conn *c, const struct store_op *op, uint64_t txn)
{
	sqlite3_stmt *st = c->st[S_WORK_INSERT];

	if (!op->bytes_len)
		return 0;
	c->no_works = false;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)txn);
	bind_blob(st, 2, op->bytes, op->bytes_len);
	return st_run(c, st);
}

static int op_txn_plan(struct conn *c, struct store_op *op)
{
	struct store_txn_plan *p = op->row;
	sqlite3_stmt *st = c->st[S_TXN_OPEN_CARD];
	int state, got, err;

	if (op->bytes_len > TXN_WORK_MAX)
		return conn_asked(c, "a work of %u octets", op->bytes_len);
	err = campaign_state(c, p->txn.campaign, &state);
	if (!err && state < 0)
		op->rc = STORE_R_NOT_FOUND;
	if (!err && !op->rc)
		err = plan_card(c, p, &op->rc);
	if (!err && !op->rc)
		err = plan_newest(c, p, &op->rc);
	if (err || op->rc)
		return err;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)p->txn.card);
	got = st_row(c, st);
	sqlite3_reset(st);
	if (got) {
		op->rc = got > 0 ? STORE_R_OPEN_TXN : 0;
		return got < 0 ? got : 0;
	}
	err = numbers_check(c, p->txn.card, p->txn.new_imsi, p->txn.new_msisdn, &op->rc);
	if (err || op->rc)
		return err;
	st = c->st[S_TXN_INSERT];
	row_bind(&t_txn, st, &p->txn);
	sqlite3_bind_null(st, 1);
	err = st_run(c, st);
	p->txn.id = (uint64_t)sqlite3_last_insert_rowid(c->db);
	return err ? err : work_insert(c, op, p->txn.id);
}

static int op_wire_put(struct conn *c, struct store_op *op)
{
	const struct cmd_row *cmd = op->row;
	sqlite3_stmt *st = c->st[S_WIRE_INSERT];
	int err;

	if (op->bytes_len > CMD_PACKET_MAX)
		return conn_asked(c, "a packet of %u octets", op->bytes_len);
	sqlite3_bind_int64(st, 1, (sqlite3_int64)cmd->id);
	bind_blob(st, 2, op->bytes, op->bytes_len);
	err = st_run(c, st);
	if (err || sqlite3_changes(c->db))
		return err;
	/* There already: the same octets are fine, others under the same CNTR must never leave. */
	st = c->st[S_WIRE];
	sqlite3_bind_int64(st, 1, (sqlite3_int64)cmd->id);
	err = st_row(c, st);
	if (err > 0) {
		size_t len = (size_t)sqlite3_column_bytes(st, 0);

		err = len == op->bytes_len && (!len || !memcmp(sqlite3_column_blob(st, 0), op->bytes, len)) ?
			      0 :
			      conn_asked(c, "other octets for the packet of command %llu", (unsigned long long)cmd->id);
	}
	sqlite3_reset(st);
	return err;
}

static int op_parts_drop(struct conn *c, struct store_op *op)
{
	const struct part_row *part = op->row;
	sqlite3_stmt *st = c->st[S_PARTS_DROP];

	sqlite3_bind_int64(st, 1, (sqlite3_int64)part->card);
	sqlite3_bind_int64(st, 2, part->iei);
	sqlite3_bind_int64(st, 3, part->ref);
	return st_run(c, st);
}

static int op_meta_put(struct conn *c, struct store_op *op)
{
	const struct store_meta *meta = op->row;
	sqlite3_stmt *st = c->st[S_META_PUT];

	if (op->bytes_len > PROFILE_TEXT_MAX)
		return conn_asked(c, "a value of %u octets for %.31s", op->bytes_len, meta->key);
	bind_text(st, 1, meta->key);
	bind_blob(st, 2, op->bytes, op->bytes_len);
	return st_run(c, st);
}

static int op_run(struct conn *c, struct store_op *op, uint8_t *given)
{
	op->rc = 0;
	switch ((enum store_op_kind)op->kind) {
	case ST_CARD_INSERT:
		return op_card_insert(c, op);
	case ST_CARD_TAKE:
		return op_card_take(c, op);
	case ST_CARD_LEAVE:
		return op_card_leave(c, op);
	case ST_CARD_PUT:
		return op_card_put(c, op);
	case ST_KEYSET_CNTR:
		return op_keyset_cntr(c, op);
	case ST_ADDR_PUT:
		return op_addr_put(c, op);
	case ST_CAMPAIGN_INSERT:
		return op_campaign_insert(c, op);
	case ST_CAMPAIGN_PUT:
		return update_row(c, S_CAMPAIGN_UPDATE, &t_campaign, op->row, &op->rc);
	case ST_CAMPAIGN_DROP:
		return op_campaign_drop(c, op);
	case ST_TXN_PLAN:
		return op_txn_plan(c, op);
	case ST_TXN_PUT:
		return update_row(c, S_TXN_UPDATE, &t_txn, op->row, &op->rc);
	case ST_CMD_PUT:
		return op_cmd_put(c, op);
	case ST_WIRE_PUT:
		return op_wire_put(c, op);
	case ST_PART_PUT:
		c->no_parts = false;
		return put_row(c, S_PART_PUT, &t_part, op->row);
	case ST_PARTS_DROP:
		return op_parts_drop(c, op);
	case ST_STORY_ADD:
		return story_add(c, op->row, op->bytes, op->bytes_len);
	case ST_META_PUT:
		return op_meta_put(c, op);
	case ST_BOOK_PUT:
		return sqlite_book_put(c, op, given);
	case ST_BOOK_DROP:
		return sqlite_book_drop(c, op);
	case ST_TRIM:
		return sqlite_trim(c, op->row);
	case ST_CARD_QUARANTINE:
		return op_card_quarantine(c, op);
	case _ST_OPS:
		break;
	}
	return conn_asked(c, "operation %u", op->kind);
}

/* ---- order ---- */

/* The card an operation belongs to, 0 for none. */
static uint64_t op_card(const struct store_op *op)
{
	switch ((enum store_op_kind)op->kind) {
	case ST_CARD_PUT:
	case ST_CARD_QUARANTINE:
		return ((const struct card_row *)op->row)->id;
	case ST_KEYSET_CNTR:
		return ((const struct keyset_row *)op->row)->card;
	case ST_ADDR_PUT:
		return ((const struct card_addr_row *)op->row)->card;
	case ST_TXN_PUT:
		return ((const struct txn_row *)op->row)->card;
	case ST_CMD_PUT:
	case ST_WIRE_PUT:
		return ((const struct cmd_row *)op->row)->card;
	case ST_PART_PUT:
	case ST_PARTS_DROP:
		return ((const struct part_row *)op->row)->card;
	case ST_STORY_ADD:
		return ((const struct story_row *)op->row)->card;
	default:
		return 0;
	}
}

/* These look at many rows, and at what stands before them in the batch: nothing is moved across them. */
static bool op_is_barrier(const struct store_op *op)
{
	return op->kind == ST_CARD_INSERT || op->kind == ST_CARD_TAKE || op->kind == ST_CARD_LEAVE ||
	       op->kind == ST_TXN_PLAN || op->kind == ST_CAMPAIGN_INSERT || op->kind == ST_CAMPAIGN_DROP ||
	       op->kind == ST_TRIM;
}

/* End of the run that begins at `i`: of operations whose cards ascend already. */
static size_t run_end(const struct sort_key *a, size_t i, size_t n)
{
	while (++i < n && a[i].card >= a[i - 1].card)
		;
	return i;
}

/* Merges a[from..mid) and a[mid..to) into out; equals keep their order. */
static void runs_merge(const struct sort_key *a, size_t from, size_t mid, size_t to, struct sort_key *out)
{
	size_t i = from, k = mid;

	for (size_t o = from; o < to; o++)
		out[o] = k >= to || (i < mid && a[i].card <= a[k].card) ? a[i++] : a[k++];
}

/* A batch is made of a few long runs: what claims brought, what answers brought.  Merging these is most of the time one
 * look at each. */
static void order_sort(struct sort_key *a, struct sort_key *spare, size_t n)
{
	while (run_end(a, 0, n) < n) {
		for (size_t from = 0, to; from < n; from = to) {
			size_t mid = run_end(a, from, n);

			to = mid < n ? run_end(a, mid, n) : n;
			runs_merge(a, from, mid, to, spare);
		}
		memcpy(a, spare, n * sizeof(*a));
	}
}

static void order_make(struct committer *w, const struct store_batch *b)
{
	struct sort_key *order = w->order;
	size_t start = 0;

	for (size_t i = 0; i <= b->n; i++) {
		if (i == b->n || op_is_barrier(&b->ops[i])) {
			if (i > start)
				order_sort(order + start, w->spare, i - start);
			start = i + 1;
		}
		if (i == b->n)
			break;
		order[i] = (struct sort_key){ .card = op_card(&b->ops[i]), .at = (uint32_t)i };
	}
}

/* ---- the transaction ---- */

/* What was rolled back may be tried again: ids and versions given in it belong to nobody. */
static void given_take_back(const struct committer *w, const struct store_batch *b)
{
	for (size_t i = b->n; i-- > 0;) {
		void *row = b->ops[w->order[i].at].row;

		switch ((enum op_given)w->order[i].given) {
		case GIVEN_NOTHING:
			break;
		case GIVEN_VERSION:
			((struct book_row *)row)->version--;
			break;
		case GIVEN_VERSION_ANY:
			((struct book_row *)row)->version = BOOK_ANY;
			break;
		}
	}
}

/* order[from..to) has no barrier in it.  The cards of addresses that are written in bulk are noted all the same: see op_card_put(). */
static int stretch_run(struct committer *w, struct store_batch *b, size_t from, size_t to, bool bulk)
{
	const struct bulk_src src = { .b = b, .order = w->order, .from = from, .to = to };
	struct conn *c = w->c;
	int err = bulk ? sqlite_bulk(c, &src) : 0;

	for (size_t i = from; i < to && !err; i++) {
		struct store_op *op = &b->ops[w->order[i].at];

		if (!w->order[i].bulk)
			err = op_run(c, op, &w->order[i].given);
		else if (op->kind == ST_ADDR_PUT)
			c->addr_card = w->order[i].card;
	}
	return err;
}

static int ops_run(struct committer *w, struct store_batch *b, bool bulk)
{
	size_t from = 0;
	int err = 0;

	w->c->addr_card = 0;
	for (size_t i = 0; i < b->n && !err; i++) {
		if (!op_is_barrier(&b->ops[i]))
			continue;
		err = stretch_run(w, b, from, i, bulk);
		if (!err)
			err = op_run(w->c, &b->ops[i], &w->order[i].given);
		from = i + 1;
	}
	return err ? err : stretch_run(w, b, from, b->n, bulk);
}

/* Something was not as it should be: from the beginning, one by one, so that whoever is concerned is told. */
static int ops_run_again(struct committer *w, struct store_batch *b)
{
	struct conn *c = w->c;
	int err;

	w->one_by_one++;
	c->fail = (struct conn_fail){ 0 };
	given_take_back(w, b);
	for (size_t i = 0; i < b->n; i++)
		w->order[i].given = GIVEN_NOTHING, w->order[i].bulk = 0;
	err = sqlite3_get_autocommit(c->db) ? 0 : st_run(c, c->st[S_ROLLBACK]);
	if (!err)
		err = st_run(c, c->st[S_BEGIN_WRITE]);
	return err ? err : ops_run(w, b, false);
}

int sqlite_commit(struct committer *w, struct store_batch *b)
{
	struct conn *c = w->c;
	bool undo;
	int err;

	if (b->batch_no && b->batch_no <= w->last_batch)
		return b->batch_no == w->last_batch ?
			       STORE_OK :
			       conn_asked(c, "batch %llu after batch %llu", (unsigned long long)b->batch_no,
					  (unsigned long long)w->last_batch);
	order_make(w, b);
	err = st_run(c, c->st[S_BEGIN_WRITE]);
	if (err)
		return err;
	err = ops_run(w, b, true);
	if (err == BULK_NOT)
		err = ops_run_again(w, b);
	undo = (!err && store_batch_refused(b)) || b->dry_run;
	if (!err && b->batch_no) {
		sqlite3_bind_int64(c->st[S_BATCH_PUT], 1, (sqlite3_int64)b->batch_no);
		err = st_run(c, c->st[S_BATCH_PUT]);
	}
	if (!err && !undo)
		err = st_run(c, c->st[S_COMMIT]);
	/* FULL and I/O errors may have rolled back already, a failed COMMIT may not. */
	if (!sqlite3_get_autocommit(c->db) && st_run(c, c->st[S_ROLLBACK]) && !err)
		err = STORE_E_IO;
	if (err || undo)
		given_take_back(w, b);
	else if (b->batch_no)
		w->last_batch = b->batch_no;
	return err;
}
