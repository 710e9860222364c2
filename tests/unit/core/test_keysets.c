/* test_keysets.c - an import changes the keysets of cards the core works on: counters rise and never fall, keys change between
 * commands and never under one, whatever comes first.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "core_bed.h"

static struct bed b;

static void answered(const struct sent *s, const char *imsi)
{
	struct uds u;

	bed_good(&b, s, imsi, &u);
	bed_mo_all(&b, s->link, s->card, &u);
}

/* The card meets the packet and its answer comes in: for tests in which keys must be right. */
static void delivered(const struct sent *s)
{
	struct sim_card_out out;
	struct uds u;

	bed_accepted(&b, s);
	bed_card_takes(&b, s, &out);
	bed_uds(&out, &u);
	assert_true(u.n > 0);
	bed_mo_all(&b, s->link, s->card, &u);
}

static void por(const struct sent *s, uint8_t status)
{
	uint8_t pkt[OTA_PACKET_MAX];
	struct uds u;

	bed_cut(&u, pkt, bed_por(&b, s, status, NULL, 0, pkt), 0, false, 0);
	bed_mo_all(&b, s->link, s->card, &u);
}

static const struct keyset_row *stored(unsigned kvn)
{
	return &bed_card(&b, 0)->keyset[kvn - 1];
}

/* A counter that others have spent, told while a command is out: the next one leaves beyond it.  A lower one changes nothing. */
static void raised(void **state)
{
	struct sent s;
	uint64_t c;

	bed_open(&b, 1, 1);
	c = bed_campaign(&b, 1, 1, "compact");
	bed_expect_script(&b, 0, &s);
	assert_int_equal(s.p.cntr, BED_CNTR + 1);
	bed_accepted(&b, &s);
	b.keyset[0][0].cntr = 5000;
	bed_import(&b, 0, STORE_R_UPDATED);
	assert_int_equal(stored(1)->cntr, 5000);
	assert_int_equal(bed_story(&b, 0, STORY_NOTE,
				   "import: key version 1, generation 0: its counter has been spent by "
				   "others; last counter 5000"),
			 1);
	bed_expect_txn(&b, 0, TXN_ACTIVE, "");
	por(&s, OTA_POR_NO_MEMORY); /* what is out may still be answered */
	bed_pass(&b, 3600000);
	bed_expect_readback(&b, 0, &s);
	assert_int_equal(s.p.cntr, 5001);
	bed_accepted(&b, &s);
	b.keyset[0][0].cntr = 200;
	bed_import(&b, 0, STORE_R_SAME);
	answered(&s, b.card[0].imsi_first);
	bed_expect_script(&b, 0, &s);
	assert_int_equal(s.p.cntr, 5002);
	delivered(&s);
	bed_expect_txn(&b, 0, TXN_DONE, "script ran");
	assert_int_equal(stored(1)->cntr, 5002);
	assert_int_equal(stored(1)->cntr_proven, 5002);
	assert_int_equal(c, 1);
	bed_close(&b);
}

#define LOW_IS_06 " por 06 means cntr-low\n"

/* "Counter low" to a script may mean that it was taken, as long as nobody else spends this counter.  After such a list it may as
 * well mean the others: the work goes out again once the card has shown that it was not done. */
static void low_after_others(void **state)
{
	/* 06: some cards say this for 02, under their keys; 0B: the answer follows, and it is lost */
	static const uint8_t says[] = { OTA_POR_CNTR_LOW, OTA_POR_UNIDENTIFIED, 0x0b };

	for (unsigned i = 0; i < 6; i++) {
		unsigned told = i % 2;
		struct sent s;

		bed_open(&b, 1, 1);
		bed_campaign_with(&b, 1, 1, LOW_IS_06, false, true);
		bed_expect_script(&b, 0, &s);
		delivered(&s);
		bed_expect_txn(&b, 0, TXN_DONE, "script ran");
		bed_campaign_with(&b, 1, 1, LOW_IS_06, false, true);
		bed_expect_script(&b, 0, &s);
		bed_accepted(&b, &s);
		if (told) {
			b.keyset[0][0].cntr = 900;
			bed_import(&b, 0, STORE_R_UPDATED);
		}
		por(&s, says[i / 2]);
		bed_pass(&b, 3600000);
		bed_expect_readback(&b, 0, &s);
		bed_accepted(&b, &s);
		answered(&s, "999810001000000"); /* of the first campaign */
		if (told)
			bed_expect_script(&b, 0, &s);
		else
			bed_expect_txn(&b, 0, TXN_FAILED, "the card took the script");
		bed_close(&b);
	}
}

