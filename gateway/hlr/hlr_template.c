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

#include "hlr.h"

#define TIMEOUT_MS     5000
#define RESTART_MS     500
#define RESTART_MAX_MS 30000
#define TEXT_MAX       (HLR_TEMPLATE_MAX + KS_HLR_TEXT_MAX + 64)
#define IN_MAX	       4096
#define OUT_MAX	       (HLR_OPEN_MAX * 256)
#define KEY_HEX	       (2 * KS_AKA_KEY_LEN)
#define CHECK_HEX      16	    /* of SHA-256 over "milenage,K,opc,OPc" */
#define SEEN_MAX_S     253402300800 /* the year 10000 */

struct open_op {
	bool used, reading_back, bridged;
	uint32_t number;
	struct hlr_op op;
};

struct hlr_prog {
	struct hlr hlr;
	struct hlr_template tpl;
	struct ks *ks;
	struct event_base *base;
	unsigned timeout_ms, restart_ms, restart_max_ms, backoff_ms;
	pid_t pid; /* 0: it does not run */
	int fd;
	struct event *ev_read, *ev_write, *ev_timer;
	uint32_t number;
	char in[IN_MAX];
	size_t in_len;
	char out[OUT_MAX];
	size_t out_len;
	struct open_op op[HLR_OPEN_MAX];
};

static __attribute__((format(printf, 3, 4))) void say(struct hlr_prog *h, int level, const char *fmt, ...)
{
	char line[HLR_WHY_MAX + 300];
	va_list ap;
	int n = snprintf(line, sizeof(line), "hlr %s: ", h->tpl.program);

	if (!h->hlr.on_log)
		return;
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	h->hlr.on_log(h->hlr.ctx, level, line);
}

/* ---- the template ---- */

static const char *const kinds[] = {
	[HLR_READ] = "read",	 [HLR_PROVISION] = "provision", [HLR_MSISDN] = "msisdn",
	[HLR_REMOVE] = "remove", [HLR_REKEY] = "rekey",
};
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
				 kinds[kind], p);
			return -1;
		}
		if ((f == FIELD_K || f == FIELD_OPC) && !has_keys(kind)) {
			snprintf(err, err_cap, "%s: keys stand in the lines provision and rekey alone", kinds[kind]);
			return -1;
		}
	}
	if (!strstr(text, "{imsi}")) {
		snprintf(err, err_cap, "%s: a line must name its {imsi}", kinds[kind]);
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
		if (strcmp(word, kinds[k]))
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
		snprintf(why, sizeof(why), "a line %s is missing", *out->program ? kinds[k] : "program");
		rc = -1;
	}
	if (f)
		fclose(f);
	if (rc)
		snprintf(err, err_cap, "HLR template %s: %s", path, why);
	return rc;
}

/* ---- ends ---- */

static void end_with(struct hlr_prog *h, struct open_op *o, struct hlr_result *r)
{
	r->id = o->op.id;
	ks_wipe(o, sizeof(*o));
	h->hlr.on_result(h->hlr.ctx, r);
}

static __attribute__((format(printf, 4, 5))) void end_op(struct hlr_prog *h, struct open_op *o, enum hlr_end end,
							 const char *fmt, ...)
{
	struct hlr_result r = { .end = end };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r.why, sizeof(r.why), fmt, ap);
	va_end(ap);
	end_with(h, o, &r);
}

/* ---- out ---- */

static void timer_set(struct hlr_prog *h)
{
	const struct timeval tv = { h->timeout_ms / 1000, (h->timeout_ms % 1000) * 1000 };

	for (unsigned i = 0; i < HLR_OPEN_MAX; i++) {
		if (h->op[i].used) {
			evtimer_add(h->ev_timer, &tv);
			return;
		}
	}
	evtimer_del(h->ev_timer);
}

