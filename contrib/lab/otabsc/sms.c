/* sms.c - short messages as a phone speaks them: CP and RP (TS 24.011), TPDUs (TS 23.040).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include "gsm48.h"

#define IE_RP_USER_DATA 0x41
#define TP_UDHI		0x40
#define TP_MTI_MASK	0x03
#define TP_MTI_SUBMIT	0x01
#define TP_PI_ALL	0x07 /* PID, DCS and user data follow (TS 23.040, 9.2.3.27) */
#define SCTS_OCTETS	7

/* ---- CP and RP ---- */

static void rp_read(struct rd *r, struct cp *m)
{
	struct rd part;

	m->rp = rd_u8(r) & 0x07;
	m->ref = rd_u8(r);
	switch (m->rp) {
	case RP_DATA_DOWN:
		part = rd_sub(r, rd_u8(r));
		m->addr_len = rd_left(&part) <= RP_ADDR_MAX ? (uint8_t)rd_left(&part) : 0;
		if (m->addr_len)
			memcpy(m->addr, part.p, m->addr_len);
		rd_sub(r, rd_u8(r)); /* RP-DA: nobody */
		part = rd_sub(r, rd_u8(r));
		m->tpdu_len = rd_left(&part);
		m->tpdu = part.p;
		break;
	case RP_ERROR_DOWN:
		part = rd_sub(r, rd_u8(r));
		m->rp_cause = rd_u8(&part) & 0x7f;
		r->bad |= part.bad;
		break;
	case RP_ACK_DOWN:
		break;
	default:
		r->bad = true;
	}
}

bool cp_read(const uint8_t *p, size_t len, struct cp *m)
{
	struct rd r = rd_init(p, len), user;

	memset(m, 0, sizeof(*m));
	m->ti = rd_u8(&r) >> 4;
	m->type = rd_u8(&r);
	if (m->type == CP_ERROR) {
		m->cause = rd_u8(&r);
	} else if (m->type == CP_DATA) {
		user = rd_sub(&r, rd_u8(&r));
		rp_read(&user, m);
		r.bad |= user.bad;
	} else if (m->type != CP_ACK) {
		return false;
	}
	return !r.bad && (m->ti & ~CP_TI_FLAG) < CP_TI_MAX;
}

void cp_plain(struct wr *w, uint8_t ti, enum cp_type type)
{
	wr_u8(w, (uint8_t)(ti << 4 | PD_SMS));
	wr_u8(w, (uint8_t)type);
}

static uint8_t *cp_data(struct wr *w, uint8_t ti)
{
	cp_plain(w, ti, CP_DATA);
	return wr_room(w, 1);
}

static void cp_end(struct wr *w, uint8_t *len)
{
	if (w->bad || w->p - len - 1 > UINT8_MAX)
		w->bad = true;
	else
		*len = (uint8_t)(w->p - len - 1);
}

void cp_rp_answer(struct wr *w, uint8_t ti, uint8_t ref, uint8_t cause, const uint8_t *tpdu, size_t n)
{
	uint8_t *len = cp_data(w, ti);

	wr_u8(w, cause ? RP_ERROR_UP : RP_ACK_UP);
	wr_u8(w, ref);
	if (cause) {
		wr_u8(w, 1);
		wr_u8(w, cause);
	}
	if (n) {
		wr_u8(w, IE_RP_USER_DATA);
		wr_u8(w, (uint8_t)n);
		wr_bytes(w, tpdu, n);
		w->bad |= n > RP_UD_MAX;
	}
	cp_end(w, len);
}

void cp_rp_data(struct wr *w, uint8_t ti, uint8_t ref, const uint8_t *smsc, size_t smsc_len, const uint8_t *tpdu,
		size_t n)
{
	uint8_t *len = cp_data(w, ti);

	wr_u8(w, RP_DATA_UP);
	wr_u8(w, ref);
	wr_u8(w, 0); /* RP-OA: the network knows whom it is talking with */
	wr_u8(w, (uint8_t)smsc_len);
	wr_bytes(w, smsc, smsc_len);
	wr_u8(w, (uint8_t)n);
	wr_bytes(w, tpdu, n);
	w->bad |= n > RP_UD_MAX || smsc_len > RP_ADDR_MAX;
	cp_end(w, len);
}

