/* b_bed.h - the new operator: a real desk with core, books and register in memory; its partners are played by hand.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef B_BED_H
#define B_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "contrib/otasim/hlr/sim_hlr.h"
#include "gateway/desk/desk_int.h"
#include "gateway/store/store.h"

#define BED_NOW	     1795000000000ll
#define BED_OUT_MAX  64
#define BED_LINE_MAX PKG_RECORD_MAX

enum { BED_S, BED_A, BED_B, BED_M, BED_PARTIES };

struct bed_party {
	struct ks *ks;
	char *party;
	size_t party_len;
	uint8_t *sealed;
	size_t sealed_len;
	struct pkg_self *self;
	struct pkg_partner *known;
	uint64_t seq; /* of packages to us */
};

/* A package that our desk has made, as its receiver reads it. */
struct bed_out {
	unsigned to; /* BED_... */
	struct pkg_head head;
	char path[400];
};

struct bed_hlr_mood {
	bool away;	 /* no connection */
	bool mute;	 /* it does what it is asked, and its answers are lost */
	char refuse[16]; /* this IMSI */
};

struct bed {
	unsigned self; /* which party the desk is */
	char dir[64];
	struct bed_party party[BED_PARTIES];
	struct store_mem_disk *disk;
	struct store *store;
	struct gw *gw;
	struct errtab *errtab;
	struct env env;
	uint32_t dice;
	struct desk *desk;
	struct desk_cfg cfg;
	const struct desk_tables *tables;
	uint64_t campaign;
	int64_t now_ms;
	struct sim_hlr *sim;
	struct hlr hlr;
	struct bed_hlr_mood mood;
	struct hlr_result answer[HLR_OPEN_MAX];
	unsigned answers;
	unsigned reads; /* HLR_READ so far */
	struct bed_out out[BED_OUT_MAX];
	unsigned outs;
	char log[65536];
	char err[400];
	bool asked; /* the last desk_request() has been answered, with: */
	int asked_rc;
	char asked_text[DESK_ERR_MAX];
};

/* cfg: pool, grace ...; partners are set here. */
struct bed *bed_new(unsigned self, const struct desk_cfg *cfg, const struct desk_tables *tables);
void bed_free(struct bed *b);
/* Stops the desk, its core and its store, as in a crash, and begins again from the books. */
void bed_restart(struct bed *b);
/* The same with an older copy of the books, which is the bed's then. */
void bed_restore(struct bed *b, struct store_mem_disk *backup);
/* Turns all until nothing is due. */
void bed_turn(struct bed *b);
void bed_wait(struct bed *b, int64_t ms); /* time goes by, in steps of a second */

/* A package to our desk.  lines: NULL-terminated. */
struct bed_in {
	unsigned from;
	const char *type, *order;
	const char **line;
	const uint8_t *about;
	bool wrap; /* a line is made by make() */
	void (*make)(struct ks_wrap *w, unsigned i, char line[BED_LINE_MAX], void *ctx);
	unsigned n; /* with make */
	void *ctx;
};
void bed_send(struct bed *b, const struct bed_in *in);
void bed_write(struct bed *b, const struct bed_in *in, const char *path); /* the file alone */
/* How the desk has answered the last package from that party: "" accepted, else the rule. */
const char *bed_ack(struct bed *b, unsigned from);

/* The last package of that type that went to that party; fails when there is none. */
const struct bed_out *bed_got(struct bed *b, unsigned to, const char *type);
unsigned bed_count(const struct bed *b, unsigned to, const char *type);
/* Its records, each without its salt; n of them at most; with `leaf` as they were signed. */
unsigned bed_read(struct bed *b, const struct bed_out *o, char (*line)[BED_LINE_MAX], unsigned max, bool leaf,
		  struct ks_wrap **wrap);
const char *bed_value(const char *line, unsigned n, char out[BED_LINE_MAX]); /* value n of a record */

void bed_line(struct bed *b, const char *order, const char *iccid, struct line *l, uint16_t *step);
bool bed_book(struct bed *b, enum book book, const char *key, struct store_book *out);
bool bed_card(struct bed *b, const char *iccid, struct card_bundle *out);
/* Ordered, and turned no further than until a package of that type has come out. */
void bed_request_until(struct bed *b, enum desk_verb verb, const char *order, const char *file, unsigned to,
		       const char *type);
void bed_request(struct bed *b, enum desk_verb verb, const char *order, const char *file);
/* The core ends the card's open transaction, and tells. */
void bed_settle(struct bed *b, const char *iccid, enum txn_state end);
/* The core tells how the last transaction of that kind and card ended. */
void bed_txn(struct bed *b, const char *order, enum work_kind kind, const char *iccid, enum txn_state state,
	     int verdict);

#endif
