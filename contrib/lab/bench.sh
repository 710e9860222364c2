# bench.sh - two operators on Osmocom's programs with a gateway each, a vault, virtual phones and cards; to be sourced.
# SPDX-License-Identifier: AGPL-3.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154
#
# For contrib/demo-osmocom and the scripts beside this one.  What parties and orders are is in contrib/handover.sh, whose wishes this file fulfils.

# shellcheck source=contrib/handover.sh
. "$here/handover.sh"

ATTACH_S=60		# for all phones at the beginning
PAIRS=4			# of each card: two orders, and one to spare
capture=
bsc_pid=
dump_pid=
address_by=imsi
phones_say=(--again 1,4 --periodic 15 --poll 1)
operators=(a b)
parties=(a b m)

lab() {
	"$here/lab/lab" "$@"
}

bsc() {
	"$otabsc" --ask "$dir/bsc.sock" "$@"
}

smsc_node() {
	printf 'smsc-link msc-%s\n remote-ip %s\n remote-port 2775\n system-id OTAGW\n password-file %s\n flavour osmomsc\n' \
		"$1" "$(ip_of "$1")" "$dir/password"
	printf ' window 40\n throughput 200\n enquire-link 5s\n response-timeout 50s\n reconnect 200ms\n reconnect-max 2s\nretry\n preset demo\n'
}

ip_of() {
	local v=lab_ip_$1
	echo "${!v}"
}

hlr_at() {
	echo "$(ip_of "$1"):4259"
}

fleet_truth() {
	"$otasim" truth --control "$dir/bsc.sock" -o csv
}

end_fleet() {
	end "$bsc_pid"
	bsc_pid=
	end "$dump_pid"
	dump_pid=
	[ ! -e "$dir/lab/lab.env" ] || lab down "$dir/lab"
}

start_lab() {
	step "network: OsmoSTP, and OsmoHLR and OsmoMSC for a and b"
	lab up "$dir/lab" --build "$build" ${capture:+--capture}
	# shellcheck disable=SC1091
	. "$dir/lab/lab.env"
	printf '%s\n' "$lab_password" >"$dir/password"
	say "a $lab_ip_a, b $lab_ip_b, STP $lab_stp"
	[ -z "$capture" ] || { otagw_line="gsmtap remote $lab_bsc"; start_dump; }
}

# All that goes over SMPP, and what the gateways show as GSMTAP, into a file.  Who may not capture does without.
start_dump() {
	local i
	command -v dumpcap >/dev/null || die "there is no dumpcap: contrib/install-packages lab"
	dumpcap -q -i lo -f "net $lab_net.0/24 and (tcp port 2775 or udp port 4729)" -w "$dir/lab/smpp.pcap" >"$dir/dumpcap.log" 2>&1 &
	dump_pid=$!
	for ((i = 0; i < START_TRIES; i++)); do
		! grep -q '^File: ' "$dir/dumpcap.log" || return 0
		alive "$dump_pid" || break
		sleep 0.05
	done
	end "$dump_pid"
	dump_pid=
	say "SMPP cannot be captured here: $(head -n 1 "$dir/dumpcap.log")"
}

