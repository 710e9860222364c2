/* cmd_packet.c - command packets: TS 102 225, 5.1, as TS 31.115 clause 4 carries them in short messages.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 *	CPL(2) CHL SPI(2) KIc KID TAR(3) CNTR(5) PCNTR RC/CC data padding
 *
 * Ciphering starts at CNTR, so that the TAR stays readable; the checksum is taken first and over everything but itself,
 * padding included, User Data Header not.
 */
#include <string.h>

#include "ota/codec.h"
#include "ota/rd.h"
#include "ota/wr.h"

#include "codec_int.h"

#define CHL_FIXED   13		       /* SPI .. PCNTR: CHL is this plus RC/CC */
#define HEAD_LEN    (OTA_CMD_HEAD + 1) /* CPL .. PCNTR */
#define CIPHER_OFF  10		       /* CNTR, the first ciphered octet */
#define PLAIN_FIXED 6		       /* ciphered octets before RC/CC: CNTR and PCNTR */
#define RUN_CHUNK   64		       /* jobs gathered on the stack for one call of a hook */

static const struct {
	const char *name;
	uint8_t nibble;
	uint8_t block;
} algs[] = {
	[OTA_ALG_NONE] = { "none", 0x0, 1 },	   [OTA_ALG_DES_CBC] = { "des", 0x1, 8 },
	[OTA_ALG_DES_ECB] = { "des-ecb", 0xd, 8 }, [OTA_ALG_3DES2_CBC] = { "3des2", 0x5, 8 },
	[OTA_ALG_3DES3_CBC] = { "3des3", 0x9, 8 }, [OTA_ALG_AES_CBC] = { "aes", 0x2, 16 },
};
_Static_assert(ARRAY_SIZE(algs) == _OTA_ALGS, "every algorithm has its row");

/* ------------------------------------------------------------------------------------------ KIc and KID */

static enum ota_alg alg_of(uint8_t nibble)
{
	for (size_t i = OTA_ALG_NONE + 1; i < ARRAY_SIZE(algs); i++)
		if (algs[i].nibble == nibble)
			return (enum ota_alg)i;
	return OTA_ALG_NONE;
}

/* TS 102 225, 5.1.2 */
enum ota_alg ota_kic_alg(uint8_t kic)
{
	return alg_of(kic & 0x0f);
}

/* TS 102 225, 5.1.3: no MAC is defined in ECB mode, D is reserved here. */
enum ota_alg ota_kid_alg(uint8_t kid)
{
	enum ota_alg alg = alg_of(kid & 0x0f);

	return alg == OTA_ALG_DES_ECB ? OTA_ALG_NONE : alg;
}

static bool alg_known(enum ota_alg alg)
{
	return (unsigned)alg < ARRAY_SIZE(algs);
}

uint8_t ota_alg_nibble(enum ota_alg alg)
{
	return alg_known(alg) ? algs[alg].nibble : 0;
}

const char *ota_alg_name(enum ota_alg alg)
{
	return alg_known(alg) ? algs[alg].name : "unknown";
}

size_t ota_alg_block(enum ota_alg alg)
{
	return alg_known(alg) ? algs[alg].block : 1;
}

/* The same nibble means one thing for an RC and another for a CC: 5 is CRC-32 here and two-key 3DES there. */
int integrity_len(unsigned integrity, uint8_t kid)
{
	switch (integrity) {
	case INTEGRITY_NONE:
		return 0;
	case INTEGRITY_RC:
		if ((kid & 0x0f) == 0x1)
			return 2;
		return (kid & 0x0f) == 0x5 ? 4 : OTA_E_ALG;
	case INTEGRITY_CC:
		return ota_kid_alg(kid) == OTA_ALG_NONE ? OTA_E_ALG : 8;
	default:
		return OTA_E_DS;
	}
}

int ota_cc_len(uint8_t spi1, uint8_t kid)
{
	return integrity_len(OTA_SPI1_INTEGRITY(spi1), kid);
}

/* ------------------------------------------------------------------------------------------------ checks */

/* cc_len 0 stands for what SPI and KID imply; the only choice there is is AES-CMAC of 4 or 8 octets. */
static int cc_len_resolve(const struct ota_cmd_params *p)
{
	int n = ota_cc_len(p->spi[0], p->kid);

	if (n < 0 || p->cc_len == 0 || p->cc_len == n)
		return n;
	if (p->cc_len == 4 && OTA_SPI1_INTEGRITY(p->spi[0]) == INTEGRITY_CC && ota_kid_alg(p->kid) == OTA_ALG_AES_CBC)
		return 4;
	return OTA_E_RANGE;
}

