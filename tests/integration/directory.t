#!/bin/sh
# signet cert find against a real slapd, and against servers that mean no good: what is found, what is said of it, and
# what goes over the wire.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
lab=$PWD/tests/lab
profile=$tmp/profile
work=$tmp/work
mkdir -p "$profile" "$work" && cd "$work" || exit 1
hostile_pids=
tap_cleanup() {
  for pid in $hostile_pids; do kill "$pid" 2>/dev/null; done
  sh "$lab/slapd.sh" stop "$work/d"
  sh "$lab/slapd.sh" stop "$work/clear"
  rm -rf "$tmp"
}

did() { # did NAME: the status of the command before it
  status=$?
  ok $status "$1" "$(cat out err 2>/dev/null)"
}
run() { # run EXPECTED-CODE ARGUMENTS...
  want=$1
  shift
  timeout 60 "$signet" --profile "$profile" --batch "$@" >out 2>err </dev/null
  code=$?
  [ $code = "$want" ] || { echo "# exit $code, expected $want: signet $*"; return 1; }
}
says() { grep -q -- "$1" out; }
complains() { grep -q -- "$1" err; }
quiet() { "$@" >/dev/null 2>&1; }
count() { grep -c -- "$1" "$2"; }
print_of() { openssl x509 -in "$1" -noout -fingerprint -sha256 | sed 's/.*=//' | tr -d : | tr A-F a-f; }

# --- people and their certificates
rsa_key root.key && quiet openssl req -x509 -key root.key -out root.pem -days 99 -subj '/O=House/CN=Test Root' \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
rsa_key mid.key && quiet openssl req -new -key mid.key -out mid.csr -subj '/O=House/CN=Middle'
printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n' >mid.ext
quiet openssl x509 -req -in mid.csr -CA root.pem -CAkey root.key -CAcreateserial -days 90 -extfile mid.ext -out mid.pem
rsa_key one.key && quiet openssl req -new -key one.key -out one.csr -subj '/CN=One'
leaf() { # leaf NAME ADDRESS COMMON-NAME [CA] [USAGE] [DAYS]
  printf 'subjectAltName=email:%s\nkeyUsage=%s\nextendedKeyUsage=emailProtection\n' "$2" "${5:-digitalSignature,keyEncipherment}" >"$1.ext"
  quiet openssl req -new -key one.key -subj "/CN=$3" -out "$1.csr"
  quiet openssl x509 -req -in "$1.csr" -CA "${4:-root}.pem" -CAkey "${4:-root}.key" -CAcreateserial -days "${6:-9}" -out "$1.pem" -extfile "$1.ext"
}
leaf bob bob@example.org 'Bob Mwangi'
leaf older carol@example.org 'Carol Older'
leaf signs carol@example.org 'Carol Signs' root digitalSignature
leaf below carol@example.org 'Carol Below' mid
leaf other dave@example.net 'Dave Elsewhere'
leaf inside eve@example.org 'Eve Inside'
leaf wide frank@example.net 'Frank Wide'
quiet openssl req -x509 -key one.key -days 9 -subj '/CN=Self' -addext subjectAltName=email:gina@example.org -out self.pem
mkdir ca.new && : >ca.index && echo 77 >ca.serial
printf '[ca]\ndatabase=ca.index\nserial=ca.serial\nnew_certs_dir=ca.new\ncertificate=root.pem\nprivate_key=root.key\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n' >ca.cnf
leaf expired carol@example.org 'Carol Expired'
quiet openssl ca -batch -notext -config ca.cnf -name ca -extfile expired.ext -in expired.csr -out expired.pem -startdate 20200101000000Z -enddate 20210101000000Z
quiet openssl crl2pkcs7 -nocrl -certfile below.pem -certfile mid.pem -outform DER -out bundle.p7

