/* config_link.c - the settings of an smsc-link that are more than a word or a number, and what a whole link must have.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "config_int.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "words.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define RATE_MAX	100000
#define SECOND_MS	1000
#define FLAVOUR_DEFAULT "generic-3.4" /* of links that do not say what they are */

int config_set_rate(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		    char *err, size_t cap)
{
	struct config_link *l = config_link_now(c);
	char *end;
	unsigned long v;

	if (!strcmp(argv[0], "unlimited")) {
		l->unlimited = l->rate_given = true;
		l->rate = 0;
		return 0;
	}
	errno = 0;
	v = strtoul(argv[0], &end, 10);
	if (!isdigit((unsigned char)argv[0][0]) || *end || errno || v < 1 || v > RATE_MAX) {
		snprintf(err, cap, "\"%.40s\" must be 1 to %d short messages per second, or \"unlimited\"", argv[0],
			 RATE_MAX);
		return -1;
	}
	l->unlimited = false;
	l->rate_given = true;
	l->rate = (double)v;
	return 0;
}

bool config_get_rate(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	const struct config_link *l = config_link_now(c);

	if (l->unlimited)
		snprintf(out, cap, "unlimited");
	else
		snprintf(out, cap, "%.0f", l->rate);
	return l->rate_given;
}

int config_set_source_type(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
			   char *err, size_t cap)
{
	struct config_link *l = config_link_now(c);
	struct otagw_config scratch = { .log_level = 0 };
	const char *const words[] = { "0", argv[0], argv[1] };

	if (config_set_source(s, &scratch, words, (int)ARRAY_SIZE(words), err, cap))
		return -1;
	l->src_ton = scratch.gw.src.ton;
	l->src_npi = scratch.gw.src.npi;
	return 0;
}

bool config_get_source_type(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	const struct config_link *l = config_link_now(c);

	snprintf(out, cap, "%u %u", l->src_ton, l->src_npi);
	return l->src_ton != CONFIG_TYPE_AS_GIVEN;
}

/* TS 31.115, 4.2: what makes a message a command packet is IEI 70 in its UDH. */
int config_set_concat(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		      char *err, size_t cap)
{
	int v = config_choice(s->syntax, argv[0], err, cap);

	if (v < 0)
		return -1;
	if (!strcmp(argv[0], "payload-whole")) {
		snprintf(err, cap,
			 "\"payload-whole\" has no user data header, and without its IEI 70 no card takes a message "
			 "for a "
			 "command packet (TS 31.115, 4.2); write payload-udh, or udh when the SMSC cannot divide that");
		return -1;
	}
	config_link_now(c)->concat = (uint8_t)v;
	return 0;
}

/* The first line of a secret's file: read now, so that its line in the config is named when something is wrong. */
int config_set_password(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
			char *err, size_t cap)
{
	struct config_link *l = config_link_now(c);
	char buf[CONFIG_PASSWORD_MAX + 2] = "";
	struct stat st;
	ssize_t n = -1;
	size_t len;
	int fd;

	if (strlen(argv[0]) >= sizeof(l->password_file)) {
		snprintf(err, cap, "the path is too long");
		return -1;
	}
	fd = open(argv[0], O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st)) {
		snprintf(err, cap, "%s: %s; put the SMSC's password into it: (umask 077; cat > %s)", argv[0],
			 strerror(errno), argv[0]);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (!S_ISREG(st.st_mode) || st.st_mode & 077)
		snprintf(err, cap, "%s: others may read it; run: chmod 600 %s", argv[0], argv[0]);
	else
		n = read(fd, buf, sizeof(buf) - 1);
	if (n < 0 && !(st.st_mode & 077))
		snprintf(err, cap, "%s: cannot be read: %s", argv[0], strerror(errno));
	close(fd);
	if (n < 0)
		return -1;
	len = strcspn(buf, "\r\n");
	if (len >= CONFIG_PASSWORD_MAX) {
		ks_wipe(buf, sizeof(buf));
		snprintf(err, cap, "%s: an SMPP password has at most %d characters", argv[0], CONFIG_PASSWORD_MAX - 1);
		return -1;
	}
	buf[len] = 0;
	memcpy(l->password, buf, len + 1);
	memcpy(l->password_file, argv[0], strlen(argv[0]) + 1);
	ks_wipe(buf, sizeof(buf));
	return 0;
}

