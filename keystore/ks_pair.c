/* ks_pair.c - pairs of a vault: made here, sealed for their index, given to a card maker once; and an OPc that waits for its K.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The OTA keys of a pair are a sealed keyset of the name "ICCID/index" with five digits and key version PAIR_KVN: no card's name has a
 * stroke in it, so such a record opens as no keyset of a card before ks_pair_keyset() has sealed it anew as one.
 *
 * Sealed OPc, KS_OPC_LEN octets: version(1), then the OPc as a record; the tag also covers the name and the version.
 */
#include <string.h>

#include "ks_int.h"

#define PAIR_KVN    1
#define OPC_VERSION 1
#define OPC_LABEL   "otagw opc"
#define INDEX_MAX   65534

_Static_assert(1 + KS_NONCE_LEN + KS_AKA_KEY_LEN + KS_TAG_LEN == KS_OPC_LEN, "no octet is left over");
_Static_assert(KS_SEALED_MAX <= UINT8_MAX, "ks_pair.ota_len");

/* ---- OPc ---- */

static const struct ks_named opc_kind = { OPC_LABEL, OPC_VERSION, KS_AKA_KEY_LEN };

int ks_opc_seal(struct ks *ks, const char *name, const uint8_t opc[KS_AKA_KEY_LEN], uint8_t sealed[KS_OPC_LEN])
{
	return ks_named_seal(ks, &opc_kind, name, opc, sealed);
}

int ks_opc_open(struct ks *ks, const char *name, const uint8_t sealed[KS_OPC_LEN], uint8_t opc[KS_AKA_KEY_LEN])
{
	return ks_named_open(ks, &opc_kind, name, sealed, opc);
}

int ks_opc_make(struct ks *ks, const char *name, uint8_t sealed[KS_OPC_LEN])
{
	return ks_named_make(ks, &opc_kind, name, sealed);
}

int ks_opc_rename(struct ks *ks, const char *from, const char *to, const uint8_t sealed[KS_OPC_LEN],
		  uint8_t out[KS_OPC_LEN])
{
	struct ks_room room = ks_room(ks);
	int rc = ks_opc_open(ks, from, sealed, room.plain);

	if (!rc)
		rc = ks_opc_seal(ks, to, room.plain, out);
	ks_wipe(room.plain, KS_AKA_KEY_LEN);
	return rc;
}

int ks_sub_join(struct ks *ks, const char *iccid, const uint8_t sub[KS_SUB_LEN], const uint8_t opc[KS_OPC_LEN],
		uint8_t out[KS_SUB_LEN])
{
	struct ks_room room = ks_room(ks);
	struct ks_sub_spec spec;
	int rc = ks_sub_open(ks, iccid, sub, KS_SUB_LEN, &spec, room.plain);

	if (!rc)
		rc = ks_opc_open(ks, iccid, opc, room.plain + KS_AKA_KEY_LEN);
	if (!rc)
		rc = ks_sub_seal(ks, iccid, &spec, room.plain, out);
	ks_wipe(room.plain, 2 * KS_AKA_KEY_LEN);
	return rc;
}

int ks_opc_same(struct ks *ks, const char *iccid, const uint8_t sub[KS_SUB_LEN], const uint8_t opc[KS_OPC_LEN])
{
	struct ks_room room = ks_room(ks);
	uint8_t *own = room.plain + KS_AKA_KEY_LEN, *other = own + KS_AKA_KEY_LEN, differ = 0;
	struct ks_sub_spec spec;
	int rc = ks_sub_open(ks, iccid, sub, KS_SUB_LEN, &spec, room.plain);

	if (!rc)
		rc = ks_opc_open(ks, iccid, opc, other);
	for (unsigned i = 0; i < KS_AKA_KEY_LEN; i++)
		differ |= own[i] ^ other[i];
	ks_wipe(room.plain, 3 * KS_AKA_KEY_LEN);
	return rc ? rc : differ ? KS_E_POLICY : 0;
}

/* ---- pairs ---- */

