/* subscription_int.h - tags of the subscription applet's objects, and reading and writing one; never installed.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTA_SUBSCRIPTION_INT_H
#define OTA_SUBSCRIPTION_INT_H

#include "ota/rd.h"
#include "ota/wr.h"

/* contrib/doc/card-interface.md, 2.1 and 3 */
enum {
	SUB_TAG_ORDER = 0x80,
	SUB_TAG_FROM = 0x81,
	SUB_TAG_TO = 0x82,
	SUB_TAG_IMSI = 0x83,
	SUB_TAG_FILE = 0x84,
	SUB_TAG_OPC = 0x85,
	SUB_TAG_ALG = 0x86,
	SUB_TAG_PLMNS = 0x87,
	SUB_TAG_TRIAL = 0x88,
	SUB_TAG_HASH = 0x89,
	SUB_TAG_MAC = 0x8a,
	SUB_TAG_STATE = 0x90,
	SUB_TAG_VERSION = 0x91,
	SUB_TAG_ICCID = 0x92,
	SUB_TAG_K = 0x93,
	SUB_TAG_OTA_KEYS = 0x94,
	SUB_TAG_PAIR = 0x95,
	SUB_TAG_KCV = 0x96,
	SUB_TAG_RANGE = 0x98,
};

void sub_put(struct wr *w, uint8_t tag, const void *value, size_t len); /* up to FF octets */
/* The tag of the next object, its value as a reader; in->bad when its length is not as short as possible. */
uint8_t sub_get(struct rd *in, struct rd *v);

#endif
