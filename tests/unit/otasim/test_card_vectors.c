/* test_card_vectors.c - the virtual card against packets that other implementations have built.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "card/card_int.h"
#include "sim_test.h"

#define FLIP_PER_KIND 3 /* vectors per pair of algorithms whose every bit is flipped */

static const char *dir;

/* DES-ECB is not a card's cipher any more (TS 102 225, 5.1.2: reserved). */
static bool usable(const json_t *v)
{
	return strcmp(text_of(v, "cipher"), "des-ecb") != 0;
}

static bool has_integrity(const json_t *v)
{
	return strcmp(text_of(v, "integrity"), "none") != 0;
}

static void test_commands_are_accepted(void **state)
{
	static const char *const files[] = { "dev-command-matrix.json", "dev-command-sweep.json" };
	unsigned n = 0;

	for (int f = 0; f < 2; f++) {
		json_t *list = vectors_load(dir, files[f]), *v;
		size_t i;

		json_array_foreach(list, i, v)
		{
			struct oct pkt = oct_of(v, "packet");
			struct sim_card_out out = { .sw = 0x9000, .status = -1 };
			static const struct sim_addr oa;
			struct sim_card c;

			if (!usable(v) || pkt.len > PACKET_MAX)
				continue;
			card_of_vector(&c, v);
			sim_packet(&c, &oa, pkt.b, pkt.len, &out);
			if (!out.accepted)
				print_error("%s: status %d, sw %04x\n", text_of(v, "id"), out.status, out.sw);
			assert_true(out.accepted);
			assert_int_equal(c.truth.accepted, 1);
			n++;
		}
		json_decref(list);
	}
	print_message("%u packets\n", n);
	assert_true(n > 1000);
}

/* In order, backwards, each twice, and with the IEs of the first one the other way round. */
static void test_segments_in_any_order(void **state)
{
	json_t *list = vectors_load(dir, "dev-command-matrix.json"), *v;
	unsigned n = 0;
	size_t i;

	json_array_foreach(list, i, v)
	{
		const json_t *segs = json_object_get(v, "segments");
		size_t count = json_array_size(segs);

		if (!usable(v) || !has_integrity(v) || count < 2 || count > SIM_SEGMENTS_MAX)
			continue;
		for (int way = 0; way < 4; way++) {
			struct sim_card_out out;
			struct sim_card c;

			card_of_vector(&c, v);
			for (size_t s = 0; s < count; s++) {
				size_t at = way == 1 ? count - 1 - s : s;
				struct oct ud = oct_hex(json_string_value(json_array_get(segs, at)));

				if (way == 2 && s + 1 < count)
					card_take(&c, &ud, &out);
				if (way == 3 && at == 0) { /* 07 00 03 r n s 70 00 -> 07 70 00 00 03 r n s */
					uint8_t concat[5];

					memcpy(concat, ud.b + 1, 5);
					ud.b[1] = 0x70;
					ud.b[2] = 0x00;
					memcpy(ud.b + 3, concat, 5);
				}
				card_take(&c, &ud, &out);
				assert_int_equal(out.complete, s + 1 == count);
			}
			assert_true(out.accepted);
			n++;
		}
	}
	json_decref(list);
	assert_true(n > 100);
}

static void test_no_bit_may_flip(void **state)
{
	static const char *const kinds[][2] = {
		{ "3des2", "3des2" },	   { "aes128", "cmac8-128" }, { "aes256", "cmac8-256" },
		{ "aes128", "cmac4-128" }, { "3des3", "cmac8-192" },  { "none", "3des2" },
		{ "none", "cmac8-128" },
	};
	json_t *list = vectors_load(dir, "dev-command-matrix.json"), *v;
	static const struct sim_addr oa;
	unsigned done[7] = { 0 };
	size_t i;

	json_array_foreach(list, i, v)
	{
		for (size_t k = 0; k < 7; k++) {
			struct oct pkt = oct_of(v, "packet");
			struct sim_card fresh, c;

			if (strcmp(text_of(v, "cipher"), kinds[k][0]) || strcmp(text_of(v, "integrity"), kinds[k][1]) ||
			    done[k] == FLIP_PER_KIND || pkt.len > 137)
				continue;
			done[k]++;
			card_of_vector(&fresh, v);
			for (size_t bit = 0; bit < 8 * pkt.len; bit++) {
				struct sim_card_out out = { .sw = 0x9000, .status = -1 };

				c = fresh;
				pkt.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
				sim_packet(&c, &oa, pkt.b, pkt.len, &out);
				pkt.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
				assert_false(out.accepted);
				assert_int_not_equal(out.status, POR_OK);
				assert_int_equal(c.ks[0].cntr, fresh.ks[0].cntr);
				assert_int_equal(c.seen_count, 0);
				assert_memory_equal(c.fs, fresh.fs, sizeof(c.fs));
			}
		}
	}
	json_decref(list);
	for (size_t k = 0; k < 7; k++)
		assert_int_equal(done[k], FLIP_PER_KIND);
}

