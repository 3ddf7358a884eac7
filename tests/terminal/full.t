#!/bin/sh
# The disk is full under the journal of changes while somebody changes something: it is said, and not shown as done; what
# was written down before stays, and with room again all goes on. tests/lab/full-disk.c plays the disk.
. "$(dirname "$0")/server-lib.sh"
cc -shared -fPIC -o "$LAB/full.so" tests/lab/full-disk.c -ldl || { echo 'Bail out! no full disk'; exit 1; }
home=$server/mail/anna/Maildir
far_account far anna | far_profile
for i in 1 2 3 4; do
	plain "Letter $i" $i "Text $i." >"$home/tmp/170000000$i.letter"
	chown "$MAIL_UID:$MAIL_GID" "$home/tmp/170000000$i.letter" 2>/dev/null
	mv "$home/tmp/170000000$i.letter" "$home/cur/170000000$i.letter:2,S"
done
signet --batch sync
flagged() { grep -lE "^Subject: $1\$" "$home"/cur/* | grep -qE ":2,[A-Z]*F"; }
waits() { signet --batch --json pending | grep -c '"waiting"'; }
on_it() { start 80 24 LD_PRELOAD="$LAB/full.so" FULL_UNDER="$LAB/profile/data/pending/" FULL_WHILE="$LAB/full" -- --offline; }

touch "$LAB/full"
on_it
wait_for '^>  *4 ' 'four letters, without a line'
keys Home
wait_for '^> .*Letter 1' 'the first'
keys F
wait_for 'Make room on the disk' 'a change on a full disk is refused, and says why'
check 'it is not shown' has_not 'F .*Letter 1'
check 'and does not wait' has_not 'wait'
rm "$LAB/full"
keys F
wait_for 'F .*Letter 1' 'with room it is shown'
wait_for 'far  offline, 1 change waits' 'and waits'
touch "$LAB/full"
keys Down
wait_for '^> .*Letter 2' 'the next one'
keys F
wait_for 'Make room on the disk' 'full again'
check 'it is not shown either' has_not 'F .*Letter 2'
check 'and one waits as before' has 'far  offline, 1 change waits'
keys q
wait_for 'ended with 0' 'it ends'
rm "$LAB/full"
check 'one waits' test "$(waits)" = 1
on_it
wait_for 'F .*Letter 1' 'it is there again'
wait_for 'far  offline, 1 change waits' 'and waits'
keys q
wait_for 'ended with 0' 'it ends again'
signet --batch sync
check 'then the server has it' flagged 'Letter 1'
check 'and nothing waits' test "$(waits)" = 0
done_testing
