/* api_import.c - cards come in: numbers checked, keys sealed on arrival, each card whole or not at all.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Key columns go from the line's memory into the keystore's parser and are wiped there; the rest of the line is wiped
 * by chunk_read().  No reason, log or answer is made from a key column.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ota/nearest.h"
#include "api_int.h"

/* Column names of the sysmocom and pySim files (KICn is added below).  What this gateway has no use for yet is read over
 * and wiped with its line: subscriber key, operator code, PINs, administrative key. */
static const char *const column_plain[] = {
	"ICCID", "IMSI", "MSISDN", "ID", "ACC",	 "PIN1", "PUK1",  "PIN2",
	"PUK2",	 "KI",	 "OPC",	   "OP", "ADM1", "ADM2", "BATCH", "TZ",
};
#define COLUMNS_PLAIN ARRAY_SIZE(column_plain)
#define COLUMNS_KNOWN (COLUMNS_PLAIN + _KEY_COLUMNS * KVN_MAX)

static const char *const key_name[_KEY_COLUMNS] = {
	[KEY_KIC] = "KIC", [KEY_KID] = "KID", [KEY_KIK] = "KIK", [KEY_CNTR] = "CNTR", [KEY_GEN] = "GEN",
};

/* The slot of the request that asks for this version, or -1. */
static int slot_of(const struct session *s, unsigned kvn)
{
	for (unsigned i = 0; i < s->import.n_keysets; i++) {
		if (s->import.keyset[i].kvn == kvn)
			return (int)i;
	}
	return -1;
}

static uint8_t column_meaning(const struct session *s, unsigned known)
{
	int slot;

	if (known <= COL_MSISDN)
		return (uint8_t)known;
	if (known < COLUMNS_PLAIN)
		return strcmp(column_plain[known], "TZ") ? COL_IGNORED : COL_TZ;
	known -= COLUMNS_PLAIN;
	slot = slot_of(s, known % KVN_MAX + 1);
	return slot < 0 ? COL_IGNORED : (uint8_t)COL_KEY(known / KVN_MAX, (unsigned)slot);
}

static bool has_column(const struct session *s, unsigned column)
{
	for (unsigned i = 0; i < s->n_columns; i++) {
		if (s->column[i] == column)
			return true;
	}
	return false;
}

static int import_header(struct session *s, struct csv_record *r, char *why, size_t cap)
{
	char text[_KEY_COLUMNS * KVN_MAX][8];
	const char *known[COLUMNS_KNOWN];

	memcpy(known, column_plain, sizeof(column_plain));
	for (unsigned i = 0; i < _KEY_COLUMNS * KVN_MAX; i++) {
		snprintf(text[i], sizeof(text[i]), "%s%u", key_name[i / KVN_MAX], i % KVN_MAX + 1);
		known[COLUMNS_PLAIN + i] = text[i];
	}
	if (header_map(s, r, known, COLUMNS_KNOWN, why, cap))
		return -1;
	for (unsigned i = 0; i < s->n_columns; i++)
		s->column[i] = column_meaning(s, s->column[i]);
	for (unsigned c = COL_ICCID; c <= COL_IMSI; c++) {
		if (!has_column(s, c)) {
			snprintf(why, cap, "line 1: there is no column %s", column_plain[c]);
			return -1;
		}
	}
	for (unsigned i = 0; i < s->import.n_keysets; i++) {
		for (unsigned kind = 0; kind <= KEY_KID; kind++) { /* KIK is not used yet and may be missing */
			if (!has_column(s, COL_KEY(kind, i))) {
				snprintf(why, cap, "line 1: there is no column %s%u, but key version %u was asked for",
					 key_name[kind], s->import.keyset[i].kvn, s->import.keyset[i].kvn);
				return -1;
			}
		}
	}
	return 0;
}

/* A number that the line may have of its own; empty or without column: the request's.  Not a word of the field is repeated:
 * under a wrong header it could be a key. */
static int line_number(const struct session *s, const struct csv_record *r, unsigned slot, enum key_column kind,
		       uint64_t least, uint64_t most, uint64_t *n, char *why, size_t cap)
{
	const char *text = line_field(s, r, COL_KEY(kind, slot));
	uint64_t v = 0;
	size_t i;

	if (!*text)
		return 0;
	for (i = 0; text[i] >= '0' && text[i] <= '9' && v <= most; i++)
		v = v * 10 + (uint64_t)(text[i] - '0');
	*n = v;
	if (!text[i] && v >= least && v <= most)
		return 0;
	snprintf(why, cap, "%s%u must be a number from %" PRIu64 " to %" PRIu64, key_name[kind],
		 s->import.keyset[slot].kvn, least, most);
	return -1;
}

