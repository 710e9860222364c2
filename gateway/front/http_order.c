/* http_order.c - JSON of orders, lines, packages and pairs; requests about them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../desk/vault.h"
#include "exchange_tls.h"
#include "http_json.h"
#include "words.h"

static const char *word(const char *const *words, unsigned n, unsigned i)
{
	return i < n && words[i] ? words[i] : "?";
}
#define WORD(list, i) word(list, sizeof(list) / sizeof((list)[0]), i)

static const char *const sides[] = { NULL, "a", "b", "vault", "home" };
static const char *const states[] = { NULL, "OPEN", "CANCELLED", "ENDED", "REFUSED" };
static const char *const kinds[] = { NULL, "3a", "3b", "change" };
static const char *const policies[] = { NULL, "deliver-then-activate", "activate-then-deliver", "escrow" };
static const char *const no_rollbacks[] = { "unsaid", "ok", "refused" };
static const char *const parcels[] = { NULL, "READY", "ACKED", "REFUSED", "ACCEPTED", "APPLIED", "WAITS" };

static void set_u64_hex(json_t *o, const char *key, uint64_t v)
{
	char text[17];

	snprintf(text, sizeof(text), "%016" PRIx64, v);
	json_set_s(o, key, text);
}

static json_t *steps(const struct store_book_count *c, size_t n)
{
	json_t *o = json_object();

	for (size_t i = 0; i < n; i++)
		json_set_n(o, line_step_name(c[i].step), c[i].n);
	return o;
}

static const struct {
	const char *word;
	uint8_t what;
} whats[] = { { "ota-keys", CHANGE_OTA },
	      { "k", CHANGE_K },
	      { "opc", CHANGE_OPC },
	      { "imsi", CHANGE_IMSI },
	      { "all", CHANGE_OTA | CHANGE_K | CHANGE_OPC } };

static void set_what(json_t *o, const struct order *d)
{
	char text[40] = "";
	size_t n = 0;

	for (size_t i = 0; i < 4; i++)
		if (d->policy & whats[i].what)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? "," : "", whats[i].word);
	json_set_s(o, "what", text);
}

static json_t *out_order(const struct store_book *b)
{
	json_t *o = json_object();
	struct order d;

	if (order_unpack(&d, b->body, b->row.len)) {
		json_set_s(o, "name", b->row.key);
		json_set_s(o, "alarm", "its record in the books cannot be read");
		return o;
	}
	json_set_s(o, "name", d.name);
	set_u64_hex(o, "number", d.number);
	json_set_s(o, "side", WORD(sides, d.side));
	json_set_s(o, "state", WORD(states, d.step));
	json_set_s(o, "kind", WORD(kinds, d.kind));
	if (d.kind == ORDER_CHANGE)
		set_what(o, &d);
	else
		json_set_s(o, "policy", WORD(policies, d.policy));
	json_set_s(o, "subscriber", d.s);
	json_set_s(o, "a", d.a);
	json_set_s(o, "b", d.b);
	json_set_s(o, "vault", *d.m ? d.m : NULL);
	json_set_n(o, "cards", d.lines);
	json_set_n(o, "paired", d.paired);
	json_set_n(o, "listed", d.listed);
	json_set_n(o, "closed", d.closed);
	json_set_time(o, "until", d.until_s * 1000);
	json_set_time(o, "created", d.created_ms);
	json_set_time(o, "ended", d.ended_ms);
	json_set_s(o, "no_rollback", WORD(no_rollbacks, d.no_rollback));
	json_set_s(o, "alarm", *d.alarm ? d.alarm : NULL);
	return o;
}

static json_t *out_flags(const struct line *l)
{
	static const struct {
		uint16_t bit;
		const char *name;
	} all[] = { { LINE_READY, "ready" },	     { LINE_STAGED, "staged" },	  { LINE_PROVISIONAL, "provisional" },
		    { LINE_FINAL, "final" },	     { LINE_ARMED, "armed" },	  { LINE_SERVED, "served" },
		    { LINE_CONFIRMED, "confirmed" }, { LINE_CANCEL, "cancel" },	  { LINE_PLAIN, "plain" },
		    { LINE_LISTED, "listed" },	     { LINE_REFUSED, "refused" }, { LINE_GIVEN_UP, "given-up" },
		    { LINE_ESCROW, "escrow" },	     { LINE_AGAIN, "again" },	  { LINE_FOUND, "found" } };
	char text[160] = "";
	size_t n = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (l->flags & all[i].bit)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? " " : "", all[i].name);
	if (line_stranded(l))
		snprintf(text + n, sizeof(text) - n, " stranded");
	return json_string(text);
}

static json_t *out_line(const struct store_book *b)
{
	json_t *o = json_object();
	char e[8];
	struct line l;

	if (line_unpack(&l, b->body, b->row.len)) {
		json_set_s(o, "iccid", b->row.key);
		json_set_s(o, "why", "its record in the books cannot be read");
		return o;
	}
	snprintf(e, sizeof(e), "E%u", l.evidence);
	json_set_s(o, "iccid", l.iccid);
	json_set_s(o, "step", line_step_name(b->row.step));
	json_set_s(o, "end", l.end ? line_end_name(l.end) : NULL);
	json_set_s(o, "told", l.told ? line_end_name(l.told) : NULL);
	json_set_s(o, "evidence", l.evidence != 255 ? e : NULL);
	json_set_s(o, "imsi", *l.imsi ? l.imsi : NULL);
	json_set_s(o, "msisdn", *l.msisdn ? l.msisdn : NULL);
	json_set_s(o, "old_imsi", *l.old_imsi ? l.old_imsi : NULL);
	json_set_n(o, "from", l.from);
	json_set_n(o, "to", l.to);
	json_set_n(o, "left", l.left);
	json_set_n(o, "kvn", l.kvn);
	json_object_set_new(o, "flags", out_flags(&l));
	json_set_n(o, "cntr", l.cntr);
	json_set_n(o, "sqn", l.sqn);
	json_set_s(o, "vlr", *l.vlr ? l.vlr : NULL);
	json_set_time(o, "paired", l.paired_ms);
	json_set_time(o, "staged", l.staged_ms);
	json_set_time(o, "ready", l.ready_ms);
	json_set_time(o, "armed", l.armed_ms);
	json_set_time(o, "served", l.served_ms);
	json_set_time(o, "confirmed", l.confirmed_ms);
	json_set_time(o, "ended", l.ended_ms);
	json_set_s(o, "why", *l.why ? l.why : NULL);
	return o;
}

static json_t *out_parcel(const struct store_book *b)
{
	json_t *o = json_object();
	const char *slash = strrchr(b->row.key, '/');
	char partner[PKG_NAME_MAX + 1], id[2 * PKG_ID_LEN + 1];
	struct parcel p;

	snprintf(partner, sizeof(partner), "%.*s", slash ? (int)(slash - b->row.key) : 0, b->row.key);
	json_set_s(o, "partner", partner);
	json_set_s(o, "state", WORD(parcels, b->row.step));
	if (parcel_unpack(&p, b->body, b->row.len)) {
		json_set_s(o, "why", "its record in the books cannot be read");
		return o;
	}
	hex_encode(id, p.id, PKG_ID_LEN);
	json_set_n(o, "seq", p.seq);
	json_set_s(o, "type", p.type);
	json_set_s(o, "order", p.order);
	json_set_s(o, "id", id);
	json_set_n(o, "records", p.records);
	json_set_n(o, "applied", p.cursor);
	json_set_n(o, "skipped", p.skipped);
	json_set_time(o, "at", p.at_ms);
	json_set_time(o, "ended", p.ended_ms);
	json_set_s(o, "rule", *p.rule ? p.rule : NULL);
	json_set_s(o, "why", *p.why ? p.why : NULL);
	return o;
}

static json_t *out_card(const struct store_book *b)
{
	json_t *o = json_object(), *pairs = json_array();
	unsigned free_pairs = 0, burnt = 0;
	struct vault_card c;

	json_set_s(o, "iccid", b->row.key);
	if (vault_card_unpack(&c, b->body, b->row.len)) {
		json_decref(pairs);
		json_set_s(o, "issuer", "its record in the books cannot be read");
		return o;
	}
	for (unsigned i = 0; i < c.pairs; i++) {
		json_t *p = json_object();

		free_pairs += c.slot[i].state == PAIR_FREE;
		burnt += c.slot[i].state == PAIR_BURNT;
		json_set_n(p, "index", i + 1);
		json_set_s(p, "state", pair_step_name(c.slot[i].state));
		json_set_n(p, "kvn", c.slot[i].kvn);
		set_u64_hex(p, "order", c.slot[i].order);
		json_array_append_new(pairs, p);
	}
	json_set_s(o, "imsi", *c.imsi ? c.imsi : NULL);
	json_set_s(o, "issuer", *c.issuer ? c.issuer : NULL);
	json_set_n(o, "active", c.active);
	json_set_n(o, "pairs", c.pairs);
	json_set_n(o, "free", free_pairs);
	json_set_n(o, "burnt", burnt);
	json_object_set_new(o, "indexes", pairs);
	return o;
}

static json_t *out_ledger(const struct store_book *b)
{
	json_t *o = json_object();
	char hex[2 * PKG_HASH_LEN + 1];
	struct ledger_line l;

	if (ledger_unpack(&l, b->body, b->row.len)) { /* the head, too: it is no line */
		json_decref(o);
		return NULL;
	}
	json_set_n(o, "n", l.n);
	json_set_time(o, "at", l.at_ms);
	json_set_s(o, "order", *l.order ? l.order : NULL);
	json_set_s(o, "iccid", l.iccid);
	json_set_n(o, "index", l.index);
	json_set_n(o, "kvn", l.kvn);
	json_set_s(o, "to", l.to);
	hex_encode(hex, l.request, PKG_ID_LEN);
	json_set_s(o, "request", hex);
	hex_encode(hex, l.before, KS_HASH_LEN);
	json_set_s(o, "before", hex);
	return o;
}

