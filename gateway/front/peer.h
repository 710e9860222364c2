/* peer.h - who stands at the other end of a loopback connection.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_PEER_H
#define OTAGW_PEER_H

#include <stdbool.h>

#define PEER_REFUSED "only root, the gateway's own user and the members of its group come in, as to the api's socket"

/* Whether this connection is of somebody who may open the api's socket (mode 0660): root, our own user, or a member of our group. */
bool peer_may(int fd);

#endif
