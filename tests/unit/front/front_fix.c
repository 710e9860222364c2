/* front_fix.c - a front on the real core, the real keystore and the store in memory.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "front_fix.h"

#include <poll.h>

#include "http_int.h"

#define TURNS_MAX 1000
#define DISK_MS	  20 /* a store on a disk completes when it likes: looked for at most so long in a turn */

static int64_t fix_utc(void *ctx)
{
	return ((struct front *)ctx)->now_ms;
}

static int fix_random(void *ctx, uint8_t *buf, size_t len)
{
	struct front *f = ctx;

	for (size_t i = 0; i < len; i++) {
		f->dice = f->dice * 1664525 + 1013904223;
		buf[i] = (uint8_t)(f->dice >> 24);
	}
	return 0;
}

static void fix_log(void *ctx, int level, const char *line)
{
	struct front *f = ctx;
	size_t n = strlen(f->log);

	snprintf(f->log + n, sizeof(f->log) - n, "%s\n", line);
	events_note(&f->events, f->now_ms, level, line);
}

static int64_t hook_delay(void *ctx, const char *what, struct store_batch *b)
{
	(void)ctx;
	(void)what;
	(void)b;
	return 0;
}

static int hook_fault(void *ctx, struct store_batch *b)
{
	struct front *f = ctx;

	return b->batch_no ? f->core_fault : f->fault;
}

static void start(struct front *f, const char *profile_dir)
{
	static const uint8_t kek[32] = { 7 };
	const struct store_mem_hooks hooks = { .delay = hook_delay, .fault = hook_fault, .now_ms = fix_utc, .ctx = f };
	const struct ks_open_params kp = {
		.source = KS_KEK_MEMORY, .kek = kek, .slots = 1024, .random = fix_random, .random_ctx = f
	};
	uint8_t check[KS_CHECK_LEN];
	char err[256] = "";
	struct gw_cfg cfg;
	struct gw_deps gd = { .env = &f->env, .errtab = f->errtab, .log = fix_log, .log_ctx = f };
	struct api_deps ad = { .env = &f->env,
			       .errtab = f->errtab,
			       .profile_dir = profile_dir,
			       .version = "1.2.3",
			       .events = &f->events,
			       .log = fix_log,
			       .log_ctx = f };

	if (f->state_dir)
		f->store = store_sqlite_open(&(struct store_sqlite_cfg){ .dir = f->state_dir }, err, sizeof(err));
	else
		f->store = store_mem_open(f->disk, &hooks);
	if (!f->store)
		fail_msg("%s", err);
	assert_int_equal(ks_open(&f->ks, &kp, NULL, 0, check, err, sizeof(err)), 0);
	gw_cfg_default(&cfg);
	cfg.limits.resident_max = 64;
	cfg.limits.prepared_max = 128;
	cfg.limits.outcomes_max = 64;
	cfg.limits.open_max = 1000;
	cfg.n_links = f->n_links;
	for (unsigned i = 0; f->links && i < f->n_links; i++)
		f->link_name[i] = f->links[i]->name;
	cfg.link_names = f->links ? f->link_name : NULL;
	cfg.routes = f->routes;
	cfg.n_routes = f->n_routes;
	ad.links = f->links;
	ad.n_links = f->links ? f->n_links : 0;
	cfg.address_by_imsi = ad.address_by_imsi = f->by_imsi;
	gd.store = ad.store = f->store;
	gd.ks = ad.ks = f->ks;
	f->gw = gw_new(&cfg, &gd);
	assert_non_null(f->gw);
	ad.gw = f->gw;
	f->api = api_new(&ad);
	assert_int_equal(api_start_cleanup(f->api, err, sizeof(err)), 0);
	gw_start(f->gw, f->now_ms);
	for (int i = 0; i < TURNS_MAX && !gw_ready(f->gw); i++)
		front_turn(f);
	assert_true(gw_ready(f->gw));
}

static void stop(struct front *f)
{
	f->store->ops->close(f->store);
	api_free(f->api);
	gw_free(f->gw);
	ks_close(f->ks);
}

static const char *kept_profile_dir;

struct front *front_new_at(const char *profile_dir, const char *state_dir)
{
	struct front *f = calloc(1, sizeof(*f));
	char err[ERRTAB_ERR_MAX];

	assert_non_null(f);
	f->env = (struct env){ .utc_ms = fix_utc, .random = fix_random, .ctx = f };
	f->now_ms = FIX_NOW;
	f->dice = 1;
	f->errtab = errtab_new(err);
	assert_non_null(f->errtab);
	f->disk = store_mem_disk_new();
	f->state_dir = state_dir;
	if (state_dir)
		f->n_links = 1;
	kept_profile_dir = profile_dir;
	start(f, profile_dir);
	return f;
}

struct front *front_new(const char *profile_dir)
{
	return front_new_at(profile_dir, NULL);
}

void front_free(struct front *f)
{
	stop(f);
	store_mem_disk_free(f->disk);
	json_decref(f->json);
	errtab_free(f->errtab);
	free(f);
}

void front_restart(struct front *f)
{
	stop(f);
	start(f, kept_profile_dir);
}

void front_turn(struct front *f)
{
	struct pollfd p = { .fd = f->store->ops->fd(f->store), .events = POLLIN };
	struct gw_effect fx;

	if (p.fd >= 0)
		(void)poll(&p, 1, DISK_MS);
	f->store->ops->poll(f->store);
	gw_step(f->gw, f->now_ms);
	while (gw_effect_next(f->gw, &fx)) {
		if (f->api)
			api_on_effect(f->api, &fx);
	}
}

