/* packet.c - `otactl packet encode|decode`: JSON Lines in and out, no gateway needed.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Field names are those of the test vectors.  One bad line yields one error object and the next line goes on.  Keys come in
 * on standard input or from a file, never as arguments.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "packet.h"

#define PACKET_NAME "packet" /* keysets of this command are bound to no card */
#define PARTS_MAX   (OTA_SEGMENTS_PROTOCOL_MAX * OTA_TP_UD_MAX)
#define PI_COMMAND  0x70
#define PI_RESPONSE 0x71

void packet_wrong(struct packet_line *l, const char *fmt, ...)
{
	va_list ap;

	if (l->why[0])
		return;
	va_start(ap, fmt);
	vsnprintf(l->why, sizeof(l->why), fmt, ap);
	va_end(ap);
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

bool packet_unhex(uint8_t *buf, const char *digits, size_t n, size_t *at)
{
	for (size_t i = 0; i < n; i++) {
		int v = nibble(digits[i]);

		*at = i + 1;
		if (v < 0)
			return false;
		buf[i / 2] = (uint8_t)(i % 2 ? buf[i / 2] | v : v << 4);
	}
	return true;
}

size_t packet_hex(struct packet_line *l, const char *name, uint8_t *buf, size_t cap, size_t len, bool optional)
{
	const json_t *v = json_object_get(l->in, name);
	const char *s = json_string_value(v);
	size_t n, at;

	if (l->why[0] || ((!v || json_is_null(v)) && optional))
		return 0;
	if (!s) {
		packet_wrong(l, v ? "%s: must be a string of hex digits" : "%s: missing", name);
		return 0;
	}
	n = strlen(s);
	if (n % 2 || (len && n != 2 * len) || n / 2 > cap) {
		if (len)
			packet_wrong(l, "%s: %zu hex digits, must be %zu", name, n, 2 * len);
		else
			packet_wrong(l, "%s: %zu hex digits, must be even and at most %zu", name, n, 2 * cap);
		return 0;
	}
	if (!packet_unhex(buf, s, n, &at)) {
		packet_wrong(l, "%s: character %zu is not a hex digit", name, at);
		return 0;
	}
	return n / 2;
}

long packet_int(struct packet_line *l, const char *name, long lo, long hi, long otherwise)
{
	const json_t *v = json_object_get(l->in, name);
	const char *s = json_string_value(v);
	json_int_t n = json_integer_value(v);
	char *end = NULL;

	if (l->why[0] || !v || json_is_null(v))
		return otherwise;
	if (s && nibble(*s) >= 0)
		n = strtol(s, &end, 16);
	if (!(json_is_integer(v) || (end && !*end)) || n < lo || n > hi) {
		packet_wrong(l, "%s: a whole number %ld..%ld is needed (a string is read as hex)", name, lo, hi);
		return otherwise;
	}
	return (long)n;
}

json_t *packet_json_hex(const uint8_t *p, size_t len)
{
	static const char digit[] = "0123456789abcdef";
	char text[2 * PARTS_MAX];

	if (len > PARTS_MAX)
		len = PARTS_MAX;
	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digit[p[i] >> 4];
		text[2 * i + 1] = digit[p[i] & 15];
	}
	return json_stringn(text, 2 * len);
}

/* ------------------------------------------------------------------------------------------------------------ keys */

/* The text of a key inside the JSON object: given to the keystore, which wipes it. */
static char *key_text(const struct packet_line *l, const char *name, bool wanted, char *none)
{
	json_t *v = json_object_get(l->in, name);

	return wanted && json_is_string(v) ? (char *)(uintptr_t)json_string_value(v) : none;
}

unsigned packet_keys_of_command(const struct ota_cmd_params *p)
{
	return (OTA_SPI1_CIPHERED(p->spi[0]) ? PACKET_KIC : 0u) |
	       (OTA_SPI1_INTEGRITY(p->spi[0]) == 2 ? PACKET_KID : 0u);
}

