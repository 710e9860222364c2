/* test_hlr_template.c - the adapter to any other register: a small program of the test's, well-behaved and not.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hlr.h"

#define IMSI	"001020000000501"
#define ICCID	"8988211000000000012"
#define K1	"465b5ce8b199b49faa5f0a2ee238a6bc"
#define OPC1	"cd63cb71954a9f4e48a5994e37a02baf"
#define CHECK1	"54d208ea3fb22950" /* of K1 and OPC1 */
#define WAIT_MS 10000		   /* a test that waits longer has failed */

/* A register in a folder: a file per subscriber.  A file "mood" makes it misbehave. */
static const char program[] =
	"#!/bin/sh\n"
	"cd '%s' || exit 1\n"
	"[ -z \"$SECRET\" ] || echo 0 leak\n"
	"while read -r n verb imsi k opc msisdn; do\n"
	" mood=none; [ -f mood ] && read -r mood < mood\n"
	" case $mood in silent) continue ;; dies) exit 0 ;; rubbish) echo what; continue ;;\n"
	"  refuses) echo $n refused no more of $k; continue ;; away) echo $n temporary; continue ;; esac\n"
	" case $verb in\n"
	" get) if [ -n \"$k\" ] && [ -f c.$imsi ] && [ \"$k\" != \"$(cat c.$imsi)\" ]; then echo $n refused other "
	"keys\n"
	"  elif [ -f s.$imsi ]; then echo $n ok $(cat s.$imsi) more=said; else echo $n absent; fi ;;\n"
	" add) [ $mood = lies ] && msisdn=4999\n"
	"  [ \"$msisdn\" = 491510666 ] && { echo $n taken; continue; }\n"
	"  echo \"$k,$opc\" > k.$imsi; echo msisdn=$msisdn cs=1 ps=1 keys=1 sqn=0 vlr= > s.$imsi; echo $n ok ;;\n"
	" num) msisdn=$k; if [ \"$k\" = 491510666 ]; then echo $n taken; elif [ -f s.$imsi ]; then echo msisdn=$msisdn "
	"cs=1 ps=1 keys=1 sqn=32 vlr=901700000 > s.$imsi\n"
	"  echo $n ok; else echo $n absent; fi ;;\n"
	" del) if [ -n \"$k\" ] && [ -f c.$imsi ] && [ \"$k\" != \"$(cat c.$imsi)\" ]; then echo $n refused other "
	"keys\n"
	"  elif [ -f s.$imsi ]; then rm -f c.$imsi; rm s.$imsi k.$imsi; echo $n ok; else echo $n absent; fi ;;\n"
	" esac\n"
	"done\n";

struct bed {
	char dir[64], prog[96], tpl_path[96], log[500];
	struct event_base *base;
	struct ks *ks;
	struct hlr *hlr;
	struct hlr_template tpl;
	struct hlr_result last[64];
	unsigned results, lines;
};

static void put(const struct bed *b, const char *name, mode_t mode, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", b->dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void gone(const struct bed *b, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", b->dir, name);
	unlink(path);
}

static void on_result(void *ctx, const struct hlr_result *r)
{
	struct bed *b = ctx;

	assert_true(b->results < 64);
	b->last[b->results++] = *r;
}

static void on_log(void *ctx, int level, const char *line)
{
	struct bed *b = ctx;

	(void)level;
	b->lines++;
	snprintf(b->log, sizeof(b->log), "%s", line);
}

static void stop(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(ctx);
}

