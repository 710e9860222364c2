/* opts.h - the command line of otasim.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTASIM_OPTS_H
#define OTASIM_OPTS_H

#include "air/air.h"
#include "smsc/smsc.h"

#define OPT_PATH_MAX 256

struct opts {
	uint32_t cards;
	uint64_t seed;
	char host[64];
	uint16_t port;
	char port_file[OPT_PATH_MAX], dir[OPT_PATH_MAX], control[OPT_PATH_MAX], password_file[OPT_PATH_MAX];
	char new_imsi_prefix[8];
	bool quiet;
	struct sim_card_profile card;
	struct sim_air_cfg air;
	struct smsc_cfg smsc;
};

enum opts_result { OPTS_RUN, OPTS_EXIT_OK, OPTS_EXIT_USAGE };
/* Says on stderr what is wrong and how it should look. */
enum opts_result opts_parse(struct opts *o, int argc, char **argv);

/* "33%" or "0.5%" to ppm; "2s..10s", "5..50ms", "300ms" to a range.  False: not understood. */
bool opts_share(const char *text, uint32_t *ppm);
bool opts_range(const char *text, struct sim_range *range);

#endif
