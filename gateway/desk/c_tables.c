/* c_tables.c - what the desk does in a change at home: works, the operator's order, events.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>

#include "a_int.h"
#include "b_int.h"
#include "c_int.h"

static void iccid_key(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX])
{
	snprintf(key, BOOK_KEY_MAX, "%s", j->line[i].iccid);
}

static void sub_key(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX])
{
	snprintf(key, BOOK_KEY_MAX, "%s/%05u", j->line[i].iccid, j->line[i].from);
}

static void change_key(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX])
{
	line_key(key, j->line[i].order, j->line[i].iccid);
}

#define DO     .side = SIDE_HOME, .book = BOOK_LINE
#define CHANGE .also = BOOK_CHANGE, .also_key = change_key
#define HOLD   .also = BOOK_HOLD, .also_key = iccid_key
#define SET    .also = BOOK_SET, .also_key = a_set_key
#define SUB    .also = BOOK_SUB, .also_key = sub_key
#define LOOKS  .cards = true, .after = c_look_after

const struct desk_work desk_works_c[] = {
	{ "take", DO, .step = C_OPEN, .cards = true, .also = BOOK_TAKEN, .also_key = iccid_key,
	  .decide = c_take_decide },
	{ "active pair", DO, .step = C_TAKEN, .cards = true, HOLD, .decide = c_hold_decide },
	{ "new keys", DO, .step = C_MAKE, .cards = true, .also = BOOK_SUB, .also_key = sub_key,
	  .decide = c_make_decide },
	{ "OTA keys", DO, .step = C_OTA, .cards = true, CHANGE, .decide = c_ota_decide },
	{ "proof", DO, .step = C_PROVE, .cards = true, CHANGE, .decide = c_prove_decide },
	{ "proven", DO, .step = C_PROVED, .cards = true, HOLD, .decide = c_proved_decide },
	{ "keys there", DO, .step = C_ASK, CHANGE, .decide = c_ask_decide },
	{ "K and OPc", DO, .step = C_KEY, .cards = true, CHANGE, .decide = c_key_decide },
	{ "switch", DO, .step = C_SWITCH, CHANGE, .decide = c_switch_decide },
	{ "in force?", DO, .step = C_SETTLE, .cards = true, .decide = c_settle_decide },
	{ "refused", DO, .step = C_DOUBT, .cards = true, .decide = c_doubt_decide },
	{ "found", DO, .step = C_FOUND, .cards = true, CHANGE, .decide = c_found_decide },
	{ "shred", DO, .step = C_SHRED, CHANGE, .decide = c_shred_decide },
	{ "note", DO, .step = C_NOTE, HOLD, .decide = c_note_decide },
	/* another IMSI */
	{ "new IMSI", DO, .step = C_PAIR, .also = BOOK_IMSI, .also_key = c_imsi_key, .decide = c_pair_decide,
	  .after = b_list_after },
	{ "register", DO, .step = C_PROVISION, SUB, .decide = c_provision_decide },
	{ "STAGE", DO, .step = A_STAGE, .cards = true, SET, .decide = a_stage_decide },
	{ "waiting for STAGE", DO, .step = A_STAGING, .calm = true, .decide = a_idle },
	{ "STATUS", DO, .step = A_LOOK, .decide = a_look_decide },
	{ "waiting for STATUS", DO, .step = A_LOOKING, .calm = true, LOOKS, .decide = a_looking_decide },
	{ "ARM", DO, .step = A_ARM, .cards = true, SET, .decide = a_arm_decide },
	{ "ARM sent", DO, .step = A_ARMING, .calm = true, LOOKS, .decide = a_arming_decide },
	{ "armed", DO, .step = A_ARMED, .calm = true, LOOKS, .decide = a_heard_decide },
	{ "UNSTAGE", DO, .step = A_UNSTAGE, .cards = true, .decide = a_unstage_decide },
	{ "waiting for UNSTAGE", DO, .step = A_UNSTAGING, .calm = true, .cards = true, .decide = a_unstaging_decide },
	{ "come", DO, .step = C_COME, .cards = true, .decide = c_come_decide },
	{ "CONFIRM", DO, .step = C_CONFIRM, LOOKS, .decide = c_confirm_decide },
	{ "waiting for CONFIRM", DO, .step = C_CONFIRMING, .calm = true, LOOKS, .decide = a_arming_decide },
	{ "back", DO, .step = C_BACK, .cards = true, .decide = c_back_decide },
	{ "MSISDN off", DO, .step = C_NUMBER_OFF, .decide = c_number_off_decide },
	{ "MSISDN", DO, .step = C_NUMBER, .decide = c_number_decide },
	{ "numbers", DO, .step = C_NUMBERED, .cards = true, .decide = c_numbered_decide },
	{ "undo", DO, .step = A_LIST, SUB, .decide = c_undo_decide },
	{ "purge", DO, .step = A_PURGE, SUB, .decide = c_purge_decide },
	{ .name = NULL },
};

const struct desk_verb_row desk_verbs_c[] = {
	{ .verb = DESK_CHANGE,
	  .book = BOOK_LINE,
	  .step = B_CLOSED,
	  .want = c_want,
	  .decide = c_start_decide,
	  .drop = c_start_drop },
	{ .verb = 0 },
};
