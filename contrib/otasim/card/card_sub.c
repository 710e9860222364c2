/* card_sub.c - the subscription applet: its memory, what power loss leaves of it, trial time, keysets, AUTHENTICATE.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Written from contrib/doc/card-interface.md; the numbers in comments are its sections.
 */
#include <string.h>

#include <openssl/crypto.h>

#include "ota/rd.h"

#include "card_sub_int.h"

#define ATOMIC_MAX  8 /* octets a single write puts down whole or not at all (9) */
#define FIRST_INDEX 1

/* ---- memory that power can leave ---- */

bool sub_write(struct sim_sub *s, void *dst, const void *src, size_t n)
{
	bool cut;

	if (s->dead)
		return false;
	cut = ++s->writes == s->cut_at;
	if (cut && s->cut == SIM_CUT_TORN && n > ATOMIC_MAX)
		memcpy(dst, src, n / 2);
	if (!cut || s->cut == SIM_CUT_AFTER)
		memcpy(dst, src, n);
	s->dead = cut;
	return !cut;
}

const struct sim_sub_rec *sim_sub_rec(const struct sim_sub *s)
{
	return &s->nvm.rec[s->nvm.current & 1];
}

int sub_place(const struct sim_sub_rec *r, uint16_t index)
{
	for (int i = 0; index && i < SIM_PAIRS_MAX; i++) {
		if (r->place[i] == index)
			return i;
	}
	return -1;
}

const struct sim_pair *sim_sub_pair(const struct sim_sub *s, uint16_t index)
{
	int i = sub_place(sim_sub_rec(s), index);

	return i < 0 ? NULL : &s->nvm.pair[i];
}

static bool resting(uint8_t state)
{
	return state == SIM_SUB_IDLE || state == SIM_SUB_CONFIRMED || state == SIM_SUB_ROLLED_BACK;
}

void sub_drop_order(struct sim_sub_rec *r)
{
	memset(r->order, 0, sizeof(r->order));
	r->from = r->to = 0;
	r->from_kvn = r->end = 0;
	r->set_len = r->saved_len = 0;
	r->trial_s = 0;
	r->set_opc = r->set_alg = false;
	r->alg = r->scheme = 0;
	memset(r->opc, 0, sizeof(r->opc));
	memset(r->set, 0, sizeof(r->set));
	memset(r->saved, 0, sizeof(r->saved));
}

void sub_record_end(struct sim_sub_rec *r, enum sim_sub_end end)
{
	for (int i = 0; i < SIM_SUB_ORDERS_MAX; i++) {
		if (r->orders[i].end && !memcmp(r->orders[i].id, r->order, 8))
			r->orders[i].end = (uint8_t)end;
	}
}

/* ---- redo: writes that follow the record (9) ---- */

/* Content from the file's first octet on, the rest FF (2.1). */
static bool file_put(struct sim_card *c, const uint16_t *path, int n, const uint8_t *content, size_t len)
{
	uint8_t whole[SIM_FS_OCTETS], *f;
	size_t size;
	bool read_only;

	f = sim_fs_at(c, path, n, &size, &read_only);
	if (!f || len > size)
		return true; /* checked when the set came */
	memset(whole, 0xff, size);
	memcpy(whole, content, len);
	return sub_write(c->sub, f, whole, size);
}

static bool wipe_one(struct sim_card *c, uint16_t df, uint16_t fid)
{
	uint16_t path[2] = { df, fid };
	uint8_t v[SIM_FS_OCTETS], *f;
	bool read_only;
	size_t size;

	f = df ? sim_fs_at(c, path, 2, &size, &read_only) : sim_fs_at(c, path + 1, 1, &size, &read_only);
	if (!f)
		return true;
	memset(v, 0xff, size);
	switch (fid) {
	case 0x6f7e: /* (6.3) */
		v[7] = v[8] = 0x00;
		v[10] = 0x01;
		break;
	case 0x6f73:
	case 0x6f53:
		v[10] = v[11] = 0x00;
		v[13] = 0x01;
		break;
	case 0x6fe3:
		v[15] = v[16] = 0x00;
		v[17] = 0x01;
		break;
	case 0x4f01:
	case 0x4f02:
		v[16] = v[17] = v[18] = 0x00;
		v[19] = 0x01;
		break;
	case 0x6f08:
	case 0x6f09:
		v[0] = 0x07;
		break;
	case 0x6f20:
	case 0x6f52:
		v[8] = 0x07;
		break;
	case 0x6f5b:
		memcpy(v, (uint8_t[]){ 0xf0, 0x00, 0x00, 0xf0, 0x00, 0x00 }, 6);
		break;
	}
	return sub_write(c->sub, f, v, size);
}

