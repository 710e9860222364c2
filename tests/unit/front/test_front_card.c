/* test_front_card.c - the card's story: packets opened by reference, or the reason why not.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "front_fix.h"

#include "decode.h"

struct keys {
	struct ks *ks;
	struct keyset_row row, other;
};

#define ICCID "8988211000000000011"

static void keyset(struct ks *ks, struct keyset_row *row, const char *kic, const char *kid)
{
	const struct ks_keyset_spec spec = {
		.kvn = 1, .kic_alg = OTA_ALG_3DES2_CBC, .kid_alg = OTA_ALG_3DES2_CBC, .cc_len = 8
	};
	char a[64], b[64], c[2] = "", err[128];
	int n;

	snprintf(a, sizeof(a), "%s", kic);
	snprintf(b, sizeof(b), "%s", kid);
	n = ks_keyset_import(ks, ICCID, &spec, a, b, c, row->sealed, err, sizeof(err));
	assert_true(n > 0);
	row->sealed_len = (uint16_t)n;
	row->kvn = 1;
	row->kic_alg = row->kid_alg = OTA_ALG_3DES2_CBC;
	row->cc_len = 8;
}

static int setup(void **state)
{
	static const uint8_t kek[32] = { 9 };
	const struct ks_open_params p = { .source = KS_KEK_MEMORY, .kek = kek, .slots = 4 };
	struct keys *k = calloc(1, sizeof(*k));
	uint8_t check[KS_CHECK_LEN];

	assert_int_equal(ks_open(&k->ks, &p, NULL, 0, check, NULL, 0), 0);
	keyset(k->ks, &k->row, FIX_KIC, FIX_KID);
	keyset(k->ks, &k->other, FIX_KID, FIX_KIC);
	*state = k;
	return 0;
}

static int teardown(void **state)
{
	struct keys *k = *state;
	struct ks_stats st;

	/* nothing that was lent is kept */
	ks_stats(k->ks, &st);
	assert_int_equal(st.slots_used, 0);
	ks_close(k->ks);
	free(k);
	return 0;
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static const struct cmd_row cmd = { .id = 1,
				    .kvn = 1,
				    .kic = 0x15,
				    .kid = 0x15,
				    .spi = { 0x16, 0x39 },
				    .tar = { 0xb0, 0x00, 0x11 },
				    .cc_len = 8,
				    .cntr = 77 };

/* SELECT EF_IMSI, UPDATE, READ */
static const uint8_t script[] = { 0x00, 0xa4, 0x00, 0x0c, 0x02, 0x6f, 0x07, 0x00, 0xd6, 0x00, 0x00, 0x09, 0x08,
				  0x09, 0x10, 0x10, 0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0xb0, 0x00, 0x00, 0x09 };

static void params(struct keys *k, struct ota_cmd_params *p, uint32_t *set)
{
	assert_int_equal(ks_load(k->ks, ICCID, 1, k->row.sealed, k->row.sealed_len, set), 0);
	*p = (struct ota_cmd_params){ .spi = { cmd.spi[0], cmd.spi[1] },
				      .kic = cmd.kic,
				      .kid = cmd.kid,
				      .tar = { cmd.tar[0], cmd.tar[1], cmd.tar[2] },
				      .cntr = cmd.cntr,
				      .cc_len = 8,
				      .kic_ref = { *set, KS_KEY_KIC },
				      .kid_ref = { *set, KS_KEY_KID },
				      .data = script,
				      .data_len = sizeof(script) };
}

static size_t command(struct keys *k, uint8_t *out, size_t cap)
{
	struct ota_crypt crypt = ks_crypt(k->ks);
	struct ota_cmd_params p;
	uint32_t set;
	int n;

	params(k, &p, &set);
	n = ota_cmd_encode(out, cap, &p, &crypt);
	assert_true(n > 0);
	ks_unload(k->ks, set);
	return (size_t)n;
}

