/* test_desk_a_plain.c - the old operator: cards without the subscription application, which have no way back.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "a_bed.h"

#define DELIVER	 "deliver-then-activate"
#define ACTIVATE "activate-then-deliver"
#define IMSI	 "262020000000501"

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	bed_open(b, false);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	bed_close(*state);
	free(*state);
	return 0;
}

static void said(void *ctx, int rc, const char *text)
{
	*(int *)ctx = rc;
	assert_true(text[0] != '\0');
}

static void accepts(struct bed *b, bool ok, int want)
{
	int rc = 1;
	struct desk_request r = { .verb = DESK_ACCEPT, .order = "o", .no_rollback_ok = ok, .done = said, .ctx = &rc };

	assert_int_equal(desk_request(b->desk, &r), 0);
	bed_turn(b);
	assert_int_equal(rc, want);
}

static void listed(struct bed *b, const char *state)
{
	bed_next(b, &b->b, "HL3a");
	assert_int_equal(b->n, 1);
	assert_string_equal(bed_value(b, 0, "state"), state);
}

static void ordered(struct bed *b, const char *policy, const char *files)
{
	char so[160], il[800];
	const char *record = so;

	snprintf(so, sizeof(so), "%s,3a,%s,operator-a,operator-b,,%lld", b->iccid[BED_PLAIN], policy,
		 (long long)BED_UNTIL_S);
	bed_say(b, &b->s, "SO", "o", &record, 1, NULL, "");
	record = il;
	snprintf(il, sizeof(il), IMSI ",%s,,26202,%s,,", b->iccid[BED_PLAIN], files);
	bed_say(b, &b->b, "IL", "o", &record, 1, NULL, "");
	bed_next(b, &b->b, "PL");
	assert_string_equal(bed_value(b, 0, "profile"), "usim-rfm");
	bed_order(b, "o");
}

static void handed(struct bed *b)
{
	bed_next(b, &b->b, "HL3a");
	assert_string_equal(bed_value(b, 0, "stage"), "provisional");
	assert_string_equal(bed_value(b, 0, "evidence"), "E0");
}

/* To its write, which is under way. */
static void writing(struct bed *b)
{
	struct work w;

	ordered(b, DELIVER, BED_SMSP);
	accepts(b, true, 0);
	handed(b);
	bed_at(b, BED_PLAIN, A_STAGED);
	assert_false(bed_has_work(b, BED_PLAIN));
	bed_pass(b, 2 * BED_SEEN_MS);
	bed_cf(b, "o", BED_PLAIN, "ready", "E0", "");
	/* not heard lately: asked for its IMSI, which is the fresh presence that it wants */
	bed_at(b, BED_PLAIN, A_LOOKING);
	bed_open_work(b, BED_PLAIN, WORK_READ, &w);
	assert_int_equal(w.flags, 0);
	bed_ends(b, BED_PLAIN, WORK_READ, TXN_DONE, WORK_NOT_RUN, 0, 0);
	bed_at(b, BED_PLAIN, A_ARMING);
	bed_open_work(b, BED_PLAIN, WORK_WRITE, &w);
	assert_string_equal(w.imsi, IMSI);
	assert_int_equal(w.set_len, 4 + 40); /* EF_SMSP as the IL has it */
	assert_true(b->l.flags & LINE_ARMED);
}

static void heard(struct bed *b)
{
	bed_pass(b, 60000);
	bed_seen(b, BED_PLAIN);
	bed_pass(b, 1000000); /* long armed ones are looked at more seldom */
}

static void test_way(void **state)
{
	struct bed *b = *state;
	struct work w;

	writing(b);
	bed_ends(b, BED_PLAIN, WORK_WRITE, TXN_DONE, WORK_IS_DONE, 0, 0);
	bed_at(b, BED_PLAIN, A_ARMED);
	assert_int_equal(b->l.evidence, 4);
	heard(b); /* not reset yet: it is asked, and bound as its write was */
	bed_open_work(b, BED_PLAIN, WORK_READ, &w);
	assert_int_equal(w.flags, WORK_F_MOVED);
	bed_ends(b, BED_PLAIN, WORK_READ, TXN_DONE, WORK_IS_DONE, 0, 0);
	bed_at(b, BED_PLAIN, A_ARMED);
	bed_cf(b, "o", BED_PLAIN, "served", "E5", "");
	bed_next(b, &b->b, "HL3a");
	bed_cf(b, "o", BED_PLAIN, "confirmed", "E6", "");
	listed(b, "done");
	bed_pass(b, 2000);
	bed_at(b, BED_PLAIN, A_CLOSED);
	assert_int_equal(bed_order(b, "o")->step, ORDER_ENDED);
}

