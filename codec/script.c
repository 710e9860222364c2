/* script.c - remote commands, compact and expanded: TS 102 226, 5.1.1 and 5.2.1.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 *	compact		C-APDU C-APDU ..
 *	definite	AA L { tag L value }..
 *	indefinite	AE 80 { tag L value }.. 00 00	(inner lengths are always coded)
 *
 * The buffer holds a whole script after each call.  When a definite length outgrows its octets the objects move up, which
 * happens twice at most.
 */
#include <string.h>

#include "ota/codec.h"
#include "ota/rd.h"
#include "ota/wr.h"

#include "codec_int.h"

#define OFFSET_MAX	   0x7fff /* b8 of P1 set would mean a short file id (TS 102 221, 11.1.3) */
#define P1_PATH_FROM_MF	   0x08
#define P1_PATH_FROM_DF	   0x09
#define P2_NO_DATA	   0x0c
#define P2_RECORD_ABSOLUTE 0x04
#define PATH_FIDS_MAX	   8
#define APDU_HEAD_CASE1	   4	/* expanded format may leave P3 out */
#define REF_RECORD_MAX	   0x7f /* of EF_RMA */
#define TAG_CMD		   0xaa
#define TAG_CMD_INDEFINITE 0xae
#define TAG_RSP		   0xab
#define TAG_RSP_INDEFINITE 0xaf
#define LEN_INDEFINITE	   0x80
#define END_LEN		   2 /* 00 00 */
#define VALUE_MAX	   0xffff
#define PARTS_MAX	   3

const char *ota_format_name(enum ota_format f)
{
	switch (f) {
	case OTA_FORMAT_COMPACT:
		return "compact";
	case OTA_FORMAT_DEFINITE:
		return "expanded";
	case OTA_FORMAT_INDEFINITE:
		return "expanded-indefinite";
	case OTA_FORMAT_UNKNOWN:
		break;
	}
	return "unknown";
}

/* TS 102 226, 5: b2b1 of a CLA are 00, those of the tags are not. */
enum ota_format ota_cmd_format(const uint8_t *data, size_t len)
{
	if (len == 0)
		return OTA_FORMAT_UNKNOWN;
	if (data[0] == TAG_CMD)
		return OTA_FORMAT_DEFINITE;
	if (data[0] == TAG_CMD_INDEFINITE)
		return OTA_FORMAT_INDEFINITE;
	return data[0] & 3 ? OTA_FORMAT_UNKNOWN : OTA_FORMAT_COMPACT;
}

/* ----------------------------------------------------------------------------------------------- building */

size_t ber_len_octets(size_t len)
{
	return len < 0x80 ? 1 : len < 0x100 ? 2 : 3;
}

void ber_len_write(struct wr *w, size_t len)
{
	size_t n = ber_len_octets(len);

	if (n > 1)
		wr_u8(w, (uint8_t)(0x80 | (n - 1)));
	wr_be(w, len, n == 1 ? 1 : n - 1);
}

void script_fail(struct ota_script *s, int err)
{
	if (!s->err)
		s->err = err;
}

/* The header and the end around `body_len` octets that stand at s->body. */
static void script_frame(struct ota_script *s, size_t body_len)
{
	bool indefinite = s->format == OTA_FORMAT_INDEFINITE;
	size_t head = indefinite ? 2 : 1 + ber_len_octets(body_len), end = indefinite ? END_LEN : 0;
	struct wr w;

	if (head > s->cap || body_len > s->cap - head || end > s->cap - head - body_len) {
		script_fail(s, OTA_E_SPACE);
		return;
	}
	if (head != s->body)
		memmove(s->buf + head, s->buf + s->body, body_len);
	w = wr_init(s->buf, s->cap);
	wr_u8(&w, s->tag);
	if (indefinite)
		wr_u8(&w, LEN_INDEFINITE);
	else
		ber_len_write(&w, body_len);
	memset(s->buf + head + body_len, 0, end);
	s->body = head;
	s->len = head + body_len + end;
}

