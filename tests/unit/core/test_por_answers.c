/* test_por_answers.c - what follows from what a card answers to the commands of a script, in either format.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "core_bed.h"

#define DAY (24 * 3600 * 1000LL)
#define OK  "23029000"

/* In an answer: N the new EF_IMSI, O the old one, X a third one; all else is hex. */
static size_t answer_octets(const struct bed *b, uint64_t campaign, const char *text, uint8_t *out)
{
	char imsi[IMSI_DIGITS_MAX + 1];
	size_t n = 0;

	for (; *text; text++) {
		unsigned v;

		if (*text == 'N')
			bed_new_imsi(campaign, 0, imsi);
		else if (*text == 'O')
			snprintf(imsi, sizeof(imsi), "%s", b->card[0].imsi_first);
		else if (*text == 'X')
			snprintf(imsi, sizeof(imsi), "999700000000001");
		if (strchr("NOX", *text)) {
			assert_true(usim_imsi_encode(out + n, imsi) > 0);
			n += USIM_IMSI_LEN;
			continue;
		}
		assert_int_equal(sscanf(text, "%2x", &v), 1);
		out[n++] = (uint8_t)v;
		text++;
	}
	return n;
}

static void answer(struct bed *b, uint64_t campaign, const struct sent *s, const char *text)
{
	uint8_t data[256], pkt[OTA_PACKET_MAX];
	struct uds u;
	size_t n = answer_octets(b, campaign, text, data);

	n = bed_por(b, s, OTA_POR_OK, data, n, pkt);
	bed_cut(&u, pkt, n, 1, false, n > OTA_PACKET_1SMS_MAX ? 100 : 0);
	bed_mo_all(b, 0, 0, &u);
}

static uint64_t script_out(struct bed *b, const char *format, struct sent *s)
{
	uint64_t c;

	bed_open(b, 1, 1);
	c = bed_campaign(b, 1, 1, format);
	bed_expect_script(b, 0, s);
	bed_accepted(b, s);
	return c;
}

/* ---------------------------------------------------------------------------------------- the script's answer */

