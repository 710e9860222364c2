/* test_desk_c_found.c - changes at home are noted in files, and taken in from there when the books are an older copy of themselves.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What the card says is told by hand.  tests/sim/handover goes through all times of backup and restore, with cards.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "b_bed.h"
#include "gateway/core/work.h"
#include "gateway/desk/b_int.h"
#include "gateway/desk/c_kept.h"
#include "gateway/hlr/hlr_ctrl.h"

#define NAME  "K-7"
#define ALL   (CHANGE_OTA | CHANGE_K | CHANGE_OPC)
#define CARD0 "8988211000000000000"
#define IMSI0 "262010000000000"
#define DAY   86400000ll

static const struct desk_cfg cfg = { .roles = DESK_MNO, .cntr_margin = 50, .pool = { .plmns = "26201" } };
static const struct desk_tables tables = {
	.kinds = { NULL, desk_kinds_b },
	.works = { NULL, desk_works_b, NULL, desk_works_c },
	.verbs = { NULL, desk_verbs_b, NULL, desk_verbs_c },
	.event = { NULL, desk_event_b, NULL, desk_event_c },
};
static struct store_mem_disk *empty; /* before there was any card */

/* ---- the bed ---- */

static int fails_at, looked; /* a file's opening, or a read of one, fails once; 0: none does */

int __real_kept_open(struct desk *d, const char *file, struct kept_file *f, char err[DESK_ERR_MAX]);
int __wrap_kept_open(struct desk *d, const char *file, struct kept_file *f, char err[DESK_ERR_MAX]);
int __real_kept_read(struct kept_file *f, struct kept *k, uint64_t *offset);
int __wrap_kept_read(struct kept_file *f, struct kept *k, uint64_t *offset);

int __wrap_kept_open(struct desk *d, const char *file, struct kept_file *f, char err[DESK_ERR_MAX])
{
	if (++looked != fails_at)
		return __real_kept_open(d, file, f, err);
	*f = (struct kept_file){ .fd = -1 };
	snprintf(err, DESK_ERR_MAX, "%s: by this test", file);
	return -1;
}

int __wrap_kept_read(struct kept_file *f, struct kept *k, uint64_t *offset)
{
	return ++looked == fails_at ? -EIO : __real_kept_read(f, k, offset);
}

static void card_put(struct bed *b)
{
	const struct ks_keyset_spec spec = {
		.kvn = 1, .kic_alg = OTA_ALG_AES_CBC, .kid_alg = OTA_ALG_AES_CBC, .cc_len = 8
	};
	struct store_card_insert in = { .n_keysets = 1,
					.keyset = { { .kvn = 1,
						      .kic_alg = OTA_ALG_AES_CBC,
						      .kid_alg = OTA_ALG_AES_CBC,
						      .cc_len = 8,
						      .generation = 1,
						      .cntr = 100 } } };
	struct store_batch *batch = store_batch_new();
	char key[3][40], err[160];
	int n;

	for (int i = 0; i < 3; i++)
		snprintf(key[i], sizeof(key[i]), "00112233445566778899aabbccddee%02x", i);
	strcpy(in.card.iccid, CARD0);
	strcpy(in.card.imsi, IMSI0);
	strcpy(in.card.profile, "m2m-sub");
	in.card.created_ms = b->now_ms;
	n = ks_keyset_import(b->party[b->self].ks, CARD0, &spec, key[0], key[1], key[2], in.keyset[0].sealed, err,
			     sizeof(err));
	assert_true(n > 0);
	in.keyset[0].sealed_len = (uint16_t)n;
	store_batch_add(batch, ST_CARD_INSERT, &in, NULL, 0);
	assert_int_equal(store_commit_wait(b->store, batch), STORE_OK);
	assert_int_equal(batch->ops[0].rc, 0);
	store_batch_free(batch);
}

