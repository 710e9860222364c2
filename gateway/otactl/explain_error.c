/* explain_error.c - `otactl explain-error`: what a code means, of which class it is, and what the gateway does about it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Needs no gateway: the error table is built in, and the waits come from the retry rules that the core runs.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ota/errtab_file.h"
#include "ota/nearest.h"

#include "../core/profile.h"
#include "../core/retry.h"
#include "ctl.h"

#define ARRAY_SIZE(a)	 (sizeof(a) / sizeof((a)[0]))
#define ANSWERS_MAX	 32
#define TEXT_MAX	 400
#define CODE_TEXT_MAX	 64 /* octets of a code as it was typed */
#define COUNTER_EXACTLY	 3  /* SPI1: exactly one higher */
#define WAITS_SHOWN	 3  /* delays told before "..." */
#define PROFILE_DIR_ENV	 "OTAGW_PROFILES"
#define PROFILE_DIR_HERE "/etc/otagw/profiles"
#define PROFILE_SUFFIX	 ".profile"

/* Who reports a code: the same class leads to other things when a receipt tells it than when the SMSC does. */
enum reporter { BY_SMSC, BY_RECEIPT, BY_CARD, BY_COMMAND };

struct told {
	enum errtab_plane plane;
	uint64_t key;
	const struct errtab_row *row, *via; /* row NULL: nobody knows the code */
	enum fail_class cls;
	const char *cls_word;
	enum por_meaning means; /* por */
	const char *by_profile; /* por, sw: a line of the profile says so; its class or meaning */
	unsigned profile_line;
	char attempt[TEXT_MAX], wait[TEXT_MAX], ends[TEXT_MAX], link[TEXT_MAX], executed[TEXT_MAX], from[TEXT_MAX];
	bool counts, wakes, has_wait;
	double wait_s, wait_max_s;
};

struct explainer {
	struct errtab *table;
	unsigned flavour;
	struct profile profile;
	bool have_profile;
	char profile_path[CTL_PATH_MAX];
	struct retry_policy retry;
	unsigned n;
	struct told answer[ANSWERS_MAX];
};

__attribute__((format(printf, 2, 3))) static void put(char out[TEXT_MAX], const char *fmt, ...)
{
	size_t at = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + at, TEXT_MAX - at, fmt, ap);
	va_end(ap);
}

/* ------------------------------------------------------------------------------------------------ what is done */

static double delay_s(const struct retry_policy *p, enum fail_class cls, unsigned attempt)
{
	struct retry_policy even = *p;

	even.jitter_pct = 0;
	return (double)retry_at(&even, cls, attempt, 0, 0) / 1000;
}

/* "30 s", "5 min", "6 h", "21 d"; ctl_duration() for what is not so round */
static const char *span(char *buf, size_t cap, double seconds)
{
	static const struct {
		const char *unit;
		unsigned s;
	} units[] = { { "d", 86400 }, { "h", 3600 }, { "min", 60 } };
	unsigned s = (unsigned)(seconds + 0.5);

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (s >= units[i].s && s % units[i].s == 0) {
			snprintf(buf, cap, "%u %s", s / units[i].s, units[i].unit);
			return buf;
		}
	return ctl_duration(buf, cap, seconds);
}

/* "30 s, 1 min, 2 min ... up to 6 h" */
static void tell_wait(struct told *a, const struct retry_policy *p, enum fail_class cls)
{
	char text[32];
	double last = 0;

	a->has_wait = true;
	a->wait_s = delay_s(p, cls, 1);
	a->wait_max_s = delay_s(p, cls, p->attempts_max);
	for (unsigned i = 1; i <= WAITS_SHOWN && last < a->wait_max_s; i++) {
		last = delay_s(p, cls, i);
		put(a->wait, "%s%s", i > 1 ? ", " : "", span(text, sizeof(text), last));
	}
	if (last < a->wait_max_s)
		put(a->wait, " ... up to %s", span(text, sizeof(text), a->wait_max_s));
	put(a->wait, "; each +-%u %%", p->jitter_pct);
	if (a->wakes)
		put(a->wait, "; presence (alert, message from the phone) ends it");
}

static void tell_expiry(struct told *a, const struct retry_policy *p)
{
	char text[32];

	span(text, sizeof(text), (double)p->deadline_ms / 1000);
	if (a->counts)
		put(a->ends, "EXPIRED after %u attempts, or %s after the first", p->attempts_max, text);
	else
		put(a->ends, "EXPIRED %s after the first attempt", text);
}

