/* fuzz_sim_scenario.c - any octets as a scenario: read, or refused with file and line; and then asked about any moment.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "scenario/scn.h"

#define CARDS 20 /* whatever the file says: a million cards take their time */
#define EDGES 20

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct scn_given given = { .cards = CARDS };
	char err[SCN_ERR_MAX];
	char *exact = malloc(size ? size : 1);
	struct scn *s;

	FUZZ_HOLDS(exact);
	if (size)
		memcpy(exact, data, size);
	s = scn_parse("f", exact, size, &given, err);
	free(exact);
	if (!s) {
		FUZZ_HOLDS(!strncmp(err, "f:", 2) && strlen(err) > 5 && strlen(err) < SCN_ERR_MAX);
		return 0;
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
	return 0;
}
