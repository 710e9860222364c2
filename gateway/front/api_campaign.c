/* api_campaign.c - an IMSI list becomes a campaign: intake, dry run, finish, delete.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * While its list comes in the campaign stands in the store as LOADING, invisible to the core; finish makes it READY and
 * hands it over.  What never finishes is dropped at the next start (api_start_cleanup).  A dry run does the same work in
 * transactions that are rolled back.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ota/nearest.h"
#include "api_int.h"

#define PROFILES_LISTED_MAX 64 /* looked at for a suggestion */

/* ----------------------------------------------------------------------------------------------- profile */

/* The profile in the directory whose name is nearest, "" when none is near. */
static void profile_nearest(const char *dir, const char *name, char near[PROFILE_NAME_MAX])
{
	char names[PROFILES_LISTED_MAX][PROFILE_NAME_MAX];
	const char *list[PROFILES_LISTED_MAX], *found;
	size_t n = 0;
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && n < PROFILES_LISTED_MAX && (e = readdir(d))) {
		const char *dot = strrchr(e->d_name, '.');
		size_t len = dot ? (size_t)(dot - e->d_name) : 0;

		if (!len || len >= PROFILE_NAME_MAX || strcmp(dot, ".profile"))
			continue;
		memcpy(names[n], e->d_name, len);
		names[n][len] = 0;
		list[n] = names[n];
		n++;
	}
	if (d)
		closedir(d);
	found = nearest_word(name, list, n);
	if (found)
		snprintf(near, PROFILE_NAME_MAX, "%s", found);
}

int profile_read(const struct api *a, const char *name, char text[PROFILE_TEXT_MAX + 1], char *why, size_t cap)
{
	char path[1024];
	struct stat st;
	size_t n = 0;
	ssize_t got;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s.profile", a->deps.profile_dir, name) >= (int)sizeof(path)) {
		snprintf(why, cap, "the path of profile %s is too long", name);
		return -1;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		int rc = errno;
		char near[PROFILE_NAME_MAX] = "";

		profile_nearest(a->deps.profile_dir, name, near);
		snprintf(why, cap, "%.256s: %s%s%s%s", path, strerror(rc), *near ? "; did you mean " : "", near,
			 *near ? "?" : "; profiles are files NAME.profile in the profile-dir of the config");
		return -1;
	}
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > PROFILE_TEXT_MAX) {
		snprintf(why, cap, "%.256s: must be a file of at most %d octets", path, PROFILE_TEXT_MAX);
		close(fd);
		return -1;
	}
	while (n < PROFILE_TEXT_MAX && (got = read(fd, text + n, PROFILE_TEXT_MAX - n)) > 0)
		n += (size_t)got;
	close(fd);
	text[n] = 0;
	return (int)n;
}

bool profile_known(const struct api *a, const char *name, struct api_to to)
{
	char text[PROFILE_TEXT_MAX + 1], why[API_TEXT_MAX - 64] = "";

	if (!name_ok(name, PROFILE_NAME_MAX))
		api_fail(to, API_BAD, "bad-name",
			 "a profile's name has letters, digits, '.', '_' and '-', and no directory");
	else if (profile_read(a, name, text, why, sizeof(why)) < 0)
		api_fail(to, API_NOT_FOUND, "no-such-profile", "%s", why);
	else
		return true;
	return false;
}

/* The script must fit for every algorithm a keyset may have: found out now, not card by card. */
static int profile_fits(const struct profile *p, char *why, size_t cap)
{
	static const uint8_t algs[] = { OTA_ALG_3DES2_CBC, OTA_ALG_AES_CBC };
	const struct swap_values v = { .imsi = "999999999999999", .msisdn = "999999999999999" };

	if (p->works) {
		snprintf(why, cap,
			 "profile %s speaks to the subscription application: it is for orders between operators",
			 p->name);
		return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(algs); i++) {
		const struct keyset_row k = { .kvn = p->kvn, .kic_alg = algs[i], .kid_alg = algs[i], .cc_len = 8 };
		int segments = 0, n = profile_packet_len(p, &k, &v, &segments);

		if (n < 0 || (p->segments_max && segments > p->segments_max)) {
			snprintf(why, cap, "profile %s: its script takes %s with %s keys; segments-max is %u", p->name,
				 n < 0 ? ota_strerror(n) : "more short messages than allowed", ota_alg_name(algs[i]),
				 p->segments_max);
			return -1;
		}
	}
	return 0;
}

