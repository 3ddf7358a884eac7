#!/bin/sh
# Esc at the question about deletions gives back what was to be done behind it: the sanitized program is asked at its end
# what of that was lost. (What libraries lose is none of this test.)
. "$(dirname "$0")/lib.sh"
SIGNET=$(cd "${BUILD_ASAN:-build-asan}" 2>/dev/null && pwd)/signet
check 'there is a sanitized program' [ -x "$SIGNET" ]
[ $failures = 0 ] || { echo 'Bail out! make SAN=address'; exit 1; }
make_profile
plain 'One to delete' 1 'Hello.' | deliver m1 1
plain 'One to stay' 2 'Hello.' | deliver m2 2
plain 'One apart' 3 'A quagga.' | FOLDER=/.Archive deliver m3 3
question='Move 1 deleted message to the trash'
given_up() { # given_up NAME
	wait_for "$question" "$1 asks about deletions"
	keys Escape
	unseen "$question"
}

start 80 24 "ASAN_OPTIONS=detect_leaks=1:fast_unwind_on_malloc=0:exitcode=0:log_path='$LAB/report'" --
wait_for '^> *2 .*One to stay' 'the list is there'
keys Home
seen '^> *1 '
keys d
wait_for '1 deletion pending' 'a message is marked'
keys c
seen 'folder'
typed Archive
keys Enter
given_up 'another folder'
keys Q
seen 'Search all folders for:'
typed quagga
seen '^ Search work: 1 found'
keys Enter
unseen 'Search all folders for:'
seen '^>.*One apart'
keys Enter
given_up 'a message that was found elsewhere'
keys q
unseen '^ Search work'
keys q
seen "$question"
keys n
wait_for 'ended with 0' 'signet ends'
reports() { cat "$LAB"/report.* 2>/dev/null; }
check 'what was lost could be looked for' [ "$(reports | grep -cE 'fatal error|AddressSanitizer:')" = 0 ]
lost=$(reports | grep -E ' in (go_to|open_row|ui_sync_[a-z]+|ask_pending) ' | sort -u)
check 'and nothing of this was' [ -z "$lost" ]
[ -z "$lost" ] || echo "$lost" | sed 's/^/# /'
done_testing
