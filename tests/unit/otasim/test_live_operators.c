/* test_live_operators.c - the program with two operators: ports, registers over TCP, a card that changes hands, its truth.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "prog_test.h"
#include "sim_test.h"
#include "smpp_pdu.h"

#define CARDS  6
#define SEED_N 42

static unsigned port[4]; /* A's SMSC and register, B's */
enum { A_SMSC, A_HLR, B_SMSC, B_HLR };

static void start(const char *scenario)
{
	char *argv[] = { (char *)prog_otasim,
			 (char *)"--quiet",
			 (char *)"--cards",
			 (char *)"6",
			 (char *)"--seed",
			 (char *)"42",
			 (char *)"--alg",
			 (char *)"aes128",
			 (char *)"--operator",
			 (char *)"A=00101",
			 (char *)"--operator",
			 (char *)"B=00102,smsc=127.0.0.1:0,hlr=127.0.0.1:0",
			 (char *)"--register",
			 (char *)"10..50ms",
			 (char *)"--register-again",
			 (char *)"200ms",
			 (char *)"--dir",
			 prog_dir,
			 (char *)"--port-file",
			 prog_path("port"),
			 (char *)"--control",
			 prog_path("ctl"),
			 (char *)"--http",
			 (char *)"127.0.0.1:0",
			 scenario ? (char *)"--scenario" : NULL,
			 prog_path("s.scn"),
			 NULL };

	if (scenario)
		prog_write("s.scn", scenario);
	prog_pid = prog_spawn(argv, prog_path("out.txt"));
	for (int i = 0; i < PATIENCE_MS / 20 && access(prog_path("port"), F_OK) < 0; i++)
		poll(NULL, 0, 20);
	assert_int_equal(sscanf(prog_text("port"), "A smsc %u A hlr %u B smsc %u B hlr %u", &port[0], &port[1],
				&port[2], &port[3]),
			 4);
}

static int setup(void **state)
{
	prog_setup();
	return 0;
}

static int teardown(void **state)
{
	prog_teardown();
	return 0;
}

/* ---- registers ---- */

static int dial(unsigned which)
{
	int fd = prog_dial((uint16_t)port[which]);

	assert_true(fd >= 0);
	return fd;
}

static size_t frame(uint8_t *out, const char *text)
{
	size_t len = strlen(text);

	out[0] = (uint8_t)((len + 1) >> 8);
	out[1] = (uint8_t)(len + 1);
	out[2] = 0xee;
	out[3] = 0x00;
	memcpy(out + 4, text, len);
	return len + 4;
}

/* The next reply; "" when the register has hung up. */
static const char *next_reply(int fd)
{
	static char text[2048];
	uint8_t head[4];
	size_t len;

	if (recv(fd, head, 4, MSG_WAITALL) != 4)
		return "";
	assert_int_equal(head[2], 0xee);
	assert_int_equal(head[3], 0x00);
	len = ((size_t)head[0] << 8 | head[1]) - 1;
	assert_true(len < sizeof(text));
	assert_int_equal(recv(fd, text, len, MSG_WAITALL), len);
	text[len] = '\0';
	return text;
}

static const char *ask(int fd, const char *text)
{
	uint8_t buf[512];
	size_t n = frame(buf, text);

	assert_int_equal(send(fd, buf, n, MSG_NOSIGNAL), n);
	return next_reply(fd);
}