static int session_profile(const struct api *a, struct session *s, const char *name, struct api_to to)
{
	char text[PROFILE_TEXT_MAX + 1], why[API_TEXT_MAX - 64] = "";
	int n = profile_read(a, name, text, why, sizeof(why));

	if (n < 0) {
		api_fail(to, API_NOT_FOUND, "no-such-profile", "%s", why);
		return -1;
	}
	if (profile_parse(&s->profile, a->deps.errtab, text, (size_t)n, why, sizeof(why)) ||
	    profile_fits(&s->profile, why, sizeof(why))) {
		api_fail(to, API_REFUSED, "bad-profile", "%.128s/%s.profile: %s", a->deps.profile_dir, name, why);
		return -1;
	}
	s->profile_text = malloc((size_t)n + 1);
	if (!s->profile_text) {
		api_fail(to, API_NOT_READY, "no-memory", "out of memory: try again later");
		return -1;
	}
	memcpy(s->profile_text, text, (size_t)n + 1);
	s->profile_len = (size_t)n;
	return 0;
}

/* ------------------------------------------------------------------------------------------------ create */

struct create_call {
	struct call call;
	char session[SESSION_ID_MAX];
	struct store_batch *batch;
};

static void create_drop(struct call *c)
{
	store_batch_free(((struct create_call *)c)->batch);
}

static void create_done(struct store_batch *b, int rc)
{
	struct create_call *c = b->ctx;
	struct api *a = c->call.a;
	struct api_to to = c->call.to;
	struct session *s = session_find(a, SESSION_CAMPAIGN, c->session);
	struct api_created made = { 0 };
	struct api_reply r = { .status = API_OK, .created = &made };
	int op = b->ops[0].rc;

	if (s)
		s->busy = false;
	else if (!rc && !op && !b->dry_run)
		campaign_abandon(a, b->ops[0].row);
	if (rc) {
		api_fail_store(a, to, rc, b->why);
	} else if (op == STORE_R_DUP_NAME) {
		api_fail(to, API_REFUSED, "name-taken",
			 "campaign %s exists already (or its list is still coming in): take another name, or delete it",
			 s ? s->campaign.name : "");
	} else if (op || !s) {
		api_fail(to, API_REFUSED, "refused", "the campaign cannot be created: %s", store_strerror(op));
	} else {
		made = (struct api_created){ .name = s->campaign.name,
					     .profile = s->campaign.profile,
					     .campaign = s->dry_run ? 0 : s->campaign.id,
					     .session = s->dry_run ? s->id : NULL };
		to.done(to.ctx, &r);
		s = NULL; /* stays */
	}
	if (s)
		session_drop(a, s);
	call_free(&c->call);
}

static void fail_too_many(struct api_to to, const char *name)
{
	api_fail(to, API_REFUSED, "too-many-campaigns",
		 "campaign %s was not created: there are %d campaigns that have not ended, the most there may be; "
		 "cancel or "
		 "delete one, or wait until one is DONE",
		 name, API_CAMPAIGNS_OPEN);
}

/* The rules in their one form; 0, or -1 after answering. */
static int create_rules(const struct api *a, const char *text, struct campaign_row *row, struct api_to to)
{
	char why[RULES_ERR_MAX];
	struct rules r;

	if (rules_parse(&r, text, why)) {
		api_fail(to, API_BAD, "bad-rules", "%s", why);
		return -1;
	}
	if (r.deadline_ms && rules_deadline(&r, api_now(a)) <= api_now(a)) {
		api_fail(to, API_BAD, "bad-rules", "the deadline has passed: take a later one");
		return -1;
	}
	rules_complete(&r);
	rules_print(&r, row->rules);
	return 0;
}

