/* vec_packets.c - vectors of packets, segments, TPDUs and whole sessions with a card.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "vec.h"

#define PI_COMMAND  0x70
#define PI_RESPONSE 0x71

/* A join that reads from heap blocks of the exact size. */
static int join_array(struct vec *vec, const json_t *parts, uint8_t *packet, uint8_t pi)
{
	struct ota_part parts_room[OTA_SEGMENTS_MAX];
	struct ota_join j;
	const json_t *part;
	size_t i;
	int rc = 0;

	ota_join_init(&j, parts_room, OTA_SEGMENTS_MAX);
	json_array_foreach(parts, i, part)
	{
		struct octets ud = octets_hex(json_string_value(part));

		VEC(rc == 0);
		rc = ota_join_add(&j, ud.p, ud.len);
		octets_free(&ud);
	}
	VEC(rc == 1);
	VEC(j.pi == pi);
	return ota_join_packet(&j, packet, OTA_PACKET_MAX);
}

/* packet -> TP-UDs, as in the vector, and back again. */
static void check_segments(struct vec *vec, const struct octets *packet, const json_t *parts, enum ota_concat concat,
			   uint16_t ref, uint8_t pi)
{
	int total = ota_segments(packet->len, concat);
	uint8_t joined[OTA_PACKET_MAX];
	const json_t *part;
	size_t i;
	int len;

	VEC(total > 0 && (size_t)total == json_array_size(parts));
	json_array_foreach(parts, i, part)
	{
		struct octets want = octets_hex(json_string_value(part));
		uint8_t *out = malloc(OTA_TP_UD_MAX);

		len = ota_segment(out, packet->p, packet->len, pi, concat, ref, (uint8_t)(i + 1), (uint8_t)total);
		VEC(len > 0 && octets_are(&want, out, (size_t)len));
		free(out);
		octets_free(&want);
	}
	len = join_array(vec, parts, joined, pi);
	VEC(len > 0 && octets_are(packet, joined, (size_t)len));
}

static void check_tp_ud(struct vec *vec, const struct octets *packet, const json_t *tp_ud, uint8_t pi)
{
	json_t *one = json_pack("[o]", json_string(json_string_value(tp_ud)));

	check_segments(vec, packet, one, OTA_CONCAT_UDH8, 0, pi);
	json_decref(one);
}

/* -------------------------------------------------------------------------------------------------- commands */

static void check_decode(struct vec *vec, const json_t *v, const struct ota_cmd_params *p, const struct octets *packet,
			 const struct ota_crypt *crypt)
{
	struct octets copy = octets_copy(packet->p, packet->len);
	struct ota_cmd cmd;

	VEC(ota_cmd_decode(&cmd, copy.p, copy.len, NULL, NULL) == 0);
	VEC(!cmd.opened && memcmp(cmd.p.tar, p->tar, 3) == 0 && memcmp(cmd.p.spi, p->spi, 2) == 0);
	VEC(octets_are(packet, copy.p, copy.len));

	VEC(ota_cmd_decode(&cmd, copy.p, copy.len, p, crypt) == 0);
	VEC(cmd.opened);
	VEC(cmd.p.cntr == p->cntr && cmd.p.kic == p->kic && cmd.p.kid == p->kid && cmd.p.cc_len == p->cc_len);
	VEC(cmd.p.data_len == p->data_len && (p->data_len == 0 || memcmp(cmd.p.data, p->data, p->data_len) == 0));
	if (json_object_get(v, "pcntr"))
		VEC(cmd.pcntr == json_integer_value(json_object_get(v, "pcntr")));
	octets_free(&copy);
}

