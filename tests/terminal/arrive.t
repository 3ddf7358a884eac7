#!/bin/sh
# Mail that arrives while a pattern is typed, is held against the list, or is asked of the server: it is in the list, and
# what fits is shown.
. "$(dirname "$0")/server-lib.sh"
anna=$server/mail/anna/Maildir
hold=$LAB/hold
# While the pipe hold is there, nobody can log in: asking has a connection of its own.
release() {
	[ ! -e "$hold" ] || { exec 8<>"$hold" && rm "$hold" && exec 8>&-; }
}
gate=$LAB/gate
mkdir "$gate"
python3 tests/lab/holding.py "$PORT_TLS" "$gate" SEARCH "$server/tls/good.pem" "$server/tls/good.key" &
holder=$!
trap 'release; kill $holder 2>/dev/null; stop_dovecot "$server"; finish' EXIT
until_true test -s "$gate/pid" || { echo 'Bail out! no proxy'; exit 1; }
{
	far_account anna anna | sed "s/:$PORT_TLS\$/:$(cat "$gate/port")/
s|^password-command = .*|password-command = cat '$hold' 2>/dev/null; echo secret-anna|"
	printf '[searches]\nWombats = wombat\n'
} | far_profile
post() { # post NUMBER SUBJECT TEXT [OCTETS]
	{
		printf 'From: Jo <jo@example.org>\nTo: anna@example.org\nSubject: %s\nDate: Wed, %02d Nov 2023 00:00:00 +0000\nMessage-ID: <%s@x>\n\n' \
			"$2" "$1" "$1"
		head -c "${4:-0}" /dev/zero | tr '\0' 'x' | fold -w 70
		printf '\n%s\n' "$3"
	} >"$anna${FOLDER:-}/tmp/17000000$1.x"
	[ "$MAIL_UID" = "$(id -u)" ] || chown "$MAIL_UID:$MAIL_GID" "$anna${FOLDER:-}/tmp/17000000$1.x"
	mv "$anna${FOLDER:-}/tmp/17000000$1.x" "$anna${FOLDER:-}/new/17000000$1.x"
}
mkdir -p "$anna/cur" "$anna/new" "$anna/tmp" "$anna/.Other/cur" "$anna/.Other/new" "$anna/.Other/tmp" \
	"$anna/.Void/cur" "$anna/.Void/new" "$anna/.Void/tmp"
[ "$MAIL_UID" = "$(id -u)" ] || chown -R "$MAIL_UID:$MAIL_GID" "$anna"
for i in 10 11 12; do post $i "Letter $i" "The text of $i."; done
signet sync --bodies >/dev/null 2>&1
FOLDER=/.Other
post 10 'Of a wombat' 'Its text is on the server alone.'
FOLDER=
signet sync >/dev/null 2>&1
prompt() { # prompt KEY WORDS
	keys "$1"
	seen "^$2"
}

start 80 24 --
wait_for '^ INBOX  3 messages.* online' 'three are there'

# ---- while one types
prompt l 'Show messages with:'
typed '~s need'
seen 'Show messages with: ~s need'
post 13 'A needle' 'The text of 13.'
wait_for '^ INBOX  4 messages' 'one arrives while a limit is typed'
check 'what was typed stays' has '^Show messages with: ~s need'
typed le
keys Enter
wait_for '\[~s needle: 1\]' 'it fits'
wait_for '^>.*A needle' 'and is shown'
check 'alone' has_not 'Letter 1'
prompt / 'Search for'
typed '~s sec'
post 14 'A second needle' 'The text of 14.'
wait_for '\[~s needle: 2\]' 'one arrives while a search is typed: the limit counts it'
post 15 'Hay' 'The text of 15.'
wait_for '^ INBOX  6 messages' 'and one that does not fit'
check 'which is not shown' has_not 'Jo +Hay'
check 'the limit is as it was' has '\[~s needle: 2\]'
typed ond
keys Enter
wait_for '^>.*A second needle' 'the search finds what came while it was typed'
keys Escape
wait_for 'Jo +Hay' 'Esc shows all'
check 'six' [ "$(screen | grep -cE '^[> ] *[1-6] +N ')" = 6 ]

