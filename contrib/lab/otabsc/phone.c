/* phone.c - a virtual phone: what it does by itself, and what testers do to it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "phone_int.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MS     20000 /* T3210: a network that says nothing for so long will not (TS 24.008, 11.2) */
#define PAGED_WAIT_MS 8000  /* a page that came while the phone was busy; the network asks for about as long */
#define PROOF_WAIT_MS 30000 /* REFRESH waits for messages of the card to leave, but no longer */
#define MO_AGAIN_MS   2000
#define MO_TRIES_MAX  3
#define SPREAD_MS     64 /* phones do not all speak in the same millisecond */

void phone_cfg_default(struct phone_cfg *cfg)
{
	*cfg = (struct phone_cfg){
		.again_ms = 2000,
		.again_max_ms = 60000,
		.periodic_ms = 60000,
		.refresh_ms = 200,
		.poll_ms = 5000,
		.smsc_len = 7,
		.smsc = { 0x91, 0x44, 0x77, 0x58, 0x10, 0x06, 0x50 }, /* what OsmoMSC calls itself */
	};
}

const char *phone_doing_name(enum phone_doing d)
{
	static const char *const names[] = { "idle", "registering", "detaching", "served", "sending" };

	return (unsigned)d < sizeof(names) / sizeof(*names) ? names[d] : "?";
}

void phone_init(struct phone *ph, uint32_t number, struct sim_card *card, const struct phone_cfg *cfg,
		const struct phone_net *net, void *ctx)
{
	*ph = (struct phone){
		.card = card,
		.net = net,
		.cfg = cfg,
		.ctx = ctx,
		.number = number,
		.covered = true,
		.at = PHONE_NOWHERE,
		.msc = PHONE_NOWHERE,
		.tmsi_msc = PHONE_NOWHERE,
		.lu_ms = PHONE_NEVER,
		.mo_ms = PHONE_NEVER,
		.refresh_ms = PHONE_NEVER,
		.poll_ms = PHONE_NEVER,
		.periodic_ms = PHONE_NEVER,
		.guard_ms = PHONE_NEVER,
		.paged_ms = PHONE_NEVER,
		.smsc_len = cfg->smsc_len,
	};
	memcpy(ph->smsc, cfg->smsc, sizeof(ph->smsc));
}

void ph_say(const struct phone *ph, const char *what, const char *fmt, ...)
{
	char line[PHONE_LINE_MAX];
	int n = snprintf(line, sizeof(line), "%s %s ", what, ph->card->iccid);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	ph->net->say(ph->ctx, line);
}

/* Of each phone its own, and the same in every run. */
static int64_t spread(const struct phone *ph)
{
	return (int64_t)(ph->number * 2654435761u >> 16) % SPREAD_MS;
}

/* ---- the card's powered time ---- */

void ph_poll(struct phone *ph, int64_t now_ms)
{
	int64_t ms = now_ms - ph->powered_ms;

	if (ms > 0)
		sim_card_powered(ph->card, ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms);
	ph->powered_ms = now_ms;
	if (sim_card_refresh_wanted(ph->card))
		ph_refresh_soon(ph, now_ms);
}

/* Polls go on while they make a difference. */
static void poll_again(struct phone *ph, int64_t now_ms)
{
	bool counts = ph->on && sim_card_counts_time(ph->card);

	if (counts && ph->poll_ms == PHONE_NEVER) {
		ph->powered_ms = now_ms;
		ph->poll_ms = now_ms + ph->cfg->poll_ms;
	} else if (!counts) {
		ph->poll_ms = PHONE_NEVER;
	}
}

void ph_refresh_soon(struct phone *ph, int64_t now_ms)
{
	if (ph->refresh_ms == PHONE_NEVER)
		ph->refresh_ms = now_ms + ph->cfg->refresh_ms;
}

/* The card has been reset: nobody serves it until a network says so again. */
static void anew(struct phone *ph, int64_t now_ms)
{
	ph->at = PHONE_NOWHERE;
	ph->periodic_ms = PHONE_NEVER;
	ph->paged_ms = PHONE_NEVER;
	ph->barred = false;
	ph->failures = 0;
	ph->lu_type = LU_ATTACH;
	ph->lu_ms = now_ms;
	ph->net->presents(ph->ctx, ph);
}

