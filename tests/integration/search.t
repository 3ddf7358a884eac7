#!/bin/sh
# signet search: a Maildir, an mbox, and a real Dovecot; what is deleted leaves the index; two at once; offline; --json.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
lab=$tmp/lab p=$tmp/p box=$tmp/box
mkdir -p "$lab" "$p" "$box/cur" "$box/new" "$box/tmp" "$box/.Sent/cur" "$box/.Sent/new" "$box/.Sent/tmp"
chmod 711 "$tmp" # Dovecot's own user passes through it
trap 'sh tests/lab/dovecot.sh stop "$lab" >/dev/null 2>&1; tap_cleanup' EXIT
sh tests/lab/dovecot.sh start "$lab" >"$tmp/start" 2>&1
ok $? "a Dovecot starts" "$(cat "$tmp/start")"
. "$lab/env"
far=$lab/mail/anna/Maildir
cat >"$p/signet.conf" <<-EOF
	[account near]
	maildir = $box
	[account far]
	address = anna@example.org
	imap = imaps://anna@127.0.0.1:$PORT_TLS
	password-command = echo secret-anna
	[account old]
	mbox = $tmp/mbox
EOF
signet() { "$signet" --profile "$p" --batch "$@"; }
signet cert import --tls "$lab/tls/ca-good.pem" >/dev/null

number=1700000000
post() { # post FOLDER SUBJECT TEXT
	number=$((number + 1))
	printf 'From: Jo Müller <jo@example.org>\nTo: anna@example.org\nSubject: %s\nDate: Wed, 15 Nov 2023 00:%02d:00 +0000\nMessage-ID: <%s@x>\nContent-Type: text/plain; charset=utf-8\n\n%s\n' \
		"$2" $((number % 60)) $number "$3" >"$1/tmp/$number.x"
	chown "$MAIL_UID:$MAIL_GID" "$1/tmp/$number.x" 2>/dev/null
	mv "$1/tmp/$number.x" "$1/cur/$number.x:2,S"
}
found() { printf '%s\n' "$out" | sed -n 's/.*"folder":"\([^"]*\)","uid":\([0-9]*\).*/\1\/\2/p' | tr '\n' ' '; }

# ---- a Maildir
post "$box" 'Annual report' 'The numbers of this year, with a quetzalcoatlus.'
post "$box" 'Lunch' '東京の会議室で十二時に'
post "$box/.Sent" 'Re: Annual report' 'Thank you. See https://example.org/path?q=1'
exits 0 "a word of a text" signet -A near --json search quetzalcoatlus
is "$(found)" "INBOX/1 " "is found"
exits 0 "a name without its accent" signet -A near --json search from:muller report
is "$(found)" "Sent/1 INBOX/1 " "is found in all folders, newest first"
exits 0 "one folder" signet -A near --json search --folder Sent report
is "$(found)" "Sent/1 " "has its own"
exits 0 "a word of a script without spaces" signet -A near --json search 会議
is "$(found)" "INBOX/2 " "is found inside a sentence"
exits 0 "a phrase" signet -A near --json search '"numbers of this"'
exits 1 "in another order" signet -A near --json search '"this of numbers"'
exits 0 "a word left out" signet -A near --json search -- report -quetzalcoatlus
is "$(found)" "Sent/1 " "leaves the other"
exits 0 "best first" signet -A near --json search --sort rank --limit 1 'rep*'
exits 1 "a word that is nowhere" signet -A near search pterodactyl
is "$out$err" "" "says nothing"
exits 0 "on paper" signet -A near search quetzalcoatlus
like "$out" 'near/INBOX/1 .* 2023-11-15 .*Jo M.*Annual report' "a line names the message as show takes it"
place=$(printf '%s\n' "$out" | awk '{print $1}')
exits 0 "show takes it" signet show "$place"
like "$out" 'quetzalcoatlus' "and shows it"
is "$(stat -c %a "$p/data/store/near.search")" 600 "the index is its owner's alone"

