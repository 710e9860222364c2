/* packet_cmd.c - the verbs encode and decode of `otactl packet`: a line in, a line out, until the input ends.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <openssl/rand.h>

#include "packet.h"

#define PACKET_KEK_LEN	 32
#define PACKET_KEY_SLOTS 4
#define STDIN_BUFFER	 65536

/* ------------------------------------------------------------------------------------------------------------ keys */

static void wiping_free(void *p)
{
	if (p)
		ks_wipe(p, malloc_usable_size(p));
	free(p);
}

bool packet_keys_open(struct packet_keys *k)
{
	const struct rlimit none = { 0, 0 };
	struct ks_open_params p = { .source = KS_KEK_MEMORY, .slots = PACKET_KEY_SLOTS };
	uint8_t kek[PACKET_KEK_LEN], check[KS_CHECK_LEN];
	char err[200] = "";
	int rc;

	/* keys are about to be read: no core file, no ptrace, and nothing of them in memory that was given back */
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
	json_set_alloc_funcs(malloc, wiping_free);
	if (RAND_bytes(kek, sizeof(kek)) != 1) {
		ctl_error("no randomness to be had");
		return false;
	}
	p.kek = kek;
	rc = ks_open(&k->ks, &p, NULL, 0, check, err, sizeof(err));
	ks_wipe(kek, sizeof(kek));
	if (rc)
		ctl_error("keystore: %s", err[0] ? err : ks_strerror(rc));
	return rc == 0;
}

void packet_keys_close(struct packet_keys *k)
{
	packet_keys_drop(k);
	ks_close(k->ks);
	k->ks = NULL;
}

/* ----------------------------------------------------------------------------------------------------------- lines */

/* A line without its end into buf; -1 at the end of the input.  A line longer than cap is read over: *cut. */
static long line_read(FILE *in, char *buf, size_t cap, bool *cut)
{
	size_t n = 0;
	int c;

	*cut = false;
	while ((c = getc(in)) != EOF && c != '\n') {
		if (n < cap)
			buf[n++] = (char)c;
		else
			*cut = true;
	}
	return c == EOF && n == 0 ? -1 : (long)n;
}

static bool blank(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr(" \t\r", line[i]))
			return false;
	return true;
}

/* What has no id, or is no object at all: its number says which line it was. */
static json_t *no_object(size_t number, const char *why)
{
	return json_pack("{s:n,s:I,s:s}", "id", "line", (json_int_t)number, "error", why);
}

static json_t *answer(struct packet_keys *k, const char *line, size_t len, size_t number, bool encode, bool legacy)
{
	json_error_t e;
	json_t *in = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e), *out, *wrong;
	char *near;

	if (!in) {
		/* the parser quotes what it stumbled over, which may be a key */
		near = strstr(e.text, " near ");
		if (near)
			*near = '\0';
		return no_object(number, e.text);
	}
	if (!json_is_object(in))
		out = no_object(number, "not a JSON object");
	else
		out = encode ? packet_encode_line(k, in, legacy) : packet_decode_line(k, in);
	wrong = json_object_get(out, "error");
	if (json_is_object(in) && wrong && !json_object_get(in, "id")) {
		json_t *told = no_object(number, json_string_value(wrong));

		json_decref(out);
		out = told;
	}
	json_decref(in);
	return out;
}

static int run(FILE *in, bool encode, bool legacy)
{
	static char line[PACKET_LINE_MAX], buffer[STDIN_BUFFER];
	struct packet_keys k = { .set = 0 };
	size_t number = 0;
	bool bad = false, cut;
	long len;
	int rc = CTL_OK;

	if (!packet_keys_open(&k))
		return CTL_USAGE;
	setvbuf(in, buffer, _IOFBF, sizeof(buffer));
	while ((len = line_read(in, line, sizeof(line), &cut)) >= 0 && !ferror(stdout)) {
		json_t *out;

		number++;
		if (blank(line, (size_t)len))
			continue;
		out = cut ? no_object(number, "line too long") : answer(&k, line, (size_t)len, number, encode, legacy);
		ks_wipe(line, (size_t)len);
		bad |= json_object_get(out, "error") != NULL;
		json_dumpf(out, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
		fflush(stdout); /* whoever feeds us line by line waits for this one */
		json_decref(out);
	}
	if (ferror(in)) {
		ctl_error("reading standard input: %s", strerror(errno));
		rc = CTL_USAGE;
	}
	ks_wipe(buffer, sizeof(buffer));
	packet_keys_close(&k);
	return rc ? rc : bad ? CTL_PARTIAL : CTL_OK;
}

int cmd_packet_encode(struct ctl *c, const struct ctl_args *a)
{
	return run(stdin, true, ctl_arg(a, "legacy", 0) != NULL);
}

int cmd_packet_decode(struct ctl *c, const struct ctl_args *a)
{
	return run(stdin, false, false);
}
