/* usim_file.c - which files there are, how long they may be, and what stands in them, in words.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ota/codec.h"

#include "codec_int.h"

#define ANY 255 /* octets of a transparent file one UPDATE BINARY can write, or of a record */

/* TS 31.102, 4.2 and 4.4.11; TS 31.103, 4.2; TS 51.011, 10.3; TS 102 221, 13. */
static const struct usim_file files[] = {
	/* df, fid, name, len_min, len_max, step, record, deletable */
	{ USIM_MF, USIM_FID_ICCID, "EF_ICCID", 10, 10, 1, false, false },
	{ USIM_ADF, USIM_FID_IMSI, "EF_IMSI", 9, 9, 1, false, false },
	{ USIM_ADF, USIM_FID_KEYS, "EF_Keys", 33, 33, 1, false, true },
	{ USIM_ADF, USIM_FID_KEYSPS, "EF_KeysPS", 33, 33, 1, false, true },
	{ USIM_ADF, USIM_FID_HPPLMN, "EF_HPPLMN", 1, 1, 1, false, false },
	{ USIM_ADF, USIM_FID_UST, "EF_UST", 1, ANY, 1, false, false },
	{ USIM_ADF, USIM_FID_GID1, "EF_GID1", 1, ANY, 1, false, true },
	{ USIM_ADF, USIM_FID_GID2, "EF_GID2", 1, ANY, 1, false, true },
	{ USIM_ADF, USIM_FID_MSISDN, "EF_MSISDN", 14, ANY, 1, true, false },
	{ USIM_ADF, USIM_FID_SMSP, "EF_SMSP", 28, ANY, 1, true, false },
	{ USIM_ADF, USIM_FID_SPN, "EF_SPN", 17, 17, 1, false, false },
	{ USIM_ADF, USIM_FID_START_HFN, "EF_START-HFN", 6, 6, 1, false, true },
	{ USIM_ADF, USIM_FID_THRESHOLD, "EF_THRESHOLD", 3, 3, 1, false, true },
	{ USIM_ADF, USIM_FID_PLMNWACT, "EF_PLMNwAcT", 5, ANY, 5, false, false },
	{ USIM_ADF, USIM_FID_OPLMNWACT, "EF_OPLMNwACT", 5, ANY, 5, false, false },
	{ USIM_ADF, USIM_FID_HPLMNWACT, "EF_HPLMNwAcT", 5, ANY, 5, false, false },
	{ USIM_ADF, USIM_FID_PSLOCI, "EF_PSLOCI", 14, 14, 1, false, true },
	{ USIM_ADF, USIM_FID_ACC, "EF_ACC", 2, 2, 1, false, false },
	{ USIM_ADF, USIM_FID_FPLMN, "EF_FPLMN", 3, ANY, 3, false, true },
	{ USIM_ADF, USIM_FID_LOCI, "EF_LOCI", 11, 11, 1, false, true },
	{ USIM_ADF, USIM_FID_AD, "EF_AD", 3, ANY, 1, false, false },
	{ USIM_ADF, USIM_FID_ECC, "EF_ECC", 4, ANY, 1, true, true },
	{ USIM_ADF, USIM_FID_NETPAR, "EF_NETPAR", 46, ANY, 1, false, true },
	{ USIM_ADF, USIM_FID_PNN, "EF_PNN", 3, ANY, 1, true, true },
	{ USIM_ADF, USIM_FID_OPL, "EF_OPL", 8, ANY, 1, true, true },
	{ USIM_ADF, USIM_FID_EHPLMN, "EF_EHPLMN", 3, ANY, 3, false, false },
	{ USIM_ADF, USIM_FID_EPSLOCI, "EF_EPSLOCI", 18, 18, 1, false, true },
	{ USIM_ADF, USIM_FID_EPSNSC, "EF_EPSNSC", 54, ANY, 1, true, true },
	{ USIM_DF_5GS, USIM_FID_5GS3GPPLOCI, "EF_5GS3GPPLOCI", 20, 20, 1, false, true },
	{ USIM_DF_5GS, USIM_FID_5GSN3GPPLOCI, "EF_5GSN3GPPLOCI", 20, 20, 1, false, true },
	{ USIM_DF_5GS, USIM_FID_5GS3GPPNSC, "EF_5GS3GPPNSC", 57, ANY, 1, true, true },
	{ USIM_DF_5GS, USIM_FID_5GSN3GPPNSC, "EF_5GSN3GPPNSC", 57, ANY, 1, true, true },
	{ USIM_DF_5GS, USIM_FID_5GAUTHKEYS, "EF_5GAUTHKEYS", 34, ANY, 1, false, true },
	{ USIM_DF_5GS, USIM_FID_SUCI_CALC_INFO, "EF_SUCI_Calc_Info", 2, ANY, 1, false, true },
	{ USIM_DF_5GS, USIM_FID_ROUTING_IND, "EF_Routing_Indicator", 4, 4, 1, false, false },
	{ USIM_ADF_ISIM, ISIM_FID_IMPI, "EF_IMPI", 2, ANY, 1, false, false },
	{ USIM_ADF_ISIM, ISIM_FID_DOMAIN, "EF_DOMAIN", 2, ANY, 1, false, false },
	{ USIM_ADF_ISIM, ISIM_FID_IMPU, "EF_IMPU", 2, ANY, 1, true, false },
	{ USIM_DF_GSM, USIM_FID_IMSI, "EF_IMSI", 9, 9, 1, false, false },
	{ USIM_DF_GSM, SIM_FID_KC, "EF_Kc", 9, 9, 1, false, true },
	{ USIM_DF_GSM, USIM_FID_HPPLMN, "EF_HPPLMN", 1, 1, 1, false, false },
	{ USIM_DF_GSM, USIM_FID_SPN, "EF_SPN", 17, 17, 1, false, false },
	{ USIM_DF_GSM, SIM_FID_KCGPRS, "EF_KcGPRS", 9, 9, 1, false, true },
	{ USIM_DF_GSM, SIM_FID_LOCIGPRS, "EF_LOCIGPRS", 14, 14, 1, false, true },
	{ USIM_DF_GSM, USIM_FID_PLMNWACT, "EF_PLMNwAcT", 5, ANY, 5, false, false },
	{ USIM_DF_GSM, USIM_FID_OPLMNWACT, "EF_OPLMNwACT", 5, ANY, 5, false, false },
	{ USIM_DF_GSM, USIM_FID_HPLMNWACT, "EF_HPLMNwAcT", 5, ANY, 5, false, false },
	{ USIM_DF_GSM, SIM_FID_BCCH, "EF_BCCH", 16, 16, 1, false, true },
	{ USIM_DF_GSM, USIM_FID_ACC, "EF_ACC", 2, 2, 1, false, false },
	{ USIM_DF_GSM, USIM_FID_FPLMN, "EF_FPLMN", 12, ANY, 3, false, true },
	{ USIM_DF_GSM, USIM_FID_LOCI, "EF_LOCI", 11, 11, 1, false, true },
	{ USIM_DF_GSM, USIM_FID_AD, "EF_AD", 3, ANY, 1, false, false },
};

