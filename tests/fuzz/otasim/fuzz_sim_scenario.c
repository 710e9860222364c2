/* fuzz_sim_scenario.c - any octets as a scenario: read, or refused with file and line; then lived through for a while.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "otasim_int.h"

#define CARDS	  20 /* whatever the file says: a million cards take their time */
#define EDGES	  20
#define STEPS_MAX 300
#define T0	  1000000

static void walk(const struct scn *s, const struct scn_rule *r, uint32_t card)
{
	int64_t t = 0;

	for (int i = 0; i < EDGES && t != SCN_NEVER; i++) {
		int64_t edge = scn_rule_edge(s, r, card, t);

		FUZZ_HOLDS(edge > t);
		(void)scn_rule_active(s, r, card, t);
		t = edge;
	}
}

static void read_alone(const char *text, size_t size)
{
	static const struct scn_given given = { .cards = CARDS };
	char err[SCN_ERR_MAX];
	struct scn *s = scn_parse("f", text, size, &given, err);

	if (!s) {
		FUZZ_HOLDS(!strncmp(err, "f:", 2) && strlen(err) > 5 && strlen(err) < SCN_ERR_MAX);
		return;
	}
	FUZZ_HOLDS(!err[0] && s->cards == CARDS && s->doors >= 1 && s->end_ms > 0);
	for (unsigned i = 0; i < s->rules; i++) {
		for (uint32_t c = 0; c < CARDS; c += 7) {
			(void)scn_in(s, s->rule[i].set, c);
			walk(s, &s->rule[i], c);
		}
	}
	for (unsigned i = 0; i < s->expects; i++) {
		const struct scn_expect *e = &s->expect[i];

		FUZZ_HOLDS(e->by_ms <= s->end_ms || e->by_ms == SCN_NEVER);
		FUZZ_HOLDS(scn_set_size(s, e->set) <= CARDS);
	}
	scn_free(s);
}

static void live(const char *text, size_t size)
{
	struct otasim_cfg cfg = { .file = "f", .text = text, .len = size, .cards = CARDS };
	char err[OTASIM_ERR_MAX], *report = NULL;
	struct otasim *o = otasim_new(&cfg, T0, err);
	size_t len;
	FILE *mem;

	if (!o) {
		FUZZ_HOLDS(err[0]);
		return;
	}
	for (unsigned i = 0; i < otasim_smscs(o); i++)
		(void)otasim_connect(o, i, T0);
	for (int i = 0; i < STEPS_MAX && !otasim_ended(o); i++) {
		int64_t due = otasim_next_due(o);

		FUZZ_HOLDS(due > o->now_ms || i == 0);
		if (due == INT64_MAX)
			break;
		otasim_step(o, due);
	}
	mem = open_memstream(&report, &len);
	FUZZ_HOLDS(mem);
	otasim_summary(o, mem);
	otasim_junit(o, mem);
	fclose(mem);
	free(report);
	otasim_free(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact = malloc(size ? size : 1);

	FUZZ_HOLDS(exact);
	if (size)
		memcpy(exact, data, size);
	read_alone(exact, size);
	live(exact, size);
	free(exact);
	return 0;
}
