/* test_front_http.c - the api over a Unix socket: routes, limits, clients that go away, a stale socket file.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The client is blocking and the server is turned by hand in between: one thread, no waiting by the clock.
 */
#include "front_fix.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http.h"

#define TURNS_MAX 5000

struct server {
	struct front *f;
	struct event_base *base;
	struct http *http;
	char dir[64], path[96];
	char got[200000];
};

static int setup(void **state)
{
	struct server *s = calloc(1, sizeof(*s));
	char err[256] = "";

	s->f = front_new(PROFILE_DIR);
	snprintf(s->dir, sizeof(s->dir), "/tmp/otagw-http.XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/api.sock", s->dir);
	s->base = event_base_new();
	s->http = http_new(s->base, s->f->api, s->path, err, sizeof(err));
	if (!s->http)
		fail_msg("%s", err);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct server *s = *state;

	http_free(s->http);
	assert_int_equal(access(s->path, F_OK), -1);
	front_free(s->f);
	event_base_free(s->base);
	assert_int_equal(rmdir(s->dir), 0);
	free(s);
	return 0;
}

static void turn(struct server *s)
{
	event_base_loop(s->base, EVLOOP_NONBLOCK);
	front_turn(s->f);
}

static int dial(struct server *s)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(sa.sun_path, s->path, strlen(s->path) + 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* Sends all of it, turning the server when the socket is full. */
static void put(struct server *s, int fd, const char *p, size_t n)
{
	for (int i = 0; n && i < TURNS_MAX; i++) {
		ssize_t done = send(fd, p, n, MSG_NOSIGNAL);

		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
		turn(s);
	}
}

/* Reads until `answers` whole answers are there, or the server closes.  Returns the number of answers. */
static unsigned get(struct server *s, int fd, unsigned answers)
{
	size_t n = 0, at = 0;
	unsigned have = 0;

	s->got[0] = 0;
	for (int i = 0; i < TURNS_MAX && have < answers; i++) {
		ssize_t got = recv(fd, s->got + n, sizeof(s->got) - 1 - n, 0);

		if (got == 0)
			break;
		if (got > 0)
			n += (size_t)got;
		s->got[n] = 0;
		for (;;) {
			char *end = strstr(s->got + at, "\r\n\r\n"), *len = strstr(s->got + at, "Content-Length: ");
			size_t whole;

			if (!end)
				break;
			whole = (size_t)(end + 4 - s->got) + (len && len < end ? strtoul(len + 16, NULL, 10) : 0);
			if (whole > n)
				break;
			at = whole;
			have++;
		}
		turn(s);
	}
	return have;
}

static int status_of(const struct server *s)
{
	return strncmp(s->got, "HTTP/1.1 ", 9) ? -1 : atoi(s->got + 9);
}

static const char *body_of(const struct server *s)
{
	const char *b = strstr(s->got, "\r\n\r\n");

	return b ? b + 4 : "";
}

static int ask(struct server *s, int fd, const char *method, const char *path, const char *body)
{
	size_t cap = strlen(path) + (body ? strlen(body) : 0) + 256;
	char *req = malloc(cap);
	int n = snprintf(req, cap, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", method, path,
			 body ? strlen(body) : 0, body ? body : "");

	put(s, fd, req, (size_t)n);
	free(req);
	assert_int_equal(get(s, fd, 1), 1);
	return status_of(s);
}

static void has(const struct server *s, const char *part)
{
	if (!strstr(s->got, part))
		fail_msg("\"%s\" is not in \"%s\"", part, s->got);
}

#define API "/api/v1/"

/* An operator's afternoon over one connection. */
static void test_all_of_it(void **state)
{
	struct server *s = *state;
	int fd = dial(s);
	char csv[4096] = FIX_HEADER, list[512], iccid[21];

	for (unsigned i = 0; i < 3; i++)
		fix_card_line(csv + strlen(csv), 200, i);
	assert_int_equal(ask(s, fd, "POST", API "imports", "{\"keysets\":[{\"kvn\":1,\"alg\":\"3des2\",\"cntr\":5}]}"),
			 200);
	assert_string_equal(body_of(s), "{\"id\":\"im1\"}");
	assert_int_equal(ask(s, fd, "POST", API "imports/im1/lines?first=1", csv), 200);
	has(s, "\"accepted\":3");
	assert_int_equal(ask(s, fd, "POST", API "imports/im1/finish", NULL), 200);
	assert_int_equal(ask(s, fd, "GET", API "cards?limit=2", NULL), 200);
	has(s, "\"next\":2");
	snprintf(list, sizeof(list), "ICCID,IMSI\n%s,001020000000000\nx,y\n", fix_iccid(iccid, 0));
	assert_int_equal(ask(s, fd, "POST", API "campaigns",
			     "{\"name\":\"swap1\",\"profile\":\"usim-rfm\",\"dry_run\":true}"),
			 200);
	has(s, "\"session\":\"dr2\"");
	assert_int_equal(ask(s, fd, "POST", API "campaigns/swap1/lines?first=1&session=dr2", list), 200);
	assert_int_equal(ask(s, fd, "POST", API "campaigns/swap1/finish?session=dr2", NULL), 200);
	assert_int_equal(ask(s, fd, "POST", API "campaigns", "{\"name\":\"swap1\",\"profile\":\"usim-rfm\"}"), 200);
	assert_int_equal(ask(s, fd, "POST", API "campaigns/swap1/lines?first=1", list), 200);
	has(s, "\"line\":3");
	assert_int_equal(ask(s, fd, "POST", API "campaigns/swap1/finish", NULL), 200);
	has(s, "\"state\":\"READY\"");
	assert_int_equal(ask(s, fd, "POST", API "campaigns/swap1/start", NULL), 200);
	has(s, "\"state\":\"RUNNING\"");
	assert_int_equal(ask(s, fd, "GET", API "campaigns", NULL), 200);
	assert_int_equal(ask(s, fd, "GET", API "campaigns/swap1", NULL), 200);
	has(s, "\"targets\":1");
	assert_int_equal(ask(s, fd, "GET", API "campaigns/swap1/report?after=0&limit=10", NULL), 200);
	has(s, "\"new_imsi\":\"001020000000000\"");
	snprintf(list, sizeof(list), API "cards/%s", iccid);
	assert_int_equal(ask(s, fd, "GET", list, NULL), 200);
	has(s, "\"cut\":false,\"next\":");
	snprintf(list, sizeof(list), API "cards/%s?after=x", iccid);
	assert_int_equal(ask(s, fd, "GET", list, NULL), 400);
	snprintf(list, sizeof(list), API "cards/%s?after=1000000", iccid);
	assert_int_equal(ask(s, fd, "GET", list, NULL), 200);
	has(s, "\"next\":1000000");
	assert_int_equal(ask(s, fd, "GET", API "status", NULL), 200);
	has(s, "\"ready\":true");
	assert_int_equal(ask(s, fd, "GET", API "events?limit=1", NULL), 200);
	has(s, "\"level\":\"notice\",\"times\":1,\"first\":");
	has(s, "\"text\":\"campaign swap1: RUNNING\"}],\"last\":");
	assert_int_equal(ask(s, fd, "GET", API "explain?packet=027000001e0d1639151500000100", NULL), 400);
	assert_int_equal(ask(s, fd, "POST", API "campaigns/swap1/cancel", NULL), 200);
	assert_int_equal(ask(s, fd, "DELETE", API "campaigns/swap1", NULL), 409);
	close(fd);
}

/* ---- no key stays behind ---- */

#define KEY_LEN 16

/* A key that stands nowhere as such, not even in this program's constants. */
static uint8_t key_octet(unsigned which, size_t i)
{
	return (uint8_t)((i + 3) * 37 + which * 101);
}

static char key_digit(unsigned which, size_t i)
{
	uint8_t o = key_octet(which, i / 2);

	return "0123456789ABCDEF"[i % 2 ? o & 15 : o >> 4];
}

static void key_hex(char *out, unsigned which)
{
	for (size_t i = 0; i < 2 * KEY_LEN; i++)
		out[i] = key_digit(which, i);
	out[2 * KEY_LEN] = 0;
}

/* How often the key stands in this region, as octets or as text, compared piece by piece so that no copy is made. */
static unsigned count_in(const uint8_t *p, size_t len, unsigned which)
{
	unsigned n = 0;

	for (const uint8_t *at = p; (at = memchr(at, key_octet(which, 0), (size_t)(p + len - at))); at++) {
		size_t k = 0;

		while (k < KEY_LEN && at + k < p + len && at[k] == key_octet(which, k))
			k++;
		n += k == KEY_LEN;
	}
	for (const uint8_t *at = p; (at = memchr(at, key_digit(which, 0), (size_t)(p + len - at))); at++) {
		size_t k = 0;

		while (k < 2 * KEY_LEN && at + k < p + len && at[k] == key_digit(which, k))
			k++;
		n += k == 2 * KEY_LEN;
	}
	return n;
}

/* All of our own writable memory, read through the kernel.  -1: that is not possible here. */
static int count_in_memory(unsigned which)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	static uint8_t piece[1 << 16];
	unsigned long from, to;
	char line[512], perm[8];
	int n = 0;

	while (maps && mem >= 0 && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, perm) != 3 || perm[1] != 'w' || to - from > (64UL << 20))
			continue;
		/* pieces overlap by the length of the text */
		for (unsigned long at = from; at < to; at += sizeof(piece) - 2 * KEY_LEN) {
			ssize_t got = pread(mem, piece, to - at < sizeof(piece) ? to - at : sizeof(piece), (off_t)at);

			if (got <= 0)
				break;
			if ((uintptr_t)piece + sizeof(piece) > at && at + (size_t)got > (uintptr_t)piece)
				continue; /* itself */
			n += (int)count_in(piece, (size_t)got, which);
		}
	}
	if (maps)
		fclose(maps);
	if (mem >= 0)
		close(mem);
	ks_wipe(piece, sizeof(piece));
	return maps && mem >= 0 ? n : -1;
}

