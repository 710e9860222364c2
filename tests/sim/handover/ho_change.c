/* ho_change.c - an operator changes the keys of cards that are its own: ordered, and judged by the cards' own memory.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Somebody restarts the phones now and then: K is in force from the first authentication under it on, and a phone that stays in its cell
 * is seldom asked for one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hlr/hlr_ctrl.h"
#include "ho.h"

#define RESTART_MS (6 * HO_HOUR)

static const struct sim_pair *pair_of(struct ho *w, unsigned card)
{
	const struct sim_sub *s = sim_world_fleet(w->sim)->cards[card].sub;

	return sim_sub_pair(s, sim_sub_rec(s)->index);
}

struct ho_order *ho_change_give(struct ho *w, unsigned op, unsigned what, uint32_t cards)
{
	struct ho_order *o = &w->order[w->n_orders];
	char path[160];
	FILE *f;

	if (!cards || w->n_orders == HO_ORDERS_MAX)
		return NULL;
	*o = (struct ho_order){ .src = op, .dst = op, .kind = ORDER_CHANGE, .what = what, .cards = cards };
	snprintf(o->name, sizeof(o->name), "K-%u", ++w->n_orders % 100);
	o->number = desk_number(w->p[op].name, o->name);
	o->restart_ms = w->now_ms + RESTART_MS;
	snprintf(path, sizeof(path), "%s/%s", w->dir, o->name);
	f = fopen(path, "w");
	for (uint32_t i = 0; f && i < w->d.cards; i++) {
		struct sim_world_card t;

		sim_world_card(w->sim, i, &t);
		memcpy(o->imsi_old[i], t.imsi_stored, sizeof(o->imsi_old[i]));
		o->was[i] = *pair_of(w, i);
		if (what & CHANGE_IMSI && cards & 1u << i)
			w->card[i].order_from = w->card[i].n_sent;
		if (cards & 1u << i)
			fprintf(f, "%s\n", w->card[i].iccid);
	}
	if (!f || fclose(f))
		ho_find(w, "harness", "no list of cards");
	ho_say(w, "change %s: cards %05x of %s, what %x", o->name, cards, w->p[op].name, what);
	return o;
}

static void said(void *ctx, int rc, const char *text)
{
	struct ho *w = ctx;

	ho_say(w, "operator: %d %s", rc, text);
	for (unsigned i = 0; i < w->n_orders; i++)
		if (w->order[i].what && !w->order[i].given && w->order[i].asked) {
			w->order[i].given = !rc || rc == -EEXIST;
			w->order[i].asked = 0;
		}
}

/* The operator orders it, and orders it again when nobody has answered. */
static bool ask(struct ho *w, struct ho_order *o)
{
	struct ho_party *p = &w->p[o->src];
	struct desk_request r = { .verb = DESK_CHANGE, .what = (uint8_t)o->what, .done = said, .ctx = w };
	char path[160];

	if (o->given || !p->started || !desk_ready(p->desk) || o->asked == p->crashes + 1)
		return false;
	o->asked = p->crashes + 1;
	snprintf(path, sizeof(path), "%s/%s", w->dir, o->name);
	snprintf(r.name, sizeof(r.name), "%s", o->name);
	r.file = path;
	if (desk_request(p->desk, &r))
		ho_find(w, "harness", "the desk takes no request");
	return true;
}

bool ho_change_step(struct ho *w)
{
	bool did = false;

	for (unsigned k = w->leg_first; k < w->n_orders; k++) {
		struct ho_order *o = &w->order[k];

		if (!o->what || o->ended_ms)
			continue;
		did |= ask(w, o);
		if (w->now_ms < o->restart_ms)
			continue;
		o->restart_ms = w->now_ms + RESTART_MS;
		for (uint32_t i = 0; i < w->d.cards; i++)
			if (o->cards & 1u << i)
				sim_air_power_cycle(sim_world_air(w->sim), i);
		did = true;
	}
	return did;
}

