/* keyscan.c - looks for keys where they must not be: in files, folders and the memory of a process.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Each key is looked for as octets, with the nibbles of each octet swapped, in hexadecimal (both, in small and capital letters) and in
 * base64 at each of the three places where it may begin.  What is found is told by its name and place, never by its value.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYS_MAX     1000000
#define KEY_MIN	     8 /* octets: fewer would be found by chance */
#define KEY_MAX	     32
#define FORMS	     9
#define FORM_MAX     (2 * KEY_MAX)
#define NAME_MAX_LEN 64
#define PATH_CAP     4096
#define LINE_CAP     1024
#define COLUMNS_MAX  16
#define CHUNK	     (4u << 20) /* octets read at a time */
#define DEPTH_MAX    16		/* folders in folders */
#define TOLD_MAX     20		/* findings that are printed */
#define FILTER_BITS  24

static const char *const form_names[FORMS] = {
	"octets", "nibbles swapped", "hex",	 "HEX", "hex, nibbles swapped", "HEX, nibbles swapped",
	"base64", "base64 +1",	     "base64 +2"
};

struct form { /* one key in one form */
	uint32_t key, next;
	uint8_t form, len;
	uint8_t octets[FORM_MAX];
};
struct scan {
	char (*name)[NAME_MAX_LEN];
	struct form *form;
	uint32_t keys, forms, cap;
	uint32_t *bucket, mask;
	uint8_t *filter; /* a bit per hash of four octets */
	uint64_t looked, found;
	uint8_t *buf;
};

static _Noreturn void die(const char *what, const char *where)
{
	fprintf(stderr, "keyscan: %s: %s\n", where, what);
	exit(2);
}

/* ---- forms ---- */

static size_t hex(uint8_t *out, const uint8_t *p, size_t n, const char *digits)
{
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = (uint8_t)digits[p[i] >> 4];
		out[2 * i + 1] = (uint8_t)digits[p[i] & 15];
	}
	return 2 * n;
}

/* The characters that are the same whatever stands before and behind, when `before` octets stand before. */
static size_t base64(uint8_t *out, const uint8_t *p, size_t n, unsigned before)
{
	static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t first = (before * 8 + 5) / 6, last = (before + n) * 8 / 6, len = 0;

	for (size_t c = first; c < last; c++) {
		unsigned v = 0;

		for (unsigned bit = 0; bit < 6; bit++) {
			size_t at = c * 6 + bit - before * 8;

			v = v << 1 | (p[at / 8] >> (7 - at % 8) & 1u);
		}
		out[len++] = (uint8_t)all[v];
	}
	return len;
}

static size_t form_make(uint8_t *out, const uint8_t *key, size_t n, unsigned form)
{
	uint8_t swapped[KEY_MAX];

	for (size_t i = 0; i < n; i++)
		swapped[i] = (uint8_t)(key[i] << 4 | key[i] >> 4);
	switch (form) {
	case 0:
		memcpy(out, key, n);
		return n;
	case 1:
		memcpy(out, swapped, n);
		return n;
	case 2:
	case 3:
		return hex(out, key, n, form == 2 ? "0123456789abcdef" : "0123456789ABCDEF");
	case 4:
	case 5:
		return hex(out, swapped, n, form == 4 ? "0123456789abcdef" : "0123456789ABCDEF");
	default:
		return base64(out, key, n, form - 6);
	}
}

static uint32_t hash4(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	v *= 0x9e3779b1u;
	return v ^ v >> 15;
}

static void key_add(struct scan *s, const char *name, const uint8_t *key, size_t n)
{
	if (s->keys == KEYS_MAX)
		die("more keys than this program takes", name);
	if (s->forms + FORMS > s->cap) {
		s->cap = s->cap ? 2 * s->cap : 1024 * FORMS;
		s->form = realloc(s->form, s->cap * sizeof(*s->form));
		s->name = realloc(s->name, (s->cap / FORMS + 1) * sizeof(*s->name));
		if (!s->form || !s->name)
			die("no memory", name);
	}
	snprintf(s->name[s->keys], NAME_MAX_LEN, "%s", name);
	for (unsigned i = 0; i < FORMS; i++) {
		struct form *f = &s->form[s->forms++];

		*f = (struct form){ .key = s->keys, .form = (uint8_t)i };
		f->len = (uint8_t)form_make(f->octets, key, n, i);
	}
	s->keys++;
}

