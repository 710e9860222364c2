/* smsc.c - SMPP sessions over byte buffers.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A submit is known to the air by a token of session serial and sequence_number, so no table of open submits is needed;
 * the same token, in hexadecimal, is the message_id.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smsc_int.h"

#define QUEUE_MAX     4096 /* deliver_sm that wait for a place in the window, per session */
#define ENQUIRIES_MAX 2
#define RATE_BURST    10.0 /* submit_sm above the rate that are let through at once */
#define LOG_MAX	      160

enum { BOUND_TX = 1, BOUND_RX = 2 };

void smsc_cfg_default(struct smsc_cfg *cfg)
{
	*cfg = (struct smsc_cfg){ .doors = 1, .window = 100, .deliver_timeout_ms = 10000 };
}

struct smsc *smsc_new(const struct smsc_cfg *cfg, struct sim_air *air)
{
	struct smsc *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->cfg = *cfg;
	s->air = air;
	if (s->cfg.window < 1 || s->cfg.window > SMSC_WINDOW_MAX)
		s->cfg.window = SMSC_WINDOW_MAX;
	if (s->cfg.doors < 1 || s->cfg.doors > SMSC_DOORS_MAX)
		s->cfg.doors = 1;
	for (unsigned i = 0; i < SMSC_DOORS_MAX; i++) {
		smsc_mood_default(&s->door[i].mood, SMSC_HEALTHY);
		s->door[i].dice.s = cfg->seed ^ 0xd1342543de82ef95u * (i + 1u);
	}
	return s;
}

void smsc_free(struct smsc *s)
{
	if (!s)
		return;
	for (int i = 0; i < SMSC_SESSIONS_MAX; i++) {
		free(s->session[i].out);
		free(s->session[i].queue);
	}
	free(s->late);
	free(s);
}

static void seen(struct smsc *s, struct smsc_seen what)
{
	what.now_ms = s->now_ms;
	if (s->cfg.seen)
		s->cfg.seen(s->cfg.ctx, &what);
}

__attribute__((format(printf, 3, 4))) static void say(struct smsc *s, const struct session *se, const char *fmt, ...)
{
	char line[LOG_MAX];
	va_list ap;
	int n;

	if (!s->cfg.log)
		return;
	n = snprintf(line, sizeof(line), "session %u: ", se->serial);
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	s->cfg.log(s->cfg.log_ctx, line);
}

/* ---- output ---- */

static bool is_bind(uint32_t id)
{
	return id == SMPP_BIND_RECEIVER || id == SMPP_BIND_TRANSMITTER || id == SMPP_BIND_TRANSCEIVER;
}

void session_cut(struct session *se)
{
	se->over = true;
	se->out_at = se->out_len = 0;
}

/* One PDU, or what the SMSC makes of it on its worst days. */
static void put(struct smsc *s, struct session *se, const uint8_t *p, size_t len)
{
	uint8_t rubbish[SMSC_RUBBISH_MAX];

	if (!mood_speaks(s, se))
		return;
	if (s->door[se->door].mood.kind == SMSC_RUBBISH && p[4] & 0x80 && !is_bind(p[7])) {
		len = mood_rubbish(s, se, p, rubbish);
		p = rubbish;
	}
	if (se->out_at) {
		memmove(se->out, se->out + se->out_at, se->out_len - se->out_at);
		se->out_len -= se->out_at;
		se->out_at = 0;
	}
	if (se->out_len + len > se->out_cap) {
		size_t cap = se->out_cap ? se->out_cap : 4096;
		uint8_t *grown;

		while (cap < se->out_len + len)
			cap *= 2;
		grown = cap <= SMSC_OUT_MAX ? realloc(se->out, cap) : NULL;
		if (!grown) {
			say(s, se, "the peer does not read: ended");
			se->over = true;
			return;
		}
		se->out = grown;
		se->out_cap = cap;
	}
	memcpy(se->out + se->out_len, p, len);
	se->out_len += len;
	s->stats.pdus_out++;
}

static bool put_pdu(struct smsc *s, struct session *se, const struct smpp_pdu *pdu)
{
	uint8_t buf[SMSC_PDU_MAX];
	int n = smpp_pdu_pack(buf, sizeof(buf), pdu);

	if (n < 0) {
		say(s, se, "cannot pack %s: %s", smpp_command_name(pdu->id), smpp_strerror(n));
		return false;
	}
	put(s, se, buf, (size_t)n);
	return true;
}

