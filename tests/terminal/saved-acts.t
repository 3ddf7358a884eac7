#!/bin/sh
# What `;` does in a saved search, what leaving it asks, and whose message a key means: with sort = threads, with a limit,
# and after the folder that is read was replaced by another on its server.
SORT=threads
. "$(dirname "$0")/saved-lib.sh"

printf '#!/bin/sh\necho "An answer." >>"$1"\n' >"$LAB/editor"
chmod +x "$LAB/editor"
start 80 24 "EDITOR=$LAB/editor" --
wait_for '^> *2 .*Near report' 'the list is there'
keys d
wait_for '^>  2 D .*Near report' 'd marks a message of the open folder'
keys y
wait_for '^    Papers +report -draft' 'y lists the searches'
keys End Up
wait_for '^>   Papers' 'down to one'
keys Enter
wait_for '^ Search "Papers"  7 messages' 'Enter opens it'
wait_for '^>.*Second report' 'from its newest'

# ---- with threads elsewhere a key reaches the message
keys F
wait_for '^> F .*Second report' 'F flags'
check 'where it lies' until_true has_flag "$bob/.Other" 'Second report' F

# ---- a limit: what is read stays where it is though it does not fit any more
keys l
wait_for 'Show messages with:' 'l limits'
typed '~F'
keys Enter
wait_for '\[~F: 1\]' 'to the flagged'
keys Enter
wait_for 'The second text' 'it is read'
keys F
check 'F there takes the flag away' until_true only_flagged ''
keys s
wait_for 'Move to folder:' 'and another key still means it'
keys Escape
wait_gone 'Move to folder:' 'Esc'
keys q
wait_for '^>.*Second report' 'back in the list it is there'
keys Escape
wait_for '^ N .*Report of Bob' 'Esc shows all'

# ---- a limit by flags and by what lines say is held against both again when the search has looked again
keys Home F
wait_for '^> F .*Second report' 'one has a flag'
keys Down F
wait_for '^> F .*Other report' 'and another'
keys l
wait_for 'Show messages with:' 'a limit'
typed '~F | ~z >100K | (~U ~s near)'
keys Enter
wait_for '~s near\): 2\]' 'to those'
keys Home F
wait_for '^>   .*Second report' 'the flag goes, and the line is still there'
keys Down
wait_for '^> F .*Other report' 'down'
mv "$(file_of "$near" 'Near report')" "$near/cur/1700000011.x:2," # somebody else makes it unread
post "$near/.Archive" 20 S 'A late one' 'No hit, and the search looks again.'
wait_for '^ O .*Near report' 'what fits by now is there'
wait_gone 'Second report' 'what does not has gone'
wait_for '~s near\): 2\]' 'and that is all'
keys Home
wait_for '^> F .*Other report' 'to the other'
keys F
wait_for '^>   .*Other report' 'without its flag'
check 'nothing is flagged' until_true only_flagged ''
keys Escape
wait_for '^ N .*Report of Bob' 'Esc shows all'
mv "$(file_of "$near" 'Near report')" "$near/cur/1700000011.x:2,S"
wait_for '^   +Nov .*Near report' 'as it was'

# ---- `;`
keys T
wait_for 'Tag messages with:' 'T'
typed '~s "report of"'
keys Enter
wait_for '2 tagged: after ;' 'tags one of Anna and one of Bob'
typed ';l'
wait_for 'Show messages with:' 'l behind ; asks as ever'
typed '~s listed'
keys Enter
wait_for '\[~s listed: 1\]' 'and limits'
typed ';r'
wait_for 'lie in 2 folders' 'a key for messages of one folder says that they lie in several'
keys Escape
wait_for '^ N t .*Report of Bob' 'Esc shows all'
keys Home Down Down
wait_for '^>N t .*Report of Bob' 'to one of them'
keys t
wait_for '^ N   .*Report of Bob' 't again takes its tag away'
wait_for '^> .*Listed report' 'and goes on'
keys l
wait_for 'Show messages with:' 'a limit'
typed '~s listed'
keys Enter
wait_for '\[~s listed: 1\]' 'hides the tagged'
typed ';r'
wait_for 'No tagged message is among those shown' 'and that is said'
keys Escape
wait_for '^   t .*Report of Anna' 'Esc shows all'
keys Home
wait_for '^>.*Second report' 'Home'
typed ';r'
wait_for 'Subject: Re: Report of Anna' ';r answers the tagged one, not that under the cursor'
keys q n
seen '^>.*Report of Anna'
typed ';s'
wait_for 'Move 1 message to folder:' 's asks'
typed Nowhere
keys Enter
wait_for 'There is no folder Nowhere in anna' 'a folder that is not there'
check 'and nothing is moved' there "$anna" 'Report of Anna'
keys Home Down Down
wait_for '^>N .*Report of Bob' 'to one of another account'
keys t
wait_for '^ N t .*Report of Bob' 'it is tagged too'
typed ';s'
wait_for 'Move 2 messages to folder:' 's asks once'
typed Trash
keys Enter
check 'each goes to the Trash of its own account' until_true there "$anna/.Trash" 'Report of Anna'
check 'this one too' until_true there "$bob/.Trash" 'Report of Bob'
check 'and not to the other' not_there "$anna/.Trash" 'Report of Bob'
wait_for '^ Search "Papers"  5 messages' 'five are left'

# ---- a folder that is replaced while a message of it is read
keys Home Down Down
wait_for '^>.*Listed report' 'a message of a folder that is replaced'
keys Enter
wait_for 'The listed text' 'it is read'
replace_folder anna Lists
keys F
wait_for 'Taken back: set flagged|broke the connection off|has ended the connection' 'a flag is refused, at once or when the line is there again'
keys '!'
wait_for '^ *Log' 'the log'
wait_for 'Taken back: set flagged: "Listed report" in Lists' 'tells it'
keys q
check 'and nothing has one' only_flagged ''
keys q
wait_for '^ Search "Papers"' 'back'

# ---- leaving for another folder asks for the open folder too
keys Home d
wait_for '1 deletion pending' 'd marks one here'
keys y
wait_for '^ Folders' 'the folders'
typed /lists
keys Enter
wait_for '^>.*Lists' 'to another folder'
keys Enter
wait_for 'Move 1 deleted message to the trash' 'the search asks'
keys n
wait_for '^ INBOX  2 messages, 1 deletion pending' 'then what is below it is shown'
wait_for 'Move 1 deleted message to the trash' 'and asks too'
keys Escape
wait_gone 'deleted message to the trash' 'Esc stays there'
wait_for '^>? *2 D.*Near report' 'with its mark'
check 'nothing was moved' there "$near" 'Near report'
check 'nowhere' there "$bob/.Other" 'Second report'
done_testing
