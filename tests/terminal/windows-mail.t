#!/bin/sh
# A correspondent's day with S/MIME as the mail programs of desktops have it, walked on the real screen from start to
# end: each scenario is named. The card is SoftHSM2 behind tests/lab/removable-token.c, which counts the PINs.
. "$(dirname "$0")/compose-lib.sh"
. tests/terminal/card-lib.sh

removable_card

make_pki anna carol
{
	person bob rsa:2048 300 # the older of two
	for kind in key pem p12; do mv "$pki/bob.$kind" "$pki/older.$kind"; done
	person bob
	for kind in key pem p12; do mv "$pki/bob.$kind" "$pki/newer.$kind" && mv "$pki/older.$kind" "$pki/bob.$kind"; done
} >/dev/null 2>&1
on_card "$pki/bob"
reader_profile anna
sha256() { openssl x509 -in "$1" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr A-F a-f; }
starts_with() { openssl x509 -in "$1" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | cut -c 1-8 | sed 's/..../& /' ; }
logins() { grep -c user "$reader/logins" 2>/dev/null || true; }

# begin_scenario NAME WHERE-THE-KEYS-ARE: account lines come from stdin. database: two certificates; card: one.
begin_scenario() {
	echo "# $size: $1"
	mv "$pki/bob.p12" "$pki/away.p12" # what it has is put into it below
	writer_profile
	mv "$pki/away.p12" "$pki/bob.p12"
	rm -f "$reader"/* "$LAB"/anna/mail/new/* "$LAB"/anna/mail/cur/*
	case $2 in
		database)
			for name in bob newer; do
				"$SIGNET" --profile "$LAB/profile" cert import --password-file "$pki/password" "$pki/$name.p12" >/dev/null 2>&1
			done
			;;
		card)
			touch "$reader/present"
			"$SIGNET" --profile "$LAB/profile" token add lab "$LAB/removable.so" >/dev/null
			;;
	esac
}
open_screen() {
	compose_start "$columns_" "$rows_" NO_COLOR=1 --
	seen '^ *INBOX  '
}
close_screen() {
	keys q
	wait_for 'ended with 0' "$size: ends"
}
# What Anna has got: the last one, as her signet judges it.
anna_reads() {
	at_anna=INBOX/$("$SIGNET" --profile "$LAB/anna" list --json INBOX | sed -n 's/.*"uid":\([0-9]*\).*/\1/p' | head -n 1)
	"$SIGNET" --profile "$LAB/anna" --json verify "$at_anna" >"$LAB/verdict" 2>&1
}
verdict_has() { grep -q "$1" "$LAB/verdict"; }
from_anna() { # from_anna SUBJECT NUMBER: signed by her, her certificate in it
	{
		letter "$1" "$2"
		printf 'Content-Type: text/plain\r\n\r\nSee you at ten.\r\n' |
			openssl smime -sign -signer "$pki/anna.pem" -inkey "$pki/anna.key" -certfile "$pki/ca.pem" 2>/dev/null |
			grep -v '^MIME-Version:'
	} | deliver "m$2" "$2"
}

choose_certificate() {
	begin_scenario 'the certificate is chosen automatically, or by hand' database </dev/null
	open_screen
	begin 'anna@example.org' 'Chosen for me'
	keys S
	wait_for '^ SIGN on .*bob Lab, database' "$size: signing takes a certificate by itself"
	keys y
	wait_for 'Sent: Chosen for me' "$size: and it leaves"
	anna_reads
	check "$size: the newer of two has signed" verdict_has "$(sha256 "$pki/newer.pem")"
	check "$size: good" verdict_has '"indicator":"good"'
	begin 'anna@example.org' 'Chosen by me'
	keys C
	wait_for 'Sign it with' "$size: C shows those that can sign"
	check "$size: the automatic one first" has '^> *The newest that is valid for the address in From'
	check "$size: with their ends and fingerprints" has 'SHA-256 [0-9A-F]{4} '
	check "$size: the older one too" has "SHA-256 $(starts_with "$pki/bob.pem")"
	while ! screen | grep -A 1 '^>' | grep -q "SHA-256 $(starts_with "$pki/bob.pem")"; do
		before=$(screen)
		keys Down
		until_true eval '[ "$(screen)" != "$before" ]' || break
	done
	keys Enter
	wait_for '^ SIGN on ' "$size: it is chosen, and signs"
	keys y
	wait_for 'Sent: Chosen by me' "$size: and leaves"
	anna_reads
	check "$size: with the one that was chosen" verdict_has "$(sha256 "$pki/bob.pem")"
	check "$size: good too" verdict_has '"indicator":"good"'
	close_screen
}

