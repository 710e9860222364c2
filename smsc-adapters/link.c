/* link.c - what every link shares: names.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "ota/link.h"

const char *fail_class_name(enum fail_class c)
{
	static const char *const names[] = {
		[FAIL_NONE] = "NONE",
		[FAIL_ABSENT] = "ABSENT",
		[FAIL_BUSY] = "BUSY",
		[FAIL_CONGEST] = "CONGEST",
		[FAIL_MEM] = "MEM",
		[FAIL_LINK] = "LINK",
		[FAIL_CARD_TRANSIENT] = "CARD-TRANSIENT",
		[FAIL_CARD_RESYNC] = "CARD-RESYNC",
		[FAIL_CARD_PERM] = "CARD-PERM",
		[FAIL_SUBS_PERM] = "SUBS-PERM",
		[FAIL_CONFIG] = "CONFIG",
		[FAIL_UNKNOWN] = "UNKNOWN",
	};
	_Static_assert(sizeof(names) / sizeof(names[0]) == _FAIL_CLASSES, "every class has its name");

	return (unsigned)c < _FAIL_CLASSES ? names[c] : "INVALID";
}
