/* ho_party.c - an instance: keystore, store, core and desk, that goes down and comes up again.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ho.h"
#include "mark.h"

#define OTA_KEY_HEX (2 * SIM_KEY_MAX + 1)

static const char *const names[HO_N] = { "operator-a", "operator-b", "operator-c", "vault", "shop" };
static const unsigned roles[HO_N] = { XCHG_A | XCHG_B, XCHG_A | XCHG_B, XCHG_A | XCHG_B, XCHG_M, XCHG_S };

/* ---- what lasts over all seeds: keys are slow to make, and no decision hangs on them ---- */

static struct {
	struct ks *ks;
	struct pkg_self *self;
	char *party;
	size_t party_len;
} lasting[HO_N];

static bool lasting_make(unsigned who, char *err, size_t cap)
{
	uint8_t kek[32] = { 7, (uint8_t)who }, check[KS_CHECK_LEN], *sealed = NULL;
	struct ks_open_params params = { .source = KS_KEK_MEMORY, .kek = kek, .slots = 256 };
	size_t len = 0;
	bool ok;

	if (lasting[who].self)
		return true;
	ok = !ks_open(&lasting[who].ks, &params, NULL, 0, check, err, cap) &&
	     !pkg_self_create(lasting[who].ks, names[who], HO_START_MS / 1000, &lasting[who].party,
			      &lasting[who].party_len, &sealed, &len, err, cap) &&
	     !pkg_self_load(&lasting[who].self, lasting[who].ks, lasting[who].party, lasting[who].party_len, sealed,
			    len, err, cap);
	free(sealed);
	return ok;
}

static struct errtab *errtab;

static const struct errtab *the_errtab(void)
{
	char err[ERRTAB_ERR_MAX];

	if (!errtab)
		errtab = errtab_new(err);
	return errtab;
}

void ho_lasting_free(void)
{
	for (unsigned i = 0; i < HO_N; i++) {
		pkg_self_free(lasting[i].self);
		free(lasting[i].party);
		ks_close(lasting[i].ks);
	}
	errtab_free(errtab);
}

/* ---- hooks ---- */

static int64_t utc(void *ctx)
{
	return ((struct ho_party *)ctx)->w->now_ms;
}

static int dice(void *ctx, uint8_t *buf, size_t len)
{
	struct ho_party *p = ctx;

	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)ho_next(&p->w->dice);
	return 0;
}

static void on_log(void *ctx, int level, const char *line)
{
	struct ho_party *p = ctx;

	ho_say(p->w, "%s <%d> %s", p->name, level, line);
}

static int64_t store_delay(void *ctx, const char *what, struct store_batch *b)
{
	struct ho_party *p = ctx;
	const struct sim_range *r = *what == 'c' ? &p->w->d.commit_ms : &p->w->d.read_ms;

	return ho_pick(&p->w->dice, r->lo, r->hi);
}

static int store_fault(void *ctx, struct store_batch *b)
{
	struct ho_party *p = ctx;

	p->commits++;
	if (p->fail_in) {
		p->fail_in--;
		return ho_chance(&p->w->dice, 500000) ? STORE_E_BUSY : STORE_E_IO;
	}
	if (!p->crash_in || --p->crash_in)
		return STORE_OK;
	p->crash_now = true;
	return p->crash_keeps ? STORE_OK : STORE_E_IO;
}

static uint64_t campaign_id(void *ctx)
{
	return ++((struct ho_party *)ctx)->campaign;
}

static bool keep(void *ctx, struct store_batch *b)
{
	return ho_chance(&((struct ho_party *)ctx)->w->dice, 500000);
}

/* ---- up ---- */

static void last_campaign(struct ho_party *p)
{
	struct store_totals t = { 0 };
	struct store_query q = { .kind = Q_TOTALS, .limit = 1, .out = &t };

	store_query_wait(p->store, &q);
	p->campaign = t.max_campaign;
}

static struct gw *core_up(struct ho_party *p)
{
	struct gw_cfg cfg;
	struct gw_deps deps = {
		.env = &p->env, .store = p->store, .ks = p->ks, .errtab = the_errtab(), .log = on_log, .log_ctx = p
	};

	gw_cfg_default(&cfg);
	cfg.epoch = p->epoch;
	cfg.src = (struct ota_addr){ .ton = 3, .npi = 1, .digits = "4242" };
	cfg.retry.jitter_pct = 0;
	cfg.address_by_imsi = p->w->d.by_imsi;
	cfg.limits.resident_max = 256;
	cfg.limits.open_max = 256;
	deps.log_level = 6;
	return gw_new(&cfg, &deps);
}

