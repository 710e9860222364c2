/* books.c - records of the store's books: packed and unpacked in one place, field by field in the same order.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A body begins with its version.  What cannot be read back whole is refused: it comes from the database.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "books.h"
#include "ota/rd.h"
#include "ota/wr.h"

#define BODY_VERSION 1

/* One walk over the fields for both directions, so that they cannot differ. */
struct io {
	struct wr *w; /* NULL: reading */
	struct rd *r;
};

/* As many octets as the field has. */
#define NUM(io, field)                                                              \
	do {                                                                        \
		if ((io)->w)                                                        \
			wr_be((io)->w, (uint64_t)(field), sizeof(field));           \
		else                                                                \
			(field) = (__typeof__(field))rd_be((io)->r, sizeof(field)); \
	} while (0)

static void io_bytes(const struct io *io, uint8_t *field, size_t len)
{
	const uint8_t *p;

	if (io->w)
		wr_bytes(io->w, field, len);
	else if ((p = rd_bytes(io->r, len)))
		memcpy(field, p, len);
}

void book_text_put(struct wr *w, const char *text)
{
	size_t len = strlen(text);

	wr_u8(w, (uint8_t)len);
	wr_bytes(w, text, len);
}

void book_text_take(struct rd *r, char *text, size_t cap)
{
	size_t len = rd_u8(r);
	const uint8_t *p = rd_bytes(r, len);

	if (!p || len >= cap || memchr(p, 0, len)) {
		r->bad = true;
		return;
	}
	memcpy(text, p, len);
	text[len] = 0;
}

static void io_text(const struct io *io, char *field, size_t cap)
{
	if (io->w)
		book_text_put(io->w, field);
	else
		book_text_take(io->r, field, cap);
}
#define TEXT(io, field) io_text(io, field, sizeof(field))

static void io_flag(const struct io *io, bool *field)
{
	if (io->w)
		wr_u8(io->w, *field);
	else
		*field = rd_u8(io->r) != 0;
}

static int packed(const struct wr *w)
{
	return w->bad ? -1 : (int)wr_len(w);
}

static int unpacked(const struct rd *r)
{
	return r->bad || rd_left(r) ? -1 : 0;
}

static bool version_read(struct rd *r)
{
	return rd_u8(r) == BODY_VERSION;
}

/* ---- orders ---- */

size_t order_number_input(char out[ORDER_NUMBER_INPUT_MAX], const char *s, const char *name)
{
	return (size_t)snprintf(out, ORDER_NUMBER_INPUT_MAX, "otagw order\n%s\n%s\n", s, name);
}

static void order_io(const struct io *io, struct order *o)
{
	TEXT(io, o->name);
	NUM(io, o->number);
	NUM(io, o->side);
	NUM(io, o->step);
	NUM(io, o->kind);
	NUM(io, o->policy);
	TEXT(io, o->s);
	TEXT(io, o->a);
	TEXT(io, o->b);
	TEXT(io, o->m);
	io_bytes(io, o->so, sizeof(o->so));
	NUM(io, o->so_seq);
	NUM(io, o->lines);
	NUM(io, o->paired);
	NUM(io, o->listed);
	NUM(io, o->closed);
	NUM(io, o->whole);
	NUM(io, o->own_list);
	NUM(io, o->until_s);
	NUM(io, o->created_ms);
	NUM(io, o->ended_ms);
	for (int i = 0; i < ORDER_WORKS; i++)
		NUM(io, o->campaign[i]);
	TEXT(io, o->alarm);
	NUM(io, o->no_rollback);
}

int order_pack(const struct order *o, uint8_t body[BOOK_BODY_MAX])
{
	struct order copy = *o;
	struct wr w = wr_init(body, BOOK_BODY_MAX);

	wr_u8(&w, BODY_VERSION);
	order_io(&(struct io){ .w = &w }, &copy);
	return packed(&w);
}

int order_unpack(struct order *o, const uint8_t *body, size_t len)
{
	struct rd r = rd_init(body, len);

	*o = (struct order){ 0 };
	if (!version_read(&r))
		return -1;
	order_io(&(struct io){ .r = &r }, o);
	return unpacked(&r);
}

/* ---- lines ---- */

