/* card_rfm.c - the files of a USIM and the remote commands on them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * TS 102 226, 5.1, compact: C-APDUs follow each other with nothing between; each script is a session of its own, starts
 * at the application's DF without a current EF, stops at the first failing command; the answer is count, SW and data of
 * the last executed one.  5.2, expanded: AA L or AE 80 .. 00 00 around TLVs, 22 for a C-APDU; the answer has a 23 with
 * data and SW for each.  Files and sizes: TS 31.102, 4.2 and TS 51.011 for the SIM's view of them.
 */
#include <string.h>

#include "ota/rd.h"
#include "ota/wr.h"

#include "card_int.h"
#include "card_sub_int.h"

#define FID_MF	 0x3f00
#define FID_ADF	 0x7fff
#define FID_IMSI 0x6f07
#define FID_AUTH \
	0xaf20 /* a maker's own: what AUTHENTICATE of a plain USIM takes; one octet, K, OPc.  Written, never read */
#define AUTH_K	 1
#define AUTH_OPC 17
#define AUTH_LEN 33

enum df { DF_MF, DF_ADF, DF_5GS, DF_GSM, DF_TELECOM, DF_NONE };

static const struct {
	uint16_t fid;
	uint8_t parent;
} dfs[] = {
	[DF_MF] = { FID_MF, DF_MF },  [DF_ADF] = { FID_ADF, DF_MF },	[DF_5GS] = { 0x5fc0, DF_ADF },
	[DF_GSM] = { 0x7f20, DF_MF }, [DF_TELECOM] = { 0x7f10, DF_MF },
};

/* Where a file's octets stand; the SIM's EFs that hold the same are links to them. */
enum body {
	B_ICCID,
	B_IMSI,
	B_LOCI,
	B_PSLOCI,
	B_EPSLOCI,
	B_KEYS,
	B_KEYSPS,
	B_EPSNSC,
	B_HFN,
	B_THRESHOLD,
	B_FPLMN,
	B_PLMNW,
	B_OPLMNW,
	B_HPLMNW,
	B_EHPLMN,
	B_ACC,
	B_AD,
	B_SMSP,
	B_SPN,
	B_MSISDN,
	B_HPPLMN,
	B_UST,
	B_NETPAR,
	B_GID1,
	B_GID2,
	B_5GSLOCI,
	B_5GSN3LOCI,
	B_KC,
	B_KCGPRS,
	B_LOCIGPRS,
	B_AUTH, /* not in it: in struct sim_usim */
	_BODIES
};
static const uint8_t body_len[_BODIES] = {
	[B_ICCID] = 10,	 [B_IMSI] = 9,	   [B_LOCI] = 11,      [B_PSLOCI] = 14,	  [B_EPSLOCI] = 18, [B_KEYS] = 33,
	[B_KEYSPS] = 33, [B_EPSNSC] = 54,  [B_HFN] = 6,	       [B_THRESHOLD] = 3, [B_FPLMN] = 12,   [B_PLMNW] = 20,
	[B_OPLMNW] = 20, [B_HPLMNW] = 20,  [B_EHPLMN] = 12,    [B_ACC] = 2,	  [B_AD] = 4,	    [B_SMSP] = 38,
	[B_SPN] = 17,	 [B_MSISDN] = 24,  [B_HPPLMN] = 1,     [B_UST] = 17,	  [B_NETPAR] = 46,  [B_GID1] = 4,
	[B_GID2] = 4,	 [B_5GSLOCI] = 20, [B_5GSN3LOCI] = 20, [B_KC] = 9,	  [B_KCGPRS] = 9,   [B_LOCIGPRS] = 14,
	[B_AUTH] = 0,
};

