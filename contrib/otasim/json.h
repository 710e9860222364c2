/* json.h - what happened, as JSON: for the browser, for scripts.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTASIM_JSON_H
#define OTASIM_JSON_H

#include "otasim_int.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX     1000 /* cards or messages of one answer */

void json_scenario(const struct otasim *o, FILE *out);
void json_smsc(const struct otasim *o, FILE *out);
/* `max` cards from number `from` on, counted from 1. */
void json_cards(const struct otasim *o, uint32_t from, unsigned max, FILE *out);
void json_card(const struct otasim *o, uint32_t card, FILE *out);
/* `max` events with a number above `after`; of one card, unless it is -1. */
void json_messages(const struct otasim *o, uint64_t after, unsigned max, int64_t card, FILE *out);
void json_error(const char *what, FILE *out);

#endif
