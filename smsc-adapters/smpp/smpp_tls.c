/* smpp_tls.c - TLS towards the SMSC: who it is, who we are, and why not in words that say what to do.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * OpenSSL on the connection's own socket, so that the buffers and the one flush per turn stay as they are.  A link that has
 * TLS never falls back: the certificate must be valid, of the CA that is told, and name the SMSC.
 */
#include "smpp_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REASON_MAX 128

/* What OpenSSL says of its last error, without its numbers. */
static const char *reason(unsigned long e, char buf[REASON_MAX])
{
	const char *s = ERR_reason_error_string(e);

	if (s)
		return s;
	if (!e)
		return "unknown reason";
	ERR_error_string_n(e, buf, REASON_MAX);
	return buf;
}

/* A key that asks for a passphrase would ask on the daemon's terminal. */
static int no_passphrase(char *buf, int size, int rwflag, void *ctx)
{
	return 0;
}

static const char *whom(const struct smpp_link_cfg *c)
{
	return *c->tls.server_name ? c->tls.server_name : c->host;
}

static int load(SSL_CTX *x, const struct smpp_link_cfg *c, char *err, size_t cap)
{
	char buf[REASON_MAX];

	if (*c->tls.ca_file && SSL_CTX_load_verify_file(x, c->tls.ca_file) != 1) {
		snprintf(err, cap, "tls-ca-file %s: no PEM certificates can be read from it: %s", c->tls.ca_file,
			 reason(ERR_peek_last_error(), buf));
		return -1;
	}
	if (!*c->tls.ca_file && SSL_CTX_set_default_verify_paths(x) != 1) {
		snprintf(err, cap, "tls: the system's certificates cannot be read; name a tls-ca-file");
		return -1;
	}
	if (!*c->tls.certificate)
		return 0;
	if (SSL_CTX_use_certificate_chain_file(x, c->tls.certificate) != 1) {
		snprintf(err, cap, "tls-certificate %s: no PEM certificate can be read from it: %s", c->tls.certificate,
			 reason(ERR_peek_error(), buf));
		return -1;
	}
	if (SSL_CTX_use_PrivateKey_file(x, c->tls.key, SSL_FILETYPE_PEM) != 1) {
		snprintf(err, cap, "tls-key %s: no PEM key without a passphrase, or not that of the certificate: %s",
			 c->tls.key, reason(ERR_peek_error(), buf));
		return -1;
	}
	return 0;
}

struct ssl_ctx_st *smpp_tls_context(const struct smpp_link_cfg *c, char *err, size_t cap)
{
	SSL_CTX *x;

