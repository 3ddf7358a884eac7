#!/bin/sh
# Nothing that was written is lost: postponed and recalled, an editor that crashes, a signet that is killed; and where
# the editor's file lies.
. "$(dirname "$0")/compose-lib.sh"

make_pki bob anna
reader_profile anna
fill() {
	writer_profile <<-END
		undo-send = 0
		$1
	END
	known anna
	rm -rf "$LAB/profile/data/drafts" "$LAB/profile/state/drafts" "$LAB/went-on"
	plain 'An old letter' 1 'Hello Bob,\nhow are you?' | deliver one 1
}
# An editor that waits reads a line from here.
mkfifo "$LAB/end" || exit 1
exec 8<>"$LAB/end"
in_drafts() { ls "$LAB/profile/mail/.Drafts/cur" "$LAB/profile/mail/.Drafts/new" 2>/dev/null | grep -c host; }
drafts_are() { [ "$(find "$LAB/profile/mail/.Drafts/cur" "$LAB/profile/mail/.Drafts/new" -type f | wc -l)" = "$1" ]; }
here_are() { [ "$(find "$LAB/profile/data/drafts" -name '*.eml' 2>/dev/null | wc -l)" = "$1" ]; }

# Postponed with everything, recalled, sent.
fill
printf 'a,b\n' >"$LAB/figures.csv"
compose_start 80 24 --
seen 'INBOX  1 message'
begin 'anna@example.org' 'Zürich, später'
keys S E a
seen '^Attach file'
typed "$LAB/figures.csv"
keys Enter
seen 'Attached figures.csv'
keys P
wait_for 'Kept as a draft' 'P keeps it as a draft'
check 'the list of messages is back' has '^ *INBOX  1 message'
check 'it lies here, once' until_true here_are 1
check 'and in the Drafts folder' until_true drafts_are 1
check 'encrypted in both places' sh -c "! grep -rlE 'this is a letter|figures.csv' '$LAB/profile/data/drafts' '$LAB/profile/mail/.Drafts'"
check 'nothing is left of the editor' [ -z "$(find "$LAB/run" -name 'message.eml')" ]
keys q
seen 'ended with 0'
compose_start 80 24 --
seen 'INBOX  1 message'
check 'a draft that was kept is not called unfinished' has_not 'unfinished'
keys m
wait_for 'There is a draft. Go on with it' 'm asks whether to go on with it'
keys y
wait_for '^ SIGN on ' 'recalled, signing is on'
check 'and encrypting' has '^ ENCRYPT on '
check 'the subject is whole' has 'Subject: Zürich, später'
check 'the text too' has 'this is a letter'
check 'the attachment too' has 'Attached figures.csv'
keys y
wait_for 'Sent: Zürich, später' 'it is sent'
check 'and gone from here' until_true here_are 0
check 'and from the Drafts folder' until_true drafts_are 0
check 'delivered once' [ "$(sent_to anna@example.org)" = 1 ]

# Out of the Drafts folder, and dropped.
begin 'anna@example.org' 'Second'
keys P
seen 'Kept as a draft'
until_true drafts_are 1
keys c
seen '^Change to folder'
typed Drafts
keys Enter
seen 'Drafts  1 message'
keys R
wait_for 'Subject: Second' 'R in the Drafts folder goes on with the draft there'
keys q
seen 'Keep this message'
keys n
wait_for 'Dropped' 'and it can be dropped'
check 'here' until_true here_are 0
check 'and there' until_true drafts_are 0
keys c
seen '^Change to folder'
typed INBOX
keys Enter
seen 'INBOX  1 message'

# The editor crashes.
printf 'printf "written before the crash\\n" >>"$1"; kill -SEGV $$\n' >"$LAB/edit"
begin 'anna@example.org' 'Crash'
wait_for 'The editor ended with an error' 'a crash of the editor is told'
check 'what it had written is there' has 'written before the crash'
keys q
seen 'Keep this message'
keys n
seen 'Dropped'

# A header that cannot be read.
printf 'printf "no header at all\\nX" >"$1"\n' >"$LAB/edit"
keys m
seen '^To:'
keys Enter
seen '^Subject:'
keys Enter
wait_for 'Edit it again' 'what cannot be read goes back to the editor'
keys Escape
wait_for 'no header at all' 'or is kept as text'
keys q
seen 'Keep this message'
keys n
seen 'Dropped'
keys q
seen 'ended with 0'