json_t *json_books(const struct api_books *b)
{
	static const struct {
		uint8_t book;
		const char *name;
		json_t *(*out)(const struct store_book *b);
	} all[] = { { BOOK_ORDER, "orders", out_order },  { BOOK_LINE, "lines", out_line },
		    { BOOK_OUT, "packages", out_parcel }, { BOOK_IN, "packages", out_parcel },
		    { BOOK_CARD, "cards", out_card },	  { BOOK_LEDGER, "ledger", out_ledger } };
	json_t *o = json_object(), *rows = json_array();
	size_t k = 0;

	while (k + 1 < sizeof(all) / sizeof(all[0]) && all[k].book != b->book)
		k++;
	if (b->alone) {
		json_decref(o);
		json_decref(rows);
		o = all[k].out(b->row);
		if (b->book == BOOK_ORDER)
			json_object_set_new(o, "steps", steps(b->count, b->counts));
		return o;
	}
	for (size_t i = 0; i < b->n; i++) {
		json_t *row = all[k].out(&b->row[i]);

		if (row)
			json_array_append_new(rows, row);
	}
	json_object_set_new(o, all[k].name, rows);
	/* lines go on by their ICCID, all others by the key */
	json_set_s(o, "next",
		   b->next && b->book == BOOK_LINE && strchr(b->next, '/') ? strchr(b->next, '/') + 1 : b->next);
	return o;
}

