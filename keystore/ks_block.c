/* ks_block.c - subscriber keys at rest, and the keys of a card on their way to another keystore.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Sealed subscription, KS_SUB_LEN octets: version(1) algorithm(1) SQN scheme(1) index(2), then K and OPc as a record; the tag
 * also covers the ICCID and these five.
 *
 * Key block before it is wrapped: version(1) length of the ICCID(1) ICCID, then parts: 01 and a subscription (algorithm, SQN scheme,
 * index(2), K, OPc); 02 and a keyset (KVN, CC length, two algorithms, three lengths, the keys); 03 and an OPc; 04, length(1) and a block that
 * is wrapped under a release key; 05 and a release key.
 */
#include <stdlib.h>
#include <string.h>

#include "ota/rd.h"
#include "ota/wr.h"
#include "ks_int.h"

#define SUB_VERSION   1
#define SUB_FIXED     5
#define SUB_LABEL     "otagw subscription"
#define BLOCK_VERSION 1
#define BLOCK_SUB     0x01
#define BLOCK_SET     0x02
#define BLOCK_OPC     0x03
#define BLOCK_LOCKED  0x04
#define BLOCK_RELEASE 0x05
#define BOUND_MAX     (SUB_FIXED + KS_ICCID_MAX)
#define LABEL_MAX     32

_Static_assert(SUB_FIXED + KS_NONCE_LEN + 2 * KS_AKA_KEY_LEN + KS_TAG_LEN == KS_SUB_LEN, "no octet is left over");
_Static_assert(2 + KS_ICCID_MAX + 5 + 2 * KS_AKA_KEY_LEN + KS_BLOCK_SETS_MAX * (8 + KS_KEYS * KS_KEY_MAX) +
			       KS_KWP_MORE <=
		       KS_BLOCK_MAX + 64,
	       "a block has room");

/* ---- records ---- */

static struct ota_span record_aad(uint8_t buf[LABEL_MAX + 64], const char *label, const uint8_t *bound,
				  size_t bound_len)
{
	struct wr w = wr_init(buf, LABEL_MAX + 64);

	wr_bytes(&w, label, strlen(label) + 1);
	wr_bytes(&w, bound, bound_len);
	return (struct ota_span){ buf, w.bad ? 0 : wr_len(&w) };
}

int ks_record_seal(struct ks *ks, const char *label, const uint8_t *bound, size_t bound_len, const uint8_t *text,
		   size_t len, uint8_t *out, size_t *out_len)
{
	uint8_t buf[LABEL_MAX + 64];
	struct ota_span aad = record_aad(buf, label, bound, bound_len);

	*out_len = 0;
	if (!aad.len || ks_random(ks, out, KS_NONCE_LEN))
		return KS_E_CRYPTO;
	*out_len = KS_NONCE_LEN + len + KS_TAG_LEN;
	return ksc_seal(ks_room(ks).c, out, &aad, text, len, out + KS_NONCE_LEN, out + KS_NONCE_LEN + len);
}

int ks_record_open(struct ks *ks, const char *label, const uint8_t *bound, size_t bound_len, const uint8_t *record,
		   size_t len, uint8_t *text, size_t *text_len)
{
	uint8_t buf[LABEL_MAX + 64];
	struct ota_span aad = record_aad(buf, label, bound, bound_len);
	size_t n;
	int rc;

	if (!aad.len || len < KS_NONCE_LEN + KS_TAG_LEN || len - KS_NONCE_LEN - KS_TAG_LEN > *text_len)
		return KS_E_SEALED;
	n = len - KS_NONCE_LEN - KS_TAG_LEN;
	rc = ksc_open(ks_room(ks).c, record, &aad, record + KS_NONCE_LEN, n, record + KS_NONCE_LEN + n, text);
	if (rc)
		ks_wipe(text, n);
	*text_len = rc ? 0 : n;
	return rc;
}

static size_t named_bound(uint8_t bound[1 + KS_ICCID_MAX], uint8_t version, const char *name)
{
	size_t n = name ? strnlen(name, KS_ICCID_MAX + 1) : 0;

	if (!n || n > KS_ICCID_MAX)
		return 0;
	bound[0] = version;
	memcpy(bound + 1, name, n);
	return 1 + n;
}

