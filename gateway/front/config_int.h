/* config_int.h - the settings as a table: what vty.c registers, config.c understands and both print.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Knows neither libosmovty nor libevent: <osmocom/vty/vty.h> has an enum event that clashes with libevent's struct event.
 */
#ifndef OTAGW_CONFIG_INT_H
#define OTAGW_CONFIG_INT_H

#include "config.h"

#define CONFIG_ARGS_MAX	 4
#define CONFIG_WORDS_MAX 8
#define CONFIG_VALUE_MAX (CONFIG_PATH_MAX + 32)

enum config_node {
	CONF_TOP,
	CONF_OTAGW,
	CONF_KEYSTORE,
	CONF_LINK,
	CONF_ROUTE,
	CONF_RETRY,
	CONF_EXCHANGE,
	CONF_PARTNER,
	CONF_POOL,
	CONF_HLR,
	CONF_CTRL,
	_CONF_NODES
};

struct config_setting;
/* Sets from the words after the keyword.  0, or -1 with a sentence that repeats the offending text. */
typedef int config_set_fn(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
			  char *err, size_t cap);
/* The words after the keyword; false: not set, or the default: nothing to write. */
typedef bool config_get_fn(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap);

struct config_setting {
	enum config_node node;
	const char *syntax; /* as libosmovty reads it; the words in front are the keyword */
	const char *doc;    /* one line for each word of the syntax */
	config_set_fn *set;
	config_get_fn *get;
	/* for the generic setters */
	size_t offset,
		size; /* in struct otagw_config, in config_link or config_partner for CONF_LINK and CONF_PARTNER */
	uint64_t min, max;
};
extern const struct config_setting config_setting[];
extern const size_t config_settings;

/* Setters of config_link.c, and one of config.c that they use. */
config_set_fn config_set_source, config_set_rate, config_set_concat, config_set_source_type, config_set_password,
	config_set_readable, config_set_private;
config_get_fn config_get_rate, config_get_source_type;
/* Which of the words (a|b|c) in the syntax this is; -1 with a sentence. */
int config_choice(const char *syntax, const char *text, char *err, size_t cap);

/* Opens (or makes) the link of this name and makes it the one that CONF_LINK settings go to. */
int config_link_open(struct otagw_config *c, const char *name, char *err, size_t cap);
/* The link that is open. */
struct config_link *config_link_now(const struct otagw_config *c);
void config_link_at(unsigned i);
/* What is missing in it, or does not fit together. */
int config_check_link(const struct config_link *l, char *why, size_t cap);

/* config_route.c: the same of routes. */
int config_route_open(struct otagw_config *c, const char *name, char *err, size_t cap);
struct route *config_route_now(const struct otagw_config *c);
void config_route_at(unsigned i);
config_set_fn config_set_match, config_set_via;
config_get_fn config_get_via;
/* The lines "match" of the route that is open, one by one; false: no more. */
bool config_match_line(const struct otagw_config *c, unsigned i, char *out, size_t cap);
int config_routes_check(struct otagw_config *c, char *why, size_t cap);

/* config_exchange.c */
int config_partner_open(struct otagw_config *c, const char *name, char *err, size_t cap);
struct config_partner *config_partner_now(const struct otagw_config *c);
void config_partner_at(unsigned i);
config_set_fn config_set_role, config_set_may_be, config_set_listen, config_set_url, config_set_osmo,
	config_set_network, config_set_plmns, config_set_imsi_range, config_set_msisdn_from, config_set_msisdn_bridge,
	config_set_file;
config_get_fn config_get_listen, config_get_url, config_get_osmo, config_get_plmns, config_get_imsi_range;
/* Lines of settings that may stand more than once, one by one; false: no more. */
bool config_role_line(const struct otagw_config *c, unsigned i, char *out, size_t cap);
bool config_partner_line(const struct otagw_config *c, unsigned i, char *out, size_t cap);
bool config_file_line(const struct otagw_config *c, unsigned i, char *out, size_t cap);
int config_exchange_check(const struct otagw_config *c, char *why, size_t cap);

/* A setting of the link that is open was given: presets of its flavour leave it alone. */
void config_link_given(const struct config_setting *s, struct otagw_config *c);

/* config_console.c */
config_set_fn config_set_ctrl, config_set_gsmtap;
config_get_fn config_get_ctrl, config_get_gsmtap;
/* 0, or -1 with a sentence: VTY and CTRL have no encryption. */
int config_loopback(const char *node, const char *ip, char *err, size_t cap);

/* Words that begin a line in this node; at most cap. */
size_t config_keywords(enum config_node node, const char **out, size_t cap);
/* What is wrong with a line that no setting of the node takes: "unknown word ...; did you mean ...?", or the syntax the line
 * should have. */
void config_explain(enum config_node node, const char *line, char *why, size_t cap);
/* The first word of a syntax; the words of a line. */
size_t config_keyword(const char *syntax, char *out, size_t cap);
size_t config_words(const char *line, char words[CONFIG_WORDS_MAX][64]);
/* Whether the error table can be read and has the links' flavours; what links do not say themselves their flavours set. */
int config_flavours(struct otagw_config *c, char *why, size_t cap);
/* What is missing and what to add. */
int config_check(struct otagw_config *c, char *why, size_t cap);

/* "500ms", "30s", "5m", "2h", "3d" in milliseconds; -1 with a sentence. */
int config_duration(const char *text, uint64_t *ms, char *why, size_t cap);
/* The shortest such text. */
void config_duration_text(uint64_t ms, char *out, size_t cap);

#endif
