#!/bin/sh
# A certificate for a key on a card, all from the screen of certificates: r makes the key there and writes the request, i
# takes what the authority sends back and puts it beside its key; it then signs and reads. And somebody whom another
# program distrusts meanwhile: the next look at their mail says so. The card is SoftHSM2.
. "$(dirname "$0")/compose-lib.sh"
. tests/terminal/card-lib.sh

removable_card
signet() { "$SIGNET" --profile "$LAB/profile" "$@" >"$LAB/out" 2>"$LAB/err" </dev/null; }
say() { # say TEXT: instead of what the prompt proposes
	keys C-u
	typed "$1"
	keys Enter
}
pin() {
	wait_for "^PIN of the token \"$TOKEN\": *\$" "$size: $1"
	typed $PIN
	keys Enter
}
on_the_card() { pkcs11-tool --module "$module" --token-label "$TOKEN" --login --pin $PIN --list-objects --type "$1" 2>/dev/null | grep -c 'Object'; }

make_pki anna
session() { # session COLUMNS ROWS
	size="$1x$2"
	make_profile
	rm -rf "$LAB/tokens" "$reader"/* "$LAB"/*.csr "$LAB/issued.pem"
	mkdir -p "$LAB/tokens"
	softhsm2-util --module "$module" --init-token --free --label "$TOKEN" --pin $PIN --so-pin 12345678 >/dev/null 2>&1
	touch "$reader/present"
	trust_authority "$LAB/profile"
	signet token add lab "$LAB/removable.so"
	known anna
	printf 'Content-Type: text/plain\r\n\r\nSigned by Anna.\r\n' >"$LAB/part"
	{
		letter 'Signed' 1
		openssl smime -sign -signer "$pki/anna.pem" -inkey "$pki/anna.key" -in "$LAB/part" 2>/dev/null | grep -v '^MIME-Version:'
	} | deliver signed 1
	start "$1" "$2" --
	seen '^> *1 .*Signed'

	keys S
	seen 'anna'
	keys r
	wait_for 'Ask for a new certificate: which key' "$size: r: which key"
	keys Enter
	wait_for 'Make the key in' "$size: where"
	check "$size: the card is offered" seen "$TOKEN"
	check "$size: and what a key there means" has 'it never leaves the token'
	keys Down Enter
	wait_for '^For which addresses: bob@example.org' "$size: for the address of the account"
	keys Enter
	wait_for '^Your name' "$size: the name"
	keys Enter
	wait_for '^Save the request in the file' "$size: the file"
	say "$LAB/bob.csr"
	pin 'the PIN of the card'
	wait_for 'The key is made. Send .*bob.csr to your authority' "$size: made"
	check "$size: the key is on the card" [ "$(on_the_card privkey)" = 1 ]
	check "$size: and not in the database" eval '! certutil -K -d "sql:$LAB/profile/nssdb" 2>/dev/null | grep -q "<"'
	check "$size: openssl agrees with its signature" eval 'openssl req -in "$LAB/bob.csr" -noout -verify 2>&1 | grep -q OK'
	check "$size: and finds the address" eval 'openssl req -in "$LAB/bob.csr" -noout -text | grep -q email:bob@example.org'

	openssl x509 -req -in "$LAB/bob.csr" -CA "$pki/ca.pem" -CAkey "$pki/ca.key" -CAcreateserial -days 90 \
		-copy_extensions copyall -out "$LAB/issued.pem" 2>/dev/null
	keys i
	seen '^Import from'
	say "$LAB/issued.pem"
	until_true has '^PIN of the token|bob@example.org'
	has '^PIN of the token' && { typed $PIN; keys Enter; }
	wait_for 'bob@example.org' "$size: the answer is taken"
	check "$size: it goes beside its key" until_true eval '[ "$(on_the_card cert)" = 1 ]'
	signet cert list --own
	check "$size: and is known as lying there" grep -q "KA\?-*.*bob@example.org.*on $TOKEN" "$LAB/out"
	keys Escape
	keys q q
	until_true has 'ended with|^> *1 '
	has 'ended with' || { keys q; seen 'ended with'; }
	{
		letter 'Sealed' 2
		openssl cms -encrypt -aes-256-cbc -in "$LAB/part" "$LAB/issued.pem" 2>/dev/null | grep -v '^MIME-Version:'
	} | deliver sealed 2

	start "$1" "$2" --
	seen '^> *2 .*Sealed'
	keys Home
	until_true eval 'screen | grep -q "^>"'
	keys End Enter
	until_true has '^ SIGNED BY anna@example.org|your key is locked'
	has 'your key is locked' || { keys q; seen '^ *INBOX'; keys Home Enter; }
	wait_for 'your key is locked' "$size: what is encrypted to it"
	keys D
	pin 'opens by the card'
	wait_for 'Signed by Anna' "$size: its text"
	keys q
	seen '^ *INBOX'
	keys Home
	seen '^> *1 .*Signed'
	keys Enter
	wait_for '^ SIGNED BY anna@example.org' "$size: Anna's mail is good"
	name=$(certutil -L -d "sql:$LAB/profile/nssdb" | sed -n 's/  *[A-Za-z]*,[A-Za-z]*,[A-Za-z]* *$//p' | grep -i anna)
	certutil -M -d "sql:$LAB/profile/nssdb" -n "$name" -t 'p,p,p'
	keys q
	seen '^ *INBOX'
	keys Enter
	wait_for 'NOT TRUSTED|DISTRUSTED|distrusted|never to be trusted' "$size: distrusted by certutil meanwhile: its next look says so"
	check "$size: and it is no good signature any more" has_not '^ SIGNED BY anna@example.org *$'
	keys q q
	wait_for 'ended with 0' "$size: ends"
}
session 80 24
session 120 40
done_testing
