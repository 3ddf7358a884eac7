#!/bin/sh
# Nothing is lost, and nothing is sent twice without telling: signet killed at every commit point of the outbox, and a
# server that hangs up at every step, each followed by `signet outbox flush`.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
. tests/lab/smtp-lab.sh
trap 'smtp_end; tap_cleanup' EXIT
smtp_lab "$tmp/lab"
export SIGNET_PASSWORD=secret-anna
p=$tmp/p
mkdir -p "$p/Mail/cur" "$p/Mail/new" "$p/Mail/tmp"
conf() { printf '[account work]\naddress = anna@example.org\nmaildir = Mail\nsmtp = %s://anna@127.0.0.1:%s\n' "$1" "$smtp_port" >"$p/signet.conf"; }
conf smtps
s="$signet --profile $p"
exits 0 "the server's authority is trusted" $s cert import "$tmp/lab/ca.pem" --tls
exits 0 "account check looks at sending too" $s account check
like "$out" 'smtp login +OK +anna by PLAIN' "by its login"

state() { $s outbox list --json | sed -n "s/.*\"state\":\"\([a-z]*\)\",\"message_id.*\"subject\":\"$1\".*/\1/p"; }
id_of() { $s outbox list --json | sed -n "s/.*\"id\":\"\([0-9a-v]*\)\".*\"subject\":\"$1\".*/\1/p"; }
copies() { grep -l "^Subject: $1\$" "$p"/Mail/.Sent/cur/* 2>/dev/null | wc -l | tr -d ' '; }
send() { echo text | $s send -s "$1" bob@example.org carol@example.org; }
# More than any socket keeps: that the server hung up in the middle is noticed before the dot.
head -c 6000000 /dev/zero | tr '\0' x | fold -w 70 >"$tmp/long"
send_long() { $s send -s "$1" bob@example.org carol@example.org <"$tmp/long"; }

lost=0 twice=0 doubled=0
# What is there after a crash and a flush: sent once, or kept; sent and kept only where it says so.
judge() { # judge SUBJECT QUEUED: 1 where the message was safely in the outbox before the end
	n=$(smtp_count "$1") now=$(state "$1")
	[ "$n" -gt 0 ] || [ -n "$now" ] || [ "$2" = 0 ] || lost=$((lost + 1))
	[ "$n" -le 1 ] || twice=$((twice + 1))
	[ "$n" = 0 ] || [ -z "$now" ] || [ "$now" = unsure ] || twice=$((twice + 1))
	[ "$(copies "$1")" -le 1 ] || doubled=$((doubled + 1))
}

for point in add-1 add-2 add-3 add-4 add-5 add-6 dot-1 record-1 record-2 record-3 dot-2 sent-1 sent-2 sent-3 copy-1 copy-2 copy-3; do
	subject="kill-$point"
	(export SIGNET_TEST_DIE=outbox-$point; send "$subject") >"$tmp/out" 2>"$tmp/err"
	is $? 137 "killed at $point"
	queued=1
	case $point in add-[1-5]) queued=0 ;; esac
	before=$(state "$subject")
	exits_any=$($s outbox flush --now 2>&1)
	judge "$subject" $queued
	case $point in
	add-[1-4])
		is "$(smtp_count "$subject")/$before" "0/" "$point: nothing was queued, nothing half is there" ;;
	add-[56] | dot-1 | record-1 | copy-* | sent-3)
		is "$(smtp_count "$subject")/$(state "$subject")/$(copies "$subject")" "1//1" "$point: sent once, with its copy" ;;
	*)
		is "$(state "$subject")" unsure "$point: it may have been sent, and that is told"
		like "$exits_any" 'may have been sent' "in words"
		before=$(smtp_count "$subject")
		$s outbox flush --now >/dev/null 2>&1
		is "$(smtp_count "$subject")" "$before" "$point: not sent again by itself"
		exits 0 "until somebody says so" $s outbox flush "$(id_of "$subject")"
		is "$(smtp_count "$subject")/$(copies "$subject")" "$((before + 1))/1" "then it is" ;;
	esac
done
for point in cancel-1 cancel-2; do
	echo text | $s send --queue -s "take-$point" bob@example.org
	(export SIGNET_TEST_DIE=outbox-$point; $s outbox cancel "$(id_of "take-$point")") 2>/dev/null
	is $? 137 "killed at $point"
	[ $point = cancel-1 ] && want=queued || want=
	is "$(state "take-$point")" "$want" "$point: there, or gone"
	[ -z "$want" ] || $s outbox cancel "$(id_of "take-$point")"
done

steps="connect banner ehlo auth mail rcpt1 rcpt2 data body"
for mode in tls starttls; do
	if [ $mode = starttls ]; then
		smtp_lab "$tmp/lab" --starttls
		conf smtp
		steps="connect banner ehlo starttls auth mail rcpt1 rcpt2 data body"
	fi
	for step in $steps; do
		subject="stop-$mode-$step"
		smtp_stop $step
		[ $step = body ] && long=_long || long=
		send$long "$subject" 2>"$tmp/err"
		is $? 0 "$mode: the server hangs up at $step: it is queued"
		like "$(cat "$tmp/err")" 'queued and will be tried again: .' "and that is said, with the reason"
		is "$(smtp_count "$subject")/$(state "$subject")" "0/queued" "$step: not sent"
		smtp_stop ""
		exits 0 "the next flush" $s outbox flush --now
		judge "$subject" 1
		is "$(smtp_count "$subject")/$(state "$subject")/$(copies "$subject")" "1//1" "sends it, once"
	done
	for step in dot kept; do
		subject="stop-$mode-$step"
		smtp_stop $step
		send "$subject" 2>"$tmp/err"
		like "$(cat "$tmp/err")" 'may have been sent' "$mode: no answer to the dot ($step) is told"
		smtp_stop ""
		exits 75 "and a flush leaves it alone" $s outbox flush --now
		judge "$subject" 1
		is "$(state "$subject")" unsure "it waits for a word"
		exits 0 "which may be to cancel it" $s outbox cancel "$(id_of "$subject")"
	done
	smtp_stop answered
	send "stop-$mode-answered" 2>"$tmp/err"
	smtp_stop ""
	judge "stop-$mode-answered" 1
	is "$(smtp_count "stop-$mode-answered")/$(state "stop-$mode-answered")" "1/" "$mode: hung up after its answer: sent"
done
is "$lost" 0 "messages lost"
is "$twice" 0 "messages sent twice without telling"
is "$doubled" 0 "copies in Sent more than once"

send "refused" 2>/dev/null
echo text | $s send -s partly bob@example.org refuse@example.org later@example.org 2>"$tmp/err"
is $? 0 "one is refused, one is to be tried later: queued"
is "$(smtp_count partly)" 1 "the rest has left"
like "$(cat "$tmp/err")" 'refuse@example.org was refused: 550 5.1.1 no such user' "the server's words are told"
exits 0 "the outbox has it" $s outbox list
like "$out" 'bob@example.org \(sent\), refuse@example.org \(refused\), later@example.org' "each recipient by itself"
like "$out" 'next try ' "and when it is tried again"
nl='
'
exits 65 "a line end in the sender is refused before anything is queued" sh -c "echo x | $s sendmail -f 'an${nl}na@example.org' bob@example.org"
like "$err" 'sender given by -f is no address' "and that is said"
exits 65 "in a recipient too" sh -c "echo x | $s send -s t 'bob@example.org${nl}RCPT TO:<x@example.org>'"
exits 65 "and in a subject" sh -c "echo x | $s send -s 'a${nl}Bcc: x@example.org' bob@example.org"
exits 65 "a NUL in the text" sh -c "printf 'To: bob@example.org\n\na\000b\n' | $s sendmail -t -i"
like "$err" 'holds a NUL octet, which no mail may: send the file as an attachment' "and what to do"
exits 66 "no such entry" $s outbox cancel zzz
exits 2 "usage" $s outbox

# Two signets at one outbox: each entry leaves once.
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo text | $s send --queue -s "shared-$i-" bob@example.org; done
$s outbox flush --now >/dev/null 2>&1 &
first=$!
$s outbox flush --now >/dev/null 2>&1 &
wait $! $first
is "$(grep -c 'Subject: shared-' "$smtp_dir/accepted")" 12 "twelve messages, two signets: twelve were sent"
is "$(grep -o 'Subject: shared-[0-9]*-' "$smtp_dir/accepted" | sort -u | wc -l | tr -d ' ')" 12 "each of them"
is "$(grep -l '^Subject: shared-' "$p"/Mail/.Sent/cur/* | wc -l | tr -d ' ')" 12 "and one copy of each"

# A full disk: nothing half, and the exit code says so.
if [ "$(id -u)" = 0 ] && mkdir "$p/small" && mount -t tmpfs -o size=64k none "$p/small" 2>/dev/null; then
	mv "$p/data" "$p/data.kept"
	mkdir "$p/small/data"
	ln -s small/data "$p/data"
	head -c 200000 /dev/urandom | base64 | $s send -s full bob@example.org 2>"$tmp/err"
	is $? 75 "a full disk: not queued"
	like "$(cat "$tmp/err")" 'No space left' "and why"
	is "$(find "$p/small/data/outbox" -type f | wc -l | tr -d ' ')" 0 "nothing half stays"
	rm "$p/data"
	mv "$p/data.kept" "$p/data"
	umount "$p/small"
fi
done_testing
