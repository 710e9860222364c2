/* smpp_status.c - what an SMPP command_status is called and what it means for the command it answers.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One table.  CONGEST: slow down, the attempt does not count.  CONFIG: somebody set something wrong, every further
 * message would meet the same.  UNKNOWN: no evidence either way, the card may have got it; so is every code not listed here.
 */
#include "ota/smpp_link.h"

#include "smpp_pdu.h"

#define ROW(code, class, text)           \
	{                                \
		code, class, #code, text \
	}

static const struct row {
	uint32_t code;
	enum fail_class cls;
	const char *name, *what;
} rows[] = {
	ROW(ESME_ROK, FAIL_NONE, "no error"),
	ROW(ESME_RINVMSGLEN, FAIL_CONFIG, "SMSC: message length is invalid"),
	ROW(ESME_RINVCMDLEN, FAIL_CONFIG, "SMSC: command length is invalid"),
	ROW(ESME_RINVCMDID, FAIL_CONFIG, "SMSC: does not know this command"),
	ROW(ESME_RINVBNDSTS, FAIL_CONFIG, "SMSC: bind status does not allow this command"),
	ROW(ESME_RALYBND, FAIL_LINK, "SMSC: already bound"),
	ROW(ESME_RINVPRTFLG, FAIL_CONFIG, "SMSC: invalid priority flag"),
	ROW(ESME_RINVREGDLVFLG, FAIL_CONFIG, "SMSC: invalid registered_delivery"),
	ROW(ESME_RSYSERR, FAIL_CONGEST, "SMSC: system error"),
	ROW(ESME_RINVSRCADR, FAIL_CONFIG, "SMSC: invalid source address"),
	ROW(ESME_RINVDSTADR, FAIL_SUBS_PERM, "SMSC: invalid destination address"),
	ROW(ESME_RINVMSGID, FAIL_CONFIG, "SMSC: invalid message id"),
	ROW(ESME_RBINDFAIL, FAIL_LINK, "SMSC: bind failed"),
	ROW(ESME_RINVPASWD, FAIL_LINK, "SMSC: invalid password"),
	ROW(ESME_RINVSYSID, FAIL_LINK, "SMSC: invalid system id"),
	ROW(ESME_RCANCELFAIL, FAIL_CONFIG, "SMSC: cancel failed"),
	ROW(ESME_RREPLACEFAIL, FAIL_CONFIG, "SMSC: replace failed"),
	ROW(ESME_RMSGQFUL, FAIL_CONGEST, "SMSC: message queue full"),
	ROW(ESME_RINVSERTYP, FAIL_CONFIG, "SMSC: invalid service type"),
	ROW(ESME_RINVNUMDESTS, FAIL_CONFIG, "SMSC: invalid number of destinations"),
	ROW(ESME_RINVDLNAME, FAIL_CONFIG, "SMSC: invalid distribution list"),
	ROW(ESME_RINVDESTFLAG, FAIL_CONFIG, "SMSC: invalid destination flag"),
	ROW(ESME_RINVSUBREP, FAIL_CONFIG, "SMSC: submit with replace not supported"),
	ROW(ESME_RINVESMCLASS, FAIL_CONFIG, "SMSC: invalid esm_class"),
	ROW(ESME_RCNTSUBDL, FAIL_CONFIG, "SMSC: cannot submit to distribution list"),
	ROW(ESME_RSUBMITFAIL, FAIL_CONGEST, "SMSC: submit failed"),
	ROW(ESME_RINVSRCTON, FAIL_CONFIG, "SMSC: invalid source TON"),
	ROW(ESME_RINVSRCNPI, FAIL_CONFIG, "SMSC: invalid source NPI"),
	ROW(ESME_RINVDSTTON, FAIL_CONFIG, "SMSC: invalid destination TON"),
	ROW(ESME_RINVDSTNPI, FAIL_CONFIG, "SMSC: invalid destination NPI"),
	ROW(ESME_RINVSYSTYP, FAIL_LINK, "SMSC: invalid system type"),
	ROW(ESME_RINVREPFLAG, FAIL_CONFIG, "SMSC: invalid replace_if_present"),
	ROW(ESME_RINVNUMMSGS, FAIL_CONFIG, "SMSC: invalid number of messages"),
	ROW(ESME_RTHROTTLED, FAIL_CONGEST, "SMSC: throttled"),
	ROW(ESME_RINVSCHED, FAIL_CONFIG, "SMSC: invalid schedule time"),
	ROW(ESME_RINVEXPIRY, FAIL_CONFIG, "SMSC: invalid validity period"),
	ROW(ESME_RINVDFTMSGID, FAIL_CONFIG, "SMSC: invalid default message id"),
	ROW(ESME_RX_T_APPN, FAIL_CONGEST, "SMSC: temporary error of the receiver"),
	ROW(ESME_RX_P_APPN, FAIL_SUBS_PERM, "SMSC: permanent error of the receiver"),
	ROW(ESME_RX_R_APPN, FAIL_SUBS_PERM, "SMSC: rejected by the receiver"),
	ROW(ESME_RQUERYFAIL, FAIL_CONFIG, "SMSC: query failed"),
	ROW(ESME_RINVOPTPARSTREAM, FAIL_CONFIG, "SMSC: error in the optional parameters"),
	ROW(ESME_ROPTPARNOTALLWD, FAIL_CONFIG, "SMSC: optional parameter not allowed"),
	ROW(ESME_RINVPARLEN, FAIL_CONFIG, "SMSC: invalid parameter length"),
	ROW(ESME_RMISSINGOPTPARAM, FAIL_CONFIG, "SMSC: expected optional parameter missing"),
	ROW(ESME_RINVOPTPARAMVAL, FAIL_CONFIG, "SMSC: invalid optional parameter value"),
	/* "Not delivered", or delivered and its acknowledgement was lost: the command may have run. */
	ROW(ESME_RDELIVERYFAILURE, FAIL_UNKNOWN, "SMSC: delivery failure, the card may have got it"),
	ROW(ESME_RUNKNOWNERR, FAIL_CONFIG, "SMSC: unknown error"),
	ROW(ESME_RINVDCS, FAIL_CONFIG, "SMSC: invalid data coding"),
};

static const struct row *find(uint32_t code)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].code == code)
			return &rows[i];
	return NULL;
}

struct fail smpp_status_fail(uint32_t command_status)
{
	const struct row *row = find(command_status);

	if (!row)
		return (struct fail){ .cls = FAIL_UNKNOWN,
				      .code = command_status,
				      .what = "SMSC: status not in SMPP 3.4" };
	return (struct fail){ .cls = row->cls, .code = command_status, .what = row->what };
}

const char *smpp_status_name(uint32_t command_status)
{
	const struct row *row = find(command_status);

	return row ? row->name : "vendor status";
}
