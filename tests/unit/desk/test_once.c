/* test_once.c - lists of an operator's: nothing twice, found again, and read a piece at a time.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "b_int.h"
#include "once.h"

#define N 20000

static void number(unsigned i, char out[24])
{
	/* of differing lengths, and differing at either end */
	snprintf(out, 24, i % 3 ? "8988211%013u" : "%u", (i * 7919u) % N * (i % 2 ? 1 : 3));
}

/* As a list that is gone through from its beginning each time would have it. */
static void test_once(void **state)
{
	struct once *o = once_new();
	char(*all)[24] = calloc(N, sizeof(*all));
	unsigned n = 0;

	(void)state;
	assert_int_equal(once_find(o, "1"), ONCE_NONE);
	for (unsigned i = 0; i < N / 4; i++) {
		char digits[24], back[ONCE_DIGITS_MAX + 1];
		unsigned k = 0;

		number(i % (N / 5), digits);
		while (k < n && strcmp(all[k], digits))
			k++;
		assert_int_equal(once_add(o, digits), k < n);
		if (k == n)
			memcpy(all[n++], digits, sizeof(digits));
		assert_int_equal(once_n(o), n);
		assert_int_equal(once_find(o, digits), k);
		once_at(o, k, back);
		assert_string_equal(back, digits);
	}
	assert_true(n > N / 10 && n < N / 4);
	assert_int_equal(once_find(o, "89882119999999999999"), ONCE_NONE);
	once_free(o);
	free(all);
}

static char path[] = "/tmp/otagw-once-XXXXXX";

static void list_write(unsigned n, const char *last)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	for (unsigned i = n; i--;)
		fprintf(f, "8988211%012u,26201%010u%s\n", i, i, i % 2 ? ",4917" : "");
	fputs(last, f);
	assert_int_equal(fclose(f), 0);
}

static struct b_list *list_open(void)
{
	char err[DESK_ERR_MAX];
	int rc;
	struct b_list *l = b_list_open(path, err, &rc);

	assert_non_null(l);
	return l;
}

/* However long it is, a turn reads no more than so many lines of it. */
static void test_pieces(void **state)
{
	const unsigned n = 2 * LIST_TURN + 5;
	char err[DESK_ERR_MAX] = "";
	struct b_list *l;
	struct b_entry e;

	(void)state;
	list_write(n, "");
	l = list_open();
	assert_int_equal(b_list_more(l, "26202;26201", err), DESK_MORE);
	assert_int_equal(b_list_n(l), LIST_TURN);
	assert_int_equal(b_list_more(l, "26201", err), DESK_MORE);
	assert_int_equal(b_list_more(l, "26201", err), 0);
	assert_int_equal(b_list_n(l), n);
	b_list_at(l, 0, &e);
	assert_int_equal(strtoull(e.iccid + 7, NULL, 10), n - 1);
	assert_true(b_list_find(l, "8988211000000000007", &e));
	assert_string_equal(e.imsi, "262010000000007");
	assert_string_equal(e.msisdn, "4917");
	assert_true(b_list_find(l, "8988211000000000008", &e));
	assert_string_equal(e.msisdn, "");
	assert_false(b_list_find(l, "8988211000000099999", &e));
	b_list_free(l);
}

static void said_last(const char *last, const char *want)
{
	char err[DESK_ERR_MAX] = "";
	struct b_list *l;
	int rc;

	list_write(LIST_TURN, last);
	l = list_open();
	assert_int_equal(b_list_more(l, "26201", err), DESK_MORE);
	rc = b_list_more(l, "26201", err);
	if (rc != -EINVAL || !strstr(err, want))
		fail_msg("%d \"%s\", not \"%s\"", rc, err, want);
	b_list_free(l);
}

static void test_wrong(void **state)
{
	(void)state;
	said_last("8988211000000000009,262010000099999\n", "card 8988211000000000009 is there twice");
	said_last("8988211000000099999,262010000000009\n",
		  "cards 8988211000000000009 and 8988211000000099999 are given the same IMSI");
	said_last("8988211000000099999,262020000000009\n", "line 16385: this IMSI is of none of our networks");
	said_last("8988211000000099999\n", "all digits");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_once), cmocka_unit_test(test_pieces),
					    cmocka_unit_test(test_wrong) };
	int fd = mkstemp(path), rc;

	if (fd < 0)
		return 1;
	close(fd);
	rc = cmocka_run_group_tests_name("desk: lists", tests, NULL, NULL);
	unlink(path);
	return rc;
}
