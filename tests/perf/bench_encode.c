/* bench_encode.c - what a secured packet and its answer cost, next to OpenSSL alone on the same octets and keys.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 *	bench_encode [-a 3des2|3des3|aes] [-m all|raw|encode|batch|load|whole|rawopen|open] [-n packets] [-r rounds]
 *	bench_encode -c -a 3des2|3des3|aes [-n packets] [-r rounds]
 *
 * raw	    OpenSSL alone: both key set-ups, checksum, ciphering; ciphers fetched once, contexts reused
 * encode   ota_cmd_encode() through the keystore's hooks, another card's keys for each packet
 * batch    the same in three moves, 64 packets at a time
 * load	    ks_load() and ks_unload(): unsealing a card's keys
 * whole    load, encode, unload for each packet: as the gateway does for a card it has not seen for a while
 * rawopen  OpenSSL alone for the proof of receipt: both key set-ups, deciphering, checksum
 * open	    ota_rsp_open() through the keystore's hooks
 *
 * Every command has 90 octets of secured data, SPI 16 39, and keys of its own (of KEYSETS); every answer carries the
 * nine octets of a read-back.  Before anything is measured both sides must agree on the octets.  Times are CPU time of
 * this process; rounds of the modes alternate and the median counts.  With one mode, nothing is measured: that is for
 * callgrind (tests/perf/run).  -c prints one figure, microseconds of raw and rawopen together: what tests/perf/durable
 * divides by.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "ota/codec.h"
#include "ota/keystore.h"

#define KEYSETS	    1024
#define DATA_LEN    90
#define BATCH	    64
#define ROUNDS_MAX  101
#define ICCID	    "8988211000000000017"
#define CIPHER_FROM 10 /* ciphering starts at CNTR */
#define CC_LEN	    8

/* Of a response packet: RPL .. status, and where its ciphering starts; the checksum begins with the UDH 02 71 00. */
#define RSP_HEAD	13
#define RSP_CIPHER_FROM 6
#define RSP_UDH		3

struct alg {
	const char *name, *evp;
	enum ota_alg alg;
	size_t key_len, block;
};

static const struct alg algs[] = {
	{ "3des2", "DES-EDE-CBC", OTA_ALG_3DES2_CBC, 16, 8 },
	{ "3des3", "DES-EDE3-CBC", OTA_ALG_3DES3_CBC, 24, 8 },
	{ "aes", "AES-128-CBC", OTA_ALG_AES_CBC, 16, 16 },
};

struct bench {
	const struct alg *alg;
	struct ks *ks;
	struct ota_crypt crypt;
	uint8_t key[KEYSETS][2][24];
	uint8_t sealed[KEYSETS][KS_SEALED_MAX];
	size_t sealed_len[KEYSETS];
	uint32_t set[KEYSETS];
	uint8_t data[DATA_LEN];
	uint8_t rsp[KEYSETS][64];
	size_t rsp_len;
	/* raw: the packet in the clear, and the checksum's input */
	EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *ctx, *decrypt;
	uint8_t clear[256], mac_in[256];
	size_t clear_len, mac_len;
	uint64_t sum; /* what was made goes somewhere, so that it is made */
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_encode: %s\n", what);
	exit(1);
}

/* ---- the codec and the keystore ---- */

static struct ota_cmd_params params_of(const struct bench *b, size_t i, uint32_t set)
{
	const uint8_t octet = (uint8_t)(0x10 | ota_alg_nibble(b->alg->alg));

	return (struct ota_cmd_params){
		.spi = { 0x16, 0x39 },
		.kic = octet,
		.kid = octet,
		.tar = { 0xb0, 0x00, 0x10 },
		.cntr = i,
		.cc_len = CC_LEN,
		.kic_ref = { set, KS_KEY_KIC },
		.kid_ref = { set, KS_KEY_KID },
		.data = b->data,
		.data_len = sizeof(b->data),
	};
}

