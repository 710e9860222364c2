/* test_screens.c - the full screens as text: model in, lines out, at every size; golden ones in screens/.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A screen that was changed on purpose is written anew with OTACTL_SCREENS=write; look at the difference before it is kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl.h"
#include "view.h"

#define NOW	 1796162400000LL /* 2026-12-01T22:00:00Z */
#define TEXT_MAX 65536

/* Of main.c; nothing here calls it. */
void ctl_error(const char *fmt, ...)
{
	(void)fmt;
	abort();
}

/* ------------------------------------------------------------------------------------------------- models */

#define LINK_A                                                                                                        \
	"{'name':'smsc-a','up':true,'window':40,'in_window':31,'window_high':40,'rate':38.5,'submitted':12034,"       \
	"'accepted':8100,'rejected':3900,'unknown':34,'received':7411,'throttled':17,'state':'BOUND','flavour':"      \
	"'osmomsc','since':'2026-12-01T19:02:11.000Z','rate_max':100,'rate_now':36.2,'hold_ms':0,'refused_classes':{" \
	"'ABSENT':3800,'CONGEST':100,'UNKNOWN':34},'receipts':120,'receipts_delivered':100,'receipts_failed':20,"     \
	"'p50_ms':23,'p99_ms':319,'last_error':null,'last_refusal':'ESME_RINVDSTADR (0xb): SMSC: not reachable now'," \
	"'last_refusal_at':'2026-12-01T21:59:58.000Z'}"
#define LINK_B                                                                                                   \
	"{'name':'smsc-b','up':false,'window':10,'in_window':0,'window_high':10,'rate':null,'submitted':400,"    \
	"'accepted':398,'rejected':0,'unknown':2,'received':398,'throttled':0,'state':'CLOSED','flavour':"       \
	"'generic-3.4','since':'2026-12-01T21:53:00.000Z','rate_max':null,'rate_now':0,'hold_ms':0,"             \
	"'refused_classes':{'UNKNOWN':2},'receipts':0,'receipts_delivered':0,'receipts_failed':0,'p50_ms':null," \
	"'p99_ms':null,'last_error':'connection lost: connect: Connection refused','last_error_at':"             \
	"'2026-12-01T21:59:40.000Z','last_refusal':null}"
#define LINKS(l) "{'version':'1','ready':true,'alarm':null,'links':[" l "]}"
#define EVENTS                                                                                                      \
	"{'events':[{'n':1,'at':'2026-11-30T18:00:00.000Z','level':'notice','times':1,'text':'ready'},"             \
	"{'n':2,'at':'2026-12-01T19:02:11.000Z','level':'notice','times':1,'text':'smpp smsc-a: bound to "          \
	"192.0.2.1:2775 as \\'otagw\\''},"                                                                          \
	"{'n':3,'at':'2026-12-01T19:05:00.000Z','level':'notice','times':1,'text':'campaign swap1: RUNNING'},"      \
	"{'n':4,'at':'2026-12-01T21:53:00.000Z','level':'warning','times':1,'text':'smpp smsc-b: connection lost "  \
	"(closed by the SMSC), 2 submits unknown; next try in 926 ms'},"                                            \
	"{'n':9,'at':'2026-12-01T21:59:40.000Z','first':'2026-12-01T21:53:01.000Z','level':'warning','times':12,"   \
	"'text':'smpp smsc-b: connection lost (connect: Connection refused), 0 submits unknown; next try in 31022 " \
	"ms'}],'last':9}"
#define CAMPAIGN(state, more)                                                              \
	"{'id':1,'name':'swap1','profile':'usim-rfm','state':'" state "','targets':10000," \
	"'started':'2026-12-01T19:05:00.000Z'," more "}"
