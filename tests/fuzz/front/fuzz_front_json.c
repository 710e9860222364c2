/* fuzz_front_json.c - bodies of JSON requests: what is taken keeps to the limits, what is not gets a reason.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "http_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct api_import_req import;
	struct api_campaign_req campaign;
	char why[API_REASON_MAX] = "", *body;

	if (size > HTTP_JSON_MAX)
		return 0;
	body = malloc(size ? size : 1);
	if (!body)
		return 0;
	memcpy(body, data, size);
	if (json_import_req(&import, body, size, why, sizeof(why)))
		FUZZ_HOLDS(*why);
	else
		FUZZ_HOLDS(import.n_keysets >= 1 && import.n_keysets <= CARD_KEYSETS_MAX);
	*why = 0;
	if (json_campaign_req(&campaign, body, size, why, sizeof(why)))
		FUZZ_HOLDS(*why);
	else
		FUZZ_HOLDS(strlen(campaign.name) < CAMPAIGN_NAME_MAX && strlen(campaign.profile) < PROFILE_NAME_MAX);
	free(body);
	return 0;
}
