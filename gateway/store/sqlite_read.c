/* sqlite_read.c - fetches (on the writing connection, behind all commits) and queries (on the reading one).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include "sqlite_int.h"

static void bind_id(sqlite3_stmt *st, int i, uint64_t id)
{
	/* A page after the end of all ids is empty, not the first one again. */
	sqlite3_bind_int64(st, i, id > INT64_MAX ? INT64_MAX : (sqlite3_int64)id);
}

int rows_read(struct conn *c, sqlite3_stmt *st, const struct table *t, void *out, size_t size, unsigned cap)
{
	uint8_t *p = out;
	unsigned n = 0;
	int rc = 0;

	while (n < cap && (rc = st_row(c, st)) > 0) {
		rc = row_read(c, t, st, 0, p + n * size);
		if (rc)
			break;
		n++;
	}
	sqlite3_reset(st);
	return rc < 0 ? rc : (int)n;
}

/* ---- a card with all that is open ---- */

static int bundle_txn(struct conn *c, bool query, struct card_bundle *out)
{
	sqlite3_stmt *st = c->st[S_TXN_OF_CARD];
	struct txn_row t;
	int rc, best = 0;

	bind_id(st, 1, out->card.id);
	while ((rc = st_row(c, st)) > 0) {
		int rank;

		memset(&t, 0, sizeof(t));
		rc = row_read(c, &t_txn, st, 0, &t);
		if (rc)
			break;
		rank = store_txn_rank(t.state, sqlite3_column_int(st, table_width(&t_txn)) == 1, query);
		if (rank <= best)
			continue;
		best = rank;
		out->txn = t;
		out->has_txn = true;
	}
	sqlite3_reset(st);
	return rc < 0 ? rc : 0;
}

static int bundle_packet(struct conn *c, struct card_bundle *out)
{
	sqlite3_stmt *st = c->st[S_WIRE];
	int rc = 0, len = 0;

	for (unsigned i = 0; i < out->n_cmds; i++) {
		if (out->cmd[i].state > CMD_WAIT_PRESENCE)
			continue;
		bind_id(st, 1, out->cmd[i].id);
		rc = st_row(c, st);
		if (rc > 0)
			len = blob_read(st, 0, out->packet, sizeof(out->packet));
		if (len < 0)
			conn_corrupt(c, "packet of command %llu", (unsigned long long)out->cmd[i].id);
		sqlite3_reset(st);
		if (len > 0) {
			out->packet_cmd = out->cmd[i].id;
			out->packet_len = (uint16_t)len;
		}
		break;
	}
	return rc < 0 ? rc : len < 0 ? len : 0;
}

/* Where nobody has planned any, none is looked for. */
static int bundle_work(struct conn *c, struct card_bundle *out)
{
	sqlite3_stmt *st = c->st[S_WORK];
	int rc, len = 0;

	if (!out->has_txn || c->no_works)
		return 0;
	bind_id(st, 1, out->txn.id);
	rc = st_row(c, st);
	if (rc > 0)
		len = blob_read(st, 0, out->work, sizeof(out->work));
	if (len < 0)
		conn_corrupt(c, "work of transaction %llu", (unsigned long long)out->txn.id);
	sqlite3_reset(st);
	out->work_len = (uint16_t)(len > 0 ? len : 0);
	return rc < 0 ? rc : len < 0 ? len : 0;
}

/* The card itself.  1 there, 0 no such card, or an error. */
static int bundle_card(struct conn *c, uint64_t card, struct card_bundle *out)
{
	sqlite3_stmt *st = c->st[S_CARD];
	int err = 0, rc;

	bind_id(st, 1, card);
	rc = st_row(c, st);
	if (rc > 0)
		err = row_read(c, &t_card, st, 0, &out->card);
	sqlite3_reset(st);
	return err ? err : rc;
}