#define COUNTS                                                                                                     \
	"'states':{'PLANNED':2340,'ACTIVE':1420,'DONE':6180,'FAILED':40,'EXPIRED':12,'QUARANTINED':8},"            \
	"'classes':{'ABSENT':1012,'UNKNOWN':120,'BUSY':40,'CONFIG':3,'CARD-PERM':40},"                             \
	"'waiting_classes':{'ABSENT':1000,'UNKNOWN':120,'BUSY':40},'sms_parts':19333,'attempts':9666,'probes':31," \
	"'prepared':40,'in_flight':180,'waiting_timer':200,'waiting_presence':1000,"

static const struct {
	const char *name, *campaign, *status, *events;
	const char *down, *said;
	enum view_dialog dialog;
} models[] = {
	{ "running",
	  CAMPAIGN("RUNNING", COUNTS "'done_per_s':12.3,'done_per_s_long':8.1,'done_long_s':300,'eta_s':316,"
				     "'eta_cards':2560,'alarm':null,'stopped':null,'window_opens':null,'deadline':"
				     "'2026-12-22T19:05:00.000Z','canary':null,'abort':[{'rule':'failed>3%','cards':40,"
				     "'of':6240},{'rule':'por-01>=1','cards':0,'of':7400}]"),
	  LINKS(LINK_A "," LINK_B), EVENTS, NULL, "", VIEW_PLAIN },
	{ "canary",
	  CAMPAIGN("RUNNING",
		   "'states':{'PLANNED':9890,'ACTIVE':7,'DONE':103},'classes':{'ABSENT':7},'waiting_classes':{"
		   "'ABSENT':7},'sms_parts':300,'attempts':150,'probes':0,'prepared':0,'in_flight':0,"
		   "'waiting_timer':0,'waiting_presence':7,'done_per_s':0,'done_per_s_long':0.1,'done_long_s':300,"
		   "'eta_s':null,'eta_cards':9890,'canary':{'group':2,'groups':3,'cards':110,'started':110,"
		   "'waits':true,'next_s':4320},'abort':[{'rule':'failed>3%','cards':0,'of':103}]"),
	  LINKS(LINK_A), EVENTS, NULL, "", VIEW_PLAIN },
	{ "stopped",
	  CAMPAIGN("PAUSED",
		   COUNTS "'done_per_s':0,'done_per_s_long':null,'done_long_s':0,'eta_s':null,'eta_cards':0,'canary':"
			  "null,'stopped':'stopped by its rule por-01>=1: card 8988\xe2\x80\xa6"
			  "2345 answered 01 (RC/CC/DS failed)','abort':[{'rule':'por-01>=1','cards':1,'of':7400}]"),
	  LINKS(LINK_A), EVENTS, NULL, "", VIEW_ASK_START },
	{ "down",
	  CAMPAIGN("RUNNING", COUNTS "'done_per_s':12.3,'done_per_s_long':8.1,'done_long_s':300,'eta_s':316,"
				     "'eta_cards':2560,'canary':null,'abort':[]"),
	  LINKS(LINK_A), EVENTS, "cannot reach the gateway at /run/otagw/api.sock: Connection refused", "",
	  VIEW_PLAIN },
	{ "alarm",
	  CAMPAIGN("RUNNING", COUNTS "'alarm':'the store cannot write /var/lib/otagw/otagw.db: the disk is full; make "
				     "room. Nothing is sent until it can; it tries again every 5 s','done_per_s':0,"
				     "'done_per_s_long':0,'done_long_s':60,'eta_s':null,'eta_cards':2560,"
				     "'window_opens':'2026-12-02T01:00:00.000Z','canary':null,'abort':[]"),
	  LINKS(LINK_A), EVENTS, NULL, "it is not ready", VIEW_PLAIN },
	{ "no-link",
	  CAMPAIGN("RUNNING", COUNTS "'done_per_s':1.2,'done_per_s_long':8.1,'done_long_s':300,'eta_s':316,"
				     "'eta_cards':2560,'canary':null,'abort':[]"),
	  LINKS(LINK_B), EVENTS, NULL, "", VIEW_PLAIN },
	{ "first", NULL, NULL, NULL, NULL, "", VIEW_PLAIN },
	{ "help", CAMPAIGN("DONE", COUNTS "'eta_s':null"), LINKS(LINK_A), EVENTS, NULL, "", VIEW_HELP },
	{ "links", NULL, LINKS(LINK_A "," LINK_B), EVENTS, NULL, "", VIEW_PLAIN },
	{ "links-ordered", NULL,
	  "{'version':'1','ready':true,'alarm':null,'links':[{'name':'smsc-a','up':true,'order':'blocked','state':'"
	  "BOUND',"
	  "'since':'2026-12-01T19:02:11.000Z','window':10},{'name':'smsc-b','up':false,'order':'drained','idle':true,"
	  "'state':'CLOSED','since':'2026-12-01T19:02:11.000Z','window':10},{'name':'smsc-c','up':true,'order':'open',"
	  "'suspect':true,'state':'BOUND','since':'2026-12-01T19:02:11.000Z','window':10}],'routes':[{'name':'home',"
	  "'dead':true},{'name':'away','dead':false}]}",
	  EVENTS, NULL, "", VIEW_PLAIN },
	{ "links-down", NULL, LINKS(LINK_A "," LINK_B), EVENTS,
	  "it is there and says nothing; is its store in ALARM?  Its log tells", "", VIEW_PLAIN },
};
#define MODELS (sizeof(models) / sizeof(models[0]))

