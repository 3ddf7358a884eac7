# TAP for shell tests: source it, use ok/is/like/exits, end with done_testing. A temp folder $tmp is removed at the end.
BUILD=${BUILD:-build}
signet=$PWD/$BUILD/signet
rsa_key_script=$PWD/tests/lab/rsa-key.sh
rsa_key() { sh "$rsa_key_script" "$@"; } # rsa_key FILE [BITS]
tmp=$(mktemp -d)
chmod 700 "$tmp"
tap_number=0
tap_cleanup() { rm -rf "$tmp"; }
trap tap_cleanup EXIT
trap 'trap "" PIPE; exit 1' INT TERM HUP PIPE

ok() { # ok STATUS NAME [DETAIL]
	tap_number=$((tap_number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tap_number - $2"
	else
		echo "not ok $tap_number - $2"
		[ -n "${3:-}" ] && printf '%s\n' "$3" | head -n 20 | sed 's/^/# /' >&2 # prove shows that, and no comments
	fi
	return 0
}
is() { # is GOT WANT NAME
	if [ "$1" = "$2" ]; then ok 0 "$3"; else ok 1 "$3" "got:  $1
want: $2"; fi
}
like() { # like TEXT REGEX NAME
	if printf '%s\n' "$1" | grep -qE -- "$2"; then ok 0 "$3"; else ok 1 "$3" "no match for $2 in:
$1"; fi
}
unlike() {
	if printf '%s\n' "$1" | grep -qE -- "$2"; then ok 1 "$3" "match for $2 in:
$1"; else ok 0 "$3"; fi
}
exits() { # exits CODE NAME COMMAND...: $out and $err hold what it printed
	exits_want=$1 exits_name=$2
	shift 2
	"$@" >"$tmp/.out" 2>"$tmp/.err" </dev/null
	exits_got=$?
	out=$(cat "$tmp/.out") err=$(cat "$tmp/.err")
	if [ "$exits_got" = "$exits_want" ]; then ok 0 "$exits_name"; else ok 1 "$exits_name" "exit $exits_got, not $exits_want
$out
$err"; fi
}
wait_until() { # wait_until SECONDS COMMAND...: polls
	wait_end=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -ge "$wait_end" ] && return 1
		perl -e "select undef, undef, undef, 0.05"
	done
}
done_testing() { echo "1..$tap_number"; }