/* 1, 0 or an error. */
static int parts_any(struct conn *c, uint64_t card)
{
	int rc;

	bind_id(c->st[S_PARTS_ANY], 1, card);
	rc = st_row(c, c->st[S_PARTS_ANY]);
	sqlite3_reset(c->st[S_PARTS_ANY]);
	return rc;
}

/* Asked for only where there are any: to sort even none of them costs more than all the rest of the card. */
static int bundle_parts(struct conn *c, struct card_bundle *out)
{
	sqlite3_stmt *st = c->st[S_PARTS];
	int n = c->no_parts ? 0 : parts_any(c, out->card.id);

	if (n <= 0)
		return n;
	bind_id(st, 1, out->card.id);
	sqlite3_bind_int(st, 2, CARD_PARTS_MAX);
	n = rows_read(c, st, &t_part, out->part, sizeof(out->part[0]), CARD_PARTS_MAX);
	out->n_parts = (uint8_t)(n > 0 ? n : 0);
	return n;
}

static int bundle_cmds(struct conn *c, struct card_bundle *out)
{
	struct cmd_row script;
	int n;

	bind_id(c->st[S_CMDS_NEWEST], 1, out->card.id);
	sqlite3_bind_int(c->st[S_CMDS_NEWEST], 2, CARD_CMDS_MAX);
	n = rows_read(c, c->st[S_CMDS_NEWEST], &t_cmd, out->cmd, sizeof(out->cmd[0]), CARD_CMDS_MAX);
	if (n < 0)
		return n;
	out->n_cmds = (uint8_t)n;
	for (int i = 0; i < n; i++)
		if (n < CARD_CMDS_MAX || out->cmd[i].kind == CMD_SCRIPT)
			return 0;
	if (!n)
		return 0;
	bind_id(c->st[S_CMD_LAST_SCRIPT], 1, out->card.id);
	n = rows_read(c, c->st[S_CMD_LAST_SCRIPT], &t_cmd, &script, sizeof(script), 1);
	if (n > 0)
		out->cmd[CARD_CMDS_MAX - 1] = script;
	return n < 0 ? n : 0;
}

/* What belongs to out->card and has been left behind by commands. */
static int bundle_traffic(struct conn *c, struct card_bundle *out)
{
	int n = bundle_cmds(c, out);

	if (n >= 0)
		n = bundle_parts(c, out);
	return n < 0 ? n : bundle_packet(c, out);
}

/* What belongs to out->card. */
static int bundle_fill(struct conn *c, struct card_bundle *out, bool query)
{
	int n;

	bind_id(c->st[S_KEYSETS], 1, out->card.id);
	n = rows_read(c, c->st[S_KEYSETS], &t_keyset, out->keyset, sizeof(out->keyset[0]), CARD_KEYSETS_MAX);
	if (n < 0)
		return n;
	out->n_keysets = (uint8_t)n;
	n = bundle_traffic(c, out);
	if (n >= 0)
		n = bundle_txn(c, query, out);
	return n < 0 ? n : bundle_work(c, out);
}

/* 1 there, 0 no such card, or an error. */
static int bundle_read(struct conn *c, uint64_t card, bool query, struct card_bundle *out)
{
	int n;

	memset(out, 0, sizeof(*out));
	n = bundle_card(c, card, out);
	if (n <= 0)
		return n;
	n = bundle_fill(c, out, query);
	return n < 0 ? n : 1;
}

static int card_of_text(struct conn *c, const char *iccid, uint64_t *card)
{
	sqlite3_stmt *st = c->st[S_CARD_ID];
	int rc;

	sqlite3_bind_text(st, 1, iccid, -1, SQLITE_STATIC);
	rc = st_row(c, st);
	*card = rc > 0 ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
	sqlite3_reset(st);
	return rc;
}

static int card_of_addr(struct conn *c, const struct store_fetch *f, uint64_t *card)
{
	sqlite3_stmt *st = c->st[S_ADDR];
	int rc;

	sqlite3_bind_int(st, 1, f->addr_type);
	sqlite3_bind_text(st, 2, f->digits, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 3, f->at_ms);
	rc = st_row(c, st);
	*card = rc > 0 ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
	sqlite3_reset(st);
	return rc;
}

