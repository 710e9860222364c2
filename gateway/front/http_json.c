/* http_json.c - JSON in and out of the api's structs; the names here are the contract (contrib/doc/api.md).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ota/nearest.h"
#include "../core/work.h"
#include "http_json.h"
#include "words.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ------------------------------------------------------------------------------------------------ input */

json_t *json_body(const char *body, size_t len, char *why, size_t cap)
{
	json_error_t e;
	json_t *j = json_loadb(body, len, JSON_REJECT_DUPLICATES, &e);

	if (!j) {
		/* the library's text may quote the body: place alone is repeated */
		snprintf(why, cap, "the body is no JSON: error at line %d, column %d", e.line, e.column);
		return NULL;
	}
	if (!json_is_object(j)) {
		snprintf(why, cap, "the body must be a JSON object");
		json_decref(j);
		return NULL;
	}
	return j;
}

int json_members(json_t *j, const char *const *known, size_t n, char *why, size_t cap)
{
	const char *key;
	json_t *v;

	json_object_foreach(j, key, v)
	{
		size_t i;

		for (i = 0; i < n && strcmp(key, known[i]); i++)
			;
		if (i == n) {
			const char *near = nearest_word(key, known, n);

			snprintf(why, cap, "unknown member \"%.40s\"%s%s%s", key, near ? "; did you mean \"" : "",
				 near ? near : "", near ? "\"?" : "");
			return -1;
		}
	}
	return 0;
}

static int get_string(json_t *j, const char *key, char *out, size_t out_cap, char *why, size_t cap)
{
	json_t *v = json_object_get(j, key);

	if (!json_is_string(v) || json_string_length(v) >= out_cap ||
	    strlen(json_string_value(v)) != json_string_length(v)) {
		snprintf(why, cap, "\"%s\" must be a text of at most %zu octets", key, out_cap - 1);
		return -1;
	}
	memcpy(out, json_string_value(v), json_string_length(v) + 1);
	return 0;
}

/* One that may be left out. */
int json_text(json_t *j, const char *key, char *out, size_t out_cap, char *why, size_t cap)
{
	return json_object_get(j, key) ? get_string(j, key, out, out_cap, why, cap) : 0;
}

int json_number(json_t *j, const char *key, int64_t fallback, int64_t max, int64_t *out, char *why, size_t cap)
{
	json_t *v = json_object_get(j, key);

	*out = fallback;
	if (!v && fallback >= 0)
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > max) {
		snprintf(why, cap, "\"%s\" must be a number from 0 to %" PRId64, key, max);
		return -1;
	}
	*out = json_integer_value(v);
	return 0;
}

int json_flag(json_t *j, const char *key, bool *out, char *why, size_t cap)
{
	json_t *v = json_object_get(j, key);

	if (v && !json_is_boolean(v)) {
		snprintf(why, cap, "\"%s\" must be true or false", key);
		return -1;
	}
	*out = json_is_true(v);
	return 0;
}

static int import_keyset(struct api_import_req *out, unsigned i, json_t *k, char *why, size_t cap)
{
	static const char *const known[] = { "kvn", "alg", "cntr", "cc_len", "gen" };
	int64_t kvn, cntr, cc_len, gen;

	if (!json_is_object(k)) {
		snprintf(why, cap, "each of \"keysets\" must be an object");
		return -1;
	}
	if (json_members(k, known, ARRAY_SIZE(known), why, cap) || json_number(k, "kvn", -1, 255, &kvn, why, cap) ||
	    get_string(k, "alg", out->keyset[i].alg, sizeof(out->keyset[i].alg), why, cap) ||
	    json_number(k, "cntr", 1, (int64_t)OTA_CNTR_MAX, &cntr, why, cap) ||
	    json_number(k, "cc_len", 8, 255, &cc_len, why, cap) || json_number(k, "gen", 0, UINT32_MAX, &gen, why, cap))
		return -1;
	out->keyset[i].kvn = (unsigned)kvn;
	out->keyset[i].cntr = (uint64_t)cntr;
	out->keyset[i].cc_len = (unsigned)cc_len;
	out->keyset[i].gen = (uint32_t)gen;
	return 0;
}

int json_import_req(struct api_import_req *out, const char *body, size_t len, char *why, size_t cap)
{
	static const char *const known[] = { "keysets", "profile", "dry_run" };
	json_t *j = json_body(body, len, why, cap), *keysets;
	int rc = -1;

	memset(out, 0, sizeof(*out));
	if (!j)
		return -1;
	keysets = json_object_get(j, "keysets");
	if (json_members(j, known, ARRAY_SIZE(known), why, cap) || json_flag(j, "dry_run", &out->dry_run, why, cap) ||
	    json_text(j, "profile", out->profile, sizeof(out->profile), why, cap))
		goto out;
	if (!json_is_array(keysets) || !json_array_size(keysets) || json_array_size(keysets) > CARD_KEYSETS_MAX) {
		snprintf(why, cap, "\"keysets\" must be a list of 1 to %d key versions", CARD_KEYSETS_MAX);
		goto out;
	}
	for (; out->n_keysets < json_array_size(keysets); out->n_keysets++) {
		if (import_keyset(out, out->n_keysets, json_array_get(keysets, out->n_keysets), why, cap))
			goto out;
	}
	rc = 0;
out:
	json_decref(j);
	return rc;
}