static const char *const step_names[_LINE_STEPS] = {
	[A_OPEN] = "A_OPEN",
	[A_PAIRED] = "A_PAIRED",
	[A_ASKED] = "A_ASKED",
	[A_PLACED] = "A_PLACED",
	[A_STAGE] = "A_STAGE",
	[A_STAGING] = "A_STAGING",
	[A_HAND] = "A_HAND",
	[A_STAGED] = "A_STAGED",
	[A_LOOK] = "A_LOOK",
	[A_LOOKING] = "A_LOOKING",
	[A_ARM] = "A_ARM",
	[A_ARMING] = "A_ARMING",
	[A_ARMED] = "A_ARMED",
	[A_DUE] = "A_DUE",
	[A_SERVED] = "A_SERVED",
	[A_UNSTAGE] = "A_UNSTAGE",
	[A_UNSTAGING] = "A_UNSTAGING",
	[A_LIST] = "A_LIST",
	[A_PURGE] = "A_PURGE",
	[A_PURGING] = "A_PURGING",
	[A_CLOSED] = "A_CLOSED",
	[A_ESCROW] = "A_ESCROW",
	[A_RELEASE] = "A_RELEASE",
	[A_NUMBER] = "A_NUMBER",
	[B_OPEN] = "B_OPEN",
	[B_LISTED] = "B_LISTED",
	[B_PLANNED] = "B_PLANNED",
	[B_ASKED] = "B_ASKED",
	[B_KEYED] = "B_KEYED",
	[B_PROVISIONING] = "B_PROVISIONING",
	[B_TELL_READY] = "B_TELL_READY",
	[B_READY] = "B_READY",
	[B_TELL_SERVED] = "B_TELL_SERVED",
	[B_SERVED] = "B_SERVED",
	[B_CONFIRM] = "B_CONFIRM",
	[B_CONFIRMING] = "B_CONFIRMING",
	[B_TELL_CONFIRMED] = "B_TELL_CONFIRMED",
	[B_CONFIRMED] = "B_CONFIRMED",
	[B_UNDO] = "B_UNDO",
	[B_UNDOING] = "B_UNDOING",
	[B_ENDING] = "B_ENDING",
	[B_CLOSED] = "B_CLOSED",
	[B_NUMBER] = "B_NUMBER",
	[B_NUMBERING] = "B_NUMBERING",
	[M_OPEN] = "M_OPEN",
	[M_ASKED] = "M_ASKED",
	[M_PLACED] = "M_PLACED",
	[M_WANTED] = "M_WANTED",
	[M_RELEASED] = "M_RELEASED",
	[M_KEYED] = "M_KEYED",
	[M_CLOSED] = "M_CLOSED",
	[C_OPEN] = "C_OPEN",
	[C_TAKEN] = "C_TAKEN",
	[C_MAKE] = "C_MAKE",
	[C_OTA] = "C_OTA",
	[C_OTA_SENT] = "C_OTA_SENT",
	[C_PROVE] = "C_PROVE",
	[C_PROVING] = "C_PROVING",
	[C_PROVED] = "C_PROVED",
	[C_KEY] = "C_KEY",
	[C_KEY_SENT] = "C_KEY_SENT",
	[C_SWITCH] = "C_SWITCH",
	[C_SWITCHING] = "C_SWITCHING",
	[C_SETTLE] = "C_SETTLE",
	[C_SETTLING] = "C_SETTLING",
	[C_SHRED] = "C_SHRED",
	[C_NOTE] = "C_NOTE",
	[C_CLOSED] = "C_CLOSED",
	[C_PAIR] = "C_PAIR",
	[C_PROVISION] = "C_PROVISION",
	[C_PROVISIONING] = "C_PROVISIONING",
	[C_COME] = "C_COME",
	[C_CONFIRM] = "C_CONFIRM",
	[C_CONFIRMING] = "C_CONFIRMING",
	[C_BACK] = "C_BACK",
	[C_NUMBER_OFF] = "C_NUMBER_OFF",
	[C_NUMBERING_OFF] = "C_NUMBERING_OFF",
	[C_NUMBER] = "C_NUMBER",
	[C_NUMBERING] = "C_NUMBERING",
	[C_NUMBERED] = "C_NUMBERED",
	[C_UNDOING] = "C_UNDOING",
	[C_ASK] = "C_ASK",
	[C_ASKING] = "C_ASKING",
	[C_DOUBT] = "C_DOUBT",
	[C_DOUBTING] = "C_DOUBTING",
	[C_FOUND] = "C_FOUND",
};

const char *line_step_name(uint16_t step)
{
	return step < _LINE_STEPS && step_names[step] ? step_names[step] : "?";
}

const char *line_end_name(uint8_t end)
{
	static const char *const names[] = {
		[END_NONE] = "",
		[END_DONE] = "done",
		[END_FAILED] = "failed",
		[END_UNREACHED] = "unreached",
		[END_CANCELLED] = "cancelled",
		[END_ROLLED_BACK] = "rolled-back",
	};

	return end < sizeof(names) / sizeof(names[0]) ? names[end] : "?";
}

