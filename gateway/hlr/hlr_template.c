/* hlr_template.c - any other home location register: a line per operation to a program of the operator's, a line back.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The program is started once and again when it ends.  To its standard input go lines "NUMBER text", text as the template makes it; from
 * its standard output come lines "NUMBER end [name=value ...]", in any order, end one of ok, absent, refused, temporary.  K and OPc go
 * through that pipe and nowhere else: not on a command line, not into a file, not into the environment.
 *
 * What was provisioned or given a number is read back before it counts, as with every other adapter.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <event2/event.h>

#include "hlr_op.h"

#define TIMEOUT_MS     5000
#define RESTART_MS     500
#define RESTART_MAX_MS 30000
#define TEXT_MAX       (HLR_TEMPLATE_MAX + KS_HLR_TEXT_MAX + 64)
#define IN_MAX	       4096
#define KEY_HEX	       (2 * KS_AKA_KEY_LEN)
#define CHECK_HEX      16	    /* of SHA-256 over "milenage,K,opc,OPc" */
#define SEEN_MAX_S     253402300800 /* the year 10000 */

enum step { STEP_DO, STEP_READ_BACK };

struct hlr_prog {
	struct hlr_conn c;
	struct hlr_template tpl;
	unsigned restart_ms, restart_max_ms, backoff_ms;
	pid_t pid; /* 0: it does not run */
	uint32_t number;
	char in[IN_MAX];
	size_t in_len;
};

/* ---- the template ---- */

enum field { FIELD_IMSI, FIELD_MSISDN, FIELD_K, FIELD_OPC, FIELD_CHECK, _FIELDS };
static const char *const fields[] = { "{imsi}", "{msisdn}", "{k}", "{opc}", "{check}" };

static int field_at(const char *s)
{
	for (int f = 0; f < _FIELDS; f++)
		if (!strncmp(s, fields[f], strlen(fields[f])))
			return f;
	return -1;
}

static bool has_keys(int kind)
{
	return kind == HLR_PROVISION || kind == HLR_REKEY;
}

/* Keys stand in the lines that need them, and in no other. */
static int line_check(int kind, const char *text, char *err, size_t err_cap)
{
	for (const char *p = strchr(text, '{'); p; p = strchr(p + 1, '{')) {
		int f = field_at(p);

		if (f < 0) {
			snprintf(err, err_cap,
				 "%s: %.20s is no field; there are {imsi}, {msisdn}, {k}, {opc} and {check}",
				 hlr_kind_name((enum hlr_kind)kind), p);
			return -1;
		}
		if ((f == FIELD_K || f == FIELD_OPC) && !has_keys(kind)) {
			snprintf(err, err_cap, "%s: keys stand in the lines provision and rekey alone",
				 hlr_kind_name((enum hlr_kind)kind));
			return -1;
		}
	}
	if (!strstr(text, "{imsi}")) {
		snprintf(err, err_cap, "%s: a line must name its {imsi}", hlr_kind_name((enum hlr_kind)kind));
		return -1;
	}
	return 0;
}

static int tpl_line(struct hlr_template *t, char *text, unsigned n, char *err, size_t err_cap)
{
	char *word = text + strspn(text, " \t"), *rest = word + strcspn(word, " \t\r\n");
	size_t len;

	if (!*word || *word == '#' || *word == '\r' || *word == '\n')
		return 0;
	if (*rest)
		*rest++ = '\0';
	rest += strspn(rest, " \t");
	len = strcspn(rest, "\r\n");
	if (rest[len] == '\0') {
		snprintf(err, err_cap, "line %u: longer than %d characters, or without its end", n, HLR_TEMPLATE_MAX);
		return -1;
	}
	rest[len] = '\0';
	if (!strcmp(word, "program")) {
		if (*rest != '/' || len >= sizeof(t->program)) {
			snprintf(err, err_cap, "line %u: program needs an absolute path", n);
			return -1;
		}
		strcpy(t->program, rest);
		return 0;
	}
	for (int k = 0; k <= HLR_REKEY; k++) {
		if (strcmp(word, hlr_kind_name((enum hlr_kind)k)))
			continue;
		snprintf(t->line[k], sizeof(t->line[k]), "%s", rest);
		return line_check(k, t->line[k], err, err_cap);
	}
	snprintf(err, err_cap, "line %u: %.20s: a line begins with program, read, provision, msisdn, remove or rekey",
		 n, word);
	return -1;
}