always_sign_and_encrypt() {
	begin_scenario 'always sign, always encrypt; a switch for one message' database <<-END
		undo-send = 0
		sign = always
		encrypt = always
	END
	known anna
	open_screen
	begin 'anna@example.org' 'As always'
	wait_for '^ SIGN on ' "$size: a new message is to be signed"
	check "$size: and encrypted" has '^ ENCRYPT on   to 1 recipient'
	keys y
	wait_for 'Sent: As always' "$size: and leaves so"
	anna_reads
	check "$size: signed" verdict_has '"indicator":"good"'
	check "$size: encrypted" verdict_has '"encryption":"decrypted"'
	begin 'anna@example.org' 'Not this one'
	seen '^ ENCRYPT on'
	keys S
	wait_for '^ SIGN off' "$size: S turns signing off for one message"
	keys E
	wait_for 'Type plain' "$size: E asks for a word, since it was to be encrypted"
	typed plain
	keys Enter
	wait_for '^ ENCRYPT off' "$size: plain turns encryption off"
	keys y
	wait_for 'Sent: Not this one' "$size: it leaves"
	anna_reads
	check "$size: unsigned" verdict_has '"signature":"unsigned"'
	check "$size: readable" verdict_has '"encryption":"none"'
	begin 'anna@example.org' 'Again'
	wait_for '^ ENCRYPT on' "$size: the next one is as always"
	check "$size: signed too" has '^ SIGN on'
	keys q
	seen '^Keep it as a draft|draft'
	keys n
	seen '^ *INBOX  '
	close_screen
}

policy_forbids_the_switch() {
	begin_scenario 'a switch that policy forbids' database </dev/null
	printf '[policy]\nsign = always\nencrypt = always\n' >>"$LAB/profile/signet.conf"
	known anna
	open_screen
	begin 'anna@example.org' 'By policy'
	wait_for '^ SIGN on      by policy' "$size: policy signs, and it is said"
	keys S
	wait_for 'It must be signed, by sign = always' "$size: S is refused, with the rule"
	keys E
	wait_for 'It must be encrypted, by encrypt = always' "$size: E too"
	check "$size: both stay on" eval "has '^ SIGN on' && has '^ ENCRYPT on'"
	keys y
	wait_for 'Sent: By policy' "$size: it leaves"
	anna_reads
	check "$size: signed" verdict_has '"indicator":"good"'
	check "$size: encrypted" verdict_has '"encryption":"decrypted"'
	close_screen
}

remove_recipients_without_certificate() {
	begin_scenario 'recipients without a certificate are removed' database <<-END
		undo-send = 0
		encrypt = always
	END
	known anna
	open_screen
	begin 'anna@example.org, carol@example.org, dora@example.com' 'For whom it can be read by'
	wait_for '^ ENCRYPT on, but 2 of 3 recipients' "$size: it is said before sending"
	keys y
	wait_for 'Cannot be encrypted to 2 of 3 recipients' "$size: y shows them"
	check "$size: each" eval "has '^> *carol@example.org .*no certificate' && has 'dora@example.com .*no certificate'"
	check "$size: and what can be done" has 'X all of these'
	check "$size: nothing has left" [ ! -e "$LAB/delivered" ]
	keys X
	wait_for 'Everybody can read it' "$size: X removes them all"
	check "$size: Anna stays" has '^ ready .*anna@example.org'
	check "$size: and nobody else" eval "has_not 'carol@example.org' && has_not 'dora@example.com'"
	keys y
	wait_for 'Sent: For whom' "$size: it leaves"
	check "$size: for Anna" [ "$(sent_to anna@example.org)" = 1 ]
	check "$size: for nobody else" [ "$(sent_to carol@example.org)$(sent_to dora@example.com)" = 00 ]
	anna_reads
	check "$size: and she can read it" verdict_has '"encryption":"decrypted"'
	close_screen
}