static void refresh(struct phone *ph, int64_t now_ms)
{
	ph->refresh_ms = PHONE_NEVER;
	if (ph->no_refresh) {
		ph->no_refresh--;
		ph_say(ph, "REFRESH", "refused");
		sim_card_refresh_refused(ph->card);
		return;
	}
	ph->counts.refreshes++;
	ph_poll(ph, now_ms); /* what went by until here was before the reset */
	ph->refresh_ms = PHONE_NEVER;
	sim_card_refresh(ph->card);
	ph_say(ph, "REFRESH", "imsi=%s", ph->card->imsi_presented);
	anew(ph, now_ms);
}

/* ---- registering ---- */

void ph_again(struct phone *ph, int64_t now_ms)
{
	int64_t ms = ph->cfg->again_ms;

	for (unsigned i = 0; i < ph->failures && ms < ph->cfg->again_max_ms; i++)
		ms *= 2;
	ph->failures++;
	ph->lu_ms = now_ms + (ms < ph->cfg->again_max_ms ? ms : ph->cfg->again_max_ms) + spread(ph);
}

/* As this network knows it: by the TMSI that it has given and that still stands in the card; else by its IMSI. */
struct mobile_id ph_identity(const struct phone *ph, const struct loci *l, int msc)
{
	if (l->has_tmsi && l->status == LOCI_UPDATED && ph->tmsi_msc == msc && ph->tmsi == l->tmsi)
		return mobile_id_tmsi(l->tmsi);
	return mobile_id_imsi(ph->card->imsi_presented);
}

bool ph_open(struct phone *ph, enum phone_doing doing, int msc, struct wr *w, int64_t now_ms)
{
	ph->n_sd = 0;
	l3_number(w->start, wr_len(w), &ph->n_sd);
	if (w->bad || !ph->net->open(ph->ctx, ph, msc, w->start, wr_len(w)))
		return false;
	ph->doing = doing;
	ph->msc = msc;
	ph->guard_ms = now_ms + ANSWER_MS;
	return true;
}

void ph_send(struct phone *ph, uint8_t sapi, struct wr *w)
{
	if (w->bad)
		return; /* nothing of ours is longer than a message may be */
	l3_number(w->start, wr_len(w), &ph->n_sd);
	ph->net->send(ph->ctx, ph, sapi, w->start, wr_len(w));
}

static void locate(struct phone *ph, int64_t now_ms)
{
	int msc = ph->net->home(ph->ctx, ph->card->imsi_presented);
	struct loci loci = usim_loci(ph->card);
	struct mobile_id id = ph_identity(ph, &loci, msc);
	uint8_t l3[PHONE_L3_MAX];
	struct wr w = wr_init(l3, sizeof(l3));

	ph->lu_ms = PHONE_NEVER;
	if (msc == PHONE_NOWHERE) {
		ph_say(ph, "LU", "no-network imsi=%s", ph->card->imsi_presented);
		ph_again(ph, now_ms);
		return;
	}
	mm_lu_request(&w, ph->lu_type, &loci.lai, &id);
	if (!ph_open(ph, PHONE_LU, msc, &w, now_ms)) {
		ph_say(ph, "LU", "unreachable msc=%d", msc);
		ph->counts.lu_lost++;
		ph_again(ph, now_ms);
	}
}

static void good_bye(struct phone *ph, int64_t now_ms)
{
	struct loci loci = usim_loci(ph->card);
	struct mobile_id id = ph_identity(ph, &loci, ph->at);
	uint8_t l3[PHONE_L3_MAX];
	struct wr w = wr_init(l3, sizeof(l3));
	int msc = ph->at;

	ph->detach = false;
	ph->off = true;
	ph->at = PHONE_NOWHERE;
	mm_imsi_detach(&w, &id);
	if (msc == PHONE_NOWHERE || !ph->covered || !ph_open(ph, PHONE_DETACH, msc, &w, now_ms))
		phone_off(ph, now_ms);
}

static void answer_page(struct phone *ph, int64_t now_ms)
{
	struct loci loci = usim_loci(ph->card);
	struct mobile_id id = ph_identity(ph, &loci, ph->at);
	uint8_t l3[PHONE_L3_MAX];
	struct wr w = wr_init(l3, sizeof(l3));

	ph->paged_ms = PHONE_NEVER;
	rr_paging_response(&w, &id);
	ph_open(ph, PHONE_SERVED, ph->at, &w, now_ms);
}

