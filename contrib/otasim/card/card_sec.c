/* card_sec.c - secured packets as the card sees them: TS 102 225, 5.1 in, 5.2 out.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What the card could not authenticate it answers in clear with CNTR zero (or not at all, by profile), never signed:
 * a signed answer to a wrongly signed command is the way SIM cards were broken in 2013.
 */
#include <string.h>

#include "ota/rd.h"
#include "ota/wr.h"

#include "card_int.h"
#include "card_sub_int.h"

#define HEADER_OCTETS 13 /* SPI KIc KID TAR CNTR PCNTR: CHL without RC/CC/DS */
#define RPI_OCTETS    3	 /* 02 71 00, part of the RC/CC input of a response (TS 31.115, 4.4) */
#define CC_MAX	      8

#define SUB_MSL 0x16 /* card-interface.md, 1 */

#define SPI1_CIPHER 0x04
#define SPI1_CNTR   0x18
#define SPI2_CIPHER 0x10
#define SPI2_SUBMIT 0x20

enum integrity { INT_NONE, INT_RC, INT_CC, INT_DS };

static uint8_t alg_nibble(enum sim_alg alg)
{
	static const uint8_t nibble[_SIM_ALGS] = {
		[SIM_ALG_DES] = 1,    [SIM_ALG_3DES2] = 5,  [SIM_ALG_3DES3] = 9,
		[SIM_ALG_AES128] = 2, [SIM_ALG_AES192] = 2, [SIM_ALG_AES256] = 2,
	};

	return nibble[alg];
}

/* Does the low nibble of KIc or KID name this key's algorithm?  0: implicitly known. */
static bool nibble_fits(uint8_t ind, enum sim_alg alg)
{
	return (ind & 0x0f) == 0 || (ind & 0x0f) == alg_nibble(alg);
}

/* Octets of RC/CC that this kind of integrity takes with this KID; -1 when KID has no meaning there. */
static int cc_octets(enum integrity kind, uint8_t kid, const struct sim_keyset *ks)
{
	switch (kind) {
	case INT_NONE:
		return 0;
	case INT_RC:
		return (kid & 0x0f) == 1 ? 2 : (kid & 0x0f) == 5 ? 4 : -1;
	case INT_CC:
		return ks && nibble_fits(kid, ks->kid_alg) ? ks->mac_len : -1;
	default:
		return -1;
	}
}

static int cc_compute(enum integrity kind, size_t n, const struct sim_keyset *ks, const uint8_t *in, size_t len,
		      uint8_t out[CC_MAX])
{
	struct wr w = wr_init(out, CC_MAX);

	if (kind == INT_CC)
		return sim_cc(ks->kid_alg, ks->kid, in, len, out, n);
	wr_be(&w, n == 2 ? sim_crc16(in, len) : sim_crc32(in, len), n);
	return 0;
}

/* ---- the answer ---- */

size_t sim_por_build(const struct sim_cmd *k, bool secure, uint8_t status, const uint8_t *data, size_t dlen,
		     bool pad_80, uint8_t *buf, size_t cap)
{
	enum integrity kind = secure ? k->spi2 >> 2 & 3 : INT_NONE;
	bool ciphered = secure && k->spi2 & SPI2_CIPHER;
	int n = cc_octets(kind, k->kid, k->ks);
	uint8_t mac_in[RPI_OCTETS + 1024], cc[CC_MAX];
	size_t pad = 0, block, body;
	struct wr w = wr_init(buf, cap), m = wr_init(mac_in, sizeof(mac_in));

	if (n < 0 || (ciphered && (!k->ks || !nibble_fits(k->kic, k->ks->kic_alg))))
		return 0;
	if (ciphered) {
		block = sim_block(k->ks->kic_alg);
		pad = (block - (7 + (size_t)n + dlen) % block) % block; /* CNTR PCNTR status RC/CC data */
	}
	body = 7 + (size_t)n + dlen + pad;
	wr_be(&w, 1 + 3 + body, 2);
	wr_u8(&w, (uint8_t)(10 + n));
	wr_bytes(&w, k->tar, 3);
	wr_be(&w, secure ? k->cntr : 0, 5);
	wr_u8(&w, (uint8_t)pad);
	wr_u8(&w, status);
	wr_fill(&w, 0, (size_t)n);
	wr_bytes(&w, data, dlen);
	if (pad && pad_80) {
		wr_u8(&w, 0x80);
		wr_fill(&w, 0, pad - 1);
	} else {
		wr_fill(&w, 0, pad);
	}
	if (w.bad)
		return 0;
	if (kind != INT_NONE) {
		wr_bytes(&m, "\x02\x71\x00", RPI_OCTETS);
		wr_bytes(&m, buf, 2 + 1 + 3 + 7);
		wr_bytes(&m, buf + 13 + n, dlen + pad);
		if (m.bad || cc_compute(kind, (size_t)n, k->ks, mac_in, wr_len(&m), cc) < 0)
			return 0;
		memcpy(buf + 13, cc, (size_t)n);
	}
	if (ciphered && sim_cbc(k->ks->kic_alg, k->ks->kic, true, buf + 6, body) < 0)
		return 0;
	return wr_len(&w);
}

