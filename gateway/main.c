/* main.c - the only file that knows everybody: reads the config, builds the parts, starts the loop.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <osmocom/core/application.h>

#include "env_real.h"
#include "front/api.h"
#include "front/config.h"
#include "front/console.h"
#include "front/http.h"
#include "front/vty.h"
#include "gsmtap.h"
#include "handover.h"
#include "mark.h"
#include "osmo_bridge.h"
#include "retain.h"
#include "ota/smpp_link.h"
#include "shell.h"

#ifndef OTAGW_VERSION
#define OTAGW_VERSION "unknown"
#endif
#define ERR_MAX 512

struct parts {
	struct otagw_config cfg;
	struct event_base *base;
	struct errtab *errtab;
	struct store *store;
	struct ks *ks;
	struct gw *gw;
	struct api *api;
	struct http *http;
	struct shell *shell;
	struct retain *retain;
	struct osmo_bridge *bridge; /* these two NULL: neither VTY nor CTRL */
	struct console *console;
	struct gsmtap *gsmtap; /* NULL: nothing is shown */
	const char *config_path;
	struct handover *handover; /* NULL: no orders between operators */
	struct link *link[CONFIG_LINKS_MAX];
	const char *link_name[CONFIG_LINKS_MAX];
	unsigned n_links;
	int log_level;
	struct mark mark;
	struct events events;
	bool restored; /* the operator has put a backup back */
};

/* ------------------------------------------------------------------------------------------------------------ logging */

static void log_line(void *ctx, int level, const char *line)
{
	static const char *const name[] = { "EMERG", "ALERT", "CRIT", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG" };
	struct parts *p = ctx;
	struct timespec ts;
	struct tm tm;
	char at[32];

	clock_gettime(CLOCK_REALTIME, &ts);
	events_note(&p->events, (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000, level, line);
	if (console_log_line(level, line) || level > p->log_level || level < 0)
		return;
	gmtime_r(&ts.tv_sec, &tm);
	strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%S", &tm);
	fprintf(stderr, "%s.%03ldZ %-7s %s\n", at, ts.tv_nsec / 1000000, name[level & 7], line);
}

static void log_link(void *ctx, int level, const char *line)
{
	log_line(ctx, level, line);
}

static void on_clock_step(void *ctx, int64_t step_ms)
{
	char line[120];

	snprintf(line, sizeof(line), "the wall clock was set by %+lld ms; %s", (long long)step_ms,
		 step_ms < 0 ? "followed slowly, never backwards" : "taken in");
	log_line(ctx, 4, line);
}

/* -------------------------------------------------------------------------------------------------------------- parts */

/* Keys must not end up in a core file, nor be read through ptrace by another process of the same user. */
static void guard_memory(void)
{
	const struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) || prctl(PR_SET_DUMPABLE, 0))
		fprintf(stderr, "otagwd: cannot switch core dumps off: %s\n", strerror(errno));
}

static int open_keystore(struct parts *p, char *err)
{
	struct ks_open_params kp = { .source = p->cfg.kek };
	uint8_t made[KS_CHECK_LEN];
	struct store_meta meta = { .key = "ks-check" };
	struct store_blob *check = calloc(1, sizeof(*check));
	struct store_query q = { .kind = Q_META, .limit = 1, .out = check };
	struct store_batch *b;
	int rc = -1;

	if (!check)
		return -1;
	if (p->cfg.kek == KS_KEK_FILE)
		kp.path = p->cfg.kek_path;
	else
		kp.passphrase_path = p->cfg.kek_path;
	memcpy(q.digits, meta.key, sizeof(meta.key));
	rc = store_query_wait(p->store, &q);
	if (rc) {
		snprintf(err, ERR_MAX, "the keystore's check record cannot be read: %s", store_why_text(rc, q.why));
		rc = -1;
		goto out;
	}
	if (ks_open(&p->ks, &kp, q.n ? check->bytes : NULL, q.n ? check->len : 0, made, err, ERR_MAX))
		goto out;
	rc = 0;
	if (!q.n) { /* first start: from now on no other KEK opens this directory */
		b = store_batch_new();
		rc = -1;
		if (b && store_batch_add(b, ST_META_PUT, &meta, made, sizeof(made)))
			rc = store_commit_wait(p->store, b);
		if (rc)
			snprintf(err, ERR_MAX, "the keystore's check record cannot be written: %s",
				 b ? store_why_text(rc, b->why) : "out of memory");
		if (b)
			store_batch_free(b);
	}
out:
	free(check);
	return rc;
}

