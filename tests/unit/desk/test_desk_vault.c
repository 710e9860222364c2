/* test_desk_vault.c - the vault as its partners see it: packages in, packages out, and nothing to whom it is not due.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vault_bed.h"

#define IMSI_B "262011000000001"
#define IMSI_C "262031000000001"

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct vb));
	assert_non_null(*state);
	vb_make(*state);
	return 0;
}

static int teardown(void **state)
{
	vb_free(*state);
	return 0;
}

/* Cards whose first pairs are A's. */
static void cards(struct vb *v, unsigned n, unsigned pairs, const char *file)
{
	vb_gen(v, n, pairs, file);
	assert_int_equal(vb_verb(v, (struct desk_request){ .verb = DESK_ISSUE, .partner = "tele-a" }), 0);
}

/* K, OPc, KIc, KID, KIK of an index, as they stand in the card maker's file. */
static void made(struct vb *v, const char *path, unsigned card, unsigned index, char out[200])
{
	char line[400], head[60], iccid[ICCID_DIGITS_MAX + 1];
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	vb_iccid(iccid, card);
	snprintf(head, sizeof(head), "%s,%u,", iccid, index);
	out[0] = 0;
	while (fgets(line, sizeof(line), f)) {
		char *at = line + strlen(head);

		if (strncmp(line, head, strlen(head)))
			continue;
		at += strcspn(at, ",") + 1; /* KVN */
		snprintf(out, 200, "%.*s", 5 * 32 + 4, at);
	}
	fclose(f);
	assert_int_equal(strlen(out), 5 * 32 + 4);
}

/* What a block holds, the same way: K and OPc as for an HLR, the keyset sealed as if these keys had been imported. */
static void same_keys(struct vb *v, unsigned who, unsigned card, const struct ks_block *b, unsigned kvn,
		      const char *text)
{
	const struct ks_keyset_spec spec = {
		.kvn = (uint8_t)kvn, .kic_alg = OTA_ALG_AES_CBC, .kid_alg = OTA_ALG_AES_CBC, .cc_len = 8
	};
	char iccid[ICCID_DIGITS_MAX + 1], hlr[KS_HLR_TEXT_MAX], want[KS_HLR_TEXT_MAX], key[3][33], err[200];
	uint8_t sealed[KS_SEALED_MAX];
	int n;

	vb_iccid(iccid, card);
	assert_true(b->has_sub);
	assert_int_equal(b->sets, 1);
	assert_int_equal(b->set[0].kvn, kvn);
	assert_true(ks_emit_to_hlr(v->p[who].ks, iccid, b->sub, sizeof(b->sub), hlr) > 0);
	n = snprintf(want, sizeof(want), "milenage,%.32s,opc,%.32s", text, text + 33);
	for (int i = 9; i < n; i++)
		if (want[i] >= 'A' && want[i] <= 'F')
			want[i] = (char)(want[i] - 'A' + 'a');
	assert_string_equal(hlr, want);
	for (unsigned i = 0; i < 3; i++)
		snprintf(key[i], sizeof(key[i]), "%.32s", text + 33 * (2 + i));
	n = ks_keyset_import(v->p[who].ks, iccid, &spec, key[0], key[1], key[2], sealed, err, sizeof(err));
	assert_int_equal(n, b->set[0].len);
	assert_memory_equal(sealed, b->set[0].sealed, n);
}

/* ---- from new cards to the next operator but one ---- */

