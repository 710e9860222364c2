/* sqlite_check.c - the full check of a database that nobody runs on: every page, every structure, every value.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Changes nothing: where a log stands beside the database it is read, not copied in.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sqlite_int.h"

#define FINDINGS_MAX   100			 /* said; more are counted */
#define LOCK_PAGE      (0x40000000 / STORE_PAGE) /* SQLite locks its octets and never writes it */
#define WAL_HEADER     32
#define WAL_FRAME_HEAD 24

union any_row {
	struct card_row card;
	struct keyset_row keyset;
	struct card_addr_row addr;
	struct campaign_row campaign;
	struct txn_row txn;
	struct cmd_row cmd;
	struct part_row part;
	struct story_row story;
	struct book_row book;
};

struct check {
	struct conn c;
	char path[4096];
	void (*say)(void *ctx, const char *line);
	void *ctx;
	int findings;
	uint8_t *in_log; /* a bit per page: the log holds a newer one */
	size_t pages, bare;
};

static void vtell(struct check *k, const char *fmt, va_list ap)
{
	char line[sizeof(k->path) + STORE_WHY_MAX];

	vsnprintf(line, sizeof(line), fmt, ap);
	k->say(k->ctx, line);
}

__attribute__((format(printf, 2, 3))) static void tell(struct check *k, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vtell(k, fmt, ap);
	va_end(ap);
}

__attribute__((format(printf, 2, 3))) static void find(struct check *k, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (k->findings++ < FINDINGS_MAX)
		vtell(k, fmt, ap);
	va_end(ap);
}

/* What has just failed on the connection. */
static void find_why(struct check *k, int rc)
{
	char why[STORE_WHY_MAX];

	conn_why(&k->c, rc, why, sizeof(why));
	find(k, "%s", why);
}

/* ---- pages ---- */

/* Pages that stand in the log: what the database file has of them may be half written, and is not looked at by anyone.  Frames
 * behind the last commit are no part of the log: SQLite reads the file instead. */
