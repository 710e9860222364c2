/* cards.c - which cards are in memory, how the others get there, and what of them must go into the next batch.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * An event that names a card which is not resident is parked, in order per card, until the store has read it.  The
 * resident copy is ahead of the store by what is in unfinished batches, so a card leaves memory only when its last change
 * is durable and no read older than that change is still under way (it would bring back the past).
 */
#include <stdlib.h>

#include "gw_int.h"

static unsigned digits_hash(uint8_t type, const char *digits)
{
	uint64_t h = type;

	while (*digits)
		h = h * 31 + (uint8_t)*digits++;
	return (unsigned)hash_u64(h);
}

int cards_init(struct gw *gw)
{
	unsigned n = gw->cfg.limits.resident_max, buckets = pow2_at_least(n);

	gw->cards = calloc(n, sizeof(*gw->cards));
	gw->card_hash = calloc(buckets, sizeof(*gw->card_hash));
	gw->addr_hash = calloc(buckets, sizeof(*gw->addr_hash));
	gw->fetch = calloc(gw->cfg.limits.fetch_max, sizeof(*gw->fetch));
	if (!gw->cards || !gw->card_hash || !gw->addr_hash || !gw->fetch)
		return -ENOMEM;
	gw->card_hash_mask = buckets - 1;
	gw->lru.lru_next = gw->lru.lru_prev = &gw->lru;
	return 0;
}

/* ------------------------------------------------------------------------------------------- lookup and LRU */

struct card *card_find(struct gw *gw, uint64_t id)
{
	struct card *c = gw->card_hash[hash_u64(id) & gw->card_hash_mask];

	while (c && c->b.card.id != id)
		c = c->hash_next;
	return c;
}

struct card *card_by_addr(struct gw *gw, const struct ota_addr *a)
{
	uint8_t type = a->npi == 6 ? ADDR_IMSI : ADDR_MSISDN;
	struct addr_ent *e = gw->addr_hash[digits_hash(type, a->digits) & gw->card_hash_mask];

	while (e && (e->type != type || strcmp(e->digits, a->digits)))
		e = e->next;
	return e ? e->card : NULL;
}

static void addr_forget(struct gw *gw, struct addr_ent *e)
{
	struct addr_ent **link;

	if (!e->type)
		return;
	link = &gw->addr_hash[digits_hash(e->type, e->digits) & gw->card_hash_mask];
	while (*link != e)
		link = &(*link)->next;
	*link = e->next;
	e->type = 0;
}

/* digits "": none.  What stands there already stays: most changes of a card leave its numbers as they are. */
static void addr_remember(struct gw *gw, struct card *c, unsigned i, uint8_t type, const char *digits)
{
	struct addr_ent *e = &c->addr[i], **bucket;

	if (e->type ? !strcmp(e->digits, digits) : !digits[0])
		return;
	addr_forget(gw, e);
	if (!digits[0])
		return;
	e->type = type;
	e->card = c;
	memcpy(e->digits, digits, sizeof(e->digits));
	bucket = &gw->addr_hash[digits_hash(type, digits) & gw->card_hash_mask];
	e->next = *bucket;
	*bucket = e;
}

void card_index_addrs(struct gw *gw, struct card *c)
{
	/* numbers promised by a transaction that has ended may be another card's by now: the store knows */
	bool promised = c->b.has_txn && c->b.txn.state == TXN_ACTIVE;
	const struct txn_row *t = &c->b.txn;

	addr_remember(gw, c, 0, ADDR_MSISDN, c->b.card.msisdn);
	addr_remember(gw, c, 1, ADDR_IMSI, c->b.card.imsi);
	addr_remember(gw, c, 2, ADDR_IMSI, promised && strcmp(t->new_imsi, c->b.card.imsi) ? t->new_imsi : "");
	addr_remember(gw, c, 3, ADDR_MSISDN, promised && strcmp(t->new_msisdn, c->b.card.msisdn) ? t->new_msisdn : "");
}

static void lru_unlink(struct card *c)
{
	c->lru_prev->lru_next = c->lru_next;
	c->lru_next->lru_prev = c->lru_prev;
}

void card_touch(struct gw *gw, struct card *c)
{
	lru_unlink(c);
	c->lru_prev = gw->lru.lru_prev;
	c->lru_next = &gw->lru;
	gw->lru.lru_prev->lru_next = c;
	gw->lru.lru_prev = c;
}