static void test_no_key_left(void **state)
{
	struct server *s = *state;
	int fd = dial(s);
	char *csv = calloc(1, 200000), kic[2 * KEY_LEN + 1], kid[2 * KEY_LEN + 1], iccid[21];
	size_t n;

	assert_int_equal(ask(s, fd, "POST", API "imports", "{\"keysets\":[{\"kvn\":1,\"alg\":\"3des2\"}]}"), 200);
	key_hex(kic, 1);
	key_hex(kid, 2);
	n = (size_t)sprintf(csv, "POST " API
				 "imports/im1/lines?first=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
	n += (size_t)sprintf(csv + n, "ICCID,IMSI,KIC1,KID1,KI\n%s,001010000000001,%s,%s,%s\n", fix_iccid(iccid, 1),
			     kic, kid, kic);
	/* a line that is rejected, and one that is cut, with keys in them */
	n += (size_t)sprintf(csv + n, "%s,00101,%s,%s,%s\n\"%s,%s,%s", iccid, kic, kid, kic, iccid, kid, kic);
	memset(csv + n, ' ', 150000 - n);
	n = (size_t)(strstr(csv, "\r\n\r\n") + 4 - csv) + 100000;
	if (count_in_memory(1) <= 0) {
		free(csv);
		close(fd);
		skip();
	}
	put(s, fd, csv, n);
	ks_wipe(csv, 200000);
	free(csv);
	ks_wipe(kic, sizeof(kic));
	ks_wipe(kid, sizeof(kid));
	assert_int_equal(get(s, fd, 1), 1);
	has(s, "\"accepted\":1");
	has(s, "\"line\":3");
	has(s, "\"line\":4");
	close(fd);
	for (int i = 0; i < 10; i++)
		turn(s);
	assert_int_equal(count_in_memory(1), 0);
	assert_int_equal(count_in_memory(2), 0);
}

static void test_bad_requests(void **state)
{
	struct server *s = *state;
	static const struct {
		const char *method, *path, *body;
		int want;
	} bad[] = {
		{ "GET", "/", NULL, 404 },
		{ "GET", API, NULL, 404 },
		{ "GET", API "nothing", NULL, 404 },
		{ "GET", API "campaigns/a/b/c/d", NULL, 404 },
		{ "GET", API "cards//", NULL, 404 },
		{ "GET", API "cards/%00", NULL, 404 },
		{ "GET", API "cards/%2e%2e%2f", NULL, 400 },
		{ "POST", API "status", NULL, 405 },
		{ "DELETE", API "campaigns", NULL, 405 },
		{ "PUT", API "campaigns/a", "{}", 405 },
		{ "PATCH", API "campaigns/a", "{}", 405 },
		{ "OPTIONS", API "status", NULL, 405 },
		{ "POST", API "imports", "", 400 },
		{ "POST", API "imports", "[]", 400 },
		{ "POST", API "imports", "{\"keysets\":[]}", 400 },
		{ "POST", API "imports", "{\"keysets\":[1]}", 400 },
		{ "POST", API "imports", "{\"keysets\":[{}]}", 400 },
		{ "POST", API "imports", "{\"keysets\":[{\"kvn\":1,\"alg\":\"aes\"}],\"keysets\":[]}", 400 },
		{ "POST", API "imports", "{\"keysets\":[{\"kvn\":1,\"alg\":\"aes\",\"cntr\":-1}]}", 400 },
		{ "POST", API "imports", "{\"keysets\":[{\"kvn\":1,\"alg\":\"aes\"}],\"dryrun\":true}", 400 },
		{ "POST", API "imports", "{\"keysets\":[{\"kvn\":1,\"alg\":\"aes\\u0000x\"}]}", 400 },
		{ "POST", API "campaigns", "{\"name\":\"a\"}", 400 },
		{ "POST", API "campaigns", "{\"name\":\"a\",\"profile\":\"p\",\"dry_run\":1}", 400 },
		{ "POST", API "campaigns", "{\"name\":\"a\",\"profile\":\"p\"", 400 },
		{ "POST", API "imports/im1/lines", "x", 404 },
		{ "POST", API "imports/im1/lines?first=x", "x", 400 },
		{ "POST", API "imports/im1/lines?first=-1", "x", 400 },
		{ "GET", API "cards?limit=99999999999999999999999", NULL, 400 },
		{ "GET", API "cards?limit=0", NULL, 400 },
		{ "GET", API "events?limit=0", NULL, 400 },
		{ "GET", API "events?limit=257", NULL, 400 },
		{ "GET", API "events?after=x", NULL, 400 },
		{ "POST", API "events", NULL, 405 },
		{ "POST", API "links", NULL, 405 },
		{ "GET", API "links/a/block", NULL, 405 },
		{ "POST", API "links/a/block", NULL, 404 },
		{ "POST", API "links/a/blok", NULL, 404 },
		{ "POST", API "links/a", NULL, 404 },
		{ "GET", API "explain", NULL, 400 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = dial(s), got = ask(s, fd, bad[i].method, bad[i].path, bad[i].body);

		if (got != bad[i].want)
			fail_msg("%s %s: %d, not %d: %s", bad[i].method, bad[i].path, got, bad[i].want, s->got);
		has(s, "{\"error\":{\"code\":\"");
		close(fd);
	}
}

static void test_raw(void **state)
{
	struct server *s = *state;
	static const char *const raw[] = {
		"\r\n\r\n",
		"rubbish\r\n\r\n",
		"GET\r\n\r\n",
		"GET " API "status HTTP/9.9\r\n\r\n",
		"GET " API "status HTTP/1.1\r\nNo colon\r\n\r\n",
		"POST " API "imports HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
		"POST " API "imports HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
		"POST " API "imports HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	};
	int fd;

	for (size_t i = 0; i < sizeof(raw) / sizeof(raw[0]); i++) {
		for (size_t n = 0; n <= strlen(raw[i]); n++) {
			fd = dial(s);
			put(s, fd, raw[i], n);
			close(fd);
			turn(s);
		}
	}
	/* it still serves */
	fd = dial(s);
	assert_int_equal(ask(s, fd, "GET", API "status", NULL), 200);
	close(fd);
}

static void test_limits(void **state)
{
	struct server *s = *state;
	char *big = malloc(2 * HTTP_BODY_MAX);
	int fd = dial(s);

	/* more JSON than we read */
	memset(big, ' ', HTTP_JSON_MAX + 1);
	big[HTTP_JSON_MAX + 1] = 0;
	assert_int_equal(ask(s, fd, "POST", API "imports", big), 413);
	has(s, "too-large");
	/* a chunk that is as large as it may be is read; one octet more is not */
	assert_int_equal(ask(s, fd, "POST", API "imports", "{\"keysets\":[{\"kvn\":1,\"alg\":\"3des2\"}]}"), 200);
	memset(big, ' ', API_CHUNK_BYTES_MAX + 1);
	memcpy(big, FIX_HEADER, strlen(FIX_HEADER));
	big[API_CHUNK_BYTES_MAX] = 0;
	assert_int_equal(ask(s, fd, "POST", API "imports/im1/lines?first=1", big), 200);
	memset(big, ' ', API_CHUNK_BYTES_MAX + 1);
	big[API_CHUNK_BYTES_MAX + 1] = 0;
	assert_int_equal(ask(s, fd, "POST", API "imports/im1/lines?first=3", big), 413);
	close(fd);
	/* beyond what the server takes at all */
	fd = dial(s);
	snprintf(big, 256, "POST " API "imports HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", HTTP_BODY_MAX + 1);
	put(s, fd, big, strlen(big));
	get(s, fd, 1);
	assert_int_equal(status_of(s), 413);
	close(fd);
	/* headers */
	fd = dial(s);
	memset(big, 'a', HTTP_HEADERS_MAX + 100);
	memcpy(big, "GET " API "status HTTP/1.1\r\nX: ", strlen("GET " API "status HTTP/1.1\r\nX: "));
	memcpy(big + HTTP_HEADERS_MAX + 100, "\r\n\r\n", 5);
	put(s, fd, big, strlen(big));
	get(s, fd, 1);
	assert_int_equal(status_of(s), 400);
	close(fd);
	free(big);
}

/* Several requests at once on one connection are answered one after the other, though each answer waits for the store. */
static void test_pipeline(void **state)
{
	struct server *s = *state;
	static const char req[] = "GET " API "status HTTP/1.1\r\nHost: x\r\n\r\n"
				  "GET " API "campaigns HTTP/1.1\r\nHost: x\r\n\r\n"
				  "GET " API "cards?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n";
	int fd = dial(s);

	put(s, fd, req, strlen(req));
	assert_int_equal(get(s, fd, 3), 3);
	has(s, "{\"campaigns\":[]}");
	has(s, "{\"cards\":[],\"next\":null}");
	close(fd);
}

/* Clients go away while their answer waits; the answer comes to nothing and the next client is served. */
static void test_client_goes(void **state)
{
	struct server *s = *state;
	static const char req[] = "GET " API "status HTTP/1.1\r\nHost: x\r\n\r\n";
	int fd;

	for (int i = 0; i < 50; i++) {
		fd = dial(s);
		assert_int_equal(send(fd, req, strlen(req), MSG_NOSIGNAL), strlen(req));
		/* the request is in, the store has not answered */
		for (int n = 0; n < 3; n++)
			event_base_loop(s->base, EVLOOP_NONBLOCK);
		close(fd);
		for (int n = i % 4; n > 0; n--)
			event_base_loop(s->base, EVLOOP_NONBLOCK);
		turn(s);
	}
	fd = dial(s);
	assert_int_equal(ask(s, fd, "GET", API "status", NULL), 200);
	close(fd);
}

/* The server stops with an answer under way: with its client there, and with its client gone. */
static void test_stop_under_way(void **state)
{
	struct server *s = *state;
	static const char req[] = "GET " API "status HTTP/1.1\r\nHost: x\r\n\r\n";
	int here = dial(s), gone = dial(s);

	assert_int_equal(send(here, req, strlen(req), 0), strlen(req));
	assert_int_equal(send(gone, req, strlen(req), 0), strlen(req));
	for (int n = 0; n < 5; n++)
		event_base_loop(s->base, EVLOOP_NONBLOCK);
	close(gone);
	for (int n = 0; n < 5; n++)
		event_base_loop(s->base, EVLOOP_NONBLOCK);
	http_free(s->http);
	s->http = NULL;
	close(here);
	/* the store answers afterwards */
	for (int n = 0; n < 10; n++)
		front_turn(s->f);
}

/* More connections than there may be: those beyond wait until others have gone. */
static void test_many_connections(void **state)
{
	struct server *s = *state;
	static const char req[] = "GET " API "campaigns HTTP/1.1\r\nHost: x\r\n\r\n";
	int fd[HTTP_CONNS_MAX + 8];
	unsigned served = 0;

	for (size_t i = 0; i < sizeof(fd) / sizeof(fd[0]); i++) {
		fd[i] = dial(s);
		put(s, fd[i], req, strlen(req));
	}
	for (int n = 0; n < 20; n++)
		turn(s);
	for (size_t i = 0; i < sizeof(fd) / sizeof(fd[0]); i++) {
		char c;

		served += recv(fd[i], &c, 1, MSG_PEEK) == 1;
	}
	assert_int_equal(served, HTTP_CONNS_MAX);
	for (size_t i = 0; i < 8; i++)
		close(fd[i]);
	for (size_t i = HTTP_CONNS_MAX; i < sizeof(fd) / sizeof(fd[0]); i++) {
		assert_int_equal(get(s, fd[i], 1), 1);
		assert_int_equal(status_of(s), 200);
	}
	for (size_t i = 8; i < sizeof(fd) / sizeof(fd[0]); i++)
		close(fd[i]);
}

static void test_socket_file(void **state)
{
	struct server *s = *state;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char err[256] = "", other[128], longer[200];
	struct stat st;
	struct http *h;
	int fd;

	assert_int_equal(stat(s->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	/* somebody answers */
	assert_null(http_new(s->base, s->f->api, s->path, err, sizeof(err)));
	assert_non_null(strstr(err, "another gateway"));
	/* not a socket: left alone */
	snprintf(other, sizeof(other), "%s/file", s->dir);
	fd = open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	assert_null(http_new(s->base, s->f->api, other, err, sizeof(err)));
	assert_int_equal(access(other, F_OK), 0);
	unlink(other);
	/* left behind by one that was killed: replaced */
	memcpy(sa.sun_path, other, strlen(other) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	h = http_new(s->base, s->f->api, other, err, sizeof(err));
	assert_non_null(h);
	http_free(h);
	/* nowhere */
	snprintf(other, sizeof(other), "%s/no/where", s->dir);
	assert_null(http_new(s->base, s->f->api, other, err, sizeof(err)));
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	assert_null(http_new(s->base, s->f->api, longer, err, sizeof(err)));
	assert_null(http_new(s->base, s->f->api, "", err, sizeof(err)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_of_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_key_left, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_raw, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pipeline, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_under_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_connections, setup, teardown),
		cmocka_unit_test_setup_teardown(test_socket_file, setup, teardown),
	};

	http_global_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
