#!/bin/sh
# A key made on a token (SoftHSM2), the request for it, and the certificate that an authority issued put beside it: it
# then decrypts and signs there.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
library=$(find /usr/lib /usr/local/lib -name libsofthsm2.so 2>/dev/null | head -n 1)
[ -n "$library" ] || { echo 'Bail out! there is no libsofthsm2.so'; exit 1; }
work=$tmp/work
profile=$tmp/profile
mkdir "$work" "$work/tokens" && cd "$work" || exit 1
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\n' "$work" >softhsm.conf
SOFTHSM2_CONF=$work/softhsm.conf
export SOFTHSM2_CONF
softhsm2-util --init-token --free --label Karte --so-pin 12345678 --pin 1234 >/dev/null
echo 1234 >pin
echo 4321 >wrong
rsa_key root.key && openssl req -x509 -key root.key -out root.pem -days 99 -subj /CN=Root \
  -addext basicConstraints=critical,CA:TRUE 2>/dev/null
run() { "$signet" --profile "$profile" --batch "$@" >out 2>err </dev/null; }
did() { ok $? "$1" "$(cat out err)"; }
run cert import root.pem --trust && run token add soft "$library"
did 'an authority, and the module'
run cert request no@example.org --token Karte --pin-file wrong --out no.req
is "$?:$(ls no.req 2>/dev/null)" '77:' 'a wrong PIN: 77, and no file is left'
for kind in rsa-3072 p-256 p-384; do
  run cert request "$kind@example.org" --key $kind --token Karte --pin-file pin --out $kind.req
  did "$kind: a key on the token, and its request"
  openssl req -in $kind.req -noout -verify 2>&1 | grep -q OK
  did "$kind: openssl agrees with the signature"
  openssl x509 -req -in $kind.req -CA root.pem -CAkey root.key -days 90 -copy_extensions copyall -out $kind.pem 2>/dev/null
  run cert import $kind.pem --pin-file pin && grep -q 'K---- .*on Karte' out
  did "$kind: the certificate goes beside its key"
  run cert import $kind.pem --pin-file pin && grep -q 'already there' out
  did "$kind: a second time is no error"
  printf 'From: a@example.org\nSubject: s\nContent-Type: text/plain\n\nfor your eyes\n' >plain
  openssl cms -encrypt -aes256 -in plain -out sealed.eml $kind.pem
  run decrypt --pin-file pin sealed.eml && grep -q 'for your eyes' out
  did "$kind: what is encrypted to it is read"
  printf 'From: %s@example.org\nTo: x@example.org\nSubject: s\n\nhi\n' $kind >draft
  run sign --pin-file pin draft && openssl cms -verify -in out -CAfile root.pem >verified 2>err
  did "$kind: and it signs"
done
done_testing
