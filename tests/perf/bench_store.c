/* bench_store.c - durable steps per second: import, plan, claim, prepare, send, PoR, and the bare transition.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 *	bench_store [-n CARDS] [-b BATCH] [-d DIR] [-m]		-m: the memory backend
 *
 * One batch is under way at a time, as in the core.  A step writes what the core writes for it; the bare transition is
 * one command and its keyset's counter, the measure of goal G9.  CPU is that of the whole process, both threads.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sqlite_int.h"

#define PACKET_LEN     137
#define CLAIM_MAX      256
#define SUM_PAGES      200000
#define TRIM_CARDS     100 /* as gateway/retain.c */
#define TRIM_ROWS      200
#define CHECK_LINE_MAX 5000

static struct store *st;
static struct store_batch *batch;
static unsigned n_cards = 100000, batch_max = 1000;
static uint64_t batch_no;

static _Noreturn void die(const char *what, int rc)
{
	fprintf(stderr, "bench_store: %s: %s\n", what, store_strerror(rc));
	exit(1);
}

static double wall_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double cpu_s(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void add(enum store_op_kind kind, const void *row, const void *bytes, size_t len)
{
	if (!store_batch_add(batch, kind, row, bytes, len))
		die("batch", STORE_E_FULL);
}

static void commit(bool core)
{
	int rc;

	batch->batch_no = core ? ++batch_no : 0;
	rc = store_commit_wait(st, batch);
	if (rc)
		die("commit", rc);
	store_batch_reset(batch);
}

/* ---- one card's share of a step ---- */

static void put_import(uint64_t i)
{
	struct store_card_insert in = { .card = { .created_ms = 1 }, .n_keysets = 1 };

	snprintf(in.card.iccid, sizeof(in.card.iccid), "8988211%012" PRIu64, i);
	snprintf(in.card.imsi, sizeof(in.card.imsi), "00101%010" PRIu64, i);
	snprintf(in.card.msisdn, sizeof(in.card.msisdn), "49170%08" PRIu64, i);
	in.keyset[0] =
		(struct keyset_row){ .kvn = 1, .kic_alg = 3, .kid_alg = 3, .cc_len = 8, .cntr = 1, .sealed_len = 112 };
	add(ST_CARD_INSERT, &in, NULL, 0);
}

static void put_plan(uint64_t i)
{
	struct store_txn_plan p = { .kvn = 1, .txn = { .campaign = 1, .evidence = 255, .por_status = 255 } };

	snprintf(p.iccid, sizeof(p.iccid), "8988211%012" PRIu64, i);
	snprintf(p.txn.new_imsi, sizeof(p.txn.new_imsi), "00102%010" PRIu64, i);
	add(ST_TXN_PLAN, &p, NULL, 0);
}

static void put_plan_again(uint64_t i)
{
	struct store_txn_plan p = { .kvn = 1, .txn = { .campaign = 2, .evidence = 255, .por_status = 255 } };

	snprintf(p.iccid, sizeof(p.iccid), "8988211%012" PRIu64, i);
	snprintf(p.txn.new_imsi, sizeof(p.txn.new_imsi), "00103%010" PRIu64, i);
	add(ST_TXN_PLAN, &p, NULL, 0);
}

static void put_story(uint64_t id, enum story_kind kind, const char *text, size_t len)
{
	static const uint8_t detail[PACKET_LEN];
	struct story_row s = { .card = id, .cmd = id, .at_ms = 2, .kind = (uint8_t)kind };

	snprintf(s.text, sizeof(s.text), "%s", text);
	add(ST_STORY_ADD, &s, detail, len);
}

static void put_state(uint64_t id, enum cmd_state state, enum txn_state txn, uint64_t cntr)
{
	struct txn_row t = { .id = id, .card = id, .campaign = 1, .state = (uint8_t)txn };
	struct keyset_row k = { .card = id, .kvn = 1, .cntr = cntr, .cntr_proven = txn == TXN_DONE ? cntr : 0 };
	struct cmd_row c = { .id = id,
			     .txn = id,
			     .card = id,
			     .campaign = 1,
			     .kind = CMD_SCRIPT,
			     .state = (uint8_t)state,
			     .spi = { 0x16, 0x39 },
			     .tar = { 0xb0, 0x00, 0x10 },
			     .cntr = cntr,
			     .born_ms = 1754000000000,
			     .prepared_ms = 1754000000000,
			     .due_ms = 1754000000000,
			     .deadline_ms = 1754000000000 };

	if (state != CMD_SENT)
		add(ST_KEYSET_CNTR, &k, NULL, 0);
	add(ST_TXN_PUT, &t, NULL, 0);
	add(ST_CMD_PUT, &c, NULL, 0);
}

static void put_prepare(uint64_t i)
{
	static const uint8_t packet[PACKET_LEN];
	struct cmd_row c = { .id = i + 1, .card = i + 1 };

	put_state(i + 1, CMD_PREPARED, TXN_ACTIVE, 2);
	add(ST_WIRE_PUT, &c, packet, sizeof(packet));
	put_story(i + 1, STORY_PREPARED, "SCRIPT prepared: CNTR 2, 137 octets, 1 SMS", 0);
}

static void put_sent(uint64_t i)
{
	put_state(i + 1, CMD_SENT, TXN_ACTIVE, 2);
	put_story(i + 1, STORY_ATTEMPT, "attempt 1, link 0, 1 of 1 SMS, ref 1: accepted", 0);
}

static void put_por(uint64_t i)
{
	struct card_row c = { .id = i + 1, .last_seen_ms = 1754000000000 };
	struct card_addr_row a = { .type = ADDR_IMSI, .card = i + 1, .valid_from_ms = 1754000000000 };

	snprintf(c.imsi, sizeof(c.imsi), "00102%010" PRIu64, i);
	snprintf(c.msisdn, sizeof(c.msisdn), "49170%08" PRIu64, i);
	snprintf(a.digits, sizeof(a.digits), "00102%010" PRIu64, i);
	add(ST_CARD_PUT, &c, NULL, 0);
	add(ST_ADDR_PUT, &a, NULL, 0);
	put_state(i + 1, CMD_DONE, TXN_DONE, 2);
	put_story(i + 1, STORY_POR, "PoR accepted: 00 (PoR OK)", 40);
	put_story(i + 1, STORY_STATE, "DONE: IMSI read back", 0);
}

static void put_bare(uint64_t i)
{
	struct keyset_row k = { .card = i + 1, .kvn = 1, .cntr = 3 };
	struct cmd_row c = { .id = i + 1,
			     .txn = i + 1,
			     .card = i + 1,
			     .campaign = 1,
			     .kind = CMD_SCRIPT,
			     .state = CMD_WAIT_TIMER,
			     .cntr = 3,
			     .born_ms = 1754000000000,
			     .due_ms = 1754000000000,
			     .deadline_ms = 1754000000000 };

	add(ST_KEYSET_CNTR, &k, NULL, 0);
	add(ST_CMD_PUT, &c, NULL, 0);
}

/* ---- phases ---- */

static void report(const char *what, uint64_t n, double wall, double cpu)
{
	printf("%-28s %9.0f /s  %7.2f us CPU\n", what, (double)n / wall, cpu * 1e6 / (double)n);
	fflush(stdout);
}

static void phase(const char *what, void (*put)(uint64_t i), bool core, bool shuffled)
{
	double w = wall_s(), c = cpu_s();

	for (uint64_t i = 0; i < n_cards; i++) {
		put(shuffled ? i * 2654435761u % n_cards : i);
		if ((i + 1) % batch_max == 0 || i + 1 == n_cards)
			commit(core);
	}
	report(what, n_cards, wall_s() - w, cpu_s() - c);
}

static void claim(void)
{
	struct card_bundle *out = calloc(CLAIM_MAX, sizeof(*out));
	struct store_fetch f = { .by = FETCH_CLAIM, .campaign = 1, .limit = CLAIM_MAX, .out = out, .cap = CLAIM_MAX };
	double w = wall_s(), c = cpu_s();
	uint64_t n = 0;
	int rc;

	while (!(rc = store_fetch_wait(st, &f)) && f.n) {
		n += f.n;
		f.after_txn = out[f.n - 1].txn.id;
	}
	if (rc || n != n_cards)
		die("claim", rc);
	report("claim with bundles", n, wall_s() - w, cpu_s() - c);
	free(out);
}

static void fetch_one(const char *what)
{
	struct card_bundle *out = calloc(1, sizeof(*out));
	unsigned n = n_cards < 50000 ? n_cards : 50000;
	double w = wall_s(), c = cpu_s();

	for (unsigned i = 0; i < n; i++) {
		struct store_fetch f = {
			.by = FETCH_BY_ADDR, .addr_type = ADDR_MSISDN, .at_ms = 1, .out = out, .cap = 1
		};
		int rc;

		snprintf(f.digits, sizeof(f.digits), "49170%08u", i);
		rc = store_fetch_wait(st, &f);
		if (rc || !f.n)
			die("fetch", rc);
	}
	report(what, n, wall_s() - w, cpu_s() - c);
	free(out);
}

static void open_scan(void)
{
	struct store_stub *s = calloc(1000, sizeof(*s));
	struct store_query q = { .kind = Q_OPEN_CMDS, .out = s, .limit = 1000 };
	double w = wall_s(), c = cpu_s();
	uint64_t n = 0;
	int rc;

	while (!(rc = store_query_wait(st, &q)) && q.n) {
		n += q.n;
		q.after = q.last;
	}
	if (rc)
		die("open commands", rc);
	report("scan of open commands", n ? n : 1, wall_s() - w, cpu_s() - c);
	free(s);
}

/* One transaction, however large: nothing else is committed meanwhile. */
static void drop(void)
{
	struct campaign_row camp = { .id = 2, .name = "again", .state = CAMPAIGN_LOADING };
	double w, c;

	add(ST_CAMPAIGN_INSERT, &camp, "profile", 7);
	commit(false);
	phase("plan again", put_plan_again, false, false);
	w = wall_s();
	c = cpu_s();
	add(ST_CAMPAIGN_DROP, &camp, NULL, 0);
	commit(false);
	report("drop", n_cards, wall_s() - w, cpu_s() - c);
}

/* A day's sweep in the gateway's steps, when nothing may go: each card's last proof is kept. */
static void trim_look(void)
{
	struct store_trim t = { .before_ms = INT64_MAX, .cards = TRIM_CARDS, .rows = TRIM_ROWS };
	double w = wall_s(), c = cpu_s();

	do {
		int rc;

		add(ST_TRIM, &t, NULL, 0);
		rc = store_commit_wait(st, batch);
		if (rc)
			die("trim", rc);
		t = *(const struct store_trim *)batch->ops[0].row;
		t.card = t.next;
		store_batch_reset(batch);
	} while (t.more);
	report("look for what is old", n_cards, wall_s() - w, cpu_s() - c);
}

static void check_line(void *ctx, const char *line)
{
	snprintf(ctx, CHECK_LINE_MAX, "%s", line);
}

/* One page's checksum, beside copying the page. */
static void checksum(void)
{
	static uint8_t page[2][STORE_PAGE];
	double c = cpu_s(), sum_cpu;
	unsigned good = 0;

	memset(page[0], 1, sizeof(page[0]));
	for (uint32_t i = 0; i < SUM_PAGES; i++)
		good += sums_page(page[0], i) == SUM_GOOD;
	sum_cpu = cpu_s() - c;
	c = cpu_s();
	for (uint32_t i = 0; i < SUM_PAGES; i++) {
		page[0][i % STORE_PAGE]++;
		memcpy(page[1], page[0], STORE_PAGE);
		good += page[1][i % 7] & 1;
	}
	c = cpu_s() - c;
	printf("%-28s %9.2f us a page, %.1f times that of copying it (%u)\n", "checksum", sum_cpu * 1e6 / SUM_PAGES,
	       sum_cpu / c, good & 1);
}

/* Beside reading the same file and adding up its octets. */
static void full_check(const char *dir)
{
	static uint64_t buf[1 << 13];
	char path[4096], line[CHECK_LINE_MAX] = "";
	double w = wall_s(), c = cpu_s(), check_cpu;
	uint64_t sum = 0;
	size_t n;
	FILE *f;

	if (store_sqlite_check(dir, check_line, line))
		die(line, STORE_E_CORRUPT);
	check_cpu = cpu_s() - c;
	report("full check", n_cards, wall_s() - w, check_cpu);
	snprintf(path, sizeof(path), "%s/otagw.db", dir);
	f = fopen(path, "rb");
	c = cpu_s();
	while (f && (n = fread(buf, 1, sizeof(buf), f)) > 0)
		for (size_t i = 0; i < n / sizeof(buf[0]); i++)
			sum += buf[i];
	if (f)
		fclose(f);
	c = cpu_s() - c;
	printf("%-28s %9.2f s CPU, %.1f times that of reading the file (sum %08x)\n", "", check_cpu, check_cpu / c,
	       (unsigned)sum);
}

static void size_of(const char *dir)
{
	char path[4096];
	struct stat sb;

	snprintf(path, sizeof(path), "%s/otagw.db", dir);
	if (!stat(path, &sb))
		printf("%-28s %9.0f octets of database per card\n", "", (double)sb.st_size / n_cards);
}

int main(int argc, char **argv)
{
	char tmp[] = "/var/tmp/otagw-bench-XXXXXX", err[512], path[64];
	static const char *const files[] = { "otagw.db", "otagw.db-wal", "otagw.db-shm", "otagw.lock" };
	struct campaign_row camp = { .id = 1, .name = "bench", .state = CAMPAIGN_RUNNING };
	struct store_sqlite_cfg cfg = { 0 };
	struct store_mem_disk *disk = NULL;
	bool memory = false;
	int o;

	while ((o = getopt(argc, argv, "n:b:d:m")) != -1) {
		if (o == 'n' && atoi(optarg) > 0)
			n_cards = (unsigned)atoi(optarg);
		else if (o == 'b' && atoi(optarg) > 0 && atoi(optarg) <= STORE_BATCH_OPS_MAX / 8)
			batch_max = (unsigned)atoi(optarg);
		else if (o == 'd')
			cfg.dir = optarg;
		else if (o == 'm')
			memory = true;
		else
			return fprintf(stderr, "usage: bench_store [-n CARDS] [-b BATCH] [-d NEW_DIR] [-m]\n"), 1;
	}
	if (!memory && !cfg.dir)
		cfg.dir = mkdtemp(tmp);
	if (memory)
		st = store_mem_open(disk = store_mem_disk_new(), NULL);
	else
		st = store_sqlite_open(&cfg, err, sizeof(err));
	if (!st)
		return fprintf(stderr, "bench_store: %s\n", err), 1;
	batch = store_batch_new();
	printf("%s, %u cards, batches of %u\n", st->ops->kind, n_cards, batch_max);

	phase("import", put_import, false, false);
	add(ST_CAMPAIGN_INSERT, &camp, "profile", 7);
	commit(false);
	phase("plan", put_plan, false, false);
	size_of(memory ? "" : cfg.dir);
	claim();
	phase("prepare", put_prepare, true, false);
	phase("sent", put_sent, true, false);
	open_scan();
	phase("transition", put_bare, true, false);
	phase("transition, random order", put_bare, true, true);
	phase("PoR", put_por, true, false);
	open_scan();
	fetch_one("fetch by address");
	drop();
	trim_look();
	st->ops->close(st);
	size_of(memory ? "" : cfg.dir);
	if (!memory)
		full_check(cfg.dir);
	checksum();
	store_batch_free(batch);
	store_mem_disk_free(disk);
	for (size_t i = 0; !memory && cfg.dir == tmp && i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", tmp, files[i]);
		unlink(path);
	}
	if (!memory && cfg.dir == tmp)
		rmdir(tmp);
	return 0;
}
