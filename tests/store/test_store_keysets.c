/* test_store_keysets.c - what a second import does to a card's keysets, asked of every backend.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "contract_fix.h"

/* Card 1 as it was made, its second import still to be changed. */
static struct store_card_insert again(struct fix *f, unsigned keysets)
{
	struct store_card_insert in = card_make(1, keysets);

	in.card.tz_min = CARD_TZ_KEEP;
	return in;
}

/* The last line of the card's story, and how many there are. */
static unsigned story(struct fix *f, uint64_t card, const char *text)
{
	static struct store_story rows[16];
	unsigned n = query(f, Q_CARD_STORY, card, NULL, rows, 16);

	assert_true(n > 0);
	assert_string_equal(rows[n - 1].row.text, text);
	assert_int_equal(rows[n - 1].row.kind, STORY_NOTE);
	assert_int_equal(rows[n - 1].row.at_ms, T0);
	return n;
}

static void keys_other(struct keyset_row *k)
{
	k->sealed[0] ^= 0x80;
}

static int import(struct fix *f, struct store_card_insert *in)
{
	return one(f, ST_CARD_INSERT, in, NULL, 0);
}

/* The keysets are these and no others, in order of version. */
static void holds(struct fix *f, uint64_t card, const struct keyset_row *k, unsigned n)
{
	const struct card_bundle *c = fetch(f, card);

	assert_int_equal(c->n_keysets, n);
	for (unsigned i = 0; i < n; i++)
		assert_memory_equal(&c->keyset[i], &k[i], sizeof(k[i]));
}

static struct keyset_row kept[CARD_KEYSETS_MAX];

static uint64_t card_kept(struct fix *f)
{
	uint64_t card = card_in(f, 1);

	memcpy(kept, fetch(f, card)->keyset, sizeof(kept));
	return card;
}

/* The same generation: the counter rises and never falls, and what had been proven of it says no more who spent it. */
static void test_raise(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_kept(f);
	struct store_card_insert in = again(f, 2);
	struct keyset_row k = kept[1];

	k.cntr = k.cntr_proven = 120;
	k.epoch = 3;
	assert_int_equal(one(f, ST_KEYSET_CNTR, &k, NULL, 0), 0);
	kept[1] = k;

	in.keyset[1].cntr = 119; /* lower */
	in.keyset[1].epoch = 9;
	assert_int_equal(import(f, &in), STORE_R_SAME);
	assert_int_equal(in.card.id, card);
	assert_int_equal(in.change[0], KEYSET_KEPT);
	assert_int_equal(in.change[1], KEYSET_KEPT);
	holds(f, card, kept, 2);
	assert_memory_equal(&in.keyset[1], &kept[1], sizeof(k)); /* what stands there is told */

	in = again(f, 2);
	in.keyset[1].cntr = 500;
	in.keyset[1].epoch = 9; /* how old a list is nobody knows: a restored counter stays one */
	assert_int_equal(import(f, &in), STORE_R_UPDATED);
	assert_int_equal(in.change[0], KEYSET_KEPT);
	assert_int_equal(in.change[1], KEYSET_RAISED);
	kept[1].cntr = 500;
	kept[1].cntr_proven = 0;
	holds(f, card, kept, 2);
	assert_memory_equal(&in.keyset[1], &kept[1], sizeof(k));
	assert_int_equal(
		story(f, card,
		      "import: key version 2, generation 7: its counter has been spent by others; last counter "
		      "500"),
		1);
	/* the core's own counter, taken before: it goes up from there as always */
	k.cntr = 121;
	assert_int_equal(one(f, ST_KEYSET_CNTR, &k, NULL, 0), 0);
	assert_int_equal(fetch(f, card)->keyset[1].cntr, 500);
	assert_int_equal(fetch(f, card)->keyset[1].cntr_proven, 0); /* it did not know */
	k.cntr = 501;
	k.cntr_proven = 501;
	assert_int_equal(one(f, ST_KEYSET_CNTR, &k, NULL, 0), 0);
	assert_int_equal(fetch(f, card)->keyset[1].cntr_proven, 501);
}

