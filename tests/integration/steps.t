#!/bin/sh
# What is sent along with the login: a server that answers only when it has come, and servers that do not bear it, or say
# something else than they did the last time.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
lab=$tmp/lab p=$tmp/p
mkdir -p "$lab" "$p"
chmod 711 "$tmp" # Dovecot's own user passes through it
stop_steps() { [ -z "${steps:-}" ] || kill "$steps" 2>/dev/null; }
trap 'stop_steps; sh tests/lab/dovecot.sh stop "$lab" >/dev/null 2>&1; tap_cleanup' EXIT
ZLIB=yes LOGINS="plain login" sh tests/lab/dovecot.sh start "$lab" >"$tmp/start" 2>&1
ok $? "a Dovecot starts" "$(cat "$tmp/start")"
. "$lab/env"
signet() { "$signet" --profile "$p" --batch "$@"; }
between() { # between WHAT: a server that does it, and a profile that knows nothing
	stop_steps
	rm -f "$lab/steps.port" "$lab/steps.log" "$lab/steps.pieces"
	python3 tests/lab/imap-steps.py "$lab" "$1" 2>"$tmp/steps.err" &
	steps=$!
	i=0
	until [ -s "$lab/steps.port" ] || [ $i -gt 400 ]; do
		i=$((i + 1))
		perl -e 'select undef, undef, undef, 0.05'
	done
	rm -rf "$p/data"
	config "$(cat "$lab/steps.port")" secret-anna
}
config() {
	printf '[account far]\naddress = anna@example.org\nimap = imaps://anna@127.0.0.1:%s\npassword-command = echo %s\n' \
		"$1" "$2" >"$p/signet.conf"
}
logins() { # since the last look
	[ ! -e "$lab/steps.log" ] || tr '\n' ' ' <"$lab/steps.log"
	rm -f "$lab/steps.log"
}
box=$lab/mail/anna/Maildir
for i in $(seq 1 60); do
	printf 'From: Anna <anna@example.org>\nSubject: letter %s\nMessage-ID: <%s@x>\n\nText.\n' $i $i >"$box/cur/17000000$i.x:2,S"
done
chown -R "$MAIL_UID:$MAIL_GID" "$box" 2>/dev/null
config 1 x
signet cert import --tls "$lab/tls/ca-good.pem" >/dev/null
kept() { signet --offline --json list "${1:-INBOX}" 2>/dev/null | grep -c '"uid"'; }

between pass
exits 0 "a first sync" signet --json sync INBOX
is "$(logins)" "together " "with what follows sent along with the login"
like "$(tr '\n' ' ' <"$lab/steps.pieces")" '^1 2 [1-9 ]*$' "the login in one piece, and what follows in one, and each later line"
is "$(kept)" 60 "brings all"
printf 'From: Anna <anna@example.org>\nSubject: news\nMessage-ID: <n@x>\n\nText.\n' >"$box/cur/1700000099.y:2,"
chown "$MAIL_UID:$MAIL_GID" "$box/cur/1700000099.y:2," 2>/dev/null
exits 0 "a second sync" signet --json sync INBOX
like "$out" '"added":1,"changed":0,"vanished":0' "brings what is new"
is "$(logins)" "together " "in one go too"
exits 66 "a folder that is not there" signet --json sync Nowhere
like "$err" 'does not open the folder' "is named, although more was asked of it"
logins >/dev/null
config "$(cat "$lab/steps.port")" wrong
exits 77 "a wrong password" signet --json sync INBOX
like "$err" 'refuses the login of anna' "is what the sentence speaks of, not what was refused behind it"
is "$(logins)" "together " "and it was tried once"

for what in close plus; do
	between $what
	exits 0 "$what: a first sync" signet --json sync INBOX
	is "$(logins)" "together alone " "$what: step by step where that broke the line"
	is "$(kept)" 61 "$what: brings all"
	exits 0 "$what: a second sync" signet --json sync INBOX
	is "$(logins)" "alone " "$what: knows it"
done

