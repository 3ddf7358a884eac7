#!/bin/sh
# What goes out to terminals of every kind: colours as many as TERM has, none with NO_COLOR or where there are none,
# only ASCII where the locale is not UTF-8; and the same keys everywhere.
. "$(dirname "$0")/lib.sh"

# run_on TERM [VARIABLE=VALUE...]: the program; all that it writes is kept in $LAB/raw as well.
run_on() {
	kind=$1
	shift
	terminal kill-server 2>/dev/null
	terminals=$((terminals + 1))
	rm -f "$LAB/raw"
	terminal new-session -d -x 80 -y 24 \
		"cd '$LAB' && env TERM=$kind $* script -qfec \"'$SIGNET' --profile '$LAB/profile'\" raw; echo \"ended with \$?\"; exec cat"
	terminal set-option -g escape-time 0
	terminal set-option -ga terminal-overrides ',*:Tc'
	watch_pane
}
colour_codes() { # every colour that was set, one a line: 31, 38;5;245, 38:2::1:2:3, ...
	tr '\033' '\n' <"$LAB/raw" | LC_ALL=C grep -aoE '^\[[0-9;:]*m' | tr -d '[m' |
		grep -oE '(^|;)([34]8[;:][25][;:][0-9;:]*|[349][0-7]|10[0-7])' | sed 's/^;//' | sort -u
}
uses() { colour_codes | grep -qxE -- "$1"; }
plain_only() { [ -z "$(colour_codes)" ]; }
bold_and_reverse() { tr '\033' '\n' <"$LAB/raw" | grep -aqE '^\[[0-9;]*7m' && tr '\033' '\n' <"$LAB/raw" | grep -aqE '^\[([0-9;]*;)?1m'; }
ascii_only() { ! LC_ALL=C grep -aq '[^ -~[:space:][:cntrl:]]' "$LAB/raw"; }

make_profile
plain 'Old' 1 'Grüße' | deliver old 1
plain 'Café two' 2 'line' | deliver two 2
plain 'Marked' 3 'line' | deliver three 3 FS
for i in $(seq 10 40); do plain "Letter $i" "$i" "Text $i" | deliver "$i" "$i"; done
plain 'Unread' 50 '> quoted\n\nLast words.' | deliver unread 50 ''

session() { # session: reads, deletes, tags, goes about by keys that terminals differ in
	wait_for 'INBOX  35 messages(, 1 new)? +work' "$what: opens"
	keys Home
	wait_for '^> +1 ' "$what: Home"
	keys End
	wait_for '^> +35 ' "$what: End"
	keys PPage
	wait_for '^> +1[0-9] ' "$what: PgUp"
	keys NPage
	wait_for '^> +3[0-9] ' "$what: PgDn"
	keys Home Down
	wait_for '^> +2 ' "$what: Down"
	keys d t
	wait_for '^ +2 D' "$what: marked"
	keys End Enter
	wait_for '^[ ]*Last words' "$what: read"
	keys F5
	wait_for 'F5 does nothing here: [?] shows the keys' "$what: a function key says that it does nothing"
	check "$what: and leaves all as it is" has '^[ ]*Last words'
	keys S-F6
	wait_for '(That key|F18) does nothing here: [?] shows the keys' "$what: as one that has no name"
	check "$what: nor asks anything" has_not 'Go to message'
}
leave() {
	keys q q n
	wait_for 'ended with 0' "$what: ends"
}

for what in xterm-direct tmux-direct; do
	run_on $what
	session
	check "$what: direct colour" uses '38[:;]2[:;].*138[:;]138[:;]138'
	check "$what: and the user's palette" uses '36'
	check "$what: nothing of 256 colours" eval '! uses "[34]8[;:]5.*"'
	leave
done
for what in xterm-256color screen-256color; do
	run_on $what
	session
	check "$what: 256 colours" uses '38;5;245'
	check "$what: and the user's palette" uses '36'
	leave
done
for what in linux xterm screen; do
	run_on $what
	session
	check "$what: eight colours" uses '36'
	check "$what: and no more" eval '! uses "([34]8.*|9[0-7]|10[0-7])"'
	leave
done
for what in vt100 vt220; do
	run_on $what
	session
	check "$what: no colours" plain_only
	check "$what: bold and reverse instead" bold_and_reverse
	leave
done
what='NO_COLOR'
run_on screen-256color NO_COLOR=1
session
check "$what: no colours" plain_only
check "$what: bold and reverse instead" bold_and_reverse
leave

what='LC_ALL=C'
run_on screen-256color LC_ALL=C
session
check "$what: colours all the same" uses '38;5;245'
keys q Home Down
wait_for '^> +2 .* Cafe two' "$what: the nearest letters"
keys Home Enter
wait_for 'Grusse' "$what: in the text too"
check "$what: only ASCII goes out" ascii_only
leave

# A locale of one octet a letter, made here.
what='ISO-8859-1'
if localedef -i en_US -f ISO-8859-1 "$LAB/latin1" >/dev/null 2>&1 || [ -d "$LAB/latin1" ]; then
	run_on screen-256color LOCPATH="$LAB" LC_ALL=latin1
	session
	check "$what: only ASCII goes out" ascii_only
	leave
else
	pass "$what # SKIP no locale of that kind can be made here"
fi

for what in dumb no-such-terminal; do
	run_on $what
	wait_for 'ended with 2' "$what: refused"
	check "$what: in a sentence" has "TERM is.*$what|is \"$what\""
done
done_testing
