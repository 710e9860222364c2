# handover.sh - what the demos of a hand-over have in common: parties, gateways, orders, the books and the cards' own truth; to be sourced.
# SPDX-License-Identifier: AGPL-3.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Who sources it has set `here`, `top` and `me`, and says by functions of its own what the network is:
#   smsc_node WHO   the smsc-link and retry nodes of WHO's configuration
#   hlr_at WHO      HOST:PORT of the CTRL interface of WHO's register
#   fleet_truth     what the cards say of themselves, as `otasim truth -o csv` has it; where they are on stderr
#   end_fleet       ends what stands for cards and network

# Limits, each with its name.
START_TRIES=600		# looks, 50 ms apart, until a program that was started is ready
PORT_TRIES=50
DEADLINE_S=120		# for one order, plus
DEADLINE_PER_CARD_MS=100
SETTLE_TRIES=100	# looks, 0.1 s apart, until every phone has read its card again
QUIET_TRIES=300		# looks, 0.1 s apart, until every package is acknowledged
SHOWN_MAX=5		# lines of cards that are shown when something is wrong
LOG_TAIL=25

kind=${DEMO_KIND:-3b}
seed=1
build=
keep=
install=1
once=
kills=0
killed=0
moved=0
hook=
refuse=
plain=0			# so many of the last cards have no subscription application
dir=
address_by=msisdn
trial=60m
otagw_line=		# one more for the node otagw of each
order_cards=		# list of the cards of an order; else the whole fleet
order_policy=deliver-then-activate
declare -A pool_line=()	# one more for the node pool of each
declare -A gw_pid=() port_of=()
# Of operators and registers: PLMN, first MSISDN, and EF_SMSP's service centre, without which a card's answers by SMS would go nowhere.
declare -A plmn=([a]=00101 [b]=00102 [c]=00103) msisdn=([a]=491519000000 [b]=491529000000 [c]=491539000000) smsp=([a]=01 [b]=02 [c]=03)

bold='' normal=''
if [ -t 1 ]; then
	bold=$'\033[1m' normal=$'\033[0m'
fi

say() {
	printf '%s\n' "$*"
}

step() {
	printf '%s== %s%s\n' "$bold" "$*" "$normal"
}

die() {
	printf '%s: %s\n' "$me" "$*" >&2
	exit 1
}

# ---------------------------------------------------------------------------------------------- processes

# Ends a process that this script started, by its id.
end() {
	local pid=$1
	[ -n "$pid" ] || return 0
	if kill -0 "$pid" 2>/dev/null; then
		kill -TERM "$pid"
	fi
	wait "$pid" 2>/dev/null || :	# its exit status is the signal we sent
}

