/* opts.h - the command line of otasim.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTASIM_OPTS_H
#define OTASIM_OPTS_H

#include "air/air.h"
#include "scenario/scn.h"
#include "smsc/smsc.h"

#define OPT_PATH_MAX 256

struct opts {
	uint32_t cards;
	uint64_t seed;
	char host[64];
	uint16_t port;
	char port_file[OPT_PATH_MAX], dir[OPT_PATH_MAX], control[OPT_PATH_MAX], password_file[OPT_PATH_MAX];
	char scenario[OPT_PATH_MAX], junit[OPT_PATH_MAX];
	char http_host[64]; /* "": no HTTP */
	uint16_t http_port;
	char new_imsi_prefix[8];
	bool quiet, check;
	bool has_cards, has_seed; /* given on the command line: they win over a scenario's */
	struct sim_card_profile card;
	struct sim_air_cfg air;
	struct smsc_cfg smsc;
};

enum opts_result { OPTS_RUN, OPTS_EXIT_OK, OPTS_EXIT_USAGE };
/* Says on stderr what is wrong and how it should look. */
enum opts_result opts_parse(struct opts *o, int argc, char **argv);

/* The same in two steps, with a scenario's lines in between: what it sets is a default that the command line may change. */
void opts_default(struct opts *o);
bool opts_scenario(struct opts *o, const struct scn *s, char err[SCN_ERR_MAX]);
enum opts_result opts_take(struct opts *o, int argc, char **argv);

/* "33%" or "0.5%" to ppm; "2s..10s", "5..50ms", "300ms" to a range.  False: not understood. */
bool opts_share(const char *text, uint32_t *ppm);
bool opts_range(const char *text, struct sim_range *range);

#endif
