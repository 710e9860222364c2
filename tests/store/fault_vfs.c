/* fault_vfs.c - a disk that does what it is told.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Every file is the system's own behind a small struct; what the disk holds for certain is an image in memory.  Names come
 * and go at once and for certain: what a directory loses is not played here.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault_vfs.h"

#define SECTOR	  512
#define FILES_MAX 16
#define PATH_LEN  256

struct write {
	sqlite3_int64 at;
	size_t len; /* 0: a truncation to `at` */
	uint8_t *bytes;
};
/* What a disk knows of a file. */
struct image {
	char path[PATH_LEN];
	uint8_t *bytes;
	size_t len;
	struct write *pending; /* written and not yet certain */
	size_t n, cap;
};
struct fv_file {
	sqlite3_file base;
	sqlite3_file *real;
	char path[PATH_LEN];
	bool known; /* has a name: temporary files have none */
};

static struct {
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
	pthread_mutex_t mutex;
	struct fv_fault fault;
	bool armed;
	unsigned calls, faults, cut_at;
	bool watching, off;
	struct image image[FILES_MAX];
	void (*hook)(void *ctx, const char *path);
	void *hook_ctx;
} fv = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static _Thread_local int last_errno;

static void die(const char *what)
{
	fprintf(stderr, "fault_vfs: %s\n", what);
	abort();
}

static bool ends_with(const char *path, const char *suffix)
{
	size_t n = strlen(path), m = suffix ? strlen(suffix) : 0;

	return m <= n && !strcmp(path + n - m, suffix ? suffix : "");
}

/* ---- faults ---- */

/* With the mutex held.  SQLITE_OK: carry it out. */
static int call_locked(enum fv_op op, const char *path)
{
	if (fv.off) {
		last_errno = EIO;
		return SQLITE_IOERR;
	}
	if (fv.cut_at && (op & (FV_WRITE | FV_SYNC | FV_TRUNCATE)) && !--fv.cut_at) {
		fv.off = true;
		last_errno = EIO;
		return SQLITE_IOERR;
	}
	if (!fv.armed || !(fv.fault.ops & op) || !ends_with(path, fv.fault.suffix))
		return SQLITE_OK;
	fv.calls++;
	if (fv.calls < fv.fault.nth || (fv.calls > fv.fault.nth && !fv.fault.lasting))
		return SQLITE_OK;
	fv.faults++;
	errno = last_errno = fv.fault.sys_errno;
	return fv.fault.error;
}

static int call(enum fv_op op, const char *path)
{
	int rc;

	pthread_mutex_lock(&fv.mutex);
	rc = call_locked(op, path);
	pthread_mutex_unlock(&fv.mutex);
	return rc;
}

void fv_arm(const struct fv_fault *f)
{
	pthread_mutex_lock(&fv.mutex);
	fv.fault = *f;
	fv.armed = true;
	fv.calls = fv.faults = 0;
	pthread_mutex_unlock(&fv.mutex);
}

void fv_disarm(void)
{
	pthread_mutex_lock(&fv.mutex);
	fv.armed = false;
	pthread_mutex_unlock(&fv.mutex);
}

unsigned fv_faults(void)
{
	unsigned n;

	pthread_mutex_lock(&fv.mutex);
	n = fv.faults;
	pthread_mutex_unlock(&fv.mutex);
	return n;
}

void fv_on_sync(void (*hook)(void *ctx, const char *path), void *ctx)
{
	pthread_mutex_lock(&fv.mutex);
	fv.hook = hook;
	fv.hook_ctx = ctx;
	pthread_mutex_unlock(&fv.mutex);
}

/* ---- images ---- */

static void image_resize(struct image *m, size_t len)
{
	uint8_t *p = realloc(m->bytes, len + 1);

	if (!p)
		die("out of memory");
	if (len > m->len)
		memset(p + m->len, 0, len - m->len);
	m->bytes = p;
	m->len = len;
}

static void image_write(struct image *m, sqlite3_int64 at, const uint8_t *bytes, size_t len)
{
	if ((size_t)at + len > m->len)
		image_resize(m, (size_t)at + len);
	memcpy(m->bytes + at, bytes, len);
}

static void image_forget(struct image *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->pending[i].bytes);
	m->n = 0;
}

