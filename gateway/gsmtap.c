/* gsmtap.c - short messages to and from cards, shown to Wireshark as GSMTAP.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The type is A-bis, whose payload Wireshark takes for a layer 3 message as it is: CP-DATA, RP-DATA and TPDU follow, in one frame.  Um would
 * need LAPDm, which cuts them into pieces of 20 octets.  What is shown is what an SMSC would have sent to the phone: a packet is ciphered
 * inside it as it is on the air, and no key has ever been here.
 *
 * A tap stands between a link and its owner and changes nothing; without the setting there is none.
 */
#include "gsmtap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <osmocom/core/gsmtap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ota/wr.h"

#define CP_DATA	   0x01 /* TS 24.011, 8.1.3 */
#define PD_SMS	   0x09
#define TI_FROM_MS 0x80 /* the flag of the transaction, as the side that did not begin it sends it */
#define RP_DATA_MO 0x00 /* TS 24.011, 8.2.2 */
#define RP_DATA_MT 0x01
#define RP_ACK_MO  0x02
#define RP_IE_UD   0x41
#define TPDU_MAX   232 /* TS 24.011, 8.2.5.3 */
#define RP_DIGITS  20
#define RP_MAX	   248 /* TS 24.011, 8.1.4.1: CP-User data */

struct tap {
	struct link_ops ops; /* the link's, but for submit; first: a link points at it */
	const struct link_ops *real;
	void (*on_event)(void *ctx, struct link *l, const struct link_event *ev);
	void *ctx;
	struct gsmtap *g;
};
struct gsmtap {
	int fd;
	struct sockaddr_in to;
	struct tap tap[GSMTAP_LINKS_MAX];
};

/* -------------------------------------------------------------------------------------------------- frames */

/* TS 24.011, 8.2.5.1: length in octets, then as any called party number. */
static void put_rp_address(struct wr *w, const struct ota_addr *a)
{
	size_t n = a ? strlen(a->digits) : 0;

	if (!n || n > RP_DIGITS || strspn(a->digits, "0123456789") != n) {
		wr_be(w, 0, 1);
		return;
	}
	wr_be(w, 1 + (n + 1) / 2, 1);
	wr_be(w, 0x80u | (a->ton & 7u) << 4 | (a->npi & 15u), 1);
	for (size_t i = 0; i < n; i += 2)
		wr_be(w, (uint64_t)(a->digits[i] - '0') | (i + 1 < n ? (uint64_t)(a->digits[i + 1] - '0') : 15u) << 4,
		      1);
}

static void put_head(struct wr *w, bool up)
{
	const struct gsmtap_hdr h = {
		.version = GSMTAP_VERSION,
		.hdr_len = sizeof(h) / 4,
		.type = GSMTAP_TYPE_ABIS,
		.arfcn = htons(up ? GSMTAP_ARFCN_F_UPLINK : 0),
	};

	wr_bytes(w, (const uint8_t *)&h, sizeof(h));
}

/* The frame with this relay message: rp[rp_len], and the TPDU behind it. */
static size_t put_frame(uint8_t *out, bool up, bool answers, const struct wr *rp)
{
	struct wr w = wr_init(out, GSMTAP_FRAME_MAX);

	put_head(&w, up);
	wr_be(&w, PD_SMS | (answers ? TI_FROM_MS : 0u), 1);
	wr_be(&w, CP_DATA, 1);
	wr_be(&w, wr_len(rp), 1);
	wr_bytes(&w, rp->start, wr_len(rp));
	return w.bad || rp->bad ? 0 : wr_len(&w);
}

/* TS 23.040, 9.2.3.11, in UTC. */
static void scts_of(uint8_t out[7], int64_t now_ms)
{
	time_t s = (time_t)(now_ms / 1000);
	struct tm tm = { 0 };
	int part[6];

	gmtime_r(&s, &tm);
	part[0] = tm.tm_year % 100;
	part[1] = tm.tm_mon + 1;
	part[2] = tm.tm_mday;
	part[3] = tm.tm_hour;
	part[4] = tm.tm_min;
	part[5] = tm.tm_sec;
	for (int i = 0; i < 6; i++)
		out[i] = (uint8_t)(part[i] % 10 << 4 | part[i] / 10);
	out[6] = 0;
}

size_t gsmtap_mt(uint8_t out[GSMTAP_FRAME_MAX], const struct link_submit *s, int64_t now_ms)
{
	uint8_t tpdu[TPDU_MAX], relay[RP_MAX];
	struct ota_tpdu_deliver d = { .oa = s->src,
				      .pid = s->pid,
				      .dcs = s->dcs,
				      .udhi = true,
				      .mms = !s->more,
				      .ud = s->ud,
				      .ud_len = s->ud_len };
	struct wr rp = wr_init(relay, sizeof(relay));
	int n;

	scts_of(d.scts, now_ms);
	n = ota_tpdu_deliver_encode(tpdu, sizeof(tpdu), &d);
	if (n <= 0)
		return 0;
	wr_be(&rp, RP_DATA_MT, 1);
	wr_be(&rp, s->token & 0xff, 1);
	put_rp_address(&rp, &s->src); /* the service centre: nobody tells us its number */
	put_rp_address(&rp, NULL);
	wr_be(&rp, (uint64_t)n, 1);
	wr_bytes(&rp, tpdu, (size_t)n);
	return put_frame(out, false, false, &rp);
}

