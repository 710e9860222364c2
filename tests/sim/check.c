/* check.c - the rules, each as a checker that watches from outside: committed batches, the wire, and the cards themselves.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * None of them asks the core what it thinks it did, except where its own account is what is checked.  A checker that has
 * never failed has not been tested: `sim --breaks` makes each one fail.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define KEY_WINDOW 8 /* octets of a key that count as the key */

void check_fail(struct world *w, const char *checker, const char *fmt, ...)
{
	va_list ap;

	if (w->failed)
		return;
	w->failed = true;
	w->checker = checker;
	va_start(ap, fmt);
	vsnprintf(w->why, sizeof(w->why), fmt, ap);
	va_end(ap);
	tell(w, "CHECK %s: %s", checker, w->why);
}

static uint64_t hash_octets(const uint8_t *p, size_t len)
{
	uint64_t h = 0xcbf29ce484222325ULL; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3ULL;
	return h ? h : 1;
}

/* ------------------------------------------------------------------------------------------------ keys */

int check_init(struct world *w)
{
	for (unsigned i = 0; i < w->sc.cards; i++) {
		struct watched_card *c = &w->watch[i];

		if (ks_load(w->audit, w->card[i].iccid, c->keyset.kvn, c->keyset.sealed, c->keyset.sealed_len,
			    &c->set) < 0)
			return -1;
		if (w->sc.works &&
		    ks_load(w->audit, w->card[i].iccid, 2, c->keyset2.sealed, c->keyset2.sealed_len, &c->set2) < 0)
			return -1;
		for (unsigned k = 0; k < 3; k++)
			for (size_t at = 0; at + KEY_WINDOW <= c->key_len; at += KEY_WINDOW) {
				unsigned prefix = (unsigned)c->key[k][at] << 8 | c->key[k][at + 1];

				w->key_prefix[prefix >> 5] |= (uint32_t)1 << (prefix & 31);
			}
	}
	return 0;
}

static void backup_free(struct world *w);

static void heard_cut(struct watched_card *c, unsigned n)
{
	while (c->n_heard > n)
		free(c->heard[--c->n_heard].octets);
}

void check_free(struct world *w)
{
	backup_free(w);
	free(w->ends_told);
	for (unsigned i = 0; i < w->sc.cards; i++) {
		for (unsigned k = 0; k < w->watch[i].n_cmds; k++)
			free(w->watch[i].cmd[k].packet);
		free(w->watch[i].cmd);
		heard_cut(&w->watch[i], 0);
		free(w->watch[i].heard);
	}
}

static bool prefix_known(const struct world *w, unsigned prefix)
{
	return w->key_prefix[prefix >> 5] >> (prefix & 31) & 1;
}

static void compare_keys(struct world *w, const char *where, const uint8_t *p)
{
	for (unsigned i = 0; i < w->sc.cards; i++)
		for (unsigned k = 0; k < 3; k++)
			for (size_t at = 0; at + KEY_WINDOW <= w->watch[i].key_len; at += KEY_WINDOW)
				if (!memcmp(p, w->watch[i].key[k] + at, KEY_WINDOW))
					check_fail(w, "no-key-outside", "card %u: octets of a key in %s", i, where);
}

void check_octets(struct world *w, const char *where, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i + KEY_WINDOW <= len; i++)
		if (prefix_known(w, (unsigned)p[i] << 8 | p[i + 1]))
			compare_keys(w, where, p + i);
}

/* One line per finished command: who counts them must not count a repeated answer.  Another end may follow (a late proof). */
void check_end_told(struct world *w, const char *line)
{
	const char *status = strstr(line, " status=");
	size_t len = status ? strcspn(status + 1, " ") : 0;
	uint64_t what;

	if (strncmp(line, "cmd=", 4) || !status)
		return;
	what = strtoull(line + 4, NULL, 10) * 31 + hash_octets((const uint8_t *)status + 1, len);
	for (unsigned i = 0; i < w->n_ends_told; i++)
		if (w->ends_told[i] == what)
			check_fail(w, "told-once", "the log tells the same end of a command twice: %s", line);
	if (w->n_ends_told == w->cap_ends_told) {
		unsigned cap = w->cap_ends_told ? 2 * w->cap_ends_told : 64;
		uint64_t *p = realloc(w->ends_told, cap * sizeof(*p));

		if (!p) {
			check_fail(w, "harness", "out of memory");
			return;
		}
		w->ends_told = p;
		w->cap_ends_told = cap;
	}
	w->ends_told[w->n_ends_told++] = what;
}

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	       c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 :
				      -1;
}

