/* bench_handover.c - a whole order of alternative 3a between two desks, each a process with its own SQLite store: lines per second, CPU,
 * memory, disk, phase by phase.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 *	bench_handover [LINES] [mixed]		mixed: cards stand in the swap order in no order
 *
 * Everything is the product's but the cards, the registers and the carrier.  Works of the desk that would tell a card something are
 * short-cut: a row in the table of works says that the card has done it.  A register answers at once.  A package's file is linked into
 * the partner's folder.  Phases do not overlap: the works that begin one are held until the one before is over, so that its cost is its
 * own; an order in earnest does not wait.
 *
 * Exit status 2: a side had more memory than the goal.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "desk/engine.h"
#include "env_real.h"
#include "tree.h"

#define LINES	     1000000
#define LINES_MAX    1000000 /* of an order (so.c) */
#define GOAL_KIB     (100 * 1024)
#define ORDER	     "SO-1"
#define IMPORT_BATCH 1000
#define TURN_STEPS   256  /* of the desk, before others have their turn */
#define POLL_MS	     100  /* how often B looks for cards at its register */
#define ASK_MS	     20	  /* how often the parent asks whether a phase is over */
#define COUNT_MS     1000 /* and, while nothing happens, how far it is */
#define STUCK_MS     300000
#define UNTIL_S	     (86400 * 30)
#define MIX	     7368787ull /* prime, and more than LINES_MAX */

enum who { SHOP, A, B, PARTIES };
static const char *const names[PARTIES] = { "shop", "operator-a", "operator-b" };
static const unsigned roles[PARTIES] = { XCHG_S, XCHG_A, XCHG_B };

static struct party {
	struct ks *ks;
	char *file;
	size_t file_len;
	struct pkg_self *self;
	char dir[200], store_dir[220], desk_dir[220];
	int ask;   /* the parent's end */
	int notes; /* to the other one: a package is there */
	pid_t pid;
} party[PARTIES];

static unsigned long lines = LINES;
static bool mixed;
static char top[128], err[DESK_ERR_MAX];
static pid_t owner; /* of top: the parent */

static _Noreturn __attribute__((format(printf, 1, 2))) void die(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "bench_handover: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	if (owner == getpid() && *top)
		tree_remove(top);
	exit(1);
}

static int64_t clock_ms(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- what the parent asks of the two ---- */

enum ask { ASK_IMPORT, ASK_BEGIN, ASK_TAKE, ASK_OPEN, ASK_REST, ASK_COUNT, ASK_END };
struct question {
	uint8_t ask;
	uint8_t gate; /* OPEN: the step whose work begins */
	uint8_t step; /* COUNT: lines at this step */
};
struct answer {
	bool rest; /* nothing is under way */
	uint64_t count;
	double cpu_s;
	long high_kib; /* most memory since BEGIN */
	uint64_t commits, packages, refused;
	char alarm[160];
};

static void all(int fd, void *p, size_t len, bool out)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = out ? write(fd, (char *)p + done, len - done) : read(fd, (char *)p + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			die("the other process has ended");
		done += (size_t)n;
	}
}

/* ======================================================================== a side, in its process */

static struct side {
	enum who who;
	struct party *me;
	struct store *store;
	struct desk *desk;
	int asked, other; /* the parent; the partner */
	/* the register */
	struct hlr hlr;
	struct hlr_result answer[HLR_OPEN_MAX];
	unsigned answers;
	bool moved; /* cards have come here */
	uint64_t packages;
} me;

/* ---- works: held, and short-cut ---- */

static int as_if_staged(struct desk *d, struct desk_job *j)
{
	for (unsigned i = 0; i < j->n; i++) {
		j->line[i].flags |= LINE_STAGED;
		j->line[i].evidence = 4;
		j->line[i].evidence_ms = j->line[i].staged_ms = desk_now(d);
		job_line_put(j, i, A_HAND);
	}
	return 0;
}

static int as_if_armed(struct desk *d, struct desk_job *j)
{
	for (unsigned i = 0; i < j->n; i++) {
		j->line[i].flags |= LINE_ARMED;
		j->line[i].armed_ms = desk_now(d);
		job_line_put(j, i, A_ARMED);
	}
	return 0;
}