static bool name_good(const struct api_campaign_req *req, const char *profile, struct api_to to)
{
	if (!name_ok(req->name, CAMPAIGN_NAME_MAX))
		api_fail(to, API_BAD, "bad-name",
			 "a campaign's name has letters, digits, '.', '_' and '-', at most %d, and begins with a "
			 "letter or digit",
			 CAMPAIGN_NAME_MAX - 1);
	else if (!name_ok(profile, PROFILE_NAME_MAX))
		api_fail(to, API_BAD, "bad-name",
			 "a profile's name has letters, digits, '.', '_' and '-', and no directory");
	else
		return true;
	return false;
}

void campaign_create(struct api *a, const struct api_campaign_req *req, const struct campaign_row *source,
		     struct api_to to)
{
	const char *profile = source && !*req->profile ? source->profile : req->profile;
	struct campaign_row row = { .state = CAMPAIGN_LOADING, .created_ms = api_now(a) };
	struct store_filter filter;
	struct retry_pick pick;
	char why[API_TEXT_MAX - 64];
	struct create_call *c;
	struct session *s;

	if (!name_good(req, profile, to))
		return;
	if (create_rules(a, req->rules, &row, to))
		return;
	if (filter_parse(&filter, req->filter, req->range, row.created_ms, why, sizeof(why))) {
		api_fail(to, API_BAD, "bad-filter", "%s", why);
		return;
	}
	if (retry_pick(&pick, req, why, sizeof(why))) {
		api_fail(to, API_BAD, "bad-retry", "%s", why);
		return;
	}
	if (!api_ready(a, to))
		return;
	if (!req->dry_run && !gw_campaign_room(a->deps.gw)) {
		fail_too_many(to, req->name);
		return;
	}
	s = session_new(a, SESSION_CAMPAIGN, req->dry_run ? "dr" : "ca", to);
	if (!s)
		return;
	if (session_profile(a, s, profile, to)) {
		session_drop(a, s);
		return;
	}
	s->dry_run = req->dry_run;
	row.id = a->next_campaign++;
	s->campaign = row;
	s->filter = filter;
	s->pick = pick;
	if (source) {
		s->source = source->id;
		memcpy(s->source_name, source->name, sizeof(s->source_name));
	}
	memcpy(s->campaign.name, req->name, sizeof(s->campaign.name));
	snprintf(s->campaign.profile, sizeof(s->campaign.profile), "%s", profile);
	c = call_new(a, sizeof(*c), to, create_drop);
	if (!c) {
		session_drop(a, s);
		return;
	}
	memcpy(c->session, s->id, sizeof(c->session));
	c->batch = store_batch_new();
	if (!c->batch ||
	    !store_batch_add(c->batch, ST_CAMPAIGN_INSERT, &s->campaign, s->profile_text, s->profile_len)) {
		api_fail(to, API_NOT_READY, "no-memory", "out of memory: try again later");
		call_free(&c->call);
		session_drop(a, s);
		return;
	}
	c->batch->dry_run = s->dry_run;
	c->batch->done = create_done;
	c->batch->ctx = c;
	s->busy = true;
	a->deps.store->ops->commit(a->deps.store, c->batch);
}

void api_campaign_create(struct api *a, const struct api_campaign_req *req, struct api_to to)
{
	if (*req->retry_of)
		retry_create(a, req, to);
	else
		campaign_create(a, req, NULL, to);
}

/* ------------------------------------------------------------------------------------------------- lines */

static int campaign_header(struct session *s, struct csv_record *r, char *why, size_t cap)
{
	static const char *const known[] = { "ICCID", "IMSI", "MSISDN" }; /* enum column */
	bool have[ARRAY_SIZE(known)] = { false };

	if (header_map(s, r, known, ARRAY_SIZE(known), why, cap))
		return -1;
	for (unsigned i = 0; i < s->n_columns; i++)
		have[s->column[i]] = true;
	for (unsigned i = 0; i <= COL_IMSI; i++) {
		if (!have[i]) {
			snprintf(why, cap,
				 "line 1: there is no column %s; an IMSI list has ICCID,IMSI and may have MSISDN",
				 known[i]);
			return -1;
		}
	}
	return 0;
}