static bool wipe(struct sim_card *c)
{
	static const struct {
		uint16_t df, fid;
	} list[] = {
		{ 0, 0x6f7e },	    { 0, 0x6f73 },	{ 0, 0x6fe3 },	    { 0x5fc0, 0x4f01 }, { 0x5fc0, 0x4f02 },
		{ 0, 0x6f08 },	    { 0, 0x6f09 },	{ 0, 0x6fe4 },	    { 0x5fc0, 0x4f03 }, { 0x5fc0, 0x4f04 },
		{ 0x5fc0, 0x4f05 }, { 0x7f20, 0x6f20 }, { 0x7f20, 0x6f52 }, { 0x7f20, 0x6f53 }, { 0, 0x6f5b },
		{ 0, 0x6f7b },	    { 0, 0x6fc4 },	{ 0x7f20, 0x6f7e },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (!wipe_one(c, list[i].df, list[i].fid))
			return false;
	}
	return true;
}

/* n, FIDs, (length,) content: object 84 of a set without a length of its own, or an entry of saved contents. */
static bool put_files(struct sim_card *c, const uint8_t *p, size_t len, bool set)
{
	struct rd in = rd_init(p, len);
	bool ok = true;

	while (ok && rd_left(&in)) {
		struct rd one = in;
		uint16_t path[2];
		size_t n, left;

		if (set) {
			(void)rd_u8(&in); /* tag 84, a length below 80 */
			one = rd_sub(&in, rd_u8(&in));
		}
		n = rd_u8(&one);
		for (size_t i = 0; i < n && i < 2; i++)
			path[i] = (uint16_t)rd_be(&one, 2);
		left = set ? rd_left(&one) : rd_u8(&one);
		ok = file_put(c, path, (int)n, rd_bytes(&one, left), left);
		if (!set)
			in = one;
	}
	return ok;
}

static bool redo_activate(struct sim_card *c, const struct sim_sub_rec *r)
{
	static const uint16_t imsi[1] = { 0x6f07 };
	struct sub_set set;

	sub_set_read(r->set, r->set_len, &set);
	return wipe(c) && put_files(c, set.files, set.files_len, true) && file_put(c, imsi, 1, set.imsi, 9);
}

static bool redo_values(struct sim_sub *s, int place, bool k, const uint8_t *kv, bool opc, const uint8_t *ov, bool alg,
			uint8_t av, uint8_t sv)
{
	struct sim_pair *p = &s->nvm.pair[place];

	return (!k || sub_write(s, p->k, kv, 16)) && (!opc || sub_write(s, p->opc, ov, 16)) &&
	       (!alg || (sub_write(s, &p->alg, &av, 1) && sub_write(s, &p->scheme, &sv, 1)));
}

static bool redo_erase(struct sim_sub *s, const struct sim_sub_rec *r)
{
	static const struct sim_pair zero;

	for (int i = 0; i < SIM_PAIRS_MAX; i++) {
		if (r->erase & 1u << i && !sub_write(s, &s->nvm.pair[i], &zero, sizeof(zero)))
			return false;
	}
	return true;
}

static bool flip(struct sim_sub *s, const struct sim_sub_rec *r)
{
	uint8_t other = !(s->nvm.current & 1);

	return sub_write(s, &s->nvm.rec[other], r, sizeof(*r)) && sub_write(s, &s->nvm.current, &other, 1);
}

/* Old sets and pending keys shall not stay in the copy that is out of force. */
static bool mirror(struct sim_sub *s)
{
	const struct sim_sub_rec *r = sim_sub_rec(s);
	struct sim_sub_rec *spare = &s->nvm.rec[!(s->nvm.current & 1)];

	if (!resting(r->state) || !memcmp(r, spare, sizeof(*r)))
		return true;
	return sub_write(s, spare, r, sizeof(*r));
}

