/* explain.c - command and response packets field by field: TS 102 225, 5, as TS 31.115 carries them in short messages.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include "explain.h"
#include "ota/rd.h"

#define CHL_FIXED   13
#define RHL_FIXED   10
#define CMD_CLEAR   10 /* CPL .. TAR */
#define RSP_CLEAR   6  /* RPL .. TAR */
#define RSP_HEAD    13 /* RPL .. status */
#define PI_COMMAND  0x70
#define C_225(part) "TS 102 225, " part

/* -------------------------------------------------------------------------------------------------- field by field */

static const char *const integrity_names[] = { "no RC/CC/DS", "RC", "CC", "DS" };

static void explain_spi(struct explain *e, const uint8_t spi[2])
{
	static const char *const counter[] = { "no counter", "counter not checked", "counter must be higher",
					       "counter must be exactly one higher" };
	static const char *const por[] = { "no PoR", "PoR always", "PoR on error", "reserved PoR value" };

	ex(e, "SPI1", spi, 1, C_225("5.1.1"), "%s, %s, %s%s", integrity_names[OTA_SPI1_INTEGRITY(spi[0])],
	   OTA_SPI1_CIPHERED(spi[0]) ? "ciphered" : "not ciphered", counter[OTA_SPI1_COUNTER(spi[0])],
	   spi[0] & 0xe0 ? "; reserved bits are set" : "");
	if (OTA_SPI2_POR(spi[1]) == 0)
		ex(e, "SPI2", spi + 1, 1, C_225("5.1.1"), "no PoR");
	else
		ex(e, "SPI2", spi + 1, 1, C_225("5.1.1"), "%s, with %s, %s, by SMS-%s%s", por[OTA_SPI2_POR(spi[1])],
		   integrity_names[OTA_SPI2_INTEGRITY(spi[1])], OTA_SPI2_CIPHERED(spi[1]) ? "ciphered" : "not ciphered",
		   OTA_SPI2_SUBMIT(spi[1]) ? "SUBMIT" : "DELIVER-REPORT",
		   spi[1] & 0xc0 ? "; reserved bits are set" : "");
}

static const char *alg_text(enum ota_alg alg, bool mac, uint8_t nibble)
{
	switch (alg) {
	case OTA_ALG_DES_CBC:
		return mac ? "DES CBC-MAC" : "DES-CBC";
	case OTA_ALG_DES_ECB:
		return "DES-ECB, reserved since release 6";
	case OTA_ALG_3DES2_CBC:
		return mac ? "3DES CBC-MAC, two keys" : "3DES-CBC, two keys";
	case OTA_ALG_3DES3_CBC:
		return mac ? "3DES CBC-MAC, three keys" : "3DES-CBC, three keys";
	case OTA_ALG_AES_CBC:
		return mac ? "AES-CMAC" : "AES-CBC";
	default:
		return nibble == 0	 ? "algorithm known implicitly" :
		       (nibble & 3) == 3 ? "proprietary algorithm" :
					   "reserved";
	}
}

static void explain_kic_kid(struct explain *e, const uint8_t spi[2], const uint8_t k[2])
{
	unsigned kind = OTA_SPI1_INTEGRITY(spi[0]);

	ex(e, "KIc", k, 1, C_225("5.1.2"), "key version %u, %s%s", k[0] >> 4,
	   alg_text(ota_kic_alg(k[0]), false, k[0] & 15),
	   OTA_SPI1_CIPHERED(spi[0]) ? "" : " (not used for this command)");
	if (kind == 1)
		ex(e, "KID", k + 1, 1, C_225("5.1.3"), "key version %u, %s", k[1] >> 4,
		   (k[1] & 15) == 1 ? "CRC-16" :
		   (k[1] & 15) == 5 ? "CRC-32" :
				      "no RC of this kind");
	else
		ex(e, "KID", k + 1, 1, C_225("5.1.3"), "key version %u, %s", k[1] >> 4,
		   kind ? alg_text(ota_kid_alg(k[1]), true, k[1] & 15) : "no meaning without RC or CC");
	if (k[0] >> 4 != k[1] >> 4)
		ex_wrong(e, "KIc and KID name different key versions (TS 102 225, Annex A)");
}

