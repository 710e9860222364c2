/* test_vault_rules.c - whose is which index: the rules one by one, and whatever several operators ask in whatever order.
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
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "vault.h"

#define ICCID "89882110000000000017"
#define A     0xa
#define B     0xb
#define C     0xc
#define PAIRS 6

static struct vault_no no;

/* Its first pair is A's. */
static void issued(struct vault_card *c, unsigned pairs)
{
	vault_card_new(c, ICCID, pairs, 1);
	c->slot[0].who = A;
}

static struct vault_place place(struct vault_card *c, uint64_t who, uint64_t order, unsigned from)
{
	struct vault_place p;

	if (!vault_allocate(c, c->slot[from - 1].who, who, order, from, &p, &no))
		fail_msg("%s: %s", no.rule, no.why);
	return p;
}

static bool released(struct vault_card *c, uint64_t who, uint64_t order, unsigned index)
{
	bool fresh;

	return vault_release(c, c->slot[c->active - 1].who, who, order, index, 2, &fresh, &no);
}

static void refused(bool granted, const char *rule)
{
	assert_false(granted);
	assert_string_equal(no.rule, rule);
	assert_true(strlen(no.why) > 20);
}

/* The lowest index that nobody has had; for the same order the same one, before and after its keys went out. */
static void test_allocate(void **state)
{
	struct vault_card c, as_it_was;
	struct vault_place p;
	bool fresh;

	issued(&c, PAIRS);
	p = place(&c, B, 100, 1);
	assert_int_equal(p.to, 2);
	assert_int_equal(p.left, 4);
	assert_false(p.jump);
	as_it_was = c;
	p = place(&c, B, 100, 1);
	assert_int_equal(p.to, 2);
	assert_memory_equal(&c, &as_it_was, sizeof(c));

	assert_true(vault_release(&c, A, B, 100, 2, 2, &fresh, &no));
	assert_true(fresh);
	assert_int_equal(place(&c, B, 100, 1).to, 2);
	assert_true(vault_release(&c, A, B, 100, 2, 2, &fresh, &no)); /* asked again: the same, and no second line */
	assert_false(fresh);

	assert_true(vault_confirm(&c, B, 100, 2, &no));
	assert_int_equal(c.active, 2);
	assert_int_equal(c.slot[0].state, PAIR_USED);
	assert_true(vault_confirm(&c, B, 100, 2, &no));
	refused(vault_allocate(&c, B, C, 200, 1, &p, &no), "index"); /* from there it has gone */
	assert_int_equal(place(&c, C, 200, 2).to, 3);
}

/* Cancelled after the keys went out: to the same operator again, to another one never. */
static void test_cancelled(void **state)
{
	struct vault_card c;
	struct vault_place p;
	bool fresh;

	issued(&c, PAIRS);
	place(&c, B, 100, 1);
	assert_true(released(&c, B, 100, 2));
	p = place(&c, C, 200, 1);
	assert_int_equal(p.to, 3);
	assert_true(p.jump);
	assert_int_equal(p.left, 3);
	refused(released(&c, C, 200, 2), "released");
	assert_true(released(&c, C, 200, 3));

	p = place(&c, B, 300, 1); /* B again: its own */
	assert_int_equal(p.to, 2);
	assert_false(p.jump);
	refused(released(&c, B, 100, 2), "index"); /* it is the new order's now */
	assert_true(vault_release(&c, A, B, 300, 2, 2, &fresh, &no));
	assert_true(fresh);

	assert_true(vault_confirm(&c, C, 200, 3, &no));
	assert_int_equal(c.slot[1].state, PAIR_BURNT);
	refused(released(&c, B, 300, 2), "index");
	refused(vault_confirm(&c, B, 300, 2, &no), "index");
	assert_int_equal(place(&c, B, 400, 3).to, 4);
}

