/* test_work.c - work on a card with the subscription application, against the virtual card, which is written from the document alone.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Every work is put to a card in every state.  The verdict must agree with what the card then does: NOT RUN means that
 * sending it works, DONE that sending it again changes nothing, all others that the card refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "sub_test.h"
#include "work.h"

#define ORDER  7
#define OTHER  9
#define PLMN_B "00f130"

static struct bench b;

static int setup(void **state)
{
	bench_init(&b, 42, 6);
	return 0;
}

static struct work work_make(enum work_kind kind, uint64_t order, uint16_t from, uint16_t to)
{
	static const uint8_t plmns[] = { 0x00, 0xf1, 0x30 };
	const struct ota_sub_set set = { .order = order,
					 .from = from,
					 .to = to,
					 .imsi = IMSI_B,
					 .plmns = { plmns, sizeof(plmns) },
					 .trial_s = order == ORDER ? 3600 : 7200 };
	uint8_t octets[OTA_SUB_SET_MAX], hash[32];
	int n = ota_sub_set_encode(octets, sizeof(octets), &set);
	struct work w;

	assert_true(n > 0);
	sim_sha256(octets, (size_t)n, hash);
	assert_int_equal(work_of_set(&w, kind, octets, (size_t)n, hash), 0);
	return w;
}

static struct answer send(const uint8_t *script, int len)
{
	struct oct o = { 0 };

	assert_true(len > 0 && (size_t)len <= sizeof(o.b));
	memcpy(o.b, script, (size_t)len);
	o.len = (size_t)len;
	return bench_do(&b, &o);
}

static uint16_t run(const struct work *w)
{
	uint8_t script[OTA_SCRIPT_MAX];
	uint16_t apdus;

	return send(script, work_script(w, script, sizeof(script), &apdus)).sw;
}

static enum work_verdict ask(const struct work *w, char why[WORK_WHY_MAX])
{
	uint8_t script[OTA_SCRIPT_MAX];
	struct ota_sub_rsp rsp;
	uint16_t apdus;
	struct answer a = send(script, work_question(w, script, sizeof(script), &apdus));

	assert_int_equal(a.sw, 0x9000);
	assert_int_equal(apdus, 1);
	assert_int_equal(ota_sub_rsp_decode(&rsp, a.data.b, a.data.len), 0);
	return work_judge(w, &rsp, why);
}

/* ---- the states a card may be in when it is asked ---- */

static void do_work(enum work_kind kind, uint64_t order, uint16_t from, uint16_t to)
{
	struct work w = work_make(kind, order, from, to);

	assert_int_equal(run(&w), 0x9000);
}

static void is_new(void)
{
}
static void is_staged(void)
{
	do_work(WORK_STAGE, ORDER, 1, 2);
}
static void is_other_staged(void)
{
	do_work(WORK_STAGE, OTHER, 1, 2);
}
static void is_other_set_staged(void)
{
	do_work(WORK_STAGE, ORDER, 1, 1);
}
static void is_armed(void)
{
	is_staged();
	do_work(WORK_ARM, ORDER, 1, 2);
}
static void is_other_armed(void)
{
	do_work(WORK_ADVANCE, OTHER, 1, 2);
}
static void is_trial(void)
{
	is_armed();
	bench_reset(&b);
}
static void is_confirmed(void)
{
	is_trial();
	do_work(WORK_CONFIRM, ORDER, 1, 2);
}
static void is_confirmed_self(void)
{
	is_trial();
	assert_int_equal(bench_auth_pair(&b, 2), SIM_AUTH_OK);
	bench_loci(&b, PLMN_B, 0x00);
	assert_int_equal(state_of(&b), SIM_SUB_CONFIRMED);
}
static void is_returning(void)
{
	is_trial();
	do_work(WORK_ROLLBACK, ORDER, 1, 2);
}
static void is_rolled_back(void)
{
	is_returning();
	bench_reset(&b);
}
static void is_elsewhere(void)
{
	do_work(WORK_ADVANCE, OTHER, 1, 2);
	bench_reset(&b);
	do_work(WORK_CONFIRM, OTHER, 1, 2);
}

