/* test_program.c - the real otasim on loopback sockets: announce, bind, change every IMSI, verify, end.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The ESME here is as simple as can be: blocking, one command per card, each retried until its proof has come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "prog_test.h"
#include "sim_test.h"
#include "smpp_pdu.h"

#define CARDS	  60
#define SEED	  "99"
#define SEED_N	  99
#define TURNS_MAX 20000

static struct sim_card card[CARDS];

static void put(int fd, const struct smpp_pdu *p)
{
	uint8_t buf[4096];
	int n = smpp_pdu_pack(buf, sizeof(buf), p);

	assert_true(n > 0);
	assert_int_equal(send(fd, buf, (size_t)n, MSG_NOSIGNAL), n);
}

/* The next PDU; false when none came in time. */
static bool get(int fd, struct smpp_pdu *p, int wait_ms)
{
	static uint8_t buf[65536];
	static size_t have, used;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int n;

	if (wait_ms < 0) { /* another connection: forget the rest */
		have = used = 0;
		return false;
	}
	memmove(buf, buf + used, have - used);
	have -= used;
	used = 0;
	while ((n = smpp_frame(buf, have, 4096)) == 0) {
		ssize_t got;

		if (poll(&pfd, 1, wait_ms) <= 0)
			return false;
		got = recv(fd, buf + have, sizeof(buf) - have, 0);
		assert_true(got > 0);
		have += (size_t)got;
	}
	assert_true(n > 0);
	assert_int_equal(smpp_pdu_unpack(p, buf, (size_t)n, NULL), 0);
	used = (size_t)n;
	return true;
}

static int bound(uint16_t port)
{
	struct smpp_pdu p = { .id = SMPP_BIND_TRANSCEIVER,
			      .seq = 1,
			      .bind = { .system_id = "gw", .password = "pw", .interface_version = SMPP_VERSION } };
	int fd = prog_dial(port);

	get(fd, &p, -1);
	put(fd, &p);
	assert_true(get(fd, &p, PATIENCE_MS));
	assert_int_equal(p.id, SMPP_BIND_TRANSCEIVER | SMPP_RESP);
	assert_int_equal(p.status, ESME_ROK);
	return fd;
}

static struct oct script_of(uint32_t i)
{
	char hex[128], *p = hex;
	char msin[16];

	snprintf(msin, sizeof(msin), "00103%010u", i + 1);
	p += sprintf(p, "00a4000c026f0700d600000908%c9", msin[0]);
	for (int d = 1; d < 15; d += 2)
		p += sprintf(p, "%c%c", msin[d + 1], msin[d]);
	sprintf(p, "00b0000009");
	return oct_hex(hex);
}

static void submit(int fd, uint32_t i, uint32_t seq)
{
	struct cmd_spec k = spec_of(&card[i], 100);
	struct oct data = script_of(i), pkt = packet_build(&card[i], &k, &data), ud = ud_single(&pkt);
	struct smpp_pdu p = {
		.id = SMPP_SUBMIT_SM,
		.seq = seq,
		.sm = { .src = { 2, 1, "12345" },
			.dst = { 1, 1, card[i].msisdn },
			.esm_class = 0x42,
			.protocol_id = 0x7f,
			.data_coding = 0xf6,
			.sm = { ud.b, ud.len } },
	};

	put(fd, &p);
}

static int verify(bool partial)
{
	char *full[] = { (char *)prog_otasim,
			 (char *)"verify",
			 prog_path("new-imsi.csv"),
			 (char *)"--control",
			 prog_path("ctl"),
			 partial ? (char *)"--expect-partial" : NULL,
			 NULL };

	return prog_wait(prog_spawn(full, prog_path("verify.txt")));
}

static void change_all(int fd)
{
	bool done[CARDS] = { false };
	unsigned left = CARDS;
	uint32_t seq = 2;

	for (int turn = 0; left; turn++) {
		struct smpp_pdu p;

		assert_true(turn < TURNS_MAX);
		for (uint32_t i = 0; i < CARDS; i++) {
			if (!done[i])
				submit(fd, i, seq++);
		}
		/* Everything there is to hear until it is quiet, then the rest once more: the same octets. */
		while (left && get(fd, &p, 150)) {
			struct smpp_pdu ok = { .id = SMPP_DELIVER_SM | SMPP_RESP, .seq = p.seq };
			uint32_t i;

			if (p.id != SMPP_DELIVER_SM)
				continue;
			i = (uint32_t)strtoul(p.sm.src.digits + 5, NULL, 10) - 1;
			assert_true(i < CARDS);
			{
				struct cmd_spec k = spec_of(&card[i], 100);
				struct por por = por_open_ud(&card[i], &k, p.sm.sm.p, p.sm.sm.len);

				if (por.valid && por.secured && (por.status == 0 || por.status == 2) && !done[i]) {
					done[i] = true;
					left--;
				}
			}
			put(fd, &ok);
		}
	}
}

static int setup(void **state)
{
	struct sim_card_profile p;

	prog_setup();
	sim_card_profile_default(&p);
	p.cntr = 99;
	for (uint32_t i = 0; i < CARDS; i++)
		assert_int_equal(sim_card_init(&card[i], SEED_N, i, &p), 0);
	return 0;
}

static int teardown(void **state)
{
	prog_teardown();
	return 0;
}