static void test_through(void **state)
{
	struct vb *v = *state;
	const struct vb_row row = { 0, IMSI_B, 1, 2, 2 };
	char file[200], text[200];
	struct vb_plan *plan;
	struct vb_got *g;
	struct vault_card c;
	struct stat sb;

	snprintf(file, sizeof(file), "%s", vb_path(v, "cards.csv"));
	vb_gen(v, 3, 4, file);
	assert_int_equal(stat(file, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0600);

	/* first pairs to the issuer, once */
	assert_int_equal(vb_verb(v, (struct desk_request){ .verb = DESK_ISSUE, .partner = "tele-a" }), 0);
	g = &v->got[A][XCHG_MF];
	assert_int_equal(g->n, 3);
	assert_string_equal(vb_value(g, 1, "iccid"), "8988211000000000001");
	assert_string_equal(vb_value(g, 1, "imsi"), "001010000000001");
	assert_string_equal(vb_value(g, 1, "msisdn"), "491700000001");
	assert_string_equal(vb_value(g, 1, "index"), "1");
	assert_string_equal(vb_value(g, 1, "left"), "3");
	made(v, file, 1, 1, text);
	same_keys(v, A, 1, &g->block[1], 1, text);
	assert_int_equal(vb_ledger(v), 3);
	assert_int_equal(vb_verb(v, (struct desk_request){ .verb = DESK_ISSUE, .partner = "tele-b" }), -ENOENT);

	assert_true(vb_so(v, "SO-1", A, B, 0, 2, VB_UNTIL));
	assert_true(vb_aq(v, "SO-1", A, 0, 1));
	g = &v->got[A][XCHG_AL];
	assert_int_equal(g->n, 1);
	assert_string_equal(vb_value(g, 0, "to"), "2");
	assert_string_equal(vb_value(g, 0, "left"), "2");
	assert_string_equal(vb_value(g, 0, "jump"), "");
	assert_true(g->head.answers);

	plan = vb_plan(v, "SO-1", A, B, &row, 1);
	assert_true(vb_kr(v, "SO-1", B, plan, &row, 1));
	g = &v->got[B][XCHG_KP];
	assert_int_equal(g->n, 1);
	assert_string_equal(vb_value(g, 0, "index"), "2");
	assert_string_equal(vb_value(g, 0, "kvn"), "2");
	made(v, file, 0, 2, text);
	same_keys(v, B, 0, &g->block[0], 2, text);
	assert_int_equal(vb_ledger(v), 4);

	/* asked again: the same keys, no second line; asked for an index again: the same one */
	assert_true(vb_kr(v, "SO-1", B, plan, &row, 1));
	assert_int_equal(g->packages, 2);
	same_keys(v, B, 0, &g->block[0], 2, text);
	assert_int_equal(vb_ledger(v), 4);
	assert_true(vb_aq(v, "SO-1", A, 0, 1));
	assert_string_equal(vb_value(&v->got[A][XCHG_AL], 0, "to"), "2");

	assert_true(vb_cf(v, "SO-1", B, 0, IMSI_B, 2));
	vb_card(v, 0, &c, NULL);
	assert_int_equal(c.active, 2);
	assert_int_equal(vb_step(v, "SO-1", 0), M_CLOSED);

	/* B is the old operator now */
	assert_true(vb_so(v, "SO-2", B, C, 0, 1, VB_UNTIL));
	assert_true(vb_aq(v, "SO-2", B, 0, 2));
	assert_string_equal(vb_value(&v->got[B][XCHG_AL], 0, "to"), "3");
	assert_int_equal(vb_verb(v, (struct desk_request){ .verb = DESK_LEDGER }), 0);
	assert_string_equal(v->verb_text, "4 lines, each follows the one before");
	vb_plan_free(plan);
}

/* ---- refused, by which rule, and nothing has changed ---- */

#define REFUSED_CARDS 2

static void nothing(struct vb *v, const char *rule, uint64_t version)
{
	struct vault_card c;
	uint64_t now;
	char key[BOOK_KEY_MAX];
	struct store_book row;

	assert_string_equal(v->ack_result, "rejected");
	assert_string_equal(v->ack_rule, rule);
	vb_card(v, 0, &c, &now);
	assert_true(now == version);
	assert_int_equal(v->got[B][XCHG_KP].packages + v->got[C][XCHG_KP].packages, 0);
	assert_int_equal(vb_ledger(v), REFUSED_CARDS); /* their first pairs */
	/* and it stands in the books who asked, and why not */
	for (unsigned i = S; i < M; i++) {
		struct parcel p;

		parcel_key(key, v->p[i].name, v->p[i].seq);
		if (!v->p[i].seq || !vb_row_get(v, BOOK_IN, key, &row) || row.row.step != PARCEL_REFUSED)
			continue;
		assert_int_equal(parcel_unpack(&p, row.body, row.row.len), 0);
		if (!strcmp(p.rule, rule)) {
			assert_true(strlen(p.why) > 20);
			return;
		}
	}
	fail_msg("%s is not in the books", rule);
}

static void test_refused(void **state)
{
	struct vb *v = *state;
	const struct vb_row row = { 0, IMSI_B, 1, 2, 2 }, far = { 0, IMSI_B, 1, 4, 2 }, other = { 1, IMSI_B, 1, 2, 2 },
			    foreign = { 9, IMSI_B, 1, 2, 2 };
	static char line[1][PKG_RECORD_MAX];
	struct vb_package p = { .type = XCHG_KR,
				.from = B,
				.order = "SO-1",
				.n = 1,
				.line = (const char(*)[PKG_RECORD_MAX])line,
				.attached = 2 };
	struct vb_plan *plan, *wide, *wrong, *cs, *late;
	char leaf[] = "00";
	uint64_t version;
	struct vault_card c;

	cards(v, REFUSED_CARDS, 5, vb_path(v, "cards.csv"));
	assert_true(vb_so(v, "SO-1", A, B, 0, 2, VB_UNTIL));
	plan = vb_plan(v, "SO-1", A, B, &row, 1);
	vb_card(v, 0, &c, &version);

	/* before A has asked for the index */
	assert_false(vb_kr(v, "SO-1", B, plan, &row, 1));
	nothing(v, "index", version);
	/* not A; not the index that is active; not a card of the vault */
	assert_false(vb_aq(v, "SO-1", B, 0, 1));
	nothing(v, "role", version);
	assert_false(vb_aq(v, "SO-1", A, 0, 3));
	nothing(v, "index", version);
	assert_false(vb_aq(v, "SO-1", A, 7, 1));
	nothing(v, "not-in-order", version);

	assert_true(vb_aq(v, "SO-1", A, 0, 1));
	vb_card(v, 0, &c, &version);

	/* two further than allocated, though A has signed it */
	wide = vb_plan(v, "SO-1", A, B, &far, 1);
	assert_false(vb_kr(v, "SO-1", B, wide, &far, 1));
	nothing(v, "index", version);
	/* another operator, with B's papers, and with papers of its own */
	assert_false(vb_kr(v, "SO-1", C, plan, &row, 1));
	nothing(v, "role", version);
	cs = vb_plan(v, "SO-1", A, C, &row, 1);
	assert_false(vb_kr(v, "SO-1", C, cs, &row, 1));
	nothing(v, "role", version);
	p.attach[0] = (struct ota_span){ cs->so, cs->so_len };
	p.attach[1] = (struct ota_span){ cs->pl, cs->pl_len };
	vb_kr_line(line[0], cs, 0, 0, IMSI_B, 2);
	assert_false(vb_send(v, &p)); /* B with a plan that was made for C */
	nothing(v, "no-order", version);
	p.attach[0] = (struct ota_span){ plan->so, plan->so_len };
	assert_false(vb_send(v, &p));
	nothing(v, "no-plan", version);
	/* without papers */
	p.attach[1] = (struct ota_span){ plan->pl, plan->pl_len };
	p.attached = 1;
	vb_kr_line(line[0], plan, 0, 0, IMSI_B, 2);
	assert_false(vb_send(v, &p));
	nothing(v, "no-plan", version);
	p.attach[0] = p.attach[1];
	assert_false(vb_send(v, &p));
	nothing(v, "no-order", version);
	p.attached = 0;
	assert_false(vb_send(v, &p));
	nothing(v, "no-order", version);
	/* a plan that B has signed itself */
	wrong = vb_plan(v, "SO-1", B, B, &row, 1);
	assert_false(vb_kr(v, "SO-1", B, wrong, &row, 1));
	nothing(v, "no-plan", version);
	/* a record that is none of the plan's: an octet of it, another index beside it, another card's */
	p.attached = 2;
	p.attach[0] = (struct ota_span){ plan->so, plan->so_len };
	p.attach[1] = (struct ota_span){ plan->pl, plan->pl_len };
	vb_kr_line(line[0], plan, 0, 0, IMSI_B, 2);
	memcpy(strstr(line[0], IMSI_B ",2,0,") + strlen(IMSI_B ",2,0,") + 2 * 20 + 4, leaf, 2);
	assert_false(vb_send(v, &p));
	nothing(v, "leaf", version);
	vb_kr_line(line[0], plan, 0, 0, IMSI_B, 3);
	assert_false(vb_send(v, &p));
	nothing(v, "leaf", version);
	vb_kr_line(line[0], plan, 0, 1, IMSI_B, 2);
	assert_false(vb_send(v, &p));
	nothing(v, "leaf", version);
	vb_kr_line(line[0], wide, 0, 0, IMSI_B, 4);
	assert_false(vb_send(v, &p));
	nothing(v, "leaf", version);
	/* a card of the order for which no index has been asked, and one that is in no order */
	vb_plan_free(wide);
	wide = vb_plan(v, "SO-1", A, B, &other, 1);
	assert_false(vb_kr(v, "SO-1", B, wide, &other, 1));
	nothing(v, "index", version);
	vb_plan_free(wrong);
	wrong = vb_plan(v, "SO-1", A, B, &foreign, 1);
	assert_false(vb_kr(v, "SO-1", B, wrong, &foreign, 1));
	nothing(v, "not-in-order", version);
	/* confirmed before anything was released */
	assert_false(vb_cf(v, "SO-1", B, 0, IMSI_B, 2));
	nothing(v, "index", version);
	assert_false(vb_cf(v, "SO-1", C, 0, IMSI_B, 2));
	nothing(v, "role", version);
	/* when the time of the order is over */
	assert_true(vb_so(v, "SO-9", A, B, 1, 1, v->now_ms / 1000 + 3600));
	assert_true(vb_aq(v, "SO-9", A, 1, 1));
	v->now_ms += 3700 * 1000;
	late = vb_plan(v, "SO-9", A, B, &other, 1);
	assert_false(vb_kr(v, "SO-9", B, late, &other, 1));
	nothing(v, "order-expired", version);
	assert_false(vb_aq(v, "SO-9", A, 1, 1));
	nothing(v, "order-expired", version);

	/* after all that, who may has them */
	assert_true(vb_kr(v, "SO-1", B, plan, &row, 1));
	assert_int_equal(v->got[B][XCHG_KP].packages, 1);
	assert_int_equal(vb_ledger(v), REFUSED_CARDS + 1);
	vb_plan_free(plan);
	vb_plan_free(wide);
	vb_plan_free(wrong);
	vb_plan_free(cs);
	vb_plan_free(late);
}

/* H5: cancelled after the keys went out; another operator gets the next index, with the vault's MAC. */
static void test_cancelled(void **state)
{
	struct vb *v = *state;
	const struct vb_row b = { 0, IMSI_B, 1, 2, 2 }, cs = { 0, IMSI_C, 1, 3, 2 };
	struct vb_plan *plan_b, *plan_c, *stale;
	struct vault_card c;
	struct vault_sets sets;
	struct store_book row;
	uint8_t mac[OTA_SUB_MAC_LEN];
	char iccid[ICCID_DIGITS_MAX + 1], key[BOOK_KEY_MAX], hex[2 * OTA_SUB_MAC_LEN + 1] = "";
	uint64_t version;

	cards(v, 1, 3, vb_path(v, "cards.csv"));
	assert_true(vb_so(v, "SO-1", A, B, 0, 1, VB_UNTIL));
	assert_true(vb_aq(v, "SO-1", A, 0, 1));
	plan_b = vb_plan(v, "SO-1", A, B, &b, 1);
	assert_true(vb_kr(v, "SO-1", B, plan_b, &b, 1));
	assert_true(vb_so(v, "SO-2", A, C, 0, 1, VB_UNTIL));
	assert_true(vb_aq(v, "SO-2", A, 0, 1));
	assert_string_equal(vb_value(&v->got[A][XCHG_AL], 0, "to"), "3");
	assert_string_equal(vb_value(&v->got[A][XCHG_AL], 0, "left"), "0");

	vb_iccid(iccid, 0);
	pair_key(key, iccid, VAULT_SETS);
	assert_true(vb_row_get(v, BOOK_PAIR, key, &row));
	assert_int_equal(vault_sets_unpack(&sets, row.body, row.row.len), 0);
	assert_int_equal(vault_jump_mac(v->p[M].ks, iccid, &sets, 1, 3, desk_number("shop", "SO-2"), mac), 0);
	for (unsigned i = 0; i < sizeof(mac); i++)
		sprintf(hex + 2 * i, "%02x", mac[i]);
	assert_string_equal(vb_value(&v->got[A][XCHG_AL], 0, "jump"), hex);
	assert_string_equal(vb_value(&v->got[A][XCHG_AL], 0, "from"), "1");
	/* low water is the order's alarm */
	assert_non_null(strstr(desk_order_by_name(v->desk, "SO-2")->alarm, "pairs left"));

	/* C with a plan for B's index */
	stale = vb_plan(v, "SO-2", A, C, &(struct vb_row){ 0, IMSI_C, 1, 2, 2 }, 1);
	assert_false(vb_kr(v, "SO-2", C, stale, &(struct vb_row){ 0, IMSI_C, 1, 2, 2 }, 1));
	assert_string_equal(v->ack_rule, "released");
	plan_c = vb_plan(v, "SO-2", A, C, &cs, 1);
	assert_true(vb_kr(v, "SO-2", C, plan_c, &cs, 1));
	assert_int_equal(v->got[C][XCHG_KP].packages, 1);
	assert_true(vb_cf(v, "SO-2", C, 0, IMSI_C, 3));
	vb_card(v, 0, &c, &version);
	assert_int_equal(c.slot[1].state, PAIR_BURNT);
	assert_false(vb_kr(v, "SO-1", B, plan_b, &b, 1)); /* burnt is burnt */
	assert_string_equal(v->ack_rule, "index");

	/* nothing is left */
	assert_true(vb_so(v, "SO-3", C, B, 0, 1, VB_UNTIL));
	assert_true(vb_aq(v, "SO-3", C, 0, 3));
	assert_string_equal(vb_value(&v->got[C][XCHG_AL], 0, "to"), "0");
	assert_string_equal(vb_value(&v->got[C][XCHG_AL], 0, "left"), "0");
	assert_non_null(strstr(desk_order_by_name(v->desk, "SO-3")->alarm, "no pair left"));
	vb_plan_free(plan_b);
	vb_plan_free(plan_c);
	vb_plan_free(stale);
}

/* Nobody tells the vault how an order ends: a good while after its time it does by itself. */
static void test_ends(void **state)
{
	struct vb *v = *state;
	const struct vb_row row = { 0, IMSI_B, 1, 2, 2 };
	struct vb_plan *plan;

	cards(v, 3, 2, vb_path(v, "cards.csv"));
	assert_true(vb_so(v, "SO-1", A, B, 0, 3, v->now_ms / 1000 + 86400));
	assert_true(vb_aq(v, "SO-1", A, 0, 1));
	assert_true(vb_aq(v, "SO-1", A, 1, 1));
	plan = vb_plan(v, "SO-1", A, B, &row, 1);
	assert_true(vb_kr(v, "SO-1", B, plan, &row, 1));
	v->now_ms += 30 * 86400000ll;
	vb_run(v, 1000);
	assert_non_null(desk_order_by_name(v->desk, "SO-1"));
	v->now_ms += 2 * 86400000ll;
	vb_run(v, 10000);
	assert_null(desk_order_by_name(v->desk, "SO-1"));
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(vb_step(v, "SO-1", i), M_CLOSED);
	vb_plan_free(plan);
}

/* ---- whatever fails on the way ---- */

/* The power goes with each commit in turn, which has happened or not: in the end one line in the ledger, and the same keys. */
static void test_crashes(void **state)
{
	const struct vb_row row = { 0, IMSI_B, 1, 2, 2 };
	bool more = true;

	(void)state;
	for (unsigned at = 1; more; at++) {
		struct vb *v = calloc(1, sizeof(*v));
		char file[200], text[200];
		struct vb_plan *plan;
		struct vb_got *g;

		vb_make(v);
		snprintf(file, sizeof(file), "%s", vb_path(v, "cards.csv"));
		cards(v, 1, 3, file);
		assert_true(vb_so(v, "SO-1", A, B, 0, 1, VB_UNTIL));
		v->commits = 0;
		v->crash_keeps = at % 2;
		v->crash_at = (at + 1) / 2;
		vb_aq(v, "SO-1", A, 0, 1);
		vb_run(v, 700000);
		plan = vb_plan(v, "SO-1", A, B, &row, 1);
		vb_kr(v, "SO-1", B, plan, &row, 1);
		vb_run(v, 700000); /* carried again */
		more = v->crash_at == 0;
		g = &v->got[B][XCHG_KP];
		assert_true(g->packages >= 1);
		made(v, file, 0, 2, text);
		same_keys(v, B, 0, &g->block[0], 2, text);
		assert_int_equal(vb_ledger(v), 2);
		assert_int_equal(vb_step(v, "SO-1", 0), M_KEYED);
		vb_plan_free(plan);
		vb_free(v);
	}
}

static int gen(struct vb *v, const char *list, unsigned pairs, const char *out);
static void list_write(struct vb *v, char path[200], const char *text);

/* A backup is put back that knows nothing of what B has got: nobody else gets it, nobody gets anything. */
static void test_backup(void **state)
{
	struct vb *v = *state;
	const struct vb_row b = { 0, IMSI_B, 1, 2, 2 }, c = { 0, IMSI_C, 1, 2, 2 };
	struct vb_plan *plan_b, *plan_c;
	struct store_mem_disk *backup;
	char list[200];

	cards(v, 2, 3, vb_path(v, "cards.csv"));
	assert_true(vb_so(v, "SO-1", A, B, 0, 1, VB_UNTIL));
	assert_true(vb_so(v, "SO-2", A, C, 0, 1, VB_UNTIL));
	assert_true(vb_aq(v, "SO-1", A, 0, 1));
	plan_b = vb_plan(v, "SO-1", A, B, &b, 1);
	list_write(v, list, "8988211000000000077,001010000000077\n");
	assert_int_equal(gen(v, list, 2, vb_path(v, "more.csv")), 0);
	backup = store_mem_disk_copy(v->disk);
	assert_true(vb_kr(v, "SO-1", B, plan_b, &b, 1));
	assert_int_equal(v->got[B][XCHG_KP].packages, 1);
	vb_down(v);
	vb_up(v); /* its own books: all is well */
	vb_run(v, 1000);
	assert_true(vb_kr(v, "SO-1", B, plan_b, &b, 1));
	assert_int_equal(v->got[B][XCHG_KP].packages, 2);

	vb_down(v);
	store_mem_disk_free(v->disk);
	v->disk = backup;
	vb_up(v);
	vb_run(v, 1000);
	v->p[A].seq = 1; /* as M knows it now */
	v->p[B].seq = 0;
	assert_true(vb_aq(v, "SO-2", A, 0, 1));
	assert_string_equal(vb_value(&v->got[A][XCHG_AL], 0, "to"), "2"); /* B's, if it only knew */
	plan_c = vb_plan(v, "SO-2", A, C, &c, 1);
	vb_kr(v, "SO-2", C, plan_c, &c, 1);
	vb_run(v, 100000);
	assert_int_equal(v->got[C][XCHG_KP].packages, 0);
	assert_int_equal(vb_step(v, "SO-2", 0), M_WANTED);
	assert_int_equal(vb_verb(v, (struct desk_request){ .verb = DESK_ISSUE, .partner = "tele-a" }), -ESTALE);
	assert_int_equal(v->got[A][XCHG_MF].packages, 1);
	vb_plan_free(plan_b);
	vb_plan_free(plan_c);
}

/* S, C and B agree that a card of A's goes from C to B; and a card that was issued to nobody. */
static void test_foreign(void **state)
{
	struct vb *v = *state;
	const struct vb_row row = { 0, IMSI_B, 1, 2, 2 };
	struct vb_plan *plan;
	struct vault_card c;

	vb_gen(v, 1, 4, vb_path(v, "cards.csv"));
	assert_true(vb_so(v, "SO-0", A, B, 0, 1, VB_UNTIL));
	assert_false(vb_aq(v, "SO-0", A, 0, 1));
	assert_string_equal(v->ack_rule, "holder");
	assert_int_equal(vb_verb(v, (struct desk_request){ .verb = DESK_ISSUE, .partner = "tele-a" }), 0);
	assert_true(vb_so(v, "SO-1", C, B, 0, 1, VB_UNTIL));
	assert_false(vb_aq(v, "SO-1", C, 0, 1));
	assert_string_equal(v->ack_rule, "holder");
	plan = vb_plan(v, "SO-1", C, B, &row, 1);
	assert_false(vb_kr(v, "SO-1", B, plan, &row, 1));
	assert_int_equal(v->got[B][XCHG_KP].packages, 0);
	assert_false(vb_cf(v, "SO-1", B, 0, IMSI_B, 2));
	vb_card(v, 0, &c, NULL);
	assert_int_equal(c.active, 1);
	assert_true(vb_aq(v, "SO-0", A, 0, 1)); /* whose it is */
	vb_plan_free(plan);
}

/* How far the ledger has come cannot be noted: no keys leave, an alarm says so; when it can, they do. */
static void test_unmarked(void **state)
{
	struct vb *v = *state;
	const struct vb_row row = { 0, IMSI_B, 1, 2, 2 };
	struct vb_plan *plan;
	struct desk_stats stats;
	char part[200];

	cards(v, 1, 3, vb_path(v, "cards.csv"));
	assert_true(vb_so(v, "SO-1", A, B, 0, 1, VB_UNTIL));
	assert_true(vb_aq(v, "SO-1", A, 0, 1));
	plan = vb_plan(v, "SO-1", A, B, &row, 1);
	snprintf(part, sizeof(part), "%.180s/ledger-mark.part", v->m_dir);
	assert_int_equal(mkdir(part, 0700), 0);
	assert_true(vb_kr(v, "SO-1", B, plan, &row, 1));
	vb_run(v, 10000);
	assert_int_equal(v->got[B][XCHG_KP].packages, 0);
	assert_int_equal(vb_step(v, "SO-1", 0), M_RELEASED);
	desk_stats(v->desk, &stats);
	assert_non_null(stats.alarm);
	assert_non_null(strstr(stats.alarm, "no keys leave"));
	vb_down(v); /* nor after a restart */
	vb_up(v);
	vb_run(v, 10000);
	assert_int_equal(v->got[B][XCHG_KP].packages, 0);
	assert_int_equal(rmdir(part), 0);
	vb_run(v, 700000);
	assert_int_equal(v->got[B][XCHG_KP].packages, 1);
	desk_stats(v->desk, &stats);
	assert_null(stats.alarm);
	vb_plan_free(plan);
}

/* Many cards in one request, and many lines in one batch. */
static void test_many(void **state)
{
	struct vb *v = *state;
	static char line[VB_LINES][PKG_RECORD_MAX];
	static struct vb_row row[VB_LINES];
	struct vb_package p = {
		.type = XCHG_AQ, .from = A, .order = "SO-1", .n = VB_LINES, .line = (const char(*)[PKG_RECORD_MAX])line
	};
	struct vb_plan *plan;

	cards(v, VB_LINES, 2, vb_path(v, "cards.csv"));
	assert_true(vb_so(v, "SO-1", A, B, 0, VB_LINES, VB_UNTIL));
	for (unsigned i = 0; i < VB_LINES; i++) {
		char iccid[ICCID_DIGITS_MAX + 1];

		vb_iccid(iccid, i);
		snprintf(line[i], PKG_RECORD_MAX, "%s,1", iccid);
		row[i] = (struct vb_row){ i, IMSI_B, 1, 2, 2 };
	}
	assert_true(vb_send(v, &p));
	assert_int_equal(v->got[A][XCHG_AL].n, VB_LINES);
	plan = vb_plan(v, "SO-1", A, B, row, VB_LINES);
	assert_true(vb_kr(v, "SO-1", B, plan, row, VB_LINES));
	assert_int_equal(v->got[B][XCHG_KP].n, VB_LINES);
	assert_int_equal(vb_ledger(v), 2 * VB_LINES);
	vb_plan_free(plan);
}

/* ---- pairs ---- */

static char *text_of(const char *path)
{
	static char text[65536];
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	fclose(f);
	return strdup(text);
}

static int gen(struct vb *v, const char *list, unsigned pairs, const char *out)
{
	struct desk_request r = { .verb = DESK_GEN, .pairs = (uint16_t)pairs, .file = list };

	snprintf(r.out, sizeof(r.out), "%s", out);
	return vb_verb(v, r);
}

static void list_write(struct vb *v, char path[200], const char *text)
{
	FILE *f;

	snprintf(path, 200, "%s", vb_path(v, "a-list.csv"));
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_gen(void **state)
{
	static const char begin[] = "ICCID,INDEX,KVN,K,OPC,KIC,KID,KIK,IMSI,MSISDN\n8988211000000000000,1,1,";
	struct vb *v = *state;
	char file[200], again[200], list[200], *one, *two;

	snprintf(file, sizeof(file), "%s", vb_path(v, "cards.csv"));
	snprintf(again, sizeof(again), "%s", vb_path(v, "again.csv"));
	vb_gen(v, 3, 2, file);
	one = text_of(file);
	assert_memory_equal(one, begin, strlen(begin));
	/* two pairs and two keysets of each */
	for (two = one; (two = strchr(two, '\n')); two++)
		assert_true(two[1] == 0 || !strncmp(two + 1, "8988211", 7));
	/* once more: the same, as long as nobody has them */
	vb_gen(v, 3, 2, again);
	two = text_of(again);
	assert_string_equal(one, two);
	assert_non_null(strstr(v->verb_text, "0 cards made, 3 were here already"));
	free(one);
	free(two);
	assert_int_equal(gen(v, vb_path(v, "list.csv"), 2, file), -EEXIST); /* never over a file */
	assert_int_equal(gen(v, vb_path(v, "list.csv"), 2, ""), -EINVAL);
	assert_int_equal(gen(v, vb_path(v, "list.csv"), 0, again), -EINVAL);
	unlink(again);
	list_write(v, list, "8988211000000000077,001010000000077\n8988211000000000077,001010000000078\n");
	assert_int_equal(gen(v, list, 2, again), -EINVAL);
	assert_non_null(strstr(v->verb_text, "twice"));
	list_write(v, list, "8988211000000000077,00101x\n");
	assert_int_equal(gen(v, list, 2, again), -EINVAL);
	assert_non_null(strstr(v->verb_text, "line 1"));
	assert_int_not_equal(access(again, F_OK), 0);
	snprintf(list, sizeof(list), "%.190s.part", again);
	assert_int_not_equal(access(list, F_OK), 0); /* nothing half done stays */
	/* without numbers none is issued; a list that has them may come later */
	list_write(v, list, "8988211000000000077\n");
	assert_int_equal(gen(v, list, 2, again), 0);
	unlink(again);
	assert_int_equal(vb_verb(v, (struct desk_request){ .verb = DESK_ISSUE, .partner = "tele-a" }), -EINVAL);
	assert_non_null(strstr(v->verb_text, "8988211000000000077"));
	list_write(v, list, "8988211000000000077,001010000000077\n");
	assert_int_equal(gen(v, list, 3, again), -EEXIST);
	assert_int_equal(gen(v, list, 2, again), 0);
	two = text_of(again);
	assert_non_null(strstr(two, ",001010000000077,"));
	free(two);
	unlink(again);
	/* issued: its keys are never written again */
	assert_int_equal(vb_verb(v, (struct desk_request){ .verb = DESK_ISSUE, .partner = "tele-a" }), 0);
	assert_int_equal(gen(v, vb_path(v, "list.csv"), 2, again), -EEXIST);
	assert_non_null(strstr(v->verb_text, "issued"));
	assert_int_equal(vb_verb(v, (struct desk_request){ .verb = DESK_ISSUE, .partner = "nobody" }), -ENOENT);
}

/* One vault's file into another vault: the same pairs. */
static void test_import(void **state)
{
	struct vb *v = *state, *w = calloc(1, sizeof(*w));
	char file[200], again[200], list[200], *one, *two;

	snprintf(file, sizeof(file), "%s", vb_path(v, "cards.csv"));
	vb_gen(v, 40, 3, file); /* more than a round takes */
	vb_make(w);
	assert_int_equal(vb_verb(w, (struct desk_request){ .verb = DESK_IMPORT_PAIRS, .file = file }), 0);
	assert_string_equal(w->verb_text, "40 cards taken, 0 were here already");
	assert_int_equal(vb_verb(w, (struct desk_request){ .verb = DESK_IMPORT_PAIRS, .file = file }), 0);
	assert_string_equal(w->verb_text, "0 cards taken, 40 were here already");
	snprintf(again, sizeof(again), "%s", vb_path(w, "again.csv"));
	vb_gen(w, 40, 3, again);
	one = text_of(file);
	two = text_of(again);
	assert_string_equal(one, two);
	free(one);
	free(two);
	assert_int_equal(vb_verb(w, (struct desk_request){ .verb = DESK_ISSUE, .partner = "tele-a" }), 0);
	assert_int_equal(vb_ledger(w), 40);

	list_write(w, list, "ICCID,INDEX,KVN,K,OPC,KIC,KID\n");
	assert_int_equal(vb_verb(w, (struct desk_request){ .verb = DESK_IMPORT_PAIRS, .file = list }), -EINVAL);
	assert_non_null(strstr(w->verb_text, "line 1"));
	list_write(
		w, list,
		"ICCID,INDEX,KVN,K,OPC,KIC,KID,KIK\n8988211000000000077,2,,465b5ce8b199b49faa5f0a2ee238a6bc,,"
		"2b7e151628aed2a6abf7158809cf4f3c,2b7e151628aed2a6abf7158809cf4f3c,2b7e151628aed2a6abf7158809cf4f3c\n");
	assert_int_equal(vb_verb(w, (struct desk_request){ .verb = DESK_IMPORT_PAIRS, .file = list }), -EINVAL);
	assert_non_null(strstr(w->verb_text, "8988211000000000077: its indexes are 1 to n"));
	list_write(
		w, list,
		"ICCID,INDEX,KVN,K,OPC,KIC,KID,KIK\n8988211000000000077,1,,465b,,"
		"2b7e151628aed2a6abf7158809cf4f3c,2b7e151628aed2a6abf7158809cf4f3c,2b7e151628aed2a6abf7158809cf4f3c\n");
	assert_int_equal(vb_verb(w, (struct desk_request){ .verb = DESK_IMPORT_PAIRS, .file = list }), -EINVAL);
	assert_non_null(strstr(w->verb_text, "line 2"));
	vb_free(w);
}

/* A line that was changed, one that is gone, the last one gone. */
static void test_ledger(void **state)
{
	struct vb *v = *state;
	struct store_batch *b = store_batch_new();
	struct store_book row;
	char key[BOOK_KEY_MAX];

	vb_gen(v, 5, 1, vb_path(v, "cards.csv"));
	assert_int_equal(vb_verb(v, (struct desk_request){ .verb = DESK_LEDGER }), 0);
	assert_int_equal(vb_verb(v, (struct desk_request){ .verb = DESK_ISSUE, .partner = "tele-a" }), 0);
	assert_int_equal(vb_verb(v, (struct desk_request){ .verb = DESK_LEDGER }), 0);
	assert_string_equal(v->verb_text, "5 lines, each follows the one before");
	for (unsigned what = 0; what < 3; what++) {
		ledger_key(key, what == 2 ? 5 : 3);
		assert_true(vb_row_get(v, BOOK_LEDGER, key, &row));
		row.row.version = BOOK_ANY;
		row.body[30] ^= what == 0;
		store_batch_reset(b);
		assert_non_null(store_batch_add(b, what ? ST_BOOK_DROP : ST_BOOK_PUT, &row.row, row.body, row.row.len));
		assert_int_equal(store_commit_wait(v->store, b), 0);
		assert_int_equal(vb_verb(v, (struct desk_request){ .verb = DESK_LEDGER }), -EBADMSG);
		row.body[30] ^= what == 0;
		row.row.version = BOOK_ANY;
		store_batch_reset(b);
		assert_non_null(store_batch_add(b, ST_BOOK_PUT, &row.row, row.body, row.row.len));
		assert_int_equal(store_commit_wait(v->store, b), 0);
		assert_int_equal(vb_verb(v, (struct desk_request){ .verb = DESK_LEDGER }), 0);
	}
	store_batch_free(b);
}

/* ---- whatever is asked ---- */

static uint64_t rng;

static unsigned dice(unsigned n)
{
	rng ^= rng >> 12;
	rng ^= rng << 25;
	rng ^= rng >> 27;
	return (unsigned)((rng * 2685821657736338717ULL) >> 33) % n;
}

#define CARDS 2
#define PAIRS 4

/* An order for which an index of the card is put aside, when there is one: from `from` on. */
static unsigned order_of(const struct vault_card *c, unsigned orders, unsigned from, unsigned *index)
{
	for (unsigned i = 0; i < orders; i++) {
		unsigned o = (from + i) % orders;
		char order[20];

		snprintf(order, sizeof(order), "SO-%u", o);
		for (unsigned k = 1; k <= PAIRS; k++)
			if (c->slot[k - 1].order == desk_number("shop", order)) {
				*index = k;
				return o;
			}
	}
	return from;
}

/* Three operators ask for what is and what is not theirs, in orders of all kinds, right and wrong, now and then with a package that was
 * sent before: whose keys went to whom is read from what left the vault. */
static void test_any_order(void **state)
{
	struct vb *v = *state;
	uint64_t had[CARDS][PAIRS + 1] = { { 0, A }, { 0, A } };
	unsigned orders = 0, a_of[64], b_of[64], grants = 0, seen[PARTIES] = { 0 };
	const char *seed = getenv("SEED");

	rng = (seed ? (uint64_t)atoi(seed) : 7) * 0x9e3779b97f4a7c15ULL + 1;
	cards(v, CARDS, PAIRS, vb_path(v, "cards.csv"));
	for (unsigned i = 0; i < 150; i++) {
		unsigned card = dice(CARDS), who = A + dice(3), o = orders ? dice(orders) : 0;
		struct vault_card c;
		char order[20];

		vb_card(v, card, &c, NULL);
		snprintf(order, sizeof(order), "SO-%u", o);
		if (orders < 16 && (!orders || !dice(6))) {
			a_of[orders] = A + dice(3);
			b_of[orders] = A + (a_of[orders] - A + 1 + dice(2)) % 3;
			snprintf(order, sizeof(order), "SO-%u", orders);
			assert_true(vb_so(v, order, a_of[orders], b_of[orders], 0, CARDS, VB_UNTIL));
			orders++;
		} else if (!dice(3)) {
			vb_aq(v, order, dice(5) ? a_of[o] : who, card, dice(5) ? c.active : dice(PAIRS + 2));
		} else if (dice(3)) {
			struct vb_row row = { card, IMSI_B, c.active, 1 + dice(PAIRS), 1 + dice(2) };
			struct vb_plan *plan;

			if (dice(5)) {
				o = order_of(&c, orders, o, &row.to);
				snprintf(order, sizeof(order), "SO-%u", o);
			}
			plan = vb_plan(v, order, dice(6) ? a_of[o] : who, dice(6) ? b_of[o] : who, &row, 1);
			vb_kr(v, order, dice(5) ? b_of[o] : who, plan, &row, 1);
			vb_plan_free(plan);
			if (!dice(8)) /* the very same file */
				vb_put(v, vb_path(v, "package"));
			vb_run(v, 2000);
		} else {
			vb_cf(v, order, dice(5) ? b_of[o] : who, card, IMSI_B, 1 + dice(PAIRS));
		}
		for (unsigned p = A; p <= C; p++) {
			const struct vb_got *g = &v->got[p][XCHG_KP];
			unsigned k, index;

			if (g->packages == seen[p])
				continue;
			seen[p] = g->packages;
			k = !strcmp(vb_value(g, 0, "iccid"), "8988211000000000001");
			index = (unsigned)atoi(vb_value(g, 0, "index"));
			grants++;
			if (had[k][index] && had[k][index] != p)
				fail_msg("card %u index %u went to %s and to %s", k, index, v->p[had[k][index]].name,
					 v->p[p].name);
			if (!had[k][index]) { /* the first time: who handed over holds the card */
				vb_card(v, k, &c, NULL);
				if (had[k][c.active] != a_of[o])
					fail_msg("card %u index %u went out by an order of %s, who does not hold it", k,
						 index, v->p[a_of[o]].name);
			}
			had[k][index] = p;
		}
	}
	assert_true(grants >= 4);
	assert_true(vb_ledger(v) >= 4);
	assert_int_equal(vb_verb(v, (struct desk_request){ .verb = DESK_LEDGER }), 0);
}

/* There is room for so many orders: one more is refused, and everything goes on, also after a start. */
static void test_most_orders(void **state)
{
	struct vb *v = *state;
	char name[ORDER_NAME_MAX + 1];

	vb_gen(v, 2, 4, vb_path(v, "cards.csv"));
	assert_int_equal(vb_verb(v, (struct desk_request){ .verb = DESK_ISSUE, .partner = "tele-a" }), 0);
	for (unsigned i = 0; i < DESK_ORDERS_MAX; i++) {
		snprintf(name, sizeof(name), "SO-%u", i + 1);
		assert_true(vb_so(v, name, A, B, 0, 2, VB_UNTIL));
	}
	for (unsigned again = 0; again < 2; again++) {
		assert_false(vb_so(v, again ? "one-more" : "too-many", A, B, 0, 2, VB_UNTIL));
		assert_string_equal(v->ack_rule, "orders");
		assert_int_equal(desk_orders(v->desk), DESK_ORDERS_MAX);
		vb_down(v);
		vb_up(v);
	}
	assert_true(vb_aq(v, name, A, 0, 1));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_through),  T(test_refused),     T(test_cancelled),
		T(test_ends),	  T(test_backup),      cmocka_unit_test(test_crashes),
		T(test_many),	  T(test_gen),	       T(test_import),
		T(test_ledger),	  T(test_any_order),   T(test_foreign),
		T(test_unmarked), T(test_most_orders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