/* No refusal and no silence closes it: only what EF_IMSI says, asked when it was heard under its old IMSI. */
static void test_unknown(void **state)
{
	struct bed *b = *state;

	writing(b);
	bed_ends(b, BED_PLAIN, WORK_WRITE, TXN_FAILED, -1, 0, 0);
	bed_at(b, BED_PLAIN, A_ARMED);
	bed_pass(b, 3600000);
	bed_at(b, BED_PLAIN, A_ARMED);
	assert_false(bed_has_work(b, BED_PLAIN));
	heard(b);
	bed_at(b, BED_PLAIN, A_LOOKING);
	bed_ends(b, BED_PLAIN, WORK_READ, TXN_FAILED, -1, 0, 0); /* a late refusal, of the question as well */
	bed_at(b, BED_PLAIN, A_ARMED);
	assert_int_equal(b->l.end, END_NONE);
	heard(b);
	bed_ends(b, BED_PLAIN, WORK_READ, TXN_DONE, WORK_NOT_RUN, 0, 0);
	bed_at(b, BED_PLAIN, A_ARMING); /* proven: it is written anew */
	bed_ends(b, BED_PLAIN, WORK_WRITE, TXN_QUARANTINED, WORK_CONFLICT, 0, 0);
	bed_at(b, BED_PLAIN, A_ARMED);
	bed_pass(b, 31ll * 86400 * 1000); /* also after the order's time */
	bed_at(b, BED_PLAIN, A_ARMED);
	assert_int_equal(b->l.end, END_NONE);
	heard(b);
	bed_ends(b, BED_PLAIN, WORK_READ, TXN_DONE, WORK_NOT_RUN, 0, 0);
	listed(b, "unreached");
	bed_at(b, BED_PLAIN, A_CLOSED);
}

/* The card says that it ran the script and holds its old IMSI: that is the one failure that ends it. */
static void test_failed(void **state)
{
	struct bed *b = *state;

	writing(b);
	bed_ends(b, BED_PLAIN, WORK_WRITE, TXN_FAILED, WORK_NOT_RUN, 0, 0);
	listed(b, "failed");
	bed_at(b, BED_PLAIN, A_CLOSED);
	assert_false(b->l.flags & LINE_ARMED);
}

/* B takes its word back when the card is on its way: nothing closes it, and the report has it. */
static void test_given_up(void **state)
{
	struct bed *b = *state;

	writing(b);
	bed_ends(b, BED_PLAIN, WORK_WRITE, TXN_DONE, WORK_IS_DONE, 0, 0);
	bed_cf(b, "o", BED_PLAIN, "recalled", "E0", "");
	bed_at(b, BED_PLAIN, A_ARMED);
	assert_true(b->l.flags & LINE_GIVEN_UP);
	assert_int_equal(b->l.end, END_NONE);
	assert_non_null(strstr(bed_order(b, "o")->alarm, "stranded"));
	bed_cf(b, "o", BED_PLAIN, "ready", "E0", "");
	bed_at(b, BED_PLAIN, A_ARMED);
	assert_false(b->l.flags & LINE_GIVEN_UP);
}

/* Taken back while it was not known whether it was written, and found here: it stays, and is not written again. */
static void test_taken_back(void **state)
{
	struct bed *b = *state;

	writing(b);
	bed_ends(b, BED_PLAIN, WORK_WRITE, TXN_EXPIRED, -1, 0, 0);
	bed_cf(b, "o", BED_PLAIN, "recalled", "E0", "");
	bed_at(b, BED_PLAIN, A_ARMED);
	assert_true(line_stranded(&b->l)); /* as far as is known */
	heard(b);
	bed_at(b, BED_PLAIN, A_LOOKING);
	bed_ends(b, BED_PLAIN, WORK_READ, TXN_DONE, WORK_NOT_RUN, 0, 0);
	bed_next(b, &b->b, "HL3a");
	bed_line(b, BED_PLAIN);
	assert_int_equal(b->l.end, END_CANCELLED);
	assert_false(b->l.flags & (LINE_ARMED | LINE_READY));
	bed_pass(b, 60000);
	assert_false(bed_has_work(b, BED_PLAIN));
}

