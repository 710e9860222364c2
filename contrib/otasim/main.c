/* main.c - otasim: a virtual SMSC with a fleet of UICCs behind it, and a scenario that they live through.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"
#include "truth_text.h"
#include "verify.h"

#define PORTS_MAX (SMSC_DOORS_MAX * 2 * (SCN_NAME_MAX + 16))

enum { EXIT_PASSED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	event_base_loopexit(arg, NULL);
}

/* One line for each SMSC: its port and, when it has one, its name.  With operators two for each: NAME smsc PORT, NAME hlr PORT. */
static void ports_text(const struct server *s, char out[PORTS_MAX])
{
	const struct otasim *o = server_otasim(s);
	size_t at = 0;

	for (unsigned i = 0; i < otasim_smscs(o); i++) {
		const char *name = otasim_smsc_name(o, i);

		if (otasim_operators(o)) {
			at += (size_t)snprintf(out + at, PORTS_MAX - at, "%s smsc %u\n%s hlr %u\n", name,
					       server_port(s, i), name, server_hlr_port(s, i));
			continue;
		}
		at += (size_t)snprintf(out + at, PORTS_MAX - at, "%u%s%s\n", server_port(s, i), name[0] ? " " : "",
				       name);
	}
}

/* From here on a client may connect: the port file is the sign. */
static int announce(const struct server *s, char err[OTASIM_ERR_MAX])
{
	const struct otasim *sim = server_otasim(s);
	const struct opts *o = &sim->opts;
	char ports[PORTS_MAX] = "";

	ports_text(s, ports);
	if (o->port_file[0] && write_atomically(o->port_file, ports, err, OTASIM_ERR_MAX) < 0)
		return -1;
	printf("otasim: %u cards (seed %llu, %s), SMPP on %s:%u", sim->fleet.n, (unsigned long long)o->seed,
	       sim_alg_name(o->card.alg), o->host, server_port(s, 0));
	for (unsigned i = 1; i < otasim_smscs(sim); i++)
		printf(", %u", server_port(s, i));
	for (unsigned i = 0; i < otasim_operators(sim); i++)
		printf(", register of %s on %u", otasim_operator_name(sim, i), server_hlr_port(s, i));
	if (o->control[0])
		printf(", control %s", o->control);
	if (o->http_host[0])
		printf(", http://%s:%u/", o->http_host, server_http_port(s));
	putchar('\n');
	fflush(stdout);
	return 0;
}

static int junit_write(const struct otasim *o, char err[OTASIM_ERR_MAX])
{
	char *text = NULL;
	size_t len = 0;
	FILE *mem = open_memstream(&text, &len);
	int rc = -1;

	snprintf(err, OTASIM_ERR_MAX, "no memory for the report");
	if (mem) {
		otasim_junit(o, mem);
		if (fclose(mem) == 0)
			rc = write_atomically(o->opts.junit, text, err, OTASIM_ERR_MAX);
	}
	free(text);
	return rc;
}

/* What the scenario has come to. */
static int conclude(struct otasim *o, const struct server *s)
{
	char err[OTASIM_ERR_MAX];

	if (!o->opts.quiet)
		server_summary(s, stderr);
	if (!o->opts.scenario[0])
		return EXIT_PASSED;
	otasim_stop(o, server_now_ms(s)); /* when a signal has ended it */
	otasim_summary(o, stdout);
	fflush(stdout);
	if (o->opts.junit[0] && junit_write(o, err) < 0) {
		fprintf(stderr, "otasim: %s\n", err);
		return EXIT_FAILED;
	}
	return otasim_verdict(o) == OTASIM_PASS ? EXIT_PASSED : EXIT_FAILED;
}

static int run(struct otasim *o, struct event_base *base)
{
	struct event *term = evsignal_new(base, SIGTERM, on_signal, base),
		     *intr = evsignal_new(base, SIGINT, on_signal, base);
	char err[OTASIM_ERR_MAX] = "no memory";
	struct server *s = NULL;
	bool dispatched = false;
	int rc = EXIT_FAILED;

	if (term && intr && event_add(term, NULL) == 0 && event_add(intr, NULL) == 0)
		s = server_new(base, o, err);
	if (s && announce(s, err) == 0)
		dispatched = event_base_dispatch(base) >= 0;
	if (dispatched)
		rc = conclude(o, s);
	else
		fprintf(stderr, "otasim: %s\n", err);
	server_free(s);
	if (o->opts.port_file[0] && dispatched)
		remove(o->opts.port_file);
	if (term)
		event_free(term);
	if (intr)
		event_free(intr);
	return rc;
}

