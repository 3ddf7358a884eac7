#!/bin/sh
# [policy] and [rule NAME] of the user and of the system, held by every subcommand that lets mail out.
BUILD=${BUILD:-build}
signet=$(cd "$BUILD" && pwd)/signet
rsa_key_script=$(cd "$(dirname "$0")/../lab" && pwd)/rsa-key.sh
rsa_key() { sh "$rsa_key_script" "$@"; } # rsa_key FILE [BITS]
. "$(dirname "$0")/../lab/own-etc.sh"
system=/etc/signet/policy.conf
place=$top/place profile=$top/place/profile
mkdir -p "$profile" "$place/box" && cd "$place" || exit 1
number=0

ok() { # ok NAME: the status of the command before it
  status=$?
  number=$((number + 1))
  if [ $status = 0 ]; then echo "ok $number - $1"; else echo "not ok $number - $1"; sed 's/^/# /' out err; fi
}
run() { # run EXPECTED-CODE ARGUMENTS...
  want=$1
  shift
  "$signet" --profile "$profile" --batch "$@" >out 2>err <"${input:-/dev/null}"
  code=$?
  [ $code = "$want" ] || { echo "# exit $code, expected $want: signet $*"; return 1; }
}
complains() { grep -qF -- "$1" err || { echo "# does not say: $1"; return 1; }; }
says() { grep -qF -- "$1" out || { echo "# does not print: $1"; return 1; }; }
quiet() { "$@" >out 2>err; }
person() { # person NAME BITS
  rsa_key "$1.key" "$2" && quiet openssl req -new -key "$1.key" -out csr -subj "/CN=$1" &&
  printf 'subjectAltName=email:%s@example.org\nkeyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=emailProtection\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' "$1" >ext &&
  quiet openssl x509 -req -in csr -CA root.pem -CAkey root.key -CAcreateserial -days 365 -out "$1.pem" -extfile ext
}
fingerprint() { openssl x509 -in "$1" -noout -fingerprint -sha256 | sed 's/.*=//'; }
print_of() { fingerprint "$1" | tr -d : | tr A-F a-f; }

rsa_key root.key && quiet openssl req -x509 -key root.key -out root.pem -days 3650 -subj '/O=Test House/CN=Root' \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
person anna 2048
person bob 2048
person vault 2048
printf 'secret\n' >password

