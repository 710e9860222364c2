/* vty.c - the settings as libosmovty's nodes and commands, made from the table of config.c.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "vty.h"

#include <errno.h>
#include <osmocom/core/talloc.h>
#include <osmocom/vty/command.h>
#include <osmocom/vty/misc.h>
#include <osmocom/vty/stats.h>
#include <osmocom/vty/vty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config_int.h"
#include "vty_int.h"

extern vector cmdvec; /* libosmovty's nodes; exported, and in no header of it */

#define KEYWORD_MAX 24
#define REFUSED	    -1 /* a return value that config_from_file() does not read over, as it does over CMD_WARNING */
#define FIRST_NODE  (_LAST_OSMOVTY_NODE + 1)
#define NODE(k)	    ((int)(k) == CONF_TOP ? (int)CONFIG_NODE : FIRST_NODE + (int)(k)-CONF_OTAGW)

struct setting_cmd {
	struct cmd_element el;
	const struct config_setting *s;
};

static struct {
	struct otagw_config *c;
	void *tall;
	char err[CONFIG_ERR_MAX]; /* why the last line was refused, "": libosmovty did not know it */
	FILE *out;		  /* where vty_config_write() writes */
	/* How many the gateway has started with: they are first, and stay. */
	unsigned links, routes, partners;
} me;

/* --------------------------------------------------------------------------------------------- commands */

int vty_refuse(struct vty *vty, const char *err)
{
	snprintf(me.err, sizeof(me.err), "%s", err);
	if (vty->type != VTY_FILE)
		vty_out(vty, "%% %s%s", err, VTY_NEWLINE);
	return vty->type == VTY_FILE ? REFUSED : CMD_WARNING;
}

/* Where the name stands in the config; -1: nowhere. */
static int index_of(enum config_node node, const char *name)
{
	unsigned n = node == CONF_LINK ? me.c->n_links : node == CONF_ROUTE ? me.c->n_routes : me.c->desk.n_partners;

	for (unsigned i = 0; i < n; i++) {
		const char *have = node == CONF_LINK  ? me.c->link[i].name :
				   node == CONF_ROUTE ? me.c->route[i].name :
							me.c->partner[i].name;

		if (!strcmp(have, name))
			return (int)i;
	}
	return -1;
}

/* Settings go to the one of this name from now on.  0, or -1: another session has taken it back. */
static int enter(enum config_node node, const char *name)
{
	int i;

	if (node != CONF_LINK && node != CONF_ROUTE && node != CONF_PARTNER)
		return 0;
	i = index_of(node, name);
	if (i < 0)
		return -1;
	if (node == CONF_LINK)
		config_link_at((unsigned)i);
	else if (node == CONF_ROUTE)
		config_route_at((unsigned)i);
	else
		config_partner_at((unsigned)i);
	return 0;
}

/* The node that this session is in has a name, which lives as long as the session. */
static int go_into(struct vty *vty, enum config_node node, const char *name)
{
	char *index = talloc_strdup(vty, name);

	if (!index)
		return vty_refuse(vty, "out of memory");
	vty->node = NODE(node);
	vty->index = index;
	return CMD_SUCCESS;
}

static int on_setting(struct cmd_element *self, struct vty *vty, int argc, const char *argv[])
{
	const struct config_setting *s = ((struct setting_cmd *)self)->s;
	char err[CONFIG_ERR_MAX] = "";

	if (enter(s->node, vty->index)) {
		snprintf(err, sizeof(err), "%.64s was taken back meanwhile: 'exit' and open it again",
			 (char *)vty->index);
		return vty_refuse(vty, err);
	}
	if (s->set(s, me.c, argv, argc, err, sizeof(err)))
		return vty_refuse(vty, err);
	if (vty->type == VTY_TERM) { /* the gateway works with what it has read at its start */
		config_wipe(me.c);
		vty_out(vty, "%% noted: it holds after 'write file' and a restart of otagwd%s", VTY_NEWLINE);
	}
	if (s->node == CONF_LINK)
		config_link_given(s, me.c);
	return CMD_SUCCESS;
}

