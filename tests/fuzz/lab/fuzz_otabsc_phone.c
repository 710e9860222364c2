/* fuzz_otabsc_phone.c - what an MSC says to a BSC with one phone: length octet, BSSAP message, ...; a length of 80 and more is time
 * that goes by instead, in steps of a second.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Whatever it is, what the phone says fits a message, each of its waits ends, and the card, for which nothing in here is signed,
 * has taken nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "phone.h"

#define TIME_FROM 0x80
#define STEPS_MAX 200 /* of a phone in one step of time: it speaks at most so often */
#define INPUT_MAX 4096

struct net {
	struct phone phone;
	bool open;
	uint8_t n_sd;
	unsigned said;
};

static void look(struct net *n, const uint8_t *l3, size_t len)
{
	FUZZ_HOLDS(len >= 2 && len <= PHONE_L3_MAX);
	fuzz_touch(l3, len);
	if ((l3[0] & 0x0f) == PD_MM)
		FUZZ_HOLDS(l3[1] >> 6 == (n->n_sd++ & 3));
	n->said++;
}

static int net_home(void *ctx, const char *imsi)
{
	return 0;
}

static bool net_open(void *ctx, struct phone *ph, int msc, const uint8_t *l3, size_t len)
{
	struct net *n = ctx;

	FUZZ_HOLDS(!n->open);
	n->open = true;
	n->n_sd = 0;
	look(n, l3, len);
	return true;
}

static void net_send(void *ctx, struct phone *ph, uint8_t sapi, const uint8_t *l3, size_t len)
{
	struct net *n = ctx;

	FUZZ_HOLDS(n->open);
	look(n, l3, len);
}

static void net_drop(void *ctx, struct phone *ph)
{
	struct net *n = ctx;

	FUZZ_HOLDS(n->open);
	n->open = false;
}

static void net_presents(void *ctx, struct phone *ph)
{
}

static void net_say(void *ctx, const char *line)
{
	fuzz_touch((const uint8_t *)line, strlen(line));
}

static const struct phone_net ops = {
	.home = net_home,
	.open = net_open,
	.send = net_send,
	.drop = net_drop,
	.presents = net_presents,
	.say = net_say,
};

static void message(struct net *n, const uint8_t *p, size_t len, int64_t now_ms)
{
	struct bssmap_paging paging;
	struct bssap in;

	if (!bssap_read(p, len, &in))
		return;
	if (in.dtap && n->open) {
		phone_l3(&n->phone, in.sapi, in.body.p, rd_left(&in.body), now_ms);
	} else if (!in.dtap && in.type == BSSMAP_PAGING && bssmap_paging_read(in.body, &paging)) {
		FUZZ_HOLDS(strlen(paging.imsi) <= IMSI_DIGITS_MAX);
		phone_paged(&n->phone, 0, now_ms);
	} else if (!in.dtap && in.type == BSSMAP_CLEAR_COMMAND && n->open) {
		n->open = false;
		phone_over(&n->phone, now_ms);
	}
}

static void pass(struct net *n, int64_t from_ms, int64_t to_ms)
{
	for (unsigned i = 0; phone_next_due(&n->phone) <= to_ms; i++) {
		int64_t due = phone_next_due(&n->phone);

		FUZZ_HOLDS(i < STEPS_MAX);
		phone_step(&n->phone, due > from_ms ? due : from_ms);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sim_card fresh;
	int64_t now_ms = 1000000;
	struct phone_cfg cfg;
	struct sim_card card;
	struct net n;

	if (!fresh.iccid[0]) {
		struct sim_card_profile p;

		sim_card_profile_default(&p);
		FUZZ_HOLDS(sim_card_init(&fresh, 1, 0, &p) == 0);
	}
	card = fresh;
	size = size < INPUT_MAX ? size : INPUT_MAX;
	memset(&n, 0, sizeof(n));
	phone_cfg_default(&cfg);
	phone_init(&n.phone, 1, &card, &cfg, &ops, &n);
	phone_on(&n.phone, now_ms);
	while (size) {
		uint8_t head = *data++;
		size_t len = head < --size ? head : size;
		uint8_t *exact;

		if (head >= TIME_FROM) {
			int64_t to_ms = now_ms + (head - TIME_FROM) * 1000ll;

			pass(&n, now_ms, to_ms);
			now_ms = to_ms;
			continue;
		}
		exact = malloc(len ? len : 1);
		FUZZ_HOLDS(exact);
		if (len)
			memcpy(exact, data, len);
		message(&n, exact, len, now_ms);
		free(exact);
		data += len;
		size -= len;
		FUZZ_HOLDS(n.phone.mo_n <= PHONE_MO_MAX && n.open == (n.phone.doing != PHONE_IDLE));
	}
	FUZZ_HOLDS(n.said > 0);
	FUZZ_HOLDS(card.truth.accepted == 0 && card.ks[0].cntr == fresh.ks[0].cntr);
	return 0;
}
