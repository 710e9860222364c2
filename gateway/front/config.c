/* config.c - the settings of otagw.cfg: what each takes, what it means, what is wrong with a line.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "config_int.h"
#include "estimate.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ota/nearest.h"
#include "words.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define SECOND_MS 1000ULL
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS	  (60 * MINUTE_MS)
#define DAY_MS	  (24 * HOUR_MS)

#define WINDOW_MAX   1000
#define STORY_DAYS   400 /* a year, and what is looked for a little later */
#define PREPARED_MIN 64	 /* the core takes no fewer */

/* The link whose node is open while the file is read. */
static unsigned link_now;

struct config_link *config_link_now(const struct otagw_config *c)
{
	return (struct config_link *)&c->link[link_now];
}

void config_link_at(unsigned i)
{
	link_now = i;
}

/* ------------------------------------------------------------------------------------------------ values */

static const struct {
	const char *unit;
	uint64_t ms;
} units[] = { { "d", DAY_MS }, { "h", HOUR_MS }, { "m", MINUTE_MS }, { "s", SECOND_MS }, { "ms", 1 } };

int config_duration(const char *text, uint64_t *ms, char *why, size_t cap)
{
	uint64_t n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || errno) {
		snprintf(why, cap, "\"%.40s\" is no time; write a number and a unit: 500ms, 30s, 5m, 2h, 3d", text);
		return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].unit))
			continue;
		if (n > INT64_MAX / units[i].ms) {
			snprintf(why, cap, "\"%.40s\" is too long", text);
			return -1;
		}
		*ms = n * units[i].ms;
		return 0;
	}
	if (*end)
		snprintf(why, cap, "\"%.40s\": unknown unit \"%.10s\"; units are ms, s, m, h, d", text, end);
	else
		snprintf(why, cap, "\"%.40s\" needs a unit: %.20ss, or ms, m, h, d", text, text);
	return -1;
}

void config_duration_text(uint64_t ms, char *out, size_t cap)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (ms % units[i].ms == 0 && (ms || units[i].ms == SECOND_MS)) {
			snprintf(out, cap, "%" PRIu64 "%s", ms / units[i].ms, units[i].unit);
			return;
		}
	}
}

static uint8_t *field(const struct config_setting *s, const struct otagw_config *c)
{
	void *at = (void *)(uintptr_t)c;

	if (s->node == CONF_LINK)
		at = config_link_now(c);
	else if (s->node == CONF_PARTNER)
		at = config_partner_now(c);
	return (uint8_t *)at + s->offset;
}

static uint64_t number_get(const struct config_setting *s, const struct otagw_config *c)
{
	const uint8_t *p = field(s, c);
	uint64_t v64;
	uint32_t v32;
	uint16_t v16;

	switch (s->size) {
	case 8:
		memcpy(&v64, p, 8);
		return v64;
	case 4:
		memcpy(&v32, p, 4);
		return v32;
	case 2:
		memcpy(&v16, p, 2);
		return v16;
	default:
		return *p;
	}
}

static void number_put(const struct config_setting *s, struct otagw_config *c, uint64_t v)
{
	uint32_t v32 = (uint32_t)v;
	uint16_t v16 = (uint16_t)v;
	uint8_t *p = field(s, c);

	switch (s->size) {
	case 8:
		memcpy(p, &v, 8);
		break;
	case 4:
		memcpy(p, &v32, 4);
		break;
	case 2:
		memcpy(p, &v16, 2);
		break;
	default:
		*p = (uint8_t)v;
	}
}

/* ---- a number ---- */

static int set_number(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		      char *err, size_t cap)
{
	char *end;
	uint64_t v;

	errno = 0;
	v = strtoull(argv[0], &end, 10);
	if (!isdigit((unsigned char)argv[0][0]) || *end || errno || v < s->min || v > s->max) {
		snprintf(err, cap, "\"%.40s\" must be a number from %" PRIu64 " to %" PRIu64, argv[0], s->min, s->max);
		return -1;
	}
	number_put(s, c, v);
	return 0;
}

static bool get_number(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	snprintf(out, cap, "%" PRIu64, number_get(s, c));
	return true;
}

/* ---- an octet, as 0xf6 or decimal ---- */

static int set_octet(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		     char *err, size_t cap)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(argv[0], &end, 0);
	if (!isdigit((unsigned char)argv[0][0]) || *end || errno || v > 0xff) {
		snprintf(err, cap, "\"%.40s\" must be one octet, 0x00 to 0xff", argv[0]);
		return -1;
	}
	number_put(s, c, v);
	return 0;
}

static bool get_octet(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	snprintf(out, cap, "0x%02x", (unsigned)number_get(s, c));
	return true;
}

/* ---- a time ---- */

static int set_time(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		    char *err, size_t cap)
{
	char lo[24], hi[24];
	uint64_t ms;

	if (config_duration(argv[0], &ms, err, cap))
		return -1;
	if (ms < s->min || ms > s->max) {
		config_duration_text(s->min, lo, sizeof(lo));
		config_duration_text(s->max, hi, sizeof(hi));
		snprintf(err, cap, "\"%.40s\" must be %s to %s", argv[0], lo, hi);
		return -1;
	}
	number_put(s, c, ms);
	return 0;
}

static bool get_time(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	config_duration_text(number_get(s, c), out, cap);
	return true;
}

/* ---- a text ---- */

