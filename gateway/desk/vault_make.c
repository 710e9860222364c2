/* vault_make.c - the vault: pairs are made for new cards, and written once for the card maker.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Two rounds for some cards at a time: in the first their pairs are made and committed, in the second they are read back and written to the
 * card maker's file.  So nothing stands in the file that the vault does not have, and after a crash the same order goes on: what is
 * there stays as it is and is written anew, as long as none of it has been issued.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vault_int.h"

#define MAKE_LINE_MAX 256
#define MAKE_CARDS    (DESK_PAGE / 2) /* at a time, at most */
#define MAKE_BUF      65536
#define PATH_PART     ".part"

struct make_card {
	char iccid[ICCID_DIGITS_MAX + 1], imsi[IMSI_DIGITS_MAX + 1], msisdn[MSISDN_DIGITS_MAX + 1];
};
struct make {
	FILE *in, *out;
	char part[sizeof(((struct desk_request *)0)->out) + sizeof(PATH_PART)];
	unsigned long line;
	unsigned round; /* whose cards these are, from 1 */
	unsigned n, fresh;
	uint64_t made, known;
	int rc;
	struct make_card card[MAKE_CARDS];
	char buf[MAKE_BUF]; /* of `out`: keys pass through */
};

void vault_make_drop(struct desk_call *c)
{
	struct make *m = c->scratch;

	if (!m)
		return;
	if (m->in)
		fclose(m->in);
	if (m->out) /* not at its end: what is in it is of no use */
		fclose(m->out);
	if (m->out && m->part[0])
		unlink(m->part);
	ks_wipe(m, sizeof(*m));
	free(m);
	c->scratch = NULL;
}

/* ---- files ---- */

static bool digits(const char *s, size_t min, size_t max)
{
	size_t n = strspn(s, "0123456789");

	return !s[n] && n >= min && n <= max;
}

static int out_begin(struct make *m, struct desk_call *c)
{
	int fd;

	if (!c->r.out[0]) {
		snprintf(c->text, sizeof(c->text),
			 "say where the card maker's file shall be (--out FILE): without it these keys would be "
			 "in no card");
		return -EINVAL;
	}
	if (!access(c->r.out, F_OK)) {
		snprintf(c->text, sizeof(c->text), "%s is there already: take another name, or remove it", c->r.out);
		return -EEXIST;
	}
	snprintf(m->part, sizeof(m->part), "%s" PATH_PART, c->r.out);
	fd = open(m->part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && !fchmod(fd, 0600))
		m->out = fdopen(fd, "w");
	if (!m->out) {
		int err = errno;

		snprintf(c->text, sizeof(c->text), "%s cannot be written: %s", m->part, strerror(err));
		if (fd >= 0)
			close(fd);
		m->part[0] = 0;
		return -err;
	}
	setvbuf(m->out, m->buf, _IOFBF, sizeof(m->buf));
	fputs("ICCID,INDEX,KVN,K,OPC,KIC,KID,KIK,IMSI,MSISDN\n", m->out);
	return 0;
}

static int out_end(struct make *m, struct desk_call *c)
{
	bool bad = fflush(m->out) || fsync(fileno(m->out)) || ferror(m->out);

	bad |= fclose(m->out) != 0;
	m->out = NULL;
	if (!bad && !rename(m->part, c->r.out)) {
		snprintf(c->text, sizeof(c->text),
			 "%" PRIu64 " cards made, %" PRIu64 " were here already; %.150s holds their keys in clear: "
			 "give it to the card maker, then destroy it",
			 m->made, m->known, c->r.out);
		return 0;
	}
	snprintf(c->text, sizeof(c->text), "%s cannot be written: %s", m->part, strerror(errno));
	unlink(m->part);
	return -EIO;
}

