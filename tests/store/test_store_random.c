/* test_store_random.c - the two backends side by side: the same random batches, the same answers.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Neither is the truth; they were written apart, so that where one has slipped the other is unlikely to have slipped the
 * same way.  Few cards and few numbers, so that collisions are the rule.  Now and then a call of the disk fails: the memory
 * store is told to fail as well, and the same batch goes to both again.  Each seed is one run; a failure prints it.
 */
#include <sqlite3.h>
#include <unistd.h>

#include "fault_vfs.h"
#include "store_test.h"

#define CARDS	  12
#define CAMPAIGNS 4
#define BATCHES	  60
#define SEEDS	  24
#define PAGE	  5
#define IMPORT(r) (-200 - (r))

enum { SQLITE, MEMORY, _KINDS };

static uint64_t rng;
static unsigned rolled_back; /* strict batches that were */
static unsigned imports[64]; /* answers to imports of cards, by STORE_R_x */

static unsigned dice(unsigned n)
{
	/* xorshift64* */
	rng ^= rng >> 12;
	rng ^= rng << 25;
	rng ^= rng >> 27;
	return (unsigned)((rng * 2685821657736338717ULL) >> 33) % n;
}

struct pair {
	char dir[64];
	struct store_mem_disk *disk;
	struct store *s[_KINDS];
	struct store_batch *b[_KINDS];
	uint64_t batch_no;
	unsigned seed, cards; /* cards there were before this batch */
	bool many;	      /* of a kind in this batch */
	unsigned faults, txns;
	int mem_rc; /* what commits of the memory store answer */
};

static int mem_fault(void *ctx, struct store_batch *b)
{
	return ((struct pair *)ctx)->mem_rc;
}

static void open_both(struct pair *p)
{
	const struct store_mem_hooks hooks = { .fault = mem_fault, .ctx = p };
	char err[256] = "";

	p->s[SQLITE] = store_sqlite_open(&(struct store_sqlite_cfg){ .dir = p->dir }, err, sizeof(err));
	if (!p->s[SQLITE])
		fail_msg("%s", err);
	p->s[MEMORY] = store_mem_open(p->disk, &hooks);
}

static void close_both(struct pair *p)
{
	for (int k = 0; k < _KINDS; k++)
		p->s[k]->ops->close(p->s[k]);
}

static void add(struct pair *p, enum store_op_kind kind, const void *row, const void *bytes, size_t len)
{
	for (int k = 0; k < _KINDS; k++)
		assert_non_null(store_batch_add(p->b[k], kind, row, bytes, len));
}

/* ---- random rows ---- */

static void some_digits(char *out, size_t cap, const char *head)
{
	memset(out, 0, cap); /* rows are compared whole */
	snprintf(out, cap, "%s%02u", head, dice(CARDS));
}

/* Often the next generation, or a counter that others have spent; now and then keys under a generation that is not theirs. */
static void some_keys(struct keyset_row *k)
{
	if (!dice(3)) {
		k->generation += dice(3);
		k->sealed[0] = (uint8_t)k->generation;
	}
	if (!dice(30))
		k->sealed[1] ^= 1;
	k->cntr += 50 * dice(3);
	k->epoch = dice(3);
}

static void add_card_insert(struct pair *p)
{
	struct store_card_insert in = card_make(dice(3) ? dice(CARDS) : 0, dice(4)); /* one of them very often */

	in.card.tz_min = dice(3) ? 60LL * dice(12) - 300 : CARD_TZ_KEEP;
	if (dice(2))
		snprintf(in.card.profile, sizeof(in.card.profile), "profile%u", dice(3));
	for (unsigned i = 0; i < in.n_keysets; i++)
		some_keys(&in.keyset[i]);
	if (in.n_keysets && dice(2)) /* a version that the card may not have yet, or one named twice */
		in.keyset[in.n_keysets - 1].kvn = (uint8_t)(2 + dice(6));
	if (!dice(8))
		some_digits(in.card.imsi, sizeof(in.card.imsi), "0010100000000");
	if (!dice(8))
		memset(in.card.msisdn, 0, sizeof(in.card.msisdn));
	add(p, ST_CARD_INSERT, &in, NULL, 0);
}

