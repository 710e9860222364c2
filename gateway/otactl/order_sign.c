/* order_sign.c - `otactl order sign`: a subscriber's swap order, one package for each receiver, without a gateway.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Packages of one sender to one receiver are numbered without gaps: the last numbers stand in NAME.seq beside the party file.  A number
 * is noted when its package is on disk, and a package that stands there under the next number already is never written over.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../exchange/schema.h"
#include "ctl.h"
#include "party.h"

#define TEXT_CAP      400
#define RECEIVERS_MAX 8
#define SEQ_FILE_MAX  65536
#define CARDS_MAX     ((uint64_t)PKG_PARTS_MAX * PKG_PART_RECORDS)
#define DAY_S	      86400

/* Our last numbers. */
struct seqs {
	unsigned n;
	struct {
		char to[PKG_NAME_MAX + 1];
		uint64_t seq;
	} last[64];
	char path[PARTY_PATH_MAX];
};

struct signing {
	struct party_self me;
	struct pkg_partner *to[RECEIVERS_MAX];
	unsigned n_to;
	struct seqs seqs;
	const char *value[XCHG_COLUMNS_MAX];
	char until[24];
	int64_t until_s;
	FILE *cards;
	json_t *made;
};

/* ---- numbers ---- */

static bool seqs_read(struct seqs *s, const char *base)
{
	char *text, *at;
	size_t len;

	s->n = 0;
	snprintf(s->path, sizeof(s->path), "%s.seq", base);
	if (access(s->path, F_OK))
		return true;
	text = file_read(s->path, SEQ_FILE_MAX, &len);
	for (at = text; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
		if (s->n == 64 || sscanf(at, "%32[a-z0-9.-] %" SCNu64, s->last[s->n].to, &s->last[s->n].seq) != 2) {
			ctl_error("%s: line %u is not \"RECEIVER NUMBER\": put back what it was", s->path, s->n + 1);
			free(text);
			return false;
		}
		s->n++;
	}
	free(text);
	return text != NULL;
}

static uint64_t *seq_of(struct seqs *s, const char *to)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!strcmp(s->last[i].to, to))
			return &s->last[i].seq;
	if (s->n == 64) {
		ctl_error("%s: more than 64 receivers", s->path);
		return NULL;
	}
	snprintf(s->last[s->n].to, sizeof(s->last[0].to), "%s", to);
	s->last[s->n].seq = 0;
	return &s->last[s->n++].seq;
}