/* Cut anywhere, or with octets behind: no packet. */
static void test_no_other_length(void **state)
{
	json_t *list = vectors_load(dir, "dev-command-matrix.json"), *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		struct oct ud = oct_of(v, "packet"), pre;
		struct sim_card_out out;
		struct sim_card c;

		if (i % 16 || ud.len > 130)
			continue;
		card_of_vector(&c, v);
		pre = oct_hex("027000");
		memcpy(pre.b + 3, ud.b, ud.len);
		for (pre.len = 0; pre.len < 3 + ud.len; pre.len++) {
			card_take(&c, &pre, &out);
			assert_false(out.accepted);
		}
		pre.len = 3 + ud.len + 1;
		card_take(&c, &pre, &out);
		assert_false(out.accepted);
		assert_int_equal(out.sw, 0x6f00);
	}
	json_decref(list);
}

static void test_responses_are_the_same_octets(void **state)
{
	json_t *list = vectors_load(dir, "dev-response-matrix.json"), *v;
	unsigned n = 0;
	size_t i;

	json_array_foreach(list, i, v)
	{
		const json_t *want = json_object_get(v, "expect");
		struct oct pkt = oct_of(v, "packet"), data = oct_of(want, "secured_data"), tar = oct_of(v, "tar"),
			   cntr = oct_of(v, "cntr");
		struct sim_cmd k = {
			.spi1 = oct_of(v, "spi1").b[0],
			.spi2 = oct_of(v, "spi2").b[0],
			.kic = oct_of(v, "kic").b[0],
			.kid = oct_of(v, "kid").b[0],
		};
		uint8_t got[TEST_OCTETS_MAX];
		struct sim_card c;
		size_t len;

		if (!usable(v) || data.len > 800)
			continue;
		card_of_vector(&c, v);
		k.ks = &c.ks[0];
		memcpy(k.tar, tar.b, 3);
		for (int j = 0; j < 5; j++)
			k.cntr = k.cntr << 8 | cntr.b[j];
		len = sim_por_build(&k, true, oct_of(want, "response_status").b[0], data.b, data.len,
				    json_object_get(v, "note") != NULL, got, sizeof(got)); /* noted: padded 80 00.. */
		assert_int_equal(len, pkt.len);
		assert_memory_equal(got, pkt.b, len);
		n++;
	}
	json_decref(list);
	print_message("%u responses\n", n);
	assert_true(n > 400);
}

