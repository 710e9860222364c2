/* api_order.c - orders between operators as they stand in the books, and what operators order of the desk.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What is shown is read from the store: it is durable, and what an order's own page in memory says is never ahead of it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../desk/vault.h"
#include "api_int.h"
#include "exchange_tls.h"
#include "ota/nearest.h"

static bool off(struct api *a, struct api_to to)
{
	if (a->desk)
		return false;
	api_fail(to, API_REFUSED, "no-exchange",
		 "there is no node \"exchange\" in the config: orders between operators need one");
	return true;
}

/* ------------------------------------------------------------------------------------------ pages of a book */

struct book_call {
	struct call call;
	struct store_query q, order;
	struct store_book one; /* the order */
	struct store_book_count count[API_STEPS_MAX];
	uint8_t book;
	unsigned limit;
	uint16_t step; /* 0: all */
	char name[PKG_WORD_MAX + 1], after[BOOK_KEY_MAX];
	void (*then)(struct book_call *c); /* the order has been read */
	struct store_book *row;
};

static void book_drop(struct call *c)
{
	free(((struct book_call *)c)->row);
}

static void page_done(struct store_query *q, int rc)
{
	struct book_call *c = q->ctx;
	struct api_books page = { .book = c->book, .row = c->row, .n = q->n };
	struct api_reply r = { .status = API_OK, .books = &page };

	if (rc) {
		api_fail_store(c->call.a, c->call.to, rc, q->why);
	} else {
		page.next = q->n == q->limit ? c->row[q->n - 1].row.key : NULL;
		c->call.to.done(c->call.to.ctx, &r);
	}
	call_free(&c->call);
}

static void page_ask(struct book_call *c, uint64_t owner)
{
	struct api *a = c->call.a;

	c->row = calloc(c->limit, sizeof(*c->row));
	if (!c->row) {
		api_fail(c->call.to, API_NOT_READY, "no-memory", "out of memory: try again later");
		call_free(&c->call);
		return;
	}
	c->q = (struct store_query){ .kind = c->step ? Q_BOOK_STEP : Q_BOOK_OWNER,
				     .book = c->book,
				     .id = owner,
				     .step = c->step,
				     .limit = c->limit,
				     .out = c->row,
				     .done = page_done,
				     .ctx = c };
	memcpy(c->q.key, c->after, sizeof(c->q.key));
	a->deps.store->ops->query(a->deps.store, &c->q);
}

static struct book_call *page_new(struct api *a, enum book book, const char *after, unsigned limit, struct api_to to)
{
	struct book_call *c;

	if (off(a, to))
		return NULL;
	if (limit < 1 || limit > API_BOOK_ROWS_MAX) {
		api_fail(to, API_BAD, "bad-limit", "limit must be 1 to %d", API_BOOK_ROWS_MAX);
		return NULL;
	}
	if (strlen(after) >= BOOK_KEY_MAX) {
		api_fail(to, API_BAD, "bad-after", "after must be what \"next\" said");
		return NULL;
	}
	c = call_new(a, sizeof(*c), to, book_drop);
	if (!c)
		return NULL;
	c->book = (uint8_t)book;
	c->limit = limit;
	snprintf(c->after, sizeof(c->after), "%s", after);
	return c;
}

void api_orders(struct api *a, const char *after, unsigned limit, struct api_to to)
{
	struct book_call *c = page_new(a, BOOK_ORDER, after, limit, to);

	if (c)
		page_ask(c, 0);
}

void api_vault_cards(struct api *a, const char *after, unsigned limit, struct api_to to)
{
	struct book_call *c = page_new(a, BOOK_CARD, after, limit, to);

	if (c)
		page_ask(c, 0);
}

void api_vault_ledger(struct api *a, const char *after, unsigned limit, struct api_to to)
{
	struct book_call *c = page_new(a, BOOK_LEDGER, after, limit, to);

	if (c)
		page_ask(c, 0);
}

/* ------------------------------------------------------------------------------------------ of one order */

static void order_read(struct store_query *q, int rc)
{
	struct book_call *c = q->ctx;

	if (!rc && q->n) {
		c->then(c);
		return;
	}
	if (rc)
		api_fail_store(c->call.a, c->call.to, rc, q->why);
	else
		api_fail(c->call.to, API_NOT_FOUND, "no-such-order",
			 "there is no order %.64s here; 'otactl order list' names them", c->name);
	call_free(&c->call);
}

static void with_order(struct book_call *c, const char *name, void (*then)(struct book_call *c))
{
	struct api *a = c->call.a;

	snprintf(c->name, sizeof(c->name), "%.64s", name);
	c->then = then;
	c->order = (struct store_query){
		.kind = Q_BOOK_GET, .book = BOOK_ORDER, .limit = 1, .out = &c->one, .done = order_read, .ctx = c
	};
	snprintf(c->order.key, sizeof(c->order.key), "%.63s", name);
	a->deps.store->ops->query(a->deps.store, &c->order);
}