/* A counter is proven by an answer that a card gives after it has taken it.  A refusal under its keys is none: it comes before. */
static void proven_by(void **state)
{
	for (unsigned status = 0; status < 0x10; status++) {
		bool taken = status == OTA_POR_OK || status == OTA_POR_DATA_BY_SUBMIT || status == 0x0c;
		struct sent s;

		bed_open(&b, 1, 1);
		bed_campaign_with(&b, 1, 1, LOW_IS_06, false, true);
		bed_expect_script(&b, 0, &s);
		bed_accepted(&b, &s);
		por(&s, (uint8_t)status);
		bed_pass(&b, 1000);
		if (stored(1)->cntr_proven != (taken ? s.p.cntr : 0))
			fail_msg("status %02x proves %u", status, (unsigned)stored(1)->cntr_proven);
		bed_close(&b);
	}
}

/* Between two campaigns the card gets other keys and a counter from the beginning.  It is in memory all the time. */
static void replaced(void **state)
{
	struct sent s;
	struct uds late;

	bed_open(&b, 1, 1);
	bed_campaign(&b, 1, 1, "compact");
	bed_expect_script(&b, 0, &s);
	bed_good(&b, &s, "999810001000000", &late);
	delivered(&s);
	bed_expect_txn(&b, 0, TXN_DONE, "script ran");
	bed_new_keys(&b, 0, 1, 7, 3);
	bed_import(&b, 0, STORE_R_UPDATED);
	assert_int_equal(stored(1)->generation, 7);
	assert_int_equal(stored(1)->cntr, 3);
	assert_int_equal(stored(1)->cntr_proven, 0);
	assert_int_equal(bed_card(&b, 0)->cmd[0].generation, 0);

	/* an answer under the old keys says nothing any more, and does no harm */
	bed_mo_all(&b, 0, 0, &late);
	assert_int_equal(bed_story(&b, 0, STORY_STRAY, "response packet to a command whose keys"), 1);
	assert_int_equal(stored(1)->cntr_proven, 0);

	bed_campaign(&b, 1, 1, "compact");
	bed_expect_script(&b, 0,
			  &s); /* opened with the new keys; not asked first, nobody has ever doubted this counter */
	assert_int_equal(s.p.cntr, 4);
	delivered(&s);
	bed_expect_txn(&b, 0, TXN_DONE, "script ran");
	assert_int_equal(stored(1)->cntr, 4);
	assert_int_equal(stored(1)->cntr_proven, 4);
	assert_int_equal(bed_card(&b, 0)->cmd[0].generation, 7);
	/* the old list once more */
	b.keyset[0][0].generation = 6;
	bed_import(&b, 0, STORE_R_OLD_GENERATION);
	bed_close(&b);
}

/* A change of keys has taken the other version: profiles go on naming the one that they know. */
static void other_version(void **state)
{
	struct sent s;

	bed_open(&b, 1, 2);
	bed_new_keys(&b, 0, 2, 1, 50);
	b.keyset[0][0].generation = 1;
	b.keyset[0][0].sealed_len = 0;
	bed_import(&b, 0, STORE_R_UPDATED);
	bed_campaign(&b, 1, 1, "compact");
	bed_expect_script(&b, 0, &s);
	assert_int_equal(s.p.cntr, 51);
	delivered(&s);
	bed_expect_txn(&b, 0, TXN_DONE, "script ran");
	assert_int_equal(stored(2)->cntr_proven, 51);
	bed_close(&b);
}

