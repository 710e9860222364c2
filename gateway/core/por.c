/* por.c - what comes back from a card: join the parts, find the command it answers, open it, believe what is proven.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * TAR is in clear; everything else is known only after deciphering under the key version the command was sent with.  The
 * PoR of any of the card's last commands is still opened, so a late answer counts.  What matches nothing or fails its MAC
 * is counted and kept in the card's story, and closes nothing.
 */
#include "answer.h"
#include "gw_int.h"

#define PI_RESPONSE 0x71 /* RPI, TS 31.115, 4.4 */

/* In the order of what they are worth to somebody who looks into it. */
enum por_result { POR_NO_MATCH, POR_NO_KEY, POR_BAD_MAC, POR_HINT, POR_UNCORRELATED, POR_MATCHED };

/* Only the first answer to a command of the open transaction is news; all else is kept within a bound. */
static void story_por(struct gw *gw, uint64_t card, uint64_t cmd, enum story_kind kind, const uint8_t *pkt, size_t len,
		      const char *verdict, int status, bool news)
{
	if (!news && !gw_stray_kept(gw, true))
		return;
	if (status >= 0)
		gw_story(gw, card, cmd, kind, pkt, len, "%s: %02X (%s)", verdict, status,
			 ota_por_status_name((uint8_t)status));
	else
		gw_story(gw, card, cmd, kind, pkt, len, "%s", verdict);
}

/* Opens the packet against one command.  `scratch` holds a copy that is deciphered in place. */
static enum por_result try_cmd(struct gw *gw, struct card *c, const struct cmd_row *cmd, const uint8_t *pkt, size_t len,
			       uint8_t *scratch, struct ota_rsp *rsp)
{
	const struct keyset_row *k = card_keys_of(c, cmd);
	struct ota_crypt crypt = ks_crypt(gw->deps.ks);
	struct ota_cmd_params p;
	uint32_t set;
	int rc;

	if (!k || ks_load(gw->deps.ks, c->b.card.iccid, k->kvn, k->sealed, k->sealed_len, &set))
		return POR_NO_KEY;
	cmd_params(cmd, set, &p);
	memcpy(scratch, pkt, len);
	rc = ota_rsp_open(rsp, scratch, len, &p, &crypt);
	ks_unload_soon(gw->deps.ks, set);
	switch (rsp->verdict) {
	case OTA_ACCEPT:
		return POR_MATCHED;
	case OTA_ACCEPT_UNAUTHENTICATED:
		return POR_HINT;
	case OTA_ACCEPT_UNCORRELATED:
		return POR_UNCORRELATED;
	case OTA_REJECT:
		break;
	}
	return rc == OTA_E_CC || rc == OTA_E_PADDING || rc == OTA_E_LENGTH ? POR_BAD_MAC : POR_NO_MATCH;
}

/* For whoever knows whose it may be. */
static void stray_keep(struct gw *gw, const struct card *c, const uint8_t *pkt, size_t len)
{
	struct gw_stray *s;

	if (len > sizeof(s->packet))
		return;
	if (gw->n_stray == GW_STRAYS) {
		gw->stray_at = (gw->stray_at + 1) % GW_STRAYS;
		gw->n_stray--;
	}
	s = &gw->stray[(gw->stray_at + gw->n_stray++) % GW_STRAYS];
	memcpy(s->iccid, c->b.card.iccid, sizeof(s->iccid));
	s->at_ms = gw->now_ms;
	s->len = (uint16_t)len;
	memcpy(s->packet, pkt, len);
}

unsigned gw_strays(const struct gw *gw)
{
	return gw->n_stray;
}

bool gw_stray_next(struct gw *gw, struct gw_stray *out)
{
	if (!gw->n_stray)
		return false;
	*out = gw->stray[gw->stray_at];
	gw->stray_at = (gw->stray_at + 1) % GW_STRAYS;
	gw->n_stray--;
	return true;
}

/* What closes nothing: counted by kind and kept within a bound. */
static void por_aside(struct gw *gw, struct card *c, const uint8_t *pkt, size_t len, enum por_result what)
{
	static const char *const words[] = {
		[POR_NO_MATCH] = "response packet matches no command",
		[POR_NO_KEY] = "response packet to a command whose keys are not here any more",
		[POR_BAD_MAC] = "response packet fails its MAC",
		[POR_HINT] = "error hint to no command that is open",
		[POR_UNCORRELATED] = "right MAC, but the answer to no command that is kept",
	};

	if (what == POR_BAD_MAC)
		gw->stats.por_bad_mac++;
	else
		gw->stats.por_stray++;
	story_por(gw, c->b.card.id, 0, STORY_STRAY, pkt, len, words[what], -1, false);
}