static bool is_final(enum fail_class cls)
{
	return cls == FAIL_SUBS_PERM || cls == FAIL_CONFIG || cls == FAIL_CARD_PERM;
}

static void tell_executed(struct told *a, const struct retry_policy *p)
{
	if (a->row && a->row->flags & ERRTAB_MAYBE)
		put(a->executed, "perhaps: after %u such attempts the card is asked what it holds", p->silent_max);
}

/* The SMSC's answer to a submit. */
static void by_smsc(struct told *a, const struct retry_policy *p)
{
	char text[32];

	a->counts = retry_counts(a->cls);
	a->wakes = retry_wakes(a->cls);
	if (a->cls == FAIL_NONE || a->cls == FAIL_UNKNOWN) {
		a->counts = true;
		put(a->wait, "%s for the card's answer", span(text, sizeof(text), (double)p->por_timeout_ms / 1000));
		if (a->cls == FAIL_UNKNOWN)
			put(a->wait, ", then as without one: ");
		else
			return;
	}
	put(a->attempt, a->counts ? "counts" : "does not count");
	if (is_final(a->cls)) {
		put(a->ends, "at once: FAILED, or QUARANTINED when an earlier attempt may have reached the card");
		return;
	}
	tell_wait(a, p, a->cls);
	tell_expiry(a, p);
	tell_executed(a, p);
	if (a->cls == FAIL_LINK)
		put(a->link, "told to a bind: connects again, after delays that grow");
	if (a->cls == FAIL_CONGEST)
		put(a->link, a->row && a->row->flags & ERRTAB_SLOW_DOWN ?
				     "halves its rate and pauses" :
				     "halves its rate and pauses after five in a row");
}

/* What a receipt says is a hint. */
static void by_receipt(struct told *a, const struct retry_policy *p)
{
	enum fail_class cls = is_final(a->cls) ? FAIL_CONFIG : retry_counts(a->cls) ? a->cls : FAIL_UNKNOWN;

	put(a->ends, "nothing: a receipt is a hint, only the card's own answer ends a command");
	if (a->row && a->cls == FAIL_NONE) {
		put(a->wait, "for the card's answer, as before%s",
		    a->row->flags & ERRTAB_WAIT ? "" : "; all parts delivered is evidence E2");
		return;
	}
	a->counts = true;
	put(a->attempt, "counts");
	if (a->cls == FAIL_UNKNOWN) {
		put(a->wait, "for the card's answer, as before");
		return;
	}
	a->wakes = is_final(a->cls) || retry_wakes(a->cls);
	tell_wait(a, p, cls);
	tell_executed(a, p);
}

/* A PoR status: once believed by its MAC, once as a hint. */
static void by_card(struct told *a, const struct retry_policy *p, bool exactly)
{
	char text[32];

	span(text, sizeof(text), (double)p->hint_ms / 1000);
	switch (a->means) {
	case POR_MEANS_OK:
		put(a->ends, "with the right MAC: by the status words of its commands; in the clear: nothing");
		return;
	case POR_MEANS_INTERIM:
		put(a->wait, "%s more for the real answer, once",
		    span(text, sizeof(text), (double)p->por_timeout_ms / 1000));
		return;
	case POR_MEANS_SECURITY:
	case POR_MEANS_CONFIG:
	case POR_MEANS_CNTR_BLOCKED:
		put(a->ends, "with the right MAC: at once, FAILED (to a read-back: QUARANTINED)");
		put(a->wait, "in the clear: %s for an answer with a MAC, then the card is read back", text);
		return;
	default:
		if (exactly && a->means != POR_MEANS_CNTR_LOW) { /* counter mode 11 */
			put(a->ends, "nothing: refused is not taken, so the same octets go again (counter mode 11)%s",
			    a->means == POR_MEANS_CNTR_HIGH ? "; QUARANTINED under the right MAC" : "");
			tell_wait(a, p, FAIL_CARD_TRANSIENT);
			return;
		}
		if (a->means == POR_MEANS_TRANSIENT) {
			tell_wait(a, p, FAIL_CARD_TRANSIENT);
			put(a->wait, ", before the card is asked; ");
		}
		put(a->wait, "in the clear: %s for an answer with a MAC", text);
		put(a->ends,
		    "nothing: the card is asked under a fresh counter what it holds, and the command before never goes "
		    "again; ");
		if (a->means == POR_MEANS_TRANSIENT)
			put(a->ends, "shows it the old IMSI, a fresh one goes, %u in all, then FAILED; ",
			    p->scripts_max);
		put(a->ends, "QUARANTINED after %u refused read-backs", p->probes_max);
	}
}

