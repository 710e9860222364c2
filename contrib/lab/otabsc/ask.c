/* ask.c - the commands of a running otabsc.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "ask.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "truth_text.h"

#define SECONDS_MAX	(86400u * 60)
#define ICCID_DIGITS	18 /* at least; fewer digits are an IMSI or a number */
#define IMSI_DIGITS	14 /* at least */
#define TEXT_OCTETS_MAX SIM_UD_MAX

struct words {
	int n;
	char *w[ASK_WORDS_MAX];
};

/* Phones [from, to). */
struct some {
	uint32_t from, to;
};

static bool number(const char *text, uint64_t lo, uint64_t hi, uint64_t *v)
{
	char *end;

	errno = 0;
	*v = strtoull(text, &end, 10);
	return !errno && end != text && !*end && text[0] >= '0' && text[0] <= '9' && *v >= lo && *v <= hi;
}

/* "2.5" to milliseconds. */
static bool seconds(const char *text, int64_t *ms)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !(v >= 0 && v <= SECONDS_MAX))
		return false;
	*ms = (int64_t)(v * 1000 + 0.5);
	return true;
}

/* "all", "7", "1-50", an ICCID, or the IMSI a phone presents. */
static bool who(const struct lab *l, const char *text, struct some *s, FILE *out)
{
	size_t digits = strspn(text, "0123456789");
	uint32_t n = l->fleet.n;
	uint64_t a, b;
	char low[8];

	*s = (struct some){ 0, n };
	if (!strcmp(text, "all"))
		return true;
	if (!text[digits] && digits >= IMSI_DIGITS) {
		for (uint32_t i = 0; i < n; i++) {
			const struct sim_card *c = &l->fleet.cards[i];

			if (!strcmp(digits >= ICCID_DIGITS ? c->iccid : c->imsi_presented, text)) {
				*s = (struct some){ i, i + 1 };
				return true;
			}
		}
	} else if (!text[digits] && number(text, 1, n, &a)) {
		*s = (struct some){ (uint32_t)a - 1, (uint32_t)a };
		return true;
	} else if (text[digits] == '-' && digits && digits < sizeof(low)) {
		memcpy(low, text, digits);
		low[digits] = '\0';
		if (number(low, 1, n, &a) && number(text + digits + 1, a, n, &b)) {
			*s = (struct some){ (uint32_t)a - 1, (uint32_t)b };
			return true;
		}
	}
	fprintf(out, "error no phone \"%s\"; there are 1-%u, ICCIDs, IMSIs as presented, or all\n", text, n);
	return false;
}

/* ---- what there is to see ---- */

static void cmd_truth(const struct lab *l, bool json, FILE *out)
{
	char line[WHOLE_TRUTH_LINE_MAX];
	struct sim_world_card c;
	const char *op;

	fputs(json ? "[" : WHOLE_TRUTH_HEADER "\n", out);
	for (uint32_t i = 0; i < l->fleet.n; i++) {
		lab_truth(l, i, &c, &op);
		if (json) {
			fputs(i ? ",\n" : "\n", out);
			whole_truth_json(out, &c, op);
		} else {
			whole_truth_print(line, &c, op);
			fprintf(out, "%s\n", line);
		}
	}
	fputs(json ? "\n]\nok\n" : "ok\n", out);
}

static void cmd_where(const struct lab *l, FILE *out)
{
	uint32_t at[BSC_MSCS_MAX + 1] = { 0 };

	for (uint32_t i = 0; i < l->fleet.n; i++)
		at[l->seat[i].phone.at + 1]++;
	for (int m = 0; m < bsc_mscs(l->bsc); m++)
		fprintf(out, "%s %u, ", bsc_msc_name(l->bsc, m), at[m + 1]);
	fprintf(out, "nowhere %u\nok\n", at[0]);
}