static int64_t link_now(void *ctx)
{
	const struct env *e = env_real();

	return e->utc_ms(e->ctx);
}

static uint32_t link_random(void *ctx)
{
	return env_random_u32(env_real());
}

/* An SMSC that speaks for the network says "invalid destination" of a phone that is switched off. */
static void warn_flavour(struct parts *p, const struct config_link *c)
{
	char line[200];

	if (c->esm_mode != SMPP_MODE_TRANSACTION || strcmp(c->flavour, SMPP_FLAVOUR_DEFAULT))
		return;
	snprintf(line, sizeof(line),
		 "smsc-link %s: esm-mode transaction with flavour %s: status 0x0b ends a card as FAILED; for OsmoMSC "
		 "write "
		 "'flavour osmomsc'",
		 c->name, c->flavour);
	log_line(p, 4, line);
}

/* May be meant: a link for messages of cards alone. */
static void warn_no_route(struct parts *p, unsigned link)
{
	char line[LINK_NAME_MAX + 96];

	for (unsigned i = 0; i < p->cfg.n_routes; i++)
		for (unsigned k = 0; k < p->cfg.route[i].n_links; k++)
			if (p->cfg.route[i].via[k].link == link)
				return;
	if (!p->cfg.n_routes)
		return;
	snprintf(line, sizeof(line), "smsc-link %s is in no route: it gets no packet, and brings messages of cards",
		 p->cfg.link[link].name);
	log_line(p, 4, line);
}

static int make_links(struct parts *p, char *err)
{
	const struct smpp_link_env env = {
		.base = p->base,
		.errtab = p->errtab,
		.now_ms = link_now,
		.random_u32 = link_random,
		.log = log_link,
		.ctx = p,
	};

	for (unsigned i = 0; i < p->cfg.n_links; i++) {
		const struct config_link *c = &p->cfg.link[i];
		struct smpp_link_cfg s;

		warn_flavour(p, c);
		warn_no_route(p, i);
		smpp_link_cfg_default(&s);
		memcpy(s.name, c->name, sizeof(s.name));
		memcpy(s.host, c->host, sizeof(s.host));
		memcpy(s.system_id, c->system_id, sizeof(s.system_id));
		memcpy(s.password, c->password, sizeof(s.password));
		memcpy(s.system_type, c->system_type, sizeof(s.system_type));
		memcpy(s.flavour, c->flavour, sizeof(s.flavour));
		s.port = c->port;
		s.window = c->window;
		s.rate = c->rate;
		s.enquire_link_ms = c->enquire_link_ms;
		s.enquire_timeout_ms = c->enquire_timeout_ms;
		s.response_ms = c->response_ms;
		s.bind_ms = c->bind_ms;
		s.reconnect_ms = c->reconnect_ms;
		s.reconnect_max_ms = c->reconnect_max_ms;
		s.esm_mode = c->esm_mode;
		s.message_id = c->message_id;
		s.message_payload = c->payload;
		s.no_tlvs = c->optional_parameters;
		s.interface_version = c->interface_version ? 0x50 : 0x34;
		s.src_ton = c->src_ton;
		s.src_npi = c->src_npi;
		s.own_pid_dcs = true;
		s.pid = c->pid;
		s.dcs = c->dcs;
		s.receipts = c->receipts;
		_Static_assert(CONFIG_CONCAT_PAYLOAD_UDH == SMPP_CONCAT_PAYLOAD_UDH, "one numbering");
		s.concat = c->concat;
		s.bind_as = c->bind_as;
		s.rebind = c->rebind;
		s.tls.on = c->tls;
		memcpy(s.tls.ca_file, c->tls_ca_file, sizeof(s.tls.ca_file));
		memcpy(s.tls.server_name, c->tls_server_name, sizeof(s.tls.server_name));
		memcpy(s.tls.certificate, c->tls_certificate, sizeof(s.tls.certificate));
		memcpy(s.tls.key, c->tls_key, sizeof(s.tls.key));
		p->link[i] = smpp_link_new(&s, &env, err, ERR_MAX);
		ks_wipe(&s, sizeof(s));
		if (!p->link[i])
			return -1;
		p->link_name[p->n_links++] = p->link[i]->name;
	}
	return 0;
}