/* Nobody has said that it may go: it waits, and nothing of it has gone out. */
static void test_consent(void **state)
{
	struct bed *b = *state;

	ordered(b, DELIVER, BED_SMSP);
	bed_pass(b, 3600000);
	bed_at(b, BED_PLAIN, A_STAGE);
	assert_true(bed_nothing(b, &b->b));
	assert_non_null(strstr(bed_order(b, "o")->alarm, "order accept"));
	accepts(b, false, 0);
	assert_string_equal(bed_order(b, "o")->alarm, "");
	listed(b, "failed");
	bed_at(b, BED_PLAIN, A_CLOSED);
	assert_non_null(strstr(b->l.why, "--no-rollback-ok"));
}

static void test_consent_late(void **state)
{
	struct bed *b = *state;

	ordered(b, DELIVER, BED_SMSP);
	bed_pass(b, 3600000);
	bed_restart(b);
	accepts(b, true, 0);
	bed_restart(b); /* it stands in the books */
	assert_int_equal(bed_order(b, "o")->no_rollback, NO_ROLLBACK_OK);
	handed(b);
	bed_at(b, BED_PLAIN, A_STAGED);
}

static void test_consent_never(void **state)
{
	struct bed *b = *state;

	ordered(b, DELIVER, BED_SMSP);
	bed_pass(b, 31ll * 86400 * 1000);
	listed(b, "failed");
	assert_non_null(strstr(bed_line(b, BED_PLAIN)->why, "--no-rollback-ok"));
}

/* The papers' order: nothing waits for B, and K has gone out before the write all the same. */
static void test_activate(void **state)
{
	struct bed *b = *state;

	ordered(b, ACTIVATE, BED_SMSP);
	bed_at(b, BED_PLAIN, A_STAGE);
	accepts(b, true, 0);
	handed(b);
	bed_ends(b, BED_PLAIN, WORK_READ, TXN_DONE, WORK_NOT_RUN, 0, 0);
	bed_at(b, BED_PLAIN, A_ARMING);
	assert_false(b->l.flags & LINE_READY);
	bed_ends(b, BED_PLAIN, WORK_WRITE, TXN_DONE, WORK_IS_DONE, 0, 0);
	bed_cf(b, "o", BED_PLAIN, "refused", "E0", "");
	bed_at(b, BED_PLAIN, A_ARMED);
	assert_true(b->l.flags & LINE_GIVEN_UP);
}

