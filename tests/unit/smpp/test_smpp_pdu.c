/* test_smpp_pdu.c - golden octets, round trips and cuts of every PDU.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What is unpacked stands in a heap block of its exact size, so that the sanitizer sees one octet too far.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smpp_pdu.h"

#define ID(x) ((uint32_t)(x) | SMPP_RESP)
#define BUF   1024

static size_t unhex(uint8_t *out, const char *hex)
{
	size_t n = 0;

	for (; *hex; hex++) {
		unsigned v = 0;

		if (*hex == ' ')
			continue;
		for (int i = 0; i < 2; i++, hex++)
			v = v << 4 | (unsigned)(*hex <= '9' ? *hex - '0' : *hex - 'a' + 10);
		out[n++] = (uint8_t)v;
		hex--;
	}
	return n;
}

static int unpack_exact(struct smpp_pdu *p, const uint8_t *buf, size_t len, size_t *at, uint8_t **block)
{
	*block = malloc(len ? len : 1);
	assert_non_null(*block);
	memcpy(*block, buf, len);
	return smpp_pdu_unpack(p, *block, len, at);
}

static struct smpp_octets octets(const char *s)
{
	return (struct smpp_octets){ (const uint8_t *)s, strlen(s) };
}

/* ------------------------------------------------------------------------------------------------- golden */

static void golden(const struct smpp_pdu *p, const char *hex)
{
	uint8_t want[BUF], got[BUF], *block;
	size_t len = unhex(want, hex);
	struct smpp_pdu back;

	assert_int_equal(smpp_pdu_pack(got, sizeof(got), p), len);
	assert_memory_equal(got, want, len);
	assert_int_equal(unpack_exact(&back, want, len, NULL, &block), SMPP_OK);
	assert_int_equal(back.id, p->id);
	assert_int_equal(smpp_pdu_pack(got, sizeof(got), &back), len);
	assert_memory_equal(got, want, len);
	free(block);
}

static void test_golden_bind(void **state)
{
	/* the example of SMPP 7.2.1.1 (bind_transmitter there), as transceiver */
	struct smpp_pdu p = {
		.id = SMPP_BIND_TRANSCEIVER,
		.seq = 1,
		.bind = { .system_id = "SMPP3TEST",
			  .password = "secret08",
			  .system_type = "SUBMIT1",
			  .interface_version = 0x34,
			  .range = { 1, 1, "" } },
	};

	golden(&p, "0000002f 00000009 00000000 00000001"
		   "534d50503354455354 00 7365637265743038 00 5355424d495431 00 34 01 01 00");
}

static void test_golden_submit(void **state)
{
	uint8_t ud[8];
	struct smpp_pdu p = {
		.id = SMPP_SUBMIT_SM,
		.seq = 0x1234,
		.sm = { .src = { 2, 1, "9000" },
			.dst = { 0, 6, "262011234567890" },
			.esm_class = 0x42,
			.protocol_id = 0x7f,
			.validity_period = "000000010000000R",
			.registered_delivery = 1,
			.data_coding = 0xf6 },
		.tlv = { .have = SMPP_TLV_USER_REF | SMPP_TLV_MORE_MESSAGES, .user_ref = 0xbeef, .more_messages = 1 },
	};

	p.sm.sm = (struct smpp_octets){ ud, unhex(ud, "0270000003 0a0b0c") };
	golden(&p, "00000057 00000004 00000000 00001234"
		   "00 0201 3930303000 0006 32363230313132333435363738393000 42 7f 00 00"
		   "3030303030303031303030303030305200 01 00 f6 00 08 02700000030a0b0c"
		   "0204 0002 beef 0426 0001 01");
}

