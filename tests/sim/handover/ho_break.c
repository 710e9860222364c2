/* ho_break.c - what is broken on purpose, so that each judge is seen to speak.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "ho.h"

static void hlr_forget(struct ho *w, unsigned op, const char *imsi)
{
	char text[100], reply[SIM_HLR_REPLY_MAX];

	snprintf(text, sizeof(text), "SET 1 subscriber.delete %s", imsi);
	sim_hlr_ctrl(sim_world_hlr(w->sim, op), text, reply);
}

/* A partner's own build signs what it must not, and sends it. */
static void forge_as(struct ho *w, unsigned from, unsigned to, uint64_t seq, enum xchg_type type, const char *const *v)
{
	const struct xchg_schema *s = xchg_schema_of(type);
	struct pkg_head h = { .seq = seq, .created_s = w->now_ms / 1000, .expires_s = w->now_ms / 1000 + 86400 };
	char path[200], line[2000], err[400] = "";
	struct pkg_partner *pinned = NULL;
	struct pkg_writer *out = NULL;

	w->did_break = true;
	snprintf(path, sizeof(path), "%s/forged.otapkg", w->dir);
	snprintf(h.type, sizeof(h.type), "%s", s->name);
	snprintf(h.order, sizeof(h.order), "%s", w->order[0].name);
	snprintf(h.from, sizeof(h.from), "%s", w->p[from].name);
	snprintf(h.to, sizeof(h.to), "%s", w->p[to].name);
	h.answers = s->answers;
	xchg_columns_text(s, h.columns);
	if (pkg_partner_load(&pinned, w->p[to].party, w->p[to].party_len, err, sizeof(err)) ||
	    pkg_write_open(&out, path, &h, w->p[from].self, pinned, err, sizeof(err)) ||
	    (s->keys && !pkg_write_wrap(out, err, sizeof(err))) ||
	    xchg_join(s, v, line, sizeof(line), err, sizeof(err)) || pkg_write_record(out, line, err, sizeof(err)) ||
	    pkg_write_close(out, &h, err, sizeof(err)))
		ho_find(w, "harness", "%s", err);
	pkg_partner_free(pinned);
	ho_carry(&w->p[from], w->p[to].name, path, h.seq);
}

static void forge(struct ho *w, unsigned from, unsigned to, enum xchg_type type, const char *const *v)
{
	forge_as(w, from, to, HO_SEQ_MAX - 1 - w->forged++ /* far from those in use */, type, v);
}

static void break_words(struct ho *w, const struct sim_world_card *t)
{
	const struct ho_order *o = &w->order[0];
	const char *iccid = w->card[0].iccid, *imsi = t->imsi_stored, *now = "1700000000";
	const bool here = t->state == SIM_SUB_CONFIRMED && t->op == HO_B;

	switch (w->broken) {
	case HO_BREAK_PAIR: /* the vault gives C the pair that B has got */
		if (w->card[0].pair_of[2] || here)
			forge(w, HO_M, HO_C, XCHG_KP,
			      (const char *[]){ iccid, "2", "2", "000102030405060708090a0b0c0d0e0f" });
		break;
	case HO_BREAK_LIE: /* B says "confirmed" of a card that is in its trial */
		if (t->state == SIM_SUB_TRIAL)
			forge(w, HO_B, HO_A, XCHG_CF,
			      (const char *[]){ iccid, imsi, "2", "confirmed", "E6", now, "", "" });
		break;
	case HO_BREAK_LIST: /* A tells an end a second time */
		if (here && o->n_il && o->il[0].back)
			forge(w, HO_A, HO_B, XCHG_HL3B,
			      (const char *[]){ iccid, o->il[0].imsi, "2", "2", "done", "E6", now });
		break;
	case HO_BREAK_SEQ:
		if (w->said_at[HO_A][HO_B][1])
			forge_as(w, HO_A, HO_B, 1, XCHG_PL, (const char *[]){ iccid, imsi, "1", "1", "1", "m2m-sub" });
		break;
	case HO_BREAK_SQN: /* A hands over an SQN that is below the one it has handed over before */
		if (here && w->card[0].sqn)
			forge(w, HO_A, HO_B, XCHG_HL3A,
			      (const char *[]){ iccid, imsi, "provisional", "staged", "E4", now, "m2m-sub", "", "", "0",
						"000102030405060708090a0b0c0d0e0f" });
		break;
	default:
		break;
	}
}

