/* rules.h - how carefully a campaign goes: canary groups, abort thresholds, time window, deadline, priority.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One short text, as an operator types it and as it stands in the store:
 *	canary 10,100,5%; hold 2h; abort failed>3%; abort por-01>=1; window 01:00-05:00 device; deadline 21d
 * Everything here is a pure function of its arguments.
 */
#ifndef OTAGW_RULES_H
#define OTAGW_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../store/rows.h"

#define RULES_CANARY_MAX 4
#define RULES_ABORT_MAX	 8
#define RULES_SAMPLE_MIN 50 /* a percentage is one of at least so many cards: else the first failure would be 100 % */
#define RULES_ERR_MAX	 320
#define RULES_WORDS_MAX	 40	/* "canary:class-CARD-TRANSIENT>=1000000000", with NUL */
#define RULES_HUNDRED	 10000	/* percentages stand in hundredths */
#define RULES_TZ_MIN	 (-720) /* minutes east of UTC: what a zone may be */
#define RULES_TZ_MAX	 840

enum rules_priority { PRIORITY_ROLLBACK, PRIORITY_CONFIRM, PRIORITY_CAMPAIGN, PRIORITY_PROBE, _PRIORITIES };
enum rules_what { RULE_FAILED, RULE_EXPIRED, RULE_QUARANTINED, RULE_POR, RULE_CLASS, _RULE_WHATS };

struct rules_abort {
	uint8_t what; /* enum rules_what */
	uint8_t arg;  /* RULE_POR: the status; RULE_CLASS: enum fail_class */
	bool canary;  /* counts while no card behind the canary has been started */
	bool or_equal, percent;
	uint32_t limit; /* cards, or hundredths of a percent */
};
struct rules {
	unsigned n_canary;
	struct {
		uint32_t size; /* cards, or hundredths of a percent of the targets */
		bool percent;
	} canary[RULES_CANARY_MAX];
	int64_t hold_ms; /* the next group opens at the latest so long after the last card of this one was started; 0: no */
	unsigned n_abort;
	struct rules_abort abort[RULES_ABORT_MAX];
	bool windowed, device; /* device: in the card's own zone */
	int16_t zone_min;
	uint16_t open_min, close_min; /* of the day; closing before opening: over midnight */
	bool deadline_after;	      /* deadline_ms counts from the start */
	int64_t deadline_ms;	      /* 0: none */
	uint8_t priority;	      /* enum rules_priority */
};

/* Rules divided by ';' or line ends; "" has none.  On failure -1, and err says which rule, what is wrong and what is known. */
int rules_parse(struct rules *r, const char *text, char err[RULES_ERR_MAX]);
/* What a careful operator would have said: where nothing is said of CONFIG, a campaign stops when more than RULES_CONFIG_LIMIT of
 * its cards meet it, since it is never the card's fault; and where it has a canary and nothing is said of wrong keys, the first
 * card of the canary that answers so stops it.  Stands in the rules from then on, for everybody to see. */
#define RULES_CONFIG_LIMIT 1000 /* hundredths of a percent */
void rules_complete(struct rules *r);
/* The same as one canonical line, which parses to the same rules. */
void rules_print(const struct rules *r, char out[CAMPAIGN_RULES_MAX]);
/* Whether they suit a campaign of so many cards; else -1 and err. */
int rules_fit(const struct rules *r, uint64_t targets, char err[RULES_ERR_MAX]);

/* How many cards there are up to the end of this canary group (from 0), of all; a group after the last is all the rest. */
uint64_t rules_group_end(const struct rules *r, unsigned group, uint64_t targets);

/* now_ms when the window is open, else when it opens next.  tz_min: of the card, for a window in device time. */
int64_t rules_opening(const struct rules *r, int64_t tz_min, int64_t now_ms);
/* When the window that is open then, or opens next, closes; INT64_MAX: never. */
int64_t rules_closing(const struct rules *r, int64_t tz_min, int64_t now_ms);
int64_t rules_window_ms(const struct rules *r); /* how long it is open a day */
/* When a campaign started at this time must be through, 0: no deadline. */
int64_t rules_deadline(const struct rules *r, int64_t started_ms);

/* ---- abort thresholds: what has happened since the campaign was started, or started again ---- */
struct rules_tally {
	uint32_t ended;			/* cards */
	uint32_t heard;			/* cards that have ended or met an obstacle */
	uint32_t hits[RULES_ABORT_MAX]; /* per threshold */
};
int rules_tally_parse(struct rules_tally *t, const char *text);
void rules_tally_print(const struct rules_tally *t, char out[CAMPAIGN_TALLY_MAX]);
/* Index of the first threshold that is reached, or -1. */
int rules_met(const struct rules *r, const struct rules_tally *t);
void rules_abort_print(const struct rules_abort *a, char out[RULES_WORDS_MAX]); /* "por-01>=1" */

/* "+02:00", "-0530", "Z", "utc": minutes east of UTC.  -1: none of these. */
int rules_zone_parse(const char *text, int64_t *tz_min);
#define RULES_ZONE_MAX 8
void rules_zone_print(int64_t tz_min, char out[RULES_ZONE_MAX]); /* "+02:00", "utc" */
const char *rules_priority_name(uint8_t priority);

#endif
