#!/bin/sh
# What `signet sign` and `signet encrypt` write, read by openssl, by gpgsm as far as that goes, and by signet itself.
BUILD=${BUILD:-build}
signet=$(cd "$BUILD" && pwd)/signet
lab=$(cd "$(dirname "$0")/../lab" && pwd)
work=$(mktemp -d) || exit 1
unset GNUPGHOME
trap '[ -z "$GNUPGHOME" ] || gpgconf --kill all 2>/dev/null; rm -rf "$work"' EXIT
trap 'trap "" PIPE; exit 1' INT TERM HUP PIPE
cd "$work" || exit 1
profile=$work/profile
number=0

ok() { # ok NAME: the status of the command before it
  status=$?
  number=$((number + 1))
  if [ $status = 0 ]; then echo "ok $number - $1"; else echo "not ok $number - $1"; sed 's/^/# /' out err; fi
}
run() { # run EXPECTED-CODE ARGUMENTS...: signet's output goes to the files out and err
  want=$1
  shift
  "$signet" --profile "$profile" --batch "$@" >out 2>err </dev/null
  code=$?
  [ $code = "$want" ] || { echo "# exit $code, expected $want: signet $*"; return 1; }
}
complains() { grep -q -- "$1" err || { echo "# does not say: $1"; return 1; }; }
seven_bit() { ! tr -d '\r' <"$1" | LC_ALL=C grep -q '[^ -~	]'; }
quiet() { "$@" >out 2>err; }

# --- keys of every kind, one authority ---
quiet sh "$lab/rsa-key.sh" root.key
quiet openssl req -x509 -key root.key -out root.pem -days 3650 -subj '/O=Test House/CN=Root' \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
person() { # person NAME KEY-OPTIONS USAGE DAYS...
  name=$1 usage=$3 days=${4:-365}
  case $2 in
  rsa:*) quiet sh "$lab/rsa-key.sh" "$name.key" "${2#rsa:}" && quiet openssl req -new -key "$name.key" -out csr -subj "/CN=$name" ;;
  *) quiet openssl req -new -newkey $2 -nodes -keyout "$name.key" -out csr -subj "/CN=$name" ;;
  esac &&
  printf 'subjectAltName=email:%s@example.org\nkeyUsage=critical,%s\nextendedKeyUsage=emailProtection\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' \
    "${5:-$name}" "$usage" >ext &&
  quiet openssl x509 -req -in csr -CA root.pem -CAkey root.key -CAcreateserial -days "$days" -out "$name.pem" -extfile ext
}
import() { # import NAME: certificate and key into signet's database
  quiet openssl pkcs12 -export -in "$1.pem" -inkey "$1.key" -certfile root.pem -passout pass:secret -out p12 -name "$1" &&
  run 0 cert import --password-file password p12
}
printf 'secret\n' >password
rsa=digitalSignature,keyEncipherment ec=digitalSignature,keyAgreement
person rsa2048 rsa:2048 $rsa
person rsa3072 rsa:3072 $rsa
person rsa4096 rsa:4096 $rsa
person p256 'ec -pkeyopt ec_paramgen_curve:P-256' $ec
person p384 'ec -pkeyopt ec_paramgen_curve:P-384' $ec
person p521 'ec -pkeyopt ec_paramgen_curve:P-521' $ec
person dual rsa:2048 digitalSignature
person dual2 'ec -pkeyopt ec_paramgen_curve:P-256' keyAgreement 365 dual
person old rsa:2048 $rsa 0
person sealer rsa:2048 keyEncipherment
person card rsa:2048 $rsa
person cardec 'ec -pkeyopt ec_paramgen_curve:P-256' $ec
person stranger rsa:2048 $rsa
kinds='rsa2048 rsa3072 rsa4096 p256 p384 p521'
run 0 cert import --trust root.pem || exit 1
for name in $kinds dual dual2 old sealer; do import $name || exit 1; done

# --- messages ---
message() { # message FROM TO [HEADER...]: header; the body comes on standard input
  from=$1 to=$2
  shift 2
  printf 'From: %s@example.org\nTo: %s\nSubject: Vertrag\nDate: %s\nMessage-ID: <1@example.org>\n' "$from" "$to" "$(date -R)"
  for line; do printf '%s\n' "$line"; done
  printf '\n'
  cat
}
body() { printf 'Hello.\n\nFrom here to there\n.\n.. and a blank at the end \n\ttab\nThe end.\n'; }