int json_campaign_req(struct api_campaign_req *out, const char *body, size_t len, char *why, size_t cap)
{
	static const char *const known[] = { "name",	"profile",  "rules", "filter", "range",
					     "dry_run", "retry_of", "only",  "class",  "may_have_run" };
	json_t *j = json_body(body, len, why, cap);
	int rc;

	memset(out, 0, sizeof(*out));
	if (!j)
		return -1;
	rc = json_members(j, known, ARRAY_SIZE(known), why, cap) ||
	     get_string(j, "name", out->name, sizeof(out->name), why, cap) ||
	     json_text(j, "retry_of", out->retry_of, sizeof(out->retry_of), why, cap) ||
	     json_text(j, "only", out->only, sizeof(out->only), why, cap) ||
	     json_text(j, "class", out->cls, sizeof(out->cls), why, cap) ||
	     json_flag(j, "may_have_run", &out->may_have_run, why, cap) ||
	     (*out->retry_of ? json_text : get_string)(j, "profile", out->profile, sizeof(out->profile), why, cap) ||
	     json_text(j, "rules", out->rules, sizeof(out->rules), why, cap) ||
	     json_text(j, "filter", out->filter, sizeof(out->filter), why, cap) ||
	     json_text(j, "range", out->range, sizeof(out->range), why, cap) ||
	     json_flag(j, "dry_run", &out->dry_run, why, cap);
	json_decref(j);
	return rc ? -1 : 0;
}

/* ----------------------------------------------------------------------------------------------- output */

static void set(json_t *o, const char *key, json_t *v)
{
	json_object_set_new(o, key, v ? v : json_null());
}

void json_set_n(json_t *o, const char *key, uint64_t n)
{
	set(o, key, json_integer((json_int_t)n));
}

/* Text from a row or a peer: what is not UTF-8 would be no JSON. */
void json_set_s(json_t *o, const char *key, const char *s)
{
	json_t *v = s ? json_string(s) : NULL;

	set(o, key, v || !s ? v : json_string("(not UTF-8)"));
}

static void set_b(json_t *o, const char *key, bool b)
{
	set(o, key, json_boolean(b));
}

void json_set_time(json_t *o, const char *key, int64_t ms)
{
	char t[RFC3339_MAX];

	/* 0: not yet; INT64_MAX: not before something happens */
	set(o, key, ms && ms != INT64_MAX ? json_string(rfc3339(t, ms)) : NULL);
}

static void set_hex(json_t *o, const char *key, const uint8_t *p, size_t len)
{
	char hex[2 * OTA_PACKET_MAX + 1];

	if (len > OTA_PACKET_MAX)
		len = OTA_PACKET_MAX;
	hex_encode(hex, p, len);
	set(o, key, json_string(hex));
}

/* 255: none */
static void set_octet(json_t *o, const char *key, uint8_t v, bool have)
{
	char hex[3];

	snprintf(hex, sizeof(hex), "%02x", v);
	set(o, key, have ? json_string(hex) : NULL);
}

static void set_sw(json_t *o, const char *key, uint16_t sw)
{
	char hex[5];

	snprintf(hex, sizeof(hex), "%04x", sw);
	set(o, key, sw ? json_string(hex) : NULL);
}

static void set_evidence(json_t *o, uint8_t e)
{
	char t[5];

	snprintf(t, sizeof(t), "E%u", e);
	set(o, "evidence", e != 255 ? json_string(t) : NULL);
}

static json_t *out_lines(const struct api_lines *l)
{
	json_t *o = json_object(), *a = json_array();

	json_set_n(o, "accepted", l->accepted);
	json_set_n(o, "updated", l->updated);
	json_set_n(o, "unchanged", l->unchanged);
	json_set_n(o, "filtered", l->filtered);
	json_set_n(o, "may_have_run", l->may_have_run);
	set_b(o, "end", l->end);
	json_set_n(o, "packets", l->packets);
	json_set_n(o, "sms_parts", l->sms_parts);
	json_set_n(o, "next", l->next_line);
	json_set_n(o, "rejected_count", l->rejected);
	for (size_t i = 0; i < l->n_reject; i++) {
		json_t *r = json_object();

		json_set_n(r, "line", l->reject[i].line);
		json_set_s(r, "reason", l->reject[i].reason);
		json_array_append_new(a, r);
	}
	set(o, "rejected", a);
	if (l->state)
		json_set_s(o, "state", l->state);
	return o;
}