static void cmd_status(const struct lab *l, FILE *out)
{
	struct phone_counts t = { 0 };

	for (uint32_t i = 0; i < l->fleet.n; i++) {
		const struct phone_counts *c = &l->seat[i].phone.counts;

		t.lu_ok += c->lu_ok;
		t.lu_refused += c->lu_refused;
		t.lu_lost += c->lu_lost;
		t.auths += c->auths;
		t.resyncs += c->resyncs;
		t.mac_failures += c->mac_failures;
		t.paged += c->paged;
		t.mt += c->mt;
		t.downloads += c->downloads;
		t.mo_ok += c->mo_ok;
		t.mo_refused += c->mo_refused;
		t.mo_lost += c->mo_lost;
		t.refreshes += c->refreshes;
	}
	for (int m = 0; m < bsc_mscs(l->bsc); m++)
		fprintf(out, "msc %s %s\n", bsc_msc_name(l->bsc, m), bsc_msc_up(l->bsc, m) ? "up" : "down");
	fprintf(out, "phones %u\nconnections %u\n", l->fleet.n, bsc_conns(l->bsc));
	fprintf(out, "registered %u\nrefused %u\nlost %u\n", t.lu_ok, t.lu_refused, t.lu_lost);
	fprintf(out, "authenticated %u\nresyncs %u\nmac_failures %u\n", t.auths, t.resyncs, t.mac_failures);
	fprintf(out, "paged %u\nmt %u\ndownloads %u\n", t.paged, t.mt, t.downloads);
	fprintf(out, "mo_ok %u\nmo_refused %u\nmo_lost %u\nrefreshes %u\nok\n", t.mo_ok, t.mo_refused, t.mo_lost,
		t.refreshes);
}

static void cmd_phones(const struct lab *l, FILE *out)
{
	fputs("number,iccid,presented,on,covered,operator,doing,waiting,mt,mo_ok,mo_refused,mo_lost,registered,"
	      "refused\n",
	      out);
	for (uint32_t i = 0; i < l->fleet.n; i++) {
		const struct phone *ph = &l->seat[i].phone;
		const struct phone_counts *c = &ph->counts;

		fprintf(out, "%u,%s,%s,%d,%d,%s,%s,%u,%u,%u,%u,%u,%u,%u\n", ph->number, ph->card->iccid,
			ph->card->imsi_presented, ph->on, ph->covered, bsc_msc_name(l->bsc, ph->at),
			phone_doing_name(ph->doing), ph->mo_n, c->mt, c->mo_ok, c->mo_refused, c->mo_lost, c->lu_ok,
			c->lu_refused);
	}
	fputs("ok\n", out);
}

/* ---- MSCs ---- */

static void cmd_msc(struct lab *l, const struct words *a, FILE *out)
{
	struct cell cell = { .lac = 1, .ci = 1 };
	char err[200];
	uint64_t v;

	if (a->n < 4 || a->n > 6) {
		fputs("error wanted is: msc NAME POINT-CODE PLMN [LAC [CI]]\n", out);
		return;
	}
	snprintf(cell.plmn.digits, sizeof(cell.plmn.digits), "%s", a->w[3]);
	if (strlen(a->w[3]) > PLMN_DIGITS_MAX)
		cell.plmn.digits[0] = '\0';
	for (int i = 4; i < a->n; i++) {
		if (!number(a->w[i], 1, 0xfffd, &v)) {
			fprintf(out, "error \"%s\" is no LAC or CI, 1..65533\n", a->w[i]);
			return;
		}
		*(i == 4 ? &cell.lac : &cell.ci) = (uint16_t)v;
	}
	if (bsc_msc_add(l->bsc, a->w[1], a->w[2], &cell, err, sizeof(err)) < 0)
		fprintf(out, "error %s\n", err);
	else
		fputs("ok\n", out);
}

static void cmd_reset(struct lab *l, const struct words *a, FILE *out)
{
	int msc = a->n == 2 ? bsc_msc_find(l->bsc, a->w[1]) : -1;

	if (msc < 0) {
		fputs("error wanted is: reset NAME of an MSC\n", out);
		return;
	}
	bsc_msc_reset(l->bsc, msc);
	fputs("ok\n", out);
}

/* ---- phones ---- */

static bool do_on(struct phone *ph, const struct words *a, int64_t now_ms)
{
	phone_on(ph, now_ms);
	return true;
}

static bool do_detach(struct phone *ph, const struct words *a, int64_t now_ms)
{
	phone_detach(ph, now_ms);
	return true;
}

static bool do_off(struct phone *ph, const struct words *a, int64_t now_ms)
{
	phone_off(ph, now_ms);
	return true;
}

static bool do_locate(struct phone *ph, const struct words *a, int64_t now_ms)
{
	phone_locate(ph, now_ms);
	return true;
}

static bool do_cover(struct phone *ph, const struct words *a, int64_t now_ms)
{
	uint64_t v;

	if (!number(a->w[2], 0, 1, &v))
		return false;
	phone_cover(ph, v, now_ms);
	return true;
}

