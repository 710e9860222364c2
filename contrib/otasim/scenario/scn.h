/* scn.h - a scenario as its file says it: who is out of reach when, what day the SMSCs have, what is expected.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The language is told in contrib/doc/otasim.md.  Here is what a file means, as plain values; run.h makes it happen.
 * Times are milliseconds since the scenario's beginning; cards are numbered from 0 here and from 1 in the file.
 */
#ifndef OTASIM_SCN_H
#define OTASIM_SCN_H

#include "smsc/smsc.h"

#define SCN_TEXT_MAX	 (256u << 10) /* octets of a file */
#define SCN_LINE_MAX	 500	      /* ... of a line */
#define SCN_WORDS_MAX	 80	      /* ... words of it */
#define SCN_RULES_MAX	 1000	      /* lines that do something to cards or SMSCs */
#define SCN_EXPECTS_MAX	 200
#define SCN_GROUPS_MAX	 100
#define SCN_OPTIONS_MAX	 50   /* "set" lines */
#define SCN_SETS_MAX	 1400 /* sets of cards, wherever they stand */
#define SCN_TERMS_MAX	 4000 /* parts of such sets: "5", "1-100", "every 7th", "10%" */
#define SCN_SHARES_MAX	 100  /* ... that are shares, each drawn once */
#define SCN_NEST_MAX	 6    /* sets that name sets that name sets */
#define SCN_CARDS_MAX	 1000000
#define SCN_NAME_MAX	 32
#define SCN_TIME_MAX_MS	 (366ll * 86400 * 1000)
#define SCN_EVERY_MIN_MS 100 /* what repeats does not do so faster */
#define SCN_ERR_MAX	 800

#define SCN_ALL	    0	      /* the set of all cards */
#define SCN_NEVER   INT64_MAX /* as a time */
#define SCN_NOWHERE (-1)      /* as an operator */
#define SCN_TO_END  (-1)      /* as a length */

enum scn_term_kind { TERM_LIST, TERM_EVERY, TERM_SHARE, TERM_SET };
struct scn_term {
	enum scn_term_kind kind;
	uint32_t lo, hi;   /* LIST: both included; EVERY: lo is N; SET: lo is its number */
	uint64_t key, thr; /* SHARE: cards whose draw under this key is not above thr */
	uint32_t ppm;
};
struct scn_set {
	uint16_t first, n; /* terms */
	int16_t but;	   /* another set, -1: none */
	uint8_t nest;	   /* sets inside sets */
};

struct scn_when {
	struct sim_range from;
	struct sim_range len; /* lo SCN_TO_END: to the end of the scenario */
	int64_t every_ms;     /* 0: once */
	int64_t until_ms;     /* begins no more from here on */
};

/* What a rule decides.  Of all rules that decide the same for a card and are in force, the last one in the file counts. */
enum scn_prop {
	PROP_COVERAGE, /* enum sim_coverage */
	PROP_TAKING,   /* enum sim_taking */
	PROP_SLOW,     /* ms */
	PROP_REPLAY,   /* enum sim_replay */
	PROP_INTERIM,  /* bool, as the next three */
	PROP_ERRORS,
	PROP_KEYS,
	PROP_WRITES,   /* FID of the EF whose UPDATE is refused */
	PROP_OFF,      /* bool: the phone is switched off */
	PROP_REFRESH,  /* REFRESHes the phone will not do, before each that it does */
	PROP_REFUSED,  /* bit mask of operators that will not let it in */
	PROP_POWER,    /* a moment: the phone is switched off and on */
	PROP_MOOD,     /* of SMSCs from here on */
	PROP_CUT,      /* a moment: all connections end */
	PROP_HLR_DOWN, /* of operators' registers, as the next one */
	PROP_HLR_LATE, /* ms until it answers */
	_SCN_PROPS
};
struct scn_rule {
	unsigned line;
	enum scn_prop prop;
	uint16_t set;
	uint32_t doors; /* from PROP_MOOD on: bit mask */
	struct scn_when when;
	struct sim_range value; /* PROP_SLOW: drawn for each card; PROP_HLR_LATE: for each answer; else lo */
	struct smsc_mood mood;
};

enum scn_metric {
	/* of a card */
	METRIC_IMSI,	 /* 1: EF_IMSI is the new one, 0: the first one, 2: another */
	METRIC_PRESENTS, /* the same of what the phone presents */
	METRIC_ATTEMPTS,
	METRIC_REACHED,
	METRIC_RUNS,
	METRIC_EXECUTIONS,
	METRIC_CHANGES,
	METRIC_REPLAYS,
	METRIC_REFUSED,
	METRIC_CLASHES,
	METRIC_PROOFS,
	METRIC_FIRST_ATTEMPT,
	METRIC_SHORTEST_GAP,
	METRIC_LONGEST_GAP,
	METRIC_INDEX,	   /* of the active pair; goes forth and back, as the place does: judged at its time */
	METRIC_REGISTERED, /* number of the operator, SCN_NOWHERE */
	METRIC_MOVES,
	METRIC_MOVES_PER_ORDER,
	/* of the SMSCs */
	METRIC_SUBMITS,
	METRIC_CONNECTIONS,
	METRIC_BIND_ATTEMPTS,
	METRIC_BINDS,
	METRIC_THROTTLED,
	METRIC_RATE,
	METRIC_WINDOW,
	METRIC_DELIVERY_ANSWER,
	METRIC_DELIVERY_TIMEOUTS,
	_SCN_METRICS
};
struct scn_metric_def {
	const char *name;
	bool of_smsc, time, counted; /* counted: can be asked for a window or "while" */
};
extern const struct scn_metric_def scn_metrics[_SCN_METRICS];

