/* vec.h - how a vector is checked and counted.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef VEC_H
#define VEC_H

#include <stdbool.h>

#include "test_crypt.h"
#include "test_json.h"

#define VEC_SET 1 /* where the keys of the vector at hand stand */

/* One vector being checked. */
struct vec {
	const char *id;
	bool failed;
	const char *skipped; /* why nothing was checked */
};

/* Says what differed and goes on, so that one run shows all that is wrong with a vector. */
void vec_fail(struct vec *vec, const char *what, int line);
#define VEC(cond)                                       \
	do {                                            \
		if (!(cond))                            \
			vec_fail(vec, #cond, __LINE__); \
	} while (0)

/* Keys for the tests, loaded from kic_key and kid_key of a vector. */
extern struct test_crypt vec_keys;
struct ota_crypt vec_crypt(const json_t *v);

void vec_command(struct vec *vec, const json_t *v);
void vec_response(struct vec *vec, const json_t *v);
void vec_segmentation(struct vec *vec, const json_t *v);
void vec_session(struct vec *vec, const json_t *v);
void vec_crc(struct vec *vec, const json_t *v);
void vec_mac(struct vec *vec, const json_t *v);
void vec_imsi(struct vec *vec, const json_t *v);
void vec_ef(struct vec *vec, const json_t *v);
void vec_compact_cmd(struct vec *vec, const json_t *v);
void vec_compact_resp(struct vec *vec, const json_t *v);
void vec_expanded_cmd(struct vec *vec, const json_t *v);
void vec_expanded_rsp(struct vec *vec, const json_t *v);

/* File contents that more than one kind of vector has. */
void check_ef_imsi(struct vec *vec, const struct octets *ef, const char *imsi);
void check_plmn(struct vec *vec, const uint8_t *plmn, const char *mcc, const char *mnc);

#endif
