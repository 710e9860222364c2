/* test_hlr_osmo.c - the adapter to OsmoHLR: against otasim's register over TCP and, given a path, against a real osmo-hlr or the
 * program otasim.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sqlite3.h>
#include <unistd.h>

#include "contrib/otasim/hlr/sim_hlr.h"
#include "hlr.h"
#include "hlr_ctrl.h"
#include "hlr_osmo_db.h"

#define IMSI	  "001020000000501"
#define ICCID	  "8988211000000000012"
#define WAIT_MS	  10000 /* a test that waits longer has failed */
#define CTRL_PORT 4259

static const char *real; /* path of osmo-hlr or otasim, NULL: the virtual one */

enum mischief { NONE, SILENT, RUBBISH, CLOSES, LIES };

struct bed {
	char db[128]; /* of a real OsmoHLR */
	struct event_base *base;
	struct ks *ks;
	struct hlr *hlr;
	struct hlr_result last[64];
	unsigned results;
	unsigned lines;
	char log[400];
	/* the virtual register */
	struct sim_hlr *sim;
	struct evconnlistener *listener;
	int fd;
	struct event *ev;
	uint8_t in[8192];
	size_t in_len;
	enum mischief mischief;
	unsigned requests;
	/* the real one */
	pid_t pid;
	char dir[64], host[20];
	uint16_t port;
};

/* ---- virtual register ---- */

static void serve(evutil_socket_t fd, short what, void *ctx)
{
	struct bed *b = ctx;
	ssize_t n = recv(fd, b->in + b->in_len, sizeof(b->in) - b->in_len, 0);
	int len;

	(void)what;
	if (n <= 0) {
		event_free(b->ev);
		b->ev = NULL;
		close(fd);
		return;
	}
	b->in_len += (size_t)n;
	while ((len = ctrl_frame(b->in, b->in_len)) > 0) {
		char text[512], reply[SIM_HLR_REPLY_MAX];
		uint8_t out[SIM_HLR_REPLY_MAX + 8];
		size_t out_len;

		memcpy(text, b->in + 4, (size_t)len - 4);
		text[len - 4] = '\0';
		memmove(b->in, b->in + len, b->in_len - (size_t)len);
		b->in_len -= (size_t)len;
		b->requests++;
		if (b->mischief == SILENT)
			continue;
		if (b->mischief == CLOSES) {
			shutdown(fd, SHUT_RDWR);
			return;
		}
		sim_hlr_ctrl(b->sim, text, reply);
		if (b->mischief == LIES && strstr(text, "aud3g")) {
			char other[200];

			snprintf(other, sizeof(other), "SET 1 subscriber.by-imsi-%s.aud3g milenage,%032d,opc,%032d",
				 IMSI, 1, 2);
			sim_hlr_ctrl(b->sim, other, (char[SIM_HLR_REPLY_MAX]){ 0 });
		}
		out_len = ctrl_put(out, sizeof(out), reply);
		if (b->mischief == RUBBISH)
			memcpy(out, "HTTP/1.1 400", 12);
		assert_int_equal(send(fd, out, out_len, MSG_NOSIGNAL), out_len);
	}
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *ctx)
{
	struct bed *b = ctx;

	(void)l;
	(void)sa;
	(void)len;
	assert_null(b->ev);
	b->in_len = 0;
	b->ev = event_new(b->base, fd, EV_READ | EV_PERSIST, serve, b);
	event_add(b->ev, NULL);
}

static void listen_on(struct bed *b, uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_port = htons(port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);

	b->listener = evconnlistener_new_bind(b->base, on_accept, b, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 4,
					      (struct sockaddr *)&sin, sizeof(sin));
	assert_non_null(b->listener);
	getsockname(evconnlistener_get_fd(b->listener), (struct sockaddr *)&sin, &len);
	b->port = ntohs(sin.sin_port);
}

/* ---- the real one ---- */

static bool port_taken(const char *host)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(CTRL_PORT) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), rc;

	inet_pton(AF_INET, host, &sin.sin_addr);
	rc = connect(fd, (struct sockaddr *)&sin, sizeof(sin));
	close(fd);
	return !rc;
}

