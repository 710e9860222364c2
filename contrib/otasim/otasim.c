/* otasim.c - fleet, air, SMSCs and scenario under one roof and one handed-in clock.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "otasim_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

_Static_assert(OTASIM_ERR_MAX >= SCN_ERR_MAX, "a scenario's error fits");
_Static_assert(OTASIM_CTRL_REPLY == SIM_HLR_REPLY_MAX, "a register's reply fits");
_Static_assert(OTASIM_KEY_HEX > 2 * SIM_KEY_MAX, "a key fits");

/* ---- life ---- */

char *scenario_read(const char *path, size_t *len, char err[OTASIM_ERR_MAX])
{
	char *text = malloc(SCN_TEXT_MAX + 1);
	FILE *in = fopen(path, "re");

	if (in && text) {
		*len = fread(text, 1, SCN_TEXT_MAX + 1, in); /* one too many is seen by the parser */
		if (!ferror(in)) {
			fclose(in);
			return text;
		}
	}
	snprintf(err, OTASIM_ERR_MAX, "cannot read scenario %.200s: %s", path, text ? strerror(errno) : "no memory");
	if (in)
		fclose(in);
	free(text);
	return NULL;
}

static int fleet_make(struct otasim *o, char err[OTASIM_ERR_MAX])
{
	const struct opts *opts = &o->opts;
	size_t len = 0;
	char *text;
	int rc;

	if (!opts->perso[0])
		return fleet_init(&o->fleet, o->scn->cards, opts->seed, &opts->card, opts->new_imsi_prefix, err,
				  OTASIM_ERR_MAX);
	text = perso_read(opts->perso, &len, err, OTASIM_ERR_MAX);
	if (!text)
		return -1;
	rc = fleet_init_perso(&o->fleet, opts->perso, text, len, opts->seed, &opts->card, opts->new_imsi_prefix, err,
			      OTASIM_ERR_MAX);
	OPENSSL_cleanse(text, len);
	free(text);
	if (rc < 0)
		return -1;
	if (!o->scn->rules && !o->scn->expects && !opts->has_cards)
		o->scn->cards = o->fleet.n;
	if (o->scn->cards == o->fleet.n)
		return 0;
	snprintf(err, OTASIM_ERR_MAX, "--perso %.200s has %u cards, and %u are wanted: say --cards %u", opts->perso,
		 o->fleet.n, o->scn->cards, o->fleet.n);
	return -1;
}

/* The first operator's is filled, as it would be with subscribers that there are. */
static int registers_make(struct otasim *o, char err[OTASIM_ERR_MAX])
{
	const struct opts *opts = &o->opts;
	uint32_t card = 0;

	for (unsigned i = 0; i < o->scn->ops; i++) {
		o->hlr[i] = sim_hlr_new();
		o->ctrl[i] = o->hlr[i] ? sim_ctrl_new(o->hlr[i], opts->seed + i) : NULL;
		if (!o->ctrl[i]) {
			snprintf(err, OTASIM_ERR_MAX, "no memory for the register of %s", o->scn->op[i].name);
			return -1;
		}
		sim_ctrl_late(o->ctrl[i], opts->op[i].reg.late_ms.lo, opts->op[i].reg.late_ms.hi);
		o->opts.air.op[i].hlr = o->hlr[i];
		memcpy(o->opts.air.op[i].plmn, o->scn->op[i].plmn, sizeof(o->opts.air.op[i].plmn));
	}
	o->opts.air.ops = o->scn->ops;
	if (opts->fill >= 0 && !sim_hlr_fill(o->hlr[opts->fill], &o->fleet, &card)) {
		snprintf(err, OTASIM_ERR_MAX, "the register of %s does not take card %s (IMSI %s, MSISDN %s)",
			 o->scn->op[opts->fill].name, o->fleet.cards[card].iccid, o->fleet.cards[card].imsi_first,
			 o->fleet.cards[card].msisdn);
		return -1;
	}
	for (unsigned i = 0; i < o->scn->ops; i++)
		sim_hlr_fail_creates(o->hlr[i], opts->op[i].reg.fail_ppm, opts->seed ^ OPT_FAIL_SALT * (i + 1u));
	return 0;
}

