#!/bin/sh
# Threads and other orders of the list, at 80x24 and 120x40: drawn, folded, tagged, deleted; new mail finds its place.
. "$(dirname "$0")/lib.sh"
answer() { # answer NUMBER SUBJECT FROM REFERENCES: minutes after the hour are its number
	printf 'From: %s\nTo: bob@example.org\nSubject: %s\nDate: Wed, 15 Nov 2023 10:%02d:00 +0000\nMessage-ID: <%s@x>\nReferences: %s\n\nText.\n' \
		"$3" "$2" "$1" "$1" "$4"
}
rows_are() { [ "$(screen | grep -E '^[> ] *[0-9]+ ' | sed -E 's/^.{40}//; s/ +[0-9.]+k?$//; s/ +$//; s/^ +//')" = "$1" ]; }

for size in '80 24' '120 40'; do
	make_profile
	answer 1 'Plan' 'Anna <a@x>' '' | deliver a 1
	answer 2 'Lunch' 'Carl <c@x>' '' | deliver b 2
	answer 3 'Re: Plan' 'Dora <d@x>' '<1@x>' | deliver c 3
	answer 4 'Re: Plan' 'Anna <a@x>' '<1@x> <3@x>' | deliver d 4
	answer 5 'Budget (was: Plan)' 'Emil <e@x>' '<1@x>' | deliver e 5
	answer 6 'Zebra' 'Bea <b@x>' '' | deliver f 6
	start $size --
	wait_for '^>  *6 .*Zebra' "$size: by arrival at first"
	keys o
	wait_for 'Sort by' 'o asks for the order'
	keys t
	wait_for 'Sorted by threads' 'threads'
	check 'an answer stands below what it answers' until_true has '^ *2 .*Anna .* Plan'
	check 'its first answer' has '^ *3 .*Dora .* ├─> *[0-9]'
	check 'whose answer is a level down' has '^ *4 .*Anna .* │ └─> *[0-9]'
	check 'and another, with a subject of its own' has '^ *5 .*Emil .* └─> Budget'
	check 'the newest thread is the last' has '^>  *6 .*Zebra'
	keys Up Up
	check 'the cursor is in the thread' until_true has '^> *4 '
	keys M-v
	wait_for '^> *2 .*Anna .* \[\+3\] Plan' 'Alt-v folds it, with the cursor on its first line'
	check 'the others are in their places' has '^ *3 .*Zebra'
	keys Down
	wait_for '^> *3 .*Zebra' 'down goes over it'
	keys Up M-v
	wait_for '^ *5 .*Budget' 'and unfolds it'
	keys M-t
	wait_for '4 tagged' 'Alt-t tags all of it'
	keys M-t C-d
	wait_for '4 marked to be deleted' 'Ctrl-D deletes all of it'
	check 'as is seen' until_true has '^ *4 +D'
	keys M-u
	wait_for '4 undeleted' 'Alt-u takes it back'
	keys End
	wait_for '^> *6 .*Zebra' 'at another thread'
	keys t Home
	wait_for '^> *1 .*Lunch' 'which is tagged, the cursor elsewhere'
	keys '\;'
	wait_for '1 tagged: which key' 'with ;'
	keys C-d
	wait_for '1 marked to be deleted' 'Ctrl-D deletes'
	check 'the threads of the tagged' until_true has '^ *6 +D'
	check 'and not the one under the cursor' has_not '^> *1 +D'
	keys '\;'
	wait_for 'which key' 'with ; too'
	keys M-u
	wait_for '1 undeleted' 'Alt-u takes it back'
	check 'there' until_true has_not '^ *6 +D'
	keys '\;'
	wait_for 'which key' 'with ; again'
	keys M-t
	wait_for '1 untagged' 'Alt-t untags them'
	keys End
	wait_for '^> *6 .*Zebra' 'at the end'
	keys Up Up
	wait_for '^> *4 ' 'back in the thread'
	keys M-V
	wait_for '^> *2 .*\[\+3\] Plan' 'Alt-V folds all'
	check 'but not those of one message' has '^ *1 .*Lunch'
	answer 7 'Re: Plan' 'Fred <f@x>' '<1@x> <5@x>' | deliver g 7 ''
	wait_for '^> *3 .*\[\+4, 1 new\] Plan' 'an answer that comes makes its thread the newest, and is counted'
	keys M-V
	wait_for '^ *7 .*Fred .*   └─>' 'unfolded, it stands below what it answers'
	keys l
	wait_for 'Show messages with' 'a limit is asked for'
	typed '~f Anna'
	keys Enter
	wait_for '^ *2 .*Anna .*└─>' 'within a limit threads stay threads'
	keys Escape
	wait_for '^ *7 ' 'Esc shows all'
	keys o
	wait_for 'Sort by' 'again'
	keys f
	wait_for '^[> ] *1 .*Anna .* Plan' 'by author: Anna first'
	check 'and Fred last' until_true has '^ *7 .*Fred'
	keys O
	wait_for 'other way round' 'O turns round'
	keys z
	wait_for 'Sorted by reverse-size' 'any order'
	keys o
	wait_for 'Sort by' 'and again'
	keys x
	wait_for 'There is no order x: the letters are d date' 'what is none is told'
	keys o
	wait_for '^Sort by d.*r .arrival.: *$' 'all of the question is to be read'
	keys Enter
	wait_gone '^Sort by' 'Enter leaves it as it is'
	keys 1
	wait_for '[Nn]umber|Go to' 'a number jumps'
	keys Enter
	check 'to that line' until_true has '^> *1 '
	keys q
	wait_for 'ended with 0' 'it ends'
	printf '[ui]\nsort = reverse-threads\nascii = yes\n' >>"$LAB/profile/signet.conf"
	start $size NO_COLOR=1 --
	wait_for 'Anna .*[^>] Plan' 'signet.conf can say so, in ASCII too'
	check 'the newest thread first' until_true has '^[> ] *1 .*Plan'
	check 'and its answers below it' has '^[> ] *2 .*Dora .*\|->'
	keys q
	wait_for 'ended with 0' 'it ends'
done
done_testing
