#!/bin/sh
# A key on a card that is not in its reader: D asks for the card, and goes on by itself when it is there. A reader with
# a keypad of its own. The card is SoftHSM2 behind tests/lab/removable-token.c.
. "$(dirname "$0")/lib.sh"
. tests/terminal/card-lib.sh

removable_card
pki=$LAB/pki
make_profile
mkdir -p "$pki"
(
	cd "$pki" || exit 1
	rsa_key bob.key && openssl req -x509 -key bob.key -out bob.pem -days 700 -subj '/CN=Bob Lab' \
		-addext 'subjectAltName=email:bob@example.org' -addext 'keyUsage=digitalSignature,keyEncipherment' \
		-addext 'basicConstraints=CA:FALSE'
	on_card bob
	rm bob.key
) >/dev/null 2>&1
part() { printf 'Content-Type: text/plain; charset=utf-8\r\n\r\n%b\r\n' "$1"; }
part 'For your eyes only.' >"$LAB/secret"
{
	letter 'Encrypted' 2
	openssl cms -encrypt -aes-256-cbc -in "$LAB/secret" "$pki/bob.pem" 2>/dev/null | grep -v '^MIME-Version:'
} | deliver encrypted 2
plain 'Plain' 1 'Nothing in it.' | deliver plain 1

# A card that was never seen is nobody's: then the mail is for a stranger.
"$SIGNET" --profile "$LAB/profile" token add lab "$LAB/removable.so" >/dev/null
start 80 24 --
wait_for '^> *2 .*Encrypted' 'opens'
keys End Enter
wait_for '^ ENCRYPTED' 'an encrypted mail, and no card that was ever seen'
check 'it is not ours' has_not 'your key is locked'
keys D
wait_for 'ENCRYPTED' 'D'
check 'asks for nothing' has_not 'Insert'
keys q q
wait_for 'ended with 0' 'ends'

# The card is there once, in another run; nothing but its certificate and name are kept.
touch "$reader/present"
"$SIGNET" --profile "$LAB/profile" token list >"$LAB/list" 2>&1
check 'the card is seen once' grep -q "$TOKEN" "$LAB/list"
rm "$reader/present"
check 'what is kept holds no key' eval '[ -s "$LAB/profile/state/cards" ] && ! grep -q KEY "$LAB/profile/state/cards"'
check 'for the user alone' eval '[ "$(stat -c %a "$LAB/profile/state/cards")" = 600 ]'

session() { # session COLUMNS ROWS
	size="$1x$2"
	rm -f "$reader"/*
	start "$1" "$2" --
	wait_for '^> *2 .*Encrypted' "$size: opens"
	keys End Enter
	wait_for '^ ENCRYPTED, your key is on a card that is not in its reader' "$size: the card is away: ours, and locked"
	check "$size: the card is named" has "The card is “$TOKEN”: D decrypts it"

	check "$size: nothing is asked by itself" has_not 'Insert'
	keys D
	wait_for "^Insert \"$TOKEN\", Esc cancels *\$" "$size: D asks for the card"
	keys x Enter
	check "$size: other keys do nothing" has '^Insert'
	resize 100 30
	wait_for "^Insert \"$TOKEN\", Esc cancels *\$" "$size: the question stays over a change of size"
	resize "$1" "$2"
	keys Escape
	wait_gone 'Insert' "$size: Esc cancels"
	wait_for '^ ENCRYPTED, your key is on a card' "$size: it stays locked"
	keys q
	wait_for 'INBOX  2' "$size: and the screen goes on"

	keys End Enter
	seen 'your key is on a card'
	keys D
	seen '^Insert'
	touch "$reader/present"
	wait_for "^PIN of the token \"$TOKEN\": *\$" "$size: with the card it goes on by itself"
	typed $PIN
	keys Enter
	wait_for 'For your eyes only' "$size: to the text"

	keys C-f
	wait_for '^ ENCRYPTED, your key is locked' "$size: forgotten"
	rm "$reader/present"
	keys D
	wait_for '^(Insert|PIN of)' "$size: pulled in between"
	keys Escape
	wait_gone '^(Insert|PIN of)' "$size: Esc gives up"
	keys q q
	wait_for 'ended with 0' "$size: ends"
}
session 80 24
session 120 40

# The question is open when the person leaves; a reader with a keypad.
start 80 24 --
wait_for '^> *2 .*Encrypted' 'opens once more'
keys End Enter
seen 'your key is on a card'
keys D
seen '^Insert'
kill -TERM "$(ps -o pid= --ppid "$(terminal list-panes -F '#{pane_pid}')" | head -n 1)"
wait_for 'ended with 0' 'ends at once while it waits for a card'
touch "$reader/present" "$reader/pinpad" "$reader/nobody-types"
start 80 24 --
wait_for '^> *2 .*Encrypted' 'a reader with a keypad'
keys End Enter
seen 'your key is locked'
keys D
wait_for "enter the PIN of \"$TOKEN\" on the reader" 'asks for the PIN at the reader'
check 'and not here' has_not '^PIN of'
keys Enter
wait_for "^Enter the PIN of \"$TOKEN\" on the reader\. *\$" 'says so for as long as the reader waits'
keys Down
seen '^ Space page'
check 'whatever else is done' has '^Enter the PIN of'
resize 60 20
wait_for '^Enter the PIN of' 'at any size'
resize 80 24
rm "$reader/nobody-types"
wait_for 'For your eyes only' 'the reader lets it through'
wait_gone '^Enter the PIN of' 'and nothing more is asked for'
keys q q
wait_for 'ended with 0' 'ends'
done_testing