static void sub_put(struct bed *b)
{
	const struct ks_sub_spec spec = { .index = 1, .aka = KS_AKA_MILENAGE, .sqn = 1 };
	char key[] = "0123456789abcdef0123456789abcdef", opc[] = "fedcba9876543210fedcba9876543210", err[160];
	struct book_row row = { .book = BOOK_SUB, .version = BOOK_ANY, .len = KS_SUB_LEN, .key = CARD0 "/00001" };
	struct store_batch *batch = store_batch_new();
	char text[200], reply[SIM_HLR_REPLY_MAX], keys[KS_HLR_TEXT_MAX];
	uint8_t sub[KS_SUB_LEN];

	assert_int_equal(ks_sub_import(b->party[b->self].ks, CARD0, &spec, key, opc, sub, err, sizeof(err)),
			 KS_SUB_LEN);
	store_batch_add(batch, ST_BOOK_PUT, &row, sub, sizeof(sub));
	assert_int_equal(store_commit_wait(b->store, batch), STORE_OK);
	store_batch_free(batch);
	assert_true(ks_emit_to_hlr(b->party[b->self].ks, CARD0, sub, sizeof(sub), keys) > 0);
	sim_hlr_ctrl(b->sim, "SET 1 subscriber.create " IMSI0, reply);
	snprintf(text, sizeof(text), "SET 1 subscriber.by-imsi-" IMSI0 ".aud3g %s", keys);
	sim_hlr_ctrl(b->sim, text, reply);
}

static int setup(void **state)
{
	struct bed *b = bed_new(BED_B, &cfg, &tables);

	empty = store_mem_disk_copy(b->disk);
	card_put(b);
	sub_put(b);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	bed_free(*state);
	store_mem_disk_free(empty);
	return 0;
}

static int said;

static void answered(void *ctx, int rc, const char *text)
{
	(void)ctx;
	(void)text;
	said = rc;
}

static void change(struct bed *b, const char *name, unsigned what)
{
	struct desk_request r = { .verb = DESK_CHANGE, .what = (uint8_t)what, .done = answered };
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/cards", b->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(CARD0 "\n", f);
	assert_int_equal(fclose(f), 0);
	snprintf(r.name, sizeof(r.name), "%s", name);
	r.file = path;
	said = 1;
	assert_int_equal(desk_request(b->desk, &r), 0);
	bed_turn(b);
	assert_int_equal(said, 0);
}

static uint16_t step_of(struct bed *b, const char *name, struct line *l)
{
	struct line any;
	uint16_t step;

	bed_line(b, name, CARD0, l ? l : &any, &step);
	return step;
}

/* Its change has ended. */
static void over_of(struct bed *b, const char *name, struct line *l)
{
	struct store_book row;
	char key[BOOK_KEY_MAX];

	assert_null(desk_order_by_name(b->desk, name));
	line_key(key, desk_number("operator-b", name), CARD0);
	assert_true(bed_book(b, BOOK_LINE, key, &row));
	assert_int_equal(line_unpack(l, row.body, row.row.len), 0);
	assert_string_equal(line_step_name(row.row.step), "C_CLOSED");
}

static void over(struct bed *b, struct line *l)
{
	over_of(b, NAME, l);
}

#define AT(b, step) assert_string_equal(line_step_name(step_of(b, NAME, NULL)), #step)

static const struct keyset_row *keyset(struct bed *b, uint8_t kvn, struct card_bundle *c)
{
	assert_true(bed_card(b, CARD0, c));
	for (unsigned i = 0; i < c->n_keysets; i++)
		if (c->keyset[i].kvn == kvn)
			return &c->keyset[i];
	return NULL;
}

/* The card's word to what is under way to it, in this change, under this key version. */
static void tell(struct bed *b, const char *name, enum work_kind kind, uint8_t kvn, int pending)
{
	const struct order *o = desk_order_by_name(b->desk, name);
	struct gw_effect fx = { .kind = GW_FX_TXN };
	struct card_bundle *c = calloc(1, sizeof(*c));

	assert_non_null(o);
	assert_true(bed_card(b, CARD0, c));
	assert_true(c->has_txn && c->txn.state <= TXN_ACTIVE);
	assert_int_equal(c->txn.campaign, o->campaign[kind]);
	assert_int_equal(c->txn.kvn, kvn);
	fx.txn.campaign = c->txn.campaign;
	fx.txn.txn = c->txn.id;
	fx.txn.card = c->card.id;
	strcpy(fx.txn.iccid, CARD0);
	fx.txn.state = TXN_DONE;
	fx.txn.verdict = WORK_IS_DONE + 1;
	fx.txn.has_card = true;
	fx.txn.pending = (uint8_t)pending;
	fx.txn.at_ms = b->now_ms;
	free(c);
	desk_on_effect(b->desk, &fx);
	bed_turn(b);
	bed_settle(b, CARD0, TXN_CANCELLED);
	bed_wait(b, 20000);
}

