/* a_escrow.c - the old operator: K goes out early and locked (KE), and can be opened when the card has shown that it is staged (RK).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The big list is on its way, and at the new operator, long before a card is asked to do anything; what has to go while its device waits is
 * one key.  The release key is made by our keystore, one for each card, is kept sealed beside the line, and goes on that card's
 * authenticated E4 alone.  A card that never comes so far has shown its K to nobody: its release key dies with its line.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "a_int.h"

#define KE_VALUES 3
#define RK_VALUES 6
#define HEX_BLOCK (2 * KS_BLOCK_MAX + 1)
#define LATER_MS  60000 /* a key of ours has gone: looked at again */

void a_release_key(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX])
{
	line_key(key, j->line[i].order, j->line[i].iccid);
}

enum line_step a_hand_step(const struct order *o)
{
	return o->policy == POLICY_ESCROW ? A_RELEASE : A_HAND;
}

/* A block of this package, in hex. */
static int wrapped(struct desk_job *j, struct desk_out *out, const char *iccid, const struct ks_block *block,
		   char hex[HEX_BLOCK])
{
	struct ks_wrap *w = out_wrap(out);
	uint8_t octets[KS_BLOCK_MAX];
	int len = w ? ks_block_wrap(w, iccid, block, octets) : -1;

	if (len < 0) {
		if (w)
			snprintf(j->why, sizeof(j->why), "card %s: its keys cannot be wrapped: %s", iccid,
				 ks_strerror(len));
		return -1;
	}
	a_hex(hex, octets, (size_t)len);
	return 0;
}

static int ke_record(struct desk_job *j, struct desk_out *out, unsigned i)
{
	const struct line *l = &j->line[i];
	struct ks *ks = desk_deps(j->d)->ks;
	struct ks_block sub = { .has_sub = true }, locked = { 0 };
	uint8_t release[KS_RELEASE_LEN];
	char hex[HEX_BLOCK], key[BOOK_KEY_MAX];
	int rc = ks_release_make(ks, l->iccid, release);

	memcpy(sub.sub, j->also[i].body, KS_SUB_LEN);
	if (!rc)
		rc = ks_block_lock(ks, l->iccid, release, &sub, locked.locked);
	if (rc < 0) {
		snprintf(j->why, sizeof(j->why), "card %s: its keys cannot be locked: %s", l->iccid, ks_strerror(rc));
		return -1;
	}
	locked.locked_len = (unsigned)rc;
	if (wrapped(j, out, l->iccid, &locked, hex) ||
	    out_record(out, (const char *const[KE_VALUES]){ l->iccid, l->imsi, hex }))
		return -1;
	a_release_key(j, i, key);
	job_put(j, BOOK_RELEASE, key, l->order, 0, BOOK_ANY, release, sizeof(release));
	return 0;
}

int a_escrow_decide(struct desk *d, struct desk_job *j)
{
	struct desk_out *out = NULL;
	int rc = 0;

	for (unsigned i = 0; i < j->n && !rc; i++) {
		struct line *l = &j->line[i];

		if (a_gave_up(j, i))
			continue;
		if (!j->also[i].row.version || j->also[i].row.len != KS_SUB_LEN) {
			job_alarm(j, "card %s: its K has gone: import it, or cancel the order", l->iccid);
			a_wait(j, A_ESCROW, desk_now(d) + LATER_MS);
			continue;
		}
		if (!out && !(out = out_open(j, XCHG_KE, j->order->o.b, NULL)))
			return -EIO;
		rc = ke_record(j, out, i);
		l->flags |= LINE_ESCROW;
		a_put(j, i, A_STAGE);
	}
	return a_out_done(out, rc);
}

static int rk_record(struct desk_job *j, struct desk_out *out, unsigned i)
{
	const struct line *l = &j->line[i];
	struct ks_block block = { .has_release = true };
	char hex[HEX_BLOCK], at[24], sqn[24] = "", key[BOOK_KEY_MAX];

	memcpy(block.release, j->also[i].body, KS_RELEASE_LEN);
	snprintf(at, sizeof(at), "%" PRId64, l->staged_ms / 1000);
	if (l->sqn)
		snprintf(sqn, sizeof(sqn), "%" PRIu64, l->sqn);
	if (wrapped(j, out, l->iccid, &block, hex) ||
	    out_record(out, (const char *const[RK_VALUES]){ l->iccid, l->imsi, "E4", at, sqn, hex }))
		return -1;
	a_release_key(j, i, key);
	job_drop(j, BOOK_RELEASE, key, j->also[i].row.version);
	return 0;
}

/* From here on B can have K: the card counts as exposed if it stays. */
int a_release_decide(struct desk *d, struct desk_job *j)
{
	struct desk_out *out = NULL;
	int rc = 0;

	for (unsigned i = 0; i < j->n && !rc; i++) {
		struct line *l = &j->line[i];

		if (a_gave_up(j, i))
			continue;
		if (!j->also[i].row.version || j->also[i].row.len != KS_RELEASE_LEN) {
			job_alarm(j,
				  "card %s: its release key is not in the books: cancel the order, and order it anew",
				  l->iccid);
			a_wait(j, A_RELEASE, desk_now(d) + LATER_MS);
			continue;
		}
		if (!out && !(out = out_open(j, XCHG_RK, j->order->o.b, NULL)))
			return -EIO;
		rc = rk_record(j, out, i);
		l->flags |= LINE_PROVISIONAL;
		a_put(j, i, a_gate(j, l));
	}
	return a_out_done(out, rc);
}
