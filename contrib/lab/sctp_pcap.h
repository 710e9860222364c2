/* sctp_pcap.h - what the shim sends, as a capture file of SCTP.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef LAB_SCTP_PCAP_H
#define LAB_SCTP_PCAP_H

#include <stddef.h>
#include <stdint.h>

/* Appends one message to the file that SCTP_SHIM_PCAP names, which must be there with its head (link type 101); nothing without that
 * variable.  Several processes may write one file. */
void sctp_pcap(int fd, uint32_t ppid, uint16_t stream, const void *msg, size_t len);

#endif
