/* test_codec_ram.c - remote application management: commands to the octet, keys by reference, answers.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "unit.h"

#include "ota/ram.h"

static const struct ram_aid usim = { 7, { 0xa0, 0, 0, 0, 0x87, 0x10, 0x02 } };
static const struct ram_aid sd = { 8, { 0xa0, 0, 0, 0x01, 0x51, 0, 0, 0 } };
static const struct ram_aid no_aid = { 4, { 1, 2, 3, 4 } };

static unsigned fail_at; /* 1..: this key is refused */

/* Wraps by turning every octet over, so that a test sees what came from where; KCV is id, id, id. */
static int wrap(void *ctx, struct ota_wrap_job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(jobs[i].dek.key, KS_KEY_KIK);
		for (size_t k = 0; k < jobs[i].out_len; k++)
			jobs[i].out[k] = k < jobs[i].key_len ? (uint8_t)~jobs[i].key.key : 0xee;
		memset(jobs[i].kcv, jobs[i].key.key, 3);
		jobs[i].rc = i + 1 == fail_at ? OTA_E_KEY : 0;
	}
	return 0;
}

static const struct ota_crypt crypt = { .wrap = wrap };

static struct ram_put_key keys(enum ota_alg alg, uint8_t len, enum ota_alg dek_alg)
{
	struct ram_put_key p = {
		.old_kvn = 0, .new_kvn = 2, .first_id = 1, .dek = { 9, KS_KEY_KIK }, .dek_alg = dek_alg, .n = 3
	};

	for (uint8_t i = 0; i < 3; i++) {
		p.key[i].ref = (struct ks_ref){ 9, (uint8_t)(i + 1) };
		p.key[i].alg = alg;
		p.key[i].len = len;
	}
	return p;
}