static void on_reply(void *ctx, const struct gw_effect *fx)
{
	struct parts *p = ctx;

	api_on_effect(p->api, fx);
	if (p->handover)
		desk_on_effect(handover_desk(p->handover), fx);
}

static void on_txn(void *ctx, const struct gw_effect *fx)
{
	struct parts *p = ctx;

	if (p->handover)
		desk_on_effect(handover_desk(p->handover), fx);
}

static void on_posted(void *ctx)
{
	struct parts *p = ctx;

	if (p->shell) /* while it is being built there is nothing to turn yet */
		shell_kick(p->shell);
}

static int open_mark(struct parts *p, char *err)
{
	char said[ERR_MAX];

	if (mark_open(&p->mark, p->cfg.mark_file, p->store, env_real(), p->restored, said, sizeof(said), err, ERR_MAX))
		return -1;
	if (*said)
		log_line(p, 3, said);
	p->cfg.gw.epoch = p->mark.epoch;
	return 0;
}

static void on_durable(void *ctx, uint64_t batch_no)
{
	struct parts *p = ctx;
	char line[MARK_PATH_MAX + 120];
	int rc = mark_note(&p->mark, batch_no);

	if (!rc)
		return;
	snprintf(line, sizeof(line), "%s cannot be written (%s): a backup put back later may not be noticed",
		 p->mark.path, strerror(rc));
	log_line(p, 3, line);
}

/* What operators have ordered of the links. */
static int read_orders(struct parts *p, char *err)
{
	struct store_blob *kept = calloc(1, sizeof(*kept));
	struct store_query q = { .kind = Q_META, .limit = 1, .out = kept };
	int rc;

	if (!kept) {
		snprintf(err, ERR_MAX, "out of memory");
		return -1;
	}
	memcpy(q.digits, LINK_ORDERS_KEY, sizeof(LINK_ORDERS_KEY));
	rc = store_query_wait(p->store, &q);
	if (rc)
		snprintf(err, ERR_MAX, "what was ordered of the links cannot be read: %s", store_why_text(rc, q.why));
	else if (q.n && route_orders_parse((const char *)kept->bytes, kept->len, p->link_name, p->n_links,
					   p->cfg.gw.link_order, p->cfg.gw.absent_orders))
		log_line(p, 4, "what was ordered of the links cannot be read in full; see 'otactl smsc list'");
	free(kept);
	for (unsigned i = 0; !rc && i < p->n_links; i++) {
		char line[LINK_NAME_MAX + 80];

		if (p->cfg.gw.link_order[i] == LINK_OPEN)
			continue;
		snprintf(line, sizeof(line), "link %s is %s, as it was ordered; 'otactl smsc unblock' ends that",
			 p->link_name[i], link_order_name(p->cfg.gw.link_order[i]));
		log_line(p, 5, line);
	}
	return rc ? -1 : 0;
}

static int make_handover(struct parts *p, char *err)
{
	const struct handover_parts hp = {
		.base = p->base,
		.env = env_real(),
		.store = p->store,
		.ks = p->ks,
		.gw = p->gw,
		.api = p->api,
		.errtab = p->errtab,
		.epoch = p->mark.epoch,
		.log = log_line,
		.wake = on_posted,
		.ctx = p,
	};

	if (!config_exchange_on(&p->cfg))
		return 0;
	p->handover = handover_new(&p->cfg, &hp, err, ERR_MAX);
	if (!p->handover)
		return -1;
	api_attach(p->api, handover_desk(p->handover), handover_exchange(p->handover));
	return 0;
}