# ---- what comes and goes
rm "$box"/cur/1700000001*
post "$box" 'Next' 'archaeopteryx'
exits 1 "what was deleted is not found" signet -A near --json search quetzalcoatlus
exits 0 "what came is" signet -A near --json search archaeopteryx
is "$(found)" "INBOX/3 " "by its number"
printf 'not a database at all, and longer than a page of one' >"$p/data/store/near.search"
exits 0 "a damaged index is made again" signet -A near --json search archaeopteryx
exits 0 "as is one that is removed" sh -c "rm '$p/data/store/near.search'; '$signet' --profile '$p' --batch -A near search archaeopteryx"
exits 0 "and one that is to be" signet -A near --json search --reindex archaeopteryx
is "$(found)" "INBOX/3 " "with the same in it"
for i in $(seq 1 400); do post "$box" "letter $i" "text of letter$i"; done
signet -A near search letter17 >"$tmp/one" 2>&1 & one=$!
signet -A near search letter17 >"$tmp/two" 2>&1 & two=$!
wait $one
a=$?
wait $two
b=$?
is "$a,$b" 0,0 "two at once both find it"
is "$(cat "$tmp/one")" "$(cat "$tmp/two")" "the same"

# ---- words that are no words
for words in '"' 'NEAR(a b)' 'a AND' "') OR 1=1 --" '^x' 'a:b' '*x' '{sender}:x'; do
	signet -A near search -- "$words" >/dev/null 2>"$tmp/hostile"
	code=$?
	[ $code = 0 ] || [ $code = 1 ] || [ $code = 2 ]
	ok $? "$words is only words" "$code $(cat "$tmp/hostile")"
done
exits 2 "words that are all left out" signet -A near search -- -report
exits 2 "no word" signet -A near search
exits 2 "a sort that is none" signet -A near search --sort size x
exits 66 "a folder that is not there" signet -A near search --folder Nowhere x

# ---- an mbox
cat "$box"/cur/1700000002* | sed '1i From jo@example.org Wed Nov 15 00:00:00 2023' >"$tmp/mbox"
exits 0 "an mbox" signet -A old --json search 会議室
exits 0 "all accounts" signet --json search --all 会議室
like "$out" '"account":"near"' "with the Maildir's"
like "$out" '"account":"old"' "and the mbox's"
exits 0 "a folder that one account has" signet --json search --all --folder Sent report
is "$(found)" "Sent/1 " "is searched there"
exits 1 "nothing found in it" signet search --all --folder Sent pterodactyl
exits 66 "all accounts, a folder that none has" signet search --all --folder Nowhere x
exits 1 "a folder that one of them has, in which there is nothing" signet search --all --folder Sent nosuchword

# ---- a server
exits 66 "a server that was never asked" signet -A far search x
like "$err" 'signet sync' "says what to do"
post "$far" 'Remote report' 'stegosaurus'
signet -A far sync >/dev/null 2>&1
exits 0 "a server is asked right behind the making of an index" signet -A far --json search --server stegosaurus
is "$(found)" "INBOX/1 " "and trusted as ever"
rm "$p/data/store/far.search"
exits 0 "its headers are searched" signet -A far --offline --json search remote
like "$out" '"text_searched":false' "and it says that the text was not"
exits 1 "the text is not here" signet -A far --offline search stegosaurus
exits 0 "the server finds what is not here" signet -A far --json search --server stegosaurus
is "$(found)" "INBOX/1 " "its message"
like "$out" '"server":true' "and it says who found it"
exits 0 "what both find" signet -A far --json search --server remote
is "$(found)" "INBOX/1 " "is told once"
exits 0 "letters beyond ASCII reach the server" signet -A far --json search --server 'from:Müller "stegosaurus"' body:stego
is "$(found)" "INBOX/1 " "in literals"
exits 1 "words left out, too" signet -A far search --server -- stegosaurus -from:Müller
exits 1 "quotes and backslashes are letters" signet -A far search --server 'x\"y)' stegosaurus
mkdir -p "$far/.Trash/cur" "$far/.Trash/new" "$far/.Trash/tmp"
chown -R "$MAIL_UID:$MAIL_GID" "$far/.Trash" 2>/dev/null
post "$far/.Trash" 'Thrown away' 'stegosaurus'
exits 0 "Trash" signet -A far --json search --server stegosaurus
is "$(found)" "INBOX/1 " "is left out"
exits 0 "in:anywhere" signet -A far --json search --server stegosaurus in:anywhere
is "$(found)" "INBOX/1 Trash/1 " "asks there too"
exits 0 "the folder itself" signet -A far --json search --server --folder Trash stegosaurus
is "$(found)" "Trash/1 " "is never left out"
signet -A far sync >/dev/null 2>&1
exits 1 "what is here of it" signet -v -A far --offline search thrown
like "$err" '1 more lies in Trash or Junk: in:anywhere' "is counted"
exits 0 "and found" signet -A far --offline --json search in:anywhere thrown
is "$(found)" "Trash/1 " "if asked for"
rm -r "$far/.Trash"
signet -A far sync >/dev/null 2>&1
exits 66 "a folder that the server does not have" signet -A far search --server --folder Nowhere x
mkdir -p "$far/.Unread/cur" "$far/.Unread/new" "$far/.Unread/tmp"
chown -R "$MAIL_UID:$MAIL_GID" "$far/.Unread" 2>/dev/null
post "$far/.Unread" 'Unread here' 'brachiosaurus'
exits 0 "a folder that was never read here" signet -A far --json search --server --folder Unread brachiosaurus
is "$(found)" "Unread/1 " "the server knows"
rm -r "$far/.Unread"
exits 69 "offline it cannot be asked" signet -A far --offline search --server stegosaurus
field() { printf '%s\n' "$out" | grep "\"folder\":\"$1\"" | sed 's/.*"'"$2"'":\([^,}]*\).*/\1/'; }
for i in $(seq 1 120); do post "$far" "far $i" "text of farletter$i"; done
head -c 1200000 /dev/zero | tr '\0' 'x' | fold -w 70 >"$tmp/large"
post "$far" 'too large to keep' "$(cat "$tmp/large")"
before=$(cat "$p/data/store/far.search" | sha256sum)
exits 0 "sync --bodies" signet -A far --json sync --bodies --no-index
is "$(cat "$p/data/store/far.search" | sha256sum)" "$before" "the index of words is left as it was"
is "$(field INBOX added),$(field INBOX bodies)" 121,121 "fetches the text, but of what is too large"
is "$(field INBOX large)" 1 "and says how many these are"
exits 0 "again" signet -A far --json sync --bodies
is "$(field INBOX bodies)" 0 "there is nothing left to fetch"
exits 0 "now the text is found" signet -A far --offline --json search stegosaurus
like "$out" '"text_searched":true' "as it was searched"
exits 0 "the oldest too" signet -A far --offline search farletter1
exits 0 "it is the message" signet show "$(printf '%s\n' "$out" | awk '{print $1}')"
like "$out" 'text of farletter1' "with that text"

