/* vty_about.c - the gateway itself on the VTY: counters, errors, keystore, orders between operators.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "vty_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../desk/vault.h"
#include "../exchange/books.h"

#define ERRORS_MAX	   40  /* lines of show errors */
#define STRANDED_PAGE	   500 /* lines of an order looked at in one go */
#define STRANDED_PAGES_MAX 400
#define STRANDED_SHOWN_MAX 100
#define LEDGER_PAGE	   20

/* ------------------------------------------------------------------------------------------------ counters */

static void print_counters(struct vty_ask *ask, const struct api_reply *r)
{
	const struct gw_stats *s = &r->gw->core;
	const struct {
		const char *what;
		uint64_t n;
	} row[] = {
		{ "events taken", s->events },
		{ "batches made durable", s->commits },
		{ "batches tried again", s->commit_failures },
		{ "cards read", s->fetches },
		{ "short messages", s->submits },
		{ "proofs, signed and good", s->por_ok },
		{ "answers in clear", s->por_hint },
		{ "answers with a wrong signature", s->por_bad_mac },
		{ "answers that fit nothing", s->por_stray },
		{ "answers that came again", s->por_duplicate },
		{ "other messages", s->mo_other },
		{ "phones that became reachable", s->alerts },
		{ "read-backs", s->probes },
		{ "commands withdrawn", s->withdrawn },
		{ "inbox was full", s->inbox_full },
		{ "counters near their end", s->counters_near_end },
	};
	struct vty *vty = ask->vty;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		vty_out(vty, "%-32s %12" PRIu64 NL, row[i].what, row[i].n);
	vty_out(vty, "limits: inbox %u (most %u), cards in memory %u (most %u), open %u (most %u), parked %u" NL,
		s->inbox, s->inbox_high, s->resident, s->resident_high, s->open, s->open_high, s->parked);
	vty_out(vty, "'show stats' has them as rates, with those of the links" NL);
}

DEFUN(show_counters, show_counters_cmd, "show counters", SHOW_STR "What the gateway has counted since its start\n")
{
	api_counters(vty_api(), vty_ask(vty, print_counters, NULL, NULL));
	return CMD_SUCCESS;
}

/* -------------------------------------------------------------------------------------------------- errors */

static void print_events(struct vty_ask *ask, const struct api_reply *r)
{
	struct vty *vty = ask->vty;
	unsigned n = 0;
	char at[RFC3339_MAX];

	for (unsigned i = 0; i < r->events->n; i++) {
		const struct event_line *e = r->events->line[i];

		if (e->level > 4)
			continue;
		n++;
		vty_out(vty, "%s %-7s %s", vty_time(at, e->at_ms), e->level == 4 ? "WARNING" : "ERROR", e->text);
		if (e->times > 1)
			vty_out(vty, " (%" PRIu32 " times since %s)", e->times, vty_time(at, e->first_ms));
		vty_out(vty, NL);
	}
	if (!n)
		vty_out(vty, "no error and no warning among the last %d lines that are kept" NL, EVENTS_MAX);
}

/* What the links were refused, then the log's warnings. */
static void print_errors(struct vty_ask *ask, const struct api_reply *r)
{
	struct vty *vty = ask->vty;

	for (unsigned i = 0; i < r->gw->links.n_links; i++) {
		const struct api_link_status *l = &r->gw->links.link[i];
		bool any = false;

		for (unsigned k = FAIL_NONE + 1; k < _FAIL_CLASSES; k++) {
			if (!l->stats.by_class[k])
				continue;
			if (!any)
				vty_out(vty, "smsc-link %s did not take:", l->name);
			any = true;
			vty_out(vty, " %s %" PRIu64, fail_class_name((enum fail_class)k), l->stats.by_class[k]);
		}
		if (any)
			vty_out(vty, NL);
	}
	if (r->gw->alarm)
		vty_out(vty, "ALARM: %s" NL, r->gw->alarm);
	ask->print = print_events;
	api_events(vty_api(), 0, EVENTS_MAX, vty_ask_again(ask));
}

DEFUN(show_errors, show_errors_cmd, "show errors",
      SHOW_STR "What went wrong: refusals by class, the alarm, the latest warnings\n")
{
	api_counters(vty_api(), vty_ask(vty, print_errors, NULL, NULL));
	return CMD_SUCCESS;
}

/* ------------------------------------------------------------------------------------------------ keystore */

static void print_keystore(struct vty_ask *ask, const struct api_reply *r)
{
	const struct ks_stats *s = &r->gw->keystore;
	struct vty *vty = ask->vty;

	vty_out(vty, "keystore: open, memory %s" NL,
		s->locked_memory ? "locked" : "NOT locked: it may be swapped out; raise LimitMEMLOCK");
	vty_out(vty, "  signatures %" PRIu64 ", ciphers %" PRIu64 ", wraps %" PRIu64 NL, s->macs, s->ciphers, s->wraps);
	vty_out(vty, "  keysets imported %" PRIu64 ", loaded %" PRIu64 ", refused uses %" PRIu64 NL, s->imports,
		s->loads, s->refused);
	vty_out(vty, "  slots %u of %u (most %u)" NL, s->slots_used, s->slots, s->slots_high);
}