static void image_free(struct image *m)
{
	image_forget(m);
	free(m->pending);
	free(m->bytes);
	*m = (struct image){ 0 };
}

static struct image *image_of(const char *path)
{
	for (int i = 0; i < FILES_MAX; i++)
		if (!strcmp(fv.image[i].path, path))
			return &fv.image[i];
	return NULL;
}

/* The file as it is now is what the disk holds. */
static void image_take(const char *path)
{
	struct image *m = image_of(path);
	struct stat sb;
	int fd;

	if (m)
		return;
	m = image_of("");
	if (!m)
		die("FILES_MAX is too low");
	snprintf(m->path, sizeof(m->path), "%s", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &sb))
		die("fstat");
	image_resize(m, (size_t)sb.st_size);
	if (read(fd, m->bytes, m->len) != (ssize_t)m->len)
		die("read");
	close(fd);
}

static void image_pend(const char *path, sqlite3_int64 at, const void *bytes, size_t len)
{
	struct image *m = image_of(path);
	struct write *w;

	if (!fv.watching || !m)
		return;
	if (m->n == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 64;
		m->pending = realloc(m->pending, m->cap * sizeof(*m->pending));
		if (!m->pending)
			die("out of memory");
	}
	w = &m->pending[m->n++];
	*w = (struct write){ .at = at, .len = len, .bytes = len ? malloc(len) : NULL };
	if (len)
		memcpy(w->bytes, bytes, len);
}

static void image_apply(struct image *m, const struct write *w)
{
	if (w->len)
		image_write(m, w->at, w->bytes, w->len);
	else
		image_resize(m, (size_t)w->at);
}

static void image_sync(const char *path, bool failed)
{
	struct image *m = image_of(path);

	if (!fv.watching || !m)
		return;
	for (size_t i = 0; i < m->n && !failed; i++)
		image_apply(m, &m->pending[i]);
	image_forget(m);
}

/* ---- power ---- */

void fv_power_watch(void)
{
	pthread_mutex_lock(&fv.mutex);
	fv.watching = true;
	fv.off = false;
	fv.cut_at = 0;
	pthread_mutex_unlock(&fv.mutex);
}

void fv_power_cut(void)
{
	pthread_mutex_lock(&fv.mutex);
	fv.off = true;
	pthread_mutex_unlock(&fv.mutex);
}

bool fv_power_is_off(void)
{
	bool off;

	pthread_mutex_lock(&fv.mutex);
	off = fv.off;
	pthread_mutex_unlock(&fv.mutex);
	return off;
}

void fv_power_cut_at(unsigned nth)
{
	pthread_mutex_lock(&fv.mutex);
	fv.cut_at = nth;
	pthread_mutex_unlock(&fv.mutex);
}

static uint64_t draw(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15ULL; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* How much of what was under way has reached the platter?  A run that keeps nothing, all, or some of it, in sectors. */
static void image_settle(struct image *m, uint64_t *dice)
{
	unsigned mood = (unsigned)(draw(dice) % 4);

	for (size_t i = 0; i < m->n; i++) {
		const struct write *w = &m->pending[i];

		if (mood == 0 || (mood > 1 && draw(dice) % 2))
			continue;
		if (mood != 3 || !w->len) {
			image_apply(m, w);
			continue;
		}
		for (size_t at = 0; at < w->len;) {
			size_t step = SECTOR - (size_t)(w->at + (sqlite3_int64)at) % SECTOR;

			if (step > w->len - at)
				step = w->len - at;
			if (draw(dice) % 2)
				image_write(m, w->at + (sqlite3_int64)at, w->bytes + at, step);
			at += step;
		}
	}
}

static void image_put(const struct image *m)
{
	int fd = open(m->path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0)
		return; /* it has been deleted */
	if (m->len && write(fd, m->bytes, m->len) != (ssize_t)m->len)
		die("write");
	close(fd);
}

void fv_power_back(uint64_t seed)
{
	char path[PATH_LEN];

	pthread_mutex_lock(&fv.mutex);
	for (int i = 0; i < FILES_MAX; i++) {
		struct image *m = &fv.image[i];

		if (!*m->path)
			continue;
		image_settle(m, &seed);
		image_put(m);
		if (ends_with(m->path, ".db") && snprintf(path, sizeof(path), "%s-shm", m->path) < (int)sizeof(path))
			unlink(path); /* was memory */
		image_free(m);
	}
	fv.watching = fv.off = false;
	fv.cut_at = 0;
	pthread_mutex_unlock(&fv.mutex);
}

/* ---- files ---- */

static int f_close(sqlite3_file *f)
{
	struct fv_file *v = (struct fv_file *)f;
	int rc = v->real->pMethods ? v->real->pMethods->xClose(v->real) : SQLITE_OK;

	free(v->real);
	v->real = NULL;
	return rc;
}

static int f_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	struct fv_file *v = (struct fv_file *)f;
	int rc = call(FV_READ, v->path);

	return rc ? rc : v->real->pMethods->xRead(v->real, p, n, at);
}

