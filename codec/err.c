/* err.c - names for what can go wrong here and on the card.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "ota/codec.h"

#include "codec_int.h"

const char *ota_strerror(int err)
{
	static const char *const names[] = {
		[-OTA_OK] = "no error",
		[-OTA_E_SHORT] = "input ends before its own length fields say",
		[-OTA_E_SPACE] = "output buffer too small",
		[-OTA_E_LENGTH] = "a length field contradicts another or the input",
		[-OTA_E_RANGE] = "value outside what the field can carry",
		[-OTA_E_SPI] = "reserved or unsupported SPI combination",
		[-OTA_E_DS] = "digital signatures (DS) are not supported: no algorithm is defined for them",
		[-OTA_E_ALG] = "KIc or KID names an algorithm that is not supported",
		[-OTA_E_KVN] = "KIc and KID name different key versions",
		[-OTA_E_CC] = "checksum (RC or CC) does not match",
		[-OTA_E_PADDING] = "padding counter larger than the data, or set without ciphering",
		[-OTA_E_KEY] = "the keystore refused or does not have the key",
		[-OTA_E_UDH] = "malformed User Data Header",
		[-OTA_E_SEGMENTS] = "more segments than allowed",
		[-OTA_E_DIGITS] = "not a digit, or the wrong number of digits",
		[-OTA_E_FORMAT] = "not the format it should be",
		[-OTA_E_BLOCK] = "ciphered part is not a multiple of the cipher block",
		[-OTA_E_UNSECURED] = "success reported without the security that was asked for",
		[-OTA_E_UNMATCHED] = "TAR or counter are not those of the command",
	};

	/* Compared before it is negated: -INT_MIN does not exist. */
	if (err > 0 || err <= -(int)ARRAY_SIZE(names) || !names[-err])
		return "unknown error";
	return names[-err];
}

const char *ota_verdict_name(enum ota_verdict v)
{
	switch (v) {
	case OTA_REJECT:
		return "reject";
	case OTA_ACCEPT:
		return "accept";
	case OTA_ACCEPT_UNAUTHENTICATED:
		return "accept-unauthenticated";
	case OTA_ACCEPT_UNCORRELATED:
		return "accept-but-uncorrelated";
	}
	return "unknown";
}

/* TS 102 225 table 5; 0B and 0C are TS 31.115 clause 7 */
const char *ota_por_status_name(uint8_t status)
{
	static const char *const names[] = {
		[OTA_POR_OK] = "PoR OK",
		[OTA_POR_CC_FAILED] = "RC/CC/DS failed",
		[OTA_POR_CNTR_LOW] = "counter low",
		[OTA_POR_CNTR_HIGH] = "counter high",
		[OTA_POR_CNTR_BLOCKED] = "counter blocked",
		[OTA_POR_CIPHER_ERROR] = "ciphering error",
		[OTA_POR_UNIDENTIFIED] = "unidentified security error",
		[OTA_POR_NO_MEMORY] = "insufficient memory",
		[OTA_POR_MORE_TIME] = "more time needed",
		[OTA_POR_TAR_UNKNOWN] = "TAR unknown",
		[OTA_POR_MSL] = "insufficient security level",
		[OTA_POR_DATA_BY_SUBMIT] = "response data follow in SMS-SUBMIT",
		[OTA_POR_DATA_BY_USSD] = "response data follow in USSD",
	};

	return status < ARRAY_SIZE(names) ? names[status] : "reserved status";
}

/* TS 102 221, 10.2.1; TS 51.011, 9.4 where the older class differs. */
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
		{ 0x9862, "authentication error, application specific" },
		{ 0x6200, "no information, memory unchanged" },
		{ 0x6281, "part of the returned data may be corrupted" },
		{ 0x6282, "end of file reached before Le octets" },
		{ 0x6283, "selected file invalidated" },
		{ 0x6285, "selected file in termination state" },
		{ 0x62f1, "more data available" },
		{ 0x62f3, "response data available" },
		{ 0x6300, "no information, memory changed" },
		{ 0x6400, "no information, memory unchanged" },
		{ 0x6500, "no information, memory changed" },
		{ 0x6581, "memory problem" },
		{ 0x6700, "wrong length" },
		{ 0x6800, "function in CLA not supported" },
		{ 0x6881, "logical channel not supported" },
		{ 0x6882, "secure messaging not supported" },
		{ 0x6900, "command not allowed" },
		{ 0x6981, "command incompatible with file structure" },
		{ 0x6982, "security status not satisfied" },
		{ 0x6983, "authentication method blocked" },
		{ 0x6984, "referenced data invalidated" },
		{ 0x6985, "conditions of use not satisfied" },
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
	for (size_t i = 0; i < ARRAY_SIZE(family); i++)
		if (family[i].sw1 == sw >> 8)
			return family[i].name;
	return "unknown status word";
}
