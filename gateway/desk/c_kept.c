/* c_kept.c - files of changes at home: their form, written, read, and removed when they are old.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A record has four octets that tell where one begins, its length, its body and a checksum over it and the change's number.  Power that fails in
 * the midst of an append leaves a torn one, which nothing has come of; what is written next begins behind it, and is found.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "c_int.h"
#include "c_kept.h"
#include "engine.h"

#define HEAD_MAX  256
#define HEAD_TEXT "otagw-change 1 party %s change %s number %016" PRIx64 " what %u own-list %u created %" PRIu64 "\n"
#define HEAD_SCAN                                                    \
	"otagw-change 1 party %" STR(PKG_NAME_MAX) "s change %" STR( \
		ORDER_NAME_MAX) "s number %16" SCNx64 " what %2u own-list %1u created %" SCNu64
#define STR(n)	   STR_(n)
#define STR_(n)	   #n
#define SUFFIX	   ".keys"
#define CHECK_LEN  8
#define FRAME_HEAD 6
#define EPOCH_FILE "epoch"
#define SWEEP_MS   86400000ll

static const uint8_t magic[4] = { 0xc5, 'K', 'P', 'T' };

static void path_of(const struct desk *d, const char *file, const char *more, char path[512])
{
	snprintf(path, 512, "%.255s/changes/%.64s%s", d->cfg.dir, file, more);
}

static void check_of(uint64_t number, const uint8_t *body, size_t len, uint8_t check[CHECK_LEN])
{
	uint8_t in[8 + KEPT_BODY_MAX], hash[KS_HASH_LEN] = { 0 };

	for (int i = 0; i < 8; i++)
		in[i] = (uint8_t)(number >> (56 - 8 * i));
	memcpy(in + 8, body, len);
	ks_sha256(in, 8 + len, hash);
	memcpy(check, hash, CHECK_LEN);
}

/* ---- writing ---- */

void kept_begin(struct desk *d)
{
	d->kept.len = 0;
	d->kept.keys = false;
}

static uint8_t *room(struct desk_kept *k, size_t more)
{
	if (k->cap - k->len < more) {
		size_t cap = k->cap ? 2 * k->cap : KEPT_BUF;
		uint8_t *buf = realloc(k->buf, cap);

		if (!buf)
			abort(); /* as the store's own arena */
		k->buf = buf;
		k->cap = cap;
	}
	return k->buf + k->len;
}

void kept_note(struct desk_job *j, unsigned i, enum kept_kind kind, const void *body, size_t len)
{
	const struct line *l = &j->line[i];
	struct kept k = { .kind = (uint8_t)kind, .at_ms = desk_now(j->d), .index = l->from, .kvn = l->kvn };
	struct desk_kept *to = &j->d->kept;
	uint8_t *p = room(to, KEPT_FRAME_MAX);
	int n;

	memcpy(k.iccid, l->iccid, sizeof(k.iccid));
	memcpy(k.imsi, l->imsi, sizeof(k.imsi));
	memcpy(k.msisdn, l->msisdn, sizeof(k.msisdn));
	memcpy(k.old_imsi, l->old_imsi, sizeof(k.old_imsi));
	memcpy(k.old_msisdn, l->old_msisdn, sizeof(k.old_msisdn));
	if (kind == KEPT_END) {
		k.end = l->end;
		k.flags = l->flags;
		memcpy(k.why, l->why, sizeof(k.why));
	} else {
		k.body_len = len <= sizeof(k.body) ? (uint16_t)len : 0;
		memcpy(k.body, body, k.body_len);
		to->keys = true;
	}
	n = kept_pack(&k, p + FRAME_HEAD);
	if (n < 0)
		return; /* longer than its parts can be */
	memcpy(p, magic, sizeof(magic));
	p[4] = (uint8_t)(n >> 8);
	p[5] = (uint8_t)n;
	check_of(l->order, p + FRAME_HEAD, (size_t)n, p + FRAME_HEAD + n);
	to->len += FRAME_HEAD + (size_t)n + CHECK_LEN;
}

/* That the file has its name outlasts the power, too. */
static int folder_sync(const struct desk *d)
{
	char path[512];
	int fd, rc = 0;

	path_of(d, "", "", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd))
		rc = -errno;
	close(fd);
	return rc;
}

static int write_all(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Whole, or not at all. */
static int file_make(struct desk *d, const char *file, const char *text)
{
	char path[512], part[512];
	int fd, rc;

	path_of(d, file, "", path);
	path_of(d, file, ".part", part);
	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, (const uint8_t *)text, strlen(text));
	if (!rc && fsync(fd))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	if (!rc && rename(part, path))
		rc = -errno;
	return rc ? rc : folder_sync(d);
}

