/* ks.c - policy: which key may do what, for whom; slots and handles; every use counted.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Everything secret stands in one arena of whole pages, locked where the limits allow, left out of core dumps, and wiped
 * before it is given back: the slots with loaded keys, and the working memory of the cipher calls.  What the arena does
 * not hold are OpenSSL's key schedules; these are overwritten when the keyset they belong to is unloaded.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ks_int.h"

struct slot {
	uint32_t handle;       /* 0: free */
	uint32_t gen;	       /* of the handle given out last */
	uint32_t next;	       /* in the queue of free slots */
	uint8_t kind[KS_KEYS]; /* enum ksc_kind; KSC_NONE: no such key */
	struct ks_keyset set;
	char iccid[KS_ICCID_MAX + 1]; /* whose keys they are */
};

#define NO_SLOT UINT32_MAX

struct ks {
	size_t arena_len;
	struct ksc *c;
	int (*random)(void *ctx, uint8_t *buf, size_t len);
	void *random_ctx;
	struct ks_stats st;
	uint32_t mask, index_bits; /* of the slot number in a handle */
	uint32_t free_head, free_tail;
	bool unsettled; /* cipher contexts may hold what was unloaded */
	struct ksc_scratch scratch;
	uint8_t plain[KS_KEYS * KS_KEY_MAX];
	uint8_t work[KS_SECRET_FILE_MAX];
	uint8_t kek[KS_KEK_LEN];
	struct ks_keyset import;
	struct ks_wrap wrap[KS_WRAPS_MAX];
	struct slot slot[];
};

/* Not inlined: gcc 12 with sanitizers and _FORTIFY_SOURCE takes a struct for its first member and warns. */
__attribute__((noinline)) void ks_wipe(void *p, size_t len)
{
	if (p && len)
		explicit_bzero(p, len);
}

const char *ks_strerror(int err)
{
	switch (err) {
	case KS_OK:
		return "no error";
	case KS_E_KEK_FILE:
		return "the KEK file is missing, unreadable, of wrong length, or not mode 0600";
	case KS_E_KEK_WRONG:
		return "wrong key-encryption key for this state directory";
	case KS_E_PASSPHRASE:
		return "no passphrase, or too short";
	case KS_E_SEALED:
		return "sealed record damaged, or of another card or slot";
	case KS_E_SLOTS:
		return "all key slots are in use";
	case KS_E_REF:
		return "key reference not valid (any more)";
	case KS_E_POLICY:
		return "this key may not do that";
	case KS_E_CRYPTO:
		return "the cipher library refused";
	case KS_E_MEMORY:
		return "no memory for keys";
	case KS_E_KEYLEN:
		return "key of wrong length for its algorithm";
	case KS_E_WEAK:
		return "weak key: equal 3DES halves, or one octet repeated";
	case KS_E_HEX:
		return "key is not hexadecimal";
	case KS_E_SPEC:
		return "keyset description out of range";
	default:
		return ota_strerror(err);
	}
}

/* ---- slots ---- */

/* Free slots are a queue, not a stack: a handle's slot comes round only after all the others, and the same handle value
 * only after 2^32 loads. */
static void slot_free_push(struct ks *ks, uint32_t i)
{
	ks->slot[i].next = NO_SLOT;
	if (ks->free_head == NO_SLOT)
		ks->free_head = i;
	else
		ks->slot[ks->free_tail].next = i;
	ks->free_tail = i;
}

static struct slot *slot_take(struct ks *ks)
{
	struct slot *s;

	if (ks->free_head == NO_SLOT)
		return NULL;
	s = &ks->slot[ks->free_head];
	ks->free_head = s->next;
	do
		s->handle = ++s->gen << ks->index_bits | (uint32_t)(s - ks->slot);
	while (!(s->handle >> ks->index_bits)); /* generation 0 is skipped, so that no handle is 0 */
	if (++ks->st.slots_used > ks->st.slots_high)
		ks->st.slots_high = ks->st.slots_used;
	return s;
}

