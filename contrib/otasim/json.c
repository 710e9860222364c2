/* json.c - what happened, as JSON.  No key of any card stands in it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "json.h"

#include <inttypes.h>

static void text(FILE *out, const char *p)
{
	fputc('"', out);
	while (*p) {
		size_t n = run_utf8_len(p);

		if (*p == '"' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else if (n == 0)
			fputc('?', out);
		else if ((uint8_t)*p < ' ' || *p == 0x7f)
			fprintf(out, "\\u%04x", (unsigned)(uint8_t)*p);
		else
			fwrite(p, 1, n, out);
		p += n ? n : 1;
	}
	fputc('"', out);
}

static void member(FILE *out, const char *name, const char *value)
{
	fprintf(out, "\"%s\":", name);
	text(out, value);
}

/* Times that are not yet, or never, are null. */
static void time_member(FILE *out, const char *name, int64_t ms)
{
	if (ms < 0 || ms == SCN_NEVER)
		fprintf(out, "\"%s\":null", name);
	else
		fprintf(out, "\"%s\":%" PRId64, name, ms);
}

static void hex(FILE *out, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%02x", p[i]);
}

static int64_t now(const struct otasim *o)
{
	return run_ended(o->run) ? run_ended_ms(o->run) : run_time(o->run, o->now_ms);
}

/* ---- the scenario ---- */

static void expectation(const struct otasim *o, unsigned i, FILE *out)
{
	char why[RUN_WHY_MAX];
	struct run_result res;

	run_result(o->run, i, &res);
	fprintf(out, "{\"line\":%u,", res.expect->line);
	member(out, "text", res.expect->text);
	fputc(',', out);
	member(out, "verdict", run_verdict_name(res.verdict));
	fputc(',', out);
	time_member(out, "settled_ms", res.verdict == RUN_OPEN ? -1 : res.settled_ms);
	fprintf(out, ",\"cards\":%u,\"bad\":%u,", res.members, res.bad);
	member(out, "why", run_why(o->run, &res, why));
	fputs(",\"bad_cards\":[", out);
	for (unsigned k = 0; k < res.n_shown; k++)
		fprintf(out, "%s\"%s\"", k ? "," : "", o->fleet.cards[res.shown[k].card].iccid);
	fputs("]}", out);
}

void json_scenario(const struct otasim *o, FILE *out)
{
	fputc('{', out);
	member(out, "name", o->scn->name);
	fputc(',', out);
	member(out, "file", o->scn->file);
	fprintf(out, ",\"cards\":%u,\"seed\":%" PRIu64 ",\"time_ms\":%" PRId64 ",", o->scn->cards, o->scn->seed,
		now(o));
	time_member(out, "end_ms", o->scn->end_ms);
	fprintf(out, ",\"ended\":%s,", run_ended(o->run) ? "true" : "false");
	member(out, "verdict", run_verdict_name(run_verdict(o->run)));
	fputs(",\"expectations\":[", out);
	for (unsigned i = 0; i < o->scn->expects; i++) {
		fputs(i ? "," : "", out);
		expectation(o, i, out);
	}
	fputs("]}\n", out);
}

/* ---- SMSCs ---- */

static void door(const struct otasim *o, unsigned i, FILE *out)
{
	const struct door_book *b = run_door(o->run, i);

	fputc('{', out);
	member(out, "name", o->scn->door_name[i]);
	fputc(',', out);
	if (o->scn->ops)
		fprintf(out, "\"plmn\":\"%s\",\"subscribers\":%zu,\"register\":\"%s\",", o->scn->op[i].plmn,
			sim_hlr_count(o->hlr[i]), sim_hlr_is_down(o->hlr[i]) ? "down" : "up");
	member(out, "state", smsc_mood_name(smsc_mood(o->smsc, i)->kind));
	fprintf(out, ",\"since_ms\":%" PRId64 ",\"connections\":%" PRIu64 ",\"bind_attempts\":%" PRIu64 ",",
		b->mood_since_ms, b->connections, b->bind_attempts);
	fprintf(out, "\"binds\":%" PRIu64 ",\"submits\":%" PRIu64 ",\"throttled\":%" PRIu64 ",", b->binds, b->submits,
		b->throttled);
	fprintf(out, "\"rate_max\":%u,\"window_max\":%u,\"delivery_answer_max_ms\":%" PRId64 ",", b->rate_max,
		b->window_max, b->answer_max_ms);
	fprintf(out, "\"delivery_timeouts\":%" PRIu64 "}", b->timeouts);
}

