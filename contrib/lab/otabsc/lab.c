/* lab.c - the fleet in its phones, behind one BSC: between phone.c, which has no clock and no socket, and libosmocore's loop.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <osmocom/core/hash.h>

int64_t lab_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void say(struct lab *l, const char *line)
{
	if (l->event)
		l->event(l->event_ctx, line);
}

/* ---- timers ---- */

static void on_timer(void *arg)
{
	struct seat *s = arg;

	phone_step(&s->phone, lab_now_ms());
	lab_settle(s);
}

void lab_settle(struct seat *s)
{
	int64_t due = phone_next_due(&s->phone), ms;

	if (due == PHONE_NEVER) {
		osmo_timer_del(&s->timer);
		return;
	}
	ms = due - lab_now_ms();
	ms = ms > 0 ? ms : 0;
	osmo_timer_schedule(&s->timer, (int)(ms / 1000), (int)(ms % 1000 * 1000));
}

/* ---- what a phone wants of its network ---- */

static uint32_t imsi_key(const char *imsi)
{
	return hash_64(strtoull(imsi, NULL, 10), 32);
}

static int net_home(void *ctx, const char *imsi)
{
	const struct seat *s = ctx;
	int best = PHONE_NOWHERE;
	size_t longest = 0;

	for (int i = 0; i < bsc_mscs(s->lab->bsc); i++) {
		const char *plmn = bsc_msc_cell(s->lab->bsc, i)->plmn.digits;
		size_t n = strlen(plmn);

		if (n > longest && !strncmp(imsi, plmn, n)) {
			best = i;
			longest = n;
		}
	}
	return best;
}

static bool net_open(void *ctx, struct phone *ph, int msc, const uint8_t *l3, size_t len)
{
	struct seat *s = ctx;

	s->conn = bsc_open(s->lab->bsc, msc, s, l3, len);
	return s->conn != 0;
}

static void net_send(void *ctx, struct phone *ph, uint8_t sapi, const uint8_t *l3, size_t len)
{
	struct seat *s = ctx;

	bsc_l3(s->lab->bsc, s->conn, sapi, l3, len);
}

static void net_drop(void *ctx, struct phone *ph)
{
	struct seat *s = ctx;

	bsc_drop(s->lab->bsc, s->conn);
	s->conn = 0;
}

static void net_presents(void *ctx, struct phone *ph)
{
	struct seat *s = ctx;

	if (s->listed)
		hash_del(&s->by_imsi);
	hash_add(s->lab->imsi, &s->by_imsi, imsi_key(ph->card->imsi_presented));
	s->listed = true;
}

static void net_say(void *ctx, const char *line)
{
	const struct seat *s = ctx;

	say(s->lab, line);
}

static const struct phone_net net = {
	.home = net_home,
	.open = net_open,
	.send = net_send,
	.drop = net_drop,
	.presents = net_presents,
	.say = net_say,
};

/* ---- what the BSC tells ---- */

static void on_up(void *ctx, int msc)
{
	struct lab *l = ctx;
	char line[64];

	snprintf(line, sizeof(line), "MSC %s up", bsc_msc_name(l->bsc, msc));
	say(l, line);
	for (uint32_t i = 0; i < l->fleet.n; i++) {
		phone_network_up(&l->seat[i].phone, lab_now_ms());
		lab_settle(&l->seat[i]);
	}
}

static void on_down(void *ctx, int msc)
{
	struct lab *l = ctx;
	char line[64];

	snprintf(line, sizeof(line), "MSC %s down", bsc_msc_name(l->bsc, msc));
	say(l, line);
}

static void on_paged(void *ctx, int msc, const struct bssmap_paging *p)
{
	struct lab *l = ctx;
	struct hlist_node *tmp;
	struct seat *s;

	hash_for_each_possible_safe(l->imsi, s, tmp, by_imsi, imsi_key(p->imsi))
	{
		if (strcmp(s->phone.card->imsi_presented, p->imsi) || s->phone.at != msc)
			continue;
		phone_paged(&s->phone, msc, lab_now_ms());
		lab_settle(s);
	}
}

static void on_l3(void *ctx, void *owner, uint8_t sapi, const uint8_t *l3, size_t len)
{
	struct seat *s = owner;

	phone_l3(&s->phone, sapi, l3, len, lab_now_ms());
	lab_settle(s);
}

static void on_over(void *ctx, void *owner)
{
	struct seat *s = owner;

	s->conn = 0;
	phone_over(&s->phone, lab_now_ms());
	lab_settle(s);
}

const struct bsc_cb lab_bsc_cb = {
	.up = on_up,
	.down = on_down,
	.paged = on_paged,
	.l3 = on_l3,
	.over = on_over,
};

/* ---- the whole ---- */

bool lab_init(struct lab *l)
{
	hash_init(l->imsi);
	l->seat = calloc(l->fleet.n ? l->fleet.n : 1, sizeof(*l->seat));
	for (uint32_t i = 0; l->seat && i < l->fleet.n; i++) {
		struct seat *s = &l->seat[i];

		s->lab = l;
		osmo_timer_setup(&s->timer, on_timer, s);
		phone_init(&s->phone, i + 1, &l->fleet.cards[i], &l->phones, &net, s);
	}
	return l->seat != NULL;
}

void lab_free(struct lab *l)
{
	for (uint32_t i = 0; l->seat && i < l->fleet.n; i++)
		osmo_timer_del(&l->seat[i].timer);
	free(l->seat);
	l->seat = NULL;
	fleet_free(&l->fleet);
}

void lab_truth(const struct lab *l, uint32_t card, struct sim_world_card *out, const char **op)
{
	const struct phone *ph = &l->seat[card].phone;

	sim_card_look(ph->card, NULL, card, out);
	out->op = ph->at;
	out->present = ph->on && ph->covered && ph->at != PHONE_NOWHERE;
	*op = bsc_msc_name(l->bsc, ph->at);
}