/* A changed card may go when its change is durable and no read that was asked for before that commit is under way. */
static bool evictable(const struct gw *gw, const struct card *c, uint64_t oldest)
{
	if (c->pins || c->in_dirty)
		return false;
	return !c->change_batch || (c->change_batch <= gw->committed && gw->committed_fetch_seq <= oldest);
}

static void card_evict(struct gw *gw, struct card *c)
{
	struct card **link = &gw->card_hash[hash_u64(c->b.card.id) & gw->card_hash_mask];

	for (unsigned i = 0; i < CARD_ADDRS; i++)
		addr_forget(gw, &c->addr[i]);
	while (*link != c)
		link = &(*link)->hash_next;
	*link = c->hash_next;
	lru_unlink(c);
	c->used = false;
	c->hash_next = gw->card_free;
	gw->card_free = c;
	gw->resident--;
}

/* Places for cards that could be had now: free ones, and the cold end of the list as far as it may go. */
unsigned cards_room(struct gw *gw)
{
	unsigned want = gw->cfg.limits.fetch_max + CLAIM_MAX, room = gw->cfg.limits.resident_max - gw->resident;
	unsigned looks = 0;
	uint64_t oldest;

	if (room >= want)
		return room;
	oldest = fetch_oldest(gw);
	for (struct card *c = gw->lru.lru_next, *next; room < want && c != &gw->lru && looks++ < EVICT_LOOKS;
	     c = next) {
		next = c->lru_next;
		if (!evictable(gw, c, oldest))
			continue;
		card_evict(gw, c);
		room++;
	}
	return room;
}

/* A place that was given back, else one that was never used: memory is taken with use. */
static struct card *card_place(struct gw *gw)
{
	struct card *c = gw->card_free;

	if (!c && gw->cards_used == gw->cfg.limits.resident_max && cards_room(gw))
		c = gw->card_free;
	if (c)
		gw->card_free = c->hash_next;
	else if (gw->cards_used < gw->cfg.limits.resident_max)
		c = &gw->cards[gw->cards_used++];
	return c;
}

/* What is used of it: most of a bundle is room for what few cards have. */
static void bundle_copy(struct card_bundle *to, const struct card_bundle *from)
{
	memcpy(to, from, offsetof(struct card_bundle, keyset));
	memcpy(to->keyset, from->keyset, from->n_keysets * sizeof(to->keyset[0]));
	memcpy(to->cmd, from->cmd, from->n_cmds * sizeof(to->cmd[0]));
	memcpy(to->part, from->part, from->n_parts * sizeof(to->part[0]));
	to->packet_cmd = from->packet_cmd;
	to->packet_len = from->packet_len;
	memcpy(to->packet, from->packet, from->packet_len);
	to->work_len = from->work_len;
	memcpy(to->work, from->work, from->work_len);
}

struct card *card_load(struct gw *gw, const struct card_bundle *b)
{
	struct card *c = card_find(gw, b->card.id), **bucket;
	const struct stub *s;

	if (c) {
		card_touch(gw, c);
		return c; /* the resident copy is ahead of the store */
	}
	c = card_place(gw);
	if (!c)
		return NULL;
	memset((uint8_t *)c + sizeof(c->b), 0, sizeof(*c) - sizeof(c->b));
	bundle_copy(&c->b, b);
	c->used = true;
	c->seen_written_ms = b->card.last_seen_ms;
	s = stub_find(gw, b->card.id);
	c->link = s ? s->link : 0;
	bucket = &gw->card_hash[hash_u64(b->card.id) & gw->card_hash_mask];
	c->hash_next = *bucket;
	*bucket = c;
	c->lru_prev = c->lru_next = c;
	card_touch(gw, c);
	card_index_addrs(gw, c);
	if (++gw->resident > gw->resident_high)
		gw->resident_high = gw->resident;
	return c;
}

/* Under which number is the card reached?  Once a script has left, the card may live under either: what was last heard from it
 * decides, and where nothing was, attempts take turns.  True: the new one. */