static void answered(void *ctx, const struct api_reply *r)
{
	struct front *f = ctx;
	char *text;

	json_decref(f->json);
	f->json = json_reply(r);
	assert_non_null(f->json);
	text = json_dumps(f->json, JSON_COMPACT);
	assert_non_null(text);
	snprintf(f->text, sizeof(f->text), "%s", text);
	free(text);
	f->status = (int)r->status;
	f->answers++;
}

struct api_to front_to(struct front *f)
{
	f->answers = 0;
	return (struct api_to){ .done = answered, .ctx = f };
}

void front_wait(struct front *f)
{
	for (int i = 0; i < TURNS_MAX && !f->answers; i++)
		front_turn(f);
	assert_int_equal(f->answers, 1);
}

int front_import(struct front *f, const char *alg, uint64_t cntr, bool dry_run)
{
	struct api_import_req r = { .n_keysets = 1, .dry_run = dry_run };

	r.keyset[0].kvn = 1;
	r.keyset[0].cntr = cntr;
	snprintf(r.keyset[0].alg, sizeof(r.keyset[0].alg), "%s", alg);
	api_import_create(f->api, &r, front_to(f));
	front_wait(f);
	return f->status;
}

/* Exact-size block with the one octet to spare; after the call nothing of the text may be left. */
static char *boxed(const char *csv, size_t *len)
{
	char *p = malloc(strlen(csv) + 1);

	assert_non_null(p);
	*len = strlen(csv);
	memcpy(p, csv, *len + 1);
	return p;
}

static void wiped(char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(p[i], 0);
	free(p);
}

int front_import_lines(struct front *f, const char *id, uint64_t first, const char *csv)
{
	size_t len;
	char *p = boxed(csv, &len);

	api_import_lines(f->api, id, first, p, len, front_to(f));
	wiped(p, len);
	front_wait(f);
	return f->status;
}

int front_import_finish(struct front *f, const char *id)
{
	api_import_finish(f->api, id, front_to(f));
	front_wait(f);
	return f->status;
}

int front_create(struct front *f, const char *name, const char *profile, bool dry_run)
{
	struct api_campaign_req r = { .dry_run = dry_run };

	snprintf(r.name, sizeof(r.name), "%s", name);
	snprintf(r.profile, sizeof(r.profile), "%s", profile);
	api_campaign_create(f->api, &r, front_to(f));
	front_wait(f);
	return f->status;
}

int front_lines(struct front *f, const char *name, const char *session, uint64_t first, const char *csv)
{
	size_t len;
	char *p = boxed(csv, &len);

	api_campaign_lines(f->api, name, session, first, p, len, front_to(f));
	wiped(p, len);
	front_wait(f);
	return f->status;
}

int front_finish(struct front *f, const char *name, const char *session)
{
	api_campaign_finish(f->api, name, session, front_to(f));
	front_wait(f);
	return f->status;
}

int front_verb(struct front *f, const char *name, enum gw_campaign_verb v)
{
	api_campaign_verb(f->api, name, v, front_to(f));
	front_wait(f);
	return f->status;
}

int64_t front_n(const struct front *f, const char *key)
{
	json_t *v = json_object_get(f->json, key);

	return json_is_integer(v) ? json_integer_value(v) : -1;
}

const char *front_s(const struct front *f, const char *key)
{
	return json_string_value(json_object_get(f->json, key));
}

const char *front_error(const struct front *f)
{
	const char *code = json_string_value(json_object_get(json_object_get(f->json, "error"), "code"));

	return code ? code : "";
}

const char *front_reject(const struct front *f, size_t i, uint64_t line)
{
	json_t *r = json_array_get(json_object_get(f->json, "rejected"), i);

	assert_non_null(r);
	assert_int_equal(json_integer_value(json_object_get(r, "line")), line);
	return json_string_value(json_object_get(r, "reason"));
}

const char *fix_iccid(char out[21], unsigned n)
{
	unsigned sum = 0;

	snprintf(out, 21, "8988211%011u", n);
	for (int i = 0; i < 18; i++) {
		unsigned d = (unsigned)(out[17 - i] - '0');

		d = i % 2 ? d : d * 2;
		sum += d > 9 ? d - 9 : d;
	}
	out[18] = (char)('0' + (10 - sum % 10) % 10);
	out[19] = 0;
	return out;
}

void fix_card_line(char *out, size_t cap, unsigned n)
{
	char iccid[21];

	snprintf(out, cap, "%s,00101%010u,+491510%07u,%s,%s,\n", fix_iccid(iccid, n), n, n, FIX_KIC, FIX_KID);
}

void fix_cards(struct front *f, unsigned n)
{
	char csv[16384] = FIX_HEADER, id[32];

	for (unsigned i = 0; i < n; i++) {
		size_t at = strlen(csv);

		fix_card_line(csv + at, sizeof(csv) - at, i);
	}
	assert_int_equal(front_import(f, "3des2", 100, false), 200);
	snprintf(id, sizeof(id), "%s", front_s(f, "id"));
	assert_int_equal(front_import_lines(f, id, 1, csv), 200);
	assert_int_equal(front_n(f, "accepted"), n);
	assert_int_equal(front_import_finish(f, id), 200);
}
