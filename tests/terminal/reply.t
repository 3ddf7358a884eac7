#!/bin/sh
# Answers, forwards, bounces: to whom, from whom, with what of the other's text.
. "$(dirname "$0")/compose-lib.sh"

make_pki bob anna carol
reader_profile anna
reader_profile carol
writer_profile <<-END
	undo-send = 0
END
known anna
known carol
cat >>"$LAB/profile/signet.conf" <<-END
	[account house]
	address = office@house.example
	name = The Office
	maildir = other
	sendmail = $LAB/sendmail -t -i
END
mkdir -p "$LAB/profile/other/cur" "$LAB/profile/other/new" "$LAB/profile/other/tmp"

# The editor leaves what it was given in $LAB/given, and adds a line.
printf 'cp "$1" "%s/given"; printf "my words\\n" >>"$1"\n' "$LAB" >"$LAB/edit"
given() { grep -qE -- "$1" "$LAB/given"; }
given_not() { ! grep -qE -- "$1" "$LAB/given"; }
drop() { # back to the list, the message thrown away
	keys q
	seen 'Keep this message'
	keys n
	seen 'Dropped'
}
only() { # only PATTERN SUBJECT: puts the cursor on that message
	keys l
	seen '^Show messages with'
	keys C-u
	typed "$1"
	keys Enter
	seen "^> .*$2"
}
headers() { # headers SUBJECT NUMBER FROM TO [FURTHER-LINE...]
	printf 'From: %s\nTo: %s\nSubject: %s\nDate: %s\nMessage-ID: <%s@x.example>\n' "$3" "$4" "$1" "$(date -uR)" "$2"
	shift 4
	for line in "$@"; do printf '%s\n' "$line"; done
	printf 'MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nThe text of it.\n'
}
list='List-Post: <mailto:talk@lists.example>'
headers 'Plain talk' 1 'Dora <dora@x.example>' 'Talk <talk@lists.example>' "$list" | deliver one 1
headers 'Followed talk' 2 'Dora <dora@x.example>' 'talk@lists.example' "$list" \
	'Mail-Followup-To: talk@lists.example, Emil <emil@x.example>, bob@example.org' | deliver two 2
headers 'To many' 3 'Dora <dora@x.example>' 'Bob Mwangi <BOB@example.org>, carol@example.org, dora@X.example' \
	'Cc: Carol <carol@example.org>, emil@x.example, bob@example.com' | deliver three 3
headers 'To the other' 4 'Dora <dora@x.example>' 'bob@example.com' | deliver four 4
headers 'No list' 5 'Dora <dora@x.example>' 'bob@example.org' | deliver five 5
{ # signed by Anna, with an attachment
	printf 'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nSigned words.\r\n--b\r\n'
	printf 'Content-Type: text/csv; name=t.csv\r\nContent-Disposition: attachment; filename=t.csv\r\n\r\na,b\r\n--b--\r\n'
} >"$LAB/inner"
{
	printf 'From: Anna Keller <anna@example.org>\nTo: bob@example.org\nSubject: Signed by Anna\nDate: %s\nMessage-ID: <6@x.example>\n' "$(date -uR)"
	openssl cms -sign -binary -in "$LAB/inner" -signer "$pki/anna.pem" -inkey "$pki/anna.key" 2>/dev/null
} | tr -d '\r' | sed 's/$/\r/' >"$LAB/signed"
deliver six 6 <"$LAB/signed"
encrypted() { # encrypted SUBJECT NUMBER FROM [SIGNER]
	printf 'Content-Type: text/plain; charset=utf-8\r\n\r\nThe combination is 4711.\r\n' >"$LAB/secret"
	if [ "$4" ]; then
		openssl cms -sign -binary -nodetach -in "$LAB/secret" -signer "$pki/$4.pem" -inkey "$pki/$4.key" -out "$LAB/signed.part" 2>/dev/null
		grep -v '^MIME-Version:' "$LAB/signed.part" >"$LAB/secret"
	fi
	printf 'From: %s\nTo: bob@example.org\nCc: carol@example.org\nSubject: %s\nDate: %s\nMessage-ID: <%s@x.example>\nMIME-Version: 1.0\n' \
		"$3" "$1" "$(date -uR)" "$2"
	openssl cms -encrypt -binary -aes-256-cbc -in "$LAB/secret" "$pki/bob.pem" 2>/dev/null | grep -v '^MIME-Version:'
}
encrypted 'Nobody signed' 7 'Mallory <mallory@evil.example>' | deliver seven 7
encrypted 'Anna signed' 8 'Anna Keller <anna@example.org>' anna | deliver eight 8
encrypted 'Another signed' 9 'Mallory <mallory@evil.example>' anna | deliver nine 9