static int set_text(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		    char *err, size_t cap)
{
	size_t n = strlen(argv[0]);

	if (!n || n >= s->size) {
		snprintf(err, cap, "\"%.40s\": must have 1 to %zu characters", argv[0], s->size - 1);
		return -1;
	}
	memcpy(field(s, c), argv[0], n + 1);
	return 0;
}

static bool get_text(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	const char *v = (const char *)field(s, c);

	snprintf(out, cap, "%s", v);
	return *v != 0;
}

/* ---- one of some words: the syntax has them as (a|b|c), the value is their number ---- */

static size_t choices(const char *syntax, char words[CONFIG_WORDS_MAX][24])
{
	const char *p = strchr(syntax, '(');
	size_t n = 0;

	while (p && *p != ')' && n < CONFIG_WORDS_MAX) {
		size_t len = strcspn(++p, "|)");

		if (len < sizeof(words[0])) {
			memcpy(words[n], p, len);
			words[n++][len] = 0;
		}
		p += len;
	}
	return n;
}

int config_choice(const char *syntax, const char *text, char *err, size_t cap)
{
	char words[CONFIG_WORDS_MAX][24];
	const char *list[CONFIG_WORDS_MAX], *near;
	size_t n = choices(syntax, words);

	for (size_t i = 0; i < n; i++) {
		list[i] = words[i];
		if (!strcmp(words[i], text))
			return (int)i;
	}
	near = nearest_word(text, list, n);
	snprintf(err, cap, "unknown word \"%.40s\"%s%s%s (the line is: %s)", text, near ? "; did you mean \"" : "",
		 near ? near : "", near ? "\"?" : "", syntax);
	return -1;
}

static int set_choice(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		      char *err, size_t cap)
{
	int v = config_choice(s->syntax, argv[0], err, cap);

	if (v < 0)
		return -1;
	number_put(s, c, (uint64_t)v);
	return 0;
}

static bool get_choice(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	char words[CONFIG_WORDS_MAX][24];
	size_t n = choices(s->syntax, words);
	uint64_t v = number_get(s, c);

	if (v >= n)
		return false;
	snprintf(out, cap, "%s", words[v]);
	return true;
}

/* ---- those that are alone ---- */

static int set_log_level(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
			 char *err, size_t cap)
{
	int v = config_choice(s->syntax, argv[0], err, cap);

	if (v < 0)
		return -1;
	c->log_level = 3 + v; /* syslog's numbers: error is 3 */
	return 0;
}

static bool get_log_level(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	char words[CONFIG_WORDS_MAX][24];
	size_t n = choices(s->syntax, words);

	if (c->log_level < 3 || (size_t)c->log_level - 3 >= n)
		return false;
	snprintf(out, cap, "%s", words[c->log_level - 3]);
	return true;
}

/* Our number, as cards answer to it: DIGITS, or DIGITS with type and plan. */
int config_set_source(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		      char *err, size_t cap)
{
	struct ota_addr a = { .ton = 1, .npi = 1 };
	const char *d = argv[0] + (argv[0][0] == '+');
	size_t n = strlen(d);

	if (!n || n >= sizeof(a.digits) || strspn(d, "0123456789") != n) {
		snprintf(err, cap, "\"%.40s\" must be a number of 1 to %zu digits", argv[0], sizeof(a.digits) - 1);
		return -1;
	}
	memcpy(a.digits, d, n + 1);
	if (argc >= 3) {
		unsigned long ton = strtoul(argv[1], NULL, 10), npi = strtoul(argv[2], NULL, 10);

		/* SMPP 3.4, 5.2.5 and 5.2.6; TS 23.040 has three and four bits */
		if (strspn(argv[1], "0123456789") != strlen(argv[1]) || ton > 7) {
			snprintf(err, cap, "ton \"%.20s\" must be 0 to 7 (1 international, 2 national)", argv[1]);
			return -1;
		}
		if (strspn(argv[2], "0123456789") != strlen(argv[2]) || npi > 15) {
			snprintf(err, cap, "npi \"%.20s\" must be 0 to 15 (1 ISDN)", argv[2]);
			return -1;
		}
		a.ton = (uint8_t)ton;
		a.npi = (uint8_t)npi;
	}
	c->gw.src = a;
	return 0;
}

static bool get_source(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	const struct ota_addr *a = &c->gw.src;

	if (a->ton == 1 && a->npi == 1)
		snprintf(out, cap, "%s", a->digits);
	else
		snprintf(out, cap, "%s ton %u npi %u", a->digits, a->ton, a->npi);
	return *a->digits != 0;
}

static bool get_nothing(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	return false;
}

static int set_kek(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc, char *err,
		   size_t cap)
{
	int how = config_choice(s->syntax, argv[0], err, cap);

	if (how < 0)
		return -1;
	if (!*argv[1] || strlen(argv[1]) >= sizeof(c->kek_path)) {
		snprintf(err, cap, "\"%.40s\": the path must have 1 to %zu characters", argv[1],
			 sizeof(c->kek_path) - 1);
		return -1;
	}
	c->kek = how == 0 ? KS_KEK_FILE : KS_KEK_PASSPHRASE;
	memcpy(c->kek_path, argv[1], strlen(argv[1]) + 1);
	return 0;
}

static bool get_kek(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	snprintf(out, cap, "%s %s", c->kek == KS_KEK_FILE ? "file" : "passphrase-file", c->kek_path);
	return *c->kek_path != 0;
}

