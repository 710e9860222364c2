/* bssmap.c - BSSAP between a BSC and its MSC: octets in, values out, and back (TS 48.006, TS 48.008).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "bssmap.h"

#include <string.h>

#include "gsm48.h"

/* TS 48.006, 9.3.2 */
#define DISC_BSSMAP 0x00
#define DISC_DTAP   0x01

/* TS 48.008, 3.2.2 */
#define IE_CAUSE       0x04
#define IE_CELL_ID     0x05
#define IE_IMSI	       0x08
#define IE_TMSI	       0x09
#define IE_CLASSMARK_2 0x12
#define IE_L3_INFO     0x17
#define IE_CHAN_NEEDED 0x24
#define IE_EMLPP       0x36
#define CELL_ID_CGI    0x00 /* MCC, MNC, LAC, CI (3.2.2.17) */
#define DLCI_SAPI_MASK 0x07

bool bssap_read(const uint8_t *p, size_t len, struct bssap *m)
{
	struct rd in = rd_init(p, len);
	uint8_t disc = rd_u8(&in), dlci = 0;

	*m = (struct bssap){ .dtap = disc == DISC_DTAP };
	if (disc != DISC_BSSMAP && disc != DISC_DTAP)
		return false;
	if (m->dtap)
		dlci = rd_u8(&in);
	m->body = rd_sub(&in, rd_u8(&in));
	if (m->dtap)
		m->sapi = dlci & DLCI_SAPI_MASK;
	else
		m->type = rd_u8(&m->body);
	return !in.bad && !m->body.bad;
}

bool bssmap_paging_read(struct rd body, struct bssmap_paging *p)
{
	struct mobile_id id;

	memset(p, 0, sizeof(*p));
	while (rd_left(&body)) {
		uint8_t iei = rd_u8(&body);
		struct rd ie;

		if (iei == IE_CHAN_NEEDED || iei == IE_EMLPP) { /* these two have no length */
			rd_u8(&body);
			continue;
		}
		ie = rd_sub(&body, rd_u8(&body));
		if (body.bad)
			return false;
		if (iei == IE_IMSI && mobile_id_read(&ie, &id) && id.type == MOBILE_ID_IMSI)
			memcpy(p->imsi, id.digits, sizeof(p->imsi));
		if (iei == IE_TMSI && rd_left(&ie) == 4) {
			p->has_tmsi = true;
			p->tmsi = (uint32_t)rd_be(&ie, 4);
		}
	}
	return !body.bad && p->imsi[0];
}

/* The length comes when the rest is there. */
static uint8_t *begin(struct wr *w, enum bssmap_type type)
{
	uint8_t *len;

	wr_u8(w, DISC_BSSMAP);
	len = wr_room(w, 1);
	wr_u8(w, (uint8_t)type);
	return len;
}

static void end(struct wr *w, uint8_t *len)
{
	if (w->bad || w->p - len - 1 > UINT8_MAX)
		w->bad = true;
	else
		*len = (uint8_t)(w->p - len - 1);
}

void bssmap_plain(struct wr *w, enum bssmap_type type)
{
	end(w, begin(w, type));
}

static void with_cause(struct wr *w, enum bssmap_type type, uint8_t cause)
{
	uint8_t *len = begin(w, type);

	wr_u8(w, IE_CAUSE);
	wr_u8(w, 1);
	wr_u8(w, cause);
	end(w, len);
}

void bssmap_reset(struct wr *w)
{
	with_cause(w, BSSMAP_RESET, BSSMAP_CAUSE_OAM);
}

void bssmap_clear_request(struct wr *w, uint8_t cause)
{
	with_cause(w, BSSMAP_CLEAR_REQUEST, cause);
}

void bssmap_complete_l3(struct wr *w, const struct cell *cell, const uint8_t *l3, size_t n)
{
	uint8_t *len = begin(w, BSSMAP_COMPLETE_L3);

	wr_u8(w, IE_CELL_ID);
	wr_u8(w, 8);
	wr_u8(w, CELL_ID_CGI);
	plmn_write(w, &cell->plmn);
	wr_be(w, cell->lac, 2);
	wr_be(w, cell->ci, 2);
	wr_u8(w, IE_L3_INFO);
	wr_u8(w, (uint8_t)n);
	wr_bytes(w, l3, n);
	w->bad |= n > UINT8_MAX;
	end(w, len);
}

void bssmap_classmark_update(struct wr *w, const uint8_t cm2[3])
{
	uint8_t *len = begin(w, BSSMAP_CLASSMARK_UPDATE);

	wr_u8(w, IE_CLASSMARK_2);
	wr_u8(w, 3);
	wr_bytes(w, cm2, 3);
	end(w, len);
}

void bssap_dtap(struct wr *w, uint8_t sapi, const uint8_t *l3, size_t len)
{
	wr_u8(w, DISC_DTAP);
	wr_u8(w, sapi & DLCI_SAPI_MASK);
	wr_u8(w, (uint8_t)len);
	wr_bytes(w, l3, len);
	w->bad |= len > UINT8_MAX;
}

/* ---- MCC and MNC ---- */

bool plmn_ok(const char *digits)
{
	size_t n = strlen(digits);

	return (n == 5 || n == 6) && strspn(digits, "0123456789") == n;
}

void plmn_write(struct wr *w, const struct plmn *p)
{
	const char *d = p->digits;
	uint8_t third = d[5] ? (uint8_t)(d[5] - '0') : 0xf;

	wr_u8(w, (uint8_t)((d[1] - '0') << 4 | (d[0] - '0')));
	wr_u8(w, (uint8_t)(third << 4 | (d[2] - '0')));
	wr_u8(w, (uint8_t)((d[4] - '0') << 4 | (d[3] - '0')));
}

bool plmn_read(struct rd *r, struct plmn *p)
{
	const uint8_t *b = rd_bytes(r, 3);
	uint8_t d[6];

	memset(p, 0, sizeof(*p));
	if (!b)
		return false;
	d[0] = b[0] & 0xf;
	d[1] = b[0] >> 4;
	d[2] = b[1] & 0xf;
	d[3] = b[2] & 0xf;
	d[4] = b[2] >> 4;
	d[5] = b[1] >> 4;
	for (int i = 0; i < 6; i++) {
		if (d[i] <= 9)
			p->digits[i] = (char)('0' + d[i]);
		else if (i < 5 || d[i] != 0xf)
			return false;
	}
	return true;
}
