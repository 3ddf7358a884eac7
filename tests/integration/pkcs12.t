#!/bin/sh
# PKCS#12 between programs: files by OpenSSL 3, OpenSSL's legacy mode, NSS's pk12util and GnuTLS' certtool are taken,
# what Windows and a public authority hand out is laid out alike; what signet writes is read back by each of them.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
work=$tmp/work
mkdir "$work" && cd "$work" || exit 1
quiet() { "$@" >/dev/null 2>&1; }
printf 'pass-wörd 1\n' >password # not ASCII: every form of deriving from it is met
secret=$(cat password)

# A root, one below it, and three people: RSA with two addresses, P-256, P-384.
rsa_key root.key && quiet openssl req -x509 -key root.key -out root.pem -days 99 -subj '/O=House/CN=Test Root' \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
rsa_key sub.key && quiet openssl req -new -key sub.key -out sub.csr -subj '/O=House/CN=Test Client CA G3'
printf 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n' >sub.ext
quiet openssl x509 -req -in sub.csr -CA root.pem -CAkey root.key -CAcreateserial -days 50 -out sub.pem -extfile sub.ext
leaf() { # leaf NAME KEY-OPTIONS SAN
  quiet openssl req -newkey $2 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1"
  printf 'subjectAltName=%s\nkeyUsage=digitalSignature,keyEncipherment,keyAgreement\nextendedKeyUsage=emailProtection\n' "$3" >"$1.ext"
  quiet openssl x509 -req -in "$1.csr" -CA sub.pem -CAkey sub.key -CAcreateserial -days 9 -out "$1.pem" -extfile "$1.ext"
}
leaf rsa rsa:2048 email:anna@example.org,email:anna.keller@example.com
leaf p256 'ec -pkeyopt ec_paramgen_curve:P-256' email:bob@example.org
leaf p384 'ec -pkeyopt ec_paramgen_curve:P-384' email:carol@example.org
cat sub.pem root.pem >chain.pem

# taken NAME FILE KEYS CERTIFICATES: into a new database, and the keys work: what was encrypted to them is read.
taken() {
  rm -rf profile
  if ! "$signet" --profile profile --json cert import "$2" --password-file password >out 2>err; then
    ok 1 "$1" "$(cat err)"
    return
  fi
  keys=$(grep -c '"own":true' out) all=$(wc -l <out)
  printf 'To: x@example.org\nSubject: s\nContent-Type: text/plain\n\nfor your eyes\n' >plain
  problem=
  [ "$keys" = "$3" ] && [ "$all" = "$4" ] || problem="$keys keys of $3, $all certificates of $4"
  for who in $5; do
    quiet openssl cms -encrypt -aes256 -in plain -out sealed.eml "$who.pem" || problem="$problem; openssl cannot encrypt to $who"
    "$signet" --profile profile decrypt sealed.eml 2>err | grep -q 'for your eyes' || problem="$problem; $who: $(cat err)"
  done
  [ -z "$problem" ]; ok $? "$1" "$problem"
}

quiet openssl pkcs12 -export -inkey rsa.key -in rsa.pem -passout file:password -name anna -out openssl3.p12
taken 'OpenSSL 3 (PBES2, AES-256, HMAC SHA-256)' openssl3.p12 1 1 rsa
quiet openssl pkcs12 -export -inkey p256.key -in p256.pem -certfile chain.pem -passout file:password -out ec.p12
taken '... P-256 with its chain' ec.p12 1 3 p256
quiet openssl pkcs12 -export -inkey p384.key -in p384.pem -passout file:password -out ec384.p12
taken '... P-384' ec384.p12 1 1 p384
quiet openssl pkcs12 -export -legacy -inkey rsa.key -in rsa.pem -passout file:password -name anna -out legacy.p12
taken 'OpenSSL 1.1 (-legacy: RC2-40 and 3DES, SHA-1)' legacy.p12 1 1 rsa
quiet openssl pkcs12 -export -legacy -descert -macalg sha1 -inkey rsa.key -in rsa.pem -passout file:password -out des.p12
taken '3DES for both' des.p12 1 1 rsa
# Windows: certificates first with RC2-40, key in 3DES, 2,000 rounds, a Microsoft CSP name and a GUID for a name.
quiet openssl pkcs12 -export -legacy -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-RC2-40 -macalg sha1 -iter 2000 -keyex \
  -CSP 'Microsoft Enhanced RSA and AES Cryptographic Provider' -name '{1B6F7E4A-8D5C-4C3B-9A57-0D1F5A6B7C8D}' \
  -inkey rsa.key -in rsa.pem -certfile chain.pem -passout file:password -out windows.pfx
taken 'as Windows exports it' windows.pfx 1 3 rsa
# A public authority's: the chain with the root before the leaf, its names in it, several addresses in one.
cat root.pem sub.pem rsa.pem >reversed.pem
quiet openssl pkcs12 -export -inkey rsa.key -in reversed.pem -caname 'Test Root' -caname 'Test Client CA G3' -legacy \
  -passout file:password -out authority.p12
taken 'as an authority sends it: the chain first' authority.p12 1 3 rsa
"$signet" --profile profile cert show anna.keller@example.com >out 2>&1 && grep -q anna@example.org out
ok $? '... found by its second address'
"$signet" --profile profile --json cert list --authorities >out 2>&1 && ! grep -q '"trusted_mail":true' out
ok $? '... and its authorities became trusted for nothing by it'