static void registers_on_tcp(void **state)
{
	uint8_t buf[1024];
	size_t n;
	int fd;

	start(NULL);
	prog_control_until("where\n", "6 cards at A, 0 at B, 0 nowhere");
	fd = dial(A_HLR);
	assert_non_null(strstr(ask(fd, "GET 7 subscriber.by-imsi-001010000000003.info"), "vlr_number\t00101001"));
	/* octet by octet, and two at once */
	n = frame(buf, "GET 8 subscriber.by-imsi-001010000000004.msisdn");
	for (size_t i = 0; i < n; i++)
		assert_int_equal(send(fd, buf + i, 1, MSG_NOSIGNAL), 1);
	assert_memory_equal(next_reply(fd), "GET_REPLY 8 ", 12);
	n = frame(buf, "GET 9 subscriber.by-imsi-001010000000005.msisdn");
	n += frame(buf + n, "SET 10 subscriber.create 001010000000099");
	assert_int_equal(send(fd, buf, n, MSG_NOSIGNAL), n);
	assert_memory_equal(next_reply(fd), "GET_REPLY 9 ", 12);
	assert_memory_equal(next_reply(fd), "SET_REPLY 10 ", 13);
	prog_control_until("stats\n", "subscribers_A 7");
	prog_control_until("hlr C down\n", "error no operator \"C\"");
	prog_control_until("hlr A away\n", "error hlr NAME is followed by");
	prog_control_until("hlr A fail 100%\n", "ok");
	assert_memory_equal(ask(fd, "SET 11 subscriber.create 001010000000098"), "ERROR 11", 8);
	prog_control_until("hlr A fail 0%\n", "ok");
	assert_memory_equal(ask(fd, "SET 12 subscriber.create 001010000000098"), "SET_REPLY 12 ", 13);
	/* what is no frame, and what is too long, ends the connection */
	assert_int_equal(send(fd, "\x00\x05\xfe\x00xxxx", 8, MSG_NOSIGNAL), 8);
	assert_string_equal(next_reply(fd), "");
	close(fd);
	fd = dial(B_HLR);
	assert_memory_equal(ask(fd, "GET 1 subscriber.by-imsi-001010000000003.info"), "ERROR 1 No such", 15);
	assert_int_equal(send(fd, "\x7f\xff\xee\x00", 4, MSG_NOSIGNAL), 4);
	assert_string_equal(next_reply(fd), "");
	close(fd);
	kill(prog_pid, SIGTERM);
	assert_int_equal(prog_wait(prog_pid), 0);
	prog_pid = -1;
	assert_non_null(strstr(prog_text("out.txt"), "register of A on "));
	assert_null(strstr(prog_text("out.txt"), "Sanitizer"));
}

/* ---- a card changes hands ---- */

static void pdu_send(int fd, const struct smpp_pdu *p)
{
	uint8_t buf[512];
	int n = smpp_pdu_pack(buf, sizeof(buf), p);

	assert_true(n > 0);
	assert_int_equal(send(fd, buf, (size_t)n, MSG_NOSIGNAL), n);
}

static void submit_at(unsigned which, struct sim_card *c, uint64_t cntr, const char *script_hex, const char *digits)
{
	struct smpp_pdu bind = { .id = SMPP_BIND_TRANSCEIVER,
				 .seq = 1,
				 .bind = { .system_id = "gw", .password = "", .interface_version = SMPP_VERSION } };
	struct cmd_spec spec = spec_of(c, cntr);
	struct oct script = oct_hex(script_hex), pkt = packet_build(c, &spec, &script), ud = ud_single(&pkt);
	struct smpp_pdu sm = { .id = SMPP_SUBMIT_SM,
			       .seq = 2,
			       .sm = { .src = { 2, 1, "12345" },
				       .dst = { 1, 1, digits },
				       .esm_class = 0x42,
				       .protocol_id = 0x7f,
				       .data_coding = 0xf6,
				       .sm = { ud.b, ud.len } } };
	int fd = dial(which);
	uint8_t octet;

	pdu_send(fd, &bind);
	pdu_send(fd, &sm);
	assert_int_equal(recv(fd, &octet, 1, 0), 1);
	poll(NULL, 0, 300); /* let it arrive: what came of it is asked over the control socket */
	close(fd);
}

static const char *client(const char *what, const char *a, const char *b)
{
	char *argv[] = { (char *)prog_otasim, (char *)what, (char *)"--control", prog_path("ctl"), (char *)a,
			 (char *)b,	      NULL };

	prog_wait(prog_spawn(argv, prog_path("said.txt")));
	return prog_text("said.txt");
}

