/* sim_hlr.c - a home location register and authentication centre that speaks as OsmoHLR 1.5 does on its CTRL interface.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The words of replies and errors are those that a real osmo-hlr was seen to give; the tests that run against this also run against
 * the real one where it is installed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "../card/card_sub_int.h"
#include "sim_hlr.h"

#define HASH_FIRST 1024
#define IND_BITS   5
#define IND_NODE   1 /* OsmoHLR numbers the nodes that ask from 1 */

struct sub {
	struct sub *next_imsi, *next_msisdn; /* in their buckets */
	uint32_t id;
	char imsi[SIM_HLR_DIGITS_MAX + 1], msisdn[SIM_HLR_DIGITS_MAX + 1], vlr[SIM_HLR_DIGITS_MAX + 1];
	bool cs, ps, keys, waiting;
	uint8_t k[16], opc[16];
	uint64_t sqn;
};

struct sim_hlr {
	struct sub **by_imsi, **by_msisdn;
	size_t buckets, n;
	uint32_t last_id;
	uint32_t fail_ppm; /* of IMSIs that cannot be created */
	uint64_t fail_seed;
	bool down;
};

/* ---- table ---- */

static size_t hash(const struct sim_hlr *h, const char *s)
{
	uint64_t v = 1469598103934665603ull;

	for (; *s; s++)
		v = (v ^ (uint8_t)*s) * 1099511628211ull;
	return (size_t)(v ^ v >> 32) & (h->buckets - 1);
}

struct sim_hlr *sim_hlr_new(void)
{
	struct sim_hlr *h = calloc(1, sizeof(*h));

	if (h) {
		h->buckets = HASH_FIRST;
		h->by_imsi = calloc(h->buckets, sizeof(*h->by_imsi));
		h->by_msisdn = calloc(h->buckets, sizeof(*h->by_msisdn));
	}
	if (h && (!h->by_imsi || !h->by_msisdn)) {
		sim_hlr_free(h);
		return NULL;
	}
	return h;
}

void sim_hlr_free(struct sim_hlr *h)
{
	if (!h)
		return;
	for (size_t i = 0; h->by_imsi && i < h->buckets; i++) {
		for (struct sub *s = h->by_imsi[i], *next; s; s = next) {
			next = s->next_imsi;
			OPENSSL_cleanse(s, sizeof(*s));
			free(s);
		}
	}
	free(h->by_imsi);
	free(h->by_msisdn);
	free(h);
}

size_t sim_hlr_count(const struct sim_hlr *h)
{
	return h->n;
}

static struct sub *find(const struct sim_hlr *h, const char *imsi)
{
	struct sub *s = h->by_imsi[hash(h, imsi)];

	while (s && strcmp(s->imsi, imsi))
		s = s->next_imsi;
	return s;
}

static struct sub *find_msisdn(const struct sim_hlr *h, const char *msisdn)
{
	struct sub *s = *msisdn ? h->by_msisdn[hash(h, msisdn)] : NULL;

	while (s && strcmp(s->msisdn, msisdn))
		s = s->next_msisdn;
	return s;
}

static void imsi_link(struct sim_hlr *h, struct sub *s)
{
	struct sub **at = &h->by_imsi[hash(h, s->imsi)];

	s->next_imsi = *at;
	*at = s;
}

static void msisdn_link(struct sim_hlr *h, struct sub *s)
{
	struct sub **at = &h->by_msisdn[hash(h, s->msisdn)];

	if (!*s->msisdn)
		return;
	s->next_msisdn = *at;
	*at = s;
}

static void msisdn_unlink(struct sim_hlr *h, struct sub *s)
{
	struct sub **at = &h->by_msisdn[hash(h, s->msisdn)];

	if (!*s->msisdn)
		return;
	while (*at != s)
		at = &(*at)->next_msisdn;
	*at = s->next_msisdn;
}

static void grow(struct sim_hlr *h)
{
	struct sim_hlr wide = *h;

	if (h->n < h->buckets)
		return;
	wide.buckets *= 2;
	wide.by_imsi = calloc(wide.buckets, sizeof(*wide.by_imsi));
	wide.by_msisdn = calloc(wide.buckets, sizeof(*wide.by_msisdn));
	if (!wide.by_imsi || !wide.by_msisdn) { /* slower, not wrong */
		free(wide.by_imsi);
		free(wide.by_msisdn);
		return;
	}
	for (size_t i = 0; i < h->buckets; i++) {
		for (struct sub *s = h->by_imsi[i], *next; s; s = next) {
			next = s->next_imsi;
			imsi_link(&wide, s);
			msisdn_link(&wide, s);
		}
	}
	free(h->by_imsi);
	free(h->by_msisdn);
	*h = wide;
}