static int set_price(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		     char *err, size_t cap)
{
	return price_parse(&c->price, argv[0], argv[1], err, cap);
}

static bool get_price(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	snprintf(out, cap, "%s %s", c->price.each, c->price.currency);
	return *c->price.each != 0;
}

/* Fast enough that a thousand simulated cards are through in a minute; never for a network. */
static void retry_demo(struct retry_policy *p)
{
	retry_policy_default(p);
	p->por_timeout_ms = 3000;
	p->first_ms = 500;
	p->max_ms = 4000;
	p->jitter_pct = 20;
	p->attempts_max = 200;
	p->busy_ms = 500;
	p->congest_ms = 300;
	p->mem_ms = 1000;
	p->hint_ms = 500;
	p->deadline_ms = 30 * MINUTE_MS;
}

static int set_preset(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		      char *err, size_t cap)
{
	int v = config_choice(s->syntax, argv[0], err, cap);

	if (v < 0)
		return -1;
	if (v == 0)
		retry_demo(&c->gw.retry);
	else
		retry_policy_default(&c->gw.retry);
	return 0;
}

/* ---- times that are kept in seconds ---- */

static int seconds_of(const char *text, uint64_t lo_s, uint64_t hi_s, uint64_t *out_s, char *err, size_t cap)
{
	uint64_t ms;

	if (config_duration(text, &ms, err, cap))
		return -1;
	*out_s = ms / SECOND_MS;
	if (ms % SECOND_MS == 0 && *out_s >= lo_s && *out_s <= hi_s)
		return 0;
	snprintf(err, cap, "\"%.40s\" must be %" PRIu64 "s to %" PRIu64 "d", text, lo_s,
		 (uint64_t)(hi_s * SECOND_MS / DAY_MS));
	return -1;
}

static int config_set_life(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
			   char *err, size_t cap)
{
	uint64_t v;

	if (seconds_of(argv[0], 60, 3650 * DAY_MS / SECOND_MS, &v, err, cap))
		return -1;
	c->desk.package_life_s = (int64_t)v;
	return 0;
}

static bool config_get_life(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	config_duration_text((uint64_t)c->desk.package_life_s * SECOND_MS, out, cap);
	return true;
}

/* The limits are those of the IL's column. */
static int config_set_trial(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
			    char *err, size_t cap)
{
	uint64_t v;

	if (seconds_of(argv[0], 60, 30 * DAY_MS / SECOND_MS, &v, err, cap))
		return -1;
	c->desk.pool.trial_s = (uint32_t)v;
	return 0;
}

static bool config_get_trial(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	config_duration_text((uint64_t)c->desk.pool.trial_s * SECOND_MS, out, cap);
	return c->desk.pool.trial_s;
}

/* ------------------------------------------------------------------------------------------------- table */

#define GW(m)	   offsetof(struct otagw_config, m), sizeof(((struct otagw_config *)0)->m)
#define LINK(m)	   offsetof(struct config_link, m), sizeof(((struct config_link *)0)->m)
#define RETRY(m)   GW(gw.retry.m)
#define PARTNER(m) offsetof(struct config_partner, m), sizeof(((struct config_partner *)0)->m)