struct ef {
	uint16_t fid;
	uint8_t df, body;
	bool record; /* linear fixed; one record, or as many as fit */
	bool read_only;
};
static const struct ef efs[] = {
	{ 0x2fe2, DF_MF, B_ICCID, false, true },
	{ FID_IMSI, DF_ADF, B_IMSI },
	{ 0x6f7e, DF_ADF, B_LOCI },
	{ 0x6f73, DF_ADF, B_PSLOCI },
	{ 0x6fe3, DF_ADF, B_EPSLOCI },
	{ 0x6f08, DF_ADF, B_KEYS },
	{ 0x6f09, DF_ADF, B_KEYSPS },
	{ 0x6fe4, DF_ADF, B_EPSNSC, true },
	{ 0x6f5b, DF_ADF, B_HFN },
	{ 0x6f5c, DF_ADF, B_THRESHOLD },
	{ 0x6f7b, DF_ADF, B_FPLMN },
	{ 0x6f60, DF_ADF, B_PLMNW },
	{ 0x6f61, DF_ADF, B_OPLMNW },
	{ 0x6f62, DF_ADF, B_HPLMNW },
	{ 0x6fd9, DF_ADF, B_EHPLMN },
	{ 0x6f78, DF_ADF, B_ACC },
	{ 0x6fad, DF_ADF, B_AD },
	{ 0x6f42, DF_ADF, B_SMSP, true },
	{ 0x6f46, DF_ADF, B_SPN },
	{ 0x6f40, DF_ADF, B_MSISDN, true },
	{ 0x6f31, DF_ADF, B_HPPLMN },
	{ 0x6f38, DF_ADF, B_UST },
	{ 0x6fc4, DF_ADF, B_NETPAR },
	{ 0x6f3e, DF_ADF, B_GID1 },
	{ 0x6f3f, DF_ADF, B_GID2 },
	{ FID_AUTH, DF_ADF, B_AUTH },
	{ 0x4f01, DF_5GS, B_5GSLOCI },
	{ 0x4f02, DF_5GS, B_5GSN3LOCI },
	{ FID_IMSI, DF_GSM, B_IMSI },
	{ 0x6f7e, DF_GSM, B_LOCI },
	{ 0x6f20, DF_GSM, B_KC },
	{ 0x6f52, DF_GSM, B_KCGPRS },
	{ 0x6f53, DF_GSM, B_LOCIGPRS },
	{ 0x6f7b, DF_GSM, B_FPLMN },
	{ 0x6f78, DF_GSM, B_ACC },
	{ 0x6fad, DF_GSM, B_AD },
	{ 0x6f46, DF_GSM, B_SPN },
	{ 0x6f31, DF_GSM, B_HPPLMN },
	{ 0x6f40, DF_TELECOM, B_MSISDN, true },
	{ 0x6f42, DF_TELECOM, B_SMSP, true },
};
#define EFS (sizeof(efs) / sizeof(efs[0]))

static size_t body_at(enum body b)
{
	size_t at = 0;

	for (int i = 0; i < (int)b; i++)
		at += body_len[i];
	return at;
}

static uint8_t *body(struct sim_card *c, enum body b)
{
	return c->fs + body_at(b);
}

const uint8_t *sim_card_file(const struct sim_card *c, uint16_t fid, size_t *len)
{
	for (size_t i = 0; i < EFS; i++) {
		if (efs[i].fid == fid) {
			*len = body_len[efs[i].body];
			return c->fs + body_at(efs[i].body);
		}
	}
	return NULL;
}

uint8_t *sim_fs_at(struct sim_card *c, const uint16_t *path, int n, size_t *len, bool *read_only)
{
	enum df df = n == 1			? DF_ADF :
		     path[0] == dfs[DF_5GS].fid ? DF_5GS :
		     path[0] == dfs[DF_GSM].fid ? DF_GSM :
						  DF_NONE;

	if (df == DF_5GS && c->profile.no_5gs)
		return NULL;
	for (size_t i = 0; i < EFS; i++) {
		if (efs[i].df == df && efs[i].fid == path[n - 1]) {
			*len = body_len[efs[i].body];
			*read_only = efs[i].read_only;
			return body(c, efs[i].body);
		}
	}
	return NULL;
}

/* ---- contents of a card as delivered ---- */

/* TS 31.102, 4.2.2: length, then digits in swapped nibbles behind a parity nibble (9: odd number of digits). */
static void imsi_code(const char *imsi, uint8_t *f)
{
	size_t n = strlen(imsi);

	memset(f, 0xff, 9);
	f[0] = (uint8_t)(n / 2 + 1);
	f[1] = (uint8_t)((imsi[0] - '0') << 4 | (n % 2 ? 9 : 1));
	for (size_t i = 1; i < n; i++) {
		uint8_t *o = &f[1 + (i + 1) / 2], d = (uint8_t)(imsi[i] - '0');

		*o = i % 2 ? (uint8_t)(0xf0 | d) : (uint8_t)((*o & 0x0f) | d << 4);
	}
}