static const char *page(const char *path)
{
	static char text[65536];
	const char *at = strstr(prog_text("out.txt"), "http://127.0.0.1:");
	char request[128];
	size_t have = 0;
	ssize_t n;
	int fd;

	assert_non_null(at);
	fd = prog_dial((uint16_t)atoi(at + 17));
	assert_true(fd >= 0);
	snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	while (have < sizeof(text) - 1 && (n = recv(fd, text + have, sizeof(text) - 1 - have, 0)) > 0)
		have += (size_t)n;
	text[have] = '\0';
	close(fd);
	return text;
}

static void from_a_to_b(void **state)
{
	char line[512], k[33], opc[33], text[256], *at;
	struct sim_card_profile p;
	struct sim_card c;
	int fd;

	sim_card_profile_default(&p);
	p.alg = SIM_ALG_AES128;
	strcpy(p.imsi_prefix, "00101");
	assert_int_equal(sim_card_init(&c, SEED_N, 0, &p), 0);
	start(NULL);
	prog_control_until("where\n", "6 cards at A, 0 at B, 0 nowhere");
	/* the keys as A would hand them over */
	snprintf(line, sizeof(line), "%s,1,1,", c.iccid);
	at = strstr(prog_text("pairs.csv"), line);
	assert_non_null(at);
	assert_int_equal(sscanf(at + strlen(line), "%32[0-9A-F],%32[0-9A-F],", k, opc), 2);
	fd = dial(B_HLR);
	assert_memory_equal(ask(fd, "SET 1 subscriber.create 001020000000001"), "SET_REPLY", 9);
	assert_memory_equal(ask(fd, "SET 2 subscriber.by-imsi-001020000000001.msisdn 4477"), "SET_REPLY", 9);
	snprintf(text, sizeof(text), "SET 3 subscriber.by-imsi-001020000000001.aud3g milenage,%s,opc,%s", k, opc);
	assert_memory_equal(ask(fd, text), "SET_REPLY", 9);
	submit_at(A_SMSC, &c, 1, "00a40004026f0700d6000009080910200000000010", c.msisdn);
	prog_control_until("where\n", "5 cards at A, 1 at B, 0 nowhere");
	assert_non_null(strstr(ask(fd, "GET 4 subscriber.by-imsi-001020000000001.info"), "vlr_number\t00102001"));
	close(fd);
	/* another one whose IMSI B does not have */
	assert_int_equal(sim_card_init(&c, SEED_N, 1, &p), 0);
	submit_at(A_SMSC, &c, 1, "00a40004026f0700d6000009080910200000000020", c.msisdn);
	prog_control_until("where\n", "4 cards at A, 1 at B, 1 nowhere");
	/* what the cards say */
	assert_int_equal(sim_card_init(&c, SEED_N, 0, &p), 0);
	snprintf(line, sizeof(line), "%s,001020000000001,001020000000001,0,1,,,0,0,1,1,0,B,1,", c.iccid);
	assert_non_null(strstr(client("truth", "-o", "csv"), line));
	assert_non_null(strstr(prog_text("said.txt"), "4 cards at A, 1 at B, 1 nowhere"));
	assert_non_null(strstr(client("truth", "-o", "json"), "\"operator\":\"B\",\"present\":true"));
	assert_non_null(strstr(client("truth", "-o", "xml"), "wanted are"));
	snprintf(text, sizeof(text), "ICCID,IMSI,OPERATOR\n%s,001020000000001,B\n", c.iccid);
	prog_write("list.csv", text);
	assert_non_null(
		strstr(client("verify", prog_path("list.csv"), "--expect-partial"), "at A 4, at B 1, nowhere 1"));
	snprintf(text, sizeof(text), "ICCID,IMSI,OPERATOR\n%s,001020000000001,A\n", c.iccid);
	prog_write("list.csv", text);
	assert_non_null(
		strstr(client("verify", prog_path("list.csv"), "--expect-partial"), "is registered at B, not at A"));
	/* and for a browser, and its scripts */
	assert_non_null(strstr(page("/"), "<td>B</td><td>00102</td><td>up</td><td class=\"n\">1</td>"));
	assert_non_null(strstr(page("/"), "Registered: 4 cards at A, 1 at B, 1 nowhere."));
	assert_non_null(
		strstr(page("/smsc"), "\"name\":\"B\",\"plmn\":\"00102\",\"subscribers\":1,\"register\":\"up\""));
	assert_non_null(strstr(page("/cards"), "\"operator\":\"B\",\"index\":0"));
	kill(prog_pid, SIGTERM);
	assert_int_equal(prog_wait(prog_pid), 0);
	prog_pid = -1;
}

