/* term.c - see term.h.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Signals only write their number into a pipe; what they mean is done in the loop.  Those of a crash give the terminal back
 * in the handler itself: write() and tcsetattr() may be called there (signal-safety(7)).
 */
#define _GNU_SOURCE /* pipe2 */
#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define ENTER	"\033[?1049h\033[?25l\033[m\033[2J" /* alternate screen, no cursor */
#define LEAVE	"\033[m\033[?25h\033[?1049l"
#define OUT_MAX 16384
#define ESC_MAX 48 /* octets of one sequence or glyph */

static struct {
	bool open, known, keys, utf8, colour, ended; /* known: saved; keys: taken */
	int pipe[2], end_signal;
	struct termios saved;
	struct grid *shown; /* what stands on the screen; NULL: nobody knows */
	char out[OUT_MAX];
	size_t out_len;
	unsigned char in[64]; /* keys read and not taken yet */
	size_t in_at, in_len;
} t = { .pipe = { -1, -1 } };

static const int handled[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH };
static const int crashes[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
static struct sigaction before[_NSIG];

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ------------------------------------------------------------------------------------------------ output */

static void flush_out(void)
{
	size_t at = 0;

	while (at < t.out_len) {
		ssize_t n = write(STDOUT_FILENO, t.out + at, t.out_len - at);

		if (n < 0 && errno == EINTR && !t.ended)
			continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

			poll(&p, 1, -1);
			continue;
		}
		if (n <= 0) { /* the terminal has gone */
			t.ended = true;
			break;
		}
		at += (size_t)n;
	}
	t.out_len = 0;
}

static void say(const char *s)
{
	size_t len = strlen(s);

	if (t.out_len + len > OUT_MAX)
		flush_out();
	memcpy(t.out + t.out_len, s, len);
	t.out_len += len;
}

/* ------------------------------------------------------------------------------------------------ signals */

static void on_signal(int sig)
{
	unsigned char c = (unsigned char)sig;
	int e = errno;

	if (write(t.pipe[1], &c, 1) != 1)
		t.ended = sig != SIGWINCH && sig != SIGCONT; /* a full pipe is not lost on those that end */
	errno = e;
}

static void on_crash(int sig)
{
	if (t.open) {
		t.open = false;
		if (write(STDOUT_FILENO, LEAVE, sizeof(LEAVE) - 1) < 0)
			t.ended = true; /* nothing more can be done here */
		if (t.keys)
			tcsetattr(STDIN_FILENO, TCSANOW, &t.saved);
	}
	sigaction(sig, &before[sig], NULL); /* what happens next was there before us */
	raise(sig);
}

static void signals(bool on)
{
	struct sigaction sa = { .sa_handler = on_signal };

	for (size_t i = 0; i < COUNT(handled); i++) {
		sigaction(handled[i], on ? &sa : &before[handled[i]], on ? &before[handled[i]] : NULL);
		/* what our parent has had ignored (nohup) stays so */
		if (on && before[handled[i]].sa_handler == SIG_IGN)
			sigaction(handled[i], &before[handled[i]], NULL);
	}
	sa.sa_handler = on_crash;
	for (size_t i = 0; i < COUNT(crashes); i++)
		sigaction(crashes[i], on ? &sa : &before[crashes[i]], on ? &before[crashes[i]] : NULL);
}

int term_signal(void)
{
	return t.end_signal;
}

void term_die(void)
{
	if (t.end_signal)
		raise(t.end_signal);
}

/* ------------------------------------------------------------------------------------------------ taken and given back */

bool term_able(void)
{
	const char *kind = getenv("TERM");

	return isatty(STDOUT_FILENO) && kind && *kind && strcmp(kind, "dumb") != 0;
}

static bool foreground(void)
{
	return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static void enter(void)
{
	struct termios raw;

	/* who is not in the foreground would be stopped for touching the terminal's settings, and gets no keys */
	if (!t.known && foreground())
		t.known = !tcgetattr(STDIN_FILENO, &t.saved);
	t.keys = t.known && foreground();
	raw = t.saved;
	/* keys one by one and unseen; signals stay: Ctrl-C and Ctrl-Z work */
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (t.keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	say(ENTER);
	flush_out();
	grid_free(t.shown);
	t.shown = NULL;
}

static void leave(void)
{
	t.out_len = 0;
	say(LEAVE);
	flush_out();
	if (t.keys && foreground())
		tcsetattr(STDIN_FILENO, TCSADRAIN, &t.saved);
}

bool term_open(void)
{
	const char *no_color = getenv("NO_COLOR");
	static bool at_exit;

	if (pipe2(t.pipe, O_CLOEXEC | O_NONBLOCK))
		return false;
	setlocale(LC_CTYPE, "");
	t.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	t.colour = !no_color || !*no_color;
	t.end_signal = 0;
	t.in_at = t.in_len = 0;
	t.ended = false;
	fflush(stdout);
	signals(true);
	t.open = true;
	if (!at_exit)
		atexit(term_close);
	at_exit = true;
	enter();
	return true;
}

void term_close(void)
{
	if (!t.open)
		return;
	t.open = false;
	leave();
	signals(false);
	close(t.pipe[0]);
	close(t.pipe[1]);
	grid_free(t.shown);
	t.shown = NULL;
}

/* Stops as the shell expects it, and comes back when it is told to. */
static void stop(void)
{
	leave();
	sigaction(SIGTSTP, &before[SIGTSTP], NULL);
	raise(SIGTSTP);
	sigaction(SIGTSTP, &(struct sigaction){ .sa_handler = on_signal }, NULL);
	enter();
}

/* ------------------------------------------------------------------------------------------------ drawing */

struct grid *term_grid(void)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) || !w.ws_col || !w.ws_row)
		w = (struct winsize){ .ws_col = 80, .ws_row = 24 };
	return grid_new(w.ws_col, w.ws_row);
}

