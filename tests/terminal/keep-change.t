#!/bin/sh
# Changes that are made while text comes by pieces (keep =): they are shown at once, carried out between two pieces, and what
# is kept then is each message's own. The server is held back in the midst of the second piece.
. "$(dirname "$0")/server-lib.sh"
anna=$server/mail/anna/Maildir gate=$LAB/gate
mkdir "$gate" "$anna/.Archive" "$anna/.Archive/cur" "$anna/.Archive/new" "$anna/.Archive/tmp"
now=$(date -uR)
i=200
while [ $i -lt 280 ]; do # four pieces of 20; what is random is not packed small
	{
		printf 'From: Jo <jo@example.org>\nTo: anna@example.org\nSubject: Letter %s\nDate: %s\nMessage-ID: <%s@x>\n\nIt says word%s.\n' \
			$i "$now" $i $i
		head -c 15000 /dev/urandom | base64 -w 70
	} >"$anna/cur/1700000$i.x:2,S"
	i=$((i + 1))
done
[ "$MAIL_UID" = "$(id -u)" ] || chown -R "$MAIL_UID:$MAIL_GID" "$anna"
python3 tests/lab/holding.py "$PORT_TLS" "$gate" 600000 &
holder=$!
trap 'kill $holder 2>/dev/null; stop_dovecot "$server"; finish' EXIT
until_true test -s "$gate/pid" || { echo 'Bail out! no proxy'; exit 1; }
far_account anna anna 'keep = recent' | sed "s/:$PORT_TLS\$/:$(cat "$gate/port")/" | far_profile
file_of() { grep -lE "^Subject: $2\$" "$1"/cur/* 2>/dev/null; } # file_of FOLDER SUBJECT
there() { [ -n "$(file_of "$1" "$2")" ]; }
not_there() { ! there "$1" "$2"; }
flagged() { file_of "$anna" "$1" | grep -qE ':2,[A-Z]*F'; }
kept() { python3 -c 'import sqlite3, sys; print(sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True).execute("SELECT count(*) FROM body").fetchone()[0])' \
	"$LAB/profile/data/store/anna.db" 2>/dev/null; }
all_kept() { [ "$(kept)" = "$1" ]; }
to() { # to NUMBER SUBJECT: the row
	typed "$1"
	keys Enter
	seen "^> *$1 .*$2 "
}

start 80 24 --
wait_for '^ INBOX  80 messages' 'the list is there'
check 'text comes, and is held in the midst' until_true test -e "$gate/held"
before=$(kept)
check 'some of it is here, and not all' [ "${before:-0}" -ge 1 -a "${before:-0}" -lt 60 ]
to 6 'Letter 205'
keys F
wait_for '^> +6 +F .*Letter 205' 'one whose text is still to come gets a flag at once'
to 7 'Letter 206'
keys s
seen 'Move to folder'
typed 'Archive'
keys Enter
wait_gone ' Letter 206' 'another is moved at once'
to 50 'Letter 250'
keys s
seen 'Move to folder'
typed 'Archive'
keys Enter
wait_gone ' Letter 250' 'and one whose text is on its way'
check 'the server has not heard of it' eval '! flagged "Letter 205" && there "$anna" "Letter 206"'
check 'no more text has come meanwhile' all_kept "$before"
touch "$gate/go"
check 'then the flag is on the server' until_true flagged 'Letter 205'
check 'the one is in the archive' until_true there "$anna/.Archive" 'Letter 206'
check 'and the other' until_true there "$anna/.Archive" 'Letter 250'
check 'and no longer where they were' until_true eval 'not_there "$anna" "Letter 206" && not_there "$anna" "Letter 250"'
check 'the text of the others is here' until_true all_kept 78
wait_for 'anna  online *$' 'nothing waits'
keys q
wait_for 'ended with 0' 'it ends'

signet --offline list --json >"$LAB/list" 2>/dev/null
check 'the list has them all' [ "$(wc -l <"$LAB/list")" = 78 ]
check 'one with a flag' [ "$(grep -c '"flagged"' "$LAB/list")" = 1 ]
wrong=
for i in 200 205 207 230 249 251 252 265 279; do
	uid=$(grep "\"subject\":\"Letter $i\"" "$LAB/list" | sed 's/.*"uid":\([0-9]*\).*/\1/')
	signet --offline show "INBOX/$uid" 2>/dev/null | grep -q "It says word$i\\." || wrong="$wrong $i"
done
check "each has its own text${wrong:+ (not$wrong)}" [ -z "$wrong" ]
check 'and is found by it' [ "$(signet --offline search word205 2>/dev/null | grep -c 'Letter 205')" = 1 ]
check 'what was moved is not found where it was' [ "$(signet --offline search --folder INBOX word250 2>/dev/null | grep -c 'Letter')" = 0 ]
done_testing