logs() {
	local f
	for f in "$dir"/*/otagwd.log "$dir"/*.log; do
		[ -s "$f" ] || continue
		printf -- '---- the end of %s\n' "${f#"$dir"/}"
		tail -n "$LOG_TAIL" "$f"
	done
}

finish() {
	local rc=$? p
	trap - EXIT INT TERM HUP
	# above 128: somebody interrupted us and knows why
	[ "$rc" -eq 0 ] || [ "$rc" -gt 128 ] || [ -z "$dir" ] || logs >&2
	for p in "${!gw_pid[@]}"; do
		end "${gw_pid[$p]}"
	done
	end_fleet
	if [ -n "$dir" ]; then
		if [ -n "$keep" ]; then
			say "kept: $dir"
		else
			rm -rf "$dir"
		fi
	fi
	exit "$rc"
}

alive() {
	kill -0 "$1" 2>/dev/null
}

# Somebody's otactl.
at() {
	local who=$1
	shift
	"$otactl" -s "$dir/$who/api.sock" "$@"
}

told() {
	local who=$1
	shift
	say "\$ otactl $(printf '%s ' "${@//"$dir"\//}")   ($who)"
	at "$who" "$@"
}

# Started means: it answers that it is ready.
start_gateway() {
	local who=$1 status
	"$otagwd" -c "$dir/$who/otagw.cfg" >>"$dir/$who/otagwd.log" 2>&1 &
	gw_pid[$who]=$!
	for ((i = 0; i < START_TRIES; i++)); do
		if status=$(at "$who" status -o json 2>/dev/null) && [[ $status == *'"ready": true'* ]]; then
			return 0
		fi
		alive "${gw_pid[$who]}" || break
		sleep 0.05
	done
	die "the gateway of $who did not become ready"
}

# kill -9 of one gateway, or of two at once, and all are started again.
kill_some() {
	local who all=("$@") first=$((RANDOM % $#)) n=$((1 + (RANDOM % 4 == 0 && $# > 1))) k
	for ((k = 0; k < n; k++)); do
		who=${all[(first + k) % $#]}
		kill -KILL "${gw_pid[$who]}"
		wait "${gw_pid[$who]}" 2>/dev/null || :	# its exit status is the signal we sent
		say "   kill -9 of $who"
		killed=$((killed + 1))
	done
	for ((k = 0; k < n; k++)); do
		start_gateway "${all[(first + k) % $#]}"
	done
}

# Every package has been acknowledged, but those to the subscriber, who has no gateway; then all gateways end, and their databases are read.
all_quiet() {
	local who i open
	for ((i = 0; i < QUIET_TRIES; i++)); do
		open=
		for who in "${parties[@]}"; do
			open+=$(at "$who" exchange list --out -o csv | awk -F, -v who="$who" 'NR == 1 { for (i = 1; i <= NF; i++) col[$i] = i; next }
				$col["state"] == "READY" && $col["partner"] != "s" { print who ": " $0 }')
		done
		[ -n "$open" ] || break
		sleep 0.1
	done
	[ -z "$open" ] || { say "$open" >&2; die "packages wait for an acknowledgement that does not come"; }
	if [ -n "$hook" ]; then
		"$hook" "$dir" "${gw_pid[a]}" || die "$hook ended with exit status $?"
	fi
	for who in "${parties[@]}"; do
		end "${gw_pid[$who]}"
		gw_pid[$who]=
		"$otagwd" -c "$dir/$who/otagw.cfg" --check-store >"$dir/$who/check.log" 2>&1 ||
			{ cat "$dir/$who/check.log" >&2; die "the database of $who is not good"; }
	done
}

# ---------------------------------------------------------------------------------------------- configs

# A port on which nobody listens now.
free_port() {
	local i port
	for ((i = 0; i < PORT_TRIES; i++)); do
		port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
		if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && [[ " ${port_of[*]-} " != *" $port "* ]]; then
			echo "$port"
			return 0
		fi
	done
	die "no free port was found"
}

# partner NAME WHAT...
partner() {
	local name=$1 w
	shift
	printf 'partner %s\n party-file %s/%s/%s.otaparty\n' "$name" "$dir" "$name" "$name"
	[ "$name" = s ] || printf ' url https://127.0.0.1:%s\n' "${port_of[$name]}"
	for w in "$@"; do
		printf ' may-be %s\n' "$w"
	done
	[ -z "${plmn[$name]-}" ] || printf ' network %s\n' "${plmn[$name]}"
}

config() {
	local who=$1 p
	printf 'otagw\n state-dir %s\n profile-dir %s\n api-socket %s\n log-level notice\n' \
		"$dir/$who/state" "$top/contrib/cfg/profiles" "$dir/$who/api.sock"
	[ -z "$otagw_line" ] || printf ' %s\n' "$otagw_line"
	[ "$who" = m ] || printf ' source-address 9000 ton 2 npi 1\n address-by %s\n prepared-max 200\n' "$address_by"
	printf 'keystore\n kek file %s\n' "$dir/$who/kek"
	if [ "$who" != m ]; then
		smsc_node "$who"
	fi
	printf 'exchange\n role %s\n party-file %s/%s.otaparty\n self-file %s/%s.self\n listen 127.0.0.1:%s\n package-dir %s\n' \
		"$([ "$who" = m ] && echo vault || echo mno)" "$dir/$who" "$who" "$dir/$who" "$who" "${port_of[$who]}" "$dir/$who/packages"
	partner s subscriber
	for p in "${operators[@]}"; do
		[ "$p" = "$who" ] || partner "$p" a b
	done
	[ "$who" = m ] || partner m vault
	if [ "$who" != m ]; then
		printf 'pool\n imsi-range %s9%09d %s9%09d\n msisdn-from %s\n plmns %s\n trial %s\n' \
			"${plmn[$who]}" 0 "${plmn[$who]}" 999999999 "${msisdn[$who]}" "${plmn[$who]}" "$trial"
		[ -z "${pool_line[$who]-}" ] || printf ' %s\n' "${pool_line[$who]}"
		# alpha identifier, "TS-SCA alone", no TP-DA, TS-SCA +4915n0000001, the rest absent
		printf ' file 6f42:%s\n' "$(printf 'f%.0s' {1..20})fd$(printf 'f%.0s' {1..24})07919451${smsp[$who]}000010ffffffffffffff"
		printf 'hlr\n osmo %s\n poll 300ms\n' "$(hlr_at "$who")"
	fi
}

# ---------------------------------------------------------------------------------------------- an order

# number KEY of the JSON in $view; 0 when it is not there
number() {
	if [[ $view =~ \"$1\":\ ([0-9]+) ]]; then
		echo "${BASH_REMATCH[1]}"
	else
		echo 0
	fi
}

# Whether what the subscriber signed was taken.
await_so() {
	local order=$1 who=$2 i list
	for ((i = 0; i < START_TRIES; i++)); do
		! at "$who" order show "$order" >/dev/null 2>&1 || return 0
		list=$(at "$who" exchange list --in -o csv)
		! grep "^in,s,.*,SO,$order,REFUSED" <<<"$list" || die "$who has refused order $order"
		sleep 0.05
	done
	die "$who does not know order $order"
}

# The first pairs come in packages: the issuer has all of them when it has all cards.
await_cards() {
	local who=$1 i
	for ((i = 0; i < START_TRIES; i++)); do
		view=$(at "$who" status -o json)
		[ "$(number cards)" -lt "$cards" ] || return 0
		sleep 0.05
	done
	die "$who has only $(number cards) of $cards cards"
}

# Both sides of an order, until it has ended at both.
await_order() {
	local order=$1 from=$2 to=$3 last='' now who ended=0 deadline left=$kills victims=("$2" "$3")
	[ "$kind" = 3a ] || victims+=(m)
	deadline=$((SECONDS + DEADLINE_S + cards * DEADLINE_PER_CARD_MS / 1000))
	while [ "$SECONDS" -lt "$deadline" ]; do
		now= ended=0
		for who in "$from" "$to"; do
			view=$(at "$who" order show "$order" -o json 2>/dev/null) || view=
			now+=" $who: $(sed -n '/"steps"/,/}/s/^ *"\([A-Z_]*\)": \([0-9]*\),\{0,1\}$/\1=\2/p' <<<"$view" | tr '\n' ' ')"
			[[ $view != *'"state": "ENDED"'* ]] || ended=$((ended + 1))
			[[ $view != *'"alarm": "'* ]] || now+="ALARM $(sed -n 's/.*"alarm": "\(.*\)".*/\1/p' <<<"$view") "
		done
		[ "$now" = "$last" ] || say "  $now"
		last=$now
		[ "$ended" -lt 2 ] || return 0
		sleep "0.$((1 + RANDOM % 5))"
		if [ "$left" -gt 0 ] && [ $((RANDOM % 3)) -eq 0 ]; then
			kill_some "${victims[@]}"
			left=$((left - 1))
		fi
	done
	for who in "$from" "$to"; do
		say "---- $who"
		at "$who" order show "$order" --lines | head -n $((SHOWN_MAX + 1)) || :
		at "$who" exchange list --order "$order" || :
		at "$who" exchange status || :
	done >&2
	die "order $order did not end in time"
}