/* While a command is open its keys stay, in whatever it waits. */
static void not_under_a_command(void **state)
{
	struct sent s;

	bed_open(&b, 1, 2);
	bed_campaign(&b, 1, 1, "compact");
	bed_expect_script(&b, 0, &s);
	bed_accepted(&b, &s);
	b.keyset[0][0].generation = 1;
	bed_import(&b, 0, STORE_R_OPEN_TXN);
	bed_restart(&b);
	bed_import(&b, 0, STORE_R_OPEN_TXN);
	assert_int_equal(stored(1)->generation, 0);
	/* the other version is free */
	b.keyset[0][0].generation = 0;
	bed_new_keys(&b, 0, 2, 1, 50);
	bed_import(&b, 0, STORE_R_UPDATED);
	delivered(&s);
	bed_expect_txn(&b, 0, TXN_DONE, "script ran");
	bed_campaign(&b, 1, 2, "compact");
	bed_expect_script(&b, 0, &s);
	assert_int_equal(s.p.cntr, 51);
	delivered(&s);
	bed_expect_txn(&b, 0, TXN_DONE, "script ran");
	bed_close(&b);
}

/* A key version that the card did not have, brought while it is in memory. */
static void one_more(void **state)
{
	struct sent s;
	struct bed_import im;

	bed_open(&b, 1, 2);
	bed_campaign(&b, 1, 1, "compact");
	bed_expect_script(&b, 0, &s);
	b.keyset[0][1].kvn = 3; /* sealed for 2: good enough to be stored */
	bed_import_start(&b, &im, 0);
	bed_turn(&b);
	assert_int_equal(im.rc, STORE_R_UPDATED);
	assert_int_equal(im.out.change[1], KEYSET_NEW);
	b.keyset[0][1].kvn = 2;
	delivered(&s);
	bed_expect_txn(&b, 0, TXN_DONE, "script ran");
	assert_int_equal(bed_card(&b, 0)->n_keysets, 3);
	assert_int_equal(stored(1)->cntr, BED_CNTR + 1);
	assert_int_equal(stored(2)->cntr, BED_CNTR);
	bed_close(&b);
}

/* The core decides while the import is under way.  `moment`: the command is made before the import is given to the store and
 * stored behind it; or made after it was given; or stored before it, and then the import must be refused.  `restart`: all that
 * was in memory is lost in between. */
enum moment { MADE_BEFORE, MADE_AFTER, STORED_BEFORE, _MOMENTS };

