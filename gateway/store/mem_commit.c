/* mem_commit.c - the operations of a batch on the memory tables: the same answers as SQLite's, rule by rule.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include "mem_int.h"

uint32_t card_by_iccid(const struct store_mem_disk *d, const char *iccid)
{
	uint32_t i = hidx_first(&d->by_iccid, text_hash(0, iccid));

	while (i != NONE && strcmp(((struct m_card *)vec_at(&d->card, i))->row.iccid, iccid))
		i = hidx_next(&d->by_iccid, i);
	return i;
}

/* Planned in a cancelled campaign is open as well: until the core ends it, its row is still to be claimed. */
bool txn_is_open(const struct txn_row *t)
{
	return t->id && t->state <= TXN_ACTIVE;
}

/* ---- numbers ---- */

/* Without a number there is nothing to find. */
static void key_add(struct store_mem_disk *d, struct hidx *h, uint32_t i, const char *digits)
{
	if (*digits)
		hidx_add(d, h, i, text_hash(0, digits));
}

static void key_del(struct store_mem_disk *d, struct hidx *h, uint32_t i, const char *digits)
{
	if (*digits)
		hidx_del(d, h, i);
}

static bool card_has_imsi(const struct store_mem_disk *d, const char *imsi, uint64_t but)
{
	uint32_t i;

	for (i = hidx_first(&d->by_imsi, text_hash(0, imsi)); i != NONE; i = hidx_next(&d->by_imsi, i)) {
		const struct m_card *m = vec_at(&d->card, i);

		if (m->row.id != but && !strcmp(m->row.imsi, imsi))
			return true;
	}
	return false;
}

static bool card_has_msisdn(const struct store_mem_disk *d, const char *msisdn, uint64_t but)
{
	uint32_t i;

	for (i = hidx_first(&d->by_msisdn, text_hash(0, msisdn)); i != NONE; i = hidx_next(&d->by_msisdn, i)) {
		const struct m_card *m = vec_at(&d->card, i);

		if (m->row.id != but && !strcmp(m->row.msisdn, msisdn))
			return true;
	}
	return false;
}

/* A card that was given a script and never said what became of it may hold its new numbers, until a later change of it is done. */
static bool may_hold(const struct store_mem_disk *d, const struct txn_row *t, uint64_t but)
{
	const struct m_card *m = card_at(d, t->card);

	if (t->card == but || t->state < TXN_EXPIRED || !t->scripts)
		return false;
	for (uint32_t i = m ? m->txns : NONE; i != NONE;) {
		const struct m_txn *later = vec_at(&d->txn, i);

		if (later->row.id > t->id && later->row.state == TXN_DONE)
			return false;
		i = later->next;
	}
	return true;
}

static bool txn_takes_imsi(const struct store_mem_disk *d, uint64_t card, const char *imsi)
{
	uint32_t i;

	for (i = hidx_first(&d->by_new_imsi, text_hash(0, imsi)); i != NONE; i = hidx_next(&d->by_new_imsi, i)) {
		const struct m_txn *m = vec_at(&d->txn, i);

		if (!strcmp(m->row.new_imsi, imsi) && (txn_is_open(&m->row) || may_hold(d, &m->row, card)))
			return true;
	}
	return false;
}

static bool txn_takes_msisdn(const struct store_mem_disk *d, uint64_t card, const char *msisdn)
{
	uint32_t i;

	for (i = hidx_first(&d->by_new_msisdn, text_hash(0, msisdn)); i != NONE; i = hidx_next(&d->by_new_msisdn, i)) {
		const struct m_txn *m = vec_at(&d->txn, i);

		if (!strcmp(m->row.new_msisdn, msisdn) && (txn_is_open(&m->row) || may_hold(d, &m->row, card)))
			return true;
	}
	return false;
}

/* May `card` (0: a new one) hold these numbers?  0 or STORE_R_DUP_*. */
static int16_t numbers_check(const struct store_mem_disk *d, uint64_t card, const char *imsi, const char *msisdn)
{
	if (*imsi && (card_has_imsi(d, imsi, card) || txn_takes_imsi(d, card, imsi)))
		return STORE_R_DUP_IMSI;
	if (*msisdn && (card_has_msisdn(d, msisdn, card) || txn_takes_msisdn(d, card, msisdn)))
		return STORE_R_DUP_MSISDN;
	return 0;
}

/* ---- cards ---- */

