/* ho_cases.c - all cases there are: a file of cases adds its list here.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "ho.h"

const struct ho_case *const ho_cases[] = {
	ho_cases_fine,	ho_cases_change, ho_cases_packages, ho_cases_here, ho_cases_wire,
	ho_cases_plain, ho_cases_number, ho_cases_books,    NULL,
};