const struct config_setting config_setting[] = {
	{ CONF_OTAGW, "state-dir PATH", "Directory of the database, mode 0700\nPath\n", set_text, get_text,
	  GW(state_dir) },
	{ CONF_OTAGW, "profile-dir PATH", "Directory of the card profiles, files NAME.profile\nPath\n", set_text,
	  get_text, GW(profile_dir) },
	{ CONF_OTAGW, "api-socket PATH", "Unix socket of the API, mode 0660: who may open it may do everything\nPath\n",
	  set_text, get_text, GW(api_socket) },
	{ CONF_OTAGW, "mark-file PATH",
	  "How far the database has come, kept outside of it: gives a restored backup away (default: "
	  "STATE-DIR.mark)\nPath\n",
	  set_text, get_text, GW(mark_file) },
	{ CONF_OTAGW, "error-table PATH",
	  "Rows that replace those of the error table that is built in\nPath; otactl explain-error shows what they "
	  "do\n",
	  set_text, get_text, GW(error_table) },
	{ CONF_OTAGW, "source-address DIGITS", "Our number, to which cards answer by SMS\nDigits, + in front allowed\n",
	  config_set_source, get_source },
	{ CONF_OTAGW, "source-address DIGITS ton <0-7> npi <0-15>",
	  "Our number, to which cards answer by SMS\nDigits\nType of number\n1 international, 2 national\nNumbering "
	  "plan\n1 ISDN\n",
	  config_set_source, get_nothing },
	{ CONF_OTAGW, "address-by (msisdn|imsi)",
	  "How the SMSC is told which card is meant\nBy MSISDN\nBy IMSI (OsmoMSC: npi 6)\n", set_choice, get_choice,
	  GW(gw.address_by_imsi) },
	{ CONF_OTAGW, "prepared-max <64-1000000>",
	  "Commands that stand ready ahead of the links of each route; about two seconds of what they take\nNumber\n",
	  set_number, get_number, GW(gw.limits.prepared_max), PREPARED_MIN, 1000000 },
	{ CONF_OTAGW, "sms-price AMOUNT CURRENCY",
	  "What one short message costs: campaign create --dry-run counts with it\n0.05\nAs it is to be shown: EUR\n",
	  set_price, get_price },
	{ CONF_OTAGW, "failover-after DURATION",
	  "A link that is down so long is not waited for: the next one of its routes takes over\nTime, 10s\n", set_time,
	  get_time, GW(gw.failover_ms), 0, HOUR_MS },
	{ CONF_OTAGW, "story-days <0-36500>",
	  "How long cards' stories and packets are kept; what is open and each card's last proof always stay\nDays, "
	  "400; 0 for "
	  "ever\n",
	  set_number, get_number, GW(story_days), 0, 36500 },
	{ CONF_OTAGW, "log-level (error|warning|notice|info|debug)",
	  "What is written to the log\nFailures only\nand what a person should look at\nand what happened "
	  "(default)\nand more of it\nand all of it\n",
	  set_log_level, get_log_level },

	{ CONF_OTAGW, "gsmtap remote A.B.C.D",
	  "Shows each short message to and from cards to Wireshark, as GSMTAP over UDP\nWhere to\n127.0.0.1\n",
	  config_set_gsmtap, config_get_gsmtap },
	{ CONF_OTAGW, "gsmtap remote A.B.C.D <1-65535>",
	  "Shows each short message to and from cards to Wireshark, as GSMTAP over UDP\nWhere to\n127.0.0.1\nPort, "
	  "4729\n",
	  config_set_gsmtap, get_nothing },
	{ CONF_KEYSTORE, "kek (file|passphrase-file) PATH",
	  "Key-encryption key that seals all card keys\n32 octets in a file of mode 0600\nA passphrase, first line of "
	  "a file of mode 0600\nPath\n",
	  set_kek, get_kek },

	{ CONF_LINK, "remote-ip ADDRESS", "The SMSC\nAddress or host name\n", set_text, get_text, LINK(host) },
	{ CONF_LINK, "remote-port <1-65535>", "The SMSC's SMPP port\nPort\n", set_number, get_number, LINK(port), 1,
	  65535 },
	{ CONF_LINK, "system-id NAME", "Our name at the SMSC\nAt most 15 characters\n", set_text, get_text,
	  LINK(system_id) },
	{ CONF_LINK, "password-file PATH", "File of mode 0600 whose first line is the SMSC's password\nPath\n",
	  config_set_password, get_text, LINK(password_file) },
	{ CONF_LINK, "bind (trx|tx+rx)",
	  "As what the SMSC is bound\nOne connection, transceiver\nTwo connections, transmitter and receiver\n",
	  set_choice, get_choice, LINK(bind_as) },
	{ CONF_LINK, "rebind (never|settled)",
	  "Whether to bind once more when submits of earlier connections have ended at the SMSC\nNo\nFor an SMSC that "
	  "sends nothing to a new connection any more when they end (OsmoMSC)\n",
	  set_choice, get_choice, LINK(rebind) },
	{ CONF_LINK, "tls (no|yes)",
	  "TLS to the SMSC, 1.2 or newer\nPlain SMPP\nIts certificate must be valid and name it\n", set_choice,
	  get_choice, LINK(tls) },
	{ CONF_LINK, "tls-ca-file PATH", "PEM file of the CAs that may have signed it (default: the system's)\nPath\n",
	  config_set_readable, get_text, LINK(tls_ca_file) },
	{ CONF_LINK, "tls-server-name NAME", "Whom the certificate must name (default: remote-ip)\nName or address\n",
	  set_text, get_text, LINK(tls_server_name) },
	{ CONF_LINK, "tls-certificate PATH", "Our certificate with its chain, where the SMSC wants one\nPath, PEM\n",
	  config_set_readable, get_text, LINK(tls_certificate) },
	{ CONF_LINK, "tls-key PATH", "Its key, no passphrase, in a file of mode 0600\nPath, PEM\n", config_set_private,
	  get_text, LINK(tls_key) },
	{ CONF_LINK, "system-type NAME", "SMPP system_type, where the SMSC wants one\nAt most 12 characters\n",
	  set_text, get_text, LINK(system_type) },
	{ CONF_LINK, "flavour NAME",
	  "Which SMSC it is: what its codes mean\ngeneric-3.4, osmomsc, ... of the error table\n", set_text, get_text,
	  LINK(flavour) },
	{ CONF_LINK, "window <1-1000>", "Submits without an answer at a time\nNumber\n", set_number, get_number,
	  LINK(window), 1, WINDOW_MAX },
	{ CONF_LINK, "throughput (<1-100000>|unlimited)",
	  "Short messages per second that were agreed with the SMSC\nNumber\nNo limit but the window\n",
	  config_set_rate, config_get_rate },
	{ CONF_LINK, "esm-mode (default|datagram|transaction|store-and-forward)",
	  "Messaging mode (SMPP 3.4, 5.2.12)\nThe SMSC's own\nTry once, no answer about delivery\nThe response tells "
	  "delivery (OsmoMSC)\nThe SMSC keeps and retries\n",
	  set_choice, get_choice, LINK(esm_mode) },
	{ CONF_LINK, "message-id (auto|text|hex-decimal|decimal-hex|none)",
	  "How the id in a receipt relates to that in the response\nLeading zeros and case do not matter, nor does the "
	  "base\nLeading zeros and case do not matter\nResponse in hex, receipt in decimal\nResponse in decimal, "
	  "receipt in "
	  "hex\nIds say nothing\n",
	  set_choice, get_choice, LINK(message_id) },
	{ CONF_LINK, "payload (short-message|message-payload)",
	  "Where the user data stands\nIn short_message\nIn the optional parameter message_payload\n", set_choice,
	  get_choice, LINK(payload) },
	{ CONF_LINK, "receipts (as-needed|always)",
	  "Which submits ask for a delivery receipt\nThose whose answer of the card comes in it\nAll: hints come "
	  "earlier, "
	  "and twice as many PDUs\n",
	  set_choice, get_choice, LINK(receipts) },
	{ CONF_LINK, "concat (udh|sar|payload-udh|payload-whole)",
	  "How a packet of several short messages is told to the SMSC\nA concatenation element in each part's UDH\nThe "
	  "parameters sar_msg_ref_num, sar_total_segments, sar_segment_seqnum\nAll of it with its UDH in one "
	  "message_payload, the SMSC divides it\nThe same without a UDH: impossible with OTA\n",
	  config_set_concat, get_choice, LINK(concat) },
	{ CONF_LINK, "optional-parameters (all|none)",
	  "For SMSCs that refuse what they do not know\nuser_message_reference, more_messages_to_send\nNone\n",
	  set_choice, get_choice, LINK(optional_parameters) },
	{ CONF_LINK, "interface-version (3.4|5.0)", "SMPP version told in the bind\nSMPP 3.4\nSMPP 5.0\n", set_choice,
	  get_choice, LINK(interface_version) },
	{ CONF_LINK, "source-type <0-7> <0-15>",
	  "TON and NPI of our number at this SMSC, when not those of source-address\n1 international, 2 national\n1 "
	  "ISDN\n",
	  config_set_source_type, config_get_source_type },
	{ CONF_LINK, "data-coding OCTET", "TP-DCS and data_coding; class 2 8-bit\n0xf6\n", set_octet, get_octet,
	  LINK(dcs) },
	{ CONF_LINK, "protocol-id OCTET", "TP-PID; (U)SIM data download\n0x7f\n", set_octet, get_octet, LINK(pid) },
	{ CONF_LINK, "enquire-link DURATION", "Silence after which the SMSC is asked whether it is there\nTime, 30s\n",
	  set_time, get_time, LINK(enquire_link_ms), SECOND_MS, HOUR_MS },
	{ CONF_LINK, "enquire-timeout DURATION",
	  "How long its answer may take before the connection is given up\nTime, 10s\n", set_time, get_time,
	  LINK(enquire_timeout_ms), 100, HOUR_MS },
	{ CONF_LINK, "response-timeout DURATION",
	  "A submit without a response is UNKNOWN after this\nTime, 60s; OsmoMSC: at least 45s\n", set_time, get_time,
	  LINK(response_ms), 100, HOUR_MS },
	{ CONF_LINK, "bind-timeout DURATION",
	  "How long connecting may take, and then the answer to the bind\nTime, 10s\n", set_time, get_time,
	  LINK(bind_ms), 100, HOUR_MS },
	{ CONF_LINK, "reconnect DURATION", "First delay before connecting again; doubles\nTime, 1s\n", set_time,
	  get_time, LINK(reconnect_ms), 10, HOUR_MS },
	{ CONF_LINK, "reconnect-max DURATION", "Longest such delay\nTime, 60s\n", set_time, get_time,
	  LINK(reconnect_max_ms), 10, HOUR_MS },

	{ CONF_ROUTE, "match .WHAT",
	  "Which cards take this route; of several lines any one will do, the first route that fits is a card's\n"
	  "imsi-prefix DIGITS, msisdn-prefix DIGITS, profile NAME, or all\n",
	  config_set_match, get_nothing },
	{ CONF_ROUTE, "via .LINKS",
	  "Links in the order of fail-over: a b; with + between two that share: a+b c\nNames of smsc-link nodes "
	  "above\n",
	  config_set_via, config_get_via },

	{ CONF_RETRY, "preset (demo|default)",
	  "All of this node at once; lines after it change single values\nFor the simulator\nFor networks\n",
	  set_preset, get_nothing },
	{ CONF_RETRY, "por-timeout DURATION", "How long the card's answer may take\nTime\n", set_time, get_time,
	  RETRY(por_timeout_ms), 100, 30 * DAY_MS },
	{ CONF_RETRY, "first DURATION", "Delay before the second attempt; doubles\nTime\n", set_time, get_time,
	  RETRY(first_ms), 1, 30 * DAY_MS },
	{ CONF_RETRY, "max DURATION", "Longest delay between attempts\nTime\n", set_time, get_time, RETRY(max_ms), 1,
	  30 * DAY_MS },
	{ CONF_RETRY, "jitter <0-100>", "Each delay is changed by up to this much\nPercent\n", set_number, get_number,
	  RETRY(jitter_pct), 0, 100 },
	{ CONF_RETRY, "attempts <1-10000>",
	  "Attempts of one packet; congestion and broken links do not count\nNumber\n", set_number, get_number,
	  RETRY(attempts_max), 1, 10000 },
	{ CONF_RETRY, "busy DURATION", "Delay when the device is busy\nTime\n", set_time, get_time, RETRY(busy_ms), 1,
	  DAY_MS },
	{ CONF_RETRY, "congestion DURATION", "Delay when the SMSC is congested\nTime\n", set_time, get_time,
	  RETRY(congest_ms), 1, DAY_MS },
	{ CONF_RETRY, "memory DURATION", "Delay when the device's memory is full\nTime\n", set_time, get_time,
	  RETRY(mem_ms), 1, 30 * DAY_MS },
	{ CONF_RETRY, "hint DURATION",
	  "After an error that anybody could have sent: wait so long for the signed answer\nTime\n", set_time, get_time,
	  RETRY(hint_ms), 1, DAY_MS },
	{ CONF_RETRY, "silent <1-100>", "Attempts without any answer before the card is asked what it holds\nNumber\n",
	  set_number, get_number, RETRY(silent_max), 1, 100 },
	{ CONF_RETRY, "probes <0-100>", "Refused read-backs in a row before a person must look\nNumber\n", set_number,
	  get_number, RETRY(probes_max), 0, 100 },
	{ CONF_RETRY, "scripts <1-100>", "Scripts per card, each after proof that the one before did not run\nNumber\n",
	  set_number, get_number, RETRY(scripts_max), 1, 100 },
	{ CONF_RETRY, "deadline DURATION", "A card that is not done after this is EXPIRED\nTime\n", set_time, get_time,
	  RETRY(deadline_ms), SECOND_MS, 3650 * DAY_MS },

	{ CONF_EXCHANGE, "role (mno|vault|agent|viewer)",
	  "What we are in orders between operators; more than one line may stand\nAn operator: gives and takes "
	  "cards\nKeeps the pairs of cards, gives each to one operator\nForwards orders\nLooks on\n",
	  config_set_role, get_nothing },
	{ CONF_EXCHANGE, "party-file PATH", "Who we are: NAME.otaparty, made by otactl party create\nPath\n", set_text,
	  get_text, GW(exchange_party) },
	{ CONF_EXCHANGE, "self-file PATH",
	  "Our private keys: NAME.self beside it, sealed under the keystore's KEK\nPath\n", set_text, get_text,
	  GW(exchange_self) },
	{ CONF_EXCHANGE, "listen HOST:PORT",
	  "Where partners bring packages, by mutual TLS; without it they come as files\nAddress and port\n",
	  config_set_listen, config_get_listen },
	{ CONF_EXCHANGE, "package-dir PATH",
	  "Packages in and out are kept here (in/, out/), mode 0700\nPath, on the disk of state-dir\n", set_text,
	  get_text, GW(desk.dir) },
	{ CONF_EXCHANGE, "package-life DURATION", "How long a package that we send is good\nTime, 90d\n",
	  config_set_life, config_get_life },
	{ CONF_EXCHANGE, "cntr-margin <1-100000>",
	  "3a: added to the counter that is handed over, for what is still under way\nNumber, 64\n", set_number,
	  get_number, GW(desk.cntr_margin), 1, 100000 },
	{ CONF_EXCHANGE, "arm-fresh DURATION",
	  "A card is armed only when it was heard so lately; else it is asked first\nTime, 10m\n", set_time, get_time,
	  GW(desk.arm_fresh_ms), 100, 365 * DAY_MS },
	{ CONF_EXCHANGE, "grace DURATION",
	  "After the new operator's confirmation the old IMSI stays in our HLR so long\nTime, 0s\n", set_time, get_time,
	  GW(desk.grace_ms), 0, 3650 * DAY_MS },
	{ CONF_EXCHANGE, "low-water <1-65534>", "Pairs left in a card below which an alarm is raised\nNumber, 1\n",
	  set_number, get_number, GW(desk.low_water), 1, 65534 },
	{ CONF_EXCHANGE, "work-profile NAME", "Card profile of the subscription application\nm2m-sub\n", set_text,
	  get_text, GW(desk.work_profile) },

	{ CONF_PARTNER, "party-file PATH", "Its party file, compared by telephone (otactl party show)\nPath\n",
	  set_text, get_text, PARTNER(party_file) },
	{ CONF_PARTNER, "url URL", "Where it takes packages; without it they are fetched as files\nhttps://HOST:PORT\n",
	  config_set_url, config_get_url },
	{ CONF_PARTNER, "may-be (a|b|vault|subscriber)",
	  "What it may be in an order; more than one line may stand\nThe operator that has the cards\nThe one that "
	  "gets "
	  "them\nThe keeper of pairs\nWho orders\n",
	  config_set_may_be, get_nothing },
	{ CONF_PARTNER, "network .NETWORKS",
	  "IMSIs that it may give must be of these; more than one line may stand\nMCCMNC MCCMNC ...\n",
	  config_set_network, get_nothing },

	{ CONF_POOL, "imsi-range FROM TO", "IMSIs that we give to cards that come\nThe first\nThe last\n",
	  config_set_imsi_range, config_get_imsi_range },
	{ CONF_POOL, "msisdn-bridge DIGITS",
	  "MSISDNs of cards whose own is still another subscriber's at our HLR\nIts last zeros become the last digits "
	  "of the IMSI\n",
	  config_set_msisdn_bridge, get_text, GW(desk.pool.msisdn_bridge) },
	{ CONF_POOL, "msisdn-from DIGITS", "and MSISDNs, counted up with them\nThe first\n", config_set_msisdn_from,
	  get_text, GW(desk.pool.msisdn_from) },
	{ CONF_POOL, "plmns .NETWORKS",
	  "Networks in which a card that comes knows that it has arrived\nMCCMNC MCCMNC ...\n", config_set_plmns,
	  config_get_plmns },
	{ CONF_POOL, "file FILE",
	  "Contents of a file of a card that comes; more than one line may stand\nFID:hex or DF/FID:hex\n",
	  config_set_file, get_nothing },
	{ CONF_POOL, "trial DURATION",
	  "Powered time after which a card that did not arrive goes back\nTime; the card's own, 24h\n",
	  config_set_trial, config_get_trial },

	{ CONF_HLR, "osmo HOST:PORT", "OsmoHLR by its CTRL interface\nAddress and port, 127.0.0.1:4259\n",
	  config_set_osmo, config_get_osmo },
	{ CONF_HLR, "sqn-database PATH",
	  "Set SQN of cards that come in OsmoHLR's database; without it they ask for it themselves (AUTS)\nIts SQLite "
	  "file, on this machine\n",
	  set_text, get_text, GW(sqn_database) },
	{ CONF_HLR, "template PATH",
	  "Any other register, by a program of ours\nTemplate file (contrib/doc/hlr-template.md)\n", set_text, get_text,
	  GW(hlr_template) },
	{ CONF_HLR, "poll DURATION", "How often a subscriber that is awaited is looked up\nTime, 5s\n", set_time,
	  get_time, GW(desk.hlr_poll_ms), 50, HOUR_MS },

	{ CONF_CTRL, "bind A.B.C.D", "Where programs ask and are told (GET, SET, TRAP); loopback alone\n127.0.0.1\n",
	  config_set_ctrl, config_get_ctrl },
	{ CONF_CTRL, "bind A.B.C.D <0-65535>",
	  "Where programs ask and are told (GET, SET, TRAP); loopback alone\n127.0.0.1\nPort, 4280; 0: any, the log "
	  "says which\n",
	  config_set_ctrl, get_nothing },
};
const size_t config_settings = ARRAY_SIZE(config_setting);