static struct slot *slot_of(struct ks *ks, uint32_t set)
{
	uint32_t i = set & ks->mask;

	if (!set || i >= ks->st.slots || ks->slot[i].handle != set)
		return NULL;
	return &ks->slot[i];
}

static void slot_give_back(struct ks *ks, struct slot *s)
{
	ks_wipe(&s->set, sizeof(s->set));
	memset(s->kind, 0, sizeof(s->kind));
	memset(s->iccid, 0, sizeof(s->iccid));
	s->handle = 0;
	ks->st.slots_used--;
	slot_free_push(ks, (uint32_t)(s - ks->slot));
}

/* ---- open and close ---- */

static int arena_make(struct ks **out, unsigned slots)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t len = sizeof(struct ks) + (size_t)slots * sizeof(struct slot);
	struct ks *ks;

	len = (len + page - 1) & ~(page - 1);
	ks = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ks == MAP_FAILED)
		return KS_E_MEMORY;
	ks->arena_len = len;
	/* Both are best effort: RLIMIT_MEMLOCK may be small, and the operator sees in the statistics what came of it. */
	ks->st.locked_memory = mlock(ks, len) == 0;
	ks->st.undumped = madvise(ks, len, MADV_DONTDUMP) == 0;
	ks->st.slots = slots;
	while ((1u << ks->index_bits) < slots)
		ks->index_bits++;
	ks->mask = (1u << ks->index_bits) - 1;
	ks->free_head = ks->free_tail = NO_SLOT;
	for (unsigned i = 0; i < slots; i++)
		slot_free_push(ks, i);
	*out = ks;
	return 0;
}

/* A first start: decides how the KEK is made. */
static int kdf_new(struct ks *ks, const struct ks_kek_ops *ops, struct ks_kdf *kdf)
{
	*kdf = (struct ks_kdf){ .kind = ops->kdf };
	if (ops->kdf != KS_KDF_SCRYPT)
		return 0;
	kdf->log_n = 15;
	kdf->r = 8;
	kdf->p = 1;
	return ks->random(ks->random_ctx, kdf->salt, sizeof(kdf->salt)) ? KS_E_CRYPTO : 0;
}

static int kdf_find(struct ks *ks, const struct ks_kek_ops *ops, const uint8_t *check, size_t check_len,
		    struct ks_kdf *kdf, char *err, size_t err_cap)
{
	int rc = check_len ? ks_check_kdf(check, check_len, kdf) : kdf_new(ks, ops, kdf);

	if (rc == KS_E_SEALED)
		ks_say(err, err_cap,
		       "keystore: the check record in the store is damaged or of a newer version; restore it from "
		       "a backup");
	else if (rc)
		ks_say(err, err_cap, "keystore: no randomness for the salt");
	if (rc)
		return rc;
	if (kdf->kind == ops->kdf)
		return 0;
	ks_say(err, err_cap, "keystore: this state directory was made with a KEK %s, a %s is configured",
	       kdf->kind == KS_KDF_SCRYPT ? "from a passphrase" : "in a file", ops->name);
	return KS_E_KEK_WRONG;
}

/* With the KEK in the contexts: opens the check record, or makes the first one. */
static int check_settle(struct ks *ks, const struct ks_kdf *kdf, const uint8_t *check, size_t check_len,
			uint8_t *check_out, char *err, size_t err_cap)
{
	uint8_t nonce[KS_NONCE_LEN];

	if (check_len) {
		if (!ks_check_open(ks->c, check))
			return 0;
		ks_say(err, err_cap,
		       "keystore: wrong %s for this state directory: its keys were sealed under another one",
		       kdf->kind == KS_KDF_SCRYPT ? "passphrase" : "key-encryption key");
		return KS_E_KEK_WRONG;
	}
	if (!check_out)
		return 0;
	if (!ks->random(ks->random_ctx, nonce, sizeof(nonce)) && !ks_check_make(ks->c, kdf, nonce, check_out))
		return 0;
	ks_say(err, err_cap, "keystore: cannot make a check record");
	return KS_E_CRYPTO;
}

