/* keystore.h - keys enter once and are used by reference; nobody outside ever sees a key octet.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * At rest a card's keys are a *sealed keyset*: AES-256-GCM under the key-encryption key (KEK), bound to the ICCID and
 * the key version, so that a record moved to another card or slot does not open.  Sealed keysets stand in the store
 * beside their card and are opaque to everybody else: one transaction covers card, counter and keys.
 *
 * In use a sealed keyset is loaded into one of a bounded number of slots in locked memory (mlock, not dumped, wiped when
 * given back) and named by a ks_ref.  The verbs are two hooks of ota/crypt.h: mac and cipher.  Besides these there
 * are named ways out: the PUT KEY block, which is the third hook, wrap; an OPc wrapped for its card; key blocks for a partner's
 * keystore; Milenage vectors; and, the two that are in clear, K and OPc for an HLR, and new keys for a card maker.
 *
 * All calls are for one thread (the core's).  Functions return 0 or a negative enum ks_err.
 */
#ifndef OTA_KEYSTORE_H
#define OTA_KEYSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/crypt.h"

enum ks_err {
	KS_OK = 0,
	KS_E_KEK_FILE = -101,	/* KEK file missing, unreadable, wrong length, or not mode 0600 */
	KS_E_KEK_WRONG = -102,	/* the KEK does not open this state directory's check record */
	KS_E_PASSPHRASE = -103, /* no passphrase given, or too short */
	KS_E_SEALED = -104,	/* sealed record damaged, or of another card or slot */
	KS_E_SLOTS = -105,	/* all slots in use */
	KS_E_REF = -106,	/* a reference that is not (or no longer) valid */
	KS_E_POLICY = -107,	/* this key may not do that */
	KS_E_CRYPTO = -108,	/* the cipher library refused */
	KS_E_MEMORY = -109,	/* no locked memory */
	KS_E_KEYLEN = -110,	/* key of wrong length for its algorithm */
	KS_E_WEAK = -111,	/* 3DES with equal halves (degrades to DES), or all octets equal */
	KS_E_HEX = -112,	/* not hexadecimal */
	KS_E_SPEC = -114, /* keyset described out of range: KVN, algorithm, CC length, ICCID, or parameters missing */
};
const char *ks_strerror(int err); /* never NULL; also understands enum ota_err */

struct ks;

#define KS_SLOTS_DEFAULT  4096
#define KS_SEALED_MAX	  192 /* octets of one sealed keyset: header, nonce, three keys of up to 32 octets, tag */
#define KS_CHECK_LEN	  64  /* octets of the record that tells a wrong KEK at start */
#define KS_PASSPHRASE_MIN 12  /* characters */

/* Where the key-encryption key comes from. */
enum ks_kek_source { KS_KEK_FILE, KS_KEK_PASSPHRASE, KS_KEK_MEMORY };
struct ks_open_params {
	enum ks_kek_source source;
	const char *path; /* KS_KEK_FILE: 32 octets raw, mode 0600, owned by us */
	const char
		*passphrase_path; /* KS_KEK_PASSPHRASE: file of mode 0600, first line; scrypt, salt in check record */
	const uint8_t *kek;	  /* KS_KEK_MEMORY: 32 octets (tests and simulation) */
	unsigned slots;		  /* 0: KS_SLOTS_DEFAULT */
	/* Randomness for nonces and salts, handed in; NULL: OpenSSL's generator. */
	int (*random)(void *ctx, uint8_t *buf, size_t len);
	void *random_ctx;
};

/* Opens the keystore.  check/check_len is the check record that the store kept from the first start; with check_len 0 one
 * is made into check_out (KS_CHECK_LEN octets), to be committed before anything is sealed.  A KEK that does not open the
 * check record gives KS_E_KEK_WRONG.  err (may be NULL) gets a sentence that names what, where and what to do. */
int ks_open(struct ks **out, const struct ks_open_params *p, const uint8_t *check, size_t check_len,
	    uint8_t check_out[KS_CHECK_LEN], char *err, size_t err_cap);
void ks_close(struct ks *ks);

/* Makes a new KEK file of 32 random octets, mode 0600; refuses to overwrite. */
int ks_kek_file_create(const char *path, char *err, size_t err_cap);

/* ---- import: the keystore's own parser ----
 * One card line's key columns come in as text, in place, and leave as sealed keysets.  The text is wiped. */

struct ks_keyset_spec {
	uint8_t kvn; /* 1..15 */
	enum ota_alg kic_alg, kid_alg;
	uint8_t cc_len; /* 8, or 4 for AES keysets with short CMAC */
	bool weak;	/* take what KS_E_WEAK refuses: published test data have such keys, cards must not */
};

