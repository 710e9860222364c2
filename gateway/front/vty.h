/* vty.h - the settings as libosmovty's nodes and commands.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Here the config file is read; `write file` and a telnet VTY find the same commands and the config_write functions ready.
 */
#ifndef OTAGW_VTY_H
#define OTAGW_VTY_H

#include <stddef.h>
#include <stdio.h>

struct otagw_config;

/* Registers nodes and commands, once per process; c is what they set from now on. */
int vty_config_init(struct otagw_config *c);
/* Reads lines as `configure terminal` takes them.  0, or -1 with "LINE: why" (LINE 0: none). */
int vty_config_lines(struct otagw_config *c, FILE *f, unsigned *line, char *why, size_t cap);
/* What `write file` would write. */
void vty_config_write(struct otagw_config *c, FILE *f);

#define VTY_APP_NAME "OtaGW" /* in prompts */
/* Where libosmocore's memory hangs; NULL before vty_config_init(). */
void *vty_tall(void);
/* All nodes and commands, as XML; after vty_config_init().  0 when written. */
int vty_reference(FILE *f);
struct api;
/* Whom the commands ask. */
void vty_attach(struct api *a);

#endif