static int f_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	struct fv_file *v = (struct fv_file *)f;
	int rc, done = n;

	pthread_mutex_lock(&fv.mutex);
	rc = call_locked(FV_WRITE, v->path);
	if (rc)
		done = fv.fault.half && !fv.off ? n / 2 : 0;
	if (done && v->known)
		image_pend(v->path, at, p, (size_t)done);
	pthread_mutex_unlock(&fv.mutex);
	if (rc) {
		if (done)
			v->real->pMethods->xWrite(v->real, p, done, at);
		return rc;
	}
	return v->real->pMethods->xWrite(v->real, p, n, at);
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 len)
{
	struct fv_file *v = (struct fv_file *)f;
	int rc;

	pthread_mutex_lock(&fv.mutex);
	rc = call_locked(FV_TRUNCATE, v->path);
	if (!rc && v->known)
		image_pend(v->path, len, NULL, 0);
	pthread_mutex_unlock(&fv.mutex);
	return rc ? rc : v->real->pMethods->xTruncate(v->real, len);
}

static int f_sync(sqlite3_file *f, int flags)
{
	struct fv_file *v = (struct fv_file *)f;
	void (*hook)(void *ctx, const char *path);
	void *ctx;
	int rc;

	pthread_mutex_lock(&fv.mutex);
	hook = fv.hook;
	ctx = fv.hook_ctx;
	pthread_mutex_unlock(&fv.mutex);
	if (hook)
		hook(ctx, v->path);
	pthread_mutex_lock(&fv.mutex);
	rc = call_locked(FV_SYNC, v->path);
	if (v->known && !fv.off)
		image_sync(v->path, rc != SQLITE_OK);
	pthread_mutex_unlock(&fv.mutex);
	return rc; /* what is certain stands in the images: the machine's own disk need not be asked */
}

static int f_size(sqlite3_file *f, sqlite3_int64 *size)
{
	struct fv_file *v = (struct fv_file *)f;
	int rc = call(FV_SIZE, v->path);

	return rc ? rc : v->real->pMethods->xFileSize(v->real, size);
}

static int f_lock(sqlite3_file *f, int how)
{
	struct fv_file *v = (struct fv_file *)f;
	int rc = call(FV_LOCK, v->path);

	return rc ? rc : v->real->pMethods->xLock(v->real, how);
}

static int f_unlock(sqlite3_file *f, int how)
{
	struct fv_file *v = (struct fv_file *)f;

	return v->real->pMethods->xUnlock(v->real, how);
}

static int f_reserved(sqlite3_file *f, int *out)
{
	struct fv_file *v = (struct fv_file *)f;

	return v->real->pMethods->xCheckReservedLock(v->real, out);
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
	struct fv_file *v = (struct fv_file *)f;

	return v->real->pMethods->xFileControl(v->real, op, arg);
}

static int f_sector(sqlite3_file *f)
{
	struct fv_file *v = (struct fv_file *)f;

	return v->real->pMethods->xSectorSize(v->real);
}

static int f_traits(sqlite3_file *f)
{
	struct fv_file *v = (struct fv_file *)f;

	return v->real->pMethods->xDeviceCharacteristics(v->real);
}

static int f_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	struct fv_file *v = (struct fv_file *)f;
	int rc = call(FV_SHM_MAP, v->path);

	*out = NULL;
	return rc ? rc : v->real->pMethods->xShmMap(v->real, page, size, extend, out);
}