/* "des3-2key"-like names on the command line: 3des2, 3des3, aes (length from the key), aes128, aes192, aes256, des.
 * Returns OTA_ALG_* and, for aesNNN, the exact key length demanded in *len (0: any allowed); -1 when unknown. */
int ks_alg_parse(const char *name, size_t *len);

/* Parses hex keys, checks lengths against the algorithms (KS_E_KEYLEN), equal 3DES halves (KS_E_WEAK), seals them bound
 * to iccid and kvn into sealed[].  kik_hex may be empty.  The three texts are wiped whatever happens.
 * Returns the length of the sealed record, or an error with a reason in err that never contains key material. */
int ks_keyset_import(struct ks *ks, const char *iccid, const struct ks_keyset_spec *spec, char *kic_hex, char *kid_hex,
		     char *kik_hex, uint8_t sealed[KS_SEALED_MAX], char *err, size_t err_cap);

/* Octets of KIc in a sealed record: its header stands in clear. */
static inline unsigned ks_sealed_kic_octets(const uint8_t *sealed, size_t len)
{
	return len > 3 ? (sealed[3] & 0x0fu) * 8 : 0;
}

/* What else a sealed record says of itself in clear; believed when it is opened, not before.  0 or KS_E_SEALED. */
int ks_sealed_spec(const uint8_t *sealed, size_t len, struct ks_keyset_spec *out);

/* ---- use by reference ---- */

/* Loads a sealed keyset into a slot.  *set is the handle for ks_ref.set.  The same keyset may be loaded twice; a slot
 * is kept until ks_unload().  Handles carry a generation, so that a stale one is refused and never names another key
 * (the same value comes back after 2^32 loads: a handle is not for keeping). */
int ks_load(struct ks *ks, const char *iccid, uint8_t kvn, const uint8_t *sealed, size_t len, uint32_t *set);
void ks_unload(struct ks *ks, uint32_t set); /* wipes; 0 is allowed */
/* The same for whoever unloads many in a row: the slot is wiped at once, key schedules in cipher contexts when the next key
 * takes their place or with ks_settle(), which must be called before the caller waits for anything. */
void ks_unload_soon(struct ks *ks, uint32_t set);
void ks_settle(struct ks *ks);

/* The hooks stay valid until ks_close().  KIc ciphers, KID makes checksums, each in the algorithm it was imported for and no
 * checksum shorter than cc_len: everything else is OTA_E_KEY in the job.
 *
 * KIK wraps, and does nothing else.  It takes keys of loaded sets of its own card, KIc, KID or KIK, in the algorithm and
 * length they were imported with, and never wraps in single DES, whose outcome anybody could open.  A KIK has no
 * algorithm of its own in a keyset: it is of the family of KIc (without one, of KID), the variant is told by its length. */
struct ota_crypt ks_crypt(struct ks *ks);

/* ---- subscriber keys ----
 * K and OPc of one index of a card, sealed like keysets and bound to the ICCID and the index (3a: index 1). */
enum ks_aka { KS_AKA_MILENAGE = 0x01, KS_AKA_TEST = 0x0f }; /* as the card interface numbers them */
#define KS_AKA_KEY_LEN 16
#define KS_SUB_LEN     65 /* octets of a sealed subscription */

struct ks_sub_spec {
	uint16_t index; /* 1..65534 */
	uint8_t aka;	/* enum ks_aka */
	uint8_t sqn;	/* SQN scheme, as the card interface numbers them: 1 */
};
/* The two texts are wiped whatever happens.  An empty opc_hex means OP = 0: OPc is then computed from K
 * (TS 35.206, 8.2).  Returns KS_SUB_LEN or an error. */
int ks_sub_import(struct ks *ks, const char *iccid, const struct ks_sub_spec *spec, char *k_hex, char *opc_hex,
		  uint8_t sealed[KS_SUB_LEN], char *err, size_t err_cap);
/* What a sealed subscription says of itself, after its tag was found right. */
int ks_sub_spec(struct ks *ks, const char *iccid, const uint8_t *sealed, size_t len, struct ks_sub_spec *out);

/* One authentication vector (TS 33.102, 6.3.2; TS 35.206), for checks against cards and AuCs: KS_E_POLICY when the
 * subscription is not Milenage. */
struct ks_vector {
	uint8_t xres[8], ck[16], ik[16], autn[16];
	uint8_t auts[14]; /* what a card would answer that has this SQN itself (6.3.3, AMF 0000) */
};
int ks_milenage(struct ks *ks, const char *iccid, const uint8_t *sealed, size_t len, const uint8_t rand[16],
		const uint8_t sqn[6], const uint8_t amf[2], struct ks_vector *out);

/* ---- an OPc without its K (alternative 3a) ----
 * B chooses the OPc that a card is to have from the hand-over on, and does not know its K yet.  Sealed and bound to a name: the ICCID, or,
 * before a card has been chosen, the IMSI. */
