/* ho_hlr.c - an adapter to an operator's register in the simulation: late, refusing, away, and crashed with its gateway.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Speaks the register's own CTRL texts, one operation at one instant; keeps the promises of gateway/hlr/hlr.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ho.h"

struct ho_hlr {
	struct hlr hlr;
	struct ho_party *p;
	struct {
		struct hlr_op op;
		int64_t at_ms;
		bool used;
	} open[HLR_OPEN_MAX];
};

static bool says(struct ho_hlr *h, char reply[SIM_HLR_REPLY_MAX], struct ctrl_reply *r, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static bool says(struct ho_hlr *h, char reply[SIM_HLR_REPLY_MAX], struct ctrl_reply *r, const char *fmt, ...)
{
	char text[SIM_CTRL_REQUEST_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sim_hlr_ctrl(sim_world_hlr(h->p->w->sim, h->p->who), text, reply);
	return ctrl_reply_parse(r, reply) && r->kind != CTRL_ERROR;
}

static bool look(struct ho_hlr *h, const struct hlr_op *op, struct hlr_result *res, char keys[KS_HLR_TEXT_MAX])
{
	char reply[SIM_HLR_REPLY_MAX], text[40], k[40] = "", opc[40] = "";
	struct ctrl_reply r;

	if (!says(h, reply, &r, "GET 1 subscriber.by-imsi-%s.info-all", op->imsi))
		return false;
	if (!ctrl_info(r.rest, "msisdn", res->msisdn, sizeof(res->msisdn)) || !strcmp(res->msisdn, "none"))
		res->msisdn[0] = 0;
	res->vlr[0] = 0;
	ctrl_info(r.rest, "vlr_number", res->vlr, sizeof(res->vlr));
	res->has_keys = ctrl_info(r.rest, "aud3g.k", k, sizeof(k)) && ctrl_info(r.rest, "aud3g.opc", opc, sizeof(opc));
	if (ctrl_info(r.rest, "aud3g.sqn", text, sizeof(text)))
		res->sqn = strtoull(text, NULL, 10);
	snprintf(keys, KS_HLR_TEXT_MAX, "milenage,%s,opc,%s", k, opc);
	return true;
}

/* One register for all: an MSISDN is one subscriber's. */
static bool msisdn_set(struct ho_hlr *h, const char *imsi, const char *msisdn, struct ctrl_reply *r,
		       char reply[SIM_HLR_REPLY_MAX])
{
	struct ho *w = h->p->w;
	char other[SIM_HLR_DIGITS_MAX + 1];

	r->rest = reply;
	snprintf(reply, SIM_HLR_REPLY_MAX, "Update MSISDN failed");
	for (unsigned op = 0; w->d.one_register && *msisdn && op < HO_OPS && op < w->d.ops; op++)
		if (sim_hlr_imsi_of(sim_world_hlr(w->sim, op), msisdn, other) && strcmp(other, imsi))
			return false;
	return says(h, reply, r, "SET 1 subscriber.by-imsi-%s.msisdn %s", imsi, *msisdn ? msisdn : "none");
}

static enum hlr_end provision(struct ho_hlr *h, const struct hlr_op *op, struct hlr_result *res, bool there,
			      const char *keys)
{
	char reply[SIM_HLR_REPLY_MAX], ours[KS_HLR_TEXT_MAX], now[KS_HLR_TEXT_MAX];
	struct ctrl_reply r;

	if (ks_emit_to_hlr(h->p->ks, op->iccid, op->sub, sizeof(op->sub), ours) < 0) {
		snprintf(res->why, sizeof(res->why), "keys of card %s do not open", op->iccid);
		return HLR_REFUSED;
	}
	if (there && res->has_keys && strcmp(keys, ours)) {
		snprintf(res->why, sizeof(res->why), "IMSI is there with other keys");
		return HLR_REFUSED;
	}
	if ((!there && !says(h, reply, &r, "SET 1 subscriber.create %s", op->imsi)) ||
	    (!msisdn_set(h, op->imsi, op->msisdn, &r, reply) &&
	     !(res->bridged = *op->bridge && msisdn_set(h, op->imsi, op->bridge, &r, reply))) ||
	    !says(h, reply, &r, "SET 1 subscriber.by-imsi-%s.aud3g %s", op->imsi, ours)) {
		snprintf(res->why, sizeof(res->why), "%.120s", r.rest);
		return *op->bridge && !strncmp(r.rest, "Update MSISDN", 13) ? HLR_TAKEN : HLR_REFUSED;
	}
	says(h, reply, &r, "SET 1 subscriber.by-imsi-%s.cs-enabled 1", op->imsi);
	says(h, reply, &r, "SET 1 subscriber.by-imsi-%s.ps-enabled 1", op->imsi);
	look(h, op, res, now);
	res->cs = res->ps = true;
	return HLR_OK;
}

static enum hlr_end rekey(struct ho_hlr *h, const struct hlr_op *op, struct hlr_result *res, const char *keys)
{
	char ours[KS_HLR_TEXT_MAX], was[KS_HLR_TEXT_MAX] = "", reply[SIM_HLR_REPLY_MAX], now[KS_HLR_TEXT_MAX] = "";
	struct ctrl_reply r;

