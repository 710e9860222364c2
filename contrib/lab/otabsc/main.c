/* main.c - otabsc: a BSC with virtual phones and UICCs towards one or more OsmoMSCs.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include <openssl/crypto.h>

#include <osmocom/core/application.h>
#include <osmocom/core/logging.h>
#include <osmocom/core/msgb.h>
#include <osmocom/core/select.h>
#include <osmocom/core/talloc.h>

#include "control.h"
#include "opts.h"

#define M3UA_PORT      2905
#define FLEET_ARGS_MAX 64
#define ERR_MAX	       800

static const char help[] =
	"otabsc - a BSC with virtual phones and UICCs: BSSAP over SCCP over M3UA towards OsmoMSC\n"
	"\n"
	"  otabsc --control SOCK --msc NAME,POINT-CODE,PLMN[,LAC[,CI]] ... [options]   until SIGTERM or quit\n"
	"  otabsc --ask SOCK COMMAND [ARGUMENT ...]      one command to a running one; exit status 0 ok, 1 error, 2 "
	"nobody there\n"
	"\n"
	"  --control SOCK         Unix socket for commands (contrib/lab/otabsc/README.md); it is there when otabsc is "
	"ready\n"
	"  --msc ...              an MSC; phones whose IMSI begins with this PLMN are its own. May be given again\n"
	"  --stp IPV4[:PORT]      where M3UA is listened for (default 127.0.0.1:2905)\n"
	"  --local IPV4           own address (default 127.0.0.1)\n"
	"  --pc POINT-CODE        own point code (default 0.23.3)\n"
	"  --name NAME            of the M3UA client (default otabsc)\n"
	"  --on                   all phones are switched on at once\n"
	"  --again S,MAX          a refused or failed registration is tried again after so many seconds, doubled each "
	"time\n"
	"                         (default 2,60)\n"
	"  --periodic S           each phone registers again so often, 0: never (default 60)\n"
	"  --refresh S            from the card's wish to REFRESH until the phone does it (default 0.2)\n"
	"  --poll S               between polls, by which cards count powered time (default 5)\n"
	"  --strict               a phone whose card is refused for good (causes 2, 3, 6) tries no more until the card "
	"is reset\n"
	"  --verbose              events to stderr\n"
	"  --debug                libosmo-sigtran tells what it does\n"
	"Fleet, as otasim has it (otasim --help):\n"
	"  --perso F, or --cards N --seed S --imsi-prefix D; --alg --pairs --first-counter --kvn --msl --replay "
	"--silent-errors\n"
	"  --interim-0b --pad-80 --no-refresh --new-imsi-prefix --dir\n";

enum {
	O_HELP = 256,
	O_CONTROL,
	O_MSC,
	O_STP,
	O_LOCAL,
	O_PC,
	O_NAME,
	O_ON,
	O_AGAIN,
	O_PERIODIC,
	O_REFRESH,
	O_POLL,
	O_STRICT,
	O_VERBOSE,
	O_DEBUG,
	O_FLEET
};

static const struct option longs[] = {
	{ "help", no_argument, NULL, O_HELP },
	{ "control", required_argument, NULL, O_CONTROL },
	{ "msc", required_argument, NULL, O_MSC },
	{ "stp", required_argument, NULL, O_STP },
	{ "local", required_argument, NULL, O_LOCAL },
	{ "pc", required_argument, NULL, O_PC },
	{ "name", required_argument, NULL, O_NAME },
	{ "on", no_argument, NULL, O_ON },
	{ "again", required_argument, NULL, O_AGAIN },
	{ "periodic", required_argument, NULL, O_PERIODIC },
	{ "refresh", required_argument, NULL, O_REFRESH },
	{ "poll", required_argument, NULL, O_POLL },
	{ "strict", no_argument, NULL, O_STRICT },
	{ "verbose", no_argument, NULL, O_VERBOSE },
	{ "debug", no_argument, NULL, O_DEBUG },
	/* handed on to otasim's own reader */
	{ "perso", required_argument, NULL, O_FLEET },
	{ "cards", required_argument, NULL, O_FLEET },
	{ "seed", required_argument, NULL, O_FLEET },
	{ "alg", required_argument, NULL, O_FLEET },
	{ "pairs", required_argument, NULL, O_FLEET },
	{ "first-counter", required_argument, NULL, O_FLEET },
	{ "kvn", required_argument, NULL, O_FLEET },
	{ "msl", required_argument, NULL, O_FLEET },
	{ "imsi-prefix", required_argument, NULL, O_FLEET },
	{ "new-imsi-prefix", required_argument, NULL, O_FLEET },
	{ "dir", required_argument, NULL, O_FLEET },
	{ "replay", required_argument, NULL, O_FLEET },
	{ "silent-errors", no_argument, NULL, O_FLEET },
	{ "interim-0b", no_argument, NULL, O_FLEET },
	{ "pad-80", no_argument, NULL, O_FLEET },
	{ "no-refresh", no_argument, NULL, O_FLEET },
	{ 0 },
};

