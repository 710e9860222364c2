/* ctrlif.h - the control interface of Osmocom's: GET, SET, TRAP.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 *	campaign.NAME.state (SET: pause, resume, abort)   campaign.NAME.cards|done|active|ended
 *	card.by-iccid.ICCID.state|last-seen               card.by-iccid.ICCID.present (SET: 1)
 *	smsc.NAME.bound                                   smsc.NAME.order (SET: block, unblock, drain)
 *	alarm, version, and libosmocore's rate_ctr.*, stat_item.*
 *
 * Traps are told once in a second at most, each with what has come together since: por, stranded, link-down, link-up.
 */
#ifndef OTAGW_CTRLIF_H
#define OTAGW_CTRLIF_H

#include <stddef.h>
#include <stdint.h>

#include "api.h"

#define CTRLIF_CONNECTIONS_MAX 16

struct ctrlif;
/* Port 0: any, see ctrlif_port().  NULL with a sentence. */
struct ctrlif *ctrlif_new(void *tall, struct api *a, const char *ip, uint16_t port, char *err, size_t cap);
void ctrlif_free(struct ctrlif *c);
uint16_t ctrlif_port(const struct ctrlif *c);
/* Once in a second: traps of what has changed since the last time. */
void ctrlif_take(struct ctrlif *c, const struct api_gw_status *g);

#endif