int hlr_template_read(struct hlr_template *out, const char *path, char *err, size_t err_cap)
{
	FILE *f = fopen(path, "re");
	char text[HLR_TEMPLATE_MAX], why[200] = "";
	unsigned n = 0;
	int rc = f ? 0 : -1;

	memset(out, 0, sizeof(*out));
	if (!f)
		snprintf(why, sizeof(why), "%s", strerror(errno));
	while (!rc && fgets(text, sizeof(text), f))
		rc = tpl_line(out, text, ++n, why, sizeof(why));
	for (int k = 0; !rc && k <= HLR_REMOVE; k++) {
		if (*out->line[k] && *out->program)
			continue;
		snprintf(why, sizeof(why), "a line %s is missing",
			 *out->program ? hlr_kind_name((enum hlr_kind)k) : "program");
		rc = -1;
	}
	if (f)
		fclose(f);
	if (rc)
		snprintf(err, err_cap, "HLR template %s: %s", path, why);
	return rc;
}

/* ---- out ---- */

/* K and OPc, small hex digits; empty unless the line is the one that has them. */
static int keys_of(struct hlr_prog *h, const struct hlr_op *op, char k[KEY_HEX + 1], char opc[KEY_HEX + 1],
		   char check[CHECK_HEX + 1])
{
	uint8_t hash[KS_HASH_LEN];
	char text[KS_HLR_TEXT_MAX];
	int rc = 0;

	k[0] = opc[0] = check[0] = '\0';
	if (!has_keys(op->kind) && !((op->kind == HLR_REMOVE || op->kind == HLR_READ) && op->keyed))
		return 0;
	if (ks_emit_to_hlr(h->c.ks, op->iccid, op->sub, sizeof(op->sub), text) < 0 ||
	    sscanf(text, "milenage,%32[0-9a-f],opc,%32[0-9a-f]", k, opc) != 2)
		rc = -1;
	if (!rc && !(rc = ks_sha256(text, strlen(text), hash) ? -1 : 0))
		for (int i = 0; i < CHECK_HEX / 2; i++)
			snprintf(check + 2 * i, 3, "%02x", hash[i]);
	ks_wipe(text, sizeof(text));
	return rc;
}

static size_t line_make(struct hlr_prog *h, const struct hlr_open *o, enum hlr_kind kind, char text[TEXT_MAX])
{
	char k[KEY_HEX + 1], opc[KEY_HEX + 1], check[CHECK_HEX + 1];
	const char *value[_FIELDS] = { o->op.imsi, o->op.msisdn, k, opc, check };
	struct hlr_op op = o->op;
	size_t at;
	int rc;

	op.kind = kind;
	rc = keys_of(h, &op, k, opc, check);
	at = (size_t)snprintf(text, TEXT_MAX, "%u ", o->number);
	for (const char *p = h->tpl.line[kind]; !rc && *p && at + KEY_HEX + 2 < TEXT_MAX;) {
		int f = *p == '{' ? field_at(p) : -1;

		if (f < 0) {
			text[at++] = *p++;
			continue;
		}
		at += (size_t)snprintf(text + at, TEXT_MAX - at, "%s", value[f]);
		p += strlen(fields[f]);
	}
	text[at++] = '\n';
	ks_wipe(&op, sizeof(op));
	ks_wipe(k, sizeof(k));
	ks_wipe(opc, sizeof(opc));
	return rc ? 0 : at;
}

