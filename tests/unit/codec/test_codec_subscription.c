/* test_codec_subscription.c - commands and answers of the subscription applet, there and back.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "unit.h"

#include "ota/subscription.h"

#define ORDER 0x0102030405060708ull

static const uint8_t content[130];
static const uint8_t wrapped[140] = { 0xaa };
static const uint8_t plmns[48] = { 0x00, 0xf1, 0x30, 0x62, 0xf2, 0x10 };
static const uint8_t mac[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint8_t kcvs[15] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
static const uint8_t hash[16] = { 9 };

static struct ota_span span(const uint8_t *p, size_t n)
{
	return (struct ota_span){ p, n };
}

static struct ota_sub_set small_set(void)
{
	return (struct ota_sub_set){ .order = ORDER, .from = 1, .to = 2, .imsi = "001030000000001" };
}

static struct ota_sub_set full_set(void)
{
	struct ota_sub_set s = small_set();

	s.to = 4;
	s.files = 3;
	s.file[0] = (struct ota_sub_file){ .fid = { 0x6f78 }, .fids = 1, .len = 2, .content = content };
	s.file[1] = (struct ota_sub_file){ .fid = { 0x5fc0, 0x4f07 }, .fids = 2, .len = 122, .content = content };
	s.file[2] = (struct ota_sub_file){ .fid = { 0x6f62 }, .fids = 1, .len = 124, .content = content };
	s.opc = span(wrapped, 24);
	s.alg = OTA_SUB_MILENAGE;
	s.sqn_scheme = OTA_SUB_SQN_ARRAY;
	s.plmns = span(plmns, 6);
	s.trial_s = 3600;
	s.mac = span(mac, 8);
	return s;
}

static void small_set_octets(void **state)
{
	static const uint8_t want[] = {
		0x80, 0x08, 1, 2,    3,	   4,	 5,    6,    7,	   8,	 0x81, 0x02, 0,	   1,	 0x82,
		0x02, 0,    2, 0x83, 0x09, 0x08, 0x09, 0x10, 0x30, 0x00, 0x00, 0x00, 0x00, 0x10,
	};
	struct ota_sub_set s = small_set(), back;
	uint8_t *buf = malloc(sizeof(want)), *copy;

	assert_int_equal(ota_sub_set_encode(buf, sizeof(want), &s), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
	assert_int_equal(ota_sub_set_encode(buf, sizeof(want) - 1, &s), OTA_E_SPACE);
	copy = exact(want, sizeof(want));
	assert_int_equal(ota_sub_set_decode(&back, copy, sizeof(want)), 0);
	assert_true(back.order == ORDER);
	assert_int_equal(back.from, 1);
	assert_int_equal(back.to, 2);
	assert_string_equal(back.imsi, "001030000000001");
	assert_int_equal(back.files, 0);
	assert_int_equal(back.alg, 0);
	for (size_t n = 0; n < sizeof(want); n++) {
		uint8_t *cut = exact(want, n);

		assert_true(ota_sub_set_decode(&back, cut, n) < 0);
		free(cut);
	}
	free(copy);
	free(buf);
}

static void full_set_there_and_back(void **state)
{
	struct ota_sub_set s = full_set(), back;
	uint8_t buf[OTA_SUB_SET_MAX], again[OTA_SUB_SET_MAX];
	int n = ota_sub_set_encode(buf, sizeof(buf), &s);

	assert_true(n > OTA_SUB_BLOCK_MAX);
	assert_int_equal(ota_sub_set_decode(&back, buf, (size_t)n), 0);
	assert_int_equal(back.files, 3);
	assert_int_equal(back.file[1].fid[0], 0x5fc0);
	assert_int_equal(back.file[1].fid[1], 0x4f07);
	assert_int_equal(back.file[1].len, 122);
	assert_int_equal(back.opc.len, 24);
	assert_int_equal(back.alg, OTA_SUB_MILENAGE);
	assert_int_equal(back.plmns.len, 6);
	assert_int_equal(back.trial_s, 3600);
	assert_memory_equal(back.mac.p, mac, 8);
	assert_int_equal(ota_sub_set_encode(again, sizeof(again), &back), n);
	assert_memory_equal(buf, again, (size_t)n);
	for (int k = 0; k < n; k++) {
		uint8_t *cut = exact(buf, (size_t)k);

		(void)ota_sub_set_decode(&back, cut, (size_t)k); /* without a sanitizer word */
		free(cut);
	}
}