/* A status word within an answer that is OK. */
static void by_command(struct told *a)
{
	if ((a->key >> 32) == OTA_SW_CUT_OFF)
		put(a->ends, "nothing: the card is asked under a fresh counter what it holds; FAILED when that is the "
			     "old IMSI, QUARANTINED when the answer to that is cut off as well");
	else if (a->cls == FAIL_NONE)
		put(a->ends, "nothing: the command is done; DONE when the read-back at the end shows the new IMSI");
	else
		put(a->ends,
		    "at once: FAILED, or QUARANTINED when EF_IMSI had been written; of the read-back at the end: the "
		    "card is asked again under a fresh counter");
}

static enum reporter reporter_of(enum errtab_plane plane)
{
	switch (plane) {
	case ERRTAB_SMPP:
		return BY_SMSC;
	case ERRTAB_POR:
		return BY_CARD;
	case ERRTAB_SW:
		return BY_COMMAND;
	default:
		return BY_RECEIPT;
	}
}

static void tell_source(const struct explainer *x, struct told *a)
{
	if (a->by_profile)
		put(a->from, "profile %s, %s:%u (%s)", x->profile.name, x->profile_path, a->profile_line,
		    a->by_profile);
	else if (a->row)
		put(a->from, "%s%s, %s:%u%s", a->row->flavour == ERRTAB_FLAVOUR_ALL ? "" : "flavour ",
		    errtab_flavour_name(x->table, a->row->flavour), errtab_file_name(x->table, a->row->file),
		    a->row->line, a->row->file ? "" : " (built in)");
	else
		put(a->from, "no row has it");
	if (a->via)
		put(a->from, "; read as a code of %s by line %u", errtab_plane_name((enum errtab_plane)a->via->as),
		    a->via->line);
}

/* ------------------------------------------------------------------------------------------------ answers */

static void ask_profile(const struct explainer *x, struct told *a)
{
	unsigned code = (unsigned)(a->key >> 32);
	const struct profile_sw *line;

	if (!x->have_profile)
		return;
	if (a->plane == ERRTAB_POR && code < PROFILE_POR_MAX) {
		a->means = profile_por_meaning(&x->profile, (uint8_t)code);
		a->cls = por_meaning_class(a->means);
		a->cls_word = a->means == POR_MEANS_INTERIM ? "WAIT" :
			      a->cls == FAIL_NONE	    ? "OK" :
							      fail_class_name(a->cls);
		a->profile_line = x->profile.por_line[code];
		if (a->profile_line)
			a->by_profile = por_meaning_name(a->means);
	}
	if (a->plane == ERRTAB_SW) {
		a->cls = profile_sw_fail(&x->profile, (uint16_t)code).cls;
		a->cls_word = a->cls == FAIL_NONE ? "OK" : fail_class_name(a->cls);
		line = profile_sw_line(&x->profile, (uint16_t)code);
		if (line) {
			a->by_profile = a->cls_word;
			a->profile_line = line->line;
		}
	}
}

static void add_answer(struct explainer *x, enum errtab_plane plane, uint64_t key)
{
	struct told *a = &x->answer[x->n];

	for (unsigned i = 0; i < x->n; i++)
		if (x->answer[i].plane == plane && x->answer[i].key == key)
			return;
	if (x->n == ANSWERS_MAX)
		return;
	x->n++;
	*a = (struct told){
		.plane = plane, .key = key, .cls = FAIL_UNKNOWN, .cls_word = "UNKNOWN", .means = POR_MEANS_OTHER
	};
	a->row = errtab_find_via(x->table, x->flavour, plane, key, &a->via);
	if (a->row) {
		a->cls = (enum fail_class)a->row->cls;
		a->cls_word = errtab_class_word(a->row);
		a->means = (enum por_meaning)a->row->means;
	}
	ask_profile(x, a);
	switch (reporter_of(plane)) {
	case BY_SMSC:
		by_smsc(a, &x->retry);
		break;
	case BY_RECEIPT:
		by_receipt(a, &x->retry);
		break;
	case BY_CARD:
		by_card(a, &x->retry, x->have_profile && OTA_SPI1_COUNTER(x->profile.spi[0]) == COUNTER_EXACTLY);
		break;
	case BY_COMMAND:
		by_command(a);
		break;
	}
	tell_source(x, a);
}