void line_key(char key[BOOK_KEY_MAX], uint64_t order, const char *iccid)
{
	snprintf(key, BOOK_KEY_MAX, "%016" PRIx64 "/%.*s", order, ICCID_DIGITS_MAX, iccid);
}

static void line_io(const struct io *io, struct line *l)
{
	NUM(io, l->order);
	TEXT(io, l->iccid);
	TEXT(io, l->imsi);
	TEXT(io, l->msisdn);
	TEXT(io, l->old_imsi);
	TEXT(io, l->old_msisdn);
	TEXT(io, l->profile);
	NUM(io, l->card);
	NUM(io, l->txn);
	NUM(io, l->from);
	NUM(io, l->to);
	NUM(io, l->left);
	NUM(io, l->kvn);
	NUM(io, l->end);
	NUM(io, l->told);
	NUM(io, l->evidence);
	NUM(io, l->flags);
	io_bytes(io, l->jump, sizeof(l->jump));
	io_flag(io, &l->has_jump);
	io_bytes(io, l->hash, sizeof(l->hash));
	io_flag(io, &l->has_plan);
	if (l->has_plan)
		io_bytes(io, l->plan, sizeof(l->plan));
	NUM(io, l->pl_seq);
	NUM(io, l->pl_n);
	NUM(io, l->cntr);
	NUM(io, l->sqn);
	NUM(io, l->evidence_ms);
	NUM(io, l->paired_ms);
	NUM(io, l->staged_ms);
	NUM(io, l->ready_ms);
	NUM(io, l->armed_ms);
	NUM(io, l->served_ms);
	NUM(io, l->confirmed_ms);
	NUM(io, l->ended_ms);
	NUM(io, l->again_ms);
	NUM(io, l->again_n);
	NUM(io, l->strays);
	TEXT(io, l->vlr);
	TEXT(io, l->why);
	NUM(io, l->mark.at_ms);
	NUM(io, l->mark.sqn);
	NUM(io, l->mark.seen_ms);
	NUM(io, l->mark.vlr);
	NUM(io, l->here_ms);
	NUM(io, l->epoch);
	NUM(io, l->asked);
	io_flag(io, &l->bridged);
	TEXT(io, l->bridge);
	io_flag(io, &l->has_opc);
	if (l->has_opc)
		io_bytes(io, l->opc, sizeof(l->opc));
}

int line_pack(const struct line *l, uint8_t body[BOOK_BODY_MAX])
{
	struct line copy = *l;
	struct wr w = wr_init(body, BOOK_BODY_MAX);

	wr_u8(&w, BODY_VERSION);
	line_io(&(struct io){ .w = &w }, &copy);
	return packed(&w);
}

int line_unpack(struct line *l, const uint8_t *body, size_t len)
{
	struct rd r = rd_init(body, len);

	*l = (struct line){ 0 };
	if (!version_read(&r))
		return -1;
	line_io(&(struct io){ .r = &r }, l);
	return unpacked(&r);
}

/* ---- parcels ---- */

void parcel_key(char key[BOOK_KEY_MAX], const char *partner, uint64_t seq)
{
	snprintf(key, BOOK_KEY_MAX, "%.*s/%012" PRIu64, PKG_NAME_MAX, partner, seq);
}

void parcel_file(char file[PARCEL_FILE_MAX], const char *partner, uint64_t seq)
{
	snprintf(file, PARCEL_FILE_MAX, "%.*s-%012" PRIu64 ".otapkg", PKG_NAME_MAX, partner, seq);
}

static void parcel_io(const struct io *io, struct parcel *p)
{
	io_bytes(io, p->id, sizeof(p->id));
	TEXT(io, p->type);
	TEXT(io, p->order);
	NUM(io, p->seq);
	NUM(io, p->records);
	NUM(io, p->cursor);
	NUM(io, p->skipped);
	NUM(io, p->ack);
	NUM(io, p->at_ms);
	NUM(io, p->ended_ms);
	TEXT(io, p->file);
	TEXT(io, p->rule);
	TEXT(io, p->why);
}

int parcel_pack(const struct parcel *p, uint8_t body[BOOK_BODY_MAX])
{
	struct parcel copy = *p;
	struct wr w = wr_init(body, BOOK_BODY_MAX);

	wr_u8(&w, BODY_VERSION);
	parcel_io(&(struct io){ .w = &w }, &copy);
	return packed(&w);
}

