/* check_order.c - reads a trace of otagwd's system calls: did anything leave before it was flushed to the disk?
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 *	strace -f -qq -yy -xx -s 1048576 -e trace=read,sendto,pwrite64,fdatasync -o FILE otagwd ...
 *	check_order FILE COMMANDS
 *
 * Commit, then act: the octets of a packet must have been written to the write-ahead log, and that log flushed, before
 * a submit_sm with them leaves; and so must a proof of receipt before its deliver_sm gets a good response.  A line of
 * the trace stands where its call began, or where it came back ("resumed"), in the order in which the kernel was
 * stopped for it: so a flush that is reported before a send begins was over before it.
 *
 * 0 all was in order, 1 something was not, 2 the trace cannot be read or shows fewer commands than there were.
 */
#define _GNU_SOURCE /* memmem */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smpp_pdu.h"

#define THREADS_MAX  8
#define NAME_MAX_LEN 32
#define PDU_MAX	     65536
#define WAL_SUFFIX   "otagw.db-wal"
#define TOLD_MAX     10 /* faults printed one by one */

struct octets {
	uint8_t *p;
	size_t n, cap;
};

/* A call that has begun and not come back. */
struct thread {
	long tid;
	char call[NAME_MAX_LEN];
	bool wal, tcp;
	size_t wal_mark; /* fdatasync: what stood in the log when it began */
};

struct trace {
	struct thread thread[THREADS_MAX];
	struct octets wal;     /* all that was written to the log */
	size_t durable;	       /* so much of it has been flushed */
	struct octets in;      /* of the SMPP connection, not taken apart yet */
	struct octets msgs;    /* deliver_sm: seq, length, packet; one after the other */
	struct octets arg;     /* the string of the line being read */
	struct octets sending; /* of the sendto that has begun */
	size_t carry;	       /* octets at the head of the next send that belong to a PDU of the one before */
	unsigned long line, submits, answers, flushes, faults;
};

static _Noreturn void die(const struct trace *t, const char *what)
{
	fprintf(stderr, "check_order: line %lu: %s\n", t->line, what);
	exit(2);
}

static void put(struct trace *t, struct octets *o, const void *p, size_t n)
{
	if (o->cap - o->n < n) {
		o->cap = (o->n + n) * 2;
		o->p = realloc(o->p, o->cap);
		if (!o->p)
			die(t, "out of memory");
	}
	if (n)
		memcpy(o->p + o->n, p, n);
	o->n += n;
}

static void drop_head(struct octets *o, size_t n)
{
	o->n -= n;
	memmove(o->p, o->p + n, o->n);
}

/* ---- what the order must be ---- */

static bool is_durable(const struct trace *t, const uint8_t *p, size_t n)
{
	return memmem(t->wal.p, t->durable, p, n) != NULL;
}

static void fault(struct trace *t, const char *what, uint32_t seq)
{
	if (++t->faults <= TOLD_MAX)
		printf("line %lu: %s, sequence %u, before its octets were flushed\n", t->line, what, seq);
}

/* Secured packet (or a part of it) behind the User Data Header. */
static struct smpp_octets packet_of(const struct smpp_pdu *p)
{
	struct smpp_octets ud = smpp_message(p);
	size_t udh = ud.len ? 1u + ud.p[0] : 0;

	if (!(p->sm.esm_class & SMPP_ESM_UDHI) || udh >= ud.len)
		return (struct smpp_octets){ NULL, 0 };
	return (struct smpp_octets){ ud.p + udh, ud.len - udh };
}

/* The message of a deliver_sm that is answered with this sequence number, out of the list. */
static struct octets msg_take(struct trace *t, uint32_t seq)
{
	struct octets found = { 0 };
	size_t at = 0;
	uint32_t head[2];

	while (at < t->msgs.n) {
		memcpy(head, t->msgs.p + at, sizeof(head));
		if (head[0] != seq) {
			at += sizeof(head) + head[1];
			continue;
		}
		put(t, &found, t->msgs.p + at + sizeof(head), head[1]);
		t->msgs.n -= sizeof(head) + head[1];
		memmove(t->msgs.p + at, t->msgs.p + at + sizeof(head) + head[1], t->msgs.n - at);
		break;
	}
	return found;
}