bool card_address_turn(const struct gw *gw, const struct card *c)
{
	const struct txn_row *t = &c->b.txn;

	if (txn_ended(t->state) || c->b.work_len) /* an operator reaches a card through its own network alone */
		return false;
	if (gw->cfg.address_by_imsi ? !strcmp(t->new_imsi, c->b.card.imsi) :
				      !*t->new_msisdn || !strcmp(t->new_msisdn, c->b.card.msisdn))
		return false;
	if (c->heard == HEARD_OLD || c->heard == HEARD_NEW)
		return c->heard == HEARD_NEW;
	return t->attempts > 1 && t->attempts % 2 == 0;
}

void card_heard(struct card *c, const struct ota_addr *from)
{
	const char *now = from->npi == 6 ? c->b.card.imsi : c->b.card.msisdn;
	const char *then = from->npi == 6 ? c->b.txn.new_imsi : c->b.txn.new_msisdn;

	if (!*then || !strcmp(now, then))
		return; /* this number does not change: it says nothing of the other */
	if (!strcmp(from->digits, then))
		c->heard = HEARD_NEW;
	else if (!strcmp(from->digits, now))
		c->heard = HEARD_OLD;
}

void card_addr_put(struct gw *gw, const struct card *c, enum addr_type type, const char *digits)
{
	struct card_addr_row a = { .type = (uint8_t)type, .card = c->b.card.id, .valid_from_ms = gw->now_ms };

	memcpy(a.digits, digits, sizeof(a.digits));
	gw_op(gw, ST_ADDR_PUT, &a, NULL, 0);
}

/* A number the card has given up: it may still speak under it for a while, then the number may be somebody else's. */
void card_addr_end(struct gw *gw, const struct card *c, enum addr_type type, const char *digits)
{
	struct card_addr_row a = {
		.type = (uint8_t)type,
		.card = c->b.card.id,
		.valid_from_ms = c->b.card.created_ms,
		.valid_to_ms = gw->now_ms + ADDR_GRACE_MS,
	};

	if (!digits[0])
		return;
	memcpy(a.digits, digits, sizeof(a.digits));
	gw_op(gw, ST_ADDR_PUT, &a, NULL, 0);
}

/* ---------------------------------------------------------------------------------------------------- dirt */

void card_dirty(struct gw *gw, struct card *c, uint32_t what)
{
	c->dirty |= what;
	c->change_batch = gw->batch_no;
	if (c->in_dirty)
		return;
	c->in_dirty = true;
	c->dirty_next = NULL;
	if (gw->dirty_head)
		gw->dirty_tail->dirty_next = c;
	else
		gw->dirty_head = c;
	gw->dirty_tail = c; /* in the order of the claims, which is nearly that of the store */
	gw->dirty_n++;
}

static void card_flush(struct gw *gw, struct card *c)
{
	if (c->dirty & DIRTY_CARD) {
		gw_op(gw, ST_CARD_PUT, &c->b.card, NULL, 0);
		c->seen_written_ms = c->b.card.last_seen_ms;
	}
	if (c->dirty & DIRTY_QUARANTINE)
		gw_op(gw, ST_CARD_QUARANTINE, &c->b.card, NULL, 0);
	for (unsigned i = 0; i < c->b.n_keysets; i++)
		if (c->dirty & DIRTY_KEYSET(i))
			gw_op(gw, ST_KEYSET_CNTR, &c->b.keyset[i], NULL, 0);
	if (c->dirty & DIRTY_TXN)
		gw_op(gw, ST_TXN_PUT, &c->b.txn, NULL, 0);
	for (unsigned i = 0; i < c->b.n_cmds; i++)
		if (c->dirty & DIRTY_CMD(i))
			gw_op(gw, ST_CMD_PUT, &c->b.cmd[i], NULL, 0);
	c->dirty = 0;
}

void cards_flush(struct gw *gw)
{
	while (gw->dirty_head) {
		struct card *c = gw->dirty_head;

		gw->dirty_head = c->dirty_next;
		c->in_dirty = false;
		card_flush(gw, c);
		c->flying_next = gw->flying_cards;
		gw->flying_cards = c;
	}
	gw->dirty_n = 0;
}

/* The batch is durable: what it brought to an end leaves memory while it is still in the processor's cache, and makes room
 * for the next.  Until now none of these could have left. */
void cards_committed(struct gw *gw)
{
	uint64_t oldest = fetch_oldest(gw);

	while (gw->flying_cards) {
		struct card *c = gw->flying_cards;

		gw->flying_cards = c->flying_next;
		if (evictable(gw, c, oldest) && !card_open_cmd(c, NULL))
			card_evict(gw, c);
	}
}

