/* bsc.c - a base station controller towards its MSCs: SCCP over M3UA, RESET, paging, connections.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * RESET comes first: an MSC that has not seen one ends every connection (TS 48.008, 3.1.4).  It is repeated until it is
 * acknowledged, and begins again when the MSC is reported gone and back (DUNA, DAVA), so that either side may be restarted.
 */
#include "bsc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <osmocom/core/msgb.h>
#include <osmocom/core/timer.h>
#include <osmocom/sigtran/osmo_ss7.h>
#include <osmocom/sigtran/sccp_helpers.h>
#include <osmocom/sigtran/sccp_sap.h>

#include "gsm48.h"

#define RESET_AGAIN_MS 1000 /* TS 48.008, T4, much shorter: the lab is one machine */
#define CLEARED_MS     5000 /* from CLEAR COMPLETE or CLEAR REQUEST until we end it ourselves */
#define CAUSE_END_USER 0x00 /* Q.713, 3.11 */
#define HEADROOM       128

struct conn {
	struct bsc *bsc;
	void *owner; /* NULL: nobody is told */
	uint32_t id; /* 0: free */
	int msc;
	bool cleared;
	struct osmo_timer_list timer;
};

struct msc {
	char name[BSC_NAME_MAX];
	uint32_t pc;
	struct cell cell;
	bool up, reachable;
	int number;
	struct bsc *bsc;
	struct osmo_timer_list reset;
};

struct bsc {
	const struct bsc_cb *cb;
	void *ctx;
	uint32_t pc;
	struct osmo_sccp_instance *sccp;
	struct osmo_sccp_user *user;
	struct msc msc[BSC_MSCS_MAX];
	int mscs;
	uint32_t last_id;
	unsigned used;
	struct conn conn[BSC_CONNS_MAX];
};

/* ---- sending ---- */

static struct osmo_sccp_addr address(uint32_t pc)
{
	struct osmo_sccp_addr a = { 0 };

	osmo_sccp_make_addr_pc_ssn(&a, pc, OSMO_SCCP_SSN_BSSAP);
	return a;
}

static struct msgb *msg_of(const struct wr *w)
{
	struct msgb *msg = w->bad ? NULL : msgb_alloc_headroom(BSSAP_MAX + 2 * HEADROOM, HEADROOM, "bssap");

	if (msg) {
		msg->l2h = msg->data;
		memcpy(msgb_put(msg, (unsigned)wr_len(w)), w->start, wr_len(w));
	}
	return msg;
}

static void unitdata(struct bsc *b, const struct msc *m, const struct wr *w)
{
	struct osmo_sccp_addr from = address(b->pc), to = address(m->pc);
	struct msgb *msg = msg_of(w);

	if (msg)
		osmo_sccp_tx_unitdata_msg(b->user, &from, &to, msg);
}

static void data(struct bsc *b, const struct conn *c, const struct wr *w)
{
	struct msgb *msg = msg_of(w);

	if (msg)
		osmo_sccp_tx_data_msg(b->user, c->id, msg);
}

/* ---- connections ---- */

/* Its slot is the local reference modulo their number; the search goes on from the last one, so that a reference comes
 * back as late as possible. */
static struct conn *conn_new(struct bsc *b)
{
	for (int i = 0; i < BSC_CONNS_MAX; i++) {
		struct conn *c = &b->conn[++b->last_id % BSC_CONNS_MAX];

		if (b->last_id >= 0xfffff0)
			b->last_id = 0;
		if (c->id || !b->last_id)
			continue;
		c->id = b->last_id;
		b->used++;
		return c;
	}
	return NULL;
}

static struct conn *conn_find(struct bsc *b, uint32_t id)
{
	struct conn *c = &b->conn[id % BSC_CONNS_MAX];

	return id && c->id == id ? c : NULL;
}

