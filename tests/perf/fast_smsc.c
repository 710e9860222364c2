/* fast_smsc.c - an SMSC that costs next to nothing, so that what is measured is the one who talks to it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 *	fast_smsc --dir DIR [--cards N] [--absent K] [--por] [--latency US] [--answers N]
 *
 * Writes DIR/port when it listens.  With cards it writes DIR/cards.csv, all with one and the same key pair, and lists of
 * new IMSIs: DIR/absent-imsi.csv for the first K, DIR/new-imsi.csv for the others.  What it does with a submit_sm:
 *
 *	to one of the first K cards	"not attached" (as OsmoMSC says it in transaction mode) until the card was alerted
 *	to any other card		accepted; with --por a proof of receipt follows, made in advance
 *	registered_delivery set		accepted; a delivery receipt follows
 *
 * --latency is added before each submit_sm_resp.  --answers is how many of its messages may wait for a response, per
 * session.  It makes no difference who is bound: otagwd, Kannel's bearerbox, or several at once.
 *
 * Commands on standard input, one a line; each is answered by one line.  End of input ends it.
 *
 *	alert FIRST COUNT AHEAD	cards FIRST.. come into coverage one after the other, AHEAD at a time without the
 *				submit_sm that answers:  "alert COUNT p50 p99 max" in us from alert_notification to it
 *	zero			forgets what it has counted:  "zero"
 *	stats			"stats submits=.. first_us=.. last_us=.. delivers=.. answered_us=.. refused=..
 *				answer_p50=.. answer_p99=.. por_p50=.. por_p99=.." where first and last are times of
 *				submit_sm, answered that of the last good deliver_sm_resp, answer is from deliver_sm to its
 *				response, por from submit_sm to the response to the proof of receipt or the receipt
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ota/codec.h"
#include "ota/keystore.h"
#include "smpp_pdu.h"

#define CARDS_MAX      2000000
#define SESSIONS_MAX   16
#define ANSWERS_MAX    1024 /* unanswered deliver_sm per session; a power of two */
#define PDU_MAX	       4096
#define IN_MAX	       (1 << 18)
#define OUT_MAX	       (1 << 22)
#define OUT_HIGH       (1 << 20) /* above this nothing is read from that session */
#define SAMPLES_MAX    4000000
#define AGAIN_US       100000 /* a message that was refused is offered again then */
#define MSISDN_DIGITS  8      /* after the prefix: the card's number */
#define POR_MAX	       96
#define APDUS	       9 /* of bench.profile: four files selected and written, the last one read */
#define ICCID_PREFIX   "8988211"
#define MSISDN_PREFIX  "88299"
#define KIC	       "1E61397408AB415EEEF16C3DE96C8DF1"
#define KID	       "517625F9DDED1738D4E3305C2C063FC6"
#define MSISDN_INVALID UINT32_MAX

struct sess {
	int fd; /* -1: none */
	bool receives;
	uint32_t seq;
	unsigned unanswered;
	uint8_t *in, *out;
	size_t in_len, out_len, out_at;
	struct sent {
		uint32_t seq;
		struct msg {
			uint32_t card; /* counted from the first that is never absent; MSISDN_INVALID: a receipt */
			uint64_t submit_us, id;
			char from[SMPP_ADDR_MAX], to[SMPP_ADDR_MAX];
		} msg;
		uint64_t at_us;
	} sent[ANSWERS_MAX];
};

/* What is due later, in order of time, since each kind has one delay. */
struct queue {
	struct due {
		uint64_t due_us;
		unsigned sess;
		uint32_t seq, status;
		uint64_t id;
		struct msg msg;
	} * e;
	size_t cap, head, n;
};

struct samples {
	uint32_t *us;
	size_t n;
};

static struct sess sess[SESSIONS_MAX];
static struct queue resps, delivers, again;
static struct samples s_answer, s_por, s_alert;
static unsigned n_cards, n_absent, answers = 250;
static uint64_t latency_us;
static bool por;
static const char *dir;
static uint8_t (*por_octets)[POR_MAX];
static uint8_t *por_len;
static uint64_t *alerted_us; /* by card: 0 never, 1 long ago, else waiting for the submit */
static uint64_t submits, first_us, last_us, n_delivers, answered_us, refused, next_id = 1;
static struct {
	uint32_t next, end, out, count, done;
} alerts;
static int ep;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "fast_smsc: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void queue_put(struct queue *q, const struct due *d)
{
	if (q->n == q->cap) {
		size_t cap = q->cap ? 2 * q->cap : 1024;
		struct due *e = calloc(cap, sizeof(*e));

		if (!e)
			die("no memory");
		for (size_t i = 0; i < q->n; i++)
			e[i] = q->e[(q->head + i) % q->cap];
		free(q->e);
		*q = (struct queue){ .e = e, .cap = cap, .n = q->n };
	}
	q->e[(q->head + q->n++) % q->cap] = *d;
}

