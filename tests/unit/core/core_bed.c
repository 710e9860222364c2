/* core_bed.c - the real core on a store in memory, with virtual cards and a network that is played by hand.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <openssl/sha.h>

#include "core_bed.h"

#define CARD_REQUEST 7777
#define TURNS_MAX    200
#define STEPS_MAX    10000
#define STORY_MAX    64
#define COUNTS_MAX   64
#define SLOTS	     64

static int64_t utc_ms(void *ctx)
{
	return ((struct bed *)ctx)->now_ms;
}

static int random_octets(void *ctx, uint8_t *buf, size_t len)
{
	struct bed *b = ctx;

	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)((b->dice = b->dice * 1664525 + 1013904223) >> 24);
	return 0;
}

static void open_keys(struct bed *b, struct ks **ks, bool first)
{
	const struct ks_open_params p = {
		.source = KS_KEK_MEMORY, .kek = b->kek, .slots = 2 * SLOTS, .random = random_octets, .random_ctx = b
	};
	char err[160];

	if (ks_open(ks, &p, first ? NULL : b->ks_check, first ? 0 : sizeof(b->ks_check), first ? b->ks_check : NULL,
		    err, sizeof(err)))
		fail_msg("keystore: %s", err);
}

static void link_event(struct bed *b, unsigned link, enum link_event_kind kind)
{
	const struct gw_event ev = { .kind = GW_EV_LINK, .link = link, .ev = { .kind = kind } };

	assert_int_equal(gw_post(b->gw, &ev), 0);
}

static void keep_line(void *ctx, int level, const char *line)
{
	struct bed *b = ctx;
	size_t len = strlen(b->log);

	snprintf(b->log + len, sizeof(b->log) - len, "%s\n", line);
}

static void boot(struct bed *b)
{
	struct gw_deps deps = { .env = &b->env, .errtab = b->errtab, .log = keep_line, .log_ctx = b };

	open_keys(b, &b->ks, false);
	b->store = store_mem_open(b->disk, NULL);
	assert_non_null(b->store);
	deps.store = b->store;
	deps.ks = b->ks;
	b->gw = gw_new(&b->cfg, &deps);
	assert_non_null(b->gw);
	gw_start(b->gw, b->now_ms);
	for (unsigned i = 0; i < TURNS_MAX && !gw_ready(b->gw); i++)
		b->store->ops->poll(b->store);
	assert_true(gw_ready(b->gw));
	for (unsigned i = 0; i < BED_LINKS; i++)
		link_event(b, i, LINK_EV_UP);
	bed_turn(b);
}

static void shut(struct bed *b)
{
	b->store->ops->close(b->store);
	gw_free(b->gw);
	ks_close(b->ks);
}

static void keyset_seal(struct bed *b, unsigned card, unsigned i)
{
	const struct sim_keyset *s = &b->card[card].ks[i];
	struct keyset_row *k = &b->keyset[card][i];
	const enum ota_alg alg = b->sub ? OTA_ALG_AES_CBC : OTA_ALG_3DES2_CBC;
	const struct sim_ota_keys *pair = b->sub ? &b->sub[card].nvm.pair[i].ota : NULL;
	const struct ks_keyset_spec spec = { .kvn = (uint8_t)(i + 1), .kic_alg = alg, .kid_alg = alg, .cc_len = 8 };
	char kic[33], kid[33], kik[33], err[160];
	int n;

	for (unsigned o = 0; o < 16; o++) {
		snprintf(kic + 2 * o, 3, "%02x", pair ? pair->kic[o] : s->kic[o]);
		snprintf(kid + 2 * o, 3, "%02x", pair ? pair->kid[o] : s->kid[o]);
		snprintf(kik + 2 * o, 3, "%02x", pair ? pair->kik[o] : s->kik[o]);
	}
	n = ks_keyset_import(b->own, b->card[card].iccid, &spec, kic, kid, kik, k->sealed, err, sizeof(err));
	if (n < 0)
		fail_msg("keys of card %u: %s", card, err);
	k->kvn = spec.kvn;
	k->kic_alg = k->kid_alg = (uint8_t)alg;
	k->cc_len = 8;
	k->sealed_len = (uint16_t)n;
}

static void keyset_make(struct bed *b, unsigned card, unsigned i)
{
	struct sim_keyset *s = &b->card[card].ks[i];

	if (i && !b->sub) { /* the card's second key version: other octets than the first */
		*s = b->card[card].ks[0];
		s->kvn = (uint8_t)(i + 1);
		s->kic[3] ^= 0x5a;
		s->kid[9] ^= 0xa5;
	}
	keyset_seal(b, card, i);
	b->keyset[card][i].cntr = i && b->sub ? 0 : BED_CNTR;
}

