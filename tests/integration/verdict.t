#!/bin/sh
# Verdicts on messages that the corpus does not have, put together by openssl.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh

(
	cd "$tmp" || exit 1
	rsa_key ca.key && openssl req -x509 -key ca.key -out ca.pem -days 30 -subj '/CN=Lab CA' \
		-addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign'
	rsa_key anna.key && openssl req -new -key anna.key -out anna.csr -subj '/CN=Anna'
	printf 'subjectAltName=email:anna@example.org\nkeyUsage=digitalSignature\nextendedKeyUsage=emailProtection\n' >anna.ext
	openssl x509 -req -in anna.csr -CA ca.pem -CAkey ca.key -set_serial 2 -out anna.pem -days 20 -extfile anna.ext
) >/dev/null 2>&1
printf 'Content-Type: text/plain\r\n\r\nAll is well.\r\n' >"$tmp/part"
verify() { "$signet" --profile "$tmp/profile" --batch verify --trust "$tmp/ca.pem" "$@"; }
message() { # message FILE < DER of a signature: around the part
	{
		printf 'From: anna@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b;'
		printf ' protocol="application/pkcs7-signature"\r\n\r\n--b\r\n'
		cat "$tmp/part"
		printf '\r\n--b\r\nContent-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\n'
		openssl base64
		printf -- '--b--\r\n'
	} >"$1"
}
sign() { openssl cms -sign -binary -in "$tmp/part" -signer "$tmp/anna.pem" -inkey "$tmp/anna.key" -outform DER "$@"; }

sign | message "$tmp/detached.eml"
exits 0 "a detached signature is good" verify "$tmp/detached.eml"
sign -nodetach | message "$tmp/enclosed.eml"
exits 1 "one that brings the same text again is not (which of the two would be shown?)" verify "$tmp/enclosed.eml"
like "$out" 'brings a text of its own' "and the reason is named"

exits 0 "--explain draws the chain" verify --explain "$tmp/detached.eml"
like "$out" '^    CN=Lab CA .*trusted for mail' "with the authority at the top"
like "$out" '^    `- CN=Anna ' "and the signer below it"
"$signet" --profile "$tmp/profile" --batch verify --explain "$tmp/detached.eml" >"$tmp/out" 2>&1
like "$(cat "$tmp/out")" '! unknown-issuer: .* not trusted here\. .*signet cert import --trust' "what is broken, and the command that mends it"
printf 'extendedKeyUsage=serverAuth\n' >"$tmp/server.ext"
openssl x509 -req -in "$tmp/anna.csr" -CA "$tmp/ca.pem" -CAkey "$tmp/ca.key" -set_serial 4 -out "$tmp/anna.pem" -days 20 \
	-extfile "$tmp/server.ext" 2>/dev/null
sign | message "$tmp/server.eml"
exits 4 "a server's certificate signs no mail" verify --explain "$tmp/server.eml"
like "$out" '! extended-key-usage: .*not issued for mail' "the rule is named under its certificate"
done_testing
