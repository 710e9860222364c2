/* test_smpp_tls.c - TLS to the SMSC: whom the link believes, what it says when it does not, and that the rest goes on as before.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Keys and certificates are made here, in a directory of their own that goes away with the test.
 */
#include "test_smsc.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DAY_S 86400

/* Who signs and who is signed. */
struct party {
	EVP_PKEY *key;
	X509 *cert;
};

static struct {
	char dir[64];
	struct party ca, other_ca, smsc, localhost, expired, client;
} pki;

static void path_of(char out[SMPP_PATH_MAX], const char *name)
{
	snprintf(out, SMPP_PATH_MAX, "%s/%s", pki.dir, name);
}

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(cert, e, -1), 1);
	X509_EXTENSION_free(e);
}

/* signer NULL: signs itself, and is a CA.  names: subjectAltName, may be NULL. */
static struct party make(const char *cn, const char *names, const struct party *signer, long from_s, long to_s)
{
	struct party p = { EVP_EC_gen("P-256"), X509_new() };
	const struct party *by = signer ? signer : &p;
	X509_NAME *name = X509_get_subject_name(p.cert);
	static long serial;

	assert_non_null(p.key);
	X509_set_version(p.cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(p.cert), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(p.cert), from_s);
	X509_gmtime_adj(X509_getm_notAfter(p.cert), to_s);
	X509_set_pubkey(p.cert, p.key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(p.cert, X509_get_subject_name(by->cert));
	extend(p.cert, by->cert, NID_basic_constraints, signer ? "critical,CA:FALSE" : "critical,CA:TRUE");
	if (names)
		extend(p.cert, by->cert, NID_subject_alt_name, names);
	assert_true(X509_sign(p.cert, by->key, EVP_sha256()) > 0);
	return p;
}

static void party_free(struct party *p)
{
	EVP_PKEY_free(p->key);
	X509_free(p->cert);
}

static void write_pem(const char *name, const struct party *p, bool key)
{
	char path[SMPP_PATH_MAX];
	FILE *f;

	path_of(path, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(key ? PEM_write_PrivateKey(f, p->key, NULL, NULL, 0, NULL, NULL) : PEM_write_X509(f, p->cert),
			 1);
	fclose(f);
}

static const char *const files[] = { "ca.pem", "other.pem", "client.pem", "client.key", "locked.key", "rubbish.pem" };

static int pki_setup(void **state)
{
	char path[SMPP_PATH_MAX];
	FILE *f;

	signal(SIGPIPE, SIG_IGN);
	snprintf(pki.dir, sizeof(pki.dir), "/tmp/otagw-tls.XXXXXX");
	assert_non_null(mkdtemp(pki.dir));
	pki.ca = make("test CA", NULL, NULL, -DAY_S, DAY_S);
	pki.other_ca = make("another CA", NULL, NULL, -DAY_S, DAY_S);
	pki.smsc = make("smsc", "DNS:smsc.example,IP:127.0.0.1", &pki.ca, -DAY_S, DAY_S);
	pki.localhost = make("elsewhere", "DNS:elsewhere.example", &pki.ca, -DAY_S, DAY_S);
	pki.expired = make("smsc", "IP:127.0.0.1", &pki.ca, -2 * DAY_S, -DAY_S);
	pki.client = make("OTAGW", NULL, &pki.ca, -DAY_S, DAY_S);
	write_pem("ca.pem", &pki.ca, false);
	write_pem("other.pem", &pki.other_ca, false);
	write_pem("client.pem", &pki.client, false);
	write_pem("client.key", &pki.client, true);
	path_of(path, "locked.key");
	f = fopen(path, "we");
	assert_int_equal(PEM_write_PrivateKey(f, pki.client.key, EVP_aes_128_cbc(), (const unsigned char *)"x1234567",
					      8, NULL, NULL),
			 1);
	fclose(f);
	path_of(path, "rubbish.pem");
	f = fopen(path, "we");
	fputs("-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n", f);
	fclose(f);
	return 0;
}

static int pki_teardown(void **state)
{
	struct party *all[] = { &pki.ca, &pki.other_ca, &pki.smsc, &pki.localhost, &pki.expired, &pki.client };
	char path[SMPP_PATH_MAX];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		party_free(all[i]);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		path_of(path, files[i]);
		unlink(path);
	}
	return rmdir(pki.dir);
}

/* The SMSC speaks TLS as this party; the link believes ca.pem. */
static void secure(struct bed *b, const struct party *as)
{
	b->smsc.tls = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(b->smsc.tls, as->cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(b->smsc.tls, as->key), 1);
	b->other.tls = b->smsc.tls;
	b->cfg.tls.on = true;
	path_of(b->cfg.tls.ca_file, "ca.pem");
}

static int teardown(void **state)
{
	struct bed *b = *state;
	SSL_CTX *x = b->smsc.tls;
	int rc = bed_teardown(state);

	SSL_CTX_free(x);
	return rc;
}

#define T(f) cmocka_unit_test_setup_teardown(f, bed_setup, teardown)

/* Never bound, and the log says this; the password has not left. */
static void never_up(struct bed *b, const char *say, bool long_pause)
{
	b->cfg.reconnect_ms = 10;
	b->cfg.reconnect_max_ms = 3600000;
	bed_start(b);
	BED_WAIT(b, bed_logged(b, "next try in"));
	if (!bed_logged(b, say))
		for (unsigned i = 0; i < b->n_logs; i++)
			print_message("%s\n", b->log[i]);
	assert_true(bed_logged(b, say));
	assert_true(bed_logged(b, "next try in 3600000 ms") == long_pause);
	assert_int_equal(b->smsc.binds, 0);
	assert_int_equal(bed_count(b, LINK_EV_UP), 0);
}

static void test_good(void **state)
{
	struct bed *b = *state;

	secure(b, &pki.smsc);
	b->cfg.window = 100;
	b->smsc.auto_submit = true;
	bed_up(b);
	assert_true(bed_logged(b, "as \"OTAGW\", TLSv1.3, TLS_"));
	for (uint64_t i = 1; i <= 100; i++)
		assert_int_equal(bed_submit(b, i), 0);
	BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == 100);
	/* and goes as it came */
	b->link->ops->stop(b->link);
	BED_WAIT(b, b->smsc.unbinds == 1);
	smsc_close(&b->smsc);
	BED_WAIT(b, bed_count(b, LINK_EV_DOWN) == 1);
	b->link->ops->start(b->link);
	BED_WAIT(b, bed_count(b, LINK_EV_UP) == 2);
	assert_false(bed_logged(b, "secret"));
}