void bed_new_keys(struct bed *b, unsigned card, unsigned kvn, uint32_t generation, uint64_t cntr)
{
	struct sim_keyset *s = &b->card[card].ks[kvn - 1];
	struct keyset_row *k = &b->keyset[card][kvn - 1];

	s->kic[1] ^= (uint8_t)generation;
	s->kid[2] ^= (uint8_t)(0x80 | generation);
	s->cntr = cntr;
	keyset_seal(b, card, kvn - 1);
	k->generation = generation;
	k->cntr = cntr;
}

static void commit(struct bed *b, struct store_batch *batch)
{
	assert_int_equal(store_commit_wait(b->store, batch), STORE_OK);
	for (size_t i = 0; i < batch->n; i++)
		assert_int_equal(batch->ops[i].rc, 0);
}

static void card_put(struct bed *b, struct store_batch *batch, unsigned i, int64_t tz_min)
{
	struct store_card_insert in = { .n_keysets = (uint8_t)b->n_keysets };

	memcpy(in.keyset, b->keyset[i], sizeof(b->keyset[i]));
	memcpy(in.card.iccid, b->card[i].iccid, SIM_ICCID_LEN);
	memcpy(in.card.imsi, b->card[i].imsi_first, SIM_IMSI_LEN);
	memcpy(in.card.msisdn, b->card[i].msisdn, SIM_IMSI_LEN);
	in.card.created_ms = b->now_ms;
	in.card.tz_min = tz_min;
	store_batch_add(batch, ST_CARD_INSERT, &in, NULL, 0);
}

static void import_done(struct store_batch *batch, int rc)
{
	struct bed_import *im = batch->ctx;

	assert_int_equal(rc, STORE_OK);
	im->rc = batch->ops[0].rc;
	im->out = *(struct store_card_insert *)batch->ops[0].row;
	if (im->rc == STORE_R_UPDATED && !im->told)
		gw_card_imported(im->b->gw, &im->out);
	store_batch_free(batch);
}

void bed_import_start(struct bed *b, struct bed_import *im, unsigned card)
{
	struct sim_card_truth truth;

	*im = (struct bed_import){ .b = b, .batch = store_batch_new(), .rc = 1 };
	assert_non_null(im->batch);
	card_put(b, im->batch, card, CARD_TZ_KEEP);
	sim_card_truth(&b->card[card], &truth);
	memcpy(((struct store_card_insert *)im->batch->ops[0].row)->card.imsi, truth.imsi_stored, SIM_IMSI_LEN);
	im->batch->done = import_done;
	im->batch->ctx = im;
	b->store->ops->commit(b->store, im->batch);
}

void bed_import(struct bed *b, unsigned card, int rc)
{
	struct bed_import im;

	bed_import_start(b, &im, card);
	bed_turn(b);
	assert_int_equal(im.rc, rc);
}

void bed_zone(struct bed *b, unsigned card, int64_t tz_min)
{
	struct store_batch *batch = store_batch_new();

	assert_non_null(batch);
	card_put(b, batch, card, tz_min);
	assert_int_equal(store_commit_wait(b->store, batch), STORE_OK);
	assert_int_equal(batch->ops[0].rc, STORE_R_UPDATED);
	store_batch_free(batch);
}

static void cards_put(struct bed *b)
{
	struct store_batch *batch = store_batch_new();

	assert_non_null(batch);
	for (unsigned i = 0; i < b->n_cards; i++)
		card_put(b, batch, i, 0);
	commit(b, batch);
	for (unsigned i = 0; i < b->n_cards; i++)
		b->id[i] = ((struct store_card_insert *)batch->ops[i].row)->card.id;
	store_batch_free(batch);
}

