/* explain_card.c - what the card is told and what it answers: TS 102 226, 5 and 8; files of TS 31.102, 4.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "ota/ram.h"
#include "ota/subscription.h"

#define C_226(part) "TS 102 226, " part
#define APDU_HEAD   5

/* ------------------------------------------------------------------------------------------------------------ files */

static const struct {
	const char *name;
	uint16_t fid; /* by which a script gets there */
	const char *clause;
} dfs[_USIM_DFS] = {
	[USIM_MF] = { "3f00", 0x3f00, "TS 102 221, 13" },	 [USIM_ADF] = { "7fff", 0x7fff, "TS 31.102, 4.2" },
	[USIM_DF_5GS] = { "5fc0", 0x5fc0, "TS 31.102, 4.4.11" }, [USIM_DF_GSM] = { "7f20", 0x7f20, "TS 51.011, 10.3" },
	[USIM_ADF_ISIM] = { "isim", 0, "TS 31.103, 4.2" },
};

bool explain_file_named(struct explain *e, const char *name)
{
	char *end;
	unsigned long fid = strtoul(name, &end, 16);

	if (end != name + 4 || (*end && *end != '@') || fid > 0xffff) {
		ctl_error("--file '%s': four hex digits, and @ with a directory if need be: 6f07, 6f07@7f20, 6f02@isim",
			  name);
		return false;
	}
	for (unsigned df = 0; df < _USIM_DFS; df++) {
		if (*end ? strcasecmp(end + 1, dfs[df].name) : !usim_file_find((enum usim_df)df, (uint16_t)fid))
			continue;
		if (!usim_file_find((enum usim_df)df, (uint16_t)fid))
			break;
		e->df = (enum usim_df)df;
		e->fid = (uint16_t)fid;
		e->have_file = true;
		return true;
	}
	ctl_error("--file '%s' is not among the files of TS 31.102, 31.103 and 51.011 that are known here", name);
	return false;
}

/* Contents of e->fid, `indented` under the command that carries them. */
static void file_contents(struct explain *e, const uint8_t *p, size_t len, bool whole)
{
	const struct usim_file *f = usim_file_find(e->df, e->fid);
	char text[EXPLAIN_TEXT_MAX];
	int rc;

	if (!f)
		return;
	rc = usim_describe(text, sizeof(text), e->df, e->fid, p, len);
	if (!rc)
		ex(e, f->name, p, len, dfs[e->df].clause, "%s", text);
	else if (whole)
		ex_wrong(e, "%s", text);
}

void explain_file(struct explain *e, const uint8_t *p, size_t len)
{
	char text[EXPLAIN_TEXT_MAX];

	if (!e->have_file && len == USIM_ICCID_LEN && !usim_iccid_decode(text, p, len))
		explain_file_named(e, "2fe2");
	else if (!e->have_file)
		explain_file_named(e, "6f07");
	file_contents(e, p, len, true);
}

/* ---------------------------------------------------------------------------------------------------------- scripts */

struct script {
	struct explain *e;
	unsigned n;
};

static const char *apdu_clause(uint8_t cla, uint8_t ins)
{
	static const struct {
		uint8_t ins;
		const char *clause;
	} clauses[] = {
		{ 0xa4, "TS 102 221, 11.1.1" },	 { 0xf2, "TS 102 221, 11.1.2" },  { 0xb0, "TS 102 221, 11.1.3" },
		{ 0xd6, "TS 102 221, 11.1.4" },	 { 0xb2, "TS 102 221, 11.1.5" },  { 0xdc, "TS 102 221, 11.1.6" },
		{ 0xa2, "TS 102 221, 11.1.7" },	 { 0x32, "TS 102 221, 11.1.8" },  { 0x20, "TS 102 221, 11.1.9" },
		{ 0x24, "TS 102 221, 11.1.10" }, { 0x26, "TS 102 221, 11.1.11" }, { 0x28, "TS 102 221, 11.1.12" },
		{ 0x2c, "TS 102 221, 11.1.13" }, { 0x04, "TS 102 221, 11.1.14" }, { 0x44, "TS 102 221, 11.1.15" },
		{ 0x88, "TS 102 221, 11.1.16" }, { 0x70, "TS 102 221, 11.1.17" }, { 0xc0, "TS 102 221, 12.1.1" },
		{ 0xe0, "TS 102 222, 6.3" },	 { 0xe4, "TS 102 222, 6.4" },	  { 0xd4, "TS 102 222, 6.10" },
	};
	bool gp = cla & 0x80 && cla != 0xa0;

	if (cla == 0xa0)
		return "TS 51.011, 9.2";
	for (size_t i = 0; !gp && i < sizeof(clauses) / sizeof(clauses[0]); i++)
		if (clauses[i].ins == ins)
			return clauses[i].clause;
	return gp ? C_226("8.2.1") : "";
}