static bool redo_run(struct sim_card *c)
{
	struct sim_sub *s = c->sub;
	struct sim_sub_rec r = *sim_sub_rec(s);
	int place = sub_place(&r, r.index);
	bool ok = true;

	switch ((enum sim_sub_redo)r.redo) {
	case SIM_REDO_NONE:
		return true;
	case SIM_REDO_ACTIVATE:
		ok = redo_activate(c, &r);
		break;
	case SIM_REDO_RETURN:
		ok = wipe(c) && put_files(c, r.saved, r.saved_len, false);
		sub_drop_order(&r);
		break;
	case SIM_REDO_ADOPT:
		ok = redo_values(s, place, false, NULL, r.set_opc, r.opc, r.set_alg, r.alg, r.scheme);
		sub_drop_order(&r);
		break;
	case SIM_REDO_PROMOTE:
		ok = redo_values(s, place, r.pending.what & SIM_PENDING_K, r.pending.k,
				 r.pending.what & SIM_PENDING_OPC, r.pending.opc, r.pending.what & SIM_PENDING_ALG,
				 r.pending.alg, r.pending.scheme);
		r.pending.what &= SIM_PENDING_OTA;
		memset(r.pending.k, 0, 16);
		memset(r.pending.opc, 0, 16);
		break;
	case SIM_REDO_OTA_KEYS:
		ok = sub_write(s, &s->nvm.pair[place].ota, &r.pending.ota, sizeof(r.pending.ota));
		r.pending.what &= (uint8_t)~SIM_PENDING_OTA;
		memset(&r.pending.ota, 0, sizeof(r.pending.ota));
		break;
	case SIM_REDO_ERASE:
		ok = redo_erase(s, &r);
		r.erase = 0;
		break;
	}
	r.redo = SIM_REDO_NONE;
	ok = ok && flip(s, &r);
	OPENSSL_cleanse(&r, sizeof(r));
	return ok;
}

bool sub_commit(struct sim_card *c, const struct sim_sub_rec *r)
{
	return flip(c->sub, r) && redo_run(c) && mirror(c->sub);
}

/* ---- REFRESH (6.2) ---- */

void sub_ask_refresh(struct sim_sub *s)
{
	s->ask = true;
	s->ask_ms = 0;
}

bool sim_card_refresh_wanted(const struct sim_card *c)
{
	return c->sub && !c->sub->dead && c->sub->ask;
}

void sim_card_refresh_refused(struct sim_card *c)
{
	if (!sim_card_refresh_wanted(c))
		return;
	c->sub->ask = false;
	c->sub->ask_ms = SIM_SUB_ASK_MS;
}

/* ---- activation, confirmation, return (6.3, 6.5, 6.6) ---- */

static void save_file(struct sim_card *c, struct sim_sub_rec *r, const uint16_t *path, int n)
{
	uint8_t *at = r->saved + r->saved_len, *f;
	bool read_only;
	size_t size;

	f = sim_fs_at(c, path, n, &size, &read_only);
	if (!f || r->saved_len + 2u + 2u * (unsigned)n + size > sizeof(r->saved))
		return; /* STAGE has made sure of both */
	*at++ = (uint8_t)n;
	for (int i = 0; i < n; i++) {
		*at++ = (uint8_t)(path[i] >> 8);
		*at++ = (uint8_t)path[i];
	}
	*at++ = (uint8_t)size;
	memcpy(at, f, size);
	r->saved_len = (uint16_t)(at + size - r->saved);
}

/* For the checkers: a real card keeps no such count. */
static void moved(struct sim_sub *s, const uint8_t order[8])
{
	struct sim_sub_moved *m = NULL;

	for (unsigned i = 0; i < SIM_SUB_MOVED_MAX && !m; i++) {
		if (s->moved[i].times && !memcmp(s->moved[i].order, order, 8))
			m = &s->moved[i];
	}
	if (!m) {
		m = &s->moved[s->moved_next];
		s->moved_next = (uint8_t)((s->moved_next + 1) % SIM_SUB_MOVED_MAX);
		*m = (struct sim_sub_moved){ 0 };
		memcpy(m->order, order, 8);
	}
	s->moves++;
	if (++m->times > s->moves_max)
		s->moves_max = m->times;
}