static int begin(struct desk_call *c)
{
	struct make *m = c->scratch = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	if (!c->r.key_octets)
		c->r.key_octets = 16;
	if (c->r.pairs < 1 || c->r.pairs > VAULT_PAIRS_MAX) {
		snprintf(c->text, sizeof(c->text), "a card has 1 to %d pairs", VAULT_PAIRS_MAX);
		return -EINVAL;
	}
	if (c->r.key_octets != 16 && c->r.key_octets != 24 && c->r.key_octets != 32) {
		snprintf(c->text, sizeof(c->text), "keys have 16, 24 or 32 octets");
		return -EINVAL;
	}
	m->in = c->r.file ? fopen(c->r.file, "re") : NULL;
	if (!m->in) {
		snprintf(c->text, sizeof(c->text), "%s: %s", c->r.file ? c->r.file : "the list of cards",
			 c->r.file ? strerror(errno) : "is missing");
		return -EINVAL;
	}
	return out_begin(m, c);
}

/* The next value of a line, "" behind the last one. */
static char *value_next(char **at)
{
	char *v = *at, *end = v + strcspn(v, ",");

	*at = *end ? end + 1 : end;
	*end = 0;
	return v;
}

static int line_take(struct make *m, char *text, struct desk_call *c)
{
	char *at = text, *iccid, *imsi, *msisdn;
	struct make_card *k = &m->card[m->n];

	text[strcspn(text, "\r\n")] = 0;
	if (!*text || *text == '#' || (m->line == 1 && !isdigit((unsigned char)*text)))
		return 0;
	iccid = value_next(&at);
	imsi = value_next(&at);
	msisdn = value_next(&at);
	if (*at || !digits(iccid, 18, ICCID_DIGITS_MAX) || (*imsi && !digits(imsi, 6, IMSI_DIGITS_MAX)) ||
	    (*msisdn && !digits(msisdn, 3, MSISDN_DIGITS_MAX))) {
		snprintf(c->text, sizeof(c->text), "%s, line %lu: a line is ICCID[,IMSI[,MSISDN]], all digits",
			 c->r.file, m->line);
		return -EINVAL;
	}
	for (unsigned i = 0; i < m->n; i++) {
		if (strcmp(m->card[i].iccid, iccid))
			continue;
		snprintf(c->text, sizeof(c->text), "%s, line %lu: card %s is there twice", c->r.file, m->line, iccid);
		return -EINVAL;
	}
	snprintf(k->iccid, sizeof(k->iccid), "%.*s", ICCID_DIGITS_MAX, iccid);
	snprintf(k->imsi, sizeof(k->imsi), "%.*s", IMSI_DIGITS_MAX, imsi);
	snprintf(k->msisdn, sizeof(k->msisdn), "%.*s", MSISDN_DIGITS_MAX, msisdn);
	m->n++;
	return 0;
}

/* The next cards of the list. */
static int cards_read(struct make *m, struct desk_call *c, unsigned max)
{
	char text[MAKE_LINE_MAX];
	int rc = 0;

	m->n = 0;
	while (!rc && m->n < max && fgets(text, sizeof(text), m->in)) {
		m->line++;
		if (!strchr(text, '\n') && !feof(m->in)) {
			snprintf(c->text, sizeof(c->text), "%s, line %lu: too long", c->r.file, m->line);
			return -EINVAL;
		}
		rc = line_take(m, text, c);
	}
	if (!rc && ferror(m->in)) {
		snprintf(c->text, sizeof(c->text), "%s: cannot be read", c->r.file);
		rc = -EIO;
	}
	return rc;
}

/* ---- rounds ---- */

