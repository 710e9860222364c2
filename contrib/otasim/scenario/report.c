/* report.c - the verdict of a scenario for people, and as JUnit's XML for machines.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "run_int.h"

/* ---- what is not as expected ---- */

static void add(char *out, const char *fmt, ...)
{
	size_t at = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + at, RUN_WHY_MAX - at, fmt, ap);
	va_end(ap);
}

static const char *value_text(const struct scn *s, char out[SCN_TIME_TEXT_MAX], const struct scn_expect *e, int64_t v)
{
	static const char *const imsis[] = { "has the old one", "has the new one",
					     "has neither the old nor the new one" };

	if (e->metric <= METRIC_PRESENTS)
		return imsis[v];
	if (e->metric == METRIC_REGISTERED)
		return v < 0 ? "is registered nowhere" : s->op[v].name;
	if (scn_metrics[e->metric].time)
		return scn_time_text(out, v);
	snprintf(out, SCN_TIME_TEXT_MAX, "%lld", (long long)v);
	return out;
}

const char *run_why(const struct run *r, const struct run_result *res, char out[RUN_WHY_MAX])
{
	const struct scn_expect *e = res->expect;
	bool single = e->total || scn_metrics[e->metric].of_smsc;
	char text[SCN_TIME_TEXT_MAX];

	out[0] = '\0';
	if (res->verdict == RUN_OPEN && r->stopped)
		add(out, "it was ended before this could be judged");
	else if (res->verdict != RUN_FAIL)
		return out;
	else if (single)
		add(out, "it is %s", value_text(r->scn, text, e, res->value));
	else
		add(out, "%u of %u cards: ", res->bad, res->members);
	for (unsigned i = 0; res->verdict == RUN_FAIL && !single && i < res->n_shown; i++)
		add(out, "%scard %u (%s) %s", i ? ", " : "", res->shown[i].card + 1, r->cards[res->shown[i].card].iccid,
		    value_text(r->scn, text, e, res->shown[i].value));
	if (!single && res->bad > res->n_shown && res->verdict == RUN_FAIL)
		add(out, " and %u more", res->bad - res->n_shown);
	return out;
}

const char *run_verdict_name(enum run_verdict v)
{
	static const char *const names[] = { [RUN_OPEN] = "open", [RUN_PASS] = "pass", [RUN_FAIL] = "fail" };

	return names[v];
}

/* ---- for people ---- */

void run_summary(const struct run *r, FILE *out)
{
	static const char *const words[] = { [RUN_OPEN] = "OPEN", [RUN_PASS] = "pass", [RUN_FAIL] = "FAIL" };
	char text[SCN_TIME_TEXT_MAX], why[RUN_WHY_MAX];
	unsigned n[3] = { 0 };
	struct run_result res;

	fprintf(out, "%s: %u cards, seed %llu, %s %s\n", r->scn->name, r->n, (unsigned long long)r->scn->seed,
		r->stopped ? "was ended after" :
		r->ended   ? "ended after" :
			     "under way for",
		scn_time_text(text, r->ended ? r->ended_ms : run_time(r, r->now_ms)));
	for (unsigned i = 0; i < r->scn->expects; i++) {
		run_result(r, i, &res);
		n[res.verdict]++;
		run_why(r, &res, why);
		fprintf(out, "%s  %s:%u: %s", words[res.verdict], r->scn->file, res.expect->line, res.expect->text);
		if (res.verdict != RUN_OPEN)
			fprintf(out, " (%s)", scn_time_text(text, res.settled_ms));
		fprintf(out, "%s%s\n", why[0] ? ": " : "", why);
	}
	fprintf(out, "%u passed, %u failed", n[RUN_PASS], n[RUN_FAIL]);
	if (n[RUN_OPEN])
		fprintf(out, ", %u not judged", n[RUN_OPEN]);
	fputc('\n', out);
}

/* ---- for machines ---- */

size_t run_utf8_len(const char *p)
{
	const uint8_t *u = (const uint8_t *)p;
	size_t n = u[0] < 0x80		       ? 1 :
		   u[0] >= 0xc2 && u[0] < 0xe0 ? 2 :
		   u[0] >= 0xe0 && u[0] < 0xf0 ? 3 :
		   u[0] >= 0xf0 && u[0] < 0xf5 ? 4 :
						 0;

	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) || (u[0] == 0xf0 && u[1] < 0x90) ||
	    (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	return n;
}

void run_xml(FILE *out, const char *p)
{
	while (*p) {
		size_t n = run_utf8_len(p);

		if (*p == '<')
			fputs("&lt;", out);
		else if (*p == '>')
			fputs("&gt;", out);
		else if (*p == '&')
			fputs("&amp;", out);
		else if (*p == '"')
			fputs("&quot;", out);
		else if (n == 0 || (n == 1 && ((uint8_t)*p < ' ' || *p == 0x7f)))
			fputc('?', out);
		else
			fwrite(p, 1, n, out);
		p += n ? n : 1;
	}
}

static void testcase(const struct run *r, const struct run_result *res, FILE *out)
{
	char why[RUN_WHY_MAX];
	int64_t ms = res->verdict == RUN_OPEN ? 0 : res->settled_ms;

	run_why(r, res, why);
	fputs("    <testcase classname=\"", out);
	run_xml(out, r->scn->name);
	fprintf(out, "\" name=\"line %u: ", res->expect->line);
	run_xml(out, res->expect->text);
	fprintf(out, "\" time=\"%lld.%03lld\"", (long long)(ms / 1000), (long long)(ms % 1000));
	if (res->verdict == RUN_PASS) {
		fputs("/>\n", out);
		return;
	}
	fprintf(out, ">\n      <%s message=\"", res->verdict == RUN_FAIL ? "failure" : "error");
	run_xml(out, why[0] ? why : "not judged yet");
	fputs("\"/>\n    </testcase>\n", out);
}

void run_junit(const struct run *r, FILE *out)
{
	int64_t ms = r->ended ? r->ended_ms : run_time(r, r->now_ms);
	unsigned n[3] = { 0 };
	struct run_result res;
	char counts[120];

	for (unsigned i = 0; i < r->scn->expects; i++)
		n[r->expect[i].verdict]++;
	snprintf(counts, sizeof(counts),
		 "tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"0\" time=\"%lld.%03lld\"", r->scn->expects,
		 n[RUN_FAIL], n[RUN_OPEN], (long long)(ms / 1000), (long long)(ms % 1000));
	fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites %s>\n  <testsuite name=\"", counts);
	run_xml(out, r->scn->name);
	fprintf(out, "\" %s>\n", counts);
	fprintf(out,
		"    <properties>\n      <property name=\"seed\" value=\"%llu\"/>\n"
		"      <property name=\"cards\" value=\"%u\"/>\n    </properties>\n",
		(unsigned long long)r->scn->seed, r->n);
	for (unsigned i = 0; i < r->scn->expects; i++) {
		run_result(r, i, &res);
		testcase(r, &res, out);
	}
	fputs("  </testsuite>\n</testsuites>\n", out);
}