static int encode_rc(const struct ota_sub_set *s)
{
	uint8_t buf[OTA_SUB_SET_MAX + 100];

	return ota_sub_set_encode(buf, sizeof(buf), s);
}

static void sets_that_cannot_be(void **state)
{
	struct ota_sub_set s;

#define REFUSED(change, err)                          \
	do {                                          \
		s = full_set();                       \
		change;                               \
		assert_int_equal(encode_rc(&s), err); \
	} while (0)
	REFUSED(s.order = 0, OTA_E_RANGE);
	REFUSED(s.from = 0, OTA_E_RANGE);
	REFUSED(s.to = 0xffff, OTA_E_RANGE);
	REFUSED(s.from = 5, OTA_E_RANGE);
	REFUSED(s.trial_s = 59, OTA_E_RANGE);
	REFUSED(s.trial_s = 2592001, OTA_E_RANGE);
	REFUSED(s.files = 13, OTA_E_LENGTH);
	REFUSED(s.opc.len = 16, OTA_E_LENGTH);
	REFUSED(s.plmns.len = 4, OTA_E_LENGTH);
	REFUSED(s.plmns = span(content, 51), OTA_E_LENGTH);
	REFUSED(s.mac.len = 7, OTA_E_LENGTH);
	REFUSED(s.alg = 0, OTA_E_ALG);
	REFUSED(s.file[0].fids = 0, OTA_E_RANGE);
	REFUSED(s.file[0].fids = 3, OTA_E_RANGE);
	REFUSED(s.file[0].len = 0, OTA_E_LENGTH);
	REFUSED(s.file[0].len = 125, OTA_E_LENGTH);
	REFUSED(s.file[1].len = 123, OTA_E_LENGTH);
	REFUSED(strcpy(s.imsi, "12345"), OTA_E_DIGITS);
	REFUSED((s.file[0] = s.file[2], s.files = 4, s.file[3] = s.file[2]), OTA_E_SPACE);
#undef REFUSED
}

/* Whatever is changed in the encoding of a set makes it unreadable or another set. */
static void strict_sets(void **state)
{
	static const struct {
		const char *what;
		uint8_t set[80];
		size_t len;
	} bad[] = {
		{ "length longer than needed", { 0x80, 0x81, 0x08, 1, 2, 3, 4, 5, 6, 7, 8 }, 11 },
		{ "length of three octets", { 0x80, 0x82, 0x00, 0x08, 1, 2, 3, 4, 5, 6, 7, 8 }, 12 },
		{ "indefinite", { 0x80, 0x80 }, 2 },
		{ "order after from", { 0x81, 0x02, 0, 1, 0x80, 0x08, 1, 2, 3, 4, 5, 6, 7, 8 }, 14 },
	};
	uint8_t buf[100];
	struct ota_sub_set s = small_set(), back;
	int n = ota_sub_set_encode(buf, sizeof(buf), &s);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(ota_sub_set_decode(&back, bad[i].set, bad[i].len), OTA_E_FORMAT);
		/* unknown objects, repeated ones, empty or too long lists */
#define WITH(...)                                                                                         \
	do {                                                                                              \
		static const uint8_t more[] = { __VA_ARGS__ };                                            \
		memcpy(buf + n, more, sizeof(more));                                                      \
		assert_int_equal(ota_sub_set_decode(&back, buf, (size_t)n + sizeof(more)), OTA_E_FORMAT); \
	} while (0)
	WITH(0x8b, 0x00);
	WITH(0x83, 0x00);
	WITH(0x84, 0x03, 0x01, 0x6f, 0x78);
	WITH(0x84, 0x04, 0x00, 0x6f, 0x78, 0x01);
	WITH(0x84, 0x04, 0x03, 0x6f, 0x78, 0x01);
	WITH(0x86, 0x02, 0x00, 0x01);
	WITH(0x87, 0x00);
	WITH(0x88, 0x04, 0, 0, 0, 0);
	WITH(0x88, 0x03, 0, 0, 0);
	WITH(0x87, 0x03, 1, 2, 3, 0x86, 0x02, 1, 1);
#undef WITH
	assert_int_equal(ota_sub_set_decode(&back, content, OTA_SUB_SET_MAX + 1), OTA_E_LENGTH);
	buf[20] = 0x02; /* EF_IMSI that is none */
	assert_true(ota_sub_set_decode(&back, buf, (size_t)n) < 0);
}

