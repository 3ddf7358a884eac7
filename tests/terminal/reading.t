#!/bin/sh
# Open, page, search, limit, delete, save an attachment, help: at two sizes, then resizing, NO_COLOR and ASCII.
. "$(dirname "$0")/lib.sh"

fill() {
	make_profile
	plain 'First letter' 1 "Hello Bob,\nthis is the first." | deliver one 1
	{
		letter 'A long letter' 2
		printf 'Content-Type: text/plain; charset=utf-8\n\n'
		for i in $(seq 1 200); do echo "line number $i of the long letter"; done
	} | deliver two 2
	{
		letter 'Report attached' 3 'Carol Ngo <carol@example.org>'
		cat <<-'END'
			Content-Type: multipart/mixed; boundary=b

			--b
			Content-Type: text/plain; charset=utf-8

			Please find the report attached.
			--b
			Content-Type: text/csv; name="../../etc/figures.csv"
			Content-Disposition: attachment; filename="../../etc/figures.csv"

			a,b,c
			1,2,3
			--b
			Content-Type: message/rfc822

			From: Dave <dave@example.org>
			Subject: The inner letter
			Content-Type: text/plain

			This was forwarded.
			--b--
		END
	} | deliver three 3
	{
		letter 'Newsletter' 4 'News <news@example.org>'
		printf 'Content-Type: text/html; charset=utf-8\n\n<p>Read <a href="https://news.example.org/a?id=1">this story</a> and <a href="https://news.example.org/b">that one</a>.</p><script>alert(1)</script>\n'
	} | deliver four 4 ''
	plain '日本語の件名 🎉' 5 'こんにちは、世界。 e\0314\0201 🎉' | deliver five 5 ''
}

