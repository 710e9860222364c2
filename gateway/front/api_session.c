/* api_session.c - lists come in chunk by chunk: line numbers, headers, duplicates, commits, answers.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A chunk is read at once and wiped at once; what is left of it are rows in a batch and reasons.  The answer of the last
 * chunk is kept, so that a client whose connection broke may send the chunk again and hear the same.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ota/nearest.h"
#include "api_int.h"

/* ---------------------------------------------------------------------------------------------- sessions */

void session_drop(struct api *a, struct session *s)
{
	for (size_t i = 0; i < API_SESSIONS_MAX; i++) {
		if (a->session[i] == s)
			a->session[i] = NULL;
	}
	for (size_t i = 0; i < _NUMBERS; i++)
		seen_free(&s->seen[i]);
	free((void *)s->last.reject);
	free(s->profile_text);
	free(s);
}

/* ---- what nobody will finish ---- */

struct abandon_call {
	struct call call;
	struct store_batch *batch;
};

static void abandon_drop(struct call *c)
{
	store_batch_free(((struct abandon_call *)c)->batch);
}

static void abandon_done(struct store_batch *b, int rc)
{
	struct abandon_call *c = b->ctx;

	if (rc)
		api_log(c->call.a, 4,
			"an abandoned campaign stays in the store until it is deleted, or the next start: %s",
			store_why_text(rc, b->why));
	call_free(&c->call);
}

static void nobody(void *ctx, const struct api_reply *r)
{
}

/* Its cards must be free for other campaigns, its name for another try. */
bool campaign_abandon(struct api *a, const struct campaign_row *row)
{
	const struct api_to to = { .done = nobody };
	struct abandon_call *c = call_new(a, sizeof(*c), to, abandon_drop);

	if (!c)
		return false;
	c->batch = store_batch_new();
	if (!c->batch || !store_batch_add(c->batch, ST_CAMPAIGN_DROP, row, NULL, 0)) {
		call_free(&c->call);
		return false;
	}
	c->batch->done = abandon_done;
	c->batch->ctx = c;
	a->deps.store->ops->commit(a->deps.store, c->batch);
	return true;
}

/* A free place: an empty one, or that of the intake that was left alone longest. */
static struct session **place(struct api *a)
{
	struct session **oldest = NULL;

	for (size_t i = 0; i < API_SESSIONS_MAX; i++) {
		struct session *s = a->session[i];

		if (!s)
			return &a->session[i];
		if (!s->busy && api_now(a) - s->touched_ms > API_SESSION_IDLE_MS &&
		    (!oldest || s->touched_ms < (*oldest)->touched_ms))
			oldest = &a->session[i];
	}
	if (!oldest)
		return NULL;
	if ((*oldest)->kind == SESSION_CAMPAIGN && !(*oldest)->dry_run && !campaign_abandon(a, &(*oldest)->campaign))
		return NULL; /* rather no room than cards that stay locked */
	api_log(a, 5, "intake %s was left alone and makes room", (*oldest)->id);
	session_drop(a, *oldest);
	return oldest;
}

struct session *session_new(struct api *a, enum session_kind kind, const char *prefix, struct api_to to)
{
	struct session **at = place(a), *s;

	if (!at) {
		api_fail(to, API_NOT_READY, "too-many-intakes",
			 "%d lists are coming in at the moment: wait until one has finished", API_SESSIONS_MAX);
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		api_fail(to, API_NOT_READY, "no-memory", "out of memory: try again later");
		return NULL;
	}
	s->kind = (uint8_t)kind;
	s->next_line = 1;
	s->total.next_line = 1;
	s->touched_ms = api_now(a);
	for (size_t i = 0; i < _NUMBERS; i++)
		seen_init(&s->seen[i], (uint64_t)env_random_u32(a->deps.env) << 32 | env_random_u32(a->deps.env));
	snprintf(s->id, sizeof(s->id), "%s%" PRIu64, prefix, (uint64_t)(++a->next_session % 10000000000U));
	*at = s;
	return s;
}

struct session *session_find(struct api *a, enum session_kind kind, const char *id)
{
	for (size_t i = 0; i < API_SESSIONS_MAX; i++) {
		struct session *s = a->session[i];

		if (s && s->kind == kind && !strcmp(s->id, id))
			return s;
	}
	return NULL;
}

struct session *session_of_campaign(struct api *a, uint64_t campaign)
{
	for (size_t i = 0; i < API_SESSIONS_MAX; i++) {
		struct session *s = a->session[i];

		if (s && s->kind == SESSION_CAMPAIGN && !s->dry_run && s->campaign.id == campaign)
			return s;
	}
	return NULL;
}

/* ------------------------------------------------------------------------------------------------ header */

