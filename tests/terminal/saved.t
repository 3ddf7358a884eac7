#!/bin/sh
# Searches that have a name, on the screen: over two accounts of a real Dovecot and a Maildir. What a key does is done to
# the message where it lies; one that went meanwhile is told, and no other is touched.
. "$(dirname "$0")/saved-lib.sh"

start 80 24 --
wait_for '^> *2 .*Near report' 'the list is there'
keys y
wait_for '^ Folders' 'y lists folders'
wait_for '^Searches|^ Searches' 'and the searches, below a heading'
wait_for '^    Papers +report -draft' 'each with what it looks for'
keys /
wait_for 'Search for' 'they are searched as folders are'
typed papers
keys Enter
wait_for '^>   Papers' 'the cursor is on one'
keys Enter
wait_for '^ Search "Papers"  7 messages, 1 new' 'Enter opens it, with messages of all accounts'
wait_for '^>.* bob/Other +Jo +Second report' 'the newest first, each with its place'
check 'in the order of their dates' sh -c '[ "$1" = "Second Other Bob Listed Anna Archived Near " ]' - \
	"$(rows 2 8 | sed -E 's/.*(Second|Other|Listed|Archived|Near) report.*/\1/; s/.*Report of (Bob|Anna).*/\1/' | tr '\n' ' ')"
wait_for '7 messages, 1 new +bob/Other' 'the title says where the message at the cursor lies'

# ---- what is for an account is for that of the message
keys Q
wait_for '^ Search bob' 'Q is for the account of the message'
keys Escape
wait_for '^>.* bob/Other +Jo +Second report' 'back'
keys a
wait_for 'words in all folders of bob' 'a says why it cannot ask here, and where'
keys End
wait_for '^>.* near/INBOX +Jo +Near report' 'another account'
keys a
wait_for 'All mail of near is on this machine' 'has no server'
keys Q
wait_for '^ Search near' 'and Q is for that one'
keys Escape
wait_for '^>.* near/INBOX +Jo +Near report' 'back again'
keys Home
wait_for '^>.* bob/Other +Jo +Second report' 'to the first'

# ---- reading: over folders and accounts, each message where it lies
keys Down Down Enter
wait_for 'The text of Bob' 'Enter reads'
wait_for '── bob/INBOX  "Papers" 3 of 7' 'and says where it lies, and its place here'
check 'it is read on its server' until_true has_flag "$bob" 'Report of Bob' S
keys j
wait_for 'The listed text' 'j goes on in another account'
keys j
wait_for 'The text of Anna' 'and another folder'
keys k
wait_for 'The listed text' 'k goes back'
keys F
keys q
wait_for '^> F .* anna/Lists +Jo +Listed report' 'F in the reader flags that message'
check 'on its server' until_true has_flag "$anna/.Lists" 'Listed report' F
keys End F
wait_for '^> F .* near/INBOX +Jo +Near report' 'F in the list another'
check 'in the Maildir' until_true has_flag "$near" 'Near report' F
check 'and nothing else was flagged anywhere' until_true only_flagged 'Listed report,Near report,'

# ---- a limit, tags, and what is done to the tagged of several folders
keys l
wait_for 'Show messages with:' 'l limits'
typed '~F'
keys Enter
wait_for '\[~F: 2\]' 'to what fits'
check 'and no other' has_not 'Report of Bob'
keys Escape
wait_for 'Report of Bob' 'Esc shows all again'
keys T
wait_for 'Tag messages with:' 'T tags by a pattern'
typed '~s report ~F'
keys Enter
wait_for '2 tagged' 'in all folders'
typed ';F'
wait_for '^   t .*Listed report' 'a key after ; acts on all of them'
check 'in one account' until_true only_flagged ''
typed ';C'
wait_for 'Copy 2 messages to folder:' 'C asks once'
typed bob/Trash
keys Enter
check 'and copies from both' until_true there "$bob/.Trash" 'Listed report'
check 'to where it was told' until_true there "$bob/.Trash" 'Near report'
check 'they stay' there "$near" 'Near report'
keys Home
wait_for '^>.*Second report' 'Home'
keys o
wait_for 'newest first, without threads' 'what makes no sense here says so'