static void pool(struct ho_party *p, struct desk_pool *pool)
{
	if (p->who >= HO_OPS)
		return;
	snprintf(pool->imsi_from, sizeof(pool->imsi_from), "0010%u5000000001", p->who + 1);
	snprintf(pool->imsi_to, sizeof(pool->imsi_to), "0010%u5000000999", p->who + 1);
	snprintf(pool->msisdn_from, sizeof(pool->msisdn_from), "4477%u000001", p->who + 1);
	if (p->w->d.keeps) /* the first IMSI is the first card's */
		snprintf(pool->msisdn_from, sizeof(pool->msisdn_from), "%s",
			 sim_world_fleet(p->w->sim)->cards[0].msisdn);
	if (p->w->d.one_register)
		snprintf(pool->msisdn_bridge, sizeof(pool->msisdn_bridge), "4499%u000000", p->who + 1);
	snprintf(pool->plmns, sizeof(pool->plmns), "0010%u", p->who + 1);
	snprintf(pool->files, sizeof(pool->files), "%s", p->w->d.files ? p->w->d.files : "");
	pool->trial_s = p->w->d.trial_s;
}

static struct desk *desk_up(struct ho_party *p, char err[DESK_ERR_MAX])
{
	struct desk_cfg *cfg = calloc(1, sizeof(*cfg));
	struct desk_deps deps = { .env = &p->env,
				  .store = p->store,
				  .ks = p->ks,
				  .gw = p->gw,
				  .campaign_id = p->gw ? campaign_id : NULL,
				  .campaign_id_ctx = p,
				  .errtab = the_errtab(),
				  .self = p->self,
				  .hlr = p->hlr ? ho_hlr_of(p->hlr) : NULL,
				  .log = on_log,
				  .log_ctx = p,
				  .carry = ho_carry,
				  .carry_ctx = p };
	struct desk *d;

	if (!cfg)
		abort();
	cfg->roles = p->who == HO_M ? DESK_VAULT : DESK_MNO;
	snprintf(cfg->dir, sizeof(cfg->dir), "%s", p->dir);
	snprintf(cfg->work_profile, sizeof(cfg->work_profile), "m2m-sub");
	snprintf(cfg->profile_dir, sizeof(cfg->profile_dir), "%s", PROFILES_DIR);
	cfg->epoch = p->epoch;
	cfg->hlr_poll_ms = 30000;
	cfg->address_by_imsi = p->w->d.by_imsi;
	pool(p, &cfg->pool);
	for (unsigned i = 0; i < HO_N; i++) {
		struct desk_partner *n = &cfg->partner[cfg->n_partners];

		if (i == p->who)
			continue;
		if (pkg_partner_load(&n->pinned, lasting[i].party, lasting[i].party_len, err, DESK_ERR_MAX))
			abort();
		n->roles = roles[i];
		if (i < HO_OPS)
			snprintf(n->network[n->networks++], sizeof(n->network[0]), "0010%u", i + 1);
		cfg->n_partners++;
	}
	d = desk_new(cfg, &deps, err);
	free(cfg);
	return d;
}

bool ho_party_up(struct ho_party *p)
{
	struct store_mem_hooks hooks = { .delay = store_delay, .fault = store_fault, .now_ms = utc, .ctx = p };
	char err[DESK_ERR_MAX] = "";
	unsigned fails = p->fail_in, crash = p->crash_in;

	p->fail_in = p->crash_in = 0;
	p->crash_now = p->started = false;
	p->store = store_mem_open(p->disk, &hooks);
	last_campaign(p);
	if (p->who < HO_OPS) {
		p->gw = core_up(p);
		p->link = ho_link_new(p);
		p->hlr = ho_hlr_new(p);
	}
	p->desk = desk_up(p, err);
	p->fail_in = fails;
	p->crash_in = crash;
	if (!p->store || !p->desk || (p->who < HO_OPS && !p->gw)) {
		ho_find(p->w, "harness", "%s does not come up: %s", p->name, err);
		return false;
	}
	if (p->gw)
		gw_start(p->gw, p->w->now_ms);
	return true;
}

static void take_down(struct ho_party *p)
{
	gw_free(p->gw);
	desk_free(p->desk);
	ho_link_free(p->link);
	p->gw = NULL;
	p->desk = NULL;
	p->link = NULL;
	p->store = NULL;
	ho_hlr_free(p->hlr);
	p->hlr = NULL;
	p->started = false;
}