/* TP-UDs of SMS-SUBMITs: one with 02 71 00, or several with a concatenation IE (first: 07 00 03 ref n 01 71 00). */
static void por_split(struct sim_card *c, const uint8_t *pkt, size_t len, struct sim_card_out *out)
{
	size_t first = SIM_UD_MAX - 8, next = SIM_UD_MAX - 6, n, off = 0;
	uint8_t ref;

	if (len + RPI_OCTETS <= SIM_UD_MAX) {
		struct wr w = wr_init(out->submit[0].ud, SIM_UD_MAX);

		wr_bytes(&w, "\x02\x71\x00", RPI_OCTETS);
		wr_bytes(&w, pkt, len);
		out->submit[0].len = (uint8_t)wr_len(&w);
		out->submits = 1;
		return;
	}
	n = 1 + (len - first + next - 1) / next;
	if (n > SIM_POR_SMS_MAX)
		return;
	if (++c->por_ref == 0)
		c->por_ref = 1;
	ref = c->por_ref;
	for (size_t i = 0; i < n; i++) {
		struct wr w = wr_init(out->submit[i].ud, SIM_UD_MAX);
		size_t room = i == 0 ? first : next, part = len - off < room ? len - off : room;

		wr_bytes(&w, i == 0 ? "\x07\x00\x03" : "\x05\x00\x03", 3);
		wr_u8(&w, ref);
		wr_u8(&w, (uint8_t)n);
		wr_u8(&w, (uint8_t)(i + 1));
		if (i == 0)
			wr_bytes(&w, "\x71\x00", 2);
		wr_bytes(&w, pkt + off, part);
		out->submit[i].len = (uint8_t)wr_len(&w);
		off += part;
	}
	out->submits = (uint8_t)n;
}

static void por_report(const uint8_t *pkt, size_t len, struct sim_card_out *out)
{
	struct wr w = wr_init(out->report, SIM_UD_MAX);

	wr_bytes(&w, "\x02\x71\x00", RPI_OCTETS);
	wr_bytes(&w, pkt, len);
	out->report_len = w.bad ? 0 : (uint8_t)wr_len(&w);
}

/* Answers as SPI2 asks; `secure` only for a command that was authentic. */
static void por_send(struct sim_card *c, const struct sim_cmd *k, const struct sim_addr *oa, bool secure,
		     uint8_t status, const uint8_t *data, size_t dlen, struct sim_card_out *out)
{
	uint8_t want = k->spi2 & 3, pkt[RESPONSE_MAX + 64];
	bool submit = k->spi2 & SPI2_SUBMIT;
	size_t len;

	if (want == 0 || want == 3 || (want == 2 && status == POR_OK))
		return;
	len = sim_por_build(k, secure, status, data, dlen, c->profile.pad_80, pkt, sizeof(pkt));
	if (len == 0) {
		/* PoR security without an algorithm, e.g. CC asked for and none in the command */
		secure = false;
		status = POR_UNIDENTIFIED_SECURITY;
		len = sim_por_build(k, false, status, NULL, 0, false, pkt, sizeof(pkt));
	}
	if (!submit && len + RPI_OCTETS > SIM_REPORT_UD_MAX && dlen > 3) {
		/* Does not fit the report: the commands have run, their data are dropped.  62F1: response truncated
		 * (TS 102 226, 5.2.2). */
		uint8_t shrt[3] = { data[0], 0x62, 0xf1 };

		len = sim_por_build(k, secure, status, shrt, sizeof(shrt), c->profile.pad_80, pkt, sizeof(pkt));
	}
	out->status = status;
	if (!submit) {
		por_report(pkt, len, out);
		return;
	}
	out->submit_to = *oa;
	por_split(c, pkt, len, out);
	if (out->submits)
		out->sw = 0x9120; /* SEND SHORT MESSAGE is waiting */
	if (c->profile.interim_0b) {
		len = sim_por_build(k, secure, POR_DATA_BY_SMS_SUBMIT, NULL, 0, c->profile.pad_80, pkt, sizeof(pkt));
		por_report(pkt, len, out);
	}
}