static void race(enum moment moment, bool restart, bool same_keys)
{
	struct sent s;
	struct bed_import im;
	uint64_t c, cntr;

	bed_open(&b, 1, 1);
	c = bed_campaign_with(&b, 1, 1, "", false, false);
	assert_int_equal(gw_post(b.gw, &(struct gw_event){ .kind = GW_EV_CAMPAIGN,
							   .campaign = c,
							   .verb = CAMPAIGN_VERB_START,
							   .request = 1 }),
			 0);
	gw_step(b.gw, b.now_ms); /* asks for the card; the campaign's row is on its way to the store, too */
	if (moment == MADE_BEFORE) {
		b.store->ops->poll(b.store); /* the command is made */
	} else if (moment == STORED_BEFORE) {
		b.store->ops->poll(b.store);
		gw_step(b.gw, b.now_ms); /* and on its way */
	}
	if (same_keys)
		b.keyset[0][0].generation = 2;
	else
		bed_new_keys(&b, 0, 1, 2, 10);
	bed_import_start(&b, &im, 0);
	if (moment == MADE_BEFORE)
		gw_step(b.gw, b.now_ms); /* its batch is behind the import */
	if (moment == MADE_AFTER)
		b.store->ops->poll(b.store); /* the card is read, the command made, and then the import done */
	bed_turn(&b);
	if (moment == STORED_BEFORE) {
		assert_int_equal(im.rc, STORE_R_OPEN_TXN);
		assert_int_equal(stored(1)->generation, 0);
		bed_close(&b);
		return;
	}
	assert_int_equal(im.rc, STORE_R_UPDATED);
	if (restart)
		bed_restart(&b);
	if (same_keys) { /* under another name: the command is theirs, and goes on as it was */
		bed_expect_script(&b, 0, &s);
		assert_int_equal(s.p.cntr, BED_CNTR + 1);
		assert_int_equal(stored(1)->generation, 2);
		assert_int_equal(bed_card(&b, 0)->cmd[0].generation, 2);
		delivered(&s);
		bed_expect_txn(&b, 0, TXN_DONE, "script ran");
		assert_int_equal(b.card[0].truth.scripts_done, 1);
		bed_close(&b);
		return;
	}
	/* nothing leaves under the old keys; the card is asked under the new ones, which also says that it has them */
	if (!restart)
		assert_false(bed_leaves(&b, 0, &s)); /* what was prepared is withdrawn */
	bed_expect_readback(&b, 0, &s);
	cntr = s.p.cntr;
	assert_int_equal(cntr, 11);
	assert_int_equal(stored(1)->generation, 2);
	assert_int_equal(stored(1)->cntr, cntr);
	assert_int_equal(bed_card(&b, 0)->cmd[0].generation, 2);
	assert_int_equal(bed_card(&b, 0)->cmd[1].generation, 0);
	assert_int_equal(bed_card(&b, 0)->cmd[1].state, CMD_FENCED);
	delivered(&s);
	bed_expect_script(&b, 0, &s);
	assert_int_equal(s.p.cntr, cntr + 1);
	delivered(&s);
	bed_expect_txn(&b, 0, TXN_DONE, "script ran");
	assert_int_equal(b.card[0].truth.scripts_done, 2); /* the question and the script */
	bed_close(&b);
}

static void races(void **state)
{
	for (unsigned i = 0; i < 4 * _MOMENTS; i++)
		race((enum moment)(i / 4), i & 1, i & 2);
}

/* The same keys under a higher generation, when a command has ended without an answer: in counter mode 11 its value is still to be
 * taken, and whenever its answer comes it is read. */
static void renamed(void **state)
{
	for (unsigned i = 0; i < 8; i++) {
		bool exact = i & 1, restart = i & 2, late = i & 4;
		const char *lines = exact ? " counter exact\n spi 1e 39\n" : "";
		struct sent s, r;
		uint64_t c;

		bed_open(&b, 1, 1);
		c = bed_campaign_with(&b, 1, 1, lines, false, true);
		bed_expect_script(&b, 0, &s);
		bed_accepted(&b, &s);
		bed_verb(&b, c, CAMPAIGN_VERB_CANCEL);
		bed_pass(&b, 3600000);
		bed_expect_txn(&b, 0, TXN_CANCELLED, NULL);
		b.keyset[0][0].generation = 4;
		if (restart && !exact) /* a script of another life is no more asked about in mode 11 */
			bed_restart(&b);
		bed_import(&b, 0, STORE_R_UPDATED);
		if (restart && !exact)
			bed_restart(&b);
		assert_int_equal(stored(1)->generation, 4);
		assert_int_equal(bed_card(&b, 0)->cmd[0].generation, 4);
		if (late) {
			delivered(&s);
			bed_expect_txn(&b, 0, TXN_DONE, "script ran");
			assert_int_equal(stored(1)->cntr_proven, s.p.cntr);
			bed_close(&b);
			continue;
		}
		bed_campaign_with(&b, 1, 1, lines, false, true);
		bed_expect_readback(&b, 0, &r);
		assert_int_equal(r.p.cntr, exact ? s.p.cntr : s.p.cntr + 1);
		delivered(&r);
		bed_expect_script(&b, 0, &s);
		delivered(&s);
		bed_expect_txn(&b, 0, TXN_DONE, "script ran");
		bed_close(&b);
	}
}