# One party's report must have every card done, once.
reconcile() {
	local order=$1 who=$2 rc=0
	at "$who" order report "$order" || rc=$?
	if [ "$rc" -ne 0 ]; then
		at "$who" order report "$order" -o csv | grep -v ',done,' | head -n "$SHOWN_MAX" >&2 || :
		die "order $order: not every card is done in the books of $who (otactl said $rc)"
	fi
	at "$who" order report "$order" -o csv | awk -F, 'NR > 1 { print $1 "," $5 }' | LC_ALL=C sort >"$dir/$order.$who"
	[ "$(wc -l <"$dir/$order.$who")" -eq "$cards" ] || die "order $order: $who has not one line for each card"
}

# The subscriber signs, everybody takes it.
begin_order() {
	local order=$1 from=$2 to=$3 name f sign=() list=${order_cards:-$dir/new-imsi.csv}
	step "order $order: $(($(wc -l <"$list") - 1)) cards from $from to $to"
	[ "$order_policy" = deliver-then-activate ] || sign=(--policy "$order_policy")
	[ "$kind" = 3a ] || sign+=(--partner "$dir/m/m.otaparty" --vault m)
	"$otactl" order sign --party "$dir/s/s.otaparty" --partner "$dir/$from/$from.otaparty" --partner "$dir/$to/$to.otaparty" \
		"${sign[@]}" --cards "$list" --kind "$kind" --a "$from" --b "$to" --until 30d --name "$order" --out "$dir/s/out"
	for name in "$from" "$to" m; do
		[ "$kind" = 3b ] || [ "$name" != m ] || continue
		for f in "$dir/s/out/s-to-$name-"*.otapkg; do
			[ -e "$f" ] || die "nothing was signed for $name"
			told "$name" exchange import "$f"
			mv "$f" "$f.taken"
		done
	done
	for name in "$from" "$to"; do
		await_so "$order" "$name"
	done
}

