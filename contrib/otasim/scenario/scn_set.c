/* scn_set.c - sets of cards: "card 1-100,205", "every 7th", "10%", "all", a group's name, each with "but ...".
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A share of the fleet is exactly that share, rounded: each card has a draw from the seed and the share's key, and those
 * with the lowest draws are in.  A group's key is its name, so that a line added above does not choose other cards.
 */
#include <stdlib.h>
#include <string.h>

#include "scn_int.h"

#define NOT_A_GROUP UINT16_MAX

static uint64_t draw(uint64_t seed, uint64_t key, uint32_t card)
{
	struct sim_rng r = { seed ^ key };

	r.s ^= sim_rng_next(&r) + 0x9e3779b97f4a7c15u * (card + 1ull);
	return sim_rng_next(&r);
}

/* ---- membership ---- */

static bool term_has(const struct scn *s, const struct scn_term *t, uint32_t card)
{
	switch (t->kind) {
	case TERM_LIST:
		return card >= t->lo && card <= t->hi;
	case TERM_EVERY:
		return (card + 1) % t->lo == 0;
	case TERM_SHARE:
		return draw(s->seed, t->key, card) <= t->thr;
	case TERM_SET:
		return scn_in(s, (uint16_t)t->lo, card);
	}
	return false;
}

/* A set names earlier sets only, so this comes to an end. */
bool scn_in(const struct scn *s, uint16_t set, uint32_t card)
{
	const struct scn_set *st = &s->set[set];
	bool in = set == SCN_ALL;

	for (unsigned i = 0; i < st->n && !in; i++)
		in = term_has(s, &s->term[st->first + i], card);
	return in && (st->but < 0 || !scn_in(s, (uint16_t)st->but, card));
}

uint32_t scn_set_size(const struct scn *s, uint16_t set)
{
	uint32_t n = 0;

	if (set == SCN_ALL)
		return s->cards;
	for (uint32_t i = 0; i < s->cards; i++)
		n += scn_in(s, set, i);
	return n;
}

/* ---- reading ---- */

static uint16_t group_find(const struct scn *s, const char *name)
{
	for (unsigned i = 0; i < s->groups; i++) {
		if (!strcmp(s->group[i].name, name))
			return s->group[i].set;
	}
	return NOT_A_GROUP;
}

bool scn_set_begins(const struct line *l)
{
	const char *w = scn_peek(l);

	return !strcmp(w, "card") || !strcmp(w, "cards") || !strcmp(w, "every") || !strcmp(w, "all") ||
	       scn_is_share(w) || group_find(l->scn, w) != NOT_A_GROUP;
}

static struct scn_term *term_new(struct line *l, struct scn_set *set)
{
	static struct scn_term none;
	struct scn *s = l->scn;

	if (l->bad)
		return &none;
	if (s->terms == SCN_TERMS_MAX) {
		scn_wrong(l, "the sets of this scenario have more than %d parts", SCN_TERMS_MAX);
		return &none;
	}
	set->n++;
	return &s->term[s->terms++];
}

/* "5" or "1-100" out of a comma list; p is moved behind it. */
static void range_read(struct line *l, struct scn_set *set, char *part)
{
	char *dash = strchr(part, '-'), *hi_text = dash ? dash + 1 : part;
	uint64_t lo, hi;

	if (dash)
		*dash = '\0';
	if (!scn_is_number(part) || !scn_is_number(hi_text) || strlen(part) > 9 || strlen(hi_text) > 9) {
		scn_wrong(l,
			  "\"%.40s%s%.40s\" is not a card or a range of cards like 1-100; cards are numbered as in "
			  "cards.csv",
			  part, dash ? "-" : "", dash ? hi_text : "");
		return;
	}
	lo = strtoull(part, NULL, 10);
	hi = strtoull(hi_text, NULL, 10);
	if (lo < 1 || lo > hi) {
		scn_wrong(l, "cards %llu-%llu: the first card is 1, and ranges go upwards", (unsigned long long)lo,
			  (unsigned long long)hi);
		return;
	}
	*term_new(l, set) = (struct scn_term){ .kind = TERM_LIST, .lo = (uint32_t)lo - 1, .hi = (uint32_t)hi - 1 };
}

