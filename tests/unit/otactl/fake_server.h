/* fake_server.h - a gateway that gives canned answers in order and remembers what it was asked.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include <pthread.h>
#include <stddef.h>

#define FAKE_REQUESTS_MAX 64

struct fake_answer {
	int status;	  /* 0: close without an answer; -1: raw is sent as it is */
	const char *body; /* status -1: the raw octets */
};

struct fake_request {
	char line[512]; /* "POST /api/v1/imports" */
	char *body;	/* NUL-terminated */
	size_t len;
};

struct fake_server {
	char path[108];
	int fd;
	pthread_t thread;
	const struct fake_answer *answer;
	unsigned answers;
	struct fake_request request[FAKE_REQUESTS_MAX];
	unsigned requests;
};

/* Listens at path and answers `answers` requests, one per connection; more are answered 500. */
void fake_start(struct fake_server *s, const char *path, const struct fake_answer *answer, unsigned answers);
/* Stops listening; s->request can be looked at until fake_free(). */
void fake_stop(struct fake_server *s);
void fake_free(struct fake_server *s);

#endif
