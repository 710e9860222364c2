/* test_independent.c - two implementations meet: what the codec makes, otasim's card opens, and the other way round.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * usage: test_independent [PACKETS [SEED]]
 *
 * otasim's card has its own decoder and its own crypto calls and shares no line with codec/.  Random packets over all
 * modes that both have: algorithms (also another one for the MAC than for the cipher), RC and CC, counter modes, lengths,
 * segments in any order with 8- and 16-bit references, PoR by both bearers, errors in clear.  Each command is followed
 * through: the card must find the same octets in clear (it remembers a hash of them), answer with what the script wrote
 * into its files, and the codec must open that answer.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/card_int.h"
#include "ota/codec.h"
#include "test_crypt.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define SET	      1
#define DATA_MAX      640 /* what five segments carry, about */
#define POR_DATA_MAX  380 /* three SMS-SUBMITs */
#define SEED_DEFAULT  20260214
#define EACH_MODE_MIN 10000 /* with so many packets every mode must have come up */
#define POR_REF	      7
#define COMMAND_PI    0x70
#define RESPONSE_PI   0x71

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
#define PACKETS_DEFAULT 20000
#else
#define PACKETS_DEFAULT 100000
#endif

/* ------------------------------------------------------------------------------------------------ what came up */

#define TALLIES                                          \
	X(clear, "not ciphered")                         \
	X(c_des, "DES-CBC")                              \
	X(c_3des2, "3DES-CBC, 2 keys")                   \
	X(c_3des3, "3DES-CBC, 3 keys")                   \
	X(c_aes128, "AES-128-CBC")                       \
	X(c_aes192, "AES-192-CBC")                       \
	X(c_aes256, "AES-256-CBC")                       \
	X(i_none, "no RC/CC")                            \
	X(i_crc16, "CRC-16")                             \
	X(i_crc32, "CRC-32")                             \
	X(i_des, "DES CBC-MAC")                          \
	X(i_3des2, "3DES CBC-MAC, 2 keys")               \
	X(i_3des3, "3DES CBC-MAC, 3 keys")               \
	X(i_cmac8, "AES-CMAC, 8 octets")                 \
	X(i_cmac4, "AES-CMAC, 4 octets")                 \
	X(n_0, "counter mode 0, none")                   \
	X(n_1, "counter mode 1, not checked")            \
	X(n_2, "counter mode 2, higher")                 \
	X(n_3, "counter mode 3, exactly one higher")     \
	X(s_1, "one short message")                      \
	X(s_8, "segments, 8-bit reference")              \
	X(s_16, "segments, 16-bit reference")            \
	X(s_5, "five segments")                          \
	X(d_0, "no data")                                \
	X(p_none, "no PoR")                              \
	X(p_report, "PoR by DELIVER-REPORT")             \
	X(p_submit, "PoR by SMS-SUBMIT")                 \
	X(p_interim, "interim 0B before SMS-SUBMIT")     \
	X(p_clear, "PoR in clear, as asked")             \
	X(p_ciphered, "PoR ciphered")                    \
	X(p_rc, "PoR with RC")                           \
	X(p_cc, "PoR with CC")                           \
	X(p_safer, "PoR safer than its command")         \
	X(p_long, "PoR of several segments")             \
	X(p_80, "PoR padded with 80 00..")               \
	X(p_tampered, "PoR with a bit flipped: refused") \
	X(x_content, "file contents there and back")     \
	X(x_tampered, "a bit flipped: 01")               \
	X(x_tar, "TAR unknown: 09")                      \
	X(x_msl, "security too low: 0A")                 \
	X(x_long, "too many segments: 07")               \
	X(x_low, "counter low: 02")                      \
	X(x_high, "counter high: 03")                    \
	X(x_blocked, "counter blocked: 04")              \
	X(x_replay, "sent twice")                        \
	X(x_hint, "error in clear: a hint only")

#define X(name, text) T_##name,
enum tally { TALLIES _TALLIES };
#undef X
#define X(name, text) text,
static const char *const tally_names[] = { TALLIES };
#undef X
static uint64_t tallies[_TALLIES];

static struct test_crypt keys;
static uint64_t rng, number, failures;