void script_start(struct ota_script *s, uint8_t *buf, size_t cap, enum ota_format format, uint8_t tag)
{
	*s = (struct ota_script){ .buf = buf, .cap = cap, .format = format, .tag = tag };
	if (format != OTA_FORMAT_COMPACT)
		script_frame(s, 0);
}

void ota_script_init(struct ota_script *s, uint8_t *buf, size_t cap)
{
	script_start(s, buf, cap, OTA_FORMAT_COMPACT, 0);
}

void ota_script_init_format(struct ota_script *s, uint8_t *buf, size_t cap, enum ota_format format)
{
	if (format == OTA_FORMAT_INDEFINITE)
		script_start(s, buf, cap, format, TAG_CMD_INDEFINITE);
	else
		script_start(s, buf, cap, format, format == OTA_FORMAT_DEFINITE ? TAG_CMD : 0);
	if ((unsigned)format >= OTA_FORMAT_UNKNOWN)
		s->err = OTA_E_FORMAT;
}

void ota_script_rsp_init(struct ota_script *s, uint8_t *buf, size_t cap, bool indefinite)
{
	static const uint8_t none[1];

	script_start(s, buf, cap, indefinite ? OTA_FORMAT_INDEFINITE : OTA_FORMAT_DEFINITE,
		     indefinite ? TAG_RSP_INDEFINITE : TAG_RSP);
	/* 5.2.2: the number executed stands in the definite coding alone: who codes so knows the end. */
	if (!indefinite)
		script_tlv(s, OTA_TAG_EXECUTED, &(struct ota_span){ none, 1 }, 1);
}

/* One object whose value is n parts. */
void script_tlv(struct ota_script *s, uint8_t tag, const struct ota_span *part, size_t n)
{
	size_t end = s->format == OTA_FORMAT_INDEFINITE ? END_LEN : 0, value = 0, body, tl, head, had;
	struct wr w;

	if (s->err)
		return;
	for (size_t i = 0; i < n; i++)
		value += part[i].len;
	if (value > VALUE_MAX) {
		script_fail(s, OTA_E_LENGTH);
		return;
	}
	had = s->len - s->body - end;
	tl = 1 + ber_len_octets(value);
	body = had + tl + value;
	/* Room for the longer header first, so that no half of an object is ever seen. */
	head = end ? 2 : 1 + ber_len_octets(body);
	if (body > VALUE_MAX || head + body + end > s->cap) {
		script_fail(s, body > VALUE_MAX ? OTA_E_LENGTH : OTA_E_SPACE);
		return;
	}
	memmove(s->buf + head, s->buf + s->body, had);
	s->body = head;
	w = wr_init(s->buf + head + had, s->cap - head - had);
	wr_u8(&w, tag);
	ber_len_write(&w, value);
	for (size_t i = 0; i < n; i++)
		wr_bytes(&w, part[i].p, part[i].len);
	script_frame(s, body);
	s->tlvs++;
}

/* Parts as one C-APDU.  The first error stays. */
static void script_add(struct ota_script *s, const struct ota_span *part, size_t n, bool le)
{
	static const uint8_t le_all[1];
	struct ota_span all[PARTS_MAX];
	struct wr w;

	if (s->err)
		return;
	for (size_t i = 0; i < n; i++)
		all[i] = part[i];
	if (le)
		all[n++] = (struct ota_span){ le_all, 1 };
	if (s->format != OTA_FORMAT_COMPACT) {
		script_tlv(s, OTA_TAG_C_APDU, all, n);
		s->count += !s->err;
		return;
	}
	if (s->le_last)
		s->len--;
	w = wr_init(s->buf + s->len, s->cap - s->len);
	for (size_t i = 0; i < n; i++)
		wr_bytes(&w, all[i].p, all[i].len);
	if (w.bad) {
		script_fail(s, OTA_E_SPACE);
		return;
	}
	s->le_last = le;
	s->len += wr_len(&w);
	s->count++;
}

void script_cmd(struct ota_script *s, const uint8_t head[APDU_HEAD], const uint8_t *body, size_t len, bool le)
{
	const struct ota_span part[] = { { head, APDU_HEAD }, { body, len } };

	script_add(s, part, len ? 2 : 1, le);
}