static void add_card_change(struct pair *p)
{
	struct store_card_insert in = card_make(dice(CARDS), 0);
	struct keyset_row k = { .card = dice(CARDS),
				.kvn = (uint8_t)dice(5),
				.generation = GEN0 + dice(3),
				.cntr = dice(1000),
				.cntr_proven = dice(1000),
				.epoch = dice(4) };
	struct card_addr_row a = { .type = (uint8_t)(1 + dice(2)),
				   .card = 1 + dice(CARDS),
				   .valid_from_ms = T0 + dice(5) };

	if (p->many && p->cards) { /* most of what is written is there */
		k.card = 1 + dice(p->cards);
		k.kvn = 1;
		k.generation = GEN0;
	}

	if (dice(2)) {
		k.sealed_len = 150;
		memset(k.sealed, (int)(k.card + k.kvn), k.sealed_len);
		add(p, ST_KEYSET_CNTR, &k, NULL, 0);
		return;
	}
	if (dice(2)) {
		some_digits(a.digits, sizeof(a.digits), "4917");
		a.valid_to_ms = dice(2) ? T0 + dice(10) : 0;
		add(p, ST_ADDR_PUT, &a, NULL, 0);
		return;
	}
	in.card.id = dice(p->many ? p->cards + 1 : CARDS + 2);
	in.card.last_seen_ms = T0 + dice(256);
	in.card.moves = dice(4) ? 0 : dice(4);
	if (!dice(8)) {
		in.card.quarantine_ms = dice(2) ? T0 + dice(9) : 0;
		add(p, ST_CARD_QUARANTINE, &in.card, NULL, 0);
		return;
	}
	add(p, ST_CARD_PUT, &in.card, NULL, 0);
}

static void add_card_move(struct pair *p)
{
	struct store_card_insert in = card_make(dice(CARDS), dice(3));

	if (dice(2)) {
		in.card.gone_ms = T0 + dice(9);
		add(p, ST_CARD_LEAVE, &in.card, NULL, 0);
		return;
	}
	in.card.tz_min = dice(2) ? 60 : CARD_TZ_KEEP;
	in.card.created_ms = T0 + dice(9);
	in.card.last_seen_ms = T0 + dice(99);
	if (dice(2))
		some_digits(in.card.imsi, sizeof(in.card.imsi), "0010100000000");
	if (!dice(4))
		some_digits(in.card.msisdn, sizeof(in.card.msisdn), "4917");
	for (unsigned i = 0; i < in.n_keysets; i++) {
		some_keys(&in.keyset[i]);
		if (dice(2))
			in.keyset[i].generation = 0;
	}
	add(p, ST_CARD_TAKE, &in, NULL, 0);
}

static void add_campaign(struct pair *p)
{
	char name[16];
	uint64_t id = 1 + dice(CAMPAIGNS);
	struct campaign_row c;

	snprintf(name, sizeof(name), "c%u", (unsigned)id);
	c = campaign_make(id, name, dice(_CAMPAIGN_STATES));
	c.txn_cursor = dice(100);
	switch (dice(4)) {
	case 0:
		add(p, ST_CAMPAIGN_PUT, &c, NULL, 0);
		break;
	case 1:
		add(p, ST_CAMPAIGN_DROP, &c, NULL, 0);
		break;
	default:
		add(p, ST_CAMPAIGN_INSERT, &c, name, strlen(name));
	}
}

static void add_plan(struct pair *p)
{
	struct store_txn_plan plan = plan_make(1 + dice(CAMPAIGNS), dice(CARDS), dice(CARDS));
	uint8_t work[TXN_WORK_MAX];
	size_t work_len = 0;

	plan.kvn = (uint8_t)(1 + dice(3) / 2);
	if (!dice(3))
		some_digits(plan.txn.new_msisdn, sizeof(plan.txn.new_msisdn), "4916");
	plan.need_msisdn = !dice(4);
	if (!dice(8))
		plan.txn.new_imsi[14] = 0;
	if (!dice(3)) {
		plan.filter.n = 1;
		plan.filter.term[0] = (struct store_term){ .field = (uint8_t)dice(_STORE_FIELDS),
							   .op = (uint8_t)dice(STORE_BEGINS_NOT + 1),
							   .number = dice(2) ? dice(4) : T0 + dice(256) };
		if (plan.filter.term[0].field == STORE_F_PROFILE)
			snprintf(plan.filter.term[0].text, 12, "profile%u", dice(3));
		else
			some_digits(plan.filter.term[0].text, 12, dice(2) ? "8988211" : "0010");
	}
	if (!dice(3))
		plan.retry_of = dice(30);
	if (!dice(3))
		work_len = dice(TXN_WORK_MAX + 1);
	memset(work, (int)dice(256), sizeof(work));
	add(p, ST_TXN_PLAN, &plan, work, work_len);
}