static uint64_t draw(void)
{
	uint64_t z = rng += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static unsigned pick(unsigned n)
{
	return (unsigned)(draw() % n);
}

static void fill(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)draw();
}

static void failed(const char *what, int line)
{
	if (failures++ < 20)
		fprintf(stderr, "packet %" PRIu64 ": line %d: %s does not hold\n", number, line, what);
}
#define MUST(cond)                               \
	do {                                     \
		if (!(cond))                     \
			failed(#cond, __LINE__); \
	} while (0)

/* --------------------------------------------------------------------------------------------------- one exchange */

/* What is wrong with this command, on purpose. */
enum fault { FINE, TAMPERED, TAR_UNKNOWN, LOW_SECURITY, TOO_LONG, COUNTER_LOW, COUNTER_HIGH, COUNTER_BLOCKED };

struct trial {
	struct sim_card card;
	struct ota_cmd_params p;
	enum fault fault;
	unsigned rc_kind; /* 1 CRC-16, 5 CRC-32: nibble of KID with RC */
	uint8_t data[DATA_MAX];
	uint8_t want[64]; /* contents that the last command reads back */
	size_t want_len;
	unsigned apdus; /* 0: random octets, no script */
	uint8_t packet[OTA_PACKET_MAX];
	size_t packet_len;
};

static const enum tally cipher_tally[_SIM_ALGS] = {
	[SIM_ALG_DES] = T_c_des,       [SIM_ALG_3DES2] = T_c_3des2,   [SIM_ALG_3DES3] = T_c_3des3,
	[SIM_ALG_AES128] = T_c_aes128, [SIM_ALG_AES192] = T_c_aes192, [SIM_ALG_AES256] = T_c_aes256,
};
static const uint8_t nibble[_SIM_ALGS] = {
	[SIM_ALG_DES] = 1,    [SIM_ALG_3DES2] = 5,  [SIM_ALG_3DES3] = 9,
	[SIM_ALG_AES128] = 2, [SIM_ALG_AES192] = 2, [SIM_ALG_AES256] = 2,
};

static void card_draw(struct trial *t)
{
	struct sim_card_profile f;
	struct sim_keyset *ks = &t->card.ks[0];

	sim_card_profile_default(&f);
	f.msl = 0;
	f.kvn = (uint8_t)(1 + pick(15));
	f.pad_80 = pick(3) == 0;
	f.interim_0b = pick(2);
	f.replay = (enum sim_replay)pick(4);
	MUST(sim_card_init(&t->card, number, 1, &f) == 0);
	ks->kic_alg = (enum sim_alg)(1 + pick(_SIM_ALGS - 1));
	ks->kid_alg = pick(3) ? ks->kic_alg : (enum sim_alg)(1 + pick(_SIM_ALGS - 1));
	ks->mac_len = ks->kid_alg >= SIM_ALG_AES128 && pick(2) ? 4 : 8;
	ks->cntr = draw() >> pick(64) & SIM_CNTR_MAX;
	if (ks->cntr > SIM_CNTR_MAX - 1000)
		ks->cntr -= 1000;
	fill(ks->kic, sim_alg_key_len(ks->kic_alg));
	fill(ks->kid, sim_alg_key_len(ks->kid_alg));
	test_crypt_set(&keys, SET, KS_KEY_KIC, ks->kic, sim_alg_key_len(ks->kic_alg));
	test_crypt_set(&keys, SET, KS_KEY_KID, ks->kid, sim_alg_key_len(ks->kid_alg));
}

/* SPI, KIc, KID: every combination that both sides can carry out. */
static void security_draw(struct trial *t)
{
	const struct sim_keyset *ks = &t->card.ks[0];
	unsigned integrity = pick(3), ciphered = pick(4) != 0, por_integrity, por_ciphered;
	uint8_t kid;

	t->rc_kind = pick(2) ? 1 : 5;
	kid = integrity == 1 ? (uint8_t)t->rc_kind : nibble[ks->kid_alg];
	/* the PoR's RC or CC goes by the same KID octet: 1 and 5 name a CRC as well as a cipher */
	por_integrity = pick(3);
	if (por_integrity == 1 && kid != 1 && kid != 5)
		por_integrity = 0;
	if (por_integrity == 2 && kid != nibble[ks->kid_alg])
		por_integrity = 0;
	por_ciphered = pick(2);
	t->p = (struct ota_cmd_params){
		.spi = { (uint8_t)(integrity | ciphered << 2 | pick(4) << 3),
			 (uint8_t)(pick(3) | por_integrity << 2 | por_ciphered << 4 | pick(2) << 5) },
		.kic = (uint8_t)(ks->kvn << 4 | nibble[ks->kic_alg]),
		.kid = (uint8_t)(ks->kvn << 4 | kid),
		.tar = { 0xb0, 0x00, 0x11 },
		.cc_len = integrity == 2 && ks->mac_len == 4 ? 4 : 0,
		.kic_ref = { SET, KS_KEY_KIC },
		.kid_ref = { SET, KS_KEY_KID },
	};
}

static void counter_draw(struct trial *t)
{
	struct sim_keyset *ks = &t->card.ks[0];
	unsigned mode = OTA_SPI1_COUNTER(t->p.spi[0]);

	if (mode < 2) {
		t->p.cntr = pick(4) ? draw() & OTA_CNTR_MAX : 0;
		return;
	}
	if (t->fault == FINE && pick(8) == 0)
		t->fault = pick(8) == 0 ? COUNTER_BLOCKED : mode == 3 && pick(2) ? COUNTER_HIGH : COUNTER_LOW;
	t->p.cntr = ks->cntr + 1 + (mode == 2 && pick(2) ? pick(900) : 0);
	if (t->fault == COUNTER_HIGH)
		t->p.cntr = ks->cntr + 2 + pick(900);
	if (t->fault == COUNTER_LOW)
		t->p.cntr = ks->cntr - (ks->cntr ? draw() % (ks->cntr < 1000 ? ks->cntr : 1000) : 0);
	if (t->fault == COUNTER_BLOCKED)
		ks->cntr = t->p.cntr = SIM_CNTR_MAX;
}

/* SELECT a file, write it, again and again, and read the last one back. */
static void script_draw(struct trial *t, size_t room)
{
	static const struct {
		uint16_t fid;
		uint8_t len;
	} files[] = { { 0x6f07, 9 }, { 0x6f7e, 11 }, { 0x6f46, 17 }, { 0x6f08, 33 }, { 0x6fc4, 46 }, { 0x6f31, 1 } };
	struct ota_script s;

	ota_script_init(&s, t->data, sizeof(t->data));
	do {
		unsigned f = pick(ARRAY_SIZE(files));

		t->want_len = files[f].len;
		fill(t->want, t->want_len);
		ota_script_select(&s, 0x00, files[f].fid);
		ota_script_update_binary(&s, 0x00, 0, t->want, t->want_len);
		t->apdus += 2;
	} while (s.len + 5 + 7 + 5 + 46 < room);
	ota_script_read_binary(&s, 0x00, 0, (uint8_t)t->want_len);
	t->apdus++;
	t->p.data_len = (size_t)ota_script_len(&s);
}

static void data_draw(struct trial *t)
{
	size_t room = pick(2) ? pick(130) : pick(600);

	t->p.data = t->data;
	if (pick(2)) {
		script_draw(t, room);
		return;
	}
	t->p.data_len = pick(20) ? room : 0;
	fill(t->data, t->p.data_len);
}

/* A fault for some, where it shows. */
static void fault_draw(struct trial *t)
{
	unsigned integrity = OTA_SPI1_INTEGRITY(t->p.spi[0]);
	bool ciphered = OTA_SPI1_CIPHERED(t->p.spi[0]);

	switch (pick(24)) {
	case 0: /* a CRC finds every single bit, but not what a cipher makes of it */
		if (integrity == 2 || (integrity == 1 && !ciphered))
			t->fault = TAMPERED;
		break;
	case 1:
		t->p.tar[2] = 0x12;
		t->fault = TAR_UNKNOWN;
		break;
	case 2:
		if ((t->p.spi[0] & 0x1f) < 0x16 && !(integrity == 2 && ciphered && t->p.spi[0] & 0x10)) {
			t->card.profile.msl = 0x16;
			t->fault = LOW_SECURITY;
		}
		break;
	case 3:
		t->fault = TOO_LONG;
		break;
	default:
		break;
	}
}

/* The card's hash (FNV-1a, 64 bits) of what it found in clear. */
static uint64_t hash64(const uint8_t *p, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;

	while (len--)
		h = (h ^ *p++) * 0x100000001b3u;
	return h;
}

static void tally_command(const struct trial *t, unsigned total, enum ota_concat concat)
{
	const struct sim_keyset *ks = &t->card.ks[0];
	unsigned integrity = OTA_SPI1_INTEGRITY(t->p.spi[0]);
	enum tally mac = ks->kid_alg == SIM_ALG_DES   ? T_i_des :
			 ks->kid_alg == SIM_ALG_3DES2 ? T_i_3des2 :
			 ks->kid_alg == SIM_ALG_3DES3 ? T_i_3des3 :
			 ks->mac_len == 4	      ? T_i_cmac4 :
							T_i_cmac8;

	tallies[OTA_SPI1_CIPHERED(t->p.spi[0]) ? cipher_tally[ks->kic_alg] : T_clear]++;
	tallies[integrity == 0 ? T_i_none : integrity == 2 ? mac : t->rc_kind == 1 ? T_i_crc16 : T_i_crc32]++;
	tallies[T_n_0 + OTA_SPI1_COUNTER(t->p.spi[0])]++;
	tallies[total == 1 ? T_s_1 : concat == OTA_CONCAT_UDH8 ? T_s_8 : T_s_16]++;
	tallies[T_s_5] += total == 5;
	tallies[T_d_0] += t->p.data_len == 0;
}

/* All segments in random order, now and then one twice; `out` is the answer to the one that completed the packet. */
static void send_packet(struct trial *t, struct sim_card_out *out)
{
	static const struct sim_addr oa = { 1, 1, "88299000001" };
	enum ota_concat concat = pick(2) ? OTA_CONCAT_UDH8 : OTA_CONCAT_UDH16;
	int total = ota_segments(t->packet_len, concat);
	uint16_t ref = (uint16_t)(1 + pick(concat == OTA_CONCAT_UDH8 ? 255 : 65535));
	uint8_t order[OTA_SEGMENTS_MAX] = { 0 }, ud[OTA_TP_UD_MAX];

	MUST(total >= 1 && total <= SIM_SEGMENTS_MAX);
	tally_command(t, (unsigned)total, concat);
	for (int i = 0; i < total; i++) {
		int k = (int)pick((unsigned)i + 1);

		order[i] = order[k];
		order[k] = (uint8_t)(i + 1);
	}
	if (t->fault == TOO_LONG && total > 1)
		t->card.profile.segments_max = (uint8_t)(total - 1);
	else if (t->fault == TOO_LONG)
		t->fault = FINE;
	for (int i = 0; i < total; i++) {
		int len = ota_segment(ud, t->packet, t->packet_len, COMMAND_PI, concat, ref, order[i], (uint8_t)total);

		MUST(len > 0);
		sim_card_sms_pp(&t->card, &oa, ud, (size_t)len, out);
		if (t->fault == TOO_LONG && order[i] == 1)
			return; /* answered at once */
		MUST(out->complete == (t->fault != TOO_LONG && i + 1 == total));
		if (i + 1 < total && t->fault != TOO_LONG && pick(8) == 0) {
			sim_card_sms_pp(&t->card, &oa, ud, (size_t)len, out);
			MUST(!out->complete);
		}
	}
}

/* The codec's view of one answer.  false: refused. */
static bool open_uds(const struct trial *t, const uint8_t (*ud)[OTA_TP_UD_MAX], const uint8_t *len, unsigned n,
		     uint8_t packet[OTA_PACKET_MAX], struct ota_rsp *r)
{
	struct ota_crypt crypt = test_crypt(&keys);
	struct ota_cmd_params sent = t->p;
	struct ota_part part[OTA_SEGMENTS_MAX];
	struct ota_join j;
	int rc = 0;

	/* which CMAC the key makes: a command without one does not tell */
	if (t->card.ks[0].mac_len == 4)
		sent.cc_len = 4;
	ota_join_init(&j, part, OTA_SEGMENTS_MAX);
	for (unsigned i = n; i-- > 0;)
		rc = ota_join_add(&j, ud[i], len[i]);
	MUST(rc == 1 && j.pi == RESPONSE_PI);
	rc = ota_join_packet(&j, packet, OTA_PACKET_MAX);
	MUST(rc > 0);
	return rc > 0 && ota_rsp_open(r, packet, (size_t)rc, &sent, &crypt) == 0;
}

static void tally_por(const struct trial *t)
{
	uint8_t spi1 = t->p.spi[0], spi2 = t->p.spi[1];
	unsigned integrity = OTA_SPI2_INTEGRITY(spi2);

	tallies[T_p_clear] += !integrity && !OTA_SPI2_CIPHERED(spi2);
	tallies[T_p_ciphered] += OTA_SPI2_CIPHERED(spi2);
	tallies[T_p_rc] += integrity == 1;
	tallies[T_p_cc] += integrity == 2;
	tallies[T_p_safer] += integrity > OTA_SPI1_INTEGRITY(spi1) || OTA_SPI2_CIPHERED(spi2) > OTA_SPI1_CIPHERED(spi1);
	tallies[T_p_80] += t->card.profile.pad_80 && OTA_SPI2_CIPHERED(spi2);
}

static void check_content(const struct trial *t, const struct ota_rsp *r)
{
	struct ota_script_rsp body;
	struct ota_rapdu_iter it = { 0 };
	struct ota_rapdu a = { 0 };

	if (!t->apdus)
		return;
	tallies[T_x_content]++;
	MUST(ota_script_rsp_parse(&body, OTA_FORMAT_COMPACT, r->data, r->data_len) == 0);
	MUST((unsigned)body.executed == t->apdus && body.last_sw == 0x9000);
	MUST(ota_script_rsp_failed(&body, t->apdus, NULL) == -1);
	MUST(ota_rapdu_next(&body, &it, &a));
	MUST(a.data_len == t->want_len && !memcmp(a.data, t->want, a.data_len));
}

/* The answer that the card gave, or gave not. */
static void check_por(const struct trial *t, const struct sim_card_out *out, int status, bool secure)
{
	unsigned por = OTA_SPI2_POR(t->p.spi[1]);
	bool submit = OTA_SPI2_SUBMIT(t->p.spi[1]), wanted = por == 1 || (por == 2 && status != OTA_POR_OK);
	bool security = OTA_SPI2_INTEGRITY(t->p.spi[1]) || OTA_SPI2_CIPHERED(t->p.spi[1]);
	uint8_t ud[SIM_POR_SMS_MAX][OTA_TP_UD_MAX], len[SIM_POR_SMS_MAX], packet[OTA_PACKET_MAX];
	struct ota_rsp r = { 0 };
	unsigned n = submit ? out->submits : out->report_len != 0;

	if (!wanted) {
		MUST(!n && out->report_len == 0);
		tallies[T_p_none]++;
		return;
	}
	MUST(out->status == status && n == 1);
	tallies[submit ? T_p_submit : T_p_report]++;
	for (unsigned i = 0; i < n; i++) {
		len[i] = submit ? out->submit[i].len : out->report_len;
		memcpy(ud[i], submit ? out->submit[i].ud : out->report, len[i]);
	}
	MUST(open_uds(t, ud, len, n, packet, &r));
	MUST(r.status == status && !memcmp(r.tar, t->p.tar, 3));
	if (secure) {
		tally_por(t);
		MUST(r.verdict == OTA_ACCEPT && r.cntr == t->p.cntr);
		MUST(r.secured == (OTA_SPI2_INTEGRITY(t->p.spi[1]) != 0));
		if (status == OTA_POR_OK)
			check_content(t, &r);
	} else {
		/* where no security was asked for and the counter is 0, nothing tells it from an ordinary answer */
		MUST(r.verdict == (security || t->p.cntr ? OTA_ACCEPT_UNAUTHENTICATED : OTA_ACCEPT));
		MUST(r.cntr == 0 && !r.secured && r.data_len == 0);
		tallies[T_x_hint] += r.verdict == OTA_ACCEPT_UNAUTHENTICATED;
	}
	if (submit && t->card.profile.interim_0b) {
		memcpy(ud[0], out->report, out->report_len);
		MUST(open_uds(t, ud, &out->report_len, 1, packet, &r));
		MUST(r.status == OTA_POR_DATA_BY_SUBMIT);
		MUST(!secure || r.verdict == OTA_ACCEPT);
		tallies[T_p_interim]++;
	}
}

/* Did the card see in clear what the codec meant? */
static void check_seen(struct trial *t)
{
	struct ota_crypt crypt = test_crypt(&keys);
	struct ota_cmd cmd;

	MUST(ota_cmd_decode(&cmd, t->packet, t->packet_len, &t->p, &crypt) == 0);
	MUST(cmd.p.cntr == t->p.cntr && cmd.p.data_len == t->p.data_len);
	MUST(t->card.seen_count == 1 && t->card.seen[0].cntr == t->p.cntr);
	MUST(t->card.seen[0].packet_hash == hash64(t->packet, t->packet_len));
}

/* The card refuses a flipped bit, and so does the codec. */
static void check_tampered(const struct trial *t)
{
	struct ota_crypt crypt = test_crypt(&keys);
	uint8_t copy[OTA_PACKET_MAX];
	struct ota_cmd cmd;

	memcpy(copy, t->packet, t->packet_len);
	MUST(ota_cmd_decode(&cmd, copy, t->packet_len, &t->p, &crypt) == OTA_E_CC && !cmd.opened);
}

static void check_answer(struct trial *t, const struct sim_card_out *out, uint64_t cntr_before)
{
	static const struct {
		int status;
		enum tally tally;
	} expect[] = {
		[TAMPERED] = { OTA_POR_CC_FAILED, T_x_tampered },
		[TAR_UNKNOWN] = { OTA_POR_TAR_UNKNOWN, T_x_tar },
		[LOW_SECURITY] = { OTA_POR_MSL, T_x_msl },
		[TOO_LONG] = { OTA_POR_NO_MEMORY, T_x_long },
		[COUNTER_LOW] = { OTA_POR_CNTR_LOW, T_x_low },
		[COUNTER_HIGH] = { OTA_POR_CNTR_HIGH, T_x_high },
		[COUNTER_BLOCKED] = { OTA_POR_CNTR_BLOCKED, T_x_blocked },
	};
	bool counter = t->fault >= COUNTER_LOW;

	MUST(out->accepted == (t->fault == FINE));
	if (t->fault == FINE) {
		MUST(t->card.ks[0].cntr == (OTA_SPI1_COUNTER(t->p.spi[0]) >= 2 ? t->p.cntr : cntr_before));
		check_por(t, out, OTA_POR_OK, true);
		check_seen(t);
		return;
	}
	tallies[expect[t->fault].tally]++;
	MUST(t->card.ks[0].cntr == cntr_before);
	if (t->fault != COUNTER_LOW || t->card.profile.replay == SIM_REPLAY_02)
		check_por(t, out, expect[t->fault].status, counter);
	else if (t->card.profile.replay == SIM_REPLAY_06_CLEAR)
		check_por(t, out, OTA_POR_UNIDENTIFIED, false);
	else if (t->card.profile.replay == SIM_REPLAY_06_SECURED)
		check_por(t, out, OTA_POR_UNIDENTIFIED, true);
	else
		MUST(out->status == -1 && !out->report_len && !out->submits && out->sw == 0x6200);
}

/* An answer longer than the card's files give rise to, built by the card's own function and split by the codec. */
static void long_por(struct trial *t)
{
	struct sim_cmd k = {
		.spi1 = t->p.spi[0],
		.spi2 = t->p.spi[1],
		.kic = t->p.kic,
		.kid = t->p.kid,
		.tar = { t->p.tar[0], t->p.tar[1], t->p.tar[2] },
		.cntr = t->p.cntr,
		.ks = &t->card.ks[0],
	};
	uint8_t data[POR_DATA_MAX], packet[OTA_PACKET_MAX], ud[4][OTA_TP_UD_MAX], len[4], status = (uint8_t)pick(13);
	enum ota_concat concat = OTA_CONCAT_UDH8; /* as cards do */
	size_t n = pick(POR_DATA_MAX), size;
	unsigned integrity = OTA_SPI2_INTEGRITY(k.spi2), first;
	struct ota_rsp r = { 0 };
	int total;

	fill(data, n);
	size = sim_por_build(&k, true, status, data, n, pick(2), packet, sizeof(packet));
	MUST(size > 0);
	total = ota_segments(size, concat);
	MUST(total >= 1 && total <= 4);
	first = total == 1 ? 3 : 8; /* octets of UDH before the packet begins; 6 in those after it */
	for (int i = 0; i < total; i++)
		len[i] = (uint8_t)ota_segment(ud[i], packet, size, RESPONSE_PI, concat, POR_REF, (uint8_t)(i + 1),
					      (uint8_t)total);
	MUST(open_uds(t, ud, len, (unsigned)total, packet, &r));
	MUST(r.verdict == OTA_ACCEPT && r.status == status && r.data_len == n && !memcmp(r.data, data, n));
	tallies[T_p_long] += total > 1;
	/* one bit behind TAR flipped: what a CRC finds in clear, and a MAC always */
	if (integrity == 2 || (integrity == 1 && !OTA_SPI2_CIPHERED(k.spi2))) {
		unsigned at = 6 + pick((unsigned)size - 6), i = 0, head = first;

		while (at >= len[i] - head) {
			at -= len[i++] - head;
			head = 6;
		}
		ud[i][head + at] ^= (uint8_t)(1u << pick(8));
		MUST(!open_uds(t, ud, len, (unsigned)total, packet, &r) && r.why == OTA_E_CC);
		tallies[T_p_tampered]++;
	}
}

static void once(struct trial *t)
{
	struct ota_crypt crypt = test_crypt(&keys);
	struct sim_card_out out;
	uint64_t cntr;
	int len;

	memset(t, 0, sizeof(*t));
	card_draw(t);
	security_draw(t);
	fault_draw(t);
	counter_draw(t);
	data_draw(t);
	len = ota_cmd_encode(t->packet, sizeof(t->packet), &t->p, &crypt);
	MUST(len > 0);
	if (len <= 0)
		return;
	t->packet_len = (size_t)len;
	if (t->fault == TAMPERED)
		t->packet[10 + pick((unsigned)len - 10)] ^= (uint8_t)(1u << pick(8));
	if (t->fault == TAMPERED)
		check_tampered(t);
	cntr = t->card.ks[0].cntr;
	send_packet(t, &out);
	check_answer(t, &out, cntr);
	/* a copy of an executed command, as the network may deliver it */
	if (t->fault == FINE && OTA_SPI1_COUNTER(t->p.spi[0]) >= 2 && pick(8) == 0) {
		MUST(ota_cmd_encode(t->packet, sizeof(t->packet), &t->p, &crypt) == len);
		t->fault = COUNTER_LOW;
		cntr = t->card.ks[0].cntr;
		send_packet(t, &out);
		check_answer(t, &out, cntr);
		MUST(t->card.truth.accepted == 1 && t->card.truth.executions_max == 1);
		tallies[T_x_replay]++;
	}
	if (pick(4) == 0)
		long_por(t);
}

int main(int argc, char **argv)
{
	uint64_t packets = argc > 1 ? strtoull(argv[1], NULL, 10) : PACKETS_DEFAULT;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : SEED_DEFAULT;
	static struct trial t;
	bool missing = false;

	if (packets == 0 || argc > 3) {
		fprintf(stderr, "usage: %s [PACKETS [SEED]]\n", argv[0]);
		return 2;
	}
	rng = seed;
	for (number = 0; number < packets; number++)
		once(&t);
	printf("%" PRIu64 " packets, seed %" PRIu64 "\n", packets, seed);
	for (unsigned i = 0; i < _TALLIES; i++) {
		printf("%10" PRIu64 "  %s\n", tallies[i], tally_names[i]);
		missing |= tallies[i] == 0;
	}
	if (missing && packets >= EACH_MODE_MIN)
		fprintf(stderr, "a mode never came up\n");
	printf("%" PRIu64 " checks failed\n", failures);
	test_crypt_free();
	return failures || (missing && packets >= EACH_MODE_MIN);
}