static int as_if_confirmed(struct desk *d, struct desk_job *j)
{
	for (unsigned i = 0; i < j->n; i++) {
		struct line *l = &j->line[i];

		l->flags |= LINE_CONFIRMED;
		l->evidence = 6;
		l->end = END_DONE;
		l->confirmed_ms = l->evidence_ms = desk_now(d);
		job_line_put(j, i, B_TELL_CONFIRMED);
	}
	desk_again(d, j->order->o.number, B_TELL_CONFIRMED, desk_now(d));
	return 0;
}

static const struct shortcut {
	uint16_t step;
	int (*decide)(struct desk *d, struct desk_job *j);
} shortcuts[] = { { A_STAGE, as_if_staged }, { A_ARM, as_if_armed }, { B_CONFIRM, as_if_confirmed } };

static const uint16_t held[] = { A_PLACED, A_STAGE, A_HAND,  A_ARM,   A_DUE,	A_LIST,
				 A_PURGE,  B_OPEN,  B_KEYED, B_READY, B_CONFIRM };
#define HELD (sizeof(held) / sizeof(held[0]))

static struct desk_work works[2][DESK_WORKS_MAX];
static int (*held_decide[_LINE_STEPS])(struct desk *d, struct desk_job *j);
static void (*held_after[_LINE_STEPS])(struct desk *d, struct desk_job *j);
static bool held_calm[_LINE_STEPS], gate[_LINE_STEPS];

static int decide_held(struct desk *d, struct desk_job *j)
{
	return gate[j->work->step] ? held_decide[j->work->step](d, j) : 0;
}

static void after_held(struct desk *d, struct desk_job *j)
{
	if (gate[j->work->step] && held_after[j->work->step])
		held_after[j->work->step](d, j);
}

static void work_hold(struct desk_work *w)
{
	for (size_t i = 0; i < sizeof(shortcuts) / sizeof(shortcuts[0]); i++) {
		if (w->step != shortcuts[i].step)
			continue;
		w->decide = shortcuts[i].decide;
		w->cards = false;
		w->also = 0;
	}
	for (size_t i = 0; i < HELD; i++) {
		if (w->step != held[i])
			continue;
		held_decide[w->step] = w->decide;
		held_after[w->step] = w->after;
		held_calm[w->step] = w->calm;
		w->decide = decide_held;
		w->after = after_held;
		w->calm = true; /* lines that arrive do not wake it */
	}
}

static void works_copy(struct desk_work *to, const struct desk_work *from)
{
	for (; from->name; from++, to++) {
		*to = *from;
		work_hold(to);
	}
}

static void gate_open(uint16_t step)
{
	const uint64_t order = desk_number(names[SHOP], ORDER);

	gate[step] = true;
	me.moved |= step == B_READY;
	for (unsigned s = 0; s < 2; s++)
		for (struct desk_work *w = works[s]; w->name; w++)
			if (w->step == step)
				w->calm = held_calm[step];
	desk_again(me.desk, order, step, clock_ms(CLOCK_REALTIME));
}

/* ---- the register ---- */

static int hlr_submit(struct hlr *h, const struct hlr_op *op)
{
	struct hlr_result *r = &me.answer[me.answers];

	(void)h;
	if (me.answers == HLR_OPEN_MAX)
		return -ENOBUFS;
	*r = (struct hlr_result){ .id = op->id, .end = HLR_OK, .cs = true, .ps = true, .has_keys = true, .sqn = 32 };
	snprintf(r->msisdn, sizeof(r->msisdn), "%s", op->msisdn);
	if (op->kind == HLR_READ && me.moved)
		snprintf(r->vlr, sizeof(r->vlr), "491770000000");
	me.answers++;
	return 0;
}

static const struct hlr_ops hlr_ops = { .name = "at once", .submit = hlr_submit };

static bool hlr_turn(void)
{
	struct hlr_result r[HLR_OPEN_MAX];
	unsigned n = me.answers;

	memcpy(r, me.answer, n * sizeof(*r));
	me.answers = 0;
	for (unsigned i = 0; i < n; i++)
		desk_on_hlr(me.desk, &r[i]);
	return n > 0;
}

/* ---- the carrier ---- */

