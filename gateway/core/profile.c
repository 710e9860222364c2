/* profile.c - reads a card profile and refuses one that could harm: contrib/cfg/profiles/README.md is its manual.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Lines in the manner of Osmocom's configuration: one word per setting, depth by indentation, "!" or "#" begins a
 * comment.  The text is read once, front to back; every message names its line, because the reader of it is a person
 * with an editor open.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ota/nearest.h"
#include "profile.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define LINE_MAX_OCTETS 512
#define LINE_WORDS_MAX	(8 + PROFILE_BYTES_MAX) /* hex octets may stand apart */
#define FPLMN_MIN	12			/* TS 31.102, 4.2.16: at least four entries of three octets */

/* ------------------------------------------------------------------------------------------------ words */

static const char *const value_names[] = {
	[VALUE_HEX] = "hex",
	[VALUE_IMSI] = "imsi",
	[VALUE_ACC] = "acc",
	[VALUE_LOCI_DELETED] = "loci-deleted",
	[VALUE_PSLOCI_DELETED] = "psloci-deleted",
	[VALUE_EPSLOCI_DELETED] = "epsloci-deleted",
	[VALUE_KEYS_DELETED] = "keys-deleted",
};

/* Which file a coding belongs to (TS 31.102, 4.2; 6f53 is EF_LOCIGPRS of TS 51.011): a slip here would brick nothing
 * but strand a card without its location data. */
static const struct {
	uint8_t value;
	uint16_t fid;
} value_files[] = {
	{ VALUE_IMSI, USIM_FID_IMSI },	       { VALUE_ACC, USIM_FID_ACC },
	{ VALUE_LOCI_DELETED, USIM_FID_LOCI }, { VALUE_PSLOCI_DELETED, USIM_FID_PSLOCI },
	{ VALUE_PSLOCI_DELETED, 0x6f53 },      { VALUE_EPSLOCI_DELETED, USIM_FID_EPSLOCI },
	{ VALUE_KEYS_DELETED, USIM_FID_KEYS }, { VALUE_KEYS_DELETED, USIM_FID_KEYSPS },
};

/* Classes a status word may have on a card: those that say something about the card. */
static const char *const sw_classes[] = { "OK", "BUSY", "MEM", "CARD-TRANSIENT", "CARD-PERM", "CONFIG" };

/* ------------------------------------------------------------------------------------------------ a line */

enum setting {
	SET_TAR,
	SET_SPI,
	SET_KVN,
	SET_CLA,
	SET_FORMAT,
	SET_CONCAT,
	SET_SEGMENTS_MAX,
	SET_REFRESH,
	SET_DELETED_LAC,
	SET_DESCRIPTION,
	SET_COUNTER,
	SET_APPLICATION,
	SET_OPC,
	SET_SCRIPT,
	_SETTINGS
};

struct parser {
	struct profile *p;
	unsigned line;
	char text[LINE_MAX_OCTETS]; /* the line, cut into words */
	char *word[LINE_WORDS_MAX];
	unsigned words;
	unsigned indent;
	const char *rest; /* the line after its first word, uncut */
	char rest_text[LINE_MAX_OCTETS];
	unsigned named_line; /* of "card-profile" */
	unsigned set_line[_SETTINGS];
	unsigned step_line[PROFILE_STEPS_MAX];
	bool in_script, counter_exact;
	unsigned script_indent;
	char *err;
	size_t err_cap;
};

static int fail_at(struct parser *ps, unsigned line, const char *fmt, va_list ap)
{
	int n = snprintf(ps->err, ps->err_cap, "line %u: ", line);

	if (n > 0 && (size_t)n < ps->err_cap)
		vsnprintf(ps->err + n, ps->err_cap - (size_t)n, fmt, ap);
	return -1;
}

__attribute__((format(printf, 2, 3))) static int fail(struct parser *ps, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_at(ps, ps->line, fmt, ap);
	va_end(ap);
	return -1;
}

__attribute__((format(printf, 3, 4))) static int fail_line(struct parser *ps, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_at(ps, line, fmt, ap);
	va_end(ap);
	return -1;
}