# Does signet itself call it good, and is the text what was written?
good() { # good FILE [ENCRYPTION [INDICATOR]]
  run "$([ "${3:-good}" = good ] && echo 0 || echo 6)" --json verify --pin-file pin "$1" &&
  grep -q "\"encryption\":\"${2:-none}\"" out && grep -q "\"indicator\":\"${3:-good}\"" out && grep -q '"outer_differs":\[\]' out ||
    { echo "# signet does not find it as expected"; return 1; }
}
# What openssl makes of it: its own text must be the protected part.
openssl_verifies() { quiet openssl cms -verify -in "$1" -CAfile root.pem -purpose smimesign -out plain; }
openssl_decrypts() { # openssl_decrypts FILE NAME
  quiet openssl cms -decrypt -in "$1" -recip "$2.pem" -inkey "$2.key" -out plain
}
has_line() { tr -d '\r' <plain | grep -qxF -- "$1" || { echo "# the text has no line: $1"; return 1; }; }
printf 'secret\n' >pin

for name in $kinds; do
  body | message $name "$name@example.org" >m
  run 0 sign -o s m && openssl_verifies s && good s && grep -q 'protocol="application/pkcs7-signature"' s
  ok "$name: signed, openssl verifies it, signet finds it good"
  run 0 sign --opaque -o s m && openssl_verifies s && good s && grep -q 'smime-type=signed-data' s
  ok "$name: signed opaque"
  for cipher in aes-256-gcm aes-256-cbc aes-128-gcm aes-128-cbc; do
    run 0 encrypt --sign --cipher $cipher -o e m && good e decrypted && grep -q '^Subject: \[\.\.\.\]' e &&
    openssl_decrypts e $name && mv plain inner && openssl_verifies inner && tr -d '\r' <plain | grep -q '^Subject: Vertrag'
    ok "$name: signed and encrypted with $cipher"
  done
done

# --- which certificate, and who says no ---
rm -f s
body | message dual dual@example.org >m
run 0 sign -o s m && openssl_verifies s && good s && run 0 encrypt -o e m && openssl_decrypts e dual2 && good e decrypted none
ok 'two certificates, one to sign and one to be written to'
body | message old old@example.org >m
rm -f s; run 1 sign -o s m && complains 'past its end' && [ ! -e s ]; ok 'an expired certificate does not sign, and nothing is written'
body | message sealer sealer@example.org >m
run 1 sign -o s m && complains 'does not allow this use' && [ ! -e s ]; ok 'nor one for encryption alone'
body | message nobody nobody@example.org >m
run 1 sign -o s m && complains 'none with a private key' && [ ! -e s ]; ok 'nor one that is not there'
print=$(openssl x509 -in p256.pem -noout -fingerprint -sha256 | cut -d= -f2)
body | message rsa2048 rsa2048@example.org >m
run 1 sign --cert "$print" -o s m && complains 'not for rsa2048@example.org' && [ ! -e s ]; ok 'nor somebody else’s'
body | message rsa2048 'old@example.org, nowhere@example.org' >m
run 1 encrypt -o e2 m && complains 'past its end' && complains 'No certificate of nowhere@example.org' && [ ! -e e2 ]
ok 'every recipient without a certificate is named'
run 2 sign && complains 'FOLDER/UID' && run 2 sign --json m && run 2 encrypt --cert x m && run 2 encrypt --cipher des m &&
  run 2 sign --sine m && complains 'unknown option' && run 66 sign absent && : >nothing && run 65 sign nothing
ok 'usage, no such file, not a message'
run 0 sign --help && grep -q 'Exit codes' out && run 0 encrypt --help && grep -q -- --recipient-cert out; ok '--help'
sed '/^From/d' m >n
run 65 sign -o s n && complains 'exactly one author'; ok 'no author, no signature'
body | message rsa2048 p256@example.org 'Bcc: secret@example.org' 'Received: from a' >m
"$signet" --profile "$profile" --batch encrypt --sign m >e 2>err && ! grep -qi ^bcc: e && grep -q '^Received:' e && openssl_decrypts e p256 &&
  ! grep -qi '^bcc:\|secret@' plain && mv plain inner && openssl_verifies inner && ! grep -q Received: plain
ok 'no Bcc in what leaves; trace fields stay outside'