json_t *json_exchange(const struct api_exchange *x)
{
	json_t *o = json_object(), *partners = json_array();

	json_object_set_new(o, "ready", json_boolean(x->ready));
	json_set_n(o, "orders", x->orders);
	json_set_n(o, "alarms", x->alarms);
	json_set_s(o, "alarm", *x->alarm ? x->alarm : x->stats.alarm);
	json_set_s(o, "overdue", *x->stats.overdue ? x->stats.overdue : NULL);
	json_set_s(o, "awaited", *x->stats.awaited ? x->stats.awaited : NULL);
	json_set_n(o, "waiting", x->waiting);
	json_set_n(o, "packages_in", x->stats.packages_in);
	json_set_n(o, "packages_out", x->stats.packages_out);
	json_set_n(o, "refused", x->stats.refused);
	json_set_n(o, "acks", x->stats.acks);
	json_set_n(o, "jobs", x->stats.jobs);
	json_set_n(o, "commits", x->stats.commits);
	json_set_n(o, "txns", x->stats.txns);
	json_set_n(o, "hlr_ops", x->stats.hlr_ops);
	for (unsigned i = 0; i < x->n; i++) {
		const struct exchange_view *v = &x->partner[i];
		json_t *p = json_object();

		json_set_s(p, "name", v->name);
		json_object_set_new(p, "reachable", json_boolean(v->reachable));
		json_set_n(p, "waiting", v->waiting);
		json_set_n(p, "brought", v->brought);
		json_set_n(p, "taken", v->taken);
		json_set_time(p, "next_try", v->next_ms);
		json_set_s(p, "why", *v->why ? v->why : NULL);
		json_array_append_new(partners, p);
	}
	json_object_set_new(o, "partners", partners);
	return o;
}

