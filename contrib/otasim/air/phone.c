/* phone.c - what a phone does with its card by itself: polls, registers.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The applet counts powered time by the phone's polls, asks it for REFRESH, and takes its word that a network has let it
 * in (contrib/doc/card-interface.md, 6.2, 6.4, 6.5).  Without operators a card that has no applet has no need of a phone, and
 * none of this concerns it; with them every card is let in only where a register has its IMSI and its keys.
 */
#include "air_int.h"

#include <stdio.h>
#include <string.h>

#define FID_LOCI 0x6f7e
#define FID_AD	 0x6fad
#define LOCI_LEN 11

/* TS 31.102, 4.2.17: octet 11. */
enum { UPDATED = 0, NOT_UPDATED = 1, PLMN_NOT_ALLOWED = 2 };

bool sim_net_lay(struct sim_net nets[SIM_NETS_MAX], const struct sim_net *net)
{
	for (unsigned i = 0; i < SIM_NETS_MAX; i++) {
		if (nets[i].imsi_prefix[0] && strcmp(nets[i].imsi_prefix, net->imsi_prefix))
			continue;
		nets[i] = *net;
		return true;
	}
	return false;
}

/* What is laid down for it: the longest prefix. */
static const struct sim_net *phone_net(const struct sim_net *nets, const char *imsi)
{
	const struct sim_net *best = NULL;

	for (unsigned i = 0; i < SIM_NETS_MAX && nets[i].imsi_prefix[0]; i++) {
		size_t n = strlen(nets[i].imsi_prefix);

		if (!strncmp(imsi, nets[i].imsi_prefix, n) && (!best || n > strlen(best->imsi_prefix)))
			best = &nets[i];
	}
	return best;
}

/* TS 24.008, 10.5.1.3 */
static void plmn_put(uint8_t out[3], const char *digits, size_t n)
{
	out[0] = (uint8_t)((digits[1] - '0') << 4 | (digits[0] - '0'));
	out[1] = (uint8_t)((n > 5 ? digits[5] - '0' : 0xf) << 4 | (digits[2] - '0'));
	out[2] = (uint8_t)((digits[4] - '0') << 4 | (digits[3] - '0'));
}

/* Where the phone is: the network laid down for it, the operator's, else its home, which EF_AD helps to tell (4.2.18). */
static void plmn_here(const struct sim_card *c, const struct sim_net *net, const struct sim_air_op *op, uint8_t out[3])
{
	const char *digits = c->imsi_presented;
	const uint8_t *ad;
	size_t len, n;

	ad = sim_card_file(c, FID_AD, &len);
	n = ad && len >= 4 && (ad[3] & 0x0f) == 3 ? 6 : 5;
	if (net && net->plmn[0])
		digits = net->plmn;
	else if (op)
		digits = op->plmn;
	if (digits != c->imsi_presented)
		n = strlen(digits);
	plmn_put(out, digits, n);
}

static void draw_rand(struct phone *ph, uint8_t rand[16])
{
	for (size_t i = 0; i < 16; i += 8) {
		uint64_t v = sim_rng_next(&ph->rng);

		memcpy(rand + i, &v, 8);
	}
}

/* Does the network that has this card's keys believe it? */
static bool authenticated(struct phone *ph, struct sim_card *c)
{
	struct sim_challenge ch;
	struct sim_auth answer;
	uint8_t rand[16];

	draw_rand(ph, rand);
	return sim_sub_challenge(c, rand, &ch) == 0 &&
	       sim_card_authenticate(c, ch.rand, ch.autn, &answer) == SIM_AUTH_OK &&
	       !memcmp(answer.res, ch.xres, sizeof(ch.xres));
}

int phone_home(const struct sim_air_cfg *cfg, const char *imsi)
{
	int best = -1;

	for (unsigned i = 0; i < cfg->ops; i++) {
		size_t n = strlen(cfg->op[i].plmn);

		if (!strncmp(imsi, cfg->op[i].plmn, n) && (best < 0 || n > strlen(cfg->op[best].plmn)))
			best = (int)i;
	}
	return best;
}

/* The next vector: one that was fetched before, or of a batch that is fetched now. */
static enum sim_hlr_end vector_take(struct phone *ph, const struct sim_air_cfg *cfg, const char *imsi,
				    struct sim_hlr *hlr, uint8_t rand[16], struct sim_hlr_vector *v)
{
	const unsigned want = cfg->vectors > 1 ? cfg->vectors : 1;
	enum sim_hlr_end end = SIM_HLR_OK;

