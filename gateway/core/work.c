/* work.c - what is done to a card for an order: script, question, verdict.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ota/rd.h"
#include "ota/wr.h"
#include "work.h"

static const char *const kind_names[_WORK_KINDS] = { "?",	 "STAGE",  "UNSTAGE",  "ARM",	"ADVANCE", "CONFIRM",
						     "ROLLBACK", "STATUS", "OTA-KEYS", "K-OPC", "WRITE",   "READ" };

const char *work_kind_name(uint8_t kind)
{
	return kind < _WORK_KINDS ? kind_names[kind] : "?";
}

const char *work_verdict_name(enum work_verdict v)
{
	static const char *const names[] = { "done", "not run", "too late", "went back", "taken back", "conflict" };

	return (unsigned)v < sizeof(names) / sizeof(names[0]) ? names[v] : "?";
}

#define WRAPPED_LEN 24 /* octets of K or OPc under a KIK */

static bool is_keys(uint8_t kind)
{
	return kind == WORK_OTA_KEYS || kind == WORK_K_OPC;
}

static bool has_set(uint8_t kind)
{
	return kind == WORK_STAGE || kind == WORK_ADVANCE || is_keys(kind);
}

/* Keys in it: each has its check value. */
static unsigned keys_of(uint8_t kind)
{
	return kind == WORK_OTA_KEYS ? 3 : 2;
}

static bool keys_len_ok(uint8_t kind, size_t len)
{
	if (kind == WORK_OTA_KEYS) /* three of 16, 24 or 32 octets */
		return len == 56 || len == 80 || len == 104;
	return len == (size_t)WRAPPED_LEN * keys_of(kind);
}

int work_of_keys(struct work *w, enum work_kind kind, const uint8_t *wrapped, size_t len, const uint8_t *kcvs)
{
	*w = (struct work){ .kind = (uint8_t)kind, .set_len = (uint16_t)len };
	if (!is_keys(w->kind) || !keys_len_ok(w->kind, len))
		return OTA_E_FORMAT;
	memcpy(w->set, wrapped, len);
	memcpy(w->hash, kcvs, (size_t)keys_of(w->kind) * OTA_SUB_KCV_LEN);
	return 0;
}

int work_of_set(struct work *w, enum work_kind kind, const uint8_t *set, size_t len,
		const uint8_t hash[OTA_SUB_HASH_LEN])
{
	struct ota_sub_set s;
	int rc = len <= OTA_SUB_SET_MAX ? ota_sub_set_decode(&s, set, len) : OTA_E_FORMAT;

	*w = (struct work){ .kind = (uint8_t)kind };
	if (rc < 0)
		return rc;
	w->order = s.order;
	w->from = s.from;
	w->to = s.to;
	memcpy(w->imsi, s.imsi, sizeof(w->imsi));
	memcpy(w->hash, hash, OTA_SUB_HASH_LEN);
	if (has_set(w->kind)) {
		w->set_len = (uint16_t)len;
		memcpy(w->set, set, len);
	}
	return 0;
}

/* ---- for the store ---- */

int work_pack(const struct work *w, uint8_t *buf, size_t cap)
{
	struct wr wr = wr_init(buf, cap);

	wr_u8(&wr, w->kind);
	wr_u8(&wr, w->flags);
	wr_be(&wr, w->order, 8);
	wr_be(&wr, w->from, 2);
	wr_be(&wr, w->to, 2);
	wr_bytes(&wr, w->imsi, sizeof(w->imsi));
	wr_bytes(&wr, w->hash, sizeof(w->hash));
	wr_be(&wr, w->set_len, 2);
	wr_bytes(&wr, w->set, w->set_len);
	wr_u8(&wr, w->keeps_msisdn);
	wr_u8(&wr, w->has_opc);
	if (w->has_opc)
		wr_bytes(&wr, w->opc, sizeof(w->opc));
	return wr.bad ? OTA_E_SPACE : (int)wr_len(&wr);
}