static void open_with(struct bed *b, unsigned cards, unsigned kvns, struct sim_sub *subs)
{
	struct sim_card_profile p;
	char err[ERRTAB_ERR_MAX];

	memset(b, 0, sizeof(*b));
	b->env = (struct env){ .utc_ms = utc_ms, .random = random_octets, .ctx = b };
	b->dice = 1;
	b->now_ms = BED_START_MS;
	b->n_cards = cards;
	b->n_keysets = kvns;
	b->sub = subs;
	gw_cfg_default(&b->cfg);
	b->cfg.src = (struct ota_addr){ .ton = 1, .npi = 1, .digits = BED_SRC };
	b->cfg.n_links = BED_LINKS;
	b->cfg.limits = (struct gw_limits){ .inbox_max = 64,
					    .outcomes_max = 64,
					    .resident_max = 1,
					    .step_events_max = 64,
					    .batch_cards_max = 64,
					    .prepared_max = 64,
					    .fetch_max = 4,
					    .open_max = 64 };
	b->cfg.retry.jitter_pct = 0;
	b->errtab = errtab_new(err);
	if (!b->errtab)
		fail_msg("error table: %s", err);
	random_octets(b, b->kek, sizeof(b->kek));
	open_keys(b, &b->own, true);
	sim_card_profile_default(&p);
	p.cntr = BED_CNTR;
	p.alg = subs ? SIM_ALG_AES128 : p.alg;
	b->disk = store_mem_disk_new();
	assert_non_null(b->disk);
	for (unsigned i = 0; i < cards; i++) {
		assert_int_equal(sim_card_init(&b->card[i], 1, i, &p), 0);
		if (subs)
			assert_int_equal(sim_card_sub_attach(&b->card[i], &subs[i], 1, kvns), 0);
		for (unsigned k = 0; k < kvns; k++)
			keyset_make(b, i, k);
	}
	boot(b);
	cards_put(b);
}

void bed_open(struct bed *b, unsigned cards, unsigned kvns)
{
	open_with(b, cards, kvns, NULL);
}

void bed_open_sub(struct bed *b, unsigned cards)
{
	struct sim_sub *subs = calloc(cards, sizeof(*subs));

	assert_non_null(subs);
	open_with(b, cards, 2, subs);
}

#define BED_PATIENCE_MS (100 * 3600000LL)

void bed_open_full(struct bed *b, unsigned prepared_max, unsigned batch_cards_max)
{
	struct gw_limits *l = &b->cfg.limits;

	bed_open(b, BED_CARDS_MAX, 1);
	l->prepared_max = prepared_max;
	l->open_max = l->outcomes_max = l->inbox_max = BED_CARDS_MAX;
	l->batch_cards_max = batch_cards_max;
	b->cfg.retry.por_timeout_ms = BED_PATIENCE_MS;
	bed_restart(b);
}

void bed_close(struct bed *b)
{
	shut(b);
	ks_close(b->own);
	store_mem_disk_free(b->disk);
	errtab_free(b->errtab);
	free(b->sub);
}

void bed_restart(struct bed *b)
{
	bed_turn(b);
	shut(b);
	boot(b);
}

/* ------------------------------------------------------------------------------------------------ campaigns */

void bed_new_imsi(uint64_t campaign, unsigned card, char imsi[IMSI_DIGITS_MAX + 1])
{
	snprintf(imsi, IMSI_DIGITS_MAX + 1, "99981%04u%06u", (unsigned)(campaign % 10000), card % 1000000);
}

void bed_verb(struct bed *b, uint64_t campaign, enum gw_campaign_verb v)
{
	const struct gw_event ev = { .kind = GW_EV_CAMPAIGN, .campaign = campaign, .verb = (uint8_t)v, .request = 1 };

	assert_int_equal(gw_post(b->gw, &ev), 0);
	bed_turn(b);
}

void bed_link(struct bed *b, unsigned link, bool up)
{
	link_event(b, link, up ? LINK_EV_UP : LINK_EV_DOWN);
	bed_turn(b);
}

void bed_order(struct bed *b, unsigned link, enum link_order order)
{
	const struct gw_event ev = { .kind = GW_EV_ORDER, .link = link, .verb = (uint8_t)order, .request = 1 };

	assert_int_equal(gw_post(b->gw, &ev), 0);
	bed_turn(b);
}

int bed_card_order(struct bed *b, unsigned card, enum gw_card_verb verb)
{
	const struct gw_card_ask ask = {
		.card = b->id[card], .request = CARD_REQUEST, .verb = verb, .by = "test", .kvn = b->ask_kvn
	};

	b->said_rc = 1;
	assert_int_equal(gw_card_order(b->gw, &ask), 0);
	bed_turn(b);
	assert_int_not_equal(b->said_rc, 1);
	return b->said_rc;
}

