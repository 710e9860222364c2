/* handover.c - builds what a hand-over between operators needs, and joins it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handover.h"

#define SEALED_MAX (16u << 10) /* octets of sealed party keys */

struct handover {
	struct handover_parts p;
	struct pkg_self *self;
	struct hlr *hlr;
	struct desk *desk;
	struct exchange *exchange;
};

/* ---- files ---- */

/* The whole of a small file; NULL with a sentence. */
static char *slurp(const char *path, size_t max, size_t *len, char *err, size_t cap)
{
	FILE *f = fopen(path, "rbe");
	char *text = f ? malloc(max + 1) : NULL;

	if (!f) {
		snprintf(err, cap, "%.200s: %s; 'otactl party create' makes party files", path, strerror(errno));
		return NULL;
	}
	*len = text ? fread(text, 1, max + 1, f) : 0;
	if (!text || ferror(f) || *len > max) {
		snprintf(err, cap, "%.200s: cannot be read, or is no party file", path);
		free(text);
		text = NULL;
	}
	fclose(f);
	return text;
}

static struct pkg_partner *pinned(const struct config_partner *c, char *err, size_t cap)
{
	size_t len;
	char *text = slurp(c->party_file, PKG_PARTY_FILE_MAX, &len, err, cap), why[256] = "";
	struct pkg_partner *p = NULL;

	if (text && pkg_partner_load(&p, text, len, why, sizeof(why)))
		snprintf(err, cap, "partner %s: %.120s: %s", c->name, c->party_file, why);
	free(text);
	if (!p || !strcmp(pkg_partner_name(p), c->name))
		return p;
	snprintf(err, cap, "partner %s: %.120s is the party file of %s", c->name, c->party_file, pkg_partner_name(p));
	pkg_partner_free(p);
	return NULL;
}

int handover_check(const struct otagw_config *cfg, char *err, size_t err_cap)
{
	for (unsigned i = 0; i < cfg->desk.n_partners; i++) {
		struct pkg_partner *p = pinned(&cfg->partner[i], err, err_cap);

		if (!p)
			return -1;
		pkg_partner_free(p);
	}
	return 0;
}

static int load_self(struct handover *h, const struct otagw_config *cfg, char *err, size_t cap)
{
	size_t party_len = 0, sealed_len = 0;
	char *party = slurp(cfg->exchange_party, PKG_PARTY_FILE_MAX, &party_len, err, cap);
	char *sealed = party ? slurp(cfg->exchange_self, SEALED_MAX, &sealed_len, err, cap) : NULL;
	int rc = -1;

	if (sealed)
		rc = pkg_self_load(&h->self, h->p.ks, party, party_len, (const uint8_t *)sealed, sealed_len, err, cap) ?
			     -1 :
			     0;
	free(party);
	free(sealed);
	return rc;
}

/* ---- what they say to each other ---- */

static void log_line(void *ctx, int level, const char *line)
{
	struct handover *h = ctx;

	h->p.log(h->p.ctx, level, line);
}

static void wake(void *ctx)
{
	struct handover *h = ctx;

	h->p.wake(h->p.ctx);
}

static uint64_t campaign_id(void *ctx)
{
	struct handover *h = ctx;

	return api_campaign_id(h->p.api);
}

static void carry(void *ctx, const char *partner, const char *path, uint64_t seq)
{
	struct handover *h = ctx;

	exchange_carry(h->exchange, partner, path, seq);
}

static int take(void *ctx, const char *name, char *err, size_t err_cap)
{
	struct handover *h = ctx;
	char why[DESK_ERR_MAX] = "";
	int rc = desk_take_file(h->desk, name, why);

	if (rc)
		snprintf(err, err_cap, "%.*s", (int)err_cap - 1, why);
	wake(h);
	return rc;
}

static void carried(void *ctx, const char *partner, uint64_t seq)
{
	struct handover *h = ctx;

	desk_carried(h->desk, partner, seq);
	wake(h);
}

static void on_hlr(void *ctx, const struct hlr_result *r)
{
	struct handover *h = ctx;

	if (h->desk)
		desk_on_hlr(h->desk, r);
	wake(h);
}

/* ---- life ---- */

static int make_hlr_template(struct handover *h, const char *path, char *err, size_t cap)
{
	struct hlr_template tpl;

	if (hlr_template_read(&tpl, path, err, cap))
		return -1;
	h->hlr = hlr_template_new(&(struct hlr_template_cfg){ .tpl = &tpl }, h->p.base, h->p.ks, on_hlr, log_line, h);
	if (!h->hlr)
		snprintf(err, cap, "hlr: no memory for %s", path);
	return h->hlr ? 0 : -1;
}