static void carry(void *ctx, const char *partner, const char *path, uint64_t seq)
{
	const struct party *to = &party[me.who == A ? B : A];
	char hidden[300], name[300];

	(void)ctx;
	me.packages++;
	if (strcmp(partner, names[SHOP])) {
		snprintf(hidden, sizeof(hidden), "%s/in/.%012" PRIu64, to->desk_dir, seq);
		snprintf(name, sizeof(name), "%s/in/%012" PRIu64, to->desk_dir, seq);
		if (link(path, hidden) || rename(hidden, name))
			die("%s: %s", name, strerror(errno));
		if (write(me.other, "", 1) < 0 && errno != EAGAIN)
			die("%s", strerror(errno));
	}
	desk_carried(me.desk, partner, seq);
}

static void say(void *ctx, int level, const char *line)
{
	(void)ctx;
	if (level < 5 || getenv("BENCH_LOG"))
		fprintf(stderr, "%s <%d> %s\n", names[me.who], level, line);
}

/* ---- up ---- */

static void side_up(enum who who)
{
	const struct store_sqlite_cfg sc = { .dir = party[who].store_dir };
	static const char *const network[PARTIES] = { "", "26201", "26202" };
	struct desk_cfg cfg = { .roles = DESK_MNO, .hlr_poll_ms = POLL_MS, .cntr_margin = 50 };
	struct desk_tables tables = { .kinds = { desk_kinds_a, desk_kinds_b },
				      .works = { works[0], works[1] },
				      .verbs = { desk_verbs_a, desk_verbs_b },
				      .event = { desk_event_a, desk_event_b } };
	struct desk_deps deps = { .env = env_real(), .ks = party[who].ks, .self = party[who].self, .log = say };

	me.who = who;
	me.me = &party[who];
	me.store = store_sqlite_open(&sc, err, sizeof(err));
	if (!me.store)
		die("%s", err);
	me.hlr.ops = &hlr_ops;
	deps.store = me.store;
	deps.hlr = &me.hlr;
	deps.carry = carry;
	works_copy(works[0], desk_works_a);
	works_copy(works[1], desk_works_b);
	snprintf(cfg.dir, sizeof(cfg.dir), "%s", party[who].desk_dir);
	snprintf(cfg.work_profile, sizeof(cfg.work_profile), "m2m-sub");
	strcpy(cfg.pool.imsi_from, "262020000000001");
	strcpy(cfg.pool.imsi_to, "262020009999999");
	strcpy(cfg.pool.msisdn_from, "4915200000001");
	strcpy(cfg.pool.plmns, "26202");
	strcpy(cfg.pool.files, "6f42:ffffffffffffffffffffffffe1ffffffffffffffffffffffff0791947106004034ffffffffff00aa");
	for (unsigned i = 0; i < PARTIES; i++) {
		struct desk_partner *p = &cfg.partner[cfg.n_partners];

		if (i == who)
			continue;
		if (pkg_partner_load(&p->pinned, party[i].file, party[i].file_len, err, sizeof(err)))
			die("%s", err);
		p->roles = roles[i];
		if (*network[i])
			snprintf(p->network[p->networks++], sizeof(p->network[0]), "%s", network[i]);
		cfg.n_partners++;
	}
	me.desk = desk_new_with(&cfg, &deps, &tables, err);
	if (!me.desk)
		die("%s", err);
	desk_start(me.desk, clock_ms(CLOCK_REALTIME));
}

/* ---- A's cards ---- */

static void card_iccid(char iccid[ICCID_DIGITS_MAX + 1], unsigned long i)
{
	snprintf(iccid, ICCID_DIGITS_MAX + 1, "8988211%012lu", (i + 1) % (10ul * LINES_MAX));
}

