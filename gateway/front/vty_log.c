/* vty_log.c - the log for who looks on: libosmocore's targets (telnet, file, syslog, gsmtap) get the gateway's lines, and stderr gets theirs.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A line belongs to a category by the word it begins with.  A filter for a card lets through what names it: lines of commands have its
 * number (card=17), others its ICCID.
 */
#include "vty_int.h"

#include <osmocom/core/logging.h>
#include <osmocom/core/talloc.h>
#include <osmocom/core/utils.h>
#include <osmocom/vty/logging.h>
#include <osmocom/vty/telnet_interface.h>
#include <stdio.h>
#include <string.h>

#include "console.h"

#define CATEGORY_MAX	  32
#define LIBRARY_LINES_MAX 20 /* in a second; more are counted */

enum { DMAIN, DLINK, DCAMPAIGN, DCMD, DSTORE, DORDER };
static const struct log_info_cat categories[] = {
	[DMAIN] = { .name = "DMAIN", .description = "All else", .enabled = 1, .loglevel = LOGL_NOTICE },
	[DLINK] = { .name = "DLINK", .description = "Links and routes", .enabled = 1, .loglevel = LOGL_NOTICE },
	[DCAMPAIGN] = { .name = "DCAMPAIGN", .description = "Campaigns", .enabled = 1, .loglevel = LOGL_NOTICE },
	[DCMD] = { .name = "DCMD",
		   .description = "A line per command that has ended (info)",
		   .enabled = 1,
		   .loglevel = LOGL_NOTICE },
	[DSTORE] = { .name = "DSTORE", .description = "The database", .enabled = 1, .loglevel = LOGL_NOTICE },
	[DORDER] = { .name = "DORDER",
		     .description = "Orders between operators",
		     .enabled = 1,
		     .loglevel = LOGL_NOTICE },
};
static const struct {
	const char *word;
	int category;
} begins[] = { { "link ", DLINK },	   { "smsc-link ", DLINK }, { "smpp ", DLINK },	   { "route ", DLINK },
	       { "campaign ", DCAMPAIGN }, { "cmd=", DCMD },	    { "card=", DCMD },	   { "store", DSTORE },
	       { "order ", DORDER },	   { "exchange", DORDER },  { "package", DORDER }, { "partner", DORDER } };

/* What a filter is for; hangs on its target. */
struct card_filter {
	char iccid[ICCID_DIGITS_MAX + 1];
	char number[32]; /* "card=17 " */
};

static struct {
	bool ready;
	bool inside; /* a line of ours is on its way to libosmocore's targets */
	void (*log)(void *ctx, int level, const char *line);
	void *ctx;
	struct log_target *to_us;
	unsigned lines; /* of libosmocore's in this second */
} me;

static int filter(const struct log_context *ctx, struct log_target *t)
{
	const struct card_filter *f = t->filter_data[LOG_FLT_VLR_SUBSCR];
	const char *line = ctx->ctx[LOG_CTX_VLR_SUBSCR];

	if (!(t->filter_map & (1 << LOG_FLT_VLR_SUBSCR)) || !f || !line)
		return 0;
	return strstr(line, f->number) || strstr(line, f->iccid);
}

static const struct log_info info = {
	.cat = categories,
	.num_cat = ARRAY_SIZE(categories),
	.filter_fn = filter,
};

static int category_of(const char *line)
{
	for (size_t i = 0; i < ARRAY_SIZE(begins); i++)
		if (!strncmp(line, begins[i].word, strlen(begins[i].word)))
			return begins[i].category;
	return DMAIN;
}

/* Syslog's levels and libosmocore's. */
static unsigned to_osmo(int level)
{
	return level <= 2 ? LOGL_FATAL :
	       level == 3 ? LOGL_ERROR :
	       level <= 5 ? LOGL_NOTICE :
	       level == 6 ? LOGL_INFO :
			    LOGL_DEBUG;
}

bool console_log_line(int level, const char *line)
{
	if (!me.ready || me.inside)
		return false;
	me.inside = true;
	log_set_context(LOG_CTX_VLR_SUBSCR, (void *)(uintptr_t)line);
	logp2(category_of(line), to_osmo(level), "otagw", 0, 0, "%s\n", line);
	log_reset_context();
	me.inside = false;
	return log_target_find(LOG_TGT_TYPE_STDERR, NULL) != NULL;
}

/* libosmocore ends the process over a mask without a name, and says nothing of a name that it does not know. */
static int mask_check(const char *mask, char *why, size_t cap)
{
	char name[CATEGORY_MAX];

	for (const char *p = mask + strspn(mask, ":"); *p; p += strcspn(p, ":"), p += strspn(p, ":")) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(p, ",:"), p);
		if ((*name != 'D' && *name != 'd') || log_parse_category(name + 1) < 0) {
			snprintf(why, cap,
				 "there is no category \"%s\"; 'show logging vty' lists them: DLINK, DCMD, ...", name);
			return -1;
		}
	}
	if (mask[strspn(mask, ":")])
		return 0;
	snprintf(why, cap, "there is no category in \"%.20s\"; a mask is NAME,LEVEL:NAME,LEVEL, like DLINK:DCMD,3",
		 mask);
	return -1;
}