/* One key version of one card: out of the line into a sealed record. */
static int import_keyset(struct api *a, struct session *s, struct csv_record *r, unsigned i, const char *iccid,
			 struct keyset_row *out, char *why, size_t cap)
{
	char *hex[3], reason[160] = "";
	unsigned kvn = s->import.keyset[i].kvn;
	uint64_t cntr = s->import.keyset[i].cntr, gen = s->import.keyset[i].gen;
	int rc;

	if (line_number(s, r, i, KEY_CNTR, 1, OTA_CNTR_MAX - 1, &cntr, why, cap) ||
	    line_number(s, r, i, KEY_GEN, 0, UINT32_MAX, &gen, why, cap))
		return -1;
	for (unsigned kind = 0; kind <= KEY_KIK; kind++)
		hex[kind] = line_field(s, r, COL_KEY(kind, i));
	for (unsigned kind = 0; kind <= KEY_KID; kind++) {
		size_t n = strlen(hex[kind]);

		if (!n) {
			snprintf(why, cap, "%s%u is empty", key_name[kind], kvn);
			return -1;
		}
		if (s->key_len[i] && n != 2 * s->key_len[i]) {
			snprintf(why, cap, "%s%u has %zu digits, a key for %s has %zu", key_name[kind], kvn, n,
				 s->import.keyset[i].alg, 2 * s->key_len[i]);
			return -1;
		}
	}
	rc = ks_keyset_import(a->deps.ks, iccid, &s->spec[i], hex[0], hex[1], hex[2], out->sealed, reason,
			      sizeof(reason));
	if (rc < 0) {
		snprintf(why, cap, "key version %u: %s", kvn, *reason ? reason : ks_strerror(rc));
		return -1;
	}
	out->kvn = (uint8_t)kvn;
	out->kic_alg = (uint8_t)s->spec[i].kic_alg;
	out->kid_alg = (uint8_t)s->spec[i].kid_alg;
	out->cc_len = s->spec[i].cc_len;
	out->sealed_len = (uint16_t)rc;
	/* the row keeps the last value taken: the first command takes what the operator said */
	out->cntr = cntr - 1;
	out->generation = (uint32_t)gen;
	out->epoch = gw_epoch(a->deps.gw);
	return 0;
}

static int card_numbers(struct session *s, struct csv_record *r, struct card_row *card, char *why, size_t cap)
{
	char digits[_NUMBERS][ICCID_DIGITS_MAX + 1] = { "" };

	for (unsigned n = 0; n < _NUMBERS; n++) {
		const char *text = line_field(s, r, n);

		if (n == NUM_MSISDN && !*text)
			continue;
		if (check_number(n, text, digits[n], why, cap) || check_seen(s, n, digits[n], r->line, why, cap))
			return -1;
	}
	memcpy(card->iccid, digits[NUM_ICCID], sizeof(card->iccid));
	memcpy(card->imsi, digits[NUM_IMSI], sizeof(card->imsi));
	memcpy(card->msisdn, digits[NUM_MSISDN], sizeof(card->msisdn));
	return 0;
}

/* Where the device stands, for windows in its own time; a list that does not say leaves it as it is. */
static int card_zone(const struct session *s, const struct csv_record *r, struct card_row *card, char *why, size_t cap)
{
	const char *text = line_field(s, r, COL_TZ);

	card->tz_min = CARD_TZ_KEEP;
	if (!*text || !rules_zone_parse(text, &card->tz_min))
		return 0;
	/* not a word of the field: under a wrong header it could be a key */
	snprintf(why, cap, "TZ must be an offset from UTC like +02:00, from -12:00 to +14:00");
	return -1;
}

static int seen_all(struct session *s, const char *iccid, const char *imsi, const char *msisdn, uint64_t line)
{
	return seen_add(&s->seen[NUM_ICCID], iccid, line) || seen_add(&s->seen[NUM_IMSI], imsi, line) ||
	       (*msisdn && seen_add(&s->seen[NUM_MSISDN], msisdn, line));
}