# What tshark says of it.
check_capture() {
	local files=() expect=()
	[ -n "$capture" ] || return 0
	step "tshark looks at what was sent"
	if [ -n "$dump_pid" ]; then
		end "$dump_pid"
		dump_pid=
		files+=("$dir/lab/smpp.pcap")
		expect+=(smpp gsmtap)
	fi
	# where the kernel has SCTP there is no shim that writes it down
	[ -z "$lab_shim" ] || { files+=("$dir/lab/sctp.pcap"); expect+=(m3ua sccp bssap gsm_a.dtap gsm_sms); }
	[ ${#files[@]} -gt 0 ] || { say "nothing could be captured"; return 0; }
	"$here/lab/decodes" --expect "$(IFS=,; echo "${expect[*]}")" "${files[@]}" || die "what was sent is not what tshark understands"
	"$here/lab/decodes" --self-test "${files[@]}" || die "a damaged capture is taken for good"
}

# What the issuer's register has before anything begins: the first pair of each card.
fill_register() {
	local said
	said=$(awk -F, 'FNR == 1 { delete col; for (i = 1; i <= NF; i++) col[$i] = i; next }
		FNR == NR { imsi[$col["ICCID"]] = $col["IMSI"]; msisdn[$col["ICCID"]] = $col["MSISDN"]; next }
		$col["KVN"] == 1 {
			i = imsi[$col["ICCID"]]
			print "subscriber imsi " i " create"
			print "subscriber imsi " i " update msisdn " msisdn[$col["ICCID"]]
			print "subscriber imsi " i " update aud3g milenage k " $col["K"] " opc " $col["OPC"]
		}' "$dir/cards.csv" "$dir/m/for-card-maker.csv" | lab vty "$dir/lab" hlr-a -)
	[ "$(grep -c '% Created subscriber' <<<"$said")" -eq "$cards" ] || { tail -n "$SHOWN_MAX" <<<"$said" >&2; die "the register of a did not take all subscribers"; }
}

start_phones() {
	local o m=()
	for o in "${operators[@]}"; do
		local pc=lab_pc_$o
		m+=(--msc "$o,${!pc},${plmn[$o]}")
	done
	SCTP_SHIM_PCAP=${capture:+$dir/lab/sctp.pcap} "$otabsc" "${phones_say[@]}" --stp "$lab_stp" --local "$lab_bsc" --pc "$lab_bsc_pc" "${m[@]}" --seed "$seed" --alg aes128 --pairs "$PAIRS" \
		--imsi-prefix "${plmn[a]}" --perso "$dir/m/for-card-maker.csv" --control "$dir/bsc.sock" --verbose >"$dir/otabsc.log" 2>&1 &
	bsc_pid=$!
	for ((i = 0; i < START_TRIES; i++)); do
		[ ! -S "$dir/bsc.sock" ] || break
		alive "$bsc_pid" || die "otabsc did not come up"
		sleep 0.05
	done
	step "phones: $cards are switched on"
	bsc attach all >/dev/null
	bsc wait all a "$ATTACH_S" >/dev/null || { bsc status; die "not every phone is registered at a"; }
	say "$(awk -F, 'NR > 1' <(fleet_truth 2>/dev/null) | wc -l) phones are registered at a, with Milenage"
}

# Subscribers that WHO's register has.
subscribers() {
	local said
	said=$(lab vty "$dir/lab" "hlr-$1" "show subscribers all") || die "the register of $1 does not answer: how many subscribers it has is not known"
	# OsmoHLR counts those it shows, and has words of its own for none
	[[ $said != *"% No matching subscriber(s)"* ]] || { echo 0; return 0; }
	[[ $said =~ Subscribers\ Shown:\ ([0-9]+) ]] || die "the register of $1 does not say how many subscribers it has: $said"
	echo "${BASH_REMATCH[1]}"
}

await_cleaned() {
	local from=$1 to=$2 i left= here_now=
	for ((i = 0; i < QUIET_TRIES; i++)); do
		left=$(subscribers "$from") || exit 1	# it has said why
		here_now=$(subscribers "$to") || exit 1
		[ "$left $here_now" != "0 $cards" ] || break
		sleep 0.1
	done
	[ "$left $here_now" = "0 $cards" ] || die "registers: $from and $to have $left and $here_now subscribers, 0 and $cards should be there"
	say "registers: $from has nobody any more, $to has $cards"
}

order() {
	hand_over "$@"
	await_cleaned "$2" "$3"
}

# Everything up to the point where an order can begin.
bring_up() {
	umask 077
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	dir=$(mktemp -d "${TMPDIR:-/tmp}/otagw-$me.XXXXXX")
	start_lab
	make_parties
	[ "$kind" = 3b ] || PAIRS=1
	make_pairs
	fill_register
	for p in "${operators[@]}"; do
		config "$p" >"$dir/$p/otagw.cfg"
		start_gateway "$p"
	done
	told m vault issue --to a --yes
	await_cards a
	start_phones
}

bench_programs() {
	programs lab otagwd otactl otasim otabsc sctp_shim
	otabsc=$build/contrib/lab/otabsc/otabsc
	[ -x "$otabsc" ] || die "there is no $otabsc: build the targets otabsc and sctp_shim"
}