/* Keys as hex, at either alignment. */
void check_text(struct world *w, const char *where, const char *text)
{
	uint8_t b[KEY_WINDOW];
	size_t run = 0;

	for (size_t i = 0; text[i]; i++) {
		run = nibble(text[i]) < 0 ? 0 : run + 1;
		if (run < 2 * KEY_WINDOW)
			continue;
		for (size_t k = 0; k < KEY_WINDOW; k++) {
			const char *at = text + i + 1 - 2 * KEY_WINDOW + 2 * k;

			b[k] = (uint8_t)(nibble(at[0]) << 4 | nibble(at[1]));
		}
		if (prefix_known(w, (unsigned)b[0] << 8 | b[1]))
			compare_keys(w, where, b);
	}
}

/* ------------------------------------------------------------------------------------------------ what is durable */

static struct watched_card *by_row(struct world *w, uint64_t id, unsigned *index)
{
	for (unsigned i = 0; i < w->sc.cards; i++)
		if (w->watch[i].id == id) {
			*index = i;
			return &w->watch[i];
		}
	return NULL;
}

static struct seen_cmd *seen_cmd(struct world *w, struct watched_card *c, uint64_t id, bool add)
{
	for (unsigned i = 0; i < c->n_cmds; i++)
		if (c->cmd[i].row.id == id && !c->cmd[i].lost)
			return &c->cmd[i];
	if (!add)
		return NULL;
	if (c->n_cmds == c->cap_cmds) {
		unsigned cap = c->cap_cmds ? 2 * c->cap_cmds : 8;
		struct seen_cmd *p = realloc(c->cmd, cap * sizeof(*p));

		if (!p) {
			check_fail(w, "harness", "out of memory");
			return NULL;
		}
		c->cmd = p;
		c->cap_cmds = cap;
	}
	memset(&c->cmd[c->n_cmds], 0, sizeof(c->cmd[0]));
	c->cmd[c->n_cmds].row.id = id;
	return &c->cmd[c->n_cmds++];
}

static void hear(struct world *w, struct watched_card *c, const uint8_t *p, size_t len)
{
	uint64_t h = hash_octets(p, len);
	struct heard *new;

	for (unsigned i = 0; i < c->n_heard; i++)
		if (c->heard[i].hash == h)
			return;
	if (c->n_heard == c->cap_heard) {
		unsigned cap = c->cap_heard ? 2 * c->cap_heard : 16;
		struct heard *q = realloc(c->heard, cap * sizeof(*q));

		if (!q) {
			check_fail(w, "harness", "out of memory");
			return;
		}
		c->heard = q;
		c->cap_heard = cap;
	}
	new = &c->heard[c->n_heard];
	*new = (struct heard){ .hash = h, .len = len, .octets = malloc(len ? len : 1) };
	if (!new->octets) {
		check_fail(w, "harness", "out of memory");
		return;
	}
	memcpy(new->octets, p, len);
	c->n_heard++;
}

static bool open_state(uint8_t state)
{
	return state == CMD_QUEUED || state == CMD_PREPARED || state == CMD_SENT || state == CMD_WAIT_TIMER ||
	       state == CMD_WAIT_PRESENCE;
}

/* One command of a card may still run; all older ones are ended or fenced.  And what is under way has one, its own. */
static void check_one_open(struct world *w, const struct watched_card *c, unsigned index)
{
	unsigned open = 0, own = 0;

	for (unsigned i = 0; i < c->n_cmds; i++) {
		if (c->cmd[i].lost || !open_state(c->cmd[i].row.state))
			continue;
		open++;
		own += c->cmd[i].row.txn == c->txn.id;
	}
	if (open > 1)
		check_fail(w, "one-unfenced", "card %u: %u commands are open at the same time", index, open);
	else if (c->txn_state == TXN_ACTIVE && own != 1)
		check_fail(w, "own-command", "card %u: transaction %llu is ACTIVE and has %u open commands", index,
			   (unsigned long long)c->txn.id, own);
}

/* The one exception: in counter mode 11 a read may take the counter that an earlier transaction left without an answer. */
static bool mode_11_read(const struct world *w, const struct cmd_row *before, const struct cmd_row *row)
{
	return OTA_SPI1_COUNTER(w->sc.spi[0]) == 3 && before->txn < row->txn && row->kind == CMD_READBACK;
}

