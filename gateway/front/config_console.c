/* config_console.c - the settings of VTY and CTRL.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_int.h"

/* ip, and perhaps a port from min on. */
static int address_of(const char *const *argv, int argc, unsigned min, uint16_t none, char ip[CONFIG_IP_MAX],
		      uint16_t *port, char *err, size_t cap)
{
	char *end = NULL;
	unsigned long n = argc > 1 ? strtoul(argv[1], &end, 10) : none;
	struct in_addr a;

	if (strlen(argv[0]) >= CONFIG_IP_MAX || inet_pton(AF_INET, argv[0], &a) != 1) {
		snprintf(err, cap, "\"%.40s\" is no address of the form A.B.C.D", argv[0]);
		return -1;
	}
	if ((end && (*end || end == argv[1])) || n < min || n > UINT16_MAX) {
		snprintf(err, cap, "port \"%.20s\" must be %u to %u", argv[1], min, UINT16_MAX);
		return -1;
	}
	memcpy(ip, argv[0], strlen(argv[0]) + 1);
	*port = (uint16_t)n;
	return 0;
}

int config_loopback(const char *node, const char *ip, char *err, size_t cap)
{
	if (!strncmp(ip, "127.", 4))
		return 0;
	snprintf(err, cap,
		 "%s: bind %.40s: only a loopback address (127.0.0.1): it has no encryption; from "
		 "elsewhere "
		 "come by ssh",
		 node, ip);
	return -1;
}

int config_set_ctrl(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		    char *err, size_t cap)
{
	if (config_loopback("ctrl", argv[0], err, cap))
		return -1;
	return address_of(argv, argc, 0, CONFIG_CTRL_PORT, c->ctrl_ip, &c->ctrl_port, err, cap);
}

bool config_get_ctrl(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	if (c->ctrl_port == CONFIG_CTRL_PORT)
		snprintf(out, cap, "%s", c->ctrl_ip);
	else
		snprintf(out, cap, "%s %u", c->ctrl_ip, c->ctrl_port);
	return true;
}

int config_set_gsmtap(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		      char *err, size_t cap)
{
	return address_of(argv, argc, 1, CONFIG_GSMTAP_PORT, c->gsmtap_ip, &c->gsmtap_port, err, cap);
}

bool config_get_gsmtap(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	if (c->gsmtap_port == CONFIG_GSMTAP_PORT)
		snprintf(out, cap, "remote %s", c->gsmtap_ip);
	else
		snprintf(out, cap, "remote %s %u", c->gsmtap_ip, c->gsmtap_port);
	return *c->gsmtap_ip != 0;
}
