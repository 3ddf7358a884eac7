#!/bin/sh
# Writing mail on the screen: the full round at two sizes, and what happens where something goes wrong on the way.
. "$(dirname "$0")/compose-lib.sh"

make_pki bob anna
reader_profile anna

fill() {
	writer_profile <<-END
		undo-send = ${1:-1}
	END
	known anna
	plain 'An old letter' 1 'Hello Bob,\nhow are you?' | deliver one 1
	printf 'Content-Type: text/plain; charset=utf-8\r\n\r\nThe combination is 4711.\r\n' >"$LAB/secret"
	{
		letter 'A secret' 2
		openssl cms -encrypt -aes-256-cbc -in "$LAB/secret" "$pki/bob.pem" 2>/dev/null | grep -v '^MIME-Version:'
	} | deliver two 2
	rm -f "$LAB"/anna/mail/new/* "$LAB"/anna/mail/cur/*
	printf 'a,b\n1,2\n' >"$LAB/figures.csv"
	printf 'Annabel Lee <annabel@house.example>\nalias theteam The Team <team@house.example>\n' >"$LAB/addresses"
	printf '[ui]\naddress-book = %s/addresses\n' "$LAB" >>"$LAB/profile/signet.conf"
}

# Compose, attach, switches, a recipient without certificate removed, sent, read at both ends.
full_round() { # full_round COLUMNS ROWS
	size="$1x$2"
	fill
	compose_start "$1" "$2" --
	wait_for 'INBOX  2 messages' "$size: opens"
	begin 'anna@example.org, Carol <carol@example.org>' 'Figures'
	wait_for '^ none .*carol@example.org' "$size: Carol has no certificate"
	check "$size: Anna has" has '^ ready .*anna@example.org.*RSA 2048'
	check "$size: both switches are in sight, off" row_has 1 2 '^ SIGN off .* S *$'
	check "$size: and the other" row_has 2 2 '^ ENCRYPT off .* E *$'
	check "$size: the text is shown" has 'this is a letter'
	keys S
	wait_for '^ SIGN on .*bob Lab, database, RSA 2048' "$size: S signs, and says with what"
	keys E
	wait_for '^ ENCRYPT on, but 1 of 2 recipients has no accepted certificate' "$size: E encrypts, and says who cannot read it"
	check "$size: SIGN is on still" row_has 1 1 '^ SIGN on'
	check "$size: one's own row is there" has '^ ready .*bob@example.org \(yourself\)'
	keys a
	seen '^Attach file:'
	typed "$LAB/fig"
	keys Tab
	wait_for 'figures.csv' "$size: Tab completes a file name"
	keys Enter
	wait_for 'Attached figures.csv, text/' "$size: the attachment's type is found"
	keys y
	wait_for '^> *carol@example.org .*no certificate' "$size: y shows who has no certificate"
	keys D
	wait_for 'Everybody can read it' "$size: D removes the recipient"
	check "$size: and nobody else" has '^ ready .*anna@example.org'
	keys y
	wait_for '^ *INBOX  2 messages' "$size: y sends"
	wait_for 'Sent: Figures' "$size: it is said when it has left"
	check "$size: delivered to Anna, once" [ "$(sent_to anna@example.org)" = 1 ]
	check "$size: not to Carol" [ "$(sent_to carol@example.org)" = 0 ]
	check "$size: nothing readable went out" sh -c "! grep -l 'this is a letter\|Figures' '$LAB'/delivered.*"
	at_anna=INBOX/$("$SIGNET" --profile "$LAB/anna" list --json INBOX | sed -n 's/.*"uid":\([0-9]*\).*/\1/p' | head -n 1)
	"$SIGNET" --profile "$LAB/anna" --json verify "$at_anna" >"$LAB/verdict"
	check "$size: Anna reads it as good" grep -q '"indicator":"good"' "$LAB/verdict"
	check "$size: decrypted" grep -q '"encryption":"decrypted"' "$LAB/verdict"
	check "$size: with its subject" grep -q '"subject":"Figures"' "$LAB/verdict"
	check "$size: and its text" grep -q 'this is a letter' "$LAB/verdict"
	check "$size: and its attachment" grep -q '"figures.csv"' "$LAB/verdict"
	keys c
	seen '^Change to folder'
	typed Sent
	keys Enter
	wait_for 'Sent  1 message' "$size: the Sent folder has a copy"
	keys Enter
	wait_for 'locked|ENCRYPTED' "$size: it is encrypted"
	keys D
	wait_for 'this is a letter' "$size: and we can read it"
	check "$size: signed by us" has 'SIGNED BY bob@example.org|Signed by bob@example.org'
	keys q
	seen 'Sent  1'
	keys q
	seen 'ended with 0'
}
full_round 80 24
full_round 120 40