static bool activate(struct sim_card *c)
{
	struct sim_sub_rec r = *sim_sub_rec(c->sub);
	struct sim_sub_trial t = { .left_s = r.trial_s };
	static const uint16_t imsi[1] = { 0x6f07 };
	struct sim_sub_order *o = &r.orders[r.orders_next];
	struct sub_set set;
	struct rd in;
	bool ok;

	sub_set_read(r.set, r.set_len, &set);
	r.saved_len = 0;
	save_file(c, &r, imsi, 1);
	in = rd_init(set.files, set.files_len);
	while (rd_left(&in)) {
		struct rd one;
		uint16_t path[2];
		int n;

		(void)rd_u8(&in);
		one = rd_sub(&in, rd_u8(&in));
		n = rd_u8(&one);
		for (int i = 0; i < n && i < 2; i++)
			path[i] = (uint16_t)rd_be(&one, 2);
		save_file(c, &r, path, n);
	}
	*o = (struct sim_sub_order){ .from = r.from, .to = r.to, .end = SIM_END_TRIAL };
	memcpy(o->id, r.order, 8);
	r.orders_next = (uint8_t)((r.orders_next + 1) % SIM_SUB_ORDERS_MAX);
	r.state = SIM_SUB_TRIAL;
	r.from_kvn = r.kvn;
	r.index = r.to;
	if (r.to != r.from)
		r.kvn = r.kvn == 1 ? 2 : 1; /* (1.2) */
	r.redo = SIM_REDO_ACTIVATE;
	/* The timer is of no meaning before the flip, so it goes first. */
	ok = sub_write(c->sub, &c->sub->nvm.trial, &t, sizeof(t)) && sub_commit(c, &r);
	if (sim_sub_rec(c->sub)->state == SIM_SUB_TRIAL) /* also when power has failed behind the flip */
		moved(c->sub, r.order);
	OPENSSL_cleanse(&r, sizeof(r));
	return ok;
}

static bool come_back(struct sim_card *c)
{
	struct sim_sub_rec r = *sim_sub_rec(c->sub);
	bool ok;

	r.state = SIM_SUB_ROLLED_BACK;
	r.index = r.from;
	r.kvn = r.from_kvn;
	sub_record_end(&r, r.end);
	r.redo = SIM_REDO_RETURN;
	ok = sub_commit(c, &r);
	OPENSSL_cleanse(&r, sizeof(r));
	return ok;
}

bool sub_confirm(struct sim_card *c, enum sim_sub_end end)
{
	struct sim_sub_rec r = *sim_sub_rec(c->sub);
	bool ok;

	r.state = SIM_SUB_CONFIRMED;
	sub_record_end(&r, end);
	if (r.pending.index != r.index)
		memset(&r.pending, 0, sizeof(r.pending)); /* goes with its index (8.1) */
	r.redo = SIM_REDO_ADOPT;
	ok = sub_commit(c, &r);
	OPENSSL_cleanse(&r, sizeof(r));
	return ok;
}

bool sub_return(struct sim_card *c, enum sim_sub_end end)
{
	struct sim_sub_rec r = *sim_sub_rec(c->sub);
	bool ok;

	r.state = SIM_SUB_RETURNING;
	r.end = (uint8_t)end;
	ok = sub_commit(c, &r);
	OPENSSL_cleanse(&r, sizeof(r));
	if (ok)
		sub_ask_refresh(c->sub);
	return ok;
}

/* ---- trial time (6.4) ---- */

/* Pays the next slice out of left_s; false when power fails. */
static bool pay(struct sim_sub *s, uint32_t left_s, uint32_t authenticated)
{
	uint32_t slice = left_s < SIM_SUB_SLICE_S ? left_s : SIM_SUB_SLICE_S;
	struct sim_sub_trial t = { .left_s = left_s - slice, .authenticated = authenticated };

	if (!sub_write(s, &s->nvm.trial, &t, sizeof(t)))
		return false;
	s->slice_ms = slice * 1000;
	return true;
}

void sim_card_powered(struct sim_card *c, uint32_t ms)
{
	struct sim_sub *s = c->sub;

	if (!s || s->dead)
		return;
	if (s->ask_ms) {
		s->ask_ms = s->ask_ms > ms ? s->ask_ms - ms : 0;
		s->ask = s->ask_ms == 0;
	}
	while (!s->dead && sim_sub_rec(s)->state == SIM_SUB_TRIAL) {
		if (s->slice_ms > ms) {
			s->slice_ms -= ms;
			return;
		}
		ms -= s->slice_ms;
		s->slice_ms = 0;
		if (s->nvm.trial.left_s == 0)
			sub_return(c, SIM_END_TIMEOUT);
		else
			pay(s, s->nvm.trial.left_s, s->nvm.trial.authenticated);
	}
}

