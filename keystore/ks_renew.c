/* ks_renew.c - new keys for a card that is ours: made at random, and wrapped under a KIK that the card has.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Clear keys stand in the locked arena alone; what leaves is AES key wrap with padding and check values (card interface, 5.2, 5.3).
 */
#include <string.h>

#include "ks_int.h"

int ks_sub_renew(struct ks *ks, const char *iccid, uint16_t index, const uint8_t *was, unsigned parts,
		 uint8_t out[KS_SUB_LEN])
{
	struct ks_sub_spec spec = { .index = index, .aka = KS_AKA_MILENAGE, .sqn = 1 };
	struct ks_room room = ks_room(ks);
	uint8_t *k = room.plain, *opc = room.plain + KS_AKA_KEY_LEN;
	int rc = was ? ks_sub_open(ks, iccid, was, KS_SUB_LEN, &spec, room.plain) : 0;

	if (!was)
		parts = KS_SUB_K | KS_SUB_OPC;
	if (!rc && (spec.index != index || spec.aka != KS_AKA_MILENAGE))
		rc = KS_E_POLICY;
	if (!rc && parts & KS_SUB_K && ks_random(ks, k, KS_AKA_KEY_LEN))
		rc = KS_E_CRYPTO;
	if (!rc && parts & KS_SUB_OPC && ks_random(ks, opc, KS_AKA_KEY_LEN))
		rc = KS_E_CRYPTO;
	if (!rc)
		rc = ks_sub_seal(ks, iccid, &spec, room.plain, out);
	ks_wipe(room.plain, 2 * KS_AKA_KEY_LEN);
	return rc;
}

/* The key that wraps, of a loaded set; KSC_NONE: it has none that may. */
static enum ksc_kind kik_of(struct ks *ks, uint32_t set, const uint8_t **kik, const char **iccid)
{
	const struct ks_keyset *k = ks_set_of(ks, set, iccid);
	const int at = KS_KEY_KIK - KS_KEY_KIC;

	if (!k || k->spec.kic_alg != OTA_ALG_AES_CBC)
		return KSC_NONE;
	*kik = k->key[at];
	return ks_kind(OTA_ALG_AES_CBC, k->len[at]);
}

static int told(struct ks *ks, int rc)
{
	struct ks_stats *st = ks_room(ks).st;

	if (rc < 0)
		st->refused++;
	else
		st->wraps++;
	return rc;
}

int ks_sub_wrap(struct ks *ks, uint32_t to, const uint8_t sub[KS_SUB_LEN], enum ks_sub_part part,
		uint8_t out[KS_SUB_WRAPPED], uint8_t kcv[KS_KCV_LEN])
{
	struct ks_room room = ks_room(ks);
	const uint8_t *kik = NULL, *key = room.plain + (part == KS_SUB_OPC ? KS_AKA_KEY_LEN : 0);
	const char *iccid = NULL;
	enum ksc_kind kind = kik_of(ks, to, &kik, &iccid);
	struct ks_sub_spec spec;
	size_t len = 0;
	int rc = !iccid ? KS_E_REF : kind == KSC_NONE ? KS_E_POLICY : 0;

	memset(out, 0, KS_SUB_WRAPPED);
	if (!rc)
		rc = ks_sub_open(ks, iccid, sub, KS_SUB_LEN, &spec, room.plain);
	if (!rc)
		rc = ksc_kwp_card(kind, kik, key, KS_AKA_KEY_LEN, out, &len);
	if (!rc && len != KS_SUB_WRAPPED)
		rc = KS_E_CRYPTO;
	if (!rc)
		rc = ksc_kcv(KSC_AES128, key, kcv);
	ks_wipe(room.plain, 2 * KS_AKA_KEY_LEN);
	return told(ks, rc);
}

int ks_set_wrap(struct ks *ks, uint32_t to, uint32_t from, uint8_t out[KS_SET_WRAPPED_MAX], uint8_t kcv[3 * KS_KCV_LEN])
{
	struct ks_room room = ks_room(ks);
	const uint8_t *kik = NULL;
	const char *iccid = NULL, *whose = NULL;
	enum ksc_kind kind = kik_of(ks, to, &kik, &iccid);
	const struct ks_keyset *set = ks_set_of(ks, from, &whose);
	size_t n = set ? set->len[0] : 0, len = 0;
	int rc = !iccid || !whose ? KS_E_REF : kind == KSC_NONE || strcmp(iccid, whose) != 0 ? KS_E_POLICY : 0;

	if (!rc && (!ks_kind(OTA_ALG_AES_CBC, n) || set->len[1] != n || set->len[2] != n ||
		    set->spec.kic_alg != OTA_ALG_AES_CBC || set->spec.kid_alg != OTA_ALG_AES_CBC))
		rc = KS_E_KEYLEN;
	for (unsigned i = 0; i < KS_KEYS && !rc; i++) {
		memcpy(room.plain + i * n, set->key[i], n);
		rc = ksc_kcv(ks_kind(OTA_ALG_AES_CBC, n), set->key[i], kcv + i * KS_KCV_LEN);
	}
	if (!rc)
		rc = ksc_kwp_card(kind, kik, room.plain, KS_KEYS * n, out, &len);
	ks_wipe(room.plain, (size_t)KS_KEYS * KS_KEY_MAX);
	return told(ks, rc ? rc : (int)len);
}