# NSS: pk12util of a database with several keys.
mkdir nss
quiet certutil -N -d sql:nss --empty-password
quiet pk12util -i openssl3.p12 -d sql:nss -w password -K ''
quiet pk12util -i ec.p12 -d sql:nss -w password -K ''
for cipher in 'AES-256-CBC AES-256-CBC' 'AES-128-CBC none' 'PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC'; do
  case $cipher in
  PKCS*) first='PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC' second='PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC' ;;
  *) first=${cipher% *} second=${cipher#* } ;;
  esac
  rm -f nss.p12
  quiet pk12util -o nss.p12 -n anna -d sql:nss -w password -K '' -c "$first" -C "$second"
  taken "NSS pk12util ($first, $second)" nss.p12 1 3 rsa
done

# GnuTLS.
for cipher in aes-256 3des-pkcs12 rc2-40; do
  rm -f gnutls.p12
  quiet certtool --to-p12 --load-privkey rsa.key --load-certificate rsa.pem --load-ca-certificate sub.pem \
    --pkcs-cipher $cipher --p12-name anna --password "$secret" --outder --outfile gnutls.p12
  taken "GnuTLS certtool ($cipher)" gnutls.p12 1 2 rsa
done

# Several keys in one file: pk12util writes all certificates of one name, here one for signing and one for reading.
mkdir both
quiet certutil -N -d sql:both --empty-password
for one in sign read; do
  quiet openssl req -newkey rsa:2048 -nodes -keyout $one.key -out $one.csr -subj /CN=pair
  [ $one = sign ] && usage=digitalSignature || usage=keyEncipherment
  printf 'subjectAltName=email:pair@example.org\nkeyUsage=%s\nextendedKeyUsage=emailProtection\n' $usage >$one.ext
  quiet openssl x509 -req -in $one.csr -CA sub.pem -CAkey sub.key -CAcreateserial -days 9 -out $one.pem -extfile $one.ext
  quiet openssl pkcs12 -export -inkey $one.key -in $one.pem -name pair -passout file:password -out $one.p12
  quiet pk12util -i $one.p12 -d sql:both -w password -K ''
done
quiet pk12util -o several.p12 -n pair -d sql:both -w password -K ''
taken 'two keys in one file (pk12util)' several.p12 2 2 read
"$signet" --profile profile cert import root.pem --trust >out 2>&1
"$signet" --profile profile cert import sub.pem >>out 2>&1
printf 'From: pair@example.org\nTo: x@example.org\nSubject: s\n\nsigned\n' >plain
"$signet" --profile profile sign plain >signed.eml 2>err && quiet openssl cms -verify -in signed.eml -CAfile root.pem -signer signer.pem \
  && [ "$(openssl x509 -in signer.pem -noout -serial)" = "$(openssl x509 -in sign.pem -noout -serial)" ]
ok $? '... and the one for signing signs' "$(cat err)"

# What does not fit says so.
printf 'wrong\n' >wrong
rm -rf profile
"$signet" --profile profile cert import openssl3.p12 --password-file wrong >out 2>err
is "$?" 77 'a wrong password: 77'
head -c 700 openssl3.p12 >short.p12
"$signet" --profile profile cert import short.p12 --password-file password >out 2>err
is "$?" 65 'cut short: 65'

# Ours, read back. back NAME WHO: exported once, imported by each.
back() {
  rm -rf profile theirs
  quiet "$signet" --profile profile cert import root.pem
  quiet "$signet" --profile profile cert import "$2" --password-file password
  rm -f ours.p12
  "$signet" --profile profile cert export --p12 --password-file password --out ours.p12 "$3" >out 2>err
  ok $? "$1: written" "$(cat err)"
  openssl pkcs12 -in ours.p12 -passin file:password -nodes 2>err | openssl pkey -pubout 2>/dev/null >theirs.pub
  openssl x509 -in "$4.pem" -noout -pubkey | cmp -s - theirs.pub
  ok $? "$1: OpenSSL finds the key" "$(cat err)"
  [ "$(openssl pkcs12 -in ours.p12 -passin file:password -nokeys 2>/dev/null | grep -c BEGIN)" = "$5" ]
  ok $? "$1: ... and $5 certificates"
  openssl pkcs12 -in ours.p12 -passin file:password -info -noout 2>&1 | grep -q 'AES-256-CBC'
  ok $? "$1: AES-256"
  mkdir theirs
  quiet certutil -N -d sql:theirs --empty-password
  pk12util -i ours.p12 -d sql:theirs -w password -K '' >err 2>&1 && certutil -K -d sql:theirs 2>/dev/null | grep -q '<'
  ok $? "$1: pk12util takes it" "$(cat err)"
  certtool --p12-info --inder --infile ours.p12 --password "$secret" >out 2>err && grep -q 'PRIVATE KEY' out && grep -q 'BEGIN CERTIFICATE' out
  ok $? "$1: certtool opens it" "$(cat err)"
  taken "$1: we too" ours.p12 1 "$5" "$4"
}
back RSA authority.p12 anna@example.org rsa 3
back P-256 ec.p12 bob@example.org p256 3
done_testing