/* Its ports are fixed: each run takes a loopback address of its own. */
static void real_start(struct bed *b)
{
	char cfg[128], log[128], operator_a[64];
	FILE *f;

	srand((unsigned)getpid());
	for (int i = 0; i < 20; i++) {
		snprintf(b->host, sizeof(b->host), "127.%d.%d.1", 100 + rand() % 100, rand() % 250);
		if (!port_taken(b->host))
			break;
	}
	snprintf(cfg, sizeof(cfg), "%s/osmo-hlr.cfg", b->dir);
	snprintf(log, sizeof(log), "%s/log", b->dir);
	if (strstr(real, "osmo-hlr"))
		snprintf(b->db, sizeof(b->db), "%s/hlr.db", b->dir);
	f = fopen(cfg, "w");
	assert_non_null(f);
	fprintf(f, "line vty\n bind %s\nctrl\n bind %s\nhlr\n gsup\n  bind ip %s\n", b->host, b->host, b->host);
	fclose(f);
	snprintf(operator_a, sizeof(operator_a), "A=00102,hlr=%s:%d", b->host, CTRL_PORT);
	b->port = CTRL_PORT;
	b->pid = fork();
	assert_true(b->pid >= 0);
	if (!b->pid) {
		int fd = open(log, O_WRONLY | O_CREAT, 0600);

		dup2(fd, 1);
		dup2(fd, 2);
		if (strstr(real, "osmo-hlr"))
			execl(real, real, "-c", cfg, "-l", b->db, (char *)NULL);
		else
			execl(real, real, "--quiet", "--cards", "1", "--operator", operator_a, "--hlr-fill", "none",
			      (char *)NULL);
		_exit(127);
	}
}

static void real_stop(struct bed *b)
{
	static const char *const files[] = { "osmo-hlr.cfg", "log", "hlr.db", "hlr.db-wal", "hlr.db-shm" };
	char path[128];

	if (b->pid) {
		kill(b->pid, SIGTERM);
		waitpid(b->pid, NULL, 0);
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", b->dir, files[i]);
		unlink(path);
	}
}

/* ---- bed ---- */

static void on_result(void *ctx, const struct hlr_result *r)
{
	struct bed *b = ctx;

	assert_true(b->results < 64);
	b->last[b->results++] = *r;
}

static void on_log(void *ctx, int level, const char *line)
{
	struct bed *b = ctx;

	(void)level;
	b->lines++;
	snprintf(b->log, sizeof(b->log), "%s", line);
}

static void stop(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(ctx);
}