/* ' stands for " above, and \' for itself. */
static json_t *load(const char *text)
{
	char buf[16384];
	json_error_t e;
	json_t *v;
	size_t n = 0;

	if (!text)
		return NULL;
	for (; *text && n + 1 < sizeof(buf); text++) {
		if (text[0] == '\\' && text[1] == '\'')
			buf[n++] = *++text;
		else
			buf[n++] = *text == '\'' ? '"' : *text;
	}
	buf[n] = '\0';
	v = json_loads(buf, 0, &e);
	if (!v)
		fail_msg("%s at %d: %s", e.text, e.position, buf);
	return v;
}

struct loaded {
	struct view v;
	json_t *campaign, *status, *events;
	bool links;
};

static void model_open(struct loaded *l, size_t m)
{
	l->campaign = load(models[m].campaign);
	l->status = load(models[m].status);
	l->events = load(models[m].events);
	l->links = !strncmp(models[m].name, "links", 5);
	l->v = (struct view){ .name = "swap1",
			      .campaign = l->campaign,
			      .status = l->status,
			      .events = l->events,
			      .now_ms = NOW,
			      .seen_ms = NOW - 68000,
			      .down_ms = models[m].down ? NOW - 67000 : 0,
			      .down_why = models[m].down ? models[m].down : "",
			      .dialog = models[m].dialog,
			      .said = models[m].said };
}

static void model_close(struct loaded *l)
{
	json_decref(l->campaign);
	json_decref(l->status);
	json_decref(l->events);
}

static struct grid *screen(const struct loaded *l, unsigned cols, unsigned rows)
{
	struct grid *g = grid_new(cols, rows);

	assert_non_null(g);
	if (l->links)
		view_links(g, &l->v);
	else
		view_campaign(g, &l->v);
	return g;
}

/* As an operator sees it; the borders show where it ends. */
static void as_text(const struct grid *g, bool utf8, char *out, size_t cap)
{
	char buf[2];
	size_t n = 0;

	for (unsigned row = 0; row < g->rows; row++) {
		n += (size_t)snprintf(out + n, cap - n, "|");
		for (unsigned col = 0; col < g->cols; col++)
			n += (size_t)snprintf(out + n, cap - n, "%s",
					      grid_glyph(buf, g->cell[(size_t)row * g->cols + col].ch, utf8));
		n += (size_t)snprintf(out + n, cap - n, "|\n");
		assert_true(n < cap);
	}
}

/* ------------------------------------------------------------------------------------------------- golden */

