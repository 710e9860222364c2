/* test_front_disk.c - core and front on a store whose disk fails: submits stop, the alarm says what to do, all goes on.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The real store on a disk that does what it is told (tests/store/fault_vfs.c).  The link is played by hand: what may leave
 * is asked for, what comes in is posted.
 */
#include <errno.h>
#include <sqlite3.h>
#include <unistd.h>

#include "fault_vfs.h"
#include "front_fix.h"

#define CARDS	  6
#define TURNS	  200
#define STEP_MS	  5000 /* the longest time between two tries */
#define LATER_MAX 400

struct disk {
	struct front *f;
	char dir[64];
	uint64_t token[64]; /* of what has left */
	unsigned n;
};

static void has(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text ? text : "(nothing)");
}

static void post_link(struct front *f, enum link_event_kind kind, uint64_t token, const char *from)
{
	struct gw_event ev = { .kind = GW_EV_LINK, .ev = { .kind = kind, .token = token } };

	snprintf(ev.ev.from.digits, sizeof(ev.ev.from.digits), "%s", from);
	ev.ev.from.npi = 1;
	assert_int_equal(gw_post(f->gw, &ev), 0);
}

static void ready(struct front *f)
{
	char csv[2048] = "ICCID,IMSI\n", iccid[21];

	for (unsigned i = 0; i < CARDS; i++) {
		size_t n = strlen(csv);

		snprintf(csv + n, sizeof(csv) - n, "%s,00102%010u\n", fix_iccid(iccid, i), i);
	}
	assert_int_equal(front_create(f, "swap", "usim-rfm", false), 200);
	assert_int_equal(front_lines(f, "swap", NULL, 1, csv), 200);
	assert_int_equal(front_finish(f, "swap", NULL), 200);
}

static int disk_in(void **state)
{
	struct disk *d = calloc(1, sizeof(*d));

	snprintf(d->dir, sizeof(d->dir), "/tmp/otagw-disk-XXXXXX");
	if (!mkdtemp(d->dir))
		return -1;
	fv_install();
	d->f = front_new_at(PROFILE_DIR, d->dir);
	fix_cards(d->f, CARDS);
	ready(d->f);
	post_link(d->f, LINK_EV_UP, 0, "");
	*state = d;
	return 0;
}

static int disk_out(void **state)
{
	static const char *const files[] = { "otagw.db", "otagw.db-wal", "otagw.db-shm", "otagw.lock" };
	struct disk *d = *state;
	char path[128];

	front_free(d->f);
	fv_remove();
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", d->dir, files[i]);
		unlink(path);
	}
	rmdir(d->dir);
	free(d);
	return 0;
}

/* Takes what may leave; how many short messages. */
static unsigned drain(struct disk *d)
{
	struct link_submit out;
	uint8_t ud[LINK_UD_MAX];
	unsigned n = 0;

	while (gw_submit_next(d->f->gw, 0, 64, d->f->now_ms, &out, ud)) {
		assert_true(d->n < sizeof(d->token) / sizeof(d->token[0]));
		d->token[d->n++] = out.token;
		n++;
	}
	return n;
}

static void show(struct front *f)
{
	api_campaign_show(f->api, "swap", front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 200);
}

static const char *alarm_now(struct front *f)
{
	show(f);
	return front_s(f, "alarm");
}

static bool turn_until(struct disk *d, bool (*what)(struct disk *d))
{
	for (int i = 0; i < TURNS; i++) {
		front_turn(d->f);
		if (what(d))
			return true;
	}
	return false;
}

static bool alarmed(struct disk *d)
{
	return gw_alarm(d->f->gw) != NULL;
}

static bool calm(struct disk *d)
{
	return !alarmed(d);
}

static bool leaves(struct disk *d)
{
	return drain(d) > 0;
}

static bool answered(struct disk *d)
{
	return d->f->answers > 0;
}

static const struct trouble {
	struct fv_fault fault;
	const char *words[3];
} troubles[] = {
	{ { FV_WRITE, 1, true, SQLITE_FULL, ENOSPC }, { "disk full", "free space", "tries again every 5 s" } },
	{ { FV_WRITE, 1, true, SQLITE_IOERR_WRITE, EFBIG }, { "size limit", "LimitFSIZE", "nothing is lost" } },
	{ { FV_SYNC, 1, true, SQLITE_IOERR_FSYNC, EIO }, { "I/O error while flushing", "dmesg", "nothing is sent" } },
	{ { FV_WRITE, 1, true, SQLITE_IOERR_WRITE, EROFS }, { "read-only", "writable again", "nothing is lost" } },
	{ { FV_WRITE, 1, true, SQLITE_BUSY }, { "locked by another program", "end that", "tries again every 5 s" } },
};