/* Is this session with the SMSC of that operator? */
static bool belongs(const struct smsc *s, const struct session *se, unsigned op)
{
	return !s->cfg.operators || se->door == op;
}

/* A response without body. */
static void respond(struct smsc *s, struct session *se, const struct smpp_pdu *req, uint32_t status)
{
	uint32_t word[4] = { 16, req->id | SMPP_RESP, status, req->seq };
	uint8_t buf[SMPP_HEADER_LEN];

	for (int i = 0; i < SMPP_HEADER_LEN; i++)
		buf[i] = (uint8_t)(word[i / 4] >> (24 - 8 * (i % 4)));
	put(s, se, buf, sizeof(buf));
}

static void nack(struct smsc *s, struct session *se, uint32_t seq, uint32_t status)
{
	struct smpp_pdu pdu = { .id = SMPP_GENERIC_NACK, .status = status, .seq = seq };

	s->stats.nacks++;
	put_pdu(s, se, &pdu);
}

static uint32_t next_seq(struct session *se)
{
	se->seq = se->seq >= SMPP_SEQ_MAX ? 1 : se->seq + 1;
	return se->seq;
}

/* ---- towards the ESME ---- */

static const char *message_id(char out[24], uint64_t token)
{
	snprintf(out, 24, "%016llx", (unsigned long long)(token & ~TOKEN_UNANSWERED));
	return out;
}

static uint8_t message_state(const char *stat)
{
	return !strcmp(stat, "DELIVRD") ? SMPP_STATE_DELIVERED :
	       !strcmp(stat, "EXPIRED") ? SMPP_STATE_EXPIRED :
					  SMPP_STATE_UNDELIVERABLE;
}

/* YYMMDDhhmm in UTC; the calendar is counted from 1 March 0000, so that leap days come last. */
static void date_text(char out[11], int64_t now_ms)
{
	int64_t minutes = now_ms / 60000, days = minutes / 1440 + 719468, era = days / 146097, doe = days % 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365,
		doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153, day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
	int64_t year = yoe + era * 400 + (month <= 2);

	snprintf(out, 11, "%02u%02u%02u%02u%02u", (unsigned)(year % 100), (unsigned)(month % 100),
		 (unsigned)(day % 100), (unsigned)(minutes / 60 % 24), (unsigned)(minutes % 60));
}

/* The usual text of a receipt (SMPP 3.4, Appendix B). */
static int receipt_text(char *out, size_t cap, const char *id, const char *stat, uint8_t fcs, int64_t now_ms)
{
	char when[11];

	date_text(when, now_ms);
	return snprintf(out, cap, "id:%s sub:001 dlvrd:%s submit date:%s done date:%s stat:%s err:%03u text:", id,
			strcmp(stat, "DELIVRD") ? "000" : "001", when, when, stat, fcs);
}

/* SMPP 5.3.2.31: network type GSM, and what the phone said. */
static void net_error(struct smpp_tlvs *tlv, uint8_t fcs)
{
	if (!fcs)
		return;
	tlv->have |= SMPP_TLV_NET_ERROR;
	tlv->net_error_type = 3;
	tlv->net_error_code = fcs;
}