/* Put aside, never handed out: the next order may have it, and the one before it no more. */
static void test_not_released(void **state)
{
	struct vault_card c;

	issued(&c, PAIRS);
	place(&c, B, 100, 1);
	assert_int_equal(place(&c, C, 200, 1).to, 2);
	refused(released(&c, B, 100, 2), "index");
	assert_true(released(&c, C, 200, 2));
}

static void test_refused(void **state)
{
	struct vault_card c, as_it_was;
	struct vault_place p;

	issued(&c, PAIRS);
	place(&c, B, 100, 1);
	as_it_was = c;
	refused(released(&c, B, 100, 4), "index"); /* to + 2 */
	refused(released(&c, B, 100, 1), "index");
	refused(released(&c, B, 100, 0), "index");
	refused(released(&c, B, 100, PAIRS + 1), "index");
	refused(released(&c, C, 100, 2), "index"); /* another operator */
	refused(released(&c, B, 101, 2), "index"); /* another order */
	refused(vault_may_release(&c, A, B, 100, 2, 3, &no), "key-version");
	refused(vault_confirm(&c, B, 100, 2, &no), "index"); /* before it was released */
	refused(vault_allocate(&c, A, B, 100, 3, &p, &no), "index");
	refused(vault_allocate(&c, A, B, 100, 0, &p, &no), "index");
	refused(vault_allocate(&c, A, B, 100, PAIRS + 1, &p, &no), "index");
	assert_memory_equal(&c, &as_it_was, sizeof(c)); /* nothing of it changed anything */
}

/* Only who holds the card hands it over: asked where an index is put aside, and again where its keys leave. */
static void test_holder(void **state)
{
	struct vault_card c, as_it_was;
	struct vault_place p;
	bool fresh;

	vault_card_new(&c, ICCID, PAIRS, 1);
	refused(vault_allocate(&c, A, B, 100, 1, &p, &no), "holder"); /* issued to nobody */
	assert_non_null(strstr(no.why, "issue it first"));
	c.slot[0].who = A;
	as_it_was = c;
	refused(vault_allocate(&c, C, B, 100, 1, &p, &no), "holder");
	assert_memory_equal(&c, &as_it_was, sizeof(c));

	place(&c, B, 100, 1);
	refused(vault_may_release(&c, C, B, 100, 2, 2, &no), "holder");
	assert_true(vault_release(&c, A, B, 100, 2, 2, &fresh, &no));
	as_it_was = c;
	refused(vault_allocate(&c, C, A, 200, 2, &p, &no), "holder"); /* not confirmed yet, and not C's */
	assert_memory_equal(&c, &as_it_was, sizeof(c));
	place(&c, C, 300, 1);
	assert_true(vault_confirm(&c, B, 100, 2, &no));
	refused(vault_release(&c, A, C, 300, 3, 2, &fresh, &no), "holder"); /* B's in the meantime */
	refused(vault_allocate(&c, A, C, 300, 2, &p, &no), "holder");
	assert_true(vault_release(&c, A, B, 100, 2, 2, &fresh, &no)); /* its own, lost on the way */
	assert_int_equal(place(&c, C, 400, 2).to, 3);
}

static void test_exhausted(void **state)
{
	struct vault_card c;
	struct vault_place p;

	issued(&c, 2);
	p = place(&c, B, 100, 1);
	assert_int_equal(p.to, 2);
	assert_int_equal(p.left, 0);
	assert_true(released(&c, B, 100, 2));
	p = place(&c, C, 200, 1);
	assert_int_equal(p.to, 0);
	assert_int_equal(p.left, 0);
	assert_int_equal(place(&c, B, 300, 1).to, 2); /* still B's */
}

/* The confirmation has not come here: the operator under whom the card lives says where it stands. */
static void test_confirmation_lost(void **state)
{
	struct vault_card c;

	issued(&c, PAIRS);
	place(&c, B, 100, 1);
	assert_true(released(&c, B, 100, 2));
	assert_int_equal(place(&c, C, 200, 2).to, 3);
	assert_int_equal(c.active, 2);
	assert_true(vault_confirm(&c, B, 100, 2, &no)); /* late */
	assert_int_equal(c.active, 2);
}