static int kek_settle(struct ks *ks, const struct ks_open_params *p, const struct ks_kek_ops *ops, const uint8_t *check,
		      size_t check_len, uint8_t *check_out, char *err, size_t err_cap)
{
	struct ks_kdf kdf;
	int rc = kdf_find(ks, ops, check, check_len, &kdf, err, err_cap);

	if (rc)
		return rc;
	rc = ops->load(p, &kdf, ks->work, ks->kek, err, err_cap);
	ks_wipe(ks->work, sizeof(ks->work));
	if (!rc && ksc_kek(ks->c, ks->kek)) {
		rc = KS_E_CRYPTO;
		ks_say(err, err_cap, "keystore: OpenSSL does not take the key-encryption key");
	}
	ks_wipe(ks->kek, sizeof(ks->kek)); /* from here on it is in the two GCM contexts only */
	if (rc)
		return rc;
	return check_settle(ks, &kdf, check, check_len, check_out, err, err_cap);
}

static int crypto_start(struct ks *ks, char *err, size_t err_cap)
{
	const char *which = "";
	int rc = ksc_new(&ks->c, &ks->scratch);

	if (rc) {
		ks_say(err, err_cap,
		       "keystore: OpenSSL's default provider does not offer 3DES, AES-CBC and AES-256-GCM");
		return rc;
	}
	rc = ksc_self_test(ks->c, &which);
	if (rc)
		ks_say(err, err_cap, "keystore: self test failed: %s gives a wrong answer; nothing is ciphered with it",
		       which);
	return rc;
}

int ks_open(struct ks **out, const struct ks_open_params *p, const uint8_t *check, size_t check_len,
	    uint8_t check_out[KS_CHECK_LEN], char *err, size_t err_cap)
{
	static const struct ks_kek_ops *const sources[] = {
		[KS_KEK_FILE] = &ks_kek_file,
		[KS_KEK_PASSPHRASE] = &ks_kek_passphrase,
		[KS_KEK_MEMORY] = &ks_kek_memory,
	};
	unsigned slots = p->slots ? p->slots : KS_SLOTS_DEFAULT;
	struct ks *ks;
	int rc;

	*out = NULL;
	if ((unsigned)p->source >= sizeof(sources) / sizeof(sources[0]) || slots > KS_SLOTS_MAX ||
	    (check_len && !check)) {
		ks_say(err, err_cap, "keystore: KEK source or number of slots (1..%u) out of range", KS_SLOTS_MAX);
		return KS_E_SPEC;
	}
	if (!check_len && !check_out && p->source != KS_KEK_MEMORY) {
		ks_say(err, err_cap, "keystore: a first start needs room for the check record");
		return KS_E_SPEC;
	}
	rc = arena_make(&ks, slots);
	if (rc) {
		ks_say(err, err_cap, "keystore: no memory for %u key slots: %s", slots, strerror(errno));
		return rc;
	}
	ks->random = p->random ? p->random : ksc_random;
	ks->random_ctx = p->random ? p->random_ctx : NULL;
	rc = crypto_start(ks, err, err_cap);
	if (!rc)
		rc = kek_settle(ks, p, sources[p->source], check, check_len, check_out, err, err_cap);
	if (rc) {
		ks_close(ks);
		return rc;
	}
	*out = ks;
	return 0;
}

void ks_close(struct ks *ks)
{
	size_t len;

	if (!ks)
		return;
	ksc_free(ks->c);
	len = ks->arena_len;
	ks_wipe(ks, len);
	munmap(ks, len); /* unlocks, too */
}

struct ks_room ks_room(struct ks *ks)
{
	return (struct ks_room){ ks->c, ks->plain, ks->work, &ks->import, ks->wrap, &ks->st };
}

int ks_random(struct ks *ks, uint8_t *buf, size_t len)
{
	return ks->random(ks->random_ctx, buf, len);
}

const uint8_t *ks_arena(const struct ks *ks, size_t *len)
{
	*len = ks->arena_len;
	return (const uint8_t *)ks;
}

/* ---- import ---- */