static size_t encode_one(struct bench *b, size_t i, uint32_t set, uint8_t *packet, size_t cap)
{
	const struct ota_cmd_params p = params_of(b, i, set);
	int n = ota_cmd_encode(packet, cap, &p, &b->crypt);

	if (n < 0)
		die(ks_strerror(n));
	b->sum += packet[n - 1];
	return (size_t)n;
}

static void run_encode(struct bench *b, size_t n)
{
	uint8_t packet[256];

	for (size_t i = 0; i < n; i++)
		encode_one(b, i, b->set[i % KEYSETS], packet, sizeof(packet));
}

static void run_batch(struct bench *b, size_t n)
{
	static struct ota_cmd_work work[BATCH];
	static uint8_t packet[BATCH][256];

	for (size_t i = 0; i < n; i += BATCH) {
		size_t m = n - i < BATCH ? n - i : BATCH;

		for (size_t k = 0; k < m; k++) {
			const struct ota_cmd_params p = params_of(b, i + k, b->set[(i + k) % KEYSETS]);

			if (ota_cmd_lay_out(&work[k], &p, packet[k], sizeof(packet[k])) < 0)
				die("lay out");
		}
		if (ota_cmd_run(work, m, &b->crypt) < 0)
			die("run");
		for (size_t k = 0; k < m; k++)
			b->sum += (uint64_t)ota_cmd_finish(&work[k]);
	}
}

static uint32_t load_one(struct bench *b, size_t i)
{
	uint32_t set;
	int rc = ks_load(b->ks, ICCID, 1, b->sealed[i % KEYSETS], b->sealed_len[i % KEYSETS], &set);

	if (rc)
		die(ks_strerror(rc));
	return set;
}

static void run_load(struct bench *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ks_unload(b->ks, load_one(b, i));
}

static void run_whole(struct bench *b, size_t n)
{
	uint8_t packet[256];

	for (size_t i = 0; i < n; i++) {
		uint32_t set = load_one(b, i);

		encode_one(b, i, set, packet, sizeof(packet));
		ks_unload(b->ks, set);
	}
}

static void run_open(struct bench *b, size_t n)
{
	struct ota_rsp rsp;
	uint8_t packet[64];

	for (size_t i = 0; i < n; i++) {
		const size_t k = i % KEYSETS;
		const struct ota_cmd_params p = params_of(b, k, b->set[k]);

		memcpy(packet, b->rsp[k], b->rsp_len);
		if (ota_rsp_open(&rsp, packet, b->rsp_len, &p, &b->crypt) || rsp.verdict != OTA_ACCEPT)
			die("a response does not open");
		b->sum += rsp.data[0];
	}
}

/* The answers that run_open() and run_raw_open() open: number of commands, SW 9000, the IMSI read back. */
static void rsp_make(struct bench *b)
{
	static const uint8_t data[] = { 9, 0x90, 0x00, 0x08, 0x09, 0x10, 0x30, 0, 0, 0, 0, 0x10 };

	for (size_t i = 0; i < KEYSETS; i++) {
		const struct ota_cmd_params p = params_of(b, i, b->set[i]);
		int n = ota_rsp_encode(b->rsp[i], sizeof(b->rsp[i]), &p, OTA_POR_OK, data, sizeof(data), &b->crypt);

		if (n < 0)
			die("response");
		b->rsp_len = (size_t)n;
	}
}

/* ---- OpenSSL alone ---- */

static void raw_key(struct bench *b, const uint8_t *key)
{
	static const uint8_t iv[16];

	if (EVP_EncryptInit_ex2(b->ctx, NULL, key, iv, NULL) != 1)
		die("EVP_EncryptInit_ex2");
}

static void raw_update(struct bench *b, uint8_t *out, const uint8_t *in, size_t len)
{
	int n;

	if (EVP_EncryptUpdate(b->ctx, out, &n, in, (int)len) != 1 || (size_t)n != len)
		die("EVP_EncryptUpdate");
}

static void raw_xor(uint8_t *a, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		a[i] ^= b[i];
}