void ota_script_apdu(struct ota_script *s, const uint8_t *apdu, size_t len)
{
	size_t min = s->format == OTA_FORMAT_COMPACT ? APDU_HEAD : APDU_HEAD_CASE1;

	if (len < min || len > OTA_APDU_MAX)
		script_fail(s, OTA_E_LENGTH);
	else
		script_add(s, &(struct ota_span){ apdu, len }, 1, false);
}

void ota_script_apdu_le(struct ota_script *s, const uint8_t *apdu, size_t len)
{
	if (len <= APDU_HEAD || len != (size_t)APDU_HEAD + apdu[4])
		script_fail(s, OTA_E_LENGTH);
	else
		script_add(s, &(struct ota_span){ apdu, len }, 1, true);
}

void ota_script_select(struct ota_script *s, uint8_t cla, uint16_t fid)
{
	/* TS 51.011, 9.2.1 knows no P2; TS 102 221, 11.1.1: 0C asks for no FCP, which would not come back anyway. */
	const uint8_t head[APDU_HEAD] = { cla, INS_SELECT, 0x00, cla == CLA_2G ? 0x00 : P2_NO_DATA, 2 };
	const uint8_t body[2] = { (uint8_t)(fid >> 8), (uint8_t)fid };

	script_cmd(s, head, body, sizeof(body), false);
}

void ota_script_select_path(struct ota_script *s, bool from_mf, const uint16_t *fid, size_t n)
{
	const uint8_t head[APDU_HEAD] = { 0x00, INS_SELECT, from_mf ? P1_PATH_FROM_MF : P1_PATH_FROM_DF, P2_NO_DATA,
					  (uint8_t)(2 * n) };
	uint8_t body[2 * PATH_FIDS_MAX];

	if (n == 0 || n > PATH_FIDS_MAX) {
		script_fail(s, OTA_E_RANGE);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		body[2 * i] = (uint8_t)(fid[i] >> 8);
		body[2 * i + 1] = (uint8_t)fid[i];
	}
	script_cmd(s, head, body, 2 * n, false);
}

void ota_script_update_binary(struct ota_script *s, uint8_t cla, uint16_t offset, const uint8_t *data, size_t len)
{
	const uint8_t head[APDU_HEAD] = { cla, INS_UPDATE_BINARY, (uint8_t)(offset >> 8), (uint8_t)offset,
					  (uint8_t)len };

	if (offset > OFFSET_MAX || len == 0 || len > 255)
		script_fail(s, OTA_E_RANGE);
	else
		script_cmd(s, head, data, len, false);
}

void ota_script_update_record(struct ota_script *s, uint8_t cla, uint8_t rec, const uint8_t *data, size_t len)
{
	const uint8_t head[APDU_HEAD] = { cla, INS_UPDATE_RECORD, rec, P2_RECORD_ABSOLUTE, (uint8_t)len };

	if (len == 0 || len > 255)
		script_fail(s, OTA_E_RANGE);
	else
		script_cmd(s, head, data, len, false);
}

void ota_script_read_binary(struct ota_script *s, uint8_t cla, uint16_t offset, uint8_t le)
{
	const uint8_t head[APDU_HEAD] = { cla, INS_READ_BINARY, (uint8_t)(offset >> 8), (uint8_t)offset, le };

	if (offset > OFFSET_MAX)
		script_fail(s, OTA_E_RANGE);
	else
		script_cmd(s, head, NULL, 0, false);
}

void ota_script_read_record(struct ota_script *s, uint8_t cla, uint8_t rec, uint8_t le)
{
	const uint8_t head[APDU_HEAD] = { cla, INS_READ_RECORD, rec, P2_RECORD_ABSOLUTE, le };

	script_cmd(s, head, NULL, 0, false);
}

int ota_script_len(const struct ota_script *s)
{
	return s->err ? s->err : (int)s->len;
}

/* ------------------------------------------------------------------------------ expanded format alone (5.2.1) */

