/* answer.h - what a card's answer to a script says: was every command carried out, and if not, which one and why.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A pure function of the answer and the profile; settle.c decides what follows from it.
 */
#ifndef OTAGW_ANSWER_H
#define OTAGW_ANSWER_H

#include "profile.h"

enum answer_kind {
	ANSWER_WHOLE,	   /* every command is answered, each with a good status word */
	ANSWER_FAILED,	   /* a command failed, or the card says why it went no further */
	ANSWER_CUT,	   /* answers are missing, or cut off (62F1), and nothing says why */
	ANSWER_UNREADABLE, /* no answer to such a script */
};
struct answer {
	uint8_t kind;	   /* enum answer_kind */
	uint8_t bad_coded; /* expanded: enum answer_coded, why the card went no further */
	uint16_t commands; /* in the script */
	uint16_t count;	   /* of them answered; in compact format those before the last one count as good */
	uint16_t at;	   /* FAILED, CUT: the command, from 0, that failed or whose answer is missing */
	uint16_t sw;	   /* of that command, or of the last one answered; 0 none */
	uint8_t code;	   /* with bad_coded */
	bool last_write;   /* the command before the last one (EF_IMSI is written there) was answered as good */
	/* Response data of the script's last command, NULL when it has not been answered; borrows from the answer. */
	const uint8_t *data;
	size_t data_len;
};
/* TS 102 226, 5.2.2 */
enum answer_coded { CODED_NONE, CODED_BAD_FORMAT, CODED_IMMEDIATE, CODED_CHAINING };

/* Reads the answer to a script of so many commands.  p NULL: the profile is not at hand (its campaign is no longer in
 * memory); then the octets tell the format, which they do: a compact answer would have to count 171 commands to look
 * like an expanded one. */
void answer_read(struct answer *a, const struct profile *p, unsigned commands, const uint8_t *data, size_t len);

/* "command 3 of 17 (UPDATE 6f73) answered 6A82 (file not found)" into buf, for what is not whole. */
void answer_words(const struct answer *a, const struct profile *p, bool readback, char *buf, size_t cap);

#endif