int64_t ho_change_due(const struct ho *w)
{
	int64_t due_ms = INT64_MAX;

	for (unsigned k = w->leg_first; k < w->n_orders; k++)
		if (w->order[k].what && !w->order[k].ended_ms && w->order[k].restart_ms < due_ms)
			due_ms = w->order[k].restart_ms;
	return due_ms;
}

bool ho_change_leg(struct ho *w)
{
	static const unsigned whats[] = {
		CHANGE_OTA, CHANGE_K, CHANGE_OPC, CHANGE_K | CHANGE_OPC, CHANGE_OTA | CHANGE_K | CHANGE_OPC, CHANGE_IMSI
	};

	return ho_change_give(w, HO_A, whats[w->seed % 6], ho_cards_at(w, HO_A));
}

/* ---- judges ---- */

static void hex(char *out, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sprintf(out + 2 * i, "%02x", p[i]);
}

static void aka_text(const uint8_t k[16], const uint8_t opc[16], char out[KS_HLR_TEXT_MAX])
{
	char a[33], b[33];

	hex(a, k, 16);
	hex(b, opc, 16);
	snprintf(out, KS_HLR_TEXT_MAX, "milenage,%s,opc,%s", a, b);
}

/* Somebody at the register, in the midst of a change, or when it is over. */
void ho_change_break(struct ho *w)
{
	const struct ho_order *o = &w->order[0];
	char text[200], keys[KS_HLR_TEXT_MAX], reply[SIM_HLR_REPLY_MAX];
	const struct sim_pair *p = &o->was[0];
	const struct sim_pair none = { .k = { 1 }, .opc = { 2 } };
	struct sim_world_card t;

	if (w->leg || !o->given || (w->broken == HO_BREAK_OLD_K && !w->ended_ms))
		return;
	w->did_break = true;
	if (w->broken == HO_BREAK_REKEY_EARLY)
		p = &none;
	aka_text(p->k, p->opc, keys);
	sim_world_card(w->sim, 0, &t);
	if (w->broken == HO_BREAK_REKEY_EARLY)
		ho_check_rekey(w, t.imsi_stored, keys);
	snprintf(text, sizeof(text), "SET 1 subscriber.by-imsi-%s.aud3g %s", t.imsi_stored, keys);
	sim_hlr_ctrl(sim_world_hlr(w->sim, o->src), text, reply);
}

/* A register gets no keys that the card of that IMSI would not answer under. */
void ho_check_rekey(struct ho *w, const char *imsi, const char *keys)
{
	for (uint32_t i = 0; i < w->d.cards; i++) {
		const struct sim_sub *s = sim_world_fleet(w->sim)->cards[i].sub;
		const struct sim_sub_rec *r = sim_sub_rec(s);
		const struct sim_pair *p = pair_of(w, i);
		char have[KS_HLR_TEXT_MAX], with[KS_HLR_TEXT_MAX];
		struct sim_world_card t;

		sim_world_card(w->sim, i, &t);
		if (strcmp(t.imsi_stored, imsi))
			continue;
		aka_text(p->k, p->opc, have);
		aka_text(r->pending.what & SIM_PENDING_K ? r->pending.k : p->k,
			 r->pending.what & SIM_PENDING_OPC ? r->pending.opc : p->opc, with);
		if (strcmp(keys, have) && strcmp(keys, with))
			ho_find(w, "rekey", "card %u: its register gets keys that it does not hold", i);
	}
}

static bool book(struct store *s, enum book b, const char *key, struct store_book *row)
{
	struct store_query q = { .kind = Q_BOOK_GET, .book = (uint8_t)b, .limit = 1, .out = row };

	snprintf(q.key, sizeof(q.key), "%s", key);
	return !store_query_wait(s, &q) && q.n;
}