void sim_fs_imsi(const struct sim_card *c, char imsi[SIM_IMSI_LEN])
{
	const uint8_t *f = c->fs + body_at(B_IMSI);
	size_t n = 0, nibbles = f[0] * 2u;

	imsi[0] = '\0';
	if (f[0] < 1 || f[0] > 8 || ((f[1] & 0x07) != 1))
		return;
	if (!(f[1] & 0x08)) /* even: the last nibble is filler */
		nibbles--;
	for (size_t i = 1; i < nibbles && n < SIM_IMSI_LEN - 1; i++) {
		uint8_t d = i % 2 ? f[1 + i / 2] >> 4 : f[1 + i / 2] & 0x0f;

		if (d > 9) {
			imsi[0] = '\0';
			return;
		}
		imsi[n++] = (char)('0' + d);
	}
	imsi[n] = '\0';
}

/* Digits in swapped nibbles, filler F. */
static void bcd(const char *digits, uint8_t *f, size_t len)
{
	memset(f, 0xff, len);
	for (size_t i = 0; digits[i] && i < 2 * len; i++) {
		uint8_t d = (uint8_t)(digits[i] - '0');

		f[i / 2] = i % 2 ? (uint8_t)((f[i / 2] & 0x0f) | d << 4) : (uint8_t)(0xf0 | d);
	}
}

void sim_fs_init(struct sim_card *c)
{
	const char *imsi = c->imsi_first;
	uint8_t *f, plmn[3];
	size_t n = strlen(imsi);

	memset(c->fs, 0xff, sizeof(c->fs));
	bcd(c->iccid, body(c, B_ICCID), body_len[B_ICCID]);
	imsi_code(imsi, body(c, B_IMSI));
	plmn[0] = (uint8_t)((imsi[1] - '0') << 4 | (imsi[0] - '0'));
	plmn[1] = (uint8_t)(0xf0 | (imsi[2] - '0'));
	plmn[2] = (uint8_t)((imsi[4] - '0') << 4 | (imsi[3] - '0'));
	/* an attached card: TMSI, location area and keys in use */
	f = body(c, B_LOCI);
	memcpy(f, (uint8_t[]){ 0x12, 0x34, 0x56, 0x78, plmn[0], plmn[1], plmn[2], 0x00, 0x01, 0xff, 0x00 }, 11);
	f = body(c, B_PSLOCI);
	memcpy(f,
	       (uint8_t[]){ 0xc1, 0x02, 0x03, 0x04, 0x55, 0x66, 0x77, plmn[0], plmn[1], plmn[2], 0x00, 0x01, 0x01,
			    0x00 },
	       14);
	f = body(c, B_EPSLOCI);
	f[17] = 0x00;
	body(c, B_KEYS)[0] = 0x02;
	body(c, B_KEYSPS)[0] = 0x03;
	memcpy(body(c, B_HFN), (uint8_t[]){ 0xf0, 0, 0, 0xf0, 0, 0 }, 6);
	memcpy(body(c, B_EHPLMN), plmn, 3);
	memcpy(body(c, B_HPLMNW), plmn, 3);
	memcpy(body(c, B_HPLMNW) + 3, (uint8_t[]){ 0xc0, 0x80 }, 2);
	f = body(c, B_ACC);
	f[0] = imsi[n - 1] >= '8' ? (uint8_t)(1u << (imsi[n - 1] - '8')) : 0;
	f[1] = imsi[n - 1] >= '8' ? 0 : (uint8_t)(1u << (imsi[n - 1] - '0'));
	memcpy(body(c, B_AD), (uint8_t[]){ 0, 0, 0, 2 }, 4);
	f = body(c, B_SMSP) + 10; /* behind the alpha identifier */
	f[0] = 0xfd;		  /* only the service centre's address is present */
	f[13] = 0x07;
	f[14] = 0x91;
	bcd("882990000001", f + 15, 6);
	body(c, B_SPN)[0] = 0x01;
	memcpy(body(c, B_SPN) + 1, "otasim", 6);
	f = body(c, B_MSISDN) + 10;
	f[0] = 0x08;
	f[1] = 0x91;
	bcd(c->msisdn, f + 2, 10);
	body(c, B_HPPLMN)[0] = 0x05;
	memset(body(c, B_UST), 0, body_len[B_UST]);
	body(c, B_UST)[3] = 0x18; /* services 28 and 29: data download by SMS-PP and SMS-CB */
	body(c, B_5GSLOCI)[19] = 0x00;
	body(c, B_5GSN3LOCI)[19] = 0x01;
	body(c, B_KC)[8] = 0x01;
	body(c, B_KCGPRS)[8] = 0x01;
	body(c, B_LOCIGPRS)[13] = 0x00;
}

/* ---- a script ---- */

struct session {
	struct sim_card *c;
	enum df home, df;
	const struct ef *ef;
	bool changed, imsi_written;
	uint8_t fcp[32]; /* what GET RESPONSE fetches */
	uint8_t fcp_len;
	uint16_t sw;
	uint8_t len; /* data of this command */
	uint8_t data[255];
};

