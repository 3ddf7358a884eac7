#!/bin/sh
# Keys that were replaced, on a card that keeps them as PIV cards do: found for old mail, chosen for nothing new; and what
# is said where the key of an old mail is nowhere. The labels are those of OpenSC and of ykcs11; the card is SoftHSM2.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
for module in /usr/lib/softhsm/libsofthsm2.so /usr/lib64/pkcs11/libsofthsm2.so /usr/lib/pkcs11/libsofthsm2.so; do
  [ -e "$module" ] && break
done
here=$PWD
cd "$tmp" || exit 1
cc -shared -fPIC -o removable.so "$here/tests/lab/removable-token.c" $(pkg-config --cflags nss) -ldl || { echo 'Bail out! no module'; exit 1; }
mkdir tokens reader
export REMOVABLE_MODULE="$module" REMOVABLE_FOLDER="$tmp/reader" SOFTHSM2_CONF="$tmp/softhsm2.conf" SIGNET_PIN=1234
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$tmp" >softhsm2.conf
softhsm2-util --module "$module" --init-token --free --label PIV --pin 1234 --so-pin 12345678 >/dev/null
touch reader/present

{
  rsa_key ca.key && openssl req -x509 -key ca.key -out ca.pem -days 3650 -subj '/O=Lab/CN=Lab CA' \
    -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign'
  # the retired ones are valid longer than the one in use, and made for all: only their place says what they are
  for name in now:400 opensc:700 yubico:800 lost:900; do
    days=${name#*:} name=${name%:*}
    rsa_key $name.key && openssl req -new -key $name.key -out $name.csr -subj "/CN=Bob $name"
    printf 'subjectAltName=email:bob@example.org\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=emailProtection\nbasicConstraints=CA:FALSE\n' >ext
    openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $name.pem -days $days -extfile ext
    openssl pkcs8 -topk8 -nocrypt -in $name.key -out $name.p8
    openssl x509 -in $name.pem -outform DER -out $name.der
  done
  put() { # put ID FILE KEY-LABEL CERTIFICATE-LABEL
    softhsm2-util --module "$module" --import $2.p8 --token PIV --label "$3" --id $1 --pin 1234
    pkcs11-tool --module "$module" --token-label PIV --login --pin 1234 --write-object $2.der --type cert --id $1 --label "$4"
  }
  put 03 now 'KEY MAN key' 'Certificate for Key Management'
  put 05 opensc 'Retired KEY MAN 1' 'Retired Certificate for Key Management 1'
  put 06 yubico 'Private key for Retired Key 2' 'X.509 Certificate for Retired Key 2'
} >/dev/null 2>&1

mkdir -p profile/nssdb profile/mail/cur profile/mail/new profile/mail/tmp
printf '[account work]\naddress = bob@example.org\nmaildir = mail\n[keys]\nsystem-tokens = no\n' >profile/signet.conf
certutil -N -d sql:profile/nssdb --empty-password
certutil -A -d sql:profile/nssdb -n lab -t ,C, -i ca.pem
sig() { "$signet" --profile profile "$@"; }
sha() { openssl x509 -in $1.pem -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr A-F a-f; }
old_mail() { # old_mail KEY...: encrypted to these
  {
    printf 'From: anna@example.org\nTo: bob@example.org\nSubject: Old\nDate: %s\nMIME-Version: 1.0\n' "$(date -uR)"
    printf 'Content-Type: text/plain\r\n\r\nFrom the days of %s.\r\n' "$1" | openssl cms -encrypt -aes-256-cbc $(printf '%s.pem ' "$@") | grep -v ^MIME-V
  } >$1.eml
}
for name in now opensc yubico lost; do old_mail $name; done
printf 'From: bob@example.org\nTo: anna@example.org\nSubject: New\nDate: %s\n\nNew.\n' "$(date -uR)" >new.eml

exits 0 'the module' sig token add lab "$tmp/removable.so"
exits 0 'token list' sig token list
like "$out" 'PIV .*3 with key.*, 2 old keys, for reading old mail' 'counts the old keys'
exits 0 'token list --json' sig --json token list
like "$out" '"token":"PIV".*"certificates":3,"retired":2' 'too'
exits 0 'token setup' sig token setup --tls PIV
like "$out" "^$(sha opensc | cut -c 1-16) .* old key, for reading old mail \(Bob opensc\)" 'names an old key of OpenSC as one'
like "$out" "^$(sha yubico | cut -c 1-16) .* old key, for reading old mail \(Bob yubico\)" 'and one of ykcs11'
like "$out" "^\[account work\] sign-cert = $(sha now)" 'and offers the one in use for signing'
like "$out" "^\[account work\] encrypt-cert = $(sha now)" 'and for decryption'
is "$(printf '%s\n' "$out" | grep -c '^\[account')" 2 'and nothing else'
exits 0 'cert list' sig cert list --own
like "$out" 'Bob opensc .*old key, for reading old mail' 'says so too'

for name in now opensc yubico; do
  exits 0 "a mail to the key \"$name\" opens" sig decrypt $name.eml
  like "$out" "From the days of $name" 'with its text'
done
exits 0 'what is signed now' sig sign -o new.signed new.eml
openssl cms -verify -in new.signed -CAfile ca.pem -signer signer.pem -out /dev/null 2>/dev/null
is "$(openssl x509 -in signer.pem -noout -subject | sed 's/.*= *//')" 'Bob now' 'is signed by the key in use, though the old ones are newer'
sed -i "s/^address.*/&\nsign-cert = $(sha opensc)/" profile/signet.conf
exits 0 'an old one that signet.conf names' sig sign -o named.signed new.eml
openssl cms -verify -in named.signed -CAfile ca.pem -signer signer.pem -out /dev/null 2>/dev/null
is "$(openssl x509 -in signer.pem -noout -subject | sed 's/.*= *//')" 'Bob opensc' 'is taken: who names it knows why'
sed -i '/^sign-cert/d' profile/signet.conf

exits 8 'a mail to a key that is nowhere' sig decrypt lost.eml
serial=$(openssl x509 -in lost.pem -noout -serial | sed 's/.*=//' | tr A-F a-f)
like "$err" "not encrypted to any key that is here, but to serial 0*$serial of CN=Lab CA,O=Lab" 'names the key it wants'
like "$err" 'The card “PIV” does not show it: a card keeps keys that were replaced only if whoever issued it wrote them there, and if its module shows them' 'and why the card does not have it'
like "$err" 'signet cert import FILE.p12.*or insert the older card' 'and what to do'
exits 0 'with its certificate known' sig cert import lost.pem
exits 8 'the same mail' sig verify lost.eml
like "$out$err" "one of your address: bob@example.org \(Bob lost\), serial 0*$serial .*valid until $(date -u -d "$(openssl x509 -in lost.pem -noout -enddate | sed 's/.*=//')" +%F)" 'is said to be of one’s own address'
old_mail lost now
exits 0 'to the lost one and to one that is here: it opens' sig decrypt lost.eml

# With the card away
rm reader/present
exits 77 'away: the key in use is asked for, no old one is chosen' sig --batch sign -o away.signed new.eml
exits 0 'cert list, away' sig cert list --own
like "$out" 'Bob now .*on PIV \(not in its reader\)' 'names the certificate of a card that is away'
like "$out" 'Bob opensc .*on PIV \(not in its reader\).*old key' 'an old one too'
is "$(printf '%s\n' "$out" | grep -c 'on PIV')" 3 'and each once'
is "$(grep -c '	retired$' profile/state/cards)" 2 'the old keys of a card that is away are known as such'
sed -i '/	retired$/!d' profile/state/cards
exits 1 'with only old keys known' sig --batch sign -o away.signed new.eml
like "$err" 'no certificate to sign with' 'there is none to sign with'
exits 8 'an old mail with the card away' sig --batch decrypt opensc.eml
like "$err" 'lies on the card PIV' 'asks for the card'
done_testing
