/* smsc_int.h - what the SMSC's files share among themselves.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTASIM_SMSC_INT_H
#define OTASIM_SMSC_INT_H

#include "smpp_pdu.h"
#include "smsc.h"

/* A submit whose answer is never given carries this in its token: no session has such a serial number. */
#define TOKEN_UNANSWERED (1ull << 63)

struct sent {
	uint32_t seq; /* 0: free */
	uint32_t card;
	uint64_t up_id;
	int64_t due_ms;
};

/* A submit that went on in parts, until each has its result. */
#define SMSC_PARTS_MAX	16
#define SMSC_WHOLES_MAX 64 /* under way, of one session */
struct whole {
	uint32_t seq;
	unsigned left;		    /* 0: free */
	enum sim_submit_result bad; /* the first that was not good */
};

struct session {
	bool open, over;
	unsigned door;
	uint32_t serial; /* never reused, below 2^31 */
	unsigned bound;
	uint32_t seq; /* of our own requests */
	uint8_t in[SMSC_PDU_MAX];
	size_t in_len;
	uint8_t *out;
	size_t out_at, out_len, out_cap;
	struct sent sent[SMSC_WINDOW_MAX];
	unsigned in_window;
	struct sim_up *queue; /* ring */
	unsigned q_head, q_len;
	struct whole whole[SMSC_WHOLES_MAX];
	double tokens;
	int64_t tokens_ms, heard_ms;
	unsigned enquiries;
};

/* An answer that a slow SMSC holds back. */
struct late {
	int64_t due_ms;
	uint64_t order, token;
	enum sim_submit_result result;
};

struct door {
	struct smsc_mood mood;
	struct sim_rng dice;
};

struct smsc {
	struct smsc_cfg cfg;
	struct sim_air *air;
	uint32_t serials;
	int64_t now_ms; /* of the call being served; the air's callbacks come without it */
	struct smsc_stats stats;
	struct door door[SMSC_DOORS_MAX];
	struct late *late; /* heap by due_ms, then by order */
	size_t lates, late_cap;
	uint64_t late_order;
	struct session session[SMSC_SESSIONS_MAX];
};

/* mood.c */

enum fate {
	FATE_NORMAL,
	FATE_REFUSED,	 /* with a status, not taken */
	FATE_UNANSWERED, /* taken, nobody is told */
	FATE_LOST,	 /* neither taken nor answered */
	FATE_TAKEN_CUT,	 /* taken, then the connection ends */
	FATE_LOST_CUT,
	FATE_RUBBISH, /* not taken; what is said is no answer */
};
/* What becomes of a submit that is in order otherwise. */
enum fate mood_fate(struct smsc *s, struct session *se, uint32_t *status);
double mood_rate(const struct smsc *s, const struct session *se); /* 0: unlimited */
bool mood_speaks(const struct smsc *s, const struct session *se); /* its PDUs leave the house */
bool mood_delivers(const struct smsc *s, const struct session *se);
bool mood_doubles(struct smsc *s, const struct session *se); /* this deliver_sm goes out twice */
/* Something of SMSC_RUBBISH_MAX octets at most instead of this answer; its length. */
#define SMSC_RUBBISH_MAX 96
size_t mood_rubbish(struct smsc *s, const struct session *se, const uint8_t *answer, uint8_t out[SMSC_RUBBISH_MAX]);
/* Keeps the answer for later; false: say it now. */
bool mood_late(struct smsc *s, const struct session *se, uint64_t token, enum sim_submit_result r);
bool mood_late_pop(struct smsc *s, struct late *out); /* the next one that is due */

/* whole.c */

/* So many short messages is this user data; 0: it is none, or too long. */
unsigned whole_parts(const struct smpp_pdu *pdu, struct smpp_octets ud);
void whole_part(struct sim_sm *sm, const struct smpp_pdu *pdu, struct smpp_octets ud, unsigned total, unsigned seq);
/* With sar_* parameters: puts what they say into the header.  False: there is no room for it. */
bool sar_part(struct sim_sm *sm, const struct smpp_pdu *pdu, struct smpp_octets ud);
bool whole_keep(struct session *se, uint32_t seq, unsigned parts); /* false: too many under way */
/* A part's result; true: it was the last one, or no part, and *r is what the submit is answered with. */
bool whole_result(struct session *se, uint32_t seq, enum sim_submit_result *r);

/* smsc.c */
void session_cut(struct session *se);

#endif
