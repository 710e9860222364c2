/* vty_int.h - what the files of the VTY's commands share.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Whoever includes this must not include libevent's headers: <osmocom/vty/vty.h> has an enum event.
 */
#ifndef OTAGW_VTY_INT_H
#define OTAGW_VTY_INT_H

#include <osmocom/vty/command.h>
#include <osmocom/vty/vty.h>

#include "telnet.h"
#include "vty.h"
#include "words.h"

#define NL	 "\r\n" /* these commands are of telnet sessions alone */
#define SPAN_MAX 24

/* The door; NULL before it is open. */
struct api *vty_api(void);
/* Whether orders are taken; else it has said why. */
bool vty_may(struct vty *vty);
/* Why a line is refused, with the return value for it: in a session and while the configuration is read. */
int vty_refuse(struct vty *vty, const char *err);
/* libosmovty's command of this form is carried out by `by`, which goes on to `was`. */
typedef int vty_func(struct cmd_element *self, struct vty *vty, int argc, const char *argv[]);
void vty_wrap(const char *string, vty_func *by, vty_func **was);
/* "3d 4h", "5m 2s", "200ms". */
const char *vty_span(char out[SPAN_MAX], int64_t ms);
const char *vty_time(char out[RFC3339_MAX], int64_t utc_ms); /* "never" for 0 */

/* Each installs its commands. */
void vty_show_init(void);  /* links, campaigns */
void vty_card_init(void);  /* cards, transactions, presence */
void vty_about_init(void); /* counters, errors, keystore, orders */
void vty_log_init(void *tall);
/* From now on libosmocore's own lines go to log(). */
void vty_log_start(void (*log)(void *ctx, int level, const char *line), void *ctx);
void vty_log_stop(void);
/* Once in a second. */
void vty_log_second(void);

#endif
