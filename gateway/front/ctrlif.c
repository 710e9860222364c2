/* ctrlif.c - the control interface of Osmocom's: GET, SET, TRAP.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What the api answers later is answered later here too: libosmoctrl has deferred replies.  Of its functions for them one is not used:
 * ctrl_cmd_def_is_zombie() takes what a closed connection has taken out of its list out once more, and writes to nowhere.
 */
#include "ctrlif.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <osmocom/core/talloc.h>
#include <osmocom/ctrl/control_cmd.h>
#include <osmocom/ctrl/control_if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"
#include "words.h"

#define ASKS_MAX  64 /* that wait for the api */
#define TRAP_MAX  400
#define WORDS_MAX 4

struct ctrlif_ask {
	struct ctrlif_ask *next;
	struct ctrlif *c; /* NULL: it has gone */
	struct ctrl_cmd *cmd;
	struct ctrl_cmd_def *later; /* NULL: still inside the command */
	bool answered, failed;
	char what[24]; /* the last word of the variable */
	char name[CAMPAIGN_NAME_MAX];
};

struct ctrlif {
	struct api *a;
	struct ctrl_handle *h;
	int (*accept)(struct osmo_fd *fd, unsigned int what); /* libosmoctrl's */
	uint16_t port;
	struct ctrlif_ask *asks;
	unsigned n_asks;
	/* as it was told last */
	bool begun, up[ROUTE_LINKS_MAX];
	uint64_t por_ok, por_hint, por_bad_mac;
	unsigned alarms;
};
static struct ctrlif *only; /* libosmoctrl's commands are of the process */

/* ---------------------------------------------------------------------------------------------------- asks */

static void ask_free(struct ctrlif_ask *ask)
{
	struct ctrlif_ask **at;

	if (ask->c) {
		for (at = &ask->c->asks; *at && *at != ask; at = &(*at)->next)
			;
		if (*at)
			*at = ask->next;
		ask->c->n_asks--;
	}
	free(ask);
}

static struct ctrlif_ask *ask_new(struct ctrl_cmd *cmd, const char *name, const char *what)
{
	struct ctrlif_ask *ask = only && only->n_asks < ASKS_MAX ? calloc(1, sizeof(*ask)) : NULL;

	if (!ask) {
		cmd->reply = "too many requests are waiting: try again in a moment";
		return NULL;
	}
	ask->c = only;
	ask->cmd = cmd;
	snprintf(ask->name, sizeof(ask->name), "%s", name);
	snprintf(ask->what, sizeof(ask->what), "%s", what);
	ask->next = only->asks;
	only->asks = ask;
	only->n_asks++;
	return ask;
}

/* After the call to the api: what the command returns. */
static int ask_wait(struct ctrlif_ask *ask)
{
	int rc;

	if (ask->answered) {
		rc = ask->failed ? CTRL_CMD_ERROR : CTRL_CMD_REPLY;
		ask_free(ask);
		return rc;
	}
	ask->later = ctrl_cmd_def_make(ask->c, ask->cmd, ask, 0);
	if (ask->later)
		return CTRL_CMD_HANDLED;
	ask->c->n_asks--; /* nobody to be answered: its answer frees it */
	for (struct ctrlif_ask **at = &ask->c->asks; *at; at = &(*at)->next) {
		if (*at != ask)
			continue;
		*at = ask->next;
		break;
	}
	ask->c = NULL;
	ask->cmd->reply = "out of memory";
	return CTRL_CMD_ERROR;
}