static void put_key_3des(void **state)
{
	struct ram_put_key p = keys(OTA_ALG_3DES2_CBC, 16, OTA_ALG_3DES2_CBC);
	uint8_t want[6 + 3 * 22] = { 0x80, 0xd8, 0x00, 0x81, 1 + 3 * 22, 0x02 }, kcv[3][3], *buf = malloc(sizeof(want));
	struct ram_put_key_seen seen;

	for (size_t i = 0; i < 3; i++) {
		uint8_t *f = want + 6 + 22 * i;

		f[0] = 0x80;
		f[1] = 16;
		memset(f + 2, (int)(0xfe - i), 16);
		f[18] = 3;
		memset(f + 19, (int)i + 1, 3);
	}
	assert_int_equal(ram_put_key_encode(buf, sizeof(want), &p, &crypt, kcv), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
	assert_memory_equal(kcv, "\1\1\1\2\2\2\3\3\3", 9);
	for (size_t cap = 0; cap < sizeof(want); cap++) {
		uint8_t *small = malloc(cap);

		assert_int_equal(ram_put_key_encode(small, cap, &p, &crypt, NULL), OTA_E_SPACE);
		free(small);
	}
	assert_int_equal(ram_put_key_decode(&seen, buf, sizeof(want)), 0);
	assert_int_equal(seen.n, 3);
	assert_int_equal(seen.new_kvn, 2);
	assert_int_equal(seen.first_id, 1);
	assert_int_equal(seen.key[2].type, 0x80);
	assert_int_equal(seen.key[2].clear_len, 16);
	assert_memory_equal(seen.key[2].kcv, "\3\3\3", 3);
	for (size_t cut = 0; cut < sizeof(want); cut++) {
		uint8_t *copy = exact(buf, cut);

		assert_true(ram_put_key_decode(&seen, copy, cut) < 0);
		free(copy);
	}
	free(buf);
}

/* AES keys have their clear length in front; AES-192 under an AES key is padded. */
static void put_key_aes(void **state)
{
	struct ram_put_key p = keys(OTA_ALG_AES_CBC, 24, OTA_ALG_AES_CBC);
	struct ram_put_key_seen seen;
	uint8_t buf[200], apdu[OTA_APDU_MAX];
	struct ota_script s;
	int len;

	p.n = 1;
	p.old_kvn = 1;
	p.first_id = 2;
	len = ram_put_key_encode(buf, sizeof(buf), &p, &crypt, NULL);
	assert_int_equal(len, 6 + 3 + 32 + 4);
	assert_memory_equal(buf, "\x80\xd8\x01\x02\x28\x02\x88\x21\x18", 9);
	assert_int_equal(buf[9 + 24], 0xee);
	assert_int_equal(ram_put_key_decode(&seen, buf, (size_t)len), 0);
	assert_int_equal(seen.old_kvn, 1);
	assert_int_equal(seen.first_id, 2);
	assert_int_equal(seen.key[0].clear_len, 24);
	assert_int_equal(seen.key[0].wrapped_len, 32);

	/* without padding it is there all the same; a card tells either way by the odd length */
	p.key[0].len = 16;
	len = ram_put_key_encode(buf, sizeof(buf), &p, &crypt, NULL);
	assert_memory_equal(buf + 6, "\x88\x11\x10", 3);
	assert_int_equal(ram_put_key_decode(&seen, buf, (size_t)len), 0);
	assert_int_equal(seen.key[0].clear_len, 16);
	assert_int_equal(seen.key[0].wrapped_len, 16);
	/* as other senders write it, without */
	memmove(buf + 8, buf + 9, (size_t)len - 9);
	buf[4]--;
	buf[7]--;
	assert_int_equal(ram_put_key_decode(&seen, buf, (size_t)len - 1), 0);
	assert_int_equal(seen.key[0].clear_len, 16);
	assert_int_equal(seen.key[0].wrapped_len, 16);

	/* a 3DES key of 24 octets under an AES key is padded, so its length is told; one of 16 is not */
	p = keys(OTA_ALG_3DES3_CBC, 24, OTA_ALG_AES_CBC);
	p.n = 1;
	assert_int_equal(ram_put_key_encode(buf, sizeof(buf), &p, &crypt, NULL), 6 + 3 + 32 + 4);
	assert_memory_equal(buf + 6, "\x80\x21\x18", 3);
	assert_int_equal(ram_put_key_decode(&seen, buf, 6 + 3 + 32 + 4), 0);
	assert_int_equal(seen.key[0].clear_len, 24);
	assert_int_equal(seen.key[0].wrapped_len, 32);
	p = keys(OTA_ALG_3DES2_CBC, 16, OTA_ALG_AES_CBC);
	p.n = 1;
	assert_int_equal(ram_put_key_encode(buf, sizeof(buf), &p, &crypt, NULL), 6 + 2 + 16 + 4);
	assert_memory_equal(buf + 6, "\x80\x10", 2);

	/* three of the longest, as part of a script, with Le */
	p = keys(OTA_ALG_AES_CBC, 32, OTA_ALG_AES_CBC);
	ota_script_init(&s, apdu, sizeof(apdu));
	ram_put_key(&s, &p, &crypt, NULL);
	assert_int_equal(ota_script_len(&s), 6 + 3 * 39 + 1);
	assert_int_equal(ram_put_key_decode(&seen, apdu, s.len), 0);
}

static void put_key_refused(void **state)
{
	static const struct {
		uint8_t old_kvn, new_kvn, first_id, n, len;
		enum ota_alg alg, dek_alg;
		int err;
	} rows[] = {
		{ 0x80, 1, 1, 1, 16, OTA_ALG_AES_CBC, OTA_ALG_AES_CBC, OTA_E_RANGE },
		{ 0, 0, 1, 1, 16, OTA_ALG_AES_CBC, OTA_ALG_AES_CBC, OTA_E_RANGE },
		{ 0, 0x80, 1, 1, 16, OTA_ALG_AES_CBC, OTA_ALG_AES_CBC, OTA_E_RANGE },
		{ 0, 1, 0, 1, 16, OTA_ALG_AES_CBC, OTA_ALG_AES_CBC, OTA_E_RANGE },
		{ 0, 1, 0x80, 1, 16, OTA_ALG_AES_CBC, OTA_ALG_AES_CBC, OTA_E_RANGE },
		{ 0, 1, 0x7f, 2, 16, OTA_ALG_AES_CBC, OTA_ALG_AES_CBC, OTA_E_RANGE },
		{ 0, 1, 1, 0, 16, OTA_ALG_AES_CBC, OTA_ALG_AES_CBC, OTA_E_RANGE },
		{ 0, 1, 1, 4, 16, OTA_ALG_AES_CBC, OTA_ALG_AES_CBC, OTA_E_RANGE },
		{ 0, 1, 1, 1, 8, OTA_ALG_AES_CBC, OTA_ALG_AES_CBC, OTA_E_RANGE },
		{ 0, 1, 1, 1, 16, OTA_ALG_DES_CBC, OTA_ALG_3DES2_CBC, OTA_E_RANGE },
		{ 0, 1, 1, 1, 8, OTA_ALG_DES_CBC, OTA_ALG_3DES2_CBC, 0 },
		{ 0, 1, 1, 1, 8, OTA_ALG_DES_ECB, OTA_ALG_3DES2_CBC, 0 },
		{ 0, 1, 1, 1, 8, OTA_ALG_3DES2_CBC, OTA_ALG_3DES2_CBC, OTA_E_RANGE },
		{ 0, 1, 1, 1, 24, OTA_ALG_3DES3_CBC, OTA_ALG_3DES2_CBC, 0 },
		{ 0, 1, 1, 1, 16, OTA_ALG_3DES3_CBC, OTA_ALG_3DES2_CBC, OTA_E_RANGE },
		{ 0, 1, 1, 1, 16, OTA_ALG_NONE, OTA_ALG_3DES2_CBC, OTA_E_ALG },
		{ 0, 1, 1, 1, 16, OTA_ALG_AES_CBC, OTA_ALG_NONE, OTA_E_ALG },
	};
	const struct ota_crypt empty = { 0 };
	struct ram_put_key_work w = { 0 };
	struct ram_put_key p;
	struct ota_script s;
	uint8_t buf[200];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int want = rows[i].err ? rows[i].err : 6 + 2 + rows[i].len + 4;

		p = keys(rows[i].alg, rows[i].len, rows[i].dek_alg);
		p.old_kvn = rows[i].old_kvn;
		p.new_kvn = rows[i].new_kvn;
		p.first_id = rows[i].first_id;
		p.n = rows[i].n;
		assert_int_equal(ram_put_key_encode(buf, sizeof(buf), &p, &crypt, NULL), want);
	}
	/* without the hook, and with a key that is refused: nothing of any key is left in the APDU */
	p = keys(OTA_ALG_AES_CBC, 16, OTA_ALG_AES_CBC);
	assert_int_equal(ram_put_key_encode(buf, sizeof(buf), &p, &empty, NULL), OTA_E_KEY);
	assert_int_equal(ram_put_key_encode(buf, sizeof(buf), &p, NULL, NULL), OTA_E_KEY);
	fail_at = 2;
	assert_int_equal(ram_put_key_encode(buf, sizeof(buf), &p, &crypt, NULL), OTA_E_KEY);
	for (size_t i = 9; i < 9 + 16; i++)
		assert_int_equal(buf[i], 0);
	ota_script_init(&s, buf, sizeof(buf));
	ram_put_key(&s, &p, &crypt, NULL);
	assert_int_equal(ota_script_len(&s), OTA_E_KEY);
	fail_at = 0;
	assert_int_equal(ram_put_key_finish(&w), OTA_E_KEY);
}

