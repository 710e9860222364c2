/* test_por_shapes.c - a proof of receipt in every shape: how it comes does not change what it says.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "core_bed.h"

#define MINUTE 60000LL
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static const char *const formats[] = { "compact", "expanded", "expanded-indefinite" };

static void new_imsi(uint64_t campaign, char imsi[IMSI_DIGITS_MAX + 1])
{
	bed_new_imsi(campaign, 0, imsi);
}

/* DONE, known under the new IMSI, nothing more leaves, counts agree. */
static void expect_done(struct bed *b, uint64_t campaign, const char *how)
{
	char imsi[IMSI_DIGITS_MAX + 1];

	bed_new_imsi(campaign, 0, imsi);
	bed_expect_txn(b, 0, TXN_DONE, how);
	assert_int_equal(b->bundle.txn.evidence, 4);
	assert_string_equal(b->bundle.card.imsi, imsi);
	assert_int_equal(bed_count(b, campaign, TXN_DONE), 1);
	bed_pass(b, DAY);
	bed_expect_nothing(b);
	assert_int_equal(bed_stats(b).open, 0);
}

/* ------------------------------------------------------------------------------------ before submit_sm_resp */

/* The answer overtakes the response to our submit; whatever that turns out to be, the attempt is booked once. */
static void before_the_response(void **state)
{
	static const struct {
		enum link_event_kind kind;
		enum fail_class cls;
	} outcomes[] = { { LINK_EV_ACCEPTED, FAIL_NONE },
			 { LINK_EV_UNKNOWN, FAIL_UNKNOWN },
			 { LINK_EV_UNKNOWN, FAIL_LINK },
			 { LINK_EV_REJECTED, FAIL_ABSENT },
			 { LINK_EV_REJECTED, FAIL_SUBS_PERM } };
	static struct bed b;

	for (size_t i = 0; i < 2 * sizeof(outcomes) / sizeof(outcomes[0]); i++) {
		char imsi[IMSI_DIGITS_MAX + 1];
		struct uds u;
		struct sent s;
		uint64_t c;

		bed_open(&b, 1, 1);
		b.long_script = i % 2;
		c = bed_campaign(&b, 1, 1, formats[i % 3]);
		new_imsi(c, imsi);
		bed_expect_script(&b, 0, &s);
		assert_int_equal(s.n, 1 + i % 2);
		if (s.n > 1)
			bed_outcome(&b, &s, 0, LINK_EV_ACCEPTED, FAIL_NONE);
		bed_good(&b, &s, imsi, &u);
		bed_mo_all(&b, 1, 0, &u);
		bed_expect_txn(&b, 0, TXN_DONE, "script ran");
		bed_outcome(&b, &s, s.n - 1, outcomes[i / 2].kind, outcomes[i / 2].cls);
		expect_done(&b, c, "script ran");
		assert_int_equal(b.bundle.txn.attempts, 1);
		assert_int_equal(bed_txn(&b, 0)->sms_parts, s.n);
		bed_close(&b);
	}
}

/* The first attempt's answer comes while the second one is half out: its other half stays here. */
static void while_the_next_attempt_is_half_out(void **state)
{
	static struct bed b;
	char imsi[IMSI_DIGITS_MAX + 1];
	struct link_submit sub;
	uint8_t ud[LINK_UD_MAX];
	struct uds u;
	struct sent s, again;
	uint64_t c;

	bed_open(&b, 1, 1);
	b.long_script = true;
	c = bed_campaign(&b, 1, 1, "compact");
	new_imsi(c, imsi);
	bed_expect_script(&b, 0, &s);
	bed_accepted(&b, &s);
	bed_pass(&b, 10 * MINUTE);
	assert_true(gw_submit_next(b.gw, 1, 1, b.now_ms, &sub, ud));
	assert_true(sub.more);
	bed_good(&b, &s, imsi, &u);
	bed_mo_all(&b, 0, 0, &u);
	assert_false(gw_submit_next(b.gw, 1, 16, b.now_ms, &sub, ud));
	again = (struct sent){ .link = 1, .n = 1, .token = { sub.token } };
	bed_outcome(&b, &again, 0, LINK_EV_ACCEPTED, FAIL_NONE);
	expect_done(&b, c, "script ran");
	assert_int_equal(bed_txn(&b, 0)->sms_parts, 3);
	assert_int_equal(b.bundle.txn.attempts, 2);
	bed_close(&b);
}