session() { # session COLUMNS ROWS
	size="$1x$2"
	rm -f "$LAB"/*.csv
	fill
	start "$1" "$2" --
	wait_for '^ *INBOX  5 messages, 2 new' "$size: the index opens"
	check "$size: subject in Japanese with emoji" has '日本語の件名'
	check "$size: the cursor is on the oldest new message" has '^> *4 '
	keys Home Enter
	wait_for 'this is the first' "$size: Enter opens a message"
	check "$size: strip of a plain message" row_has 1 1 '^ Not signed, not encrypted\. *$'
	keys j
	wait_for 'line number 1 of' "$size: j reads the next"
	keys Space
	wait_gone 'line number 1 of' "$size: Space pages"
	check "$size: the strip does not scroll" row_has 1 1 '^ Not signed'
	keys End
	wait_for 'line number 200' "$size: End goes to the end"
	check "$size: and says so" has ' end '
	keys -- -
	wait_gone 'line number 200' "$size: - pages back"
	keys Home
	typed '/number 150'
	keys Enter
	wait_for 'line number 150' "$size: / finds in the text"
	keys h
	wait_for 'Message-ID:' "$size: h shows all headers"
	keys h
	wait_gone 'Message-ID:' "$size: h hides them"
	keys '?'
	wait_for 'Help: keys in the reader' "$size: help for the reader"
	typed '/install the'
	keys Enter
	wait_for "install the signer.s certificate" "$size: help is searched"
	keys q q
	wait_for '^ *INBOX' "$size: back in the index"

	keys l
	typed '~f carol'
	keys Enter
	wait_for '\[~f carol: 1\]' "$size: l limits"
	check "$size: others are hidden" has_not 'First letter'
	keys Escape
	wait_for 'First letter' "$size: Esc shows all again"
	keys Home
	typed '/newsletter'
	keys Enter
	wait_for '^> *4 ' "$size: / finds a message"
	typed 'l~y x'
	keys Enter
	wait_for 'There is no ~y' "$size: a wrong pattern is explained"

	keys Home d
	wait_for '1 deletion pending' "$size: d marks"
	check "$size: and goes on" has '^> *2 '
	keys Home u
	wait_gone 'deletion pending' "$size: u takes it back"
	keys Home d
	keys q
	wait_for 'Move 1 deleted message to the trash\? \(y/n\)' "$size: quitting asks"
	keys Escape
	wait_gone 'to the trash' "$size: Esc stays"
	keys '$'
	wait_for 'INBOX  4 messages' "$size: \$ does it"
	check "$size: it is in the trash" sh -c "ls '$LAB'/profile/mail/.Trash/cur/* '$LAB'/profile/mail/.Trash/new/* 2>/dev/null | grep -q ."

	typed '/report'
	keys Enter
	wait_for '^> *2 ' "$size: the report is found"
	keys Enter
	wait_for 'Please find the report' "$size: the report is read"
	check "$size: attachments are listed" has 'figures.csv'
	keys v
	wait_for 'Parts of: Report attached' "$size: v lists the parts"
	keys s
	wait_for 'Save as: .*figures.csv' "$size: a safe name is offered"
	check "$size: no folder in it" has_not 'Save as: .*/'
	keys Enter
	wait_for 'Saved as .*figures.csv' "$size: it is saved"
	check "$size: the file is right" grep -q '^1,2,3' "$LAB"/*figures.csv
	keys s
	wait_for 'Save as: .*figures-1.csv' "$size: another name is offered then"
	keys C-u
	typed "$(basename "$LAB"/*figures.csv)"
	keys Enter
	wait_for 'there is a file of that name already' "$size: nothing is overwritten"
	keys Down Enter
	wait_for 'This was forwarded' "$size: the message inside opens as its own"
	check "$size: under its own strip" row_has 1 1 '^ Not signed'
	keys d
	wait_for 'inside another' "$size: it cannot be deleted by itself"
	keys q q q
	wait_for '^ *INBOX' "$size: back again"

	typed '/newsletter'
	keys Enter Enter
	wait_for 'this story' "$size: HTML is text"
	check "$size: no script" has_not 'alert'
	keys U
	wait_for '1  https://news.example.org/a\?id=1' "$size: links are listed"
	keys 2 Enter
	wait_for 'Open this address\? \(y/n\)' "$size: asked before"
	check "$size: the whole address is shown" has 'https://news.example.org/b'
	keys n
	wait_gone 'Open this address' "$size: no is no"
	keys q

	typed 't'
	keys Home t
	wait_for ' t ' "$size: t tags"
	keys '\;'
	wait_for '2 tagged: which key' "$size: ; counts"
	typed 's'
	wait_for 'Move 2 messages to folder' "$size: s asks where"
	typed 'arch'
	keys Tab
	wait_for 'folder: Archive' "$size: Tab completes"
	keys Enter
	wait_for 'INBOX  2 messages' "$size: both are moved"
	typed 'y'
	wait_for '^ *Folders' "$size: y lists folders"
	wait_for 'Archive +2|Archive.* 2 ' "$size: with counts"
	typed 'c'
	wait_for 'Change to folder' "$size: c asks"
	typed 'wkrp'
	keys Tab
	wait_for 'Work/Reports' "$size: letters in order are enough"
	keys Enter
	wait_for '^ *Work/Reports  0 messages' "$size: another folder opens"
	typed '!'
	wait_for '^ *Log' "$size: the log opens"
	check "$size: and has kept what was said" has 'There is no ~y'
	keys q
	keys q
	wait_for 'ended with 0' "$size: q ends it"
}

session 80 24
session 120 40

fill
start 80 24 --
wait_for '^> *[0-9]' 'starts for resizing'
keys Home Enter
wait_for 'this is the first' 'a message is open'
for size in '20 5' '30 8' '200 60' '21 6' '80 24'; do
	resize ${size% *} ${size#* }
	wait_for 'INBOX|signed' "drawn at $size"
done
wait_for 'this is the first' 'the text is there again'
wait_for 'q back  \? help' 'keys that do not fit leave the hint before the way to the help does'
resize 20 5
seen '^── INBOX …'
for key in V v '?' '!' U; do
	keys "$key"
	[ "$key" = U ] || keys q
done
keys q y q l a Escape
resize 80 24
wait_for 'INBOX  5 messages' 'every view lives through 20x5'
keys q
wait_for 'ended with 0' 'q ends it'

start_shell 80 24
wait_for '^[$]' 'a shell with job control'
typed "$SIGNET --profile profile"
keys Enter
wait_for 'INBOX  5 messages' 'started from it'
keys C-z
wait_for 'Stopped|Suspended' 'Ctrl-Z gives the terminal back'
typed 'fg'
keys Enter
wait_for 'INBOX  5 messages' 'fg comes back'
kill -TSTP "$(signet_pid)"
wait_for 'Stopped|Suspended' 'so does a SIGTSTP from elsewhere'
typed 'fg'
keys Enter
wait_for 'INBOX  5 messages' 'fg comes back'
kill -TERM "$(signet_pid)"
wait_gone 'INBOX' 'SIGTERM ends it'
typed 'stty -a; echo code $?'
keys Enter
wait_for 'code 0' 'the shell can be typed into'
check 'and the terminal is in order' has ' icanon .* echo '

start 80 24 NO_COLOR=1 --
wait_for 'INBOX  5 messages' 'starts with NO_COLOR'
keys Home Enter
wait_for 'this is the first' 'reads with NO_COLOR'
check 'no colour is used' sh -c "! tmux -S '$LAB/tmux$terminals' capture-pane -pe | grep -qE '\[[0-9;]*(3[0-8]|4[0-8])[;m]'"
keys q q
wait_for 'ended with 0' 'ends with NO_COLOR'

start 80 24 LC_ALL=C --
wait_for 'INBOX  5 messages' 'starts without UTF-8'
check 'foreign letters become marks' has '\?\?\?'
keys Home Enter
wait_for 'this is the first' 'reads without UTF-8'
check 'rules are ASCII' has '^--'
keys q q
wait_for 'ended with 0' 'ends without UTF-8'
done_testing