static void test_golden_deliver(void **state)
{
	static const char *const hex =
		"00000043 00000005 00000000 00000009"
		"00 0406 30303130313000 0201 3930303000 41 7f 00 00 00 00 00 f6 00 06 027100000300"
		"0204 0002 0001 001e 0003 313200 0427 0001 02";
	uint8_t ud[8], wire[BUF], *block;
	struct smpp_pdu p = {
		.id = SMPP_DELIVER_SM,
		.seq = 9,
		.sm = { .src = { 4, 6, "001010" },
			.dst = { 2, 1, "9000" },
			.esm_class = 0x41,
			.protocol_id = 0x7f,
			.data_coding = 0xf6 },
		.tlv = { .have = SMPP_TLV_USER_REF | SMPP_TLV_MESSAGE_STATE | SMPP_TLV_RECEIPTED_ID,
			 .user_ref = 1,
			 .message_state = SMPP_STATE_DELIVERED,
			 .receipted_id = octets("12") },
	};
	size_t len = unhex(wire, hex);

	p.sm.sm = (struct smpp_octets){ ud, unhex(ud, "027100000300") };
	golden(&p, hex);
	assert_int_equal(unpack_exact(&p, wire, len, NULL, &block), SMPP_OK);
	assert_int_equal(p.sm.src.ton, 4);
	assert_int_equal(p.sm.src.npi, 6);
	assert_string_equal(p.sm.src.digits, "001010");
	assert_string_equal(p.sm.dst.digits, "9000");
	assert_int_equal(p.sm.esm_class, 0x41);
	assert_int_equal(p.sm.protocol_id, 0x7f);
	assert_int_equal(p.sm.data_coding, 0xf6);
	assert_int_equal(smpp_message(&p).len, 6);
	assert_int_equal(p.tlv.receipted_id.len, 2);
	assert_int_equal(p.tlv.message_state, SMPP_STATE_DELIVERED);
	free(block);
}

static void test_golden_small(void **state)
{
	golden(&(struct smpp_pdu){ .id = SMPP_ENQUIRE_LINK, .seq = 3 }, "00000010 00000015 00000000 00000003");
	golden(&(struct smpp_pdu){ .id = SMPP_GENERIC_NACK, .status = 3, .seq = 4 },
	       "00000010 80000000 00000003 00000004");
	golden(&(struct smpp_pdu){ .id = ID(SMPP_DELIVER_SM), .seq = 5 }, "00000011 80000005 00000000 00000005 00");
	/* an error leaves the body out */
	golden(&(struct smpp_pdu){ .id = ID(SMPP_SUBMIT_SM), .status = 0x58, .seq = 6 },
	       "00000010 80000004 00000058 00000006");
	golden(&(struct smpp_pdu){ .id = SMPP_ALERT_NOTIFICATION,
				   .seq = 7,
				   .alert = { { 4, 6, "1" }, { 0, 0, "" } },
				   .tlv = { .have = SMPP_TLV_MS_AVAILABILITY } },
	       "0000001c 00000102 00000000 00000007 0406 3100 0000 00 0422 0001 00");
}

/* -------------------------------------------------------------------------------------- every PDU there is */

static const struct smpp_sm a_sm = {
	.service_type = "CMT",
	.src = { 1, 1, "4917012345678" },
	.dst = { 0, 6, "00101000000001" },
	.esm_class = 0x43,
	.protocol_id = 0x7f,
	.priority_flag = 1,
	.schedule_time = "991231235959000+",
	.validity_period = "000002000000000R",
	.registered_delivery = 1,
	.replace_if_present = 1,
	.data_coding = 0xf6,
	.default_msg_id = 5,
	.sm = { (const uint8_t *)"\0\1\2\3\4", 5 },
};

static const struct smpp_tlvs all_tlvs = {
	.have = SMPP_TLV_ODD - 1,
	.user_ref = 0x0102,
	.sar_ref = 0x0304,
	.sar_total = 5,
	.sar_seq = 6,
	.sc_version = 0x34,
	.ms_availability = 2,
	.failure_reason = 1,
	.more_messages = 1,
	.message_state = 8,
	.net_error_type = 3,
	.net_error_code = 0x0809,
	.payload = { (const uint8_t *)"payload\0with NUL", 16 },
	.receipted_id = { (const uint8_t *)"abc123", 6 },
	.status_text = { (const uint8_t *)"because", 7 },
};

