/* party.c - who we are and whom we know: four certificates each, pinned.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One key for each purpose: who opens lists does not thereby open card keys, and what signs does neither.
 *
 * Sealed party keys: version(1), per use: length(2) key; under the KEK: nonce(12) in front, tag(16) behind.  The tag also covers a
 * label and the four certificates: keys do not open beside another party file.
 */
#include <stdlib.h>
#include <string.h>

#include "ota/rd.h"
#include "ota/wr.h"
#include "pkg_int.h"

#define SELF_VERSION 1
#define SELF_LABEL   "otagw party keys"
#define SELF_MAX     (1 + _PKG_USES * (2 + PKG_KEY_MAX))

static const char party_head[] = "otagw party ";

const char *pkg_strerror(int err)
{
	switch (err) {
	case PKG_OK:
		return "no error";
	case PKG_E_FILE:
		return "package file cannot be read or written";
	case PKG_E_FORM:
		return "not a package, or cut off";
	case PKG_E_MANIFEST:
		return "manifest not as this version writes it";
	case PKG_E_SIGNER:
		return "not signed by the party that it names";
	case PKG_E_RECEIVER:
		return "package is for somebody else";
	case PKG_E_TIME:
		return "expired, or not valid yet";
	case PKG_E_ALGORITHM:
		return "signed or sealed in a way that is not taken";
	case PKG_E_BODY:
		return "a part does not open, or is not what was signed";
	case PKG_E_LIMIT:
		return "more than a package may hold";
	case PKG_E_RECORD:
		return "a record was refused";
	case PKG_E_PARTY:
		return "party file or party keys not usable";
	case PKG_E_CRYPTO:
		return "the cipher library refused";
	case PKG_E_MEMORY:
		return "out of memory";
	case PKG_E_PROOF:
		return "the record is not among those signed";
	default:
		return ks_strerror(err);
	}
}

/* ---- partners ---- */

static void partner_clear(struct pkg_partner *p)
{
	for (int i = 0; i < _PKG_USES; i++) {
		pkgc_cert_free(p->cert[i]);
		p->cert[i] = NULL;
	}
}

/* "otagw party NAME", then the four certificates in their order, each for this name, and nothing but text between them. */
static int partner_read(struct pkg_partner *p, const char *party, size_t len, char *err, size_t err_cap)
{
	const char *at = party, *end = party + len, *nl;
	size_t n = sizeof(party_head) - 1;

	nl = len && len <= PKG_PARTY_FILE_MAX ? memchr(party, '\n', len) : NULL;
	if (!nl || len < n || memcmp(party, party_head, n) || (size_t)(nl - party) - n > PKG_NAME_MAX) {
		pkg_say(err, err_cap, "not a party file: the first line must be \"%sNAME\"", party_head);
		return PKG_E_PARTY;
	}
	memcpy(p->name, party + n, (size_t)(nl - party) - n);
	p->name[(size_t)(nl - party) - n] = '\0';
	if (!pkg_name_ok(p->name, PKG_NAME_MAX)) {
		pkg_say(err, err_cap, "not a party file: the name in line 1 may have a-z 0-9 - . and %d characters",
			PKG_NAME_MAX);
		return PKG_E_PARTY;
	}
	for (int use = 0; use < _PKG_USES; use++) {
		char name[PKG_NAME_MAX + 1];
		enum pkg_use is;

		p->cert[use] = pkgc_cert_read(&at, end);
		if (!p->cert[use] || !pkgc_cert_names(p->cert[use], name, &is) || is != (enum pkg_use)use ||
		    strcmp(name, p->name) || !pkgc_cert_fits(p->cert[use])) {
			pkg_say(err, err_cap,
				"party file of %s: certificate %d of %d is missing, damaged, of another name or use, "
				"or has a "
				"key that is too short; ask the partner for the file again",
				p->name, use + 1, _PKG_USES);
			return PKG_E_PARTY;
		}
	}
	return 0;
}

int pkg_partner_load(struct pkg_partner **out, const char *party, size_t party_len, char *err, size_t err_cap)
{
	struct pkg_partner *p = calloc(1, sizeof(*p));
	int rc = p ? partner_read(p, party, party_len, err, err_cap) : PKG_E_MEMORY;

	if (rc) {
		pkg_partner_free(p);
		p = NULL;
	}
	*out = p;
	return rc;
}

void pkg_partner_free(struct pkg_partner *p)
{
	if (p)
		partner_clear(p);
	free(p);
}

const char *pkg_partner_name(const struct pkg_partner *p)
{
	return p->name;
}

/* One hash over the four: what is compared over the telephone names all of them. */
static int certs_hash(const struct pkg_partner *p, uint8_t out[PKG_HASH_LEN])
{
	uint8_t all[_PKG_USES][PKG_HASH_LEN];
	struct pkgc_hash *h = pkgc_hash_new();
	int rc = PKG_E_MEMORY;

	for (int i = 0; i < _PKG_USES; i++)
		pkgc_cert_hash(p->cert[i], all[i]);
	if (h)
		rc = pkgc_sha256(h, -1, all, sizeof(all), NULL, 0, out);
	pkgc_hash_free(h);
	return rc;
}

void pkg_partner_print(const struct pkg_partner *p, char out[PKG_PRINT_LEN])
{
	uint8_t hash[PKG_HASH_LEN];
	size_t at = 0;

	if (certs_hash(p, hash)) {
		snprintf(out, PKG_PRINT_LEN, "(no hash: out of memory)");
		return;
	}
	for (int i = 0; i < PKG_HASH_LEN; i += 2)
		at += (size_t)snprintf(out + at, PKG_PRINT_LEN - at, "%s%02x%02x", i ? " " : "", hash[i], hash[i + 1]);
}

