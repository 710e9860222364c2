/* ram.h - remote application management: TS 102 226, 8, with the commands of GlobalPlatform Card Specification 2.x, 11.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Every builder adds one C-APDU (CLA 80) to a script of either format, with Le where the format has room for it (see
 * ota_script_apdu_le()): in a compact script the last one alone, so ask for the answer that counts last.
 */
#ifndef OTA_RAM_H
#define OTA_RAM_H

#include "ota/codec.h"

#define RAM_AID_MIN 5
#define RAM_AID_MAX 16
struct ram_aid {
	uint8_t len; /* RAM_AID_MIN..RAM_AID_MAX, 0: none */
	uint8_t aid[RAM_AID_MAX];
};

/* ------------------------------------------------------------------------ PUT KEY (GlobalPlatform 11.8)
 *
 *	80 D8 P1 P2 Lc  KVN { type, length, [length of the key], key data, length of KCV, KCV }...  00
 *
 * The length of the key stands, in clear, before a key that is padded to the block of the DEK (GlobalPlatform 2.3.1,
 * 11.8.2.3.2 and table 11-70), and before every AES key (Amendment D, 7.2; cards are known to answer 6A88 without it).
 * Cards that go by the older text tell by the block's length, so that both read it alike.  An AES key without it (table
 * 11-71) is read, not written.
 *
 * There is no field for the length of the CMAC that an AES KID makes: a key put by PUT KEY makes 8 octets (that is the
 * default of TS 102 225, 5.1.3, and of the macLength of a TCA profile's key object).  A key for 4 octets comes from the
 * personalisation or from a card's own files, and a key version that had one loses it when it is replaced.
 *
 * A key put over another must have its type and length (11.8.2.3.3): a change of either needs a new key version.
 *
 * The codec never sees a key.  As with packets: lay out, run the wrap jobs, finish. */

#define RAM_PUT_KEY_MAX 3
struct ram_put_key {
	uint8_t old_kvn;   /* 0: add a key version; else the one to replace */
	uint8_t new_kvn;   /* 1..7F; of OTA keys 1..0F */
	uint8_t first_id;  /* 1 KIc, 2 KID, 3 KIK; more keys follow on */
	struct ks_ref dek; /* KIK in force */
	enum ota_alg dek_alg;
	size_t n; /* keys: 1..RAM_PUT_KEY_MAX */
	struct {
		struct ks_ref ref;
		enum ota_alg alg; /* DES family: type 80; AES: type 88 */
		uint8_t len;	  /* octets in clear: 8, 16, 24; AES 16, 24, 32 */
	} key[RAM_PUT_KEY_MAX];
};
struct ram_put_key_work {
	uint8_t *apdu;
	size_t len, n;
	struct ota_wrap_job job[RAM_PUT_KEY_MAX];
	uint8_t *kcv[RAM_PUT_KEY_MAX]; /* where they go in the APDU */
};
/* Length of the C-APDU without Le, or an error: OTA_E_RANGE for key versions, ids or lengths that do not exist,
 * OTA_E_ALG for an algorithm no key can have, OTA_E_LENGTH beyond 255 octets. */
int ram_put_key_lay_out(struct ram_put_key_work *w, const struct ram_put_key *p, uint8_t *apdu, size_t cap);
int ram_put_key_run(struct ram_put_key_work *w, const struct ota_crypt *crypt);
/* Puts the KCVs in their places; length of the C-APDU or the first failure (nothing of a key is left in it then). */
int ram_put_key_finish(struct ram_put_key_work *w);
/* The three moves; kcv (may be NULL) takes p->n of them. */
int ram_put_key_encode(uint8_t *apdu, size_t cap, const struct ram_put_key *p, const struct ota_crypt *crypt,
		       uint8_t kcv[][3]);
/* The same as a command of a script. */
void ram_put_key(struct ota_script *s, const struct ram_put_key *p, const struct ota_crypt *crypt, uint8_t kcv[][3]);
/* Does the card's answer (KVN, KCVs) confirm these keys?  0, OTA_E_UNMATCHED, or OTA_E_LENGTH; the comparison takes
 * constant time. */
int ram_put_key_rsp_check(const uint8_t *data, size_t len, uint8_t new_kvn, const uint8_t kcv[][3], size_t n);