static bool seqs_write(const struct seqs *s)
{
	char text[64 * (PKG_NAME_MAX + 24)];
	size_t n = 0;

	for (unsigned i = 0; i < s->n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s %" PRIu64 "\n", s->last[i].to, s->last[i].seq);
	return file_write(s->path, text, n, 0600, true);
}

/* ---- arguments ---- */

/* 2026-12-24, 2026-12-24T22:00Z, or 21d from now. */
static bool until_parse(struct signing *s, const char *text)
{
	struct tm tm = { .tm_isdst = 0 };
	char *end;
	long days = strtol(text, &end, 10);
	int used = 0;

	if (end != text && !strcmp(end, "d") && days > 0 && days < 3660) {
		s->until_s = (int64_t)time(NULL) + days * DAY_S;
	} else if ((sscanf(text, "%4d-%2d-%2dT%2d:%2dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
			   &tm.tm_min, &used) == 5 &&
		    used && !text[used]) ||
		   (!text[strspn(text, "0123456789-")] &&
		    sscanf(text, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &used) == 3 && !text[used])) {
		tm.tm_year -= 1900;
		tm.tm_mon--;
		s->until_s = (int64_t)timegm(&tm);
	}
	if (s->until_s <= (int64_t)time(NULL)) {
		ctl_error("--until '%s': write a day to come, 2026-12-24 or 2026-12-24T22:00Z (UTC), or 21d", text);
		return false;
	}
	snprintf(s->until, sizeof(s->until), "%lld", (long long)s->until_s);
	return true;
}

/* The party files of the receivers: --partner FILE for each name in --to; without --to all of them. */
static bool receivers(struct signing *s, const struct ctl_args *a)
{
	const char *to = ctl_arg(a, "to", 0), *path;
	char wanted[512], *save = NULL;

	for (unsigned i = 0; (path = ctl_arg(a, "partner", i)); i++) {
		if (s->n_to == RECEIVERS_MAX) {
			ctl_error("at most %d receivers", RECEIVERS_MAX);
			return false;
		}
		if (!(s->to[s->n_to] = party_load(path)))
			return false;
		s->n_to++;
	}
	snprintf(wanted, sizeof(wanted), "%s", to ? to : "");
	for (char *w = strtok_r(wanted, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		unsigned i = 0;

		while (i < s->n_to && strcmp(pkg_partner_name(s->to[i]), w))
			i++;
		if (i == s->n_to) {
			ctl_error("--to %s: no --partner FILE is the party file of %s", to, w);
			return false;
		}
	}
	if (!s->n_to)
		ctl_error("to whom?  Give the party file of each receiver with --partner FILE");
	return s->n_to > 0;
}

static bool named(const struct ctl_args *a, const char *option, const char **out, bool must)
{
	*out = ctl_arg(a, option, 0);
	if (*out || !must) {
		*out = *out ? *out : "";
		return true;
	}
	ctl_error("--%s is missing; 'otactl order sign --help' tells more", option);
	return false;
}

static bool arguments(struct signing *s, const struct ctl_args *a)
{
	const char *until, *kind;

	/* as the columns of an SO stand: ICCID, kind, policy, a, b, vault, until */
	if (!named(a, "kind", &kind, true) || !named(a, "policy", &s->value[2], false) ||
	    !named(a, "a", &s->value[3], true) || !named(a, "b", &s->value[4], true) ||
	    !named(a, "vault", &s->value[5], !strcmp(kind, "3b")) || !named(a, "until", &until, true) ||
	    !until_parse(s, until))
		return false;
	s->value[1] = kind;
	if (!*s->value[2])
		s->value[2] = "deliver-then-activate";
	s->value[6] = s->until;
	return true;
}

/* ---- records ---- */

/* The first value of the line, or that below the column name ICCID; 0 at the end of the list, -1 after a message. */
static int next_card(struct signing *s, char iccid[32], uint64_t *line)
{
	char text[1024];

	while (fgets(text, sizeof(text), s->cards)) {
		size_t n = strcspn(text, ",; \t\r\n");

		++*line;
		if (*line == 1 && !strncasecmp(text, "iccid", 5))
			continue;
		if (!n)
			continue;
		if (n > 20 || strspn(text, "0123456789") < n) {
			ctl_error("line %" PRIu64
				  " of the list does not begin with an ICCID (the first column must be ICCID)",
				  *line);
			return -1;
		}
		memcpy(iccid, text, n);
		iccid[n] = '\0';
		return 1;
	}
	return 0;
}

static bool records(struct signing *s, struct pkg_writer *w, const char *to)
{
	const struct xchg_schema *so = xchg_schema_of(XCHG_SO);
	char iccid[32], line[PKG_RECORD_MAX], err[TEXT_CAP] = "";
	uint64_t at = 0, n = 0;
	int rc;

	rewind(s->cards);
	s->value[0] = iccid;
	while ((rc = next_card(s, iccid, &at)) > 0) {
		if (++n > CARDS_MAX || xchg_join(so, s->value, line, sizeof(line), err, sizeof(err)) ||
		    pkg_write_record(w, line, err, sizeof(err))) {
			ctl_error("order for %s, line %" PRIu64 " of the list: %s", to, at,
				  *err ? err : "more cards than a package takes");
			return false;
		}
	}
	if (!rc && !n)
		ctl_error("the list has no cards");
	return !rc && n;
}

static bool sign_for(struct signing *s, const struct pkg_partner *to, const char *order, const char *dir)
{
	const char *name = pkg_partner_name(to);
	struct pkg_head head = { .created_s = (int64_t)time(NULL), .expires_s = s->until_s };
	char path[PARTY_PATH_MAX], err[TEXT_CAP] = "";
	struct pkg_writer *w = NULL;
	uint64_t *seq = seq_of(&s->seqs, name);

	if (!seq)
		return false;
	head.seq = *seq + 1;
	snprintf(head.type, sizeof(head.type), "SO");
	snprintf(head.order, sizeof(head.order), "%s", order);
	snprintf(head.from, sizeof(head.from), "%s", pkg_self_name(s->me.self));
	snprintf(head.to, sizeof(head.to), "%s", name);
	xchg_columns_text(xchg_schema_of(XCHG_SO), head.columns);
	snprintf(path, sizeof(path), "%s/%s-to-%s-%" PRIu64 ".otapkg", dir, head.from, name, head.seq);
	if (!access(path, F_OK)) {
		ctl_error("%s is there already: was %s put back from a backup?  Numbers must not be used twice", path,
			  s->seqs.path);
		return false;
	}
	if (pkg_write_open(&w, path, &head, s->me.self, to, err, sizeof(err))) {
		ctl_error("%s", err);
		return false;
	}
	if (!records(s, w, name)) {
		pkg_write_drop(w);
		return false;
	}
	if (pkg_write_close(w, &head, err, sizeof(err))) {
		ctl_error("%s", err);
		return false;
	}
	*seq = head.seq;
	if (!seqs_write(&s->seqs)) {
		unlink(path);
		return false;
	}
	json_array_append_new(s->made, json_pack("{s:s s:s s:s s:I s:I}", "file", path, "order", head.order, "to", name,
						 "seq", (json_int_t)head.seq, "cards", (json_int_t)head.records));
	return true;
}

static int sign_all(struct ctl *c, struct signing *s, const char *order, const char *dir)
{
	static const struct ctl_column columns[] = {
		{ "to", "FOR", false },	    { "seq", "NUMBER", true }, { "order", "ORDER", false },
		{ "cards", "CARDS", true }, { "file", "FILE", false },
	};
	struct ctl_list l;
	int rc = CTL_OK;

	if (mkdir(dir, 0700) && errno != EEXIST) {
		ctl_error("%s: %s", dir, strerror(errno));
		return CTL_USAGE;
	}
	for (unsigned i = 0; i < s->n_to && rc == CTL_OK; i++)
		if (!sign_for(s, s->to[i], order, dir))
			rc = json_array_size(s->made) ? CTL_PARTIAL : CTL_USAGE;
	ctl_list_begin(&l, c->format, columns, sizeof(columns) / sizeof(columns[0]));
	ctl_list_page(&l, s->made);
	ctl_list_end(&l);
	return rc;
}

int cmd_order_sign(struct ctl *c, const struct ctl_args *a)
{
	struct signing s = { .made = json_array() };
	const char *party, *cards, *order, *dir;
	int rc = CTL_USAGE;

	if (named(a, "party", &party, true) && named(a, "cards", &cards, true) && named(a, "name", &order, true) &&
	    named(a, "out", &dir, true) && arguments(&s, a) && receivers(&s, a) &&
	    party_self_open(&s.me, party, ctl_arg(a, "kek", 0)) && seqs_read(&s.seqs, s.me.base)) {
		s.cards = fopen(cards, "re");
		if (!*order || strlen(order) > PKG_WORD_MAX)
			ctl_error("--name must have 1 to %d characters", PKG_WORD_MAX);
		else if (!s.cards)
			ctl_error("%s: %s", cards, strerror(errno));
		else
			rc = sign_all(c, &s, order, dir);
	}
	if (s.cards)
		fclose(s.cards);
	for (unsigned i = 0; i < s.n_to; i++)
		pkg_partner_free(s.to[i]);
	party_self_close(&s.me);
	json_decref(s.made);
	return rc;
}
