/* party.c - `otactl party`: who we are towards partners, made without a gateway.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * NAME.otaparty is handed to partners, NAME.self are its private keys, sealed under the keystore's KEK and worth nothing without it.
 */
#include "party.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"

#define TEXT_CAP 400
#define SUFFIX	 ".otaparty"

static struct ks *keystore(const char *kek)
{
	struct ks_open_params kp = { .source = KS_KEK_FILE, .path = kek, .slots = 16 };
	uint8_t made[KS_CHECK_LEN];
	char err[TEXT_CAP] = "";
	struct ks *ks = NULL;

	if (ks_open(&ks, &kp, NULL, 0, made, err, sizeof(err))) {
		ctl_error("%s", err);
		return NULL;
	}
	return ks;
}

struct pkg_partner *party_load(const char *path)
{
	struct pkg_partner *p = NULL;
	char err[TEXT_CAP] = "";
	size_t len;
	char *text = file_read(path, PKG_PARTY_FILE_MAX, &len);

	if (text && pkg_partner_load(&p, text, len, err, sizeof(err)))
		ctl_error("%s: %s", path, err);
	free(text);
	return p;
}

/* ---- create ---- */

/* The KEK to seal under: the one that was named, or DIR/kek, made when there is none. */
static bool kek_path(char out[PARTY_PATH_MAX], const char *dir, const char *given)
{
	char err[TEXT_CAP] = "";

	if (given) {
		snprintf(out, PARTY_PATH_MAX, "%s", given);
		return true;
	}
	snprintf(out, PARTY_PATH_MAX, "%s/kek", dir);
	if (!access(out, F_OK))
		return true;
	if (ks_kek_file_create(out, err, sizeof(err))) {
		ctl_error("%s", err);
		return false;
	}
	return true;
}

static void party_print(const struct ctl *c, const struct pkg_partner *p, const char *file)
{
	char print[PKG_PRINT_LEN];

	pkg_partner_print(p, print);
	if (c->format == CTL_JSON) {
		json_t *o = json_pack("{s:s s:s s:s}", "name", pkg_partner_name(p), "fingerprint", print, "file", file);

		ctl_print_json(o);
		json_decref(o);
		return;
	}
	printf("party       %s\nfile        %s\nfingerprint %.39s\n            %s\n", pkg_partner_name(p), file, print,
	       print + 40);
}

int cmd_party_create(struct ctl *c, const struct ctl_args *a)
{
	const char *dir = ctl_arg(a, "dir", 0);
	char kek[PARTY_PATH_MAX], party_path[PARTY_PATH_MAX], self_path[PARTY_PATH_MAX], err[TEXT_CAP] = "";
	struct pkg_partner *made = NULL;
	size_t party_len = 0, sealed_len = 0;
	uint8_t *sealed = NULL;
	char *party = NULL;
	struct ks *ks = NULL;
	int rc = CTL_USAGE;

	if (!dir)
		dir = ".";
	if (strlen(dir) + strlen(a->pos[0]) + 32 > PARTY_PATH_MAX) {
		ctl_error("--dir: the path is too long");
		return CTL_USAGE;
	}
	if (mkdir(dir, 0700) && errno != EEXIST) {
		ctl_error("%s: %s", dir, strerror(errno));
		return CTL_USAGE;
	}
	snprintf(party_path, sizeof(party_path), "%s/%s" SUFFIX, dir, a->pos[0]);
	snprintf(self_path, sizeof(self_path), "%s/%s.self", dir, a->pos[0]);
	if (!access(party_path, F_OK) || !access(self_path, F_OK)) {
		ctl_error("%s or its .self is there already: partners have pinned it; remove both to begin anew",
			  party_path);
		return CTL_REFUSED;
	}
	if (!kek_path(kek, dir, ctl_arg(a, "kek", 0)) || !(ks = keystore(kek)))
		return CTL_USAGE;
	if (pkg_self_create(ks, a->pos[0], (int64_t)time(NULL), &party, &party_len, &sealed, &sealed_len, err,
			    sizeof(err)) ||
	    pkg_partner_load(&made, party, party_len, err, sizeof(err)))
		ctl_error("%s", err);
	else if (file_write(self_path, sealed, sealed_len, 0600, false) &&
		 file_write(party_path, party, party_len, 0644, false))
		rc = CTL_OK;
	if (rc == CTL_OK)
		party_print(c, made, party_path);
	pkg_partner_free(made);
	free(party);
	free(sealed);
	ks_close(ks);
	return rc;
}

int cmd_party_show(struct ctl *c, const struct ctl_args *a)
{
	struct pkg_partner *p = party_load(a->pos[0]);

	if (!p)
		return CTL_USAGE;
	party_print(c, p, a->pos[0]);
	pkg_partner_free(p);
	return CTL_OK;
}

/* ---- ourselves ---- */

bool party_self_open(struct party_self *s, const char *party, const char *kek)
{
	size_t len = strlen(party), party_len, sealed_len = 0;
	char path[PARTY_PATH_MAX], err[TEXT_CAP] = "", *text, *sealed = NULL;
	const char *slash = strrchr(party, '/');
	bool ok = false;

	*s = (struct party_self){ 0 };
	if (len <= strlen(SUFFIX) || strcmp(party + len - strlen(SUFFIX), SUFFIX) || len >= sizeof(s->base)) {
		ctl_error("%s: our own party file is called NAME" SUFFIX ", with NAME.self beside it", party);
		return false;
	}
	snprintf(s->base, sizeof(s->base), "%.*s", (int)(len - strlen(SUFFIX)), party);
	text = file_read(party, PKG_PARTY_FILE_MAX, &party_len);
	snprintf(path, sizeof(path), "%s.self", s->base);
	if (text)
		sealed = file_read(path, PARTY_SEALED_MAX, &sealed_len);
	if (!kek) {
		snprintf(path, sizeof(path), "%.*skek", slash ? (int)(slash - party) + 1 : 0, party);
		kek = path;
	}
	if (sealed && (s->ks = keystore(kek))) {
		ok = !pkg_self_load(&s->self, s->ks, text, party_len, (const uint8_t *)sealed, sealed_len, err,
				    sizeof(err));
		if (!ok)
			ctl_error("%s", err);
	}
	free(text);
	free(sealed);
	if (!ok)
		party_self_close(s);
	return ok;
}

void party_self_close(struct party_self *s)
{
	pkg_self_free(s->self);
	if (s->ks)
		ks_close(s->ks);
	*s = (struct party_self){ 0 };
}
