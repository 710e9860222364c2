/* ks_bulk.c - checksums and ciphers of a campaign's worth of cards at once, where they are triple DES.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Jobs are taken in as they are looked at, and run when there are as many as go side by side, or at the end.  Too few, long
 * messages, other ciphers and all deciphering are left to OpenSSL.
 */
#include <string.h>

#include "ks_int.h"

#define BLOCK 8

void ks_bulk_begin(struct ks_bulk *b, struct ksc *c)
{
	b->c = c;
	b->n = 0;
}

static bool is_ede(enum ksc_kind kind)
{
	return kind == KSC_EDE2 || kind == KSC_EDE3;
}

static void run_slow(struct ks_bulk *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct ks_bulk_item *it = &b->item[i];

		if (it->mac)
			it->mac->rc = ksc_mac(b->c, it->key.kind, it->key.key, it->key.owner, it->mac) ? OTA_E_KEY : 0;
		else
			it->cipher->rc =
				ksc_cipher(b->c, it->key.kind, it->key.key, it->key.owner, it->cipher) ? OTA_E_KEY : 0;
	}
}

/* All of one kind: a run is of checksums or of ciphers. */
static void run(struct ks_bulk *b)
{
	if (b->n < DES_SLICE_MIN) {
		run_slow(b);
		b->n = 0;
		return;
	}
	des_slice_run(&b->work, b->lane, b->n, b->item[0].mac);
	for (unsigned i = 0; i < b->n; i++) {
		struct ota_mac_job *job = b->item[i].mac;

		if (job)
			memcpy(job->mac, b->lane[i].buf + (b->lane[i].blocks - 1) * BLOCK, job->mac_len);
	}
	if (b->item[0].mac)
		ks_wipe(b->msg, b->n * sizeof(b->msg[0]));
	b->n = 0;
}

static void take(struct ks_bulk *b, const struct ks_bulk_item *it, uint8_t *buf, size_t len)
{
	b->item[b->n] = *it;
	b->lane[b->n] = (struct des_slice_lane){
		.key = it->key.key, .three = it->key.kind == KSC_EDE3, .buf = buf, .blocks = len / BLOCK
	};
	if (++b->n == des_slice_lanes())
		run(b);
}

bool ks_bulk_mac(struct ks_bulk *b, const struct ksc_key *key, struct ota_mac_job *job)
{
	uint8_t *msg = b->msg[b->n];
	size_t len = 0, padded;

	for (unsigned i = 0; i < job->parts; i++)
		len += job->part[i].len;
	padded = len ? (len + BLOCK - 1) & ~(size_t)(BLOCK - 1) : BLOCK;
	if (!is_ede(key->kind) || padded > sizeof(b->msg[0]) || job->mac_len > BLOCK)
		return false;
	memset(msg + len, 0, padded - len);
	for (unsigned i = 0; i < job->parts; i++) {
		if (job->part[i].len)
			memcpy(msg, job->part[i].p, job->part[i].len);
		msg += job->part[i].len;
	}
	job->rc = 0;
	take(b, &(struct ks_bulk_item){ .key = *key, .mac = job }, b->msg[b->n], padded);
	return true;
}

bool ks_bulk_cipher(struct ks_bulk *b, const struct ksc_key *key, struct ota_cipher_job *job)
{
	if (!is_ede(key->kind) || job->decrypt || job->alg == OTA_ALG_DES_ECB)
		return false;
	job->rc = 0;
	take(b, &(struct ks_bulk_item){ .key = *key, .cipher = job }, job->buf, job->len);
	return true;
}

void ks_bulk_end(struct ks_bulk *b)
{
	if (b->n)
		run(b);
}

/* ---- the same as OpenSSL says? ---- */

#define TEST_BLOCKS 3

/* n messages of one to three blocks, under two keys or three. */
static int test_run(struct ks_bulk *b, struct ksc *c, unsigned n)
{
	uint8_t key[24], want[TEST_BLOCKS * BLOCK];
	int rc = 0;

	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 0; k < sizeof(key); k++)
			b->msg[i][KSC_CHUNK - sizeof(key) + k] = (uint8_t)(i * 37 + k * 11 + (i >> k % 8) * 101);
		for (unsigned k = 0; k < TEST_BLOCKS * BLOCK; k++)
			b->msg[i][k] = (uint8_t)(i * 59 + k * 7);
		b->lane[i] = (struct des_slice_lane){ .key = b->msg[i] + KSC_CHUNK - sizeof(key),
						      .three = i & 1,
						      .buf = b->msg[i],
						      .blocks = 1 + i % TEST_BLOCKS };
	}
	des_slice_run(&b->work, b->lane, n, false);
	for (unsigned i = 0; i < n && !rc; i++) {
		enum ksc_kind kind = i & 1 ? KSC_EDE3 : KSC_EDE2;
		struct ota_cipher_job job = { .alg = i & 1 ? OTA_ALG_3DES3_CBC : OTA_ALG_3DES2_CBC,
					      .buf = want,
					      .len = b->lane[i].blocks * BLOCK };

		for (unsigned k = 0; k < job.len; k++)
			want[k] = (uint8_t)(i * 59 + k * 7);
		rc = ksc_cipher(c, kind, b->lane[i].key, 0, &job);
		if (!rc && memcmp(want, b->msg[i], job.len) != 0)
			rc = KS_E_CRYPTO;
	}
	return rc;
}

int ks_bulk_self_test(struct ks_bulk *b, struct ksc *c)
{
	int rc = test_run(b, c, DES_SLICE_MIN);

	if (!rc && des_slice_lanes() > DES_SLICE_MAX / 2)
		rc = test_run(b, c, DES_SLICE_MAX / 2 + DES_SLICE_MIN);
	ks_wipe(b, sizeof(*b));
	return rc;
}