static void silence(struct bed *b)
{
	bed_settle(b, CARD0, TXN_EXPIRED);
	bed_wait(b, 700000); /* C_RETRY_MS */
}

static void path_of(struct bed *b, const char *name, char path[300])
{
	snprintf(path, 300, "%s/changes/%s", b->cfg.dir, name);
}

static char *slurp(const char *path, size_t *len)
{
	FILE *f = fopen(path, "r");
	char *p = malloc(65536);

	assert_non_null(f);
	*len = fread(p, 1, 65536, f);
	fclose(f);
	return p;
}

static void spit(const char *path, const char *p, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static bool keys_of(struct bed *b, const char *name, struct change_keys *k)
{
	char key[BOOK_KEY_MAX];
	struct store_book row;

	line_key(key, desk_number("operator-b", name), CARD0);
	if (!bed_book(b, BOOK_CHANGE, key, &row))
		return false;
	assert_int_equal(change_unpack(k, row.body, row.row.len), 0);
	return true;
}

static void hlr_keys(struct bed *b, char out[100])
{
	char reply[SIM_HLR_REPLY_MAX], k[40] = "", opc[40] = "";

	sim_hlr_ctrl(b->sim, "GET 1 subscriber.by-imsi-" IMSI0 ".info-all", reply);
	ctrl_info(reply, "aud3g.k", k, sizeof(k));
	ctrl_info(reply, "aud3g.opc", opc, sizeof(opc));
	snprintf(out, 100, "milenage,%s,opc,%s", k, opc);
}

/* In force and known: in the books, at the register. */
static void all_new(struct bed *b, const struct change_keys *k)
{
	struct card_bundle *c = calloc(1, sizeof(*c));
	const struct keyset_row *own = keyset(b, k->kvn, c);
	char there[100], here[KS_HLR_TEXT_MAX];
	struct store_book row;

	assert_non_null(own);
	assert_int_equal(own->sealed_len, k->sealed_len);
	assert_memory_equal(own->sealed, k->sealed, k->sealed_len);
	own = keyset(b, (uint8_t)(3 - k->kvn), c);
	assert_true(!own || !own->sealed_len);
	free(c);
	if (!k->has_sub)
		return;
	hlr_keys(b, there);
	assert_true(ks_emit_to_hlr(b->party[b->self].ks, CARD0, k->sub, sizeof(k->sub), here) > 0);
	assert_string_equal(here, there);
	assert_true(bed_book(b, BOOK_SUB, CARD0 "/00001", &row));
	assert_memory_equal(row.body, k->sub, KS_SUB_LEN);
}

static void rest_of_k(struct bed *b, const char *name, uint8_t kvn)
{
	tell(b, name, WORK_K_OPC, kvn, 3);
	bed_wait(b, 60000);
	tell(b, name, WORK_STATUS, kvn, 0);
}

static void whole(struct bed *b, const char *name, uint8_t from)
{
	const uint8_t to = (uint8_t)(3 - from);

	change(b, name, ALL);
	tell(b, name, WORK_OTA_KEYS, from, 8);
	tell(b, name, WORK_STATUS, to, 0);
	rest_of_k(b, name, to);
	assert_null(desk_order_by_name(b->desk, name));
}

/* ---- the file ---- */

static bool has(const char *p, size_t len, const void *what, size_t n)
{
	for (size_t i = 0; i + n <= len; i++)
		if (!memcmp(p + i, what, n))
			return true;
	return false;
}

static bool holds(const char *p, size_t len, const char *hex)
{
	uint8_t raw[64];
	const size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned v;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		raw[i] = (uint8_t)v;
	}
	return has(p, len, raw, n) || has(p, len, hex, 2 * n);
}