static const char *const use_words[] = {
	[POR_NEWS] = "PoR accepted",
	[POR_AGAIN] = "PoR once more",
	[POR_EARLIER] = "PoR of an earlier transaction",
	[POR_FORGOTTEN] = "PoR to a command of before the store was put back, it proves nothing now",
	[POR_OVERTAKEN] = "PoR to a command that was fenced, it says nothing",
	[POR_NOTED] = "PoR to a command that has ended, noted",
};
_Static_assert(ARRAY_SIZE(use_words) == _POR_USES, "every use has its words");

/* In counter mode 11 a read may have gone out under a counter that an earlier transaction had left without an answer
 * (exact_counter()), and the card has taken one of the two.  Both have the same counter, keys and TAR, so an answer opens
 * under either; what it counts and reads tells whose it is.  NULL: it fits both. */
static struct cmd_row *whose(struct gw *gw, struct card *c, unsigned i, const uint8_t *pkt, size_t len,
			     const struct ota_rsp *rsp, bool *shared)
{
	struct cmd_row *newest = &c->b.cmd[i], *best = newest;
	enum answer_fit fit = cmd_answer_fit(gw, newest, rsp), f;
	uint8_t scratch[OTA_PACKET_MAX];
	struct ota_rsp other;

	*shared = false;
	while (++i < c->b.n_cmds) {
		struct cmd_row *cmd = &c->b.cmd[i];

		if (cmd->cntr != newest->cntr || cmd->kvn != newest->kvn || memcmp(cmd->tar, newest->tar, 3) ||
		    try_cmd(gw, c, cmd, pkt, len, scratch, &other) != POR_MATCHED)
			continue;
		*shared = true;
		f = cmd_answer_fit(gw, cmd, &other);
		if (f > fit) {
			fit = f;
			best = cmd;
		} else if (f == fit && best && cmd->kind != best->kind) {
			best = NULL; /* of two reads the newer one will do: they ask the same */
		}
	}
	return best;
}

/* Opened under the card's keys, as the answer to the command at i or to an older one under the same counter. */
static void por_matched(struct gw *gw, struct card *c, unsigned i, const uint8_t *pkt, size_t len, struct ota_rsp *rsp)
{
	struct cmd_row *cmd = &c->b.cmd[i], *sharer = cmd;
	bool shared = false;
	enum por_use use;

	if (rsp->status == OTA_POR_OK) /* all else says the same of either */
		cmd = whose(gw, c, i, pkt, len, rsp, &shared);
	if (!cmd) {
		story_por(gw, c->b.card.id, sharer->id, STORY_STRAY, pkt, len,
			  "PoR that fits two commands under one counter", rsp->status, true);
		cmd_counter_spent(gw, c, sharer);
		return;
	}
	use = cmd_por_use(gw, c, cmd, rsp);
	story_por(gw, c->b.card.id, cmd->id, STORY_POR, pkt, len, use_words[use], rsp->status, use == POR_NEWS);
	cmd_on_por(gw, c, cmd, rsp);
	if (shared && cmd != sharer)
		cmd_counter_spent(gw, c, sharer);
}

/* True: it is somebody's answer, whatever follows from it. */
static bool por_packet(struct gw *gw, struct card *c, const uint8_t *pkt, size_t len, bool told)
{
	const struct cmd_row *open = card_open_cmd(c, NULL);
	enum por_result best = POR_NO_MATCH, r;
	uint8_t scratch[OTA_PACKET_MAX], tar[3];
	struct ota_rsp rsp;

	if (len > sizeof(scratch) || ota_rsp_peek_tar(pkt, len, tar)) {
		gw->stats.por_stray++;
		story_por(gw, c->b.card.id, 0, STORY_STRAY, pkt, len, "malformed response packet", -1, false);
		return false;
	}
	for (unsigned i = 0; i < c->b.n_cmds; i++) {
		struct cmd_row *cmd = &c->b.cmd[i];

		if (memcmp(cmd->tar, tar, sizeof(tar)))
			continue;
		r = try_cmd(gw, c, cmd, pkt, len, scratch, &rsp);
		if (r == POR_MATCHED) {
			por_matched(gw, c, i, pkt, len, &rsp);
			return true;
		}
		if (r == POR_HINT && cmd == open &&
		    !told) { /* one that names an older command says nothing of this one */
			gw->stats.por_hint++;
			story_por(gw, c->b.card.id, cmd->id, STORY_POR, pkt, len, "unauthenticated hint", rsp.status,
				  false);
			cmd_on_hint(gw, c, rsp.status);
			return true;
		}
		if (r > best)
			best = r;
	}
	por_aside(gw, c, pkt, len, best);
	if (!told)
		stray_keep(gw, c, pkt, len);
	return best >= POR_HINT;
}