static void set_ms_as_s(json_t *o, const char *key, int64_t ms)
{
	set(o, key, ms >= 0 ? json_integer((ms + 999) / 1000) : NULL);
}

static json_t *out_measured(const struct gw_measured *m)
{
	json_t *o;

	if (!m->n)
		return NULL;
	o = json_object();
	json_set_n(o, "n", m->n);
	json_set_n(o, "median_ms", (uint64_t)m->median_ms);
	json_set_n(o, "p90_ms", (uint64_t)m->p90_ms);
	return o;
}

/* Per second; null: not known, or nothing that limits it. */
static void set_rate(json_t *o, double per_s)
{
	set(o, "per_s", per_s > 0 ? json_real(per_s) : NULL);
	set_b(o, "unlimited", per_s == ESTIMATE_PER_S_ANY);
}

static json_t *out_estimate(const struct estimate *e)
{
	json_t *o = json_object(), *links = json_array(), *notes = json_array();

	for (unsigned i = 0; i < e->n_links; i++) {
		const struct estimate_link *l = &e->link[i];
		json_t *j = json_object();

		json_set_s(j, "name", l->name);
		set_b(j, "up", l->up);
		json_set_n(j, "window", l->window);
		set(j, "throughput", l->limit > 0 ? json_real(l->limit) : NULL);
		set(j, "submit", out_measured(&l->submit));
		set_rate(j, l->per_s);
		json_array_append_new(links, j);
	}
	for (unsigned i = 0; i < e->n_notes; i++)
		json_array_append_new(notes, json_string(e->note[i]));
	json_set_s(o, "price", *e->cost ? e->price.each : NULL);
	json_set_s(o, "cost", *e->cost ? e->cost : NULL);
	json_set_s(o, "currency", *e->cost ? e->price.currency : NULL);
	set(o, "links", links);
	set_rate(o, e->per_s);
	set_ms_as_s(o, "send_s", e->send_ms);
	set_ms_as_s(o, "window_s", e->window_ms);
	set_ms_as_s(o, "canary_s", e->canary_ms);
	set(o, "answer", out_measured(&e->answer));
	json_set_n(o, "seen", e->seen);
	json_set_n(o, "seen_days", (uint64_t)(SEEN_LATELY_MS / 86400000));
	set_ms_as_s(o, "duration_s", e->duration_ms);
	set(o, "notes", notes);
	return o;
}

/* After finish the lines were told chunk by chunk: their number is left. */
static json_t *out_totals(const struct api_lines *l)
{
	json_t *o = out_lines(l);

	json_set_n(o, "rejected", l->rejected);
	if (l->estimate)
		set(o, "estimate", out_estimate(l->estimate));
	return o;
}

/* Null without canary, and when all of its groups are through. */
static json_t *out_canary(const struct gw_campaign_view *v)
{
	json_t *o;

	if (!v->canary_group)
		return NULL;
	o = json_object();
	json_set_n(o, "group", v->canary_group);
	json_set_n(o, "groups", v->canary_groups);
	json_set_n(o, "cards", v->canary_cards);
	json_set_n(o, "started", v->started);
	set_b(o, "waits", v->canary_waits);
	set(o, "next_s", v->canary_next_ms >= 0 ? json_integer(v->canary_next_ms / 1000) : NULL);
	return o;
}

static json_t *out_classes(const uint64_t by_class[_FAIL_CLASSES])
{
	json_t *o = json_object();

	for (unsigned i = 0; i < _FAIL_CLASSES; i++) {
		if (by_class[i] && i != FAIL_NONE)
			json_set_n(o, fail_class_name(i), by_class[i]);
	}
	return o;
}

static json_t *out_abort(const struct gw_campaign_view *v)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < v->n_abort; i++) {
		json_t *o = json_object();

		json_set_s(o, "rule", v->abort[i].rule);
		json_set_n(o, "cards", v->abort[i].hits);
		json_set_n(o, "of", v->abort[i].of);
		json_array_append_new(a, o);
	}
	return a;
}

