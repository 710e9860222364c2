/* exchange_tls.c - mutual TLS between parties that have pinned each other.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The certificates are self-signed and no chain is built: OpenSSL's verification is replaced by one comparison with what the party file
 * of the partner holds, and its validity.  Sessions are not resumed: a certificate that is pinned no longer opens nothing.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "exchange_int.h"

#define LOG_EVERY_MS 1000

int64_t exchange_now(const struct exchange *x)
{
	return x->cfg.env->utc_ms(x->cfg.env->ctx);
}

void exchange_log(struct exchange *x, int level, const char *fmt, ...)
{
	char line[EXCHANGE_WHY_MAX + 160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (x->cfg.log)
		x->cfg.log(x->cfg.ctx, level, line);
}

void exchange_log_stranger(struct exchange *x, const char *fmt, ...)
{
	char line[EXCHANGE_WHY_MAX + 100];
	int64_t now = exchange_now(x);
	va_list ap;

	if (x->said_ms && now - x->said_ms < LOG_EVERY_MS) {
		x->unsaid++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (x->unsaid)
		exchange_log(x, 4, "exchange: %s (and %u more like it)", line, x->unsaid);
	else
		exchange_log(x, 4, "exchange: %s", line);
	x->said_ms = now;
	x->unsaid = 0;
}

/* ---- who is there ---- */

/* What hangs on a connection: small numbers as pointers, nothing to free.  0: nobody; else index + 1. */
static int ex_want = -1, ex_is = -1;

static void *number(int v)
{
	return (void *)(intptr_t)(v + 1);
}

int exchange_ssl_partner(const SSL *ssl)
{
	return (int)(intptr_t)SSL_get_ex_data(ssl, ex_is) - 1;
}

/* In place of a chain: is this one of those that we know, or the one that we wanted? */
static int verify(X509_STORE_CTX *sc, void *arg)
{
	struct exchange *x = arg;
	SSL *ssl = X509_STORE_CTX_get_ex_data(sc, SSL_get_ex_data_X509_STORE_CTX_idx());
	const X509 *cert = X509_STORE_CTX_get0_cert(sc);
	int want = (int)(intptr_t)SSL_get_ex_data(ssl, ex_want) - 1;

	for (unsigned i = 0; i < x->cfg.n_partners; i++) {
		const struct pkg_partner *p = x->cfg.partner[i].pinned;
		int rc;

		if (want >= 0 && (unsigned)want != i)
			continue;
		rc = pkg_partner_tls(p, cert, exchange_now(x) / 1000);
		if (rc == PKG_E_TIME) {
			exchange_log_stranger(x, "the TLS certificate of partner %s has expired, or is not valid yet",
					      pkg_partner_name(p));
			X509_STORE_CTX_set_error(sc, X509_V_ERR_CERT_HAS_EXPIRED);
			return 0;
		}
		if (!rc) {
			SSL_set_ex_data(ssl, ex_is, number((int)i));
			X509_STORE_CTX_set_error(sc, X509_V_OK);
			return 1;
		}
	}
	exchange_log_stranger(x, "%s%s shows a TLS certificate that is not the one in %s",
			      want >= 0 ? "whoever listens for partner " : "somebody",
			      want >= 0 ? pkg_partner_name(x->cfg.partner[want].pinned) : "",
			      want >= 0 ? "its party file" : "any partner's party file");
	X509_STORE_CTX_set_error(sc, X509_V_ERR_CERT_UNTRUSTED);
	return 0;
}

/* What we refuse for reasons that verify() does not see: no certificate at all, an old TLS, no TLS. */
static void on_info(const SSL *ssl, int where, int ret)
{
	struct exchange *x = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if ((where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT && ret >> 8 == SSL3_AL_FATAL)
		exchange_log_stranger(x, "a connection was refused: %s", SSL_alert_desc_string_long(ret));
}

static SSL_CTX *context(struct exchange *x, char *err, size_t cap)
{
	SSL_CTX *c = SSL_CTX_new(TLS_method());
	EVP_PKEY *key;
	X509 *cert;

	if (ex_want < 0) {
		ex_want = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
		ex_is = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	}
	pkg_self_tls(x->cfg.self, &key, &cert);
	if (!c || ex_want < 0 || ex_is < 0 || SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_use_certificate(c, cert) != 1 || SSL_CTX_use_PrivateKey(c, key) != 1) {
		snprintf(err, cap, "exchange: TLS cannot be set up with the certificate of %s",
			 pkg_self_name(x->cfg.self));
		ERR_clear_error();
		SSL_CTX_free(c);
		return NULL;
	}
	SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION |
				       SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(c, verify, x);
	SSL_CTX_set_app_data(c, x);
	SSL_CTX_set_info_callback(c, on_info);
	return c;
}

SSL *exchange_ssl(struct exchange *x, int want)
{
	SSL *ssl = SSL_new(x->ssl);

	if (ssl && !SSL_set_ex_data(ssl, ex_want, number(want))) {
		SSL_free(ssl);
		ssl = NULL;
	}
	return ssl;
}

/* ---- life ---- */

struct exchange *exchange_new(struct event_base *base, const struct exchange_cfg *cfg, char *err, size_t err_cap)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x) {
		snprintf(err, err_cap, "exchange: out of memory");
		return NULL;
	}
	x->base = base;
	x->cfg = *cfg;
	x->ssl = context(x, err, err_cap);
	if (!x->ssl) {
		free(x);
		return NULL;
	}
	for (unsigned i = 0; i < cfg->n_partners; i++) {
		x->peer[i].x = x;
		x->peer[i].index = i;
		if (exchange_peer_init(&x->peer[i])) {
			snprintf(err, err_cap, "exchange: out of memory");
			exchange_free(x);
			return NULL;
		}
	}
	if (cfg->listen_host && cfg->listen_port && exchange_listen(x, err, err_cap)) {
		exchange_free(x);
		return NULL;
	}
	return x;
}

void exchange_free(struct exchange *x)
{
	if (!x)
		return;
	exchange_listen_end(x);
	for (unsigned i = 0; i < x->cfg.n_partners; i++)
		exchange_peer_end(&x->peer[i]);
	SSL_CTX_free(x->ssl);
	free(x);
}

unsigned exchange_views(const struct exchange *x, struct exchange_view *out, unsigned cap)
{
	unsigned n = x->cfg.n_partners < cap ? x->cfg.n_partners : cap;

	for (unsigned i = 0; i < n; i++) {
		const struct exchange_peer *p = &x->peer[i];

		out[i] = (struct exchange_view){ .name = pkg_partner_name(x->cfg.partner[i].pinned),
						 .reachable = x->cfg.partner[i].port != 0,
						 .waiting = p->waiting,
						 .brought = p->brought,
						 .taken = p->taken,
						 .next_ms = p->next_ms,
						 .why = p->why };
	}
	return n;
}

const char *exchange_dir(const struct exchange *x)
{
	return x ? x->cfg.dir : "";
}