static bool do_slow(struct phone *ph, const struct words *a, int64_t now_ms)
{
	return seconds(a->w[2], &ph->slow_ms);
}

static bool do_rp(struct phone *ph, const struct words *a, int64_t now_ms)
{
	uint64_t v;

	if (!number(a->w[2], 0, 127, &v))
		return false;
	ph->rp_cause = (uint8_t)v;
	return true;
}

static bool do_mute(struct phone *ph, const struct words *a, int64_t now_ms)
{
	uint64_t v;

	if (!number(a->w[2], 0, 1, &v))
		return false;
	ph->mute = v;
	return true;
}

static bool do_no_refresh(struct phone *ph, const struct words *a, int64_t now_ms)
{
	uint64_t v;

	if (!number(a->w[2], 0, UINT8_MAX, &v))
		return false;
	ph->no_refresh = (uint8_t)v;
	return true;
}

static bool do_wrong_k(struct phone *ph, const struct words *a, int64_t now_ms)
{
	uint64_t v = 0;

	return (a->n < 3 || number(a->w[2], 1, UINT16_MAX, &v)) && usim_wrong_k(ph->card, (unsigned)v);
}

static bool do_sqn(struct phone *ph, const struct words *a, int64_t now_ms)
{
	uint64_t v;

	return number(a->w[2], 0, (1ull << 48) - 1, &v) && usim_sqn(ph->card, v);
}

static bool do_powered(struct phone *ph, const struct words *a, int64_t now_ms)
{
	uint64_t v;

	if (!number(a->w[2], 1, SECONDS_MAX, &v))
		return false;
	phone_powered(ph, (uint32_t)v, now_ms);
	return true;
}

static bool hex_read(const char *text, uint8_t *out, size_t cap, size_t *len)
{
	for (*len = 0; text[0] && text[1]; text += 2) {
		unsigned v;
		char two[3] = { text[0], text[1], '\0' };

		if (*len == cap || strspn(two, "0123456789abcdefABCDEF") != 2 || sscanf(two, "%x", &v) != 1)
			return false;
		out[(*len)++] = (uint8_t)v;
	}
	return !text[0];
}

/* mo WHO TON NPI DIGITS HEX: user data with its header, as a card's SEND SHORT MESSAGE would have it. */
static bool do_mo(struct phone *ph, const struct words *a, int64_t now_ms)
{
	uint8_t ud[TEXT_OCTETS_MAX];
	struct sim_addr to = { 0 };
	uint64_t ton, npi;
	size_t len;

	if (!number(a->w[2], 0, 7, &ton) || !number(a->w[3], 0, 15, &npi) || strlen(a->w[4]) >= sizeof(to.digits) ||
	    strspn(a->w[4], "0123456789*#abc") != strlen(a->w[4]) || !hex_read(a->w[5], ud, sizeof(ud), &len))
		return false;
	to.ton = (uint8_t)ton;
	to.npi = (uint8_t)npi;
	strcpy(to.digits, a->w[4]);
	return phone_send(ph, &to, 0, 0xf6, ud, len, now_ms);
}