static void log_look(struct check *k)
{
	char path[sizeof(k->path) + 8];
	uint8_t head[WAL_HEADER], frame[WAL_FRAME_HEAD];
	off_t at = WAL_HEADER, from = at;
	uint32_t page, commit;
	int fd;

	snprintf(path, sizeof(path), "%s-wal", k->path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (pread(fd, head, sizeof(head), 0) == sizeof(head)) {
		while (pread(fd, frame, sizeof(frame), at) == sizeof(frame) && !memcmp(frame + 8, head + 16, 8)) {
			memcpy(&commit, frame + 4, sizeof(commit)); /* its size of the database, or 0 */
			at += WAL_FRAME_HEAD + STORE_PAGE;
			if (!commit)
				continue;
			for (; from < at && pread(fd, frame, sizeof(page), from) == sizeof(page);
			     from += WAL_FRAME_HEAD + STORE_PAGE) {
				memcpy(&page, frame, sizeof(page));
				page = be32toh(page);
				if (page && page <= k->pages)
					k->in_log[(page - 1) / 8] |= (uint8_t)(1 << (page - 1) % 8);
			}
		}
	}
	close(fd);
}

static int pages_check(struct check *k)
{
	int fd = open(k->path, O_RDONLY | O_CLOEXEC), rc = -1;
	uint8_t page[STORE_PAGE];
	struct stat sb;
	size_t whole;

	if (fd < 0 || fstat(fd, &sb)) {
		tell(k, "%s: cannot read: %s", k->path, strerror(errno));
		goto out;
	}
	whole = (size_t)sb.st_size / STORE_PAGE;
	k->pages = whole + (sb.st_size % STORE_PAGE != 0);
	k->in_log = calloc(1, k->pages / 8 + 1);
	if (!k->in_log) {
		tell(k, "%s: out of memory", k->path);
		goto out;
	}
	log_look(k);
	/* a last page that was begun when power failed: where the log has it, nobody reads it here */
	if (k->pages > whole && !(k->in_log[whole / 8] & 1 << whole % 8))
		find(k, "%s: %lld octets are no whole number of pages", k->path, (long long)sb.st_size);
	k->pages = whole;
	for (size_t i = 0; i < k->pages; i++) {
		if (pread(fd, page, sizeof(page), (off_t)i * STORE_PAGE) != sizeof(page)) {
			find(k, "%s: page %zu cannot be read: %s", k->path, i + 1, strerror(errno));
			continue;
		}
		if (!i && !sums_room(page)) /* not ours: database_check() says whose */
			break;
		if (k->in_log[i / 8] & 1 << i % 8 || i == LOCK_PAGE)
			continue;
		switch (sums_page(page, (uint32_t)i + 1)) {
		case SUM_BAD:
			find(k, "%s: page %zu (octets %zu to %zu) does not match its checksum", k->path, i + 1,
			     i * STORE_PAGE, (i + 1) * STORE_PAGE - 1);
			break;
		case SUM_NONE:
			k->bare++;
			break;
		case SUM_GOOD:
			break;
		}
	}
	rc = 0;
out:
	if (fd >= 0)
		close(fd);
	return rc;
}

/* ---- structure ---- */

static void structure_check(struct check *k)
{
	sqlite3_stmt *st = NULL;
	int rc = conn_err(&k->c, sqlite3_prepare_v2(k->c.db, "PRAGMA integrity_check(100)", -1, &st, NULL));

	while (!rc && (rc = st_row(&k->c, st)) > 0) {
		const char *text = (const char *)sqlite3_column_text(st, 0);

		if (!text || strcmp(text, "ok") != 0)
			find(k, "%s: %s", k->path, text ? text : "integrity check gave nothing");
		rc = 0;
	}
	sqlite3_finalize(st);
	if (rc < 0)
		find_why(k, rc);
}

/* ---- values ---- */

static void values_check(struct check *k, const struct table *t)
{
	char tmpl[64], sql[SQL_TEXT_MAX];
	sqlite3_stmt *st = NULL;
	union any_row row;
	int rc;

	snprintf(tmpl, sizeof(tmpl), "SELECT {%s} FROM %s", t->name, t->name);
	sql_expand(sql, tmpl);
	rc = conn_err(&k->c, sqlite3_prepare_v2(k->c.db, sql, -1, &st, NULL));
	while (!rc && (rc = st_row(&k->c, st)) > 0) {
		rc = row_read(&k->c, t, st, 0, &row);
		if (rc)
			find_why(k, rc);
		rc = 0;
	}
	sqlite3_finalize(st);
	if (rc < 0)
		find_why(k, rc);
}

/* What the gateway never leaves behind.  The numbers in the SQL are these. */
_Static_assert(TXN_ACTIVE == 1 && CMD_PREPARED == 1 && CMD_WAIT_PRESENCE == 4 && CMD_DONE == 5, "states in SQL");

static const struct {
	const char *sql, *what;
} rules[] = {
	{ "SELECT count(*) FROM (SELECT 1 FROM cmd WHERE state<5 GROUP BY card HAVING count(*)>1)",
	  "cards with two open commands" },
	{ "SELECT count(*) FROM txn WHERE state=1 AND NOT EXISTS "
	  "(SELECT 1 FROM cmd WHERE cmd.card=txn.card AND cmd.txn=txn.id AND cmd.state<5)",
	  "ACTIVE transactions without an open command" },
	{ "SELECT count(*) FROM txn JOIN campaign ON campaign.id=txn.campaign "
	  "WHERE txn.state<2 AND campaign.ended_ms>0",
	  "open transactions of campaigns that have ended" },
	{ "SELECT count(*) FROM cmd LEFT JOIN cmd_wire ON cmd_wire.cmd_id=cmd.id WHERE state BETWEEN 1 AND 4 "
	  "AND cmd_wire.cmd_id IS NULL",
	  "open commands without their packet" },
	{ "SELECT count(*) FROM cmd JOIN keyset ON keyset.id=cmd.card*16+cmd.kvn "
	  "WHERE cmd.generation=keyset.generation AND cmd.cntr>keyset.cntr",
	  "commands whose counter their keyset does not know of" },
	{ "SELECT count(*) FROM txn WHERE NOT EXISTS (SELECT 1 FROM card WHERE card.id=txn.card)",
	  "transactions of cards that do not exist" },
	{ "SELECT count(*) FROM txn WHERE NOT EXISTS (SELECT 1 FROM campaign WHERE campaign.id=txn.campaign)",
	  "transactions of campaigns that do not exist" },
	{ "SELECT count(*) FROM txn JOIN campaign ON campaign.id=txn.campaign WHERE campaign.kind>0 AND NOT EXISTS "
	  "(SELECT 1 FROM txn_work WHERE txn_work.id=txn.id)",
	  "transactions of works without their work" },
	{ "SELECT count(*) FROM txn_work WHERE NOT EXISTS (SELECT 1 FROM txn WHERE txn.id=txn_work.id)",
	  "works of transactions that do not exist" },
};

static void rules_check(struct check *k)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		sqlite3_stmt *st = NULL;
		long long n = 0;
		int rc = conn_err(&k->c, sqlite3_prepare_v2(k->c.db, rules[i].sql, -1, &st, NULL));

		if (!rc && st_row(&k->c, st) > 0)
			n = sqlite3_column_int64(st, 0);
		sqlite3_finalize(st);
		k->c.fail = (struct conn_fail){ 0 }; /* has been found before */
		if (n)
			find(k, "%s: %lld %s", k->path, n, rules[i].what);
	}
}