	if (strcmp(ph->vectors_of, imsi))
		ph->vectors = 0;
	snprintf(ph->vectors_of, sizeof(ph->vectors_of), "%s", imsi);
	if (!ph->vectors) {
		/* the last one first: they are used in their order from the end */
		for (unsigned i = want; i-- && end == SIM_HLR_OK;) {
			draw_rand(ph, ph->vector[i].rand);
			end = sim_hlr_vector(hlr, imsi, ph->vector[i].rand, &ph->vector[i].v);
		}
		if (end != SIM_HLR_OK)
			return end;
		ph->vectors = want;
	}
	ph->vectors--;
	memcpy(rand, ph->vector[ph->vectors].rand, 16);
	*v = ph->vector[ph->vectors].v;
	return end;
}

/* Does the operator believe it with what its register has?  A card that is ahead of it may say so once (TS 33.102, 6.3.5); what was
 * fetched before that is of no use then. */
static bool believed(struct phone *ph, struct sim_card *c, const struct sim_air_cfg *cfg, struct sim_hlr *hlr,
		     enum sim_hlr_end *end)
{
	struct sim_hlr_vector v;
	struct sim_auth answer;
	uint8_t rand[16];
	bool fetched;

	for (int turn = 0; turn < 3; turn++) {
		fetched = !ph->vectors;
		*end = vector_take(ph, cfg, c->imsi_presented, hlr, rand, &v);
		if (*end != SIM_HLR_OK)
			return false;
		switch (sim_card_authenticate(c, rand, v.autn, &answer)) {
		case SIM_AUTH_OK:
			return !memcmp(answer.res, v.xres, sizeof(v.xres));
		case SIM_AUTH_SYNC:
			ph->vectors = 0;
			if (!sim_hlr_resync(hlr, c->imsi_presented, rand, answer.auts))
				return false;
			break;
		default:
			ph->vectors = 0;
			if (fetched)
				return false;
		}
	}
	return false;
}

/* The outcome of a location update stands in EF_LOCI, which is how the card learns of it. */
static bool loci_write(struct phone *ph, struct sim_card *c, const uint8_t plmn[3], uint8_t status)
{
	static const uint16_t path[1] = { FID_LOCI };
	uint64_t tmsi = sim_rng_next(&ph->rng);
	uint8_t loci[LOCI_LEN];

	memset(loci, 0xff, sizeof(loci));
	loci[7] = 0x00;
	loci[8] = plmn ? 0x01 : 0x00;
	loci[10] = status;
	if (plmn) {
		memcpy(loci, &tmsi, 4);
		memcpy(loci + 4, plmn, 3);
	}
	return sim_card_me_update(c, path, 1, loci, sizeof(loci)) == 0;
}

bool phone_register(struct phone *ph, struct sim_card *c, const struct sim_air_cfg *cfg)
{
	const struct sim_net *net = phone_net(cfg->net, c->imsi_presented);
	enum sim_net_how how = net ? net->how : SIM_NET_SERVES;
	int home = phone_home(cfg, c->imsi_presented);
	const struct sim_air_op *op = home < 0 ? NULL : &cfg->op[home];
	enum sim_hlr_end end = SIM_HLR_UNKNOWN;
	uint8_t plmn[3];
	bool ok;

	if (strlen(c->imsi_presented) < 6)
		return false;
	ok = how != SIM_NET_UNKNOWN;
	if (cfg->ops)
		ok = ok && op && believed(ph, c, cfg, op->hlr, &end) && !(ph->refused_ops >> home & 1);
	else
		ok = ok && authenticated(ph, c);
	if (ok && op && sim_hlr_is_down(op->hlr)) { /* with vectors that its network had */
		ok = false;
		end = SIM_HLR_DOWN;
	}
	if (!ok || how != SIM_NET_SERVES) {
		loci_write(ph, c, NULL, cfg->ops && end == SIM_HLR_DOWN ? NOT_UPDATED : PLMN_NOT_ALLOWED);
		return false;
	}
	plmn_here(c, net, op, plmn);
	if (op) { /* UpdateLocation is done before the phone hears of it (TS 23.012, 4.1.2) */
		char vlr[SIM_HLR_DIGITS_MAX + 1];

		snprintf(vlr, sizeof(vlr), "%s001", op->plmn);
		if (!sim_hlr_locate(op->hlr, c->imsi_presented, vlr))
			return false;
		ph->op = (uint8_t)home;
	}
	return loci_write(ph, c, plmn, UPDATED);
}

/* A poll: so much more powered time. */
void phone_poll(struct phone *ph, struct sim_card *c, int64_t now_ms)
{
	int64_t ms = now_ms - ph->since_ms;

	if (ms > 0)
		sim_card_powered(c, ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms);
	ph->since_ms = now_ms;
}