struct apdu {
	uint8_t cla, ins, p1, p2, p3;
	const uint8_t *data; /* p3 octets, NULL for commands without */
};

/* Does P3 stand for the length of data that follow? */
static bool ins_has_data(uint8_t ins)
{
	return ins != 0xb0 && ins != 0xb2 && ins != 0xc0 && ins != 0xf2 && ins != 0xca && ins != 0x04 && ins != 0x44;
}

static bool apdu_read(struct rd *in, struct apdu *a)
{
	a->cla = rd_u8(in);
	a->ins = rd_u8(in);
	a->p1 = rd_u8(in);
	a->p2 = rd_u8(in);
	a->p3 = rd_u8(in);
	a->data = ins_has_data(a->ins) ? rd_bytes(in, a->p3) : NULL;
	return !in->bad;
}

static const struct ef *ef_find(const struct session *s, enum df df, uint16_t fid)
{
	for (size_t i = 0; i < EFS; i++) {
		if (efs[i].df == df && efs[i].fid == fid && (fid != FID_AUTH || s->c->usim))
			return &efs[i];
	}
	return NULL;
}

/* TS 102 221, 8.4.1: a child, the parent, a sibling DF, the current DF itself; MF and ADF by their own names. */
static enum df df_find(const struct session *s, enum df from, uint16_t fid)
{
	if (fid == FID_MF)
		return DF_MF;
	if (fid == FID_ADF)
		return s->home == DF_ADF ? DF_ADF : DF_NONE;
	for (int i = 0; i < DF_NONE; i++) {
		if (dfs[i].fid != fid || (i == DF_5GS && s->c->profile.no_5gs))
			continue;
		if (i == (int)from || dfs[i].parent == from || i == dfs[from].parent ||
		    dfs[i].parent == dfs[from].parent)
			return (enum df)i;
	}
	return DF_NONE;
}

/* The step from DF *df by one FID; an EF ends the walk. */
static bool select_step(const struct session *s, enum df *df, const struct ef **ef, uint16_t fid)
{
	const struct ef *e = ef_find(s, *df, fid);
	enum df d;

	if (e) {
		*ef = e;
		return true;
	}
	d = df_find(s, *df, fid);
	if (d == DF_NONE)
		return false;
	*df = d;
	*ef = NULL;
	return true;
}

static void fcp_build(struct session *s)
{
	uint16_t fid = s->ef ? s->ef->fid : dfs[s->df].fid;
	uint16_t size = s->ef ? body_len[s->ef->body] : 0;
	struct wr w = wr_init(s->fcp, sizeof(s->fcp));

	wr_u8(&w, 0x62);
	wr_u8(&w, s->ef ? (s->ef->record ? 15 : 12) : 8);
	wr_u8(&w, 0x82); /* file descriptor */
	if (s->ef && s->ef->record) {
		wr_u8(&w, 5);
		wr_be(&w, 0x4221, 2);
		wr_be(&w, size, 2);
		wr_u8(&w, 1);
	} else {
		wr_u8(&w, 2);
		wr_be(&w, s->ef ? 0x4121 : 0x7821, 2);
	}
	wr_be(&w, 0x8302, 2); /* file identifier */
	wr_be(&w, fid, 2);
	if (s->ef) {
		wr_be(&w, 0x8002, 2); /* file size */
		wr_be(&w, size, 2);
	}
	s->fcp_len = (uint8_t)wr_len(&w);
}

static uint16_t ins_select(struct session *s, const struct apdu *a)
{
	static const uint8_t usim_aid[] = { 0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02 };
	struct rd in = rd_init(a->data, a->p3);
	const struct ef *ef = s->ef;
	enum df df = s->df;
	bool found = true;

	switch (a->p1) {
	case 0x00:
		if (a->p3 != 2)
			return 0x6700;
		found = select_step(s, &df, &ef, (uint16_t)rd_be(&in, 2));
		break;
	case 0x04:
		found = s->home == DF_ADF && a->p3 >= sizeof(usim_aid) && !memcmp(a->data, usim_aid, sizeof(usim_aid));
		df = DF_ADF;
		ef = NULL;
		break;
	case 0x08:
	case 0x09:
		if (a->p3 == 0 || a->p3 % 2)
			return 0x6700;
		if (a->p1 == 0x08)
			df = DF_MF;
		ef = NULL;
		while (found && rd_left(&in))
			found = !ef && select_step(s, &df, &ef, (uint16_t)rd_be(&in, 2));
		break;
	default:
		return 0x6a86;
	}
	if (!found)
		return a->cla == 0xa0 ? 0x9404 : 0x6a82;
	s->df = df;
	s->ef = ef;
	if (a->cla == 0xa0) {
		fcp_build(s);
		return (uint16_t)(0x9f00 | s->fcp_len);
	}
	if ((a->p2 & 0x0c) == 0x0c)
		return 0x9000;
	fcp_build(s);
	return (uint16_t)(0x6100 | s->fcp_len);
}