static int mo_tpdu(uint8_t *tpdu, size_t cap, const struct link_event *ev)
{
	const struct ota_tpdu_submit s = { .da = ev->to,
					   .pid = ev->pid,
					   .dcs = ev->dcs,
					   .udhi = ev->udhi,
					   .ud = ev->payload,
					   .ud_len = (uint8_t)ev->payload_len };
	const struct ota_tpdu_report r = { .has_pid = true,
					   .has_dcs = true,
					   .has_ud = true,
					   .udhi = ev->udhi,
					   .pid = ev->pid,
					   .dcs = ev->dcs,
					   .ud = ev->payload,
					   .ud_len = (uint8_t)ev->payload_len };

	if (!ev->payload_len || ev->payload_len > OTA_TP_UD_MAX)
		return 0;
	return ev->kind == LINK_EV_MO ? ota_tpdu_submit_encode(tpdu, cap, &s) :
					ota_tpdu_deliver_report_encode(tpdu, cap, &r);
}

size_t gsmtap_mo(uint8_t out[GSMTAP_FRAME_MAX], const struct link_event *ev)
{
	uint8_t tpdu[TPDU_MAX], relay[RP_MAX];
	struct wr rp = wr_init(relay, sizeof(relay));
	int n = mo_tpdu(tpdu, sizeof(tpdu), ev);

	if (n <= 0)
		return 0;
	wr_be(&rp, ev->kind == LINK_EV_MO ? RP_DATA_MO : RP_ACK_MO, 1);
	wr_be(&rp, ev->token & 0xff, 1);
	if (ev->kind == LINK_EV_MO) {
		put_rp_address(&rp, NULL);
		put_rp_address(&rp, &ev->to);
	} else {
		wr_be(&rp, RP_IE_UD, 1);
	}
	wr_be(&rp, (uint64_t)n, 1);
	wr_bytes(&rp, tpdu, (size_t)n);
	return put_frame(out, true, ev->kind != LINK_EV_MO, &rp);
}

/* ----------------------------------------------------------------------------------------------------- tap */

/* Nobody may listen: what cannot be sent is not missed. */
static void tap_send(struct gsmtap *g, const uint8_t *frame, size_t len)
{
	if (len)
		(void)!sendto(g->fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&g->to,
			      sizeof(g->to));
}

static int tap_submit(struct link *l, const struct link_submit *s, int64_t now_ms)
{
	const struct tap *t = (const struct tap *)l->ops;
	uint8_t frame[GSMTAP_FRAME_MAX];
	int rc = t->real->submit(l, s, now_ms);

	if (!rc)
		tap_send(t->g, frame, gsmtap_mt(frame, s, now_ms));
	return rc;
}

static void tap_event(void *ctx, struct link *l, const struct link_event *ev)
{
	const struct tap *t = ctx;
	uint8_t frame[GSMTAP_FRAME_MAX];

	if (ev->kind == LINK_EV_MO || (ev->kind == LINK_EV_REPORT && ev->payload_len))
		tap_send(t->g, frame, gsmtap_mo(frame, ev));
	t->on_event(t->ctx, l, ev);
}

struct gsmtap *gsmtap_new(const char *ip, uint16_t port, char *err, size_t cap)
{
	struct gsmtap *g = calloc(1, sizeof(*g));

	if (!g) {
		snprintf(err, cap, "gsmtap: out of memory");
		return NULL;
	}
	g->to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	g->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (g->fd >= 0 && inet_pton(AF_INET, ip, &g->to.sin_addr) == 1)
		return g;
	snprintf(err, cap, "gsmtap remote %s: %s", ip, g->fd < 0 ? strerror(errno) : "no address of the form A.B.C.D");
	gsmtap_free(g);
	return NULL;
}

void gsmtap_attach(struct gsmtap *g, struct link *const *links, unsigned n)
{
	for (unsigned i = 0; i < n && i < GSMTAP_LINKS_MAX; i++) {
		struct tap *t = &g->tap[i];

		t->g = g;
		t->real = links[i]->ops;
		t->ops = *links[i]->ops;
		t->ops.submit = tap_submit;
		t->on_event = links[i]->on_event;
		t->ctx = links[i]->ctx;
		links[i]->ops = &t->ops;
		links[i]->on_event = tap_event;
		links[i]->ctx = t;
	}
}

void gsmtap_free(struct gsmtap *g)
{
	if (!g)
		return;
	if (g->fd >= 0)
		close(g->fd);
	free(g);
}
