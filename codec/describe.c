/* describe.c - commands and status words in English.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "ota/codec.h"

#include "codec_int.h"

#define DESCRIBE_PART_MAX 48
#define CLA_IS_GP(cla)	  ((cla)&0x80 && (cla) != CLA_2G)

/* ------------------------------------------------------------------------------------------- status words */

/* TS 102 221, 10.2.1; TS 51.011, 9.4 where the older class differs; GlobalPlatform, 11.1.3 and 11.8. */
const char *ota_sw_name(uint16_t sw)
{
	static const struct {
		uint16_t sw;
		const char *name;
	} exact[] = {
		{ 0x9000, "normal ending" },
		{ 0x9300, "toolkit busy" },
		{ 0x9240, "memory problem" },
		{ 0x9400, "no file selected" },
		{ 0x9402, "out of range (invalid address)" },
		{ 0x9404, "file or pattern not found" },
		{ 0x9408, "file is inconsistent with the command" },
		{ 0x9802, "no PIN initialised" },
		{ 0x9804, "access condition not fulfilled" },
		{ 0x9808, "in contradiction with PIN status" },
		{ 0x9810, "in contradiction with invalidation status" },
		{ 0x9840, "PIN blocked" },
		{ 0x9850, "increase cannot be performed, maximum value reached" },
		{ 0x9484, "algorithm not supported" },
		{ 0x9485, "invalid key check value" },
		{ 0x9862, "authentication error, incorrect MAC" },
		{ 0x9863, "security session or association expired" },
		{ 0x9864, "minimum UICC suspension time is too long" },
		{ 0x6200, "no information, memory unchanged" },
		{ 0x6281, "part of the returned data may be corrupted" },
		{ 0x6282, "end of file reached before Le octets" },
		{ 0x6283, "selected file invalidated" },
		{ 0x6285, "selected file in termination state" },
		{ 0x6286, "input data not available" },
		{ 0x62f1, "response data cut off, rest of the script not run" },
		{ 0x62f2, "more data and a proactive command available" },
		{ 0x62f3, "response data available" },
		{ 0x6284, "file control information not as it should be" },
		{ 0x6300, "no information, memory changed" },
		{ 0x6310, "more data available" },
		{ 0x6381, "file filled up by the last write" },
		{ 0x63f1, "more data expected" },
		{ 0x63f2, "more data expected, proactive command pending" },
		{ 0x6400, "no information, memory unchanged" },
		{ 0x6500, "no information, memory changed" },
		{ 0x6581, "memory problem" },
		{ 0x6700, "wrong length" },
		{ 0x6800, "function in CLA not supported" },
		{ 0x6881, "logical channel not supported" },
		{ 0x6882, "secure messaging not supported" },
		{ 0x6883, "last command of the chain expected" },
		{ 0x6884, "command chaining not supported" },
		{ 0x6900, "command not allowed" },
		{ 0x6981, "command incompatible with file structure" },
		{ 0x6982, "security status not satisfied" },
		{ 0x6983, "authentication method blocked" },
		{ 0x6984, "referenced data invalidated" },
		{ 0x6985, "conditions of use not satisfied" },
		{ 0x6988, "secure messaging data objects incorrect" },
		{ 0x6999, "application not selectable" },
		{ 0x6986, "command not allowed, no EF selected" },
		{ 0x6989, "command not allowed, secure channel needed" },
		{ 0x6a80, "incorrect parameters in the data field" },
		{ 0x6a81, "function not supported" },
		{ 0x6a82, "file not found" },
		{ 0x6a83, "record not found" },
		{ 0x6a84, "not enough memory space" },
		{ 0x6a86, "incorrect P1 to P2" },
		{ 0x6a87, "Lc inconsistent with P1 to P2" },
		{ 0x6a88, "referenced data not found" },
		{ 0x6a89, "file id already exists" },
		{ 0x6a8a, "name of a DF already exists" },
		{ 0x6b00, "wrong P1 or P2" },
		{ 0x6d00, "instruction not supported" },
		{ 0x6e00, "class not supported" },
		{ 0x6f00, "technical problem" },
	};
	static const struct {
		uint8_t sw1;
		const char *name;
	} family[] = {
		{ 0x91, "normal ending, proactive command pending" },
		{ 0x92, "normal ending after internal retries" },
		{ 0x9e, "data download error" },
		{ 0x9f, "normal ending, response data available" },
		{ 0x61, "normal ending, response data available" },
		{ 0x62, "warning, memory unchanged" },
		{ 0x63, "warning, memory changed" },
		{ 0x64, "execution error, memory unchanged" },
		{ 0x65, "execution error, memory changed" },
		{ 0x67, "wrong length" },
		{ 0x68, "function in CLA not supported" },
		{ 0x69, "command not allowed" },
		{ 0x6a, "wrong parameters" },
		{ 0x6b, "wrong P1 or P2" },
		{ 0x6c, "wrong Le" },
		{ 0x6d, "instruction not supported" },
		{ 0x6e, "class not supported" },
		{ 0x6f, "technical problem" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(exact); i++)
		if (exact[i].sw == sw)
			return exact[i].name;
	if ((sw & 0xfff0) == 0x63c0)
		return "done after retries; PIN: wrong, tries left";
	for (size_t i = 0; i < ARRAY_SIZE(family); i++)
		if (family[i].sw1 == sw >> 8)
			return family[i].name;
	return "unknown status word";
}

/* TS 102 226, 5.2.2 */
const char *ota_bad_format_name(int code)
{
	static const char *const names[] = { "well-formed", "unknown tag found", "wrong length found",
					     "length not found" };

	return code < 0 ? names[0] : code >= 1 && code <= 3 ? names[code] : "bad format";
}

const char *ota_chaining_name(int code)
{
	static const char *const names[] = { "no chaining error", "no previous script", "chaining not supported",
					     "unable to process chaining" };

	return code < 0 ? names[0] : code >= 1 && code <= 3 ? names[code] : "chaining error";
}

/* ----------------------------------------------------------------------------------------------- commands */

static const char *ins_name(uint8_t cla, uint8_t ins)
{
	static const struct {
		uint8_t ins;
		const char *name, *sim, *gp; /* TS 102 221; TS 51.011 with CLA A0; GlobalPlatform with CLA 8X and up */
	} names[] = {
		{ 0x04, "DEACTIVATE FILE", "INVALIDATE", NULL },
		{ 0x10, "TERMINAL PROFILE", NULL, NULL },
		{ 0x12, "FETCH", NULL, NULL },
		{ 0x14, "TERMINAL RESPONSE", NULL, NULL },
		{ 0x20, "VERIFY PIN", "VERIFY CHV", NULL },
		{ 0x24, "CHANGE PIN", "CHANGE CHV", NULL },
		{ 0x26, "DISABLE PIN", "DISABLE CHV", NULL },
		{ 0x28, "ENABLE PIN", "ENABLE CHV", NULL },
		{ 0x2c, "UNBLOCK PIN", "UNBLOCK CHV", NULL },
		{ 0x32, "INCREASE", NULL, NULL },
		{ 0x44, "ACTIVATE FILE", "REHABILITATE", NULL },
		{ 0x70, "MANAGE CHANNEL", NULL, NULL },
		{ 0x82, "EXTERNAL AUTHENTICATE", NULL, NULL },
		{ 0x84, "GET CHALLENGE", NULL, NULL },
		{ 0x88, "AUTHENTICATE", "RUN GSM ALGORITHM", NULL },
		{ 0x89, "AUTHENTICATE", NULL, NULL },
		{ 0xa2, "SEARCH RECORD", "SEEK", NULL },
		{ 0xc0, "GET RESPONSE", NULL, NULL },
		{ 0xc2, "ENVELOPE", NULL, NULL },
		{ 0xca, "GET DATA", NULL, NULL },
		{ 0xcb, "RETRIEVE DATA", NULL, NULL },
		{ 0xd4, "RESIZE FILE", NULL, NULL },
		{ 0xd8, "PUT KEY", NULL, NULL },
		{ 0xdb, "SET DATA", NULL, NULL },
		{ 0xe0, "CREATE FILE", NULL, NULL },
		{ 0xe2, "STORE DATA", NULL, NULL },
		{ 0xe4, "DELETE FILE", NULL, "DELETE" },
		{ 0xe6, "TERMINATE DF", NULL, "INSTALL" },
		{ 0xe8, "TERMINATE EF", NULL, "LOAD" },
		{ 0xf0, "SET STATUS", NULL, NULL },
		{ 0xf2, "STATUS", NULL, NULL },
		{ 0xfa, "SLEEP", NULL, NULL },
		{ 0xfe, "TERMINATE CARD USAGE", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].ins != ins)
			continue;
		if (cla == CLA_2G && names[i].sim)
			return names[i].sim;
		return CLA_IS_GP(cla) && names[i].gp ? names[i].gp : names[i].name;
	}
	return NULL;
}

