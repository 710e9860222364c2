/* decode.c - a stored packet as people read it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "decode.h"

#include <stdio.h>
#include <string.h>

#include "words.h"

#define DECODE_VALUE_MAX 20 /* octets of a written value that are shown */

/* TS 102 221, table 10.5 */
#define INS_SELECT	  0xa4
#define INS_UPDATE_BINARY 0xd6
#define INS_UPDATE_RECORD 0xdc

static void spi_describe(struct decoded *d)
{
	static const char *const integrity[] = { "no integrity", "RC", "CC", "DS" };
	static const char *const counter[] = { "no counter", "counter unchecked", "counter higher",
					       "counter one higher" };
	static const char *const por[] = { "no PoR", "PoR always", "PoR on error", "PoR reserved" };
	uint8_t s1 = d->spi[0], s2 = d->spi[1];

	/* TS 102 225, 5.1.1 */
	snprintf(d->spi_text[0], sizeof(d->spi_text[0]), "%s, %s, %s", integrity[OTA_SPI1_INTEGRITY(s1)],
		 OTA_SPI1_CIPHERED(s1) ? "ciphered" : "in clear", counter[OTA_SPI1_COUNTER(s1)]);
	snprintf(d->spi_text[1], sizeof(d->spi_text[1]), "%s, %s, %s, by %s", por[OTA_SPI2_POR(s2)],
		 integrity[OTA_SPI2_INTEGRITY(s2)], OTA_SPI2_CIPHERED(s2) ? "ciphered" : "in clear",
		 OTA_SPI2_SUBMIT(s2) ? "SMS-SUBMIT" : "DELIVER-REPORT");
	snprintf(d->kic_text, sizeof(d->kic_text), "version %u, %s", d->kic >> 4, ota_alg_name(ota_kic_alg(d->kic)));
	snprintf(d->kid_text, sizeof(d->kid_text), "version %u, %s", d->kid >> 4, ota_alg_name(ota_kid_alg(d->kid)));
}

static void head_of(struct decoded *d, const struct ota_cmd_params *p)
{
	memcpy(d->spi, p->spi, sizeof(d->spi));
	memcpy(d->tar, p->tar, sizeof(d->tar));
	d->kic = p->kic;
	d->kid = p->kid;
	spi_describe(d);
}

/* A script on its way through add_apdu(): the file selected last tells what an UPDATE means. */
struct script_walk {
	struct decoded *d;
	uint16_t fid;
};

/* Files that hold keys (TS 31.102, 4.2 and 4.4; Kc and KcGPRS of TS 51.011), and those that we do not know: they might. */
static bool may_hold_keys(uint16_t fid)
{
	static const uint16_t keys[] = { USIM_FID_KEYS,
					 USIM_FID_KEYSPS,
					 USIM_FID_EPSNSC,
					 USIM_FID_5GS3GPPNSC,
					 USIM_FID_5GSN3GPPNSC,
					 USIM_FID_5GAUTHKEYS,
					 0x4f20,
					 0x4f52,
					 0x6f20,
					 0x6f52 };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i] == fid)
			return true;
	return !usim_file_name(fid);
}

/* Nothing but FF behind the first octet: a key set identifier that says "none". */
static bool erased(const uint8_t *data, size_t len)
{
	for (size_t i = 1; i < len; i++)
		if (data[i] != 0xff)
			return false;
	return len;
}

/* The octets an UPDATE writes, and what they are where that is known. */
static void add_value(const struct script_walk *w, char *text, const uint8_t *data, size_t len)
{
	size_t n = strlen(text), shown = len < DECODE_VALUE_MAX ? len : DECODE_VALUE_MAX;
	char hex[2 * DECODE_VALUE_MAX + 1], imsi[16];

	if (may_hold_keys(w->fid)) {
		snprintf(text + n, DECODE_TEXT_MAX - n, erased(data, len) ? ": erased" : ": not shown");
		return;
	}
	hex_encode(hex, data, shown);
	if (w->fid == USIM_FID_IMSI && !usim_imsi_decode(imsi, data, len))
		snprintf(text + n, DECODE_TEXT_MAX - n, ": %s (IMSI %s)", hex, imsi);
	else
		snprintf(text + n, DECODE_TEXT_MAX - n, ": %s%s", hex, shown < len ? "..." : "");
}

static int add_apdu(void *ctx, const uint8_t *apdu, size_t len)
{
	struct script_walk *w = ctx;
	struct decoded *d = w->d;
	char *text;

	if (d->n_apdus == DECODE_APDUS_MAX) {
		d->apdus_cut = true;
		return 1;
	}
	text = d->apdu[d->n_apdus++];
	ota_apdu_describe(text, DECODE_TEXT_MAX, apdu, len);
	if (len == 7 && apdu[1] == INS_SELECT)
		w->fid = (uint16_t)(apdu[5] << 8 | apdu[6]);
	else if (len > 5 && (apdu[1] == INS_UPDATE_BINARY || apdu[1] == INS_UPDATE_RECORD))
		add_value(w, text, apdu + 5, len - 5);
	return 0;
}