static void committed_cmd(struct world *w, const struct cmd_row *row, uint64_t batch_no)
{
	unsigned index;
	struct watched_card *c = by_row(w, row->card, &index);
	struct seen_cmd *s;

	if (!c) {
		check_fail(w, "rows", "command %llu of a card that does not exist", (unsigned long long)row->id);
		return;
	}
	s = seen_cmd(w, c, row->id, true);
	if (!s)
		return;
	if (!s->row.cntr)
		others_watch(w, index, row);
	if (s->row.cntr && row->cntr != s->row.cntr)
		check_fail(w, "one-cntr-one-packet", "card %u: command %llu changes its counter from %llu to %llu",
			   index, (unsigned long long)row->id, (unsigned long long)s->row.cntr,
			   (unsigned long long)row->cntr);
	s->row = *row;
	s->life = w->lives;
	s->batch_no = batch_no;
	for (unsigned i = 0; i < c->n_cmds; i++)
		if (&c->cmd[i] != s && (!c->cmd[i].lost || c->cmd[i].left) && c->cmd[i].row.kvn == row->kvn &&
		    c->cmd[i].row.cntr == row->cntr && !mode_11_read(w, &c->cmd[i].row, row) &&
		    !mode_11_read(w, row, &c->cmd[i].row))
			check_fail(w, "one-cntr-one-packet", "card %u: commands %llu and %llu share counter %llu",
				   index, (unsigned long long)c->cmd[i].row.id, (unsigned long long)row->id,
				   (unsigned long long)row->cntr);
}

static void committed_wire(struct world *w, const struct store_op *op)
{
	const struct cmd_row *row = op->row;
	unsigned index;
	struct watched_card *c = by_row(w, row->card, &index);
	struct seen_cmd *s = c ? seen_cmd(w, c, row->id, true) : NULL;
	uint64_t h = hash_octets(op->bytes, op->bytes_len);

	if (!s) {
		check_fail(w, "rows", "packet of a card that does not exist");
		return;
	}
	if (s->packet_hash && s->packet_hash != h)
		check_fail(w, "one-cntr-one-packet", "card %u: the stored packet of command %llu changes", index,
			   (unsigned long long)row->id);
	if (s->packet)
		return;
	s->packet = malloc(op->bytes_len ? op->bytes_len : 1);
	if (!s->packet) {
		check_fail(w, "harness", "out of memory");
		return;
	}
	memcpy(s->packet, op->bytes, op->bytes_len);
	s->packet_len = (uint16_t)op->bytes_len;
	s->packet_hash = h;
}

static bool holds_new_imsi(const struct world *w, unsigned index)
{
	struct sim_card_truth t;

	sim_card_truth(&w->card[index], &t);
	return !strcmp(t.imsi_stored, w->watch[index].new_imsi);
}

static void committed_txn(struct world *w, const struct txn_row *row)
{
	unsigned index;
	struct watched_card *c = by_row(w, row->card, &index);

	if (!c) {
		check_fail(w, "rows", "transaction of a card that does not exist");
		return;
	}
	if (row->campaign != w->campaign[c->campaign].id) { /* an afterthought about a campaign before */
		w->ended_counts[row->campaign - 1][c->past[row->campaign - 1]]--;
		w->ended_counts[row->campaign - 1][row->state]++;
		c->past[row->campaign - 1] = row->state;
		return;
	}
	if (c->txn_state == TXN_DONE && row->state != TXN_DONE)
		check_fail(w, "done-is-final", "card %u: the transaction goes from DONE to %s", index,
			   txn_state_name(row->state));
	if (w->sc.works)
		orders_committed(w, index, row);
	else if (row->state == TXN_DONE && !holds_new_imsi(w, index))
		check_fail(w, "done-means-ran", "card %u: recorded as DONE, but the card does not hold %s", index,
			   c->new_imsi);
	c->txn_state = row->state;
	c->txn = *row;
}

static void durable_counts(const struct world *w, unsigned campaign, uint64_t n[_TXN_STATES])
{
	memcpy(n, w->ended_counts[campaign], _TXN_STATES * sizeof(n[0]));
	for (unsigned i = 0; i < w->sc.cards; i++)
		if (w->watch[i].campaign == campaign && w->watch[i].planned)
			n[w->watch[i].txn_state]++;
}

bool check_all_ended(const struct world *w)
{
	for (unsigned i = 0; i < w->sc.cards; i++)
		if (w->watch[i].txn_state == TXN_PLANNED || w->watch[i].txn_state == TXN_ACTIVE)
			return false;
	return true;
}

/* The whole fleet goes on to the last campaign: what was said of the ones before stays. */
void check_again(struct world *w)
{
	const unsigned last = w->n_campaigns;

	for (unsigned k = 0; k < w->n_campaigns; k++)
		durable_counts(w, k, w->ended_counts[k]);
	for (unsigned i = 0; i < w->sc.cards; i++) {
		struct watched_card *c = &w->watch[i];

		memcpy(c->imsi_before, c->new_imsi, sizeof(c->imsi_before));
		if (!w->sc.works)
			c->new_imsi[4]++;
		c->past[c->campaign] = c->txn_state;
		c->campaign = last;
		c->planned = !w->sc.grows || i < w->sc.cards / 2;
		c->txn_state = c->given_state = TXN_PLANNED;
		c->submits_before = c->submits;
	}
	w->n_campaigns++;
	w->gone_again = true;
	tell(w, "the whole fleet is planned for campaign %s", w->campaign[last].name);
}

