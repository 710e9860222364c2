/* card.c - identity of a virtual card, and SMS-PP download up to the whole command packet.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "ota/rd.h"

#include "card_int.h"
#include "card_sub_int.h"

/* TS 23.040, 9.2.3.24 and TS 31.115, 4.3 */
#define IEI_CONCAT_8  0x00
#define IEI_CONCAT_16 0x08
#define IEI_CPI	      0x70

#define ICCID_DIGITS  18 /* before the check digit */
#define IMSI_DIGITS   15
#define MSISDN_DIGITS 13
#define SERIAL_MAX    100000000u /* 8 digits: more cards than anyone simulates */

void sim_card_profile_default(struct sim_card_profile *p)
{
	*p = (struct sim_card_profile){
		.alg = SIM_ALG_3DES2,
		.mac_len = 8,
		.kvn = 1,
		.msl = 0x16,
		.tars = 2,
		.tar = { { 0xb0, 0x00, 0x11 }, { 0xb0, 0x00, 0x10 } },
		.iccid_prefix = "8988211",
		.imsi_prefix = "00102",
		.msisdn_prefix = "88299",
		.segments_max = SIM_SEGMENTS_MAX,
	};
}

char sim_luhn(const char *digits, size_t n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned d = (unsigned)(digits[n - 1 - i] - '0');

		if (i % 2 == 0)
			d = d < 5 ? 2 * d : 2 * d - 9;
		sum += d;
	}
	return (char)('0' + (10 - sum % 10) % 10);
}