static void put_key_answer(void **state)
{
	static const uint8_t kcv[2][3] = { { 1, 2, 3 }, { 4, 5, 6 } };

	assert_int_equal(ram_put_key_rsp_check((const uint8_t *)"\x02\1\2\3\4\5\6", 7, 2, kcv, 2), 0);
	assert_int_equal(ram_put_key_rsp_check((const uint8_t *)"\x02\1\2\3\4\5\7", 7, 2, kcv, 2), OTA_E_UNMATCHED);
	assert_int_equal(ram_put_key_rsp_check((const uint8_t *)"\x03\1\2\3\4\5\6", 7, 2, kcv, 2), OTA_E_UNMATCHED);
	assert_int_equal(ram_put_key_rsp_check((const uint8_t *)"\x02\1\2\3\4\5\6", 6, 2, kcv, 2), OTA_E_LENGTH);
}

static void put_key_malformed(void **state)
{
	static const struct {
		const char *p;
		size_t len;
		int err;
	} rows[] = {
		{ "\x80\xd8\x00\x01\x0c\x02\x80\x08\x01\x02\x03\x04\x05\x06\x07\x08\x00", 17, 0 }, /* no KCV */
		{ "\x80\xd8\x00\x01\x0c\x02\x80\x08\x01\x02\x03\x04\x05\x06\x07\x08\x00\x00", 18, 0 },
		{ "\x80\xd8\x00\x01\x0c\x02\x80\x08\x01\x02\x03\x04\x05\x06\x07\x08\x00\x00\x00", 19, OTA_E_LENGTH },
		{ "\x80\xd8\x00\x81\x0c\x02\x80\x08\x01\x02\x03\x04\x05\x06\x07\x08\x00", 17, OTA_E_LENGTH },
		{ "\x80\xd8\x00\x01\x0c\x02\x81\x08\x01\x02\x03\x04\x05\x06\x07\x08\x00", 17, OTA_E_ALG },
		{ "\x80\xd8\x00\x01\x04\x02\x80\x00\x00", 9, OTA_E_LENGTH },
		{ "\x80\xd8\x00\x01\x05\x02\x80\x01\xaa\x00", 10, OTA_E_LENGTH }, /* a length, and no key */
		{ "\x80\xd8\x00\x01\x07\x02\x80\x03\x02\xaa\xbb\x00", 12, OTA_E_LENGTH },
		{ "\x80\xd8\x00\x01\x0d\x02\x88\x09\x09\x01\x02\x03\x04\x05\x06\x07\x08\x00", 18,
		  OTA_E_LENGTH }, /* longer than what there is */
		{ "\x80\xd8\x00\x01\x0d\x02\x88\x09\x08\x01\x02\x03\x04\x05\x06\x07\x08\x00", 18, 0 },
		{ "\x80\xd8\x00\x01\x0c\x02\x88\x08\x01\x02\x03\x04\x05\x06\x07\x08\x00", 17, 0 },
		{ "\x80\xd8\x00\x01\x15\x02\x80\x11\x08\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08"
		  "\x00",
		  26, 0 }, /* DES, padded for an AES key */
		{ "\x80\xd8\x00\x01\x04\x02\x88\x00\x00", 9, OTA_E_LENGTH },
		{ "\x80\xd8\x00\x01\x01\x02", 6, OTA_E_SHORT },
		{ "\x80\xd8\x00\x01\x00", 5, OTA_E_SHORT },
		{ "\x80\xd8\x00", 3, OTA_E_SHORT },
		{ "\x00\xd8\x00\x01\x00", 5, OTA_E_FORMAT },
		{ "\xa0\xd8\x00\x01\x00", 5, OTA_E_FORMAT },
		{ "\x80\xe8\x00\x01\x00", 5, OTA_E_FORMAT },
		{ "\x80\xd8\x00\x81\x2d\x02\x80\x08\x01\x02\x03\x04\x05\x06\x07\x08\x00\x80\x08\x01\x02\x03\x04\x05\x06"
		  "\x07\x08\x00\x80\x08\x01\x02\x03\x04\x05\x06\x07\x08\x00\x80\x08\x01\x02\x03\x04\x05\x06\x07\x08"
		  "\x00",
		  50, OTA_E_RANGE },
	};
	struct ram_put_key_seen seen;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t *copy = exact(rows[i].p, rows[i].len);

		assert_int_equal(ram_put_key_decode(&seen, copy, rows[i].len), rows[i].err);
		free(copy);
	}
}