# --- an account's own choice, and its archive ---
mkdir -p box/cur box/new box/tmp
body | message dual p256@example.org >box/cur/1.eml
fingerprint() { openssl x509 -in "$1.pem" -noout -fingerprint -sha256 | cut -d= -f2; }
printf '[account other]\naddress = p521@example.org\nmaildir = %s/box\nsign-cert = %s\n[account work]\naddress = x@example.org\nalso = Dual@example.org\nmaildir = %s/box\nencrypt-cert = %s\narchive-cert = %s\n' \
  "$work" "$(fingerprint p521)" "$work" "$(fingerprint dual2)" "$(fingerprint p384)" >"$profile/signet.conf"
run 0 encrypt --sign --json -o e INBOX/1 && grep -q '"archive":true' out && openssl_decrypts e p384 && openssl_decrypts e dual2 && openssl_decrypts e p256 && good e decrypted
ok 'a message of a folder, by the account that its author belongs to, for its archive too'
sed -i "s/^archive-cert.*/archive-cert = $(fingerprint dual)/" "$profile/signet.conf"
rm -f e; run 1 encrypt --sign -o e INBOX/1 && complains 'does not allow this use' && [ ! -e e ]; ok 'no archive with a key for signing'
rm -f "$profile/signet.conf"
run 0 encrypt --sign --hide shy -o e box/cur/1.eml && good e decrypted && grep -q '^Date: .* +0000' e; ok '--hide shy'

# --- many recipients of every kind, the sender among them ---
all=
for name in $kinds; do all="$all --to $name@example.org"; done
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do
  case $((i % 3)) in 0) key='ec -pkeyopt ec_paramgen_curve:P-256' use=$ec ;; 1) key=rsa:2048 use=$rsa ;; *) key='ec -pkeyopt ec_paramgen_curve:P-384' use=$ec ;; esac
  person many$i "$key" $use
done
body | message rsa2048 p256@example.org >m
files=
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do
  files="$files --recipient-cert many$i.pem"
  case $i in 1 | 2 | 5 | 14)
    run 0 encrypt $files -o e m && openssl_decrypts e many1 && openssl_decrypts e many$i && has_line 'The end.' && good e decrypted none
    ok "encrypted to $i by file and the sender"
    ;;
  esac
done
for cipher in aes-256-gcm aes-256-cbc; do
  run 0 encrypt --cipher $cipher $all $files -o e m && good e decrypted none
  ok "encrypted to twenty recipients, RSA and ECDH, $cipher"
  bad=
  for name in $kinds many1 many2 many3 many7 many14; do openssl_decrypts e $name && has_line 'The end.' || bad="$bad $name"; done
  [ -z "$bad" ]; ok "openssl decrypts it with the key of each:$bad"
done
! openssl_decrypts e stranger; ok 'and not with a stranger’s'
run 0 encrypt --no-self --to p384@example.org -o e m && grep -q 'cannot read it again' err && openssl_decrypts e p384 && ! openssl_decrypts e rsa2048
ok 'not to oneself, when told so'

# --- what is in the text ---
charset() { # charset NAME TEXT
  printf '%s\n\nFrom here to there\n.\n.. and a blank at the end \nThe end.\n' "$2" >utf8
  iconv -f utf-8 -t "$1" utf8 >native || { echo "# iconv"; return 1; }
  message rsa2048 p256@example.org 'MIME-Version: 1.0' "Content-Type: text/plain; charset=$1" 'Content-Transfer-Encoding: 8bit' <native >m
  run 0 encrypt --sign -o e m && good e decrypted && grep -qF -- "$2" out && run 0 sign -o s m && good s && grep -qF -- "$2" out &&
    openssl_verifies s && seven_bit s && openssl_decrypts e p256 && mv plain inner && openssl_verifies inner
}
charset utf-8 'Grüße, 你好, Привет, שלום'; ok 'UTF-8'
charset iso-8859-1 'Grüße, señor'; ok 'ISO-8859-1'
charset iso-8859-2 'Příliš žluťoučký kůň'; ok 'ISO-8859-2'
charset iso-8859-7 'Καλημέρα'; ok 'ISO-8859-7'
charset iso-8859-15 'Preis: 5 €'; ok 'ISO-8859-15'
charset windows-1251 'Привет, мир'; ok 'windows-1251'
charset koi8-r 'Добрый день'; ok 'KOI8-R'
charset shift_jis 'こんにちは、世界'; ok 'Shift_JIS'
charset euc-kr '안녕하세요'; ok 'EUC-KR'
charset gb18030 '你好，世界'; ok 'GB18030'
charset big5 '中文信件'; ok 'Big5'
charset windows-1252 'Grüße – „Zitat“'; ok 'windows-1252'
charset iso-2022-jp 'こんにちは'; ok 'ISO-2022-JP'
printf 'Ein langer Satz, \nder weitergeht.\n> zitiert \n> weiter\n-- \nAnna\n' |
  message rsa2048 p256@example.org 'MIME-Version: 1.0' 'Content-Type: text/plain; charset=us-ascii; format=flowed' >m
