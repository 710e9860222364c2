/* ks_file.c - the key-encryption key from a file, or from a passphrase in a file through scrypt.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Either file is readable by its owner alone, or it is refused: a secret that others could have read is no secret.
 * The file is opened once and judged by its descriptor, so that what was checked is what is read.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ks_int.h"

/* Opens a file that only its owner may read.  `what` is "KEK file" or "passphrase file". */
static int secret_open(const char *path, const char *what, char *err, size_t err_cap)
{
	struct stat st;
	int fd;

	if (!path || !*path) {
		ks_say(err, err_cap, "keystore: no %s is named; name one in the configuration", what);
		return -1;
	}
	/* O_NONBLOCK: a fifo in its place is refused below and must not make us wait here */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		ks_say(err, err_cap, "keystore: cannot open %s %s: %s", what, path, strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		ks_say(err, err_cap, "keystore: %s %s is not a regular file", what, path);
	else if (st.st_mode & 0177)
		ks_say(err, err_cap,
		       "keystore: %s %s has mode %04o, which is more than its owner needs; run: chmod 600 %s", what,
		       path, (unsigned)(st.st_mode & 07777), path);
	else if (st.st_uid != geteuid())
		ks_say(err, err_cap, "keystore: %s %s belongs to uid %u and we run as uid %u; change its owner", what,
		       path, (unsigned)st.st_uid, (unsigned)geteuid());
	else
		return fd;
	close(fd);
	return -1;
}

/* Reads up to cap octets straight into locked memory; -1 with errno. */
static ssize_t read_up_to(int fd, uint8_t *buf, size_t cap)
{
	size_t got = 0;

	while (got < cap) {
		ssize_t n = read(fd, buf + got, cap - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static ssize_t secret_read(const char *path, const char *what, uint8_t *work, char *err, size_t err_cap)
{
	int fd = secret_open(path, what, err, err_cap);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read_up_to(fd, work, KS_SECRET_FILE_MAX);
	if (n < 0)
		ks_say(err, err_cap, "keystore: cannot read %s %s: %s", what, path, strerror(errno));
	close(fd);
	return n;
}

static int file_load(const struct ks_open_params *p, const struct ks_kdf *kdf, uint8_t *work, uint8_t kek[KS_KEK_LEN],
		     char *err, size_t err_cap)
{
	ssize_t n = secret_read(p->path, "KEK file", work, err, err_cap);
	uint8_t differ = 0;

	if (n < 0)
		return KS_E_KEK_FILE;
	if (n != KS_KEK_LEN) {
		ks_say(err, err_cap,
		       "keystore: KEK file %s has %zd%s octets, %d are needed: it holds the key itself, raw", p->path,
		       n, n == KS_SECRET_FILE_MAX ? " or more" : "", KS_KEK_LEN);
		return KS_E_KEK_FILE;
	}
	for (int i = 1; i < KS_KEK_LEN; i++)
		differ |= work[i] ^ work[0];
	if (!differ) {
		ks_say(err, err_cap, "keystore: KEK file %s holds one octet repeated; make a random one", p->path);
		return KS_E_KEK_FILE;
	}
	memcpy(kek, work, KS_KEK_LEN);
	return 0;
}

static int passphrase_load(const struct ks_open_params *p, const struct ks_kdf *kdf, uint8_t *work,
			   uint8_t kek[KS_KEK_LEN], char *err, size_t err_cap)
{
	ssize_t n = secret_read(p->passphrase_path, "passphrase file", work, err, err_cap);
	const uint8_t *nl;
	size_t len;

	if (n < 0)
		return KS_E_PASSPHRASE;
	nl = memchr(work, '\n', (size_t)n);
	len = nl ? (size_t)(nl - work) : (size_t)n;
	if (len && work[len - 1] == '\r')
		len--;
	if (!nl && n == KS_SECRET_FILE_MAX) {
		ks_say(err, err_cap, "keystore: first line of passphrase file %s has more than %d characters",
		       p->passphrase_path, KS_SECRET_FILE_MAX - 1);
		return KS_E_PASSPHRASE;
	}
	if (len < KS_PASSPHRASE_MIN) {
		ks_say(err, err_cap,
		       "keystore: first line of passphrase file %s has %zu characters, %d at least are needed",
		       p->passphrase_path, len, KS_PASSPHRASE_MIN);
		return KS_E_PASSPHRASE;
	}
	if (ksc_scrypt((const char *)work, len, kdf->salt, kdf->log_n, kdf->r, kdf->p, kek)) {
		ks_say(err, err_cap, "keystore: scrypt (N=2^%u, r=%u, p=%u) failed; is there %u MiB of memory?",
		       kdf->log_n, kdf->r, kdf->p, (128u * kdf->r << kdf->log_n) >> 20);
		return KS_E_CRYPTO;
	}
	return 0;
}

const struct ks_kek_ops ks_kek_file = { .name = "file", .kdf = KS_KDF_NONE, .load = file_load };
const struct ks_kek_ops ks_kek_passphrase = { .name = "passphrase", .kdf = KS_KDF_SCRYPT, .load = passphrase_load };

static int write_all(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The name of a new file is durable only once its directory is. */
static int sync_dir_of(const char *path)
{
	char dir[4096];
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;
	int fd, rc;

	if (n >= sizeof(dir)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(dir, path, n);
	dir[n] = '\0';
	fd = open(n ? dir : slash ? "/" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

int ks_kek_file_create(const char *path, char *err, size_t err_cap)
{
	uint8_t kek[KS_KEK_LEN];
	int fd, rc;

	if (!path || !*path) {
		ks_say(err, err_cap, "keystore: no KEK file is named; name one in the configuration");
		return KS_E_KEK_FILE;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		ks_say(err, err_cap, "keystore: cannot make KEK file %s: %s", path,
		       errno == EEXIST ? "it is there already and is not overwritten" : strerror(errno));
		return KS_E_KEK_FILE;
	}
	rc = ksc_random(NULL, kek, sizeof(kek));
	if (rc)
		ks_say(err, err_cap, "keystore: no randomness for KEK file %s", path);
	/* fchmod: whatever the umask took away is given back, so that it can be read at the next start */
	if (!rc && (write_all(fd, kek, sizeof(kek)) || fchmod(fd, 0600) || fsync(fd) || sync_dir_of(path))) {
		ks_say(err, err_cap, "keystore: cannot write KEK file %s: %s", path, strerror(errno));
		rc = KS_E_KEK_FILE;
	}
	ks_wipe(kek, sizeof(kek));
	close(fd);
	if (rc)
		unlink(path);
	return rc;
}
