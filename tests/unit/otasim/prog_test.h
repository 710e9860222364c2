/* prog_test.h - the real otasim as a child, with a directory of its own.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef PROG_TEST_H
#define PROG_TEST_H

#include <stdint.h>
#include <sys/types.h>

#define PATIENCE_MS 60000 /* a hang becomes a failure, nothing else depends on it */

extern const char *prog_otasim; /* the program */
extern char prog_dir[64];
extern pid_t prog_pid; /* of the child that teardown ends, -1: none */

void prog_setup(void);	  /* makes the directory */
void prog_teardown(void); /* ends the child, removes the directory */
char *prog_path(const char *name);
/* Runs the program with stdout and stderr in a file; gives its pid. */
pid_t prog_spawn(char *const argv[], const char *out);
int prog_wait(pid_t pid); /* its exit status */
uint16_t prog_port(void); /* once the port file of the child is there */
int prog_dial(uint16_t port);
const char *prog_text(const char *name); /* of a file in the directory */
void prog_write(const char *name, const char *text);

/* Asks over the control socket `ctl` until the answer has `word` in it: REFRESH takes the phone a moment. */
void prog_control_until(const char *ask, const char *word);

#endif
