/* test_store_damage.c - what a disk has changed is refused in words, never taken for data, never built anew.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Octets are flipped in every page of a database that has all kinds of them: header, schema, inner and leaf pages of
 * tables and indexes, overflow, freelist.  The store then either does not open, or what reads that page is refused; and the
 * full check finds it in any case.  The file is looked at before and after: refusing writes nothing.
 */
#include <fcntl.h>
#include <sys/wait.h>

#define CARDS 100
#include "sqlite_fix.h"

#define FLIPS_PER_PAGE 2
#define LOG_BATCHES    6
#define LOG_FLIPS      120
#define BATCHES	       4
#define STORIES	       800

static uint8_t *good;
static size_t good_len;
static char wal_path[sizeof(db_path) + 8];

/* ---- the file ---- */

static size_t file_read(const char *path, uint8_t **out)
{
	int fd = open(path, O_RDONLY);
	struct stat sb;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &sb), 0);
	*out = malloc((size_t)sb.st_size + 1);
	assert_int_equal(read(fd, *out, (size_t)sb.st_size), sb.st_size);
	close(fd);
	return (size_t)sb.st_size;
}

static void file_write(const char *path, const uint8_t *p, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, len), len);
	close(fd);
}

/* Puts the good database back, with one octet changed. */
static void flip(size_t at, uint8_t mask)
{
	unlink(wal_path);
	good[at] ^= mask;
	file_write(db_path, good, good_len);
	good[at] ^= mask;
}

static void must_be_as(size_t at, uint8_t mask)
{
	uint8_t *now;

	assert_int_equal(file_read(db_path, &now), good_len);
	now[at] ^= mask;
	assert_memory_equal(now, good, good_len);
	free(now);
}

/* ---- reading all there is ---- */

static const struct {
	enum store_query_kind kind;
	bool by_card, by_campaign, by_cmd;
} reads[] = {
	{ Q_CAMPAIGNS },
	{ Q_CAMPAIGN_COUNTS, .by_campaign = true },
	{ Q_OPEN_CMDS },
	{ Q_REPORT, .by_campaign = true },
	{ Q_CARD, .by_card = true },
	{ Q_CARD_CMDS, .by_card = true },
	{ Q_CARD_STORY, .by_card = true },
	{ Q_CARDS },
	{ Q_PROFILE, .by_campaign = true },
	{ Q_WIRE, .by_cmd = true },
	{ Q_META },
	{ Q_TOTALS },
};

#define PAGE_ROWS 100
#define READ_BUF  (PAGE_ROWS * sizeof(struct store_story))

/* STORE_OK, or the first error, whose sentence is then in err. */
static int read_kind(struct store *s, enum store_query_kind kind, uint64_t id, void *out)
{
	bool single = kind == Q_CARD || kind == Q_PROFILE || kind == Q_META || kind == Q_WIRE || kind == Q_TOTALS;
	struct store_query q = { .kind = (uint8_t)kind, .id = id, .out = out, .limit = single ? 1 : PAGE_ROWS };
	int rc;

	assert_true(store_query_row_size(kind) * q.limit <= READ_BUF);
	if (kind == Q_META)
		snprintf(q.digits, sizeof(q.digits), "k");
	do {
		q.after = q.last;
		rc = store_query_wait(s, &q);
		if (rc)
			snprintf(err, sizeof(err), "%s", q.why);
	} while (!rc && q.n == PAGE_ROWS);
	return rc;
}

static int read_all(struct store *s)
{
	static uint64_t out[READ_BUF / 8];
	static struct card_bundle one;
	int rc = 0;

	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]) && !rc; i++) {
		uint64_t n = reads[i].by_card ? CARDS : reads[i].by_cmd ? BATCHES * CARDS : 1;

		for (uint64_t id = 1; id <= n && !rc; id++)
			rc = read_kind(s, reads[i].kind, reads[i].by_cmd ? CARDS + id : id, out);
	}
	for (unsigned n = 0; n < CARDS && !rc; n++) {
		const struct card_row card = card_make(n, 1).card;
		struct store_fetch f = {
			.by = FETCH_BY_ADDR, .addr_type = ADDR_IMSI, .at_ms = T0 + 1, .out = &one, .cap = 1
		};

		memcpy(f.digits, card.imsi, sizeof(card.imsi));
		rc = store_fetch_wait(s, &f);
		if (rc)
			snprintf(err, sizeof(err), "%s", f.why);
	}
	return rc;
}

