#!/bin/sh
# Sending through a real Postfix (TLS, STARTTLS, each login, a policy that refuses one of three), delivered to a real
# Dovecot, with the Sent copy in it: what leaves is what arrives, and what was signed and encrypted is good there.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP Postfix runs for root only"
	exit 0
fi
chmod 711 "$tmp"
trap 'sh tests/lab/postfix.sh stop "$tmp/postfix"; sh tests/lab/dovecot.sh stop "$tmp/dovecot"; tap_cleanup' EXIT
sh tests/lab/dovecot.sh start "$tmp/dovecot" || { echo "Bail out! no Dovecot"; exit 1; }
. "$tmp/dovecot/env"
imap=$PORT_TLS
sh tests/lab/postfix.sh start "$tmp/postfix" "$tmp/dovecot" || { echo "Bail out! no Postfix"; exit 1; }
. "$tmp/postfix/env"
p=$tmp/p
s="$signet --profile $p"
mkdir -p "$p"
export SIGNET_PASSWORD=secret-anna
conf() { # conf URL [LINES]
	printf '[account work]\nname = Anna Keller\naddress = anna@example.org\nimap = imaps://anna@127.0.0.1:%s\nsmtp = %s\n%s\n' \
		"$imap" "$1" "${2:-}" >"$p/signet.conf"
}
arrived() { # arrived USER SUBJECT: the files of that mail
	grep -rl "^Subject: $2" "$tmp/dovecot/mail/$1/Maildir/new" "$tmp/dovecot/mail/$1/Maildir/cur" 2>/dev/null
}
count() { arrived "$@" | wc -l | tr -d ' '; }
sent() { grep -rl "^Subject: $1" "$tmp/dovecot/mail/anna/Maildir/.Gesendet/cur" 2>/dev/null | wc -l | tr -d ' '; }

conf "smtps://anna@127.0.0.1:$PORT_TLS"
exits 0 "the authority is trusted for servers" $s cert import "$tmp/dovecot/tls/ca-good.pem" --tls
exits 0 "account check" $s account check
like "$out" 'smtp login +OK +anna by SCRAM-SHA-256' "logs in by the best mechanism"
like "$out" 'smtp TLS +OK +TLS 1.3' "over TLS"
like "$out" 'SMTPUTF8' "and says what the server can do"

n=0
for url in "smtps://anna@127.0.0.1:$PORT_TLS" "smtp://anna@127.0.0.1:$PORT_STARTTLS"; do
	for auth in plain login scram-sha-256; do
		n=$((n + 1))
		conf "$url" "auth = $auth"
		echo "text $n" | $s send -s "login $n" bob@example.org 2>"$tmp/err"
		is $? 0 "${url%%:*} with $auth"
		wait_until 60 test "$(count bob "login $n")" != 0
		wait_until 60 sh -c "grep -rq 'Subject: login $n' '$tmp/dovecot/mail/bob/Maildir/new'"
		is "$(count bob "login $n")/$(sent "login $n")" "1/1" "arrives once, and one copy is in Sent"
	done
done
conf "smtps://anna@127.0.0.1:$PORT_TLS"
SIGNET_PASSWORD=wrong exits 0 "a wrong password: the message is queued" sh -c "echo x | $s send --batch -s wrong bob@example.org"
like "$err" 'refuses the login of anna' "and the server's refusal is told"
exits 0 "with the right one it leaves" $s outbox flush --now
wait_until 60 sh -c "grep -rq 'Subject: wrong' '$tmp/dovecot/mail/bob/Maildir/new'"
is "$(count bob wrong)" 1 "once"

echo three | $s send -s three bob@example.org refused@example.org carol@example.org 2>"$tmp/err"
is $? 69 "one of three is refused"
like "$(cat "$tmp/err")" 'refused@example.org was refused: 554 5.7.1 .*Access denied' "with the server's words"
wait_until 60 sh -c "grep -rq 'Subject: three' '$tmp/dovecot/mail/carol/Maildir/new'"
is "$(count bob three)/$(count carol three)/$(sent three)" "1/1/1" "the other two got it, and a copy is kept"
exits 0 "the outbox" $s outbox list
like "$out" 'refused@example.org \(refused\)' "keeps the one"