/* A card whose first row the statement stands on.  Most have never had a command. */
static int claim_card(struct conn *c, sqlite3_stmt *st, struct card_bundle *out)
{
	const int card_at = table_width(&t_txn), cmds_at = card_at + table_width(&t_card);
	int rc;

	memset(out, 0, sizeof(*out));
	out->has_txn = true;
	rc = row_read(c, &t_txn, st, 0, &out->txn);
	if (!rc)
		rc = row_read(c, &t_card, st, card_at, &out->card);
	if (!rc && (sqlite3_column_int(st, cmds_at) || !c->no_parts))
		rc = bundle_traffic(c, out);
	return rc < 0 ? rc : bundle_work(c, out);
}

static int claim_keyset(struct conn *c, sqlite3_stmt *st, struct card_bundle *out)
{
	const int at = table_width(&t_txn) + table_width(&t_card) + 1;

	if (sqlite3_column_type(st, at) == SQLITE_NULL || out->n_keysets == CARD_KEYSETS_MAX)
		return 0;
	return row_read(c, &t_keyset, st, at, &out->keyset[out->n_keysets++]);
}

static int fetch_claim(struct conn *c, struct store_fetch *f)
{
	sqlite3_stmt *st = c->st[S_CLAIM];
	unsigned limit = f->limit < f->cap ? f->limit : f->cap;
	struct card_bundle *out = NULL;
	int rc = 0;

	bind_id(st, 1, f->campaign);
	bind_id(st, 2, f->after_txn);
	while (limit && (rc = st_row(c, st)) > 0) {
		rc = 0;
		if (!out || out->txn.id != (uint64_t)sqlite3_column_int64(st, 0)) {
			if (f->n == limit)
				break;
			out = &f->out[f->n++];
			rc = claim_card(c, st, out);
		}
		if (!rc)
			rc = claim_keyset(c, st, out);
		if (rc < 0)
			break;
	}
	sqlite3_reset(st);
	return rc < 0 ? rc : 0;
}

int sqlite_fetch(struct conn *c, struct store_fetch *f)
{
	uint64_t card = f->card;
	int rc = conn_read_begin(c);

	f->n = 0;
	if (!rc && f->by == FETCH_CLAIM) {
		rc = fetch_claim(c, f);
	} else if (!rc && f->cap) {
		if (f->by == FETCH_BY_ADDR)
			rc = card_of_addr(c, f, &card);
		if (rc >= 0 && card)
			rc = bundle_read(c, card, false, &f->out[0]);
		f->n = rc > 0;
	}
	return rc < 0 ? rc : 0;
}

/* ---- queries ---- */

/* Each reader fills one element of q->out from the current row and says the id to page on by. */
typedef int read_fn(struct conn *c, sqlite3_stmt *st, void *out, uint64_t *last);

static int read_campaign(struct conn *c, sqlite3_stmt *st, void *out, uint64_t *last)
{
	struct campaign_row *row = out;
	int rc = row_read(c, &t_campaign, st, 0, row);

	*last = row->id;
	return rc;
}

static int read_stub(struct conn *c, sqlite3_stmt *st, void *out, uint64_t *last)
{
	struct store_stub *row = out;
	struct cmd_row cmd;
	int rc = row_read(c, &t_cmd, st, 0, &cmd);

	if (rc)
		return rc;
	*last = cmd.id;
	*row = (struct store_stub){ .cmd = cmd.id,
				    .card = cmd.card,
				    .campaign = cmd.campaign,
				    .state = cmd.state,
				    .due_ms = cmd.due_ms,
				    .deadline_ms = cmd.deadline_ms };
	return row->state < CMD_DONE ? 0 : conn_corrupt(c, "state of command %llu", (unsigned long long)row->cmd);
}

