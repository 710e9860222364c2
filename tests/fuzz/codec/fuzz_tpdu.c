/* fuzz_tpdu.c - SMS-DELIVER, SMS-SUBMIT, their reports and time stamps from anywhere.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * input: a TPDU
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ota/codec.h"

#define TPDU_MAX 256

static void same_addr(const struct ota_addr *a, const struct ota_addr *b)
{
	FUZZ_HOLDS(a->ton == b->ton && a->npi == b->npi && strcmp(a->digits, b->digits) == 0);
	FUZZ_HOLDS(a->ton == OTA_TON_ALPHANUMERIC || strspn(a->digits, "0123456789") == strlen(a->digits));
	FUZZ_HOLDS(memchr(a->digits, '\0', sizeof(a->digits)));
	for (const char *p = a->digits; *p; p++)
		FUZZ_HOLDS(*p >= 0x20 && *p < 0x7f);
}

static void deliver(const uint8_t *tpdu, size_t size)
{
	struct ota_tpdu_deliver d, back;
	uint8_t buf[TPDU_MAX];
	int len;

	if (ota_tpdu_deliver_decode(&d, tpdu, size))
		return;
	len = ota_tpdu_deliver_encode(buf, sizeof(buf), &d);
	/* Of packed letters the octets behind the last whole one are not kept. */
	FUZZ_HOLDS(len > 0 && (d.oa.ton == OTA_TON_ALPHANUMERIC ? (size_t)len <= size : (size_t)len == size));
	FUZZ_HOLDS(ota_tpdu_deliver_decode(&back, buf, (size_t)len) == 0);
	same_addr(&d.oa, &back.oa);
	FUZZ_HOLDS(d.ud_len == back.ud_len && memcmp(d.ud, back.ud, d.ud_len) == 0);
	FUZZ_HOLDS(d.udhi == back.udhi && d.mms == back.mms && d.pid == back.pid && d.dcs == back.dcs);
}

static void submit(const uint8_t *tpdu, size_t size)
{
	struct ota_tpdu_submit s, back;
	uint8_t buf[TPDU_MAX];
	int len;

	if (ota_tpdu_submit_decode(&s, tpdu, size))
		return;
	len = ota_tpdu_submit_encode(buf, sizeof(buf), &s);
	/* A validity period is read over and not kept. */
	FUZZ_HOLDS(len > 0 && (size_t)len <= size && ota_tpdu_submit_decode(&back, buf, (size_t)len) == 0);
	same_addr(&s.da, &back.da);
	FUZZ_HOLDS(s.ud_len == back.ud_len && memcmp(s.ud, back.ud, s.ud_len) == 0);
	FUZZ_HOLDS(s.mr == back.mr && s.udhi == back.udhi && s.pid == back.pid && s.dcs == back.dcs);
}

static void report(const uint8_t *tpdu, size_t size, bool submit_report, bool error)
{
	int (*decode)(struct ota_tpdu_report *, const uint8_t *, size_t, bool) =
		submit_report ? ota_tpdu_submit_report_decode : ota_tpdu_deliver_report_decode;
	int (*encode)(uint8_t *, size_t, const struct ota_tpdu_report *) =
		submit_report ? ota_tpdu_submit_report_encode : ota_tpdu_deliver_report_encode;
	struct ota_tpdu_report r, back;
	uint8_t buf[TPDU_MAX];
	int len;

	if (decode(&r, tpdu, size, error))
		return;
	fuzz_touch(r.ud, r.ud_len);
	FUZZ_HOLDS(r.error == error && ota_fcs_name(r.fcs));
	len = encode(buf, sizeof(buf), &r);
	/* Octets of TP-PI that announce nothing are not kept. */
	FUZZ_HOLDS(len > 0 && (size_t)len <= size && decode(&back, buf, (size_t)len, error) == 0);
	FUZZ_HOLDS(r.has_pid == back.has_pid && r.has_dcs == back.has_dcs && r.has_ud == back.has_ud);
	FUZZ_HOLDS(r.ud_len == back.ud_len && (!r.ud_len || memcmp(r.ud, back.ud, r.ud_len) == 0));
	FUZZ_HOLDS(memcmp(r.scts, back.scts, 7) == 0 && r.fcs == back.fcs && r.udhi == back.udhi);
}

static void time_stamp(const uint8_t *p, size_t size)
{
	struct ota_scts t;
	uint8_t again[7];
	int64_t utc_ms, utc_again;

	if (size < 7 || ota_scts_decode(&t, p))
		return;
	FUZZ_HOLDS(ota_scts_encode(again, &t) == 7);
	FUZZ_HOLDS(memcmp(again, p, 6) == 0 && (again[6] == p[6] || (p[6] & 0xf7) == 0));
	FUZZ_HOLDS(ota_scts_to_utc(&utc_ms, p) == 0);
	FUZZ_HOLDS(ota_scts_from_utc(again, utc_ms, t.zone) == 7 && memcmp(again, p, 6) == 0);
	FUZZ_HOLDS(ota_scts_to_utc(&utc_again, again) == 0 && utc_again == utc_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (unsigned i = 0; i < 4; i++)
		report(data, size, i & 1, i & 2);
	time_stamp(data, size);
	deliver(data, size);
	submit(data, size);
	return 0;
}