static void test_names(void **state)
{
	struct bed *b = *state;

	secure(b, &pki.smsc);
	snprintf(b->cfg.tls.server_name, sizeof(b->cfg.tls.server_name), "smsc.example");
	bed_up(b);
}

static void test_tls12(void **state)
{
	struct bed *b = *state;

	secure(b, &pki.smsc);
	SSL_CTX_set_max_proto_version(b->smsc.tls, TLS1_2_VERSION);
	bed_up(b);
	assert_true(bed_logged(b, "TLSv1.2"));
}

static void test_too_old(void **state)
{
	struct bed *b = *state;

	secure(b, &pki.smsc);
	SSL_CTX_set_security_level(b->smsc.tls, 0);
	SSL_CTX_set_min_proto_version(b->smsc.tls, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(b->smsc.tls, TLS1_1_VERSION);
	never_up(b, "TLS 1.2 is the least", false);
}

static void test_wrong_name(void **state)
{
	struct bed *b = *state;

	secure(b, &pki.localhost);
	never_up(b, "its certificate is not for \"127.0.0.1\" (tls-server-name)", true);
}

static void test_wrong_dns_name(void **state)
{
	struct bed *b = *state;

	secure(b, &pki.smsc);
	snprintf(b->cfg.tls.server_name, sizeof(b->cfg.tls.server_name), "smsc.exampel");
	never_up(b, "its certificate is not for \"smsc.exampel\"", true);
}

static void test_wrong_ca(void **state)
{
	struct bed *b = *state;

	secure(b, &pki.smsc);
	path_of(b->cfg.tls.ca_file, "other.pem");
	never_up(b, "its certificate is of none of the CAs in tls-ca-file", true);
}

static void test_expired(void **state)
{
	struct bed *b = *state;

	secure(b, &pki.expired);
	never_up(b, "its certificate is not accepted: certificate has expired", true);
}

/* The SMSC speaks plain SMPP and waits for us to begin: it takes our greeting for rubbish and closes. */
static void test_plain_smsc(void **state)
{
	struct bed *b = *state;

	b->cfg.tls.on = true;
	path_of(b->cfg.tls.ca_file, "ca.pem");
	b->smsc.deaf = true;
	b->cfg.bind_ms = 300;
	never_up(b, "the TLS handshake was not finished in time", false);
}

static void test_smsc_closes(void **state)
{
	struct bed *b = *state;

	b->cfg.tls.on = true;
	path_of(b->cfg.tls.ca_file, "ca.pem");
	b->smsc.close_on_accept = true;
	b->cfg.reconnect_max_ms = 3600000;
	bed_start(b);
	BED_WAIT(b, bed_logged(b, "next try in"));
	assert_true(bed_logged(b, "closed during the TLS handshake") || bed_logged(b, "reset by peer"));
}

static void on_accept_plain(struct bed *b)
{
	static const char text[] = "220 smsc.example ESMTP\r\n";

	BED_WAIT(b, b->smsc.fd >= 0);
	assert_true(send(b->smsc.fd, text, sizeof(text) - 1, MSG_NOSIGNAL) > 0);
}

static void test_something_else(void **state)
{
	struct bed *b = *state;

	b->cfg.tls.on = true;
	path_of(b->cfg.tls.ca_file, "ca.pem");
	b->smsc.deaf = true;
	b->cfg.reconnect_max_ms = 3600000;
	bed_start(b);
	on_accept_plain(b);
	BED_WAIT(b, bed_logged(b, "next try in"));
	assert_true(bed_logged(b, "does it speak TLS on this port?"));
}

/* TLS 1.3 lets the client finish before the server has looked at its certificate: the refusal comes to the bind. */
static void test_client_certificate(void **state)
{
	struct bed *b = *state;
	char path[SMPP_PATH_MAX];

	secure(b, &pki.smsc);
	path_of(path, "ca.pem");
	SSL_CTX_load_verify_file(b->smsc.tls, path);
	SSL_CTX_set_verify(b->smsc.tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	path_of(b->cfg.tls.certificate, "client.pem");
	path_of(b->cfg.tls.key, "client.key");
	bed_up(b);
}

static void test_client_certificate_missing(void **state)
{
	struct bed *b = *state;
	char path[SMPP_PATH_MAX];

	secure(b, &pki.smsc);
	path_of(path, "ca.pem");
	SSL_CTX_load_verify_file(b->smsc.tls, path);
	SSL_CTX_set_verify(b->smsc.tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	never_up(b, "is it our certificate that it wants", true);
}

/* What cannot be read is said when the link is made, with the file's name. */
static void test_files(void **state)
{
	static const struct {
		const char *ca, *cert, *key, *say;
	} rows[] = {
		{ "none.pem", "", "", "none.pem: no PEM certificates" },
		{ "rubbish.pem", "", "", "rubbish.pem: no PEM certificates" },
		{ "ca.pem", "client.key", "client.key", "tls-certificate" },
		{ "ca.pem", "client.pem", "none.key", "none.key: no PEM key" },
		{ "ca.pem", "client.pem", "locked.key", "locked.key: no PEM key without a passphrase" },
		{ "ca.pem", "ca.pem", "client.key", "not that of the certificate" },
		{ "ca.pem", "client.pem", "", "certificate and key belong together" },
	};
	struct bed *b = *state;
	struct smpp_link_env env = { .base = b->base, .errtab = b->errtab };
	char err[640];

	for (unsigned pair = 0; pair < 2; pair++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct smpp_link_cfg c = b->cfg;

			c.bind_as = (uint8_t)pair;
			c.tls.on = true;
			path_of(c.tls.ca_file, rows[i].ca);
			if (*rows[i].cert)
				path_of(c.tls.certificate, rows[i].cert);
			if (*rows[i].key)
				path_of(c.tls.key, rows[i].key);
			env.now_ms = bed_clock;
			env.ctx = b;
			assert_null(smpp_link_new(&c, &env, err, sizeof(err)));
			if (!strstr(err, rows[i].say))
				fail_msg("%s: %s", rows[i].say, err);
		}
	}
}

/* More than TLS or the socket takes at once, both ways, in records of any size. */
static void test_much(void **state)
{
	struct bed *b = *state;
	int small = 4096;
	struct smpp_link *l;

	secure(b, &pki.smsc);
	b->cfg.window = SMPP_WINDOW_MAX;
	b->smsc.auto_submit = true;
	smsc_narrow(&b->smsc);
	bed_up(b);
	l = (struct smpp_link *)b->link;
	setsockopt(l->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	b->smsc.deaf = true;
	for (uint64_t i = 1; i <= SMPP_WINDOW_MAX; i++)
		assert_int_equal(bed_submit(b, i), 0);
	BED_WAIT(b, l->write_waits && l->tls_wants_write);
	b->smsc.deaf = false;
	event_add(b->smsc.read_ev, NULL);
	BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == SMPP_WINDOW_MAX);
	for (unsigned i = 0; i < SMPP_WINDOW_MAX; i++)
		assert_true(bed_event(b, LINK_EV_ACCEPTED, i)->token == i + 1);
	assert_int_equal(bed_count(b, LINK_EV_DOWN), 0);
}

/* A connection that is cut, not closed. */
static void test_cut(void **state)
{
	struct bed *b = *state;

	secure(b, &pki.smsc);
	bed_up(b);
	assert_int_equal(bed_submit(b, 1), 0);
	BED_WAIT(b, b->smsc.n_submits == 1);
	smsc_close(&b->smsc);
	BED_WAIT(b, bed_count(b, LINK_EV_UP) == 2);
	assert_int_equal(bed_count(b, LINK_EV_UNKNOWN), 1);
	assert_true(bed_logged(b, "closed by the SMSC"));
}

static void test_pair_over_tls(void **state)
{
	struct bed *b = *state;

	secure(b, &pki.smsc);
	bed_pair(b);
	b->other.tls = b->smsc.tls;
	bed_up(b);
	assert_true(bed_logged(b, "smpp a (transmitter): bound"));
}

int smpp_tls_run(void)
{
	const struct CMUnitTest tests[] = {
		T(test_good),
		T(test_names),
		T(test_tls12),
		T(test_too_old),
		T(test_wrong_name),
		T(test_wrong_dns_name),
		T(test_wrong_ca),
		T(test_expired),
		T(test_plain_smsc),
		T(test_smsc_closes),
		T(test_something_else),
		T(test_client_certificate),
		T(test_client_certificate_missing),
		T(test_files),
		T(test_much),
		T(test_cut),
		T(test_pair_over_tls),
	};

	return cmocka_run_group_tests_name("smpp_tls", tests, pki_setup, pki_teardown);
}