static json_t *out_campaign(const struct api_campaign *c)
{
	const struct gw_campaign_view *v = &c->view;
	json_t *o = json_object(), *states = json_object(), *classes = out_classes(v->by_class);

	json_set_n(o, "id", c->row.id);
	json_set_s(o, "name", c->row.name);
	json_set_s(o, "profile", c->row.profile);
	json_set_s(o, "state", campaign_state_name(c->row.state));
	json_set_s(o, "work", c->row.kind ? work_kind_name(c->row.kind) : NULL);
	set_b(o, "open_ended", c->row.open_ended);
	json_set_n(o, "targets", c->row.targets);
	json_set_time(o, "created", c->row.created_ms);
	json_set_time(o, "started", c->row.started_ms);
	json_set_time(o, "ended", c->row.ended_ms);
	for (unsigned i = 0; i < _TXN_STATES; i++) {
		if (v->by_state[i])
			json_set_n(states, txn_state_name((uint8_t)i), v->by_state[i]);
	}
	/* one that ended and that nobody has counted */
	if (!c->counted && c->row.state != CAMPAIGN_LOADING) {
		json_decref(states);
		json_decref(classes);
		states = classes = NULL;
	}
	set(o, "states", states);
	set(o, "classes", classes);
	json_set_n(o, "sms_parts", v->sms_parts);
	json_set_n(o, "attempts", v->attempts);
	json_set_n(o, "probes", v->probes);
	json_set_n(o, "prepared", v->prepared);
	json_set_n(o, "in_flight", v->in_flight);
	json_set_n(o, "waiting_timer", v->waiting_timer);
	json_set_n(o, "waiting_presence", v->waiting_presence);
	set(o, "waiting_classes", c->counted ? out_classes(v->waiting_class) : NULL);
	set(o, "done_per_s", json_real(v->done_per_s));
	set(o, "done_per_s_long", v->long_ms ? json_real(v->long_per_s) : NULL);
	set(o, "done_long_s", json_integer(v->long_ms / 1000));
	set(o, "eta_s", c->counted && v->eta_ms >= 0 ? json_integer(v->eta_ms / 1000) : NULL);
	json_set_n(o, "eta_cards", v->eta_cards);
	json_set_s(o, "eta_past", v->eta_past);
	json_set_time(o, "eta_past_at", v->eta_past_ms);
	set(o, "abort", out_abort(v));
	json_set_s(o, "alarm", c->alarm);
	json_set_s(o, "rules", c->row.rules);
	json_set_time(o, "deadline", c->row.deadline_ms);
	json_set_s(o, "stopped", *c->row.stop_reason ? c->row.stop_reason : NULL);
	json_set_time(o, "window_opens", v->opens_ms);
	set(o, "canary", out_canary(v));
	return o;
}

static json_t *out_campaigns(const struct api_campaigns *c)
{
	json_t *a = json_array();

	for (size_t i = 0; i < c->n; i++)
		json_array_append_new(a, out_campaign(&c->campaign[i]));
	return a;
}

/* What the card has said of a work, and whether nobody knows yet where it is. */
static void set_work(json_t *o, const struct txn_row *t)
{
	json_set_s(o, "verdict", t->verdict ? work_verdict_name((enum work_verdict)(t->verdict - 1)) : NULL);
	json_set_s(o, "card_end", t->card_end ? ota_sub_end_name((uint8_t)(t->card_end - 1)) : NULL);
	set_b(o, "maybe_moved", t->maybe_moved);
}

static json_t *out_report_row(const struct store_report *row)
{
	const struct txn_row *t = &row->txn;
	json_t *o = json_object();

	json_set_s(o, "iccid", row->iccid);
	json_set_s(o, "state", txn_state_name(t->state));
	set_evidence(o, t->evidence);
	set_octet(o, "por_status", t->por_status, t->por_status != 255);
	set_sw(o, "sw", t->sw);
	json_set_n(o, "attempts", t->attempts);
	json_set_n(o, "sms_parts", t->sms_parts);
	json_set_n(o, "probes", t->probes);
	json_set_time(o, "first_try", t->first_try_ms);
	json_set_time(o, "last_try", t->last_try_ms);
	json_set_time(o, "ended", t->ended_ms);
	json_set_s(o, "new_imsi", t->new_imsi);
	json_set_s(o, "class", fail_class_name(t->fail_class));
	set_work(o, t);
	json_set_s(o, "reason", t->reason);
	return o;
}

static json_t *out_report(const struct api_report *rep)
{
	json_t *o = json_object(), *a = json_array();

	for (size_t i = 0; i < rep->n; i++)
		json_array_append_new(a, out_report_row(&rep->row[i]));
	set(o, "rows", a);
	set(o, "next", rep->next ? json_integer((json_int_t)rep->next) : NULL);
	return o;
}

static json_t *out_cards(const struct api_cards *c)
{
	json_t *o = json_object(), *a = json_array();

	for (size_t i = 0; i < c->n; i++) {
		json_t *k = json_object();

		json_set_s(k, "iccid", c->card[i].iccid);
		json_set_s(k, "imsi", c->card[i].imsi);
		json_set_s(k, "msisdn", c->card[i].msisdn);
		json_set_time(k, "quarantine", c->card[i].quarantine_ms);
		json_array_append_new(a, k);
	}
	set(o, "cards", a);
	set(o, "next", c->next ? json_integer((json_int_t)c->next) : NULL);
	return o;
}