bool sim_card_counts_time(const struct sim_card *c)
{
	const struct sim_sub *s = c->sub;

	return s && !s->dead && (s->ask_ms || sim_sub_rec(s)->state == SIM_SUB_TRIAL);
}

/* Power comes on: what was committed is completed before the first answer. */
void sim_sub_start(struct sim_card *c)
{
	struct sim_sub *s = c->sub;

	s->dead = false;
	s->join_len = 0;
	s->join_ins = s->join_next = 0;
	s->slice_ms = s->ask_ms = 0;
	s->ask = false;
	if (!redo_run(c) || !mirror(s))
		return;
	if (sim_sub_rec(s)->state == SIM_SUB_ARMED && !activate(c))
		return;
	if (sim_sub_rec(s)->state == SIM_SUB_TRIAL) {
		if (s->nvm.trial.left_s)
			pay(s, s->nvm.trial.left_s, s->nvm.trial.authenticated);
		else
			sub_return(c, SIM_END_TIMEOUT);
	}
	if (!s->dead && sim_sub_rec(s)->state == SIM_SUB_RETURNING && come_back(c))
		s->ask = false;
}

/* ---- what the ME writes (6.5) ---- */

static bool plmn_listed(const struct sim_sub_rec *r, const uint8_t plmn[3])
{
	struct sub_set set;

	sub_set_read(r->set, r->set_len, &set);
	for (unsigned i = 0; i < set.plmn_count; i++) {
		if (!memcmp(set.plmns + 3 * i, plmn, 3))
			return true;
	}
	return false;
}

int sim_card_me_update(struct sim_card *c, const uint16_t *path, int n, const uint8_t *content, size_t len)
{
	static const struct {
		uint16_t fid;
		uint8_t fids, plmn, status;
	} loci[] = { { 0x6f7e, 1, 4, 10 }, { 0x6f73, 1, 7, 13 }, { 0x6fe3, 1, 12, 17 }, { 0x4f01, 2, 13, 19 } };
	struct sim_sub *s = c->sub;
	bool read_only;
	size_t size;
	uint8_t *f;

	f = sim_fs_at(c, path, n, &size, &read_only);
	if (!f || read_only || len != size || (s && s->dead))
		return -1;
	memcpy(f, content, len);
	if (!s || sim_sub_rec(s)->state != SIM_SUB_TRIAL || !s->nvm.trial.authenticated)
		return 0;
	for (size_t i = 0; i < sizeof(loci) / sizeof(loci[0]); i++) {
		if (loci[i].fid == path[n - 1] && loci[i].fids == n && (f[loci[i].status] & 7) == 0 &&
		    plmn_listed(sim_sub_rec(s), f + loci[i].plmn))
			sub_confirm(c, SIM_END_CONFIRMED_SELF);
	}
	return 0;
}

/* ---- keysets (1.2) ---- */

bool sim_sub_tar(const struct sim_card *c, const uint8_t tar[3])
{
	static const uint8_t own[3] = SIM_SUB_TAR;

	return c->sub && !memcmp(tar, own, sizeof(own));
}

static struct sim_keyset *view(struct sim_sub *s, enum sim_role role, uint8_t kvn, uint16_t gen,
			       const struct sim_ota_keys *k, uint64_t cntr)
{
	struct sim_keyset *v = &s->view;

	if (k->len == 0)
		return NULL;
	memset(v, 0, sizeof(*v));
	v->kvn = kvn;
	v->gen = (uint8_t)gen;
	v->mac_len = 8;
	v->kic_alg = v->kid_alg = k->len == 16 ? SIM_ALG_AES128 : k->len == 24 ? SIM_ALG_AES192 : SIM_ALG_AES256;
	memcpy(v->kic, k->kic, k->len);
	memcpy(v->kid, k->kid, k->len);
	memcpy(v->kik, k->kik, k->len);
	v->cntr = cntr;
	s->role = (uint8_t)role;
	return v;
}

struct sim_keyset *sim_sub_keyset(struct sim_card *c, uint8_t kvn, const uint8_t tar[3])
{
	struct sim_sub *s = c->sub;
	const struct sim_sub_rec *r = sim_sub_rec(s);
	bool own = sim_sub_tar(c, tar), moved = r->state == SIM_SUB_TRIAL || r->state == SIM_SUB_RETURNING;
	const struct sim_pair *p = sim_sub_pair(s, r->index);

