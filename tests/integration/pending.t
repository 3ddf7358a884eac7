#!/bin/sh
# Changes that were written down without a line, carried out by signet sync at a real Dovecot: killed at every step and run
# again, each is done once; what another client did meanwhile is heard; what the server refuses is kept and said. The
# server's own files are the other client.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
lab=$tmp/lab p=$tmp/p
mkdir -p "$lab" "$p"
chmod 711 "$tmp" # Dovecot's own user passes through it
trap '[ -z "${steps:-}" ] || kill "$steps" 2>/dev/null; sh tests/lab/dovecot.sh stop "$lab" >/dev/null 2>&1; tap_cleanup' EXIT
sh tests/lab/dovecot.sh start "$lab" >"$tmp/start" 2>&1
ok $? "a Dovecot starts" "$(cat "$tmp/start")"
. "$lab/env"
box=$lab/mail/anna/Maildir
printf '[account far]\naddress = anna@example.org\nimap = imaps://anna@127.0.0.1:%s\npassword-command = echo secret-anna\n' \
	"$PORT_TLS" >"$p/signet.conf"
signet() { "$signet" --profile "$p" --batch "$@"; }
signet cert import --tls "$lab/tls/ca-good.pem" >/dev/null

restart() { # restart [CAPABILITY]
	sh tests/lab/dovecot.sh stop "$lab"
	sed -i '/^imap_capability/d' "$lab/dovecot.conf"
	[ -z "${1:-}" ] || echo "imap_capability = $1" >>"$lab/dovecot.conf"
	sh tests/lab/dovecot.sh again "$lab" >/dev/null 2>&1
}
own() { [ "$MAIL_UID" = "$(id -u)" ] || chown -R "$MAIL_UID:$MAIL_GID" "$@"; }
folder() { # folder NAME
	mkdir -p "$box/.$1/cur" "$box/.$1/new" "$box/.$1/tmp"
	own "$box/.$1"
}
number=1700000000
post() { # post SUBJECT [MESSAGE-ID]
	number=$((number + 1))
	printf 'From: Anna <anna@example.org>\nSubject: %s\nDate: Wed, 15 Nov 2023 00:00:00 +0000\n%s\nText.\n' \
		"$1" "${2-Message-ID: <$number@x>
}" >"$box/tmp/$number.x"
	own "$box/tmp/$number.x"
	mv "$box/tmp/$number.x" "$box/cur/$number.x:2,S"
}
# write_down KIND FOLDER SUBJECT TO ADD REMOVE [AGE]: an entry as the screen writes it; the screen's own way is in
# tests/terminal/pending.t. A minute old, unless AGE says otherwise.
write_down() {
	python3 - "$p/data/pending/far.db" "$p/data/store/far.db" "$@" <<-'END'
		import sqlite3, sys, time, os
		journal, store, kind, folder, subject, to, add, remove, *age = sys.argv[1:]
		lists = sqlite3.connect(store)
		row = lists.execute("SELECT id, uidvalidity FROM folder WHERE name = ?", (folder,)).fetchone()
		letters = lists.execute("SELECT abs(id) & 0xffffffff, flags, message_id, subject FROM message WHERE abs(id) >> 32 = ?"
		                        " AND subject LIKE ?", (row[0], subject)).fetchall()
		assert letters, subject
		db = sqlite3.connect(journal)
		kinds = {"flags": 0, "copy": 1, "move": 2, "expunge": 3}
		at = int(time.time()) - (int(age[0]) if age else 60)
		db.execute("INSERT INTO entry(kind, state, folder, uidvalidity, target, target_validity, added, removed, at, tries,"
		           " by_itself, undone) VALUES(?, 1, ?, ?, ?, 0, ?, ?, ?, 0, 0, 0)",
		           (kinds[kind], folder, row[1], to or None, int(add), int(remove), at))
		entry = db.execute("SELECT max(id) FROM entry").fetchone()[0]
		db.executemany("INSERT INTO letter VALUES(?, ?, ?, ?, ?, 0)", [(entry, *letter) for letter in letters])
		db.commit()
	END
}
at() { grep -lE "^Subject: $2\$" "$box"/$1/* 2>/dev/null | wc -l; } # at FOLDER SUBJECT: how many
flags_of() { grep -lE "^Subject: $1\$" "$box"/cur/* | sed 's/.*:2,//'; }
count() { printf '%s\n' "$out" | grep changes_ | sed 's/.*"'"$1"'":\([0-9]*\).*/\1/'; }
same() { # same NAME [FOLDER]: what is kept is what is there
	signet --json list ${2:-INBOX} >"$tmp/there" 2>&1
	signet --offline --json list ${2:-INBOX} >"$tmp/kept" 2>&1
	is "$(cat "$tmp/kept")" "$(cat "$tmp/there")" "$1"
}
nothing_left() { # nothing_left NAME
	exits 0 "$1: once more" signet --json sync
	unlike "$out" changes_ "$1: nothing is left to do"
	same "$1: the list is the server's"
}

folder Archive
for i in $(seq 1 60); do post "letter $i"; done
post 'nameless' ''
signet sync
mkdir -p "$p/data/pending"
exits 0 "nothing waits" signet pending
is "$out" '' "and nothing is listed"
# The file is made by whoever opens it; one is opened by a list of the screen. Here a copy of the schema has to do.
python3 - "$p/data/pending/far.db" "$PORT_TLS" <<'END'
import re, sqlite3, sys
text = open("mail/store-pending.c").read()
block = text[text.index("static const char schema[] ="):]
schema = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', block[:block.index(";\n\n")]))
db = sqlite3.connect(sys.argv[1])
db.executescript(schema)
db.execute("INSERT INTO about VALUES(?)", ("imap anna@127.0.0.1:" + sys.argv[2],))
db.commit()
END

# Each kind, in order, and the list before and after.
write_down flags INBOX 'letter 1' '' 4 0
write_down move INBOX 'letter 2' Archive 0 0
write_down copy INBOX 'letter 3' Archive 0 0
write_down expunge INBOX 'letter 4' '' 0 0
write_down flags INBOX 'letter 5' '' 0 1
exits 0 "the list without a line" signet --offline --json list
like "$out" '"letter 1",.*"flags":\["seen","flagged"\]' "has the flag"
unlike "$out" '"letter (2|4)"' "not what is to go"
like "$out" '"letter 3"' "what is copied"
exits 0 "signet pending" signet --json pending
is "$(printf '%s\n' "$out" | wc -l)" 5 "lists all five"
like "$out" '"what":"move","state":"waiting","folder":"INBOX","to":"Archive".*"subject":"letter 2"' "with what they are about"
exits 0 "with a line" signet --json sync
is "$(count changes_done),$(count changes_failed),$(count changes_waiting)" 5,0,0 "all are carried out"
is "$(flags_of 'letter 1'),$(flags_of 'letter 5')" FS, "the flags"
is "$(at cur 'letter 2'),$(at .Archive/cur 'letter 2')" 0,1 "the move"
is "$(at cur 'letter 3'),$(at .Archive/cur 'letter 3')" 1,1 "the copy"
is "$(at cur 'letter 4')" 0 "the deletion"
nothing_left "all kinds"

# Killed at each step, then run again: done once, whatever the server can do.
n=10
for able in '' 'IMAP4rev1 LITERAL+ UIDPLUS IDLE ENABLE CONDSTORE' 'IMAP4rev1'; do
	restart "$able"
	for point in pending-begun pending-asked pending-settled; do
		name="${able:-all that Dovecot can}, killed at $point"
		for kind in flags move copy expunge; do
			n=$((n + 1))
			to= add=0
			case $kind in move | copy) to=Archive ;; flags) add=4 ;; esac
			write_down $kind INBOX "letter $n" "$to" $add 0
			SIGNET_TEST_DIE=$point "$signet" --profile "$p" --batch sync >/dev/null 2>&1
			is $? 137 "$name: $kind"
			signet sync 2>"$tmp/said"
			case $kind in
			flags) is "$(flags_of "letter $n"),$?" FS,0 "$name: flags are set" ;;
			move) is "$(at cur "letter $n"),$(at .Archive/cur "letter $n")" 0,1 "$name: moved once" ;;
			copy) is "$(at cur "letter $n"),$(at .Archive/cur "letter $n")" 1,1 "$name: copied once" ;;
			expunge) is "$(at cur "letter $n")" 0 "$name: deleted" ;;
			esac
			is "$(cat "$tmp/said")" '' "$name: and nothing is to be said"
		done
		nothing_left "$name"
	done
