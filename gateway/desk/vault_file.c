/* vault_file.c - the vault: pairs that a card maker has made come in from his file.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * ICCID,INDEX,KVN,K,OPC,KIC,KID,KIK[,IMSI[,MSISDN]] in any order, named by the first line.  The lines of a card stand together: a line with
 * an index is a pair (with a key version: the one that is active), a line without is the keyset of key version 14 or 15.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vault_int.h"

#define FILE_CARDS    32 /* in a round */
#define FILE_LINE_MAX 1024
#define FILE_BUF      16384

enum column { ICCID, INDEX, KVN, K, OPC, KIC, KID, KIK, IMSI, MSISDN, _COLUMNS };
static const char *const names[_COLUMNS] = {
	"ICCID", "INDEX", "KVN", "K", "OPC", "KIC", "KID", "KIK", "IMSI", "MSISDN"
};

struct file_card {
	char iccid[ICCID_DIGITS_MAX + 1], imsi[IMSI_DIGITS_MAX + 1], msisdn[MSISDN_DIGITS_MAX + 1];
	unsigned pairs, highest, active;
	struct vault_pair pair[VAULT_PAIRS_MAX];
	struct vault_sets sets;
};
struct file {
	FILE *in;
	unsigned long line;
	int at[_COLUMNS]; /* where it stands, -1: nowhere */
	unsigned columns;
	unsigned round, n;
	bool held; /* text is a line that is still to be taken */
	uint64_t taken, known;
	unsigned fresh;
	int rc;
	char text[FILE_LINE_MAX];
	struct file_card card[FILE_CARDS];
	char buf[FILE_BUF];
};

void vault_import_drop(struct desk_call *c)
{
	struct file *f = c->scratch;

	if (!f)
		return;
	if (f->in)
		fclose(f->in);
	ks_wipe(f, sizeof(*f));
	free(f);
	c->scratch = NULL;
}

static int bad(struct desk_call *c, const struct file *f, const char *what)
{
	snprintf(c->text, sizeof(c->text), "%.150s, line %lu: %.120s", c->r.file, f->line, what);
	return -EINVAL;
}

static unsigned split(char *text, char *value[], unsigned max)
{
	unsigned n = 0;

	text[strcspn(text, "\r\n")] = 0;
	for (char *next = text; next && n < max; n++) {
		value[n] = next;
		next = strchr(next, ',');
		if (next)
			*next++ = 0;
	}
	return n;
}

#define COLUMNS_MAX 16

static int head_read(struct file *f, struct desk_call *c)
{
	char *value[COLUMNS_MAX];

	f->line = 1;
	if (!fgets(f->text, sizeof(f->text), f->in))
		return bad(c, f, "empty");
	f->columns = split(f->text, value, COLUMNS_MAX);
	for (unsigned i = 0; i < _COLUMNS; i++)
		f->at[i] = -1;
	for (unsigned k = 0; k < f->columns; k++)
		for (unsigned i = 0; i < _COLUMNS; i++)
			if (!strcmp(value[k], names[i]))
				f->at[i] = (int)k;
	for (unsigned i = 0; i < IMSI; i++)
		if (f->at[i] < 0)
			return bad(c, f, "the first line names the columns ICCID,INDEX,KVN,K,OPC,KIC,KID,KIK");
	return 0;
}

static int begin(struct desk_call *c)
{
	struct file *f = c->scratch = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->in = c->r.file ? fopen(c->r.file, "re") : NULL;
	if (!f->in) {
		snprintf(c->text, sizeof(c->text), "%s: %s", c->r.file ? c->r.file : "the file of pairs",
			 c->r.file ? strerror(errno) : "is missing");
		return -EINVAL;
	}
	setvbuf(f->in, f->buf, _IOFBF, sizeof(f->buf));
	return head_read(f, c);
}

/* A number of at most five digits; 0 when it is none. */
static unsigned number(const char *v)
{
	size_t n = strspn(v, "0123456789");

	return n && n <= 5 && !v[n] ? (unsigned)atoi(v) : 0;
}