static uint16_t ins_auth(struct session *s, size_t off, const struct apdu *a)
{
	uint8_t f[AUTH_LEN] = { 0 };

	if (FID_AUTH == s->c->profile.deny_update_fid)
		return 0x6982;
	if (a->p3 == 0 || off >= AUTH_LEN || a->p3 > AUTH_LEN - off)
		return 0x6700;
	memcpy(f + AUTH_K, s->c->usim->k, sizeof(s->c->usim->k));
	memcpy(f + AUTH_OPC, s->c->usim->opc, sizeof(s->c->usim->opc));
	s->changed |= memcmp(f + off, a->data, a->p3) != 0;
	memcpy(f + off, a->data, a->p3);
	memcpy(s->c->usim->k, f + AUTH_K, sizeof(s->c->usim->k));
	memcpy(s->c->usim->opc, f + AUTH_OPC, sizeof(s->c->usim->opc));
	return 0x9000;
}

static uint16_t ins_binary(struct session *s, const struct apdu *a, bool update)
{
	size_t off = (size_t)a->p1 << 8 | a->p2, size, n = a->p3;
	uint8_t *f;

	if (a->p1 & 0x80)
		return 0x6a82; /* short file identifiers are not offered */
	if (!s->ef)
		return 0x6986;
	if (s->ef->record)
		return 0x6981;
	if (s->ef->body == B_AUTH)
		return update ? ins_auth(s, off, a) : 0x6982;
	size = body_len[s->ef->body];
	f = body(s->c, s->ef->body);
	if (off >= size)
		return 0x6b00;
	if (update) {
		if (s->ef->read_only || s->ef->fid == s->c->profile.deny_update_fid)
			return 0x6982;
		if (n == 0 || n > size - off)
			return 0x6700;
		s->changed |= memcmp(f + off, a->data, n) != 0;
		s->imsi_written |= s->ef->fid == FID_IMSI;
		memcpy(f + off, a->data, n);
		return 0x9000;
	}
	if (n == 0)
		n = size - off;
	if (n > size - off)
		return (uint16_t)(0x6c00 | (size - off));
	memcpy(s->data, f + off, n);
	s->len = (uint8_t)n;
	return 0x9000;
}

static uint16_t ins_record(struct session *s, const struct apdu *a, bool update)
{
	size_t size;
	uint8_t *f;

	if (a->p2 & 0xf8)
		return 0x6a82;
	if ((a->p2 & 0x07) != 0x04)
		return 0x6a86; /* absolute addressing only */
	if (!s->ef)
		return 0x6986;
	if (!s->ef->record)
		return 0x6981;
	if (a->p1 != 1)
		return 0x6a83;
	size = body_len[s->ef->body];
	f = body(s->c, s->ef->body);
	if (update) {
		if (s->ef->read_only || s->ef->fid == s->c->profile.deny_update_fid)
			return 0x6982;
		if (a->p3 != size)
			return 0x6700;
		s->changed |= memcmp(f, a->data, size) != 0;
		memcpy(f, a->data, size);
		return 0x9000;
	}
	if (a->p3 != 0 && a->p3 != size)
		return (uint16_t)(0x6c00 | size);
	memcpy(s->data, f, size);
	s->len = (uint8_t)size;
	return 0x9000;
}

static uint16_t ins_get_response(struct session *s, const struct apdu *a)
{
	if (s->fcp_len == 0)
		return 0x6985;
	if (a->p3 != 0 && a->p3 > s->fcp_len)
		return (uint16_t)(0x6c00 | s->fcp_len);
	s->len = a->p3 ? a->p3 : s->fcp_len;
	memcpy(s->data, s->fcp, s->len);
	return 0x9000;
}

/* CLA A0 for the SIM's file system; 00 for the USIM's, 80 for its STATUS. */
static bool class_ok(const struct session *s, uint8_t cla, uint8_t ins)
{
	if (s->home == DF_MF)
		return cla == 0xa0;
	return cla == 0x00 || (cla == 0x80 && ins == 0xf2);
}