static bool deliver(struct smsc *s, struct session *se, const struct sim_up *up)
{
	struct smpp_pdu pdu = { .id = SMPP_DELIVER_SM, .seq = next_seq(se) };
	struct smpp_sm *sm = &pdu.sm;
	char text[200], id[24];
	int n;

	sm->src = (struct smpp_addr){ up->from.ton, up->from.npi, up->from.digits };
	sm->dst = (struct smpp_addr){ up->to.ton, up->to.npi, up->to.digits };
	sm->protocol_id = up->pid;
	sm->data_coding = up->dcs;
	sm->esm_class = up->udhi ? SMPP_ESM_UDHI : 0;
	if (up->kind == SIM_UP_RECEIPT) {
		sm->esm_class |= SMPP_ESM_RECEIPT;
		message_id(id, up->token);
		n = receipt_text(text, sizeof(text), id, up->stat, up->fcs, s->now_ms);
		sm->sm = (struct smpp_octets){ (const uint8_t *)text, (size_t)n };
		pdu.tlv.have = SMPP_TLV_RECEIPTED_ID | SMPP_TLV_MESSAGE_STATE | (up->ud_len ? SMPP_TLV_PAYLOAD : 0);
		pdu.tlv.have |= up->has_ref ? SMPP_TLV_USER_REF : 0;
		net_error(&pdu.tlv, up->fcs);
		pdu.tlv.user_ref = up->ref;
		pdu.tlv.receipted_id = (struct smpp_octets){ (const uint8_t *)id, strlen(id) };
		pdu.tlv.message_state = message_state(up->stat);
		/* The TP-UD of the DELIVER-REPORT, as some SMSCs pass it on. */
		pdu.tlv.payload = (struct smpp_octets){ up->ud, up->ud_len };
	} else {
		sm->sm = (struct smpp_octets){ up->ud, up->ud_len };
	}
	if (!put_pdu(s, se, &pdu))
		return false;
	for (unsigned i = 0; i < s->cfg.window; i++) {
		if (se->sent[i].seq)
			continue;
		se->sent[i] = (struct sent){ pdu.seq, up->card, up->id, s->now_ms + s->cfg.deliver_timeout_ms };
		break;
	}
	se->in_window++;
	s->stats.delivers++;
	seen(s, (struct smsc_seen){ .kind = SMSC_DELIVERED,
				    .door = se->door,
				    .session = se->serial,
				    .card = up->card,
				    .token = up->id,
				    .up = up });
	return true;
}

static void answered(struct smsc *s, const struct session *se, uint64_t token, uint32_t status)
{
	seen(s, (struct smsc_seen){ .kind = SMSC_ANSWERED,
				    .door = se->door,
				    .session = se->serial,
				    .card = -1,
				    .token = token,
				    .status = status });
}

static void deliver_queued(struct smsc *s, struct session *se)
{
	while (se->q_len && se->in_window < s->cfg.window && !se->over && mood_delivers(s, se) &&
	       se->out_len - se->out_at < SMSC_OUT_HIGH) {
		struct sim_up *up = &se->queue[se->q_head];

		if (!deliver(s, se, up))
			sim_air_up_answer(s->air, up->id, SIM_UP_PERM, s->now_ms);
		else if (mood_doubles(s, se) && se->in_window < s->cfg.window)
			deliver(s, se, up);
		se->q_head = (se->q_head + 1) % QUEUE_MAX;
		se->q_len--;
	}
}

/* Receipts go to the session that submitted while it is there; others are spread by card over all that receive. */
static struct session *route(struct smsc *s, const struct sim_up *up)
{
	struct session *rx[SMSC_SESSIONS_MAX];
	unsigned n = 0;

	for (int i = 0; i < SMSC_SESSIONS_MAX; i++) {
		struct session *se = &s->session[i];

		if (!se->open || se->over || !(se->bound & BOUND_RX) || !mood_delivers(s, se) ||
		    !belongs(s, se, up->op))
			continue;
		if (up->kind == SIM_UP_RECEIPT && se->serial == up->token >> 32)
			return se;
		rx[n++] = se;
	}
	return n ? rx[up->card % n] : NULL;
}

static bool on_up(void *ctx, const struct sim_up *up)
{
	struct smsc *s = ctx;
	struct session *se = route(s, up);

	if (!se)
		return false;
	if (!se->queue) {
		se->queue = malloc(QUEUE_MAX * sizeof(*se->queue));
		if (!se->queue)
			return false;
	}
	if (se->q_len == QUEUE_MAX)
		return false;
	se->queue[(se->q_head + se->q_len++) % QUEUE_MAX] = *up;
	deliver_queued(s, se);
	return true;
}

static void answer(struct smsc *s, struct session *se, uint64_t token, enum sim_submit_result r)
{
	static const uint32_t status[] = {
		[SIM_SUBMIT_OK] = ESME_ROK,
		[SIM_SUBMIT_ABSENT] = ESME_RINVDSTADR, /* as OsmoMSC in transaction mode */
		[SIM_SUBMIT_FAILED] = ESME_RDELIVERYFAILURE,
		[SIM_SUBMIT_THROTTLED] = ESME_RTHROTTLED,
		[SIM_SUBMIT_QUEUE_FULL] = ESME_RMSGQFUL,
		[SIM_SUBMIT_BAD_ADDRESS] = ESME_RINVDSTADR,
		[SIM_SUBMIT_MEMORY_FULL] = ESME_RDELIVERYFAILURE,
		[SIM_SUBMIT_BUSY] = ESME_RDELIVERYFAILURE,
	};
	struct smpp_pdu pdu = { .id = SMPP_SUBMIT_SM | SMPP_RESP, .status = status[r], .seq = (uint32_t)token };
	char id[24];

	if (r == SIM_SUBMIT_OK)
		pdu.resp.id = message_id(id, token);
	net_error(&pdu.tlv, r == SIM_SUBMIT_MEMORY_FULL ? SIM_FCS_MEMORY_FULL :
			    r == SIM_SUBMIT_BUSY	? SIM_FCS_TOOLKIT_BUSY :
							  0);
	put_pdu(s, se, &pdu);
	answered(s, se, token, mood_speaks(s, se) ? status[r] : SMSC_NEVER);
}