/* --------------------------------------------------------------------------------------------------- fetches */

uint64_t fetch_oldest(const struct gw *gw)
{
	uint64_t oldest = UINT64_MAX;

	if (!gw->fetches)
		return oldest;
	for (unsigned i = 0; i < gw->cfg.limits.fetch_max; i++)
		if (gw->fetch[i].used && gw->fetch[i].seq < oldest)
			oldest = gw->fetch[i].seq;
	for (unsigned i = 0; i < CLAIMS_MAX; i++)
		if (gw->claim[i].used && gw->claim[i].seq < oldest)
			oldest = gw->claim[i].seq;
	return oldest;
}

static void ev_append(struct ev_list *l, struct ev_node *n)
{
	n->next = NULL;
	if (!l->head)
		l->tail = &l->head;
	*l->tail = n;
	l->tail = &n->next;
}

static void fetch_again(struct gw *gw, struct fetch_slot *s)
{
	s->again_ms = 0;
	s->seq = gw->fetch_seq++; /* what it brings is as new as this */
	gw->deps.store->ops->fetch(gw->deps.store, &s->f);
}

/* Runs what waited for this card as far as the batch has room; s->card is NULL when the store knows no such card. */
static void run_parked(struct gw *gw, struct fetch_slot *s)
{
	struct stub *st = s->timer ? stub_find(gw, s->f.card) : NULL;

	while (s->events.head) {
		struct ev_node *n = s->events.head;

		if (gw_batch_full(gw))
			return;
		s->events.head = n->next;
		gw_card_event(gw, s->card, &n->ev);
		gw_ev_free(gw, n);
	}
	if (st)
		st->fetching = false;
	if (st && s->card)
		cmd_timer(gw, s->card);
	else if (st)
		stub_remove(gw, s->f.card);
	if (s->card)
		s->card->pins--;
	s->used = s->ready = false;
	gw->fetches--;
	gw->fetches_waiting--;
}

static void fetch_done(struct store_fetch *f, int rc)
{
	struct fetch_slot *s = f->ctx;
	struct gw *gw = s->gw;

	if (rc == STORE_E_CORRUPT) {
		gw_set_fatal(gw, "the store cannot read a card: %s", store_why_text(rc, f->why));
		return;
	}
	if (rc == STORE_E_CLOSED)
		return;
	gw->fetches_waiting++;
	if (!rc && f->n && s->seq < gw->imported_seq && !card_find(gw, s->out.card.id)) {
		s->again_ms = gw->now_ms; /* it may bring back what an import has changed */
		return;
	}
	s->card = !rc && f->n ? card_load(gw, &s->out) : NULL;
	if (rc || (f->n && !s->card)) {
		/* nothing that came in is dropped: read again, a little later */
		if (rc)
			gw_read_failed(gw, "a card", rc, f->why);
		s->again_ms = gw->now_ms + FETCH_RETRY_MS;
		return;
	}
	gw->read_alarm[0] = 0;
	if (s->card)
		s->card->pins++;
	s->ready = true;
	run_parked(gw, s);
}

/* Reads that are to be asked for again, and parked events that found the batch full. */
int cards_turn(struct gw *gw)
{
	int did = 0;

	for (unsigned i = 0; gw->fetches_waiting && i < gw->cfg.limits.fetch_max; i++) {
		struct fetch_slot *s = &gw->fetch[i];

		if (s->used && s->ready && !gw_batch_full(gw)) {
			run_parked(gw, s);
			did++;
		} else if (s->used && s->again_ms && gw->now_ms >= s->again_ms) {
			gw->fetches_waiting--;
			fetch_again(gw, s);
			did++;
		}
	}
	return did;
}

int64_t cards_due(const struct gw *gw)
{
	int64_t due = INT64_MAX;

	for (unsigned i = 0; gw->fetches_waiting && i < gw->cfg.limits.fetch_max; i++) {
		const struct fetch_slot *s = &gw->fetch[i];

		if (s->used && s->ready && !gw_batch_full(gw))
			return gw->now_ms;
		if (s->used && s->again_ms && s->again_ms < due)
			due = s->again_ms;
	}
	return due;
}