static size_t response(struct keys *k, uint8_t *out, size_t cap, uint8_t status, const uint8_t *data, size_t len)
{
	struct ota_crypt crypt = ks_crypt(k->ks);
	struct ota_cmd_params p;
	uint32_t set;
	int n;

	params(k, &p, &set);
	n = ota_rsp_encode(out, cap, &p, status, data, len, &crypt);
	assert_true(n > 0);
	ks_unload(k->ks, set);
	return (size_t)n;
}

static void test_command(void **state)
{
	struct keys *k = *state;
	uint8_t packet[512], copy[512];
	size_t n = command(k, packet, sizeof(packet));
	struct decode_keys keys = { .ks = k->ks, .iccid = ICCID, .keyset = &k->row };
	struct decoded d;

	memcpy(copy, packet, n);
	decode_command(&d, packet, n, 8, &keys);
	assert_memory_equal(packet, copy, n);
	assert_true(d.opened);
	assert_int_equal(d.cntr, 77);
	assert_int_equal(d.n_apdus, 3);
	has(d.apdu[0], "EF_IMSI");
	has(d.apdu[1], "080910100000000010 (IMSI 001010000000001)");
	has(d.apdu[2], "READ BINARY");
	assert_string_equal(d.spi_text[0], "CC, ciphered, counter higher");
	assert_string_equal(d.kic_text, "version 1, 3des2");
	/* other keys, none, or another card's: said, not guessed */
	keys.keyset = &k->other;
	decode_command(&d, packet, n, 8, &keys);
	assert_false(d.opened || d.n_apdus);
	has(d.note, "do not fit");
	keys.keyset = NULL;
	decode_command(&d, packet, n, 8, &keys);
	has(d.note, "no keys of this version");
	keys.keyset = &k->row;
	keys.iccid = "8988211000000000029";
	decode_command(&d, packet, n, 8, &keys);
	assert_false(d.opened);
	has(d.note, "not opened");
	/* the header needs no keys */
	assert_int_equal(d.kind, DECODED_COMMAND);
	assert_int_equal(d.tar[2], 0x11);
	for (size_t cut = 0; cut < n; cut++) {
		uint8_t *box = malloc(cut ? cut : 1);

		memcpy(box, packet, cut);
		keys.iccid = ICCID;
		decode_command(&d, box, cut, 8, &keys);
		assert_false(d.opened);
		decode_clear(&d, box, cut);
		free(box);
	}
}

static void test_response(void **state)
{
	struct keys *k = *state;
	static const uint8_t run[] = { 3, 0x90, 0x00, 0x08, 0x09, 0x10, 0x10, 0x00, 0x00, 0x00, 0x00, 0x10 };
	uint8_t packet[512];
	size_t n = response(k, packet, sizeof(packet), OTA_POR_OK, run, sizeof(run));
	struct decode_keys keys = { .ks = k->ks, .iccid = ICCID, .keyset = &k->row };
	struct cmd_row later = cmd;
	struct decoded d;

	decode_response(&d, packet, n, &cmd, &keys);
	assert_true(d.opened && d.has_run);
	assert_int_equal(d.executed, 3);
	assert_int_equal(d.sw, 0x9000);
	assert_string_equal(d.verdict, "accept");
	has(d.data_text, "001010000000001");
	/* another command's */
	later.cntr = 78;
	decode_response(&d, packet, n, &later, &keys);
	has(d.note, "another command");
	packet[n - 1] ^= 1;
	decode_response(&d, packet, n, &cmd, &keys);
	assert_false(d.opened);
	has(d.note, "not an answer");
	for (size_t cut = 0; cut < n; cut++) {
		uint8_t *box = malloc(cut ? cut : 1);

		memcpy(box, packet, cut);
		decode_response(&d, box, cut, &cmd, &keys);
		assert_false(d.opened);
		free(box);
	}
}