static struct session *submitter(struct smsc *s, uint64_t token)
{
	for (int i = 0; i < SMSC_SESSIONS_MAX; i++) {
		struct session *se = &s->session[i];

		if (se->open && !se->over && se->serial == token >> 32)
			return se;
	}
	return NULL;
}

static void on_result(void *ctx, uint64_t token, enum sim_submit_result r)
{
	struct smsc *s = ctx;
	struct session *se = submitter(s, token);

	if (se && whole_result(se, (uint32_t)token, &r) && !mood_late(s, se, token, r))
		answer(s, se, token, r);
}

static void on_card_out(void *ctx, uint32_t card, const struct sim_card_out *out, const struct sim_sm *sm)
{
	seen(ctx,
	     (struct smsc_seen){
		     .kind = SMSC_MET, .card = card, .token = sm->token & ~TOKEN_UNANSWERED, .sm = sm, .out = out });
}

static void on_shown(void *ctx, uint32_t card)
{
	seen(ctx, (struct smsc_seen){ .kind = SMSC_SHOWN, .card = card });
}

static void on_alert(void *ctx, unsigned op, const struct sim_addr *from, uint8_t ms_status)
{
	struct smsc *s = ctx;

	for (int i = 0; i < SMSC_SESSIONS_MAX; i++) {
		struct session *se = &s->session[i];
		struct smpp_pdu pdu = { .id = SMPP_ALERT_NOTIFICATION };

		if (!se->open || se->over || !(se->bound & BOUND_RX) || !mood_delivers(s, se) ||
		    se->out_len - se->out_at >= SMSC_OUT_HIGH || !belongs(s, se, op))
			continue;
		pdu.seq = next_seq(se);
		pdu.alert.src = (struct smpp_addr){ from->ton, from->npi, from->digits };
		pdu.alert.esme.digits = "";
		pdu.tlv.have = SMPP_TLV_MS_AVAILABILITY;
		pdu.tlv.ms_availability = ms_status;
		put_pdu(s, se, &pdu);
		s->stats.alerts++;
	}
	seen(s, (struct smsc_seen){ .kind = SMSC_ALERTED, .card = sim_air_subscriber(s->air, op, from) });
}

static const struct sim_air_cb air_cb = {
	.result = on_result,
	.up = on_up,
	.alert = on_alert,
	.card_out = on_card_out,
	.shown = on_shown,
};

/* ---- from the ESME ---- */

static void on_bind(struct smsc *s, struct session *se, const struct smpp_pdu *pdu)
{
	struct smpp_pdu resp = { .id = pdu->id | SMPP_RESP, .seq = pdu->seq };
	const struct smsc_mood *mood = &s->door[se->door].mood;
	uint32_t status = ESME_ROK;

	if (se->bound)
		status = ESME_RALYBND;
	else if (s->cfg.system_id[0] && strcmp(s->cfg.system_id, pdu->bind.system_id))
		status = ESME_RINVSYSID;
	else if (s->cfg.system_id[0] && strcmp(s->cfg.password, pdu->bind.password))
		status = ESME_RINVPASWD;
	else if (mood->kind == SMSC_REFUSES_BINDS)
		status = mood->status;
	seen(s, (struct smsc_seen){ .kind = SMSC_BOUND,
				    .door = se->door,
				    .session = se->serial,
				    .name = pdu->bind.system_id,
				    .card = -1,
				    .status = mood_speaks(s, se) ? status : SMSC_NEVER });
	if (!mood_speaks(s, se))
		return;
	if (status != ESME_ROK) {
		s->stats.binds_refused++;
		say(s, se, "%s by \"%s\" refused with status 0x%x", smpp_command_name(pdu->id), pdu->bind.system_id,
		    status);
		respond(s, se, pdu, status);
		se->over |= status != ESME_RALYBND;
		return;
	}
	se->bound = pdu->id == SMPP_BIND_RECEIVER    ? BOUND_RX :
		    pdu->id == SMPP_BIND_TRANSMITTER ? BOUND_TX :
						       BOUND_TX | BOUND_RX;
	s->stats.binds++;
	say(s, se, "%s by \"%s\"", smpp_command_name(pdu->id), pdu->bind.system_id);
	resp.resp.id = "otasim";
	resp.tlv.have = SMPP_TLV_SC_VERSION;
	resp.tlv.sc_version = SMPP_VERSION;
	put_pdu(s, se, &resp);
}