static void judge_ota(struct ho *w, const struct ho_order *o, unsigned i, const struct card_bundle *c)
{
	const struct sim_sub_rec *r = sim_sub_rec(sim_world_fleet(w->sim)->cards[i].sub);
	const struct sim_pair *p = pair_of(w, i);
	char have[KS_MAKER_TEXT_MAX] = "", want[KS_MAKER_TEXT_MAX] = ",";
	unsigned n = 0;

	for (unsigned k = 0; k < 3; k++) {
		const uint8_t *key = k == 0 ? p->ota.kic : k == 1 ? p->ota.kid : p->ota.kik;

		strcat(want, ",");
		hex(want + strlen(want), key, p->ota.len);
	}
	for (char *x = want; *x; x++)
		*x = *x >= 'a' ? (char)(*x - 32) : *x;
	for (unsigned k = 0; k < c->n_keysets; k++) {
		if (c->keyset[k].kvn > 2 || !c->keyset[k].sealed_len)
			continue;
		n++;
		if (c->keyset[k].kvn == r->kvn)
			ks_emit_keyset(w->p[o->src].ks, w->card[i].iccid, r->kvn, c->keyset[k].sealed,
				       c->keyset[k].sealed_len, have);
	}
	if (n != 1)
		ho_find(w, "keys", "card %u has keys under %u versions in the books", i, n);
	if (strcmp(have, want))
		ho_find(w, "keys", "card %u: its OTA keys under version %u are not those of the books", i, r->kvn);
}

/* Done: it holds another IMSI, and nobody has the old one; else it holds the old one. */
static void judge_imsi(struct ho *w, const struct ho_order *o, unsigned i, const struct line *l, struct store *s)
{
	static struct store_book row;
	struct sim_hlr *hlr = sim_world_hlr(w->sim, o->src);
	const bool done = l->end == END_DONE;
	struct sim_world_card t;

	sim_world_card(w->sim, i, &t);
	if (done != ho_card_moved(w, i, o->number))
		ho_find(w, "imsi", "card %u: the books say \"%s\" (%s), the card says otherwise", i,
			line_end_name(l->end), l->why);
	if (strcmp(t.imsi_stored, done ? l->imsi : o->imsi_old[i]))
		ho_find(w, "imsi", "card %u: %s is over (%s), and it holds IMSI %s", i, o->name, line_end_name(l->end),
			t.imsi_stored);
	if (*l->imsi && sim_hlr_knows(hlr, done ? o->imsi_old[i] : l->imsi))
		ho_find(w, "imsi", "card %u: %s is over (%s), and its other IMSI is in the register", i, o->name,
			line_end_name(l->end));
	if (done && (!book(s, BOOK_IMSI, o->imsi_old[i], &row) || row.row.step != 2))
		ho_find(w, "imsi", "card %u: its old IMSI does not rest", i);
	if (done && (!book(s, BOOK_IMSI, l->imsi, &row) || row.row.step != 1))
		ho_find(w, "imsi", "card %u: its new IMSI is not given", i);
}

/* An IMSI leaves the register: not that which a card may present after its next reset, nor the old one before it was asked to confirm. */
void ho_check_second(struct ho *w, uint32_t card, const char *imsi)
{
	const struct sim_sub_rec *r = sim_sub_rec(sim_world_fleet(w->sim)->cards[card].sub);
	const struct ho_card *c = &w->card[card];
	struct ota_sub_set set;

	if (r->state == SIM_SUB_ARMED && !ota_sub_set_decode(&set, r->set, r->set_len) && !strcmp(set.imsi, imsi))
		ho_find(w, "purge", "IMSI %s is removed, for which card %u is armed", imsi, card);
	if (strcmp(imsi, ho_order_last(w, card)->imsi_old[card]))
		return;
	for (unsigned i = c->order_from; i < c->n_sent; i++)
		if (c->sent[i].ins == HO_INS_CONFIRM)
			return;
	ho_find(w, "purge", "the old IMSI %s of card %u is removed, which was never asked to confirm", imsi, card);
}