static void campaign_line(struct api *a, struct session *s, struct chunk *ch, struct csv_record *r)
{
	struct store_txn_plan p = {
		.txn = { .campaign = s->campaign.id, .state = TXN_PLANNED, .evidence = 255, .por_status = 255 },
		.kvn = s->profile.kvn,
		.filter = s->filter,
		.need_msisdn = !a->deps.address_by_imsi,
		.not_quarantined = true,
	};
	char digits[_NUMBERS][ICCID_DIGITS_MAX + 1] = { "" }, why[API_REASON_MAX];

	for (unsigned n = 0; n < _NUMBERS; n++) {
		const char *text = line_field(s, r, n);

		if (n == NUM_MSISDN && !*text)
			continue;
		if (check_number(n, text, digits[n], why, sizeof(why)) ||
		    check_seen(s, n, digits[n], r->line, why, sizeof(why))) {
			chunk_reject(ch, r->line, "%s", why);
			return;
		}
	}
	memcpy(p.iccid, digits[NUM_ICCID], sizeof(p.iccid));
	memcpy(p.txn.new_imsi, digits[NUM_IMSI], sizeof(p.txn.new_imsi));
	memcpy(p.txn.new_msisdn, digits[NUM_MSISDN], sizeof(p.txn.new_msisdn));
	if (!chunk_op(ch, ST_TXN_PLAN, &p, NULL, 0, r->line))
		return;
	for (unsigned n = 0; n < _NUMBERS; n++) {
		if (*digits[n] && seen_add(&s->seen[n], digits[n], r->line))
			ch->oom = true;
	}
}

/* The way of a card's first attempt. */
static unsigned plan_route(const struct gw *gw, const struct session *s, const struct store_txn_plan *p)
{
	const struct route_key key = { .imsi = p->imsi, .msisdn = p->msisdn, .profile = s->profile.name };
	struct gw_route_view v;
	unsigned r = 0;

	for (; r + 1 < gw_routes(gw); r++) {
		gw_route_view(gw, r, &v);
		if (!route_find(v.route, 1, &key))
			break;
	}
	return r;
}

/* What this card's script takes, under the keys it really has. */
static void campaign_count(const struct session *s, struct chunk *ch, const struct store_txn_plan *p)
{
	const struct keyset_row k = {
		.kvn = p->kvn, .kic_alg = p->kic_alg, .kid_alg = p->kid_alg, .cc_len = p->cc_len
	};
	struct swap_values v = { "", "" };
	int segments = 0;

	memcpy(v.imsi, p->txn.new_imsi, sizeof(v.imsi));
	memcpy(v.msisdn, p->txn.new_msisdn, sizeof(v.msisdn));
	ch->out.accepted++;
	ch->out.seen += p->seen_ms && api_now(ch->call.a) - p->seen_ms < SEEN_LATELY_MS;
	if (profile_packet_len(&s->profile, &k, &v, &segments) > 0) {
		ch->out.packets++;
		ch->out.sms_parts += (uint64_t)segments;
		ch->out.route_parts[plan_route(ch->call.a->deps.gw, s, p)] += (uint64_t)segments;
	}
}

static void campaign_committed(struct store_batch *b, int rc)
{
	struct chunk *ch = b->ctx;
	struct session *s = session_find(ch->call.a, SESSION_CAMPAIGN, ch->session);

	if (rc || !s) {
		chunk_failed(ch, s, rc ? rc : STORE_E_CLOSED, b->why);
		return;
	}
	for (size_t i = 0; i < b->n; i++) {
		const struct store_txn_plan *p = b->ops[i].row;
		char why[API_REASON_MAX];

		if (b->ops[i].kind != ST_TXN_PLAN)
			continue;
		if (b->ops[i].rc == STORE_OK) {
			campaign_count(s, ch, p);
			continue;
		}
		if (b->ops[i].rc == STORE_R_FILTERED) {
			ch->out.filtered++;
		} else {
			plan_reason(why, sizeof(why), b->ops[i].rc, p, s->campaign.profile);
			chunk_reject(ch, ch->line[i], "%s", why);
		}
		seen_drop(&s->seen[NUM_ICCID], p->iccid, ch->line[i]);
		seen_drop(&s->seen[NUM_IMSI], p->txn.new_imsi, ch->line[i]);
		seen_drop(&s->seen[NUM_MSISDN], p->txn.new_msisdn, ch->line[i]);
	}
	if (!s->dry_run)
		s->campaign.targets += ch->out.accepted;
	chunk_end(ch, s);
}

