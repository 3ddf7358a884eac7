#!/bin/sh
# SASL EXTERNAL for sending: a submission server that takes no password at all, only a TLS client certificate, whose key
# lies in the certificate database or on a token (SoftHSM2).
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
. tests/lab/smtp-lab.sh
trap 'smtp_end; tap_cleanup' EXIT
p=$tmp/p
mkdir -p "$p/Mail/cur" "$p/Mail/new" "$p/Mail/tmp"
rsa_key "$tmp/ca.key" && openssl req -x509 -key "$tmp/ca.key" -out "$tmp/ca.pem" -days 30 -subj '/CN=client authority' \
	-addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign' 2>/dev/null
for who in anna mallory; do
	rsa_key "$tmp/$who.key" && openssl req -new -key "$tmp/$who.key" -subj "/CN=$who" -out "$tmp/$who.csr" 2>/dev/null
	printf 'extendedKeyUsage=clientAuth,emailProtection\nkeyUsage=digitalSignature\nsubjectAltName=email:%s@example.org\n' $who >"$tmp/$who.ext"
	openssl x509 -req -in "$tmp/$who.csr" -CA "$tmp/ca.pem" -CAkey "$tmp/ca.key" -CAcreateserial -days 20 \
		-extfile "$tmp/$who.ext" -out "$tmp/$who.pem" 2>/dev/null
	openssl pkcs12 -export -in "$tmp/$who.pem" -inkey "$tmp/$who.key" -out "$tmp/$who.p12" -passout pass:test
done
echo test >"$tmp/pw"
print_of() { openssl x509 -in "$tmp/$1.pem" -noout -fingerprint -sha256 | sed 's/.*=//'; }
account() { # account PROFILE URL KEYS...
	file=$1/signet.conf
	printf '[account x]\naddress = anna@example.org\nmaildir = Mail\nsmtp = %s\n' "$2" >"$file"
	shift 2
	printf '%s\n' "$@" >>"$file"
}
logins() { tail -n 1 "$smtp_dir/logins"; }
run() { exits "$1" "$2" "$signet" --profile "$p" --batch "$3" "$4" "$5"; }
send() { echo text | "$signet" --profile "$p" --batch send -s "$1" bob@example.org >"$tmp/said" 2>&1; }

for mode in tls starttls; do
	[ $mode = tls ] && scheme=smtps || scheme=smtp
	SMTP_CLIENTS=$tmp/ca.pem smtp_lab "$tmp/lab" --$mode
	: >"$smtp_dir/logins"
	url=$scheme://anna@127.0.0.1:$smtp_port
	p=$tmp/$mode
	mkdir -p "$p/Mail/cur" "$p/Mail/new" "$p/Mail/tmp"
	account "$p" "$url" 'auth = external' "tls-cert = $(print_of anna)"
	exits 0 "$mode: the server's authority" "$signet" --profile "$p" --batch cert import "$tmp/lab/ca.pem" --tls
	for who in anna mallory; do
		exits 0 "the key of $who" "$signet" --profile "$p" --batch cert import "$tmp/$who.p12" --password-file "$tmp/pw"
	done
	exits 0 "$mode: account check logs in by certificate" "$signet" --profile "$p" --batch account check
	like "$out" 'smtp login +OK +anna by EXTERNAL' "and says by what"
	is "$(logins)" "['anna'] as anna: anna" "the server saw her certificate"
	send "by certificate $mode"
	is $? 0 "a message is sent"
	is "$(smtp_count "by certificate $mode")" 1 "it arrived"
	account "$p" "$url" "tls-cert = $(print_of anna)"
	send "found $mode"
	is "$(smtp_count "found $mode")" 1 "$mode: EXTERNAL is chosen by itself"
	account "$p" "$scheme://127.0.0.1:$smtp_port" 'tls-cert = auto'
	send "unnamed $mode"
	is "$(smtp_count "unnamed $mode")" 1 "$mode: without a user the certificate says who it is"
	is "$(logins)" "['anna'] as -: anna" "with an empty identity"

	account "$p" "$url" 'auth = external' "tls-cert = $(print_of mallory)"
	send "wrong $mode"
	is $? 0 "$mode: another's certificate: queued"
	like "$(cat "$tmp/said")" 'no certificate of that name' "with the server's words"
	is "$(smtp_count "wrong $mode")" 0 "nothing was sent"
	account "$p" "$url" 'auth = external'
	send "without $mode"
	is "$(smtp_count "without $mode")" 0 "$mode: without a certificate nothing is sent"
	like "$(cat "$tmp/said")" 'tls-cert' "and what to write is said"
	unlike "$(cat "$tmp/said")" '[Pp]assword' "no password is talked of"
	account "$p" "$url" 'auth = external' "tls-cert = $(print_of anna)"
	exits 0 "with it both leave" "$signet" --profile "$p" --batch outbox flush --now
	is "$(smtp_count "wrong $mode")/$(smtp_count "without $mode")" 1/1 "$mode: once each"
done

# The same key on a token, in a profile that has none.
for module in /usr/lib/softhsm/libsofthsm2.so /usr/lib64/pkcs11/libsofthsm2.so /usr/lib/pkcs11/libsofthsm2.so; do
	[ -e "$module" ] && break
done
mkdir "$tmp/tokens"
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$tmp" >"$tmp/softhsm2.conf"
export SOFTHSM2_CONF="$tmp/softhsm2.conf"
{
	softhsm2-util --module "$module" --init-token --free --label card --pin 1234 --so-pin 12345678 &&
		openssl pkcs8 -topk8 -nocrypt -in "$tmp/anna.key" -out "$tmp/anna.p8" &&
		openssl x509 -in "$tmp/anna.pem" -outform DER -out "$tmp/anna.der" &&
		softhsm2-util --module "$module" --import "$tmp/anna.p8" --token card --label anna --id 01 --pin 1234 &&
		pkcs11-tool --module "$module" --token-label card --login --pin 1234 --write-object "$tmp/anna.der" --type cert --id 01 --label anna
} >"$tmp/card" 2>&1
ok $? "a token holds the key" "$(cat "$tmp/card")"
p=$tmp/card.profile
mkdir -p "$p/Mail/cur" "$p/Mail/new" "$p/Mail/tmp"
account "$p" "$url" 'auth = external' "tls-cert = $(print_of anna)"
exits 0 "the server's authority again" "$signet" --profile "$p" --batch cert import "$tmp/lab/ca.pem" --tls
exits 0 "the token is known" "$signet" --profile "$p" --batch token add soft "$module"
send "no pin"
is "$(smtp_count "no pin")" 0 "without the PIN nothing is sent"
like "$(cat "$tmp/said")" 'PIN|SIGNET_PIN|card' "and it says what is missing"
export SIGNET_PIN=1234
exits 0 "with the PIN the token logs in" "$signet" --profile "$p" --batch account check
like "$out" 'smtp login +OK +anna by EXTERNAL' "by EXTERNAL"
send "by card"
is "$(smtp_count "by card")" 1 "and sends"
exits 0 "what was queued too" "$signet" --profile "$p" --batch outbox flush --now
is "$(smtp_count "no pin")" 1 "once"
done_testing