void ho_check_change(struct ho *w, const struct ho_order *o, unsigned i, const struct line *l,
		     const struct card_bundle *c)
{
	static struct store_book row;
	const struct sim_sub_rec *r = sim_sub_rec(sim_world_fleet(w->sim)->cards[i].sub);
	const struct sim_pair *p = pair_of(w, i), *was = &o->was[i];
	struct store_mem_disk *copy = store_mem_disk_copy(w->p[o->src].disk);
	struct store *s = store_mem_open(copy, NULL);
	char have[KS_HLR_TEXT_MAX], text[KS_HLR_TEXT_MAX] = "", reply[SIM_HLR_REPLY_MAX], k[40] = "", opc[40] = "",
				    key[BOOK_KEY_MAX];
	const bool done = l->end == END_DONE;
	struct hold h;

	if (r->pending.what)
		ho_find(w, "keys", "card %u: %s is over (%s), and %x is pending", i, o->name, line_end_name(l->end),
			r->pending.what);
	if (done && ((o->what & CHANGE_K && !memcmp(p->k, was->k, 16)) ||
		     (o->what & CHANGE_OPC && !memcmp(p->opc, was->opc, 16)) ||
		     (o->what & CHANGE_OTA && !memcmp(&p->ota, &was->ota, sizeof(p->ota)))))
		ho_find(w, "keys", "card %u: done, and it has its old keys", i);
	if ((!(o->what & CHANGE_K) && memcmp(p->k, was->k, 16)) ||
	    (!(o->what & CHANGE_OPC) && memcmp(p->opc, was->opc, 16)) ||
	    (!(o->what & CHANGE_OTA) && memcmp(&p->ota, &was->ota, sizeof(p->ota))))
		ho_find(w, "keys", "card %u: keys have changed that nobody ordered", i);
	aka_text(p->k, p->opc, have);
	snprintf(reply, sizeof(reply), "GET 1 subscriber.by-imsi-%s.info-all", c->card.imsi);
	sim_hlr_ctrl(sim_world_hlr(w->sim, o->src), reply, reply);
	ctrl_info(reply, "aud3g.k", k, sizeof(k));
	ctrl_info(reply, "aud3g.opc", opc, sizeof(opc));
	snprintf(text, sizeof(text), "milenage,%s,opc,%s", k, opc);
	if (strcmp(have, text))
		ho_find(w, "keys", "card %u: its K is not that of the register", i);
	snprintf(key, sizeof(key), "%s/%05u", w->card[i].iccid, r->index);
	text[0] = '\0';
	if (book(s, BOOK_SUB, key, &row))
		ks_emit_to_hlr(w->p[o->src].ks, w->card[i].iccid, row.body, row.row.len, text);
	if (strcmp(have, text))
		ho_find(w, "keys", "card %u: its K is not that of the books", i);
	if (book(s, BOOK_HOLD, w->card[i].iccid, &row) &&
	    (hold_unpack(&h, row.body, row.row.len) || h.kvn != r->kvn || h.index != r->index))
		ho_find(w, "keys", "card %u: the books have its pair at %u/%u, it is at %u/%u", i, h.index, h.kvn,
			r->index, r->kvn);
	line_key(key, o->number, w->card[i].iccid);
	if (book(s, BOOK_CHANGE, key, &row))
		ho_find(w, "keys", "card %u: what was made for it has not been shredded", i);
	judge_ota(w, o, i, c);
	if (o->what & CHANGE_IMSI)
		judge_imsi(w, o, i, l, s);
	s->ops->close(s);
	store_mem_disk_free(copy);
}

/* ---- cases ---- */

static void done_judge(struct ho *w)
{
	for (unsigned i = 0; i < w->d.cards; i++)
		ho_must_end(w, i, END_DONE);
}

