/* fuzz_subscription.c - sets, commands and answers of the subscription applet.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * input: one octet that says what follows (0 a set, 1 a command, 2 an answer), then that
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ota/subscription.h"

#define TEXT_MAX 160

static void touch(struct ota_span s)
{
	if (s.len)
		fuzz_touch(s.p, s.len);
}

/* A set that can be read can be written: the same but for an EF_IMSI coded in another way. */
static void set(const uint8_t *p, size_t len)
{
	uint8_t again[OTA_SUB_SET_MAX];
	struct ota_sub_set s, back;
	int n;

	if (ota_sub_set_decode(&s, p, len) < 0)
		return;
	for (unsigned i = 0; i < s.files; i++)
		fuzz_touch(s.file[i].content, s.file[i].len);
	touch(s.opc);
	touch(s.plmns);
	touch(s.mac);
	n = ota_sub_set_encode(again, sizeof(again), &s);
	FUZZ_HOLDS(n == (int)len);
	FUZZ_HOLDS(ota_sub_set_decode(&back, again, (size_t)n) == 0);
	FUZZ_HOLDS(back.order == s.order && back.from == s.from && back.to == s.to && !strcmp(back.imsi, s.imsi));
	FUZZ_HOLDS(back.files == s.files && back.trial_s == s.trial_s && back.alg == s.alg);
}

/* What each command means goes back into the octets it came from. */
static void build(struct ota_script *s, const struct ota_sub_cmd *c)
{
	switch (c->ins) {
	case OTA_SUB_STATUS:
		if (c->version)
			ota_sub_version(s);
		else
			ota_sub_status(s, c->order);
		break;
	case OTA_SUB_UNSTAGE:
		ota_sub_unstage(s, c->order);
		break;
	case OTA_SUB_ARM:
		ota_sub_arm(s, c->order, c->hash.p);
		break;
	case OTA_SUB_CONFIRM:
		ota_sub_confirm(s, c->order);
		break;
	case OTA_SUB_ROLLBACK:
		ota_sub_rollback(s, c->order);
		break;
	case OTA_SUB_KEY_CHANGE:
		if (c->k.len)
			ota_sub_key_change_k(s, c->order, c->from, c->k, c->kcv.p);
		else
			ota_sub_key_change_ota(s, c->order, c->from, c->ota_keys, c->kcv.p);
		break;
	case OTA_SUB_OP_SET:
		ota_sub_op_set(s, c->order, c->from, c->opc, c->kcv.p);
		break;
	case OTA_SUB_ALG_SELECT:
		ota_sub_alg_select(s, c->order, c->from, c->alg, c->sqn_scheme);
		break;
	case OTA_SUB_REFILL:
		ota_sub_refill(s, c->order, c->index, c->alg, c->sqn_scheme, c->pair, c->kcv.p);
		break;
	case OTA_SUB_KEY_ERASE:
		ota_sub_key_erase(s, c->order, c->first, c->last, c->mac);
		break;
	}
}

static void command(const uint8_t *p, size_t len)
{
	uint8_t again[OTA_APDU_MAX + 8];
	struct ota_sub_cmd c;
	struct ota_script s;
	char text[TEXT_MAX];
	bool known = ota_sub_cmd_decode(&c, p, len) == 0;

	FUZZ_HOLDS(ota_sub_describe(text, sizeof(text), p, len) == known);
	FUZZ_HOLDS(memchr(text, '\0', sizeof(text)) && known == (text[0] != '\0'));
	if (!known)
		return;
	touch(c.data);
	if (c.ins == OTA_SUB_STAGE || c.ins == OTA_SUB_ADVANCE) {
		set(c.data.p, c.data.len);
		return;
	}
	ota_script_init(&s, again, sizeof(again));
	build(&s, &c);
	if (c.version && c.order)
		return; /* asked with an order, which the version does not depend on */
	FUZZ_HOLDS(ota_script_len(&s) == (int)len + !c.le);
	FUZZ_HOLDS(!memcmp(again, p, len));
}

static void answer(const uint8_t *p, size_t len)
{
	uint8_t again[OTA_SUB_RSP_MAX + 64];
	struct ota_sub_rsp r, back;
	int n;

	if (ota_sub_rsp_decode(&r, p, len) < 0)
		return;
	FUZZ_HOLDS(ota_sub_state_name(r.state) && ota_sub_end_name(r.end) && strlen(r.imsi) < sizeof(r.imsi));
	n = ota_sub_rsp_encode(again, sizeof(again), &r);
	FUZZ_HOLDS(n > 0 && ota_sub_rsp_decode(&back, again, (size_t)n) == 0);
	FUZZ_HOLDS(back.order == r.order && back.cntr == r.cntr && back.state == r.state && back.kcv_len == r.kcv_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % 3) {
	case 0:
		set(data + 1, size - 1);
		break;
	case 1:
		command(data + 1, size - 1);
		break;
	default:
		answer(data + 1, size - 1);
		break;
	}
	return 0;
}
