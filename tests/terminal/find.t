#!/bin/sh
# Q: words in all mail of the account, as they are typed; what is found is opened where it lies.
. "$(dirname "$0")/lib.sh"

make_profile
post() { # post FOLDER NAME FROM SUBJECT TEXT
	printf 'From: %s\nSubject: %s\nDate: Wed, 15 Nov 2023 00:00:00 +0000\nMessage-ID: <%s@x>\nContent-Type: text/plain; charset=utf-8\n\n%s\n' \
		"$3" "$4" "$2" "$5" >"$LAB/profile/mail$1/tmp/$2"
	mv "$LAB/profile/mail$1/tmp/$2" "$LAB/profile/mail$1/cur/$2:2,S" # whole: signet looks there meanwhile
}
post '' 1700000001 'Anna <anna@example.org>' 'Annual report' 'The budget of this year is attached.'
post '' 1700000002 'Boris <boris@example.org>' 'Lunch' 'Shall we talk about the report?'
post /.Archive 1700000003 'Taro <taro@example.org>' 'Room' '東京の会議室で十二時に。'
post /.Work.Reports 1700000004 'Eve <eve@example.org>' 'Bad one' "$(printf 'a zebra \033[31mand\007 more')"
post '' 1700000005 'Fay <fay@example.org>' 'Kept' 'A wombat.'
post /.Trash 1700000006 'Fay <fay@example.org>' 'Thrown away' 'Another wombat.'
for i in $(seq 1 60); do post '' $((1600000000 + i)) 'Many <many@example.org>' "letter $i" 'common text'; done

start 80 24 --
wait_for '^>? *[0-9]+ .*Annual report' 'the list is there'
keys Q
wait_for 'Search all folders for:' 'Q asks for words'
wait_for 'begin\*' 'and says what they may be'
typed budg
wait_for '^ Search work: 1 found' 'what is found comes while they are typed'
wait_for '^> 2023-11-15 INBOX +Anna +Annual report' 'a line names folder, author and subject'
wait_for '^ +The budget of this year' 'and the text around it is below'
keys C-u
typed 'repor'
wait_for '^ Search work: 2 found' 'other words find others'
typed 't -budget'
wait_for '^ Search work: 1 found' 'and one less'
wait_for 'INBOX +Boris +Lunch' 'without what is left out'
keys C-u
typed '会議'
wait_for 'Archive +Taro +Room' 'a word of a script without spaces, in another folder'
keys Enter
wait_gone 'Search all folders for:' 'Enter ends the question'
wait_for 'Enter open' 'the keys are told'
keys Enter
wait_for '^── Archive 1 of 1' 'Enter opens the folder, and the message'
wait_for '東京の会議室で' 'with its text'
keys q
wait_for '^ Search work: 1 found' 'q leads back to what was found'
check 'the cursor is on it' has '^> .*Archive +Taro +Room'
keys q
wait_for '^> *1 .*Room' 'and from there to its list'

keys Q
wait_for 'Search all folders for:' 'Q again'
typed repor
wait_for '^ Search work: 2 found' 'the beginning of a word'
keys Enter
wait_gone 'Search all folders for:' 'Enter'
check 'is one still behind Enter' has '^ Search work: 2 found'
keys End
wait_for '^> .*INBOX +Anna +Annual' 'the second one'
keys Enter
wait_for '^ *The budget of this year' 'is opened, in another folder than before'
keys q
wait_for '^> .*INBOX +Anna +Annual' 'q goes back to its line'
keys Home
wait_for '^> .*INBOX +Boris +Lunch' 'the first'
keys Enter
wait_for 'Shall we talk' 'is opened too'
keys Q
wait_for 'Search all folders for: repor' 'Q in a message that was found changes the words'
check 'over what was found' has '^ Search work: 2 found'
keys C-u
typed zebra
wait_for 'Work/Reports +Eve' 'a message with control characters is found'
keys Enter
wait_gone 'Search all folders for:' 'its line'
check 'and nothing of it reaches the terminal' has 'zebra .*and.* more'
keys s
wait_for 'best first' 's shows the best first'
keys s
wait_gone 'best first' 'or the newest'
keys Q
wait_for 'Search all folders for: zebra' 'Q in the results changes the words'
keys C-u
typed '"'
wait_for 'Words in the header or the text' 'a quote alone is no word'
typed 'a zebra"'
wait_for '1 found' 'with words in it a phrase is'
keys Escape
wait_gone 'Search work' 'Esc leaves'
wait_for '^> *62 .*Lunch' 'to the list of the folder that was opened last'

resize 120 40
keys Q
wait_for 'Search all folders for:' 'on a larger screen'
typed common
wait_for '^ Search work: 60 found' 'all are counted'
keys Enter
wait_gone 'Search all folders for:' 'Enter'
keys End
wait_for '^> 2023-11-15 INBOX +Many +letter' 'the last is reached'
check 'and stays within the screen' [ "$(screen | wc -l)" -le 40 ]
rm "$LAB/profile/mail/cur/1700000001:2,S"
post '' 1700000009 'Gina <gina@example.org>' 'Later' 'xylophone'
keys Q
wait_for 'Search all folders for: common' 'words of before'
keys C-u
typed xylo
wait_for 'INBOX +Gina +Later' 'mail that came meanwhile is found when it was read in'
keys C-u
typed budget
wait_for ' 0 found' 'and what went is not'
wait_for 'No message that is here has all these words' 'which is said'
keys C-u
typed wombat
wait_for ' 1 found' 'one that lies in Trash is left out'
wait_for '^ 1 more in Trash and Junk: in:anywhere' 'which is told'
typed ' in:anywhere'
wait_for ' 2 found' 'and found when it is asked for'
wait_gone 'more in Trash' 'with nothing left out'
keys Escape
done_testing
