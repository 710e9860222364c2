/* opts.c - the command line of otasim.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "opts.h"
#include "card/card_sub.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CARDS_MAX 1000000u
#define MS_MAX	  (1000ll * 86400 * 366)

static const char help[] =
	"otasim - a virtual SMSC with coverage, bad weather and a fleet of UICCs\n"
	"\n"
	"  otasim --cards N --seed S [options]       run a fleet behind an SMPP 3.4 server until SIGTERM\n"
	"  otasim --scenario FILE [options]          the same until the scenario has ended; its verdict is the exit "
	"status\n"
	"  otasim --scenario FILE --check            only say whether the file is right\n"
	"  otasim verify LIST --control SOCK [...]   ask a running fleet what its cards hold (otasim verify --help)\n"
	"  otasim truth --control SOCK [-o csv|json] what each card says of itself\n"
	"  otasim ask --control SOCK COMMAND...      one command of the control socket\n"
	"\n"
	"Fleet (everything follows from the seed)\n"
	"  --cards N               number of cards (default 1000)\n"
	"  --seed S                (default 1)\n"
	"  --alg A                 keys: 3des2 (default), 3des3, aes128, aes192, aes256\n"
	"  --first-counter N       the lowest counter value the cards accept (default 1)\n"
	"  --kvn N                 key version number (default 1)\n"
	"  --pairs N               give the cards the subscription applet with N key pairs, 1..16 (default: no "
	"applet)\n"
	"  --plain N               with --pairs: the last N cards of the fleet have no applet, they are plain USIMs\n"
	"  --msl XX                minimum security level as SPI1, hexadecimal (default 16)\n"
	"  --imsi-prefix D         MCC and MNC of the cards (default 00102)\n"
	"  --new-imsi-prefix D     the same in new-imsi.csv (default 00103)\n"
	"  --dir D                 write D/cards.csv (with keys!) and D/new-imsi.csv, mode 0600\n"
	"  --lists                 write them, and end\n"
	"  --perso F               the cards of the list F instead: ICCID,INDEX,KVN,K,OPC,KIC,KID,KIK,IMSI,MSISDN\n"
	"Operators (each with an SMSC and a register of its own; without any, there is one network that knows every "
	"card)\n"
	"  --operator NAME=PLMN[,smsc=HOST:PORT][,hlr=HOST:PORT]   one more; his IMSIs begin with PLMN. The register "
	"speaks "
	"as\n"
	"                          OsmoHLR on CTRL. Ports stand in the port file\n"
	"  --hlr-fill NAME|none    whose register has the fleet's IMSIs, MSISDNs and keys at first (default: the first "
	"one's)\n"
	"  --hlr-fail NAME=P       share of IMSIs that this register cannot create\n"
	"  --hlr-late NAME=T       it takes so long to answer on CTRL\n"
	"Card behaviour\n"
	"  --replay 02|06|06-secured|silent  answer to a counter too low (default 02, secured; 06 comes in clear)\n"
	"  --silent-errors         no PoR at all when security fails\n"
	"  --interim-0b            PoR by SMS-SUBMIT is announced by status 0B in the DELIVER-REPORT\n"
	"  --pad-80                cipher padding 80 00.. instead of 00..\n"
	"  --no-refresh            the new IMSI shows only after a power cycle (control command \"power\")\n"
	"  --refresh-refused P|N   with --pairs: the phone will not do a REFRESH now, the card asks again (default "
	"0%);\n"
	"                          a number: so many times in a row, then it does\n"
	"  --power-cut P           a phone that registers loses power before REFRESH, and the proof is lost (default "
	"0%)\n"
	"  --late-proof P          a proof by SMS-SUBMIT before REFRESH leaves only when the phone is registered "
	"again, where it "
	"is\n"
	"                          then (default 0%)\n"
	"  --poll T                a phone asks its card whether there is anything to do (default 30s)\n"
	"  --register T            from switching on to the network's answer (default 1s..5s)\n"
	"  --register-again T      a phone that was refused tries again after this at most (default 10m)\n"
	"  --locate T              with operators: a phone that is registered is authenticated again after this "
	"(default: never)\n"
	"  --vectors N             ... of which a network fetches so many at once, 1 to 5 (default 1)\n"
	"  --unserved D            with --pairs: no network knows IMSIs that begin so; may be given again\n"
	"Server\n"
	"  --listen HOST:PORT      numeric host; port 0: any free one (default 127.0.0.1:0)\n"
	"  --port-file F           the port is written here when the server listens\n"
	"  --control SOCK          Unix socket for queries\n"
	"  --system-id X --password-file F   accept this ESME only (default: whoever comes)\n"
	"  --mode transaction|store          answer submit_sm after the card has it (default), or at once\n"
	"  --rate N                submit_sm per second and session, more is throttled (default: unlimited)\n"
	"  --window N              unanswered deliver_sm per session (default 100)\n"
	"  --por submit|report     report: receipts carry the TP-UD of the DELIVER-REPORT (default submit)\n"
	"  --from-imsi             messages come from the IMSI the phone presents instead of the MSISDN\n"
	"  --enquire-link T        ask a silent session after this (default: never)\n"
	"Weather (shares as 2% or 0.1%, times as 300ms, 5..50ms, 2s..10s)\n"
	"  --absent P              share of cards out of coverage at first (default 0%)\n"
	"  --absent-for T          ... for this long (default 2s..10s)\n"
	"  --gap P --gap-after T --gap-for T --gaps N   cards that leave coverage again (default 0%)\n"
	"  --latency T             one way (default 5..50ms)\n"
	"  --loss P                each way (default 0%); --loss-per-card N losses at most (default 3)\n"
	"  --dup P  --reorder P  --corrupt P  --throttle P  --no-response P  --alert-loss P   (default 0%)\n"
	"  --alert always|pending|off   alert_notification when a card comes back (default always)\n"
	"  --paging T              transaction mode: a lost message is given up after this (default 1s)\n"
	"  --up-retry T            a message nobody took is offered again after this (default 500ms)\n"
	"  --refresh T             from REFRESH until the phone shows the new IMSI (default 100..500ms)\n"
	"Scenario (the language: contrib/doc/otasim.md; \"set NAME VALUE\" in it sets options of this list)\n"
	"  --scenario F            who is out of reach when, what day the SMSCs have, what is expected\n"
	"  --junit F               the verdict as JUnit XML\n"
	"  --http HOST:PORT        what happened, read-only: / /cards /messages /smsc /scenario\n"
	"  --check                 read the scenario, and end\n"
	"  --quiet                 no session lines on stderr\n";

enum {
	O_HELP = 256,
	O_CARDS,
	O_SEED,
	O_ALG,
	O_FIRST_COUNTER,
	O_KVN,
	O_PAIRS,
	O_PLAIN,
	O_MSL,
	O_IMSI_PREFIX,
	O_NEW_IMSI_PREFIX,
	O_DIR,
	O_REPLAY,
	O_SILENT_ERRORS,
	O_INTERIM_0B,
	O_PAD_80,
	O_NO_REFRESH,
	O_REFRESH_REFUSED,
	O_UNSERVED,
	O_LISTS,
	O_PERSO,
	O_OPERATOR,
	O_HLR_FILL,
	O_HLR_FAIL,
	O_HLR_LATE,
	O_POWER_CUT,
	O_LATE_PROOF,
	O_POLL,
	O_REGISTER,
	O_REGISTER_AGAIN,
	O_LOCATE,
	O_VECTORS,
	O_LISTEN,
	O_PORT_FILE,
	O_CONTROL,
	O_SYSTEM_ID,
	O_PASSWORD_FILE,
	O_MODE,
	O_RATE,
	O_WINDOW,
	O_POR,
	O_FROM_IMSI,
	O_ENQUIRE_LINK,
	O_ABSENT,
	O_ABSENT_FOR,
	O_GAP,
	O_GAP_AFTER,
	O_GAP_FOR,
	O_GAPS,
	O_LATENCY,
	O_LOSS,
	O_LOSS_PER_CARD,
	O_DUP,
	O_REORDER,
	O_CORRUPT,
	O_THROTTLE,
	O_NO_RESPONSE,
	O_ALERT_LOSS,
	O_ALERT,
	O_PAGING,
	O_UP_RETRY,
	O_REFRESH,
	O_QUIET,
	O_SCENARIO,
	O_JUNIT,
	O_HTTP,
	O_CHECK,
};

static const struct option longs[] = {
	{ "help", no_argument, NULL, O_HELP },
	{ "cards", required_argument, NULL, O_CARDS },
	{ "seed", required_argument, NULL, O_SEED },
	{ "alg", required_argument, NULL, O_ALG },
	{ "first-counter", required_argument, NULL, O_FIRST_COUNTER },
	{ "kvn", required_argument, NULL, O_KVN },
	{ "pairs", required_argument, NULL, O_PAIRS },
	{ "plain", required_argument, NULL, O_PLAIN },
	{ "msl", required_argument, NULL, O_MSL },
	{ "imsi-prefix", required_argument, NULL, O_IMSI_PREFIX },
	{ "new-imsi-prefix", required_argument, NULL, O_NEW_IMSI_PREFIX },
	{ "dir", required_argument, NULL, O_DIR },
	{ "replay", required_argument, NULL, O_REPLAY },
	{ "silent-errors", no_argument, NULL, O_SILENT_ERRORS },
	{ "interim-0b", no_argument, NULL, O_INTERIM_0B },
	{ "pad-80", no_argument, NULL, O_PAD_80 },
	{ "no-refresh", no_argument, NULL, O_NO_REFRESH },
	{ "refresh-refused", required_argument, NULL, O_REFRESH_REFUSED },
	{ "unserved", required_argument, NULL, O_UNSERVED },
	{ "lists", no_argument, NULL, O_LISTS },
	{ "perso", required_argument, NULL, O_PERSO },
	{ "operator", required_argument, NULL, O_OPERATOR },
	{ "hlr-fill", required_argument, NULL, O_HLR_FILL },
	{ "hlr-fail", required_argument, NULL, O_HLR_FAIL },
	{ "hlr-late", required_argument, NULL, O_HLR_LATE },
	{ "power-cut", required_argument, NULL, O_POWER_CUT },
	{ "late-proof", required_argument, NULL, O_LATE_PROOF },
	{ "poll", required_argument, NULL, O_POLL },
	{ "register", required_argument, NULL, O_REGISTER },
	{ "register-again", required_argument, NULL, O_REGISTER_AGAIN },
	{ "locate", required_argument, NULL, O_LOCATE },
	{ "vectors", required_argument, NULL, O_VECTORS },
	{ "listen", required_argument, NULL, O_LISTEN },
	{ "port-file", required_argument, NULL, O_PORT_FILE },
	{ "control", required_argument, NULL, O_CONTROL },
	{ "system-id", required_argument, NULL, O_SYSTEM_ID },
	{ "password-file", required_argument, NULL, O_PASSWORD_FILE },
	{ "mode", required_argument, NULL, O_MODE },
	{ "rate", required_argument, NULL, O_RATE },
	{ "window", required_argument, NULL, O_WINDOW },
	{ "por", required_argument, NULL, O_POR },
	{ "from-imsi", no_argument, NULL, O_FROM_IMSI },
	{ "enquire-link", required_argument, NULL, O_ENQUIRE_LINK },
	{ "absent", required_argument, NULL, O_ABSENT },
	{ "absent-for", required_argument, NULL, O_ABSENT_FOR },
	{ "gap", required_argument, NULL, O_GAP },
	{ "gap-after", required_argument, NULL, O_GAP_AFTER },
	{ "gap-for", required_argument, NULL, O_GAP_FOR },
	{ "gaps", required_argument, NULL, O_GAPS },
	{ "latency", required_argument, NULL, O_LATENCY },
	{ "loss", required_argument, NULL, O_LOSS },
	{ "loss-per-card", required_argument, NULL, O_LOSS_PER_CARD },
	{ "dup", required_argument, NULL, O_DUP },
	{ "reorder", required_argument, NULL, O_REORDER },
	{ "corrupt", required_argument, NULL, O_CORRUPT },
	{ "throttle", required_argument, NULL, O_THROTTLE },
	{ "no-response", required_argument, NULL, O_NO_RESPONSE },
	{ "alert-loss", required_argument, NULL, O_ALERT_LOSS },
	{ "alert", required_argument, NULL, O_ALERT },
	{ "paging", required_argument, NULL, O_PAGING },
	{ "up-retry", required_argument, NULL, O_UP_RETRY },
	{ "refresh", required_argument, NULL, O_REFRESH },
	{ "quiet", no_argument, NULL, O_QUIET },
	{ "scenario", required_argument, NULL, O_SCENARIO },
	{ "junit", required_argument, NULL, O_JUNIT },
	{ "http", required_argument, NULL, O_HTTP },
	{ "check", no_argument, NULL, O_CHECK },
	{ 0 },
};

bool opts_share(const char *text, uint32_t *ppm)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || strcmp(end, "%") || !(v >= 0 && v <= 100))
		return false;
	*ppm = (uint32_t)(v * (SIM_PPM / 100) + 0.5);
	return true;
}

/* "300ms", "2s", "1m" or, when unit_needed is not set, "5".  *scale is 0 without a unit. */
static bool time_one(const char *text, const char *end, double *v, double *scale)
{
	char *at;

	*v = strtod(text, &at);
	if (at == text || !(*v >= 0))
		return false;
	if (at == end)
		*scale = 0;
	else if (end - at == 2 && !strncmp(at, "ms", 2))
		*scale = 1;
	else if (end - at == 1 && *at == 's')
		*scale = 1000;
	else if (end - at == 1 && *at == 'm')
		*scale = 60000;
	else if (end - at == 1 && *at == 'h')
		*scale = 3600000;
	else
		return false;
	return true;
}

