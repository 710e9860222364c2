/* answer.c - what a card's answer to a script says: TS 102 226, 5.1.2 (compact) and 5.2.2 (expanded).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * In compact format a card tells how many commands it has executed and the status word of the last of them; it stops at
 * the first error, so that those before ended well.  In expanded format each has a status word of its own, and each one
 * counts: a card that goes on after an error is seen.
 */
#include <stdio.h>
#include <string.h>

#include "answer.h"

static bool sw_good(const struct profile *p, uint16_t sw)
{
	return sw != OTA_SW_CUT_OFF && (p ? profile_sw_ok(p, sw) : ota_sw_ok(sw));
}

static void coded(struct answer *a, enum answer_coded what, int code)
{
	if (code < 0 || a->bad_coded)
		return;
	a->bad_coded = (uint8_t)what;
	a->code = (uint8_t)code;
}

static void one_rapdu(struct answer *a, const struct profile *p, const struct ota_rapdu *r, bool *failed)
{
	bool good = sw_good(p, r->sw);

	if (r->index + 1 == a->commands) {
		a->data = r->data;
		a->data_len = r->data_len;
	}
	if (r->index + 2 == a->commands)
		a->last_write = good;
	if (*failed)
		return; /* a card that went on: the first failure is the one to tell */
	a->sw = r->sw;
	if (good)
		return;
	*failed = true;
	a->at = (uint16_t)r->index;
	a->kind = r->sw == OTA_SW_CUT_OFF ? ANSWER_CUT : ANSWER_FAILED;
}

void answer_read(struct answer *a, const struct profile *p, unsigned commands, const uint8_t *data, size_t len)
{
	enum ota_format format = p ? (enum ota_format)p->format : OTA_FORMAT_UNKNOWN;
	struct ota_rapdu_iter it = { 0 };
	struct ota_script_rsp rsp;
	struct ota_rapdu r;
	bool failed = false;
	unsigned count;

	*a = (struct answer){ .kind = ANSWER_UNREADABLE, .commands = (uint16_t)commands };
	if (ota_script_rsp_parse(&rsp, format, data, len))
		return;
	count = rsp.format == OTA_FORMAT_COMPACT ? (unsigned)rsp.executed : rsp.rapdus;
	if (count > commands)
		return;
	a->kind = ANSWER_WHOLE;
	a->count = (uint16_t)count;
	/* compact: the one before the last executed ended well, or it would have ended there */
	a->last_write = rsp.format == OTA_FORMAT_COMPACT && count == commands && commands > 1;
	while (ota_rapdu_next(&rsp, &it, &r))
		one_rapdu(a, p, &r, &failed);
	coded(a, CODED_BAD_FORMAT, rsp.bad_format);
	coded(a, CODED_IMMEDIATE, rsp.immediate);
	coded(a, CODED_CHAINING, rsp.chaining);
	if (failed)
		return;
	a->at = a->count;
	if (count < commands)
		a->kind = a->bad_coded ? ANSWER_FAILED : ANSWER_CUT;
	else if (a->bad_coded || (rsp.executed >= 0 && (unsigned)rsp.executed < count))
		a->kind = ANSWER_UNREADABLE; /* all was run, and yet not: it contradicts itself */
	if (a->kind != ANSWER_WHOLE)
		a->sw = 0;
}

static const char *coded_name(const struct answer *a)
{
	switch ((enum answer_coded)a->bad_coded) {
	case CODED_BAD_FORMAT:
		return ota_bad_format_name(a->code);
	case CODED_IMMEDIATE:
		return "no proactive session";
	case CODED_CHAINING:
		return ota_chaining_name(a->code);
	case CODED_NONE:
		break;
	}
	return "";
}

void answer_words(const struct answer *a, const struct profile *p, bool readback, char *buf, size_t cap)
{
	char name[PROFILE_COMMAND_MAX + 4] = "", what[PROFILE_COMMAND_MAX];

	if (p && profile_command_name(p, readback, a->at, what))
		snprintf(name, sizeof(name), " (%s)", what);
	switch ((enum answer_kind)a->kind) {
	case ANSWER_FAILED:
		if (a->bad_coded && !a->sw)
			snprintf(buf, cap, "command %u of %u%s not run: %s", a->at + 1u, a->commands, name,
				 coded_name(a));
		else
			snprintf(buf, cap, "command %u of %u%s answered %04X (%s)", a->at + 1u, a->commands, name,
				 a->sw, ota_sw_name(a->sw));
		break;
	case ANSWER_CUT:
		if (a->sw)
			snprintf(buf, cap, "command %u of %u%s answered %04X: cut off", a->at + 1u, a->commands, name,
				 a->sw);
		else
			snprintf(buf, cap, "only %u of %u commands are answered", a->count, a->commands);
		break;
	case ANSWER_WHOLE:
		if (!a->data_len)
			snprintf(buf, cap, "all commands ran, but no octets were read back");
		else
			snprintf(buf, cap, "all commands ran, but %zu octets were read back instead of %d", a->data_len,
				 USIM_IMSI_LEN);
		break;
	case ANSWER_UNREADABLE:
		snprintf(buf, cap, "the card says OK, but its answer cannot be read");
		break;
	}
}