static void card_add(struct store_batch *batch, unsigned long i)
{
	const struct ks_keyset_spec spec = {
		.kvn = 1, .kic_alg = OTA_ALG_AES_CBC, .kid_alg = OTA_ALG_AES_CBC, .cc_len = 8
	};
	const struct ks_sub_spec sub = { .index = 1, .aka = KS_AKA_MILENAGE, .sqn = 1 };
	struct store_card_insert in = { .n_keysets = 1 };
	struct book_row row = { .book = BOOK_SUB, .len = KS_SUB_LEN };
	char key[5][40];
	uint8_t sealed[KS_SUB_LEN];
	int n;

	card_iccid(in.card.iccid, i);
	for (unsigned k = 0; k < 5; k++)
		snprintf(key[k], sizeof(key[k]), "0123456789abcdef0123456%08lx%x", i & 0xffffffff, k & 0xf);
	snprintf(in.card.imsi, sizeof(in.card.imsi), "26201%010lu", (i + 1) % 10000000000ul);
	snprintf(in.card.msisdn, sizeof(in.card.msisdn), "49151%07lu", (i + 1) % 10000000ul);
	strcpy(in.card.profile, "m2m-sub");
	in.card.created_ms = clock_ms(CLOCK_REALTIME);
	n = ks_keyset_import(me.me->ks, in.card.iccid, &spec, key[0], key[1], key[2], in.keyset[0].sealed, err,
			     sizeof(err));
	if (n < 0 || ks_sub_import(me.me->ks, in.card.iccid, &sub, key[3], key[4], sealed, err, sizeof(err)) < 0)
		die("%s", err);
	in.keyset[0].kvn = 1;
	in.keyset[0].kic_alg = in.keyset[0].kid_alg = OTA_ALG_AES_CBC;
	in.keyset[0].cc_len = 8;
	in.keyset[0].generation = 1;
	in.keyset[0].cntr = 100;
	in.keyset[0].sealed_len = (uint16_t)n;
	snprintf(row.key, sizeof(row.key), "%s/00001", in.card.iccid);
	if (!store_batch_add(batch, ST_CARD_INSERT, &in, NULL, 0) ||
	    !store_batch_add(batch, ST_BOOK_PUT, &row, sealed, sizeof(sealed)))
		die("no memory");
}

static void cards_import(void)
{
	struct store_batch *batch = store_batch_new();

	for (unsigned long i = 0; i < lines; i++) {
		card_add(batch, i);
		if (i + 1 < lines && (i + 1) % IMPORT_BATCH)
			continue;
		batch->strict = true;
		if (store_commit_wait(me.store, batch) || batch->rolled_back)
			die("import of cards: %s", batch->why);
		store_batch_reset(batch);
	}
	store_batch_free(batch);
}

/* ---- what the parent asks ---- */

static bool rest(void)
{
	const struct desk_engine *e = me.desk->e;

	return e->started && e->run.stage == RUN_IDLE && !e->n_unacked && !e->events && !e->slots_open && !me.answers &&
	       !e->in_look && e->in_at == e->in_names && e->incoming.phase == IN_NONE &&
	       desk_next_due(me.desk) > clock_ms(CLOCK_REALTIME);
}

static uint64_t count(uint8_t step)
{
	static struct store_book_count out[_LINE_STEPS];
	struct store_query q = { .kind = Q_BOOK_COUNT,
				 .book = BOOK_LINE,
				 .id = desk_number(names[SHOP], ORDER),
				 .limit = _LINE_STEPS,
				 .out = out };

	if (store_query_wait(me.store, &q))
		die("%s", q.why);
	for (unsigned i = 0; i < q.n; i++)
		if (out[i].step == step)
			return out[i].n;
	return 0;
}

