/* term.h - the whole terminal for a view, and given back whatever happens.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The alternate screen, so that what stood there before comes back; only cells that changed are written, so that nothing
 * flickers and a slow line is enough.  Plain escape sequences that every terminal of the last thirty years knows.
 */
#ifndef OTACTL_TERM_H
#define OTACTL_TERM_H

#include "grid.h"

enum term_kind {
	TERM_NOTHING, /* the time is over */
	TERM_KEY,
	TERM_RESIZE, /* or back after a stop: draw anew */
	TERM_END,    /* a signal, or the terminal has gone: give it back and leave */
};
struct term_event {
	enum term_kind kind;
	int key;
};

/* Whether the terminal behind stdout can be taken: it is one, and not a dumb one. */
bool term_able(void);
/* Takes it; false with errno. */
bool term_open(void);
/* Gives it back; may be called at any time. */
void term_close(void);
struct grid *term_grid(void); /* of the terminal's present size, empty; the caller's.  NULL: out of memory */
bool term_utf8(void);
void term_draw(const struct grid *g);
/* What comes first; waits at most so long. */
struct term_event term_wait(int wait_ms);
/* What to look at beside something else that is waited for: term_wait(0) then tells what it is. */
#define TERM_FDS 2
void term_fds(int fd[TERM_FDS]);
/* The signal that ended it; 0: none.  After term_close(): dies of it, as whoever sent it expects. */
int term_signal(void);
void term_die(void);

#endif
