/* addr.h - a telephone number or short code as TS 23.040 carries it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTA_ADDR_H
#define OTA_ADDR_H

#include <stdint.h>

/* An address (TS 23.040, 9.1.2.5).  With ton 5 (alphanumeric) `digits` holds up to 11 characters of the GSM default
 * alphabet as ASCII; what ASCII does not have reads as '?'. */
#define OTA_TON_ALPHANUMERIC 5
struct ota_addr {
	uint8_t ton, npi; /* as in SMPP: 1 international, 2 national...; npi 1 ISDN, 6 land mobile (IMSI) */
	char digits[21];  /* NUL-terminated, digits only (a leading + is not stored) */
};

#endif
