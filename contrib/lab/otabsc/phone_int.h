/* phone_int.h - what the phone's files share among themselves.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTABSC_PHONE_INT_H
#define OTABSC_PHONE_INT_H

#include <stdarg.h>

#include "phone.h"

#define PHONE_LINE_MAX 400

/* phone.c */
__attribute__((format(printf, 3, 4))) void ph_say(const struct phone *ph, const char *what, const char *fmt, ...);
void ph_poll(struct phone *ph, int64_t now_ms);
void ph_refresh_soon(struct phone *ph, int64_t now_ms);
void ph_again(struct phone *ph, int64_t now_ms);
struct mobile_id ph_identity(const struct phone *ph, const struct loci *l, int msc);
bool ph_open(struct phone *ph, enum phone_doing doing, int msc, struct wr *w, int64_t now_ms);
void ph_send(struct phone *ph, uint8_t sapi, struct wr *w);
bool ph_mo_add(struct phone *ph, const struct sim_addr *to, uint8_t pid, uint8_t dcs, const uint8_t *ud, size_t len,
	       int64_t now_ms);
void ph_mo_next(struct phone *ph, int64_t now_ms);
void ph_mo_failed(struct phone *ph, int64_t now_ms);

/* phone_l3.c */
void ph_answers_due(struct phone *ph, int64_t now_ms);
/* The connection has ended: what it leaves behind. */
void ph_conn_end(struct phone *ph, int64_t now_ms);

#endif