static void ask_to_send(struct phone *ph, int64_t now_ms)
{
	struct loci loci = usim_loci(ph->card);
	struct mobile_id id = ph_identity(ph, &loci, ph->at);
	uint8_t l3[PHONE_L3_MAX];
	struct wr w = wr_init(l3, sizeof(l3));

	mm_cm_request_sms(&w, &id);
	if (ph_open(ph, PHONE_MO, ph->at, &w, now_ms))
		ph->mo_ms = PHONE_NEVER;
	else /* nobody is there: it waits, and that is no try */
		ph->mo_ms = now_ms + MO_AGAIN_MS + spread(ph);
}

/* ---- messages of the card ---- */

/* The first one has left, or never will. */
void ph_mo_next(struct phone *ph, int64_t now_ms)
{
	ph->mo_n--;
	memmove(ph->mo, ph->mo + 1, ph->mo_n * sizeof(ph->mo[0]));
	ph->mo_ms = ph->mo_n ? now_ms : PHONE_NEVER;
}

void ph_mo_failed(struct phone *ph, int64_t now_ms)
{
	ph->mo_open = false;
	if (!ph->mo_n)
		return;
	if (++ph->mo[0].tries >= MO_TRIES_MAX) {
		ph->counts.mo_lost++;
		ph_say(ph, "MO", "lost");
		ph_mo_next(ph, now_ms);
		return;
	}
	ph->mo_ms = now_ms + MO_AGAIN_MS * ph->mo[0].tries + spread(ph);
}

bool ph_mo_add(struct phone *ph, const struct sim_addr *to, uint8_t pid, uint8_t dcs, const uint8_t *ud, size_t len,
	       int64_t now_ms)
{
	struct phone_mo *mo = &ph->mo[ph->mo_n];
	struct wr w;

	if (ph->mo_n == PHONE_MO_MAX)
		return false;
	w = wr_init(mo->tpdu, sizeof(mo->tpdu));
	sms_submit(&w, ph->tp_ref++, to, pid, dcs, ud, len);
	if (w.bad)
		return false;
	mo->tries = 0;
	mo->len = (uint8_t)wr_len(&w);
	if (ph->mo_n++ == 0)
		ph->mo_ms = now_ms;
	return true;
}

bool phone_send(struct phone *ph, const struct sim_addr *to, uint8_t pid, uint8_t dcs, const uint8_t *ud, size_t len,
		int64_t now_ms)
{
	bool ok = ph->on && ph_mo_add(ph, to, pid, dcs, ud, len, now_ms);

	phone_step(ph, now_ms);
	return ok;
}

/* ---- what is due ---- */

static int64_t refresh_due(const struct phone *ph)
{
	if (ph->refresh_ms == PHONE_NEVER || !ph->mo_n)
		return ph->refresh_ms;
	return ph->refresh_ms + PROOF_WAIT_MS;
}

static bool can_speak(const struct phone *ph)
{
	return ph->on && ph->covered && ph->doing == PHONE_IDLE;
}

static bool idle_step(struct phone *ph, int64_t now_ms)
{
	if (refresh_due(ph) <= now_ms) {
		refresh(ph, now_ms);
	} else if (ph->detach) {
		good_bye(ph, now_ms);
	} else if (!ph->covered) {
		return false;
	} else if (ph->lu_ms <= now_ms) {
		locate(ph, now_ms);
	} else if (ph->at == PHONE_NOWHERE) {
		return false;
	} else if (ph->paged_ms != PHONE_NEVER) {
		answer_page(ph, now_ms);
	} else if (ph->mo_ms <= now_ms) {
		ask_to_send(ph, now_ms);
	} else if (ph->periodic_ms <= now_ms) {
		ph->periodic_ms = PHONE_NEVER;
		ph->lu_type = LU_PERIODIC;
		ph->lu_ms = now_ms;
	} else {
		return false;
	}
	return true;
}