/* Of a code without its plane: hex planes want as many digits as their codes have, or every number would be one of them. */
static bool looks_like(enum errtab_plane plane, const char *code)
{
	bool hex = !strncasecmp(code, "0x", 2);
	size_t n = strlen(code);

	if (plane == ERRTAB_SW)
		return n == (hex ? 6 : 4);
	if (plane == ERRTAB_POR || plane == ERRTAB_FCS)
		return n == (hex ? 4 : 2);
	return true;
}

static bool names(const struct errtab_row *r, const char *name)
{
	return r->lo == r->hi && *r->name && !strcasecmp(r->name, name);
}

/* Every plane that knows it, as a code or by name. */
static void add_bare(struct explainer *x, const char *code)
{
	const struct errtab_row *via;
	uint64_t key;

	for (unsigned p = 0; p < _ERRTAB_PLANES; p++)
		if (looks_like((enum errtab_plane)p, code) && !errtab_key_parse((enum errtab_plane)p, code, &key) &&
		    errtab_find_via(x->table, x->flavour, (enum errtab_plane)p, key, &via))
			add_answer(x, (enum errtab_plane)p, key);
	for (unsigned i = 0; i < errtab_rows(x->table); i++) {
		const struct errtab_row *r = errtab_row_at(x->table, i);

		if (names(r, code) && errtab_find(x->table, x->flavour, (enum errtab_plane)r->plane, r->lo) == r)
			add_answer(x, (enum errtab_plane)r->plane, r->lo);
	}
}

/* "no such code or name 'UNDELIVE'; did you mean 'UNDELIV'?" */
static int unknown_word(const struct explainer *x, const char *word)
{
	unsigned n = 0, cap = errtab_rows(x->table) + _ERRTAB_PLANES;
	const char **words = calloc(cap, sizeof(*words)), *near;
	char stat[ERRTAB_ROWS_MAX / 64][ERRTAB_CODE_MAX];
	unsigned stats = 0;

	for (unsigned i = 0; words && i < errtab_rows(x->table); i++) {
		const struct errtab_row *r = errtab_row_at(x->table, i);

		if (r->plane == ERRTAB_RECEIPT && stats < ARRAY_SIZE(stat))
			words[n++] = errtab_key_text(ERRTAB_RECEIPT, r->lo, stat[stats++]);
		else if (*r->name)
			words[n++] = r->name;
	}
	near = words ? nearest_word(word, words, n) : NULL;
	if (near)
		ctl_error("no plane has a code or name '%s'; did you mean '%s'?", word, near);
	else
		ctl_error("no plane has a code or name '%s'; a code is written as in 'smpp:0x58', 'map 27', 'stat "
			  "UNDELIV', 'sw 6A82'",
			  word);
	free(words);
	return CTL_USAGE;
}

/* ------------------------------------------------------------------------------------------------ output */

static void line(const char *label, const char *text)
{
	if (*text)
		printf("  %-10s%s\n", label, text);
}

static void print_answer(const struct told *a)
{
	char code[ERRTAB_CODE_MAX];

	printf("%s %s  %s%s%s\n", errtab_plane_name(a->plane), errtab_key_text(a->plane, a->key, code),
	       a->row ? a->row->name : "", a->row ? "  " : "", a->cls_word);
	printf("  %-10s%s\n", "plane", errtab_plane_title(a->plane));
	line("means", a->row ? a->row->what : "no evidence either way: nobody has said what this code means");
	if (a->plane == ERRTAB_POR)
		line("taken as", por_meaning_name(a->means));
	line("attempt", a->attempt);
	line("wait", a->wait);
	line("ends", a->ends);
	line("executed", a->executed);
	line("link", a->link);
	line("look at", a->row ? a->row->remedy : "the manual of the SMSC; then a row of your own (error-table)");
	line("from", a->from);
}

static json_t *json_text(const char *text)
{
	return *text ? json_string(text) : json_null();
}