between silent
exits 0 "silent: a first sync" signet --json sync INBOX
logins >/dev/null
exits 0 "silent: a second one" signet --json sync INBOX
is "$(logins)" "together " "silent: what it can do is asked along with the rest"
is "$(kept)" 61 "silent: all is there"

# SCRAM has more steps; what follows goes along with its proof. That the server proves itself too is still looked at first.
sh tests/lab/dovecot.sh stop "$lab" >/dev/null 2>&1
sed -i 's/auth_mechanisms = .*/auth_mechanisms = scram-sha-256/' "$lab/dovecot.conf"
sh tests/lab/dovecot.sh again "$lab" >"$tmp/start" 2>&1
for what in pass close plus; do
	between $what
	exits 0 "SCRAM, $what: a first sync" signet --json sync INBOX
	is "$(logins)" "together $([ $what = pass ] || echo 'alone ')" "SCRAM, $what: what follows comes with the proof"
	is "$(kept)" 61 "SCRAM, $what: brings all"
done
between pass
config "$(cat "$lab/steps.port")" wrong
exits 77 "SCRAM, a wrong password" signet --json sync INBOX
like "$err" 'refuses the login of anna' "is what is told"
is "$(logins)" "together " "not what was refused behind it, and it was tried once"
between forge
exits 69 "SCRAM, a server that does not know the password" signet --json sync INBOX
like "$err" 'does not prove that it knows your password' "is what is told"
is "$(kept)" 0 "and nothing of what it answered is kept"
is "$(logins)" "together " "and it is not tried again"
for what in tell slam; do
	between $what
	config "$(cat "$lab/steps.port")" wrong
	exits 77 "SCRAM, $what: a wrong password" signet --json sync INBOX
	like "$err" 'refuses the login' "$what: is what is told"
	is "$(logins)" "together " "$what: and it was tried once"
done

# One that let us in so the last time is told who comes before it has greeted, unless it does not bear that.
between hold
exits 0 "SCRAM, a server that is not known" signet --json sync INBOX
is "$(logins)" "greeted together " "greets first"
exits 0 "one that is known" signet --json sync INBOX
is "$(logins)" "early together " "is not waited for"
is "$(kept)" 61 "and all is there"
config "$(cat "$lab/steps.port")" wrong
exits 77 "a wrong password" signet --json sync INBOX
like "$err" 'refuses the login of anna' "is what is told"
is "$(logins)" "early together " "and it was tried once"
config "$(cat "$lab/steps.port")" secret-anna
echo 'auth = plain' >>"$p/signet.conf"
exits 1 "a way to log in that it does not offer" signet --json sync INBOX
like "$err" 'offers no way to log in that fits auth = plain' "is what is told"
is "$(logins)" "greeted " "when it has greeted"
# The password is sought when the first word has gone, which gives none away; a server that does not wait for whoever types
# it is asked once more, and not whoever gave it.
between hold
exits 0 "SCRAM, before the password is sought" signet --json sync INBOX
logins >/dev/null
cat >"$tmp/seek" <<EOF
i=0
until grep -q "\$1" "$lab/steps.log" || [ \$i -gt 400 ]; do
	i=\$((i + 1))
	perl -e 'select undef, undef, undef, 0.05'