#define KS_OPC_LEN     45						      /* octets of a sealed one */
#define KS_OPC_WRAPPED 24						      /* octets under a card's KIK */
int ks_opc_make(struct ks *ks, const char *name, uint8_t sealed[KS_OPC_LEN]); /* random */
/* The same one under another name: the card has been chosen. */
int ks_opc_rename(struct ks *ks, const char *from, const char *to, const uint8_t sealed[KS_OPC_LEN],
		  uint8_t out[KS_OPC_LEN]);
/* For the set of a STAGE (card interface, 5.2): AES key wrap with padding under the KIK of a loaded set.  Only what bears the name of that
 * set's card; KS_E_POLICY when its KIK is no AES key. */
int ks_opc_wrap(struct ks *ks, uint32_t set, const uint8_t sealed[KS_OPC_LEN], uint8_t out[KS_OPC_WRAPPED]);
/* For a card without the application: as it is, into the script that writes it there.  Whoever calls ciphers that, and wipes it. */
int ks_opc_script(struct ks *ks, const char *iccid, const uint8_t sealed[KS_OPC_LEN], uint8_t out[KS_AKA_KEY_LEN]);
/* K of a sealed subscription with this OPc in the place of its own: what the card is going to have. */
int ks_sub_join(struct ks *ks, const char *iccid, const uint8_t sub[KS_SUB_LEN], const uint8_t opc[KS_OPC_LEN],
		uint8_t out[KS_SUB_LEN]);
/* Whether a subscription has this OPc: 0, KS_E_POLICY when it has another one. */
int ks_opc_same(struct ks *ks, const char *iccid, const uint8_t sub[KS_SUB_LEN], const uint8_t opc[KS_OPC_LEN]);

/* ---- new keys for a card that is ours (card interface, 8) ----
 * Values are random, wrapped under the KIK of a loaded set of the same card, which must be AES, and nobody sees them.  A check value is the
 * leftmost octets of sixteen octets 01 enciphered under the key: the card repeats it when it has unwrapped what we meant. */
#define KS_KCV_LEN	   3
#define KS_SET_WRAPPED_MAX 104 /* octets of three AES-256 keys, wrapped */
#define KS_SUB_WRAPPED	   24  /* of K, or of OPc */
enum ks_sub_part { KS_SUB_K = 1, KS_SUB_OPC = 2 };
/* A subscription with new parts (enum ks_sub_part, ored) in the place of those of `was`; NULL: all parts are new, and `index` its own. */
int ks_sub_renew(struct ks *ks, const char *iccid, uint16_t index, const uint8_t *was, unsigned parts,
		 uint8_t out[KS_SUB_LEN]);
/* One part under the KIK of `to`. */
int ks_sub_wrap(struct ks *ks, uint32_t to, const uint8_t sub[KS_SUB_LEN], enum ks_sub_part part,
		uint8_t out[KS_SUB_WRAPPED], uint8_t kcv[KS_KCV_LEN]);
/* KIc, KID, KIK of the loaded set `from`, one after the other, under the KIK of `to`.  Returns the length. */
int ks_set_wrap(struct ks *ks, uint32_t to, uint32_t from, uint8_t out[KS_SET_WRAPPED_MAX],
		uint8_t kcv[3 * KS_KCV_LEN]);

/* ---- pairs (a vault's) ----
 * A pair is K, OPc and OTA keys of one index.  The OTA keys have no key version before the card activates them (1 or 2, whichever is free
 * then), so until somebody receives them they are sealed for the index. */
struct ks_pair {
	uint8_t sub[KS_SUB_LEN];
	uint8_t ota_len;
	uint8_t ota[KS_SEALED_MAX];
};
/* Random: K, OPc of OP = 0, and KIc, KID, KIK of key_len octets (16, 24, 32) for AES. */
int ks_pair_make(struct ks *ks, const char *iccid, uint16_t index, unsigned key_len, struct ks_pair *out);
/* From a card maker's file.  The five texts are wiped whatever happens; an empty opc_hex is OP = 0. */
struct ks_pair_text {
	char *k, *opc, *kic, *kid, *kik;
};
int ks_pair_import(struct ks *ks, const char *iccid, uint16_t index, const struct ks_pair_text *text,
		   struct ks_pair *out, char *err, size_t err_cap);
/* Its OTA keys as the keyset that they are on the card.  Length of the sealed keyset. */
int ks_pair_keyset(struct ks *ks, const char *iccid, uint16_t index, const struct ks_pair *pair, uint8_t kvn,
		   uint8_t sealed[KS_SEALED_MAX]);