/* Keys that have gone: the version stands there without them, is found by no filter, and other ones may take its place. */
static void test_gone(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_kept(f);
	struct store_card_insert in = again(f, 1);
	struct keyset_row *k = &in.keyset[0];

	k->generation = GEN0 + 1;
	k->sealed_len = 0;
	memset(k->sealed, 0, sizeof(k->sealed));
	assert_int_equal(import(f, &in), STORE_R_UPDATED);
	assert_int_equal(in.change[0], KEYSET_REPLACED);
	kept[0] = *k;
	holds(f, card, kept, 2);
	in = again(f, 1);
	in.keyset[0].generation = GEN0; /* what had gone does not come back by an old list */
	assert_int_equal(import(f, &in), STORE_R_OLD_GENERATION);
	in.keyset[0].generation = GEN0 + 2;
	assert_int_equal(import(f, &in), STORE_R_UPDATED);
	assert_int_equal(fetch(f, card)->keyset[0].sealed_len, in.keyset[0].sealed_len);
}

/* A higher generation: new keys with their own algorithms and counter, also a lower one. */
static void test_replace(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_kept(f);
	struct store_card_insert in = again(f, 1);
	struct keyset_row stale = kept[0], *k = &in.keyset[0];

	stale.cntr = 40000;
	stale.cntr_proven = 39999;
	k->generation = GEN0 + 2;
	k->kic_alg = k->kid_alg = 5;
	k->cc_len = 4;
	k->cntr = 3;
	k->epoch = 11;
	k->cntr_proven = 77; /* whatever it says */
	k->sealed_len = 100;
	keys_other(k);
	assert_int_equal(import(f, &in), STORE_R_UPDATED);
	assert_int_equal(in.change[0], KEYSET_REPLACED);
	kept[0] = *k;
	assert_int_equal(k->cntr, 3);
	assert_int_equal(k->cntr_proven, 0);
	assert_int_equal(k->card, card);
	assert_int_equal(fetch(f, card)->keyset[0].cntr, 3);
	assert_int_equal(fetch(f, card)->keyset[0].cc_len, 4);
	assert_int_equal(fetch(f, card)->keyset[0].kic_alg, 5);
	assert_int_equal(fetch(f, card)->keyset[0].sealed_len, 100);
	assert_memory_equal(fetch(f, card)->keyset[0].sealed, kept[0].sealed, 100);
	assert_memory_equal(&fetch(f, card)->keyset[1], &kept[1], sizeof(kept[1]));

	assert_int_equal(story(f, card, "import: key version 1, generation 9: replaced; last counter 3"), 1);

	/* what somebody still says of the counter that has gone does not touch the new one */
	assert_int_equal(one(f, ST_KEYSET_CNTR, &stale, NULL, 0), STORE_R_OLD_GENERATION);
	assert_int_equal(fetch(f, card)->keyset[0].cntr, 3);
	assert_int_equal(fetch(f, card)->keyset[0].cntr_proven, 0);
	stale.generation = GEN0 + 3; /* nor of one that never was */
	assert_int_equal(one(f, ST_KEYSET_CNTR, &stale, NULL, 0), STORE_R_OLD_GENERATION);
	assert_int_equal(fetch(f, card)->keyset[0].cntr, 3);

	/* the old list again: refused, and its other keyset with it */
	in = again(f, 2);
	in.keyset[1].cntr = 900;
	in.card.tz_min = 60;
	assert_int_equal(import(f, &in), STORE_R_OLD_GENERATION);
	assert_int_equal(in.refused_kvn, 1);
	assert_int_equal(in.known_generation, GEN0 + 2);
	assert_int_equal(fetch(f, card)->keyset[1].cntr, 100);
	assert_int_equal(fetch(f, card)->card.tz_min, 0);
}