enum scn_op { OP_EQ, OP_LE, OP_GE, OP_LT, OP_GT };

enum scn_while { WHILE_ALWAYS, WHILE_MOOD, WHILE_ABSENT, WHILE_TAKING };

struct scn_expect {
	unsigned line;
	char text[SCN_LINE_MAX + 1];
	enum scn_metric metric;
	uint16_t set;	/* of a card's metric */
	bool total;	/* all of them added up */
	uint32_t doors; /* of an SMSC's metric */
	enum scn_op op;
	int64_t value;
	uint32_t need_n, need_ppm; /* so many, or such a share, of the set; both 0: all */
	int64_t from_ms, to_ms;	   /* counted from .. to; 0 and SCN_NEVER: always */
	enum scn_while state;
	int state_of;	  /* enum smsc_mood_kind or sim_taking */
	int64_t after_ms; /* the state must have lasted so long */
	int64_t by_ms;	  /* judged at this time at the latest; SCN_NEVER: at the end */
};

struct scn_option { /* "set NAME VALUE": an option of the command line */
	unsigned line;
	char name[SCN_NAME_MAX], value[SCN_NAME_MAX];
};

struct scn_operator {
	char name[SCN_NAME_MAX], plmn[7];
};

struct scn {
	char file[256], name[SCN_LINE_MAX + 1];
	uint32_t cards;
	uint64_t seed;
	unsigned doors;
	char door_name[SMSC_DOORS_MAX][SCN_NAME_MAX]; /* "" when the file names none */
	unsigned ops;				      /* operators; with them door N is the SMSC of operator N */
	struct scn_operator op[SIM_OPS_MAX];
	bool begin_connected; /* time begins with the first connection */
	int64_t end_ms, quiet_ms;
	bool end_exact; /* "end at": not earlier */
	struct scn_rule rule[SCN_RULES_MAX];
	unsigned rules;
	struct scn_expect expect[SCN_EXPECTS_MAX];
	unsigned expects;
	struct scn_option option[SCN_OPTIONS_MAX];
	unsigned options;
	struct {
		char name[SCN_NAME_MAX];
		uint16_t set;
		unsigned line;
	} group[SCN_GROUPS_MAX];
	unsigned groups;
	struct scn_set set[SCN_SETS_MAX];
	unsigned sets;
	struct scn_term term[SCN_TERMS_MAX];
	unsigned terms, shares;
};

/* What stands on the command line wins over the file; 0 cards: the file's, or 1000. */
struct scn_given {
	uint32_t cards;
	bool has_seed;
	uint64_t seed;
	const struct scn_operator *op; /* ops of them */
	unsigned ops;
};
/* NULL with "FILE:LINE: what is wrong" in err. */
struct scn *scn_parse(const char *file, const char *text, size_t len, const struct scn_given *given,
		      char err[SCN_ERR_MAX]);
/* No rules, no expectations, no end: a fleet that is just there. */
struct scn *scn_empty(uint32_t cards, uint64_t seed);
/* One operator more, before anything is said about any.  NULL, or what is wrong. */
const char *scn_operator_add(struct scn *s, const struct scn_operator *op);
bool scn_operator_ok(const struct scn_operator *op);	       /* its name and PLMN can be such */
int scn_operator_named(const struct scn *s, const char *name); /* -1: none */
void scn_free(struct scn *s);

bool scn_in(const struct scn *s, uint16_t set, uint32_t card);
uint32_t scn_set_size(const struct scn *s, uint16_t set);

/* A card's own beginning and length of a rule: drawn from the seed where the file gives a range. */
int64_t scn_rule_from(const struct scn *s, const struct scn_rule *r, uint32_t card);
int64_t scn_rule_len(const struct scn *s, const struct scn_rule *r, uint32_t card); /* SCN_TO_END */
int64_t scn_rule_value(const struct scn *s, const struct scn_rule *r, uint32_t card);
bool scn_rule_active(const struct scn *s, const struct scn_rule *r, uint32_t card, int64_t t_ms);
/* When it begins or ends next, later than t_ms; SCN_NEVER. */
int64_t scn_rule_edge(const struct scn *s, const struct scn_rule *r, uint32_t card, int64_t t_ms);

/* "FILE:LINE: "nonsense" is not `what`; did you mean ...?", or which words there are. */
void scn_unknown(char err[SCN_ERR_MAX], const char *file, unsigned line, const char *word, const char *what,
		 const char *const *words, size_t n);

/* 90000 as "1m30s". */
#define SCN_TIME_TEXT_MAX 40
const char *scn_time_text(char out[SCN_TIME_TEXT_MAX], int64_t ms);

#endif