static void addr_put(struct store_mem_disk *d, const struct card_addr_row *row)
{
	uint32_t hash = text_hash(row->type, row->digits), i;
	struct m_addr rec = { .row = *row };

	for (i = hidx_first(&d->by_addr, hash); i != NONE; i = hidx_next(&d->by_addr, i)) {
		struct m_addr *m = vec_at(&d->addr, i);

		if (m->row.type == row->type && m->row.card == row->card && !strcmp(m->row.digits, row->digits)) {
			*(struct m_addr *)vec_edit(d, &d->addr, i) = rec;
			return;
		}
	}
	hidx_add(d, &d->by_addr, vec_push(d, &d->addr, &rec), hash);
}

static void card_addr(struct store_mem_disk *d, const struct card_row *card, enum addr_type type, const char *digits)
{
	struct card_addr_row a = { .type = (uint8_t)type, .card = card->id, .valid_from_ms = card->created_ms };

	if (!*digits)
		return;
	memcpy(a.digits, digits, strnlen(digits, sizeof(a.digits) - 1));
	addr_put(d, &a);
}

static void story_add(struct store_mem_disk *d, struct story_row *row, const uint8_t *bytes, uint32_t len)
{
	struct m_story rec = { .next = NONE };
	struct m_card *card = card_at(d, row->card);
	uint32_t *first, *last, i;

	row->detail_len = len < STORY_DETAIL_MAX ? (uint16_t)len : STORY_DETAIL_MAX;
	row->id = d->story.n + 1;
	rec.row = *row;
	rec.off = bytes_push(d, bytes, row->detail_len);
	i = vec_push(d, &d->story, &rec);
	if (card) {
		card = vec_edit(d, &d->card, (uint32_t)(row->card - 1));
		first = &card->story_first;
		last = &card->story_last;
	} else {
		raw_edit(d, &d->stray_first, sizeof(d->stray_first));
		raw_edit(d, &d->stray_last, sizeof(d->stray_last));
		first = &d->stray_first;
		last = &d->stray_last;
	}
	if (*last == NONE)
		*first = i;
	else
		((struct m_story *)vec_edit(d, &d->story, *last))->next = i;
	*last = i;
}

/* Sorted by key version, as the other backend reads them. */
static void keyset_add(struct m_card *m, const struct keyset_row *k)
{
	unsigned at = m->n_keysets++;

	for (; at && m->keyset[at - 1].kvn > k->kvn; at--)
		m->keyset[at] = m->keyset[at - 1];
	m->keyset[at] = *k;
}

static struct keyset_row *keyset_at(struct m_card *m, uint8_t kvn)
{
	for (unsigned i = 0; i < m->n_keysets; i++)
		if (m->keyset[i].kvn == kvn)
			return &m->keyset[i];
	return NULL;
}

static bool kvn_is_open(const struct store_mem_disk *d, const struct m_card *m, uint8_t kvn)
{
	for (uint32_t i = m->cmds; i != NONE;) {
		const struct m_cmd *cmd = vec_at(&d->cmd.v, i);

		if (cmd->row.kvn == kvn && cmd->row.state <= CMD_WAIT_PRESENCE)
			return true;
		i = cmd->next;
	}
	return false;
}

/* The same keys under a new name: what went out under them before is theirs. */
static void cmds_rename(struct store_mem_disk *d, const struct m_card *m, const struct keyset_row *own,
			const struct keyset_row *now)
{
	if (!store_keysets_renamed(own, now))
		return;
	for (uint32_t i = m->cmds; i != NONE;) {
		const struct m_cmd *cmd = vec_at(&d->cmd.v, i);
		uint32_t next = cmd->next;

		if (cmd->row.kvn == own->kvn && cmd->row.generation == own->generation)
			((struct m_cmd *)vec_edit(d, &d->cmd.v, i))->row.generation = now->generation;
		i = next;
	}
}

/* The same card once more: its keysets and its zone follow the import. */
static int16_t card_again(struct store_mem_disk *d, uint32_t i, struct store_card_insert *in)
{
	struct m_card *m = vec_at(&d->card, i);
	struct keyset_row now[CARD_KEYSETS_MAX];
	struct story_row told;
	int16_t rc;

	in->card.id = m->row.id;
	rc = store_keysets_merge(m->keyset, m->n_keysets, in, now);
	if (rc != STORE_R_SAME && rc != STORE_R_UPDATED)
		return rc;
	for (unsigned k = 0; k < in->n_keysets; k++) {
		if (in->change[k] != KEYSET_REPLACED || !kvn_is_open(d, m, in->keyset[k].kvn))
			continue;
		in->refused_kvn = in->keyset[k].kvn;
		in->known_generation = keyset_at(m, in->refused_kvn)->generation;
		return STORE_R_OPEN_TXN;
	}
	m = vec_edit(d, &d->card, i);
	for (unsigned k = 0; k < in->n_keysets; k++) {
		in->keyset[k] = now[k];
		if (in->change[k] == KEYSET_NEW) {
			keyset_add(m, &now[k]);
		} else if (in->change[k] != KEYSET_KEPT) {
			cmds_rename(d, m, keyset_at(m, now[k].kvn), &now[k]);
			*keyset_at(m, now[k].kvn) = now[k];
		}
	}
	for (unsigned k = 0; k < in->n_keysets; k++)
		if (store_keysets_story(&told, in, k))
			story_add(d, &told, NULL, 0);
	if (*in->card.profile && strcmp(in->card.profile, m->row.profile)) {
		memcpy(m->row.profile, in->card.profile, sizeof(m->row.profile));
		rc = STORE_R_UPDATED;
	}
	if (in->card.tz_min != CARD_TZ_KEEP && in->card.tz_min != m->row.tz_min) {
		m->row.tz_min = in->card.tz_min;
		rc = STORE_R_UPDATED;
	}
	return rc;
}

