/* grid.c - see grid.h.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "grid.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 1024

struct grid *grid_new(unsigned cols, unsigned rows)
{
	struct grid *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->cols = cols > GRID_COLS_MAX ? GRID_COLS_MAX : cols ? cols : 1;
	g->rows = rows > GRID_ROWS_MAX ? GRID_ROWS_MAX : rows ? rows : 1;
	g->cell = malloc((size_t)g->cols * g->rows * sizeof(*g->cell));
	if (!g->cell) {
		free(g);
		return NULL;
	}
	grid_clear(g);
	return g;
}

void grid_free(struct grid *g)
{
	if (!g)
		return;
	free(g->cell);
	free(g);
}

void grid_clear(struct grid *g)
{
	for (size_t i = 0; i < (size_t)g->cols * g->rows; i++)
		g->cell[i] = (struct grid_cell){ ' ', GRID_PLAIN };
}

unsigned grid_put(struct grid *g, unsigned row, unsigned col, enum grid_style style, const char *text)
{
	for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
		char ch = (char)*s;

		if ((*s & 0xc0) == 0x80)
			continue; /* the rest of a code point */
		if (*s >= 0x7f || (*s < ' ' && *s >= _GLYPHS))
			ch = '?';
		if (row < g->rows && col < g->cols)
			g->cell[(size_t)row * g->cols + col] = (struct grid_cell){ ch, (uint8_t)style };
		col++;
	}
	return col;
}

void grid_fill(struct grid *g, unsigned row, unsigned col, unsigned n, char ch, enum grid_style style)
{
	for (; n && row < g->rows && col < g->cols; n--, col++)
		g->cell[(size_t)row * g->cols + col] = (struct grid_cell){ ch, (uint8_t)style };
}

void grid_copy_row(struct grid *to, unsigned row, unsigned col, const struct grid *from, unsigned from_row)
{
	for (unsigned i = 0; i < from->cols && row < to->rows && col + i < to->cols; i++)
		to->cell[(size_t)row * to->cols + col + i] = from->cell[(size_t)from_row * from->cols + i];
}

const char *grid_glyph(char *buf, char ch, bool utf8)
{
	static const struct {
		const char *utf8, *ascii;
	} glyphs[_GLYPHS] = {
		{ " ", " " },		 /* none */
		{ "\xe2\x96\x88", "#" }, /* full block */
		{ "\xe2\x96\x91", "." }, /* light shade */
		{ "\xe2\x97\x8f", "*" }, /* black circle */
		{ "\xe2\x97\x8b", "!" }, /* white circle */
		{ "\xe2\x94\x80", "-" }, /* box drawings, horizontal */
	};

	if ((unsigned char)ch < _GLYPHS)
		return utf8 ? glyphs[(unsigned char)ch].utf8 : glyphs[(unsigned char)ch].ascii;
	buf[0] = ch;
	buf[1] = '\0';
	return buf;
}

unsigned grid_used(const struct grid *g, unsigned row)
{
	unsigned n = g->cols;

	while (n && g->cell[(size_t)row * g->cols + n - 1].ch == ' ' &&
	       g->cell[(size_t)row * g->cols + n - 1].style != GRID_TITLE)
		n--;
	return n;
}

/* --------------------------------------------------------------------------------------------------- panes */

bool pane_open(struct pane *p, unsigned cols)
{
	p->g = grid_new(cols, GRID_ROWS_MAX);
	p->n = 0;
	return p->g;
}

void pane_close(struct pane *p)
{
	grid_free(p->g);
	p->g = NULL;
}

void pane_line(struct pane *p, uint8_t weight)
{
	if (p->n < GRID_ROWS_MAX)
		p->weight[p->n++] = weight;
}

unsigned pane_put(struct pane *p, unsigned col, enum grid_style style, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return p->n ? grid_put(p->g, p->n - 1, col, style, text) : col;
}

void pane_wrap(struct pane *p, unsigned col, enum grid_style style, uint8_t weight, const char *fmt, ...)
{
	unsigned width = p->g->cols > col ? p->g->cols - col : 1;
	char text[TEXT_MAX];
	const char *s = text;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (bool first = true; *s; first = false) {
		size_t n = strlen(s), fits = n;

		if (n > width) {
			for (fits = width; fits && s[fits] != ' '; fits--)
				;
			if (!fits)
				fits = width; /* one long word */
		}
		if (!first)
			pane_line(p, weight);
		pane_put(p, col, style, "%.*s", (int)fits, s);
		s += fits;
		s += strspn(s, " ");
	}
}

/* The lightest line, and of equals the last one. */
static unsigned lightest(const struct pane *p, const bool *gone)
{
	unsigned best = 0;
	int weight = -1;

	for (unsigned i = 0; i < p->n; i++)
		if (!gone[i] && p->weight[i] >= weight) {
			best = i;
			weight = p->weight[i];
		}
	return best;
}

void pane_show(const struct pane *p, struct grid *g, unsigned row, unsigned col, unsigned rows)
{
	bool gone[GRID_ROWS_MAX] = { false };

	for (unsigned left = p->n; left > rows; left--)
		gone[lightest(p, gone)] = true;
	for (unsigned i = 0; i < p->n; i++)
		if (!gone[i])
			grid_copy_row(g, row++, col, p->g, i);
}