enum follows { ENDS, READ_BACK };
static const struct {
	const char *format, *answer;
	enum follows follows;
	enum txn_state state;
	const char *reason; /* ENDS: the transaction's; READ_BACK: the story's */
	bool renumbered;
} scripts[] = {
	{ "compact", "059000N", ENDS, TXN_DONE, "script ran, read-back matches", true },
	{ "compact", "05910bN", ENDS, TXN_DONE, "script ran, read-back matches", true },
	{ "compact", "056282N", ENDS, TXN_DONE, "script ran, read-back matches", true },
	{ "compact", "059000O", ENDS, TXN_QUARANTINED, "script ran, but the read-back shows another IMSI", false },
	{ "compact", "026a82", ENDS, TXN_FAILED, "command 2 of 5 (UPDATE 6f78) answered 6A82 (file not found)", false },
	{ "compact", "046982", ENDS, TXN_FAILED, "command 4 of 5 (UPDATE 6f07) answered 6982", false },
	{ "compact", "016e00", ENDS, TXN_FAILED, "command 1 of 5 (SELECT 6f78) answered 6E00", false },
	{ "compact", "056981", READ_BACK, TXN_ACTIVE, "command 5 of 5 (READ 6f07) answered 6981", false },
	{ "compact", "056c09", READ_BACK, TXN_ACTIVE, "command 5 of 5 (READ 6f07) answered 6C09", false },
	{ "compact", "0562f1", READ_BACK, TXN_ACTIVE, "command 5 of 5 (READ 6f07) answered 62F1: cut off", false },
	{ "compact", "0362f1", READ_BACK, TXN_ACTIVE, "command 3 of 5 (SELECT 6f07) answered 62F1: cut off", false },
	{ "compact", "059000", READ_BACK, TXN_ACTIVE, "all commands ran, but no octets were read back", false },
	{ "compact", "059000Nff", READ_BACK, TXN_ACTIVE, "all commands ran, but 10 octets were read back", false },
	{ "compact", "0590000829", READ_BACK, TXN_ACTIVE, "all commands ran, but 2 octets were read back", false },
	{ "compact", "039000", READ_BACK, TXN_ACTIVE, "only 3 of 5 commands are answered", false },
	{ "compact", "069000N", READ_BACK, TXN_ACTIVE, "the card says OK, but its answer cannot be read", false },
	{ "compact", "", READ_BACK, TXN_ACTIVE, "the card says OK, but its answer cannot be read", false },
	{ "compact", "05", READ_BACK, TXN_ACTIVE, "the card says OK, but its answer cannot be read", false },
	{ "compact", "ab20800105" OK OK OK OK "230bN9000", READ_BACK, TXN_ACTIVE, "the card says OK, but", false },

	{ "expanded", "ab20800105" OK OK OK OK "230bN9000", ENDS, TXN_DONE, "script ran", true },
	{ "expanded", "af80" OK OK OK OK "230bN90000000", ENDS, TXN_DONE, "script ran", true },
	{ "expanded-indefinite", "af80" OK OK OK OK "230bN90000000", ENDS, TXN_DONE, "script ran", true },
	{ "expanded-indefinite", "ab20800105" OK OK OK OK "230bN9000", ENDS, TXN_DONE, "script ran", true },
	{ "expanded", "ab20800105" OK "23026282" OK OK "230bN9000", ENDS, TXN_DONE, "script ran", true },
	{ "expanded", "ab20800105" OK OK OK OK "230bX9000", ENDS, TXN_QUARANTINED,
	  "script ran, but the read-back shows another IMSI", false },
	{ "expanded", "ab0b800102" OK "23026a82", ENDS, TXN_FAILED,
	  "command 2 of 5 (UPDATE 6f78) answered 6A82 (file not found)", false },
	/* the SW of every R-APDU counts, also where the card goes on after one that is bad */
	{ "expanded", "ab20800105" OK "23026a82" OK OK "230bN9000", ENDS, TXN_QUARANTINED,
	  "command 2 of 5 (UPDATE 6f78) answered 6A82 (file not found)", true },
	{ "expanded", "ab20800105" OK "23026a82" OK OK "230bO9000", ENDS, TXN_QUARANTINED,
	  "command 2 of 5 (UPDATE 6f78) answered 6A82 (file not found)", false },
	{ "expanded",
	  "ab20800105" OK "23026a82" OK "23026982"
	  "230bO9000",
	  ENDS, TXN_FAILED, "command 2 of 5 (UPDATE 6f78) answered 6A82 (file not found)", false },
	{ "expanded", "ab06800100900101", ENDS, TXN_FAILED, "command 1 of 5 (SELECT 6f78) not run: unknown tag found",
	  false },
	{ "expanded", "ab0a800101" OK "900102", ENDS, TXN_FAILED,
	  "command 2 of 5 (UPDATE 6f78) not run: wrong length found", false },
	{ "expanded", "ab06800100810101", ENDS, TXN_FAILED,
	  "command 1 of 5 (SELECT 6f78) not run: no proactive session", false },
	{ "expanded", "ab0b800102" OK "230262f1", READ_BACK, TXN_ACTIVE,
	  "command 2 of 5 (UPDATE 6f78) answered 62F1: cut off", false },
	{ "expanded", "ab1a800105" OK OK OK OK "230508296262f1", READ_BACK, TXN_ACTIVE,
	  "command 5 of 5 (READ 6f07) answered 62F1", false },
	{ "expanded", "ab13800104" OK OK OK OK, READ_BACK, TXN_ACTIVE, "only 4 of 5 commands are answered", false },
	{ "expanded", "ab17800105" OK OK OK OK OK, READ_BACK, TXN_ACTIVE, "all commands ran, but no octets", false },
	{ "expanded", "ab17800105" OK OK OK OK "23026981", READ_BACK, TXN_ACTIVE,
	  "command 5 of 5 (READ 6f07) answered 6981", false },
	{ "expanded", "ab24800106" OK OK OK OK OK "230bN9000", READ_BACK, TXN_ACTIVE, "the card says OK, but", false },
	{ "expanded", "059000N", READ_BACK, TXN_ACTIVE, "the card says OK, but", false },
};