static void flush(struct hlr_prog *h)
{
	ssize_t n = h->out_len ? send(h->fd, h->out, h->out_len, MSG_NOSIGNAL) : 0;

	if (n > 0) {
		memmove(h->out, h->out + n, h->out_len - (size_t)n);
		ks_wipe(h->out + h->out_len - (size_t)n, (size_t)n);
		h->out_len -= (size_t)n;
	}
	if (h->out_len)
		event_add(h->ev_write, NULL);
}

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
	if (ks_emit_to_hlr(h->ks, op->iccid, op->sub, sizeof(op->sub), text) < 0 ||
	    sscanf(text, "milenage,%32[0-9a-f],opc,%32[0-9a-f]", k, opc) != 2)
		rc = -1;
	if (!rc && !(rc = ks_sha256(text, strlen(text), hash) ? -1 : 0))
		for (int i = 0; i < CHECK_HEX / 2; i++)
			snprintf(check + 2 * i, 3, "%02x", hash[i]);
	ks_wipe(text, sizeof(text));
	return rc;
}

static size_t line_make(struct hlr_prog *h, const struct open_op *o, enum hlr_kind kind, char text[TEXT_MAX])
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

static void ask(struct hlr_prog *h, struct open_op *o, enum hlr_kind kind)
{
	char text[TEXT_MAX];
	size_t n;

	o->number = ++h->number & 0x7fffffff;
	n = line_make(h, o, kind, text);
	if (!n) {
		end_op(h, o, HLR_REFUSED, "keys of card %s do not open, or are not for Milenage", o->op.iccid);
	} else if (n > sizeof(h->out) - h->out_len) {
		end_op(h, o, HLR_TEMPORARY, "the program takes no more lines");
	} else {
		memcpy(h->out + h->out_len, text, n);
		h->out_len += n;
		flush(h);
		timer_set(h);
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

static void ok_take(struct hlr_prog *h, struct open_op *o, struct hlr_result *r)
{
	const char *wrong = NULL;

	r->bridged = o->bridged;
	if (o->op.kind == HLR_READ || o->op.kind == HLR_REMOVE) {
		end_with(h, o, r);
		return;
	}
	if (!o->reading_back) {
		o->reading_back = true;
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
		end_op(h, o, HLR_REFUSED, "read back: %s not as written", wrong);
	else
		end_with(h, o, r);
}

/* MSISDNs are of one subscriber each. */
static void taken(struct hlr_prog *h, struct open_op *o)
{
	if (o->op.kind == HLR_PROVISION && *o->op.bridge && !o->bridged) {
		o->bridged = true;
		memcpy(o->op.msisdn, o->op.bridge, sizeof(o->op.msisdn));
		ask(h, o, HLR_PROVISION);
	} else if (o->op.kind == HLR_PROVISION && !o->bridged) {
		end_op(h, o, HLR_REFUSED,
		       "MSISDN %s is another subscriber's; configure msisdn-bridge, if that one is about to go",
		       o->op.msisdn);
	} else {
		end_op(h, o, HLR_TAKEN, "MSISDN %s is another subscriber's%s", o->op.msisdn,
		       o->bridged ? ", and was to be the bridge" : "");
	}
}

static struct open_op *op_of(struct hlr_prog *h, uint32_t number)
{
	for (unsigned i = 0; i < HLR_OPEN_MAX; i++)
		if (h->op[i].used && h->op[i].number == number)
			return &h->op[i];
	return NULL;
}

/* False: the program does not speak as it must. */
static bool line_take(struct hlr_prog *h, char *text)
{
	struct hlr_result r = { .end = HLR_OK };
	char *save = NULL, *rest, *number = strtok_r(text, " ", &save), *word = strtok_r(NULL, " ", &save);
	struct open_op *o;

	if (!number || number[strspn(number, "0123456789")] || !word)
		return false;
	o = op_of(h, (uint32_t)strtoul(number, NULL, 10));
	if (!o)
		return true; /* of something that has ended */
	rest = save ? save : "";
	if (!strcmp(word, "absent")) {
		if (o->op.kind == HLR_REMOVE)
			end_op(h, o, HLR_OK, "%s", "");
		else if (o->op.kind == HLR_PROVISION)
			end_op(h, o, HLR_TEMPORARY, "subscriber was removed in the middle");
		else
			end_op(h, o, HLR_ABSENT, "%s", "");
	} else if (!strcmp(word, "refused")) {
		/* what it says of a line with keys may repeat what it was given */
		end_op(h, o, HLR_REFUSED, "%.120s",
		       has_keys(o->op.kind) && !o->reading_back ? "the register does not take it" : rest);
	} else if (!strcmp(word, "taken") && !o->reading_back &&
		   (o->op.kind == HLR_PROVISION || o->op.kind == HLR_MSISDN)) {
		taken(h, o);
	} else if (!strcmp(word, "temporary")) {
		end_op(h, o, HLR_TEMPORARY, "the register is not there, says the program");
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
	evtimer_add(h->ev_timer, &tv);
}

/* Its end is waited for: it is ours, and its input is closed. */
static void program_end(struct hlr_prog *h)
{
	if (h->ev_read)
		event_free(h->ev_read);
	if (h->ev_write)
		event_free(h->ev_write);
	h->ev_read = h->ev_write = NULL;
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
	if (h->pid > 0) {
		kill(h->pid, SIGKILL);
		while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	h->pid = 0;
	ks_wipe(h->in, sizeof(h->in));
	ks_wipe(h->out, sizeof(h->out));
	h->in_len = h->out_len = 0;
}

static void stop(struct hlr_prog *h, const char *why)
{
	program_end(h);
	if (h->backoff_ms == h->restart_ms)
		say(h, LOG_WARNING, "%s; started again", why);
	restart_later(h);
	for (unsigned i = 0; i < HLR_OPEN_MAX; i++)
		if (h->op[i].used)
			end_op(h, &h->op[i], HLR_TEMPORARY, "%s", why);
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
		timer_set(h);
}

static void on_write(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	flush(ctx);
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
	h->fd = sv[0];
	if (rc) {
		h->pid = 0;
		errno = rc;
		return -1;
	}
	if (fcntl(h->fd, F_SETFL, O_NONBLOCK))
		return -1;
	h->ev_read = event_new(h->base, h->fd, EV_READ | EV_PERSIST, on_read, h);
	h->ev_write = event_new(h->base, h->fd, EV_WRITE, on_write, h);
	return h->ev_read && h->ev_write && !event_add(h->ev_read, NULL) ? 0 : -1;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct hlr_prog *h = ctx;

	(void)fd;
	(void)what;
	if (h->fd >= 0)
		stop(h, "no answer in time");
	else if (start(h)) {
		say(h, LOG_ERR, "cannot be started: %s", strerror(errno));
		program_end(h);
		restart_later(h);
	}
}

/* ---- the seam ---- */

static bool digits(const char *s, size_t min)
{
	size_t n = strspn(s, "0123456789");

	return !s[n] && n >= min && n <= HLR_DIGITS_MAX;
}

static int prog_submit(struct hlr *hlr, const struct hlr_op *op)
{
	struct hlr_prog *h = (struct hlr_prog *)hlr;
	struct open_op *o = NULL;

	if (!digits(op->imsi, 6) || (*op->msisdn && !digits(op->msisdn, 3)) ||
	    (*op->bridge && !digits(op->bridge, 3)) || (unsigned)op->kind > HLR_REKEY)
		return -EINVAL;
	for (unsigned i = 0; i < HLR_OPEN_MAX && !o; i++)
		if (!h->op[i].used)
			o = &h->op[i];
	if (!o)
		return -ENOBUFS;
	*o = (struct open_op){ .used = true, .op = *op };
	if (!*h->tpl.line[op->kind])
		end_op(h, o, HLR_REFUSED, "the template has no line %s", kinds[op->kind]);
	else if (h->fd < 0)
		end_op(h, o, HLR_TEMPORARY, "the program does not run");
	else
		ask(h, o, op->kind);
	return 0;
}

static void prog_free(struct hlr *hlr)
{
	struct hlr_prog *h = (struct hlr_prog *)hlr;

	program_end(h);
	event_free(h->ev_timer);
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
	*h = (struct hlr_prog){ .hlr = { &prog_ops, on_result, on_log, ctx },
				.tpl = *cfg->tpl,
				.ks = ks,
				.base = base,
				.fd = -1,
				.timeout_ms = cfg->timeout_ms ? cfg->timeout_ms : TIMEOUT_MS,
				.restart_ms = cfg->restart_ms ? cfg->restart_ms : RESTART_MS,
				.restart_max_ms = cfg->restart_max_ms ? cfg->restart_max_ms : RESTART_MAX_MS };
	h->backoff_ms = h->restart_ms;
	if (!(h->ev_timer = evtimer_new(base, on_timer, h))) {
		free(h);
		return NULL;
	}
	on_timer(-1, 0, h);
	return &h->hlr;
}