uint64_t bed_campaign_with(struct bed *b, unsigned cards, unsigned kvn, const char *lines, bool new_msisdn, bool run)
{
	struct store_batch *batch = store_batch_new();
	struct campaign_row row = { .id = ++b->n_campaigns,
				    .state = CAMPAIGN_READY,
				    .profile = "bed",
				    .targets = cards,
				    .created_ms = b->now_ms };
	char text[512], err[160];
	int n = snprintf(text, sizeof(text),
			 "card-profile bed\n tar b00011\n kvn %u\n refresh card\n%s%s script\n%s"
			 "  update 6f78 acc\n  update 6f07 imsi\n  read 6f07 9\n",
			 kvn, strstr(lines, "spi") ? "" : " spi 16 39\n", lines,
			 b->long_script ? "  update 6f08 keys-deleted\n  update 6f09 keys-deleted\n  update 6f7b hex "
					  "ffffffffffffffffffffffff\n" :
					  "");

	assert_non_null(batch);
	snprintf(row.name, sizeof(row.name), "swap%u", (unsigned)row.id);
	snprintf(row.rules, sizeof(row.rules), "%s", b->rules ? b->rules : "");
	store_batch_add(batch, ST_CAMPAIGN_INSERT, &row, text, (size_t)n);
	for (unsigned i = b->first_card; i < b->first_card + cards; i++) {
		struct store_txn_plan p = { .txn = { .campaign = row.id, .evidence = 255, .por_status = 255 },
					    .kvn = (uint8_t)kvn };

		bed_new_imsi(row.id, i, p.txn.new_imsi);
		if (new_msisdn)
			snprintf(p.txn.new_msisdn, sizeof(p.txn.new_msisdn), "8829911%03u%02u",
				 (unsigned)(row.id % 1000), i % 100);
		memcpy(b->new_msisdn[i], p.txn.new_msisdn, sizeof(b->new_msisdn[i]));
		memcpy(p.iccid, b->card[i].iccid, SIM_ICCID_LEN);
		store_batch_add(batch, ST_TXN_PLAN, &p, NULL, 0);
	}
	commit(b, batch);
	store_batch_free(batch);
	if (gw_campaign_adopt(b->gw, &row, text, (size_t)n, err, sizeof(err)))
		fail_msg("profile or rules: %s", err);
	if (run)
		bed_verb(b, row.id, CAMPAIGN_VERB_START);
	return row.id;
}

uint64_t bed_campaign(struct bed *b, unsigned cards, unsigned kvn, const char *format)
{
	char lines[64];

	snprintf(lines, sizeof(lines), " format %s\n", format);
	return bed_campaign_with(b, cards, kvn, lines, false, true);
}

/* ---- works of orders ---- */

void bed_work(struct work *w, enum work_kind kind, uint64_t order, unsigned card, uint16_t from, uint16_t to)
{
	static const uint8_t plmn[] = { 0x62, 0xf2, 0x99 };
	struct ota_sub_set s = { .order = order, .from = from, .to = to };
	uint8_t set[OTA_SUB_SET_MAX], hash[SHA256_DIGEST_LENGTH];
	int n;

	s.plmns = (struct ota_span){ plmn, sizeof(plmn) };
	snprintf(s.imsi, sizeof(s.imsi), BED_WORK_IMSI, card);
	n = ota_sub_set_encode(set, sizeof(set), &s);
	assert_true(n > 0);
	SHA256(set, (size_t)n, hash);
	assert_int_equal(work_of_set(w, kind, set, (size_t)n, hash), 0);
}

uint64_t bed_works(struct bed *b, enum work_kind kind)
{
	static const char text[] = "card-profile sub\n application subscription\n tar bfff3b\n spi 16 39\n kvn 1\n";
	struct store_batch *batch = store_batch_new();
	struct campaign_row row = { .id = ++b->n_campaigns,
				    .state = CAMPAIGN_READY,
				    .kind = (uint8_t)kind,
				    .open_ended = 1,
				    .profile = "sub",
				    .created_ms = b->now_ms };
	char err[160];

	assert_non_null(batch);
	snprintf(row.name, sizeof(row.name), "order%u-%s", (unsigned)row.id, work_kind_name(row.kind));
	snprintf(row.rules, sizeof(row.rules), "%s", b->rules ? b->rules : "");
	store_batch_add(batch, ST_CAMPAIGN_INSERT, &row, text, sizeof(text) - 1);
	commit(b, batch);
	store_batch_free(batch);
	if (gw_campaign_adopt(b->gw, &row, text, sizeof(text) - 1, err, sizeof(err)))
		fail_msg("profile or rules: %s", err);
	bed_verb(b, row.id, CAMPAIGN_VERB_START);
	return row.id;
}