/* The highest the process had since it was asked to begin. */
static long high_kib(bool again)
{
	FILE *f = fopen(again ? "/proc/self/clear_refs" : "/proc/self/status", again ? "we" : "re");
	char text[128];
	long kib = 0;

	if (again && f)
		fputs("5", f);
	while (!again && f && fgets(text, sizeof(text), f))
		sscanf(text, "VmHWM: %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

static double cpu_s(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static bool asked(void)
{
	struct desk_stats st;
	struct question q;
	struct answer a;

	memset(&a, 0, sizeof(a));
	all(me.asked, &q, sizeof(q), false);
	if (q.ask == ASK_IMPORT)
		cards_import();
	else if (q.ask == ASK_BEGIN)
		high_kib(true);
	else if (q.ask == ASK_TAKE)
		desk_take_file(me.desk, "so", err);
	else if (q.ask == ASK_OPEN)
		gate_open(q.gate);
	else if (q.ask == ASK_COUNT)
		a.count = count(q.step);
	desk_stats(me.desk, &st);
	a.rest = rest();
	a.cpu_s = cpu_s();
	a.high_kib = high_kib(false);
	a.commits = st.commits;
	a.packages = me.packages;
	a.refused = st.refused;
	snprintf(a.alarm, sizeof(a.alarm), "%.159s", st.alarm ? st.alarm : "");
	all(me.asked, &a, sizeof(a), true);
	return q.ask != ASK_END;
}

static void side_wait(void)
{
	const int64_t due_ms = desk_next_due(me.desk), now_ms = clock_ms(CLOCK_REALTIME);
	struct pollfd fd[3] = { { .fd = me.asked, .events = POLLIN },
				{ .fd = me.other, .events = POLLIN },
				{ .fd = me.store->ops->fd(me.store), .events = POLLIN } };

	poll(fd, 3, due_ms <= now_ms ? 1 : due_ms - now_ms < 1000 ? (int)(due_ms - now_ms) : 1000);
}

static void side_run(enum who who, int asked_fd, int other)
{
	char bin[4096];
	bool on = true;

	side_up(who);
	me.asked = asked_fd;
	me.other = other;
	while (on) {
		struct pollfd fd = { .fd = me.asked, .events = POLLIN };
		unsigned n = 0;

		if (read(me.other, bin, sizeof(bin)) > 0)
			desk_take_file(me.desk, "any", err);
		me.store->ops->poll(me.store);
		while (n < TURN_STEPS && desk_step(me.desk, clock_ms(CLOCK_REALTIME)))
			n++;
		if (desk_fatal(me.desk))
			die("%s: %s", names[who], desk_fatal(me.desk));
		if (!hlr_turn() && !n)
			side_wait();
		if (poll(&fd, 1, 0) > 0)
			on = asked();
	}
	me.store->ops->close(me.store);
	desk_free(me.desk);
}

/* ======================================================================== the parent */

static struct answer ask(enum who who, struct question q)
{
	struct answer a;

	all(party[who].ask, &q, sizeof(q), true);
	all(party[who].ask, &a, sizeof(a), false);
	return a;
}

static void party_make(enum who who)
{
	uint8_t kek[32] = "0123456789abcdef0123456789ABCDE", *sealed;
	const struct ks_open_params p = { .source = KS_KEK_MEMORY, .kek = kek, .slots = 64 };
	struct party *w = &party[who];
	size_t sealed_len;

	kek[31] = (uint8_t)who;
	if (ks_open(&w->ks, &p, NULL, 0, NULL, err, sizeof(err)) ||
	    pkg_self_create(w->ks, names[who], clock_ms(CLOCK_REALTIME) / 1000 - 60, &w->file, &w->file_len, &sealed,
			    &sealed_len, err, sizeof(err)) ||
	    pkg_self_load(&w->self, w->ks, w->file, w->file_len, sealed, sealed_len, err, sizeof(err)))
		die("%s: %s", names[who], err);
	free(sealed);
	snprintf(w->dir, sizeof(w->dir), "%s/%s", top, names[who]);
	snprintf(w->store_dir, sizeof(w->store_dir), "%s/%s/store", top, names[who]);
	snprintf(w->desk_dir, sizeof(w->desk_dir), "%s/%s/desk", top, names[who]);
	if (mkdir(w->dir, 0700) || mkdir(w->store_dir, 0700) || mkdir(w->desk_dir, 0700))
		die("%s: %s", w->dir, strerror(errno));
}

static void sides_start(void)
{
	int asks[2][2], notes[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, notes))
		die("%s", strerror(errno));
	for (unsigned i = 0; i < 2; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, asks[i]))
			die("%s", strerror(errno));
		party[A + i].pid = fork();
		if (party[A + i].pid < 0)
			die("%s", strerror(errno));
		if (!party[A + i].pid) {
			close(asks[i][0]);
			close(notes[1 - i]);
			side_run(A + i, asks[i][1], notes[i]);
			_exit(0);
		}
		close(asks[i][1]);
		party[A + i].ask = asks[i][0];
	}
	close(notes[0]);
	close(notes[1]);
}