static void scan_ready(struct scan *s)
{
	for (s->mask = 1024; s->mask < s->forms; s->mask *= 2)
		;
	s->bucket = malloc(s->mask * sizeof(*s->bucket));
	s->filter = calloc(1, 1u << (FILTER_BITS - 3));
	s->buf = malloc(CHUNK + FORM_MAX);
	if (!s->bucket || !s->filter || !s->buf)
		die("no memory", "tables");
	memset(s->bucket, 0xff, s->mask * sizeof(*s->bucket));
	s->mask--;
	for (uint32_t i = 0; i < s->forms; i++) {
		uint32_t h = hash4(s->form[i].octets);

		s->form[i].next = s->bucket[h & s->mask];
		s->bucket[h & s->mask] = i;
		s->filter[(h & ((1u << FILTER_BITS) - 1)) >> 3] |= (uint8_t)(1 << (h & 7));
	}
}

/* ---- the list: columns by name, key columns in hexadecimal ---- */

static unsigned split(char *line, char *field[COLUMNS_MAX])
{
	unsigned n = 0;

	line[strcspn(line, "\r\n")] = '\0';
	for (char *p = line; p && n < COLUMNS_MAX; n++) {
		field[n] = p;
		p = strchr(p, ',');
		if (p)
			*p++ = '\0';
	}
	return n;
}

static size_t unhex(uint8_t out[KEY_MAX], const char *text)
{
	size_t n = strlen(text);

	if (n % 2 || n / 2 > KEY_MAX || strspn(text, "0123456789abcdefABCDEF") != n)
		return 0;
	for (size_t i = 0; i < n / 2; i++)
		if (sscanf(text + 2 * i, "%2hhx", &out[i]) != 1)
			return 0;
	return n / 2;
}

static bool is_key_column(const char *name)
{
	static const char *const keys[] = { "K", "OPC", "KIC", "KID", "KIK", "KIC1", "KID1", "KIK1" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(name, keys[i]))
			return true;
	return false;
}

/* Rows whose column INDEX is not in first..last are left out. */
static void keys_read(struct scan *s, const char *path, unsigned long first, unsigned long last)
{
	char head[LINE_CAP], line[LINE_CAP], name[NAME_MAX_LEN], *column[COLUMNS_MAX], *field[COLUMNS_MAX];
	unsigned columns, n, index = COLUMNS_MAX;
	FILE *in = fopen(path, "r");

	if (!in || !fgets(head, sizeof(head), in))
		die("cannot be read", path);
	columns = split(head, column);
	for (unsigned i = 0; i < columns; i++)
		if (!strcmp(column[i], "INDEX"))
			index = i;
	while (fgets(line, sizeof(line), in)) {
		n = split(line, field);
		if (index < n && (strtoul(field[index], NULL, 10) < first || strtoul(field[index], NULL, 10) > last))
			continue;
		for (unsigned i = 0; i < n && i < columns; i++) {
			uint8_t key[KEY_MAX];
			size_t len = is_key_column(column[i]) ? unhex(key, field[i]) : 0;

			if (len < KEY_MIN)
				continue;
			snprintf(name, sizeof(name), "%.20s index %.5s %.8s", field[0], index < n ? field[index] : "-",
				 column[i]);
			key_add(s, name, key, len);
		}
	}
	fclose(in);
}

/* ---- looking ---- */

static void found(struct scan *s, const struct form *f, const char *where, uint64_t at)
{
	if (s->found++ < TOLD_MAX)
		printf("FOUND %s as %s in %s at %" PRIu64 "\n", s->name[f->key], form_names[f->form], where, at);
}

static void look(struct scan *s, const uint8_t *p, size_t n, size_t whole, const char *where, uint64_t base)
{
	for (size_t i = 0; i < n && i + 4 <= whole; i++) {
		uint32_t h = hash4(p + i);

		if (!(s->filter[(h & ((1u << FILTER_BITS) - 1)) >> 3] & 1 << (h & 7)))
			continue;
		for (uint32_t k = s->bucket[h & s->mask]; k != UINT32_MAX; k = s->form[k].next)
			if (s->form[k].len <= whole - i && !memcmp(s->form[k].octets, p + i, s->form[k].len))
				found(s, &s->form[k], where, base + i);
	}
}