bool opts_range(const char *text, struct sim_range *range)
{
	const char *dots = strstr(text, ".."), *end = text + strlen(text);
	double lo, hi, lo_scale, hi_scale;

	/* "5..50ms": strtod would take "5." as a number, so the lower part is cut out first. */
	if (dots) {
		char low[32];

		if ((size_t)(dots - text) >= sizeof(low))
			return false;
		memcpy(low, text, (size_t)(dots - text));
		low[dots - text] = '\0';
		if (!time_one(low, low + (dots - text), &lo, &lo_scale) || !time_one(dots + 2, end, &hi, &hi_scale))
			return false;
		if (lo_scale == 0)
			lo_scale = hi_scale;
	} else {
		if (!time_one(text, end, &hi, &hi_scale))
			return false;
		lo = hi;
		lo_scale = hi_scale;
	}
	if (hi_scale == 0 || lo * lo_scale > hi * hi_scale || hi * hi_scale > (double)MS_MAX)
		return false;
	range->lo = (int64_t)(lo * lo_scale);
	range->hi = (int64_t)(hi * hi_scale);
	return true;
}

static bool number(const char *text, int base, uint64_t lo, uint64_t hi, uint64_t *v)
{
	char *end;

	errno = 0;
	*v = strtoull(text, &end, base);
	return !errno && end != text && !*end && text[0] != '-' && *v >= lo && *v <= hi;
}