# ---- deleting: to the trash of its own account
keys d
wait_for '^ D .*Second report' 'd marks'
wait_for '^>.*Other report' 'and goes on'
keys Down Down Down
wait_for '^>.*Report of Anna' 'down to another account'
keys d
wait_for '2 deletions pending' 'two are marked'
keys q
wait_for 'Move 2 deleted messages to the trash' 'leaving asks'
keys Escape
wait_gone 'deleted messages to the trash' 'Esc stays'
keys '$'
wait_gone 'Second report' '$ does it'
wait_gone 'Report of Anna' 'in both'
wait_for '^ Search "Papers"  5 messages' 'the others stay'
check 'one is in the trash of its account' until_true there "$bob/.Trash" 'Second report'
check 'the other in that of its own' until_true there "$anna/.Trash" 'Report of Anna'
check 'and gone from its folder' until_true not_there "$bob/.Other" 'Second report'
check 'as is the other' until_true not_there "$anna" 'Report of Anna'
check 'no other of that folder went' there "$bob/.Other" 'Other report'
check 'nor of the other' there "$anna" 'Anna and no hit'
check 'nor one with that number elsewhere' there "$anna/.Lists" 'draft of a report'

# ---- a message that went meanwhile: told, and no other is touched
rm "$(file_of "$bob/.Other" 'Other report')"
post "$bob/.Other" 19 S 'Stranger' 'A message that nobody meant.'
chown "$MAIL_UID:$MAIL_GID" "$bob/.Other"/cur/*.x:* 2>/dev/null
keys Home
wait_for '^>.*Other report' 'a message whose file went'
keys s
wait_for 'Move to folder:' 's moves it'
typed bob/Trash
keys Enter
wait_for '(Taken back|Perhaps done in part): move to Trash: "Other report"' 'and it is told'
check 'nothing else was moved' there "$bob/.Other" 'Stranger'
check 'nor arrived' not_there "$bob/.Trash" 'Other report'

# ---- a folder that was replaced: its numbers are others' now
keys End Up
wait_for '^>.*Archived report' 'up from the end'
keys Up
wait_for '^>.*Listed report' 'a message of a folder that is replaced'
replace_folder anna Lists
keys F
wait_for 'Taken back: set flagged: "Listed report" in Lists' 'it is told'
check 'and nothing has a flag' only_flagged ''
check 'the message with that number is there' there "$anna/.Lists" 'Another'
keys Enter
wait_for 'The listed text' 'what was kept of it is shown'
check 'and not the text of the other' has_not 'It has the number now'
keys q

# ---- back
keys q
wait_for '^> *2 .*Near report' 'q shows the folder that was open'
keys y
wait_for ' Folders' 'the folders'
check 'with the counts of their own' row_has 2 3 'INBOX +2$'
keys q
wait_gone '^ Folders' 'and back'

# ---- words of Q, kept under a name
keys Q
wait_for 'Search all folders for:' 'Q asks for words'
typed 'subject:stranger'
keys Enter
wait_gone 'Search all folders for:' 'Enter ends the question'
keys w
wait_for 'Keep this search under the name:' 'w asks for a name'
typed Papers
keys Enter
wait_for 'There is a search "Papers" already' 'a name that is taken is refused'
keys w
wait_for 'Keep this search under the name:' 'once more'
typed 'Odd ones'
keys Enter
wait_for 'Kept: y lists "Odd ones"' 'a new one is kept'
check 'in signet.conf' grep -qx 'Odd ones = subject:stranger' "$LAB/profile/signet.conf"
keys q y
wait_for '^ Folders' 'the folders'
keys End
wait_for '^>   Odd ones +subject:stranger' 'end with it'
keys Enter
wait_for '^ Search "Odd ones"' 'it opens'
keys q
wait_gone '^ Search "Odd ones"' 'q leaves it'
keys Escape y
seen '^ Folders'
typed /lists
keys Enter
seen '^>.* Lists'
keys Q
wait_for '^ Search anna' 'Q in the list of folders is for the account of the line'
keys Escape
unseen '^ Search anna'
keys q y
seen '^ Folders'
typed /lists
keys Enter
seen '^>.* Lists'
keys Enter
wait_for '^>.* Another' 'a folder of Anna is open'
keys y
seen '^ Folders'
typed /flagged
keys Enter
seen '^>   flagged'
keys Enter
wait_for 'Nothing that is kept here is found' 'a search that finds nothing'
keys Q
wait_for '^ Search anna' 'Q there is for the account of the folder below'
keys Escape
wait_for 'Nothing that is kept here is found' 'back'
keys q q
wait_for 'ended with 0' 'q leaves it, then signet'
done_testing