static int16_t card_new(struct store_mem_disk *d, struct store_card_insert *in)
{
	struct m_card rec = { .txns = NONE, .cmds = NONE, .parts = NONE, .story_first = NONE, .story_last = NONE };
	int16_t rc = numbers_check(d, 0, in->card.imsi, in->card.msisdn);
	uint32_t i;

	if (in->card.tz_min == CARD_TZ_KEEP)
		in->card.tz_min = 0;
	in->card.gone_ms = 0;
	in->card.moves = 0;
	in->card.quarantine_ms = 0;
	if (rc)
		return rc;
	in->card.id = d->card.n + 1;
	for (unsigned k = 0; k < in->n_keysets; k++) {
		in->keyset[k].card = in->card.id;
		keyset_add(&rec, &in->keyset[k]);
	}
	rec.row = in->card;
	i = vec_push(d, &d->card, &rec);
	hidx_add(d, &d->by_iccid, i, text_hash(0, rec.row.iccid));
	key_add(d, &d->by_imsi, i, rec.row.imsi);
	key_add(d, &d->by_msisdn, i, rec.row.msisdn);
	card_addr(d, &in->card, ADDR_MSISDN, in->card.msisdn);
	card_addr(d, &in->card, ADDR_IMSI, in->card.imsi);
	return 0;
}

static int op_card_insert(struct store_mem_disk *d, struct store_op *op)
{
	struct store_card_insert *in = op->row;
	uint32_t i = card_by_iccid(d, in->card.iccid);
	const struct m_card *m = i != NONE ? vec_at(&d->card, i) : NULL;

	if (!store_keysets_ok(in))
		return STORE_E_CORRUPT;
	if (!m)
		op->rc = card_new(d, in);
	else if (m->row.gone_ms)
		op->rc = STORE_R_GONE;
	else if (strcmp(m->row.imsi, in->card.imsi) || strcmp(m->row.msisdn, in->card.msisdn))
		op->rc = STORE_R_DUP_ICCID;
	else
		op->rc = card_again(d, i, in);
	return 0;
}

/* ---- cards that come and go ---- */

static bool card_open(const struct store_mem_disk *d, const struct m_card *m)
{
	for (uint32_t i = m->txns; i != NONE; i = ((struct m_txn *)vec_at(&d->txn, i))->next)
		if (txn_is_open(&((struct m_txn *)vec_at(&d->txn, i))->row))
			return true;
	for (uint32_t i = m->cmds; i != NONE; i = ((struct m_cmd *)vec_at(&d->cmd.v, i))->next)
		if (((struct m_cmd *)vec_at(&d->cmd.v, i))->row.state <= CMD_WAIT_PRESENCE)
			return true;
	return false;
}

static void addr_end(struct store_mem_disk *d, uint64_t card, enum addr_type type, const char *digits, int64_t at_ms)
{
	uint32_t i;

	for (i = hidx_first(&d->by_addr, text_hash(type, digits)); i != NONE; i = hidx_next(&d->by_addr, i)) {
		const struct card_addr_row *a = &((struct m_addr *)vec_at(&d->addr, i))->row;

		if (a->type == type && a->card == card && !strcmp(a->digits, digits) &&
		    (!a->valid_to_ms || a->valid_to_ms > at_ms))
			((struct m_addr *)vec_edit(d, &d->addr, i))->row.valid_to_ms = at_ms;
	}
}

