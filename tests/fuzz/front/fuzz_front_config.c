/* fuzz_front_config.c - values and wrong lines of otagw.cfg.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The first octet chooses a setting, the rest is its line.  What a setter takes its getter writes, and that is taken again
 * with the same result; every line gets an explanation.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "config_int.h"

#define LINE_MAX_OCTETS 600

static int words(char *line, const char *argv[CONFIG_ARGS_MAX])
{
	int argc = 0;

	for (char *save, *w = strtok_r(line, " ", &save); w && argc < CONFIG_ARGS_MAX; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	return argc;
}

static int variables(const char *syntax)
{
	int n = 0;

	for (const char *p = strchr(syntax, ' '); p; p = strchr(p + 1, ' '))
		n += p[1] < 'a' || p[1] > 'z';
	return n;
}

static void set_and_get(const struct config_setting *s, char *line)
{
	static struct otagw_config a, b;
	const char *argv[CONFIG_ARGS_MAX] = { "", "", "", "" };
	char err[CONFIG_ERR_MAX] = "", value[CONFIG_VALUE_MAX];
	int want = variables(s->syntax), argc = words(line, argv);

	config_default(&a);
	config_default(&b);
	FUZZ_HOLDS(!config_link_open(&a, "l", err, sizeof(err)));
	FUZZ_HOLDS(!config_link_open(&b, "l", err, sizeof(err)));
	if (argc != want)
		return;
	*err = 0;
	if (s->set(s, &a, argv, argc, err, sizeof(err))) {
		FUZZ_HOLDS(*err);
		return;
	}
	/* those that write in two forms are written in the form of the other */
	if (!s->get(s, &a, value, sizeof(value)) || strstr(value, " ton ") || !strncmp(value, "remote ", 7))
		return;
	argc = words(value, argv);
	FUZZ_HOLDS(argc == want || want == 3);
	if (argc == want) {
		FUZZ_HOLDS(!s->set(s, &b, argv, argc, err, sizeof(err)));
		FUZZ_HOLDS(!memcmp(&a, &b, sizeof(a)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char line[LINE_MAX_OCTETS], why[CONFIG_ERR_MAX];
	const struct config_setting *s;
	uint64_t ms;

	if (size < 2 || size > sizeof(line))
		return 0;
	s = &config_setting[data[0] % config_settings];
	memcpy(line, data + 1, size - 1);
	line[size - 1] = 0;
	if (strstr(s->syntax, "password-file") || strstr(line, "password-file"))
		return 0; /* opens files */
	for (int node = CONF_TOP; node < _CONF_NODES; node++) {
		*why = 0;
		config_explain((enum config_node)node, line, why, sizeof(why));
		FUZZ_HOLDS(*why);
	}
	if (!config_duration(line, &ms, why, sizeof(why))) {
		char text[40];
		uint64_t again;

		config_duration_text(ms, text, sizeof(text));
		FUZZ_HOLDS(!config_duration(text, &again, why, sizeof(why)) && again == ms);
	}
	set_and_get(s, line);
	return 0;
}
