/* telnet.h - telnet sessions of libosmovty that may wait for an answer.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * libosmovty's commands answer before they return, and what the api answers from the store comes later.  So a session is ours: it hands
 * libosmovty one line at a time, and when the command has asked and has no answer yet, the prompt and the next lines wait for it; the loop
 * does not.  Who reads the output sees no difference: answer, then prompt.
 */
#ifndef OTAGW_TELNET_H
#define OTAGW_TELNET_H

#include <stddef.h>
#include <stdint.h>

#include "api.h"

#define TELNET_PORT	    4279 /* not given to another program of Osmocom's */
#define TELNET_SESSIONS_MAX 16
#define TELNET_ARG_MAX	    64
#define TELNET_ASK_S	    30 /* a command is given up, not the request */

struct vty;
struct telnet;

/* Listens; port 0: any, see telnet_port().  prompt: what libosmovty prints for %s of a prompt.  NULL with a sentence. */
struct telnet *telnet_new(void *tall, const char *ip, uint16_t port, const char *prompt, char *err, size_t cap);
/* Ends all sessions. */
void telnet_free(struct telnet *t);
uint16_t telnet_port(const struct telnet *t);
/* Whether a session has 'logging enable'. */
bool telnet_logging(const struct telnet *t);

/* What a command wants to know, and who prints the answer. */
struct vty_ask {
	struct vty *vty;
	/* r->status is API_OK; else the reason has been printed.  May ask again. */
	void (*print)(struct vty_ask *ask, const struct api_reply *r);
	char arg[2][TELNET_ARG_MAX]; /* the command's; "" */
	uint64_t number, campaign;   /* campaign: of several in turn, the present one */
	unsigned left;
	/* inside */
	struct telnet_session *session; /* NULL: it has gone, or waits no more */
};
/* Of a command: hand `to` to one call of the api, and return. */
struct api_to vty_ask(struct vty *vty, void (*print)(struct vty_ask *ask, const struct api_reply *r), const char *arg0,
		      const char *arg1);
/* From within print(): the same once more, with what stands in it now. */
struct api_to vty_ask_again(struct vty_ask *ask);

#endif