compose_start 80 24 --
wait_for '^> .*Another signed' 'the messages are there'

# The list.
only '~s "Plain talk"' 'Plain talk'
keys L
wait_for '^ +To: talk@lists.example' 'L answers to the list'
check 'and to nobody else' has_not 'dora@'
check 'the subject is answered' has 'Subject: Re: Plain talk'
check 'the text is quoted' given '^> The text of it'
check 'the thread is kept' given '^In-Reply-To: <1@x.example>'
keys y
wait_for 'Sent: Re: Plain talk' 'it is sent'
check 'to the list' [ "$(sent_to talk@lists.example)" = 1 ]
check 'with References' grep -q '^References: <1@x.example>' "$LAB"/delivered.*
only '~s "Followed talk"' 'Followed talk'
keys g
wait_for '^ +To: talk@lists.example, Emil <emil@x.example>' 'g goes where Mail-Followup-To says, without oneself'
check 'and nowhere else' has 'Cc: *$'
drop
only '~s "No list"' 'No list'
keys L
wait_for 'names no mailing list' 'without a list, L says so'

# Everybody, each once.
only '~s "To many"' 'To many'
keys g
wait_for '^ +To: Dora <dora@x.example>' 'g answers to the sender'
check 'and to all others, each once, without oneself' has '^ +Cc: carol@example.org, emil@x.example$'
check 'from the address that it came to' has '^> *From: Bob Mwangi <bob@example.org>'
drop
only '~s "To the other"' 'To the other'
keys r
wait_for '^> *From: Bob Mwangi <bob@example.com>' 'an answer is from the address that it came to'
drop

# A sender is chosen.
keys r
seen '^> *From:'
keys Enter
wait_for 'Send it from' 'Enter on From shows the addresses'
check 'of the account' has 'Bob Mwangi <bob@example.org> +work'
check 'its others' has 'Bob Mwangi <bob@example.com> +work'
check 'and those of other accounts' has 'The Office <office@house.example> +house'
keys End Up Enter
wait_for '^> *From: The Office <office@house.example>' 'Enter chooses one'
check 'its account sends it' has '^.. ?house '
keys S
wait_for 'SIGN on, but ' 'no certificate is for that address'
keys S
keys f
wait_for 'Send it from' 'f chooses too'
keys End Enter
seen '^From:'
keys C-u
typed 'Bobby <bob@example.org>'
keys Enter
wait_for '^> *From: Bobby <bob@example.org>' 'or it is typed'
drop

# Forward: first to whom, then how.
only '~s "Signed by"' 'Signed by Anna'
keys f
wait_for '^To:' 'f asks to whom'
typed 'carol@example.org'
keys Enter
wait_for 'Forward as attachment' 'then how'
keys n
wait_for 'Subject: Fwd: Signed by Anna' 'inline'
check 'to whom was said' has '^ +To: carol@example.org'
check 'with its header' given '^From: Anna Keller <anna@example.org>$'
check 'its text' given '^Signed words'
check 'and its attachment' has 'Attached t.csv +text/csv'
keys y
seen 'Sent: Fwd: Signed'
wait_for '^> .*Signed by Anna' 'the list is back'
rm -f "$LAB"/delivered*
keys f
seen '^To:'
typed 'caro'
completes() { # that it was sent is said before the address is written down
	has '^To: .*carol@example.org' || { keys Tab; has '^To: .*carol@example.org'; }
}
check 'Tab completes whom it was sent to before' until_true completes
keys Enter
seen 'Forward as'
keys y
wait_for 'Attached Signed by Anna.eml +message/rfc822' 'as attachment'
check 'without its text' given_not 'Signed words'
keys y
seen 'Sent: Fwd: Signed'
tr -d '\r' <"$LAB/signed" >"$LAB/was"
whole_in() { # whole_in FILE FILE: the lines of the first, in a row, are in the second
	python3 -c 'import sys; a, b = (open(f, "rb").read() for f in sys.argv[1:]); sys.exit(a.strip() not in b.replace(b"\r", b""))' "$1" "$2"
}
check 'octet for octet' whole_in "$LAB/was" "$(ls "$LAB"/delivered.*)"
keys f
seen '^To:'
keys Escape
wait_gone '^To:' 'Esc forwards nothing'