/* There, new keys, and back again under them. */
static bool h10_leg(struct ho *w)
{
	if (w->leg == 0)
		return ho_order_give(w, HO_A, HO_B, ho_cards_at(w, HO_A));
	if (w->leg == 1)
		return ho_change_give(w, HO_B, CHANGE_OTA | CHANGE_K | CHANGE_OPC, ho_cards_at(w, HO_B));
	return w->leg == 2 && ho_order_give(w, HO_B, HO_A, ho_cards_at(w, HO_B));
}

/* A gave the keys and may have listened: the report of each card says so. */
static void h10_judge(struct ho *w)
{
	static struct store_book row;
	struct store_mem_disk *copy;
	struct store *s;
	struct hold h;

	done_judge(w);
	if (w->leg != 1)
		return;
	copy = store_mem_disk_copy(w->p[HO_B].disk);
	s = store_mem_open(copy, NULL);
	for (unsigned i = 0; i < w->d.cards; i++) {
		char who[HOLD_WHO_MAX] = "", want[HOLD_WHO_MAX];

		if (book(s, BOOK_HOLD, w->card[i].iccid, &row) && !hold_unpack(&h, row.body, row.row.len))
			hold_who(&h, false, who);
		snprintf(want, sizeof(want), "%s if it listened", w->p[w->d.kind == ORDER_3A ? HO_A : HO_M].name);
		ho_must(w, !strcmp(who, want), "its exposure is not told as it is");
	}
	s->ops->close(s);
	store_mem_disk_free(copy);
}

/* All that can be changed, of one card. */
static bool alone_leg(struct ho *w)
{
	return !w->leg && ho_change_give(w, HO_A, CHANGE_OTA | CHANGE_K | CHANGE_OPC, ho_cards_at(w, HO_A));
}

const struct ho_case ho_case_change_alone = {
	"K13", "a change of keys at home", ho_one_card, NULL, done_judge, ORDER_3A, .leg = alone_leg
};

static bool second_leg(struct ho *w)
{
	return !w->leg && ho_change_give(w, HO_A, CHANGE_IMSI, ho_cards_at(w, HO_A));
}

const struct ho_case ho_case_second_alone = { "I13",	"a change of IMSI at home", ho_one_card, NULL, done_judge,
					      ORDER_3A, .leg = second_leg };

/* There and back again, then to B. */
static bool second_round_leg(struct ho *w)
{
	if (w->leg < 2)
		return ho_change_give(w, HO_A, CHANGE_IMSI, ho_cards_at(w, HO_A));
	return w->leg == 2 && ho_order_give(w, HO_A, HO_B, ho_cards_at(w, HO_A));
}

static void second_bad_draw(struct ho_draw *d)
{
	d->crashes = 6;
	d->commit_fails = 3;
	d->hlr_downs = 2;
	d->hlr_temp_ppm = 200000;
	d->air.dup_ppm = 300000;
	d->air.refresh_refused_ppm = 500000;
	d->cards = 8;
}

static void second_one_draw(struct ho_draw *d)
{
	second_bad_draw(d);
	d->keeps = d->one_register = true;
}

static void second_one_judge(struct ho *w)
{
	done_judge(w);
	for (uint32_t i = 0; i < w->d.cards; i++) {
		const struct sim_world_card t = ho_look(w, i);
		char msisdn[SIM_HLR_DIGITS_MAX + 1] = "";

		sim_hlr_msisdn_of(sim_world_hlr(w->sim, HO_A), t.imsi_stored, msisdn);
		ho_must(w, !strcmp(msisdn, sim_world_fleet(w->sim)->cards[i].msisdn),
			"a card has not got its MSISDN back");
	}
}

/* The network does not let the first one in under its new IMSI. */
static void second_refused_act(struct ho *w)
{
	const struct sim_net net = { .imsi_prefix = "001015000000001", .how = SIM_NET_REFUSES };

	if (!w->case_step++)
		sim_air_net(ho_air(w), &net);
}