DEFUN(cfg_otagw, cfg_otagw_cmd, "otagw", "The gateway itself\n")
{
	vty->node = NODE(CONF_OTAGW);
	return CMD_SUCCESS;
}

DEFUN(cfg_keystore, cfg_keystore_cmd, "keystore", "Where card keys are sealed\n")
{
	vty->node = NODE(CONF_KEYSTORE);
	return CMD_SUCCESS;
}

DEFUN(cfg_link, cfg_link_cmd, "smsc-link NAME", "A connection to an SMSC\nIts name in logs and reports\n")
{
	char err[CONFIG_ERR_MAX] = "";

	if (config_link_open(me.c, argv[0], err, sizeof(err)))
		return vty_refuse(vty, err);
	return go_into(vty, CONF_LINK, argv[0]);
}

DEFUN(cfg_route, cfg_route_cmd, "route NAME", "Which links cards are reached by\nIts name in logs and status\n")
{
	char err[CONFIG_ERR_MAX] = "";

	if (config_route_open(me.c, argv[0], err, sizeof(err)))
		return vty_refuse(vty, err);
	return go_into(vty, CONF_ROUTE, argv[0]);
}

/* ---- what was opened in a session, and not meant ---- */

/* CMD_SUCCESS: it may be taken back, and stands there; else it has been refused. */
static int take_back(struct vty *vty, enum config_node node, const char *what, unsigned started, const char *name,
		     int *at)
{
	char err[CONFIG_ERR_MAX];
	int i = *at = index_of(node, name);

	if (vty->type == VTY_FILE)
		snprintf(err, sizeof(err), "a file has no \"no %s\": leave %.64s out of it", what, name);
	else if (i < 0)
		snprintf(err, sizeof(err), "there is no %s %.64s", what, name);
	else if ((unsigned)i < started)
		snprintf(err, sizeof(err),
			 "%s %.64s is in use since the start: take it out of the file and restart otagwd", what, name);
	else
		return CMD_SUCCESS;
	return vty_refuse(vty, err);
}

#define TAKE_OUT(array, n, i)                                                                        \
	do {                                                                                         \
		(n)--;                                                                               \
		memmove(&(array)[i], &(array)[(i) + 1], ((n) - (unsigned)(i)) * sizeof((array)[0])); \
		memset(&(array)[n], 0, sizeof((array)[0]));                                          \
	} while (0)

DEFUN(cfg_no_link, cfg_no_link_cmd, "no smsc-link NAME",
      NO_STR "A connection to an SMSC\nOne that was opened since the start\n")
{
	int i, rc = take_back(vty, CONF_LINK, "smsc-link", me.links, argv[0], &i);
	char err[CONFIG_ERR_MAX];

	if (rc != CMD_SUCCESS)
		return rc;
	for (unsigned r = 0; r < me.c->n_routes; r++) {
		for (unsigned k = 0; k < me.c->route[r].n_links; k++) {
			if (me.c->route[r].via[k].link != i)
				continue;
			snprintf(err, sizeof(err), "route %s goes via %s: give it another 'via' first",
				 me.c->route[r].name, argv[0]);
			return vty_refuse(vty, err);
		}
	}
	for (unsigned r = 0; r < me.c->n_routes; r++)
		for (unsigned k = 0; k < me.c->route[r].n_links; k++)
			me.c->route[r].via[k].link -= me.c->route[r].via[k].link > i;
	TAKE_OUT(me.c->link, me.c->n_links, i);
	return CMD_SUCCESS;
}

DEFUN(cfg_no_route, cfg_no_route_cmd, "no route NAME",
      NO_STR "Which links cards are reached by\nOne that was opened since the start\n")
{
	int i, rc = take_back(vty, CONF_ROUTE, "route", me.routes, argv[0], &i);

	if (rc != CMD_SUCCESS)
		return rc;
	TAKE_OUT(me.c->route, me.c->n_routes, i);
	return CMD_SUCCESS;
}