/* ----------------------------------------------------------------------------------------------- explain */

static const char *const top_words[] = { "otagw",    "keystore", "smsc-link", "route", "retry",
					 "exchange", "partner",	 "pool",      "hlr",   "ctrl" };

size_t config_keyword(const char *syntax, char *out, size_t cap)
{
	size_t n = strcspn(syntax, " ");

	if (n >= cap)
		n = cap - 1;
	memcpy(out, syntax, n);
	out[n] = 0;
	return n;
}

size_t config_keywords(enum config_node node, const char **out, size_t cap)
{
	static char words[64][24];
	size_t n = 0;

	if (node == CONF_TOP) {
		for (; n < ARRAY_SIZE(top_words) && n < cap; n++)
			out[n] = top_words[n];
		return n;
	}
	for (size_t i = 0; i < config_settings && n < cap && n < ARRAY_SIZE(words); i++) {
		if (config_setting[i].node != node)
			continue;
		config_keyword(config_setting[i].syntax, words[n], sizeof(words[n]));
		out[n] = words[n];
		n++;
	}
	return n;
}

size_t config_words(const char *line, char words[CONFIG_WORDS_MAX][64])
{
	size_t n = 0;

	while (n < CONFIG_WORDS_MAX) {
		size_t len;

		line += strspn(line, " \t\r\n");
		len = strcspn(line, " \t\r\n");
		if (!len)
			break;
		snprintf(words[n++], 64, "%.*s", (int)(len < 63 ? len : 63), line);
		line += len;
	}
	return n;
}

