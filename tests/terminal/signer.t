#!/bin/sh
# The expected signer on the real screen: somebody who always signs and now does not, a new certificate, a new
# authority; and `signet verify` says what the screen says, and remembers nothing by itself.
. "$(dirname "$0")/lib.sh"

pki=$LAB/pki
make_authority() { # make_authority NAME COMMON_NAME
	rsa_key "$pki/$1.key" && openssl req -x509 -key "$pki/$1.key" -out "$pki/$1.pem" -days 3650 -subj "/O=Lab/CN=$2" \
		-addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' 2>/dev/null
	certutil -A -d "sql:$LAB/profile/nssdb" -n "$1" -t ,C, -i "$pki/$1.pem"
}
make_anna() { # make_anna NAME AUTHORITY
	rsa_key "$pki/$1.key" && openssl req -new -key "$pki/$1.key" -out "$pki/$1.csr" -subj "/CN=Anna Keller" 2>/dev/null
	printf 'subjectAltName=email:anna@example.org\nkeyUsage=digitalSignature\nextendedKeyUsage=emailProtection\n' >"$pki/$1.ext"
	openssl x509 -req -in "$pki/$1.csr" -CA "$pki/$2.pem" -CAkey "$pki/$2.key" -CAcreateserial -out "$pki/$1.pem" \
		-days 700 -extfile "$pki/$1.ext" 2>/dev/null
	printf '%s\n' "$2" >"$pki/$1.by"
}
signed() { # signed SUBJECT NUMBER KEY
	{
		letter "$1" "$2"
		printf 'Content-Type: text/plain\r\n\r\nAll is well.\r\n' |
			openssl smime -sign -signer "$pki/$3.pem" -inkey "$pki/$3.key" -certfile "$pki/$(cat "$pki/$3.by").pem" |
			grep -v '^MIME-Version:'
	} | deliver "m$2" "$2"
}
message() { ls "$LAB"/profile/mail/cur/*.m"$1".host*; }
verify() { "$SIGNET" --profile "$LAB/profile" --batch verify "$@" 2>&1; }
seen_rows() { sqlite_rows=$(python3 -c "import sqlite3,sys; print(sqlite3.connect('file:%s?mode=ro' % sys.argv[1], uri=True).execute('select count(*) from seen').fetchone()[0])" "$LAB/profile/data/people.db"); echo "$sqlite_rows"; }

make_profile
mkdir -p "$pki"
make_authority first 'Lab Mail CA'
make_authority other 'Other CA'
make_anna anna1 first
make_anna anna2 first
make_anna anna3 other
for i in 1 2 3 4 5; do signed "Nr$i" $i anna1; done
plain 'Nr6' 6 'No signature here.' | deliver m6 6
signed 'Nr7' 7 anna2
signed 'Nr8' 8 anna3
letter 'Nr9' 9 'Anna Keller <otto@example.org>' | { cat; printf 'Content-Type: text/plain\n\nHello.\n'; } | deliver m9 9

verify "$(message 6)" >"$LAB/out"
check 'before anything was read, nothing is expected' sh -c "! grep -q 'has signed' '$LAB/out'"
check 'and no store is made' sh -c "! test -e '$LAB/profile/data/people.db'"

open_number() {
	keys Home
	typed "/~s nr$1"
	keys Enter Enter
	seen "Subject: +Nr$1"
}
back() { keys q; seen '^ *INBOX  '; }
start 80 24 --
wait_for 'INBOX  9 messages  +work' 'the screen opens'
for i in 1 2 3 4 5; do
	open_number $i
	wait_for '^ SIGNED BY anna@example.org' "number $i is signed"
	check "number $i: a certificate like before is not worth a word" has_not 'new certificate'
	back
done
open_number 6
wait_for '^ anna@example.org has signed 5 of 5 messages; this one is not signed\.' 'an unsigned one is told apart'
check 'in the strip, above the rule' row_has 1 3 'has signed 5 of 5'
check 'and what to do' has 'Ask the sender by another way'
keys V
wait_for 'Security of this message' 'the details open'
check 'and say so too' has 'has signed 5 of 5 messages'
keys q
back
open_number 6
wait_for '^ anna@example.org has signed 5 of 5 messages; this one is not signed\.' 'it counts not against itself'
back
open_number 7
wait_for '^ Signed with a new certificate, of the same authority as before' 'a new certificate is a notice'
check 'the mark is good' row_has 1 1 '^ SIGNED BY anna@example.org'
back
open_number 8
wait_for '^ Signed with a new certificate of another authority: Other CA; until' 'a new authority is a notice'
check 'the old one is named' has 'until now it was'
back
open_number 9
wait_for 'Not signed, not encrypted' 'somebody else with that name signs nothing'
check 'and nothing is expected of him' has_not 'has signed'
back
keys q
wait_for 'ended with 0' 'the screen ends'

before=$(seen_rows)
verify "$(message 6)" >"$LAB/out"
check 'verify says what the screen says' grep -q 'anna@example.org has signed 7 of 7 messages; this one is not signed' "$LAB/out"
verify "$(message 8)" >"$LAB/out"
code=$?
check 'a notice does not change the exit code' test $code -eq 0
check 'and is said' grep -q 'Signed with a new certificate of another authority' "$LAB/out"
verify --json "$(message 8)" >"$LAB/out"
check 'in JSON as a remark' grep -qE '"remarks" *: *\["Signed with a new certificate of another authority: Other CA; until now it was' "$LAB/out"
verify --json "$(message 2)" >"$LAB/out"
check 'who signs as before is not remarked on' grep -qE '"remarks" *: *\[\]' "$LAB/out"
sed 's/^Subject: .*/Subject: Another/; s/^Message-ID: .*/Message-ID: <another@example.org>/' "$(message 6)" >"$LAB/another.eml"
verify "$LAB/another.eml" >"$LAB/out"
check 'of a file too' grep -q 'has signed 7 of 8 messages' "$LAB/out"
verify INBOX/6 >"$LAB/out"
check 'of a message in a folder too' grep -q 'has signed 7 of 7 messages' "$LAB/out"
check 'verify writes nothing down' test "$(seen_rows)" = "$before"

start 40 20 NO_COLOR=1 --
wait_for 'INBOX  [1-9]' 'the screen opens in 40 columns, without colour'
open_number 6
wait_for 'this one is not' 'the warning is there in words'
keys q q
wait_for 'ended with 0' 'the screen ends'
done_testing
