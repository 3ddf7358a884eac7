#!/bin/sh
# The disk is full under the drafts: a message that is written stays on the screen, an older draft of it as it was, it is
# said, and with room again it is kept. tests/lab/full-disk.c plays the disk.
. "$(dirname "$0")/compose-lib.sh"
cc -shared -fPIC -o "$LAB/full.so" tests/lab/full-disk.c -ldl || { echo 'Bail out! no full disk'; exit 1; }
drafts=$LAB/profile/data/drafts
here_are() { [ "$(find "$drafts" -type f 2>/dev/null | wc -l)" = "$1" ]; } # half a file is one too
digest() { cat "$drafts"/*.eml | sha256sum; }
is_as_before() { here_are 1 && [ "$(digest)" = "$before" ]; }
differs() { here_are 1 && [ "$(digest)" != "$before" ]; }
postponed() { # a key that comes while it is saved by itself is to be pressed again; any other takes the words away
	for again in 1 2 3 4 5 6 7 8 9; do
		keys P
		until_true has 'Kept as a draft|just being saved' || return 1
		! has 'Kept as a draft' || return 0
		keys g
		until_true has_not 'just being saved' || return 1
	done
	return 1
}

make_pki bob anna
writer_profile <<-END
	undo-send = 0
END
known anna
plain 'An old letter' 1 'Hello Bob,\nhow are you?' | deliver one 1
touch "$LAB/full"
compose_start 80 24 LD_PRELOAD="$LAB/full.so" FULL_UNDER="$drafts/" FULL_WHILE="$LAB/full" --
seen 'INBOX  1 message'
begin 'anna@example.org' 'Full'
wait_for 'draft could not be saved' 'what cannot be saved by itself is said'
check 'and what to do' has 'Make room'
check 'the message is still open' has 'Subject: Full'
check 'nothing half lies there' here_are 0
rm "$LAB/full"
check 'with room it is kept' postponed
check 'as one file' here_are 1
before=$(digest)
keys R
seen 'Subject: Full'
touch "$LAB/full"
keys P
wait_for 'draft could not be saved' 'full again: P says so'
check 'the message is open' has 'Subject: Full'
check 'the old draft is as it was' is_as_before
writes 'and more of it\n'
keys e
wait_for 'and more of it' 'it is gone on with'
wait_for 'draft could not be saved' 'and not saved'
check 'the old draft is still as it was' is_as_before
rm "$LAB/full"
wait_for 'draft is saved now' 'with room it is kept again, by itself'
check 'in place of the old one' differs
before=$(digest)
touch "$LAB/full"
writes 'not to be kept\n'
keys e
wait_for 'draft could not be saved' 'full once more'
kill -TERM "$(signet_pid)"
wait_for 'ended with 74' 'ended from elsewhere, it leaves with what failed'
check 'and says on the terminal what is lost' has 'What was last written in "Full" could not be saved: '
check 'and why' has 'No space left on device. Make room'
check 'the old draft is as it was then' is_as_before
rm "$LAB/full"
compose_start 80 24 --
seen 'INBOX  1 message'
keys R
wait_for 'and more of it' 'the next start has all of it'
keys q
seen 'Keep this message'
keys n
seen 'Dropped'
keys q
wait_for 'ended with 0' 'it ends'
done_testing
