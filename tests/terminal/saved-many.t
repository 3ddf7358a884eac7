#!/bin/sh
# A saved search that finds thousands: limits, searches and patterns by what headers say go on between keys, over all
# folders, be it that nearly all of a folder was found or few of many.
. "$(dirname "$0")/lib.sh"
make_profile
cat >>"$LAB/profile/signet.conf" <<-END
	[searches]
	All of them = in:anywhere letter
	Letters = letter
END
python3 - "$LAB/profile/mail" <<-'END'
	import sys, time
	def post(folder, i, subject):
	    day = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(1600000000 + i * 600))
	    with open(f"{sys.argv[1]}{folder}/cur/{1600000000 + i}.M{i}.host:2,S", "w") as f:
	        f.write(f"From: Writer {i % 7} <w{i % 7}@example.org>\nTo: bob@example.org\nSubject: {subject}\nDate: {day}\nMessage-ID: <{folder}{i}@x>\n\nText.\n")
	for i in range(3000):
	    post("", i, f"letter {i} of many")
	for i in range(100):
	    post("/.Archive", 5000 + i, f"letter {5000 + i} of few" if i % 99 == 0 else f"note {i}")
END
"$SIGNET" --profile "$LAB/profile" search nothing-at-all >/dev/null 2>&1
answer() { # answer KEY QUESTION WORDS
	keys "$1"
	seen "$2"
	typed "$3"
	keys Enter
	unseen "$2"
}

start 80 24 --
wait_for 'letter 2999 of many' 'the list is there'
keys y
seen '^ Folders'
keys End
seen '^>   Letters'
keys Enter
wait_for '^ Search "Letters"  3002 messages +' 'all are found, in both folders'
wait_for '^>.* Archive +Writer [0-9] +letter 5099 of few' 'the newest first'
# a page is written whole, as in a folder: nothing is kept of the lines that stood there, alike as they are
terminal pipe-pane "exec tee '$LAB/wrote' >'$LAB/pulse'"
keys NPage
wait_gone 'letter 2999 of many' 'a page down'
page_written() { [ "$(tr '\r\033' '\n\n' <"$LAB/wrote" | grep -c 'of many')" -ge 20 ]; }
check 'each of its lines is written' until_true page_written
watch_pane
keys Home
seen '^>.* letter 5099 of few'
keys Down Down
wait_for '^>.* INBOX +Writer [0-9] +letter 2999 of many' 'a line further down'
answer l 'Show messages with:' '~s "5 of many"'
wait_for '\[~s "5 of many": 300\]' 'a limit by what headers say'
answer l 'Show messages with:' '~s "of few"'
wait_for '\[~s "of few": 2\]' 'and in a folder of which few were found'
check 'shows both' until_true has 'letter 5000 of few'
answer l 'Show messages with:' '~s "of few" | ~s "letter 1 "'
wait_for 'letter 1 ": 3\]' 'both at once'
answer l 'Show messages with:' '~s nowhere'
wait_for 'No message fits' 'one that nothing fits'
keys Escape
wait_gone '\[~s' 'Esc shows all again'
keys Home
seen '^>.* letter 5099 of few'
answer / 'Search for:' '~s "letter 17 "'
wait_for '^>.* letter 17 of many' 'a search finds what is far'
keys n
wait_for '^>.* letter 17 of many' 'and it again'
answer / 'Search for:' 'nowhere'
wait_for 'not to be found here' 'what is not there is told'
check 'the cursor stays' has '^>.* letter 17 of many'
answer T 'Tag messages with:' '~f w3@'
wait_for '430 tagged' 'a pattern tags those that fit, in both folders'
answer D 'Delete messages with:' '~s "5000 of few" | ~s "letter 0 "'
wait_for '2 marked to be deleted' 'and marks others'
wait_for '2 deletions pending' 'which are counted'
answer U 'Undelete messages with:' '~s letter'
wait_for '3002 undeleted' 'all are taken back'
wait_gone 'deletions pending' 'and counted'
# what comes while a limit is set is held against it
answer l 'Show messages with:' '~s "of few"'
wait_for '\[~s "of few": 2\]' 'a limit again'
python3 - "$LAB/profile/mail" <<-'END'
	import sys
	for i in range(40):
	    with open(f"{sys.argv[1]}/.Archive/cur/18000{i}.M{i}.host:2,S", "w") as f:
	        f.write(f"From: Late <late@example.org>\nSubject: letter {i} of {'few' if i < 10 else 'many'}\nDate: Sat, 12 Dec 2020 12:00:00 +0000\nMessage-ID: <latest{i}@x>\n\nText.\n")
END
plain 'letter 1 of few' 1 'It is told by the folder that is open.' | deliver late 900000000
wait_for '^ Search "Letters"  3043 messages.*\[~s "of few": 13\]' 'what came meanwhile is held against it'
keys Escape
wait_gone '\[~s' 'Esc shows all'

# ---- keys that are pressed while headers are read still act on what comes of it: all in one go, faster than any typing
answer C-t 'Untag messages with:' '~s letter'
wait_for '3043 untagged' 'no tags'
at_once() { # at_once KEY QUESTION WORDS KEY...: Enter behind the words, and the keys with it
	keys "$1"
	seen "$2"
	typed "$3"
	shift 3
	keys Enter "$@"
}
at_once T 'Tag messages with:' '~f w3@' '\;' d
wait_for '430 deletions pending' '; waits until all are tagged'
answer U 'Undelete messages with:' '~s letter'
wait_gone 'deletions pending' 'taken back'
at_once D 'Delete messages with:' '~f w5@' q
wait_for '(Move|Delete) 42[0-9] (deleted )?messages' 'q asks about what is being marked'
keys Escape
unseen '42[0-9] (deleted )?messages'
at_once U 'Undelete messages with:' '~s letter' l '~s "of few"' Enter D '~A' Enter
wait_for '13 marked to be deleted' 'a pattern is for those within the limit that was asked before it'
check 'and for no others' has '13 deletions pending'
answer U 'Undelete messages with:' '~A'
wait_gone 'deletions pending' 'none are left'
keys Escape
unseen '\[~s'
at_once D 'Delete messages with:' '~f w3@' '$'
in_trash() { [ "$(ls "$LAB/profile/mail/.Trash/cur" "$LAB/profile/mail/.Trash/new" | grep -c host)" = "$1" ]; }
check '$ until all are marked' until_true in_trash 430
wait_gone 'deletions pending' 'and none is left'
# in the Trash they are not found again, but by a search that asks for them
plain 'letter 2 of few' 2 'The search looks again for it.' | deliver later 900000001
wait_for '^ Search "Letters"  2614 messages' 'what was moved to the trash is not found there'
keys C-r
wait_gone 'searching' 'nor by the next search'
check 'at all' has '^ Search "Letters"  2614 messages'
keys y
seen '^ Folders'
keys End Up
seen '^>   All of them'
keys Enter
wait_for '^ Search "All of them"  3044 messages' 'in:anywhere finds all'
done_testing
