/* verify.c - what the cards hold against what an operator's lists say.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COLUMNS_MAX 64

/* ---- a row as text ---- */

void truth_print(char out[TRUTH_LINE_MAX], const struct truth_row *r)
{
	const struct sim_card_truth *t = &r->t;

	snprintf(out, TRUTH_LINE_MAX, "%s,%s,%s,%s,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,%d", t->iccid, r->imsi_first,
		 t->imsi_stored, t->imsi_presented, t->accepted, t->scripts_done, t->imsi_changes, t->imsi_writes,
		 t->replays_refused, t->security_refused, t->executions_max, t->same_cntr_other_packet,
		 t->imsi_update_cntrs, t->seen_dropped, r->present);
}

/* The next field up to a comma, "" included. */
static bool field(const char **at, char *out, size_t cap)
{
	size_t n = strcspn(*at, ",");

	if (n >= cap)
		return false;
	memcpy(out, *at, n);
	out[n] = '\0';
	*at += n;
	if (**at == ',')
		(*at)++;
	return true;
}

bool truth_parse(const char *line, struct truth_row *r)
{
	struct sim_card_truth *t = &r->t;
	uint32_t *const nums[] = { &t->accepted,       &t->scripts_done,	   &t->imsi_changes,
				   &t->imsi_writes,    &t->replays_refused,	   &t->security_refused,
				   &t->executions_max, &t->same_cntr_other_packet, &t->imsi_update_cntrs,
				   &t->seen_dropped };
	char num[16], *end;

	memset(r, 0, sizeof(*r));
	if (!field(&line, t->iccid, sizeof(t->iccid)) || !field(&line, r->imsi_first, sizeof(r->imsi_first)) ||
	    !field(&line, t->imsi_stored, sizeof(t->imsi_stored)) ||
	    !field(&line, t->imsi_presented, sizeof(t->imsi_presented)))
		return false;
	for (size_t i = 0; i < sizeof(nums) / sizeof(nums[0]); i++) {
		if (!field(&line, num, sizeof(num)))
			return false;
		*nums[i] = (uint32_t)strtoul(num, &end, 10);
		if (end == num || *end)
			return false;
	}
	r->present = line[0] == '1';
	return line[0] && !line[1];
}

/* ---- CSV ---- */

struct csv {
	const char *path;
	FILE *in;
	char *line;
	size_t cap;
	unsigned number;      /* of the line, from 1 */
	char *f[COLUMNS_MAX]; /* fields of the current line, in place */
	unsigned n;
};

/* Cuts the line at its commas; "quoted, fields" with doubled quotes inside are undone. */
static void csv_cut(struct csv *c)
{
	char *p = c->line;

	c->n = 0;
	while (c->n < COLUMNS_MAX) {
		char *to = p;

		c->f[c->n++] = p;
		if (*p == '"') {
			p++;
			while (*p && !(*p == '"' && p[1] != '"')) {
				p += *p == '"';
				*to++ = *p++;
			}
			p += *p == '"';
		}
		while (*p && *p != ',')
			*to++ = *p++;
		if (!*p) {
			*to = '\0';
			return;
		}
		*to = '\0';
		p++;
	}
}

static bool csv_next(struct csv *c)
{
	while (getline(&c->line, &c->cap, c->in) >= 0) {
		c->number++;
		c->line[strcspn(c->line, "\r\n")] = '\0';
		if (!c->line[0])
			continue;
		csv_cut(c);
		return true;
	}
	return false;
}

static int csv_column(const struct csv *c, const char *name)
{
	for (unsigned i = 0; i < c->n; i++) {
		if (!strcasecmp(c->f[i], name))
			return (int)i;
	}
	return -1;
}

/* Opens and reads the header; every name of the list must be there. */
static bool csv_open(struct csv *c, const char *path, const char *const *names, int *cols, FILE *out)
{
	*c = (struct csv){ .path = path, .in = fopen(path, "re") };
	if (!c->in) {
		fprintf(out, "cannot read %s: %s\n", path, strerror(errno));
		return false;
	}
	if (!csv_next(c)) {
		fprintf(out, "%s is empty\n", path);
		return false;
	}
	for (int i = 0; names[i]; i++) {
		cols[i] = csv_column(c, names[i]);
		if (cols[i] < 0) {
			fprintf(out, "%s has no column \"%s\"\n", path, names[i]);
			return false;
		}
	}
	return true;
}