struct otasim *simulation_make(const struct opts *opts, struct scn *scn, char err[OTASIM_ERR_MAX])
{
	struct otasim *o = calloc(1, sizeof(*o));

	if (!o) {
		snprintf(err, OTASIM_ERR_MAX, "no memory");
		scn_free(scn);
		return NULL;
	}
	o->opts = *opts;
	o->scn = scn;
	o->opts.smsc.doors = scn->doors;
	o->opts.smsc.operators = scn->ops > 0;
	o->opts.smsc.seed = opts->seed;
	if (!opts_settle(&o->opts, scn, err) || fleet_make(o, err) < 0 || registers_make(o, err) < 0) {
		otasim_free(o);
		return NULL;
	}
	return o;
}

int simulation_begin(struct otasim *o, int64_t now_ms, char err[OTASIM_ERR_MAX])
{
	struct smsc_cfg cfg = o->opts.smsc;

	o->now_ms = now_ms;
	o->run = run_new(o->scn, o->fleet.cards, o->opts.new_imsi_prefix, err);
	if (!o->run)
		return -1;
	cfg.seen = run_seen;
	cfg.log = o->log;
	cfg.log_ctx = o->ctx;
	cfg.ctx = o->run;
	snprintf(err, OTASIM_ERR_MAX, "no memory for %u cards on the air", o->scn->cards);
	o->air = sim_air_new(&o->opts.air, o->fleet.cards, o->fleet.n, now_ms);
	if (o->air)
		o->smsc = smsc_new(&cfg, o->air);
	if (!o->smsc)
		return -1;
	for (uint32_t i = 0; o->opts.no_refresh && i < o->fleet.n; i++)
		sim_air_no_refresh(o->air, i, o->opts.no_refresh);
	run_registers(o->run, o->hlr, o->ctrl);
	run_attach(o->run, o->air, o->smsc, now_ms);
	return 0;
}

struct otasim *otasim_new(const struct otasim_cfg *cfg, int64_t now_ms, char err[OTASIM_ERR_MAX])
{
	struct scn_given given = { .cards = cfg->cards, .has_seed = cfg->has_seed, .seed = cfg->seed };
	const char *file = cfg->file ? cfg->file : "scenario";
	size_t len = cfg->len;
	struct otasim *o = NULL;
	struct opts opts;
	struct scn *scn;
	char *text = NULL;

	if (!cfg->text) {
		text = scenario_read(file, &len, err);
		if (!text)
			return NULL;
	}
	scn = scn_parse(file, text ? text : cfg->text, len, &given, err);
	free(text);
	if (!scn)
		return NULL;
	opts_default(&opts);
	if (opts_scenario(&opts, scn, err))
		o = simulation_make(&opts, scn, err);
	else
		scn_free(scn);
	if (!o)
		return NULL;
	o->log = cfg->log;
	o->ctx = cfg->ctx;
	if (simulation_begin(o, now_ms, err) < 0) {
		otasim_free(o);
		return NULL;
	}
	return o;
}

void otasim_free(struct otasim *o)
{
	if (!o)
		return;
	smsc_free(o->smsc);
	sim_air_free(o->air);
	run_free(o->run);
	for (unsigned i = 0; i < SIM_OPS_MAX; i++) {
		sim_ctrl_free(o->ctrl[i]);
		sim_hlr_free(o->hlr[i]);
	}
	fleet_free(&o->fleet);
	scn_free(o->scn);
	free(o);
}

/* ---- time ---- */

static int64_t own_next_due(const struct otasim *o)
{
	int64_t run = run_next_due(o->run), smsc = smsc_next_due(o->smsc);

	return run < smsc ? run : smsc;
}

