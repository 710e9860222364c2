/* console.c - VTY, CTRL and counters are brought up, looked after once in a second, and go.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "console.h"

#include <osmocom/core/rate_ctr.h>
#include <osmocom/core/stat_item.h>
#include <osmocom/core/stats.h>
#include <osmocom/core/talloc.h>
#include <osmocom/core/timer.h>
#include <osmocom/vty/command.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_int.h"
#include "counters.h"
#include "ctrlif.h"
#include "telnet.h"
#include "vty_int.h"

#define TICK_S 1

struct console {
	struct console_parts p;
	struct otagw_config edit; /* what VTY sessions change; the gateway works with what it has read at its start */
	struct telnet *telnet;
	struct ctrlif *ctl;
	struct counters *counters;
	struct osmo_timer_list tick;
	bool watched;
};

static void console_log(struct console *c, const char *what, const char *ip, uint16_t port)
{
	char line[120];

	snprintf(line, sizeof(line), "%s listens on %s port %u", what, ip, port);
	c->p.log(c->p.log_ctx, 5, line);
}

bool console_wanted(const struct otagw_config *cfg)
{
	return cfg->vty || cfg->ctrl;
}

static void on_counters(void *ctx, const struct api_reply *r)
{
	struct console *c = ctx;

	if (r->status != API_OK)
		return;
	if (!c->counters)
		c->counters = counters_new(vty_tall(), r->gw);
	if (c->counters)
		counters_take(c->counters, r->gw);
	if (c->ctl)
		ctrlif_take(c->ctl, r->gw);
}

static void on_tick(void *data)
{
	struct console *c = data;
	bool watched = c->telnet && telnet_logging(c->telnet);

	osmo_timer_schedule(&c->tick, TICK_S, 0);
	vty_log_second();
	api_counters(c->p.api, (struct api_to){ on_counters, c });
	if (watched != c->watched)
		gw_log_level(c->p.gw, watched ? 7 : c->p.log_level); /* else such lines are not even made */
	c->watched = watched;
}

static int bring_up(struct console *c, char *err, size_t cap)
{
	const struct otagw_config *cfg = &c->edit;

	if (cfg->vty) {
		c->telnet = telnet_new(vty_tall(), cfg->vty_ip, cfg->vty_port, VTY_APP_NAME, err, cap);
		if (!c->telnet)
			return -1;
		console_log(c, "VTY", cfg->vty_ip, telnet_port(c->telnet));
	}
	if (cfg->ctrl) {
		c->ctl = ctrlif_new(vty_tall(), c->p.api, cfg->ctrl_ip, cfg->ctrl_port, err, cap);
		if (!c->ctl)
			return -1;
		console_log(c, "CTRL", cfg->ctrl_ip, ctrlif_port(c->ctl));
	}
	return 0;
}

struct console *console_new(const struct otagw_config *cfg, const struct console_parts *p, char *err, size_t cap)
{
	struct console *c = calloc(1, sizeof(*c));

	if (!c) {
		snprintf(err, cap, "VTY and CTRL: out of memory");
		return NULL;
	}
	c->p = *p;
	c->edit = *cfg;
	config_wipe(&c->edit);
	vty_config_init(&c->edit);
	vty_attach(p->api);
	host_config_set(p->config_path);
	vty_log_start(p->log, p->log_ctx);
	osmo_stats_init(vty_tall());
	rate_ctr_init(vty_tall());
	if (bring_up(c, err, cap)) {
		console_free(c);
		return NULL;
	}
	osmo_timer_setup(&c->tick, on_tick, c);
	on_tick(c);
	return c;
}

void console_free(struct console *c)
{
	if (!c)
		return;
	osmo_timer_del(&c->tick);
	telnet_free(c->telnet);
	ctrlif_free(c->ctl);
	counters_free(c->counters);
	vty_log_stop();
	vty_attach(NULL);
	config_wipe(&c->edit);
	free(c);
}
