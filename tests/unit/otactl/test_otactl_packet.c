/* test_otactl_packet.c - the real `otactl packet` over the golden vectors, bad lines, and the examples of the documents.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <jansson.h>

#define LINES_MAX      2000
#define EXIT_PARTIAL   3
#define KEY_DIGITS_MIN 16 /* of a key that is looked for in what comes out */
#define COMMAND_MAX    4096
#define SEGMENTS_MAX   255

extern char **environ;

static char dir[] = "/tmp/test_otactl_packet.XXXXXX";
static char path_in[64], path_out[64], path_err[64];

/* ------------------------------------------------------------------------------------------------ helpers */

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t cap = 0;

	if (!f)
		fail_msg("cannot read %s", path);
	/* no file here has a NUL */
	if (getdelim(&text, &cap, '\0', f) < 0) {
		free(text);
		text = calloc(1, 1);
	}
	fclose(f);
	return text;
}

/* Runs argv with path_in as its input; what it says is in path_out and path_err; its exit code. */
static int run(char *const argv[], const char *in, bool merge)
{
	posix_spawn_file_actions_t fa;
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, in, O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&fa, 1, path_out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (merge)
		posix_spawn_file_actions_adddup2(&fa, 1, 2);
	else
		posix_spawn_file_actions_addopen(&fa, 2, path_err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(posix_spawn(&pid, argv[0], &fa, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&fa);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int run_packet(const char *verb, const char *option)
{
	char *const argv[] = { (char *)OTACTL, "packet", (char *)verb, (char *)option, NULL };

	return run(argv, path_in, false);
}

static void write_lines(json_t *const *line, size_t n)
{
	FILE *f = fopen(path_in, "w");

	assert_non_null(f);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(json_dumpf(line[i], f, JSON_COMPACT), 0);
		fputc('\n', f);
	}
	assert_int_equal(fclose(f), 0);
}

/* Each line of path_out as an object. */
static size_t read_lines(json_t *line[LINES_MAX])
{
	FILE *f = fopen(path_out, "r");
	char *text = NULL;
	size_t cap = 0, n = 0;
	ssize_t len;

	assert_non_null(f);
	while ((len = getline(&text, &cap, f)) > 0) {
		assert_true(n < LINES_MAX);
		line[n] = json_loads(text, 0, NULL);
		if (!json_is_object(line[n]))
			fail_msg("no object: %s", text);
		n++;
	}
	free(text);
	fclose(f);
	return n;
}

static void write_text(const char *text, size_t len)
{
	FILE *f = fopen(path_in, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static void same(const json_t *in, const json_t *out, const json_t *want, const char *key)
{
	const json_t *got = json_object_get(out, key);
	char *a, *b;

	if (json_equal(got, want))
		return;
	a = json_dumps(out, 0);
	b = json_dumps(want, JSON_ENCODE_ANY);
	fail_msg("%s: %s is to be %s in %.400s", text_of(in, "id"), key, b, a);
}

static json_t *reversed(const json_t *list)
{
	json_t *out = json_array();

	for (size_t i = json_array_size(list); i-- > 0;)
		json_array_append(out, json_array_get(list, i));
	return out;
}

/* ------------------------------------------------------------------------------------------------ vectors */

/* The vectors of a kind (its beginning) out of a file. */
struct vectors {
	json_t *root;
	json_t *line[LINES_MAX]; /* copies, to be changed */
	size_t n;
};

static void vectors_load(struct vectors *v, const char *file, const char *kind)
{
	char path[512];
	json_t *item;
	size_t i;

	snprintf(path, sizeof(path), "%s/%s", VECTORS, file);
	v->n = 0;
	v->root = json_load_file(path, 0, NULL);
	assert_non_null(v->root);
	json_array_foreach(json_object_get(v->root, "vectors"), i,
			   item) if (!strncmp(text_of(item, "kind"), kind, strlen(kind)) && v->n < LINES_MAX)
		v->line[v->n++] = json_copy(item);
	assert_true(v->n > 0);
}

static void vectors_free(struct vectors *v)
{
	for (size_t i = 0; i < v->n; i++)
		json_decref(v->line[i]);
	json_decref(v->root);
}

static void free_lines(json_t *const *line, size_t n)
{
	for (size_t i = 0; i < n; i++)
		json_decref(line[i]);
}

/* No key that went in comes out.  Published keys of one octet repeated look like any other octets. */
static void no_key_in_output(const struct vectors *v)
{
	static const char *const names[] = { "kic_key", "kid_key" };
	char *out = slurp(path_out), *err = slurp(path_err);

	for (size_t i = 0; i < v->n; i++) {
		for (size_t k = 0; k < 2; k++) {
			const char *key = text_of(v->line[i], names[k]);

			if (strlen(key) < KEY_DIGITS_MIN || strspn(key, (char[]){ key[0], 0 }) == strlen(key))
				continue;
			if (strstr(out, key) || strstr(err, key))
				fail_msg("%s: its %s comes out", text_of(v->line[i], "id"), names[k]);
		}
	}
	assert_string_equal(err, "");
	free(out);
	free(err);
}

static void check_encoded(const json_t *in, const json_t *out)
{
	json_t *segments = json_object_get(in, "segments"), *one;

	if (json_is_true(json_object_get(in, "decode_only")))
		return;
	same(in, out, json_object_get(in, "packet"), "packet");
	if (segments) {
		same(in, out, segments, "tp_ud");
	} else if (json_object_get(in, "tp_ud")) {
		one = json_pack("[O]", json_object_get(in, "tp_ud"));
		same(in, out, one, "tp_ud");
		json_decref(one);
	}
	if (json_object_get(in, "segments_n"))
		assert_int_equal(json_array_size(json_object_get(out, "tp_ud")),
				 json_integer_value(json_object_get(in, "segments_n")));
}

static void check_decoded(const json_t *in, const json_t *out)
{
	static const char *const keys[] = { "spi1", "spi2", "kic", "kid", "tar", "cntr", "secured_data", "pcntr" };

	assert_string_equal(text_of(out, "verdict"), "accept");
	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
		if (json_object_get(in, keys[k]))
			same(in, out, json_object_get(in, keys[k]), keys[k]);
}

static void commands(const char *file)
{
	static struct vectors v;
	static json_t *out[LINES_MAX];
	size_t n;

	vectors_load(&v, file, "command");
	write_lines(v.line, v.n);
	assert_int_equal(run_packet("encode", "--legacy"), 0);
	no_key_in_output(&v);
	n = read_lines(out);
	assert_int_equal(n, v.n);
	for (size_t i = 0; i < n; i++) {
		same(v.line[i], out[i], json_object_get(v.line[i], "id"), "id");
		check_encoded(v.line[i], out[i]);
		/* and back again from the short messages, last one first */
		if (!json_is_true(json_object_get(v.line[i], "decode_only")))
			json_object_set_new(v.line[i], "tp_ud", reversed(json_object_get(out[i], "tp_ud")));
	}
	free_lines(out, n);
	for (unsigned form = 0; form < 2; form++) {
		write_lines(v.line, v.n);
		assert_int_equal(run_packet("decode", NULL), 0);
		no_key_in_output(&v);
		n = read_lines(out);
		assert_int_equal(n, v.n);
		for (size_t i = 0; i < n; i++) {
			check_decoded(v.line[i], out[i]);
			json_object_del(v.line[i], "tp_ud"); /* then from the packet itself */
		}
		free_lines(out, n);
	}
	printf("%s: %zu commands\n", file, v.n);
	vectors_free(&v);
}

static void commands_of_the_matrix(void **state)
{
	commands("dev-command-matrix.json");
}

static void commands_of_every_length(void **state)
{
	commands("dev-command-sweep.json");
}

static void commands_published(void **state)
{
	commands("dev-published.json");
}

static void check_responses(const struct vectors *v, const char *what)
{
	static json_t *out[LINES_MAX];
	const char *key;
	json_t *want;
	size_t n;

	write_lines(v->line, v->n);
	assert_int_equal(run_packet("decode", NULL), 0);
	no_key_in_output(v);
	n = read_lines(out);
	assert_int_equal(n, v->n);
	for (size_t i = 0; i < n; i++) {
		json_object_foreach(json_object_get(v->line[i], "expect"), key, want) if (strcmp(key, "why"))
			same(v->line[i], out[i], want, key);
		if (strcmp(text_of(out[i], "verdict"), "accept"))
			assert_true(text_of(out[i], "why")[0]);
	}
	free_lines(out, n);
	printf("%zu responses %s\n", n, what);
}

static void responses(const char *file)
{
	static struct vectors v;

	vectors_load(&v, file, "response");
	check_responses(&v, "as TP-UD");
	for (size_t i = 0; i < v.n; i++)
		if (json_object_get(v.line[i], "segments"))
			json_object_set_new(v.line[i], "tp_ud", reversed(json_object_get(v.line[i], "segments")));
	check_responses(&v, "with segments out of order");
	for (size_t i = 0; i < v.n; i++)
		if (json_object_get(v.line[i], "packet"))
			json_object_del(v.line[i], "tp_ud");
	check_responses(&v, "as packet");
	vectors_free(&v);
}

static void responses_of_the_matrix(void **state)
{
	responses("dev-response-matrix.json");
}

static void responses_to_be_refused(void **state)
{
	responses("dev-response-negative.json");
}

static void responses_published(void **state)
{
	responses("dev-published.json");
}

/* Bodies of TS 102 226 inside a PoR in clear. */
static void bodies(const char *kind, const char *member)
{
	static struct vectors v;

	vectors_load(&v, "dev-remote-formats.json", kind);
	for (size_t i = 0; i < v.n; i++) {
		json_t *data = json_object_get(v.line[i], "secured_data"), *o = v.line[i];
		size_t len = json_string_length(data) / 2;

		json_object_set_new(o, "packet",
				    json_sprintf("%04zx0ab0001100000000010000%s", 11 + len, json_string_value(data)));
		json_object_set_new(o, "expect",
				    json_pack("{s:s,s:s,s:O,s:O}", "verdict", "accept", "response_status", "00",
					      "secured_data", data, member, json_object_get(o, "decoded")));
		json_object_set_new(o, "kind", json_string("response"));
		json_object_set_new(o, "spi2", json_string("01"));
		json_object_set_new(o, "kic", json_string("15"));
		json_object_set_new(o, "kid", json_string("15"));
		json_object_set_new(o, "tar", json_string("b00011"));
		json_object_set_new(o, "cntr", json_string("0000000001"));
	}
	check_responses(&v, kind);
	vectors_free(&v);
}

static void bodies_compact(void **state)
{
	bodies("compact-resp", "compact");
}

static void bodies_expanded(void **state)
{
	bodies("expanded-resp", "expanded");
}

static void segments_join(void **state)
{
	static struct vectors v;
	static json_t *out[LINES_MAX];
	size_t n;

	vectors_load(&v, "dev-segmentation.json", "segmentation");
	for (size_t i = 0; i < v.n; i++) {
		json_object_set_new(v.line[i], "kind", json_string("join"));
		json_object_set_new(v.line[i], "tp_ud", reversed(json_object_get(v.line[i], "tp_ud")));
	}
	write_lines(v.line, v.n);
	assert_int_equal(run_packet("decode", NULL), 0);
	n = read_lines(out);
	assert_int_equal(n, v.n);
	for (size_t i = 0; i < n; i++)
		same(v.line[i], out[i], json_object_get(v.line[i], "packet"), "packet");
	free_lines(out, n);
	vectors_free(&v);
}

/* Cut into segments as the vectors have them: reference and kind of concatenation as given. */
static void segments_as_asked(void **state)
{
	static struct vectors v;
	static json_t *out[LINES_MAX], *in[LINES_MAX];
	size_t n;

	/* a packet without any security is its data behind a known header */
	vectors_load(&v, "dev-segmentation.json", "segmentation");
	for (size_t i = 0; i < v.n; i++) {
		size_t len = strlen(text_of(v.line[i], "packet")) / 2;
		char *data = calloc(2 * (len - 16) + 1, 1);

		memset(data, 'a', 2 * (len - 16));
		in[i] = json_pack("{s:O,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:O,s:O}", "id", json_object_get(v.line[i], "id"),
				  "spi1", "00", "spi2", "00", "kic", "10", "kid", "10", "tar", "b00011", "cntr",
				  "0000000000", "secured_data", data, "concat_iei",
				  json_object_get(v.line[i], "concat_iei"), "concat_ref",
				  json_object_get(v.line[i], "concat_ref"));
		free(data);
	}
	write_lines(in, v.n);
	assert_int_equal(run_packet("encode", NULL), 0);
	n = read_lines(out);
	assert_int_equal(n, v.n);
	for (size_t i = 0; i < n; i++) {
		const json_t *want = json_object_get(v.line[i], "tp_ud"), *got = json_object_get(out[i], "tp_ud");

		assert_int_equal(json_array_size(want), json_array_size(got));
		for (size_t k = 0; k < json_array_size(want); k++) {
			const char *a = json_string_value(json_array_get(want, k));
			const char *b = json_string_value(json_array_get(got, k));
			size_t head = 2 + 2 * strtoul((char[]){ a[0], a[1], 0 }, NULL, 16);

			assert_int_equal(strlen(a), strlen(b));
			assert_memory_equal(a, b, head);
		}
	}
	free_lines(out, n);
	free_lines(in, n);
	vectors_free(&v);
}

/* ------------------------------------------------------------------------------------------------ beyond vectors */

static void longest_packet_joined(json_t *line)
{
	json_t *out[LINES_MAX], *uds = json_object_get(line, "tp_ud"), *gone;

	json_object_set_new(line, "kind", json_string("join"));
	json_array_append(uds, json_array_get(uds, 7)); /* one twice */
	write_lines(&line, 1);
	assert_int_equal(run_packet("decode", NULL), 0);
	assert_int_equal(read_lines(out), 1);
	assert_true(strlen(text_of(out[0], "packet")) > 2 * 33800);
	json_decref(out[0]);
	/* one missing is named, not guessed */
	json_array_remove(uds, SEGMENTS_MAX);
	gone = json_incref(json_array_get(uds, 100));
	json_array_remove(uds, 100);
	write_lines(&line, 1);
	assert_int_equal(run_packet("decode", NULL), EXIT_PARTIAL);
	assert_int_equal(read_lines(out), 1);
	assert_non_null(strstr(text_of(out[0], "error"), "not all segments"));
	json_decref(out[0]);
	json_array_insert_new(uds, 100, gone);
}

/* One segment a line; the last one completes it. */
static void longest_packet_explained(json_t *uds)
{
	FILE *f = fopen(path_in, "w");
	char *text;

	assert_non_null(f);
	for (unsigned i = 0; i < SEGMENTS_MAX; i++)
		fprintf(f, "%s\n", json_string_value(json_array_get(uds, i * 56 % SEGMENTS_MAX)));
	assert_int_equal(fclose(f), 0);
	assert_int_equal(run_packet("explain", NULL), 0);
	text = slurp(path_out);
	assert_non_null(strstr(text, "joined from 255 segments"));
	free(text);
}

/* As long as the protocol goes: 255 segments, there and back. */
static void longest_packet(void **state)
{
	static const char fields[] =
		"{\"id\":1,\"kind\":\"command\",\"spi1\":\"15\",\"spi2\":\"00\",\"kic\":\"12\",\"kid\":\"15\","
		"\"tar\":\"b00011\",\"cntr\":\"ffffffffff\",\"concat_iei\":8,\"concat_ref\":65535,"
		"\"kic_key\":\"000102030405060708090a0b0c0d0e0f1011121314151617\"}";
	const size_t octets = 33800;
	char *data = calloc(2 * octets + 1, 1);
	json_t *line = json_loads(fields, 0, NULL), *out[LINES_MAX];

	for (size_t i = 0; i < 2 * octets; i++)
		data[i] = "0123456789abcdef"[i * 7 % 16];
	json_object_set_new(line, "secured_data", json_string(data));
	write_lines(&line, 1);
	assert_int_equal(run_packet("encode", NULL), 0);
	assert_int_equal(read_lines(out), 1);
	assert_int_equal(json_array_size(json_object_get(out[0], "tp_ud")), SEGMENTS_MAX);
	json_object_set_new(line, "tp_ud", reversed(json_object_get(out[0], "tp_ud")));
	json_decref(out[0]);
	write_lines(&line, 1);
	assert_int_equal(run_packet("decode", NULL), 0);
	assert_int_equal(read_lines(out), 1);
	check_decoded(line, out[0]);
	json_decref(out[0]);
	longest_packet_joined(line);
	longest_packet_explained(json_object_get(line, "tp_ud"));
	json_decref(line);
	free(data);
}

/* A line, its verdict or error; `part` is to be in what comes out. */
static void one_line(const char *verb, const char *line, bool error, const char *part)
{
	json_t *out[LINES_MAX];
	char *text;

	write_text(line, strlen(line));
	assert_int_equal(run_packet(verb, NULL), error ? EXIT_PARTIAL : 0);
	assert_int_equal(read_lines(out), 1);
	text = json_dumps(out[0], 0);
	if (!json_object_get(out[0], "error") != !error || !strstr(text, part))
		fail_msg("%s gives %s, not %s", line, text, part);
	free(text);
	json_decref(out[0]);
}

#define KEYS "\"kic_key\":\"00112233445566778899aabbccddeeff\",\"kid_key\":\"0123456789abcdeffedcba9876543210\""
#define HEAD "\"tar\":\"b00011\",\"cntr\":\"0000000001\",\"secured_data\":\"00\"," KEYS

static void wrong_commands(void **state)
{
	one_line("encode", "{\"spi1\":\"13\",\"spi2\":\"00\",\"kic\":\"15\",\"kid\":\"15\"," HEAD "}", true,
		 "digital signatures (DS)");
	one_line("encode",
		 "{\"spi1\":\"04\",\"spi2\":\"00\",\"kic\":\"1d\",\"kid\":\"10\",\"tar\":\"b00011\",\"cntr\":"
		 "\"0000000001\","
		 "\"secured_data\":\"00\",\"kic_key\":\"0011223344556677\"}",
		 true, "legacy");
	one_line("encode", "{\"spi1\":\"16\",\"spi2\":\"00\",\"kic\":\"15\",\"kid\":\"25\"," HEAD "}", true,
		 "key versions");
	one_line("encode", "{\"spi1\":\"16\",\"spi2\":\"00\",\"kic\":\"1f\",\"kid\":\"15\"," HEAD "}", true,
		 "algorithm");
	one_line("encode", "{\"spi1\":\"16\",\"spi2\":\"00\",\"kic\":\"19\",\"kid\":\"15\"," HEAD "}", true,
		 "KIC: 16 octets");
	one_line("encode", "{\"spi1\":\"e6\",\"spi2\":\"00\",\"kic\":\"15\",\"kid\":\"15\"," HEAD "}", true, "SPI");
	one_line("encode", "{\"spi1\":\"16\",\"spi2\":\"00\",\"kic\":\"15\",\"kid\":\"15\",\"cc_len\":9," HEAD "}",
		 true, "cc_len: a whole number 0..8");
	one_line("encode", "{\"spi1\":\"16\",\"spi2\":\"00\",\"kic\":\"15\",\"kid\":\"15\",\"cc_len\":4," HEAD "}",
		 true, "outside what the field can carry");
	one_line("encode", "{\"spi1\":\"16\",\"spi2\":\"00\",\"kic\":\"15\",\"kid\":\"15\",\"tar\":\"b000\"}", true,
		 "tar: 4 hex digits, must be 6");
	one_line("encode", "{\"spi1\":\"1g\"}", true, "spi1: character 2 is not a hex digit");
	one_line("encode", "{\"spi1\":16}", true, "spi1: must be a string");
	one_line("encode", "{\"id\":7}", true, "spi1: missing");
}

static void wrong_responses(void **state)
{
	static const char sent[] =
		"\"kind\":\"response\",\"spi2\":\"09\",\"kic\":\"15\",\"kid\":\"15\",\"tar\":\"b00011\","
		"\"cntr\":\"0000000001\"," KEYS;
	char line[1024];

	/* octets from outside get a verdict, a line that says nothing gets an error */
	snprintf(line, sizeof(line), "{%s,\"tp_ud\":\"02\"}", sent);
	one_line("decode", line, false, "reject");
	snprintf(line, sizeof(line), "{%s,\"tp_ud\":\"\"}", sent);
	one_line("decode", line, false, "reject");
	snprintf(line, sizeof(line), "{%s,\"tp_ud\":\"0270000000\"}", sent);
	one_line("decode", line, false, "a command, no response");
	snprintf(line, sizeof(line), "{%s,\"tp_ud\":[\"0500030102020000\"]}", sent);
	one_line("decode", line, false, "not all segments");
	snprintf(line, sizeof(line), "{%s,\"packet\":\"\"}", sent);
	one_line("decode", line, false, "reject");
	snprintf(line, sizeof(line), "{%s,\"tp_ud\":\"0g\"}", sent);
	one_line("decode", line, true, "not a hex digit");
	snprintf(line, sizeof(line), "{%s,\"tp_ud\":[]}", sent);
	one_line("decode", line, true, "empty array");
	snprintf(line, sizeof(line), "{%s,\"tp_ud\":[1]}", sent);
	one_line("decode", line, true, "must be a string");
	snprintf(line, sizeof(line), "{%s}", sent);
	one_line("decode", line, true, "packet: missing");
	one_line("decode", "{\"kind\":\"respond\"}", true, "none of command, response, join");
	one_line("decode", "{}", true, "kind: missing");
	one_line("decode", "{\"kind\":\"join\",\"tp_ud\":[\"050003010202aa\",\"050003020201aa\"]}", true,
		 "TAR or counter");
}

static void wrong_packets(void **state)
{
	/* the packet names another algorithm than the key is for: not its key */
	one_line("decode",
		 "{\"kind\":\"command\",\"packet\":"
		 "\"00201506193939b00011ae733256918d050b87c94fbfe12e4dc402f262c41cf67f2f\"," KEYS "}",
		 false, "do not fit");
	one_line("decode",
		 "{\"kind\":\"command\",\"packet\":"
		 "\"00201506193535b00011ae733256918d050b87c94fbfe12e4dc402f262c41cf67f2f\"," KEYS "}",
		 false, "checksum");
	one_line("decode",
		 "{\"kind\":\"command\",\"packet\":"
		 "\"00201506193535b00011ae733256918d050b87c94fbfe12e4dc402f262c41cf67f2f\"}",
		 true, "kic_key: missing");
	one_line("decode", "{\"kind\":\"command\",\"tp_ud\":\"02710000\"}", false, "a response, no command");
}

/* One bad line, one error object; those around it are done; a key in a broken line is not quoted back. */
static void bad_lines_and_good_ones(void **state)
{
	static const char good[] =
		"{\"id\":\"good\",\"spi1\":\"16\",\"spi2\":\"00\",\"kic\":\"15\",\"kid\":\"15\"," HEAD "}\n";
	static const char *const bad[] = {
		"{\"kic_key\":\"c0ffeec0ffeec0ffee\n",
		"{\"kic_key\":\"c0ffeec0ffeec0ffee\" \"x\"}\n",
		"{\"kic_key\" \"c0ffeec0ffeec0ffee\"}\n",
		"c0ffeec0ffeec0ffee\n",
		"[\"c0ffeec0ffeec0ffee\"]\n",
		"{\"spi1\":\"16\",\"spi1\":\"16\"}\n",
		"{}\n",
		"{\"id\":\"bad\",\"spi1\":\"16\",\"spi2\":\"00\",\"kic\":\"15\",\"kid\":\"15\",\"tar\":\"000000\","
		"\"cntr\":\"0000000001\",\"secured_data\":\"\",\"kic_key\":\"c0ffeec0ffeec0ffee0\",\"kid_key\":"
		"\"c0ffeez\"}\n",
	};
	const size_t bads = sizeof(bad) / sizeof(bad[0]);
	static json_t *out[LINES_MAX];
	FILE *f = fopen(path_in, "w");
	char *text;
	size_t n;

	assert_non_null(f);
	for (size_t i = 0; i < bads; i++) {
		fputs(good, f);
		fputs(bad[i], f);
		fputs("\n  \r\n", f);
	}
	/* longer than any line may be, a NUL inside, and no end of line */
	for (size_t i = 0; i < 600 * 1024; i++)
		fputc('c', f);
	fputc('\n', f);
	fwrite("{\"id\":\0 1}\n", 1, 11, f);
	fwrite(good, 1, strlen(good) - 1, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(run_packet("encode", NULL), EXIT_PARTIAL);
	n = read_lines(out);
	assert_int_equal(n, 2 * bads + 3);
	for (size_t i = 0; i < n; i++) {
		bool is_good = i == 2 * bads + 2 || (i < 2 * bads && i % 2 == 0);

		assert_true(!json_object_get(out[i], "error") == is_good);
		assert_non_null(json_object_get(out[i], "id"));
		assert_true(json_is_string(json_object_get(out[i], "id")) == !json_object_get(out[i], "line"));
		assert_true(!is_good || !strcmp(text_of(out[i], "id"), "good"));
		assert_true(is_good || text_of(out[i], "error")[0]);
	}
	assert_string_equal(text_of(out[2 * bads - 1], "id"), "bad");
	assert_int_equal(json_integer_value(json_object_get(out[1], "line")), 2);
	text = slurp(path_out);
	assert_null(strstr(text, "c0ffee"));
	free(text);
	free_lines(out, n);
}

/* ------------------------------------------------------------------------------------------------ documents */

/* Runs a command of a document and compares what it says with what stands below it. */
static void example(const char *file, const char *command, const char *want)
{
	char script[COMMAND_MAX + 128];
	char *const argv[] = { "/bin/sh", "-c", script, NULL };
	char *got;

	snprintf(script, sizeof(script), "cd %s/work && %s", dir, command);
	run(argv, "/dev/null", true);
	got = slurp(path_out);
	if (strcmp(got, want))
		fail_msg("%s:\n$ %s\nsays\n%s\nand not\n%s", file, command, got, want);
	free(got);
}

/* The blocks of kind "console" of a document: "$ command", "> more of it", and then its output. */
static unsigned examples(const char *file)
{
	char *text = slurp(file), *rest = text, *line, command[COMMAND_MAX] = "", *want = calloc(strlen(text) + 1, 1);
	bool inside = false;
	unsigned n = 0;

	while ((line = strsep(&rest, "\n"))) {
		bool begins = inside && !strncmp(line, "$ ", 2), ends = inside && !strcmp(line, "```");

		if ((begins || ends) && command[0]) {
			example(file, command, want);
			command[0] = want[0] = '\0';
			n++;
		}
		if (ends) {
			inside = false;
		} else if (begins) {
			assert_true(strlen(line) < sizeof(command));
			strcpy(command, line + 2);
		} else if (inside && !strncmp(line, "> ", 2)) {
			assert_true(strlen(command) + strlen(line) < sizeof(command));
			strcat(strcat(command, "\n"), line + 2);
		} else if (inside) {
			strcat(strcat(want, line), "\n");
		} else {
			inside = !strcmp(line, "```console");
		}
	}
	free(want);
	free(text);
	printf("%s: %u examples\n", file, n);
	return n;
}

static void examples_of_the_manual(void **state)
{
	assert_true(examples(SOURCE "/contrib/doc/packet.md") >= 5);
}

static void examples_of_the_readme(void **state)
{
	assert_true(examples(SOURCE "/README.md") >= 1);
}

static void examples_about_errors(void **state)
{
	assert_true(examples(SOURCE "/contrib/doc/errors.md") >= 14);
	assert_true(examples(SOURCE "/tests/unit/otactl/explain_error.md") >= 20);
}

static void explain_golden_transcripts(void **state)
{
	assert_true(examples(SOURCE "/tests/unit/otactl/explain.md") >= 20);
}

/* Whatever the octets, explain ends in order. */
static void explain_anything(void **state)
{
	uint64_t s = 4711;
	FILE *f = fopen(path_in, "w");
	int rc;

	assert_non_null(f);
	for (unsigned i = 0; i < 3000; i++) {
		static const char *const heads[] = { "",     "0270", "027100", "07000301020170", "00",	 "aa",
						     "ab81", "4407", "4100",   "00a4",		 "0018", "029000" };
		unsigned len;

		s = s * 6364136223846793005u + 1442695040888963407u;
		len = (unsigned)(s >> 33) % 60;
		fputs(heads[(s >> 40) % (sizeof(heads) / sizeof(heads[0]))], f);
		while (len--) {
			s = s * 6364136223846793005u + 1442695040888963407u;
			fprintf(f, "%02x", (unsigned)(s >> 56));
		}
		fputc('\n', f);
	}
	assert_int_equal(fclose(f), 0);
	rc = run_packet("explain", NULL);
	assert_true(rc == 0 || rc == EXIT_PARTIAL);
	for (unsigned i = 0; i < 10; i++) {
		static const char *const kinds[] = { "command", "response",	  "tp-ud",	   "deliver", "submit",
						     "script",	"deliver-report", "submit-report", "answer",  "file" };
		char option[32];

		snprintf(option, sizeof(option), "--kind=%s", kinds[i]);
		rc = run_packet("explain", option);
		assert_true(rc == 0 || rc == EXIT_PARTIAL);
	}
}

/* ------------------------------------------------------------------------------------------------ main */

static int setup(void **state)
{
	char path[4096], tool[sizeof(OTACTL)] = OTACTL;

	*strrchr(tool, '/') = '\0';
	snprintf(path, sizeof(path), "%s:%s", tool, getenv("PATH"));
	setenv("PATH", path, 1);
	if (!mkdtemp(dir))
		return -1;
	snprintf(path_in, sizeof(path_in), "%s/in", dir);
	snprintf(path_out, sizeof(path_out), "%s/out", dir);
	snprintf(path_err, sizeof(path_err), "%s/err", dir);
	return 0;
}

/* A directory of its own for the examples of each document. */
static int work_begin(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s/work && mkdir %s/work", dir, dir);
	return system(command);
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_of_the_matrix),
		cmocka_unit_test(commands_of_every_length),
		cmocka_unit_test(commands_published),
		cmocka_unit_test(responses_of_the_matrix),
		cmocka_unit_test(responses_to_be_refused),
		cmocka_unit_test(responses_published),
		cmocka_unit_test(bodies_compact),
		cmocka_unit_test(bodies_expanded),
		cmocka_unit_test(segments_join),
		cmocka_unit_test(segments_as_asked),
		cmocka_unit_test(longest_packet),
		cmocka_unit_test(wrong_commands),
		cmocka_unit_test(wrong_responses),
		cmocka_unit_test(wrong_packets),
		cmocka_unit_test(bad_lines_and_good_ones),
		cmocka_unit_test_setup(examples_of_the_manual, work_begin),
		cmocka_unit_test_setup(examples_of_the_readme, work_begin),
		cmocka_unit_test_setup(examples_about_errors, work_begin),
		cmocka_unit_test_setup(explain_golden_transcripts, work_begin),
		cmocka_unit_test(explain_anything),
	};

	return cmocka_run_group_tests_name("otactl packet", tests, setup, teardown);
}