unsigned packet_keys_of_response(const struct ota_cmd_params *p)
{
	return (OTA_SPI2_CIPHERED(p->spi[1]) ? PACKET_KIC : 0u) |
	       (OTA_SPI2_INTEGRITY(p->spi[1]) == 2 ? PACKET_KID : 0u);
}

bool packet_keys_load(struct packet_keys *k, struct packet_line *l, struct ota_cmd_params *p, unsigned which)
{
	const bool kic = which & PACKET_KIC, kid = which & PACKET_KID;
	struct ks_keyset_spec spec = { .kvn = 1, .cc_len = 8, .weak = true };
	uint8_t sealed[KS_SEALED_MAX];
	char none[3][1] = { "", "", "" };
	int n;

	packet_keys_drop(k);
	if (l->why[0] || !which)
		return !l->why[0];
	spec.kic_alg = kic ? ota_kic_alg(p->kic) : OTA_ALG_NONE;
	spec.kid_alg = kid ? ota_kid_alg(p->kid) : OTA_ALG_NONE;
	if (spec.kid_alg == OTA_ALG_AES_CBC && p->cc_len == 4)
		spec.cc_len = 4;
	if ((kic && !spec.kic_alg) || (kid && !spec.kid_alg)) {
		packet_wrong(l, "%s", ota_strerror(OTA_E_ALG));
		l->octets = true;
		return false;
	}
	for (unsigned i = 0; i < 2; i++) {
		static const char *const name[] = { "kic_key", "kid_key" };

		const json_t *v = json_object_get(l->in, name[i]);

		if ((i ? kid : kic) && !json_string_length(v)) {
			packet_wrong(l, "%s: %s, and SPI asks for it", name[i], v ? "no key" : "missing");
			l->octets = v != NULL;
			return false;
		}
	}
	n = ks_keyset_import(k->ks, PACKET_NAME, &spec, key_text(l, "kic_key", kic, none[0]),
			     key_text(l, "kid_key", kid, none[1]), none[2], sealed, l->why, sizeof(l->why));
	if (n < 0) {
		packet_wrong(l, "%s", ks_strerror(n));
		l->octets = n == KS_E_KEYLEN;
		return false;
	}
	n = ks_load(k->ks, PACKET_NAME, spec.kvn, sealed, (size_t)n, &k->set);
	if (n)
		packet_wrong(l, "%s", ks_strerror(n));
	p->kic_ref = (struct ks_ref){ k->set, KS_KEY_KIC };
	p->kid_ref = (struct ks_ref){ k->set, KS_KEY_KID };
	return n == 0;
}

void packet_keys_drop(struct packet_keys *k)
{
	ks_unload(k->ks, k->set);
	k->set = 0;
}

/* ----------------------------------------------------------------------------------------------------------- lines */

void packet_params(struct packet_line *l, struct ota_cmd_params *p, bool command)
{
	uint8_t cntr[5] = { 0 };

	/* a response is opened against its command; recorded ones do not always tell SPI1, which follows from SPI2 then */
	if (!packet_hex(l, "spi1", &p->spi[0], 1, 1, !command))
		p->spi[0] = 0;
	packet_hex(l, "spi2", &p->spi[1], 1, 1, false);
	packet_hex(l, "kic", &p->kic, 1, 1, false);
	packet_hex(l, "kid", &p->kid, 1, 1, false);
	packet_hex(l, "tar", p->tar, 3, 3, false);
	packet_hex(l, "cntr", cntr, 5, 5, false);
	for (int i = 0; i < 5; i++)
		p->cntr = p->cntr << 8 | cntr[i];
	p->cc_len = (uint8_t)packet_int(l, "cc_len", 0, OTA_CC_LEN_MAX, 0);
	if (!command && !json_object_get(l->in, "spi1"))
		p->spi[0] = (uint8_t)(OTA_SPI2_INTEGRITY(p->spi[1]) | OTA_SPI2_CIPHERED(p->spi[1]) << 2);
}

static json_t *begin(const struct packet_line *l)
{
	json_t *out = json_object();
	json_t *id = json_object_get(l->in, "id");

	if (id)
		json_object_set(out, "id", id);
	return out;
}