int ks_alg_parse(const char *name, size_t *len)
{
	static const struct {
		const char *name;
		enum ota_alg alg;
		uint8_t len;
	} names[] = {
		{ "3des2", OTA_ALG_3DES2_CBC, 16 }, { "3des3", OTA_ALG_3DES3_CBC, 24 },
		{ "aes", OTA_ALG_AES_CBC, 0 },	    { "aes128", OTA_ALG_AES_CBC, 16 },
		{ "aes192", OTA_ALG_AES_CBC, 24 },  { "aes256", OTA_ALG_AES_CBC, 32 },
		{ "des", OTA_ALG_DES_CBC, 8 },	    { "des-ecb", OTA_ALG_DES_ECB, 8 },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i].name) != 0)
			continue;
		if (len)
			*len = names[i].len;
		return names[i].alg;
	}
	return -1;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Number of octets, or KS_E_HEX, KS_E_KEYLEN with a reason that counts digits and shows none. */
int ks_key_hex(uint8_t key[KS_KEY_MAX], const char *hex, const char *what, char *err, size_t err_cap)
{
	size_t n = strlen(hex);

	for (size_t i = 0; i < n; i++) {
		if (hex_digit(hex[i]) < 0) {
			ks_say(err, err_cap, "%s: character %zu is not a hexadecimal digit", what, i + 1);
			return KS_E_HEX;
		}
	}
	if (n % 2) {
		ks_say(err, err_cap, "%s: odd number of hexadecimal digits (%zu)", what, n);
		return KS_E_HEX;
	}
	if (n > 2 * KS_KEY_MAX) {
		ks_say(err, err_cap, "%s: %zu octets, the longest key there is has %d", what, n / 2, KS_KEY_MAX);
		return KS_E_KEYLEN;
	}
	for (size_t i = 0; i < n / 2; i++)
		key[i] = (uint8_t)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
	return (int)(n / 2);
}

/* Parity (the lowest bit of every octet) is ignored: cards ignore it, and lists come with either. */
static bool des_equal(const uint8_t *a, const uint8_t *b)
{
	uint8_t differ = 0;

	for (int i = 0; i < 8; i++)
		differ |= (a[i] ^ b[i]) & 0xfe;
	return !differ;
}

static bool is_des(enum ota_alg alg)
{
	return alg == OTA_ALG_DES_CBC || alg == OTA_ALG_DES_ECB || alg == OTA_ALG_3DES2_CBC || alg == OTA_ALG_3DES3_CBC;
}

static int key_weak(const uint8_t *key, size_t len, bool des, const char *what, char *err, size_t err_cap)
{
	const uint8_t mask = des ? 0xfe : 0xff;
	uint8_t differ = 0;

	for (size_t i = 1; i < len; i++)
		differ |= (key[i] ^ key[0]) & mask;
	if (!differ) {
		ks_say(err, err_cap, "%s: one octet repeated is no key", what);
		return KS_E_WEAK;
	}
	/* EDE with two neighbouring keys equal is single DES. */
	if (des && ((len >= 16 && des_equal(key, key + 8)) || (len == 24 && des_equal(key + 8, key + 16)))) {
		ks_say(err, err_cap, "%s: parts of the 3DES key are equal (parity ignored), which is single DES", what);
		return KS_E_WEAK;
	}
	return 0;
}

static const char *const key_names[KS_KEYS] = { "KIC", "KID", "KIK" };

/* KIK has no algorithm of its own in a keyset: it goes with KIc, in any length that a key can have. */
static bool key_len_fits(const struct ks_keyset *k, int i)
{
	const enum ota_alg alg = i == 0 ? k->spec.kic_alg : k->spec.kid_alg;

	if (i == 2)
		return k->len[2] % 8 == 0;
	if (alg == OTA_ALG_NONE)
		return k->len[i] == 0;
	return ks_kind(alg, k->len[i]) != KSC_NONE;
}