/* ---- CTRL ---- */

static bool digits(const char *s, size_t min, size_t max)
{
	size_t n = strspn(s, "0123456789");

	return !s[n] && n >= min && n <= max;
}

static const char *create(struct sim_hlr *h, const char *imsi, char *value, size_t cap)
{
	struct sub *s;

	if (!digits(imsi, 6, SIM_HLR_DIGITS_MAX))
		return "Invalid IMSI value.";
	if (find(h, imsi))
		return "Subscriber already exists.";
	s = h->n < SIM_HLR_SUBS_MAX && !sim_hlr_cannot_create(h, imsi) ? calloc(1, sizeof(*s)) : NULL;
	if (!s)
		return "Subscriber creation failed.";
	s->id = ++h->last_id;
	s->cs = s->ps = true;
	strcpy(s->imsi, imsi);
	grow(h);
	imsi_link(h, s);
	h->n++;
	snprintf(value, cap, "%u", s->id);
	return NULL;
}

static const char *delete (struct sim_hlr *h, const char *imsi, char *value, size_t cap)
{
	struct sub *s = find(h, imsi), **at;

	if (!s)
		return "Subscriber doesn't exist.";
	at = &h->by_imsi[hash(h, imsi)];
	while (*at != s)
		at = &(*at)->next_imsi;
	*at = s->next_imsi;
	msisdn_unlink(h, s);
	snprintf(value, cap, "%u", s->id);
	OPENSSL_cleanse(s, sizeof(*s));
	free(s);
	h->n--;
	return NULL;
}

static const char *set_msisdn(struct sim_hlr *h, struct sub *s, const char *msisdn)
{
	struct sub *other;

	if (!strcmp(msisdn, "none"))
		msisdn = "";
	else if (!digits(msisdn, 1, SIM_HLR_DIGITS_MAX))
		return "Value failed verification.";
	other = find_msisdn(h, msisdn);
	if (other && other != s)
		return "Update MSISDN failed";
	msisdn_unlink(h, s);
	strcpy(s->msisdn, msisdn);
	msisdn_link(h, s);
	return NULL;
}

static bool unhex(const char *text, uint8_t out[16])
{
	for (int i = 0; i < 16; i++) {
		unsigned v;

		if (strspn(text + 2 * i, "0123456789abcdefABCDEF") < 2 || sscanf(text + 2 * i, "%2x", &v) != 1)
			return false;
		out[i] = (uint8_t)v;
	}
	return true;
}

/* "none" or "milenage,K,opc,OPC[,IND bits]" */
static const char *set_aud3g(struct sub *s, const char *v)
{
	static const char alg[] = "milenage,", opc[] = ",opc,";
	uint8_t k[16], o[16];
	const char *end;
	bool ok;

	if (!strcmp(v, "none")) {
		s->keys = false;
		return NULL;
	}
	ok = !strncmp(v, alg, 9) && unhex(v + 9, k) && !strncmp(v + 41, opc, 5) && unhex(v + 46, o);
	end = ok ? v + 78 : "?";
	if (!ok || (*end && strcmp(end, ",5")))
		return "Value failed verification.";
	memcpy(s->k, k, sizeof(k));
	memcpy(s->opc, o, sizeof(o));
	s->sqn = 0;
	s->keys = true;
	OPENSSL_cleanse(k, sizeof(k));
	OPENSSL_cleanse(o, sizeof(o));
	return NULL;
}

static const char *set_bool(bool *b, const char *v)
{
	if (strcmp(v, "0") && strcmp(v, "1"))
		return "Value failed verification.";
	*b = *v == '1';
	return NULL;
}

static const char *sub_set(struct sim_hlr *h, struct sub *s, const char *what, const char *v)
{
	if (!strcmp(what, "msisdn"))
		return set_msisdn(h, s, v);
	if (!strcmp(what, "aud3g"))
		return set_aud3g(s, v);
	if (!strcmp(what, "cs-enabled"))
		return set_bool(&s->cs, v);
	if (!strcmp(what, "ps-enabled"))
		return set_bool(&s->ps, v);
	return "Command not found";
}

static size_t hex_put(char *out, size_t cap, const uint8_t octets[16])
{
	size_t at = 0;

	for (int i = 0; i < 16; i++)
		at += (size_t)snprintf(out + at, cap - at, "%02x", octets[i]);
	return at;
}

static void info_sub(const struct sub *s, char *out, size_t cap)
{
	snprintf(out, cap,
		 "\nid\t%u\nimsi\t%s\nmsisdn\t%s\nnam_cs\t%d\nnam_ps\t%d%s%s\nms_purged_cs\t0\nms_purged_ps\t0", s->id,
		 s->imsi, *s->msisdn ? s->msisdn : "none", s->cs, s->ps, *s->vlr ? "\nvlr_number\t" : "", s->vlr);
}

