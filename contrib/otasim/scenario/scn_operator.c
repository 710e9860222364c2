/* scn_operator.c - a scenario's operators, and what their registers go through.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "scn_int.h"

#define NAME_FIRST "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define NAME_REST  NAME_FIRST "0123456789-_"

static bool name_ok(const char *name)
{
	enum smsc_mood_kind kind;

	return name[0] && strlen(name) < SCN_NAME_MAX && strchr(NAME_FIRST, name[0]) &&
	       strspn(name, NAME_REST) == strlen(name) && !scn_mood_named(name, &kind) && strcmp(name, "cut") &&
	       strcmp(name, "no") && strcmp(name, "down") && strcmp(name, "late") && strcmp(name, "none");
}

bool scn_operator_ok(const struct scn_operator *op)
{
	size_t n = strlen(op->plmn);

	return name_ok(op->name) && n >= 5 && n <= 6 && strspn(op->plmn, "0123456789") == n;
}

const char *scn_operator_add(struct scn *s, const struct scn_operator *op)
{
	if (!scn_operator_ok(op))
		return "an operator has a name of letters, digits, - and _, a letter first, and a PLMN of 5 or 6 "
		       "digits";
	if (s->ops == SIM_OPS_MAX)
		return "too many operators";
	for (unsigned i = 0; i < s->ops; i++) {
		if (!strcmp(s->op[i].name, op->name) || !strcmp(s->op[i].plmn, op->plmn))
			return "two operators have two names and two PLMNs";
	}
	strcpy(s->door_name[s->ops], op->name);
	s->op[s->ops++] = *op;
	s->doors = s->ops;
	return NULL;
}

int scn_operator_named(const struct scn *s, const char *name)
{
	for (unsigned i = 0; i < s->ops; i++) {
		if (!strcmp(s->op[i].name, name))
			return (int)i;
	}
	return -1;
}

/* "operator A 00101"; what the command line says of A wins. */
void scn_operator_read(struct line *l)
{
	struct scn_operator op = { "", "" };
	struct scn *s = l->scn;
	const char *name = scn_next(l, "the operator's name"), *plmn, *why;

	scn_take(l, "=");
	plmn = scn_next(l, "the operator's PLMN");
	if (l->bad)
		return;
	if (s->rules || s->expects)
		scn_wrong(l, "operators are named before anything is said about them: move this line up");
	else if (!s->ops && s->door_name[0][0])
		scn_wrong(l, "each operator has an SMSC of his own name: leave the smscs line out");
	if (l->bad || scn_operator_named(s, name) >= 0)
		return;
	snprintf(op.name, sizeof(op.name), "%s", name);
	snprintf(op.plmn, sizeof(op.plmn), "%s", strlen(plmn) < sizeof(op.plmn) ? plmn : "");
	why = scn_operator_add(s, &op);
	if (why)
		scn_wrong(l, "%s", why);
}

/* Names of operators, one at least; a mask. */
uint32_t scn_operators_read(struct line *l)
{
	const char *names[SIM_OPS_MAX], *w;
	const struct scn *s = l->scn;
	uint32_t mask = 0;
	int at;

	while (!scn_line_over(l) && (at = scn_operator_named(s, scn_peek(l))) >= 0) {
		scn_next(l, "");
		mask |= 1u << at;
	}
	if (mask || l->bad)
		return mask;
	w = scn_next(l, "the name of an operator");
	for (unsigned i = 0; i < s->ops; i++)
		names[i] = s->op[i].name;
	if (s->ops)
		scn_wrong_word(l, w, "an operator", names, s->ops);
	else
		scn_wrong(l, "there is no operator: say \"operator A 00101\" further up");
	return 0;
}

/* "hlr B down from 5m for 30s", "hlr B late 2s..5s". */
void scn_hlr_read(struct line *l, struct scn_rule *r)
{
	static const char *const names[] = { "down", "late" };
	const char *w;

	r->doors = scn_operators_read(l);
	scn_take(l, "is");
	w = scn_next(l, "what this register is to be");
	r->prop = !strcmp(w, "late") ? PROP_HLR_LATE : PROP_HLR_DOWN;
	if (strcmp(w, "late") && strcmp(w, "down"))
		scn_wrong_word(l, w, "something a register can be", names, 2);
	else if (r->prop == PROP_HLR_LATE)
		r->value = scn_duration_range(l, "late");
}
