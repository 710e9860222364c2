/* control.c - the control socket: a line in, lines and "ok" (or "error ...") out.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "server.h"
#include "truth_text.h"
#include "unix_listen.h"
#include "verify.h"

#define CLIENTS_MAX 16
#define LINE_MAX_IN 1024

struct client {
	struct control *ctl;
	struct bufferevent *bev; /* NULL: free */
};

struct control {
	struct server *server;
	struct event_base *base;
	struct evconnlistener *listener;
	char path[UNIX_PATH_MAX_LEN];
	bool bound, quitting;
	struct client client[CLIENTS_MAX];
};

static const char *op_name(const struct otasim *o, const struct sim_world_card *c)
{
	return c->op < 0 ? "" : otasim_operator_name(o, (unsigned)c->op);
}

static void row_of(struct server *s, uint32_t card, struct truth_row *r)
{
	const struct sim_card *c = &server_otasim(s)->fleet.cards[card];

	memset(r, 0, sizeof(*r));
	sim_card_truth(c, &r->t);
	memcpy(r->imsi_first, c->imsi_first, sizeof(r->imsi_first));
	r->present = sim_air_present(server_otasim(s)->air, card);
	sim_card_look(c, server_otasim(s)->air, card, &r->whole);
	snprintf(r->op, sizeof(r->op), "%s", op_name(server_otasim(s), &r->whole));
}

static void cmd_cards(struct server *s, struct evbuffer *out)
{
	char line[TRUTH_LINE_MAX];
	struct truth_row r;

	evbuffer_add_printf(out, "%s\n", TRUTH_HEADER);
	for (uint32_t i = 0; i < server_otasim(s)->fleet.n; i++) {
		row_of(s, i, &r);
		truth_print(line, &r);
		evbuffer_add_printf(out, "%s\n", line);
	}
	evbuffer_add_printf(out, "ok\n");
}

/* The card named by ICCID, or -1 after an error line. */
static int64_t card_arg(struct server *s, const char *iccid, struct evbuffer *out)
{
	int64_t card = fleet_find(&server_otasim(s)->fleet, iccid);

	if (card < 0)
		evbuffer_add_printf(out, "error no card \"%s\"\n", iccid);
	return card;
}

static void cmd_card(struct server *s, const char *iccid, struct evbuffer *out)
{
	int64_t card = card_arg(s, iccid, out);
	const struct card_book *b;
	const struct sim_card *c;
	struct truth_row r;

	if (card < 0)
		return;
	c = &server_otasim(s)->fleet.cards[card];
	b = run_card(server_otasim(s)->run, (uint32_t)card);
	row_of(s, (uint32_t)card, &r);
	evbuffer_add_printf(out, "iccid %s\nmsisdn %s\nimsi_first %s\nimsi_stored %s\nimsi_presented %s\n", c->iccid,
			    c->msisdn, c->imsi_first, r.t.imsi_stored, r.t.imsi_presented);
	if (r.whole.applet)
		evbuffer_add_printf(out, "index %u\nstate %s\norder %016" PRIx64 "\nmoves %u\npairs_left %u\n",
				    r.whole.index, sub_state_name(r.whole.state), r.whole.order, r.whole.moves,
				    r.whole.pairs_left);
	if (otasim_operators(server_otasim(s)))
		evbuffer_add_printf(out, "operator %s\nsqn %" PRIu64 "\n", r.op[0] ? r.op : "none", r.whole.sqn);
	evbuffer_add_printf(out, "coverage %s\nkvn %u\nalg %s\ncntr %" PRIu64 "\n", r.present ? "present" : "absent",
			    c->ks[0].kvn, sim_alg_name(c->ks[0].kic_alg), c->ks[0].cntr);
	evbuffer_add_printf(out, "messages %u\naccepted %u\nscripts_done %u\nimsi_changes %u\nimsi_writes %u\n",
			    c->messages, r.t.accepted, r.t.scripts_done, r.t.imsi_changes, r.t.imsi_writes);
	evbuffer_add_printf(out,
			    "replays_refused %u\nsecurity_refused %u\nexecutions_max %u\nsame_cntr_other_packet %u\n",
			    r.t.replays_refused, r.t.security_refused, r.t.executions_max, r.t.same_cntr_other_packet);
	evbuffer_add_printf(out, "attempts %u\nsubmits %u\nreached %u\nproofs %u\n", b->attempts, b->submits,
			    b->reached, b->proofs);
	for (int i = 0; i < c->seen_count; i++)
		evbuffer_add_printf(out,
				    "seen cntr=%" PRIu64 " kvn=%u executed=%u imsi_update=%d packet=%016" PRIx64 "\n",
				    c->seen[i].cntr, c->seen[i].kvn, c->seen[i].executions, c->seen[i].imsi_update,
				    c->seen[i].packet_hash);
	evbuffer_add_printf(out, "ok\n");
}

