/* usim.c - what a phone does with its card: location, SMS-PP download, and what a tester does to keys.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "usim.h"

#include <string.h>

#define FID_LOCI	0x6f7e
#define LOCI_LEN	11
#define TMSI_NONE	0xffffffffu
#define TMSI_TIME	0xff
#define FCS_CARD_BUSY	0xd4 /* TS 23.040, 9.2.3.22 */
#define FCS_CARD_FAILED 0xd5
#define SQN_IND_MASK	(SIM_SQN_INDS - 1)

struct loci usim_loci(const struct sim_card *c)
{
	struct loci l = { .status = LOCI_NOT_UPDATED };
	size_t len = 0;
	const uint8_t *file = sim_card_file(c, FID_LOCI, &len);
	struct rd r = rd_init(file, file && len >= LOCI_LEN ? LOCI_LEN : 0);

	l.tmsi = (uint32_t)rd_be(&r, 4);
	l.lai.known = plmn_read(&r, &l.lai.plmn);
	l.lai.lac = (uint16_t)rd_be(&r, 2);
	rd_u8(&r); /* TMSI time */
	l.status = rd_u8(&r) & 0x07;
	if (r.bad)
		return (struct loci){ .status = LOCI_NOT_UPDATED };
	/* A TMSI without its location area means nothing, and LAC 0000 and FFFE none (TS 23.003, 4.1). */
	l.lai.known = l.lai.known && l.lai.lac != 0 && l.lai.lac != 0xfffe;
	l.has_tmsi = l.lai.known && l.tmsi != TMSI_NONE;
	return l;
}

void usim_loci_write(struct sim_card *c, const struct loci *l)
{
	static const uint16_t path[1] = { FID_LOCI };
	uint8_t b[LOCI_LEN];
	struct wr w = wr_init(b, sizeof(b));

	wr_be(&w, l->has_tmsi ? l->tmsi : TMSI_NONE, 4);
	if (l->lai.known)
		plmn_write(&w, &l->lai.plmn);
	else
		wr_fill(&w, 0xff, 3);
	wr_be(&w, l->lai.known ? l->lai.lac : 0, 2);
	wr_u8(&w, TMSI_TIME);
	wr_u8(&w, l->status);
	sim_card_me_update(c, path, 1, b, sizeof(b));
}

void usim_download(struct sim_card *c, const struct sms_deliver *d, struct sim_card_out *out, struct usim_answer *a)
{
	struct wr w = wr_init(a->tpdu, sizeof(a->tpdu));
	uint8_t fcs = 0;

	sim_card_sms_pp(c, &d->oa, d->ud, d->ud_len, out);
	if (out->sw == 0x9300)
		fcs = FCS_CARD_BUSY;
	else if (out->sw != 0x9000 && out->sw >> 8 != 0x91)
		fcs = FCS_CARD_FAILED;
	a->rp_cause = fcs ? RP_CAUSE_PROTOCOL : 0;
	if (out->report_len || fcs)
		sms_deliver_report(&w, fcs, d->pid, d->dcs, out->report, out->report_len);
	a->len = w.bad ? 0 : (uint8_t)wr_len(&w);
}

/* ---- faults ---- */

static struct sim_pair *pair_at(struct sim_card *c, unsigned index)
{
	const struct sim_sub_rec *r = sim_sub_rec(c->sub);

	for (int i = 0; i < SIM_PAIRS_MAX; i++) {
		if (r->place[i] && r->place[i] == (index ? index : r->index))
			return &c->sub->nvm.pair[i];
	}
	return NULL;
}

bool usim_wrong_k(struct sim_card *c, unsigned index)
{
	struct sim_pair *p = c->sub ? pair_at(c, index) : NULL;
	uint8_t *k = p ? p->k : !c->sub && c->usim && index <= 1 ? c->usim->k : NULL;

	if (!k)
		return false;
	k[0] ^= 0xff;
	return true;
}

bool usim_sqn(struct sim_card *c, uint64_t sqn)
{
	struct sim_pair *p = c->sub ? pair_at(c, 0) : NULL;
	uint64_t *seq = p ? p->seq : c->usim ? c->usim->seq : NULL;

	if (!seq || sqn >> 48)
		return false;
	seq[sqn & SQN_IND_MASK] = sqn / SIM_SQN_INDS;
	return true;
}