/* The answer, from within the api. */
static void answer(struct ctrlif_ask *ask, bool good, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void answer(struct ctrlif_ask *ask, bool good, const char *fmt, ...)
{
	struct ctrl_cmd_def *later = ask->later;
	va_list ap;

	if (ask->c && (!later || later->cmd)) {
		va_start(ap, fmt);
		ask->cmd->reply = talloc_vasprintf(ask->cmd, fmt, ap);
		va_end(ap);
	}
	ask->answered = true;
	ask->failed = !good;
	if (ask->c && !later)
		return; /* ask_wait() comes */
	if (ask->c && later->cmd) {
		if (!good)
			ask->cmd->type = CTRL_TYPE_ERROR;
		(void)ctrl_cmd_def_send(later);
	} else if (ask->c) { /* the connection has gone, and its command with it */
		talloc_free(later);
	}
	ask_free(ask);
}

/* False: has been answered with the reason. */
static bool good_reply(struct ctrlif_ask *ask, const struct api_reply *r)
{
	if (r->status == API_OK)
		return true;
	answer(ask, false, "%s", r->message);
	return false;
}

/* --------------------------------------------------------------------------------------------------- names */

/* "campaign.NAME.state": the name may have dots itself.  False: not of this form. */
static bool name_of(const struct ctrl_cmd *cmd, const char *before, char *name, size_t cap, const char **last)
{
	const char *from = cmd->variable + strlen(before), *dot = strrchr(cmd->variable, '.');

	if (strncmp(cmd->variable, before, strlen(before)) != 0 || !dot || dot <= from || (size_t)(dot - from) >= cap)
		return false;
	snprintf(name, cap, "%.*s", (int)(dot - from), from);
	*last = dot + 1;
	return true;
}

static int refuse(struct ctrl_cmd *cmd, const char *why)
{
	cmd->reply = talloc_strdup(cmd, why);
	return CTRL_CMD_ERROR;
}

/* As HTTP and VTY say it. */
static bool may_not(struct ctrl_cmd *cmd)
{
	if (!api_read_only(only->a))
		return false;
	refuse(cmd, "this gateway is a viewer: it shows and takes no orders");
	return true;
}

static void on_verb(void *ctx, const struct api_reply *r)
{
	struct ctrlif_ask *ask = ctx;

	if (good_reply(ask, r))
		answer(ask, true, "%s", r->verb->state);
}

/* ----------------------------------------------------------------------------------------------- campaigns */

#define CAMPAIGN_FORM "campaign.NAME.state, .cards, .done, .active or .ended"

static void on_campaign(void *ctx, const struct api_reply *r)
{
	struct ctrlif_ask *ask = ctx;
	const struct gw_campaign_view *v;

	if (!good_reply(ask, r))
		return;
	v = &r->campaign->view;
	if (!strcmp(ask->what, "state"))
		answer(ask, true, "%s", campaign_state_name(r->campaign->row.state));
	else if (!strcmp(ask->what, "cards"))
		answer(ask, true, "%" PRIu64, r->campaign->row.targets);
	else if (!r->campaign->counted)
		answer(ask, false, "not counted now; 'otactl campaign report' counts");
	else if (!strcmp(ask->what, "done"))
		answer(ask, true, "%" PRIu64, v->by_state[TXN_DONE]);
	else if (!strcmp(ask->what, "active"))
		answer(ask, true, "%" PRIu64, v->by_state[TXN_ACTIVE]);
	else if (!strcmp(ask->what, "ended"))
		answer(ask, true, "%" PRIu64, v->row.targets - v->by_state[TXN_PLANNED] - v->by_state[TXN_ACTIVE]);
	else
		answer(ask, false, "unknown variable; there are " CAMPAIGN_FORM);
}

CTRL_CMD_DEFINE(campaign, "campaign *");
static int get_campaign(struct ctrl_cmd *cmd, void *data)
{
	char name[CAMPAIGN_NAME_MAX];
	struct ctrlif_ask *ask;
	const char *what;

	if (!name_of(cmd, "campaign.", name, sizeof(name), &what))
		return refuse(cmd, "the variable is " CAMPAIGN_FORM);
	ask = ask_new(cmd, name, what);
	if (!ask)
		return CTRL_CMD_ERROR;
	api_campaign_show(only->a, name, (struct api_to){ on_campaign, ask });
	return ask_wait(ask);
}

static int verify_campaign(struct ctrl_cmd *cmd, const char *value, void *data)
{
	return 0;
}

static int set_campaign(struct ctrl_cmd *cmd, void *data)
{
	static const struct {
		const char *word;
		enum gw_campaign_verb verb;
	} verbs[] = { { "pause", CAMPAIGN_VERB_PAUSE },
		      { "resume", CAMPAIGN_VERB_START },
		      { "abort", CAMPAIGN_VERB_CANCEL } };
	char name[CAMPAIGN_NAME_MAX];
	struct ctrlif_ask *ask;
	const char *what;

	if (!name_of(cmd, "campaign.", name, sizeof(name), &what) || strcmp(what, "state") != 0)
		return refuse(cmd, "only campaign.NAME.state can be set");
	if (may_not(cmd))
		return CTRL_CMD_ERROR;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].word, cmd->value) != 0)
			continue;
		ask = ask_new(cmd, name, what);
		if (!ask)
			return CTRL_CMD_ERROR;
		api_campaign_verb(only->a, name, verbs[i].verb, (struct api_to){ on_verb, ask });
		return ask_wait(ask);
	}
	return refuse(cmd, "the value must be pause, resume or abort");
}

