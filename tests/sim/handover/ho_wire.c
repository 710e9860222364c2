/* ho_wire.c - what goes over the air to cards, read with the cards' own keys: counters, and what a gateway may send after ARM.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Reads each command packet as the card would (TS 102 225, 5.1), with otasim's ciphers and the keys that were put into the card;
 * shares nothing with the gateway.  A packet under keys that are not known here (changed later on) is counted and not judged.
 */
#include <stdlib.h>
#include <string.h>

#include "card/card_int.h"
#include "ho.h"

#define HEAD	   10 /* CPL CHL SPI KIc KID TAR */
#define CLEAR_CC   16 /* octets before RC/CC */
#define CC	   8
#define SUB_CLA	   0x80
#define LATE_MS	   HO_HOUR /* so long a card may have moved before everybody must know */
#define INS_ADV	   0x38
#define INS_UPDATE 0xd6 /* UPDATE BINARY: a plain card's write has one of EF_IMSI */
#define INS_READ   0xb0
#define STALE_MAX  4

/* The card's keys are snapshotted: a card forgets pairs that are behind it. */
void ho_wire_keys(struct ho *w)
{
	for (unsigned i = 0; i < w->d.cards; i++) {
		const struct sim_sub *s = sim_world_fleet(w->sim)->cards[i].sub;
		struct ho_card *c = &w->card[i];

		if (!s) { /* a plain card: one keyset for ever */
			const struct sim_keyset *k = &sim_world_fleet(w->sim)->cards[i].ks[0];
			struct ho_key *key = &c->key[c->n_keys++];

			key->index = 1;
			key->ota.len = (uint8_t)sim_alg_key_len(k->kic_alg);
			memcpy(key->ota.kic, k->kic, sizeof(k->kic));
			memcpy(key->ota.kid, k->kid, sizeof(k->kid));
		}
		for (unsigned p = 0; s && p < SIM_PAIRS_MAX; p++)
			if (sim_sub_rec(s)->place[p] && c->n_keys < HO_KEYS_MAX)
				c->key[c->n_keys++] =
					(struct ho_key){ .index = sim_sub_rec(s)->place[p], .ota = s->nvm.pair[p].ota };
	}
}

/* ---- reading ---- */

static bool opens(const struct ho_key *k, const uint8_t *pkt, size_t len, uint8_t *clear)
{
	uint8_t in[HO_PACKET_MAX], cc[CC];
	size_t n = len - HEAD;

	memcpy(clear, pkt, len);
	if (n < 6 + CC || n % sim_block(SIM_ALG_AES128) ||
	    sim_cbc(SIM_ALG_AES128, k->ota.kic, false, clear + HEAD, n) < 0)
		return false;
	memcpy(in, clear, CLEAR_CC);
	memcpy(in + CLEAR_CC, clear + CLEAR_CC + CC, len - CLEAR_CC - CC);
	return sim_cc(SIM_ALG_AES128, k->ota.kid, in, len - CC, cc, CC) >= 0 && !memcmp(cc, clear + CLEAR_CC, CC);
}

/* The last instruction of a compact script: several blocks of one command, or one command alone.  Of a plain card whether it writes. */
static uint8_t last_ins(const uint8_t *p, size_t len)
{
	uint8_t ins = 0;

	while (len >= 5) {
		size_t n = p[0] != SUB_CLA && p[1] == INS_READ ? 5 : 5u + p[4]; /* P3 of a READ is Le */

		if (p[0] == SUB_CLA)
			ins = p[1];
		else if (ins != INS_UPDATE)
			ins = p[1] == INS_UPDATE ? INS_UPDATE : 0;
		if (n > len)
			return 0;
		p += n;
		len -= n;
	}
	return ins;
}

static void packet_read(struct ho *w, unsigned card, struct ho_packet *k)
{
	uint8_t clear[HO_PACKET_MAX];

	k->kvn = k->len > 6 ? k->octets[5] >> 4 : 0;
	for (unsigned i = 0; i < w->card[card].n_keys && k->len > HEAD; i++) {
		const struct ho_key *key = &w->card[card].key[i];

		if (!opens(key, k->octets, k->len, clear))
			continue;
		k->index = key->index;
		for (int b = 0; b < 5; b++)
			k->cntr = k->cntr << 8 | clear[HEAD + b];
		k->ins = last_ins(clear + CLEAR_CC + CC, k->len - CLEAR_CC - CC - clear[HEAD + 5]);
		return;
	}
}