/* Refused before it could be authenticated. */
static void refuse(struct sim_card *c, const struct sim_cmd *k, const struct sim_addr *oa, uint8_t status,
		   struct sim_card_out *out)
{
	c->truth.security_refused++;
	if (!c->profile.silent_errors)
		por_send(c, k, oa, false, status, NULL, 0, out);
	if (out->status < 0)
		out->sw = 0x6200;
}

/* Authentic, but not to be executed. */
static void refuse_cntr(struct sim_card *c, const struct sim_cmd *k, const struct sim_addr *oa, uint8_t status,
			struct sim_card_out *out)
{
	bool low = status == POR_CNTR_LOW;

	if (low)
		c->truth.replays_refused++;
	else
		c->truth.security_refused++;
	if (c->profile.silent_errors || (low && c->profile.replay == SIM_REPLAY_SILENT))
		;
	else if (low && c->profile.replay == SIM_REPLAY_06_CLEAR)
		por_send(c, k, oa, false, POR_UNIDENTIFIED_SECURITY, NULL, 0, out);
	else if (low && c->profile.replay == SIM_REPLAY_06_SECURED)
		por_send(c, k, oa, true, POR_UNIDENTIFIED_SECURITY, NULL, 0, out);
	else
		por_send(c, k, oa, true, status, NULL, 0, out);
	if (out->status < 0)
		out->sw = 0x6200;
}

/* ---- the checkers' memory ---- */

static uint64_t hash64(const uint8_t *p, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;

	while (len--)
		h = (h ^ *p++) * 0x100000001b3u;
	return h;
}

/* Full: forget the lowest counter, which the card would refuse anyway. */
static struct sim_seen *seen_room(struct sim_card *c)
{
	struct sim_seen *low = &c->seen[0];

	if (c->seen_count < SIM_SEEN_MAX)
		return &c->seen[c->seen_count++];
	for (int i = 1; i < SIM_SEEN_MAX; i++) {
		if (c->seen[i].cntr < low->cntr)
			low = &c->seen[i];
	}
	c->truth.seen_dropped++;
	return low;
}

static struct sim_seen *seen_note(struct sim_card *c, const struct sim_cmd *k, uint64_t hash, const uint8_t *data,
				  size_t len)
{
	bool counted = (k->spi1 & SPI1_CNTR) >= 0x10, other = false, cntr_known = false;
	uint8_t kvn = k->ks ? (uint8_t)(k->ks->kvn | k->ks->gen << 4) : 0;
	struct sim_seen *s;

	for (int i = 0; i < c->seen_count; i++) {
		s = &c->seen[i];
		if (s->cntr != k->cntr || s->kvn != kvn || s->counted != counted)
			continue;
		if (s->packet_hash == hash)
			return s;
		other = true;
		cntr_known |= s->imsi_update;
	}
	s = seen_room(c);
	*s = (struct sim_seen){
		.cntr = k->cntr,
		.packet_hash = hash,
		.kvn = kvn,
		.counted = counted,
		.imsi_update = sim_script_touches_imsi(data, len),
	};
	if (other && counted)
		c->truth.same_cntr_other_packet++;
	if (s->imsi_update && !cntr_known)
		c->truth.imsi_update_cntrs++;
	return s;
}

/* ---- the command ---- */

/* MSL (TS 102 226, 8.2.1.3.2.4.2): in each field at least what the application demands. */
static bool level_ok(uint8_t msl, uint8_t spi1)
{
	return (spi1 & 3) >= (msl & 3) && (spi1 & SPI1_CIPHER) >= (msl & SPI1_CIPHER) &&
	       (spi1 & SPI1_CNTR) >= (msl & SPI1_CNTR);
}

static bool tar_known(const struct sim_card *c, const uint8_t tar[3])
{
	for (int i = 0; i < c->profile.tars; i++) {
		if (!memcmp(c->profile.tar[i], tar, 3))
			return true;
	}
	return sim_sub_tar(c, tar);
}

