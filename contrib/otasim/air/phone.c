/* phone.c - what the phone of a card with the subscription applet does by itself: polls, refreshes, registers.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The applet counts powered time by the phone's polls, asks it for REFRESH, and takes its word that a network has let it
 * in (contrib/doc/card-interface.md, 6.2, 6.4, 6.5).  A card without the applet has no need of a phone, and none of this
 * concerns it.
 */
#include "air_int.h"

#include <string.h>

#define FID_LOCI 0x6f7e
#define FID_AD	 0x6fad
#define LOCI_LEN 11

/* TS 31.102, 4.2.17: octet 11. */
enum { UPDATED = 0, PLMN_NOT_ALLOWED = 2 };

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

/* Where the phone is: the network laid down for it, else its home, which EF_AD helps to tell (4.2.18). */
static void plmn_here(const struct sim_card *c, const struct sim_net *net, uint8_t out[3])
{
	const char *digits = c->imsi_presented;
	const uint8_t *ad;
	size_t len, n;

	ad = sim_card_file(c, FID_AD, &len);
	n = ad && len >= 4 && (ad[3] & 0x0f) == 3 ? 6 : 5;
	if (net && net->plmn[0]) {
		digits = net->plmn;
		n = strlen(net->plmn);
	}
	plmn_put(out, digits, n);
}

/* Does the network that has this card's keys believe it? */
static bool authenticated(struct phone *ph, struct sim_card *c)
{
	struct sim_challenge ch;
	struct sim_auth answer;
	uint8_t rand[16];

	for (size_t i = 0; i < sizeof(rand); i += 8) {
		uint64_t v = sim_rng_next(&ph->rng);

		memcpy(rand + i, &v, 8);
	}
	return sim_sub_challenge(c, rand, &ch) == 0 &&
	       sim_card_authenticate(c, ch.rand, ch.autn, &answer) == SIM_AUTH_OK &&
	       !memcmp(answer.res, ch.xres, sizeof(ch.xres));
}

/* The location update: its outcome stands in EF_LOCI, which is how the card learns of it. */
bool phone_register(struct phone *ph, struct sim_card *c, const struct sim_net *nets)
{
	static const uint16_t path[1] = { FID_LOCI };
	const struct sim_net *net = phone_net(nets, c->imsi_presented);
	enum sim_net_how how = net ? net->how : SIM_NET_SERVES;
	uint8_t loci[LOCI_LEN];
	uint64_t tmsi = sim_rng_next(&ph->rng);
	bool ok;

	if (strlen(c->imsi_presented) < 6)
		return false;
	ok = how != SIM_NET_UNKNOWN && authenticated(ph, c) && how == SIM_NET_SERVES;
	memset(loci, 0xff, sizeof(loci));
	loci[7] = 0x00;
	loci[8] = ok ? 0x01 : 0x00;
	loci[10] = ok ? UPDATED : PLMN_NOT_ALLOWED;
	if (ok) {
		memcpy(loci, &tmsi, 4);
		plmn_here(c, net, loci + 4);
	}
	return sim_card_me_update(c, path, 1, loci, sizeof(loci)) == 0 && ok;
}

/* A poll: so much more powered time. */
void phone_poll(struct phone *ph, struct sim_card *c, int64_t now_ms)
{
	int64_t ms = now_ms - ph->since_ms;

	if (ms > 0)
		sim_card_powered(c, ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms);
	ph->since_ms = now_ms;
}
