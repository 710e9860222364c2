/* handover.h - the parts of the hand-over between operators, built from the config: who we are, partners, register, desk, transport.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_HANDOVER_H
#define OTAGW_HANDOVER_H

#include "desk/desk.h"
#include "front/api.h"
#include "front/config.h"
#include "front/exchange_tls.h"

struct event_base;

struct handover_parts {
	struct event_base *base;
	const struct env *env;
	struct store *store;
	struct ks *ks;
	struct gw *gw;
	struct api *api;
	const struct errtab *errtab;
	uint32_t epoch;
	void (*log)(void *ctx, int level, const char *line);
	void (*wake)(void *ctx);
	void *ctx;
};

struct handover;
/* NULL with a sentence. */
struct handover *handover_new(struct otagw_config *cfg, const struct handover_parts *p, char *err, size_t err_cap);
struct desk *handover_desk(const struct handover *h); /* NULL handover: NULL */
struct exchange *handover_exchange(const struct handover *h);
/* Nobody brings or fetches anything any more; the register is let go of. */
void handover_stop(struct handover *h);
/* After the store was closed. */
void handover_free(struct handover *h);

/* Whether the party files of the config are what they should be; for otagwd -C. */
int handover_check(const struct otagw_config *cfg, char *err, size_t err_cap);

#endif
