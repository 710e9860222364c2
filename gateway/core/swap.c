/* swap.c - the script of an IMSI change, built from a profile and one card's new values.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Every write is absolute, so that a script which did run twice would still leave the same card behind; that it does not
 * is the counter's work.
 */
#include <stdio.h>
#include <string.h>

#include "ota/rd.h"
#include "profile.h"

#define FID_NONE 0x0000
#define FID_ADF	 0x7fff /* the application that the session is in (TS 102 221, 8.4.1) */

/* The commands of a script, one after the other: each file is selected unless it is the current one already (a SELECT is
 * seven octets of a short message).  A read-back is a session of its own (TS 102 226, 5.1): the way to EF_IMSI is walked
 * again, directories included. */
struct walk {
	const struct profile *p;
	bool readback;
	unsigned step;
	uint16_t current;
	const struct swap_values *v;
	bool filed; /* the new operator's files are written */
};
struct command {
	enum profile_step_kind kind;
	uint16_t fid;
	const struct profile_step *st; /* what is written or read; NULL for a SELECT */
};

static const struct profile_step read_imsi = { .kind = STEP_READ, .fid = USIM_FID_IMSI, .len = USIM_IMSI_LEN };

static const struct profile_step *walk_step(const struct walk *w)
{
	unsigned i = w->step;

	if (i < w->p->n_steps)
		return &w->p->step[i];
	return w->readback && i == w->p->n_steps ? &read_imsi : NULL;
}

struct file {
	uint8_t fids, len;
	uint16_t fid[2];
	const uint8_t *content;
};

static bool file_next(struct rd *r, struct file *f)
{
	if (r->bad || !rd_left(r))
		return false;
	f->fids = rd_u8(r);
	if (f->fids < 1 || f->fids > 2)
		r->bad = true;
	for (unsigned i = 0; !r->bad && i < f->fids; i++)
		f->fid[i] = (uint16_t)rd_be(r, 2);
	f->len = rd_u8(r);
	f->content = rd_bytes(r, f->len);
	return !r->bad;
}

/* The new operator says what is in this file: the profile's own value would only be written over. */
static bool is_filed(const struct swap_values *v, const struct profile_step *st)
{
	struct rd r = rd_init(v ? v->files : NULL, v && v->files ? v->files_len : 0);
	struct file f;

	while (st->kind == STEP_UPDATE && file_next(&r, &f))
		if (f.fids == 1 && f.fid[0] == st->fid)
			return true;
	return false;
}

static bool passed_over(const struct walk *w, const struct profile_step *st)
{
	if (!st || st == &read_imsi || st->kind == STEP_SELECT)
		return false;
	return w->readback || is_filed(w->v, st);
}

/* Linear fixed ones take their first record, as a card with the subscription application does it. */
static bool has_records(uint16_t fid)
{
	static const uint16_t fids[] = { USIM_FID_SMSP, USIM_FID_MSISDN, USIM_FID_ECC, USIM_FID_PNN, USIM_FID_OPL };

	for (unsigned i = 0; i < sizeof(fids) / sizeof(fids[0]); i++)
		if (fids[i] == fid)
			return true;
	return false;
}

static int files_put(struct ota_script *s, const struct profile *p, const struct swap_values *v)
{
	struct rd r = rd_init(v->files, v->files_len);
	struct file f;
	bool below = false;

	while (file_next(&r, &f)) {
		if (below)
			ota_script_select(s, p->cla, FID_ADF);
		for (unsigned i = 0; i < f.fids; i++)
			ota_script_select(s, p->cla, f.fid[i]);
		if (has_records(f.fid[f.fids - 1]))
			ota_script_update_record(s, p->cla, 1, f.content, f.len);
		else
			ota_script_update_binary(s, p->cla, 0, f.content, f.len);
		below = f.fids > 1;
		if (below && p->cla) /* a 2G SIM has no way back to its application but from the top */
			return OTA_E_FORMAT;
	}
	if (below)
		ota_script_select(s, p->cla, FID_ADF);
	return r.bad ? OTA_E_FORMAT : 0;
}