/* TS 101 220, Annex D, and what cards in the field use */
static const char *tar_name(const uint8_t tar[3])
{
	static const struct {
		uint32_t first, last;
		const char *name;
	} names[] = {
		{ 0x000000, 0x000000, "issuer security domain: remote application management" },
		{ 0xb00000, 0xb00000, "remote file management: files shared by all applications" },
		{ 0xb00010, 0xb00010, "remote file management: on many cards the SIM's files (CLA A0)" },
		{ 0xb00001, 0xb0000f, "remote file management of an application" },
		{ 0xb00011, 0xb00011, "remote file management: on many cards ADF_USIM" },
		{ 0xb00012, 0xb001ff, "remote file management, by the card's profile" },
		{ 0xb10000, 0xb1ffff, "payment application" },
		{ 0xb20100, 0xb20100, "multiplexing application" },
		{ 0xbfff3b, 0xbfff3b, "subscription applet of the card interface 3b" },
		{ 0xbfff00, 0xbfffff, "proprietary toolkit application" },
		{ 0x505348, 0x505348, "S@T browser" },
		{ 0x534054, 0x534054, "S@T browser" },
	};
	uint32_t v = (uint32_t)tar[0] << 16 | (uint32_t)tar[1] << 8 | tar[2];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (v >= names[i].first && v <= names[i].last)
			return names[i].name;
	return "an application of the issuer's own";
}

/* CPL to TAR; the octets of RC/CC/DS by CHL, -1 when it makes no sense. */
static int command_clear(struct explain *e, const uint8_t *p, size_t len)
{
	size_t cpl = (size_t)p[0] << 8 | p[1];
	int n = p[2] - CHL_FIXED;

	ex(e, "CPL", p, 2, C_225("5.1"), "%zu octets follow", cpl);
	if (n < 0)
		ex(e, "CHL", p + 2, 1, C_225("5.1"), "shorter than any header");
	else
		ex(e, "CHL", p + 2, 1, C_225("5.1"), "header of %u octets, %d of them RC/CC/DS", p[2], n);
	explain_spi(e, p + 3);
	explain_kic_kid(e, p + 3, p + 5);
	ex(e, "TAR", p + 7, 3, "TS 101 220, Annex D", "%s", tar_name(p + 7));
	return n;
}

static void response_clear(struct explain *e, const uint8_t *p)
{
	int n = p[2] - RHL_FIXED;

	ex(e, "RPL", p, 2, C_225("5.2"), "%u octets follow", p[0] << 8 | p[1]);
	if (n < 0)
		ex(e, "RHL", p + 2, 1, C_225("5.2"), "shorter than any header");
	else
		ex(e, "RHL", p + 2, 1, C_225("5.2"), "header of %u octets, %d of them RC/CC/DS", p[2], n);
	ex(e, "TAR", p + 3, 3, "TS 101 220, Annex D", "%s", tar_name(p + 3));
}

void explain_head(struct explain *e, const uint8_t *p, size_t len, uint8_t pi)
{
	if (pi == PI_COMMAND && len >= CMD_CLEAR)
		(void)command_clear(e, p, len);
	else if (pi != PI_COMMAND && len >= RSP_CLEAR)
		response_clear(e, p);
}

static void explain_cntr(struct explain *e, const uint8_t *p)
{
	struct rd r = rd_init(p, 5);

	ex(e, "CNTR", p, 5, C_225("5.1.4"), "counter %llu", (unsigned long long)rd_be(&r, 5));
}

static void explain_padding(struct explain *e, const uint8_t *p, size_t len)
{
	if (len)
		ex(e, "padding", p, len, C_225("5.1"), "%zu octets for the cipher block; their content says nothing",
		   len);
}

/* ------------------------------------------------------------------------------------------------------------ keys */

/* A key of the file: kic_key, or KIC1 (kic1) by key version. */
static const char *key_of(const struct explain *e, const char *plain, const char *stem, unsigned kvn)
{
	const char *v = json_string_value(json_object_get(e->key_file, plain)), *key;
	char name[16];
	json_t *item;

	snprintf(name, sizeof(name), "%s%u", stem, kvn);
	json_object_foreach(e->key_file, key, item) if (!v && !strcasecmp(key, name)) v = json_string_value(item);
	return v;
}

