/* rsp_packet.c - response packets, the PoR: TS 102 225, 5.2, as TS 31.115 clause 4 carries them in short messages.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 *	RPL(2) RHL TAR(3) CNTR(5) PCNTR status RC/CC data padding
 *
 * Ciphered from CNTR on with the command's keys.  Other than in a command the checksum starts with the User Data
 * Header 02 71 00, and always with exactly this one, however the response was split.
 */
#include <string.h>

#include "ota/codec.h"
#include "ota/rd.h"
#include "ota/wr.h"

#include "codec_int.h"

#define RHL_FIXED   10 /* TAR .. status: RHL is this plus RC/CC */
#define HEAD_LEN    13 /* RPL .. status */
#define CIPHER_OFF  6  /* CNTR, the first ciphered octet */
#define PLAIN_FIXED 7  /* ciphered octets before RC/CC: CNTR, PCNTR, status */

static const uint8_t rsp_udh[] = { 0x02, 0x71, 0x00 };

/* Octets of RC/CC the command asked for.  sent->cc_len is the command's own; it only tells which of the two AES-CMAC
 * lengths the keyset has. */
static int rsp_cc_len(const struct ota_cmd_params *sent)
{
	unsigned integrity = OTA_SPI2_INTEGRITY(sent->spi[1]);
	int n = integrity_len(integrity, sent->kid);

	if (integrity == INTEGRITY_CC && ota_kid_alg(sent->kid) == OTA_ALG_AES_CBC && sent->cc_len == 4)
		return 4;
	return n;
}

/* The packet's own lengths: RPL covers exactly what is there, RHL reaches from TAR to the end of RC/CC.  Gives the
 * octets of RC/CC, or an error. */
static int rsp_frame(const uint8_t *packet, size_t len, uint8_t tar[3])
{
	struct rd in = rd_init(packet, len);
	struct rd body = rd_sub(&in, rd_be(&in, 2));  /* RPL */
	struct rd head = rd_sub(&body, rd_u8(&body)); /* RHL */
	size_t n = rd_left(&head);

	if (in.bad || body.bad || head.bad)
		return OTA_E_SHORT;
	if (rd_left(&in) || n < RHL_FIXED)
		return OTA_E_LENGTH;
	n -= RHL_FIXED;
	if (n > OTA_CC_LEN_MAX || n & 1 || n == 6)
		return OTA_E_LENGTH;
	memcpy(tar, rd_bytes(&head, 3), 3);
	return (int)n;
}

int ota_rsp_peek_tar(const uint8_t *packet, size_t len, uint8_t tar[3])
{
	int n = rsp_frame(packet, len, tar);

	return n < 0 ? n : 0;
}

/* CNTR .. padding, once in clear. */
static void rsp_read(struct ota_rsp *out, const uint8_t *packet, size_t len, size_t cc_len)
{
	struct rd in = rd_init(packet, len);

	rd_bytes(&in, CIPHER_OFF);
	out->cntr = rd_be(&in, 5);
	out->pcntr = rd_u8(&in);
	out->status = rd_u8(&in);
	rd_bytes(&in, cc_len);
	out->data_len = rd_left(&in);
	out->data = rd_bytes(&in, out->data_len);
}

/* RC or CC of a response in clear, into mac. */
static int rsp_mac(uint8_t mac[OTA_MAC_LEN_MAX], const uint8_t *packet, size_t len, size_t cc_len,
		   const struct ota_cmd_params *sent, const struct ota_crypt *crypt)
{
	struct ota_mac_job job = {
		.key = sent->kid_ref,
		.alg = ota_kid_alg(sent->kid),
		.part = { { rsp_udh, sizeof(rsp_udh) },
			  { packet, HEAD_LEN },
			  { packet + HEAD_LEN + cc_len, len - HEAD_LEN - cc_len } },
		.parts = 3,
		.mac_len = (uint8_t)cc_len,
		.mac = mac,
		.rc = OTA_E_KEY,
	};

	if (OTA_SPI2_INTEGRITY(sent->spi[1]) == INTEGRITY_RC) {
		rc_write(mac, cc_len, job.part, job.parts);
		return 0;
	}
	if (crypt && crypt->mac)
		crypt->mac(crypt->ctx, &job, 1);
	return job.rc;
}

/* A card that cannot authenticate a command answers in clear, often with CNTR 0, whatever SPI2 asked for: RHL 0A, a
 * status other than 00, no data.  Nobody signed it, so it is a hint; and "executed" can never be one. */
static int rsp_clear_error(struct ota_rsp *out, const uint8_t *packet, size_t len, const struct ota_cmd_params *sent)
{
	rsp_read(out, packet, len, 0);
	if (out->status == OTA_POR_OK)
		return OTA_E_UNSECURED;
	if (out->pcntr)
		return OTA_E_PADDING;
	if (memcmp(out->tar, sent->tar, 3) || (out->cntr && out->cntr != sent->cntr))
		return OTA_E_UNMATCHED;
	out->verdict = OTA_ACCEPT_UNAUTHENTICATED;
	return 0;
}