struct seen {
	struct ota_sub_cmd cmd[16];
	char text[16][100];
	size_t n;
};

static int each(void *ctx, const uint8_t *apdu, size_t len)
{
	struct seen *seen = ctx;

	assert_int_equal(ota_sub_cmd_decode(&seen->cmd[seen->n], apdu, len), 0);
	assert_true(ota_sub_describe(seen->text[seen->n], sizeof(seen->text[0]), apdu, len));
	seen->n++;
	return 0;
}

static void every_command(void **state)
{
	static uint8_t buf[OTA_SCRIPT_MAX * 2], set[OTA_SUB_SET_MAX];
	struct ota_sub_set s = small_set();
	int set_len = ota_sub_set_encode(set, sizeof(set), &s);
	struct ota_script sc;
	struct seen seen = { 0 };
	const struct ota_sub_cmd *c = seen.cmd;

	ota_script_init(&sc, buf, sizeof(buf));
	ota_sub_status(&sc, 0);
	ota_sub_version(&sc);
	ota_sub_stage(&sc, set, (size_t)set_len);
	ota_sub_unstage(&sc, ORDER);
	ota_sub_arm(&sc, ORDER, hash);
	ota_sub_advance(&sc, set, (size_t)set_len);
	ota_sub_confirm(&sc, ORDER);
	ota_sub_rollback(&sc, ORDER);
	ota_sub_key_change_k(&sc, ORDER, 1, span(wrapped, 24), kcvs);
	ota_sub_key_change_ota(&sc, ORDER, 1, span(wrapped, 80), kcvs);
	ota_sub_op_set(&sc, ORDER, 1, span(wrapped, 24), kcvs);
	ota_sub_alg_select(&sc, ORDER, 1, OTA_SUB_TEST_ALG, OTA_SUB_SQN_ARRAY);
	ota_sub_refill(&sc, ORDER, 9, OTA_SUB_MILENAGE, OTA_SUB_SQN_ARRAY, span(wrapped, 136), kcvs);
	ota_sub_key_erase(&sc, ORDER, 3, 4, span(mac, 8));
	assert_true(ota_script_len(&sc) > 0);
	assert_int_equal(sc.count, 14);
	assert_int_equal(ota_script_each(buf, (size_t)ota_script_len(&sc), each, &seen), 0);
	assert_int_equal(seen.n, 14);
	for (size_t i = 0; i < seen.n; i++)
		assert_int_equal(c[i].le, i == seen.n - 1); /* compact: behind the last one alone */
	assert_string_equal(seen.text[0], "STATUS");
	assert_string_equal(seen.text[1], "STATUS, version");
	assert_true(c[1].version && !c[0].version);
	assert_string_equal(seen.text[2], "STAGE order 0102030405060708, index 1 to 2, 0 files");
	assert_int_equal(c[2].data.len, set_len);
	assert_string_equal(seen.text[3], "UNSTAGE order 0102030405060708");
	assert_memory_equal(c[4].hash.p, hash, 16);
	assert_int_equal(c[5].ins, OTA_SUB_ADVANCE);
	assert_true(c[6].order == ORDER && c[6].ins == OTA_SUB_CONFIRM);
	assert_int_equal(c[7].ins, OTA_SUB_ROLLBACK);
	assert_int_equal(c[8].k.len, 24);
	assert_int_equal(c[8].kcv.len, 3);
	assert_int_equal(c[8].from, 1);
	assert_int_equal(c[9].ota_keys.len, 80);
	assert_int_equal(c[9].kcv.len, 9);
	assert_string_equal(seen.text[8], "KEY-CHANGE order 0102030405060708, K of index 1");
	assert_string_equal(seen.text[9], "KEY-CHANGE order 0102030405060708, OTA keys of index 1");
	assert_int_equal(c[10].opc.len, 24);
	assert_int_equal(c[11].alg, OTA_SUB_TEST_ALG);
	assert_int_equal(c[11].sqn_scheme, OTA_SUB_SQN_ARRAY);
	assert_int_equal(c[12].index, 9);
	assert_int_equal(c[12].pair.len, 136);
	assert_int_equal(c[12].kcv.len, 15);
	assert_string_equal(seen.text[12], "REFILL order 0102030405060708, index 9");
	assert_int_equal(c[13].first, 3);
	assert_int_equal(c[13].last, 4);
	assert_memory_equal(c[13].mac.p, mac, 8);
	assert_string_equal(seen.text[13], "KEY-ERASE order 0102030405060708, index 3 to 4");
}

