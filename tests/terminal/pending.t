#!/bin/sh
# Changes without a line: shown at once, marked as waiting, there again after kill -9, carried out by themselves when the
# server is back, and taken back where it refuses them.
. "$(dirname "$0")/server-lib.sh"
home=$server/mail/anna/Maildir
post() { # post NAME [FLAGS]
	cat >"$home/tmp/$1"
	chown "$MAIL_UID:$MAIL_GID" "$home/tmp/$1" 2>/dev/null
	mv "$home/tmp/$1" "$home/cur/$1:2,${2:-}"
}
far_account far anna 'archive = Archive' | far_profile
for folder in Archive Doomed; do
	mkdir -p "$home/.$folder/cur" "$home/.$folder/new" "$home/.$folder/tmp"
done
[ "$MAIL_UID" = "$(id -u)" ] || chown -R "$MAIL_UID:$MAIL_GID" "$home/.Archive" "$home/.Doomed"
for i in 1 2 3 4 5 6; do plain "Letter $i" $i "Text $i." | post 170000000$i.letter S; done
there() { grep -lE "^Subject: $2\$" "$home"/$1/* 2>/dev/null | grep -q .; } # there FOLDER SUBJECT
not_there() { ! there "$1" "$2"; }
flagged() { grep -lE "^Subject: $1\$" "$home"/cur/* | grep -qE ":2,[A-Z]*F"; }

start 80 24 --
wait_for '^>  *6 ' 'six letters, read from the server'
wait_for 'far  online' 'which is there'
keys Home F
wait_for 'F .*Letter 1' 'F flags at once'
check 'and on the server' until_true flagged 'Letter 1'
wait_gone 'wait' 'nothing waits'
keys q
wait_for 'ended with 0' 'it ends'

start 80 24 -- --offline
wait_for '^>  *6 ' 'without a line they are there again'
wait_for 'far  offline' 'and it says so'
keys Home Down F
wait_for 'F .*Letter 2' 'a flag is shown'
wait_for 'far  offline, 1 change waits' 'and marked as waiting'
keys Down s
wait_for 'Move' 'a move asks where to'
typed 'Archive'
keys Enter
wait_gone 'Letter 3' 'and is shown'
wait_for 'far  offline, 2 changes wait' 'it waits'
wait_for 'Moved to Archive. The server is told once there is a line' 'and says so'
# Another signet comes and goes meanwhile: what this one writes afterwards is not lost with the log of it.
check 'another signet sees both' sh -c "[ \$('$SIGNET' --profile '$LAB/profile' pending 2>&1 | grep -c waiting) = 2 ]"
signet --offline list >/dev/null
wait_for '^> .*Letter 2' 'the cursor is on the one above'
keys Down d
wait_for 'D .*Letter 4' 'a deletion is marked as ever'
keys '$'
wait_gone 'Letter 4' 'and carried out here'
wait_for 'far  offline, 3 changes wait' 'three wait'
keys End C
wait_for 'Copy' 'a copy asks where to'
typed 'Archive'
keys Enter
wait_for 'far  offline, 4 changes wait' 'four wait'
# Undo, level by level, of what nobody has heard of yet.
keys F
wait_for 'F .*Letter 6' 'one more flag'
wait_for 'far  offline, 5 changes wait' 'five wait'
keys s
wait_for 'Move' 'and a move'
typed 'Archive'
keys Enter
wait_gone 'Letter 6' 'of the same letter'
wait_for 'far  offline, 6 changes wait' 'six wait'
keys M-z
wait_for 'Taken back, before the server had heard of it: move to Archive' 'Alt-z takes the move back'
wait_for 'F .*Letter 6' 'the letter is there again, as it was'
keys M-z
wait_for 'Taken back, before the server had heard of it: set flagged' 'once more: the flag'
wait_gone 'F .*Letter 6' 'it is gone'
wait_for 'far  offline, 4 changes wait' 'and four wait as before'
kill -9 "$(signet_pid)"
wait_for 'Killed' 'killed in the midst of it'
check 'nothing was done on the server' there cur 'Letter 3'

signet --offline list >"$LAB/list"
check 'the list has what will be' sh -c "grep -q 'F .*Letter 2' '$LAB/list' && ! grep -qE 'Letter (3|4)' '$LAB/list'"
signet pending >"$LAB/pending" 2>&1
check 'signet pending lists them' sh -c "[ \$(grep -c waiting '$LAB/pending') = 4 ] && grep -q 'move to Archive: \"Letter 3\" in INBOX' '$LAB/pending'"

stop_dovecot "$server"
start 120 40 NO_COLOR=1 --
wait_for '^> .*Letter 6' 'with a dead network it is the same screen'
wait_for 'far  offline, 4 changes wait' 'with the same mark'
check 'as they were left' sh -c "$(command -v tmux) -S '$LAB/tmux$terminals' capture-pane -p | grep -q 'F .*Letter 2'"
check 'what was moved away stays away' has_not 'Letter (3|4)'
sh tests/lab/dovecot.sh again "$server" >/dev/null
keys C-r
PATIENCE=60
wait_for 'far  online *$' 'the server is back, and nothing waits any more'
check 'the flag is there' until_true flagged 'Letter 2'
check 'the move' until_true there .Archive/cur 'Letter 3'
check 'out of the inbox' until_true not_there cur 'Letter 3'
check 'the deletion' until_true there .Trash/cur 'Letter 4'
check 'the copy' until_true there .Archive/cur 'Letter 6'
check 'which is in the inbox, too' there cur 'Letter 6'
check 'once' sh -c "[ \$(grep -lE '^Subject: Letter 6' '$home'/.Archive/cur/* | wc -l) = 1 ]"

# Undo of what the server has done: the reverse.
keys Home F
wait_gone 'F .*Letter 1' 'a flag is cleared'
not_flagged() { ! flagged "$1"; }
check 'on the server as well' until_true not_flagged 'Letter 1'
keys M-z
wait_for 'Changed back: clear flagged' 'Alt-z changes it back'
wait_for 'F .*Letter 1' 'on the screen'
check 'and on the server' until_true flagged 'Letter 1'
keys Home s
wait_for 'Move' 'a move'
typed 'Archive'
keys Enter
wait_gone 'Letter 1' 'is shown'
check 'and done' until_true there .Archive/cur 'Letter 1'
wait_for 'far  online *$' 'and nothing waits'
keys M-z
wait_for '1 moved back from Archive to INBOX' 'Alt-z moves it back'
wait_for 'Letter 1' 'it is in the list'
check 'and in the inbox' until_true there cur 'Letter 1'
check 'alone' until_true not_there .Archive/cur 'Letter 1'
wait_for 'far  online *$' 'and nothing waits'

# What the server refuses is taken back, and said.
rm -r "$home/.Doomed"
keys End Up
wait_for '^> .*Letter 6' 'the cursor is on the sixth'
keys s
wait_for 'Move' 'a move to a folder'
typed 'Doomed'
keys Enter
wait_for 'Taken back: move to Doomed' 'that is not there any more is taken back'
wait_for '^> *[0-9].*Letter 6|Letter 6' 'the message is there again'
wait_for 'far  online, 1 failed' 'and it is marked'
check 'signet pending has it' sh -c "'$SIGNET' --profile '$LAB/profile' pending | grep -q 'failed.*move to Doomed'"
keys q
wait_for 'ended with 0' 'it ends'
done_testing
