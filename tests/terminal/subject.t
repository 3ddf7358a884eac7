#!/bin/sh
# The protected Subject (RFC 9788) in the index: there once the message was read, through the gate, to be found by
# limit and search, and gone when the key is forgotten. Nothing of it lies on the disk.
. "$(dirname "$0")/compose-lib.sh"
PIN=s3cret

payload() { # payload HP SUBJECT BODY: what is signed or encrypted, with its header fields
	printf 'From: Anna Keller <anna@example.org>\r\nTo: Bob Mwangi <bob@example.org>\r\nDate: %s\r\n' "$(date -uR)"
	[ "$2" = none ] || printf 'Subject: %b\r\n' "$2"
	[ "$1" = clear ] || printf 'HP-Outer: From: Anna Keller <anna@example.org>\r\nHP-Outer: Subject: [...]\r\n'
	printf 'Content-Type: text/plain; charset=utf-8; hp="%s"\r\n\r\n%s\r\n' "$1" "$3"
}
signed() { openssl smime -sign -signer "$pki/anna.pem" -inkey "$pki/anna.key" -certfile "$pki/ca.pem" 2>/dev/null; }
encrypted() { openssl cms -encrypt -aes-256-cbc "$pki/bob.pem" 2>/dev/null | grep -v '^MIME-Version:'; }

fill() {
	plain 'Ordinary' 1 'Hello.' | deliver m1 1
	{ letter '[...]' 2; payload cipher 'Plans \033[31mfor 2027' 'Budget.' | signed | encrypted; } | deliver m2 2
	{ letter '[team] Minutes' 3; payload clear 'Minutes' 'As agreed.' | signed | grep -v '^MIME-Version:'; } | deliver m3 3
	{
		letter '[...]' 4
		payload cipher 'Forged' 'All is well.' | signed | sed 's/All is well/All is lost/' | encrypted
	} | deliver m4 4
	{ letter '[...]' 5; payload cipher 'Unsigned plans' 'Hidden.' | encrypted; } | deliver m5 5
	{ letter 'Put there on the way' 6; payload cipher none 'Silent.' | encrypted; } | deliver m6 6
	{
		letter '[team] Altered' 7
		payload clear 'Changed' 'All is well.' | signed | sed 's/All is well/All is lost/' | grep -v '^MIME-Version:'
	} | deliver m7 7
}
make_protected_profile() {
	make_profile
	printf '%s\n' "$PIN" >"$LAB/pin"
	rm -rf "$LAB/profile/nssdb"
	mkdir "$LAB/profile/nssdb"
	certutil -N -d "sql:$LAB/profile/nssdb" -f "$LAB/pin"
	pk12util -i "$pki/bob.p12" -d "sql:$LAB/profile/nssdb" -W x -k "$LAB/pin" >/dev/null
	certutil -A -d "sql:$LAB/profile/nssdb" -n lab -t ,C, -i "$pki/ca.pem" -f "$LAB/pin"
	fill
}

open_number() { # from the index
	typed "$1"
	seen '^Go to message'
	keys Enter
	seen "^> *$1 "
	keys Enter
}
decrypt() { # asks on the first, and not again until the key is forgotten
	seen 'your key is locked'
	keys D
	seen '^Password of'
	typed "$PIN"
	keys Enter
}
back() { keys q; seen '^ *INBOX  '; }
subject_of() { screen | sed -n "s/^[> ] *$1 .* Anna Keller  *//p" | sed 's/ *[0-9.]*[kKM]* *$//'; }
says() { # says NUMBER PATTERN
	case $(subject_of "$1") in
		$2) true ;;
		*) false ;;
	esac
}
comes_to_say() { until_true says "$1" "$2"; }

