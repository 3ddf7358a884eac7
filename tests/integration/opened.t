#!/bin/sh
# index-encrypted: what encrypted mail says is found once it was decrypted, lies nowhere in clear, is opened by the key
# alone, and goes when the account does not want it any more.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
p=$tmp/p box=$tmp/box
mkdir -p "$p/nssdb" "$box/cur" "$box/new" "$box/tmp" "$box/.Sent/cur" "$box/.Sent/new" "$box/.Sent/tmp"
cd "$tmp" || exit 1
signet() { "$signet" --profile "$p" --batch "$@"; }
quiet() { "$@" >/dev/null 2>&1; }
rsa_key root.key && quiet openssl req -x509 -key root.key -out root.pem -days 99 -subj /CN=Root \
	-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
person() { # person NAME DAYS
	rsa_key "$1.key" && quiet openssl req -new -key "$1.key" -out csr -subj "/CN=$1"
	printf 'subjectAltName=email:anna@example.org\nkeyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=emailProtection\n' >ext
	quiet openssl x509 -req -in csr -CA root.pem -CAkey root.key -CAcreateserial -days "$2" -out "$1.pem" -extfile ext
	quiet openssl pkcs12 -export -in "$1.pem" -inkey "$1.key" -passout pass:secret -out "$1.p12" -name "$1"
}
person anna 9
person later 99
printf 'secret\n' >password
printf 'database\n' >pin
printf 'wrong\n' >wrong
settings() { # settings LINE...: of the account; what begins with [ ends it
	{
		printf '[account here]\naddress = anna@example.org\nmaildir = %s\n' "$box"
		printf '%s\n' "$@"
		printf '[keys]\nsystem-tokens = no\n'
	} >"$p/signet.conf"
}
# post NUMBER SUBJECT TEXT: both are encrypted; outside is nothing of them
post() {
	printf 'Content-Type: text/plain; charset=utf-8; hp="cipher"\r\nFrom: Bob <bob@example.org>\r\nTo: anna@example.org\r\nSubject: %s\r\nHP-Outer: Subject: [...]\r\n\r\n%s\r\n' \
		"$2" "$3" | openssl cms -encrypt -binary -aes256 -outform DER -out der anna.pem
	{
		printf 'From: Bob <bob@example.org>\r\nTo: anna@example.org\r\nSubject: [...]\r\nDate: Wed, 15 Nov 2023 01:%02d:03 +0000\r\nMessage-ID: <number%s@example.org>\r\nMIME-Version: 1.0\r\n' "$1" "$1"
		printf 'Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
		openssl base64 -in der | sed 's/$/\r/'
	} >"$box/tmp/1"
	mv "$box/tmp/1" "$box/cur/17000000$1.x:2,S"
}
found() { printf '%s\n' "$out" | sed -n 's/.*"folder":"\([^"]*\)","uid":\([0-9]*\).*/\1\/\2/p' | tr '\n' ' '; }
nowhere() { # nowhere WORD NAME
	grep -ril -- "$1" "$p" >"$tmp/where" 2>/dev/null
	is "$(cat "$tmp/where")" "" "$2"
}
sealed=$p/data/store/here.sealed
uses() { grep -c '"act":"decrypt","result":"done"' "$p/state/journal"; }

settings
quiet certutil -N -d "sql:$p/nssdb" --empty-password
signet cert import --password-file password anna.p12 >/dev/null 2>&1
signet cert import --trust root.pem >/dev/null 2>&1
post 11 'The Quetzal plan' 'The archaeopteryx flies on Friday.'
post 12 'Other' 'A brachiosaurus does not.'
post 13 'Third' 'The stegosaurus waits.'

# ---- off, as it comes
exits 0 "an encrypted message is read" signet show INBOX/1
like "$out" archaeopteryx "and says what it says"
exits 1 "it is not found" signet search archaeopteryx
ok "$([ ! -e "$sealed" ]; echo $?)" "and nothing of it is kept"

# ---- on
rm -r "$p/data"
settings 'index-encrypted = yes' '[policy]' 'journal = on'
exits 0 "the first thing that is done" signet show INBOX/3
ok "$([ -e "$sealed" ]; echo $?)" "leaves what it says"
rm "$sealed"
exits 1 "what was not decrypted since is not found" signet search archaeopteryx
exits 0 "it is read once more" signet show INBOX/1
is "$(stat -c %a "$sealed")" 600 "what it says is kept, for its owner alone"
exits 0 "and found" signet --json search archaeopteryx
is "$(found)" "INBOX/1 " "where it lies"
unlike "$out" not_searched "nothing was left out"
exits 0 "as is its protected Subject" signet --json search subject:quetzal
exits 1 "which nobody else's text is" signet search brachiosaurus
nowhere archaeopteryx "no file has a word of its text"
nowhere quetzal "or of its Subject"
exits 6 "verify puts one in" signet verify INBOX/2
exits 0 "which is found" signet search brachiosaurus
exits 0 "decrypt, too" signet decrypt -o plain INBOX/3
exits 0 "which is found with the others" signet --json search -- from:bob -brachiosaurus
is "$(found)" "INBOX/3 INBOX/1 " "but for what is left out"
before=$(uses)
exits 0 "another search" signet search stegosaurus
is "$(($(uses) - before))" 1 "uses the key once, however many were read"
like "$(tail -n 1 "$p/state/journal")" 'the search in encrypted mail, account here' "and the journal says what for"
exits 0 "a search that has a name" sh -c "printf '[searches]\nold = brachiosaurus\n' >>'$p/signet.conf'; '$signet' --profile '$p' --batch --json search --saved old"
is "$(found)" "INBOX/2 " "finds in it as well"