/* From what it is to *now: addresses, the row, a line of its story. */
static void card_moved(struct store_mem_disk *d, uint32_t i, const struct card_row *now, int64_t at_ms)
{
	const struct m_card *m = vec_at(&d->card, i);
	struct story_row told;

	addr_end(d, now->id, ADDR_MSISDN, m->row.msisdn, at_ms);
	addr_end(d, now->id, ADDR_IMSI, m->row.imsi, at_ms);
	key_del(d, &d->by_imsi, i, m->row.imsi);
	key_add(d, &d->by_imsi, i, now->imsi);
	key_del(d, &d->by_msisdn, i, m->row.msisdn);
	key_add(d, &d->by_msisdn, i, now->msisdn);
	((struct m_card *)vec_edit(d, &d->card, i))->row = *now;
	store_move_story(&told, now, at_ms);
	story_add(d, &told, NULL, 0);
}

static int16_t card_back(struct store_mem_disk *d, uint32_t i, struct store_card_insert *in)
{
	const struct m_card *m = vec_at(&d->card, i);
	const struct card_row old = m->row;
	struct card_row *now = &in->card;
	bool moved = old.gone_ms || strcmp(old.imsi, now->imsi) || strcmp(old.msisdn, now->msisdn);
	int16_t rc = moved && card_open(d, m) ? STORE_R_OPEN_TXN : 0;

	if (!rc)
		rc = numbers_check(d, old.id, now->imsi, now->msisdn);
	if (rc)
		return rc;
	store_keysets_name(m->keyset, m->n_keysets, in);
	rc = card_again(d, i, in);
	if (rc != STORE_R_SAME && rc != STORE_R_UPDATED)
		return rc;
	if (now->tz_min == CARD_TZ_KEEP)
		now->tz_min = old.tz_min;
	if (!*now->profile)
		memcpy(now->profile, old.profile, sizeof(now->profile));
	if (now->last_seen_ms < old.last_seen_ms)
		now->last_seen_ms = old.last_seen_ms;
	now->gone_ms = 0;
	now->moves = old.moves + moved;
	now->quarantine_ms = old.quarantine_ms;
	if (!moved)
		return rc;
	card_moved(d, i, now, now->created_ms);
	card_addr(d, now, ADDR_MSISDN, now->msisdn);
	card_addr(d, now, ADDR_IMSI, now->imsi);
	return STORE_R_UPDATED;
}

static int op_card_take(struct store_mem_disk *d, struct store_op *op)
{
	struct store_card_insert *in = op->row;
	uint32_t i = card_by_iccid(d, in->card.iccid);
	struct story_row told;

	if (!store_keysets_ok(in))
		return STORE_E_CORRUPT;
	if (i != NONE) {
		op->rc = card_back(d, i, in);
		return 0;
	}
	store_keysets_name(NULL, 0, in);
	op->rc = card_new(d, in);
	if (op->rc)
		return 0;
	store_move_story(&told, &in->card, in->card.created_ms);
	story_add(d, &told, NULL, 0);
	return 0;
}

static int op_card_leave(struct store_mem_disk *d, struct store_op *op)
{
	struct card_row *now = op->row;
	uint32_t i = card_by_iccid(d, now->iccid);
	const struct m_card *m = i != NONE ? vec_at(&d->card, i) : NULL;
	int64_t at_ms = now->gone_ms;
	struct m_card *keyed;

	op->rc = !m ? STORE_R_NOT_FOUND : m->row.gone_ms ? STORE_R_SAME : card_open(d, m) ? STORE_R_OPEN_TXN : 0;
	if (op->rc == STORE_R_NOT_FOUND || op->rc == STORE_R_OPEN_TXN)
		return 0;
	*now = m->row;
	if (op->rc)
		return 0;
	now->gone_ms = at_ms;
	now->moves++;
	memset(now->imsi, 0, sizeof(now->imsi));
	memset(now->msisdn, 0, sizeof(now->msisdn));
	keyed = vec_edit(d, &d->card, i);
	keyed->n_keysets = 0;
	memset(keyed->keyset, 0, sizeof(keyed->keyset));
	card_moved(d, i, now, at_ms);
	return 0;
}

static int op_card_put(struct store_mem_disk *d, struct store_op *op)
{
	const struct card_row *row = op->row;
	struct m_card *m = card_at(d, row->id);
	uint32_t i = (uint32_t)(row->id - 1);
	char iccid[sizeof(row->iccid)], profile[sizeof(row->profile)];
	int64_t tz_min, gone_ms, quarantine_ms;

	if (!m) {
		op->rc = STORE_R_NOT_FOUND;
		return 0;
	}
	if (m->row.moves != row->moves) { /* who has not heard yet that it has moved: the numbers are the store's */
		m = vec_edit(d, &d->card, i);
		if (m->row.last_seen_ms < row->last_seen_ms)
			m->row.last_seen_ms = row->last_seen_ms;
		return 0;
	}
	if (strcmp(m->row.imsi, row->imsi)) {
		key_del(d, &d->by_imsi, i, m->row.imsi);
		key_add(d, &d->by_imsi, i, row->imsi);
	}
	if (strcmp(m->row.msisdn, row->msisdn)) {
		key_del(d, &d->by_msisdn, i, m->row.msisdn);
		key_add(d, &d->by_msisdn, i, row->msisdn);
	}
	m = vec_edit(d, &d->card, i);
	memcpy(iccid, m->row.iccid, sizeof(iccid));
	memcpy(profile, m->row.profile, sizeof(profile));
	tz_min = m->row.tz_min;
	gone_ms = m->row.gone_ms;
	quarantine_ms = m->row.quarantine_ms;
	m->row = *row;
	m->row.gone_ms = gone_ms;
	m->row.quarantine_ms = quarantine_ms;
	memcpy(m->row.iccid, iccid, sizeof(iccid));
	memcpy(m->row.profile, profile, sizeof(profile));
	m->row.tz_min = tz_min;
	return 0;
}