static void golden(const char *name, const char *text)
{
	const char *mode = getenv("OTACTL_SCREENS");
	char path[512];
	static char want[TEXT_MAX];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), SCREENS "/%s.txt", name);
	if (mode && !strcmp(mode, "write")) {
		f = fopen(path, "w");
		assert_non_null(f);
		assert_true(fputs(text, f) >= 0);
		assert_int_equal(fclose(f), 0);
	}
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s is missing", path);
	n = fread(want, 1, sizeof(want) - 1, f);
	fclose(f);
	want[n] = '\0';
	if (strcmp(want, text) != 0)
		fail_msg("%s: it should be\n%s\nand is\n%s", name, want, text);
}

static void screens_are_golden(void **state)
{
	static const struct {
		unsigned cols, rows;
	} sizes[] = { { 80, 24 }, { 200, 50 }, { 40, 10 }, { 25, 4 } };
	static char text[TEXT_MAX];

	for (size_t m = 0; m < MODELS; m++) {
		struct loaded l;

		model_open(&l, m);
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			struct grid *g = screen(&l, sizes[s].cols, sizes[s].rows);
			char name[64];

			as_text(g, true, text, sizeof(text));
			snprintf(name, sizeof(name), "%s.%ux%u", models[m].name, sizes[s].cols, sizes[s].rows);
			golden(name, text);
			grid_free(g);
		}
		model_close(&l);
	}
}

static void without_utf8_it_is_ascii(void **state)
{
	static char text[TEXT_MAX];

	for (size_t m = 0; m < MODELS; m++) {
		struct loaded l;
		struct grid *g;

		model_open(&l, m);
		g = screen(&l, 80, 24);
		as_text(g, false, text, sizeof(text));
		for (const char *p = text; *p; p++)
			assert_true(*p == '\n' || (*p >= ' ' && *p < 0x7f));
		if (!strcmp(models[m].name, "running"))
			golden("running.ascii", text);
		grid_free(g);
		model_close(&l);
	}
}

/* ------------------------------------------------------------------------------------------------- every size */

/* What must be read at any size that is not too small. */
static void every_size_says_what_matters(void **state)
{
	static char text[TEXT_MAX * 2];

	for (size_t m = 0; m < MODELS; m++) {
		struct loaded l;

		model_open(&l, m);
		for (unsigned rows = 1; rows <= 60; rows += 1 + rows / 12) {
			for (unsigned cols = 1; cols <= 230; cols += 1 + cols / 20) {
				struct grid *g = screen(&l, cols, rows);
				bool small = cols < VIEW_COLS_MIN || rows < VIEW_ROWS_MIN;

				as_text(g, false, text, sizeof(text));
				if (small && cols >= 18 && !strstr(text, "is too small"))
					fail_msg("%s at %ux%u does not say that it is too small", models[m].name, cols,
						 rows);
				if (!small && models[m].campaign && !strstr(text, js_text(l.campaign, "state")))
					fail_msg("%s at %ux%u does not tell its state", models[m].name, cols, rows);
				if (!small && !l.links && models[m].campaign && l.v.dialog == VIEW_PLAIN &&
				    !models[m].down && rows >= 6 && !strstr(text, " %"))
					fail_msg("%s at %ux%u does not tell how far it is:\n%s", models[m].name, cols,
						 rows, text);
				if (!small && models[m].down && !strstr(text, "does not answer"))
					fail_msg("%s at %ux%u does not say that nobody answers", models[m].name, cols,
						 rows);
				grid_free(g);
			}
		}
		model_close(&l);
	}
}

static void the_alarm_stays_longest(void **state)
{
	static char text[TEXT_MAX];
	struct loaded l;
	struct grid *g;

	for (size_t m = 0; m < MODELS; m++) {
		if (strcmp(models[m].name, "alarm") != 0 && strcmp(models[m].name, "stopped") != 0)
			continue;
		model_open(&l, m);
		g = screen(&l, 80, 7);
		as_text(g, false, text, sizeof(text));
		if (!strstr(text, "the disk is full") && !strstr(text, "por-01>=1: card"))
			fail_msg("%s", text);
		grid_free(g);
		model_close(&l);
	}
}