static void import_line(struct api *a, struct session *s, struct chunk *ch, struct csv_record *r)
{
	struct store_card_insert in = { .n_keysets = (uint8_t)s->import.n_keysets };
	char why[API_REASON_MAX] = "";
	int bad = card_numbers(s, r, &in.card, why, sizeof(why)) || card_zone(s, r, &in.card, why, sizeof(why));

	in.card.created_ms = api_now(a);
	memcpy(in.card.profile, s->import.profile, sizeof(in.card.profile));
	for (unsigned i = 0; i < s->import.n_keysets && !bad; i++)
		bad = import_keyset(a, s, r, i, in.card.iccid, &in.keyset[i], why, sizeof(why));
	if (bad)
		chunk_reject(ch, r->line, "%s", why);
	else if (!chunk_op(ch, ST_CARD_INSERT, &in, NULL, 0, r->line) ||
		 seen_all(s, in.card.iccid, in.card.imsi, in.card.msisdn, r->line))
		ch->oom = true;
	ks_wipe(&in, sizeof(in));
}

/* Why a line was refused. */
static void import_reason(char *out, size_t cap, int rc, const struct store_card_insert *in)
{
	unsigned kvn = in->refused_kvn, known = in->known_generation, gen = 0;

	for (unsigned i = 0; i < in->n_keysets; i++)
		if (in->keyset[i].kvn == kvn)
			gen = in->keyset[i].generation;
	switch (rc) {
	case STORE_R_OLD_GENERATION:
		snprintf(
			out, cap,
			"key version %u: the card's keys are of generation %u here, those of this line of %u: an older "
			"list, or gen (column GEN%u) is missing",
			kvn, known, gen, kvn);
		break;
	case STORE_R_OTHER_KEYS:
		snprintf(out, cap,
			 "key version %u: other keys or algorithms than those known as generation %u; new keys need a "
			 "higher one (gen, or column GEN%u)",
			 kvn, known, kvn);
		break;
	case STORE_R_OPEN_TXN:
		snprintf(out, cap,
			 "key version %u: a command under the keys to be replaced is open, and its answer needs them: "
			 "import again when it has ended",
			 kvn);
		break;
	case STORE_R_KEYSETS_FULL:
		snprintf(out, cap, "key version %u: the card has other versions already, and %d are kept of one card",
			 kvn, CARD_KEYSETS_MAX);
		break;
	default:
		store_reason(out, cap, rc, in->card.iccid, in->card.imsi, in->card.msisdn, 0, "");
	}
}

static void import_committed(struct store_batch *b, int rc)
{
	struct chunk *ch = b->ctx;
	struct session *s = session_find(ch->call.a, SESSION_IMPORT, ch->session);

	if (rc) {
		chunk_failed(ch, s, rc, b->why);
		return;
	}
	for (size_t i = 0; i < b->n; i++) {
		const struct store_card_insert *in = b->ops[i].row;
		char why[API_REASON_MAX];

		if (b->ops[i].rc == STORE_OK) {
			ch->out.accepted++;
		} else if (b->ops[i].rc == STORE_R_SAME) {
			ch->out.unchanged++;
		} else if (b->ops[i].rc == STORE_R_UPDATED) {
			ch->out.updated++;
			if (!b->dry_run)
				gw_card_imported(ch->call.a->deps.gw, in);
		} else {
			import_reason(why, sizeof(why), b->ops[i].rc, in);
			chunk_reject(ch, ch->line[i], "%s", why);
			for (unsigned n = 0; s && n < _NUMBERS; n++)
				seen_drop(&s->seen[n],
					  n == NUM_ICCID ? in->card.iccid :
					  n == NUM_IMSI	 ? in->card.imsi :
							   in->card.msisdn,
					  ch->line[i]);
		}
	}
	chunk_end(ch, s);
}

/* ------------------------------------------------------------------------------------------------- calls */

