/* out.c - tables for people, CSV and JSON for programs.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl.h"

#define CELL_MAX 64 /* octets of a number as text */

/* Characters on the screen: continuation octets of UTF-8 take no place. */
static unsigned text_width(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* What came from files and the network may not drive the terminal. */
static void put_safe(const char *s)
{
	for (; *s; s++)
		putchar((unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s);
}

static void put_cell(const struct ctl_column *col, const char *s, unsigned width, bool last)
{
	unsigned n = text_width(s);
	unsigned pad = width > n ? width - n : 0;

	if (col->right)
		printf("%*s", (int)pad, "");
	put_safe(s);
	if (!last && !col->right)
		printf("%*s", (int)pad, "");
	if (!last)
		fputs("  ", stdout);
}

void ctl_csv_field(FILE *f, const char *text)
{
	if (!strpbrk(text, ",\"\r\n")) {
		fputs(text, f);
		return;
	}
	fputc('"', f);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', f);
		fputc(*text, f);
	}
	fputc('"', f);
}

void ctl_print_json(const json_t *v)
{
	json_dumpf(v, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	putchar('\n');
}

void ctl_list_begin(struct ctl_list *l, enum ctl_format f, const struct ctl_column *col, unsigned cols)
{
	*l = (struct ctl_list){ .format = f, .col = col, .cols = cols };
	for (unsigned i = 0; i < cols; i++)
		l->width[i] = text_width(col[i].title);
	if (f == CTL_JSON)
		putchar('[');
	if (f == CTL_CSV) {
		for (unsigned i = 0; i < cols; i++)
			printf("%s%s", i ? "," : "", col[i].key);
		putchar('\n');
	}
}

static void list_row(struct ctl_list *l, const json_t *row)
{
	char buf[CELL_MAX];

	if (l->format == CTL_JSON) {
		fputs(l->printed ? ",\n " : "\n ", stdout);
		json_dumpf(row, stdout, JSON_COMPACT);
		return;
	}
	for (unsigned i = 0; i < l->cols; i++) {
		const char *s = js_word(buf, sizeof(buf), json_object_get(row, l->col[i].key));

		if (l->format == CTL_TABLE) {
			put_cell(&l->col[i], s, l->width[i], i + 1 == l->cols);
			continue;
		}
		if (i)
			putchar(',');
		ctl_csv_field(stdout, s);
	}
	putchar('\n');
}

/* Widths grow with the pages; the first one sets nearly all of them. */
static void list_widths(struct ctl_list *l, const json_t *rows)
{
	char buf[CELL_MAX];
	size_t k;
	json_t *row;

	json_array_foreach(rows, k, row)
	{
		for (unsigned i = 0; i < l->cols; i++) {
			unsigned n = text_width(js_word(buf, sizeof(buf), json_object_get(row, l->col[i].key)));

			if (n > l->width[i])
				l->width[i] = n;
		}
	}
}

void ctl_list_page(struct ctl_list *l, const json_t *rows)
{
	size_t k;
	json_t *row;

	if (l->format == CTL_TABLE) {
		list_widths(l, rows);
		for (unsigned i = 0; i < l->cols && !l->begun; i++)
			put_cell(&l->col[i], l->col[i].title, l->width[i], i + 1 == l->cols);
		if (!l->begun)
			putchar('\n');
		l->begun = true;
	}
	json_array_foreach(rows, k, row)
	{
		list_row(l, row);
		l->printed++;
	}
}

void ctl_list_end(struct ctl_list *l)
{
	if (l->format == CTL_JSON)
		fputs(l->printed ? "\n]\n" : "]\n", stdout);
}

const char *ctl_duration(char *buf, size_t cap, double seconds)
{
	uint64_t s = seconds > 0 ? (uint64_t)(seconds + 0.5) : 0;

	if (s >= 86400)
		snprintf(buf, cap, "%llu d %02u h", (unsigned long long)(s / 86400), (unsigned)(s % 86400 / 3600));
	else if (s >= 3600)
		snprintf(buf, cap, "%u h %02u min", (unsigned)(s / 3600), (unsigned)(s % 3600 / 60));
	else if (s >= 60)
		snprintf(buf, cap, "%u min %02u s", (unsigned)(s / 60), (unsigned)(s % 60));
	else
		snprintf(buf, cap, "%u s", (unsigned)s);
	return buf;
}

const char *ctl_canary(char buf[CTL_CANARY_MAX], const json_t *canary, uint64_t targets)
{
	const json_t *next = json_object_get(canary, "next_s");
	char time[32];
	int n;

	*buf = '\0';
	if (!json_is_object(canary))
		return buf;
	n = snprintf(buf, CTL_CANARY_MAX, "%llu of %llu: %llu of %llu cards",
		     (unsigned long long)js_count(canary, "group"), (unsigned long long)js_count(canary, "groups"),
		     (unsigned long long)js_count(canary, "cards"), (unsigned long long)targets);
	if (js_true(canary, "waits") && json_is_number(next))
		snprintf(buf + n, CTL_CANARY_MAX - (size_t)n, ", next in %s",
			 ctl_duration(time, sizeof(time), json_number_value(next)));
	else if (js_true(canary, "waits"))
		snprintf(buf + n, CTL_CANARY_MAX - (size_t)n, ", next when all of them have ended");
	return buf;
}

const char *ctl_bar(char *buf, size_t cap, double part, unsigned width)
{
	unsigned full;

	part = part < 0 ? 0 : part > 1 ? 1 : part;
	if (width + 3 > cap)
		width = (unsigned)cap - 3;
	full = (unsigned)(part * width);
	buf[0] = '[';
	for (unsigned i = 0; i < width; i++)
		buf[1 + i] = i < full ? '#' : i == full ? '>' : '.';
	buf[1 + width] = ']';
	buf[2 + width] = '\0';
	return buf;
}

void ctl_alarm(const char *text)
{
	bool red = isatty(STDOUT_FILENO);

	if (!*text)
		return;
	printf("%sALARM       ", red ? "\033[31m" : "");
	put_safe(text);
	printf("%s\n", red ? "\033[m" : "");
}

unsigned ctl_terminal_rows(int fd)
{
	struct winsize w;

	return ioctl(fd, TIOCGWINSZ, &w) || w.ws_row < 2 ? 24 : w.ws_row;
}

unsigned ctl_terminal(int fd)
{
	struct winsize w;

	if (!isatty(fd))
		return 0;
	if (ioctl(fd, TIOCGWINSZ, &w) || w.ws_col < 20)
		return 80;
	return w.ws_col;
}
