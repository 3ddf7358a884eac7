#!/bin/sh
# The marks in the list of messages: judged by themselves behind the screen, gone when what they rest on has changed, and
# never by a key, a question or the network. Over the demonstration, a server, a card, and every message of the corpus.
. "$(dirname "$0")/lib.sh"
command -v dovecot >/dev/null || PATH=$PATH:/usr/sbin
chmod 711 "$LAB"
server=$LAB/server
trap 'stop_dovecot "$server"; finish' EXIT
signet() { "$SIGNET" --profile "$LAB/profile" --batch "$@"; }
root_of_demo() { signet cert list --json --authorities | sed -n '/"subject":"CN=Demo Root/s/.*"sha256":"\([0-9a-f]*\)".*/\1/p'; }

# --- a Maildir
"$SIGNET" demo --make "$LAB/profile" >/dev/null
mkdir "$LAB/mails"
for each in "$LAB"/profile/Mail/cur/* "$LAB"/profile/Mail/new/*; do cp "$each" "$LAB/mails/"; done
root=$(root_of_demo)
start 80 24 --
wait_for '^> *31 N  *S! ' 'a revoked certificate is marked, though nobody has opened the message'
wait_for '^ *30 +S\+ .*Anna Keller' 'a good signature too'
wait_for '^ *33 N +S\? ' 'and somebody else'"'"'s'
check 'an encrypted message is encrypted, and nothing more' has '^ *29 +F +E   Sun|^ *29  F  E   '
check 'also where there is a signature inside' has_not '^ *29 .*SE'
keys Home
wait_for '^> *1 +S\+ .*old letter' 'a page that was not in sight is marked as well'
wait_for '^ *9 +E .*Triple-wrapped' 'a signature around a ciphertext gives no mark'
keys Enter
wait_for 'SIGNED BY oskar' 'the reader says what the mark says'
keys q End
wait_for '^ *30 +S\+ ' 'the list again'
signet cert distrust "$root" >/dev/null 2>&1
wait_for '^ *30 +S\? ' 'another program distrusts the authority: the mark goes'
check 'every one of them' has_not ' S\+ '
keys Home
wait_for '^> *1 +S\? ' 'that of a message that was read, too'
signet cert distrust --remove "$root" >/dev/null 2>&1
signet cert trust "$root" >/dev/null 2>&1
wait_for '^> *1 +S\+ ' 'and comes again with the trust'
keys End
wait_for '^ *32 N' 'at the newest'
keys k
wait_for '^> *33 ' 'one above'
keys k k k
wait_for '^> *30 ' 'the contract'
keys Enter
wait_for '^ SIGNED BY anna' 'it is opened'
keys q
wait_for '^> *30 +S\+ ' 'and has its mark still'
contract=$(grep -l '^Subject: Contract, second draft' "$LAB"/profile/Mail/cur/* "$LAB"/profile/Mail/new/*)
sed -i 's/^From: .*/From: Big Boss <boss@demo.example>/' "$contract"
keys C-r
wait_for '^> *30 .*Big Boss' 'the file has another author now'
check 'the good mark was not for this line' has_not '^> *30 +S\+ '
wait_for '^> *30 +S\? .*Big Boss' 'it is judged anew'
keys q
wait_for 'ended with 0' 'ends'

