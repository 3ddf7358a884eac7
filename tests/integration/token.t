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
quiet openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert.pem -days 9 -subj /CN=Anna -addext subjectAltName=email:anna@example.org
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
run 0 token remove card && run 0 token list && ! says 'module card'; did 'remove'
run 1 token remove card; did 'removed already'
done_testing
