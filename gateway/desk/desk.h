/* desk.h - the desk: orders between operators, vault and subscriber, from the first package to the last line of the books.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Beside the core, on its thread, and like it: no socket, no SQL, no clock; time is an argument.  It works in jobs, one at a
 * time: read a page of a book, decide, commit, and only then let things happen (desk_int.h).
 */
#ifndef OTAGW_DESK_H
#define OTAGW_DESK_H

#include "../core/gw.h"
#include "../exchange/books.h"
#include "../exchange/schema.h"
#include "../hlr/hlr.h"
#include "ota/package.h"

#define DESK_PARTNERS_MAX 32
#define DESK_NETWORKS_MAX 16   /* MCC and MNC that a partner has declared */
#define DESK_ORDERS_MAX	  256  /* open ones */
#define DESK_PAGE	  1024 /* lines in a job, records in a package */
#define DESK_PAGE_CARDS	  256  /* when cards are read with them */
#define DESK_HELD_MAX	  64   /* packages of a partner that came before their turn */
#define DESK_ERR_MAX	  320

enum desk_role { DESK_MNO = 1, DESK_VAULT = 2, DESK_AGENT = 4, DESK_VIEWER = 8 };

struct desk_partner {
	struct pkg_partner *pinned; /* the desk's: freed with it */
	unsigned roles;		    /* enum xchg_role it may have in an order, ored */
	char network[DESK_NETWORKS_MAX][7];
	unsigned networks;
};

/* What B gives to cards that come. */
struct desk_pool {
	char imsi_from[IMSI_DIGITS_MAX + 1], imsi_to[IMSI_DIGITS_MAX + 1]; /* "": no pool, lists only */
	char msisdn_from[MSISDN_DIGITS_MAX + 1];			   /* "": none */
	/* "": none.  MSISDN of a card whose own is still another's at our register: its last zeros are the last digits of the IMSI */
	char msisdn_bridge[MSISDN_DIGITS_MAX + 1];
	char plmns[128];  /* MCCMNC;MCCMNC */
	char files[2048]; /* FID[/FID]:hex;... EF_SMSP with TS-SCA among them */
	uint32_t trial_s; /* 0: the card's own */
};

struct desk_cfg {
	unsigned roles; /* enum desk_role */
	/* Package files, made if they are missing, mode 0700: dir/in (come in, not done with), dir/done, dir/refused, dir/out (to be
	 * carried), dir/sent (the partner has them). */
	char dir[256];
	unsigned n_partners;
	struct desk_partner partner[DESK_PARTNERS_MAX];
	struct desk_pool pool;
	char work_profile[PROFILE_NAME_MAX]; /* card profile of the subscription application: m2m-sub */
	char profile_dir[256];
	int64_t arm_fresh_ms;	/* a card must have been heard so lately before ARM; 0: 10 minutes */
	int64_t hlr_poll_ms;	/* how often a subscriber that is awaited is looked up; 0: 5 s */
	int64_t grace_ms;	/* between CF(E6) and the removal of the old IMSI; 0: at once */
	uint64_t cntr_margin;	/* added to CNTR in HL3a; 0: 64 */
	int64_t package_life_s; /* 0: 90 days */
	bool address_by_imsi;	/* as the core sends: then an MSISDN that goes with its card goes at E5, else at E6 */
	int64_t keep_changes_s; /* files of changes that have ended stay so long; 0: 400 days */
	unsigned low_water;	/* vault, A: pairs left below which an alarm is raised; 0: 1 */
	uint32_t epoch;
};

struct desk_deps {
	const struct env *env;
	struct store *store;
	struct ks *ks;
	struct gw *gw;			    /* NULL: a vault */
	uint64_t (*campaign_id)(void *ctx); /* a new one, from whoever numbers campaigns; NULL: a vault */
	void *campaign_id_ctx;
	const struct errtab *errtab; /* for card profiles */
	const struct pkg_self *self; /* outlives the desk */
	struct hlr *hlr;	     /* NULL: none; its on_result must call desk_on_hlr() */
	void (*log)(void *ctx, int level, const char *line);
	void *log_ctx;
	void (*wake)(void *ctx);
	void *wake_ctx;
	/* A package is durable and waits for its partner; called again after a start for all that are not acknowledged. */
	void (*carry)(void *ctx, const char *partner, const char *path, uint64_t seq);
	void *carry_ctx;
};