session() {
	size="$1x$2"
	make_protected_profile
	start "$1" "$2" --
	wait_for '^[> ] *7 .*\[team\] Altered' "$size: opens"
	check "$size: before it is read a row says what is outside" says 2 '\[...]'
	wait_for '^[> ] *7 .* S! ' "$size: signatures are judged by themselves"
	check "$size: not for good where the row says another Subject than the one that was signed" has '^[> ] *3 .{3} S   '

	open_number 2
	decrypt
	wait_for '^ SIGNED BY anna@example.org' "$size: the hidden one is opened"
	back
	check "$size: its row says the inner Subject, made harmless" comes_to_say 2 'Plans *\[31mfor 2027'
	check "$size: and the mark" has '^[> ] *2 .* SE\+ '
	open_number 5
	wait_for '^= Hidden' "$size: one that is encrypted alone"
	back
	check "$size: its row too" comes_to_say 5 'Unsigned plans'
	open_number 6
	wait_for '^= Silent' "$size: one without a Subject inside"
	back
	check "$size: what was put there on the way goes" comes_to_say 6 '(no subject)'
	open_number 3
	wait_for '^ SIGNED BY anna@example.org' "$size: a signed one from a list"
	check "$size: the reader names both" has 'Minutes'
	back
	check "$size: its row says what Anna wrote" comes_to_say 3 'Minutes'
	check "$size: and has its mark" has '^[> ] *3 .{3} S\+ '
	open_number 4
	wait_for '^ BAD SIGNATURE' "$size: an altered one, encrypted"
	back
	check "$size: is not believed more than what is outside" says 4 '\[...]'
	open_number 7
	wait_for '^ BAD SIGNATURE' "$size: an altered one in clear"
	back
	check "$size: nor this" says 7 '\[team] Altered'

	keys l
	seen '^Show messages with'
	typed '~s plans'
	keys Enter
	wait_for 'INBOX .*plans: 2\]' "$size: a limit finds what is shown"
	keys Escape
	wait_for '^[> ] *1 .*Ordinary' "$size: and ends"
	keys End
	typed '/~s 2027'
	keys Enter
	wait_for '^> *2 ' "$size: a search finds it"
	keys l
	seen '^Show messages with'
	typed '~s team'
	keys Enter
	wait_for 'INBOX .*team: 1\]' "$size: what is no longer shown is not found"
	keys Escape
	seen '^[> ] *1 .*Ordinary'

	plain 'Newcomer' 8 'Hello again.' | deliver m8 8 ''
	wait_for '^[> ] *8 .*Newcomer' "$size: new mail comes"
	check "$size: the rows stay" says 2 'Plans *\[31mfor 2027'
	keys C-r
	check "$size: also when the list is read anew" comes_to_say 5 'Unsigned plans'
	keys c
	seen 'older'
	typed 'Archive'
	keys Enter
	wait_for '^ *Archive  ' "$size: another folder"
	keys c
	seen 'older'
	typed 'INBOX'
	keys Enter
	wait_for '^[> ] *2 .*for 2027' "$size: and back"
	check "$size: nothing of it is on the disk" sh -c '! "$@"' - grep -rqaE 'for 2027|Unsigned plans' "$LAB/profile"

	keys l
	seen '^Show messages with'
	typed '~s plans'
	keys Enter
	seen 'INBOX .*plans: 2\]'
	keys C-f
	wait_for 'forgotten' "$size: Ctrl-F forgets"
	wait_for 'INBOX .*plans: 0\]' "$size: what the limit found by it is gone"
	keys Escape
	wait_for '^[> ] *1 .*Ordinary' "$size: all are shown"
	check "$size: the row says again what is outside" says 2 '\[...]'
	check "$size: this one too" says 5 '\[...]'
	check "$size: and this" says 6 'Put there on the way'
	check "$size: what was never hidden stays" says 3 'Minutes'

	open_number 5
	decrypt
	wait_for '^= Hidden' "$size: opened anew"
	keys C-f
	wait_for 'your key is locked' "$size: Ctrl-F in the reader shuts it"
	back
	check "$size: and its row" says 5 '\[...]'
	open_number 2
	decrypt
	seen '^ SIGNED BY anna'
	back
	check "$size: once more" comes_to_say 2 'Plans *\[31mfor 2027'
	"$SIGNET" --profile "$LAB/profile" token logout >"$LAB/out" 2>&1
	check "$size: signet token logout takes it away" comes_to_say 2 '\[...]'
	check "$size: with its mark" has_not '^[> ] *2 .* SE?[+?] '
	"$SIGNET" --profile "$LAB/profile" list INBOX >"$LAB/out" 2>&1
	check "$size: signet list opens nothing" sh -c "grep -qF '[...]' '$LAB/out' && ! grep -q 2027 '$LAB/out'"
	keys q
	wait_for 'ended with 0' "$size: ends"
}

# In a thread an answer's Subject is left out where the row above says it: not where that was read and says another,
# and never "[...]". Sorted by Subject no place in the list tells of one that was forgotten.
answers() { printf 'In-Reply-To: <%s@example.org>\n' "$1"; }
aged() { sed "0,/^Date:.*/s//Date: $(date -uR -d "$1 hours ago")/"; }
in_threads() { # in_threads COLUMNS ROWS
	size="$1x$2"
	make_protected_profile
	rm "$LAB"/profile/mail/cur/*
	{ letter '[...]' 1; payload cipher 'Plans for 2027' 'Budget.' | encrypted; } | aged 9 | deliver m1 1
	{ letter 'Re: [...]' 2; answers 1.; payload cipher 'Re: Plans for 2027' 'Yes.' | encrypted; } | aged 8 | deliver m2 2
	{ letter 'Team matters' 3; payload clear 'Minutes' 'As agreed.' | signed | grep -v '^MIME-Version:'; } | aged 7 | deliver m3 3
	{ letter 'Re: Team matters' 4; answers 3.eammatters; printf '\nFine.\n'; } | aged 6 | deliver m4 4
	{ letter 'Re: Team matters' 5; answers 4.eeammatters; printf '\nFine too.\n'; } | aged 5 | deliver m5 5
	start "$1" "$2" --
	seen '^[> ] *5 .*Team'
	keys o
	seen '^Sort by'
	keys t
	wait_for '^[> ] *4 .*Anna Keller +└─> +[0-9]' "$size: threads: an answer with the Subject above it does not repeat it"
	check "$size: but [...] is always said" says 2 '*└─> Re: \[...]'
	open_number 3
	seen '^ SIGNED BY anna@example.org'
	back
	check "$size: the first was read and says its own" comes_to_say 3 'Minutes'
	check "$size: its answer was not, and says what is outside" says 4 '*└─> Re: Team matters'
	check "$size: the next one the same as above again" has '^[> ] *5 .*Anna Keller +└─> +[0-9]'
	open_number 1
	decrypt
	seen '^= Budget'
	back
	check "$size: a hidden one is shown once it was read" comes_to_say 1 'Plans for 2027'
	check "$size: its answer does not pass for the same" says 2 '*└─> Re: \[...]'
	keys o
	seen '^Sort by'
	keys s
	wait_for '^[> ] *3 .*Plans for 2027' "$size: sorted by Subject: between Minutes and Team matters"
	keys C-f
	wait_for '^[> ] *1 .*\[\.\.\.\] +[0-9]' "$size: forgotten, it goes back to the others of that name"
	wait_gone 'Plans for 2027' "$size: nowhere"
	keys q
	wait_for 'ended with 0' "$size: ends"
}

make_pki anna bob
session 80 24
session 120 40
in_threads 80 24
in_threads 120 40
done_testing