const struct usim_file *usim_file_find(enum usim_df df, uint16_t fid)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (files[i].df == df && files[i].fid == fid)
			return &files[i];
	return NULL;
}

int usim_file_len_check(const struct usim_file *f, size_t len)
{
	return len < f->len_min || len > f->len_max || len % f->step ? OTA_E_LENGTH : 0;
}

/* Names for what a SELECT names, whatever the directory is. */
const char *usim_file_name(uint16_t fid)
{
	static const struct {
		uint16_t fid;
		const char *name;
	} others[] = {
		{ 0x2f00, "EF_DIR" },	     { 0x2f05, "EF_PL" },   { 0x2f06, "EF_ARR" },     { 0x3f00, "MF" },
		{ 0x5f3b, "DF_GSM-ACCESS" }, { 0x5fc0, "DF_5GS" },  { 0x6f05, "EF_LI" },      { 0x6f06, "EF_ARR" },
		{ 0x6f3c, "EF_SMS" },	     { 0x6f43, "EF_SMSS" }, { 0x7f10, "DF_TELECOM" }, { 0x7f20, "DF_GSM" },
		{ 0x7fff, "ADF_USIM" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (files[i].fid == fid)
			return files[i].name;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (others[i].fid == fid)
			return others[i].name;
	return NULL;
}

/* ------------------------------------------------------------------------------------------------ in words */

/* Text that grows in a buffer and is cut off where it ends. */
struct text {
	char *p;
	size_t cap, len;
};

__attribute__((format(printf, 2, 3))) static void say(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->p + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < t->cap - t->len) {
		t->len += (size_t)n;
	} else if (n > 0) {
		t->len = t->cap - 1;
		/* names are UTF-8: nothing but whole characters */
		while (t->len && ((uint8_t)t->p[t->len - 1] & 0xc0) == 0x80)
			t->len--;
		if (t->len && (uint8_t)t->p[t->len - 1] >= 0xc0)
			t->len--;
		t->p[t->len] = '\0';
		t->cap = t->len + 1;
	}
}

static void say_plmn(struct text *t, const uint8_t plmn[3])
{
	char mcc[4], mnc[4];

	if (plmn[0] == 0xff && plmn[1] == 0xff && plmn[2] == 0xff)
		say(t, "no PLMN");
	else if (usim_plmn_decode(mcc, mnc, plmn))
		say(t, "PLMN %02X%02X%02X (malformed)", plmn[0], plmn[1], plmn[2]);
	else
		say(t, "PLMN %s-%s", mcc, mnc);
}

static void say_status(struct text *t, uint8_t status)
{
	static const char *const names[] = { "updated", "not updated", "PLMN not allowed", "area not allowed" };

	say(t, ", %s", names[status & 3]);
}

static int say_imsi(struct text *t, const uint8_t *ef, size_t len)
{
	char imsi[16];
	int rc = usim_imsi_decode(imsi, ef, len);

	say(t, "IMSI %s", imsi);
	return rc;
}

static int say_iccid(struct text *t, const uint8_t *ef, size_t len)
{
	char iccid[21];
	int rc = usim_iccid_decode(iccid, ef, len);

	say(t, "ICCID %s%s", iccid, rc || ota_luhn_ok(iccid) ? "" : ", check digit wrong");
	return rc;
}

static int say_loci(struct text *t, const uint8_t *ef, size_t len)
{
	struct usim_loci l;
	int rc = usim_loci_decode(&l, ef, len);

	say_plmn(t, l.plmn);
	say(t, ", LAC %04X, TMSI %02X%02X%02X%02X", l.lac, l.tmsi[0], l.tmsi[1], l.tmsi[2], l.tmsi[3]);
	say_status(t, l.status);
	return rc;
}

static int say_psloci(struct text *t, const uint8_t *ef, size_t len)
{
	struct usim_psloci l;
	int rc = usim_psloci_decode(&l, ef, len);

	say_plmn(t, l.plmn);
	say(t, ", LAC %04X, RAC %02X", l.lac, l.rac);
	say_status(t, l.status);
	return rc;
}

static int say_epsloci(struct text *t, const uint8_t *ef, size_t len)
{
	struct usim_epsloci l;
	int rc = usim_epsloci_decode(&l, ef, len);

	say_plmn(t, l.plmn);
	say(t, ", TAC %04X", l.tac);
	say_status(t, l.status);
	return rc;
}

static int say_5gsloci(struct text *t, const uint8_t *ef, size_t len)
{
	struct usim_5gsloci l;
	int rc = usim_5gsloci_decode(&l, ef, len);

	say_plmn(t, l.plmn);
	say(t, ", TAC %06X", (unsigned)l.tac);
	say_status(t, l.status);
	return rc;
}

/* Keys are nobody's business: only whether there are any. */
static int say_keys(struct text *t, const uint8_t *ef, size_t len)
{
	struct usim_keys k;
	int rc = usim_keys_decode(&k, ef, len);

	say(t, k.ksi == 7 ? "no keys" : "keys, KSI %u", k.ksi);
	return rc;
}

static int say_kc(struct text *t, const uint8_t *ef, size_t len)
{
	struct usim_kc k;
	int rc = usim_kc_decode(&k, ef, len);

	say(t, k.cksn == 7 ? "no key" : "key, CKSN %u", k.cksn);
	return rc;
}

static int say_list(struct text *t, const uint8_t *ef, size_t len, bool act)
{
	struct usim_plmn list[ANY / 3];
	int n = usim_plmn_list_decode(list, ARRAY_SIZE(list), act, ef, len);

	for (int i = 0; i < n; i++) {
		say(t, i ? ", " : "");
		if (!list[i].mcc[0])
			say(t, "-");
		else if (act)
			say(t, "%s-%s (%04X)", list[i].mcc, list[i].mnc, list[i].act);
		else
			say(t, "%s-%s", list[i].mcc, list[i].mnc);
	}
	return n < 0 ? n : 0;
}

static int say_acc(struct text *t, const uint8_t *ef, size_t len)
{
	uint16_t classes;
	int rc = usim_acc_decode(&classes, ef, len);

	say(t, "access classes");
	for (unsigned i = 0; i < 16; i++)
		if (classes >> i & 1)
			say(t, " %u", i);
	return rc;
}

static int say_ad(struct text *t, const uint8_t *ef, size_t len)
{
	struct usim_ad ad;
	int rc = usim_ad_decode(&ad, ef, len);

	say(t, "mode %02X, MNC of %u digits", ad.mode, ad.mnc_len);
	return rc;
}

static void say_addr(struct text *t, const char *what, const struct ota_addr *a)
{
	say(t, ", %s %s%s", what, a->ton == 1 ? "+" : "", a->digits);
}

static int say_smsp(struct text *t, const uint8_t *ef, size_t len)
{
	struct usim_smsp s;
	int rc = usim_smsp_decode(&s, ef, len);

	say(t, "SMS parameters");
	if (s.has_da)
		say_addr(t, "to", &s.da);
	if (s.has_sca)
		say_addr(t, "service centre", &s.sca);
	if (s.has_pid)
		say(t, ", PID %02X", s.pid);
	if (s.has_dcs)
		say(t, ", DCS %02X", s.dcs);
	if (s.has_vp)
		say(t, ", valid for %u minutes", usim_vp_minutes(s.vp));
	return rc;
}

static int say_msisdn(struct text *t, const uint8_t *ef, size_t len)
{
	struct usim_msisdn m;
	int rc = usim_msisdn_decode(&m, ef, len);

	say(t, m.addr.digits[0] ? "MSISDN" : "no MSISDN");
	if (m.addr.digits[0])
		say(t, " %s%s", m.addr.ton == 1 ? "+" : "", m.addr.digits);
	return rc;
}

static int say_hpplmn(struct text *t, const uint8_t *ef, size_t len)
{
	unsigned minutes;
	int rc = usim_hpplmn_decode(&minutes, ef, len);

	say(t, "search for the home network every %u minutes", minutes);
	return rc;
}

static int say_isim(struct text *t, const uint8_t *ef, size_t len)
{
	char s[256];
	int rc = usim_isim_decode(s, sizeof(s), ef, len);

	/* What a card says goes to somebody's terminal. */
	for (char *p = s; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
	say(t, "\"%s\"", s);
	return rc;
}

static int say_routing(struct text *t, const uint8_t *ef, size_t len)
{
	char digits[5];
	int rc = usim_routing_ind_decode(digits, ef, len);

	say(t, "routing indicator %s", digits);
	return rc;
}

/* As card and cardholder will see it: what is no printable character is a '?'. */
static void say_alpha(struct text *t, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		say(t, "%c", p[i] >= 0x20 && p[i] < 0x7f ? p[i] : '?');
}

static int say_gid(struct text *t, const uint8_t *ef, size_t len)
{
	const uint8_t *id;
	size_t n;
	int rc = usim_gid_decode(&id, &n, ef, len);

	say(t, n ? "group " : "no group");
	for (size_t i = 0; i < n; i++)
		say(t, "%02X", id[i]);
	return rc;
}

static void say_name(struct text *t, const char *what, const struct usim_network_name *name)
{
	if (name->text[0])
		say(t, "%s \"%s\"%s%s", what, name->text, name->ucs2 ? " (UCS2)" : "",
		    name->add_ci ? " with the country's initials" : "");
}

static int say_pnn(struct text *t, const uint8_t *ef, size_t len)
{
	struct usim_pnn p;
	int rc = usim_pnn_decode(&p, ef, len);

	if (!p.full.text[0] && !p.brief.text[0] && !p.info_len)
		say(t, "no network name");
	say_name(t, "network name", &p.full);
	say_name(t, p.full.text[0] ? ", short" : "short network name", &p.brief);
	if (p.info_len)
		say(t, ", %zu octets of additional information", p.info_len);
	return rc;
}

static int say_opl(struct text *t, const uint8_t *ef, size_t len)
{
	struct usim_opl o;
	int rc = usim_opl_decode(&o, ef, len);

	if (!o.mcc[0])
		say(t, "no network");
	else if (o.first == 0 && o.last == 0xfffe)
		say(t, "PLMN %s-%s, all areas: ", o.mcc, o.mnc);
	else
		say(t, "PLMN %s-%s, areas %04X to %04X: ", o.mcc, o.mnc, o.first, o.last);
	if (o.mcc[0] && o.pnn)
		say(t, "the name in record %u of EF_PNN", o.pnn);
	else if (o.mcc[0])
		say(t, "a name from elsewhere");
	return rc;
}

static int say_ecc(struct text *t, const uint8_t *ef, size_t len)
{
	static const char *const names[] = { "police",		"ambulance",	"fire brigade",	  "marine guard",
					     "mountain rescue", "manual eCall", "automatic eCall" };
	struct usim_ecc e;
	int rc = usim_ecc_decode(&e, ef, len);

	say(t, e.code[0] ? "emergency number %s" : "no emergency number", e.code);
	if (e.alpha_len) {
		say(t, " \"");
		say_alpha(t, e.alpha, e.alpha_len);
		say(t, "\"");
	}
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (e.category >> i & 1)
			say(t, ", %s", names[i]);
	return rc;
}

static int say_threshold(struct text *t, const uint8_t *ef, size_t len)
{
	uint32_t start;
	int rc = usim_threshold_decode(&start, ef, len);

	say(t, "keys are used up when START is %05X", (unsigned)start);
	return rc;
}

static int say_suci(struct text *t, const uint8_t *ef, size_t len)
{
	static const char *const names[] = { "null scheme", "profile A", "profile B" };
	struct usim_suci s;
	int rc = usim_suci_decode(&s, ef, len);

	say(t, s.schemes ? "SUCI by " : "nothing set for SUCI");
	for (size_t i = 0; i < s.schemes; i++) {
		uint8_t id = s.scheme[i].id, key = s.scheme[i].key;

		say(t, i ? ", then " : "");
		if (id < ARRAY_SIZE(names))
			say(t, "%s", names[id]);
		else
			say(t, "scheme %u", id);
		if (key && key <= s.keys)
			say(t, " with key %u of %u octets", s.key[key - 1].id, s.key[key - 1].len);
		else if (key)
			say(t, " with a key that is not there");
	}
	return rc;
}

static int say_file(struct text *t, const struct usim_file *f, const uint8_t *ef, size_t len)
{
	switch (f->fid) {
	case USIM_FID_ICCID:
		return say_iccid(t, ef, len);
	case USIM_FID_IMSI:
		return say_imsi(t, ef, len);
	case USIM_FID_LOCI:
		return say_loci(t, ef, len);
	case USIM_FID_PSLOCI:
	case SIM_FID_LOCIGPRS:
		return say_psloci(t, ef, len);
	case USIM_FID_EPSLOCI:
		return say_epsloci(t, ef, len);
	case USIM_FID_5GS3GPPLOCI:
	case USIM_FID_5GSN3GPPLOCI:
		return say_5gsloci(t, ef, len);
	case USIM_FID_KEYS:
	case USIM_FID_KEYSPS:
		return say_keys(t, ef, len);
	case SIM_FID_KC:
	case SIM_FID_KCGPRS:
		return say_kc(t, ef, len);
	case USIM_FID_FPLMN:
	case USIM_FID_EHPLMN:
		return say_list(t, ef, len, false);
	case USIM_FID_PLMNWACT:
	case USIM_FID_OPLMNWACT:
	case USIM_FID_HPLMNWACT:
		return say_list(t, ef, len, true);
	case USIM_FID_ACC:
		return say_acc(t, ef, len);
	case USIM_FID_AD:
		return say_ad(t, ef, len);
	case USIM_FID_SMSP:
		return say_smsp(t, ef, len);
	case USIM_FID_MSISDN:
		return say_msisdn(t, ef, len);
	case USIM_FID_HPPLMN:
		return say_hpplmn(t, ef, len);
	case ISIM_FID_IMPI:
	case ISIM_FID_DOMAIN:
	case ISIM_FID_IMPU:
		return say_isim(t, ef, len);
	case USIM_FID_ROUTING_IND:
		return say_routing(t, ef, len);
	case USIM_FID_GID1:
	case USIM_FID_GID2:
		return say_gid(t, ef, len);
	case USIM_FID_PNN:
		return say_pnn(t, ef, len);
	case USIM_FID_OPL:
		return say_opl(t, ef, len);
	case USIM_FID_ECC:
		return say_ecc(t, ef, len);
	case USIM_FID_THRESHOLD:
		return say_threshold(t, ef, len);
	case USIM_FID_SUCI_CALC_INFO:
		return say_suci(t, ef, len);
	default:
		say(t, "%zu octets", len);
		return 0;
	}
}

int usim_describe(char *buf, size_t cap, enum usim_df df, uint16_t fid, const uint8_t *ef, size_t len)
{
	const struct usim_file *f = usim_file_find(df, fid);
	struct text t = { .p = buf, .cap = cap };
	int rc;

	if (cap == 0)
		return OTA_E_SPACE;
	buf[0] = '\0';
	if (!f) {
		say(&t, "%zu octets of an unknown file", len);
		return OTA_E_FORMAT;
	}
	rc = usim_file_len_check(f, len);
	if (rc == 0)
		rc = say_file(&t, f, ef, len);
	if (rc) {
		t = (struct text){ .p = buf, .cap = cap };
		say(&t, "%s: %zu octets that are no such contents: %s", f->name, len, ota_strerror(rc));
	}
	return rc;
}
