# product.sh - the whole product in a folder of its own: an SMSC, otagwd, what an operator does.
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Whoever reads this has set `me`, `here` and `build`, and calls product_begin before anything else.
# shellcheck shell=bash

START_TRIES=600	# looks, 50 ms apart, until a program that was started is ready, or the last commit is through
LOG_TAIL=20
# shellcheck disable=SC2034	# whoever reads this exits by it
MISSED=2	# exit status: measured, and a goal was missed

dir=
sim_pid=
gw_pid=
watched=	# set: gw_pid is a program that watches otagwd
more_pids=()	# what else was started
not_first=	# set: the kernel does not let us go before others
die() {
	echo "tests/perf/$me: $*" >&2
	exit 1
}

# All threads of these go before whatever else this machine does, where the kernel lets us (root): nice alone does not help, it
# counts within a session only, and who wakes up waits for the one who runs.
FIRST=1	# real-time priority, by turns
product_first() { # PID..
	local p
	for p in "$@"; do
		chrt -a -r -p $FIRST "$p" 2>/dev/null || not_first=yes
	done
}

# Ends what was started here, by its id.  A program that stands before otagwd and watches it takes no signal: it ends
# when otagwd does, its only child.
end_process() { # PID [WATCHED]
	local target=$1
	[ -n "$1" ] || return 0
	if [ -n "${2-}" ]; then
		target=$(cat "/proc/$1/task/$1/children" 2>/dev/null)
		target=${target%% *}
	fi
	if [ -n "$target" ] && kill -0 "$target" 2>/dev/null; then
		kill -TERM "$target"
	fi
	wait "$1" 2>/dev/null || :	# its exit status is the signal we sent
}

product_finish() {
	local rc=$? f p
	trap - EXIT INT TERM HUP
	set +e	# whatever fails now, the rest is still cleared away
	end_process "$gw_pid" "$watched"
	end_process "$sim_pid"
	for p in "${more_pids[@]}"; do
		end_process "$p"
	done
	if [ "$rc" -ne 0 ] && [ "$rc" -ne $MISSED ] && [ -n "$dir" ]; then
		for f in otagwd.log otasim.log fast.log bearerbox.log smsbox.log otactl.log; do
			[ -s "$dir/$f" ] || continue
			printf -- '---- the end of %s\n' "$f" >&2
			tail -n "$LOG_TAIL" "$dir/$f" >&2
		done
	fi
	[ -z "$dir" ] || rm -rf "$dir"
	exit "$rc"
}

# Folder, secrets, programs.  Not below /tmp unless TMPDIR says so: that may be memory, and memory flushes for nothing.
product_begin() {
	local p
	otagwd=$build/gateway/otagwd
	otactl=$build/gateway/otactl/otactl
	otasim=$build/contrib/otasim/otasim
	for p in "$otagwd" "$otactl" "$otasim"; do
		[ -x "$p" ] ||
			die "$p is not there; build it: cmake --preset release && ninja -C build/release ${p##*/}"
	done
	umask 077
	trap product_finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	dir=$(mktemp -d "${TMPDIR:-/var/tmp}/otagw-perf.XXXXXX")
	export OTAGW_SOCKET=$dir/api.sock
	printf 'secret12\n' >"$dir/password"
	head -c 32 /dev/urandom >"$dir/kek"
}

# A fresh fleet in full coverage, no loss, no delay: product_sim CARDS ALG WINDOW, the last being answers that wait for
# the gateway at a time.
product_sim() {
	local i
	rm -f "$dir/port"
	"$otasim" --cards "$1" --alg "$2" --dir "$dir" --port-file "$dir/port" --control "$dir/sim.sock" \
		--system-id otagw --password-file "$dir/password" --latency 0ms --window "$3" --no-refresh --quiet \
		>"$dir/otasim.log" 2>&1 &
	sim_pid=$!
	for ((i = 0; i < START_TRIES; i++)); do
		[ ! -s "$dir/port" ] || return 0
		kill -0 "$sim_pid" 2>/dev/null || break
		sleep 0.05
	done
	die "otasim did not come up"
}

# The SMSC that costs next to nothing, with the options given.  Commands go to descriptor 7, answers come from 8.
product_fast() {
	local i fast=$build/tests/perf/fast_smsc
	[ -x "$fast" ] || die "$fast is not there; build it: cmake --preset release && ninja -C build/release fast_smsc"
	rm -f "$dir/port" "$dir/fast.in" "$dir/fast.out"
	mkfifo "$dir/fast.in" "$dir/fast.out"
	"$fast" --dir "$dir" "$@" <"$dir/fast.in" >"$dir/fast.out" 2>"$dir/fast.log" &
	sim_pid=$!
	exec 7>"$dir/fast.in" 8<"$dir/fast.out"
	for ((i = 0; i < START_TRIES; i++)); do
		[ ! -s "$dir/port" ] || return 0
		kill -0 "$sim_pid" 2>/dev/null || break
		sleep 0.05
	done
	die "fast_smsc did not come up"
}