/* Turns the loop until cond, bounded. */
#define WAIT_FOR(b, cond)                                                          \
	do {                                                                       \
		const struct timeval tick = { 0, 10000 };                          \
		for (int left = WAIT_MS / 10; !(cond) && left; left--) {           \
			struct event *t = evtimer_new((b)->base, stop, (b)->base); \
			evtimer_add(t, &tick);                                     \
			event_base_dispatch((b)->base);                            \
			event_free(t);                                             \
		}                                                                  \
		if (!(cond))                                                       \
			fail_msg("waited for %s; last log: %s", #cond, (b)->log);  \
	} while (0)

static int setup(void **state)
{
	static const uint8_t kek[32] = "0123456789abcdef0123456789ABCDEF";
	const struct ks_open_params p = { .source = KS_KEK_MEMORY, .kek = kek, .slots = 4 };
	struct bed *b = calloc(1, sizeof(*b));
	char text[2048], err[300] = "";

	b->base = event_base_new();
	assert_int_equal(ks_open(&b->ks, &p, NULL, 0, NULL, err, sizeof(err)), 0);
	strcpy(b->dir, "/tmp/otagw-tpl-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->prog, sizeof(b->prog), "%s/prog", b->dir);
	snprintf(b->tpl_path, sizeof(b->tpl_path), "%s/tpl", b->dir);
	snprintf(text, sizeof(text), program, b->dir);
	put(b, "prog", 0700, text);
	snprintf(text, sizeof(text),
		 "# a register in a folder\nprogram %s\n\nread get {imsi} {check}\nprovision add {imsi} {k} {opc} "
		 "{msisdn}\n"
		 "msisdn num {imsi} {msisdn}\nremove del {imsi} {check}\n",
		 b->prog);
	put(b, "tpl", 0600, text);
	if (hlr_template_read(&b->tpl, b->tpl_path, err, sizeof(err)))
		fail_msg("%s", err);
	setenv("SECRET", "1", 1); /* is not for the program */
	b->hlr = hlr_template_new(&(struct hlr_template_cfg){ .tpl = &b->tpl,
							      .timeout_ms = 300,
							      .restart_ms = 20,
							      .restart_max_ms = 100 },
				  b->base, b->ks, on_result, on_log, b);
	assert_non_null(b->hlr);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	b->hlr->ops->free(b->hlr);
	event_base_free(b->base);
	ks_close(b->ks);
	gone(b, "prog");
	gone(b, "tpl");
	gone(b, "mood");
	gone(b, "s." IMSI);
	gone(b, "k." IMSI);
	assert_int_equal(rmdir(b->dir), 0);
	free(b);
	return 0;
}

static const char *bridge = "";

static struct hlr_result *run_op(struct bed *b, enum hlr_kind kind, const char *msisdn)
{
	struct hlr_op op = { .id = b->results + 100, .kind = kind, .imsi = IMSI, .iccid = ICCID };
	unsigned before = b->results;
	char k[] = K1, opc[] = OPC1, err[200];

	snprintf(op.msisdn, sizeof(op.msisdn), "%s", msisdn);
	snprintf(op.bridge, sizeof(op.bridge), "%s", bridge);
	op.keyed = (kind == HLR_REMOVE || kind == HLR_READ) && !strcmp(msisdn, "keyed");
	if (op.keyed)
		op.msisdn[0] = '\0';
	if (kind == HLR_PROVISION || op.keyed)
		assert_int_equal(ks_sub_import(b->ks, ICCID,
					       &(struct ks_sub_spec){ .index = 1, .aka = KS_AKA_MILENAGE, .sqn = 1 }, k,
					       opc, op.sub, err, sizeof(err)),
				 KS_SUB_LEN);
	assert_int_equal(b->hlr->ops->submit(b->hlr, &op), 0);
	WAIT_FOR(b, b->results == before + 1);
	assert_int_equal(b->last[before].id, op.id);
	return &b->last[before];
}

static void test_operations(void **state)
{
	struct bed *b = *state;
	struct hlr_result *r;
	char path[128], text[100] = "";
	FILE *f;

	assert_int_equal(run_op(b, HLR_READ, "")->end, HLR_ABSENT);
	assert_int_equal(run_op(b, HLR_MSISDN, "491510002")->end, HLR_ABSENT);
	for (int twice = 0; twice < 2; twice++) {
		r = run_op(b, HLR_PROVISION, "491510001");
		if (r->end != HLR_OK)
			fail_msg("%s", r->why);
		assert_string_equal(r->msisdn, "491510001");
		assert_true(r->cs && r->ps && r->has_keys);
		assert_string_equal(r->vlr, "");
	}
	snprintf(path, sizeof(path), "%s/k." IMSI, b->dir); /* K and OPc have arrived */
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_string_equal(text, K1 "," OPC1 "\n");
	assert_int_equal(run_op(b, HLR_MSISDN, "491510666")->end, HLR_TAKEN);
	assert_int_equal(run_op(b, HLR_PROVISION, "491510666")->end, HLR_REFUSED);
	bridge = "491510003";
	r = run_op(b, HLR_PROVISION, "491510666");
	assert_int_equal(r->end, HLR_OK);
	assert_true(r->bridged);
	assert_string_equal(r->msisdn, bridge);
	bridge = "";
	r = run_op(b, HLR_MSISDN, "491510002");
	assert_int_equal(r->end, HLR_OK);
	r = run_op(b, HLR_READ, "");
	assert_string_equal(r->msisdn, "491510002");
	assert_string_equal(r->vlr, "901700000");
	assert_int_equal(r->sqn, 32);
	put(b, "c." IMSI, 0600, "0123456789abcdef\n");
	assert_int_equal(run_op(b, HLR_READ, "keyed")->end, HLR_REFUSED);
	assert_int_equal(run_op(b, HLR_READ, "")->end, HLR_OK);
	r = run_op(b, HLR_REMOVE, "keyed");
	assert_int_equal(r->end, HLR_REFUSED); /* it has other keys, says the program by their check value */
	assert_string_equal(r->why, "other keys");
	put(b, "c." IMSI, 0600, CHECK1 "\n");
	assert_int_equal(run_op(b, HLR_READ, "keyed")->end, HLR_OK);
	assert_int_equal(run_op(b, HLR_REMOVE, "keyed")->end, HLR_OK);
	for (int twice = 0; twice < 2; twice++)
		assert_int_equal(run_op(b, HLR_REMOVE, "")->end, HLR_OK);
	assert_int_equal(run_op(b, HLR_READ, "")->end, HLR_ABSENT);
	assert_int_equal(b->lines, 0);
}

static void mood(struct bed *b, const char *what, enum hlr_end end, const char *why)
{
	struct hlr_result *r;

	put(b, "mood", 0600, what);
	r = run_op(b, HLR_PROVISION, "491510001");
	assert_int_equal(r->end, end);
	if (!strstr(r->why, why))
		fail_msg("%s: %s", what, r->why);
	assert_null(strstr(r->why, "465b")); /* whatever it says */
	gone(b, "mood");
	for (int i = 0; i < 50 && (r = run_op(b, HLR_READ, ""))->end == HLR_TEMPORARY; i++) {
		const struct timeval tick = { 0, 20000 };
		struct event *t = evtimer_new(b->base, stop, b->base);

		b->results = 0;
		evtimer_add(t, &tick);
		event_base_dispatch(b->base);
		event_free(t);
	}
	assert_int_not_equal(r->end, HLR_TEMPORARY); /* and it works again */
}

static void test_misbehaves(void **state)
{
	struct bed *b = *state;

	mood(b, "silent\n", HLR_TEMPORARY, "no answer in time");
	mood(b, "dies\n", HLR_TEMPORARY, "the program has ended");
	mood(b, "rubbish\n", HLR_TEMPORARY, "answer is not NUMBER");
	mood(b, "away\n", HLR_TEMPORARY, "not there");
	mood(b, "refuses\n", HLR_REFUSED, "does not take it");
	mood(b, "lies\n", HLR_REFUSED, "read back: MSISDN not as written");
}

static void test_bad_asking(void **state)
{
	struct bed *b = *state;
	struct hlr_op op = { .kind = HLR_READ };

	strcpy(op.imsi, "12 34");
	assert_int_equal(b->hlr->ops->submit(b->hlr, &op), -EINVAL);
	strcpy(op.imsi, IMSI);
	strcpy(op.msisdn, "1;rm");
	assert_int_equal(b->hlr->ops->submit(b->hlr, &op), -EINVAL);
	op = (struct hlr_op){ .kind = HLR_PROVISION, .imsi = IMSI, .iccid = ICCID };
	assert_int_equal(b->hlr->ops->submit(b->hlr, &op), 0); /* no keys that open */
	WAIT_FOR(b, b->results == 1);
	assert_int_equal(b->last[0].end, HLR_REFUSED);
	assert_non_null(strstr(b->last[0].why, "do not open"));
}

static void bad_template(struct bed *b, const char *text, const char *why)
{
	struct hlr_template t;
	char err[300] = "";

	put(b, "tpl", 0600, text);
	assert_int_equal(hlr_template_read(&t, b->tpl_path, err, sizeof(err)), -1);
	if (!strstr(err, why) || !strstr(err, b->tpl_path))
		fail_msg("%s: %s", text, err);
}

#define REST "read g {imsi}\nmsisdn n {imsi}\nremove d {imsi}\n"
static void test_bad_template(void **state)
{
	struct bed *b = *state;
	char err[300];

	bad_template(b, "", "a line program is missing");
	bad_template(b, "program /x\nread g {imsi}\nmsisdn n {imsi}\nremove d {imsi}\n", "a line provision is missing");
	bad_template(b, "program hlr\n", "absolute path");
	bad_template(b, "programme /x\n", "line 1: programme");
	bad_template(b, "program /x\n" REST "provision a {imsi} {ki}\n", "{ki} is no field");
	bad_template(b, "program /x\nread g {imsi} {k}\n", "keys stand in the lines provision and rekey alone");
	bad_template(b, "program /x\nread get it\n", "must name its {imsi}");
	assert_int_equal(hlr_template_read(&b->tpl, "/nowhere/tpl", err, sizeof(err)), -1);
	assert_non_null(strstr(err, "No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_operations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_misbehaves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_asking, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_template, setup, teardown),
	};

	return cmocka_run_group_tests_name("hlr-template", tests, NULL, NULL);
}