static void conn_free(struct conn *c)
{
	struct bsc *b = c->bsc;
	void *owner = c->owner;

	osmo_timer_del(&c->timer);
	c->id = 0;
	c->owner = NULL;
	b->used--;
	if (owner)
		b->cb->over(b->ctx, owner);
}

static void conn_late(void *arg)
{
	struct conn *c = arg;

	osmo_sccp_tx_disconn(c->bsc->user, c->id, NULL, CAUSE_END_USER);
	conn_free(c);
}

static void conn_ends_soon(struct conn *c)
{
	osmo_timer_setup(&c->timer, conn_late, c);
	osmo_timer_schedule(&c->timer, CLEARED_MS / 1000, CLEARED_MS % 1000 * 1000);
}

uint32_t bsc_open(struct bsc *b, int msc, void *owner, const uint8_t *l3, size_t len)
{
	struct osmo_sccp_addr from = address(b->pc), to;
	uint8_t buf[BSSAP_MAX];
	struct wr w = wr_init(buf, sizeof(buf));
	struct msgb *msg;
	struct conn *c;

	if (msc < 0 || msc >= b->mscs || !b->msc[msc].up)
		return 0;
	bssmap_complete_l3(&w, &b->msc[msc].cell, l3, len);
	msg = msg_of(&w);
	c = msg ? conn_new(b) : NULL;
	if (!c) {
		msgb_free(msg);
		return 0;
	}
	c->bsc = b;
	c->msc = msc;
	c->owner = owner;
	c->cleared = false;
	to = address(b->msc[msc].pc);
	osmo_sccp_tx_conn_req_msg(b->user, c->id, &from, &to, msg);
	return c->id;
}

