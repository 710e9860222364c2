/* console.c - VTY and CTRL are brought up, and go.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "console.h"

#include <osmocom/core/talloc.h>
#include <osmocom/vty/command.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_int.h"
#include "telnet.h"
#include "vty.h"

struct console {
	struct console_parts p;
	struct otagw_config edit; /* what VTY sessions change; the gateway works with what it has read at its start */
	struct telnet *telnet;
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
	if (cfg->vty) {
		c->telnet = telnet_new(vty_tall(), cfg->vty_ip, cfg->vty_port, VTY_APP_NAME, err, cap);
		if (!c->telnet) {
			console_free(c);
			return NULL;
		}
		console_log(c, "VTY", cfg->vty_ip, telnet_port(c->telnet));
	}
	return c;
}

void console_free(struct console *c)
{
	if (!c)
		return;
	telnet_free(c->telnet);
	vty_attach(NULL);
	config_wipe(&c->edit);
	free(c);
}