# A local command takes what leaves: one file a message.
mkdir sent
cat >deliver <<'END'
#!/bin/sh
cat >"$0.$$" && mv "$0.$$" "$(dirname "$0")/sent/$$"
END
chmod +x deliver
account="[account here]
address = anna@example.org
mbox = $place/box/anna
sendmail = $place/deliver
undo-send = 0"
user() { { echo "$account"; cat; } >"$profile/signet.conf"; }
place() { "$signet" --profile "$profile" policy test --to x@y.example >/dev/null 2>&1; }
: >box/anna
left() { # left PATTERN: exactly one message left, and it has it
  set -- "$1" sent/*
  [ $# = 2 ] && [ -f "$2" ] || { echo "# $(($# - 1)) messages have left"; ls sent | sed 's/^/# /'; return 1; }
  grep -q -- "$1" "$2"
  found=$?
  rm -f sent/*
  return $found
}
nothing_left() { [ -z "$(ls sent)" ] || { echo "# something has left"; rm -f sent/*; return 1; }; }
user </dev/null
run 0 cert import --trust root.pem || exit 1
quiet openssl pkcs12 -export -in anna.pem -inkey anna.key -certfile root.pem -passout pass:secret -out p12 -name anna
run 0 cert import --password-file password p12 || exit 1
run 0 cert import bob.pem || exit 1
run 0 cert import vault.pem || exit 1
echo 'Hello.' >text
message() { printf 'From: anna@example.org\nTo: %s\nSubject: %s\n\nHello.\n' "$1" "$2" >m; }

# --- the user's own ---
input=text run 0 send -s Hello bob@example.org && left 'Subject: Hello'
ok "without a policy mail leaves as it is"

user <<'END'
[policy]
sign = always
[rule partners]
domain = example.org
subject = contract
encrypt = demand
[rule secrets]
subject = secret
clear = forbid
END
input=text run 0 send -s Hello bob@example.org && left multipart/signed
ok "sign = always: send signs"
message bob@example.org Hello
input=m run 0 sendmail -t && left multipart/signed
ok "so does sendmail"
run 0 sign -o s m && input=s run 0 sendmail -t && left multipart/signed
ok "what is signed leaves"
input=s run 0 sendmail -t && [ "$(cat sent/* | grep -c 'Content-Type: multipart/signed')" = 1 ] && left .
ok "and is not signed once more"
input=text run 0 send -s 'A Contract' bob@example.org && left 'authEnveloped-data\|enveloped-data'
ok "a rule for a domain and a keyword: send encrypts"
message bob@example.org '=?utf-8?B?'"$(printf 'the contract' | base64)"'?='
input=m run 0 sendmail -t && left 'authEnveloped-data\|enveloped-data'
ok "the keyword is found in an encoded subject"
input=text run 75 send -s contract bob@example.org stranger@example.org && complains "rule partners, $profile/signet.conf:11:" &&
  complains 'stranger@example.org: No certificate' && nothing_left
ok "where somebody has no certificate nothing leaves, and the rule is named"
input=text run 77 send -s 'top secret' bob@example.org && complains "rule secrets, $profile/signet.conf:14:" && nothing_left
ok "clear = forbid: send refuses, and names the rule"
input=text run 0 send --encrypt -s 'top secret' bob@example.org && left enveloped
ok "but sends it encrypted"
message bob@example.org 'top secret'
input=m run 77 sendmail -t && complains 'the subject has "secret"' && nothing_left
ok "sendmail refuses"
run 77 sign -o s m && complains 'rule secrets' && [ ! -e "$place/none" ]
ok "sign refuses what would stay in clear"
run 77 encrypt -o e m && complains 'sign = always'
ok "encrypt refuses what would not be signed"
run 0 encrypt --sign -o e m && input=e run 0 sendmail -t && left enveloped
ok "signed and encrypted it is written, and leaves"

# --- what would apply ---
run 0 policy test --to bob@example.org --subject 'a contract' && says 'sign     demanded' && says 'encrypt  demanded' &&
  says "sign = always, $profile/signet.conf:7" && says "rule partners, $profile/signet.conf:11: bob@example.org is in the domain example.org"
ok "policy test says what and why"
run 0 --json policy test --to bob@other.example --subject x && says '"sign":"demanded","encrypt":"free","clear":"allowed"' &&
  says '"demands":"sign"'
ok "policy test --json"
run 2 policy test && run 2 policy && run 2 policy tset --to a@b.example
ok "usage"

# --- what is no way around it ---
printf 'From: anna@example.org\nTo: bob@example.org\nSubject: Hello\nMIME-Version: 1.0\nContent-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary=b\n\n--b\nContent-Type: text/plain\n\nHello.\n\n--b\nContent-Type: application/pkcs7-signature\nContent-Transfer-Encoding: base64\n\nTm8gc2lnbmF0dXJlLg==\n\n--b--\n' >label
input=label run 0 sendmail -t && cp sent/* e && left . && [ "$(grep -c 'Content-Type: multipart/signed' e)" = 2 ] && run 0 verify e
ok "a label is no signature: it is signed"
user <<'END'
[rule annas]
from = anna@example.org
clear = forbid
END
message bob@example.org Hello
input=m run 77 sendmail -t && complains 'it is from anna@example.org' && nothing_left
ok "a rule for an author"
printf 'From: eve@other.example, anna@example.org\nTo: bob@example.org\nSubject: Hello\n\nHello.\n' >two
input=two run 77 sendmail -t && complains 'its author cannot be told' && nothing_left
ok "a second author in From is no way around it"

# --- the system's ---
mkdir -p /etc/signet
printf '[policy]\nlocked = sign, min-digest\nsign = always\nmin-digest = sha384\n[rule house]\ndomain = .example.org\nencrypt = demand\n' >$system
user <<'END'
[policy]
sign = free
encrypt = free
min-digest = sha256
END
input=text run 0 send -s Hello bob@example.org && left enveloped
ok "the system's rules hold with --profile"
run 0 policy test --to x@y.example && says "sign = always   $system:3, locked" && says "signet.conf:7 would weaken it and does not count"
ok "a locked key is not weakened by the user's file"
message x@y.example Hello
run 0 sign -o s m && grep -q 'micalg=sha-384' s
ok "the least digest is used"
run 77 sign --digest sha256 -o s m && complains "min-digest = sha384, $system:4"
ok "a weaker one by name is refused"
printf '[rule house]\nsubject = zzz\nsign = demand\n' | user
input=text run 0 send -s Hello bob@example.org && left enveloped
ok "a rule of the same name does not take the system's away"
SIGNET_CONFIG=/dev/null input=text run 0 --config "$profile/signet.conf" send -s Hello bob@example.org && left enveloped
ok "nor does --config"

printf '[policy]\nlocked = archive-cert, min-rsa\narchive-cert = %s\n' "$(fingerprint vault.pem)" >$system
user </dev/null
input=text run 0 send --encrypt -s Hello bob@example.org && cp sent/* e && left enveloped &&
  quiet openssl cms -decrypt -in e -recip vault.pem -inkey vault.key
ok "the archive can read what is encrypted"
message bob@example.org Hello
run 0 encrypt --no-self -o e m && quiet openssl cms -decrypt -in e -recip vault.pem -inkey vault.key
ok "--no-self does not leave it out"
printf '[policy]\narchive-cert = %s\n' "$(print_of bob.pem | tr 0-9 9)" >$system
input=text run 75 send --encrypt -s Hello bob@example.org && complains archive && nothing_left
ok "without the archive's certificate nothing is encrypted"
printf '[policy]\nmin-rsa = 3072\n' >$system
input=text run 77 send --encrypt -s Hello bob@example.org && complains 'RSA 2048' && complains "min-rsa = 3072, $system:2" && nothing_left
ok "short keys are refused"
printf '[policy]\nmin-cipher = aes-256-gcm\n' >$system
run 0 encrypt -o e m && grep -q authEnveloped-data e && run 77 encrypt --cipher aes-128-gcm -o e m && complains 'aes-128-gcm'
ok "the least cipher"

# --- who may be trusted ---
rm $system
message bob@example.org Hello
run 0 sign -o s m && run 0 verify s
ok "good without such a policy"
printf '[policy]\nlocked = trust\ntrust = %s\n' "$(fingerprint root.pem)" >$system
run 0 verify s
ok "good where the authority is among those of trust"
printf '[policy]\nlocked = trust\ntrust = %s\n' "$(fingerprint bob.pem)" >$system
printf '[policy]\ntrust = %s\n' "$(fingerprint root.pem)" | user
run 4 --json verify s && says '"trust_errors":["authority-not-allowed"]'
ok "not where it is not, whatever the user's file says"
run 0 policy test --to a@b.example && says 'nobody is believed' && says 'would weaken it and does not count'
ok "policy test says that nobody is left, and what of the user's does not count"
user </dev/null
printf '[policy]\ntrust = %s\ntrust = %s\n' "$(fingerprint root.pem)" "$(fingerprint bob.pem)" >$system
run 0 policy test --to a@b.example && says 'these alone are believed' && says "... Root, trusted for mail" &&
  says "... bob, but not trusted for mail here: signet cert trust "
ok "it names those that may be believed"

# --- revocation, and whom to ask ---
user </dev/null
rm $system
run 0 policy test --to a@b.example && says 'revocation = soft   (no file says otherwise)' && says 'online = crl' && says 'at most once a day'
ok "policy test says what holds by itself"
printf '[policy]\nlocked = revocation, online, internal-hosts\nrevocation = hard\nonline = off\ninternal-hosts = pki.example.org, 10.0.0.5\n' >$system
printf '[policy]\nrevocation = off\nonline = ocsp\ninternal-hosts = 10.0.0.5 10.0.0.6\n' | user
run 0 --json policy test --to a@b.example && says '"revocation":{"value":"hard"' && says '"online":{"value":"off"' &&
  says '"internal-hosts":{"value":"10.0.0.5"'
ok "locked: revocation and online are the system's, and of the hosts those that both name"
run 7 --json verify s && says '"revocation-unknown"'
ok "hard, whatever the user's file says"
run 77 verify --revocation soft s && complains 'weaker than revocation = hard' && complains "$system:3"
ok "nor does an option weaken it"
run 0 --offline --batch doctor && grep -q "^WARN *policy.*online.*locks" out && grep -q '^OK *policy *3 settings, 3 locked' out
ok "doctor counts the settings, and names what does not count"
printf '[policy]\nlocked = revocation\n' >$system
printf '[policy]\nrevocation = off\n' | user
run 0 policy test --to a@b.example && says "revocation = soft   $system:2, locked" && says 'would weaken it and does not count'
ok "a locked key without a value locks what is built in"
user </dev/null
printf '[policy]\nrevocation = soft\nlocked = revocation\n' >$system
run 7 verify --revocation hard s
ok "more than is locked may be asked for"
printf '[policy]\ninternal-hosts = http://pki/x\n' | user
run 78 list INBOX && complains 'signet.conf:7' && complains 'is no host'
ok "a host is no address of a page"

# --- one that cannot be understood ---
user </dev/null
printf '[policy]\nsign = always\nencrpyt = always\n' >$system
input=text run 78 send -s Hello bob@example.org && complains "$system:3: unknown key" && nothing_left
ok "malformed: send refuses"
input=m run 78 sendmail -t && complains "$system:3" && nothing_left
ok "so does sendmail"
run 78 sign -o s2 m && [ ! -e s2 ]
ok "and sign"
run 78 policy test --to a@b.example && complains 'nothing is sent'
ok "policy test says so"
run 1 --offline doctor && grep -q "^FAILED *policy *$system:3: unknown key.*nothing can be sent" out && grep -q '^OK *data' out
ok "doctor names the line, and goes on"
run 1 --offline --json doctor && grep -q "\"what\":\"policy\",\"health\":\"failed\",\"words\":\"$system:3" out
ok "in JSON too"
mv $system aside
printf '[policy]\nrevocation = soft\n' | user
run 0 cert list anna && says 'both, good'
ok "cert list judges by the policy: soft"
printf '[policy]\nrevocation = hard\n' | user
run 0 cert list anna && says 'revocation unknown' && run 0 --json cert show anna@example.org && says 'revocation-unknown'
ok "hard, and cert show too"
mv aside $system
printf '[policy]\nrevocation = perhaps\n' | user
run 1 --offline doctor && grep -q "^FAILED *configuration *.*signet.conf:7: .*revocation = perhaps is not known" out
ok "and a line of the user's own file"
user </dev/null
cp m box/anna.new && { echo "From anna $(date)"; cat m; echo; } >box/anna && run 0 show INBOX/1 && says Hello.
ok "reading goes on"
rm $system && mkdir $system
input=text run 78 send -s Hello bob@example.org && nothing_left
ok "unreadable: send refuses"
echo "1..$number"