insert_card() {
	begin_scenario 'the card is to be inserted' card <<-END
		undo-send = 0
		sign = always
	END
	rm "$reader/present"
	open_screen
	begin 'anna@example.org' 'Once it is here'
	wait_for "^ SIGN on .*$TOKEN" "$size: the row names the card that is away"
	keys y
	wait_for "^Insert \"$TOKEN\", Esc cancels" "$size: y asks for it"
	keys Escape
	wait_for 'nothing was sent' "$size: Esc keeps the message"
	check "$size: all of it" has 'Subject: Once it is here'
	keys y
	wait_for "^Insert \"$TOKEN\"" "$size: y asks again"
	touch "$reader/present"
	wait_for "^PIN of the token \"$TOKEN\"" "$size: inserted: it goes on by itself, to the PIN"
	typed $PIN
	keys Enter
	wait_for 'Sent: Once it is here' "$size: and the message leaves"
	anna_reads
	check "$size: signed with the card's key" verdict_has "$(sha256 "$pki/bob.pem")"
	check "$size: good" verdict_has '"indicator":"good"'
	check "$size: for one PIN" [ "$(logins)" = 1 ]
	close_screen
}

pin() {
	begin_scenario 'the PIN' card <<-END
		undo-send = 0
		sign = always
	END
	open_screen
	begin 'anna@example.org' 'First'
	wait_for "^ SIGN on .*bob Lab, $TOKEN" "$size: the row names the card"
	keys y
	wait_for "^PIN of the token \"$TOKEN\"" "$size: sending asks for the PIN"
	typed 9999
	keys Enter
	wait_for 'is wrong' "$size: a wrong one is said to be wrong"
	check "$size: it cost one try" [ "$(logins)" = 1 ]
	check "$size: and nothing was sent" [ ! -e "$LAB/delivered" ]
	check "$size: the message is there still" has 'Subject: First'
	keys y
	wait_for "^PIN of the token \"$TOKEN\"" "$size: y asks again"
	check "$size: and says that the last one was wrong" has 'not the right PIN'
	typed $PIN
	keys Enter
	wait_for 'Sent: First' "$size: the right one sends it"
	begin 'anna@example.org' 'Second'
	wait_for '^ SIGN on ' "$size: the next message"
	keys y
	wait_for 'Sent: Second' "$size: leaves without being asked again"
	check "$size: no other try was spent" [ "$(logins)" = 2 ]
	keys C-f
	wait_for 'forgotten' "$size: Ctrl-F forgets the PIN"
	begin 'anna@example.org' 'Third'
	seen '^ SIGN on '
	keys y
	wait_for '^PIN of the token' "$size: and the next one asks"
	touch "$reader/locked"
	typed 9999
	keys Enter
	wait_for 'is locked after too many wrong PINs' "$size: a card that has locked itself is said to be locked"
	rm "$reader/locked"
	keys q
	seen 'draft'
	keys n
	seen '^ *INBOX  '
	close_screen
}

install_from_a_signed_message() {
	begin_scenario 'a certificate is installed from a signed message' database </dev/null
	from_anna 'Tomorrow' 1
	open_screen
	seen '^> *1 .*Tomorrow'
	begin 'anna@example.org' 'Too early'
	keys E
	wait_for '^ ENCRYPT on, but the recipient has no' "$size: before, nothing can be encrypted to her"
	keys q
	seen 'draft'
	keys n
	seen '^> *1 .*Tomorrow'
	keys Enter
	wait_for '^ SIGNED BY anna@example.org' "$size: her signed message"
	check "$size: installing is offered" has 'I install'
	keys I
	wait_for 'Install this certificate\? \(y/n\)' "$size: I asks"
	check "$size: with its fingerprint" has "SHA-256 $(starts_with "$pki/anna.pem")"
	keys y
	wait_for 'The certificate of anna Lab is installed' "$size: y installs"
	keys r
	wait_for '^ ready .*anna@example.org' "$size: the answer to it can be encrypted"
	has '^ ENCRYPT on' || keys E
	wait_for '^ ENCRYPT on   to 1 recipient' "$size: E encrypts"
	keys y
	wait_for 'Sent: ' "$size: and it leaves"
	anna_reads
	check "$size: encrypted to the key that she has" verdict_has '"encryption":"decrypted"'
	check "$size: it answers her" verdict_has 'See you at ten'
	keys q
	seen '^ *INBOX  '
	close_screen
}

session() { # session COLUMNS ROWS
	size="$1x$2" columns_=$1 rows_=$2
	choose_certificate
	always_sign_and_encrypt
	policy_forbids_the_switch
	remove_recipients_without_certificate
	insert_card
	pin
	install_from_a_signed_message
}
session 80 24
session 120 40
done_testing