/* ---- a database with pages of every kind ---- */

static void story_fill(struct store_batch *b)
{
	static uint8_t detail[STORY_DETAIL_MAX];

	store_batch_reset(b);
	for (unsigned n = 0; n < STORIES; n++) {
		struct story_row row = { .card = 1 + n % CARDS, .kind = STORY_NOTE, .at_ms = T0 };

		memset(detail, (int)n, sizeof(detail));
		assert_non_null(store_batch_add(b, ST_STORY_ADD, &row, detail, n % sizeof(detail)));
	}
	b->batch_no = 0;
}

static void campaign_fill(struct store_batch *b, const char *name, uint64_t id, bool drop)
{
	static char profile[PROFILE_TEXT_MAX];
	struct campaign_row c = campaign_make(id, name, CAMPAIGN_READY);

	memset(profile, 'p', sizeof(profile));
	store_batch_reset(b);
	assert_non_null(store_batch_add(b, ST_CAMPAIGN_INSERT, &c, profile, sizeof(profile)));
	for (unsigned n = 0; n < CARDS; n++) {
		struct store_txn_plan p = plan_make(id, n, n);

		assert_non_null(store_batch_add(b, ST_TXN_PLAN, &p, NULL, 0));
	}
	if (drop)
		assert_non_null(store_batch_add(b, ST_CAMPAIGN_DROP, &c, NULL, 0));
	b->batch_no = 0;
}

static void must_commit(struct store *s, struct store_batch *b)
{
	if (store_commit_wait(s, b))
		fail_msg("%s", b->why);
}

static void make(void)
{
	struct store_batch *b = store_batch_new();
	const struct store_meta meta = { .key = "k" };
	struct store *s = must_open();

	cards_in(s);
	campaign_fill(b, "dropped", 2, false); /* its pages go to the freelist */
	must_commit(s, b);
	store_batch_reset(b);
	assert_non_null(store_batch_add(b, ST_CAMPAIGN_DROP, &(struct campaign_row){ .id = 2 }, NULL, 0));
	must_commit(s, b);
	campaign_fill(b, "kept", 1, false);
	must_commit(s, b);
	for (uint64_t no = 1; no <= BATCHES; no++) {
		batch_fill(b, no);
		must_commit(s, b);
	}
	story_fill(b);
	must_commit(s, b);
	store_batch_reset(b);
	assert_non_null(store_batch_add(b, ST_META_PUT, &meta, "value", 5));
	must_commit(s, b);
	assert_int_equal(read_all(s), STORE_OK);
	s->ops->close(s);
	store_batch_free(b);
	/* some rows go again: leaf pages become free ones */
	sql("DELETE FROM story WHERE id > 100 AND id < 400");
	sql("UPDATE cmd SET state = 5 WHERE id NOT IN (SELECT max(id) FROM cmd GROUP BY card)");
	good_len = file_read(db_path, &good);
	snprintf(wal_path, sizeof(wal_path), "%s-wal", db_path);
}

static int damage_in(void **state)
{
	if (setup(state))
		return -1;
	make();
	return 0;
}

static int damage_out(void **state)
{
	free(good);
	return teardown(state);
}