# --- the next start: what was judged of the files is there without them, and not for a file that was edited since
mv "$LAB/profile/Mail" "$LAB/profile/Mail.away"
start 120 40 --
wait_for 'cannot be opened' 'the files are not there'
wait_for '^[> ] *27 +S\+ ' 'what was judged of one is'
wait_for '^[> ] *30 +S\? .*Big Boss' 'and of the one that was edited'
keys q
wait_for 'ended with 0' 'ends'
mv "$LAB/profile/Mail.away" "$LAB/profile/Mail"
minutes=$(grep -l '^Subject: Minutes of Thursday' "$LAB"/profile/Mail/cur/* "$LAB"/profile/Mail/new/*)
sed -i 's/Travel: postponed/Travel: permitted/' "$minutes" # as long as before
check 'the text is another one' grep -q 'Travel: permitted' "$minutes"
touch -d '2001-02-03 04:05:06' "$minutes"
start 120 40 --
wait_for '^[> ] *27 +S! ' 'the text of one was changed: it is judged anew'
wait_for '^[> ] *17 +S\+ ' 'another is what it was'
keys q
wait_for 'ended with 0' 'ends'

# --- an mbox: what was judged is there for the very octets alone
python3 - "$LAB/box" "$LAB"/mails/* <<'EOF'
import re, sys
with open(sys.argv[1], "wb") as box:
    for name in sys.argv[2:]:
        text = open(name, "rb").read().replace(b"\r\n", b"\n")
        box.write(b"From anna@demo.example Sun Nov 22 00:04:05 2026\n" + re.sub(rb"(?m)^(>*From )", rb">\1", text) + b"\n")
EOF
mv "$LAB/profile/signet.conf" "$LAB/signet.conf.maildir"
printf '[account box]\naddress = you@demo.example\nmbox = %s\n[keys]\nsystem-tokens = no\n' "$LAB/box" \
	>"$LAB/profile/signet.conf"
in_box() { python3 - "$LAB/profile/data/store/box.db" "$1" <<'EOF'
import sqlite3, sys
store = sqlite3.connect(sys.argv[1])
print((store.execute(sys.argv[2]).fetchone() or [""])[0])
store.commit()
EOF
}
judged_in_box() { [ "$(in_box 'SELECT count(*) FROM verdict WHERE mark = 2 AND length(digest) = 64')" -ge 2 ] 2>/dev/null; }
start 120 40 --
wait_for ' S\+ .*Minutes of Thursday' 'a good signature in an mbox'
wait_for ' S\+ .*Signed with RSA-PSS' 'another'
check 'both are kept, with what they are of' until_true judged_in_box
keys q
wait_for 'ended with 0' 'ends'
in_box "UPDATE verdict SET mark = 4 WHERE id = (SELECT id FROM message WHERE subject LIKE '%Signed with RSA-PSS%')" >/dev/null
start 120 40 --
wait_for ' S! .*Signed with RSA-PSS' 'at the next start it is said, not judged again'
wait_for ' S\+ .*Minutes of Thursday' 'of the other one too'
keys q
wait_for 'ended with 0' 'ends'
in_box "UPDATE verdict SET mark = 2 WHERE id = (SELECT id FROM message WHERE subject LIKE '%Signed with RSA-PSS%')" >/dev/null
python3 - "$LAB/box" <<'EOF'
import os, sys
before = os.stat(sys.argv[1])
with open(sys.argv[1], "r+b") as box:
    text = box.read()
    box.seek(text.index(b"Travel: postponed") + len(b"Travel: "))
    box.write(b"q")
os.utime(sys.argv[1], ns=(before.st_atime_ns, before.st_mtime_ns))
EOF
check 'one octet of the text is another one' grep -q 'Travel: qostponed' "$LAB/box"
start 120 40 --
wait_for ' S! .*Minutes of Thursday' 'of that message nothing good is said any more'
wait_for ' S\+ .*Signed with RSA-PSS' 'of another what was said before'
keys q
wait_for 'ended with 0' 'ends'
mv "$LAB/signet.conf.maildir" "$LAB/profile/signet.conf"

# --- a server: out of what is kept here, and what was judged is there at once
sh tests/lab/dovecot.sh start "$server" >/dev/null || { echo "Bail out! no server"; exit 1; }
. "$server/env"
box=$server/mail/anna/Maildir
number=1700000000
for each in "$LAB"/mails/*; do
	number=$((number + 1))
	cp -p "$each" "$box/cur/$number.x:2,S"
done
chown -R "$MAIL_UID:$MAIL_GID" "$box" 2>/dev/null
printf '[account anna]\naddress = you@demo.example\nimap = imaps://anna@127.0.0.1:%s\npassword-command = echo secret-anna\n[keys]\nsystem-tokens = no\n' \
	"$PORT_TLS" >"$LAB/profile/signet.conf"
signet cert import --tls "$server/tls/ca-good.pem" >/dev/null 2>&1
stored() { sqlite "SELECT count(*) FROM verdict WHERE mark = $1"; }
sqlite() { python3 -c 'import sqlite3, sys; print(sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True).execute(sys.argv[2]).fetchone()[0])' \
	"$LAB/profile/data/store/anna.db" "$1" 2>/dev/null; }
start 120 40 --
wait_for '^> *34 ' 'the list of a server'
wait_for ' S   .*old letter' 'with hints alone'
check 'nothing is fetched to be judged, but what lies beside the cursor' has_not '^ *([1-9]|[12][0-9]|3[01]) .* S[+?!] '
typed '30'
keys Enter
wait_for '^> *30 ' 'a message is gone to'
keys Enter
wait_for 'SIGNED BY anna' 'and read'
keys j
wait_for 'REVOKED' 'the next one'
keys q
wait_for '^ *30 +S\+ ' 'their marks'
wait_for '^ *32 N? +S! ' 'and that of one that was only fetched ahead'
some_good() { good=$(stored 2) && [ "${good:-0}" -ge 1 ]; }
check 'which is kept for the next start' until_true some_good
keys q
wait_for 'ended with 0' 'ends'
good=$(stored 2)
check 'what was judged is kept' [ "${good:-0}" -ge 1 ]
check 'nothing of what was encrypted is said' [ "$(sqlite "SELECT count(*) FROM verdict JOIN message ON message.id = verdict.id WHERE message.hints & 2")" = 0 ]
start 120 40 -- --offline
wait_for '^> *30 +S\+ |^ *30 +S\+ ' 'without the network the marks are there'
wait_for '^ *1 .* S   |^ *1 +S   ' 'and hints where nothing is kept'
keys q
wait_for 'ended with 0' 'ends'
start 120 40 -- --offline
wait_for '^[> ] *30 +S\+ ' 'once more'
typed '30'
keys Enter
wait_for '^> *30 +S\+ ' 'the cursor rests on one, so that it is read ahead'
signet cert distrust "$(root_of_demo)" >/dev/null 2>&1
keys Enter
wait_for 'SIGNED, NOT TRUSTED' 'and judged when it is opened: its authority was distrusted meanwhile'
keys q q
wait_for 'ended with 0' 'ends'
start 120 40 -- --offline
wait_for '^ *30 +S\? |^> *30 +S\? ' 'the authority was distrusted meanwhile: no mark of before is shown'
check 'for none of them' has_not ' S\+ '
keys q
wait_for 'ended with 0' 'ends'
check 'nor is it kept' [ "$(stored 2)" = 0 ]

# --- what a search found: the rows in sight are judged first, here those with the lowest numbers
far=$server/mail/bob/Maildir
number=1700000100
mkdir -p "$far/.Empty/cur" "$far/.Empty/new" "$far/.Empty/tmp"
for each in "$LAB"/mails/*; do
	number=$((number - 1))
	cp -p "$each" "$far/cur/$number.x:2,S"
done
chown -R "$MAIL_UID:$MAIL_GID" "$far" 2>/dev/null
printf '[account bob]\naddress = you@demo.example\nimap = imaps://bob@127.0.0.1:%s\npassword-command = echo secret-bob\n[searches]\nAll = from:demo\n[keys]\nsystem-tokens = no\n' \
	"$PORT_TLS" >"$LAB/profile/signet.conf"
signet sync --bodies >/dev/null 2>&1
python3 - "$LAB/profile/data/store/bob.db" <<'EOF'
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=30) as store:
    store.execute("CREATE TABLE judged(n INTEGER PRIMARY KEY, id INTEGER)")
    store.execute("CREATE TRIGGER judged AFTER INSERT ON verdict BEGIN INSERT INTO judged(id) VALUES(new.id); END")
EOF
first_judged() { python3 -c 'import sqlite3, sys
print(*(sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True).execute("SELECT subject FROM judged JOIN message ON message.id = judged.id ORDER BY n").fetchone() or [""]))' \
	"$LAB/profile/data/store/bob.db" 2>/dev/null; }
any_judged() { [ -n "$(first_judged)" ]; }
start 120 8 -- Empty
seen 'No messages'
keys y
seen '^ Folders'
keys End
seen '^>   All +from:demo'
keys Enter
wait_for '^ Search "All"  32 messages' 'a search'
wait_for ' S[+?!] .*Contract, second draft' 'whose rows in sight get their marks'
check 'what was judged is kept' until_true any_judged
case "$(first_judged)" in
Contract* | Hello* | Invoice* | Urgent*) pass 'and before what is not in sight' ;;
*) fail "the rows in sight are judged first ($(first_judged))" ;;
esac
keys q q
wait_for 'ended with 0' 'ends'

# --- a card: no PIN is asked for, and none goes to it
. tests/terminal/card-lib.sh
removable_card
touch "$reader/present"
(
	cd "$LAB" || exit 1
	rsa_key card.key && openssl req -x509 -key card.key -out card.pem -days 700 -subj '/CN=Bob Lab' \
		-addext 'subjectAltName=email:bob@example.org' -addext 'keyUsage=digitalSignature,keyEncipherment' \
		-addext 'basicConstraints=CA:FALSE'
	on_card card
) >/dev/null 2>&1
make_profile
printf 'Content-Type: text/plain\r\n\r\nFor your eyes.\r\n' >"$LAB/secret"
{
	letter 'Encrypted' 2
	openssl cms -encrypt -aes-256-cbc -in "$LAB/secret" "$LAB/card.pem" 2>/dev/null | grep -v '^MIME-Version:'
} | deliver encrypted 2
{
	letter 'Signed' 1
	openssl cms -sign -in "$LAB/secret" -signer "$LAB/card.pem" -inkey "$LAB/card.key" 2>/dev/null | grep -v '^MIME-Version:'
} | deliver signed 1
rm "$LAB/card.key"
signet token add lab "$LAB/removable.so" >/dev/null
rm -f "$reader/logins"
start 80 24 --
wait_for '^ *1 +S\? ' 'with a card in its reader a signature is judged'
check 'what is encrypted to the card is not' has '^> *2 +E  '
check 'nobody asks for a PIN' has_not 'PIN'
check 'and none goes to the card' [ ! -s "$reader/logins" ]
keys q
wait_for 'ended with 0' 'ends'

# --- what the cursor rests on is read ahead once its text is here, however late that comes: by no responder and no PIN, and
# no file is made for it. A message that whoever opens it asks a responder about, and one around what is encrypted to the card.
gate=$LAB/gate http=$LAB/http
mkdir "$gate" "$http"
mkfifo "$LAB/life" # the server of answers lives as long as the pipe that it reads
python3 tests/lab/http-server.py "$http" <"$LAB/life" &
answers=$!
exec 8>"$LAB/life"
terminal() { tmux -S "$LAB/tmux$terminals" -f /dev/null "$@" 8>&-; }
python3 tests/lab/holding.py "$PORT_TLS" "$gate" 'BODY.PEEK[]' "$server/tls/good.pem" "$server/tls/good.key" 8>&- &
holder=$!
trap 'kill $holder 2>/dev/null; exec 8>&-; wait $answers 2>/dev/null; stop_dovecot "$server"; finish' EXIT
until_true test -s "$gate/pid" -a -s "$http/port" || { echo 'Bail out! no proxy, or no server of answers'; exit 1; }
rm -f "$box"/cur/* "$box"/new/*
signed() { # signed SUBJECT NUMBER: what stdin has, by Anna
	{
		letter "$1" "$2"
		openssl smime -sign -signer "$http/anna.pem" -inkey "$http/anna.key" 2>/dev/null | grep -v '^MIME-Version:'
	} >"$box/tmp/170000000$2.y"
	chown "$MAIL_UID:$MAIL_GID" "$box/tmp/170000000$2.y" 2>/dev/null
	mv "$box/tmp/170000000$2.y" "$box/cur/170000000$2.y:2,S"
}
(
	cd "$http" || exit 1
	for each in ca anna; do openssl ecparam -name prime256v1 -genkey -noout -out $each.key; done
	openssl req -x509 -key ca.key -out ca.pem -days 30 -subj '/CN=Lab CA' -addext 'keyUsage=critical,keyCertSign,cRLSign'
	printf 'subjectAltName=email:anna@example.org\nkeyUsage=digitalSignature\nextendedKeyUsage=emailProtection\n' >ext
	printf 'authorityInfoAccess=OCSP;URI:http://127.0.0.1:%s/error\n' "$(cat port)" >>ext
	openssl req -new -key anna.key -subj '/CN=Anna' -out csr
	openssl x509 -req -in csr -CA ca.pem -CAkey ca.key -set_serial 2 -out anna.pem -days 20 -extfile ext
) >/dev/null 2>&1
killed() { screen | tr -d '\n' | grep -q 'ended with 137'; } # wherever the line ends
signed 'Alone' 1 <"$LAB/secret"
printf '[account anna]\naddress = bob@example.org\nimap = imaps://anna@127.0.0.1:%s\npassword-command = echo secret-anna\n[policy]\nonline = ocsp\n[keys]\nsystem-tokens = no\n' \
	"$(cat "$gate/port")" >"$LAB/profile/signet.conf"
signet cert import --tls "$server/tls/ca-good.pem" >/dev/null 2>&1
signet cert import --trust "$http/ca.pem" >/dev/null 2>&1
rm -rf "$LAB/profile/data"
rm -f "$reader/logins"
touch "$gate/arm"
start 80 24 SIGNET_TEST_DIE=read-ahead --
wait_for '^> *1 +S .*Alone' 'a signed message, whose text the server keeps to itself'
check 'it is asked for' until_true test -e "$gate/held"
check 'and not judged without' has '^> *1 +S  '
touch "$gate/go"
check 'it is read as soon as it is here, with no further key' until_true killed
check 'nothing is noted of the people' [ ! -e "$LAB/profile/data/people.db" ]
check 'and no responder asked' [ ! -s "$http/log" ]
openssl cms -encrypt -aes-256-cbc -in "$LAB/secret" "$LAB/card.pem" 2>/dev/null | signed 'Around' 2
start 80 24 SIGNET_TEST_DIE=read-ahead --
check 'one around what is encrypted is read as well' until_true killed
check 'no PIN went to the card' [ ! -s "$reader/logins" ]
start 80 24 --
wait_for '^> *2 .*Around' 'whoever opens it'
keys Enter
wait_for 'D decrypts it' 'could do so with the card'
keys k
wait_for 'Subject: +Alone' 'and whoever opens the first'
check 'asks the responder' until_true grep -q '^POST /error' "$http/log"
keys q
wait_for '^> *1 ' 'the list again'
keys q
wait_for 'ended with 0' 'ends'
kill $holder
exec 8>&-
stop_dovecot "$server"

# --- every message of the corpus: nothing is marked good that verify does not call good
make_corpus || { echo 'Bail out! no corpus'; exit 1; }
rm -rf "$LAB/profile"
mkdir -p "$LAB/profile/mail/cur" "$LAB/profile/mail/new" "$LAB/profile/mail/tmp" "$LAB/profile/nssdb"
certutil -N -d "sql:$LAB/profile/nssdb" --empty-password
printf '[account corpus]\naddress = bob@example.org\nmaildir = mail\n[keys]\nsystem-tokens = no\n' >"$LAB/profile/signet.conf"
number=1700000000
listed() { # listed FIELD: files that the manifest names
	python3 -c 'import json, os, sys
manifest = json.load(open(sys.argv[1] + "/manifest.json"))
for entry in manifest[sys.argv[2]]:
    print(os.path.join(sys.argv[1], entry["file"] if isinstance(entry, dict) else entry))' "$LAB/corpus" "$1"
}
listed messages >"$LAB/names" || { echo 'Bail out! no manifest'; exit 1; }
while read -r name; do
	number=$((number + 1))
	cp "$name" "$LAB/profile/mail/cur/$number.x:2,S"
done <"$LAB/names"
for ca in $(listed trust_anchors); do signet cert import --trust "$ca" >/dev/null 2>&1; done
for cert in $(listed known_intermediates); do signet cert import "$cert" >/dev/null 2>&1; done
all=$(wc -l <"$LAB/names")
start 100 $((all + 4)) --
wait_for "^> *$all " "all $all messages are in sight"
PATIENCE=60
check 'they are judged, the oldest last' until_true has '^ *3 +S\+ '
check 'but for some whose row does not say the Subject that was signed' eval '[ "$(screen | grep -cE "^[> ] *[0-9]+ .{3} S  ")" -le 12 ]'
screen >"$LAB/marks"
signet --json verify $(seq 1 "$all" | sed 's/^/INBOX\//') >"$LAB/verify" 2>/dev/null
python3 - "$LAB/marks" "$LAB/verify" >"$LAB/compared" <<'EOF'
import json, re, sys
marks = {}
for line in open(sys.argv[1], encoding="utf-8", errors="replace"):
    found = re.match(r"[> ] *(\d+) (.{3}) (.{3})", line)
    if found:
        marks[int(found.group(1))] = found.group(3).strip()
wrong, good, missing = [], 0, []
for line in open(sys.argv[2], encoding="utf-8"):
    one = json.loads(line)
    uid = int(one["input"].split("/")[1])
    mark = marks.get(uid, "?")
    good += mark == "S+"
    if "+" in mark and one["indicator"] != "good":
        wrong.append((uid, mark, one["indicator"]))
    if "+" in mark and one["encryption"] not in ("none", "not-displayed-as-encrypted"):
        wrong.append((uid, mark, one["encryption"]))
    if mark == "S+" or one["indicator"] != "good" or one["encryption"] != "none":
        continue
    missing.append((uid, mark))
print("wrong", wrong)
print("good", good)
print("missing", missing)
EOF
sed 's/^/# /' "$LAB/compared"
check 'nothing that verify does not call good has a good mark' grep -q '^wrong \[\]$' "$LAB/compared"
check 'and there are good ones' grep -qE '^good [1-9][0-9]' "$LAB/compared"
keys q
wait_for 'ended with 0' 'ends'
done_testing
