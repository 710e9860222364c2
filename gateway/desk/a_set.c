/* a_set.c - the old operator: what the list of new IMSIs says of a card, and the set that STAGE carries of it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The new operator says what its part of the files is; what must be wiped of the old one the card itself wipes when it activates the
 * set (contrib/doc/card-interface.md, 6.3), so A adds no file of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "a_int.h"
#include "ota/rd.h"
#include "ota/usim.h"
#include "ota/wr.h"

#define SET_VERSION 1

static uint8_t nibble(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static uint8_t octet(const char *hex)
{
	return (uint8_t)(nibble(hex[0]) << 4 | nibble(hex[1]));
}

/* The schema has looked at the syntax already. */
static int parse_plmns(struct a_set *s, const char *v, struct desk_no *no)
{
	while (*v && s->plmns < OTA_SUB_PLMNS_MAX) {
		size_t len = strcspn(v, ";");
		char mcc[4], mnc[4];

		snprintf(mcc, sizeof(mcc), "%.3s", v);
		snprintf(mnc, sizeof(mnc), "%.*s", (int)len - 3, v + 3);
		if (usim_plmn_encode(s->plmn[s->plmns++], mcc, mnc) < 0)
			return desk_refuse(no, "plmn", "IMSI %s: %.*s is no network", s->imsi, (int)len, v);
		v += len + (v[len] == ';');
	}
	return 0;
}

/* What no list may write: the card could not be reached by OTA any more, or its network not tell its IMSI's home; or it is the card's own part,
 * which it resets itself.  fid: the last of its path, in whatever DF (7fff/6f07 is 6f07). */
static int file_lint(const struct a_set *s, uint16_t fid, const uint8_t *v, size_t len, struct desk_no *no)
{
	static const uint16_t own[] = { USIM_FID_KEYS,	  USIM_FID_KEYSPS, USIM_FID_LOCI,     USIM_FID_PSLOCI,
					USIM_FID_EPSLOCI, USIM_FID_EPSNSC, USIM_FID_START_HFN };
	char home[8];
	struct usim_ad ad;

	if (fid == USIM_FID_IMSI)
		return desk_refuse(no, "file", "IMSI %s: EF_IMSI is not among the files, it is the IMSI", s->imsi);
	if (fid == USIM_FID_ICCID)
		return desk_refuse(no, "file", "IMSI %s: EF_ICCID never changes, every list goes by it", s->imsi);
	for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (fid == own[i])
			return desk_refuse(
				no, "file",
				"IMSI %s: file %04x is of the network that the card leaves, and the card resets it "
				"itself: leave it out",
				s->imsi, fid);
	if (fid == USIM_FID_UST && !usim_ust_has(v, len, USIM_UST_SMS_PP_DOWNLOAD))
		return desk_refuse(
			no, "file",
			"IMSI %s: EF_UST without service %d (data download by SMS): no OTA would reach the card",
			s->imsi, USIM_UST_SMS_PP_DOWNLOAD);
	if (fid != USIM_FID_AD)
		return 0;
	if (usim_ad_decode(&ad, v, len))
		return desk_refuse(no, "file", "IMSI %s: its EF_AD cannot be read", s->imsi);
	for (unsigned i = 0; ad.mnc_len && i < s->plmns; i++) {
		char mcc[4], mnc[4];

		usim_plmn_decode(mcc, mnc, s->plmn[i]);
		snprintf(home, sizeof(home), "%s%s", mcc, mnc);
		if (!strncmp(s->imsi, home, strlen(home)) && strlen(mnc) != ad.mnc_len)
			return desk_refuse(no, "file", "IMSI %s: EF_AD says that its MNC has %u digits, and %s has %zu",
					   s->imsi, ad.mnc_len, home, strlen(mnc));
	}
	return 0;
}

static int parse_files(struct a_set *s, const char *v, struct desk_no *no)
{
	struct wr w = wr_init(s->files, sizeof(s->files));

	while (*v) {
		size_t len = strcspn(v, ";"), fids = strcspn(v, ":");
		size_t octets = (len - fids - 1) / 2;
		uint8_t content[UINT8_MAX];

		for (size_t i = 0; i < octets && i < sizeof(content); i++)
			content[i] = octet(v + fids + 1 + 2 * i);
		if (octets > sizeof(content) || fids < 4)
			return desk_refuse(no, "file", "IMSI %s: a file has a path and at most %zu octets", s->imsi,
					   sizeof(content));
		if (file_lint(s, (uint16_t)(octet(v + fids - 4) << 8 | octet(v + fids - 2)), content, octets, no))
			return -1;
		wr_u8(&w, fids == 4 ? 1 : 2);
		for (size_t i = 0; i < fids; i += 5) {
			wr_u8(&w, octet(v + i));
			wr_u8(&w, octet(v + i + 2));
		}
		wr_u8(&w, (uint8_t)octets);
		wr_bytes(&w, content, octets);
		v += len + (v[len] == ';');
	}
	s->files_len = (uint16_t)wr_len(&w);
	return w.bad ? desk_refuse(no, "set-too-long", "IMSI %s: its files do not go into a set of %d octets", s->imsi,
				   OTA_SUB_SET_MAX) :
		       0;
}