	if (!own && moved)
		return NULL;
	if (kvn == SIM_KVN_VAULT)
		return own ? view(s, ROLE_VAULT, kvn, 0, &s->nvm.vault, s->nvm.vault_cntr) : NULL;
	if (kvn == SIM_KVN_CHANGE)
		return own ? view(s, ROLE_CHANGE, kvn, 0, &s->nvm.change, s->nvm.change_cntr) : NULL;
	if (kvn == r->kvn)
		return view(s, ROLE_ACTIVE, kvn, r->index, &p->ota, p->cntr);
	if (kvn != 1 && kvn != 2)
		return NULL;
	if (moved) {
		p = sim_sub_pair(s, r->from);
		return r->from != r->to ? view(s, ROLE_OLD, kvn, r->from, &p->ota, p->cntr) : NULL;
	}
	if (r->pending.what & SIM_PENDING_OTA && r->pending.index == r->index)
		return view(s, ROLE_PENDING, kvn, r->index, &r->pending.ota, p->cntr);
	return NULL;
}

void sim_sub_cntr(struct sim_card *c, uint64_t cntr)
{
	struct sim_sub *s = c->sub;
	struct sim_sub_rec r = *sim_sub_rec(s);
	uint16_t index = s->role == ROLE_OLD ? r.from : r.index;

	s->view.cntr = cntr;
	if (s->role == ROLE_VAULT)
		sub_write(s, &s->nvm.vault_cntr, &cntr, sizeof(cntr));
	else if (s->role == ROLE_CHANGE)
		sub_write(s, &s->nvm.change_cntr, &cntr, sizeof(cntr));
	else
		sub_write(s, &s->nvm.pair[sub_place(&r, index)].cntr, &cntr, sizeof(cntr));
	if (s->role == ROLE_PENDING) { /* proven (8.2) */
		r.kvn = s->view.kvn;
		r.redo = SIM_REDO_OTA_KEYS;
		if (!s->dead && sub_commit(c, &r))
			s->role = ROLE_ACTIVE;
	}
	OPENSSL_cleanse(&r, sizeof(r));
}

/* ---- AUTHENTICATE (7) ---- */

static enum sim_auth_result try_keys(struct sim_sub *s, struct sim_pair *p, const struct sim_aka_keys *k,
				     const uint8_t rand[16], const uint8_t autn[16], struct sim_auth *out)
{
	enum sim_auth_result res;
	unsigned ind = 0;
	uint64_t seq = 0;

	res = sim_aka_check(k, p->seq, rand, autn, out, &ind, &seq);
	if (res == SIM_AUTH_OK && !sub_write(s, &p->seq[ind], &seq, sizeof(seq)))
		return SIM_AUTH_NONE;
	return res;
}

static bool promote(struct sim_card *c)
{
	struct sim_sub_rec r = *sim_sub_rec(c->sub);
	bool ok;

	r.redo = SIM_REDO_PROMOTE;
	ok = sub_commit(c, &r);
	OPENSSL_cleanse(&r, sizeof(r));
	return ok;
}

enum sim_auth_result sim_card_authenticate(struct sim_card *c, const uint8_t rand[16], const uint8_t autn[16],
					   struct sim_auth *out)
{
	const struct sim_sub_rec *r;
	struct sim_sub *s = c->sub;
	enum sim_auth_result res;
	struct sim_aka_keys k, with;
	struct sim_pair *p;
	bool moved;

	memset(out, 0, sizeof(*out));
	if (!s)
		return sim_usim_authenticate(c, rand, autn, out);
	if (s->dead)
		return SIM_AUTH_NONE;
	r = sim_sub_rec(s);
	p = &s->nvm.pair[sub_place(r, r->index)];
	moved = r->state == SIM_SUB_TRIAL || r->state == SIM_SUB_RETURNING;
	memcpy(k.k, p->k, 16);
	memcpy(k.opc, moved && r->set_opc ? r->opc : p->opc, 16);
	k.alg = moved && r->set_alg ? r->alg : p->alg;
	if (!moved && r->pending.what & ~SIM_PENDING_OTA && r->pending.index == r->index) {
		with = k;
		if (r->pending.what & SIM_PENDING_K)
			memcpy(with.k, r->pending.k, 16);
		if (r->pending.what & SIM_PENDING_OPC)
			memcpy(with.opc, r->pending.opc, 16);
		if (r->pending.what & SIM_PENDING_ALG)
			with.alg = r->pending.alg;
		res = try_keys(s, p, &with, rand, autn, out);
		if (res == SIM_AUTH_OK && !promote(c))
			res = SIM_AUTH_NONE;
		if (res != SIM_AUTH_MAC)
			goto done;
	}
	res = try_keys(s, p, &k, rand, autn, out);
	if (res == SIM_AUTH_OK && r->state == SIM_SUB_TRIAL && !s->nvm.trial.authenticated && !pay(s, r->trial_s, 1))
		res = SIM_AUTH_NONE;
done:
	if (res == SIM_AUTH_NONE)
		memset(out, 0, sizeof(*out));
	OPENSSL_cleanse(&k, sizeof(k));
	OPENSSL_cleanse(&with, sizeof(with));
	return res;
}