static json_t *error_line(const struct packet_line *l)
{
	json_t *out = begin(l);

	json_object_set_new(out, "error", json_string(l->why));
	return out;
}

static json_t *segments(struct packet_line *l, const uint8_t *pkt, size_t len)
{
	enum ota_concat iei = (enum ota_concat)packet_int(l, "concat_iei", 0, OTA_CONCAT_UDH16, OTA_CONCAT_UDH8);
	long ref = packet_int(l, "concat_ref", 1, iei == OTA_CONCAT_UDH16 ? 65535 : 255, 1);
	int total = ota_segments_max(len, iei, OTA_SEGMENTS_PROTOCOL_MAX);
	json_t *list;
	uint8_t ud[OTA_TP_UD_MAX];

	if (iei != OTA_CONCAT_UDH8 && iei != OTA_CONCAT_UDH16)
		packet_wrong(l, "concat_iei: 00 or 08");
	if (total < 0)
		packet_wrong(l, "%s", ota_strerror(total));
	if (l->why[0])
		return NULL;
	list = json_array();
	for (int seq = 1; seq <= total; seq++) {
		int n = ota_segment(ud, pkt, len, 0x70, iei, (uint16_t)ref, (uint8_t)seq, (uint8_t)total);

		if (n < 0) {
			packet_wrong(l, "%s", ota_strerror(n));
			json_decref(list);
			return NULL;
		}
		json_array_append_new(list, packet_json_hex(ud, (size_t)n));
	}
	return list;
}

json_t *packet_encode_line(struct packet_keys *k, const json_t *in, bool legacy)
{
	struct packet_line l = { .in = in };
	struct ota_cmd_params p = { .legacy = legacy };
	struct ota_crypt crypt = ks_crypt(k->ks);
	uint8_t data[PACKET_MAX], pkt[PACKET_MAX];
	json_t *out, *uds;
	int n;

	packet_params(&l, &p, true);
	p.data_len = packet_hex(&l, "secured_data", data, sizeof(data), 0, false);
	p.data = data;
	if (!packet_keys_load(k, &l, &p, packet_keys_of_command(&p)))
		return error_line(&l);
	n = ota_cmd_encode(pkt, sizeof(pkt), &p, &crypt);
	packet_keys_drop(k);
	if (n < 0) {
		packet_wrong(&l, "%s", ota_strerror(n));
		return error_line(&l);
	}
	uds = segments(&l, pkt, (size_t)n);
	if (!uds)
		return error_line(&l);
	out = begin(&l);
	json_object_set_new(out, "packet", packet_json_hex(pkt, (size_t)n));
	json_object_set_new(out, "tp_ud", uds);
	return out;
}

/* ----------------------------------------------------------------------------------------------------------- join */

/* The octets do not fit together, whoever sent them. */
static void octets_wrong(struct packet_line *l, const char *why)
{
	if (!l->why[0]) {
		packet_wrong(l, "tp_ud: %s", why);
		l->octets = true;
	}
}

/* The packet of a line: field packet, or tp_ud with its UDH: one string, or an array of segments in any order.  buf has
 * room for 255 TP-UDs; pi: 70, 71 or 0 when there was no UDH to tell. */