struct args {
	const char *control, *pc, *name, *local;
	char stp[64];
	uint16_t stp_port;
	char *msc[BSC_MSCS_MAX];
	int mscs;
	bool on, verbose, debug;
	struct phone_cfg phones;
	char *fleet[FLEET_ARGS_MAX + 1]; /* the program, then as they came */
	int fleets;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = 1;
}

/* ---- the command line ---- */

static bool seconds(const char *text, char **end, int64_t lo_ms, int64_t *ms)
{
	double v = strtod(text, end);

	*ms = v >= 0 && v <= 1e6 ? (int64_t)(v * 1000 + 0.5) : -1;
	return *end != text && *ms >= lo_ms;
}

static bool again(const char *text, struct phone_cfg *cfg)
{
	char *end;

	return seconds(text, &end, 1, &cfg->again_ms) && *end == ',' &&
	       seconds(end + 1, &end, cfg->again_ms, &cfg->again_max_ms) && !*end;
}

static bool one_time(const char *text, int64_t lo_ms, int64_t *ms)
{
	char *end;

	return seconds(text, &end, lo_ms, ms) && !*end;
}

/* libosmo-sigtran would take any text, and try to connect for ever. */
static bool numeric(const char *text)
{
	struct in_addr a;

	return inet_pton(AF_INET, text, &a) == 1;
}

static bool stp(struct args *a, const char *text)
{
	bool ok;

	a->stp_port = M3UA_PORT;
	if (strchr(text, ':'))
		ok = opts_host_port(text, a->stp, sizeof(a->stp), &a->stp_port) && a->stp_port;
	else
		ok = snprintf(a->stp, sizeof(a->stp), "%s", text) < (int)sizeof(a->stp);
	return ok && numeric(a->stp);
}

static bool take(struct args *a, int opt, int at)
{
	switch (opt) {
	case O_CONTROL:
		a->control = optarg;
		return true;
	case O_MSC:
		if (a->mscs == BSC_MSCS_MAX)
			return false;
		a->msc[a->mscs++] = optarg;
		return true;
	case O_STP:
		return stp(a, optarg);
	case O_LOCAL:
		a->local = optarg;
		return numeric(optarg);
	case O_PC:
		a->pc = optarg;
		return true;
	case O_NAME:
		a->name = optarg;
		return true;
	case O_ON:
		return a->on = true;
	case O_AGAIN:
		return again(optarg, &a->phones);
	case O_PERIODIC:
		return one_time(optarg, 0, &a->phones.periodic_ms);
	case O_REFRESH:
		return one_time(optarg, 0, &a->phones.refresh_ms);
	case O_POLL:
		return one_time(optarg, 10, &a->phones.poll_ms);
	case O_STRICT:
		return a->phones.strict = true;
	case O_VERBOSE:
		return a->verbose = true;
	case O_DEBUG:
		return a->debug = true;
	default:
		return false;
	}
}

/* The argument as it stood: "--name" alone, or with its value behind. */
static bool fleet_arg(struct args *a, char *const *argv, int from, int to)
{
	for (int i = from; i < to; i++) {
		if (a->fleets == FLEET_ARGS_MAX)
			return false;
		a->fleet[a->fleets++] = argv[i];
	}
	return true;
}

/* -1: go on; else the exit status. */
static int args_read(struct args *a, int argc, char **argv)
{
	int opt, at = 0, from = 1;

	*a = (struct args){
		.pc = "0.23.3", .name = "otabsc", .local = "127.0.0.1", .stp = "127.0.0.1", .stp_port = M3UA_PORT
	};
	a->fleet[a->fleets++] = "otabsc";
	phone_cfg_default(&a->phones);
	while ((opt = getopt_long(argc, argv, "", longs, &at)) != -1) {
		bool ok = opt == O_FLEET ? fleet_arg(a, argv, from, optind) :
					   opt != '?' && opt != O_HELP && take(a, opt, at);

		if (opt == O_HELP) {
			fputs(help, stdout);
			return 0;
		}
		if (!ok) {
			if (opt != '?')
				fprintf(stderr, "otabsc: --%s %s: not a value it can have; see otabsc --help\n",
					longs[at].name, optarg ? optarg : "");
			return 2;
		}
		from = optind;
	}
	if (optind < argc || !a->control) {
		fputs("otabsc: wanted are --control SOCK and options alone; see otabsc --help\n", stderr);
		return 2;
	}
	return -1;
}

/* NAME,POINT-CODE,PLMN[,LAC[,CI]] is the command "msc" with commas. */
static bool msc_take(struct lab *l, char *text)
{
	char line[ASK_LINE_MAX], *answer = NULL;
	struct ask_wait wait;
	size_t len = 0;
	FILE *out = open_memstream(&answer, &len);
	bool ok = false;

	if (!out)
		return false;
	snprintf(line, sizeof(line), "msc %s", text);
	for (char *p = line; *p; p++)
		*p = *p == ',' ? ' ' : *p;
	ask(l, line, out, &wait);
	fclose(out);
	ok = !strcmp(answer, "ok\n");
	if (!ok)
		fprintf(stderr, "otabsc: --msc %s: %s", text, answer);
	free(answer);
	return ok;
}