/* B's files do not go into so many short messages as the profile allows: said before anything leaves. */
static void test_too_long(void **state)
{
	struct bed *b = *state;
	char files[700] = BED_SMSP;

	for (unsigned i = 0; i < 4; i++) {
		size_t at = strlen(files);

		at += (size_t)snprintf(files + at, sizeof(files) - at, ";6f6%u:", i);
		memset(files + at, 'f', 120);
		files[at + 120] = '\0';
	}
	ordered(b, DELIVER, files);
	accepts(b, true, 0);
	bed_at(b, BED_PLAIN, A_CLOSED);
	assert_int_equal(b->l.end, END_FAILED);
	assert_non_null(strstr(b->l.why, "SMS"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* ---- a profile that says where OPc stands ---- */

#define PROFILE                                                                                                  \
	"card-profile usim-rfm\n tar b00011\n spi 16 39\n kvn 1\n refresh card\n%s script\n  update 6f07 imsi\n" \
	"  read 6f07 9\n"

static void profile_write(struct bed *b, const char *opc)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/usim-rfm.profile", b->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, PROFILE, opc);
	assert_int_equal(fclose(f), 0);
}

/* With an OPc in the new operator's list, and K handed over. */
static void ordered_opc(struct bed *b)
{
	struct ks_block in = { .has_opc = true };
	uint8_t wrapped[KS_BLOCK_MAX];
	char so[160], il[1500];
	const char *record = so;
	struct parcel_out p = { .type = "IL", .order = "o", .record = &record, .n = 1 };
	struct ks_wrap *wrap;
	size_t at;
	int len;

	snprintf(so, sizeof(so), "%s,3a," DELIVER ",operator-a,operator-b,,%lld", b->iccid[BED_PLAIN],
		 (long long)BED_UNTIL_S);
	bed_say(b, &b->s, "SO", "o", &record, 1, NULL, "");
	record = il;
	wrap = bed_begin(b, &b->b, &p);
	assert_int_equal(ks_opc_make(b->b.ks, b->iccid[BED_PLAIN], in.opc), 0);
	len = ks_block_wrap(wrap, b->iccid[BED_PLAIN], &in, wrapped);
	assert_true(len > 0);
	at = (size_t)snprintf(il, sizeof(il), IMSI ",%s,,26202," BED_SMSP ",,", b->iccid[BED_PLAIN]);
	for (int i = 0; i < len; i++)
		at += (size_t)snprintf(il + at, sizeof(il) - at, "%02x", wrapped[i]);
	bed_end_package(b, &b->b, &p);
	assert_string_equal(bed_answer(b, &b->b), "");
	bed_next(b, &b->b, "PL");
	accepts(b, true, 0);
	handed(b);
}

static void opc_ready(struct bed *b, const char *then)
{
	b->profiles = b->dir;
	profile_write(b, " opc af20 at 17\n");
	bed_restart(b);
	ordered_opc(b);
	profile_write(b, then);
	bed_cf(b, "o", BED_PLAIN, "ready", "E0", "");
	bed_at(b, BED_PLAIN, A_LOOKING);
	bed_ends(b, BED_PLAIN, WORK_READ, TXN_DONE, WORK_NOT_RUN, 0, 0);
}

/* It goes with the write; and what the card has at its end is nobody's to keep twice. */
static void test_opc(void **state)
{
	struct bed *b = *state;
	struct work w;

	opc_ready(b, " opc af20 at 17\n");
	bed_at(b, BED_PLAIN, A_ARMING);
	assert_true(b->l.has_opc);
	bed_open_work(b, BED_PLAIN, WORK_WRITE, &w);
	assert_true(w.has_opc);
	assert_memory_equal(w.opc, b->l.opc, sizeof(w.opc));
	bed_ends(b, BED_PLAIN, WORK_WRITE, TXN_DONE, WORK_IS_DONE, 0, 0);
	bed_cf(b, "o", BED_PLAIN, "served", "E5", "");
	bed_next(b, &b->b, "HL3a");
	bed_cf(b, "o", BED_PLAIN, "confirmed", "E6", "");
	listed(b, "done");
	bed_pass(b, 2000);
	bed_at(b, BED_PLAIN, A_CLOSED);
	assert_false(b->l.has_opc);
}

/* K went out with it, and the profile does not name the place any more: told in words, and nothing is written. */
static void test_opc_without_a_place(void **state)
{
	struct bed *b = *state;

	opc_ready(b, "");
	listed(b, "failed");
	bed_at(b, BED_PLAIN, A_CLOSED);
	assert_non_null(strstr(b->l.why, "does not say where (opc FILE at OCTET)"));
	assert_false(bed_has_work(b, BED_PLAIN));
}

/* Written in part: a person hears of it, and nothing closes. */
static void test_opc_in_part(void **state)
{
	struct bed *b = *state;

	opc_ready(b, " opc af20 at 17\n");
	bed_at(b, BED_PLAIN, A_ARMING);
	bed_ends(b, BED_PLAIN, WORK_WRITE, TXN_QUARANTINED, WORK_CONFLICT, 0, 0);
	bed_at(b, BED_PLAIN, A_ARMED);
	assert_non_null(strstr(bed_order(b, "o")->alarm, "was written in part"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_way),	     T(test_unknown),  T(test_failed),	     T(test_given_up),
		T(test_taken_back),  T(test_consent),  T(test_consent_late), T(test_consent_never),
		T(test_activate),    T(test_too_long), T(test_opc),	     T(test_opc_without_a_place),
		T(test_opc_in_part),
	};

	return cmocka_run_group_tests(tests, NULL, bed_parties_end);
}
