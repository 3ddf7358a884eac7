#!/bin/sh
# signet cert: what a script sees of the certificate database. Certificates come from openssl; what signet writes is
# read back by openssl and certutil.
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
field() { # field NAME: its value in the first object of out
  head -n 1 out | sed -n "s/.*\"$1\":\"\\([^\"]*\\)\".*/\\1/p"
}
quiet() { "$@" >/dev/null 2>&1; }

quiet openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -days 99 -subj '/O=House/CN=Test Root' \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
leaf() { # leaf NAME SAN SUBJECT
  quiet openssl req -utf8 -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "$3"
  printf 'subjectAltName=%s\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=emailProtection\n' "$2" >"$1.ext"
  quiet openssl x509 -req -in "$1.csr" -CA root.pem -CAkey root.key -CAcreateserial -days 9 -out "$1.pem" -extfile "$1.ext"
}
leaf anna email:anna@example.org '/CN=Anna Keller'
leaf bob email:bob@example.org '/CN=Bob Mwangi'
leaf mallory email:mallory@example.org "/CN=$(printf 'Mallory \033[2J\342\200\256evil')"
printf 'secret\n' >password
printf 'wrong\n' >wrong
quiet openssl pkcs12 -export -inkey anna.key -in anna.pem -certfile root.pem -passout file:password -name anna -out anna.p12
fingerprint() { openssl x509 -in "$1" -noout -fingerprint -sha256 | sed 's/.*=//'; }


run 0 cert list && [ ! -s out ] && [ ! -e "$profile/nssdb" ]
did 'an empty profile lists nothing, says what to do, and makes nothing'
run 2 cert && complains 'cert list' ; did 'no verb: usage'
run 2 cert lisst; did 'a wrong verb: usage'
run 0 cert --help && says 'signet cert import'; did '--help'
run 0 cert import --help && says 'signet cert import'; did '--help behind a verb'
run 2 cert import --trusst root.pem && complains 'trust'; did 'an unknown option names the nearest'
run 66 cert import absent.pem && complains absent.pem; did 'no such file: 66'
run 65 cert import password; did 'not a certificate: 65'

run 0 cert import root.pem && says imported && says -- '-A---'
did 'import stores, and trusts nothing'
run 0 cert import root.pem && says 'already there'; did 'a second time is no error'
run 0 cert import bob.pem; did "a correspondent's"
run 0 --json cert show bob@example.org && says '"sign":{"good":false,"trust_errors":\["self-signed"\|"unknown-issuer"'
did 'show: not good yet, and why'
run 0 cert trust root.pem && says trusted && complains "$(fingerprint root.pem)"
did 'trust FILE prints the fingerprint and asks nothing'
run 0 --json cert show bob@example.org && says '"sign":{"good":true' && says '"encrypt":{"good":true'
did 'show: good now'
certutil -L -d "sql:$profile/nssdb" >out 2>err && grep -q 'Test Root  *c,C,' out
did 'certutil sees it trusted for mail and not for servers'
run 0 --json cert trust --tls "$(fingerprint root.pem)" --batch && says '"trusted_mail":true' && says '"trusted_server":true'
did 'trust --tls adds servers, by --batch and the full fingerprint'
run 2 cert trust "$(fingerprint root.pem | cut -c 1-20)" --batch && complains 'full'
did '--batch takes no short one'
run 1 cert trust "$(fingerprint root.pem)"; did 'without a terminal nobody can agree'
run 0 cert trust --remove --tls root.pem && says 'trust removed'; did 'trust --remove'
run 0 --json cert list Root && says '"trusted_mail":true' && says '"trusted_server":false'; did '... of servers only'
run 1 cert trust bob.pem && complains 'no authority'; did 'a person is no authority'
run 1 cert trust 00000000 --batch; did 'no such certificate: 1'

run 77 cert import anna.p12 --batch && complains '--password-file'; did 'PKCS#12: a missing password names the option'
run 77 cert import anna.p12 --password-file wrong; did 'a wrong password: 77'
run 0 cert import anna.p12 --password-file password && says 'K----.*anna@example.org'; did 'and the right one'
run 0 --json cert list --own && [ "$(wc -l <out)" = 1 ] && [ "$(field token)" = database ]; did 'list --own'
run 0 cert list --people && says bob@ && ! says anna@ && ! says Root; did 'list --people'
run 0 cert list --authorities && says Root && ! says bob@; did 'list --authorities'
run 0 cert list KELLER && [ "$(wc -l <out)" = 1 ]; did 'list WORD'
run 0 cert list --builtin && [ "$(wc -l <out)" -gt 50 ]; did 'list --builtin'

run 0 cert export anna@example.org && openssl x509 -in out -noout -subject | grep -q 'Anna Keller'; did 'export: PEM'
run 0 cert export --chain anna@example.org && [ "$(grep -c BEGIN out)" = 2 ]; did 'export --chain'
run 0 cert export --der --out anna.der anna@example.org && openssl x509 -inform DER -in anna.der -noout
did 'export --der --out'
run 74 cert export --der --out anna.der anna@example.org && complains already; did 'never over a file that is there'
run 0 cert export --p12 --password-file password --out back.p12 anna@example.org \
  && openssl pkcs12 -in back.p12 -passin file:password -nodes 2>/dev/null | grep -q 'PRIVATE KEY' \
  && [ "$(stat -c %a back.p12)" = 600 ]
did 'export --p12: openssl reads it, nobody else may'
run 1 cert export --p12 --password-file password --out no.p12 bob@example.org && [ ! -e no.p12 ]
did 'no key, no PKCS#12'

run 0 cert import mallory.pem && run 0 cert list mallory@example.org && ! LC_ALL=C grep -q "$(printf '\033')\|$(printf '\342\200\256')" out
did 'no escape of a certificate reaches the terminal'

run 1 cert delete anna@example.org --batch && complains with-key; did 'delete keeps private keys'
run 2 cert delete --with-key anna@example.org --batch; did 'and wants the full fingerprint'
run 0 cert delete --with-key "$(fingerprint anna.pem)" --batch && run 0 --json cert list --own && [ ! -s out ]
did 'delete --with-key'
run 1 cert show anna@example.org; did 'gone'
done_testing
