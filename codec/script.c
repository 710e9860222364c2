/* script.c - compact remote commands and their answer: TS 102 226, 5.1.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "ota/codec.h"
#include "ota/rd.h"
#include "ota/wr.h"

#include "codec_int.h"

#define APDU_HEAD	   5	/* CLA INS P1 P2 P3: compact format always has a P3 */
#define CLA_2G		   0xa0
#define INS_SELECT	   0xa4
#define INS_READ_BINARY	   0xb0
#define INS_READ_RECORD	   0xb2
#define INS_UPDATE_BINARY  0xd6
#define INS_UPDATE_RECORD  0xdc
#define OFFSET_MAX	   0x7fff /* b8 of P1 set would mean a short file id (TS 102 221, 11.1.3) */
#define P2_NO_DATA	   0x0c
#define P2_RECORD_ABSOLUTE 0x04
#define DESCRIBE_PART_MAX  48

/* ----------------------------------------------------------------------------------------------- building */

void ota_script_init(struct ota_script *s, uint8_t *buf, size_t cap)
{
	*s = (struct ota_script){ .buf = buf, .cap = cap };
}

/* Header and body as one C-APDU.  The first error stays. */
static void script_add(struct ota_script *s, const uint8_t head[APDU_HEAD], const uint8_t *body, size_t len)
{
	struct wr w;

	if (s->err)
		return;
	w = wr_init(s->buf + s->len, s->cap - s->len);
	wr_bytes(&w, head, APDU_HEAD);
	wr_bytes(&w, body, len);
	if (w.bad) {
		s->err = OTA_E_SPACE;
		return;
	}
	s->len += wr_len(&w);
	s->count++;
}

static void script_fail(struct ota_script *s, int err)
{
	if (!s->err)
		s->err = err;
}

void ota_script_apdu(struct ota_script *s, const uint8_t *apdu, size_t len)
{
	if (len < APDU_HEAD || len > OTA_APDU_MAX)
		script_fail(s, OTA_E_LENGTH);
	else
		script_add(s, apdu, apdu + APDU_HEAD, len - APDU_HEAD);
}

void ota_script_select(struct ota_script *s, uint8_t cla, uint16_t fid)
{
	/* TS 51.011, 9.2.1 knows no P2; TS 102 221, 11.1.1: 0C asks for no FCP, which would not come back anyway. */
	const uint8_t head[APDU_HEAD] = { cla, INS_SELECT, 0x00, cla == CLA_2G ? 0x00 : P2_NO_DATA, 2 };
	const uint8_t body[2] = { (uint8_t)(fid >> 8), (uint8_t)fid };

	script_add(s, head, body, sizeof(body));
}

void ota_script_update_binary(struct ota_script *s, uint8_t cla, uint16_t offset, const uint8_t *data, size_t len)
{
	const uint8_t head[APDU_HEAD] = { cla, INS_UPDATE_BINARY, (uint8_t)(offset >> 8), (uint8_t)offset,
					  (uint8_t)len };

	if (offset > OFFSET_MAX || len == 0 || len > 255)
		script_fail(s, OTA_E_RANGE);
	else
		script_add(s, head, data, len);
}

void ota_script_update_record(struct ota_script *s, uint8_t cla, uint8_t rec, const uint8_t *data, size_t len)
{
	const uint8_t head[APDU_HEAD] = { cla, INS_UPDATE_RECORD, rec, P2_RECORD_ABSOLUTE, (uint8_t)len };

	if (len == 0 || len > 255)
		script_fail(s, OTA_E_RANGE);
	else
		script_add(s, head, data, len);
}

void ota_script_read_binary(struct ota_script *s, uint8_t cla, uint16_t offset, uint8_t le)
{
	const uint8_t head[APDU_HEAD] = { cla, INS_READ_BINARY, (uint8_t)(offset >> 8), (uint8_t)offset, le };

	if (offset > OFFSET_MAX)
		script_fail(s, OTA_E_RANGE);
	else
		script_add(s, head, NULL, 0);
}

int ota_script_len(const struct ota_script *s)
{
	return s->err ? s->err : (int)s->len;
}

/* -------------------------------------------------------------------------------------------- taking apart */

/* Is P3 an Le, so that no data follow?  The octets do not tell, the instruction does. */
static bool p3_is_le(uint8_t cla, uint8_t ins, uint8_t p1)
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

/* ----------------------------------------------------------------------------------------------- in words */

