/* console.h - what speaks Osmocom's ways to people and programs on this machine: VTY and CTRL.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Both are served by libosmocore's fds and timers: the loop must run them (osmo_bridge.h).  Both ask the api and nobody else.
 */
#ifndef OTAGW_CONSOLE_H
#define OTAGW_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

#include "api.h"
#include "config.h"

struct console_parts {
	struct api *api;
	struct gw *gw;
	const char *config_path; /* where `write file` writes */
	int log_level;		 /* as syslog; what the core makes when nobody looks on */
	void (*log)(void *ctx, int level, const char *line);
	void *log_ctx;
};

struct console;
bool console_wanted(const struct otagw_config *cfg);
/* NULL with a sentence. */
struct console *console_new(const struct otagw_config *cfg, const struct console_parts *p, char *err, size_t cap);
/* Before the api is freed. */
void console_free(struct console *c);

/* -d, -s and -e: lines go to stderr in libosmocore's form, by its categories ("DLINK:DCMD,3").  level: as syslog, for all of them; 0: each
 * has its own.  After the config has been read; -1 with a sentence. */
int console_log_stderr(const char *mask, bool color, int level, char *err, size_t cap);

/* A line of the log, to whoever looks on by libosmocore's ways.  True: its own stderr target shows it already. */
bool console_log_line(int level, const char *line);

#endif