# The editor's file: private, in a place that ends with the session.
fill
printf 'ls -ln "$1" >"%s/seen"; ls -ldn "${1%%/*}" >>"%s/seen"; cat "%s/words" >>"$1"\n' "$LAB" "$LAB" "$LAB" >"$LAB/edit"
compose_start 80 24 --
seen 'INBOX  1 message'
begin 'anna@example.org' 'Private'
check "the editor's file is nobody else's" grep -q '^-rw-------' "$LAB/seen"
check 'nor is its folder' grep -q '^drwx------' "$LAB/seen"
check 'it lies in $XDG_RUNTIME_DIR' grep -q "$LAB/run/signet/" "$LAB/seen"
check 'and is gone' [ -z "$(find "$LAB/run" -name 'message.eml')" ]
keys q n
seen 'Dropped'
keys q
seen 'ended with 0'

# Killed while the editor runs: what it had written to its file is there at the next start.
fill
printf 'printf "half a sentence\\n" >>"$1"; touch "%s/went-on"; read end <"%s/end"\n' "$LAB" "$LAB" >"$LAB/edit"
rm -f "$LAB/went-on"
compose_start 80 24 --
seen 'INBOX  1 message'
keys m
seen '^To:'
typed 'anna@example.org'
keys Enter
seen '^Subject:'
typed 'Killed'
keys Enter
until_true [ -e "$LAB/went-on" ]
check 'a draft lies here while the editor runs' until_true here_are 1
kill -9 "$(signet_pid)"
echo >&8
compose_start 80 24 --
wait_for 'A message of 20.* was left unfinished: R goes on with it' 'the next start tells of it'
keys R
wait_for 'Subject: Killed' 'R goes on with it'
check 'with what the editor had written' has 'half a sentence'
writes 'and the rest\n'
keys e
wait_for 'and the rest' 'it can be edited on'
keys y
wait_for 'Sent: Killed' 'and sent'
check 'nothing is left' until_true here_are 0
keys q
seen 'ended with 0'

# The editor in a window of its own: the screen goes on.
fill
cat >"$LAB/window" <<-'END'
	#!/bin/sh
	exec "$@"
END
chmod +x "$LAB/window"
printf '[ui]\neditor-window = %s/window\n' "$LAB" >>"$LAB/profile/signet.conf"
printf 'read end <"%s/end"; cat "%s/words" >>"$1"\n' "$LAB" "$LAB" >"$LAB/edit"
dd if="$LAB/end" iflag=nonblock of=/dev/null status=none 2>/dev/null # if the one that was killed had not read it
compose_start 80 24 --
seen 'INBOX  1 message'
keys m
seen '^To:'
typed 'anna@example.org'
keys Enter
seen '^Subject:'
typed 'Beside'
keys Enter
wait_for 'open in another window' 'the editor runs beside'
keys Enter
wait_for 'how are you' 'mail can be read meanwhile'
echo >&8
wait_for '"Beside" is written: R goes on with it' 'its end is told, and does not interrupt'
keys R
wait_for 'Subject: Beside' 'R opens it'
check 'with its text' has 'this is a letter'
keys q n
seen 'Dropped'

keys q
keys q
seen 'ended with 0'

# signet compose.
fill
compose_start 80 24 -- compose "'mailto:anna@example.org?subject=Hi%20there&attach=/etc/passwd&bcc=x@example.org'"
wait_for 'Subject: Hi there' 'signet compose takes a mailto: URL'
check 'no file of ours is attached' has_not 'Attached'
check 'no hidden recipient either' has_not 'x@example.org'
keys y
wait_for 'ended with 0' 'and ends when it has left'
check 'it was sent' [ "$(sent_to anna@example.org)" = 1 ]
compose_start 80 24 -- compose -s Report -c carol@example.org -a "'$LAB/figures.csv'" anna@example.org
wait_for 'Subject: Report' 'and options'
check 'Cc' has 'Cc: carol@example.org'
check 'an attachment' has 'Attached figures.csv'
keys q n
wait_for 'ended with 0' 'dropped, it ends'

done_testing