static void script_object(struct ota_script *s, uint8_t tag, const uint8_t *value, size_t len)
{
	if (s->format == OTA_FORMAT_COMPACT)
		script_fail(s, OTA_E_FORMAT);
	else
		script_tlv(s, tag, &(struct ota_span){ value, len }, 1);
}

void ota_script_chaining(struct ota_script *s, enum ota_chaining c)
{
	uint8_t v = (uint8_t)c;

	if (c != OTA_CHAIN_FIRST && c != OTA_CHAIN_FIRST_KEPT && c != OTA_CHAIN_MORE && c != OTA_CHAIN_LAST)
		script_fail(s, OTA_E_RANGE);
	else if (s->tlvs)
		script_fail(s, OTA_E_FORMAT);
	else
		script_object(s, OTA_TAG_CHAINING, &v, 1);
}

/* First of all, or right after script chaining. */
static bool immediate_may_stand(const struct ota_script *s)
{
	return s->tlvs == 0 || (s->tlvs == 1 && s->buf[s->body] == OTA_TAG_CHAINING);
}

void ota_script_immediate(struct ota_script *s, const uint8_t *proactive, size_t len)
{
	/* One octet alone would be read as a reference. */
	if (len < 2)
		script_fail(s, OTA_E_LENGTH);
	else if (!immediate_may_stand(s))
		script_fail(s, OTA_E_FORMAT);
	else
		script_object(s, OTA_TAG_IMMEDIATE, proactive, len);
}

void ota_script_immediate_ref(struct ota_script *s, uint8_t ref)
{
	if (ref == 0 || (ref > REF_RECORD_MAX && ref != OTA_IMMEDIATE_SESSION && ref != OTA_IMMEDIATE_EARLY))
		script_fail(s, OTA_E_RANGE);
	else if (!immediate_may_stand(s))
		script_fail(s, OTA_E_FORMAT);
	else
		script_object(s, OTA_TAG_IMMEDIATE, &ref, 1);
}

void ota_script_error_action(struct ota_script *s, const uint8_t *proactive, size_t len)
{
	if (len == 1)
		script_fail(s, OTA_E_LENGTH);
	else
		script_object(s, OTA_TAG_ERROR_ACTION, proactive, len);
}

void ota_script_error_action_ref(struct ota_script *s, uint8_t record)
{
	if (record == 0 || record > REF_RECORD_MAX)
		script_fail(s, OTA_E_RANGE);
	else
		script_object(s, OTA_TAG_ERROR_ACTION, &record, 1);
}

/* -------------------------------------------------------------------------------------------- taking apart */

/* Is P3 an Le, so that no data follow?  The octets do not tell, the instruction does. */
bool p3_is_le(uint8_t cla, uint8_t ins, uint8_t p1)
{
	switch (ins) {
	case 0x12: /* FETCH */
	case 0x84: /* GET CHALLENGE */
	case INS_READ_BINARY:
	case INS_READ_RECORD:
	case 0xc0: /* GET RESPONSE */
	case 0xca: /* GET DATA */
		return true;
	case 0xf2: /* STATUS (TS 102 221) has P1 00..02; GET STATUS (GlobalPlatform) 10, 20, 40, 80, and data */
		return !(cla & 0x80) || p1 < 0x10;
	default:
		return false;
	}
}

int ota_script_each(const uint8_t *script, size_t len, int (*each)(void *ctx, const uint8_t *apdu, size_t len),
		    void *ctx)
{
	struct rd in = rd_init(script, len);

	while (rd_left(&in)) {
		const uint8_t *apdu = rd_bytes(&in, APDU_HEAD);
		size_t n = apdu && !p3_is_le(apdu[0], apdu[1], apdu[2]) ? apdu[4] : 0;
		int rc;

		rd_bytes(&in, n);
		if (in.bad)
			return OTA_E_SHORT;
		n += APDU_HEAD;
		/* One octet left over cannot start a command: it is the Le of a case 4 command, which stands last. */
		if (rd_left(&in) == 1 && n > APDU_HEAD) {
			rd_u8(&in);
			n++;
		}
		rc = each(ctx, apdu, n);
		if (rc)
			return rc;
	}
	return 0;
}