	if (ks_emit_to_hlr(h->p->ks, op->iccid, op->sub, sizeof(op->sub), ours) < 0 ||
	    (op->has_was && ks_emit_to_hlr(h->p->ks, op->iccid, op->was, sizeof(op->was), was) < 0)) {
		snprintf(res->why, sizeof(res->why), "keys of card %s do not open", op->iccid);
		return HLR_REFUSED;
	}
	if (!strcmp(keys, ours))
		return HLR_OK;
	if (op->has_was && strcmp(keys, was)) {
		snprintf(res->why, sizeof(res->why), "IMSI is there with other keys");
		return HLR_REFUSED;
	}
	ho_check_rekey(h->p->w, op->imsi, ours);
	if (!says(h, reply, &r, "SET 1 subscriber.by-imsi-%s.aud3g %s", op->imsi, ours)) {
		snprintf(res->why, sizeof(res->why), "%.120s", r.rest);
		return HLR_REFUSED;
	}
	look(h, op, res, now);
	return strcmp(now, ours) ? HLR_REFUSED : HLR_OK;
}

static void carry_out(struct ho_hlr *h, const struct hlr_op *op)
{
	struct ho *w = h->p->w;
	struct hlr_result res = { .id = op->id, .end = HLR_OK };
	char keys[KS_HLR_TEXT_MAX] = "", ours[KS_HLR_TEXT_MAX], reply[SIM_HLR_REPLY_MAX];
	struct ctrl_reply r;
	bool there;

	if (sim_hlr_is_down(sim_world_hlr(w->sim, h->p->who)) || (!w->calm && ho_chance(&w->dice, w->d.hlr_temp_ppm))) {
		res.end = HLR_TEMPORARY;
		snprintf(res.why, sizeof(res.why), "nobody is at home");
		h->hlr.on_result(h->hlr.ctx, &res);
		return;
	}
	there = look(h, op, &res, keys);
	switch (op->kind) {
	case HLR_READ:
		res.end = there ? HLR_OK : HLR_ABSENT;
		res.cs = res.ps = there;
		if (there && op->keyed &&
		    (ks_emit_to_hlr(h->p->ks, op->iccid, op->sub, sizeof(op->sub), ours) < 0 || strcmp(keys, ours))) {
			res.end = HLR_REFUSED;
			snprintf(res.why, sizeof(res.why), "IMSI is there with other keys");
		}
		break;
	case HLR_PROVISION:
		res.end = provision(h, op, &res, there, keys);
		break;
	case HLR_REKEY:
		res.end = there ? rekey(h, op, &res, keys) : HLR_ABSENT;
		break;
	case HLR_MSISDN:
		res.end = !there ? HLR_ABSENT : msisdn_set(h, op->imsi, op->msisdn, &r, reply) ? HLR_OK : HLR_TAKEN;
		break;
	case HLR_REMOVE:
		if (there && op->keyed && res.has_keys &&
		    (ks_emit_to_hlr(h->p->ks, op->iccid, op->sub, sizeof(op->sub), ours) < 0 || strcmp(keys, ours))) {
			res.end = HLR_REFUSED;
			snprintf(res.why, sizeof(res.why), "IMSI is there with other keys");
		} else if (there) {
			ho_check_remove(w, h->p->who, op->imsi);
			says(h, reply, &r, "SET 1 subscriber.delete %s", op->imsi);
		}
		break;
	}
	if (op->kind != HLR_READ)
		ho_say(w, "%s HLR %s %s: %d %s", h->p->name, hlr_kind_name(op->kind), op->imsi, res.end, res.why);
	h->hlr.on_result(h->hlr.ctx, &res);
}

static int submit(struct hlr *hlr, const struct hlr_op *op)
{
	struct ho_hlr *h = (struct ho_hlr *)hlr;
	struct ho *w = h->p->w;

	if (!*op->imsi)
		return -EINVAL;
	for (unsigned i = 0; i < HLR_OPEN_MAX; i++) {
		if (h->open[i].used)
			continue;
		h->open[i].op = *op;
		h->open[i].at_ms = w->now_ms + ho_pick(&w->dice, w->d.hlr_ms.lo, w->d.hlr_ms.hi);
		h->open[i].used = true;
		return 0;
	}
	return -ENOBUFS;
}

bool ho_hlr_step(struct ho_hlr *h)
{
	bool did = false;

	for (unsigned i = 0; i < HLR_OPEN_MAX; i++) {
		struct hlr_op op = h->open[i].op;

		if (!h->open[i].used || h->open[i].at_ms > h->p->w->now_ms)
			continue;
		h->open[i].used = false;
		carry_out(h, &op);
		did = true;
	}
	return did;
}

int64_t ho_hlr_due(const struct ho_hlr *h)
{
	int64_t due_ms = INT64_MAX;

	for (unsigned i = 0; i < HLR_OPEN_MAX; i++)
		if (h->open[i].used && h->open[i].at_ms < due_ms)
			due_ms = h->open[i].at_ms;
	return due_ms;
}

static void op_free(struct hlr *h)
{
	free(h);
}

static void nobody(void *ctx, const struct hlr_result *r)
{
}

/* The gateway dies: what is under way happens, or does not, and nobody hears of it. */
void ho_hlr_free(struct ho_hlr *h)
{
	if (!h)
		return;
	h->hlr.on_result = nobody;
	for (unsigned i = 0; i < HLR_OPEN_MAX; i++)
		if (h->open[i].used && ho_chance(&h->p->w->dice, 500000))
			carry_out(h, &h->open[i].op);
	op_free(&h->hlr);
}

static void on_result(void *ctx, const struct hlr_result *r)
{
	struct ho_party *p = ctx;

	if (p->desk)
		desk_on_hlr(p->desk, r);
}

struct hlr *ho_hlr_of(struct ho_hlr *h)
{
	return &h->hlr;
}

struct ho_hlr *ho_hlr_new(struct ho_party *p)
{
	static const struct hlr_ops ops = { .name = "sim", .submit = submit, .free = op_free };
	struct ho_hlr *h = calloc(1, sizeof(*h));

	if (!h)
		abort();
	h->hlr.ops = &ops;
	h->hlr.on_result = on_result;
	h->hlr.ctx = p;
	h->p = p;
	return h;
}