static json_t *out_response(json_t *o, const struct decoded *d)
{
	if (d->verdict)
		json_set_s(o, "verdict", d->verdict);
	if (d->status_text) {
		set_octet(o, "por_status", d->status, true);
		json_set_s(o, "por_status_text", d->status_text);
	}
	if (d->has_run) {
		json_set_n(o, "executed", d->executed);
		set_sw(o, "sw", d->sw);
		json_set_s(o, "sw_text", d->sw_text);
	}
	if (d->n_sws) {
		json_t *a = json_array();
		char sw[8];

		for (unsigned i = 0; i < d->n_sws; i++) {
			snprintf(sw, sizeof(sw), "%04x", d->sws[i]);
			json_array_append_new(a, json_string(sw));
		}
		set(o, "sws", a);
	}
	if (d->data_len)
		set_hex(o, "data", d->data, d->data_len);
	if (*d->data_text)
		json_set_s(o, "data_text", d->data_text);
	return o;
}

static json_t *out_decoded(const struct decoded *d)
{
	json_t *o, *a;

	if (d->kind == DECODED_NOTHING) {
		o = json_object();
		json_set_s(o, "note", d->note);
		return o;
	}
	o = json_object();
	json_set_s(o, "type", d->kind == DECODED_COMMAND ? "command" : "response");
	set_b(o, "opened", d->opened);
	json_set_n(o, "octets", d->packet_len);
	set_hex(o, "tar", d->tar, sizeof(d->tar));
	if (*d->spi_text[0]) {
		set_hex(o, "spi", d->spi, sizeof(d->spi));
		json_set_s(o, "spi1_text", d->spi_text[0]);
		json_set_s(o, "spi2_text", d->spi_text[1]);
		set_octet(o, "kic", d->kic, true);
		json_set_s(o, "kic_text", d->kic_text);
		set_octet(o, "kid", d->kid, true);
		json_set_s(o, "kid_text", d->kid_text);
	}
	if (d->cntr_known) {
		json_set_n(o, "cntr", d->cntr);
		json_set_n(o, "pcntr", d->pcntr);
	}
	if (d->kind == DECODED_COMMAND) {
		a = json_array();
		for (unsigned i = 0; i < d->n_apdus; i++)
			json_array_append_new(a, json_string(d->apdu[i]));
		set(o, "apdus", a);
	} else {
		out_response(o, d);
	}
	if (*d->note)
		json_set_s(o, "note", d->note);
	return o;
}

static json_t *out_cmd(const struct api_cmd_view *v)
{
	const struct cmd_row *c = &v->row;
	json_t *o = json_object();

	json_set_n(o, "id", c->id);
	json_set_s(o, "kind", c->kind == CMD_SCRIPT ? "SCRIPT" : c->kind == CMD_READBACK ? "READBACK" : "?");
	json_set_s(o, "state", cmd_state_name(c->state));
	json_set_n(o, "cntr", c->cntr);
	json_set_n(o, "kvn", c->kvn);
	json_set_n(o, "gen", c->generation);
	set_hex(o, "spi", c->spi, sizeof(c->spi));
	set_octet(o, "kic", c->kic, true);
	set_octet(o, "kid", c->kid, true);
	set_hex(o, "tar", c->tar, sizeof(c->tar));
	json_set_n(o, "apdus", c->apdus);
	json_set_n(o, "attempt", c->attempt);
	json_set_n(o, "segs", c->segs);
	set_octet(o, "hint", c->hint, c->hint != 255);
	set_octet(o, "por_status", c->por_status, c->por_status != 255);
	set_sw(o, "sw", c->sw);
	json_set_time(o, "born", c->born_ms);
	json_set_time(o, "prepared", c->prepared_ms);
	json_set_time(o, "sent", c->sent_ms);
	json_set_time(o, "due", c->due_ms);
	json_set_time(o, "deadline", c->deadline_ms);
	json_set_time(o, "ended", c->ended_ms);
	if (v->packet)
		set_hex(o, "packet", v->packet, v->packet_len);
	else
		set(o, "packet", NULL);
	set(o, "decoded", out_decoded(&v->decoded));
	return o;
}

static json_t *out_story(const struct api_story_view *v)
{
	const struct story_row *s = &v->story.row;
	json_t *o = json_object();

	json_set_time(o, "at", s->at_ms);
	json_set_s(o, "kind", story_kind_name(s->kind));
	json_set_s(o, "text", s->text);
	set(o, "command", s->cmd ? json_integer((json_int_t)s->cmd) : NULL);
	if (v->octets)
		set_hex(o, "octets", v->octets, v->octets_len);
	else
		set(o, "octets", NULL);
	set(o, "decoded", v->decoded ? out_decoded(v->decoded) : NULL);
	return o;
}