/* The same keys under a higher generation: a card that has met a value refuses it, whatever the keys are called. */
static void test_renamed(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_kept(f);
	struct store_card_insert in = again(f, 1);
	struct keyset_row stale = kept[0];

	for (unsigned i = 1; i <= 3; i++) { /* of another version, of other keys, and of these */
		struct cmd_row cmd = cmd_make(i, card, CMD_EXPIRED);

		cmd.kvn = i == 1 ? 2 : 1;
		cmd.generation = i == 2 ? GEN0 - 1 : GEN0;
		assert_int_equal(one(f, ST_CMD_PUT, &cmd, NULL, 0), 0);
	}
	in.keyset[0].generation = GEN0 + 1;
	in.keyset[0].cntr = 5;
	in.keyset[0].epoch = 6;
	assert_int_equal(import(f, &in), STORE_R_UPDATED);
	assert_int_equal(in.change[0], KEYSET_REPLACED);
	assert_int_equal(fetch(f, card)->keyset[0].generation, GEN0 + 1);
	assert_int_equal(fetch(f, card)->keyset[0].cntr, 100);
	assert_int_equal(fetch(f, card)->keyset[0].epoch, kept[0].epoch);
	assert_int_equal(fetch(f, card)->cmd[0].generation, GEN0 + 1); /* what went out before is under them, too */
	assert_int_equal(fetch(f, card)->cmd[1].generation, GEN0 - 1); /* of keys before these */
	assert_int_equal(fetch(f, card)->cmd[2].generation, GEN0);     /* of another version */
	/* a value taken by somebody who did not know yet counts, too */
	stale.cntr = 103;
	assert_int_equal(one(f, ST_KEYSET_CNTR, &stale, NULL, 0), 0);
	assert_int_equal(fetch(f, card)->keyset[0].cntr, 103);
	assert_int_equal(fetch(f, card)->keyset[0].generation, GEN0 + 1);
	in.keyset[0] = again(f, 1).keyset[0];
	in.keyset[0].generation = GEN0 + 2;
	in.keyset[0].cntr = 200;
	assert_int_equal(import(f, &in), STORE_R_UPDATED);
	assert_int_equal(fetch(f, card)->keyset[0].cntr, 200);
}

/* Other keys under a generation that is known are somebody's mistake: in the record, or only in what stands beside it. */
static void test_other_keys(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_kept(f);
	struct store_card_insert in;

	for (unsigned what = 0; what < 5; what++) {
		in = again(f, 2);
		in.keyset[0].cntr = 800; /* all or nothing */
		in.card.tz_min = 60;
		if (what == 0)
			keys_other(&in.keyset[1]);
		else if (what == 1)
			in.keyset[1].kic_alg = 1;
		else if (what == 2)
			in.keyset[1].kid_alg = 1;
		else if (what == 3)
			in.keyset[1].cc_len = 4;
		else
			in.keyset[1].sealed_len--;
		assert_int_equal(import(f, &in), STORE_R_OTHER_KEYS);
		assert_int_equal(in.refused_kvn, 2);
		assert_int_equal(in.known_generation, GEN0);
		holds(f, card, kept, 2);
		assert_int_equal(fetch(f, card)->card.tz_min, 0);
	}
}

static void test_more_versions(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_kept(f);
	struct store_card_insert in = again(f, 2);

	in.keyset[0].kvn = 15;
	in.keyset[1].kvn = 3;
	assert_int_equal(import(f, &in), STORE_R_UPDATED);
	assert_int_equal(in.change[0], KEYSET_NEW);
	assert_int_equal(in.keyset[0].card, card);
	kept[2] = in.keyset[1];
	kept[3] = in.keyset[0];
	holds(f, card, kept, 4);
	assert_int_equal(story(f, card, "import: key version 3, generation 7: one more key version; last counter 100"),
			 2);
	assert_int_equal(import(f, &in), STORE_R_SAME);
	story(f, card, "import: key version 3, generation 7: one more key version; last counter 100");
	in = again(f, 2);
	in.keyset[0].cntr = 700;
	in.keyset[1].kvn = 9;
	assert_int_equal(import(f, &in), STORE_R_KEYSETS_FULL);
	assert_int_equal(in.refused_kvn, 9);
	holds(f, card, kept, 4);
	/* the new version can be used at once */
	campaign_in(f, 1, "c", CAMPAIGN_RUNNING);
	assert_int_equal(txn_in(f, 1, 1, 1).card, card);
	/* a card that came without any */
	in = card_make(2, 0);
	assert_int_equal(import(f, &in), 0);
	in = card_make(2, 1);
	assert_int_equal(import(f, &in), STORE_R_UPDATED);
	assert_int_equal(fetch(f, in.card.id)->n_keysets, 1);
}

