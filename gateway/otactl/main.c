/* main.c - otactl: which command, which arguments, and what to say when they are wrong.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ota/nearest.h"
#include "ctl.h"
#include "order.h"

#define ARRAY_SIZE(a)  (sizeof(a) / sizeof((a)[0]))
#define WORDS_TOLD_MAX 400

static const struct ctl_option global_options[] = {
	{ "socket", 's', "SOCKET", "the gateway's socket; else $" CTL_SOCKET_ENV ", else " CTL_SOCKET_DEFAULT },
	{ "output", 'o', "FORMAT", "table, json or csv" },
	{ "help", 'h', NULL, "this text" },
	{ NULL },
};

static const struct ctl_option import_options[] = {
	{ "keyset", 'k', "VERSION=ALG,cntr=FIRST[,cc_len=N][,gen=N]",
	  "algorithm, first counter and generation (0) of a key version; repeat for more versions\n"
	  "algorithms: 3des2, 3des3, aes (any length) or aes128, aes192, aes256" },
	{ "profile", 'p', "NAME", "card profile they are made for: kept with the cards, for campaign create --filter" },
	{ "strict", 0, NULL, "import nothing when any line is rejected (reads the file twice)" },
	{ "dry-run", 'n', NULL, "check every line, keep nothing" },
	{ "rejects", 0, "FILE", "write all rejected lines there, as CSV line,reason" },
	{ NULL },
};
/* Of every command that makes a campaign: each is a rule (core/rules.h). */
/* clang-format off */
#define RULE_OPTIONS \
	{ "canary", 0, "N,N,P%", \
	  "start with groups of so many cards, or percent of them (at most 4); the next one\n" \
	  "begins when every card of those before has ended" }, \
	{ "hold", 0, "TIME", "... or so long after its last card was started: 2h" }, \
	{ "abort", 0, "'WHAT>N[%]'", \
	  "stop by itself at more (>=: at least) so many cards: failed, expired, quarantined,\n" \
	  "por-NN (a PoR status), class-NAME (an obstacle); canary:WHAT counts until the\n" \
	  "canary is through; repeat for more" }, \
	{ "window", 0, "'HH:MM-HH:MM ZONE'", \
	  "send between these times only; ZONE is utc, +HH:MM, or device (of each card)" }, \
	{ "deadline", 0, "TIME|DATE", "nothing is sent after: 21d from the start, or 2026-12-24T22:00Z" }, \
	{ "priority", 0, "CLASS", "rollback, confirm, campaign (as it is otherwise) or probe" }
