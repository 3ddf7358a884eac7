#!/bin/sh
# signet token, with SoftHSM2 as the card.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
profile=$tmp/profile
work=$tmp/work
mkdir "$work" && cd "$work" || exit 1

did() { # did NAME: the status of the command before it; what it printed, where that was bad
  status=$?
  ok $status "$1" "$(cat out err 2>/dev/null)"
}
run() { # run EXPECTED-CODE ARGUMENTS...: signet's output goes to the files out and err
  want=$1
  shift
  "$signet" --profile "$profile" "$@" >out 2>err </dev/null
  code=$?
  [ $code = "$want" ] || { echo "# exit $code, expected $want: signet $*"; return 1; }
}
says() { grep -q -- "$1" out; }
complains() { grep -q -- "$1" err; }
quiet() { "$@" >/dev/null 2>&1; }

for module in /usr/lib/softhsm/libsofthsm2.so /usr/lib64/pkcs11/libsofthsm2.so /usr/lib/pkcs11/libsofthsm2.so; do
  [ -e "$module" ] && break
done
mkdir tokens
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$work" >softhsm2.conf
export SOFTHSM2_CONF="$work/softhsm2.conf"
quiet softhsm2-util --module "$module" --init-token --free --label 'Karte Ä' --pin 1234 --so-pin 12345678
rsa_key key && quiet openssl req -x509 -key key -out cert.pem -days 9 -subj /CN=Anna -addext subjectAltName=email:anna@example.org
quiet openssl pkcs8 -topk8 -nocrypt -in key -out p8
quiet openssl x509 -in cert.pem -outform DER -out cert.der
quiet softhsm2-util --module "$module" --import p8 --token 'Karte Ä' --label anna --id 01 --pin 1234
quiet pkcs11-tool --module "$module" --token-label 'Karte Ä' --login --pin 1234 --write-object cert.der --type cert --id 01 --label anna
printf '1234\n' >pin
printf '0000\n' >wrong


run 0 token --help && says 'signet token add'; did '--help'
run 2 token; did 'no verb: usage'
run 2 token add onlyname; did 'add wants a name and a module'
run 1 token add card "$work/absent.so" && complains absent.so; did 'no such library'
run 1 token add card "$work/cert.der" && complains 'PKCS#11'; did 'not a library'
run 0 token add card "$module" && says 'Karte Ä'; did 'add shows what became reachable'
run 1 token add card "$module" && complains 'already'; did 'not twice under one name'
run 0 --json token list && grep '"token":"Karte Ä"' out | grep '"present":true' | grep '"needs_login":true' | grep -q '"certificates":1'
did 'list'
[ "$(grep -c 'Karte Ä' out)" = 1 ]; did 'once, though p11-kit may show it too'
run 0 --json cert show anna@example.org && says '"own":true' && says '"token":"Karte Ä"'; did 'the card’s certificate is ours, without a PIN'
run 77 token login 'Karte Ä' --batch && complains 'pin-file'; did 'login: a missing PIN names the option'
run 77 token login 'Karte Ä' --pin-file wrong && complains wrong; did 'a wrong PIN: 77'
run 0 token login 'Karte Ä' --pin-file pin && says 'logged in'; did 'the right one'
run 1 token login 'Other' --pin-file pin && complains 'Insert the card'; did 'no such token'
run 1 cert export --p12 --password-file pin --out x.p12 anna@example.org && [ ! -e x.p12 ] && complains 'do not leave a token'
did 'keys do not leave a token'

# Setup: what is on the card, and the settings; signet.conf keeps its comments and its order.
cat >"$profile/signet.conf" <<'END'
# mine
[account other]
address = other@example.org
maildir = other

[account anna]
; the address
address = anna@example.org
maildir = mail
sign = ask

[ui]
ascii = no
END
chmod 640 "$profile/signet.conf"
sha=$(openssl x509 -in cert.pem -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr A-F a-f)
run 1 token setup 'Other' --batch && complains 'Insert the card'; did 'setup: no such token'
cp "$profile/signet.conf" before
run 0 token setup 'Karte Ä' --batch && says 'anna@example.org' && says 'signs, decrypts' &&
  says "^\[account anna\] sign-cert = $sha" && says "encrypt-cert = $sha" && ! says 'account other' && cmp -s before "$profile/signet.conf"
did 'setup tells what is there and writes nothing unasked'
run 0 --json token setup 'Karte Ä' && grep '"kind":"setting"' out | grep -q '"key":"sign-cert"'; did 'as JSON'
run 0 token setup 'Karte Ä' --write && says '2 written'; did 'setup --write'
grep -v -e '^sign-cert' -e '^encrypt-cert' "$profile/signet.conf" | cmp -s - before; did 'nothing else is changed'
sed -n '/account anna/,/\[ui\]/p' "$profile/signet.conf" | grep -q "^sign-cert = $sha"; did 'in its section'
[ "$(stat -c %a "$profile/signet.conf")" = 640 ]; did 'with its mode'
run 0 token setup 'Karte Ä' --write && says '(set)' && ! says 'written'; did 'once is enough'