void ho_break_step(struct ho *w)
{
	struct sim_world_card t;

	if (w->did_break || !w->n_orders)
		return;
	sim_world_card(w->sim, 0, &t);
	break_words(w, &t);
	switch (w->broken) {
	case HO_BREAK_REKEY_EARLY:
	case HO_BREAK_OLD_K:
		ho_change_break(w);
		break;
	case HO_BREAK_NUMBER:
		ho_number_break(w);
		break;
	case HO_BREAK_ARM_EARLY: { /* the register has forgotten everybody while A is about to arm */
		char imsi[SIM_IMSI_LEN];

		for (unsigned i = 1; i <= w->d.cards; i++) {
			snprintf(imsi, sizeof(imsi), "0010250000%05u", i % 100000);
			if (t.state == SIM_SUB_STAGED)
				hlr_forget(w, HO_B, imsi);
		}
		break;
	}
	case HO_BREAK_PURGE_EARLY:
		w->did_break = t.state == SIM_SUB_TRIAL;
		if (w->did_break) {
			ho_check_remove(w, HO_A, w->order[0].imsi_old[0]);
			hlr_forget(w, HO_A, w->order[0].imsi_old[0]);
		}
		break;
	case HO_BREAK_REPORT:
		w->did_break = w->ended_ms && t.imsi_stored[4] == '2';
		if (w->did_break)
			hlr_forget(w, HO_B, t.imsi_stored);
		break;
	case HO_BREAK_F13:
	case HO_BREAK_FORGET_B:
		w->did_break = w->ended_ms && t.state == SIM_SUB_CONFIRMED;
		if (w->did_break)
			hlr_forget(w, HO_B, t.imsi_stored);
		break;
	case HO_BREAK_TWICE:
		w->did_break = t.state == SIM_SUB_CONFIRMED;
		if (w->did_break)
			sim_world_fleet(w->sim)->cards[0].sub->moves_max = 2;
		break;
	case HO_BREAK_KEYS_EARLY:
		w->did_break = true;
		for (unsigned i = 1; i <= w->d.cards; i++) {
			char text[100], reply[SIM_HLR_REPLY_MAX];

			snprintf(text, sizeof(text), "SET 1 subscriber.create 0010250000%05u", i % 100000);
			sim_hlr_ctrl(sim_world_hlr(w->sim, HO_B), text, reply);
		}
		break;
	case HO_BREAK_MUTE:
		w->did_break = true;
		sim_air_cover(sim_world_air(w->sim), 0, SIM_COVERAGE_ABSENT, w->now_ms);
		break;
	case HO_BREAK_PRESENT: /* somebody says of a card at B that it is at A */
		if (w->card[0].moved_ms && w->p[HO_A].link &&
		    w->now_ms > w->card[0].moved_ms + (1 + w->forged) * 2 * HO_HOUR) {
			struct sim_addr from = { .ton = 1, .npi = 1 };

			w->forged++;
			snprintf(from.digits, sizeof(from.digits), "%s", sim_world_fleet(w->sim)->cards[0].msisdn);
			ho_link_alert(w->p[HO_A].link, &from);
		}
		break;
	case HO_BREAK_COUNTERS: /* A's database of the time of STAGE is put back, and nobody tells it so */
		if (!w->backup && t.state == SIM_SUB_STAGED && w->p[HO_A].store)
			w->backup = store_mem_disk_copy(w->p[HO_A].disk);
		w->did_break = w->backup && t.state == SIM_SUB_ARMED;
		if (w->did_break) {
			ho_party_restore(&w->p[HO_A], w->backup);
			w->p[HO_A].epoch = HO_EPOCH;
			w->p[HO_A].restored = false;
			w->backup = NULL;
		}
		break;
	default:
		break;
	}
}

/* What a gateway has sent, or a card has not refused: as the judge of a case would find it. */
void ho_break_evidence(struct ho *w)
{
	struct ho_card *c = &w->card[0];

	switch (w->broken) {
	case HO_BREAK_ANEW:
	case HO_BREAK_WASTED:
		for (unsigned i = 0, n = c->n_sent; i < n && c->n_sent < HO_SENT_MAX; i++)
			if (w->broken == HO_BREAK_ANEW ? c->sent[i].ins == HO_INS_STAGE : c->sent[i].op == HO_B)
				for (unsigned k = 0; k < 4 && c->n_sent < HO_SENT_MAX; k++)
					c->sent[c->n_sent++] = c->sent[i];
		break;
	case HO_BREAK_BELOW:
		for (unsigned i = 0; i < c->n_sent; i++)
			c->sent[i].cntr += c->sent[i].op == HO_B ? 1u << 20 : 0;
		break;
	case HO_BREAK_HEEDED:
		w->injected++;
		break;
	default:
		break;
	}
}
