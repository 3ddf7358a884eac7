#!/bin/sh
# Several accounts at once: two users of a real Dovecot, and a Maildir.
. "$(dirname "$0")/server-lib.sh"

post() { # post USER FOLDER NAME: takes a message from stdin, as a delivery agent would
	box=$server/mail/$1/Maildir/$2
	mkdir -p "$box/tmp" "$box/new" "$box/cur"
	cat >"$box/tmp/$3"
	mv "$box/tmp/$3" "$box/new/$3"
	[ "$MAIL_UID" = "$(id -u)" ] || chown -R "$MAIL_UID:$MAIL_GID" "$server/mail/$1"
}
{
	far_account anna anna
	far_account bob bob
	printf '[account home]\naddress = bob@example.org\nmaildir = mail\n'
} | far_profile
plain 'For Anna' 1 'One.' | post anna . 1700000001.one
plain 'Minutes' 2 'Two.' | post anna .Lists 1700000002.two
plain 'For Bob' 3 'Three.' | post bob . 1700000003.three
plain 'At home' 4 'In the Maildir.' | deliver home 4
FOLDER=/.Work.Reports
plain 'Report' 5 'Unread, at home.' | deliver report 5 ''
FOLDER=

session() { # session COLUMNS ROWS
	size="$1x$2"
	start "$1" "$2" --
	wait_for 'INBOX  1 message.* anna  online' "$size: the first account opens"
	keys y
	wait_for '^ *anna  online' "$size: the list names the first account"
	wait_for '^ *bob  online' "$size: the second"
	wait_for '^ *home  online' "$size: and the third"
	until_true sh -c "[ \"\$(tmux -S '$LAB/tmux$terminals' capture-pane -p | grep -c '^. . INBOX ')\" = 3 ]"
	check "$size: each has its folders" [ "$(screen | grep -c '^. . INBOX ')" = 3 ]
	wait_for '\* INBOX' "$size: with the open folder"
	wait_for 'Lists +1 new +1' "$size: and counts, unread ones first"
	wait_for 'Reports +1 new +1' "$size: of every account"
	keys C-n
	wait_for '^>bob' "$size: Ctrl-N goes to the next account"
	keys C-n C-n
	wait_for '^>anna' "$size: in a ring"
	keys C-p
	wait_for '^>home' "$size: Ctrl-P backwards"
	keys C-p Down Enter
	wait_for 'INBOX  1 message.* bob  online' "$size: Enter opens a folder of another account"
	wait_for 'For Bob' "$size: its message"

	keys C-n
	wait_for 'INBOX  1 message.* home  online' "$size: Ctrl-N in the index opens the next account"
	keys C-p C-p
	wait_for 'INBOX  1 message.* anna  online' "$size: Ctrl-P the one before"
	keys c
	wait_for '^Change to folder \(Enter: anna/Lists\): *$' "$size: c offers the next folder with unread mail"
	keys Enter
	wait_for 'Lists  1 message' "$size: and Enter takes it"
	keys c
	typed -
	keys Enter
	wait_for 'INBOX  1 message.* anna' "$size: - is the one before"
	keys c
	typed 'bob/inb'
	keys Tab
	wait_for '^Change to folder.*: bob/INBOX *$' "$size: Tab completes over all accounts"
	keys Enter
	wait_for 'INBOX  1 message.* bob  online' "$size: and it opens"
	keys c
	typed 'repo'
	keys Tab
	wait_for ': home/Work.Reports *$' "$size: by any part of the name"
	keys Enter
	wait_for 'Reports  1 message.* home  online' "$size: in the third account"
	keys C-n C-p
	wait_for 'Reports  1 message.* home  online' "$size: an account comes back to its last folder"
	keys c
	typed 'home/INBOX'
	keys Enter
	wait_for 'INBOX  1 message.* home  online' "$size: account/FOLDER is spelled out"

	keys C
	wait_for '^Copy to folder' "$size: C copies"
	typed 'home/Archive'
	keys Enter
	wait_for 'Copied to Archive' "$size: within an account"
	keys C
	seen '^Copy to folder'
	typed 'bob/INBOX'
	keys Enter
	wait_for '1 copied to bob/INBOX' "$size: to another account as well"
	check "$size: the message stays" has 'At home'
	keys c
	typed 'bob/INBOX'
	keys Enter
	wait_for 'INBOX  2 messages.* bob' "$size: and is there"
	keys c
	typed 'home/Archive'
	keys Enter
	wait_for 'Archive  1 message ' "$size: in the archive"
	keys s
	seen '^Move to folder'
	typed 'anna/Fresh'
	keys Enter
	wait_for 'There is no folder Fresh in anna' "$size: not to one that is not there"
	keys s
	seen '^Move to folder'
	typed 'anna/INBOX'
	keys Enter
	wait_for '1 moved to anna/INBOX' "$size: moved to another account"
	wait_for 'No messages' "$size: it is gone here"
	keys c
	typed 'anna/INBOX'
	keys Enter
	wait_for 'INBOX  2 messages.* anna' "$size: and is there"
	check "$size: read as it was" has '^.. *[12]    .*At home'
	keys c
	typed 'anna/Lists'
	keys Enter
	seen 'Lists  1 message'
	keys C
	seen '^Copy to folder'
	typed 'anna/INBOX'
	keys Enter
	wait_for 'Copied to INBOX' "$size: and on the server too"
	keys c
	typed 'anna/INBOX'
	keys Enter
	wait_for 'INBOX  3 messages.* anna' "$size: where it is now"
	keys Home s
	seen '^Move to folder'
	typed 'anna/Lists'
	keys Enter
	wait_for 'Moved to Lists' "$size: moved back"
	keys q
	wait_for 'ended with 0' "$size: ends"
}
session 80 24