static int block(void *ctx, const uint8_t *apdu, size_t len)
{
	struct wrap {
		uint8_t buf[OTA_SUB_SET_MAX];
		size_t len, n;
		bool last;
	} *j = ctx;
	struct ota_sub_cmd c;
	char text[80];

	assert_int_equal(ota_sub_cmd_decode(&c, apdu, len), 0);
	assert_int_equal(c.block, j->n++);
	assert_false(j->last);
	j->last = !c.more;
	assert_int_equal(c.le, j->last);
	memcpy(j->buf + j->len, c.data.p, c.data.len);
	j->len += c.data.len;
	assert_true(ota_sub_describe(text, sizeof(text), apdu, len));
	assert_int_equal(strncmp(text, "ADVANCE block ", 14), 0);
	return 0;
}

static void blocks_of_a_long_set(void **state)
{
	struct {
		uint8_t buf[OTA_SUB_SET_MAX];
		size_t len, n;
		bool last;
	} j = { .len = 0 };
	uint8_t set[OTA_SUB_SET_MAX], buf[OTA_SCRIPT_MAX];
	struct ota_sub_set s = full_set();
	int n = ota_sub_set_encode(set, sizeof(set), &s);
	struct ota_script sc;

	ota_script_init(&sc, buf, sizeof(buf));
	ota_sub_advance(&sc, set, (size_t)n);
	assert_true(ota_script_len(&sc) > n);
	assert_int_equal(ota_script_each(buf, (size_t)ota_script_len(&sc), block, &j), 0);
	assert_int_equal(j.n, 2);
	assert_true(j.last);
	assert_int_equal(j.len, n);
	assert_memory_equal(j.buf, set, (size_t)n);
}

static void sticky_errors(void **state)
{
	uint8_t buf[64];
	struct ota_script sc;

#define FAILS(call, error)                                    \
	do {                                                  \
		ota_script_init(&sc, buf, sizeof(buf));       \
		call;                                         \
		assert_int_equal(ota_script_len(&sc), error); \
		ota_sub_status(&sc, 0);                       \
		assert_int_equal(ota_script_len(&sc), error); \
	} while (0)
	FAILS(ota_sub_confirm(&sc, 0), OTA_E_RANGE);
	FAILS(ota_sub_stage(&sc, content, 0), OTA_E_LENGTH);
	FAILS(ota_sub_stage(&sc, content, OTA_SUB_SET_MAX + 1), OTA_E_LENGTH);
	FAILS(ota_sub_key_change_k(&sc, ORDER, 0, span(wrapped, 24), kcvs), OTA_E_RANGE);
	FAILS(ota_sub_key_change_k(&sc, ORDER, 1, span(wrapped, 16), kcvs), OTA_E_LENGTH);
	FAILS(ota_sub_key_change_ota(&sc, ORDER, 1, span(wrapped, 24), kcvs), OTA_E_LENGTH);
	FAILS(ota_sub_op_set(&sc, ORDER, 1, span(wrapped, 25), kcvs), OTA_E_LENGTH);
	FAILS(ota_sub_alg_select(&sc, ORDER, 0xffff, 1, 1), OTA_E_RANGE);
	FAILS(ota_sub_refill(&sc, ORDER, 0, 1, 1, span(wrapped, 88), kcvs), OTA_E_RANGE);
	FAILS(ota_sub_refill(&sc, ORDER, 2, 1, 1, span(wrapped, 80), kcvs), OTA_E_LENGTH);
	FAILS(ota_sub_key_erase(&sc, ORDER, 4, 3, span(NULL, 0)), OTA_E_RANGE);
	FAILS(ota_sub_key_erase(&sc, ORDER, 3, 4, span(mac, 7)), OTA_E_LENGTH);
	FAILS(ota_sub_refill(&sc, ORDER, 2, 1, 1, span(wrapped, 88), kcvs), OTA_E_SPACE);
#undef FAILS
}