printf 'To: bob@example.org\nCc: Carol <carol@example.org>\nBcc: anna@example.org\nSubject: cron job\n\nline\n.\n..dots\nFrom here\n' >"$tmp/mail"
exits 0 "sendmail -t -i -oem" sh -c "$s sendmail -t -i -oem -FCron <'$tmp/mail'"
wait_until 60 sh -c "grep -rq 'Subject: cron job' '$tmp/dovecot/mail/anna/Maildir/new'"
is "$(count bob "cron job")/$(count carol "cron job")/$(count anna "cron job")" "1/1/1" "to To, Cc and Bcc"
got=$(cat $(arrived bob "cron job"))
unlike "$got" '^Bcc:' "without Bcc"
like "$got" '^From: Anna Keller <anna@example.org>|^From: Cron <anna@example.org>' "with a From"
like "$got" '^Message-I[Dd]: <.*@example.org>' "and a Message-ID that names no host"
unlike "$got" "$(hostname)" "nothing tells this machine's name"
is "$(printf '%s\n' "$got" | sed '1,/^\r*$/d' | tr -d '\r')" "line
.
..dots
From here" "dots and From are as they were"
printf 'Subject: a dot\nTo: bob@example.org\n\nkept\n.\nnot this\n' >"$tmp/mail"
exits 0 "without -i a dot ends it" sh -c "$s sendmail bob@example.org <'$tmp/mail'"
wait_until 60 sh -c "grep -rq 'Subject: a dot' '$tmp/dovecot/mail/bob/Maildir/new'"
unlike "$(cat $(arrived bob "a dot"))" 'not this' "as it should"
exits 64 "sendmail's usage error" $s sendmail
exits 64 "an unknown mode" $s sendmail -bs
exits 65 "no recipient" sh -c "printf 'Subject: x\n\n' | $s sendmail -t"

# git
git init -q "$tmp/repo"
(cd "$tmp/repo" && git config user.name "Anna Keller" && git config user.email anna@example.org &&
	echo one >file && git add file && git commit -qm "A patch by mail" &&
	echo "exec '$signet' --profile '$p' sendmail \"\$@\"" >"$tmp/mta" && chmod 755 "$tmp/mta" &&
	sed -i '1i #!/bin/sh' "$tmp/mta")
exits 0 "git send-email" sh -c "cd '$tmp/repo' && git send-email --quiet --confirm=never --suppress-cc=all --sendmail-cmd='$tmp/mta -i' --to=bob@example.org -1"
wait_until 60 sh -c "grep -rq 'Subject: .PATCH. A patch by mail' '$tmp/dovecot/mail/bob/Maildir/new'"
is "$(count bob '.PATCH. A patch by mail')" 1 "arrives"

# Signed, encrypted
rsa_key "$tmp/ca.key" && openssl req -x509 -key "$tmp/ca.key" -out "$tmp/ca.pem" -days 30 -subj "/CN=mail ca" \
	-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
for name in anna bob; do
	rsa_key "$tmp/$name.key" && openssl req -new -key "$tmp/$name.key" -subj "/CN=$name" -out "$tmp/$name.csr" 2>/dev/null
	printf 'subjectAltName=email:%s@example.org\nextendedKeyUsage=emailProtection\nkeyUsage=digitalSignature,keyEncipherment\n' $name >"$tmp/ext"
	openssl x509 -req -in "$tmp/$name.csr" -CA "$tmp/ca.pem" -CAkey "$tmp/ca.key" -CAcreateserial -days 20 -extfile "$tmp/ext" -out "$tmp/$name.pem" 2>/dev/null
done
openssl pkcs12 -export -in "$tmp/anna.pem" -inkey "$tmp/anna.key" -certfile "$tmp/ca.pem" -out "$tmp/anna.p12" -passout pass:x
printf x >"$tmp/pass"
exits 0 "the key" $s cert import "$tmp/anna.p12" --password-file "$tmp/pass"
exits 0 "the authority, for mail" $s cert import "$tmp/ca.pem" --trust
echo "signed text" | $s send --sign -s "signed one" bob@example.org 2>"$tmp/err"
is $? 0 "send --sign"
wait_until 60 sh -c "grep -rq 'Subject: signed one' '$tmp/dovecot/mail/bob/Maildir/new'"
file=$(arrived bob "signed one")
exits 0 "is good at the other end" $s verify "$file"
exits 0 "and by openssl" openssl cms -verify -in "$file" -CAfile "$tmp/ca.pem" -purpose any -out /dev/null
exits 75 "encrypt without a certificate for bob" sh -c "echo x | $s send --encrypt -s secret bob@example.org"
like "$err" 'bob@example.org: ' "names him"
like "$err" 'signet cert import' "and what to do"
exits 0 "nothing is queued of it" $s outbox list
unlike "$out" 'secret' "not a trace"
exits 0 "his certificate" $s cert import "$tmp/bob.pem"
echo "hidden text" | $s send --sign --encrypt -s "hidden subject" bob@example.org 2>"$tmp/err"
is $? 0 "send --sign --encrypt"
wait_until 60 sh -c "grep -rq 'Subject: \[\.\.\.\]' '$tmp/dovecot/mail/bob/Maildir/new'"
file=$(arrived bob '\[\.\.\.\]')
exits 0 "openssl decrypts it" openssl cms -decrypt -in "$file" -recip "$tmp/bob.pem" -inkey "$tmp/bob.key" -out "$tmp/plain"
openssl cms -verify -in "$tmp/plain" -CAfile "$tmp/ca.pem" -purpose any -out "$tmp/text" 2>/dev/null
like "$(cat "$tmp/text")" 'hidden text' "the text"
like "$(cat "$tmp/text")" 'hidden subject' "and the subject inside"
unlike "$(cat "$file")" 'hidden' "nothing of it outside"
is "$(sent '\[\.\.\.\]')" 1 "the copy in Sent"
copy=$(grep -rl '^Subject: \[\.\.\.\]' "$tmp/dovecot/mail/anna/Maildir/.Gesendet/cur")
exits 0 "is encrypted too, and readable to its sender" $s verify "$copy"

