/* phone_l3.c - what a phone makes of the messages of the network.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "phone_int.h"

#define CONN_IDLE_MS \
	90000 /* a connection on which nothing happens for so long: longer than any timer of the network's */
#define EVENT_HEX_MAX 140 /* octets of a message shown in an event */

static void hex(char *out, const uint8_t *p, size_t n)
{
	n = n < EVENT_HEX_MAX ? n : EVENT_HEX_MAX;
	for (size_t i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02x", p[i]);
	out[2 * n] = '\0';
}

/* ---- mobility management ---- */

static void authenticate(struct phone *ph, const struct mm *m)
{
	enum sim_auth_result res = SIM_AUTH_NONE;
	uint8_t l3[PHONE_L3_MAX];
	struct wr w = wr_init(l3, sizeof(l3));
	struct sim_auth a;

	if (m->rand && m->autn)
		res = sim_card_authenticate(ph->card, m->rand, m->autn, &a);
	if (res == SIM_AUTH_OK) {
		ph->counts.auths++;
		ph_say(ph, "AUTH", "ok sqn=%llu", (unsigned long long)sim_card_sqn(ph->card));
		mm_auth_response(&w, a.res);
	} else if (res == SIM_AUTH_SYNC) {
		ph->counts.resyncs++;
		ph_say(ph, "AUTH", "synch-failure sqn=%llu", (unsigned long long)sim_card_sqn(ph->card));
		mm_auth_failure(&w, MM_SYNCH_FAILURE, a.auts);
	} else {
		ph->counts.mac_failures++;
		ph_say(ph, "AUTH", "%s", res == SIM_AUTH_MAC ? "mac-failure" : "not possible without AUTN and keys");
		mm_auth_failure(&w, MM_MAC_FAILURE, NULL);
	}
	ph_send(ph, 0, &w);
	memset(&a, 0, sizeof(a));
}

/* Where it is now stands in the card, and the card of the subscription applet waits for it. */
static void located(struct phone *ph, const struct mm *m)
{
	struct loci loci = usim_loci(ph->card);
	uint8_t l3[PHONE_L3_MAX];
	struct wr w = wr_init(l3, sizeof(l3));

	if (m->has_id) {
		loci.has_tmsi = m->id.type == MOBILE_ID_TMSI;
		loci.tmsi = m->id.tmsi;
		ph->tmsi_msc = loci.has_tmsi ? ph->msc : PHONE_NOWHERE;
		ph->tmsi = loci.tmsi;
	}
	loci.lai = m->lai;
	loci.status = LOCI_UPDATED;
	usim_loci_write(ph->card, &loci);
	if (m->has_id && loci.has_tmsi) {
		mm_tmsi_complete(&w);
		ph_send(ph, 0, &w);
	}
}

static void lu_accept(struct phone *ph, const struct mm *m, int64_t now_ms)
{
	ph->at = ph->msc;
	ph->failures = 0;
	ph->counts.lu_ok++;
	located(ph, m);
	if (ph->cfg->periodic_ms)
		ph->periodic_ms = now_ms + ph->cfg->periodic_ms + ph->number % 16 * ph->cfg->periodic_ms / 128;
	ph->lu_type = LU_NORMAL;
	if (ph->mo_n)
		ph->mo_ms = now_ms;
	ph_say(ph, "LU", "ok msc=%d imsi=%s", ph->at, ph->card->imsi_presented);
	if (ph->doing == PHONE_LU)
		ph->doing = PHONE_SERVED; /* the network may go on with something else */
}

/* TS 24.008, 4.4.4.7 */
static void lu_reject(struct phone *ph, uint8_t cause, int64_t now_ms)
{
	struct loci none = { .status = LOCI_NOT_UPDATED }, loci = usim_loci(ph->card);
	bool final = cause == MM_IMSI_UNKNOWN_IN_HLR || cause == MM_ILLEGAL_MS || cause == MM_ILLEGAL_ME;
	bool not_here = cause >= MM_PLMN_NOT_ALLOWED && cause <= MM_ROAMING_NOT_ALLOWED;

	ph->at = PHONE_NOWHERE;
	ph->periodic_ms = PHONE_NEVER;
	ph->counts.lu_refused++;
	ph_say(ph, "LU", "reject cause=%u imsi=%s", cause, ph->card->imsi_presented);
	if (final || not_here) {
		none.status = LOCI_PLMN_NOT_ALLOWED;
		usim_loci_write(ph->card, &none);
	} else {
		loci.status = LOCI_NOT_UPDATED;
		usim_loci_write(ph->card, &loci);
	}
	ph->lu_type = LU_ATTACH;
	ph->barred = final && ph->cfg->strict;
	if (!ph->barred)
		ph_again(ph, now_ms);
	if (ph->doing == PHONE_LU)
		ph->doing = PHONE_SERVED;
}

static void mo_begin(struct phone *ph)
{
	uint8_t l3[PHONE_L3_MAX];
	struct wr w = wr_init(l3, sizeof(l3));

	if (ph->doing != PHONE_MO || ph->mo_open || !ph->mo_n)
		return;
	ph->mo_open = true;
	cp_rp_data(&w, 0, ++ph->mo_ref, ph->smsc, ph->smsc_len, ph->mo[0].tpdu, ph->mo[0].len);
	ph_send(ph, SMS_SAPI, &w);
}

static void cm_reject(struct phone *ph, uint8_t cause, int64_t now_ms)
{
	ph_say(ph, "MO", "cm-reject cause=%u", cause);
	if (cause == MM_IMSI_UNKNOWN_IN_VLR) { /* register, then send (TS 24.008, 4.5.1.1) */
		ph->at = PHONE_NOWHERE;
		ph->lu_type = LU_NORMAL;
		ph->lu_ms = now_ms;
		ph->mo_ms = now_ms; /* which was no try */
	}
}

static void identify(struct phone *ph, uint8_t type)
{
	struct loci loci = usim_loci(ph->card);
	struct mobile_id id = mobile_id_imsi(ph->card->imsi_presented);
	uint8_t l3[PHONE_L3_MAX];
	struct wr w = wr_init(l3, sizeof(l3));

	if (type == MOBILE_ID_TMSI)
		id = ph_identity(ph, &loci, ph->msc);
	else if (type != MOBILE_ID_IMSI)
		id.type = MOBILE_ID_IMEI;
	mm_id_response(&w, &id);
	ph_send(ph, 0, &w);
}

static void rx_mm(struct phone *ph, const uint8_t *l3, size_t len, int64_t now_ms)
{
	struct mm m;

	if (!mm_read(l3, len, &m)) {
		ph_say(ph, "L3", "mm message that cannot be read, type %02x", len > 1 ? l3[1] : 0);
		return;
	}
	switch (m.type) {
	case MM_AUTH_REQUEST:
		authenticate(ph, &m);
		break;
	case MM_AUTH_REJECT:
		ph_say(ph, "AUTH", "rejected");
		if (ph->doing == PHONE_LU)
			lu_reject(ph, MM_ILLEGAL_MS, now_ms);
		break;
	case MM_ID_REQUEST:
		identify(ph, m.id_type);
		break;
	case MM_LU_ACCEPT:
		if (ph->doing == PHONE_LU)
			lu_accept(ph, &m, now_ms);
		break;
	case MM_LU_REJECT:
		if (ph->doing == PHONE_LU)
			lu_reject(ph, m.cause, now_ms);
		break;
	case MM_TMSI_COMMAND:
		located(ph, &m);
		break;
	case MM_CM_ACCEPT:
		mo_begin(ph);
		break;
	case MM_CM_REJECT:
		if (ph->doing == PHONE_MO)
			cm_reject(ph, m.cause, now_ms);
		break;
	}
}

/* ---- short messages ---- */

static void answer(struct phone *ph, uint8_t ti)
{
	struct phone_mt *mt = &ph->mt[ti];
	uint8_t l3[PHONE_L3_MAX];
	struct wr w = wr_init(l3, sizeof(l3));

	cp_rp_answer(&w, ti | CP_TI_FLAG, mt->ref, mt->answer.rp_cause, mt->answer.tpdu, mt->answer.len);
	mt->used = false;
	ph_send(ph, SMS_SAPI, &w);
}

void ph_answers_due(struct phone *ph, int64_t now_ms)
{
	for (uint8_t ti = 0; ti < CP_TI_MAX; ti++) {
		if (ph->mt[ti].used && ph->mt[ti].due_ms <= now_ms)
			answer(ph, ti);
	}
}

/* The card has taken it: what it wants to send, and whether it wants to be read anew. */
static void card_wants(struct phone *ph, const struct sim_card_out *out, int64_t now_ms)
{
	for (int i = 0; i < out->submits && !ph->mute; i++) {
		if (!ph_mo_add(ph, &out->submit_to, 0, 0xf6, out->submit[i].ud, out->submit[i].len, now_ms))
			ph_say(ph, "MO", "no room for another message");
	}
	if (out->refresh)
		ph_refresh_soon(ph, now_ms);
}

static void take(struct phone *ph, const struct cp *m, struct phone_mt *mt, int64_t now_ms)
{
	char text[2 * EVENT_HEX_MAX + 1];
	struct sim_card_out out;
	struct sms_deliver d;

	mt->answer = (struct usim_answer){ 0 };
	ph->counts.mt++;
	if (!sms_deliver_read(m->tpdu, m->tpdu_len, &d)) {
		mt->answer.rp_cause = RP_CAUSE_PROTOCOL;
		ph_say(ph, "MT", "a message that cannot be read");
		return;
	}
	hex(text, d.ud, d.ud_len);
	if (ph->rp_cause) {
		mt->answer.rp_cause = ph->rp_cause;
		ph_say(ph, "MT", "refused cause=%u oa=%s ud=%s", ph->rp_cause, d.oa.digits, text);
	} else if (!sms_is_download(&d)) {
		ph_say(ph, "MT", "text oa=%s ud=%s", d.oa.digits, text);
	} else {
		ph->counts.downloads++;
		usim_download(ph->card, &d, &out, &mt->answer);
		ph_say(ph, "MT", "download sw=%04x status=%d accepted=%d refresh=%d oa=%s ud=%s", out.sw, out.status,
		       out.accepted, out.refresh, d.oa.digits, text);
		if (ph->mute)
			mt->answer.len = 0;
		card_wants(ph, &out, now_ms);
	}
}

static void mt_data(struct phone *ph, const struct cp *m, int64_t now_ms)
{
	struct phone_mt *mt = &ph->mt[m->ti];
	uint8_t l3[PHONE_L3_MAX];
	struct wr w = wr_init(l3, sizeof(l3));

	cp_plain(&w, m->ti | CP_TI_FLAG, CP_ACK);
	ph_send(ph, SMS_SAPI, &w);
	if (mt->used)
		return; /* the same once more, while its answer is on the way */
	memcpy(ph->smsc, m->addr, m->addr_len);
	ph->smsc_len = m->addr_len ? m->addr_len : ph->smsc_len;
	mt->used = true;
	mt->ref = m->ref;
	mt->due_ms = now_ms + ph->slow_ms;
	take(ph, m, mt, now_ms);
}

static void mo_answer(struct phone *ph, const struct cp *m, int64_t now_ms)
{
	uint8_t l3[PHONE_L3_MAX];
	struct wr w = wr_init(l3, sizeof(l3));

	cp_plain(&w, m->ti & (uint8_t)~CP_TI_FLAG, CP_ACK);
	ph_send(ph, SMS_SAPI, &w);
	if (!ph->mo_open || m->ref != ph->mo_ref || !ph->mo_n)
		return;
	ph->mo_open = false;
	if (m->rp == RP_ACK_DOWN) {
		ph->counts.mo_ok++;
		ph_say(ph, "MO", "ok ref=%u msc=%d", m->ref, ph->msc);
	} else { /* the card hears that it failed, and leaves it at that (TS 102 223, 6.4.10) */
		ph->counts.mo_refused++;
		ph_say(ph, "MO", "refused ref=%u cause=%u msc=%d", m->ref, m->rp_cause, ph->msc);
	}
	ph_mo_next(ph, now_ms);
}

static void rx_sms(struct phone *ph, const uint8_t *l3, size_t len, int64_t now_ms)
{
	struct cp m;

	if (!cp_read(l3, len, &m)) {
		ph_say(ph, "L3", "cp message that cannot be read, type %02x", len > 1 ? l3[1] : 0);
		return;
	}
	if (m.type == CP_DATA && m.rp == RP_DATA_DOWN && !(m.ti & CP_TI_FLAG)) {
		mt_data(ph, &m, now_ms);
	} else if (m.type == CP_DATA && m.rp != RP_DATA_DOWN && m.ti & CP_TI_FLAG) {
		mo_answer(ph, &m, now_ms);
	} else if (m.type == CP_ERROR) {
		ph_say(ph, "L3", "cp-error cause=%u", m.cause);
		if (m.ti & CP_TI_FLAG && ph->mo_open)
			ph_mo_failed(ph, now_ms);
	}
}

void phone_l3(struct phone *ph, uint8_t sapi, const uint8_t *l3, size_t len, int64_t now_ms)
{
	if (len < 2 || ph->doing == PHONE_IDLE)
		return;
	ph->guard_ms = now_ms + CONN_IDLE_MS;
	if ((l3[0] & 0x0f) == PD_MM)
		rx_mm(ph, l3, len, now_ms);
	else if ((l3[0] & 0x0f) == PD_SMS && sapi == SMS_SAPI)
		rx_sms(ph, l3, len, now_ms);
	phone_step(ph, now_ms);
}

/* ---- connections ---- */

void phone_paged(struct phone *ph, int msc, int64_t now_ms)
{
	if (!ph->on || !ph->covered || ph->at != msc)
		return;
	ph->counts.paged++;
	ph->paged_ms = now_ms;
	phone_step(ph, now_ms);
}

void ph_conn_end(struct phone *ph, int64_t now_ms)
{
	enum phone_doing was = ph->doing;

	ph->doing = PHONE_IDLE;
	ph->guard_ms = PHONE_NEVER;
	for (int i = 0; i < CP_TI_MAX; i++) {
		if (ph->mt[i].used)
			ph_say(ph, "MT", "answer lost");
		ph->mt[i].used = false;
	}
	if (was == PHONE_LU) { /* neither accepted nor rejected */
		ph->counts.lu_lost++;
		ph_say(ph, "LU", "lost");
		ph_again(ph, now_ms);
	} else if (was == PHONE_MO && (ph->mo_open || ph->mo_ms == PHONE_NEVER)) {
		ph_mo_failed(ph, now_ms);
	}
	ph->mo_open = false;
}

void phone_over(struct phone *ph, int64_t now_ms)
{
	bool off = ph->off;

	ph_conn_end(ph, now_ms);
	if (off)
		phone_off(ph, now_ms);
	else
		phone_step(ph, now_ms);
}