static json_t *out_txn(const struct txn_row *t, const char *campaign)
{
	json_t *o = json_object();

	json_set_n(o, "id", t->id);
	json_set_s(o, "campaign", campaign);
	json_set_s(o, "state", txn_state_name(t->state));
	set_evidence(o, t->evidence);
	set_octet(o, "por_status", t->por_status, t->por_status != 255);
	set_sw(o, "sw", t->sw);
	json_set_s(o, "class", fail_class_name(t->fail_class));
	json_set_n(o, "attempts", t->attempts);
	json_set_n(o, "sms_parts", t->sms_parts);
	json_set_n(o, "probes", t->probes);
	json_set_n(o, "scripts", t->scripts);
	json_set_s(o, "new_imsi", t->new_imsi);
	json_set_s(o, "new_msisdn", t->new_msisdn);
	json_set_time(o, "first_try", t->first_try_ms);
	json_set_time(o, "last_try", t->last_try_ms);
	json_set_time(o, "ended", t->ended_ms);
	set_work(o, t);
	json_set_s(o, "reason", t->reason);
	return o;
}

/* The first line of every story; it costs no row. */
static json_t *out_imported(const struct card_row *c)
{
	json_t *o = json_object();

	json_set_time(o, "at", c->created_ms);
	json_set_s(o, "kind", story_kind_name(STORY_IMPORTED));
	json_set_s(o, "text", "card imported, keys sealed");
	set(o, "command", NULL);
	set(o, "octets", NULL);
	set(o, "decoded", NULL);
	return o;
}

/* The pair in force, and who besides us has its keys. */
static json_t *out_hold(const struct hold *h)
{
	json_t *o = json_object();
	char who[HOLD_WHO_MAX];

	json_set_n(o, "index", h->index);
	json_set_n(o, "kvn", h->kvn);
	hold_who(h, false, who);
	json_set_s(o, "k_known", who);
	hold_who(h, true, who);
	json_set_s(o, "ota_known", who);
	return o;
}

static json_t *out_card(const struct api_card *c)
{
	const struct card_bundle *b = &c->bundle;
	json_t *o = json_object(), *card = json_object(), *keysets = json_array(), *cmds = json_array(),
	       *story = json_array();
	char zone[RULES_ZONE_MAX];

	json_set_n(card, "id", b->card.id);
	json_set_s(card, "iccid", b->card.iccid);
	json_set_s(card, "imsi", b->card.imsi);
	json_set_s(card, "msisdn", b->card.msisdn);
	json_set_time(card, "created", b->card.created_ms);
	json_set_time(card, "last_seen", b->card.last_seen_ms);
	rules_zone_print(b->card.tz_min, zone);
	json_set_s(card, "tz", zone);
	json_set_s(card, "profile", *b->card.profile ? b->card.profile : NULL);
	json_set_time(card, "quarantine", b->card.quarantine_ms);
	set(o, "card", card);
	for (unsigned i = 0; i < b->n_keysets; i++) {
		json_t *k;

		if (!b->keyset[i].sealed_len)
			continue;
		k = json_object();
		json_set_n(k, "kvn", b->keyset[i].kvn);
		json_set_n(k, "gen", b->keyset[i].generation);
		json_set_s(k, "kic_alg", ota_alg_name(b->keyset[i].kic_alg));
		json_set_s(k, "kid_alg", ota_alg_name(b->keyset[i].kid_alg));
		json_set_n(k, "cc_len", b->keyset[i].cc_len);
		json_set_n(k, "cntr", b->keyset[i].cntr);
		json_set_n(k, "cntr_proven", b->keyset[i].cntr_proven);
		json_array_append_new(keysets, k);
	}
	set(o, "keysets", keysets);
	set(o, "pair", c->has_hold ? out_hold(&c->hold) : NULL);
	set(o, "txn", b->has_txn ? out_txn(&b->txn, c->campaign) : NULL);
	for (size_t i = 0; i < c->n_cmds; i++)
		json_array_append_new(cmds, out_cmd(&c->cmd[i]));
	set(o, "commands", cmds);
	json_array_append_new(story, out_imported(&b->card));
	for (size_t i = 0; i < c->n_story; i++)
		json_array_append_new(story, out_story(&c->story[i]));
	set(o, "story", story);
	set_b(o, "cut", c->cut);
	json_set_n(o, "next", c->next);
	return o;
}