static struct sim_keyset *keyset_find(struct sim_card *c, uint8_t kvn, const uint8_t tar[3])
{
	if (c->sub)
		return sim_sub_keyset(c, kvn, tar);
	for (int i = 0; i < SIM_KEYSETS_MAX; i++) {
		if (c->ks[i].kvn && (kvn == 0 || c->ks[i].kvn == kvn))
			return &c->ks[i];
	}
	return NULL;
}

/* Everything the clear header decides.  POR_OK: go on and decipher. */
static uint8_t head_check(struct sim_card *c, struct sim_cmd *k)
{
	enum integrity kind = k->spi1 & 3;
	int n;

	if (k->spi1 & 0xe0 || k->spi2 & 0xc0 || kind == INT_DS || (k->spi2 & 3) == 3 || (k->spi2 >> 2 & 3) == INT_DS)
		return POR_UNIDENTIFIED_SECURITY;
	if (!tar_known(c, k->tar))
		return POR_TAR_UNKNOWN;
	if (!level_ok(c->profile.msl, k->spi1) || (sim_sub_tar(c, k->tar) && !level_ok(SUB_MSL, k->spi1)))
		return POR_INSUFFICIENT_SECURITY;
	if (k->kic >> 4 != k->kid >> 4) /* Annex A: one key version for both */
		return POR_UNIDENTIFIED_SECURITY;
	k->ks = keyset_find(c, k->kic >> 4, k->tar);
	if (!k->ks && (kind == INT_CC || k->spi1 & SPI1_CIPHER))
		return POR_UNIDENTIFIED_SECURITY;
	n = cc_octets(kind, k->kid, k->ks);
	if (n < 0)
		return POR_RC_CC_DS_FAILED;
	k->cc_len = (size_t)n;
	if (k->spi1 & SPI1_CIPHER && !nibble_fits(k->kic, k->ks->kic_alg))
		return POR_CIPHERING_ERROR;
	return POR_OK;
}

static uint8_t cntr_check(const struct sim_cmd *k)
{
	switch (k->spi1 & SPI1_CNTR) {
	case 0x10:
	case 0x18:
		if (k->ks->cntr == SIM_CNTR_MAX)
			return POR_CNTR_BLOCKED;
		if (k->cntr <= k->ks->cntr)
			return POR_CNTR_LOW;
		if ((k->spi1 & SPI1_CNTR) == 0x18 && k->cntr != k->ks->cntr + 1)
			return POR_CNTR_HIGH;
		return POR_OK;
	default:
		return POR_OK;
	}
}

static void cntr_take(struct sim_card *c, const struct sim_cmd *k)
{
	if (c->sub)
		sim_sub_cntr(c, k->cntr);
	else
		k->ks->cntr = k->cntr;
}

/* Octets of response data that the way back of this command's PoR carries. */
static size_t por_room(const struct sim_cmd *k)
{
	size_t n = SIM_REPORT_UD_MAX - RPI_OCTETS - 6; /* RPL RHL TAR stand in clear */

	if (k->spi2 & SPI2_SUBMIT)
		return RESPONSE_MAX; /* SIM_POR_SMS_MAX messages */
	if (k->spi2 & SPI2_CIPHER && k->ks)
		n -= n % sim_block(k->ks->kic_alg);
	return n - 7 - CC_MAX;
}

static void execute(struct sim_card *c, const struct sim_cmd *k, const struct sim_addr *oa, const uint8_t *data,
		    size_t len, struct sim_seen *seen, struct sim_card_out *out)
{
	char before[SIM_IMSI_LEN], after[SIM_IMSI_LEN];
	struct script_result res = { .room = por_room(k) };

	out->accepted = true;
	c->truth.accepted++;
	seen->executions++;
	if (seen->counted && seen->executions > c->truth.executions_max)
		c->truth.executions_max = seen->executions;
	sim_fs_imsi(c, before);
	if (sim_sub_tar(c, k->tar))
		sim_sub_run(c, data, len, &res);
	else
		sim_script_run(c, k->tar, data, len, &res);
	if (c->sub && c->sub->dead)
		return; /* power has failed: there is nobody to answer */
	sim_fs_imsi(c, after);
	if (res.done)
		c->truth.scripts_done++;
	if (res.imsi_written)
		c->truth.imsi_writes++;
	if (strcmp(before, after))
		c->truth.imsi_changes++;
	por_send(c, k, oa, true, POR_OK, res.resp, res.len, out);
	if (res.changed && !c->profile.no_refresh) {
		out->refresh = true;
		out->sw = 0x9120;
	}
}