static int key_import(struct ks_keyset *k, int i, const char *hex, char *err, size_t err_cap)
{
	const enum ota_alg alg = i == 1 ? k->spec.kid_alg : k->spec.kic_alg;
	int n = ks_key_hex(k->key[i], hex ? hex : "", key_names[i], err, err_cap);

	if (n < 0)
		return n;
	k->len[i] = (uint8_t)n;
	if (!key_len_fits(k, i)) {
		ks_say(err, err_cap, "%s: %d octets do not fit algorithm %s", key_names[i], n, ota_alg_name(alg));
		return KS_E_KEYLEN;
	}
	return n && !k->spec.weak ? key_weak(k->key[i], (size_t)n, is_des(alg), key_names[i], err, err_cap) : 0;
}

static int keyset_import(struct ks *ks, const char *iccid, const struct ks_keyset_spec *spec,
			 const char *const hex[KS_KEYS], uint8_t *sealed, char *err, size_t err_cap)
{
	int rc = ks_spec_check(spec);

	if (rc) {
		ks_say(err, err_cap,
		       "keyset: key version 1..15, algorithms that exist, and a CC of 8 octets (4: AES only) "
		       "are needed; got version %u, CC %u",
		       spec->kvn, spec->cc_len);
		return rc;
	}
	ks->import.spec = *spec;
	for (int i = 0; i < KS_KEYS && !rc; i++)
		rc = key_import(&ks->import, i, hex[i], err, err_cap);
	if (rc)
		return rc;
	rc = ks_keyset_seal(ks->c, iccid, &ks->import, ks->plain, sealed);
	if (rc == KS_E_SPEC)
		ks_say(err, err_cap, "keyset: an ICCID of 1 to %d characters is needed", KS_ICCID_MAX);
	else if (rc < 0)
		ks_say(err, err_cap, "keyset: sealing failed: %s", ks_strerror(rc));
	return rc;
}

static void wipe_text(char *text)
{
	if (text)
		ks_wipe(text, strlen(text));
}

int ks_keyset_import(struct ks *ks, const char *iccid, const struct ks_keyset_spec *spec, char *kic_hex, char *kid_hex,
		     char *kik_hex, uint8_t sealed[KS_SEALED_MAX], char *err, size_t err_cap)
{
	const char *const hex[KS_KEYS] = { kic_hex, kid_hex, kik_hex };
	int rc = keyset_import(ks, iccid, spec, hex, sealed, err, err_cap);

	ks_wipe(&ks->import, sizeof(ks->import));
	wipe_text(kic_hex);
	wipe_text(kid_hex);
	wipe_text(kik_hex);
	if (rc < 0)
		ks->st.refused++;
	else
		ks->st.imports++;
	return rc;
}

/* ---- use by reference ---- */

/* KIK: of the family of the others, by its length. */
static enum ota_alg key_alg(const struct ks_keyset *k, int i)
{
	enum ota_alg family = k->spec.kic_alg != OTA_ALG_NONE ? k->spec.kic_alg : k->spec.kid_alg;

	if (i == 0)
		return k->spec.kic_alg;
	if (i == 1)
		return k->spec.kid_alg;
	if (!is_des(family))
		return family;
	return k->len[i] == 8 ? OTA_ALG_DES_CBC : k->len[i] == 16 ? OTA_ALG_3DES2_CBC : OTA_ALG_3DES3_CBC;
}

int ks_load(struct ks *ks, const char *iccid, uint8_t kvn, const uint8_t *sealed, size_t len, uint32_t *set)
{
	struct slot *s = slot_take(ks);
	int rc;

	*set = 0;
	if (!s) {
		ks->st.refused++;
		return KS_E_SLOTS;
	}
	rc = ks_keyset_open(ks->c, iccid, kvn, sealed, len, ks->plain, &s->set);
	if (rc) {
		slot_give_back(ks, s);
		ks->st.refused++;
		return rc;
	}
	memcpy(s->iccid, iccid, strnlen(iccid, KS_ICCID_MAX)); /* was short enough to be opened */
	for (int i = 0; i < KS_KEYS; i++) {
		s->kind[i] = (uint8_t)ks_kind(key_alg(&s->set, i), s->set.len[i]);
		/* Single DES is run as EDE with equal halves: the same result, and no legacy provider. */
		if (s->set.len[i] == 8)
			memcpy(s->set.key[i] + 8, s->set.key[i], 8);
	}
	ks->st.loads++;
	*set = s->handle;
	return 0;
}