/* ---- whatever is asked ---- */

static uint64_t rng;

static unsigned dice(unsigned n)
{
	rng ^= rng >> 12;
	rng ^= rng << 25;
	rng ^= rng >> 27;
	return (unsigned)((rng * 2685821657736338717ULL) >> 33) % n;
}

/* Orders of four operators, valid, invalid and repeated, in any order; what each has been given is noted apart. */
static void run_seed(unsigned seed, unsigned *grants)
{
	uint64_t had[PAIRS + 1] = { 0 }; /* who has been given the keys of an index */
	struct vault_card c;
	unsigned active = 1;
	uint64_t holder = 1 + seed % 4; /* of the card: who has been given the keys of its active index */

	rng = seed * 0x9e3779b97f4a7c15ULL + 1;
	issued(&c, PAIRS);
	c.slot[0].who = had[1] = holder;
	for (unsigned i = 0; i < 60; i++) {
		uint64_t a = dice(2) ? holder : 1 + dice(4), who = 1 + dice(4), order = 10 * who + dice(3);
		unsigned index = dice(4) ? c.active + dice(3) : dice(PAIRS + 2);
		struct vault_card before = c, again;
		uint8_t body[BOOK_BODY_MAX];
		struct vault_place p = { 0 };
		bool granted, fresh;
		int len;

		if (dice(2) && index && index <= PAIRS &&
		    c.slot[index - 1].order) { /* as it stands there, but for one thing perhaps */
			order = c.slot[index - 1].order;
			who = dice(4) ? c.slot[index - 1].who : who;
		}
		switch (dice(3)) {
		case 0:
			granted = vault_allocate(&c, a, who, order, index, &p, &no);
			if (granted && p.to && (p.to <= index || p.jump != (p.to > index + 1)))
				fail_msg("seed %u: %u after %u", seed, p.to, index);
			if (granted && had[index] != a)
				fail_msg("seed %u: index %u put aside by who does not hold the card", seed, p.to);
			if (granted && p.to && had[p.to] && had[p.to] != who)
				fail_msg("seed %u: index %u of another operator was allocated", seed, p.to);
			break;
		case 1:
			granted = vault_release(&c, a, who, order, index, 1 + dice(2), &fresh, &no);
			if (!granted)
				break;
			(*grants)++;
			if (!had[index] && a != holder)
				fail_msg("seed %u: index %u was given away by who does not hold the card", seed, index);
			if (had[index] && had[index] != who)
				fail_msg("seed %u: index %u went to two operators", seed, index);
			had[index] = who;
			break;
		default:
			granted = vault_confirm(&c, who, order, index, &no);
			if (granted && had[index] != who)
				fail_msg("seed %u: index %u confirmed by who has no keys", seed, index);
		}
		if (!granted)
			assert_memory_equal(&before, &c, sizeof(c));
		if (c.active < active)
			fail_msg("seed %u: the card went back from %u to %u", seed, active, c.active);
		active = c.active;
		holder = had[active];
		len = vault_card_pack(&c, body);
		assert_true(len > 0);
		assert_int_equal(vault_card_unpack(&again, body, (size_t)len), 0);
		assert_memory_equal(&again, &c, sizeof(c));
	}
}

static void test_any_order(void **state)
{
	unsigned grants = 0;

	for (unsigned seed = 1; seed <= 3000; seed++)
		run_seed(seed, &grants);
	assert_true(grants > 3000);
}

/* ---- records ---- */

