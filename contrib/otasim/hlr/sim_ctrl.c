/* sim_ctrl.c - the CTRL interface of a register, with the time it takes.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "sim_ctrl.h"

struct request {
	uint64_t tag;
	int64_t due_ms;
	char text[SIM_CTRL_REQUEST_MAX]; /* may carry keys */
};

struct sim_ctrl {
	struct sim_hlr *hlr;
	uint64_t dice;
	int64_t lo_ms, hi_ms, last_ms;
	int64_t usual_lo_ms, usual_hi_ms;
	bool told;
	unsigned head, n;
	struct request queue[SIM_CTRL_QUEUE_MAX];
};

struct sim_ctrl *sim_ctrl_new(struct sim_hlr *h, uint64_t seed)
{
	struct sim_ctrl *c = calloc(1, sizeof(*c));

	if (c) {
		c->hlr = h;
		c->dice = seed;
	}
	return c;
}

void sim_ctrl_free(struct sim_ctrl *c)
{
	if (!c)
		return;
	for (; c->n; c->n--) { /* those that were answered are wiped already */
		OPENSSL_cleanse(&c->queue[c->head], sizeof(c->queue[0]));
		c->head = (c->head + 1) % SIM_CTRL_QUEUE_MAX;
	}
	free(c);
}

void sim_ctrl_late(struct sim_ctrl *c, int64_t lo_ms, int64_t hi_ms)
{
	c->lo_ms = lo_ms;
	c->hi_ms = hi_ms > lo_ms ? hi_ms : lo_ms;
	if (!c->told) {
		c->told = true;
		c->usual_lo_ms = c->lo_ms;
		c->usual_hi_ms = c->hi_ms;
	}
}

void sim_ctrl_usual(struct sim_ctrl *c)
{
	c->lo_ms = c->usual_lo_ms;
	c->hi_ms = c->usual_hi_ms;
}

static uint64_t draw(struct sim_ctrl *c)
{
	uint64_t z = c->dice += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

bool sim_ctrl_ask(struct sim_ctrl *c, uint64_t tag, const char *request, int64_t now_ms)
{
	struct request *r = &c->queue[(c->head + c->n) % SIM_CTRL_QUEUE_MAX];
	size_t len = strlen(request);

	if (sim_hlr_is_down(c->hlr) || c->n == SIM_CTRL_QUEUE_MAX || len >= sizeof(r->text))
		return false;
	if (now_ms > c->last_ms)
		c->last_ms = now_ms;
	c->last_ms += c->lo_ms + (int64_t)(draw(c) % (uint64_t)(c->hi_ms - c->lo_ms + 1));
	r->tag = tag;
	r->due_ms = c->last_ms;
	memcpy(r->text, request, len + 1);
	c->n++;
	return true;
}

bool sim_ctrl_reply(struct sim_ctrl *c, int64_t now_ms, uint64_t *tag, char reply[SIM_HLR_REPLY_MAX], bool *lost)
{
	struct request *r = &c->queue[c->head];

	*lost = sim_hlr_is_down(c->hlr);
	if (!c->n || (r->due_ms > now_ms && !*lost))
		return false;
	*tag = r->tag;
	reply[0] = '\0';
	if (*lost)
		c->last_ms = 0;
	else
		sim_hlr_ctrl(c->hlr, r->text, reply);
	OPENSSL_cleanse(r, sizeof(*r));
	c->head = (c->head + 1) % SIM_CTRL_QUEUE_MAX;
	c->n--;
	return true;
}

int64_t sim_ctrl_next_due(const struct sim_ctrl *c)
{
	if (!c->n)
		return INT64_MAX;
	return sim_hlr_is_down(c->hlr) ? INT64_MIN : c->queue[c->head].due_ms;
}