static const struct due *queue_top(const struct queue *q)
{
	return q->n ? &q->e[q->head] : NULL;
}

static void queue_pop(struct queue *q)
{
	q->head = (q->head + 1) % q->cap;
	q->n--;
}

/* ---- samples ---- */

static void sample(struct samples *s, uint64_t us)
{
	if (!s->us)
		s->us = malloc(SAMPLES_MAX * sizeof(*s->us));
	if (!s->us)
		die("no memory");
	if (s->n < SAMPLES_MAX)
		s->us[s->n++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t quantile(struct samples *s, double q)
{
	if (!s->n)
		return 0;
	qsort(s->us, s->n, sizeof(*s->us), by_value);
	return s->us[(size_t)(q * (double)(s->n - 1))];
}

/* ---- the fleet ---- */

static char luhn(const char *digits)
{
	unsigned sum = 0;
	size_t n = strlen(digits);

	for (size_t i = 0; i < n; i++) {
		unsigned d = (unsigned)(digits[n - 1 - i] - '0') << (i % 2 == 0);

		sum += d > 9 ? d - 9 : d;
	}
	return (char)('0' + (10 - sum % 10) % 10);
}

static FILE *file_in_dir(const char *name)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f)
		die(path);
	return f;
}

static void file_done(FILE *f)
{
	if (fclose(f))
		die("cannot write");
}

static void fleet_write(void)
{
	FILE *cards = file_in_dir("cards.csv"), *absent = file_in_dir("absent-imsi.csv"),
	     *present = file_in_dir("new-imsi.csv");

	fputs("ICCID,IMSI,MSISDN,KIC1,KID1\n", cards);
	fputs("ICCID,IMSI\n", absent);
	fputs("ICCID,IMSI\n", present);
	for (unsigned i = 0; i < n_cards; i++) {
		char iccid[32];

		snprintf(iccid, sizeof(iccid), ICCID_PREFIX "%011u", i);
		fprintf(cards, "%s%c,00102%010u," MSISDN_PREFIX "%08u," KIC "," KID "\n", iccid, luhn(iccid), i, i);
		fprintf(i < n_absent ? absent : present, "%s%c,00103%010u\n", iccid, luhn(iccid), i);
	}
	file_done(cards);
	file_done(absent);
	file_done(present);
}

/* Proofs of receipt: what a card says that has run bench.profile under the first counter, and read its new IMSI back. */
static void pors_make(void)
{
	static const uint8_t kek[32] = { 1 };
	const struct ks_open_params kp = { .source = KS_KEK_MEMORY, .kek = kek };
	const struct ks_keyset_spec spec = {
		.kvn = 1, .kic_alg = OTA_ALG_3DES2_CBC, .kid_alg = OTA_ALG_3DES2_CBC, .cc_len = 8
	};
	char kic[] = KIC, kid[] = KID, kik[] = "";
	uint8_t check[KS_CHECK_LEN], sealed[KS_SEALED_MAX];
	struct ota_cmd_params p = {
		.spi = { 0x16, 0x39 }, .kic = 0x15, .kid = 0x15, .tar = { 0xb0, 0x00, 0x11 }, .cntr = 1, .cc_len = 8
	};
	struct ota_crypt crypt;
	struct ks *ks;
	uint32_t set;
	int len;

	if (ks_open(&ks, &kp, NULL, 0, check, NULL, 0))
		die("keystore");
	len = ks_keyset_import(ks, ICCID_PREFIX, &spec, kic, kid, kik, sealed, NULL, 0);
	if (len < 0 || ks_load(ks, ICCID_PREFIX, 1, sealed, (size_t)len, &set))
		die("keys");
	crypt = ks_crypt(ks);
	p.kic_ref = (struct ks_ref){ set, KS_KEY_KIC };
	p.kid_ref = (struct ks_ref){ set, KS_KEY_KID };
	por_octets = calloc(n_cards - n_absent + 1, sizeof(*por_octets));
	por_len = calloc(n_cards - n_absent + 1, 1);
	if (!por_octets || !por_len)
		die("no memory");
	for (unsigned i = 0; i < n_cards - n_absent; i++) {
		uint8_t data[3 + USIM_IMSI_LEN] = { APDUS, 0x90, 0x00 };
		char imsi[16];

		snprintf(imsi, sizeof(imsi), "00103%010u", n_absent + i);
		usim_imsi_encode(data + 3, imsi);
		memcpy(por_octets[i], "\x02\x71\x00", 3);
		len = ota_rsp_encode(por_octets[i] + 3, POR_MAX - 3, &p, OTA_POR_OK, data, sizeof(data), &crypt);
		if (len < 0)
			die("proof of receipt");
		por_len[i] = (uint8_t)(len + 3);
	}
	ks_unload(ks, set);
	ks_close(ks);
}