bool term_utf8(void)
{
	return t.utf8;
}

static void say_style(uint8_t style)
{
	static const char *const colour[_GRID_STYLES] = { "\033[m",    "\033[;1m",    "\033[;2m", "\033[;32m",
							  "\033[;33m", "\033[;1;31m", "\033[;7m" };
	static const char *const mono[_GRID_STYLES] = { "\033[m", "\033[;1m", "\033[m",	 "\033[m",
							"\033[m", "\033[;1m", "\033[;7m" };

	say(t.colour ? colour[style] : mono[style]);
}

static bool same(const struct grid_cell *a, const struct grid_cell *b)
{
	return a->ch == b->ch && a->style == b->style;
}

/* Only what is not there yet.  The last cell of the screen is left alone: some terminals would scroll. */
void term_draw(const struct grid *g)
{
	bool anew = !t.shown || t.shown->cols != g->cols || t.shown->rows != g->rows;
	size_t all = (size_t)g->cols * g->rows, at = SIZE_MAX; /* where the cursor is */
	char esc[ESC_MAX], buf[2];
	int style = -1;

	if (anew) {
		grid_free(t.shown);
		t.shown = grid_new(g->cols, g->rows);
		if (!t.shown)
			return;
		say("\033[m\033[2J");
	}
	for (size_t i = 0; i + 1 < all; i++) {
		if (same(&g->cell[i], &t.shown->cell[i]))
			continue;
		if (at != i || i % g->cols == 0) {
			snprintf(esc, sizeof(esc), "\033[%zu;%zuH", i / g->cols + 1, i % g->cols + 1);
			say(esc);
		}
		if (style != g->cell[i].style)
			say_style(g->cell[i].style);
		style = g->cell[i].style;
		say(grid_glyph(buf, g->cell[i].ch, t.utf8));
		t.shown->cell[i] = g->cell[i];
		at = i + 1;
	}
	if (style > GRID_PLAIN)
		say("\033[m");
	flush_out();
}

/* ------------------------------------------------------------------------------------------------ input */

void term_fds(int fd[TERM_FDS])
{
	fd[0] = t.pipe[0];
	fd[1] = t.keys ? STDIN_FILENO : -1;
}

static struct term_event take_signal(void)
{
	unsigned char c;

	if (read(t.pipe[0], &c, 1) != 1)
		return (struct term_event){ TERM_NOTHING, 0 };
	switch (c) {
	case SIGTSTP:
		stop();
		return (struct term_event){ TERM_RESIZE, 0 };
	case SIGCONT: /* stopped without asking us: the screen is the shell's since */
		enter();
		return (struct term_event){ TERM_RESIZE, 0 };
	case SIGWINCH:
		return (struct term_event){ TERM_RESIZE, 0 };
	default:
		t.end_signal = c;
		t.ended = true;
		return (struct term_event){ TERM_END, 0 };
	}
}

/* The next key of what has been read; sequences (arrows, function keys) are none of ours and are left out. */
static bool next_key(int *key)
{
	while (t.in_at < t.in_len) {
		unsigned char c = t.in[t.in_at++];

		if (c == 27 && t.in_at < t.in_len && (t.in[t.in_at] == '[' || t.in[t.in_at] == 'O')) {
			t.in_at++;
			while (t.in_at < t.in_len && (t.in[t.in_at] < '@' || t.in[t.in_at] > '~'))
				t.in_at++;
			t.in_at += t.in_at < t.in_len;
			continue;
		}
		*key = c;
		return true;
	}
	return false;
}

static struct term_event take_key(void)
{
	struct term_event e = { TERM_KEY, 0 };
	ssize_t n = read(STDIN_FILENO, t.in, sizeof(t.in));

	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
		t.ended = true;
		return (struct term_event){ TERM_END, 0 };
	}
	t.in_at = 0;
	t.in_len = n > 0 ? (size_t)n : 0;
	if (!next_key(&e.key))
		e.kind = TERM_NOTHING;
	return e;
}

struct term_event term_wait(int wait_ms)
{
	int fd[TERM_FDS];
	struct pollfd p[TERM_FDS];
	int k;

	if (t.ended)
		return (struct term_event){ TERM_END, 0 };
	if (next_key(&k))
		return (struct term_event){ TERM_KEY, k };
	term_fds(fd);
	for (int i = 0; i < TERM_FDS; i++)
		p[i] = (struct pollfd){ .fd = fd[i], .events = POLLIN };
	if (poll(p, TERM_FDS, wait_ms) <= 0 && !(p[0].revents & POLLIN)) {
		/* a signal has interrupted it: its number is in the pipe by now */
		p[0].revents = 0;
		if (poll(p, 1, 0) <= 0)
			return (struct term_event){ t.ended ? TERM_END : TERM_NOTHING, 0 };
	}
	if (p[0].revents)
		return take_signal();
	return p[1].revents ? take_key() : (struct term_event){ TERM_NOTHING, 0 };
}