# Cards without a way back wait for this word, order by order.
accept_plain() {
	[ "$plain" -eq 0 ] || told "$2" order accept "$1" --no-rollback-ok
}

hand_over() {
	local order=$1 from=$2 to=$3
	begin_order "$order" "$from" "$to"
	accept_plain "$order" "$from"
	settled "$order" "$from" "$to"
}

# It ends at both, all cards done, and the cards say the same.
settled() {
	local order=$1 from=$2 to=$3 name
	await_order "$order" "$from" "$to"
	for name in "$from" "$to"; do
		reconcile "$order" "$name"
	done
	cmp -s "$dir/$order.$from" "$dir/$order.$to" || die "order $order: the books of $from and $to do not have the same IMSIs"
	truth "$to" $((moved += 1)) "$dir/$order.$to"
	[ "$plain" -eq 0 ] || stranded "$order" "$from" "$moved"
}

# A plain card is stranded that has carried out the write of its new IMSI, and whose network does not know it.  Who is so by the cards' own
# word must be so by the old operator's report, card by card.
find_stranded() {
	local order=$1 who=$2
	awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) col[$i] = i; next }
		$col["state"] == "" && $col["imsi_writes"] > 0 && $col["operator"] == "" { print $col["iccid"] }' "$dir/truth.csv" |
		LC_ALL=C sort >"$dir/stranded.truth"
	at "$who" order show "$order" --lines -o csv | awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) col[$i] = i; next }
		$col["flags"] ~ /(^| )stranded( |$)/ { print $col["iccid"] }' | LC_ALL=C sort >"$dir/stranded.told"
}