static int read_report(struct conn *c, sqlite3_stmt *st, void *out, uint64_t *last)
{
	struct store_report *row = out;
	int rc = row_read(c, &t_txn, st, 0, &row->txn);

	if (!rc)
		rc = text_read(st, table_width(&t_txn), row->iccid, sizeof(row->iccid));
	if (!rc)
		rc = text_read(st, table_width(&t_txn) + 1, row->imsi, sizeof(row->imsi));
	*last = row->txn.id;
	return rc;
}

static int read_cmd(struct conn *c, sqlite3_stmt *st, void *out, uint64_t *last)
{
	struct cmd_row *row = out;
	int rc = row_read(c, &t_cmd, st, 0, row);

	*last = row->id;
	return rc;
}

static int read_story(struct conn *c, sqlite3_stmt *st, void *out, uint64_t *last)
{
	struct store_story *row = out;
	int rc = row_read(c, &t_story, st, 0, &row->row);

	*last = row->row.id;
	if (rc)
		return rc;
	rc = blob_read(st, t_story.n, row->detail, sizeof(row->detail));
	if (rc >= 0)
		row->row.detail_len = (uint16_t)rc;
	return rc < 0 ? rc : 0;
}

static int read_card(struct conn *c, sqlite3_stmt *st, void *out, uint64_t *last)
{
	struct card_row *row = out;
	int rc = row_read(c, &t_card, st, 0, row);

	*last = row->id;
	return rc;
}

static int read_blob(struct conn *c, sqlite3_stmt *st, void *out, uint64_t *last)
{
	struct store_blob *row = out;
	int rc = blob_read(st, 0, row->bytes, sizeof(row->bytes));

	row->len = rc > 0 ? (uint32_t)rc : 0;
	return rc < 0 ? rc : 0;
}

static int read_totals(struct conn *c, sqlite3_stmt *st, void *out, uint64_t *last)
{
	struct store_totals *row = out;

	row->cards = (uint64_t)sqlite3_column_int64(st, 0);
	row->campaigns = (uint64_t)sqlite3_column_int64(st, 1);
	row->txns = (uint64_t)sqlite3_column_int64(st, 2);
	row->cmds = (uint64_t)sqlite3_column_int64(st, 3);
	row->max_campaign = (uint64_t)sqlite3_column_int64(st, 4);
	row->max_cmd = (uint64_t)sqlite3_column_int64(st, 5);
	row->max_batch = (uint64_t)sqlite3_column_int64(st, 6);
	return 0;
}

/* Which statement answers, what is bound to it in which order, how a row is read. */
enum bind_how { B_NOTHING, B_ID, B_DIGITS, B_AFTER_LIMIT, B_ID_AFTER_LIMIT };
static const struct {
	enum stmt_id st;
	enum bind_how bind;
	read_fn *read;
} queries[] = {
	[Q_CAMPAIGNS] = { S_CAMPAIGNS, B_AFTER_LIMIT, read_campaign },
	[Q_CAMPAIGN_COUNTS] = { S_COUNTS, B_ID, NULL },
	[Q_OPEN_CMDS] = { S_OPEN_CMDS, B_AFTER_LIMIT, read_stub },
	[Q_REPORT] = { S_REPORT, B_ID_AFTER_LIMIT, read_report },
	[Q_CARD_CMDS] = { S_CARD_CMDS, B_ID_AFTER_LIMIT, read_cmd },
	[Q_CARD_STORY] = { S_STORY, B_ID_AFTER_LIMIT, read_story },
	[Q_CARDS] = { S_CARDS, B_AFTER_LIMIT, read_card },
	[Q_PROFILE] = { S_PROFILE, B_ID, read_blob },
	[Q_META] = { S_META, B_DIGITS, read_blob },
	[Q_WIRE] = { S_WIRE, B_ID, read_blob },
	[Q_TOTALS] = { S_TOTALS, B_NOTHING, read_totals },
};

