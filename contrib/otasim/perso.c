/* perso.c - a fleet from a personalisation: whose numbers and keys stand in a list, as its maker gave them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "fleet.h"

#define CELL_MAX   80 /* characters of a field, NUL included: a key of 32 octets and room */
#define INDEX_MAX  65534
#define CARDS_MAX  1000000u
#define COLUMN_MAX 32 /* of a list */
#define USUAL	   "ICCID,INDEX,KVN,K,OPC,KIC,KID,KIK,IMSI,MSISDN"

enum column { C_ICCID, C_IMSI, C_MSISDN, C_INDEX, C_KVN, C_K, C_OPC, C_KIC, C_KID, C_KIK, _COLUMNS };
static const char *const names[_COLUMNS] = {
	"ICCID", "IMSI", "MSISDN", "INDEX", "KVN", "K", "OPC", "KIC", "KID", "KIK"
};

struct ref { /* a line, by the card it is of */
	const char *at;
	unsigned number;
};

struct perso {
	struct fleet *f;
	const struct sim_card_profile *p;
	const char *name, *end;
	int column[COLUMN_MAX];	 /* which of ours stands there, -1 another */
	unsigned columns, first; /* first: number of the first line that is a card's */
	struct ref *ref;
	size_t refs;
	char *err;
	size_t err_cap;
};

/* One card while its lines are read. */
struct one {
	char iccid[SIM_ICCID_LEN], imsi[SIM_IMSI_LEN], msisdn[SIM_IMSI_LEN];
	unsigned n, kvn; /* kvn of the active pair, 0: no line names it */
	unsigned active;
	unsigned line; /* of its first pair */
	bool applet;
	struct sim_sub_perso pair[SIM_PAIRS_MAX];
	struct sim_ota_keys vault, change;
};

__attribute__((format(printf, 4, 5))) static bool wrong(struct perso *s, unsigned line, int column, const char *fmt,
							...)
{
	int n = snprintf(s->err, s->err_cap, column < 0 ? "%.200s:%u: " : "%.200s:%u: column %s: ", s->name, line,
			 column < 0 ? "" : names[column]);
	va_list ap;

	va_start(ap, fmt);
	if (n > 0 && (size_t)n < s->err_cap)
		vsnprintf(s->err + n, s->err_cap - (size_t)n, fmt, ap);
	va_end(ap);
	return false;
}

/* ---- lines ---- */

static const char *line_end(const struct perso *s, const char *at)
{
	const char *nl = memchr(at, '\n', (size_t)(s->end - at));

	nl = nl ? nl : s->end;
	return nl > at && nl[-1] == '\r' ? nl - 1 : nl;
}

/* The field that begins at *at, and on to the next one.  False: longer than any of ours. */
static bool cell_take(const char **at, const char *end, char out[CELL_MAX])
{
	const char *comma = memchr(*at, ',', (size_t)(end - *at));
	size_t n = (size_t)((comma ? comma : end) - *at);

	out[0] = '\0';
	if (n < CELL_MAX) {
		memcpy(out, *at, n);
		out[n] = '\0';
	}
	*at = comma ? comma + 1 : end + 1; /* beyond the end: there is no more */
	return n < CELL_MAX;
}

static bool columns_take(struct perso *s, const char *at, const char *end)
{
	bool have[_COLUMNS] = { false };
	char cell[CELL_MAX];

	while (at <= end) {
		int which = -1;

		if (s->columns == COLUMN_MAX)
			return wrong(s, 1, -1, "more than %d columns", COLUMN_MAX);
		if (!cell_take(&at, end, cell))
			cell[0] = '\0';
		for (int i = 0; i < _COLUMNS && which < 0; i++)
			which = strcmp(cell, names[i]) ? -1 : i;
		if (which >= 0 && have[which])
			return wrong(s, 1, which, "there twice");
		if (which >= 0)
			have[which] = true;
		s->column[s->columns++] = which;
	}
	for (int i = 0; i < _COLUMNS; i++) {
		if (!have[i] && i != C_IMSI && i != C_MSISDN)
			return wrong(s, 1, i, "not there; the first line names " USUAL " in any order");
	}
	return true;
}

