/* gsm48.c - mobility management and radio resources as a phone speaks them (TS 24.008).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "gsm48.h"

#include <string.h>

#define CKSN_NONE	   0x70 /* no key is available (TS 24.008, 10.5.1.2) */
#define CM_SERVICE_SMS	   4
#define IE_AUTH_RES_EXT	   0x21
#define IE_AUTH_FAIL_PARAM 0x22
#define IE_AUTN		   0x20
#define IE_MOBILE_ID	   0x17
#define LAC_DELETED	   0xfffe
#define IMEI		   "353918051234563"

/* R99 phone (the network then authenticates with AUTN), early classmark sending, A5/1, power class 7; SMS capable. */
#define CLASSMARK_1 0x57
const uint8_t classmark_2[3] = { 0x57, 0x18, 0xa1 };

struct mobile_id mobile_id_imsi(const char *imsi)
{
	struct mobile_id id = { .type = MOBILE_ID_IMSI };

	strncpy(id.digits, imsi, IMSI_DIGITS_MAX);
	return id;
}

struct mobile_id mobile_id_tmsi(uint32_t tmsi)
{
	return (struct mobile_id){ .type = MOBILE_ID_TMSI, .tmsi = tmsi };
}

/* TS 24.008, 10.5.1.4: the first digit stands beside the type; bit 4 says whether their number is odd. */
bool mobile_id_read(struct rd *r, struct mobile_id *id)
{
	uint8_t first = rd_u8(r);
	bool odd = first & 0x08;
	const uint8_t *octets;
	size_t n;

	memset(id, 0, sizeof(*id));
	id->type = first & 0x07;
	if (r->bad)
		return false;
	if (id->type == MOBILE_ID_TMSI) {
		id->tmsi = (uint32_t)rd_be(r, 4);
		return !r->bad;
	}
	n = 2 * rd_left(r) + odd;
	octets = rd_bytes(r, rd_left(r));
	if (n == 0 || n >= sizeof(id->digits) || (id->type == MOBILE_ID_IMSI && n > IMSI_DIGITS_MAX))
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t b = i ? octets[(i - 1) / 2] : first;

		b = i & 1 ? b & 0xf : b >> 4;
		if (b > 9)
			return false;
		id->digits[i] = (char)('0' + b);
	}
	return true;
}

void mobile_id_write(struct wr *w, const struct mobile_id *id)
{
	size_t n = strlen(id->digits);

	if (id->type == MOBILE_ID_TMSI) {
		wr_u8(w, 5);
		wr_u8(w, 0xf0 | MOBILE_ID_TMSI);
		wr_be(w, id->tmsi, 4);
		return;
	}
	if (n == 0) { /* no identity */
		wr_u8(w, 1);
		wr_u8(w, 0xf0);
		return;
	}
	wr_u8(w, (uint8_t)(n / 2 + 1));
	wr_u8(w, (uint8_t)((id->digits[0] - '0') << 4 | (n & 1 ? 0x08 : 0) | id->type));
	for (size_t i = 1; i < n; i += 2) {
		uint8_t high = i + 1 < n ? (uint8_t)(id->digits[i + 1] - '0') : 0xf;

		wr_u8(w, (uint8_t)(high << 4 | (id->digits[i] - '0')));
	}
}

static void lai_write(struct wr *w, const struct lai *lai)
{
	if (lai->known)
		plmn_write(w, &lai->plmn);
	else
		wr_fill(w, 0xff, 3);
	wr_be(w, lai->known ? lai->lac : LAC_DELETED, 2);
}

static void mm_head(struct wr *w, enum mm_type type)
{
	wr_u8(w, PD_MM);
	wr_u8(w, (uint8_t)type);
}

static void put_cm2(struct wr *w)
{
	wr_u8(w, sizeof(classmark_2));
	wr_bytes(w, classmark_2, sizeof(classmark_2));
}

void mm_lu_request(struct wr *w, enum lu_type type, const struct lai *lai, const struct mobile_id *id)
{
	mm_head(w, MM_LU_REQUEST);
	wr_u8(w, (uint8_t)(CKSN_NONE | type));
	lai_write(w, lai);
	wr_u8(w, CLASSMARK_1);
	mobile_id_write(w, id);
}