/* Loads what `which` asks for; false and a line that says why not. */
static bool keys_load(struct explain *e, struct ota_cmd_params *p, unsigned which)
{
	json_t *in = json_object();
	struct packet_line l = { .in = in };
	const char *kic = key_of(e, "kic_key", "kic", p->kic >> 4), *kid = key_of(e, "kid_key", "kid", p->kid >> 4);
	bool ok;

	if (kic)
		json_object_set_new(in, "kic_key", json_string(kic));
	if (kid)
		json_object_set_new(in, "kid_key", json_string(kid));
	ok = packet_keys_load(&e->keys, &l, p, which);
	if (!ok)
		ex_wrong(e, "keys: %s", l.why);
	json_decref(in);
	return ok;
}

/* --------------------------------------------------------------------------------------------------------- command */

static void command_body(struct explain *e, const struct ota_cmd *c, const uint8_t *p)
{
	explain_cntr(e, p + CMD_CLEAR);
	ex(e, "PCNTR", p + CMD_CLEAR + 5, 1, C_225("5.1"), "%u octets of padding", c->pcntr);
	if (c->p.cc_len)
		ex(e, integrity_names[OTA_SPI1_INTEGRITY(c->p.spi[0])], c->cc, c->p.cc_len, C_225("5.1.3"), "%s",
		   c->opened ? "checked: right" : "not checked, a key is needed");
	ex(e, "secured data", c->p.data, c->p.data_len, C_225("5.1"), "%zu octets", c->p.data_len);
	e->depth++;
	if (c->p.data_len)
		explain_script(e, c->p.data, c->p.data_len);
	e->depth--;
	explain_padding(e, c->p.data + c->p.data_len, c->pcntr);
}

/* With keys, or without any where none is needed. */
static void command_open(struct explain *e, uint8_t *copy, size_t len, struct ota_cmd *c)
{
	struct ota_crypt crypt = ks_crypt(e->keys.ks);
	struct ota_cmd_params p = c->p;
	bool ciphered = OTA_SPI1_CIPHERED(p.spi[0]);
	unsigned which = packet_keys_of_command(&p);
	int rc;

	if (which && !e->key_file) {
		if (ciphered)
			ex(e, "ciphered", copy + CMD_CLEAR, len - CMD_CLEAR, C_225("5.1"),
			   "CNTR, PCNTR, RC/CC, data and padding; --keys FILE opens them");
		else
			command_body(e, c, copy);
		return;
	}
	if (!keys_load(e, &p, which))
		return;
	rc = ota_cmd_decode(c, copy, len, &p, &crypt);
	packet_keys_drop(&e->keys);
	if (rc) {
		ex_wrong(e, "does not open: %s", ota_strerror(rc));
		return;
	}
	command_body(e, c, copy);
	e->sent = c->p;
	e->sent.data = NULL;
	e->have_sent = true;
}

void explain_command(struct explain *e, const uint8_t *p, size_t len)
{
	uint8_t copy[EXPLAIN_MAX];
	struct ota_cmd c;
	int n, rc;

	if (len < CMD_CLEAR || len > sizeof(copy)) {
		ex_wrong(e, "%zu octets are no command packet", len);
		return;
	}
	n = command_clear(e, p, len);
	memcpy(copy, p, len);
	rc = ota_cmd_decode(&c, copy, len, NULL, NULL);
	if (rc) {
		ex_wrong(e, "%s", ota_strerror(rc));
		return;
	}
	rc = ota_cc_len(c.p.spi[0], c.p.kid);
	if (rc < 0)
		ex_wrong(e, "%s", ota_strerror(rc));
	else if (rc != n && !(rc == 8 && n == 4 && ota_kid_alg(c.p.kid) == OTA_ALG_AES_CBC))
		ex_wrong(e, "CHL says %d octets of RC/CC, SPI and KID say %d", n, rc);
	else
		command_open(e, copy, len, &c);
}

/* -------------------------------------------------------------------------------------------------------- response */

