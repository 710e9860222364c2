/* page.h - one page for a browser: how the scenario stands.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTASIM_PAGE_H
#define OTASIM_PAGE_H

#include "otasim_int.h"

void page_write(const struct otasim *o, FILE *out);

#endif