done
grep -q "\$1" "$lab/steps.log" && echo \$2
echo sought >>"$tmp/sought"
EOF
sought() { # since the last look
	wc -l <"$tmp/sought" | tr -d ' '
	rm -f "$tmp/sought"
}
sed -i "s|^password-command.*|password-command = sh $tmp/seek early secret-anna|" "$p/signet.conf"
exits 0 "a password that comes when the server has heard of us" signet --json sync INBOX
is "$(logins)$(sought)" "early together 1" "is waited for"
sed -i "s|^password-command.*|password-command = sh $tmp/seek early|" "$p/signet.conf"
exits 77 "no password" signet --json sync INBOX
like "$err" 'password-command gave no password' "is what is told"
is "$(logins)$(sought)" "early 1" "and the server is not tried again"
between tired
exits 0 "tired: a first sync" signet --json sync INBOX
is "$(logins)" "greeted together " "tired: greets first"
sed -i "s|^password-command.*|password-command = sh $tmp/seek tired secret-anna|" "$p/signet.conf"
exits 0 "tired: a password that was long in coming" signet --json sync INBOX
is "$(logins)$(sought)" "early tired early together 1" "tired: is used on another line"
config "$(cat "$lab/steps.port")" secret-anna
exits 0 "tired: a password that is there at once" signet --json sync INBOX
is "$(logins)" "early together " "tired: the server is not taken for a shy one"
between gone
exits 0 "gone: a first sync" signet --json sync INBOX
logins >/dev/null
sed -i "s|^password-command.*|password-command = sh $tmp/seek tired secret-anna|" "$p/signet.conf"
exits 69 "gone: a server that ended while the password was sought" signet --json sync INBOX
like "$err" 'cannot be reached' "gone: is what is told"
is "$(logins)$(sought)" "early tired 1" "gone: and nobody is asked again"
between shy
exits 0 "shy: a first sync" signet --json sync INBOX
is "$(logins)" "greeted together " "shy: greets first"
exits 0 "shy: a second sync" signet --json sync INBOX
is "$(logins)" "early greeted together " "shy: once more where it hung up"
is "$(kept)" 61 "shy: all is there"
exits 0 "shy: a third sync" signet --json sync INBOX
is "$(logins)" "greeted together " "shy: knows it"
sh tests/lab/dovecot.sh stop "$lab" >/dev/null 2>&1
sed -i 's/auth_mechanisms = .*/auth_mechanisms = plain login/' "$lab/dovecot.conf"
sh tests/lab/dovecot.sh again "$lab" >"$tmp/start" 2>&1

# Packed: the same list in far fewer octets, and what comes later too.
for i in $(seq 1 600); do
	printf 'From: Anna Keller <anna@example.org>\nTo: Bob Mwangi <bob@example.org>\nSubject: one more letter, number %s\nMessage-ID: <more.%s@mail.example.org>\nContent-Type: text/plain\n\nText.\n' \
		$i $i >"$box/cur/180000$i.z:2,S"
done
chown -R "$MAIL_UID:$MAIL_GID" "$box" 2>/dev/null
octets() { # octets CHOICE: of a whole list, with compress = CHOICE
	rm -rf "$p/data" "$lab/steps.log"
	echo "compress = $1" >>"$p/signet.conf"
	signet --json sync INBOX >"$tmp/said" 2>&1
	i=0
	until [ -s "$lab/steps.log" ] || [ $i -gt 400 ]; do
		i=$((i + 1))
		perl -e 'select undef, undef, undef, 0.05'
	done
	tail -n 1 "$lab/steps.log"
}
between count
plain=$(octets never)
is "$(kept)" 661 "unpacked: all is there"
signet --offline --json list >"$tmp/unpacked"
between count
packed=$(octets always)
is "$(kept)" 661 "packed: all is there"
signet --offline --json list >"$tmp/packed"
is "$(cat "$tmp/packed")" "$(cat "$tmp/unpacked")" "and the same"
ok "$([ "${packed:-0}" -gt 0 ] && [ $((packed * 3)) -lt "$plain" ]; echo $?)" "in a third of the octets at most" "$packed of $plain"
exits 0 "a message of it" signet show INBOX/661
rm -f "$box"/cur/180000*

# The same server the next day, which can do less, and then more again.
between pass
exits 0 "a server that can do much" signet --json sync INBOX
sh tests/lab/dovecot.sh stop "$lab" >/dev/null 2>&1
sed -i 's/^protocol imap {/&\n  imap_capability = IMAP4rev1 SASL-IR/; t; $a protocol imap {\n  imap_capability = IMAP4rev1 SASL-IR\n}' "$lab/dovecot.conf"
sh tests/lab/dovecot.sh again "$lab" >"$tmp/start" 2>&1
rm -f "$box/cur/1700000099.y:2,"*
exits 0 "and one day only little" signet --json sync INBOX
like "$out" '"vanished":1' "is asked for what it can do"
is "$(kept)" 60 "and all is right"
done_testing