# ---- while the server is asked
post 16 'A large one' 'A trilobite lies behind it.' 1300000
wait_for '^ INBOX  7 messages' 'one that is too large to be kept'
prompt l 'Show messages with:'
typed '~b trilobite'
keys Enter
wait_for '[0-9] could not be looked into: encrypted, or not kept here; a' 'only the server can tell of it'
mkfifo "$hold"
keys a
wait_for 'Asking the server' 'it is asked, and does not answer yet'
post 17 'Another large one' 'A trilobite, too.' 1300000
wait_for '^ INBOX  8 messages' 'another arrives'
post 18 'No such one' 'Nothing of the kind.' 1300000
wait_for '^ INBOX  9 messages' 'and one more'
release
wait_for 'The server was asked: 2 fit' 'it answers'
wait_for '\[~b trilobite: 2\]' 'for what arrived meanwhile, too'
check 'with what was there' has 'Jo +A large one'
check 'and what was not' has 'Jo +Another large one'
check 'and nothing else' has_not 'Jo +No such one'

# ---- when the server has answered, and the answer is on its way: it does not speak of what came behind it
keys Escape
wait_for 'Jo +No such one' 'Esc shows all'
prompt l 'Show messages with:'
keys C-u
typed '~b trilobite !~b nobody'
keys Enter
wait_for 'could not be looked into' 'another limit'
touch "$gate/arm"
keys a
check 'the answer is held back' until_true test -e "$gate/held"
post 19 'A third large one' 'A trilobite at last.' 1300000
wait_for '^ INBOX  10 messages' 'another arrives'
touch "$gate/go"
wait_for 'The server was asked: 2 fit; of 1 it cannot tell' 'the answer says nothing of it'
check 'it is not shown' has_not 'Jo +A third'
keys a
wait_for 'The server was asked: 3 fit' 'asked again the server tells'
check 'and it is shown' has 'Jo +A third large one'
keys Escape
wait_for 'Jo +No such one' 'Esc shows all'

# ---- the index of words rests while a list is read, for half a minute at most, but not while somebody searches
hold_back() { # hold_back WORD: the answer to the next command that has it
	until_true test ! -e "$gate/held" # of the last one
	rm -f "$gate/arm"
	rm -f "$gate/go"
	printf '%s\n' "$1" >"$gate/arm.new"
	mv "$gate/arm.new" "$gate/arm"
}
post 20 'Of a beast' 'An okapi was seen.' 200000
wait_for '^ INBOX  11 messages' 'one arrives that is too large to be fetched for nothing'
hold_back SELECT
keys C-r
check 'the list is read anew, and the answer held back' until_true test -e "$gate/held"
check 'another signet fetches the text meanwhile' signet sync --bodies --no-index INBOX
prompt Q 'Search all folders for:'
typed okapi
patience=$PATIENCE PATIENCE=25
wait_for '^ Search anna: 1 found' 'whoever searches meanwhile finds what came'
PATIENCE=$patience
touch "$gate/go"
keys Escape
wait_gone '^ Search anna' 'Esc leaves'
check 'the answer has come' until_true test ! -e "$gate/held"

# ---- while the connection is in another folder, for a message that a saved search found there
prompt c 'Change to folder'
typed Void
keys Enter
wait_for '^ Void  0 messages.* online' 'a folder that is empty'
hold_back 'BODY.PEEK[]'
keys y
seen '^ Folders'
keys End
seen '^>   Wombats'
keys Enter
wait_for '^>.*Of a wombat' 'a search finds a message of another folder'
keys Enter
check 'its text is asked for, and held back' until_true test -e "$gate/held"
FOLDER=/.Void
post 21 'One of them' 'Not told while another folder is open.'
FOLDER=
touch "$gate/go"
wait_for 'New: Jo: One of them' 'what came into the open folder meanwhile is told as new'
check 'below the text of the other' until_true has 'Its text is on the server alone'
keys q
seen '^ Search "Wombats"'
keys q
wait_for '^ Void  1 message, 1 new' 'and counted once'
check 'and in the list' has '^> *1 +N .*Jo +One of them'
keys q
wait_for 'ended with 0' 'it ends'
done_testing