struct desk;
struct desk *desk_new(const struct desk_cfg *cfg, const struct desk_deps *deps, char err[DESK_ERR_MAX]);
void desk_start(struct desk *d, int64_t now_ms); /* reads the books; desk_ready() says when it is through */
bool desk_ready(const struct desk *d);
void desk_free(struct desk *d); /* the store must have been closed before */
const char *desk_fatal(const struct desk *d);

int desk_step(struct desk *d, int64_t now_ms); /* call again until 0 */
int64_t desk_next_due(const struct desk *d);

/* A package file that somebody has put into dir/in (`name` there; hidden while it is being written, then renamed).  Comes to its end by
 * itself: the books tell. */
int desk_take_file(struct desk *d, const char *name, char err[DESK_ERR_MAX]);
/* The partner has the package (transport's word): it still waits for the ACK package. */
void desk_carried(struct desk *d, const char *partner, uint64_t seq);
void desk_on_effect(struct desk *d, const struct gw_effect *fx); /* GW_FX_TXN, and replies to the desk's own requests */
void desk_on_hlr(struct desk *d, const struct hlr_result *r);

/* ---- what operators order; the answer comes in done() from a later desk_step() ---- */
enum desk_verb {
	DESK_CANCEL, /* an order; lines that are armed go on */
	DESK_IL,     /* B: make the IL now, from the pool, or from a list: a file of "ICCID,IMSI[,MSISDN]" lines */
	DESK_ISSUE,  /* vault: first pairs of all cards that nobody has to the issuer, `partner` */
	/* vault: `pairs` pairs for each card of a list, a file of "ICCID[,IMSI[,MSISDN]]" lines, keys of key_octets; what is to be put into
	 * the cards is written to the file `out`, mode 0600, in clear.  Again: what is there stays, and is written again */
	DESK_GEN,
	DESK_IMPORT_PAIRS, /* vault: such a file of others, ICCID,INDEX,KVN,K,OPC,KIC,KID,KIK[,IMSI[,MSISDN]]; known cards stay as they are */
	DESK_LEDGER, /* vault: walks the ledger; the answer says how many lines it has, or which one is not right */
	/* New keys, or another IMSI (`what`), for cards of our own, in a list, a file of ICCID lines; with `imsis` of ICCID,IMSI[,MSISDN] lines, else
	 * IMSIs come from the pool; or for those that came by the order `taken_by`: a change called `name`.  Again: a list that was cut short by a stop goes on where it was */
	DESK_CHANGE,
	DESK_ACCEPT, /* A: what its operator says of the plain cards of an order: no_rollback_ok, or that they stay */
	/* B: cards that it has refused are made ready once more: `iccid`, or all of the order.  What A has given up stays so */
	DESK_PROVIDE,
};
struct desk_request {
	uint8_t verb;
	char order[PKG_WORD_MAX + 1], partner[PKG_NAME_MAX + 1];
	const char *file;		  /* a path; copied */
	char out[256];			  /* DESK_GEN */
	char name[PKG_WORD_MAX + 1];	  /* DESK_CHANGE */
	char taken_by[PKG_WORD_MAX + 1];  /* DESK_CHANGE: of all cards that came by this order, no file */
	uint8_t what;			  /* DESK_CHANGE: CHANGE_..., ored */
	bool imsis;			  /* DESK_CHANGE of IMSIs: the list says which */
	uint16_t pairs, key_octets;	  /* DESK_GEN; octets 16, 24 or 32, 0: 16 */
	bool no_rollback_ok;		  /* DESK_ACCEPT */
	char iccid[ICCID_DIGITS_MAX + 1]; /* DESK_PROVIDE; "": all */
	void (*done)(void *ctx, int rc, const char *text); /* 0, or negative errno with a sentence */
	void *ctx;
};
int desk_request(struct desk *d, const struct desk_request *r);

/* ---- to look at: open orders; all else by queries of the books ---- */
unsigned desk_orders(const struct desk *d);
const struct order *desk_order(const struct desk *d, unsigned i);
const struct order *desk_order_by_name(const struct desk *d, const char *name);
struct desk_stats {
	uint64_t jobs, commits, packages_in, packages_out, refused, acks, txns, hlr_ops;
	const char *alarm;	    /* NULL: none */
	char overdue[DESK_ERR_MAX]; /* packages that a partner has not acknowledged for long; "" none */
	char awaited[DESK_ERR_MAX]; /* a package that has not come while later ones have; "" none */
};
void desk_stats(const struct desk *d, struct desk_stats *out);

#endif