/* A script and its answer in expanded format. */
static void test_expanded(void **state)
{
	struct keys *k = *state;
	static const uint8_t expanded[] = { 0xaa, 0x10, 0x22, 0x07, 0x00, 0xa4, 0x00, 0x0c, 0x02,
					    0x6f, 0x07, 0x22, 0x05, 0x00, 0xb0, 0x00, 0x00, 0x09 };
	static const uint8_t good[] = { 0xaf, 0x80, 0x23, 0x02, 0x90, 0x00, 0x23, 0x0b, 0x08, 0x09, 0x10,
					0x10, 0x00, 0x00, 0x00, 0x00, 0x10, 0x91, 0x10, 0x00, 0x00 };
	static const uint8_t bad[] = { 0xab, 0x0a, 0x80, 0x01, 0x01, 0x23, 0x02, 0x90, 0x00, 0x90, 0x01, 0x01 };
	struct decode_keys keys = { .ks = k->ks, .iccid = ICCID, .keyset = &k->row };
	struct ota_crypt crypt = ks_crypt(k->ks);
	struct ota_cmd_params p;
	uint8_t packet[512];
	struct decoded d;
	uint32_t set;
	int n;

	params(k, &p, &set);
	p.data = expanded;
	p.data_len = sizeof(expanded);
	n = ota_cmd_encode(packet, sizeof(packet), &p, &crypt);
	ks_unload(k->ks, set);
	assert_true(n > 0);
	decode_command(&d, packet, (size_t)n, 8, &keys);
	assert_true(d.opened);
	assert_int_equal(d.n_apdus, 2);
	has(d.apdu[1], "READ BINARY");
	assert_string_equal(d.note, "");

	decode_response(&d, packet, response(k, packet, sizeof(packet), OTA_POR_OK, good, sizeof(good)), &cmd, &keys);
	assert_true(d.opened && d.has_run);
	assert_int_equal(d.executed, 2);
	assert_int_equal(d.n_sws, 2);
	assert_int_equal(d.sws[0], 0x9000);
	assert_int_equal(d.sw, 0x9110);
	has(d.data_text, "001010000000001");
	assert_string_equal(d.note, "");
	decode_response(&d, packet, response(k, packet, sizeof(packet), OTA_POR_OK, bad, sizeof(bad)), &cmd, &keys);
	assert_int_equal(d.n_sws, 1);
	assert_int_equal(d.data_len, 0);
	has(d.note, "bad format: unknown tag");
}

static void test_clear(void **state)
{
	struct keys *k = *state;
	uint8_t packet[512], ud[140];
	size_t n = command(k, packet, sizeof(packet));
	struct decoded d;
	int len = ota_segment(ud, packet, n, 0x70, OTA_CONCAT_UDH8, 1, 1, 1);

	assert_true(len > 0);
	decode_clear(&d, ud, (size_t)len);
	assert_int_equal(d.kind, DECODED_COMMAND);
	has(d.note, "needs the card's keys");
	decode_clear(&d, packet, n);
	assert_int_equal(d.kind, DECODED_COMMAND);
	n = response(k, packet, sizeof(packet), OTA_POR_CNTR_LOW, NULL, 0);
	len = ota_segment(ud, packet, n, 0x71, OTA_CONCAT_UDH8, 1, 1, 1);
	decode_clear(&d, ud, (size_t)len);
	assert_int_equal(d.kind, DECODED_RESPONSE);
	assert_int_equal(d.tar[0], 0xb0);
	decode_clear(&d, (const uint8_t *)"\x05\x00\x03\x01\x02\x01xyz", 9);
	has(d.note, "segment 1 of 2");
}

static int order(struct front *f, const char *iccid, enum gw_card_verb verb)
{
	api_card_order(f->api, iccid, verb, "test", front_to(f));
	front_wait(f);
	return f->status;
}