static uint32_t set_of(const struct watched_card *c, const struct cmd_row *row)
{
	return row->kvn == c->keyset.kvn ? c->set : c->set2;
}

static void params_of(const struct watched_card *c, const struct cmd_row *row, struct ota_cmd_params *p)
{
	*p = (struct ota_cmd_params){
		.spi = { row->spi[0], row->spi[1] },
		.kic = row->kic,
		.kid = row->kid,
		.tar = { row->tar[0], row->tar[1], row->tar[2] },
		.cntr = row->cntr,
		.cc_len = row->cc_len,
		.kic_ref = { set_of(c, row), KS_KEY_KIC },
		.kid_ref = { set_of(c, row), KS_KEY_KID },
	};
}

static bool contains(const uint8_t *hay, size_t n, const uint8_t *needle, size_t len)
{
	for (size_t i = 0; len <= n && i <= n - len; i++)
		if (!memcmp(hay + i, needle, len))
			return true;
	return false;
}

/* An answer is durable.  Does it prove, under the card's keys, that the script ran, or that the old IMSI was still there? */
static void read_answer(struct world *w, struct watched_card *c, unsigned index, const struct story_row *story,
			const uint8_t *pkt, size_t len)
{
	struct seen_cmd *s = story->kind == STORY_POR ? seen_cmd(w, c, story->cmd, false) : NULL;
	const char *old = c->imsi_before[0] ? c->imsi_before : w->card[index].imsi_first;
	struct ota_crypt crypt = ks_crypt(w->audit);
	uint8_t scratch[OTA_PACKET_MAX], ef[USIM_IMSI_LEN];
	struct ota_cmd_params p;
	struct ota_rsp rsp;

	if (!s || s->shows_old || s->told_ran || len > sizeof(scratch))
		return;
	params_of(c, &s->row, &p);
	memcpy(scratch, pkt, len);
	(void)ota_rsp_open(&rsp, scratch, len, &p, &crypt); /* the verdict says it all */
	if (rsp.verdict != OTA_ACCEPT || rsp.status)
		return;
	if (w->sc.works) /* the card compares and swaps: that it did not run, only STATUS says */
		s->shows_old = s->row.kind == CMD_READBACK && rsp.data_len;
	else if (s->row.kind == CMD_SCRIPT)
		/* what was proven before a restore counts no more: the card is asked */
		s->told_ran = s->row.epoch >= w->epoch;
	else if (usim_imsi_encode(ef, old) > 0)
		s->shows_old = contains(rsp.data, rsp.data_len, ef, sizeof(ef));
}

static uint64_t batch_hash(const struct store_batch *b)
{
	uint64_t h = b->n;

	for (size_t i = 0; i < b->n; i++) {
		h = h * 31 + b->ops[i].kind;
		h = h * 31 + hash_octets(b->ops[i].row, store_row_size(b->ops[i].kind));
		h = h * 31 + hash_octets(b->ops[i].bytes, b->ops[i].bytes_len);
	}
	return h;
}

/* A commit was carried out and called failed: the next one must be the same again, or what is new in it is lost. */
void check_batch_again(struct world *w, const struct store_batch *b)
{
	w->again_no = b->batch_no;
	w->again_hash = batch_hash(b);
}

/* ---- a backup, and what becomes of the checkers' knowledge when it is put back: what is durable is what it was then, what
 * has left and what the cards have done stays ---- */

static void backup_free(struct world *w)
{
	for (unsigned i = 0; w->backup_seen.cmd && i < w->sc.cards; i++)
		free(w->backup_seen.cmd[i]);
	free(w->backup_seen.cmd);
	free(w->backup_seen.watch);
	w->backup_seen = (struct watched_backup){ 0 };
}

void check_backup(struct world *w)
{
	struct watched_backup *b = &w->backup_seen;

	backup_free(w);
	b->watch = calloc(w->sc.cards, sizeof(*b->watch));
	b->cmd = calloc(w->sc.cards, sizeof(*b->cmd));
	for (unsigned i = 0; b->watch && b->cmd && i < w->sc.cards; i++) {
		const struct watched_card *c = &w->watch[i];

		b->watch[i] = *c;
		b->cmd[i] = calloc(c->n_cmds + 1, sizeof(*b->cmd[i]));
		if (!b->cmd[i])
			check_fail(w, "harness", "out of memory");
		else if (c->n_cmds)
			memcpy(b->cmd[i], c->cmd, c->n_cmds * sizeof(*c->cmd));
	}
	if (!b->watch || !b->cmd)
		check_fail(w, "harness", "out of memory");
	for (unsigned k = 0; k < w->n_campaigns; k++)
		b->stopped[k] = w->rules[k].durable_stopped;
}

