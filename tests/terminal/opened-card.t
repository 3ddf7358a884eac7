#!/bin/sh
# index-encrypted with the key on a card, RSA and EC: what was read with it is found at the next start after one PIN; without
# the card it is said that it is missing, and a card that is taken out takes what it opened from the screen.
. "$(dirname "$0")/compose-lib.sh"
PIN=4711
. tests/terminal/card-lib.sh
removable_card

hidden() { # hidden NAME TEXT
	printf 'Content-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n' "$2" |
		openssl cms -encrypt -aes-256-cbc "$pki/$1.pem" 2>/dev/null | grep -v '^MIME-Version:'
}
use_for_all() { # use_for_all NAME: on the card anew, by NSS' tool, which lets it do everything
	openssl pkcs12 -export -in "$pki/$1.pem" -inkey "$pki/$1.key" -name "$1" -passout pass:x -out "$pki/$1.p12"
	for what in privkey cert; do
		pkcs11-tool --module "$module" --token-label "Card $1" --login --pin $PIN --delete-object --type $what --id 01
	done >/dev/null 2>&1
	pk12util -i "$pki/$1.p12" -d "sql:$LAB/profile/nssdb" -h "Card $1" -W x -K $PIN >/dev/null
}
fill() { # fill NAME [for-all]: the key lies on the card alone
	make_profile
	trust_authority "$LAB/profile"
	sed -i '/^maildir/a index-encrypted = yes' "$LAB/profile/signet.conf"
	on_card "$pki/$1" "Card $1" "$1"
	touch "$reader/present"
	"$SIGNET" --profile "$LAB/profile" token add lab "$LAB/removable.so" >/dev/null
	[ -z "$2" ] || use_for_all "$1"
	plain 'Ordinary' 1 'Hello.' | deliver m1 1
	{ letter 'Closed' 2; hidden "$1" 'The archaeopteryx flies on Friday.'; } | deliver m2 2
}
# SoftHSM's own tool puts an EC key there for signing alone.
forbidden() { # forbidden NAME
	fill "$1"
	start 80 24 --
	seen '^[> ] *2 .*Closed'
	keys End Enter
	seen 'D decrypt|your key is'
	keys D
	pin
	wait_for 'does not let this key decrypt' "$1: a card that does not decrypt with the key is said"
	check "$1: the message is not called damaged" has_not 'damaged'
	keys q
	seen '^ *INBOX  '
	keys q
	seen 'ended with 0'
}
question() {
	keys Q
	seen '^Search all folders for:'
	keys C-u
	typed "$1"
}
pin() {
	seen '^PIN of the token'
	typed "$PIN"
	keys Enter
}

session() { # session NAME COLUMNS ROWS
	start "$2" "$3" --
	wait_for '^[> ] *2 .*Closed' "$1: opens"
	keys End Enter
	seen 'D decrypt|your key is'
	keys D
	pin
	wait_for 'archaeopteryx' "$1: it is read with the card"
	keys q
	seen '^ *INBOX  '
	question archaeo
	wait_for '^ Search work: 1 found' "$1: and found"
	keys C-c
	unseen '^Search all folders for:'
	keys q q
	wait_for 'ended with 0' "$1: at the end"
	check "$1: nowhere in clear" [ -z "$(grep -ril archaeopteryx "$LAB/profile")" ]

	logins=$(wc -c <"$reader/logins")
	start "$2" "$3" --
	seen '^[> ] *2 .*Closed'
	question archaeo
	wait_for '^ 1 encrypted message was not searched: D asks for the PIN' "$1: the next time it says what was not searched"
	keys Enter
	unseen '^Search all folders for:'
	check "$1: no PIN was used for that" [ "$(wc -c <"$reader/logins")" = "$logins" ]
	keys D
	pin
	wait_for '^ Search work: 1 found *$' "$1: one PIN opens it"
	check "$1: as words" has 'archaeopteryx flies'
	rm "$reader/present"
	wait_gone 'archaeopteryx' "$1: without the card it goes from the screen"
	wait_for '^ 1 encrypted message was not searched' "$1: and that is said"
	keys D
	wait_for "^Insert \"Card $1\"" "$1: D asks for the card"
	touch "$reader/present"
	pin
	wait_for '^ Search work: 1 found *$' "$1: and goes on when it is there"
	keys q
	unseen '^ Search work'
	keys q
	wait_for 'ended with 0' "$1: at the end"
	check "$1: nowhere in clear" [ -z "$(grep -ril archaeopteryx "$LAB/profile")" ]
}

make_pki bob
fill bob
session bob 80 24
openssl ecparam -name prime256v1 -out "$pki/parameters"
{
	openssl req -newkey "ec:$pki/parameters" -nodes -keyout "$pki/curve.key" -out "$pki/curve.csr" -subj '/CN=Bob Curve'
	printf 'subjectAltName=email:bob@example.org\nkeyUsage=keyAgreement\nextendedKeyUsage=emailProtection\n' >"$pki/curve.ext"
	openssl x509 -req -in "$pki/curve.csr" -CA "$pki/ca.pem" -CAkey "$pki/ca.key" -CAcreateserial -out "$pki/curve.pem" -days 700 -extfile "$pki/curve.ext"
} >/dev/null 2>&1
forbidden curve
rm -rf "$LAB/profile" "$LAB"/tokens/*
fill curve for-all
session curve 120 40
done_testing