static uint16_t run(struct session *s, const struct apdu *a)
{
	switch (a->ins) {
	case 0xa4:
		return ins_select(s, a);
	case 0xb0:
	case 0xd6:
		return ins_binary(s, a, a->ins == 0xd6);
	case 0xb2:
	case 0xdc:
		return ins_record(s, a, a->ins == 0xdc);
	case 0xc0:
		return ins_get_response(s, a);
	case 0xf2:
		return 0x9000; /* STATUS */
	default:
		return 0x6d00;
	}
}

static bool sw_good(uint16_t sw)
{
	return sw == 0x9000 || sw >> 8 == 0x61 || sw >> 8 == 0x9f || sw >> 8 == 0x91;
}

static struct session session_open(struct sim_card *c, const uint8_t tar[3])
{
	bool sim = !memcmp(tar, (uint8_t[]){ 0xb0, 0x00, 0x10 }, 3);

	return (struct session){ .c = c, .home = sim ? DF_MF : DF_ADF, .df = sim ? DF_MF : DF_ADF, .sw = 0x9000 };
}

static void compact_run(struct session *s, const uint8_t *p, size_t len, struct script_result *res)
{
	struct rd in = rd_init(p, len);
	struct wr w = wr_init(res->resp, sizeof(res->resp));
	uint8_t count = 0;
	struct apdu a;

	while (rd_left(&in) && count < 255) {
		if (count && rd_left(&in) == 1 && *in.p == 0)
			break; /* Le behind the last command */
		count++;
		s->len = 0;
		if (rd_left(&in) >= 2 && !class_ok(s, in.p[0], in.p[1]))
			s->sw = 0x6e00; /* nothing behind an unknown class can be read */
		else if (!apdu_read(&in, &a))
			s->sw = 0x6700;
		else
			s->sw = run(s, &a);
		if (!sw_good(s->sw)) {
			res->done = false;
			break;
		}
		if (a.ins != 0xa4)
			s->fcp_len = 0;
	}
	wr_u8(&w, count);
	wr_be(&w, s->sw, 2);
	wr_bytes(&w, s->data, s->len);
	res->len = wr_len(&w);
}

/* ---- expanded format (TS 102 226, 5.2; tags: TS 101 220, 7.18 to 7.20) ---- */

#define TAG_COMMAND	  0xaa
#define TAG_COMMAND_INDEF 0xae
#define TAG_ANSWER	  0xab
#define TAG_ANSWER_INDEF  0xaf
#define TAG_C_APDU	  0x22
#define TAG_R_APDU	  0x23
#define TAG_EXECUTED	  0x80
#define TAG_IMMEDIATE	  0x81
#define TAG_ERROR_ACTION  0x82
#define TAG_CHAINING	  0x83
#define TAG_BAD_FORMAT	  0x90

#define LEN_OPEN       0x80
#define SW_CUT_OFF     0x62f1
#define RAPDU_SHORTEST 4  /* 23 02 SW */
#define FRAME_MAX      10 /* AB 82 xxxx 80 01 n, and one TLV about why it went no further */

enum bad_format { BAD_NONE, BAD_UNKNOWN_TAG, BAD_WRONG_LENGTH, BAD_NO_LENGTH };

/* A BER length of one to three octets; -1: not one, or not there. */
static long ber_length(struct rd *in)
{
	uint8_t first;

	if (!rd_left(in))
		return -1;
	first = rd_u8(in);
	if (first < 0x80)
		return first;
	if ((first != 0x81 && first != 0x82) || rd_left(in) < (size_t)(first & 0x7f))
		return -1;
	return (long)rd_be(in, first & 0x7f);
}

static void put_length(struct wr *w, size_t n)
{
	if (n >= 0x80)
		wr_u8(w, n >= 0x100 ? 0x82 : 0x81);
	wr_be(w, n, n >= 0x100 ? 2 : 1);
}

static size_t rapdu_octets(size_t data)
{
	size_t n = data + 2;

	return 1 + (n < 0x80 ? 1 : n < 0x100 ? 2 : 3) + n;
}

struct expanded {
	struct session *s;
	struct wr tlvs; /* of the answer, without its head */
	uint8_t body[RESPONSE_MAX];
	size_t room;	/* of it */
	unsigned count; /* command objects executed */
	bool indefinite, stop;
};

static void answer_tlv(struct expanded *x, uint8_t tag, uint8_t value)
{
	wr_u8(&x->tlvs, tag);
	wr_u8(&x->tlvs, 1);
	wr_u8(&x->tlvs, value);
}