void check_restore(struct world *w)
{
	for (unsigned i = 0; i < w->sc.cards; i++) {
		const struct watched_card *was = &w->backup_seen.watch[i];
		struct watched_card *c = &w->watch[i];

		for (unsigned k = 0; k < c->n_cmds; k++) {
			struct seen_cmd *s = &c->cmd[k];

			s->lost = k >= was->n_cmds || w->backup_seen.cmd[i][k].lost;
			s->told_ran = false; /* nobody knows it any more */
			if (s->lost)
				continue;
			s->row = w->backup_seen.cmd[i][k].row;
			s->shows_old = w->backup_seen.cmd[i][k].shows_old; /* the gateway does not know it any more */
			s->told_ran = w->backup_seen.cmd[i][k].told_ran;
		}
		c->txn_state = was->txn_state;
		c->txn = was->txn;
		c->planned = was->planned;
		c->warded = false;
		c->told_cntr = 0; /* the gateway does not know any more, and skips as much as may have been */
		heard_cut(c, was->n_heard);
	}
	for (unsigned k = 0; k < w->n_campaigns; k++)
		w->rules[k].durable_stopped = w->backup_seen.stopped[k];
}

void check_committed(struct world *w, const struct store_batch *b)
{
	unsigned index;

	w->stat_commits++;
	if (b->batch_no)
		w->disk_batch = b->batch_no;
	if (b->batch_no && b->batch_no == w->again_no && batch_hash(b) != w->again_hash)
		check_fail(w, "same-batch", "commit %llu comes again after a failure and is not what it was",
			   (unsigned long long)b->batch_no);
	for (size_t i = 0; i < b->n; i++) {
		const struct store_op *op = &b->ops[i];

		if (op->kind == ST_CAMPAIGN_INSERT && !w->setup && b != w->attempt) {
			check_again(w);
		} else if (op->kind == ST_TXN_PLAN && b == w->grow) {
			orders_grown(w, op->row);
		} else if (op->kind == ST_CMD_PUT) {
			committed_cmd(w, op->row, b->batch_no);
		} else if (op->kind == ST_WIRE_PUT) {
			committed_wire(w, op);
		} else if (op->kind == ST_TXN_PUT) {
			committed_txn(w, op->row);
		} else if (op->kind == ST_CAMPAIGN_PUT) {
			const struct campaign_row *row = op->row;

			rules_durable(w, row);
			if (row->state == CAMPAIGN_CANCELLED && !row->ended_ms) /* it is still being walked */
				world_plan(w, w->now_ms, PLAN_TRY, 0);
		} else if (op->kind == ST_PART_PUT) {
			const struct part_row *p = op->row;
			struct watched_card *c = by_row(w, p->card, &index);

			if (c)
				hear(w, c, p->ud, p->len);
		} else if (op->kind == ST_STORY_ADD) {
			const struct story_row *s = op->row;
			struct watched_card *c = by_row(w, s->card, &index);

			if (c && op->bytes_len)
				hear(w, c, op->bytes, op->bytes_len);
			if (c && op->bytes_len)
				read_answer(w, c, index, s, op->bytes, op->bytes_len);
			if (c)
				tell(w, "card %u: durable: %s", index, s->text);
			check_text(w, "a story line", s->text);
			check_octets(w, "a story line's octets", op->bytes, op->bytes_len);
		}
	}
	for (unsigned i = 0; i < w->sc.cards; i++)
		check_one_open(w, &w->watch[i], i);
}

/* ------------------------------------------------------------------------------------------------ the wire */

static struct watched_card *by_number(struct world *w, const struct ota_addr *a, unsigned *index)
{
	for (unsigned i = 0; i < w->sc.cards; i++) {
		const char *own = a->npi == 6 ? w->card[i].imsi_first : w->card[i].msisdn;

		if (a->npi != 6 && *w->watch[i].new_msisdn && !strcmp(a->digits, w->watch[i].new_msisdn)) {
			*index = i;
			return &w->watch[i];
		}

		*index = i;
		if (!strcmp(a->digits, own) || (a->npi == 6 && (!strcmp(a->digits, w->watch[i].new_imsi) ||
								!strcmp(a->digits, w->watch[i].imsi_before))))
			return &w->watch[i];
	}
	return NULL;
}

