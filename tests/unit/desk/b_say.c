/* b_say.c - what the new operator's partners send in the order SO-7, and what comes out.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "b_say.h"

static char line[LINES][BED_LINE_MAX];

const struct desk_cfg with_pool = {
	.roles = DESK_MNO,
	.pool = { .imsi_from = "262020000000100",
		  .imsi_to = "262020000001999",
		  .msisdn_from = "4915100000100",
		  .msisdn_bridge = "4915990000000",
		  .plmns = "26202",
		  .files = "6f42:ffffff",
		  .trial_s = 3600 },
	.hlr_poll_ms = 1000,
};

const struct desk_tables tables = {
	.kinds = { NULL, desk_kinds_b },
	.works = { NULL, desk_works_b },
	.verbs = { NULL, desk_verbs_b },
	.event = { NULL, desk_event_b },
};

const char *iccid_of(unsigned i)
{
	static char text[4][24];
	static unsigned at;

	at = (at + 1) % 4;
	snprintf(text[at], sizeof(text[at]), "8988211%012u", i);
	return text[at];
}

const char *imsi_of(unsigned i)
{
	static char text[4][20];
	static unsigned at;

	at = (at + 1) % 4;
	snprintf(text[at], sizeof(text[at]), "26202%010u", 100 + i);
	return text[at];
}

/* ---- what partners send ---- */

void make_so(struct ks_wrap *w, unsigned i, char out[BED_LINE_MAX], void *ctx)
{
	const struct order_terms *t = ctx;

	(void)w;
	snprintf(out, BED_LINE_MAX, "%s,%s,%s,operator-a,operator-b,%s,%lld", iccid_of(t->first + i), t->kind,
		 t->policy, t->vault, BED_NOW / 1000 + 86400 * 30);
}

void send_so(struct bed *b, const char *kind, const char *policy, unsigned n)
{
	struct order_terms t = { kind, policy, strcmp(kind, "3b") ? "" : "vault", 0 };

	bed_send(b,
		 &(struct bed_in){ .from = BED_S, .type = "SO", .order = ORDER, .make = make_so, .n = n, .ctx = &t });
	assert_string_equal(bed_ack(b, BED_S), "");
}

void make_pl(struct ks_wrap *w, unsigned i, char out[BED_LINE_MAX], void *ctx)
{
	const struct plan_terms *t = ctx;
	const unsigned card = t->last ? t->last - i : i;

	(void)w;
	snprintf(out, BED_LINE_MAX, "%s,%s,%u,%u,%u,m2m-sub", iccid_of(card), imsi_of(card), t->from, t->to, t->kvn);
}

void send_pl(struct bed *b, unsigned n, struct plan_terms t)
{
	bed_send(b,
		 &(struct bed_in){ .from = BED_A, .type = "PL", .order = ORDER, .make = make_pl, .n = n, .ctx = &t });
}

static void hex(char *out, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02x", p[i]);
}

unsigned unhex(const char *text, uint8_t *out)
{
	unsigned n = 0;

	for (unsigned v; sscanf(text + 2 * n, "%2x", &v) == 1 && text[2 * n]; n++)
		out[n] = (uint8_t)v;
	return n;
}

enum ks_aka pairs_aka = KS_AKA_MILENAGE;

void block_of(const struct pairs *p, struct ks_wrap *w, unsigned i, bool sub, bool set, char *out)
{
	struct ks *ks = p->b->party[p->from].ks;
	struct ks_block block = { .has_sub = sub };
	uint8_t wrapped[KS_BLOCK_MAX];
	struct ks_pair pair;
	int n;

	assert_int_equal(ks_pair_make(ks, iccid_of(i), (uint16_t)p->to, 16, &pair), 0);
	memcpy(block.sub, pair.sub, sizeof(block.sub));
	if (pairs_aka != KS_AKA_MILENAGE) {
		char k[] = "465b5ce8b199b49faa5f0a2ee238a6bc", opc[] = "cd63cb71954a9f4e48a5994e37a02baf", err[200];

		assert_int_equal(ks_sub_import(ks, iccid_of(i),
					       &(struct ks_sub_spec){
						       .index = (uint16_t)p->to, .aka = pairs_aka, .sqn = 1 },
					       k, opc, block.sub, err, sizeof(err)),
				 KS_SUB_LEN);
	}
	if (set) {
		n = ks_pair_keyset(ks, iccid_of(i), (uint16_t)p->to, &pair, (uint8_t)p->kvn, block.set[0].sealed);
		assert_true(n > 0);
		block.sets = 1;
		block.set[0].kvn = (uint8_t)p->kvn;
		block.set[0].len = (size_t)n;
	}
	n = ks_block_wrap(w, iccid_of(i), &block, wrapped);
	assert_true(n > 0);
	hex(out, wrapped, (size_t)n);
}