static bool text_into(char *to, size_t cap, const char *from)
{
	return snprintf(to, cap, "%s", from) < (int)cap;
}

bool opts_host_port(const char *text, char *host, size_t cap, uint16_t *number_of_port)
{
	const char *colon = strrchr(text, ':');
	uint64_t port;

	if (!colon || colon == text || (size_t)(colon - text) >= cap || !number(colon + 1, 10, 0, 65535, &port))
		return false;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	*number_of_port = (uint16_t)port;
	return true;
}

static bool one_of(const char *text, const char *const *names, int *which)
{
	for (int i = 0; names[i]; i++) {
		if (!strcmp(text, names[i])) {
			*which = i;
			return true;
		}
	}
	return false;
}

static bool take_number(struct opts *o, int opt, const char *arg)
{
	uint64_t v;

	switch (opt) {
	case O_CARDS:
		return number(arg, 10, 1, CARDS_MAX, &v) && (o->cards = (uint32_t)v, o->has_cards = true);
	case O_SEED:
		return number(arg, 0, 0, UINT64_MAX, &o->seed) && (o->has_seed = true);
	case O_FIRST_COUNTER:
		return number(arg, 0, 1, SIM_CNTR_MAX, &v) && (o->card.cntr = v - 1, true);
	case O_KVN:
		return number(arg, 10, 1, 15, &v) && (o->card.kvn = (uint8_t)v, true);
	case O_PAIRS:
		return number(arg, 10, 1, SIM_PAIRS_MAX, &v) && (o->card.pairs = (uint8_t)v, true);
	case O_PLAIN:
		return number(arg, 10, 0, CARDS_MAX, &v) && (o->card.plain = (uint32_t)v, true);
	case O_MSL:
		return number(arg, 16, 0, 0x1f, &v) && (o->card.msl = (uint8_t)v, true);
	case O_RATE:
		return number(arg, 10, 0, 10000000, &v) && (o->smsc.rate = (double)v, true);
	case O_WINDOW:
		return number(arg, 10, 1, SMSC_WINDOW_MAX, &v) && (o->smsc.window = (unsigned)v, true);
	case O_GAPS:
		return number(arg, 10, 0, 1000, &v) && (o->air.gaps_per_card_max = (uint32_t)v, true);
	case O_LOSS_PER_CARD:
		return number(arg, 10, 0, 1000000, &v) && (o->air.loss_per_card_max = (uint32_t)v, true);
	default:
		return false;
	}
}