static void add_txn(struct pair *p)
{
	struct txn_row t = { .id = p->many && p->txns ? 1 + dice(p->txns) : dice(30),
			     .state = (uint8_t)dice(_TXN_STATES),
			     .fail_class = (uint8_t)dice(3),
			     .sms_parts = (uint16_t)dice(9),
			     .attempts = (uint16_t)dice(9),
			     .kvn = (uint8_t)dice(3),
			     .verdict = (uint8_t)dice(7),
			     .card_end = (uint8_t)dice(10),
			     .maybe_moved = 1,
			     .evidence = (uint8_t)dice(7) };

	t.card = t.id; /* not its real one, but always the same: batches are sorted by it */
	snprintf(t.reason, sizeof(t.reason), "reason %u", dice(9));
	add(p, ST_TXN_PUT, &t, NULL, 0);
}

static void add_cmd(struct pair *p)
{
	uint64_t id = 1 + dice(60), card = 1 + id % (p->cards ? p->cards : 1);
	struct cmd_row c = cmd_make(id, card, dice(_CMD_STATES));
	struct cmd_row w = { .id = id, .card = card };

	if (!p->cards)
		return;
	c.attempt = (uint16_t)dice(9);
	c.ended_ms = T0 + dice(99);
	if (dice(2))
		c.txn = 1 + dice(30);
	c.kvn = (uint8_t)(1 + dice(2));
	c.generation = GEN0 + dice(3);
	add(p, ST_CMD_PUT, &c, NULL, 0);
	if (dice(2)) /* now and then a packet that differs: the whole batch goes back */
		add(p, ST_WIRE_PUT, &w, dice(60) ? "packet" : "padlock", 6);
}

static void add_part(struct pair *p)
{
	struct part_row part;

	if (!p->cards)
		return;
	memset(&part, 0, sizeof(part)); /* bundles are compared with their padding */
	part.card = 1 + dice(p->cards);
	part.ref = (uint16_t)dice(3);
	part.iei = dice(2) ? 0 : 8;
	part.total = 4;
	part.seq = (uint8_t)(1 + dice(4));
	part.at_ms = T0 + dice(4);
	part.len = 2;
	part.ud[1] = 8;
	add(p, dice(4) ? ST_PART_PUT : ST_PARTS_DROP, &part, NULL, 0);
}

static void add_trim(struct pair *p)
{
	struct store_trim t = { .before_ms = T0 + dice(120), .card = dice(CARDS), .cards = dice(9), .rows = dice(9) };

	if (dice(2))
		t.cards = t.rows = 1000;
	add(p, ST_TRIM, &t, NULL, 0);
}

static void add_rest(struct pair *p)
{
	struct story_row s = {
		.card = dice(p->cards + 1), .cmd = dice(60), .at_ms = T0 + dice(99), .kind = (uint8_t)(1 + dice(9))
	};
	struct store_meta m = { .key = "a" };

	switch (dice(3)) {
	case 0:
		m.key[0] = (char)('a' + dice(3));
		add(p, ST_META_PUT, &m, "0123456789", dice(10));
		break;
	default:
		snprintf(s.text, sizeof(s.text), "text %u", dice(99));
		add(p, ST_STORY_ADD, &s, "0123456789", dice(10));
	}
}

static void add_book(struct pair *p)
{
	struct book_row row = { .book = (uint8_t)(1 + dice(2)),
				.owner = dice(3) ? 1 + dice(2) : UINT64_MAX - dice(2),
				.step = (uint16_t)dice(4),
				.version = dice(3) ? dice(4) : BOOK_ANY };

	snprintf(row.key, sizeof(row.key), "key%02u", dice(CARDS));
	add(p, dice(4) ? ST_BOOK_PUT : ST_BOOK_DROP, &row, "0123456789", dice(11));
}

static void maybe_fault(void)
{
	if (!dice(6))
		fv_arm(&(struct fv_fault){ FV_WRITE | FV_SYNC | FV_READ, .nth = 1 + dice(4),
					   .error = dice(2) ? SQLITE_FULL : SQLITE_IOERR, .half = true });
}