static int pair_name(char name[KS_ICCID_MAX + 1], const char *iccid, uint16_t index)
{
	size_t n = iccid ? strcspn(iccid, "/") : 0;

	if (!n || iccid[n] || n + 6 > KS_ICCID_MAX || !index || index > INDEX_MAX)
		return KS_E_SPEC;
	snprintf(name, KS_ICCID_MAX + 1, "%s/%05u", iccid, index);
	return 0;
}

static int keyset_make(struct ks *ks, const char *name, uint8_t kvn, unsigned key_len, uint8_t sealed[KS_SEALED_MAX])
{
	struct ks_room room = ks_room(ks);
	struct ks_keyset *set = room.set;
	int rc = 0;

	if (!ks_kind(OTA_ALG_AES_CBC, key_len))
		return KS_E_KEYLEN;
	memset(set, 0, sizeof(*set));
	set->spec = (struct ks_keyset_spec){
		.kvn = kvn, .kic_alg = OTA_ALG_AES_CBC, .kid_alg = OTA_ALG_AES_CBC, .cc_len = 8
	};
	for (unsigned i = 0; i < KS_KEYS && !rc; i++) {
		set->len[i] = (uint8_t)key_len;
		rc = ks_random(ks, set->key[i], key_len) ? KS_E_CRYPTO : 0;
	}
	if (!rc)
		rc = ks_spec_check(&set->spec);
	if (!rc)
		rc = ks_keyset_seal(room.c, name, set, room.plain, sealed);
	ks_wipe(set, sizeof(*set));
	return rc;
}

int ks_keyset_make(struct ks *ks, const char *iccid, uint8_t kvn, unsigned key_len, uint8_t sealed[KS_SEALED_MAX])
{
	return keyset_make(ks, iccid, kvn, key_len, sealed);
}

static int sub_make(struct ks *ks, const char *iccid, uint16_t index, uint8_t sealed[KS_SUB_LEN])
{
	static const uint8_t op[16]; /* 0 */
	const struct ks_sub_spec spec = { .index = index, .aka = KS_AKA_MILENAGE, .sqn = 1 };
	struct ks_room room = ks_room(ks);
	uint8_t *opc = room.plain + KS_AKA_KEY_LEN;
	int rc = ks_random(ks, room.plain, KS_AKA_KEY_LEN) ? KS_E_CRYPTO : 0;

	if (!rc)
		rc = ksc_aes128(room.plain, op, opc); /* xor OP, TS 35.206, 8.2 */
	if (!rc)
		rc = ks_sub_seal(ks, iccid, &spec, room.plain, sealed);
	ks_wipe(room.plain, 2 * KS_AKA_KEY_LEN);
	return rc;
}

int ks_pair_make(struct ks *ks, const char *iccid, uint16_t index, unsigned key_len, struct ks_pair *out)
{
	char name[KS_ICCID_MAX + 1];
	int rc = pair_name(name, iccid, index), len;

	memset(out, 0, sizeof(*out));
	if (!rc)
		rc = sub_make(ks, iccid, index, out->sub);
	if (rc)
		return rc;
	len = keyset_make(ks, name, PAIR_KVN, key_len, out->ota);
	out->ota_len = (uint8_t)(len > 0 ? len : 0);
	return len < 0 ? len : 0;
}

int ks_pair_import(struct ks *ks, const char *iccid, uint16_t index, const struct ks_pair_text *t, struct ks_pair *out,
		   char *err, size_t err_cap)
{
	const struct ks_sub_spec spec = { .index = index, .aka = KS_AKA_MILENAGE, .sqn = 1 };
	const struct ks_keyset_spec set = {
		.kvn = PAIR_KVN, .kic_alg = OTA_ALG_AES_CBC, .kid_alg = OTA_ALG_AES_CBC, .cc_len = 8
	};
	char name[KS_ICCID_MAX + 1] = "", *kik = t->kik;
	int rc = pair_name(name, iccid, index), sub, ota;

	memset(out, 0, sizeof(*out));
	if (rc)
		ks_say(err, err_cap, "pair: an ICCID and an index of 1 to %d are needed", INDEX_MAX);
	if (!rc && (!kik || !*kik)) {
		ks_say(err, err_cap, "KIK: none given, and without it nothing can be staged for the card");
		rc = KS_E_KEYLEN;
	}
	/* both, whatever becomes of the first: they wipe the texts */
	sub = ks_sub_import(ks, iccid, &spec, t->k, t->opc, out->sub, rc ? NULL : err, err_cap);
	if (!rc && sub < 0)
		rc = sub;
	ota = ks_keyset_import(ks, name, &set, t->kic, t->kid, t->kik, out->ota, rc ? NULL : err, err_cap);
	if (!rc && ota < 0)
		rc = ota;
	if (rc)
		ks_wipe(out, sizeof(*out));
	else
		out->ota_len = (uint8_t)ota;
	return rc;
}