static bool take_weather(struct opts *o, int opt, const char *arg)
{
	struct sim_range r;
	uint64_t n;

	switch (opt) {
	case O_ABSENT:
		return opts_share(arg, &o->air.absent_ppm);
	case O_GAP:
		return opts_share(arg, &o->air.gap_ppm);
	case O_LOSS:
		return opts_share(arg, &o->air.loss_ppm);
	case O_DUP:
		return opts_share(arg, &o->air.dup_ppm);
	case O_REORDER:
		return opts_share(arg, &o->air.reorder_ppm);
	case O_CORRUPT:
		return opts_share(arg, &o->air.corrupt_ppm);
	case O_THROTTLE:
		return opts_share(arg, &o->air.throttle_ppm);
	case O_NO_RESPONSE:
		return opts_share(arg, &o->air.no_result_ppm);
	case O_REFRESH_REFUSED:
		if (!number(arg, 10, 1, UINT8_MAX, &n))
			return opts_share(arg, &o->air.refresh_refused_ppm);
		o->no_refresh = (unsigned)n;
		return true;
	case O_POWER_CUT:
		return opts_share(arg, &o->air.power_cut_ppm);
	case O_LATE_PROOF:
		return opts_share(arg, &o->air.late_proof_ppm);
	case O_POLL:
		return opts_range(arg, &r) && r.lo == r.hi && r.lo > 0 && (o->air.poll_ms = r.lo, true);
	case O_REGISTER:
		return opts_range(arg, &o->air.register_ms);
	case O_REGISTER_AGAIN:
		return opts_range(arg, &r) && r.lo == r.hi && r.lo > 0 && (o->air.register_again_ms = r.lo, true);
	case O_LOCATE:
		return opts_range(arg, &o->air.locate_ms) && o->air.locate_ms.lo > 0;
	case O_VECTORS:
		return number(arg, 10, 1, SIM_VECTORS_MAX, &n) && (o->air.vectors = (unsigned)n, true);
	case O_ALERT_LOSS:
		return opts_share(arg, &o->air.alert_loss_ppm);
	case O_ABSENT_FOR:
		return opts_range(arg, &o->air.absent_ms);
	case O_GAP_AFTER:
		return opts_range(arg, &o->air.gap_after_ms);
	case O_GAP_FOR:
		return opts_range(arg, &o->air.gap_ms);
	case O_LATENCY:
		return opts_range(arg, &o->air.latency_ms);
	case O_REFRESH:
		return opts_range(arg, &o->air.refresh_ms);
	case O_PAGING:
		return opts_range(arg, &r) && r.lo == r.hi && (o->air.paging_ms = r.lo, true);
	case O_UP_RETRY:
		return opts_range(arg, &r) && r.lo == r.hi && r.lo > 0 && (o->air.up_retry_ms = r.lo, true);
	case O_ENQUIRE_LINK:
		return opts_range(arg, &r) && r.lo == r.hi && (o->smsc.enquire_link_ms = r.lo, true);
	default:
		return take_number(o, opt, arg);
	}
}

