/* config_exchange.c - the nodes of the hand-over between operators: exchange, partner NAME, pool, hlr.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Party files are read when the gateway is built (main.c), as keys are: here they are names of files.
 */
#include "config_int.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ota/nearest.h"

#define ARRAY_SIZE(a)	 (sizeof(a) / sizeof((a)[0]))
#define BRIDGE_ZEROS_MIN 4 /* so many cards may be bridged at least */

static unsigned partner_now;

struct config_partner *config_partner_now(const struct otagw_config *c)
{
	return (struct config_partner *)&c->partner[partner_now];
}

void config_partner_at(unsigned i)
{
	partner_now = i;
}

/* As package.h has a party's name. */
static bool party_name_ok(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.");

	return n && n <= PKG_NAME_MAX && !name[n] && isalnum((unsigned char)name[0]);
}

int config_partner_open(struct otagw_config *c, const char *name, char *err, size_t cap)
{
	if (!party_name_ok(name)) {
		snprintf(err, cap, "\"%.40s\": a partner's name is that in its party file: a-z 0-9 - . and at most %d",
			 name, PKG_NAME_MAX);
		return -1;
	}
	for (partner_now = 0; partner_now < c->desk.n_partners; partner_now++)
		if (!strcmp(c->partner[partner_now].name, name))
			return 0;
	if (c->desk.n_partners == DESK_PARTNERS_MAX) {
		partner_now = 0;
		snprintf(err, cap, "there may be %d partners", DESK_PARTNERS_MAX);
		return -1;
	}
	memcpy(c->partner[c->desk.n_partners++].name, name, strlen(name) + 1);
	return 0;
}

/* ---- words that are ored ---- */

int config_set_role(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		    char *err, size_t cap)
{
	int v = config_choice(s->syntax, argv[0], err, cap);

	if (v < 0)
		return -1;
	c->desk.roles |= 1u << v; /* DESK_MNO, DESK_VAULT, DESK_AGENT, DESK_VIEWER */
	return 0;
}

bool config_role_line(const struct otagw_config *c, unsigned i, char *out, size_t cap)
{
	static const char *const words[] = { "mno", "vault", "agent", "viewer" };

	for (unsigned k = 0; k < ARRAY_SIZE(words); k++) {
		if (!(c->desk.roles & 1u << k) || i--)
			continue;
		snprintf(out, cap, "role %s", words[k]);
		return true;
	}
	return false;
}

static const struct {
	const char *word;
	unsigned role;
} may_be[] = { { "a", XCHG_A }, { "b", XCHG_B }, { "vault", XCHG_M }, { "subscriber", XCHG_S } };

int config_set_may_be(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		      char *err, size_t cap)
{
	int v = config_choice(s->syntax, argv[0], err, cap);

	if (v < 0)
		return -1;
	c->desk.partner[partner_now].roles |= may_be[v].role;
	return 0;
}

bool config_partner_line(const struct otagw_config *c, unsigned i, char *out, size_t cap)
{
	const struct desk_partner *p = &c->desk.partner[partner_now];

	for (unsigned k = 0; k < ARRAY_SIZE(may_be); k++) {
		if (!(p->roles & may_be[k].role) || i--)
			continue;
		snprintf(out, cap, "may-be %s", may_be[k].word);
		return true;
	}
	if (i >= p->networks)
		return false;
	snprintf(out, cap, "network %s", p->network[i]);
	return true;
}

/* ---- where somebody listens ---- */

/* "HOST:PORT"; port 0 only where a free one may be chosen. */
static int endpoint(const char *text, char *host, size_t host_cap, uint16_t *port, char *err, size_t cap)
{
	const char *colon = strrchr(text, ':');
	char *end = NULL;
	unsigned long v = colon ? strtoul(colon + 1, &end, 10) : 0;

	if (!colon || colon == text || (size_t)(colon - text) >= host_cap || !isdigit((unsigned char)colon[1]) ||
	    *end || v < 1 || v > 65535) {
		snprintf(err, cap, "\"%.80s\" must be HOST:PORT, with a port from 1 to 65535", text);
		return -1;
	}
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	*port = (uint16_t)v;
	return 0;
}

int config_set_listen(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		      char *err, size_t cap)
{
	return endpoint(argv[0], c->listen_host, sizeof(c->listen_host), &c->listen_port, err, cap);
}

bool config_get_listen(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	snprintf(out, cap, "%s:%u", c->listen_host, c->listen_port);
	return c->listen_port;
}