/* A refusal before the response: in clear it waits for its attempt to be through, under the card's keys it counts at once. */
static void refusal_before_the_response(void **state)
{
	static struct bed b;
	uint8_t pkt[OTA_PACKET_MAX];
	struct uds u;
	struct sent s, r;

	for (int secured = 0; secured < 2; secured++) {
		char imsi[IMSI_DIGITS_MAX + 1];
		uint64_t c;

		bed_open(&b, 1, 1);
		c = bed_campaign(&b, 1, 1, "compact");
		new_imsi(c, imsi);
		bed_expect_script(&b, 0, &s);
		bed_cut(&u, pkt,
			secured ? bed_por(&b, &s, OTA_POR_CNTR_LOW, NULL, 0, pkt) :
				  bed_clear(&s, OTA_POR_CNTR_LOW, 0, pkt),
			0, false, 0);
		bed_mo_all(&b, 0, 0, &u);
		if (!secured) {
			bed_expect_nothing(&b);
			bed_accepted(&b, &s);
			bed_expect_nothing(&b);
			bed_pass(&b, b.cfg.retry.hint_ms);
		}
		bed_expect_readback(&b, 0, &r);
		assert_true(r.p.cntr > s.p.cntr);
		if (secured)
			bed_accepted(&b, &s); /* the fenced one's, late */
		bed_good(&b, &r, imsi, &u);
		bed_mo_all(&b, 0, 0, &u); /* and again before its response */
		bed_accepted(&b, &r);
		expect_done(&b, c, "proven by a read-back");
		bed_close(&b);
	}
}

/* ------------------------------------------------------------------------------------------ in a receipt */

static void in_a_receipt(void **state)
{
	static struct bed b;
	struct sim_card_out out;
	struct sent s;

	for (size_t i = 0; i < 3; i++) {
		char lines[64];
		int64_t seen_ms;
		uint64_t c;

		bed_open(&b, 1, 1);
		snprintf(lines, sizeof(lines), " spi 16 19\n format %s\n", formats[i]);
		c = bed_campaign_with(&b, 1, 1, lines, false, true);
		bed_expect_script(&b, 0, &s);
		bed_accepted(&b, &s);
		bed_card_takes(&b, &s, &out);
		assert_int_equal(out.submits, 0);
		/* the SMSC's own words close nothing, and say that the card was there only when it was */
		seen_ms = bed_card(&b, 0)->card.last_seen_ms;
		bed_pass(&b, 2 * MINUTE);
		bed_receipt(&b, 0, 0, "UNDELIV", NULL, 0);
		assert_int_equal(bed_card(&b, 0)->card.last_seen_ms, seen_ms);
		bed_receipt(&b, 0, 0, "DELIVRD", NULL, 0);
		assert_int_equal(bed_card(&b, 0)->card.last_seen_ms, b.now_ms);
		bed_expect_txn(&b, 0, TXN_ACTIVE, "");
		bed_receipt(&b, 1, 0, "DELIVRD", out.report, out.report_len);
		expect_done(&b, c, "script ran");
		bed_close(&b);
	}
}

/* A receipt without a reference says nothing of a packet of two parts, unless it left as one message. */
static void of_a_whole_packet(void **state)
{
	static struct bed b;
	struct sent s;

	for (unsigned whole = 0; whole < 2; whole++) {
		bed_open(&b, 1, 1);
		b.long_script = true;
		b.whole_receipts = whole;
		bed_campaign(&b, 1, 1, "compact");
		bed_expect_script(&b, 0, &s);
		bed_accepted(&b, &s);
		bed_receipt(&b, 0, 0, "DELIVRD", NULL, 0);
		assert_int_equal(bed_txn(&b, 0)->evidence, whole ? 2 : 1);
		bed_close(&b);
	}
}

/* ----------------------------------------------------------------------------------------------- in parts */

