/* call.c - a request to the gateway, its answer as JSON, and the exit code that follows.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl.h"
#include "http_client.h"

#define API "/api/v1"

void ctl_path(char out[CTL_PATH_MAX], const char *first, ...)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = (size_t)snprintf(out, CTL_PATH_MAX, "%s", API);
	va_list ap;

	va_start(ap, first);
	for (const char *part = first; part; part = va_arg(ap, const char *)) {
		if (n + 1 < CTL_PATH_MAX)
			out[n++] = '/';
		/* what is not unreserved (RFC 3986, 2.3) is escaped: a name can never become a path of its own */
		for (; *part && n + 4 < CTL_PATH_MAX; part++) {
			unsigned char ch = (unsigned char)*part;

			if ((ch | 32) >= 'a' && (ch | 32) <= 'z')
				out[n++] = (char)ch;
			else if ((ch >= '0' && ch <= '9') || strchr("-._~", ch)) {
				out[n++] = (char)ch;
			} else {
				out[n++] = '%';
				out[n++] = hex[ch >> 4];
				out[n++] = hex[ch & 15];
			}
		}
	}
	va_end(ap);
	out[n] = '\0';
}

static int last_status;

int ctl_status(void)
{
	return last_status;
}

/* A sentence about a gateway that could not be reached, with what to do. */
static int explain_down(const struct ctl *c, int rc, const char *why, char *err, size_t cap)
{
	const char *what = "";

	if (rc == -ENOENT || rc == -ECONNREFUSED)
		what = "\n  Is otagwd running?  Start it with 'otagwd -c otagw.cfg', or name its socket with -s SOCKET "
		       "or in " CTL_SOCKET_ENV ".";
	else if (rc == -EACCES)
		what = "\n  You may not open this socket: run otactl as a member of the socket's group.";
	else if (rc == -ETIMEDOUT)
		what = "\n  It may be waiting for its store: 'otactl status' tells of an ALARM, otagwd's log of the "
		       "cause.";
	snprintf(err, cap, "cannot reach the gateway at %s: %s%s", c->socket, why, what);
	return CTL_DOWN;
}

static int explain_refusal(const struct http_answer *a, char *err, size_t cap)
{
	json_t *root = json_loadb(a->body, a->len, 0, NULL);
	const char *message = js_text(json_object_get(root, "error"), "message");

	if (*message)
		snprintf(err, cap, "%s", message);
	else
		snprintf(err, cap, "the gateway answered HTTP status %d", a->status);
	json_decref(root);
	return a->status >= 500 ? CTL_DOWN : CTL_REFUSED;
}

void (*ctl_on_slow)(void);

static void say_slow(void)
{
	static bool said;

	if (!said)
		ctl_error("the gateway has not answered for %d s and is waited for; 'otactl status' tells whether its "
			  "store is in ALARM",
			  HTTP_SLOW_MS / 1000);
	said = true;
}

int ctl_try(const struct ctl *c, const char *method, const char *path, const char *type, const void *body, size_t len,
	    json_t **out, char *err, size_t err_cap)
{
	struct http_answer a;
	json_error_t je;
	json_t *root;
	char why[200];
	int rc;

	http_on_slow = ctl_on_slow ? ctl_on_slow : say_slow;
	rc = http_call(c->socket, method, path, type, body, len, &a, why, sizeof(why));

	if (out)
		*out = NULL;
	last_status = rc ? 0 : a.status;
	if (rc)
		return explain_down(c, rc, why, err, err_cap);
	if (a.status < 200 || a.status > 299) {
		rc = explain_refusal(&a, err, err_cap);
		http_free(&a);
		return rc;
	}
	root = json_loadb(a.body, a.len, 0, &je);
	http_free(&a);
	if (!root && out) {
		snprintf(err, err_cap, "the gateway's answer is not JSON: %s", je.text);
		return CTL_DOWN;
	}
	if (out)
		*out = root;
	else
		json_decref(root);
	return CTL_OK;
}

int ctl_call(const struct ctl *c, const char *method, const char *path, const char *type, const void *body, size_t len,
	     json_t **out)
{
	char err[1024];
	int rc = ctl_try(c, method, path, type, body, len, out, err, sizeof(err));

	if (rc)
		ctl_error("%s", err);
	return rc;
}

int ctl_get(const struct ctl *c, const char *path, json_t **out)
{
	return ctl_call(c, "GET", path, "application/json", NULL, 0, out);
}

/* Takes over the reference to body. */
int ctl_post_json(const struct ctl *c, const char *path, json_t *body, json_t **out)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	int rc = ctl_call(c, "POST", path, "application/json", text, text ? strlen(text) : 0, out);

	json_decref(body);
	free(text);
	return rc;
}

void ctl_wait(double s)
{
	struct timespec t = { .tv_sec = (time_t)s, .tv_nsec = (long)((s - (double)(time_t)s) * 1e9) };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
		;
}

/* ------------------------------------------------------------------------------------------------ reading JSON */

const char *js_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

uint64_t js_count(const json_t *o, const char *key)
{
	double d = js_real(o, key);

	return d > 0 ? (uint64_t)d : 0;
}

double js_real(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

bool js_true(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

const char *js_word(char *buf, size_t cap, const json_t *v)
{
	if (json_is_string(v))
		return json_string_value(v);
	if (json_is_integer(v))
		snprintf(buf, cap, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_real(v))
		snprintf(buf, cap, "%.1f", json_real_value(v));
	else if (json_is_boolean(v))
		snprintf(buf, cap, "%s", json_is_true(v) ? "yes" : "no");
	else
		buf[0] = '\0';
	return buf;
}
