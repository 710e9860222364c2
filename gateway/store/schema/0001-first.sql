-- 0001: the tables of a gateway.  SPDX-License-Identifier: AGPL-3.0-or-later
--
-- Column names are the field names of rows.h, so that one word greps from struct to table.  Times are UTC milliseconds,
-- 0 = not yet.  Numbers of cards are text, as people read them.
--
-- Indexes stand on columns that never change after the row is written (card.imsi and msisdn change once per swap): an
-- index on a column that moves with every attempt costs more than all the rest of the write.  There is no index on due
-- times; the core keeps these in memory and rebuilds them from cmd_open at start.
--
-- `rest` holds, packed, the fields that SQL is not asked about: sqlite_rows.c says which, and how.

CREATE TABLE meta (
	key TEXT PRIMARY KEY,			-- "ks-check", "epoch"
	value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: the number of the last batch of the core, written in the batch's own transaction.
CREATE TABLE batch (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	batch_no INTEGER NOT NULL
) STRICT;
INSERT INTO batch VALUES (1, 0);

CREATE TABLE card (
	id INTEGER PRIMARY KEY,
	iccid TEXT NOT NULL,
	imsi TEXT NOT NULL,
	msisdn TEXT NOT NULL,			-- '' none
	last_seen_ms INTEGER NOT NULL,
	created_ms INTEGER NOT NULL,
	tz_min INTEGER NOT NULL,		-- minutes east of UTC
	profile TEXT NOT NULL,			-- the card profile it is made for, '' not said
	gone_ms INTEGER NOT NULL,		-- belongs to another operator since, 0 is ours
	moves INTEGER NOT NULL,			-- how often it has come and gone
	quarantine_ms INTEGER NOT NULL		-- no command goes to it since, by an operator's order; 0 none
) STRICT;
CREATE UNIQUE INDEX card_iccid ON card (iccid);
-- Not unique: what a card really holds is a fact from outside, and a fact must never make a commit fail.  Import and
-- planning refuse duplicates instead.
CREATE INDEX card_imsi ON card (imsi);
CREATE INDEX card_msisdn ON card (msisdn) WHERE msisdn <> '';

-- One key version of a card; sealed by the keystore, opaque here.
CREATE TABLE keyset (
	id INTEGER PRIMARY KEY,			-- card * 16 + kvn
	card INTEGER NOT NULL,
	kvn INTEGER NOT NULL,			-- 1..15
	kic_alg INTEGER NOT NULL,		-- enum ota_alg
	kid_alg INTEGER NOT NULL,
	cc_len INTEGER NOT NULL,
	generation INTEGER NOT NULL,		-- names the keys: rises with them, never falls
	cntr INTEGER NOT NULL,			-- last value taken; never lowered within a generation
	cntr_proven INTEGER NOT NULL,		-- highest value an authenticated PoR has echoed in this epoch
	epoch INTEGER NOT NULL,			-- restore epoch in which cntr was last taken
	sealed BLOB NOT NULL
) STRICT;

-- Who is speaking?  Old and pending numbers stay valid through the grace time.
CREATE TABLE card_addr (
	type INTEGER NOT NULL,			-- 1 MSISDN, 2 IMSI
	digits TEXT NOT NULL,
	card INTEGER NOT NULL,
	valid_from_ms INTEGER NOT NULL,
	valid_to_ms INTEGER NOT NULL,		-- 0 open-ended
	PRIMARY KEY (type, digits, card)
) STRICT, WITHOUT ROWID;

CREATE TABLE campaign (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL,
	state INTEGER NOT NULL,			-- 0 LOADING 1 READY 2 RUNNING 3 PAUSED 4 DONE 5 CANCELLED
	kind INTEGER NOT NULL,			-- 0 IMSI change; works: 1 STAGE 2 UNSTAGE 3 ARM 4 ADVANCE 5 CONFIRM 6 ROLLBACK 7 STATUS
	open_ended INTEGER NOT NULL,		-- 1: more txns may come, never DONE by itself
	profile TEXT NOT NULL,			-- name of the card profile
	targets INTEGER NOT NULL,		-- number of txns
	txn_cursor INTEGER NOT NULL,		-- last txn claimed
	created_ms INTEGER NOT NULL,
	started_ms INTEGER NOT NULL,
	ended_ms INTEGER NOT NULL,
	deadline_ms INTEGER NOT NULL,
	rules TEXT NOT NULL,			-- 'canary 10,100; abort failed>3%', '' none
	canary_ms INTEGER NOT NULL,		-- the last card of the present canary group was started then
	tally TEXT NOT NULL,			-- what the abort thresholds have counted since the start
	stop_reason TEXT NOT NULL		-- why it stopped by itself, '' it did not
) STRICT;
CREATE UNIQUE INDEX campaign_name ON campaign (name);

-- The card profile as it was when the campaign was made.
CREATE TABLE campaign_profile (
	id INTEGER PRIMARY KEY,			-- campaign.id
	profile_text BLOB NOT NULL
) STRICT;

-- A card in a campaign.
CREATE TABLE txn (
	id INTEGER PRIMARY KEY,
	campaign INTEGER NOT NULL,
	card INTEGER NOT NULL,
	state INTEGER NOT NULL,			-- 0 PLANNED 1 ACTIVE 2 DONE 3 FAILED 4 EXPIRED 5 CANCELLED 6 QUARANTINED
	scripts INTEGER NOT NULL,		-- that were issued under a fresh counter
	new_imsi TEXT NOT NULL,
	new_msisdn TEXT NOT NULL,		-- '' keeps the old one
	rest BLOB NOT NULL			-- evidence, por_status, fail_class .. maybe_moved
) STRICT;
CREATE INDEX txn_campaign ON txn (campaign);
CREATE INDEX txn_card ON txn (card);
CREATE INDEX txn_new_imsi ON txn (new_imsi) WHERE new_imsi <> '';
CREATE INDEX txn_new_msisdn ON txn (new_msisdn) WHERE new_msisdn <> '';

-- What a transaction of a campaign of works does, packed by the core.
CREATE TABLE txn_work (
	id INTEGER PRIMARY KEY,			-- txn.id
	work BLOB NOT NULL
) STRICT;

-- One secured packet.
CREATE TABLE cmd (
	id INTEGER PRIMARY KEY,
	txn INTEGER NOT NULL,
	card INTEGER NOT NULL,
	campaign INTEGER NOT NULL,
	kind INTEGER NOT NULL,			-- 1 SCRIPT 2 READBACK
	state INTEGER NOT NULL,			-- 0 QUEUED 1 PREPARED 2 SENT 3 WAIT_TIMER 4 WAIT_PRESENCE
						-- 5 DONE 6 FAILED 7 EXPIRED 8 FENCED 9 CANCELLED
	kvn INTEGER NOT NULL,
	generation INTEGER NOT NULL,		-- of the keyset it was made under
	epoch INTEGER NOT NULL,			-- restore epoch in which cntr was taken
	cntr INTEGER NOT NULL,
	ended_ms INTEGER NOT NULL,
	rest BLOB NOT NULL			-- kic, kid, spi, tar .. deadline_ms
) STRICT;
CREATE INDEX cmd_card ON cmd (card);
CREATE INDEX cmd_open ON cmd (id) WHERE state < 5;

-- The packet, once and for all attempts: other octets under the same CNTR must never leave.
CREATE TABLE cmd_wire (
	cmd_id INTEGER PRIMARY KEY,
	packet BLOB NOT NULL
) STRICT;

-- Parts of a concatenated PoR that is not complete yet.
CREATE TABLE por_part (
	card INTEGER NOT NULL,
	ref INTEGER NOT NULL,
	iei INTEGER NOT NULL,
	total INTEGER NOT NULL,
	seq INTEGER NOT NULL,
	at_ms INTEGER NOT NULL,
	ud BLOB NOT NULL,
	PRIMARY KEY (card, iei, ref, seq)
) STRICT, WITHOUT ROWID;

-- A card's story, append only.
CREATE TABLE story (
	id INTEGER PRIMARY KEY,
	card INTEGER NOT NULL,
	cmd INTEGER NOT NULL,			-- 0 none
	at_ms INTEGER NOT NULL,
	kind INTEGER NOT NULL,			-- 1 IMPORTED 2 PREPARED 3 ATTEMPT 4 OUTCOME 5 POR 6 STRAY 7 ALERT 8 STATE 9 NOTE
	text TEXT NOT NULL,
	detail BLOB NOT NULL
) STRICT;
CREATE INDEX story_card ON story (card);

-- What the hand-over between operators keeps, in books; what is in a record is theirs.
CREATE TABLE book (
	book INTEGER NOT NULL,			-- enum book
	key TEXT NOT NULL,
	owner INTEGER NOT NULL,			-- number of the order it belongs to (64 bits, so it may look negative), 0 none
	step INTEGER NOT NULL,			-- where it stands
	version INTEGER NOT NULL,		-- from 1, rises with each change
	body BLOB NOT NULL,
	PRIMARY KEY (book, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX book_step ON book (book, owner, step, key);
CREATE INDEX book_owner ON book (book, owner, key);