/* The swap order, as the shop writes it. */
static void order_write(enum who to)
{
	const int64_t now_s = clock_ms(CLOCK_REALTIME) / 1000;
	const struct xchg_schema *s = xchg_schema_of(XCHG_SO);
	struct pkg_head h = {
		.seq = 1, .created_s = now_s - 1, .expires_s = now_s + UNTIL_S, .type = "SO", .order = ORDER
	};
	struct pkg_partner *p;
	struct pkg_writer *w;
	char hidden[300], path[300], line[PKG_RECORD_MAX], iccid[ICCID_DIGITS_MAX + 1];

	strcpy(h.from, names[SHOP]);
	strcpy(h.to, names[to]);
	xchg_columns_text(s, h.columns);
	snprintf(hidden, sizeof(hidden), "%s/so.part", party[to].dir);
	snprintf(path, sizeof(path), "%s/in/so", party[to].desk_dir);
	if (pkg_partner_load(&p, party[to].file, party[to].file_len, err, sizeof(err)) ||
	    pkg_write_open(&w, hidden, &h, party[SHOP].self, p, err, sizeof(err)))
		die("%s", err);
	for (unsigned long i = 0; i < lines; i++) {
		card_iccid(iccid, mixed ? (unsigned long)(i * MIX % lines) : i);
		snprintf(line, sizeof(line), "%s,3a,deliver-then-activate,%s,%s,,%" PRId64, iccid, names[A], names[B],
			 now_s + UNTIL_S);
		if (pkg_write_record(w, line, err, sizeof(err)))
			die("%s", err);
	}
	if (pkg_write_close(w, NULL, err, sizeof(err)) || rename(hidden, path))
		die("%s: %s", path, err);
	pkg_partner_free(p);
}

/* Octets of a folder's files; a file that has several names counts in each. */
static double octets(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *en;
	double sum = 0;

	while (d && (en = readdir(d))) {
		struct stat st;
		char path[600];

		if (en->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, en->d_name);
		if (stat(path, &st))
			continue;
		sum += S_ISDIR(st.st_mode) ? octets(path) : (double)st.st_size;
	}
	if (d)
		closedir(d);
	return sum;
}

static const struct phase {
	const char *name;
	uint8_t gate[2];  /* step of A's and of B's work that begins; 0: none */
	uint8_t until[2]; /* where all lines are at its end; 0: wherever */
	enum who order;	  /* SHOP: none; else: the swap order comes in there */
} phases[] = {
	{ "SO into A", .until = { A_OPEN, 0 }, .order = A },
	{ "SO into B", .until = { A_OPEN, B_OPEN }, .order = B },
	{ "IL", { 0, B_OPEN }, { A_PLACED, B_LISTED } },
	{ "PL", { A_PLACED, 0 }, { A_STAGE, B_ASKED } },
	{ "(as if staged)", { A_STAGE, 0 }, { A_HAND, B_ASKED } },
	{ "HL3a provisional", { A_HAND, 0 }, { A_STAGED, B_KEYED } },
	{ "HLR, CF ready", { 0, B_KEYED }, { A_ARM, B_READY } },
	{ "(as if armed)", { A_ARM, 0 }, { A_ARMED, B_READY } },
	{ "E5, CF served", { 0, B_READY }, { A_DUE, B_SERVED } },
	{ "HL3a final, keys", { A_DUE, 0 }, { A_SERVED, B_CONFIRM } },
	{ "CF confirmed", { 0, B_CONFIRM }, { A_LIST, B_CONFIRMED } },
	{ "HL3a final, ends", { A_LIST, 0 }, { A_PURGE, B_CLOSED } },
	{ "old IMSI removed", { A_PURGE, 0 }, { A_CLOSED, B_CLOSED } },
};

static void pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

/* Both are at rest, and all lines are where they should be. */
static void phase_wait(const struct phase *p)
{
	int64_t moved_ms = clock_ms(CLOCK_MONOTONIC);
	uint64_t was = 0;

	for (;;) {
		struct answer a = ask(A, (struct question){ .ask = ASK_REST }),
			      b = ask(B, (struct question){ .ask = ASK_REST });
		uint64_t n[2] = { lines, lines };

		if (a.commits + b.commits != was)
			moved_ms = clock_ms(CLOCK_MONOTONIC);
		was = a.commits + b.commits;
		if (a.rest && b.rest) {
			for (unsigned i = 0; i < 2; i++)
				if (p->until[i])
					n[i] = ask(A + i, (struct question){ .ask = ASK_COUNT, .step = p->until[i] })
						       .count;
			if (n[0] == lines && n[1] == lines)
				return;
			if (clock_ms(CLOCK_MONOTONIC) - moved_ms > STUCK_MS || a.refused || b.refused)
				die("%s: stuck: %" PRIu64 " lines are at %s at A, %" PRIu64 " at %s at B; %s %s",
				    p->name, n[0], line_step_name(p->until[0]), n[1], line_step_name(p->until[1]),
				    a.alarm, b.alarm);
			pause_ms(COUNT_MS);
		}
		pause_ms(ASK_MS);
	}
}