/* ------------------------------------------------------------------------------------------------ builders */

#define BUILT(want, call)                                               \
	do {                                                            \
		ota_script_init(&s, buf, sizeof(buf));                  \
		call;                                                   \
		assert_int_equal(ota_script_len(&s), sizeof(want) - 1); \
		assert_memory_equal(buf, want, sizeof(want) - 1);       \
	} while (0)
#define REFUSED(error, call)                                 \
	do {                                                 \
		ota_script_init(&s, buf, sizeof(buf));       \
		call;                                        \
		assert_int_equal(ota_script_len(&s), error); \
	} while (0)
#define USIM "\x07\xa0\x00\x00\x00\x87\x10\x02"
#define SD   "\x08\xa0\x00\x00\x01\x51\x00\x00\x00"

static void builders(void **state)
{
	static const uint8_t data[256];
	struct ram_install i = { .package = usim,
				 .module = usim,
				 .instance = sd,
				 .privileges = { 0x80 },
				 .privileges_len = 1,
				 .selectable = true };
	uint8_t buf[300];
	struct ota_script s;

	BUILT("\x80\xe4\x00\x00\x09\x4f" USIM "\x00", ram_delete(&s, &usim, false));
	BUILT("\x80\xe4\x00\x80\x09\x4f" USIM "\x00", ram_delete(&s, &usim, true));
	BUILT("\x80\xe4\x00\x00\x06\xd0\x01\x01\xd2\x01\x02\x00", ram_delete_key(&s, 2, 1));
	BUILT("\x80\xe4\x00\x00\x03\xd2\x01\x02\x00", ram_delete_key(&s, 2, 0));
	BUILT("\x80\xe4\x00\x00\x03\xd0\x01\x01\x00", ram_delete_key(&s, 0, 1));
	BUILT("\x80\xe6\x02\x00\x0c" USIM "\x00\x00\x00\x00\x00", ram_install_load(&s, &usim, NULL, NULL, 0, NULL, 0));
	BUILT("\x80\xe6\x02\x00\x17" USIM SD "\x02\x00\x00\x01\x00\x00\x00",
	      ram_install_load(&s, &usim, &sd, data, 2, data, 1));
	BUILT("\x80\xe6\x0c\x00\x1f" USIM USIM SD "\x01\x80\x02\xc9\x00\x00\x00", ram_install(&s, &i));
	i.selectable = false;
	i.privileges_len = 3;
	i.params = (const uint8_t *)"\xc9\x01\xff";
	i.params_len = 3;
	BUILT("\x80\xe6\x04\x00\x22" USIM USIM SD "\x03\x80\x00\x00\x03\xc9\x01\xff\x00\x00", ram_install(&s, &i));
	BUILT("\x80\xe6\x08\x00\x0e\x00\x00" USIM "\x01\x04\x00\x00\x00", ram_install_selectable(&s, &usim, 4));
	BUILT("\x80\xe8\x00\x01\x02\x00\x00\x00", ram_load(&s, 1, false, data, 2));
	BUILT("\x80\xe8\x80\x02\x01\x00\x00", ram_load(&s, 2, true, data, 1));
	BUILT("\x80\xf0\x40\x83" USIM "\x00", ram_set_status(&s, 0x40, 0x83, &usim));
	BUILT("\x80\xe2\x80\x00\x01\x00\x00", ram_store_data(&s, 0x80, 0, data, 1));
	BUILT("\x80\xca\x00\xe0\x00", ram_get_data(&s, RAM_DATA_KEY_INFO));
	BUILT("\x80\xf2\x40\x02\x02\x4f\x00\x00", ram_get_status(&s, RAM_APPLICATIONS, false, true, NULL));
	BUILT("\x80\xf2\x10\x01\x09\x4f" USIM "\x00", ram_get_status(&s, RAM_PACKAGES_AND_MODULES, true, false, &usim));

	/* long parameters have a length of two octets */
	i.params = data;
	i.params_len = 0x80;
	ota_script_init(&s, buf, sizeof(buf));
	ram_install(&s, &i);
	assert_true(ota_script_len(&s) > 0);
	assert_memory_equal(buf + 5 + 8 + 8 + 9 + 4, "\x81\x80", 2);
}

