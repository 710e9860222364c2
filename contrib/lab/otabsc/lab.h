/* lab.h - the fleet in its phones, behind one BSC.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTABSC_LAB_H
#define OTABSC_LAB_H

#include <osmocom/core/utils.h>
#include <osmocom/core/hashtable.h>
#include <osmocom/core/timer.h>

#include "bsc.h"
#include "fleet.h"
#include "phone.h"
#include "world/world.h"

#define LAB_HASH_BITS 12

struct lab;

struct seat { /* a phone, and what ties it to the loop */
	struct phone phone;
	struct lab *lab;
	uint32_t conn; /* at the BSC; 0: none */
	struct osmo_timer_list timer;
	struct hlist_node by_imsi;
	bool listed;
};

struct lab {
	struct fleet fleet;
	struct seat *seat; /* one for each card, in their order */
	struct phone_cfg phones;
	struct bsc *bsc;
	DECLARE_HASHTABLE(imsi, LAB_HASH_BITS);	    /* by the IMSI a phone presents */
	void (*event)(void *ctx, const char *line); /* a line for whoever watches */
	void *event_ctx;
};

/* The fleet is there; phones are put around its cards, all switched off.  False: no memory. */
bool lab_init(struct lab *l);
void lab_free(struct lab *l);
extern const struct bsc_cb lab_bsc_cb;

int64_t lab_now_ms(void);
/* After whatever has been done to a phone: its next moment. */
void lab_settle(struct seat *s);

void lab_truth(const struct lab *l, uint32_t card, struct sim_world_card *out, const char **op);

#endif
