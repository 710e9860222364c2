/* http_client.h - one HTTP/1.1 request over a Unix socket, blocking, with a limit on everything.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTACTL_HTTP_CLIENT_H
#define OTACTL_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_ANSWER_MAX (64u << 20) /* octets of an answer's body */
#define HTTP_HEAD_MAX	(64u << 10)
#define HTTP_TARGET_MAX 8192
#define HTTP_WAIT_MS	300000 /* without an octet from the gateway */
#define HTTP_SLOW_MS	5000   /* ... until http_on_slow is told */

struct http_answer {
	int status;	  /* 200, ... */
	char *raw;	  /* malloc'ed; */
	const char *body; /* inside raw, NUL-terminated */
	size_t len;
};

/* Called when an answer takes long; NULL: nobody wants to know. */
extern void (*http_on_slow)(void);

/* What else is looked at while an answer is awaited: the keyboard and signals of a full screen. */
#define HTTP_WATCH_FDS 2
#define HTTP_WATCH_MS  1000 /* between two calls of look() at the latest */
struct http_watch {
	int fd[HTTP_WATCH_FDS];	 /* -1: none */
	bool (*look)(void *ctx); /* NULL: nothing is looked at.  True: call it off (-ECANCELED) */
	void *ctx;
};
extern struct http_watch http_watch;

/* 0 with *out (free it with http_free()), or a negative errno with a sentence in err. */
int http_call(const char *socket_path, const char *method, const char *target, const char *type, const void *body,
	      size_t len, struct http_answer *out, char *err, size_t err_cap);
void http_free(struct http_answer *a);

#endif