/* The counter of a stored packet as the card will read it, not as the row says. */
static void check_counter(struct world *w, struct watched_card *c, unsigned index, const struct seen_cmd *s)
{
	const struct ota_cmd_params in = { .kic_ref = { set_of(c, &s->row), KS_KEY_KIC },
					   .kid_ref = { set_of(c, &s->row), KS_KEY_KID },
					   .cc_len = c->keyset.cc_len };
	struct ota_crypt crypt = ks_crypt(w->audit);
	uint8_t packet[OTA_PACKET_MAX];
	struct ota_cmd cmd;
	int rc;

	memcpy(packet, s->packet, s->packet_len);
	rc = ota_cmd_decode(&cmd, packet, s->packet_len, &in, &crypt);
	if (rc < 0)
		check_fail(w, "wire", "card %u: a packet leaves that its own keys do not open: %s", index,
			   ota_strerror(rc));
	else if (cmd.p.cntr != s->row.cntr)
		check_fail(w, "one-cntr-one-packet", "card %u: the packet says counter %llu, its row %llu", index,
			   (unsigned long long)cmd.p.cntr, (unsigned long long)s->row.cntr);
}

/* A script leaves for the first time.  If another one of the same transaction has left before, under another counter, the
 * card must have shown in between that it still holds the old IMSI.  Counted here, on the wire: that the card would refuse
 * the second one anyway is no excuse for sending it. */
static void check_second_script(struct world *w, const struct watched_card *c, unsigned index, const struct seen_cmd *s)
{
	const struct seen_cmd *before = NULL;
	unsigned counters = 1;

	for (unsigned i = 0; i < c->n_cmds; i++) {
		const struct seen_cmd *p = &c->cmd[i];

		if (p == s || !p->left || p->row.kind != CMD_SCRIPT || p->row.txn != s->row.txn)
			continue;
		counters++;
		if (p->told_ran)
			check_fail(w, "second-script",
				   "card %u: the script leaves under counter %llu, and the card had said of %llu that "
				   "it ran",
				   index, (unsigned long long)s->row.cntr, (unsigned long long)p->row.cntr);
		if (!before || p->row.cntr > before->row.cntr)
			before = p;
	}
	if (!before)
		return;
	for (unsigned i = 0; i < c->n_cmds; i++) {
		const struct seen_cmd *p = &c->cmd[i];

		if (p->shows_old && p->row.txn == s->row.txn && p->row.cntr > before->row.cntr &&
		    p->row.cntr < s->row.cntr)
			return;
	}
	check_fail(
		w, "second-script",
		"card %u: the script leaves under counter %llu after %llu (%u counters in all), and no read-back has "
		"shown the old IMSI in between",
		index, (unsigned long long)s->row.cntr, (unsigned long long)before->row.cntr, counters);
}

static void ref_seen(struct watched_card *c, uint16_t ref)
{
	for (unsigned i = 0; i < c->n_refs; i++)
		if (c->refs[i] == ref)
			return;
	if (c->n_refs < SIM_REFS_MAX)
		c->refs[c->n_refs++] = ref;
}

void check_submit(struct world *w, const struct link_submit *sub)
{
	struct ota_udh udh;
	unsigned index;
	struct watched_card *c = by_number(w, &sub->dst, &index);
	struct seen_cmd *s = NULL;

	check_octets(w, "a short message", sub->ud, sub->ud_len);
	if (!c) {
		check_fail(w, "wire", "a message for %s, who is nobody", sub->dst.digits);
		return;
	}
	if (ota_udh_parse(&udh, sub->ud, sub->ud_len) < 0 || udh.len >= sub->ud_len) {
		check_fail(w, "wire", "card %u: a message without header or without content", index);
		return;
	}
	c->submits++;
	for (unsigned i = c->n_cmds; i-- > 0 && !s;)
		if (c->cmd[i].packet && !c->cmd[i].lost &&
		    contains(c->cmd[i].packet, c->cmd[i].packet_len, sub->ud + udh.len, sub->ud_len - udh.len))
			s = &c->cmd[i];
	if (!s) {
		check_fail(w, "durable-first", "card %u: octets leave that are not durable in any packet", index);
		return;
	}
	if (!s->row.cntr) {
		check_fail(w, "durable-first", "card %u: a packet leaves whose counter is not durable", index);
		return;
	}
	if (s->row.cntr < c->sent_cntr[s->row.kvn]) {
		check_fail(w, "fenced", "card %u: counter %llu leaves after %llu has left", index,
			   (unsigned long long)s->row.cntr, (unsigned long long)c->sent_cntr[s->row.kvn]);
		return;
	}
	rules_submit(w, index, s, udh.seq <= 1);
	wards_submit(w, index, s);
	c->sent_cntr[s->row.kvn] = s->row.cntr;
	if (w->sc.works && udh.seq <= 1)
		orders_submit(w, index, s);
	if (!s->left && s->row.kind == CMD_SCRIPT)
		check_second_script(w, c, index, s);
	s->left = true;
	if (udh.concat)
		ref_seen(c, udh.ref);
	if (udh.seq > 1)
		return;
	c->packets++;
	check_counter(w, c, index, s);
}