static long phase_run(const struct phase *p)
{
	struct answer was[2], now[2];
	int64_t from_ms;
	double s;

	if (p->order)
		order_write(p->order);
	for (unsigned i = 0; i < 2; i++)
		was[i] = ask(A + i, (struct question){ .ask = ASK_BEGIN });
	from_ms = clock_ms(CLOCK_MONOTONIC);
	if (p->order)
		ask(p->order, (struct question){ .ask = ASK_TAKE });
	for (unsigned i = 0; i < 2; i++)
		if (p->gate[i])
			ask(A + i, (struct question){ .ask = ASK_OPEN, .gate = p->gate[i] });
	phase_wait(p);
	s = (double)(clock_ms(CLOCK_MONOTONIC) - from_ms) / 1e3;
	for (unsigned i = 0; i < 2; i++)
		now[i] = ask(A + i, (struct question){ .ask = ASK_REST });
	printf("%-18s %8.0f %7.1f %7.1f %7" PRIu64 " %7" PRIu64 " %6" PRIu64 " %6" PRIu64 " %7.1f %7.1f\n", p->name,
	       (double)lines / s, (now[0].cpu_s - was[0].cpu_s) * 1e6 / (double)lines,
	       (now[1].cpu_s - was[1].cpu_s) * 1e6 / (double)lines, now[0].commits - was[0].commits,
	       now[1].commits - was[1].commits, now[0].packages - was[0].packages, now[1].packages - was[1].packages,
	       (double)now[0].high_kib / 1024, (double)now[1].high_kib / 1024);
	fflush(stdout);
	return now[0].high_kib > now[1].high_kib ? now[0].high_kib : now[1].high_kib;
}

static void import(void)
{
	int64_t from_ms = clock_ms(CLOCK_MONOTONIC);
	struct answer was = ask(A, (struct question){ .ask = ASK_BEGIN }),
		      now = ask(A, (struct question){ .ask = ASK_IMPORT });

	printf("%-18s %8.0f %7.1f %7s %7s %7s %6s %6s %7.1f\n", "cards into A",
	       (double)lines * 1e3 / (double)(clock_ms(CLOCK_MONOTONIC) - from_ms),
	       (now.cpu_s - was.cpu_s) * 1e6 / (double)lines, "", "", "", "", "", (double)now.high_kib / 1024);
}

int main(int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR");
	long high = 0, one;
	bool failed = false;

	if (argc > 1)
		lines = strtoul(argv[1], NULL, 10);
	mixed = argc > 2 && !strcmp(argv[2], "mixed");
	if (argc > 2 + mixed || !lines || lines > LINES_MAX) {
		fprintf(stderr, "usage: bench_handover [LINES (1..%d)] [mixed]\n", LINES_MAX);
		return 1;
	}
	snprintf(top, sizeof(top), "%.90s/otagw-handover-XXXXXX", tmp ? tmp : "/var/tmp");
	if (!mkdtemp(top))
		die("%s: %s", top, strerror(errno));
	owner = getpid();
	for (enum who w = SHOP; w < PARTIES; w++)
		party_make(w);
	sides_start();
	printf("%lu cards, order of kind 3a; MiB: the most memory in a phase\n", lines);
	printf("%-18s %8s %15s %15s %13s %15s\n", "", "", "us CPU per line", "commits", "packages", "MiB");
	printf("%-18s %8s %7s %7s %7s %7s %6s %6s %7s %7s\n", "", "lines/s", "A", "B", "A", "B", "A", "B", "A", "B");
	import();
	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		one = phase_run(&phases[i]);
		high = one > high ? one : high;
	}
	for (enum who w = A; w <= B; w++) {
		int status = 0;

		ask(w, (struct question){ .ask = ASK_END });
		waitpid(party[w].pid, &status, 0);
		failed |= status != 0;
		printf("%s: %.0f octets of database per line, %.0f of packages\n", names[w],
		       octets(party[w].store_dir) / (double)lines, octets(party[w].desk_dir) / (double)lines);
	}
	printf("memory: %.1f MiB, goal: below %d MiB, %s\n", (double)high / 1024, GOAL_KIB / 1024,
	       high < GOAL_KIB ? "met" : "missed");
	tree_remove(top);
	return failed ? 1 : high < GOAL_KIB ? 0 : 2;
}