static void csv_close(struct csv *c)
{
	if (c->in)
		fclose(c->in);
	free(c->line);
}

static const char *csv_get(const struct csv *c, int col)
{
	return col < (int)c->n ? c->f[col] : "";
}

/* ---- comparing ---- */

struct want {
	char iccid[SIM_ICCID_LEN + 1], imsi[SIM_IMSI_LEN];
	const struct truth_row *row; /* NULL: not in the fleet */
	unsigned reported;
	unsigned index;		     /* 0: the list does not say */
	char op[SIM_WORLD_NAME_MAX]; /* "": the list does not say; "none": nowhere */
};

struct state {
	const struct verify_job *job;
	FILE *out;
	struct want *want; /* sorted by ICCID */
	size_t n, cap;
	bool of_index; /* the list has such a column */
	uint32_t index_right, moved_twice, stranded;
	uint32_t holds, presents, twice, same_cntr, foreign, untold, wrong, report_lines, report_wrong, shown;
	bool bad;
};

__attribute__((format(printf, 3, 4))) static void differ(struct state *s, const char *iccid, const char *fmt, ...)
{
	va_list ap;

	s->bad = true;
	if (++s->shown > VERIFY_SHOWN_MAX)
		return;
	fprintf(s->out, "card %s: ", iccid);
	va_start(ap, fmt);
	vfprintf(s->out, fmt, ap);
	va_end(ap);
	fputc('\n', s->out);
}

static int by_row_iccid(const void *a, const void *b)
{
	return strcmp(((const struct truth_row *)a)->t.iccid, ((const struct truth_row *)b)->t.iccid);
}

static int by_want_iccid(const void *a, const void *b)
{
	return strcmp(((const struct want *)a)->iccid, ((const struct want *)b)->iccid);
}

static struct want *want_find(const struct state *s, const char *iccid)
{
	struct want key;

	if (snprintf(key.iccid, sizeof(key.iccid), "%s", iccid) >= (int)sizeof(key.iccid))
		return NULL;
	return s->n ? bsearch(&key, s->want, s->n, sizeof(key), by_want_iccid) : NULL;
}

static const struct truth_row *row_find(const struct verify_job *job, const char *iccid)
{
	struct truth_row key;

	if (snprintf(key.t.iccid, sizeof(key.t.iccid), "%s", iccid) >= (int)sizeof(key.t.iccid))
		return NULL;
	return job->n ? bsearch(&key, job->rows, job->n, sizeof(key), by_row_iccid) : NULL;
}

static bool want_more(struct want *w, const char *index, const char *op)
{
	char *end;
	unsigned long v = strtoul(index, &end, 10);

	if (*index && (*end || v < 1 || v > UINT16_MAX))
		return false;
	w->index = (unsigned)v;
	return snprintf(w->op, sizeof(w->op), "%s", op) < (int)sizeof(w->op);
}

static bool list_read(struct state *s)
{
	static const char *const names[] = { "ICCID", "IMSI", NULL };
	struct csv c;
	int col[2], col_index = -1, col_op = -1;
	bool ok = csv_open(&c, s->job->list, names, col, s->out);

	if (ok) {
		col_index = csv_column(&c, "INDEX");
		col_op = csv_column(&c, "OPERATOR");
		s->of_index = col_index >= 0;
	}
	while (ok && csv_next(&c)) {
		struct want *w;

		if (s->n == s->cap) {
			size_t cap = s->cap ? 2 * s->cap : 1024;
			struct want *grown = realloc(s->want, cap * sizeof(*grown));

			if (!grown) {
				fprintf(s->out, "no memory for the list\n");
				ok = false;
				break;
			}
			s->want = grown;
			s->cap = cap;
		}
		w = &s->want[s->n];
		*w = (struct want){ 0 };
		if (snprintf(w->iccid, sizeof(w->iccid), "%s", csv_get(&c, col[0])) >= (int)sizeof(w->iccid) ||
		    snprintf(w->imsi, sizeof(w->imsi), "%s", csv_get(&c, col[1])) >= (int)sizeof(w->imsi)) {
			fprintf(s->out, "%s:%u: no ICCID and IMSI\n", c.path, c.number);
			ok = false;
			break;
		}
		if (!want_more(w, col_index < 0 ? "" : csv_get(&c, col_index), col_op < 0 ? "" : csv_get(&c, col_op))) {
			fprintf(s->out, "%s:%u: INDEX is a number from 1 on, OPERATOR a name or none\n", c.path,
				c.number);
			ok = false;
			break;
		}
		w->row = row_find(s->job, w->iccid);
		s->n++;
	}
	csv_close(&c);
	if (s->n)
		qsort(s->want, s->n, sizeof(*s->want), by_want_iccid);
	return ok;
}