/* Answered positively: from now on nobody but us knows it, so its trace must be durable. */
void check_answered(struct world *w, uint32_t card, const uint8_t *ud, size_t len)
{
	struct watched_card *c = &w->watch[card];
	struct ota_udh udh;
	uint64_t h, whole;

	/* a corrupted message need not be recognisable as a PoR */
	if (!len || w->sc.air.corrupt_ppm || ota_udh_parse(&udh, ud, len) < 0)
		return;
	if (!udh.concat && udh.pi != 0x71)
		return;
	/* what a restored store calls planned has no new number yet, and what comes from there is nobody's: when its turn comes the
	 * card is asked, or in counter mode 11 given to a person without an attempt */
	if (w->epochs && (c->txn_state == TXN_PLANNED || (c->txn_state == TXN_QUARANTINED && !c->txn.attempts)))
		return;
	h = hash_octets(ud + udh.len, len - udh.len);
	whole = hash_octets(ud, len);
	for (unsigned i = 0; i < c->n_heard; i++)
		if (c->heard[i].hash == h || c->heard[i].hash == whole ||
		    (udh.concat && contains(c->heard[i].octets, c->heard[i].len, ud + udh.len, len - udh.len)))
			return; /* as it came, or as part of what it was joined to */
	check_fail(w, "answered-is-durable",
		   "card %u: its message was answered positively and nothing of it is durable", card);
}

/* ------------------------------------------------------------------------------------------------ the cards */

unsigned check_runs(const struct world *w, unsigned card)
{
	const struct sim_card *c = &w->card[card];
	unsigned runs = 0;

	for (unsigned k = 0; k < c->seen_count; k++)
		if (c->seen[k].imsi_update)
			runs += c->seen[k].executions;
	return runs;
}

static unsigned scripts_left(const struct watched_card *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_cmds; i++)
		n += c->cmd[i].left && c->cmd[i].row.kind == CMD_SCRIPT;
	return n;
}

void check_cards(struct world *w)
{
	for (unsigned i = 0; i < w->sc.cards; i++) {
		const struct sim_card *c = &w->card[i];
		unsigned runs = check_runs(w, i), may = w->gone_again ? 2 : 1;

		/* One that breaks the script off and whose word about it is lost is given it again: it shows the old IMSI, as one that
		 * never had it does.  Each of these scripts has left by the rules of second-script. */
		if (c->profile.deny_update_fid)
			may = scripts_left(&w->watch[i]);
		if (runs > may)
			check_fail(w, "at-most-once", "card %u: the script has run %u times", i, runs);
		if (c->truth.executions_max > 1)
			check_fail(w, "at-most-once", "card %u: one packet has run %u times", i,
				   c->truth.executions_max);
		if (c->truth.same_cntr_other_packet && OTA_SPI1_COUNTER(w->sc.spi[0]) != 3)
			check_fail(w, "one-cntr-one-packet", "card %u has met two packets under one counter", i);
	}
}

/* ------------------------------------------------------------------------------------------------ accounts */

static void compare_view(struct world *w, const char *when)
{
	for (unsigned k = 0; k < w->n_campaigns; k++) {
		struct gw_campaign_view v;
		uint64_t n[_TXN_STATES];

		if (!gw_campaign_view(w->gw, w->campaign[k].id, &v)) {
			check_fail(w, "store-equals-core", "%s: campaign %s is unknown", when, w->campaign[k].name);
			return;
		}
		durable_counts(w, k, n);
		for (unsigned s = 0; s < _TXN_STATES; s++)
			if (v.by_state[s] != n[s])
				check_fail(w, "store-equals-core",
					   "%s: campaign %s: the core counts %llu %s, durable are %llu", when,
					   w->campaign[k].name, (unsigned long long)v.by_state[s],
					   txn_state_name((uint8_t)s), (unsigned long long)n[s]);
	}
}

/* Just started and ready: nothing has been decided since, so core and store must agree. */
void check_ready(struct world *w)
{
	if (!w->life_commits)
		compare_view(w, "after a restart");
}

/* What an operator acts on: FAILED and "never sent" are said only of cards that do not hold the new IMSI. */
static void check_honest(struct world *w, unsigned index, const struct txn_row *t)
{
	struct sim_card_truth truth;

	sim_card_truth(&w->card[index], &truth);
	if (strcmp(truth.imsi_stored, t->new_imsi))
		return;
	if (t->state == TXN_FAILED || strstr(t->reason, "never sent"))
		check_fail(w, "honest-end", "card %u holds the new IMSI, and the report says %s: %s", index,
			   txn_state_name(t->state), t->reason);
}

