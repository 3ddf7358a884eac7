#!/bin/sh
# Cards that come and go while the screen runs: said so, PINs forgotten, a question about one that is pulled ends. Two
# tokens. The cards are SoftHSM2 behind tests/lab/removable-token.c, which counts the PINs that reach them.
. "$(dirname "$0")/lib.sh"
. tests/terminal/card-lib.sh

removable_card
pki=$LAB/pki
make_profile
mkdir -p "$pki"
# person NAME TOKEN: an RSA key and its certificate on that token
person() {
	rsa_key $1.key && openssl req -x509 -key $1.key -out $1.pem -days 700 -subj "/CN=$1 Lab" \
		-addext "subjectAltName=email:$1@example.org" -addext 'keyUsage=digitalSignature,keyEncipherment' \
		-addext 'basicConstraints=CA:FALSE'
	on_card "$1" "$2" "$1"
	rm "$1.key"
}
(cd "$pki" && person bob "$TOKEN" && person carl 'Zweite') >/dev/null 2>&1
part() { printf 'Content-Type: text/plain; charset=utf-8\r\n\r\n%b\r\n' "$1"; }
encrypted() { # encrypted SUBJECT NUMBER TO
	part "For $3 alone." >"$LAB/secret"
	{
		letter "$1" "$2"
		openssl cms -encrypt -aes-256-cbc -in "$LAB/secret" "$pki/$3.pem" 2>/dev/null | grep -v '^MIME-Version:'
	} | deliver "$3" "$2"
}
encrypted 'To Bob' 1 bob
encrypted 'To Carl' 2 carl
touch "$reader/present"
"$SIGNET" --profile "$LAB/profile" token add lab "$LAB/removable.so" >/dev/null
logins() { cat "$reader/logins" 2>/dev/null | grep -c user; }
rm "$reader/present"

session() { # session COLUMNS ROWS
	size="$1x$2"
	rm -f "$reader"/*
	start "$1" "$2" --
	wait_for 'INBOX  2 messages' "$size: opens"
	keys P
	seen 'no card' # NSS starts after the first picture: what is there by then has not come
	keys q
	seen 'INBOX  2 messages'
	touch "$reader/present"
	wait_for '^The card "(Karte Ä|Zweite)" is here' "$size: a card that comes is said"
	keys Home Enter
	wait_for 'your key is locked' "$size: the mail for the first card"
	keys D
	wait_for "^PIN of the token \"$TOKEN\": *\$" "$size: D asks"
	rm "$reader/present"
	wait_gone '^PIN of' "$size: pulled while the question is up: it ends"
	check "$size: no PIN went out" [ "$(logins)" = 0 ]
	wait_for 'was pulled' "$size: and that is said"
	touch "$reader/present"
	wait_for 'is here' "$size: it is back"
	keys D
	seen '^PIN of'
	typed 9999
	keys Enter
	wait_for 'is wrong' "$size: a wrong PIN"
	check "$size: has cost one try" [ "$(logins)" = 1 ]
	keys D
	seen '^PIN of'
	typed $PIN
	keys Enter
	wait_for 'For bob alone' "$size: the right one opens it"
	check "$size: with one more" [ "$(logins)" = 2 ]
	rm "$reader/present"
	wait_for 'was pulled: its PIN is forgotten' "$size: pulled while it is open: said"
	wait_gone 'For bob alone' "$size: and the text is shut"
	touch "$reader/present"
	wait_for 'is here' "$size: and back"
	keys D
	wait_for "^PIN of the token \"$TOKEN\"" "$size: the PIN is asked for again"
	typed $PIN
	keys Enter
	wait_for 'For bob alone' "$size: and opens it"
	"$SIGNET" --profile "$LAB/profile" token logout >/dev/null
	wait_gone 'For bob alone' "$size: signet token logout in another terminal shuts it"
	check "$size: and the screen says so" seen 'are forgotten'
	keys q End Enter
	wait_for 'your key is locked' "$size: the mail for the second card"
	touch "$reader/locked"
	keys D
	wait_for 'Zweite.* is locked' "$size: a locked card is said to be locked"
	check "$size: and no PIN is asked for" has_not '^PIN of'
	rm "$reader/locked"
	keys Escape
	unseen '^The token'
	keys D
	wait_for '^PIN of the token "Zweite"' "$size: the second card asks with its own name"
	typed $PIN
	keys Enter
	wait_for 'For carl alone' "$size: and opens it"
	keys q q
	wait_for 'ended with 0' "$size: ends"
}
session 80 24
session 120 40
done_testing
