/* otactl_fix.h - the real otactl, run against canned answers; its output, and what it asked.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTACTL_FIX_H
#define OTACTL_FIX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "fake_server.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define OUTPUT_MAX    (256 << 10)

extern char dir[];			      /* of this run */
extern char sock[64], file[64], rejects[64];  /* in it */
extern char out[OUTPUT_MAX], err[OUTPUT_MAX]; /* of the last run() */
extern struct fake_server server;

int otactl_setup(void **state);
int otactl_teardown(void **state);

void write_file(const char *text);	 /* into `file` */
void slurp(const char *path, char *buf); /* OUTPUT_MAX octets */
/* Runs otactl with these arguments (NULL-terminated); its exit code. */
int run(const char *arg, ...);
/* Answers the next requests of a run, in order; after them done() says how many there were. */
void serve(const struct fake_answer *a, unsigned n);
#define SERVE(...)                                                  \
	static const struct fake_answer canned[] = { __VA_ARGS__ }; \
	serve(canned, ARRAY_SIZE(canned))
void assert_request(unsigned i, const char *line);
void assert_body(unsigned i, const char *key, const char *compact);
void done(unsigned requests);
void assert_has(const char *text, const char *part);

/* ---- answers that several tests need ---- */
#define VIEW(state, planned, active, done, failed, rate)                                                        \
	"{\"id\":1,\"name\":\"swap1\",\"profile\":\"usim-rfm\",\"state\":\"" state                              \
	"\",\"targets\":10,\"created\":\"2026-01-01T00:00:00.000Z\","                                           \
	"\"started\":\"2026-01-01T00:00:01.000Z\",\"ended\":null,\"states\":{\"PLANNED\":" planned              \
	",\"ACTIVE\":" active ",\"DONE\":" done ",\"FAILED\":" failed                                           \
	"},\"classes\":{\"ABSENT\":2,\"BUSY\":0},\"sms_parts\":30,\"attempts\":15,\"probes\":1,\"prepared\":1," \
	"\"in_flight\":2,\"waiting_timer\":3,\"waiting_presence\":4,\"done_per_s\":" rate ",\"eta_s\":65}"
#define STATUS                                                                                                       \
	"{\"version\":\"0.1.0\",\"ready\":true,\"alarm\":null,\"links\":[{\"name\":\"smsc\",\"up\":true,\"window\":" \
	"16}],\"cards\":10,\"campaigns\":[" VIEW("RUNNING", "0", "5", "5", "0",                                      \
						 "1.5") "],\"core\":{\"events\":5,\"counters_near_end\":2,\"store_"  \
							"alarm\":false},\"keystore\":{\"macs\":7}}"

#endif