static void check_report_row(struct world *w, const struct store_report *r)
{
	unsigned index;
	struct watched_card *c = by_row(w, r->txn.card, &index);

	if (!c || strcmp(r->iccid, w->card[index].iccid)) {
		check_fail(w, "report", "a line for a card that is not in the list");
		return;
	}
	if (c->txn_state != r->txn.state)
		check_fail(w, "report", "card %u: the report says %s, durable is %s", index,
			   txn_state_name(r->txn.state), txn_state_name(c->txn_state));
	if (!w->sc.works && strcmp(r->txn.new_imsi, c->new_imsi))
		check_fail(w, "report", "card %u: the report names another IMSI", index);
	if (!w->sc.works && r->txn.state == TXN_DONE &&
	    (strcmp(r->imsi, c->new_imsi) || r->txn.evidence < 3 || r->txn.evidence > 6))
		check_fail(w, "report", "card %u: DONE with IMSI %s and evidence %u", index, r->imsi, r->txn.evidence);
	if (!w->sc.works)
		check_honest(w, index, &r->txn);
	if (!w->after_crash_lossy && r->txn.sms_parts != c->submits - c->submits_before)
		check_fail(w, "report", "card %u: %u short messages in the report, %llu on the wire", index,
			   r->txn.sms_parts, (unsigned long long)(c->submits - c->submits_before));
}

static void check_report(struct world *w, unsigned campaign)
{
	struct store_report *rows = calloc(SIM_CARDS_MAX, sizeof(*rows));
	struct store_query q = { .kind = Q_REPORT, .id = w->campaign[campaign].id, .limit = 7, .out = rows };
	unsigned lines = 0, want = 0;
	int rc;

	do {
		rc = rows ? store_query_wait(w->store, &q) : -1;
		for (unsigned i = 0; !rc && i < q.n && !(w->gone_again && campaign + 1 < w->n_campaigns); i++)
			check_report_row(w, &rows[i]);
		lines += rc ? 0 : q.n;
		q.after = q.last;
	} while (!rc && q.n == q.limit && lines < 2 * SIM_CARDS_MAX);
	for (unsigned i = 0; i < w->sc.cards; i++)
		want += w->watch[i].campaign == campaign;
	for (unsigned i = 0; i < _TXN_STATES; i++)
		want += (unsigned)w->ended_counts[campaign][i];
	if (rc || lines != want)
		check_fail(w, "report", "campaign %s: %u lines for %u cards (%d)", w->campaign[campaign].name, lines,
			   want, rc);
	free(rows);
}

static void all_finish(struct world *w, unsigned i)
{
	const struct watched_card *c = &w->watch[i];

	if (c->txn_state == TXN_PLANNED || c->txn_state == TXN_ACTIVE)
		check_fail(w, "all-finish", "card %u is still %s %lld s after the last fault", i,
			   txn_state_name(c->txn_state), (long long)(w->now_ms - SIM_START_MS - w->sc.calm_ms) / 1000);
}

void check_due(struct world *w)
{
	for (unsigned i = 0; i < w->sc.cards; i++)
		if (!w->sc.rules[w->watch[i].campaign].windowed)
			all_finish(w, i);
}

static void check_outcome(struct world *w, unsigned i)
{
	const struct watched_card *c = &w->watch[i];
	/* in counter mode 11 a gap is not possible: who does not know how far the card has come needs a person */
	bool lost_count = w->epochs && OTA_SPI1_COUNTER(w->sc.spi[0]) == 3 && c->txn_state == TXN_QUARANTINED;

	all_finish(w, i);
	if (c->sick && c->txn_state == TXN_DONE)
		check_fail(w, "done-means-ran", "card %u cannot have obeyed and is DONE", i);
	else if (w->sc.patient && !c->sick && c->txn_state != TXN_DONE && !lost_count &&
		 !(w->sc.works && c->txn.verdict))
		check_fail(w, "all-finish", "card %u is %s, and nothing was wrong with it", i,
			   txn_state_name(c->txn_state));
}

void check_end(struct world *w)
{
	struct gw_stats st;

	if (!w->gw || w->dead || !w->ready_seen) {
		check_fail(w, "all-finish", "at the end the gateway does not run");
		return;
	}
	check_cards(w);
	compare_view(w, "at the end");
	for (unsigned i = 0; i < w->sc.cards; i++)
		check_outcome(w, i);
	if (w->failed)
		return;
	gw_stats(w->gw, &st);
	if (st.inbox || st.open || st.parked || st.store_alarm)
		check_fail(w, "all-finish",
			   "at the end the core still has %u events, %u open commands, %u parked, alarm %d", st.inbox,
			   st.open, st.parked, st.store_alarm);
	for (unsigned k = 0; k < w->n_campaigns && !w->failed; k++)
		check_report(w, k);
}