/* TS 102 225 Annex A: one key version for both.  A version that nobody will use names nothing. */
static bool kvn_differ(const struct ota_cmd_params *p)
{
	bool kic_used = OTA_SPI1_CIPHERED(p->spi[0]) || OTA_SPI2_CIPHERED(p->spi[1]);
	bool kid_used = OTA_SPI1_INTEGRITY(p->spi[0]) == INTEGRITY_CC || OTA_SPI2_INTEGRITY(p->spi[1]) == INTEGRITY_CC;
	unsigned kic_kvn = p->kic >> 4, kid_kvn = p->kid >> 4;

	return kic_kvn != kid_kvn && ((kic_used && kid_used) || (kic_kvn && kid_kvn));
}

/* Does either direction cipher with DES-ECB? */
static bool ecb_used(uint8_t spi1, uint8_t spi2, uint8_t kic)
{
	return (OTA_SPI1_CIPHERED(spi1) || OTA_SPI2_CIPHERED(spi2)) && ota_kic_alg(kic) == OTA_ALG_DES_ECB;
}

/* What must hold for the octets to mean anything. */
static int check_form(const struct ota_cmd_params *p)
{
	int n;

	if (OTA_SPI1_INTEGRITY(p->spi[0]) == INTEGRITY_DS || OTA_SPI2_INTEGRITY(p->spi[1]) == INTEGRITY_DS)
		return OTA_E_DS;
	if ((p->spi[0] & 0xe0) || (p->spi[1] & 0xc0) || OTA_SPI2_POR(p->spi[1]) == 3)
		return OTA_E_SPI;
	n = cc_len_resolve(p);
	if (n < 0)
		return n;
	if (OTA_SPI1_CIPHERED(p->spi[0]) && ota_kic_alg(p->kic) == OTA_ALG_NONE)
		return OTA_E_ALG;
	if (kvn_differ(p))
		return OTA_E_KVN;
	if (p->cntr > OTA_CNTR_MAX)
		return OTA_E_RANGE;
	if (p->data_len > OTA_PACKET_PROTOCOL_MAX || (p->data_len && !p->data))
		return OTA_E_LENGTH;
	/* TS 102 225, 5.1.2: nibble D is reserved since release 6; equal blocks of data show. */
	if (ecb_used(p->spi[0], p->spi[1], p->kic) && !p->legacy)
		return OTA_E_LEGACY;
	return 0;
}

static size_t padding_len(const struct ota_cmd_params *p, size_t cc_len)
{
	size_t block = ota_alg_block(ota_kic_alg(p->kic));

	/* TS 102 225, 5.1: PCNTR is 0 without ciphering, however long the MAC's own block is. */
	if (!OTA_SPI1_CIPHERED(p->spi[0]))
		return 0;
	return (block - (PLAIN_FIXED + cc_len + p->data_len) % block) % block;
}

int ota_cmd_len(const struct ota_cmd_params *p)
{
	int rc = check_form(p);
	size_t cc_len, len;

	if (rc)
		return rc;
	cc_len = (size_t)cc_len_resolve(p);
	len = HEAD_LEN + cc_len + p->data_len + padding_len(p, cc_len);
	return len > OTA_PACKET_PROTOCOL_MAX ? OTA_E_LENGTH : (int)len;
}

int ota_cmd_check(const struct ota_cmd_params *p)
{
	int rc = ota_cmd_len(p);

	if (rc < 0)
		return rc;
	if (rc > OTA_PACKET_MAX)
		return OTA_E_LENGTH;
	/* KID is read in the command's sense: a PoR of another integrity would have no algorithm, and one that is
	 * ciphered where the command is not may find a card without the key. */
	if (OTA_SPI2_POR(p->spi[1]) != 0 && ((OTA_SPI2_INTEGRITY(p->spi[1]) != INTEGRITY_NONE &&
					      OTA_SPI2_INTEGRITY(p->spi[1]) != OTA_SPI1_INTEGRITY(p->spi[0])) ||
					     (OTA_SPI2_CIPHERED(p->spi[1]) && !OTA_SPI1_CIPHERED(p->spi[0]))))
		return OTA_E_SPI;
	return 0;
}

/* ------------------------------------------------------------------------------------------------ encode */