int work_unpack(struct work *w, const uint8_t *buf, size_t len)
{
	struct rd r = rd_init(buf, len);
	const uint8_t *imsi, *hash, *set, *opc;

	memset(w, 0, sizeof(*w));
	w->kind = rd_u8(&r);
	w->flags = rd_u8(&r);
	w->order = rd_be(&r, 8);
	w->from = (uint16_t)rd_be(&r, 2);
	w->to = (uint16_t)rd_be(&r, 2);
	imsi = rd_bytes(&r, sizeof(w->imsi));
	hash = rd_bytes(&r, sizeof(w->hash));
	w->set_len = (uint16_t)rd_be(&r, 2);
	set = w->set_len <= OTA_SUB_SET_MAX ? rd_bytes(&r, w->set_len) : NULL;
	w->keeps_msisdn = rd_u8(&r);
	w->has_opc = rd_u8(&r);
	opc = w->has_opc ? rd_bytes(&r, sizeof(w->opc)) : NULL;
	if (r.bad || rd_left(&r) || !w->kind || w->kind >= _WORK_KINDS || !w->order || imsi[sizeof(w->imsi) - 1] ||
	    (w->kind != WORK_WRITE && (w->set_len > 0) != has_set(w->kind)) || (w->set_len && !set) ||
	    (is_keys(w->kind) && !keys_len_ok(w->kind, w->set_len)))
		return OTA_E_FORMAT;
	memcpy(w->imsi, imsi, sizeof(w->imsi));
	memcpy(w->hash, hash, sizeof(w->hash));
	if (w->set_len)
		memcpy(w->set, set, w->set_len);
	if (opc)
		memcpy(w->opc, opc, sizeof(w->opc));
	return 0;
}

/* ---- scripts ---- */

static int script_end(struct ota_script *s, uint16_t *apdus)
{
	if (apdus)
		*apdus = (uint16_t)s->count;
	return ota_script_len(s);
}

int work_script(const struct work *w, uint8_t *buf, size_t cap, uint16_t *apdus)
{
	struct ota_script s;

	ota_script_init(&s, buf, cap);
	switch (w->kind) {
	case WORK_STAGE:
		ota_sub_stage(&s, w->set, w->set_len);
		break;
	case WORK_ADVANCE:
		ota_sub_advance(&s, w->set, w->set_len);
		break;
	case WORK_UNSTAGE:
		ota_sub_unstage(&s, w->order);
		break;
	case WORK_ARM:
		ota_sub_arm(&s, w->order, w->hash);
		break;
	case WORK_CONFIRM:
		ota_sub_confirm(&s, w->order);
		break;
	case WORK_ROLLBACK:
		ota_sub_rollback(&s, w->order);
		break;
	case WORK_OTA_KEYS:
		ota_sub_key_change_ota(&s, w->order, w->from, (struct ota_span){ w->set, w->set_len }, w->hash);
		break;
	case WORK_K_OPC:
		ota_sub_key_change_k(&s, w->order, w->from, (struct ota_span){ w->set, WRAPPED_LEN }, w->hash);
		ota_sub_op_set(&s, w->order, w->from, (struct ota_span){ w->set + WRAPPED_LEN, WRAPPED_LEN },
			       w->hash + OTA_SUB_KCV_LEN);
		break;
	default:
		ota_sub_status(&s, w->order);
		break;
	}
	return script_end(&s, apdus);
}

int work_question(const struct work *w, uint8_t *buf, size_t cap, uint16_t *apdus)
{
	struct ota_script s;

	ota_script_init(&s, buf, cap);
	ota_sub_status(&s, w->order);
	return script_end(&s, apdus);
}

/* ---- verdicts ---- */

static __attribute__((format(printf, 3, 4))) enum work_verdict say(char why[WORK_WHY_MAX], enum work_verdict v,
								   const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, WORK_WHY_MAX, fmt, ap);
	va_end(ap);
	return v;
}

static bool same_set(const struct work *w, const struct ota_sub_rsp *r)
{
	return !r->has_hash || !memcmp(r->hash, w->hash, OTA_SUB_HASH_LEN);
}

static bool resting(uint8_t state)
{
	return state == OTA_SUB_IDLE || state == OTA_SUB_CONFIRMED || state == OTA_SUB_ROLLED_BACK;
}