void bed_plan(struct bed *b, uint64_t campaign, unsigned card, const struct work *w, uint8_t kvn)
{
	struct store_txn_plan p = { .txn = { .campaign = campaign, .kvn = kvn, .evidence = 255, .por_status = 255 },
				    .kvn = kvn ? kvn : 1 };
	struct store_batch *batch = store_batch_new();
	uint8_t packed[WORK_PACKED_MAX];
	int n = work_pack(w, packed, sizeof(packed));

	assert_true(n > 0 && batch);
	memcpy(p.iccid, b->card[card].iccid, SIM_ICCID_LEN);
	store_batch_add(batch, ST_TXN_PLAN, &p, packed, (size_t)n);
	commit(b, batch);
	store_batch_free(batch);
	assert_int_equal(gw_campaign_grew(b->gw, campaign, 1), 0);
	bed_turn(b);
}

const struct gw_fx_txn *bed_end(struct bed *b, unsigned card)
{
	bed_turn(b);
	for (unsigned i = b->n_ends; i-- > 0;)
		if (b->end[i].card == b->id[card])
			return &b->end[i];
	fail_msg("no end of a work of card %u was told", card);
	return NULL;
}

/* ------------------------------------------------------------------------------------------------ turning */

void bed_turn(struct bed *b)
{
	struct gw_effect fx;
	unsigned quiet = 0;

	for (unsigned i = 0; i < STEPS_MAX && quiet < 3; i++) {
		int did;

		b->store->ops->poll(b->store);
		did = gw_step(b->gw, b->now_ms);
		while (gw_effect_next(b->gw, &fx)) {
			did++;
			if (fx.kind == GW_FX_ANSWER) {
				assert_int_equal(fx.answer, LINK_ANSWER_OK);
				b->answered++;
			} else if (fx.kind == GW_FX_TXN) {
				assert_true(b->n_ends < BED_ENDS_MAX);
				b->end_rc[b->n_ends] = fx.rc;
				b->end[b->n_ends++] = fx.txn;
			} else if (fx.request == CARD_REQUEST) {
				b->said_rc = fx.rc;
				memcpy(b->said, fx.reason, sizeof(b->said));
			} else {
				assert_int_equal(fx.rc, 0);
			}
		}
		quiet = did ? 0 : quiet + 1;
	}
	assert_int_equal(quiet, 3); /* it comes to rest */
	assert_null(gw_fatal(b->gw));
	assert_int_equal(b->answered, b->next_token); /* and every message has its answer */
}

void bed_pass(struct bed *b, int64_t ms)
{
	const int64_t end = b->now_ms + ms;

	bed_turn(b);
	for (unsigned i = 0; i < STEPS_MAX && b->now_ms < end; i++) {
		int64_t due = gw_next_due(b->gw);

		b->now_ms = due > end ? end : due > b->now_ms ? due : b->now_ms;
		bed_turn(b);
	}
	assert_int_equal(b->now_ms, end);
}

/* ------------------------------------------------------------------------------------------------ down */

static const struct keyset_row *keyset_of(const struct bed *b, unsigned card, uint8_t kvn)
{
	assert_true(kvn >= 1 && kvn <= b->n_keysets);
	return &b->keyset[card][kvn - 1];
}

static uint32_t load(struct bed *b, unsigned card, uint8_t kvn)
{
	const struct keyset_row *k = keyset_of(b, card, kvn);
	uint32_t set;

	assert_int_equal(ks_load(b->own, b->card[card].iccid, kvn, k->sealed, k->sealed_len, &set), 0);
	return set;
}

static unsigned card_of(const struct bed *b, const struct ota_addr *dst)
{
	for (unsigned i = 0; i < b->n_cards; i++)
		if (!strcmp(dst->digits, b->card[i].msisdn) || !strcmp(dst->digits, b->new_msisdn[i]))
			return i;
	fail_msg("a message for %s, who is nobody", dst->digits);
	return 0;
}

/* The octets that left, joined and opened with the bed's own keys. */
static void open_packet(struct bed *b, struct sent *s)
{
	struct ota_crypt crypt = ks_crypt(b->own);
	struct ota_cmd_params in = { .cc_len = 8 };
	uint8_t clear[OTA_PACKET_MAX];
	struct ota_part part[BED_UDS_MAX];
	struct ota_join j;
	struct ota_cmd cmd;
	uint32_t set;
	int len;

	ota_join_init(&j, part, BED_UDS_MAX);
	for (unsigned i = 0; i < s->n; i++)
		assert_int_equal(ota_join_add(&j, s->ud[i], s->ud_len[i]), i + 1 == s->n);
	len = ota_join_packet(&j, clear, sizeof(clear));
	assert_true(len > 0);
	assert_int_equal(ota_cmd_decode(&cmd, clear, (size_t)len, &in, NULL), 0);
	set = load(b, s->card, cmd.p.kic >> 4);
	in.kic_ref = (struct ks_ref){ set, KS_KEY_KIC };
	in.kid_ref = (struct ks_ref){ set, KS_KEY_KID };
	assert_int_equal(ota_cmd_decode(&cmd, clear, (size_t)len, &in, &crypt), 0);
	ks_unload(b->own, set);
	assert_true(cmd.p.data_len <= sizeof(s->data));
	memcpy(s->data, cmd.p.data, cmd.p.data_len);
	s->data_len = cmd.p.data_len;
	s->p = cmd.p;
	s->p.data = NULL;
	s->p.data_len = 0;
}