static json_t *out_link(const struct api_link_status *l)
{
	json_t *o = json_object();

	json_set_s(o, "name", l->name);
	set_b(o, "up", l->stats.up);
	json_set_n(o, "window", l->stats.window);
	json_set_n(o, "in_window", l->stats.in_window);
	json_set_n(o, "window_high", l->stats.window_high);
	set(o, "rate", l->stats.rate_limit > 0 ? json_real(l->stats.rate_limit) : NULL);
	json_set_n(o, "submitted", l->stats.submitted);
	json_set_n(o, "accepted", l->stats.accepted);
	json_set_n(o, "rejected", l->stats.rejected);
	json_set_n(o, "unknown", l->stats.unknown);
	json_set_n(o, "received", l->stats.received);
	json_set_n(o, "throttled", l->stats.throttled);
	json_set_n(o, "late_responses", l->stats.late_responses);
	json_set_n(o, "temp_answers", l->stats.temp_answers);
	json_set_n(o, "protocol_errors", l->stats.protocol_errors);
	json_set_n(o, "connects", l->stats.connects);
	json_set_s(o, "state", l->stats.state);
	json_set_s(o, "flavour", l->stats.flavour);
	json_set_time(o, "since", l->stats.since_ms);
	set(o, "rate_max", l->stats.rate_max > 0 ? json_real(l->stats.rate_max) : NULL);
	set(o, "rate_now", json_real(l->stats.rate_now));
	set(o, "hold_ms", json_integer(l->stats.hold_ms));
	set(o, "refused_classes", out_classes(l->stats.by_class));
	json_set_n(o, "receipts", l->stats.receipts);
	json_set_n(o, "receipts_delivered", l->stats.receipts_delivered);
	json_set_n(o, "receipts_failed", l->stats.receipts_failed);
	set(o, "p50_ms", l->stats.answers ? json_integer(l->stats.p50_ms) : NULL);
	set(o, "p99_ms", l->stats.answers ? json_integer(l->stats.p99_ms) : NULL);
	json_set_s(o, "last_error", *l->stats.last_error ? l->stats.last_error : NULL);
	json_set_time(o, "last_error_at", l->stats.last_error_ms);
	json_set_s(o, "last_refusal", *l->stats.last_refusal ? l->stats.last_refusal : NULL);
	json_set_time(o, "last_refusal_at", l->stats.last_refusal_ms);
	json_set_s(o, "order", link_order_name(l->view.order));
	set_b(o, "idle", l->view.idle);
	set_b(o, "suspect", l->view.suspect);
	return o;
}

static json_t *out_route(const struct api_links *l, const struct gw_route_view *v)
{
	json_t *o = json_object(), *match = json_array(), *via = json_array(), *rank = NULL, *serving = json_array();
	const struct route *r = v->route;

	json_set_s(o, "name", r->name);
	for (unsigned i = 0; i < r->n_matches; i++) {
		const struct route_match *m = &r->match[i];

		json_array_append_new(match,
				      json_sprintf("%s%s%s", route_by_name(m->by), *m->value ? " " : "", m->value));
	}
	set(o, "match", match);
	for (unsigned i = 0; i < r->n_links; i++) {
		if (r->via[i].link >= l->n_links)
			continue;
		if (!rank || r->via[i].rank != r->via[i - 1].rank)
			json_array_append_new(via, rank = json_array());
		json_array_append_new(rank, json_string(l->link[r->via[i].link].name));
	}
	set(o, "via", via); /* in the order of fail-over, those together that share */
	for (unsigned i = 0; i < l->n_links; i++)
		if (v->serving & 1u << i)
			json_array_append_new(serving, json_string(l->link[i].name));
	set(o, "serving", serving);
	json_set_n(o, "prepared", v->prepared);
	set_b(o, "dead", v->rank < 0);
	return o;
}

static void set_links(json_t *o, const struct api_links *l)
{
	json_t *links = json_array(), *routes = json_array();

	for (unsigned i = 0; i < l->n_links; i++)
		json_array_append_new(links, out_link(&l->link[i]));
	set(o, "links", links);
	for (unsigned i = 0; i < l->n_routes; i++)
		json_array_append_new(routes, out_route(l, &l->route[i]));
	set(o, "routes", routes);
}

static json_t *out_links(const struct api_links *l)
{
	json_t *o = json_object();

	json_set_s(o, "alarm", l->alarm);
	set_links(o, l);
	return o;
}

