#!/bin/sh
# The lists of messages that are kept, against a real Dovecot: whatever another client does and whatever the server can
# do, what `signet --offline list` shows after a sync is what the server has; also after kill -9 at each commit.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
lab=$tmp/lab p=$tmp/p
mkdir -p "$lab" "$p"
chmod 711 "$tmp" # Dovecot's own user passes through it
trap 'sh tests/lab/dovecot.sh stop "$lab" >/dev/null 2>&1; tap_cleanup' EXIT
sh tests/lab/dovecot.sh start "$lab" >"$tmp/start" 2>&1
ok $? "a Dovecot starts" "$(cat "$tmp/start")"
. "$lab/env"
box=$lab/mail/anna/Maildir
printf '[account far]\naddress = anna@example.org\nimap = imaps://anna@127.0.0.1:%s\npassword-command = echo secret-anna\n' \
	"$PORT_TLS" >"$p/signet.conf"
signet() { "$signet" --profile "$p" --batch "$@"; }
signet cert import --tls "$lab/tls/ca-good.pem" >/dev/null

number=1700000000
post() { # post SUBJECT [FLAGS]: another client's append
	number=$((number + 1))
	printf 'From: Anna <anna@example.org>\nSubject: %s\nDate: Wed, 15 Nov 2023 00:00:00 +0000\nMessage-ID: <%s@x>\n\nText.\n' \
		"$1" $number >"$box/tmp/$number.x"
	chown "$MAIL_UID:$MAIL_GID" "$box/tmp/$number.x" 2>/dev/null
	mv "$box/tmp/$number.x" "$box/cur/$number.x:2,${2:-}"
}
flag() { # flag SUBJECT FLAGS
	file=$(grep -l "^Subject: $1\$" "$box"/cur/*)
	mv "$file" "${file%%:2,*}:2,$2"
}
remove() { rm "$(grep -l "^Subject: $1\$" "$box"/cur/*)"; }
same() { # same NAME: what is kept is what is there
	signet --json list >"$tmp/there" 2>&1
	signet --offline --json list >"$tmp/kept" 2>&1
	is "$(cat "$tmp/kept")" "$(cat "$tmp/there")" "$1"
}
field() { printf '%s\n' "$out" | grep "\"folder\":\"$1\"" | sed 's/.*"'"$2"'":\([^,}]*\).*/\1/'; }

exits 66 "a folder that was never read has no list" signet --offline list
like "$err" 'signet sync' "and the sentence says what to do"
for i in $(seq 1 300); do post "letter $i" S; done
exits 0 "the first sync" signet --json sync
is "$(field INBOX added)" 300 "brings all of it"
is "$(field INBOX anew)" true "anew"
same "the list is kept"
mode=$(stat -c %a "$p/data/store/far.db")
is "$mode" 600 "for its owner alone"
exits 0 "a second one" signet --json sync INBOX
is "$(field INBOX added),$(field INBOX changed),$(field INBOX vanished)" 0,0,0 "finds nothing new"

changes() { # what other clients do between two syncs
	post "new $1" ''
	flag "letter $2" SF
	flag "letter $(($2 + 1))" ''
	remove "letter $(($2 + 2))"
	remove "letter $(($2 + 200))"
}
again() { # again NAME NUMBER
	changes "$1" "$2"
	exits 0 "$1: a sync" signet --json sync INBOX
	is "$(field INBOX added),$(field INBOX changed),$(field INBOX vanished)" 1,2,2 "$1: finds one new, two changed, two gone"
	same "$1: what is kept is what is there"
	exits 0 "$1: once more" signet --json sync INBOX
	is "$(field INBOX added),$(field INBOX changed),$(field INBOX vanished)" 0,0,0 "$1: and nothing is left to do"
}
restart() { # restart [CAPABILITY]
	sh tests/lab/dovecot.sh stop "$lab"
	sed -i '/^imap_capability/d' "$lab/dovecot.conf"
	[ -z "${1:-}" ] || echo "imap_capability = $1" >>"$lab/dovecot.conf"
	sh tests/lab/dovecot.sh again "$lab" >/dev/null 2>&1
}
again QRESYNC 10
restart 'IMAP4rev1 LITERAL+ UIDPLUS IDLE ENABLE CONDSTORE'
again CONDSTORE 20
restart 'IMAP4rev1'
again 'neither' 30
restart 'IMAP4rev1 ESEARCH'
again 'ESEARCH alone' 35
restart 'IMAP4rev1 ESEARCH ENABLE CONDSTORE'
again 'ESEARCH and CONDSTORE' 45
restart
again 'QRESYNC after a server without' 40

# Only what has gone, so that the modification sequence need not move on a server that tells of nothing else.
restart 'IMAP4rev1 ENABLE CONDSTORE'
remove 'letter 100'
exits 0 "only something gone, without QRESYNC" signet --json sync INBOX
is "$(field INBOX vanished)" 1 "is found"
same "and kept"
restart

# Another folder under the same name.
sh tests/lab/dovecot.sh stop "$lab"
rm -f "$box"/dovecot* "$box"/maildirsize
sh tests/lab/dovecot.sh again "$lab" >/dev/null 2>&1
exits 0 "another UIDVALIDITY" signet --json sync INBOX
is "$(field INBOX anew)" true "begins anew"
same "and keeps what is there"

# Killed at each commit: nothing wrong is kept, and the next one ends what the last began.
for point in store-commit-1 store-commit-2; do
	rm -rf "$p/data/store"
	SIGNET_TEST_DIE=$point "$signet" --profile "$p" --batch sync INBOX >/dev/null 2>&1
	is $? 137 "killed at $point"
	signet sync INBOX
	same "killed at $point: the next one completes it"
	changes "after $point" $((50 + $(printf %s $point | tail -c 1) * 10))
	SIGNET_TEST_DIE=$point "$signet" --profile "$p" --batch sync INBOX >/dev/null 2>&1
	signet sync INBOX
	same "killed at $point in the midst of changes: completed"
done

# Damage, at a hundred places one after the other: the list is right after the next sync, whatever was hit.
cp "$p/data/store/far.db" "$tmp/whole.db"
size=$(stat -c %s "$tmp/whole.db")
wrong=0
signet --json list >"$tmp/there"
for i in $(seq 1 100); do
	cp "$tmp/whole.db" "$p/data/store/far.db"
	rm -f "$p/data/store/far.db-wal" "$p/data/store/far.db-shm"
	printf 'DAMAGED DAMAGED DAMAGED DAMAGED DAMAGED DAMAGED DAMAGED DAMAGED ' |
		dd of="$p/data/store/far.db" bs=1 seek=$((size / 100 * (i - 1) + i % 7)) conv=notrunc 2>/dev/null
	signet sync INBOX >/dev/null 2>"$tmp/said" || grep -q 'begun anew' "$tmp/said" || { wrong=$((wrong + 1)); cat "$tmp/said"; }
	signet sync INBOX >/dev/null 2>"$tmp/said" || grep -q 'begun anew' "$tmp/said" || wrong=$((wrong + 1))
	signet --offline --json list >"$tmp/kept" 2>"$tmp/said"
	code=$?
	# What reads as text is not checked against anything: a word of a subject may be wrong, a line never missing.
	[ $code = 0 ] && [ "$(wc -l <"$tmp/kept")" = "$(wc -l <"$tmp/there")" ] || grep -q 'sync' "$tmp/said" || {
		wrong=$((wrong + 1))
		echo "# place $i: code $code, $(wc -l <"$tmp/kept") lines; $(cat "$tmp/said")"
	}
done
is $wrong 0 "damaged at 100 places: begun anew, or a sentence that says what to do"
echo 'no database' >"$p/data/store/far.db"
signet sync INBOX 2>/dev/null || signet sync INBOX
same "a file that is none is begun anew"
sed -i 's/anna@127.0.0.1/bob@127.0.0.1/; s/secret-anna/secret-bob/' "$p/signet.conf"
exits 0 "another mailbox under the same name" signet --json sync INBOX
is "$(field INBOX total)" 0 "has none of the old one's list"
same "and its own"
# Folders come, get another name and go elsewhere, one below another among them.
elsewhere() { # elsewhere PYTHON: what another client of bob's does
	python3 - "$PORT_TLS" <<-END
		import imaplib, ssl, sys
		def mail(subject):
		    return b"From: Eve <eve@example.org>\r\nSubject: %s\r\n\r\nIt says %s.\r\n" % (subject, subject)
		with imaplib.IMAP4_SSL("127.0.0.1", int(sys.argv[1]), ssl_context=ssl._create_unverified_context()) as far:
		    far.login("bob", "secret-bob")
		$1
	END
}
listed() { signet --offline --json list "$1" 2>"$tmp/said" | grep -c '"subject"'; }
elsewhere '    for name in b"Post", b"Post.Alt", b"Weg":
        far.create(name.decode()); far.append(name.decode(), None, None, mail(name))
    far.append("Post", None, None, mail(b"second"))'
exits 0 "folders that are new on the server" signet --json sync --bodies
is "$(listed Post),$(listed Post/Alt),$(listed Weg)" 2,1,1 "are read"
elsewhere '    far.rename("Post", "Briefe"); far.delete("Weg"); far.create("Neu")
    far.append("Neu", None, None, mail(b"Neu"))'
exits 0 "one was renamed, with what is below it, one deleted, one made" signet --json sync --bodies
is "$(listed Briefe),$(listed Briefe/Alt),$(listed Neu)" 2,1,1 "what is there is here"
for gone in Post Post/Alt Weg; do
	exits 66 "$gone has gone" signet --offline list $gone
done
exits 0 "what was below the old name" signet --offline --json search second
is "$(printf '%s\n' "$out" | sed -n 's/.*"folder":"\([^"]*\)".*/\1/p')" Briefe "is found once, below the new one"
exits 1 "what was deleted is not" signet --offline --json search Weg
chmod 500 "$p/data/store"
if [ "$(id -u)" != 0 ]; then
	exits 74 "a store that cannot be written" signet sync INBOX
fi
chmod 700 "$p/data/store"
exits 69 "--offline asks nobody" signet --offline sync
done_testing