/* It stands there before anything leaves, for us alone, and no key of it in clear. */
static void noted(void **state)
{
	struct bed *b = *state;
	char path[300], text[KS_MAKER_TEXT_MAX] = "", *file, *save = NULL;
	struct change_keys k;
	struct stat st;
	size_t len;

	change(b, NAME, ALL);
	AT(b, C_OTA_SENT);
	path_of(b, NAME ".keys", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	file = slurp(path, &len);
	assert_memory_equal(file, "otagw-change 1 party operator-b change " NAME " number ", 45);
	assert_true(keys_of(b, NAME, &k));
	assert_true(has(file, len, k.sealed, k.sealed_len));
	assert_true(has(file, len, k.sub, sizeof(k.sub)));
	assert_true(has(file, len, k.was, sizeof(k.was)));
	assert_true(ks_emit_keyset(b->party[b->self].ks, CARD0, k.kvn, k.sealed, k.sealed_len, text) > 0);
	for (char *t = strtok_r(text, ",", &save); t; t = strtok_r(NULL, ",", &save))
		assert_false(holds(file, len, t));
	assert_true(ks_emit_to_hlr(b->party[b->self].ks, CARD0, k.sub, sizeof(k.sub), text) > 0);
	text[9 + 32] = '\0';
	assert_false(holds(file, len, text + 9));
	free(file);
}

/* Where it cannot be noted, nothing leaves. */
static void no_room(void **state)
{
	struct bed *b = *state;
	char path[300];
	struct desk_stats st;
	struct change_keys k;

	path_of(b, NAME ".keys", path);
	assert_int_equal(mkdir(path, 0700), 0);
	change(b, NAME, ALL);
	AT(b, C_MAKE);
	bed_wait(b, 60000);
	AT(b, C_MAKE);
	assert_false(keys_of(b, NAME, &k));
	desk_stats(b->desk, &st);
	assert_non_null(st.alarm);
	assert_non_null(strstr(st.alarm, "changes/" NAME ".keys"));
	assert_int_equal(rmdir(path), 0);
	bed_wait(b, 600000);
	AT(b, C_OTA_SENT);
	desk_stats(b->desk, &st);
	assert_null(st.alarm);
}

/* ---- put back ---- */

/* The card has the new keys already: asked under them, it answers. */
static void before_it(void **state)
{
	struct bed *b = *state;
	struct store_mem_disk *backup = store_mem_disk_copy(b->disk);
	struct card_bundle *c = calloc(1, sizeof(*c));
	struct change_keys k, again;
	struct line l;

	change(b, NAME, ALL);
	assert_true(keys_of(b, NAME, &k));
	tell(b, NAME, WORK_OTA_KEYS, 1, 8);
	tell(b, NAME, WORK_STATUS, 2, 0);
	AT(b, C_KEY_SENT);
	bed_restore(b, backup);
	bed_wait(b, 20000);
	AT(b, C_PROVING);
	step_of(b, NAME, &l);
	assert_true(l.flags & LINE_FOUND);
	assert_true(keys_of(b, NAME, &again));
	assert_memory_equal(&k, &again, sizeof(k));
	assert_true(keyset(b, 2, c)->cntr > 4096); /* not ours before it had skipped */
	assert_true(keyset(b, 2, c)->cntr > keyset(b, 1, c)->cntr);
	tell(b, NAME, WORK_STATUS, 2, 0);
	rest_of_k(b, NAME, 2);
	assert_null(desk_order_by_name(b->desk, NAME));
	all_new(b, &k);
	free(c);
}

/* It has never got them: told under the old ones, in turn. */
static void in_turn(void **state)
{
	struct bed *b = *state;
	struct store_mem_disk *backup = store_mem_disk_copy(b->disk);
	struct change_keys k;

	change(b, NAME, ALL);
	assert_true(keys_of(b, NAME, &k));
	bed_restore(b, backup);
	bed_wait(b, 20000);
	AT(b, C_PROVING);
	silence(b);
	AT(b, C_OTA_SENT);
	silence(b);
	AT(b, C_PROVING);
	silence(b);
	tell(b, NAME, WORK_OTA_KEYS, 1, 8);
	tell(b, NAME, WORK_STATUS, 2, 0);
	rest_of_k(b, NAME, 2);
	all_new(b, &k);
}

/* Our register has the new K already, and the books do not know. */
static void register_ahead(void **state)
{
	struct bed *b = *state;
	struct store_mem_disk *backup = store_mem_disk_copy(b->disk);
	struct change_keys k;

	change(b, NAME, CHANGE_K);
	assert_true(keys_of(b, NAME, &k));
	tell(b, NAME, WORK_K_OPC, 1, 3);
	bed_wait(b, 60000);
	AT(b, C_SETTLING);
	bed_restore(b, backup);
	bed_wait(b, 20000);
	AT(b, C_KEY_SENT);
	rest_of_k(b, NAME, 1);
	assert_null(desk_order_by_name(b->desk, NAME));
	k.kvn = 1;
	k.sealed_len = k.base_len;
	memcpy(k.sealed, k.base, k.base_len);
	all_new(b, &k);
}

/* It had ended: nobody is asked. */
static void after_it(void **state)
{
	struct bed *b = *state;
	struct store_mem_disk *backup = store_mem_disk_copy(b->disk);
	struct change_keys k;
	struct store_book row;
	struct line l;

	change(b, NAME, ALL);
	assert_true(keys_of(b, NAME, &k));
	tell(b, NAME, WORK_OTA_KEYS, 1, 8);
	tell(b, NAME, WORK_STATUS, 2, 0);
	rest_of_k(b, NAME, 2);
	bed_restore(b, backup);
	bed_wait(b, 20000);
	over(b, &l);
	assert_int_equal(l.end, END_DONE);
	all_new(b, &k);
	assert_false(keys_of(b, NAME, &k));
	assert_false(bed_book(b, BOOK_TAKEN, CARD0, &row));
	bed_restart(b); /* the same epoch: nothing is taken in again */
	assert_null(strstr(strstr(b->log, "cards taken in") + 1, "cards taken in"));
}

/* It was refused, or cancelled, before anything of it was in force. */
static void cancelled(void **state)
{
	struct bed *b = *state;
	struct store_mem_disk *backup = store_mem_disk_copy(b->disk);
	struct card_bundle *c = calloc(1, sizeof(*c));
	struct line l;

	b->mood.away = true;
	change(b, NAME, CHANGE_K);
	AT(b, C_ASKING);
	bed_request(b, DESK_CANCEL, NAME, NULL);
	b->mood.away = false;
	bed_wait(b, 60000);
	assert_null(desk_order_by_name(b->desk, NAME));
	bed_restore(b, backup);
	bed_wait(b, 20000);
	over(b, &l);
	assert_int_equal(l.end, END_CANCELLED);
	assert_true(keyset(b, 1, c)->sealed_len);
	assert_true(!c->has_txn);
	free(c);
}

/* Two of them: the newer one counts, whatever the books knew of the first. */
static void two(void **state)
{
	struct bed *b = *state;
	struct store_mem_disk *backup = store_mem_disk_copy(b->disk);
	struct change_keys k;

	whole(b, "K-1", 1);
	bed_wait(b, 60000);
	change(b, NAME, ALL);
	assert_true(keys_of(b, NAME, &k));
	assert_int_equal(k.kvn, 1);
	bed_restore(b, backup);
	bed_wait(b, 20000);
	assert_null(desk_order_by_name(b->desk, "K-1"));
	silence(b);
	tell(b, NAME, WORK_OTA_KEYS, 2, 8);
	tell(b, NAME, WORK_STATUS, 1, 0);
	rest_of_k(b, NAME, 1);
	all_new(b, &k);
}

/* Books in which the card is not: it waits, and goes on when it is imported. */
static void card_unknown(void **state)
{
	struct bed *b = *state;
	struct change_keys k;
	const struct order *o;

	whole(b, NAME, 1);
	bed_restore(b, store_mem_disk_copy(empty));
	bed_wait(b, 20000);
	AT(b, C_FOUND);
	o = desk_order_by_name(b->desk, NAME);
	assert_non_null(o);
	assert_non_null(strstr(o->alarm, "import it again"));
	assert_true(keys_of(b, NAME, &k));
	card_put(b);
	bed_wait(b, 700000);
	assert_null(desk_order_by_name(b->desk, NAME));
	all_new(b, &k);
}

/* It is held from the beginning, so that no other order has it when it is imported again. */
static void card_unknown_is_held(void **state)
{
	struct bed *b = *state;
	struct change_keys k;
	struct store_book row;

	change(b, NAME, ALL);
	assert_true(keys_of(b, NAME, &k));
	bed_restore(b, store_mem_disk_copy(empty));
	bed_wait(b, 20000);
	AT(b, C_FOUND);
	assert_true(bed_book(b, BOOK_TAKEN, CARD0, &row));
	card_put(b);
	bed_wait(b, 700000);
	assert_true(bed_book(b, BOOK_TAKEN, CARD0, &row));
}

/* The backup was made in the midst of the change before this one: its command is waited for by nobody. */
static void two_and_one_was_open(void **state)
{
	struct bed *b = *state;
	struct store_mem_disk *backup;
	struct change_keys k;

	change(b, "K-1", CHANGE_OTA);
	bed_wait(b, 20000);
	assert_int_equal(step_of(b, "K-1", NULL), C_OTA_SENT);
	backup = store_mem_disk_copy(b->disk);
	tell(b, "K-1", WORK_OTA_KEYS, 1, 8);
	tell(b, "K-1", WORK_STATUS, 2, 0);
	bed_wait(b, 60000);
	assert_null(desk_order_by_name(b->desk, "K-1"));
	change(b, NAME, CHANGE_OTA);
	assert_true(keys_of(b, NAME, &k));
	bed_restore(b, backup);
	bed_wait(b, 60000);
	assert_null(desk_order_by_name(b->desk, "K-1"));
	assert_int_not_equal(step_of(b, NAME, NULL), C_FOUND);
}

static void alarm_is(struct bed *b, const char *words)
{
	struct desk_stats st;

	desk_stats(b->desk, &st);
	assert_non_null(st.alarm);
	if (!strstr(st.alarm, words))
		fail_msg("alarm: %s", st.alarm);
}

/* One of the files cannot be read, at whatever place: somebody is told, nothing is made up about how a change ended, and the next start
 * knows. */
static void unreadable(void **state)
{
	struct bed *b = *state;
	struct store_mem_disk *backup;
	int places;
	struct line l;

	change(b, "K-1", CHANGE_OTA);
	bed_wait(b, 20000);
	backup = store_mem_disk_copy(b->disk);
	tell(b, "K-1", WORK_OTA_KEYS, 1, 8);
	tell(b, "K-1", WORK_STATUS, 2, 0);
	bed_wait(b, 60000);
	assert_null(desk_order_by_name(b->desk, "K-1"));
	change(b, NAME, CHANGE_OTA);
	looked = 0;
	bed_restore(b, store_mem_disk_copy(backup));
	over_of(b, "K-1", &l);
	assert_int_equal(l.end, END_DONE);
	places = looked;
	assert_in_range(places, 10, 100);
	for (int at = 1; at <= places; at++) {
		looked = 0;
		fails_at = at;
		bed_restore(b, store_mem_disk_copy(backup));
		assert_true(looked >= at);
		alarm_is(b, "a backup was put back, and the change in");
		fails_at = 0;
		bed_restart(b);
		over_of(b, "K-1", &l);
		if (l.end != END_DONE)
			fail_msg("place %d: it ended as %s: %s", at, line_end_name(l.end), l.why);
		assert_non_null(desk_order_by_name(b->desk, NAME));
	}
	store_mem_disk_free(backup);
}

/* The only one, before anything of it is noted. */
static void none_readable(void **state)
{
	struct bed *b = *state;
	struct store_mem_disk *backup;

	change(b, NAME, CHANGE_OTA);
	backup = store_mem_disk_copy(b->disk);
	for (fails_at = 1; fails_at <= 2; fails_at++) {
		looked = 0;
		bed_restore(b, store_mem_disk_copy(backup));
		alarm_is(b, "a backup was put back, and the change in");
	}
	fails_at = 0;
	store_mem_disk_free(backup);
	bed_restart(b);
	assert_non_null(desk_order_by_name(b->desk, NAME));
}

/* A stop while they are taken in: done again, with the same outcome. */
static void with_a_stop(void **state)
{
	struct bed *b = *state;
	struct store_mem_disk *backup = store_mem_disk_copy(b->disk);
	struct change_keys k;
	char path[300];

	change(b, NAME, CHANGE_OTA);
	assert_true(keys_of(b, NAME, &k));
	bed_restore(b, backup);
	bed_wait(b, 20000);
	tell(b, NAME, WORK_STATUS, 2, 0);
	path_of(b, "epoch", path);
	assert_int_equal(unlink(path), 0);
	bed_restart(b);
	bed_wait(b, 20000);
	assert_null(desk_order_by_name(b->desk, NAME));
	all_new(b, &k);
}

/* ---- bad files ---- */

static void damaged(void **state)
{
	struct bed *b = *state;
	struct store_mem_disk *backup = store_mem_disk_copy(b->disk), *two = store_mem_disk_copy(b->disk),
			      *three = store_mem_disk_copy(b->disk);
	char path[300], *file, *bad = malloc(65536);
	size_t len, head;

	change(b, NAME, ALL);
	path_of(b, NAME ".keys", path);
	file = slurp(path, &len);
	head = (size_t)(strchr(file, '\n') + 1 - file);

	memcpy(bad, file, len);
	bad[len - 100] ^= 1; /* one bit of its keys */
	spit(path, bad, len);
	bed_restore(b, backup);
	alarm_is(b, "1 of its places cannot be read");
	assert_null(desk_order_by_name(b->desk, NAME));

	/* cut off in the midst, and written on behind it: what is whole is found */
	memcpy(bad, file, len);
	memcpy(bad + len - 37, file + head, len - head);
	spit(path, bad, len - 37 + len - head);
	bed_restore(b, two);
	alarm_is(b, "1 of its places cannot be read");
	bed_wait(b, 20000);
	AT(b, C_PROVING);

	memcpy(bad, file, len);
	memcpy(strstr(bad, "operator-b"), "operator-c", 10);
	spit(path, bad, len);
	bed_restore(b, three);
	alarm_is(b, "is of operator-c, and we are operator-b");
	assert_null(desk_order_by_name(b->desk, NAME));
	bed_restart(b); /* and as long as it is there */
	alarm_is(b, "is of operator-c, and we are operator-b");
	assert_int_equal(unlink(path), 0);
	bed_restart(b);
	free(file);
	free(bad);
}

/* ---- old ones ---- */

static void swept(void **state)
{
	struct bed *b = *state;
	char path[300];

	path_of(b, NAME ".keys", path);
	whole(b, NAME, 1);
	b->now_ms += 399 * DAY;
	bed_wait(b, 5000);
	assert_int_equal(access(path, F_OK), 0);
	b->now_ms += 2 * DAY;
	bed_wait(b, 5000);
	assert_int_equal(access(path, F_OK), -1);
	change(b, "K-8", ALL); /* one that is open stays, however old */
	path_of(b, "K-8.keys", path);
	b->now_ms += 500 * DAY;
	bed_wait(b, 5000);
	assert_int_equal(access(path, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(noted, setup, teardown),
		cmocka_unit_test_setup_teardown(no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(before_it, setup, teardown),
		cmocka_unit_test_setup_teardown(in_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(register_ahead, setup, teardown),
		cmocka_unit_test_setup_teardown(after_it, setup, teardown),
		cmocka_unit_test_setup_teardown(cancelled, setup, teardown),
		cmocka_unit_test_setup_teardown(two, setup, teardown),
		cmocka_unit_test_setup_teardown(two_and_one_was_open, setup, teardown),
		cmocka_unit_test_setup_teardown(card_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(card_unknown_is_held, setup, teardown),
		cmocka_unit_test_setup_teardown(unreadable, setup, teardown),
		cmocka_unit_test_setup_teardown(none_readable, setup, teardown),
		cmocka_unit_test_setup_teardown(with_a_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(swept, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
