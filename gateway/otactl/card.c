/* card.c - card import, card list, card present, and orders to a card.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "ctl.h"

#define KEYSETS_MAX 4
#define CNTR_MAX    0xffffffffffull /* five octets (TS 102 225, 5.1.4) */

/* ------------------------------------------------------------------------------------------------ --keyset */

static bool number_of(const char *s, size_t len, uint64_t hi, uint64_t *out)
{
	uint64_t v = 0;

	if (!len || len > 13)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	*out = v;
	return v <= hi;
}

/* "cntr=100", "cc_len=4" or "gen=2" */
static bool keyset_field(json_t *k, const char *field, size_t len)
{
	const char *eq = memchr(field, '=', len);
	size_t name = eq ? (size_t)(eq - field) : len;
	uint64_t v;

	if (!eq)
		return false;
	if (name == 4 && !memcmp(field, "cntr", 4) && number_of(eq + 1, len - name - 1, CNTR_MAX, &v))
		return !json_object_set_new(k, "cntr", json_integer((json_int_t)v));
	if (name == 6 && !memcmp(field, "cc_len", 6) && number_of(eq + 1, len - name - 1, 8, &v))
		return !json_object_set_new(k, "cc_len", json_integer((json_int_t)v));
	if (name == 3 && !memcmp(field, "gen", 3) && number_of(eq + 1, len - name - 1, UINT32_MAX, &v))
		return !json_object_set_new(k, "gen", json_integer((json_int_t)v));
	return false;
}

/* "1=3des2,cntr=100,cc_len=8,gen=2"; NULL when it is none. */
static json_t *keyset_parse(const char *text)
{
	const char *eq = strchr(text, '=');
	size_t n = eq ? strcspn(eq + 1, ",") : 0;
	json_t *k = json_object();
	uint64_t kvn;
	bool ok = eq && n && number_of(text, (size_t)(eq - text), 15, &kvn) && kvn;

	if (ok) {
		json_object_set_new(k, "kvn", json_integer((json_int_t)kvn));
		json_object_set_new(k, "alg", json_stringn(eq + 1, n));
		for (const char *p = eq + 1 + n; ok && *p == ','; p += n) {
			n = strcspn(++p, ",");
			ok = keyset_field(k, p, n);
		}
	}
	if (ok && !json_object_get(k, "cntr"))
		ok = false;
	if (ok)
		return k;
	json_decref(k);
	return NULL;
}

static json_t *keysets_of(const struct ctl_args *a)
{
	json_t *all = json_array(), *k;

	for (unsigned i = 0; ctl_arg(a, "keyset", i); i++) {
		k = keyset_parse(ctl_arg(a, "keyset", i));
		if (!k) {
			ctl_error("--keyset '%s' is not VERSION=ALGORITHM,cntr=FIRST[,cc_len=4|8][,gen=GENERATION], as "
				  "in "
				  "1=3des2,cntr=100",
				  ctl_arg(a, "keyset", i));
			json_decref(all);
			return NULL;
		}
		json_array_append_new(all, k);
	}
	if (json_array_size(all))
		return all;
	ctl_error("name the key versions of this file: --keyset VERSION=ALGORITHM,cntr=FIRST, as in --keyset "
		  "1=3des2,cntr=100");
	json_decref(all);
	return NULL;
}

/* ------------------------------------------------------------------------------------------------ import */

/* One pass over the file: an intake is opened, filled and finished. */
static int import_pass(struct ctl *c, struct ctl_upload *u, json_t *keysets, bool dry_run)
{
	json_t *answer;
	char path[CTL_PATH_MAX], id[64];
	int rc;

	ctl_path(path, "imports", (char *)NULL);
	rc = ctl_post_json(c, path,
			   json_pack("{s:O,s:s,s:b}", "keysets", keysets, "profile", u->profile, "dry_run", dry_run),
			   &answer);
	if (rc)
		return rc;
	snprintf(id, sizeof(id), "%s", js_text(answer, "id"));
	json_decref(answer);
	ctl_path(u->path, "imports", id, "lines", (char *)NULL);
	u->query = "";
	rc = ctl_upload(u);
	if (rc)
		return rc;
	ctl_path(path, "imports", id, "finish", (char *)NULL);
	return ctl_call(c, "POST", path, "application/json", NULL, 0, NULL);
}

static void import_print(const struct ctl *c, const struct ctl_upload *u, bool dry_run)
{
	const char *would = dry_run ? "would be " : "";

	if (c->format == CTL_JSON) {
		json_t *v =
			json_pack("{s:b,s:I,s:I,s:I,s:I,s:O}", "dry_run", dry_run, "accepted", (json_int_t)u->accepted,
				  "updated", (json_int_t)u->updated, "unchanged", (json_int_t)u->unchanged, "rejected",
				  (json_int_t)u->rejected, "rejects", u->kept);

		ctl_print_json(v);
		json_decref(v);
	} else if (c->format == CTL_CSV) {
		printf("accepted,unchanged,rejected,updated\n%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
		       u->accepted, u->unchanged, u->rejected, u->updated);
	} else {
		printf("%s: %" PRIu64 " cards %simported, ", u->file, u->accepted, would);
		if (u->updated)
			printf("%" PRIu64 " %supdated, ", u->updated, would);
		printf("%" PRIu64 " unchanged, %" PRIu64 " lines rejected\n", u->unchanged, u->rejected);
	}
}