person() { # person UID NAME MAIL [ATTRIBUTE FILE.der]...
  printf 'dn: uid=%s,ou=%s,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: %s\ncn: %s\nsn: %s\nmail: %s\n' "$1" "${in:-people}" "$1" "$2" "${2#* }" "$3"
  shift 3
  while [ $# -gt 0 ]; do
    printf '%s:: %s\n' "$1" "$(base64 -w 0 "$2")"
    shift 2
  done
  echo
}
for name in bob older signs below other inside wide self expired; do openssl x509 -in $name.pem -outform DER -out $name.der; done
head -c 400 /dev/urandom >noise.der
{
  person bob 'Bob Mwangi' bob@example.org 'userCertificate;binary' bob.der
  person carol 'Carol Otieno' carol@example.org 'userCertificate;binary' older.der 'userCertificate;binary' signs.der \
    'userCertificate;binary' expired.der userSMIMECertificate bundle.p7
  person dave 'Dave Wrong' dave@example.org 'userCertificate;binary' other.der
  person gina 'Gina Self' gina@example.org 'userCertificate;binary' self.der
  person hal 'Hal Without' hal@example.org
  person frank 'Frank Wide' frank@example.net 'userCertificate;binary' wide.der
  in=inside person eve 'Eve Inside' eve@example.org 'userCertificate;binary' inside.der
} >people.ldif
sh "$lab/slapd.sh" start "$work/d" people.ldif
did 'slapd runs'
. "$work/d/env"
log=$work/d/log
searches() { count 'SRCH base' "$log"; }

settings() { # settings LINE...: the directory's section
  {
    printf '[keys]\nsystem-tokens = no\n[directory corp]\nbase = dc=example,dc=org\ndomains = example.org\ntimeout = 20\n'
    printf '%s\n' "$@"
  } >"$profile/signet.conf"
}

# --- configuration
run 78 cert find bob@example.org && complains 'no directory is set up' && complains 'directory NAME'
did 'without a directory: what to write, 78'
run 2 cert find nonsense && complains 'nonsense is no mail address'; did 'directories are asked for an address'
run 2 cert find @example.org && complains 'no mail address'; did 'a whole one'
settings 'url = http://x'
run 78 cert find bob@example.org && complains 'ldaps://host or ldap://host' ; did 'an url that is none'
settings 'url = ldaps://anna@x'
run 78 cert find bob@example.org && complains 'bind = DN'; did 'a name in the url: bind'
settings 'url = ldap://x' 'tls = none' 'bind = uid=x'
run 78 cert find bob@example.org && complains 'in clear'; did 'no password goes out in clear'
settings 'url = ldaps://x' 'filter = (mail=%s'
run 78 cert find bob@example.org && complains 'filter that cannot be read'; did 'brackets that do not pair'
settings 'url = ldaps://x' 'domians = y'
run 78 cert find bob@example.org && complains 'did you mean "domains"'; did 'a slip in a key'
printf '[directory corp]\nurl = ldaps://x\nbase = dc=x\n' >"$profile/signet.conf"
run 78 cert find bob@example.org && complains 'whose addresses it may be asked about'; did 'domains must be said'

# --- trust: the server's root is not known, then it is
settings "url = ldaps://localhost:$PORT_LDAPS"
run 69 cert find bob@example.org && complains 'does not prove that this is the server' && complains 'cert import --tls' && [ "$(searches)" = 0 ]
did 'a server of an unknown authority: 69, the next step, and no question'
settings "url = ldap://localhost:$PORT_LDAP"
run 69 cert find bob@example.org && complains 'does not prove' && [ "$(searches)" = 0 ]; did 'the same by StartTLS'
run 0 cert import --tls "$work/d/tls/ca.pem" && run 0 cert import --trust root.pem
did 'the authorities are trusted: one for servers, one for mail'

# --- what is found
settings "url = ldaps://localhost:$PORT_LDAPS"
run 0 cert find bob@example.org && says '^candidate .*Bob Mwangi <bob@example.org>' && says 'directory corp, uid=bob,ou=people,dc=example,dc=org'
did 'a good certificate is a candidate, with its source'
run 0 cert list && ! grep -q Bob out; did 'and nothing was stored'
settings "url = ldap://localhost:$PORT_LDAP"
run 0 cert find bob@example.org && says '^candidate' && grep -q 'STARTTLS' "$log" && grep -q 'TLS established tls_ssf=[1-9]' "$log"
did 'ldap:// means StartTLS'
run 0 --json cert find bob@example.org && says '"state":"candidate","source":"directory corp","entry":"uid=bob' && says "\"sha256\":\"$(print_of bob.pem)\""
did '--json'
run 0 cert find carol@example.org && [ "$(count '^candidate' out)" = 2 ] && [ "$(count '^unfit' out)" = 2 ] && says 'past its end' && says 'Carol Below'
did 'several: two may be used, one has expired, one is for signing alone; a PKCS#7 bundle with its middle authority'
run 1 cert find dave@example.org && says '^unfit' && says 'is not for dave@example.org'; did 'a certificate for another address'
run 1 cert find gina@example.org && says '^unfit' && says 'fingerprint'; did 'one that nobody vouches for'
run 1 cert find hal@example.org && complains 'has no certificate'; did 'an entry without any'
run 1 cert find nobody@example.org && complains 'does not know nobody@example.org'; did 'nobody of that name'
run 1 cert find eve@example.org && complains 'does not know'; did 'what only a login may see is not seen'

# --- nothing is sent about others, and an address is no filter
before=$(searches)
run 1 cert find frank@example.net && complains 'nothing was sent' && [ "$(searches)" = "$before" ]
did 'outside of its domains: not a word to the server'
run 1 cert find 'x@sub.example.org' && complains 'nothing was sent'; did 'nor about a domain below'
run 1 cert find 'a*)(uid=*@example.org' && ! grep -q 'filter="(uid=\*)\|filter="(|\|filter="(&' "$log"
did 'an address that is a filter'
run 1 cert find '*@example.org' && [ ! -s out ] && grep -qi 'filter="(mail=\\2a@example.org)"' "$log"; did 'a star is a star'
settings "url = ldaps://localhost:$PORT_LDAPS" 'filter = (|(mail=%s)(uid=%s))'
run 0 cert find bob@example.org && grep -q 'filter="(|(mail=bob@example.org)(uid=bob@example.org))"' "$log"; did 'a filter of our own'
settings "url = ldaps://localhost:$PORT_LDAPS" 'domains = *'
run 0 cert find frank@example.net; did 'domains = *'

# --- accepting
settings "url = ldaps://localhost:$PORT_LDAPS"
run 0 cert find --accept carol@example.org && says '^accepted' &&
  if says '^accepted .*Carol Below'; then other=older.pem; else other=below.pem; fi && run 0 cert list --people && says Carol
did '--accept keeps the newest that may be used'
run 0 cert find --accept --cert "$(print_of "$other")" carol@example.org && [ "$(count '^accepted' out)" = 2 ] && run 0 cert list --authorities && says 'Middle'
did 'another by its fingerprint, and what stands above it'
run 1 cert find --accept gina@example.org && complains 'compared'; did '--accept does not take what nobody vouches for'
run 0 cert find --accept --cert "$(print_of self.pem)" gina@example.org && says '^accepted'; did 'but the one that is named by its fingerprint'
run 1 cert find --accept --cert "$(print_of other.pem)" dave@example.org && complains 'not for dave'; did 'never one for another address'
run 0 cert find gina@example.org && says '^accepted'; did 'what was accepted is said to be'

# --- a login
printf 'secret-reader\n' >password
printf 'wrong\n' >wrong
settings "url = ldaps://localhost:$PORT_LDAPS" 'bind = uid=reader,dc=example,dc=org'
run 0 cert find --password-file password eve@example.org && says '^candidate'; did 'bind with a password from a file'
run 77 cert find --password-file wrong eve@example.org && complains 'refuses the login'; did 'a wrong password: 77'
run 77 cert find eve@example.org && complains 'password'; did 'no password with --batch: 77'
: >empty
run 77 cert find --password-file empty eve@example.org; did 'an empty password is no login'
settings "url = ldaps://localhost:$PORT_LDAPS" 'bind = uid=reader,dc=example,dc=org' 'password-command = echo secret-reader'
run 0 cert find eve@example.org; did 'password-command'
settings "url = ldaps://localhost:$PORT_LDAPS"
run 0 doctor && says 'directory corp *answers, TLS 1.[23].* as nobody; asked about example.org'
did 'signet doctor says that it answers'

# --- the way there
settings "url = ldaps://127.0.0.2:$PORT_LDAPS"
run 69 cert find bob@example.org && complains 'not for 127.0.0.2'; did 'a certificate for another host'
settings "url = ldap://localhost:$PORT_LDAPS"
run 69 cert find bob@example.org; did 'StartTLS where TLS is spoken at once'
TLS=no sh "$lab/slapd.sh" start "$work/clear" people.ldif
. "$work/clear/env"
settings "url = ldap://localhost:$PORT_LDAP"
run 69 cert find bob@example.org && complains 'StartTLS' && complains 'Nothing was asked' && [ "$(count 'SRCH base' "$work/clear/log")" = 0 ]
did 'a server without StartTLS, or somebody who takes it out: no question'
settings "url = ldap://localhost:$PORT_LDAP" 'tls = none'
run 0 cert find bob@example.org && [ "$(count 'SRCH base' "$work/clear/log")" = 1 ]; did 'in clear where that is said'
sh "$lab/slapd.sh" stop "$work/clear"
run 69 cert find bob@example.org && complains 'cannot be reached'; did 'a server that is down'

# --- servers that mean no good
hostile() { # hostile MODE: $port, $seen
  seen=$work/$1.$tap_number
  python3 "$lab/ldap-hostile.py" "$1" "$seen" >port &
  hostile_pids="$hostile_pids $!"
  wait_until 30 test -s port
  port=$(cat port)
  : >port
}
refused() { # refused MODE CODE WORDS NAME [LINE]
  hostile "$1"
  settings "url = ldap://127.0.0.1:$port" 'timeout = 3' "${5:-tls = none}"
  sed -i '/^timeout = 20/d' "$profile/signet.conf"
  begun=$(date +%s)
  run "$2" cert find bob@example.org && complains "$3" && [ $(($(date +%s) - begun)) -lt 40 ] && [ ! -s out ]
  did "$4"
}
refused count 69 'no answer within 3 seconds' 'one that never answers: given up in time'
refused count 69 'no answer within 3 seconds' 'the same, asked for StartTLS' 'tls = required'
refused garbage 69 . 'garbage'
refused huge 69 . 'an answer of 2 GiB'
refused drip 69 'no answer within 3 seconds' 'an octet a second'
refused drop 69 . 'hangs up'
refused tlsyes 69 'in clear after its yes' 'words in clear behind the yes to StartTLS' 'tls = required'
refused referral 78 'another server' 'a referral is not followed'
hostile endless
settings "url = ldap://127.0.0.1:$port" 'tls = none'
run 1 cert find bob@example.org && complains 'more than is taken'; did 'entries without end'
hostile values
settings "url = ldap://127.0.0.1:$port" 'tls = none'
run 1 cert find bob@example.org && complains 'hold no certificate'; did 'values that are no certificates'
hostile count
settings "url = ldap://127.0.0.1:$port" 'tls = none' 'domains = example.com'
sed -i '/^domains = example.org/d' "$profile/signet.conf"
run 1 cert find bob@example.org && [ ! -s "$seen" ]; did 'outside of its domains not even a connection is made'

# --- several at once: the one that hangs does not take the other's answer away
. "$work/d/env"
settings "url = ldaps://localhost:$PORT_LDAPS"
printf '[directory slow]\nurl = ldap://127.0.0.1:%s\ntls = none\nbase = dc=x\ndomains = .example.org\ntimeout = 2\n' "$port" >>"$profile/signet.conf"
run 0 cert find bob@example.org && says '^candidate' && complains 'directory slow .*no answer'; did 'two directories, one of which hangs'
"$signet" --profile "$profile" --offline cert find bob@example.org >out 2>err </dev/null
[ $? = 69 ] && complains offline; did '--offline'
done_testing