/* Whose answer is it?  Integrity was as asked for. */
static int rsp_correlate(struct ota_rsp *out, const struct ota_cmd_params *sent)
{
	bool same_tar = memcmp(out->tar, sent->tar, 3) == 0;

	/* Without a checksum a foreign TAR is as likely a flipped bit. */
	if (!same_tar && !out->secured)
		return OTA_E_UNMATCHED;
	if (same_tar && out->cntr == sent->cntr)
		out->verdict = OTA_ACCEPT;
	else
		out->verdict = OTA_ACCEPT_UNCORRELATED;
	return 0;
}

static int rsp_open(struct ota_rsp *out, uint8_t *packet, size_t len, const struct ota_cmd_params *sent,
		    const struct ota_crypt *crypt)
{
	bool ciphered = OTA_SPI2_CIPHERED(sent->spi[1]);
	int want = rsp_cc_len(sent), have = rsp_frame(packet, len, out->tar), rc;
	uint8_t mac[OTA_MAC_LEN_MAX] = { 0 };

	if (have < 0)
		return have;
	if (want < 0)
		return want;
	if (have == 0 && len == HEAD_LEN && (want || ciphered))
		return rsp_clear_error(out, packet, len, sent);
	if (have == 0 && want)
		return OTA_E_UNSECURED;
	if (have != want)
		return OTA_E_LENGTH;

	rc = ciphered ? packet_decipher(packet + CIPHER_OFF, len - CIPHER_OFF, sent, crypt) : 0;
	if (rc)
		return rc;
	if (want) {
		rc = rsp_mac(mac, packet, len, (size_t)want, sent, crypt);
		if (rc)
			return rc;
		if (!ct_equal(mac, packet + HEAD_LEN, (size_t)want))
			return OTA_E_CC;
		out->secured = true;
	}
	rsp_read(out, packet, len, (size_t)want);
	if (out->pcntr > out->data_len || (out->pcntr && !ciphered))
		return OTA_E_PADDING;
	out->data_len -= out->pcntr;
	/* No security was asked for, and the card did not read as far as CNTR: as good a hint as any. */
	if (!want && !ciphered && out->cntr == 0 && sent->cntr && len == HEAD_LEN && out->status != OTA_POR_OK)
		return rsp_clear_error(out, packet, len, sent);
	return rsp_correlate(out, sent);
}

int ota_rsp_open(struct ota_rsp *out, uint8_t *packet, size_t len, const struct ota_cmd_params *sent,
		 const struct ota_crypt *crypt)
{
	memset(out, 0, sizeof(*out));
	out->why = rsp_open(out, packet, len, sent, crypt);
	if (out->why) {
		/* Nothing that failed a check is handed on, not even by accident. */
		out->verdict = OTA_REJECT;
		out->secured = false;
		out->data = NULL;
		out->data_len = 0;
	}
	return out->why;
}

int ota_rsp_encode(uint8_t *buf, size_t cap, const struct ota_cmd_params *sent, uint8_t status, const uint8_t *data,
		   size_t data_len, const struct ota_crypt *crypt)
{
	bool ciphered = OTA_SPI2_CIPHERED(sent->spi[1]);
	enum ota_alg alg = ota_kic_alg(sent->kic);
	size_t block = ota_alg_block(alg), cc_len, pcntr = 0, len;
	uint8_t mac[OTA_MAC_LEN_MAX] = { 0 };
	struct wr out = wr_init(buf, cap);
	int rc = rsp_cc_len(sent);

	if (rc < 0)
		return rc;
	if (ciphered && alg == OTA_ALG_NONE)
		return OTA_E_ALG;
	if (ciphered && alg == OTA_ALG_DES_ECB && !sent->legacy)
		return OTA_E_LEGACY;
	if (data_len > OTA_PACKET_PROTOCOL_MAX || (data_len && !data))
		return OTA_E_LENGTH;
	cc_len = (size_t)rc;
	if (ciphered)
		pcntr = (block - (PLAIN_FIXED + cc_len + data_len) % block) % block;
	len = HEAD_LEN + cc_len + data_len + pcntr;

	wr_be(&out, len - 2, 2);
	wr_u8(&out, (uint8_t)(RHL_FIXED + cc_len));
	wr_bytes(&out, sent->tar, 3);
	wr_be(&out, sent->cntr, 5);
	wr_u8(&out, (uint8_t)pcntr);
	wr_u8(&out, status);
	wr_fill(&out, 0, cc_len);
	wr_bytes(&out, data, data_len);
	wr_fill(&out, 0, pcntr);
	if (out.bad)
		return OTA_E_SPACE;
	if (len > OTA_PACKET_PROTOCOL_MAX)
		return OTA_E_LENGTH;

	if (cc_len) {
		rc = rsp_mac(mac, buf, len, cc_len, sent, crypt);
		if (rc)
			return rc;
		memcpy(buf + HEAD_LEN, mac, cc_len);
	}
	if (ciphered) {
		struct ota_cipher_job job = {
			.key = sent->kic_ref,
			.alg = alg,
			.buf = buf + CIPHER_OFF,
			.len = len - CIPHER_OFF,
			.rc = OTA_E_KEY,
		};

		if (crypt && crypt->cipher)
			crypt->cipher(crypt->ctx, &job, 1);
		if (job.rc)
			return job.rc;
	}
	return (int)len;
}