int ks_named_seal(struct ks *ks, const struct ks_named *kind, const char *name, const uint8_t *secret, uint8_t *sealed)
{
	uint8_t bound[1 + KS_ICCID_MAX];
	size_t n = named_bound(bound, kind->version, name), len;

	sealed[0] = kind->version;
	return n ? ks_record_seal(ks, kind->label, bound, n, secret, kind->len, sealed + 1, &len) : KS_E_SPEC;
}

int ks_named_open(struct ks *ks, const struct ks_named *kind, const char *name, const uint8_t *sealed, uint8_t *secret)
{
	uint8_t bound[1 + KS_ICCID_MAX];
	size_t n = named_bound(bound, sealed[0], name), len = kind->len;

	if (!n || sealed[0] != kind->version)
		return KS_E_SEALED;
	return ks_record_open(ks, kind->label, bound, n, sealed + 1, KS_NONCE_LEN + kind->len + KS_TAG_LEN, secret,
			      &len);
}

int ks_named_make(struct ks *ks, const struct ks_named *kind, const char *name, uint8_t *sealed)
{
	struct ks_room room = ks_room(ks);
	int rc = ks_random(ks, room.plain, kind->len) ? KS_E_CRYPTO : 0;

	if (!rc)
		rc = ks_named_seal(ks, kind, name, room.plain, sealed);
	ks_wipe(room.plain, kind->len);
	return rc;
}

/* ---- subscriptions ---- */

bool ks_sub_spec_ok(const struct ks_sub_spec *s)
{
	return s->index && s->index != 0xffff && (s->aka == KS_AKA_MILENAGE || s->aka == KS_AKA_TEST) && s->sqn == 1;
}

static size_t sub_bound(uint8_t bound[BOUND_MAX], const uint8_t head[SUB_FIXED], const char *iccid)
{
	size_t n = iccid ? strnlen(iccid, KS_ICCID_MAX + 1) : 0;

	if (!n || n > KS_ICCID_MAX)
		return 0;
	memcpy(bound, head, SUB_FIXED);
	memcpy(bound + SUB_FIXED, iccid, n);
	return SUB_FIXED + n;
}

int ks_sub_seal(struct ks *ks, const char *iccid, const struct ks_sub_spec *s, const uint8_t *keys,
		uint8_t sealed[KS_SUB_LEN])
{
	uint8_t bound[BOUND_MAX];
	struct wr w = wr_init(sealed, KS_SUB_LEN);
	size_t n;

	wr_u8(&w, SUB_VERSION);
	wr_u8(&w, s->aka);
	wr_u8(&w, s->sqn);
	wr_be(&w, s->index, 2);
	n = sub_bound(bound, sealed, iccid);
	return n ? ks_record_seal(ks, SUB_LABEL, bound, n, keys, 2 * KS_AKA_KEY_LEN, sealed + SUB_FIXED,
				  &(size_t){ 0 }) :
		   KS_E_SPEC;
}

int ks_sub_open(struct ks *ks, const char *iccid, const uint8_t *sealed, size_t len, struct ks_sub_spec *s,
		uint8_t *keys)
{
	uint8_t bound[BOUND_MAX];
	size_t n = sealed && len == KS_SUB_LEN ? sub_bound(bound, sealed, iccid) : 0, keys_len = 2 * KS_AKA_KEY_LEN;

	if (!n || sealed[0] != SUB_VERSION)
		return KS_E_SEALED;
	*s = (struct ks_sub_spec){ .aka = sealed[1],
				   .sqn = sealed[2],
				   .index = (uint16_t)(sealed[3] << 8 | sealed[4]) };
	return ks_sub_spec_ok(s) ?
		       ks_record_open(ks, SUB_LABEL, bound, n, sealed + SUB_FIXED, len - SUB_FIXED, keys, &keys_len) :
		       KS_E_SEALED;
}

static int sub_key(uint8_t *key, const char *hex, const char *what, char *err, size_t err_cap)
{
	uint8_t any[KS_KEY_MAX];
	int n = ks_key_hex(any, hex, what, err, err_cap);
	uint8_t differ = 0;

	for (int i = 1; i < n; i++)
		differ |= any[i] ^ any[0];
	if (n >= 0 && n != KS_AKA_KEY_LEN) {
		ks_say(err, err_cap, "%s: %d octets instead of %d", what, n, KS_AKA_KEY_LEN);
		n = KS_E_KEYLEN;
	} else if (n > 0 && !differ) {
		ks_say(err, err_cap, "%s: one octet repeated is no key", what);
		n = KS_E_WEAK;
	}
	if (n > 0)
		memcpy(key, any, KS_AKA_KEY_LEN);
	ks_wipe(any, sizeof(any));
	return n < 0 ? n : 0;
}