int parcel_unpack(struct parcel *p, const uint8_t *body, size_t len)
{
	struct rd r = rd_init(body, len);

	*p = (struct parcel){ 0 };
	if (!version_read(&r))
		return -1;
	parcel_io(&(struct io){ .r = &r }, p);
	return unpacked(&r);
}
/* ---- which pair is active, and what is to come ---- */

size_t hold_pack(const struct hold *h, uint8_t body[HOLD_LEN])
{
	struct hold copy = *h;
	struct wr w = wr_init(body, HOLD_LEN);
	const struct io io = { .w = &w };

	NUM(&io, copy.index);
	NUM(&io, copy.kvn);
	NUM(&io, copy.k);
	NUM(&io, copy.ota);
	TEXT(&io, copy.from);
	return wr_len(&w);
}

int hold_unpack(struct hold *h, const uint8_t *body, size_t len)
{
	struct rd r = rd_init(body, len);
	const struct io io = { .r = &r };

	*h = (struct hold){ 0 };
	NUM(&io, h->index);
	NUM(&io, h->kvn);
	NUM(&io, h->k);
	NUM(&io, h->ota);
	TEXT(&io, h->from);
	return !unpacked(&r) && h->index && h->index <= OTA_SUB_INDEX_MAX && h->kvn && h->kvn <= KVN_MAX ? 0 : -1;
}

void hold_who(const struct hold *h, bool ota, char out[HOLD_WHO_MAX])
{
	const uint8_t known = ota ? h->ota : h->k;

	snprintf(out, HOLD_WHO_MAX, "%s%s", *h->from ? h->from : "the card's maker",
		 known == HOLD_IF_HEARD ? " if it listened" : "");
}

static void io_part(const struct io *io, uint8_t *field, uint16_t *len, size_t cap)
{
	NUM(io, *len);
	if (*len <= cap)
		io_bytes(io, field, *len);
	else if (io->r)
		io->r->bad = true;
	else
		io->w->bad = true;
}

static void change_io(const struct io *io, struct change_keys *c)
{
	NUM(io, c->kvn);
	io_part(io, c->sealed, &c->sealed_len, sizeof(c->sealed));
	io_flag(io, &c->has_sub);
	if (c->has_sub)
		io_bytes(io, c->sub, sizeof(c->sub));
	io_flag(io, &c->has_was);
	if (c->has_was)
		io_bytes(io, c->was, sizeof(c->was));
	NUM(io, c->base_kvn);
	io_part(io, c->base, &c->base_len, sizeof(c->base));
	NUM(io, c->base_epoch);
	NUM(io, c->base_cntr);
}

int change_pack(const struct change_keys *c, uint8_t body[BOOK_BODY_MAX])
{
	struct change_keys copy = *c;
	struct wr w = wr_init(body, BOOK_BODY_MAX);

	wr_u8(&w, BODY_VERSION);
	change_io(&(struct io){ .w = &w }, &copy);
	return packed(&w);
}

int change_unpack(struct change_keys *c, const uint8_t *body, size_t len)
{
	struct rd r = rd_init(body, len);

	*c = (struct change_keys){ 0 };
	if (!version_read(&r))
		return -1;
	change_io(&(struct io){ .r = &r }, c);
	return unpacked(&r);
}

/* ---- a change's file ---- */

static void kept_io(const struct io *io, struct kept *k)
{
	NUM(io, k->kind);
	NUM(io, k->at_ms);
	TEXT(io, k->iccid);
	TEXT(io, k->imsi);
	TEXT(io, k->msisdn);
	TEXT(io, k->old_imsi);
	TEXT(io, k->old_msisdn);
	NUM(io, k->index);
	NUM(io, k->kvn);
	if (k->kind == KEPT_END) {
		NUM(io, k->end);
		NUM(io, k->flags);
		TEXT(io, k->why);
		return;
	}
	io_part(io, k->body, &k->body_len, sizeof(k->body));
}

int kept_pack(const struct kept *k, uint8_t body[KEPT_BODY_MAX])
{
	struct kept copy = *k;
	struct wr w = wr_init(body, KEPT_BODY_MAX);

	wr_u8(&w, BODY_VERSION);
	kept_io(&(struct io){ .w = &w }, &copy);
	return packed(&w);
}

int kept_unpack(struct kept *k, const uint8_t *body, size_t len)
{
	struct rd r = rd_init(body, len);

	*k = (struct kept){ 0 };
	if (!version_read(&r))
		return -1;
	kept_io(&(struct io){ .r = &r }, k);
	return unpacked(&r) || (k->kind != KEPT_KEYS && k->kind != KEPT_END) || !*k->iccid ? -1 : 0;
}
