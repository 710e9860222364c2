/* core_bed.h - the real core on a store in memory, with virtual cards and a network that is played by hand.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Nothing happens by itself but what the core decides: a test takes what leaves, lets a card have it or not, and brings
 * outcomes and answers in the order, the shape and at the time it wants.
 */
#ifndef CORE_BED_H
#define CORE_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "card/card.h"
#include "card/card_sub.h"
#include "core/gw.h"
#include "core/work.h"
#include "ota/keystore.h"
#include "store/store.h"

#define BED_CARDS_MAX 400
#define BED_LINKS     2
#define BED_START_MS  1700000000000LL
#define BED_CNTR      100 /* the cards' counters, as the gateway was told */
#define BED_SRC	      "99999000001"
#define BED_UDS_MAX   9
#define BED_ENDS_MAX  256

struct bed {
	struct env env;
	struct errtab *errtab;
	uint32_t dice;
	int64_t now_ms;
	struct gw_cfg cfg;
	struct store_mem_disk *disk;
	struct store *store;
	struct ks *ks, *own; /* the gateway's; the bed's own, to read packets and to make answers */
	uint8_t kek[32], ks_check[KS_CHECK_LEN];
	struct gw *gw;
	unsigned n_cards;
	struct sim_card card[BED_CARDS_MAX];
	struct sim_sub *sub;				       /* bed_open_sub(): one per card */
	uint64_t id[BED_CARDS_MAX];			       /* rows */
	char new_msisdn[BED_CARDS_MAX][MSISDN_DIGITS_MAX + 1]; /* promised by the last campaign, or "" */
	struct keyset_row keyset[BED_CARDS_MAX][2];	       /* KVN 1 and, if the test gave one, 2 */
	unsigned n_keysets;
	uint8_t ask_kvn;	       /* what orders to a card name as their profile's; 0: none */
	uint64_t next_token, answered; /* of messages: given out; answered, none was lost so far */
	uint64_t n_campaigns;
	bool long_script;		    /* of the next campaigns: two short messages */
	const char *rules;		    /* of the next campaigns, NULL none */
	unsigned first_card;		    /* of the next campaigns */
	bool whole_receipts;		    /* of packets that left as one message */
	struct card_bundle bundle;	    /* bed_card() */
	struct gw_fx_txn end[BED_ENDS_MAX]; /* of works, as they were told */
	int end_rc[BED_ENDS_MAX];
	unsigned n_ends;
	int said_rc; /* to the last order that was given to a card */
	char said[120];
	char log[16384]; /* the core's lines, each with its line end; what does not fit is lost */
};

/* Cards with key version 1 (and 2 when kvns is 2), 3DES, in store and memory; nothing planned yet. */
void bed_open(struct bed *b, unsigned cards, unsigned kvns);
/* As many cards as fit, so many prepared ahead and changed per commit; an answer is waited for longer than any test lasts. */
void bed_open_full(struct bed *b, unsigned prepared_max, unsigned batch_cards_max);
/* Cards with the subscription application and two pairs, AES: KVN 1 has the keys of index 1, KVN 2 those of index 2. */
void bed_open_sub(struct bed *b, unsigned cards);
void bed_close(struct bed *b);
/* The card's zone as another import tells it; before its first campaign. */
void bed_zone(struct bed *b, unsigned card, int64_t tz_min);
/* The card gets other keys in this version, as another system would give it, and counts from cntr; the bed knows them from now on
 * and the gateway does not yet: bed_import(). */
void bed_new_keys(struct bed *b, unsigned card, unsigned kvn, uint32_t generation, uint64_t cntr);
/* The import of this card once more, with the keysets as the bed has them now: put to the store and not yet done. */
struct bed_import {
	struct bed *b;
	struct store_batch *batch;
	struct store_card_insert out; /* once done */
	int rc;			      /* 1: not yet */
	bool told;		      /* the test has told the core itself */
};
void bed_import_start(struct bed *b, struct bed_import *im, unsigned card);
void bed_import(struct bed *b, unsigned card, int rc); /* to its end, which must be rc */
/* The gateway ends and starts again on the same disk, links are up again: no card is in memory. */
void bed_restart(struct bed *b);

/* A campaign over n cards from first_card on: "tar b00011", "kvn ..", "format ..", a small script (SELECT UPDATE SELECT UPDATE
 * READ); running.  New IMSIs are 99981<campaign>000000<card>.  Its id. */
uint64_t bed_campaign(struct bed *b, unsigned cards, unsigned kvn, const char *format);
/* The same with other lines in the profile ("spi 16 19\n por .."), and a new MSISDN per card if asked for. */
uint64_t bed_campaign_with(struct bed *b, unsigned cards, unsigned kvn, const char *lines, bool new_msisdn, bool run);
void bed_verb(struct bed *b, uint64_t campaign, enum gw_campaign_verb v);
void bed_new_imsi(uint64_t campaign, unsigned card, char imsi[IMSI_DIGITS_MAX + 1]);