/* In order, each at its own moment: what the schedule says of a moment holds for all that happens in it. */
void otasim_step(struct otasim *o, int64_t now_ms)
{
	int64_t due;

	while ((due = own_next_due(o)) <= now_ms) {
		if (due > o->now_ms)
			o->now_ms = due;
		run_step(o->run, o->now_ms);
		smsc_step(o->smsc, o->now_ms);
	}
	if (now_ms > o->now_ms)
		o->now_ms = now_ms;
}

/* Replies of registers are fetched, not pushed. */
int64_t otasim_next_due(const struct otasim *o)
{
	int64_t due = own_next_due(o);

	for (unsigned i = 0; i < o->scn->ops; i++) {
		int64_t ctrl = sim_ctrl_next_due(o->ctrl[i]);

		due = ctrl < due ? ctrl : due;
	}
	return due;
}

/* ---- operators ---- */

unsigned otasim_operators(const struct otasim *o)
{
	return o->scn->ops;
}

const char *otasim_operator_name(const struct otasim *o, unsigned op)
{
	return op < o->scn->ops ? o->scn->op[op].name : "";
}

bool otasim_register_up(const struct otasim *o, unsigned op)
{
	return op < o->scn->ops && !sim_hlr_is_down(o->hlr[op]);
}

bool otasim_ctrl(struct otasim *o, unsigned op, uint64_t tag, const char *request, int64_t now_ms)
{
	otasim_step(o, now_ms);
	return op < o->scn->ops && sim_ctrl_ask(o->ctrl[op], tag, request, o->now_ms);
}

bool otasim_ctrl_reply(struct otasim *o, unsigned op, uint64_t *tag, char reply[OTASIM_CTRL_REPLY], bool *lost)
{
	*lost = false;
	return op < o->scn->ops && sim_ctrl_reply(o->ctrl[op], o->now_ms, tag, reply, lost);
}

/* ---- SMPP ---- */

unsigned otasim_smscs(const struct otasim *o)
{
	return o->scn->doors;
}

const char *otasim_smsc_name(const struct otasim *o, unsigned smsc)
{
	return smsc < o->scn->doors ? o->scn->door_name[smsc] : "";
}

bool otasim_accepts(const struct otasim *o, unsigned smsc)
{
	return smsc < o->scn->doors && smsc_accepts(o->smsc, smsc);
}

int otasim_connect(struct otasim *o, unsigned smsc, int64_t now_ms)
{
	otasim_step(o, now_ms);
	return smsc_open(o->smsc, smsc, o->now_ms);
}

bool otasim_input(struct otasim *o, int session, const uint8_t *p, size_t len, int64_t now_ms)
{
	otasim_step(o, now_ms);
	return !smsc_over(o->smsc, session) && smsc_input(o->smsc, session, p, len, o->now_ms);
}

const uint8_t *otasim_output(const struct otasim *o, int session, size_t *len)
{
	return smsc_output(o->smsc, session, len);
}

void otasim_taken(struct otasim *o, int session, size_t n)
{
	smsc_written(o->smsc, session, n);
}

bool otasim_over(const struct otasim *o, int session)
{
	return smsc_over(o->smsc, session);
}

void otasim_close(struct otasim *o, int session, int64_t now_ms)
{
	otasim_step(o, now_ms);
	smsc_close(o->smsc, session, o->now_ms);
}

void where_print(const struct otasim *o, FILE *out)
{
	uint32_t at[SIM_OPS_MAX] = { 0 }, nowhere = 0;

	for (uint32_t i = 0; i < o->fleet.n; i++) {
		int op = sim_air_operator(o->air, i);

		if (op < 0)
			nowhere++;
		else
			at[op]++;
	}
	for (unsigned i = 0; i < o->scn->ops; i++)
		fprintf(out, "%u %sat %s, ", at[i], i ? "" : "cards ", o->scn->op[i].name);
	fprintf(out, "%u nowhere", nowhere);
}

/* ---- verdict ---- */

bool otasim_ended(const struct otasim *o)
{
	return run_ended(o->run);
}

void otasim_stop(struct otasim *o, int64_t now_ms)
{
	otasim_step(o, now_ms);
	run_stop(o->run, o->now_ms);
}