static void check_encode(struct vec *vec, const struct ota_cmd_params *p, const struct octets *packet,
			 const struct ota_crypt *crypt)
{
	uint8_t *buf = malloc(packet->len);
	int len = ota_cmd_encode(buf, packet->len, p, crypt);
	int check = ota_cmd_check(p);

	VEC(len > 0 && octets_are(packet, buf, (size_t)len));
	VEC(ota_cmd_len(p) == len);
	/* What cards once answered may ask for a PoR safer than its command; nothing else is refused. */
	VEC(check == 0 || (check == OTA_E_SPI && OTA_SPI2_INTEGRITY(p->spi[1]) > OTA_SPI1_INTEGRITY(p->spi[0])) ||
	    (check == OTA_E_SPI && OTA_SPI2_CIPHERED(p->spi[1]) > OTA_SPI1_CIPHERED(p->spi[0])));
	/* One octet less is refused, and never written to. */
	free(buf);
	buf = malloc(packet->len - 1);
	VEC(ota_cmd_encode(buf, packet->len - 1, p, crypt) == OTA_E_SPACE);
	free(buf);
}

void vec_command(struct vec *vec, const json_t *v)
{
	struct ota_crypt crypt = vec_crypt(v);
	struct octets packet = octets_get(v, "packet"), data = octets_get(v, "secured_data");
	struct ota_cmd_params p = json_params(v, VEC_SET);
	const json_t *segments = json_object_get(v, "segments");

	p.data = data.p;
	p.data_len = data.len;
	check_decode(vec, v, &p, &packet, &crypt);
	if (!json_is_true(json_object_get(v, "decode_only")))
		check_encode(vec, &p, &packet, &crypt);
	if (json_object_get(v, "tp_ud"))
		check_tp_ud(vec, &packet, json_object_get(v, "tp_ud"), PI_COMMAND);
	if (segments)
		check_segments(vec, &packet, segments, OTA_CONCAT_UDH8, (uint16_t)json_hex(v, "concat_ref"),
			       PI_COMMAND);
	if (json_object_get(v, "segments_n"))
		VEC(ota_segments(packet.len, OTA_CONCAT_UDH8) == json_integer_value(json_object_get(v, "segments_n")));
	octets_free(&packet);
	octets_free(&data);
}

/* ------------------------------------------------------------------------------------------------- responses */

/* `expect` of a response vector, or `por` of a session step. */
static void check_por(struct vec *vec, const struct ota_rsp *rsp, const json_t *expect)
{
	const json_t *compact = json_object_get(expect, "compact");

	if (json_object_get(expect, "response_status"))
		VEC(rsp->status == json_hex(expect, "response_status"));
	if (json_object_get(expect, "pcntr"))
		VEC(rsp->pcntr == json_integer_value(json_object_get(expect, "pcntr")));
	if (json_object_get(expect, "cntr"))
		VEC(rsp->cntr == json_hex(expect, "cntr"));
	if (json_object_get(expect, "secured_data")) {
		struct octets data = octets_get(expect, "secured_data");

		VEC(octets_are(&data, rsp->data, rsp->data_len));
		octets_free(&data);
	}
	if (compact) {
		struct octets last = octets_get(compact, "last_data");
		struct ota_compact_rsp body;

		VEC(ota_compact_rsp_parse(&body, rsp->data, rsp->data_len) == 0);
		VEC(body.count == json_integer_value(json_object_get(compact, "executed")));
		VEC(body.sw == json_hex(compact, "last_sw"));
		VEC(octets_are(&last, body.data, body.data_len));
		octets_free(&last);
	}
}

/* What a card built, built again: only where it pads with 00, as we do. */
static void check_rsp_encode(struct vec *vec, const struct ota_cmd_params *p, const struct octets *packet,
			     const struct ota_rsp *rsp, const struct ota_crypt *crypt)
{
	uint8_t *buf = malloc(packet->len);
	int len = ota_rsp_encode(buf, packet->len, p, rsp->status, rsp->data, rsp->data_len, crypt);

	for (size_t i = 0; i < rsp->pcntr; i++)
		if (rsp->data[rsp->data_len + i])
			len = 0;
	if (len)
		VEC(len > 0 && octets_are(packet, buf, (size_t)len));
	free(buf);
}

/* The packet of a response vector: given, or inside one TP-UD with its UDH. */
static struct octets rsp_packet(const json_t *v)
{
	struct octets tp_ud, packet;
	struct ota_udh udh;

