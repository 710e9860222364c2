/* http.h - the api over HTTP on a Unix socket.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * contrib/doc/api.md is the contract.  Whoever may open the socket (mode 0660: owner and group) may do everything.
 */
#ifndef OTAGW_HTTP_H
#define OTAGW_HTTP_H

#include <stddef.h>

#include "api.h"

#define HTTP_BODY_MAX	 (API_CHUNK_BYTES_MAX + 65536) /* what is read at all; beyond it the connection is closed */
#define HTTP_JSON_MAX	 16384			       /* octets of a JSON request */
#define HTTP_HEADERS_MAX 16384
#define HTTP_CONNS_MAX	 64 /* connections at a time */
#define HTTP_IDLE_S	 60 /* a connection that says nothing this long is closed */

struct event_base;
struct http;

/* Before anything of libevent is used: what libevent frees is wiped first, because bodies carry keys; SIGPIPE is ignored. */
int http_global_init(void);

/* Binds and listens.  A socket file that nobody answers on is replaced, one that somebody answers on is refused.  NULL with
 * a sentence in err. */
struct http *http_new(struct event_base *base, struct api *api, const char *path, char *err, size_t err_cap);
/* Requests that still wait are dropped; their answers come to nothing.  Removes the socket file. */
void http_free(struct http *h);

#endif