# ---- moved, deleted
mv "$box"/cur/1700000012* "$box/.Sent/cur/"
exits 0 "a message that was moved" signet --json search brachiosaurus
is "$(found)" "Sent/1 " "is found where it is now"
rm "$box"/cur/1700000013*
exits 1 "one that was deleted is not" signet search stegosaurus

# ---- a password
printf '\n' >none
quiet certutil -W -d "sql:$p/nssdb" -f none -@ pin
exits 1 "with the database locked" signet --json search archaeopteryx
like "$out" '"account":"here","not_searched":3' "it is told how many were not searched"
exits 1 "to a person" signet -v search archaeopteryx
like "$err" '3 encrypted messages were not searched: --encrypted asks for the PIN' "with what to do"
exits 0 "--encrypted opens them" signet --json search --encrypted --pin-file pin archaeopteryx
is "$(found)" "INBOX/1 " "and finds"
exits 77 "a wrong password" signet search --encrypted --pin-file wrong archaeopteryx
like "$err" 'could not be searched' "is told"
exits 77 "none at all" signet search --encrypted archaeopteryx
exits 66 "nor a folder of that name" signet search --encrypted --folder Nowhere archaeopteryx
like "$err" 'could not be searched|were not searched' "that the encrypted messages were not searched is said"
like "$err" 'There is no folder "Nowhere"' "and what ended the search"
post 14 'Fourth' 'An ankylosaurus came.'
exits 0 "reading one more" signet show --pin-file pin INBOX/4
like "$out" ankylosaurus "with the password"
exits 1 "asks nobody, but locked it is not searched" signet --json search ankylosaurus
like "$out" '"not_searched":4' "and is counted"
exits 0 "until it is opened" signet search --encrypted --pin-file pin ankylosaurus
quiet certutil -W -d "sql:$p/nssdb" -f pin -@ none

# ---- another certificate
signet cert import --password-file password later.p12 >/dev/null 2>&1
post 15 'Fifth' 'A diplodocus.'
exits 0 "a new certificate" signet show INBOX/5
exits 0 "what is sealed to it and to the old one" signet --json search from:bob
is "$(found)" "INBOX/5 INBOX/4 Sent/1 INBOX/1 " "is all there"
exits 0 "each is found" signet search diplodocus
exits 0 "the old ones as well" signet search archaeopteryx

# ---- many at once
for i in 21 22 23 24 25 26; do post $i "At once" "The word is saurus$i."; done
for i in 6 7 8 9 10 11; do signet show INBOX/$i >"$tmp/at$i" 2>&1 & done
wait
for i in 21 22 23 24 25 26; do signet search saurus$i; done >"$tmp/all" 2>&1
is "$(grep -c 'Bob' "$tmp/all")" 6 "several at once leave each its own"
nowhere saurus2 "and nothing in clear"

# ---- damage
cp "$sealed" kept
printf 'nonsense' | dd of="$sealed" bs=1 seek=90 conv=notrunc 2>/dev/null
exits 0 "a damaged file" sh -c "'$signet' --profile '$p' --batch search plan >'$tmp/o' 2>'$tmp/e'; [ -s '$tmp/e' ]"
like "$(cat "$tmp/e")" 'was damaged; it is kept as .*begun anew' "is set aside"
exits 0 "and begun anew" signet show INBOX/1
exits 0 "by what is read" signet search archaeopteryx

# ---- written anew for another certificate
post 16 'Sixth' 'A gallimimus.'
exits 0 "rekey" signet rekey INBOX --yes --to "$(openssl x509 -in later.pem -noout -fingerprint -sha256 | sed 's/.*=//' | tr -d :)"
exits 0 "puts in what it opens" signet search gallimimus
exits 0 "under the number of the copy" signet show "$(printf '%s\n' "$out" | awk '{print $1}')"
like "$out" 'A gallimimus' "which is that message"
exits 0 "and what was read before it" signet search archaeopteryx
place=$(printf '%s\n' "$out" | awk '{print $1}')
exits 0 "is found by its copy" signet show "$place"

# ---- what was read long ago
rm "$sealed"
exits 1 "nothing is kept any more" signet search archaeopteryx
quiet signet audit INBOX
exits 1 "audit opens nothing by itself" signet search archaeopteryx
quiet signet audit --decrypt INBOX
exits 0 "with --decrypt it puts in all of a folder" signet search archaeopteryx
exits 0 "whatever is in it" signet search gallimimus

# ---- off again
settings 'index-encrypted = no'
exits 1 "switched off" signet search archaeopteryx
like "$err" 'is deleted' "it says so"
is "$(ls "$p/data/store" | grep sealed | grep -v lock)" "" "and all of it is gone"
exits 1 "once" signet search archaeopteryx
is "$err" "" "is enough"
settings 'index-encrypted = yes' '[policy]' 'index-encrypted = forbid'
exits 0 "where policy forbids it" signet show "$place"
ok "$([ ! -e "$sealed" ]; echo $?)" "nothing is kept"
settings 'index-encrypted = perhaps'
exits 78 "yes or no" signet search x
done_testing
