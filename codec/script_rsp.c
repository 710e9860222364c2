/* script_rsp.c - what a card answers to a script: TS 102 226, 5.1.2 and 5.2.2.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 *	compact		number executed, SW and data of the last one executed
 *	definite	AB L 80 01 number { 23 L data SW }.. [90 01 bad format] [81 01 immediate] [83 01 chaining]
 *	indefinite	AF 80 the same without number 00 00
 */
#include <string.h>

#include "ota/codec.h"
#include "ota/rd.h"
#include "ota/wr.h"

#include "codec_int.h"

#define TAG_RSP		   0xab
#define TAG_RSP_INDEFINITE 0xaf
#define EXECUTED_LEN_MAX   2
#define SW_LEN		   2

int ota_compact_rsp_parse(struct ota_compact_rsp *out, const uint8_t *data, size_t len)
{
	struct rd in = rd_init(data, len);

	memset(out, 0, sizeof(*out));
	out->count = rd_u8(&in);
	out->sw = (uint16_t)rd_be(&in, 2);
	out->data_len = rd_left(&in);
	out->data = rd_bytes(&in, out->data_len);
	return in.bad ? OTA_E_SHORT : 0;
}

int ota_compact_rsp_encode(uint8_t *buf, size_t cap, uint8_t count, uint16_t sw, const uint8_t *data, size_t len)
{
	struct wr w = wr_init(buf, cap);

	wr_u8(&w, count);
	wr_be(&w, sw, SW_LEN);
	wr_bytes(&w, data, len);
	return w.bad ? OTA_E_SPACE : (int)wr_len(&w);
}

/* --------------------------------------------------------------------------------------------- expanded */

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static int one_octet(int *out, const struct ota_tlv *t)
{
	if (t->len != 1)
		return OTA_E_LENGTH;
	*out = t->value[0];
	return 0;
}

static int rsp_object(struct ota_script_rsp *out, const struct ota_tlv *t)
{
	switch (t->tag) {
	case OTA_TAG_EXECUTED:
		if (t->len == 0 || t->len > EXECUTED_LEN_MAX)
			return OTA_E_LENGTH;
		out->executed = t->len == 1 ? t->value[0] : be16(t->value);
		return 0;
	case OTA_TAG_R_APDU:
		if (t->len < SW_LEN)
			return OTA_E_LENGTH;
		out->rapdus++;
		out->last_sw = be16(t->value + t->len - SW_LEN);
		out->truncated |= out->last_sw == OTA_SW_CUT_OFF;
		return 0;
	case OTA_TAG_BAD_FORMAT:
		return one_octet(&out->bad_format, t);
	case OTA_TAG_IMMEDIATE:
		return one_octet(&out->immediate, t);
	case OTA_TAG_CHAINING:
		return one_octet(&out->chaining, t);
	default:
		/* A later release's: it cannot take back what the others say. */
		return 0;
	}
}

static int expanded_parse(struct ota_script_rsp *out, const uint8_t *data, size_t len)
{
	struct ota_tlv t;
	struct rd body;
	int rc;

	if (data[0] != TAG_RSP && data[0] != TAG_RSP_INDEFINITE)
		return OTA_E_FORMAT;
	rc = script_body(data, len, &body);
	if (rc)
		return rc;
	out->format = data[0] == TAG_RSP ? OTA_FORMAT_DEFINITE : OTA_FORMAT_INDEFINITE;
	out->data = body.p;
	out->data_len = rd_left(&body);
	while (rc == 0 && rd_left(&body)) {
		rc = tlv_next(&body, &t);
		if (rc == 0)
			rc = rsp_object(out, &t);
	}
	return rc;
}

static int compact_parse(struct ota_script_rsp *out, const uint8_t *data, size_t len)
{
	struct ota_compact_rsp c;
	int rc = ota_compact_rsp_parse(&c, data, len);

	if (rc)
		return rc;
	out->format = OTA_FORMAT_COMPACT;
	out->executed = c.count;
	/* Nothing was executed: the octets behind the number are not the SW of anything. */
	out->rapdus = c.count > 0;
	out->last_sw = c.sw;
	out->truncated = c.sw == OTA_SW_CUT_OFF;
	out->data = c.data;
	out->data_len = c.data_len;
	return 0;
}

static void rsp_clear(struct ota_script_rsp *out)
{
	*out = (struct ota_script_rsp){
		.format = OTA_FORMAT_UNKNOWN,
		.executed = -1,
		.bad_format = -1,
		.immediate = -1,
		.chaining = -1,
	};
}

enum ota_format ota_rsp_format(const uint8_t *data, size_t len)
{
	struct ota_script_rsp rsp;

	rsp_clear(&rsp);
	if (len && expanded_parse(&rsp, data, len) == 0)
		return rsp.format;
	return len >= 1 + SW_LEN ? OTA_FORMAT_COMPACT : OTA_FORMAT_UNKNOWN;
}

