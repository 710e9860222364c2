/* swap.c - the script of an IMSI change, built from a profile and one card's new values.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Every write is absolute, so that a script which did run twice would still leave the same card behind; that it does not
 * is the counter's work.
 */
#include <string.h>

#include "profile.h"

#define FID_NONE 0x0000

/* Selects an EF unless it is the current one already: a SELECT is seven octets of a short message. */
static void script_goto(struct ota_script *s, const struct profile *p, uint16_t *current, uint16_t fid)
{
	if (*current != fid)
		ota_script_select(s, p->cla, fid);
	*current = fid;
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

int profile_script(const struct profile *p, const struct swap_values *v, uint8_t *buf, size_t cap, uint16_t *apdus)
{
	struct ota_script s;
	uint16_t current = FID_NONE;

	ota_script_init(&s, buf, cap);
	for (unsigned i = 0; i < p->n_steps; i++) {
		const struct profile_step *st = &p->step[i];
		uint8_t octets[PROFILE_BYTES_MAX];
		int n;

		if (st->kind == STEP_SELECT)
			current = FID_NONE; /* asked for by name: a path through directories may repeat one */
		script_goto(&s, p, &current, st->fid);
		if (st->kind == STEP_SELECT)
			continue;
		if (st->kind == STEP_READ) {
			ota_script_read_binary(&s, p->cla, 0, st->len);
			continue;
		}
		n = step_octets(p, st, v, octets);
		if (n < 0)
			return n;
		if (st->kind == STEP_UPDATE)
			ota_script_update_binary(&s, p->cla, 0, octets, (size_t)n);
		else
			ota_script_update_record(&s, p->cla, st->record, octets, (size_t)n);
	}
	if (apdus)
		*apdus = (uint16_t)s.count;
	return ota_script_len(&s);
}

/* A script is a session of its own (TS 102 226, 5.1): the way to EF_IMSI is walked again, directories included. */
int profile_readback(const struct profile *p, uint8_t *buf, size_t cap, uint16_t *apdus)
{
	struct ota_script s;

	ota_script_init(&s, buf, cap);
	for (unsigned i = 0; i < p->n_steps; i++)
		if (p->step[i].kind == STEP_SELECT)
			ota_script_select(&s, p->cla, p->step[i].fid);
	ota_script_select(&s, p->cla, USIM_FID_IMSI);
	ota_script_read_binary(&s, p->cla, 0, USIM_IMSI_LEN);
	if (apdus)
		*apdus = (uint16_t)s.count;
	return ota_script_len(&s);
}

enum por_meaning profile_por_meaning(const struct profile *p, uint8_t status)
{
	return status < sizeof(p->por_map) ? (enum por_meaning)p->por_map[status] : POR_MEANS_OTHER;
}

bool profile_sw_ok(const struct profile *p, uint16_t sw)
{
	switch (sw >> 8) {
	case 0x90:
		return sw == 0x9000;
	case 0x91: /* a proactive command (REFRESH) is waiting */
	case 0x61:
	case 0x62: /* TS 102 221, 10.2.1.3: warnings */
	case 0x63:
		return true;
	case 0x92: /* TS 51.011, 9.4.3: done after so many internal retries; 9240 is a memory problem */
		return p->cla == 0xa0 && (sw & 0xf0) == 0;
	case 0x9f:
		return true;
	default:
		return false;
	}
}

static uint8_t key_octet(uint8_t kvn, uint8_t alg)
{
	return (uint8_t)(kvn << 4 | ota_alg_nibble((enum ota_alg)alg));
}

uint8_t profile_kic(const struct profile *p, const struct keyset_row *k)
{
	return key_octet(p->kvn, k->kic_alg);
}

uint8_t profile_kid(const struct profile *p, const struct keyset_row *k)
{
	return key_octet(p->kvn, k->kid_alg);
}

int profile_packet_len(const struct profile *p, const struct keyset_row *k, const struct swap_values *v, int *segments)
{
	uint8_t script[OTA_SCRIPT_MAX];
	int n = profile_script(p, v, script, sizeof(script), NULL);
	struct ota_cmd_params cmd = {
		.spi = { p->spi[0], p->spi[1] },
		.kic = profile_kic(p, k),
		.kid = profile_kid(p, k),
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