int config_set_url(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc, char *err,
		   size_t cap)
{
	struct config_partner *p = config_partner_now(c);
	const char *at = argv[0];
	char bare[sizeof(p->host) + 8];
	size_t n;

	if (strncmp(at, "https://", 8)) {
		snprintf(err, cap, "\"%.80s\" must be https://HOST:PORT; packages go over mutual TLS alone", at);
		return -1;
	}
	at += 8;
	n = strcspn(at, "/");
	if ((at[n] && at[n + 1]) || n >= sizeof(bare)) {
		snprintf(err, cap, "\"%.80s\" must be https://HOST:PORT, without a path", argv[0]);
		return -1;
	}
	memcpy(bare, at, n);
	bare[n] = '\0';
	return endpoint(bare, p->host, sizeof(p->host), &p->port, err, cap);
}

bool config_get_url(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	const struct config_partner *p = config_partner_now(c);

	snprintf(out, cap, "https://%s:%u", p->host, p->port);
	return p->port;
}

int config_set_osmo(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		    char *err, size_t cap)
{
	return endpoint(argv[0], c->hlr_host, sizeof(c->hlr_host), &c->hlr_port, err, cap);
}

bool config_get_osmo(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	snprintf(out, cap, "%s:%u", c->hlr_host, c->hlr_port);
	return c->hlr_port;
}

/* ---- networks, numbers, files ---- */

static bool digits_ok(const char *text, size_t min, size_t max)
{
	size_t n = strspn(text, "0123456789");

	return n >= min && n <= max && !text[n];
}

static int plmn(const char *text, char *err, size_t cap)
{
	if (digits_ok(text, 5, 6))
		return 0;
	snprintf(err, cap, "\"%.40s\" must be MCC and MNC together, 5 or 6 digits: 00101", text);
	return -1;
}

int config_set_network(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		       char *err, size_t cap)
{
	struct desk_partner *p = &c->desk.partner[partner_now];

	for (int i = 0; i < argc; i++) {
		if (plmn(argv[i], err, cap))
			return -1;
		if (p->networks == DESK_NETWORKS_MAX) {
			snprintf(err, cap, "a partner may have %d networks", DESK_NETWORKS_MAX);
			return -1;
		}
		memcpy(p->network[p->networks++], argv[i], strlen(argv[i]) + 1);
	}
	return 0;
}

int config_set_plmns(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		     char *err, size_t cap)
{
	char all[sizeof(c->desk.pool.plmns)] = "";
	size_t n = 0;

	for (int i = 0; i < argc; i++) {
		if (plmn(argv[i], err, cap))
			return -1;
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", n ? ";" : "", argv[i]);
		if (n >= sizeof(all)) {
			snprintf(err, cap, "more networks than an IL takes (16)");
			return -1;
		}
	}
	memcpy(c->desk.pool.plmns, all, n + 1);
	return 0;
}

bool config_get_plmns(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	snprintf(out, cap, "%s", c->desk.pool.plmns);
	for (char *p = out; *p; p++)
		*p = *p == ';' ? ' ' : *p;
	return *out;
}

int config_set_imsi_range(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
			  char *err, size_t cap)
{
	struct desk_pool *p = &c->desk.pool;

	for (int i = 0; i < 2; i++) {
		if (!digits_ok(argv[i], 14, IMSI_DIGITS_MAX)) {
			snprintf(err, cap, "\"%.40s\" must be an IMSI of 14 or 15 digits", argv[i]);
			return -1;
		}
	}
	if (strlen(argv[0]) != strlen(argv[1]) || strcmp(argv[0], argv[1]) > 0) {
		snprintf(err, cap, "%s to %s is no range: both as long, and the first not behind the last", argv[0],
			 argv[1]);
		return -1;
	}
	memcpy(p->imsi_from, argv[0], strlen(argv[0]) + 1);
	memcpy(p->imsi_to, argv[1], strlen(argv[1]) + 1);
	return 0;
}

bool config_get_imsi_range(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	snprintf(out, cap, "%s %s", c->desk.pool.imsi_from, c->desk.pool.imsi_to);
	return *c->desk.pool.imsi_from;
}

int config_set_msisdn_from(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
			   char *err, size_t cap)
{
	const char *d = argv[0] + (argv[0][0] == '+');

	if (!digits_ok(d, 5, MSISDN_DIGITS_MAX)) {
		snprintf(err, cap, "\"%.40s\" must be a number of 5 to %d digits", argv[0], MSISDN_DIGITS_MAX);
		return -1;
	}
	memcpy(c->desk.pool.msisdn_from, d, strlen(d) + 1);
	return 0;
}