int header_map(struct session *s, const struct csv_record *r, const char *const *known, size_t n_known, char *why,
	       size_t cap)
{
	for (unsigned i = 0; i < r->n; i++) {
		char name[32];
		size_t n = 0, k;

		for (; r->field[i][n] && n + 1 < sizeof(name); n++)
			name[n] = (char)(r->field[i][n] >= 'a' && r->field[i][n] <= 'z' ? r->field[i][n] - 32 :
											  r->field[i][n]);
		name[n] = 0;
		for (k = 0; k < n_known && strcmp(name, known[k]); k++)
			;
		if (k == n_known) {
			const char *near = nearest_word(name, known, n_known);

			/* Only what looks like a column name is repeated: a file without a header begins with a card's data. */
			if (!n || strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") != n ||
			    strspn(name, "0123456789ABCDEF") == n)
				snprintf(why, cap,
					 "line 1 must name the columns, but its column %u is no name; begin the file "
					 "with for example %s",
					 i + 1, "ICCID,IMSI,...");
			else
				snprintf(why, cap, "line 1: unknown column \"%.24s\"%s%s%s", name,
					 near ? "; did you mean " : "", near ? near : "",
					 near ? "?" : "; remove it, or rename it to a known one");
			return -1;
		}
		for (unsigned j = 0; j < i; j++) {
			if (s->column[j] == k) {
				snprintf(why, cap, "line 1: column %s stands there twice", known[k]);
				return -1;
			}
		}
		s->column[i] = (uint8_t)k; /* index into known; the caller makes it an enum column */
	}
	s->n_columns = r->n;
	return 0;
}

char *line_field(const struct session *s, const struct csv_record *r, unsigned column)
{
	static char none[1];

	for (unsigned i = 0; i < s->n_columns && i < r->n; i++) {
		if (s->column[i] == column)
			return r->field[i];
	}
	none[0] = 0;
	return none;
}

/* ------------------------------------------------------------------------------------------------ chunks */

static void chunk_drop(struct call *c)
{
	struct chunk *ch = (struct chunk *)c;

	store_batch_free(ch->batch);
	free(ch->line);
	free(ch->rows);
	free(ch->reject);
}

void chunk_reject(struct chunk *ch, uint64_t line, const char *fmt, ...)
{
	struct api_reject *r;
	va_list ap;

	if (ch->out.n_reject == ch->reject_cap) {
		size_t cap = ch->reject_cap ? ch->reject_cap * 2 : 16;

		r = realloc(ch->reject, cap * sizeof(*r));
		if (!r) {
			ch->oom = true;
			return;
		}
		ch->reject = r;
		ch->reject_cap = cap;
	}
	r = &ch->reject[ch->out.n_reject++];
	r->line = line;
	va_start(ap, fmt);
	vsnprintf(r->reason, sizeof(r->reason), fmt, ap);
	va_end(ap);
}

struct store_op *chunk_op(struct chunk *ch, enum store_op_kind kind, const void *row, const void *bytes, size_t len,
			  uint64_t line)
{
	struct store_op *op;

	if (ch->n_lines == ch->lines_cap) {
		size_t cap = ch->lines_cap ? ch->lines_cap * 2 : 256;
		uint64_t *l = realloc(ch->line, cap * sizeof(*l));

		if (!l) {
			ch->oom = true;
			return NULL;
		}
		ch->line = l;
		ch->lines_cap = cap;
	}
	op = store_batch_add(ch->batch, kind, row, bytes, len);
	if (!op)
		ch->oom = true;
	else
		ch->line[ch->n_lines++] = line;
	return op;
}

/* Before anything is read: is this the chunk that is due?  1 go on, 0 answered. */
static int chunk_due(struct api *a, struct session *s, uint64_t first, size_t len, struct api_to to)
{
	if (s->busy) {
		api_fail(to, API_NOT_READY, "busy", "the chunk before is still being committed: send this one again");
	} else if (len > API_CHUNK_BYTES_MAX) {
		api_fail(to, API_TOO_LARGE, "too-large", "a chunk may have %d octets", API_CHUNK_BYTES_MAX);
	} else if (first == s->last_first && first) {
		struct api_reply r = { .status = API_OK, .lines = &s->last };

		to.done(to.ctx, &r);
	} else if (first != s->next_line) {
		api_fail(to, API_REFUSED, "wrong-line",
			 "line %" PRIu64 " is expected next, the chunk begins with line %" PRIu64, s->next_line, first);
	} else {
		return 1;
	}
	return 0;
}

/* The chunk was not taken: when the header was in it, it comes again with it. */
static void header_again(struct session *s, const struct chunk *ch)
{
	if (ch->header)
		s->n_columns = 0;
}