static const char *ins_name(uint8_t cla, uint8_t ins)
{
	static const struct {
		uint8_t ins;
		const char *name, *gp; /* gp: with CLA 80..8F or 84 GlobalPlatform reads it so */
	} names[] = {
		{ 0x04, "DEACTIVATE FILE", NULL },
		{ 0x10, "TERMINAL PROFILE", NULL },
		{ 0x12, "FETCH", NULL },
		{ 0x20, "VERIFY PIN", NULL },
		{ 0x24, "CHANGE PIN", NULL },
		{ 0x26, "DISABLE PIN", NULL },
		{ 0x28, "ENABLE PIN", NULL },
		{ 0x2c, "UNBLOCK PIN", NULL },
		{ 0x32, "INCREASE", NULL },
		{ 0x44, "ACTIVATE FILE", NULL },
		{ 0x84, "GET CHALLENGE", NULL },
		{ 0x88, "AUTHENTICATE", NULL },
		{ 0xa2, "SEARCH RECORD", NULL },
		{ 0xc0, "GET RESPONSE", NULL },
		{ 0xc2, "ENVELOPE", NULL },
		{ 0xca, "GET DATA", NULL },
		{ 0xcb, "RETRIEVE DATA", NULL },
		{ 0xd4, "RESIZE FILE", NULL },
		{ 0xd8, "PUT KEY", NULL },
		{ 0xdb, "SET DATA", NULL },
		{ 0xe0, "CREATE FILE", NULL },
		{ 0xe2, "STORE DATA", NULL },
		{ 0xe4, "DELETE FILE", "DELETE" },
		{ 0xe6, "INSTALL", NULL },
		{ 0xe8, "LOAD", NULL },
		{ 0xf0, "SET STATUS", NULL },
		{ 0xf2, "STATUS", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].ins == ins)
			return names[i].gp && cla & 0x80 && cla != CLA_2G ? names[i].gp : names[i].name;
	return NULL;
}

static void describe_select(char *buf, size_t cap, const uint8_t *apdu, size_t n)
{
	const uint8_t *d = apdu + APDU_HEAD;
	char path[DESCRIBE_PART_MAX] = "";
	const char *name;
	size_t k = 0;

	if (apdu[2] == 0x04) {
		snprintf(buf, cap, "SELECT application by name, %zu octets", n);
		return;
	}
	if (n < 2 || n & 1) {
		snprintf(buf, cap, "SELECT, %zu octets", n);
		return;
	}
	for (size_t i = 0; i < n && k + 6 < sizeof(path); i += 2)
		k += (size_t)snprintf(path + k, sizeof(path) - k, "%s%02X%02X", i ? "/" : "", d[i], d[i + 1]);
	name = usim_file_name((uint16_t)(d[n - 2] << 8 | d[n - 1]));
	snprintf(buf, cap, name ? "SELECT %s (%s)" : "SELECT %s", path, name);
}

static void describe_offset(char *buf, size_t cap, const char *verb, const uint8_t *apdu, size_t n)
{
	if (apdu[2] & 0x80)
		snprintf(buf, cap, "%s %zu octets at %u, short file id %02X", verb, n, apdu[3], apdu[2] & 0x1f);
	else
		snprintf(buf, cap, "%s %zu octets at %u", verb, n, apdu[2] << 8 | apdu[3]);
}

/* P2 b3-b1: how the record is named (TS 102 221, 11.1.5). */
static void describe_record(char *buf, size_t cap, const char *verb, const uint8_t *apdu, size_t n)
{
	static const char *const mode[8] = { [2] = "next record", [3] = "previous record" };
	const char *which = mode[apdu[3] & 7];

	if (which)
		snprintf(buf, cap, "%s %zu octets, %s", verb, n, which);
	else
		snprintf(buf, cap, "%s %zu octets, record %u", verb, n, apdu[2]);
}

void ota_apdu_describe(char *buf, size_t cap, const uint8_t *apdu, size_t len)
{
	size_t le, lc;
	const char *name;

	if (cap == 0)
		return;
	if (len < APDU_HEAD) {
		snprintf(buf, cap, "incomplete C-APDU, %zu octets", len);
		return;
	}
	le = apdu[4] ? apdu[4] : 256;
	lc = len - APDU_HEAD < apdu[4] ? len - APDU_HEAD : apdu[4];
	switch (apdu[1]) {
	case INS_SELECT:
		describe_select(buf, cap, apdu, lc);
		return;
	case INS_READ_BINARY:
		describe_offset(buf, cap, "READ BINARY", apdu, le);
		return;
	case INS_READ_RECORD:
		describe_record(buf, cap, "READ RECORD", apdu, le);
		return;
	case INS_UPDATE_BINARY:
		describe_offset(buf, cap, "UPDATE BINARY", apdu, lc);
		return;
	case INS_UPDATE_RECORD:
		describe_record(buf, cap, "UPDATE RECORD", apdu, lc);
		return;
	}
	name = apdu[1] == 0xf2 && !p3_is_le(apdu[0], apdu[1], apdu[2]) ? "GET STATUS" : ins_name(apdu[0], apdu[1]);
	if (!name)
		snprintf(buf, cap, "CLA %02X INS %02X P1 %02X P2 %02X", apdu[0], apdu[1], apdu[2], apdu[3]);
	else if (p3_is_le(apdu[0], apdu[1], apdu[2]))
		snprintf(buf, cap, "%s %zu octets", name, le);
	else
		snprintf(buf, cap, "%s, %zu octets of data", name, lc);
}