/* "unknown word 'updat'; did you mean 'update'?", or the whole choice when nothing is near. */
static int fail_word(struct parser *ps, const char *what, const char *word, const char *const *words, size_t n)
{
	const char *near = nearest_word(word, words, n);
	char choice[200];
	size_t len = 0;

	if (near)
		return fail(ps, "unknown %s '%.40s'; did you mean '%s'?", what, word, near);
	choice[0] = '\0';
	for (size_t i = 0; i < n && len < sizeof(choice); i++)
		len += (size_t)snprintf(choice + len, sizeof(choice) - len, "%s%s", i ? ", " : "", words[i]);
	return fail(ps, "unknown %s '%.40s'; one of: %s", what, word, choice);
}

static int split_line(struct parser *ps, const char *line, size_t len)
{
	char *p;

	if (len >= sizeof(ps->text))
		return fail(ps, "longer than %d octets", LINE_MAX_OCTETS - 1);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' && line[i] != '\t' && !(line[i] == '\r' && i + 1 == len))
			return fail(ps, "control character 0x%02x", (unsigned char)line[i]);
	if (len && line[len - 1] == '\r')
		len--;
	memcpy(ps->text, line, len);
	ps->text[len] = '\0';
	memcpy(ps->rest_text, ps->text, len + 1);
	ps->indent = (unsigned)strspn(ps->text, " \t");
	ps->words = 0;
	ps->rest = "";
	for (p = ps->text + ps->indent; *p;) {
		size_t n = strcspn(p, " \t");
		size_t gap = strspn(p + n, " \t");

		if (ps->words == 0 && (*p == '!' || *p == '#'))
			return 0;
		if (ps->words == LINE_WORDS_MAX)
			return fail(ps, "more than %d words", LINE_WORDS_MAX);
		if (ps->words == 0)
			ps->rest = ps->rest_text + (p - ps->text) + n + gap;
		ps->word[ps->words++] = p;
		p += n;
		if (*p)
			*p++ = '\0';
		p += gap ? gap - 1 : 0;
	}
	return 0;
}

static int want_words(struct parser *ps, unsigned n, const char *usage)
{
	if (ps->words == n)
		return 0;
	return fail(ps, "'%.40s' is written '%s'", ps->word[0], usage);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Exactly 2 * n hex digits. */
static bool hex_octets(uint8_t *out, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++) {
		int hi = hex_digit(s[2 * i]);
		int lo = hi < 0 ? -1 : hex_digit(s[2 * i + 1]);

		if (lo < 0)
			return false;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return s[2 * n] == '\0';
}

/* A decimal number in lo..hi, or -1. */
static int number(const char *s, int lo, int hi)
{
	int v = 0;

	if (!*s || strlen(s) > 5)
		return -1;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -1;
		v = v * 10 + (*s - '0');
	}
	return v >= lo && v <= hi ? v : -1;
}

/* ------------------------------------------------------------------------------------------------ settings */

static int set_tar(struct parser *ps)
{
	if (want_words(ps, 2, "tar b00011"))
		return -1;
	if (!hex_octets(ps->p->tar, 3, ps->word[1]))
		return fail(ps, "TAR '%.40s' is not six hex digits, as in 'tar b00011'", ps->word[1]);
	return 0;
}

/* Rule 2 of retries needs the card to check the counter; evidence needs a PoR that nobody else can have made. */
static int set_spi(struct parser *ps)
{
	uint8_t *spi = ps->p->spi;

	if (want_words(ps, 3, "spi 16 39"))
		return -1;
	if (!hex_octets(&spi[0], 1, ps->word[1]) || !hex_octets(&spi[1], 1, ps->word[2]))
		return fail(ps, "SPI '%.10s %.10s' is not two octets in hex, as in 'spi 16 39'", ps->word[1],
			    ps->word[2]);
	if (spi[0] & 0xe0 || spi[1] & 0xc0)
		return fail(ps, "spi %02x %02x sets reserved bits (TS 102 225, 5.1.1)", spi[0], spi[1]);
	if (OTA_SPI1_INTEGRITY(spi[0]) != 2)
		return fail(ps, "spi %02x %02x asks for no cryptographic checksum: the card would obey anybody; use 16",
			    spi[0], spi[1]);
	if (!OTA_SPI1_CIPHERED(spi[0]))
		return fail(ps, "spi %02x %02x does not cipher: the new IMSI would travel in clear; use 16", spi[0],
			    spi[1]);
	if (OTA_SPI1_COUNTER(spi[0]) < 2)
		return fail(ps,
			    "spi %02x %02x does not make the card check the counter: a retry could run twice; use 16",
			    spi[0], spi[1]);
	if (OTA_SPI2_POR(spi[1]) != 1)
		return fail(ps,
			    "spi %02x %02x does not ask for a PoR in every case: success could not be proven; use 39",
			    spi[0], spi[1]);
	if (OTA_SPI2_INTEGRITY(spi[1]) != 2)
		return fail(ps, "spi %02x %02x asks for a PoR without checksum: anybody could send one; use 39", spi[0],
			    spi[1]);
	return 0;
}