/* clang-format on */
static const struct ctl_option create_options[] = {
	{ "imsi-list", 'i', "FILE", "CSV with the columns ICCID,IMSI[,MSISDN]; - reads standard input" },
	{ "profile", 'p', "NAME", "card profile" },
	{ "dry-run", 'n', NULL, "tell what would be sent, keep nothing" },
	{ "range", 0, "FROM..TO", "of the list only cards with these ICCIDs, or first digits of ICCIDs" },
	{ "filter", 0, "'TERM and TERM'",
	  "of the list only cards of which all of this holds: lastseen<30d (or =never), iccid=8988*,\n"
	  "imsi=, msisdn=, profile=usim-rfm, kvn=1, alg=aes128; also != and, for lastseen, < <= > >=" },
	RULE_OPTIONS,
	{ "strict", 0, NULL, "create nothing when any line is rejected" },
	{ "rejects", 0, "FILE", "write all rejected lines there, as CSV line,reason" },
	{ NULL },
};
static const struct ctl_option exchange_options[] = {
	{ "party", 0, "FILE", "the sender's party file: tells whether that party signed it" },
	{ NULL },
};
static const struct ctl_option party_options[] = {
	{ "dir", 'd', "DIR", "where NAME.otaparty and NAME.self are written (here)" },
	{ "kek", 0, "FILE",
	  "the keystore's key: that of the gateway which will use them (DIR/kek, made when missing)" },
	{ NULL },
};
static const struct ctl_option sign_options[] = {
	{ "party", 0, "FILE", "our party file NAME.otaparty, with NAME.self beside it" },
	{ "kek", 0, "FILE", "the key that its secrets are sealed under (kek, beside it)" },
	{ "partner", 0, "FILE", "party file of a receiver; repeat for each" },
	{ "to", 0, "NAME,NAME", "their names: that none was forgotten" },
	{ "cards", 0, "FILE", "list whose first column is ICCID" },
	{ "name", 0, "ORDER", "the order's name" },
	{ "kind", 0, "3a|3b", "keys of the card handed over, or the next pair of a vault" },
	{ "policy", 0, "WORD", "deliver-then-activate (as it is otherwise), activate-then-deliver, escrow" },
	{ "a", 0, "NAME", "the operator that has the cards" },
	{ "b", 0, "NAME", "the one that gets them" },
	{ "vault", 0, "NAME", "3b: who keeps the pairs" },
	{ "until", 0, "DATE", "good until: 2026-12-24, 2026-12-24T22:00Z, or 21d" },
	{ "out", 0, "DIR", "where the packages are written, one for each receiver" },
	{ NULL },
};
static const struct ctl_option order_show_options[] = {
	{ "lines", 'l', NULL, "every card with its step" },
	{ "step", 0, "STEP", "only those at this step: A_ARMED" },
	{ NULL },
};
static const struct ctl_option accept_options[] = {
	{ "no-rollback-ok", 0, NULL,
	  "they go, although nothing brings them home if the new network does not take them" },
	{ NULL },
};
static const struct ctl_option provide_options[] = {
	{ "card", 0, "ICCID", "this one instead of all" },
	{ NULL },
};
static const struct ctl_option il_options[] = {
	{ "list", 0, "FILE", "CSV ICCID,IMSI[,MSISDN] instead of the pool; the gateway reads it itself" },
	{ NULL },
};
static const struct ctl_option change_options[] = {
	{ "cards", 0, "FILE", "list whose first column is ICCID; the gateway reads it itself" },
	{ "order", 0, "ORDER", "all cards that have come by this order, in place of --cards" },
	{ "what", 0, "WORD,WORD", "ota-keys, k, opc; or all; or imsi" },
	{ "imsi-list", 0, "FILE", "with imsi: CSV ICCID,IMSI[,MSISDN] in place of --cards and the pool" },
	{ NULL },
};
static const struct ctl_option change_show_options[] = {
	{ "lines", 'l', NULL, "every card with its step, and who besides us has its keys" },
	{ NULL },
};
static const struct ctl_option gen_options[] = {
	{ "pairs", 0, "N", "pairs for each card, 1 to 40" },
	{ "cards", 0, "FILE", "CSV ICCID[,IMSI[,MSISDN]]" },
	{ "count", 0, "N", "so many cards instead, with" },
	{ "iccid-from", 0, "DIGITS", "ICCIDs from these 18 digits on, a check digit added to each" },
	{ "key-octets", 0, "N", "length of the OTA keys: 16 (as it is otherwise), 24 or 32" },
	{ "out", 0, "FILE", "for the card maker: all pairs in clear, mode 0600; goes there and nowhere else" },
	{ NULL },
};
static const struct ctl_option issue_options[] = {
	{ "to", 0, "PARTNER", "the issuer: gets the first pair of each card that nobody has" },
	{ "yes", 'y', NULL, "really" },
	{ NULL },
};
static const struct ctl_option exchange_list_options[] = {
	{ "in", 0, NULL, "only what came in" },
	{ "out", 0, NULL, "only what goes out" },
	{ "order", 0, "ORDER", "only of this order" },
	{ NULL },
};
static const struct ctl_option fetch_options[] = {
	{ "in", 0, NULL, "one that came in, instead of one that goes out" },
	{ "to", 0, "FILE", "written there (PARTNER-NUMBER.otapkg)" },
	{ NULL },
};
static const struct ctl_option retry_options[] = {
	{ "as", 0, "NEWNAME", "name of the new campaign" },
	{ "only", 0, "OUTCOME,OUTCOME",
	  "failed (FAILED and EXPIRED; as it is otherwise), expired, cancelled, quarantined or all" },
	{ "class", 0, "CLASS,CLASS", "only with these obstacles: ABSENT, MEM, ... (otherwise any)" },
	{ "may-have-run", 0, NULL, "also cards whose command may have run while nobody knows" },
	{ "profile", 'p', "NAME", "card profile (otherwise the old campaign's)" },
	{ "dry-run", 'n', NULL, "tell what would be sent, keep nothing" },
	{ "range", 0, "FROM..TO", "of these only cards with these ICCIDs, or first digits of ICCIDs" },
	{ "filter", 0, "'TERM and TERM'", "of these only cards of which all of this holds, as with create" },
	RULE_OPTIONS,
	{ "strict", 0, NULL, "create nothing when any card is rejected" },
	{ "rejects", 0, "FILE", "write all rejected cards there, as CSV line,reason" },
	{ NULL },
};
static const struct ctl_option watch_options[] = {
	{ "until", 'u', "PERCENT", "stop as soon as so many cards have reached their end" },
	{ "interval", 0, "SECONDS", "between two looks (1)" },
	{ "patience", 0, "SECONDS", "how long to wait for a gateway that went away (60; on a full screen for ever)" },
	{ "plain", 0, NULL, "lines also on a terminal" },
	{ "json-lines", 0, NULL, "one JSON object per change" },
	{ NULL },
};
static const struct ctl_option smsc_watch_options[] = {
	{ "interval", 0, "SECONDS", "between two looks (1)" },
	{ "patience", 0, "SECONDS", "how long to wait for a gateway that went away (60; on a full screen for ever)" },
	{ "plain", 0, NULL, "lines also on a terminal" },
	{ "json-lines", 0, NULL, "one JSON object per change" },
	{ NULL },
};
static const struct ctl_option trace_options[] = {
	{ "decode", 'd', NULL,
	  "every packet field by field: SPI, keys by version, counter, script, PoR, status words" },
	{ "follow", 'F', NULL, "go on telling what happens, until Ctrl-C" },
	{ "interval", 0, "SECONDS", "with --follow: between two looks (1)" },
	{ "json", 0, NULL, "the card, then one JSON object per line" },
	{ NULL },
};
static const struct ctl_option status_options[] = {
	{ "wait", 'w', "SECONDS", "for a gateway that is being started: how long it may take to be ready" },
	{ NULL },
};
static const struct ctl_option yes_options[] = {
	{ "yes", 'y', NULL, "really" },
	{ NULL },
};
static const struct ctl_option encode_options[] = {
	{ "legacy", 0, NULL, "allow DES-ECB (KIc nibble D): for old cards only" },
	{ NULL },
};
static const struct ctl_option explain_options[] = {
	{ "kind", 'k', "KIND", "what it is, instead of a guess; 'list' names them" },
	{ "file", 'f', "FID[@DF]", "the file whose contents it is: 6f07, 6f07@7f20, 4f01" },
	{ "keys", 0, "FILE", "keys (and the command, for a PoR), mode 0600: a JSON object, or card CSV" },
	{ NULL },
};
static const struct ctl_option error_options[] = {
	{ "flavour", 'f', "NAME", "SMSC of the link: osmomsc, generic-3.4, ... (default: what holds for all)" },
	{ "profile", 'p', "FILE", "card profile: its lines 'por' and 'sw' count first" },
	{ "table", 't', "FILE", "rows of your own, as 'error-table' of the gateway's config" },
	{ "json", 0, NULL, "as JSON" },
	{ NULL },
};
static const struct ctl_option no_options[] = { { NULL } };