static const struct verb {
	const char *name, *usage;
	int words_min, words_max;
	bool (*run)(struct phone *ph, const struct words *a, int64_t now_ms);
} verbs[] = {
	{ "attach", "attach WHO", 2, 2, do_on },
	{ "detach", "detach WHO", 2, 2, do_detach },
	{ "off", "off WHO", 2, 2, do_off },
	{ "lu", "lu WHO", 2, 2, do_locate },
	{ "cover", "cover WHO 0|1", 3, 3, do_cover },
	{ "slow", "slow WHO SECONDS", 3, 3, do_slow },
	{ "rp", "rp WHO CAUSE (0: none)", 3, 3, do_rp },
	{ "mute", "mute WHO 0|1", 3, 3, do_mute },
	{ "no-refresh", "no-refresh WHO TIMES", 3, 3, do_no_refresh },
	{ "wrong-k", "wrong-k WHO [INDEX]", 2, 3, do_wrong_k },
	{ "sqn", "sqn WHO SQN", 3, 3, do_sqn },
	{ "powered", "powered WHO SECONDS", 3, 3, do_powered },
	{ "mo", "mo WHO TON NPI DIGITS HEX", 6, 6, do_mo },
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void run_verb(struct lab *l, const struct verb *v, const struct words *a, FILE *out)
{
	int64_t now_ms = lab_now_ms();
	struct some s;

	if (a->n < v->words_min || a->n > v->words_max) {
		fprintf(out, "error wanted is: %s\n", v->usage);
		return;
	}
	if (!who(l, a->w[1], &s, out))
		return;
	for (uint32_t i = s.from; i < s.to; i++) {
		bool ok = v->run(&l->seat[i].phone, a, now_ms);

		lab_settle(&l->seat[i]);
		if (!ok) {
			fprintf(out, "error phone %u: cannot be done; wanted is: %s\n", i + 1, v->usage);
			return;
		}
	}
	fputs("ok\n", out);
}

/* ---- waiting ---- */

bool ask_wait_over(const struct lab *l, const struct ask_wait *w)
{
	for (uint32_t i = w->from; i < w->to; i++) {
		int at = l->seat[i].phone.at;

		if (w->nowhere ? at != PHONE_NOWHERE : at == PHONE_NOWHERE || (w->msc >= 0 && at != w->msc))
			return false;
	}
	return true;
}

/* wait WHO MSC|any|none SECONDS */
static enum ask_then cmd_wait(struct lab *l, const struct words *a, FILE *out, struct ask_wait *w)
{
	struct some s;
	int64_t ms;

	if (a->n != 4 || !seconds(a->w[3], &ms)) {
		fputs("error wanted is: wait WHO MSC|any|none SECONDS\n", out);
		return ASK_ANSWERED;
	}
	if (!who(l, a->w[1], &s, out))
		return ASK_ANSWERED;
	*w = (struct ask_wait){ .from = s.from, .to = s.to, .until_ms = lab_now_ms() + ms };
	w->msc = bsc_msc_find(l->bsc, a->w[2]);
	w->nowhere = !strcmp(a->w[2], "none");
	if (w->msc < 0 && !w->nowhere && strcmp(a->w[2], "any")) {
		fprintf(out, "error no MSC \"%s\"\n", a->w[2]);
		return ASK_ANSWERED;
	}
	return ASK_WAITS;
}

static void usage(FILE *out)
{
	fputs("error commands are: status, phones, truth [csv|json], where, events 0|1, wait WHO MSC|any|none SECONDS, "
	      "msc NAME POINT-CODE PLMN [LAC [CI]], reset NAME, quit",
	      out);
	for (size_t i = 0; i < VERBS; i++)
		fprintf(out, ", %s", verbs[i].usage);
	fputs("\n", out);
}

enum ask_then ask(struct lab *l, char *line, FILE *out, struct ask_wait *wait)
{
	struct words a = { 0 };
	char *save = NULL;

	for (char *w = strtok_r(line, " \t\r", &save); w && a.n < ASK_WORDS_MAX; w = strtok_r(NULL, " \t\r", &save))
		a.w[a.n++] = w;
	if (!a.n) {
		usage(out);
		return ASK_ANSWERED;
	}
	for (size_t i = 0; i < VERBS; i++) {
		if (!strcmp(a.w[0], verbs[i].name)) {
			run_verb(l, &verbs[i], &a, out);
			return ASK_ANSWERED;
		}
	}
	if (!strcmp(a.w[0], "wait"))
		return cmd_wait(l, &a, out, wait);
	if (!strcmp(a.w[0], "truth") && (a.n == 1 || !strcmp(a.w[1], "csv") || !strcmp(a.w[1], "json"))) {
		cmd_truth(l, a.n > 1 && !strcmp(a.w[1], "json"), out);
	} else if (!strcmp(a.w[0], "where")) {
		cmd_where(l, out);
	} else if (!strcmp(a.w[0], "status")) {
		cmd_status(l, out);
	} else if (!strcmp(a.w[0], "phones")) {
		cmd_phones(l, out);
	} else if (!strcmp(a.w[0], "msc")) {
		cmd_msc(l, &a, out);
	} else if (!strcmp(a.w[0], "reset")) {
		cmd_reset(l, &a, out);
	} else if (!strcmp(a.w[0], "events") && a.n == 2 && (!strcmp(a.w[1], "0") || !strcmp(a.w[1], "1"))) {
		fputs("ok\n", out);
		return a.w[1][0] == '1' ? ASK_EVENTS_ON : ASK_EVENTS_OFF;
	} else if (!strcmp(a.w[0], "quit")) {
		fputs("ok\n", out);
		return ASK_QUIT;
	} else {
		usage(out);
	}
	return ASK_ANSWERED;
}