/* Turns the loop until cond, bounded. */
#define WAIT_FOR(b, cond)                                                          \
	do {                                                                       \
		const struct timeval tick = { 0, 10000 };                          \
		for (int left = WAIT_MS / 10; !(cond) && left; left--) {           \
			struct event *t = evtimer_new((b)->base, stop, (b)->base); \
			evtimer_add(t, &tick);                                     \
			event_base_dispatch((b)->base);                            \
			event_free(t);                                             \
		}                                                                  \
		if (!(cond))                                                       \
			fail_msg("waited for %s; last log: %s", #cond, (b)->log);  \
	} while (0)

static void adapter_start(struct bed *b, unsigned timeout_ms)
{
	const struct hlr_osmo_cfg cfg = { .host = b->host,
					  .port = b->port,
					  .timeout_ms = timeout_ms,
					  .reconnect_ms = 20,
					  .reconnect_max_ms = 100,
					  .sqn_database = b->db[0] ? b->db : NULL };

	b->hlr = hlr_osmo_new(&cfg, b->base, b->ks, on_result, on_log, b);
	assert_non_null(b->hlr);
}

static int setup(void **state)
{
	static const uint8_t kek[32] = "0123456789abcdef0123456789ABCDEF";
	const struct ks_open_params p = { .source = KS_KEK_MEMORY, .kek = kek, .slots = 4 };
	struct bed *b = calloc(1, sizeof(*b));
	char err[200];

	b->base = event_base_new();
	assert_int_equal(ks_open(&b->ks, &p, NULL, 0, NULL, err, sizeof(err)), 0);
	strcpy(b->dir, "/tmp/otagw-hlr-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	strcpy(b->host, "127.0.0.1");
	b->sim = sim_hlr_new();
	if (real)
		real_start(b);
	else
		listen_on(b, 0);
	adapter_start(b, real ? 3000 : 300);
	WAIT_FOR(b, hlr_osmo_connected(b->hlr));
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	if (b->hlr)
		b->hlr->ops->free(b->hlr);
	if (b->ev) {
		close(event_get_fd(b->ev));
		event_free(b->ev);
	}
	if (b->listener)
		evconnlistener_free(b->listener);
	if (real)
		real_stop(b);
	sim_hlr_free(b->sim);
	event_base_free(b->base);
	ks_close(b->ks);
	assert_int_equal(rmdir(b->dir), 0);
	free(b);
	return 0;
}

static void sub_make(struct bed *b, uint8_t sub[KS_SUB_LEN], const char *k)
{
	char k_hex[33], opc[] = "cd63cb71954a9f4e48a5994e37a02baf", err[200];

	snprintf(k_hex, sizeof(k_hex), "%s", k);
	assert_int_equal(ks_sub_import(b->ks, ICCID,
				       &(struct ks_sub_spec){ .index = 1, .aka = KS_AKA_MILENAGE, .sqn = 1 }, k_hex,
				       opc, sub, err, sizeof(err)),
			 KS_SUB_LEN);
}

static const char *bridge = "";
static uint64_t old_sqn;

static struct hlr_result *run_op(struct bed *b, enum hlr_kind kind, const char *imsi, const char *msisdn, const char *k)
{
	struct hlr_op op = { .id = b->results + 100, .kind = kind };
	unsigned before = b->results;

	snprintf(op.imsi, sizeof(op.imsi), "%s", imsi);
	snprintf(op.msisdn, sizeof(op.msisdn), "%s", msisdn);
	snprintf(op.bridge, sizeof(op.bridge), "%s", bridge);
	op.sqn = old_sqn;
	strcpy(op.iccid, ICCID);
	op.keyed = k != NULL;
	if (k)
		sub_make(b, op.sub, k);
	assert_int_equal(b->hlr->ops->submit(b->hlr, &op), 0);
	WAIT_FOR(b, b->results == before + 1);
	assert_int_equal(b->last[before].id, op.id);
	return &b->last[before];
}

#define K1 "465b5ce8b199b49faa5f0a2ee238a6bc"
#define K2 "465b5ce8b199b49faa5f0a2ee238a6bd"

/* New keys for a subscriber that is there: in the place of those that are known, and nothing else of it changes. */
static struct hlr_result *rekey(struct bed *b, const char *imsi, const char *k, const char *was)
{
	struct hlr_op op = { .id = b->results + 100, .kind = HLR_REKEY, .iccid = ICCID, .has_was = was != NULL };
	unsigned before = b->results;

	snprintf(op.imsi, sizeof(op.imsi), "%s", imsi);
	sub_make(b, op.sub, k);
	if (was)
		sub_make(b, op.was, was);
	assert_int_equal(b->hlr->ops->submit(b->hlr, &op), 0);
	WAIT_FOR(b, b->results == before + 1);
	return &b->last[before];
}

static void test_rekey(void **state)
{
	static const char k3[] = "465b5ce8b199b49faa5f0a2ee238a6be";
	struct bed *b = *state;
	struct hlr_result *r;

	assert_int_equal(rekey(b, IMSI, K2, K1)->end, HLR_ABSENT);
	assert_int_equal(run_op(b, HLR_PROVISION, IMSI, "491510001", K1)->end, HLR_OK);
	r = rekey(b, IMSI, k3, K2);
	assert_int_equal(r->end, HLR_REFUSED);
	assert_non_null(strstr(r->why, "other keys"));
	r = rekey(b, IMSI, K2, K1);
	if (r->end != HLR_OK)
		fail_msg("%s", r->why);
	assert_true(r->has_keys);
	assert_string_equal(r->msisdn, "491510001");
	assert_int_equal(rekey(b, IMSI, K2, K1)->end, HLR_OK); /* once more: they are there */
	assert_int_equal(run_op(b, HLR_PROVISION, IMSI, "491510001", K2)->end, HLR_OK);
	assert_int_equal(run_op(b, HLR_PROVISION, IMSI, "491510001", K1)->end, HLR_REFUSED);
	assert_int_equal(rekey(b, IMSI, k3, NULL)->end, HLR_OK); /* whatever it had */
	assert_int_equal(run_op(b, HLR_PROVISION, IMSI, "491510001", k3)->end, HLR_OK);
}

static void test_provision(void **state)
{
	struct bed *b = *state;
	struct hlr_result *r;

	assert_int_equal(run_op(b, HLR_READ, IMSI, "", NULL)->end, HLR_ABSENT);
	r = run_op(b, HLR_PROVISION, IMSI, "491510001", K1);
	if (r->end != HLR_OK)
		fail_msg("%s", r->why);
	assert_string_equal(r->msisdn, "491510001");
	assert_true(r->cs && r->ps && r->has_keys);
	assert_int_equal(r->sqn, 0);
	assert_string_equal(r->vlr, "");
	/* once more: the same */
	assert_int_equal(run_op(b, HLR_PROVISION, IMSI, "491510001", K1)->end, HLR_OK);
	/* other keys for an IMSI that has some: not ours to change */
	r = run_op(b, HLR_PROVISION, IMSI, "491510001", K2);
	assert_int_equal(r->end, HLR_REFUSED);
	assert_non_null(strstr(r->why, "other keys"));
	assert_null(strstr(r->why, "465b"));
	r = run_op(b, HLR_READ, IMSI, "", NULL);
	assert_int_equal(r->end, HLR_OK);
	assert_string_equal(r->msisdn, "491510001");
}

static void test_msisdn(void **state)
{
	struct bed *b = *state;
	struct hlr_result *r;

	assert_int_equal(run_op(b, HLR_PROVISION, IMSI, "491510001", K1)->end, HLR_OK);
	assert_int_equal(run_op(b, HLR_PROVISION, "001020000000502", "", K2)->end, HLR_OK);
	/* a number is one subscriber's */
	r = run_op(b, HLR_MSISDN, "001020000000502", "491510001", NULL);
	assert_int_equal(r->end, HLR_TAKEN);
	assert_non_null(strstr(r->why, "MSISDN"));
	/* until it is free there is another one, where there is one */
	r = run_op(b, HLR_PROVISION, "001020000000502", "491510001", K2);
	assert_int_equal(r->end, HLR_REFUSED);
	assert_non_null(strstr(r->why, "msisdn-bridge"));
	bridge = "491519999";
	r = run_op(b, HLR_PROVISION, "001020000000502", "491510001", K2);
	assert_int_equal(r->end, HLR_OK);
	assert_true(r->bridged);
	assert_string_equal(r->msisdn, bridge);
	r = run_op(b, HLR_PROVISION, "001020000000504", "491510001", K2); /* and that one is a subscriber's, too */
	assert_int_equal(r->end, HLR_TAKEN);
	bridge = "";
	assert_int_equal(run_op(b, HLR_MSISDN, IMSI, "", NULL)->end, HLR_OK);
	assert_int_equal(run_op(b, HLR_MSISDN, "001020000000502", "491510001", NULL)->end, HLR_OK);
	assert_string_equal(run_op(b, HLR_READ, "001020000000502", "", NULL)->msisdn, "491510001");
	assert_string_equal(run_op(b, HLR_READ, IMSI, "", NULL)->msisdn, "");
	assert_int_equal(run_op(b, HLR_MSISDN, "001020000000503", "491510003", NULL)->end, HLR_ABSENT);
}

/* Keys that are there are not written anew: the register would count from 0 again. */
static void test_again(void **state)
{
	struct bed *b = *state;
	struct sim_hlr_vector v;

	assert_int_equal(run_op(b, HLR_PROVISION, IMSI, "491510001", K1)->end, HLR_OK);
	assert_int_equal(sim_hlr_vector(b->sim, IMSI, (const uint8_t[16]){ 1 }, &v), SIM_HLR_OK);
	assert_int_equal(run_op(b, HLR_PROVISION, IMSI, "491510001", K1)->end, HLR_OK);
	assert_int_equal(run_op(b, HLR_READ, IMSI, "", NULL)->sqn, 33);
}

/* No OsmoHLR has it open: nothing is made beside it. */
static void sqn_stopped(struct bed *b)
{
	char err[200], wal[160];

	snprintf(wal, sizeof(wal), "%s-wal", b->db);
	b->hlr->ops->free(b->hlr);
	b->hlr = NULL;
	kill(b->pid, SIGTERM);
	waitpid(b->pid, NULL, 0);
	b->pid = 0;
	assert_int_not_equal(access(wal, F_OK), 0);
	assert_int_equal(hlr_osmo_db_sqn(b->db, IMSI, 300000, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "no OsmoHLR has"));
	assert_int_not_equal(access(wal, F_OK), 0);
}

/* SQN goes on where the card's old register was; by OsmoHLR's own database alone, and never back. */
static void test_sqn(void **state)
{
	struct bed *b = *state;
	struct hlr_result *r;
	char err[200];

	old_sqn = 100000;
	r = run_op(b, HLR_PROVISION, IMSI, "491510001", K1);
	old_sqn = 0;
	assert_int_equal(r->end, HLR_OK);
	r = run_op(b, HLR_READ, IMSI, "", NULL);
	if (!b->db[0]) {
		assert_int_equal(r->sqn, 0);
		return;
	}
	assert_true(r->sqn >= 100000 && r->sqn < 110000);
	assert_int_equal(hlr_osmo_db_sqn(b->db, IMSI, 50000, err, sizeof(err)), 0); /* it is higher */
	assert_true(run_op(b, HLR_READ, IMSI, "", NULL)->sqn >= 100000);
	assert_int_equal(hlr_osmo_db_sqn(b->db, "001020000000599", 1, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "no Milenage keys"));
	assert_int_equal(hlr_osmo_db_sqn("/nowhere/hlr.db", IMSI, 1, err, sizeof(err)), -1);
	assert_int_equal(hlr_osmo_db_sqn(b->db, IMSI, 1ull << 48, err, sizeof(err)), -1);
	assert_int_equal(run_op(b, HLR_PROVISION, IMSI, "491510001", K1)->end, HLR_OK); /* it stays where it is */
	assert_true(run_op(b, HLR_READ, IMSI, "", NULL)->sqn >= 100000);
	old_sqn = 1ull << 40; /* no card has gone so far since this register had it */
	assert_int_equal(run_op(b, HLR_PROVISION, IMSI, "491510001", K1)->end, HLR_OK);
	old_sqn = 0;
	assert_true(run_op(b, HLR_READ, IMSI, "", NULL)->sqn < 110000);
	assert_non_null(strstr(b->log, "far below"));
	old_sqn = (1ull << 47) + 1; /* no card may be brought to where it cannot count on, also a new one */
	assert_int_equal(run_op(b, HLR_PROVISION, "001020000000507", "", K1)->end, HLR_OK);
	old_sqn = 0;
	assert_int_equal(run_op(b, HLR_READ, "001020000000507", "", NULL)->sqn, 0);
	assert_non_null(strstr(b->log, "half of what"));
	sqn_stopped(b);
}

static void test_remove(void **state)
{
	struct bed *b = *state;

	assert_int_equal(run_op(b, HLR_PROVISION, IMSI, "491510001", K1)->end, HLR_OK);
	/* with other keys it is somebody else's */
	assert_int_equal(run_op(b, HLR_READ, IMSI, "", K2)->end, HLR_REFUSED);
	assert_int_equal(run_op(b, HLR_READ, IMSI, "", K1)->end, HLR_OK);
	assert_int_equal(run_op(b, HLR_REMOVE, IMSI, "", K2)->end, HLR_REFUSED);
	assert_int_equal(run_op(b, HLR_READ, IMSI, "", NULL)->end, HLR_OK);
	assert_int_equal(run_op(b, HLR_REMOVE, IMSI, "", K1)->end, HLR_OK);
	assert_int_equal(run_op(b, HLR_READ, IMSI, "", NULL)->end, HLR_ABSENT);
	assert_int_equal(run_op(b, HLR_READ, IMSI, "", K1)->end, HLR_ABSENT);
	assert_int_equal(run_op(b, HLR_PROVISION, IMSI, "491510001", K1)->end, HLR_OK);
	assert_int_equal(run_op(b, HLR_REMOVE, IMSI, "", NULL)->end, HLR_OK);
	assert_int_equal(run_op(b, HLR_REMOVE, IMSI, "", NULL)->end, HLR_OK); /* and again */
	assert_int_equal(run_op(b, HLR_READ, IMSI, "", NULL)->end, HLR_ABSENT);
}

/* Many at a time, answers to each. */
static void test_many(void **state)
{
	struct bed *b = *state;
	struct hlr_op op = { .kind = HLR_PROVISION, .iccid = ICCID };

	sub_make(b, op.sub, K1);
	for (unsigned i = 0; i < 50; i++) {
		op.id = i;
		snprintf(op.imsi, sizeof(op.imsi), "00102000000%04u", i);
		snprintf(op.msisdn, sizeof(op.msisdn), "49151%04u", i);
		assert_int_equal(b->hlr->ops->submit(b->hlr, &op), 0);
	}
	WAIT_FOR(b, b->results == 50);
	for (unsigned i = 0; i < 50; i++)
		if (b->last[i].end != HLR_OK)
			fail_msg("%u: %s", i, b->last[i].why);
}

static void test_bad_asking(void **state)
{
	struct bed *b = *state;
	struct hlr_op op = { .kind = HLR_READ };

	strcpy(op.imsi, "12 34");
	assert_int_equal(b->hlr->ops->submit(b->hlr, &op), -EINVAL);
	strcpy(op.imsi, "1");
	assert_int_equal(b->hlr->ops->submit(b->hlr, &op), -EINVAL);
	/* keys of another card */
	strcpy(op.imsi, IMSI);
	op.kind = HLR_PROVISION;
	strcpy(op.iccid, "8988211000000000013");
	sub_make(b, op.sub, K1);
	assert_int_equal(b->hlr->ops->submit(b->hlr, &op), 0);
	WAIT_FOR(b, b->results == 1);
	assert_int_equal(b->last[0].end, HLR_REFUSED);
	assert_non_null(strstr(b->last[0].why, "do not open"));
}

/* ---- what only the virtual one can do ---- */

static void mischief(struct bed *b, enum mischief m, enum hlr_end end, const char *why)
{
	struct hlr_result *r;

	b->mischief = m;
	r = run_op(b, HLR_PROVISION, IMSI, "491510001", K1);
	assert_int_equal(r->end, end);
	if (!strstr(r->why, why))
		fail_msg("\"%s\" does not say \"%s\"", r->why, why);
	b->mischief = NONE;
	sim_hlr_ctrl(b->sim, "SET 1 subscriber.delete " IMSI, (char[SIM_HLR_REPLY_MAX]){ 0 });
	WAIT_FOR(b, hlr_osmo_connected(b->hlr));
	assert_int_equal(run_op(b, HLR_PROVISION, IMSI, "491510001", K1)->end, HLR_OK);
	sim_hlr_ctrl(b->sim, "SET 1 subscriber.delete " IMSI, (char[SIM_HLR_REPLY_MAX]){ 0 });
}

static void test_mischief(void **state)
{
	struct bed *b = *state;

	mischief(b, SILENT, HLR_TEMPORARY, "no answer in time");
	mischief(b, CLOSES, HLR_TEMPORARY, "closed by the register");
	mischief(b, RUBBISH, HLR_TEMPORARY, "not an OsmoHLR");
	mischief(b, LIES, HLR_REFUSED, "read back: keys");
}

static void test_not_there(void **state)
{
	struct bed *b = *state;
	uint16_t port = b->port;

	evconnlistener_free(b->listener);
	b->listener = NULL;
	close(event_get_fd(b->ev));
	event_free(b->ev);
	b->ev = NULL;
	WAIT_FOR(b, !hlr_osmo_connected(b->hlr));
	assert_int_equal(run_op(b, HLR_READ, IMSI, "", NULL)->end, HLR_TEMPORARY);
	listen_on(b, port);
	WAIT_FOR(b, hlr_osmo_connected(b->hlr));
	assert_int_equal(run_op(b, HLR_READ, IMSI, "", NULL)->end, HLR_ABSENT);
}

/* Location and SQN as a network leaves them. */
static void test_served(void **state)
{
	struct bed *b = *state;
	struct sim_hlr_vector v;
	struct hlr_result *r;

	assert_int_equal(run_op(b, HLR_PROVISION, IMSI, "491510001", K1)->end, HLR_OK);
	assert_int_equal(sim_hlr_vector(b->sim, IMSI, (const uint8_t[16]){ 1 }, &v), SIM_HLR_OK);
	assert_int_equal(sim_hlr_vector(b->sim, "001020000000999", (const uint8_t[16]){ 1 }, &v), SIM_HLR_UNKNOWN);
	assert_true(sim_hlr_locate(b->sim, IMSI, "491700"));
	r = run_op(b, HLR_READ, IMSI, "", NULL);
	assert_string_equal(r->vlr, "491700");
	assert_int_equal(r->sqn, 33); /* as the first one of a real OsmoHLR */
}

/* The vector of the virtual register is the one that the keystore makes of the same keys; its AUTS is believed. */
static void test_vectors_agree(void **state)
{
	struct bed *b = *state;
	const uint8_t rand[16] = { 9, 8, 7 }, amf[2] = { 0x80, 0 }, sqn[6] = { 0, 0, 0, 0, 0, 33 },
		      far[6] = { 0, 0, 1, 0, 0, 1 };
	struct sim_hlr_vector v;
	struct ks_vector mine;
	uint8_t sub[KS_SUB_LEN];

	sub_make(b, sub, K1);
	assert_int_equal(run_op(b, HLR_PROVISION, IMSI, "491510001", K1)->end, HLR_OK);
	assert_int_equal(sim_hlr_vector(b->sim, IMSI, rand, &v), SIM_HLR_OK);
	assert_int_equal(ks_milenage(b->ks, ICCID, sub, sizeof(sub), rand, sqn, amf, &mine), 0);
	assert_memory_equal(v.autn, mine.autn, 16);
	assert_memory_equal(v.xres, mine.xres, 8);
	assert_int_equal(ks_milenage(b->ks, ICCID, sub, sizeof(sub), rand, far, amf, &mine), 0);
	mine.auts[3] ^= 1;
	assert_false(sim_hlr_resync(b->sim, IMSI, rand, mine.auts));
	mine.auts[3] ^= 1;
	assert_true(sim_hlr_resync(b->sim, IMSI, rand, mine.auts));
	assert_int_equal(run_op(b, HLR_READ, IMSI, "", NULL)->sqn, 0x01000001ull);
}

static void turns(struct bed *b, int n)
{
	const struct timeval tick = { 0, 10000 };

	while (n--) {
		struct event *t = evtimer_new(b->base, stop, b->base);

		evtimer_add(t, &tick);
		event_base_dispatch(b->base);
		event_free(t);
	}
}

static void provision_41(struct bed *b, uint64_t sqn)
{
	struct hlr_op op = { .id = 41, .kind = HLR_PROVISION, .imsi = IMSI, .msisdn = "491510001", .iccid = ICCID };

	sub_make(b, op.sub, K1);
	op.keyed = true;
	op.sqn = sqn;
	assert_int_equal(b->hlr->ops->submit(b->hlr, &op), 0);
}

/* Somebody else writes to the database: the loop turns on, and it is set when he is through; in the end it is left. */
static void test_sqn_busy(void **state)
{
	static const char *const files[] = { "", "-wal", "-shm" };
	struct bed *b = *state;
	sqlite3 *db;

	snprintf(b->db, sizeof(b->db), "%s/hlr.db", b->dir);
	assert_int_equal(sqlite3_open(b->db, &db), 0);
	assert_int_equal(
		sqlite3_exec(db,
			     "PRAGMA journal_mode = WAL; CREATE TABLE subscriber(id INTEGER PRIMARY KEY, imsi);"
			     "CREATE TABLE auc_3g(subscriber_id, algo_id_3g, sqn);"
			     "INSERT INTO subscriber VALUES(1, '" IMSI "'); INSERT INTO auc_3g VALUES(1, 5, 0);"
			     "BEGIN IMMEDIATE",
			     NULL, NULL, NULL),
		0);
	b->hlr->ops->free(b->hlr);
	adapter_start(b, 300);
	WAIT_FOR(b, hlr_osmo_connected(b->hlr));
	provision_41(b, 100000);
	turns(b, 10);
	assert_int_equal(b->results, 0);
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), 0);
	WAIT_FOR(b, b->results == 1);
	assert_int_equal(b->last[0].end, HLR_OK);
	assert_true(b->last[0].sqn >= 100000);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), 0);
	provision_41(b, 200000);
	WAIT_FOR(b, b->results == 2);
	assert_int_equal(b->last[1].end, HLR_OK);
	assert_int_equal(b->last[1].sqn, 0);
	assert_non_null(strstr(b->log, "is not set"));
	sqlite3_close(db);
	for (int i = 0; i < 3; i++) {
		char path[160];

		snprintf(path, sizeof(path), "%s%s", b->db, files[i]);
		unlink(path);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest both[] = {
		cmocka_unit_test_setup_teardown(test_provision, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rekey, setup, teardown),
		cmocka_unit_test_setup_teardown(test_msisdn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sqn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_asking, setup, teardown),
	};
	const struct CMUnitTest virtual[] = {
		cmocka_unit_test_setup_teardown(test_mischief, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_served, setup, teardown),
		cmocka_unit_test_setup_teardown(test_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sqn_busy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vectors_agree, setup, teardown),
	};

	real = argc > 1 ? argv[1] : NULL;
	return cmocka_run_group_tests(both, NULL, NULL) || (!real && cmocka_run_group_tests(virtual, NULL, NULL));
}