/* ---- the fleet ---- */

static bool fleet_make(struct args *a, struct fleet *f, char err[ERR_MAX])
{
	static struct opts o;
	size_t len = 0;
	char *text;
	int rc;

	opts_default(&o);
	o.program = a->fleet[0];
	err[0] = '\0'; /* what is wrong with an option stands on stderr by then */
	if (opts_take(&o, a->fleets, a->fleet) != OPTS_RUN)
		return false;
	o.card.usim = o.card.pairs == 0;
	if (!o.has_new_imsi_prefix)
		strcpy(o.new_imsi_prefix, o.card.imsi_prefix);
	if (o.perso[0]) {
		text = perso_read(o.perso, &len, err, ERR_MAX);
		if (!text)
			return false;
		rc = fleet_init_perso(f, o.perso, text, len, o.seed, &o.card, o.new_imsi_prefix, err, ERR_MAX);
		OPENSSL_cleanse(text, len);
		free(text);
	} else {
		rc = fleet_init(f, o.cards, o.seed, &o.card, o.new_imsi_prefix, err, ERR_MAX);
	}
	return rc == 0 && (!o.dir[0] || fleet_write(f, o.dir, err, ERR_MAX) == 0);
}

/* ---- running ---- */

struct run {
	struct args args;
	struct lab lab;
	struct control *control;
};

static void on_event(void *ctx, const char *line)
{
	struct run *r = ctx;

	if (r->args.verbose)
		fprintf(stderr, "EV %s\n", line);
	if (r->control)
		control_event(r->control, line);
}

static const struct log_info_cat categories[] = {
	{ .name = "DMAIN", .description = "otabsc", .enabled = 1, .loglevel = LOGL_NOTICE },
};
static const struct log_info log_info = { .cat = categories, .num_cat = 1 };

/* Without --debug the library is silent: until the STP is there it would tell of every RESET that cannot leave. */
static void logging(void *ctx, bool debug)
{
	msgb_talloc_ctx_init(ctx, 0);
	osmo_init_logging2(ctx, &log_info);
	log_set_log_level(osmo_stderr_target, debug ? LOGL_DEBUG : LOGL_FATAL);
	log_set_print_category(osmo_stderr_target, 1);
	log_set_use_color(osmo_stderr_target, 0);
}

static bool start(struct run *r, void *ctx, char err[ERR_MAX])
{
	struct bsc_cfg cfg = {
		.name = r->args.name,
		.pc = r->args.pc,
		.stp = r->args.stp,
		.local = r->args.local,
		.stp_port = r->args.stp_port,
	};

	snprintf(err, ERR_MAX, "no memory");
	r->lab.phones = r->args.phones;
	r->lab.event = on_event;
	r->lab.event_ctx = r;
	if (!fleet_make(&r->args, &r->lab.fleet, err) || !lab_init(&r->lab))
		return false;
	r->lab.bsc = bsc_new(ctx, &cfg, &lab_bsc_cb, &r->lab, err, ERR_MAX);
	if (!r->lab.bsc)
		return false;
	err[0] = '\0';
	for (int i = 0; i < r->args.mscs; i++) {
		if (!msc_take(&r->lab, r->args.msc[i]))
			return false;
	}
	for (uint32_t i = 0; r->args.on && i < r->lab.fleet.n; i++) {
		phone_on(&r->lab.seat[i].phone, lab_now_ms());
		lab_settle(&r->lab.seat[i]);
	}
	r->control = control_new(&r->lab, r->args.control, err, ERR_MAX);
	return r->control != NULL;
}

static int client(int argc, char **argv)
{
	char line[ASK_LINE_MAX] = "";
	size_t n = 0;

	for (int i = 3; i < argc; i++) {
		int w = snprintf(line + n, sizeof(line) - n, "%s%s", i > 3 ? " " : "", argv[i]);

		if (w < 0 || (size_t)w >= sizeof(line) - n) {
			fputs("otabsc: no command is so long\n", stderr);
			return 2;
		}
		n += (size_t)w;
	}
	if (!n) {
		fputs("otabsc: wanted is --ask SOCK COMMAND; see otabsc --help\n", stderr);
		return 2;
	}
	return control_ask(argv[2], line);
}

int main(int argc, char **argv)
{
	static struct run r;
	char err[ERR_MAX] = "";
	void *ctx;
	int rc;

	signal(SIGPIPE, SIG_IGN);
	if (argc > 2 && !strcmp(argv[1], "--ask"))
		return client(argc, argv);
	rc = args_read(&r.args, argc, argv);
	if (rc >= 0)
		return rc;
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	ctx = talloc_named_const(NULL, 0, "otabsc");
	logging(ctx, r.args.debug);
	rc = start(&r, ctx, err) ? 0 : 2;
	if (rc && err[0])
		fprintf(stderr, "otabsc: %s\n", err);
	while (!rc && !stop && !control_quit(r.control))
		osmo_select_main_ctx(0);
	control_free(r.control);
	if (r.lab.bsc)
		bsc_free(r.lab.bsc);
	lab_free(&r.lab);
	log_fini();
	talloc_free(ctx);
	return rc;
}
