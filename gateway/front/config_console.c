/* config_console.c - the settings of VTY and CTRL.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_int.h"

static bool is_address(const char *ip)
{
	struct in_addr a;

	return strlen(ip) < CONFIG_IP_MAX && inet_pton(AF_INET, ip, &a) == 1;
}

int config_loopback(const char *node, const char *ip, char *err, size_t cap)
{
	if (!strncmp(ip, "127.", 4))
		return 0;
	snprintf(err, cap,
		 "%s: bind %.40s: only a loopback address (127.0.0.1): it has neither encryption nor users; from "
		 "elsewhere "
		 "come by ssh",
		 node, ip);
	return -1;
}

int config_set_ctrl(const struct config_setting *s, struct otagw_config *c, const char *const *argv, int argc,
		    char *err, size_t cap)
{
	char *end = NULL;
	unsigned long port = argc > 1 ? strtoul(argv[1], &end, 10) : CONFIG_CTRL_PORT;

	if (config_loopback("ctrl", argv[0], err, cap))
		return -1;
	if (!is_address(argv[0]) || (end && *end) || port > UINT16_MAX) {
		snprintf(err, cap, "\"%.40s\" must be A.B.C.D and a port of 0 to 65535", argv[0]);
		return -1;
	}
	memcpy(c->ctrl_ip, argv[0], strlen(argv[0]) + 1);
	c->ctrl_port = (uint16_t)port;
	return 0;
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
	char *end = NULL;
	unsigned long port = argc > 1 ? strtoul(argv[1], &end, 10) : CONFIG_GSMTAP_PORT;

	if (!is_address(argv[0]) || (end && *end) || !port || port > UINT16_MAX) {
		snprintf(err, cap, "\"%.40s\" must be A.B.C.D and a port of 1 to 65535", argv[0]);
		return -1;
	}
	memcpy(c->gsmtap_ip, argv[0], strlen(argv[0]) + 1);
	c->gsmtap_port = (uint16_t)port;
	return 0;
}

bool config_get_gsmtap(const struct config_setting *s, const struct otagw_config *c, char *out, size_t cap)
{
	if (c->gsmtap_port == CONFIG_GSMTAP_PORT)
		snprintf(out, cap, "remote %s", c->gsmtap_ip);
	else
		snprintf(out, cap, "remote %s %u", c->gsmtap_ip, c->gsmtap_port);
	return *c->gsmtap_ip != 0;
}