static size_t packet_of(struct packet_line *l, uint8_t *buf, uint8_t *pi)
{
	json_t *ud = json_object_get(l->in, "tp_ud");
	size_t count = json_is_array(ud) ? json_array_size(ud) : 1;
	struct ota_part part[OTA_SEGMENTS_PROTOCOL_MAX];
	struct ota_join j;
	int rc = 0, len;
	uint8_t one[OTA_TP_UD_MAX];

	*pi = 0;
	if (!ud || json_is_null(ud))
		return packet_hex(l, "packet", buf, PACKET_MAX, 0, false);
	ota_join_init(&j, part, OTA_SEGMENTS_PROTOCOL_MAX);
	if (!count)
		packet_wrong(l, "tp_ud: an empty array");
	for (size_t i = 0; i < count && !l->why[0]; i++) {
		json_t *wrap = json_pack("{sO}", "tp_ud", json_is_array(ud) ? json_array_get(ud, i) : ud);
		struct packet_line each = { .in = wrap };
		size_t n = packet_hex(&each, "tp_ud", one, sizeof(one), 0, false);

		if (each.why[0])
			packet_wrong(l, "%s", each.why);
		else
			rc = ota_join_add(&j, one, n);
		if (rc < 0)
			octets_wrong(l, ota_strerror(rc));
		json_decref(wrap);
	}
	*pi = j.pi;
	if (l->why[0])
		return 0;
	len = ota_join_packet(&j, buf, PARTS_MAX);
	if (len < 0)
		octets_wrong(l, "not all segments are there");
	return len < 0 ? 0 : (size_t)len;
}

/* ---------------------------------------------------------------------------------------------------------- decode */

static json_t *rejected(const struct packet_line *l, const char *why)
{
	json_t *out = begin(l);

	json_object_set_new(out, "verdict", json_string("reject"));
	json_object_set_new(out, "why", json_string(why));
	return out;
}

static void put_cntr(json_t *out, uint64_t cntr)
{
	uint8_t b[5];

	for (int i = 0; i < 5; i++)
		b[i] = (uint8_t)(cntr >> (8 * (4 - i)));
	json_object_set_new(out, "cntr", packet_json_hex(b, sizeof(b)));
}

static json_t *decode_command(struct packet_keys *k, struct packet_line *l)
{
	struct ota_cmd_params p = { 0 };
	struct ota_crypt crypt = ks_crypt(k->ks);
	uint8_t pkt[PARTS_MAX], pi;
	size_t len = packet_of(l, pkt, &pi);
	struct ota_cmd cmd;
	json_t *out;
	int rc;

	if (!l->why[0] && pi == PI_RESPONSE)
		octets_wrong(l, "a response, no command");
	if (l->why[0])
		return l->octets ? rejected(l, l->why) : error_line(l);
	rc = ota_cmd_decode(&cmd, pkt, len, NULL, NULL);
	if (!rc) {
		p = cmd.p;
		p.cc_len = (uint8_t)packet_int(l, "cc_len", 0, OTA_CC_LEN_MAX, 0);
		/* which algorithm, the packet says: keys that do not fit it are not its keys */
		if (!packet_keys_load(k, l, &p, packet_keys_of_command(&p)))
			return l->octets ? rejected(l, l->why) : error_line(l);
		rc = ota_cmd_decode(&cmd, pkt, len, &p, &crypt);
		packet_keys_drop(k);
	}
	if (rc)
		return rejected(l, ota_strerror(rc));
	out = begin(l);
	json_object_set_new(out, "verdict", json_string("accept"));
	json_object_set_new(out, "spi1", packet_json_hex(&cmd.p.spi[0], 1));
	json_object_set_new(out, "spi2", packet_json_hex(&cmd.p.spi[1], 1));
	json_object_set_new(out, "kic", packet_json_hex(&cmd.p.kic, 1));
	json_object_set_new(out, "kid", packet_json_hex(&cmd.p.kid, 1));
	json_object_set_new(out, "tar", packet_json_hex(cmd.p.tar, 3));
	put_cntr(out, cmd.p.cntr);
	json_object_set_new(out, "pcntr", json_integer(cmd.pcntr));
	json_object_set_new(out, "secured_data", packet_json_hex(cmd.p.data, cmd.p.data_len));
	return out;
}

static json_t *json_sw(uint16_t sw)
{
	const uint8_t b[2] = { (uint8_t)(sw >> 8), (uint8_t)sw };

	return packet_json_hex(b, sizeof(b));
}