static void what_follows_from_a_script(void **state)
{
	static struct bed b;
	char imsi[IMSI_DIGITS_MAX + 1];
	struct sent s, r;

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		uint64_t c = script_out(&b, scripts[i].format, &s);

		answer(&b, c, &s, scripts[i].answer);
		if (bed_txn(&b, 0)->state != scripts[i].state)
			fail_msg("%s answered %s: %s %s", scripts[i].format, scripts[i].answer,
				 txn_state_name(b.bundle.txn.state), b.bundle.txn.reason);
		bed_new_imsi(c, 0, imsi);
		if (scripts[i].renumbered) {
			assert_string_equal(b.bundle.card.imsi, imsi);
			assert_int_equal(b.bundle.txn.evidence, 4);
		} else {
			assert_string_not_equal(b.bundle.card.imsi, imsi);
		}
		if (scripts[i].follows == ENDS) {
			bed_expect_txn(&b, 0, scripts[i].state, scripts[i].reason);
			bed_pass(&b, DAY);
			bed_expect_nothing(&b);
		} else {
			if (bed_story(&b, 0, STORY_NOTE, scripts[i].reason) != 1)
				fail_msg("%s answered %s: nothing in the story", scripts[i].format, scripts[i].answer);
			bed_expect_readback(&b, 0, &r);
			assert_true(r.p.cntr > s.p.cntr);
			bed_accepted(&b, &r);
			/* the same answer again is no reason for a second question */
			answer(&b, c, &s, scripts[i].answer);
			bed_expect_nothing(&b);
			bed_expect_txn(&b, 0, TXN_ACTIVE, NULL);
		}
		(void)bed_count(&b, c, TXN_DONE); /* store and core agree */
		bed_close(&b);
	}
}

/* ------------------------------------------------------------------------------------- the read-back's answer */

static const struct {
	const char *format, *script, *readback;
	enum txn_state state;
	const char *reason;
	bool again; /* the same work goes out once more */
} readbacks[] = {
	/* the script was answered with something that cannot be read */
	{ "compact", "", "029000N", TXN_DONE, "proven by a read-back of its own", false },
	{ "compact", "", "029000O", TXN_QUARANTINED, "the card says the script ran, and holds another IMSI", false },
	{ "compact", "", "029000X", TXN_QUARANTINED, "the card says the script ran, and holds another IMSI", false },
	{ "compact", "", "", TXN_QUARANTINED, "read-back: the card says OK, but its answer cannot be read", false },
	{ "compact", "", "029000", TXN_QUARANTINED, "read-back: all commands ran, but no octets", false },
	{ "compact", "", "0262f1", TXN_QUARANTINED, "read-back: command 2 of 2 (READ 6f07) answered 62F1", false },
	{ "compact", "", "016a82", TXN_QUARANTINED, "read-back: command 1 of 2 (SELECT 6f07) answered 6A82", false },
	{ "compact", "", "039000N", TXN_QUARANTINED, "read-back: the card says OK, but", false },
	{ "expanded", "", "ab14800102" OK "230bN9000", TXN_DONE, "proven by a read-back of its own", false },
	{ "expanded", "", "ab06800100900101", TXN_QUARANTINED, "read-back: command 1 of 2 (SELECT 6f07) not run",
	  false },
	{ "expanded", "", "029000N", TXN_QUARANTINED, "read-back: the card says OK, but", false },
	/* with something that says what went wrong */
	{ "compact", "056981", "029000N", TXN_DONE, "proven by a read-back of its own", false },
	{ "compact", "056981", "029000O", TXN_FAILED, "the script broke off with 6981", false },
	{ "compact", "0562f1", "029000O", TXN_FAILED, "the script broke off with 62F1", false },
	{ "compact", "059000", "029000O", TXN_QUARANTINED, "the card says the script ran", false },
	/* refused in clear: nobody knows, and the old IMSI proves that it did not run */
	{ "compact", NULL, "029000N", TXN_DONE, "proven by a read-back of its own", false },
	{ "compact", NULL, "029000O", TXN_ACTIVE, "", true },
	{ "expanded", NULL, "ab14800102" OK "230bO9000", TXN_ACTIVE, "", true },
};