#define PDUS 34
static size_t all_pdus(struct smpp_pdu *p)
{
	static const struct smpp_bind bind = { "sysid", "pw", "type", 0x34, { 1, 1, "^49.*" } };
	static const struct smpp_query query = { "CMT", "id-1", "", { 1, 1, "49170" }, { 1, 1, "49171" } };
	static const struct smpp_result result = { .id = "0123456789abcdef" };
	static const uint32_t binds[] = { SMPP_BIND_RECEIVER, SMPP_BIND_TRANSMITTER, SMPP_BIND_TRANSCEIVER };
	static const uint32_t results[] = { ID(SMPP_BIND_RECEIVER),    ID(SMPP_BIND_TRANSMITTER),
					    ID(SMPP_BIND_TRANSCEIVER), ID(SMPP_SUBMIT_SM),
					    ID(SMPP_DELIVER_SM),       ID(SMPP_DATA_SM) };
	static const uint32_t plain[] = { SMPP_UNBIND,		 ID(SMPP_UNBIND),    SMPP_ENQUIRE_LINK,
					  ID(SMPP_ENQUIRE_LINK), ID(SMPP_CANCEL_SM), ID(SMPP_REPLACE_SM),
					  SMPP_GENERIC_NACK };
	size_t n = 0;

	memset(p, 0, PDUS * sizeof(*p));
	for (size_t i = 0; i < 3; i++)
		p[n++] = (struct smpp_pdu){ .id = binds[i], .bind = bind };
	for (size_t i = 0; i < 6; i++) {
		p[n] = (struct smpp_pdu){ .id = results[i], .resp = result };
		if (i < 3)
			p[n].resp.id = "SMSC";
		n++;
	}
	for (size_t i = 0; i < 7; i++)
		p[n++] = (struct smpp_pdu){ .id = plain[i] };
	p[n++] = (struct smpp_pdu){ .id = ID(SMPP_SUBMIT_SM), .status = ESME_RTHROTTLED };
	p[n++] = (struct smpp_pdu){ .id = ID(SMPP_BIND_TRANSCEIVER), .status = ESME_RINVPASWD };
	p[n++] = (struct smpp_pdu){ .id = SMPP_OUTBIND, .bind = { .system_id = "SMSC", .password = "secret" } };
	p[n++] = (struct smpp_pdu){ .id = SMPP_SUBMIT_SM, .sm = a_sm };
	p[n++] = (struct smpp_pdu){ .id = SMPP_SUBMIT_SM, .sm = a_sm, .tlv = all_tlvs };
	p[n++] = (struct smpp_pdu){ .id = SMPP_SUBMIT_SM };
	p[n++] = (struct smpp_pdu){ .id = SMPP_DELIVER_SM, .sm = a_sm };
	p[n++] = (struct smpp_pdu){ .id = SMPP_DELIVER_SM, .sm = a_sm, .tlv = all_tlvs };
	p[n++] = (struct smpp_pdu){ .id = SMPP_DATA_SM,
				    .sm = { .service_type = "X",
					    .src = a_sm.src,
					    .dst = a_sm.dst,
					    .esm_class = 4,
					    .registered_delivery = 1,
					    .data_coding = 2 },
				    .tlv = all_tlvs };
	p[n++] = (struct smpp_pdu){ .id = SMPP_QUERY_SM, .query = { .message_id = "id", .src = { 1, 1, "49" } } };
	p[n++] = (struct smpp_pdu){
		.id = ID(SMPP_QUERY_SM),
		.query = { .message_id = "id", .final_date = "991231235959000+", .message_state = 2, .error_code = 7 }
	};
	p[n++] = (struct smpp_pdu){ .id = SMPP_CANCEL_SM, .query = query };
	p[n++] = (struct smpp_pdu){ .id = SMPP_REPLACE_SM,
				    .sm = { .message_id = "id",
					    .src = a_sm.src,
					    .validity_period = a_sm.validity_period,
					    .registered_delivery = 1,
					    .default_msg_id = 2,
					    .sm = a_sm.sm } };
	p[n] = (struct smpp_pdu){ .id = SMPP_SUBMIT_MULTI, .sm = a_sm };
	p[n].sm.dst = (struct smpp_addr){ 0, 0, NULL };
	p[n].sm.dest_count = 2;
	p[n++].sm.dests = (struct smpp_octets){ (const uint8_t *)"\1\1\1"
								 "4917\0"
								 "\2list",
						14 };
	p[n++] = (struct smpp_pdu){ .id = ID(SMPP_SUBMIT_MULTI),
				    .resp = { .id = "id",
					      .fail_count = 1,
					      .fails = { (const uint8_t *)"\1\1"
									  "4917\0"
									  "\0\0\0\13",
							 11 } } };
	p[n++] = (struct smpp_pdu){ .id = SMPP_ALERT_NOTIFICATION, .alert = { { 4, 6, "00101" }, { 1, 1, "9000" } } };
	p[n++] = (struct smpp_pdu){ .id = SMPP_ALERT_NOTIFICATION,
				    .alert = { { 4, 6, "00101" }, { 1, 1, "9000" } },
				    .tlv = { .have = SMPP_TLV_MS_AVAILABILITY, .ms_availability = 2 } };
	assert_true(n <= PDUS);
	for (size_t i = 0; i < n; i++)
		p[i].seq = (uint32_t)(i + 1);
	return n;
}