static void builders_refuse(void **state)
{
	static const uint8_t data[256];
	struct ram_install i = { .package = usim, .module = usim, .instance = sd, .privileges_len = 1 };
	uint8_t buf[300];
	struct ota_script s;

	REFUSED(OTA_E_RANGE, ram_delete(&s, &no_aid, false));
	REFUSED(OTA_E_RANGE, ram_delete_key(&s, 0, 0));
	REFUSED(OTA_E_RANGE, ram_delete_key(&s, 0x80, 1));
	REFUSED(OTA_E_RANGE, ram_delete_key(&s, 1, 0x80));
	REFUSED(OTA_E_RANGE, ram_install_load(&s, &no_aid, NULL, NULL, 0, NULL, 0));
	REFUSED(OTA_E_RANGE, ram_install_load(&s, &usim, &no_aid, NULL, 0, NULL, 0));
	REFUSED(OTA_E_LENGTH, ram_install_load(&s, &usim, NULL, data, 256, NULL, 0));
	REFUSED(OTA_E_LENGTH, ram_install_load(&s, &usim, NULL, NULL, 0, data, 128));
	REFUSED(OTA_E_LENGTH, ram_install_load(&s, &usim, NULL, NULL, 0, data, 256));
	REFUSED(OTA_E_RANGE, ram_install_selectable(&s, &no_aid, 0));
	REFUSED(OTA_E_LENGTH, ram_load(&s, 0, true, data, 256));
	REFUSED(OTA_E_LENGTH, ram_load(&s, 0, true, data, 0));
	REFUSED(OTA_E_LENGTH, ram_store_data(&s, 0, 0, data, 0));
	REFUSED(OTA_E_LENGTH, ram_set_status(&s, 0x40, 0, &no_aid));
	REFUSED(OTA_E_RANGE, ram_get_status(&s, (enum ram_subset)0x11, false, false, NULL));
	i.params = data;
	i.params_len = 230;
	REFUSED(OTA_E_LENGTH, ram_install(&s, &i));
	i.params_len = 256;
	REFUSED(OTA_E_LENGTH, ram_install(&s, &i));
	i.params_len = 0;
	i.privileges_len = 2;
	REFUSED(OTA_E_RANGE, ram_install(&s, &i));
	i.privileges_len = 1;
	i.package = no_aid;
	REFUSED(OTA_E_RANGE, ram_install(&s, &i));
	i.package = usim;
	i.module = no_aid;
	REFUSED(OTA_E_RANGE, ram_install(&s, &i));
	i.module = usim;
	i.instance.len = 17;
	REFUSED(OTA_E_RANGE, ram_install(&s, &i));
}

