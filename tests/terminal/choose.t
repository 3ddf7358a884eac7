#!/bin/sh
# Choices on the review screen: the certificate to sign with, out of the database and on a card (SoftHSM2 being the
# card); drafts, several at once; attachments; hidden recipients, an archive, a certificate seen in signed mail.
. "$(dirname "$0")/compose-lib.sh"
PIN=4711
. tests/terminal/card-lib.sh

make_pki bob anna carol vault
reader_profile anna
reader_profile carol
# Two more for Bob: a younger one on the card, and one that runs out before it began to be of use.
(
	cp "$pki/bob.pem" "$pki/first.pem"
	cp "$pki/bob.p12" "$pki/first.p12"
	person bob rsa:2048 800
	mv "$pki/bob.key" "$pki/card.key"
	mv "$pki/bob.pem" "$pki/card.pem"
	person bob rsa:2048 0
	mv "$pki/bob.p12" "$pki/old.p12"
	mv "$pki/first.pem" "$pki/bob.pem"
	mv "$pki/first.p12" "$pki/bob.p12"
) >/dev/null 2>&1
print_of() { openssl x509 -in "$pki/$1.pem" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr A-F a-f; }
writer_profile <<-END
	undo-send = 0
	archive-cert = $(print_of vault)
	encrypt-cert = $(print_of bob)
END
on_card "$pki/card"
"$SIGNET" --profile "$LAB/profile" token add card "$module" >/dev/null
"$SIGNET" --profile "$LAB/profile" cert import --password-file "$pki/password" "$pki/old.p12" >/dev/null 2>&1
known anna
known vault
{
	printf 'From: Carol <carol@example.org>\nTo: bob@example.org\nSubject: Signed by Carol\nDate: %s\nMessage-ID: <1@x.example>\n' "$(date -uR)"
	printf 'Content-Type: text/plain; charset=utf-8\r\n\r\nHere is my certificate.\r\n' >"$LAB/inner"
	openssl cms -sign -binary -in "$LAB/inner" -signer "$pki/carol.pem" -inkey "$pki/carol.key" 2>/dev/null
} | deliver one 1
signer() { # of what was delivered last
	openssl cms -verify -in "$(ls "$LAB"/delivered.*)" -noverify -signer "$LAB/signer.pem" -out /dev/null 2>/dev/null
	openssl x509 -in "$LAB/signer.pem" -noout -serial
}
signed_by() { [ "$(signer)" = "$(openssl x509 -in "$pki/$1.pem" -noout -serial)" ]; }
row_of() { screen | grep -n "$1" | head -n 1 | cut -d : -f 1; }

choose_signer() { # choose_signer WORDS: by its row in the list
	keys C
	seen '^> *The newest'
	tries=0
	until has "^>.*$1" || [ $tries = 5 ]; do
		before=$(cursor_line)
		keys Down
		until_true moved
		tries=$((tries + 1))
	done
	keys Enter
	seen '^ SIGN '
}
cursor_line() { screen | grep -n '^>'; }
moved() { # the cursor alone, and not whatever else was drawn meanwhile
	after=$(cursor_line)
	[ -n "$after" ] && [ "$after" != "$before" ]
}