/* Random KIc, KID, KIK of key_len octets for AES: the vault's and the change keyset (KVN 14, 15).  Length of the sealed keyset. */
int ks_keyset_make(struct ks *ks, const char *iccid, uint8_t kvn, unsigned key_len, uint8_t sealed[KS_SEALED_MAX]);

/* ---- to a card maker ----
 * "K,OPC,KIC,KID,KIK" in capital hex digits, in clear: what is to be put into cards.  Returns the length; the caller writes it to the one
 * file that was asked for, and wipes. */
#define KS_MAKER_TEXT_MAX (2 * 2 * KS_AKA_KEY_LEN + 3 * 2 * 32 + 5)
int ks_emit_pair(struct ks *ks, const char *iccid, uint16_t index, const struct ks_pair *pair,
		 char out[KS_MAKER_TEXT_MAX]);
/* The same of a keyset: ",,KIC,KID,KIK". */
int ks_emit_keyset(struct ks *ks, const char *iccid, uint8_t kvn, const uint8_t *sealed, size_t len,
		   char out[KS_MAKER_TEXT_MAX]);

/* ---- key blocks: wrap for a partner ----
 * The keys of one card on their way to another keystore: AES-256 key wrap with padding (RFC 5649) under the key of one package,
 * which only the two keystores know.  The ICCID stands inside: a block moved to another record does not open there. */
struct ks_wrap;
void ks_wrap_free(struct ks_wrap *w); /* NULL is allowed */

#define KS_BLOCK_SETS_MAX 4   /* keysets in a block */
#define KS_BLOCK_MAX	  512 /* octets */
#define KS_RELEASE_LEN	  61  /* octets of a sealed release key */
#define KS_LOCKED_MAX	  128 /* octets of keys under a release key: K and OPc of one index */
struct ks_block {
	bool has_sub;
	uint8_t sub[KS_SUB_LEN]; /* sealed */
	bool has_opc;
	uint8_t opc[KS_OPC_LEN]; /* sealed; alone: the block is bound to its name */
	unsigned sets;
	struct {
		uint8_t kvn;
		size_t len;
		uint8_t sealed[KS_SEALED_MAX];
	} set[KS_BLOCK_SETS_MAX];
	bool has_release;
	uint8_t release[KS_RELEASE_LEN]; /* sealed */
	unsigned locked_len;		 /* 0: none */
	uint8_t locked[KS_LOCKED_MAX];	 /* as it came: nobody without the release key opens it */
};
/* From records sealed here to a block; returns its length.  Nothing is seen in the clear outside the locked memory. */
int ks_block_wrap(struct ks_wrap *w, const char *iccid, const struct ks_block *in, uint8_t out[KS_BLOCK_MAX]);
/* From a block to records sealed here. */
int ks_block_unwrap(struct ks_wrap *w, const char *iccid, const uint8_t *block, size_t len, struct ks_block *out);

/* ---- escrow: keys go now, and can be opened when their release key is told ----
 * One release key for each card, random, made here and kept sealed like an OPc, bound to the ICCID. */
int ks_release_make(struct ks *ks, const char *iccid, uint8_t sealed[KS_RELEASE_LEN]);
/* K and OPc of `in` under the release key, wrapped as a block is; returns the length.  Goes to the partner as `locked` of a block, the
 * release key later as `release` of another one. */
int ks_block_lock(struct ks *ks, const char *iccid, const uint8_t release[KS_RELEASE_LEN], const struct ks_block *in,
		  uint8_t out[KS_LOCKED_MAX]);
/* At the partner, when it has both. */
int ks_block_unlock(struct ks *ks, const char *iccid, const uint8_t release[KS_RELEASE_LEN], const uint8_t *locked,
		    size_t len, struct ks_block *out);

/* ---- to an HLR ----
 * The one place where K and OPc leave in the clear: "milenage,K,opc,OPC" in small hex digits, as OsmoHLR's CTRL takes it.  Returns its
 * length, or an error; the caller wipes. */
#define KS_HLR_TEXT_MAX 96
int ks_emit_to_hlr(struct ks *ks, const char *iccid, const uint8_t *sealed, size_t len, char out[KS_HLR_TEXT_MAX]);

/* ---- what is shown to operators ---- */
struct ks_stats {
	uint64_t macs, ciphers, wraps, loads, imports, refused;
	uint64_t emitted; /* keys given to an HLR */
	uint64_t printed; /* given to a card maker */
	unsigned slots, slots_used, slots_high;
	bool locked_memory; /* mlock succeeded */
	bool undumped;	    /* left out of core dumps */
};
void ks_stats(const struct ks *ks, struct ks_stats *out);

/* Of what is no secret: names, sets. */
#define KS_HASH_LEN 32
int ks_sha256(const void *p, size_t len, uint8_t out[KS_HASH_LEN]);

/* Wipes text in a way the compiler keeps. */
void ks_wipe(void *p, size_t len);

#endif
