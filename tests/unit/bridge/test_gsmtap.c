/* test_gsmtap.c - the frames that Wireshark is shown, octet by octet; what does not fit into one is not shown.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gsmtap.h"

#define AT_MS 1764115200000LL /* 2025-11-26T00:00:00Z */

static const uint8_t ud[] = { 0x02, 0x70, 0x00, 0xaa, 0xbb };

static void expect(const uint8_t *frame, size_t len, const char *hex)
{
	char is[2 * GSMTAP_FRAME_MAX + 1] = "";

	for (size_t i = 0; i < len; i++)
		snprintf(is + 2 * i, 3, "%02x", frame[i]);
	assert_string_equal(is, hex);
}

static void test_mt(void **state)
{
	const struct link_submit s = { .token = 0x1234,
				       .src = { .ton = 1, .npi = 1, .digits = "49151" },
				       .dst = { .ton = 1, .npi = 1, .digits = "8829900000001" },
				       .ud = ud,
				       .ud_len = sizeof(ud),
				       .pid = 0x7f,
				       .dcs = 0xf6 };
	uint8_t out[GSMTAP_FRAME_MAX];

	expect(out, gsmtap_mt(out, &s, AT_MS),
	       "02040200000000000000000000000000" /* GSMTAP 2, A-bis, down */
	       "09011e"				  /* CP-DATA */
	       "0134"				  /* RP-DATA, reference */
	       "04919451f1"			  /* service centre */
	       "00"				  /* no destination */
	       "15"				  /* TPDU */
	       "440591"
	       "9451f1"
	       "7ff6"
	       "52116200000000"
	       "05"
	       "027000aabb");
}

static void test_mo(void **state)
{
	struct link_event ev = { .kind = LINK_EV_MO,
				 .token = 0x05,
				 .to = { .ton = 2, .npi = 1, .digits = "9000" },
				 .udhi = true,
				 .pid = 0x7f,
				 .dcs = 0xf6,
				 .payload_len = sizeof(ud) };
	uint8_t out[GSMTAP_FRAME_MAX];

	memcpy(ev.payload, ud, sizeof(ud));
	expect(out, gsmtap_mo(out, &ev),
	       "02040200400000000000000000000000" /* up */
	       "090116"
	       "0005"
	       "00"
	       "03a10900"
	       "0e"
	       "4100"
	       "04a10900"
	       "7ff6"
	       "05"
	       "027000aabb");
	ev.kind = LINK_EV_REPORT;
	expect(out, gsmtap_mo(out, &ev),
	       "02040200400000000000000000000000"
	       "89010e"
	       "0205"
	       "410a"
	       "4007"
	       "7ff6"
	       "05"
	       "027000aabb");
}

static void test_not_shown(void **state)
{
	struct link_event ev = { .kind = LINK_EV_REPORT };
	uint8_t out[GSMTAP_FRAME_MAX];

	assert_int_equal(gsmtap_mo(out, &ev), 0);
	ev.kind = LINK_EV_MO;
	ev.payload_len = LINK_UD_MAX + 1;
	assert_int_equal(gsmtap_mo(out, &ev), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mt),
		cmocka_unit_test(test_mo),
		cmocka_unit_test(test_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