static uint32_t card_of(const char *msisdn)
{
	size_t len = strlen(MSISDN_PREFIX);
	uint64_t n;

	if (*msisdn == '+')
		msisdn++;
	if (strncmp(msisdn, MSISDN_PREFIX, len) || strlen(msisdn) != len + MSISDN_DIGITS)
		return MSISDN_INVALID;
	n = strtoull(msisdn + len, NULL, 10);
	return n < n_cards ? (uint32_t)n : MSISDN_INVALID;
}

/* ---- sessions ---- */

static void sess_close(struct sess *s)
{
	close(s->fd);
	free(s->in);
	free(s->out);
	memset(s, 0, sizeof(*s));
	s->fd = -1;
}

static void sess_poll(struct sess *s)
{
	struct epoll_event ev = { .data.u32 = (uint32_t)(s - sess) };

	ev.events = (s->out_len - s->out_at < OUT_HIGH ? EPOLLIN : 0u) | (s->out_at < s->out_len ? EPOLLOUT : 0u);
	if (epoll_ctl(ep, EPOLL_CTL_MOD, s->fd, &ev))
		die("epoll");
}

static void sess_flush(struct sess *s)
{
	ssize_t n;

	if (s->out_at == s->out_len)
		return;
	n = send(s->fd, s->out + s->out_at, s->out_len - s->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		sess_close(s);
		return;
	}
	if (n > 0)
		s->out_at += (size_t)n;
	if (s->out_at == s->out_len)
		s->out_at = s->out_len = 0;
	sess_poll(s);
}

static void sess_put(struct sess *s, const struct smpp_pdu *p)
{
	int n;

	if (s->out_at && OUT_MAX - s->out_len < PDU_MAX) {
		memmove(s->out, s->out + s->out_at, s->out_len - s->out_at);
		s->out_len -= s->out_at;
		s->out_at = 0;
	}
	n = smpp_pdu_pack(s->out + s->out_len, OUT_MAX - s->out_len, p);
	if (n < 0)
		die(smpp_strerror(n));
	s->out_len += (size_t)n;
}

static struct sess *receiver(unsigned first)
{
	if (sess[first].fd >= 0 && sess[first].receives)
		return &sess[first];
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		if (sess[i].fd >= 0 && sess[i].receives)
			return &sess[i];
	return NULL;
}

/* ---- what comes in ---- */

static void on_submit(struct sess *s, const struct smpp_pdu *p, uint64_t now)
{
	uint32_t card = card_of(p->sm.dst.digits);
	struct due d = { .due_us = now + latency_us, .sess = (unsigned)(s - sess), .seq = p->seq, .id = next_id++ };

	if (!submits++)
		first_us = now;
	last_us = now;
	d.msg = (struct msg){ .card = MSISDN_INVALID, .submit_us = now, .id = d.id };
	if (card != MSISDN_INVALID && card < n_absent && !alerted_us[card]) {
		d.status = ESME_RINVDSTADR;
		d.id = 0;
	} else if (card != MSISDN_INVALID && card < n_absent && alerted_us[card] > 1) {
		sample(&s_alert, now - alerted_us[card]);
		alerted_us[card] = 1;
		alerts.out--;
		alerts.done++;
	}
	queue_put(&resps, &d);
	if (por && card != MSISDN_INVALID && card >= n_absent)
		d.msg.card = card - n_absent;
	if (d.status || (d.msg.card == MSISDN_INVALID && !(p->sm.registered_delivery & 3)))
		return;
	snprintf(d.msg.from, sizeof(d.msg.from), "%s", p->sm.dst.digits);
	snprintf(d.msg.to, sizeof(d.msg.to), "%s", p->sm.src.digits);
	queue_put(&delivers, &d);
}

