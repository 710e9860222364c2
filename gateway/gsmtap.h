/* gsmtap.h - short messages to and from cards, shown to Wireshark as GSMTAP.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_GSMTAP_H
#define OTAGW_GSMTAP_H

#include <stddef.h>
#include <stdint.h>

#include "ota/link.h"

#define GSMTAP_FRAME_MAX 320
#define GSMTAP_LINKS_MAX 16

/* What is sent: a GSMTAP header with CP-DATA, RP-DATA and the TPDU in it.  Octets of it; 0: cannot be shown (longer than a TPDU). */
size_t gsmtap_mt(uint8_t out[GSMTAP_FRAME_MAX], const struct link_submit *s, int64_t now_ms);
/* Of LINK_EV_MO an SMS-SUBMIT, of LINK_EV_REPORT with a payload the RP-ACK that brought it. */
size_t gsmtap_mo(uint8_t out[GSMTAP_FRAME_MAX], const struct link_event *ev);

struct gsmtap;
/* NULL with a sentence. */
struct gsmtap *gsmtap_new(const char *ip, uint16_t port, char *err, size_t cap);
/* Stands between a link and its owner from now on: after on_event has been set, before start(). */
void gsmtap_attach(struct gsmtap *g, struct link *const *links, unsigned n);
void gsmtap_free(struct gsmtap *g); /* after the links */

#endif