printf '8642\n' >new
printf '12345678\n' >puk
printf '87654321\n' >wrongpuk
printf '1\n' >short
run 77 token change-pin 'Karte Ä' --batch && complains 'pin-file'; did 'change-pin: a missing PIN names the option'
run 77 token change-pin 'Karte Ä' --batch --pin-file pin && complains 'new-pin-file'; did 'and a missing new one its own'
run 1 token change-pin 'Karte Ä' --pin-file pin --new-pin-file short && complains 'characters'; did 'a new PIN that is too short'
run 77 token change-pin 'Karte Ä' --pin-file wrong --new-pin-file new && complains 'wrong' && complains 'stays as it was'
did 'change-pin: a wrong PIN changes nothing'
run 0 token login 'Karte Ä' --pin-file pin; did 'indeed'
run 0 token change-pin 'Karte Ä' --pin-file pin --new-pin-file new && says 'new PIN'; did 'change-pin'
run 77 token login 'Karte Ä' --pin-file pin; did 'the old PIN is refused'
run 0 token login 'Karte Ä' --pin-file new; did 'the new one is right'
run 77 token unblock 'Karte Ä' --puk-file wrongpuk --new-pin-file pin && complains 'PUK'; did 'unblock: a wrong PUK'
run 0 token login 'Karte Ä' --pin-file new; did 'changes nothing'
run 0 token unblock 'Karte Ä' --puk-file puk --new-pin-file pin && says 'new PIN'; did 'unblock'
run 0 token login 'Karte Ä' --pin-file pin; did 'the PIN is the one that was given'
run 1 token unblock database && complains 'no PUK'; did 'the database has no PUK'
run 1 token change-pin 'Other' --pin-file pin && complains 'Insert the card'; did 'change-pin: no such token'

# The database's first password, another, and none again.
printf 'first word\n' >first
printf 'second\n' >second
: >none
run 0 token change-pin database --new-pin-file first && says 'new password'; did 'the first password of the database'
run 0 --json token list && grep '"token":"database"' out | grep -q '"needs_login":true'; did 'which needs it now'
quiet certutil -K -d "sql:$profile/nssdb" -f first
[ $? != 0 ] && ! certutil -K -d "sql:$profile/nssdb" -f first 2>&1 | grep -q 'incorrect'; did 'certutil takes it too'
run 77 token change-pin database --pin-file second --new-pin-file none && complains 'not the password'; did 'a wrong one'
run 0 token change-pin database --pin-file first --new-pin-file second; did 'another'
run 0 token login database --pin-file second; did 'works'
run 0 token change-pin database --pin-file second --new-pin-file none && says 'no password any more'; did 'and none'
run 0 --json token list && grep '"token":"database"' out | grep -q '"needs_login":false'; did 'as before'
run 0 token logout && [ "$(stat -c %a "$profile/state/forget-pins")" = 600 ]; did 'logout'

# A card that gpg's scdaemon holds looks as if it were not there. One of that name runs here, and is not gpg's.
cp "$(command -v sleep)" scdaemon
./scdaemon 600 &
holder=$!
until [ "$(cat /proc/$holder/comm)" = scdaemon ]; do :; done
run 1 token login 'Other' --pin-file pin && complains "gpg's scdaemon (process [0-9]*) may hold it: gpgconf --kill scdaemon"
did 'whoever may hold a card is named'
run 0 --json token list && { ! says '"present":false' || { { run 1 --offline doctor || run 0 --offline doctor; } && says '^WARN *token *gpg.s scdaemon (process [0-9]*) runs'; }; }
did 'doctor speaks of it where a reader is empty'
kill $holder
wait $holder 2>/dev/null
run 1 token login 'Other' --pin-file pin && ! complains "process $holder)"; did 'and not when it is gone'

# A key without a certificate on its card is told; it is seen only after the PIN.
quiet softhsm2-util --module "$module" --init-token --free --label 'Bare' --pin 1234 --so-pin 12345678
quiet pkcs11-tool --module "$module" --token-label 'Bare' --login --pin 1234 --keypairgen --key-type rsa:2048 --label 'old key' --id 07
run 1 token setup 'Bare' --pin-file pin && says 'RSA 2048  old key: a private key without a certificate' && complains 'cert request'
did 'setup lists keys without a certificate'
run 77 --batch token setup 'Bare'; did 'setup: nobody to ask for the PIN'

run 0 token remove card && run 0 token list && ! says 'module card'; did 'remove'
run 1 token remove card; did 'removed already'
done_testing