static void on_deliver_resp(struct sess *s, const struct smpp_pdu *p, uint64_t now)
{
	struct sent *d = &s->sent[p->seq % ANSWERS_MAX];

	if (!d->seq || d->seq != p->seq)
		return;
	d->seq = 0;
	s->unanswered--;
	if (p->status) {
		struct due more = { .due_us = now + AGAIN_US, .sess = (unsigned)(s - sess), .msg = d->msg };

		refused++;
		queue_put(&again, &more);
		return;
	}
	n_delivers++;
	answered_us = now;
	sample(&s_answer, now - d->at_us);
	sample(&s_por, now - d->msg.submit_us);
}

static void on_pdu(struct sess *s, const struct smpp_pdu *p, uint64_t now)
{
	struct smpp_pdu r = { .id = p->id | SMPP_RESP, .seq = p->seq };

	switch (p->id) {
	case SMPP_BIND_RECEIVER:
	case SMPP_BIND_TRANSCEIVER:
		s->receives = true;
		r.resp.id = "fast";
		break;
	case SMPP_BIND_TRANSMITTER:
		r.resp.id = "fast";
		break;
	case SMPP_SUBMIT_SM:
		on_submit(s, p, now);
		return;
	case SMPP_DELIVER_SM | SMPP_RESP:
		on_deliver_resp(s, p, now);
		return;
	case SMPP_ENQUIRE_LINK:
	case SMPP_UNBIND:
		break;
	default:
		return;
	}
	sess_put(s, &r);
}

static void sess_read(struct sess *s)
{
	ssize_t n = recv(s->fd, s->in + s->in_len, IN_MAX - s->in_len, MSG_DONTWAIT);
	uint64_t now = now_us();
	size_t at = 0;
	int len;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		sess_close(s);
		return;
	}
	s->in_len += (size_t)n;
	while ((len = smpp_frame(s->in + at, s->in_len - at, PDU_MAX)) > 0) {
		struct smpp_pdu p;

		if (!smpp_pdu_unpack(&p, s->in + at, (size_t)len, NULL))
			on_pdu(s, &p, now);
		at += (size_t)len;
	}
	if (len < 0) {
		fprintf(stderr, "fast_smsc: this is not SMPP: %s\n", smpp_strerror(len));
		sess_close(s);
		return;
	}
	memmove(s->in, s->in + at, s->in_len - at);
	s->in_len -= at;
}

static void on_connect(int listener)
{
	struct sess *s = NULL;
	int one = 1, fd = accept(listener, NULL, NULL);
	struct epoll_event ev = { .events = EPOLLIN };

	for (unsigned i = 0; i < SESSIONS_MAX && !s; i++)
		if (sess[i].fd < 0)
			s = &sess[i];
	if (fd < 0 || !s) {
		if (fd >= 0)
			close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s->fd = fd;
	s->in = malloc(IN_MAX);
	s->out = malloc(OUT_MAX);
	if (!s->in || !s->out)
		die("no memory");
	ev.data.u32 = (uint32_t)(s - sess);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev))
		die("epoll");
}

/* ---- what goes out ---- */

static bool has_room(const struct sess *s)
{
	return s->out_len - s->out_at < OUT_HIGH;
}

static void receipt_text(char text[160], const struct msg *m)
{
	snprintf(text, 160,
		 "id:%llu sub:001 dlvrd:001 submit date:2501010000 done date:2501010000 stat:DELIVRD err:000 text:",
		 (unsigned long long)m->id);
}