void ho_party_crash(struct ho_party *p)
{
	if (!p->store)
		return;
	ho_say(p->w, "%s: the power fails", p->name);
	store_mem_crash(p->store, keep, p);
	take_down(p);
	p->crash_now = false;
	p->crash_in = 0;
	p->crashes++;
	p->up_ms = p->w->now_ms + ho_pick(&p->w->dice, 1000, 10 * HO_MINUTE);
	if (p->who < HO_OPS)
		sim_world_up_lost(p->w->sim, p->who, p->w->now_ms);
}

void ho_party_restore(struct ho_party *p, struct store_mem_disk *backup)
{
	ho_party_crash(p);
	ho_say(p->w, "%s: a backup is put back", p->name);
	store_mem_disk_free(p->disk);
	p->disk = backup;
	p->restored = true;
	p->epoch = mark_next_epoch(p->epoch, (uint32_t)(p->w->now_ms / 1000)); /* gateway/mark.c sees it */
}

/* ---- turn ---- */

static void on_txn(void *ctx, const struct gw_effect *fx)
{
	struct ho_party *p = ctx;

	if (p->desk)
		desk_on_effect(p->desk, fx);
}

static void on_reply(void *ctx, const struct gw_effect *fx)
{
}

static bool core_turn(struct ho_party *p)
{
	struct gw_reply_sink sink = { .reply = on_reply, .txn = on_txn, .txn_ctx = p };
	struct link *links[] = { p->link };
	bool did = false;

	for (unsigned i = 0; i < 1000 && gw_step(p->gw, p->w->now_ms); i++)
		did = true;
	gw_act(p->gw, links, 1, &sink, p->w->now_ms);
	if (gw_fatal(p->gw))
		ho_find(p->w, "harness", "%s: the core stops: %s", p->name, gw_fatal(p->gw));
	return did;
}

bool ho_party_turn(struct ho_party *p)
{
	bool did = false;

	if (!p->store) {
		if (!p->disk || p->w->now_ms < p->up_ms)
			return false;
		ho_say(p->w, "%s comes up again", p->name);
		return ho_party_up(p);
	}
	did |= store_mem_due(p->store) <= p->w->now_ms;
	p->store->ops->poll(p->store);
	if (p->crash_now) {
		ho_party_crash(p);
		return true;
	}
	if (p->link)
		did |= ho_link_step(p->link);
	if (p->gw)
		did |= core_turn(p);
	if (p->hlr)
		did |= ho_hlr_step(p->hlr);
	if (!p->started && (!p->gw || gw_ready(p->gw))) {
		p->started = true;
		if (p->link)
			p->link->ops->start(p->link);
		desk_start(p->desk, p->w->now_ms);
		did = true;
	}
	for (unsigned i = 0; p->started && i < 1000 && desk_step(p->desk, p->w->now_ms); i++)
		did = true;
	if (desk_fatal(p->desk))
		ho_find(p->w, "harness", "%s: the desk stops: %s", p->name, desk_fatal(p->desk));
	return did;
}

int64_t ho_party_due(struct ho_party *p)
{
	int64_t at[6], due_ms = INT64_MAX;

	if (!p->store)
		return p->disk ? p->up_ms : INT64_MAX;
	at[0] = store_mem_due(p->store);
	at[1] = p->gw ? gw_next_due(p->gw) : INT64_MAX;
	at[2] = p->started ? desk_next_due(p->desk) : INT64_MAX;
	at[3] = p->link ? ho_link_due(p->link) : INT64_MAX;
	at[4] = p->hlr ? ho_hlr_due(p->hlr) : INT64_MAX;
	at[5] = INT64_MAX;
	for (int i = 0; i < 6; i++)
		due_ms = at[i] < due_ms ? at[i] : due_ms;
	return due_ms;
}

/* ---- made once per seed ---- */

bool ho_parties_make(struct ho *w)
{
	for (unsigned i = 0; i < HO_N; i++) {
		struct ho_party *p = &w->p[i];
		char err[400] = "";

		p->w = w;
		p->who = i;
		p->name = names[i];
		p->env = (struct env){ .utc_ms = utc, .random = dice, .ctx = p };
		if (!lasting_make(i, err, sizeof(err))) {
			ho_find(w, "harness", "%s", err);
			return false;
		}
		p->ks = lasting[i].ks;
		p->self = lasting[i].self;
		p->party = lasting[i].party;
		p->party_len = lasting[i].party_len;
		snprintf(p->dir, sizeof(p->dir), "%s/%s", w->dir, p->name);
		if (i == HO_S || (i == HO_M && !ho_cards_of(w, ORDER_3B)) || (i < HO_OPS && i >= w->d.ops)) {
			mkdir(p->dir, 0700);
			continue;
		}
		p->disk = store_mem_disk_new();
		p->epoch = HO_EPOCH;
	}
	return true;
}