static void ask(struct hlr_prog *h, struct hlr_open *o, enum hlr_kind kind)
{
	char text[TEXT_MAX];
	size_t n;

	o->number = ++h->number & 0x7fffffff;
	n = line_make(h, o, kind, text);
	if (!n) {
		hlr_end(&h->c, o, HLR_REFUSED, "keys of card %s do not open, or are not for Milenage", o->op.iccid);
	} else if (n > sizeof(h->c.out) - h->c.out_len) {
		hlr_end(&h->c, o, HLR_TEMPORARY, "the program takes no more lines");
	} else {
		o->asked = true;
		memcpy(h->c.out + h->c.out_len, text, n);
		h->c.out_len += n;
		hlr_flush(&h->c);
		hlr_timer_set(&h->c);
	}
	ks_wipe(text, sizeof(text));
}

/* ---- in ---- */

static bool value_take(char *out, size_t cap, const char *v, bool number)
{
	size_t n = strlen(v);

	if (n >= cap || (number && v[strspn(v, "0123456789")]))
		return false;
	memcpy(out, v, n + 1);
	return true;
}

/* name=value; what is not known is passed over, so that a program may tell more. */
static bool pair_take(struct hlr_result *r, char *word)
{
	char *v = strchr(word, '='), text[24];

	if (!v)
		return true;
	*v++ = '\0';
	if (!strcmp(word, "msisdn"))
		return value_take(r->msisdn, sizeof(r->msisdn), v, true);
	if (!strcmp(word, "vlr"))
		return value_take(r->vlr, sizeof(r->vlr), v, false);
	if (!strcmp(word, "cs") || !strcmp(word, "ps") || !strcmp(word, "keys")) {
		const bool yes = !strcmp(v, "1");

		*(word[0] == 'c' ? &r->cs : word[0] == 'p' ? &r->ps : &r->has_keys) = yes;
		return yes || !strcmp(v, "0");
	}
	if (strcmp(word, "sqn") && strcmp(word, "seen"))
		return true;
	if (!value_take(text, sizeof(text), v, true))
		return false;
	if (!strcmp(word, "seen"))
		r->seen_s = strtoll(text, NULL, 10) < SEEN_MAX_S ? strtoll(text, NULL, 10) : 0;
	else
		r->sqn = strtoull(text, NULL, 10);
	return true;
}

static void ok_take(struct hlr_prog *h, struct hlr_open *o, struct hlr_result *r)
{
	const char *wrong = NULL;

	r->bridged = o->bridged;
	if (o->op.kind == HLR_READ || o->op.kind == HLR_REMOVE) {
		hlr_end_with(&h->c, o, r);
		return;
	}
	if (o->step == STEP_DO) {
		o->step = STEP_READ_BACK;
		ask(h, o, HLR_READ);
		return;
	}
	if (o->op.kind != HLR_REKEY && strcmp(r->msisdn, o->op.msisdn))
		wrong = "MSISDN";
	else if (has_keys(o->op.kind) && !r->has_keys)
		wrong = "keys";
	else if (o->op.kind == HLR_PROVISION && (!r->cs || !r->ps))
		wrong = "CS or PS access";
	if (wrong)
		hlr_end(&h->c, o, HLR_REFUSED, "read back: %s not as written", wrong);
	else
		hlr_end_with(&h->c, o, r);
}

static struct hlr_open *op_of(struct hlr_prog *h, uint32_t number)
{
	for (unsigned i = 0; i < HLR_OPEN_MAX; i++)
		if (h->c.op[i].used && h->c.op[i].number == number)
			return &h->c.op[i];
	return NULL;
}