static bool deliver(const struct due *d, uint64_t now)
{
	struct sess *s = receiver(d->sess);
	struct smpp_pdu p = { .id = SMPP_DELIVER_SM };
	struct sent *slot;
	char text[160], id[24];

	if (!s || s->unanswered >= answers || !has_room(s))
		return false;
	p.seq = s->seq = s->seq % SMPP_SEQ_MAX + 1;
	slot = &s->sent[p.seq % ANSWERS_MAX];
	if (slot->seq) /* its number comes round before its answer: wait */
		return false;
	p.sm = (struct smpp_sm){ .src = { 1, 1, d->msg.from }, .dst = { 0, 1, d->msg.to } };
	if (d->msg.card != MSISDN_INVALID) {
		p.sm.esm_class = SMPP_ESM_UDHI;
		p.sm.protocol_id = 0x7f;
		p.sm.data_coding = 0xf6;
		p.sm.sm = (struct smpp_octets){ por_octets[d->msg.card], por_len[d->msg.card] };
	} else {
		receipt_text(text, &d->msg);
		snprintf(id, sizeof(id), "%llu", (unsigned long long)d->msg.id);
		p.sm.esm_class = SMPP_ESM_RECEIPT;
		p.sm.sm = (struct smpp_octets){ (const uint8_t *)text, strlen(text) };
		p.tlv.have = SMPP_TLV_RECEIPTED_ID | SMPP_TLV_MESSAGE_STATE;
		p.tlv.receipted_id = (struct smpp_octets){ (const uint8_t *)id, strlen(id) };
		p.tlv.message_state = SMPP_STATE_DELIVERED;
	}
	sess_put(s, &p);
	*slot = (struct sent){ .seq = p.seq, .msg = d->msg, .at_us = now };
	s->unanswered++;
	return true;
}

static void respond(const struct due *d)
{
	struct smpp_pdu p = { .id = SMPP_SUBMIT_SM | SMPP_RESP, .seq = d->seq, .status = d->status };
	char id[24] = "";

	if (sess[d->sess].fd < 0)
		return;
	if (d->id)
		snprintf(id, sizeof(id), "%llu", (unsigned long long)d->id);
	p.resp.id = id;
	sess_put(&sess[d->sess], &p);
}

static void alert_next(uint64_t now)
{
	struct sess *s = receiver(0);
	struct smpp_pdu p = { .id = SMPP_ALERT_NOTIFICATION };
	char from[24];

	while (s && alerts.next < alerts.end && alerts.out < alerts.count) {
		snprintf(from, sizeof(from), MSISDN_PREFIX "%08u", alerts.next);
		p.seq = s->seq = s->seq % SMPP_SEQ_MAX + 1;
		p.alert = (struct smpp_alert){ .src = { 1, 1, from }, .esme = { 0, 1, "9000" } };
		sess_put(s, &p);
		alerted_us[alerts.next++] = now;
		alerts.out++;
	}
	if (alerts.end && alerts.next == alerts.end && !alerts.out) {
		uint32_t p50 = quantile(&s_alert, 0.5), p99 = quantile(&s_alert, 0.99), max = quantile(&s_alert, 1);

		printf("alert %u %u %u %u\n", alerts.done, p50, p99, max);
		fflush(stdout);
		alerts.end = 0;
		s_alert.n = 0;
	}
}

/* Everything that is due now; when to look again, in us, or -1. */
static int64_t turn(void)
{
	const struct due *d;
	uint64_t now = now_us();
	int64_t wait = -1;

	while ((d = queue_top(&resps)) && d->due_us <= now) {
		respond(d);
		queue_pop(&resps);
	}
	/* a message never comes before the response to the submit it answers */
	while ((d = queue_top(&delivers)) && d->due_us <= now && deliver(d, now))
		queue_pop(&delivers);
	if (again.n && again.e[again.head].due_us <= now && deliver(&again.e[again.head], now))
		queue_pop(&again);
	alert_next(now);
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		if (sess[i].fd >= 0)
			sess_flush(&sess[i]);
	if ((d = queue_top(&resps)))
		wait = d->due_us > now ? (int64_t)(d->due_us - now) : 0;
	if ((d = queue_top(&delivers)) && d->due_us > now && (wait < 0 || (int64_t)(d->due_us - now) < wait))
		wait = (int64_t)(d->due_us - now);
	if (again.n && (wait < 0 || wait > AGAIN_US))
		wait = AGAIN_US;
	return wait;
}

/* ---- commands ---- */

static void command(char *line)
{
	unsigned first, count, ahead;

	if (sscanf(line, "alert %u %u %u", &first, &count, &ahead) == 3 && count && ahead && first < n_absent &&
	    count <= n_absent - first) {
		alerts.next = first;
		alerts.end = first + count;
		alerts.count = ahead;
		alerts.out = alerts.done = 0;
	} else if (!strcmp(line, "zero")) {
		submits = n_delivers = refused = first_us = last_us = answered_us = 0;
		s_answer.n = s_por.n = 0;
		puts("zero");
	} else if (!strcmp(line, "stats")) {
		printf("stats submits=%llu first_us=%llu last_us=%llu delivers=%llu answered_us=%llu refused=%llu "
		       "answer_p50=%u answer_p99=%u por_p50=%u por_p99=%u\n",
		       (unsigned long long)submits, (unsigned long long)first_us, (unsigned long long)last_us,
		       (unsigned long long)n_delivers, (unsigned long long)answered_us, (unsigned long long)refused,
		       quantile(&s_answer, 0.5), quantile(&s_answer, 0.99), quantile(&s_por, 0.5),
		       quantile(&s_por, 0.99));
	} else {
		printf("what is \"%s\"?\n", line);
	}
	fflush(stdout);
}