/* Without a line of names the columns stand as usual. */
static bool header_read(struct perso *s, const char *at)
{
	const char *end = line_end(s, at);

	s->first = 2;
	if (at < end && *at >= '0' && *at <= '9') {
		s->first = 1;
		at = USUAL;
		end = at + strlen(at);
	}
	return columns_take(s, at, end);
}

static bool line_cut(struct perso *s, const struct ref *r, char cell[_COLUMNS][CELL_MAX])
{
	const char *at = r->at, *end = line_end(s, at);
	char other[CELL_MAX];
	unsigned n = 0;

	memset(cell, 0, _COLUMNS * CELL_MAX);
	for (; at <= end; n++) {
		int which = n < s->columns ? s->column[n] : -1;

		if (!cell_take(&at, end, which < 0 ? other : cell[which]) && which >= 0)
			return wrong(s, r->number, which, "too long");
	}
	if (n > s->columns) /* fewer: what is not there is empty */
		return wrong(s, r->number, -1, "%u columns, there are names for %u", n, s->columns);
	return true;
}

static bool iccid_of(struct perso *s, const struct ref *r, char out[CELL_MAX])
{
	const char *at = r->at, *end = line_end(s, at);

	for (unsigned n = 0; at <= end && n < s->columns; n++) {
		bool fits = cell_take(&at, end, out);

		if (s->column[n] != C_ICCID)
			continue;
		if (fits && strspn(out, "0123456789") == strlen(out) && strlen(out) >= 18 &&
		    strlen(out) < SIM_ICCID_LEN)
			return true;
		break;
	}
	return wrong(s, r->number, C_ICCID, "18 or 19 digits are wanted");
}

/* ---- sorting lines by card ---- */

struct keyed {
	char iccid[SIM_ICCID_LEN];
	struct ref ref;
};

static int by_iccid(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;
	int cmp = strcmp(x->iccid, y->iccid);

	return cmp ? cmp : (x->ref.number > y->ref.number) - (x->ref.number < y->ref.number);
}

/* All lines but the first, those of one card side by side; how many cards there are, 0: wrong. */
static uint32_t lines_sort(struct perso *s, const char *text)
{
	struct keyed *k;
	size_t lines = 0;
	uint32_t cards = 0;
	unsigned number = 1;
	char iccid[CELL_MAX];

	for (const char *p = text; p < s->end; p++)
		lines += *p == '\n';
	k = calloc(lines + 1, sizeof(*k));
	s->ref = calloc(lines + 1, sizeof(*s->ref));
	if (!k || !s->ref) {
		free(k);
		wrong(s, 1, -1, "no memory for %zu lines", lines);
		return 0;
	}
	for (const char *p = text; p < s->end; number++) {
		const char *nl = memchr(p, '\n', (size_t)(s->end - p));
		struct ref r = { p, number };

		if (number >= s->first && line_end(s, p) > p) {
			if (!iccid_of(s, &r, iccid)) {
				free(k);
				return 0;
			}
			memcpy(k[s->refs].iccid, iccid, SIM_ICCID_LEN);
			k[s->refs++].ref = r;
		}
		p = nl ? nl + 1 : s->end;
	}
	qsort(k, s->refs, sizeof(*k), by_iccid);
	for (size_t i = 0; i < s->refs; i++) {
		cards += i == 0 || strcmp(k[i].iccid, k[i - 1].iccid);
		s->ref[i] = k[i].ref;
	}
	free(k);
	if (!cards || cards > CARDS_MAX)
		wrong(s, 1, -1, cards ? "more than %u cards" : "there is no card (at most %u)", CARDS_MAX);
	return cards <= CARDS_MAX ? cards : 0;
}

/* ---- fields ---- */

static bool number_take(const char *text, unsigned lo, unsigned hi, unsigned *v)
{
	size_t n = strspn(text, "0123456789");

	if (!n || text[n] || n > 6)
		return false;
	*v = (unsigned)strtoul(text, NULL, 10);
	return *v >= lo && *v <= hi;
}