/* From `at` on, `left` octets or to the end; what stands across two chunks is found, too.  False: it could not be read to there. */
static bool look_fd(struct scan *s, int fd, uint64_t at, uint64_t left, const char *where)
{
	size_t kept = 0;

	while (left) {
		ssize_t n = pread(fd, s->buf + kept, left < CHUNK ? (size_t)left : CHUNK, (off_t)at);
		size_t whole;

		if (n <= 0) {
			look(s, s->buf, kept, kept, where, at - kept);
			return n == 0;
		}
		s->looked += (uint64_t)n;
		whole = kept + (size_t)n;
		left -= (uint64_t)n;
		kept = whole > FORM_MAX && left ? FORM_MAX : left ? whole : 0;
		look(s, s->buf, whole - kept, whole, where, at - (whole - (size_t)n));
		memmove(s->buf, s->buf + whole - kept, kept);
		at += (uint64_t)n;
	}
	return true;
}

static void look_file(struct scan *s, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(strerror(errno), path);
	if (!look_fd(s, fd, 0, UINT64_MAX, path))
		die(strerror(errno), path);
	close(fd);
}

static void look_dir(struct scan *s, const char *path, unsigned depth)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char sub[PATH_CAP];
	struct stat st;

	if (!d || depth > DEPTH_MAX)
		die("cannot be looked through", path);
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name) >= (int)sizeof(sub))
			die("path too long", path);
		look(s, (const uint8_t *)e->d_name, strlen(e->d_name), strlen(e->d_name), sub, 0);
		if (lstat(sub, &st))
			continue; /* gone meanwhile */
		if (S_ISDIR(st.st_mode))
			look_dir(s, sub, depth + 1);
		else if (S_ISREG(st.st_mode))
			look_file(s, sub);
	}
	closedir(d);
}

/* All that a process has mapped and that can be read, as a core image would hold and more. */
static void look_process(struct scan *s, const char *pid)
{
	char path[64], line[LINE_CAP], where[LINE_CAP];
	uint64_t areas = 0;
	FILE *maps;
	int mem;

	if (strspn(pid, "0123456789") != strlen(pid) || strlen(pid) > 10)
		die("not a process number", pid);
	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	maps = fopen(path, "r");
	snprintf(path, sizeof(path), "/proc/%s/mem", pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	if (!maps || mem < 0)
		die(strerror(errno), path);
	while (fgets(line, sizeof(line), maps)) {
		uint64_t from, to;
		char mode[8];

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &from, &to, mode) != 3 || mode[0] != 'r' ||
		    strstr(line, "[vvar]") || strstr(line, "[vsyscall]"))
			continue;
		snprintf(where, sizeof(where), "process %s, %.200s", pid, line);
		where[strcspn(where, "\n")] = '\0';
		areas += look_fd(s, mem, from, to - from, where);
	}
	if (!areas)
		die("no memory could be read", path);
	fclose(maps);
	close(mem);
}

int main(int argc, char **argv)
{
	static const char usage[] =
		"usage: keyscan --keys FILE.csv [--index FIRST-LAST] [--pid N | --dir DIR | --file FILE]...\n"
		"Columns K, OPC, KIC, KID, KIK of the list are looked for.  Exit status: 0 none was found, 1 some "
		"were, 2 "
		"it could not be told.\n";
	unsigned long first = 0, last = UINT32_MAX;
	struct scan s = { 0 };

	for (int i = 1; i + 1 < argc; i += 2)
		if (!strcmp(argv[i], "--index") && sscanf(argv[i + 1], "%lu-%lu", &first, &last) != 2)
			die(usage, argv[i + 1]);
	for (int i = 1; i + 1 < argc; i += 2)
		if (!strcmp(argv[i], "--keys"))
			keys_read(&s, argv[i + 1], first, last);
	if (argc % 2 == 0 || !s.keys)
		die(s.keys || argc < 2 ? usage : "no key to look for", argc > 1 ? argv[1] : "keyscan");
	scan_ready(&s);
	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--pid"))
			look_process(&s, argv[i + 1]);
		else if (!strcmp(argv[i], "--dir"))
			look_dir(&s, argv[i + 1], 0);
		else if (!strcmp(argv[i], "--file"))
			look_file(&s, argv[i + 1]);
		else if (strcmp(argv[i], "--keys") && strcmp(argv[i], "--index"))
			die(usage, argv[i]);
	}
	if (!s.looked)
		die("nothing was looked at", "keyscan");
	printf("keyscan: %" PRIu32 " keys in %d forms, %" PRIu64 " octets looked at, %" PRIu64 " found\n", s.keys,
	       FORMS, s.looked, s.found);
	free(s.name);
	free(s.form);
	free(s.bucket);
	free(s.filter);
	free(s.buf);
	return s.found ? 1 : 0;
}