/* Orders to a card whose script is out. */
static void orders(struct front *f, const char *iccid)
{
	char csv[256], other[21];

	assert_int_equal(order(f, iccid, CARD_VERB_PROBE), 200);
	assert_string_equal(front_s(f, "state"), "PROBE");
	assert_int_equal(order(f, iccid, CARD_VERB_QUARANTINE), 200);
	assert_string_equal(front_s(f, "state"), "QUARANTINE");
	assert_int_equal(order(f, iccid, CARD_VERB_RESYNC), 409);
	has(f->text, "resync refused: it is in quarantine");
	api_card_show(f->api, iccid, front_to(f));
	front_wait(f);
	assert_true(json_is_string(json_object_get(json_object_get(f->json, "card"), "quarantine")));
	has(f->text, "ordered by test: quarantine");
	/* a campaign leaves such a card out, and says why */
	assert_int_equal(order(f, fix_iccid(other, 2), CARD_VERB_QUARANTINE), 200);
	assert_int_equal(front_create(f, "left-out", "usim-rfm", true), 200);
	snprintf(csv, sizeof(csv), "ICCID,IMSI\n%s,001020000000002\n", other);
	assert_int_equal(front_lines(f, "left-out", front_s(f, "session"), 1, csv), 200);
	has(front_reject(f, 0, 2), "is in quarantine by an operator's order");
	assert_int_equal(order(f, other, CARD_VERB_RELEASE), 200);
	assert_string_equal(front_s(f, "state"), "RELEASED");
	assert_int_equal(order(f, other, CARD_VERB_RESYNC), 200);
	has(f->text, "jumps to 4195");
	assert_int_equal(order(f, other, CARD_VERB_PROBE), 409);
	assert_int_equal(order(f, fix_iccid(other, 77), CARD_VERB_PROBE), 404);
	assert_int_equal(order(f, "89a", CARD_VERB_RELEASE), 400);
}

/* ---- through the api ---- */

static void test_show(void **state)
{
	struct front *f = front_new(PROFILE_DIR);
	char iccid[21], csv[128];
	json_t *cmds, *story;

	fix_cards(f, 3);
	api_cards(f->api, 0, 2, front_to(f));
	front_wait(f);
	assert_int_equal(json_array_size(json_object_get(f->json, "cards")), 2);
	api_cards(f->api, (uint64_t)front_n(f, "next"), 2, front_to(f));
	front_wait(f);
	assert_int_equal(json_array_size(json_object_get(f->json, "cards")), 1);
	assert_true(json_is_null(json_object_get(f->json, "next")));

	snprintf(csv, sizeof(csv), "ICCID,IMSI\n%s,001020000000001\n", fix_iccid(iccid, 1));
	assert_int_equal(front_create(f, "swap1", "usim-rfm", false), 200);
	assert_int_equal(front_lines(f, "swap1", NULL, 1, csv), 200);
	assert_int_equal(front_finish(f, "swap1", NULL), 200);
	assert_int_equal(front_verb(f, "swap1", CAMPAIGN_VERB_START), 200);
	for (int i = 0; i < 50; i++)
		front_turn(f);
	api_card_show(f->api, iccid, front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 200);
	cmds = json_object_get(f->json, "commands");
	assert_int_equal(json_array_size(cmds), 1);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(cmds, 0), "cntr")), 100);
	has(f->text, "\"opened\":true");
	has(f->text, "EF_IMSI");
	has(f->text, "SELECT 6F08 (EF_Keys)\",\"UPDATE BINARY 33 octets at 0: erased\"");
	story = json_object_get(f->json, "story");
	assert_true(json_array_size(story) >= 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(story, 0), "kind")), "imported");
	assert_null(strcasestr(f->text, FIX_KIC));
	assert_null(strcasestr(f->text, FIX_KID));
	assert_null(strcasestr(f->log, FIX_KIC));

	/* somebody knows that it is reachable */
	api_card_present(f->api, fix_iccid(iccid, 1), front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 200);
	assert_string_equal(front_s(f, "name"), iccid);
	assert_string_equal(front_s(f, "state"), "PRESENT");
	for (int i = 0; i < 10; i++)
		front_turn(f);
	api_card_show(f->api, iccid, front_to(f));
	front_wait(f);
	assert_true(json_is_string(json_object_get(json_object_get(f->json, "card"), "last_seen")));
	api_card_present(f->api, fix_iccid(iccid, 77), front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 404);
	api_card_present(f->api, "89a", front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 400);

	orders(f, fix_iccid(iccid, 1));
	api_card_show(f->api, fix_iccid(iccid, 77), front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 404);
	api_card_show(f->api, "123", front_to(f));
	assert_int_equal(f->status, 400);
	api_explain(f->api, "zz", front_to(f));
	assert_int_equal(f->status, 400);
	api_explain(f->api, "00", front_to(f));
	assert_int_equal(f->status, 400);
	front_free(f);
}