static void describe_select(char *buf, size_t cap, const uint8_t *apdu, size_t n)
{
	const uint8_t *d = apdu + APDU_HEAD;
	char path[DESCRIBE_PART_MAX] = "";
	const char *name;
	size_t k = 0;

	if (apdu[2] == 0x04) {
		snprintf(buf, cap, "SELECT application by name, %zu octets", n);
		return;
	}
	if (n < 2 || n & 1) {
		snprintf(buf, cap, "SELECT, %zu octets", n);
		return;
	}
	for (size_t i = 0; i < n && k + 6 < sizeof(path); i += 2)
		k += (size_t)snprintf(path + k, sizeof(path) - k, "%s%02X%02X", i ? "/" : "", d[i], d[i + 1]);
	name = usim_file_name((uint16_t)(d[n - 2] << 8 | d[n - 1]));
	snprintf(buf, cap, name ? "SELECT %s (%s)" : "SELECT %s", path, name);
}

static void describe_offset(char *buf, size_t cap, const char *verb, const uint8_t *apdu, size_t n)
{
	if (apdu[2] & 0x80)
		snprintf(buf, cap, "%s %zu octets at %u, short file id %02X", verb, n, apdu[3], apdu[2] & 0x1f);
	else
		snprintf(buf, cap, "%s %zu octets at %u", verb, n, apdu[2] << 8 | apdu[3]);
}

