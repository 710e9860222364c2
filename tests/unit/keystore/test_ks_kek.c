/* test_ks_kek.c - where the key-encryption key comes from, and what is said when it is not right.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ks_test.h"

static char dir[] = "/tmp/otagw-kek-XXXXXX";
static char path[64];

static int setup(void **state)
{
	snprintf(path, sizeof(path), "%s/kek", dir);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return 0;
}

static int dir_make(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int dir_remove(void **state)
{
	return rmdir(dir);
}

static void file_write(const void *data, size_t len, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void expect_open(const struct ks_open_params *p, const uint8_t *check, size_t check_len, uint8_t *check_out,
			int rc, const char *says)
{
	char err[512] = "";
	struct ks *ks = NULL;
	int got = ks_open(&ks, p, check, check_len, check_out, err, sizeof(err));

	if (got != rc || (says && !strstr(err, says)))
		fail_msg("got %d \"%s\", expected %d \"%s\"", got, err, rc, says ? says : "");
	assert_true((ks != NULL) == (rc == 0));
	ks_close(ks);
}

static void test_file(void **state)
{
	const struct ks_open_params p = { .source = KS_KEK_FILE, .path = path };
	uint8_t check[KS_CHECK_LEN], first[32], other[32];
	struct stat st;
	char err[256] = "";
	FILE *f;

	assert_int_equal(ks_kek_file_create(path, err, sizeof(err)), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 32);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fread(first, 1, sizeof(first), f), sizeof(first));
	fclose(f);

	expect_open(&p, NULL, 0, check, 0, NULL);
	expect_open(&p, check, sizeof(check), NULL, 0, NULL);

	/* never overwritten */
	assert_int_equal(ks_kek_file_create(path, err, sizeof(err)), KS_E_KEK_FILE);
	assert_non_null(strstr(err, "not overwritten"));
	assert_non_null(strstr(err, path));
	expect_open(&p, check, sizeof(check), NULL, 0, NULL);

	memcpy(other, first, sizeof(other));
	other[31] ^= 1;
	file_write(other, sizeof(other), 0600);
	expect_open(&p, check, sizeof(check), NULL, KS_E_KEK_WRONG, "wrong key-encryption key");
	file_write(first, sizeof(first), 0400); /* less than 0600 is enough */
	expect_open(&p, check, sizeof(check), NULL, 0, NULL);
}

static void test_file_create_errors(void **state)
{
	char err[256] = "";

	assert_int_equal(ks_kek_file_create("/nonexistent/dir/kek", err, sizeof(err)), KS_E_KEK_FILE);
	assert_non_null(strstr(err, "/nonexistent/dir/kek"));
	assert_int_equal(ks_kek_file_create("", err, sizeof(err)), KS_E_KEK_FILE);
	assert_int_equal(ks_kek_file_create(NULL, NULL, 0), KS_E_KEK_FILE);
}

static void test_file_refusals(void **state)
{
	const struct ks_open_params p = { .source = KS_KEK_FILE, .path = path };
	struct ks_open_params q = p;
	uint8_t check[KS_CHECK_LEN];
	char big[2000];

	expect_open(&p, NULL, 0, check, KS_E_KEK_FILE, "cannot open KEK file");
	file_write(test_kek, 32, 0640);
	expect_open(&p, NULL, 0, check, KS_E_KEK_FILE, "mode 0640");
	file_write(test_kek, 32, 0604);
	expect_open(&p, NULL, 0, check, KS_E_KEK_FILE, "chmod 600");
	file_write(test_kek, 31, 0600);
	expect_open(&p, NULL, 0, check, KS_E_KEK_FILE, "31 octets");
	file_write(test_kek, 0, 0600);
	expect_open(&p, NULL, 0, check, KS_E_KEK_FILE, "0 octets");
	memset(big, 'x', sizeof(big));
	file_write(big, sizeof(big), 0600);
	expect_open(&p, NULL, 0, check, KS_E_KEK_FILE, "or more octets");
	file_write(big, 32, 0600);
	expect_open(&p, NULL, 0, check, KS_E_KEK_FILE, "one octet repeated");
	q.path = dir;
	expect_open(&q, NULL, 0, check, KS_E_KEK_FILE, "not a regular file");
	q.path = NULL;
	expect_open(&q, NULL, 0, check, KS_E_KEK_FILE, "no KEK file is named");
}

static void test_fifo(void **state)
{
	const struct ks_open_params p = { .source = KS_KEK_FILE, .path = path };
	uint8_t check[KS_CHECK_LEN];

	assert_int_equal(mkfifo(path, 0600), 0);
	expect_open(&p, NULL, 0, check, KS_E_KEK_FILE, "not a regular file");
}

static void test_passphrase(void **state)
{
	const struct ks_open_params p = { .source = KS_KEK_PASSPHRASE, .passphrase_path = path };
	const struct ks_open_params file = { .source = KS_KEK_FILE, .path = path };
	uint8_t check[KS_CHECK_LEN], second[KS_CHECK_LEN];

	file_write("correct horse battery\nsecond line\n", 34, 0600);
	expect_open(&p, NULL, 0, check, 0, NULL);
	expect_open(&p, check, sizeof(check), NULL, 0, NULL);
	expect_open(&p, NULL, 0, second, 0, NULL);
	assert_memory_not_equal(check + 10, second + 10, 16); /* another salt */
	file_write("correct horse battery\r\n", 23, 0600);
	expect_open(&p, check, sizeof(check), NULL, 0, NULL);
	file_write("correct horse battery", 21, 0600);
	expect_open(&p, check, sizeof(check), NULL, 0, NULL);
	file_write("correct horse batterY\n", 22, 0600);
	expect_open(&p, check, sizeof(check), NULL, KS_E_KEK_WRONG, "wrong passphrase");
	file_write(test_kek, 32, 0600);
	expect_open(&file, check, sizeof(check), NULL, KS_E_KEK_WRONG, "from a passphrase");
}

