#!/bin/sh
# The editor in another window of tmux, or in a pane beside: the screen goes on and other mail can be read meanwhile;
# an editor that is killed and a window that is closed lose nothing; without tmux it is edited in this terminal.
. "$(dirname "$0")/compose-lib.sh"

make_pki bob anna
reader_profile anna

fill() { # fill WINDOW
	writer_profile <<-END
		undo-send = 0
	END
	printf '[ui]\neditor-window = %s\n' "$1" >>"$LAB/profile/signet.conf"
	plain 'An old letter' 1 'Hello Bob,\nhow are you?' | deliver one 1
	plain 'Another letter' 2 'Are you still there?' | deliver two 2
}
type_it() { printf '%b' "$2" >"$LAB/type.$1"; } # type_it SUBJECT TEXT: the editor writes it and ends
is_running() { [ -s "$LAB/editor.pid" ]; }
# signet runs in pane 0 of window 0: what keys and screen mean, whatever has the focus.
screen() { terminal capture-pane -p -t :0.0 2>/dev/null; }
keys() { terminal send-keys -t :0.0 "$@"; }
typed() { terminal send-keys -t :0.0 -l "$1"; }
nothing_edited() { [ -z "$(find "$LAB/run" -name message.eml)" ]; }
places() { terminal list-panes -s -F '#{pane_id}' 2>/dev/null | wc -l; }
places_are() { [ "$(places)" = "$1" ]; }
start_in() { # start_in COLUMNS ROWS: tmux passes $TMUX on, as it does to anybody's shell
	compose_start "$1" "$2" --
	wait_for '^> *1 .*|^> *2 .*' "$window $1x$2: the messages are there"
}
# editor_for SUBJECT [ALREADY], new_letter SUBJECT [ALREADY]: its editor writes ALREADY at once, then waits at a fifo for what type_it gives it.
editor_for() {
	rm -f "$LAB/editor.pid" "$LAB/type.$1"
	mkfifo "$LAB/type.$1"
	printf 'echo "%s" >>"$1"; echo $$ >"%s/editor.pid"; cat "%s/type.%s" >>"$1"\n' "$2" "$LAB" "$LAB" "$1" >"$LAB/edit.new"
	mv "$LAB/edit.new" "$LAB/edit"
}
new_letter() {
	editor_for "$@"
	keys m
	seen '^To:|Go on with'
	if has 'Go on with'; then
		keys n
		seen '^To:'
	fi
	typed 'anna@example.org'
	keys Enter
	seen '^Subject:'
	typed "$1"
	keys Enter
	until_true is_running
}