bool ho_parties_up(struct ho *w)
{
	for (unsigned i = 0; i < HO_N; i++)
		if (w->p[i].disk && !ho_party_up(&w->p[i]))
			return false;
	return true;
}

void ho_parties_free(struct ho *w)
{
	for (unsigned i = 0; i < HO_N; i++) {
		struct ho_party *p = &w->p[i];

		if (p->store) {
			store_mem_crash(p->store, NULL, NULL);
			take_down(p);
		}
		store_mem_disk_free(p->disk);
	}
}

/* ---- A's cards, as its own import would bring them ---- */

static void hex(char *out, const uint8_t *in, size_t len)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", in[i]);
}

static int keyset_of(struct ho *w, const struct sim_card *c, struct keyset_row *k)
{
	const struct sim_sub_rec *rec = c->sub ? sim_sub_rec(c->sub) : NULL;
	const struct sim_pair *pair = rec ? sim_sub_pair(c->sub, rec->index) : NULL;
	const struct sim_keyset *own = &c->ks[0];
	const size_t len = rec ? pair->ota.len : sim_alg_key_len(own->kic_alg);
	struct ks_keyset_spec spec = {
		.kvn = rec ? rec->kvn : own->kvn, .kic_alg = OTA_ALG_AES_CBC, .kid_alg = OTA_ALG_AES_CBC, .cc_len = 8
	};
	char text[3][OTA_KEY_HEX], err[200];
	int n;

	*k = (struct keyset_row){ .kvn = spec.kvn,
				  .kic_alg = OTA_ALG_AES_CBC,
				  .kid_alg = OTA_ALG_AES_CBC,
				  .cc_len = 8,
				  .generation = rec ? rec->index : 1,
				  .cntr = rec ? pair->cntr : own->cntr,
				  .epoch = HO_EPOCH };
	hex(text[0], rec ? pair->ota.kic : own->kic, len);
	hex(text[1], rec ? pair->ota.kid : own->kid, len);
	hex(text[2], rec ? pair->ota.kik : own->kik, len);
	n = ks_keyset_import(w->p[HO_A].ks, c->iccid, &spec, text[0], text[1], text[2], k->sealed, err, sizeof(err));
	k->sealed_len = n < 0 ? 0 : (uint16_t)n;
	return n;
}

static void sub_add(struct ho *w, struct store_batch *b, const struct sim_card *c)
{
	const struct sim_pair *pair = c->sub ? sim_sub_pair(c->sub, sim_sub_rec(c->sub)->index) : NULL;
	struct ks_sub_spec spec = { .index = c->sub ? sim_sub_rec(c->sub)->index : 1,
				    .aka = KS_AKA_MILENAGE,
				    .sqn = 1 };
	struct book_row row = { .book = BOOK_SUB, .version = BOOK_ANY, .len = KS_SUB_LEN };
	uint8_t sealed[KS_SUB_LEN];
	char k[33], opc[33], err[200];

	hex(k, pair ? pair->k : c->usim->k, 16);
	hex(opc, pair ? pair->opc : c->usim->opc, 16);
	if (ks_sub_import(w->p[HO_A].ks, c->iccid, &spec, k, opc, sealed, err, sizeof(err)) < 0)
		ho_find(w, "harness", "keys of card %s: %s", c->iccid, err);
	snprintf(row.key, sizeof(row.key), "%s/%05u", c->iccid, spec.index);
	store_batch_add(b, ST_BOOK_PUT, &row, sealed, sizeof(sealed));
}

/* ---- the vault's pairs, as whoever made the cards would list them ---- */

static void ota_keys(FILE *f, const struct sim_ota_keys *k, const char *tail)
{
	char text[3][OTA_KEY_HEX];

	hex(text[0], k->kic, k->len);
	hex(text[1], k->kid, k->len);
	hex(text[2], k->kik, k->len);
	fprintf(f, "%s,%s,%s%s\n", text[0], text[1], text[2], tail);
}