static int f_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	struct fv_file *v = (struct fv_file *)f;
	int rc = flags & SQLITE_SHM_UNLOCK ? SQLITE_OK : call(FV_SHM_LOCK, v->path);

	return rc ? rc : v->real->pMethods->xShmLock(v->real, at, n, flags);
}

static void f_shm_barrier(sqlite3_file *f)
{
	struct fv_file *v = (struct fv_file *)f;

	v->real->pMethods->xShmBarrier(v->real);
}

static int f_shm_unmap(sqlite3_file *f, int and_delete)
{
	struct fv_file *v = (struct fv_file *)f;

	return v->real->pMethods->xShmUnmap(v->real, and_delete);
}

static const sqlite3_io_methods file_methods = {
	.iVersion = 2,
	.xClose = f_close,
	.xRead = f_read,
	.xWrite = f_write,
	.xTruncate = f_truncate,
	.xSync = f_sync,
	.xFileSize = f_size,
	.xLock = f_lock,
	.xUnlock = f_unlock,
	.xCheckReservedLock = f_reserved,
	.xFileControl = f_control,
	.xSectorSize = f_sector,
	.xDeviceCharacteristics = f_traits,
	.xShmMap = f_shm_map,
	.xShmLock = f_shm_lock,
	.xShmBarrier = f_shm_barrier,
	.xShmUnmap = f_shm_unmap,
};

/* ---- the file system ---- */

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	struct fv_file *v = (struct fv_file *)f;
	int rc = call(FV_OPEN, name ? name : "");

	v->base.pMethods = NULL;
	if (rc)
		return rc;
	v->real = calloc(1, (size_t)fv.real->szOsFile);
	if (!v->real)
		return SQLITE_NOMEM;
	pthread_mutex_lock(&fv.mutex);
	v->known = name && strlen(name) < PATH_LEN;
	snprintf(v->path, sizeof(v->path), "%s", v->known ? name : "");
	if (fv.watching && v->known)
		image_take(v->path);
	pthread_mutex_unlock(&fv.mutex);
	rc = fv.real->xOpen(fv.real, name, v->real, flags, out);
	if (rc) {
		last_errno = fv.real->xGetLastError(fv.real, 0, NULL);
		free(v->real);
		return rc;
	}
	v->base.pMethods = &file_methods;
	return SQLITE_OK;
}

static int v_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	struct image *m;
	int rc;

	pthread_mutex_lock(&fv.mutex);
	rc = call_locked(FV_DELETE, name);
	m = rc ? NULL : image_of(name);
	if (m)
		image_free(m);
	pthread_mutex_unlock(&fv.mutex);
	return rc ? rc : fv.real->xDelete(fv.real, name, sync);
}

static int v_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	int rc = call(FV_ACCESS, name);

	*out = 0;
	return rc ? rc : fv.real->xAccess(fv.real, name, flags, out);
}

/* Nobody waits: whoever holds a lock in these tests holds it until it is told to let go. */
static int v_sleep(sqlite3_vfs *vfs, int us)
{
	return us;
}

static int v_last_error(sqlite3_vfs *vfs, int n, char *text)
{
	return last_errno ? last_errno : fv.real->xGetLastError(fv.real, n, text);
}

void fv_install(void)
{
	fv.real = sqlite3_vfs_find(NULL);
	if (!fv.real || fv.real == &fv.vfs)
		die("no VFS to stand on");
	fv.vfs = *fv.real; /* names, randomness, time: the system's */
	fv.vfs.pNext = NULL;
	fv.vfs.zName = "fault";
	fv.vfs.szOsFile = sizeof(struct fv_file);
	fv.vfs.xOpen = v_open;
	fv.vfs.xDelete = v_delete;
	fv.vfs.xAccess = v_access;
	fv.vfs.xSleep = v_sleep;
	fv.vfs.xGetLastError = v_last_error;
	if (sqlite3_vfs_register(&fv.vfs, 1) != SQLITE_OK)
		die("cannot register");
}

void fv_remove(void)
{
	fv_disarm();
	fv_on_sync(NULL, NULL);
	for (int i = 0; i < FILES_MAX; i++)
		image_free(&fv.image[i]);
	fv.watching = fv.off = false;
	fv.cut_at = 0;
	sqlite3_vfs_unregister(&fv.vfs);
	sqlite3_vfs_register(fv.real, 1);
}
