/* grid.h - a screen as cells: what a view draws into, a terminal shows and a test compares.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Every cell is one column wide and holds ASCII or one of our own glyphs, so that a line can never be wider than the screen:
 * what comes from files, the network or a peer is made harmless on its way in.
 */
#ifndef OTACTL_GRID_H
#define OTACTL_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRID_COLS_MAX 500
#define GRID_ROWS_MAX 200

enum grid_style { GRID_PLAIN, GRID_BOLD, GRID_DIM, GRID_GOOD, GRID_WARN, GRID_BAD, GRID_TITLE, _GRID_STYLES };

/* Glyphs stand below ' ' in a cell, and in text given to grid_put(). */
#define GLYPH_FULL  '\001' /* of a bar */
#define GLYPH_EMPTY '\002'
#define GLYPH_UP    '\003'
#define GLYPH_DOWN  '\004'
#define GLYPH_RULE  '\005'
#define _GLYPHS	    6

struct grid_cell {
	char ch; /* ASCII, or a glyph */
	uint8_t style;
};
struct grid {
	unsigned cols, rows;
	struct grid_cell *cell; /* rows * cols */
};

/* Cut to the limits; NULL: out of memory. */
struct grid *grid_new(unsigned cols, unsigned rows);
void grid_free(struct grid *g);
void grid_clear(struct grid *g);
/* What does not fit is cut off; the column after it.  A code point beyond ASCII and what would drive a terminal is '?'. */
unsigned grid_put(struct grid *g, unsigned row, unsigned col, enum grid_style style, const char *text);
void grid_fill(struct grid *g, unsigned row, unsigned col, unsigned n, char ch, enum grid_style style);
/* A line of another grid. */
void grid_copy_row(struct grid *to, unsigned row, unsigned col, const struct grid *from, unsigned from_row);
/* How a cell looks: a glyph as UTF-8 or in ASCII. */
const char *grid_glyph(char *buf, char ch, bool utf8); /* buf: 2 octets */
/* Columns of a line up to its last character that is seen. */
unsigned grid_used(const struct grid *g, unsigned row);

/* ---- lines of unequal weight, of which the lightest go when there is no room ---- */
struct pane {
	struct grid *g; /* as wide as the pane; rows are used from 0 on */
	unsigned n;
	uint8_t weight[GRID_ROWS_MAX]; /* 0 stays longest */
};
bool pane_open(struct pane *p, unsigned cols);
void pane_close(struct pane *p);
/* A new line, empty. */
void pane_line(struct pane *p, uint8_t weight);
/* Into the last line; the column after it. */
unsigned pane_put(struct pane *p, unsigned col, enum grid_style style, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Into the last line and as many more as it takes, broken between words, all of them from `col` on. */
void pane_wrap(struct pane *p, unsigned col, enum grid_style style, uint8_t weight, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* As much as fits into rows [row, row + rows) of g at col. */
void pane_show(const struct pane *p, struct grid *g, unsigned row, unsigned col, unsigned rows);

#endif