/* The end of the import is told before that of a read that is older: what it brings is of yesterday, and is asked for again. */
static void older_reads(void **state)
{
	for (unsigned claim = 0; claim < 2; claim++) {
		const struct gw_event start = {
			.kind = GW_EV_CAMPAIGN, .campaign = 1, .verb = CAMPAIGN_VERB_START, .request = 1
		};
		struct gw_event alert = { .kind = GW_EV_LINK,
					  .ev = { .kind = LINK_EV_ALERT, .from = { .ton = 1, .npi = 1 } } };
		struct store_card_insert told = { 0 };
		struct bed_import im;
		struct sent s;

		bed_open(&b, 1, 1);
		bed_campaign_with(&b, 1, 1, "", false, !claim);
		if (!claim) {
			bed_expect_script(&b, 0, &s);
			delivered(&s);
			bed_campaign_with(&b, 1, 1, "", false, false);
			bed_restart(&b);
			assert_int_equal(bed_stats(&b).resident, 0);
			memcpy(alert.ev.from.digits, b.card[0].msisdn, SIM_IMSI_LEN);
			assert_int_equal(gw_post(b.gw, &alert), 0);
		} else {
			assert_int_equal(gw_post(b.gw, &start), 0);
		}
		gw_step(b.gw, b.now_ms); /* the read is on its way */
		bed_new_keys(&b, 0, 1, 1, 700);
		bed_import_start(&b, &im, 0);
		told.card.id = b.id[0];
		told.card.tz_min = CARD_TZ_KEEP;
		gw_card_imported(b.gw, &told); /* early: nobody is in memory */
		im.told = true;
		bed_turn(&b);
		if (!claim)
			bed_verb(&b, 2, CAMPAIGN_VERB_START);
		bed_expect_script(&b, 0, &s);
		assert_int_equal(s.p.cntr, 701);
		delivered(&s);
		bed_expect_txn(&b, 0, TXN_DONE, "script ran");
		bed_close(&b);
	}
}

/* Near its end a counter is worth a warning with every command; at its end nothing leaves. */
static void near_the_end(void **state)
{
	struct sent s;

	bed_open(&b, 1, 1);
	b.keyset[0][0].cntr = OTA_CNTR_MAX - (1u << 20) - 2;
	bed_import(&b, 0, STORE_R_UPDATED);
	bed_campaign(&b, 1, 1, "compact");
	bed_expect_script(&b, 0, &s);
	assert_int_equal(bed_stats(&b).counters_near_end, 0);
	delivered(&s);
	bed_campaign(&b, 1, 1, "compact");
	bed_expect_script(&b, 0, &s);
	assert_int_equal(bed_stats(&b).counters_near_end, 0);
	delivered(&s);
	bed_campaign(&b, 1, 1, "compact");
	bed_expect_script(&b, 0, &s);
	assert_int_equal(bed_stats(&b).counters_near_end, 1);
	delivered(&s);
	bed_expect_txn(&b, 0, TXN_DONE, "script ran");
	b.keyset[0][0].cntr = OTA_CNTR_MAX - 1;
	bed_import(&b, 0, STORE_R_UPDATED);
	bed_campaign(&b, 1, 1, "compact");
	bed_expect_nothing(&b);
	bed_expect_txn(&b, 0, TXN_QUARANTINED, "the counter of this key version is used up");
	/* other keys begin anew */
	bed_new_keys(&b, 0, 1, 1, 0);
	bed_import(&b, 0, STORE_R_UPDATED);
	bed_campaign(&b, 1, 1, "compact");
	bed_expect_script(&b, 0, &s);
	assert_int_equal(s.p.cntr, 1);
	assert_int_equal(bed_stats(&b).counters_near_end, 1);
	bed_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raised),	 cmocka_unit_test(low_after_others),
		cmocka_unit_test(proven_by),	 cmocka_unit_test(renamed),
		cmocka_unit_test(replaced),	 cmocka_unit_test(one_more),
		cmocka_unit_test(other_version), cmocka_unit_test(not_under_a_command),
		cmocka_unit_test(races),	 cmocka_unit_test(older_reads),
		cmocka_unit_test(near_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