static void add_script(struct decoded *d, const uint8_t *data, size_t len)
{
	struct script_walk w = { .d = d };
	int rc = ota_cmd_each(data, len, add_apdu, &w);

	if (rc < 0)
		snprintf(d->note, sizeof(d->note), "the secured data is no script: %s", ota_strerror(rc));
	else if (d->apdus_cut)
		snprintf(d->note, sizeof(d->note), "only the first %d commands are shown", DECODE_APDUS_MAX);
}

/* Lends the keyset's reference for one decode. */
static int keys_load(const struct decode_keys *k, uint32_t *set, char *note, size_t cap)
{
	int rc;

	*set = 0;
	if (!k || !k->ks || !k->keyset) {
		snprintf(note, cap, "not opened: %s",
			 k && k->replaced ? "the keys of this version have been replaced since" :
					    "the card has no keys of this version");
		return -1;
	}
	rc = ks_load(k->ks, k->iccid, k->keyset->kvn, k->keyset->sealed, k->keyset->sealed_len, set);
	if (rc)
		snprintf(note, cap, "not opened: %s", ks_strerror(rc));
	return rc;
}

void decode_command(struct decoded *d, const uint8_t *packet, size_t len, uint8_t cc_len, const struct decode_keys *k)
{
	uint8_t copy[OTA_PACKET_MAX];
	struct ota_cmd cmd;
	uint32_t set;
	int rc;

	*d = (struct decoded){ .kind = DECODED_NOTHING, .packet_len = len };
	if (len > sizeof(copy) || !len) {
		snprintf(d->note, sizeof(d->note), "%s", ota_strerror(len ? OTA_E_LENGTH : OTA_E_SHORT));
		return;
	}
	memcpy(copy, packet, len);
	rc = ota_cmd_decode(&cmd, copy, len, NULL, NULL);
	if (rc) {
		snprintf(d->note, sizeof(d->note), "not a command packet: %s", ota_strerror(rc));
		return;
	}
	d->kind = DECODED_COMMAND;
	head_of(d, &cmd.p);
	if (!OTA_SPI1_CIPHERED(d->spi[0])) {
		d->cntr_known = true;
		d->cntr = cmd.p.cntr;
		d->pcntr = cmd.pcntr;
	}
	if (!k) {
		if (OTA_SPI1_CIPHERED(d->spi[0]))
			snprintf(d->note, sizeof(d->note),
				 "ciphered from the counter on: the rest needs the card's keys");
		else
			add_script(d, cmd.p.data, cmd.p.data_len);
		return;
	}
	if (keys_load(k, &set, d->note, sizeof(d->note)))
		return;
	{
		const struct ota_crypt crypt = ks_crypt(k->ks);
		const struct ota_cmd_params in = { .kic_ref = { set, KS_KEY_KIC },
						   .kid_ref = { set, KS_KEY_KID },
						   .cc_len = cc_len };

		memcpy(copy, packet, len);
		rc = ota_cmd_decode(&cmd, copy, len, &in, &crypt);
	}
	ks_unload(k->ks, set);
	if (rc) {
		snprintf(d->note, sizeof(d->note), "not opened: the card's keys do not fit this packet (%s)",
			 ota_strerror(rc));
	} else {
		d->opened = d->cntr_known = true;
		d->cntr = cmd.p.cntr;
		d->pcntr = cmd.pcntr;
		add_script(d, cmd.p.data, cmd.p.data_len);
	}
	ks_wipe(copy, sizeof(copy));
}

/* Why a card went no further, in expanded format (TS 102 226, 5.2.2). */
static void stop_note(struct decoded *d, const struct ota_script_rsp *r)
{
	if (r->bad_format >= 0)
		snprintf(d->note, sizeof(d->note), "bad format: %s", ota_bad_format_name(r->bad_format));
	else if (r->immediate >= 0)
		snprintf(d->note, sizeof(d->note), "immediate action: no proactive session");
	else if (r->chaining >= 0)
		snprintf(d->note, sizeof(d->note), "chaining: %s", ota_chaining_name(r->chaining));
}