/* The card has never heard of the order, or forgot it with UNSTAGE: it is where the order was to begin, or somewhere else. */
static enum work_verdict unknown_order(const struct work *w, const struct ota_sub_rsp *r, char why[WORK_WHY_MAX])
{
	if (w->kind == WORK_STATUS || w->kind == WORK_UNSTAGE)
		return WORK_IS_DONE;
	if (r->index != w->from)
		return say(why, WORK_CONFLICT, "index %u is active and the order begins at %u", r->index, w->from);
	if (w->kind == WORK_STAGE)
		/* a set of another order is replaced, once it is armed it is not */
		return resting(r->state) || r->state == OTA_SUB_STAGED ?
			       say(why, WORK_NOT_RUN, "the card has not staged it") :
			       say(why, WORK_CONFLICT, "order %016" PRIx64 " is %s on the card", r->order,
				   ota_sub_state_name(r->state));
	if (w->kind == WORK_ADVANCE)
		return resting(r->state) || r->state == OTA_SUB_STAGED ?
			       say(why, WORK_NOT_RUN, "the card has not moved") :
			       say(why, WORK_CONFLICT, "order %016" PRIx64 " is %s on the card", r->order,
				   ota_sub_state_name(r->state));
	return say(why, WORK_TAKEN_BACK, "the order is not staged on the card");
}

static enum work_verdict staged(const struct work *w, const struct ota_sub_rsp *r, char why[WORK_WHY_MAX])
{
	switch (w->kind) {
	case WORK_STAGE:
	case WORK_ARM:
	case WORK_ADVANCE:
		if (!same_set(w, r))
			return w->kind == WORK_ARM ? say(why, WORK_CONFLICT, "another set is staged under this order") :
						     say(why, WORK_NOT_RUN,
							 "an earlier set of this order is staged"); /* is replaced */
		return w->kind == WORK_STAGE ? WORK_IS_DONE : say(why, WORK_NOT_RUN, "staged, not armed");
	case WORK_UNSTAGE:
		return say(why, WORK_NOT_RUN, "still staged");
	case WORK_STATUS:
		return WORK_IS_DONE;
	default:
		return say(why, WORK_TAKEN_BACK, "staged, not armed");
	}
}

static enum work_verdict armed(const struct work *w, const struct ota_sub_rsp *r, char why[WORK_WHY_MAX])
{
	switch (w->kind) {
	case WORK_STAGE:
	case WORK_ARM:
	case WORK_ADVANCE:
		return same_set(w, r) ? WORK_IS_DONE : say(why, WORK_CONFLICT, "another set is armed under this order");
	case WORK_UNSTAGE:
		return say(why, WORK_TOO_LATE, "armed: only the card's own way back is left");
	case WORK_STATUS:
		return WORK_IS_DONE;
	default:
		return say(why, WORK_NOT_RUN, "armed: the card has not been reset yet");
	}
}

static enum work_verdict trial(const struct work *w, char why[WORK_WHY_MAX])
{
	switch (w->kind) {
	case WORK_CONFIRM:
	case WORK_ROLLBACK:
		return say(why, WORK_NOT_RUN, "in trial");
	case WORK_UNSTAGE:
		return say(why, WORK_TOO_LATE, "in trial");
	default:
		return WORK_IS_DONE;
	}
}

static enum work_verdict confirmed(const struct work *w, char why[WORK_WHY_MAX])
{
	if (w->kind == WORK_ROLLBACK || w->kind == WORK_UNSTAGE)
		return say(why, WORK_TOO_LATE, "confirmed");
	return WORK_IS_DONE;
}

static enum work_verdict went_back(const struct work *w, uint8_t end, char why[WORK_WHY_MAX])
{
	if (w->kind == WORK_ROLLBACK || w->kind == WORK_STATUS)
		return WORK_IS_DONE;
	return say(why, WORK_WENT_BACK, "%s",
		   end == OTA_SUB_END_TIMEOUT	? "the trial time is over: the card went back by itself" :
		   end == OTA_SUB_END_RETURNING ? "the card goes back to the old subscription" :
						  "the card was rolled back");
}