static int set_kvn(struct parser *ps)
{
	int v;

	if (want_words(ps, 2, "kvn 1"))
		return -1;
	v = number(ps->word[1], 1, 15);
	if (v < 0)
		return fail(ps, "key version '%.40s' is not a number from 1 to 15", ps->word[1]);
	ps->p->kvn = (uint8_t)v;
	return 0;
}

static int set_cla(struct parser *ps)
{
	if (want_words(ps, 2, "cla 00"))
		return -1;
	if (!hex_octets(&ps->p->cla, 1, ps->word[1]) || (ps->p->cla != 0x00 && ps->p->cla != 0xa0))
		return fail(ps, "class '%.40s' is neither 00 (UICC) nor a0 (2G SIM)", ps->word[1]);
	return 0;
}

/* A target application takes one format or the other; many cards bind it to the TAR (TS 102 226, 5). */
static int set_format(struct parser *ps)
{
	const char *words[OTA_FORMAT_UNKNOWN];

	if (want_words(ps, 2, "format compact"))
		return -1;
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		words[i] = ota_format_name((enum ota_format)i);
		if (!strcmp(ps->word[1], words[i])) {
			ps->p->format = (uint8_t)i;
			return 0;
		}
	}
	return fail_word(ps, "format", ps->word[1], words, ARRAY_SIZE(words));
}

static int set_concat(struct parser *ps)
{
	static const char *const words[] = { "udh8", "udh16" };

	if (want_words(ps, 2, "concat udh8"))
		return -1;
	if (!strcmp(ps->word[1], words[0]))
		ps->p->concat = OTA_CONCAT_UDH8;
	else if (!strcmp(ps->word[1], words[1]))
		ps->p->concat = OTA_CONCAT_UDH16;
	else
		return fail_word(ps, "concatenation", ps->word[1], words, ARRAY_SIZE(words));
	return 0;
}

static int set_segments_max(struct parser *ps)
{
	int v;

	if (want_words(ps, 2, "segments-max 4"))
		return -1;
	v = number(ps->word[1], 1, OTA_SEGMENTS_MAX);
	if (v < 0)
		return fail(ps, "'%.40s' is not a number of short messages from 1 to %d", ps->word[1],
			    OTA_SEGMENTS_MAX);
	ps->p->segments_max = (uint8_t)v;
	return 0;
}

static int set_refresh(struct parser *ps)
{
	static const char *const words[] = { [REFRESH_CARD] = "card", [REFRESH_POWER_CYCLE] = "power-cycle" };

	if (want_words(ps, 2, "refresh card"))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(ps->word[1], words[i])) {
			ps->p->refresh = (uint8_t)i;
			return 0;
		}
	return fail_word(ps, "way to refresh", ps->word[1], words, ARRAY_SIZE(words));
}

static int set_deleted_lac(struct parser *ps)
{
	uint8_t lac[2];

	if (want_words(ps, 2, "deleted-lac fffe"))
		return -1;
	if (hex_octets(lac, 2, ps->word[1]))
		ps->p->deleted_lac = (uint16_t)(lac[0] << 8 | lac[1]);
	/* TS 24.008, 10.5.1.3: these two stand for a deleted LAI */
	if (!hex_octets(lac, 2, ps->word[1]) || (ps->p->deleted_lac != 0x0000 && ps->p->deleted_lac != 0xfffe))
		return fail(ps, "'%.40s' is no deleted LAC: 0000 or fffe", ps->word[1]);
	return 0;
}

