# The real program in a real terminal, driven by tmux on a socket of its own. Tests poll for text; none waits for
# a fixed time. Sourced by tests/terminal/*.t; output is TAP.
cd "$(dirname "$0")/../.." || exit 1
BUILD=$(cd "${BUILD:-build}" && pwd) || exit 1
SIGNET=${SIGNET:-$BUILD/signet}
rsa_key_script=$PWD/tests/lab/rsa-key.sh
rsa_key() { sh "$rsa_key_script" "$@"; } # rsa_key FILE [BITS]
LAB=$(mktemp -d "${TMPDIR:-/tmp}/signet-screen-XXXXXX") || exit 1
export LC_ALL=C.UTF-8 TZ=UTC
unset NO_COLOR DISPLAY WAYLAND_DISPLAY BROWSER DBUS_SESSION_BUS_ADDRESS SIGNET_PASSWORD SIGNET_PIN SIGNET_CONFIG TMUX
n=0 failures=0

. tests/lab/ending.sh
terminals=0
terminal() { tmux -S "$LAB/tmux$terminals" -f /dev/null "$@"; }
finish() {
	terminal kill-server 2>/dev/null
	rm -rf "$LAB"
}
trap finish EXIT
trap 'trap "" PIPE; exit 1' INT TERM HUP PIPE # PIPE: whoever read the output is gone, and the server must end still

pass() { n=$((n + 1)); echo "ok $n - $1"; }
fail() {
	n=$((n + 1))
	echo "not ok $n - $1"
	screen | sed 's/^/#  |/'
	failures=$((failures + 1))
	[ $failures -lt 5 ] || { echo "Bail out! too much went wrong"; exit 1; }
}
check() { # check NAME COMMAND...
	name=$1
	shift
	if "$@"; then pass "$name"; else fail "$name"; fi
}
done_testing() { echo "1..$n"; }

screen() { terminal capture-pane -p 2>/dev/null; }
colours() { terminal capture-pane -p -e 2>/dev/null; }
row() { screen | sed -n "$1p"; } # rows count from 1
rows() { screen | sed -n "$1,$2p"; }
keys() { terminal send-keys "$@"; }
typed() { terminal send-keys -l "$1"; }
resize() { terminal resize-window -x "$1" -y "$2"; }

# stop_dovecot FOLDER: with the processes that hold connections, which outlive a master that is killed.
stop_dovecot() {
	[ -e "$1/run/master.pid" ] || return 0
	master=$(cat "$1/run/master.pid")
	children=
	! runs "$master" dovecot || children=$(ps -o pid= --ppid "$master")
	[ -z "$children" ] || kill $children 2>/dev/null
	sh tests/lab/dovecot.sh stop "$1"
	for child in $children; do
		for name in imap imap-login imap-hibernate auth anvil log config stats; do
			! runs "$child" $name || kill "$child" 2>/dev/null
		done
	done
}

# start COLUMNS ROWS [VARIABLE=VALUE...] -- ARGUMENTS: the program, on the profile $LAB/profile; what it ends with
# stays to be seen.
start() {
	columns=$1 lines=$2
	shift 2
	set_up=
	while [ "$1" != -- ]; do
		set_up="$set_up $1"
		shift
	done
	shift
	terminal kill-server 2>/dev/null
	terminals=$((terminals + 1)) # the last server may still be on its way out
	terminal new-session -d -x "$columns" -y "$lines" \
		"cd '$LAB' && env TERM=screen-256color $set_up '$SIGNET' --profile '$LAB/profile' $*; echo \"ended with \$?\"; exec cat"
	terminal set-option -g escape-time 0 2>/dev/null
	watch_pane
}

# An interactive shell instead, for what needs job control.
start_shell() {
	terminal kill-server 2>/dev/null
	terminals=$((terminals + 1))
	terminal new-session -d -x "$1" -y "$2" "cd '$LAB' && exec env TERM=screen-256color PS1='$ ' ENV= sh -i"
	watch_pane
}
signet_pid() { ps -o pid= --ppid "$(terminal list-panes -F '#{pane_pid}' | head -n 1)" | head -n 1 | tr -d ' '; }