void phone_step(struct phone *ph, int64_t now_ms)
{
	if (ph->poll_ms <= now_ms) {
		ph->poll_ms = PHONE_NEVER;
		ph_poll(ph, now_ms);
	}
	if (ph->doing != PHONE_IDLE)
		ph_answers_due(ph, now_ms);
	if (ph->doing != PHONE_IDLE && ph->guard_ms <= now_ms) {
		ph_say(ph, "REL", "no answer while %s", phone_doing_name(ph->doing));
		ph->net->drop(ph->ctx, ph);
		phone_over(ph, now_ms);
		return;
	}
	if (ph->paged_ms != PHONE_NEVER && now_ms - ph->paged_ms > PAGED_WAIT_MS)
		ph->paged_ms = PHONE_NEVER;
	while (ph->on && ph->doing == PHONE_IDLE && idle_step(ph, now_ms))
		;
	poll_again(ph, now_ms);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t phone_next_due(const struct phone *ph)
{
	int64_t due = ph->poll_ms;

	if (ph->doing != PHONE_IDLE) {
		due = earlier(due, ph->guard_ms);
		for (int i = 0; i < CP_TI_MAX; i++)
			due = ph->mt[i].used ? earlier(due, ph->mt[i].due_ms) : due;
		return due;
	}
	if (ph->on)
		due = earlier(due, refresh_due(ph));
	if (!can_speak(ph))
		return due;
	due = earlier(due, ph->lu_ms);
	if (ph->at != PHONE_NOWHERE)
		due = earlier(due, earlier(ph->mo_ms, ph->periodic_ms));
	return due;
}

/* ---- what a tester does ---- */

/* The radio path goes; what was under way on it is over. */
static void cut(struct phone *ph, int64_t now_ms)
{
	if (ph->doing == PHONE_IDLE)
		return;
	ph->net->drop(ph->ctx, ph);
	ph_conn_end(ph, now_ms);
}

void phone_on(struct phone *ph, int64_t now_ms)
{
	cut(ph, now_ms);
	ph->on = true;
	ph->off = ph->detach = false;
	ph->refresh_ms = ph->poll_ms = PHONE_NEVER;
	ph->powered_ms = now_ms;
	sim_card_reset(ph->card);
	anew(ph, now_ms);
	phone_step(ph, now_ms);
}

void phone_off(struct phone *ph, int64_t now_ms)
{
	cut(ph, now_ms);
	if (ph->on && ph->poll_ms != PHONE_NEVER)
		ph_poll(ph, now_ms); /* the last of its powered time */
	ph->on = ph->off = ph->detach = false;
	ph->at = PHONE_NOWHERE;
	ph->lu_ms = ph->mo_ms = ph->refresh_ms = ph->poll_ms = ph->periodic_ms = ph->paged_ms = PHONE_NEVER;
	ph->mo_n = 0;
}

void phone_detach(struct phone *ph, int64_t now_ms)
{
	if (!ph->on)
		return;
	ph->detach = true;
	phone_step(ph, now_ms);
}

void phone_cover(struct phone *ph, bool covered, int64_t now_ms)
{
	bool back = covered && !ph->covered;

	if (!covered)
		cut(ph, now_ms);
	ph->covered = covered;
	if (back && ph->on && !ph->barred) {
		ph->failures = 0;
		ph->lu_type = ph->at == PHONE_NOWHERE ? LU_ATTACH : LU_NORMAL;
		ph->lu_ms = now_ms;
	}
	phone_step(ph, now_ms);
}

void phone_locate(struct phone *ph, int64_t now_ms)
{
	if (!ph->on)
		return;
	ph->barred = false;
	ph->failures = 0;
	ph->lu_type = ph->at == PHONE_NOWHERE ? LU_ATTACH : LU_NORMAL;
	ph->lu_ms = now_ms;
	phone_step(ph, now_ms);
}

void phone_powered(struct phone *ph, uint32_t s, int64_t now_ms)
{
	if (!ph->on)
		return;
	ph->powered_ms = now_ms - (int64_t)s * 1000;
	ph_poll(ph, now_ms);
	phone_step(ph, now_ms);
}

void phone_network_up(struct phone *ph, int64_t now_ms)
{
	if (!ph->on)
		return;
	if (ph->lu_ms != PHONE_NEVER) {
		ph->failures = 0;
		ph->lu_ms = earlier(ph->lu_ms, now_ms + spread(ph));
	}
	if (ph->mo_ms != PHONE_NEVER)
		ph->mo_ms = earlier(ph->mo_ms, now_ms + spread(ph));
}