/* The octets of one 22 object; nothing may stand behind the command but its Le. */
static bool capdu_read(struct rd *in, struct apdu *a, bool *le)
{
	*le = false;
	a->cla = rd_u8(in);
	a->ins = rd_u8(in);
	a->p1 = rd_u8(in);
	a->p2 = rd_u8(in);
	a->p3 = rd_left(in) ? rd_u8(in) : 0;
	a->data = ins_has_data(a->ins) ? rd_bytes(in, a->p3) : NULL;
	if (a->data && rd_left(in) == 1) {
		*le = true;
		rd_u8(in);
	}
	return !in->bad && !rd_left(in);
}

/* Case 4 in expanded format: what a GET RESPONSE would fetch comes back with the command itself. */
static void fetch_response(struct session *s)
{
	if (s->sw >> 8 != 0x61 && s->sw >> 8 != 0x9f)
		return;
	memcpy(s->data, s->fcp, s->fcp_len);
	s->len = s->fcp_len;
	s->sw = 0x9000;
}

/* 5.2.2: data that do not fit are cut off, 62F1 says so, and the rest of the script is not run.  Where more commands follow
 * room is kept for an answer to the next one. */
static size_t cut_to_room(struct expanded *x, bool more)
{
	size_t n = x->s->len, left = x->room - wr_len(&x->tlvs), keep = more ? RAPDU_SHORTEST : 0;

	if (rapdu_octets(n) + keep <= left)
		return n;
	x->s->sw = SW_CUT_OFF;
	x->stop = true;
	while (n && rapdu_octets(n) > left)
		n--;
	return n;
}

static void capdu_run(struct expanded *x, struct rd *in, bool more)
{
	struct session *s = x->s;
	struct apdu a;
	size_t n;
	bool le;

	s->len = 0;
	if (!capdu_read(in, &a, &le))
		s->sw = 0x6700;
	else if (!class_ok(s, a.cla, a.ins))
		s->sw = 0x6e00;
	else
		s->sw = run(s, &a);
	if (le)
		fetch_response(s);
	if (!sw_good(s->sw))
		x->stop = true;
	else if (a.ins != 0xa4)
		s->fcp_len = 0;
	n = cut_to_room(x, more);
	wr_u8(&x->tlvs, TAG_R_APDU);
	put_length(&x->tlvs, n + 2);
	wr_bytes(&x->tlvs, s->data, n);
	wr_be(&x->tlvs, s->sw, 2);
}

/* Only as the first object.  There is no phone to ask: that a proactive session can be had (81) is true, anything else
 * would need one. */
static void immediate_run(struct expanded *x, struct rd *value)
{
	if (rd_left(value) == 1 && rd_u8(value) == 0x81)
		return;
	answer_tlv(x, TAG_IMMEDIATE, 0x01);
	x->stop = true;
}

static enum bad_format object_run(struct expanded *x, struct rd *in)
{
	uint8_t tag = rd_u8(in);
	struct rd value;
	long n;

	if (tag != TAG_C_APDU && tag != TAG_IMMEDIATE && tag != TAG_ERROR_ACTION && tag != TAG_CHAINING)
		return BAD_UNKNOWN_TAG;
	n = ber_length(in);
	if (n < 0)
		return BAD_NO_LENGTH;
	if ((size_t)n > rd_left(in))
		return BAD_WRONG_LENGTH;
	value = rd_sub(in, (size_t)n);
	if (tag == TAG_C_APDU && n < 4)
		return BAD_WRONG_LENGTH;
	if (tag == TAG_IMMEDIATE && x->count)
		return BAD_UNKNOWN_TAG;
	if (tag == TAG_CHAINING) { /* this card keeps nothing from one script to the next */
		answer_tlv(x, TAG_CHAINING, x->count ? 0x03 : 0x02);
		x->stop = true;
		return BAD_NONE;
	}
	x->count++;
	if (tag == TAG_C_APDU)
		capdu_run(x, &value, rd_left(in) > 0);
	else if (tag == TAG_IMMEDIATE)
		immediate_run(x, &value);
	return BAD_NONE; /* an error action would be shown on the phone: nothing to do here */
}

/* The objects between the head and, where the coding is open, the two octets of its end. */
static enum bad_format expanded_objects(struct rd *in, bool indefinite, struct rd *objects)
{
	long n;

