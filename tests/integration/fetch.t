#!/bin/sh
# What is fetched over https: the trust store's authorities for servers decide, not the system's list.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
lab=$tmp/lab profile=$tmp/profile
mkdir "$lab" "$profile"
printf '[keys]\nsystem-tokens = no\n[policy]\ninternal-hosts = localhost 127.0.0.1\n' >"$profile/signet.conf"
authority() { # authority NAME
	rsa_key "$lab/$1.key" && openssl req -x509 -key "$lab/$1.key" -out "$lab/$1.pem" -days 30 -subj "/CN=$1" \
		-addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' 2>/dev/null
}
cert() { # cert NAME ISSUER SERIAL EXTENSIONS
	rsa_key "$lab/$1.key" && openssl req -new -key "$lab/$1.key" -subj "/CN=$1" -out "$lab/$1.csr" 2>/dev/null
	printf '%b\n' "$4" >"$lab/$1.ext"
	openssl x509 -req -in "$lab/$1.csr" -CA "$lab/$2.pem" -CAkey "$lab/$2.key" -set_serial "$3" -days 20 -extfile "$lab/$1.ext" \
		-out "$lab/$1.pem" 2>/dev/null
}
authority mail-ca
authority web-ca
cert web web-ca 2 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth'
cat "$lab/web.key" "$lab/web.pem" >"$lab/tls.pem"

mkfifo "$tmp/life"
python3 tests/lab/http-server.py "$lab" <"$tmp/life" &
server=$!
exec 9>"$tmp/life"
tap_cleanup() {
	exec 9>&-
	wait "$server" 2>/dev/null
	rm -rf "$tmp"
}
wait_until 30 test -s "$lab/port" || { echo "Bail out! the server does not start"; exit 1; }
port=$(cat "$lab/port-tls")
: >"$lab/index.txt"
printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index.txt\ndefault_md=sha256\n' "$lab" >"$lab/ca.cnf"
openssl ca -gencrl -config "$lab/ca.cnf" -cert "$lab/mail-ca.pem" -keyfile "$lab/mail-ca.key" -crldays 9 -out "$lab/list.pem" 2>/dev/null
openssl crl -in "$lab/list.pem" -outform DER -out "$lab/fresh.crl"
signer() { # signer NAME SERIAL HOST
	cert "$1" mail-ca "$2" "subjectAltName=email:anna@example.org\nkeyUsage=digitalSignature\nextendedKeyUsage=emailProtection\ncrlDistributionPoints=URI:https://$3:$port/files/fresh.crl"
	{
		printf 'From: anna@example.org\r\n'
		printf 'Content-Type: text/plain\r\n\r\nAll is well.\r\n' |
			openssl cms -sign -nodetach -binary -signer "$lab/$1.pem" -inkey "$lab/$1.key" -outform SMIME | tr -d '\r' | sed 's/$/\r/'
	} >"$lab/$1.eml"
}
signer here 10 localhost
signer elsewhere 11 127.0.0.1
verify() { "$signet" --profile "$profile" --batch verify --trust "$lab/mail-ca.pem" --online --revocation hard "$lab/$1.eml"; }

exits 7 "an https server of an authority that is not trusted for servers is not believed" verify here
like "$out" "does not prove that it is the one" "and it is said, with what to do"
like "$out" "cert import --tls" "which is to trust its authority"
export SSL_CERT_FILE="$lab/web-ca.pem" CURL_CA_BUNDLE="$lab/web-ca.pem"
exits 7 "no variable of the environment leads around it" verify here
unset SSL_CERT_FILE CURL_CA_BUNDLE
exits 0 "its authority is trusted for servers" "$signet" --profile "$profile" --batch cert import --tls "$lab/web-ca.pem"
exits 0 "then its list is taken" verify here
exits 7 "not under another name" verify elsewhere
like "$out" "does not prove that it is the one" "and it is said"
done_testing