static void start(void)
{
	FILE *pw = fopen(prog_path("pw"), "w");
	char *argv[] = {
		(char *)prog_otasim,
		(char *)"--cards",
		(char *)"60",
		(char *)"--seed",
		(char *)SEED,
		(char *)"--first-counter",
		(char *)"100",
		(char *)"--dir",
		prog_dir,
		(char *)"--port-file",
		prog_path("port"),
		(char *)"--control",
		prog_path("ctl"),
		(char *)"--system-id",
		(char *)"gw",
		(char *)"--password-file",
		prog_path("pw"),
		(char *)"--absent",
		(char *)"33%",
		(char *)"--absent-for",
		(char *)"100ms..500ms",
		(char *)"--loss",
		(char *)"10%",
		(char *)"--dup",
		(char *)"10%",
		(char *)"--reorder",
		(char *)"10%",
		(char *)"--throttle",
		(char *)"5%",
		(char *)"--latency",
		(char *)"1..20ms",
		(char *)"--paging",
		(char *)"100ms",
		(char *)"--refresh",
		(char *)"1..50ms",
		NULL,
	};

	assert_non_null(pw);
	fputs("pw\n", pw);
	fclose(pw);
	prog_pid = prog_spawn(argv, prog_path("out.txt"));
}

static void test_a_campaign(void **state)
{
	uint16_t port;
	int fd;

	start();
	port = prog_port();
	assert_int_equal(verify(false), 1); /* nothing done yet */
	assert_non_null(strstr(prog_text("verify.txt"), "cards 60, new imsi 0"));
	assert_int_equal(verify(true), 0);
	fd = bound(port);
	change_all(fd);
	close(fd);
	/* the last phones may still be at their REFRESH */
	{
		char ask[160];

		snprintf(ask, sizeof(ask), "verify %s\n", prog_path("new-imsi.csv"));
		prog_control_until(ask, "all holds");
	}
	assert_int_equal(verify(false), 0);
	assert_non_null(strstr(prog_text("verify.txt"),
			       "cards 60, new imsi 60, presented 60, executed twice 0, same counter other octets 0"));
	kill(prog_pid, SIGTERM);
	assert_int_equal(prog_wait(prog_pid), 0);
	prog_pid = -1;
	assert_int_equal(access(prog_path("port"), F_OK), -1);
	assert_int_equal(access(prog_path("ctl"), F_OK), -1);
	assert_null(strstr(prog_text("out.txt"), "Sanitizer"));
	assert_int_equal(verify(false), 2); /* no fleet any more */
}

static void test_control_commands(void **state)
{
	char ask[64];

	start();
	prog_port();
	prog_control_until("stats\n", "cards 60");
	snprintf(ask, sizeof(ask), "card %s\n", card[3].iccid);
	prog_control_until(ask, "imsi_stored 001020000000004");
	prog_control_until("card 1\n", "error no card");
	prog_control_until("what\n", "error commands are");
	snprintf(ask, sizeof(ask), "power %s\n", card[3].iccid);
	prog_control_until(ask, "ok");
	prog_control_until("scenario\n", "0 passed, 0 failed");
	prog_control_until("calm\n", "ok");
	prog_control_until("verify /nonexistent\n", "error cannot verify");
	prog_control_until("quit\n", "ok");
	assert_int_equal(prog_wait(prog_pid), 0);
	prog_pid = -1;
}

/* A second one on the same control socket is refused, and leaves the first alone; what a crash left is replaced. */
static void test_control_socket_is_not_stolen(void **state)
{
	char *argv[] = { (char *)prog_otasim, (char *)"--cards", (char *)"1",
			 (char *)"--control", prog_path("ctl"),	 NULL };

	start();
	prog_port();
	assert_int_equal(prog_wait(prog_spawn(argv, prog_path("verify.txt"))), 1);
	assert_non_null(strstr(prog_text("verify.txt"), "something is already there"));
	prog_control_until("stats\n", "cards 60");
	kill(prog_pid, SIGKILL);
	prog_wait(prog_pid);
	unlink(prog_path("port"));
	start();
	prog_port();
	prog_control_until("stats\n", "cards 60");
}

static void test_help(void **state)
{
	char *help[] = { (char *)prog_otasim, (char *)"--help", NULL },
	     *bad[] = { (char *)prog_otasim, (char *)"--cards", (char *)"x", NULL },
	     *vhelp[] = { (char *)prog_otasim, (char *)"verify", (char *)"--help", NULL },
	     *vbad[] = { (char *)prog_otasim, (char *)"verify", NULL };

	assert_int_equal(prog_wait(prog_spawn(help, prog_path("out.txt"))), 0);
	assert_non_null(strstr(prog_text("out.txt"), "--absent-for"));
	assert_int_equal(prog_wait(prog_spawn(bad, prog_path("out.txt"))), 2);
	assert_int_equal(prog_wait(prog_spawn(vhelp, prog_path("out.txt"))), 0);
	assert_int_equal(prog_wait(prog_spawn(vbad, prog_path("out.txt"))), 2);
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_help),
		T(test_control_commands),
		T(test_control_socket_is_not_stolen),
		T(test_a_campaign),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s OTASIM\n", argv[0]);
		return 2;
	}
	prog_otasim = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
