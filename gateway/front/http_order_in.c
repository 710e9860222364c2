/* http_order_in.c - requests about orders, packages and the vault, taken apart for the api.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <event2/http.h>
#include <stdio.h>
#include <string.h>

#include "http_in.h"

/* A text from the query, "" when it is not there. */
static const char *query_text(struct http_in *in, const char *key)
{
	const char *s = evhttp_find_header(&in->query, key);

	return s ? s : "";
}

/* Where the answer of a list goes, and how long a page of it is; to.done NULL: refused already. */
static struct api_to to_of_page(struct http_in *in, unsigned *limit)
{
	uint64_t n;

	if (http_query_number(in, "limit", HTTP_PAGE_DEFAULT, &n))
		return (struct api_to){ 0 };
	*limit = n > UINT32_MAX ? UINT32_MAX : (unsigned)n;
	return http_to_of(in);
}

/* The body that all orders to the desk have.  False: refused already. */
static bool body_of(struct http_in *in, struct api_desk_body *b)
{
	char why[API_REASON_MAX] = "";
	size_t len;
	char *text = http_body_take(in, HTTP_JSON_MAX, &len);
	int bad;

	if (!text)
		return false;
	bad = json_desk_req(b, text, len, why, sizeof(why));
	http_body_give_back(text, len);
	if (bad)
		http_refuse(in->req, API_BAD, "bad-request", "%s", why);
	return !bad;
}

void h_orders(struct http_in *in)
{
	unsigned limit;
	struct api_to to = to_of_page(in, &limit);

	if (to.done)
		api_orders(http_api(in), query_text(in, "after"), limit, to);
}

void h_order_show(struct http_in *in)
{
	struct api_to to = http_to_of(in);

	if (to.done)
		api_order_show(http_api(in), in->seg[1], to);
}

void h_order_lines(struct http_in *in)
{
	unsigned limit;
	struct api_to to = to_of_page(in, &limit);

	if (to.done)
		api_order_lines(http_api(in), in->seg[1], query_text(in, "step"), query_text(in, "after"), limit, to);
}

static void order_desk(struct http_in *in, enum desk_verb verb, const char *order)
{
	struct desk_request r = { .verb = (uint8_t)verb };
	struct api_desk_body b;
	struct api_to to;

	if (!body_of(in, &b))
		return;
	snprintf(r.order, sizeof(r.order), "%s", order);
	memcpy(r.partner, b.partner, sizeof(r.partner));
	_Static_assert(sizeof(r.out) == sizeof(b.out), "one length of paths");
	memcpy(r.out, b.out, sizeof(r.out));
	r.file = *b.file ? b.file : NULL;
	r.pairs = b.pairs;
	r.key_octets = b.key_octets;
	memcpy(r.name, b.name, sizeof(r.name));
	memcpy(r.taken_by, b.order, sizeof(r.taken_by));
	r.what = b.what;
	r.imsis = b.imsis;
	r.no_rollback_ok = b.no_rollback_ok;
	memcpy(r.iccid, b.iccid, sizeof(r.iccid));
	to = http_to_of(in);
	if (to.done)
		api_desk(http_api(in), &r, to);
}

void h_order_accept(struct http_in *in)
{
	order_desk(in, DESK_ACCEPT, in->seg[1]);
}

void h_order_provide(struct http_in *in)
{
	order_desk(in, DESK_PROVIDE, in->seg[1]);
}

void h_order_cancel(struct http_in *in)
{
	order_desk(in, DESK_CANCEL, in->seg[1]);
}

void h_order_il(struct http_in *in)
{
	order_desk(in, DESK_IL, in->seg[1]);
}

void h_change(struct http_in *in)
{
	order_desk(in, DESK_CHANGE, "");
}

void h_vault_gen(struct http_in *in)
{
	order_desk(in, DESK_GEN, "");
}

void h_vault_import(struct http_in *in)
{
	order_desk(in, DESK_IMPORT_PAIRS, "");
}

void h_vault_issue(struct http_in *in)
{
	order_desk(in, DESK_ISSUE, "");
}

void h_vault_verify(struct http_in *in)
{
	order_desk(in, DESK_LEDGER, "");
}

void h_vault_cards(struct http_in *in)
{
	unsigned limit;
	struct api_to to = to_of_page(in, &limit);

	if (to.done)
		api_vault_cards(http_api(in), query_text(in, "after"), limit, to);
}

void h_vault_card(struct http_in *in)
{
	struct api_to to = http_to_of(in);

	if (to.done)
		api_vault_card(http_api(in), in->seg[2], to);
}

void h_vault_ledger(struct http_in *in)
{
	unsigned limit;
	struct api_to to = to_of_page(in, &limit);

	if (to.done)
		api_vault_ledger(http_api(in), query_text(in, "after"), limit, to);
}

void h_exchange(struct http_in *in)
{
	struct api_to to = http_to_of(in);

	if (to.done)
		api_exchange(http_api(in), to);
}

void h_parcels(struct http_in *in)
{
	unsigned limit;
	struct api_to to = to_of_page(in, &limit);

	if (to.done)
		api_parcels(http_api(in), !strcmp(in->seg[1], "out"), query_text(in, "order"), query_text(in, "after"),
			    limit, to);
}

void h_exchange_file(struct http_in *in)
{
	struct api_to to;
	uint64_t seq;

	if (http_query_number(in, "seq", 0, &seq))
		return;
	to = http_to_of(in);
	if (to.done)
		api_exchange_file(http_api(in), strcmp(query_text(in, "from"), "in") != 0, query_text(in, "partner"),
				  seq, to);
}

void h_exchange_import(struct http_in *in)
{
	struct api_desk_body b;
	struct api_to to;

	if (!body_of(in, &b))
		return;
	to = http_to_of(in);
	if (to.done)
		api_exchange_import(http_api(in), b.file, to);
}
