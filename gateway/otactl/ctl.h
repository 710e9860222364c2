/* ctl.h - what the files of otactl share: exit codes, arguments, one call to the gateway, three output formats.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * otactl is a client of the HTTP API (contrib/doc/api.md): it links none of the gateway, so that whatever it can do, any
 * other program can do as well.  `otactl packet` needs no gateway at all and links the codec and the keystore instead,
 * `otactl explain-error` the error table and the core's pure rules about it.
 */
#ifndef OTACTL_CTL_H
#define OTACTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#define CTL_SOCKET_DEFAULT "/run/otagw/api.sock"
#define CTL_SOCKET_ENV	   "OTAGW_SOCKET"
#define CTL_POSITIONS_MAX  4
#define CTL_OPTIONS_MAX	   32	/* options given on one command line */
#define CTL_PATH_MAX	   512	/* of a request */
#define CTL_PAGE	   1000 /* rows asked for at a time */

enum ctl_exit {
	CTL_OK = 0,
	CTL_USAGE = 1,	 /* wrong arguments, unreadable file, output that cannot be written */
	CTL_REFUSED = 2, /* the gateway said no, by a rule */
	CTL_PARTIAL = 3, /* done for some, not for all */
	CTL_DOWN = 4,	 /* no gateway, not ready, or it went away */
};

enum ctl_format { CTL_TABLE, CTL_JSON, CTL_CSV };

struct ctl {
	const char *socket;
	bool format_given;
	enum ctl_format format;
};

/* ---- arguments ---- */
struct ctl_option {
	const char *name; /* without "--" */
	char letter;	  /* 0: none */
	const char *arg;  /* what it takes, NULL: nothing */
	const char *help;
};
struct ctl_args {
	const char *pos[CTL_POSITIONS_MAX];
	unsigned n_pos;
	struct {
		const struct ctl_option *option;
		const char *value;
	} given[CTL_OPTIONS_MAX];
	unsigned n_given;
};
/* The value of an option's occurrence number i (from 0), NULL when it was not given so often; "" for a flag. */
const char *ctl_arg(const struct ctl_args *a, const char *name, unsigned i);
/* A whole number, or `otherwise` when not given; false after a message when it is none or out of range. */
bool ctl_arg_number(const struct ctl_args *a, const char *name, double lo, double hi, double otherwise, double *out);
/* A verb that cannot be taken back needs --yes; false after the message. */
bool ctl_confirmed(const struct ctl_args *a, const char *what);

/* ---- messages ---- */
__attribute__((format(printf, 1, 2))) void ctl_error(const char *fmt, ...);
/* "did you mean 'show'?" for a mistyped word, when one is near. */
void ctl_error_word(const char *what, const char *word, const char *const *words, size_t n);

/* ---- the gateway ---- */
/* One request.  Returns CTL_OK with *out (a new reference; NULL pointer: not wanted), or says on stderr what went wrong. */
int ctl_call(const struct ctl *c, const char *method, const char *path, const char *type, const void *body, size_t len,
	     json_t **out);
int ctl_get(const struct ctl *c, const char *path, json_t **out);
int ctl_post_json(const struct ctl *c, const char *path, json_t *body, json_t **out);
/* The same without a word on stderr: the message goes to err. */
int ctl_try(const struct ctl *c, const char *method, const char *path, const char *type, const void *body, size_t len,
	    json_t **out, char *err, size_t err_cap);
/* HTTP status of the last answer, 0: there was none. */
int ctl_status(void);
/* Instead of a word on stderr when an answer takes long; NULL: that word. */
extern void (*ctl_on_slow)(void);
/* Between two looks at something that has no event to wait for. */
void ctl_wait(double seconds);
/* "/api/v1/campaigns/NAME/report", each NULL-terminated part escaped for a path. */
void ctl_path(char out[CTL_PATH_MAX], const char *first, ...) __attribute__((sentinel));

/* ---- JSON, forgiving: what is absent or null reads as "", 0, false ---- */
const char *js_text(const json_t *o, const char *key);
uint64_t js_count(const json_t *o, const char *key);
double js_real(const json_t *o, const char *key);
bool js_true(const json_t *o, const char *key);
/* Any value as one word: "" for null. */
const char *js_word(char *buf, size_t cap, const json_t *v);

/* ---- output ---- */
struct ctl_column {
	const char *key;   /* in the JSON row, and the CSV's column name */
	const char *title; /* of the table */
	bool right;	   /* numbers */
};
/* Rows with the same columns, printed page by page: a million lines never stand in memory. */
struct ctl_list {
	enum ctl_format format;
	const struct ctl_column *col;
	unsigned cols;
	unsigned width[24];
	uint64_t printed;
	bool begun;
};
void ctl_list_begin(struct ctl_list *l, enum ctl_format f, const struct ctl_column *col, unsigned cols);
void ctl_list_page(struct ctl_list *l, const json_t *rows);
void ctl_list_end(struct ctl_list *l);
void ctl_print_json(const json_t *v);
void ctl_csv_field(FILE *f, const char *text);
/* "2 h 05 min", "3 min 20 s", "4 s" */
const char *ctl_duration(char *buf, size_t cap, double seconds);
/* "2 of 3: 110 of 10000 cards, next in 1 h 12 min"; "" without. */
#define CTL_CANARY_MAX 128
const char *ctl_canary(char buf[CTL_CANARY_MAX], const json_t *canary, uint64_t targets);
/* "[#####>....]" of this many characters between the brackets. */
const char *ctl_bar(char *buf, size_t cap, double part, unsigned width);
/* Columns of the terminal behind this descriptor; 0: it is none. */
unsigned ctl_terminal(int fd);
/* Its rows. */
unsigned ctl_terminal_rows(int fd);
/* "ALARM       text", in red on a terminal; nothing without a text. */
void ctl_alarm(const char *text);