static void test_pack(void **state)
{
	struct vault_card c, d;
	uint8_t body[BOOK_BODY_MAX];
	int len;

	vault_card_new(&c, ICCID, VAULT_PAIRS_MAX, 3);
	memset(c.issuer, 'a', PKG_NAME_MAX);
	assert_int_equal(c.slot[1].state, PAIR_BURNT);
	len = vault_card_pack(&c, body);
	assert_true(len > 0);
	assert_int_equal(vault_card_unpack(&d, body, (size_t)len), 0);
	assert_memory_equal(&c, &d, sizeof(c));
	for (int n = 0; n < len; n++)
		assert_int_equal(vault_card_unpack(&d, body, (size_t)n), -1);
	body[1 + 1 + strlen(ICCID) + 2 + 1 + PKG_NAME_MAX + 1] = 9; /* an active index that is none */
	assert_int_equal(vault_card_unpack(&d, body, (size_t)len), -1);
	assert_true(vault_who("tele-b") != vault_who("tele-c"));
	assert_string_equal(pair_step_name(PAIR_BURNT), "burnt");
	assert_string_equal(pair_step_name(77), "?");
}

static struct ks *keystore(void)
{
	static const uint8_t kek[32] = "0123456789abcdef0123456789ABCDEF";
	struct ks_open_params p = { .source = KS_KEK_MEMORY, .kek = kek, .slots = 4 };
	struct ks *ks;

	assert_int_equal(ks_open(&ks, &p, NULL, 0, NULL, NULL, 0), 0);
	return ks;
}

static void test_keys(void **state)
{
	struct ks *ks = keystore();
	struct vault_pair p = { .who = "tele-b", .at_ms = 17 }, q;
	struct vault_sets s = { 0 }, t;
	uint8_t body[BOOK_BODY_MAX];
	char key[BOOK_KEY_MAX];
	int len;

	pair_key(key, ICCID, 7);
	assert_string_equal(key, ICCID "/00007");
	assert_int_equal(ks_pair_make(ks, ICCID, 7, 32, &p.keys), 0);
	len = vault_pair_pack(&p, body);
	assert_true(len > 0);
	assert_int_equal(vault_pair_unpack(&q, body, (size_t)len), 0);
	assert_memory_equal(&p, &q, sizeof(p));
	for (int n = 0; n < len; n++)
		assert_int_equal(vault_pair_unpack(&q, body, (size_t)n), -1);
	for (unsigned i = 0; i < 2; i++)
		s.len[i] = (uint8_t)ks_keyset_make(ks, ICCID, (uint8_t)(14 + i), 32, s.sealed[i]);
	len = vault_sets_pack(&s, body);
	assert_true(len > 0);
	assert_int_equal(vault_sets_unpack(&t, body, (size_t)len), 0);
	assert_memory_equal(&s, &t, sizeof(s));
	for (int n = 0; n < len; n++)
		assert_int_equal(vault_sets_unpack(&t, body, (size_t)n), -1);
	ks_close(ks);
}

/* The MAC that the card will make itself: AES-CMAC under KID of KVN 14, by another hand. */
static void test_jump(void **state)
{
	struct ks *ks = keystore();
	struct vault_sets s = { 0 };
	uint8_t mac[OTA_SUB_MAC_LEN], want[16], kid[16], ef[USIM_ICCID_LEN], input[OTA_SUB_JUMP_LEN];
	char text[KS_MAKER_TEXT_MAX];
	EVP_MAC *cmac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(cmac);
	char aes[] = "AES-128-CBC";
	OSSL_PARAM par[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, aes, 0), OSSL_PARAM_END };
	size_t n = 0;

	s.len[0] = (uint8_t)ks_keyset_make(ks, ICCID, 14, 16, s.sealed[0]);
	assert_int_equal(vault_jump_mac(ks, ICCID, &s, 1, 4, 77, mac), 0);
	assert_true(ks_emit_keyset(ks, ICCID, 14, s.sealed[0], s.len[0], text) > 0);
	for (unsigned i = 0; i < 16; i++) {
		unsigned v;

		assert_int_equal(sscanf(text + 2 + 32 + 1 + 2 * i, "%2x", &v), 1);
		kid[i] = (uint8_t)v;
	}
	assert_true(usim_iccid_encode(ef, ICCID) >= 0);
	ota_sub_jump_input(input, ef, 1, 4, 77);
	assert_int_equal(EVP_MAC_init(ctx, kid, 16, par), 1);
	assert_int_equal(EVP_MAC_update(ctx, input, sizeof(input)), 1);
	assert_int_equal(EVP_MAC_final(ctx, want, &n, sizeof(want)), 1);
	assert_memory_equal(mac, want, OTA_SUB_MAC_LEN);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(cmac);
	assert_true(vault_jump_mac(ks, "89882110000000000025", &s, 1, 4, 77, mac) < 0);
	s.len[0] = 0;
	assert_true(vault_jump_mac(ks, ICCID, &s, 1, 4, 77, mac) < 0);
	ks_close(ks);
}