static const char *str(const char *s)
{
	return s ? s : "";
}

static void same_octets(const struct smpp_octets *a, const struct smpp_octets *b)
{
	assert_int_equal(a->len, b->len);
	if (a->len)
		assert_memory_equal(a->p, b->p, a->len);
}

static void same_addr(const struct smpp_addr *a, const struct smpp_addr *b)
{
	assert_int_equal(a->ton, b->ton);
	assert_int_equal(a->npi, b->npi);
	assert_string_equal(str(a->digits), str(b->digits));
}

static void same_sm(const struct smpp_sm *a, const struct smpp_sm *b)
{
	assert_string_equal(str(a->service_type), str(b->service_type));
	assert_string_equal(str(a->schedule_time), str(b->schedule_time));
	assert_string_equal(str(a->validity_period), str(b->validity_period));
	assert_string_equal(str(a->message_id), str(b->message_id));
	same_addr(&a->src, &b->src);
	same_addr(&a->dst, &b->dst);
	assert_int_equal(a->esm_class, b->esm_class);
	assert_int_equal(a->protocol_id, b->protocol_id);
	assert_int_equal(a->priority_flag, b->priority_flag);
	assert_int_equal(a->registered_delivery, b->registered_delivery);
	assert_int_equal(a->replace_if_present, b->replace_if_present);
	assert_int_equal(a->data_coding, b->data_coding);
	assert_int_equal(a->default_msg_id, b->default_msg_id);
	assert_int_equal(a->dest_count, b->dest_count);
	same_octets(&a->sm, &b->sm);
	same_octets(&a->dests, &b->dests);
}

static void same_tlvs(const struct smpp_tlvs *a, const struct smpp_tlvs *b)
{
	assert_int_equal(a->have, b->have);
	assert_int_equal(a->user_ref, b->user_ref);
	assert_int_equal(a->sar_ref, b->sar_ref);
	assert_int_equal(a->sar_total, b->sar_total);
	assert_int_equal(a->sar_seq, b->sar_seq);
	assert_int_equal(a->sc_version, b->sc_version);
	assert_int_equal(a->ms_availability, b->ms_availability);
	assert_int_equal(a->failure_reason, b->failure_reason);
	assert_int_equal(a->more_messages, b->more_messages);
	assert_int_equal(a->message_state, b->message_state);
	assert_int_equal(a->net_error_type, b->net_error_type);
	assert_int_equal(a->net_error_code, b->net_error_code);
	same_octets(&a->payload, &b->payload);
	same_octets(&a->receipted_id, &b->receipted_id);
	same_octets(&a->status_text, &b->status_text);
}