/* "1-100,205": may go on in the next word after a comma at its end. */
static void list_read(struct line *l, struct scn_set *set)
{
	bool more;

	do {
		char *p = (char *)scn_next(l, "the number of a card"), *comma; /* a word of our own buffer */

		if (l->bad)
			return;
		do {
			comma = strchr(p, ',');
			if (comma)
				*comma = '\0';
			range_read(l, set, p);
			p = comma ? comma + 1 : p;
		} while (comma && *p && !l->bad);
		more = comma;
	} while (more && !l->bad);
}

/* "7th" */
static void every_read(struct line *l, struct scn_set *set)
{
	const char *word = scn_next(l, "which, as in \"every 7th\",");
	size_t n = strspn(word, "0123456789");
	const char *end = word + n;
	uint64_t v = n && n <= 9 ? strtoull(word, NULL, 10) : 0;

	if (l->bad)
		return;
	if (v < 2 || (strcmp(end, "th") && strcmp(end, "nd") && strcmp(end, "rd") && strcmp(end, "st")))
		scn_wrong(l, "\"every %.40s\" is no set of cards: wanted is every 2nd, 3rd, 4th ...", word);
	*term_new(l, set) = (struct scn_term){ .kind = TERM_EVERY, .lo = (uint32_t)v };
}

static uint64_t key_of(const char *name)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3u;
	return h;
}

static void share_read(struct line *l, struct scn_set *set)
{
	struct scn_term t = { .kind = TERM_SHARE, .ppm = scn_share(l, "set of cards") };

	if (!l->bad && l->scn->shares == SCN_SHARES_MAX)
		scn_wrong(l, "more than %d shares of the fleet; a group is drawn once and can be named often",
			  SCN_SHARES_MAX);
	t.key = 0xa5a5 + ++l->scn->shares;
	t.hi = l->number;
	*term_new(l, set) = t;
}

static uint16_t set_new(struct line *l)
{
	struct scn *s = l->scn;

	if (s->sets == SCN_SETS_MAX) {
		scn_wrong(l, "more than %d sets of cards", SCN_SETS_MAX);
		return SCN_ALL;
	}
	s->set[s->sets] = (struct scn_set){ .first = (uint16_t)s->terms, .but = -1 };
	return (uint16_t)s->sets++;
}

uint16_t scn_set_read(struct line *l)
{
	const char *word = scn_next(l, "a set of cards");
	struct scn *s = l->scn;
	uint16_t group, at, but;
	struct scn_set set;

	if (l->bad)
		return SCN_ALL;
	if (!strcmp(word, "all") && strcmp(scn_peek(l), "but"))
		return SCN_ALL;
	set = (struct scn_set){ .first = (uint16_t)s->terms, .but = -1 };
	group = group_find(s, word);
	if (!strcmp(word, "card") || !strcmp(word, "cards")) {
		list_read(l, &set);
	} else if (!strcmp(word, "every")) {
		every_read(l, &set);
	} else if (!strcmp(word, "all")) {
		*term_new(l, &set) = (struct scn_term){ .kind = TERM_LIST, .hi = SCN_CARDS_MAX };
	} else if (scn_is_share(word)) {
		l->at--;
		share_read(l, &set);
	} else if (group != NOT_A_GROUP) {
		if (strcmp(scn_peek(l), "but"))
			return group;
		*term_new(l, &set) = (struct scn_term){ .kind = TERM_SET, .lo = group };
		set.nest = s->set[group].nest + 1;
	} else {
		static const char *const known[] = { "card", "every", "all" };

		scn_wrong_word(l, word, "a set of cards (nor a group that was named above)", known, 3);
	}
	if (scn_take(l, "but")) {
		but = scn_set_read(l);
		set.but = (int16_t)but;
		if (s->set[but].nest + 1 > set.nest)
			set.nest = s->set[but].nest + 1;
		if (but == SCN_ALL)
			scn_wrong(l, "\"but all\" leaves nobody");
	}
	if (set.nest > SCN_NEST_MAX)
		scn_wrong(l, "sets inside sets inside sets: at most %d deep", SCN_NEST_MAX);
	at = set_new(l);
	s->set[at] = l->bad ? s->set[at] : set;
	return at;
}

static const char *const reserved[] = { "card",	 "cards",  "every", "all",	"but",	    "smsc",  "smscs",
					"group", "expect", "set",   "scenario", "seed",	    "begin", "end",
					"quiet", "at",	   "from",  "to",	"for",	    "until", "by",
					"while", "after",  "no",    "total",	"at-least", "imsi" };