static bool holds(const struct want *w)
{
	return w->row && !strcmp(w->row->t.imsi_stored, w->imsi);
}

static void check_listed(struct state *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct want *w = &s->want[i];
		const struct truth_row *r = w->row;

		if (i && !strcmp(w->iccid, s->want[i - 1].iccid))
			differ(s, w->iccid, "is in the list twice");
		if (!r) {
			differ(s, w->iccid, "is in the list, not in the fleet");
			continue;
		}
		s->holds += holds(w);
		s->presents += !strcmp(r->t.imsi_presented, w->imsi);
		if (holds(w) && !strcmp(r->t.imsi_presented, w->imsi))
			continue;
		if (holds(w)) {
			if (!s->job->partial)
				differ(s, w->iccid, "holds %s, but its phone still presents %s", w->imsi,
				       r->t.imsi_presented);
		} else if (strcmp(r->t.imsi_stored, r->imsi_first)) {
			s->wrong++;
			differ(s, w->iccid, "holds %s, neither the old %s nor the new %s",
			       r->t.imsi_stored[0] ? r->t.imsi_stored : "no IMSI", r->imsi_first, w->imsi);
		} else if (!s->job->partial) {
			differ(s, w->iccid, "holds the old %s instead of %s (%u packets accepted, %u refused, %s)",
			       r->t.imsi_stored, w->imsi, r->t.accepted, r->t.replays_refused + r->t.security_refused,
			       r->present ? "reachable" : "out of coverage");
		}
	}
}

/* The active pair, and where it is registered; a card that is not changed yet is let off as above. */
static void check_place(struct state *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct want *w = &s->want[i];
		const struct truth_row *r = w->row;

		if (!r || (s->job->partial && !holds(w)))
			continue;
		s->index_right += w->index && r->whole.index == w->index;
		if (w->index && r->whole.index != w->index)
			differ(s, w->iccid, "is at index %u, not %u", r->whole.index, w->index);
		if (w->op[0] && strcmp(w->op, r->op[0] ? r->op : "none"))
			differ(s, w->iccid, "is registered %s%s, not %s%s", r->op[0] ? "at " : "nowhere", r->op,
			       strcmp(w->op, "none") ? "at " : "nowhere", strcmp(w->op, "none") ? w->op : "");
		else if (!w->op[0] && s->job->ops && !r->op[0] && !s->job->partial)
			differ(s, w->iccid, "is registered nowhere");
	}
	for (size_t i = 0; i < s->job->n; i++) {
		const struct truth_row *r = &s->job->rows[i];

		s->stranded += s->job->ops && !r->op[0];
		if (r->whole.moves_max <= 1)
			continue;
		s->moved_twice++;
		differ(s, r->t.iccid, "moved its index %u times for one order", r->whole.moves_max);
	}
}

static void say_place(const struct state *s)
{
	if (s->of_index)
		fprintf(s->out, ", index right %u", s->index_right);
	if (s->of_index || s->moved_twice)
		fprintf(s->out, ", moved twice for one order %u", s->moved_twice);
	for (unsigned i = 0; i < s->job->ops; i++) {
		unsigned at = 0;

		for (size_t k = 0; k < s->job->n; k++)
			at += !strcmp(s->job->rows[k].op, s->job->op[i]);
		fprintf(s->out, ", at %s %u", s->job->op[i], at);
	}
	if (s->job->ops)
		fprintf(s->out, ", nowhere %u", s->stranded);
}

