#!/bin/sh
# Other programs: what they get, and that nothing runs before a person has seen it and said yes.
. "$(dirname "$0")/lib.sh"

hostile='https://evil.example/x;touch${IFS}owned1;$(touch${IFS}owned2)|touch${IFS}owned3&%s=*#\'
long=https://long.example/$(printf 'segment%02d/' $(seq 1 20))end
longer=https://long.example/$(printf 'segment%03d/' $(seq 1 134))end
longest=https://long.example/$(printf 'segment%03d/' $(seq 1 400))end

# Each program leaves what it got in a file, whole, by renaming it.
make_programs() {
	mkdir -p "$LAB/bin"
	cat >"$LAB/bin/browse" <<-'END'
		#!/bin/sh
		printf '%s\n' "$#" "$@" >"$GOT.part" && mv "$GOT.part" "$GOT"
	END
	cat >"$LAB/bin/print" <<-'END'
		#!/bin/sh
		cat >"$GOT.part" && mv "$GOT.part" "$GOT"
	END
	printf '#!/bin/sh\nexit 3\n' >"$LAB/bin/refuse"
	chmod +x "$LAB/bin/browse" "$LAB/bin/print" "$LAB/bin/refuse"
	export GOT="$LAB/got"
}
fill() {
	make_profile
	plain 'Words' 1 'Dear Bob,\nthe text with é.\nAnna' | deliver words 1
	plain 'One link' 2 'See https://good.example/a?b=1&c=2, please.' | deliver one 2
	{
		letter 'Hostile' 3
		printf 'Content-Type: text/plain; charset=utf-8\n\nGo to %s now\n' "$hostile"
	} | deliver hostile 3
	plain 'Long link' 4 "$long" | deliver long 4
	{
		letter 'Disguised' 5
		printf 'Content-Type: text/html; charset=utf-8\n\n<p><a href="https://evil.example/login">https://bank.example</a> and <a href="file:///etc/passwd">this</a> and <a href="https://second.example/">that</a></p>\n'
	} | deliver disguised 5
	{
		letter 'Huge' 6
		printf 'Content-Type: text/plain; charset=utf-8\n\n'
		for i in $(seq 1 20000); do echo "line $i of many, and it has some words in it"; done
	} | deliver huge 6
	plain 'Bigger' 7 "$longer" | deliver bigger 7
	plain 'Biggest' 8 "$longest" | deliver biggest 8
}
read_letter() { # read_letter SUBJECT: from the index, by search
	keys Home
	typed "/~s $1"
	keys Enter Enter
	seen '^ Not signed'
}
back() {
	keys q
	seen '^ *INBOX  '
}
arrives() { until_true [ -e "$GOT" ]; } # until the program has left its file
nothing_ran() { [ ! -e "$GOT" ] && [ ! -e "$GOT.part" ]; }
got_link() { # got_link URL: as the one argument
	arrives && printf '%s\n' 1 "$1" | cmp -s - "$GOT" && rm "$GOT"
}
nothing_owned() { ! ls "$LAB" | grep -q owned; }

piping() {
	keys '|'
	wait_for '^Pipe the text to: *$' "$size: | asks what to"
	typed 'cat >got'
	keys Escape
	wait_gone 'Pipe the text to' "$size: Esc gives up"
	check "$size: and nothing ran" nothing_ran
	keys '|'
	seen '^Pipe the text to'
	typed 'cat >got'
	keys Enter
	wait_for 'Press Enter to go back' "$size: it runs and waits"
	check "$size: it got the text" until_true grep -qsx 'the text with é\.' "$GOT"
	check "$size: all of it" grep -qx 'Anna' "$GOT"
	keys Enter
	wait_for '^ Not signed' "$size: the screen is back"
	check "$size: whole" has 'the text with é'
	rm -f "$GOT"
	keys '|'
	seen '^Pipe the text to'
	typed 'echo here; exit 7'
	keys Enter
	wait_for 'ended with code 7' "$size: a failure is said"
	check "$size: what it says is seen" has '^here'
	keys Enter
	wait_for '^ Not signed' "$size: the screen is back again"
}

printing() {
	keys p
	wait_for "^Print this message with .*bin/print\? \(y/n\)" "$size: p asks, and names the program"
	keys n
	wait_gone 'Print this message' "$size: no is no"
	keys p
	seen 'Print this message'
	keys Escape
	wait_gone 'Print this message' "$size: Esc is no"
	check "$size: and nothing ran" nothing_ran
	keys p
	seen 'Print this message'
	keys y
	wait_for 'Printed' "$size: yes prints"
	check "$size: the text" until_true grep -qsx 'the text with é\.' "$GOT"
	rm -f "$GOT"
}