/* The keyword is right, the rest is not. */
static void explain_rest(const struct config_setting *s, char words[CONFIG_WORDS_MAX][64], size_t n, char *why,
			 size_t cap)
{
	char form[CONFIG_WORDS_MAX][64];
	const char *args[CONFIG_ARGS_MAX] = { "", "", "", "" };
	struct otagw_config *scratch;
	size_t want = config_words(s->syntax, form) - 1;
	int argc = 0;

	if (s->node == CONF_ROUTE && n < 2) {
		snprintf(why, cap, "\"%s\" wants more: %s", words[0],
			 s->set == config_set_via ?
				 "via LINK LINK ..., in the order of fail-over, + between two that share" :
				 "match imsi-prefix DIGITS, msisdn-prefix DIGITS, profile NAME, or all");
		return;
	}
	if (n - 1 < want) {
		snprintf(why, cap, "\"%s\" wants more: %s", words[0], s->syntax);
		return;
	}
	if (n - 1 > want) {
		snprintf(why, cap, "unexpected \"%s\" at the end; the line is: %s", words[want + 1], s->syntax);
		return;
	}
	/* what libosmovty would hand over: the words that stand for something */
	for (size_t i = 1; i <= want && argc < CONFIG_ARGS_MAX; i++) {
		if (islower((unsigned char)form[i][0])) {
			if (strcmp(form[i], words[i])) {
				snprintf(why, cap, "\"%s\" stands where \"%s\" belongs (the line is: %s)", words[i],
					 form[i], s->syntax);
				return;
			}
			continue;
		}
		args[argc++] = words[i];
	}
	/* let the setter say it */
	scratch = calloc(1, sizeof(*scratch));
	*why = 0;
	if (scratch && s->set(s, scratch, args, argc, why, cap) == 0)
		*why = 0;
	if (scratch)
		ks_wipe(scratch, sizeof(*scratch)); /* a password may have been read */
	free(scratch);
	if (!*why)
		snprintf(why, cap, "the line is: %s", s->syntax);
}

