#!/bin/sh
# Home while older messages are still on their way: the cursor goes with them, and nothing is fetched for what it passes.
. "$(dirname "$0")/server-lib.sh"
anna=$server/mail/anna/Maildir gate=$LAB/gate
mkdir "$gate"
i=1
while [ $i -le 150 ]; do
	printf 'From: Jo <jo@example.org>\nSubject: Letter %s\nDate: Thu, 8 Mar 2001 10:00:00 +0000\nMessage-ID: <%s@x>\n\nWord%s.\n' \
		$i $i $i >"$anna/cur/$((984000000 + i)).x:2,S"
	i=$((i + 1))
done
[ "$MAIL_UID" = "$(id -u)" ] || chown -R "$MAIL_UID:$MAIL_GID" "$anna"
python3 tests/lab/holding.py "$PORT_TLS" "$gate" 'FETCH 1:' "$server/tls/good.pem" "$server/tls/good.key" &
holder=$!
trap 'kill $holder 2>/dev/null; stop_dovecot "$server"; finish' EXIT
until_true test -s "$gate/pid" || { echo 'Bail out! no proxy'; exit 1; }
far_account anna anna | sed "s/:$PORT_TLS\$/:$(cat "$gate/port")/" | far_profile
kept() { "$SIGNET" --profile "$LAB/profile" --offline show "INBOX/$1" 2>/dev/null | grep -q "^Word$1\\."; }

touch "$gate/arm"
start 80 24 --
wait_for '^>.*Letter 150 ' 'the newest are there'
check 'the oldest are held back' until_true test -e "$gate/held"
keys Home
wait_gone 'Letter 150 ' 'Home goes to the oldest that is here'
wait_for '^>.*Letter [0-9]+ ' 'where the cursor stands'
passed=$(screen | sed -n 's/^>.*Letter \([0-9]*\) .*/\1/p')
check 'which is not the first of all' [ "${passed:-0}" -gt 1 ]
for _ in 1 2 3 4 5 6 7 8 9 10; do kept "$passed"; done # a while
touch "$gate/go"
wait_for '^>.*Letter 1 ' 'the rest comes, and the cursor goes with it'
check 'the text of the oldest is fetched ahead' until_true kept 1
check 'that of those it passed is not' eval "! kept $passed && ! kept $((passed + 1)) && ! kept $((passed - 1))"
keys q
wait_for 'ended with 0' 'ends'
done_testing