static void info_keys(const struct sub *s, char *out, size_t cap)
{
	size_t at;

	if (!s->keys)
		return;
	at = (size_t)snprintf(out, cap, "\naud3g.algo\tMILENAGE\naud3g.k\t");
	at += hex_put(out + at, cap - at, s->k);
	at += (size_t)snprintf(out + at, cap - at, "\naud3g.opc\t");
	at += hex_put(out + at, cap - at, s->opc);
	snprintf(out + at, cap - at, "\naud3g.ind_bitlen\t%d\naud3g.sqn\t%llu", IND_BITS, (unsigned long long)s->sqn);
}

static const char *sub_get(const struct sub *s, const char *what, char *value, size_t cap)
{
	value[0] = '\0';
	if (!strcmp(what, "info") || !strcmp(what, "info-all"))
		info_sub(s, value, cap);
	if (!strcmp(what, "info-aud") || !strcmp(what, "info-all"))
		info_keys(s, value + strlen(value), cap - strlen(value));
	else if (!strcmp(what, "msisdn"))
		snprintf(value, cap, "%s", *s->msisdn ? s->msisdn : "none");
	else if (!strcmp(what, "cs-enabled"))
		snprintf(value, cap, "%d", s->cs);
	else if (!strcmp(what, "ps-enabled"))
		snprintf(value, cap, "%d", s->ps);
	else if (strncmp(what, "info", 4))
		return "Command not found";
	return NULL;
}

/* subscriber.by-KIND-VALUE.WHAT */
static const char *by(struct sim_hlr *h, bool set, char *variable, const char *v, char *value, size_t cap)
{
	char *what = strrchr(variable, '.'), *id;
	const char *why;
	struct sub *s;

	if (!what)
		return "Command not found";
	*what++ = '\0';
	if (!strncmp(variable, "imsi-", 5)) {
		s = find(h, variable + 5);
	} else if (!strncmp(variable, "msisdn-", 7)) {
		s = find_msisdn(h, variable + 7);
	} else if (!strncmp(variable, "id-", 3)) {
		unsigned long n = strtoul(variable + 3, &id, 10);

		s = NULL;
		for (size_t i = 0; !*id && !s && i < h->buckets; i++)
			for (s = h->by_imsi[i]; s && s->id != n;)
				s = s->next_imsi;
	} else {
		return "Command not found";
	}
	if (!s)
		return "No such subscriber.";
	if (!set)
		return sub_get(s, what, value, cap);
	why = sub_set(h, s, what, v);
	snprintf(value, cap, "OK");
	return why;
}

void sim_hlr_ctrl(struct sim_hlr *h, const char *request, char reply[SIM_HLR_REPLY_MAX])
{
	static const char sub[] = "subscriber.";
	char verb[8], variable[128], copy[128], v[160] = "", value[SIM_HLR_REPLY_MAX - 200] = "";
	const char *why = "Command not found";
	unsigned id;
	bool set;
	int n = sscanf(request, "%7s %u %127s %159s", verb, &id, variable, v);

	set = n >= 1 && !strcmp(verb, "SET");
	if (n < 3 || (!set && strcmp(verb, "GET")) || (set && n < 4)) {
		snprintf(reply, SIM_HLR_REPLY_MAX, "ERROR err Command parser error.");
		return;
	}
	strcpy(copy, variable);
	if (set && !strcmp(variable, "subscriber.create"))
		why = create(h, v, value, sizeof(value));
	else if (set && !strcmp(variable, "subscriber.delete"))
		why = delete (h, v, value, sizeof(value));
	else if (!strncmp(variable, "subscriber.by-", 14))
		why = by(h, set, copy + sizeof(sub) - 1 + 3, v, value, sizeof(value));
	if (why)
		snprintf(reply, SIM_HLR_REPLY_MAX, "ERROR %u %s", id, why);
	else
		snprintf(reply, SIM_HLR_REPLY_MAX, "%s_REPLY %u %s %s", verb, id, variable, value);
	OPENSSL_cleanse(v, sizeof(v));
	OPENSSL_cleanse(value, sizeof(value));
}

/* ---- authentication centre ---- */

static void sqn_put(uint64_t sqn, uint8_t out[6])
{
	for (int i = 0; i < 6; i++)
		out[i] = (uint8_t)(sqn >> 8 * (5 - i));
}