static void cmd_stats(struct server *s, struct evbuffer *out)
{
	struct sim_air_stats a;
	struct smsc_stats m;
	uint32_t present = 0;

	sim_air_stats(server_otasim(s)->air, &a);
	smsc_stats(server_otasim(s)->smsc, &m);
	for (uint32_t i = 0; i < server_otasim(s)->fleet.n; i++)
		present += sim_air_present(server_otasim(s)->air, i);
#define U(name, v) evbuffer_add_printf(out, name " %" PRIu64 "\n", (uint64_t)(v))
	U("cards", server_otasim(s)->fleet.n);
	U("cards_present", present);
	U("in_flight", sim_air_in_flight(server_otasim(s)->air));
	U("sessions", m.sessions);
	U("bound", m.bound);
	U("binds", m.binds);
	U("binds_refused", m.binds_refused);
	U("pdus_in", m.pdus_in);
	U("pdus_out", m.pdus_out);
	U("submits", m.submits);
	U("submits_over_rate", m.throttled);
	U("throttled", a.throttled);
	U("delivered", a.delivered);
	U("absent", a.absent);
	U("stored", a.stored);
	U("expired", a.expired);
	U("lost_down", a.lost_down);
	U("lost_up", a.lost_up);
	U("lost_results", a.lost_results);
	U("loss_high", a.loss_high);
	U("duplicated", a.duplicated);
	U("reordered", a.reordered);
	U("corrupted", a.corrupted);
	U("mo", a.mo);
	U("receipts", a.receipts);
	U("up_retries", a.up_retries);
	U("deliver_sm", m.delivers);
	U("deliver_ok", m.deliver_ok);
	U("deliver_temporary", m.deliver_temp);
	U("deliver_permanent", m.deliver_perm);
	U("deliver_timeouts", m.deliver_timeouts);
	U("alerts", a.alerts);
	U("alerts_lost", a.alerts_lost);
	U("refreshes", a.refreshes);
	U("refresh_refused", a.refresh_refused);
	U("registered", a.registered);
	U("register_refused", a.register_refused);
	U("generic_nacks", m.nacks);
	U("power_cuts", a.power_cuts);
	for (unsigned i = 0; i < otasim_operators(server_otasim(s)); i++)
		evbuffer_add_printf(out, "subscribers_%s %zu\n", otasim_operator_name(server_otasim(s), i),
				    sim_hlr_count(server_otasim(s)->hlr[i]));
#undef U
	evbuffer_add_printf(out, "ok\n");
}

static void cmd_verify(struct server *s, const char *list, struct evbuffer *out)
{
	struct verify_job job = { .list = list, .times = 1, .n = server_otasim(s)->fleet.n };
	char *text = NULL;
	size_t len = 0;
	FILE *mem = open_memstream(&text, &len);
	enum verify_result rc = VERIFY_CANNOT;

	job.rows = calloc(job.n, sizeof(*job.rows));
	for (job.ops = 0; job.ops < otasim_operators(server_otasim(s)); job.ops++)
		snprintf(job.op[job.ops], sizeof(job.op[0]), "%s", otasim_operator_name(server_otasim(s), job.ops));
	if (mem && job.rows) {
		for (uint32_t i = 0; i < job.n; i++)
			row_of(s, i, &job.rows[i]);
		rc = verify_run(&job, mem);
	}
	if (mem)
		fclose(mem);
	if (text)
		evbuffer_add(out, text, len);
	evbuffer_add_printf(out, "%s\n",
			    rc == VERIFY_HOLDS	 ? "ok" :
			    rc == VERIFY_DIFFERS ? "error differs" :
						   "error cannot verify");
	free(text);
	free(job.rows);
}

