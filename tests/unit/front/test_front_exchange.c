/* test_front_exchange.c - packages over mutual TLS on loopback: carried in order, tried again, and who is not let in.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "exchange_tls.h"
#include "tree.h"

#define TURNS_MAX 20000
#define TEXT_CAP  400

static char top[] = "/tmp/otagw-xtls.XXXXXX";
static struct ks *ks;
static uint32_t seed = 1;

static int64_t utc_ms(void *ctx)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int dice(void *ctx, uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)((seed = seed * 1103515245u + 12345u) >> 16);
	return 0;
}

static const struct env env = { .utc_ms = utc_ms, .random = dice };

/* ---- parties ---- */

struct side {
	const char *name;
	char dir[64];
	uint16_t port;
	struct pkg_self *self;
	struct pkg_partner *seen; /* as others have pinned it */
	struct exchange *x;
	uint64_t taken[16], carried[16];
	unsigned n_taken, n_carried, n_log;
	bool refuse;
};
static struct side a = { .name = "op-a" }, b = { .name = "op-b" }, evil = { .name = "op-a" };
static struct event_base *base;

static void party(struct side *s)
{
	char *text, err[TEXT_CAP] = "";
	uint8_t *sealed;
	size_t text_len, sealed_len;

	if (pkg_self_create(ks, s->name, utc_ms(NULL) / 1000, &text, &text_len, &sealed, &sealed_len, err,
			    sizeof(err)) ||
	    pkg_self_load(&s->self, ks, text, text_len, sealed, sealed_len, err, sizeof(err)) ||
	    pkg_partner_load(&s->seen, text, text_len, err, sizeof(err)))
		fail_msg("%s", err);
	free(text);
	free(sealed);
}

static uint16_t free_port(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	close(fd);
	return ntohs(sa.sin_port);
}

static int on_take(void *ctx, const char *name, char *err, size_t cap)
{
	struct side *s = ctx;
	char path[256];
	struct pkg *p;

	if (s->refuse) {
		snprintf(err, cap, "not now");
		return -1;
	}
	snprintf(path, sizeof(path), "%s/in/%s", s->dir, name);
	if (pkg_open(&p, path, err, cap))
		fail_msg("%s", err);
	s->taken[s->n_taken++ % 16] = pkg_head(p)->seq;
	pkg_close(p);
	return 0;
}

static void on_carried(void *ctx, const char *partner, uint64_t seq)
{
	struct side *s = ctx;

	s->carried[s->n_carried++ % 16] = seq;
}

static void on_log(void *ctx, int level, const char *line)
{
	((struct side *)ctx)->n_log++;
}

static void up(struct side *s, const struct side *partner, bool listens)
{
	struct exchange_cfg c = { .listen_host = listens ? "127.0.0.1" : NULL,
				  .listen_port = s->port,
				  .dir = s->dir,
				  .self = s->self,
				  .n_partners = 1,
				  .env = &env,
				  .take = on_take,
				  .carried = on_carried,
				  .log = on_log,
				  .ctx = s };
	char err[TEXT_CAP] = "";

	c.partner[0] = (struct exchange_partner){ .pinned = partner->seen, .host = "127.0.0.1", .port = partner->port };
	s->x = exchange_new(base, &c, err, sizeof(err));
	if (!s->x)
		fail_msg("%s", err);
}

static void down(struct side *s)
{
	exchange_free(s->x);
	s->x = NULL;
}

static void turns_to(const unsigned *counter, unsigned least)
{
	static const struct timeval tick = { 0, 1000 };

	for (int i = 0; i < TURNS_MAX && *counter < least; i++) {
		event_base_loopexit(base, &tick);
		event_base_dispatch(base);
	}
	assert_true(*counter >= least);
}

static void turns(const unsigned *counter, unsigned until)
{
	turns_to(counter, until);
	assert_int_equal(*counter, until);
}

