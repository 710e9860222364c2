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
		[-OTA_E_LEGACY] = "DES-ECB is for old cards only and must be asked for by name (legacy)",
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