int ks_sub_import(struct ks *ks, const char *iccid, const struct ks_sub_spec *spec, char *k_hex, char *opc_hex,
		  uint8_t sealed[KS_SUB_LEN], char *err, size_t err_cap)
{
	static const uint8_t zero[16];
	struct ks_room room = ks_room(ks);
	uint8_t *k = room.plain, *opc = room.plain + KS_AKA_KEY_LEN;
	int rc = ks_sub_spec_ok(spec) ? 0 : KS_E_SPEC;

	if (rc)
		ks_say(err, err_cap,
		       "subscription: index 1..65534, algorithm 1 (Milenage) or 15 (test) and SQN scheme 1 are needed");
	if (!rc)
		rc = sub_key(k, k_hex ? k_hex : "", "K", err, err_cap);
	if (!rc && opc_hex && *opc_hex)
		rc = sub_key(opc, opc_hex, "OPc", err, err_cap);
	else if (!rc)
		rc = ksc_aes128(k, zero, opc);
	if (!rc && (rc = ks_sub_seal(ks, iccid, spec, room.plain, sealed)) == KS_E_SPEC)
		ks_say(err, err_cap, "subscription: an ICCID of 1 to %d characters is needed", KS_ICCID_MAX);
	ks_wipe(room.plain, 2 * KS_AKA_KEY_LEN);
	if (k_hex)
		ks_wipe(k_hex, strlen(k_hex));
	if (opc_hex)
		ks_wipe(opc_hex, strlen(opc_hex));
	return rc ? rc : KS_SUB_LEN;
}

int ks_sub_spec(struct ks *ks, const char *iccid, const uint8_t *sealed, size_t len, struct ks_sub_spec *out)
{
	struct ks_room room = ks_room(ks);
	int rc = ks_sub_open(ks, iccid, sealed, len, out, room.plain);

	ks_wipe(room.plain, 2 * KS_AKA_KEY_LEN);
	return rc;
}

int ks_emit_to_hlr(struct ks *ks, const char *iccid, const uint8_t *sealed, size_t len, char out[KS_HLR_TEXT_MAX])
{
	struct ks_room room = ks_room(ks);
	struct ks_sub_spec spec;
	int rc = ks_sub_open(ks, iccid, sealed, len, &spec, room.plain), at;

	out[0] = '\0';
	if (!rc && spec.aka != KS_AKA_MILENAGE)
		rc = KS_E_POLICY;
	if (rc) {
		room.st->refused++;
		ks_wipe(room.plain, 2 * KS_AKA_KEY_LEN);
		return rc;
	}
	at = snprintf(out, KS_HLR_TEXT_MAX, "milenage,");
	for (int i = 0; i < 2 * KS_AKA_KEY_LEN; i++)
		at += snprintf(out + at, KS_HLR_TEXT_MAX - (size_t)at, "%s%02x", i == KS_AKA_KEY_LEN ? ",opc," : "",
			       room.plain[i]);
	ks_wipe(room.plain, 2 * KS_AKA_KEY_LEN);
	room.st->emitted++;
	return at;
}

/* ---- Milenage (TS 35.206, 4.1) ---- */

struct milenage {
	const uint8_t *k, *opc;
	uint8_t temp[16]; /* E_K(RAND xor OPc) */
	int rc;
};

/* OUTn = E_K(rot(in, r) xor c) xor OPc, with `in` = TEMP xor OPc or, for OUT1, IN1 xor OPc; TEMP goes in after the rotation there. */
static void out_n(struct milenage *m, const uint8_t *in, unsigned rot_octets, uint8_t c, bool with_temp,
		  uint8_t out[16])
{
	uint8_t x[16];

	for (unsigned i = 0; i < 16; i++)
		x[i] = in[(i + rot_octets) % 16] ^ m->opc[(i + rot_octets) % 16] ^ (with_temp ? m->temp[i] : 0);
	x[15] ^= c;
	if (!m->rc)
		m->rc = ksc_aes128(m->k, x, out);
	for (unsigned i = 0; i < 16; i++)
		out[i] ^= m->opc[i];
	ks_wipe(x, sizeof(x));
}

