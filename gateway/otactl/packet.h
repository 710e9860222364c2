/* packet.h - what the files of `otactl packet` share: fields of a JSON line, keys by reference.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTACTL_PACKET_H
#define OTACTL_PACKET_H

#include "ctl.h"

#include "ota/codec.h"
#include "ota/keystore.h"

#define PACKET_MAX	OTA_PACKET_PROTOCOL_MAX /* a tool for people stops where the protocol does, not where cards do */
#define PACKET_LINE_MAX (512 * 1024) /* octets of one JSON line: the longest packet twice, and its segments */
#define PACKET_WHY_MAX	160

/* One object of the input being worked on.  The first thing that is wrong is kept, everything after it does nothing. */
struct packet_line {
	const json_t *in;
	char why[PACKET_WHY_MAX]; /* "" while all is well */
	bool octets;		  /* the line is in order, the octets it names are not: a verdict, no error */
};
void packet_wrong(struct packet_line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Hex field into buf; its length, or 0 after packet_wrong().  len 0: any length up to cap. */
size_t packet_hex(struct packet_line *l, const char *name, uint8_t *buf, size_t cap, size_t len, bool optional);
/* An optional number: a JSON integer, or as in the vectors a string of hex digits. */
long packet_int(struct packet_line *l, const char *name, long lo, long hi, long otherwise);
/* n hex digits into buf; false at the first character that is none, its place (from 1) in *at. */
bool packet_unhex(uint8_t *buf, const char *digits, size_t n, size_t *at);
json_t *packet_json_hex(const uint8_t *p, size_t len);

/* Keys of a line go through the keystore's own parser and are used by reference like everybody else's. */
struct packet_keys {
	struct ks *ks;
	uint32_t set;
};
/* Opens a keystore for this run alone, whose KEK is made up and dies with it; from here on no core file, and memory that
 * JSON gives back is wiped.  Call it before any JSON is read.  False after a message. */
bool packet_keys_open(struct packet_keys *k);
void packet_keys_close(struct packet_keys *k);
/* Loads kic_key and kid_key of the line, for the algorithms of p->kic and p->kid, as far as they are needed; fills the
 * refs of *p.  The texts are wiped. */
enum { PACKET_KIC = 1, PACKET_KID = 2 };
unsigned packet_keys_of_command(const struct ota_cmd_params *p);
unsigned packet_keys_of_response(const struct ota_cmd_params *p);
bool packet_keys_load(struct packet_keys *k, struct packet_line *l, struct ota_cmd_params *p, unsigned which);
void packet_keys_drop(struct packet_keys *k);

/* spi1 spi2 kic kid tar cntr cc_len of a line.  A response is opened against its command: spi1 is optional there. */
void packet_params(struct packet_line *l, struct ota_cmd_params *p, bool command);
/* What the octets of a response mean (TS 102 226, 5.1.2 and 5.2.2), as "compact" or "expanded" of `out`. */
void packet_put_body(json_t *out, const uint8_t *data, size_t len);

/* Each answers one object: a new reference. */
json_t *packet_encode_line(struct packet_keys *k, const json_t *in, bool legacy);
json_t *packet_decode_line(struct packet_keys *k, const json_t *in);

#endif