void json_smsc(const struct otasim *o, FILE *out)
{
	struct sim_air_stats a;
	struct smsc_stats m;

	sim_air_stats(o->air, &a);
	smsc_stats(o->smsc, &m);
	fprintf(out, "{\"time_ms\":%" PRId64 ",\"sessions\":%u,\"bound\":%u,\"in_flight\":%zu,\"smscs\":[", now(o),
		m.sessions, m.bound, sim_air_in_flight(o->air));
	for (unsigned i = 0; i < o->scn->doors; i++) {
		fputs(i ? "," : "", out);
		door(o, i, out);
	}
	fprintf(out, "],\"delivered\":%" PRIu64 ",\"absent\":%" PRIu64 ",\"refused_by_phone\":%" PRIu64 ",",
		a.delivered, a.absent, a.refused);
	fprintf(out,
		"\"lost\":%" PRIu64 ",\"doubled\":%" PRIu64 ",\"alerts\":%" PRIu64 ",\"proofs_by_sms\":%" PRIu64 "}\n",
		a.lost_down + a.lost_up + a.lost_results, a.duplicated, a.alerts, a.mo);
}

/* ---- cards ---- */

static const char *taking_name(enum sim_taking t)
{
	static const char *const names[] = {
		[SIM_TAKES] = "takes",	   [SIM_MEMORY_FULL] = "memory-full", [SIM_TOOLKIT_BUSY] = "toolkit-busy",
		[SIM_IGNORES] = "ignores", [SIM_SILENT] = "silent",
	};

	return names[t];
}

/* Without the closing brace. */
static void card_members(const struct otasim *o, uint32_t card, FILE *out)
{
	const struct card_book *b = run_card(o->run, card);
	int64_t since_ms;
	struct otasim_card c;

	otasim_card(o, card, &c);
	fprintf(out, "{\"card\":%u,\"iccid\":\"%s\",\"msisdn\":\"%s\",\"imsi_first\":\"%s\",\"imsi_new\":\"%s\",",
		card + 1, c.iccid, c.msisdn, c.imsi_first, c.imsi_new);
	fprintf(out, "\"imsi_stored\":\"%s\",\"imsi_presented\":\"%s\",\"present\":%s,\"state\":\"%s\",", c.imsi_stored,
		c.imsi_presented, c.present ? "true" : "false", taking_name(sim_air_takes(o->air, card, &since_ms)));
	if (o->scn->ops)
		fprintf(out, "\"operator\":\"%s\",\"index\":%u,", c.at, c.index);
	fprintf(out, "\"attempts\":%u,\"submits\":%u,\"reached\":%u,\"proofs\":%u,\"alerts\":%u,", c.attempts,
		c.submits, c.reached, c.proofs, b->alerts);
	fprintf(out, "\"runs\":%u,\"executions\":%u,\"replays\":%u,\"refused\":%u,\"counter\":%" PRIu64 ",", c.runs,
		c.executions, c.replays, c.refused, c.counter);
	time_member(out, "first_attempt_ms", b->first_ms);
	fputc(',', out);
	time_member(out, "last_attempt_ms", b->last_ms);
	fputc(',', out);
	time_member(out, "shortest_gap_ms", b->shortest_ms);
	fprintf(out, ",\"longest_gap_ms\":%" PRId64, b->longest_ms);
}

void json_cards(const struct otasim *o, uint32_t from, unsigned max, FILE *out)
{
	uint32_t at = from ? from - 1 : 0;

	fprintf(out, "{\"total\":%u,\"cards\":[", o->fleet.n);
	for (unsigned i = 0; i < max && at < o->fleet.n; i++, at++) {
		fputs(i ? ",\n" : "\n", out);
		card_members(o, at, out);
		fputc('}', out);
	}
	fputs("\n],", out);
	time_member(out, "next", at < o->fleet.n ? (int64_t)at + 1 : -1);
	fputs("}\n", out);
}