unsigned vault_gen_want(struct desk *d, struct desk_call *c, struct desk_open_order *o, char (*keys)[BOOK_KEY_MAX],
			unsigned max)
{
	struct make *m;
	int rc = c->scratch ? 0 : begin(c);
	unsigned n = 0, most;

	(void)d;
	(void)o;
	m = c->scratch;
	if (!m)
		return 0;
	if (rc)
		m->rc = rc;
	most = max / (c->r.pairs + 1u);
	if (!m->rc && c->round % 2 == 0 && m->round != c->round + 1) { /* not when it is asked once more */
		m->round = c->round + 1;
		m->rc = cards_read(m, c, most < MAKE_CARDS ? most : MAKE_CARDS);
	}
	c->book = c->round % 2 ? BOOK_PAIR : BOOK_CARD;
	for (unsigned i = 0; !m->rc && i < m->n; i++) {
		if (c->round % 2 == 0)
			memcpy(keys[n++], m->card[i].iccid, sizeof(m->card[i].iccid));
		else
			for (unsigned index = 0; index <= c->r.pairs; index++)
				pair_key(keys[n++], m->card[i].iccid, index);
	}
	return n;
}

static int put_sets(struct desk *d, struct desk_job *j, const char *iccid, unsigned octets)
{
	struct vault_sets s;
	uint8_t body[BOOK_BODY_MAX];
	char key[BOOK_KEY_MAX];
	int rc = 0;

	for (unsigned i = 0; i < 2 && rc >= 0; i++) {
		rc = ks_keyset_make(d->deps.ks, iccid, (uint8_t)(OTA_SUB_KVN_VAULT + i), octets, s.sealed[i]);
		s.len[i] = (uint8_t)(rc > 0 ? rc : 0);
	}
	if (rc >= 0)
		rc = vault_sets_pack(&s, body);
	if (rc < 0)
		return -1;
	pair_key(key, iccid, VAULT_SETS);
	job_put(j, BOOK_PAIR, key, 0, 0, 0, body, (size_t)rc);
	return 0;
}

static int put_pair(struct desk *d, struct desk_job *j, const char *iccid, unsigned index, unsigned octets)
{
	struct vault_pair p = { .at_ms = desk_now(d) };
	uint8_t body[BOOK_BODY_MAX];
	char key[BOOK_KEY_MAX];
	int rc = ks_pair_make(d->deps.ks, iccid, (uint16_t)index, octets, &p.keys);

	if (!rc)
		rc = vault_pair_pack(&p, body);
	if (rc < 0)
		return -1;
	pair_key(key, iccid, index);
	job_put(j, BOOK_PAIR, key, 0, PAIR_FREE, 0, body, (size_t)rc);
	return 0;
}

static int put_card(struct desk *d, struct desk_job *j, const struct make_card *m, const struct desk_request *r)
{
	struct vault_card c;

	vault_card_new(&c, m->iccid, r->pairs, 1);
	snprintf(c.imsi, sizeof(c.imsi), "%s", m->imsi);
	snprintf(c.msisdn, sizeof(c.msisdn), "%s", m->msisdn);
	for (unsigned index = 1; index <= r->pairs; index++)
		if (put_pair(d, j, m->iccid, index, r->key_octets))
			return -1;
	return put_sets(d, j, m->iccid, r->key_octets) || vault_card_put(j, &c, VAULT_MADE, 0) ? -1 : 0;
}

/* One that is here already stays as it is; what its list says now of its numbers counts. */
static int known_card(struct desk_job *j, struct desk_call *c, unsigned i)
{
	const struct store_book *row = &j->row[i];
	struct make *m = c->scratch;
	struct make_card *k = &m->card[i];
	struct vault_card was;

	if (vault_card_unpack(&was, row->body, row->row.len)) {
		snprintf(c->text, sizeof(c->text), "card %s: its record cannot be read", k->iccid);
		return -EIO;
	}
	if (row->row.step != VAULT_MADE) {
		snprintf(c->text, sizeof(c->text),
			 "card %s has been issued already: its keys are not written once more", k->iccid);
		return -EEXIST;
	}
	if (was.pairs != c->r.pairs || was.active != 1) {
		snprintf(c->text, sizeof(c->text), "card %s is here already, with %u pairs", k->iccid, was.pairs);
		return -EEXIST;
	}
	if ((!*k->imsi || !strcmp(k->imsi, was.imsi)) && (!*k->msisdn || !strcmp(k->msisdn, was.msisdn))) {
		memcpy(k->imsi, was.imsi, sizeof(k->imsi));
		memcpy(k->msisdn, was.msisdn, sizeof(k->msisdn));
		return 0;
	}
	if (*k->imsi)
		memcpy(was.imsi, k->imsi, sizeof(was.imsi));
	if (*k->msisdn)
		memcpy(was.msisdn, k->msisdn, sizeof(was.msisdn));
	return vault_card_put(j, &was, VAULT_MADE, row->row.version) ? -EIO : 0;
}