static void cmd_truth(struct server *s, bool json, struct evbuffer *out)
{
	const struct otasim *o = server_otasim(s);
	char line[WHOLE_TRUTH_LINE_MAX];
	struct sim_world_card c;
	char *text = NULL;
	size_t len = 0;
	FILE *mem = open_memstream(&text, &len);

	if (mem)
		fputs(json ? "[" : WHOLE_TRUTH_HEADER "\n", mem);
	for (uint32_t i = 0; mem && i < o->fleet.n; i++) {
		sim_card_look(&o->fleet.cards[i], o->air, i, &c);
		if (json) {
			fputs(i ? ",\n" : "\n", mem);
			whole_truth_json(mem, &c, op_name(o, &c));
		} else {
			whole_truth_print(line, &c, op_name(o, &c));
			fprintf(mem, "%s\n", line);
		}
	}
	if (mem) {
		fputs(json ? "\n]\n" : "", mem);
		fclose(mem);
	}
	evbuffer_add(out, text, len);
	evbuffer_add_printf(out, "%s\n", mem ? "ok" : "error no memory");
	free(text);
}

static void cmd_where(struct server *s, struct evbuffer *out)
{
	char *text = NULL;
	size_t len = 0;
	FILE *mem = open_memstream(&text, &len);

	if (mem) {
		where_print(server_otasim(s), mem);
		fclose(mem);
	}
	evbuffer_add(out, text, len);
	evbuffer_add_printf(out, "\n%s\n", mem ? "ok" : "error no memory");
	free(text);
}

static void cmd_operators(struct server *s, struct evbuffer *out)
{
	for (unsigned i = 0; i < otasim_operators(server_otasim(s)); i++)
		evbuffer_add_printf(out, "%s\n", otasim_operator_name(server_otasim(s), i));
	evbuffer_add_printf(out, "ok\n");
}

/* "NAME down", "NAME up", "NAME fail 10%" */
static void cmd_hlr(struct otasim *o, char *arg, struct evbuffer *out)
{
	char *what = strchr(arg, ' ');
	uint32_t ppm;
	unsigned i = 0;

	if (what)
		*what++ = '\0';
	while (i < otasim_operators(o) && strcmp(otasim_operator_name(o, i), arg))
		i++;
	if (i == otasim_operators(o)) {
		evbuffer_add_printf(out, "error no operator \"%s\"\n", arg);
		return;
	}
	if (what && (!strcmp(what, "down") || !strcmp(what, "up"))) {
		sim_hlr_down(o->hlr[i], !strcmp(what, "down"));
	} else if (what && !strncmp(what, "fail ", 5) && opts_share(what + 5, &ppm)) {
		sim_hlr_fail_creates(o->hlr[i], ppm, o->opts.seed ^ OPT_FAIL_SALT * (i + 1u));
	} else {
		evbuffer_add_printf(out, "error hlr NAME is followed by down, up, or fail and a share as 10%%\n");
		return;
	}
	evbuffer_add_printf(out, "ok\n");
}

static void cmd_scenario(struct server *s, struct evbuffer *out)
{
	char *text = NULL;
	size_t len = 0;
	FILE *mem = open_memstream(&text, &len);

	if (mem) {
		otasim_summary(server_otasim(s), mem);
		fclose(mem);
	}
	evbuffer_add(out, text, len);
	evbuffer_add_printf(out, "%s\n", mem ? "ok" : "error no memory");
	free(text);
}