static void what_follows_from_a_readback(void **state)
{
	static struct bed b;
	uint8_t pkt[OTA_PACKET_MAX];
	struct sent s, r, s2;
	struct uds u;

	for (size_t i = 0; i < sizeof(readbacks) / sizeof(readbacks[0]); i++) {
		uint64_t c = script_out(&b, readbacks[i].format, &s);

		if (readbacks[i].script) {
			answer(&b, c, &s, readbacks[i].script);
		} else {
			bed_cut(&u, pkt, bed_clear(&s, OTA_POR_CC_FAILED, 0, pkt), 0, false, 0);
			bed_mo_all(&b, 0, 0, &u);
			bed_pass(&b, b.cfg.retry.hint_ms);
		}
		bed_expect_readback(&b, 0, &r);
		bed_accepted(&b, &r);
		answer(&b, c, &r, readbacks[i].readback);
		if (bed_txn(&b, 0)->state != readbacks[i].state ||
		    strncmp(b.bundle.txn.reason, readbacks[i].reason, strlen(readbacks[i].reason)))
			fail_msg("%zu: %s %s", i, txn_state_name(b.bundle.txn.state), b.bundle.txn.reason);
		if (readbacks[i].again) {
			bed_expect_script(&b, 0, &s2);
			assert_true(s2.p.cntr > r.p.cntr);
		}
		bed_expect_nothing(&b);
		(void)bed_count(&b, c, TXN_DONE);
		bed_close(&b);
	}
}

/* A script whose answer comes while the read-back is out, and says that it broke off: it has run, it is not sent again. */
static void the_scripts_answer_during_the_readback(void **state)
{
	static struct bed b;
	uint8_t pkt[OTA_PACKET_MAX];
	struct sent s, r;
	struct uds u;
	uint64_t c = script_out(&b, "compact", &s);

	bed_cut(&u, pkt, bed_clear(&s, OTA_POR_CC_FAILED, 0, pkt), 0, false, 0);
	bed_mo_all(&b, 0, 0, &u);
	bed_pass(&b, b.cfg.retry.hint_ms);
	bed_expect_readback(&b, 0, &r);
	bed_accepted(&b, &r);
	answer(&b, c, &s, "026982");
	bed_expect_txn(&b, 0, TXN_ACTIVE, "");
	answer(&b, c, &r, "029000O");
	bed_expect_txn(&b, 0, TXN_FAILED, "the script broke off with 6982");
	bed_expect_nothing(&b);
	bed_close(&b);
}

/* --------------------------------------------------------------------------------------------- with real cards */

/* The virtual card has a decoder of its own: in each format, by both bearers, it does the work and is believed; one that
 * refuses a file is told apart, by its name. */
static void with_virtual_cards(void **state)
{
	static const char *const formats[] = { "compact", "expanded", "expanded-indefinite" };
	static struct bed b;
	char imsi[IMSI_DIGITS_MAX + 1], lines[64];
	struct sim_card_truth truth;
	struct sim_card_out out;
	struct sent s;
	struct uds u;

	for (unsigned i = 0; i < 12; i++) {
		bool denied = i >= 6, report = i % 2;
		uint64_t c;

		bed_open(&b, 1, 1);
		b.long_script = true;
		b.card[0].profile.deny_update_fid = denied ? USIM_FID_ACC : 0;
		snprintf(lines, sizeof(lines), " format %s\n%s", formats[i / 2 % 3], report ? " spi 16 19\n" : "");
		c = bed_campaign_with(&b, 1, 1, lines, false, true);
		bed_expect_script(&b, 0, &s);
		bed_accepted(&b, &s);
		bed_card_takes(&b, &s, &out);
		assert_true(out.accepted);
		bed_uds(&out, &u);
		if (report)
			bed_receipt(&b, 0, 0, "DELIVRD", out.report, out.report_len);
		else
			bed_mo_all(&b, 0, 0, &u);
		sim_card_truth(&b.card[0], &truth);
		bed_new_imsi(c, 0, imsi);
		if (denied) {
			bed_expect_txn(&b, 0, TXN_FAILED, "command 8 of 11 (UPDATE 6f78) answered 6982");
			assert_string_not_equal(truth.imsi_stored, imsi);
		} else {
			bed_expect_txn(&b, 0, TXN_DONE, "script ran");
			assert_string_equal(truth.imsi_stored, imsi);
		}
		bed_close(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_follows_from_a_script),
		cmocka_unit_test(what_follows_from_a_readback),
		cmocka_unit_test(the_scripts_answer_during_the_readback),
		cmocka_unit_test(with_virtual_cards),
	};

	return cmocka_run_group_tests_name("por_answers", tests, NULL, NULL);
}
