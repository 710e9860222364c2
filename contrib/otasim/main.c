/* main.c - otasim: a virtual SMSC with a fleet of UICCs behind it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "server.h"
#include "verify.h"

#define ERR_MAX 256

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	event_base_loopexit(arg, NULL);
}

/* From here on a client may connect: the port file is the sign. */
static int announce(const struct opts *o, const struct server *s, char *err, size_t err_cap)
{
	char port[16];

	snprintf(port, sizeof(port), "%u\n", server_port(s));
	if (o->port_file[0] && write_atomically(o->port_file, port, err, err_cap) < 0)
		return -1;
	printf("otasim: %u cards (seed %llu, %s), SMPP on %s:%u%s%s\n", o->cards, (unsigned long long)o->seed,
	       sim_alg_name(o->card.alg), o->host, server_port(s), o->control[0] ? ", control " : "", o->control);
	fflush(stdout);
	return 0;
}

static int run(const struct opts *o, struct event_base *base, struct fleet *fleet)
{
	struct event *term = evsignal_new(base, SIGTERM, on_signal, base),
		     *intr = evsignal_new(base, SIGINT, on_signal, base);
	struct server *s = NULL;
	char err[ERR_MAX] = "no memory";
	int rc = -1;

	if (term && intr && event_add(term, NULL) == 0 && event_add(intr, NULL) == 0)
		s = server_new(base, o, fleet, err, sizeof(err));
	if (s && announce(o, s, err, sizeof(err)) == 0)
		rc = event_base_dispatch(base) < 0 ? -1 : 0;
	if (rc < 0)
		fprintf(stderr, "otasim: %s\n", err);
	else if (!o->quiet)
		server_summary(s, stderr);
	server_free(s);
	if (o->port_file[0] && rc == 0)
		remove(o->port_file);
	if (term)
		event_free(term);
	if (intr)
		event_free(intr);
	return rc;
}

int main(int argc, char **argv)
{
	struct event_base *base;
	struct fleet fleet;
	char err[ERR_MAX];
	struct opts o;
	int rc = -1;

	if (argc > 1 && !strcmp(argv[1], "verify"))
		return verify_main(argc - 1, argv + 1);
	switch (opts_parse(&o, argc, argv)) {
	case OPTS_RUN:
		break;
	case OPTS_EXIT_OK:
		return 0;
	default:
		return 2;
	}
	if (fleet_init(&fleet, o.cards, o.seed, &o.card, o.new_imsi_prefix, err, sizeof(err)) < 0 ||
	    (o.dir[0] && fleet_write(&fleet, o.dir, err, sizeof(err)) < 0)) {
		fprintf(stderr, "otasim: %s\n", err);
		fleet_free(&fleet);
		return 1;
	}
	base = event_base_new();
	if (base)
		rc = run(&o, base, &fleet);
	if (base)
		event_base_free(base);
	fleet_free(&fleet);
	libevent_global_shutdown();
	return rc < 0 ? 1 : 0;
}
