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

rsa_key root.key && quiet openssl req -x509 -key root.key -out root.pem -days 99 -subj '/O=House/CN=Test Root' \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
leaf() { # leaf NAME SAN SUBJECT
  rsa_key "$1.key" && quiet openssl req -new -utf8 -key "$1.key" -out "$1.csr" -subj "$3"
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
run 65 cert import password && complains 'PEM.*DER.*PKCS#7.*PKCS#12'; did 'not a certificate: 65, and what would be one'

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
certutil -L -d "sql:$profile/nssdb" >out 2>err && grep -q 'Test Root  *,C,' out
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
run 0 cert list 'test root' && says bob@ && says anna@; did 'list: of an issuer'
run 0 cert distrust root.pem && says distrusted && says -- '-A--X'; did 'distrust: for mail'
run 0 --json cert show bob@example.org && says '"sign":{"good":false,"trust_errors":\[[^]]*"distrusted"'; did '... and what it issued is not believed'
run 0 --json cert distrust --tls root.pem && says '"distrusted":true' && says '"distrusted_server":true'; did 'distrust --tls: for servers'
run 0 --json cert distrust --tls --remove root.pem && says '"distrusted":true' && says '"distrusted_server":false'; did '--remove: of one alone'
run 0 cert trust root.pem && says -- '-AM--'; did 'trust takes the place of distrust'
run 0 cert distrust --tls root.pem && says ' -AM-x ' && run 0 cert distrust --tls --remove root.pem && says ' -AM-- '; did 'x: never for servers alone'
run 0 cert distrust bob.pem && run 0 --json cert show bob@example.org && says '"trust_errors":\["distrusted"'; did "a person's may be distrusted too"
run 0 cert distrust --remove bob.pem && run 0 --json cert show bob@example.org && says '"sign":{"good":true'; did '... and again not'

run 1 cert expiry --within 20d && says '^own .* days left .*anna@' && says '^person .*bob@' && ! says Root; did 'expiry: who ends soon; 1'
run 1 --json cert expiry --own --within 3w && [ "$(wc -l <out)" = 1 ] && says '"days_left":8' && [ "$(field kind)" = own ]; did '--own, JSON'
run 0 cert expiry --within 5d && [ ! -s out ]; did 'nobody: 0, silent'
run 2 cert expiry --within soon && complains 30d; did 'a wrong span: usage'
run 1 cert expiry --within 1y && says '^authority .*Test Root'; did 'the authority above them too'
quiet openssl x509 -req -in anna.csr -CA root.pem -CAkey root.key -CAcreateserial -days 400 -out anna2.pem -extfile anna.ext
run 0 cert import anna2.pem && says 'K----'; did "the same key's next certificate is ours at once"
run 0 cert expiry --own --within 30d; did 'expiry: one with a successor is not told'
run 0 cert delete --yes --with-key "$(fingerprint anna2.pem)" && run 0 --json cert list --own && [ "$(wc -l <out)" = 1 ]
did 'delete: the key stays for the other certificate'
run 0 cert list --builtin && [ "$(wc -l <out)" -gt 50 ]; did 'list --builtin'

run 0 cert export anna@example.org && openssl x509 -in out -noout -subject | grep -q 'Anna Keller'; did 'export: PEM'
run 0 cert export --chain anna@example.org && [ "$(grep -c BEGIN out)" = 2 ]; did 'export --chain'
run 0 cert export --der --out anna.der anna@example.org && openssl x509 -inform DER -in anna.der -noout
did 'export --der --out'
run 0 cert export --base64 anna@example.org && [ "$(wc -l <out)" = 1 ] && base64 -d <out | cmp -s - anna.der; did 'export --base64: one line'
run 0 cert export --ldif --dn 'mail=anna@example.org,dc=example,dc=org' anna@example.org && says '^dn: mail=anna@' \
  && sed -n '/^userCertificate;binary:: /,/^-$/p' out | sed '$d; s/^userCertificate;binary:: //; s/^ //' | base64 -d | cmp -s - anna.der \
  && ! grep -q '.\{77\}' out
did 'export --ldif: folded, and the same octets'
run 2 cert export --ldif --p12 anna@example.org; did 'one form at a time'
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
run 2 cert delete --with-key anna@example.org --batch && complains -- --yes; did 'and wants --yes'
mkdir -p "$profile/mail/cur" "$profile/mail/new" "$profile/mail/tmp"
printf '[account anna]\naddress = anna@example.org\nmaildir = mail\n[account far]\naddress = far@example.org\nimap = imaps://far@127.0.0.1:1\n' >"$profile/signet.conf"
printf 'From: bob@example.org\nTo: anna@example.org\nSubject: s\nMessage-ID: <%s@x>\nContent-Type: text/plain\n\nfor you\n' 1 >plain
openssl cms -encrypt -aes256 -in plain -from bob@example.org -to anna@example.org -subject s -out "$profile/mail/cur/1.a:2,S" anna.pem
openssl cms -encrypt -aes256 -in plain -from bob@example.org -to anna@example.org -subject s -out "$profile/mail/cur/2.a:2,S" bob.pem
openssl cms -encrypt -aes256 -in plain -out part anna.pem
{
  printf 'From: bob@example.org\nTo: anna@example.org\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nx\n--b\n'
  sed '/^MIME-Version/d' part
  printf '\n--b--\n'
} >"$profile/mail/cur/3.a:2,S"
run 1 cert delete --with-key anna@example.org && complains '1 of 2 encrypted messages.*would become unreadable' && complains 'Not counted.*far' \
  && complains '1 more is encrypted only in a part'
did 'what would become unreadable is counted first; without a terminal nobody can agree'
! grep -q decrypt "$profile/state/journal" 2>/dev/null; did '... by the envelopes: no key was used'
run 0 cert delete --with-key "$(fingerprint anna.pem)" --batch --yes && run 0 --json cert list --own && [ ! -s out ]
did 'delete --with-key'
run 1 cert show anna@example.org; did 'gone'

# Requests: the key is made here, the authority answers, import joins them.
answered() { # answered KEY NAME BITS
  run 0 cert request "$2@example.org" "$2@example.net" --name "Request $2" --organisation House --key "$1" --for both --out "$2.req" \
    && openssl req -in "$2.req" -noout -verify 2>&1 | grep -q OK && openssl req -in "$2.req" -noout -text >text 2>&1 \
    && grep -q "email:$2@example.org, email:$2@example.net" text && grep -q 'E-mail Protection' text && grep -q 'Digital Signature' text && grep -q "$3" text
  did "request $1: openssl reads it, names and usages are in it"
  quiet openssl x509 -req -in "$2.req" -CA root.pem -CAkey root.key -CAcreateserial -days 90 -copy_extensions copyall -out "$2.pem"
  run 0 cert import "$2.pem" && says 'imported *[0-9a-f]* K----'
  did '... what the authority issued is joined with its key'
  openssl cms -encrypt -aes256 -in plain -out sealed.eml "$2.pem" 2>/dev/null && run 0 decrypt sealed.eml && says 'for you'
  did '... and reads'
}
answered rsa-3072 rita '3072 bit'
answered p-256 pia '256 bit'
answered p-384 paul '384 bit'
run 74 cert request x@example.org --out rita.req && complains already; did 'a request is not written over a file'
run 2 cert request nobody && complains 'looks like'; did 'no address: usage'
run 2 cert request x@example.org --key rsa-1024 && complains rsa-3072; did 'a wrong kind of key: usage'
run 1 cert request x@example.org --token nowhere && complains 'signet token list'; did 'no such token: where to look'

# What other programs keep.
mkdir -p smime/certificates gpg && chmod 700 gpg
leaf mia email:mia@example.org /CN=Mia
leaf gert email:gert@example.org /CN=Gert
cp mia.pem smime/certificates/0a1b2c3d.0 && cp password smime/certificates/0a1b2c3d.1 && echo 'mia@example.org 0a1b2c3d.0 ? ?' >smime/certificates/.index
run 0 cert import --from-mutt smime && says 'imported.*mia@example.org' && complains '0a1b2c3d.1 was left out'
did "import --from-mutt: mutt's certificates; what is none is told and left out"
run 66 cert import --from-mutt gpg && complains 'smime_keys'; did '... not such a folder: 66'
GNUPGHOME=$work/gpg
export GNUPGHOME
gpgsm --batch --disable-dirmngr --import gert.pem >/dev/null 2>&1
run 0 cert import --from-gpgsm && says 'imported.*gert@example.org'; did "import --from-gpgsm: gpgsm's certificates"
gpgconf --kill all >/dev/null 2>&1

# Harvest: candidates out of signed mail.
leaf bob2 email:bob@example.org '/CN=Bob Mwangi'
run 0 cert delete bob@example.org --yes; did 'a correspondent goes without more ado'
openssl cms -sign -in plain -signer mallory.pem -inkey mallory.key -from mallory@example.org -to anna@example.org -subject s -out "$profile/mail/cur/3.a:2,S"
sed 's/<1@x>/<4@x>/' plain | openssl cms -sign -signer bob.pem -inkey bob.key -from bob@example.org -to anna@example.org -subject s -out "$profile/mail/cur/4.a:2,S"
run 0 cert harvest INBOX && says '^candidate .*bob@example.org' && complains '2 signed messages read'
did 'harvest tells who signed'
run 0 cert list --candidates && says '^[0-9a-f]* ----- .*bob@example.org.*both, .*, from signed mail of 20'
did 'list --candidates: what mail brought, and from where'
run 0 --json cert list --candidates && says '"group":"candidate","use":"both"' && says '"source":"signed mail of'; did '... as JSON'
run 0 cert list && ! says bob@example.org; did 'candidates are apart from what is kept'
run 1 cert accept nobody@example.org && complains 'list --candidates'; did 'accept: none of that name'
run 2 cert accept; did 'accept: usage'
sed 's/<1@x>/<5@x>/' plain | openssl cms -sign -signer bob2.pem -inkey bob2.key -from bob@example.org -to anna@example.org -subject s -out "$profile/mail/cur/5.a:2,S"
run 0 cert harvest INBOX && [ "$(grep -c '^candidate .*bob@example.org' out)" = 2 ]; did 'a second one'
run 1 cert accept bob@example.org && complains '2 candidates fit'; did 'accept: which of both'
run 0 cert forget "$(fingerprint bob2.pem)" && says '^forgotten .*bob@'; did 'forget'
run 0 cert harvest INBOX && [ "$(grep -c '^candidate .*bob@example.org' out)" = 1 ]; did 'it is not offered again'
run 0 cert accept bob@example.org && says '^accepted .*bob@'; did 'accept'
run 0 --json cert list --people bob@ && says '"accepted":true,"source":"signed mail of'; did 'list tells that it was accepted, and from where'
run 0 cert delete bob@example.org --yes && run 0 cert list --candidates && says bob@example.org; did 'deleted: a candidate again'
run 0 --json cert harvest anna/INBOX --accept && says '"address":"bob@example.org","state":"kept","source":"mail"'
did 'harvest --accept keeps what a trusted authority issued'
run 0 cert list bob@example.org && says bob; did '... in the database'
run 0 cert distrust "$(fingerprint bob.pem)" --batch && { run 4 verify "$profile/mail/cur/4.a:2,S" || run 3 verify "$profile/mail/cur/4.a:2,S"; } >/dev/null
did 'what a distrusted one signed is not believed'
run 69 --offline cert harvest far/INBOX; did 'harvest of a server, offline: 69'
run 69 -A far list && complains -- '--offline'; did 'list without a line says that the list of before can be had'
done_testing
