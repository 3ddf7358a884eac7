#!/bin/sh
# Large mail on a real Dovecot: it opens at once, its attachments stay on the server until they are asked for, and
# what is signed comes whole.
PATIENCE=${PATIENCE:-60} # 27 MB on a busy machine
. "$(dirname "$0")/server-lib.sh"

post() { # post NAME: takes a message from stdin, as a delivery agent would
	box=$server/mail/anna/Maildir
	cat >"$box/tmp/$1"
	chown "$MAIL_UID:$MAIL_GID" "$box/tmp/$1" 2>/dev/null
	mv "$box/tmp/$1" "$box/new/$1"
}
# An authority for mail, with one person.
make_people() {
	rsa_key "$LAB/ca.key" && openssl req -x509 -key "$LAB/ca.key" -out "$LAB/ca.pem" -days 3650 -subj '/O=Lab/CN=Lab Mail CA' \
		-addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign'
	rsa_key "$LAB/anna.key" && openssl req -new -key "$LAB/anna.key" -out "$LAB/anna.csr" -subj '/CN=Anna Lab'
	printf 'subjectAltName=email:anna@example.org\nkeyUsage=digitalSignature\nextendedKeyUsage=emailProtection\nbasicConstraints=CA:FALSE\n' >"$LAB/anna.ext"
	openssl x509 -req -in "$LAB/anna.csr" -CA "$LAB/ca.pem" -CAkey "$LAB/ca.key" -CAcreateserial -out "$LAB/anna.pem" -days 700 -extfile "$LAB/anna.ext"
	certutil -A -d "sql:$LAB/profile/nssdb" -n lab -t ,C, -i "$LAB/ca.pem"
}
content() { # a text, and a file of 20 MB
	printf 'Content-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\nContent-Type: text/plain\r\n\r\n%s\r\n--outer\r\n' "$1"
	printf 'Content-Type: application/pdf; name=report.pdf\r\nContent-Disposition: attachment; filename=report.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n'
	base64 -w 76 "$LAB/report" | sed 's/$/\r/'
	printf -- '--outer--\r\n'
}
sent() { # octets that the server sent in its last session
	sed -n 's/.*out=\([0-9]*\).*/\1/p' "$server/log" | tail -n 1
}
sent_below() { [ "$(sent)" -lt "$1" ]; }
ended() { grep -c 'out=[0-9]' "$server/log"; }
more_than() { [ "$(ended)" -gt "$1" ]; }

far_account far anna | far_profile
make_people >/dev/null 2>&1
head -c 20000000 /dev/urandom >"$LAB/report"
content 'The report is attached.' >"$LAB/part"
{ letter 'Report' 1; cat "$LAB/part"; } | post 1700000001.report
{ letter 'Signed report' 2; openssl smime -sign -binary -in "$LAB/part" -signer "$LAB/anna.pem" -inkey "$LAB/anna.key" 2>/dev/null |
	grep -av '^MIME-Version:'; } | post 1700000002.signed

start 80 24 --
wait_for '2 N .*Signed report' 'the folder'
keys Home Enter
wait_for 'The report is attached' 'a mail of 27 MB opens'
wait_for 'report.pdf  application/pdf +[0-9.]+M, on the server' 'and says what stayed behind'
keys v
wait_for 'application/pdf  report.pdf .*M  on the server' 'the list of parts does too'
typed 'qqq'
wait_for 'ended with 0' 'end'
check 'the server saw us go' until_true more_than 0
check "it sent some kilobytes ($(sent))" sent_below 16000

before=$(ended)
start 80 24 --
wait_for '2 N .*Signed report' 'again'
keys Home Enter
wait_for 'on the server' 'the mail'
typed 'vs'
wait_for 'Save as: *report.pdf' 'a name is offered'
typed '.first'
keys Enter
wait_for 'Saved as report.pdf.first' 'the part is fetched and saved'
check 'it is the file' cmp "$LAB/report" "$LAB/report.pdf.first"
wait_for 'report.pdf .*M  fetched' 'the list says that it is here'
typed 's'
wait_for 'Save as: *report.pdf' 'once more'
typed '.second'
keys Enter
wait_for 'Saved as report.pdf.second' 'is saved again'
check 'it is the file again' cmp "$LAB/report" "$LAB/report.pdf.second"
typed '|wc -c >piped'
keys Enter
wait_for 'Press Enter' 'and piped'
keys Enter
check 'the file it was' sh -c "[ \$(cat '$LAB/piped') = 20000000 ]"
wait_for 'Parts of' 'back'
typed 'qqq'
wait_for 'ended with 0' 'end'
check 'the server saw us go' until_true more_than "$before"
check "it sent the part once ($(sent))" sent_below 28000000

start 80 24 --
wait_for '2 N .*Signed report' 'the signed one'
keys End Enter
wait_for 'SIGNED BY|Signed by' 'is fetched whole and verified'
check 'it is good' row_has 1 3 'anna@example.org'
check 'nothing of it is on the server' has_not 'on the server'
keys v
wait_for 'report.pdf .*M  \| signed' 'its file is signed'
typed 's'
wait_for 'Save as: *report.pdf' 'a name is offered'
typed '.signed'
keys Enter
wait_for 'Saved as report.pdf.signed' 'it is saved'
check 'it is the file' cmp "$LAB/report" "$LAB/report.pdf.signed"
typed 'qq'
wait_for 'Signed report' 'back'

keys Home Enter
wait_for 'on the server' 'the large one'
typed 'vs'
wait_for 'Save as' 'is saved'
stop_master() { # with the processes that hold connections
	children=$(ps -o pid= --ppid "$(cat "$server/run/master.pid")")
	kill -STOP $children 2>/dev/null
	typed '.never'
	keys Enter
	seen 'Fetching the part' && pass 'the server is slow' || fail 'the server is slow'
	kill -9 "$(cat "$server/run/master.pid")" $children 2>/dev/null
}
stop_master
wait_for 'was not saved' 'the line breaks: it says what was not saved'
check 'and left nothing there' sh -c "! ls '$LAB' | grep never"
typed 'qqq'
wait_for 'ended with 0' 'and all ends well'
done_testing