/* --------------------------------------------------------------------------------------------------- cards */

#define CARD_BEFORE "card.by-iccid."
#define CARD_FORM                                                                                                   \
	"card.by-iccid.ICCID.state, .last-seen or .quarantine; .present can be set to 1, .order to probe, resync, " \
	"quarantine or release"

static void on_card(void *ctx, const struct api_reply *r)
{
	struct ctrlif_ask *ask = ctx;
	const struct card_bundle *b;
	char at[RFC3339_MAX];

	if (!good_reply(ask, r))
		return;
	b = &r->card->bundle;
	if (!strcmp(ask->what, "state"))
		answer(ask, true, "%s", b->has_txn ? txn_state_name(b->txn.state) : "IDLE");
	else if (!strcmp(ask->what, "last-seen"))
		answer(ask, true, "%s", b->card.last_seen_ms ? rfc3339(at, b->card.last_seen_ms) : "never");
	else if (!strcmp(ask->what, "quarantine"))
		answer(ask, true, "%s", b->card.quarantine_ms ? rfc3339(at, b->card.quarantine_ms) : "none");
	else
		answer(ask, false, "unknown variable; there are " CARD_FORM);
}

CTRL_CMD_DEFINE(card, "card *");
static int get_card(struct ctrl_cmd *cmd, void *data)
{
	char iccid[CAMPAIGN_NAME_MAX];
	struct ctrlif_ask *ask;
	const char *what;

	if (!name_of(cmd, CARD_BEFORE, iccid, sizeof(iccid), &what))
		return refuse(cmd, "the variable is " CARD_FORM);
	ask = ask_new(cmd, iccid, what);
	if (!ask)
		return CTRL_CMD_ERROR;
	api_card_show(only->a, iccid, (struct api_to){ on_card, ask });
	return ask_wait(ask);
}

static void on_order(void *ctx, const struct api_reply *r)
{
	struct ctrlif_ask *ask = ctx;

	if (good_reply(ask, r))
		answer(ask, true, "%s", r->verb->text);
}

static int verify_card(struct ctrl_cmd *cmd, const char *value, void *data)
{
	return 0;
}

static int set_card(struct ctrl_cmd *cmd, void *data)
{
	char iccid[CAMPAIGN_NAME_MAX];
	struct ctrlif_ask *ask;
	const char *what;
	unsigned verb = 0;
	bool order;

	if (!name_of(cmd, CARD_BEFORE, iccid, sizeof(iccid), &what))
		return refuse(cmd, "the variable is " CARD_FORM);
	order = !strcmp(what, "order");
	while (order && verb < _CARD_VERBS && strcmp(cmd->value, gw_card_verb_name((uint8_t)verb)))
		verb++;
	if (order ? verb == _CARD_VERBS : strcmp(what, "present") || strcmp(cmd->value, "1"))
		return refuse(cmd, order ? "the value must be probe, resync, quarantine or release" :
					   "only card.by-iccid.ICCID.present can be set, to 1, and .order");
	if (may_not(cmd))
		return CTRL_CMD_ERROR;
	ask = ask_new(cmd, iccid, what);
	if (!ask)
		return CTRL_CMD_ERROR;
	if (order)
		api_card_order(only->a, iccid, (enum gw_card_verb)verb, "CTRL", (struct api_to){ on_order, ask });
	else
		api_card_present(only->a, iccid, (struct api_to){ on_verb, ask });
	return ask_wait(ask);
}

/* --------------------------------------------------------------------------------------------------- links */

#define SMSC_FORM "smsc.NAME.bound or smsc.NAME.order"