	ERR_clear_error();
	x = SSL_CTX_new(TLS_client_method());
	if (!x) {
		snprintf(err, cap, "TLS cannot be set up: out of memory");
		return NULL;
	}
	SSL_CTX_set_min_proto_version(x, TLS1_2_VERSION);
	SSL_CTX_set_options(x, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION);
	/* The out-buffer moves and grows between two tries. */
	SSL_CTX_set_mode(x, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(x, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_default_passwd_cb(x, no_passphrase);
	if (!load(x, c, err, cap))
		return x;
	SSL_CTX_free(x);
	ERR_clear_error();
	return NULL;
}

void smpp_tls_context_free(struct ssl_ctx_st *x)
{
	SSL_CTX_free(x);
}

bool smpp_tls_begin(struct smpp_link *l)
{
	struct in6_addr addr;
	const char *name = whom(&l->cfg);
	X509_VERIFY_PARAM *p;
	bool good;

	ERR_clear_error();
	l->ssl = SSL_new(l->tls);
	if (!l->ssl || SSL_set_fd(l->ssl, l->fd) != 1)
		return false;
	p = SSL_get0_param(l->ssl);
	X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (inet_pton(AF_INET, name, &addr) == 1 || inet_pton(AF_INET6, name, &addr) == 1)
		good = X509_VERIFY_PARAM_set1_ip_asc(p, name) == 1;
	else
		good = X509_VERIFY_PARAM_set1_host(p, name, 0) == 1 && SSL_set_tlsext_host_name(l->ssl, name) == 1;
	SSL_set_connect_state(l->ssl);
	return good;
}

void smpp_tls_end(struct smpp_link *l)
{
	if (!l->ssl)
		return;
	ERR_clear_error();
	if (!l->tls_broken && SSL_is_init_finished(l->ssl))
		SSL_shutdown(l->ssl); /* says goodbye if there is room for it, waits for nothing */
	SSL_free(l->ssl);
	ERR_clear_error();
	l->ssl = NULL;
	l->tls_broken = false;
}

/* ------------------------------------------------------------------------------------------------- why not */

static void certificate_refused(struct smpp_link *l, long verdict)
{
	const char *text = X509_verify_cert_error_string(verdict);

	l->refused = true;
	switch (verdict) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		snprintf(l->tls_why, sizeof(l->tls_why), "its certificate is not for \"%.63s\" (tls-server-name)",
			 whom(&l->cfg));
		return;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		snprintf(l->tls_why, sizeof(l->tls_why), "its certificate is of none of the CAs in tls-ca-file (%.60s)",
			 text);
		return;
	default:
		snprintf(l->tls_why, sizeof(l->tls_why), "its certificate is not accepted: %.80s", text);
	}
}

static void say_why(struct smpp_link *l, unsigned long e)
{
	char buf[REASON_MAX];
	const char *what = reason(e, buf), *hint = "";

	switch (ERR_GET_REASON(e)) {
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
		hint = "; does it speak TLS on this port?";
		break;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
		hint = "; TLS 1.2 is the least";
		break;
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
	case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
	case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
		hint = "; is it our certificate that it wants, or another one? (tls-certificate)";
		l->refused = true;
		break;
	}
	snprintf(l->tls_why, sizeof(l->tls_why), "TLS: %.60s%s", what, hint);
}

/* What an operation that did not go through means: -1 with errno EAGAIN, EPROTO (tls_why) or of the socket; 0: the end. */
static ssize_t failed(struct smpp_link *l, int rc)
{
	int saved = errno;
	unsigned long e;
	long verdict;

	l->tls_wants_write = false;
	switch (SSL_get_error(l->ssl, rc)) {
	case SSL_ERROR_WANT_WRITE:
		l->tls_wants_write = true;
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_WANT_READ:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		l->tls_broken = true;
		errno = saved;
		return saved ? -1 : 0;
	}
	l->tls_broken = true;
	e = ERR_peek_error();
	verdict = SSL_get_verify_result(l->ssl);
	if (ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK)
		certificate_refused(l, verdict);
	else
		say_why(l, e);
	ERR_clear_error();
	errno = EPROTO;
	return -1;
}

int smpp_tls_handshake(struct smpp_link *l)
{
	ssize_t rc;

	errno = 0;
	ERR_clear_error();
	rc = SSL_do_handshake(l->ssl);
	if (rc == 1) {
		l->tls_wants_write = false;
		return 1;
	}
	rc = failed(l, (int)rc);
	if (!rc) {
		snprintf(l->tls_why, sizeof(l->tls_why),
			 "closed during the TLS handshake; does it speak TLS on this port?");
		errno = EPROTO;
	}
	return errno == EAGAIN ? 0 : -1;
}

ssize_t smpp_tls_read(struct smpp_link *l, void *buf, size_t cap)
{
	int n;

	errno = 0;
	ERR_clear_error();
	n = SSL_read(l->ssl, buf, (int)cap);
	return n > 0 ? n : failed(l, n);
}

ssize_t smpp_tls_write(struct smpp_link *l, const void *buf, size_t len)
{
	ssize_t n;

	errno = 0;
	ERR_clear_error();
	n = SSL_write(l->ssl, buf, (int)len);
	if (n > 0)
		return n;
	n = failed(l, (int)n);
	if (!n)
		errno = EPIPE; /* said goodbye: there is nobody to write to */
	return -1;
}

bool smpp_tls_pending(const struct smpp_link *l)
{
	return SSL_pending(l->ssl) > 0;
}

const char *smpp_tls_text(const struct smpp_link *l, char *buf, size_t cap)
{
	if (l->ssl)
		snprintf(buf, cap, ", %s, %s", SSL_get_version(l->ssl), SSL_get_cipher_name(l->ssl));
	else
		snprintf(buf, cap, "%s", "");
	return buf;
}
