/* truth_text.c - what each card says of itself, as lines of text and as JSON.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "truth_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS	  15
#define FIELD_MAX 40

static const char *const states[_SIM_SUB_STATES] = {
	[SIM_SUB_IDLE] = "idle",
	[SIM_SUB_STAGED] = "staged",
	[SIM_SUB_ARMED] = "armed",
	[SIM_SUB_TRIAL] = "trial",
	[SIM_SUB_CONFIRMED] = "confirmed",
	[SIM_SUB_RETURNING] = "returning",
	[SIM_SUB_ROLLED_BACK] = "rolled-back",
};

const char *sub_state_name(unsigned state)
{
	return state < _SIM_SUB_STATES ? states[state] : "?";
}

static const char *order_text(char out[17], uint64_t order)
{
	out[0] = '\0';
	if (order)
		snprintf(out, 17, "%016" PRIx64, order);
	return out;
}

void whole_truth_print(char out[WHOLE_TRUTH_LINE_MAX], const struct sim_world_card *c, const char *op)
{
	char order[17];

	snprintf(out, WHOLE_TRUTH_LINE_MAX, "%s,%s,%s,%u,%u,%s,%s,%u,%u,%u,%u,%u,%s,%d,%" PRIu64, c->iccid,
		 c->imsi_stored, c->imsi_presented, c->index, c->kvn, c->applet ? sub_state_name(c->state) : "",
		 order_text(order, c->order), c->moves, c->moves_max, c->imsi_writes, c->executions_max, c->pairs_left,
		 op, c->present, c->sqn);
}

/* No character of any value needs an escape. */
void whole_truth_json(FILE *out, const struct sim_world_card *c, const char *op)
{
	char order[17];

	fprintf(out, "{\"iccid\":\"%s\",\"imsi\":\"%s\",\"presented\":\"%s\",\"index\":%u,\"kvn\":%u,", c->iccid,
		c->imsi_stored, c->imsi_presented, c->index, c->kvn);
	fprintf(out, "\"state\":\"%s\",\"order\":\"%s\",\"moves\":%u,\"moves_max\":%u,\"imsi_writes\":%u,",
		c->applet ? sub_state_name(c->state) : "", order_text(order, c->order), c->moves, c->moves_max,
		c->imsi_writes);
	fprintf(out, "\"executions_max\":%u,\"pairs_left\":%u,\"operator\":\"%s\",\"present\":%s,\"sqn\":%" PRIu64 "}",
		c->executions_max, c->pairs_left, op, c->present ? "true" : "false", c->sqn);
}

static bool u32_of(const char *text, unsigned *v)
{
	char *end;

	*v = (unsigned)strtoul(text, &end, 10);
	return end != text && !*end;
}

bool whole_truth_parse(const char *line, struct sim_world_card *c, char *op, size_t op_cap)
{
	char f[FIELDS][FIELD_MAX];
	unsigned present = 0, n = 0;

	memset(c, 0, sizeof(*c));
	for (bool more = true; more; n++) {
		size_t len = strcspn(line, ",");

		if (n == FIELDS || len >= FIELD_MAX)
			return false;
		memcpy(f[n], line, len);
		f[n][len] = '\0';
		more = line[len] == ',';
		line += len + more;
	}
	if (n != FIELDS || strlen(f[0]) >= sizeof(c->iccid) || strlen(f[1]) >= sizeof(c->imsi_stored) ||
	    strlen(f[2]) >= sizeof(c->imsi_presented) || strlen(f[12]) >= op_cap)
		return false;
	strcpy(c->iccid, f[0]);
	strcpy(c->imsi_stored, f[1]);
	strcpy(c->imsi_presented, f[2]);
	strcpy(op, f[12]);
	c->applet = f[5][0] != '\0';
	while (c->applet && c->state < _SIM_SUB_STATES && strcmp(states[c->state], f[5]))
		c->state++;
	c->order = strtoull(f[6], NULL, 16);
	c->sqn = strtoull(f[14], NULL, 10);
	if (!u32_of(f[3], &c->index) || !u32_of(f[4], &c->kvn) || !u32_of(f[7], &c->moves) ||
	    !u32_of(f[8], &c->moves_max) || !u32_of(f[9], &c->imsi_writes) || !u32_of(f[10], &c->executions_max) ||
	    !u32_of(f[11], &c->pairs_left) || !u32_of(f[13], &present) || c->state == _SIM_SUB_STATES)
		return false;
	c->present = present;
	return true;
}