/* As the sqlite3 program's .backup. */
static void backup_to(const char *path)
{
	sqlite3 *from, *to;
	sqlite3_backup *b;

	assert_int_equal(sqlite3_open_v2(db_path, &from, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_open(path, &to), SQLITE_OK);
	b = sqlite3_backup_init(to, "main", from, "main");
	assert_non_null(b);
	assert_int_equal(sqlite3_backup_step(b, -1), SQLITE_DONE);
	sqlite3_backup_finish(b);
	sqlite3_close(to);
	sqlite3_close(from);
}

/* ---- flips ---- */

static uint64_t dice = 1;

static unsigned draw(unsigned n)
{
	dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(dice >> 33) % n;
}

static unsigned refused_at_open, refused_when_read, found_by_check;

static char lines[65536]; /* what the check says */

static void said(void *ctx, const char *line)
{
	size_t n = strlen(lines);

	snprintf(lines + n, sizeof(lines) - n, "%s\n", line);
}

static int check_dir(const char *path)
{
	lines[0] = 0;
	return store_sqlite_check(path, said, NULL);
}

static void must_have(const char *text, const char *word)
{
	if (!strstr(text, word))
		fail_msg("\"%s\" should say \"%s\"", text, word);
}

static void one_flip(size_t at)
{
	uint8_t mask = (uint8_t)(1 << draw(8));
	struct store *s;

	flip(at, mask);
	s = open_dir();
	if (s) {
		int rc = read_all(s);

		s->ops->close(s);
		if (rc != STORE_OK) {
			refused_when_read++;
			assert_int_equal(rc, STORE_E_CORRUPT);
		}
	} else {
		refused_at_open++;
	}
	if (!s || *err) {
		must_have(err, db_path);
		must_have(err, "restore");
		if (at >= 100) /* in the header it may be taken for another program's */
			must_have(err, "--restored");
	}
	must_be_as(at, mask);
	assert_true(check_dir(dir) > 0);
	must_have(lines, db_path);
	found_by_check++;
	must_be_as(at, mask);
}

static void test_every_page(void **state)
{
	size_t pages = good_len / STORE_PAGE;

	if (check_dir(dir))
		fail_msg("%s", lines);
	for (size_t page = 0; page < pages; page++) {
		size_t from = page * STORE_PAGE;

		one_flip(from + (page ? 0 : 100));
		for (unsigned i = 1; i < FLIPS_PER_PAGE; i++)
			one_flip(from + draw(STORE_PAGE));
	}
	print_message("%zu pages: %u flips, %u refused at start, %u when read, %u found by the check\n", pages,
		      FLIPS_PER_PAGE * (unsigned)pages, refused_at_open, refused_when_read, found_by_check);
	assert_int_equal(found_by_check, FLIPS_PER_PAGE * pages);
	/* the others are free, or indexes that nothing here asks for */
	assert_true(refused_at_open + refused_when_read > found_by_check / 2);
	file_write(db_path, good, good_len);
}

/* Written by the store's own way, with good checksums, and yet not what the gateway writes. */
static void test_meaning(void **state)
{
	static const struct {
		const char *sql, *word;
	} bad[] = {
		{ "UPDATE cmd SET state = 1 WHERE id IN (SELECT min(id) FROM cmd GROUP BY card)", "two open commands" },
		{ "DELETE FROM cmd_wire WHERE cmd_id = (SELECT max(cmd_id) FROM cmd_wire)", "without their packet" },
		{ "UPDATE cmd SET generation = 7, cntr = 9000000 WHERE id = (SELECT max(id) FROM cmd)",
		  "1 commands whose counter their keyset does not know of" },
		{ "UPDATE txn SET state = 1 WHERE id = 5; UPDATE cmd SET state = 5 WHERE txn = 5",
		  "1 ACTIVE transactions without an open command" },
		{ "UPDATE campaign SET ended_ms = 1 WHERE id = (SELECT campaign FROM txn WHERE state = 0 LIMIT 1)",
		  "open transactions of campaigns that have ended" },
		{ "UPDATE txn SET card = 99999 WHERE id = (SELECT max(id) FROM txn)", "cards that do not exist" },
		{ "UPDATE txn SET campaign = 99 WHERE id = (SELECT max(id) FROM txn)", "campaigns that do not exist" },
		{ "UPDATE keyset SET cntr = -1 WHERE card = 5", "column cntr of table keyset" },
		{ "UPDATE txn SET state = 99 WHERE card = 5", "column state of table txn" },
		{ "UPDATE story SET text = printf('%.500c', 'x') WHERE id = 7", "column text of table story" },
		{ "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE INDEX card_iccid ON card "
		  "(msisdn)' "
		  "WHERE name = 'card_iccid'",
		  "card_iccid" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unlink(wal_path);
		file_write(db_path, good, good_len);
		sql(bad[i].sql);
		assert_true(check_dir(dir) > 0);
		must_have(lines, bad[i].word);
		must_have(lines, "findings");
	}
}

/* A page that another program has written into the file has an old checksum. */
static void test_written_by_others(void **state)
{
	struct store *s;

	sql_by(NULL, "UPDATE keyset SET cntr = 5 WHERE card = 5");
	s = must_open();
	assert_int_equal(read_all(s), STORE_E_CORRUPT);
	must_have(err, "does not match its checksum");
	s->ops->close(s);
}

/* Copies that people make: as good as the original, while the gateway runs and commits, too. */
static void test_copies(void **state)
{
	char copy[128], text[256];
	struct store_batch *b = store_batch_new();
	struct store *s = must_open();

	batch_fill(b, BATCHES + 1); /* some of it stands in the log only */
	must_commit(s, b);
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	snprintf(text, sizeof(text), "VACUUM INTO '%s'", copy);
	sql_by(NULL, text);
	s->ops->close(s);
	unlink(wal_path);
	assert_int_equal(rename(copy, db_path), 0);
	s = must_open();
	assert_int_equal(read_all(s), STORE_OK);
	assert_int_equal(max_batch(s), BATCHES + 1);
	batch_fill(b, BATCHES + 2);
	must_commit(s, b);
	backup_to(copy);
	s->ops->close(s);
	unlink(wal_path);
	assert_int_equal(rename(copy, db_path), 0);
	s = must_open();
	assert_int_equal(read_all(s), STORE_OK);
	assert_int_equal(max_batch(s), BATCHES + 2);
	s->ops->close(s);
	sql("UPDATE cmd SET state = 5 WHERE id NOT IN (SELECT max(id) FROM cmd GROUP BY card)");
	if (check_dir(dir))
		fail_msg("%s", lines);
	store_batch_free(b);
}

/* A log with a flipped octet, as a killed gateway leaves it: SQLite takes it up to the last good commit.  So the store holds
 * whole batches, as many as its number says, and goes on from there; that some are missing is told by the gateway's mark. */
static void test_log(void **state)
{
	struct store_batch *b = store_batch_new();
	uint8_t *log, *db;
	size_t log_len, db_len;
	unsigned shorter = 0;
	struct store *s;

	snprintf(wal_path, sizeof(wal_path), "%s-wal", db_path);
	s = must_open();
	cards_in(s);
	for (uint64_t no = 1; no <= LOG_BATCHES; no++) {
		batch_fill(b, no);
		must_commit(s, b);
	}
	db_len = file_read(db_path, &db);
	log_len = file_read(wal_path, &log);
	s->ops->close(s);
	for (unsigned i = 0; i < LOG_FLIPS; i++) {
		size_t at = i < 32 ? i : 32 + draw((unsigned)log_len - 32);
		uint8_t mask = (uint8_t)(1 << draw(8));
		struct store_totals t;
		struct store_query q = { .kind = Q_TOTALS, .out = &t, .limit = 1 };

		file_write(db_path, db, db_len);
		log[at] ^= mask;
		file_write(wal_path, log, log_len);
		log[at] ^= mask;
		s = must_open();
		assert_int_equal(store_query_wait(s, &q), STORE_OK);
		shorter += t.max_batch < LOG_BATCHES;
		if (t.cards)
			check_holds(s, t.max_batch);
		batch_fill(b, t.max_batch + 1);
		if (t.cards) {
			must_commit(s, b);
			check_holds(s, t.max_batch + 1);
		}
		s->ops->close(s);
	}
	assert_true(shorter > LOG_FLIPS / 2);
	free(db);
	free(log);
	store_batch_free(b);
}

/* A frame that no commit follows, of a transaction that a power failure cut off: SQLite reads the page in the file, so that is
 * checked. */
static void test_log_without_commit(void **state)
{
	const size_t frame = 24 + STORE_PAGE;
	struct store_batch *b = store_batch_new();
	struct store *s;
	char word[64];
	uint8_t *log, *db;
	size_t log_len, db_len;
	uint32_t page;

	snprintf(wal_path, sizeof(wal_path), "%s-wal", db_path);
	s = must_open();
	batch_fill(b, BATCHES + 1);
	must_commit(s, b);
	db_len = file_read(db_path, &db);
	log_len = file_read(wal_path, &log);
	s->ops->close(s);
	assert_true(log_len >= 32 + frame);
	memcpy(&page, log + 32, sizeof(page));
	page = be32toh(page);
	assert_true((size_t)page * STORE_PAGE <= db_len);
	db[(size_t)page * STORE_PAGE - 100] ^= 1;
	snprintf(word, sizeof(word), "page %u (octets", (unsigned)page);
	for (unsigned committed = 0; committed < 2; committed++) {
		memset(log + 32 + 4, 0, 4);
		log[32 + 7] = (uint8_t)committed;
		file_write(db_path, db, db_len);
		file_write(wal_path, log, 32 + frame);
		check_dir(dir);
		assert_int_equal(strstr(lines, word) != NULL, !committed);
	}
	unlink(wal_path);
	free(db);
	free(log);
	store_batch_free(b);
}

/* A checkpoint that a power failure cut off in a page behind the file's end: the log has that page, and nobody misses it. */
static void test_last_page_begun(void **state)
{
	const size_t frame = 24 + STORE_PAGE;
	struct store_batch *b = store_batch_new();
	struct store *s;
	uint8_t *log, *db;
	size_t log_len, db_len;
	uint32_t last;

	snprintf(wal_path, sizeof(wal_path), "%s-wal", db_path);
	s = must_open();
	batch_fill(b, BATCHES + 1);
	must_commit(s, b);
	db_len = file_read(db_path, &db);
	log_len = file_read(wal_path, &log);
	s->ops->close(s);
	assert_true(log_len >= 32 + frame);
	last = htobe32((uint32_t)(db_len / STORE_PAGE));
	memcpy(log + 32, &last, sizeof(last));
	for (unsigned committed = 0; committed < 2; committed++) {
		memset(log + 32 + 4, 0, 4);
		log[32 + 7] = (uint8_t)committed;
		file_write(db_path, db, db_len - STORE_PAGE / 3);
		file_write(wal_path, log, 32 + frame);
		check_dir(dir);
		assert_int_equal(strstr(lines, "no whole number of pages") != NULL, !committed);
	}
	unlink(wal_path);
	free(db);
	free(log);
	store_batch_free(b);
}

/* The check of a directory that a gateway runs on, or where there is none. */
static void test_check_refused(void **state)
{
	struct store *s = must_open();

	assert_int_equal(check_dir(dir), -1);
	must_have(lines, "in use by another gateway");
	s->ops->close(s);
	assert_int_equal(check_dir("/nonexistent"), -1);
	must_have(lines, "No such file");
}

/* What has no pages of ours, in words that do not send anybody to the backups for nothing. */
static void test_check_others(void **state)
{
	static const struct {
		const char *sql, *word;
	} other[] = {
		{ NULL, "no otagwd has been started on it" },
		{ "CREATE TABLE t(x)", "not one of otagw's" },
		{ "PRAGMA application_id=1330923351; PRAGMA user_version=99", "newer than this program knows" },
	};

	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		file_write(db_path, NULL, 0);
		if (other[i].sql)
			sql_by(NULL, other[i].sql);
		assert_int_equal(check_dir(dir), 1);
		must_have(lines, other[i].word);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, damage_in, damage_out)
	const struct CMUnitTest tests[] = {
		T(test_every_page),	    T(test_meaning),
		T(test_written_by_others),  T(test_copies),
		T(test_check_refused),	    T(test_check_others),
		T(test_log_without_commit), cmocka_unit_test_setup_teardown(test_log, setup, teardown),
		T(test_last_page_begun),    cmocka_unit_test_setup_teardown(test_log, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