int ota_script_rsp_parse(struct ota_script_rsp *out, enum ota_format format, const uint8_t *data, size_t len)
{
	int rc;

	rsp_clear(out);
	if (format == OTA_FORMAT_UNKNOWN)
		format = ota_rsp_format(data, len);
	if (format == OTA_FORMAT_COMPACT)
		rc = compact_parse(out, data, len);
	else if (format == OTA_FORMAT_UNKNOWN || len == 0)
		rc = OTA_E_SHORT;
	else
		rc = expanded_parse(out, data, len);
	if (rc)
		rsp_clear(out);
	return rc;
}

bool ota_rapdu_next(const struct ota_script_rsp *rsp, struct ota_rapdu_iter *it, struct ota_rapdu *out)
{
	struct ota_tlv t;
	struct rd body;

	if (it->n >= rsp->rapdus)
		return false;
	if (rsp->format == OTA_FORMAT_COMPACT) {
		*out = (struct ota_rapdu){ (unsigned)rsp->executed - 1, rsp->last_sw, rsp->data, rsp->data_len };
		it->n++;
		return true;
	}
	body = rd_init(rsp->data + it->at, rsp->data_len - it->at);
	do {
		if (tlv_next(&body, &t))
			return false;
	} while (t.tag != OTA_TAG_R_APDU);
	*out = (struct ota_rapdu){ it->n, be16(t.value + t.len - SW_LEN), t.value, t.len - SW_LEN };
	it->at = rsp->data_len - rd_left(&body);
	it->n++;
	return true;
}

/* ------------------------------------------------------------------------------------------- what it means */

/* TS 102 221, 10.2.1 */
bool ota_sw_ok(uint16_t sw)
{
	switch (sw >> 8) {
	case 0x90:
		return sw == 0x9000;
	case 0x91: /* proactive command pending */
	case 0x61: /* data to fetch */
	case 0x9f:
		return true;
	case 0x92: /* done after this many retries; 92 40 is a memory problem */
		return (sw & 0xf0) == 0;
	case 0x62:
		return sw != 0x6281 && sw != OTA_SW_CUT_OFF;
	case 0x63: /* 63 CX: done after X tries of its own; PINs are verified by no script of ours */
		return true;
	default:
		return false;
	}
}

int ota_script_rsp_failed(const struct ota_script_rsp *rsp, unsigned sent, uint16_t *sw)
{
	struct ota_rapdu_iter it = { 0 };
	struct ota_rapdu r;
	unsigned done = rsp->rapdus;
	uint16_t none;

	if (!sw)
		sw = &none;
	*sw = 0;
	/* A compact answer tells of the ones before its SW that they ended normally. */
	if (rsp->format == OTA_FORMAT_COMPACT)
		done = (unsigned)rsp->executed;
	if (done > sent)
		return (int)sent;
	while (ota_rapdu_next(rsp, &it, &r)) {
		if (ota_sw_ok(r.sw))
			continue;
		*sw = r.sw;
		return (int)r.index;
	}
	/* TS 101 220, table 7.19: command *objects* are counted, actions too: it may be more than the R-APDUs, never less. */
	if (rsp->executed >= 0 && (unsigned)rsp->executed < done)
		done = (unsigned)rsp->executed;
	if (done < sent || rsp->bad_format >= 0 || rsp->immediate >= 0 || rsp->chaining >= 0)
		return (int)done;
	return -1;
}

/* ----------------------------------------------------------------------------------------------- building */

/* The number stands first, as 80 01 n. */
static void executed_write(struct ota_script *s, unsigned n)
{
	if (!s->err && s->tag == TAG_RSP)
		s->buf[s->body + 2] = (uint8_t)n;
}

void ota_script_rsp_rapdu(struct ota_script *s, const uint8_t *data, size_t len, uint16_t sw)
{
	const uint8_t last[SW_LEN] = { (uint8_t)(sw >> 8), (uint8_t)sw };
	const struct ota_span part[] = { { last, 0 }, { last, SW_LEN } },
			      with_data[] = { { data, len }, { last, SW_LEN } };

	script_tlv(s, OTA_TAG_R_APDU, len ? with_data : part, 2);
	if (s->err)
		return;
	s->count++;
	if (!s->executed_set)
		executed_write(s, s->count);
}

void ota_script_rsp_bad_format(struct ota_script *s, uint8_t code)
{
	script_tlv(s, OTA_TAG_BAD_FORMAT, &(struct ota_span){ &code, 1 }, 1);
}

void ota_script_rsp_immediate(struct ota_script *s, uint8_t code)
{
	script_tlv(s, OTA_TAG_IMMEDIATE, &(struct ota_span){ &code, 1 }, 1);
}

void ota_script_rsp_chaining(struct ota_script *s, uint8_t code)
{
	script_tlv(s, OTA_TAG_CHAINING, &(struct ota_span){ &code, 1 }, 1);
}

void ota_script_rsp_executed(struct ota_script *s, uint8_t n)
{
	s->executed_set = true;
	executed_write(s, n);
}