stranded() {
	local order=$1 who=$2 writes=$3 written
	find_stranded "$order" "$who"
	written=$(awk -F, -v writes="$writes" 'NR == 1 { for (i = 1; i <= NF; i++) col[$i] = i; next }
		$col["state"] == "" { n += $col["imsi_writes"] == writes } END { print n + 0 }' "$dir/truth.csv")
	say "plain cards: $plain, of them $written have written EF_IMSI $writes times; stranded by their own word" \
		"$(wc -l <"$dir/stranded.truth"), by the report of $who $(wc -l <"$dir/stranded.told")"
	[ "$written" -eq "$plain" ] || die "not every plain card has run its write once for each order"
	cmp -s "$dir/stranded.truth" "$dir/stranded.told" ||
		die "the report of $who names other cards as stranded than the cards themselves: $(diff "$dir/stranded.truth" "$dir/stranded.told")"
}

# What the cards say themselves: where they are, under which IMSI, how often their index has moved.
truth() {
	local where=$1 moves=$2 list=$3 wrong i
	for ((i = 0; i < SETTLE_TRIES; i++)); do
		fleet_truth >"$dir/truth.csv" 2>"$dir/truth.where"
		wrong=$(awk -F, -v where="$where" -v moves="$moves" -v kind="$kind" -v list="$list" '
			BEGIN { while ((getline line < list) > 0) { split(line, f, ","); imsi[f[1]] = f[2] } }
			NR == 1 { for (i = 1; i <= NF; i++) col[$i] = i; next }
			{ n++
			  why = ""
			  if ($col["imsi"] != imsi[$col["iccid"]]) why = "holds " $col["imsi"] ", the books say " imsi[$col["iccid"]]
			  else if ($col["operator"] != where) why = "is registered at \"" $col["operator"] "\""
			  else if (kind == "3b" && $col["moves"] != moves) why = "has moved " $col["moves"] " times"
			  else if (kind == "3b" && $col["moves_max"] > 1) why = "has moved more than once for one order"
			  if (why != "") print $col["iccid"] " " why }' "$dir/truth.csv")
		[ -n "$wrong" ] || break
		sleep 0.1
	done
	[ -z "$wrong" ] || { head -n "$SHOWN_MAX" <<<"$wrong" >&2; die "$(wc -l <<<"$wrong") cards are not where they should be"; }
	say "the cards themselves: $(cat "$dir/truth.where"); pairs left: $(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) col[$i] = i; next }
		{ n[$col["pairs_left"]]++ } END { for (k in n) printf "%s cards %s, ", n[k], k }' "$dir/truth.csv" | sed 's/, $//')"
}

# await COMPLAINT COMMAND...: until it succeeds.
await() {
	local complaint=$1 deadline
	shift
	deadline=$((SECONDS + DEADLINE_S + cards * DEADLINE_PER_CARD_MS / 1000))
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || die "$complaint"
		sleep 0.2
	done
}

# Looks at what was said on the command line.
check_numbers() {
	[[ $cards =~ ^[1-9][0-9]*$ ]] && [ "$cards" -ge "$CARDS_MIN" ] && [ "$cards" -le "$CARDS_MAX" ] ||
		die "--$1 wants a number from $CARDS_MIN to $CARDS_MAX"
	[[ $seed =~ ^[0-9]+$ ]] || die "--seed wants a number"
	[[ $kills =~ ^[0-9]+$ ]] || die "--kills wants a number"
	[[ $plain =~ ^[0-9]+$ ]] && [ "$plain" -le "$cards" ] || die "--plain wants a number of the cards"
	[ "$plain" -eq 0 ] || [ "$kind" = 3a ] || die "--plain: orders of kind 3b are for cards with the subscription application"
	[ -z "$refuse" ] || { [[ $refuse =~ ^[0-9]+%$ ]] && [ "$plain" -gt 0 ]; } || die "--refuse wants a share, as 40%, and --plain"
	RANDOM=$seed
}

# programs GROUP TARGET...: where they are built, or builds them with GROUP's packages.
programs() {
	local group=$1 t
	shift
	if [ -z "$build" ]; then
		if [ -n "$install" ]; then
			[ -x "$here/install-packages" ] || die "$here/install-packages is missing: this is no complete checkout"
			"$here/install-packages" "$group"
		fi
		step "building"
		build=$top/build/release
		mkdir -p "$build"
		if ! (cd "$top" && cmake --preset release && cmake --build "$build" --target "$@") >"$build/demo.log" 2>&1; then
			tail -n "$LOG_TAIL" "$build/demo.log" >&2
			die "the build failed; all of it is in $build/demo.log"
		fi
	fi
	otagwd=$build/gateway/otagwd
	otactl=$build/gateway/otactl/otactl
	otasim=$build/contrib/otasim/otasim
	for t in "$otagwd" "$otactl" "$otasim"; do
		[ -x "$t" ] || die "there is no $t: build the targets $*"
	done
}

# An operator tells his gateway which of his cards are plain, by their profile; their keys stay as the vault has issued them.
import_plain() {
	local who=$1
	awk -F, -v first="$((cards - plain))" 'NR == 1 { for (i = 1; i <= NF; i++) col[$i] = i; print "ICCID,IMSI,MSISDN,KIC1,KID1,KIK1"; next }
		$col["INDEX"] == 1 && ++n > first { print $col["ICCID"] "," $col["IMSI"] "," $col["MSISDN"] "," $col["KIC"] "," $col["KID"] "," $col["KIK"] }' \
		"$dir/m/for-card-maker.csv" >"$dir/$who/plain.csv"
	told "$who" card import "$dir/$who/plain.csv" --keyset 1=aes128,cntr=1,gen=1 --profile usim-rfm-opc
}

# Everybody's party file and port.
make_parties() {
	local p
	step "parties: each makes its keys, the subscriber needs no gateway"
	for p in s "${parties[@]}"; do
		"$otactl" party create "$p" --dir "$dir/$p" | sed -n '1p;3p'
		mkdir -p "$dir/$p/state"
	done
	for p in "${parties[@]}"; do
		port_of[$p]=$(free_port)
	done
}

# The vault makes the pairs of the fleet; for-card-maker.csv has them.
make_pairs() {
	step "cards: the vault makes $PAIRS pairs for each, the card maker puts them in"
	"$otasim" --cards "$cards" --seed "$seed" --alg aes128 --pairs "$PAIRS" --imsi-prefix "${plmn[a]}" --dir "$dir" --lists >"$dir/otasim.log" 2>&1
	config m >"$dir/m/otagw.cfg"
	start_gateway m
	awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) col[$i] = i; print "ICCID,IMSI,MSISDN"; next }
		{ print $col["ICCID"] "," $col["IMSI"] "," $col["MSISDN"] }' "$dir/cards.csv" >"$dir/to-make.csv"
	told m vault gen-batch --pairs "$PAIRS" --cards "$dir/to-make.csv" --out "$dir/m/for-card-maker.csv"
}