int ber_len_read(struct rd *in, size_t *len)
{
	uint8_t first = rd_u8(in);

	*len = first;
	if (first > 0x82 || first == LEN_INDEFINITE)
		return OTA_E_LENGTH;
	if (first > LEN_INDEFINITE)
		*len = (size_t)rd_be(in, first - 0x80u);
	return in->bad ? OTA_E_SHORT : 0;
}

/* The objects of a definite coding: all of it, and nothing behind. */
static int body_definite(struct rd *in, struct rd *body)
{
	size_t n;
	int rc = ber_len_read(in, &n);

	if (rc)
		return rc;
	*body = rd_sub(in, n);
	if (body->bad)
		return OTA_E_SHORT;
	return rd_left(in) ? OTA_E_LENGTH : 0;
}

/* Of an indefinite one: up to the 00 00, which must be the last octets. */
static int body_indefinite(struct rd *in, struct rd *body)
{
	size_t n;

	if (rd_u8(in) != LEN_INDEFINITE)
		return in->bad ? OTA_E_SHORT : OTA_E_LENGTH;
	n = rd_left(in);
	if (n < END_LEN || in->p[n - 1] || in->p[n - 2])
		return OTA_E_SHORT;
	*body = rd_sub(in, n - END_LEN);
	return 0;
}

int tlv_next(struct rd *body, struct ota_tlv *t)
{
	size_t n;
	int rc;

	t->tag = rd_u8(body);
	/* No object has tag 00, and none of TS 101 220's script tags has a second octet. */
	if (t->tag == 0 || (t->tag & 0x1f) == 0x1f)
		return OTA_E_FORMAT;
	rc = ber_len_read(body, &n);
	if (rc)
		return rc;
	t->len = n;
	t->value = rd_bytes(body, n);
	return body->bad ? OTA_E_SHORT : 0;
}

int script_body(const uint8_t *data, size_t len, struct rd *body)
{
	struct rd in = rd_init(data, len);
	uint8_t tag = rd_u8(&in);

	if (in.bad)
		return OTA_E_SHORT;
	if (tag == TAG_CMD || tag == TAG_RSP)
		return body_definite(&in, body);
	if (tag == TAG_CMD_INDEFINITE || tag == TAG_RSP_INDEFINITE)
		return body_indefinite(&in, body);
	return OTA_E_FORMAT;
}

int ota_tlv_each(const uint8_t *data, size_t len, int (*each)(void *ctx, const struct ota_tlv *tlv), void *ctx)
{
	struct ota_tlv t;
	struct rd body;
	int rc = script_body(data, len, &body);

	while (rc == 0 && rd_left(&body)) {
		rc = tlv_next(&body, &t);
		if (rc == 0)
			rc = each(ctx, &t);
	}
	return rc;
}

struct apdu_walk {
	int (*each)(void *ctx, const uint8_t *apdu, size_t len);
	void *ctx;
};

static int apdu_of_tlv(void *ctx, const struct ota_tlv *t)
{
	const struct apdu_walk *w = ctx;

	if (t->tag != OTA_TAG_C_APDU)
		return 0;
	return t->len < APDU_HEAD_CASE1 ? OTA_E_LENGTH : w->each(w->ctx, t->value, t->len);
}

int ota_cmd_each(const uint8_t *data, size_t len, int (*each)(void *ctx, const uint8_t *apdu, size_t len), void *ctx)
{
	struct apdu_walk w = { .each = each, .ctx = ctx };

	switch (ota_cmd_format(data, len)) {
	case OTA_FORMAT_COMPACT:
		return ota_script_each(data, len, each, ctx);
	case OTA_FORMAT_DEFINITE:
	case OTA_FORMAT_INDEFINITE:
		return ota_tlv_each(data, len, apdu_of_tlv, &w);
	case OTA_FORMAT_UNKNOWN:
		break;
	}
	return len ? OTA_E_FORMAT : OTA_E_SHORT;
}