/* ------------------------------------------------------------------------------------------------- answers */

struct seen {
	unsigned n;
	struct ram_entry last;
	struct ram_key_info key;
};

static int each_entry(void *ctx, const struct ram_entry *e)
{
	struct seen *s = ctx;

	s->n++;
	s->last = *e;
	return e->state == 0x55 ? 7 : 0;
}

static int each_key(void *ctx, const struct ram_key_info *k)
{
	struct seen *s = ctx;

	s->n++;
	s->key = *k;
	return k->id == 0x55 ? 7 : 0;
}

static int status(struct seen *seen, const char *p, size_t len, bool tlv, enum ram_subset what)
{
	uint8_t *copy = exact(p, len);
	int rc;

	memset(seen, 0, sizeof(*seen));
	rc = ram_status_each(copy, len, tlv, what, each_entry, seen);
	free(copy);
	return rc;
}
#define STATUS(p, tlv, what) status(&seen, p, sizeof(p) - 1, tlv, what)

static void entries(void **state)
{
	struct seen seen;

	assert_int_equal(STATUS("\xe3\x20\x4f" USIM "\x9f\x70\x01\x07\xc5\x03\x80\x00\x01\xc4" USIM "\xce\x02\x01\x00",
				true, RAM_APPLICATIONS),
			 OTA_E_SHORT);
	assert_int_equal(STATUS("\xe3\x1f\x4f" USIM "\x9f\x70\x01\x07\xc5\x03\x80\x00\x01\xc4" USIM "\xce\x02\x01\x00",
				true, RAM_APPLICATIONS),
			 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.last.aid.len, 7);
	assert_memory_equal(seen.last.aid.aid, usim.aid, 7);
	assert_int_equal(seen.last.state, 7);
	assert_int_equal(seen.last.privileges_len, 3);
	assert_int_equal(seen.last.package.len, 7);
	assert_int_equal(STATUS("\xe3\x1c\x4f" USIM "\x84" USIM "\xcc" SD, true, RAM_PACKAGES_AND_MODULES), 0);
	assert_int_equal(seen.last.modules, 1);
	assert_int_equal(seen.last.sd.len, 8);
	/* none of these is a registry entry */
	assert_int_equal(STATUS("\xe3\x00", true, RAM_ISD), OTA_E_FORMAT);
	assert_int_equal(STATUS("\xe4\x09\x4f" USIM, true, RAM_ISD), OTA_E_FORMAT);
	assert_int_equal(STATUS("\xe3\x0d\x4f" USIM "\xc5\x02\x00\x00", true, RAM_ISD), OTA_E_LENGTH);
	assert_int_equal(STATUS("\xe3\x0c\x4f" USIM "\x9f\x70\x00", true, RAM_ISD), OTA_E_LENGTH);
	assert_int_equal(STATUS("\xe3\x13\x4f\x11"
				"12345678901234567",
				true, RAM_ISD),
			 OTA_E_LENGTH);
	assert_int_equal(STATUS("\xe3\x83", true, RAM_ISD), OTA_E_LENGTH);
	assert_int_equal(STATUS("\xe3\x0d\x4f" USIM "\x9f\x70\x01\x55", true, RAM_ISD), 7);
	/* the older list */
	assert_int_equal(STATUS(USIM "\x07\x00" SD "\x0f\x80", false, RAM_APPLICATIONS), 0);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.last.state, 0x0f);
	assert_int_equal(seen.last.privileges[0], 0x80);
	assert_int_equal(STATUS(USIM "\x01\x00\x02" SD SD, false, RAM_PACKAGES_AND_MODULES), 0);
	assert_int_equal(seen.last.modules, 2);
	assert_int_equal(STATUS(USIM "\x01\x00\x03" SD SD, false, RAM_PACKAGES_AND_MODULES), OTA_E_SHORT);
	assert_int_equal(STATUS(USIM "\x01", false, RAM_APPLICATIONS), OTA_E_SHORT);
	assert_int_equal(STATUS("\x00\x01\x00", false, RAM_APPLICATIONS), OTA_E_FORMAT);
	assert_int_equal(STATUS("\x11"
				"12345678901234567"
				"\x01\x00",
				false, RAM_APPLICATIONS),
			 OTA_E_LENGTH);
	assert_int_equal(STATUS("", false, RAM_APPLICATIONS), 0);
}

