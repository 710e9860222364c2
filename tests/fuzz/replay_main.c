/* replay_main.c - runs a fuzz target over files, without libFuzzer.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * usage: fuzz_X FILE-OR-DIRECTORY...
 *
 * Every file is read into a heap block of its exact size, as libFuzzer does, so that ASan and valgrind see one octet
 * too far.  An empty corpus is an error: it would test nothing.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

#define INPUT_MAX (1 << 20)

static unsigned files;

static int run_file(const char *path, size_t size)
{
	uint8_t *data = malloc(size);
	FILE *f = fopen(path, "rb");
	size_t n = 0;

	if (f) {
		n = size ? fread(data, 1, size, f) : 0;
		fclose(f);
	}
	if (!f || n != size) {
		perror(path);
		free(data);
		return 1;
	}
	/* Flushed first: a target that crashes leaves the name of its input behind. */
	printf("%s: %zu octets\n", path, size);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	files++;
	return 0;
}

static int run(const char *path)
{
	struct dirent **list;
	struct stat st;
	int n, rc = 0;

	if (stat(path, &st) < 0) {
		perror(path);
		return 1;
	}
	if (S_ISREG(st.st_mode) && st.st_size <= INPUT_MAX)
		return run_file(path, (size_t)st.st_size);
	if (!S_ISDIR(st.st_mode)) {
		fprintf(stderr, "%s: not a file of up to %d octets, nor a directory\n", path, INPUT_MAX);
		return 1;
	}
	n = scandir(path, &list, NULL, alphasort);
	if (n < 0) {
		perror(path);
		return 1;
	}
	for (int i = 0; i < n; i++) {
		char file[PATH_MAX];

		snprintf(file, sizeof(file), "%s/%s", path, list[i]->d_name);
		if (list[i]->d_name[0] != '.')
			rc |= run(file);
		free(list[i]);
	}
	free(list);
	return rc;
}

int main(int argc, char **argv)
{
	int rc = 0;

	for (int i = 1; i < argc; i++)
		rc |= run(argv[i]);
	printf("%u inputs replayed\n", files);
	return rc || files == 0;
}