for window in tmux tmux-split; do
	fill $window
	start_in 120 40
	new_letter Beside
	check "$window: the editor has a place of its own" until_true places_are 2
	check "$window: it is $window" [ "$(terminal list-windows | wc -l)" = "$([ $window = tmux ] && echo 2 || echo 1)" ]
	wait_for 'The editor is open in another window' "$window: the screen says so"
	keys Home Enter
	wait_for 'Are you still there|how are you' "$window: mail is read meanwhile"
	plain 'News' 3 'Something new.' | deliver three 3 ''
	keys q
	seen 'INBOX'
	keys C-r
	wait_for 'INBOX +3 messages' "$window: and new mail comes in"
	keys R
	wait_for 'Being edited in another window' "$window: R shows the message, as one that is being edited"
	keys y
	wait_for 'An editor still has it' "$window: it is not sent before that ends"
	keys q
	wait_for 'goes on in the editor' "$window: q leaves it to the editor"
	type_it Beside 'Written beside.\n'
	wait_for 'Written beside' "$window: what was written is there when the editor ends"
	check "$window: its place is gone" until_true places_are 1
	check "$window: nothing is left of its file" nothing_edited
	keys y
	wait_for 'Sent: Beside' "$window: and it is sent"

	# Somebody who reads is not interrupted.
	new_letter Later
	keys Home Enter
	seen 'Something new|Are you still|how are you'
	type_it Later 'Written later.\n'
	wait_for '"Later" is written: R goes on with it' "$window: whoever reads meanwhile is told, not interrupted"
	keys R
	wait_for 'Written later' "$window: R opens it"
	keys q n
	seen 'Dropped'
	keys q
	seen 'INBOX'

	# Two at once.
	new_letter First
	new_letter Second
	check "$window: two editors at once" until_true places_are 3
	keys R
	wait_for '^> *in the editor.*(First|Second)' "$window: R lists both"
	check "$window: the other too" has '^ +in the editor.*(First|Second)'
	keys q
	seen 'INBOX'
	type_it Second 'one of two\n'
	wait_for 'one of two' "$window: one ends"
	check "$window: the other goes on" until_true places_are 2
	keys q n
	seen 'Dropped'
	type_it First 'two of two\n'
	wait_for 'two of two' "$window: then the other"
	keys q n
	seen 'Dropped'

	# One ends while another is reviewed, and while a question stands: neither is interrupted. An answer from the reader
	# comes back to its review by itself where nothing else was done.
	new_letter Slow
	new_letter Quick
	type_it Quick 'quick words\n'
	seen 'Subject: Quick'
	type_it Slow 'slow words\n'
	wait_for '"Slow" is written: R goes on with it' "$window: the message under review stays"
	check "$window: the keys are for it" has 'Subject: Quick'
	keys q n
	seen 'Dropped'
	keys R
	wait_for 'slow words' "$window: R opens the other"
	keys q n
	seen 'Dropped'
	new_letter Asked
	keys b
	seen '^Bounce to'
	type_it Asked 'asked words\n'
	check "$window: what was written is taken" until_true nothing_edited
	check "$window: a question stays" has '^Bounce to'
	keys Escape
	wait_gone '^Bounce to' "$window: until Esc"
	keys R
	seen 'asked words'
	keys q n
	seen 'Dropped'
	editor_for Answer
	keys Enter
	seen 'Something new|Are you still|how are you'
	keys r
	until_true is_running
	type_it Answer 'the answer\n'
	wait_for '^ the answer' "$window: an answer comes back to its review"
	keys q n
	seen 'Dropped'
	keys q
	seen 'INBOX'

	# The editor is killed; its window is closed by the person.
	new_letter Killed 'half a sentence'
	until_true places_are 2
	kill -9 "$(cat "$LAB/editor.pid")"
	wait_for 'The editor ended with an error: what it had written is kept' "$window: an editor that is killed is told"
	check "$window: with what it had written" has 'half a sentence'
	keys q n
	seen 'Dropped'
	new_letter Closed 'half a sentence'
	until_true places_are 2
	terminal kill-pane -t "$(terminal list-panes -s -F '#{pane_id}' | tail -n 1)"
	wait_for 'Subject: Closed' "$window: a window that is closed is an end too"
	check "$window: nothing is lost" has 'half a sentence'
	check "$window: and it can be edited again" has_not 'Being edited'
	keys q n
	seen 'Dropped'
	keys q
	seen 'ended with 0'

	# tmux is there by its variable alone: no program of that name, or no server at that socket.
	fill $window
	writes 'In this terminal.\n'
	mkdir -p "$LAB/bin"
	printf '#!/bin/sh\nexit 1\n' >"$LAB/bin/tmux"
	chmod +x "$LAB/bin/tmux"
	compose_start 80 24 "PATH=$LAB/bin:$PATH" --
	seen '^> *2 '
	begin 'anna@example.org' 'Without'
	wait_for 'In this terminal' "$window: where tmux fails it is edited in this terminal"
	keys q n
	seen 'Dropped'
	keys q
	seen 'ended with 0'
	compose_start 80 24 "TMUX=" --
	seen '^> *2 '
	begin 'anna@example.org' 'Outside'
	wait_for 'In this terminal' "$window: outside tmux too"
	keys q n
	seen 'Dropped'
	keys q
	seen 'ended with 0'
done

done_testing