static int set_description(struct parser *ps)
{
	if (!*ps->rest)
		return fail(ps, "'description' is written 'description TEXT'");
	if (strlen(ps->rest) >= sizeof(ps->p->description))
		return fail(ps, "description longer than %zu octets", sizeof(ps->p->description) - 1);
	memcpy(ps->p->description, ps->rest, strlen(ps->rest) + 1);
	return 0;
}

/* Mode 11 is for cards that accept nothing else, so it is said twice. */
static int set_counter(struct parser *ps)
{
	static const char *const words[] = { "higher", "exact" };

	if (want_words(ps, 2, "counter higher"))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(ps->word[1], words[i])) {
			ps->counter_exact = i == 1;
			return 0;
		}
	return fail_word(ps, "way to count", ps->word[1], words, ARRAY_SIZE(words));
}

/* The subscription application (contrib/doc/card-interface.md) has commands of its own: what is done to a card comes from its order. */
static int set_application(struct parser *ps)
{
	static const char *const words[] = { "subscription" };

	if (want_words(ps, 2, "application subscription"))
		return -1;
	if (strcmp(ps->word[1], words[0]))
		return fail_word(ps, "application", ps->word[1], words, ARRAY_SIZE(words));
	ps->p->works = true;
	return 0;
}

/* "opc af20 at 17", "opc 3f00/7f20/af20 at 17": files of makers of their own, so that nobody can know whether it is right. */
static int set_opc(struct parser *ps)
{
	struct profile *p = ps->p;
	char *save = NULL;
	uint8_t fid[2];
	int at;

	if (want_words(ps, 4, "opc af20 at 17"))
		return -1;
	if (strcmp(ps->word[2], "at"))
		return fail(ps, "'opc' is written 'opc af20 at 17': a file below ADF.USIM, and where in it OPc begins");
	p->opc_fids = 0;
	for (char *w = strtok_r(ps->word[1], "/", &save); w; w = strtok_r(NULL, "/", &save)) {
		if (!hex_octets(fid, 2, w) || p->opc_fids == PROFILE_OPC_FIDS)
			return fail(ps,
				    "the path to OPc is 1 to %d file identifiers of four hex digits, as in '7f66/af20'",
				    PROFILE_OPC_FIDS);
		p->opc_fid[p->opc_fids++] = (uint16_t)(fid[0] << 8 | fid[1]);
	}
	at = number(ps->word[3], 0, 0x7fff);
	if (!p->opc_fids || at < 0)
		return fail(ps, "OPc begins at an octet from 0 to 32767, as in 'opc af20 at 17'");
	if (p->opc_fid[p->opc_fids - 1] == USIM_FID_IMSI)
		return fail(ps, "6f07 is EF_IMSI");
	p->opc_at = (uint16_t)at;
	return 0;
}

static int set_script(struct parser *ps)
{
	if (want_words(ps, 1, "script"))
		return -1;
	ps->in_script = true;
	ps->script_indent = ps->indent;
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct parser *ps);
	bool needed;
} settings[] = {
	[SET_TAR] = { "tar", set_tar, true },
	[SET_SPI] = { "spi", set_spi, true },
	[SET_KVN] = { "kvn", set_kvn, true },
	[SET_CLA] = { "cla", set_cla, false },
	[SET_FORMAT] = { "format", set_format, false },
	[SET_CONCAT] = { "concat", set_concat, false },
	[SET_SEGMENTS_MAX] = { "segments-max", set_segments_max, false },
	[SET_REFRESH] = { "refresh", set_refresh, true },
	[SET_DELETED_LAC] = { "deleted-lac", set_deleted_lac, false },
	[SET_DESCRIPTION] = { "description", set_description, false },
	[SET_COUNTER] = { "counter", set_counter, false },
	[SET_APPLICATION] = { "application", set_application, false },
	[SET_OPC] = { "opc", set_opc, false },
	[SET_SCRIPT] = { "script", set_script, true },
};
_Static_assert(ARRAY_SIZE(settings) == _SETTINGS, "every setting has its row");

