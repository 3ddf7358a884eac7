#!/bin/sh
# The screen of cards: what state each token is in; logging in and out, a new PIN, unblocking by the PUK, the database's
# first password, all from within. The card is SoftHSM2 behind tests/lab/removable-token.c, which counts the PINs.
. "$(dirname "$0")/compose-lib.sh"
. tests/terminal/card-lib.sh
PUK=12345678

removable_card
fill() {
	make_profile
	rm -rf "$LAB/tokens" "$reader"/*
	mkdir -p "$LAB/tokens"
	printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$LAB" >"$SOFTHSM2_CONF"
	softhsm2-util --module "$module" --init-token --free --label "$TOKEN" --pin $PIN --so-pin $PUK >/dev/null 2>&1
	plain 'Plain' 1 'Nothing in it.' | deliver plain 1
	touch "$reader/present"
	"$SIGNET" --profile "$LAB/profile" token add lab "$LAB/removable.so" >/dev/null
}
logins() { grep -c user "$reader/logins" 2>/dev/null || true; }
card_has() { pkcs11-tool --module "$module" --token-label "$TOKEN" --login --pin "$1" --list-objects >/dev/null 2>&1; }
answer() { # answer QUESTION TEXT: waits for it first
	wait_for "^$1: *\$" "$size: it asks: $1"
	typed "$2"
	keys Enter
}
state_of() { screen | grep -E "^[> ] *$1 "; }
to_card() { to_row "$TOKEN" 'Certificate database'; }
to_database() { to_row 'Certificate database' "$TOKEN"; }

session() { # session COLUMNS ROWS
	size="$1x$2"
	fill
	start "$1" "$2" --
	seen '^> *1 .*Plain'
	keys P
	wait_for "$TOKEN +its PIN is needed" "$size: P shows the card, and that its PIN is needed"
	check "$size: and the database, which has no password" has 'Certificate database +open: it has no password'
	to_card
	keys l
	wait_for "^PIN of the token \"$TOKEN\": *\$" "$size: l asks for the PIN"
	typed 9999
	keys Enter
	wait_for 'is wrong' "$size: a wrong one is said"
	wait_for "$TOKEN +few tries left" "$size: and the row says that few tries are left"
	check "$size: it cost one try" [ "$(logins)" = 1 ]
	keys l
	seen '^PIN of the token'
	typed $PIN
	keys Enter
	wait_for "$TOKEN +logged in" "$size: the right one logs in"
	keys L
	wait_for "$TOKEN +its PIN is needed" "$size: L logs out"

	touch "$reader/fails-login"
	keys l
	seen '^PIN of the token'
	typed $PIN
	keys Enter
	wait_for 'did not answer the PIN' "$size: a device error is not called a wrong PIN"
	rm "$reader/fails-login"

	keys P
	answer "PIN of \"$TOKEN\" until now" $PIN
	answer "New PIN of \"$TOKEN\"" 567890
	wait_for 'Once more, to be sure' "$size: twice"
	answer "New PIN of \"$TOKEN\"" 567891
	wait_for 'The two are not the same' "$size: two that differ change nothing"
	check "$size: the old one holds" card_has $PIN
	keys P
	answer "PIN of \"$TOKEN\" until now" $PIN
	answer "New PIN of \"$TOKEN\"" 567890
	seen 'Once more, to be sure'
	answer "New PIN of \"$TOKEN\"" 567890
	wait_for 'has its new PIN' "$size: two that are the same do"
	check "$size: the card has it" card_has 567890
	keys P
	answer "PIN of \"$TOKEN\" until now" $PIN
	answer "New PIN of \"$TOKEN\"" 1111
	seen 'Once more, to be sure'
	answer "New PIN of \"$TOKEN\"" 1111
	wait_for 'the PIN stays as it was' "$size: a wrong old one changes nothing"

	touch "$reader/locked"
	keys R
	wait_for "$TOKEN +LOCKED: U unblocks it" "$size: a locked card is shown as locked"
	keys P
	wait_for 'U unblocks it with its PUK' "$size: and its PIN cannot be changed"
	rm "$reader/locked" # the lab's lock is no lock of SoftHSM2's
	keys U
	answer "PUK \(SO PIN\) of \"$TOKEN\"" $PUK
	answer "New PIN of \"$TOKEN\"" 24682468
	seen 'Once more, to be sure'
	answer "New PIN of \"$TOKEN\"" 24682468
	wait_for 'is unblocked' "$size: U gives it a new PIN by its PUK"
	check "$size: the card has that" card_has 24682468
	keys U
	wait_for '^PUK' "$size: U again"
	keys Escape
	wait_gone '^PUK' "$size: Esc gives up"

	to_database
	keys l
	wait_for 'P gives it its first one' "$size: the database has no password yet"
	keys P
	wait_for '^New password of the certificate database: *$' "$size: P asks for the first one, and for no old one"
	typed 'first one'
	keys Enter
	seen 'Once more, to be sure'
	typed 'first one'
	keys Enter
	wait_for 'The certificate database has its new password' "$size: it has it"
	printf 'first one\n' >"$LAB/password"
	check "$size: other programs need it" eval '"$SIGNET" --profile "$LAB/profile" token login --pin-file "$LAB/password" database >/dev/null'
	printf 'another\n' >"$LAB/password"
	check "$size: and no other" eval '! "$SIGNET" --profile "$LAB/profile" token login --pin-file "$LAB/password" database >/dev/null 2>&1'
	keys C-f
	wait_for 'Certificate database +locked by a password' "$size: forgotten, the row says that it is locked"
	keys U
	wait_for 'has no PUK' "$size: and it has no PUK"

	rm "$reader/present"
	wait_for 'no card' "$size: a card that is pulled is gone from the list by itself"
	keys '?'
	wait_for 'unblock a locked card by its PUK' "$size: the help names the keys"
	keys q q q
	wait_for 'ended with 0' "$size: ends"
}
# The list of cards stands above a mail that the card opened: logging out shuts that mail, and with it the list. What
# forgets all PINs waits for the keys thread, and no Esc meanwhile makes it leave a key open.
above_mail() { # above_mail COLUMNS ROWS
	size="$1x$2"
	fill
	rm -rf "$LAB/tokens"/* "$LAB/profile/nssdb"/*
	on_card "$pki/bob"
	printf 'first one\n' >"$LAB/password"
	certutil -N -d "sql:$LAB/profile/nssdb" -f "$LAB/password"
	"$SIGNET" --profile "$LAB/profile" token add lab "$LAB/removable.so" >/dev/null
	{
		letter 'Sealed' 2
		printf 'Content-Type: text/plain\r\n\r\nFor your eyes only.\r\n' | openssl cms -encrypt -aes-256-cbc "$pki/bob.pem" 2>/dev/null | grep -v '^MIME-Version:'
	} | deliver sealed 2
	start "$1" "$2" --
	seen '^[> ] *2 .*Sealed'
	keys End Enter
	seen 'your key is locked'
	keys D
	seen '^PIN of the token'
	typed $PIN
	keys Enter
	wait_for 'For your eyes only' "$size: the card opens a mail"
	keys P
	wait_for "$TOKEN +logged in" "$size: the list of cards above it says that the card is open"
	to_card
	keys L
	wait_for '^ ENCRYPTED, your key is locked' "$size: L shuts the mail, and the list above it"
	check "$size: its text is gone" has_not 'For your eyes only'
	check "$size: and is still said to be closed" seen 'is closed: what opened it is forgotten'

	keys q
	seen '^ *INBOX'
	keys P
	seen "$TOKEN +its PIN is needed"
	to_database
	keys l
	seen '^Password of'
	typed 'first one'
	keys Enter
	wait_for 'Certificate database +logged in' "$size: the database is open"
	rm "$reader/present" # NSS looks anew at what a reader has when a card comes
	wait_for 'no card' "$size: the card is pulled"
	touch "$reader/pinpad" "$reader/nobody-types" "$reader/present"
	wait_for "$TOKEN +its PIN is typed" "$size: and comes into a reader with a keypad"
	to_card
	keys l
	wait_for "enter the PIN of \"$TOKEN\" on the reader" "$size: which is where its PIN is typed"
	keys Enter
	wait_for "^Enter the PIN of \"$TOKEN\" on the reader" "$size: it waits there"
	keys C-f
	keys Escape
	rm "$reader/nobody-types"
	wait_for 'Certificate database +locked by a password' "$size: Esc, while a reader waits, does not keep Ctrl-F from forgetting"
	rm "$reader/pinpad"
	keys q q
	wait_for 'ended with 0' "$size: ends"
}
make_pki bob
session 80 24
session 120 40
above_mail 80 24
above_mail 120 40
done_testing