/* A script in clear that writes keys: into the files of keys, and into one that only its card knows. */
static void test_keys_are_not_shown(void **state)
{
	static const struct {
		uint8_t fid[2];
		const char *says;
	} rows[] = {
		{ { 0x6f, 0x08 }, "UPDATE BINARY 16 octets at 0: not shown" },
		{ { 0x6f, 0xe4 }, "UPDATE BINARY 16 octets at 0: not shown" },
		{ { 0x6f, 0x20 }, "UPDATE BINARY 16 octets at 0: not shown" },
		{ { 0xa0, 0x01 }, "UPDATE BINARY 16 octets at 0: not shown" },
		{ { 0x6f, 0x07 }, "UPDATE BINARY 16 octets at 0: 0102030405060708090a0b0c0d0e0f10" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t packet[] = { 0,
				     42,
				     13,
				     0,
				     0,
				     0,
				     0,
				     0xb0,
				     0,
				     0x11,
				     0,
				     0,
				     0,
				     0,
				     1,
				     0,
				     /* SELECT */ 0,
				     0xa4,
				     0,
				     4,
				     2,
				     rows[i].fid[0],
				     rows[i].fid[1],
				     /* UPDATE BINARY */ 0,
				     0xd6,
				     0,
				     0,
				     16,
				     1,
				     2,
				     3,
				     4,
				     5,
				     6,
				     7,
				     8,
				     9,
				     10,
				     11,
				     12,
				     13,
				     14,
				     15,
				     16 };
		struct decoded d;

		decode_clear(&d, packet, sizeof(packet));
		assert_int_equal(d.kind, DECODED_COMMAND);
		assert_int_equal(d.n_apdus, 2);
		assert_string_equal(d.apdu[1], rows[i].says);
	}
}

static void put_cmd(struct store_batch *b, uint64_t id, enum cmd_kind kind, int64_t prepared_ms)
{
	const struct cmd_row c = { .id = id,
				   .txn = 1,
				   .card = 1,
				   .campaign = 1,
				   .kind = (uint8_t)kind,
				   .state = CMD_SENT,
				   .cntr = 99 + id,
				   .packet_len = 130,
				   .segs = 1,
				   .prepared_ms = prepared_ms };

	assert_non_null(store_batch_add(b, ST_CMD_PUT, &c, NULL, 0));
}

static void put_story(struct store_batch *b, uint64_t id, enum story_kind kind, int64_t at_ms)
{
	const struct story_row s = { .card = 1, .cmd = id, .at_ms = at_ms, .kind = (uint8_t)kind, .text = "text" };

	assert_non_null(store_batch_add(b, ST_STORY_ADD, &s, NULL, 0));
}

/* Commands tell by themselves when they were made: before what follows from them, after what led to them, though all of it
 * was at the same moment. */
static void test_prepared(void **state)
{
	static const struct {
		const char *kind, *text;
	} want[] = { { "imported", "card imported, keys sealed" },
		     { "prepared", "script prepared: CNTR 100, 130 octets, 1 SMS" },
		     { "attempt", "text" },
		     { "por", "text" },
		     { "prepared", "read-back prepared: CNTR 101, 130 octets, 1 SMS" },
		     { "attempt", "text" },
		     { "prepared", "script prepared: CNTR 102, 130 octets, 1 SMS" } };
	struct front *f = front_new(PROFILE_DIR);
	struct store_batch *b = store_batch_new();
	char iccid[21];
	json_t *story;

	fix_cards(f, 1);
	put_cmd(b, 1, CMD_SCRIPT, 1000);
	put_cmd(b, 2, CMD_READBACK, 2000);
	put_cmd(b, 3, CMD_SCRIPT, 3000);
	put_story(b, 1, STORY_ATTEMPT, 1000);
	put_story(b, 1, STORY_POR, 2000);
	put_story(b, 2, STORY_ATTEMPT, 2000);
	assert_int_equal(store_commit_wait(f->store, b), 0);
	store_batch_free(b);
	api_card_show(f->api, fix_iccid(iccid, 0), front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 200);
	story = json_object_get(f->json, "story");
	assert_int_equal(json_array_size(story), sizeof(want) / sizeof(want[0]));
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		const json_t *line = json_array_get(story, i);

		assert_string_equal(json_string_value(json_object_get(line, "kind")), want[i].kind);
		assert_string_equal(json_string_value(json_object_get(line, "text")), want[i].text);
	}
	/* no packet was stored with them, or it has gone by its age: that is said, not hidden */
	assert_non_null(
		strstr(f->text,
		       "\"packet\":null,\"decoded\":{\"note\":\"its packet is not stored any more (story-days)\"}"));
	front_free(f);
}