static int make_cards(struct desk *d, struct desk_job *j, struct desk_call *c)
{
	struct make *m = c->scratch;

	m->fresh = 0;
	for (unsigned i = 0; i < j->n; i++) {
		int rc = j->row[i].row.version ? known_card(j, c, i) : 0;

		if (rc)
			return rc;
		if (j->row[i].row.version)
			continue;
		m->fresh++;
		if (put_card(d, j, &m->card[i], &c->r)) {
			snprintf(c->text, sizeof(c->text), "card %s: its keys cannot be made", m->card[i].iccid);
			return -EIO;
		}
	}
	return DESK_MORE;
}

static int write_row(struct desk *d, struct make *m, const struct make_card *k, unsigned index,
		     const struct store_book *row)
{
	char text[KS_MAKER_TEXT_MAX];
	struct vault_pair p;
	struct vault_sets s;
	int rc = KS_E_SEALED;

	if (index) {
		if (!vault_pair_unpack(&p, row->body, row->row.len))
			rc = ks_emit_pair(d->deps.ks, k->iccid, (uint16_t)index, &p.keys, text);
		if (rc > 0)
			fprintf(m->out, "%s,%u,%s,%s,%s,%s\n", k->iccid, index, index == 1 ? "1" : "", text,
				index == 1 ? k->imsi : "", index == 1 ? k->msisdn : "");
		ks_wipe(text, sizeof(text));
		return rc < 0 ? rc : 0;
	}
	if (vault_sets_unpack(&s, row->body, row->row.len))
		return rc;
	for (unsigned i = 0; i < 2; i++) {
		unsigned kvn = OTA_SUB_KVN_VAULT + i;

		rc = ks_emit_keyset(d->deps.ks, k->iccid, (uint8_t)kvn, s.sealed[i], s.len[i], text);
		if (rc > 0)
			fprintf(m->out, "%s,,%u,%s,,\n", k->iccid, kvn, text);
		ks_wipe(text, sizeof(text));
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int write_cards(struct desk *d, struct desk_job *j, struct desk_call *c)
{
	struct make *m = c->scratch;
	const unsigned each = c->r.pairs + 1u;

	for (unsigned i = 0; i < j->n; i++) {
		/* the pairs first, then KVN 14 and 15 */
		unsigned index = (i % each + 1) % each;
		const struct store_book *row = &j->row[i / each * each + index];
		int rc = row->row.version ? write_row(d, m, &m->card[i / each], index, row) : 0;

		if (rc || ferror(m->out)) {
			snprintf(c->text, sizeof(c->text), "card %s: %s", m->card[i / each].iccid,
				 rc ? ks_strerror(rc) : "the file cannot be written");
			return -EIO;
		}
	}
	m->made += m->fresh;
	m->known += m->n - m->fresh;
	return DESK_MORE;
}

int vault_gen_decide(struct desk *d, struct desk_job *j, struct desk_call *c)
{
	struct make *m = c->scratch;

	if (!m)
		return -ENOMEM;
	if (m->rc)
		return m->rc;
	if (!m->n)
		return out_end(m, c);
	return c->round % 2 ? write_cards(d, j, c) : make_cards(d, j, c);
}