/* ---- writing: for those who send what no gateway would ---- */

size_t ho_wire_seal(struct ho *w, unsigned card, unsigned index, uint64_t cntr, const uint8_t *script, size_t len,
		    uint8_t out[HO_PACKET_MAX])
{
	/* CC, ciphered, counter higher; PoR always, by SMS-SUBMIT, CC and ciphered; AES; the application's TAR */
	static const uint8_t head[] = { 0, 0, 21, 0x16, 0x39, 0, 0, 0xbf, 0xff, 0x3b };
	const size_t block = sim_block(SIM_ALG_AES128), pad = (block - (6 + CC + len) % block) % block;
	const size_t total = HEAD + 6 + CC + len + pad;
	uint8_t in[HO_PACKET_MAX];

	for (unsigned i = 0; i < w->card[card].n_keys; i++) {
		const struct ho_key *k = &w->card[card].key[i];

		if (k->index != index || total > HO_PACKET_MAX)
			continue;
		memcpy(out, head, sizeof(head));
		out[0] = (uint8_t)((total - 2) >> 8);
		out[1] = (uint8_t)(total - 2);
		/* each activation takes the other slot */
		out[5] = out[6] = (uint8_t)((2 - index % 2) << 4 | 2);
		for (int b = 0; b < 5; b++)
			out[HEAD + b] = (uint8_t)(cntr >> (32 - 8 * b));
		out[HEAD + 5] = (uint8_t)pad;
		memcpy(out + CLEAR_CC + CC, script, len);
		memset(out + CLEAR_CC + CC + len, 0, pad);
		memcpy(in, out, CLEAR_CC);
		memcpy(in + CLEAR_CC, out + CLEAR_CC + CC, len + pad);
		if (sim_cc(SIM_ALG_AES128, k->ota.kid, in, CLEAR_CC + len + pad, out + CLEAR_CC, CC) < 0 ||
		    sim_cbc(SIM_ALG_AES128, k->ota.kic, true, out + HEAD, total - HEAD) < 0)
			return 0;
		return total;
	}
	return 0;
}

/* ---- judging ---- */

static struct ho_packet *known(struct ho_card *c, const struct ho_packet *k)
{
	for (unsigned i = 0; i < c->n_sent; i++)
		if (c->sent[i].op == k->op && c->sent[i].len == k->len && !memcmp(c->sent[i].octets, k->octets, k->len))
			return &c->sent[i];
	return NULL;
}

/* Everybody goes up, and nobody takes what another one has taken.  Who has handed over and hears the card at home again goes on above all that
 * the other may have used: his next one may be higher than theirs. */
static void judge_cntr(struct ho *w, unsigned card, const struct ho_packet *k)
{
	const struct ho_card *c = &w->card[card];

	for (unsigned i = 0; i < c->n_sent; i++)
		if (k->index && c->sent[i].index == k->index &&
		    (c->sent[i].op == k->op ? c->sent[i].cntr >= k->cntr : c->sent[i].cntr == k->cntr))
			ho_find(w, "cntr", "card %u: %s sends CNTR %llu under index %u, and %s has sent %llu before",
				card, w->p[k->op].name, (unsigned long long)k->cntr, k->index, w->p[c->sent[i].op].name,
				(unsigned long long)c->sent[i].cntr);
}

static bool arms(uint8_t ins)
{
	return ins == HO_INS_ARM || ins == INS_ADV || ins == INS_UPDATE;
}