static int look_at(void *ctx, const uint8_t *apdu, size_t len)
{
	struct sent *s = ctx;

	s->script |= apdu[1] == 0xd6;
	s->ins = apdu[1];
	return 0;
}

bool bed_leaves(struct bed *b, unsigned link, struct sent *s)
{
	struct link_submit sub;
	uint8_t ud[LINK_UD_MAX];

	bed_turn(b);
	memset(s, 0, sizeof(*s));
	s->link = link;
	do {
		if (!gw_submit_next(b->gw, link, OTA_SEGMENTS_MAX, b->now_ms, &sub, ud))
			break;
		assert_true(s->n < BED_UDS_MAX);
		s->token[s->n] = sub.token;
		s->ud_len[s->n] = sub.ud_len;
		memcpy(s->ud[s->n], sub.ud, sub.ud_len);
		s->dst = sub.dst;
		s->n++;
	} while (sub.more);
	if (!s->n)
		return false;
	s->card = card_of(b, &s->dst);
	open_packet(b, s);
	assert_int_equal(ota_cmd_each(s->data, s->data_len, look_at, s), 0);
	return true;
}

void bed_expect_script(struct bed *b, unsigned link, struct sent *s)
{
	assert_true(bed_leaves(b, link, s));
	assert_true(s->script);
}

void bed_expect_readback(struct bed *b, unsigned link, struct sent *s)
{
	assert_true(bed_leaves(b, link, s));
	assert_false(s->script);
}

void bed_expect_nothing(struct bed *b)
{
	struct sent s;

	for (unsigned i = 0; i < BED_LINKS; i++)
		assert_false(bed_leaves(b, i, &s));
}

void bed_outcome(struct bed *b, const struct sent *s, unsigned seg, enum link_event_kind kind, enum fail_class cls)
{
	const struct gw_event ev = {
		.kind = GW_EV_LINK,
		.link = s->link,
		.ev = { .kind = kind, .token = s->token[seg], .fail = { cls, 0, "as the test says" } }
	};

	assert_int_equal(gw_post(b->gw, &ev), 0);
	bed_turn(b);
}

void bed_accepted(struct bed *b, const struct sent *s)
{
	for (unsigned i = 0; i < s->n; i++)
		bed_outcome(b, s, i, LINK_EV_ACCEPTED, FAIL_NONE);
}

/* ------------------------------------------------------------------------------------------------ up */

void bed_card_takes(struct bed *b, const struct sent *s, struct sim_card_out *out)
{
	const struct sim_addr oa = { .ton = 1, .npi = 1, .digits = BED_SRC };

	for (unsigned i = 0; i < s->n; i++)
		sim_card_sms_pp(&b->card[s->card], &oa, s->ud[i], s->ud_len[i], out);
}

void bed_uds(const struct sim_card_out *out, struct uds *u)
{
	u->n = out->submits;
	for (unsigned i = 0; i < u->n; i++) {
		u->len[i] = out->submit[i].len;
		memcpy(u->ud[i], out->submit[i].ud, u->len[i]);
	}
}

size_t bed_por(struct bed *b, const struct sent *s, uint8_t status, const void *data, size_t len,
	       uint8_t pkt[OTA_PACKET_MAX])
{
	struct ota_crypt crypt = ks_crypt(b->own);
	struct ota_cmd_params p = s->p;
	uint32_t set = load(b, s->card, p.kic >> 4);
	int n;

	p.kic_ref = (struct ks_ref){ set, KS_KEY_KIC };
	p.kid_ref = (struct ks_ref){ set, KS_KEY_KID };
	n = ota_rsp_encode(pkt, OTA_PACKET_MAX, &p, status, data, len, &crypt);
	ks_unload(b->own, set);
	assert_true(n > 0);
	return (size_t)n;
}

size_t bed_clear(const struct sent *s, uint8_t status, uint64_t cntr, uint8_t pkt[OTA_PACKET_MAX])
{
	struct ota_cmd_params p = s->p;
	int n;

	p.spi[1] = 0x01;
	p.cntr = cntr;
	n = ota_rsp_encode(pkt, OTA_PACKET_MAX, &p, status, NULL, 0, NULL);
	assert_true(n > 0);
	return (size_t)n;
}

