/* test_ks_leak.c - after unload and close no key octets are left: not in the arena, not anywhere in the process.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The test holds its keys masked and unmasks them octet by octet while it compares, so that what it finds is not its
 * own copy.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "ks_test.h"
#include "ks_int.h"

#define MASK	    0xa5
#define KEY_LEN	    16
#define MAPPING_MAX (256u << 20) /* larger ones are a sanitizer's shadow */

/* Keys of another seed each; masked at birth. */
static void key_masked(uint8_t out[KEY_LEN], unsigned seed)
{
	uint32_t x = seed * 2654435761u + 12345;

	for (int i = 0; i < KEY_LEN; i++) {
		x = x * 1664525 + 1013904223;
		out[i] = (uint8_t)(x >> 24);
	}
}

static void key_text(char *hex, unsigned seed)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t k[KEY_LEN];

	key_masked(k, seed);
	for (int i = 0; i < KEY_LEN; i++) {
		hex[2 * i] = digits[(k[i] ^ MASK) >> 4];
		hex[2 * i + 1] = digits[(k[i] ^ MASK) & 15];
	}
	hex[2 * KEY_LEN] = '\0';
}

/* How often the key stands in a piece of memory. */
static size_t key_count(const uint8_t *p, size_t len, unsigned seed)
{
	uint8_t masked[KEY_LEN];
	size_t found = 0;

	key_masked(masked, seed);
	for (const uint8_t *end = p + len; (p = memchr(p, masked[0] ^ MASK, (size_t)(end - p))); p++) {
		int k = 1;

		if (end - p < KEY_LEN)
			break;
		while (k < KEY_LEN && p[k] == (masked[k] ^ MASK))
			k++;
		found += k == KEY_LEN;
	}
	return found;
}

/* Looks through all writable memory of this process, by way of the kernel. */
static size_t process_count(unsigned seed)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	static uint8_t page[65536 + KEY_LEN];
	unsigned long from, to;
	char line[512], perm[8];
	size_t found = 0;

	assert_non_null(maps);
	assert_true(mem >= 0);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, perm) != 3 || perm[1] != 'w' || to - from > MAPPING_MAX)
			continue;
		for (unsigned long at = from; at < to; at += 65536) {
			size_t want = to - at < sizeof(page) ? to - at : sizeof(page);
			ssize_t n;

			if (at <= (unsigned long)page && (unsigned long)page < at + want)
				continue; /* this buffer itself */
			n = pread(mem, page, want, (off_t)at);
			if (n > 0)
				found += key_count(page, (size_t)n, seed);
			memset(page, 0, sizeof(page));
		}
	}
	close(mem);
	fclose(maps);
	return found;
}

static uint32_t load_seed(struct ks *ks, const struct ks_keyset_spec *spec, unsigned kic_seed, unsigned kid_seed)
{
	char kic[2 * KEY_LEN + 1], kid[2 * KEY_LEN + 1], kik[2 * KEY_LEN + 1];
	uint8_t sealed[KS_SEALED_MAX];
	uint32_t set = 0;
	int n;

	key_text(kic, kic_seed);
	key_text(kid, kid_seed);
	key_text(kik, kid_seed + 100);
	n = ks_keyset_import(ks, ICCID_1, spec, kic, kid, kik, sealed, NULL, 0);
	assert_true(n > 0);
	assert_int_equal(ks_load(ks, ICCID_1, spec->kvn, sealed, (size_t)n, &set), 0);
	return set;
}

static void use(struct ks *ks, uint32_t set, enum ota_alg alg)
{
	struct ota_crypt c = ks_crypt(ks);
	uint8_t buf[64] = "some octets", mac[8];
	struct ota_mac_job m = {
		.key = { set, KS_KEY_KID },
		.alg = alg,
		.part = { { buf, sizeof(buf) } },
		.parts = 1,
		.mac_len = 8,
		.mac = mac,
	};
	struct ota_cipher_job j = { .key = { set, KS_KEY_KIC }, .alg = alg, .buf = buf, .len = sizeof(buf) };

	assert_int_equal(c.mac(c.ctx, &m, 1), 0);
	assert_int_equal(c.cipher(c.ctx, &j, 1), 0);
	j.decrypt = true;
	assert_int_equal(c.cipher(c.ctx, &j, 1), 0);
	for (uint8_t key = KS_KEY_KIC; key <= KS_KEY_KIK; key++) {
		struct ota_wrap_job w = {
			.key = { set, key },
			.dek = { set, KS_KEY_KIK },
			.alg = alg,
			.dek_alg = alg,
			.key_len = KEY_LEN,
			.out = buf,
			.out_len = KEY_LEN,
		};

		assert_int_equal(c.wrap(c.ctx, &w, 1), 0);
	}
}

