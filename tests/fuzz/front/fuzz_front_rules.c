/* fuzz_front_rules.c - a campaign's rules, filter and range: what is taken holds together, what is not gets a sentence.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The input is the rules, a NUL, the filter, a NUL, the range; and the first two are a retry's outcomes and classes.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_int.h"

#define NOW_MS 1700000000000LL

static void check_rules(const char *text)
{
	char err[RULES_ERR_MAX] = "", one[CAMPAIGN_RULES_MAX], two[CAMPAIGN_RULES_MAX];
	struct rules r;
	int64_t at;

	if (rules_parse(&r, text, err)) {
		FUZZ_HOLDS(*err);
		return;
	}
	rules_print(&r, one);
	FUZZ_HOLDS(!rules_parse(&r, one, err));
	rules_print(&r, two);
	FUZZ_HOLDS(!strcmp(one, two));
	rules_complete(&r);
	rules_print(&r, one);
	FUZZ_HOLDS(!rules_parse(&r, one, err));
	rules_complete(&r); /* what is there is not added again */
	rules_print(&r, two);
	FUZZ_HOLDS(!strcmp(one, two));
	at = rules_opening(&r, 60, NOW_MS);
	FUZZ_HOLDS(at >= NOW_MS && at <= NOW_MS + 86400000);
	FUZZ_HOLDS(rules_opening(&r, 60, at) == at);
	FUZZ_HOLDS(rules_closing(&r, 60, NOW_MS) > at && rules_closing(&r, 60, at) == rules_closing(&r, 60, NOW_MS));
	FUZZ_HOLDS(!r.windowed || rules_opening(&r, 60, rules_closing(&r, 60, at)) > rules_closing(&r, 60, at));
	for (unsigned g = 0; g < r.n_canary; g++)
		FUZZ_HOLDS(rules_group_end(&r, g, 1000) >= 1 && rules_group_end(&r, g, 1000) <= 1000);
}

static void check_filter(const char *filter, const char *range)
{
	const struct store_facts facts = {
		.imsi = "001010000000001", .msisdn = "", .profile = "", .last_seen_ms = NOW_MS
	};
	char why[API_TEXT_MAX] = "";
	struct store_filter f;

	if (filter_parse(&f, filter, range, NOW_MS, why, sizeof(why))) {
		FUZZ_HOLDS(*why);
		return;
	}
	FUZZ_HOLDS(f.n <= STORE_TERMS_MAX && f.n >= (*range ? 2u : 0u));
	(void)store_filter_keys(&f);
	(void)store_filter_iccid(&f, "8988211000000000017");
	(void)store_filter_holds(&f, &facts, 1);
}

static void check_retry(const char *only, const char *cls)
{
	struct api_campaign_req req = { .may_have_run = true };
	char why[API_TEXT_MAX] = "";
	struct retry_pick p;

	snprintf(req.only, sizeof(req.only), "%s", only);
	snprintf(req.cls, sizeof(req.cls), "%s", cls);
	if (retry_pick(&p, &req, why, sizeof(why)))
		FUZZ_HOLDS(*why);
	else /* no card that is done, or not through */
		FUZZ_HOLDS(p.states && p.classes &&
			   !(p.states & (1u << TXN_DONE | 1u << TXN_PLANNED | 1u << TXN_ACTIVE)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 3), *filter;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	check_rules(text);
	filter = text + strlen(text) + 1;
	if (filter >= text + size)
		filter = text + size;
	check_filter(filter, filter + strlen(filter) + (filter + strlen(filter) < text + size));
	check_retry(text, filter);
	free(text);
	return 0;
}