/* ---- keys from a list ---- */

static void keys_from_a_list(void **state)
{
	char *lists[] = { (char *)prog_otasim,
			  (char *)"--cards",
			  (char *)"4",
			  (char *)"--alg",
			  (char *)"aes128",
			  (char *)"--operator",
			  (char *)"A=00101",
			  (char *)"--pairs",
			  (char *)"2",
			  (char *)"--dir",
			  prog_dir,
			  (char *)"--lists",
			  NULL },
	     *run[] = { (char *)prog_otasim,
			(char *)"--quiet",
			(char *)"--perso",
			prog_path("pairs.csv"),
			(char *)"--alg",
			(char *)"aes128",
			(char *)"--operator",
			(char *)"A=00101",
			(char *)"--pairs",
			(char *)"2",
			(char *)"--register",
			(char *)"10ms",
			(char *)"--control",
			prog_path("ctl"),
			(char *)"--port-file",
			prog_path("port"),
			NULL };

	assert_int_equal(prog_wait(prog_spawn(lists, prog_path("out.txt"))), 0);
	prog_pid = prog_spawn(run, prog_path("out.txt"));
	for (int i = 0; i < PATIENCE_MS / 20 && access(prog_path("port"), F_OK) < 0; i++)
		poll(NULL, 0, 20);
	prog_control_until("where\n", "4 cards at A, 0 nowhere"); /* the register has the same keys */
	kill(prog_pid, SIGTERM);
	assert_int_equal(prog_wait(prog_pid), 0);
	prog_pid = -1;
	prog_write("pairs.csv", "ICCID,INDEX,KVN,K,OPC,KIC,KID,KIK\n8988,1,1,,,,,\n");
	assert_int_equal(prog_wait(prog_spawn(run, prog_path("out.txt"))), 1);
	assert_non_null(strstr(prog_text("out.txt"), "pairs.csv:2: column ICCID: 18 or 19 digits are wanted"));
}

/* ---- a register that is down ---- */

static void down_and_up_again(void **state)
{
	int fd, n = 0;

	start("operator B 00109\nbegin first-connection\nhlr B down from 300ms for 1s every 3s\nend at 1h\nexpect imsi "
	      "old\n");
	fd = dial(B_HLR);
	assert_memory_equal(ask(fd, "SET 1 subscriber.create 001020000000001"), "SET_REPLY", 9); /* no time yet */
	close(dial(A_SMSC));									 /* it begins */
	close(dial(B_SMSC));
	assert_string_equal(next_reply(fd), ""); /* cut */
	close(fd);
	while ((fd = prog_dial((uint16_t)port[B_HLR])) < 0 && n++ < PATIENCE_MS / 10)
		poll(NULL, 0, 10);
	assert_true(fd >= 0);
	assert_memory_equal(ask(fd, "GET 2 subscriber.by-imsi-001020000000001.msisdn"), "GET_REPLY", 9);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(registers_on_tcp, setup, teardown),
		cmocka_unit_test_setup_teardown(from_a_to_b, setup, teardown),
		cmocka_unit_test_setup_teardown(keys_from_a_list, setup, teardown),
		cmocka_unit_test_setup_teardown(down_and_up_again, setup, teardown),
	};

	prog_otasim = argv[argc - 1];
	return cmocka_run_group_tests_name("otasim with operators", tests, NULL, NULL);
}