static uint64_t number_of(const struct book_call *c)
{
	struct order o;

	return order_unpack(&o, c->one.body, c->one.row.len) ? 0 : o.number;
}

static void page_of_order(struct book_call *c)
{
	char key[BOOK_KEY_MAX];

	if (c->book == BOOK_LINE && *c->after) { /* pages of lines go by the ICCID */
		snprintf(key, sizeof(key), "%016" PRIx64 "/%.20s", number_of(c), c->after);
		memcpy(c->after, key, sizeof(c->after));
	}
	page_ask(c, number_of(c));
}

static bool step_of(const char *word, uint16_t *step, struct api_to to)
{
	const char *list[_LINE_STEPS], *near;
	size_t n = 0;

	*step = 0;
	if (!word || !*word)
		return true;
	for (uint16_t i = 1; i < _LINE_STEPS; i++) {
		if (!strcmp(line_step_name(i), word)) {
			*step = i;
			return true;
		}
		list[n++] = line_step_name(i);
	}
	near = nearest_word(word, list, n);
	api_fail(to, API_BAD, "bad-step", "there is no step \"%.40s\"%s%s%s", word, near ? "; did you mean \"" : "",
		 near ? near : "", near ? "\"?" : "");
	return false;
}

void api_order_lines(struct api *a, const char *name, const char *step, const char *after, unsigned limit,
		     struct api_to to)
{
	struct book_call *c;
	uint16_t number;

	if (!step_of(step, &number, to))
		return;
	c = page_new(a, BOOK_LINE, after, limit, to);
	if (!c)
		return;
	c->step = number;
	with_order(c, name, page_of_order);
}

void api_parcels(struct api *a, bool out, const char *order, const char *after, unsigned limit, struct api_to to)
{
	struct book_call *c = page_new(a, out ? BOOK_OUT : BOOK_IN, after, limit, to);

	if (!c)
		return;
	if (order && *order)
		with_order(c, order, page_of_order);
	else /* of no order that is known here */
		page_ask(c, 0);
}

static void counted(struct store_query *q, int rc)
{
	struct book_call *c = q->ctx;
	struct api_books one = {
		.book = BOOK_ORDER, .row = &c->one, .n = 1, .count = c->count, .counts = q->n, .alone = true
	};
	struct api_reply r = { .status = API_OK, .books = &one };

	if (rc)
		api_fail_store(c->call.a, c->call.to, rc, q->why);
	else
		c->call.to.done(c->call.to.ctx, &r);
	call_free(&c->call);
}

static void count_lines(struct book_call *c)
{
	struct api *a = c->call.a;

	c->q = (struct store_query){ .kind = Q_BOOK_COUNT,
				     .book = BOOK_LINE,
				     .id = number_of(c),
				     .limit = API_STEPS_MAX,
				     .out = c->count,
				     .done = counted,
				     .ctx = c };
	a->deps.store->ops->query(a->deps.store, &c->q);
}

void api_order_show(struct api *a, const char *name, struct api_to to)
{
	struct book_call *c = page_new(a, BOOK_ORDER, "", 1, to);

	if (c)
		with_order(c, name, count_lines);
}

/* ------------------------------------------------------------------------------------------ one record */

static void one_done(struct store_query *q, int rc)
{
	struct book_call *c = q->ctx;
	struct api_books one = { .book = c->book, .row = &c->one, .n = 1, .alone = true };
	struct api_reply r = { .status = API_OK, .books = &one };

	if (rc)
		api_fail_store(c->call.a, c->call.to, rc, q->why);
	else if (!q->n)
		api_fail(c->call.to, API_NOT_FOUND, "no-such-card", "the vault has no card %.20s", c->name);
	else
		c->call.to.done(c->call.to.ctx, &r);
	call_free(&c->call);
}

void api_vault_card(struct api *a, const char *iccid, struct api_to to)
{
	struct book_call *c = page_new(a, BOOK_CARD, "", 1, to);

	if (!c)
		return;
	snprintf(c->name, sizeof(c->name), "%.20s", iccid);
	c->q = (struct store_query){
		.kind = Q_BOOK_GET, .book = BOOK_CARD, .limit = 1, .out = &c->one, .done = one_done, .ctx = c
	};
	snprintf(c->q.key, sizeof(c->q.key), "%.20s", iccid);
	a->deps.store->ops->query(a->deps.store, &c->q);
}

/* ---- a package's file ---- */

static void file_done(struct store_query *q, int rc)
{
	static const char *const folders[] = { "out", "sent", "in", "held", "done", "refused" };
	struct book_call *c = q->ctx;
	struct parcel p;
	char path[512];
	struct api_reply r = { .status = API_OK, .file = path };

	if (rc) {
		api_fail_store(c->call.a, c->call.to, rc, q->why);
		call_free(&c->call);
		return;
	}
	if (q->n && !parcel_unpack(&p, c->one.body, c->one.row.len)) {
		for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
			FILE *f;

			snprintf(path, sizeof(path), "%s/%s/%s", exchange_dir(c->call.a->exchange), folders[i], p.file);
			f = fopen(path, "rbe");
			if (!f)
				continue;
			fclose(f);
			c->call.to.done(c->call.to.ctx, &r);
			call_free(&c->call);
			return;
		}
	}
	api_fail(c->call.to, API_NOT_FOUND, "no-such-package", "there is no package %.60s", c->q.key);
	call_free(&c->call);
}