static int decode(const uint8_t *apdu, size_t len)
{
	struct ota_sub_cmd c;
	uint8_t *copy = exact(apdu, len);
	int rc = ota_sub_cmd_decode(&c, copy, len);

	free(copy);
	return rc;
}

#define APDU(...) decode((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void commands_that_are_none(void **state)
{
	char text[8] = "x";

	assert_int_equal(APDU(0x80, 0x3a, 0, 1), OTA_E_SHORT);
	assert_int_equal(APDU(0x80, 0x3a, 0, 1, 1), OTA_E_SHORT);
	assert_int_equal(APDU(0x00, 0x3a, 0, 1, 0), OTA_E_FORMAT);
	assert_int_equal(APDU(0x80, 0x44, 0, 1, 0), OTA_E_FORMAT);
	assert_int_equal(APDU(0x80, 0x3a, 0, 2, 0), OTA_E_FORMAT);
	assert_int_equal(APDU(0x80, 0x3a, 1, 1, 0), OTA_E_FORMAT);
	assert_int_equal(APDU(0x80, 0x30, 2, 1, 0), OTA_E_FORMAT);
	assert_int_equal(APDU(0x80, 0x3a, 0, 1, 0), OTA_E_FORMAT);
	assert_int_equal(APDU(0x80, 0x3a, 0, 1, 0, 1), OTA_E_LENGTH);
	assert_int_equal(APDU(0x80, 0x3a, 0, 1, 10, 0x80, 8, 0, 0, 0, 0, 0, 0, 0, 0), OTA_E_FORMAT);
	assert_int_equal(APDU(0x80, 0x30, 0, 1, 10, 0x80, 8, 0, 0, 0, 0, 0, 0, 0, 0), 0);
	assert_int_equal(APDU(0x80, 0x3a, 0, 1, 10, 0x80, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0), 0);
	assert_int_equal(APDU(0x80, 0x3a, 0, 1, 12, 0x80, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0x81, 0), OTA_E_FORMAT);
	/* K and OTA keys, or neither */
	assert_int_equal(APDU(0x80, 0x3e, 0, 1, 14, 0x80, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0x81, 2, 0, 1), OTA_E_FORMAT);
	assert_false(ota_sub_describe(text, sizeof(text), (const uint8_t[]){ 0x00, 0xa4 }, 2));
	assert_string_equal(text, "");
	assert_false(ota_sub_describe(NULL, 0, NULL, 0));
}

static struct ota_sub_rsp some_state(void)
{
	struct ota_sub_rsp r = {
		.has_state = true,
		.state = OTA_SUB_TRIAL,
		.index = 2,
		.kvn = 2,
		.order = ORDER,
		.to = 2,
		.pairs_left = 14,
		.trial_left_s = 86340,
		.pending = OTA_SUB_PENDING_OTA,
		.cntr = 0x0102030405,
		.end = OTA_SUB_END_TRIAL,
		.last_order = 7,
		.last_end = OTA_SUB_END_TIMEOUT,
	};

	assert_int_equal(usim_imsi_encode(r.imsi_ef, "001030000000001"), 9);
	return r;
}

