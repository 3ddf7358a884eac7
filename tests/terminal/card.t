#!/bin/sh
# A key on a card, with SoftHSM2 as the card: nothing asks for its PIN but D, and D asks once.
. "$(dirname "$0")/lib.sh"
PIN=4711
. tests/terminal/card-lib.sh

pki=$LAB/pki

# An authority, Anna who signs, and Bob, whose key and certificate lie on the card and nowhere else.
make_people() {
	mkdir -p "$pki"
	(
		cd "$pki" || exit 1
		rsa_key ca.key && openssl req -x509 -key ca.key -out ca.pem -days 3650 -subj '/O=Lab/CN=Lab Mail CA' \
			-addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign'
		for name in anna bob; do
			rsa_key $name.key && openssl req -new -key $name.key -out $name.csr -subj "/CN=$name Lab"
			printf 'subjectAltName=email:%s@example.org\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=emailProtection\nbasicConstraints=CA:FALSE\n' $name >$name.ext
			openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $name.pem -days 700 -extfile $name.ext
		done
		on_card bob
		rm bob.key
		certutil -A -d "sql:$LAB/profile/nssdb" -n lab -t ,C, -i ca.pem
	) >/dev/null 2>&1
	"$SIGNET" --profile "$LAB/profile" token add card "$module" >/dev/null
}
part() { printf 'Content-Type: text/plain; charset=utf-8\r\n\r\n%b\r\n' "$1"; }
encrypted() { # encrypted SUBJECT NUMBER TEXT
	part "$3" >"$LAB/secret"
	letter "$1" "$2"
	openssl cms -encrypt -aes-256-cbc -in "$LAB/secret" "$pki/bob.pem" 2>/dev/null | grep -v '^MIME-Version:'
}
fill() {
	part 'Signed by Anna.' >"$LAB/part"
	{
		letter 'Signed' 1
		openssl smime -sign -signer "$pki/anna.pem" -inkey "$pki/anna.key" -in "$LAB/part" 2>/dev/null | grep -v '^MIME-Version:'
	} | deliver signed 1
	encrypted 'Encrypted' 2 'For your eyes only.' | deliver encrypted 2
	encrypted 'Another' 3 'And this one too.' | deliver another 3
}
read_letter() { # read_letter SUBJECT: from the index, by search
	keys Home
	typed "/~s $1"
	keys Enter Enter
}
back() {
	keys q
	seen '^ *INBOX  '
}
# The token has noted no wrong PIN, or it has: the flag is set by one and cleared by the right one.
noted_wrong() { "$SIGNET" --profile "$LAB/profile" token list | grep -F "$TOKEN" | grep -q 'a wrong PIN'; }
ask="^PIN of the token \"$TOKEN\": *"

session() { # session COLUMNS ROWS
	size="$1x$2"
	start "$1" "$2" --
	wait_for 'INBOX  3 messages' "$size: opens"
	read_letter signed
	wait_for '^ SIGNED BY anna@example.org' "$size: a signature is checked"
	check "$size: without the card's PIN" has_not 'PIN of'
	back
	read_letter encrypted
	wait_for '^ ENCRYPTED, your key is locked' "$size: an encrypted mail opens locked"
	check "$size: and asks nothing" has_not 'PIN of'
	check "$size: and shows nothing" has_not 'eyes only'

	keys D
	wait_for "$ask\$" "$size: D asks, and names the card"
	keys Escape
	wait_gone 'PIN of the token' "$size: Esc gives up"
	wait_for '^ ENCRYPTED, your key is locked' "$size: it stays locked"
	check "$size: no PIN went out" eval '! noted_wrong'

	keys D
	seen "$ask"
	typed '0000'
	wait_for "$ask\*{4} *\$" "$size: what is typed is not shown"
	keys Enter
	wait_for "The PIN for .$TOKEN. is wrong" "$size: a wrong PIN is said"
	unseen 'PIN of the token'
	check "$size: nothing asks again by itself" has_not 'PIN of the token'
	check "$size: it is locked still" has 'your key is locked'
	check "$size: the card has noted one wrong PIN" noted_wrong

	keys D
	wait_for "$ask" "$size: D asks again"
	check "$size: and says what was wrong" has 'That was not the right PIN'
	check "$size: and that few tries are left" has 'few tries are left'
	typed "$PIN"
	keys Enter
	wait_for 'For your eyes only' "$size: the right PIN shows the text"
	check "$size: the strip says so" has '^ ENCRYPTED to you'
	check "$size: the card is content" eval '! noted_wrong'
	back
	read_letter another
	wait_for 'And this one too' "$size: the next one needs no PIN"
	keys D
	wait_for 'decrypted already' "$size: D has nothing to do there"

	keys C-f
	wait_for 'forgotten' "$size: Ctrl-F forgets"
	wait_for '^ ENCRYPTED, your key is locked' "$size: and the message that is open is shut"
	check "$size: its text is gone" has_not 'And this one too'
	back
	read_letter encrypted
	wait_for '^ ENCRYPTED, your key is locked' "$size: the key is locked again"
	check "$size: the text is gone" has_not 'eyes only'
	check "$size: and nothing asks" has_not 'PIN of'
	keys D
	wait_for "$ask" "$size: D asks once more"
	check "$size: and has nothing to complain of" has_not 'not the right'
	keys Escape
	unseen 'PIN of the token'
	keys q q
	wait_for 'ended with 0' "$size: ends"
}

make_profile
make_people
fill
session 80 24
session 120 40
done_testing