int config_set_msisdn_bridge(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
			     char *err, size_t cap)
{
	const char *d = argv[0] + (argv[0][0] == '+');
	const size_t n = strlen(d);

	if (!digits_ok(d, 5 + BRIDGE_ZEROS_MIN, MSISDN_DIGITS_MAX) ||
	    strspn(d + n - BRIDGE_ZEROS_MIN, "0") < BRIDGE_ZEROS_MIN) {
		snprintf(err, cap, "\"%.40s\" must be a number of %d to %d digits, the last %d or more of them 0",
			 argv[0], 5 + BRIDGE_ZEROS_MIN, MSISDN_DIGITS_MAX, BRIDGE_ZEROS_MIN);
		return -1;
	}
	memcpy(c->desk.pool.msisdn_bridge, d, n + 1);
	return 0;
}

/* One file of the set that comes with a new IMSI; as the schema of an IL writes it. */
int config_set_file(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		    char *err, size_t cap)
{
	struct desk_pool *p = &c->desk.pool;
	char text[256];
	size_t n = strlen(argv[0]), fids = strcspn(argv[0], ":"), used = strlen(p->files);

	if (n >= sizeof(text) || (fids != 4 && !(fids == 9 && argv[0][4] == '/')) || argv[0][fids] != ':') {
		snprintf(err, cap, "\"%.80s\" must be FID:hex or DF/FID:hex, as 6f42:ffff", argv[0]);
		return -1;
	}
	for (size_t i = 0; i <= n; i++)
		text[i] = (char)tolower((unsigned char)argv[0][i]);
	for (size_t i = 0; i < n; i++) {
		if (!isxdigit((unsigned char)text[i]) && i != fids && !(fids == 9 && i == 4)) {
			snprintf(err, cap, "\"%.80s\": '%c' is no hexadecimal digit", argv[0], argv[0][i]);
			return -1;
		}
	}
	if ((n - fids - 1) % 2 || n - fids - 1 == 0) {
		snprintf(err, cap, "\"%.80s\": the octets behind the colon are not whole", argv[0]);
		return -1;
	}
	if (used + n + 2 > sizeof(p->files)) {
		snprintf(err, cap, "all files together may have %zu characters", sizeof(p->files) - 1);
		return -1;
	}
	snprintf(p->files + used, sizeof(p->files) - used, "%s%s", used ? ";" : "", text);
	return 0;
}

bool config_file_line(const struct otagw_config *c, unsigned i, char *out, size_t cap)
{
	const char *at = c->desk.pool.files;

	while (i && (at = strchr(at, ';'))) {
		at++;
		i--;
	}
	if (!at || !*at)
		return false;
	snprintf(out, cap, "file %.*s", (int)strcspn(at, ";"), at);
	return true;
}

/* ---- the whole ---- */

static int check_partner(const struct otagw_config *c, unsigned i, char *why, size_t cap)
{
	const struct config_partner *p = &c->partner[i];

	if (!*p->party_file)
		snprintf(why, cap, "partner %s: there is no \"party-file PATH\": add it", p->name);
	else if (!c->desk.partner[i].roles)
		snprintf(why, cap, "partner %s: there is no \"may-be a|b|vault|subscriber\": say what it may be to us",
			 p->name);
	else
		return 0;
	return -1;
}

bool config_exchange_on(const struct otagw_config *c)
{
	return c->desk.roles || *c->exchange_party || *c->exchange_self || *c->desk.dir || c->listen_port;
}

int config_exchange_check(const struct otagw_config *c, char *why, size_t cap)
{
	const struct {
		bool missing;
		const char *what;
	} need[] = {
		{ !c->desk.roles, "role mno|vault|agent|viewer" },
		{ !*c->exchange_party, "party-file PATH (otactl party create makes it)" },
		{ !*c->exchange_self, "self-file PATH (otactl party create makes it)" },
		{ !*c->desk.dir, "package-dir PATH" },
	};

	if (!config_exchange_on(c)) {
		if (!c->desk.n_partners && !*c->desk.pool.imsi_from && !c->hlr_port && !*c->hlr_template)
			return 0;
		snprintf(why, cap, "there is a %s and no node \"exchange\": add it",
			 c->desk.n_partners	 ? "partner" :
			 *c->desk.pool.imsi_from ? "pool" :
						   "hlr");
		return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(need); i++) {
		if (need[i].missing) {
			snprintf(why, cap, "there is no \"%s\": add it under exchange", need[i].what);
			return -1;
		}
	}
	if (*c->sqn_database && !c->hlr_port) {
		snprintf(why, cap, "\"sqn-database\" under hlr goes with \"osmo\": it is OsmoHLR's");
		return -1;
	}
	if (c->hlr_port && *c->hlr_template) {
		snprintf(why, cap, "\"osmo\" and \"template\" under hlr: there is one register, take one away");
		return -1;
	}
	for (unsigned i = 0; i < c->desk.n_partners; i++)
		if (check_partner(c, i, why, cap))
			return -1;
	return 0;
}