static json_t *answer_json(const struct explainer *x, const struct told *a)
{
	char code[ERRTAB_CODE_MAX];
	json_t *o = json_pack("{s:s,s:s,s:b,s:s,s:o,s:o,s:b}", "plane", errtab_plane_name(a->plane), "code",
			      errtab_key_text(a->plane, a->key, code), "known", a->row || a->by_profile, "class",
			      a->cls_word, "name", a->row ? json_string(a->row->name) : json_null(), "meaning",
			      json_text(a->row ? a->row->what : ""), "maybe_executed",
			      a->row && a->row->flags & ERRTAB_MAYBE);

	if (a->plane == ERRTAB_POR)
		json_object_set_new(o, "taken_as", json_string(por_meaning_name(a->means)));
	json_object_set_new(o, "attempt_counts", *a->attempt ? json_boolean(a->counts) : json_null());
	json_object_set_new(o, "presence_wakes", json_boolean(a->wakes));
	json_object_set_new(o, "wait_s", a->has_wait ? json_real(a->wait_s) : json_null());
	json_object_set_new(o, "wait_max_s", a->has_wait ? json_real(a->wait_max_s) : json_null());
	json_object_set_new(o, "wait", json_text(a->wait));
	json_object_set_new(o, "ends", json_text(a->ends));
	json_object_set_new(o, "link", json_text(a->link));
	json_object_set_new(o, "attempt", json_text(a->attempt));
	json_object_set_new(o, "executed", json_text(a->executed));
	json_object_set_new(o, "look_at", json_text(a->row ? a->row->remedy : ""));
	json_object_set_new(o, "from", json_text(a->from));
	json_object_set_new(o, "source",
			    a->by_profile ? json_pack("{s:s,s:s,s:s,s:i}", "kind", "profile", "name", x->profile.name,
						      "file", x->profile_path, "line", (int)a->profile_line) :
			    a->row	  ? json_pack("{s:s,s:s,s:s,s:i}", "kind",
						      a->row->flavour == ERRTAB_FLAVOUR_ALL ? "default" : "flavour", "name",
						      errtab_flavour_name(x->table, a->row->flavour), "file",
						      errtab_file_name(x->table, a->row->file), "line", (int)a->row->line) :
					    json_null());
	return o;
}

static void print_list(enum ctl_format format, const json_t *list)
{
	static const struct ctl_column columns[] = {
		{ "plane", "plane" },	    { "code", "code" },	      { "name", "name" },	{ "class", "class" },
		{ "meaning", "meaning" },   { "attempt", "attempt" }, { "wait", "wait" },	{ "ends", "ends" },
		{ "executed", "executed" }, { "link", "link" },	      { "look_at", "look_at" }, { "from", "from" },
	};
	struct ctl_list l;

	if (format == CTL_JSON) {
		ctl_print_json(list);
		return;
	}
	ctl_list_begin(&l, format, columns, ARRAY_SIZE(columns));
	ctl_list_page(&l, list);
	ctl_list_end(&l);
}

static int print_answers(const struct explainer *x, enum ctl_format format)
{
	json_t *list = json_array();
	bool known = true;

	for (unsigned i = 0; i < x->n; i++) {
		const struct told *a = &x->answer[i];

		known = known && (a->row || a->by_profile);
		if (format != CTL_TABLE) {
			json_array_append_new(list, answer_json(x, a));
			continue;
		}
		if (i)
			putchar('\n');
		print_answer(a);
	}
	if (format != CTL_TABLE)
		print_list(format, list);
	json_decref(list);
	return known ? CTL_OK : CTL_PARTIAL;
}

/* ------------------------------------------------------------------------------------------------ arguments */

static bool load_profile(struct explainer *x, const char *name)
{
	const char *dir = getenv(PROFILE_DIR_ENV);
	char text[PROFILE_TEXT_MAX + 1], err[ERRTAB_ERR_MAX];
	size_t n;
	FILE *f;

	if (strchr(name, '/') || strstr(name, PROFILE_SUFFIX))
		snprintf(x->profile_path, sizeof(x->profile_path), "%s", name);
	else
		snprintf(x->profile_path, sizeof(x->profile_path), "%s/%s" PROFILE_SUFFIX,
			 dir && *dir ? dir : PROFILE_DIR_HERE, name);
	f = fopen(x->profile_path, "re");
	if (!f) {
		ctl_error("%s: %s; --profile takes a file, or a name in $" PROFILE_DIR_ENV " or " PROFILE_DIR_HERE,
			  x->profile_path, strerror(errno));
		return false;
	}
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	if (profile_parse(&x->profile, x->table, text, n, err, sizeof(err))) {
		ctl_error("%s: %s", x->profile_path, err);
		return false;
	}
	x->have_profile = true;
	return true;
}

