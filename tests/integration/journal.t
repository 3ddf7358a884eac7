#!/bin/sh
# The journal of key uses: each use of a private key, by every subcommand that has one, leaves its line; where policy
# requires it and it cannot be written, no key is used.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
library=$(find /usr/lib /usr/local/lib -name libsofthsm2.so 2>/dev/null | head -n 1)
[ -n "$library" ] || { echo 'Bail out! there is no libsofthsm2.so'; exit 1; }
self=$PWD/tests/integration/journal.t
work=$tmp/work profile=$tmp/profile
mkdir -p "$work/tokens" "$profile" && cd "$work" || exit 1
journal=$profile/state/journal
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\n' "$work" >softhsm.conf
SOFTHSM2_CONF=$work/softhsm.conf
export SOFTHSM2_CONF
server_pid=
tap_cleanup() {
  [ -z "$server_pid" ] || kill "$server_pid" 2>/dev/null
  rm -rf "$tmp"
}

did() { # did NAME: the status of the command before it
  status=$?
  ok $status "$1" "$(cat out err 2>/dev/null; tail -n 3 "$journal" 2>/dev/null)"
}
run() { # run EXPECTED-CODE ARGUMENTS...
  want=$1
  shift
  "$signet" --profile "$profile" --batch "$@" >out 2>err </dev/null
  code=$?
  [ $code = "$want" ] || { echo "# exit $code, expected $want: signet $*"; return 1; }
}
complains() { grep -q -- "$1" err || { echo "# does not say: $1"; return 1; }; }
says() { grep -q -- "$1" out || { echo "# does not print: $1"; return 1; }; }
quiet() { "$@" >/dev/null 2>&1; }
print_of() { openssl x509 -in "$1" -noout -fingerprint -sha256 | sed 's/.*=//' | tr -d : | tr A-F a-f; }
key_of() { openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -c 1-64; }
lines() { grep -c . "$journal" 2>/dev/null || true; }
# new NUMBER WORDS...: just that many lines were added since the last call, and one of them has all the words
seen=0
new() {
  now=$(lines) want=$1
  added=$((${now:-0} - seen))
  tail -n "$added" "$journal" >added 2>/dev/null || : >added
  seen=${now:-0}
  shift
  [ "$added" = "$want" ] || { echo "# $added lines were added, not $want"; sed 's/^/# /' added; return 1; }
  for word in "$@"; do
    grep -F -- "$word" added >rest || { echo "# none has $word"; sed 's/^/# /' added; return 1; }
    mv rest added
  done
}
settings() {
  printf '[account here]\naddress = anna@example.org\nmaildir = mail\nsendmail = /bin/cat\nundo-send = 0\n[keys]\nsystem-tokens = no\n[policy]\n' >"$profile/signet.conf"
  printf '%s\n' "$@" >>"$profile/signet.conf"
}

rsa_key root.key && quiet openssl req -x509 -key root.key -out root.pem -days 99 -subj /CN=Root \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
person() {
  rsa_key "$1.key" && quiet openssl req -new -key "$1.key" -out csr -subj "/CN=$1"
  printf 'subjectAltName=email:%s@example.org\nkeyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=emailProtection,clientAuth\n' "$1" >ext
  quiet openssl x509 -req -in csr -CA root.pem -CAkey root.key -CAcreateserial -days 9 -out "$1.pem" -extfile ext
  quiet openssl pkcs12 -export -in "$1.pem" -inkey "$1.key" -passout pass:secret -out "$1.p12" -name "$1"
}
person anna
person bob
person spare
printf 'secret\n' >password
mkdir -p "$profile/mail/cur" "$profile/mail/new" "$profile/mail/tmp"
letter() { printf 'From: anna@example.org\nTo: anna@example.org\nSubject: Hello\nDate: %s\nMessage-ID: %s\n\nHello.\n' "$(date -uR)" "$1"; }
letter '<one@example.org>' >letter.eml

