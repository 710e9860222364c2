/* schema.h - what may stand in which package between parties: columns, values, and whether keys may.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A package whose columns are not exactly those of its type is refused before a record of it is read, and a type without a column for
 * key blocks has no place where a key could stand: that is how the hand-over list of alternative 3b is kept free of keys.
 */
#ifndef OTAGW_EXCHANGE_SCHEMA_H
#define OTAGW_EXCHANGE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/package.h"

#define XCHG_COLUMNS_MAX 16

/* Parties by what they are in an order. */
enum xchg_role { XCHG_S = 1, XCHG_A = 2, XCHG_B = 4, XCHG_M = 8 };

enum xchg_type {
	XCHG_SO,   /* swap order */
	XCHG_IL,   /* list of new IMSIs with their files */
	XCHG_AQ,   /* which index may come next? */
	XCHG_AL,   /* allocation of an index */
	XCHG_PL,   /* pairing plan: which card gets which IMSI and index */
	XCHG_HL3A, /* hand-over list of alternative 3a, provisional or final, with keys */
	XCHG_HL3B, /* hand-over list of alternative 3b: never keys */
	XCHG_KR,   /* request for the keys of an index */
	XCHG_KP,   /* these keys */
	XCHG_CF,   /* what has been seen of a card: ready, served, confirmed */
	XCHG_SP,   /* a PoR that came to somebody whose card it is not */
	XCHG_MF,   /* first pairs, from the vault to the issuer; of no order */
	XCHG_ACK,  /* what the receiver of a package made of it */
	XCHG_KE,   /* 3a, escrow: K of each card, locked under a release key of its own */
	XCHG_RK,   /* 3a, escrow: release keys of cards that have shown that they are staged */
	_XCHG_TYPES
};

enum xchg_kind {
	XCHG_V_ICCID,  /* 18 to 20 digits */
	XCHG_V_IMSI,   /* 6 to 15 digits */
	XCHG_V_MSISDN, /* 3 to 15 digits */
	XCHG_V_NUMBER, /* decimal, min..max */
	XCHG_V_HEX,    /* octets, min..max of them */
	XCHG_V_WORD,   /* one of words[] */
	XCHG_V_NAME,   /* a party, an order, a card profile */
	XCHG_V_PLMNS,  /* MCCMNC;MCCMNC;... at most max */
	XCHG_V_FILES,  /* FID[/FID]:hex;... at most max */
};
struct xchg_column {
	const char *name;
	enum xchg_kind kind;
	uint64_t min, max;
	const char *const *words; /* NULL-terminated */
	bool optional;		  /* may be empty */
};
struct xchg_schema {
	enum xchg_type type;
	const char *name, *what;
	unsigned from, to; /* enum xchg_role, ored */
	bool keys;	   /* has a column of key blocks, and a package key */
	bool answers;	   /* must name the package that it is about */
	struct xchg_column column[XCHG_COLUMNS_MAX];
};

/* NULL: no such type. */
const struct xchg_schema *xchg_schema(const char *name);
const struct xchg_schema *xchg_schema_of(enum xchg_type type);
unsigned xchg_columns(const struct xchg_schema *s);
/* The line that names the columns, as it stands in the manifest. */
void xchg_columns_text(const struct xchg_schema *s, char out[PKG_COLUMNS_MAX + 1]);
/* Number of the column of that name, or -1. */
int xchg_column(const struct xchg_schema *s, const char *name);

/* Whether a manifest is one of this type in all that can be told without opening its parts.  0, or -1 with a sentence. */
int xchg_head_check(const struct pkg_head *head, char *err, size_t err_cap);

/* One record, split in place.  Values without the salt; an optional one may be "". */
struct xchg_record {
	const struct xchg_schema *schema;
	uint64_t n; /* from 0 */
	const char *value[XCHG_COLUMNS_MAX];
};
/* 0, or -1 with a sentence that names record, column, and what it must be; never the value of a key block. */
int xchg_split(const struct xchg_schema *s, uint64_t n, char *line, struct xchg_record *out, char *err, size_t err_cap);
const char *xchg_value(const struct xchg_record *r, const char *column); /* the column must be there */
uint64_t xchg_number(const struct xchg_record *r, const char *column);	 /* of a NUMBER; 0 when empty */
/* Octets of a HEX value; returns their number.  cap must be the column's max. */
size_t xchg_hex(const struct xchg_record *r, const char *column, uint8_t *out, size_t cap);

/* Puts a record together for pkg_write_record(): every value is held against the schema, too. */
int xchg_join(const struct xchg_schema *s, const char *const *value, char *line, size_t cap, char *err, size_t err_cap);

#endif