/* What the file says, with what the command line says on top.  EXIT_PASSED: go on. */
static int scenario_load(struct opts *o, struct scn **scn, int argc, char **argv)
{
	struct scn_given given = { .cards = o->has_cards ? o->cards : 0, .has_seed = o->has_seed, .seed = o->seed };
	struct scn_operator op[SIM_OPS_MAX];
	char path[OPT_PATH_MAX], err[SCN_ERR_MAX], *text;
	size_t len;

	for (given.op = op; given.ops < o->ops; given.ops++)
		op[given.ops] = o->op[given.ops].id;
	memcpy(path, o->scenario, sizeof(path));
	text = scenario_read(path, &len, err);
	*scn = text ? scn_parse(path, text, len, &given, err) : NULL;
	free(text);
	if (!*scn) {
		fprintf(stderr, "otasim: %s\n", err);
		return EXIT_USAGE;
	}
	opts_default(o);
	if (!opts_scenario(o, *scn, err)) {
		fprintf(stderr, "otasim: %s\n", err);
		return EXIT_USAGE;
	}
	return opts_take(o, argc, argv) == OPTS_RUN ? EXIT_PASSED : EXIT_USAGE;
}

/* Also what only shows when it is laid upon a fleet. */
static int check(struct otasim *o)
{
	char err[OTASIM_ERR_MAX], end[SCN_TIME_TEXT_MAX];

	if (simulation_begin(o, 0, err) < 0) {
		fprintf(stderr, "otasim: %s\n", err);
		return EXIT_USAGE;
	}
	printf("%s: %u cards, %u SMSC%s, %u rules, %u expectations, ends %s %s: fine\n", o->scn->file, o->scn->cards,
	       o->scn->doors, o->scn->doors > 1 ? "s" : "", o->scn->rules, o->scn->expects,
	       o->scn->end_exact ? "at" : "by", scn_time_text(end, o->scn->end_ms));
	return EXIT_PASSED;
}

static int serve(struct otasim *o)
{
	struct event_base *base;
	char err[OTASIM_ERR_MAX];
	int rc = EXIT_FAILED;

	if (o->opts.check)
		return check(o);
	if (o->opts.dir[0] && otasim_write_lists(o, o->opts.dir, err) < 0) {
		fprintf(stderr, "otasim: %s\n", err);
		return EXIT_FAILED;
	}
	if (o->opts.lists)
		return EXIT_PASSED;
	base = event_base_new();
	if (base) {
		rc = run(o, base);
		event_base_free(base);
	}
	libevent_global_shutdown();
	return rc;
}

int main(int argc, char **argv)
{
	char err[OTASIM_ERR_MAX];
	struct scn *scn = NULL;
	struct otasim *o;
	struct opts opts;
	int rc = EXIT_PASSED;

	if (argc > 1 && !strcmp(argv[1], "verify"))
		return verify_main(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "truth"))
		return truth_main(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "ask"))
		return ask_main(argc - 1, argv + 1);
	switch (opts_parse(&opts, argc, argv)) {
	case OPTS_RUN:
		break;
	case OPTS_EXIT_OK:
		return EXIT_PASSED;
	default:
		return EXIT_USAGE;
	}
	if (opts.scenario[0])
		rc = scenario_load(&opts, &scn, argc, argv);
	else
		scn = scn_empty(opts.cards, opts.seed);
	for (unsigned i = 0; scn && !opts.scenario[0] && i < opts.ops; i++)
		scn_operator_add(scn, &opts.op[i].id); /* looked at when it was given */
	if (rc != EXIT_PASSED) {
		scn_free(scn);
		return rc;
	}
	o = scn ? simulation_make(&opts, scn, err) : NULL;
	if (!o) {
		fprintf(stderr, "otasim: %s\n", scn ? err : "no memory");
		return EXIT_FAILED;
	}
	rc = serve(o);
	otasim_free(o);
	return rc;
}