/* The answer of a script, and what its last READ brought when it is a file we know. */
static void add_run(struct decoded *d, const uint8_t *data, size_t len)
{
	struct ota_rapdu_iter it = { 0 };
	struct ota_rapdu r = { 0 };
	struct ota_script_rsp run;
	char imsi[16];

	if (!len)
		return;
	if (ota_script_rsp_parse(&run, OTA_FORMAT_UNKNOWN, data, len)) {
		snprintf(d->note, sizeof(d->note), "the additional response data is not a script's");
		d->data_len = len < sizeof(d->data) ? len : sizeof(d->data);
		memcpy(d->data, data, d->data_len);
		return;
	}
	while (ota_rapdu_next(&run, &it, &r))
		if (run.format != OTA_FORMAT_COMPACT && d->n_sws < DECODE_APDUS_MAX)
			d->sws[d->n_sws++] = r.sw;
	d->has_run = true;
	d->executed = run.executed >= 0 ? (unsigned)run.executed : run.rapdus;
	d->sw = run.last_sw;
	d->sw_text = ota_sw_name(run.last_sw);
	stop_note(d, &run);
	d->data_len = r.data_len < sizeof(d->data) ? r.data_len : sizeof(d->data);
	if (d->data_len)
		memcpy(d->data, r.data, d->data_len);
	if (r.data_len == USIM_IMSI_LEN && !usim_imsi_decode(imsi, r.data, r.data_len))
		snprintf(d->data_text, sizeof(d->data_text), "as EF_IMSI: %s", imsi);
}

static void verdict_note(struct decoded *d, const struct ota_rsp *rsp)
{
	switch (rsp->verdict) {
	case OTA_ACCEPT:
		break;
	case OTA_ACCEPT_UNAUTHENTICATED:
		snprintf(d->note, sizeof(d->note),
			 "in clear although security was asked for: a hint only, anybody could have sent it");
		break;
	case OTA_ACCEPT_UNCORRELATED:
		snprintf(d->note, sizeof(d->note),
			 "integrity is right, but it answers another command (CNTR or TAR differ)");
		break;
	default:
		snprintf(d->note, sizeof(d->note), "not an answer to this command: %s", ota_strerror(rsp->why));
	}
}

void decode_response(struct decoded *d, const uint8_t *packet, size_t len, const struct cmd_row *cmd,
		     const struct decode_keys *k)
{
	struct ota_cmd_params sent = { .kic = cmd->kic, .kid = cmd->kid, .cntr = cmd->cntr, .cc_len = cmd->cc_len };
	uint8_t copy[OTA_PACKET_MAX];
	struct ota_crypt crypt;
	struct ota_rsp rsp;
	uint32_t set;

	*d = (struct decoded){ .kind = DECODED_NOTHING, .packet_len = len };
	if (len > sizeof(copy) || ota_rsp_peek_tar(packet, len, d->tar)) {
		snprintf(d->note, sizeof(d->note), "not a response packet");
		return;
	}
	d->kind = DECODED_RESPONSE;
	memcpy(sent.spi, cmd->spi, sizeof(sent.spi));
	memcpy(sent.tar, cmd->tar, sizeof(sent.tar));
	head_of(d, &sent);
	ota_rsp_peek_tar(packet, len, d->tar);
	if (keys_load(k, &set, d->note, sizeof(d->note)))
		return;
	sent.kic_ref = (struct ks_ref){ set, KS_KEY_KIC };
	sent.kid_ref = (struct ks_ref){ set, KS_KEY_KID };
	crypt = ks_crypt(k->ks);
	memcpy(copy, packet, len);
	ota_rsp_open(&rsp, copy, len, &sent, &crypt);
	ks_unload(k->ks, set);
	d->verdict = ota_verdict_name(rsp.verdict);
	d->opened = rsp.secured;
	verdict_note(d, &rsp);
	if (rsp.verdict != OTA_REJECT) {
		d->cntr_known = true;
		d->cntr = rsp.cntr;
		d->pcntr = rsp.pcntr;
		d->status = rsp.status;
		d->status_text = ota_por_status_name(rsp.status);
		add_run(d, rsp.data, rsp.data_len);
	}
	ks_wipe(copy, sizeof(copy));
}

void decode_clear(struct decoded *d, const uint8_t *octets, size_t len)
{
	struct ota_udh udh;

	/* A TP-UD begins with a UDH that names a command (70) or response (71) packet: TS 31.115, 4.2. */
	if (!ota_udh_parse(&udh, octets, len) && (udh.pi == 0x70 || udh.pi == 0x71) &&
	    (!udh.concat || udh.total == 1)) {
		octets += udh.len;
		len -= udh.len;
		if (udh.pi == 0x71) {
			*d = (struct decoded){ .kind = DECODED_NOTHING, .packet_len = len };
			if (ota_rsp_peek_tar(octets, len, d->tar)) {
				snprintf(d->note, sizeof(d->note), "not a response packet");
				return;
			}
			d->kind = DECODED_RESPONSE;
			snprintf(d->note, sizeof(d->note), "a response is opened against its command: see card show");
			return;
		}
	} else if (!ota_udh_parse(&udh, octets, len) && udh.concat && udh.total > 1) {
		*d = (struct decoded){ .kind = DECODED_NOTHING };
		snprintf(d->note, sizeof(d->note), "segment %u of %u: give the joined packet", udh.seq, udh.total);
		return;
	}
	decode_command(d, octets, len, 0, NULL);
}