/* A script that has left and whose good answer is cut into parts; the wait for it has not ended. */
static uint64_t parts_begin(struct bed *b, struct sent *s, struct uds *u, uint16_t ref, bool wide, unsigned parts)
{
	char imsi[IMSI_DIGITS_MAX + 1];
	uint8_t data[256], pkt[OTA_PACKET_MAX];
	uint64_t c;
	size_t n;

	bed_open(b, 1, 1);
	c = bed_campaign(b, 1, 1, "expanded");
	new_imsi(c, imsi);
	bed_expect_script(b, 0, s);
	bed_accepted(b, s);
	n = bed_por(b, s, OTA_POR_OK, data, bed_answer(s, imsi, data), pkt);
	bed_cut(u, pkt, n, ref, wide, (n + parts - 1) / parts);
	assert_int_equal(u->n, parts);
	return c;
}

static void in_any_order_over_any_link(void **state)
{
	static const uint8_t order[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					     { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	static struct bed b;
	struct sent s;
	struct uds u;

	for (unsigned i = 0; i < 12; i++) {
		uint64_t c = parts_begin(&b, &s, &u, 0xb7, i % 2, 3);

		for (unsigned k = 0; k < 3; k++) {
			unsigned p = order[i / 2][k];

			bed_expect_txn(&b, 0, TXN_ACTIVE, "");
			bed_mo(&b, (i + k) % BED_LINKS, 0, u.ud[p], u.len[p]);
			if (k < 2) /* the same once more is no other part */
				bed_mo(&b, k % BED_LINKS, 0, u.ud[p], u.len[p]);
			if (k == 1 && i % 3 == 0) { /* what has come in is durable */
				assert_int_equal(bed_card(&b, 0)->n_parts, 2);
				bed_restart(&b);
			}
		}
		assert_int_equal(bed_card(&b, 0)->n_parts, 0);
		expect_done(&b, c, "script ran");
		bed_close(&b);
	}
}

static void two_references_interleaved(void **state)
{
	static struct bed b;
	struct sent s;
	struct uds u, v;
	uint64_t c = parts_begin(&b, &s, &u, 3, false, 3);

	/* the SMSC has it twice, under references of its own, of which one is as long as two octets */
	v = u;
	for (unsigned i = 0; i < 3; i++)
		v.ud[i][3] = 4;
	for (unsigned i = 0; i < 3; i++) {
		bed_mo(&b, 0, 0, u.ud[2 - i], u.len[2 - i]);
		bed_mo(&b, 1, 0, v.ud[i], v.len[i]);
	}
	assert_int_equal(bed_stats(&b).por_ok, 1);
	assert_int_equal(bed_stats(&b).por_duplicate, 1);
	assert_int_equal(bed_card(&b, 0)->n_parts, 0);
	expect_done(&b, c, "script ran");
	bed_close(&b);
}

/* Some cards know one reference only: the newer message counts, and of a part that is older than an answer may take nothing
 * is joined with it. */
static void one_reference_for_all(void **state)
{
	static struct bed b;
	struct sent s;
	struct uds u, old;
	uint64_t c = parts_begin(&b, &s, &u, 1, false, 2);

	old = u;
	for (unsigned i = 9; i < old.len[0]; i++)
		old.ud[0][i] ^= 0x55;
	bed_mo(&b, 0, 0, old.ud[0], old.len[0]);
	bed_mo_all(&b, 0, 0, &u);
	expect_done(&b, c, "script ran");
	bed_close(&b);

	c = parts_begin(&b, &s, &u, 1, false, 2);
	bed_mo(&b, 0, 0, old.ud[0], old.len[0]);
	bed_pass(&b, b.cfg.retry.por_timeout_ms + 1);
	bed_mo(&b, 0, 0, u.ud[1], u.len[1]);
	assert_int_equal(bed_card(&b, 0)->n_parts, 1);
	assert_int_equal(bed_stats(&b).por_bad_mac, 0);
	bed_mo(&b, 0, 0, u.ud[0], u.len[0]);
	expect_done(&b, c, "script ran");
	bed_close(&b);
}

/* What is left of an older message under the same reference, in whatever order the parts of the newer one come: the proof is not
 * lost with it. */
static void what_is_left_of_an_older_message(void **state)
{
	static const uint8_t order[][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 }
	};
	static struct bed b;
	struct uds u, old;
	struct sent s;

	for (unsigned left = 1; left < 7; left++)
		for (unsigned i = 0; i < 6; i++) {
			uint64_t c = parts_begin(&b, &s, &u, 1, i % 2, 3);

			old = u;
			for (unsigned p = 0; p < 3; p++)
				old.ud[p][old.len[p] - 1] ^= 0x55;
			for (unsigned p = 0; p < 3; p++)
				if (left >> p & 1)
					bed_mo(&b, 0, 0, old.ud[p], old.len[p]);
			b.now_ms += 1000;
			if (left % 2)
				bed_restart(&b);
			for (unsigned k = 0; k < 3; k++) {
				bed_mo(&b, 0, 0, u.ud[order[i][k]], u.len[order[i][k]]);
				if (k == 1 && i % 3 == 0) {
					b.now_ms += 1000;
					bed_restart(&b);
				}
			}
			assert_int_equal(bed_card(&b, 0)->n_parts, 0);
			expect_done(&b, c, "script ran");
			bed_close(&b);
		}
}

/* A part alone closes nothing, and its card is asked again with the same octets. */
static void half_an_answer(void **state)
{
	static struct bed b;
	struct sent s, again;
	struct uds u;
	uint64_t c = parts_begin(&b, &s, &u, 9, true, 2);

	bed_mo(&b, 0, 0, u.ud[0], u.len[0]);
	bed_pass(&b, 10 * MINUTE);
	bed_expect_script(&b, 0, &again);
	assert_int_equal(again.p.cntr, s.p.cntr);
	/* the other half is too late for this one, the card's second answer is in time */
	bed_mo(&b, 0, 0, u.ud[1], u.len[1]);
	bed_expect_txn(&b, 0, TXN_ACTIVE, "");
	bed_mo(&b, 0, 0, u.ud[0], u.len[0]);
	expect_done(&b, c, "script ran");
	bed_close(&b);
}

/* As many parts as we keep, and one more, make an answer; more are refused, and push nothing out. */
static void as_many_parts_as_are_kept(void **state)
{
	static struct bed b;
	struct sent s;
	struct uds u;
	uint64_t c = parts_begin(&b, &s, &u, 5, false, CARD_PARTS_MAX + 1);

	for (unsigned i = 0; i < CARD_PARTS_MAX; i++)
		bed_mo(&b, 0, 0, u.ud[i], u.len[i]);
	assert_int_equal(bed_card(&b, 0)->n_parts, CARD_PARTS_MAX);
	bed_mo(&b, 0, 0, (const uint8_t[]){ 5, 0, 3, 77, CARD_PARTS_MAX + 2, 2, 1, 2, 3 }, 9);
	assert_int_equal(bed_card(&b, 0)->n_parts, CARD_PARTS_MAX);
	assert_int_equal(bed_stats(&b).por_stray, 1);
	bed_mo(&b, 0, 0, u.ud[CARD_PARTS_MAX], u.len[CARD_PARTS_MAX]);
	expect_done(&b, c, "script ran");
	bed_close(&b);

	/* of many unfinished messages the oldest gives way, but not the one that is coming in */
	c = parts_begin(&b, &s, &u, 5, false, 5);
	for (unsigned i = 0; i < 3; i++)
		bed_mo(&b, 0, 0, u.ud[i], u.len[i]);
	for (uint8_t ref = 100; ref < 105; ref++) {
		bed_pass(&b, 1000);
		bed_mo(&b, 0, 0, (const uint8_t[]){ 5, 0, 3, ref, 3, 2, 1, 2, 3 }, 9);
	}
	assert_int_equal(bed_card(&b, 0)->n_parts, CARD_PARTS_MAX);
	bed_mo(&b, 0, 0, u.ud[4], u.len[4]);
	assert_int_equal(bed_card(&b, 0)->n_parts, CARD_PARTS_MAX);
	bed_mo(&b, 0, 0, u.ud[3], u.len[3]);
	assert_int_equal(bed_card(&b, 0)->n_parts, CARD_PARTS_MAX - 4);
	expect_done(&b, c, "script ran");
	bed_close(&b);
}

/* ------------------------------------------------------------------------------------------------- twice */

static void twice(void **state)
{
	static struct bed b;
	char imsi[IMSI_DIGITS_MAX + 1];
	struct uds u;
	struct sent s;
	uint64_t c;

	bed_open(&b, 1, 1);
	c = bed_campaign(&b, 1, 1, "compact");
	new_imsi(c, imsi);
	bed_expect_script(&b, 0, &s);
	bed_accepted(&b, &s);
	bed_good(&b, &s, imsi, &u);
	bed_mo_all(&b, 0, 0, &u);
	bed_mo_all(&b, 1, 0, &u);
	bed_receipt(&b, 0, 0, "DELIVRD", u.ud[0], u.len[0]);
	assert_int_equal(bed_stats(&b).por_ok, 1);
	assert_int_equal(bed_stats(&b).por_duplicate, 2);
	assert_int_equal(bed_story(&b, 0, STORY_POR, "PoR accepted"), 1);
	expect_done(&b, c, "script ran");
	bed_restart(&b);
	bed_mo_all(&b, 1, 0, &u);
	expect_done(&b, c, "script ran");
	bed_close(&b);
}

/* A read-back that shows the old IMSI leads to one fresh script, however often its answer comes. */
static void twice_the_old_imsi(void **state)
{
	static struct bed b;
	char imsi[IMSI_DIGITS_MAX + 1];
	uint8_t pkt[OTA_PACKET_MAX];
	struct uds u;
	struct sent s, r, s2;
	uint64_t c;

	bed_open(&b, 1, 1);
	c = bed_campaign(&b, 1, 1, "compact");
	new_imsi(c, imsi);
	bed_expect_script(&b, 0, &s);
	bed_accepted(&b, &s);
	bed_cut(&u, pkt, bed_por(&b, &s, OTA_POR_NO_MEMORY, NULL, 0, pkt), 0, false, 0);
	bed_mo_all(&b, 0, 0, &u);
	bed_mo_all(&b, 0, 0, &u);
	bed_expect_nothing(&b); /* it has no memory now: asked later */
	bed_pass(&b, b.cfg.retry.first_ms * 2);
	bed_expect_readback(&b, 0, &r);
	bed_mo_all(&b, 0, 0, &u);
	bed_expect_nothing(&b);
	bed_good(&b, &r, b.card[0].imsi_first, &u);
	bed_mo_all(&b, 0, 0, &u);
	bed_mo_all(&b, 1, 0, &u);
	bed_expect_script(&b, 0, &s2);
	bed_mo_all(&b, 1, 0, &u);
	bed_expect_nothing(&b);
	assert_true(s2.p.cntr > r.p.cntr);
	bed_accepted(&b, &r);
	bed_accepted(&b, &s2);
	bed_good(&b, &s2, imsi, &u);
	bed_mo_all(&b, 0, 0, &u);
	expect_done(&b, c, "script ran");
	assert_int_equal(bed_txn(&b, 0)->scripts, 2);
	bed_close(&b);
}

/* --------------------------------------------------------------------------------------- from whom, over what */

static void from_the_new_numbers(void **state)
{
	static struct bed b;
	char imsi[IMSI_DIGITS_MAX + 1], msisdn[MSISDN_DIGITS_MAX + 1];
	struct uds u;
	struct sent s;
	uint64_t c;

	for (int i = 0; i < 6; i++) {
		bed_open(&b, 1, 1);
		c = bed_campaign_with(&b, 1, 1, "", true, true);
		new_imsi(c, imsi);
		memcpy(msisdn, bed_txn(&b, 0)->new_msisdn, sizeof(msisdn));
		bed_expect_script(&b, 0, &s);
		bed_accepted(&b, &s);
		bed_good(&b, &s, imsi, &u);
		if (i % 2) /* nobody of it is in memory */
			bed_restart(&b);
		if (i < 2)
			bed_mo_from(&b, 1, 6, imsi, u.ud[0], u.len[0]);
		else if (i < 4)
			bed_mo_from(&b, 1, 1, msisdn, u.ud[0], u.len[0]);
		else
			bed_mo_from(&b, 1, 6, b.card[0].imsi_first, u.ud[0], u.len[0]);
		expect_done(&b, c, "script ran");
		assert_string_equal(bed_card(&b, 0)->card.msisdn, msisdn);
		/* and under the numbers that it has given up, for a while */
		bed_mo_from(&b, 0, 6, b.card[0].imsi_first, u.ud[0], u.len[0]);
		bed_mo_from(&b, 0, 1, b.card[0].msisdn, u.ud[0], u.len[0]);
		assert_int_equal(bed_stats(&b).por_duplicate, 2);
		bed_close(&b);
	}
}

/* A number promised to a card whose transaction has ended, and then given to another card, is the other card's. */
static void a_promise_that_has_ended(void **state)
{
	static struct bed b;
	char imsi[IMSI_DIGITS_MAX + 1], taken[IMSI_DIGITS_MAX + 1];
	struct store_batch *batch = store_batch_new();
	struct store_txn_plan p = { .txn = { .evidence = 255, .por_status = 255 }, .kvn = 1 };
	uint8_t pkt[OTA_PACKET_MAX];
	struct campaign_row row = { .state = CAMPAIGN_READY, .profile = "bed", .name = "second", .targets = 1 };
	char text[] = "card-profile bed\n tar b00011\n kvn 1\n refresh card\n spi 16 39\n script\n  update 6f07 imsi\n"
		      "  read 6f07 9\n",
	     err[160];
	struct uds u;
	struct sent s;
	uint64_t c;

	bed_open(&b, 2, 1);
	c = bed_campaign(&b, 1, 1, "compact");
	new_imsi(c, taken);
	bed_expect_script(&b, 0, &s);
	bed_accepted(&b, &s);
	bed_cut(&u, pkt, bed_por(&b, &s, OTA_POR_MSL, NULL, 0, pkt), 0, false, 0);
	bed_mo_all(&b, 0, 0, &u);
	bed_expect_txn(&b, 0, TXN_FAILED, "card refuses: 0A");

	row.id = ++b.n_campaigns;
	assert_non_null(batch);
	store_batch_add(batch, ST_CAMPAIGN_INSERT, &row, text, sizeof(text) - 1);
	p.txn.campaign = row.id;
	memcpy(p.txn.new_imsi, taken, sizeof(taken));
	memcpy(p.iccid, b.card[1].iccid, SIM_ICCID_LEN);
	store_batch_add(batch, ST_TXN_PLAN, &p, NULL, 0);
	assert_int_equal(store_commit_wait(b.store, batch), STORE_OK);
	assert_int_equal(batch->ops[1].rc, 0);
	store_batch_free(batch);
	assert_int_equal(gw_campaign_adopt(b.gw, &row, text, sizeof(text) - 1, err, sizeof(err)), 0);
	b.now_ms++; /* the newer owner of a number counts */
	bed_verb(&b, row.id, CAMPAIGN_VERB_START);
	bed_expect_script(&b, 0, &s);
	assert_int_equal(s.card, 1);
	bed_accepted(&b, &s);
	bed_good(&b, &s, taken, &u);
	bed_restart(&b);
	bed_mo(&b, 0, 0, (const uint8_t *)"hello", 5); /* the first card is in memory, the second is not */
	bed_mo_from(&b, 0, 6, taken, u.ud[0], u.len[0]);
	bed_expect_txn(&b, 1, TXN_DONE, "script ran");
	bed_expect_txn(&b, 0, TXN_FAILED, NULL);
	bed_new_imsi(row.id, 1, imsi);
	bed_close(&b);
}

/* --------------------------------------------------------------------------------------------- 0B, 0C first */

/* F18: "the answer follows", and it does, in two parts. */
static void interim_then_the_real_one(void **state)
{
	static struct bed b;
	uint8_t pkt[OTA_PACKET_MAX];
	struct uds interim, u;
	struct sent s;

	for (int i = 0; i < 4; i++) {
		uint8_t status = i % 2 ? OTA_POR_DATA_BY_USSD : OTA_POR_DATA_BY_SUBMIT;
		uint64_t c = parts_begin(&b, &s, &u, 2, false, 2);

		bed_cut(&interim, pkt, i < 2 ? bed_por(&b, &s, status, NULL, 0, pkt) : bed_clear(&s, status, 0, pkt), 0,
			false, 0);
		bed_pass(&b, b.cfg.retry.por_timeout_ms - 1000);
		bed_receipt(&b, 0, 0, "DELIVRD", interim.ud[0], interim.len[0]);
		/* it is waited for once more, from here on */
		bed_pass(&b, b.cfg.retry.por_timeout_ms - 1000);
		bed_expect_nothing(&b);
		bed_mo_all(&b, 0, 0, &u);
		expect_done(&b, c, "script ran");
		assert_int_equal(bed_txn(&b, 0)->attempts, 1);
		bed_close(&b);
	}
}

/* The virtual card does it by itself. */
static void interim_by_a_card(void **state)
{
	static struct bed b;
	struct sim_card_out out;
	struct sent s;
	struct uds u;

	for (size_t i = 0; i < 3; i++) {
		uint64_t c;

		bed_open(&b, 1, 1);
		b.card[0].profile.interim_0b = true;
		c = bed_campaign(&b, 1, 1, formats[i]);
		bed_expect_script(&b, 0, &s);
		bed_accepted(&b, &s);
		bed_card_takes(&b, &s, &out);
		assert_true(out.report_len && out.submits == 1);
		bed_receipt(&b, 0, 0, "DELIVRD", out.report, out.report_len);
		bed_expect_txn(&b, 0, TXN_ACTIVE, "");
		assert_int_equal(b.bundle.cmd[0].por_status, OTA_POR_DATA_BY_SUBMIT);
		bed_uds(&out, &u);
		bed_mo_all(&b, 0, 0, &u);
		expect_done(&b, c, "script ran");
		bed_close(&b);
	}
}

/* Nothing follows.  It has said, under its keys, that it took the packet: the same octets do not go again, it is asked what it
 * holds.  However often it says "the answer follows", that is so. */
static void interim_for_ever(void **state)
{
	static struct bed b;
	char imsi[IMSI_DIGITS_MAX + 1];
	uint8_t pkt[OTA_PACKET_MAX];
	struct uds u;
	struct sent s, r;
	uint64_t c;
	size_t n;
	int64_t begin;

	bed_open(&b, 1, 1);
	c = bed_campaign(&b, 1, 1, "compact");
	new_imsi(c, imsi);
	bed_expect_script(&b, 0, &s);
	bed_accepted(&b, &s);
	n = bed_por(&b, &s, OTA_POR_DATA_BY_SUBMIT, NULL, 0, pkt);
	bed_cut(&u, pkt, n, 0, false, 0);
	begin = b.now_ms;
	while (b.now_ms < begin + HOUR) {
		bed_mo_all(&b, 0, 0, &u);
		if (bed_leaves(&b, 0, &r))
			break;
		bed_pass(&b, MINUTE);
	}
	assert_false(r.script);
	assert_true(b.now_ms <= begin + 2 * b.cfg.retry.por_timeout_ms + 2 * MINUTE);
	assert_true(bed_story(&b, 0, STORY_POR, "PoR accepted") < 3);
	bed_accepted(&b, &r);
	bed_good(&b, &r, imsi, &u);
	bed_mo_all(&b, 0, 0, &u);
	expect_done(&b, c, "proven by a read-back");
	bed_close(&b);
}

/* In clear anybody could have sent it: once it is waited for, then the same octets go as if it had said nothing. */
static void interim_for_ever_in_clear(void **state)
{
	static struct bed b;
	uint8_t pkt[OTA_PACKET_MAX];
	struct uds u;
	struct sent s, r;
	int64_t begin;

	bed_open(&b, 1, 1);
	bed_campaign(&b, 1, 1, "compact");
	bed_expect_script(&b, 0, &s);
	bed_accepted(&b, &s);
	bed_cut(&u, pkt, bed_clear(&s, OTA_POR_DATA_BY_SUBMIT, 0, pkt), 0, false, 0);
	begin = b.now_ms;
	do {
		bed_mo_all(&b, 0, 0, &u);
		bed_pass(&b, MINUTE);
		assert_true(b.now_ms < begin + HOUR);
	} while (!bed_leaves(&b, 0, &r));
	assert_true(r.script);
	assert_int_equal(r.p.cntr, s.p.cntr);
	assert_true(b.now_ms <= begin + 2 * b.cfg.retry.por_timeout_ms + 2 * MINUTE);
	bed_close(&b);
}

/* No series of them holds a command open beyond its deadline, nor read-backs that are all answered so. */
static void interim_ends_with_the_deadline(void **state)
{
	static struct bed b;
	uint8_t pkt[OTA_PACKET_MAX];
	struct uds u;
	struct sent s;
	unsigned left = 0;

	bed_open(&b, 1, 1);
	b.cfg.retry.deadline_ms = 2 * DAY;
	bed_restart(&b);
	bed_campaign(&b, 1, 1, "compact");
	for (int64_t begin = b.now_ms; b.now_ms < begin + 2 * DAY + HOUR; bed_pass(&b, 7 * MINUTE)) {
		if (!bed_leaves(&b, 0, &s))
			continue;
		left++;
		bed_accepted(&b, &s);
		bed_cut(&u, pkt, bed_por(&b, &s, OTA_POR_DATA_BY_SUBMIT, NULL, 0, pkt), 0, false, 0);
		bed_mo_all(&b, 0, 0, &u);
	}
	bed_expect_txn(&b, 0, TXN_EXPIRED, NULL);
	assert_true(left > 3 && left <= b.cfg.retry.attempts_max);
	assert_int_equal(bed_stats(&b).open, 0);
	bed_close(&b);
}

/* ------------------------------------------------------------------------------------------ clear or secured */

/* The same refusal: under the card's keys it is proof that the packet did not run, in clear it only leads to a question. */
static void refused_in_clear_or_secured(void **state)
{
	static const uint8_t status[] = { OTA_POR_CC_FAILED, OTA_POR_CIPHER_ERROR, OTA_POR_TAR_UNKNOWN, OTA_POR_MSL };
	static struct bed b;
	char imsi[IMSI_DIGITS_MAX + 1];
	uint8_t pkt[OTA_PACKET_MAX];
	struct uds u;
	struct sent s, r;
	uint64_t c;

	for (size_t i = 0; i < sizeof(status); i++) {
		bed_open(&b, 1, 1);
		bed_campaign(&b, 1, 1, "compact");
		bed_expect_script(&b, 0, &s);
		bed_accepted(&b, &s);
		bed_cut(&u, pkt, bed_por(&b, &s, status[i], NULL, 0, pkt), 0, false, 0);
		bed_mo_all(&b, 0, 0, &u);
		bed_expect_txn(&b, 0, TXN_FAILED, "card refuses");
		bed_expect_nothing(&b);
		bed_close(&b);

		bed_open(&b, 1, 1);
		c = bed_campaign(&b, 1, 1, "compact");
		new_imsi(c, imsi);
		bed_expect_script(&b, 0, &s);
		bed_accepted(&b, &s);
		bed_cut(&u, pkt, bed_clear(&s, status[i], 0, pkt), 0, false, 0);
		for (int k = 0; k < 3; k++) { /* again and again changes nothing */
			bed_mo_all(&b, 0, 0, &u);
			bed_expect_nothing(&b);
		}
		bed_pass(&b, b.cfg.retry.hint_ms);
		bed_expect_readback(&b, 0, &r);
		bed_accepted(&b, &r);
		/* one that names the script says nothing of the read-back, one that names it does */
		bed_cut(&u, pkt, bed_clear(&s, status[i], s.p.cntr, pkt), 0, false, 0);
		bed_mo_all(&b, 0, 0, &u);
		assert_int_equal(bed_card(&b, 0)->cmd[0].hint, 255);
		bed_cut(&u, pkt, bed_clear(&r, status[i], r.p.cntr, pkt), 0, false, 0);
		bed_mo_all(&b, 0, 0, &u);
		assert_int_equal(bed_card(&b, 0)->cmd[0].hint, status[i]);
		bed_good(&b, &r, imsi, &u);
		bed_mo_all(&b, 0, 0, &u);
		expect_done(&b, c, "proven by a read-back");
		bed_close(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_the_response),
		cmocka_unit_test(while_the_next_attempt_is_half_out),
		cmocka_unit_test(refusal_before_the_response),
		cmocka_unit_test(in_a_receipt),
		cmocka_unit_test(of_a_whole_packet),
		cmocka_unit_test(in_any_order_over_any_link),
		cmocka_unit_test(two_references_interleaved),
		cmocka_unit_test(one_reference_for_all),
		cmocka_unit_test(half_an_answer),
		cmocka_unit_test(what_is_left_of_an_older_message),
		cmocka_unit_test(as_many_parts_as_are_kept),
		cmocka_unit_test(twice),
		cmocka_unit_test(twice_the_old_imsi),
		cmocka_unit_test(from_the_new_numbers),
		cmocka_unit_test(a_promise_that_has_ended),
		cmocka_unit_test(interim_then_the_real_one),
		cmocka_unit_test(interim_by_a_card),
		cmocka_unit_test(interim_for_ever),
		cmocka_unit_test(interim_for_ever_in_clear),
		cmocka_unit_test(interim_ends_with_the_deadline),
		cmocka_unit_test(refused_in_clear_or_secured),
	};

	return cmocka_run_group_tests_name("por_shapes", tests, NULL, NULL);
}