void mm_imsi_detach(struct wr *w, const struct mobile_id *id)
{
	mm_head(w, MM_IMSI_DETACH);
	wr_u8(w, CLASSMARK_1);
	mobile_id_write(w, id);
}

void mm_cm_request_sms(struct wr *w, const struct mobile_id *id)
{
	mm_head(w, MM_CM_REQUEST);
	wr_u8(w, CKSN_NONE | CM_SERVICE_SMS);
	put_cm2(w);
	mobile_id_write(w, id);
}

void rr_paging_response(struct wr *w, const struct mobile_id *id)
{
	wr_u8(w, PD_RR);
	wr_u8(w, RR_PAGING_RESPONSE);
	wr_u8(w, CKSN_NONE >> 4);
	put_cm2(w);
	mobile_id_write(w, id);
}

/* TS 24.008, 9.2.3: the first four octets of RES where SRES stood, the rest in an element of its own. */
void mm_auth_response(struct wr *w, const uint8_t res[8])
{
	mm_head(w, MM_AUTH_RESPONSE);
	wr_bytes(w, res, 4);
	wr_u8(w, IE_AUTH_RES_EXT);
	wr_u8(w, 4);
	wr_bytes(w, res + 4, 4);
}

void mm_auth_failure(struct wr *w, uint8_t cause, const uint8_t *auts)
{
	mm_head(w, MM_AUTH_FAILURE);
	wr_u8(w, cause);
	if (!auts)
		return;
	wr_u8(w, IE_AUTH_FAIL_PARAM);
	wr_u8(w, 14);
	wr_bytes(w, auts, 14);
}

void mm_id_response(struct wr *w, const struct mobile_id *id)
{
	struct mobile_id imei = { .type = MOBILE_ID_IMEI, .digits = IMEI };

	mm_head(w, MM_ID_RESPONSE);
	mobile_id_write(w, id->type == MOBILE_ID_IMEI || id->type == MOBILE_ID_IMEISV ? &imei : id);
}

void mm_tmsi_complete(struct wr *w)
{
	mm_head(w, MM_TMSI_COMPLETE);
}

void l3_number(uint8_t *l3, size_t len, uint8_t *n_sd)
{
	if (len < 2 || (l3[0] & 0x0f) != PD_MM)
		return;
	l3[1] = (uint8_t)((l3[1] & 0x3f) | *n_sd << 6);
	*n_sd = (*n_sd + 1) & 3;
}

/* ---- from the network ---- */

static void lai_read(struct rd *r, struct lai *lai)
{
	lai->known = plmn_read(r, &lai->plmn);
	lai->lac = (uint16_t)rd_be(r, 2);
}

static void auth_request(struct rd *r, struct mm *m)
{
	rd_u8(r); /* CKSN */
	m->rand = rd_bytes(r, 16);
	if (rd_left(r) && rd_u8(r) == IE_AUTN) {
		struct rd autn = rd_sub(r, rd_u8(r));

		m->autn = rd_left(&autn) == 16 ? autn.p : NULL;
	}
}

/* LAI; the identity has a tag in LU ACCEPT and none in TMSI REALLOCATION COMMAND. */
static void new_identity(struct rd *r, struct mm *m)
{
	struct rd id;

	lai_read(r, &m->lai);
	if (!rd_left(r) || (m->type == MM_LU_ACCEPT && rd_u8(r) != IE_MOBILE_ID))
		return;
	id = rd_sub(r, rd_u8(r));
	m->has_id = !id.bad && mobile_id_read(&id, &m->id);
}

bool mm_read(const uint8_t *p, size_t len, struct mm *m)
{
	struct rd r = rd_init(p, len);

	memset(m, 0, sizeof(*m));
	rd_u8(&r);
	m->type = rd_u8(&r) & 0x3f;
	switch (m->type) {
	case MM_AUTH_REQUEST:
		auth_request(&r, m);
		break;
	case MM_LU_ACCEPT:
	case MM_TMSI_COMMAND:
		new_identity(&r, m);
		break;
	case MM_LU_REJECT:
	case MM_CM_REJECT:
		m->cause = rd_u8(&r);
		break;
	case MM_ID_REQUEST:
		m->id_type = rd_u8(&r) & 0x07;
		break;
	}
	return !r.bad;
}