/* "por 06 means cntr-low"; the last one of a status counts.  "ok" is not among the words: only status 00 is. */
static int set_por(struct parser *ps)
{
	const char *words[_POR_MEANINGS];
	size_t n = por_meaning_words(words, false);
	enum por_meaning m;
	uint8_t status;

	if (want_words(ps, 4, "por 06 means cntr-low") || strcmp(ps->word[2], "means"))
		return fail(ps, "'por' is written 'por 06 means cntr-low'");
	if (!hex_octets(&status, 1, ps->word[1]) || status == 0 || status >= PROFILE_POR_MAX)
		return fail(ps, "PoR status '%.40s' is not 01 to 0c (00 always means success)", ps->word[1]);
	if (!por_meaning_of(ps->word[3], &m) || m == POR_MEANS_OK)
		return fail_word(ps, "meaning", ps->word[3], words, n);
	ps->p->por_map[status] = (uint8_t)m;
	ps->p->por_line[status] = (uint16_t)ps->line;
	return 0;
}

/* "sw 6985 means CARD-TRANSIENT", "sw 62xx means CARD-PERM"; of several that fit the narrowest counts, of two alike the last. */
static int set_sw(struct parser *ps)
{
	struct profile *p = ps->p;
	enum fail_class cls;
	uint64_t lo, hi;
	bool known = false;

	if (want_words(ps, 4, "sw 6985 means CARD-TRANSIENT") || strcmp(ps->word[2], "means"))
		return fail(ps, "'sw' is written 'sw 6985 means CARD-TRANSIENT'");
	if (errtab_range_parse(ERRTAB_SW, ps->word[1], &lo, &hi))
		return fail(ps, "status word '%.40s' is not four hex digits, as in '6985' or '62xx'", ps->word[1]);
	for (size_t i = 0; i < ARRAY_SIZE(sw_classes); i++)
		known = known || !strcmp(ps->word[3], sw_classes[i]);
	if (!known || !errtab_class_of(ps->word[3], &cls))
		return fail_word(ps, "class", ps->word[3], sw_classes, ARRAY_SIZE(sw_classes));
	if (lo <= errtab_key(0x9000) && hi >= errtab_key(0x9000) && cls != FAIL_NONE)
		return fail(ps, "status word 9000 always means success");
	if (p->n_sw == PROFILE_SW_MAX)
		return fail(ps, "more than %d lines 'sw'", PROFILE_SW_MAX);
	p->sw[p->n_sw++] =
		(struct profile_sw){ (uint16_t)(lo >> 32), (uint16_t)(hi >> 32), (uint8_t)cls, (uint16_t)ps->line };
	return 0;
}

static int parse_setting(struct parser *ps)
{
	const char *words[_SETTINGS + 2];

	if (!strcmp(ps->word[0], "por"))
		return set_por(ps);
	if (!strcmp(ps->word[0], "sw"))
		return set_sw(ps);
	for (size_t i = 0; i < _SETTINGS; i++) {
		words[i] = settings[i].name;
		if (strcmp(ps->word[0], words[i]))
			continue;
		if (ps->set_line[i])
			return fail(ps, "'%s' stands on line %u already", words[i], ps->set_line[i]);
		ps->set_line[i] = ps->line;
		return settings[i].set(ps);
	}
	words[_SETTINGS] = "por";
	words[_SETTINGS + 1] = "sw";
	return fail_word(ps, "word", ps->word[0], words, ARRAY_SIZE(words));
}

/* ------------------------------------------------------------------------------------------------ the script */

static int parse_fid(struct parser *ps, uint16_t *fid)
{
	uint8_t b[2];

	if (!hex_octets(b, 2, ps->word[1]))
		return fail(ps, "file '%.40s' is not four hex digits, as in '6f07'", ps->word[1]);
	*fid = (uint16_t)(b[0] << 8 | b[1]);
	return 0;
}