/* An SO of `cards` cards, signed by `from`. */
static void package(const struct side *from, const struct side *to, uint64_t seq, unsigned cards, char path[256])
{
	struct pkg_head h = { .created_s = utc_ms(NULL) / 1000, .seq = seq, .type = "SO", .order = "o-1" };
	char err[TEXT_CAP] = "", line[128];
	struct pkg_writer *w;

	h.expires_s = h.created_s + 3600;
	snprintf(h.from, sizeof(h.from), "%s", from->name);
	snprintf(h.to, sizeof(h.to), "%s", to->name);
	snprintf(h.columns, sizeof(h.columns), "iccid,x");
	snprintf(path, 256, "%s/out-%s%s-%s-%u.otapkg", from->dir, from == &evil ? "evil" : "", from->name, to->name,
		 (unsigned)seq);
	if (pkg_write_open(&w, path, &h, from->self, to->seen, err, sizeof(err)))
		fail_msg("%s", err);
	for (unsigned i = 0; i < cards; i++) {
		snprintf(line, sizeof(line), "898821100000%07u,1", i);
		if (pkg_write_record(w, line, err, sizeof(err)))
			fail_msg("%s", err);
	}
	if (pkg_write_close(w, &h, err, sizeof(err)))
		fail_msg("%s", err);
}

static unsigned files_in(const struct side *s)
{
	char path[128];
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/in", s->dir);
	d = opendir(path);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	closedir(d);
	return n;
}

/* ---- tests ---- */

/* Numbers in whatever order they are told; a partner that is not there yet; one larger than a TLS record by far. */
static void test_carry(void **state)
{
	struct exchange_view v[2];
	char path[4][256];

	up(&a, &b, true);
	for (unsigned i = 0; i < 3; i++)
		package(&a, &b, i + 1, i == 1 ? 20000 : 2, path[i]);
	exchange_carry(a.x, "op-b", path[1], 2);
	exchange_carry(a.x, "op-b", path[0], 1);
	exchange_carry(a.x, "op-b", path[0], 1);
	exchange_carry(a.x, "op-z", path[0], 1); /* nobody: nothing */
	turns_to(&a.n_log, 1);
	assert_int_equal(exchange_views(a.x, v, 2), 1);
	assert_int_equal(v[0].waiting, 2);
	assert_true(*v[0].why);
	up(&b, &a, true);
	turns(&a.n_carried, 2);
	exchange_carry(a.x, "op-b", path[2], 3);
	turns(&a.n_carried, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(b.taken[i], i + 1);
		assert_int_equal(a.carried[i], i + 1);
	}
	assert_int_equal(files_in(&b), 3);
	exchange_views(a.x, v, 2);
	assert_int_equal(v[0].waiting, 0);
	assert_int_equal(v[0].brought, 3);
	exchange_views(b.x, v, 2);
	assert_int_equal(v[0].taken, 3);
	/* the same again, after a restart of the sender that has lost the answer: it is there once */
	down(&a);
	up(&a, &b, true);
	exchange_carry(a.x, "op-b", path[2], 3);
	turns(&a.n_carried, 4);
	assert_int_equal(b.n_taken, 4);
	assert_int_equal(files_in(&b), 3);
	/* told to come later: it does */
	b.refuse = true;
	package(&a, &b, 4, 1, path[3]);
	exchange_carry(a.x, "op-b", path[3], 4);
	a.n_log = 0;
	turns(&a.n_log, 1);
	b.refuse = false;
	turns(&a.n_carried, 5);
	assert_int_equal(b.taken[4], 4);
	/* told again, and its file is gone: it was brought, and what comes behind it goes on */
	assert_int_equal(unlink(path[3]), 0);
	package(&a, &b, 5, 1, path[0]);
	exchange_carry(a.x, "op-b", path[3], 4);
	exchange_carry(a.x, "op-b", path[0], 5);
	turns(&a.n_carried, 6);
	assert_int_equal(b.taken[5], 5);
	down(&a);
	down(&b);
}