static bool same_key(const struct fetch_slot *s, uint64_t id, const struct ota_addr *a)
{
	if (!a)
		return s->f.by == FETCH_BY_ID && s->f.card == id;
	return s->f.by == FETCH_BY_ADDR && s->f.addr_type == (a->npi == 6 ? ADDR_IMSI : ADDR_MSISDN) &&
	       !strcmp(s->f.digits, a->digits);
}

bool card_fetching(struct gw *gw, uint64_t id, const struct ota_addr *a, struct ev_node *ev)
{
	unsigned left = gw->fetches; /* of them: not of claims */

	for (unsigned i = 0; i < CLAIMS_MAX; i++)
		left -= gw->claim[i].used;
	for (unsigned i = 0; left && i < gw->cfg.limits.fetch_max; i++) {
		struct fetch_slot *s = &gw->fetch[i];

		if (!s->used)
			continue;
		if (same_key(s, id, a)) {
			if (ev)
				ev_append(&s->events, ev);
			return true;
		}
		left--;
	}
	return false;
}

bool card_fetch(struct gw *gw, uint64_t id, const struct ota_addr *a, struct ev_node *ev, bool timer)
{
	struct fetch_slot *s = NULL;

	for (unsigned i = 0; i < gw->cfg.limits.fetch_max && !s; i++)
		if (!gw->fetch[i].used)
			s = &gw->fetch[i];
	if (!s || gw->fetches >= cards_room(gw))
		return false;
	s->used = true;
	s->timer = timer;
	s->gw = gw;
	s->seq = gw->fetch_seq++;
	s->ready = false;
	s->again_ms = 0;
	s->card = NULL;
	s->events = (struct ev_list){ 0 };
	if (ev)
		ev_append(&s->events, ev);
	s->f = (struct store_fetch){
		.by = a ? FETCH_BY_ADDR : FETCH_BY_ID,
		.card = id,
		.at_ms = gw->now_ms,
		.out = &s->out,
		.cap = 1,
		.done = fetch_done,
		.ctx = s,
	};
	if (a) {
		s->f.addr_type = a->npi == 6 ? ADDR_IMSI : ADDR_MSISDN;
		memcpy(s->f.digits, a->digits, sizeof(s->f.digits) - 1);
	}
	gw->fetches++;
	gw->stats.fetches++;
	gw->deps.store->ops->fetch(gw->deps.store, &s->f);
	return true;
}

/* -------------------------------------------------------------------------------------------------- a card's rows */

struct keyset_row *card_keyset(struct card *c, uint8_t kvn)
{
	for (unsigned i = 0; i < c->b.n_keysets; i++)
		if (c->b.keyset[i].kvn == kvn)
			return &c->b.keyset[i];
	return NULL;
}

struct keyset_row *card_keys_of(struct card *c, const struct cmd_row *cmd)
{
	struct keyset_row *k = card_keyset(c, cmd->kvn);

	return k && k->generation == cmd->generation ? k : NULL;
}

/* What of an import concerns one keyset in memory.  Ours may be ahead of what the store knew. */
static void keyset_follow(struct gw *gw, struct card *c, struct keyset_row *own, const struct keyset_row *in)
{
	uint64_t cntr = own->cntr;
	bool counts = in->generation == own->generation || store_keysets_same(own, in);

	if (in->generation < own->generation)
		return;
	/* the same keys under a new name: so are their commands.  Marked, since one may be on its way to the store as it was */
	for (unsigned i = 0; i < c->b.n_cmds && store_keysets_renamed(own, in); i++) {
		struct cmd_row *cmd = &c->b.cmd[i];

		if (cmd->kvn != own->kvn || cmd->generation != own->generation)
			continue;
		cmd->generation = in->generation;
		card_dirty(gw, c, DIRTY_CMD(i));
	}
	if (in->generation > own->generation)
		*own = *in;
	own->cntr_proven = 0; /* others have spent values, or these are other keys */
	own->cntr = counts && cntr > in->cntr ? cntr : in->cntr;
}