/* What the remote commands answered (TS 102 226, 5.1.2 and 5.2.2), when the data can be read as such. */
void packet_put_body(json_t *out, const uint8_t *data, size_t len)
{
	struct ota_script_rsp r;
	struct ota_rapdu_iter it = { 0 };
	struct ota_rapdu a;
	json_t *body, *list;

	if (!len || ota_script_rsp_parse(&r, OTA_FORMAT_UNKNOWN, data, len))
		return;
	body = json_object();
	if (r.executed >= 0)
		json_object_set_new(body, "executed", json_integer(r.executed));
	if (r.format == OTA_FORMAT_COMPACT) {
		bool have = ota_rapdu_next(&r, &it, &a);

		json_object_set_new(body, "last_sw", json_sw(r.last_sw));
		json_object_set_new(body, "last_data", packet_json_hex(have ? a.data : NULL, have ? a.data_len : 0));
		json_object_set_new(out, "compact", body);
		return;
	}
	list = json_array();
	while (ota_rapdu_next(&r, &it, &a))
		json_array_append_new(list, json_pack("{s:o,s:o}", "data", packet_json_hex(a.data, a.data_len), "sw",
						      json_sw(a.sw)));
	json_object_set_new(body, "r_apdus", list);
	if (r.bad_format >= 0)
		json_object_set_new(body, "bad_format", json_sprintf("%02x", r.bad_format));
	if (r.immediate >= 0)
		json_object_set_new(body, "immediate_action", json_sprintf("%02x", r.immediate));
	if (r.chaining >= 0)
		json_object_set_new(body, "script_chaining", json_sprintf("%02x", r.chaining));
	json_object_set_new(out, "expanded", body);
}

static json_t *decode_response(struct packet_keys *k, struct packet_line *l)
{
	struct ota_cmd_params p = { 0 };
	struct ota_crypt crypt = ks_crypt(k->ks);
	uint8_t pkt[PARTS_MAX], pi;
	struct ota_rsp rsp;
	size_t len;
	json_t *out;

	packet_params(l, &p, false);
	len = packet_of(l, pkt, &pi);
	if (!l->why[0] && pi == PI_COMMAND)
		octets_wrong(l, "a command, no response");
	if (l->octets)
		return rejected(l, l->why);
	if (!packet_keys_load(k, l, &p, packet_keys_of_response(&p)))
		return error_line(l);
	(void)ota_rsp_open(&rsp, pkt, len, &p, &crypt); /* the verdict says it all */
	packet_keys_drop(k);
	if (rsp.verdict == OTA_REJECT)
		return rejected(l, ota_strerror(rsp.why));
	out = begin(l);
	json_object_set_new(out, "verdict", json_string(ota_verdict_name(rsp.verdict)));
	if (rsp.verdict != OTA_ACCEPT)
		json_object_set_new(out, "why",
				    json_string(rsp.verdict == OTA_ACCEPT_UNAUTHENTICATED ?
							"an error in clear, anybody could have sent it" :
							"genuine, but TAR or CNTR are another command's"));
	json_object_set_new(out, "response_status", packet_json_hex(&rsp.status, 1));
	put_cntr(out, rsp.cntr);
	json_object_set_new(out, "pcntr", json_integer(rsp.pcntr));
	json_object_set_new(out, "secured_data", packet_json_hex(rsp.data, rsp.data_len));
	packet_put_body(out, rsp.data, rsp.data_len);
	return out;
}

static json_t *decode_join(struct packet_line *l)
{
	uint8_t pkt[PARTS_MAX], pi;
	size_t len = packet_of(l, pkt, &pi);
	json_t *out;

	if (l->why[0])
		return error_line(l);
	out = begin(l);
	json_object_set_new(out, "packet", packet_json_hex(pkt, len));
	return out;
}

json_t *packet_decode_line(struct packet_keys *k, const json_t *in)
{
	struct packet_line l = { .in = in };
	const char *kind = json_string_value(json_object_get(in, "kind"));

	if (kind && !strcmp(kind, "command"))
		return decode_command(k, &l);
	if (kind && !strncmp(kind, "response", 8))
		return decode_response(k, &l);
	if (kind && !strcmp(kind, "join"))
		return decode_join(&l);
	packet_wrong(&l, kind ? "kind: none of command, response, join" : "kind: missing");
	return error_line(&l);
}
