/* bench_package.c - a hand-over list of a million cards, with and without keys: written, checked, read.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 *	bench_package [RECORDS] [keys]
 *
 * Time is CPU time; memory is the highest the process had.  Exit status 2 when it had more than the goal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ota/package.h"

#define RECORDS	    1000000
#define RECORDS_MAX 10000000
#define GOAL_KIB    (100 * 1024)
#define NOW_S	    1795000000
#define KIC	    "000102030405060708090a0b0c0d0e0f"
#define KID	    "101112131415161718191a1b1c1d1e1f"
#define K	    "465b5ce8b199b49faa5f0a2ee238a6bc"

static char err[400];

static void die(const char *what)
{
	fprintf(stderr, "bench_package: %s: %s\n", what, err);
	exit(1);
}

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void party(struct ks *ks, const char *name, struct pkg_self **self, struct pkg_partner **known)
{
	char *file;
	uint8_t *sealed;
	size_t file_len, sealed_len;

	if (pkg_self_create(ks, name, NOW_S, &file, &file_len, &sealed, &sealed_len, err, sizeof(err)) ||
	    pkg_self_load(self, ks, file, file_len, sealed, sealed_len, err, sizeof(err)) ||
	    pkg_partner_load(known, file, file_len, err, sizeof(err)))
		die(name);
	free(file);
	free(sealed);
}

static void block_make(struct ks *ks, const char *iccid, struct ks_block *b)
{
	const struct ks_keyset_spec spec = {
		.kvn = 2, .kic_alg = OTA_ALG_AES_CBC, .kid_alg = OTA_ALG_AES_CBC, .cc_len = 8
	};
	char k[] = K, opc[] = KIC, kic[] = KIC, kid[] = KID, kik[] = KID;
	int n = ks_keyset_import(ks, iccid, &spec, kic, kid, kik, b->set[0].sealed, err, sizeof(err));

	if (n < 0 || ks_sub_import(ks, iccid, &(struct ks_sub_spec){ 2, KS_AKA_MILENAGE, 1 }, k, opc, b->sub, err,
				   sizeof(err)) < 0)
		die("keys");
	b->has_sub = true;
	b->sets = 1;
	b->set[0].kvn = 2;
	b->set[0].len = (size_t)n;
}

static void list_write(struct ks *ks, const char *path, const struct pkg_self *a, const struct pkg_partner *b,
		       unsigned records, bool keys)
{
	struct pkg_head h = { .seq = 1,
			      .created_s = NOW_S,
			      .expires_s = NOW_S + 3600,
			      .type = "HL3b",
			      .order = "SO-1",
			      .from = "operator-a",
			      .to = "operator-b",
			      .columns = "iccid,imsi,index,kvn,state,evidence,at,keys" };
	struct pkg_writer *w;
	struct ks_wrap *wrap = NULL;

	if (pkg_write_open(&w, path, &h, a, b, err, sizeof(err)) ||
	    (keys && !(wrap = pkg_write_wrap(w, err, sizeof(err)))))
		die("open");
	for (unsigned i = 0; i < records; i++) {
		char line[PKG_RECORD_MAX], iccid[24];
		int at;

		snprintf(iccid, sizeof(iccid), "8988211%012u", i);
		at = snprintf(line, sizeof(line), "%s,26201%010u,2,2,staged,E4,%d,", iccid, i, NOW_S);
		if (keys) {
			struct ks_block block = { 0 };
			uint8_t out[KS_BLOCK_MAX];
			int n;

			block_make(ks, iccid, &block);
			n = ks_block_wrap(wrap, iccid, &block, out);
			if (n < 0)
				die("wrap");
			for (int k = 0; k < n; k++)
				at += snprintf(line + at, sizeof(line) - (size_t)at, "%02x", out[k]);
		}
		if (pkg_write_record(w, line, err, sizeof(err)))
			die("record");
	}
	if (pkg_write_close(w, NULL, err, sizeof(err)))
		die("close");
}

struct reader {
	struct ks_wrap *wrap;
	uint64_t n;
};

static int take(void *ctx, uint64_t n, char *line, char *why, size_t cap)
{
	struct reader *r = ctx;
	char *hex = NULL;
	struct ks_block block;
	uint8_t octets[KS_BLOCK_MAX];
	size_t len = 0;

	(void)why;
	(void)cap;
	r->n = n + 1;
	if (!r->wrap)
		return 0;
	line[19] = '\0';
	hex = strchr(strstr(line + 20, "E4,") + 3, ',') + 1;
	for (; hex[2 * len] != ',' && len < sizeof(octets); len++) {
		const char pair[3] = { hex[2 * len], hex[2 * len + 1], 0 };

		octets[len] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return ks_block_unwrap(r->wrap, line, octets, len, &block);
}

static void list_read(const char *path, const struct pkg_self *b, const struct pkg_partner *a, unsigned records,
		      bool keys)
{
	struct reader r = { 0 };
	struct pkg *p;

	if (pkg_open(&p, path, err, sizeof(err)) || pkg_verify(p, a, "operator-b", NOW_S, err, sizeof(err)) ||
	    (keys && !(r.wrap = pkg_unwrap(p, b, err, sizeof(err)))) || pkg_read(p, b, take, &r, err, sizeof(err)) ||
	    r.n != records)
		die("read");
	ks_wrap_free(r.wrap);
	pkg_close(p);
}

int main(int argc, char **argv)
{
	static const uint8_t kek[32] = "0123456789abcdef0123456789ABCDEF";
	const struct ks_open_params p = { .source = KS_KEK_MEMORY, .kek = kek, .slots = 4 };
	unsigned long records = argc > 1 ? strtoul(argv[1], NULL, 10) : RECORDS;
	bool keys = argc > 2 && !strcmp(argv[2], "keys");
	char path[] = "/var/tmp/otagw-package-XXXXXX";
	struct pkg_partner *a_known, *b_known;
	struct pkg_self *a, *b;
	struct rusage ru;
	struct stat st;
	struct ks *ks;
	double t[3];
	int fd;

	if (!records || records > RECORDS_MAX) {
		fprintf(stderr, "usage: bench_package [RECORDS (1..%d)] [keys]\n", RECORDS_MAX);
		return 1;
	}
	if (ks_open(&ks, &p, NULL, 0, NULL, err, sizeof(err)))
		die("keystore");
	party(ks, "operator-a", &a, &a_known);
	party(ks, "operator-b", &b, &b_known);
	fd = mkstemp(path);
	if (fd < 0 || close(fd) || unlink(path))
		die(path);
	t[0] = cpu_s();
	list_write(ks, path, a, b_known, (unsigned)records, keys);
	t[1] = cpu_s();
	list_read(path, b, a_known, (unsigned)records, keys);
	t[2] = cpu_s();
	stat(path, &st);
	unlink(path);
	getrusage(RUSAGE_SELF, &ru);
	printf("%lu records %s keys: written %.1f us each, read and verified %.1f us each, %.0f octets each\n", records,
	       keys ? "with" : "without", (t[1] - t[0]) * 1e6 / (double)records, (t[2] - t[1]) * 1e6 / (double)records,
	       (double)st.st_size / (double)records);
	printf("memory: %.1f MiB, goal: below %d MiB, %s\n", (double)ru.ru_maxrss / 1024, GOAL_KIB / 1024,
	       ru.ru_maxrss < GOAL_KIB ? "met" : "missed");
	pkg_self_free(a);
	pkg_self_free(b);
	pkg_partner_free(a_known);
	pkg_partner_free(b_known);
	ks_close(ks);
	return ru.ru_maxrss < GOAL_KIB ? 0 : 2;
}
