/* http_int.h - what the files of the HTTP door share.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_HTTP_INT_H
#define OTAGW_HTTP_INT_H

#include <jansson.h>

#include "http.h"

/* http_json.c: requests read strictly (an unknown member is an error), replies written. */
int json_import_req(struct api_import_req *out, const char *body, size_t len, char *why, size_t cap);
int json_campaign_req(struct api_campaign_req *out, const char *body, size_t len, char *why, size_t cap);
/* What is ordered of the desk: files are paths on the gateway's machine. */
struct api_desk_body {
	char file[256], out[256], partner[PKG_NAME_MAX + 1];
	uint16_t pairs, key_octets;
	char name[PKG_WORD_MAX + 1];
	char order[PKG_WORD_MAX + 1];
	uint8_t what; /* CHANGE_..., ored */
	bool no_rollback_ok;
	char iccid[ICCID_DIGITS_MAX + 1];
	bool imsis; /* `file` came as imsi_list */
};
int json_desk_req(struct api_desk_body *out, const char *body, size_t len, char *why, size_t cap);
/* NULL only without memory. */
json_t *json_reply(const struct api_reply *r);

#endif
