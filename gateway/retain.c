/* retain.c - old lines of the story and old packets go, a few at a time and beside everything else.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Once a day all cards are looked at, in steps that are short for the store's thread; store.h (struct store_trim) says what
 * stays.  After each step comes a pause many times as long as the step took from question to answer: a store that has
 * other things to do, or a slow disk, makes the steps rare by itself.
 */
#include <stdio.h>
#include <stdlib.h>

#include "retain.h"

#define DAY_MS	     (24 * 3600 * 1000LL)
#define FIRST_MS     60000 /* after the start: others have more to do then */
#define AGAIN_MS     60000 /* after a step that failed */
#define PAUSE_MS     50	   /* between steps at least */
#define PAUSE_FACTOR 20	   /* times what the step took */
#define STEP_CARDS   100
#define STEP_ROWS    200

struct retain {
	struct store *s;
	unsigned days;
	void (*log)(void *ctx, int level, const char *line);
	void *ctx;
	struct store_batch *b;
	bool asked, answered;
	int rc;
	int64_t asked_ms, due_ms; /* due_ms 0: never called yet */
	bool sweeping;
	int64_t sweep_ms; /* when this day's began */
	uint64_t card, removed;
};

struct retain *retain_new(struct store *s, unsigned days, void (*log)(void *ctx, int level, const char *line),
			  void *ctx)
{
	struct retain *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct retain){ .s = s, .days = days, .log = log, .ctx = ctx, .b = store_batch_new() };
	if (!r->b) {
		free(r);
		return NULL;
	}
	return r;
}

static void on_done(struct store_batch *b, int rc)
{
	struct retain *r = b->ctx;

	r->answered = true;
	r->rc = rc;
}

static void ask(struct retain *r, int64_t now_ms)
{
	struct store_trim t = { .cards = STEP_CARDS, .rows = STEP_ROWS };

	if (!r->sweeping) {
		r->sweeping = true;
		r->sweep_ms = now_ms;
		r->card = r->removed = 0;
	}
	t.before_ms = r->sweep_ms - r->days * DAY_MS;
	t.card = r->card;
	store_batch_reset(r->b);
	store_batch_add(r->b, ST_TRIM, &t, NULL, 0);
	r->b->done = on_done;
	r->b->ctx = r;
	r->asked = true;
	r->answered = false;
	r->asked_ms = now_ms;
	r->s->ops->commit(r->s, r->b);
}

static void sweep_end(struct retain *r)
{
	char line[120];

	r->sweeping = false;
	r->due_ms = r->sweep_ms + DAY_MS;
	if (!r->removed)
		return;
	snprintf(line, sizeof(line), "%llu lines of stories and packets older than %u days removed",
		 (unsigned long long)r->removed, r->days);
	r->log(r->ctx, 6, line);
}

static void take(struct retain *r, int64_t now_ms)
{
	const struct store_trim *t = r->b->ops[0].row;
	int64_t took_ms = now_ms - r->asked_ms;

	r->asked = false;
	if (r->rc) { /* the store says why where it matters, to the core */
		r->due_ms = now_ms + AGAIN_MS;
		return;
	}
	r->removed += t->removed;
	r->card = t->next;
	r->due_ms = now_ms + (took_ms * PAUSE_FACTOR > PAUSE_MS ? took_ms * PAUSE_FACTOR : PAUSE_MS);
	if (!t->more)
		sweep_end(r);
}

int64_t retain_run(struct retain *r, int64_t now_ms)
{
	if (!r->due_ms)
		r->due_ms = now_ms + FIRST_MS;
	if (r->asked && r->answered)
		take(r, now_ms);
	if (!r->asked && now_ms >= r->due_ms)
		ask(r, now_ms);
	return r->asked ? INT64_MAX : r->due_ms;
}

void retain_free(struct retain *r)
{
	if (!r)
		return;
	store_batch_free(r->b);
	free(r);
}