void bsc_l3(struct bsc *b, uint32_t id, uint8_t sapi, const uint8_t *l3, size_t len)
{
	struct conn *c = conn_find(b, id);
	uint8_t buf[BSSAP_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	if (!c || c->cleared)
		return;
	bssap_dtap(&w, sapi, l3, len);
	data(b, c, &w);
}

void bsc_drop(struct bsc *b, uint32_t id)
{
	struct conn *c = conn_find(b, id);
	uint8_t buf[BSSAP_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	if (!c)
		return;
	c->owner = NULL;
	if (c->cleared)
		return;
	bssmap_clear_request(&w, BSSMAP_CAUSE_RADIO_FAILURE);
	data(b, c, &w);
	conn_ends_soon(c);
}

unsigned bsc_conns(const struct bsc *b)
{
	return b->used;
}

/* The MSC knows nothing of them any more. */
static void conns_over(struct bsc *b, int msc)
{
	for (int i = 0; i < BSC_CONNS_MAX; i++) {
		struct conn *c = &b->conn[i];

		if (!c->id || c->msc != msc)
			continue;
		osmo_sccp_tx_disconn(b->user, c->id, NULL, CAUSE_END_USER);
		conn_free(c);
	}
}

/* ---- MSCs ---- */

static void reset_again(void *arg)
{
	struct msc *m = arg;
	uint8_t buf[BSSAP_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	if (m->up)
		return;
	bssmap_reset(&w);
	unitdata(m->bsc, m, &w);
	osmo_timer_schedule(&m->reset, RESET_AGAIN_MS / 1000, RESET_AGAIN_MS % 1000 * 1000);
}

static void msc_down(struct msc *m)
{
	bool was = m->up;

	m->up = false;
	conns_over(m->bsc, m->number);
	if (was)
		m->bsc->cb->down(m->bsc->ctx, m->number);
	if (!osmo_timer_pending(&m->reset))
		reset_again(m);
}

static void msc_up(struct msc *m)
{
	m->up = true;
	osmo_timer_del(&m->reset);
	m->bsc->cb->up(m->bsc->ctx, m->number);
}

int bsc_msc_add(struct bsc *b, const char *name, const char *pc, const struct cell *cell, char *err, size_t err_cap)
{
	struct msc *m = &b->msc[b->mscs];
	int code = osmo_ss7_pointcode_parse(NULL, pc);

	if (b->mscs == BSC_MSCS_MAX)
		snprintf(err, err_cap, "more than %d MSCs", BSC_MSCS_MAX);
	else if (code < 0)
		snprintf(err, err_cap, "\"%s\" is no point code; one looks like 0.23.1", pc);
	else if (!name[0] || strlen(name) >= BSC_NAME_MAX || bsc_msc_find(b, name) >= 0)
		snprintf(err, err_cap, "\"%s\": a name has 1..%d characters and is there once", name, BSC_NAME_MAX - 1);
	else if (!plmn_ok(cell->plmn.digits))
		snprintf(err, err_cap, "\"%s\" is no PLMN; wanted are MCC and MNC, 5 or 6 digits", cell->plmn.digits);
	else {
		*m = (struct msc){ .pc = (uint32_t)code, .cell = *cell, .number = b->mscs, .bsc = b };
		strcpy(m->name, name);
		osmo_timer_setup(&m->reset, reset_again, m);
		b->mscs++;
		reset_again(m);
		return m->number;
	}
	return -1;
}

int bsc_mscs(const struct bsc *b)
{
	return b->mscs;
}

const char *bsc_msc_name(const struct bsc *b, int msc)
{
	return msc >= 0 && msc < b->mscs ? b->msc[msc].name : "";
}

int bsc_msc_find(const struct bsc *b, const char *name)
{
	for (int i = 0; i < b->mscs; i++) {
		if (!strcmp(b->msc[i].name, name))
			return i;
	}
	return -1;
}

const struct cell *bsc_msc_cell(const struct bsc *b, int msc)
{
	return &b->msc[msc].cell;
}

bool bsc_msc_up(const struct bsc *b, int msc)
{
	return b->msc[msc].up;
}

void bsc_msc_reset(struct bsc *b, int msc)
{
	msc_down(&b->msc[msc]);
}

static struct msc *msc_of(struct bsc *b, uint32_t pc)
{
	for (int i = 0; i < b->mscs; i++) {
		if (b->msc[i].pc == pc)
			return &b->msc[i];
	}
	return NULL;
}

/* ---- receiving ---- */

static void rx_unitdata(struct bsc *b, uint32_t pc, const uint8_t *p, size_t len)
{
	struct msc *m = msc_of(b, pc);
	struct bssmap_paging paging;
	uint8_t buf[BSSAP_MAX];
	struct wr w = wr_init(buf, sizeof(buf));
	struct bssap in;

	if (!m || !bssap_read(p, len, &in) || in.dtap)
		return;
	switch (in.type) {
	case BSSMAP_RESET: /* it has begun anew */
		m->up = false;
		conns_over(b, m->number);
		bssmap_plain(&w, BSSMAP_RESET_ACK);
		unitdata(b, m, &w);
		msc_up(m);
		break;
	case BSSMAP_RESET_ACK:
		if (!m->up)
			msc_up(m);
		break;
	case BSSMAP_PAGING:
		if (bssmap_paging_read(in.body, &paging))
			b->cb->paged(b->ctx, m->number, &paging);
		break;
	}
}

static void rx_bssmap(struct bsc *b, struct conn *c, uint8_t type)
{
	uint8_t buf[BSSAP_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	switch (type) {
	case BSSMAP_CLEAR_COMMAND:
		bssmap_plain(&w, BSSMAP_CLEAR_COMPLETE);
		data(b, c, &w);
		c->cleared = true;
		conn_ends_soon(c);
		break;
	case BSSMAP_CIPHER_COMMAND:
		bssmap_plain(&w, BSSMAP_CIPHER_COMPLETE);
		data(b, c, &w);
		break;
	case BSSMAP_CLASSMARK_REQUEST:
		bssmap_classmark_update(&w, classmark_2);
		data(b, c, &w);
		break;
	}
}

static void rx_data(struct bsc *b, uint32_t id, struct msgb *msg)
{
	struct conn *c = conn_find(b, id);
	struct bssap in;

	if (!c || !msgb_l2(msg) || !bssap_read(msgb_l2(msg), msgb_l2len(msg), &in))
		return;
	if (!in.dtap)
		rx_bssmap(b, c, in.type);
	else if (c->owner)
		b->cb->l3(b->ctx, c->owner, in.sapi, in.body.p, rd_left(&in.body));
}

/* A point code that goes away takes its connections along; when it is back, RESET begins anew. */
static void rx_pcstate(struct bsc *b, const struct osmo_scu_pcstate_param *s)
{
	struct msc *m = msc_of(b, s->affected_pc);

	if (!m)
		return;
	if (s->sp_status != OSMO_SCCP_SP_S_ACCESSIBLE && m->up)
		msc_down(m);
}

static int on_prim(struct osmo_prim_hdr *oph, void *user)
{
	struct osmo_scu_prim *prim = (struct osmo_scu_prim *)oph;
	struct bsc *b = osmo_sccp_user_get_priv(user);
	struct conn *c;

	switch (OSMO_PRIM_HDR(oph)) {
	case OSMO_PRIM(OSMO_SCU_PRIM_N_CONNECT, PRIM_OP_CONFIRM):
		rx_data(b, prim->u.connect.conn_id, oph->msg);
		break;
	case OSMO_PRIM(OSMO_SCU_PRIM_N_DATA, PRIM_OP_INDICATION):
		rx_data(b, prim->u.data.conn_id, oph->msg);
		break;
	case OSMO_PRIM(OSMO_SCU_PRIM_N_DISCONNECT, PRIM_OP_INDICATION):
		c = conn_find(b, prim->u.disconnect.conn_id);
		if (c)
			conn_free(c);
		break;
	case OSMO_PRIM(OSMO_SCU_PRIM_N_UNITDATA, PRIM_OP_INDICATION):
		if (msgb_l2(oph->msg))
			rx_unitdata(b, prim->u.unitdata.calling_addr.pc, msgb_l2(oph->msg), msgb_l2len(oph->msg));
		break;
	case OSMO_PRIM(OSMO_SCU_PRIM_N_PCSTATE, PRIM_OP_INDICATION):
		rx_pcstate(b, &prim->u.pcstate);
		break;
	}
	msgb_free(oph->msg);
	return 0;
}

struct bsc *bsc_new(void *talloc_ctx, const struct bsc_cfg *cfg, const struct bsc_cb *cb, void *ctx, char *err,
		    size_t err_cap)
{
	int code = osmo_ss7_pointcode_parse(NULL, cfg->pc);
	struct bsc *b = calloc(1, sizeof(*b));

	if (b && code >= 0 && osmo_ss7_init() == 0)
		b->sccp = osmo_sccp_simple_client_on_ss7_id(talloc_ctx, 0, cfg->name, (uint32_t)code,
							    OSMO_SS7_ASP_PROT_M3UA, 0, cfg->local, cfg->stp_port,
							    cfg->stp);
	if (b && b->sccp)
		b->user = osmo_sccp_user_bind(b->sccp, cfg->name, on_prim, OSMO_SCCP_SSN_BSSAP);
	if (!b || !b->user) {
		snprintf(err, err_cap, "no M3UA client with point code %s from %s to %s:%u", cfg->pc, cfg->local,
			 cfg->stp, cfg->stp_port);
		free(b);
		return NULL;
	}
	b->pc = (uint32_t)code;
	b->cb = cb;
	b->ctx = ctx;
	osmo_sccp_user_set_priv(b->user, b);
	return b;
}

void bsc_free(struct bsc *b)
{
	for (int i = 0; i < b->mscs; i++)
		osmo_timer_del(&b->msc[i].reset);
	for (int i = 0; i < BSC_CONNS_MAX; i++)
		osmo_timer_del(&b->conn[i].timer);
	osmo_sccp_user_unbind(b->user);
	osmo_sccp_instance_destroy(b->sccp);
	free(b);
}