/* "Pending" in a state may be of an earlier change that nobody has ended: only check values say whose it is.  They come with the answer
 * of the last command; all of a script were done, or there was no such answer. */
static enum work_verdict keys(const struct work *w, const struct ota_sub_rsp *r, char why[WORK_WHY_MAX])
{
	const unsigned all = keys_of(w->kind), last = w->kind == WORK_OTA_KEYS ? 3 : 1;
	const uint8_t *kcv = w->hash + (size_t)(all - last) * OTA_SUB_KCV_LEN;

	if (r->index != w->from)
		return say(why, WORK_CONFLICT, "index %u is active and the keys are of %u", r->index, w->from);
	if (r->kcv_len)
		return r->kcv_len == last * OTA_SUB_KCV_LEN && !memcmp(r->kcv, kcv, r->kcv_len) ?
			       WORK_IS_DONE :
			       say(why, WORK_CONFLICT, "the card has unwrapped other keys than were meant");
	if (!resting(r->state) && r->state != OTA_SUB_STAGED)
		return say(why, WORK_CONFLICT, "the card is %s: no keys are changed then",
			   ota_sub_state_name(r->state));
	return say(why, WORK_NOT_RUN, "whether it has these keys it did not say: they take their own place");
}

enum work_verdict work_judge(const struct work *w, const struct ota_sub_rsp *rsp, char why[WORK_WHY_MAX])
{
	why[0] = '\0';
	if (!rsp->has_state)
		return say(why, WORK_CONFLICT, "the card answered without its state");
	if (is_keys(w->kind))
		return keys(w, rsp, why);
	switch (rsp->end) {
	case OTA_SUB_END_UNKNOWN:
		return unknown_order(w, rsp, why);
	case OTA_SUB_END_STAGED:
		return staged(w, rsp, why);
	case OTA_SUB_END_ARMED:
		return armed(w, rsp, why);
	case OTA_SUB_END_TRIAL:
		return trial(w, why);
	case OTA_SUB_END_CONFIRMED:
	case OTA_SUB_END_CONFIRMED_SELF:
		return confirmed(w, why);
	case OTA_SUB_END_RETURNING:
	case OTA_SUB_END_ROLLED_BACK:
	case OTA_SUB_END_TIMEOUT:
		return went_back(w, rsp->end, why);
	default:
		return say(why, WORK_CONFLICT, "the card tells an end %u that is not known here", rsp->end);
	}
}

enum work_verdict work_judge_imsi(const struct work *w, const char *imsi, const char *old, char why[WORK_WHY_MAX])
{
	why[0] = '\0';
	if (!strcmp(imsi, w->imsi))
		return WORK_IS_DONE;
	if (old[0] && strcmp(imsi, old))
		return say(why, WORK_CONFLICT, "the card holds IMSI %s, neither its old nor its new one", imsi);
	return say(why, WORK_NOT_RUN, "the card holds its old IMSI");
}

/* Words that say by themselves that the work is not done and will not be, however often it is sent.  6985, 9605 and 9606 depend on what
 * the card is doing, and on whether an earlier copy has run: STATUS tells. */
bool work_judge_sw(const struct work *w, uint16_t sw, enum work_verdict *v, char why[WORK_WHY_MAX])
{
	switch (sw) {
	case OTA_SUB_SW_FROM:
	case OTA_SUB_SW_TO:
	case OTA_SUB_SW_MAC:
	case OTA_SUB_SW_HASH:
	case OTA_SUB_SW_ALG:
	case OTA_SUB_SW_KEY:
	case OTA_SUB_SW_ROOM:
	case OTA_SUB_SW_FILE:
	case OTA_SUB_SW_OBJECTS:
	case OTA_SUB_SW_KEYSET:
	case OTA_SUB_SW_OTA_PENDING:
		*v = say(why, WORK_CONFLICT, "%s refused: %04X, %.80s", work_kind_name(w->kind), sw,
			 ota_sub_sw_name(sw));
		return true;
	default:
		return false;
	}
}