static void same(const struct smpp_pdu *a, const struct smpp_pdu *b)
{
	assert_int_equal(a->id, b->id);
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->seq, b->seq);
	same_tlvs(&a->tlv, &b->tlv);
	switch (a->id) {
	case SMPP_BIND_RECEIVER:
	case SMPP_BIND_TRANSMITTER:
	case SMPP_BIND_TRANSCEIVER:
	case SMPP_OUTBIND:
		assert_string_equal(str(a->bind.system_id), str(b->bind.system_id));
		assert_string_equal(str(a->bind.password), str(b->bind.password));
		assert_string_equal(str(a->bind.system_type), str(b->bind.system_type));
		assert_int_equal(a->bind.interface_version, b->bind.interface_version);
		same_addr(&a->bind.range, &b->bind.range);
		break;
	case SMPP_QUERY_SM:
	case SMPP_QUERY_SM | SMPP_RESP:
	case SMPP_CANCEL_SM:
		assert_string_equal(str(a->query.service_type), str(b->query.service_type));
		assert_string_equal(str(a->query.message_id), str(b->query.message_id));
		assert_string_equal(str(a->query.final_date), str(b->query.final_date));
		same_addr(&a->query.src, &b->query.src);
		same_addr(&a->query.dst, &b->query.dst);
		assert_int_equal(a->query.message_state, b->query.message_state);
		assert_int_equal(a->query.error_code, b->query.error_code);
		break;
	case SMPP_ALERT_NOTIFICATION:
		same_addr(&a->alert.src, &b->alert.src);
		same_addr(&a->alert.esme, &b->alert.esme);
		break;
	case SMPP_SUBMIT_SM:
	case SMPP_DELIVER_SM:
	case SMPP_DATA_SM:
	case SMPP_REPLACE_SM:
	case SMPP_SUBMIT_MULTI:
		same_sm(&a->sm, &b->sm);
		break;
	default:
		assert_string_equal(str(a->resp.id), str(b->resp.id));
		assert_int_equal(a->resp.fail_count, b->resp.fail_count);
		same_octets(&a->resp.fails, &b->resp.fails);
	}
}

static void test_round_trip(void **state)
{
	struct smpp_pdu pdus[PDUS], back;
	size_t n = all_pdus(pdus);
	uint8_t buf[BUF], again[BUF], *block;

	for (size_t i = 0; i < n; i++) {
		int len = smpp_pdu_pack(buf, sizeof(buf), &pdus[i]);

		assert_true(len >= SMPP_HEADER_LEN);
		assert_int_equal(smpp_frame(buf, (size_t)len, BUF), len);
		assert_int_equal(unpack_exact(&back, buf, (size_t)len, NULL, &block), SMPP_OK);
		same(&pdus[i], &back);
		assert_int_equal(smpp_pdu_pack(again, sizeof(again), &back), len);
		assert_memory_equal(again, buf, (size_t)len);
		/* a buffer of exactly the right size does, one octet less does not */
		memset(again, 0, sizeof(again));
		assert_int_equal(smpp_pdu_pack(again, (size_t)len, &back), len);
		assert_memory_equal(again, buf, (size_t)len);
		for (int cap = 0; cap < len; cap++) {
			uint8_t *small = malloc((size_t)cap + 1);

			assert_int_equal(smpp_pdu_pack(small, (size_t)cap, &back), SMPP_E_SPACE);
			free(small);
		}
		free(block);
	}
}

static void set_len(uint8_t *buf, size_t len)
{
	buf[0] = buf[1] = 0;
	buf[2] = (uint8_t)(len >> 8);
	buf[3] = (uint8_t)len;
}

/* Cut at every length, once with command_length as it was and once as if the PDU had been that short. */
static void test_cut(void **state)
{
	struct smpp_pdu pdus[PDUS], p;
	size_t n = all_pdus(pdus), at;
	uint8_t buf[BUF], *block;
	unsigned refused = 0;

	for (size_t i = 0; i < n; i++) {
		int len = smpp_pdu_pack(buf, sizeof(buf), &pdus[i]);

		for (size_t cut = 0; cut < (size_t)len; cut++) {
			assert_int_equal(unpack_exact(&p, buf, cut, &at, &block), SMPP_E_LENGTH);
			assert_true(at <= cut);
			assert_int_equal(smpp_frame(block, cut, BUF), 0);
			free(block);
		}
		for (size_t cut = SMPP_HEADER_LEN; cut < (size_t)len; cut++) {
			set_len(buf, cut);
			refused += unpack_exact(&p, buf, cut, &at, &block) != SMPP_OK;
			assert_true(at <= cut);
			free(block);
		}
	}
	assert_true(refused > 1000);
}