/* Who has armed a card sends it nothing fresh until it has been heard on his own network, and then only a question. */
static void judge_after_arm(struct ho *w, unsigned card, const struct ho_packet *k)
{
	const struct ho_card *c = &w->card[card];
	const struct ho_order *o = ho_order_last(w, card);
	int64_t last_ms = -1, armed_ms = -1;
	uint64_t sqn = 0;

	if (!o || !k->index || w->p[k->op].restored) /* whom a backup was put back to does not know, and must ask */
		return;
	if (k->op != o->dst && c->moved_ms && w->now_ms > c->moved_ms + LATE_MS && ho_card_moved(w, card, o->number))
		ho_find(w, "after-arm",
			"card %u is at %s since %.0f s, and %s sends it something new (INS %02x, CNTR %llu)", card,
			w->p[o->dst].name, (double)(w->now_ms - c->moved_ms) / 1000, w->p[k->op].name, k->ins,
			(unsigned long long)k->cntr);
	for (unsigned i = c->order_from; i < c->n_sent; i++) {
		if (c->sent[i].op != k->op)
			continue;
		if (arms(c->sent[i].ins) && armed_ms < 0)
			armed_ms = c->sent[i].first_ms;
		if (c->sent[i].last_ms >= last_ms) {
			last_ms = c->sent[i].last_ms;
			sqn = c->sent[i].sqn;
		}
	}
	/* at home: it holds its new IMSI, and he is its new operator as well */
	if (o->what & CHANGE_IMSI) {
		struct sim_world_card t;

		sim_world_card(w->sim, card, &t);
		if (strcmp(t.imsi_stored, o->imsi_old[card]))
			return;
	}
	if (sim_air_operator(sim_world_air(w->sim), card) == (int)k->op &&
	    sim_card_sqn(&sim_world_fleet(w->sim)->cards[card]) > sqn)
		return;
	if (k->op == o->src && armed_ms >= 0 && c->heard_ms[k->op] < last_ms)
		ho_find(w, "after-arm",
			"card %u was armed at %.3f s and has not been heard at %s since it was last sent "
			"something: INS %02x under a fresh CNTR",
			card, (double)(armed_ms - HO_START_MS) / 1000, w->p[k->op].name, k->ins);
}

static void whole(struct ho *w, unsigned card, const struct ho_packet *k)
{
	struct ho_card *c = &w->card[card];
	struct ho_packet *was = known(c, k);

	if (was) {
		was->times++;
		was->last_ms = w->now_ms;
		was->sqn = sim_card_sqn(&sim_world_fleet(w->sim)->cards[card]);
		was->ref_last = k->ref_last;
		return;
	}
	if (c->n_sent == HO_SENT_MAX) {
		ho_find(w, "spin", "card %u has been sent %d different packets", card, HO_SENT_MAX);
		return;
	}
	if (!c->sent && !(c->sent = calloc(HO_SENT_MAX, sizeof(*c->sent))))
		abort();
	was = &c->sent[c->n_sent];
	*was = *k;
	was->first_ms = was->last_ms = w->now_ms;
	was->times = 1;
	was->sqn = sim_card_sqn(&sim_world_fleet(w->sim)->cards[card]);
	packet_read(w, card, was);
	ho_say(w, "%s sends card %u INS %02x under index %u, CNTR %llu", w->p[k->op].name, card, was->ins, was->index,
	       (unsigned long long)was->cntr);
	judge_cntr(w, card, was);
	judge_after_arm(w, card, was);
	c->n_sent++;
}

/* A segment on its way down.  A gateway sends all segments of a packet before it sends another one to the card. */
void ho_wire_down(struct ho *w, unsigned op, uint32_t card, const struct sim_sm *sm)
{
	struct ho_join *j = &w->card[card].join[op];
	const uint8_t *ie = sm->ud + 1, *body = sm->ud + 1 + sm->ud[0], *end = sm->ud + sm->ud_len;
	unsigned ref = 0, max = 1, seq = 1;

	if (sm->ud_len < 2 || body > end)
		return;
	for (; ie + 2 <= body; ie += 2 + ie[1])
		if (ie[0] == 0x00 && ie[1] == 3) {
			ref = ie[2];
			max = ie[3];
			seq = ie[4];
		} else if (ie[0] == 0x08 && ie[1] == 4) {
			ref = (unsigned)ie[2] << 8 | ie[3];
			max = ie[4];
			seq = ie[5];
		}
	if (seq == 1)
		*j = (struct ho_join){ .next = 1, .k = { .op = op, .ref_first = ref, .ref_last = ref } };
	if (j->next != seq || j->k.ref_first != ref || j->k.len + (size_t)(end - body) > sizeof(j->k.octets))
		return; /* the beginning went by before the gateway died */
	memcpy(j->k.octets + j->k.len, body, (size_t)(end - body));
	j->k.len = (uint16_t)(j->k.len + (end - body));
	j->next++;
	if (seq == max)
		whole(w, card, &j->k);
}

void ho_wire_heard(struct ho *w, unsigned op, uint32_t card)
{
	w->card[card].heard_ms[op] = w->now_ms;
}

void ho_wire_free(struct ho *w)
{
	for (unsigned i = 0; i < HO_CARDS_MAX; i++)
		free(w->card[i].sent);
}