int console_log_stderr(const char *mask, bool color, int level, char *err, size_t cap)
{
	struct log_target *t = log_target_find(LOG_TGT_TYPE_STDERR, NULL);

	if (mask_check(mask, err, cap))
		return -1;
	if (!t) {
		t = log_target_create_stderr();
		if (!t) {
			snprintf(err, cap, "out of memory");
			return -1;
		}
		log_add_target(t);
	}
	log_set_all_filter(t, 1);
	log_set_use_color(t, color);
	log_set_print_filename2(t, LOG_FILENAME_NONE);
	log_set_print_category_hex(t, 0);
	log_set_print_category(t, 1);
	log_set_print_level(t, 1);
	log_set_print_extended_timestamp(t, 1);
	log_parse_category_mask(t, mask);
	if (level)
		log_set_log_level(t, (int)to_osmo(level));
	return 0;
}

/* A line of libosmocore's own becomes one of ours. */
static void to_us(struct log_target *t, unsigned int level, const char *text)
{
	char line[512];

	if (me.inside || !me.log)
		return;
	if (me.lines++ >= LIBRARY_LINES_MAX) /* a client that sends rubbish to CTRL makes two lines of three octets */
		return;
	me.inside = true;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(text, "\r\n"), text);
	me.log(me.ctx,
	       level >= LOGL_FATAL  ? 2 :
	       level >= LOGL_ERROR  ? 3 :
	       level >= LOGL_NOTICE ? 5 :
	       level >= LOGL_INFO   ? 6 :
				      7,
	       line);
	me.inside = false;
}

void vty_log_second(void)
{
	unsigned more = me.lines > LIBRARY_LINES_MAX ? me.lines - LIBRARY_LINES_MAX : 0;
	char line[80];

	me.lines = 0;
	if (!more || !me.log)
		return;
	snprintf(line, sizeof(line), "%u more lines of libosmocore's in this second", more);
	me.log(me.ctx, 5, line);
}

void vty_log_start(void (*log)(void *ctx, int level, const char *line), void *ctx)
{
	me.log = log;
	me.ctx = ctx;
	me.to_us = log_target_create();
	if (!me.to_us)
		return;
	me.to_us->output = to_us;
	log_set_all_filter(me.to_us, 1);
	log_set_use_color(me.to_us, 0);
	log_set_print_filename2(me.to_us, LOG_FILENAME_NONE);
	log_set_print_category_hex(me.to_us, 0);
	log_set_print_category(me.to_us, 1);
	log_set_log_level(me.to_us, LOGL_NOTICE);
	log_add_target(me.to_us);
}

void vty_log_stop(void)
{
	if (me.to_us)
		log_target_destroy(me.to_us);
	me.to_us = NULL;
	me.log = NULL;
}

/* ---------------------------------------------------------------------------------------------- commands */

static void filter_set(struct vty_ask *ask, const struct api_reply *r)
{
	struct log_target *t = ((struct telnet_connection *)ask->vty->priv)->dbg;
	const struct card_row *card = &r->card->bundle.card;
	struct card_filter *f = t ? talloc_zero(t, struct card_filter) : NULL;

	if (!f) {
		vty_out(ask->vty, "%% 'logging enable' first" NL);
		return;
	}
	memcpy(f->iccid, card->iccid, sizeof(f->iccid));
	snprintf(f->number, sizeof(f->number), "card=%llu ", (unsigned long long)card->id);
	talloc_free(t->filter_data[LOG_FLT_VLR_SUBSCR]);
	t->filter_data[LOG_FLT_VLR_SUBSCR] = f;
	t->filter_map |= 1 << LOG_FLT_VLR_SUBSCR;
	log_set_all_filter(t, 0);
	vty_out(ask->vty, "lines of this card alone; 'logging filter all 1' ends that, 'logging level cmd info' has a "
			  "line per command" NL);
}

DEFUN(filter_card, filter_card_cmd, "logging filter card ICCID",
      LOGGING_STR "Filter log messages\nThose of one card\nIts ICCID\n")
{
	if (!((struct telnet_connection *)vty->priv)->dbg) {
		vty_out(vty, "%% logging is off in this session: 'logging enable' first" NL);
		return CMD_WARNING;
	}
	api_card_show(vty_api(), argv[0], vty_ask(vty, filter_set, NULL, NULL));
	return CMD_SUCCESS;
}

static vty_func *set_mask; /* libosmovty's */

static int mask_guard(struct cmd_element *self, struct vty *vty, int argc, const char *argv[])
{
	char why[160];

	if (argc < 1 || mask_check(argv[0], why, sizeof(why)))
		return vty_refuse(vty, argc < 1 ? "there is no mask" : why);
	return set_mask(self, vty, argc, argv);
}

void vty_log_init(void *tall)
{
	me.ready = !log_init(&info, tall);
	logging_vty_add_cmds();
	vty_wrap("logging set-log-mask MASK", mask_guard, &set_mask); /* one element in several nodes */
	install_element_ve(&filter_card_cmd);
}