static int op_card_quarantine(struct store_mem_disk *d, struct store_op *op)
{
	const struct card_row *row = op->row;

	if (!card_at(d, row->id)) {
		op->rc = STORE_R_NOT_FOUND;
		return 0;
	}
	((struct m_card *)vec_edit(d, &d->card, (uint32_t)(row->id - 1)))->row.quarantine_ms = row->quarantine_ms;
	return 0;
}

static int op_keyset_cntr(struct store_mem_disk *d, struct store_op *op)
{
	const struct keyset_row *k = op->row;
	struct m_card *m = card_at(d, k->card);

	op->rc = STORE_R_NOT_FOUND;
	for (unsigned i = 0; m && i < m->n_keysets; i++) {
		if (m->keyset[i].kvn != k->kvn)
			continue;
		if (m->keyset[i].generation != k->generation &&
		    (m->keyset[i].sealed_len != k->sealed_len ||
		     memcmp(m->keyset[i].sealed, k->sealed, k->sealed_len))) {
			op->rc = STORE_R_OLD_GENERATION;
			break;
		}
		m = vec_edit(d, &d->card, (uint32_t)(k->card - 1));
		if (k->epoch > m->keyset[i].epoch ||
		    (k->cntr >= m->keyset[i].cntr && k->cntr_proven > m->keyset[i].cntr_proven))
			m->keyset[i].cntr_proven = k->cntr_proven;
		if (k->cntr > m->keyset[i].cntr)
			m->keyset[i].cntr = k->cntr;
		if (k->epoch > m->keyset[i].epoch)
			m->keyset[i].epoch = k->epoch;
		op->rc = 0;
		break;
	}
	return 0;
}

/* ---- campaigns and transactions ---- */

static int op_campaign_insert(struct store_mem_disk *d, struct store_op *op)
{
	const struct campaign_row *row = op->row;
	struct m_campaign rec = { .row = *row, .text_len = op->bytes_len };

	for (uint32_t i = 0; i < d->campaign.order.n; i++)
		if (!strcmp(((struct m_campaign *)otab_nth(&d->campaign, i))->row.name, row->name)) {
			op->rc = STORE_R_DUP_NAME;
			return 0;
		}
	if (!row->id || op->bytes_len > PROFILE_TEXT_MAX || otab_find(&d->campaign, row->id) != NONE)
		return STORE_E_CORRUPT;
	rec.text_off = bytes_push(d, op->bytes, op->bytes_len);
	otab_insert(d, &d->campaign, &rec);
	return 0;
}

static int op_campaign_put(struct store_mem_disk *d, struct store_op *op)
{
	const struct campaign_row *row = op->row;
	uint32_t i = otab_find(&d->campaign, row->id);
	char name[sizeof(row->name)];
	struct m_campaign *m;
	uint8_t kind;

	if (i == NONE) {
		op->rc = STORE_R_NOT_FOUND;
		return 0;
	}
	m = vec_edit(d, &d->campaign.v, i);
	memcpy(name, m->row.name, sizeof(name));
	kind = m->row.kind;
	m->row = *row;
	m->row.kind = kind;
	memcpy(m->row.name, name, sizeof(name));
	return 0;
}

static void txn_unlink(struct store_mem_disk *d, uint32_t i)
{
	const struct m_txn *gone = vec_at(&d->txn, i);
	uint32_t at = (uint32_t)(gone->row.card - 1), next = gone->next;
	struct m_card *card = vec_at(&d->card, at);

	if (card->txns == i) {
		card = vec_edit(d, &d->card, at);
		card->txns = next;
		return;
	}
	for (at = card->txns; ((struct m_txn *)vec_at(&d->txn, at))->next != i;)
		at = ((struct m_txn *)vec_at(&d->txn, at))->next;
	((struct m_txn *)vec_edit(d, &d->txn, at))->next = next;
}