static struct session *intake_find(struct api *a, const char *name, const char *session, struct api_to to)
{
	for (size_t i = 0; i < API_SESSIONS_MAX; i++) {
		struct session *s = a->session[i];

		if (s && s->kind == SESSION_CAMPAIGN && !strcmp(s->campaign.name, name) &&
		    (session ? s->dry_run && !strcmp(s->id, session) : !s->dry_run))
			return s;
	}
	api_fail(to, API_NOT_FOUND, "no-such-intake",
		 "no list is coming in for campaign %.47s (finished, left alone too long, or the gateway was "
		 "restarted): create it again",
		 name);
	return NULL;
}

void campaign_commit(struct chunk *ch)
{
	chunk_commit(ch, campaign_committed);
}

/* In a dry run nothing of the create stands in the store: each transaction makes the campaign anew before its lines. */
int campaign_dry_prefix(struct chunk *ch, const struct session *s)
{
	return s->dry_run ? !chunk_op(ch, ST_CAMPAIGN_INSERT, &s->campaign, s->profile_text, s->profile_len, 0) : 0;
}

static void campaign_line_any(struct api *a, struct session *s, struct chunk *ch, struct csv_record *r)
{
	if (ch->batch->n == 0 && campaign_dry_prefix(ch, s))
		ch->oom = true;
	campaign_line(a, s, ch, r);
}

void api_campaign_lines(struct api *a, const char *name, const char *session, uint64_t first, char *text, size_t len,
			struct api_to to)
{
	struct session *s = intake_find(a, name, session, to);
	struct chunk *ch =
		s && !s->source ? chunk_read(a, s, first, text, len, to, campaign_header, campaign_line_any) : NULL;

	ks_wipe(text, len);
	if (s && s->source)
		retry_take(a, s, first, len, to);
	if (ch)
		campaign_commit(ch);
}

/* ------------------------------------------------------------------------------------------------ finish */

struct finish_call {
	struct call call;
	char session[SESSION_ID_MAX];
	struct campaign_row row;
	struct store_batch *batch;
	bool drop, full;
};

static void finish_drop(struct call *c)
{
	store_batch_free(((struct finish_call *)c)->batch);
}

static void finish_estimate(const struct api *a, const struct session *s, struct estimate *e, struct rules *rules)
{
	const struct api_deps *d = &a->deps;
	char why[RULES_ERR_MAX];
	uint32_t serving = 0;

	(void)rules_parse(rules, s->campaign.rules, why); /* they were read when it was created */
	*e = (struct estimate){
		.cards = s->total.accepted,
		.sms_parts = s->total.sms_parts,
		.seen = s->total.seen,
		.rules = rules,
		.now_ms = api_now(a),
		.others = gw_campaigns_running(d->gw),
		.n_links = d->n_links < CONFIG_LINKS_MAX ? d->n_links : CONFIG_LINKS_MAX,
	};
	if (d->price)
		e->price = *d->price;
	gw_measured_answer(d->gw, &e->answer);
	for (; e->n_routes < gw_routes(d->gw); e->n_routes++) {
		struct gw_route_view v;

		gw_route_view(d->gw, e->n_routes, &v);
		e->route[e->n_routes] = (struct estimate_route){ .name = v.route->name,
								 .sms_parts = s->total.route_parts[e->n_routes],
								 .links = v.serving };
		serving |= v.serving;
	}
	for (unsigned i = 0; i < e->n_links; i++) {
		struct link_stats st;

		d->links[i]->ops->stats(d->links[i], &st);
		e->link[i] = (struct estimate_link){ .name = d->links[i]->name,
						     .up = st.up && serving & 1u << i,
						     .window = st.window,
						     .limit = st.rate_limit };
		gw_measured_submit(d->gw, i, &e->link[i].submit);
	}
	estimate_make(e);
}