static void check_fleet(struct state *s)
{
	for (size_t i = 0; i < s->job->n; i++) {
		const struct truth_row *r = &s->job->rows[i];

		if (r->t.executions_max > 1 || r->t.imsi_writes > s->job->times) {
			s->twice++;
			differ(s, r->t.iccid, "executed one packet %u times, wrote EF_IMSI %u times",
			       r->t.executions_max, r->t.imsi_writes);
		}
		if (r->t.same_cntr_other_packet) {
			s->same_cntr++;
			differ(s, r->t.iccid, "got %u packets under a counter that another packet had",
			       r->t.same_cntr_other_packet);
		}
		if (strcmp(r->t.imsi_stored, r->imsi_first) && !want_find(s, r->t.iccid)) {
			s->foreign++;
			differ(s, r->t.iccid, "was changed to %s, but is not in the list", r->t.imsi_stored);
		}
	}
}

static bool report_read(struct state *s)
{
	static const char *const names[] = { "iccid", "state", "new_imsi", NULL };
	struct csv c;
	int col[3];
	bool ok = csv_open(&c, s->job->report, names, col, s->out);

	while (ok && csv_next(&c)) {
		const char *iccid = csv_get(&c, col[0]), *state = csv_get(&c, col[1]), *imsi = csv_get(&c, col[2]);
		struct want *w = want_find(s, iccid);
		bool done = !strcasecmp(state, "DONE");

		s->report_lines++;
		if (!w) {
			s->report_wrong++;
			differ(s, iccid, "is in the report (line %u), not in the list", c.number);
			continue;
		}
		if (w->reported++) {
			s->report_wrong++;
			differ(s, iccid, "is in the report more than once (line %u)", c.number);
		}
		if (strcmp(imsi, w->imsi)) {
			s->report_wrong++;
			differ(s, iccid, "the report says new IMSI \"%s\", the list %s", imsi, w->imsi);
		}
		if (done && !holds(w)) {
			s->report_wrong++;
			differ(s, iccid, "the report says DONE, the card holds %s",
			       w->row ? w->row->t.imsi_stored : "nothing");
		} else if (!done && holds(w) && !s->job->partial) {
			s->report_wrong++;
			differ(s, iccid, "the report says %s, the card holds the new IMSI", state);
		}
	}
	csv_close(&c);
	for (size_t i = 0; ok && i < s->n; i++) {
		if (!s->want[i].reported) {
			s->untold++;
			differ(s, s->want[i].iccid, "is not in the report");
		}
	}
	return ok;
}

enum verify_result verify_run(const struct verify_job *job, FILE *out)
{
	struct state s = { .job = job, .out = out };
	bool ok;

	if (job->n)
		qsort(job->rows, job->n, sizeof(*job->rows), by_row_iccid);
	ok = list_read(&s);
	if (ok) {
		check_listed(&s);
		check_fleet(&s);
		check_place(&s);
		ok = !job->report || report_read(&s);
	}
	if (ok) {
		if (s.shown > VERIFY_SHOWN_MAX)
			fprintf(out, "... and %u more\n", s.shown - VERIFY_SHOWN_MAX);
		fprintf(out,
			"cards %zu, new imsi %u, presented %u, executed twice %u, same counter other octets %u, "
			"other imsi %u, changed though not listed %u",
			s.n, s.holds, s.presents, s.twice, s.same_cntr, s.wrong, s.foreign);
		if (job->report)
			fprintf(out, ", report lines %u, report disagrees %u, not reported %u", s.report_lines,
				s.report_wrong, s.untold);
		say_place(&s);
		fprintf(out, ": %s\n", s.bad ? "DIFFERS" : "all holds");
	}
	free(s.want);
	return !ok ? VERIFY_CANNOT : s.bad ? VERIFY_DIFFERS : VERIFY_HOLDS;
}
