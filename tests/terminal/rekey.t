#!/bin/sh
# signet rekey at a terminal: the report, the question, the bar, and Ctrl-C between two messages.
cd "$(dirname "$0")/../.." || exit 1
. tests/terminal/lib.sh
make_profile
cd "$LAB" || exit 1
quiet() { "$@" >/dev/null 2>&1; }
rsa_key root.key && quiet openssl req -x509 -key root.key -out root.pem -days 99 -subj /CN=Root \
	-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
for name in old new; do
	rsa_key $name.key && quiet openssl req -new -key $name.key -out csr -subj "/CN=Bob $name"
	printf 'subjectAltName=email:bob@example.org\nkeyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=emailProtection\n' >ext
	quiet openssl x509 -req -in csr -CA root.pem -CAkey root.key -CAcreateserial -days 9 -out $name.pem -extfile ext
	quiet openssl pkcs12 -export -in $name.pem -inkey $name.key -passout pass:secret -out $name.p12
	printf 'secret\n' >password
	quiet "$SIGNET" --profile profile --batch cert import --password-file password $name.p12
done
quiet "$SIGNET" --profile profile --batch cert import --trust root.pem
sealed=300
{
	letter Sealed 1
	printf 'Content-Type: application/pkcs7-mime; smime-type=enveloped-data\nContent-Transfer-Encoding: base64\n\n'
	printf 'Content-Type: text/plain\r\n\r\nHello.\r\n' | openssl cms -encrypt -binary -aes256 -outform DER old.pem | openssl base64
} >letter.eml
for i in $(seq $sealed); do cp letter.eml "profile/mail/cur/$((1700000000 + i)).$i.host:2,S"; done
to=$(openssl x509 -in new.pem -noout -fingerprint -sha256 | sed 's/.*=//')

start 80 24 -- rekey INBOX
wait_for '^ +300 +0 +[0-9a-f]{16}  Bob old' 'the report'
start 80 24 -- rekey --to "$to" INBOX
wait_for 'Write 300 messages anew for Bob new' 'it asks once, with the number'
keys n Enter
wait_for 'nothing was done' 'no is no'
wait_for 'ended with 1' 'and the code says so'
start 80 24 -- rekey --to "$to" INBOX
seen 'y/N' || fail 'asked again'
keys y Enter
wait_for '[0-9]+ of 300, [0-9]+%  INBOX' 'a bar'
keys C-c
wait_for 'It was not done to its end' 'Ctrl-C ends it between two messages'
wait_for 'ended with 75' 'and the code says that it goes on'
check 'none is there twice, and none has gone' [ "$(find profile/mail/cur profile/mail/new -type f | wc -l)" = $sealed ]
start 80 24 -- rekey --resume
wait_for 'ended with 0' '--resume goes on to the end'
check 'each is there once' [ "$(find profile/mail/cur profile/mail/new -type f | wc -l)" = $sealed ]
start 80 24 -- rekey --to "$to" INBOX
wait_for '^0 messages written anew, 300 could be read' 'then there is nothing to do, and nothing is asked'
done_testing