# What the pane writes comes through this pipe too, so that a test waits for the next output instead of sleeping.
mkfifo "$LAB/pulse" || exit 1
exec 9<>"$LAB/pulse"
watch_pane() { terminal pipe-pane "exec cat >'$LAB/pulse'"; }

# until_true COMMAND...: looks again whenever the pane has written something, and now and then besides, for what is no
# output (a file, a process). $PATIENCE seconds at most.
PATIENCE=${PATIENCE:-30}
until_true() {
	deadline=$(($(date +%s) + PATIENCE))
	until "$@"; do
		[ "$(date +%s)" -lt $deadline ] || return 1
		timeout 0.2 dd bs=65536 count=1 <&9 >/dev/null 2>&1
	done
	return 0 # else it would be dd's
}
# A step on the way to what a test is about; it tells only where it is not taken.
seen() { until_true has "$1" || { fail "$1 is seen"; return 1; }; }
unseen() { until_true has_not "$1" || { fail "$1 is gone"; return 1; }; }

# wait_for REGEX NAME: until the screen shows it.
wait_for() { if until_true has "$1"; then pass "$2"; else fail "$2 ($1)"; fi; }
wait_gone() { if until_true has_not "$1"; then pass "$2"; else fail "$2 ($1 is still there)"; fi; }
has() { screen | grep -qE -- "$1"; }
row_has() { rows "$1" "$2" | grep -qE -- "$3"; } # row_has FIRST LAST REGEX
has_not() { ! screen | grep -qE -- "$1"; }

# A profile with one Maildir. deliver NAME SECONDS [FLAGS] takes a message from stdin; the newest has the most seconds.
make_profile() {
	rm -rf "$LAB/profile"
	mkdir -p "$LAB/profile/state" "$LAB/profile/data" "$LAB/profile/nssdb"
	for folder in "" /.Archive /.Trash /.Work.Reports; do
		mkdir -p "$LAB/profile/mail$folder/cur" "$LAB/profile/mail$folder/new" "$LAB/profile/mail$folder/tmp"
	done
	cat >"$LAB/profile/signet.conf" <<-END
		[account work]
		address = bob@example.org
		name = Bob Mwangi
		maildir = mail
		[keys]
		system-tokens = no
	END
	certutil -N -d "sql:$LAB/profile/nssdb" --empty-password
}
# The generated corpus in $LAB/corpus, what it printed in $LAB/made. The servers that its certificates name are on ports where
# nobody listens: those of tests/corpus/corpus.t are not called from here.
make_corpus() { python3 tests/corpus/generate.py --no-check --port 1 --out "$LAB/corpus" >"$LAB/made" 2>&1; }
deliver() {
	letter_name=$((1700000000 + $2)).$1.host
	cat >"$LAB/profile/mail${FOLDER:-}/tmp/$letter_name"
	mv "$LAB/profile/mail${FOLDER:-}/tmp/$letter_name" "$LAB/profile/mail${FOLDER:-}/cur/$letter_name:2,${3-S}"
}
letter() { # letter SUBJECT NUMBER [FROM]: headers; the body follows. Dated now: what is signed is signed now too
	printf 'From: %s\nTo: Bob Mwangi <bob@example.org>\nSubject: %s\nDate: %s\nMessage-ID: <%s@example.org>\nMIME-Version: 1.0\n' \
		"${3:-Anna Keller <anna@example.org>}" "$1" "$(date -uR)" "$2.$(printf %s "$1" | tr -dc a-z)"
}
plain() { # plain SUBJECT DAY BODY
	letter "$1" "$2"
	printf 'Content-Type: text/plain; charset=utf-8\n\n%b\n' "$3"
}