/* hex ff ff ff.., in as many words as is readable */
static int parse_hex(struct parser *ps, struct profile_step *s, unsigned from)
{
	size_t len = 0;

	for (unsigned i = from; i < ps->words; i++) {
		size_t n = strlen(ps->word[i]) / 2;

		if (len + n > sizeof(s->bytes))
			return fail(ps, "more than %d octets", PROFILE_BYTES_MAX);
		if (!hex_octets(s->bytes + len, n, ps->word[i]))
			return fail(ps, "'%.40s' is not octets in hex", ps->word[i]);
		len += n;
	}
	if (len == 0)
		return fail(ps, "'hex' without octets");
	s->len = (uint8_t)len;
	return 0;
}

/* Whether this coding may stand in this file, and which one could instead. */
static int check_value_file(struct parser *ps, const struct profile_step *s)
{
	const char *proposed = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(value_files); i++) {
		if (value_files[i].fid != s->fid)
			continue;
		proposed = value_names[value_files[i].value];
		if (value_files[i].value == s->value)
			return 0;
	}
	if (proposed)
		return fail(ps, "'%s' is not the coding of %04x; did you mean '%s'?", value_names[s->value], s->fid,
			    proposed);
	return fail(ps, "'%s' is not the coding of %04x; give its octets with 'hex'", value_names[s->value], s->fid);
}

static int parse_value(struct parser *ps, struct profile_step *s, unsigned at)
{
	for (size_t i = 0; i < ARRAY_SIZE(value_names); i++) {
		if (strcmp(ps->word[at], value_names[i]))
			continue;
		s->value = (uint8_t)i;
		if (i != VALUE_HEX)
			return ps->words > at + 1 ? fail(ps, "'%.40s' after '%s'", ps->word[at + 1], value_names[i]) :
						    check_value_file(ps, s);
		if (s->fid == USIM_FID_IMSI)
			return fail(ps, "every card has its own IMSI: 'update 6f07 imsi'");
		if (parse_hex(ps, s, at + 1))
			return -1;
		if (s->fid == USIM_FID_FPLMN && (s->len < FPLMN_MIN || s->len % 3))
			return fail(ps, "EF_FPLMN holds three octets per network, at least %d in all, not %u",
				    FPLMN_MIN, s->len);
		return 0;
	}
	return fail_word(ps, "value", ps->word[at], value_names, ARRAY_SIZE(value_names));
}

static int step_select(struct parser *ps, struct profile_step *s)
{
	s->kind = STEP_SELECT;
	if (want_words(ps, 2, "select 7f20"))
		return -1;
	return parse_fid(ps, &s->fid);
}

static int step_update(struct parser *ps, struct profile_step *s)
{
	s->kind = STEP_UPDATE;
	if (ps->words < 3)
		return fail(ps, "'update' is written 'update 6f7b hex ffffff..' or 'update 6f07 imsi'");
	return parse_fid(ps, &s->fid) ? -1 : parse_value(ps, s, 2);
}

static int step_update_record(struct parser *ps, struct profile_step *s)
{
	int rec;

	s->kind = STEP_UPDATE_RECORD;
	if (ps->words < 5 || strcmp(ps->word[3], "hex"))
		return fail(ps, "'update-record' is written 'update-record 6f42 1 hex ff..'");
	rec = number(ps->word[2], 1, 254);
	if (rec < 0)
		return fail(ps, "record '%.40s' is not a number from 1 to 254", ps->word[2]);
	s->record = (uint8_t)rec;
	return parse_fid(ps, &s->fid) ? -1 : parse_value(ps, s, 3);
}

static int step_read(struct parser *ps, struct profile_step *s)
{
	int n;

	s->kind = STEP_READ;
	if (want_words(ps, 3, "read 6f07 9"))
		return -1;
	n = number(ps->word[2], 1, 255);
	if (n < 0)
		return fail(ps, "'%.40s' is not a number of octets from 1 to 255", ps->word[2]);
	s->len = (uint8_t)n;
	return parse_fid(ps, &s->fid);
}

