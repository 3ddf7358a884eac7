#!/bin/sh
# Patterns that look into the messages (~b ~h ~B) on the screen: limit, search, tag; dates and sizes; what cannot be
# looked into is counted; Esc ends it.
. "$(dirname "$0")/lib.sh"
say() { # say NUMBER FROM SUBJECT DATE TEXT [FIELD]
	{
		printf 'From: %s <w@x>\nTo: bob@example.org\nSubject: %s\nDate: %s\nMessage-ID: <%s@look>\n' "$2" "$3" "$4" "$1"
		[ -z "${6:-}" ] || printf '%b\n' "$6"
		printf '\n%b\n' "$5"
	} | deliver l$1 $1
}
limit() { # limit PATTERN
	keys l
	wait_for 'Show messages with' "l $1"
	typed "$1"
	keys Enter
}

make_profile
say 1 Anna 'One' 'Tue, 01 Sep 2026 12:00:00 +0000' 'the needle lies here'
say 2 Carl 'Two' 'Thu, 10 Sep 2026 12:00:00 +0000' 'only hay'
say 3 Dora 'Three' 'Fri, 11 Sep 2026 12:00:00 +0000' 'hay and a NEEDLE' 'X-Colour: purple'
say 4 Emil 'Four' "$(date -uR -d '2 days ago')" "$(head -c 20000 /dev/zero | tr '\0' x | fold -w 70)"
say 5 Fred 'Five' 'Sat, 12 Sep 2026 12:00:00 +0000' 'bmVlZGxl' \
	'MIME-Version: 1.0\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\nContent-Transfer-Encoding: base64'
start 80 24 --
wait_for '^> *[0-9]' 'the list'
limit '~b needle'
wait_for '\[~b needle: 2\]' 'two fit by their text'
check 'one' until_true has ' One '
check 'and the other' has ' Three '
has_not() { ! has "$1"; }
check 'no third' has_not ' Two '
check 'the encrypted one is counted' until_true has '1 could not be looked into'
keys Escape
wait_for ' Two ' 'Esc shows all'
limit '~h purple'
wait_for '\[~h purple: 1\]' 'by a line of the header'
limit '!~b needle !~G'
wait_for '\[!~b needle !~G: 2\]' 'not'
limit '~d 10/9/2026-11/9/2026'
wait_for '11/9/2026: 2\]' 'by dates'
limit '~d <1w'
wait_for '<1w: 1\]' 'of the last week'
limit '~z >10K'
wait_for '10K: 1\]' 'by size'
limit '~b'
wait_for 'a word is missing' 'what is wrong is told'
limit '~y'
wait_for 'There is no ~y; letters' 'with its place'
keys Escape
wait_for ' Two ' 'all'
keys '*'
check 'the cursor is on the newest' until_true has '^> .* Five '
keys /
wait_for 'Search for' '/'
typed '~b needle'
keys Enter
wait_for '^> .* One ' 'a search looks into messages'
keys n
wait_for '^> .* Three ' 'and on'
keys T
wait_for 'Tag messages' 'T'
typed '~b hay'
keys Enter
wait_for '2 tagged' 'tags by the text'
done_testing