static void on_pdu_out(struct trace *t, const struct smpp_pdu *p)
{
	struct smpp_octets packet;
	struct octets msg;

	if (p->id == SMPP_SUBMIT_SM) {
		packet = packet_of(p);
		t->submits++;
		if (!packet.len || !is_durable(t, packet.p, packet.len))
			fault(t, "submit_sm", p->seq);
	} else if (p->id == (SMPP_DELIVER_SM | SMPP_RESP) && !p->status) {
		msg = msg_take(t, p->seq);
		t->answers++;
		if (!msg.n || !is_durable(t, msg.p, msg.n))
			fault(t, "deliver_sm_resp", p->seq);
		free(msg.p);
	}
}

static void on_pdu_in(struct trace *t, const struct smpp_pdu *p)
{
	struct smpp_octets packet;
	uint32_t head[2];

	if (p->id != SMPP_DELIVER_SM)
		return;
	packet = packet_of(p);
	head[0] = p->seq;
	head[1] = (uint32_t)packet.len;
	put(t, &t->msgs, head, sizeof(head));
	put(t, &t->msgs, packet.p, packet.len);
}

/* Takes whole PDUs from a stream; returns the octets they take. */
static size_t pdus(struct trace *t, const uint8_t *p, size_t n, void (*on)(struct trace *, const struct smpp_pdu *))
{
	struct smpp_pdu pdu;
	size_t at = 0;
	int len;

	while ((len = smpp_frame(p + at, n - at, PDU_MAX)) > 0) {
		if (smpp_pdu_unpack(&pdu, p + at, (size_t)len, NULL))
			die(t, "a PDU that cannot be read");
		if (on)
			on(t, &pdu);
		at += (size_t)len;
	}
	if (len < 0)
		die(t, "not SMPP");
	return at;
}

/* ---- calls ---- */

static void send_begins(struct trace *t)
{
	size_t from = t->carry < t->arg.n ? t->carry : t->arg.n;

	t->sending.n = 0;
	put(t, &t->sending, t->arg.p, t->arg.n);
	pdus(t, t->sending.p + from, t->sending.n - from, on_pdu_out);
}

/* A send that took only a part of a PDU: the rest comes once more, and is no new PDU. */
static void send_ends(struct trace *t, long rc)
{
	const uint8_t *p = t->sending.p;
	size_t at = t->carry;
	int len;

	if (rc < 0)
		return;
	while (at < (size_t)rc && (len = smpp_frame(p + at, t->sending.n - at, PDU_MAX)) > 0)
		at += (size_t)len;
	if (at < (size_t)rc)
		die(t, "more was sent than was handed over");
	t->carry = at - (size_t)rc;
}

static void read_ends(struct trace *t, long rc)
{
	if (rc <= 0)
		return;
	if ((size_t)rc != t->arg.n)
		die(t, "a read was not traced whole");
	put(t, &t->in, t->arg.p, t->arg.n);
	drop_head(&t->in, pdus(t, t->in.p, t->in.n, on_pdu_in));
}

static void begins(struct trace *t, struct thread *th)
{
	if (th->wal && !strcmp(th->call, "pwrite64"))
		put(t, &t->wal, t->arg.p, t->arg.n);
	else if (th->wal && !strcmp(th->call, "fdatasync"))
		th->wal_mark = t->wal.n;
	else if (th->tcp && !strcmp(th->call, "sendto"))
		send_begins(t);
}

static void ends(struct trace *t, struct thread *th, long rc)
{
	if (th->wal && !strcmp(th->call, "fdatasync") && rc == 0) {
		t->flushes++;
		if (th->wal_mark > t->durable)
			t->durable = th->wal_mark;
	} else if (th->tcp && !strcmp(th->call, "sendto")) {
		send_ends(t, rc);
	} else if (th->tcp && !strcmp(th->call, "read")) {
		read_ends(t, rc);
	}
}

