/* smpp_errors.c - what a status or a receipt of this SMSC means, by the error table.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "smpp_int.h"

static const struct errtab_row *status_row(const struct smpp_link *l, uint32_t status)
{
	return errtab_find(l->env.errtab, l->flavour, ERRTAB_SMPP, errtab_key(status));
}

struct fail smpp_status_fail(const struct smpp_link *l, uint32_t status)
{
	struct fail f = errtab_fail(l->env.errtab, l->flavour, ERRTAB_SMPP, errtab_key(status));

	f.code = status;
	return f;
}

const char *smpp_status_name(const struct smpp_link *l, uint32_t status)
{
	const struct errtab_row *row = status_row(l, status);

	return row ? row->name : "vendor status";
}

enum smpp_slow smpp_status_slow(const struct smpp_link *l, uint32_t status)
{
	const struct errtab_row *row = status_row(l, status);

	if (!row || row->cls != FAIL_CONGEST)
		return SMPP_SLOW_NOT;
	return row->flags & ERRTAB_SLOW_DOWN ? SMPP_SLOW_AT_ONCE : SMPP_SLOW_IN_ROW;
}

/* What network_error_code or err: says, when it says anything. */
static struct fail cause_fail(const struct smpp_link *l, uint32_t net_error)
{
	uint32_t type = net_error >> 16;

	if (type)
		return errtab_fail(l->env.errtab, l->flavour, ERRTAB_NEC, errtab_key_sub(type, net_error & 0xffff));
	return errtab_fail(l->env.errtab, l->flavour, ERRTAB_RECEIPT_ERR, errtab_key(net_error));
}

void smpp_receipt_judge(const struct smpp_link *l, struct link_event *ev)
{
	const struct errtab_row *row =
		errtab_find(l->env.errtab, l->flavour, ERRTAB_RECEIPT, errtab_key_word(ev->stat));
	struct fail cause;

	ev->delivered = row && row->cls == FAIL_NONE && !(row->flags & ERRTAB_WAIT);
	if ((row && row->cls == FAIL_NONE) || (!*ev->stat && !ev->net_error))
		return; /* delivered, on its way, or no word about it: a PoR alone */
	ev->fail = errtab_fail(l->env.errtab, l->flavour, ERRTAB_RECEIPT, errtab_key_word(ev->stat));
	if (!ev->net_error)
		return;
	/* the cause says more than "not delivered", when anybody knows what it means */
	cause = cause_fail(l, ev->net_error);
	if (cause.cls != FAIL_UNKNOWN && cause.cls != FAIL_NONE)
		ev->fail = cause;
	ev->fail.code = ev->net_error;
}
