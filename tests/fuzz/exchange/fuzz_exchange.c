/* fuzz_exchange.c - what comes from another party: a package file, a manifest, a record, a party file.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The first octet says which.  A manifest that is taken is the one way to write what it says; a record that is taken is put
 * together again octet by octet.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pkg_int.h"
#include "schema.h"

static void a_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("package", 0);
	char path[64], err[400] = "";
	struct pkg *p;

	FUZZ_HOLDS(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (pkg_open(&p, path, err, sizeof(err))) {
		FUZZ_HOLDS(*err);
	} else {
		const struct pkg_head *h = pkg_head(p);
		char why[400] = "";

		FUZZ_HOLDS(strlen(h->from) <= PKG_NAME_MAX && h->parts <= PKG_PARTS_MAX);
		FUZZ_HOLDS(!xchg_head_check(h, why, sizeof(why)) || *why);
		FUZZ_HOLDS(pkg_read(p, NULL, NULL, NULL, why, sizeof(why)) == PKG_E_SIGNER ||
			   !h->parts); /* not verified */
		pkg_close(p);
	}
	close(fd);
}

static void a_manifest(const uint8_t *data, size_t size)
{
	struct pkg_manifest m;
	struct pkgc_buf again;
	char err[400] = "";

	if (pkg_manifest_parse(&m, data, size, err, sizeof(err))) {
		FUZZ_HOLDS(*err);
		return;
	}
	FUZZ_HOLDS(!pkg_manifest_print(&m, &again));
	FUZZ_HOLDS(again.len == size && !memcmp(again.p, data, size));
	pkgc_buf_free(&again);
	pkg_manifest_free(&m);
}

static void a_record(const uint8_t *data, size_t size)
{
	const struct xchg_schema *s;
	struct xchg_record r;
	char line[PKG_RECORD_MAX + 1], copy[PKG_RECORD_MAX + 1], again[PKG_RECORD_MAX + 1], err[400] = "";

	if (!size || size > PKG_RECORD_MAX)
		return;
	s = xchg_schema_of((enum xchg_type)(data[0] % _XCHG_TYPES));
	memcpy(line, data + 1, size - 1);
	line[size - 1] = '\0';
	strcpy(copy, line);
	if (xchg_split(s, 0, line, &r, err, sizeof(err))) {
		FUZZ_HOLDS(*err);
		return;
	}
	FUZZ_HOLDS(!xchg_join(s, r.value, again, sizeof(again), err, sizeof(err)));
	FUZZ_HOLDS(!strncmp(again, copy, strlen(again)) && copy[strlen(again)] == ','); /* the salt is left */
	for (unsigned i = 0; i < xchg_columns(s); i++) {
		uint8_t octets[1024];

		if (s->column[i].kind == XCHG_V_HEX)
			FUZZ_HOLDS(xchg_hex(&r, s->column[i].name, octets, sizeof(octets)) <= s->column[i].max);
		else if (s->column[i].kind == XCHG_V_NUMBER && *r.value[i])
			FUZZ_HOLDS(xchg_number(&r, s->column[i].name) <= s->column[i].max);
	}
}

static void a_party(const uint8_t *data, size_t size)
{
	struct pkg_partner *p;
	char err[400] = "";

	if (pkg_partner_load(&p, (const char *)data, size, err, sizeof(err)))
		FUZZ_HOLDS(*err && !p);
	pkg_partner_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	switch (data[0] % 4) {
	case 0:
		a_file(data + 1, size - 1);
		break;
	case 1:
		a_manifest(data + 1, size - 1);
		break;
	case 2:
		a_record(data + 1, size - 1);
		break;
	case 3:
		a_party(data + 1, size - 1);
		break;
	}
	return 0;
}