/* Which file is current after a SELECT; not known is no file. */
static void follow_select(struct explain *e, const uint8_t *apdu, size_t lc)
{
	const uint8_t *d = apdu + APDU_HEAD;

	if (apdu[2] == 0x04) {
		e->df = USIM_ADF;
		e->fid = 0;
		return;
	}
	if (apdu[2] == 0x08)
		e->df = USIM_MF;
	for (size_t i = 0; i + 1 < lc; i += 2) {
		uint16_t fid = (uint16_t)(d[i] << 8 | d[i + 1]);
		bool is_df = false;

		for (unsigned k = 0; k < _USIM_DFS; k++) {
			if (dfs[k].fid == fid && fid) {
				e->df = (enum usim_df)k;
				is_df = true;
			}
		}
		e->fid = is_df ? 0 : fid;
	}
}

static void explain_put_key(struct explain *e, const uint8_t *apdu, size_t len)
{
	struct ram_put_key_seen k;

	if (ram_put_key_decode(&k, apdu, len))
		return;
	for (size_t i = 0; i < k.n; i++) {
		ex(e, "key", NULL, 0, "GlobalPlatform, 11.8", "version %u id %zu: type %02x, %u octets, wrapped",
		   k.new_kvn, k.first_id + i, k.key[i].type, k.key[i].clear_len);
		if (k.key[i].kcv_len)
			ex(e, "KCV", k.key[i].kcv, k.key[i].kcv_len, "GlobalPlatform, B.6", "key check value");
	}
}

static void explain_apdu(struct explain *e, const char *field, const uint8_t *apdu, size_t len)
{
	size_t lc = len > APDU_HEAD ? len - APDU_HEAD < apdu[4] ? len - APDU_HEAD : apdu[4] : 0;
	char text[EXPLAIN_TEXT_MAX];

	if (ota_sub_describe(text, sizeof(text), apdu, len)) {
		ex(e, field, apdu, len, "card interface 3b, 4", "%s", text);
		return;
	}
	ota_apdu_describe(text, sizeof(text), apdu, len);
	ex(e, field, apdu, len, len >= 2 ? apdu_clause(apdu[0], apdu[1]) : "", "%s", text);
	if (len < APDU_HEAD)
		return;
	e->depth++;
	if (apdu[1] == 0xa4)
		follow_select(e, apdu, lc);
	else if (apdu[1] == 0xd6 && lc && apdu[2] == 0 && apdu[3] == 0)
		file_contents(e, apdu + APDU_HEAD, lc, false);
	else if (apdu[1] == 0xdc && lc)
		file_contents(e, apdu + APDU_HEAD, lc, false);
	else if (apdu[1] == 0xd8 && apdu[0] & 0x80)
		explain_put_key(e, apdu, len);
	e->depth--;
}

static int each_apdu(void *ctx, const uint8_t *apdu, size_t len)
{
	struct script *s = ctx;
	char field[24];

	snprintf(field, sizeof(field), "C-APDU %u", ++s->n);
	explain_apdu(s->e, field, apdu, len);
	return 0;
}

static void explain_action(struct explain *e, const char *field, const struct ota_tlv *t, const char *clause)
{
	uint8_t ref = t->len ? t->value[0] : 0;

	if (t->len == 0)
		ex(e, field, t->value, 0, clause, "none from here on");
	else if (t->len > 1)
		ex(e, field, t->value, t->len, clause, "a proactive command of %zu octets", t->len);
	else if (ref >= 0x01 && ref <= 0x7f)
		ex(e, field, t->value, 1, clause, "the proactive command in record %u of EF_RMA", ref);
	else
		ex(e, field, t->value, 1, clause, "%s",
		   ref == OTA_IMMEDIATE_SESSION ? "only if a proactive session can be had" :
		   ref == OTA_IMMEDIATE_EARLY	? "answer first, run the script afterwards" :
						  "reserved reference");
}

