/* config_route.c - the nodes "route NAME": for which cards, by which links.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Everything that can be told at its line is: a link that does not stand above, a card that another route has taken already.
 */
#include "config_int.h"

#include <stdio.h>
#include <string.h>

#include "ota/nearest.h"
#include "words.h"

_Static_assert(CONFIG_LINKS_MAX == ROUTE_LINKS_MAX, "a route may name all links");

/* The route whose node is open while the file is read. */
static unsigned route_now;

struct route *config_route_now(const struct otagw_config *c)
{
	return (struct route *)&c->route[route_now];
}

void config_route_at(unsigned i)
{
	route_now = i;
}

int config_route_open(struct otagw_config *c, const char *name, char *err, size_t cap)
{
	if (!name_ok(name, LINK_NAME_MAX)) {
		snprintf(err, cap, "\"%.40s\": a route's name has letters, digits, '.', '_' and '-', at most %d", name,
			 LINK_NAME_MAX - 1);
		return -1;
	}
	for (route_now = 0; route_now < c->n_routes; route_now++)
		if (!strcmp(c->route[route_now].name, name))
			return 0;
	if (c->n_routes == ROUTES_MAX) {
		route_now = 0;
		snprintf(err, cap, "there may be %d routes; one may have many lines \"match\"", ROUTES_MAX);
		return -1;
	}
	memcpy(c->route[c->n_routes++].name, name, strlen(name) + 1);
	return 0;
}

int config_set_match(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		     char *err, size_t cap)
{
	struct route *r = config_route_now(c);
	const char *words[_ROUTE_BYS], *near;
	char why[ROUTE_ERR_MAX];
	uint8_t by = 0;

	for (uint8_t i = 0; i < _ROUTE_BYS; i++) {
		words[i] = route_by_name(i);
		by += by == i && strcmp(argv[0], words[i]);
	}
	near = by == _ROUTE_BYS ? nearest_word(argv[0], words, _ROUTE_BYS) : NULL;
	if (near) {
		snprintf(err, cap, "unknown word \"%.40s\"; did you mean \"%s\"?", argv[0], near);
		return -1;
	}
	if (argc > 2 || (argc < 2 && by != ROUTE_ALL && by < _ROUTE_BYS)) {
		snprintf(err, cap,
			 argc > 2 ? "unexpected \"%.40s\" at the end: one value for each line \"match\"" :
				    "match %.40s: there is no value behind it",
			 argv[argc > 2 ? 2 : 0]);
		return -1;
	}
	if (!route_match_add(r, argv[0], argc > 1 ? argv[1] : "", c->route, (unsigned)(r - c->route), why))
		return 0;
	snprintf(err, cap, "%s", why);
	return -1;
}

bool config_match_line(const struct otagw_config *c, unsigned i, char *out, size_t cap)
{
	const struct route *r = config_route_now(c);

	if (i >= r->n_matches)
		return false;
	snprintf(out, cap, "%s%s%s", route_by_name(r->match[i].by), *r->match[i].value ? " " : "", r->match[i].value);
	return true;
}

static int link_of(const struct otagw_config *c, const char *name, char *err, size_t cap)
{
	const char *list[CONFIG_LINKS_MAX], *near;

	for (unsigned i = 0; i < c->n_links; i++) {
		list[i] = c->link[i].name;
		if (!strcmp(list[i], name))
			return (int)i;
	}
	near = nearest_word(name, list, c->n_links);
	if (near)
		snprintf(err, cap, "there is no smsc-link \"%.40s\"; did you mean \"%s\"?", name, near);
	else
		snprintf(err, cap, "there is no smsc-link \"%.40s\" above; routes come after the links that they name",
			 name);
	return -1;
}

static int via_add(const struct otagw_config *c, struct route *r, const char *name, size_t len, unsigned rank,
		   char *err, size_t cap)
{
	char word[LINK_NAME_MAX + 8];
	int link;

	snprintf(word, sizeof(word), "%.*s", (int)(len < sizeof(word) ? len : sizeof(word) - 1), name);
	link = link_of(c, word, err, cap);
	if (link < 0)
		return -1;
	for (unsigned i = 0; i < r->n_links; i++) {
		if (r->via[i].link == link) {
			snprintf(err, cap, "smsc-link %s stands twice in this line", word);
			return -1;
		}
	}
	r->via[r->n_links].link = (uint8_t)link; /* each once, so there is room */
	r->via[r->n_links++].rank = (uint8_t)rank;
	return 0;
}

/* "a b", "a+b c", and with commas as people write them. */
int config_set_via(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc, char *err,
		   size_t cap)
{
	struct route *r = config_route_now(c), fresh = *r;
	unsigned rank = 0;
	bool shared = false, lone = false; /* a + stands open; one without a link beside it */

	fresh.n_links = 0;
	for (int i = 0; i < argc; i++) {
		for (const char *p = argv[i]; *p;) {
			size_t len = strcspn(p, ",+");

			if (len && via_add(c, &fresh, p, len, shared || !fresh.n_links ? rank : ++rank, err, cap))
				return -1;
			shared = shared && !len;
			p += len;
			if (!*p)
				break;
			lone |= shared || (*p == '+' && !fresh.n_links);
			shared = *p++ == '+';
		}
	}
	if (!fresh.n_links || shared || lone) {
		snprintf(err, cap,
			 "a link is missing %s; the line is: via LINK LINK+LINK ..., + between two that share",
			 shared || lone ? "beside the +" : "behind via");
		return -1;
	}
	*r = fresh;
	return 0;
}

bool config_get_via(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	const struct route *r = config_route_now(c);
	size_t len = 0;

	*out = 0;
	for (unsigned i = 0; i < r->n_links && len < cap; i++)
		len += (size_t)snprintf(out + len, cap - len, "%s%s",
					!i				     ? "" :
					r->via[i].rank == r->via[i - 1].rank ? "+" :
									       " ",
					c->link[r->via[i].link].name);
	return r->n_links;
}

int config_routes_check(struct otagw_config *c, char *why, size_t cap)
{
	unsigned windows = 0;

	for (unsigned i = 0; i < c->n_routes; i++) {
		const struct route *r = &c->route[i];

		if (!r->n_matches || !r->n_links) {
			snprintf(why, cap, "route %s: there is no \"%s\": add it", r->name,
				 r->n_links ? "match imsi-prefix|msisdn-prefix|profile|all" : "via LINK ...");
			return -1;
		}
	}
	if (c->n_routes && !route_takes_all(&c->route[c->n_routes - 1])) {
		snprintf(why, cap,
			 "there are routes, but none for cards that match no other: add \"route rest\" with \"match "
			 "all\" "
			 "behind route %s",
			 c->route[c->n_routes - 1].name);
		return -1;
	}
	/* One link that answers nothing must not take the places that are kept for the answers of others.  Places are of short
	 * messages; where a submit is a whole packet its window is of packets.  What is not used takes no memory. */
	for (unsigned i = 0; i < c->n_links; i++) {
		unsigned each = c->link[i].concat == CONFIG_CONCAT_PAYLOAD_UDH ? OTA_SEGMENTS_MAX : 1;

		windows += c->link[i].window * each + OTA_SEGMENTS_MAX;
	}
	if (c->gw.limits.outcomes_max < windows)
		c->gw.limits.outcomes_max = windows;
	c->gw.n_routes = c->n_routes;
	return 0;
}
