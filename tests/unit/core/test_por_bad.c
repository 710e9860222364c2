/* test_por_bad.c - messages from a known card that are no PoR, or lie, or are another card's: counted, bounded, survived.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "core_bed.h"

#define ROUNDS 3000

static struct bed b;

/* Card 0 has a script out, card 1, too; c is their campaign. */
static uint64_t begin(const char *format, struct sent s[2])
{
	uint64_t c;

	bed_open(&b, 2, 1);
	c = bed_campaign(&b, 2, 1, format);
	for (unsigned i = 0; i < 2; i++) {
		struct sent one;

		bed_expect_script(&b, 0, &one);
		bed_accepted(&b, &one);
		s[one.card] = one;
	}
	return c;
}

/* What was done to it has not hurt: the right answer still counts. */
static void expect_unharmed(uint64_t c, const struct sent *s)
{
	char imsi[IMSI_DIGITS_MAX + 1];
	struct uds u;

	bed_expect_txn(&b, 0, TXN_ACTIVE, "");
	bed_new_imsi(c, 0, imsi);
	bed_good(&b, s, imsi, &u);
	bed_mo_all(&b, 0, 0, &u);
	bed_expect_txn(&b, 0, TXN_DONE, "script ran");
	bed_close(&b);
}

static void other_messages(void **state)
{
	static const uint8_t text[] = "Hello, this is a card";
	static const uint8_t port[] = { 6, 5, 4, 0x0b, 0x84, 0x23, 0xf0, 1, 2, 3 };
	struct sent s[2];
	uint64_t c = begin("compact", s);
	int64_t stories;

	bed_story(&b, 0, STORY_STRAY, NULL);
	stories = bed_story(&b, 0, STORY_STRAY, NULL);
	bed_mo(&b, 0, 0, NULL, 0);
	bed_mo(&b, 0, 0, text, sizeof(text));			     /* UDHL 48: longer than all of it */
	bed_mo(&b, 0, 0, port, sizeof(port));			     /* some application's */
	bed_mo(&b, 0, 0, (const uint8_t[]){ 2, 0x70, 0, 0, 14 }, 5); /* a command, from a card */
	bed_receipt(&b, 0, 0, "DELIVRD", text, sizeof(text) - 1);
	assert_int_equal(bed_stats(&b).mo_other, 5);
	/* a long one, in parts, as any phone sends them */
	for (unsigned i = 1; i <= 3; i++) {
		uint8_t part[140] = { 5, 0, 3, 42, 3, (uint8_t)i };

		bed_mo(&b, i % 2, 0, part, sizeof(part));
	}
	assert_int_equal(bed_stats(&b).mo_other, 6);
	assert_int_equal(bed_card(&b, 0)->n_parts, 0);
	assert_int_equal(bed_stats(&b).por_stray, 0);
	assert_int_equal(bed_story(&b, 0, STORY_STRAY, NULL), stories);
	expect_unharmed(c, &s[0]);
}

static void lying_lengths(void **state)
{
	struct sent s[2];
	uint64_t c = begin("compact", s);
	uint8_t pkt[OTA_PACKET_MAX], data[256], ud[LINK_PAYLOAD_MAX] = { 2, 0x71, 0 };
	size_t n = bed_por(&b, &s[0], OTA_POR_OK, data, bed_answer(&s[0], "999810001000000", data), pkt);
	unsigned strays = 0;

	/* each length field wrong by every amount, and the packet cut anywhere */
	for (unsigned at = 0; at < 3; at++)
		for (unsigned v = 0; v < 256; v++) {
			memcpy(ud + 3, pkt, n);
			if (ud[3 + at] == v)
				continue;
			ud[3 + at] = (uint8_t)v;
			bed_mo(&b, 0, 0, ud, 3 + n);
			strays++;
		}
	for (size_t cut = 0; cut < n; cut++) {
		memcpy(ud + 3, pkt, n);
		bed_mo(&b, 0, 0, ud, 3 + cut);
		strays++;
	}
	/* as much as a link takes behind one header */
	memset(ud + 3, 0xa5, sizeof(ud) - 3);
	bed_mo(&b, 0, 0, ud, sizeof(ud));
	ud[3] = (uint8_t)((sizeof(ud) - 5) >> 8);
	ud[4] = (uint8_t)(sizeof(ud) - 5);
	ud[5] = 18;
	memcpy(ud + 6, pkt + 3, 3);
	bed_mo(&b, 0, 0, ud, sizeof(ud));
	/* and as one part of many */
	memcpy(ud, (uint8_t[]){ 7, 0, 3, 9, 2, 1, 0x71, 0 }, 8);
	bed_mo(&b, 0, 0, ud, sizeof(ud));
	strays += 3;
	assert_true(bed_stats(&b).por_stray + bed_stats(&b).por_bad_mac + bed_stats(&b).mo_other >= strays - 1);
	assert_int_equal(bed_stats(&b).por_ok, 0);
	expect_unharmed(c, &s[0]);
}