# Accounts whose passwords nobody gives: asked for once, and anew only by Ctrl-R or by opening a folder of theirs.
sed -i 's/^password-command.*//' "$LAB/profile/signet.conf"
start 80 24 --
wait_for '^Password of (anna|bob) at' 'a password is asked for'
check 'and what Esc does stands beside it' has 'Esc leaves it offline'
keys Escape
seen 'offline'
seen '^Password of (anna|bob) at'
keys Escape
wait_for 'anna  offline' 'Esc leaves both offline'
unseen '^Password of'
keys y
wait_for '^.anna  offline: No password was given; Ctrl-R asks again' 'the list of folders says so'
wait_for '^.bob  offline: No password was given' 'of each, by its name'
check 'and does not ask again' has_not 'Password of'
keys Home C-n C-n Down Enter
wait_for 'INBOX  1 message.* home  online' 'the third account goes on'
keys y
seen '^ Folders'
wait_for '^.bob  offline: No password' 'the others stay as they are'
check 'nor asks then' has_not 'Password of'
keys C-p
seen '^>bob'
keys Enter
wait_for '^Password of bob at' "Enter on an account's line opens its INBOX: that asks"
typed secret-bob
keys Enter
wait_for 'INBOX  [0-9]+ message.* bob  online' 'and connects'
keys y
wait_for '^ anna  offline: No password' 'only the one'
keys C-r
wait_for '^Password of anna at' 'Ctrl-R asks for all'
resize 40 12
wait_for '^Password of anna at' 'on a small screen'
resize 80 24
keys Escape
wait_gone '^Password of' 'and takes no for an answer'
keys q q
wait_for 'ended with 0' 'ends'

# The server is gone: its accounts say so, the other goes on.
stop_dovecot "$server"
start 120 40 --
keys C-p
wait_for 'INBOX  1 message.* home  online' 'an account works while the server is down'
keys y
wait_for '^ *anna  offline: ' 'the others are marked offline'
wait_for '^ *bob  offline: ' 'each with the reason'
keys q q
wait_for 'ended with 0' 'ends'
done_testing