/* CPL, CHL and the clear part.  False: not a command packet at all. */
static bool head_read(struct rd *in, struct sim_cmd *k, uint8_t *chl)
{
	const uint8_t *tar;

	*chl = rd_u8(in);
	k->spi1 = rd_u8(in);
	k->spi2 = rd_u8(in);
	k->kic = rd_u8(in);
	k->kid = rd_u8(in);
	tar = rd_bytes(in, 3);
	if (!tar)
		return false;
	memcpy(k->tar, tar, 3);
	return true;
}

void sim_packet(struct sim_card *c, const struct sim_addr *oa, const uint8_t *pkt, size_t len, struct sim_card_out *out)
{
	uint8_t clear[PACKET_MAX], mac_in[PACKET_MAX], cc[CC_MAX], chl, status, pcntr;
	struct rd in = rd_init(pkt, len), body, plain;
	struct sim_cmd k = { 0 };
	struct wr m;
	size_t n, dlen;

	out->complete = true;
	body = rd_sub(&in, rd_be(&in, 2));
	if (len > sizeof(clear) || rd_left(&in) || !head_read(&body, &k, &chl) || chl < HEADER_OCTETS) {
		c->truth.security_refused++;
		out->sw = 0x6f00;
		return;
	}
	status = head_check(c, &k);
	if (status != POR_OK) {
		refuse(c, &k, oa, status, out);
		return;
	}
	n = rd_left(&body); /* CNTR PCNTR RC/CC data padding */
	if (chl != HEADER_OCTETS + k.cc_len || n < 6 + k.cc_len) {
		refuse(c, &k, oa, POR_UNIDENTIFIED_SECURITY, out);
		return;
	}
	memcpy(clear, pkt, len);
	if (k.spi1 & SPI1_CIPHER &&
	    (n % sim_block(k.ks->kic_alg) || sim_cbc(k.ks->kic_alg, k.ks->kic, false, clear + (len - n), n) < 0)) {
		refuse(c, &k, oa, POR_CIPHERING_ERROR, out);
		return;
	}
	plain = rd_init(clear + (len - n), n);
	k.cntr = rd_be(&plain, 5);
	pcntr = rd_u8(&plain);
	(void)rd_bytes(&plain, k.cc_len);
	dlen = rd_left(&plain);
	/* TS 102 225, 5.1: over everything but the RC/CC field itself, cipher padding included, UDH not. */
	m = wr_init(mac_in, sizeof(mac_in));
	wr_bytes(&m, clear, 3 + HEADER_OCTETS);
	wr_bytes(&m, plain.p, dlen);
	if (k.cc_len && (m.bad || cc_compute(k.spi1 & 3, k.cc_len, k.ks, mac_in, wr_len(&m), cc) < 0 ||
			 memcmp(cc, clear + 3 + HEADER_OCTETS, k.cc_len))) {
		refuse(c, &k, oa, POR_RC_CC_DS_FAILED, out);
		return;
	}
	if (pcntr > dlen || (pcntr && !(k.spi1 & SPI1_CIPHER))) {
		refuse(c, &k, oa, POR_UNIDENTIFIED_SECURITY, out);
		return;
	}
	dlen -= pcntr;
	struct sim_seen *seen = seen_note(c, &k, hash64(clear, len), plain.p, dlen);

	if (!k.ks && (k.spi1 & SPI1_CNTR) >= 0x10) /* a counter belongs to a key version */
		status = POR_UNIDENTIFIED_SECURITY;
	else
		status = cntr_check(&k);
	if (status != POR_OK) {
		refuse_cntr(c, &k, oa, status, out);
		return;
	}
	if ((k.spi1 & SPI1_CNTR) >= 0x10)
		cntr_take(c, &k); /* whatever becomes of the commands inside */
	if (c->sub && c->sub->dead)
		return;
	execute(c, &k, oa, plain.p, dlen, seen, out);
}

void sim_packet_too_long(struct sim_card *c, const struct sim_addr *oa, const uint8_t *head, size_t len,
			 struct sim_card_out *out)
{
	struct rd in = rd_init(head, len);
	struct sim_cmd k = { 0 };
	uint8_t chl;

	(void)rd_be(&in, 2);
	if (!head_read(&in, &k, &chl)) {
		out->sw = 0x6f00;
		return;
	}
	out->complete = true;
	refuse(c, &k, oa, POR_INSUFFICIENT_MEMORY, out);
}