/* Nothing leaves while the disk refuses; who looks reads why; when it takes writes again all goes on by itself. */
static void one_trouble(struct disk *d, const struct trouble *t)
{
	struct front *f = d->f;
	struct gw_stats before, after;

	fv_arm(&t->fault);
	api_campaign_verb(f->api, "swap", CAMPAIGN_VERB_START, front_to(f));
	assert_true(turn_until(d, alarmed));
	assert_false(answered(d));
	for (unsigned i = 0; i < sizeof(t->words) / sizeof(t->words[0]); i++)
		has(gw_alarm(f->gw), t->words[i]);
	has(gw_alarm(f->gw), d->dir);
	gw_stats(f->gw, &before);
	for (int i = 0; i < 3; i++) { /* it is tried again and again */
		f->now_ms += STEP_MS;
		front_turn(f);
		front_turn(f);
		assert_false(answered(d));
		assert_int_equal(drain(d), 0);
	}
	gw_stats(f->gw, &after);
	assert_true(after.commit_failures > before.commit_failures);
	assert_true(after.store_alarm);

	fv_disarm();
	f->now_ms += STEP_MS;
	assert_true(turn_until(d, answered));
	assert_int_equal(f->status, 200);
	assert_true(turn_until(d, calm));
	assert_null(alarm_now(f));
}

static void test_troubles(void **state)
{
	struct disk *d = *state;

	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++) {
		one_trouble(d, &troubles[i]);
		if (!i) { /* the first has started it: what was prepared leaves now */
			assert_true(turn_until(d, leaves));
			assert_true(d->n <= CARDS * OTA_SEGMENTS_MAX);
		}
		api_campaign_verb(d->f->api, "swap", CAMPAIGN_VERB_PAUSE, front_to(d->f));
		front_wait(d->f);
	}
	has(d->f->log, "disk full");
	has(d->f->log, "submits go on");
}

/* In the middle of it: messages have left, their outcomes and a message from outside come in while the disk is full. */
static void test_outcomes_kept(void **state)
{
	struct disk *d = *state;
	struct front *f = d->f;
	struct store_query q;
	static struct store_story story[8];
	unsigned left;

	assert_int_equal(front_verb(f, "swap", CAMPAIGN_VERB_START), 200);
	assert_true(turn_until(d, leaves));
	left = d->n;
	fv_arm(&troubles[0].fault);
	for (unsigned i = 0; i < left; i++)
		post_link(f, LINK_EV_ACCEPTED, d->token[i], "");
	post_link(f, LINK_EV_MO, 99, "491799999999");
	assert_true(turn_until(d, alarmed));
	show(f);
	has(front_s(f, "alarm"), "free space");
	assert_true(json_is_null(json_object_get(f->json, "eta_s")));
	fv_disarm();
	f->now_ms += STEP_MS;
	assert_true(turn_until(d, calm));
	front_restart(f); /* only what is durable counts from here */
	q = (struct store_query){ .kind = Q_CARD_STORY, .out = story, .limit = 8 };
	assert_int_equal(store_query_wait(f->store, &q), STORE_OK);
	assert_int_equal(q.n, 1); /* the message from nobody's number */
	show(f);
	assert_int_equal(front_n(f, "sms_parts"), left);
}

/* Each call of the disk fails once, somewhere between start and the last outcome: every card gets its command once. */
static bool all_sent(struct disk *d)
{
	struct gw_campaign_view v;
	uint64_t id;

	assert_true(gw_campaign_find(d->f->gw, "swap", &id) && gw_campaign_view(d->f->gw, id, &v));
	return v.in_flight == CARDS;
}

static void read_card(struct disk *d, uint64_t card, struct card_bundle *out)
{
	struct store_query q = { .kind = Q_CARD, .id = card, .out = out, .limit = 1 };

	assert_int_equal(store_query_wait(d->f->store, &q), STORE_OK);
	assert_int_equal(q.n, 1);
}

/* And durable. */
static bool all_stored(struct disk *d)
{
	static struct card_bundle out;

	for (uint64_t card = 1; card <= CARDS; card++) {
		read_card(d, card, &out);
		if (!out.n_cmds || out.cmd[0].state != CMD_SENT)
			return false;
	}
	return true;
}

static void check_cards(struct disk *d)
{
	static struct card_bundle out;

	for (uint64_t card = 1; card <= CARDS; card++) {
		read_card(d, card, &out);
		assert_int_equal(out.n_cmds, 1);
		assert_int_equal(out.cmd[0].attempt, 1);
		assert_int_equal(out.cmd[0].cntr, 100);
		assert_int_equal(out.keyset[0].cntr, 100);
		assert_int_equal(out.cmd[0].state, CMD_SENT);
	}
}