/* P2 b3-b1: how the record is named (TS 102 221, 11.1.5). */
static void describe_record(char *buf, size_t cap, const char *verb, const uint8_t *apdu, size_t n)
{
	static const char *const mode[8] = { [2] = "next record", [3] = "previous record" };
	const char *which = mode[apdu[3] & 7];

	if (which)
		snprintf(buf, cap, "%s %zu octets, %s", verb, n, which);
	else
		snprintf(buf, cap, "%s %zu octets, record %u", verb, n, apdu[2]);
}

/* The commands of GlobalPlatform that say in P1, P2 or the first octets what they are about. */
static bool describe_gp(char *buf, size_t cap, const uint8_t *apdu, size_t lc)
{
	const uint8_t *d = apdu + APDU_HEAD;

	switch (apdu[1]) {
	case 0xca:
		snprintf(buf, cap, "GET DATA %04X", apdu[2] << 8 | apdu[3]);
		return true;
	case 0xd8:
		if (lc == 0)
			return false;
		snprintf(buf, cap, "PUT KEY %s version %u, %s id %u, %zu octets of data",
			 apdu[2] & 0x7f ? "replace by" : "add", d[0], apdu[3] & 0x80 ? "keys from" : "key",
			 apdu[3] & 0x7f, lc);
		return true;
	case 0xe2:
		snprintf(buf, cap, "STORE DATA block %u%s, %zu octets", apdu[3], apdu[2] & 0x80 ? ", the last" : "",
			 lc);
		return true;
	case 0xe4:
		if (lc == 0)
			return false;
		snprintf(buf, cap, "DELETE %s, %zu octets of data",
			 d[0] == 0x4f ? apdu[3] & 0x80 ? "application and what belongs to it" : "application" : "keys",
			 lc);
		return true;
	case 0xe6:
		snprintf(buf, cap, "INSTALL [%s], %zu octets of data",
			 apdu[2] == 0x02 ? "for load" :
			 apdu[2] == 0x04 ? "for install" :
			 apdu[2] == 0x08 ? "for make selectable" :
			 apdu[2] == 0x0c ? "for install and make selectable" :
			 apdu[2] == 0x10 ? "for extradition" :
			 apdu[2] == 0x20 ? "for personalization" :
			 apdu[2] == 0x40 ? "for registry update" :
					   "other",
			 lc);
		return true;
	case 0xe8:
		snprintf(buf, cap, "LOAD block %u%s, %zu octets", apdu[3], apdu[2] & 0x80 ? ", the last" : "", lc);
		return true;
	case 0xf0:
		snprintf(buf, cap, "SET STATUS to %02X, %zu octets of data", apdu[3], lc);
		return true;
	default:
		return false;
	}
}