/* A work for one card of bed_open_sub(): its set is a small one, for BED_WORK_IMSI and the order's number. */
#define BED_WORK_IMSI "26299%010u"
void bed_work(struct work *w, enum work_kind kind, uint64_t order, unsigned card, uint16_t from, uint16_t to);
/* An open-ended campaign of works of this kind, running, with nothing planned; works planned into it, and the core told. */
uint64_t bed_works(struct bed *b, enum work_kind kind);
void bed_plan(struct bed *b, uint64_t campaign, unsigned card, const struct work *w, uint8_t kvn);
/* The last end of a work that was told, of this card; fails when there is none. */
const struct gw_fx_txn *bed_end(struct bed *b, unsigned card);

/* A link loses or gets its connection; an operator's order to it. */
void bed_link(struct bed *b, unsigned link, bool up);
void bed_order(struct bed *b, unsigned link, enum link_order order);

/* An operator's order to a card; what it was answered is in said_rc, said. */
int bed_card_order(struct bed *b, unsigned card, enum gw_card_verb verb);

/* Turns store and core until nothing moves at this time. */
void bed_turn(struct bed *b);
/* Lets time pass, due time by due time. */
void bed_pass(struct bed *b, int64_t ms);

/* What has left for a card: one attempt at a command, all segments. */
struct sent {
	unsigned card, link, n;
	uint64_t token[BED_UDS_MAX];
	uint8_t ud[BED_UDS_MAX][LINK_UD_MAX];
	uint8_t ud_len[BED_UDS_MAX];
	struct ota_addr dst;
	struct ota_cmd_params p;      /* opened with the bed's own keys; without data */
	uint8_t data[OTA_SCRIPT_MAX]; /* the commands */
	size_t data_len;
	bool script; /* writes EF_IMSI; else a read-back */
	uint8_t ins; /* of its last command */
};
/* True: something leaves on this link; with all its segments. */
bool bed_leaves(struct bed *b, unsigned link, struct sent *s);
/* The same, and nothing else is a failure of the test. */
void bed_expect_script(struct bed *b, unsigned link, struct sent *s);
void bed_expect_readback(struct bed *b, unsigned link, struct sent *s);
void bed_expect_nothing(struct bed *b);
void bed_outcome(struct bed *b, const struct sent *s, unsigned seg, enum link_event_kind kind, enum fail_class cls);
void bed_accepted(struct bed *b, const struct sent *s); /* all segments */

/* TP-UDs on their way back. */
struct uds {
	unsigned n;
	uint8_t len[BED_UDS_MAX];
	uint8_t ud[BED_UDS_MAX][LINK_UD_MAX];
};
/* The card meets the packet; what it sends. */
void bed_card_takes(struct bed *b, const struct sent *s, struct sim_card_out *out);
void bed_uds(const struct sim_card_out *out, struct uds *u); /* of its SMS-SUBMITs */
/* A PoR made by hand: secured as the command asked, or a clear error with this CNTR. */
size_t bed_por(struct bed *b, const struct sent *s, uint8_t status, const void *data, size_t len,
	       uint8_t pkt[OTA_PACKET_MAX]);
size_t bed_clear(const struct sent *s, uint8_t status, uint64_t cntr, uint8_t pkt[OTA_PACKET_MAX]);
/* As TP-UDs of `chunk` packet octets each (0: one). */
void bed_cut(struct uds *u, const uint8_t *pkt, size_t len, uint16_t ref, bool wide, size_t chunk);
/* A whole good answer to a script or read-back in the campaign's format, with this EF_IMSI. */
size_t bed_answer(const struct sent *s, const char *imsi, uint8_t out[256]);
/* PoR 00 with that answer, in one message. */
void bed_good(struct bed *b, const struct sent *s, const char *imsi, struct uds *u);

/* Messages to the gateway; each must be answered OK once it is durable, which bed_turn() sees to. */
void bed_mo(struct bed *b, unsigned link, unsigned card, const uint8_t *ud, size_t len); /* from its MSISDN */
void bed_mo_from(struct bed *b, unsigned link, uint8_t npi, const char *digits, const uint8_t *ud, size_t len);
void bed_receipt(struct bed *b, unsigned link, unsigned card, const char *stat, const uint8_t *ud, size_t len);
void bed_mo_all(struct bed *b, unsigned link, unsigned card, const struct uds *u);

/* What is durable. */
const struct card_bundle *bed_card(struct bed *b, unsigned card);
const struct txn_row *bed_txn(struct bed *b, unsigned card);
void bed_expect_txn(struct bed *b, unsigned card, enum txn_state state, const char *reason); /* reason: its start */
/* The report's line of this card in this campaign, also an earlier one. */
struct txn_row bed_report(struct bed *b, uint64_t campaign, unsigned card);
/* Story entries of this kind of a card; with text: whose text begins so. */
unsigned bed_story(struct bed *b, unsigned card, enum story_kind kind, const char *text);
struct gw_stats bed_stats(const struct bed *b);
struct gw_campaign_view bed_view(const struct bed *b, uint64_t campaign);
/* Counts of a campaign in memory and in the store, which must agree. */
uint64_t bed_count(struct bed *b, uint64_t campaign, enum txn_state state);

#endif
