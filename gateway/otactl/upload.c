/* upload.c - streams a CSV file to the gateway in numbered chunks.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The file may hold keys: it is read into one buffer that never grows, is sent straight from there, and is wiped after each
 * chunk.  Lines are counted here and nowhere parsed: what a column means is the gateway's business.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"

struct source {
	int fd;
	char *buf;  /* CTL_CHUNK_MAX octets */
	size_t len; /* octets in buf */
	bool eof;
	uint64_t size, sent; /* of a regular file, for the progress bar; 0: unknown */
};

static bool source_open(struct source *s, const char *file)
{
	struct stat st;

	*s = (struct source){ .fd = STDIN_FILENO };
	if (strcmp(file, "-"))
		s->fd = open(file, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0 || fstat(s->fd, &st)) {
		ctl_error("cannot read %s: %s", file, strerror(errno));
		return false;
	}
	if (S_ISREG(st.st_mode))
		s->size = (uint64_t)st.st_size;
	s->buf = malloc(CTL_CHUNK_MAX);
	if (!s->buf) {
		ctl_error("out of memory");
		return false;
	}
	(void)mlock(s->buf, CTL_CHUNK_MAX); /* best effort: a small RLIMIT_MEMLOCK is no reason to stop */
	return true;
}

static void source_close(struct source *s)
{
	if (s->buf) {
		explicit_bzero(s->buf, CTL_CHUNK_MAX);
		munlock(s->buf, CTL_CHUNK_MAX);
		free(s->buf);
	}
	if (s->fd > STDIN_FILENO)
		close(s->fd);
}

static bool source_fill(struct source *s, const char *file)
{
	while (!s->eof && s->len < CTL_CHUNK_MAX) {
		ssize_t n = read(s->fd, s->buf + s->len, CTL_CHUNK_MAX - s->len);

		if (n < 0 && errno != EINTR) {
			ctl_error("cannot read %s: %s", file, strerror(errno));
			return false;
		}
		if (n == 0)
			s->eof = true;
		if (n > 0)
			s->len += (size_t)n;
	}
	return true;
}

/* Octets of whole lines at the front of the buffer, at most CTL_CHUNK_LINES; *lines tells how many. */
static size_t source_lines(const struct source *s, unsigned *lines)
{
	size_t at = 0;

	for (*lines = 0; *lines < CTL_CHUNK_LINES && at < s->len; (*lines)++) {
		const char *nl = memchr(s->buf + at, '\n', s->len - at);

		if (!nl && !s->eof)
			break;
		at = nl ? (size_t)(nl - s->buf) + 1 : s->len;
	}
	return at;
}

static void source_drop(struct source *s, size_t n)
{
	memmove(s->buf, s->buf + n, s->len - n);
	s->len -= n;
	explicit_bzero(s->buf + s->len, n);
	s->sent += n;
}

/* ------------------------------------------------------------------------------------------------ what is shown */

static void progress(const struct ctl_upload *u, const struct source *s)
{
	unsigned cols = ctl_terminal(STDERR_FILENO);
	char bar[64];

	if (!cols)
		return;
	if (s->size) {
		double part = (double)s->sent / (double)s->size;

		fprintf(stderr, "\r\033[K%s %s %3.0f %%  %" PRIu64 " lines", u->label,
			ctl_bar(bar, sizeof(bar), part, cols > 80 ? 40 : cols / 3), part * 100, u->lines);
	} else {
		fprintf(stderr, "\r\033[K%s %" PRIu64 " lines", u->label, u->lines);
	}
	fflush(stderr);
}

static void progress_clear(void)
{
	if (ctl_terminal(STDERR_FILENO)) {
		fputs("\r\033[K", stderr);
		fflush(stderr);
	}
}

static void take_reject(struct ctl_upload *u, json_t *r)
{
	uint64_t line = js_count(r, "line");
	const char *reason = js_text(r, "reason");

	if (u->rejected++ < CTL_REJECTS_SHOWN) {
		progress_clear();
		fprintf(stderr, "%s: line %" PRIu64 ": %s\n", u->file, line, reason);
	}
	if (u->rejects) {
		fprintf(u->rejects, "%" PRIu64 ",", line);
		ctl_csv_field(u->rejects, reason);
		fputc('\n', u->rejects);
	}
	if (json_array_size(u->kept) < CTL_REJECTS_KEPT)
		json_array_append(u->kept, r);
}

void ctl_upload_take(struct ctl_upload *u, const json_t *answer)
{
	size_t i;
	json_t *r;

	u->accepted += js_count(answer, "accepted");
	u->updated += js_count(answer, "updated");
	u->unchanged += js_count(answer, "unchanged");
	u->filtered += js_count(answer, "filtered");
	u->may_have_run += js_count(answer, "may_have_run");
	u->packets += js_count(answer, "packets");
	u->sms_parts += js_count(answer, "sms_parts");
	json_array_foreach(json_object_get(answer, "rejected"), i, r)
	{
		take_reject(u, r);
	}
}

void ctl_upload_done(struct ctl_upload *u)
{
	progress_clear();
	if (u->rejected > CTL_REJECTS_SHOWN)
		fprintf(stderr, "%s: ... and %" PRIu64 " more%s\n", u->file, u->rejected - CTL_REJECTS_SHOWN,
			u->rejects ? "" : " (--rejects FILE writes all)");
}

bool ctl_rejects_open(struct ctl_upload *u, const struct ctl_args *a)
{
	const char *file = ctl_arg(a, "rejects", 0);

	if (!file)
		return true;
	u->rejects = fopen(file, "we");
	if (!u->rejects) {
		ctl_error("cannot write %s: %s", file, strerror(errno));
		return false;
	}
	fputs("line,reason\n", u->rejects);
	return true;
}

/* ------------------------------------------------------------------------------------------------ the upload */

static int send_chunk(struct ctl_upload *u, struct source *s)
{
	char target[CTL_PATH_MAX + 64];
	unsigned lines;
	size_t n = source_lines(s, &lines);
	json_t *answer;
	int rc;

	if (n == 0) {
		ctl_error("%s: line %" PRIu64 " is longer than %u octets: this is no list", u->file, u->lines + 1,
			  CTL_CHUNK_MAX);
		return CTL_USAGE;
	}
	snprintf(target, sizeof(target), "%s?first=%" PRIu64 "%s", u->path, u->lines + 1, u->query);
	rc = ctl_call(u->c, "POST", target, "text/csv", s->buf, n, &answer);
	source_drop(s, n);
	if (rc) {
		ctl_error("%s: stopped at line %" PRIu64, u->file, u->lines + 1);
		return rc;
	}
	u->lines += lines;
	ctl_upload_take(u, answer);
	json_decref(answer);
	progress(u, s);
	return CTL_OK;
}

int ctl_upload(struct ctl_upload *u)
{
	struct source s;
	int rc = CTL_OK;

	if (!source_open(&s, u->file)) {
		source_close(&s);
		return CTL_USAGE;
	}
	for (;;) {
		if (!source_fill(&s, u->file)) {
			rc = CTL_USAGE;
			break;
		}
		if (s.len == 0)
			break;
		rc = send_chunk(u, &s);
		if (rc)
			break;
	}
	progress_clear();
	source_close(&s);
	if (rc == CTL_OK && u->lines == 0) {
		ctl_error("%s is empty", u->file);
		return CTL_USAGE;
	}
	return rc;
}
