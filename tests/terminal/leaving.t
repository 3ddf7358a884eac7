#!/bin/sh
# What leaves by way of the outbox, on the screen: the mark on the answered mail whoever sends the answer, a partial
# refusal, what may have been sent, the delay. Against a submission server that stops where it is told to.
. "$(dirname "$0")/compose-lib.sh"
wait_until() {
	PATIENCE=$1
	shift
	until_true "$@"
	wait_result=$?
	PATIENCE=30
	return $wait_result
}
. tests/lab/smtp-lab.sh
trap 'smtp_end; finish' EXIT
make_pki bob
smtp_lab "$LAB/smtp"

profile() { # profile UNDO
	writer_profile <<-END
		undo-send = $1
	END
	sed -i "s|^sendmail = .*|smtp = smtps://anna@127.0.0.1:$smtp_port|" "$LAB/profile/signet.conf"
	"$SIGNET" --profile "$LAB/profile" cert import "$LAB/smtp/ca.pem" --tls >/dev/null
	: >"$LAB/smtp/accepted"
	smtp_stop ""
	plain 'A question' 1 'Where is it?' | deliver one 1
	plain 'A report' 2 'It is here.' | deliver two 2
}
opens() { # opens COLUMNS ROWS [VARIABLE=VALUE...]
	c=$1 r=$2
	shift 2
	compose_start "$c" "$r" SIGNET_PASSWORD=secret-anna "$@" --
	seen '^> *[0-9]'
}
outbox() { SIGNET_PASSWORD=secret-anna "$SIGNET" --profile "$LAB/profile" "$@" outbox ${verb:-list}; }
flush() { SIGNET_PASSWORD=secret-anna "$SIGNET" --profile "$LAB/profile" outbox flush --now; }
marked() { ls "$LAB/profile/mail/cur" | grep "$1" | grep -q ":2,[A-Z]*$2"; } # marked NAME LETTER
unmarked() { ! marked "$@"; }
on() { # on SUBJECT: the cursor
	keys /
	seen '^Search'
	typed "$1"
	keys Enter
	seen "^> .*$1"
}
answer() { # answer: to 'A question', into the outbox
	on 'A question'
	keys r
	seen '^ SIGN'
	keys y
}
is_one() { [ "$(smtp_count "$1")" = 1 ]; }

# Sent by another signet than the one that wrote it.
profile 60
opens 80 24
answer
wait_for 'Queued: ".*A question" leaves in [0-9]+ s. Ctrl-U' 'a delay is counted down'
keys q
seen 'has not left yet'
keys n
wait_for 'ended with 0' 'it may be left to a later run'
check 'it is in the outbox' sh -c "'$SIGNET' --profile '$LAB/profile' outbox list | grep -q 'queued .*A question'"
check 'the question is not marked yet' unmarked one.host R
flush >/dev/null
check 'flush sends it' is_one 'Re: A question'
check 'and marks the question' marked one.host R
check 'nothing is left' [ -z "$(outbox)" ]

# Killed after the answer was sent, before the mark was set: the next run sets it, and sends nothing.
profile 0
opens 80 24 SIGNET_TEST_DIE=outbox-mark-1
answer
wait_for 'ended with 137' 'killed between sending and marking'
check 'it was sent' is_one 'Re: A question'
opens 120 40
until_true marked one.host R
check 'the next run has the question marked' marked one.host R
wait_for '^>? *.* r +.*A question|r .*A question' 'and shows it'
check 'nothing was sent again' is_one 'Re: A question'
until_true sh -c "[ -z \"\$('$SIGNET' --profile '$LAB/profile' outbox list)\" ]"
check 'the outbox is empty' [ -z "$(outbox)" ]

# A draft keeps what it answers.
profile 0
opens 80 24
on 'A question'
keys r
seen '^ SIGN'
keys q
seen 'Keep this message as a draft'
keys y
seen 'Kept'
keys q
wait_for 'ended with 0' 'an answer is left as a draft'
opens 80 24
keys R
wait_for '^ SIGN' 'recalled by the next run'
keys y
wait_for 'Sent: ' 'and sent'
until_true marked one.host R
check 'marks the question' marked one.host R
check 'once' is_one 'Re: A question'

# Forwarded
on 'A report'
keys f
seen '^(Forward to|To):?'
typed 'dora@example.org'
keys Enter
seen 'Forward as attachment'
keys y
wait_for 'To: dora@example.org' 'a forward'
keys y
seen 'Sent: '
until_true marked two.host P
check 'is marked as forwarded' marked two.host P

