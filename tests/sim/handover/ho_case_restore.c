/* ho_case_restore.c - a party's database is put back from a backup: taken at one moment of a hand-over, put back at another.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The moments stand where something happens to the one card: while B takes its swap order (3b), before A knows of it, around the lists, STAGE,
 * ARM (11 s), its move (40 s), its confirmation and the end.  Whatever was forgotten, all judges hold, and the order ends.
 */
#include <stdio.h>
#include <string.h>

#include "ho.h"

static const struct {
	unsigned kind, policy;
	const char *name;
} kinds[] = {
	{ ORDER_3B, POLICY_DELIVER_FIRST, "3b" },
	{ ORDER_3A, POLICY_DELIVER_FIRST, "3a" },
	{ ORDER_3B, POLICY_ACTIVATE_FIRST, "3b, activate-then-deliver" },
	{ ORDER_3A, POLICY_ACTIVATE_FIRST, "3a, activate-then-deliver" },
	{ ORDER_3A, POLICY_ESCROW, "3a, escrow" },
};
static const int64_t taken_ms[] = { 1266, 2500, 4000, 5100, 6000, 6800, 8000, 9000, 10700, 11600, 15000, 41100, 41400 };
static const int64_t back_ms[] = { 5500, 7000, 10000, 11400, 11800, 20000, 40500, 41300, 41700, 42500, 44000, 60000 };
static const unsigned parties[] = { HO_A, HO_M, HO_B };

#define IL_MS	1500 /* the IL is out: README.md says what 3a makes of books from before it */
#define N(list) (sizeof(list) / sizeof((list)[0]))

static struct {
	unsigned kind, policy, who;
	int64_t taken_ms, back_ms;
} now; /* of the run under way: a process runs one at a time */

static void restore_draw(struct ho_draw *d)
{
	d->policy = now.policy;
	d->cards = 1;
	d->until_ms = 5 * HO_DAY;
	d->bound_ms = 30 * HO_DAY;
}

static void restore_act(struct ho *w)
{
	struct ho_party *p = &w->p[now.who];
	const int64_t at_ms = w->base_ms + (w->case_step ? now.back_ms : now.taken_ms);

	w->case_ms = w->case_step < 2 ? at_ms : 0;
	if (w->case_step == 2 || w->now_ms < at_ms || (!w->case_step && !p->store))
		return;
	if (w->case_step++) {
		ho_party_restore(p, w->backup);
		w->backup = NULL;
	} else {
		w->backup = store_mem_disk_copy(p->disk);
	}
}

static void restore_judge(struct ho *w)
{
	ho_must(w, w->case_step == 2, "no backup was put back");
}

int ho_restores(unsigned step)
{
	struct ho_case c = { "restore", "", restore_draw, restore_act, restore_judge, 0 };
	unsigned n = 0, at = 0;
	int bad = 0;

	for (size_t k = 0; k < N(kinds); k++)
		for (size_t t = 0; t < N(taken_ms); t++)
			for (size_t b = 0; b < N(back_ms) * N(parties); b++) {
				char why[600];

				now.kind = c.kind = kinds[k].kind;
				now.policy = kinds[k].policy;
				now.who = parties[b % N(parties)];
				now.taken_ms = taken_ms[t];
				now.back_ms = back_ms[b / N(parties)];
				if (now.back_ms <= now.taken_ms || at++ % step ||
				    (now.who == HO_M && now.kind == ORDER_3A) ||
				    (now.taken_ms < IL_MS && (now.who != HO_B || now.kind == ORDER_3A)))
					continue;
				n++;
				if (!ho_run(1, &c, HO_SOUND, false, why))
					continue;
				printf("restore: %s, party %u, taken at %.1f s and put back at %.1f s: %s\n",
				       kinds[k].name, now.who, (double)now.taken_ms / 1000, (double)now.back_ms / 1000,
				       why);
				bad = 1;
			}
	printf("%-8s a backup is put back at A, at B or at the vault, %u times%s: %s\n", "restore", n,
	       step > 1 ? " here" : "", bad ? "see above" : "as it must");
	return bad;
}