DEFUN(cfg_no_partner, cfg_no_partner_cmd, "no partner NAME",
      NO_STR "Another party to orders\nOne that was opened since the start\n")
{
	int i, rc = take_back(vty, CONF_PARTNER, "partner", me.partners, argv[0], &i);
	unsigned n;

	if (rc != CMD_SUCCESS)
		return rc;
	n = me.c->desk.n_partners; /* two arrays go together */
	TAKE_OUT(me.c->desk.partner, n, i);
	TAKE_OUT(me.c->partner, me.c->desk.n_partners, i);
	return CMD_SUCCESS;
}

DEFUN(cfg_retry, cfg_retry_cmd, "retry", "When to try again, and when to give up\n")
{
	vty->node = NODE(CONF_RETRY);
	return CMD_SUCCESS;
}

DEFUN(cfg_exchange, cfg_exchange_cmd, "exchange", "Orders between operators, and who we are in them\n")
{
	vty->node = NODE(CONF_EXCHANGE);
	return CMD_SUCCESS;
}

DEFUN(cfg_partner, cfg_partner_cmd, "partner NAME", "Another party to orders\nAs its party file names it\n")
{
	char err[CONFIG_ERR_MAX] = "";

	if (config_partner_open(me.c, argv[0], err, sizeof(err)))
		return vty_refuse(vty, err);
	return go_into(vty, CONF_PARTNER, argv[0]);
}

DEFUN(cfg_pool, cfg_pool_cmd, "pool", "What cards get that come to us\n")
{
	vty->node = NODE(CONF_POOL);
	return CMD_SUCCESS;
}

DEFUN(cfg_ctrl, cfg_ctrl_cmd, "ctrl", "The control interface of Osmocom's: GET, SET, TRAP\n")
{
	vty->node = NODE(CONF_CTRL);
	me.c->ctrl = true;
	return CMD_SUCCESS;
}

DEFUN(cfg_hlr, cfg_hlr_cmd, "hlr", "Our home location register\n")
{
	vty->node = NODE(CONF_HLR);
	return CMD_SUCCESS;
}

/* ------------------------------------------------------------------------------------------ config write */

static void put(struct vty *vty, const char *line)
{
	if (me.out)
		fprintf(me.out, "%s\n", line);
	else
		vty_out(vty, "%s%s", line, VTY_NEWLINE);
}

static void put_settings(struct vty *vty, enum config_node node)
{
	for (size_t i = 0; i < config_settings; i++) {
		const struct config_setting *s = &config_setting[i];
		char value[CONFIG_VALUE_MAX], line[CONFIG_VALUE_MAX + KEYWORD_MAX + 4];

		if (s->node != node || !s->get(s, me.c, value, sizeof(value)))
			continue;
		snprintf(line, sizeof(line), " %.*s %s", (int)strcspn(s->syntax, " "), s->syntax, value);
		put(vty, line);
	}
}

static int write_otagw(struct vty *vty)
{
	put(vty, "otagw");
	put_settings(vty, CONF_OTAGW);
	return 0;
}

static int write_keystore(struct vty *vty)
{
	put(vty, "keystore");
	put_settings(vty, CONF_KEYSTORE);
	return 0;
}

static int write_links(struct vty *vty)
{
	for (unsigned i = 0; i < me.c->n_links; i++) {
		char line[LINK_NAME_MAX + KEYWORD_MAX];

		config_link_at(i);
		snprintf(line, sizeof(line), "smsc-link %s", me.c->link[i].name);
		put(vty, line);
		put_settings(vty, CONF_LINK);
	}
	return 0;
}

static int write_routes(struct vty *vty)
{
	for (unsigned i = 0; i < me.c->n_routes; i++) {
		char value[CONFIG_VALUE_MAX], line[CONFIG_VALUE_MAX + KEYWORD_MAX + 4];

		config_route_at(i);
		snprintf(line, sizeof(line), "route %s", me.c->route[i].name);
		put(vty, line);
		for (unsigned k = 0; config_match_line(me.c, k, value, sizeof(value)); k++) {
			snprintf(line, sizeof(line), " match %s", value);
			put(vty, line);
		}
		put_settings(vty, CONF_ROUTE);
	}
	return 0;
}

static int write_retry(struct vty *vty)
{
	put(vty, "retry");
	put_settings(vty, CONF_RETRY);
	return 0;
}