static int make_core(struct parts *p, char *err)
{
	const struct gw_deps deps = {
		.env = env_real(),
		.store = p->store,
		.ks = p->ks,
		.errtab = p->errtab,
		.log = log_line,
		.log_ctx = p,
		.log_level = p->log_level > EVENTS_LEVEL ? p->log_level : EVENTS_LEVEL, /* a screen shows these */
		.wake = on_posted,
		.wake_ctx = p,
		.mark = on_durable,
		.mark_ctx = p,
	};
	const struct api_deps ad = {
		.env = env_real(),
		.store = p->store,
		.ks = p->ks,
		.errtab = p->errtab,
		.profile_dir = p->cfg.profile_dir,
		.read_only = p->cfg.desk.roles == DESK_VIEWER,
		.address_by_imsi = p->cfg.gw.address_by_imsi,
		.links = p->link,
		.n_links = p->n_links,
		.price = &p->cfg.price,
		.version = OTAGW_VERSION,
		.events = &p->events,
		.log = log_line,
		.log_ctx = p,
	};
	struct api_deps with_gw = ad;

	p->cfg.gw.link_names = p->link_name;
	p->cfg.gw.routes = p->cfg.route;
	p->gw = gw_new(&p->cfg.gw, &deps);
	if (!p->gw) {
		snprintf(err, ERR_MAX, "out of memory for the limits in the config");
		return -1;
	}
	with_gw.gw = p->gw;
	p->api = api_new(&with_gw);
	if (!p->api || api_start_cleanup(p->api, err, ERR_MAX))
		return -1;
	if (make_handover(p, err))
		return -1;
	p->http = http_new(p->base, p->api, p->cfg.api_socket, err, ERR_MAX);
	return p->http ? 0 : -1;
}

static int make_console(struct parts *p, char *err)
{
	const struct console_parts cp = {
		.api = p->api,
		.gw = p->gw,
		.config_path = p->config_path,
		.log_level = p->log_level > EVENTS_LEVEL ? p->log_level : EVENTS_LEVEL,
		.log = log_line,
		.log_ctx = p,
	};

	if (!console_wanted(&p->cfg))
		return 0;
	p->bridge = osmo_bridge_new(p->base);
	if (!p->bridge) {
		snprintf(err, ERR_MAX, "VTY and CTRL: out of memory or files");
		return -1;
	}
	p->console = console_new(&p->cfg, &cp, err, ERR_MAX);
	return p->console ? 0 : -1;
}

static int build(struct parts *p, char *err)
{
	const struct store_sqlite_cfg sc = { .dir = p->cfg.state_dir };
	struct event_config *ec = event_config_new();
	const unsigned days = p->cfg.story_days;

	if (ec) {
		event_config_set_flag(ec, EVENT_BASE_FLAG_NOLOCK); /* one thread drives it */
		p->base = event_base_new_with_config(ec);
		event_config_free(ec);
	}
	if (!p->base) {
		snprintf(err, ERR_MAX, "libevent cannot be started");
		return -1;
	}
	p->errtab = config_errtab(&p->cfg, err);
	if (!p->errtab)
		return -1;
	p->store = store_sqlite_open(&sc, err, ERR_MAX);
	if (!p->store || open_keystore(p, err) || open_mark(p, err) || make_links(p, err) || read_orders(p, err) ||
	    make_core(p, err) || make_console(p, err))
		return -1;
	config_wipe(&p->cfg);
	if (days && !(p->retain = retain_new(p->store, days, log_line, p))) {
		snprintf(err, ERR_MAX, "out of memory");
		return -1;
	}
	p->shell = shell_new(&(struct shell_parts){
		.base = p->base,
		.gw = p->gw,
		.store = p->store,
		.env = env_real(),
		.links = p->link,
		.n_links = p->n_links,
		.reply = on_reply,
		.reply_ctx = p,
		.txn = on_txn,
		.txn_ctx = p,
		.bridge = p->bridge,
		.desk = handover_desk(p->handover),
		.retain = p->retain,
		.log = log_line,
		.log_ctx = p,
	});
	if (!p->shell) {
		snprintf(err, ERR_MAX, "the event loop cannot be set up");
		return -1;
	}
	if (*p->cfg.gsmtap_ip) {
		p->gsmtap = gsmtap_new(p->cfg.gsmtap_ip, p->cfg.gsmtap_port, err, ERR_MAX);
		if (!p->gsmtap)
			return -1;
		gsmtap_attach(p->gsmtap, p->link, p->n_links);
	}
	return 0;
}