static void test_arena(void **state)
{
	struct ks *ks = test_open(4);
	size_t len;
	const uint8_t *arena = ks_arena(ks, &len);
	uint32_t set = load_seed(ks, &spec_3des2, 1, 2);

	use(ks, set, OTA_ALG_3DES2_CBC);
	/* once: the key in its slot, and no copy that wrapping needed; the test does find what is there */
	assert_int_equal(key_count(arena, len, 1), 1);
	assert_int_equal(key_count(arena, len, 2), 1);
	assert_int_equal(key_count(arena, len, 102), 1);
	ks_unload(ks, set);
	assert_int_equal(key_count(arena, len, 1), 0);
	assert_int_equal(key_count(arena, len, 2), 0);
	assert_int_equal(key_count(arena, len, 102), 0);
	ks_close(ks);
}

/* AES's key schedule begins with the key itself, so that a schedule left behind in OpenSSL's heap is found as well. */
static void test_process(void **state)
{
	struct ks *ks = test_open(4);
	uint32_t set = load_seed(ks, &spec_aes, 11, 12), other;

	use(ks, set, OTA_ALG_AES_CBC);
	assert_true(process_count(11) >= 1);
	assert_true(process_count(12) >= 1);
	ks_unload(ks, set);
	assert_int_equal(process_count(11), 0);
	assert_int_equal(process_count(12), 0);
	assert_int_equal(process_count(112), 0);

	/* unloaded in another order than used */
	set = load_seed(ks, &spec_aes, 13, 14);
	other = load_seed(ks, &spec_aes, 15, 16);
	use(ks, set, OTA_ALG_AES_CBC);
	use(ks, other, OTA_ALG_AES_CBC);
	ks_unload(ks, set);
	assert_int_equal(process_count(13), 0);
	assert_int_equal(process_count(14), 0);
	assert_true(process_count(15) >= 1);

	ks_unload(ks, other);

	/* unloaded many in a row: the slots are wiped at once, what the contexts hold when that is over */
	set = load_seed(ks, &spec_aes, 17, 18);
	other = load_seed(ks, &spec_aes, 19, 20);
	use(ks, set, OTA_ALG_AES_CBC);
	ks_unload_soon(ks, set);
	use(ks, other, OTA_ALG_AES_CBC);
	ks_unload_soon(ks, other);
	assert_int_equal(process_count(17), 0);
	assert_int_equal(process_count(18), 0);
	ks_settle(ks);
	assert_int_equal(process_count(19), 0);
	assert_int_equal(process_count(20), 0);
	assert_int_equal(process_count(120), 0);

	/* and closed while loaded */
	other = load_seed(ks, &spec_aes, 15, 16);
	use(ks, other, OTA_ALG_AES_CBC);
	ks_close(ks);
	assert_int_equal(process_count(15), 0);
	assert_int_equal(process_count(16), 0);
	assert_int_equal(process_count(116), 0);
}

static void test_kek_gone(void **state)
{
	struct ks_open_params p = { .source = KS_KEK_MEMORY };
	uint8_t *kek = malloc(32);
	struct ks *ks;

	assert_non_null(kek);
	key_masked(kek, 21);
	key_masked(kek + KEY_LEN, 22);
	for (int i = 0; i < 32; i++)
		kek[i] ^= MASK;
	p.kek = kek;
	assert_int_equal(ks_open(&ks, &p, NULL, 0, NULL, NULL, 0), 0);
	ks_wipe(kek, 32);
	free(kek);
	assert_true(process_count(21) >= 1);
	ks_close(ks);
	assert_int_equal(process_count(21), 0);
	assert_int_equal(process_count(22), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_kek_gone),
	};

	return cmocka_run_group_tests_name("keystore: nothing left behind", tests, NULL, NULL);
}
