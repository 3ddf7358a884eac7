#!/bin/sh
# Threads that the person cuts (#) and puts together (&): on the screen, after a restart, in another folder, with tags.
. "$(dirname "$0")/lib.sh"
answer() { # answer NUMBER SUBJECT FROM REFERENCES: minutes after the hour are its number
	printf 'From: %s\nTo: bob@example.org\nSubject: %s\nDate: Wed, 15 Nov 2023 10:%02d:00 +0000\nMessage-ID: <%s@x>\nReferences: %s\n\nText.\n' \
		"$3" "$2" "$1" "$1" "$4"
}
at() { # at SUBJECT: brings the cursor there
	keys /
	wait_for 'Search for' "to $1"
	typed "~s \"$1\""
	keys Enter
	wait_for "^> *[0-9].* $1" "the cursor is on $1"
}
in_threads() {
	wait_for '^> *[0-9]' 'the list'
	keys o
	wait_for 'Sort by' 'o'
	keys t
	wait_for 'Sorted by threads' 'threads'
}
quit() {
	keys q
	wait_for 'ended with 0' 'out'
}

make_profile
answer 1 'Plan' 'Anna <a@x>' '' | deliver a 1
answer 2 'Lunch' 'Carl <c@x>' '' | deliver b 2
answer 3 'First' 'Dora <d@x>' '<1@x>' | deliver c 3
answer 4 'Second' 'Anna <a@x>' '<1@x> <3@x>' | deliver d 4
answer 5 'Third' 'Emil <e@x>' '<1@x> <3@x> <4@x>' | deliver e 5
answer 6 'Menu' 'Bea <b@x>' '' | deliver f 6
printf 'From: Nobody <n@x>\nSubject: Re: Menu\nDate: Wed, 15 Nov 2023 10:07:00 +0000\n\nx\n' | deliver g 7
before=$(cat "$LAB"/profile/mail/cur/* | cksum)
start 80 24 --
in_threads
wait_for 'Anna .* │?  *└─> Second|└─> Second' 'an answer to an answer'

at Plan
keys '#'
wait_for 'begins its thread already' 'what begins its thread cannot be cut'
at Second
keys '#'
wait_for 'a thread of its own now' '# cuts'
check 'it begins a thread' until_true has 'Anna  *Second'
check 'what answers it goes with it' has 'Emil  *└─> Third'
check 'what it answered stays' has 'Dora  *└─> First'
check 'the cursor stays with it' has '^> .*Second'
keys '#'
wait_for 'Back where its mail' 'again: it is put back'
check 'as it was' until_true has '  └─> Second'
keys '#'
wait_for 'a thread of its own now' 'cut for good'

at Lunch
keys '&'
wait_for 'First tag' '& wants something tagged'
at Menu
keys t
at Second
keys t
at Lunch
keys '&'
wait_for '2 messages put under this one' '& puts the tagged under the cursor'
check 'one' until_true has 'Anna  *├─> Second'
check 'with its answer' has 'Emil  *│ └─> Third'
check 'and the other' has 'Bea  *└─> Menu'
at Third
keys '&'
wait_for 'stands above this message' 'no circle is made'
check 'nothing was changed' has 'Anna  *├─> Second'
quit

file=$LAB/profile/data/threads
check 'the file says it in words' [ "$(sed 1d "$file" | sort | tr '\n' ' ')" = 'under 4@x 2@x under 6@x 2@x ' ]
check 'for its owner alone' [ "$(stat -c %a "$file")" = 600 ]
check 'no mail was changed' [ "$(cat "$LAB"/profile/mail/cur/* | cksum)" = "$before" ]

start 120 40 --
in_threads
check 'after a restart they are as they were put' until_true has 'Anna  *├─> Second'
check 'with what belongs to them' has 'Emil  *│ └─> Third'
check 'both' has 'Bea  *└─> Menu'
at Menu
keys '#'
wait_for 'a thread of its own now' 'what was put under another can be cut'
check 'and stands alone' until_true has 'Bea  *Menu'
keys '#'
wait_for 'Back where its mail' 'and go back to its own place'
keys '*'
check 'the cursor is on it' until_true has '^> .*Nobody'
keys t
at Lunch
keys '&'
wait_for 'no usable Message-ID' 'one without a Message-ID cannot be remembered, and that is told'
keys '*'
check 'the cursor is on it' until_true has '^> .*Nobody'
keys t
quit
check 'one line is left' [ "$(sed 1d "$file")" = 'under 4@x 2@x' ]

# In a folder that has only some of them the same holds; new mail finds its place; tagged ones are cut with ;
FOLDER=/.Archive
answer 4 'Second' 'Anna <a@x>' '<1@x> <3@x>' | deliver d 4
answer 2 'Lunch' 'Carl <c@x>' '' | deliver b 2
answer 3 'First' 'Dora <d@x>' '<1@x>' | deliver c 3
start 80 24 --
wait_for '^> *[0-9]' 'the list'
keys c
wait_for 'folder' 'c'
typed Archive
keys Enter
wait_for 'Archive  3 messages' 'another folder'
in_threads
check 'what was put under another is there too' until_true has 'Anna  *└─> Second'
answer 8 'Late' 'Fred <f@x>' '<1@x> <3@x> <4@x>' | deliver h 8 ''
check 'an answer that comes goes along' until_true has 'Fred  *└─> Late'
answer 9 'Side' 'Gina <g@x>' '<2@x>' | deliver i 9 ''
check 'a neighbour comes' until_true has 'Gina  *└─> Side'
at Second
keys t
at Side
keys '&'
wait_for 'One message put under this one' 'one can be put under its neighbour, which is not above it'
check 'and is there' until_true has 'Anna  *  └─> Second'
keys T
wait_for 'Tag messages' 'T'
typed '~s second | ~s late'
keys Enter
wait_for '2 tagged' 'two'
keys '\;'
wait_for 'which key' ';'
keys '#'
wait_for 'each begins a thread' 'both are cut'
check 'one' until_true has 'Anna  *Second'
check 'the other' has 'Fred  *Late'
quit

# Another signet holds the file: keys are heard meanwhile, and it is written down once it lets go.
start 80 24 --
in_threads
cut_while_held() {
	at Third
	flock 8
	keys '#' Home
	until_true has '^> *1 ' || return 1
	flock -u 8
	until_true has 'a thread of its own now|cannot be locked'
	has 'a thread of its own now'
}
exec 8>"$file.lock"
check '# waits for nobody' eval 'cut_while_held || cut_while_held' # waiting ends after seconds, on a slow machine too
check 'and is done' until_true has 'Fred  *Late|Emil  *Third'
exec 8>&-
at First
keys '#' q
wait_for 'ended with 0' 'out at once'
check 'what was decided is on the disk by then' grep -q '^cut 3@x$' "$file"

# A damaged file costs its lines, nothing else.
printf 'signet-threads 1\ncut 4@x\nunder\nxx\001\377\nunder 8@x 2@x\ncut 9' >"$file"
unset FOLDER
start 80 24 --
in_threads
check 'what can be read counts' until_true has 'Anna  *Second'
check 'nothing else was hurt' has 'Dora  *└─> First'
quit
done_testing
