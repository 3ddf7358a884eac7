#!/bin/sh
# Makes the keys of fuzz-message (an authority, an author below it; throw-away, password "test", they protect nothing)
# and the seeds tests/fuzz/seeds/message/key-* anew: mail that those keys, and those of cms-seeds.sh, sign and open.
# usage: sh tests/fuzz/message-seeds.sh
set -eu
cd "$(dirname "$0")"
seeds=$PWD/seeds/message keys=$PWD/keys
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cd "$dir"
EC='ec -pkeyopt ec_paramgen_curve:P-256'
openssl req -x509 -newkey $EC -nodes -keyout root.key -out "$keys/root.pem" -days 36500 -subj '/CN=Fuzz Root' \
	-addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' 2>/dev/null
openssl req -newkey $EC -nodes -keyout author.key -out author.csr -subj '/CN=Fuzz Author' 2>/dev/null
printf '%s\n' 'subjectAltName=email:author@fuzz.example' 'keyUsage=digitalSignature' 'extendedKeyUsage=emailProtection' >author.ext
openssl x509 -req -in author.csr -CA "$keys/root.pem" -CAkey root.key -set_serial 7 -days 36000 -extfile author.ext -out "$keys/author.pem" 2>/dev/null
openssl pkcs12 -export -in "$keys/author.pem" -inkey author.key -passout pass:test -name author -out "$keys/author.p12"
for name in rsa ec; do openssl pkcs12 -in "$keys/$name.p12" -passin pass:test -nokeys -out "$name.pem"; openssl pkcs12 -in "$keys/$name.p12" -passin pass:test -nocerts -nodes -out "$name.key"; done
openssl x509 -in ec.pem -out "$keys/reader.pem"

rm -f "$seeds"/key-* "$seeds"/wrap-*
head='From: Author <author@fuzz.example>\r\nTo: ec@fuzz.example\r\nSubject: seed\r\nDate: Sat, 16 Mar 2030 12:00:00 +0000\r\nMIME-Version: 1.0\r\n'
printf 'Content-Type: text/plain; charset=utf-8\r\n\r\nAll is well.\r\n' >part
printf 'Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: text/html\r\n\r\n<p>All <a href="https://x.example/">is</a>\r\n--m\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\nx\r\n--m--\r\n' >mixed
mail() { printf "$head" >"$seeds/$1"; grep -v '^MIME-Version:' >>"$seeds/$1"; }
sign() { openssl cms -sign -signer "$keys/author.pem" -inkey author.key "$@" -outform SMIME -crlfeol; }
seal() { who=$1; shift; openssl cms -encrypt -outform SMIME -crlfeol -provider default -provider legacy "$@" "$who.pem"; }
sign -in part | mail key-detached
sign -in part -binary -nodetach | mail key-opaque
sign -in mixed -md sha512 | mail key-mixed
sign -in part -signer ec.pem -inkey ec.key | mail key-two
sign -in part | sed 's/All is well/All is lost/' | mail key-altered
sign -in part -binary -nodetach -nocerts | mail key-no-cert
seal ec -in part -aes128 | mail key-cbc
seal ec -in part -aes-256-gcm | mail key-gcm
seal rsa -in part -aes256 | mail key-rsa
seal rsa -in part -des3 | mail key-3des
sign -in part >signed; seal ec -in signed -aes128 | mail key-signed-inside
sign -in part -binary -nodetach >signed; seal ec -in signed -aes-128-gcm | mail key-opaque-inside
seal ec -in part -aes128 >sealed; sign -in sealed | mail key-sealed-inside
sign -in part >one; seal ec -in one -aes128 >two; sign -in two | mail key-triple
{ printf 'Content-Type: multipart/mixed; boundary=l\r\n\r\n--l\r\n'; sign -in part; printf '\r\n--l\r\n\r\nfooter\r\n--l--\r\n'; } | mail key-footer

# The letters say how the harness wraps what follows them.
inner='From: Author <author@fuzz.example>\r\nTo: ec@fuzz.example\r\nSubject: inside\r\n'
printf "%%S\nContent-Type: text/plain\r\n\r\nAll is well.\r\n" >"$seeds/wrap-s"
{ printf '%%D\n'; cat mixed; } >"$seeds/wrap-d"
printf "%%SE\n${inner}Content-Type: text/plain; hp=\"clear\"\r\n\r\nAll is well.\r\n" >"$seeds/wrap-hp-clear"
printf "%%ES\n${inner}HP-Outer: Subject: [...]\r\nHP-Outer: From: author@fuzz.example\r\nContent-Type: text/plain; hp=\"cipher\"; hp-legacy-display=\"1\"\r\n\r\nSubject: inside\r\n\r\nAll is well.\r\n" >"$seeds/wrap-hp-cipher"
printf "%%GD\n${inner}Content-Type: multipart/mixed; protected-headers=\"v1\"; boundary=p\r\n\r\n--p\r\nContent-Type: text/plain; protected-headers=\"v1\"\r\n\r\nSubject: inside\r\n--p\r\nContent-Type: text/plain\r\n\r\nAll is well.\r\n--p--\r\n" >"$seeds/wrap-hp-draft"
printf "%%SG\nContent-Type: message/rfc822; forwarded=no\r\n\r\n${inner}Content-Type: text/plain\r\n\r\nAll is well.\r\n" >"$seeds/wrap-rfc822"
printf "%%E\nContent-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\n\r\ntext\r\n--a\r\nContent-Type: text/html\r\n\r\n<a href=https://x.example/>html</a>\r\n--a--\r\n" >"$seeds/wrap-e"
{ printf '%%DS\n'; printf 'Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n'; cat sealed; printf '\r\n--m\r\nContent-Type: message/rfc822\r\n\r\n'; printf "$head"; cat one; printf '\r\n--m--\r\n'; } >"$seeds/wrap-nested"
