# Certificates, keys and encrypted mail for tests/integration/rekey*.t; sourced behind tests/lab/tap.sh, in $work with
# $profile. anna's old key and her spare one lie in the database, her new one on a SoftHSM token; bob is somebody else.
module=$(find /usr/lib /usr/local/lib -name libsofthsm2.so 2>/dev/null | head -n 1)
[ -n "$module" ] || { echo 'Bail out! there is no libsofthsm2.so'; exit 1; }
mkdir -p "$work/tokens" "$profile" && cd "$work" || exit 1
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$work" >softhsm.conf
SOFTHSM2_CONF=$work/softhsm.conf
export SOFTHSM2_CONF

did() { # did NAME: the status of the command before it; what it printed, where that was bad
	status=$?
	ok $status "$1" "$(cat out err 2>/dev/null)"
}
run() { # run EXPECTED-CODE ARGUMENTS...: signet's output goes to the files out and err
	want=$1
	shift
	"$signet" --profile "$profile" --batch "$@" >out 2>err </dev/null
	code=$?
	[ $code = "$want" ] || { echo "# exit $code, expected $want: signet $*"; return 1; }
}
says() { grep -qE -- "$1" out || { echo "# does not print: $1"; return 1; }; }
complains() { grep -qE -- "$1" err || { echo "# does not say: $1"; return 1; }; }
quiet() { "$@" >/dev/null 2>&1; }
print_of() { openssl x509 -in "$1" -noout -fingerprint -sha256 | sed 's/.*=//' | tr -d : | tr A-F a-f; }

quiet openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -days 99 -subj /CN=Root \
	-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
person() { # person NAME ADDRESS DAYS
	quiet openssl req -new -newkey rsa:2048 -nodes -keyout "$1.key" -out csr -subj "/CN=$1"
	printf 'subjectAltName=email:%s\nkeyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=emailProtection\n' "$2" >ext
	quiet openssl x509 -req -in csr -CA root.pem -CAkey root.key -CAcreateserial -days "$3" -out "$1.pem" -extfile ext
	quiet openssl pkcs12 -export -in "$1.pem" -inkey "$1.key" -passout pass:secret -out "$1.p12" -name "$1"
}
person old anna@example.org 9
person new anna@example.org 99
person spare anna@example.org 9
person bob bob@example.org 9
printf 'secret\n' >password
printf '1234\n' >pin
printf '0000\n' >wrong

# card NAME: its key and certificate go to the token Karte
card() {
	quiet softhsm2-util --module "$module" --init-token --free --label Karte --pin 1234 --so-pin 12345678
	quiet openssl pkcs8 -topk8 -nocrypt -in "$1.key" -out p8
	quiet openssl x509 -in "$1.pem" -outform DER -out card.der
	quiet softhsm2-util --module "$module" --import p8 --token Karte --label "$1" --id 01 --pin 1234
	quiet pkcs11-tool --module "$module" --token-label Karte --login --pin 1234 --write-object card.der --type cert --id 01 --label "$1"
	run 0 token add card "$module"
}

# text N: what is in message N
text() { printf 'Content-Type: text/plain; charset=utf-8\r\n\r\nThe text of number %s.\r\nA second line.\r\n' "$1"; }
# letter N: the header of message N, with a field that nobody knows
letter() {
	printf 'Received: from there\r\n by here\r\nFrom: Bob <bob@example.org>\r\nTo: anna@example.org\r\nSubject: Number %s\r\nX-Odd:   keep \t this \r\n' "$1"
	printf 'Date: Wed, 15 Nov 2023 01:02:03 +0100\r\nMessage-ID: <number%s@example.org>\r\nMIME-Version: 1.0\r\n' "$1"
}
# sealed N CIPHER CERT...: an encrypted message with openssl's own header lines
sealed() {
	number=$1 cipher=$2
	shift 2
	letter "$number"
	text "$number" | openssl cms -encrypt -binary "-$cipher" -outform DER "$@" >der
	case $cipher in *-gcm) kind=authEnveloped-data ;; *) kind=enveloped-data ;; esac
	printf 'Content-Disposition: attachment; filename="smime.p7m"\r\nContent-Type: application/pkcs7-mime; smime-type=%s; name="smime.p7m"\r\nContent-Transfer-Encoding: base64\r\n\r\n' $kind
	openssl base64 -in der | sed 's/$/\r/'
}
# signed_sealed N CERT...: signed by bob, then encrypted
signed_sealed() {
	number=$1
	shift
	text "$number" >inner
	openssl cms -sign -binary -in inner -signer bob.pem -inkey bob.key -outform DER -nodetach >sig.der
	{
		printf 'Content-Type: application/pkcs7-mime; smime-type=signed-data; name="smime.p7m"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
		openssl base64 -in sig.der | sed 's/$/\r/'
	} >signed
	letter "$number"
	openssl cms -encrypt -binary -aes256 -in signed -outform DER "$@" >der
	printf 'Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
	openssl base64 -in der | sed 's/$/\r/'
}
# wrapped N CERT...: encrypted, then signed by bob
wrapped() {
	number=$1
	shift
	text "$number" | openssl cms -encrypt -binary -aes256 -outform DER "$@" >der
	{
		printf 'Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
		openssl base64 -in der | sed 's/$/\r/'
	} >inner
	openssl cms -sign -binary -in inner -signer bob.pem -inkey bob.key -outform DER -nodetach >sig.der
	letter "$number"
	printf 'Content-Type: application/pkcs7-mime; smime-type=signed-data; name="smime.p7m"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
	openssl base64 -in sig.der | sed 's/$/\r/'
}
# in_a_part N CERT...: an encrypted part beside a text
in_a_part() {
	number=$1
	shift
	letter "$number"
	printf 'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nIn clear.\r\n--b\r\n'
	text "$number" | openssl cms -encrypt -binary -aes256 -outform DER "$@" >der
	printf 'Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
	openssl base64 -in der | sed 's/$/\r/'
	printf '\r\n--b--\r\n'
}
plain() {
	letter "$1"
	text "$1"
}

# opened FILE NAME: what NAME's key finds in that message, with openssl
opened() { openssl cms -decrypt -inform SMIME -in "$1" -recip "$2.pem" -inkey "$2.key"; }
# bare FILE: the header of a message without what may change, LF line ends
bare_header() { tr -d '\r' <"$1" | awk '/^$/ { exit } { print }' | grep -viE '^(X-)?Status: |^X-Keywords: ' | sed 's/authEnveloped-data/enveloped-data/'; }
