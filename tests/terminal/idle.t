#!/bin/sh
# pin-timeout: when no key was pressed for that long, PINs are forgotten and what they decrypted leaves the screen: the
# text and, in the index, the hidden Subject. Keys that are pressed keep it there. A card that is pulled takes both too.
. "$(dirname "$0")/compose-lib.sh"
. tests/terminal/card-lib.sh

removable_card
make_pki bob
on_card "$pki/bob"
make_profile
{
	letter '[...]' 1
	{
		printf 'From: Anna Keller <anna@example.org>\r\nTo: Bob Mwangi <bob@example.org>\r\nSubject: Plans for 2027\r\n'
		printf 'HP-Outer: From: Anna Keller <anna@example.org>\r\nHP-Outer: To: Bob Mwangi <bob@example.org>\r\nHP-Outer: Subject: [...]\r\n'
		printf 'Content-Type: text/plain; charset=utf-8; hp="cipher"\r\n\r\nFor your eyes only.\r\n'
	} | openssl cms -encrypt -aes-256-cbc "$pki/bob.pem" 2>/dev/null | grep -v '^MIME-Version:'
} | deliver hidden 1
plain 'Plain' 2 'Nothing in it.' | deliver plain 2
touch "$reader/present"
"$SIGNET" --profile "$LAB/profile" token add lab "$LAB/removable.so" >/dev/null
conf() { # conf PIN-TIMEOUT
	sed -i '/^pin-timeout/d; /^system-tokens/a pin-timeout = '"$1" "$LAB/profile/signet.conf"
}
open_hidden() {
	keys Home Enter
	seen 'your key is locked'
	keys D
	seen '^PIN of the token'
	typed $PIN
	keys Enter
}
row_says() { screen | grep -qE "^[> ] *1 .*$1"; }
never() { false; }
# For so many seconds a key is pressed about every two. Fails where the machine was so slow that the time between two
# keys alone was longer than the timeout: then nothing is shown by what became of the text.
press_for() {
	until=$(($(date +%s) + $1)) last=$(date +%s) longest=0
	while [ "$(date +%s)" -lt $until ]; do
		keys Down
		keys Up
		now=$(date +%s)
		[ $((now - last)) -le $longest ] || longest=$((now - last))
		last=$now
		PATIENCE=2 until_true never
	done
	[ $longest -lt $2 ]
}

session() { # session COLUMNS ROWS
	size="$1x$2"
	touch "$reader/present"
	conf 8s
	start "$1" "$2" --
	wait_for '^[> ] *1 .*\[\.\.\.\]' "$size: opens"
	open_hidden
	wait_for 'For your eyes only' "$size: it is decrypted"
	wait_gone 'For your eyes only' "$size: nothing is pressed: the text goes"
	wait_for '^ ENCRYPTED, your key is locked' "$size: the message is locked"
	check "$size: it is said why" seen 'Nothing was pressed for long: PINs .* forgotten'
	keys q
	wait_for '^[> ] *1 .*\[\.\.\.\]' "$size: the row says nothing of what was hidden"
	check "$size: nowhere" has_not 'Plans for 2027'

	open_hidden
	seen 'For your eyes only'
	keys q
	wait_for '^[> ] *1 .*Plans for 2027' "$size: in the index the hidden Subject is there while the key is"
	wait_gone 'Plans for 2027' "$size: and goes by itself"
	wait_for '^[> ] *1 .*\[\.\.\.\]' "$size: the row says what is outside"

	tries=0 fast=no
	while [ $tries -lt 3 ] && [ $fast = no ]; do
		tries=$((tries + 1))

		open_hidden
		seen 'For your eyes only'
		press_for 14 8 && fast=yes
		[ $fast = yes ] || { unseen 'For your eyes only'; keys q; seen '^ *INBOX'; }
	done
	if [ $fast = yes ]; then
		check "$size: who presses keys keeps it" has 'For your eyes only'
	else
		pass "$size: who presses keys keeps it # SKIP the machine is too slow to press keys in time"
		open_hidden
	fi
	keys q q
	wait_for 'ended with 0' "$size: ends"

	conf 0
	start "$1" "$2" --
	seen '^[> ] *1 .*\[\.\.\.\]'
	open_hidden
	wait_for 'For your eyes only' "$size: without a timeout"
	keys q
	wait_for '^[> ] *1 .*Plans for 2027' "$size: the row has it"
	rm "$reader/present"
	wait_for 'was pulled: its PIN is forgotten' "$size: the card is pulled while the index is shown"
	wait_for '^[> ] *1 .*\[\.\.\.\]' "$size: the hidden Subject goes with it"
	check "$size: nowhere" has_not 'Plans for 2027'
	keys q
	wait_for 'ended with 0' "$size: ends"
}
session 80 24
session 120 40
done_testing