static bool commands_read(void)
{
	static char buf[4096];
	static size_t len;
	ssize_t n = read(STDIN_FILENO, buf + len, sizeof(buf) - 1 - len);
	char *nl;

	if (n <= 0)
		return n < 0 && errno == EINTR;
	len += (size_t)n;
	while ((nl = memchr(buf, '\n', len))) {
		size_t used = (size_t)(nl - buf) + 1;

		*nl = '\0';
		command(buf);
		memmove(buf, buf + used, len - used);
		len -= used;
	}
	return len < sizeof(buf) - 1;
}

/* ---- start ---- */

static int listen_on_any(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	FILE *f;

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, SESSIONS_MAX) ||
	    getsockname(fd, (struct sockaddr *)&a, &len))
		die("cannot listen");
	f = file_in_dir("port");
	fprintf(f, "%u\n", ntohs(a.sin_port));
	file_done(f);
	return fd;
}

static unsigned number(const char *name, const char *text, unsigned max)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*end || !*text || v > max) {
		fprintf(stderr, "fast_smsc: --%s wants a number from 0 to %u\n", name, max);
		exit(1);
	}
	return (unsigned)v;
}

static void options(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "dir", 1, NULL, 'd' },
		{ "cards", 1, NULL, 'c' },
		{ "absent", 1, NULL, 'a' },
		{ "por", 0, NULL, 'p' },
		{ "latency", 1, NULL, 'l' },
		{ "answers", 1, NULL, 'w' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (o == 'd')
			dir = optarg;
		else if (o == 'c')
			n_cards = number("cards", optarg, CARDS_MAX);
		else if (o == 'a')
			n_absent = number("absent", optarg, CARDS_MAX);
		else if (o == 'l')
			latency_us = number("latency", optarg, 10000000);
		else if (o == 'w')
			answers = number("answers", optarg, ANSWERS_MAX);
		else if (o == 'p')
			por = true;
		else
			exit(1);
	}
	if (!dir || optind != argc || n_absent > n_cards) {
		fputs("usage: fast_smsc --dir DIR [--cards N] [--absent K] [--por] [--latency US] [--answers N]\n",
		      stderr);
		exit(1);
	}
}

#define FROM_LISTENER SESSIONS_MAX
#define FROM_STDIN    (SESSIONS_MAX + 1)

static bool handle(const struct epoll_event *ev, int listener)
{
	unsigned i = ev->data.u32;

	if (i == FROM_STDIN)
		return commands_read();
	if (i == FROM_LISTENER)
		on_connect(listener);
	else if (sess[i].fd >= 0 && ev->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		sess_read(&sess[i]);
	return true;
}

int main(int argc, char **argv)
{
	struct epoll_event ev[SESSIONS_MAX + 2];
	bool go_on = true;
	int listener;

	options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		sess[i].fd = -1;
	alerted_us = calloc(n_absent + 1, sizeof(*alerted_us));
	if (!alerted_us)
		die("no memory");
	if (n_cards)
		fleet_write();
	if (por)
		pors_make();
	ep = epoll_create1(EPOLL_CLOEXEC);
	listener = listen_on_any();
	ev[0] = (struct epoll_event){ .events = EPOLLIN, .data.u32 = FROM_LISTENER };
	ev[1] = (struct epoll_event){ .events = EPOLLIN, .data.u32 = FROM_STDIN };
	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev[0]) ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, STDIN_FILENO, &ev[1]))
		die("epoll");
	while (go_on) {
		int64_t wait = turn();
		struct timespec ts = { wait / 1000000, wait % 1000000 * 1000 };
		int n = epoll_pwait2(ep, ev, SESSIONS_MAX + 2, wait < 0 ? NULL : &ts, NULL);

		if (n < 0 && errno != EINTR)
			die("epoll");
		for (int i = 0; i < n && go_on; i++)
			go_on = handle(&ev[i], listener);
	}
	return 0;
}