static void in1(uint8_t in[16], const uint8_t sqn[6], const uint8_t amf[2])
{
	memcpy(in, sqn, 6);
	memcpy(in + 6, amf, 2);
	memcpy(in + 8, in, 8);
}

static void milenage(struct milenage *m, const uint8_t rand[16], const uint8_t sqn[6], const uint8_t amf[2],
		     struct ks_vector *v)
{
	static const uint8_t resync_amf[2] = { 0, 0 };
	uint8_t x[16], mac[16], res_ak[16], star[16];

	for (unsigned i = 0; i < 16; i++)
		x[i] = rand[i] ^ m->opc[i];
	m->rc = ksc_aes128(m->k, x, m->temp);
	out_n(m, m->temp, 0, 1, false, res_ak); /* OUT2: AK and RES */
	out_n(m, m->temp, 4, 2, false, v->ck);
	out_n(m, m->temp, 8, 4, false, v->ik);
	memcpy(v->xres, res_ak + 8, 8);
	in1(x, sqn, amf);
	out_n(m, x, 8, 0, true, mac);
	for (unsigned i = 0; i < 6; i++)
		v->autn[i] = sqn[i] ^ res_ak[i];
	memcpy(v->autn + 6, amf, 2);
	memcpy(v->autn + 8, mac, 8);
	out_n(m, m->temp, 12, 8, false, star); /* OUT5: AK* */
	in1(x, sqn, resync_amf);
	out_n(m, x, 8, 0, true, mac);
	for (unsigned i = 0; i < 6; i++)
		v->auts[i] = sqn[i] ^ star[i];
	memcpy(v->auts + 6, mac + 8, 8);
	ks_wipe(res_ak, sizeof(res_ak));
	ks_wipe(star, sizeof(star));
}

int ks_milenage(struct ks *ks, const char *iccid, const uint8_t *sealed, size_t len, const uint8_t rand[16],
		const uint8_t sqn[6], const uint8_t amf[2], struct ks_vector *out)
{
	struct ks_room room = ks_room(ks);
	struct milenage m = { .k = room.plain, .opc = room.plain + KS_AKA_KEY_LEN };
	struct ks_sub_spec spec;
	int rc = ks_sub_open(ks, iccid, sealed, len, &spec, room.plain);

	if (!rc && spec.aka != KS_AKA_MILENAGE)
		rc = KS_E_POLICY;
	if (!rc) {
		milenage(&m, rand, sqn, amf, out);
		rc = m.rc;
	}
	if (rc)
		memset(out, 0, sizeof(*out));
	ks_wipe(&m, sizeof(m));
	ks_wipe(room.plain, 2 * KS_AKA_KEY_LEN);
	return rc;
}

/* ---- key blocks ---- */

struct ks_wrap *ks_wrap_new(struct ks *ks, const uint8_t kek[KS_KEK_LEN])
{
	struct ks_wrap *w = ks_room(ks).wrap;

	for (int i = 0; i < KS_WRAPS_MAX; i++) {
		if (w[i].used)
			continue;
		w[i].used = true;
		w[i].ks = ks;
		memcpy(w[i].kek, kek, KS_KEK_LEN);
		return &w[i];
	}
	return NULL;
}

void ks_wrap_free(struct ks_wrap *w)
{
	if (w)
		ks_wipe(w, sizeof(*w));
}

static int block_put_sub(struct ks *ks, struct wr *w, const char *iccid, const struct ks_block *in)
{
	struct ks_room room = ks_room(ks);
	struct ks_sub_spec spec;
	int rc = ks_sub_open(ks, iccid, in->sub, sizeof(in->sub), &spec, room.plain);

	if (!rc) {
		wr_u8(w, BLOCK_SUB);
		wr_u8(w, spec.aka);
		wr_u8(w, spec.sqn);
		wr_be(w, spec.index, 2);
		wr_bytes(w, room.plain, 2 * KS_AKA_KEY_LEN);
	}
	ks_wipe(room.plain, 2 * KS_AKA_KEY_LEN);
	return rc;
}

static int block_put_opc(struct ks *ks, struct wr *w, const char *name, const struct ks_block *in)
{
	struct ks_room room = ks_room(ks);
	int rc = ks_opc_open(ks, name, in->opc, room.plain);

	if (!rc) {
		wr_u8(w, BLOCK_OPC);
		wr_bytes(w, room.plain, KS_AKA_KEY_LEN);
	}
	ks_wipe(room.plain, KS_AKA_KEY_LEN);
	return rc;
}

