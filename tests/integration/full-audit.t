#!/bin/sh
# The disk is full under what signet audit notes, after ever more octets: a sentence says so, and how to go on; with room
# again --resume gives the table of an audit that was not interrupted. tests/lab/full-disk.c plays the disk.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
cc -shared -fPIC -o "$tmp/full.so" tests/lab/full-disk.c -ldl || { echo 'Bail out! no full disk'; exit 1; }
p=$tmp/p
"$signet" demo --make "$p" >/dev/null
signet() { "$signet" --profile "$p" --batch audit --csv "$@" INBOX; }
full() { # full OCTETS ARGUMENT...: with room for so many of them
	after=$1
	shift
	LD_PRELOAD=$tmp/full.so FULL_UNDER=$p/data/audit/ FULL_AFTER=$after "$signet" --profile "$p" --batch audit --csv "$@" INBOX
}
left() { find "$p/data/audit" -type f | wc -l; }
signet >"$tmp/whole"
is $? 1 'the demonstration has what is not fine'
is "$(left)" 0 'and nothing is left of an audit that came to its end'

for after in 0 1 40 200 700 1500 3000 6000 12000; do
	full "$after" >"$tmp/cut" 2>"$tmp/err"
	code=$?
	is $code 74 "room for $after octets: it ends"
	grep -q 'No space left on device. Make room' "$tmp/err"
	ok $? 'what to do is said' "$(cat "$tmp/err")"
	[ $after -lt 200 ] || grep -q 'interrupted after [0-9]* of [0-9]* messages: .*--resume' "$tmp/err"
	ok $? 'and how to go on' "$(cat "$tmp/err")"
	cp -r "$p/data/audit" "$tmp/kept"
	full 0 --resume >"$tmp/cut" 2>"$tmp/err"
	is $? 74 'full still: it does not go on'
	[ $after -lt 700 ] || [ "$(cat "$tmp"/kept/* | wc -l)" = "$(cat "$p"/data/audit/* | wc -l)" ]
	ok $? 'and what was noted stays'
	rm -rf "$tmp/kept"
	signet --resume >"$tmp/resumed" 2>"$tmp/err"
	is $? 1 'with room again it comes to its end'
	cmp -s "$tmp/resumed" "$tmp/whole"
	ok $? 'with the table of one that was not interrupted' "$(diff "$tmp/whole" "$tmp/resumed" | head -n 5)"
	is "$(left)" 0 'and leaves nothing'
done
full 10000000 >"$tmp/cut" 2>"$tmp/err" && false || cmp -s "$tmp/cut" "$tmp/whole"
ok $? 'room for all of it'
done_testing