static void command(struct control *ctl, char *line, struct evbuffer *out)
{
	char *arg = strchr(line, ' ');
	int64_t card;

	if (arg)
		*arg++ = '\0';
	if (!strcmp(line, "cards")) {
		cmd_cards(ctl->server, out);
	} else if (!strcmp(line, "card") && arg) {
		cmd_card(ctl->server, arg, out);
	} else if (!strcmp(line, "stats")) {
		cmd_stats(ctl->server, out);
	} else if (!strcmp(line, "scenario")) {
		cmd_scenario(ctl->server, out);
	} else if (!strcmp(line, "truth") && (!arg || !strcmp(arg, "csv") || !strcmp(arg, "json"))) {
		cmd_truth(ctl->server, arg && !strcmp(arg, "json"), out);
	} else if (!strcmp(line, "where")) {
		cmd_where(ctl->server, out);
	} else if (!strcmp(line, "operators")) {
		cmd_operators(ctl->server, out);
	} else if (!strcmp(line, "hlr") && arg) {
		cmd_hlr(server_otasim(ctl->server), arg, out);
	} else if (!strcmp(line, "verify") && arg) {
		cmd_verify(ctl->server, arg, out);
	} else if (!strcmp(line, "power") && arg) {
		card = card_arg(ctl->server, arg, out);
		if (card >= 0) {
			sim_air_power_cycle(server_otasim(ctl->server)->air, (uint32_t)card);
			evbuffer_add_printf(out, "ok\n");
		}
	} else if (!strcmp(line, "calm")) {
		sim_air_calm(server_otasim(ctl->server)->air);
		evbuffer_add_printf(out, "ok\n");
	} else if (!strcmp(line, "quit")) {
		evbuffer_add_printf(out, "ok\n");
		ctl->quitting = true; /* on_written() ends the loop */
	} else {
		evbuffer_add_printf(out,
				    "error commands are: cards, card ICCID, stats, truth [csv|json], where, operators, "
				    "hlr NAME down|up|fail P, scenario, verify FILE, power ICCID, calm, quit\n");
	}
}

static void client_drop(struct client *c)
{
	bufferevent_free(c->bev);
	c->bev = NULL;
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct client *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t n;
	char *line;

	while ((line = evbuffer_readln(in, &n, EVBUFFER_EOL_CRLF))) {
		command(c->ctl, line, bufferevent_get_output(bev));
		free(line);
	}
	if (evbuffer_get_length(in) > LINE_MAX_IN)
		client_drop(c);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	struct client *c = arg;

	if (c->ctl->quitting)
		event_base_loopexit(c->ctl->base, NULL);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		client_drop(arg);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *arg)
{
	struct control *ctl = arg;

	for (int i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &ctl->client[i];

		if (c->bev)
			continue;
		c->ctl = ctl;
		c->bev = bufferevent_socket_new(ctl->base, fd, BEV_OPT_CLOSE_ON_FREE);
		if (!c->bev)
			break;
		bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
		bufferevent_enable(c->bev, EV_READ | EV_WRITE);
		return;
	}
	close(fd);
}

struct control *control_new(struct event_base *base, struct server *s, const char *path, char *err, size_t err_cap)
{
	struct control *ctl = calloc(1, sizeof(*ctl));
	int fd;

	if (!ctl)
		return NULL;
	ctl->server = s;
	ctl->base = base;
	fd = unix_listen(path, CLIENTS_MAX, err, err_cap);
	if (fd < 0) {
		control_free(ctl);
		return NULL;
	}
	snprintf(ctl->path, sizeof(ctl->path), "%s", path);
	ctl->bound = true;
	ctl->listener = evconnlistener_new(base, on_accept, ctl, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (ctl->listener)
		return ctl;
	snprintf(err, err_cap, "cannot listen on %s: %s", path, strerror(errno));
	close(fd);
	control_free(ctl);
	return NULL;
}

void control_free(struct control *ctl)
{
	if (!ctl)
		return;
	for (int i = 0; i < CLIENTS_MAX; i++) {
		if (ctl->client[i].bev)
			client_drop(&ctl->client[i]);
	}
	if (ctl->listener)
		evconnlistener_free(ctl->listener);
	if (ctl->bound)
		unlink(ctl->path);
	free(ctl);
}