# One of three is refused: who got it is told, and the others are not written to again.
profile 0
opens 80 24
begin 'bob@example.org, refuse@example.org, carol@example.org' 'Three'
keys y
wait_for '"Three" was sent to 2 of 3; REFUSED: refuse@example.org' 'who was refused is told'
keys B
wait_for '^> SENT TO SOME .*Three' 'the outbox does not say that it was not sent'
wait_for 'sent to 2 of 3; REFUSED: refuse@example.org' 'but who has it'
check 'in the words of the server' has 'no such user'
check 'never NOT SENT' has_not 'NOT SENT'
keys Enter
wait_for 'REFUSED +refuse@example.org: 550 5.1.1 no such user' 'Enter shows each'
check 'those who have it' has 'sent +carol@example.org'
keys q
seen 'SENT TO SOME'
check 'JSON says so too' sh -c "'$SIGNET' --profile '$LAB/profile' --json outbox list | grep -q '\"state\":\"partial\".*\"outcome\":\"sent to 2 of 3; REFUSED: refuse@example.org (550 5.1.1 no such user).\"'"
keys D
wait_for '^ ALREADY SENT to bob@example.org, carol@example.org' 'taking it back says who has it'
wait_for 'To: refuse@example.org *$' 'and names only who has not'
keys t
seen 'To:'
keys C-u
typed 'later2@example.net'
keys Enter
seen 'To: later2@example.net'
check 'the note stays' has '^ ALREADY SENT to bob'
keys q
seen 'Keep this message as a draft'
keys n
wait_for 'Nothing is on its way' 'the outbox is empty'
keys q
seen '^> *[0-9]'

# The server has all of it and does not answer.
smtp_stop kept
begin 'bob@example.org' 'Perhaps'
keys y
wait_for '"Perhaps" MAY HAVE BEEN SENT' 'no answer to the dot is told'
keys B
wait_for '^> UNSURE .*Perhaps' 'the outbox says so'
wait_for 'It may have arrived. r sends it again, perhaps twice' 'with the choices'
smtp_stop ""
keys q
seen '^> *[0-9]'
keys q
wait_for 'ended with 0' 'signet ends, and does not speak of sending it'
opens 80 24
wait_for 'message MAY HAVE BEEN SENT when signet ended last' 'the next run tells at its start'
flush >/dev/null 2>&1
check 'no flush sends it again' is_one Perhaps
keys B
wait_for '^> UNSURE .*Perhaps' 'it waits for a word'
keys r
wait_for 'arrived already: they would get it twice' 'sending again asks'
keys n
wait_for '^> UNSURE .*Perhaps' 'no leaves it'
check 'and sends nothing' is_one Perhaps
keys D
wait_for '^ MAY HAVE ARRIVED already' 'taken back: the review screen says so'
check 'with its recipient' has 'To: bob@example.org'
keys q
seen 'Keep this message as a draft'
keys n
seen 'Nothing is on its way'
keys q
seen '^> *[0-9]'
smtp_stop dot
begin 'bob@example.org' 'Again'
keys y
seen 'MAY HAVE BEEN SENT'
smtp_stop ""
keys B
seen '^> UNSURE .*Again'
keys r
seen 'they would get it twice'
keys y
wait_for 'Sent: Again' 'yes sends it'
wait_for 'Nothing is on its way' 'and it is gone from the outbox'
check 'once, as the server knows' is_one Again

# Cancelled by another process while the screen counts down.
keys q
seen '^> *[0-9]'
keys q
seen 'ended with 0'
profile 60
opens 120 40
begin 'bob@example.org' 'Hold it'
keys y
wait_for 'Queued: "Hold it" leaves in [0-9]+ s' 'counted down at 120x40'
id=$("$SIGNET" --profile "$LAB/profile" outbox list | sed -n 's/^\([0-9a-v]*\) .*Hold it/\1/p')
"$SIGNET" --profile "$LAB/profile" outbox cancel "$id"
check 'outbox cancel takes it away' [ -z "$(outbox)" ]
keys C-u
wait_for 'There is no .* in the outbox' 'Ctrl-U says that it is gone'
check 'nothing was sent' [ "$(smtp_count 'Hold it')" = 0 ]
done_testing