static int each_tlv(void *ctx, const struct ota_tlv *t)
{
	struct script *s = ctx;
	struct explain *e = s->e;

	switch (t->tag) {
	case OTA_TAG_C_APDU:
		return each_apdu(ctx, t->value, t->len);
	case OTA_TAG_IMMEDIATE:
		explain_action(e, "immediate", t, C_226("5.2.1.2"));
		return 0;
	case OTA_TAG_ERROR_ACTION:
		explain_action(e, "error action", t, C_226("5.2.1.3"));
		return 0;
	case OTA_TAG_CHAINING: {
		uint8_t v = t->len ? t->value[0] : 0;

		ex(e, "chaining", t->value, t->len, C_226("5.2.1.4"), "%s",
		   v == OTA_CHAIN_FIRST	     ? "first script, state lost at a reset" :
		   v == OTA_CHAIN_FIRST_KEPT ? "first script, state kept over a reset" :
		   v == OTA_CHAIN_MORE	     ? "another script follows" :
		   v == OTA_CHAIN_LAST	     ? "last script" :
					       "reserved value");
		return 0;
	}
	default:
		ex(e, "TLV", t->value, t->len, "TS 101 220, 7.2", "tag %02x, not of a command script", t->tag);
		return 0;
	}
}

void explain_script(struct explain *e, const uint8_t *p, size_t len)
{
	enum ota_format f = ota_cmd_format(p, len);
	struct script s = { .e = e };
	int rc;

	if (!e->have_file) {
		e->df = USIM_ADF;
		e->fid = 0;
	}
	if (f == OTA_FORMAT_UNKNOWN) {
		ex(e, "content", p, len, "", "no remote commands of TS 102 226: the application's own format");
		return;
	}
	if (f == OTA_FORMAT_COMPACT) {
		ex(e, "format", NULL, 0, C_226("5.1"), "compact: C-APDUs one after another");
		rc = ota_script_each(p, len, each_apdu, &s);
	} else {
		ex(e, "format", p, 1, C_226("5.2.1"), "expanded, %s length",
		   f == OTA_FORMAT_DEFINITE ? "definite" : "indefinite");
		rc = ota_tlv_each(p, len, each_tlv, &s);
	}
	if (rc)
		ex_wrong(e, "after %u commands: %s", s.n, ota_strerror(rc));
}

/* ---------------------------------------------------------------------------------------------------------- answers */

static void explain_sub_answer(struct explain *e, const uint8_t *p, size_t len)
{
	struct ota_sub_rsp r;

	if (len == 0 || ota_sub_rsp_decode(&r, p, len) || !r.has_state)
		return;
	ex(e, "state", NULL, 0, "card interface 3b, 3", "%s, index %u, IMSI %s, %u pairs left",
	   ota_sub_state_name(r.state), r.index, r.imsi, r.pairs_left);
}

static void explain_rapdu(struct explain *e, const struct ota_rapdu *a, const char *clause)
{
	const uint8_t sw[2] = { (uint8_t)(a->sw >> 8), (uint8_t)a->sw };
	char field[24];

	snprintf(field, sizeof(field), "R-APDU %u", a->index + 1);
	ex(e, field, sw, 2, clause, "%s", ota_sw_name(a->sw));
	e->depth++;
	if (a->data_len) {
		ex(e, "data", a->data, a->data_len, clause, "%zu octets", a->data_len);
		explain_sub_answer(e, a->data, a->data_len);
	}
	e->depth--;
}

void explain_answer(struct explain *e, const uint8_t *p, size_t len)
{
	struct ota_script_rsp r;
	struct ota_rapdu_iter it = { 0 };
	struct ota_rapdu a;
	int rc = ota_script_rsp_parse(&r, OTA_FORMAT_UNKNOWN, p, len);
	bool compact;

	if (rc) {
		ex(e, "content", p, len, "", "no answer of TS 102 226 (%s)", ota_strerror(rc));
		return;
	}
	compact = r.format == OTA_FORMAT_COMPACT;
	ex(e, "format", p, compact ? 0 : 1, compact ? C_226("5.1.2") : C_226("5.2.2"), "%s", ota_format_name(r.format));
	if (r.executed >= 0)
		ex(e, "executed", NULL, 0, compact ? C_226("5.1.2") : C_226("5.2.2"), "%d command%s", r.executed,
		   r.executed == 1 ? "" : "s");
	while (ota_rapdu_next(&r, &it, &a))
		explain_rapdu(e, &a, compact ? C_226("5.1.2") : C_226("5.2.2"));
	if (r.bad_format >= 0)
		ex(e, "bad format", NULL, 0, C_226("5.2.2"), "%s", ota_bad_format_name(r.bad_format));
	if (r.immediate >= 0)
		ex(e, "immediate", NULL, 0, C_226("5.2.2"), "suspension error: no proactive session to be had");
	if (r.chaining >= 0)
		ex(e, "chaining", NULL, 0, C_226("5.2.2"), "%s", ota_chaining_name(r.chaining));
}