static bool unserved(struct opts *o, const char *arg)
{
	struct sim_net net = { .how = SIM_NET_UNKNOWN };
	size_t n = strspn(arg, "0123456789");

	return n > 0 && !arg[n] && text_into(net.imsi_prefix, sizeof(net.imsi_prefix), arg) &&
	       sim_net_lay(o->air.net, &net);
}

static bool take(struct opts *o, int opt, const char *arg)
{
	static const char *const modes[] = { "transaction", "store", NULL },
				 *const pors[] = { "submit", "report", NULL },
				 *const alerts[] = { "always", "pending", "off", NULL },
				 *const replays[] = { "02", "06", "silent", "06-secured", NULL };
	int v;

	switch (opt) {
	case O_ALG:
		v = sim_alg_parse(arg);
		return v > SIM_ALG_DES && (o->card.alg = (enum sim_alg)v, true);
	case O_IMSI_PREFIX:
		return text_into(o->card.imsi_prefix, 7, arg) && strlen(arg) >= 5 && (o->has_imsi_prefix = true);
	case O_NEW_IMSI_PREFIX:
		return text_into(o->new_imsi_prefix, 7, arg) && strlen(arg) >= 5 && (o->has_new_imsi_prefix = true);
	case O_DIR:
		return text_into(o->dir, sizeof(o->dir), arg);
	case O_REPLAY:
		return one_of(arg, replays, &v) && (o->card.replay = (enum sim_replay)v, true);
	case O_SILENT_ERRORS:
		return o->card.silent_errors = true;
	case O_INTERIM_0B:
		return o->card.interim_0b = true;
	case O_PAD_80:
		return o->card.pad_80 = true;
	case O_NO_REFRESH:
		return o->card.no_refresh = true;
	case O_UNSERVED:
		return unserved(o, arg);
	case O_LISTS:
		return o->lists = true;
	case O_PERSO:
		return text_into(o->perso, sizeof(o->perso), arg);
	case O_OPERATOR:
		return opts_operator(o, arg);
	case O_HLR_FILL:
		return text_into(o->hlr_fill, sizeof(o->hlr_fill), arg);
	case O_HLR_FAIL:
		return opts_hlr_fail(o, arg);
	case O_HLR_LATE:
		return opts_hlr_late(o, arg);
	case O_LISTEN:
		return opts_host_port(arg, o->host, sizeof(o->host), &o->port);
	case O_PORT_FILE:
		return text_into(o->port_file, sizeof(o->port_file), arg);
	case O_CONTROL:
		return text_into(o->control, 108, arg); /* sizeof sun_path */
	case O_SYSTEM_ID:
		return text_into(o->smsc.system_id, sizeof(o->smsc.system_id), arg);
	case O_PASSWORD_FILE:
		return text_into(o->password_file, sizeof(o->password_file), arg);
	case O_MODE:
		return one_of(arg, modes, &v) && (o->air.mode = (enum sim_air_mode)v, true);
	case O_POR:
		return one_of(arg, pors, &v) && (o->air.report_payload = v, true);
	case O_ALERT:
		return one_of(arg, alerts, &v) && (o->air.alert = (enum sim_alert_mode)v, true);
	case O_FROM_IMSI:
		return o->air.from_imsi = true;
	case O_QUIET:
		return o->quiet = true;
	case O_SCENARIO:
		return text_into(o->scenario, sizeof(o->scenario), arg);
	case O_JUNIT:
		return text_into(o->junit, sizeof(o->junit), arg);
	case O_HTTP:
		return opts_host_port(arg, o->http_host, sizeof(o->http_host), &o->http_port);
	case O_CHECK:
		return o->check = true;
	default:
		return take_weather(o, opt, arg);
	}
}