static int check_keyset(struct session *s, unsigned i, struct api_to to)
{
	static const char *const algs[] = { "3des2", "3des3", "aes", "aes128", "aes192", "aes256", "des" };
	unsigned kvn = s->import.keyset[i].kvn, cc_len = s->import.keyset[i].cc_len;
	int alg = ks_alg_parse(s->import.keyset[i].alg, &s->key_len[i]);

	if (kvn < 1 || kvn > KVN_MAX) {
		api_fail(to, API_BAD, "bad-keyset", "key version %u: must be 1 to %d", kvn, KVN_MAX);
		return -1;
	}
	if (slot_of(s, kvn) != (int)i) {
		api_fail(to, API_BAD, "bad-keyset", "key version %u is named twice", kvn);
		return -1;
	}
	if (alg < 0) {
		const char *near = nearest_word(s->import.keyset[i].alg, algs, ARRAY_SIZE(algs));

		api_fail(to, API_BAD, "bad-keyset",
			 "key version %u: unknown algorithm \"%s\"%s%s; known are 3des2, 3des3, aes, aes128, aes192, "
			 "aes256, des",
			 kvn, s->import.keyset[i].alg, near ? "; did you mean " : "", near ? near : "");
		return -1;
	}
	/* under the highest value of all nothing could follow, no read-back either */
	if (s->import.keyset[i].cntr < 1 || s->import.keyset[i].cntr > OTA_CNTR_MAX - 1) {
		api_fail(to, API_BAD, "bad-keyset",
			 "key version %u: the first counter must be 1 to %llu (no counter is left after %llu)", kvn,
			 OTA_CNTR_MAX - 1, OTA_CNTR_MAX);
		return -1;
	}
	if (cc_len != 8 && !(cc_len == 4 && alg == OTA_ALG_AES_CBC)) {
		api_fail(to, API_BAD, "bad-keyset", "key version %u: cc_len must be 8%s", kvn,
			 alg == OTA_ALG_AES_CBC ? " or 4" : " (4 is for AES only)");
		return -1;
	}
	s->spec[i] = (struct ks_keyset_spec){ .kvn = (uint8_t)kvn,
					      .kic_alg = (enum ota_alg)alg,
					      .kid_alg = (enum ota_alg)alg,
					      .cc_len = (uint8_t)cc_len };
	return 0;
}

void api_import_create(struct api *a, const struct api_import_req *req, struct api_to to)
{
	struct session *s;
	struct api_created made = { 0 };
	struct api_reply r = { .status = API_OK, .created = &made };

	if (req->n_keysets < 1 || req->n_keysets > CARD_KEYSETS_MAX) {
		api_fail(to, API_BAD, "bad-keyset", "name 1 to %d key versions, for example 1=3des2,cntr=1",
			 CARD_KEYSETS_MAX);
		return;
	}
	if (*req->profile && !profile_known(a, req->profile, to))
		return;
	s = session_new(a, SESSION_IMPORT, "im", to);
	if (!s)
		return;
	s->import = *req;
	s->dry_run = req->dry_run;
	for (unsigned i = 0; i < req->n_keysets; i++) {
		if (!s->import.keyset[i].cc_len)
			s->import.keyset[i].cc_len = 8;
		if (check_keyset(s, i, to)) {
			session_drop(a, s);
			return;
		}
	}
	made.id = s->id;
	to.done(to.ctx, &r);
}

static struct session *import_find(struct api *a, const char *id, struct api_to to)
{
	struct session *s = session_find(a, SESSION_IMPORT, id);

	if (!s)
		api_fail(to, API_NOT_FOUND, "no-such-import",
			 "import %.15s is not open (finished, left alone too long, or the gateway was restarted): "
			 "begin again; cards that are in already are unchanged",
			 id);
	return s;
}

void api_import_lines(struct api *a, const char *id, uint64_t first, char *text, size_t len, struct api_to to)
{
	struct session *s = import_find(a, id, to);
	struct chunk *ch = s ? chunk_read(a, s, first, text, len, to, import_header, import_line) : NULL;

	ks_wipe(text, len);
	if (ch)
		chunk_commit(ch, import_committed);
}

void api_import_finish(struct api *a, const char *id, struct api_to to)
{
	struct session *s = import_find(a, id, to);
	struct api_reply r = { .status = API_OK };

	if (!s)
		return;
	if (s->busy) {
		api_fail(to, API_NOT_READY, "busy", "the last chunk is still being committed: try again");
		return;
	}
	if (!s->n_columns) {
		api_fail(to, API_BAD, "empty-list", "the list is empty: line 1 must name the columns");
		return;
	}
	s->total.total = true;
	r.lines = &s->total;
	api_log(a, 5,
		"card import %s%s: %" PRIu64 " accepted, %" PRIu64 " updated, %" PRIu64 " unchanged, %" PRIu64
		" rejected",
		s->id, s->dry_run ? " (dry run)" : "", s->total.accepted, s->total.updated, s->total.unchanged,
		s->total.rejected);
	to.done(to.ctx, &r);
	session_drop(a, s);
}