struct command {
	const char *group, *verb; /* verb NULL: the group alone */
	const char *args;
	unsigned n_args; /* those in brackets may be left out */
	const char *brief, *more;
	const struct ctl_option *options;
	int (*run)(struct ctl *c, const struct ctl_args *a);
};

static const struct command commands[] = {
	{ "status", NULL, "", 0, "links, campaigns, store and keystore at a glance", NULL, status_options, cmd_status },
	{ "card", "import", "FILE", 1, "take cards and their keys in",
	  "FILE is CSV with the column names of sysmocom and pySim: ICCID, IMSI, MSISDN, KIC1, KID1, KIK1, ...  Keys "
	  "are sealed by\n"
	  "the gateway on arrival.  Rejected lines are listed with number and reason, the others are imported; the "
	  "exit "
	  "code is\n"
	  "then 3.  A card that is in already with the same data counts as unchanged, so that the command can be "
	  "repeated.\n"
	  "Columns CNTR1 and GEN1 give a card its own first counter and generation.  A higher counter, or keys of a "
	  "higher\n"
	  "generation, update a card that is in; a counter is never lowered and old keys never come back.",
	  import_options, cmd_card_import },
	{ "card", "list", "", 0, "all cards", NULL, no_options, cmd_card_list },
	{ "card", "show", "ICCID", 1, "a card's whole story, every packet decoded", NULL, no_options, cmd_card_show },
	{ "card", "present", "ICCID", 1, "its phone is reachable now: what waits for it is tried",
	  "As an alert_notification of the SMSC, for who knows it from elsewhere: an HLR, the device's own platform.",
	  no_options, cmd_card_present },
	{ "card", "probe", "ICCID", 1, "ask it at once what it holds",
	  "Under a fresh counter, in place of the command that is open: that one is never sent again, and when it has "
	  "not "
	  "run it\ngoes out anew.  Refused where a fresh counter would be against the rules, with the reason.",
	  no_options, cmd_card_probe },
	{ "card", "resync", "ICCID", 1, "let its counter jump ahead, and ask it",
	  "For a card that refuses or does not answer because our counter is behind: 4096 values are skipped, at most "
	  "four "
	  "times\nin a row without a word under the card's keys.",
	  no_options, cmd_card_resync },
	{ "card", "quarantine", "ICCID", 1, "no command goes to it until its release",
	  "What is open stays open and waits; what the card says is taken in.  New campaigns leave it out.", no_options,
	  cmd_card_quarantine },
	{ "card", "release", "ICCID", 1, "commands go to it again", NULL, no_options, cmd_card_release },
	{ "campaign", "create", "NAME", 1, "make a campaign from a list of new IMSIs",
	  "Nothing is sent before 'campaign start'.  --dry-run shows cards, packets, short messages and rejected "
	  "lines.",
	  create_options, cmd_campaign_create },
	{ "campaign", "retry", "NAME", 1, "make a campaign from cards of an ended one",
	  "The cards keep the new numbers that they were promised.  Rules are given anew.  A card that a later "
	  "campaign "
	  "has had is\n"
	  "rejected; 'line' is its place in the old report.",
	  retry_options, cmd_campaign_retry },
	{ "campaign", "start", "NAME", 1, "start it, or go on after a pause", NULL, no_options, cmd_campaign_start },
	{ "campaign", "resume", "NAME", 1, "go on after a pause: the same as start", NULL, no_options,
	  cmd_campaign_start },
	{ "campaign", "pause", "NAME", 1, "send nothing new; answers are still taken", NULL, no_options,
	  cmd_campaign_pause },
	{ "campaign", "cancel", "NAME", 1, "end it for every card that has not finished", NULL, yes_options,
	  cmd_campaign_cancel },
	{ "campaign", "delete", "NAME", 1, "remove one that was never started", NULL, yes_options,
	  cmd_campaign_delete },
	{ "campaign", "list", "", 0, "all campaigns", NULL, no_options, cmd_campaign_list },
	{ "campaign", "show", "NAME", 1, "one campaign in numbers", NULL, no_options, cmd_campaign_show },
	{ "campaign", "watch", "NAME", 1, "live progress until it ends",
	  "Exit code 0 when every card is DONE, 3 when some are not.  On a terminal it is a full screen (q leaves, p "
	  "pauses, ? helps;\n"
	  "NO_COLOR is kept), otherwise a line is printed per change.  A gateway that goes away is waited for.",
	  watch_options, cmd_campaign_watch },
	{ "campaign", "report", "NAME", 1, "exactly one line per card",
	  "CSV when the output is redirected, a table on a terminal; -o decides otherwise.", no_options,
	  cmd_campaign_report },
	{ "smsc", "list", "", 0, "all links and the routes over them", NULL, no_options, cmd_smsc_list },
	{ "smsc", "show", "NAME", 1, "one link in numbers, and its routes", NULL, no_options, cmd_smsc_show },
	{ "smsc", "block", "NAME", 1, "send no more packets to it; it stays bound and brings answers of cards",
	  "Its routes go on by their next links at once.  The order is kept over a restart of the gateway.", no_options,
	  cmd_smsc_block },
	{ "smsc", "unblock", "NAME", 1, "use it again, also after 'drain'", NULL, no_options, cmd_smsc_unblock },
	{ "smsc", "drain", "NAME", 1, "send no more packets to it, and unbind when what it has is answered",
	  "For maintenance.  Answers of cards that the SMSC still has come when it is bound again, or by other links.  "
	  "The "
	  "order\n"
	  "is kept over a restart of the gateway.",
	  no_options, cmd_smsc_drain },
	{ "smsc", "watch", "", 0, "all links live: bound or not, window, rate, throttling, latency, last error",
	  "A full screen on a terminal (q leaves, ? helps), a line per change elsewhere.", smsc_watch_options,
	  cmd_smsc_watch },
	{ "trace", "card", "ICCID", 1, "what has happened to a card in the order of time",
	  "With --decode each packet is opened where it stands, by the gateway and with the card's keys; no key is "
	  "ever "
	  "shown.  A\n"
	  "packet that is not stored any more (story-days) says so.",
	  trace_options, cmd_trace_card },
	{ "packet", "encode", "", 0, "command packets from JSON Lines, no gateway needed",
	  "One object a line on standard input: id, spi1, spi2, kic, kid, tar, cntr, kic_key, kid_key, cc_len, "
	  "secured_data\n"
	  "and, when wanted, concat_iei and concat_ref; octets in hex.  One object a line comes out: id, packet, "
	  "tp_ud, or "
	  "id, error.\n"
	  "The exit code is 3 when a line had an error.  Keys are read from standard input alone.",
	  encode_options, cmd_packet_encode },
	{ "packet", "decode", "", 0, "packets opened and judged, JSON Lines, no gateway needed",
	  "One object a line on standard input, by its kind:\n"
	  "  command   packet or tp_ud, kic_key, kid_key, cc_len\n"
	  "  response  packet or tp_ud, and spi1, spi2, kic, kid, tar, cntr, kic_key, kid_key, cc_len of its command\n"
	  "  join      tp_ud: the segments, in any order\n"
	  "One object a line comes out: id, verdict and the fields, or id, error.  The exit code is 3 when a line had "
	  "an "
	  "error.",
	  no_options, cmd_packet_decode },
	{ "packet", "explain", "[HEX]", 1, "any octets field by field, no gateway needed",
	  "HEX is a packet, PoR, TP-UD, TPDU, script, its answer, or with --file the contents of a file; without HEX "
	  "each line\n"
	  "of standard input.  What it is, is guessed and said.  Without --keys what stands in clear is explained.\n"
	  "FILE of --keys: {\"kic_key\":..,\"kid_key\":..} and for a PoR also spi2, kic, kid, tar, cntr of its "
	  "command; or "
	  "CSV\n"
	  "with a line of names (kic_key,kid_key or KIC1,KID1,.. by key version) and one of values.",
	  explain_options, cmd_packet_explain },
	{ "party", "create", "NAME", 1, "keys and certificates of a party to orders; no gateway needed",
	  "NAME.otaparty is for the partners, who pin it: read the fingerprint to each other.  NAME.self are its "
	  "private "
	  "keys,\n"
	  "sealed under the KEK; it stays here.  Both are never overwritten.",
	  party_options, cmd_party_create },
	{ "party", "show", "FILE", 1, "whose party file this is, and its fingerprint", NULL, no_options,
	  cmd_party_show },
	{ "order", "sign", "", 0, "a subscriber's swap order, signed for each receiver; no gateway needed",
	  "Packages go to their receivers as files ('otactl exchange import' there) or by any other way.  Their "
	  "numbers "
	  "are "
	  "kept\n"
	  "in NAME.seq beside the party file.",
	  sign_options, cmd_order_sign },
	{ "order", "list", "", 0, "all orders, as this side has them", NULL, no_options, cmd_order_list },
	{ "order", "show", "ORDER", 1, "one order: how many cards stand where", NULL, order_show_options,
	  cmd_order_show },
	{ "order", "report", "ORDER", 1, "reconciliation: every card, how it ended, what is stranded or exposed",
	  "-o csv has a line for each card, stable columns.  The exit code is 3 while not every card is done.",
	  no_options, cmd_order_report },
	{ "order", "cancel", "ORDER", 1, "what is not armed yet stays where it is", NULL, yes_options,
	  cmd_order_cancel },
	{ "order", "accept", "ORDER", 1, "what becomes of its cards that have no way back",
	  "They wait for this. Without --no-rollback-ok they stay, each with the end `failed`.", accept_options,
	  cmd_order_accept },
	{ "order", "provide", "ORDER", 1, "cards that our register has refused are made ready once more",
	  "When what was in the way there is mended.  A plain card that was written before it was refused is stranded "
	  "until "
	  "then;\n"
	  "one that its operator has given up does not come any more.",
	  provide_options, cmd_order_provide },
	{ "order", "il", "ORDER", 1, "give IMSIs to the cards of an order that come to us now", NULL, il_options,
	  cmd_order_il },
	{ "change", "start", "NAME", 1, "new keys for cards of our own",
	  "Cards are named by a list, a file whose first column is the ICCID; or they are those that came by an "
	  "order.\n"
	  "OTA keys come first, and are proven, before K and OPc follow; what is in force stays so until the card has "
	  "the\n"
	  "new.  A change that was cut short while its list was read goes on when it is ordered again.",
	  change_options, cmd_change_start },
	{ "change", "list", "", 0, "all changes", NULL, no_options, cmd_change_list },
	{ "change", "show", "NAME", 1, "one change: how many cards stand where, and who knows their keys", NULL,
	  change_show_options, cmd_change_show },
	{ "change", "cancel", "NAME", 1, "cards to which nothing has been sent yet keep their keys", NULL, yes_options,
	  cmd_change_cancel },
	{ "vault", "gen-batch", "", 0, "make pairs for cards that are to be made", NULL, gen_options, cmd_vault_gen },
	{ "vault", "import", "FILE", 1, "take pairs that others have made",
	  "ICCID,INDEX,KVN,K,OPC,KIC,KID,KIK[,IMSI[,MSISDN]]; cards that are known stay as they are.", no_options,
	  cmd_vault_import },
	{ "vault", "issue", "", 0, "first pairs to the issuer", NULL, issue_options, cmd_vault_issue },
	{ "vault", "list", "", 0, "all cards and how many pairs they have left", NULL, no_options, cmd_vault_list },
	{ "vault", "pair", "ICCID", 1, "a card's pairs and whose they are; never a key", NULL, no_options,
	  cmd_vault_pair },
	{ "vault", "ledger", "", 0, "who has had which pair", NULL, no_options, cmd_vault_ledger },
	{ "vault", "verify", "", 0, "walk the ledger: is every line what it was?", NULL, no_options, cmd_vault_verify },
	{ "exchange", "status", "", 0, "partners, and what waits for them", NULL, no_options, cmd_exchange_status },
	{ "exchange", "list", "", 0, "packages in and out", NULL, exchange_list_options, cmd_exchange_list },
	{ "exchange", "import", "FILE", 1, "take a package that came as a file", NULL, no_options,
	  cmd_exchange_import },
	{ "exchange", "fetch", "PARTNER NUMBER", 2, "a package as a file, to be carried by hand", NULL, fetch_options,
	  cmd_exchange_fetch },
	{ "exchange", "show", "FILE", 1, "a package between parties, explained without its keys; no gateway needed",
	  "Type, order, sender, receiver, validity, number of records, whether it may hold keys.  The exit code is 2 "
	  "when it is "
	  "not\n"
	  "as its type demands, or not signed by the party whose file was given.",
	  exchange_options, cmd_exchange_show },
	{ "explain-error", NULL, "[PLANE] CODE", 2,
	  "what an error code means and what is done about it, no gateway needed",
	  "CODE is 0x58, 27, UNDELIV, 6A82, 3/27 or a name; PLANE: smpp, stat (receipt), err (receipt-err), nec, map, "
	  "rp, "
	  "gsup,\n"
	  "fcs, por, sw.  'smpp:0x58' is the same as 'smpp 0x58'.  Without PLANE every plane that knows the code is "
	  "told.\n"
	  "Waits are those of the default retry policy.  The exit code is 3 for a code that nobody knows: class "
	  "UNKNOWN, no\n"
	  "evidence either way.",
	  error_options, cmd_explain_error },
	{ "explain", NULL, "HEX", 1, "the header fields of a packet, without any key", NULL, no_options, cmd_explain },
};