	if (json_object_get(v, "packet"))
		return octets_get(v, "packet");
	tp_ud = octets_get(v, "tp_ud");
	if (ota_udh_parse(&udh, tp_ud.p, tp_ud.len) || udh.pi != PI_RESPONSE)
		return tp_ud;
	packet = octets_copy(tp_ud.p + udh.len, tp_ud.len - udh.len);
	octets_free(&tp_ud);
	return packet;
}

void vec_response(struct vec *vec, const json_t *v)
{
	struct ota_crypt crypt = vec_crypt(v);
	struct octets packet = rsp_packet(v), copy = octets_copy(packet.p, packet.len);
	const json_t *expect = json_object_get(v, "expect"), *segments = json_object_get(v, "segments");
	const char *verdict = json_text(expect, "verdict");
	struct ota_cmd_params p = json_params(v, VEC_SET);
	uint8_t joined[OTA_PACKET_MAX], tar[3];
	struct ota_rsp rsp;
	int rc = ota_rsp_open(&rsp, copy.p, copy.len, &p, &crypt), len;

	VEC(strcmp(ota_verdict_name(rsp.verdict), verdict) == 0);
	VEC((rsp.verdict == OTA_REJECT) == (rc != 0) && rc == rsp.why);
	VEC(rsp.verdict != OTA_REJECT || (!rsp.secured && !rsp.data && !rsp.data_len));
	if (rsp.verdict != OTA_REJECT) {
		check_por(vec, &rsp, expect);
		VEC(ota_rsp_peek_tar(packet.p, packet.len, tar) == 0 && memcmp(tar, rsp.tar, 3) == 0);
	}
	if (rsp.verdict == OTA_ACCEPT)
		check_rsp_encode(vec, &p, &packet, &rsp, &crypt);
	if (segments) {
		len = join_array(vec, segments, joined, PI_RESPONSE);
		VEC(len > 0 && octets_are(&packet, joined, (size_t)len));
	}
	if (json_object_get(v, "packet") && json_object_get(v, "tp_ud"))
		check_tp_ud(vec, &packet, json_object_get(v, "tp_ud"), PI_RESPONSE);
	octets_free(&packet);
	octets_free(&copy);
}

/* ---------------------------------------------------------------------------------------- segments and TPDUs */

static void check_deliver(struct vec *vec, const json_t *v, const struct octets *ud, const json_t *tpdu, bool last)
{
	struct octets want = octets_hex(json_string_value(tpdu)), scts = octets_get(v, "scts");
	const char *oa = json_text(v, "originating_address");
	struct ota_tpdu_deliver d = {
		.oa = { .ton = oa[0] == '+', .npi = 1 }, .pid = 0x7f, .dcs = 0xf6, .udhi = true, .mms = last,
		.ud = ud->p, .ud_len = (uint8_t)ud->len,
	}, back;
	uint8_t *out = malloc(want.len);
	int len;

	strncpy(d.oa.digits, oa + (oa[0] == '+'), sizeof(d.oa.digits) - 1);
	memcpy(d.scts, scts.p, sizeof(d.scts));
	len = ota_tpdu_deliver_encode(out, want.len, &d);
	VEC(len > 0 && octets_are(&want, out, (size_t)len));
	VEC(ota_tpdu_deliver_decode(&back, want.p, want.len) == 0);
	VEC(strcmp(back.oa.digits, d.oa.digits) == 0 && back.oa.ton == d.oa.ton && back.oa.npi == d.oa.npi);
	VEC(back.pid == d.pid && back.dcs == d.dcs && back.udhi && back.mms == d.mms);
	VEC(octets_are(&scts, back.scts, sizeof(back.scts)) && octets_are(ud, back.ud, back.ud_len));
	free(out);
	octets_free(&want);
	octets_free(&scts);
}

