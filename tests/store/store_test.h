/* store_test.h - rows and short words for the store's tests.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_STORE_TEST_H
#define OTAGW_STORE_TEST_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store.h"

#define T0   1700000000000LL /* when all cards of these tests were made */
#define GEN0 7		     /* generation of their keysets */

/* Card number n: its numbers follow from n, its keysets are versions 1..keysets. */
static inline struct store_card_insert card_make(unsigned n, unsigned keysets)
{
	struct store_card_insert in = { .card = { .created_ms = T0 }, .n_keysets = (uint8_t)keysets };

	snprintf(in.card.iccid, sizeof(in.card.iccid), "8988211%012u", n);
	snprintf(in.card.imsi, sizeof(in.card.imsi), "00101%010u", n);
	snprintf(in.card.msisdn, sizeof(in.card.msisdn), "49170%07u", n);
	for (unsigned i = 0; i < keysets && i < CARD_KEYSETS_MAX; i++) {
		struct keyset_row *k = &in.keyset[i];

		k->kvn = (uint8_t)(i + 1);
		k->kic_alg = 3;
		k->kid_alg = 4;
		k->cc_len = 8;
		k->generation = GEN0;
		k->cntr = 100;
		k->sealed_len = 150;
		memset(k->sealed, (int)(n + i), k->sealed_len);
	}
	return in;
}

static inline struct store_txn_plan plan_make(uint64_t campaign, unsigned n, unsigned imsi)
{
	struct store_txn_plan p = { .kvn = 1, .txn = { .campaign = campaign, .evidence = 255, .por_status = 255 } };

	snprintf(p.iccid, sizeof(p.iccid), "8988211%012u", n);
	snprintf(p.txn.new_imsi, sizeof(p.txn.new_imsi), "00102%010u", imsi);
	return p;
}

static inline struct campaign_row campaign_make(uint64_t id, const char *name, enum campaign_state state)
{
	struct campaign_row c = { .id = id, .state = (uint8_t)state, .created_ms = T0 };

	snprintf(c.name, sizeof(c.name), "%s", name);
	snprintf(c.profile, sizeof(c.profile), "usim-rfm");
	return c;
}

static inline struct cmd_row cmd_make(uint64_t id, uint64_t card, enum cmd_state state)
{
	struct cmd_row c = { .id = id,
			     .card = card,
			     .txn = card,
			     .campaign = 1,
			     .kind = CMD_SCRIPT,
			     .state = (uint8_t)state,
			     .kvn = 1,
			     .kic = 0x15,
			     .kid = 0x15,
			     .spi = { 0x16, 0x39 },
			     .tar = { 0xb0, 0, 0x10 },
			     .cc_len = 8,
			     .segs = 1,
			     .hint = 255,
			     .por_status = 255,
			     .cntr = 100 + id,
			     .born_ms = T0,
			     .due_ms = T0 + 1000,
			     .deadline_ms = T0 + 2000 };

	return c;
}

#endif