static void second_refused_judge(struct ho *w)
{
	ho_must_end(w, 0, END_ROLLED_BACK);
	ho_must_end(w, 1, END_DONE);
	ho_must_end(w, 2, END_DONE);
}

/* No answer comes to ARM, nor to CONFIRM. */
static void second_lost_act(struct ho *w)
{
	if (w->case_step == 0 && ho_look(w, 0).state == SIM_SUB_STAGED) {
		sim_air_taking(ho_air(w), 0, SIM_SILENT, w->now_ms);
		w->case_step = 1;
		w->case_ms = w->now_ms + HO_DAY;
	} else if (w->case_step == 1 && w->now_ms >= w->case_ms) {
		sim_air_taking(ho_air(w), 0, SIM_TAKES, w->now_ms);
		w->case_step = 2;
		w->case_ms = 0;
	}
}

static void second_cancel_draw(struct ho_draw *d)
{
	d->cancel = true;
	d->cancel_ms = HO_MINUTE;
}

static void second_away_act(struct ho *w)
{
	if (w->case_step && (w->case_step > 1 || w->now_ms < w->case_ms))
		return;
	for (uint32_t i = 0; i < w->d.cards; i++)
		sim_air_cover(ho_air(w), i, w->case_step ? SIM_COVERAGE_PRESENT : SIM_COVERAGE_ABSENT, w->now_ms);
	w->case_ms = w->case_step++ ? 0 : w->now_ms + 2 * HO_HOUR;
}

static void second_cancel_judge(struct ho *w)
{
	for (unsigned i = 0; i < w->d.cards; i++)
		ho_must_end(w, i, END_CANCELLED);
	ho_must(w, !w->arms, "a card was armed");
}

/* ---- K14, K15: a backup from before is put back while K is pending, and another change is ordered ---- */

static bool backup_leg(struct ho *w)
{
	return !w->leg && ho_change_give(w, HO_A, CHANGE_K, ho_cards_at(w, HO_A));
}

static void backup_draw(struct ho_draw *d)
{
	ho_one_card(d);
	d->bound_ms = 3 * HO_DAY;
}

/* A has forgotten the change, and what it has noted of it is lost with the books; its operator orders one again. */
static void order_anew(struct ho *w, const char *name, unsigned what)
{
	struct ho_order *o = &w->order[0];
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%.80s/changes/%s.keys", w->p[HO_A].dir, o->name);
	if (unlink(path))
		ho_find(w, "harness", "%s is not there", path);
	ho_party_restore(&w->p[HO_A], w->backup);
	w->backup = NULL;
	o->what = what;
	snprintf(o->name, sizeof(o->name), "%s", name);
	o->number = desk_number(w->p[HO_A].name, o->name);
	o->given = false;
	o->asked = 0;
	snprintf(path, sizeof(path), "%s/%s", w->dir, o->name);
	f = fopen(path, "w");
	if (!f || fprintf(f, "%s\n", w->card[0].iccid) < 0 || fclose(f))
		ho_find(w, "harness", "no list of cards");
}

static bool pending_k(struct ho *w)
{
	return sim_sub_rec(sim_world_fleet(w->sim)->cards[0].sub)->pending.what & SIM_PENDING_K;
}

static void k14_act(struct ho *w)
{
	if (w->case_step == 0 && w->p[HO_A].store) {
		w->backup = store_mem_disk_copy(w->p[HO_A].disk);
		w->case_step = 1;
	} else if (w->case_step == 1 && pending_k(w)) {
		order_anew(w, "OPC-1", CHANGE_OPC);
		w->case_step = 2;
	}
}

static void k14_judge(struct ho *w)
{
	done_judge(w);
	ho_must(w, w->case_step == 2, "no backup was put back");
}