static int op_campaign_drop(struct store_mem_disk *d, struct store_op *op)
{
	const struct campaign_row *row = op->row;
	uint32_t i = otab_find(&d->campaign, row->id), n;
	const struct m_campaign *m = i != NONE ? vec_at(&d->campaign.v, i) : NULL;

	if (!m || (m->row.state != CAMPAIGN_LOADING && m->row.state != CAMPAIGN_READY)) {
		op->rc = STORE_R_NOT_FOUND;
		return 0;
	}
	for (i = 0; i < d->txn.n; i++) {
		struct m_txn *t = vec_at(&d->txn, i);

		if (!t->row.id || t->row.campaign != row->id)
			continue;
		txn_unlink(d, i);
		key_del(d, &d->by_new_imsi, i, t->row.new_imsi);
		key_del(d, &d->by_new_msisdn, i, t->row.new_msisdn);
		t = vec_edit(d, &d->txn, i);
		t->row.id = 0;
	}
	/* The highest id that is left decides which comes next, as with SQLite. */
	for (n = d->txn.n; n && !((struct m_txn *)vec_at(&d->txn, n - 1))->row.id; n--)
		vec_edit(d, &d->txn, n - 1);
	vec_cut(d, &d->txn, n);
	otab_delist(d, &d->campaign, row->id);
	return 0;
}

/* Whether the plan's filter lets this card through. */
static bool plan_holds(const struct store_txn_plan *p, const struct m_card *m)
{
	struct store_facts f = { .imsi = m->row.imsi,
				 .msisdn = m->row.msisdn,
				 .profile = m->row.profile,
				 .last_seen_ms = m->row.last_seen_ms };

	for (unsigned i = 0; i < m->n_keysets; i++) {
		if (!m->keyset[i].sealed_len)
			continue;
		f.key[f.n_keys].kvn = m->keyset[i].kvn;
		f.key[f.n_keys].alg = m->keyset[i].kic_alg;
		f.key[f.n_keys].octets = (uint8_t)ks_sealed_kic_octets(m->keyset[i].sealed, m->keyset[i].sealed_len);
		f.n_keys++;
	}
	return store_filter_holds(&p->filter, &f, p->kvn);
}

static int op_txn_plan(struct store_mem_disk *d, struct store_op *op)
{
	struct store_txn_plan *p = op->row;
	struct m_txn rec;
	const struct m_card *m;
	int16_t numbers;
	uint32_t i, t;
	unsigned k;

	if (op->bytes_len > TXN_WORK_MAX)
		return STORE_E_CORRUPT;
	if (otab_find(&d->campaign, p->txn.campaign) == NONE) {
		op->rc = STORE_R_NOT_FOUND;
		return 0;
	}
	p->txn.card = 0;
	if (!store_filter_iccid(&p->filter, p->iccid)) {
		op->rc = STORE_R_FILTERED;
		return 0;
	}
	i = card_by_iccid(d, p->iccid);
	if (i == NONE) {
		op->rc = STORE_R_NO_CARD;
		return 0;
	}
	m = vec_at(&d->card, i);
	p->txn.card = m->row.id;
	p->seen_ms = m->row.last_seen_ms;
	if (!plan_holds(p, m)) {
		op->rc = STORE_R_FILTERED;
		return 0;
	}
	if (m->row.gone_ms || (p->not_quarantined && m->row.quarantine_ms)) {
		op->rc = m->row.gone_ms ? STORE_R_GONE : STORE_R_QUARANTINE;
		return 0;
	}
	numbers = store_plan_numbers(p, m->row.imsi, m->row.msisdn);
	for (k = 0; k < m->n_keysets && m->keyset[k].kvn != p->kvn; k++)
		;
	if (k == m->n_keysets) {
		op->rc = STORE_R_NO_KEYSET;
		return 0;
	}
	p->kic_alg = m->keyset[k].kic_alg;
	p->kid_alg = m->keyset[k].kid_alg;
	p->cc_len = m->keyset[k].cc_len;
	op->rc = numbers;
	if (op->rc)
		return 0;
	if (p->retry_of && m->txns != NONE && ((struct m_txn *)vec_at(&d->txn, m->txns))->row.id != p->retry_of) {
		op->rc = STORE_R_LATER_TXN;
		return 0;
	}
	for (t = m->txns; t != NONE; t = ((struct m_txn *)vec_at(&d->txn, t))->next)
		if (txn_is_open(&((struct m_txn *)vec_at(&d->txn, t))->row)) {
			op->rc = STORE_R_OPEN_TXN;
			return 0;
		}
	op->rc = numbers_check(d, m->row.id, p->txn.new_imsi, p->txn.new_msisdn);
	if (op->rc)
		return 0;
	p->txn.id = d->txn.n + 1;
	rec = (struct m_txn){ .row = p->txn, .next = m->txns, .work_len = op->bytes_len };
	rec.work_off = bytes_push(d, op->bytes, op->bytes_len);
	t = vec_push(d, &d->txn, &rec);
	key_add(d, &d->by_new_imsi, t, rec.row.new_imsi);
	key_add(d, &d->by_new_msisdn, t, rec.row.new_msisdn);
	((struct m_card *)vec_edit(d, &d->card, i))->txns = t;
	return 0;
}