void api_exchange_file(struct api *a, bool out, const char *partner, uint64_t seq, struct api_to to)
{
	struct book_call *c = page_new(a, out ? BOOK_OUT : BOOK_IN, "", 1, to);

	if (!c)
		return;
	c->q = (struct store_query){
		.kind = Q_BOOK_GET, .book = c->book, .limit = 1, .out = &c->one, .done = file_done, .ctx = c
	};
	if (strlen(partner) > PKG_NAME_MAX)
		partner = "";
	parcel_key(c->q.key, partner, seq);
	a->deps.store->ops->query(a->deps.store, &c->q);
}

/* ------------------------------------------------------------------------------------------ what is ordered */

struct desk_call_api {
	struct call call;
	char name[PKG_WORD_MAX + 1];
};

static void ordered(void *ctx, int rc, const char *text)
{
	struct desk_call_api *c = ctx;
	struct api_verb v = { .name = c->name, .state = text && *text ? text : "done" };
	struct api_reply r = { .status = API_OK, .verb = &v };

	if (rc)
		api_fail(c->call.to,
			 rc == -ENOENT ? API_NOT_FOUND :
			 rc == -ENOMEM ? API_NOT_READY :
					 API_REFUSED,
			 rc == -ENOENT	 ? "not-found" :
			 rc == -EALREADY ? "already" :
					   "refused",
			 "%s", text && *text ? text : strerror(-rc));
	else
		c->call.to.done(c->call.to.ctx, &r);
	call_free(&c->call);
}

void api_desk(struct api *a, const struct desk_request *req, struct api_to to)
{
	struct desk_request r = *req;
	struct desk_call_api *c;
	int rc;

	if (off(a, to))
		return;
	c = call_new(a, sizeof(*c), to, NULL);
	if (!c)
		return;
	snprintf(c->name, sizeof(c->name), "%s", *r.order ? r.order : *r.name ? r.name : r.partner);
	r.done = ordered;
	r.ctx = c;
	rc = desk_request(a->desk, &r);
	if (!rc) {
		if (a->deps.kick)
			a->deps.kick(a->deps.kick_ctx);
		return;
	}
	if (rc == -ENOSYS || rc == -ENOTSUP)
		api_fail(to, API_REFUSED, "not-our-role", "this is not ours to do: see 'role' under exchange");
	else
		api_fail(to, rc == -ENOBUFS ? API_NOT_READY : API_REFUSED, "refused",
			 rc == -ENOBUFS ? "too much is being ordered at once: try again in a moment" :
					  "the desk does not take it: %s",
			 strerror(-rc));
	call_free(&c->call);
}

/* ------------------------------------------------------------------------------------------ the exchange */

void api_exchange_look(struct api *a, struct api_exchange *out)
{
	*out = (struct api_exchange){ .n = 0 };
	if (!a->desk)
		return;
	out->on = true;
	desk_stats(a->desk, &out->stats);
	out->ready = desk_ready(a->desk);
	for (unsigned i = 0; i < desk_orders(a->desk); i++) {
		const struct order *o = desk_order(a->desk, i);

		out->orders++;
		if (*o->alarm && !out->alarms++)
			snprintf(out->alarm, sizeof(out->alarm), "order %.40s: %.150s", o->name, o->alarm);
	}
	if (a->exchange)
		out->n = exchange_views(a->exchange, out->partner, EXCHANGE_PARTNERS_MAX);
	for (unsigned i = 0; i < out->n; i++)
		out->waiting += out->partner[i].waiting;
}

void api_exchange(struct api *a, struct api_to to)
{
	struct api_exchange *x = calloc(1, sizeof(*x));
	struct api_reply r = { .status = API_OK, .exchange = x };

	if (!x) {
		api_fail(to, API_NOT_READY, "no-memory", "out of memory: try again later");
	} else if (!off(a, to)) {
		api_exchange_look(a, x);
		to.done(to.ctx, &r);
	}
	free(x);
}

void api_exchange_import(struct api *a, const char *path, struct api_to to)
{
	char err[API_TEXT_MAX] = "";
	struct api_verb v = { .name = path, .state = "taken" };
	struct api_reply r = { .status = API_OK, .verb = &v };

	if (off(a, to))
		return;
	if (path[0] != '/')
		api_fail(to, API_BAD, "bad-path", "\"%.200s\" must be a whole path, from / on", path);
	else if (exchange_import(a->exchange, path, err, sizeof(err)))
		api_fail(to, API_REFUSED, "refused", "%s", err);
	else
		to.done(to.ctx, &r);
}