static void test_passphrase_refusals(void **state)
{
	const struct ks_open_params p = { .source = KS_KEK_PASSPHRASE, .passphrase_path = path };
	struct ks_open_params q = p;
	uint8_t check[KS_CHECK_LEN];
	char big[2000];

	expect_open(&p, NULL, 0, check, KS_E_PASSPHRASE, "cannot open passphrase file");
	file_write("elevenchars\nlong enough line\n", 29, 0600);
	expect_open(&p, NULL, 0, check, KS_E_PASSPHRASE, "has 11 characters, 12");
	file_write("", 0, 0600);
	expect_open(&p, NULL, 0, check, KS_E_PASSPHRASE, "has 0 characters");
	file_write("correct horse battery\n", 22, 0644);
	expect_open(&p, NULL, 0, check, KS_E_PASSPHRASE, "mode 0644");
	memset(big, 'p', sizeof(big));
	file_write(big, sizeof(big), 0600);
	expect_open(&p, NULL, 0, check, KS_E_PASSPHRASE, "more than");
	q.passphrase_path = "";
	expect_open(&q, NULL, 0, check, KS_E_PASSPHRASE, "no passphrase file is named");
	file_write("correct horse battery\n", 22, 0600);
	expect_open(&p, NULL, 0, NULL, KS_E_SPEC, "check record"); /* its salt would be lost */
}

/* The check record itself: flipped anywhere, cut anywhere, it never opens and never crashes. */
static void test_check_record(void **state)
{
	const struct ks_open_params p = { .source = KS_KEK_MEMORY, .kek = test_kek, .slots = 1 };
	uint8_t check[KS_CHECK_LEN];
	struct ks *ks;

	expect_open(&p, NULL, 0, check, 0, NULL);
	expect_open(&p, check, sizeof(check), NULL, 0, NULL);
	for (size_t i = 0; i < sizeof(check); i++) {
		check[i] ^= 0x10;
		assert_int_not_equal(ks_open(&ks, &p, check, sizeof(check), NULL, NULL, 0), 0);
		assert_null(ks);
		check[i] ^= 0x10;
	}
	for (size_t len = 1; len < sizeof(check); len += 7) {
		uint8_t *cut = malloc(len);

		assert_non_null(cut);
		memcpy(cut, check, len);
		expect_open(&p, cut, len, NULL, KS_E_SEALED, "damaged");
		free(cut);
	}
	check[5] = 1;  /* says scrypt */
	check[6] = 40; /* with 2^40 blocks of memory */
	check[7] = 8;
	check[8] = 1;
	expect_open(&p, check, sizeof(check), NULL, KS_E_SEALED, "damaged");
}

static void test_params(void **state)
{
	struct ks_open_params p = { .source = KS_KEK_MEMORY };

	expect_open(&p, NULL, 0, NULL, KS_E_KEK_FILE, "no key-encryption key");
	p.kek = test_kek;
	p.slots = 2000000000;
	expect_open(&p, NULL, 0, NULL, KS_E_SPEC, "slots");
	p.slots = 0;
	p.source = (enum ks_kek_source)7;
	expect_open(&p, NULL, 0, NULL, KS_E_SPEC, "source");
}

static int random_fails(void *ctx, uint8_t *buf, size_t len)
{
	unsigned *left = ctx;

	memset(buf, 0x5a, len);
	return (*left)-- == 0 ? -1 : 0;
}

/* No randomness, no check record; a keyset needs none, its nonce comes from what is sealed. */
static void test_random_fails(void **state)
{
	unsigned left = 0;
	struct ks_open_params p = {
		.source = KS_KEK_MEMORY,
		.kek = test_kek,
		.random = random_fails,
		.random_ctx = &left,
	};
	uint8_t check[KS_CHECK_LEN], sealed[KS_SEALED_MAX];
	char err[256] = "";
	struct ks *ks;

	expect_open(&p, NULL, 0, check, KS_E_CRYPTO, "check record");
	left = 1;
	assert_int_equal(ks_open(&ks, &p, NULL, 0, check, err, sizeof(err)), 0);
	left = 0;
	assert_true(test_import(ks, ICCID_1, &spec_3des2, KIC_3DES2, KID_3DES2, "", sealed, err, sizeof(err)) > 0);
	ks_close(ks);
	p.source = KS_KEK_PASSPHRASE;
	p.passphrase_path = path;
	file_write("correct horse battery\n", 22, 0600);
	left = 0;
	expect_open(&p, NULL, 0, check, KS_E_CRYPTO, "salt");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_create_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fifo, setup, teardown),
		cmocka_unit_test_setup_teardown(test_passphrase, setup, teardown),
		cmocka_unit_test_setup_teardown(test_passphrase_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_check_record, setup, teardown),
		cmocka_unit_test_setup_teardown(test_params, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random_fails, setup, teardown),
	};

	return cmocka_run_group_tests_name("keystore: key-encryption key", tests, dir_make, dir_remove);
}