static void keys_there(struct ho *w, char text[KS_HLR_TEXT_MAX])
{
	char reply[SIM_HLR_REPLY_MAX], k[40] = "", opc[40] = "";
	struct sim_world_card t;

	sim_world_card(w->sim, 0, &t);
	snprintf(reply, sizeof(reply), "GET 1 subscriber.by-imsi-%s.info-all", t.imsi_stored);
	sim_hlr_ctrl(sim_world_hlr(w->sim, HO_A), reply, reply);
	ctrl_info(reply, "aud3g.k", k, sizeof(k));
	ctrl_info(reply, "aud3g.opc", opc, sizeof(opc));
	snprintf(text, KS_HLR_TEXT_MAX, "milenage,%s,opc,%s", k, opc);
}

static void k15_act(struct ho *w)
{
	char there[KS_HLR_TEXT_MAX], old[KS_HLR_TEXT_MAX];

	if (w->case_step == 0 && w->p[HO_A].store) {
		w->backup = store_mem_disk_copy(w->p[HO_A].disk);
		w->case_step = 1;
	} else if (w->case_step == 1 && pending_k(w)) {
		keys_there(w, there);
		aka_text(w->order[0].was[0].k, w->order[0].was[0].opc, old);
		if (!strcmp(there, old))
			return;
		order_anew(w, "K-77", CHANGE_K);
		w->case_step = 2;
	}
}

/* What the restored books know nothing of stays as it is: the card is served under it. */
static void k15_judge(struct ho *w)
{
	char there[KS_HLR_TEXT_MAX], have[KS_HLR_TEXT_MAX];
	const struct sim_pair *p = pair_of(w, 0);

	keys_there(w, there);
	aka_text(p->k, p->opc, have);
	ho_must(w, w->case_step == 2, "no backup was put back");
	ho_must(w, !pending_k(w), "a K is pending on the card");
	ho_must(w, !strcmp(there, have), "the card's keys are not the register's");
	ho_must(w, memcmp(p->k, w->order[0].was[0].k, 16) != 0, "the first change was not used");
}

const struct ho_case ho_cases_change[] = {
	{ "imsi", "another IMSI, and another, then to B", NULL, NULL, done_judge, ORDER_3A, .leg = second_round_leg },
	{ "imsi-3b", "the same of cards of 3b", NULL, NULL, done_judge, ORDER_3B, .leg = second_round_leg },
	{ "imsi-bad", "another IMSI, and much fails", second_bad_draw, NULL, done_judge, ORDER_3A, .leg = second_leg },
	{ "imsi-one", "the same, and the MSISDN is kept", second_one_draw, NULL, second_one_judge, ORDER_3B,
	  .leg = second_leg },
	{ "imsi-net", "a network refuses a new IMSI: the card goes back", NULL, second_refused_act,
	  second_refused_judge, ORDER_3A, .leg = second_leg },
	{ "imsi-mute", "no answer after STAGE for a day, and the card moves", NULL, second_lost_act, done_judge,
	  ORDER_3A, .leg = second_leg },
	{ "imsi-off", "cancelled before a card was reached", second_cancel_draw, second_away_act, second_cancel_judge,
	  ORDER_3A, .leg = second_leg },
	{ "H10", "new keys after 3a, and A may have listened; then back under them", NULL, NULL, h10_judge, ORDER_3A,
	  .leg = h10_leg },
	{ "H10-3b", "the same after 3b", NULL, NULL, h10_judge, ORDER_3B, .leg = h10_leg },
	{ "K14", "K is pending, an older backup at A, then OPc", backup_draw, k14_act, k14_judge, ORDER_3A,
	  .leg = backup_leg },
	{ "K15", "K is pending and at the register, an older backup at A, then K", backup_draw, k15_act, k15_judge,
	  ORDER_3A, .leg = backup_leg, .unended = true },
	{ NULL, NULL, NULL, NULL, NULL, 0 },
};
