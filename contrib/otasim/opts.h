/* opts.h - the command line of otasim.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTASIM_OPTS_H
#define OTASIM_OPTS_H

#include "air/air.h"
#include "scenario/scn.h"
#include "smsc/smsc.h"

#define OPT_PATH_MAX  256
#define OPT_FAIL_SALT 0x5851f42d4c957f2du /* of the seed: which IMSIs a register cannot create */

struct opt_register { /* what an operator's register does not do */
	char name[SCN_NAME_MAX];
	uint32_t fail_ppm;
	struct sim_range late_ms;
};

struct opt_operator {
	struct scn_operator id;
	char smsc_host[64], hlr_host[64]; /* "": as --listen, and any free port */
	uint16_t smsc_port, hlr_port;
	struct opt_register reg;
};

struct opts {
	const char *program; /* who complains: otabsc takes the fleet's options too */
	uint32_t cards;
	uint64_t seed;
	char host[64];
	uint16_t port;
	char port_file[OPT_PATH_MAX], dir[OPT_PATH_MAX], control[OPT_PATH_MAX], password_file[OPT_PATH_MAX];
	char scenario[OPT_PATH_MAX], junit[OPT_PATH_MAX];
	char http_host[64]; /* "": no HTTP */
	uint16_t http_port;
	char new_imsi_prefix[8];
	char perso[OPT_PATH_MAX];
	struct opt_operator op[SIM_OPS_MAX]; /* from opts_settle() on as the scenario numbers them */
	unsigned ops;
	struct opt_register reg[SIM_OPS_MAX]; /* as given; op[].reg is theirs */
	unsigned registers;
	char hlr_fill[SCN_NAME_MAX];
	int fill; /* whose register has the fleet at first, -1: nobody's */
	bool has_imsi_prefix, has_new_imsi_prefix;
	unsigned no_refresh; /* REFRESHes each phone says no to before one that it does */
	bool quiet, check, lists;
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

/* When all options are there: who is who among the operators, and what follows from there being some. */
bool opts_settle(struct opts *o, const struct scn *s, char err[SCN_ERR_MAX]);

/* opts_operator.c; false: not understood */
bool opts_operator(struct opts *o, const char *arg);
bool opts_hlr_fail(struct opts *o, const char *arg);
bool opts_hlr_late(struct opts *o, const char *arg);
bool opts_host_port(const char *text, char *host, size_t cap, uint16_t *port);

/* "33%" or "0.5%" to ppm; "2s..10s", "5..50ms", "300ms" to a range.  False: not understood. */
bool opts_share(const char *text, uint32_t *ppm);
bool opts_range(const char *text, struct sim_range *range);

#endif