static int node_of_word(const char *word, enum config_node *node)
{
	const char *list[64];

	for (int k = CONF_TOP; k < _CONF_NODES; k++) {
		size_t n = config_keywords((enum config_node)k, list, ARRAY_SIZE(list));

		for (size_t i = 0; i < n; i++) {
			if (!strcmp(list[i], word)) {
				*node = (enum config_node)k;
				return 0;
			}
		}
	}
	return -1;
}

void config_explain(enum config_node node, const char *line, char *why, size_t cap)
{
	static const char *const node_name[_CONF_NODES] = { "the top",	  "otagw", "keystore", "smsc-link NAME",
							    "route NAME", "retry", "exchange", "partner NAME",
							    "pool",	  "hlr",   "ctrl" };
	char words[CONFIG_WORDS_MAX][64] = { "" }, form[CONFIG_WORDS_MAX][64];
	const char *list[64], *near;
	size_t n = config_words(line, words), n_list;
	enum config_node other;

	for (size_t i = 0; i < config_settings; i++) {
		char key[24];

		config_keyword(config_setting[i].syntax, key, sizeof(key));
		if (config_setting[i].node == node && !strcmp(key, words[0])) {
			/* of two forms the longer one when the line has more words than the shorter */
			if (i + 1 < config_settings && !strncmp(config_setting[i + 1].syntax, key, strlen(key)) &&
			    config_setting[i + 1].node == node && n > config_words(config_setting[i].syntax, form))
				i++;
			explain_rest(&config_setting[i], words, n, why, cap);
			return;
		}
	}
	if (node == CONF_TOP &&
	    (!strcmp(words[0], "smsc-link") || !strcmp(words[0], "route") || !strcmp(words[0], "partner"))) {
		snprintf(why, cap, "the line is: %s NAME", words[0]);
		return;
	}
	n_list = config_keywords(node, list, ARRAY_SIZE(list));
	near = nearest_word(words[0], list, n_list);
	if (near)
		snprintf(why, cap, "unknown word \"%s\"; did you mean \"%s\"?", words[0], near);
	else if (!node_of_word(words[0], &other) && other != node)
		snprintf(why, cap, "\"%s\" does not belong here (%s) but under %s; is the indentation right?", words[0],
			 node_name[node], node_name[other]);
	else
		snprintf(why, cap, "unknown word \"%s\" under %s", words[0], node_name[node]);
}