/* Every octet set to what hurts most; the result does not matter, the sanitizers do. */
static void test_flip(void **state)
{
	static const uint8_t values[] = { 0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff };
	struct smpp_pdu pdus[PDUS], p;
	size_t n = all_pdus(pdus);
	uint8_t buf[BUF], out[2 * BUF], *block;

	for (size_t i = 0; i < n; i++) {
		int len = smpp_pdu_pack(buf, sizeof(buf), &pdus[i]);

		for (int at = 4; at < len; at++) {
			uint8_t was = buf[at];

			for (size_t v = 0; v < sizeof(values); v++) {
				buf[at] = values[v];
				if (!unpack_exact(&p, buf, (size_t)len, NULL, &block))
					assert_true(smpp_pdu_pack(out, sizeof(out), &p) > 0);
				free(block);
			}
			buf[at] = was;
		}
	}
}

/* -------------------------------------------------------------------------------------------------- limits */

static void test_frame(void **state)
{
	uint8_t b[32] = { 0 };

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(smpp_frame(b, i, 4096), 0);
	assert_int_equal(smpp_frame(b, 4, 4096), SMPP_E_LENGTH);
	set_len(b, 15);
	assert_int_equal(smpp_frame(b, 4, 4096), SMPP_E_LENGTH);
	set_len(b, 16);
	assert_int_equal(smpp_frame(b, 15, 4096), 0);
	assert_int_equal(smpp_frame(b, 16, 4096), 16);
	assert_int_equal(smpp_frame(b, 32, 4096), 16);
	set_len(b, 4096);
	assert_int_equal(smpp_frame(b, 32, 4096), 0);
	set_len(b, 4097);
	assert_int_equal(smpp_frame(b, 32, 4096), SMPP_E_LENGTH);
	memset(b, 0xff, 4);
	assert_int_equal(smpp_frame(b, 4, SIZE_MAX), SMPP_E_LENGTH);
}

static void test_limits(void **state)
{
	struct smpp_pdu p = { .id = SMPP_SUBMIT_SM, .seq = 1 }, back;
	char digits[] = "123456789012345678901";
	uint8_t buf[BUF], sm[255] = { 0 }, *block;
	size_t at;
	int len;

	/* strings: at most max - 1 characters go out, and come in */
	p.sm.dst.digits = digits;
	assert_int_equal(smpp_pdu_pack(buf, sizeof(buf), &p), SMPP_E_STRING);
	digits[20] = 0;
	len = smpp_pdu_pack(buf, sizeof(buf), &p);
	assert_true(len > 0);
	assert_int_equal(unpack_exact(&back, buf, (size_t)len, NULL, &block), SMPP_OK);
	free(block);
	/* header, service_type, source, TON and NPI: 22; a 21st digit where the NUL was */
	buf[22 + 20] = '9';
	assert_int_equal(unpack_exact(&back, buf, (size_t)len, &at, &block), SMPP_E_STRING);
	assert_int_equal(at, 22);
	free(block);

	p.sm.sm = (struct smpp_octets){ sm, 255 };
	assert_int_equal(smpp_pdu_pack(buf, sizeof(buf), &p), SMPP_E_RANGE);
	p.sm.sm.len = 254;
	len = smpp_pdu_pack(buf, sizeof(buf), &p);
	assert_true(len > 0);
	buf[len - 255] = 255;
	assert_int_equal(unpack_exact(&back, buf, (size_t)len, NULL, &block), SMPP_E_RANGE);
	free(block);

	assert_int_equal(smpp_pdu_pack(buf, sizeof(buf), &(struct smpp_pdu){ .id = 0x77 }), SMPP_E_COMMAND);
	len = smpp_pdu_pack(buf, sizeof(buf), &(struct smpp_pdu){ .id = SMPP_ENQUIRE_LINK, .seq = 8 });
	buf[7] = 0x77;
	assert_int_equal(unpack_exact(&back, buf, (size_t)len, NULL, &block), SMPP_E_COMMAND);
	assert_int_equal(back.id, 0x77);
	assert_int_equal(back.seq, 8);
	free(block);
}

static int with_tlvs(struct smpp_pdu *p, const char *tlvs, uint8_t **block, size_t *at)
{
	uint8_t buf[BUF];
	size_t len = SMPP_HEADER_LEN + unhex(buf + SMPP_HEADER_LEN, tlvs);

	unhex(buf, "00000000 00000015 00000000 00000001");
	set_len(buf, len);
	return unpack_exact(p, buf, len, at, block);
}