static bool digits(const char *s, size_t min, size_t max)
{
	size_t n = strspn(s, "0123456789");

	return !s[n] && n >= min && n <= max;
}

static int take_pair(struct desk *d, struct file *f, struct file_card *k, char *value[_COLUMNS], struct desk_call *c)
{
	unsigned index = number(value[INDEX]);
	char err[200] = "";

	if (!index || index > VAULT_PAIRS_MAX)
		return bad(c, f, "an index is 1 to 40");
	if (k->pair[index - 1].keys.ota_len)
		return bad(c, f, "this index is there twice");
	if (ks_pair_import(d->deps.ks, k->iccid, (uint16_t)index,
			   &(struct ks_pair_text){ value[K], value[OPC], value[KIC], value[KID], value[KIK] },
			   &k->pair[index - 1].keys, err, sizeof(err)))
		return bad(c, f, err);
	k->pairs++;
	if (index > k->highest)
		k->highest = index;
	if (*value[KVN]) {
		if (k->active)
			return bad(c, f, "two of its pairs have a key version: one of them is active");
		k->active = index;
	}
	return 0;
}

static int take_set(struct desk *d, struct file *f, struct file_card *k, char *value[_COLUMNS], struct desk_call *c)
{
	unsigned kvn = number(value[KVN]), at = kvn - OTA_SUB_KVN_VAULT;
	const struct ks_keyset_spec spec = {
		.kvn = (uint8_t)kvn, .kic_alg = OTA_ALG_AES_CBC, .kid_alg = OTA_ALG_AES_CBC, .cc_len = 8
	};
	char err[200] = "";
	int len;

	if (kvn != OTA_SUB_KVN_VAULT && kvn != OTA_SUB_KVN_CHANGE)
		return bad(c, f, "a line without an index is key version 14 or 15");
	if (k->sets.len[at])
		return bad(c, f, "this key version is there twice");
	len = ks_keyset_import(d->deps.ks, k->iccid, &spec, value[KIC], value[KID], value[KIK], k->sets.sealed[at], err,
			       sizeof(err));
	if (len < 0)
		return bad(c, f, err);
	k->sets.len[at] = (uint8_t)len;
	return 0;
}

static int number_take(struct file *f, char *out, size_t cap, const char *v, size_t min, struct desk_call *c)
{
	if (!*v)
		return 0;
	if (!digits(v, min, cap - 1))
		return bad(c, f, "IMSI and MSISDN are digits");
	memcpy(out, v, strlen(v) + 1);
	return 0;
}

/* One line: of the card before it, or of a new one.  1: of a new one, and there is no room for it. */
static int line_take(struct desk *d, struct file *f, struct desk_call *c)
{
	static char none[1];
	char copy[FILE_LINE_MAX], *part[COLUMNS_MAX], *value[_COLUMNS];
	struct file_card *k;
	unsigned n;
	int rc;

	memcpy(copy, f->text, sizeof(copy));
	n = split(copy, part, COLUMNS_MAX);
	if (n == 1 && !*part[0])
		return 0;
	if (n != f->columns)
		return bad(c, f, "another number of values than the first line has columns");
	for (unsigned i = 0; i < _COLUMNS; i++)
		value[i] = f->at[i] < 0 ? none : part[f->at[i]];
	if (!digits(value[ICCID], 18, ICCID_DIGITS_MAX))
		return bad(c, f, "an ICCID has 18 to 20 digits");
	if (!f->n || strcmp(f->card[f->n - 1].iccid, value[ICCID])) {
		if (f->n == FILE_CARDS) {
			ks_wipe(copy, sizeof(copy));
			return 1;
		}
		memset(&f->card[f->n], 0, sizeof(f->card[0]));
		strcpy(f->card[f->n++].iccid, value[ICCID]);
	}
	k = &f->card[f->n - 1];
	rc = *value[INDEX] ? take_pair(d, f, k, value, c) : take_set(d, f, k, value, c);
	if (!rc)
		rc = number_take(f, k->imsi, sizeof(k->imsi), value[IMSI], 6, c);
	if (!rc)
		rc = number_take(f, k->msisdn, sizeof(k->msisdn), value[MSISDN], 3, c);
	ks_wipe(copy, sizeof(copy));
	return rc;
}