# ---- as much is kept as may be: the file of the lists says that it has 1 GiB of pages, nearly all of them a hole
post "$far" 'Another one' 'megalosaurus'
python3 tests/lab/grown.py "$p/data/store/far.db" 262145 >"$tmp/grown" 2>&1
ok $? "the file has grown" "$(cat "$tmp/grown")"
exits 0 "with as much as is kept at the most a sync goes on" signet -v -A far sync --bodies
like "$out" 'far/INBOX  .* 1 new here' "brings the list"
like "$out" 'text of 1 message not fetched: 1 GiB is kept of far already' "and says what was left, and why"
exits 0 "again" signet -A far --json sync --bodies
is "$(field INBOX bodies),$(field INBOX left)" 0,1 "how many, too"
exits 1 "it is not found here" signet -A far --offline search megalosaurus
exits 0 "but by its header" signet -A far --offline --json search another
exits 0 "and can be read" signet show "far/$(found | cut -d ' ' -f 1)"
like "$out" megalosaurus "as ever"
rm "$p"/data/store/far.db*
exits 0 "with room again" signet -A far --json sync --bodies
is "$(field INBOX left)" 0 "all of it is fetched"
exits 0 "and found" signet -A far --offline search megalosaurus
printf 'keep = recent\nkeep-days = 10000\n' >"$tmp/keep"
sed -i '/^\[account far\]/r '"$tmp/keep" "$p/signet.conf"
post "$far" 'Kept by policy' 'ankylosaurus'
signet -A far sync >/dev/null 2>&1
exits 0 "keep = recent fetches without being asked" signet -A far --offline search ankylosaurus
sed -i 's/^keep-days = .*/keep-days = 1/' "$p/signet.conf"
post "$far" 'Too old' 'diplodocus'
signet -A far sync >/dev/null 2>&1
exits 1 "what is older is left" signet -A far --offline search diplodocus
file=$(grep -l diplodocus "$far"/cur/*)
mv "$file" "${file}F"
signet -A far sync >/dev/null 2>&1
exits 0 "unless it is flagged" signet -A far --offline search diplodocus
sed -i 's/^keep = .*/keep = sometimes/' "$p/signet.conf"
exits 78 "a policy that is none" signet -A far sync
sed -i 's/^keep = .*/keep = read/' "$p/signet.conf"
rm "$far"/cur/*
signet -A far sync >/dev/null 2>&1
exits 1 "what went from the server went from here" signet -A far --offline search remote
done_testing
