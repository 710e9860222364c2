/* http_in.h - a request on its way from the HTTP door to the api: what the files with handlers share.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_HTTP_IN_H
#define OTAGW_HTTP_IN_H

#include <event2/keyvalq_struct.h>

#include "http_int.h"

#define HTTP_SEGMENTS_MAX 3
#define HTTP_SEGMENT_MAX  96
#define HTTP_PAGE_DEFAULT 100

struct evhttp_request;
struct http;

/* A request taken apart. */
struct http_in {
	struct http *h;
	struct evhttp_request *req;
	char seg[HTTP_SEGMENTS_MAX][HTTP_SEGMENT_MAX];
	unsigned n_seg;
	struct evkeyvalq query;
};

void http_refuse(struct evhttp_request *req, int status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Who is to be answered for this request; .done NULL after refusing. */
struct api_to http_to_of(struct http_in *in);
/* The body in memory of our own with one octet to spare, taken out of evhttp's; NULL after refusing. */
char *http_body_take(struct http_in *in, size_t max, size_t *len);
void http_body_give_back(char *text, size_t len);
/* A number from the query.  0, or -1 after refusing. */
int http_query_number(struct http_in *in, const char *key, uint64_t fallback, uint64_t *out);
struct api *http_api(const struct http_in *in);

/* http_order_in.c */
void h_orders(struct http_in *in);
void h_order_show(struct http_in *in);
void h_order_lines(struct http_in *in);
void h_order_cancel(struct http_in *in);
void h_order_accept(struct http_in *in);
void h_order_provide(struct http_in *in);
void h_order_il(struct http_in *in);
void h_change(struct http_in *in);
void h_vault_gen(struct http_in *in);
void h_vault_import(struct http_in *in);
void h_vault_issue(struct http_in *in);
void h_vault_verify(struct http_in *in);
void h_vault_cards(struct http_in *in);
void h_vault_card(struct http_in *in);
void h_vault_ledger(struct http_in *in);
void h_exchange(struct http_in *in);
void h_parcels(struct http_in *in);
void h_exchange_file(struct http_in *in);
void h_exchange_import(struct http_in *in);

#endif