static void finish_answer(struct api *a, struct session *s, const char *state, struct api_to to)
{
	struct api_reply r = { .status = API_OK, .lines = &s->total };
	struct estimate estimate;
	struct rules rules;

	s->total.state = state;
	s->total.total = true;
	finish_estimate(a, s, &estimate, &rules);
	s->total.estimate = &estimate;
	api_log(a, 5,
		"campaign %s%s: %" PRIu64 " cards, %" PRIu64 " short messages, %" PRIu64 " lines rejected, %" PRIu64
		" filtered",
		s->campaign.name, s->dry_run ? " (dry run)" : "", s->total.accepted, s->total.sms_parts,
		s->total.rejected, s->total.filtered);
	to.done(to.ctx, &r);
	session_drop(a, s);
}

static void finish_empty(const struct session *s, struct api_to to)
{
	if (s->source)
		api_fail(to, API_REFUSED, "empty-campaign",
			 "no card of campaign %s is to be retried: %" PRIu64 " have another outcome or class, %" PRIu64
			 " may have run their command (may-have-run takes them), %" PRIu64
			 " were rejected; campaign %s was not created",
			 s->source_name, s->total.filtered, s->total.may_have_run, s->total.rejected, s->campaign.name);
	else
		api_fail(to, API_REFUSED, "empty-campaign",
			 "no line of the list was accepted%s: campaign %s was not created",
			 s->total.filtered ? " (the filter has left some out)" : "", s->campaign.name);
}

static void finish_done(struct store_batch *b, int rc)
{
	struct finish_call *c = b->ctx;
	struct api *a = c->call.a;
	struct api_to to = c->call.to;
	struct session *s = session_find(a, SESSION_CAMPAIGN, c->session);
	char why[API_TEXT_MAX - 64] = "";

	if (s)
		s->busy = false;
	if (rc || b->ops[0].rc) {
		api_fail_store(a, to, rc ? rc : b->ops[0].rc, b->why);
	} else if (!s) {
		api_fail(to, API_NOT_FOUND, "no-such-intake", "the intake is gone");
	} else if (c->full) {
		fail_too_many(to, s->campaign.name);
		session_drop(a, s);
	} else if (c->drop) {
		finish_empty(s, to);
		session_drop(a, s);
	} else if (gw_campaign_adopt(a->deps.gw, &c->row, s->profile_text, s->profile_len, why, sizeof(why))) {
		/* another one took the last place between the question and the commit */
		campaign_abandon(a, &c->row);
		if (*why)
			api_fail(to, API_REFUSED, "not-adopted", "campaign %s was not created: %s", s->campaign.name,
				 why);
		else
			fail_too_many(to, s->campaign.name);
		session_drop(a, s);
	} else {
		finish_answer(a, s, campaign_state_name(CAMPAIGN_READY), to);
	}
	call_free(&c->call);
}

/* Now that the cards are counted: are there enough for the canary?  The list stays, and its owner decides.  */
static int finish_rules(const struct session *s, struct api_to to)
{
	char why[RULES_ERR_MAX];
	struct rules r;

	if (!s->total.accepted || (!rules_parse(&r, s->campaign.rules, why) && !rules_fit(&r, s->total.accepted, why)))
		return 0;
	api_fail(to, API_REFUSED, "bad-rules", "%s", why);
	return -1;
}

void api_campaign_finish(struct api *a, const char *name, const char *session, struct api_to to)
{
	struct session *s = intake_find(a, name, session, to);
	struct finish_call *c;

	if (!s)
		return;
	if (s->busy) {
		api_fail(to, API_NOT_READY, "busy", "the last chunk is still being committed: try again");
		return;
	}
	if (finish_rules(s, to))
		return;
	if (s->dry_run) {
		finish_answer(a, s, NULL, to);
		return;
	}
	c = call_new(a, sizeof(*c), to, finish_drop);
	if (!c)
		return;
	memcpy(c->session, s->id, sizeof(c->session));
	c->row = s->campaign;
	c->row.state = CAMPAIGN_READY;
	c->full = !gw_campaign_room(a->deps.gw);
	c->drop = c->full || s->campaign.targets == 0;
	c->batch = store_batch_new();
	if (!c->batch || !store_batch_add(c->batch, c->drop ? ST_CAMPAIGN_DROP : ST_CAMPAIGN_PUT, &c->row, NULL, 0)) {
		api_fail(to, API_NOT_READY, "no-memory", "out of memory: try again later");
		call_free(&c->call);
		return;
	}
	c->batch->done = finish_done;
	c->batch->ctx = c;
	s->busy = true;
	a->deps.store->ops->commit(a->deps.store, c->batch);
}