product_fast_end() {
	exec 7>&- 8<&-
	product_sim_end
}

# fast_ask SECONDS COMMAND..: its answer
fast_ask() {
	local seconds=$1 line
	shift
	printf '%s\n' "$*" >&7
	read -r -t "$seconds" -u 8 line || die "fast_smsc does not answer to: $*"
	printf '%s\n' "$line"
}

# fast_number KEY < stats
fast_number() {
	sed -n "s/.* $1=\([0-9]*\).*/\1/p"
}

# product_config PROFILE_DIR WINDOW [RETRY_LINE..]
product_config() {
	cat >"$dir/otagw.cfg" <<-END
	otagw
	 state-dir $dir/state
	 profile-dir $1
	 api-socket $dir/api.sock
	 source-address 9000 ton 2 npi 1
	 address-by msisdn
	 log-level warning
	keystore
	 kek file $dir/kek
	smsc-link sim
	 remote-ip 127.0.0.1
	 remote-port $(cat "$dir/port")
	 system-id otagw
	 password-file $dir/password
	 window $2
	 throughput ${THROUGHPUT:-unlimited}
	 flavour osmomsc
	 esm-mode transaction
	retry
	END
	shift 2
	printf ' %s\n' "$@" >>"$dir/otagw.cfg"
}

# Started means: it says that it is ready, and its link is up.  Arguments stand before its command line.
product_gateway() {
	local i status
	"$@" "$otagwd" -c "$dir/otagw.cfg" >>"$dir/otagwd.log" 2>&1 &
	gw_pid=$!
	for ((i = 0; i < START_TRIES; i++)); do
		status=$("$otactl" status -o json 2>/dev/null) || status=
		if [[ $status == *'"ready": true'*'"up": true'* ]]; then
			return 0
		fi
		kill -0 "$gw_pid" 2>/dev/null || break
		sleep 0.05
	done
	die "otagwd did not become ready"
}

product_gateway_end() {
	end_process "$gw_pid" "$watched"
	gw_pid=
}

product_sim_end() {
	end_process "$sim_pid"
	sim_pid=
}

# As an operator would; what it says is kept for the case that it fails.
ctl() {
	"$otactl" "$@" >"$dir/otactl.log" 2>&1 || die "otactl $* failed"
}

# product_load ALG PROFILE: cards and targets of campaign `perf`
product_load() {
	ctl card import "$dir/cards.csv" --keyset "1=$1,cntr=1"
	ctl campaign create perf --imsi-list "$dir/new-imsi.csv" --profile "$2"
}

# product_run SECONDS [INTERVAL]: starts campaign `perf` and waits until the gateway says that it has ended.
product_run() {
	ctl campaign start perf
	timeout --foreground "$1" "$otactl" campaign watch perf --interval "${2-0.1}" >"$dir/otactl.log" 2>&1 ||
		die "the campaign did not end well within $1 s"
}

# product_report CARDS: the store's report, in report.csv, when all cards are DONE in it.  The core is ahead of the store
# by the last commit.
product_report() {
	local i
	for ((i = 0; i < START_TRIES; i++)); do
		"$otactl" campaign report perf -o csv >"$dir/report.csv" || die "the gateway does not tell its report"
		[ "$(grep -c ',DONE,' "$dir/report.csv")" != "$1" ] || return 0
		sleep 0.05
	done
	die "the store does not say that all of $1 cards are DONE"
}

# Of a process: user and system time in us, of all threads that run; octets of memory, our share of shared pages counted in
# part (the kernel tells root alone) or in whole.
cpu_us() {
	awk '{ all += $1 } END { printf "%.0f\n", all / 1e3 }' /proc/"$1"/task/*/schedstat
}
# As long they waited for a core.
waited_us() {
	awk '{ all += $2 } END { printf "%.0f\n", all / 1e3 }' /proc/"$1"/task/*/schedstat
}
rss_octets() {
	awk '/^VmRSS:/ { print $2 * 1024 }' "/proc/$1/status"
}
pss_octets() {
	awk '/^Pss:/ { print $2 * 1024 }' "/proc/$1/smaps_rollup" 2>/dev/null || rss_octets "$1"
}

# number KEY < JSON: the first one of this name
json_number() {
	sed -n "s/.*\"$1\": \([0-9.]*\).*/\1/p" | sed -n 1p
}

json_text() {
	sed -n "s/.*\"$1\": \"\([^\"]*\)\".*/\1/p" | sed -n 1p
}