/* Selected, or selected and written. */
static void opc_put(struct ota_script *s, const struct profile *p, const uint8_t *opc)
{
	for (unsigned i = 0; i < p->opc_fids; i++)
		ota_script_select(s, p->cla, p->opc_fid[i]);
	if (opc)
		ota_script_update_binary(s, p->cla, p->opc_at, opc, PROFILE_OPC_LEN);
	if (p->opc_fids > 1)
		ota_script_select(s, p->cla, FID_ADF);
}

static bool walk_next(struct walk *w, struct command *c)
{
	const struct profile_step *st = walk_step(w);

	while (passed_over(w, st)) {
		w->step++;
		st = walk_step(w);
	}
	if (!st)
		return false;
	*c = (struct command){ .kind = STEP_SELECT, .fid = st->fid };
	if (st->kind == STEP_SELECT) { /* asked for by name: a path through directories may repeat one */
		w->step++;
	} else if (w->current == st->fid) {
		*c = (struct command){ .kind = (enum profile_step_kind)st->kind, .fid = st->fid, .st = st };
		w->step++;
	}
	w->current = st->fid;
	return true;
}

/* Octets of one write; returns their number or a negative ota_err. */
static int step_octets(const struct profile *p, const struct profile_step *st, const struct swap_values *v,
		       uint8_t out[PROFILE_BYTES_MAX])
{
	int rc;

	switch (st->value) {
	case VALUE_IMSI:
		rc = usim_imsi_encode(out, v->imsi);
		return rc < 0 ? rc : USIM_IMSI_LEN;
	case VALUE_ACC:
		rc = usim_acc_from_imsi(out, v->imsi);
		return rc < 0 ? rc : 2;
	case VALUE_LOCI_DELETED:
		return usim_loci_deleted(out, p->deleted_lac);
	case VALUE_PSLOCI_DELETED:
		return usim_psloci_deleted(out, p->deleted_lac);
	case VALUE_EPSLOCI_DELETED:
		return usim_epsloci_deleted(out, p->deleted_lac);
	case VALUE_KEYS_DELETED:
		return usim_keys_deleted(out);
	default:
		memcpy(out, st->bytes, st->len);
		return st->len;
	}
}

static int command_put(struct ota_script *s, const struct profile *p, const struct command *c,
		       const struct swap_values *v)
{
	uint8_t octets[PROFILE_BYTES_MAX];
	int n;

	if (c->kind == STEP_SELECT) {
		ota_script_select(s, p->cla, c->fid);
		return 0;
	}
	if (c->kind == STEP_READ) {
		ota_script_read_binary(s, p->cla, 0, c->st->len);
		return 0;
	}
	n = step_octets(p, c->st, v, octets);
	if (n < 0)
		return n;
	if (c->kind == STEP_UPDATE)
		ota_script_update_binary(s, p->cla, 0, octets, (size_t)n);
	else
		ota_script_update_record(s, p->cla, c->st->record, octets, (size_t)n);
	return 0;
}

static int build(struct walk *w, const struct swap_values *v, uint8_t *buf, size_t cap, uint16_t *apdus)
{
	struct ota_script s;
	struct command c;
	int rc;

	ota_script_init_format(&s, buf, cap, (enum ota_format)w->p->format);
	if (v && v->opc && !w->p->opc_fids)
		return OTA_E_FORMAT;
	if (v && v->opc) /* is the file there?  Else nothing of all this is written */
		opc_put(&s, w->p, NULL);
	while (walk_next(w, &c)) {
		/* before EF_IMSI: if the script breaks off, the old subscription is still in force */
		if (!w->readback && v->files && !w->filed && c.kind == STEP_SELECT && c.fid == USIM_FID_IMSI) {
			w->filed = true;
			rc = files_put(&s, w->p, v);
			if (rc < 0)
				return rc;
		}
		rc = command_put(&s, w->p, &c, v);
		if (rc < 0)
			return rc;
		/* the last of all that is written: if the script breaks off before, the new network can still serve it with the old one */
		if (v && v->opc && c.kind == STEP_UPDATE && c.fid == USIM_FID_IMSI) {
			opc_put(&s, w->p, v->opc);
			w->current = w->p->opc_fid[w->p->opc_fids - 1];
		}
	}
	if (apdus)
		*apdus = (uint16_t)s.count;
	return ota_script_len(&s);
}