/* ------------------------------------------------------------------------------------------------ delete */

struct delete_call {
	struct call call;
	struct campaign_row row;
	struct store_batch *batch;
};

static void delete_drop(struct call *c)
{
	store_batch_free(((struct delete_call *)c)->batch);
}

static void delete_done(struct store_batch *b, int rc)
{
	struct delete_call *c = b->ctx;
	struct api_to to = c->call.to;
	struct api_verb v = { .name = c->row.name, .state = "DELETED" };
	struct api_reply r = { .status = API_OK, .verb = &v };

	if (rc)
		api_fail_store(c->call.a, to, rc, b->why);
	else if (b->ops[0].rc)
		api_fail(to, API_REFUSED, "refused", "campaign %s cannot be deleted: %s", c->row.name,
			 store_strerror(b->ops[0].rc));
	else
		to.done(to.ctx, &r);
	call_free(&c->call);
}

static void delete_commit(struct api *a, const struct campaign_row *row, struct api_to to)
{
	struct delete_call *c = call_new(a, sizeof(*c), to, delete_drop);

	if (!c)
		return;
	c->row = *row;
	c->batch = store_batch_new();
	if (!c->batch || !store_batch_add(c->batch, ST_CAMPAIGN_DROP, &c->row, NULL, 0)) {
		api_fail(to, API_NOT_READY, "no-memory", "out of memory: try again later");
		call_free(&c->call);
		return;
	}
	c->batch->done = delete_done;
	c->batch->ctx = c;
	a->deps.store->ops->commit(a->deps.store, c->batch);
}

/* Neither core nor intake hold it: left by an intake that broke off, or ended long ago. */
static void delete_stored(struct api *a, const struct campaign_row *row, const struct lookup *arg, struct api_to to)
{
	uint64_t id;

	if (session_of_campaign(a, row->id) || gw_campaign_find(a->deps.gw, row->name, &id))
		api_fail(to, API_NOT_READY, "busy", "campaign %s has just been made: try again", row->name);
	else if (row->state == CAMPAIGN_LOADING || row->state == CAMPAIGN_READY)
		delete_commit(a, row, to);
	else
		api_fail(to, API_REFUSED, "started", "campaign %s is %s: its report stays", row->name,
			 campaign_state_name(row->state));
}

/* Deleted can be what was never started: still coming in, or READY.  All else is ended by cancel and keeps its report. */
void api_campaign_delete(struct api *a, const char *name, struct api_to to)
{
	struct session *s = NULL;
	struct gw_campaign_view view;
	struct campaign_row row;
	uint64_t id;

	if (gw_campaign_find(a->deps.gw, name, &id) && gw_campaign_view(a->deps.gw, id, &view)) {
		if (gw_campaign_forget(a->deps.gw, id))
			api_fail(to, API_REFUSED, "started", "campaign %.47s is %s: %sits report stays", name,
				 campaign_state_name(view.row.state),
				 view.row.state == CAMPAIGN_DONE || view.row.state == CAMPAIGN_CANCELLED ?
					 "" :
					 "cancel it instead, ");
		else
			delete_commit(a, &view.row, to);
		return;
	}
	for (size_t i = 0; i < API_SESSIONS_MAX; i++) {
		struct session *t = a->session[i];

		if (t && t->kind == SESSION_CAMPAIGN && !t->dry_run && !strcmp(t->campaign.name, name))
			s = t;
	}
	if (!s) {
		campaign_lookup(a, name, 0, 0, delete_stored, to);
		return;
	}
	if (s->busy) {
		api_fail(to, API_NOT_READY, "busy", "a chunk of its list is being committed: try again");
		return;
	}
	row = s->campaign;
	session_drop(a, s);
	delete_commit(a, &row, to);
}