/* Settings that may stand more than once. */
static void put_lines(struct vty *vty, bool (*line_of)(const struct otagw_config *c, unsigned i, char *out, size_t cap))
{
	char value[CONFIG_VALUE_MAX], line[CONFIG_VALUE_MAX + 2];

	for (unsigned i = 0; line_of(me.c, i, value, sizeof(value)); i++) {
		snprintf(line, sizeof(line), " %s", value);
		put(vty, line);
	}
}

static int write_exchange(struct vty *vty)
{
	if (!config_exchange_on(me.c))
		return 0;
	put(vty, "exchange");
	put_lines(vty, config_role_line);
	put_settings(vty, CONF_EXCHANGE);
	return 0;
}

static int write_partners(struct vty *vty)
{
	for (unsigned i = 0; i < me.c->desk.n_partners; i++) {
		char line[PKG_NAME_MAX + KEYWORD_MAX];

		config_partner_at(i);
		snprintf(line, sizeof(line), "partner %s", me.c->partner[i].name);
		put(vty, line);
		put_lines(vty, config_partner_line);
		put_settings(vty, CONF_PARTNER);
	}
	return 0;
}

static int write_pool(struct vty *vty)
{
	if (!*me.c->desk.pool.imsi_from && !*me.c->desk.pool.plmns && !*me.c->desk.pool.files)
		return 0;
	put(vty, "pool");
	put_settings(vty, CONF_POOL);
	put_lines(vty, config_file_line);
	return 0;
}

static int write_hlr(struct vty *vty)
{
	if (!me.c->hlr_port && !*me.c->hlr_template)
		return 0;
	put(vty, "hlr");
	put_settings(vty, CONF_HLR);
	return 0;
}

static int write_ctrl(struct vty *vty)
{
	if (!me.c->ctrl)
		return 0;
	put(vty, "ctrl");
	put_settings(vty, CONF_CTRL);
	return 0;
}

void vty_config_write(struct otagw_config *c, FILE *f)
{
	me.c = c;
	me.out = f;
	write_otagw(NULL);
	write_keystore(NULL);
	write_links(NULL);
	write_routes(NULL);
	write_retry(NULL);
	write_exchange(NULL);
	write_partners(NULL);
	write_pool(NULL);
	write_hlr(NULL);
	write_ctrl(NULL);
	me.out = NULL;
}

/* ------------------------------------------------------------------------------------------------- life */

static struct cmd_node node_otagw = { NODE(CONF_OTAGW), "%s(config-otagw)# ", 1 };
static struct cmd_node node_keystore = { NODE(CONF_KEYSTORE), "%s(config-keystore)# ", 1 };
static struct cmd_node node_link = { NODE(CONF_LINK), "%s(config-smsc-link)# ", 1 };
static struct cmd_node node_route = { NODE(CONF_ROUTE), "%s(config-route)# ", 1 };
static struct cmd_node node_retry = { NODE(CONF_RETRY), "%s(config-retry)# ", 1 };
static struct cmd_node node_exchange = { NODE(CONF_EXCHANGE), "%s(config-exchange)# ", 1 };
static struct cmd_node node_partner = { NODE(CONF_PARTNER), "%s(config-partner)# ", 1 };
static struct cmd_node node_pool = { NODE(CONF_POOL), "%s(config-pool)# ", 1 };
static struct cmd_node node_hlr = { NODE(CONF_HLR), "%s(config-hlr)# ", 1 };
static struct cmd_node node_ctrl = { NODE(CONF_CTRL), "%s(config-ctrl)# ", 1 };

/* `write file` writes nothing that would not be read.  1: it may. */
static int is_consistent(struct vty *vty)
{
	struct otagw_config *scratch = malloc(sizeof(*scratch));
	char why[CONFIG_ERR_MAX] = "out of memory";
	int rc = -1;

	if (scratch) {
		*scratch = *me.c;
		rc = config_check(scratch, why, sizeof(why)) ||
		     config_loopback("line vty", vty_get_bind_addr(), why, sizeof(why));
		ks_wipe(scratch, sizeof(*scratch));
	}
	free(scratch);
	if (rc)
		vty_out(vty, "%% not written: %s; a restart of otagwd forgets what was not written%s", why,
			VTY_NEWLINE);
	return !rc;
}