static bool rate_ok(struct smsc *s, struct session *se)
{
	double rate = mood_rate(s, se);

	if (rate <= 0)
		return true;
	se->tokens += (double)(s->now_ms - se->tokens_ms) / 1000 * rate;
	se->tokens_ms = s->now_ms;
	if (se->tokens > RATE_BURST)
		se->tokens = RATE_BURST;
	if (se->tokens < 1)
		return false;
	se->tokens -= 1;
	return true;
}

static uint32_t submit_check(struct smsc *s, struct session *se, const struct smpp_pdu *pdu, struct smpp_octets ud)
{
	struct sim_sm scratch;

	if (!(se->bound & BOUND_TX))
		return ESME_RINVBNDSTS;
	if (!pdu->sm.dst.digits[0])
		return ESME_RINVDSTADR;
	if (!ud.len || !whole_parts(pdu, ud) || (ud.len <= SIM_UD_MAX && !sar_part(&scratch, pdu, ud)))
		return ESME_RINVMSGLEN;
	if (pdu->sm.schedule_time[0])
		return ESME_RINVSCHED;
	if (pdu->sm.validity_period[0] && strlen(pdu->sm.validity_period) != SMPP_TIME_MAX - 1)
		return ESME_RINVEXPIRY;
	if (!rate_ok(s, se)) {
		s->stats.throttled++;
		return s->door[se->door].mood.kind == SMSC_THROTTLING && s->stats.throttled % 2 == 0 ? ESME_RMSGQFUL :
												       ESME_RTHROTTLED;
	}
	return ESME_ROK;
}

static void addr_copy(struct sim_addr *to, const struct smpp_addr *from)
{
	to->ton = from->ton;
	to->npi = from->npi;
	snprintf(to->digits, sizeof(to->digits), "%s", from->digits);
}

static void submit_read(const struct smsc *s, struct sim_sm *sm, const struct session *se, const struct smpp_pdu *pdu,
			struct smpp_octets ud)
{
	int64_t validity_s = smpp_time_relative_s(pdu->sm.validity_period); /* an absolute time: the default */

	*sm = (struct sim_sm){
		.token = (uint64_t)se->serial << 32 | pdu->seq,
		.op = s->cfg.operators ? (uint8_t)se->door : 0,
		.pid = pdu->sm.protocol_id,
		.dcs = pdu->sm.data_coding,
		.udhi = pdu->sm.esm_class & SMPP_ESM_UDHI,
		.has_ref = pdu->tlv.have & SMPP_TLV_USER_REF,
		.ref = pdu->tlv.user_ref,
		.want_receipt = (pdu->sm.registered_delivery & 3) == 1,
		.validity_ms = validity_s > 0 ? validity_s * 1000 : 0,
	};
	addr_copy(&sm->dst, &pdu->sm.dst);
	addr_copy(&sm->src, &pdu->sm.src);
	if (ud.len > SIM_UD_MAX)
		ud.len = SIM_UD_MAX; /* refused anyway: for the books */
	sm->ud_len = (uint8_t)ud.len;
	if (ud.len)
		memcpy(sm->ud, ud.p, ud.len);
}

/* To the air, as one message or as the parts that it is. */
static void submit_on(struct smsc *s, const struct sim_sm *sm, const struct smpp_pdu *pdu, struct smpp_octets ud)
{
	unsigned total = whole_parts(pdu, ud);
	struct sim_sm part;

	for (unsigned seq = 1; seq <= total; seq++) {
		part = *sm;
		if (total > 1)
			whole_part(&part, pdu, ud, total, seq);
		sim_air_submit(s->air, &part, s->now_ms);
	}
}

