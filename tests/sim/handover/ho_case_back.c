/* ho_case_back.c - hand-overs in words: an older copy of an operator's books is put back, and its changes at home are in files beside them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Copied at any commit, put back at any later one, in the midst of the change or behind it; and then each card has the keys of the books
 * and the register, whichever that are, and takes one more change.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ho.h"

#define ALL	      (CHANGE_OTA | CHANGE_K | CHANGE_OPC)
#define BACK_STEP     17 /* of all commits, when all cases run */
#define BACK_STEP_ONE 5	 /* with --case R1 */

static bool leg(struct ho *w)
{
	const unsigned last = w->c->legs;

	if (w->leg > last)
		return false;
	w->p[HO_A].commits = 0;
	return ho_change_give(w, HO_A, w->leg < last ? w->c->what[w->leg] : ALL, ho_cards_at(w, HO_A));
}

static void files_lose(struct ho *w)
{
	char path[300];

	for (unsigned i = 0; i < w->n_orders; i++) {
		snprintf(path, sizeof(path), "%s/changes/%s.keys", w->p[HO_A].dir, w->order[i].name);
		unlink(path);
	}
}

/* Its operator looks whether all is through that the books know, and orders it again if it is not there, or only a part of it. */
static bool looked(const struct ho_party *a)
{
	if (!a->started || !desk_ready(a->desk))
		return false;
	for (unsigned i = 0; i < desk_orders(a->desk); i++)
		if (desk_order(a->desk, i)->whole || desk_order(a->desk, i)->closed < desk_order(a->desk, i)->lines)
			return false;
	return true;
}

static void act(struct ho *w)
{
	struct ho_party *a = &w->p[HO_A];
	struct ho_order *o = &w->order[w->leg_first];

	if (!w->leg && !w->case_step && a->commits >= w->c->back_at && a->store) {
		w->backup = store_mem_disk_copy(a->disk);
		w->case_step = 1;
	} else if (w->leg + 1 == w->c->legs && w->case_step == 1 && (a->commits >= w->c->restore_at || w->ended_ms)) {
		*w->c->restored = !w->ended_ms;
		if (w->c->no_files)
			files_lose(w);
		ho_party_restore(a, w->backup);
		w->backup = NULL;
		w->case_step = 2;
		w->ended_ms = 0;
		o->ended_ms = 0;
		o->given = true;
	} else if (w->case_step == 2 && looked(a)) {
		o->given = false;
		o->asked = 0;
		w->case_step = 3;
	}
}

static void judge(struct ho *w)
{
	for (unsigned i = 0; i < w->d.cards; i++)
		ho_must_end(w, i, END_DONE);
	if (w->leg + 1 == w->c->legs)
		ho_must(w, w->case_step != 1, "no backup was put back");
}

static void draw(struct ho_draw *d)
{
	ho_one_card(d);
	d->bound_ms = 10 * HO_DAY;
}

static const struct ho_case backs[] = {
	{ "R1", "all keys of a card", draw, act, judge, ORDER_3A, .leg = leg, .legs = 1, .what = { ALL } },
	{ "R2", "its OTA keys", draw, act, judge, ORDER_3A, .leg = leg, .legs = 1, .what = { CHANGE_OTA } },
	{ "R3", "its K", draw, act, judge, ORDER_3B, .leg = leg, .legs = 1, .what = { CHANGE_K } },
	{ "R4", "all keys, twice, and the books are of the first time", draw, act, judge, ORDER_3A, .leg = leg,
	  .legs = 2, .what = { ALL, CHANGE_OTA } },
	{ "R5", "its OTA keys, then its K", draw, act, judge, ORDER_3B, .leg = leg, .legs = 2,
	  .what = { CHANGE_OTA, CHANGE_K } },
};

/* Copied at every step-th commit, put back at every step-th behind it. */
static int through(const struct ho_case *what, unsigned step)
{
	unsigned n = 0;
	int bad = 0;

	for (unsigned back = 1; back; back += step) {
		bool copied = false, restored = true;

		for (unsigned at = what->legs > 1 ? 1 : back + 1; restored; at += step) {
			struct ho_case c = *what;
			char why[600];

			c.back_at = back;
			c.restore_at = at;
			c.restored = &restored;
			restored = false;
			if (ho_run(1, &c, HO_SOUND, false, why)) {
				printf("%s: copied at commit %u, put back at %u: %s\n", c.name, back, at, why);
				bad = 1;
			}
			copied |= restored;
			n++;
		}
		if (!copied)
			break;
	}
	printf("%-8s A's books of any time of a change at home are put back, %s, %u times: %s\n", what->name,
	       what->story, n, bad ? "see above" : "as it must");
	return bad;
}

/* Without the files a card is lost: else the cases prove nothing. */
static int without(void)
{
	bool restored = false;
	struct ho_case c = backs[1];
	char why[600];
	int lost;

	c.back_at = 4;
	c.restore_at = 17;
	c.restored = &restored;
	c.no_files = true;
	lost = ho_run(1, &c, HO_SOUND, false, why);
	printf("%-8s the same, and its files are lost, too: %s\n", "R0",
	       lost ? "nobody finds the card any more, as it must" : "nobody has noticed");
	return !lost;
}

int ho_back_all(const char *name, bool every)
{
	int bad = !name || !strcmp(name, "R0") ? without() : 0;

	for (size_t i = 0; i < sizeof(backs) / sizeof(backs[0]); i++)
		if (!name || !strcmp(name, backs[i].name))
			bad |= through(&backs[i], every ? BACK_STEP_ONE : BACK_STEP);
	return bad;
}