void por_told(struct gw *gw, struct card *c, const uint8_t *pkt, size_t len)
{
	card_touch(gw, c);
	por_packet(gw, c, pkt, len, true);
}

static void parts_drop(struct gw *gw, struct card *c, uint8_t iei, uint16_t ref)
{
	const struct part_row key = { .card = c->b.card.id, .iei = iei, .ref = ref };
	unsigned kept = 0;

	for (unsigned i = 0; i < c->b.n_parts; i++)
		if (c->b.part[i].ref != ref || c->b.part[i].iei != iei)
			c->b.part[kept++] = c->b.part[i];
	if (kept == c->b.n_parts)
		return;
	c->b.n_parts = (uint8_t)kept;
	gw_op(gw, ST_PARTS_DROP, &key, NULL, 0);
}

/* A place for one more: the oldest unfinished message gives way, but not the one that is coming in. */
static void parts_room(struct gw *gw, struct card *c, const struct part_row *for_this)
{
	const struct part_row *oldest = NULL;

	for (unsigned i = 0; i < c->b.n_parts; i++) {
		const struct part_row *p = &c->b.part[i];

		if ((p->ref != for_this->ref || p->iei != for_this->iei) && (!oldest || p->at_ms < oldest->at_ms))
			oldest = p;
	}
	/* all of one message: it is not longer than we keep, so what the store has given is not what was put there */
	if (!oldest)
		oldest = for_this;
	parts_drop(gw, c, oldest->iei, oldest->ref);
}

/* Fragments whose rest does not come: the sender will use the reference again. */
static void parts_expire(struct gw *gw, struct card *c)
{
	for (unsigned i = 0; i < c->b.n_parts;) {
		const struct part_row *p = &c->b.part[i];

		if (gw->now_ms - p->at_ms > (int64_t)gw->cfg.retry.por_timeout_ms) {
			parts_drop(gw, c, p->iei, p->ref);
			i = 0;
		} else {
			i++;
		}
	}
}

static bool part_same(const struct part_row *a, const struct part_row *b)
{
	return a->iei == b->iei && a->ref == b->ref;
}

/* Takes the part at i out; the store forgets a message as a whole, so the others of it are put back. */
static void part_remove(struct gw *gw, struct card *c, unsigned i)
{
	struct part_row gone = c->b.part[i];

	memmove(&c->b.part[i], &c->b.part[i + 1], (--c->b.n_parts - i) * sizeof(gone));
	gw_op(gw, ST_PARTS_DROP, &gone, NULL, 0);
	for (unsigned k = 0; k < c->b.n_parts; k++)
		if (part_same(&c->b.part[k], &gone))
			gw_op(gw, ST_PART_PUT, &c->b.part[k], NULL, 0);
}

static void part_keep(struct gw *gw, struct card *c, const struct part_row *row)
{
	if (c->b.n_parts == CARD_PARTS_MAX)
		parts_room(gw, c, row);
	c->b.part[c->b.n_parts++] = *row;
	gw_op(gw, ST_PART_PUT, row, NULL, 0);
}

/* What was joined is nobody's answer.  Some cards know one reference only: a part of an older message may be among these, and
 * then the newer ones still wait for one more.  The oldest gives way to the one that has just come. */
static void parts_shift(struct gw *gw, struct card *c, const struct part_row *row)
{
	unsigned oldest = CARD_PARTS_MAX;

	for (unsigned i = 0; i < c->b.n_parts; i++)
		if (part_same(&c->b.part[i], row) &&
		    (oldest == CARD_PARTS_MAX || c->b.part[i].at_ms < c->b.part[oldest].at_ms))
			oldest = i;
	if (oldest == CARD_PARTS_MAX)
		return; /* a message of one part: there is nothing to wait for */
	part_remove(gw, c, oldest);
	part_keep(gw, c, row);
}

/* What is stored under its reference and can be no part of the same message gives way to it.  True: it is there already. */
static bool part_known(struct gw *gw, struct card *c, const struct part_row *row)
{
	for (unsigned i = 0; i < c->b.n_parts; i++) {
		const struct part_row *p = &c->b.part[i];

		if (!part_same(p, row))
			continue;
		if (p->total != row->total) {
			parts_drop(gw, c, row->iei, row->ref);
			return false;
		}
		if (p->seq != row->seq)
			continue;
		if (p->len == row->len && !memcmp(p->ud, row->ud, row->len))
			return true;
		part_remove(gw, c, i);
		return false;
	}
	return false;
}