/* A soft UICC's sessions: same commands in, same octets out. */
static void session(const json_t *v)
{
	const json_t *after = json_object_get(v, "card_after"), *step;
	struct oct kic = oct_of(v, "kic"), kic_key = oct_of(v, "kic_key"), kid_key = oct_of(v, "kid_key"), f;
	struct sim_card_profile p;
	struct sim_card_out out;
	const uint8_t *file;
	struct sim_card c;
	size_t i, len;

	sim_card_profile_default(&p);
	strcpy(p.imsi_prefix, "00101");
	p.alg = (kic.b[0] & 0x0f) == 2 ? SIM_ALG_AES128 : SIM_ALG_3DES2;
	p.kvn = kic.b[0] >> 4;
	p.msl = 0x06;
	p.silent_errors = true;
	p.interim_0b = true;
	p.pad_80 = p.alg == SIM_ALG_AES128;
	assert_int_equal(sim_card_init(&c, 1, 0, &p), 0);
	assert_string_equal(c.imsi_presented, "001010000000001");
	memcpy(c.ks[0].kic, kic_key.b, kic_key.len);
	memcpy(c.ks[0].kid, kid_key.b, kid_key.len);

	json_array_foreach(json_object_get(v, "steps"), i, step)
	{
		const json_t *in = json_object_get(step, "tp_ud_in"), *sub = json_object_get(step, "submit_tp_ud");
		struct oct want = oct_of(step, "deliver_report_tp_ud"), ud;

		for (size_t s = 0; s < json_array_size(in); s++) {
			ud = oct_hex(json_string_value(json_array_get(in, s)));
			card_take(&c, &ud, &out);
		}
		assert_int_equal(out.sw == 0x6200, !strcmp(text_of(step, "envelope_sw"), "6200"));
		assert_int_equal(out.report_len, want.len);
		/* That card computes a wrong CMAC over exactly one whole block: an unciphered AES PoR without data. */
		if (p.alg == SIM_ALG_AES128 && !(oct_of(step, "spi2").b[0] & 0x10) && want.len == 24)
			memcpy(want.b + 16, out.report + 16, 8);
		assert_memory_equal(out.report, want.b, want.len);
		assert_int_equal(out.submits, json_array_size(sub));
		for (size_t s = 0; s < json_array_size(sub); s++) {
			ud = oct_hex(json_string_value(json_array_get(sub, s)));
			assert_int_equal(out.submit[s].len, ud.len);
			assert_memory_equal(out.submit[s].ud, ud.b, ud.len);
		}
	}
	f = oct_of(after, "EF_IMSI(7FF0/6F07)");
	file = sim_card_file(&c, 0x6f07, &len);
	assert_int_equal(len, f.len);
	assert_memory_equal(file, f.b, len);
	if (c.truth.imsi_changes)
		assert_true(c.truth.imsi_update_cntrs >= 1 || p.msl == 0x06);
}

static void test_sessions_of_a_soft_card(void **state)
{
	json_t *list = vectors_load(dir, "dev-e2e-softcard.json"), *v;
	unsigned n = 0;
	size_t i;

	json_array_foreach(list, i, v)
	{
		if (strstr(text_of(v, "name"), "K/OPc"))
			continue; /* a proprietary file of that card */
		print_message("%s %s\n", text_of(v, "id"), text_of(v, "name"));
		session(v);
		n++;
	}
	json_decref(list);
	assert_int_equal(n, 6);
}

static void test_primitives(void **state)
{
	json_t *list = vectors_load(dir, "dev-primitives.json"), *v;
	unsigned n = 0;
	size_t i;

	json_array_foreach(list, i, v)
	{
		const char *kind = text_of(v, "kind");
		struct oct data = oct_of(v, "data"), want = oct_of(v, "value");
		uint8_t got[16];

		if (!strcmp(kind, "crc16")) {
			assert_int_equal(sim_crc16(data.b, data.len), want.b[0] << 8 | want.b[1]);
		} else if (!strcmp(kind, "crc32")) {
			assert_int_equal(sim_crc32(data.b, data.len),
					 (uint32_t)want.b[0] << 24 | want.b[1] << 16 | want.b[2] << 8 | want.b[3]);
		} else if (strstr(kind, "mac")) {
			struct oct key = oct_of(v, "key");
			enum sim_alg alg;

			if (strstr(kind, "aes"))
				alg = key.len == 16 ? SIM_ALG_AES128 : key.len == 24 ? SIM_ALG_AES192 : SIM_ALG_AES256;
			else
				alg = key.len == 8 ? SIM_ALG_DES : key.len == 16 ? SIM_ALG_3DES2 : SIM_ALG_3DES3;
			assert_int_equal(sim_cc(alg, key.b, data.b, data.len, got, want.len), 0);
			assert_memory_equal(got, want.b, want.len);
		} else {
			continue;
		}
		n++;
	}
	json_decref(list);
	assert_true(n > 80);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_primitives),
		cmocka_unit_test(test_commands_are_accepted),
		cmocka_unit_test(test_segments_in_any_order),
		cmocka_unit_test(test_no_bit_may_flip),
		cmocka_unit_test(test_no_other_length),
		cmocka_unit_test(test_responses_are_the_same_octets),
		cmocka_unit_test(test_sessions_of_a_soft_card),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s VECTOR-DIRECTORY\n", argv[0]);
		return 2;
	}
	dir = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