# --- off: nothing
settings
run 0 cert import --trust root.pem && run 0 cert import --password-file password anna.p12 && run 0 sign -o s.eml letter.eml && [ ! -e "$journal" ]
did 'by default nothing is written'
run 66 journal && complains 'journal = on'; did 'signet journal says how it is begun: 66'
run 0 doctor && says 'journal *off'; did 'so does doctor'

# --- on: each use of a key
settings 'journal = on'
run 0 cert import --password-file password spare.p12 && new 1 '"act":"import"' '"result":"done"' "$(print_of spare.pem)" "\"key\":\"$(key_of spare.pem)\"" '"token":"database"'
did 'a key that is imported'
run 0 sign -o signed.eml letter.eml && new 1 '"act":"sign"' '"result":"done"' "$(print_of anna.pem)" "\"key\":\"$(key_of anna.pem)\"" '"name":"anna"' '"about":"<one@example.org>"'
did 'sign: which key, for which message'
run 0 encrypt -o secret.eml letter.eml && new 1 '"act":"decrypt"' '"about":"<one@example.org>"'
did 'encrypt, which reads back what it wrote'
run 0 decrypt -o plain.eml secret.eml && new 1 '"act":"decrypt"' '"result":"done"' "$(print_of anna.pem)" '"about":"<one@example.org>"'
did 'decrypt'
run 6 verify secret.eml && new 1 '"act":"decrypt"'; did 'verify, which decrypts'
cp secret.eml "$profile/mail/cur/1700000000.1.host:2,S"
run 0 show INBOX/1 && new 1 '"act":"decrypt"'; did 'show'
run 0 verify signed.eml; new 0; did 'verifying a signature uses no key of ours'
run 0 cert list && run 0 token list && new 0; did 'nor does looking at what there is'
run 0 encrypt --cipher aes-256-gcm -o sealed.eml letter.eml && new 1
# the last line but one of the ciphertext, which GCM's tag covers
awk '{ line[NR] = $0 } END { for (i = 1; i <= NR; i++) if (line[i] != "") last = i
  for (i = 1; i <= NR; i++) { if (i == last - 2) line[i] = substr(line[i], 1, 10) (substr(line[i], 11, 1) == "A" ? "B" : "A") substr(line[i], 12); print line[i] } }' sealed.eml >broken.eml
run 8 verify broken.eml && new 1 '"act":"decrypt"' '"result":"failed"' '"why":"The message cannot be decrypted'
did 'a decryption that fails'
printf 'Hello.\n' | "$signet" --profile "$profile" --batch send --sign -s Hi anna@example.org >out 2>err
new 1 '"act":"sign"' '"about":"<' '@example.org>"'; did 'send --sign: with the Message-ID that it got'
run 0 cert export --p12 --password-file password --out spare-out.p12 spare@example.org && new 1 '"act":"export"' "$(print_of spare.pem)"
did 'cert export --p12'
run 0 cert export spare@example.org && new 0; did 'a certificate alone is no key'
run 0 cert delete --with-key --yes spare@example.org && new 1 '"act":"delete"' "$(print_of spare.pem)"
did 'cert delete --with-key; counting what would be lost uses no key'
run 0 cert request --key p-256 --name 'New Anna' --out anna.csr anna@example.org &&
  new 1 '"act":"request"' '"name":"New Anna"' "\"key\":\"$(openssl req -in anna.csr -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -c 1-64)\""
did 'cert request: a key that has no certificate yet'
softhsm2-util --init-token --free --label Karte --so-pin 12345678 --pin 1234 >/dev/null
echo 1234 >pin
run 0 token add soft "$library" && run 0 cert request --token Karte --pin-file pin --key p-256 --out card.csr anna@example.org && new 1 '"act":"request"' '"token":"Karte"'
did 'the same on a token, which is named'
run 0 token remove soft

# --- TLS client authentication
cat >server.py <<'END'
import socket, ssl, sys
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain("web.pem", "web.key")
tls.verify_mode = ssl.CERT_REQUIRED
tls.load_verify_locations("root.pem")
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(5)
print(server.getsockname()[1], flush=True)
while True:
    line, _ = server.accept()
    try:
        with tls.wrap_socket(line, server_side=True) as secured:
            secured.sendall(b"* BYE not today\r\n")
    except OSError:
        pass