session() { # session COLUMNS ROWS [VARIABLE=VALUE]
	size="$1x$2${3:+ $3}"
	rm -f "$LAB"/delivered*
	compose_start "$1" "$2" $3 --
	seen '^> *1 '
	begin 'anna@example.org' 'By the card'
	keys S
	wait_for "^ SIGN on +bob Lab, (database|$TOKEN)" "$size: one is chosen by itself"
	keys C
	wait_for 'Sign it with' "$size: C lists those that there are"
	check "$size: the choice that is none" has '^> *The newest that is valid'
	check "$size: the one in the database" has 'bob Lab <bob@example.org>, database'
	check "$size: the one on the card" has "bob Lab <bob@example.org>, $TOKEN"
	check "$size: with their fingerprints" has 'SHA-256 [0-9A-F]{4} '
	check "$size: nobody else's" has_not 'anna Lab|Lab Mail CA <'
	keys q
	seen '^ SIGN'
	choose_signer "$TOKEN"
	wait_for "^ SIGN on +bob Lab, $TOKEN" "$size: the card's is chosen"
	keys y
	wait_for "^PIN of the token \"$TOKEN\"" "$size: it asks for the PIN"
	typed $PIN
	keys Enter
	wait_for 'Sent: By the card' "$size: and it leaves"
	check "$size: signed by the card's" signed_by card
	rm -f "$LAB"/delivered*
	begin 'anna@example.org' 'By the database'
	keys C
	seen 'Sign it with'
	keys End
	until_true has '^> bob Lab'
	keys Enter # the old one stands last
	wait_for '^ SIGN on, but .*(expired|ran out|past its end)' "$size: one that ran out is said to have"
	keys y
	check "$size: and does not sign" until_true row_has $(($2 - 2)) "$2" 'past its end'
	check "$size: the message is kept" has 'Subject: By the database'
	choose_signer 'example.org>, database'
	wait_for '^ SIGN on +bob Lab, database' "$size: the database's is chosen"
	keys y
	wait_for 'Sent: By the database' "$size: without a PIN"
	check "$size: signed by the database's" signed_by bob
	keys q
	seen 'ended with 0'
}
session 80 24
session 120 40 NO_COLOR=1

# Several drafts at once.
compose_start 80 24 --
seen '^> *1 '
for subject in Red Green Blue; do
	writes "words of $subject\n"
	if [ $subject != Red ]; then
		keys m
		wait_for 'There (is a draft|are 2 drafts). Go on with' "$subject: m asks about those that wait"
		keys n
		seen '^To:'
		typed 'anna@example.org'
		keys Enter
		seen '^Subject:'
		typed "$subject"
		keys Enter
		seen "words of $subject"
	else
		begin 'anna@example.org' "$subject"
	fi
	keys P
	wait_for 'Kept as a draft' "$subject: kept"
done
keys R
wait_for 'draft .*anna@example.org +Blue' 'R lists the drafts'
check 'by their subjects, though they lie encrypted' has 'draft .* Red'
check 'nothing of which is readable on the disk' sh -c "! grep -rlE 'Subject: (Red|Blue)|words of' '$LAB/profile/data/drafts' '$LAB/profile/mail/.Drafts'"
check 'three of them' [ "$(screen | grep -c '^.* draft .*anna@example.org')" = 3 ]
keys End Enter
wait_for 'Compose' 'one is opened'
other=$(screen | sed -n 's/.*Subject: //p')
check 'with its own text' has "words of $other"
keys P
seen 'Kept as a draft'
keys R
seen '^> *draft '
if has "^> *draft .*$other"; then # those of one second stand in any order
	keys Down
	until_true has_not "^> *draft .*$other"
fi
keys Enter
seen 'Compose'
check 'then another' has_not "Subject: $other"
writes ', and more\n'
keys e
wait_for ', and more' 'it is edited on'
rm -f "$LAB"/delivered*
keys y
wait_for 'Sent: ' 'and sent'
check 'with both texts' grep -q 'and more' "$LAB"/delivered.*
keys R
wait_for '^> *draft ' 'the others wait'
check 'two of them' [ "$(screen | grep -c '^.* draft .*anna@example.org')" = 2 ]
keys D
wait_for 'Delete' 'D asks before it deletes one'
keys y
wait_for 'The draft is deleted' 'and does'
keys q
seen '^> *1 '
keys R
wait_for '^ SIGN' 'one alone is opened without a list'
keys q n
seen 'Dropped'