/* ------------------------------------------------------------------------------------------------- bad input */

/* Nothing that a peer or an older gateway says breaks the screen or drives the terminal. */
static void strange_answers_do_no_harm(void **state)
{
	static const char *const strange[] = {
		"{}",
		"[]",
		"{'states':null,'classes':7,'canary':[],'abort':{},'state':5,'targets':'many'}",
		"{'state':'R\\u001b[2J\\u0007','targets':-5,'states':{'DONE':1e300,'X':3},'stopped':'\\u009b31m\xc3\xa9"
		"\xf0\x9f\x98\x80','classes':{'WHAT':5},'eta_s':1e300,'done_per_s':-1e300,'started':'yesterday'}",
		"{'links':[null,5,{'name':null,'up':1},{'name':'\\u001b[31mx','last_error':'a\\nb\\tc','since':"
		"'9999-99-99T99:99:99Z','refused_classes':[1],'rate':1e308,'hold_ms':1e300,'p99_ms':1e300}],'events':["
		"null,{'at':7,'text':null,'level':[]}],'campaigns':{}}",
	};
	static char text[TEXT_MAX];

	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		json_t *v = load(strange[i]);

		for (int links = 0; links < 2; links++) {
			struct loaded l = { .links = links };
			struct grid *g;

			l.v = (struct view){ .name = "n\033[2Jx",
					     .campaign = v,
					     .status = v,
					     .events = v,
					     .now_ms = NOW,
					     .down_why = "",
					     .said = "" };
			g = screen(&l, 80, 24);
			as_text(g, true, text, sizeof(text));
			assert_null(strchr(text, '\033'));
			assert_null(strchr(text, '\007'));
			assert_null(strstr(text, "\xc2\x9b"));
			grid_free(g);
			g = screen(&l, 200, 50);
			grid_free(g);
		}
		json_decref(v);
	}
}

static void panes_let_the_lightest_go(void **state)
{
	struct grid *g = grid_new(10, 3);
	static char text[256];
	struct pane p;

	assert_true(pane_open(&p, 10));
	pane_line(&p, 1);
	pane_put(&p, 0, GRID_PLAIN, "one");
	pane_line(&p, 5);
	pane_put(&p, 0, GRID_PLAIN, "gone");
	pane_line(&p, 2);
	pane_wrap(&p, 2, GRID_PLAIN, 2, "two words in a narrow");
	pane_line(&p, 0);
	pane_put(&p, 0, GRID_PLAIN, "last, and too long");
	assert_int_equal(p.n, 6);
	pane_show(&p, g, 0, 0, 3);
	as_text(g, false, text, sizeof(text));
	assert_string_equal(text, "|one       |\n|  two     |\n|last, and |\n");
	pane_close(&p);
	grid_free(g);
	/* more lines than there are places */
	assert_true(pane_open(&p, 10));
	for (int i = 0; i < 1000; i++)
		pane_line(&p, 3);
	assert_int_equal(p.n, GRID_ROWS_MAX);
	pane_close(&p);
	/* a screen larger than any is cut */
	g = grid_new(100000, 100000);
	assert_int_equal(g->cols, GRID_COLS_MAX);
	assert_int_equal(grid_put(g, 0, GRID_COLS_MAX - 1, GRID_PLAIN, "ab"), GRID_COLS_MAX + 1);
	grid_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(screens_are_golden),		cmocka_unit_test(without_utf8_it_is_ascii),
		cmocka_unit_test(every_size_says_what_matters), cmocka_unit_test(the_alarm_stays_longest),
		cmocka_unit_test(strange_answers_do_no_harm),	cmocka_unit_test(panes_let_the_lightest_go),
	};

	return cmocka_run_group_tests_name("screens", tests, NULL, NULL);
}