static void answers(void **state)
{
	struct ota_sub_rsp r = some_state(), back;
	uint8_t buf[OTA_SUB_RSP_MAX + 8];
	int n;

	r.has_hash = true;
	r.hash[15] = 0x77;
	n = ota_sub_rsp_encode(buf, sizeof(buf), &r);
	assert_int_equal(n, 47 + 18);
	assert_int_equal(ota_sub_rsp_decode(&back, buf, (size_t)n), 0);
	assert_string_equal(back.imsi, "001030000000001");
	assert_true(back.order == ORDER && back.cntr == 0x0102030405 && back.last_order == 7);
	assert_int_equal(back.hash[15], 0x77);
	assert_int_equal(back.trial_left_s, 86340);
	assert_int_equal(back.last_end, OTA_SUB_END_TIMEOUT);
	for (int k = 0; k < n; k++) {
		uint8_t *cut = exact(buf, (size_t)k);
		int rc = ota_sub_rsp_decode(&back, cut, (size_t)k);

		assert_int_equal(rc, k == 0 ? OTA_E_FORMAT : k == 47 ? 0 : OTA_E_SHORT);
		free(cut);
	}
	/* what a later version appends is skipped: objects, and octets behind the last field */
	memcpy(buf + n, (uint8_t[]){ 0x9f, 0x02, 1, 2 }, 4);
	assert_int_equal(ota_sub_rsp_decode(&back, buf, (size_t)n + 4), 0);
	memmove(buf + 48, buf + 47, 18);
	buf[1] = 46;
	buf[47] = 0xee;
	assert_int_equal(ota_sub_rsp_decode(&back, buf, (size_t)n + 1), 0);
	assert_int_equal(back.hash[15], 0x77);
	/* shorter, twice, or without any state */
	buf[1] = 44;
	assert_int_equal(ota_sub_rsp_decode(&back, buf, 46), OTA_E_LENGTH);
	assert_int_equal(ota_sub_rsp_decode(&back, (const uint8_t[]){ 0x96, 3, 1, 2, 3 }, 5), OTA_E_FORMAT);
	assert_int_equal(ota_sub_rsp_decode(&back, (const uint8_t[]){ 0x96, 3, 1, 2, 3, 0x96, 3, 1, 2, 3 }, 10),
			 OTA_E_FORMAT);
	assert_int_equal(ota_sub_rsp_decode(&back, (const uint8_t[]){ 0x96, 2, 1, 2 }, 4), OTA_E_LENGTH);
}

static void version_answer(void **state)
{
	struct ota_sub_rsp r = { .has_version = true, .has_iccid = true, .iccid = { 0x98, 0x88 } }, back;
	uint8_t buf[64];
	int n;

	r.version.major = 1;
	r.version.pairs_max = 300;
	r.version.algs = 0x4001;
	r.version.orders_max = 8;
	n = ota_sub_rsp_encode(buf, sizeof(buf), &r);
	assert_int_equal(n, 20 + 12);
	assert_int_equal(ota_sub_rsp_decode(&back, buf, (size_t)n), 0);
	assert_int_equal(back.version.pairs_max, 300);
	assert_int_equal(back.version.algs, 0x4001);
	assert_int_equal(back.version.orders_max, 8);
	assert_true(back.has_iccid && back.iccid[1] == 0x88);
	assert_int_equal(ota_sub_rsp_encode(buf, 5, &r), OTA_E_SPACE);
	r.kcv_len = 4;
	assert_int_equal(ota_sub_rsp_encode(buf, sizeof(buf), &r), OTA_E_LENGTH);
}

static void vault_inputs(void **state)
{
	static const uint8_t iccid[10] = { 0x98, 0x88, 0x12, 0x01, 0, 0, 0, 0, 0x10, 0xf2 };
	static const uint8_t want[33] = "OTA3B-JUMP\x01\x98\x88\x12\x01\0\0\0\0\x10\xf2\0\x01\0\x03\1\2\3\4\5\6\7\x08";
	uint8_t in[OTA_SUB_JUMP_LEN], er[OTA_SUB_ERASE_LEN], m[8], key[16] = { 0x2b };
	struct test_crypt t = { 0 };
	struct ota_crypt crypt = test_crypt(&t);
	struct ks_ref ref = { .set = 3, .key = KS_KEY_KID };

	ota_sub_jump_input(in, iccid, 1, 3, ORDER);
	assert_memory_equal(in, want, sizeof(want));
	ota_sub_erase_input(er, iccid, 1, 3, ORDER);
	assert_memory_equal(er, "OTA3B-ERASE\x01\x98", 13);
	assert_memory_equal(er + 12, in + 11, 22);
	test_crypt_set(&t, 3, KS_KEY_KID, key, sizeof(key));
	assert_int_equal(ota_sub_vault_mac(m, in, sizeof(in), ref, &crypt), 0);
	test_crypt_set(&t, 3, KS_KEY_KID, key, 0);
	assert_true(ota_sub_vault_mac(m, in, sizeof(in), ref, &crypt) < 0);
}