static void on_links(void *ctx, const struct api_reply *r)
{
	struct ctrlif_ask *ask = ctx;

	if (!good_reply(ask, r))
		return;
	for (unsigned i = 0; i < r->links->n_links; i++) {
		const struct api_link_status *l = &r->links->link[i];

		if (strcmp(l->name, ask->name) != 0)
			continue;
		if (!strcmp(ask->what, "bound"))
			answer(ask, true, "%d", l->stats.up);
		else if (!strcmp(ask->what, "order"))
			answer(ask, true, "%s", link_order_name(l->view.order));
		else
			answer(ask, false, "unknown variable; there are " SMSC_FORM);
		return;
	}
	answer(ask, false, "there is no smsc-link %s", ask->name);
}

CTRL_CMD_DEFINE(smsc, "smsc *");
static int get_smsc(struct ctrl_cmd *cmd, void *data)
{
	char name[LINK_NAME_MAX];
	struct ctrlif_ask *ask;
	const char *what;

	if (!name_of(cmd, "smsc.", name, sizeof(name), &what))
		return refuse(cmd, "the variable is " SMSC_FORM);
	ask = ask_new(cmd, name, what);
	if (!ask)
		return CTRL_CMD_ERROR;
	api_links(only->a, (struct api_to){ on_links, ask });
	return ask_wait(ask);
}

static int verify_smsc(struct ctrl_cmd *cmd, const char *value, void *data)
{
	return 0;
}

static int set_smsc(struct ctrl_cmd *cmd, void *data)
{
	static const char *const words[_LINK_ORDERS] = {
		[LINK_OPEN] = "unblock", [LINK_BLOCKED] = "block", [LINK_DRAINED] = "drain"
	};
	char name[LINK_NAME_MAX];
	struct ctrlif_ask *ask;
	const char *what;

	if (!name_of(cmd, "smsc.", name, sizeof(name), &what) || strcmp(what, "order") != 0)
		return refuse(cmd, "only smsc.NAME.order can be set");
	if (may_not(cmd))
		return CTRL_CMD_ERROR;
	for (unsigned i = 0; i < _LINK_ORDERS; i++) {
		if (strcmp(words[i], cmd->value) != 0)
			continue;
		ask = ask_new(cmd, name, what);
		if (!ask)
			return CTRL_CMD_ERROR;
		api_link_order(only->a, name, (enum link_order)i, (struct api_to){ on_verb, ask });
		return ask_wait(ask);
	}
	return refuse(cmd, "the value must be block, unblock or drain");
}

/* ------------------------------------------------------------------------------------------------ gateway */

static void on_gw(void *ctx, const struct api_reply *r)
{
	struct ctrlif_ask *ask = ctx;

	if (!good_reply(ask, r))
		return;
	if (!strcmp(ask->what, "version"))
		answer(ask, true, "%s", r->gw->version);
	else
		answer(ask, true, "%s", r->gw->alarm ? r->gw->alarm : "none");
}

static int ask_gw(struct ctrl_cmd *cmd)
{
	struct ctrlif_ask *ask = ask_new(cmd, "", cmd->variable);

	if (!ask)
		return CTRL_CMD_ERROR;
	api_counters(only->a, (struct api_to){ on_gw, ask });
	return ask_wait(ask);
}

CTRL_CMD_DEFINE_RO(version, "version");
static int get_version(struct ctrl_cmd *cmd, void *data)
{
	return ask_gw(cmd);
}

CTRL_CMD_DEFINE_RO(alarm, "alarm");
static int get_alarm(struct ctrl_cmd *cmd, void *data)
{
	return ask_gw(cmd);
}

/* --------------------------------------------------------------------------------------------------- traps */