DEFUN(show_keystore, show_keystore_cmd, "show keystore", SHOW_STR "How often keys were used; never a key\n")
{
	api_counters(vty_api(), vty_ask(vty, print_keystore, NULL, NULL));
	return CMD_SUCCESS;
}

static void print_ledger(struct vty_ask *ask, const struct api_reply *r)
{
	struct vty *vty = ask->vty;
	char at[RFC3339_MAX];

	for (size_t i = 0; i < r->books->n; i++) {
		const struct store_book *b = &r->books->row[i];
		struct ledger_line l;

		if (!strcmp(b->row.key, LEDGER_HEAD))
			continue;
		if (ledger_unpack(&l, b->body, b->row.len)) {
			vty_out(vty, "line %s cannot be read" NL, b->row.key);
			continue;
		}
		vty_out(vty, "%" PRIu64 " %s order %s card %s index %u to %s" NL, l.n, vty_time(at, l.at_ms),
			*l.order ? l.order : "-", l.iccid, l.index, l.to);
	}
	vty_out(vty, "'otactl vault ledger' lists all of it, 'otactl vault verify' walks the chain" NL);
}

/* The head says how many lines there are: the newest are wanted. */
static void print_ledger_head(struct vty_ask *ask, const struct api_reply *r)
{
	struct ledger_head h;
	char after[BOOK_KEY_MAX];

	if (!r->books->n) {
		vty_out(ask->vty, "the vault's ledger is empty" NL);
		return;
	}
	if (ledger_head_unpack(&h, r->books->row[0].body, r->books->row[0].row.len)) {
		vty_out(ask->vty, "%% the head of the vault's ledger cannot be read; see 'otactl vault verify'" NL);
		return;
	}
	if (h.n > LEDGER_PAGE)
		vty_out(ask->vty, "the last %d of %" PRIu64 " lines:" NL, LEDGER_PAGE, h.n);
	ledger_key(after, h.n > LEDGER_PAGE ? h.n - LEDGER_PAGE : 0);
	ask->print = print_ledger;
	api_vault_ledger(vty_api(), after, LEDGER_PAGE, vty_ask_again(ask));
}

DEFUN(show_audit, show_audit_cmd, "show audit", SHOW_STR "The vault's ledger, hash-chained: who got which keys\n")
{
	char after[BOOK_KEY_MAX];

	ledger_key(after, UINT64_MAX);
	api_vault_ledger(vty_api(), after, 1, vty_ask(vty, print_ledger_head, NULL, NULL));
	return CMD_SUCCESS;
}

/* ------------------------------------------------------------------------------------------------ stranded */

static void stranded_orders(struct vty_ask *ask, const struct api_reply *r);

static void stranded_next_order(struct vty_ask *ask)
{
	ask->print = stranded_orders;
	api_orders(vty_api(), ask->arg[0], 1, vty_ask_again(ask));
}

static void stranded_lines(struct vty_ask *ask, const struct api_reply *r)
{
	const struct api_books *b = r->books;
	struct line l;
	char at[RFC3339_MAX];

	for (size_t i = 0; i < b->n; i++) {
		if (line_unpack(&l, b->row[i].body, b->row[i].row.len) || !line_stranded(&l))
			continue;
		if (ask->number++ < STRANDED_SHOWN_MAX)
			vty_out(ask->vty,
				"order %s card %s: told to go %s, the new operator does not have its new IMSI" NL,
				ask->arg[0], l.iccid, vty_time(at, l.armed_ms));
	}
	if (!--ask->left) {
		vty_out(ask->vty, "not all was looked through; 'otactl order report' does" NL);
		return;
	}
	if (!b->next) {
		stranded_next_order(ask);
		return;
	}
	snprintf(ask->arg[1], sizeof(ask->arg[1]), "%s", b->next);
	api_order_lines(vty_api(), ask->arg[0], "", ask->arg[1], STRANDED_PAGE, vty_ask_again(ask));
}

static void stranded_orders(struct vty_ask *ask, const struct api_reply *r)
{
	if (!r->books->n) {
		vty_out(ask->vty, "%" PRIu64 " cards are stranded%s" NL, ask->number,
			ask->number ? ": 'otactl order report' says of each what to do" : "");
		return;
	}
	snprintf(ask->arg[0], sizeof(ask->arg[0]), "%s", r->books->row[0].row.key);
	*ask->arg[1] = 0;
	ask->print = stranded_lines;
	api_order_lines(vty_api(), ask->arg[0], "", "", STRANDED_PAGE, vty_ask_again(ask));
}

DEFUN(show_stranded, show_stranded_cmd, "show stranded",
      SHOW_STR "Cards without a way back that went where the new operator does not have their IMSI\n")
{
	struct api_to to = vty_ask(vty, stranded_orders, NULL, NULL);

	if (to.ctx)
		((struct vty_ask *)to.ctx)->left = STRANDED_PAGES_MAX;
	api_orders(vty_api(), "", 1, to);
	return CMD_SUCCESS;
}

void vty_about_init(void)
{
	install_element_ve(&show_counters_cmd);
	install_element_ve(&show_errors_cmd);
	install_element_ve(&show_keystore_cmd);
	install_element_ve(&show_audit_cmd);
	install_element_ve(&show_stranded_cmd);
}