static int block_put_release(struct ks *ks, struct wr *w, const char *iccid, const struct ks_block *in)
{
	struct ks_room room = ks_room(ks);
	int rc = ks_release_open(ks, iccid, in->release, room.plain);

	if (!rc) {
		wr_u8(w, BLOCK_RELEASE);
		wr_bytes(w, room.plain, KS_KEK_LEN);
	}
	ks_wipe(room.plain, KS_KEK_LEN);
	return rc;
}

static int block_put_locked(struct wr *w, const struct ks_block *in)
{
	if (in->locked_len > KS_LOCKED_MAX)
		return KS_E_SPEC;
	wr_u8(w, BLOCK_LOCKED);
	wr_u8(w, (uint8_t)in->locked_len);
	wr_bytes(w, in->locked, in->locked_len);
	return 0;
}

static int block_put_set(struct ks *ks, struct wr *w, const char *iccid, const struct ks_block *in, unsigned i)
{
	struct ks_room room = ks_room(ks);
	struct ks_keyset *set = room.set;
	int rc = in->set[i].len <= KS_SEALED_MAX ? ks_keyset_open(room.c, iccid, in->set[i].kvn, in->set[i].sealed,
								  in->set[i].len, room.plain, set) :
						   KS_E_SEALED;

	if (!rc) {
		wr_u8(w, BLOCK_SET);
		wr_u8(w, set->spec.kvn);
		wr_u8(w, set->spec.cc_len);
		wr_u8(w, (uint8_t)set->spec.kic_alg);
		wr_u8(w, (uint8_t)set->spec.kid_alg);
		wr_bytes(w, set->len, KS_KEYS);
		for (int k = 0; k < KS_KEYS; k++)
			wr_bytes(w, set->key[k], set->len[k]);
	}
	ks_wipe(set, sizeof(*set));
	return rc;
}

int ks_block_wrap(struct ks_wrap *wrap, const char *iccid, const struct ks_block *in, uint8_t out[KS_BLOCK_MAX])
{
	struct ks_room room = ks_room(wrap->ks);
	struct wr w = wr_init(room.work, KS_BLOCK_MAX - KS_KWP_MORE);
	size_t iccid_len = iccid ? strnlen(iccid, KS_ICCID_MAX + 1) : 0, len = 0;
	int rc = iccid_len && iccid_len <= KS_ICCID_MAX && in->sets <= KS_BLOCK_SETS_MAX ? 0 : KS_E_SPEC;

	wr_u8(&w, BLOCK_VERSION);
	wr_u8(&w, (uint8_t)iccid_len);
	wr_bytes(&w, iccid, rc ? 0 : iccid_len);
	if (!rc && in->has_sub)
		rc = block_put_sub(wrap->ks, &w, iccid, in);
	if (!rc && in->has_opc)
		rc = block_put_opc(wrap->ks, &w, iccid, in);
	for (unsigned i = 0; !rc && i < in->sets; i++)
		rc = block_put_set(wrap->ks, &w, iccid, in, i);
	if (!rc && in->locked_len)
		rc = block_put_locked(&w, in);
	if (!rc && in->has_release)
		rc = block_put_release(wrap->ks, &w, iccid, in);
	if (!rc)
		rc = w.bad ? KS_E_SPEC : ksc_kwp(wrap->kek, true, room.work, wr_len(&w), out, &len);
	ks_wipe(room.work, KS_SECRET_FILE_MAX);
	return rc ? rc : (int)len;
}

static int block_take_sub(struct ks *ks, struct rd *r, const char *iccid, struct ks_block *out)
{
	struct ks_sub_spec spec = { .aka = rd_u8(r), .sqn = rd_u8(r) };
	const uint8_t *keys;

	spec.index = (uint16_t)rd_be(r, 2);
	keys = rd_bytes(r, 2 * KS_AKA_KEY_LEN);
	if (r->bad || out->has_sub || !ks_sub_spec_ok(&spec))
		return KS_E_SEALED;
	out->has_sub = true;
	return ks_sub_seal(ks, iccid, &spec, keys, out->sub);
}

static int block_take_opc(struct ks *ks, struct rd *r, const char *name, struct ks_block *out)
{
	const uint8_t *opc = rd_bytes(r, KS_AKA_KEY_LEN);

	if (!opc || out->has_opc)
		return KS_E_SEALED;
	out->has_opc = true;
	return ks_opc_seal(ks, name, opc, out->opc);
}