/* "ota-keys,k" */
static int what_of(char *text, uint8_t *what, char *why, size_t cap)
{
	char *save = NULL;

	for (char *w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		size_t i = 0;

		while (i < sizeof(whats) / sizeof(whats[0]) && strcmp(whats[i].word, w))
			i++;
		if (i == sizeof(whats) / sizeof(whats[0])) {
			snprintf(why, cap, "\"what\": %.20s is none of ota-keys, k, opc, all, imsi", w);
			return -1;
		}
		*what |= whats[i].what;
	}
	return 0;
}

int json_desk_req(struct api_desk_body *out, const char *body, size_t len, char *why, size_t cap)
{
	static const char *const known[] = { "file",	   "out",   "partner", "pairs",
					     "key_octets", "name",  "what",    "no_rollback_ok",
					     "imsi_list",  "iccid", "order" };
	char what[40] = "", imsis[sizeof(out->file)] = "";
	json_t *j;
	int64_t pairs = 0, octets = 0;
	int rc;

	memset(out, 0, sizeof(*out));
	if (!len)
		return 0;
	j = json_body(body, len, why, cap);
	if (!j)
		return -1;
	rc = json_members(j, known, sizeof(known) / sizeof(known[0]), why, cap) ||
	     json_text(j, "file", out->file, sizeof(out->file), why, cap) ||
	     json_text(j, "out", out->out, sizeof(out->out), why, cap) ||
	     json_text(j, "partner", out->partner, sizeof(out->partner), why, cap) ||
	     json_text(j, "name", out->name, sizeof(out->name), why, cap) ||
	     json_text(j, "what", what, sizeof(what), why, cap) || (*what && what_of(what, &out->what, why, cap)) ||
	     json_number(j, "pairs", 0, VAULT_PAIRS_MAX, &pairs, why, cap) ||
	     json_number(j, "key_octets", 0, 32, &octets, why, cap) ||
	     json_text(j, "imsi_list", imsis, sizeof(imsis), why, cap) ||
	     json_text(j, "order", out->order, sizeof(out->order), why, cap) ||
	     json_text(j, "iccid", out->iccid, sizeof(out->iccid), why, cap) ||
	     json_flag(j, "no_rollback_ok", &out->no_rollback_ok, why, cap);
	if (!rc && *imsis && *out->file) {
		snprintf(why, cap, "\"file\" and \"imsi_list\": one of them");
		rc = -1;
	}
	if (!rc && *imsis) {
		memcpy(out->file, imsis, sizeof(out->file));
		out->imsis = true;
	}
	out->pairs = (uint16_t)pairs;
	out->key_octets = (uint16_t)octets;
	json_decref(j);
	return rc ? -1 : 0;
}