static void pairs_write(struct ho *w, const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f) {
		ho_find(w, "harness", "%s cannot be written", path);
		return;
	}
	fputs("ICCID,INDEX,KVN,K,OPC,KIC,KID,KIK,IMSI,MSISDN\n", f);
	for (unsigned i = 0; i < w->d.cards; i++) {
		const struct sim_card *c = &sim_world_fleet(w->sim)->cards[i];
		const struct sim_sub_nvm *n = &c->sub->nvm;
		const struct sim_sub_rec *rec = sim_sub_rec(c->sub);

		if (!(ho_cards_of(w, ORDER_3B) & 1u << i))
			continue;
		for (unsigned p = 0; p < SIM_PAIRS_MAX; p++) {
			char k[33], opc[33], tail[48] = ",,";
			bool active = rec->place[p] == rec->index;

			if (!rec->place[p])
				continue;
			hex(k, n->pair[p].k, 16);
			hex(opc, n->pair[p].opc, 16);
			if (active)
				snprintf(tail, sizeof(tail), ",%s,%s", c->imsi_first, c->msisdn);
			fprintf(f, "%s,%u,%s,%s,%s,", c->iccid, rec->place[p], active ? "1" : "", k, opc);
			ota_keys(f, &n->pair[p].ota, tail);
		}
		fprintf(f, "%s,,%u,,,", c->iccid, SIM_KVN_VAULT);
		ota_keys(f, &n->vault, ",,");
		fprintf(f, "%s,,%u,,,", c->iccid, SIM_KVN_CHANGE);
		ota_keys(f, &n->change, ",,");
	}
	fclose(f);
}

static void vault_said(void *ctx, int rc, const char *text)
{
	struct ho *w = ctx;

	ho_say(w, "vault: %d %s", rc, text);
	if (rc)
		ho_find(w, "harness", "vault: %s", text);
}

void ho_issue(struct ho *w)
{
	struct desk_request r = { .verb = DESK_IMPORT_PAIRS, .done = vault_said, .ctx = w };
	char path[200];

	snprintf(path, sizeof(path), "%s/pairs.csv", w->dir);
	pairs_write(w, path);
	r.file = path;
	if (desk_request(w->p[HO_M].desk, &r))
		ho_find(w, "harness", "the vault takes no pairs");
	r = (struct desk_request){ .verb = DESK_ISSUE, .done = vault_said, .ctx = w };
	snprintf(r.partner, sizeof(r.partner), "%s", w->p[HO_A].name);
	if (desk_request(w->p[HO_M].desk, &r))
		ho_find(w, "harness", "the vault issues nothing");
}

/* A has all its cards. */
bool ho_issued(struct ho *w)
{
	struct store_mem_disk *copy = store_mem_disk_copy(w->p[HO_A].disk);
	struct store *s = store_mem_open(copy, NULL);
	struct store_totals t = { 0 };
	struct store_query q = { .kind = Q_TOTALS, .limit = 1, .out = &t };
	bool all = !store_query_wait(s, &q) && t.cards >= w->d.cards;

	s->ops->close(s);
	store_mem_disk_free(copy);
	return all;
}

bool ho_intake(struct ho *w)
{
	struct store_batch *b = store_batch_new();
	struct store *s = store_mem_open(w->p[HO_A].disk, NULL);

	for (unsigned i = 0; i < w->d.cards; i++) {
		const struct sim_card *c = &sim_world_fleet(w->sim)->cards[i];

		memcpy(w->card[i].iccid, c->iccid, sizeof(w->card[i].iccid));
	}
	for (unsigned i = 0; s && i < w->d.cards; i++) {
		const struct sim_card *c = &sim_world_fleet(w->sim)->cards[i];
		struct store_card_insert in = { .n_keysets = 1 };

		if (!(ho_cards_of(w, ORDER_3A) & 1u << i))
			continue; /* comes from the vault */
		memcpy(in.card.iccid, c->iccid, SIM_ICCID_LEN);
		memcpy(in.card.imsi, c->imsi_first, SIM_IMSI_LEN);
		memcpy(in.card.msisdn, c->msisdn, SIM_IMSI_LEN);
		snprintf(in.card.profile, sizeof(in.card.profile), "%s",
			 c->sub	  ? "m2m-sub" :
			 w->d.opc ? "usim-rfm-opc" :
				    "usim-rfm");
		in.card.created_ms = w->now_ms;
		if (keyset_of(w, c, &in.keyset[0]) < 0)
			ho_find(w, "harness", "keys of card %s", c->iccid);
		store_batch_add(b, ST_CARD_INSERT, &in, NULL, 0);
		sub_add(w, b, c);
	}
	if (!s || store_commit_wait(s, b))
		ho_find(w, "harness", "A's cards cannot be taken in");
	for (size_t i = 0; i < b->n; i++)
		if (b->ops[i].rc)
			ho_find(w, "harness", "A's cards: %s", store_strerror(b->ops[i].rc));
	if (s)
		s->ops->close(s);
	store_batch_free(b);
	return !w->fail[0];
}