static void on_submit(struct smsc *s, struct session *se, const struct smpp_pdu *pdu)
{
	struct smpp_octets ud = smpp_message(pdu);
	bool heard = mood_speaks(s, se); /* else it counts as sent, and that is all */
	uint32_t status = heard ? submit_check(s, se, pdu, ud) : ESME_ROK;
	enum fate fate = FATE_REFUSED;
	struct sim_sm sm;

	s->stats.submits++;
	submit_read(s, &sm, se, pdu, ud);
	if (status == ESME_ROK && ud.len <= SIM_UD_MAX)
		sar_part(&sm, pdu, ud);
	else if (status == ESME_ROK)
		whole_part(&sm, pdu, ud, whole_parts(pdu, ud), 1); /* the books know messages as the air does */
	sm.want_receipt = (pdu->sm.registered_delivery & 3) == 1;
	seen(s, (struct smsc_seen){ .kind = SMSC_SUBMITTED,
				    .door = se->door,
				    .session = se->serial,
				    .card = sim_air_subscriber(s->air, sm.op, &sm.dst),
				    .token = sm.token,
				    .sm = &sm });
	if (status == ESME_ROK)
		fate = mood_fate(s, se, &status);
	switch (fate) {
	case FATE_NORMAL:
		if (ud.len > SIM_UD_MAX && !whole_keep(se, pdu->seq, whole_parts(pdu, ud))) {
			respond(s, se, pdu, ESME_RMSGQFUL);
			answered(s, se, sm.token, ESME_RMSGQFUL);
			return;
		}
		submit_on(s, &sm, pdu, ud);
		return;
	case FATE_REFUSED:
	case FATE_RUBBISH:
		respond(s, se, pdu, status);
		answered(s, se, sm.token, fate == FATE_RUBBISH ? SMSC_NEVER : status);
		return;
	case FATE_UNANSWERED:
	case FATE_TAKEN_CUT:
		answered(s, se, sm.token, SMSC_NEVER);
		sm.token |= TOKEN_UNANSWERED;
		submit_on(s, &sm, pdu, ud);
		break;
	case FATE_LOST:
	case FATE_LOST_CUT:
		answered(s, se, sm.token, SMSC_NEVER);
		break;
	}
	if (fate == FATE_TAKEN_CUT || fate == FATE_LOST_CUT) {
		say(s, se, "cut after a submit");
		session_cut(se);
	}
}

static void up_answered(struct smsc *s, const struct session *se, const struct sent *t, uint32_t status)
{
	seen(s, (struct smsc_seen){ .kind = SMSC_DELIVER_ANSWERED,
				    .door = se->door,
				    .session = se->serial,
				    .card = t->card,
				    .token = t->up_id,
				    .status = status,
				    .took_ms = s->now_ms - (t->due_ms - s->cfg.deliver_timeout_ms) });
}

static void on_deliver_resp(struct smsc *s, struct session *se, const struct smpp_pdu *pdu)
{
	enum sim_up_answer ans = SIM_UP_PERM;

	for (unsigned i = 0; i < s->cfg.window; i++) {
		struct sent *t = &se->sent[i];

		if (!pdu->seq || t->seq != pdu->seq)
			continue;
		if (pdu->status == ESME_ROK) {
			ans = SIM_UP_OK;
			s->stats.deliver_ok++;
		} else if (pdu->status == ESME_RX_T_APPN || pdu->status == ESME_RMSGQFUL ||
			   pdu->status == ESME_RTHROTTLED || pdu->status == ESME_RSYSERR) {
			ans = SIM_UP_TEMP;
			s->stats.deliver_temp++;
		} else {
			s->stats.deliver_perm++;
		}
		t->seq = 0;
		se->in_window--;
		up_answered(s, se, t, pdu->status);
		sim_air_up_answer(s->air, t->up_id, ans, s->now_ms);
		deliver_queued(s, se);
		return;
	}
}