static int read_records(struct api *a, struct session *s, struct chunk *ch, char *text, size_t len, header_fn *header,
			line_fn *each, char *why, size_t cap)
{
	struct csv csv;
	struct csv_record r;
	int rc;

	csv_init(&csv, text, len, ch->first);
	while ((rc = csv_next(&csv, &r)) != 0) {
		if (csv.line - ch->first > API_CHUNK_LINES_MAX) {
			snprintf(why, cap, "a chunk may have %d lines", API_CHUNK_LINES_MAX);
			return API_TOO_LARGE;
		}
		if (csv.line > API_LIST_LINES_MAX) {
			snprintf(why, cap, "a list may have %d lines: split it", API_LIST_LINES_MAX);
			return API_TOO_LARGE;
		}
		if (!s->n_columns) {
			if (rc < 0) {
				snprintf(why, cap, "line %" PRIu64 " must name the columns: %s", r.line,
					 csv_strerror(rc));
				return API_BAD;
			}
			ch->header = true;
			if (header(s, &r, why, cap))
				return API_BAD;
			continue;
		}
		if (rc < 0)
			chunk_reject(ch, r.line, "%s", csv_strerror(rc));
		else if (r.n != s->n_columns)
			chunk_reject(ch, r.line, "the line has %u columns, the header has %u", r.n, s->n_columns);
		else
			each(a, s, ch, &r);
		ks_wipe(r.start, r.len);
	}
	ch->next_line = csv.line;
	return 0;
}

struct chunk *chunk_open(struct api *a, struct session *s, uint64_t first, size_t len, struct api_to to)
{
	struct chunk *ch = chunk_due(a, s, first, len, to) ? call_new(a, sizeof(*ch), to, chunk_drop) : NULL;

	if (!ch)
		return NULL;
	snprintf(ch->session, sizeof(ch->session), "%s", s->id);
	ch->first = first;
	ch->batch = store_batch_new();
	ch->oom = !ch->batch;
	if (ch->batch)
		ch->batch->dry_run = s->dry_run;
	return ch;
}

struct chunk *chunk_read(struct api *a, struct session *s, uint64_t first, char *text, size_t len, struct api_to to,
			 header_fn *header, line_fn *each)
{
	struct chunk *ch = chunk_open(a, s, first, len, to);
	char why[API_REASON_MAX] = "";
	int bad = 0;

	if (ch && !ch->oom)
		bad = read_records(a, s, ch, text, len, header, each, why, sizeof(why));
	ks_wipe(text, len);
	s->touched_ms = api_now(a);
	if (!ch)
		return NULL;
	if (bad || ch->oom) {
		header_again(s, ch);
		if (bad)
			api_fail(to, (enum api_status)bad, bad == API_BAD ? "bad-header" : "too-large", "%s", why);
		else
			api_fail(to, API_NOT_READY, "no-memory", "out of memory: send this chunk again later");
		call_free(&ch->call);
		return NULL;
	}
	s->busy = true;
	return ch;
}

void chunk_commit(struct chunk *ch, void (*done)(struct store_batch *b, int rc))
{
	ch->batch->done = done;
	ch->batch->ctx = ch;
	if (ch->batch->n)
		ch->call.a->deps.store->ops->commit(ch->call.a->deps.store, ch->batch);
	else
		done(ch->batch, STORE_OK);
}

static int by_line(const void *a, const void *b)
{
	const struct api_reject *x = a, *y = b;

	return x->line < y->line ? -1 : x->line > y->line;
}

void chunk_end(struct chunk *ch, struct session *s)
{
	struct api_to to = ch->call.to;
	struct api_reply r = { .status = API_OK, .lines = &ch->out };

	if (ch->reject)
		qsort(ch->reject, ch->out.n_reject, sizeof(*ch->reject), by_line);
	ch->out.reject = ch->reject;
	ch->out.rejected = ch->out.n_reject;
	ch->out.next_line = ch->next_line;
	if (s) {
		s->busy = false;
		s->touched_ms = api_now(ch->call.a);
		s->next_line = s->total.next_line = ch->next_line;
		s->last_first = ch->first;
		s->total.accepted += ch->out.accepted;
		s->total.updated += ch->out.updated;
		s->total.unchanged += ch->out.unchanged;
		s->total.filtered += ch->out.filtered;
		s->total.may_have_run += ch->out.may_have_run;
		s->taken += ch->n_rows;
		s->total.rejected += ch->out.rejected;
		s->total.packets += ch->out.packets;
		s->total.sms_parts += ch->out.sms_parts;
		for (unsigned i = 0; i < ROUTES_MAX; i++)
			s->total.route_parts[i] += ch->out.route_parts[i];
		s->total.seen += ch->out.seen;
		free((void *)s->last.reject);
		s->last = ch->out;
		ch->reject = NULL; /* the session's now */
	}
	to.done(to.ctx, &r);
	call_free(&ch->call);
}

void chunk_failed(struct chunk *ch, struct session *s, int rc, const char *why)
{
	struct api *a = ch->call.a;
	struct api_to to = ch->call.to;

	if (s) {
		s->busy = false;
		header_again(s, ch);
	}
	api_fail_store(a, to, rc, why);
	call_free(&ch->call);
}