static uint64_t mix(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void key_draw(uint64_t *s, enum sim_alg alg, uint8_t key[SIM_KEY_MAX])
{
	do {
		for (size_t i = 0; i < SIM_KEY_MAX; i += 8) {
			uint64_t v = mix(s);

			memcpy(key + i, &v, 8);
		}
	} while (!memcmp(key, key + 8, 8)); /* equal halves would make 3DES single DES */
	memset(key + sim_alg_key_len(alg), 0, SIM_KEY_MAX - sim_alg_key_len(alg));
}

/* prefix, then n filled with zeros up to `digits` digits. */
static int number(char *out, size_t cap, const char *prefix, uint64_t n, size_t digits)
{
	size_t plen = strlen(prefix);

	if (plen + 8 > digits || digits >= cap || strspn(prefix, "0123456789") != plen)
		return -1;
	return snprintf(out, cap, "%s%0*llu", prefix, (int)(digits - plen), (unsigned long long)n) == (int)digits ? 0 :
														    -1;
}

static bool profile_ok(const struct sim_card_profile *p)
{
	if (sim_alg_key_len(p->alg) == 0 || p->kvn < 1 || p->kvn > 15 || p->cntr > SIM_CNTR_MAX)
		return false;
	if (p->mac_len != 8 && !(p->mac_len == 4 && p->alg >= SIM_ALG_AES128))
		return false;
	return p->tars >= 1 && p->tars <= SIM_TARS_MAX && p->segments_max >= 1 && p->segments_max <= SIM_SEGMENTS_MAX;
}

int sim_card_init(struct sim_card *c, uint64_t seed, uint32_t index, const struct sim_card_profile *p)
{
	uint64_t s = seed, serial = index;
	struct sim_keyset *ks;

	memset(c, 0, sizeof(*c));
	if (!profile_ok(p) || index >= SERIAL_MAX - 1)
		return -1;
	c->profile = *p;
	c->index = index;
	if (strlen(p->iccid_prefix) + 11 <= ICCID_DIGITS)
		serial += seed % 1000 * SERIAL_MAX; /* fleets of different seeds are different cards */
	if (number(c->iccid, sizeof(c->iccid), p->iccid_prefix, serial, ICCID_DIGITS) < 0 ||
	    number(c->imsi_first, sizeof(c->imsi_first), p->imsi_prefix, index + 1, IMSI_DIGITS) < 0 ||
	    number(c->msisdn, sizeof(c->msisdn), p->msisdn_prefix, index + 1, MSISDN_DIGITS) < 0)
		return -1;
	c->iccid[ICCID_DIGITS] = sim_luhn(c->iccid, ICCID_DIGITS);
	c->iccid[ICCID_DIGITS + 1] = '\0';
	memcpy(c->imsi_presented, c->imsi_first, sizeof(c->imsi_presented));

	s = mix(&s) ^ (uint64_t)index * 0xd1342543de82ef95u;
	ks = &c->ks[0];
	ks->kvn = p->kvn;
	ks->mac_len = p->mac_len;
	ks->kic_alg = ks->kid_alg = p->alg;
	ks->cntr = p->cntr;
	key_draw(&s, p->alg, ks->kic);
	key_draw(&s, p->alg, ks->kid);
	key_draw(&s, p->alg, ks->kik);
	sim_fs_init(c);
	return 0;
}

void sim_card_refresh(struct sim_card *c)
{
	if (c->sub)
		sim_sub_start(c);
	if (c->sub && c->sub->dead)
		return; /* power failed again: nothing is presented */
	sim_fs_imsi(c, c->imsi_presented);
}

void sim_card_reset(struct sim_card *c)
{
	memset(c->concat, 0, sizeof(c->concat));
	sim_card_refresh(c);
}

void sim_card_truth(const struct sim_card *c, struct sim_card_truth *out)
{
	*out = c->truth;
	memcpy(out->iccid, c->iccid, sizeof(out->iccid));
	memcpy(out->imsi_presented, c->imsi_presented, sizeof(out->imsi_presented));
	sim_fs_imsi(c, out->imsi_stored);
}

/* What the user data header says; the IEs may stand in any order. */
struct udh {
	bool cpi, concat, wide;
	uint16_t ref;
	uint8_t max, seq;
};

static bool udh_parse(struct rd *in, struct udh *u)
{
	struct rd h = rd_sub(in, rd_u8(in));

	*u = (struct udh){ 0 };
	while (rd_left(&h)) {
		uint8_t iei = rd_u8(&h), len = rd_u8(&h);
		struct rd ie = rd_sub(&h, len);

		if (iei == IEI_CPI) {
			u->cpi = true;
		} else if (iei == IEI_CONCAT_8 || iei == IEI_CONCAT_16) {
			u->concat = true;
			u->wide = iei == IEI_CONCAT_16;
			u->ref = (uint16_t)rd_be(&ie, u->wide ? 2 : 1);
			u->max = rd_u8(&ie);
			u->seq = rd_u8(&ie);
			if (ie.bad)
				return false;
		}
		if (h.bad)
			return false;
	}
	if (u->concat && (u->seq == 0 || u->seq > u->max))
		return false;
	return !in->bad;
}

static struct sim_concat *concat_slot(struct sim_card *c, const struct udh *u, const struct sim_addr *oa)
{
	struct sim_concat *oldest = &c->concat[0];

	for (int i = 0; i < SIM_CONCAT_SLOTS; i++) {
		struct sim_concat *s = &c->concat[i];

		if (s->used && s->wide == u->wide && s->ref == u->ref && s->max == u->max && s->oa.ton == oa->ton &&
		    s->oa.npi == oa->npi && !strcmp(s->oa.digits, oa->digits))
			return s;
		if (!s->used || (oldest->used && s->age < oldest->age))
			oldest = s;
	}
	memset(oldest, 0, sizeof(*oldest));
	oldest->used = true;
	oldest->wide = u->wide;
	oldest->ref = u->ref;
	oldest->max = u->max;
	oldest->oa = *oa;
	return oldest;
}

static void segment(struct sim_card *c, const struct udh *u, const struct sim_addr *oa, struct rd *body,
		    struct sim_card_out *out)
{
	uint8_t pkt[PACKET_MAX];
	struct sim_concat *s;
	size_t n = rd_left(body), len = 0;

	if (u->max > c->profile.segments_max) {
		if (u->cpi)
			sim_packet_too_long(c, oa, body->p, n, out);
		return;
	}
	s = concat_slot(c, u, oa);
	s->age = c->messages;
	if (n > sizeof(s->seg[0])) {
		out->sw = 0x6f00;
		return;
	}
	if (u->cpi)
		s->cpi_seq = u->seq;
	s->have |= (uint8_t)(1u << (u->seq - 1));
	s->len[u->seq - 1] = (uint8_t)n;
	if (n)
		memcpy(s->seg[u->seq - 1], body->p, n);
	if (s->have != (1u << s->max) - 1)
		return;
	for (int i = 0; i < s->max; i++) {
		memcpy(pkt + len, s->seg[i], s->len[i]);
		len += s->len[i];
	}
	s->used = false;
	if (s->cpi_seq == 1) /* the command packet indicator belongs to the first segment */
		sim_packet(c, oa, pkt, len, out);
}

void sim_card_sms_pp(struct sim_card *c, const struct sim_addr *oa, const uint8_t *ud, size_t len,
		     struct sim_card_out *out)
{
	static const struct sim_addr nobody;
	struct rd in = rd_init(ud, len);
	struct udh u;

	*out = (struct sim_card_out){ .sw = 0x9000, .status = -1 };
	if (c->sub && c->sub->dead)
		return;
	if (!oa)
		oa = &nobody;
	c->messages++;
	if (len > SIM_UD_MAX || !udh_parse(&in, &u)) {
		out->sw = 0x6f00;
		return;
	}
	if (u.concat)
		segment(c, &u, oa, &in, out);
	else if (u.cpi)
		sim_packet(c, oa, in.p, rd_left(&in), out);
	else
		out->sw = 0x6f00; /* not a command packet */
	if (c->sub && c->sub->dead)
		*out = (struct sim_card_out){ .sw = 0x6f00, .status = -1 }; /* power failed: nothing came out */
	else if (sim_card_refresh_wanted(c) && out->accepted) {
		out->refresh = true;
		out->sw = 0x9120;
	}
}