static void on_pdu(struct smsc *s, struct session *se, const struct smpp_pdu *pdu)
{
	if (!mood_speaks(s, se) && pdu->id != SMPP_SUBMIT_SM && !is_bind(pdu->id))
		return; /* nobody is at home; what is sent all the same is counted */
	if (pdu->id & SMPP_RESP) {
		if (pdu->id == (SMPP_DELIVER_SM | SMPP_RESP) || pdu->id == SMPP_GENERIC_NACK)
			on_deliver_resp(s, se, pdu);
		return;
	}
	if (is_bind(pdu->id)) {
		on_bind(s, se, pdu);
		return;
	}
	if (!se->bound && pdu->id != SMPP_ENQUIRE_LINK && pdu->id != SMPP_UNBIND) {
		if (pdu->id == SMPP_ALERT_NOTIFICATION || pdu->id == SMPP_OUTBIND)
			nack(s, se, pdu->seq, ESME_RINVBNDSTS); /* these two have no response of their own */
		else
			respond(s, se, pdu, ESME_RINVBNDSTS);
		return;
	}
	switch (pdu->id) {
	case SMPP_SUBMIT_SM:
		on_submit(s, se, pdu);
		break;
	case SMPP_ENQUIRE_LINK:
		respond(s, se, pdu, ESME_ROK);
		break;
	case SMPP_UNBIND:
		say(s, se, "unbind");
		respond(s, se, pdu, ESME_ROK);
		se->over = true;
		break;
	case SMPP_QUERY_SM:
		respond(s, se, pdu, ESME_RQUERYFAIL);
		break;
	case SMPP_CANCEL_SM:
		respond(s, se, pdu, ESME_RCANCELFAIL);
		break;
	case SMPP_REPLACE_SM:
		respond(s, se, pdu, ESME_RREPLACEFAIL);
		break;
	default: /* data_sm, submit_multi, and what an ESME never sends */
		nack(s, se, pdu->seq, ESME_RINVCMDID);
	}
}

/* One PDU off the head of what has come in.  False: nothing complete there. */
static bool take_pdu(struct smsc *s, struct session *se, const uint8_t **p, size_t *len)
{
	struct smpp_pdu pdu;
	int n = smpp_frame(*p, *len, SMSC_PDU_MAX), rc;

	if (n == 0)
		return false;
	if (n < 0) {
		/* The stream cannot be followed any further. */
		say(s, se, "%s: ended", smpp_strerror(n));
		nack(s, se, 0, ESME_RINVCMDLEN);
		se->over = true;
		return false;
	}
	s->stats.pdus_in++;
	rc = smpp_pdu_unpack(&pdu, *p, (size_t)n, NULL);
	if (rc == 0) {
		on_pdu(s, se, &pdu);
	} else {
		say(s, se, "%s: %s", smpp_command_name(pdu.id), smpp_strerror(rc));
		if (!(pdu.id & SMPP_RESP))
			nack(s, se, pdu.seq, rc == SMPP_E_COMMAND ? ESME_RINVCMDID : ESME_RINVCMDLEN);
	}
	*p += n;
	*len -= (size_t)n;
	return true;
}

bool smsc_input(struct smsc *s, int session, const uint8_t *p, size_t len, int64_t now_ms)
{
	struct session *se = &s->session[session];

	s->now_ms = now_ms;
	se->heard_ms = now_ms;
	se->enquiries = 0;
	while (len && !se->over) {
		size_t n = sizeof(se->in) - se->in_len;
		const uint8_t *at = se->in;

		if (n > len)
			n = len;
		memcpy(se->in + se->in_len, p, n);
		se->in_len += n;
		p += n;
		len -= n;
		while (!se->over && take_pdu(s, se, &at, &se->in_len))
			;
		memmove(se->in, at, se->in_len);
	}
	return !se->over;
}

/* ---- life of a session ---- */

int smsc_open(struct smsc *s, unsigned door, int64_t now_ms)
{
	s->now_ms = now_ms;
	if (door >= s->cfg.doors || !smsc_accepts(s, door))
		return -1;
	for (int i = 0; i < SMSC_SESSIONS_MAX; i++) {
		struct session *se = &s->session[i];

		if (se->open)
			continue;
		memset(se, 0, sizeof(*se));
		se->open = true;
		se->door = door;
		se->serial = s->serials = s->serials % 0x7fffffff + 1;
		se->tokens = RATE_BURST;
		se->tokens_ms = se->heard_ms = now_ms;
		seen(s, (struct smsc_seen){ .kind = SMSC_CONNECTED, .door = door, .session = se->serial, .card = -1 });
		return i;
	}
	return -1;
}

const uint8_t *smsc_output(const struct smsc *s, int session, size_t *len)
{
	const struct session *se = &s->session[session];

	*len = se->out_len - se->out_at;
	return *len ? se->out + se->out_at : NULL;
}