/* Both: when the disk fails, the memory is told to. */
static void commit_both(struct pair *p, int rc[_KINDS])
{
	bool again;

	maybe_fault();
	do {
		rc[SQLITE] = store_commit_wait(p->s[SQLITE], p->b[SQLITE]);
		again = rc[SQLITE] == STORE_E_FULL || rc[SQLITE] == STORE_E_IO;
		p->mem_rc = again ? rc[SQLITE] : STORE_OK;
		p->faults += again;
		rc[MEMORY] = store_commit_wait(p->s[MEMORY], p->b[MEMORY]);
	} while (again);
	fv_disarm();
}

static void step(struct pair *p)
{
	static void (*const adds[])(
		struct pair *) = { add_card_insert, add_card_insert, add_card_change, add_campaign, add_plan, add_plan,
				   add_txn,	    add_cmd,	     add_cmd,	      add_part,	    add_rest, add_rest,
				   add_trim,	    add_book,	     add_book,	      add_card_move };
	/* none of these looks at the whole: two kinds, many of each, are carried out at once */
	static void (*const quiet[])(struct pair *) = { add_card_change, add_card_change, add_txn,
							add_cmd,	 add_part,	  add_rest };
	void (*const two[])(struct pair *) = { quiet[dice(sizeof(quiet) / sizeof(quiet[0]))],
					       quiet[dice(sizeof(quiet) / sizeof(quiet[0]))] };
	unsigned n = 1 + dice(12);
	bool numbered = dice(2), dry = !dice(8), strict = !dice(6);
	struct store_totals t;
	struct store_query q = { .kind = Q_TOTALS, .out = &t, .limit = 1 };
	int rc[_KINDS];

	assert_int_equal(store_query_wait(p->s[MEMORY], &q), STORE_OK);
	p->cards = (unsigned)t.cards;
	p->txns = (unsigned)t.txns;

	for (int k = 0; k < _KINDS; k++)
		store_batch_reset(p->b[k]);
	p->many = !dice(4);
	n *= p->many ? 3 : 1;
	while (n--)
		p->many ? two[n & 1](p) : adds[dice(sizeof(adds) / sizeof(adds[0]))](p);
	for (int k = 0; k < _KINDS; k++) {
		p->b[k]->batch_no = numbered && !dry ? p->batch_no + 1 : 0;
		p->b[k]->dry_run = dry;
		p->b[k]->strict = strict;
	}
	commit_both(p, rc);
	if (rc[0] != rc[1])
		fail_msg("seed %u: batch %d and %d", p->seed, rc[0], rc[1]);
	if (p->b[0]->rolled_back != p->b[1]->rolled_back)
		fail_msg("seed %u: only one was rolled back", p->seed);
	rolled_back += !rc[0] && p->b[0]->rolled_back;
	p->batch_no += numbered && !dry && !rc[0] && !p->b[0]->rolled_back;
	for (size_t i = 0; !rc[0] && i < p->b[0]->n; i++) {
		const struct store_op *a = &p->b[0]->ops[i], *b = &p->b[1]->ops[i];

		if (a->rc != b->rc)
			fail_msg("seed %u: op kind %u: %s and %s", p->seed, a->kind, store_strerror(a->rc),
				 store_strerror(b->rc));
		imports[a->kind == ST_CARD_INSERT && a->rc ? IMPORT(a->rc) : 0]++;
		/* a story's ids go by card in one and by operation in the other */
		if (a->kind != ST_STORY_ADD && memcmp(a->row, b->row, store_row_size(a->kind)) != 0)
			fail_msg("seed %u: op kind %u: rows written back differ", p->seed, a->kind);
	}
}

/* ---- comparing ---- */

static void same_fetch(struct pair *p, const struct store_fetch *ask)
{
	static struct card_bundle out[_KINDS][CARDS];
	struct store_fetch f[_KINDS];

	for (int k = 0; k < _KINDS; k++) {
		f[k] = *ask;
		f[k].out = out[k];
		f[k].cap = CARDS;
		assert_int_equal(store_fetch_wait(p->s[k], &f[k]), STORE_OK);
	}
	if (f[0].n != f[1].n)
		fail_msg("seed %u: fetch by %u card %u: %u and %u", p->seed, ask->by, (unsigned)ask->card, f[0].n,
			 f[1].n);
	for (size_t i = 0; i < f[0].n * sizeof(out[0][0]); i++)
		if (((uint8_t *)out[0])[i] != ((uint8_t *)out[1])[i])
			fail_msg("seed %u: fetch by %u card %u: octet %zu of the bundle differs", p->seed, ask->by,
				 (unsigned)ask->card, i);
}