static void query_bind(sqlite3_stmt *st, const struct store_query *q, enum bind_how how)
{
	int i = 1;

	if (how == B_DIGITS)
		sqlite3_bind_text(st, i++, q->digits, -1, SQLITE_STATIC);
	if (how == B_ID || how == B_ID_AFTER_LIMIT)
		bind_id(st, i++, q->id);
	if (how == B_AFTER_LIMIT || how == B_ID_AFTER_LIMIT)
		bind_id(st, i++, q->after);
	if (how == B_AFTER_LIMIT || how == B_ID_AFTER_LIMIT)
		sqlite3_bind_int64(st, i++, q->limit);
}

static int query_card(struct conn *c, struct store_query *q)
{
	struct store_fetch by = { .addr_type = (uint8_t)q->step, .at_ms = (int64_t)q->after };
	uint64_t card = q->id;
	int rc = 0;

	memcpy(by.digits, q->digits, sizeof(by.digits) - 1);
	if (*q->digits)
		rc = q->step ? card_of_addr(c, &by, &card) : card_of_text(c, q->digits, &card);
	if (rc >= 0 && card)
		rc = bundle_read(c, card, true, q->out);
	q->n = rc > 0;
	return rc;
}

#define FAIL_CLASSES (UINT8_MAX + 1) /* what the column of an octet can hold */

/* Per (state, fail_class), in this order. */
static int query_counts(struct conn *c, struct store_query *q)
{
	sqlite3_stmt *st = c->st[S_COUNTS];
	struct store_count at[_TXN_STATES][FAIL_CLASSES] = { 0 }, *out = q->out;
	int rc;

	query_bind(st, q, B_ID);
	while ((rc = st_row(c, st)) > 0) {
		struct store_count *n;
		struct txn_row t;

		rc = row_read(c, &t_txn, st, 0, &t);
		if (rc)
			break;
		n = &at[t.state][t.fail_class];
		n->n++;
		n->sms_parts += t.sms_parts;
		n->attempts += t.attempts;
		n->probes += t.probes;
	}
	sqlite3_reset(st);
	for (unsigned i = 0; rc >= 0 && i < _TXN_STATES * FAIL_CLASSES && q->n < q->limit; i++) {
		struct store_count *n = &at[i / FAIL_CLASSES][i % FAIL_CLASSES];

		n->state = (uint8_t)(i / FAIL_CLASSES);
		n->fail_class = (uint8_t)(i % FAIL_CLASSES);
		if (n->n)
			out[q->n++] = *n;
	}
	return rc;
}

static int query_rows(struct conn *c, struct store_query *q)
{
	sqlite3_stmt *st = c->st[queries[q->kind].st];
	size_t size = store_query_row_size((enum store_query_kind)q->kind);
	uint8_t *out = q->out;
	int rc = 0;

	query_bind(st, q, queries[q->kind].bind);
	while (q->n < q->limit && (rc = st_row(c, st)) > 0) {
		uint64_t last = q->last;

		memset(out + q->n * size, 0, size);
		rc = queries[q->kind].read(c, st, out + q->n * size, &last);
		if (rc < 0)
			break;
		q->last = last;
		q->n++;
	}
	sqlite3_reset(st);
	return rc;
}

int sqlite_query(struct conn *c, struct store_query *q)
{
	int rc, end;

	q->n = 0;
	q->last = q->after;
	if (!q->limit || q->kind >= _Q_KINDS)
		return 0;
	rc = conn_read_begin(c);
	if (!rc && q->kind == Q_CARD)
		rc = query_card(c, q);
	else if (!rc && q->kind == Q_CAMPAIGN_COUNTS)
		rc = query_counts(c, q);
	else if (!rc && q->kind >= Q_BOOK_GET)
		rc = sqlite_book_query(c, q);
	else if (!rc)
		rc = query_rows(c, q);
	end = conn_read_end(c);
	return rc < 0 ? rc : end;
}
