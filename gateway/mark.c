/* mark.c - notices a database that was put back from a backup.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One line of text: what it says can be read with cat.  It is written in place after each commit and not synced: a killed
 * process loses nothing, and after a power cut an older note only means that a backup younger than it is not noticed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mark.h"

#define MARK_FORMAT "otagw-mark 1 database %s epoch %010" PRIu32 " batch %020" PRIu64 "\n"
#define MARK_SCAN   "otagw-mark 1 database %32[0-9a-f] epoch %10" SCNu32 " batch %20" SCNu64
#define MARK_LINE   128
#define META_ID	    "db-id"
#define META_EPOCH  "epoch"

static void id_hex(const uint8_t id[MARK_ID_LEN], char hex[2 * MARK_ID_LEN + 1])
{
	for (unsigned i = 0; i < MARK_ID_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
}

static int meta_read(struct store *store, const char *key, struct store_blob *out, bool *there)
{
	struct store_query q = { .kind = Q_META, .limit = 1, .out = out };
	int rc;

	memcpy(q.digits, key, strlen(key) + 1);
	rc = store_query_wait(store, &q);
	*there = !rc && q.n;
	return rc;
}

/* The database's name and epoch, and the last batch of the core in it. */
struct db_state {
	uint64_t batch_no;
	uint32_t epoch;
	bool named;
};

static int db_read(struct mark *m, struct store *store, struct db_state *db)
{
	struct store_totals totals;
	struct store_query q = { .kind = Q_TOTALS, .limit = 1, .out = &totals };
	struct store_blob *b = calloc(1, sizeof(*b));
	bool has_epoch = false;
	int rc = b ? store_query_wait(store, &q) : STORE_E_IO;

	if (!rc)
		rc = meta_read(store, META_ID, b, &db->named);
	if (!rc && db->named) {
		if (b->len != MARK_ID_LEN)
			rc = STORE_E_CORRUPT;
		else
			memcpy(m->id, b->bytes, MARK_ID_LEN);
	}
	if (!rc)
		rc = meta_read(store, META_EPOCH, b, &has_epoch);
	if (!rc && has_epoch) {
		if (b->len != 4)
			rc = STORE_E_CORRUPT;
		else
			db->epoch = (uint32_t)b->bytes[0] << 24 | (uint32_t)b->bytes[1] << 16 |
				    (uint32_t)b->bytes[2] << 8 | b->bytes[3];
	}
	free(b);
	db->batch_no = rc ? 0 : totals.max_batch;
	return rc;
}

static int db_write(const struct mark *m, struct store *store)
{
	const uint8_t epoch[4] = { (uint8_t)(m->epoch >> 24), (uint8_t)(m->epoch >> 16), (uint8_t)(m->epoch >> 8),
				   (uint8_t)m->epoch };
	const struct store_meta id = { .key = META_ID }, ep = { .key = META_EPOCH };
	struct store_batch *b = store_batch_new();
	int rc = STORE_E_IO;

	if (b && store_batch_add(b, ST_META_PUT, &id, m->id, sizeof(m->id)) &&
	    store_batch_add(b, ST_META_PUT, &ep, epoch, sizeof(epoch)))
		rc = store_commit_wait(store, b);
	if (b)
		store_batch_free(b);
	return rc;
}

/* What the note says; false when there is none. */
static int note_read(struct mark *m, char hex[2 * MARK_ID_LEN + 1], uint32_t *epoch, uint64_t *batch_no, bool *there,
		     char *err, size_t err_cap)
{
	char line[MARK_LINE] = "";
	ssize_t n = pread(m->fd, line, sizeof(line) - 1, 0);

	*there = n > 0;
	if (n < 0) {
		snprintf(err, err_cap, "%s cannot be read: %s", m->path, strerror(errno));
		return -1;
	}
	if (n == 0 || sscanf(line, MARK_SCAN, hex, epoch, batch_no) == 3)
		return 0;
	snprintf(err, err_cap,
		 "%s is not this gateway's mark (\"%.40s\"): is 'mark-file' right?  If it is, move that file away and "
		 "start "
		 "with --restored",
		 m->path, line);
	return -1;
}