# Bounce: as it is, under a Resent header; the signature holds where it arrives.
rm -f "$LAB"/delivered* "$LAB"/carol/mail/new/*
keys b
wait_for '^Bounce to' 'b asks to whom'
typed 'carol@example.org'
keys Enter
wait_for 'Bounce this message to carol@example.org' 'and whether really'
keys y
wait_for 'Bounced to carol@example.org|^Sent: Signed by Anna' 'it is said'
until_true [ -e "$LAB/delivered" ]
in_her_box() { [ -n "$(ls "$LAB/carol/mail/new")" ]; }
check 'delivered to Carol' until_true in_her_box
check 'and to nobody else' [ "$(wc -l <"$LAB/delivered")" = 1 ]
until_true sh -c "ls '$LAB'/delivered.* >/dev/null 2>&1"
tr -d '\r' <"$(ls "$LAB"/delivered.*)" >"$LAB/out"
check 'Resent-From' grep -q '^Resent-From: Bob Mwangi <bob@example.org>$' "$LAB/out"
check 'Resent-To' grep -q '^Resent-To: carol@example.org$' "$LAB/out"
check 'Resent-Date' grep -q '^Resent-Date: ' "$LAB/out"
check 'Resent-Message-ID' grep -q '^Resent-Message-ID: <' "$LAB/out"
check 'what is below them is as it was' sh -c "grep -v '^Resent-' '$LAB/out' | cmp - '$LAB/was'"
at_carol=INBOX/$("$SIGNET" --profile "$LAB/carol" list --json INBOX | sed -n 's/.*"uid":\([0-9]*\).*/\1/p' | head -n 1)
"$SIGNET" --profile "$LAB/carol" --json verify "$at_carol" >"$LAB/verdict"
check "Anna's signature is good at Carol's" grep -q '"indicator":"good"' "$LAB/verdict"
keys b
seen '^Bounce to'
typed 'no-address'
keys Enter
seen 'Bounce this'
keys y
wait_for 'To: .*no-address' 'what is no address is refused'
check 'and nothing leaves' [ "$(wc -l <"$LAB/delivered")" = 1 ]

# Edited as new.
only '~s "To many"' 'To many'
keys e
wait_for 'Subject: To many' 'e begins a new message with all of it'
check 'its recipients' has '^ +Cc: Carol <carol@example.org>, emil@x.example'
check 'its text, not quoted' given '^The text of it'
check 'and no thread' given_not '^In-Reply-To'
drop

# Encrypted mail: quoted to who is shown to have written it; else it is asked.
only '~s "Anna signed"' 'Anna signed'
keys r
wait_for '^ ENCRYPT on' 'the signer of an encrypted mail is answered without a question'
check 'with the quote' given '^> The combination is 4711'
drop
doubted() { # doubted SUBJECT WHY
	only "~s '$1'" "$1"
	rm -f "$LAB/given"
	keys r
	wait_for 'Quote what was decrypted' "$1: it is asked"
	check "$1: and said who would read it" has 'It would go to mallory@evil.example\.'
	check "$1: and why" has "$2"
	keys Enter
	wait_for '^ ENCRYPT on' "$1: Enter is no"
	check "$1: nothing of it is quoted" given_not '4711|wrote:'
	check "$1: nor on the screen" has_not 4711
	drop
	keys r
	seen 'Quote what was'
	keys Escape
	wait_gone 'Quote what was' "$1: Esc answers nothing"
	keys g
	wait_for 'It would go to mallory@evil.example, carol@example.org\.' "$1: g names all"
	keys y
	wait_for '^ ENCRYPT on' "$1: y quotes"
	check "$1: it is there" given '^> The combination is 4711'
	drop
	keys e
	wait_for '^ ENCRYPT on' "$1: edited as new"
	check "$1: it names nobody" given '^To: *$'
	check "$1: nobody at all" given_not 'mallory|carol'
	drop
}
doubted 'Nobody signed' 'not signed: nothing shows'
doubted 'Another signed' 'signed by somebody else'
keys q
seen 'ended with 0'

# A template.
printf 'To: anna@example.org\nSubject: Weekly report\nReply-To: office@house.example\nX-Report: weekly\n\nThis week:\n' >"$LAB/report"
compose_start 80 24 -- compose --template "$LAB/report" -c carol@example.org
wait_for 'Subject: Weekly report' 'a template fills the message'
check 'its text' given '^This week:'
check 'the options beside it' has 'Cc: carol@example.org'
check 'Reply-To is in sight' has 'Reply-To: office@house.example'
rm -f "$LAB"/delivered*
keys y
wait_for 'ended with 0' 'it is sent'
check 'with its own header line' grep -q '^X-Report: weekly' "$LAB"/delivered.*

done_testing
