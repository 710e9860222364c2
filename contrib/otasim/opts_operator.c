/* opts_operator.c - options that name operators.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "opts.h"

/* The text up to one of `ends`; *at stands behind it.  False: too long, or nothing. */
static bool cut(const char **at, const char *ends, char *out, size_t cap)
{
	size_t n = strcspn(*at, ends);

	if (!n || n >= cap)
		return false;
	memcpy(out, *at, n);
	out[n] = '\0';
	*at += n;
	if (**at)
		++*at;
	return true;
}

/* NAME=PLMN[,smsc=HOST:PORT][,hlr=HOST:PORT] */
bool opts_operator(struct opts *o, const char *arg)
{
	struct opt_operator *op = &o->op[o->ops];
	char part[80];

	if (o->ops == SIM_OPS_MAX)
		return false;
	memset(op, 0, sizeof(*op));
	if (!cut(&arg, "=", op->id.name, sizeof(op->id.name)) || !cut(&arg, ",", op->id.plmn, sizeof(op->id.plmn)) ||
	    !scn_operator_ok(&op->id))
		return false;
	for (unsigned i = 0; i < o->ops; i++) {
		if (!strcmp(o->op[i].id.name, op->id.name) || !strcmp(o->op[i].id.plmn, op->id.plmn))
			return false;
	}
	while (*arg) {
		bool ok = cut(&arg, ",", part, sizeof(part));

		if (ok && !strncmp(part, "smsc=", 5))
			ok = opts_host_port(part + 5, op->smsc_host, sizeof(op->smsc_host), &op->smsc_port);
		else if (ok && !strncmp(part, "hlr=", 4))
			ok = opts_host_port(part + 4, op->hlr_host, sizeof(op->hlr_host), &op->hlr_port);
		else
			ok = false;
		if (!ok)
			return false;
	}
	o->ops++;
	return true;
}

/* NAME=VALUE, or NAME:VALUE, which a scenario's "set" can say. */
static struct opt_register *named(struct opts *o, const char *arg, const char **value)
{
	char name[SCN_NAME_MAX];
	unsigned i = 0;

	*value = arg;
	if (!cut(value, "=:", name, sizeof(name)) || !**value)
		return NULL;
	while (i < o->registers && strcmp(o->reg[i].name, name))
		i++;
	if (i == SIM_OPS_MAX)
		return NULL;
	if (i == o->registers)
		strcpy(o->reg[o->registers++].name, name);
	return &o->reg[i];
}

bool opts_hlr_fail(struct opts *o, const char *arg)
{
	const char *value;
	struct opt_register *r = named(o, arg, &value);

	return r && opts_share(value, &r->fail_ppm);
}

bool opts_hlr_late(struct opts *o, const char *arg)
{
	const char *value;
	struct opt_register *r = named(o, arg, &value);

	return r && opts_range(value, &r->late_ms);
}

bool opts_settle(struct opts *o, const struct scn *s, char err[SCN_ERR_MAX])
{
	struct opt_operator given[SIM_OPS_MAX];
	unsigned n = o->ops;

	memcpy(given, o->op, sizeof(given));
	memset(o->op, 0, sizeof(o->op));
	o->ops = s->ops;
	for (unsigned i = 0; i < s->ops; i++) {
		o->op[i].id = s->op[i];
		for (unsigned j = 0; j < n; j++) {
			if (!strcmp(given[j].id.name, s->op[i].name))
				o->op[i] = given[j];
		}
	}
	for (unsigned i = 0; i < o->registers; i++) {
		int at = scn_operator_named(s, o->reg[i].name);

		if (at < 0) {
			snprintf(err, SCN_ERR_MAX, "--hlr-fail, --hlr-late: there is no operator %s", o->reg[i].name);
			return false;
		}
		o->op[at].reg = o->reg[i];
	}
	o->fill = s->ops ? 0 : -1;
	if (o->hlr_fill[0] && strcmp(o->hlr_fill, "none"))
		o->fill = scn_operator_named(s, o->hlr_fill);
	else if (o->hlr_fill[0])
		o->fill = -1;
	if (o->hlr_fill[0] && strcmp(o->hlr_fill, "none") && o->fill < 0) {
		snprintf(err, SCN_ERR_MAX, "--hlr-fill: there is no operator %s", o->hlr_fill);
		return false;
	}
	if (!s->ops)
		return true;
	o->card.usim = o->card.pairs == 0;
	if (!o->has_imsi_prefix)
		strcpy(o->card.imsi_prefix, s->op[0].plmn);
	if (!o->has_new_imsi_prefix) { /* what there is to go to, as long as the one it comes from */
		strcpy(o->new_imsi_prefix, o->card.imsi_prefix);
		for (unsigned i = s->ops; i-- > 0;) {
			if (strlen(s->op[i].plmn) == strlen(o->card.imsi_prefix) &&
			    strcmp(s->op[i].plmn, o->card.imsi_prefix))
				strcpy(o->new_imsi_prefix, s->op[i].plmn);
		}
	}
	return true;
}