	if (indefinite) {
		if (!rd_left(in))
			return BAD_NO_LENGTH;
		if (rd_u8(in) != LEN_OPEN || rd_left(in) < 2 || in->p[rd_left(in) - 1] || in->p[rd_left(in) - 2])
			return BAD_WRONG_LENGTH;
		*objects = rd_sub(in, rd_left(in) - 2);
		return BAD_NONE;
	}
	n = ber_length(in);
	if (n < 0)
		return BAD_NO_LENGTH;
	if ((size_t)n != rd_left(in))
		return BAD_WRONG_LENGTH;
	*objects = rd_sub(in, (size_t)n);
	return BAD_NONE;
}

static void expanded_answer(const struct expanded *x, struct script_result *res)
{
	struct wr w = wr_init(res->resp, sizeof(res->resp));
	size_t n = wr_len(&x->tlvs);

	if (x->indefinite) {
		wr_u8(&w, TAG_ANSWER_INDEF);
		wr_u8(&w, LEN_OPEN);
		wr_bytes(&w, x->body, n);
		wr_be(&w, 0, 2);
	} else {
		n += 3;
		wr_u8(&w, TAG_ANSWER);
		put_length(&w, n);
		wr_u8(&w, TAG_EXECUTED);
		wr_u8(&w, 1);
		wr_u8(&w, (uint8_t)x->count);
		wr_bytes(&w, x->body, wr_len(&x->tlvs));
	}
	res->len = wr_len(&w);
}

static void expanded_run(struct session *s, const uint8_t *p, size_t len, struct script_result *res)
{
	size_t room = res->room < RESPONSE_MAX ? res->room : RESPONSE_MAX;
	struct expanded x = { .s = s, .indefinite = p[0] == TAG_COMMAND_INDEF };
	struct rd in = rd_init(p + 1, len - 1), objects = rd_init(p, 0);
	enum bad_format bad;

	x.room = room > FRAME_MAX + RAPDU_SHORTEST ? room - FRAME_MAX : RAPDU_SHORTEST;
	x.tlvs = wr_init(x.body, sizeof(x.body));
	bad = expanded_objects(&in, x.indefinite, &objects);
	while (!bad && !x.stop && rd_left(&objects) && x.count < 255)
		bad = object_run(&x, &objects);
	if (bad)
		answer_tlv(&x, TAG_BAD_FORMAT, (uint8_t)bad);
	res->done = !bad && !x.stop && !rd_left(&objects);
	expanded_answer(&x, res);
}

void sim_script_run(struct sim_card *c, const uint8_t tar[3], const uint8_t *p, size_t len, struct script_result *res)
{
	struct session s = session_open(c, tar);

	res->done = true;
	/* TS 102 226, 5: b2b1 of a CLA are 00, those of these tags are not */
	if (len && (p[0] == TAG_COMMAND || p[0] == TAG_COMMAND_INDEF))
		expanded_run(&s, p, len, res);
	else
		compact_run(&s, p, len, res);
	res->changed = s.changed;
	res->imsi_written = s.imsi_written;
}

/* Follows what SELECTs and UPDATEs do to the current file.  True: this one writes EF_IMSI. */
static bool apdu_touches(const struct apdu *a, bool *imsi)
{
	if (a->ins == 0xa4 && a->p3 >= 2 && a->p1 != 0x04)
		*imsi = a->data[a->p3 - 2] == FID_IMSI >> 8 && a->data[a->p3 - 1] == (FID_IMSI & 0xff);
	else if (a->ins == 0xd6 && *imsi)
		return true;
	return false;
}

static bool expanded_touches_imsi(const uint8_t *p, size_t len)
{
	struct rd in = rd_init(p + 1, len - 1), objects, value;
	bool imsi = false, le;
	struct apdu a;
	uint8_t tag;
	long n;

	if (expanded_objects(&in, p[0] == TAG_COMMAND_INDEF, &objects))
		return false;
	while (rd_left(&objects)) {
		tag = rd_u8(&objects);
		n = ber_length(&objects);
		if (n < 0 || (size_t)n > rd_left(&objects))
			return false;
		value = rd_sub(&objects, (size_t)n);
		if (tag == TAG_C_APDU && capdu_read(&value, &a, &le) && apdu_touches(&a, &imsi))
			return true;
	}
	return false;
}

bool sim_script_touches_imsi(const uint8_t *p, size_t len)
{
	struct rd in = rd_init(p, len);
	bool imsi = false;
	struct apdu a;

	if (len && (p[0] == TAG_COMMAND || p[0] == TAG_COMMAND_INDEF))
		return expanded_touches_imsi(p, len);
	while (rd_left(&in) && apdu_read(&in, &a))
		if (apdu_touches(&a, &imsi))
			return true;
	return false;
}