void bed_cut(struct uds *u, const uint8_t *pkt, size_t len, uint16_t ref, bool wide, size_t chunk)
{
	unsigned total = chunk ? (unsigned)((len + chunk - 1) / chunk) : 1;

	assert_true(total <= BED_UDS_MAX && (chunk || len <= OTA_PACKET_1SMS_MAX));
	memset(u, 0, sizeof(*u));
	for (unsigned i = 0; i < total; i++) {
		size_t at = i * chunk, n = !chunk || len - at < chunk ? len - at : chunk, h = 1;
		uint8_t *ud = u->ud[i];

		if (chunk && wide) {
			memcpy(ud + h,
			       (uint8_t[]){ 8, 4, (uint8_t)(ref >> 8), (uint8_t)ref, (uint8_t)total, (uint8_t)(i + 1) },
			       6);
			h += 6;
		} else if (chunk) {
			memcpy(ud + h, (uint8_t[]){ 0, 3, (uint8_t)ref, (uint8_t)total, (uint8_t)(i + 1) }, 5);
			h += 5;
		}
		if (!i) {
			ud[h++] = 0x71;
			ud[h++] = 0;
		}
		ud[0] = (uint8_t)(h - 1);
		assert_true(h + n <= LINK_UD_MAX);
		memcpy(ud + h, pkt + at, n);
		u->len[i] = (uint8_t)(h + n);
		u->n++;
	}
}

static int count_one(void *ctx, const uint8_t *apdu, size_t len)
{
	++*(unsigned *)ctx;
	return 0;
}

size_t bed_answer(const struct sent *s, const char *imsi, uint8_t out[256])
{
	enum ota_format format = ota_cmd_format(s->data, s->data_len);
	uint8_t ef[USIM_IMSI_LEN];
	struct ota_script a;
	unsigned commands = 0;
	int n;

	assert_int_equal(ota_cmd_each(s->data, s->data_len, count_one, &commands), 0);
	assert_true(usim_imsi_encode(ef, imsi) > 0);
	if (format == OTA_FORMAT_COMPACT) {
		n = ota_compact_rsp_encode(out, 256, (uint8_t)commands, 0x9000, ef, sizeof(ef));
	} else {
		ota_script_rsp_init(&a, out, 256, format == OTA_FORMAT_INDEFINITE);
		while (--commands)
			ota_script_rsp_rapdu(&a, NULL, 0, 0x9000);
		ota_script_rsp_rapdu(&a, ef, sizeof(ef), 0x9000);
		n = ota_script_len(&a);
	}
	assert_true(n > 0);
	return (size_t)n;
}

void bed_good(struct bed *b, const struct sent *s, const char *imsi, struct uds *u)
{
	uint8_t data[256], pkt[OTA_PACKET_MAX];
	size_t n = bed_answer(s, imsi, data);

	n = bed_por(b, s, OTA_POR_OK, data, n, pkt);
	bed_cut(u, pkt, n, 0, false, 0);
}

static void message(struct bed *b, unsigned link, struct gw_event *ev, const uint8_t *ud, size_t len)
{
	assert_true(len <= sizeof(ev->ev.payload));
	ev->kind = GW_EV_LINK;
	ev->link = link;
	ev->ev.token = ++b->next_token;
	ev->ev.to = b->cfg.src;
	ev->ev.payload_len = (uint16_t)len;
	if (len)
		memcpy(ev->ev.payload, ud, len);
	assert_int_equal(gw_post(b->gw, ev), 0);
	bed_turn(b);
}

void bed_mo_from(struct bed *b, unsigned link, uint8_t npi, const char *digits, const uint8_t *ud, size_t len)
{
	struct gw_event ev = {
		.ev = { .kind = LINK_EV_MO, .udhi = true, .dcs = 0xf6, .from = { .ton = 1, .npi = npi } }
	};

	snprintf(ev.ev.from.digits, sizeof(ev.ev.from.digits), "%s", digits);
	message(b, link, &ev, ud, len);
}

void bed_mo(struct bed *b, unsigned link, unsigned card, const uint8_t *ud, size_t len)
{
	bed_mo_from(b, link, 1, b->card[card].msisdn, ud, len);
}

void bed_mo_all(struct bed *b, unsigned link, unsigned card, const struct uds *u)
{
	for (unsigned i = 0; i < u->n; i++)
		bed_mo(b, link, card, u->ud[i], u->len[i]);
}

