/* exchange.c - `otactl exchange show`: what a package is, whom it is from and for, and whether it is whole, without its keys.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Needs no gateway.  The manifest stands in the clear; with the sender's party file it is also told whether that party signed it.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ota/package.h"

#include "../exchange/schema.h"
#include "ctl.h"
#include "party.h"

#define TEXT_CAP 400

static const char *iso(char out[32], int64_t s)
{
	struct tm tm;
	time_t t = (time_t)s;

	if (!gmtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(out, 32, "%lld", (long long)s);
	return out;
}

static json_t *hex_json(const uint8_t *p, size_t len)
{
	char text[2 * PKG_HASH_LEN + 1];

	for (size_t i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", p[i]);
	return json_string(text);
}

static json_t *head_json(const struct pkg_head *h)
{
	const struct xchg_schema *s = xchg_schema(h->type);
	char err[TEXT_CAP] = "", a[32], b[32];
	bool fits = !xchg_head_check(h, err, sizeof(err));
	json_t *o = json_pack("{s:s s:s? s:o s:s s:s s:s s:I s:s s:s s:s s:I s:i s:o s:b s:i s:b}", "type", h->type,
			      "what", s ? s->what : NULL, "id", hex_json(h->id, PKG_ID_LEN), "order", h->order, "from",
			      h->from, "to", h->to, "seq", (json_int_t)h->seq, "created", iso(a, h->created_s),
			      "expires", iso(b, h->expires_s), "columns", h->columns, "records", (json_int_t)h->records,
			      "parts", (int)h->parts, "root", hex_json(h->root, PKG_HASH_LEN), "keys", h->keys,
			      "attached", (int)h->attached, "form_ok", fits);

	if (h->answers)
		json_object_set_new(o, "about", hex_json(h->about, PKG_ID_LEN));
	if (!fits)
		json_object_set_new(o, "form_error", json_string(err));
	return o;
}

static void head_print(const json_t *o)
{
	printf("type        %s%s%s%s\n", js_text(o, "type"), *js_text(o, "what") ? " (" : "", js_text(o, "what"),
	       *js_text(o, "what") ? ")" : "");
	if (!js_true(o, "form_ok"))
		printf("            %s\n", js_text(o, "form_error"));
	printf("id          %s\n", js_text(o, "id"));
	if (*js_text(o, "about"))
		printf("answers     %s\n", js_text(o, "about"));
	printf("order       %s\n", js_text(o, "order"));
	printf("from, to    %s to %s, number %llu\n", js_text(o, "from"), js_text(o, "to"),
	       (unsigned long long)js_count(o, "seq"));
	printf("time        %s, good until %s\n", js_text(o, "created"), js_text(o, "expires"));
	printf("records     %llu in %llu parts, sealed for %s\n", (unsigned long long)js_count(o, "records"),
	       (unsigned long long)js_count(o, "parts"), js_text(o, "to"));
	printf("columns     %s\n", js_text(o, "columns"));
	printf("card keys   %s\n", js_true(o, "keys") ? "yes, wrapped for the receiver's keystore alone" : "none");
	if (js_count(o, "attached"))
		printf("attached    %llu signed manifests of other packages\n",
		       (unsigned long long)js_count(o, "attached"));
	printf("root        %s\n", js_text(o, "root"));
	printf("signature   %s\n", js_text(o, "signature"));
}

int cmd_exchange_show(struct ctl *c, const struct ctl_args *a)
{
	const char *party = ctl_arg(a, "party", 0);
	struct pkg_partner *from = NULL;
	char err[TEXT_CAP] = "";
	struct pkg *p;
	json_t *o;
	int rc = CTL_OK;

	if (pkg_open(&p, a->pos[0], err, sizeof(err))) {
		ctl_error("%s", err);
		return CTL_USAGE;
	}
	if (party && !(from = party_load(party))) {
		pkg_close(p);
		return CTL_USAGE;
	}
	o = head_json(pkg_head(p));
	if (!from) {
		json_object_set_new(o, "signature",
				    json_string("not looked at: give the sender's party file with --party"));
	} else {
		bool ok = !pkg_verify(p, from, pkg_head(p)->to, pkg_head(p)->created_s, err, sizeof(err));

		json_object_set_new(o, "signature_ok", json_boolean(ok));
		if (ok)
			snprintf(err, sizeof(err), "of %s, by the certificate in %s", pkg_partner_name(from), party);
		json_object_set_new(o, "signature", json_string(err));
		rc = ok ? CTL_OK : CTL_REFUSED;
	}
	if (c->format == CTL_JSON)
		ctl_print_json(o);
	else
		head_print(o);
	if (!js_true(o, "form_ok"))
		rc = CTL_REFUSED;
	json_decref(o);
	pkg_partner_free(from);
	pkg_close(p);
	return rc;
}