/* RFC 4493, 2.3 */
static void raw_double(uint8_t *k)
{
	uint8_t carry = k[0] >> 7;

	for (int i = 0; i < 15; i++)
		k[i] = (uint8_t)(k[i] << 1 | k[i + 1] >> 7);
	k[15] = (uint8_t)(k[15] << 1 ^ (carry ? 0x87 : 0));
}

/* The checksum of the first `len` octets of buf, which has room and zeroes behind them, by the shortest way there is:
 * CMAC on the CBC context.  Returns where in buf it stands. */
static const uint8_t *raw_mac(struct bench *b, uint8_t *buf, size_t len)
{
	static const uint8_t zero[16];
	const size_t block = b->alg->block, padded = (len + block - 1) / block * block;
	uint8_t l[16], k[16];

	if (block == 16) {
		raw_update(b, l, zero, 16);
		memcpy(k, l, 16);
		raw_double(k);
		if (len % 16)
			raw_double(k);
		if (len % 16)
			buf[len] = 0x80;
		raw_xor(buf, l, 16);
		raw_xor(buf + padded - 16, k, 16);
	}
	raw_update(b, buf, buf, padded);
	return buf + padded - block;
}

static void raw_one(struct bench *b, size_t i, uint8_t *packet)
{
	uint8_t buf[256];

	raw_key(b, b->key[i % KEYSETS][1]);
	memcpy(buf, b->mac_in, sizeof(buf));
	memcpy(packet, b->clear, b->clear_len);
	memcpy(packet + OTA_CMD_HEAD + 1, raw_mac(b, buf, b->mac_len), CC_LEN);
	raw_key(b, b->key[i % KEYSETS][0]);
	raw_update(b, packet + CIPHER_FROM, packet + CIPHER_FROM, b->clear_len - CIPHER_FROM);
	b->sum += packet[b->clear_len - 1];
}

static void run_raw(struct bench *b, size_t n)
{
	uint8_t packet[256];

	for (size_t i = 0; i < n; i++)
		raw_one(b, i, packet);
}

static void raw_open_one(struct bench *b, size_t i)
{
	static const uint8_t iv[16];
	uint8_t packet[64], buf[128] = { 0x02, 0x71, 0x00 };
	const size_t tail = b->rsp_len - RSP_HEAD - CC_LEN;
	int n;

	memcpy(packet, b->rsp[i], b->rsp_len);
	if (EVP_DecryptInit_ex2(b->decrypt, NULL, b->key[i][0], iv, NULL) != 1 ||
	    EVP_DecryptUpdate(b->decrypt, packet + RSP_CIPHER_FROM, &n, packet + RSP_CIPHER_FROM,
			      (int)b->rsp_len - RSP_CIPHER_FROM) != 1)
		die("EVP_DecryptUpdate");
	memcpy(buf + RSP_UDH, packet, RSP_HEAD);
	memcpy(buf + RSP_UDH + RSP_HEAD, packet + RSP_HEAD + CC_LEN, tail);
	raw_key(b, b->key[i][1]);
	if (memcmp(raw_mac(b, buf, RSP_UDH + RSP_HEAD + tail), packet + RSP_HEAD, CC_LEN) != 0)
		die("open and OpenSSL alone do not agree on the checksum of a response");
	b->sum += packet[RSP_HEAD - 1];
}

static void run_raw_open(struct bench *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		raw_open_one(b, i % KEYSETS);
}