static const struct {
	const char *name;
	void (*go)(void);
	enum work_verdict want[_WORK_KINDS]; /* of STAGE, UNSTAGE, ARM, ADVANCE, CONFIRM, ROLLBACK, STATUS */
} states[] = {
#define DONE  WORK_IS_DONE
#define AGAIN WORK_NOT_RUN
#define LATE  WORK_TOO_LATE
#define BACK  WORK_WENT_BACK
#define GONE  WORK_TAKEN_BACK
#define CLASH WORK_CONFLICT
	/*				      STAGE  UNSTAGE ARM ADVANCE CONFIRM ROLLBACK STATUS */
	{ "new", is_new, { 0, AGAIN, DONE, GONE, AGAIN, GONE, GONE, DONE } },
	{ "staged", is_staged, { 0, DONE, AGAIN, AGAIN, AGAIN, GONE, GONE, DONE } },
	{ "another order staged", is_other_staged, { 0, AGAIN, DONE, GONE, AGAIN, GONE, GONE, DONE } },
	{ "another set staged", is_other_set_staged, { 0, AGAIN, AGAIN, CLASH, AGAIN, GONE, GONE, DONE } },
	{ "armed", is_armed, { 0, DONE, LATE, DONE, DONE, AGAIN, AGAIN, DONE } },
	{ "another order armed", is_other_armed, { 0, CLASH, DONE, GONE, CLASH, GONE, GONE, DONE } },
	{ "trial", is_trial, { 0, DONE, LATE, DONE, DONE, AGAIN, AGAIN, DONE } },
	{ "confirmed", is_confirmed, { 0, DONE, LATE, DONE, DONE, DONE, LATE, DONE } },
	{ "confirmed by itself", is_confirmed_self, { 0, DONE, LATE, DONE, DONE, DONE, LATE, DONE } },
	{ "returning", is_returning, { 0, BACK, BACK, BACK, BACK, BACK, DONE, DONE } },
	{ "rolled back", is_rolled_back, { 0, BACK, BACK, BACK, BACK, BACK, DONE, DONE } },
	{ "confirmed for another order", is_elsewhere, { 0, CLASH, DONE, CLASH, CLASH, CLASH, CLASH, DONE } },
};

/* Not run yet, because the card has not been reset: the way to it is not another packet. */
static bool waits_for_reset(const char *state, enum work_kind kind)
{
	return !strcmp(state, "armed") && (kind == WORK_CONFIRM || kind == WORK_ROLLBACK);
}

static void agrees(const char *state, enum work_kind kind)
{
	struct work w = work_make(kind, ORDER, 1, 2);
	enum sim_sub_state before, after;
	char why[WORK_WHY_MAX] = "?", imsi[20];
	enum work_verdict v = ask(&w, why);
	uint16_t sw;

	before = state_of(&b);
	strcpy(imsi, imsi_of(&b));
	sw = run(&w);
	after = state_of(&b);
	switch (v) {
	case WORK_IS_DONE:
		if (before != after || strcmp(imsi, imsi_of(&b)))
			fail_msg("%s, %s: done, and sending it again changed the card", state, work_kind_name(kind));
		break;
	case WORK_NOT_RUN:
		if (waits_for_reset(state, kind)) {
			assert_int_equal(sw, OTA_SUB_SW_STATE);
			break;
		}
		if (sw != 0x9000)
			fail_msg("%s, %s: not run, and the card does not take it: %04X", state, work_kind_name(kind),
				 sw);
		assert_int_equal(ask(&w, why), WORK_IS_DONE);
		break;
	default:
		assert_true(*why);
		if (sw == 0x9000 && before != after)
			fail_msg("%s, %s: %s (%s), and the card did it", state, work_kind_name(kind),
				 work_verdict_name(v), why);
		assert_int_equal(before, after);
		break;
	}
}

static void every_work_in_every_state(void **state)
{
	(void)state;
	for (size_t s = 0; s < sizeof(states) / sizeof(states[0]); s++) {
		for (int kind = WORK_STAGE; kind <= WORK_STATUS; kind++) {
			struct work w;
			char why[WORK_WHY_MAX];
			enum work_verdict v;

			bench_init(&b, 42, 6);
			states[s].go();
			w = work_make((enum work_kind)kind, ORDER, 1, 2);
			v = ask(&w, why);
			if (v != states[s].want[kind])
				fail_msg("%s, %s: %s (%s), not %s", states[s].name, work_kind_name((uint8_t)kind),
					 work_verdict_name(v), why, work_verdict_name(states[s].want[kind]));
			agrees(states[s].name, (enum work_kind)kind);
		}
	}
}

/* A word that is final is one that the card gives again, whatever is asked in between. */
static void final_words(void **state)
{
	struct work w = work_make(WORK_STAGE, ORDER, 3, 4);
	enum work_verdict v;
	char why[WORK_WHY_MAX];

	(void)state;
	assert_int_equal(run(&w), OTA_SUB_SW_FROM);
	assert_true(work_judge_sw(&w, OTA_SUB_SW_FROM, &v, why));
	assert_int_equal(v, WORK_CONFLICT);
	assert_non_null(strstr(why, "STAGE refused: 9601"));
	assert_false(work_judge_sw(&w, OTA_SUB_SW_STATE, &v, why));
	assert_false(work_judge_sw(&w, OTA_SUB_SW_MOVED, &v, why));
	assert_false(work_judge_sw(&w, 0x6581, &v, why));
}