static int block_take_release(struct ks *ks, struct rd *r, const char *iccid, struct ks_block *out)
{
	const uint8_t *key = rd_bytes(r, KS_KEK_LEN);

	if (!key || out->has_release)
		return KS_E_SEALED;
	out->has_release = true;
	return ks_release_seal(ks, iccid, key, out->release);
}

static int block_take_locked(struct rd *r, struct ks_block *out)
{
	const size_t len = rd_u8(r);
	const uint8_t *locked = len && len <= KS_LOCKED_MAX ? rd_bytes(r, len) : NULL;

	if (!locked || out->locked_len)
		return KS_E_SEALED;
	memcpy(out->locked, locked, len);
	out->locked_len = (unsigned)len;
	return 0;
}

static int block_take_set(struct ks *ks, struct rd *r, const char *iccid, struct ks_block *out)
{
	struct ks_room room = ks_room(ks);
	struct ks_keyset *set = room.set;
	int rc = KS_E_SEALED;

	memset(set, 0, sizeof(*set));
	set->spec.kvn = rd_u8(r);
	set->spec.cc_len = rd_u8(r);
	set->spec.kic_alg = rd_u8(r);
	set->spec.kid_alg = rd_u8(r);
	for (int i = 0; i < KS_KEYS; i++)
		set->len[i] = rd_u8(r);
	for (int i = 0; i < KS_KEYS; i++) {
		const uint8_t *key =
			set->len[i] <= KS_KEY_MAX && set->len[i] % 8 == 0 ? rd_bytes(r, set->len[i]) : NULL;

		if (r->bad || (set->len[i] && !key))
			goto out;
		if (key)
			memcpy(set->key[i], key, set->len[i]);
	}
	if (out->sets == KS_BLOCK_SETS_MAX || ks_spec_check(&set->spec) || ks_keyset_fits(set))
		goto out;
	rc = ks_keyset_seal(room.c, iccid, set, room.plain, out->set[out->sets].sealed);
	if (rc > 0) {
		out->set[out->sets].kvn = set->spec.kvn;
		out->set[out->sets++].len = (size_t)rc;
		rc = 0;
	}
out:
	ks_wipe(set, sizeof(*set));
	return rc;
}

int ks_block_unwrap(struct ks_wrap *wrap, const char *iccid, const uint8_t *block, size_t len, struct ks_block *out)
{
	struct ks_room room = ks_room(wrap->ks);
	size_t iccid_len = iccid ? strnlen(iccid, KS_ICCID_MAX + 1) : 0, text_len = 0;
	const uint8_t *name;
	struct rd r;
	int rc;

	memset(out, 0, sizeof(*out));
	if (!iccid_len || iccid_len > KS_ICCID_MAX || len < 16 || len > KS_BLOCK_MAX || len % 8)
		return KS_E_SEALED;
	rc = ksc_kwp(wrap->kek, false, block, len, room.work, &text_len) ? KS_E_SEALED : 0;
	r = rd_init(room.work, rc ? 0 : text_len);
	if (!rc && (rd_u8(&r) != BLOCK_VERSION || rd_u8(&r) != iccid_len || !(name = rd_bytes(&r, iccid_len)) ||
		    memcmp(name, iccid, iccid_len)))
		rc = KS_E_SEALED;
	while (!rc && rd_left(&r)) {
		switch (rd_u8(&r)) {
		case BLOCK_SUB:
			rc = block_take_sub(wrap->ks, &r, iccid, out);
			break;
		case BLOCK_SET:
			rc = block_take_set(wrap->ks, &r, iccid, out);
			break;
		case BLOCK_OPC:
			rc = block_take_opc(wrap->ks, &r, iccid, out);
			break;
		case BLOCK_LOCKED:
			rc = block_take_locked(&r, out);
			break;
		case BLOCK_RELEASE:
			rc = block_take_release(wrap->ks, &r, iccid, out);
			break;
		default:
			rc = KS_E_SEALED;
		}
	}
	if (!rc && !out->has_sub && !out->has_opc && !out->sets && !out->locked_len && !out->has_release)
		rc = KS_E_SEALED;
	ks_wipe(room.work, KS_SECRET_FILE_MAX);
	if (rc)
		ks_wipe(out, sizeof(*out));
	return rc;
}