void smsc_written(struct smsc *s, int session, size_t n)
{
	struct session *se = &s->session[session];

	se->out_at += n;
	if (se->out_at == se->out_len)
		se->out_at = se->out_len = 0;
	deliver_queued(s, se);
}

bool smsc_over(const struct smsc *s, int session)
{
	return s->session[session].over;
}

void smsc_close(struct smsc *s, int session, int64_t now_ms)
{
	struct session *se = &s->session[session];

	s->now_ms = now_ms;
	se->open = false; /* so that nothing is routed here while it is taken apart */
	seen(s, (struct smsc_seen){ .kind = SMSC_ENDED, .door = se->door, .session = se->serial, .card = -1 });
	for (unsigned i = 0; i < s->cfg.window; i++) {
		if (se->sent[i].seq)
			sim_air_up_answer(s->air, se->sent[i].up_id, SIM_UP_TEMP, now_ms);
	}
	for (; se->q_len; se->q_len--) {
		sim_air_up_answer(s->air, se->queue[se->q_head].id, SIM_UP_TEMP, now_ms);
		se->q_head = (se->q_head + 1) % QUEUE_MAX;
	}
	free(se->out);
	free(se->queue);
	se->out = NULL;
	se->queue = NULL;
	se->out_at = se->out_len = se->out_cap = 0;
}

static void deliver_timeouts(struct smsc *s, struct session *se)
{
	for (unsigned i = 0; i < s->cfg.window && se->in_window; i++) {
		struct sent *t = &se->sent[i];

		if (!t->seq || t->due_ms > s->now_ms)
			continue;
		t->seq = 0;
		se->in_window--;
		s->stats.deliver_timeouts++;
		up_answered(s, se, t, SMSC_NEVER);
		sim_air_up_answer(s->air, t->up_id, SIM_UP_TEMP, s->now_ms);
	}
	deliver_queued(s, se);
}

static void enquire(struct smsc *s, struct session *se)
{
	struct smpp_pdu pdu = { .id = SMPP_ENQUIRE_LINK };

	if (!s->cfg.enquire_link_ms || !se->bound || !mood_speaks(s, se) ||
	    s->now_ms < se->heard_ms + s->cfg.enquire_link_ms)
		return;
	if (se->enquiries++ == ENQUIRIES_MAX) {
		say(s, se, "no answer to enquire_link: ended");
		se->over = true;
		return;
	}
	se->heard_ms = s->now_ms;
	pdu.seq = next_seq(se);
	put_pdu(s, se, &pdu);
}

void smsc_step(struct smsc *s, int64_t now_ms)
{
	struct late late;

	s->now_ms = now_ms;
	sim_air_step(s->air, now_ms, &air_cb, s);
	while (mood_late_pop(s, &late)) {
		struct session *se = submitter(s, late.token);

		if (se)
			answer(s, se, late.token, late.result);
	}
	for (int i = 0; i < SMSC_SESSIONS_MAX; i++) {
		struct session *se = &s->session[i];

		if (!se->open || se->over)
			continue;
		deliver_timeouts(s, se);
		enquire(s, se);
	}
}

int64_t smsc_next_due(const struct smsc *s)
{
	int64_t due = sim_air_next_due(s->air);

	if (s->lates && s->late[0].due_ms < due)
		due = s->late[0].due_ms;
	for (int i = 0; i < SMSC_SESSIONS_MAX; i++) {
		const struct session *se = &s->session[i];

		if (!se->open || se->over)
			continue;
		for (unsigned w = 0; w < s->cfg.window && se->in_window; w++) {
			if (se->sent[w].seq && se->sent[w].due_ms < due)
				due = se->sent[w].due_ms;
		}
		if (s->cfg.enquire_link_ms && se->bound && mood_speaks(s, se) &&
		    se->heard_ms + s->cfg.enquire_link_ms < due)
			due = se->heard_ms + s->cfg.enquire_link_ms;
	}
	return due;
}

void smsc_stats(const struct smsc *s, struct smsc_stats *out)
{
	*out = s->stats;
	out->sessions = out->bound = 0;
	for (int i = 0; i < SMSC_SESSIONS_MAX; i++) {
		out->sessions += s->session[i].open;
		out->bound += s->session[i].open && s->session[i].bound;
	}
}