static void import_made_for(struct front *f, unsigned kvn, unsigned cards)
{
	struct api_import_req r = { .n_keysets = 1, .profile = "usim-rfm" };
	char id[32], csv[16384], iccid[21];
	int n;

	r.keyset[0].kvn = kvn;
	r.keyset[0].cntr = 7;
	strcpy(r.keyset[0].alg, "3des2");
	api_import_create(f->api, &r, front_to(f));
	front_wait(f);
	snprintf(id, sizeof(id), "%s", front_s(f, "id"));
	n = snprintf(csv, sizeof(csv), "ICCID,IMSI,MSISDN,KIC%u,KID%u\n", kvn, kvn);
	for (unsigned i = 0; i < cards; i++)
		n += snprintf(csv + n, sizeof(csv) - (size_t)n,
			      "%s,001010000000%03u,+4915100000%03u," FIX_KIC "," FIX_KID "\n", fix_iccid(iccid, i), i,
			      i);
	assert_int_equal(front_import_lines(f, id, 1, csv), 200);
	assert_int_equal(front_n(f, "accepted"), cards);
	assert_int_equal(front_import_finish(f, id), 200);
}

/* A card that was handed over: its keys stand under version 2 alone, and the profile speaks of version 1. */
static void test_probe_under_the_other_version(void **state)
{
	struct front *f = front_new(PROFILE_DIR);
	char iccid[21];

	import_made_for(f, 2, 1);
	assert_int_equal(order(f, fix_iccid(iccid, 0), CARD_VERB_RESYNC), 200);
	has(f->text, "the counter of key version 2 jumps to 4102; asked by campaign probe.");
	for (int i = 0; i < 50; i++)
		front_turn(f);
	api_card_show(f->api, iccid, front_to(f));
	front_wait(f);
	has(f->text, "\"state\":\"ACTIVE\"");
	has(f->text, "\"cntr\":4103");
	assert_int_equal(order(f, iccid, CARD_VERB_PROBE), 200);
	front_free(f);
}

/* Questions to single cards leave places for campaigns. */
static void test_probes_are_bounded(void **state)
{
	struct front *f = front_new(PROFILE_DIR);
	char iccid[21];

	import_made_for(f, 1, PROBES_OPEN_MAX + 1);
	for (unsigned i = 0; i < PROBES_OPEN_MAX; i++)
		assert_int_equal(order(f, fix_iccid(iccid, i), CARD_VERB_PROBE), 200);
	assert_int_equal(order(f, fix_iccid(iccid, PROBES_OPEN_MAX), CARD_VERB_PROBE), 409);
	has(f->text, "64 probes are under way: wait, or cancel some");
	assert_int_equal(order(f, iccid, CARD_VERB_RESYNC), 200);
	has(f->text, "its next command is made above it (not asked now: 64 probes are under way");
	assert_int_equal(front_create(f, "swap1", "usim-rfm", false), 200);
	front_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_command, setup, teardown),
		cmocka_unit_test_setup_teardown(test_response, setup, teardown),
		cmocka_unit_test_setup_teardown(test_expanded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clear, setup, teardown),
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_prepared),
		cmocka_unit_test(test_probe_under_the_other_version),
		cmocka_unit_test(test_probes_are_bounded),
		cmocka_unit_test(test_keys_are_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