static void response_body(struct explain *e, const uint8_t *p, size_t cc_len, const char *cc_name, const char *cc_state,
			  const struct ota_rsp *r)
{
	explain_cntr(e, p + RSP_CLEAR);
	ex(e, "PCNTR", p + RSP_CLEAR + 5, 1, C_225("5.2"), "%u octets of padding", p[RSP_CLEAR + 5]);
	ex(e, "status", p + RSP_CLEAR + 6, 1,
	   p[RSP_CLEAR + 6] == 0x0b || p[RSP_CLEAR + 6] == 0x0c ? "TS 31.115, 7" : C_225("table 5"), "%s",
	   ota_por_status_name(p[RSP_CLEAR + 6]));
	if (cc_len)
		ex(e, cc_name, p + RSP_HEAD, cc_len, C_225("5.2"), "%s", cc_state);
	if (r->data_len) {
		ex(e, "answer", r->data, r->data_len, C_225("5.2"), "%zu octets", r->data_len);
		e->depth++;
		explain_answer(e, r->data, r->data_len);
		e->depth--;
		explain_padding(e, r->data + r->data_len, r->pcntr);
	}
}

/* What can be said when nobody told which command it answers. */
static void response_unknown(struct explain *e, const uint8_t *p, size_t len, size_t cc_len)
{
	uint8_t pcntr = p[RSP_CLEAR + 5], status = p[RSP_CLEAR + 6];
	bool plausible = status <= OTA_POR_DATA_BY_USSD && pcntr == 0;
	struct ota_rsp r = { .data = p + RSP_HEAD + cc_len, .data_len = len - RSP_HEAD - cc_len };

	if (!plausible) {
		ex(e, "ciphered", p + RSP_CLEAR, len - RSP_CLEAR, C_225("5.2"),
		   "by the look of it: PCNTR and status make no sense; --keys FILE with the command's fields opens it");
		return;
	}
	ex(e, "in clear", NULL, 0, C_225("5.2"), "by the look of it; SPI2 of the command would tell");
	response_body(e, p, cc_len, "RC/CC/DS", "not checked", &r);
}

/* The command's parameters: from --keys, else the last command explained. */
static bool sent_find(struct explain *e, struct ota_cmd_params *sent)
{
	struct packet_line l = { .in = e->key_file };

	*sent = (struct ota_cmd_params){ 0 };
	if (json_object_get(e->key_file, "spi2")) {
		packet_params(&l, sent, false);
		if (l.why[0])
			ex_wrong(e, "keys: %s", l.why);
		return !l.why[0];
	}
	*sent = e->sent;
	return e->have_sent;
}

void explain_response(struct explain *e, const uint8_t *p, size_t len)
{
	struct ota_crypt crypt = ks_crypt(e->keys.ks);
	struct ota_cmd_params sent;
	uint8_t copy[EXPLAIN_MAX], tar[3];
	size_t cc_len;
	struct ota_rsp r;
	int rc;

	if (len < RSP_HEAD || len > sizeof(copy)) {
		ex_wrong(e, "%zu octets are no response packet", len);
		return;
	}
	response_clear(e, p);
	rc = ota_rsp_peek_tar(p, len, tar);
	if (rc) {
		ex_wrong(e, "%s", ota_strerror(rc));
		return;
	}
	cc_len = (size_t)p[2] - RHL_FIXED;
	if (!sent_find(e, &sent)) {
		response_unknown(e, p, len, cc_len);
		return;
	}
	if (!sent.cc_len && cc_len == 4)
		sent.cc_len = 4; /* the shorter AES-CMAC, which nothing but the packet tells here */
	if (packet_keys_of_response(&sent) && !keys_load(e, &sent, packet_keys_of_response(&sent)))
		return;
	memcpy(copy, p, len);
	(void)ota_rsp_open(&r, copy, len, &sent, &crypt); /* the verdict says it all */
	packet_keys_drop(&e->keys);
	if (r.verdict == OTA_REJECT) {
		ex_wrong(e, "does not open as the answer to the command: %s", ota_strerror(r.why));
		return;
	}
	response_body(e, copy, cc_len, integrity_names[OTA_SPI2_INTEGRITY(sent.spi[1])], "checked: right", &r);
	ex(e, "verdict", NULL, 0, "", "%s%s", ota_verdict_name(r.verdict),
	   r.verdict == OTA_ACCEPT_UNAUTHENTICATED ? ": an error in clear, anybody could have sent it" :
	   r.verdict == OTA_ACCEPT_UNCORRELATED	   ? ": genuine, but TAR or CNTR are another command's" :
						     "");
}