# The account's policy holds for whole messages too.
conf "smtps://anna@127.0.0.1:$PORT_TLS" "sign = always"
printf 'From: anna@example.org\nTo: bob@example.org\nSubject: by policy\n\ntext\n' >"$tmp/mail"
exits 0 "sendmail with sign = always" sh -c "$s sendmail -t -i <'$tmp/mail'"
wait_until 60 sh -c "grep -rq 'Subject: by policy' '$tmp/dovecot/mail/bob/Maildir/new'"
exits 0 "signs it" $s verify "$(arrived bob "by policy")"
conf "smtps://anna@127.0.0.1:$PORT_TLS" "encrypt = always"
printf 'From: anna@example.org\nTo: carol@example.org\nSubject: by policy too\n\ntext\n' >"$tmp/mail"
exits 75 "sendmail with encrypt = always and no certificate for carol" sh -c "$s sendmail -t -i <'$tmp/mail'"
is "$(count carol "by policy too")" 0 "does not leave"

# Letters beyond ASCII in an address
conf "smtps://anna@127.0.0.1:$PORT_TLS"
echo x | $s send -s utf8 'jürgen@example.org' 2>"$tmp/err"
is $? 69 "an address beyond ASCII is asked for (SMTPUTF8), and refused by its server"
like "$(cat "$tmp/err")" 'jürgen@example.org was refused: 55' "with its words"
echo x | $s send -s "utf8 there" 'Jörg <jörg@example.org>' 2>"$tmp/err"
is $? 0 "one that exists is accepted"
wait_until 60 sh -c "grep -rq 'Subject: utf8 there' '$tmp/dovecot/mail/carol/Maildir/new'"
like "$(cat $(arrived carol "utf8 there"))" '^To: .*<jörg@example.org>' "and it arrives, the address as it is"
is "$(sent "utf8 there")" 1 "its copy is in Sent"
postconf -c "$tmp/postfix/etc" -e smtputf8_enable=no
sh tests/lab/postfix.sh again "$tmp/postfix"
echo x | $s send -s "no utf8" -b 'jörg@example.org' bob@example.org 2>"$tmp/err"
is $? 69 "a server without SMTPUTF8"
like "$(cat "$tmp/err")" 'jörg@example.org was refused: 127.0.0.1 cannot send to jörg@example.org.*no SMTPUTF8.*another account' "is said to be that"
wait_until 60 sh -c "grep -rq 'Subject: no utf8' '$tmp/dovecot/mail/bob/Maildir/new'"
is "$(count bob "no utf8")" 1 "the others get it"

# 8-bit text, and what the size is asked for
printf 'To: bob@example.org\nSubject: eight\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nÄpfel\n' >"$tmp/mail"
exits 0 "8-bit text" sh -c "$s sendmail -t -i <'$tmp/mail'"
wait_until 60 sh -c "grep -rq 'Subject: eight' '$tmp/dovecot/mail/bob/Maildir/new'"
like "$(cat $(arrived bob eight))" '^Äpfel' "arrives as it is (8BITMIME)"
{
	printf 'To: bob@example.org\nSubject: too large\n\n'
	head -c 21000000 /dev/zero | tr '\0' x | fold -w 72
} >"$tmp/mail"
exits 69 "larger than the server takes" sh -c "$s sendmail -t -i <'$tmp/mail'"
like "$err" 'octets, and 127.0.0.1 takes at most 20000000: send the attachment in another way' "is told by the numbers"
unlike "$(cat "$tmp/postfix/log")" 'exceeds' "without the server having been asked to take it"
exits 0 "the mail is kept" $s outbox list
like "$out" 'failed .*too large' "in the outbox"

# Delivery status
echo x | $s send -s reported --notify success bob@example.org
wait_until 60 sh -c "grep -rq '^Action: delivered' '$tmp/dovecot/mail/anna/Maildir/new'"
is "$(grep -rl '^Action: delivered' "$tmp/dovecot/mail/anna/Maildir/new" | wc -l | tr -d ' ')" 1 "--notify success: the server reports the delivery"

# The mailbox is away when the copy is to be stored.
good=$imap imap=1
conf "smtps://anna@127.0.0.1:$PORT_TLS"
echo x | $s send -s "copy later" bob@example.org 2>"$tmp/err"
is $? 0 "sent, though its copy cannot be stored"
like "$(cat "$tmp/err")" 'Sent; its copy could not be stored in the Sent folder and will be tried again: .*reached' "which is told"
exits 0 "the outbox" $s outbox list
like "$out" 'sent, copy due .*copy later' "says what is due"
imap=$good
conf "smtps://anna@127.0.0.1:$PORT_TLS"
$s outbox flush --now >/dev/null 2>&1
is "$(sent "copy later")/$(count bob "copy later")" "1/1" "the copy is stored by a later flush, and nothing sent again"
unlike "$($s outbox list)" 'copy later' "then it is done"
done_testing