/* Decides whether a new epoch begins: a sentence why, or NULL. */
static const char *why_new(const struct db_state *db, bool restored, bool noted, uint32_t noted_epoch,
			   uint64_t noted_batch)
{
	if (!db->named && !db->batch_no && !noted)
		return NULL; /* an empty database, a first start */
	if (restored)
		return "--restored was given";
	if (!noted)
		return "there is no mark of it, so it may be a copy that was put back";
	if (noted_batch > db->batch_no || noted_epoch > db->epoch)
		return "it is older than its mark: a backup was put back";
	return NULL;
}

uint32_t mark_next_epoch(uint32_t last, uint32_t now_s)
{
	/* the clock makes epochs that never come twice, also without the note; the note guards against the clock */
	return last + MARK_EPOCH_STEP < now_s ? now_s : last + MARK_EPOCH_STEP;
}

int mark_open(struct mark *m, const char *path, struct store *store, const struct env *env, bool restored, char *said,
	      size_t said_cap, char *err, size_t err_cap)
{
	char noted_hex[2 * MARK_ID_LEN + 1] = "", hex[2 * MARK_ID_LEN + 1];
	struct db_state db = { 0 };
	uint32_t noted_epoch = 0, now_s = (uint32_t)(env->utc_ms(env->ctx) / 1000);
	uint64_t noted_batch = 0;
	const char *why;
	bool noted;
	int rc;

	*said = 0;
	snprintf(m->path, sizeof(m->path), "%s", path);
	m->failing = false;
	m->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (m->fd < 0) {
		snprintf(err, err_cap,
			 "%s: %s; 'mark-file' must name a file outside the state directory that otagwd can write: it "
			 "tells a "
			 "restored backup from the real thing",
			 path, strerror(errno));
		return -1;
	}
	if (note_read(m, noted_hex, &noted_epoch, &noted_batch, &noted, err, err_cap))
		return -1;
	rc = db_read(m, store, &db);
	if (rc) {
		snprintf(err, err_cap, "the database cannot be read: %s", store_strerror(rc));
		return -1;
	}
	if (!db.named && env->random(env->ctx, m->id, sizeof(m->id))) {
		snprintf(err, err_cap, "no random octets");
		return -1;
	}
	id_hex(m->id, hex);
	if (noted && strcmp(noted_hex, hex) && !restored) {
		snprintf(err, err_cap,
			 "%s is the mark of another database (%s, not %s): is it the right state directory?  If it is, "
			 "start once "
			 "with --restored",
			 path, noted_hex, db.named ? hex : "this empty one");
		return -1;
	}
	why = why_new(&db, restored, noted, noted_epoch, noted_batch);
	m->epoch = db.epoch;
	if (why || !db.named) {
		m->epoch = mark_next_epoch(db.epoch > noted_epoch ? db.epoch : noted_epoch, now_s);
		rc = db_write(m, store);
		if (rc) {
			snprintf(err, err_cap, "the restore epoch cannot be written: %s", store_strerror(rc));
			return -1;
		}
	}
	if (why)
		snprintf(said, said_cap,
			 "this database is taken as restored (%s): epoch %u begins.  Counters skip what may have been "
			 "taken "
			 "since; each card is asked what it holds before it gets a command",
			 why, m->epoch);
	rc = mark_note(m, db.batch_no);
	if (!rc && fsync(m->fd))
		rc = errno;
	if (rc) {
		snprintf(err, err_cap, "%s cannot be written: %s", path, strerror(rc));
		return -1;
	}
	return 0;
}

int mark_note(struct mark *m, uint64_t batch_no)
{
	char hex[2 * MARK_ID_LEN + 1], line[MARK_LINE];
	int n, rc;

	id_hex(m->id, hex);
	n = snprintf(line, sizeof(line), MARK_FORMAT, hex, m->epoch, batch_no);
	if (pwrite(m->fd, line, (size_t)n, 0) == n) {
		m->failing = false;
		return 0;
	}
	rc = errno ? errno : EIO;
	if (m->failing)
		return 0;
	m->failing = true;
	return rc;
}

void mark_close(struct mark *m)
{
	if (m->fd < 0)
		return;
	(void)fsync(m->fd); /* as above: an older note is still a good one */
	close(m->fd);
	m->fd = -1;
}