/* A PUT KEY C-APDU taken apart (cards in simulators, explanations). */
struct ram_put_key_seen {
	uint8_t old_kvn, new_kvn, first_id;
	size_t n;
	struct {
		uint8_t type;		/* 80, 88 */
		uint8_t clear_len;	/* octets of the key; padded ones: as the command says */
		const uint8_t *wrapped; /* borrows */
		size_t wrapped_len;
		const uint8_t *kcv; /* borrows; NULL without */
		size_t kcv_len;
	} key[RAM_PUT_KEY_MAX];
};
int ram_put_key_decode(struct ram_put_key_seen *out, const uint8_t *apdu, size_t len);

/* ---------------------------------------------------------------- the other commands of TS 102 226, 8.2.1 */

/* DELETE (11.2): an application, package or security domain, with what it contains; or keys: of a key version, an id or
 * (0) all of them. */
void ram_delete(struct ota_script *s, const struct ram_aid *aid, bool related);
void ram_delete_key(struct ota_script *s, uint8_t kvn, uint8_t id);

/* INSTALL [for load] (11.5): package into a security domain (NULL: the addressed one). */
void ram_install_load(struct ota_script *s, const struct ram_aid *package, const struct ram_aid *sd,
		      const uint8_t *hash, size_t hash_len, const uint8_t *params, size_t params_len);
/* INSTALL [for install (and make selectable)].  `params` is the install parameters field, a list of TLVs: C9 application
 * specific (an empty C9 is put when there are no params), EA or CA for UICC toolkit applications (TS 102 226,
 * 8.2.1.3.2.2). */
struct ram_install {
	struct ram_aid package, module, instance;
	uint8_t privileges[3];
	uint8_t privileges_len; /* 1 or 3 */
	bool selectable;
	const uint8_t *params;
	size_t params_len;
};
void ram_install(struct ota_script *s, const struct ram_install *i);
void ram_install_selectable(struct ota_script *s, const struct ram_aid *instance, uint8_t privileges);
/* LOAD (11.6): one block of a load file, numbered from 0. */
void ram_load(struct ota_script *s, uint8_t block, bool last, const uint8_t *data, size_t len);
/* SET STATUS (11.10): P1 40 application, 80 issuer security domain, 60 security domain and its applications. */
void ram_set_status(struct ota_script *s, uint8_t type, uint8_t state, const struct ram_aid *aid);
/* STORE DATA (11.11): P1 80 in the last block. */
void ram_store_data(struct ota_script *s, uint8_t p1, uint8_t block, const uint8_t *data, size_t len);
/* GET DATA (11.3): E0 key information template, 66 card data, FF21 extended card resources. */
#define RAM_DATA_KEY_INFO  0x00e0
#define RAM_DATA_RESOURCES 0xff21
void ram_get_data(struct ota_script *s, uint16_t tag);
/* GET STATUS (11.4) of all (aid NULL) or those whose AID begins so; answers in TLV form, or in the older list. */
enum ram_subset { RAM_ISD = 0x80, RAM_APPLICATIONS = 0x40, RAM_PACKAGES = 0x20, RAM_PACKAGES_AND_MODULES = 0x10 };
void ram_get_status(struct ota_script *s, enum ram_subset what, bool next, bool tlv, const struct ram_aid *aid);

/* ------------------------------------------------------------------------------------------------ answers */

/* DELETE, INSTALL, LOAD: 0 when the answer is nothing, or a well-formed confirmation (11.1.6); *len_out (may be NULL) is
 * the octets of the confirmation, 0 in most. */
int ram_confirm_parse(const uint8_t *data, size_t len, size_t *len_out);

struct ram_entry {
	struct ram_aid aid;
	uint8_t state; /* life cycle, 11.1.1 */
	uint8_t privileges[3];
	uint8_t privileges_len;
	struct ram_aid package, sd; /* TLV form, when told */
	unsigned modules;	    /* of a package */
};
/* One call for each application or package in the answer to GET STATUS.  The older list has modules only when
 * RAM_PACKAGES_AND_MODULES was asked for. */
int ram_status_each(const uint8_t *data, size_t len, bool tlv, enum ram_subset what,
		    int (*each)(void *ctx, const struct ram_entry *e), void *ctx);
/* One call for each key in the answer to GET DATA E0 (11.3.3.1). */
struct ram_key_info {
	uint8_t id, kvn, type, len;
};
int ram_key_info_each(const uint8_t *data, size_t len, int (*each)(void *ctx, const struct ram_key_info *k), void *ctx);

/* "installed", "selectable", "personalized", ... by 11.1.1; never NULL. */
const char *ram_state_name(enum ram_subset what, uint8_t state);

#endif