static bool one_fault(unsigned nth, int error)
{
	struct disk *d;
	void *state;
	bool hit;

	assert_int_equal(disk_in(&state), 0);
	d = state;
	fv_arm(&(struct fv_fault){ FV_WRITE | FV_SYNC | FV_READ, .nth = nth, .error = error, .half = true });
	api_campaign_verb(d->f->api, "swap", CAMPAIGN_VERB_START, front_to(d->f));
	for (int i = 0; i < LATER_MAX && !all_sent(d); i++) {
		unsigned from = d->n;

		front_turn(d->f);
		drain(d);
		for (; from < d->n; from++)
			post_link(d->f, LINK_EV_ACCEPTED, d->token[from], "");
		d->f->now_ms += 50; /* tries that wait come due */
	}
	hit = fv_faults() > 0;
	fv_disarm();
	d->f->now_ms += STEP_MS;
	if (!turn_until(d, calm) || !all_sent(d) || !turn_until(d, all_stored)) {
		show(d->f);
		fail_msg("call %u: not all cards have been sent to: %s\n%s", nth, d->f->text, d->f->log);
	}
	front_restart(d->f);
	check_cards(d);
	disk_out(&state);
	return hit;
}

static void test_every_call(void **state)
{
	static const int errors[] = { SQLITE_FULL, SQLITE_IOERR };
	unsigned nth;

	for (unsigned i = 0; i < 2; i++) {
		for (nth = 1; nth < LATER_MAX && one_fault(nth, errors[i]); nth++)
			;
		assert_true(nth > 5 && nth < LATER_MAX);
	}
}

/* A page that only a report has met: the report is refused, and it stays an alarm. */
static void test_damage_met_by_a_question(void **state)
{
	struct disk *d = *state;
	struct front *f = d->f;

	char iccid[21];

	assert_int_equal(front_verb(f, "swap", CAMPAIGN_VERB_START), 200);
	assert_true(turn_until(d, leaves));
	front_restart(f); /* little is in its memory now */
	fv_arm(&(struct fv_fault){ FV_READ, .nth = 1, .lasting = true, .error = SQLITE_IOERR_DATA });
	api_card_show(f->api, fix_iccid(iccid, 0), front_to(f));
	front_wait(f);
	fv_disarm();
	assert_int_equal(f->status, 503);
	has(f->text, "damaged");
	has(f->text, "otagwd --restored");
	has(f->text, d->dir);
	has(alarm_now(f), "damaged");
}

static bool given_up(struct disk *d)
{
	return gw_fatal(d->f->gw) != NULL;
}

static void read_bad(void)
{
	fv_arm(&(struct fv_fault){ FV_READ, .nth = 1, .lasting = true, .error = SQLITE_IOERR_DATA });
}

static void must_give_up(struct disk *d)
{
	assert_true(turn_until(d, given_up));
	fv_disarm();
	has(gw_fatal(d->f->gw), d->dir);
	has(gw_fatal(d->f->gw), "damaged");
	has(gw_fatal(d->f->gw), "otagwd --restored");
	for (int i = 0; i < 10; i++) { /* readable again or not: what it has read may be wrong */
		d->f->now_ms += STEP_MS;
		front_turn(d->f);
	}
	assert_true(given_up(d));
	assert_int_equal(drain(d), 0);
}

/* A damaged page that the core meets: it gives up in words, and nothing leaves any more. */
static void test_damage_met_by_the_core(void **state)
{
	struct disk *d = *state;

	front_restart(d->f); /* little is in its memory now */
	post_link(d->f, LINK_EV_UP, 0, "");
	read_bad();
	api_campaign_verb(d->f->api, "swap", CAMPAIGN_VERB_START, front_to(d->f));
	must_give_up(d); /* the order was committed before, or not */
	front_restart(d->f);
	post_link(d->f, LINK_EV_UP, 0, "");
	(void)front_verb(d->f, "swap", CAMPAIGN_VERB_START); /* 200, or it runs already */
	assert_true(turn_until(d, leaves));		     /* a good disk is all it needed */
	front_restart(d->f);
	post_link(d->f, LINK_EV_UP, 0, "");
	read_bad();
	post_link(d->f, LINK_EV_MO, 99, "4915100000000");
	must_give_up(d);
}

int main(void)
{
#define D(name) cmocka_unit_test_setup_teardown(name, disk_in, disk_out)
	const struct CMUnitTest tests[] = { D(test_troubles), D(test_outcomes_kept), D(test_damage_met_by_a_question),
					    D(test_damage_met_by_the_core), cmocka_unit_test(test_every_call) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