/* ---- a card as delivered ---- */

static uint64_t mix(uint64_t *x)
{
	uint64_t z = *x += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void draw(uint64_t *x, uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(mix(x) >> 32);
}

static void draw_ota(uint64_t *x, struct sim_ota_keys *k, uint8_t len)
{
	k->len = len;
	draw(x, k->kic, len);
	draw(x, k->kid, len);
	draw(x, k->kik, len);
}

int sim_card_sub_attach(struct sim_card *c, struct sim_sub *s, uint64_t seed, unsigned pairs)
{
	uint64_t x = seed ^ (uint64_t)(c->index + 1) * 0xd1342543de82ef95u;
	struct sim_sub_rec *r = &s->nvm.rec[0];
	uint8_t len = (uint8_t)sim_alg_key_len(c->profile.alg);

	if (c->profile.alg < SIM_ALG_AES128 || c->profile.kvn != 1 || pairs < 1 || pairs > SIM_PAIRS_MAX)
		return -1;
	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < pairs; i++) {
		struct sim_pair *p = &s->nvm.pair[i];

		r->place[i] = (uint16_t)(FIRST_INDEX + i);
		draw(&x, p->k, 16);
		draw(&x, p->opc, 16);
		p->alg = SIM_AKA_MILENAGE;
		p->scheme = SIM_SQN_ARRAY;
		draw_ota(&x, &p->ota, len);
	}
	memcpy(s->nvm.pair[0].ota.kic, c->ks[0].kic, len);
	memcpy(s->nvm.pair[0].ota.kid, c->ks[0].kid, len);
	memcpy(s->nvm.pair[0].ota.kik, c->ks[0].kik, len);
	s->nvm.pair[0].cntr = c->ks[0].cntr;
	draw_ota(&x, &s->nvm.vault, len);
	draw_ota(&x, &s->nvm.change, len);
	r->index = FIRST_INDEX;
	r->highest = (uint16_t)(FIRST_INDEX + pairs - 1);
	r->kvn = 1;
	s->nvm.rec[1] = *r;
	c->sub = s;
	c->profile.subscription = true;
	return 0;
}

int sim_card_sub_personalise(struct sim_card *c, struct sim_sub *s, const struct sim_sub_perso *pairs, unsigned n,
			     const struct sim_ota_keys *vault, const struct sim_ota_keys *change)
{
	struct sim_sub_rec *r = &s->nvm.rec[0];

	if (c->profile.alg < SIM_ALG_AES128 || (c->ks[0].kvn != 1 && c->ks[0].kvn != 2) || n < 1 || n > SIM_PAIRS_MAX)
		return -1;
	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < n; i++) {
		struct sim_pair *p = &s->nvm.pair[i];

		r->place[i] = pairs[i].index;
		if (pairs[i].index > r->highest)
			r->highest = pairs[i].index;
		memcpy(p->k, pairs[i].k, sizeof(p->k));
		memcpy(p->opc, pairs[i].opc, sizeof(p->opc));
		p->alg = SIM_AKA_MILENAGE;
		p->scheme = SIM_SQN_ARRAY;
		p->ota = pairs[i].ota;
	}
	s->nvm.pair[0].cntr = c->ks[0].cntr;
	s->nvm.vault = *vault;
	s->nvm.change = *change;
	r->index = pairs[0].index;
	r->kvn = c->ks[0].kvn;
	s->nvm.rec[1] = *r;
	c->sub = s;
	c->profile.subscription = true;
	return 0;
}