static enum otasim_verdict verdict_of(enum run_verdict v)
{
	return v == RUN_PASS ? OTASIM_PASS : v == RUN_FAIL ? OTASIM_FAIL : OTASIM_OPEN;
}

enum otasim_verdict otasim_verdict(const struct otasim *o)
{
	return verdict_of(run_verdict(o->run));
}

unsigned otasim_expectations(const struct otasim *o)
{
	return o->scn->expects;
}

enum otasim_verdict otasim_expectation(const struct otasim *o, unsigned i, unsigned *line, char *text, size_t text_cap,
				       char *why, size_t why_cap)
{
	char full[RUN_WHY_MAX];
	struct run_result res;

	if (i >= o->scn->expects)
		return OTASIM_OPEN;
	run_result(o->run, i, &res);
	if (line)
		*line = res.expect->line;
	if (text)
		snprintf(text, text_cap, "%s", res.expect->text);
	if (why)
		snprintf(why, why_cap, "%s", run_why(o->run, &res, full));
	return verdict_of(res.verdict);
}

void otasim_summary(const struct otasim *o, FILE *out)
{
	run_summary(o->run, out);
}

void otasim_junit(const struct otasim *o, FILE *out)
{
	run_junit(o->run, out);
}

/* ---- cards ---- */

uint32_t otasim_cards(const struct otasim *o)
{
	return o->fleet.n;
}

static void key_hex(char out[OTASIM_KEY_HEX], const uint8_t *key, enum sim_alg alg, bool turned)
{
	size_t n = sim_alg_key_len(alg);

	for (size_t i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02X", (unsigned)(key[i] ^ (turned ? RUN_WRONG_KEY : 0)));
	out[2 * n] = '\0';
}

void otasim_card(const struct otasim *o, uint32_t card, struct otasim_card *out)
{
	const struct sim_card *c = &o->fleet.cards[card];
	const struct card_book *b = run_card(o->run, card);
	struct sim_card_truth t;

	sim_card_truth(c, &t);
	*out = (struct otasim_card){
		.kvn = c->ks[0].kvn,
		.alg = sim_alg_name(c->ks[0].kic_alg),
		.counter = c->ks[0].cntr,
		.present = sim_air_present(o->air, card),
		.attempts = b->attempts,
		.submits = b->submits,
		.reached = b->reached,
		.proofs = b->proofs,
		.accepted = t.accepted,
		.runs = t.imsi_writes,
		.executions = t.executions_max,
		.replays = t.replays_refused,
		.refused = t.security_refused,
	};
	memcpy(out->iccid, c->iccid, sizeof(out->iccid));
	memcpy(out->msisdn, c->msisdn, sizeof(out->msisdn));
	memcpy(out->imsi_first, c->imsi_first, sizeof(out->imsi_first));
	run_new_imsi(o->run, card, out->imsi_new);
	memcpy(out->imsi_stored, t.imsi_stored, sizeof(out->imsi_stored));
	memcpy(out->imsi_presented, t.imsi_presented, sizeof(out->imsi_presented));
	out->at = "";
	out->index = c->sub ? sim_sub_rec(c->sub)->index : 0;
	if (sim_air_operator(o->air, card) >= 0)
		out->at = o->scn->op[sim_air_operator(o->air, card)].name;
	key_hex(out->kic, c->ks[0].kic, c->ks[0].kic_alg, b->wrong_keys);
	key_hex(out->kid, c->ks[0].kid, c->ks[0].kid_alg, b->wrong_keys);
	key_hex(out->kik, c->ks[0].kik, c->ks[0].kic_alg, false);
}

int otasim_write_lists(struct otasim *o, const char *dir, char err[OTASIM_ERR_MAX])
{
	int rc;

	/* The lists name the keys the gateway is to believe in. */
	if (o->run)
		run_keys_turn(o->run);
	rc = fleet_write(&o->fleet, dir, err, OTASIM_ERR_MAX);
	if (o->run)
		run_keys_turn(o->run);
	return rc;
}