/* The next cards, whole. */
static int cards_read(struct desk *d, struct file *f, struct desk_call *c)
{
	int rc = 0;

	f->n = 0;
	while (!rc && (f->held || fgets(f->text, sizeof(f->text), f->in))) {
		if (!f->held)
			f->line++;
		f->held = false;
		if (!strchr(f->text, '\n') && !feof(f->in))
			return bad(c, f, "too long");
		rc = line_take(d, f, c);
		f->held = rc == 1;
		if (!f->held)
			ks_wipe(f->text, sizeof(f->text));
	}
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < f->n; i++) {
		struct file_card *k = &f->card[i];

		if (!k->pairs || k->pairs != k->highest) {
			snprintf(c->text, sizeof(c->text), "card %s: its indexes are 1 to n, none left out", k->iccid);
			return -EINVAL;
		}
		if (!k->active)
			k->active = 1;
	}
	return ferror(f->in) ? bad(c, f, "cannot be read") : 0;
}

unsigned vault_import_want(struct desk *d, struct desk_call *c, struct desk_open_order *o, char (*keys)[BOOK_KEY_MAX],
			   unsigned max)
{
	struct file *f;
	int rc = c->scratch ? 0 : begin(c);
	unsigned n = 0;

	(void)o;
	f = c->scratch;
	if (!f)
		return 0;
	if (rc)
		f->rc = rc;
	if (!f->rc && f->round != c->round + 1) {
		f->taken += f->fresh; /* the round before is durable */
		f->known += f->n - f->fresh;
		f->round = c->round + 1;
		f->rc = cards_read(d, f, c);
	}
	for (; !f->rc && n < f->n && n < max; n++)
		pair_key(keys[n], f->card[n].iccid, VAULT_SETS);
	return n;
}

static int put_card(struct desk *d, struct desk_job *j, struct file_card *k)
{
	struct vault_card c;
	uint8_t body[BOOK_BODY_MAX];
	char key[BOOK_KEY_MAX];
	int len = vault_sets_pack(&k->sets, body);

	if (len < 0)
		return -1;
	pair_key(key, k->iccid, VAULT_SETS);
	job_put(j, BOOK_PAIR, key, 0, 0, 0, body, (size_t)len);
	for (unsigned index = 1; index <= k->pairs; index++) {
		k->pair[index - 1].at_ms = desk_now(d);
		len = vault_pair_pack(&k->pair[index - 1], body);
		if (len < 0)
			return -1;
		pair_key(key, k->iccid, index);
		job_put(j, BOOK_PAIR, key, 0, PAIR_FREE, 0, body, (size_t)len);
	}
	vault_card_new(&c, k->iccid, k->pairs, k->active);
	memcpy(c.imsi, k->imsi, sizeof(c.imsi));
	memcpy(c.msisdn, k->msisdn, sizeof(c.msisdn));
	return vault_card_put(j, &c, VAULT_MADE, 0);
}

int vault_import_decide(struct desk *d, struct desk_job *j, struct desk_call *c)
{
	struct file *f = c->scratch;

	if (!f)
		return -ENOMEM;
	if (f->rc)
		return f->rc;
	if (!f->n) {
		snprintf(c->text, sizeof(c->text), "%" PRIu64 " cards taken, %" PRIu64 " were here already", f->taken,
			 f->known);
		return 0;
	}
	f->fresh = 0;
	for (unsigned i = 0; i < j->n; i++) {
		if (j->row[i].row.version)
			continue;
		f->fresh++;
		if (put_card(d, j, &f->card[i])) {
			snprintf(c->text, sizeof(c->text), "card %s cannot be kept", f->card[i].iccid);
			return -EIO;
		}
	}
	return DESK_MORE;
}