static bool set_up(struct explainer *x, const struct ctl_args *a)
{
	const char *flavour = ctl_arg(a, "flavour", 0), *profile = ctl_arg(a, "profile", 0),
		   *file = ctl_arg(a, "table", 0);
	char err[ERRTAB_ERR_MAX];
	int i;

	retry_policy_default(&x->retry);
	x->table = errtab_new(err);
	if (!x->table || (file && errtab_read_file(x->table, file, err))) {
		ctl_error("%s", err);
		return false;
	}
	if (flavour) {
		i = errtab_flavour(x->table, flavour);
		if (i < 0) {
			errtab_flavour_unknown(x->table, flavour, err, sizeof(err));
			ctl_error("%s", err);
			return false;
		}
		x->flavour = (unsigned)i;
	}
	return !profile || load_profile(x, profile);
}

/* "smpp", and what the fields of a receipt are called there. */
static bool plane_named(const char *name, enum errtab_plane *plane)
{
	static const struct {
		const char *name;
		enum errtab_plane plane;
	} also[] = { { "stat", ERRTAB_RECEIPT }, { "err", ERRTAB_RECEIPT_ERR }, { "status", ERRTAB_SMPP } };
	const char *words[_ERRTAB_PLANES + ARRAY_SIZE(also)];
	unsigned n = 0;

	for (unsigned i = 0; i < _ERRTAB_PLANES; i++) {
		words[n] = errtab_plane_name((enum errtab_plane)i);
		if (!strcasecmp(words[n++], name)) {
			*plane = (enum errtab_plane)i;
			return true;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(also); i++) {
		if (!strcasecmp(also[i].name, name)) {
			*plane = also[i].plane;
			return true;
		}
		words[n++] = also[i].name;
	}
	ctl_error_word("plane", name, words, n);
	return false;
}

/* "map 27", "map:27", "27", "absentSubscriber" */
static int explain_args(struct explainer *x, const struct ctl_args *a)
{
	char name[CODE_TEXT_MAX];
	const char *code = a->pos[a->n_pos - 1], *colon = strchr(code, ':'), *why;
	enum errtab_plane plane;
	uint64_t key;

	if (strlen(code) >= sizeof(name)) {
		ctl_error("'%.40s..' is no code: longer than %zu characters", code, sizeof(name) - 1);
		return CTL_USAGE;
	}
	if (a->n_pos == 1 && !colon) {
		add_bare(x, code);
		for (unsigned p = 0; p < _ERRTAB_PLANES && !x->n; p++)
			if (p != ERRTAB_RECEIPT && !errtab_key_parse((enum errtab_plane)p, code, &key))
				add_answer(x, (enum errtab_plane)p, key);
		return x->n ? CTL_OK : unknown_word(x, code);
	}
	snprintf(name, sizeof(name), "%.*s", colon && a->n_pos == 1 ? (int)(colon - code) : CODE_TEXT_MAX - 1,
		 a->n_pos == 2 ? a->pos[0] : code);
	if (!plane_named(name, &plane))
		return CTL_USAGE;
	if (a->n_pos == 1)
		code = colon + 1;
	why = errtab_key_parse(plane, code, &key);
	if (why) {
		ctl_error("'%s' is no code of %s; one is written %s", code, errtab_plane_name(plane), why);
		return CTL_USAGE;
	}
	add_answer(x, plane, key);
	return CTL_OK;
}

int cmd_explain_error(struct ctl *c, const struct ctl_args *a)
{
	struct explainer *x;
	int rc = CTL_USAGE;

	if (!a->n_pos) {
		ctl_error("which code?  As in 'smpp:0x58', 'map 27', 'stat UNDELIV', 'sw 6A82', '0x0B'");
		return CTL_USAGE;
	}
	x = calloc(1, sizeof(*x));
	if (!x) {
		ctl_error("out of memory");
		return CTL_USAGE;
	}
	if (set_up(x, a))
		rc = explain_args(x, a);
	if (rc == CTL_OK)
		rc = print_answers(x, ctl_arg(a, "json", 0) ? CTL_JSON : c->format);
	errtab_free(x->table);
	free(x);
	return rc;
}