/* ------------------------------------------------------------------------------------------------- check */

int config_check(struct otagw_config *c, char *why, size_t cap)
{
	/* a vault and a viewer send nothing */
	const bool sends = !c->desk.roles || c->desk.roles & (DESK_MNO | DESK_AGENT);
	const struct {
		bool missing;
		const char *what, *node;
	} need[] = {
		{ !*c->state_dir, "state-dir PATH", "otagw" },
		{ !*c->profile_dir, "profile-dir PATH", "otagw" },
		{ sends && !*c->gw.src.digits, "source-address DIGITS", "otagw" },
		{ !*c->kek_path, "kek file PATH", "keystore" },
		{ sends && !c->n_links, "smsc-link NAME", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(need); i++) {
		if (need[i].missing) {
			snprintf(why, cap, "there is no \"%s\": add it%s%s", need[i].what,
				 need[i].node ? " under " : "", need[i].node ? need[i].node : "");
			return -1;
		}
	}
	if (!*c->mark_file &&
	    snprintf(c->mark_file, sizeof(c->mark_file), "%s.mark", c->state_dir) >= (int)sizeof(c->mark_file)) {
		snprintf(why, cap, "state-dir is too long");
		return -1;
	}
	if (config_flavours(c, why, cap))
		return -1;
	for (unsigned i = 0; i < c->n_links; i++) {
		if (config_check_link(&c->link[i], why, cap))
			return -1;
	}
	if (config_routes_check(c, why, cap) || config_exchange_check(c, why, cap))
		return -1;
	if (c->gw.retry.max_ms < c->gw.retry.first_ms) {
		snprintf(why, cap, "retry: max is shorter than first");
		return -1;
	}
	c->gw.pid = c->link[0].pid;
	c->gw.dcs = c->link[0].dcs;
	c->gw.n_links = c->n_links;
	return 0;
}

void config_default(struct otagw_config *c)
{
	memset(c, 0, sizeof(*c));
	memcpy(c->api_socket, "/run/otagw/api.sock", sizeof("/run/otagw/api.sock"));
	c->log_level = 5;
	c->story_days = STORY_DAYS;
	gw_cfg_default(&c->gw);
	c->desk.arm_fresh_ms = 10 * MINUTE_MS;
	c->desk.hlr_poll_ms = 5 * SECOND_MS;
	c->desk.cntr_margin = 64;
	c->desk.package_life_s = 90 * DAY_MS / SECOND_MS;
	c->desk.low_water = 1;
	memcpy(c->desk.work_profile, "m2m-sub", sizeof("m2m-sub"));
	link_now = 0;
	config_route_at(0);
	config_partner_at(0);
	memcpy(c->vty_ip, "127.0.0.1", sizeof("127.0.0.1"));
	memcpy(c->ctrl_ip, "127.0.0.1", sizeof("127.0.0.1"));
	c->vty_port = CONFIG_VTY_PORT;
	c->ctrl_port = CONFIG_CTRL_PORT;
}

void config_wipe(struct otagw_config *c)
{
	for (unsigned i = 0; i < c->n_links; i++)
		ks_wipe(c->link[i].password, sizeof(c->link[i].password));
}