/* The first line of the file; it never stands on a command line. */
static bool password_read(struct opts *o)
{
	char line[sizeof(o->smsc.password) + 2] = "";
	FILE *in = fopen(o->password_file, "re");

	if (!in || !fgets(line, sizeof(line), in)) {
		fprintf(stderr, "%s: --password-file %s: %s\n", o->program, o->password_file,
			in ? "is empty" : strerror(errno));
		if (in)
			fclose(in);
		return false;
	}
	fclose(in);
	line[strcspn(line, "\r\n")] = '\0';
	if (strlen(line) >= sizeof(o->smsc.password)) {
		fprintf(stderr, "%s: --password-file %s: SMPP passwords have at most 8 characters\n", o->program,
			o->password_file);
		return false;
	}
	strcpy(o->smsc.password, line);
	return true;
}

void opts_default(struct opts *o)
{
	*o = (struct opts){
		.program = "otasim", .cards = 1000, .seed = 1, .host = "127.0.0.1", .new_imsi_prefix = "00103"
	};
	sim_card_profile_default(&o->card);
	sim_air_cfg_default(&o->air);
	smsc_cfg_default(&o->smsc);
}

/* What belongs to the machine it runs on, and what a scenario says in lines of their own. */
static bool in_a_scenario(int opt)
{
	switch (opt) {
	case O_HELP:
	case O_CARDS:
	case O_SEED:
	case O_DIR:
	case O_LISTEN:
	case O_PORT_FILE:
	case O_CONTROL:
	case O_SYSTEM_ID:
	case O_PASSWORD_FILE:
	case O_QUIET:
	case O_SCENARIO:
	case O_JUNIT:
	case O_HTTP:
	case O_CHECK:
	case O_LISTS:
	case O_PERSO:
	case O_OPERATOR:
		return false;
	default:
		return true;
	}
}