/* A card in memory follows at once.  To throw it out instead would not do: it may have a flight, or changes that are still to
 * be stored.
 *
 * A card that is not in memory is being read perhaps, by a read that is older than the import: what was asked for before now is
 * asked for again (fetch_done(), claim_done()).
 *
 * The store carries out commits in the order in which they were given to it, and our own may be on either side.  One that is
 * before it shows its open command, and no keys are replaced under it.  One behind it may hold a command made under the old
 * keys, and the counter of these: the counter is not taken for that of the new ones (KEYSET_CNTR goes by generation), the
 * command is not sent any more, and the card is asked under the new keys (flight_wanted(), cmd_timer()).  The same keys under a
 * higher generation change nothing of this: their commands follow. */
void gw_card_imported(struct gw *gw, const struct store_card_insert *in)
{
	struct card *c = card_find(gw, in->card.id);

	gw->imported_seq = gw->fetch_seq;
	if (!c)
		return;
	if (in->card.tz_min != CARD_TZ_KEEP)
		c->b.card.tz_min = in->card.tz_min;
	if (*in->card.profile)
		memcpy(c->b.card.profile, in->card.profile, sizeof(c->b.card.profile));
	for (unsigned i = 0; i < in->n_keysets; i++) {
		const struct keyset_row *k = &in->keyset[i];
		struct keyset_row *own = card_keyset(c, k->kvn);

		if (in->change[i] == KEYSET_KEPT)
			continue;
		if (own)
			keyset_follow(gw, c, own, k);
		else if (c->b.n_keysets < CARD_KEYSETS_MAX) /* at the end: dirt is marked by place */
			c->b.keyset[c->b.n_keysets++] = *k;
	}
}

/* It has no open transaction: nothing of what is under way here knows its old numbers.  Its presence may be on its way to the store
 * with the old ones: the store leaves the new ones alone (card_row.moves). */
void gw_card_moved(struct gw *gw, const struct card_row *now, const struct store_card_insert *in)
{
	struct card *c = card_find(gw, now->id);

	gw->imported_seq = gw->fetch_seq;
	if (c) {
		int64_t seen_ms = c->b.card.last_seen_ms, quarantine_ms = c->b.card.quarantine_ms;

		c->b.card = *now;
		c->b.card.quarantine_ms = quarantine_ms; /* an order may be on its way to the store */
		if (seen_ms > now->last_seen_ms)
			c->b.card.last_seen_ms = seen_ms;
		if (!in)
			c->b.n_keysets = 0;
		card_index_addrs(gw, c);
	}
	if (in)
		gw_card_imported(gw, in);
}

struct cmd_row *card_cmd(struct card *c, uint64_t id, unsigned *slot)
{
	for (unsigned i = 0; i < c->b.n_cmds; i++)
		if (c->b.cmd[i].id == id) {
			if (slot)
				*slot = i;
			return &c->b.cmd[i];
		}
	return NULL;
}

struct cmd_row *card_open_cmd(struct card *c, unsigned *slot)
{
	for (unsigned i = 0; i < c->b.n_cmds; i++)
		if (!cmd_ended(c->b.cmd[i].state)) {
			if (slot)
				*slot = i;
			return &c->b.cmd[i];
		}
	return NULL;
}

/* The oldest leaves memory (the store keeps it), but not the last script: its answer decides what may be sent, however many
 * questions have followed it.  Returns the slot that is free now. */
static unsigned cmd_give_way(struct gw *gw, struct card *c)
{
	unsigned i = CARD_CMDS_MAX - 1;
	bool later = false;

	for (unsigned k = 0; k < i; k++)
		later |= c->b.cmd[k].kind == CMD_SCRIPT;
	if (!later && c->b.cmd[i].kind == CMD_SCRIPT)
		i--;
	if (c->dirty & DIRTY_CMD(i)) /* write it now if it has changed */
		gw_op(gw, ST_CMD_PUT, &c->b.cmd[i], NULL, 0);
	return i;
}

struct cmd_row *card_add_cmd(struct gw *gw, struct card *c)
{
	unsigned end = c->b.n_cmds < CARD_CMDS_MAX ? c->b.n_cmds++ : cmd_give_way(gw, c);
	uint32_t moved = DIRTY_CMD(end) - DIRTY_CMD(0);

	memmove(&c->b.cmd[1], &c->b.cmd[0], end * sizeof(c->b.cmd[0]));
	c->dirty = (c->dirty & ~(moved | DIRTY_CMD(end))) | (c->dirty & moved) << 1;
	memset(&c->b.cmd[0], 0, sizeof(c->b.cmd[0]));
	return &c->b.cmd[0];
}
