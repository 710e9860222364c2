# bed.sh - a real gateway beside a simulated fleet, in a folder of its own: what the scripts here share.  To be sourced.
# SPDX-License-Identifier: AGPL-3.0-or-later
# shellcheck shell=bash
#
# The script that sources it has set $me (its name), $cards, $seed and $build, and calls bed_open.

bed_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$bed_here/../.." && pwd)

# Limits, each with its name.
LOOKS_MAX=20000		# at one event
START_LOOKS_MAX=2000	# until a program that was started is ready, or one that was ended is gone
CAMPAIGN_S=120		# a campaign must be through after this
REFRESH_TRIES=100	# looks, 0.1 s apart, until every phone has read its card again
LOG_TAIL=30

dir=
sim_pid=
gw_pid=

die() {
	printf '%s: %s (seed %s)\n' "$me" "$*" "$seed" >&2
	exit 1
}

# Ends a process that this script started, by its id.
end() {
	[ -n "$1" ] || return 0
	if kill -0 "$1" 2>/dev/null; then
		kill -TERM "$1"
	fi
	wait "$1" || :	# what it had to say is in its log
}

finish() {
	local rc=$? f
	trap - EXIT INT TERM HUP
	end "$gw_pid"
	end "$sim_pid"
	if [ "$rc" -ne 0 ] && [ -n "$dir" ]; then
		for f in otagwd.log otasim.log verify.log; do
			[ -s "$dir/$f" ] || continue
			printf -- '---- the end of %s\n' "$f"
			tail -n "$LOG_TAIL" "$dir/$f"
		done >&2
	fi
	[ -z "$dir" ] || rm -rf "$dir"
	exit "$rc"
}

# Options and the build directory; usage is lines 5 to 7 of the script.
bed_options() {
	while [ $# -gt 0 ]; do
		case "$1" in
		--cards | --seed)
			[[ ${2:-} =~ ^[0-9]+$ ]] || die "$1 wants a number"
			declare -g "${1#--}=$2"
			shift
			;;
		-*)
			sed -n '5,7s/^# \{0,1\}//p' "$0" >&2
			exit 1
			;;
		*) build=$1 ;;
		esac
		shift
	done
	[ -n "$build" ] || die "which build directory?"
	otagwd=$build/gateway/otagwd
	otactl=$build/gateway/otactl/otactl
	otasim=$build/contrib/otasim/otasim
	local p
	for p in "$otagwd" "$otactl" "$otasim"; do
		[ -x "$p" ] || die "there is no $p: build the targets otagwd, otactl and otasim"
	done
	command -v sqlite3 >/dev/null || die "sqlite3 is missing: contrib/install-packages check"
}

# A folder with a running fleet and a configuration; the gateway is not started.
bed_open() {
	local i
	umask 077
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	dir=$(mktemp -d "${TMPDIR:-/tmp}/otagw-$me.XXXXXX")
	export OTAGW_SOCKET=$dir/api.sock
	printf 'secret12\n' >"$dir/password"
	head -c 32 /dev/urandom >"$dir/kek"
	mkdir "$dir/state"
	"$otasim" --cards "$cards" --seed "$seed" --dir "$dir" --port-file "$dir/port" --control "$dir/sim.sock" --system-id otagw \
		--password-file "$dir/password" --absent 20% --absent-for 500ms..4s --loss 4% --loss-per-card 3 --dup 2% >"$dir/otasim.log" 2>&1 &
	sim_pid=$!
	for ((i = 0; i < START_LOOKS_MAX; i++)); do
		[ ! -s "$dir/port" ] || [ ! -S "$dir/sim.sock" ] || break
		kill -0 "$sim_pid" 2>/dev/null || die "otasim did not come up"
		sleep 0.01
	done
	sed -e "s|@DIR@|$dir|g" -e "s|@PORT@|$(cat "$dir/port")|g" -e "s|@RATE@|$((cards / 3))|g" -e "s|@TOP@|$top|g" \
		"$top/contrib/cfg/demo.cfg.in" >"$dir/otagw.cfg"
}

# Its log goes through a pipe: a limit on the sizes of its files is not one on the log.
start_gateway() {
	local i status
	"$otagwd" -c "$dir/otagw.cfg" "$@" 2> >(cat >>"$dir/otagwd.log") &
	gw_pid=$!
	for ((i = 0; i < START_LOOKS_MAX; i++)); do
		if status=$("$otactl" status -o json 2>/dev/null) && [[ $status == *'"ready": true'* ]]; then
			return 0
		fi
		kill -0 "$gw_pid" 2>/dev/null || break
		sleep 0.01
	done
	die "otagwd did not become ready"
}

# Until the log has a line like this: it comes through a pipe, a moment later.
await_log() {
	local i
	for ((i = 0; i < START_LOOKS_MAX; i++)); do
		! grep -q -- "$1" "$dir/otagwd.log" || return 0
		sleep 0.01
	done
	return 1
}

stop_gateway() {
	end "$gw_pid"
	gw_pid=
}

# A campaign over all cards, started.
start_campaign() {
	"$otactl" card import "$dir/cards.csv" --keyset 1=3des2,cntr=1 >"$dir/out" 2>&1 || die "import: $(cat "$dir/out")"
	"$otactl" campaign create swap --imsi-list "$dir/new-imsi.csv" --profile usim-rfm >"$dir/out" 2>&1 || die "create: $(cat "$dir/out")"
	"$otactl" campaign start swap >"$dir/out" 2>&1 || die "start: $(cat "$dir/out")"
	deadline=$((SECONDS + CAMPAIGN_S))
}

# Until so many cards are done.
await_done() {
	local i view
	for ((i = 0; i < LOOKS_MAX; i++)); do
		view=$("$otactl" campaign show swap -o json) || die "the gateway does not answer"
		if [[ $view =~ \"DONE\":\ ([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -ge "$1" ]; then
			return 0
		fi
		[ "$SECONDS" -lt "$deadline" ] || break
	done
	die "$1 cards were not done in time"
}

# The cards' own word, against the report.
verify() {
	local i
	for ((i = 0; ; i++)); do
		"$otactl" campaign report swap >"$dir/report.csv"	# the view runs ahead of it by a batch
		"$otasim" verify "$dir/new-imsi.csv" --control "$dir/sim.sock" --report "$dir/report.csv" >"$dir/verify.log" 2>&1 && return 0
		if ! grep -qE 'still presents|the report says ACTIVE' "$dir/verify.log" || [ "$i" -ge "$REFRESH_TRIES" ]; then
			die "gateway and cards disagree"
		fi
		sleep 0.1
	done
}
