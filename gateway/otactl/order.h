/* order.h - what `otactl order`, `vault` and `exchange` share.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTACTL_ORDER_H
#define OTACTL_ORDER_H

#include "ctl.h"

#define CTL_FILE_MAX 256 /* of a path that the gateway opens itself, incl. NUL */

/* All pages of a path, "next" by "next"; query is "" or "step=A_ARM". */
int ctl_pages(const struct ctl *c, const char *path, const char *query, const char *member,
	      void (*page)(void *ctx, const json_t *rows), void *ctx);
int ctl_pages_list(const struct ctl *c, const char *path, const char *query, const char *member,
		   const struct ctl_column *col, unsigned cols);
/* Something is ordered of the desk; takes over the reference to body. */
int ctl_order(const struct ctl *c, const char *path, json_t *body);
/* As the gateway sees it, which runs elsewhere; false after a message. */
bool ctl_whole_path(const char *path, char out[CTL_FILE_MAX]);

int cmd_order_list(struct ctl *c, const struct ctl_args *a);
int cmd_order_show(struct ctl *c, const struct ctl_args *a);
int cmd_order_report(struct ctl *c, const struct ctl_args *a);
int cmd_order_cancel(struct ctl *c, const struct ctl_args *a);
int cmd_order_accept(struct ctl *c, const struct ctl_args *a);
int cmd_order_provide(struct ctl *c, const struct ctl_args *a);
int cmd_order_il(struct ctl *c, const struct ctl_args *a);
int cmd_change_start(struct ctl *c, const struct ctl_args *a);
int cmd_change_list(struct ctl *c, const struct ctl_args *a);
int cmd_change_show(struct ctl *c, const struct ctl_args *a);
int cmd_change_cancel(struct ctl *c, const struct ctl_args *a);
int cmd_vault_gen(struct ctl *c, const struct ctl_args *a);
int cmd_vault_import(struct ctl *c, const struct ctl_args *a);
int cmd_vault_issue(struct ctl *c, const struct ctl_args *a);
int cmd_vault_list(struct ctl *c, const struct ctl_args *a);
int cmd_vault_pair(struct ctl *c, const struct ctl_args *a);
int cmd_vault_ledger(struct ctl *c, const struct ctl_args *a);
int cmd_vault_verify(struct ctl *c, const struct ctl_args *a);
int cmd_exchange_status(struct ctl *c, const struct ctl_args *a);
int cmd_exchange_list(struct ctl *c, const struct ctl_args *a);
int cmd_exchange_import(struct ctl *c, const struct ctl_args *a);
int cmd_exchange_fetch(struct ctl *c, const struct ctl_args *a);

#endif