/* In reverse order.  The store finishes what was submitted before anybody who waits for it is freed. */
static void tear_down(struct parts *p)
{
	console_free(p->console);
	if (p->http)
		http_free(p->http);
	handover_stop(p->handover);
	for (unsigned i = 0; i < p->n_links; i++) /* tells its last outcomes to the shell */
		p->link[i]->ops->free(p->link[i]);
	gsmtap_free(p->gsmtap);
	if (p->shell)
		shell_free(p->shell);
	p->shell = NULL; /* what wakes it from now on wakes nobody */
	if (p->store)
		p->store->ops->close(p->store);
	handover_free(p->handover);
	retain_free(p->retain);
	mark_close(&p->mark);
	if (p->api)
		api_free(p->api);
	gw_free(p->gw);
	if (p->ks)
		ks_close(p->ks);
	osmo_bridge_free(p->bridge);
	if (p->base)
		event_base_free(p->base);
	errtab_free(p->errtab);
	config_wipe(&p->cfg);
}

static void usage(FILE *to)
{
	fputs("usage: otagwd -c FILE\n"
	      "  -c FILE   configuration (see contrib/cfg/otagw.cfg)\n"
	      "  -C        check the configuration and exit\n"
	      "  -D        into the background; paths must be absolute then, and the log goes by 'log syslog' or 'log "
	      "file'.  Status 0: it is\n"
	      "            there; whether it could start is told in that log\n"
	      "  -d MASK   log to standard error in libosmocore's form, by categories: DLINK:DCMD,3 (see 'show logging "
	      "vty')\n"
	      "  -e LEVEL  1 debug, 3 info, 5 notice, 7 error: instead of log-level in the configuration, and of "
	      "levels in "
	      "MASK\n"
	      "  -s        no colours (with -d)\n"
	      "  -R, --restored  a backup of the state directory was put back: counters skip what may have been taken "
	      "since\n"
	      "  --check-store  read all of the database, change nothing, say what is wrong with it; no gateway may "
	      "run\n"
	      "  --vty-ref-xml  every command of the VTY, as XML\n"
	      "  -V        version\n"
	      "  -h        this\n"
	      "Log lines go to standard error.  SIGTERM and SIGINT stop it; nothing is lost by SIGKILL either.\n",
	      to);
}

static void check_line(void *ctx, const char *line)
{
	puts(line);
}

/* 0 good, 1 not good, or not to be looked at. */
static int check_store(const struct otagw_config *cfg)
{
	return store_sqlite_check(cfg->state_dir, check_line, NULL) ? 1 : 0;
}

/* Also what only a link can tell: whether the files of TLS are what they should be.  Nothing is connected. */
static int check_config(struct parts *p, const char *path, char *err)
{
	int rc = 1;

	p->base = event_base_new();
	p->errtab = config_errtab(&p->cfg, err);
	if (p->base && p->errtab)
		rc = make_links(p, err) || handover_check(&p->cfg, err, ERR_MAX) ? 1 : 0;
	if (rc)
		fprintf(stderr, "otagwd: %s: %s\n", path, err);
	else
		printf("%s: good\n", path);
	tear_down(p);
	return rc;
}