static bool hex_take(const char *text, uint8_t *out, size_t len)
{
	if (strlen(text) != 2 * len || strspn(text, "0123456789abcdefABCDEF") != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		char two[3] = { text[2 * i], text[2 * i + 1], '\0' };

		out[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	return true;
}

static bool ota_take(struct perso *s, unsigned line, char cell[_COLUMNS][CELL_MAX], struct sim_ota_keys *k)
{
	uint8_t *const to[] = { k->kic, k->kid, k->kik };

	k->len = (uint8_t)sim_alg_key_len(s->p->alg);
	for (int i = 0; i < 3; i++) {
		if (!hex_take(cell[C_KIC + i], to[i], k->len))
			return wrong(s, line, C_KIC + i, "%u hexadecimal digits are wanted for %s (--alg)", 2u * k->len,
				     sim_alg_name(s->p->alg));
	}
	return true;
}

/* IMSI or MSISDN: once said it is not contradicted. */
static bool digits_take(struct perso *s, unsigned line, int column, const char *text, size_t min, char to[SIM_IMSI_LEN])
{
	size_t n = strlen(text);

	if (!n)
		return true;
	if (strspn(text, "0123456789") != n || n < min || n >= SIM_IMSI_LEN)
		return wrong(s, line, column, "%zu to %d digits are wanted", min, SIM_IMSI_LEN - 1);
	if (to[0] && strcmp(to, text))
		return wrong(s, line, column, "an earlier line of this card has %s", to);
	memcpy(to, text, n + 1);
	return true;
}

static bool keyset_take(struct perso *s, unsigned line, char cell[_COLUMNS][CELL_MAX], struct one *o)
{
	struct sim_ota_keys *k;
	unsigned kvn;

	if (!number_take(cell[C_KVN], SIM_KVN_VAULT, SIM_KVN_CHANGE, &kvn))
		return wrong(s, line, C_KVN, "a keyset without INDEX has key version %d or %d", SIM_KVN_VAULT,
			     SIM_KVN_CHANGE);
	k = kvn == SIM_KVN_VAULT ? &o->vault : &o->change;
	if (k->len)
		return wrong(s, line, C_KVN, "%u is there twice for this card", kvn);
	return ota_take(s, line, cell, k);
}

static bool pair_take(struct perso *s, unsigned line, char cell[_COLUMNS][CELL_MAX], struct one *o)
{
	struct sim_sub_perso *p = &o->pair[o->n];
	unsigned index, kvn = 0, hi = o->applet ? 2 : 15;

	if (o->n == (o->applet ? SIM_PAIRS_MAX : 1))
		return wrong(s, line, C_INDEX,
			     o->applet ? "more than %d pairs for one card" :
					 "more than %d pair for a card without the applet (--pairs, --plain)",
			     o->applet ? SIM_PAIRS_MAX : 1);
	if (!number_take(cell[C_INDEX], 1, INDEX_MAX, &index))
		return wrong(s, line, C_INDEX, "1 to %d are wanted", INDEX_MAX);
	for (unsigned i = 0; i < o->n; i++) {
		if (o->pair[i].index == index)
			return wrong(s, line, C_INDEX, "%u is there twice for this card", index);
	}
	if (cell[C_KVN][0] && !number_take(cell[C_KVN], 1, hi, &kvn))
		return wrong(s, line, C_KVN, "of a pair: 1 to %u, or empty", hi);
	if (kvn && o->kvn)
		return wrong(s, line, C_KVN, "only one pair of a card is active");
	p->index = (uint16_t)index;
	if (!hex_take(cell[C_K], p->k, 16))
		return wrong(s, line, C_K, "32 hexadecimal digits are wanted");
	if (!hex_take(cell[C_OPC], p->opc, 16))
		return wrong(s, line, C_OPC, "32 hexadecimal digits are wanted");
	if (!ota_take(s, line, cell, &p->ota))
		return false;
	o->line = o->n ? o->line : line;
	if (kvn) {
		o->kvn = kvn;
		o->active = o->n;
	} else if (!o->kvn && index < o->pair[o->active].index) {
		o->active = o->n;
	}
	o->n++;
	return true;
}

static bool line_take(struct perso *s, const struct ref *r, struct one *o)
{
	char cell[_COLUMNS][CELL_MAX];
	bool ok = line_cut(s, r, cell), keys;

	keys = ok && (cell[C_INDEX][0] || cell[C_KVN][0] || cell[C_K][0] || cell[C_KIC][0]);
	ok = ok && digits_take(s, r->number, C_IMSI, cell[C_IMSI], 6, o->imsi) &&
	     digits_take(s, r->number, C_MSISDN, cell[C_MSISDN], 1, o->msisdn);
	if (ok) {
		memcpy(o->iccid, cell[C_ICCID], SIM_ICCID_LEN);
		if (cell[C_INDEX][0])
			ok = pair_take(s, r->number, cell, o);
		else if (keys)
			ok = keyset_take(s, r->number, cell, o);
	}
	OPENSSL_cleanse(cell, sizeof(cell));
	return ok;
}

/* ---- cards ---- */

static bool card_make(struct perso *s, uint32_t i, uint64_t seed, const struct ref *first, struct one *o)
{
	struct sim_sub_perso active = o->pair[o->active];
	struct sim_card *c = &s->f->cards[i];
	const struct sim_card_perso id = { .iccid = o->iccid,
					   .imsi = o->imsi,
					   .msisdn = o->msisdn,
					   .kvn = (uint8_t)(o->kvn ? o->kvn : s->p->kvn),
					   .kic = active.ota.kic,
					   .kid = active.ota.kid,
					   .kik = active.ota.kik };
	bool ok;

	if (!o->n)
		return wrong(s, first->number, C_INDEX, "no line of card %s has one", o->iccid);
	ok = sim_card_init(c, seed, i, s->p) == 0;
	if (ok && !o->imsi[0] && !strcmp(c->iccid, o->iccid)) { /* a card of this seed: its numbers are known */
		strcpy(o->imsi, c->imsi_first);
		if (!o->msisdn[0])
			strcpy(o->msisdn, c->msisdn);
	}
	if (!o->imsi[0])
		return wrong(s, first->number, C_IMSI,
			     "no line of card %s has one, and it is not card %u of this --seed", o->iccid, i + 1);
	o->pair[o->active] = o->pair[0];
	o->pair[0] = active;
	ok = ok && sim_card_personalise(c, &id) == 0;
	if (ok && o->applet) {
		ok = sim_card_sub_personalise(c, &s->f->subs[i], o->pair, o->n, &o->vault, &o->change) == 0;
	} else if (ok) {
		memcpy(s->f->usims[i].k, active.k, sizeof(active.k));
		memcpy(s->f->usims[i].opc, active.opc, sizeof(active.opc));
		c->usim = &s->f->usims[i];
	}
	OPENSSL_cleanse(&active, sizeof(active));
	return ok ||
	       wrong(s, o->line, -1, "card %s: the applet wants AES keys (--alg), and key version 1 or 2", o->iccid);
}

static bool cards_make(struct perso *s, uint64_t seed)
{
	size_t at = 0;
	bool ok = true;

	for (uint32_t i = 0; ok && i < s->f->n; i++) {
		struct one o = { .applet = i < s->f->applets };
		size_t first = at;
		char iccid[CELL_MAX], next[CELL_MAX];

		iccid_of(s, &s->ref[at], iccid);
		do
			ok = line_take(s, &s->ref[at++], &o);
		while (ok && at < s->refs && iccid_of(s, &s->ref[at], next) && !strcmp(iccid, next));
		ok = ok && card_make(s, i, seed, &s->ref[first], &o);
		OPENSSL_cleanse(&o, sizeof(o));
	}
	return ok;
}

int fleet_init_perso(struct fleet *f, const char *name, const char *text, size_t len, uint64_t seed,
		     const struct sim_card_profile *p, const char *new_imsi_prefix, char *err, size_t err_cap)
{
	struct perso s = { .f = f, .p = p, .name = name, .end = text + len, .err = err, .err_cap = err_cap };
	struct sim_card_profile keyed = *p;
	bool ok;

	*f = (struct fleet){ 0 };
	snprintf(f->new_imsi_prefix, sizeof(f->new_imsi_prefix), "%s", new_imsi_prefix);
	ok = header_read(&s, text) && (f->n = lines_sort(&s, text)) > 0;
	keyed.usim = true;
	ok = ok && !fleet_room(f, &keyed, err, err_cap) && cards_make(&s, seed);
	free(s.ref);
	if (ok)
		return 0;
	fleet_free(f);
	return -1;
}
