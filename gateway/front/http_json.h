/* http_json.h - small verbs of JSON that the files of the HTTP door share.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_HTTP_JSON_H
#define OTAGW_HTTP_JSON_H

#include "http_int.h"

/* ---- in: 0, or -1 (NULL) with a sentence ---- */
json_t *json_body(const char *body, size_t len, char *why, size_t cap);
int json_members(json_t *j, const char *const *known, size_t n, char *why, size_t cap);
int json_text(json_t *j, const char *key, char *out, size_t out_cap, char *why, size_t cap); /* may be left out */
int json_number(json_t *j, const char *key, int64_t fallback, int64_t max, int64_t *out, char *why, size_t cap);
int json_flag(json_t *j, const char *key, bool *out, char *why, size_t cap); /* false when it is left out */

/* ---- out ---- */
void json_set_n(json_t *o, const char *key, uint64_t n);
void json_set_s(json_t *o, const char *key, const char *s); /* NULL: null */
void json_set_time(json_t *o, const char *key, int64_t ms); /* 0: null */

/* ---- http_order.c ---- */
json_t *json_books(const struct api_books *b);
json_t *json_exchange(const struct api_exchange *x);

#endif