run 0 sign -o s m && good s && openssl_verifies s && has_line 'Ein langer Satz,=20'; ok 'format=flowed keeps its blanks'
message rsa2048 p256@example.org </dev/null >m
run 0 encrypt --sign -o e m && good e decrypted && run 0 sign -o s m && good s && openssl_verifies s; ok 'an empty body'
printf 'From: rsa2048@example.org\nTo: p256@example.org\nSubject: header alone\n' >m
run 0 sign -o s m && good s && openssl_verifies s; ok 'no body at all'
body | message rsa2048 p256@example.org >m
run 0 sign -o s m && openssl_verifies s && tr -d '\r' <plain | grep -q '^=46rom here' && tr -d '\r' <plain | grep -q '^=2E' &&
  tr -d '\r' <plain | grep -q 'the end=20$' && sed 's/^From /> From /; s/[ ]*$//' s >hurt && good hurt
ok 'From_, dots and blanks at the end survive what transports do to them'
head -c 3000 /dev/zero | tr '\0' 'x' >long; echo >>long
message rsa2048 p256@example.org <long >m
run 0 sign -o s m && good s && ! grep -q '.\{999\}' s; ok 'long lines'
printf -- '--b\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\nGr\374\337e \n--b\nContent-Type: application/octet-stream; name=x.bin\nContent-Disposition: attachment; filename=x.bin\nContent-Transfer-Encoding: 8bit\n\n\001\377From x\n--b--\n' |
  message rsa2048 p256@example.org 'MIME-Version: 1.0' 'Content-Type: multipart/mixed; boundary=b' >m
run 0 sign -o s m && good s && openssl_verifies s && seven_bit s && run 0 encrypt -o e m && good e decrypted none
ok '8-bit parts of a multipart'
body | message rsa2048 p256@example.org >m
run 0 sign -o s m && run 0 encrypt -o e s && complains 'sign and encrypt in one step' && good e decrypted && openssl_decrypts e p256
ok 'what is signed already is encrypted as it is'

# --- keys on a card (SoftHSM2): PKCS#1, PSS and ECDSA signatures; RSA and ECDH decryption with its fallbacks ---
for module in /usr/lib/softhsm/libsofthsm2.so /usr/lib64/pkcs11/libsofthsm2.so /usr/lib/pkcs11/libsofthsm2.so; do
  [ -e "$module" ] && break
done
mkdir tokens
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$work" >softhsm2.conf
export SOFTHSM2_CONF="$work/softhsm2.conf"
quiet softhsm2-util --module "$module" --init-token --free --label Karte --pin 1234 --so-pin 12345678
id=1
for name in card cardec; do
  quiet openssl pkcs8 -topk8 -nocrypt -in $name.key -out p8
  quiet openssl x509 -in $name.pem -outform DER -out der
  quiet softhsm2-util --module "$module" --import p8 --token Karte --label $name --id 0$id --pin 1234
  quiet pkcs11-tool --module "$module" --token-label Karte --login --pin 1234 --write-object der --type cert --id 0$id --label $name
  id=$((id + 1))
done
run 0 token add card "$module"
printf '1234\n' >cardpin
for name in card cardec; do
  body | message $name 'p256@example.org, rsa2048@example.org' >m
  run 77 sign -o s m && complains pin-file; ok "$name: without its PIN no signature, and the option is named"
  run 0 sign --pin-file cardpin -o s m && openssl_verifies s && good s; ok "$name: signed by the card"
  for cipher in aes-256-cbc aes-256-gcm; do
    run 0 encrypt --sign --cipher $cipher --pin-file cardpin -o e m && openssl_decrypts e $name && mv plain inner && openssl_verifies inner &&
      openssl_decrypts e p256 && cp cardpin pin && good e decrypted; ok "$name: signed and encrypted to itself, $cipher"
  done
done

# --- a revoked certificate ---
person gone rsa:2048 $rsa && import gone
: >index; echo 01 >crlnumber
printf '[ca]\ndefault_ca=x\n[x]\ndatabase=index\ncrlnumber=crlnumber\ndefault_md=sha256\ndefault_crl_days=30\n' >ca.conf
quiet openssl ca -config ca.conf -keyfile root.key -cert root.pem -revoke gone.pem &&
  quiet openssl ca -config ca.conf -keyfile root.key -cert root.pem -gencrl -out crl.pem && quiet openssl crl -in crl.pem -outform DER -out crl.der &&
  quiet crlutil -I -i crl.der -d "sql:$profile/nssdb" -B