static int run(const struct sub *s, const uint8_t rand[16], uint64_t sqn, const uint8_t amf[2], struct sim_aka *a)
{
	struct sim_aka_keys k = { .alg = SIM_AKA_MILENAGE };
	uint8_t octets[6];
	int rc;

	memcpy(k.k, s->k, sizeof(k.k));
	memcpy(k.opc, s->opc, sizeof(k.opc));
	sqn_put(sqn, octets);
	rc = sim_aka_run(&k, rand, octets, amf, a);
	OPENSSL_cleanse(&k, sizeof(k));
	return rc;
}

enum sim_hlr_end sim_hlr_vector(struct sim_hlr *h, const char *imsi, const uint8_t rand[16], struct sim_hlr_vector *out)
{
	static const uint8_t amf[2] = { 0x80, 0x00 };
	struct sub *s = find(h, imsi);
	struct sim_aka a;
	uint8_t sqn[6];

	if (h->down)
		return SIM_HLR_DOWN;
	if (!s)
		return SIM_HLR_UNKNOWN;
	if (!s->cs && !s->ps)
		return SIM_HLR_BARRED;
	if (!s->keys)
		return SIM_HLR_NO_KEYS;
	/* the next one with this node's IND */
	s->sqn = (((s->sqn >> IND_BITS) + 1) << IND_BITS) + IND_NODE;
	if (run(s, rand, s->sqn, amf, &a) < 0)
		return SIM_HLR_NO_KEYS;
	sqn_put(s->sqn, sqn);
	for (int i = 0; i < 6; i++)
		out->autn[i] = sqn[i] ^ a.ak[i];
	memcpy(out->autn + 6, amf, 2);
	memcpy(out->autn + 8, a.mac_a, 8);
	memcpy(out->xres, a.res, 8);
	OPENSSL_cleanse(&a, sizeof(a));
	return SIM_HLR_OK;
}

/* TS 33.102, 6.3.5: SQN_MS is believed when MAC-S is right, and taken over. */
bool sim_hlr_resync(struct sim_hlr *h, const char *imsi, const uint8_t rand[16], const uint8_t auts[14])
{
	static const uint8_t amf[2] = { 0, 0 };
	struct sub *s = find(h, imsi);
	struct sim_aka a;
	uint64_t sqn = 0;

	if (!s || !s->keys || run(s, rand, 0, amf, &a) < 0)
		return false;
	for (int i = 0; i < 6; i++)
		sqn = sqn << 8 | (auts[i] ^ a.ak_s[i]);
	if (run(s, rand, sqn, amf, &a) < 0 || CRYPTO_memcmp(a.mac_s, auts + 6, 8))
		return false;
	s->sqn = sqn;
	return true;
}

bool sim_hlr_locate(struct sim_hlr *h, const char *imsi, const char *vlr)
{
	struct sub *s = find(h, imsi);

	if (!s || (*vlr && !digits(vlr, 1, SIM_HLR_DIGITS_MAX)))
		return false;
	strcpy(s->vlr, vlr);
	return true;
}

/* ---- what its network asks it ---- */

bool sim_hlr_knows(const struct sim_hlr *h, const char *imsi)
{
	return find(h, imsi) != NULL;
}

bool sim_hlr_imsi_of(const struct sim_hlr *h, const char *msisdn, char imsi[SIM_HLR_DIGITS_MAX + 1])
{
	const struct sub *s = find_msisdn(h, msisdn);

	if (s)
		strcpy(imsi, s->imsi);
	return s != NULL;
}

bool sim_hlr_msisdn_of(const struct sim_hlr *h, const char *imsi, char msisdn[SIM_HLR_DIGITS_MAX + 1])
{
	const struct sub *s = find(h, imsi);

	if (s)
		strcpy(msisdn, s->msisdn);
	return s != NULL;
}

bool sim_hlr_waiting(struct sim_hlr *h, const char *imsi, bool now)
{
	struct sub *s = find(h, imsi);
	bool was = s && s->waiting;

	if (s)
		s->waiting = now;
	return was;
}

/* ---- what it does not do ---- */

void sim_hlr_fail_creates(struct sim_hlr *h, uint32_t ppm, uint64_t seed)
{
	h->fail_ppm = ppm;
	h->fail_seed = seed;
}

bool sim_hlr_cannot_create(const struct sim_hlr *h, const char *imsi)
{
	uint64_t v = h->fail_seed;

	for (; *imsi; imsi++) {
		v = (v ^ (uint8_t)*imsi) * 0xbf58476d1ce4e5b9u;
		v ^= v >> 29;
	}
	return v % 1000000u < h->fail_ppm;
}

void sim_hlr_down(struct sim_hlr *h, bool down)
{
	h->down = down;
}

bool sim_hlr_is_down(const struct sim_hlr *h)
{
	return h->down;
}