static vty_func *write_file; /* libosmovty's */

/* It gives the new file mode 0644, whatever the old one had; a password may stand in it. */
static int write_file_kept(struct cmd_element *self, struct vty *vty, int argc, const char *argv[])
{
	const char *path = argc > 0 ? argv[0] : host_config_file();
	struct stat st;
	bool was = path && !stat(path, &st);
	int rc = write_file(self, vty, argc, argv);

	if (rc == CMD_SUCCESS && path && chmod(path, was ? st.st_mode & 07777 : 0600))
		vty_out(vty, "%% %s: its mode cannot be set: %s%s", path, strerror(errno), VTY_NEWLINE);
	return rc;
}

void vty_wrap(const char *string, vty_func *by, vty_func **was)
{
	for (unsigned i = 0; i < vector_active(cmdvec); i++) {
		const struct cmd_node *node = vector_slot(cmdvec, i);

		for (unsigned k = 0; node && k < vector_active(node->cmd_vector); k++) {
			struct cmd_element *el = vector_slot(node->cmd_vector, k);

			if (!el || el->func == by || strcmp(el->string, string) != 0)
				continue;
			*was = el->func;
			el->func = by;
		}
	}
}

void *vty_tall(void)
{
	return me.tall;
}

int vty_config_init(struct otagw_config *c)
{
	static struct vty_app_info app = { .name = VTY_APP_NAME,
					   .version = OTAGW_VERSION,
					   .copyright = "AGPL-3.0-or-later\r\n",
					   .config_is_consistent = is_consistent };
	struct setting_cmd *cmd;

	me.c = c;
	me.links = c->n_links;
	me.routes = c->n_routes;
	me.partners = c->desk.n_partners;
	if (me.tall)
		return 0;
	me.tall = talloc_named_const(NULL, 0, "otagw-vty");
	cmd = talloc_zero_array(me.tall, struct setting_cmd, (unsigned)config_settings);
	if (!cmd)
		return -ENOMEM;
	app.tall_ctx = me.tall;
	vty_init(&app);
	install_element(CONFIG_NODE, &cfg_otagw_cmd);
	install_element(CONFIG_NODE, &cfg_keystore_cmd);
	install_element(CONFIG_NODE, &cfg_link_cmd);
	install_element(CONFIG_NODE, &cfg_no_link_cmd);
	install_element(CONFIG_NODE, &cfg_route_cmd);
	install_element(CONFIG_NODE, &cfg_no_route_cmd);
	install_element(CONFIG_NODE, &cfg_retry_cmd);
	install_element(CONFIG_NODE, &cfg_exchange_cmd);
	install_element(CONFIG_NODE, &cfg_partner_cmd);
	install_element(CONFIG_NODE, &cfg_no_partner_cmd);
	install_element(CONFIG_NODE, &cfg_pool_cmd);
	install_element(CONFIG_NODE, &cfg_hlr_cmd);
	install_element(CONFIG_NODE, &cfg_ctrl_cmd);
	install_node(&node_otagw, write_otagw);
	install_node(&node_keystore, write_keystore);
	install_node(&node_link, write_links);
	install_node(&node_route, write_routes);
	install_node(&node_retry, write_retry);
	install_node(&node_exchange, write_exchange);
	install_node(&node_partner, write_partners);
	install_node(&node_pool, write_pool);
	install_node(&node_hlr, write_hlr);
	install_node(&node_ctrl, write_ctrl);
	for (size_t i = 0; i < config_settings; i++) {
		cmd[i].s = &config_setting[i];
		cmd[i].el = (struct cmd_element){ .string = config_setting[i].syntax,
						  .doc = config_setting[i].doc,
						  .func = on_setting };
		install_element(NODE(config_setting[i].node), &cmd[i].el);
	}
	/* all four are one function of libosmovty's */
	vty_wrap("write", write_file_kept, &write_file);
	vty_wrap("write file [PATH]", write_file_kept, &write_file);
	vty_wrap("write memory", write_file_kept, &write_file);
	vty_wrap("copy running-config startup-config", write_file_kept, &write_file);
	vty_log_init(me.tall);
	osmo_stats_vty_add_cmds();
	osmo_talloc_vty_add_cmds();
	vty_show_init();
	vty_card_init();
	vty_about_init();
	return 0;
}