void ks_unload(struct ks *ks, uint32_t set)
{
	struct slot *s = slot_of(ks, set);

	if (!s)
		return;
	ksc_forget(ks->c, set);
	slot_give_back(ks, s);
}

void ks_unload_soon(struct ks *ks, uint32_t set)
{
	struct slot *s = slot_of(ks, set);

	if (!s)
		return;
	ks->unsettled = true;
	slot_give_back(ks, s);
}

void ks_settle(struct ks *ks)
{
	if (ks->unsettled)
		ksc_forget(ks->c, 0);
	ks->unsettled = false;
}

/* Whether a key that was imported for one algorithm may be used as another: never, but that single DES keys serve both
 * of their modes. */
static bool alg_allowed(enum ota_alg key, enum ota_alg asked)
{
	return key == asked || (key == OTA_ALG_DES_CBC && asked == OTA_ALG_DES_ECB) ||
	       (key == OTA_ALG_DES_ECB && asked == OTA_ALG_DES_CBC);
}

/* KID only makes and checks checksums. */
static int mac_one(struct ks *ks, struct ota_mac_job *j)
{
	struct slot *s = slot_of(ks, j->key.set);

	if (!s || j->key.key != KS_KEY_KID || !s->kind[1] || j->alg == OTA_ALG_DES_ECB ||
	    !alg_allowed(s->set.spec.kid_alg, j->alg))
		return OTA_E_KEY;
	if (j->parts > OTA_MAC_PARTS_MAX || (j->mac_len != 8 && j->mac_len != 4))
		return OTA_E_RANGE;
	/* A shorter checksum than the keyset was declared with would be easier to guess. */
	if (j->mac_len < s->set.spec.cc_len)
		return OTA_E_KEY;
	ks->st.macs++;
	return ksc_mac(ks->c, s->kind[1], s->set.key[1], s->handle, j) ? OTA_E_KEY : 0;
}

/* KIc only ciphers and deciphers. */
static int cipher_one(struct ks *ks, struct ota_cipher_job *j)
{
	struct slot *s = slot_of(ks, j->key.set);

	if (!s || j->key.key != KS_KEY_KIC || !s->kind[0] || !alg_allowed(s->set.spec.kic_alg, j->alg))
		return OTA_E_KEY;
	if (j->len == 0 || j->len > INT32_MAX || j->len % (j->alg == OTA_ALG_AES_CBC ? 16 : 8))
		return OTA_E_BLOCK;
	ks->st.ciphers++;
	return ksc_cipher(ks->c, s->kind[0], s->set.key[0], s->handle, j) ? OTA_E_KEY : 0;
}

/* A key of a loaded set, in the algorithm asked for; false: there is none. */
static bool key_find(struct ks *ks, const struct ks_ref *ref, enum ota_alg alg, struct slot **slot, struct ksc_key *key)
{
	struct slot *s = slot_of(ks, ref->set);
	int i = ref->key - KS_KEY_KIC;

	if (!s || i < 0 || i >= KS_KEYS || !s->kind[i] || !alg_allowed(key_alg(&s->set, i), alg))
		return false;
	*slot = s;
	*key = (struct ksc_key){ .kind = s->kind[i], .key = s->set.key[i], .owner = s->handle };
	return true;
}

