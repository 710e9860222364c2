/* front_fix.h - a front on the real core, the real keystore and the store in memory, with a clock that stands still.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef FRONT_FIX_H
#define FRONT_FIX_H

#define _GNU_SOURCE /* strcasestr */

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api.h"

#define FIX_NOW 1796162400000LL

struct front {
	struct env env;
	int64_t now_ms;
	uint32_t dice;
	struct errtab *errtab;
	struct store_mem_disk *disk;
	const char *state_dir; /* a real store there instead of the one in memory, and one link */
	struct store *store;
	struct ks *ks;
	struct gw *gw;
	struct api *api;
	int fault;		   /* what every commit of an intake answers */
	int core_fault;		   /* what every commit of the core answers */
	bool by_imsi;		   /* from the next start on */
	unsigned n_links;	   /* the same */
	struct link *const *links; /* the same: what the api sees of them, NULL nothing */
	const char *link_name[2];
	const struct route *routes; /* the same */
	unsigned n_routes;
	char log[65536]; /* all that was logged */
	struct events events;
	/* the last answer */
	unsigned answers;
	int status;
	json_t *json;
	char text[65536]; /* the same as text */
};

struct front *front_new(const char *profile_dir);
/* On SQLite in a directory of the caller's, with one link that the test plays. */
struct front *front_new_at(const char *profile_dir, const char *state_dir);
void front_free(struct front *f);
/* Restarts everything but the disk. */
void front_restart(struct front *f);
/* One turn of store and core. */
void front_turn(struct front *f);
/* Who is answered; front_wait() turns until the answer is there (bounded). */
struct api_to front_to(struct front *f);
void front_wait(struct front *f);

/* ---- shorthands that wait ---- */
int front_import(struct front *f, const char *alg, uint64_t cntr, bool dry_run); /* the status; f->text has the id */
int front_import_lines(struct front *f, const char *id, uint64_t first, const char *csv);
int front_import_finish(struct front *f, const char *id);
int front_create(struct front *f, const char *name, const char *profile, bool dry_run);
int front_lines(struct front *f, const char *name, const char *session, uint64_t first, const char *csv);
int front_finish(struct front *f, const char *name, const char *session);
int front_verb(struct front *f, const char *name, enum gw_campaign_verb v);

/* A number or text of the last answer; NULL and -1 when it is not there. */
int64_t front_n(const struct front *f, const char *key);
const char *front_s(const struct front *f, const char *key);
const char *front_error(const struct front *f); /* the code */
/* Reason of the i-th rejected line, after checking its number. */
const char *front_reject(const struct front *f, size_t i, uint64_t line);

/* "8988211" + 11 digits of n + check digit. */
const char *fix_iccid(char out[21], unsigned n);
/* A card line with good keys: ICCID,IMSI,MSISDN,KIC1,KID1,KIK1 */
void fix_card_line(char *out, size_t cap, unsigned n);
/* Imports cards 0 .. n-1 under key version 1. */
void fix_cards(struct front *f, unsigned n);

#define FIX_HEADER "ICCID,IMSI,MSISDN,KIC1,KID1,KIK1\n"
#define FIX_KIC	   "0102030405060708090a0b0c0d0e0f10"
#define FIX_KID	   "1112131415161718191a1b1c1d1e1f20"

#endif
