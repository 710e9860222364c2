/* fleet_file.c - the files an operator would have of a fleet's cards.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#define PATH_CAP	 512
#define PERSO_OCTETS_MAX (4ll << 30)

static void hex(char *out, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sprintf(out + 2 * i, "%02X", p[i]);
	out[2 * len] = '\0';
}

static FILE *open_private(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	if (fd >= 0 && !out)
		close(fd);
	if (out && fchmod(fd, 0600) < 0) {
		fclose(out);
		return NULL;
	}
	return out;
}

static int finish(FILE *out, const char *tmp, const char *path, char *err, size_t err_cap)
{
	bool bad = ferror(out);

	bad |= fclose(out) != 0;
	if (!bad && rename(tmp, path) == 0)
		return 0;
	snprintf(err, err_cap, "cannot write %s: %s", path, strerror(errno));
	unlink(tmp);
	return -1;
}

static void cards_csv(const struct fleet *f, FILE *out)
{
	fputs("ICCID,IMSI,MSISDN,ACC,KIC1,KID1,KIK1\n", out);
	for (uint32_t i = 0; i < f->n; i++) {
		const struct sim_card *c = &f->cards[i];
		size_t klen = sim_alg_key_len(c->ks[0].kic_alg), len;
		char acc[8], key[3][2 * SIM_KEY_MAX + 1];

		hex(acc, sim_card_file(c, 0x6f78, &len), 2);
		hex(key[0], c->ks[0].kic, klen);
		hex(key[1], c->ks[0].kid, klen);
		hex(key[2], c->ks[0].kik, klen);
		fprintf(out, "%s,%s,%s,%s,%s,%s,%s\n", c->iccid, c->imsi_first, c->msisdn, acc, key[0], key[1], key[2]);
		OPENSSL_cleanse(key, sizeof(key));
	}
}

static void ota_keys(const struct sim_ota_keys *k, FILE *out)
{
	char key[3][2 * SIM_KEY_MAX + 1];

	hex(key[0], k->kic, k->len);
	hex(key[1], k->kid, k->len);
	hex(key[2], k->kik, k->len);
	fprintf(out, ",%s,%s,%s\n", key[0], key[1], key[2]);
	OPENSSL_cleanse(key, sizeof(key));
}

/* A card without the applet has one pair. */
static void usim_csv(const struct sim_card *c, FILE *out)
{
	const struct sim_keyset *ks = &c->ks[0];
	struct sim_ota_keys ota = { .len = (uint8_t)sim_alg_key_len(ks->kic_alg) };
	char k[2 * 16 + 1], opc[2 * 16 + 1];

	memcpy(ota.kic, ks->kic, sizeof(ota.kic));
	memcpy(ota.kid, ks->kid, sizeof(ota.kid));
	memcpy(ota.kik, ks->kik, sizeof(ota.kik));
	hex(k, c->usim->k, 16);
	hex(opc, c->usim->opc, 16);
	fprintf(out, "%s,1,%u,%s,%s", c->iccid, ks->kvn, k, opc);
	ota_keys(&ota, out);
	OPENSSL_cleanse(&ota, sizeof(ota));
	OPENSSL_cleanse(k, sizeof(k));
	OPENSSL_cleanse(opc, sizeof(opc));
}

static void pairs_csv(const struct fleet *f, FILE *out)
{
	fputs("ICCID,INDEX,KVN,K,OPC,KIC,KID,KIK\n", out);
	for (uint32_t i = 0; i < f->n; i++)
		if (f->cards[i].usim)
			usim_csv(&f->cards[i], out);
	for (uint32_t i = 0; i < f->applets; i++) {
		const struct sim_sub_nvm *n = &f->subs[i].nvm;
		const struct sim_sub_rec *r = sim_sub_rec(&f->subs[i]);

		for (int p = 0; p < SIM_PAIRS_MAX; p++) {
			char k[2 * 16 + 1], opc[2 * 16 + 1];

			if (r->place[p] == 0)
				continue;
			hex(k, n->pair[p].k, 16);
			hex(opc, n->pair[p].opc, 16);
			fprintf(out, "%s,%u,", f->cards[i].iccid, r->place[p]);
			if (r->place[p] == r->index)
				fprintf(out, "%u", r->kvn);
			fprintf(out, ",%s,%s", k, opc);
			ota_keys(&n->pair[p].ota, out);
			OPENSSL_cleanse(k, sizeof(k));
			OPENSSL_cleanse(opc, sizeof(opc));
		}
		fprintf(out, "%s,,%u,,", f->cards[i].iccid, SIM_KVN_VAULT);
		ota_keys(&n->vault, out);
		fprintf(out, "%s,,%u,,", f->cards[i].iccid, SIM_KVN_CHANGE);
		ota_keys(&n->change, out);
	}
}

static void new_imsi_csv(const struct fleet *f, FILE *out)
{
	char imsi[SIM_IMSI_LEN];

	fputs("ICCID,IMSI\n", out);
	for (uint32_t i = 0; i < f->n; i++) {
		fleet_new_imsi(f, i, imsi);
		fprintf(out, "%s,%s\n", f->cards[i].iccid, imsi);
	}
}

static int write_one(const struct fleet *f, const char *dir, const char *name,
		     void (*content)(const struct fleet *f, FILE *out), char *err, size_t err_cap)
{
	char path[PATH_CAP], tmp[PATH_CAP];
	FILE *out;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path) - 8) {
		snprintf(err, err_cap, "%s: path too long", dir);
		return -1;
	}
	snprintf(tmp, sizeof(tmp), "%s/.%s.tmp", dir, name);
	out = open_private(tmp);
	if (!out) {
		snprintf(err, err_cap, "cannot write %s: %s", tmp, strerror(errno));
		return -1;
	}
	content(f, out);
	return finish(out, tmp, path, err, err_cap);
}

int fleet_write(const struct fleet *f, const char *dir, char *err, size_t err_cap)
{
	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		snprintf(err, err_cap, "cannot make %s: %s", dir, strerror(errno));
		return -1;
	}
	if (write_one(f, dir, "cards.csv", cards_csv, err, err_cap) < 0)
		return -1;
	if ((f->subs || f->usims) && write_one(f, dir, "pairs.csv", pairs_csv, err, err_cap) < 0)
		return -1;
	return write_one(f, dir, "new-imsi.csv", new_imsi_csv, err, err_cap);
}

int write_atomically(const char *path, const char *text, char *err, size_t err_cap)
{
	char tmp[PATH_CAP];
	FILE *out;

	if (snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= (int)sizeof(tmp)) {
		snprintf(err, err_cap, "%s: path too long", path);
		return -1;
	}
	out = fopen(tmp, "we");
	if (!out) {
		snprintf(err, err_cap, "cannot write %s: %s", tmp, strerror(errno));
		return -1;
	}
	fputs(text, out);
	return finish(out, tmp, path, err, err_cap);
}

char *perso_read(const char *path, size_t *len, char *err, size_t err_cap)
{
	FILE *in = fopen(path, "re");
	char *text = NULL;
	struct stat st;

	if (in && fstat(fileno(in), &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    st.st_size <= PERSO_OCTETS_MAX)
		text = malloc((size_t)st.st_size);
	*len = text ? fread(text, 1, (size_t)st.st_size, in) : 0;
	if (!text || *len != (size_t)st.st_size) {
		snprintf(err, err_cap, "cannot read --perso %.200s: %s", path,
			 in ? "a file of at most 4 GiB with a list in it is wanted" : strerror(errno));
		free(text);
		text = NULL;
	}
	if (in)
		fclose(in);
	return text;
}