/* CREATE, DELETE, RESIZE and the like name their file in the data. */
static bool describe_file_data(char *buf, size_t cap, const char *name, const uint8_t *apdu, size_t lc)
{
	const uint8_t *d = apdu + APDU_HEAD;
	const char *file;

	if (lc != 2 || (apdu[1] != 0xe4 && apdu[1] != 0x04 && apdu[1] != 0x44 && apdu[1] != 0xe6 && apdu[1] != 0xe8))
		return false;
	file = usim_file_name((uint16_t)(d[0] << 8 | d[1]));
	snprintf(buf, cap, file ? "%s %02X%02X (%s)" : "%s %02X%02X", name, d[0], d[1], file);
	return true;
}

static void describe_other(char *buf, size_t cap, const uint8_t *apdu, size_t lc, size_t le)
{
	bool get_status = apdu[1] == 0xf2 && !p3_is_le(apdu[0], apdu[1], apdu[2]);
	const char *name = get_status ? "GET STATUS" : ins_name(apdu[0], apdu[1]);

	if (!name)
		snprintf(buf, cap, "CLA %02X INS %02X P1 %02X P2 %02X", apdu[0], apdu[1], apdu[2], apdu[3]);
	else if (CLA_IS_GP(apdu[0]) && describe_gp(buf, cap, apdu, lc))
		return;
	else if (describe_file_data(buf, cap, name, apdu, lc))
		return;
	else if (p3_is_le(apdu[0], apdu[1], apdu[2]))
		snprintf(buf, cap, "%s %zu octets", name, le);
	else
		snprintf(buf, cap, "%s, %zu octets of data", name, lc);
}

void ota_apdu_describe(char *buf, size_t cap, const uint8_t *apdu, size_t len)
{
	size_t le, lc;

	if (cap == 0)
		return;
	if (len < APDU_HEAD) {
		snprintf(buf, cap, "incomplete C-APDU, %zu octets", len);
		return;
	}
	le = apdu[4] ? apdu[4] : 256;
	lc = len - APDU_HEAD < apdu[4] ? len - APDU_HEAD : apdu[4];
	switch (apdu[1]) {
	case INS_SELECT:
		describe_select(buf, cap, apdu, lc);
		return;
	case INS_READ_BINARY:
		describe_offset(buf, cap, "READ BINARY", apdu, le);
		return;
	case INS_READ_RECORD:
		describe_record(buf, cap, "READ RECORD", apdu, le);
		return;
	case INS_UPDATE_BINARY:
		describe_offset(buf, cap, "UPDATE BINARY", apdu, lc);
		return;
	case INS_UPDATE_RECORD:
		describe_record(buf, cap, "UPDATE RECORD", apdu, lc);
		return;
	default:
		describe_other(buf, cap, apdu, lc, le);
	}
}