int ota_cmd_lay_out(struct ota_cmd_work *w, const struct ota_cmd_params *p, uint8_t *buf, size_t cap)
{
	int len = ota_cmd_len(p);
	bool ciphered = OTA_SPI1_CIPHERED(p->spi[0]);
	size_t cc_len, pcntr;
	struct wr out;

	memset(w, 0, sizeof(*w));
	if (len < 0)
		return w->mac.rc = len;
	cc_len = (size_t)cc_len_resolve(p);
	pcntr = padding_len(p, cc_len);

	out = wr_init(buf, cap);
	wr_be(&out, (uint64_t)len - 2, 2);
	wr_u8(&out, (uint8_t)(CHL_FIXED + cc_len));
	wr_bytes(&out, p->spi, 2);
	wr_u8(&out, p->kic);
	wr_u8(&out, p->kid);
	wr_bytes(&out, p->tar, 3);
	wr_be(&out, p->cntr, 5);
	wr_u8(&out, (uint8_t)pcntr);
	wr_fill(&out, 0, cc_len);
	wr_bytes(&out, p->data, p->data_len);
	wr_fill(&out, 0, pcntr);
	if (out.bad)
		return w->mac.rc = OTA_E_SPACE;

	w->packet = buf;
	w->len = (size_t)len;
	w->head_len = HEAD_LEN;
	w->cc_len = (uint8_t)cc_len;
	w->mac = (struct ota_mac_job){
		.key = p->kid_ref,
		.alg = ota_kid_alg(p->kid),
		.part = { { buf, HEAD_LEN }, { buf + HEAD_LEN + cc_len, w->len - HEAD_LEN - cc_len } },
		.parts = 2,
		.mac_len = (uint8_t)cc_len,
		.mac = buf + HEAD_LEN,
	};
	w->cipher = (struct ota_cipher_job){
		.key = p->kic_ref,
		.alg = ota_kic_alg(p->kic),
		.buf = buf + CIPHER_OFF,
		.len = w->len - CIPHER_OFF,
	};
	w->want_mac = OTA_SPI1_INTEGRITY(p->spi[0]) == INTEGRITY_CC;
	w->want_cipher = ciphered;
	/* A job that never ran must not look like one that succeeded. */
	if (w->want_mac)
		w->mac.rc = OTA_E_KEY;
	else if (cc_len)
		rc_write(buf + HEAD_LEN, cc_len, w->mac.part, w->mac.parts);
	if (ciphered)
		w->cipher.rc = OTA_E_KEY;
	return 0;
}

static void run_macs(struct ota_cmd_work **item, size_t n, const struct ota_crypt *crypt)
{
	struct ota_mac_job jobs[RUN_CHUNK];

	for (size_t i = 0; i < n; i++)
		jobs[i] = item[i]->mac;
	crypt->mac(crypt->ctx, jobs, n);
	for (size_t i = 0; i < n; i++)
		item[i]->mac.rc = jobs[i].rc;
}

static void run_ciphers(struct ota_cmd_work **item, size_t n, const struct ota_crypt *crypt)
{
	struct ota_cipher_job jobs[RUN_CHUNK];

	for (size_t i = 0; i < n; i++)
		jobs[i] = item[i]->cipher;
	crypt->cipher(crypt->ctx, jobs, n);
	for (size_t i = 0; i < n; i++)
		item[i]->cipher.rc = jobs[i].rc;
}

int ota_cmd_run(struct ota_cmd_work *w, size_t n, const struct ota_crypt *crypt)
{
	struct ota_cmd_work *item[RUN_CHUNK];
	size_t k = 0;

	for (size_t i = 0; crypt && crypt->mac && i < n; i++) {
		if (w[i].want_mac)
			item[k++] = &w[i];
		if (k == RUN_CHUNK || (k && i + 1 == n)) {
			run_macs(item, k, crypt);
			k = 0;
		}
	}
	for (size_t i = 0; crypt && crypt->cipher && i < n; i++) {
		if (w[i].want_cipher && w[i].mac.rc == 0)
			item[k++] = &w[i];
		if (k == RUN_CHUNK || (k && i + 1 == n)) {
			run_ciphers(item, k, crypt);
			k = 0;
		}
	}
	for (size_t i = 0; i < n; i++)
		if (ota_cmd_finish(&w[i]) < 0)
			return ota_cmd_finish(&w[i]);
	return 0;
}

int ota_cmd_finish(const struct ota_cmd_work *w)
{
	if (w->mac.rc)
		return w->mac.rc;
	if (w->cipher.rc)
		return w->cipher.rc;
	return (int)w->len;
}

int ota_cmd_encode(uint8_t *buf, size_t cap, const struct ota_cmd_params *p, const struct ota_crypt *crypt)
{
	struct ota_cmd_work w;
	int rc = ota_cmd_lay_out(&w, p, buf, cap);

	if (rc == 0)
		rc = ota_cmd_run(&w, 1, crypt);
	return rc ? rc : ota_cmd_finish(&w);
}

/* ------------------------------------------------------------------------------------------------ decode */