/* Wrapped keys of a wrong length, more files than a card takes, and what words say about the unreadable. */
static void wrong_lengths_inside(void **state)
{
	uint8_t set[OTA_SUB_SET_MAX],
		apdu[64] = { 0x80, 0x3e, 0, 1, 19, 0x80, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0x81, 2, 0, 1 };
	struct ota_sub_set s = small_set(), back;
	int n = ota_sub_set_encode(set, sizeof(set), &s);
	struct ota_sub_rsp r = some_state();
	struct ota_sub_cmd c;
	char text[80];

	memcpy(apdu + 19, (uint8_t[]){ 0x93, 3, 1, 2, 3 }, 5);
	assert_int_equal(ota_sub_cmd_decode(&c, apdu, 24), OTA_E_FORMAT);
	apdu[19] = 0x94;
	assert_int_equal(ota_sub_cmd_decode(&c, apdu, 24), OTA_E_FORMAT);
	apdu[1] = 0x40;
	apdu[19] = 0x85;
	assert_int_equal(ota_sub_cmd_decode(&c, apdu, 24), OTA_E_FORMAT);
	apdu[1] = 0x46;
	memcpy(apdu + 15, (uint8_t[]){ 0x82, 2, 0, 7, 0x86, 2, 1, 1, 0x95, 2, 1, 2 }, 12);
	apdu[4] = 22;
	assert_int_equal(ota_sub_cmd_decode(&c, apdu, 27), OTA_E_FORMAT);
	assert_int_equal(APDU(0x80, 0x48, 0, 1, 19, 0x80, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0x8a, 1, 9, 0x98, 4, 0, 1, 0, 2),
			 OTA_E_FORMAT);
	assert_int_equal(APDU(0x80, 0x48, 0, 1, 16, 0x80, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0x98, 4, 0, 2, 0, 1),
			 OTA_E_FORMAT);
	assert_int_equal(APDU(0x80, 0x48, 0, 1, 16, 0x80, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0x98, 4, 0, 0, 0, 1),
			 OTA_E_FORMAT);
	for (int i = 0; i < OTA_SUB_FILES_MAX + 1; i++, n += 6)
		memcpy(set + n, (uint8_t[]){ 0x84, 4, 1, 0x6f, 0x78, 1 }, 6);
	assert_int_equal(ota_sub_set_decode(&back, set, (size_t)n), OTA_E_LENGTH);
	assert_int_equal(ota_sub_set_decode(&back, set, (size_t)n - 6), 0);
	assert_true(ota_sub_describe(text, sizeof(text), (const uint8_t[]){ 0x80, 0x32, 0, 1, 0 }, 5));
	assert_string_equal(text, "STAGE, a set that cannot be read");
	assert_true(ota_sub_describe(text, sizeof(text), (const uint8_t[]){ 0x80, 0x32, 1, 1, 0 }, 5));
	assert_string_equal(text, "STAGE block 1, 0 octets");
	/* an answer of a card whose EF_IMSI holds none, with check values */
	memset(r.imsi_ef, 0xff, sizeof(r.imsi_ef));
	r.kcv_len = 3;
	n = ota_sub_rsp_encode(set, sizeof(set), &r);
	assert_int_equal(ota_sub_rsp_decode(&r, set, (size_t)n), 0);
	assert_string_equal(r.imsi, "");
	assert_int_equal(r.kcv_len, 3);
}

static void names(void **state)
{
	assert_string_equal(ota_sub_state_name(OTA_SUB_RETURNING), "RETURNING");
	assert_string_equal(ota_sub_state_name(99), "unknown state");
	assert_string_equal(ota_sub_end_name(OTA_SUB_END_TIMEOUT), "rolled back by the timer");
	assert_string_equal(ota_sub_end_name(99), "unknown");
	assert_string_equal(ota_sub_sw_name(0x9606), "this order has had its move");
	assert_string_equal(ota_sub_sw_name(0x9000), ota_sw_name(0x9000));
	assert_null(ota_sub_ins_name(0xa4));
	for (unsigned ins = 0x30; ins <= 0x48; ins += 2)
		assert_int_equal(ota_sub_ins_name((uint8_t)ins) == NULL, ins == 0x44);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_set_octets),
		cmocka_unit_test(full_set_there_and_back),
		cmocka_unit_test(sets_that_cannot_be),
		cmocka_unit_test(strict_sets),
		cmocka_unit_test(every_command),
		cmocka_unit_test(blocks_of_a_long_set),
		cmocka_unit_test(sticky_errors),
		cmocka_unit_test(commands_that_are_none),
		cmocka_unit_test(answers),
		cmocka_unit_test(version_answer),
		cmocka_unit_test(vault_inputs),
		cmocka_unit_test(names),
		cmocka_unit_test(wrong_lengths_inside),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	test_crypt_free();
	return rc;
}