int ks_pair_keyset(struct ks *ks, const char *iccid, uint16_t index, const struct ks_pair *pair, uint8_t kvn,
		   uint8_t sealed[KS_SEALED_MAX])
{
	struct ks_room room = ks_room(ks);
	char name[KS_ICCID_MAX + 1];
	int rc = pair_name(name, iccid, index);

	if (!rc)
		rc = ks_keyset_open(room.c, name, PAIR_KVN, pair->ota, pair->ota_len, room.plain, room.set);
	if (!rc) {
		room.set->spec.kvn = kvn;
		rc = ks_spec_check(&room.set->spec);
	}
	if (!rc)
		rc = ks_keyset_seal(room.c, iccid, room.set, room.plain, sealed);
	ks_wipe(room.set, sizeof(*room.set));
	return rc;
}

/* ---- to a card maker ---- */

static int hex_put(char *out, int at, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		at += snprintf(out + at, (size_t)(KS_MAKER_TEXT_MAX - at), "%02X", p[i]);
	return at;
}

static int comma_put(char *out, int at)
{
	return at + snprintf(out + at, (size_t)(KS_MAKER_TEXT_MAX - at), ",");
}

static int keyset_put(const struct ks_keyset *set, char *out, int at)
{
	for (unsigned i = 0; i < KS_KEYS; i++) {
		at = comma_put(out, at);
		at = hex_put(out, at, set->key[i], set->len[i]);
	}
	return at;
}

/* name: what the keyset is sealed for.  `at`: behind K and OPc. */
static int emit_keyset(struct ks *ks, const char *name, uint8_t kvn, const uint8_t *sealed, size_t len,
		       char out[KS_MAKER_TEXT_MAX], int at)
{
	struct ks_room room = ks_room(ks);
	int rc = ks_keyset_open(room.c, name, kvn, sealed, len, room.plain, room.set);

	if (!rc) {
		at = keyset_put(room.set, out, at);
		room.st->printed++;
	} else {
		room.st->refused++;
		ks_wipe(out, KS_MAKER_TEXT_MAX);
	}
	ks_wipe(room.set, sizeof(*room.set));
	return rc ? rc : at;
}

int ks_emit_pair(struct ks *ks, const char *iccid, uint16_t index, const struct ks_pair *pair,
		 char out[KS_MAKER_TEXT_MAX])
{
	struct ks_room room = ks_room(ks);
	char name[KS_ICCID_MAX + 1];
	struct ks_sub_spec spec;
	int rc = pair_name(name, iccid, index), at = 0;

	out[0] = '\0';
	if (!rc)
		rc = ks_sub_open(ks, iccid, pair->sub, sizeof(pair->sub), &spec, room.plain);
	if (!rc && spec.index != index)
		rc = KS_E_SEALED;
	if (!rc) {
		at = hex_put(out, at, room.plain, KS_AKA_KEY_LEN);
		at = comma_put(out, at);
		at = hex_put(out, at, room.plain + KS_AKA_KEY_LEN, KS_AKA_KEY_LEN);
	}
	ks_wipe(room.plain, 2 * KS_AKA_KEY_LEN);
	return rc ? rc : emit_keyset(ks, name, PAIR_KVN, pair->ota, pair->ota_len, out, at);
}

int ks_emit_keyset(struct ks *ks, const char *iccid, uint8_t kvn, const uint8_t *sealed, size_t len,
		   char out[KS_MAKER_TEXT_MAX])
{
	out[0] = '\0';
	return emit_keyset(ks, iccid, kvn, sealed, len, out, comma_put(out, 0));
}