/* Of a file that is read when the gateway starts: 0 when that can be. */
static int may_read(const char *path, bool private, char *err, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int rc = -1;

	if (fd < 0 || fstat(fd, &st))
		snprintf(err, cap, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		snprintf(err, cap, "%s: no file", path);
	else if (private && st.st_mode & 077)
		snprintf(err, cap, "%s: others may read it; run: chmod 600 %s", path, path);
	else
		rc = 0;
	if (fd >= 0)
		close(fd);
	return rc;
}

static int set_file(const struct config_setting *s, struct otagw_config *c, const char *path, bool private, char *err,
		    size_t cap)
{
	if (strlen(path) >= s->size) {
		snprintf(err, cap, "the path is too long");
		return -1;
	}
	if (may_read(path, private, err, cap))
		return -1;
	memcpy((char *)config_link_now(c) + s->offset, path, strlen(path) + 1);
	return 0;
}

int config_set_readable(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
			char *err, size_t cap)
{
	return set_file(s, c, argv[0], false, err, cap);
}

int config_set_private(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		       char *err, size_t cap)
{
	return set_file(s, c, argv[0], true, err, cap);
}

int config_link_open(struct otagw_config *c, const char *name, char *err, size_t cap)
{
	struct config_link *l;
	unsigned i = 0;

	if (!name_ok(name, LINK_NAME_MAX)) {
		snprintf(err, cap, "\"%.40s\": a link's name has letters, digits, '.', '_' and '-', at most %d", name,
			 LINK_NAME_MAX - 1);
		return -1;
	}
	while (i < c->n_links && strcmp(c->link[i].name, name))
		i++;
	config_link_at(i);
	if (i < c->n_links)
		return 0;
	if (c->n_links == CONFIG_LINKS_MAX) {
		config_link_at(0);
		snprintf(err, cap, "there may be %d links", CONFIG_LINKS_MAX);
		return -1;
	}
	l = &c->link[c->n_links++];
	*l = (struct config_link){ .port = 2775,
				   .flavour = FLAVOUR_DEFAULT,
				   .src_ton = CONFIG_TYPE_AS_GIVEN,
				   .src_npi = CONFIG_TYPE_AS_GIVEN,
				   .window = 10,
				   .enquire_link_ms = 30 * SECOND_MS,
				   .enquire_timeout_ms = 10 * SECOND_MS,
				   .response_ms = 60 * SECOND_MS,
				   .bind_ms = 10 * SECOND_MS,
				   .reconnect_ms = SECOND_MS,
				   .reconnect_max_ms = 60 * SECOND_MS,
				   .pid = 0x7f,
				   .dcs = 0xf6 };
	memcpy(l->name, name, strlen(name) + 1);
	return 0;
}

int config_check_link(const struct config_link *l, char *why, size_t cap)
{
	const struct {
		bool missing;
		const char *what;
	} need[] = {
		{ !*l->host, "remote-ip ADDRESS" },
		{ !*l->system_id, "system-id NAME" },
		{ !*l->password_file, "password-file PATH" },
		{ !l->rate_given,
		  "throughput <1-100000>|unlimited (short messages per second that were agreed with the SMSC)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(need); i++) {
		if (need[i].missing) {
			snprintf(why, cap, "smsc-link %s: there is no \"%s\": add it", l->name, need[i].what);
			return -1;
		}
	}
	if (!l->tls && (*l->tls_ca_file || *l->tls_server_name || *l->tls_certificate || *l->tls_key)) {
		snprintf(why, cap,
			 "smsc-link %s: there are settings of TLS and no \"tls yes\": add it, or take them out",
			 l->name);
		return -1;
	}
	if (!*l->tls_certificate != !*l->tls_key) {
		snprintf(why, cap, "smsc-link %s: tls-certificate and tls-key belong together", l->name);
		return -1;
	}
	if (l->reconnect_max_ms < l->reconnect_ms) {
		snprintf(why, cap, "smsc-link %s: reconnect-max is shorter than reconnect", l->name);
		return -1;
	}
	return 0;
}
