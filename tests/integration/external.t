#!/bin/sh
# SASL EXTERNAL: a real Dovecot that takes no password at all, only a TLS client certificate, whose key lies in the
# certificate database or on a token (SoftHSM2).
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
lab=$tmp/lab p=$tmp/p
mkdir -p "$lab" "$p"
chmod 711 "$tmp" # Dovecot's own user passes through it
trap 'sh tests/lab/dovecot.sh stop "$lab" >/dev/null 2>&1; tap_cleanup' EXIT
sh tests/lab/dovecot.sh start "$lab" >"$tmp/start" 2>&1
ok $? "a Dovecot starts" "$(cat "$tmp/start")"
. "$lab/env"

# An authority for clients, and anna's certificate from it.
cd "$tmp" || exit 1
rsa_key ca.key && openssl req -x509 -key ca.key -out ca.pem -days 30 -subj '/CN=client authority' \
	-addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' 2>/dev/null
for who in anna mallory; do
	rsa_key $who.key && openssl req -new -key $who.key -subj "/CN=$who" -out $who.csr 2>/dev/null
	printf 'extendedKeyUsage=clientAuth,emailProtection\nkeyUsage=digitalSignature\nsubjectAltName=email:%s@example.org\n' $who >$who.ext
	openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 20 -extfile $who.ext -out $who.pem 2>/dev/null
	openssl pkcs12 -export -in $who.pem -inkey $who.key -out $who.p12 -passout pass:test
done
echo test >pw
chmod 644 ca.pem
cd - >/dev/null || exit 1

sh tests/lab/dovecot.sh stop "$lab"
crl=$tmp/ca.crl # Dovecot wants one beside the authority
: >"$tmp/index"
printf '[ca]\ndefault_ca = d\n[d]\ndatabase = %s/index\ndefault_md = sha256\n' "$tmp" >"$tmp/crl.cnf"
openssl ca -gencrl -keyfile "$tmp/ca.key" -cert "$tmp/ca.pem" -out "$crl" -crldays 20 -config "$tmp/crl.cnf" 2>/dev/null
cat "$tmp/ca.pem" "$crl" >"$lab/clients.pem"
sed -i -E 's/^([a-z]+):\{PLAIN\}[^:]*:(.*):$/\1::\2:nopassword=y/' "$lab/passwd"
cat >>"$lab/dovecot.conf" <<C
ssl_ca = <$lab/clients.pem
ssl_verify_client_cert = yes
auth_ssl_require_client_cert = yes
auth_ssl_username_from_cert = yes
ssl_cert_username_field = commonName
auth_mechanisms = external
C
sh tests/lab/dovecot.sh again "$lab" >"$tmp/again" 2>&1
ok $? "and again, for client certificates only" "$(cat "$tmp/again")"

account() { # account KEYS...: signet.conf
	{
		printf '[account x]\nimap = imaps://anna@127.0.0.1:%s\n' "$PORT_TLS"
		printf '%s\n' "$@"
	} >"$p/signet.conf"
}
exits 0 "the server's authority is imported for servers" "$signet" --profile "$p" --batch cert import --tls "$lab/tls/ca-good.pem"
exits 0 "anna's key is imported" "$signet" --profile "$p" --batch cert import "$tmp/anna.p12" --password-file "$tmp/pw"
fingerprint=$(openssl x509 -in "$tmp/anna.pem" -noout -fingerprint -sha256 | sed 's/.*=//')

account 'auth = external' "tls-cert = $fingerprint"
exits 0 "account check logs in by certificate" "$signet" --profile "$p" --batch account check
like "$out" 'login.*OK' "the login is said to be OK"
like "$out" '[Ee][Xx][Tt][Ee][Rr][Nn][Aa][Ll]' "by EXTERNAL"
exits 0 "folders are listed" "$signet" --profile "$p" --batch folders --json
like "$out" '"INBOX"' "INBOX is there"
account 'tls-cert = auto' 'address = anna@example.org'
exits 0 "the certificate is found by itself, the mechanism too" "$signet" --profile "$p" --batch account check
# The same key under an older certificate, which has ended: kept to read old mail, never used to log in.
old=$tmp/old
mkdir "$old"
openssl x509 -req -in "$tmp/anna.csr" -CA "$tmp/ca.pem" -CAkey "$tmp/ca.key" -CAcreateserial -days -1 \
	-extfile "$tmp/anna.ext" -out "$tmp/old.pem" 2>/dev/null
openssl pkcs12 -export -in "$tmp/old.pem" -inkey "$tmp/anna.key" -out "$tmp/old.p12" -passout pass:test
p=$old
account 'tls-cert = auto' 'address = anna@example.org'
exits 0 "a profile with the server's authority" "$signet" --profile "$p" --batch cert import --tls "$lab/tls/ca-good.pem"
exits 0 "and an expired certificate of anna's" "$signet" --profile "$p" --batch cert import "$tmp/old.p12" --password-file "$tmp/pw"
exits 1 "auto does not take it" "$signet" --profile "$p" --batch account check
like "$out$err" 'have expired' "and says why"
exits 0 "her new one beside it" "$signet" --profile "$p" --batch cert import "$tmp/anna.p12" --password-file "$tmp/pw"
exits 0 "is the one that auto takes" "$signet" --profile "$p" --batch account check
p=$tmp/p
account 'auth = external'
exits 1 "without a certificate: refused" "$signet" --profile "$p" --batch account check
unlike "$out$err" 'password' "and no password is talked of"
like "$(cat "$lab/log")" 'Login: user=<anna>, method=EXTERNAL' "the server saw EXTERNAL"

# The same key on a token, in a profile that has none.
for module in /usr/lib/softhsm/libsofthsm2.so /usr/lib64/pkcs11/libsofthsm2.so /usr/lib/pkcs11/libsofthsm2.so; do
	[ -e "$module" ] && break
done
mkdir "$tmp/tokens"
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$tmp" >"$tmp/softhsm2.conf"
export SOFTHSM2_CONF="$tmp/softhsm2.conf"
{
	softhsm2-util --module "$module" --init-token --free --label card --pin 1234 --so-pin 12345678
	openssl pkcs8 -topk8 -nocrypt -in "$tmp/anna.key" -out "$tmp/anna.p8"
	openssl x509 -in "$tmp/anna.pem" -outform DER -out "$tmp/anna.der"
	softhsm2-util --module "$module" --import "$tmp/anna.p8" --token card --label anna --id 01 --pin 1234
	pkcs11-tool --module "$module" --token-label card --login --pin 1234 --write-object "$tmp/anna.der" --type cert --id 01 --label anna
} >"$tmp/card" 2>&1
ok $? "a token holds the key" "$(cat "$tmp/card")"
p=$tmp/q
mkdir "$p"
account 'auth = external' "tls-cert = $fingerprint"
exits 0 "the server's authority again" "$signet" --profile "$p" --batch cert import --tls "$lab/tls/ca-good.pem"
exits 0 "the token is known" "$signet" --profile "$p" --batch token add soft "$module"
exits 1 "without the PIN nothing is sent" "$signet" --profile "$p" --batch account check
like "$err$out" 'card|PIN|SIGNET_PIN' "and it says what is missing"
exits 1 "nor with a wrong one" env SIGNET_PIN=0000 "$signet" --profile "$p" --batch account check
exits 0 "with the PIN the token logs in" env SIGNET_PIN=1234 "$signet" --profile "$p" --batch account check
like "$out" 'login.*OK' "and the server says so"
done_testing