/* Takes the packet's clear octets from the codec's lay-out, CNTR 0. */
static void raw_init(struct bench *b)
{
	const struct ota_cmd_params p = params_of(b, 0, b->set[0]);
	struct ota_cmd_work w;
	const size_t head = OTA_CMD_HEAD + 1;

	if (ota_cmd_lay_out(&w, &p, b->clear, sizeof(b->clear)) < 0)
		die("lay out");
	b->clear_len = w.len;
	b->mac_len = w.len - CC_LEN;
	memcpy(b->mac_in, b->clear, head);
	memcpy(b->mac_in + head, b->clear + head + CC_LEN, w.len - head - CC_LEN);
	b->cipher = EVP_CIPHER_fetch(NULL, b->alg->evp, NULL);
	b->ctx = EVP_CIPHER_CTX_new();
	b->decrypt = EVP_CIPHER_CTX_new();
	if (!b->cipher || !b->ctx || !b->decrypt || EVP_EncryptInit_ex2(b->ctx, b->cipher, NULL, NULL, NULL) != 1 ||
	    EVP_DecryptInit_ex2(b->decrypt, b->cipher, NULL, NULL, NULL) != 1)
		die("no cipher");
	EVP_CIPHER_CTX_set_padding(b->decrypt, 0);
}

static void both_agree(struct bench *b)
{
	uint8_t one[256], other[256];
	size_t n = encode_one(b, 0, b->set[0], one, sizeof(one));

	raw_one(b, 0, other);
	if (n != b->clear_len || memcmp(one, other, n) != 0)
		die("encode and OpenSSL alone do not agree on the octets of a packet");
	run_open(b, 1);
	run_raw_open(b, 1);
}

/* ---- set up, measure ---- */

static void keyset_make(struct bench *b, size_t i, uint64_t *x)
{
	const struct ks_keyset_spec spec = { 1, b->alg->alg, b->alg->alg, 8 };
	char hex[2][49], none[1] = "", err[200];
	int n;

	for (int k = 0; k < 2; k++)
		for (size_t o = 0; o < b->alg->key_len; o++) {
			*x = *x * 6364136223846793005ull + 1442695040888963407ull;
			b->key[i][k][o] = (uint8_t)(*x >> 56);
			snprintf(hex[k] + 2 * o, 3, "%02x", b->key[i][k][o]);
		}
	n = ks_keyset_import(b->ks, ICCID, &spec, hex[0], hex[1], none, b->sealed[i], err, sizeof(err));
	if (n < 0)
		die(err);
	b->sealed_len[i] = (size_t)n;
	b->set[i] = load_one(b, i);
}

static void bench_init(struct bench *b, const struct alg *alg)
{
	static const uint8_t kek[32] = "a key-encryption key for a bench";
	const struct ks_open_params p = { .source = KS_KEK_MEMORY, .kek = kek, .slots = KEYSETS + 1 };
	uint64_t x = 42;
	char err[200];

	memset(b, 0, sizeof(*b));
	b->alg = alg;
	if (ks_open(&b->ks, &p, NULL, 0, NULL, err, sizeof(err)))
		die(err);
	b->crypt = ks_crypt(b->ks);
	for (size_t i = 0; i < sizeof(b->data); i++)
		b->data[i] = (uint8_t)i;
	for (size_t i = 0; i < KEYSETS; i++)
		keyset_make(b, i, &x);
	raw_init(b);
	rsp_make(b);
	both_agree(b);
}

static void bench_free(struct bench *b)
{
	EVP_CIPHER_CTX_free(b->ctx);
	EVP_CIPHER_CTX_free(b->decrypt);
	EVP_CIPHER_free(b->cipher);
	ks_close(b->ks);
}

enum { RAW, ENCODE, IN_BATCH, LOAD, WHOLE, RAW_OPEN, OPEN, _MODES };
static const struct {
	const char *name;
	void (*run)(struct bench *b, size_t n);
} modes[_MODES] = {
	[RAW] = { "raw", run_raw },    [ENCODE] = { "encode", run_encode }, [IN_BATCH] = { "batch", run_batch },
	[LOAD] = { "load", run_load }, [WHOLE] = { "whole", run_whole },    [RAW_OPEN] = { "rawopen", run_raw_open },
	[OPEN] = { "open", run_open },
};

static double cpu_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int double_cmp(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), double_cmp);
	return v[n / 2];
}

static double mode_us(struct bench *b, int mode, size_t n)
{
	double from = cpu_s();

	modes[mode].run(b, n);
	return (cpu_s() - from) * 1e6 / (double)n;
}