browsing() {
	read_letter 'one'
	for no in Escape n; do
		keys U
		wait_for 'Open this address\? \(y/n\)' "$size: U asks first ($no)"
		check "$size: and shows the address, without the comma" has 'https://good.example/a\?b=1&c=2 *$'
		keys $no
		wait_gone 'Open this address' "$size: $no gives up"
		check "$size: and nothing ran ($no)" nothing_ran
	done
	keys C-b
	wait_for 'Open this address' "$size: Ctrl-B asks too"
	keys y
	check "$size: yes opens it" got_link 'https://good.example/a?b=1&c=2'
	wait_for '^ Not signed' "$size: the screen is back after the browser"
	back

	read_letter hostile
	keys U
	wait_for 'Open this address' "$size: a hostile address asks as well"
	check "$size: it is shown whole" sh -c "tmux -S '$LAB/tmux$terminals' capture-pane -p | tr -d ' \n' | grep -qF '$hostile''Open'"
	keys y
	check "$size: it arrives as one argument" got_link "$hostile"
	check "$size: and nothing of it ran" nothing_owned
	wait_for '^ Not signed' "$size: the screen is back after it"
	back

	read_letter long
	keys U
	wait_for 'Open this address' "$size: a long address asks"
	check "$size: its end is shown" has 'segment20/end'
	keys n
	unseen 'Open this address'
	back

	read_letter bigger
	keys U
	wait_for 'Open this address|too long' "$size: one as long as the screen asks, or is refused"
	check "$size: asks only with its start and its end" sh -c "! tmux -S '$LAB/tmux$terminals' capture-pane -p | grep -q 'Open this' || { tmux -S '$LAB/tmux$terminals' capture-pane -p | tr -d ' \n' | grep -qF '${longer}Open'; }"
	keys n
	unseen 'Open this address'
	keys q
	seen '^ *INBOX  '
	read_letter biggest
	keys U
	wait_for 'too long to be shown whole' "$size: one that does not fit is not opened"
	back

	read_letter disguised
	keys U
	wait_for 'Open link \(1 to 2\)' "$size: links are listed"
	check "$size: by where they go" has '1  https://evil.example/login'
	typed 1
	keys Enter
	wait_for 'Open this address' "$size: the first asks"
	check "$size: with where it goes" has '^ *https://evil.example/login'
	keys n
	unseen 'Open this address'
	keys U
	seen 'Open link'
	check "$size: files are not among them" has_not 'file:/'
	typed 3
	keys Enter
	wait_for 'There is no link 3' "$size: nor opened by number"
	check "$size: nothing ran at all" nothing_ran
	back
}

make_programs

session() { # session COLUMNS ROWS
	size="$1x$2"
	fill
	printf '[ui]\nprint-command = %s/bin/print\n' "$LAB" >>"$LAB/profile/signet.conf"
	start "$1" "$2" BROWSER="$LAB/bin/browse" --
	wait_for 'INBOX  8 messages' "$size: opens"
	read_letter words
	piping
	printing
	back
	browsing
	read_letter huge
	keys '|'
	seen '^Pipe the text to'
	typed 'head -n 1 >/dev/null; wc -l </dev/null >got'
	keys Enter
	wait_for 'Press Enter to go back' "$size: a program that stops reading does no harm"
	keys Enter
	wait_for '^ Not signed' "$size: the screen is back after it"
	rm -f "$GOT"
	keys '|'
	seen '^Pipe the text to'
	typed 'cat >got'
	keys Enter
	wait_for 'Press Enter to go back' "$size: a long text is piped"
	check "$size: to its end" until_true grep -qs 'line 20000 of many' "$GOT"
	rm -f "$GOT"
	keys Enter
	wait_for '^ Not signed' "$size: the screen is back after it"
	keys q q
	wait_for 'ended with 0' "$size: ends"
}

session 80 24
session 120 40

# Programs that cannot run, or fail, are said.
fill
printf '[ui]\nprint-command = %s/bin/refuse\n' "$LAB" >>"$LAB/profile/signet.conf"
start 80 24 BROWSER="$LAB/bin/absent" --
wait_for 'INBOX  8 messages' 'opens with broken programs'
read_letter 'one'
keys p
seen 'Print this message'
keys y
wait_for 'refuse. failed' 'a printer that fails is said'
keys U
seen 'Open this address'
keys y
wait_for 'absent' 'a browser that is not there is said'
check 'the reader is still there' has '^ Not signed'
keys q q
wait_for 'ended with 0' 'ends'
fill
start 80 24 --
wait_for 'INBOX  8 messages' 'opens without a browser'
read_letter 'one'
keys U
seen 'Open this address'
keys y
wait_for 'No browser is set' 'none is said'
keys q q
wait_for 'ended with 0' 'ends'

# $BROWSER is a list: the first that is here is taken.
fill
start 80 24 BROWSER="$LAB/bin/absent:$LAB/bin/browse:$LAB/bin/refuse" --
wait_for 'INBOX  8 messages' 'opens with a list of browsers'
read_letter 'one'
keys U
seen 'Open this address'
keys y
check 'the first that is there gets the link' got_link 'https://good.example/a?b=1&c=2'
wait_for '^ Not signed' 'and the screen comes back'
keys q q
wait_for 'ended with 0' 'ends'
done_testing
