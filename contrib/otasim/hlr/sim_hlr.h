/* sim_hlr.h - a home location register and authentication centre that speaks as OsmoHLR 1.5 does on its CTRL interface.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Clock-free and socket-free: a request's text in, a reply's text out.  SQN goes as in OsmoHLR: 0 at first, steps of 32 with the
 * number of the asking node in the lowest five bits, never settable.
 */
#ifndef OTASIM_HLR_H
#define OTASIM_HLR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_HLR_DIGITS_MAX 15
#define SIM_HLR_REPLY_MAX  1024
#define SIM_HLR_SUBS_MAX   2000000 /* subscribers of one register */

struct sim_hlr;
struct sim_hlr *sim_hlr_new(void);    /* NULL: no memory */
void sim_hlr_free(struct sim_hlr *h); /* wipes */
size_t sim_hlr_count(const struct sim_hlr *h);

/* "GET id variable" or "SET id variable value"; reply gets what OsmoHLR would say, NUL-terminated.  Variables: subscriber.create,
 * subscriber.delete, and of subscriber.by-imsi-X, by-msisdn-X, by-id-X: info, info-aud, info-all, msisdn, aud3g, cs-enabled,
 * ps-enabled. */
void sim_hlr_ctrl(struct sim_hlr *h, const char *request, char reply[SIM_HLR_REPLY_MAX]);

/* What a VLR would be sent for this subscriber. */
struct sim_hlr_vector {
	uint8_t autn[16], xres[8];
};
enum sim_hlr_end { SIM_HLR_OK, SIM_HLR_UNKNOWN, SIM_HLR_BARRED, SIM_HLR_NO_KEYS, SIM_HLR_DOWN };
enum sim_hlr_end sim_hlr_vector(struct sim_hlr *h, const char *imsi, const uint8_t rand[16],
				struct sim_hlr_vector *out);
/* A card's AUTS for that RAND.  False: its MAC is wrong. */
bool sim_hlr_resync(struct sim_hlr *h, const char *imsi, const uint8_t rand[16], const uint8_t auts[14]);
/* A completed location update: vlr_number from now on; "" is a purge. */
bool sim_hlr_locate(struct sim_hlr *h, const char *imsi, const char *vlr);

/* ---- what its network asks it ---- */

bool sim_hlr_knows(const struct sim_hlr *h, const char *imsi);
bool sim_hlr_imsi_of(const struct sim_hlr *h, const char *msisdn, char imsi[SIM_HLR_DIGITS_MAX + 1]);
/* False: no such subscriber; "": he has no MSISDN. */
bool sim_hlr_msisdn_of(const struct sim_hlr *h, const char *imsi, char msisdn[SIM_HLR_DIGITS_MAX + 1]);
/* A message waits for this subscriber (TS 23.040, 3.2.7); sets it, and gives what it was.  False for nobody. */
bool sim_hlr_waiting(struct sim_hlr *h, const char *imsi, bool now);

/* ---- what it does not do ---- */

/* This share of IMSIs, drawn by seed, cannot be created: the same ones every time. */
void sim_hlr_fail_creates(struct sim_hlr *h, uint32_t ppm, uint64_t seed);
bool sim_hlr_cannot_create(const struct sim_hlr *h, const char *imsi);
/* Nobody is at home, neither for its network nor at its CTRL interface (sim_ctrl.h). */
void sim_hlr_down(struct sim_hlr *h, bool down);
bool sim_hlr_is_down(const struct sim_hlr *h);

#endif