static bool option_take(struct opts *o, const struct scn_option *set, const char *file, char err[SCN_ERR_MAX])
{
	const char *names[sizeof(longs) / sizeof(longs[0])];
	const struct option *l = NULL;
	size_t n = 0;

	for (size_t i = 0; longs[i].name; i++) {
		if (!in_a_scenario(longs[i].val))
			continue;
		names[n++] = longs[i].name;
		if (!strcmp(longs[i].name, set->name))
			l = &longs[i];
	}
	if (!l)
		scn_unknown(err, file, set->line, set->name, "an option that a scenario can set", names, n);
	else if (l->has_arg == required_argument && !set->value[0])
		snprintf(err, SCN_ERR_MAX, "%.100s:%u: set %s: its value is missing", file, set->line, set->name);
	else if (l->has_arg == no_argument && set->value[0])
		snprintf(err, SCN_ERR_MAX, "%.100s:%u: set %s: takes no value", file, set->line, set->name);
	else if (!take(o, l->val, set->value))
		snprintf(err, SCN_ERR_MAX, "%.100s:%u: set %s: \"%s\" is not a value it can have; see otasim --help",
			 file, set->line, set->name, set->value);
	else
		return true;
	return false;
}

bool opts_scenario(struct opts *o, const struct scn *s, char err[SCN_ERR_MAX])
{
	o->cards = s->cards;
	o->seed = o->air.seed = s->seed;
	for (unsigned i = 0; i < s->options; i++) {
		if (!option_take(o, &s->option[i], s->file, err))
			return false;
	}
	return true;
}

enum opts_result opts_take(struct opts *o, int argc, char **argv)
{
	int opt, at = 0;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "", longs, &at)) != -1) {
		if (opt == O_HELP) {
			fputs(help, stdout);
			return OPTS_EXIT_OK;
		}
		if (opt == '?') {
			fprintf(stderr, "%s: see otasim --help\n", o->program);
			return OPTS_EXIT_USAGE;
		}
		if (!take(o, opt, optarg)) {
			fprintf(stderr, "%s: --%s %s: not a value it can have; see otasim --help\n", o->program,
				longs[at].name, optarg);
			return OPTS_EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: \"%s\" is neither an option nor a command; see otasim --help\n", o->program,
			argv[optind]);
		return OPTS_EXIT_USAGE;
	}
	if (o->smsc.system_id[0] && o->password_file[0] && !password_read(o))
		return OPTS_EXIT_USAGE;
	if (o->password_file[0] && !o->smsc.system_id[0]) {
		fprintf(stderr, "%s: --password-file needs --system-id\n", o->program);
		return OPTS_EXIT_USAGE;
	}
	if ((o->junit[0] || o->check) && !o->scenario[0]) {
		fprintf(stderr, "%s: --%s needs --scenario\n", o->program, o->check ? "check" : "junit");
		return OPTS_EXIT_USAGE;
	}
	if (o->lists && !o->dir[0]) {
		fprintf(stderr, "%s: --lists needs --dir\n", o->program);
		return OPTS_EXIT_USAGE;
	}
	o->air.seed = o->seed;
	return OPTS_RUN;
}

enum opts_result opts_parse(struct opts *o, int argc, char **argv)
{
	opts_default(o);
	return opts_take(o, argc, argv);
}