static void trap(struct ctrlif *c, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void trap(struct ctrlif *c, const char *name, const char *fmt, ...)
{
	char value[TRAP_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (!llist_empty(&c->h->ccon_list))
		(void)ctrl_cmd_send_trap(c->h, name,
					 value); /* a client that does not read loses it: its queue is bounded */
}

void ctrlif_take(struct ctrlif *c, const struct api_gw_status *g)
{
	const struct gw_stats *s = &g->core;
	unsigned alarms = g->exchange ? g->exchange->alarms : 0;

	for (unsigned i = 0; i < g->links.n_links && i < ROUTE_LINKS_MAX; i++) {
		const struct api_link_status *l = &g->links.link[i];

		if (c->begun && l->stats.up != c->up[i])
			trap(c, l->stats.up ? "link-up" : "link-down", "%s%s%s", l->name,
			     !l->stats.up && *l->stats.last_error ? " " : "", l->stats.up ? "" : l->stats.last_error);
		c->up[i] = l->stats.up;
	}
	if (c->begun && (s->por_ok > c->por_ok || s->por_hint > c->por_hint || s->por_bad_mac > c->por_bad_mac))
		trap(c, "por", "ok %" PRIu64 " hint %" PRIu64 " bad-mac %" PRIu64, s->por_ok - c->por_ok,
		     s->por_hint - c->por_hint, s->por_bad_mac - c->por_bad_mac);
	if (c->begun && alarms > c->alarms)
		trap(c, "stranded", "%u orders need a person: %s", alarms, g->exchange->alarm);
	c->por_ok = s->por_ok;
	c->por_hint = s->por_hint;
	c->por_bad_mac = s->por_bad_mac;
	c->alarms = alarms;
	c->begun = true;
}

/* ---------------------------------------------------------------------------------------------------- life */

/* Nothing has been asked on it yet. */
static void close_one(struct ctrl_connection *one)
{
	osmo_wqueue_clear(&one->write_queue);
	osmo_fd_close(&one->write_queue.bfd);
	llist_del(&one->list_entry);
	msgb_free(one->pending_msg);
	talloc_free(one);
}

static int on_listen(struct osmo_fd *fd, unsigned int what)
{
	struct ctrl_connection *one;
	unsigned n = 0;
	int refused;

	llist_for_each_entry(one, &only->h->ccon_list, list_entry) n++;
	if (n < CTRLIF_CONNECTIONS_MAX) {
		n = only->accept(fd, what) >= 0;
		one = llist_first_entry_or_null(&only->h->ccon_list, struct ctrl_connection, list_entry);
		if (n && one && !peer_may(one->write_queue.bfd.fd))
			close_one(one);
		return 0;
	}
	refused = accept(fd->fd, NULL, NULL);
	if (refused >= 0)
		close(refused);
	return 0;
}

static void install(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	ctrl_cmd_install(CTRL_NODE_ROOT, &cmd_campaign);
	ctrl_cmd_install(CTRL_NODE_ROOT, &cmd_card);
	ctrl_cmd_install(CTRL_NODE_ROOT, &cmd_smsc);
	ctrl_cmd_install(CTRL_NODE_ROOT, &cmd_version);
	ctrl_cmd_install(CTRL_NODE_ROOT, &cmd_alarm);
}

struct ctrlif *ctrlif_new(void *tall, struct api *a, const char *ip, uint16_t port, char *err, size_t cap)
{
	struct ctrlif *c = talloc_zero(tall, struct ctrlif);
	struct sockaddr_in at;
	socklen_t len = sizeof(at);

	if (c) {
		c->a = a;
		c->h = ctrl_interface_setup_dynip2(c, ip, port, NULL, 0);
	}
	if (!c || !c->h) {
		snprintf(err, cap, "ctrl: cannot listen on %s port %u: %s; give another one by 'bind'", ip, port,
			 strerror(errno));
		talloc_free(c);
		return NULL;
	}
	if (!getsockname(c->h->listen_fd.fd, (struct sockaddr *)&at, &len))
		c->port = ntohs(at.sin_port);
	only = c;
	c->accept = c->h->listen_fd.cb;
	c->h->listen_fd.cb = on_listen;
	install();
	return c;
}

void ctrlif_free(struct ctrlif *c)
{
	struct ctrl_connection *one, *next;

	if (!c)
		return;
	for (struct ctrlif_ask *ask = c->asks; ask; ask = ask->next)
		ask->c = NULL; /* what is still answered frees it */
	llist_for_each_entry_safe(one, next, &c->h->ccon_list, list_entry)
	{
		osmo_wqueue_clear(&one->write_queue);
		osmo_fd_close(&one->write_queue.bfd);
		msgb_free(one->pending_msg);
	}
	osmo_fd_close(&c->h->listen_fd);
	only = NULL;
	talloc_free(c);
}

uint16_t ctrlif_port(const struct ctrlif *c)
{
	return c->port;
}