/* ---- a file in numbered chunks ---- */
#define CTL_CHUNK_LINES	  5000
#define CTL_CHUNK_MAX	  (1u << 20)
#define CTL_REJECTS_SHOWN 20   /* lines on stderr; --rejects writes all */
#define CTL_REJECTS_KEPT  1000 /* in JSON output */

struct ctl_upload {
	const struct ctl *c;
	const char *file;	 /* "-": standard input */
	char path[CTL_PATH_MAX]; /* of ".../lines" */
	const char *query;	 /* "" or "&session=dr1" */
	const char *label;	 /* of the progress bar */
	const char *profile;	 /* of an import: which card profile the cards are made for, "" not said */
	FILE *rejects;		 /* --rejects, or NULL */
	uint64_t accepted, updated, unchanged, filtered, may_have_run, packets, sms_parts, rejected, lines;
	json_t *kept; /* the first CTL_REJECTS_KEPT rejected lines */
};
/* Streams the whole file; totals are added up in u.  CTL_OK also when lines were rejected. */
int ctl_upload(struct ctl_upload *u);
/* Adds one answer to the totals and shows its rejected lines. */
void ctl_upload_take(struct ctl_upload *u, const json_t *answer);
/* "... and N more" after the last rejected line shown. */
void ctl_upload_done(struct ctl_upload *u);
/* Opens --rejects FILE when given; false after a message. */
bool ctl_rejects_open(struct ctl_upload *u, const struct ctl_args *a);

/* ---- commands, one file per group ---- */
int cmd_card_import(struct ctl *c, const struct ctl_args *a);
int cmd_card_list(struct ctl *c, const struct ctl_args *a);
int cmd_card_show(struct ctl *c, const struct ctl_args *a);
int cmd_card_present(struct ctl *c, const struct ctl_args *a);
int cmd_card_probe(struct ctl *c, const struct ctl_args *a);
int cmd_card_resync(struct ctl *c, const struct ctl_args *a);
int cmd_card_quarantine(struct ctl *c, const struct ctl_args *a);
int cmd_card_release(struct ctl *c, const struct ctl_args *a);
int cmd_campaign_create(struct ctl *c, const struct ctl_args *a);
int cmd_campaign_retry(struct ctl *c, const struct ctl_args *a);
int cmd_campaign_start(struct ctl *c, const struct ctl_args *a);
int cmd_campaign_pause(struct ctl *c, const struct ctl_args *a);
int cmd_campaign_cancel(struct ctl *c, const struct ctl_args *a);
int cmd_campaign_delete(struct ctl *c, const struct ctl_args *a);
int cmd_campaign_list(struct ctl *c, const struct ctl_args *a);
int cmd_campaign_show(struct ctl *c, const struct ctl_args *a);
int cmd_campaign_watch(struct ctl *c, const struct ctl_args *a);
int cmd_campaign_report(struct ctl *c, const struct ctl_args *a);
int cmd_smsc_list(struct ctl *c, const struct ctl_args *a);
int cmd_smsc_show(struct ctl *c, const struct ctl_args *a);
int cmd_smsc_block(struct ctl *c, const struct ctl_args *a);
int cmd_smsc_unblock(struct ctl *c, const struct ctl_args *a);
int cmd_smsc_drain(struct ctl *c, const struct ctl_args *a);
int cmd_trace_card(struct ctl *c, const struct ctl_args *a);
int cmd_smsc_watch(struct ctl *c, const struct ctl_args *a);
int cmd_status(struct ctl *c, const struct ctl_args *a);
int cmd_explain(struct ctl *c, const struct ctl_args *a);
int cmd_exchange_show(struct ctl *c, const struct ctl_args *a);
int cmd_party_create(struct ctl *c, const struct ctl_args *a);
int cmd_party_show(struct ctl *c, const struct ctl_args *a);
int cmd_order_sign(struct ctl *c, const struct ctl_args *a);
int cmd_explain_error(struct ctl *c, const struct ctl_args *a);
int cmd_packet_encode(struct ctl *c, const struct ctl_args *a);
int cmd_packet_decode(struct ctl *c, const struct ctl_args *a);
int cmd_packet_explain(struct ctl *c, const struct ctl_args *a);

/* One word for how a link is, orders included. */
const char *link_condition(const json_t *link);
/* Cards in a state that they do not leave any more, from a campaign's view. */
uint64_t campaign_ended(const json_t *view);

#endif
