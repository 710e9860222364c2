/* page.c - one page for a browser: how the scenario stands.  No script; it asks for itself again every few seconds.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_SHOWN 25

static const char style[] =
	"body{font:15px/1.4 sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#222;background:#fff}"
	"table{border-collapse:collapse;margin:.5em 0 1.5em}td,th{padding:.2em .8em .2em 0;text-align:left;"
	"vertical-align:top;border-bottom:1px solid #ddd}th{font-weight:600}"
	".pass{color:#176b2c}.fail{color:#b00020;font-weight:600}.open{color:#666}"
	"code,td.n{font-family:monospace}td.n{text-align:right}h1{font-size:1.4em}h2{font-size:1.1em}"
	"@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}a{color:#8ab4f8}"
	"td,th{border-color:#444}.pass{color:#7bd88f}.fail{color:#ff8a80}.open{color:#aaa}}";

static void head(const struct otasim *o, FILE *out)
{
	bool ended = run_ended(o->run);
	char text[SCN_TIME_TEXT_MAX];
	int64_t t = ended ? run_ended_ms(o->run) : run_time(o->run, o->now_ms);

	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">", out);
	fputs("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">", out);
	fputs("<meta http-equiv=\"refresh\" content=\"3\"><title>otasim: ", out);
	run_xml(out, o->scn->name);
	fprintf(out, "</title><style>%s</style></head><body>\n<h1>", style);
	run_xml(out, o->scn->name[0] ? o->scn->name : "otasim");
	fprintf(out, "</h1>\n<p>%u cards, seed %" PRIu64 ", %s %s", o->scn->cards, o->scn->seed,
		ended ? "ended after" : "under way for", scn_time_text(text, t - t % (t > 60000 ? 1000 : 1)));
	if (o->scn->end_ms != SCN_NEVER)
		fprintf(out, " of %s", scn_time_text(text, o->scn->end_ms));
	fputs(".</p>\n", out);
}

static void expectations(const struct otasim *o, FILE *out)
{
	char why[RUN_WHY_MAX], text[SCN_TIME_TEXT_MAX];
	struct run_result res;

	if (!o->scn->expects)
		return;
	fprintf(out, "<h2>What is expected: <span class=\"%s\">%s</span></h2>\n<table>",
		run_verdict_name(run_verdict(o->run)), run_verdict_name(run_verdict(o->run)));
	fputs("<tr><th>verdict</th><th>line</th><th></th><th>settled</th><th></th></tr>\n", out);
	for (unsigned i = 0; i < o->scn->expects; i++) {
		run_result(o->run, i, &res);
		fprintf(out, "<tr><td class=\"%s\">%s</td><td class=\"n\">%u</td><td><code>",
			run_verdict_name(res.verdict), run_verdict_name(res.verdict), res.expect->line);
		run_xml(out, res.expect->text);
		fprintf(out, "</code></td><td>%s</td><td>",
			res.verdict == RUN_OPEN ? "" : scn_time_text(text, res.settled_ms));
		run_xml(out, run_why(o->run, &res, why));
		fputs("</td></tr>\n", out);
	}
	fputs("</table>\n", out);
}

static void smscs(const struct otasim *o, FILE *out)
{
	char text[SCN_TIME_TEXT_MAX];

	fputs("<h2>SMSCs</h2>\n<table><tr><th>name</th><th>is</th><th>since</th><th>connections</th><th>binds</th>"
	      "<th>submits</th><th>throttled</th><th>most in 1 s</th><th>most unanswered</th></tr>\n",
	      out);
	for (unsigned i = 0; i < o->scn->doors; i++) {
		const struct door_book *b = run_door(o->run, i);

		fprintf(out, "<tr><td>%s</td><td>%s</td><td>%s</td>",
			o->scn->door_name[i][0] ? o->scn->door_name[i] : "SMSC",
			smsc_mood_name(smsc_mood(o->smsc, i)->kind), scn_time_text(text, b->mood_since_ms));
		fprintf(out,
			"<td class=\"n\">%" PRIu64 "</td><td class=\"n\">%" PRIu64 "</td><td class=\"n\">%" PRIu64
			"</td>",
			b->connections, b->binds, b->submits);
		fprintf(out, "<td class=\"n\">%" PRIu64 "</td><td class=\"n\">%u</td><td class=\"n\">%u</td></tr>\n",
			b->throttled, b->rate_max, b->window_max);
	}
	fputs("</table>\n", out);
}

static void operators(const struct otasim *o, FILE *out)
{
	if (!o->scn->ops)
		return;
	fputs("<h2>Operators</h2>\n<table><tr><th>name</th><th>PLMN</th><th>register</th><th>subscribers</th></tr>\n",
	      out);
	for (unsigned i = 0; i < o->scn->ops; i++)
		fprintf(out, "<tr><td>%s</td><td>%s</td><td>%s</td><td class=\"n\">%zu</td></tr>\n", o->scn->op[i].name,
			o->scn->op[i].plmn, sim_hlr_is_down(o->hlr[i]) ? "down" : "up", sim_hlr_count(o->hlr[i]));
	fputs("</table>\n<p>Registered: ", out);
	where_print(o, out);
	fputs(".</p>\n", out);
}

static void cards(const struct otasim *o, FILE *out)
{
	uint32_t present = 0, fresh = 0, twice = 0, attempts = 0;

	for (uint32_t i = 0; i < o->fleet.n; i++) {
		struct sim_card_truth t;
		char imsi[SIM_IMSI_LEN];

		sim_card_truth(&o->fleet.cards[i], &t);
		run_new_imsi(o->run, i, imsi);
		present += sim_air_present(o->air, i);
		fresh += !strcmp(t.imsi_stored, imsi);
		twice += t.executions_max > 1;
		attempts += run_card(o->run, i)->attempts;
	}
	fprintf(out,
		"<h2>Cards</h2>\n<p>%u in coverage, %u out of it; %u hold their new IMSI; %u attempts; "
		"%u have run a packet twice.</p>\n",
		present, o->fleet.n - present, fresh, attempts, twice);
}

static void events(const struct otasim *o, FILE *out)
{
	uint64_t oldest, newest = run_lines(o->run, &oldest);
	uint64_t after = newest > EVENTS_SHOWN ? newest - EVENTS_SHOWN : 0;
	char text[SCN_TIME_TEXT_MAX];
	struct run_line l;

	fputs("<h2>The last events</h2>\n<table><tr><th>at</th><th></th><th>card</th><th></th></tr>\n", out);
	for (; run_line(o->run, after, &l); after = l.n) {
		fprintf(out, "<tr><td class=\"n\">%s</td><td>%s</td><td>", scn_time_text(text, l.t_ms),
			run_line_name(l.kind));
		if (l.card >= 0)
			fprintf(out, "<a href=\"/cards/%s\">%s</a>", o->fleet.cards[l.card].iccid,
				o->fleet.cards[l.card].iccid);
		fputs("</td><td>", out);
		if (l.kind == SMSC_ANSWERED || l.kind == SMSC_BOUND || l.kind == SMSC_DELIVER_ANSWERED) {
			if (l.status == SMSC_NEVER)
				fputs("no answer", out);
			else
				fprintf(out, "status 0x%02x", l.status);
		} else if (l.kind == SMSC_MET && l.por_status >= 0) {
			fprintf(out, "%s, proof of receipt %02X", l.accepted ? "accepted" : "refused", l.por_status);
		}
		fputs("</td></tr>\n", out);
	}
	fputs("</table>\n", out);
}

void page_write(const struct otasim *o, FILE *out)
{
	head(o, out);
	expectations(o, out);
	smscs(o, out);
	operators(o, out);
	cards(o, out);
	events(o, out);
	fputs("<p>As JSON: <a href=\"/scenario\">/scenario</a> <a href=\"/smsc\">/smsc</a> <a "
	      "href=\"/cards\">/cards</a> "
	      "<a href=\"/messages\">/messages</a></p>\n</body></html>\n",
	      out);
}