/* A part of a concatenated message: joined with the stored ones, or stored with them.  Returns the packet's length when
 * complete, 0 when more must come or it is no response, or a negative error.  What is complete stays stored until somebody has
 * made sense of it. */
static int por_part(struct gw *gw, struct card *c, const struct ota_udh *udh, const struct link_event *ev, uint8_t *pkt,
		    struct part_row *row)
{
	struct ota_part part[OTA_SEGMENTS_MAX];
	struct ota_join j;
	int rc;

	if (udh->total > CARD_PARTS_MAX + 1)
		return OTA_E_SEGMENTS; /* the last one need not be kept */
	*row = (struct part_row){
		.card = c->b.card.id,
		.ref = udh->ref,
		.iei = udh->iei,
		.total = udh->total,
		.seq = udh->seq,
		.at_ms = gw->now_ms,
		.len = (uint8_t)ev->payload_len,
	};
	memcpy(row->ud, ev->payload, row->len);
	parts_expire(gw, c);
	if (part_known(gw, c, row))
		return 0;
	ota_join_init(&j, part, OTA_SEGMENTS_MAX);
	for (unsigned i = 0; i < c->b.n_parts; i++)
		if (part_same(&c->b.part[i], row)) /* was good when it was stored */
			(void)ota_join_add(&j, c->b.part[i].ud, c->b.part[i].len);
	rc = ota_join_add(&j, row->ud, row->len);
	if (rc < 0)
		return rc;
	if (rc == 0) {
		part_keep(gw, c, row);
		return 0;
	}
	if (j.pi != PI_RESPONSE) { /* a long message that is none */
		gw->stats.mo_other++;
		parts_drop(gw, c, row->iei, row->ref);
		return 0;
	}
	return ota_join_packet(&j, pkt, OTA_PACKET_MAX);
}

void por_on_rx(struct gw *gw, struct card *c, const struct link_event *ev)
{
	uint8_t pkt[OTA_PACKET_MAX];
	struct part_row part;
	struct ota_udh udh;
	bool joined = false;
	int len;

	/* a receipt is the SMSC's word; only what is in it, or that it was delivered, is the card's.  Of a card that an order may have taken
	 * elsewhere it counts what speaks under its numbers of here, and no receipt: it may be late */
	if (c->b.work_len ? (ev->kind == LINK_EV_MO || ev->payload_len) && work_is_here(c, &ev->from) :
			    ev->kind == LINK_EV_MO || ev->payload_len || ev->delivered)
		c->b.card.last_seen_ms = gw->now_ms;
	if (c->b.card.last_seen_ms - c->seen_written_ms >= SEEN_WRITE_MS)
		card_dirty(gw, c, DIRTY_CARD);
	if (!ev->payload_len || (ev->kind == LINK_EV_MO && !ev->udhi) ||
	    ota_udh_parse(&udh, ev->payload, ev->payload_len) || (udh.pi != PI_RESPONSE && !udh.concat)) {
		if (ev->kind == LINK_EV_MO || ev->payload_len)
			gw->stats.mo_other++;
		if (ev->kind == LINK_EV_MO)
			cmd_on_presence(gw, c);
		return;
	}
	if (ev->payload_len > OTA_TP_UD_MAX) {
		/* message_payload with a whole packet behind one UDH */
		len = (int)(ev->payload_len - udh.len);
		if (udh.concat || (size_t)len > sizeof(pkt))
			len = OTA_E_UDH;
		else
			memcpy(pkt, ev->payload + udh.len, (size_t)len);
	} else if (udh.concat) {
		len = por_part(gw, c, &udh, ev, pkt, &part);
		joined = len > 0;
	} else {
		len = (int)(ev->payload_len - udh.len);
		memcpy(pkt, ev->payload + udh.len, (size_t)len);
	}
	if (len > 0) {
		bool known = por_packet(gw, c, pkt, (size_t)len, false);

		if (joined && known)
			parts_drop(gw, c, part.iei, part.ref);
		else if (joined)
			parts_shift(gw, c, &part);
	} else if (len < 0) {
		gw->stats.por_stray++;
		story_por(gw, c->b.card.id, 0, STORY_STRAY, ev->payload, ev->payload_len, ota_strerror(len), -1, false);
	}
	cmd_on_presence(gw, c);
}