static int head_read(int fd, char text[HEAD_MAX + 1])
{
	ssize_t n = pread(fd, text, HEAD_MAX, 0);
	char *end;

	text[n > 0 ? n : 0] = '\0';
	end = strchr(text, '\n');
	if (!end)
		return n < 0 ? -errno : -EBADMSG;
	end[1] = '\0';
	return (int)(end + 1 - text);
}

/* The file of this change, for appending; made when there is none. */
static int file_of(struct desk_job *j, const char *file, bool make)
{
	const struct order *o = &j->order->o;
	char path[512], want[HEAD_MAX + 1], have[HEAD_MAX + 1];
	int fd, rc;

	snprintf(want, sizeof(want), HEAD_TEXT, j->d->self, o->name, o->number, o->policy, o->own_list,
		 (uint64_t)o->created_ms);
	path_of(j->d, file, "", path);
	fd = open(path, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && make) {
		rc = file_make(j->d, file, want);
		if (rc)
			return rc;
		fd = open(path, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0)
		return -errno;
	rc = head_read(fd, have);
	*strstr(want, " created ") = '\0'; /* an order of these books may have been begun anew */
	if (rc < 0 || strncmp(want, have, strlen(want))) {
		close(fd);
		return rc < 0 ? rc : -EBADMSG;
	}
	return fd;
}

int kept_write(struct desk_job *j)
{
	struct desk_kept *k = &j->d->kept;
	const struct timespec now = { .tv_sec = desk_now(j->d) / 1000 }, both[2] = { now, now };
	char file[KEPT_FILE_MAX];
	int fd, rc;

	if (!k->len)
		return 0;
	snprintf(file, sizeof(file), "%.*s" SUFFIX, ORDER_NAME_MAX, j->order->o.name);
	fd = file_of(j, file, k->keys);
	if (fd == -ENOENT && !k->keys) /* nothing was made of any card: nothing to end */
		return 0;
	rc = fd < 0 ? fd : write_all(fd, k->buf, k->len);
	if (!rc && (futimens(fd, both) || fsync(fd))) /* its age is by our clock */
		rc = -errno;
	if (fd >= 0 && close(fd) && !rc)
		rc = -errno;
	if (!rc && k->sweep_ms == INT64_MAX)
		kept_sweep_at(j->d, desk_now(j->d) + SWEEP_MS);
	if (rc)
		snprintf(j->why, sizeof(j->why),
			 "%.100s/changes/%.45s: %.50s: the change waits, since it must be noted there", j->d->cfg.dir,
			 file, rc == -EBADMSG ? "is no file of this change" : strerror(-rc));
	return rc;
}

/* ---- reading ---- */

int kept_open(struct desk *d, const char *file, struct kept_file *f, char err[DESK_ERR_MAX])
{
	char path[512], head[HEAD_MAX + 1] = "", party[PKG_NAME_MAX + 1] = "";
	int n;

	*f = (struct kept_file){ .fd = -1 };
	snprintf(f->file, sizeof(f->file), "%s", file);
	path_of(d, file, "", path);
	f->fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	n = f->fd < 0 ? -errno : head_read(f->fd, head);
	if (n < 0 && n != -EBADMSG)
		snprintf(err, DESK_ERR_MAX, "%.250s: %s", path, strerror(-n));
	else if (n < 0 ||
		 sscanf(head, HEAD_SCAN, party, f->name, &f->number, &f->what, &f->own_list, &f->created_ms) != 6)
		snprintf(err, DESK_ERR_MAX,
			 "%.200s: is no file of a change, or is damaged: put a good copy in its place, or take it away",
			 path);
	else if (strcmp(party, d->self))
		snprintf(err, DESK_ERR_MAX, "%.200s: is of %s, and we are %s: take it away", path, party, d->self);
	else if (f->number != desk_number(d->self, f->name) || !f->what ||
		 f->what & ~(unsigned)(CHANGE_OTA | CHANGE_K | CHANGE_OPC))
		snprintf(err, DESK_ERR_MAX, "%.200s: its first line is damaged: put a good copy in its place", path);
	else
		f->buf = malloc(KEPT_BUF);
	if (f->buf) {
		f->base = (uint64_t)n;
		return 0;
	}
	kept_close(f);
	return -1;
}

void kept_close(struct kept_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->buf);
	f->fd = -1;
	f->buf = NULL;
}

static int fill(struct kept_file *f)
{
	ssize_t n;

	if (f->eof || f->fill - f->at >= KEPT_FRAME_MAX)
		return 0;
	memmove(f->buf, f->buf + f->at, f->fill - f->at);
	f->base += f->at;
	f->fill -= f->at;
	f->at = 0;
	n = pread(f->fd, f->buf + f->fill, KEPT_BUF - f->fill, (off_t)(f->base + f->fill));
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	f->fill += (size_t)n;
	f->eof = n == 0;
	return 0;
}