/* libosmocore's numbers; 0: none of them. */
static int level_of(const char *text)
{
	static const struct {
		const char *osmo;
		int level;
	} of[] = { { "1", 7 }, { "3", 6 }, { "5", 5 }, { "7", 3 }, { "8", 2 } };

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
		if (!strcmp(of[i].osmo, text))
			return of[i].level;
	return 0;
}

static int print_reference(struct parts *p)
{
	config_default(&p->cfg);
	if (vty_config_init(&p->cfg) || vty_reference(stdout)) {
		fprintf(stderr, "otagwd: out of memory\n");
		return 1;
	}
	return 0;
}

struct options {
	const char *path, *mask;
	bool check_only, check_db, daemon, no_color;
	int level; /* 0: as the configuration says */
};

/* How the log is written, and whether we stay in front: as it is given on the command line. */
static int apply_options(struct parts *p, const struct options *o)
{
	char err[ERR_MAX];

	if (o->level)
		p->cfg.log_level = o->level;
	p->log_level = p->cfg.log_level;
	if (o->mask) {
		p->log_level = 7; /* its categories have levels of their own */
		if (console_log_stderr(o->mask, !o->no_color, o->level, err, sizeof(err))) {
			fprintf(stderr, "otagwd: -d: %s\n", err);
			return -1;
		}
	}
	if (!o->daemon || o->check_only || o->check_db)
		return 0;
	if (*o->path != '/') {
		fprintf(stderr, "otagwd: -D needs a configuration with an absolute path: %s\n", o->path);
		return -1;
	}
	if (osmo_daemonize() < 0) {
		fprintf(stderr, "otagwd: cannot go into the background: %s\n", strerror(errno));
		return -1;
	}
	return 0;
}

enum { OPT_CHECK_STORE = 256, OPT_VTY_REF };

int main(int argc, char **argv)
{
	static const struct option longs[] = { { "restored", no_argument, NULL, 'R' },
					       { "check-store", no_argument, NULL, OPT_CHECK_STORE },
					       { "vty-ref-xml", no_argument, NULL, OPT_VTY_REF },
					       { 0 } };
	static struct parts p = { .mark = { .fd = -1 } };
	struct options o = { 0 };
	char err[ERR_MAX] = "out of memory";
	int opt, rc = 1;

	while ((opt = getopt_long(argc, argv, "c:CDd:e:sRVh", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			o.path = optarg;
			break;
		case 'C':
			o.check_only = true;
			break;
		case 'D':
			o.daemon = true;
			break;
		case 'd':
			o.mask = optarg;
			break;
		case 'e':
			o.level = level_of(optarg);
			if (o.level)
				break;
			fprintf(stderr, "otagwd: -e %s: 1 (debug), 3 (info), 5 (notice) or 7 (error)\n", optarg);
			return 1;
		case 's':
			o.no_color = true;
			break;
		case 'R':
			p.restored = true;
			break;
		case OPT_CHECK_STORE:
			o.check_db = true;
			break;
		case OPT_VTY_REF:
			return print_reference(&p);
		case 'V':
			puts("otagwd " OTAGW_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 1;
		}
	}
	if (!o.path || optind != argc) {
		usage(stderr);
		return 1;
	}
	guard_memory();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file at its limit is a full disk: the write says so, and we go on */
	config_default(&p.cfg);
	if (config_read(&p.cfg, o.path, err)) {
		fprintf(stderr, "otagwd: %s\n", err);
		config_wipe(&p.cfg);
		return 1;
	}
	p.config_path = o.path;
	if (apply_options(&p, &o)) {
		config_wipe(&p.cfg);
		return 1;
	}
	if (o.check_only)
		return check_config(&p, o.path, err);
	if (o.check_db) {
		rc = check_store(&p.cfg);
		config_wipe(&p.cfg);
		return rc;
	}
	env_real_on_step(on_clock_step, &p);
	if (!http_global_init() && !build(&p, err))
		rc = shell_run(p.shell);
	else if (o.daemon) /* stderr is nobody's; with 'log file' or 'log syslog' it is read */
		log_line(&p, 3, err);
	else
		fprintf(stderr, "otagwd: %s\n", err);
	tear_down(&p);
	return rc;
}