/* ------------------------------------------------------------------------------------------------ messages */

void ctl_error(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("otactl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void ctl_error_word(const char *what, const char *word, const char *const *words, size_t n)
{
	const char *near = nearest_word(word, words, n);
	char all[WORDS_TOLD_MAX] = "";
	size_t len = 0;

	if (near) {
		ctl_error("unknown %s '%s'; did you mean '%s'?", what, word, near);
		return;
	}
	for (size_t i = 0; i < n && len < sizeof(all); i++) /* those of a group come together */
		if (!i || strcmp(words[i], words[i - 1]))
			len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", len ? ", " : "", words[i]);
	ctl_error("unknown %s '%s'; one of: %s", what, word, all);
}

bool ctl_confirmed(const struct ctl_args *a, const char *what)
{
	if (ctl_arg(a, "yes", 0))
		return true;
	ctl_error("%s; repeat with --yes", what);
	return false;
}

/* ------------------------------------------------------------------------------------------------ help */

static void print_options(const struct ctl_option *o)
{
	for (; o->name; o++) {
		char left[80];
		const char *help = o->help;

		if (o->letter)
			snprintf(left, sizeof(left), "-%c, --%s%s%s", o->letter, o->name, o->arg ? " " : "",
				 o->arg ? o->arg : "");
		else
			snprintf(left, sizeof(left), "    --%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
		printf("  %-26s", left);
		if (strlen(left) > 25)
			printf("\n%28s", "");
		for (; *help; help++) {
			putchar(*help);
			if (*help == '\n')
				printf("%28s", "");
		}
		putchar('\n');
	}
}

static void help_command(const struct command *cmd)
{
	printf("usage: otactl %s%s%s%s%s%s\n\n%s\n", cmd->group, cmd->verb ? " " : "", cmd->verb ? cmd->verb : "",
	       *cmd->args ? " " : "", cmd->args, cmd->options->name ? " [options]" : "", cmd->brief);
	if (cmd->more)
		printf("\n%s\n", cmd->more);
	putchar('\n');
	print_options(cmd->options);
	print_options(global_options);
}

static void help_all(void)
{
	printf("usage: otactl [options] COMMAND ...\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%s%s%s%s", commands[i].group, commands[i].verb ? " " : "",
			 commands[i].verb ? commands[i].verb : "", *commands[i].args ? " " : "", commands[i].args);
		printf("  %-26s", left);
		if (strlen(left) > 25)
			printf("\n%28s", "");
		printf("%s\n", commands[i].brief);
	}
	printf("\n");
	print_options(global_options);
	printf("\n'otactl COMMAND --help' tells more.  Exit codes: 0 ok, 1 usage, 2 refused, 3 partial, 4 gateway "
	       "down.\n");
}

/* ------------------------------------------------------------------------------------------------ arguments */

const char *ctl_arg(const struct ctl_args *a, const char *name, unsigned i)
{
	for (unsigned k = 0; k < a->n_given; k++)
		if (!strcmp(a->given[k].option->name, name) && i-- == 0)
			return a->given[k].value;
	return NULL;
}

bool ctl_arg_number(const struct ctl_args *a, const char *name, double lo, double hi, double otherwise, double *out)
{
	const char *s = ctl_arg(a, name, 0);
	char *end;

	*out = otherwise;
	if (!s)
		return true;
	*out = strtod(s, &end);
	if (end != s && !*end && *out >= lo && *out <= hi)
		return true;
	ctl_error("--%s '%s' is not a number from %g to %g", name, s, lo, hi);
	return false;
}

static const struct ctl_option *option_of(const struct ctl_option *o, const char *name, size_t len, char letter)
{
	for (; o->name; o++)
		if (letter ? o->letter == letter : strlen(o->name) == len && !memcmp(o->name, name, len))
			return o;
	return NULL;
}

static void unknown_option(const char *word, const struct ctl_option *own, const char *help)
{
	const char *words[CTL_OPTIONS_MAX];
	char name[NEAREST_WORD_MAX + 1];
	size_t n = 0;

	for (const struct ctl_option *o = own; o->name; o++)
		words[n++] = o->name;
	for (const struct ctl_option *o = global_options; o->name; o++)
		words[n++] = o->name;
	word += strspn(word, "-");
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	if (nearest_word(name, words, n))
		ctl_error("unknown option '%s'; did you mean '--%s'?", name, nearest_word(name, words, n));
	else
		ctl_error("unknown option '%s'; '%s --help' lists them", name, help);
}

/* One option at argv[*i]: "--name value", "--name=value", "-n value", "-nvalue". */
static bool take_option(struct ctl_args *a, const struct ctl_option *own, const char *help, int argc, char **argv,
			int *i)
{
	const char *word = argv[*i], *value = NULL;
	bool is_long = word[1] == '-';
	size_t len = is_long ? strcspn(word + 2, "=") : 1;
	const struct ctl_option *o = option_of(own, word + 2, len, is_long ? 0 : word[1]);

	if (!o)
		o = option_of(global_options, word + 2, len, is_long ? 0 : word[1]);
	if (!o || (!o->arg && !is_long && word[2])) {
		unknown_option(word, own, help);
		return false;
	}
	if (is_long && word[2 + len])
		value = word + 3 + len;
	else if (!is_long && word[2])
		value = word + 2;
	if (!o->arg && value) {
		ctl_error("--%s takes no value", o->name);
		return false;
	}
	if (o->arg && !value && *i + 1 < argc)
		value = argv[++*i];
	if (o->arg && !value) {
		ctl_error("--%s needs %s", o->name, o->arg);
		return false;
	}
	if (a->n_given == CTL_OPTIONS_MAX) {
		ctl_error("more than %d options", CTL_OPTIONS_MAX);
		return false;
	}
	a->given[a->n_given].option = o;
	a->given[a->n_given++].value = value ? value : "";
	return true;
}

/* ------------------------------------------------------------------------------------------------ commands */

static const struct command *command_of(const char *group, const char *verb, bool *group_known)
{
	*group_known = false;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].group, group))
			continue;
		*group_known = true;
		if (!commands[i].verb || (verb && !strcmp(commands[i].verb, verb)))
			return &commands[i];
	}
	return NULL;
}