/* ---- new keys ---- */

static struct work keys_make(enum work_kind kind, uint8_t fill)
{
	const struct sim_pair *p = sim_sub_pair(&b.sub, sim_sub_rec(&b.sub)->index);
	uint8_t key[3][16], wrapped[104], kcv[9];
	const unsigned n = kind == WORK_OTA_KEYS ? 3 : 2;
	struct work w;
	size_t len = 0;

	for (unsigned i = 0; i < n; i++) {
		uint8_t ones[16], block[16];

		memset(key[i], fill + (int)i, 16);
		memset(ones, 1, sizeof(ones));
		assert_int_equal(sim_aes_block(key[i], 16, ones, block), 0);
		memcpy(kcv + 3 * i, block, 3);
	}
	for (unsigned i = 0; i < n; i += kind == WORK_OTA_KEYS ? 3 : 1) {
		struct oct o = wrap(p->ota.kik, p->ota.len, &key[0][0] + 16 * i, kind == WORK_OTA_KEYS ? 48 : 16);

		memcpy(wrapped + len, o.b, o.len);
		len += o.len;
	}
	assert_int_equal(work_of_keys(&w, kind, wrapped, len, kcv), 0);
	w.order = ORDER;
	w.from = w.to = 1;
	return w;
}

static struct answer run_keys(const struct work *w)
{
	uint8_t script[OTA_SCRIPT_MAX];
	uint16_t apdus;
	int len = work_script(w, script, sizeof(script), &apdus);

	assert_int_equal(apdus, w->kind == WORK_K_OPC ? 2 : 1);
	return send(script, len);
}

/* Done by its own answer alone, however often; STATUS says that it is to be sent again; other keys than were meant are none. */
static void new_keys(void **state)
{
	(void)state;
	for (int kind = WORK_OTA_KEYS; kind <= WORK_K_OPC; kind++) {
		char why[WORK_WHY_MAX];
		struct ota_sub_rsp rsp;
		struct work w, other;

		bench_init(&b, 42, 6);
		w = keys_make((enum work_kind)kind, 0x21);
		other = keys_make((enum work_kind)kind, 0x51);
		assert_int_equal(ask(&w, why), WORK_NOT_RUN);
		for (int twice = 0; twice < 2; twice++) {
			struct answer a = run_keys(&w);

			assert_int_equal(a.sw, 0x9000);
			assert_int_equal(ota_sub_rsp_decode(&rsp, a.data.b, a.data.len), 0);
			assert_true(rsp.pending);
			assert_int_equal(work_judge(&w, &rsp, why), WORK_IS_DONE);
			assert_int_equal(work_judge(&other, &rsp, why), WORK_CONFLICT);
			assert_int_equal(ask(&w, why), WORK_NOT_RUN);
		}
		w.from = 2;
		assert_int_equal(run_keys(&w).sw, OTA_SUB_SW_FROM);
		assert_int_equal(ask(&w, why), WORK_CONFLICT);
		bench_init(&b, 42, 6);
		is_trial();
		w = keys_make((enum work_kind)kind, 0x21);
		w.from = 2;
		assert_int_equal(run_keys(&w).sw, OTA_SUB_SW_STATE);
		assert_int_equal(ask(&w, why), WORK_CONFLICT);
		assert_true(work_of_keys(&other, (enum work_kind)kind, w.set, 7, w.hash) < 0);
	}
}

static void packed(void **state)
{
	struct work w = work_make(WORK_STAGE, ORDER, 1, 2), again;
	uint8_t buf[WORK_PACKED_MAX];
	int n = work_pack(&w, buf, sizeof(buf));

	(void)state;
	assert_true(n > 0);
	assert_int_equal(work_unpack(&again, buf, (size_t)n), 0);
	assert_memory_equal(&w, &again, sizeof(w));
	for (int cut = 0; cut < n; cut++)
		assert_true(work_unpack(&again, buf, (size_t)cut) < 0);
	assert_true(work_pack(&w, buf, (size_t)n - 1) < 0);
	w = work_make(WORK_ARM, ORDER, 1, 2);
	assert_int_equal(w.set_len, 0);
	n = work_pack(&w, buf, sizeof(buf));
	assert_int_equal(work_unpack(&again, buf, (size_t)n), 0);
	buf[0] = _WORK_KINDS;
	assert_true(work_unpack(&again, buf, (size_t)n) < 0);
	assert_true(work_of_set(&w, WORK_STAGE, (const uint8_t *)"rubbish", 7, w.hash) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_work_in_every_state, setup),
		cmocka_unit_test_setup(final_words, setup),
		cmocka_unit_test_setup(new_keys, setup),
		cmocka_unit_test_setup(packed, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
