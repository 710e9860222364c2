/* config_flavour.c - the error table of a config, and what the flavours in it set on links.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A preset is a line of smsc-link that stands in the error table: it is understood by the very setters of config.c.
 */
#include "config_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ota/errtab_file.h"
#include "ota/nearest.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct errtab *config_errtab(const struct otagw_config *c, char err[CONFIG_ERR_MAX])
{
	char why[ERRTAB_ERR_MAX];
	struct errtab *t = errtab_new(why);

	if (t && (!*c->error_table || !errtab_read_file(t, c->error_table, why)))
		return t;
	errtab_free(t);
	snprintf(err, CONFIG_ERR_MAX, "%.*s", CONFIG_ERR_MAX - 1, why);
	return NULL;
}

/* Settings that a flavour may bring along; the others are each link's own. */
static const char *const preset_words[] = {
	"esm-mode",
	"data-coding",
	"protocol-id",
	"message-id",
	"payload",
	"source-type",
	"optional-parameters",
	"interface-version",
	"enquire-link",
	"response-timeout",
	"bind",
	"enquire-timeout",
	"concat",
	"receipts",
	"rebind",
};

void config_link_given(const struct config_setting *s, struct otagw_config *c)
{
	config_link_now(c)->given[s - config_setting] = true;
}

/* Sets one preset on the link that is open, unless the file has the setting. */
static int apply_preset(struct otagw_config *c, const char *line, char *why, size_t cap)
{
	char words[CONFIG_WORDS_MAX][64] = { "" }, key[24];
	const char *args[CONFIG_ARGS_MAX] = { "", "", "", "" }, *near;
	size_t n = config_words(line, words), k = 0;

	while (k < ARRAY_SIZE(preset_words) && strcmp(preset_words[k], words[0]))
		k++;
	if (k == ARRAY_SIZE(preset_words)) {
		near = nearest_word(words[0], preset_words, k);
		snprintf(why, cap, "\"%s\" is no setting that a flavour may bring along%s%s%s", words[0],
			 near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
		return -1;
	}
	for (size_t i = 0; i < config_settings; i++) {
		const struct config_setting *s = &config_setting[i];
		char form[CONFIG_WORDS_MAX][64];

		config_keyword(s->syntax, key, sizeof(key));
		if (s->node != CONF_LINK || strcmp(key, words[0]))
			continue;
		if (config_words(s->syntax, form) != n) {
			config_explain(CONF_LINK, line, why, cap);
			return -1;
		}
		for (size_t w = 1; w < n && w <= CONFIG_ARGS_MAX; w++)
			args[w - 1] = words[w];
		return config_link_now(c)->given[i] ? 0 : s->set(s, c, args, (int)n - 1, why, cap);
	}
	return 0;
}

static int apply_flavour(struct otagw_config *c, const struct errtab *t, unsigned flavour, char *why, size_t cap)
{
	const struct errtab_preset *p[ERRTAB_PRESETS_MAX];
	unsigned n = errtab_presets(t, flavour, p, ERRTAB_PRESETS_MAX);
	char say[CONFIG_ERR_MAX / 2];

	for (unsigned i = 0; i < n; i++) {
		if (!apply_preset(c, p[i]->text, say, sizeof(say)))
			continue;
		snprintf(why, cap, "error-table: %.200s:%u: preset: %s", errtab_file_name(t, p[i]->file), p[i]->line,
			 say);
		return -1;
	}
	return 0;
}

/* A preset that is wrong is said also when no link has the flavour yet. */
static int check_presets(const struct errtab *t, char *why, size_t cap)
{
	struct otagw_config *scratch = calloc(1, sizeof(*scratch));
	int rc = scratch ? config_link_open(scratch, "x", why, cap) : -1;

	for (unsigned f = 0; f < errtab_flavours(t) && !rc; f++)
		rc = apply_flavour(scratch, t, f, why, cap);
	free(scratch);
	return rc;
}

/* A table that is wrong, or a flavour that is not in it, is said here and not when the first code comes.  What links do not say
 * themselves their flavours do. */
int config_flavours(struct otagw_config *c, char *why, size_t cap)
{
	char err[CONFIG_ERR_MAX];
	struct errtab *t = config_errtab(c, err);
	int rc, f;

	if (!t) {
		snprintf(why, cap, "error-table: %s", err);
		return -1;
	}
	rc = check_presets(t, why, cap);
	for (unsigned i = 0; i < c->n_links && !rc; i++) {
		struct config_link *l = &c->link[i];

		f = errtab_flavour(t, l->flavour);
		if (f < 0) {
			errtab_flavour_unknown(t, l->flavour, err, sizeof(err));
			snprintf(why, cap, "smsc-link %s: %s", l->name, err);
			rc = -1;
		} else {
			config_link_at(i);
			rc = apply_flavour(c, t, (unsigned)f, why, cap);
		}
		memset(l->given, 0, sizeof(l->given));
	}
	errtab_free(t);
	return rc;
}