body | message gone p256@example.org >m
rm -f s; run 1 sign -o s m && complains 'revoked' && [ ! -e s ]; ok 'a revoked certificate does not sign'
body | message rsa2048 gone@example.org >m
rm -f e; run 1 encrypt -o e m && complains 'revoked' && [ ! -e e ]; ok 'nor is anybody written to with it'
printf 'secret\n' >pin

# --- a large attachment: what it takes beyond a small one ---
head -c 52428800 /dev/urandom >big.bin
{
  printf -- '--b\nContent-Type: text/plain\n\nSee the file.\n--b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=big.bin\n\n'
  base64 big.bin
  printf -- '--b--\n'
} | message rsa2048 p256@example.org 'MIME-Version: 1.0' 'Content-Type: multipart/mixed; boundary=b' >big
body | message rsa2048 p256@example.org >m
peak() { # peak ARGUMENTS...: MiB, and the exit code as the status
  python3 -c 'import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
sys.exit(code)' "$signet" --profile "$profile" --batch "$@" 2>err
}
idle=$(peak sign -o s m)
for how in 'sign' 'sign --opaque' 'encrypt --sign --cipher aes-256-cbc' 'encrypt --sign --cipher aes-256-gcm'; do
  took=$(peak $how -o e big) && echo "# $how: $took MiB, idle $idle MiB" && [ "$took" -le $((idle + 32)) ]
  ok "50 MB attached, $how: at most 32 MiB over idle"
done
openssl_decrypts e p256 && mv plain inner && openssl_verifies inner && tr -d '\r' <plain | sed -e '1,/filename=big.bin/d' -e '/^--b/,$d' | base64 -d 2>err | cmp -s - big.bin
ok 'openssl gets the same 50 MB out'
rm -f big big.bin inner plain e

# --- gpgsm, as far as it goes: version 2.2 cannot read AuthEnvelopedData nor import EC keys, nor verify P-521 ---
export GNUPGHOME="$work/gnupg"
mkdir -m 700 "$GNUPGHOME"
echo allow-loopback-pinentry >"$GNUPGHOME/gpg-agent.conf"
echo disable-crl-checks >"$GNUPGHOME/gpgsm.conf"
echo "$(openssl x509 -in root.pem -noout -fingerprint -sha1 | cut -d= -f2) S relax" >"$GNUPGHOME/trustlist.txt"
gpgsm_with() { gpgsm --batch --pinentry-mode loopback --passphrase-fd 3 "$@" 3<password; }
quiet gpgsm --batch --import root.pem
quiet sh "$lab/gpgsm-key.sh" rsa2048.pem rsa2048.key secret
base64_body() { sed '1,/^\r*$/d' "$1" | openssl base64 -d; }
for name in rsa2048 rsa3072 rsa4096 p256 p384; do
  body | message $name rsa2048@example.org >m
  run 0 sign --opaque -o s m && base64_body s >s.der && gpgsm --batch --verify s.der >out 2>err && complains 'Good signature'
  ok "gpgsm verifies the signature of $name, opaque"
  run 0 sign -o s m && python3 -c 'import re, sys, base64
text = open("s", "rb").read()
mark = re.search(rb"boundary=\"([^\"]*)\"", text).group(1)
parts = text.split(b"--" + mark)
open("s.body", "wb").write(parts[1][2:-2])
open("s.p7s", "wb").write(base64.b64decode(parts[2].split(b"\r\n\r\n", 1)[1]))' && gpgsm --batch --verify s.p7s s.body >out 2>err && complains 'Good signature'
  ok "gpgsm verifies the signature of $name, detached"
done
body | message rsa3072 rsa2048@example.org >m
for cipher in aes-128-cbc aes-256-cbc; do
  run 0 encrypt --cipher $cipher -o e m && base64_body e >e.der && gpgsm_with --decrypt e.der >plain 2>err && has_line 'The end.'
  ok "gpgsm decrypts $cipher"
done
run 0 encrypt --to rsa2048@example.org --to p256@example.org --to p384@example.org -o e m && base64_body e >e.der &&
  gpgsm_with --decrypt e.der >plain 2>err && has_line 'The end.'
ok 'gpgsm decrypts its copy of what RSA-OAEP and ECDH recipients share'
gpgconf --kill all 2>/dev/null

echo 1..$number
