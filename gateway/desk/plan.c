/* plan.c - works of an order as campaigns of the core: one per kind, made with its first transaction, growing while the order goes on.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"

/* The profile as its file says today; the campaign keeps this text. */
static int profile_read(const struct desk *d, const char *name, char text[PROFILE_TEXT_MAX], char why[DESK_ERR_MAX])
{
	char path[sizeof(d->cfg.profile_dir) + PROFILE_NAME_MAX + 16];
	ssize_t n;
	int fd;

	if (strchr(name, '/') || strstr(name, "..")) { /* a partner may have named it */
		snprintf(why, DESK_ERR_MAX, "profile %.60s: that is no name of a profile", name);
		return -1;
	}
	snprintf(path, sizeof(path), "%s/%s.profile", d->cfg.profile_dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	n = fd < 0 ? -1 : read(fd, text, PROFILE_TEXT_MAX);
	if (n < 0)
		snprintf(why, DESK_ERR_MAX, "%.240s: %s; orders need a card profile of the subscription application",
			 path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return (int)n;
}

static void campaign_name(char name[CAMPAIGN_NAME_MAX], const char *order, unsigned kind, unsigned again)
{
	size_t at = (size_t)snprintf(name, CAMPAIGN_NAME_MAX, "%.*s.%s", ORDER_NAME_MAX, order,
				     work_kind_name((uint8_t)kind));

	for (char *c = strrchr(name, '.'); *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (again && at < CAMPAIGN_NAME_MAX)
		snprintf(name + at, CAMPAIGN_NAME_MAX - at, "-%u", again + 1);
}

/* The order's campaign for this kind of work; made in this batch when there is none. */
static int campaign_of(struct desk_job *j, unsigned kind, const char *profile, uint64_t *id)
{
	struct desk *d = j->d;
	struct order *o = &j->order->o;
	struct campaign_row *row = &j->run->campaign[kind];
	char text[PROFILE_TEXT_MAX + 1];
	int n;

	*id = o->campaign[kind];
	if (*id)
		return 0;
	if (!d->deps.gw || !d->deps.campaign_id)
		return -EINVAL;
	if (!gw_campaign_room(d->deps.gw)) {
		snprintf(j->why, sizeof(j->why),
			 "no room for one more campaign: cancel or delete one, or wait until one is DONE");
		return -ENOBUFS;
	}
	n = profile_read(d, profile, text, j->why);
	if (n < 0)
		return -EINVAL;
	text[n] = '\0';
	*row = (struct campaign_row){ .id = d->deps.campaign_id(d->deps.campaign_id_ctx),
				      .state = CAMPAIGN_RUNNING,
				      .kind = (uint8_t)kind,
				      .open_ended = 1,
				      .created_ms = d->now_ms,
				      .started_ms = d->now_ms };
	campaign_name(row->name, o->name, kind, j->run->campaign_try);
	snprintf(row->profile, sizeof(row->profile), "%s", profile);
	job_op(j, JOB_NO_LINE, ST_CAMPAIGN_INSERT, row, text, (size_t)n);
	*id = o->campaign[kind] = row->id;
	job_order_put(j);
	return 0;
}

static int errno_of(int refused)
{
	switch (refused) {
	case 0:
		return 0;
	case STORE_R_OPEN_TXN:
		return -EBUSY;
	case STORE_R_NO_CARD:
		return -ENOENT;
	case STORE_R_NO_KEYSET:
		return -ENOKEY;
	case STORE_R_GONE:
		return -EACCES;
	default:
		return -EINVAL;
	}
}

int job_plan(struct desk_job *j, unsigned i, const struct work *w, uint8_t kvn)
{
	struct store_txn_plan p = { .txn = { .state = TXN_PLANNED, .evidence = 255, .por_status = 255, .kvn = kvn },
				    .kvn = kvn };
	uint8_t packed[TXN_WORK_MAX];
	int len = work_pack(w, packed, sizeof(packed)), rc = errno_of(job_refused(j, i));

	if (!rc && len < 0)
		rc = -EINVAL;
	if (!rc)
		rc = campaign_of(j, w->kind, work_plain(w->kind) ? j->line[i].profile : j->d->cfg.work_profile,
				 &p.txn.campaign);
	if (rc)
		return rc;
	snprintf(p.iccid, sizeof(p.iccid), "%s", j->line[i].iccid);
	job_op(j, i, ST_TXN_PLAN, &p, packed, (size_t)len);
	j->planned[w->kind]++;
	return 0;
}

int job_plan_fits(struct desk_job *j, unsigned i, struct work *w, uint8_t kvn, bool opc_must)
{
	const struct line *l = &j->line[i];
	const struct card_bundle *c = &j->card[i];
	struct swap_values v = { .files = w->set, .files_len = w->set_len };
	struct keyset_row k = { .kvn = kvn, .kic_alg = OTA_ALG_AES_CBC, .kid_alg = OTA_ALG_AES_CBC, .cc_len = 8 };
	char text[PROFILE_TEXT_MAX + 1];
	static const uint8_t none[PROFILE_OPC_LEN]; /* as long as any */
	static struct profile p;		    /* one job at a time */
	int n = profile_read(j->d, l->profile, text, j->why), segments = 0;

	memcpy(v.imsi, w->imsi, sizeof(v.imsi));
	for (unsigned m = 0; c->card.id && m < c->n_keysets; m++)
		if (c->keyset[m].kvn == kvn)
			k = c->keyset[m];
	if (n < 0 || profile_parse(&p, j->d->deps.errtab, text, (size_t)n, j->why, sizeof(j->why)))
		return -EINVAL;
	if (w->has_opc && !p.opc_fids && opc_must) {
		snprintf(j->why, sizeof(j->why),
			 "its OPc is to be written, and profile %s does not say where (opc FILE at OCTET)", p.name);
		return -EINVAL;
	}
	w->has_opc = w->has_opc && p.opc_fids;
	v.opc = w->has_opc ? none : NULL;
	n = profile_packet_len(&p, &k, &v, &segments);
	if (n >= 0 && segments <= p.segments_max)
		return 0;
	snprintf(j->why, sizeof(j->why),
		 "with the new operator's files its write takes %d SMS, and profile %s allows %u",
		 n < 0 ? OTA_SEGMENTS_MAX : segments, p.name, p.segments_max);
	return -E2BIG;
}

/* From the commit's done(): the core must know of a campaign before it looks at what was planned. */
void plan_durable(struct desk *d, struct desk_run *r)
{
	for (size_t i = 0; d->deps.gw && i < r->j.batch->n; i++) {
		const struct store_op *op = &r->j.batch->ops[i];
		const struct campaign_row *row = op->row;
		char err[DESK_ERR_MAX];

		if (op->kind == ST_CARD_TAKE) {
			const struct store_card_insert *in = op->row;

			gw_card_moved(d->deps.gw, &in->card, in);
		} else if (op->kind == ST_CARD_INSERT && op->rc == STORE_R_UPDATED) {
			gw_card_imported(d->deps.gw, op->row);
		} else if (op->kind == ST_CARD_LEAVE) {
			gw_card_moved(d->deps.gw, op->row, NULL);
		} else if (op->kind == ST_CAMPAIGN_INSERT && gw_campaign_adopt(d->deps.gw, row, (const char *)op->bytes,
									       op->bytes_len, err, sizeof(err))) {
			desk_alarm(
				d, d,
				"campaign %s stands in the store, but the gateway must be restarted to run it: %.160s",
				row->name, err);
		}
	}
	for (unsigned kind = 0; d->deps.gw && kind < ORDER_WORKS; kind++)
		if (r->j.planned[kind]) {
			gw_campaign_grew(d->deps.gw, r->j.order->o.campaign[kind], r->j.planned[kind]);
			d->e->stats.txns += r->j.planned[kind];
		}
}

void plan_close(struct desk *d, const struct order *o)
{
	for (unsigned kind = 0; d->deps.gw && kind < ORDER_WORKS; kind++) {
		struct gw_event ev = { .kind = GW_EV_CAMPAIGN,
				       .campaign = o->campaign[kind],
				       .verb = CAMPAIGN_VERB_CLOSE };

		if (o->campaign[kind] && gw_post(d->deps.gw, &ev))
			desk_log(d, 4, "order %s: campaign %s stays open: cancel it by hand", o->name,
				 work_kind_name((uint8_t)kind));
	}
}

/* ---- settled elsewhere: the open txn of a card is looked up, and the core told ---- */

void job_settle(struct desk_job *j, unsigned i, enum txn_state end, const char *why)
{
	struct desk_run *r = j->run;
	struct run_settle *s;

	if (r->settles == DESK_PAGE)
		return;
	s = &r->settle[r->settles++];
	*s = (struct run_settle){ .order = j->line[i].order, .end = end };
	snprintf(s->iccid, sizeof(s->iccid), "%s", j->line[i].iccid);
	snprintf(s->why, sizeof(s->why), "%s", why);
}

void settle_durable(struct desk *d, struct desk_run *r)
{
	struct desk_engine *e = d->e;

	for (unsigned i = 0; i < r->settles; i++) {
		if (e->settles == e->settles_cap) {
			unsigned cap = e->settles_cap ? e->settles_cap * 2 : DESK_PAGE_CARDS;
			struct run_settle *more = realloc(e->settle, cap * sizeof(*more));

			if (!more)
				abort();
			e->settle = more;
			e->settles_cap = cap;
		}
		e->settle[e->settles++] = r->settle[i];
	}
}

static bool settle_rows(struct desk *d, struct desk_run *r)
{
	r->j.n = d->e->settles < DESK_PAGE_CARDS ? d->e->settles : DESK_PAGE_CARDS;
	return false;
}

static const char *settle_card(struct desk *d, struct desk_run *r, unsigned i)
{
	return d->e->settle[i].iccid;
}

static bool of_order(const struct order *o, uint64_t campaign)
{
	for (unsigned kind = 0; kind < ORDER_WORKS; kind++)
		if (campaign && o->campaign[kind] == campaign)
			return true;
	return false;
}

bool change_under_way(const struct card_bundle *c)
{
	return c->card.id && c->has_txn && c->txn.state <= TXN_ACTIVE && c->work_len &&
	       (c->work[0] == WORK_OTA_KEYS || c->work[0] == WORK_K_OPC);
}

static void settle_after(struct desk *d, struct desk_run *r)
{
	struct desk_engine *e = d->e;

	for (unsigned i = 0; i < r->j.n; i++) {
		const struct run_settle *s = &e->settle[i];
		const struct card_bundle *c = &r->j.card[i];
		const struct desk_open_order *o = desk_order_number(d, s->order);

		if (!o || !c->card.id || !c->has_txn || c->txn.state > TXN_ACTIVE ||
		    !(of_order(&o->o, c->txn.campaign) || (o->o.side == SIDE_HOME && change_under_way(c))))
			continue;
		if (gw_txn_settle(d->deps.gw, c->txn.id, c->card.id, s->end, s->why))
			desk_log(d, 4, "card %s: its open transaction could not be settled now", s->iccid);
	}
	e->settles -= r->j.n;
	memmove(e->settle, e->settle + r->j.n, e->settles * sizeof(*e->settle));
}

static void settle_failed(struct desk *d, struct desk_run *r, int rc)
{
	d->e->settle_due_ms = d->now_ms + DESK_AGAIN_MS;
}

static const struct desk_run_ops settle_ops = { .name = "settle",
						.rows = settle_rows,
						.card = settle_card,
						.after = settle_after,
						.failed = settle_failed,
						.dry = true };

bool settle_next(struct desk *d)
{
	if (!d->e->settles || !d->deps.gw || d->now_ms < d->e->settle_due_ms)
		return false;
	return run_begin(d, &settle_ops, NULL);
}