/* ---- all of it ---- */

static void database_check(struct check *k)
{
	static const struct table *const tables[] = { &t_card, &t_keyset, &t_addr,  &t_campaign, &t_txn,
						      &t_cmd,  &t_part,	  &t_story, &t_book };
	char err[STORE_WHY_MAX];
	int version = 0;

	k->c.path = k->path;
	k->c.db = sqlite_open_reader(k->path, err, sizeof(err));
	if (!k->c.db) {
		find(k, "%s", err);
		return;
	}
	if (sqlite_schema_look(k->c.db, k->path, &version, err, sizeof(err)) < 0)
		find(k, "%s", err);
	else if (!version)
		find(k, "%s: empty: no otagwd has been started on it", k->path);
	else
		structure_check(k);
	if (version == store_schema_version) {
		for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
			values_check(k, tables[i]);
		rules_check(k);
	} else if (version) {
		tell(k, "%s: schema %d of an older otagw: its values are not looked at", k->path, version);
	}
	conn_close(&k->c);
}

int store_sqlite_check(const char *dir, void (*say)(void *ctx, const char *line), void *ctx)
{
	struct check k = { .say = say, .ctx = ctx };
	char err[STORE_WHY_MAX];
	int lock = -1, rc = -1;

	sums_register();
	if (snprintf(k.path, sizeof(k.path), "%s/otagw.db", dir) >= (int)sizeof(k.path)) {
		tell(&k, "state directory: name too long");
		return -1;
	}
	if (access(k.path, R_OK)) {
		tell(&k, "%s: %s", k.path, strerror(errno));
		return -1;
	}
	lock = sqlite_dir_lock(dir, err, sizeof(err));
	if (lock < 0) {
		tell(&k, "%s", err);
		return -1;
	}
	if (pages_check(&k) == 0) {
		database_check(&k);
		if (k.findings > FINDINGS_MAX)
			tell(&k, "%s: and %d more", k.path, k.findings - FINDINGS_MAX);
		if (k.findings)
			tell(&k, "%s: %d findings: " STORE_RESTORE_HINT, k.path, k.findings);
		else if (k.bare)
			tell(&k, "%s: %zu pages, all good, %zu of them without a checksum yet", k.path, k.pages,
			     k.bare);
		else
			tell(&k, "%s: %zu pages, all good", k.path, k.pages);
		rc = k.findings;
	}
	free(k.in_log);
	close(lock);
	return rc;
}