/* The name alone is nothing: another certificate is not let in, and not talked to. */
static void test_wrong_certificate(void **state)
{
	char path[256];

	a.n_carried = b.n_taken = b.n_log = 0;
	up(&b, &a, true);
	up(&evil, &b, false);
	package(&evil, &b, 9, 1, path);
	exchange_carry(evil.x, "op-b", path, 9);
	evil.n_log = 0;
	turns(&evil.n_log, 1);
	assert_int_equal(b.n_taken, 0);
	assert_true(b.n_log >= 1);
	down(&evil);
	down(&b);
	/* and the other way round: who listens there is not op-b */
	evil.port = b.port;
	evil.n_log = 0;
	up(&evil, &a, true);
	up(&a, &b, false);
	package(&a, &b, 9, 1, path);
	exchange_carry(a.x, "op-b", path, 9);
	turns(&(unsigned){ 0 }, 0);
	a.n_log = 0;
	turns_to(&a.n_log, 2); /* the certificate, and that the package waits */
	assert_int_equal(evil.n_taken, 0);
	down(&a);
	down(&evil);
}

/* A partner brings what another one has signed, or what is for another one, or no package: nothing stays. */
static void test_not_its_own(void **state)
{
	static struct side c = { .name = "op-c" };
	char path[256], err[TEXT_CAP];
	unsigned had;
	FILE *f;

	party(&c);
	snprintf(c.dir, sizeof(c.dir), "%s", a.dir);
	up(&a, &b, false);
	up(&b, &a, true);
	had = files_in(&b);
	b.n_taken = 0;
	package(&c, &b, 20, 1, path);
	exchange_carry(a.x, "op-b", path, 20);
	a.n_log = 0;
	turns(&a.n_log, 1);
	assert_int_equal(files_in(&b), had);
	package(&a, &c, 20, 1, path);
	assert_int_equal(exchange_import(b.x, path, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "for op-c"));
	f = fopen(path, "we");
	fputs("no package", f);
	fclose(f);
	assert_int_equal(exchange_import(b.x, path, err, sizeof(err)), -1);
	assert_int_equal(exchange_import(b.x, "/nowhere", err, sizeof(err)), -1);
	assert_non_null(strstr(err, "/nowhere"));
	assert_int_equal(files_in(&b), had);
	assert_int_equal(b.n_taken, 0);
	/* what is for us is taken from a file, whoever has brought it */
	package(&a, &b, 21, 1, path);
	if (exchange_import(b.x, path, err, sizeof(err)))
		fail_msg("%s", err);
	assert_int_equal(files_in(&b), had + 1);
	assert_int_equal(b.n_taken, 1);
	down(&a);
	down(&b);
	pkg_self_free(c.self);
	pkg_partner_free(c.seen);
}

