/* test_desk_b_escrow.c - the new operator: keys that come locked, and what opens them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "b_bed.h"

#define ORDER "SO-7"
#define CARDS 2

static const struct desk_cfg with_pool = {
	.roles = DESK_MNO,
	.pool = { .imsi_from = "262020000000100", .imsi_to = "262020000000199", .plmns = "26202" },
	.hlr_poll_ms = 1000,
};

static const struct desk_tables tables = {
	.kinds = { NULL, desk_kinds_b },
	.works = { NULL, desk_works_b },
	.verbs = { NULL, desk_verbs_b },
	.event = { NULL, desk_event_b },
};

/* What A sends of card i. */
struct sent {
	struct bed *b;
	const char *policy, *evidence;
	unsigned first;
	bool open; /* a KE with K as it is */
	uint8_t release[CARDS][KS_RELEASE_LEN];
};

static const char *iccid_of(unsigned i, char out[24])
{
	snprintf(out, 24, "8988211%012u", i);
	return out;
}

static void make_so(struct ks_wrap *w, unsigned i, char out[BED_LINE_MAX], void *ctx)
{
	const struct sent *s = ctx;

	(void)w;
	snprintf(out, BED_LINE_MAX, "8988211%012u,3a,%s,operator-a,operator-b,,%lld", i, s->policy,
		 BED_NOW / 1000 + 86400 * 30);
}

static void make_pl(struct ks_wrap *w, unsigned i, char out[BED_LINE_MAX], void *ctx)
{
	(void)w;
	(void)ctx;
	snprintf(out, BED_LINE_MAX, "8988211%012u,26202%010u,1,1,1,m2m-sub", i, 100 + i);
}

static void keys_put(struct ks_wrap *w, const char *iccid, const struct ks_block *block, char *out, size_t cap)
{
	uint8_t wrapped[KS_BLOCK_MAX];
	int n = ks_block_wrap(w, iccid, block, wrapped);
	size_t at = 0;

	assert_true(n > 0);
	for (int k = 0; k < n; k++)
		at += (size_t)snprintf(out + at, cap - at, "%02x", wrapped[k]);
}

static void make_ke(struct ks_wrap *w, unsigned i, char out[BED_LINE_MAX], void *ctx)
{
	struct sent *s = ctx;
	struct ks *ks = s->b->party[BED_A].ks;
	struct ks_block sub = { .has_sub = true }, locked = { 0 };
	struct ks_pair pair;
	char iccid[24];
	int n;

	i += s->first;
	iccid_of(i, iccid);
	assert_int_equal(ks_pair_make(ks, iccid, 1, 16, &pair), 0);
	memcpy(sub.sub, pair.sub, sizeof(sub.sub));
	assert_int_equal(ks_release_make(ks, iccid, s->release[i]), 0);
	n = ks_block_lock(ks, iccid, s->release[i], &sub, locked.locked);
	assert_true(n > 0);
	locked.locked_len = (unsigned)n;
	n = snprintf(out, BED_LINE_MAX, "%s,26202%010u,", iccid, 100 + i);
	keys_put(w, iccid, s->open ? &sub : &locked, out + n, BED_LINE_MAX - (size_t)n);
}

static void make_rk(struct ks_wrap *w, unsigned i, char out[BED_LINE_MAX], void *ctx)
{
	struct sent *s = ctx;
	struct ks_block block = { .has_release = true };
	char iccid[24];
	int n;

	i += s->first;
	memcpy(block.release, s->release[i], KS_RELEASE_LEN);
	n = snprintf(out, BED_LINE_MAX, "%s,26202%010u,%s,%lld,4096,", iccid_of(i, iccid), 100 + i, s->evidence,
		     BED_NOW / 1000);
	keys_put(w, iccid, &block, out + n, BED_LINE_MAX - (size_t)n);
}

static const char *say(struct sent *s, const char *type, unsigned n,
		       void (*make)(struct ks_wrap *w, unsigned i, char out[BED_LINE_MAX], void *ctx))
{
	const unsigned from = strcmp(type, "SO") ? BED_A : BED_S;

	bed_send(s->b, &(struct bed_in){ .from = from,
					 .type = type,
					 .order = ORDER,
					 .wrap = *type == 'K' || *type == 'R',
					 .make = make,
					 .n = n,
					 .ctx = s });
	return bed_ack(s->b, from);
}

static void planned(struct sent *s, struct bed *b, const char *policy)
{
	*s = (struct sent){ .b = b, .policy = policy, .evidence = "E4" };
	assert_string_equal(say(s, "SO", CARDS, make_so), "");
	assert_string_equal(say(s, "PL", CARDS, make_pl), "");
}

static void at(struct bed *b, unsigned i, enum line_step want, struct line *l)
{
	char iccid[24];
	uint16_t step;

	bed_line(b, ORDER, iccid_of(i, iccid), l, &step);
	assert_string_equal(line_step_name(step), line_step_name((uint16_t)want));
}

static int setup(void **state)
{
	*state = bed_new(BED_B, &with_pool, &tables);
	return 0;
}

static int teardown(void **state)
{
	bed_free(*state);
	return 0;
}

