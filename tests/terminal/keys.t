#!/bin/sh
# The keys of mutt that act on a list: unread ones, patterns, flags, searching backwards, limits that nothing fits.
. "$(dirname "$0")/lib.sh"
make_profile
i=0
for subject in apple banana cherry apricot blueberry; do
	i=$((i + 1))
	flags=S
	case $subject in banana | apricot) flags= ;; esac
	plain "$subject" $i "About $subject." | deliver $subject $i "$flags"
done
cursor() { has "^> *$1 "; }
on() { # on NUMBER NAME: the cursor comes to the message of this number
	if until_true cursor "$1"; then pass "$2"; else fail "$2"; fi
}
ask() { # ask KEY QUESTION ANSWER
	keys "$1"
	seen "^$2"
	typed "$3"
	keys Enter
}

by_letter() { # by_letter KEY QUESTION ANSWER
	keys "$1"
	seen "^$2"
	keys "$3"
}

session() { # session COLUMNS ROWS
	size="$1x$2"
	start "$1" "$2" --
	wait_for 'INBOX  5 messages, 2 new' "$size: opens"
	keys Home
	on 1 "$size: at the first"
	keys Tab
	on 2 "$size: Tab goes to the next unread one"
	keys Tab
	on 4 "$size: and on"
	keys Tab
	on 2 "$size: and round"
	wait_for 'From the beginning' "$size: which is said"
	keys N
	seen '1 new'
	keys Home Enter
	seen 'About apple'
	keys Tab
	wait_for 'About apricot' "$size: in the reader too"
	keys Tab
	wait_for 'Nothing unread here' "$size: until there is none"
	keys q
	seen '^ INBOX'

	ask D 'Delete messages with' '~s ap'
	wait_for '2 marked to be deleted' "$size: D marks what fits"
	check "$size: them alone" has ' 1 D '
	ask U 'Undelete messages with' '~D'
	wait_for '2 undeleted' "$size: U takes it back"
	ask T 'Tag messages with' '~s b'
	wait_for '2 tagged' "$size: T tags"
	ask C-t 'Untag messages with' '~s banana'
	wait_for '1 untagged' "$size: Ctrl-T untags"
	ask T 'Tag messages with' 'nowhere'
	wait_for 'No message fits' "$size: nothing fits, and that is said"
	keys '\;' j
	keys '\;'
	wait_for '1 tagged: which key' "$size: one is still tagged"
	typed X
	wait_for 'X does nothing here' "$size: a key that does nothing"
	keys Home
	by_letter w 'Set flag' F
	wait_for '^>* *1  F ' "$size: ends the prefix: w sets a flag under the cursor"
	check "$size: not on the tagged one" has_not ' 5 .F'
	by_letter W 'Clear flag' F
	wait_for '^>* *1     ' "$size: W clears it"
	by_letter w 'Set flag' N
	wait_for '1 new' "$size: new is one of them"
	by_letter W 'Clear flag' N
	unseen '1 new'
	by_letter w 'Set flag' x
	wait_for 'The letters are N new' "$size: no such letter"
	keys @
	wait_for 'Anna Keller <anna@example.org>' "$size: @ shows the whole address"

	keys Home Down Down
	on 3 "$size: in the middle"
	keys M-/
	wait_for '^Search backwards for' "$size: Alt-/ searches backwards"
	typed '~s an'
	keys Enter
	on 2 "$size: upwards"
	ask / 'Search for' '~s ap'
	on 4 "$size: / forwards"
	keys n
	on 1 "$size: n goes on, round"
	keys /
	seen '^Search for'
	typed 'app'
	keys M-d
	typed 'le'
	wait_for '^Search for.*apple' "$size: Alt and a letter does nothing to the line"
	keys Escape
	wait_gone '^Search for' "$size: Esc ends it"
	keys o
	seen '^Sort by'
	keys M-d
	keys Escape
	wait_gone '^Sort by' "$size: nor is it an order"
	check "$size: nor to the message below" has_not '^>* *[0-9]+ *D'

	keys Home Down Down
	on 3 "$size: again in the middle"
	ask l 'Show messages with' nowhere
	wait_for 'No message fits the limit' "$size: a limit that nothing fits"
	for key in d u t F N s C w @; do
		keys $key
		seen 'There is no message here'
		check "$size: $key does nothing then, and says so" has 'There is no message here'
		keys ?
		seen '^ Help'
		keys q
		seen 'No message fits the limit'
	done
	keys Escape
	on 3 "$size: Esc comes back to where one was"
	keys q
	wait_for 'ended with 0' "$size: ends"
}
session 80 24
for file in "$LAB"/profile/mail/*/*banana* "$LAB"/profile/mail/*/*apricot*; do
	mv "$file" "$LAB/profile/mail/cur/$(basename "${file%%:2,*}"):2,"
done
session 120 40
done_testing
