#!/bin/sh
# Revocation on the real screen: lists in the background, responders by a key or by the configuration, and nobody else.
. "$(dirname "$0")/lib.sh"
PATIENCE=60
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY

pki=$LAB/pki
make_profile
mkdir -p "$pki"
mkfifo "$LAB/life" # the server lives as long as the pipe that it reads
python3 tests/lab/http-server.py "$pki" <"$LAB/life" &
server=$!
exec 8>"$LAB/life"
trap 'exec 8>&-; wait "$server" 2>/dev/null; finish' EXIT
# The terminal's server outlives a test that dies, and must not keep the pipe open.
terminal() { tmux -S "$LAB/tmux$terminals" -f /dev/null "$@" 8>&-; }
until_true test -s "$pki/port" || { echo 'Bail out! the server does not start'; exit 1; }
at=http://127.0.0.1:$(cat "$pki/port")

make_cert() { # make_cert NAME SERIAL EXTENSIONS
	openssl ecparam -name prime256v1 -genkey -noout -out "$pki/$1.key"
	openssl req -new -key "$pki/$1.key" -subj "/CN=$1" -out "$pki/$1.csr"
	printf '%b\n' "$3" >"$pki/$1.ext"
	openssl x509 -req -in "$pki/$1.csr" -CA "$pki/ca.pem" -CAkey "$pki/ca.key" -set_serial "$2" -out "$pki/$1.pem" -days 20 \
		-extfile "$pki/$1.ext" 2>/dev/null
}
signed() { # signed SUBJECT NUMBER ADDRESSES
	make_cert "key$2" "$2" "subjectAltName=email:anna@example.org\nkeyUsage=digitalSignature\nextendedKeyUsage=emailProtection\n$3"
	{
		letter "$1" "$2"
		printf 'Content-Type: text/plain\r\n\r\nAll is well.\r\n' |
			openssl smime -sign -signer "$pki/key$2.pem" -inkey "$pki/key$2.key" | grep -v '^MIME-Version:'
	} | deliver "m$2" "$2"
}
openssl ecparam -name prime256v1 -genkey -noout -out "$pki/ca.key"
openssl req -x509 -key "$pki/ca.key" -out "$pki/ca.pem" -days 30 -subj '/CN=Lab CA' -set_serial 1 \
	-addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign'
certutil -A -d "sql:$LAB/profile/nssdb" -n lab -t ,C, -i "$pki/ca.pem"
make_cert responder 90 'keyUsage=digitalSignature\nextendedKeyUsage=OCSPSigning'
for serial in 0B 0C 0D; do
	printf 'R\t400101000000Z\t%s\t%s\tunknown\t/CN=%s\n' "$(date -u -d '3 days ago' +%y%m%d%H%M%SZ)" $serial $serial
done >"$pki/index.txt"
printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index.txt\ndefault_md=sha256\n' "$pki" >"$pki/ca.cnf"
openssl ca -gencrl -config "$pki/ca.cnf" -cert "$pki/ca.pem" -keyfile "$pki/ca.key" -crldays 5 -out "$pki/list.pem" 2>/dev/null
openssl crl -in "$pki/list.pem" -outform DER -out "$pki/list.crl"
signed Listed 11 "crlDistributionPoints=URI:$at/files/list.crl"
signed Asked 12 "authorityInfoAccess=OCSP;URI:$at/ocsp/responder"
signed Again 13 "authorityInfoAccess=OCSP;URI:$at/ocsp/responder"
signed Mute 14 "crlDistributionPoints=URI:$at/slow"

open_subject() {
	seen '^> *[1-4] .*Mute|^ *4 .*Mute' # the title may be there before the lines
	keys Home
	typed "/~s $1"
	keys Enter Enter
	seen "Subject: +$1"
}
back() { keys q; seen '^ *INBOX  '; }
asked() { grep -c "$1" "$pki/log" 2>/dev/null; }

start 80 24 --
wait_for 'INBOX  4 messages' 'the screen opens'
open_subject Asked
wait_for '^ SIGNED BY anna@example.org' 'a certificate whose responder would say revoked opens as signed'
check 'for nobody was asked' test "$(asked ocsp)" != 1
keys V
wait_for 'Security of this message' 'the details open'
wait_for 'O on the screen' 'and say that a key asks'
keys O
wait_for 'Asked, and answered' 'O asks, and the bottom line says so'
wait_for 'wrong +revoked' 'the details are those of the new verdict'
keys q
wait_for '^ CERTIFICATE REVOKED' 'and so is the strip'
check 'the responder was asked once' test "$(asked 'POST /ocsp/responder')" = 1
keys V
seen 'Security of this message'
keys End
wait_for "asked +$at/ocsp/responder: answered" 'the details name whom'
keys q
seen 'Subject: +Asked'
back
ask_nobody() { # by a subcommand, without --online
	"$SIGNET" --profile "$LAB/profile" --batch verify "$LAB"/profile/mail/cur/*.m11.* >/dev/null
}
check 'a list that is not here yet revokes nothing' ask_nobody
check 'and nobody asks for it' test "$(asked list.crl)" != 1
open_subject Listed
fetched() { [ "$(asked 'GET /files/list.crl')" = 1 ] && ls "$LAB"/profile/cache/revocation/*.crl >/dev/null 2>&1; }
check 'it comes in the background' until_true fetched
wait_for 'REVOKED' 'and the message on the screen is judged anew by itself'
back
open_subject Listed
wait_for 'REVOKED' 'and when it is opened again'
back
keys q
wait_for 'ended with 0' 'the screen ends'

start 80 24 --
wait_for 'INBOX  4 messages' 'a second start'
open_subject Listed
wait_for 'REVOKED' 'the list of yesterday is here at once'
check 'and was fetched once' test "$(asked 'GET /files/list.crl')" = 1
back
open_subject Mute
wait_for '^ SIGNED BY anna@example.org' 'an authority whose server is mute'
hangs() { [ "$(asked 'GET /slow')" = 1 ]; }
check 'is asked in the background' until_true hangs
keys q
wait_for 'INBOX  ' 'which holds up nothing'
keys q
wait_for 'ended with 0' 'nor the end'

printf '[policy]\nonline = ocsp\n' >>"$LAB/profile/signet.conf"
start 80 24 --
wait_for 'INBOX  4 messages' 'with online = ocsp'
open_subject Again
wait_for 'REVOKED' 'the responder is asked when a message is opened'
back
keys q
wait_for 'ended with 0' 'the screen ends'
start 80 24 -- --offline
wait_for 'INBOX  4 messages' 'with --offline'
open_subject Mute
wait_for '^ SIGNED BY anna@example.org' 'a message opens'
keys V
seen 'Security of this message'
keys O
wait_for 'offline: nobody is asked' 'and O asks nobody'
done_testing