static int op_txn_put(struct store_mem_disk *d, struct store_op *op)
{
	const struct txn_row *row = op->row;
	uint32_t i = (uint32_t)(row->id - 1);
	struct m_txn *m = row->id && row->id <= d->txn.n ? vec_at(&d->txn, i) : NULL;
	struct txn_row old;

	if (!m || !m->row.id) {
		op->rc = STORE_R_NOT_FOUND;
		return 0;
	}
	m = vec_edit(d, &d->txn, i);
	old = m->row;
	m->row = *row;
	m->row.campaign = old.campaign;
	m->row.card = old.card;
	memcpy(m->row.new_imsi, old.new_imsi, sizeof(old.new_imsi));
	memcpy(m->row.new_msisdn, old.new_msisdn, sizeof(old.new_msisdn));
	return 0;
}

/* ---- commands ---- */

static void cmd_link(struct store_mem_disk *d, uint32_t i)
{
	struct m_cmd *m = vec_at(&d->cmd.v, i);
	struct m_card *card = card_at(d, m->row.card);
	uint32_t at, prev = NONE;

	if (!card)
		return;
	for (at = card->cmds; at != NONE && ((struct m_cmd *)vec_at(&d->cmd.v, at))->row.id > m->row.id;
	     at = ((struct m_cmd *)vec_at(&d->cmd.v, at))->next)
		prev = at;
	m->next = at;
	if (prev == NONE)
		((struct m_card *)vec_edit(d, &d->card, (uint32_t)(card->row.id - 1)))->cmds = i;
	else
		((struct m_cmd *)vec_edit(d, &d->cmd.v, prev))->next = i;
}

static int op_cmd_put(struct store_mem_disk *d, struct store_op *op)
{
	const struct cmd_row *row = op->row;
	uint32_t i = otab_find(&d->cmd, row->id);
	struct m_cmd rec = { .row = *row, .next = NONE }, *m;
	struct cmd_row old;

	if (i == NONE) {
		cmd_link(d, otab_insert(d, &d->cmd, &rec));
		return 0;
	}
	m = vec_edit(d, &d->cmd.v, i);
	old = m->row;
	m->row = *row;
	m->row.txn = old.txn;
	m->row.card = old.card;
	m->row.campaign = old.campaign;
	m->row.kind = old.kind;
	return 0;
}

static int op_wire_put(struct store_mem_disk *d, struct store_op *op)
{
	const struct cmd_row *cmd = op->row;
	uint32_t i = otab_find(&d->wire, cmd->id);
	struct m_wire rec = { .id = cmd->id, .len = op->bytes_len };

	if (op->bytes_len > CMD_PACKET_MAX)
		return STORE_E_CORRUPT;
	if (i != NONE) {
		const struct m_wire *w = vec_at(&d->wire.v, i);

		return w->len == op->bytes_len && (!w->len || !memcmp(vec_at(&d->bytes, w->off), op->bytes, w->len)) ?
			       0 :
			       STORE_E_CORRUPT;
	}
	rec.off = bytes_push(d, op->bytes, op->bytes_len);
	otab_insert(d, &d->wire, &rec);
	return 0;
}

/* ---- parts ---- */

static int op_part_put(struct store_mem_disk *d, struct store_op *op)
{
	const struct part_row *row = op->row;
	struct m_card *card = card_at(d, row->card);
	struct m_part rec = { .row = *row };
	uint32_t i;

	if (!card)
		return 0; /* nobody could ask for it */
	if (rec.row.len > OTA_TP_UD_MAX)
		rec.row.len = OTA_TP_UD_MAX;
	for (i = card->parts; i != NONE; i = ((struct m_part *)vec_at(&d->part, i))->next) {
		const struct part_row *p = &((struct m_part *)vec_at(&d->part, i))->row;

		if (p->iei == row->iei && p->ref == row->ref && p->seq == row->seq) {
			((struct m_part *)vec_edit(d, &d->part, i))->row = rec.row;
			return 0;
		}
	}
	rec.next = card->parts;
	i = d->part_free;
	if (i != NONE) {
		raw_edit(d, &d->part_free, sizeof(d->part_free));
		d->part_free = ((struct m_part *)vec_at(&d->part, i))->next;
		*(struct m_part *)vec_edit(d, &d->part, i) = rec;
	} else {
		i = vec_push(d, &d->part, &rec);
	}
	((struct m_card *)vec_edit(d, &d->card, (uint32_t)(row->card - 1)))->parts = i;
	return 0;
}

