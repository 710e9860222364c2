/* hlr_ctrl.c - the CTRL protocol of Osmocom: frames, requests, replies.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "hlr_ctrl.h"

int ctrl_frame(const uint8_t *buf, size_t len)
{
	size_t n;

	if (len < CTRL_HEAD)
		return 0;
	n = (size_t)buf[0] << 8 | buf[1];
	if (buf[2] != CTRL_PROTO || !n || n > CTRL_FRAME_MAX)
		return -1;
	if (len > CTRL_HEAD && buf[CTRL_HEAD] != CTRL_EXT)
		return -1;
	return len < CTRL_HEAD + n ? 0 : (int)(CTRL_HEAD + n);
}

size_t ctrl_put(uint8_t *buf, size_t cap, const char *text)
{
	size_t n = strlen(text) + 1;

	if (n > CTRL_FRAME_MAX || cap < CTRL_HEAD + n)
		return 0;
	buf[0] = (uint8_t)(n >> 8);
	buf[1] = (uint8_t)n;
	buf[2] = CTRL_PROTO;
	buf[3] = CTRL_EXT;
	memcpy(buf + 4, text, n - 1);
	return CTRL_HEAD + n;
}

bool ctrl_reply_parse(struct ctrl_reply *out, char *text)
{
	static const struct {
		const char *word;
		enum ctrl_kind kind;
	} words[] = { { "GET_REPLY ", CTRL_GET_REPLY },
		      { "SET_REPLY ", CTRL_SET_REPLY },
		      { "ERROR ", CTRL_ERROR },
		      { "TRAP ", CTRL_TRAP } };
	char *end;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i].word);
		unsigned long id;

		if (strncmp(text, words[i].word, n))
			continue;
		if (words[i].kind == CTRL_ERROR && !strncmp(text + n, "err ", 4)) { /* the peer could not read the id */
			*out = (struct ctrl_reply){ .kind = CTRL_ERROR, .rest = text + n + 4 };
			return true;
		}
		if (text[n] < '0' || text[n] > '9')
			return false;
		id = strtoul(text + n, &end, 10);
		if (id > UINT32_MAX || (*end && *end != ' '))
			return false;
		*out = (struct ctrl_reply){ .kind = words[i].kind, .id = (uint32_t)id, .rest = *end ? end + 1 : end };
		return true;
	}
	return false;
}

bool ctrl_info(const char *rest, const char *name, char *out, size_t cap)
{
	size_t n = strlen(name);

	for (const char *line = rest; line; line = strchr(line, '\n')) {
		const char *end;

		if (*line == '\n')
			line++;
		if (strncmp(line, name, n) || line[n] != '\t')
			continue;
		line += n + 1;
		end = line + strcspn(line, "\r\n");
		if ((size_t)(end - line) >= cap)
			return false;
		memcpy(out, line, (size_t)(end - line));
		out[end - line] = '\0';
		return true;
	}
	return false;
}