static void test_tlvs(void **state)
{
	struct smpp_pdu p;
	uint8_t *b;
	size_t at;

	/* unknown ones are passed over, but stand in raw */
	assert_int_equal(with_tlvs(&p, "1400 0002 abcd 0204 0002 0007", &b, &at), SMPP_OK);
	assert_int_equal(p.tlv.have, SMPP_TLV_USER_REF);
	assert_int_equal(p.tlv.user_ref, 7);
	assert_int_equal(p.tlv.raw.len, 12);
	free(b);
	/* a known one of a wrong length is left out, the message stays readable */
	assert_int_equal(with_tlvs(&p, "0204 0001 07 0427 0002 0102 0423 0002 0102", &b, &at), SMPP_OK);
	assert_int_equal(p.tlv.have, SMPP_TLV_ODD);
	free(b);
	/* text with and without NUL, the last of several counts */
	assert_int_equal(with_tlvs(&p, "001e 0002 3132 001e 0003 333400", &b, &at), SMPP_OK);
	assert_int_equal(p.tlv.receipted_id.len, 2);
	assert_memory_equal(p.tlv.receipted_id.p, "34", 2);
	free(b);
	/* beyond the PDU */
	assert_int_equal(with_tlvs(&p, "0204 0003 0007", &b, &at), SMPP_E_TLV);
	assert_int_equal(at, 20);
	free(b);
	assert_int_equal(with_tlvs(&p, "0204 00", &b, &at), SMPP_E_TLV);
	free(b);
	/* payload wins over short_message */
	p = (struct smpp_pdu){ .sm = { .sm = octets("short") },
			       .tlv = { .have = SMPP_TLV_PAYLOAD, .payload = octets("long") } };
	assert_memory_equal(smpp_message(&p).p, "long", 4);
	p.tlv.have = 0;
	assert_memory_equal(smpp_message(&p).p, "short", 5);
}

static void test_time(void **state)
{
	static const struct {
		uint32_t s;
		const char *text;
	} rows[] = {
		{ 0, "000000000000000R" },
		{ 1, "000000000001000R" },
		{ 60, "000000000100000R" },
		{ 3600, "000000010000000R" },
		{ 3 * 86400 + 4 * 3600 + 5 * 60 + 6, "000003040506000R" },
		{ 30 * 86400, "000030000000000R" },
		{ 31 * 86400, "000100000000000R" },
		{ 12 * 31 * 86400, "010000000000000R" },
		{ UINT32_MAX, "990000000000000R" },
	};
	static const char *const wrong[] = { "", "000000010000000+", "00000001000000R", "0000000100000000R",
					     "00000x010000000R" };
	char out[SMPP_TIME_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(smpp_time_relative(out, rows[i].s), rows[i].text);
		if (rows[i].s != UINT32_MAX)
			assert_true(smpp_time_relative_s(out) == rows[i].s);
	}
	for (uint32_t s = 1; s < 3000000000u; s = s * 2 + 12345)
		assert_true(smpp_time_relative_s(smpp_time_relative(out, s)) == s);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_true(smpp_time_relative_s(wrong[i]) == -1);
	assert_true(smpp_time_relative_s(NULL) == -1);
}

static void test_names(void **state)
{
	assert_string_equal(smpp_command_name(SMPP_SUBMIT_SM), "submit_sm");
	assert_string_equal(smpp_command_name(ID(SMPP_SUBMIT_SM)), "submit_sm_resp");
	assert_string_equal(smpp_command_name(SMPP_GENERIC_NACK), "generic_nack");
	assert_string_equal(smpp_command_name(0), "unknown command");
	assert_string_equal(smpp_command_name(ID(SMPP_OUTBIND)), "unknown command");
	for (int err = 0; err >= SMPP_E_RANGE; err--)
		assert_string_not_equal(smpp_strerror(err), "unknown error");
	assert_string_equal(smpp_strerror(-99), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_bind),    cmocka_unit_test(test_golden_submit),
		cmocka_unit_test(test_golden_deliver), cmocka_unit_test(test_golden_small),
		cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_cut),
		cmocka_unit_test(test_flip),	       cmocka_unit_test(test_frame),
		cmocka_unit_test(test_limits),	       cmocka_unit_test(test_tlvs),
		cmocka_unit_test(test_time),	       cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("smpp_pdu", tests, NULL, NULL);
}