/* ---- TPDUs ---- */

static const char semi[] = "0123456789*#abc";

/* TS 23.040, 9.1.2.5: number of digits, type and plan, digits in pairs. */
static void addr_read(struct rd *r, struct sim_addr *a)
{
	size_t digits = rd_u8(r);
	uint8_t toa = rd_u8(r);

	memset(a, 0, sizeof(*a));
	a->ton = toa >> 4 & 0x07;
	a->npi = toa & 0x0f;
	if (digits >= sizeof(a->digits)) {
		r->bad = true;
		return;
	}
	for (size_t i = 0; i < digits; i += 2) {
		uint8_t b = rd_u8(r);

		a->digits[i] = semi[(b & 0xf) % 15];
		if (i + 1 < digits)
			a->digits[i + 1] = semi[(b >> 4) % 15];
	}
}

static uint8_t nibble(char c)
{
	const char *at = c ? strchr(semi, c) : NULL;

	return at ? (uint8_t)(at - semi) : 0xf;
}

static void addr_write(struct wr *w, const struct sim_addr *a)
{
	size_t n = strlen(a->digits);

	wr_u8(w, (uint8_t)n);
	wr_u8(w, (uint8_t)(0x80 | (a->ton & 0x07) << 4 | (a->npi & 0x0f)));
	for (size_t i = 0; i < n; i += 2)
		wr_u8(w, (uint8_t)(nibble(a->digits[i + 1]) << 4 | nibble(a->digits[i])));
}

/* TS 23.038, 4: GSM 7 bit unless the coding says otherwise; then TP-UDL counts septets. */
static bool is_7bit(uint8_t dcs)
{
	if (dcs >> 4 == 0xf)
		return !(dcs & 0x04);
	return dcs >> 6 <= 1 ? (dcs & 0x0c) == 0 : dcs >> 4 != 0xe;
}

bool sms_deliver_read(const uint8_t *p, size_t len, struct sms_deliver *d)
{
	struct rd r = rd_init(p, len);
	uint8_t first = rd_u8(&r);
	size_t udl;

	memset(d, 0, sizeof(*d));
	d->udhi = first & TP_UDHI;
	addr_read(&r, &d->oa);
	d->pid = rd_u8(&r);
	d->dcs = rd_u8(&r);
	rd_bytes(&r, SCTS_OCTETS);
	udl = rd_u8(&r);
	if (is_7bit(d->dcs))
		udl = (udl * 7 + 7) / 8;
	d->ud = rd_bytes(&r, udl);
	d->ud_len = udl;
	return !r.bad && (first & TP_MTI_MASK) == 0 && udl <= SIM_UD_MAX;
}

bool sms_is_download(const struct sms_deliver *d)
{
	return d->udhi && d->pid == 0x7f && (d->dcs == 0xf6 || d->dcs == 0x16);
}

void sms_submit(struct wr *w, uint8_t ref, const struct sim_addr *da, uint8_t pid, uint8_t dcs, const uint8_t *ud,
		size_t len)
{
	wr_u8(w, TP_MTI_SUBMIT | TP_UDHI);
	wr_u8(w, ref);
	addr_write(w, da);
	wr_u8(w, pid);
	wr_u8(w, dcs);
	wr_u8(w, (uint8_t)len);
	wr_bytes(w, ud, len);
	w->bad |= len > SIM_UD_MAX;
}

void sms_deliver_report(struct wr *w, uint8_t fcs, uint8_t pid, uint8_t dcs, const uint8_t *ud, size_t len)
{
	wr_u8(w, len ? TP_UDHI : 0);
	if (fcs)
		wr_u8(w, fcs);
	wr_u8(w, len ? TP_PI_ALL : 0);
	if (!len)
		return;
	wr_u8(w, pid);
	wr_u8(w, dcs);
	wr_u8(w, (uint8_t)len);
	wr_bytes(w, ud, len);
}
