/* usim_soft.c - files below the MF in which a soft UICC (onomondo-uicc) keeps its keys, PINs and counters.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Layouts as its sources describe them, checked against the contents it is delivered with and against recorded sessions
 * in which K and OPc were changed over the air.
 */
#include <string.h>

#include "ota/codec.h"
#include "ota/rd.h"
#include "ota/usim_lab.h"
#include "ota/wr.h"

#include "codec_int.h"

#define K_LEN	16
#define IS_OP	0x01
#define MSL_MAX 0x1f
#define KVN_MAX 15
#define NONE	0xff

static bool unused(const uint8_t *rec, size_t len)
{
	return alpha_len(rec, len) == 0;
}

int lab_soft_auth_encode(uint8_t ef[LAB_SOFT_AUTH_LEN], const struct lab_soft_auth *a)
{
	memcpy(ef, a->k, K_LEN);
	memcpy(ef + K_LEN, a->op, K_LEN);
	ef[2 * K_LEN] = a->opc ? 0 : IS_OP;
	return LAB_SOFT_AUTH_LEN;
}

int lab_soft_auth_decode(struct lab_soft_auth *a, const uint8_t *ef, size_t len)
{
	int rc = exactly(len, LAB_SOFT_AUTH_LEN);

	memset(a, 0, sizeof(*a));
	if (rc)
		return rc;
	memcpy(a->k, ef, K_LEN);
	memcpy(a->op, ef + K_LEN, K_LEN);
	a->opc = ef[2 * K_LEN] != IS_OP; /* any other value means OPc to the card */
	return 0;
}

int lab_soft_pin_encode(uint8_t rec[LAB_SOFT_PIN_LEN], const struct lab_soft_pin *p)
{
	rec[0] = p->enabled;
	rec[1] = p->max;
	rec[2] = p->left;
	rec[3] = p->puk_max;
	rec[4] = p->puk_left;
	rec[5] = p->ref;
	memcpy(rec + 6, p->pin, sizeof(p->pin));
	memcpy(rec + 14, p->puk, sizeof(p->puk));
	return LAB_SOFT_PIN_LEN;
}

int lab_soft_pin_decode(struct lab_soft_pin *p, const uint8_t *rec, size_t len)
{
	int rc = exactly(len, LAB_SOFT_PIN_LEN);

	memset(p, 0, sizeof(*p));
	if (rc)
		return rc;
	if (rec[0] > 1)
		return OTA_E_RANGE;
	p->enabled = rec[0];
	p->max = rec[1];
	p->left = rec[2];
	p->puk_max = rec[3];
	p->puk_left = rec[4];
	p->ref = rec[5];
	memcpy(p->pin, rec + 6, sizeof(p->pin));
	memcpy(p->puk, rec + 14, sizeof(p->puk));
	return 0;
}

static bool kvn_fits(uint8_t kvn)
{
	return kvn <= KVN_MAX || kvn == LAB_SOFT_NO_KEY;
}

int lab_soft_tar_encode(uint8_t rec[LAB_SOFT_TAR_LEN], const struct lab_soft_tar *t)
{
	if (!t->used) {
		memset(rec, NONE, LAB_SOFT_TAR_LEN);
		return LAB_SOFT_TAR_LEN;
	}
	if (t->msl > MSL_MAX || !kvn_fits(t->kic_kvn) || !kvn_fits(t->kid_kvn))
		return OTA_E_RANGE;
	memcpy(rec, t->tar, sizeof(t->tar));
	rec[3] = t->msl;
	rec[4] = t->kic_kvn;
	rec[5] = t->kid_kvn;
	memcpy(rec + 6, t->kic, K_LEN);
	memcpy(rec + 6 + K_LEN, t->kid, K_LEN);
	return LAB_SOFT_TAR_LEN;
}

int lab_soft_tar_decode(struct lab_soft_tar *t, const uint8_t *rec, size_t len)
{
	int rc = exactly(len, LAB_SOFT_TAR_LEN);

	memset(t, 0, sizeof(*t));
	if (rc)
		return rc;
	if (unused(rec, len))
		return 0;
	if (rec[3] > MSL_MAX || !kvn_fits(rec[4]) || !kvn_fits(rec[5]))
		return OTA_E_RANGE;
	t->used = true;
	memcpy(t->tar, rec, sizeof(t->tar));
	t->msl = rec[3];
	t->kic_kvn = rec[4];
	t->kid_kvn = rec[5];
	memcpy(t->kic, rec + 6, K_LEN);
	memcpy(t->kid, rec + 6 + K_LEN, K_LEN);
	return 0;
}

int lab_soft_count_encode(uint8_t rec[LAB_SOFT_COUNT_LEN], const struct lab_soft_count *c)
{
	if (!c->used) {
		memset(rec, NONE, LAB_SOFT_COUNT_LEN);
		return LAB_SOFT_COUNT_LEN;
	}
	if (c->cntr > OTA_CNTR_MAX)
		return OTA_E_RANGE;
	memcpy(rec, c->tar, sizeof(c->tar));
	memcpy(rec + 3, c->mask, sizeof(c->mask));
	for (int i = 0; i < 5; i++)
		rec[6 + i] = (uint8_t)(c->cntr >> (8 * (4 - i)));
	return LAB_SOFT_COUNT_LEN;
}

int lab_soft_count_decode(struct lab_soft_count *c, const uint8_t *rec, size_t len)
{
	struct rd r = rd_init(rec, len);
	int rc = exactly(len, LAB_SOFT_COUNT_LEN);

	memset(c, 0, sizeof(*c));
	if (rc)
		return rc;
	if (unused(rec, len))
		return 0;
	c->used = true;
	memcpy(c->tar, rd_bytes(&r, sizeof(c->tar)), sizeof(c->tar));
	memcpy(c->mask, rd_bytes(&r, sizeof(c->mask)), sizeof(c->mask));
	c->cntr = rd_be(&r, 5);
	return 0;
}

int lab_soft_seq_encode(uint8_t ef[LAB_SOFT_SEQ_LEN], uint64_t seq)
{
	struct wr w = wr_init(ef, LAB_SOFT_SEQ_LEN);

	wr_be(&w, seq, LAB_SOFT_SEQ_LEN);
	return LAB_SOFT_SEQ_LEN;
}

int lab_soft_seq_decode(uint64_t *seq, const uint8_t *ef, size_t len)
{
	struct rd r = rd_init(ef, len);
	int rc = exactly(len, LAB_SOFT_SEQ_LEN);

	*seq = rc ? 0 : rd_be(&r, LAB_SOFT_SEQ_LEN);
	return rc;
}