# Attachments.
writes 'Text.\n'
printf '%%PDF-1.4\n' >"$LAB/paper"
begin 'anna@example.org' 'Papers'
keys a
seen '^Attach file'
typed "$LAB/nothing-there"
keys Enter
wait_for 'nothing-there' 'a file that is not there is said'
check 'and nothing is attached' has_not '^ *Attached|^> *Attached'
keys a
seen '^Attach file'
typed "$LAB/tokens"
keys Enter
wait_for 'folder|directory|regular file' 'a folder is refused'
keys a
seen '^Attach file'
typed "$LAB/paper"
keys Enter
wait_for 'Attached paper, application/pdf' 'the type is found in the octets'
keys R
seen '^Name for the recipient'
keys C-u
typed 'Änderung 1.pdf'
keys Enter
wait_for 'Attached Änderung 1.pdf +application/pdf' 'R renames'
keys C-t
seen '^Type'
keys C-u
typed 'no type'
keys Enter
wait_for 'A type reads like' 'what is no type is refused'
keys C-t
seen '^Type'
keys C-u
typed 'application/x-paper'
keys Enter
wait_for 'Änderung 1.pdf +application/x-paper' '^T retypes'
keys d
seen '^Description'
typed 'the paper'
keys Enter
wait_for 'Änderung 1.pdf  the paper' 'd describes'
rm -f "$LAB"/delivered*
keys y
wait_for 'Sent: Papers' 'it is sent'
check 'with the name by RFC 2231' grep -q "filename\*=.*''%\(C3%84\|C4\)nderung" "$LAB"/delivered.*
check 'the type' grep -q '^Content-Type: application/x-paper' "$LAB"/delivered.*
check 'and the description' grep -q '^Content-Description: the paper' "$LAB"/delivered.*

# A hidden recipient gets a copy of her own; an archive reads all of it; a certificate that came with signed mail.
keys Home Enter
wait_for 'Here is my certificate' "Carol's signed mail is read"
keys q
seen '^> *1 '
begin 'anna@example.org' 'Hidden'
keys b
seen '^Bcc:'
typed 'carol@example.org'
keys Enter
wait_for '^ candidate +carol@example.org' 'her certificate is a candidate'
keys E
wait_for '^ ready +vault@example.org|^ ready .*\(archive\)' "the archive's row is in sight"
keys y
wait_for 'not accepted yet' 'the candidate is not used unasked'
keys A
wait_for 'Write to carol@example.org with this certificate' 'A shows it'
check 'with its fingerprint' has 'SHA-256 [0-9A-F]{4} '
keys y
wait_for 'Everybody can read it' 'and accepts it'
rm -f "$LAB"/delivered* "$LAB"/anna/mail/new/* "$LAB"/carol/mail/new/*
keys y
wait_for 'Sent: Hidden' 'it is sent'
check 'Anna once' [ "$(sent_to anna@example.org)" = 1 ]
check 'Carol once' [ "$(sent_to carol@example.org)" = 1 ]
check 'in two messages' [ "$(ls "$LAB"/delivered.* | wc -l)" = 2 ]
infos() { openssl cms -cmsout -print -noout -in "$1" | grep -c 'd.ktri'; }
readable() { openssl cms -decrypt -in "$1" -recip "$pki/$2.pem" -inkey "$pki/$2.key" -out /dev/null 2>/dev/null; }
for name in anna carol; do
	copy=$(ls "$LAB/$name"/mail/new/* | head -n 1)
	check "$name's is readable by her" readable "$copy" $name
	check "$name's by the archive too" readable "$copy" vault
	check "$name's names no Bcc" sh -c "! grep -qi '^Bcc:' '$copy'"
	check "$name's tells of three readers: her, the sender, the archive" [ "$(infos "$copy")" = 3 ]
done
check "Anna's is not Carol's" sh -c "! openssl cms -decrypt -in '$(ls "$LAB"/anna/mail/new/* | head -n 1)' -recip '$pki/carol.pem' -inkey '$pki/carol.key' -out /dev/null 2>/dev/null"

# Killed on the review screen: what was changed there is saved too.
begin 'anna@example.org' 'Before'
touch "$LAB/mark"
keys s
seen '^Subject:'
keys C-u
typed 'After'
keys Enter
seen 'Subject: After'
saved() { [ -n "$(find "$LAB/profile/data/drafts" -name '*.eml' -newer "$LAB/mark")" ]; }
check 'it is saved by itself' until_true saved
kill -9 "$(signet_pid)"
compose_start 80 24 --
wait_for 'was left unfinished: R goes on with it' 'the next start tells of it'
keys R
wait_for 'Subject: After' 'with what was changed last'
keys q n
seen 'Dropped'
keys q
seen 'ended with 0'

done_testing