static void measure(struct bench *b, size_t n, int rounds)
{
	static double us[_MODES][ROUNDS_MAX], encode[ROUNDS_MAX], open[ROUNDS_MAX];
	double m[_MODES];

	for (int r = 0; r < rounds; r++) {
		for (int k = 0; k < _MODES; k++)
			us[k][r] = mode_us(b, k, n);
		encode[r] = us[ENCODE][r] / us[RAW][r];
		open[r] = us[OPEN][r] / us[RAW_OPEN][r];
	}
	for (int k = 0; k < _MODES; k++)
		m[k] = median(us[k], rounds);
	printf("%-6s %7.2f %7.2f %5.2f %8.2f %7.2f %5.2f %7.2f %7.2f %9.0f %9.0f %9.0f\n", b->alg->name, m[RAW],
	       m[ENCODE], median(encode, rounds), m[RAW_OPEN], m[OPEN], median(open, rounds), m[LOAD], m[WHOLE],
	       1e6 / m[ENCODE], 1e6 / m[IN_BATCH], 1e6 / m[WHOLE]);
}

/* OpenSSL alone, command and response together. */
static void cost_print(struct bench *b, size_t n, int rounds)
{
	static double us[ROUNDS_MAX];

	for (int r = 0; r < rounds; r++)
		us[r] = mode_us(b, RAW, n) + mode_us(b, RAW_OPEN, n);
	printf("%.2f\n", median(us, rounds));
}

static void head_print(size_t n, int rounds)
{
	printf("%d octets of secured data, SPI 16 39, other keys for each packet; %zu packets, median of %d rounds\n",
	       DATA_LEN, n, rounds);
	printf("%-6s %21s %22s %15s %29s\n", "", "--- us per command --", "--- us per response --", "--- us CPU ----",
	       "----- commands per second ---");
	printf("%-6s %7s %7s %5s %8s %7s %5s %7s %7s %9s %9s %9s\n", "alg", "openssl", "encode", "ratio", "openssl",
	       "open", "ratio", "load", "whole", "encode", "batch", "whole");
#ifdef __SANITIZE_ADDRESS__
	printf("built with sanitizers: these figures say nothing\n");
#endif
}

static size_t number(const char *text, size_t max)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (!*text || *end || v < 1 || v > max)
		die("number out of range");
	return v;
}

static bool run_alg(struct bench *b, const char *mode, size_t n, int rounds)
{
	if (!strcmp(mode, "cost")) {
		cost_print(b, n, rounds);
		return true;
	}
	if (!strcmp(mode, "all")) {
		measure(b, n, rounds);
		return true;
	}
	for (int k = 0; k < _MODES; k++) {
		if (strcmp(mode, modes[k].name) != 0)
			continue;
		modes[k].run(b, n);
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	const char *alg = NULL, *mode = "all";
	size_t n = 20000;
	int opt, rounds = 7;
	bool known = false;
	static struct bench b;

	while ((opt = getopt(argc, argv, "a:cm:n:r:")) != -1) {
		if (opt == 'a')
			alg = optarg;
		else if (opt == 'c')
			mode = "cost";
		else if (opt == 'm')
			mode = optarg;
		else if (opt == 'n')
			n = number(optarg, 100000000);
		else if (opt == 'r')
			rounds = (int)number(optarg, ROUNDS_MAX);
		else
			die("usage: bench_encode [-a 3des2|3des3|aes] [-c | -m "
			    "all|raw|encode|batch|load|whole|rawopen|open] "
			    "[-n packets] [-r rounds]");
	}
	if (!strcmp(mode, "all"))
		head_print(n, rounds);
	for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
		if (alg && strcmp(alg, algs[i].name) != 0)
			continue;
		bench_init(&b, &algs[i]);
		known = run_alg(&b, mode, n, rounds) || known;
		bench_free(&b);
	}
	if (!known)
		die("no such algorithm or mode");
	return 0;
}