END
rsa_key web.key && quiet openssl req -new -key web.key -out csr -subj /CN=localhost
printf 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n' >ext
quiet openssl x509 -req -in csr -CA root.pem -CAkey root.key -CAcreateserial -days 9 -out web.pem -extfile ext
python3 server.py >port &
server_pid=$!
wait_until 30 test -s port
run 0 cert import --tls root.pem
login() { printf '[account far]\naddress = anna@example.org\nimap = imaps://anna@localhost:%s\nauth = external\ntls-cert = %s\n[keys]\nsystem-tokens = no\n[policy]\njournal = %s\n' "$(cat port)" "$(print_of anna.pem)" "$1" >"$profile/signet.conf"; }
login on
"$signet" --profile "$profile" --batch account check >out 2>err
new 1 '"act":"login"' '"result":"done"' "$(print_of anna.pem)" "\"about\":\"localhost:$(cat port)\""; did 'a TLS client login, and to whom'

# --- nobody forges a line
settings 'journal = on'
letter '<x"},{"act":"none"}\u000a@example.org>' >evil.eml
run 0 sign -o e.eml evil.eml && new 1 '"about":"<x\"},{\"act\":\"none\"}\\u000a@example.org>"'; did 'a Message-ID that looks like a line is a Message-ID'
LC_ALL=C grep -q '[^ -~]' "$journal"; [ $? = 1 ]; did 'the file is printable ASCII'

# --- reading it
run 0 journal && says '^20..-..-..T..:..:..Z  sign     done' && says 'anna, database  <one@example.org>'; did 'signet journal'
run 0 --json journal && cmp -s out "$journal"; did '--json prints the lines as they are'
python3 -c '
import json, sys
for line in open(sys.argv[1]):
    one = json.loads(line)
    assert one["schema"] == 1 and one["at"].endswith("Z") and one["act"] and one["result"] and one["token"] and one["use"], line
' "$journal"
did 'each is JSON with all it should have'
run 0 journal --since 2099-01-01 && [ ! -s out ] && run 0 journal --since 1h && [ -s out ] && run 2 journal --since soon; did '--since'
mv "$journal" "$journal.1"
run 0 sign -o s.eml letter.eml && [ "$(lines)" = 1 ] && run 0 journal --file "$journal.1" && says import; did 'after logrotate a new file is begun; --file reads the old'
[ "$(stat -c %a "$journal")" = 600 ]; did 'nobody else may read it'
echo 'half a li' >>"$journal"
run 1 journal && complains '1 line of' && says sign; did 'a damaged line is said, and the others are shown'
python3 - "$journal" <<'END'
import json, sys
def line(use, result, about):
    return json.dumps({"schema": 1, "at": "2026-11-22T06:00:00Z", "act": "sign", "result": result, "name": "anna",
                       "token": "database", "about": about, "use": use}) + "\n"
with open(sys.argv[1], "w") as out:
    out.write(line("a", "begun", "<a>"))
    out.write('{"filler":"' + 50000000 * "x")
    out.write('"}\n')
    out.write(line("b", "begun", "<b>") + line("c", "done", "<c>") + line("b", "done", "<b>") + line("d", "done", "<d>"))
END
run 1 journal && complains '^signet: 1 line of' && [ "$(sed 's/.*\(sign .*\)  anna.*\(<.*\)/\1\2/; s/  */ /g' out | tr '\n' ' ')" = 'sign begun -<a> sign done -<c> sign done -<b> sign done -<d> ' ]
did 'in the order of the file; begun is what has no end; a line without measure is damaged'
( ulimit -v 400000 && run 1 --json journal && [ "$(grep -c . out)" = 5 ] ); did 'and takes no memory of its size'
rm -f "$journal" "$journal.1"
mkdir "$journal"
run 0 sign -o s.eml letter.eml && complains 'not in the journal'; did 'on: where it cannot be written the key is used, and that is said'
run 0 doctor && says 'WARN *journal'; did 'doctor warns'