/* Kept, over a stop, and of no use; told, the card is ready as ever, with its own OPc. */
static void test_escrow(void **state)
{
	struct bed *b = *state;
	struct store_book set, sub;
	char key[BOOK_KEY_MAX], iccid[24];
	struct sent s;
	struct line l;

	planned(&s, b, "escrow");
	assert_string_equal(say(&s, "KE", CARDS, make_ke), "");
	bed_wait(b, 2000);
	at(b, 0, B_ASKED, &l);
	assert_true(l.flags & LINE_ESCROW);
	assert_false(l.flags & LINE_PROVISIONAL);
	assert_int_equal(sim_hlr_count(b->sim), 0);
	snprintf(key, sizeof(key), "%s/%05u", iccid_of(0, iccid), 1);
	assert_false(bed_book(b, BOOK_SUB, key, &sub));
	bed_restart(b);
	assert_string_equal(say(&s, "RK", 1, make_rk), "");
	bed_wait(b, 2000);
	at(b, 0, B_READY, &l);
	assert_int_equal(l.sqn, 4096);
	at(b, 1, B_ASKED, &l);
	assert_int_equal(sim_hlr_count(b->sim), 1);
	assert_true(bed_book(b, BOOK_SUB, key, &sub));
	line_key(key, l.order, iccid);
	assert_true(bed_book(b, BOOK_SET, key, &set));
	assert_int_equal(ks_opc_same(b->party[BED_B].ks, iccid, sub.body, set.body), 0);
	/* told again: the same */
	assert_string_equal(say(&s, "RK", 1, make_rk), "");
	at(b, 0, B_READY, &l);
	assert_int_equal(sim_hlr_count(b->sim), 1);
}

static void test_refused(void **state)
{
	struct bed *b = *state;
	char iccid[24];
	struct sent s;
	struct line l;

	planned(&s, b, "escrow");
	s.open = true;
	assert_string_equal(say(&s, "KE", 1, make_ke), "keys"); /* K itself */
	s.open = false;
	assert_string_equal(say(&s, "RK", 1, make_rk), "not-in-escrow");
	assert_string_equal(say(&s, "KE", 1, make_ke), "");
	assert_int_equal(ks_release_make(b->party[BED_A].ks, iccid_of(1, iccid), s.release[1]), 0);
	assert_string_equal(say(&s, "RK", 2, make_rk),
			    "not-in-escrow"); /* the second of them: and none of it is taken */
	at(b, 0, B_ASKED, &l);
	{
		uint8_t other[KS_RELEASE_LEN];

		memcpy(other, s.release[0], sizeof(other));
		assert_int_equal(ks_release_make(b->party[BED_A].ks, iccid_of(0, iccid), s.release[0]), 0);
		assert_string_equal(say(&s, "RK", 1, make_rk), "release"); /* of another lock */
		memcpy(s.release[0], other, sizeof(other));
	}
	s.evidence = "E3";
	assert_string_equal(say(&s, "RK", 1, make_rk), "evidence");
	s.evidence = "E4";
	assert_string_equal(say(&s, "RK", 1, make_rk), "");
}

/* A's books were put back to before it had sent them, and it sends them once more, locked anew: the last ones count, until they were opened. */
static void test_again(void **state)
{
	struct bed *b = *state;
	struct store_book sub, now;
	char key[BOOK_KEY_MAX], iccid[24];
	struct sent first, s;
	struct line l;

	planned(&first, b, "escrow");
	assert_string_equal(say(&first, "KE", CARDS, make_ke), "");
	s = first;
	assert_string_equal(say(&s, "KE", CARDS, make_ke), "");
	assert_string_equal(say(&first, "RK", 1, make_rk), "release"); /* that lock is gone */
	bed_restart(b);
	assert_string_equal(say(&s, "RK", 1, make_rk), "");
	bed_wait(b, 2000);
	at(b, 0, B_READY, &l);
	at(b, 1, B_ASKED, &l);
	snprintf(key, sizeof(key), "%s/%05u", iccid_of(0, iccid), 1);
	assert_true(bed_book(b, BOOK_SUB, key, &sub));
	/* and now that K is here */
	assert_string_equal(say(&first, "KE", CARDS, make_ke), "");
	assert_string_equal(say(&first, "RK", CARDS, make_rk), "");
	bed_wait(b, 2000);
	at(b, 0, B_READY, &l);
	at(b, 1, B_READY, &l);
	assert_true(bed_book(b, BOOK_SUB, key, &now));
	assert_int_equal(now.row.version, sub.row.version);
	assert_memory_equal(now.body, sub.body, KS_SUB_LEN);
	assert_int_equal(sim_hlr_count(b->sim), CARDS);
}

/* Not what was ordered. */
static void test_policy(void **state)
{
	struct sent s;

	planned(&s, *state, "deliver-then-activate");
	assert_string_equal(say(&s, "KE", 1, make_ke), "policy");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_escrow), T(test_refused), T(test_again), T(test_policy) };

	return cmocka_run_group_tests_name("desk: keys in escrow, at B", tests, NULL, NULL);
}
