/* retry_test.c - an hour of waiting for a card that is out of reach, in a moment: a test in virtual time.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * cc retry_test.c $(pkg-config --cflags --libs otasim) && ./a.out
 */
#include <otasim.h>
#include <string.h>

static const char scenario[] = "cards 1\n"
			       "card 1 absent to 1h\n"
			       "expect reached >= 1 by 1h10m\n"
			       "expect attempts <= 12\n"
			       "expect shortest-gap >= 30s\n"
			       "expect longest-gap <= 20m\n";
static const char bind[] = "gw\0\0\0\x34\0\0\0";		   /* system_id, ..., SMPP 3.4 */
static const char submit[] = "\0\1\0011234\0\1\0018829900000001\0" /* from, to card 1 */
			     "\0\0\0\0\0\0\0\0\0\2hi";

static void say(struct otasim *o, int session, uint8_t command, const char *body, size_t len, int64_t now_ms)
{
	uint8_t pdu[80] = { 0, 0, 0, (uint8_t)(16 + len), 0, 0, 0, command, [15] = 1 };

	memcpy(pdu + 16, body, len);
	otasim_input(o, session, pdu, 16 + len, now_ms);
}

int main(void)
{
	struct otasim_cfg cfg = { .text = scenario, .len = sizeof(scenario) - 1 };
	int64_t now_ms = 0, retry_ms = 0, wait_ms = 30000, due_ms;
	char err[OTASIM_ERR_MAX];
	struct otasim *o = otasim_new(&cfg, now_ms, err);
	int session = o ? otasim_connect(o, 0, now_ms) : -1;
	const uint8_t *p;
	size_t len;
	bool passed;

	if (session < 0)
		return 2;
	say(o, session, 9, bind, sizeof(bind) - 1, now_ms); /* bind_transceiver */
	while (!otasim_ended(o)) {
		/* the gateway under test: a submit_sm, then again after 30 s, 1 min ... 16 min, until status 0 comes back */
		if (now_ms >= retry_ms) {
			say(o, session, 4, submit, sizeof(submit) - 1, now_ms);
			retry_ms = now_ms + wait_ms;
			wait_ms = wait_ms < 900000 ? 2 * wait_ms : wait_ms;
		}
		while ((p = otasim_output(o, session, &len))) { /* whole PDUs stand there */
			if (p[4] == 0x80 && p[7] == 4 && p[11] == 0)
				retry_ms = INT64_MAX;
			otasim_taken(o, session, p[3]);
		}
		due_ms = otasim_next_due(o);
		now_ms = due_ms < retry_ms ? due_ms : retry_ms;
		otasim_step(o, now_ms);
	}
	otasim_summary(o, stdout);
	passed = otasim_verdict(o) == OTASIM_PASS;
	otasim_free(o);
	return passed ? 0 : 1;
}
