#!/bin/sh
# Signing with a key on a card, SoftHSM2 being the card: the PIN is asked for when the message leaves, and Esc keeps it.
. "$(dirname "$0")/compose-lib.sh"
PIN=4711
. tests/terminal/card-lib.sh

make_pki bob anna
reader_profile anna
mv "$pki/bob.p12" "$pki/away" # the key lies on the card alone
writer_profile <<-END
	undo-send = 0
	sign = always
END
on_card "$pki/bob"
"$SIGNET" --profile "$LAB/profile" token add card "$module" >/dev/null
known anna

session() { # session COLUMNS ROWS
	size="$1x$2"
	rm -f "$LAB"/delivered* "$LAB"/anna/mail/new/*
	compose_start "$1" "$2" NO_COLOR=1 --
	seen 'INBOX'
	begin 'anna@example.org' 'By card'
	wait_for "^ SIGN on .*bob Lab, $TOKEN, RSA 2048" "$size: the row names the card"
	check "$size: nothing asks for a PIN yet" has_not 'PIN of'
	keys E
	seen '^ ENCRYPT on '
	keys y
	wait_for "^PIN of the token \"$TOKEN\"" "$size: y asks for it"
	keys Escape
	wait_gone 'PIN of the token' "$size: Esc gives up"
	wait_for 'nothing was sent' "$size: and says that nothing was sent"
	check "$size: the message is there" has 'Subject: By card'
	check "$size: nothing went out" [ ! -e "$LAB/delivered" ]
	keys y
	seen 'PIN of the token'
	typed "$PIN"
	keys Enter
	wait_for 'Sent: By card' "$size: with the PIN it goes"
	at_anna=INBOX/$("$SIGNET" --profile "$LAB/anna" list --json INBOX | sed -n 's/.*"uid":\([0-9]*\).*/\1/p' | head -n 1)
	check "$size: and is good at Anna's" sh -c "'$SIGNET' --profile '$LAB/anna' --json verify '$at_anna' | grep -q '\"indicator\":\"good\"'"
	keys q
	seen 'ended with 0'
}
session 80 24
session 120 40
done_testing