/* ---- ourselves ---- */

static int seal_keys(struct ks *ks, const struct pkg_partner *me, uint8_t *plain, size_t len, uint8_t **sealed,
		     size_t *sealed_len)
{
	uint8_t hash[PKG_HASH_LEN];
	uint8_t *out = malloc(KS_NONCE_LEN + SELF_MAX + KS_TAG_LEN);
	int rc = out ? certs_hash(me, hash) : PKG_E_MEMORY;

	if (!rc)
		rc = ks_record_seal(ks, SELF_LABEL, hash, sizeof(hash), plain, len, out, sealed_len);
	if (rc) {
		free(out);
		out = NULL;
	}
	*sealed = out;
	return rc;
}

int pkg_self_create(struct ks *ks, const char *name, int64_t now_s, char **party, size_t *party_len, uint8_t **sealed,
		    size_t *sealed_len, char *err, size_t err_cap)
{
	struct pkg_partner me = { 0 };
	uint8_t *plain = malloc(SELF_MAX);
	struct wr w = wr_init(plain, plain ? SELF_MAX : 0);
	int rc = plain ? 0 : PKG_E_MEMORY;

	*party = NULL;
	*sealed = NULL;
	*party_len = 0;
	if (!pkg_name_ok(name, PKG_NAME_MAX)) {
		pkg_say(err, err_cap, "a party's name may have a-z 0-9 - . and %d characters", PKG_NAME_MAX);
		free(plain);
		return PKG_E_PARTY;
	}
	snprintf(me.name, sizeof(me.name), "%s", name);
	wr_u8(&w, SELF_VERSION);
	*party_len = sizeof(party_head) - 1 + strlen(name) + 1;
	if ((*party = malloc(*party_len + 1)))
		snprintf(*party, *party_len + 1, "%s%s\n", party_head, name);
	else
		rc = PKG_E_MEMORY;
	for (int use = 0; !rc && use < _PKG_USES; use++) {
		uint8_t key[PKG_KEY_MAX];
		size_t len = sizeof(key);

		rc = pkgc_make(name, (enum pkg_use)use, now_s, key, &len, &me.cert[use]);
		if (!rc) {
			wr_be(&w, len, 2);
			wr_bytes(&w, key, len);
			rc = pkgc_cert_pem(me.cert[use], party, party_len);
		}
		ks_wipe(key, sizeof(key));
	}
	if (!rc)
		rc = w.bad ? PKG_E_CRYPTO : seal_keys(ks, &me, plain, wr_len(&w), sealed, sealed_len);
	if (plain)
		ks_wipe(plain, SELF_MAX);
	free(plain);
	partner_clear(&me);
	if (rc) {
		free(*party);
		*party = NULL;
		pkg_say(err, err_cap, "keys of party %s cannot be made: %s", name, pkg_strerror(rc));
	}
	return rc;
}

static int keys_read(struct pkg_self *s, const uint8_t *plain, size_t len)
{
	struct rd r = rd_init(plain, len);
	bool ok = rd_u8(&r) == SELF_VERSION;

	for (int use = 0; ok && use < _PKG_USES; use++) {
		size_t n = (size_t)rd_be(&r, 2);
		const uint8_t *key = rd_bytes(&r, n);

		ok = !r.bad && key && (s->key[use] = pkgc_key_read(key, n, s->me.cert[use]));
	}
	return ok && !r.bad && !rd_left(&r) ? 0 : PKG_E_PARTY;
}

int pkg_self_load(struct pkg_self **out, struct ks *ks, const char *party, size_t party_len, const uint8_t *sealed,
		  size_t sealed_len, char *err, size_t err_cap)
{
	struct pkg_self *s = calloc(1, sizeof(*s));
	uint8_t *plain = malloc(SELF_MAX), hash[PKG_HASH_LEN];
	size_t len = SELF_MAX;
	int rc = s && plain ? partner_read(&s->me, party, party_len, err, err_cap) : PKG_E_MEMORY;

	if (!rc) {
		s->ks = ks;
		rc = certs_hash(&s->me, hash);
		if (!rc)
			rc = ks_record_open(ks, SELF_LABEL, hash, sizeof(hash), sealed, sealed_len, plain, &len);
		if (!rc)
			rc = keys_read(s, plain, len);
		if (rc)
			pkg_say(err, err_cap,
				"the sealed keys of party %s do not open beside this party file and under this KEK: "
				"put back the "
				"three that belong together",
				s->me.name);
	}
	if (plain)
		ks_wipe(plain, SELF_MAX);
	free(plain);
	if (rc) {
		pkg_self_free(s);
		s = NULL;
	}
	*out = s;
	return rc;
}

void pkg_self_free(struct pkg_self *self)
{
	if (!self)
		return;
	for (int i = 0; i < _PKG_USES; i++)
		pkgc_key_free(self->key[i]);
	partner_clear(&self->me);
	free(self);
}

const char *pkg_self_name(const struct pkg_self *self)
{
	return self->me.name;
}

/* ---- TLS ---- */

void pkg_self_tls(const struct pkg_self *self, struct evp_pkey_st **key, struct x509_st **cert)
{
	pkgc_key_openssl(self->key[PKG_USE_TLS], key, cert);
}

int pkg_partner_tls(const struct pkg_partner *p, const struct x509_st *shown, int64_t now_s)
{
	if (!pkgc_cert_is(p->cert[PKG_USE_TLS], shown))
		return PKG_E_SIGNER;
	return pkgc_cert_time(p->cert[PKG_USE_TLS], now_s);
}