void make_kp(struct ks_wrap *w, unsigned i, char out[BED_LINE_MAX], void *ctx)
{
	const struct pairs *p = ctx;
	const unsigned card = p->card ? p->card[i] : i;
	char keys[2 * KS_BLOCK_MAX + 1];

	block_of(p, w, card, true, true, keys);
	snprintf(out, BED_LINE_MAX, "%s,%u,%u,%s", iccid_of(card), p->says ? p->says : p->to, p->kvn, keys);
}

void send_kp(struct bed *b, unsigned n, unsigned to, unsigned kvn)
{
	struct pairs p = { b, BED_M, to, kvn, 0, NULL };
	const struct bed_out *kr = bed_got(b, BED_M, "KR");

	bed_send(b, &(struct bed_in){ .from = BED_M,
				      .type = "KP",
				      .order = ORDER,
				      .about = kr->head.id,
				      .wrap = true,
				      .make = make_kp,
				      .n = n,
				      .ctx = &p });
}

void send_one(struct bed *b, unsigned from, const char *type, const char *text)
{
	const char *lines[] = { text, NULL };

	bed_send(b, &(struct bed_in){ .from = from, .type = type, .order = ORDER, .line = lines });
}

void send_end(struct bed *b, unsigned i, const char *state)
{
	char text[200];

	snprintf(text, sizeof(text), "%s,%s,2,2,%s,E6,%lld", iccid_of(i), imsi_of(i), state,
		 (long long)b->now_ms / 1000);
	send_one(b, BED_A, "HL3b", text);
}

void make_hl3a(struct ks_wrap *w, unsigned i, char out[BED_LINE_MAX], void *ctx)
{
	const struct hl3a *h = ctx;
	char keys[2 * KS_BLOCK_MAX + 1] = "", set[40] = ",";

	if (h->sub || h->set)
		block_of(&h->p, w, i, h->sub, h->set, keys);
	if (h->set)
		snprintf(set, sizeof(set), "%u,%u", h->p.kvn, h->cntr);
	snprintf(out, BED_LINE_MAX, "%s,%s,%s,%s,E4,%lld,m2m-sub,%s,%s,%s", iccid_of(i), imsi_of(i), h->stage, h->state,
		 (long long)h->p.b->now_ms / 1000, set, h->sub ? "4096" : "", keys);
}

void send_hl3a(struct bed *b, unsigned n, const char *stage, const char *state, bool sub, bool set)
{
	struct hl3a h = { { b, BED_A, 1, 1, 0, NULL }, stage, state, sub, set, 777 };

	bed_send(b, &(struct bed_in){ .from = BED_A,
				      .type = "HL3a",
				      .order = ORDER,
				      .wrap = true,
				      .make = make_hl3a,
				      .n = n,
				      .ctx = &h });
}

/* ---- what came out ---- */

unsigned step_of(struct bed *b, unsigned i, struct line *l)
{
	uint16_t step;

	bed_line(b, ORDER, iccid_of(i), l, &step);
	return step;
}

void expect_step(struct bed *b, unsigned i, enum line_step want)
{
	struct line l;
	unsigned step;

	bed_wait(b, 1000);
	step = step_of(b, i, &l);

	if (step != want)
		fail_msg("card %u is at %s, not %s; log:\n%s", i, line_step_name((uint16_t)step),
			 line_step_name((uint16_t)want), b->log);
}

unsigned told(struct bed *b, unsigned to, const char *what)
{
	char v[BED_LINE_MAX];
	unsigned n = 0;

	bed_wait(b, 1000);
	for (unsigned i = 0; i < b->outs; i++) {
		if (b->out[i].to != to || strcmp(b->out[i].head.type, "CF"))
			continue;
		for (unsigned k = bed_read(b, &b->out[i], line, LINES, false, NULL); k-- > 0;)
			n += !strcmp(bed_value(line[k], 3, v), what);
	}
	return n;
}

int setup(void **state)
{
	*state = bed_new(BED_B, &with_pool, &tables);
	return 0;
}

int teardown(void **state)
{
	bed_free(*state);
	return 0;
}

void to_ready(struct bed *b, unsigned n)
{
	send_so(b, "3b", "deliver-then-activate", n);
	send_pl(b, n, (struct plan_terms){ 1, 2, 2 });
	assert_string_equal(bed_ack(b, BED_A), "");
	send_kp(b, n, 2, 2);
	assert_string_equal(bed_ack(b, BED_M), "");
	bed_wait(b, 2000);
}