static void same_query(struct pair *p, enum store_query_kind kind, uint64_t id, const char *digits)
{
	size_t size = store_query_row_size(kind);
	uint8_t *out[_KINDS] = { calloc(PAGE, size), calloc(PAGE, size) };
	struct store_query q[_KINDS] = { 0 };

	do {
		for (int k = 0; k < _KINDS; k++) {
			q[k] = (struct store_query){
				.kind = (uint8_t)kind, .id = id, .after = q[k].last, .out = out[k], .limit = PAGE
			};
			snprintf(q[k].digits, sizeof(q[k].digits), "%s", digits);
			assert_int_equal(store_query_wait(p->s[k], &q[k]), STORE_OK);
			for (unsigned i = 0; kind == Q_CARD_STORY && i < q[k].n; i++)
				((struct store_story *)(void *)out[k])[i].row.id = 0;
		}
		if (q[0].n != q[1].n || memcmp(out[0], out[1], q[0].n * size) != 0)
			fail_msg("seed %u: query %d id %u: %u and %u rows", p->seed, (int)kind, (unsigned)id, q[0].n,
				 q[1].n);
		if (kind != Q_CARD_STORY && q[0].last != q[1].last)
			fail_msg("seed %u: query %d: pages end differently", p->seed, (int)kind);
	} while (q[0].n == PAGE && kind != Q_CAMPAIGN_COUNTS); /* counts come in one page */
	free(out[0]);
	free(out[1]);
}

static void same_book(struct pair *p, uint8_t book, enum store_query_kind kind, uint64_t owner, uint16_t step)
{
	static const char keys[3][BOOK_KEY_MAX] = { "key05", "none", "key00" };
	size_t size = store_query_row_size(kind);
	uint8_t *out[_KINDS] = { calloc(PAGE, size), calloc(PAGE, size) };
	struct store_query q[_KINDS] = { 0 };
	bool listed = kind == Q_BOOK_STEP || kind == Q_BOOK_OWNER;

	do {
		const struct store_book *last = q[0].n ? (const void *)(out[0] + (q[0].n - 1) * size) : NULL;

		for (int k = 0; k < _KINDS; k++) {
			q[k] = (struct store_query){ .kind = (uint8_t)kind,
						     .book = book,
						     .id = owner,
						     .step = step,
						     .keys = keys,
						     .n_keys = 3,
						     .out = out[k],
						     .limit = PAGE };
			if (!listed || last)
				snprintf(q[k].key, sizeof(q[k].key), "%s", last ? last->row.key : keys[0]);
		}
		for (int k = 0; k < _KINDS; k++)
			assert_int_equal(store_query_wait(p->s[k], &q[k]), STORE_OK);
		if (q[0].n != q[1].n || memcmp(out[0], out[1], q[0].n * size) != 0)
			fail_msg("seed %u: query %d of book %u: %u and %u rows", p->seed, (int)kind, book, q[0].n,
				 q[1].n);
	} while (listed && q[0].n == PAGE);
	free(out[0]);
	free(out[1]);
}

static void compare_books(struct pair *p)
{
	for (uint8_t book = 0; book <= 3; book++) {
		same_book(p, book, Q_BOOK_GET, 0, 0);
		same_book(p, book, Q_BOOK_KEYS, 0, 0);
		for (uint64_t owner = UINT64_MAX - 1; owner != 3; owner++) {
			same_book(p, book, Q_BOOK_OWNER, owner, 0);
			same_book(p, book, Q_BOOK_COUNT, owner, 0);
			for (uint16_t step = 0; step < 4; step++)
				same_book(p, book, Q_BOOK_STEP, owner, step);
		}
	}
}

/* Who a fetch says it is, a query says, in both. */
static void same_by_addr(struct pair *p, const struct store_fetch *f)
{
	for (int k = 0; k < _KINDS; k++) {
		static struct card_bundle one, other;
		struct store_query q = {
			.kind = Q_CARD, .step = f->addr_type, .after = (uint64_t)f->at_ms, .limit = 1, .out = &one
		};
		struct store_fetch g = *f;

		g.out = &other;
		g.cap = 1;
		memcpy(q.digits, f->digits, sizeof(f->digits));
		assert_int_equal(store_query_wait(p->s[k], &q), STORE_OK);
		assert_int_equal(store_fetch_wait(p->s[k], &g), STORE_OK);
		assert_int_equal(q.n, g.n);
		if (q.n)
			assert_int_equal(one.card.id, other.card.id);
	}
}