/* False: the program does not speak as it must. */
static bool line_take(struct hlr_prog *h, char *text)
{
	struct hlr_result r = { .end = HLR_OK };
	char *save = NULL, *rest, *number = strtok_r(text, " ", &save), *word = strtok_r(NULL, " ", &save);
	struct hlr_open *o;

	if (!number || number[strspn(number, "0123456789")] || !word)
		return false;
	o = op_of(h, (uint32_t)strtoul(number, NULL, 10));
	if (!o)
		return true; /* of something that has ended */
	rest = save ? save : "";
	if (!strcmp(word, "absent")) {
		if (o->op.kind == HLR_REMOVE)
			hlr_end(&h->c, o, HLR_OK, "%s", "");
		else if (o->op.kind == HLR_PROVISION)
			hlr_end(&h->c, o, HLR_TEMPORARY, "subscriber was removed in the middle");
		else
			hlr_end(&h->c, o, HLR_ABSENT, "%s", "");
	} else if (!strcmp(word, "refused")) {
		/* what it says of a line with keys may repeat what it was given */
		hlr_end(&h->c, o, HLR_REFUSED, "%.120s",
			has_keys(o->op.kind) && o->step == STEP_DO ? "the register does not take it" : rest);
	} else if (!strcmp(word, "taken") && o->step == STEP_DO &&
		   (o->op.kind == HLR_PROVISION || o->op.kind == HLR_MSISDN)) {
		if (hlr_op_taken(&h->c, o))
			ask(h, o, HLR_PROVISION);
	} else if (!strcmp(word, "temporary")) {
		hlr_end(&h->c, o, HLR_TEMPORARY, "the register is not there, says the program");
	} else if (!strcmp(word, "ok")) {
		for (char *p = strtok_r(NULL, " ", &save); p; p = strtok_r(NULL, " ", &save))
			if (!pair_take(&r, p))
				return false;
		ok_take(h, o, &r);
	} else {
		return false;
	}
	return true;
}

/* ---- the program ---- */

static void restart_later(struct hlr_prog *h)
{
	const struct timeval tv = { h->backoff_ms / 1000, (h->backoff_ms % 1000) * 1000 };

	h->backoff_ms = h->backoff_ms * 2 < h->restart_max_ms ? h->backoff_ms * 2 : h->restart_max_ms;
	evtimer_add(h->c.ev_timer, &tv);
}

/* Its end is waited for: it is ours, and its input is closed. */
static void program_end(struct hlr_prog *h)
{
	if (h->c.ev_read)
		event_free(h->c.ev_read);
	if (h->c.ev_write)
		event_free(h->c.ev_write);
	h->c.ev_read = h->c.ev_write = NULL;
	if (h->c.fd >= 0)
		close(h->c.fd);
	h->c.fd = -1;
	if (h->pid > 0) {
		kill(h->pid, SIGKILL);
		while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	h->pid = 0;
	ks_wipe(h->in, sizeof(h->in));
	h->in_len = 0;
	hlr_conn_wipe(&h->c);
}

static void stop(struct hlr_prog *h, const char *why)
{
	program_end(h);
	if (h->backoff_ms == h->restart_ms)
		hlr_say(&h->c, LOG_WARNING, "%s; started again", why);
	restart_later(h);
	hlr_end_all(&h->c, why);
}

static void on_read(evutil_socket_t fd, short what, void *ctx)
{
	struct hlr_prog *h = ctx;
	ssize_t n = recv(fd, h->in + h->in_len, sizeof(h->in) - 1 - h->in_len, 0);
	char *end;

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		stop(h, n ? strerror(errno) : "the program has ended");
		return;
	}
	h->in_len += (size_t)n;
	h->in[h->in_len] = '\0';
	while ((end = memchr(h->in, '\n', h->in_len))) {
		const size_t len = (size_t)(end - h->in) + 1;

		*end = '\0';
		if (!line_take(h, h->in)) {
			stop(h, "the program's answer is not NUMBER ok, absent, refused or temporary");
			return;
		}
		memmove(h->in, h->in + len, h->in_len - len);
		ks_wipe(h->in + h->in_len - len, len);
		h->in_len -= len;
		h->backoff_ms = h->restart_ms; /* it works */
	}
	if (h->in_len == sizeof(h->in) - 1)
		stop(h, "the program's answer has no end");
	else
		hlr_timer_set(&h->c);
}

static void on_write(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	hlr_flush(&((struct hlr_prog *)ctx)->c);
}