# --- required
seen=0
settings 'journal = required'
run 77 sign -o refused.eml letter.eml && complains 'The key was not used: policy at .*signet.conf:9 wants' && [ ! -e refused.eml ]; did 'required: sign refuses, names who wants it, writes nothing'
run 8 decrypt -o refused.eml secret.eml && complains 'The key was not used' && [ ! -e refused.eml ]; did 'decrypt refuses'
run 8 --json verify secret.eml && says '"encryption":"refused"' && says 'The key was not used'; did 'verify says refused, and why'
run 77 cert export --p12 --password-file password --out refused.p12 anna@example.org && [ ! -e refused.p12 ]; did 'export refuses'
run 77 cert request --key p-256 --out refused.csr anna@example.org && [ ! -e refused.csr ]; did 'request makes no key'
run 77 cert import --password-file password bob.p12; run 0 cert list --own && ! grep -q bob out; did 'import stores no key'
run 77 cert delete --with-key --yes anna@example.org; run 0 cert list --own && says anna; did 'delete deletes none'
printf 'Hello.\n' | "$signet" --profile "$profile" --batch send --sign -s Hi anna@example.org >out 2>err
[ $? != 0 ] && complains 'The key was not used'; did 'send sends nothing'
login required
"$signet" --profile "$profile" --batch account check >out 2>err
[ $? != 0 ] && grep -q 'The key was not used' out err; did 'no TLS client login'
settings 'journal = required'
run 1 doctor && says 'FAILED *journal'; did 'doctor says that it is broken'
rmdir "$journal"
run 0 sign -o s.eml letter.eml && new 2 '"result":"begun"' && grep -q '"result":"done"' "$journal"; did 'once it can be written: begun before, done after'
run 0 journal && [ "$(grep -c . out)" = 1 ] && says ' done '; did 'which is shown as one use'
run 0 decrypt -o plain.eml secret.eml && new 2 '"act":"decrypt"'; did 'decrypt too'

# --- the system's policy, which no file of the user's weakens; and a disk that is full
cat >inside.sh <<'END'
mkdir real etc etc/signet
mount --bind /etc real || exit 9
for name in real/*; do
  base=$(basename "$name")
  [ "$base" = signet ] || ln -s "$PWD/$name" "etc/$base"
done
mount --bind etc /etc || exit 9
printf '[policy]\njournal = required\nlocked = journal\n' >/etc/signet/policy.conf
"$1" --profile "$2" --batch policy test --to x@y.example
echo "locked $?"
mkdir -p "$2/state"
mount -t tmpfs -o size=8k tmpfs "$2/state" || exit 9
"$1" --profile "$2" --batch sign -o first.eml letter.eml
echo "first $?"
cat "$2/state/journal"
dd if=/dev/zero of="$2/state/fill" bs=4096 count=10 2>/dev/null
dd if=/dev/zero bs=1 count=4096 2>/dev/null | tr '\0' ' ' >>"$2/state/journal"
"$1" --profile "$2" --batch sign -o second.eml letter.eml 2>&1
echo "second $?"
[ ! -e second.eml ] && echo 'nothing written'
END
settings 'journal = off'
way=
for try in -m -rm; do quiet unshare $try true && { way=$try; break; }; done
if [ -n "$way" ]; then
  unshare $way sh inside.sh "$signet" "$profile" >out 2>err
  says 'journal = required .*policy.conf:2, locked' && says 'would weaken it'; did "the system's policy is stronger than the user's"
  says '^first 0' && says '"result":"begun"' && says '"result":"done"'; did 'and is kept'
  says '^second 77' && says 'No space left' && says 'policy at /etc/signet/policy.conf:2' && says '^nothing written'; did 'a full disk: the key is not used'
else
  for what in locked kept full; do ok 0 "$what # SKIP no mount namespace can be made here"; done
fi
done_testing