done
restart

# Where EXPUNGE takes what anybody marked, the mark of another client is taken off for it: killed in between, the next
# run puts it on again, before it does anything else.
restart IMAP4rev1
other=$(grep -l '^Subject: letter 8$' "$box"/cur/*)
mv "$other" "${other}T"
write_down expunge INBOX 'letter 9' '' 0 0
SIGNET_TEST_DIE=imap-unmarked "$signet" --profile "$p" --batch sync >/dev/null 2>&1
is $? 137 "an expunge without UIDPLUS, killed in its midst"
is "$(flags_of 'letter 8'),$(at cur 'letter 9')" S,1 "another client's mark is off just then"
exits 0 "the next connection" signet list Archive
is "$(flags_of 'letter 8'),$(at cur 'letter 9')" ST,1 "puts it on again, whatever it is for"
exits 0 "and the next run" signet sync
is "$(flags_of 'letter 8'),$(at cur 'letter 9')" ST,0 "deletes what was to be deleted, and nothing else"
restart

# One with the same Message-ID that is another message is not taken for it: what is here stays.
restart IMAP4rev1
post 'draft, as it is' 'Message-ID: <draft@x>
'
signet sync
sed 's/^Text/An older text/' "$(grep -l '^Subject: draft, as it is$' "$box"/cur/*)" >"$box/.Archive/tmp/older.x"
own "$box/.Archive/tmp/older.x"
mv "$box/.Archive/tmp/older.x" "$box/.Archive/cur/older.x:2,S"
write_down move INBOX 'draft, as it is' Archive 0 0
SIGNET_TEST_DIE=pending-begun "$signet" --profile "$p" --batch sync >/dev/null 2>&1
exits 1 "a move where another message has the Message-ID" signet sync
like "$err" 'draft, as it is.*look there' "is said"
is "$(at cur 'draft, as it is')" 1 "and the message stays where it is"
signet pending --drop "$(signet pending | awk 'NR == 1 {print $1}')" >/dev/null
restart

# Moved back by Message-ID: what was found is written down first, so that a copy that was made is seen; two messages
# with one Message-ID are two; and a number that is not there any more is looked for.
restart IMAP4rev1
write_down move INBOX 'letter 58' Archive 0 0
signet sync
write_down move Archive 'letter 58' INBOX 1 0
SIGNET_TEST_DIE=pending-begun "$signet" --profile "$p" --batch sync >/dev/null 2>&1
cp -p "$(grep -l '^Subject: letter 58$' "$box"/.Archive/cur/*)" "$box/cur/copied.x:2,S"
own "$box/cur/copied.x:2,S"
exits 0 "a move back that broke after its copy" signet sync
is "$(at cur 'letter 58'),$(at .Archive/cur 'letter 58')" 1,0 "is made once"
for i in 1 2; do post "twin $i" 'Message-ID: <twin@x>
'; done
signet sync
write_down move INBOX 'twin %' Archive 0 0
signet sync
is "$(at .Archive/cur 'twin 1'),$(at .Archive/cur 'twin 2')" 1,1 "two with one Message-ID are there"
write_down move Archive 'twin %' INBOX 1 0
exits 0 "two with one Message-ID" signet sync
is "$(at cur 'twin 1'),$(at cur 'twin 2')" 1,1 "both are moved back"
write_down move INBOX 'letter 59' Archive 0 0
python3 - "$p/data/pending/far.db" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE entry SET by_itself = 1 WHERE id = (SELECT max(id) FROM entry)")
db.execute("UPDATE letter SET uid = 4000000000 WHERE entry = (SELECT max(id) FROM entry)")
db.commit()
END
exits 0 "a number that is not there any more, taken back" signet sync
is "$(at cur 'letter 59'),$(at .Archive/cur 'letter 59')" 0,1 "is found by Message-ID"
restart

# A message without a Message-ID cannot be looked for: it is said, and not copied twice.
write_down copy INBOX nameless Archive 0 0
SIGNET_TEST_DIE=pending-asked "$signet" --profile "$p" --batch sync >/dev/null 2>&1
exits 1 "a copy that cannot be looked for" signet --json sync
like "$err" 'may have been copied to Archive already' "is said"
is "$(at .Archive/cur nameless)" 1 "and not done twice"
exits 1 "it stays in the list" signet pending
like "$out" 'failed.*copy to Archive' "as failed"
id=$(printf '%s\n' "$out" | awk 'NR == 1 {print $1}')
exits 0 "until it is dropped" signet --json pending --drop "$id"
like "$out" "^\\{.*\"id\":$id,.*\"dropped\":true\\}\$" "which is one object with --json"
exits 0 "then the list is empty" signet pending
is "$out" '' "quite"
exits 66 "it can be dropped once" signet pending --drop "$id"

# Another client was quicker.
write_down flags INBOX 'letter 50' '' 4 0
write_down move INBOX 'letter 51' Archive 0 0
write_down expunge INBOX 'letter 52' '' 0 0
write_down move INBOX 'letter 53' Archive 0 0
for i in 50 51 52; do rm "$(grep -l "^Subject: letter $i\$" "$box"/cur/*)"; done
exits 1 "changes of what another client has deleted" signet --json sync
is "$(count changes_done),$(count changes_failed)" 3,1 "a flag and a deletion are gone with it, a move is said"
like "$err" 'letter 51.*not in INBOX any more.*another program has deleted or moved it' "with what and why"
is "$(at .Archive/cur 'letter 53')" 1 "and the others go on"
signet pending --drop "$(signet pending | awk 'NR == 1 {print $1}')" >/dev/null
nothing_left "after another client"

# No such folder any more; a folder that was replaced.
folder Doomed
write_down move INBOX 'letter 54' Doomed 0 0
rm -r "$box/.Doomed"
exits 1 "a move into a folder that is gone" signet sync
like "$err" 'no folder "Doomed"' "is refused"
is "$(at cur 'letter 54')" 1 "the message stays"
exits 0 "and the list has it" signet --offline --json list
like "$out" '"letter 54"' "again"
signet pending --drop "$(signet pending | awk 'NR == 1 {print $1}')" >/dev/null
write_down expunge INBOX 'letter 55' '' 0 0
sh tests/lab/dovecot.sh stop "$lab"
rm -f "$box"/dovecot* "$box"/maildirsize
sh tests/lab/dovecot.sh again "$lab" >/dev/null 2>&1
exits 1 "another UIDVALIDITY" signet sync
like "$err" 'INBOX was replaced by another one' "is said"
is "$(at cur 'letter 55')" 1 "and nothing is done by the old number"
signet pending --drop "$(signet pending | awk 'NR == 1 {print $1}')" >/dev/null
nothing_left "after another UIDVALIDITY"

# No room.
write_down copy INBOX 'letter 56' Archive 0 0
printf 'mail_plugins = quota\nplugin {\n  quota = maildir:User quota\n  quota_rule = *:messages=1\n}\n' >>"$lab/dovecot.conf"
restart
exits 1 "over quota" signet sync
like "$err" 'letter 56.*refused: .*[Qq]uota' "is refused in the server's words"
sed -i '/^mail_plugins = quota/,/^}/d' "$lab/dovecot.conf"
restart
signet pending --drop "$(signet pending | awk 'NR == 1 {print $1}')" >/dev/null

# Many, and two at once: each is carried out by one of them.
for i in $(seq 1 20); do post "many $i"; done
signet sync
for i in $(seq 1 20); do write_down copy INBOX "many $i" Archive 0 0 0; done
signet --json sync INBOX >"$tmp/one" 2>&1 &
first=$!
signet --json sync INBOX >"$tmp/two" 2>&1
wait $first
is "$(for i in $(seq 1 20); do at .Archive/cur "many $i"; done | sort | uniq -c | tr -s ' ')" ' 20 1' \
	"two at once copy each once"
nothing_left "two at once"

# A dead line: nothing is lost, nothing is done.
write_down move INBOX 'letter 57' Archive 0 0
sh tests/lab/dovecot.sh stop "$lab"
exits 69 "without a server" signet sync
exits 0 "it waits" signet pending
like "$out" 'waiting.*letter 57' "as before"
sh tests/lab/dovecot.sh again "$lab" >/dev/null 2>&1
exits 0 "until it is there" signet sync
is "$(at cur 'letter 57'),$(at .Archive/cur 'letter 57')" 0,1 "then it is done"
nothing_left "after a dead line"

# A server that can tell the numbers of copies, and does not: what was done is done, what was not there is said.
python3 tests/lab/imap-steps.py "$lab" mute 2>"$tmp/steps.err" &
steps=$!
i=0
until [ -s "$lab/steps.port" ] || [ $i -gt 400 ]; do
	i=$((i + 1))
	perl -e 'select undef, undef, undef, 0.05'
done
sed -i "s/$PORT_TLS/$(cat "$lab/steps.port")/" "$p/signet.conf"
exits 0 "another server" signet sync
write_down move INBOX 'letter 47' Archive 0 0 0
write_down copy INBOX 'letter 48' Archive 0 0 0
exits 0 "a move and a copy without COPYUID" signet --json sync
is "$(count changes_done),$(count changes_failed)" 2,0 "are done"
is "$(at cur 'letter 47'),$(at .Archive/cur 'letter 47'),$(at cur 'letter 48'),$(at .Archive/cur 'letter 48')" 0,1,1,1 \
	"each once"
write_down copy INBOX 'letter 49' Archive 0 0 0
rm "$(grep -l '^Subject: letter 49$' "$box"/cur/*)"
exits 1 "one that was not there" signet sync
like "$err" 'letter 49.*not in INBOX any more' "is said"
done_testing
