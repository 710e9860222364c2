/* smsc_test.h - an SMSC over byte buffers, with an ESME made of the same PDU codec on the other side.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef SMSC_TEST_H
#define SMSC_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_test.h"
#include "smpp_pdu.h"
#include "smsc/smsc.h"

#define CARDS	  10
#define T0	  1700000000000ll
#define PDUS_MAX  256
#define READ_IMSI "00a4000c026f0700b0000009"

struct fix {
	struct sim_card card[CARDS];
	struct sim_air_cfg air_cfg;
	struct smsc_cfg cfg;
	struct sim_air *air;
	struct smsc *smsc;
	int64_t now_ms;
	/* what came back on a session, cut into PDUs */
	uint8_t raw[PDUS_MAX][SMSC_PDU_MAX];
	struct smpp_pdu pdu[PDUS_MAX];
	int n;
	unsigned seen[SMSC_ALERTED + 1]; /* events by kind */
	struct smsc_seen last[SMSC_ALERTED + 1];
};
static struct fix f;

static inline void on_seen(void *ctx, const struct smsc_seen *seen)
{
	f.seen[seen->kind]++;
	f.last[seen->kind] = *seen;
}

static inline void start(void)
{
	struct sim_card_profile p;

	sim_card_profile_default(&p);
	for (uint32_t i = 0; i < CARDS; i++)
		assert_int_equal(sim_card_init(&f.card[i], 1, i, &p), 0);
	f.now_ms = T0;
	f.air = sim_air_new(&f.air_cfg, f.card, CARDS, T0);
	f.smsc = smsc_new(&f.cfg, f.air);
	assert_non_null(f.smsc);
}

static inline int setup(void **state)
{
	memset(&f, 0, sizeof(f));
	sim_air_cfg_default(&f.air_cfg);
	smsc_cfg_default(&f.cfg);
	f.cfg.seen = on_seen;
	return 0;
}

static inline int teardown(void **state)
{
	smsc_free(f.smsc);
	sim_air_free(f.air);
	return 0;
}

/* Takes away what the session has to say and cuts it into PDUs. */
static inline void hear(int session)
{
	const uint8_t *p;
	size_t len, at = 0;

	f.n = 0;
	p = smsc_output(f.smsc, session, &len);
	while (at < len) {
		int n = smpp_frame(p + at, len - at, SMSC_PDU_MAX);

		assert_true(n > 0 && f.n < PDUS_MAX);
		memcpy(f.raw[f.n], p + at, (size_t)n);
		assert_int_equal(smpp_pdu_unpack(&f.pdu[f.n], f.raw[f.n], (size_t)n, NULL), 0);
		f.n++;
		at += (size_t)n;
	}
	smsc_written(f.smsc, session, len);
}

static inline bool say(int session, const struct smpp_pdu *pdu)
{
	uint8_t buf[SMSC_PDU_MAX];
	int n = smpp_pdu_pack(buf, sizeof(buf), pdu);

	assert_true(n > 0);
	return smsc_input(f.smsc, session, buf, (size_t)n, f.now_ms);
}

/* Says it and gives the one answer. */
static inline const struct smpp_pdu *ask(int session, const struct smpp_pdu *pdu)
{
	say(session, pdu);
	hear(session);
	assert_int_equal(f.n, 1);
	return &f.pdu[0];
}

static inline int bound_as(uint32_t command)
{
	struct smpp_pdu b = { .id = command,
			      .seq = 1,
			      .bind = { .system_id = "gw", .password = "secret", .interface_version = SMPP_VERSION } };
	int session = smsc_open(f.smsc, 0, f.now_ms);
	const struct smpp_pdu *r = ask(session, &b);

	assert_int_equal(r->id, command | SMPP_RESP);
	assert_int_equal(r->status, ESME_ROK);
	assert_string_equal(r->resp.id, "otasim");
	return session;
}

static inline struct oct ud_of(uint32_t card, uint64_t cntr)
{
	struct cmd_spec k = spec_of(&f.card[card], cntr);
	struct oct data = oct_hex(READ_IMSI), pkt = packet_build(&f.card[card], &k, &data);

	return ud_single(&pkt);
}

static inline struct smpp_pdu submit(uint32_t card, uint32_t seq, const struct oct *ud)
{
	return (struct smpp_pdu){
		.id = SMPP_SUBMIT_SM,
		.seq = seq,
		.sm = { .src = { 2, 1, "12345" },
			.dst = { 1, 1, f.card[card].msisdn },
			.esm_class = 0x42,
			.protocol_id = 0x7f,
			.data_coding = 0xf6,
			.sm = { ud->b, ud->len } },
	};
}

static inline void go(int64_t ms)
{
	int64_t until = f.now_ms + ms;

	for (int i = 0; i < 10000; i++) {
		int64_t due = smsc_next_due(f.smsc);

		if (due > until)
			break;
		if (due > f.now_ms)
			f.now_ms = due;
		smsc_step(f.smsc, f.now_ms);
	}
	f.now_ms = until;
}

static inline const struct smpp_pdu *heard(uint32_t id, int nth)
{
	for (int i = 0; i < f.n; i++) {
		if (f.pdu[i].id == id && nth-- == 0)
			return &f.pdu[i];
	}
	return NULL;
}

#endif
