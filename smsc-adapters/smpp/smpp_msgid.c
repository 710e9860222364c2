/* smpp_msgid.c - message ids: which submit a receipt speaks of, when nothing better comes back with it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * An id comes in the response and again in the receipt, hours later: there in another base, with or without leading zeros,
 * in other case; or it is the same for all messages.  What is kept is bounded and forgotten at a restart: it makes a hint
 * better, nothing rests on it.  A receipt is taken for a submit's only when it comes from that submit's destination.
 */
#include "smpp_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAYS	    4 /* places an id may be in; the oldest of them gives way */
#define BUCKETS	    (SMPP_MSGIDS_KEPT / WAYS)
#define EQUAL_MAX   3  /* so many submits in a row with the same id: it says nothing */
#define DECIMAL_MAX 20 /* digits of 2^64 - 1 */
#define HEX_MAX	    16

_Static_assert((BUCKETS & (BUCKETS - 1)) == 0, "a hash is cut to an index");

struct smpp_msgid {
	uint64_t id;  /* hash */
	uint32_t dst; /* hash of the destination's digits, 0: free */
	uint32_t age;
	uint16_t ref;
};

/* FNV-1a, and mixed: its low bits alone are poor. */
static uint64_t hash(const char *s, size_t len)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)s[i]) * 0x100000001b3ULL;
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdULL;
	return h ^ h >> 29;
}

uint32_t smpp_digits_hash(const char *digits)
{
	uint32_t h = (uint32_t)hash(digits, strlen(digits));

	return h ? h : 1;
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* Without leading zeros, upper case; "" stays "", "000" is "0". */
static void plain(char out[SMPP_MSGID_MAX], const char *id)
{
	size_t n = 0;

	while (id[0] == '0' && id[1])
		id++;
	for (; *id && n + 1 < SMPP_MSGID_MAX; id++)
		out[n++] = upper(*id);
	out[n] = 0;
}

/* The number behind an id in this base; false when it is none or does not fit. */
static bool number_of(const char *id, unsigned base, uint64_t *out)
{
	size_t n = strlen(id);

	*out = 0;
	if (!n || n > (base == 16 ? HEX_MAX : DECIMAL_MAX))
		return false;
	for (; *id; id++) {
		unsigned d = *id >= '0' && *id <= '9' ? (unsigned)(*id - '0') :
			     *id >= 'A' && *id <= 'F' ? (unsigned)(*id - 'A') + 10 :
							16;

		if (d >= base || *out > (UINT64_MAX - d) / base)
			return false;
		*out = *out * base + d;
	}
	return true;
}

/* What the id of a receipt may have been in the response, most likely first. */
static unsigned candidates(enum smpp_msgids mode, const char *id, char out[3][SMPP_MSGID_MAX])
{
	unsigned n = 0;
	uint64_t v;

	plain(out[0], id);
	switch (mode) {
	case SMPP_MSGIDS_NONE:
		return 0;
	case SMPP_MSGIDS_TEXT:
		return 1;
	case SMPP_MSGIDS_AUTO:
		n = 1;
		break;
	default:
		break;
	}
	plain(out[n], id);
	if (mode != SMPP_MSGIDS_DECIMAL_HEX && number_of(out[n], 10, &v)) /* the response was in hex */
		snprintf(out[n++], SMPP_MSGID_MAX, "%llX", (unsigned long long)v);
	plain(out[n], id);
	if (mode != SMPP_MSGIDS_HEX_DECIMAL && number_of(out[n], 16, &v))
		snprintf(out[n++], SMPP_MSGID_MAX, "%llu", (unsigned long long)v);
	return n;
}

static struct smpp_msgid *bucket(struct smpp_link *l, uint64_t id)
{
	return &l->msgids[(id & (BUCKETS - 1)) * WAYS];
}

/* An SMSC that gives every message the same id (OsmoMSC: "msg_id_not_implemented") gives none. */
static bool same_again(struct smpp_link *l, uint64_t id)
{
	l->msgid_equal = id == l->msgid_last ? l->msgid_equal + 1 : 1;
	l->msgid_last = id;
	if (l->msgid_equal < EQUAL_MAX)
		return false;
	l->msgids_useless = true;
	smpp_log(l, SMPP_LOG_NOTICE, "%u submits in a row got the same message_id: not used any more", EQUAL_MAX);
	free(l->msgids);
	l->msgids = NULL;
	return true;
}

void smpp_msgid_keep(struct smpp_link *l, const char *message_id, uint32_t dst, uint16_t ref)
{
	char text[SMPP_MSGID_MAX];
	struct smpp_msgid *b, *oldest;
	uint64_t id;

	if (l->cfg.message_id == SMPP_MSGIDS_NONE || l->msgids_useless || !dst || !*message_id)
		return;
	plain(text, message_id);
	id = hash(text, strlen(text));
	if (same_again(l, id))
		return;
	if (!l->msgids)
		l->msgids = calloc(SMPP_MSGIDS_KEPT, sizeof(*l->msgids));
	if (!l->msgids)
		return; /* a hint less */
	b = oldest = bucket(l, id);
	for (unsigned i = 0; i < WAYS; i++) {
		if (!b[i].dst || (b[i].id == id && b[i].dst == dst)) {
			oldest = &b[i];
			break;
		}
		if (l->msgid_age - b[i].age > l->msgid_age - oldest->age)
			oldest = &b[i];
	}
	*oldest = (struct smpp_msgid){ .id = id, .dst = dst, .age = l->msgid_age++, .ref = ref };
}

bool smpp_msgid_find(const struct smpp_link *l, const char *message_id, const char *digits, uint16_t *ref)
{
	char text[3][SMPP_MSGID_MAX];
	uint32_t dst = smpp_digits_hash(digits);
	unsigned n;

	l = l->ids;
	if (!l->msgids || !*message_id || !*digits)
		return false;
	n = candidates(l->cfg.message_id, message_id, text);
	for (unsigned k = 0; k < n; k++) {
		uint64_t id = hash(text[k], strlen(text[k]));
		const struct smpp_msgid *b = bucket((struct smpp_link *)l, id);

		for (unsigned i = 0; i < WAYS; i++)
			if (b[i].dst == dst && b[i].id == id) {
				*ref = b[i].ref;
				return true;
			}
	}
	return false;
}
