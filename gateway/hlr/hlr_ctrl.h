/* hlr_ctrl.h - the CTRL protocol of Osmocom: frames, requests, replies.  Pure.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A frame: length(2, of what follows the next octet) EE 00 text.  Requests "GET id variable", "SET id variable value";
 * replies "GET_REPLY id variable value", "SET_REPLY id variable value", "ERROR id message"; "TRAP 0 variable value".
 */
#ifndef OTAGW_HLR_CTRL_H
#define OTAGW_HLR_CTRL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hlr.h"

#define CTRL_HEAD      3
#define CTRL_FRAME_MAX 4096 /* octets behind the head that are taken */
#define CTRL_PROTO     0xee
#define CTRL_EXT       0x00

/* Length of the first frame in buf: its whole, head and all; 0 when more must come; -1 when this is no CTRL frame. */
int ctrl_frame(const uint8_t *buf, size_t len);
/* Writes head and text; 0 when it does not fit. */
size_t ctrl_put(uint8_t *buf, size_t cap, const char *text);

enum ctrl_kind { CTRL_GET_REPLY, CTRL_SET_REPLY, CTRL_ERROR, CTRL_TRAP };
struct ctrl_reply {
	enum ctrl_kind kind;
	uint32_t id;
	const char *rest; /* variable and value; ERROR: the message */
};
/* text: NUL-terminated.  False when it is no reply. */
bool ctrl_reply_parse(struct ctrl_reply *out, char *text);

/* The value of one line "name<tab>value" of an `info` reply, copied; false when it is not there or too long. */
bool ctrl_info(const char *rest, const char *name, char *out, size_t cap);

#endif