static int parse_step(struct parser *ps)
{
	static const char *const words[] = { "select", "update", "update-record", "read" };
	static int (*const parse[])(struct parser *, struct profile_step *) = { step_select, step_update,
										step_update_record, step_read };
	struct profile *p = ps->p;

	if (p->n_steps == PROFILE_STEPS_MAX)
		return fail(ps, "more than %d steps", PROFILE_STEPS_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(ps->word[0], words[i])) {
			ps->step_line[p->n_steps] = ps->line;
			return parse[i](ps, &p->step[p->n_steps++]);
		}
	return fail_word(ps, "word", ps->word[0], words, ARRAY_SIZE(words));
}

/* ------------------------------------------------------------------------------------------------ lint */

/* The read-back proves the change only when nothing is written after IMSI; and only the last command's data come back
 * (TS 102 226, 5.1), so that there is one READ, at the end. */
static int check_steps(struct parser *ps)
{
	const struct profile *p = ps->p;
	int imsi = -1, last_write = -1;

	for (unsigned i = 0; i < p->n_steps; i++) {
		const struct profile_step *s = &p->step[i];

		if (s->kind == STEP_READ && i + 1 < p->n_steps)
			return fail_line(ps, ps->step_line[i],
					 "only the last command's data come back: 'read' must be the last step");
		if (s->kind == STEP_UPDATE && s->fid == USIM_FID_IMSI) {
			if (imsi >= 0)
				return fail_line(ps, ps->step_line[i], "EF_IMSI is written on line %u already",
						 ps->step_line[imsi]);
			imsi = (int)i;
		}
		if (s->kind == STEP_UPDATE || s->kind == STEP_UPDATE_RECORD)
			last_write = (int)i;
	}
	if (imsi < 0)
		return fail_line(ps, ps->set_line[SET_SCRIPT],
				 "the script never writes EF_IMSI: add 'update 6f07 imsi'");
	if (last_write != imsi)
		return fail_line(ps, ps->step_line[last_write],
				 "EF_IMSI must be the last file written: if the script breaks off before, the old "
				 "subscription still "
				 "works; move this above line %u",
				 ps->step_line[imsi]);
	if ((unsigned)imsi + 2 != p->n_steps || p->step[imsi + 1].kind != STEP_READ ||
	    p->step[imsi + 1].fid != USIM_FID_IMSI || p->step[imsi + 1].len != USIM_IMSI_LEN)
		return fail_line(ps, ps->step_line[imsi],
				 "the proof is missing: 'read 6f07 9' must follow as the last step");
	return 0;
}

/* What no card of this profile could take is said here, not at the thousandth dry run. */
static int check_size(struct parser *ps)
{
	static const uint8_t opc[PROFILE_OPC_LEN];
	const struct swap_values v = { .imsi = "999990123456789", .opc = ps->p->opc_fids ? opc : NULL };
	const struct keyset_row k = { .kvn = ps->p->kvn, .kic_alg = OTA_ALG_3DES2_CBC, .kid_alg = OTA_ALG_3DES2_CBC };
	int segments = 0, len = profile_packet_len(ps->p, &k, &v, &segments);

	if (len == OTA_E_SPACE)
		return fail_line(ps, ps->set_line[SET_SCRIPT], "the script is longer than %d octets", OTA_SCRIPT_MAX);
	if (len < 0)
		return fail_line(ps, ps->set_line[SET_SCRIPT], "the script cannot be packed: %s", ota_strerror(len));
	if (segments > ps->p->segments_max)
		return fail_line(ps, ps->set_line[SET_SCRIPT],
				 "the script takes %d short messages, segments-max allows %u", segments,
				 ps->p->segments_max);
	return 0;
}

/* What the application itself lays down: no files are written by us, and it asks for REFRESH by itself. */
static int check_works(struct parser *ps)
{
	if (ps->set_line[SET_SCRIPT])
		return fail_line(ps, ps->set_line[SET_SCRIPT],
				 "the subscription application has commands of its own: 'script' cannot stand beside "
				 "'application' on line %u",
				 ps->set_line[SET_APPLICATION]);
	if (ps->p->opc_fids)
		return fail_line(ps, ps->set_line[SET_OPC],
				 "the subscription application has a place for OPc of its own");
	if (ps->p->format != OTA_FORMAT_COMPACT || ps->p->cla)
		return fail_line(ps, ps->set_line[ps->p->cla ? SET_CLA : SET_FORMAT],
				 "the subscription application takes compact format and its own class alone");
	if (ps->counter_exact)
		return fail_line(ps, ps->set_line[SET_COUNTER],
				 "the subscription application counts in mode 10 (higher)");
	return 0;
}

