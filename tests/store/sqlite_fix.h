/* sqlite_fix.h - a store in a directory of its own, and batches whose traces can be told apart.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_SQLITE_FIX_H
#define OTAGW_SQLITE_FIX_H

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sqlite_int.h"
#include "store_test.h"

#ifndef CARDS
#define CARDS 50
#endif

static char dir[64], db_path[96];
static char err[512];
static unsigned wal_pages_max; /* of the stores opened, 0: as in production */

static inline struct store *open_dir(void)
{
	struct store_sqlite_cfg cfg = { .dir = dir, .wal_pages_max = wal_pages_max, .queue_max = 16 };

	err[0] = 0;
	return store_sqlite_open(&cfg, err, sizeof(err));
}

static inline struct store *must_open(void)
{
	struct store *s = open_dir();

	if (!s)
		fail_msg("%s", err);
	return s;
}

static inline void must_refuse(const char *word)
{
	struct store *s = open_dir();

	assert_null(s);
	if (!strstr(err, word) || !strstr(err, dir))
		fail_msg("message should name %s and say '%s': %s", dir, word, err);
}

static inline int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/otagw-store-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(db_path, sizeof(db_path), "%s/otagw.db", dir);
	return 0;
}

static inline int teardown(void **state)
{
	static const char *const files[] = { "otagw.db", "otagw.db-wal", "otagw.db-shm", "otagw.db-journal",
					     "otagw.lock" };
	char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	return rmdir(dir);
}

static inline void sql_by(const char *vfs, const char *text)
{
	sqlite3 *db;

	sums_register();
	assert_int_equal(sqlite3_open_v2(db_path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	sqlite3_close(db);
}

/* By the store's own way to the file, so that what is written is whole in all but its meaning. */
static inline void sql(const char *text)
{
	sql_by(SUMS_VFS, text);
}

static inline void cards_in(struct store *s)
{
	struct store_batch *b = store_batch_new();

	for (unsigned n = 0; n < CARDS; n++) {
		struct store_card_insert in = card_make(n, 1);

		assert_non_null(store_batch_add(b, ST_CARD_INSERT, &in, NULL, 0));
	}
	assert_int_equal(store_commit_wait(s, b), STORE_OK);
	store_batch_free(b);
}

/* Batch `no`: every card's counter becomes 1000 + no, each gets a command and a packet. */
static inline void batch_fill(struct store_batch *b, uint64_t no)
{
	store_batch_reset(b);
	for (uint64_t card = 1; card <= CARDS; card++) {
		struct keyset_row k = { .card = card, .kvn = 1, .generation = GEN0, .cntr = 1000 + no };
		struct cmd_row c = cmd_make(no * CARDS + card, card, CMD_PREPARED);

		assert_non_null(store_batch_add(b, ST_KEYSET_CNTR, &k, NULL, 0));
		assert_non_null(store_batch_add(b, ST_CMD_PUT, &c, NULL, 0));
		assert_non_null(store_batch_add(b, ST_WIRE_PUT, &c, &no, sizeof(no)));
	}
	b->batch_no = no;
}

static inline uint64_t max_batch(struct store *s)
{
	struct store_totals t;
	struct store_query q = { .kind = Q_TOTALS, .out = &t, .limit = 1 };

	assert_int_equal(store_query_wait(s, &q), STORE_OK);
	return t.max_batch;
}

/* The store holds batches 1..no, all of them and whole. */
static inline void check_holds(struct store *s, uint64_t no)
{
	static struct card_bundle out;

	assert_int_equal(max_batch(s), no);
	for (uint64_t card = 1; card <= CARDS; card++) {
		struct store_fetch f = { .by = FETCH_BY_ID, .card = card, .out = &out, .cap = 1 };

		assert_int_equal(store_fetch_wait(s, &f), STORE_OK);
		assert_int_equal(f.n, 1);
		assert_int_equal(out.keyset[0].cntr, no ? 1000 + no : 100);
		assert_int_equal(out.n_cmds, no < CARD_CMDS_MAX ? no : CARD_CMDS_MAX);
		if (no) {
			assert_int_equal(out.cmd[0].id, no * CARDS + card);
			assert_int_equal(out.packet_len, sizeof(no));
			assert_memory_equal(out.packet, &no, sizeof(no));
		}
	}
}

#endif
