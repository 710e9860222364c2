/* por.c - what comes back from a card: join the parts, find the command it answers, open it, believe what is proven.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * TAR is in clear; everything else is known only after deciphering under the key version the command was sent with.  The
 * PoR of any of the card's last commands is still opened, so a late answer counts.  What matches nothing or fails its MAC
 * is counted and kept in the card's story, and closes nothing.
 */
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
	const struct keyset_row *k = card_keyset(c, cmd->kvn);
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

/* What closes nothing: counted by kind and kept within a bound. */
static void por_aside(struct gw *gw, struct card *c, const uint8_t *pkt, size_t len, enum por_result what)
{
	static const char *const words[] = {
		[POR_NO_MATCH] = "response packet matches no command",
		[POR_NO_KEY] = "response packet to a command whose keys cannot be loaded",
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

static void por_packet(struct gw *gw, struct card *c, const uint8_t *pkt, size_t len)
{
	const struct cmd_row *open = card_open_cmd(c, NULL);
	enum por_result best = POR_NO_MATCH, r;
	uint8_t scratch[OTA_PACKET_MAX], tar[3];
	struct ota_rsp rsp;

	if (len > sizeof(scratch) || ota_rsp_peek_tar(pkt, len, tar)) {
		gw->stats.por_stray++;
		story_por(gw, c->b.card.id, 0, STORY_STRAY, pkt, len, "malformed response packet", -1, false);
		return;
	}
	for (unsigned i = 0; i < c->b.n_cmds; i++) {
		struct cmd_row *cmd = &c->b.cmd[i];

		if (memcmp(cmd->tar, tar, sizeof(tar)))
			continue;
		r = try_cmd(gw, c, cmd, pkt, len, scratch, &rsp);
		if (r == POR_MATCHED) {
			bool earlier = cmd->txn != c->b.txn.id;
			bool again = cmd->state == CMD_DONE || cmd->por_status == rsp.status ||
				     (i > 0 && rsp.status == OTA_POR_CNTR_LOW); /* says nothing, see cmd_on_por() */

			story_por(gw, c->b.card.id, cmd->id, STORY_POR, pkt, len,
				  earlier ? "PoR of an earlier transaction" :
				  again	  ? "PoR once more" :
					    "PoR accepted",
				  rsp.status, !earlier && !again);
			cmd_on_por(gw, c, cmd, &rsp);
			return;
		}
		if (r == POR_HINT && cmd == open) { /* one that names an older command says nothing of this one */
			gw->stats.por_hint++;
			story_por(gw, c->b.card.id, cmd->id, STORY_POR, pkt, len, "unauthenticated hint", rsp.status,
				  false);
			cmd_on_hint(gw, c, rsp.status);
			return;
		}
		if (r > best)
			best = r;
	}
	por_aside(gw, c, pkt, len, best);
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

/* A part of a concatenated message: joined with the stored ones, or stored with them.  Returns the packet's length when
 * complete, 0 when more must come or it is no response, or a negative error. */
static int por_part(struct gw *gw, struct card *c, const struct ota_udh *udh, const struct link_event *ev, uint8_t *pkt)
{
	struct part_row row = {
		.card = c->b.card.id,
		.ref = udh->ref,
		.iei = udh->iei,
		.total = udh->total,
		.seq = udh->seq,
		.at_ms = gw->now_ms,
		.len = (uint8_t)ev->payload_len,
	};
	struct ota_part part[OTA_SEGMENTS_MAX];
	struct ota_join j;
	int rc;

	if (udh->total > CARD_PARTS_MAX + 1)
		return OTA_E_SEGMENTS; /* the last one need not be kept */
	parts_expire(gw, c);
	ota_join_init(&j, part, OTA_SEGMENTS_MAX);
	for (unsigned i = 0; i < c->b.n_parts; i++) {
		const struct part_row *p = &c->b.part[i];

		if (p->ref != row.ref || p->iei != row.iei)
			continue;
		if (p->seq == row.seq && p->len == row.len && !memcmp(p->ud, ev->payload, row.len))
			return 0; /* a repetition */
		if (p->seq == row.seq || p->total != row.total) {
			/* another message under the same reference: some cards know only one.  The newer counts */
			parts_drop(gw, c, row.iei, row.ref);
			ota_join_init(&j, part, OTA_SEGMENTS_MAX);
			break;
		}
		(void)ota_join_add(&j, p->ud, p->len); /* was good when it was stored */
	}
	rc = ota_join_add(&j, ev->payload, ev->payload_len);
	if (rc < 0)
		return rc;
	if (rc == 0) {
		if (c->b.n_parts == CARD_PARTS_MAX)
			parts_room(gw, c, &row);
		memcpy(row.ud, ev->payload, row.len);
		c->b.part[c->b.n_parts++] = row;
		gw_op(gw, ST_PART_PUT, &row, NULL, 0);
		return 0;
	}
	parts_drop(gw, c, row.iei, row.ref);
	if (j.pi != PI_RESPONSE) { /* a long message that is none */
		gw->stats.mo_other++;
		return 0;
	}
	return ota_join_packet(&j, pkt, OTA_PACKET_MAX);
}

void por_on_rx(struct gw *gw, struct card *c, const struct link_event *ev)
{
	uint8_t pkt[OTA_PACKET_MAX];
	struct ota_udh udh;
	int len;

	/* a receipt is the SMSC's word; only what is in it, or that it was delivered, is the card's */
	if (ev->kind == LINK_EV_MO || ev->payload_len || ev->delivered)
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
		len = por_part(gw, c, &udh, ev, pkt);
	} else {
		len = (int)(ev->payload_len - udh.len);
		memcpy(pkt, ev->payload + udh.len, (size_t)len);
	}
	if (len > 0) {
		por_packet(gw, c, pkt, (size_t)len);
	} else if (len < 0) {
		gw->stats.por_stray++;
		story_por(gw, c->b.card.id, 0, STORY_STRAY, ev->payload, ev->payload_len, ota_strerror(len), -1, false);
	}
	cmd_on_presence(gw, c);
}