/* Each bit of a good answer flipped: none is believed. */
static void flipped_bits(void **state)
{
	static const char *const formats[] = { "compact", "expanded" };

	for (int f = 0; f < 2; f++) {
		struct sent s[2];
		uint64_t c = begin(formats[f], s);
		char imsi[IMSI_DIGITS_MAX + 1];
		struct uds u;

		bed_new_imsi(c, 0, imsi);
		bed_good(&b, &s[0], imsi, &u);
		for (size_t bit = 0; bit < 8u * u.len[0]; bit++) {
			u.ud[0][bit / 8] ^= (uint8_t)(1u << bit % 8);
			/* some turn it into one part of a longer message, which is kept for a while */
			bed_mo(&b, 0, 0, u.ud[0], u.len[0]);
			u.ud[0][bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		assert_int_equal(bed_stats(&b).por_ok, 0);
		assert_true(bed_stats(&b).por_bad_mac > 8u * u.len[0] / 2);
		expect_unharmed(c, &s[0]);
	}
}

/* A right answer, but another card's: its keys are not this one's. */
static void another_cards(void **state)
{
	struct sent s[2];
	uint64_t c = begin("compact", s);
	char imsi[IMSI_DIGITS_MAX + 1];
	uint8_t pkt[OTA_PACKET_MAX];
	struct uds u;

	bed_new_imsi(c, 1, imsi);
	bed_good(&b, &s[1], imsi, &u);
	for (int i = 0; i < 5; i++)
		bed_mo_all(&b, 0, 0, &u);
	assert_int_equal(bed_stats(&b).por_bad_mac, 5);
	assert_int_equal(bed_story(&b, 0, STORY_STRAY, "response packet fails its MAC"), 5);
	bed_expect_txn(&b, 1, TXN_ACTIVE, "");
	/* a refusal in clear for another counter is no hint, either */
	bed_cut(&u, pkt, bed_clear(&s[0], OTA_POR_CC_FAILED, s[0].p.cntr + 7, pkt), 0, false, 0);
	bed_mo_all(&b, 0, 0, &u);
	assert_int_equal(bed_stats(&b).por_hint, 0);
	assert_int_equal(bed_card(&b, 0)->cmd[0].hint, 255);
	/* nor is success in clear anything */
	bed_cut(&u, pkt, bed_clear(&s[0], OTA_POR_OK, s[0].p.cntr, pkt), 0, false, 0);
	bed_mo_all(&b, 0, 0, &u);
	assert_int_equal(bed_card(&b, 0)->cmd[0].por_status, 255);
	expect_unharmed(c, &s[0]);
}

/* From a number that is nobody's. */
static void from_nobody(void **state)
{
	struct sent s[2];
	uint64_t c = begin("compact", s);
	char imsi[IMSI_DIGITS_MAX + 1];
	struct uds u;

	bed_new_imsi(c, 0, imsi);
	bed_good(&b, &s[0], imsi, &u);
	bed_mo_from(&b, 0, 1, "12345", u.ud[0], u.len[0]);
	bed_mo_from(&b, 0, 6, "999990000000001", u.ud[0], u.len[0]);
	bed_mo_from(&b, 0, 0, "", u.ud[0], u.len[0]);
	assert_int_equal(bed_stats(&b).por_stray, 3);
	expect_unharmed(c, &s[0]);
}

static uint32_t dice(uint32_t *seed)
{
	return *seed = *seed * 1664525 + 1013904223;
}

/* Whatever comes: whole and in parts, text and octets, good answers damaged, over both links, as messages and receipts. */
static void a_flood_of_anything(void **state)
{
	struct sent s[2];
	uint64_t c = begin("expanded", s);
	char imsi[IMSI_DIGITS_MAX + 1];
	uint32_t seed = 20260417;
	struct uds good;

	bed_new_imsi(c, 0, imsi);
	bed_good(&b, &s[0], imsi, &good);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint8_t ud[LINK_PAYLOAD_MAX];
		size_t n = (dice(&seed) >> 8) % (i % 16 ? LINK_UD_MAX + 1 : sizeof(ud) + 1);

		for (size_t k = 0; k < n; k++)
			ud[k] = (uint8_t)(dice(&seed) >> 24);
		if (i % 3 && n > 12) { /* with a header that leads somewhere */
			static const uint8_t heads[][8] = { { 2, 0x71, 0 },
							    { 5, 0, 3, 1, 2, 1 },
							    { 7, 0, 3, 1, 2, 1, 0x71, 0 },
							    { 6, 8, 4, 0, 1, 3, 2 } };
			const uint8_t *h = heads[i % 4];

			memcpy(ud, h, h[0] + 1u);
			ud[4] = i % 4 ? (uint8_t)(1 + i % 20) : ud[4];
		}
		if (i % 5 == 0) {
			n = good.len[0];
			memcpy(ud, good.ud[0], n);
			ud[3 + (dice(&seed) >> 8) % (n - 3)] ^= (uint8_t)(1u << (dice(&seed) >> 29));
		}
		if (i % 2)
			bed_mo(&b, i / 2 % 2, 0, ud, n);
		else
			bed_receipt(&b, i / 2 % 2, 0, i % 4 ? "DELIVRD" : "", ud, n);
	}
	assert_int_equal(bed_stats(&b).por_ok, 0);
	assert_true(bed_card(&b, 0)->n_parts <= CARD_PARTS_MAX);
	assert_int_equal(bed_stats(&b).inbox, 0);
	expect_unharmed(c, &s[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_messages), cmocka_unit_test(lying_lengths),
		cmocka_unit_test(flipped_bits),	  cmocka_unit_test(another_cards),
		cmocka_unit_test(from_nobody),	  cmocka_unit_test(a_flood_of_anything),
	};

	return cmocka_run_group_tests_name("por_bad", tests, NULL, NULL);
}