static void key_infos(void **state)
{
	static const struct {
		const char *p;
		size_t len;
		int rc;
		unsigned n;
	} rows[] = {
		{ "\xe0\x0c\xc0\x04\x01\x02\x80\x10\xc0\x04\x02\x02\x88\x10", 14, 0, 2 },
		{ "\xe0\x00", 2, 0, 0 },
		{ "\xe0\x00\x00", 3, OTA_E_LENGTH, 0 },
		{ "\xe1\x00", 2, OTA_E_FORMAT, 0 },
		{ "\xe0\x02\xc1\x00", 4, OTA_E_FORMAT, 0 },
		{ "\xe0\x05\xc0\x03\x01\x02\x80", 7, OTA_E_SHORT, 0 },
		{ "\xe0\x01\xc0", 3, OTA_E_SHORT, 0 },
		{ "\xe0\x06\xc0\x04\x01\x02\xff\x80", 8, OTA_E_FORMAT, 0 },
		{ "\xe0\x06\xc0\x04\x55\x02\x80\x10", 8, 7, 1 },
		{ "", 0, OTA_E_SHORT, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t *copy = exact(rows[i].p, rows[i].len);
		struct seen seen = { 0 };

		assert_int_equal(ram_key_info_each(copy, rows[i].len, each_key, &seen), rows[i].rc);
		assert_int_equal(seen.n, rows[i].n);
		free(copy);
	}
}

static void confirmations(void **state)
{
	size_t n;

	assert_int_equal(ram_confirm_parse(NULL, 0, NULL), 0);
	assert_int_equal(ram_confirm_parse((const uint8_t *)"\x00", 1, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(ram_confirm_parse((const uint8_t *)"\x02\xaa\xbb", 3, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(ram_confirm_parse((const uint8_t *)"\x02\xaa", 2, &n), OTA_E_SHORT);
	assert_int_equal(ram_confirm_parse((const uint8_t *)"\x00\xaa", 2, &n), OTA_E_LENGTH);
	assert_int_equal(ram_confirm_parse((const uint8_t *)"\x83\xaa", 2, NULL), OTA_E_LENGTH);
	assert_int_equal(ram_confirm_parse((const uint8_t *)"\x00", 1, NULL), 0);
}

static void states(void **state)
{
	static const struct {
		enum ram_subset what;
		uint8_t state;
		const char *name;
	} rows[] = {
		{ RAM_ISD, 0x01, "OP_READY" },
		{ RAM_ISD, 0x07, "initialized" },
		{ RAM_ISD, 0x0f, "secured" },
		{ RAM_ISD, 0x7f, "card locked" },
		{ RAM_ISD, 0xff, "terminated" },
		{ RAM_ISD, 0x33, "unknown state" },
		{ RAM_PACKAGES, 0x01, "loaded" },
		{ RAM_PACKAGES_AND_MODULES, 0x02, "unknown state" },
		{ RAM_APPLICATIONS, 0x03, "installed" },
		{ RAM_APPLICATIONS, 0x07, "selectable" },
		{ RAM_APPLICATIONS, 0x0f, "personalized" },
		{ RAM_APPLICATIONS, 0x17, "selectable" },
		{ RAM_APPLICATIONS, 0x83, "locked" },
		{ RAM_APPLICATIONS, 0x01, "unknown state" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(ram_state_name(rows[i].what, rows[i].state), rows[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(put_key_3des),
		cmocka_unit_test(put_key_aes),
		cmocka_unit_test(put_key_refused),
		cmocka_unit_test(put_key_answer),
		cmocka_unit_test(put_key_malformed),
		cmocka_unit_test(builders),
		cmocka_unit_test(builders_refuse),
		cmocka_unit_test(entries),
		cmocka_unit_test(key_infos),
		cmocka_unit_test(confirmations),
		cmocka_unit_test(states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
