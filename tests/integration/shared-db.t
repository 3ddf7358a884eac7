#!/bin/sh
# One certificate database, four processes: two run signet and two run certutil, each writing and reading by turns.
# Nothing is lost, and no start is refused.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
work=$tmp/work
profile=$tmp/profile
mkdir "$work" && cd "$work" || exit 1
each=${SHARED_DB_EACH:-50} # acts of each process: every second one writes; 250 take minutes
writes=$((each / 2))

# One key, many certificates: what is shared here is the database.
rsa_key root.key && openssl req -x509 -key root.key -out root.pem -days 99 -subj '/CN=Shared Root' \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
rsa_key leaf.key && openssl req -new -key leaf.key -out leaf.csr -subj /CN=leaf 2>/dev/null
"$signet" --profile "$profile" cert import root.pem --trust >out 2>&1
ok $? 'the database is made' "$(cat out)"
for who in a b c d; do
  i=0
  while [ $i -lt $writes ]; do
    i=$((i + 1))
    printf '%s\n%s\n' "subjectAltName=email:$who$i@example.org" extendedKeyUsage=emailProtection >ext
    openssl x509 -req -in leaf.csr -CA root.pem -CAkey root.key -set_serial 0x$(printf '%s%04d' 0$who $i) -days 9 \
      -subj "/CN=$who$i" -out "$who$i.pem" -extfile ext 2>/dev/null || echo "# openssl cannot make $who$i"
  done
done
made=$(ls [abcd]*.pem | wc -l)
is "$made" $((4 * writes)) "$made certificates to write"

by_signet() { # by_signet NAME: what goes wrong is written down
  i=0
  while [ $i -lt $writes ]; do
    i=$((i + 1))
    "$signet" --profile "$profile" --batch cert import "$1$i.pem" >"$1.out" 2>&1 || { echo "import $1$i: $?" && cat "$1.out"; } >>"$1.trouble"
    "$signet" --profile "$profile" --batch cert list "$1$i@example.org" >"$1.out" 2>&1 && grep -q "$1$i@" "$1.out" || { echo "list $1$i: $?" && cat "$1.out"; } >>"$1.trouble"
  done
}
by_certutil() {
  i=0
  while [ $i -lt $writes ]; do
    i=$((i + 1))
    certutil -A -d "sql:$profile/nssdb" -n "$1$i" -t ,, -i "$1$i.pem" >"$1.out" 2>&1 || { echo "certutil -A $1$i: $?" && cat "$1.out"; } >>"$1.trouble"
    certutil -L -d "sql:$profile/nssdb" -n "$1$i" >"$1.out" 2>&1 || { echo "certutil -L $1$i: $?" && cat "$1.out"; } >>"$1.trouble"
  done
}
began=$(date +%s)
workers=
trap 'kill $workers 2>/dev/null; tap_cleanup' EXIT
by_signet a & workers="$workers $!"
by_signet b & workers="$workers $!"
by_certutil c & workers="$workers $!"
by_certutil d & workers="$workers $!"
for worker in $workers; do wait "$worker"; done
workers=
echo "# $((4 * each)) acts of four processes in $(($(date +%s) - began)) s"
for who in a b; do [ ! -s $who.trouble ]; ok $? "signet $who: no start, write or read was refused" "$(cat $who.trouble 2>/dev/null)"; done
for who in c d; do
  # certutil gives up where another writes at that moment and says so: that is its way, and is tried again below
  [ ! -s $who.trouble ] || echo "# certutil $who met $(grep -c ^certutil $who.trouble) refusals of its own"
  grep '^certutil -A' $who.trouble 2>/dev/null | sed 's/.*-A \([a-z0-9]*\):.*/\1/' | while read -r name; do
    certutil -A -d "sql:$profile/nssdb" -n "$name" -t ,, -i "$name.pem"
  done
done

"$signet" --profile "$profile" --json cert list --people >out 2>err
is "$(wc -l <out | tr -d ' ')" "$made" 'signet lists every one'
lost=0
for file in [abcd]*.pem; do
  want=$(openssl x509 -in "$file" -noout -fingerprint -sha256 | sed 's/.*=//' | tr -d : | tr A-F a-f)
  grep -q "$want" out || lost=$((lost + 1))
done
is $lost 0 'each with the octets that were written'
certutil -L -d "sql:$profile/nssdb" >listed 2>&1
is "$(grep -c '^[abcd][0-9]' listed)" "$made" 'certutil too'
grep -q 'Shared Root  *.,[Cc]' listed || grep -q 'Shared Root' listed
ok $? 'the root is still there' "$(head -5 listed)"
"$signet" --profile "$profile" --json cert list Shared >out 2>&1 && grep -q '"trusted_mail":true' out
ok $? 'and still trusted'
done_testing