/* While a command is open its keys stay: nobody could open the answer.  Its counter may rise; other versions are free. */
static void test_in_use(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_kept(f);
	struct store_card_insert in;
	struct cmd_row cmd;

	for (int st = CMD_QUEUED; st < _CMD_STATES; st++) {
		bool open = st <= CMD_WAIT_PRESENCE;

		cmd = cmd_make(1, card, (enum cmd_state)st);
		cmd.kvn = 2;
		assert_int_equal(one(f, ST_CMD_PUT, &cmd, NULL, 0), 0);
		in = again(f, 2);
		in.keyset[0].cntr = 200 + (unsigned)st;
		in.keyset[1].generation = GEN0 + 1 + (unsigned)st;
		assert_int_equal(import(f, &in), open ? STORE_R_OPEN_TXN : STORE_R_UPDATED);
		if (open) {
			assert_int_equal(in.refused_kvn, 2);
			assert_int_equal(in.known_generation, GEN0);
			holds(f, card, kept, 2);
		}
		assert_int_equal(fetch(f, card)->cmd[0].generation, cmd.generation);
	}
	cmd.state = CMD_SENT;
	cmd.generation = 5;
	assert_int_equal(one(f, ST_CMD_PUT, &cmd, NULL, 0), 0);
	assert_int_equal(fetch(f, card)->cmd[0].generation, 5);
	in = again(f, 2);
	in.keyset[0].generation = GEN0 + 1;
	in.keyset[1] = fetch(f, card)->keyset[1];
	in.keyset[1].cntr = 4000;
	assert_int_equal(import(f, &in), STORE_R_UPDATED);
	assert_int_equal(fetch(f, card)->keyset[0].generation, GEN0 + 1);
	assert_int_equal(fetch(f, card)->keyset[1].cntr, 4000);
	/* another card's command is no obstacle */
	in = card_make(2, 2);
	assert_int_equal(import(f, &in), 0);
	in.keyset[1].generation++;
	assert_int_equal(import(f, &in), STORE_R_UPDATED);
}

/* A dry run says what would be and leaves all as it is; in one batch a line sees what the one before has done. */
static void test_lines(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_kept(f);
	struct store_card_insert in = again(f, 1);

	in.keyset[0].generation++;
	in.keyset[0].cntr = 300;
	add(f, ST_CARD_INSERT, &in, NULL, 0);
	f->b->dry_run = true;
	assert_int_equal(commit_rc(f), STORE_OK);
	assert_int_equal(f->b->ops[0].rc, STORE_R_UPDATED);
	store_batch_reset(f->b);
	f->b->dry_run = false;
	holds(f, card, kept, 2);

	in = again(f, 1);
	in.keyset[0].generation++;
	for (unsigned i = 0; i < 3; i++) {
		in.keyset[0].cntr = 300 - 100 * (i % 2);
		add(f, ST_CARD_INSERT, &in, NULL, 0);
	}
	in.keyset[0].generation--;
	add(f, ST_CARD_INSERT, &in, NULL, 0);
	assert_int_equal(commit_rc(f), STORE_OK);
	assert_int_equal(f->b->ops[0].rc, STORE_R_UPDATED);
	assert_int_equal(f->b->ops[1].rc, STORE_R_SAME);
	assert_int_equal(f->b->ops[2].rc, STORE_R_SAME);
	assert_int_equal(f->b->ops[3].rc, STORE_R_OLD_GENERATION);
	store_batch_reset(f->b);
	assert_int_equal(fetch(f, card)->keyset[0].cntr, 300);
	reopen(f);
	assert_int_equal(fetch(f, card)->keyset[0].generation, GEN0 + 1);
	assert_int_equal(fetch(f, card)->keyset[0].cntr, 300);
}

/* What no front would ask for fails the batch, and nothing of it is done. */
static void test_cannot_be(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_kept(f);
	struct store_card_insert in;

	for (unsigned what = 0; what < 5; what++) {
		for (unsigned n = 1; n <= 2; n++) { /* of a known card, of a new one */
			in = card_make(n, 2);
			in.keyset[0].cntr = 999;
			if (what == 0)
				in.n_keysets = CARD_KEYSETS_MAX + 1;
			else if (what == 1)
				in.keyset[1].kvn = 0;
			else if (what == 2)
				in.keyset[1].kvn = KVN_MAX + 1;
			else if (what == 3)
				in.keyset[1].kvn = 1; /* twice */
			else
				in.keyset[1].sealed_len = KS_SEALED_MAX + 1;
			add(f, ST_CARD_INSERT, &in, NULL, 0);
			assert_int_equal(commit_rc(f), STORE_E_CORRUPT);
			store_batch_reset(f->b);
		}
	}
	holds(f, card, kept, 2);
	assert_int_equal(totals(f).cards, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_raise),	       T(test_gone),   T(test_replace), T(test_renamed),   T(test_other_keys),
		T(test_more_versions), T(test_in_use), T(test_lines),	T(test_cannot_be),
	};
	int rc = cmocka_run_group_tests_name("memory", tests, NULL, NULL);

	use_sqlite = true;
	return rc + cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
}