/* ---- lines ---- */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \x41\x42... as far as it goes; returns what follows. */
static const char *unescape(struct trace *t, struct octets *out, const char *s)
{
	out->n = 0;
	while (s[0] == '\\' && s[1] == 'x' && hex(s[2]) >= 0 && hex(s[3]) >= 0) {
		uint8_t b = (uint8_t)(hex(s[2]) << 4 | hex(s[3]));

		put(t, out, &b, 1);
		s += 4;
	}
	return s;
}

static struct thread *thread_of(struct trace *t, long tid)
{
	for (int i = 0; i < THREADS_MAX; i++) {
		if (t->thread[i].tid == tid || !t->thread[i].tid) {
			t->thread[i].tid = tid;
			return &t->thread[i];
		}
	}
	die(t, "more threads than otagwd has");
}

/* "9<\x2f...>" or "15<TCP:[...]>": which file is it? */
static void fd_parse(struct trace *t, struct thread *th, const char *s)
{
	static const char suffix[] = WAL_SUFFIX;
	const size_t len = sizeof(suffix) - 1;

	s += strspn(s, "0123456789");
	th->tcp = !strncmp(s, "<TCP:", 5);
	th->wal = false;
	if (*s == '<' && !th->tcp) {
		unescape(t, &t->arg, s + 1);
		th->wal = t->arg.n >= len && !memcmp(t->arg.p + t->arg.n - len, suffix, len);
	}
}

/* The one string among the arguments, if there is one. */
static void string_parse(struct trace *t, const char *s)
{
	const char *quote = strchr(s, '"');

	t->arg.n = 0;
	if (quote && *unescape(t, &t->arg, quote + 1) != '"')
		die(t, "a string that was cut: strace needs -xx -s 1048576");
}

/* "... = 16", padded or not; no string can hold it, they are all in hexadecimal. */
static void result_parse(struct trace *t, struct thread *th, const char *s)
{
	const char *eq = NULL;

	for (const char *p = s; (p = strstr(p, " = ")); p++)
		eq = p;
	if (eq && eq[3] != '?')
		ends(t, th, strtol(eq + 3, NULL, 10));
}

static void line_parse(struct trace *t, const char *s)
{
	static const char resumed[] = " resumed>";
	char *end;
	struct thread *th = thread_of(t, strtol(s, &end, 10));
	size_t n;

	if (end == s)
		die(t, "no line of strace -f");
	s = end + strspn(end, " ");
	if (!strncmp(s, "<... ", 5)) {
		s = strstr(s, resumed);
		if (!s)
			return;
		if (!strcmp(th->call, "read")) /* what was read is known only now */
			string_parse(t, s);
		result_parse(t, th, s + sizeof(resumed) - 1);
		return;
	}
	n = strcspn(s, "(");
	if (!s[n] || n >= sizeof(th->call))
		return; /* signals, exits */
	memcpy(th->call, s, n);
	th->call[n] = 0;
	fd_parse(t, th, s + n + 1);
	string_parse(t, s + n + 1);
	begins(t, th);
	if (!strstr(s, "<unfinished ...>"))
		result_parse(t, th, s);
}

int main(int argc, char **argv)
{
	static struct trace t;
	unsigned long expected;
	char *line = NULL;
	size_t cap = 0;
	FILE *f;

	if (argc != 3) {
		fprintf(stderr, "usage: check_order TRACE COMMANDS\n");
		return 2;
	}
	expected = strtoul(argv[2], NULL, 10);
	f = fopen(argv[1], "r");
	if (!f) {
		perror(argv[1]);
		return 2;
	}
	while (getline(&line, &cap, f) > 0) {
		t.line++;
		line_parse(&t, line);
	}
	fclose(f);
	free(line);
	printf("%lu submit_sm, %lu good deliver_sm_resp, %lu flushes of the log: %lu left too early\n", t.submits,
	       t.answers, t.flushes, t.faults);
	free(t.wal.p);
	free(t.in.p);
	free(t.msgs.p);
	free(t.arg.p);
	free(t.sending.p);
	if (t.faults)
		return 1;
	return t.submits >= expected && t.answers >= expected ? 0 : 2;
}