static json_t *out_core(const struct gw_stats *s)
{
	json_t *o = json_object();

	json_set_n(o, "events", s->events);
	json_set_n(o, "steps", s->steps);
	json_set_n(o, "commits", s->commits);
	json_set_n(o, "commit_failures", s->commit_failures);
	json_set_n(o, "fetches", s->fetches);
	json_set_n(o, "submits", s->submits);
	json_set_n(o, "por_ok", s->por_ok);
	json_set_n(o, "por_hint", s->por_hint);
	json_set_n(o, "por_bad_mac", s->por_bad_mac);
	json_set_n(o, "por_stray", s->por_stray);
	json_set_n(o, "por_duplicate", s->por_duplicate);
	json_set_n(o, "mo_other", s->mo_other);
	json_set_n(o, "alerts", s->alerts);
	json_set_n(o, "timers", s->timers);
	json_set_n(o, "probes", s->probes);
	json_set_n(o, "withdrawn", s->withdrawn);
	json_set_n(o, "inbox_full", s->inbox_full);
	json_set_n(o, "counters_near_end", s->counters_near_end);
	json_set_n(o, "inbox", s->inbox);
	json_set_n(o, "inbox_high", s->inbox_high);
	json_set_n(o, "resident", s->resident);
	json_set_n(o, "resident_high", s->resident_high);
	json_set_n(o, "open", s->open);
	json_set_n(o, "open_high", s->open_high);
	json_set_n(o, "parked", s->parked);
	set_b(o, "store_alarm", s->store_alarm);
	json_set_n(o, "batch_no", s->batch_no);
	return o;
}

static json_t *out_keystore(const struct ks_stats *s)
{
	json_t *o = json_object();

	json_set_n(o, "macs", s->macs);
	json_set_n(o, "ciphers", s->ciphers);
	json_set_n(o, "wraps", s->wraps);
	json_set_n(o, "loads", s->loads);
	json_set_n(o, "imports", s->imports);
	json_set_n(o, "refused", s->refused);
	json_set_n(o, "slots", s->slots);
	json_set_n(o, "slots_used", s->slots_used);
	json_set_n(o, "slots_high", s->slots_high);
	set_b(o, "locked_memory", s->locked_memory);
	return o;
}

static json_t *out_gw(const struct api_gw_status *g)
{
	json_t *o = json_object();

	json_set_s(o, "version", g->version);
	set_b(o, "ready", g->ready);
	json_set_s(o, "alarm", g->alarm);
	set_links(o, &g->links);
	json_set_n(o, "cards", g->totals.cards);
	set(o, "campaigns", out_campaigns(&g->campaigns));
	set(o, "core", out_core(&g->core));
	set(o, "keystore", out_keystore(&g->keystore));
	set(o, "exchange", g->exchange ? json_exchange(g->exchange) : NULL);
	return o;
}

static json_t *out_created(const struct api_created *c)
{
	json_t *o = json_object();

	if (c->id) {
		json_set_s(o, "id", c->id);
		return o;
	}
	json_set_s(o, "name", c->name);
	json_set_s(o, "profile", c->profile);
	json_set_n(o, "id", c->campaign);
	if (c->session)
		json_set_s(o, "session", c->session);
	return o;
}

static json_t *out_verb(const struct api_verb *v)
{
	json_t *o = json_object();

	json_set_s(o, "name", v->name);
	json_set_s(o, "state", v->state);
	if (v->text)
		json_set_s(o, "text", v->text);
	return o;
}

static json_t *out_events(const struct api_events *e)
{
	static const char *const level[] = { "emergency", "alert",  "critical", "error",
					     "warning",	  "notice", "info",	"debug" };
	json_t *o = json_object(), *a = json_array();

	for (unsigned i = 0; i < e->n; i++) {
		json_t *l = json_object();

		json_set_n(l, "n", e->line[i]->n);
		json_set_time(l, "at", e->line[i]->at_ms);
		json_set_s(l, "level", level[e->line[i]->level & 7]);
		json_set_n(l, "times", e->line[i]->times);
		json_set_time(l, "first", e->line[i]->first_ms);
		json_set_s(l, "text", e->line[i]->text);
		json_array_append_new(a, l);
	}
	set(o, "events", a);
	json_set_n(o, "last", e->last);
	return o;
}

json_t *json_reply(const struct api_reply *r)
{
	json_t *o, *e;

	if (r->status != API_OK) {
		o = json_object();
		e = json_object();
		json_set_s(e, "code", r->code);
		json_set_s(e, "message", r->message);
		set(o, "error", e);
		return o;
	}
	if (r->lines)
		return r->lines->total ? out_totals(r->lines) : out_lines(r->lines);
	if (r->created)
		return out_created(r->created);
	if (r->campaign)
		return out_campaign(r->campaign);
	if (r->campaigns) {
		o = json_object();
		set(o, "campaigns", out_campaigns(r->campaigns));
		return o;
	}
	if (r->verb)
		return out_verb(r->verb);
	if (r->report)
		return out_report(r->report);
	if (r->cards)
		return out_cards(r->cards);
	if (r->card)
		return out_card(r->card);
	if (r->gw)
		return out_gw(r->gw);
	if (r->links)
		return out_links(r->links);
	if (r->decoded)
		return out_decoded(r->decoded);
	if (r->events)
		return out_events(r->events);
	if (r->books)
		return json_books(r->books);
	if (r->exchange)
		return json_exchange(r->exchange);
	return json_object();
}