/* KIK only wraps, and only what goes to its own card: a key under another card's KIK would be that card's to read. */
static int wrap_one(struct ks *ks, struct ota_wrap_job *j)
{
	struct slot *to = NULL, *from = NULL;
	size_t block = ota_alg_block(j->dek_alg);
	struct ksc_key key, dek;

	if (j->dek.key != KS_KEY_KIK || !key_find(ks, &j->dek, j->dek_alg, &to, &dek) ||
	    !key_find(ks, &j->key, j->alg, &from, &key) || strcmp(from->iccid, to->iccid) != 0)
		return OTA_E_KEY;
	if (to->set.len[KS_KEY_KIK - 1] == 8) /* single DES: what it wraps is as good as told */
		return OTA_E_KEY;
	if (from->set.len[j->key.key - 1] != j->key_len)
		return OTA_E_KEY;
	if (!j->out || j->out_len != (j->key_len + block - 1) / block * block)
		return OTA_E_RANGE;
	ks->st.wraps++;
	return ksc_wrap(ks->c, &key, j->key_len, &dek, j) ? OTA_E_KEY : 0;
}

int ks_opc_script(struct ks *ks, const char *iccid, const uint8_t sealed[KS_OPC_LEN], uint8_t out[KS_AKA_KEY_LEN])
{
	const int rc = ks_opc_open(ks, iccid, sealed, out);

	if (rc) {
		ks_wipe(out, KS_AKA_KEY_LEN);
		ks->st.refused++;
	} else {
		ks->st.wraps++;
	}
	return rc;
}

int ks_opc_wrap(struct ks *ks, uint32_t set, const uint8_t sealed[KS_OPC_LEN], uint8_t out[KS_OPC_WRAPPED])
{
	const int kik = KS_KEY_KIK - KS_KEY_KIC;
	struct slot *s = slot_of(ks, set);
	size_t len = 0;
	int rc = s ? 0 : KS_E_REF;

	memset(out, 0, KS_OPC_WRAPPED);
	if (!rc && key_alg(&s->set, kik) != OTA_ALG_AES_CBC)
		rc = KS_E_POLICY;
	if (!rc)
		rc = ks_opc_open(ks, s->iccid, sealed, ks->plain);
	if (!rc)
		rc = ksc_kwp_card((enum ksc_kind)s->kind[kik], s->set.key[kik], ks->plain, KS_AKA_KEY_LEN, out, &len);
	if (!rc && len != KS_OPC_WRAPPED)
		rc = KS_E_CRYPTO;
	ks_wipe(ks->plain, KS_AKA_KEY_LEN);
	if (rc)
		ks->st.refused++;
	else
		ks->st.wraps++;
	return rc;
}

const struct ks_keyset *ks_set_of(struct ks *ks, uint32_t set, const char **iccid)
{
	const struct slot *s = slot_of(ks, set);

	*iccid = s ? s->iccid : NULL;
	return s ? &s->set : NULL;
}

static int hook_mac(void *ctx, struct ota_mac_job *jobs, size_t n)
{
	struct ks *ks = ctx;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		jobs[i].rc = mac_one(ks, &jobs[i]);
		if (jobs[i].rc)
			ks->st.refused++;
		if (!rc)
			rc = jobs[i].rc;
	}
	/* CMAC subkeys and chaining values of the last message */
	ks_wipe(&ks->scratch, sizeof(ks->scratch));
	return rc;
}

static int hook_cipher(void *ctx, struct ota_cipher_job *jobs, size_t n)
{
	struct ks *ks = ctx;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		jobs[i].rc = cipher_one(ks, &jobs[i]);
		if (jobs[i].rc)
			ks->st.refused++;
		if (!rc)
			rc = jobs[i].rc;
	}
	return rc;
}

static int hook_wrap(void *ctx, struct ota_wrap_job *jobs, size_t n)
{
	struct ks *ks = ctx;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		jobs[i].rc = wrap_one(ks, &jobs[i]);
		if (jobs[i].rc)
			ks->st.refused++;
		if (!rc)
			rc = jobs[i].rc;
	}
	/* the last key in clear */
	ks_wipe(&ks->scratch, sizeof(ks->scratch));
	return rc;
}

struct ota_crypt ks_crypt(struct ks *ks)
{
	return (struct ota_crypt){ .ctx = ks, .mac = hook_mac, .cipher = hook_cipher, .wrap = hook_wrap };
}

void ks_stats(const struct ks *ks, struct ks_stats *out)
{
	*out = ks->st;
}