static int op_parts_drop(struct store_mem_disk *d, struct store_op *op)
{
	const struct part_row *row = op->row;
	struct m_card *card = card_at(d, row->card);
	uint32_t i, next, prev = NONE;

	for (i = card ? card->parts : NONE; i != NONE; i = next) {
		struct m_part *m = vec_at(&d->part, i);

		next = m->next;
		if (m->row.iei != row->iei || m->row.ref != row->ref) {
			prev = i;
			continue;
		}
		if (prev == NONE)
			((struct m_card *)vec_edit(d, &d->card, (uint32_t)(row->card - 1)))->parts = next;
		else
			((struct m_part *)vec_edit(d, &d->part, prev))->next = next;
		m = vec_edit(d, &d->part, i);
		raw_edit(d, &d->part_free, sizeof(d->part_free));
		m->next = d->part_free;
		d->part_free = i;
	}
	return 0;
}

/* ---- the rest ---- */

static int op_meta_put(struct store_mem_disk *d, struct store_op *op)
{
	const struct store_meta *meta = op->row;
	struct m_meta rec = { .len = op->bytes_len };

	if (op->bytes_len > PROFILE_TEXT_MAX)
		return STORE_E_CORRUPT;
	memcpy(rec.key, meta->key, strnlen(meta->key, sizeof(rec.key) - 1));
	rec.off = bytes_push(d, op->bytes, op->bytes_len);
	for (uint32_t i = 0; i < d->meta.n; i++)
		if (!strcmp(((struct m_meta *)vec_at(&d->meta, i))->key, rec.key)) {
			*(struct m_meta *)vec_edit(d, &d->meta, i) = rec;
			return 0;
		}
	vec_push(d, &d->meta, &rec);
	return 0;
}

static int op_run(struct store_mem_disk *d, struct store_op *op)
{
	op->rc = 0;
	switch ((enum store_op_kind)op->kind) {
	case ST_CARD_INSERT:
		return op_card_insert(d, op);
	case ST_CARD_TAKE:
		return op_card_take(d, op);
	case ST_CARD_LEAVE:
		return op_card_leave(d, op);
	case ST_CARD_PUT:
		return op_card_put(d, op);
	case ST_KEYSET_CNTR:
		return op_keyset_cntr(d, op);
	case ST_ADDR_PUT:
		addr_put(d, op->row);
		return 0;
	case ST_CAMPAIGN_INSERT:
		return op_campaign_insert(d, op);
	case ST_CAMPAIGN_PUT:
		return op_campaign_put(d, op);
	case ST_CAMPAIGN_DROP:
		return op_campaign_drop(d, op);
	case ST_TXN_PLAN:
		return op_txn_plan(d, op);
	case ST_TXN_PUT:
		return op_txn_put(d, op);
	case ST_CMD_PUT:
		return op_cmd_put(d, op);
	case ST_WIRE_PUT:
		return op_wire_put(d, op);
	case ST_PART_PUT:
		return op_part_put(d, op);
	case ST_PARTS_DROP:
		return op_parts_drop(d, op);
	case ST_STORY_ADD:
		story_add(d, op->row, op->bytes, op->bytes_len);
		return 0;
	case ST_META_PUT:
		return op_meta_put(d, op);
	case ST_BOOK_PUT:
		return mem_book_put(d, op);
	case ST_BOOK_DROP:
		return mem_book_drop(d, op);
	case ST_TRIM:
		mem_trim(d, op->row);
		return 0;
	case ST_CARD_QUARANTINE:
		return op_card_quarantine(d, op);
	case _ST_OPS:
		break;
	}
	return STORE_E_CORRUPT;
}

/* In the order given: there are no pages here that sorting by card would spare. */
int mem_commit(struct store_mem_disk *d, struct store_batch *b)
{
	int err = 0;

	if (b->batch_no && b->batch_no <= d->last_batch)
		return b->batch_no == d->last_batch ? STORE_OK : STORE_E_CORRUPT;
	undo_forget(d);
	for (size_t i = 0; i < b->n && !err; i++)
		err = op_run(d, &b->ops[i]);
	if (err || store_batch_refused(b) || b->dry_run)
		undo_all(d);
	else if (b->batch_no)
		d->last_batch = b->batch_no;
	return err;
}