int packet_decipher(uint8_t *from_cntr, size_t len, const struct ota_cmd_params *p, const struct ota_crypt *crypt)
{
	struct ota_cipher_job job = {
		.key = p->kic_ref,
		.alg = ota_kic_alg(p->kic),
		.decrypt = true,
		.buf = from_cntr,
		.len = len,
		.rc = OTA_E_KEY,
	};

	if (job.alg == OTA_ALG_NONE)
		return OTA_E_ALG;
	if (job.len % ota_alg_block(job.alg))
		return OTA_E_BLOCK;
	if (crypt && crypt->cipher)
		crypt->cipher(crypt->ctx, &job, 1);
	return job.rc;
}

static int cmd_verify(const uint8_t *packet, size_t len, const struct ota_cmd *cmd, const struct ota_crypt *crypt)
{
	size_t n = cmd->p.cc_len;
	uint8_t want[OTA_MAC_LEN_MAX] = { 0 };
	struct ota_mac_job job = {
		.key = cmd->p.kid_ref,
		.alg = ota_kid_alg(cmd->p.kid),
		.part = { { packet, HEAD_LEN }, { packet + HEAD_LEN + n, len - HEAD_LEN - n } },
		.parts = 2,
		.mac_len = (uint8_t)n,
		.mac = want,
		.rc = OTA_E_KEY,
	};

	if (n == 0)
		return 0;
	if (OTA_SPI1_INTEGRITY(cmd->p.spi[0]) == INTEGRITY_RC) {
		rc_write(want, n, job.part, job.parts);
	} else {
		if (crypt->mac)
			crypt->mac(crypt->ctx, &job, 1);
		if (job.rc)
			return job.rc;
	}
	return ct_equal(want, packet + HEAD_LEN, n) ? 0 : OTA_E_CC;
}

/* CNTR, PCNTR, data: readable once deciphered, or from the start. */
static void cmd_read_body(struct ota_cmd *out, const uint8_t *packet, size_t len, size_t cc_len)
{
	struct rd in = rd_init(packet, len);

	rd_bytes(&in, CIPHER_OFF);
	out->p.cntr = rd_be(&in, 5);
	out->pcntr = rd_u8(&in);
	out->cc = rd_bytes(&in, cc_len);
	out->p.data_len = rd_left(&in);
	out->p.data = rd_bytes(&in, out->p.data_len);
}

int ota_cmd_decode(struct ota_cmd *out, uint8_t *packet, size_t len, const struct ota_cmd_params *in,
		   const struct ota_crypt *crypt)
{
	struct rd r = rd_init(packet, len), body, head;
	size_t cc_len;
	int rc;

	memset(out, 0, sizeof(*out));
	body = rd_sub(&r, rd_be(&r, 2));    /* CPL */
	head = rd_sub(&body, rd_u8(&body)); /* CHL: up to the end of RC/CC */
	if (r.bad || body.bad || head.bad)
		return OTA_E_SHORT;
	cc_len = rd_left(&head);
	if (rd_left(&r) || cc_len < CHL_FIXED)
		return OTA_E_LENGTH;
	cc_len -= CHL_FIXED;
	if (cc_len > OTA_CC_LEN_MAX || cc_len & 1 || cc_len == 6)
		return OTA_E_LENGTH;

	out->p.spi[0] = rd_u8(&head);
	out->p.spi[1] = rd_u8(&head);
	out->p.kic = rd_u8(&head);
	out->p.kid = rd_u8(&head);
	memcpy(out->p.tar, rd_bytes(&head, 3), 3);
	out->p.cc_len = (uint8_t)cc_len;
	out->p.legacy = ecb_used(out->p.spi[0], out->p.spi[1], out->p.kic);
	if (!crypt) {
		if (!OTA_SPI1_CIPHERED(out->p.spi[0]))
			cmd_read_body(out, packet, len, cc_len);
		return 0;
	}

	/* The receiver says how long the checksum is, never the packet: else a short one would be easier to guess. */
	if (in) {
		out->p.kic_ref = in->kic_ref;
		out->p.kid_ref = in->kid_ref;
		out->p.cc_len = in->cc_len;
	}
	rc = cc_len_resolve(&out->p);
	if (rc < 0)
		return rc;
	out->p.cc_len = (uint8_t)rc;
	if (out->p.cc_len != cc_len)
		return OTA_E_LENGTH;

	rc = OTA_SPI1_CIPHERED(out->p.spi[0]) ? packet_decipher(packet + CIPHER_OFF, len - CIPHER_OFF, &out->p, crypt) :
						0;
	if (rc == 0)
		rc = cmd_verify(packet, len, out, crypt);
	if (rc)
		return rc;
	cmd_read_body(out, packet, len, cc_len);
	if (out->pcntr > out->p.data_len || (out->pcntr && !OTA_SPI1_CIPHERED(out->p.spi[0])))
		return OTA_E_PADDING;
	out->p.data_len -= out->pcntr;
	out->opened = true;
	return 0;
}