void json_card(const struct otasim *o, uint32_t card, FILE *out)
{
	const struct sim_card *c = &o->fleet.cards[card];

	card_members(o, card, out);
	fprintf(out, ",\"kvn\":%u,\"alg\":\"%s\",\"packets\":[", c->ks[0].kvn, sim_alg_name(c->ks[0].kic_alg));
	for (int i = 0; i < c->seen_count; i++)
		fprintf(out, "%s\n{\"counter\":%" PRIu64 ",\"kvn\":%u,\"executions\":%u,\"imsi_update\":%s}",
			i ? "," : "", c->seen[i].cntr, c->seen[i].kvn, c->seen[i].executions,
			c->seen[i].imsi_update ? "true" : "false");
	fputs("\n]}\n", out);
}

/* ---- messages ---- */

static void status_member(FILE *out, uint32_t status)
{
	if (status == SMSC_NEVER)
		fputs(",\"status\":null", out); /* there was no answer */
	else
		fprintf(out, ",\"status\":%u", status);
}

static void message(const struct otasim *o, const struct run_line *l, FILE *out)
{
	bool of_session = l->kind != SMSC_MET && l->kind != SMSC_SHOWN && l->kind != SMSC_ALERTED;

	fprintf(out, "{\"n\":%" PRIu64 ",\"t_ms\":%" PRId64 ",\"what\":\"%s\"", l->n, l->t_ms, run_line_name(l->kind));
	if (of_session) {
		fprintf(out, ",\"session\":%u,", l->session);
		member(out, "smsc", o->scn->door_name[l->door]);
	}
	if (l->card >= 0)
		fprintf(out, ",\"iccid\":\"%s\"", o->fleet.cards[l->card].iccid);
	switch (l->kind) {
	case SMSC_BOUND:
		fputc(',', out);
		member(out, "system_id", l->text);
		status_member(out, l->status);
		break;
	case SMSC_SUBMITTED:
		fprintf(out, ",\"id\":\"%016" PRIx64 "\",\"pid\":%u,\"dcs\":%u,\"udhi\":%s,\"ud\":\"", l->token, l->pid,
			l->dcs, l->udhi ? "true" : "false");
		hex(out, l->ud, l->ud_len);
		fputc('"', out);
		break;
	case SMSC_ANSWERED:
		fprintf(out, ",\"id\":\"%016" PRIx64 "\"", l->token);
		status_member(out, l->status);
		break;
	case SMSC_MET:
		fprintf(out, ",\"id\":\"%016" PRIx64 "\",\"sw\":\"%04x\",\"accepted\":%s", l->token, l->sw,
			l->accepted ? "true" : "false");
		if (l->por_status >= 0)
			fprintf(out, ",\"por_status\":%d", l->por_status);
		break;
	case SMSC_DELIVERED:
		fprintf(out, ",\"up\":\"%016" PRIx64 "\",\"receipt\":%s,\"ud\":\"", l->token,
			l->receipt ? "true" : "false");
		hex(out, l->ud, l->ud_len);
		fputs("\",", out);
		member(out, "stat", l->text);
		break;
	case SMSC_DELIVER_ANSWERED:
		fprintf(out, ",\"up\":\"%016" PRIx64 "\",\"took_ms\":%" PRId64, l->token, l->took_ms);
		status_member(out, l->status);
		break;
	default:
		break;
	}
	fputc('}', out);
}

void json_messages(const struct otasim *o, uint64_t after, unsigned max, int64_t card, FILE *out)
{
	uint64_t oldest, newest = run_lines(o->run, &oldest);
	struct run_line l = { .n = after };
	unsigned shown = 0;

	fprintf(out, "{\"oldest\":%" PRIu64 ",\"newest\":%" PRIu64 ",\"messages\":[", oldest, newest);
	while (shown < max && run_line(o->run, after, &l)) {
		after = l.n;
		if (card >= 0 && l.card != card)
			continue;
		fputs(shown++ ? ",\n" : "\n", out);
		message(o, &l, out);
	}
	fputs("\n],", out);
	time_member(out, "next", after < newest ? (int64_t)after : -1);
	fputs("}\n", out);
}

void json_error(const char *what, FILE *out)
{
	fputc('{', out);
	member(out, "error", what);
	fputs("}\n", out);
}
