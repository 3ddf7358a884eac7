#!/bin/sh
# A reader with a keypad (CKF_PROTECTED_AUTHENTICATION_PATH): nothing is typed here and everything there, for login,
# signature, decryption, a new PIN and an unblocked card; cancelled there, not typed in time, wrong there. By subcommand
# and on the screen. The card is SoftHSM2 behind tests/lab/removable-token.c, whose keypad the test types on.
. "$(dirname "$0")/compose-lib.sh"
. tests/terminal/card-lib.sh
PUK=12345678

removable_card
signet() { "$SIGNET" --profile "$LAB/profile" "$@" >"$LAB/out" 2>"$LAB/err" </dev/null; }
fill() {
	make_profile
	rm -rf "$LAB/tokens" "$reader"/*
	mkdir -p "$LAB/tokens"
	on_card "$pki/bob"
	trust_authority "$LAB/profile"
	{
		letter 'Sealed' 2
		printf 'Content-Type: text/plain\r\n\r\nFor your eyes only.\r\n' | openssl cms -encrypt -aes-256-cbc "$pki/bob.pem" 2>/dev/null | grep -v '^MIME-Version:'
	} | deliver sealed 2
	touch "$reader/present"
	signet token add lab "$LAB/removable.so"
	touch "$reader/pinpad"
}
at_card() { grep -cx "$1" "$reader/logins" 2>/dev/null || true; }
card_has() { pkcs11-tool --module "$module" --token-label "$TOKEN" --login --pin "$1" --list-objects >/dev/null 2>&1; }
person_types() { printf '%s\n' "$@" >"$reader/keypad"; }
exits() { # exits CODE NAME ARGUMENT...
	wanted=$1 what=$2
	shift 2
	signet "$@"
	got=$?
	[ $got = "$wanted" ] || sed "s/^/# exit $got: /" "$LAB/err"
	check "$what" [ $got = "$wanted" ]
}
complains() { check "$2" grep -q -- "$1" "$LAB/err"; }

make_pki bob
fill
export SIGNET_PIN=0000 # is for who types here
exits 0 'token list' --json token list
check 'says that the PIN is typed on the reader' grep -q '"pinpad":true' "$LAB/out"
exits 77 'login, where nobody is there (--batch)' --batch token login "$TOKEN"
complains 'typed on its reader: leave --batch away' 'names the reader'
check 'and nothing goes to the reader' [ ! -e "$reader/logins" ]
exits 0 'login' token login "$TOKEN"
complains "enter the PIN of $TOKEN on the reader" 'says what to do'
check 'the reader was given it once' [ "$(at_card user)" = 1 ]
touch "$reader/keypad-cancel"
exits 77 'login, cancelled at the reader' token login "$TOKEN"
complains 'Nothing was typed on the reader of “Karte Ä”' 'is not called a wrong PIN'
plain 'Mine' 1 'By me.' | sed 's/^From: .*/From: bob@example.org/; s/^To: .*/To: anna@example.org/' >"$LAB/letter"
exits 77 'sign, cancelled at the reader' sign -o "$LAB/signed" "$LAB/letter"
complains 'Nothing was typed on the reader' 'is said'
check 'and nothing is written' [ ! -e "$LAB/signed" ]
rm "$reader/keypad-cancel"
person_types 9999
exits 77 'sign, a wrong PIN at the reader' sign -o "$LAB/signed" "$LAB/letter"
complains 'is wrong' 'is said'
check 'and costs one try' [ "$(at_card user)" = 2 ]
person_types $PIN
exits 0 'sign' sign -o "$LAB/signed" "$LAB/letter"
complains 'on the reader' 'by what is typed there'
check 'verifies' eval 'openssl cms -verify -in "$LAB/signed" -CAfile "$pki/ca.pem" -out /dev/null 2>/dev/null'
touch "$reader/always"
exits 0 'sign with a key that wants its PIN for every use' sign -o "$LAB/signed2" "$LAB/letter"
check 'is asked for there too' [ "$(at_card again)" = 1 ]
rm "$reader/always"

person_types $PIN 567890 567891
exits 1 'change-pin: the two new ones differ at the reader' token change-pin "$TOKEN"
complains 'enter it on the reader of Karte Ä: the PIN until now, the new PIN, the new PIN again' 'says what to type, and where'
complains 'was not the same twice' 'is said'
check 'the old one holds' card_has $PIN
touch "$reader/keypad-cancel"
exits 77 'change-pin: cancelled at the reader' token change-pin "$TOKEN"
complains 'Nothing was typed on the reader' 'is said'
rm "$reader/keypad-cancel"
person_types 9999 567890 567890
exits 77 'change-pin: a wrong old one' token change-pin "$TOKEN"
complains 'is wrong; the PIN stays as it was' 'changes nothing'
exits 77 'change-pin: nobody there (--batch)' --batch token change-pin "$TOKEN"
complains 'leave --batch away' 'says so'
person_types $PIN 567890 567890
exits 0 'change-pin' token change-pin "$TOKEN"
check 'the card has the new one' card_has 567890
person_types 87654321 2468 2468
exits 77 'unblock: a wrong PUK at the reader' token unblock "$TOKEN"
complains 'The SO PIN or PUK for “Karte Ä” is wrong' 'is said'
person_types $PUK 2468 2469
exits 1 'unblock: the two new ones differ' token unblock "$TOKEN"
complains 'was not the same twice' 'is said'
check 'changes nothing' card_has 567890
person_types $PUK $PIN $PIN
exits 0 'unblock' token unblock "$TOKEN"
complains 'enter it on the reader of Karte Ä: the PUK' 'says what to type, and where'
check 'the card has the new one' card_has $PIN
check 'no PIN came from here, once' eval '! grep -q given "$reader/logins"'
unset SIGNET_PIN

session() { # session COLUMNS ROWS
	size="$1x$2"
	fill
	start "$1" "$2" --
	seen '^> *1 .*Sealed'
	keys Enter
	seen 'your key is locked'
	touch "$reader/keypad-cancel"
	keys D
	wait_for "Press Enter here, then enter the PIN of \"$TOKEN\" on the reader" "$size: D sends to the reader"
	keys Enter
	wait_for 'Nothing was typed on the reader' "$size: cancelled there: said"
	check "$size: and the mail is shut" has '^ ENCRYPTED, your key is locked'
	rm "$reader/keypad-cancel"
	person_types 9999
	keys D
	seen 'Press Enter here'
	keys Enter
	wait_for 'is wrong' "$size: a wrong one there: said"
	check "$size: one try" [ "$(at_card user)" = 1 ]
	person_types $PIN
	keys D
	seen 'Press Enter here'
	check "$size: the next question says that few tries are left" has 'few tries are left'
	keys Enter
	wait_for 'For your eyes only' "$size: the right one there opens it"
	keys C-f q
	seen '^ *INBOX'

	keys P
	wait_for "$TOKEN +its PIN is typed on the reader" "$size: P says so"
	to_row "$TOKEN" 'Certificate database'
	keys P
	wait_for 'Enter it on the reader: the PIN until now, the new PIN, the new PIN again' "$size: P: what to type, and where"
	check "$size: no PIN is asked for here" has_not '^(PIN|New PIN)'
	keys Escape
	unseen 'Press Enter here'
	check "$size: Esc sends nobody to the reader" [ "$(at_card set)" = 0 ]
	person_types $PIN 567890 567890
	touch "$reader/nobody-types"
	keys P
	seen 'Press Enter here, then go on at the reader'
	keys Enter
	wait_for "^Enter the PIN until now, and twice the new one, of \"$TOKEN\" on the reader" "$size: stays for as long as the reader waits"
	keys '?'
	wait_for 'unblock a locked card by its PUK' "$size: and the screen goes on meanwhile"
	keys q
	rm "$reader/nobody-types"
	wait_for 'has its new PIN' "$size: done there"
	check "$size: the card has it" card_has 567890
	person_types $PIN 1111 1112
	keys P
	seen 'Press Enter here'
	keys Enter
	wait_for 'was not the same twice' "$size: two that differ: said"
	touch "$reader/keypad-cancel"
	keys U
	wait_for 'Enter it on the reader: the PUK \(SO PIN\), the new PIN' "$size: U: what to type, and where"
	keys Enter
	wait_for 'Nothing was typed on the reader' "$size: cancelled there: said"
	rm "$reader/keypad-cancel"
	person_types $PUK $PIN $PIN
	keys U
	seen 'Press Enter here'
	keys Enter
	wait_for 'is unblocked, and has its new PIN' "$size: U"
	check "$size: the card has it" card_has $PIN
	check "$size: no PIN came from here, once" eval '! grep -q given "$reader/logins"'
	keys q q
	wait_for 'ended with 0' "$size: ends"
}
session 80 24
session 120 40
done_testing