/* Without a copy of our memory, and with nothing of our environment. */
static int spawn(pid_t *pid, const char *program, int fd)
{
	static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
	char name[256], *argv[] = { name, NULL }, *env[] = { path, NULL };
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t pipe;
	int rc;

	snprintf(name, sizeof(name), "%s", program);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&attr);
	rc = posix_spawn_file_actions_adddup2(&fa, fd, STDIN_FILENO);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(&fa, fd, STDOUT_FILENO);
	if (!rc)
		rc = posix_spawnattr_setsigdefault(&attr, &pipe);
	if (!rc)
		rc = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	if (!rc)
		rc = posix_spawn(pid, program, &fa, &attr, argv, env);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&attr);
	return rc;
}

static int start(struct hlr_prog *h)
{
	int sv[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		return -1;
	rc = spawn(&h->pid, h->tpl.program, sv[1]);
	close(sv[1]);
	h->c.fd = sv[0];
	if (rc) {
		h->pid = 0;
		errno = rc;
		return -1;
	}
	if (fcntl(h->c.fd, F_SETFL, O_NONBLOCK))
		return -1;
	h->c.ev_read = event_new(h->c.base, h->c.fd, EV_READ | EV_PERSIST, on_read, h);
	h->c.ev_write = event_new(h->c.base, h->c.fd, EV_WRITE, on_write, h);
	return h->c.ev_read && h->c.ev_write && !event_add(h->c.ev_read, NULL) ? 0 : -1;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct hlr_prog *h = ctx;

	(void)fd;
	(void)what;
	if (h->c.fd >= 0)
		stop(h, "no answer in time");
	else if (start(h)) {
		hlr_say(&h->c, LOG_ERR, "cannot be started: %s", strerror(errno));
		program_end(h);
		restart_later(h);
	}
}

/* ---- the seam ---- */

static int prog_submit(struct hlr *hlr, const struct hlr_op *op)
{
	struct hlr_prog *h = (struct hlr_prog *)hlr;
	struct hlr_open *o;
	const int rc = hlr_open_new(&h->c, op, &o);

	if (rc)
		return rc;
	if (!*h->tpl.line[op->kind])
		hlr_end(&h->c, o, HLR_REFUSED, "the template has no line %s", hlr_kind_name(op->kind));
	else if (h->c.fd < 0)
		hlr_end(&h->c, o, HLR_TEMPORARY, "the program does not run");
	else
		ask(h, o, op->kind);
	return 0;
}

static void prog_free(struct hlr *hlr)
{
	struct hlr_prog *h = (struct hlr_prog *)hlr;

	program_end(h);
	event_free(h->c.ev_timer);
	ks_wipe(h, sizeof(*h));
	free(h);
}

static const struct hlr_ops prog_ops = { "template", prog_submit, prog_free };

struct hlr *hlr_template_new(const struct hlr_template_cfg *cfg, struct event_base *base, struct ks *ks,
			     void (*on_result)(void *ctx, const struct hlr_result *r),
			     void (*on_log)(void *ctx, int level, const char *line), void *ctx)
{
	struct hlr_prog *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->c.hlr = (struct hlr){ &prog_ops, on_result, on_log, ctx };
	h->c.ks = ks;
	h->c.base = base;
	h->c.fd = -1;
	h->c.timeout_ms = cfg->timeout_ms ? cfg->timeout_ms : TIMEOUT_MS;
	snprintf(h->c.name, sizeof(h->c.name), "%s", cfg->tpl->program);
	h->tpl = *cfg->tpl;
	h->restart_ms = cfg->restart_ms ? cfg->restart_ms : RESTART_MS;
	h->restart_max_ms = cfg->restart_max_ms ? cfg->restart_max_ms : RESTART_MAX_MS;
	h->backoff_ms = h->restart_ms;
	if (!(h->c.ev_timer = evtimer_new(base, on_timer, h))) {
		free(h);
		return NULL;
	}
	on_timer(-1, 0, h);
	return &h->c.hlr;
}