/* The number of the line that ends where the file stands now. */
static unsigned line_number(FILE *f)
{
	long at = ftell(f);
	unsigned n = 0;
	int ch = 0, last = '\n';

	rewind(f);
	for (long i = 0; i < at && (ch = getc(f)) != EOF; i++) {
		n += last == '\n';
		last = ch;
	}
	return n;
}

/* libosmovty tells neither whether there was a node `line vty`, nor where `bind` stood. */
static bool line_vty(FILE *f)
{
	char text[VTY_BUFSIZ], first[8], second[8];
	bool found = false;

	while (fgets(text, sizeof(text), f))
		found |=
			sscanf(text, "%7s %7s", first, second) == 2 && !strcmp(first, "line") && !strcmp(second, "vty");
	rewind(f);
	return found;
}

static int take_bind(struct otagw_config *c, char *why, size_t cap)
{
	const char *ip = vty_get_bind_addr();

	if (config_loopback("line vty", ip, why, cap))
		return -1;
	snprintf(c->vty_ip, sizeof(c->vty_ip), "%s", ip);
	c->vty_port = (uint16_t)vty_get_bind_port(CONFIG_VTY_PORT);
	return 0;
}

int vty_config_lines(struct otagw_config *c, FILE *f, unsigned *line, char *why, size_t cap)
{
	struct vty *vty;
	int rc, node;
	char text[VTY_BUFSIZ];

	*line = 0;
	if (vty_config_init(c)) {
		snprintf(why, cap, "out of memory");
		return -1;
	}
	*me.err = 0;
	c->vty = line_vty(f);
	vty = vty_new();
	vty->type = VTY_FILE;
	vty->node = CONFIG_NODE;
	rc = config_from_file(vty, f);
	node = vty->node;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(vty->buf, "\r\n"), vty->buf);
	vty_close(vty);
	if (rc == CMD_SUCCESS)
		return c->vty ? take_bind(c, why, cap) : 0;
	*line = line_number(f);
	if (*me.err)
		snprintf(why, cap, "%.*s", (int)cap - 1, me.err);
	else if (rc == CMD_ERR_INVALID_INDENT)
		snprintf(why, cap,
			 "the indentation fits neither the line above nor an outer one (tabs and blanks are not the "
			 "same)");
	else if (strlen(text) >= VTY_BUFSIZ - 1)
		snprintf(why, cap, "the line is longer than %d characters", VTY_BUFSIZ - 2);
	else if (node != CONFIG_NODE && (node < FIRST_NODE || node >= FIRST_NODE + _CONF_NODES - CONF_OTAGW))
		snprintf(why, cap, "libosmovty does not know \"%.80s\" here", text + strspn(text, " \t"));
	else
		config_explain(node == CONFIG_NODE ? CONF_TOP : (enum config_node)(node - FIRST_NODE + CONF_OTAGW),
			       text, why, cap);
	return -1;
}

int config_read(struct otagw_config *c, const char *path, char err[CONFIG_ERR_MAX])
{
	char why[CONFIG_ERR_MAX - CONFIG_PATH_MAX / 2] = "";
	unsigned line = 0;
	FILE *f;
	int rc;

	config_default(c);
	f = fopen(path, "re");
	if (!f) {
		snprintf(err, CONFIG_ERR_MAX, "%.100s: %s; a commented example is contrib/cfg/otagw.cfg", path,
			 strerror(errno));
		return -1;
	}
	rc = vty_config_lines(c, f, &line, why, sizeof(why));
	fclose(f);
	if (!rc)
		rc = config_check(c, why, sizeof(why));
	if (rc && line)
		snprintf(err, CONFIG_ERR_MAX, "%.100s:%u: %s", path, line, why);
	else if (rc)
		snprintf(err, CONFIG_ERR_MAX, "%.100s: %s", path, why);
	return rc;
}

int vty_reference(FILE *f)
{
	return vty_dump_xml_ref_mode(f, VTY_REF_GEN_MODE_DEFAULT);
}
