/* ks_release.c - escrow: a card's keys go to a partner under a release key, which is told later or never.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Sealed release key, KS_RELEASE_LEN octets: version(1), then the key as a record; the tag also covers the ICCID and the version.  What
 * it locks is a key block as every other one (ks_block.c), under the release key in the place of a package's.
 */
#include <string.h>

#include "ks_int.h"

#define RELEASE_VERSION 1
#define RELEASE_LABEL	"otagw release key"

_Static_assert(1 + KS_NONCE_LEN + KS_KEK_LEN + KS_TAG_LEN == KS_RELEASE_LEN, "no octet is left over");

static const struct ks_named release_kind = { RELEASE_LABEL, RELEASE_VERSION, KS_KEK_LEN };

int ks_release_seal(struct ks *ks, const char *iccid, const uint8_t key[KS_KEK_LEN], uint8_t sealed[KS_RELEASE_LEN])
{
	return ks_named_seal(ks, &release_kind, iccid, key, sealed);
}

int ks_release_open(struct ks *ks, const char *iccid, const uint8_t sealed[KS_RELEASE_LEN], uint8_t key[KS_KEK_LEN])
{
	return ks_named_open(ks, &release_kind, iccid, sealed, key);
}

int ks_release_make(struct ks *ks, const char *iccid, uint8_t sealed[KS_RELEASE_LEN])
{
	return ks_named_make(ks, &release_kind, iccid, sealed);
}

/* The release key in the place of a package's; NULL: *rc. */
static struct ks_wrap *release_wrap(struct ks *ks, const char *iccid, const uint8_t release[KS_RELEASE_LEN], int *rc)
{
	struct ks_room room = ks_room(ks);
	struct ks_wrap *w = NULL;

	*rc = ks_release_open(ks, iccid, release, room.plain);
	if (!*rc && !(w = ks_wrap_new(ks, room.plain)))
		*rc = KS_E_SLOTS;
	ks_wipe(room.plain, KS_KEK_LEN);
	return w;
}

int ks_block_lock(struct ks *ks, const char *iccid, const uint8_t release[KS_RELEASE_LEN], const struct ks_block *in,
		  uint8_t out[KS_LOCKED_MAX])
{
	uint8_t block[KS_BLOCK_MAX];
	struct ks_wrap *w;
	int rc = KS_E_SPEC;

	if (!in->has_sub || in->has_opc || in->sets || in->has_release || in->locked_len)
		return rc;
	w = release_wrap(ks, iccid, release, &rc);
	if (w)
		rc = ks_block_wrap(w, iccid, in, block);
	ks_wrap_free(w);
	if (rc > KS_LOCKED_MAX)
		return KS_E_SPEC;
	if (rc > 0)
		memcpy(out, block, (size_t)rc);
	return rc;
}

int ks_block_unlock(struct ks *ks, const char *iccid, const uint8_t release[KS_RELEASE_LEN], const uint8_t *locked,
		    size_t len, struct ks_block *out)
{
	int rc;
	struct ks_wrap *w = release_wrap(ks, iccid, release, &rc);

	memset(out, 0, sizeof(*out));
	if (w)
		rc = ks_block_unwrap(w, iccid, locked, len, out);
	ks_wrap_free(w);
	if (!rc && (!out->has_sub || out->has_opc || out->sets || out->has_release || out->locked_len))
		rc = KS_E_SEALED;
	if (rc)
		ks_wipe(out, sizeof(*out));
	return rc;
}