void scn_group_read(struct line *l)
{
	const char *name = scn_next(l, "the group's name");
	struct scn *s = l->scn;
	unsigned before = s->terms;
	uint16_t set;

	if (l->bad)
		return;
	if (strlen(name) >= SCN_NAME_MAX || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(name) ||
	    name[0] < 'a' || name[0] > 'z')
		scn_wrong(l,
			  "\"%.40s\" is no name for a group: up to %d small letters, digits, - and _, a letter first",
			  name, SCN_NAME_MAX - 1);
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		if (!strcmp(name, reserved[i]))
			scn_wrong(l, "\"%s\" is a word of the language and no name for a group", name);
	}
	if (group_find(s, name) != NOT_A_GROUP)
		scn_wrong(l, "there is a group \"%s\" already", name);
	if (s->groups == SCN_GROUPS_MAX)
		scn_wrong(l, "more than %d groups", SCN_GROUPS_MAX);
	if (!scn_take(l, "="))
		scn_wrong(l, "wanted is \"group %.40s = 10%%\", or another set of cards", name);
	set = scn_set_read(l);
	if (l->bad)
		return;
	for (unsigned i = before; i < s->terms; i++) {
		if (s->term[i].kind == TERM_SHARE)
			s->term[i].key = key_of(name) + i - before;
	}
	strcpy(s->group[s->groups].name, name);
	s->group[s->groups].line = l->number;
	s->group[s->groups++].set = set;
}

/* ---- once the fleet's size is known ---- */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool share_resolve(struct line *l, struct scn_term *t, uint64_t *draws)
{
	struct scn *s = l->scn;
	uint64_t n = ((uint64_t)s->cards * t->ppm + SIM_PPM / 2) / SIM_PPM;

	l->number = t->hi;
	if (n == 0) {
		scn_wrong(l, "this share of %u cards is no card at all", s->cards);
		return false;
	}
	for (uint32_t i = 0; i < s->cards; i++)
		draws[i] = draw(s->seed, t->key, i);
	qsort(draws, s->cards, sizeof(*draws), by_value);
	t->thr = draws[n - 1];
	return true;
}

static bool lists_fit(struct line *l, uint16_t set, unsigned line)
{
	const struct scn *s = l->scn;
	const struct scn_set *st = &s->set[set];

	for (unsigned i = 0; i < st->n; i++) {
		const struct scn_term *t = &s->term[st->first + i];

		l->number = line;
		if (t->kind == TERM_LIST && t->hi >= s->cards && t->hi != SCN_CARDS_MAX)
			scn_wrong(l, "card %u: this fleet has %u cards", t->hi + 1, s->cards);
		else if (t->kind == TERM_EVERY && t->lo > s->cards)
			scn_wrong(l, "every %uth: this fleet has %u cards", t->lo, s->cards);
		else if (t->kind == TERM_SET)
			lists_fit(l, (uint16_t)t->lo, line);
	}
	return !l->bad && (st->but < 0 || lists_fit(l, (uint16_t)st->but, line));
}

static bool set_empty(const struct scn *s, uint16_t set)
{
	for (uint32_t i = 0; i < s->cards; i++) {
		if (scn_in(s, set, i))
			return false;
	}
	return true;
}

bool scn_sets_resolve(struct line *l)
{
	struct scn *s = l->scn;
	uint64_t *draws = s->shares ? malloc(s->cards * sizeof(*draws)) : NULL;

	if (s->shares && !draws)
		scn_wrong(l, "no memory for %u cards", s->cards);
	for (unsigned i = 0; i < s->terms && !l->bad; i++) {
		if (s->term[i].kind == TERM_SHARE)
			share_resolve(l, &s->term[i], draws);
	}
	free(draws);
	for (unsigned i = 0; i < s->groups && !l->bad; i++)
		lists_fit(l, s->group[i].set, s->group[i].line);
	for (unsigned i = 0; i < s->rules && !l->bad; i++) {
		if (lists_fit(l, s->rule[i].set, s->rule[i].line) && set_empty(s, s->rule[i].set))
			scn_wrong(l, "no card is left in this set");
	}
	for (unsigned i = 0; i < s->expects && !l->bad; i++) {
		const struct scn_expect *e = &s->expect[i];

		if (lists_fit(l, e->set, e->line) && set_empty(s, e->set))
			scn_wrong(l, "no card is left in this set");
		else if (!l->bad && e->need_n > scn_set_size(s, e->set))
			scn_wrong(l, "at least %u: this set has %u cards", e->need_n, scn_set_size(s, e->set));
	}
	return !l->bad;
}
