/* ram_rsp.c - answers to remote application management: GlobalPlatform Card Specification 2.x, 11.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include "ota/ram.h"
#include "ota/rd.h"

#include "codec_int.h"

#define TAG_REGISTRY_ENTRY 0xe3 /* GlobalPlatform table 11-36 */
#define TAG_AID		   0x4f
#define TAG_STATE	   0x9f70
#define TAG_PRIVILEGES	   0xc5
#define TAG_PACKAGE	   0xc4
#define TAG_SD		   0xcc
#define TAG_MODULE	   0x84
#define TAG_KEY_INFO	   0xe0
#define TAG_KEY		   0xc0
#define KEY_INFO_EXTENDED  0xff /* 11.3.3.1: key type of more than one octet */

/* 11.1.6: length of the confirmation, then the confirmation itself. */
int ram_confirm_parse(const uint8_t *data, size_t len, size_t *len_out)
{
	struct rd in = rd_init(data, len);
	size_t n = 0;
	int rc = len ? ber_len_read(&in, &n) : 0;

	if (len_out)
		*len_out = 0;
	if (rc)
		return rc;
	if (rd_left(&in) != n)
		return rd_left(&in) < n ? OTA_E_SHORT : OTA_E_LENGTH;
	if (len_out)
		*len_out = n;
	return 0;
}

/* One object with a tag of one or two octets. */
static int gp_tlv(struct rd *in, unsigned *tag, struct rd *value)
{
	size_t n;
	int rc;

	*tag = rd_u8(in);
	if ((*tag & 0x1f) == 0x1f)
		*tag = *tag << 8 | rd_u8(in);
	rc = ber_len_read(in, &n);
	if (rc)
		return rc;
	*value = rd_sub(in, n);
	return in->bad ? OTA_E_SHORT : 0;
}

static int aid_read(struct ram_aid *aid, struct rd *v)
{
	size_t n = rd_left(v);

	if (n > RAM_AID_MAX)
		return OTA_E_LENGTH;
	aid->len = (uint8_t)n;
	if (n)
		memcpy(aid->aid, rd_bytes(v, n), n);
	return 0;
}

static int entry_object(struct ram_entry *e, unsigned tag, struct rd *v)
{
	size_t n = rd_left(v);

	switch (tag) {
	case TAG_AID:
		return aid_read(&e->aid, v);
	case TAG_PACKAGE:
		return aid_read(&e->package, v);
	case TAG_SD:
		return aid_read(&e->sd, v);
	case TAG_MODULE:
		e->modules++;
		return n > RAM_AID_MAX ? OTA_E_LENGTH : 0;
	case TAG_STATE:
		e->state = rd_u8(v);
		return n == 1 || n == 2 ? 0 : OTA_E_LENGTH;
	case TAG_PRIVILEGES:
		if (n != 1 && n != 3)
			return OTA_E_LENGTH;
		e->privileges_len = (uint8_t)n;
		memcpy(e->privileges, rd_bytes(v, n), n);
		return 0;
	default: /* versions, implicit selection parameters: nothing we ask for */
		return 0;
	}
}

static int entry_tlv(struct ram_entry *e, struct rd *in)
{
	struct rd entry, v;
	unsigned tag;
	int rc = gp_tlv(in, &tag, &entry);

	if (rc == 0 && tag != TAG_REGISTRY_ENTRY)
		rc = OTA_E_FORMAT;
	while (rc == 0 && rd_left(&entry)) {
		rc = gp_tlv(&entry, &tag, &v);
		if (rc == 0)
			rc = entry_object(e, tag, &v);
	}
	return rc == 0 && e->aid.len == 0 ? OTA_E_FORMAT : rc;
}

/* 11.4.3.1, the older list: length and AID, life cycle, privileges; with modules also their number and AIDs. */
static int entry_list(struct ram_entry *e, struct rd *in, bool modules)
{
	struct rd aid = rd_sub(in, rd_u8(in));
	unsigned n;
	int rc;

	e->state = rd_u8(in);
	e->privileges[0] = rd_u8(in);
	e->privileges_len = 1;
	if (modules) {
		n = rd_u8(in);
		for (e->modules = 0; e->modules < n && !in->bad; e->modules++)
			rd_sub(in, rd_u8(in));
	}
	if (in->bad)
		return OTA_E_SHORT;
	rc = aid_read(&e->aid, &aid);
	return rc == 0 && e->aid.len == 0 ? OTA_E_FORMAT : rc;
}

int ram_status_each(const uint8_t *data, size_t len, bool tlv, enum ram_subset what,
		    int (*each)(void *ctx, const struct ram_entry *e), void *ctx)
{
	struct rd in = rd_init(data, len);
	int rc = 0;

	while (rc == 0 && rd_left(&in)) {
		struct ram_entry e = { 0 };

		rc = tlv ? entry_tlv(&e, &in) : entry_list(&e, &in, what == RAM_PACKAGES_AND_MODULES);
		if (rc == 0)
			rc = each(ctx, &e);
	}
	return rc;
}

/* 11.3.3.1: C0 { id, version, type and length of each component }; a key of several components is one of its first. */
int ram_key_info_each(const uint8_t *data, size_t len, int (*each)(void *ctx, const struct ram_key_info *k), void *ctx)
{
	struct rd in = rd_init(data, len), all, v;
	unsigned tag;
	int rc = gp_tlv(&in, &tag, &all);

	if (rc == 0 && (tag != TAG_KEY_INFO || rd_left(&in)))
		rc = tag != TAG_KEY_INFO ? OTA_E_FORMAT : OTA_E_LENGTH;
	while (rc == 0 && rd_left(&all)) {
		struct ram_key_info k;

		rc = gp_tlv(&all, &tag, &v);
		if (rc)
			break;
		if (tag != TAG_KEY)
			return OTA_E_FORMAT;
		k.id = rd_u8(&v);
		k.kvn = rd_u8(&v);
		k.type = rd_u8(&v);
		k.len = rd_u8(&v);
		if (v.bad)
			return OTA_E_SHORT;
		if (k.type == KEY_INFO_EXTENDED)
			return OTA_E_FORMAT;
		rc = each(ctx, &k);
	}
	return rc;
}

/* GlobalPlatform 11.1.1: b3-b1 of an application say how far it is, b8 that it is locked. */
const char *ram_state_name(enum ram_subset what, uint8_t state)
{
	switch (what) {
	case RAM_ISD:
		return state == 0x01 ? "OP_READY" :
		       state == 0x07 ? "initialized" :
		       state == 0x0f ? "secured" :
		       state == 0x7f ? "card locked" :
		       state == 0xff ? "terminated" :
				       "unknown state";
	case RAM_PACKAGES:
	case RAM_PACKAGES_AND_MODULES:
		return state == 0x01 ? "loaded" : "unknown state";
	case RAM_APPLICATIONS:
		break;
	}
	if ((state & 0x83) == 0x83)
		return "locked";
	return state == 0x03	      ? "installed" :
	       state == 0x0f	      ? "personalized" :
	       (state & 0x87) == 0x07 ? "selectable" :
					"unknown state";
}