# Replies.
fill
compose_start 80 24 --
seen 'INBOX  2 messages'
keys End Enter
seen 'A secret|ENCRYPTED'
keys D
seen 'combination'
keys r
wait_for 'It would go to anna@example.org' 'nothing shows that its sender wrote it: it is asked'
keys y
wait_for '^ ENCRYPT on' 'the reply to an encrypted mail is encrypted'
check 'it quotes the mail' has '^ > *The combination is 4711'
check 'and goes to its sender' has 'To: .*anna@example.org'
keys E
wait_for 'Type plain to send it unencrypted' 'turning that off is a typed word'
typed 'yes'
keys Enter
wait_for '^ ENCRYPT on' 'another word does not do it'
keys E
seen 'Type plain'
typed 'plain'
keys Enter
wait_for '^ ENCRYPT off .*what it answers was encrypted' 'the word plain does, and the row warns'
keys E
seen '^ ENCRYPT on'
keys y
seen 'Sent: '
check 'it was sent encrypted' sh -c "grep -q 'enveloped-data' '$LAB'/delivered.*"
keys q
wait_for '^> .*r.* A secret' 'the answered mail is marked'

# Undo.
fill 60
compose_start 80 24 --
seen 'INBOX  2 messages'
begin 'anna@example.org' 'Too early'
keys y
wait_for 'Queued: "Too early" leaves in [0-9]+ s' 'the status line counts down'
keys C-u
wait_for 'Taken back' 'Ctrl-U takes it back'
check 'into the review screen' has 'Subject: Too early'
check 'with its text' has 'this is a letter'
check 'nothing was sent' [ ! -e "$LAB/delivered" ]
keys y
seen 'leaves in'
keys q
wait_for 'has not left yet. Send it now' 'quitting asks about it'
keys y
wait_for 'ended with 0' 'and ends once it was sent'
check 'then it was' [ "$(sent_to anna@example.org)" = 1 ]