/* --strict looks at the whole file before it changes anything: a first pass that keeps nothing. */
static int import_strict(struct ctl *c, struct ctl_upload *u, json_t *keysets)
{
	struct ctl_upload dry = *u;
	int rc;

	if (!strcmp(u->file, "-")) {
		ctl_error("--strict reads the list twice: give a file, not standard input");
		return CTL_USAGE;
	}
	dry.label = "checking";
	rc = import_pass(c, &dry, keysets, true);
	ctl_upload_done(&dry);
	if (rc || !dry.rejected)
		return rc;
	import_print(c, &dry, true);
	ctl_error("%s: %" PRIu64 " lines rejected and --strict given: nothing was imported", u->file, dry.rejected);
	return CTL_REFUSED;
}

int cmd_card_import(struct ctl *c, const struct ctl_args *a)
{
	const char *profile = ctl_arg(a, "profile", 0);
	struct ctl_upload u = { .c = c, .file = a->pos[0], .label = "importing", .profile = profile ? profile : "" };
	bool dry_run = ctl_arg(a, "dry-run", 0);
	json_t *keysets = keysets_of(a);
	int rc = CTL_OK;

	if (!keysets)
		return CTL_USAGE;
	(void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }); /* key octets pass through this process */
	u.kept = json_array();
	if (!ctl_rejects_open(&u, a))
		rc = CTL_USAGE;
	if (!rc && ctl_arg(a, "strict", 0))
		rc = import_strict(c, &u, keysets);
	if (!rc) {
		rc = import_pass(c, &u, keysets, dry_run);
		ctl_upload_done(&u);
		if (!rc || u.accepted || u.updated || u.rejected)
			import_print(c, &u, dry_run);
	}
	if (u.rejects && fclose(u.rejects))
		ctl_error("cannot write %s", ctl_arg(a, "rejects", 0));
	json_decref(u.kept);
	json_decref(keysets);
	return rc ? rc : u.rejected ? CTL_PARTIAL : CTL_OK;
}

/* ------------------------------------------------------------------------------------------------ list */

int cmd_card_list(struct ctl *c, const struct ctl_args *a)
{
	static const struct ctl_column columns[] = { { "iccid", "ICCID", false },
						     { "imsi", "IMSI", false },
						     { "msisdn", "MSISDN", false },
						     { "quarantine", "QUARANTINE", false } };
	struct ctl_list l;
	uint64_t after = 0;
	bool more = true;
	int rc = CTL_OK;

	while (more) {
		char path[CTL_PATH_MAX + 64], base[CTL_PATH_MAX];
		json_t *page;

		ctl_path(base, "cards", (char *)NULL);
		snprintf(path, sizeof(path), "%s?after=%" PRIu64 "&limit=%d", base, after, CTL_PAGE);
		rc = ctl_get(c, path, &page);
		if (rc)
			break;
		if (!after)
			ctl_list_begin(&l, c->format, columns, sizeof(columns) / sizeof(columns[0]));
		ctl_list_page(&l, json_object_get(page, "cards"));
		more = js_count(page, "next") > after;
		after = js_count(page, "next");
		json_decref(page);
		if (!more)
			ctl_list_end(&l);
	}
	return rc;
}

int cmd_card_present(struct ctl *c, const struct ctl_args *a)
{
	char path[CTL_PATH_MAX];
	json_t *answer;
	int rc;

	ctl_path(path, "cards", a->pos[0], "present", (char *)NULL);
	rc = ctl_call(c, "POST", path, "application/json", NULL, 0, &answer);
	if (rc)
		return rc;
	if (c->format == CTL_JSON)
		ctl_print_json(answer);
	else if (c->format == CTL_CSV)
		printf("iccid,state\n%s,%s\n", js_text(answer, "name"), js_text(answer, "state"));
	else
		printf("card %s: what waits for it is tried\n", js_text(answer, "name"));
	json_decref(answer);
	return CTL_OK;
}

static int order(struct ctl *c, const struct ctl_args *a, const char *verb)
{
	char path[CTL_PATH_MAX];
	json_t *answer;
	int rc;

	ctl_path(path, "cards", a->pos[0], verb, (char *)NULL);
	rc = ctl_call(c, "POST", path, "application/json", NULL, 0, &answer);
	if (rc)
		return rc;
	if (c->format == CTL_JSON) {
		ctl_print_json(answer);
	} else if (c->format == CTL_CSV) {
		printf("iccid,state,text\n%s,%s,", js_text(answer, "name"), js_text(answer, "state"));
		ctl_csv_field(stdout, js_text(answer, "text"));
		putchar('\n');
	} else {
		printf("card %s: %s\n", js_text(answer, "name"), js_text(answer, "text"));
	}
	json_decref(answer);
	return CTL_OK;
}

int cmd_card_probe(struct ctl *c, const struct ctl_args *a)
{
	return order(c, a, "probe");
}

int cmd_card_resync(struct ctl *c, const struct ctl_args *a)
{
	return order(c, a, "resync");
}

int cmd_card_quarantine(struct ctl *c, const struct ctl_args *a)
{
	return order(c, a, "quarantine");
}

int cmd_card_release(struct ctl *c, const struct ctl_args *a)
{
	return order(c, a, "release");
}