static void unknown_command(const char *group, const char *verb, bool group_known)
{
	const char *words[ARRAY_SIZE(commands)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!group_known)
			words[n++] = commands[i].group;
		else if (!strcmp(commands[i].group, group))
			words[n++] = commands[i].verb;
	}
	if (!group_known) {
		ctl_error_word("command", group, words, n);
		return;
	}
	if (verb) {
		ctl_error_word("command", verb, words, n);
		return;
	}
	fprintf(stderr, "otactl: %s what?  One of:", group);
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, " %s", words[i]);
	fputc('\n', stderr);
}

/* "-1" is a number, and a lone "-" a file. */
static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] && !strchr("0123456789", word[1]);
}

/* The words that are neither options nor their values, to find the command before its options are known. */
static unsigned plain_words(int argc, char **argv, const char *out[2])
{
	unsigned n = 0;

	for (int i = 1; i < argc && n < 2; i++) {
		if (!is_option(argv[i])) {
			out[n++] = argv[i];
			continue;
		}
		if (!strcmp(argv[i], "-s") || !strcmp(argv[i], "-o") || !strcmp(argv[i], "--socket") ||
		    !strcmp(argv[i], "--output"))
			i++; /* its value */
	}
	return n;
}

static bool set_format(struct ctl *c, const char *word)
{
	static const char *const words[] = { [CTL_TABLE] = "table", [CTL_JSON] = "json", [CTL_CSV] = "csv" };

	for (size_t i = 0; word && i < ARRAY_SIZE(words); i++) {
		if (!strcmp(word, words[i])) {
			c->format = (enum ctl_format)i;
			c->format_given = true;
			return true;
		}
	}
	if (word)
		ctl_error_word("output format", word, words, ARRAY_SIZE(words));
	return !word;
}