# Of two messages one cannot be taken back: it is not addressed again, and that is said.
fill 60
rm -f "$LAB"/delivered*
mkfifo "$LAB/hold"
compose_start 80 24 --
seen 'INBOX  2 messages'
begin 'anna@example.org, carol@example.org' 'In two'
keys E
seen 'ENCRYPT on, but'
keys y
seen 'Cannot be encrypted to 1 of 2'
keys 2
seen 'Two messages: encrypted to 1'
typed 'plain'
keys Enter
seen 'leaves in [0-9]+ s'
for entry in "$LAB"/profile/data/outbox/*.entry; do :; done
(
	flock -x 9
	touch "$LAB/held"
	read -r line <"$LAB/hold"
) 9<"$entry" &
until_true [ -e "$LAB/held" ]
keys C-u
wait_for 'For (anna|carol)@example.org it is still in the outbox' 'one of two is on its way: that is said'
check 'the other alone is addressed again' sh -c "terminal_to='$(screen | sed -n 's/.*To: //p' | head -n 1)'; case \$terminal_to in *anna*carol* | *carol*anna*) exit 1 ;; *anna* | *carol*) exit 0 ;; *) exit 1 ;; esac"
echo >"$LAB/hold"
wait
keys q
seen 'Keep this message'
keys n
seen 'Dropped'
keys q
wait_for 'ended with 0' 'and the program ends'
check 'one is in the outbox' [ "$(ls "$LAB"/profile/data/outbox/*.entry | wc -l)" = 1 ]

# Taken back by a run that cannot read it any more: it is put among the drafts as it is.
fill 60
compose_start 80 24 --
seen 'INBOX  2 messages'
begin 'anna@example.org' 'Locked in'
keys E
seen '^ ENCRYPT on'
keys y
seen 'leaves in [0-9]+ s'
keys q
seen 'has not left yet. Send it now'
keys n
seen 'ended with 0'
rm -f "$LAB"/profile/nssdb/*
certutil -N -d "sql:$LAB/profile/nssdb" --empty-password
compose_start 120 40 --
seen 'INBOX  2 messages'
keys B
seen '^> waits .*anna@example.org'
keys D
wait_for 'It was taken back, and lies in (.*/taken-back-|Drafts:)' 'what cannot be opened is said to be kept'
in_drafts() { grep -ls 'enveloped-data' "$LAB"/profile/mail/.Drafts/*/* >/dev/null; }
check 'it is in the Drafts folder' until_true in_drafts
wait_for 'It was taken back, and lies in Drafts' 'which is said once it is true'
check 'and nowhere else' until_true sh -c "! ls '$LAB'/profile/data/taken-back-* 2>/dev/null"
keys q q
seen 'ended with 0'

# What is refused stays, and can be edited again.
fill 0
touch "$LAB/refuse"
compose_start 80 24 --
seen 'INBOX  2 messages'
begin 'anna@example.org' 'Later'
keys y
wait_for '"Later" is not sent yet, it is tried again' 'a failure is told'
keys '!'
wait_for 'the line is' 'in the words of the other side'
keys q
seen '"Later"|INBOX'
keys B
wait_for '^> tried again .*anna@example.org .*Later' 'the outbox shows it'
keys Enter
wait_for 'due +anna@example.org' 'Enter shows the recipients'
keys q
rm -f "$LAB/refuse"
keys r
wait_for 'Sent: Later' 'r sends it now'
wait_for 'Nothing is on its way' 'and the outbox is empty'
check 'it arrived' [ "$(sent_to anna@example.org)" = 1 ]

# Questions before it leaves.
keys q
seen 'INBOX'
writes 'See the attached file.\n'
begin 'anna@example.org' ''
keys y
wait_for 'There is no subject' 'no subject is asked about'
keys y
wait_for 'You wrote "attached", but nothing is attached' 'a missing attachment is asked about'
keys n
wait_for '^ SIGN' 'and one may go back'
keys q
wait_for 'Keep this message as a draft' 'leaving asks'
keys n
wait_for 'Dropped' 'and drops'
printf ':\n' >"$LAB/edit"
keys m
seen '^To:'
typed 'anna@example.org'
keys Enter
seen '^Subject:'
typed 'Nothing'
keys Enter
wait_for 'Nothing was written' 'an untouched text is asked about'
keys n
wait_for 'Dropped' 'and dropped'

# Addresses are completed from mail that was sent, and from a file; those written to most come first.
keys m
seen '^To:'
typed 'ann'
keys Tab
wait_for '^To: .*(annabel@house.example|anna@example.org)' 'Tab completes an address'
first=$(screen | sed -n 's/^To: //p')
other() { has '^To: .*(annabel@house.example|anna@example.org)' && [ "$(screen | sed -n 's/^To: //p')" != "$first" ]; }
keys Tab
check 'Tab again goes to the next: one out of the file, one who was written to' until_true other
keys C-u
typed 'annab'
keys Tab
wait_for '^To: Annabel Lee <annabel@house.example>' 'with the name in the file'
keys C-u
typed 'dora@x.example, the tea'
keys Tab
wait_for '^To: dora@x.example, .*team@house.example' 'an alias of the file is known, after a comma too'
keys Escape
seen '^ Enter read'

# Recipients without a certificate: apart, in clear, a file.
writes 'Hello,\n\nthis is a letter.\n'
rm -f "$LAB"/delivered*
begin 'anna@example.org, carol@example.org' 'Apart'
keys E
seen 'ENCRYPT on, but'
keys y
seen 'Cannot be encrypted to 1 of 2'
keys 2
wait_for 'Two messages: encrypted to 1, in clear to 1' 'sending apart says what it does'
typed 'plain'
keys Enter
seen 'Sent: Apart'
until_true sh -c "[ \"\$(grep -cx carol@example.org '$LAB/delivered')\" = 1 ]"
check 'Carol got it once' [ "$(sent_to carol@example.org)" = 1 ]
check 'Anna got it once' [ "$(sent_to anna@example.org)" = 1 ]
check 'one of the two is encrypted, the other is not' sh -c "[ \$(grep -l enveloped-data '$LAB'/delivered.* | wc -l) = 1 ] && [ \$(grep -l 'this is a letter' '$LAB'/delivered.* | wc -l) = 1 ]"
rm -f "$LAB"/delivered*
begin 'anna@example.org, carol@example.org' 'In clear'
keys E
seen 'ENCRYPT on, but'
keys y
seen 'Cannot be encrypted to 1 of 2'
keys p
wait_for 'Type plain to send it in clear' 'p asks for a typed word'
typed 'yes'
keys Enter
wait_for 'Nothing was sent: only the word plain' 'another word sends nothing'
check 'indeed' [ ! -e "$LAB/delivered" ]
keys p
seen 'Type plain'
typed 'plain'
keys Enter
wait_for 'Sent: In clear' 'the word plain sends it'
check 'to both, in clear' grep -q 'this is a letter' "$LAB"/delivered.*
person carol >/dev/null 2>&1
begin 'carol@example.org' 'From a file'
keys E
seen 'ENCRYPT on, but'
keys y
seen 'Cannot be encrypted'
keys i
seen 'Certificate file of carol'
typed "$pki/carol.pem"
keys Enter
wait_for 'Write to carol@example.org with this certificate' 'a certificate from a file is shown'
check 'with its fingerprint' has 'SHA-256 [0-9A-F]{4} '
keys y
wait_for 'Everybody can read it' 'and accepted'
keys y
seen 'Sent: From a file'
wait_for '^> ' 'the list is back'
keys m
seen '^To:'
typed 'ann'
keys Tab
wait_for '^To: .*anna@example.org' 'who was written to more often comes first now'
keys Escape

done_testing