/* The length of the record that begins here; 0: none does, or it is not whole. */
static size_t whole(uint64_t number, const uint8_t *p, size_t left, struct kept *k)
{
	uint8_t check[CHECK_LEN];
	size_t len;

	if (left < FRAME_HEAD || memcmp(p, magic, sizeof(magic)))
		return 0;
	len = (size_t)p[4] << 8 | p[5];
	if (len > KEPT_BODY_MAX || left < FRAME_HEAD + len + CHECK_LEN)
		return 0;
	check_of(number, p + FRAME_HEAD, len, check);
	if (memcmp(check, p + FRAME_HEAD + len, CHECK_LEN) || kept_unpack(k, p + FRAME_HEAD, len))
		return 0;
	return FRAME_HEAD + len + CHECK_LEN;
}

int kept_read(struct kept_file *f, struct kept *k, uint64_t *offset)
{
	for (;;) {
		int rc = fill(f);
		size_t len;

		if (rc)
			return rc;
		if (!f->eof && f->fill - f->at < KEPT_FRAME_MAX)
			continue;
		if (f->at == f->fill)
			return 0;
		len = whole(f->number, f->buf + f->at, f->fill - f->at, k);
		*offset = f->base + f->at;
		f->at += len ? len : 1;
		f->damaged += !len && !f->skipping;
		f->skipping = !len;
		if (len)
			return 1;
	}
}

int kept_read_at(const struct kept_file *f, uint64_t offset, struct kept *k)
{
	uint8_t frame[KEPT_FRAME_MAX];
	ssize_t n = pread(f->fd, frame, sizeof(frame), (off_t)offset);

	if (n < 0)
		return -errno;
	return whole(f->number, frame, (size_t)n, k) ? 0 : -EBADMSG;
}

/* ---- the folder ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

int kept_list(const struct desk *d, char (**list)[KEPT_FILE_MAX])
{
	char path[512];
	struct dirent *en;
	int n = 0, cap = 0;
	DIR *dir;

	*list = NULL;
	path_of(d, "", "", path);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((en = readdir(dir))) {
		size_t len = strlen(en->d_name);

		if (len <= strlen(SUFFIX) || len >= KEPT_FILE_MAX || strcmp(en->d_name + len - strlen(SUFFIX), SUFFIX))
			continue;
		if (n == cap) {
			void *more = realloc(*list, (size_t)(cap = cap ? 2 * cap : 16) * sizeof(**list));

			if (!more)
				abort();
			*list = more;
		}
		memcpy((*list)[n++], en->d_name, len + 1);
	}
	closedir(dir);
	if (n)
		qsort(*list, (size_t)n, sizeof(**list), by_name);
	return n;
}

uint32_t kept_epoch(const struct desk *d)
{
	char path[512], text[16] = "";
	int fd;

	path_of(d, EPOCH_FILE, "", path);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return (uint32_t)strtoul(text, NULL, 10);
}

int kept_epoch_put(struct desk *d, uint32_t epoch)
{
	char text[16];

	snprintf(text, sizeof(text), "%" PRIu32 "\n", epoch);
	return file_make(d, EPOCH_FILE, text);
}

/* ---- old ones ---- */

void kept_sweep_at(struct desk *d, int64_t at_ms)
{
	d->kept.sweep_ms = at_ms;
}

int64_t kept_due(const struct desk *d)
{
	return d->kept.sweep_ms;
}

static bool is_open(const struct desk *d, const char *file)
{
	const size_t len = strlen(file) - strlen(SUFFIX);

	for (unsigned i = 0; i < d->e->orders; i++) {
		const struct order *o = &d->e->order[i]->o;

		if (o->side == SIDE_HOME && strlen(o->name) == len && !memcmp(o->name, file, len))
			return true;
	}
	return false;
}

bool kept_next(struct desk *d)
{
	char(*list)[KEPT_FILE_MAX], path[512];
	struct stat st;
	int n;

	if (d->now_ms < d->kept.sweep_ms)
		return false;
	n = kept_list(d, &list);
	for (int i = 0; i < n; i++) {
		path_of(d, list[i], "", path);
		if (is_open(d, list[i]) || stat(path, &st) ||
		    d->now_ms / 1000 - st.st_mtim.tv_sec < d->cfg.keep_changes_s)
			continue;
		desk_log(d, 5, "%s: its change has ended long ago: removed", path);
		if (unlink(path))
			desk_log(d, 4, "%s: %s", path, strerror(errno));
	}
	free(list);
	d->kept.sweep_ms = n ? d->now_ms + SWEEP_MS : INT64_MAX;
	return false;
}
