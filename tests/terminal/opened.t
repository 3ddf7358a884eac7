#!/bin/sh
# index-encrypted: Q finds what an encrypted message says once it was read; with the key locked it says how many were not
# searched, and D asks for the password; ^F takes it from the screen. Nothing of it lies on the disk in clear.
. "$(dirname "$0")/compose-lib.sh"
PIN=s3cret

hidden() { # hidden SUBJECT TEXT
	{
		printf 'From: Anna Keller <anna@example.org>\r\nTo: Bob Mwangi <bob@example.org>\r\nSubject: %s\r\n' "$1"
		printf 'HP-Outer: From: Anna Keller <anna@example.org>\r\nHP-Outer: To: Bob Mwangi <bob@example.org>\r\nHP-Outer: Subject: [...]\r\n'
		printf 'Content-Type: text/plain; charset=utf-8; hp="cipher"\r\n\r\n%s\r\n' "$2"
	} | openssl cms -encrypt -aes-256-cbc "$pki/bob.pem" 2>/dev/null | grep -v '^MIME-Version:'
}
fill() {
	make_profile
	printf '%s\n' "$PIN" >"$LAB/pin"
	rm -rf "$LAB/profile/nssdb"
	mkdir "$LAB/profile/nssdb"
	certutil -N -d "sql:$LAB/profile/nssdb" -f "$LAB/pin"
	pk12util -i "$pki/bob.p12" -d "sql:$LAB/profile/nssdb" -W x -k "$LAB/pin" >/dev/null
	certutil -A -d "sql:$LAB/profile/nssdb" -n lab -t ,C, -i "$pki/ca.pem" -f "$LAB/pin"
	sed -i '/^maildir/a index-encrypted = yes' "$LAB/profile/signet.conf"
	printf '[searches]\nboth = body:on\nold = brachio*\n' >>"$LAB/profile/signet.conf"
	plain 'Ordinary' 1 'Hello.' | deliver m1 1
	{ letter '[...]' 2; hidden 'Quetzal plan' 'The archaeopteryx\033[31m flies on Friday.'; } | deliver m2 2
	{ letter '[...]' 3; hidden 'Another' 'A brachiosaurus stays on.'; } | deliver m3 3
}
open_number() { # from the index
	typed "$1"
	seen '^Go to message'
	keys Enter
	seen "^> *$1 "
	keys Enter
}
password() {
	seen '^Password of'
	typed "$PIN"
	keys Enter
}
back() { keys q; seen '^ *INBOX  '; }
sealed=$LAB/profile/data/store/work.sealed
nowhere() { ! grep -rqil -- "$1" "$LAB/profile"; }
question() {
	keys Q
	seen '^Search all folders for:'
	keys C-u
	typed "$1"
}

session() { # session COLUMNS ROWS
	size="$1x$2"
	fill
	start "$1" "$2" --
	wait_for '^[> ] *2 .*\[\.\.\.\]' "$size: opens"
	question archaeo
	wait_for '^ Search work: 0 found' "$size: what was never opened is not found"
	keys Escape
	unseen '^ Search work'
	open_number 2
	seen 'your key is locked'
	keys D
	password
	wait_for 'archaeopteryx' "$size: it is read"
	back
	question archaeo
	wait_for '^ Search work: 1 found' "$size: and found"
	wait_for '^ +The archaeopteryx.*flies on Friday' "$size: with the words around it, through the gate"
	keys C-u
	typed 'subject:quetz'
	wait_for '^ Search work: 1 found *$' "$size: by its hidden Subject too"
	keys C-u
	typed archaeo
	wait_for 'archaeopteryx' "$size: the words again"
	keys Enter
	unseen '^Search all folders for:'
	keys C-f
	wait_for '^ 1 encrypted message was not searched: D asks for the PIN' "$size: forgotten keys take it from the screen"
	check "$size: nothing is found any more" has '^ Search work: 0 found'
	check "$size: all of it" has_not 'archaeopteryx'
	keys D
	seen '^Password of'
	keys Escape
	unseen '^Password of'
	check "$size: without the password it stays so" has '^ 1 encrypted message was not searched: D asks'
	keys D
	password
	wait_for '^ Search work: 1 found *$' "$size: with it, it is found again"
	keys Enter
	wait_for '^── INBOX 2 of 3' "$size: Enter opens it"
	seen 'archaeopteryx'
	keys q
	seen '^ Search work'
	keys q
	seen '^ *INBOX  '
	open_number 3
	wait_for 'brachiosaurus' "$size: another is read"
	back
	keys q
	wait_for 'ended with 0' "$size: at the end"
	check "$size: what was read last is kept as well" [ "$("$SIGNET" --profile "$LAB/profile" --batch --json search --encrypted --pin-file "$LAB/pin" brachio\* | grep -c '"uid":3')" = 1 ]
	check "$size: for its owner alone" [ "$(stat -c %a "$sealed")" = 600 ]
	check "$size: nowhere in clear" nowhere archaeopteryx
	check "$size: nor the Subject" nowhere quetzal

	start "$1" "$2" --
	seen '^[> ] *2 .*\[\.\.\.\]'
	question from:anna
	wait_for '^ 2 encrypted messages were not searched: D asks for the PIN' "$size: the next time it says what was not searched"
	check "$size: the rest was" has '^ Search work: 3 found'
	keys Enter
	unseen '^Search all folders for:'
	keys D
	password
	wait_gone 'encrypted messages were not searched' "$size: and D opens it"
	question brachio
	wait_for '^ +A brachiosaurus stays' "$size: all of it"
	keys Escape
	unseen '^ Search work'
	keys y
	seen '^ +old +brachio'
	keys End
	seen '^> +old '
	keys Enter
	wait_for '^ Search "old"  1 message' "$size: a search with a name finds it too"
	keys q
	unseen '^ Search "old"'
	keys y
	seen '^ +both +body:on'
	keys End Up
	seen '^> +both '
	keys Enter
	wait_for '^ Search "both"  2 messages' "$size: one that finds two of them"
	keys C-f
	wait_for '^ Search "both"  1 message ' "$size: forgotten keys take away what they told, but for the one under the cursor"
	check "$size: which says nothing of it" has_not 'Quetzal plan|Another'
	keys q
	unseen '^ Search "both"'
	keys q
	seen 'ended with 0'
}

make_pki bob
session 80 24
session 120 40

sed -i '/^index-encrypted/d' "$LAB/profile/signet.conf"
start 80 24 --
wait_for 'index-encrypted is off: what was kept .* is deleted' 'switched off, it is said'
check 'that it is gone' [ ! -e "$sealed" ]
question archaeo
wait_for '^ Search work: 0 found *$' 'nothing is found'
keys Enter
unseen '^Search all folders for:'
keys D
wait_for 'index-encrypted = yes' 'and D says what would be'
done_testing
