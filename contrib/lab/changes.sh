# changes.sh - an operator gives its own cards other keys, then other IMSIs, with OsmoHLR and OsmoMSC; to be sourced behind bench.sh.
# SPDX-License-Identifier: AGPL-3.0-or-later
# shellcheck shell=bash disable=SC2154

CHANGE_TRIES=400	# looks, 0.5 s apart, until a change has ended

# counted NAME: what the phones have counted under that name.
counted() {
	bsc status | awk -v n="$1" '$1 == n { print $2 }'
}

# at_register WHO: IMSI, MSISDN, K and OPc of each subscriber, as the register itself tells them.
at_register() {
	local all
	all=$(lab vty "$dir/lab" "hlr-$1" "show subscribers all") || die "the register of $1 does not answer"
	awk '$1 ~ /^[0-9]+$/ && $3 ~ /^[0-9]+$/ { print "subscriber imsi " $3 " show" }' <<<"$all" | lab vty "$dir/lab" "hlr-$1" - |
		awk '$1 == "IMSI:" { imsi = $2; n = "none" } $1 == "MSISDN:" { n = $2 } /^ *K=/ { k = substr($1, 3) } /^ *OPC=/ { print imsi, n, k, substr($1, 5) }' | LC_ALL=C sort
}

# Column N of what at_register has said, sorted.
column() {
	cut -d' ' -f"$1" "$2" | LC_ALL=C sort
}

# change NAME WHO WHAT: until it has ended for every card.  Meanwhile no phone may be refused by its network, nor refuse it.
change() {
	local name=$1 who=$2 what=$3 i now last='' before after
	step "change $name: $what of $cards cards at $who"
	at_register "$who" >"$dir/$name.before"
	before="refused $(counted refused), MAC failures $(counted mac_failures)"
	told "$who" change start "$name" --cards "$dir/to-make.csv" --what "$what"
	for ((i = 0; i < CHANGE_TRIES; i++)); do
		view=$(at "$who" change show "$name" -o json)
		now=$(sed -n '/"steps"/,/}/s/^ *"\([A-Z_]*\)": \([0-9]*\),\{0,1\}$/\1=\2/p' <<<"$view" | tr '\n' ' ')
		[[ $view != *'"alarm": "'* ]] || now+="ALARM $(sed -n 's/.*"alarm": "\(.*\)".*/\1/p' <<<"$view") "
		[ "$now" = "$last" ] || say "   $now"
		last=$now
		[[ $view != *'"state": "ENDED"'* ]] || break
		sleep 0.5
	done
	[ "$(at "$who" change show "$name" --lines -o csv | awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) col[$i] = i; next }
		$col["end"] == "done" { n++ } END { print n + 0 }')" -eq "$cards" ] || { at "$who" change show "$name" --lines >&2; die "change $name is not done for every card"; }
	# switched off and on: whoever has other keys or another IMSI than the register is let in no more
	bsc attach all >/dev/null
	bsc wait all "$who" "$ATTACH_S" >/dev/null || { bsc phones >&2; die "after change $name not every phone is registered at $who"; }
	after="refused $(counted refused), MAC failures $(counted mac_failures)"
	[ "$before" = "$after" ] || { bsc phones >&2; die "phones were cut off during change $name: $before, then $after"; }
	at_register "$who" >"$dir/$name.after"
	[ "$(wc -l <"$dir/$name.after")" -eq "$cards" ] || die "the register of $who has $(wc -l <"$dir/$name.after") subscribers with keys, not $cards"
}

# differs NAME COLUMN WANTED WHAT: how many values of that column are not what they were must be WANTED.
differs() {
	local n
	n=$(comm -13 <(column "$2" "$dir/$1.before") <(column "$2" "$dir/$1.after") | wc -l)
	[ "$n" -eq "$3" ] || die "change $1: at the register $n of $cards cards have another $4, not $3"
}

# change_keys NAME WHO WHAT
change_keys() {
	local name=$1 syncs seen
	syncs=$(counted resyncs) seen=$(counted authenticated)
	change "$@"
	differs "$name" 1 0 IMSI
	differs "$name" 2 0 MSISDN
	differs "$name" 3 "$([[ $3 =~ ^(all|k|.*,k.*)$ ]] && echo "$cards" || echo 0)" K
	differs "$name" 4 "$([[ $3 =~ ^(all|opc|.*,opc.*)$ ]] && echo "$cards" || echo 0)" OPc
	say "the register has them, and no phone was refused meanwhile: $(($(counted authenticated) - seen)) authentications, $(($(counted resyncs) - syncs)) AUTS"
}

# change_imsi NAME WHO KEEPS-MSISDN
change_imsi() {
	local name=$1 who=$2
	change "$name" "$who" imsi
	differs "$name" 1 "$cards" IMSI
	differs "$name" 2 "$([ -n "$3" ] && echo 0 || echo "$cards")" MSISDN
	differs "$name" 3 0 K
	differs "$name" 4 0 OPc
	fleet_truth 2>/dev/null | awk -F, -v where="$who" 'NR == 1 { for (i = 1; i <= NF; i++) col[$i] = i; next }
		$col["operator"] == where { print $col["imsi"] }' | LC_ALL=C sort | cmp -s - <(column 1 "$dir/$name.after") ||
		{ fleet_truth >&2; die "the cards have other IMSIs than the register of $who"; }
	at "$who" card list -o csv | awk -F, 'NR > 1 { print $2 }' | LC_ALL=C sort | cmp -s - <(column 1 "$dir/$name.after") ||
		die "the books of $who have other IMSIs than its register"
	say "cards, books and register of $who have the same new IMSIs${3:+, with the MSISDNs they had}"
}