static int run_command(const struct command *cmd, struct ctl_args *a)
{
	struct ctl c = { .socket = ctl_arg(a, "socket", 0) };
	int rc;

	if (!set_format(&c, ctl_arg(a, "output", 0)))
		return CTL_USAGE;
	if (!c.socket)
		c.socket = getenv(CTL_SOCKET_ENV);
	if (!c.socket || !*c.socket)
		c.socket = CTL_SOCKET_DEFAULT;
	rc = cmd->run(&c, a);
	if (fflush(stdout) || ferror(stdout)) {
		ctl_error("cannot write the output: %s", strerror(errno));
		return rc ? rc : CTL_USAGE;
	}
	return rc;
}

static int parse_and_run(const struct command *cmd, int argc, char **argv)
{
	struct ctl_args a = { .n_pos = 0 };
	unsigned skip = cmd->verb ? 2 : 1;
	bool options = true;
	char help[64];

	snprintf(help, sizeof(help), "otactl %s%s%s", cmd->group, cmd->verb ? " " : "", cmd->verb ? cmd->verb : "");
	for (int i = 1; i < argc; i++) {
		if (options && !strcmp(argv[i], "--")) {
			options = false; /* only words from here on */
		} else if (options && is_option(argv[i])) {
			if (!take_option(&a, cmd->options, help, argc, argv, &i))
				return CTL_USAGE;
		} else if (skip) {
			skip--;
		} else if (a.n_pos < CTL_POSITIONS_MAX) {
			a.pos[a.n_pos++] = argv[i];
		}
	}
	if (ctl_arg(&a, "help", 0)) {
		help_command(cmd);
		return CTL_OK;
	}
	if (a.n_pos > cmd->n_args || (a.n_pos < cmd->n_args && cmd->args[0] != '[')) {
		ctl_error("usage: otactl %s%s%s%s%s; --help tells more", cmd->group, cmd->verb ? " " : "",
			  cmd->verb ? cmd->verb : "", *cmd->args ? " " : "", cmd->args);
		return CTL_USAGE;
	}
	return run_command(cmd, &a);
}

int main(int argc, char **argv)
{
	const char *word[2] = { NULL, NULL };
	unsigned n = plain_words(argc, argv, word);
	const struct command *cmd;
	bool group_known;

	signal(SIGPIPE, SIG_IGN);
	if (n == 0) {
		struct ctl_args a = { .n_pos = 0 };

		for (int i = 1; i < argc; i++)
			if (!take_option(&a, no_options, "otactl", argc, argv, &i))
				return CTL_USAGE;
		if (!ctl_arg(&a, "help", 0))
			ctl_error("which command?");
		help_all();
		return ctl_arg(&a, "help", 0) ? CTL_OK : CTL_USAGE;
	}
	cmd = command_of(word[0], word[1], &group_known);
	if (cmd)
		return parse_and_run(cmd, argc, argv);
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			help_all();
			return CTL_OK;
		}
	unknown_command(word[0], word[1], group_known);
	return CTL_USAGE;
}