static int make_hlr(struct handover *h, const struct otagw_config *cfg, char *err, size_t cap)
{
	const struct hlr_osmo_cfg c = { .host = cfg->hlr_host,
					.port = cfg->hlr_port,
					.sqn_database = *cfg->sqn_database ? cfg->sqn_database : NULL };

	if (*cfg->hlr_template)
		return make_hlr_template(h, cfg->hlr_template, err, cap);
	if (!cfg->hlr_port)
		return 0;
	h->hlr = hlr_osmo_new(&c, h->p.base, h->p.ks, on_hlr, log_line, h);
	if (!h->hlr)
		snprintf(err, cap, "hlr: %s:%u cannot be set up; the address must be in numbers", cfg->hlr_host,
			 cfg->hlr_port);
	return h->hlr ? 0 : -1;
}

static int make_exchange(struct handover *h, const struct otagw_config *cfg, char *err, size_t cap)
{
	struct exchange_cfg c = { .listen_host = cfg->listen_host,
				  .listen_port = cfg->listen_port,
				  .dir = cfg->desk.dir,
				  .self = h->self,
				  .n_partners = cfg->desk.n_partners,
				  .env = h->p.env,
				  .take = take,
				  .carried = carried,
				  .log = log_line,
				  .ctx = h };

	_Static_assert((int)EXCHANGE_PARTNERS_MAX == (int)DESK_PARTNERS_MAX, "one number of partners");
	for (unsigned i = 0; i < c.n_partners; i++)
		c.partner[i] = (struct exchange_partner){ .pinned = cfg->desk.partner[i].pinned,
							  .host = cfg->partner[i].host,
							  .port = cfg->partner[i].port };
	h->exchange = exchange_new(h->p.base, &c, err, cap);
	return h->exchange ? 0 : -1;
}

static int make_desk(struct handover *h, struct otagw_config *cfg, char *err, size_t cap)
{
	const bool mno = cfg->desk.roles & DESK_MNO;
	const struct desk_deps d = { .env = h->p.env,
				     .store = h->p.store,
				     .ks = h->p.ks,
				     .gw = mno ? h->p.gw : NULL,
				     .campaign_id = mno ? campaign_id : NULL,
				     .campaign_id_ctx = h,
				     .errtab = h->p.errtab,
				     .self = h->self,
				     .hlr = h->hlr,
				     .log = log_line,
				     .log_ctx = h,
				     .wake = wake,
				     .wake_ctx = h,
				     .carry = carry,
				     .carry_ctx = h };
	char why[DESK_ERR_MAX] = "out of memory";

	cfg->desk.epoch = h->p.epoch;
	cfg->desk.address_by_imsi = cfg->gw.address_by_imsi;
	snprintf(cfg->desk.profile_dir, sizeof(cfg->desk.profile_dir), "%.*s", (int)sizeof(cfg->desk.profile_dir) - 1,
		 cfg->profile_dir);
	h->desk = desk_new(&cfg->desk, &d, why);
	if (!h->desk)
		snprintf(err, cap, "%.*s", (int)cap - 1, why);
	return h->desk ? 0 : -1;
}

static void drop_pinned(struct otagw_config *cfg)
{
	for (unsigned i = 0; i < cfg->desk.n_partners; i++) {
		pkg_partner_free(cfg->desk.partner[i].pinned);
		cfg->desk.partner[i].pinned = NULL;
	}
}

struct handover *handover_new(struct otagw_config *cfg, const struct handover_parts *p, char *err, size_t err_cap)
{
	struct handover *h = calloc(1, sizeof(*h));
	int rc = h ? 0 : -1;

	if (!h)
		snprintf(err, err_cap, "out of memory");
	else
		h->p = *p;
	if (!rc)
		rc = load_self(h, cfg, err, err_cap);
	for (unsigned i = 0; i < cfg->desk.n_partners && !rc; i++)
		rc = (cfg->desk.partner[i].pinned = pinned(&cfg->partner[i], err, err_cap)) ? 0 : -1;
	if (rc || make_hlr(h, cfg, err, err_cap) || make_desk(h, cfg, err, err_cap)) {
		drop_pinned(cfg); /* with a desk they would be its own */
		if (h)
			handover_stop(h);
		handover_free(h);
		return NULL;
	}
	if (make_exchange(h, cfg, err, err_cap)) {
		handover_stop(h);
		handover_free(h);
		return NULL;
	}
	return h;
}

struct desk *handover_desk(const struct handover *h)
{
	return h ? h->desk : NULL;
}

struct exchange *handover_exchange(const struct handover *h)
{
	return h ? h->exchange : NULL;
}

void handover_stop(struct handover *h)
{
	if (!h)
		return;
	exchange_free(h->exchange);
	h->exchange = NULL;
	if (h->hlr)
		h->hlr->ops->free(h->hlr);
	h->hlr = NULL;
}

void handover_free(struct handover *h)
{
	if (!h)
		return;
	if (h->desk)
		desk_free(h->desk);
	pkg_self_free(h->self);
	free(h);
}