void bed_receipt(struct bed *b, unsigned link, unsigned card, const char *stat, const uint8_t *ud, size_t len)
{
	struct gw_event ev = { .ev = { .kind = LINK_EV_REPORT, .from = { .ton = 1, .npi = 1 } } };

	snprintf(ev.ev.from.digits, sizeof(ev.ev.from.digits), "%s", b->card[card].msisdn);
	snprintf(ev.ev.stat, sizeof(ev.ev.stat), "%s", stat);
	ev.ev.whole = b->whole_receipts;
	ev.ev.delivered = !strcmp(stat, "DELIVRD");
	if (!ev.ev.delivered)
		ev.ev.fail = (struct fail){ FAIL_UNKNOWN, 0, "as the test says" };
	message(b, link, &ev, ud, len);
}

/* ------------------------------------------------------------------------------------------------ what is durable */

const struct card_bundle *bed_card(struct bed *b, unsigned card)
{
	struct store_fetch f = {
		.by = FETCH_BY_ID, .card = b->id[card], .at_ms = b->now_ms, .out = &b->bundle, .cap = 1
	};

	bed_turn(b);
	assert_int_equal(store_fetch_wait(b->store, &f), STORE_OK);
	assert_int_equal(f.n, 1);
	return &b->bundle;
}

const struct txn_row *bed_txn(struct bed *b, unsigned card)
{
	assert_true(bed_card(b, card)->has_txn);
	return &b->bundle.txn;
}

void bed_expect_txn(struct bed *b, unsigned card, enum txn_state state, const char *reason)
{
	const struct txn_row *t = bed_txn(b, card);

	if (t->state != state || (reason && strncmp(t->reason, reason, strlen(reason))))
		fail_msg("card %u is %s: %s", card, txn_state_name(t->state), t->reason);
}

struct txn_row bed_report(struct bed *b, uint64_t campaign, unsigned card)
{
	static struct store_report rows[BED_CARDS_MAX];
	struct store_query q = { .kind = Q_REPORT, .id = campaign, .limit = BED_CARDS_MAX, .out = rows };

	bed_turn(b);
	assert_int_equal(store_query_wait(b->store, &q), STORE_OK);
	for (unsigned i = 0; i < q.n; i++)
		if (rows[i].txn.card == b->id[card])
			return rows[i].txn;
	fail_msg("card %u is not in the report", card);
	return rows[0].txn;
}

unsigned bed_story(struct bed *b, unsigned card, enum story_kind kind, const char *text)
{
	static struct store_story rows[STORY_MAX];
	struct store_query q = { .kind = Q_CARD_STORY, .id = b->id[card], .limit = STORY_MAX, .out = rows };
	unsigned n = 0;

	bed_turn(b);
	do {
		assert_int_equal(store_query_wait(b->store, &q), STORE_OK);
		for (unsigned i = 0; i < q.n; i++)
			n += rows[i].row.kind == kind && (!text || !strncmp(rows[i].row.text, text, strlen(text)));
		q.after = q.last;
	} while (q.n == q.limit);
	return n;
}

struct gw_stats bed_stats(const struct bed *b)
{
	struct gw_stats s;

	gw_stats(b->gw, &s);
	return s;
}

uint64_t bed_count(struct bed *b, uint64_t campaign, enum txn_state state)
{
	static struct store_count rows[COUNTS_MAX];
	struct store_query q = { .kind = Q_CAMPAIGN_COUNTS, .id = campaign, .limit = COUNTS_MAX, .out = rows };
	uint64_t by_state[_TXN_STATES] = { 0 }, by_class[_FAIL_CLASSES] = { 0 };
	struct gw_campaign_view v;

	bed_turn(b);
	assert_int_equal(store_query_wait(b->store, &q), STORE_OK);
	for (unsigned i = 0; i < q.n; i++) {
		by_state[rows[i].state] += rows[i].n;
		if (rows[i].fail_class && rows[i].state != TXN_DONE)
			by_class[rows[i].fail_class] += rows[i].n;
	}
	if (gw_campaign_view(b->gw, campaign, &v)) {
		for (unsigned i = 0; i < _TXN_STATES; i++)
			assert_int_equal(v.by_state[i], by_state[i]);
		for (unsigned i = 1; i < _FAIL_CLASSES; i++)
			assert_int_equal(v.by_class[i], by_class[i]);
	}
	return by_state[state];
}

struct gw_campaign_view bed_view(const struct bed *b, uint64_t campaign)
{
	struct gw_campaign_view v;

	assert_true(gw_campaign_view(b->gw, campaign, &v));
	return v;
}