static int check_complete(struct parser *ps)
{
	if (!ps->named_line)
		return fail(ps, "'card-profile NAME' is missing");
	for (size_t i = 0; i < _SETTINGS; i++)
		if (settings[i].needed && !ps->set_line[i] && !(ps->p->works && (i == SET_SCRIPT || i == SET_REFRESH)))
			return fail(ps, "the profile ends without '%s'", settings[i].name);
	if (OTA_SPI1_COUNTER(ps->p->spi[0]) == 3 && !ps->counter_exact)
		return fail_line(ps, ps->set_line[SET_SPI],
				 "spi %02x %02x demands a counter exactly one higher, so one lost message stalls the "
				 "card: use 16, or "
				 "say 'counter exact'",
				 ps->p->spi[0], ps->p->spi[1]);
	if (OTA_SPI1_COUNTER(ps->p->spi[0]) != 3 && ps->counter_exact)
		return fail_line(ps, ps->set_line[SET_COUNTER],
				 "'counter exact' goes with an spi in mode 11, such as 1e 39");
	if (ps->p->works)
		return check_works(ps);
	if (!ps->p->n_steps)
		return fail_line(ps, ps->set_line[SET_SCRIPT], "the script is empty");
	if (ps->p->opc_fids && ps->p->cla)
		return fail_line(ps, ps->set_line[SET_OPC], "a 2G SIM has no OPc");
	return check_steps(ps) ? -1 : check_size(ps);
}

/* ------------------------------------------------------------------------------------------------ the file */

static int parse_head(struct parser *ps)
{
	static const char *const words[] = { "card-profile" };
	const char *name;

	if (strcmp(ps->word[0], words[0]))
		return ps->named_line ? fail(ps, "'%.40s' must be indented below 'card-profile'", ps->word[0]) :
					fail_word(ps, "word", ps->word[0], words, 1);
	if (ps->named_line)
		return fail(ps, "one profile per file; the first began on line %u", ps->named_line);
	if (want_words(ps, 2, "card-profile NAME"))
		return -1;
	name = ps->word[1];
	if (strlen(name) >= PROFILE_NAME_MAX)
		return fail(ps, "the name is longer than %d octets", PROFILE_NAME_MAX - 1);
	if (strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") != strlen(name))
		return fail(ps, "the name '%s' has other characters than letters, digits, '.', '_' and '-'", name);
	memcpy(ps->p->name, name, strlen(name) + 1);
	ps->named_line = ps->line;
	return 0;
}

static int parse_line(struct parser *ps)
{
	if (ps->words == 0)
		return 0;
	if (ps->indent == 0)
		return parse_head(ps);
	if (!ps->named_line)
		return fail(ps, "'card-profile NAME' must stand first");
	if (ps->in_script && ps->indent > ps->script_indent)
		return parse_step(ps);
	return parse_setting(ps);
}

int profile_parse(struct profile *p, const struct errtab *errtab, const char *text, size_t len, char *err,
		  size_t err_cap)
{
	struct parser ps = { .p = p, .err = err, .err_cap = err_cap };
	const char *end = text + len;

	*p = (struct profile){ .concat = OTA_CONCAT_UDH8, .segments_max = 4, .deleted_lac = 0xfffe, .errtab = errtab };
	for (unsigned i = 0; i < PROFILE_POR_MAX; i++)
		p->por_map[i] = (uint8_t)errtab_por_meaning(errtab, (uint8_t)i);
	if (err_cap)
		err[0] = '\0';
	if (len >= PROFILE_TEXT_MAX) {
		ps.line = 1;
		return fail(&ps, "the profile is longer than %d octets", PROFILE_TEXT_MAX - 1);
	}
	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((nl ? nl : end) - text);

		ps.line++;
		if (split_line(&ps, text, n) || parse_line(&ps))
			return -1;
		text += n + (nl ? 1 : 0);
	}
	if (!ps.line)
		ps.line = 1;
	return check_complete(&ps);
}