/* ---- ledger ---- */

#define LINES 20

static void test_ledger(void **state)
{
	static uint8_t body[LINES][BOOK_BODY_MAX];
	int len[LINES];
	struct ledger_head h = { 0 }, walked = { 0 }, again;
	struct ledger_line l;
	uint8_t head[BOOK_BODY_MAX];
	char key[BOOK_KEY_MAX], err[200];

	for (unsigned i = 0; i < LINES; i++) {
		struct ledger_line in = { .at_ms = 1000 + i, .index = (uint16_t)(2 + i), .kvn = 2 };

		snprintf(in.order, sizeof(in.order), "order-%u", i);
		snprintf(in.iccid, sizeof(in.iccid), "%s", ICCID);
		snprintf(in.to, sizeof(in.to), "tele-b");
		memset(in.root, (int)i, sizeof(in.root));
		len[i] = ledger_next(&h, &in, body[i]);
		assert_true(len[i] > 0);
		assert_int_equal(in.n, i + 1);
	}
	for (unsigned i = 0; i < LINES; i++)
		assert_int_equal(ledger_walk(&walked, body[i], (size_t)len[i], err, sizeof(err)), 0);
	assert_memory_equal(&walked, &h, sizeof(h));
	assert_int_equal(ledger_unpack(&l, body[7], (size_t)len[7]), 0);
	assert_string_equal(l.order, "order-7");
	assert_int_equal(l.index, 9);
	ledger_key(key, 12);
	assert_string_equal(key, "00000000000000000012");
	assert_true(strcmp(LEDGER_HEAD, "99999999999999999999") > 0);
	assert_int_equal(ledger_head_unpack(&again, head, (size_t)ledger_head_pack(&h, head)), 0);
	assert_memory_equal(&again, &h, sizeof(h));

	/* any octet of any line but the last one: found at the latest one line behind */
	for (unsigned i = 0; i + 1 < LINES; i++)
		for (int at = 0; at < len[i]; at += 7) {
			int rc = 0;

			memset(&walked, 0, sizeof(walked));
			body[i][at] ^= 1;
			for (unsigned k = 0; k <= i + 1 && !rc; k++)
				rc = ledger_walk(&walked, body[k], (size_t)len[k], err, sizeof(err));
			assert_int_equal(rc, -1);
			assert_true(walked.n <= i + 1);
			body[i][at] ^= 1;
		}
	/* one left out; the last one by the head */
	memset(&walked, 0, sizeof(walked));
	assert_int_equal(ledger_walk(&walked, body[0], (size_t)len[0], err, sizeof(err)), 0);
	assert_int_equal(ledger_walk(&walked, body[2], (size_t)len[2], err, sizeof(err)), -1);
	assert_non_null(strstr(err, "line 2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allocate),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_not_released),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_holder),
		cmocka_unit_test(test_exhausted),
		cmocka_unit_test(test_confirmation_lost),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_pack),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_jump),
		cmocka_unit_test(test_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