static int dial(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				  .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* Strangers without a certificate, that say nothing, or rubbish: partners are served all the same. */
static void test_strangers(void **state)
{
	int fd[EXCHANGE_CONNS_MAX + 40]; /* more than there are places */
	char path[256];

	up(&a, &b, false);
	up(&b, &a, true);
	a.n_carried = b.n_log = 0;
	for (unsigned i = 0; i < EXCHANGE_CONNS_MAX + 40; i++) {
		fd[i] = dial(b.port);
		event_base_loop(base, EVLOOP_NONBLOCK);
		if (i % 8 == 5)
			assert_int_equal(write(fd[i], "POST / HTTP/1.1\r\n\r\n", 19), 19);
		if (i % 8 == 7)
			close(fd[i]), fd[i] = -1;
	}
	for (uint64_t seq = 30; seq < 33; seq++) {
		package(&a, &b, seq, 1, path);
		exchange_carry(a.x, "op-b", path, seq);
	}
	turns(&a.n_carried, 3);
	assert_true(b.n_log <= 3); /* they do not fill the log */
	for (unsigned i = 0; i < EXCHANGE_CONNS_MAX + 40; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	down(&a);
	down(&b);
}

/* Shakes hands, too. */
static bool closed(SSL *ssl)
{
	char c;
	const int rc = SSL_read(ssl, &c, 1);

	return rc <= 0 && SSL_get_error(ssl, rc) != SSL_ERROR_WANT_READ &&
	       SSL_get_error(ssl, rc) != SSL_ERROR_WANT_WRITE;
}

/* A partner that comes many times at once keeps a few places only. */
static void test_greedy(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl[3 * EXCHANGE_CONNS_ONE];
	struct evp_pkey_st *key;
	struct x509_st *cert;
	unsigned shaken = 0, open = 0;
	int fd[3 * EXCHANGE_CONNS_ONE];

	up(&b, &a, true);
	pkg_self_tls(a.self, &key, &cert);
	assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	for (unsigned i = 0; i < 3 * EXCHANGE_CONNS_ONE; i++) {
		fd[i] = dial(b.port);
		assert_int_equal(evutil_make_socket_nonblocking(fd[i]), 0);
		ssl[i] = SSL_new(ctx);
		SSL_set_fd(ssl[i], fd[i]);
		SSL_set_connect_state(ssl[i]);
	}
	for (int turn = 0; turn < TURNS_MAX && open != EXCHANGE_CONNS_ONE; turn++) {
		shaken = open = 0;
		for (unsigned i = 0; i < 3 * EXCHANGE_CONNS_ONE; i++) {
			open += !closed(ssl[i]);
			shaken += SSL_is_init_finished(ssl[i]);
		}
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		poll(NULL, 0, 1);
	}
	assert_true(shaken >= EXCHANGE_CONNS_ONE);
	assert_int_equal(open, EXCHANGE_CONNS_ONE);
	for (unsigned i = 0; i < 3 * EXCHANGE_CONNS_ONE; i++) {
		SSL_free(ssl[i]);
		close(fd[i]);
	}
	SSL_CTX_free(ctx);
	down(&b);
}

/* TLS without a certificate of one's own ends in the handshake. */
static void test_no_certificate(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	char buf[16];
	int rc = -1, fd;

	up(&b, &a, true);
	b.n_log = b.n_taken = 0;
	fd = dial(b.port);
	assert_int_equal(evutil_make_socket_nonblocking(fd), 0);
	SSL_set_fd(ssl, fd);
	SSL_set_connect_state(ssl);
	for (int i = 0; i < TURNS_MAX && !b.n_log; i++) {
		rc = SSL_read(ssl, buf, sizeof(buf));
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 1);
	}
	assert_true(rc <= 0);
	assert_true(b.n_log >= 1);
	assert_int_equal(b.n_taken, 0);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
	down(&b);
}

/* ---- life ---- */

static int setup(void **state)
{
	static const uint8_t kek[32] = { 7 };
	const struct ks_open_params kp = { .source = KS_KEK_MEMORY, .kek = kek, .slots = 8 };
	struct side *all[] = { &a, &b, &evil };
	char err[TEXT_CAP], path[128];
	uint8_t made[KS_CHECK_LEN];

	signal(SIGPIPE, SIG_IGN); /* as main.c does */
	if (!mkdtemp(top) || ks_open(&ks, &kp, NULL, 0, made, err, sizeof(err)))
		return -1;
	base = event_base_new();
	for (unsigned i = 0; i < 3; i++) {
		snprintf(all[i]->dir, sizeof(all[i]->dir), "%s/%u", top, i);
		snprintf(path, sizeof(path), "%s/in", all[i]->dir);
		if (mkdir(all[i]->dir, 0700) || mkdir(path, 0700))
			return -1;
		party(all[i]);
		all[i]->port = free_port();
	}
	return 0;
}

static int teardown(void **state)
{
	struct side *all[] = { &a, &b, &evil };

	for (unsigned i = 0; i < 3; i++) {
		pkg_self_free(all[i]->self);
		pkg_partner_free(all[i]->seen);
	}
	event_base_free(base);
	ks_close(ks);
	tree_remove(top);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_carry),	       cmocka_unit_test(test_wrong_certificate),
		cmocka_unit_test(test_not_its_own),    cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_no_certificate), cmocka_unit_test(test_greedy),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
