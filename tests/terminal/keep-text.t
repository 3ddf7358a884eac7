#!/bin/sh
# keep = of signet.conf on the screen: text that nobody has read is fetched while nothing else is to be done, and is there
# without the network: to be read, and to be found.
. "$(dirname "$0")/server-lib.sh"
PATIENCE=60
anna=$server/mail/anna/Maildir
profile() { far_account anna anna "keep = $1" | far_profile; } # profile KEEP
profile recent
own() { [ "$MAIL_UID" = "$(id -u)" ] || chown -R "$MAIL_UID:$MAIL_GID" "$anna"; }
post() { # post NUMBER DATE FLAGS WORD [OCTETS]
	{
		printf 'From: Jo <jo@example.org>\nTo: anna@example.org\nSubject: Letter %s\nDate: %s\nMessage-ID: <%s@x>\n\nIt says %s.\n' \
			"$1" "$2" "$1" "$4"
		head -c "${5:-0}" /dev/zero | tr '\0' 'x' | fold -w 70
	} >"$anna/tmp/1700000$1.x"
	touch -d "$2" "$anna/tmp/1700000$1.x"
	own
	mv "$anna/tmp/1700000$1.x" "$anna${FOLDER:-}/cur/1700000$1.x:2,$3"
}
now=$(date -uR)
post 160 'Wed, 02 Jan 2019 00:00:00 +0000' S 'what nobody needs'
post 161 'Wed, 02 Jan 2019 00:00:00 +0000' FS 'what is flagged'
i=200
while [ $i -lt 260 ]; do # more than a piece
	post $i "$now" S "word$i and quagga" 20000
	i=$((i + 1))
done
FOLDER=/.Kiste
mkdir -p "$anna$FOLDER/cur" "$anna$FOLDER/new" "$anna$FOLDER/tmp"
post 300 'Wed, 02 Jan 2019 00:00:00 +0000' S 'what nobody wants'
i=301
while [ $i -lt 361 ]; do
	post $i "$now" S "of an okapi" 20000
	i=$((i + 1))
done
FOLDER=
mkdir -p "$anna/.Aber/cur" "$anna/.Aber/new" "$anna/.Aber/tmp" # listed before that one, and it cannot be opened
own
chmod 000 "$anna/.Aber/cur"
finds() { [ "$(signet --offline search "$1" 2>/dev/null | grep -c 'Letter')" = "$2" ]; }

start 80 24 --
wait_for 'INBOX  62 messages' 'the list is there'
check 'what is recent is found without the network, though nobody has read it' until_true finds quagga 60
check 'and what is flagged' until_true finds flagged 1
check 'but not what is old' finds nobody 0
check 'when nobody has pressed a key for a while, that of other folders as well' until_true finds okapi 60
check 'of which it wants the same' finds wants 0
post 262 "$now" '' 'a platypus'
wait_for 'INBOX  63 messages, 1 new' 'new mail comes'
check 'and its text' until_true finds platypus 1
mv "$anna/cur/1700000160.x:2,S" "$anna/cur/1700000160.x:2,FS"
check 'what another program flags is wanted too' until_true finds nobody 1
keys Home
wait_for '^> *1 .*F .*Letter 160' 'the first'
stop_dovecot "$server"
wait_for 'offline' 'without a line'
keys Enter
wait_for 'It says what nobody needs' 'it is read'
keys q q
wait_for 'ended with 0' 'signet ends'
sh tests/lab/dovecot.sh again "$server"

# Nobody's, unless it is asked for.
profile read
start 80 24 --
wait_for 'INBOX  63 messages' 'with keep = read'
keys Home
wait_for '^> *1 .*Letter 160' 'the first'
keys Enter
wait_for 'It says what nobody needs' 'what is read is kept'
keys q q
wait_for 'ended with 0' 'signet ends'
check 'and found' until_true finds nobody 1
check 'the rest is not' finds word230 0

# Everybody's, in all folders; the newest letter of the open one is read in between.
profile all
start 80 24 --
wait_for 'INBOX  63 messages' 'with keep = all'
check 'all of another folder is fetched' until_true finds wants 1
keys Home
wait_for '^> *1 .*Letter 160' 'the first'
keys Enter
wait_for 'It says what nobody needs' 'is read'
keys q
wait_for '^> *1 .*Letter 160' 'the list is there again'
post 263 "$now" '' 'a wombat'
wait_for 'INBOX  64 messages' 'the open folder is told of what is new in it'
check 'and its text comes' until_true finds wombat 1
keys q
wait_for 'ended with 0' 'signet ends'

# As much is kept as may be: the file of the lists says that it has 1 GiB of pages, nearly all of them a hole.
profile read
signet sync >/dev/null 2>&1
sed -i 's/^keep = .*/keep = all/' "$LAB/profile/signet.conf"
python3 tests/lab/grown.py "$LAB/profile/data/store/anna.db" 262145
start 120 40 --
wait_for 'INBOX  64 messages' 'with keep = all, and no room'
wait_for 'The text of [0-9]+ messages in INBOX is not fetched: 1 GiB is kept of anna already' 'what is left is told'
keys q
wait_for 'ended with 0' 'signet ends'
done_testing