int profile_script(const struct profile *p, const struct swap_values *v, uint8_t *buf, size_t cap, uint16_t *apdus)
{
	struct walk w = { .p = p, .v = v };

	return build(&w, v, buf, cap, apdus);
}

int profile_readback(const struct profile *p, uint8_t *buf, size_t cap, uint16_t *apdus)
{
	struct walk w = { .p = p, .readback = true };

	return build(&w, NULL, buf, cap, apdus);
}

bool profile_command_name(const struct profile *p, bool readback, unsigned index, char name[PROFILE_COMMAND_MAX])
{
	static const char *const words[] = {
		[STEP_SELECT] = "SELECT",
		[STEP_UPDATE] = "UPDATE",
		[STEP_UPDATE_RECORD] = "UPDATE RECORD",
		[STEP_READ] = "READ",
	};
	struct walk w = { .p = p, .readback = readback };
	struct command c;

	do {
		if (!walk_next(&w, &c))
			return false;
	} while (index--);
	snprintf(name, PROFILE_COMMAND_MAX, "%s %04x", words[c.kind], c.fid);
	return true;
}

enum por_meaning profile_por_meaning(const struct profile *p, uint8_t status)
{
	return status < sizeof(p->por_map) ? (enum por_meaning)p->por_map[status] : POR_MEANS_OTHER;
}

const struct profile_sw *profile_sw_line(const struct profile *p, uint16_t sw)
{
	const struct profile_sw *best = NULL;

	for (unsigned i = 0; i < p->n_sw; i++) {
		const struct profile_sw *l = &p->sw[i];

		if (sw >= l->lo && sw <= l->hi && (!best || l->hi - l->lo <= best->hi - best->lo))
			best = l;
	}
	return best;
}

struct fail profile_sw_fail(const struct profile *p, uint16_t sw)
{
	const struct profile_sw *own = profile_sw_line(p, sw);
	const struct errtab_row *row = errtab_find(p->errtab, ERRTAB_FLAVOUR_ALL, ERRTAB_SW, errtab_key(sw));
	struct fail f = { FAIL_CARD_PERM, sw, "a status word that is in no error table" };

	if (row && (!(row->flags & ERRTAB_2G) || p->cla == 0xa0)) {
		f.cls = (enum fail_class)row->cls;
		f.what = row->what;
	}
	if (own)
		f.cls = (enum fail_class)own->cls;
	return f;
}

bool profile_sw_ok(const struct profile *p, uint16_t sw)
{
	return profile_sw_fail(p, sw).cls == FAIL_NONE;
}

static uint8_t key_octet(uint8_t kvn, uint8_t alg)
{
	return (uint8_t)(kvn << 4 | ota_alg_nibble((enum ota_alg)alg));
}

uint8_t profile_kic(const struct keyset_row *k)
{
	return key_octet(k->kvn, k->kic_alg);
}

uint8_t profile_kid(const struct keyset_row *k)
{
	return key_octet(k->kvn, k->kid_alg);
}

int profile_packet_len(const struct profile *p, const struct keyset_row *k, const struct swap_values *v, int *segments)
{
	uint8_t script[OTA_SCRIPT_MAX];
	int n = profile_script(p, v, script, sizeof(script), NULL);
	struct ota_cmd_params cmd = {
		.spi = { p->spi[0], p->spi[1] },
		.kic = profile_kic(k),
		.kid = profile_kid(k),
		.tar = { p->tar[0], p->tar[1], p->tar[2] },
		.cc_len = k->cc_len,
		.data = script,
	};

	if (n < 0)
		return n;
	cmd.data_len = (size_t)n;
	n = ota_cmd_len(&cmd);
	if (n < 0)
		return n;
	*segments = ota_segments((size_t)n, (enum ota_concat)p->concat);
	return *segments < 0 ? *segments : n;
}
