/* bsc.h - a base station controller towards its MSCs: SCCP over M3UA, RESET, paging, connections.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Whoever owns the connections is told of messages and ends by callbacks, from inside the loop of libosmocore.
 */
#ifndef OTABSC_BSC_H
#define OTABSC_BSC_H

#include "bssmap.h"

#define BSC_MSCS_MAX  8
#define BSC_NAME_MAX  32
#define BSC_CONNS_MAX 4096 /* at one time; SCCP has 2^24 local references */

struct bsc;

struct bsc_cb {
	void (*up)(void *ctx, int msc); /* it has answered RESET, or sent one: what was open there is over */
	void (*down)(void *ctx, int msc);
	void (*paged)(void *ctx, int msc, const struct bssmap_paging *p);
	void (*l3)(void *ctx, void *owner, uint8_t sapi, const uint8_t *l3, size_t len);
	void (*over)(void *ctx, void *owner); /* the connection is no more */
};

struct bsc_cfg {
	const char *name, *pc;
	const char *stp, *local; /* numeric addresses */
	uint16_t stp_port;
};

struct bsc *bsc_new(void *talloc_ctx, const struct bsc_cfg *cfg, const struct bsc_cb *cb, void *ctx, char *err,
		    size_t err_cap);
void bsc_free(struct bsc *b); /* releases what is open */

/* Its number, or -1 with a sentence in err. */
int bsc_msc_add(struct bsc *b, const char *name, const char *pc, const struct cell *cell, char *err, size_t err_cap);
int bsc_mscs(const struct bsc *b);
const char *bsc_msc_name(const struct bsc *b, int msc);	 /* "" when there is none */
int bsc_msc_find(const struct bsc *b, const char *name); /* -1: none */
const struct cell *bsc_msc_cell(const struct bsc *b, int msc);
bool bsc_msc_up(const struct bsc *b, int msc);
void bsc_msc_reset(struct bsc *b, int msc);
unsigned bsc_conns(const struct bsc *b);

/* A connection with its first message; 0: not now.  `owner` is handed back with whatever comes. */
uint32_t bsc_open(struct bsc *b, int msc, void *owner, const uint8_t *l3, size_t len);
void bsc_l3(struct bsc *b, uint32_t conn, uint8_t sapi, const uint8_t *l3, size_t len);
/* The radio path is gone: from here on nothing of it reaches the owner. */
void bsc_drop(struct bsc *b, uint32_t conn);

#endif