void vec_segmentation(struct vec *vec, const json_t *v)
{
	struct octets packet = octets_get(v, "packet");
	const json_t *parts = json_object_get(v, "tp_ud"), *tpdus = json_object_get(v, "sms_deliver_tpdu"), *part;
	enum ota_concat concat = json_hex(v, "concat_iei") == OTA_CONCAT_UDH16 ? OTA_CONCAT_UDH16 : OTA_CONCAT_UDH8;
	size_t i, n = json_array_size(parts);

	check_segments(vec, &packet, parts, concat, (uint16_t)json_hex(v, "concat_ref"), PI_COMMAND);
	VEC(json_array_size(tpdus) == n);
	json_array_foreach(parts, i, part)
	{
		struct octets ud = octets_hex(json_string_value(part));

		check_deliver(vec, v, &ud, json_array_get(tpdus, i), i + 1 == n);
		octets_free(&ud);
	}
	octets_free(&packet);
}

/* -------------------------------------------------------------------------------------------------- sessions */

/* One PoR as TP-UD, opened against the command of its step. */
static void check_step_por(struct vec *vec, const struct ota_cmd_params *p, const char *tp_ud, const json_t *por,
			   const struct ota_crypt *crypt)
{
	json_t *one = json_pack("[s]", tp_ud);
	uint8_t joined[OTA_PACKET_MAX];
	int len = join_array(vec, one, joined, PI_RESPONSE);
	struct octets packet = octets_copy(joined, len > 0 ? (size_t)len : 0);
	struct ota_rsp rsp;

	ota_rsp_open(&rsp, packet.p, packet.len, p, crypt);
	/* One soft card gets the AES-CMAC of a single full block wrong; its answer must not be believed. */
	if (json_is_false(json_object_get(por, "cc_ok"))) {
		VEC(rsp.verdict == OTA_REJECT && rsp.why == OTA_E_CC);
	} else {
		VEC(rsp.verdict == OTA_ACCEPT);
		check_por(vec, &rsp, por);
	}
	octets_free(&packet);
	json_decref(one);
}

static void check_step(struct vec *vec, const json_t *v, const json_t *step, const struct ota_crypt *crypt)
{
	struct octets packet = octets_get(step, "packet"), data = octets_get(step, "secured_data");
	struct ota_cmd_params p = json_params(v, VEC_SET);
	const char *report = json_text(step, "deliver_report_tp_ud");
	uint8_t joined[OTA_PACKET_MAX];
	const json_t *tpdu;
	size_t i;
	int len;

	p.spi[0] = (uint8_t)json_hex(step, "spi1");
	p.spi[1] = (uint8_t)json_hex(step, "spi2");
	p.cntr = json_hex(step, "cntr");
	p.cc_len = 8;
	p.data = data.p;
	p.data_len = data.len;
	check_encode(vec, &p, &packet, crypt);
	check_decode(vec, step, &p, &packet, crypt);
	len = join_array(vec, json_object_get(step, "tp_ud_in"), joined, PI_COMMAND);
	VEC(len > 0 && octets_are(&packet, joined, (size_t)len));
	if (report[0])
		check_step_por(vec, &p, report, json_object_get(step, "por"), crypt);
	json_array_foreach(json_object_get(step, "submit_tpdu"), i, tpdu)
	{
		struct octets raw = octets_hex(json_string_value(tpdu));
		const char *want = json_string_value(json_array_get(json_object_get(step, "submit_tp_ud"), i));
		struct octets ud = octets_hex(want);
		uint8_t *out = malloc(raw.len);
		struct ota_tpdu_submit s;

		VEC(ota_tpdu_submit_decode(&s, raw.p, raw.len) == 0);
		VEC(s.udhi && s.dcs == 0xf6 && octets_are(&ud, s.ud, s.ud_len));
		len = ota_tpdu_submit_encode(out, raw.len, &s);
		VEC(len > 0 && octets_are(&raw, out, (size_t)len));
		check_step_por(vec, &p, want, json_object_get(step, "submit_por"), crypt);
		free(out);
		octets_free(&raw);
		octets_free(&ud);
	}
	octets_free(&packet);
	octets_free(&data);
}

void vec_session(struct vec *vec, const json_t *v)
{
	struct ota_crypt crypt = vec_crypt(v);
	const json_t *step;
	size_t i;

	json_array_foreach(json_object_get(v, "steps"), i, step) check_step(vec, v, step, &crypt);
	VEC(i > 0);
}