static void compare(struct pair *p)
{
	compare_books(p);
	for (uint64_t id = 0; id <= CARDS + 1; id++) {
		struct store_card_insert in = card_make((unsigned)id, 0);

		same_fetch(p, &(struct store_fetch){ .by = FETCH_BY_ID, .card = id });
		same_query(p, Q_CARD, 0, in.card.iccid);
		same_query(p, Q_CARD, id, "");
		same_query(p, Q_CARD_CMDS, id, "");
		same_query(p, Q_CARD_STORY, id, "");
		for (int type = ADDR_MSISDN; type <= ADDR_IMSI; type++)
			for (int64_t t = T0 - 1; t < T0 + 11; t += 4) {
				struct store_fetch f = { .by = FETCH_BY_ADDR, .addr_type = (uint8_t)type, .at_ms = t };

				snprintf(f.digits, sizeof(f.digits), "4917%02u", (unsigned)id);
				same_fetch(p, &f);
				memcpy(f.digits, type == ADDR_IMSI ? in.card.imsi : in.card.msisdn, sizeof(f.digits));
				same_fetch(p, &f);
				same_by_addr(p, &f);
			}
	}
	for (uint64_t id = 0; id <= CAMPAIGNS; id++) {
		same_fetch(p, &(struct store_fetch){ .by = FETCH_CLAIM, .campaign = id, .limit = 3 });
		same_fetch(p, &(struct store_fetch){ .by = FETCH_CLAIM, .campaign = id, .after_txn = 3, .limit = 99 });
		same_query(p, Q_CAMPAIGN_COUNTS, id, "");
		same_query(p, Q_REPORT, id, "");
		same_query(p, Q_PROFILE, id, "");
	}
	same_query(p, Q_CAMPAIGNS, 0, "");
	same_query(p, Q_OPEN_CMDS, 0, "");
	same_query(p, Q_CARDS, 0, "");
	same_query(p, Q_META, 0, "a");
	for (uint64_t id = 0; id <= 61; id += 5)
		same_query(p, Q_WIRE, id, "");
	same_query(p, Q_META, 0, "c");
	same_query(p, Q_TOTALS, 0, "");
}

static void remove_dir(const char *dir)
{
	static const char *const files[] = { "otagw.db", "otagw.db-wal", "otagw.db-shm", "otagw.lock" };
	char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
}

static void run_seed(unsigned seed)
{
	struct pair p = { .dir = "/tmp/otagw-store-XXXXXX", .seed = seed };

	rng = seed * 0x9e3779b97f4a7c15ULL + 1;
	assert_non_null(mkdtemp(p.dir));
	p.disk = store_mem_disk_new();
	for (int k = 0; k < _KINDS; k++)
		p.b[k] = store_batch_new();
	open_both(&p);
	for (unsigned i = 0; i < BATCHES; i++) {
		step(&p);
		if (i % 10 == 9)
			compare(&p);
		if (i == BATCHES / 2) {
			close_both(&p);
			open_both(&p);
		}
	}
	close_both(&p);
	for (int k = 0; k < _KINDS; k++)
		store_batch_free(p.b[k]);
	store_mem_disk_free(p.disk);
	remove_dir(p.dir);
	assert_true(p.faults > 0);
}

static void test_random(void **state)
{
	const char *one = getenv("SEED");

	if (one) {
		run_seed((unsigned)atoi(one));
		return;
	}
	for (unsigned seed = 1; seed <= SEEDS; seed++)
		run_seed(seed);
	/* what these runs are to compare has happened in them */
	assert_true(imports[IMPORT(STORE_R_SAME)] > 0);
	assert_true(imports[IMPORT(STORE_R_GONE)] > 0);
	for (int r = STORE_R_UPDATED; r >= STORE_R_KEYSETS_FULL; r--)
		assert_true(imports[IMPORT(r)] > 0);
	assert_true(imports[IMPORT(STORE_R_OPEN_TXN)] > 0);
	assert_true(rolled_back > 0);
}

static int disk_in(void **state)
{
	fv_install();
	return 0;
}

static int disk_out(void **state)
{
	fv_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(test_random, disk_in, disk_out) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