int a_set_parse(struct a_set *s, const struct xchg_record *r, struct desk_no *no)
{
	/* the longest that it can become */
	static const uint8_t opc[KS_OPC_WRAPPED];
	struct line l = { .order = UINT64_MAX, .from = 1, .to = OTA_SUB_INDEX_MAX, .has_jump = true };
	uint8_t set[OTA_SUB_SET_MAX];

	memset(s, 0, sizeof(*s));
	snprintf(s->imsi, sizeof(s->imsi), "%s", xchg_value(r, "imsi"));
	snprintf(s->msisdn, sizeof(s->msisdn), "%s", xchg_value(r, "msisdn"));
	s->trial_s = (uint32_t)xchg_number(r, "trial_s");
	if (parse_plmns(s, xchg_value(r, "plmns"), no) || parse_files(s, xchg_value(r, "files"), no))
		return -1;
	snprintf(l.imsi, sizeof(l.imsi), "%s", s->imsi);
	if (a_set_encode(s, &l, (struct ota_span){ opc, *xchg_value(r, "keys") ? sizeof(opc) : 0 }, set) < 0)
		return desk_refuse(no, "set-too-long", "IMSI %s: its files do not go into a set of %d octets", s->imsi,
				   OTA_SUB_SET_MAX);
	return 0;
}

/* The files one after the other; false: that was the last one. */
static bool file_next(struct rd *r, struct ota_sub_file *f)
{
	if (r->bad || !rd_left(r))
		return false;
	memset(f, 0, sizeof(*f));
	f->fids = rd_u8(r);
	for (unsigned i = 0; i < f->fids && i < 2; i++)
		f->fid[i] = (uint16_t)rd_be(r, 2);
	f->len = rd_u8(r);
	f->content = rd_bytes(r, f->len);
	return !r->bad && f->fids <= 2;
}

bool a_set_has_sca(const struct a_set *s)
{
	struct rd r = rd_init(s->files, s->files_len);
	struct ota_sub_file f;
	struct usim_smsp smsp;

	while (file_next(&r, &f))
		if (f.fids == 1 && f.fid[0] == USIM_FID_SMSP && !usim_smsp_decode(&smsp, f.content, f.len) &&
		    smsp.has_sca)
			return true;
	return false;
}

int a_set_encode(const struct a_set *s, const struct line *l, struct ota_span opc, uint8_t out[OTA_SUB_SET_MAX])
{
	struct ota_sub_set set = { .order = l->order, .from = l->from, .to = l->to, .trial_s = s->trial_s };
	struct rd r = rd_init(s->files, s->files_len);
	struct ota_sub_file f;

	memcpy(set.imsi, l->imsi, sizeof(set.imsi));
	while (file_next(&r, &f)) {
		if (set.files == OTA_SUB_FILES_MAX)
			return OTA_E_SPACE;
		set.file[set.files++] = f;
	}
	if (r.bad)
		return OTA_E_FORMAT;
	set.opc = opc;
	set.plmns = (struct ota_span){ s->plmn[0], (size_t)s->plmns * 3 };
	if (l->has_jump)
		set.mac = (struct ota_span){ l->jump, sizeof(l->jump) };
	return ota_sub_set_encode(out, OTA_SUB_SET_MAX, &set);
}

/* ---- in the books ---- */

static void get_bytes(struct rd *r, void *out, size_t len, size_t cap)
{
	const uint8_t *p = len <= cap ? rd_bytes(r, len) : NULL;

	if (len && !p)
		r->bad = true;
	else if (len)
		memcpy(out, p, len);
}

int a_set_pack(const struct a_set *s, uint8_t body[BOOK_BODY_MAX])
{
	struct wr w = wr_init(body, BOOK_BODY_MAX);

	wr_u8(&w, SET_VERSION);
	book_text_put(&w, s->imsi);
	book_text_put(&w, s->msisdn);
	wr_be(&w, s->trial_s, 4);
	wr_u8(&w, s->plmns);
	wr_bytes(&w, s->plmn, (size_t)s->plmns * 3);
	wr_be(&w, s->files_len, 2);
	wr_bytes(&w, s->files, s->files_len);
	wr_u8(&w, s->has_opc);
	wr_bytes(&w, s->opc, s->has_opc ? sizeof(s->opc) : 0);
	return w.bad ? -1 : (int)wr_len(&w);
}

int a_set_unpack(struct a_set *s, const uint8_t *body, size_t len)
{
	struct rd r = rd_init(body, len);

	memset(s, 0, sizeof(*s));
	if (rd_u8(&r) != SET_VERSION)
		return -1;
	book_text_take(&r, s->imsi, sizeof(s->imsi));
	book_text_take(&r, s->msisdn, sizeof(s->msisdn));
	s->trial_s = (uint32_t)rd_be(&r, 4);
	s->plmns = rd_u8(&r);
	get_bytes(&r, s->plmn, (size_t)s->plmns * 3, sizeof(s->plmn));
	s->files_len = (uint16_t)rd_be(&r, 2);
	get_bytes(&r, s->files, s->files_len, sizeof(s->files));
	s->has_opc = rd_u8(&r) != 0;
	get_bytes(&r, s->opc, s->has_opc ? sizeof(s->opc) : 0, sizeof(s->opc));
	return r.bad || rd_left(&r) ? -1 : 0;
}

void a_set_key(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX])
{
	line_key(key, j->line[i].order, j->line[i].iccid);
}
