#!/bin/sh
# signet search --saved and --list: searches of signet.conf over a Maildir and two accounts of a real Dovecot.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
lab=$tmp/lab p=$tmp/p box=$tmp/box
mkdir -p "$lab" "$p" "$box/cur" "$box/new" "$box/tmp" "$box/.Sent/cur" "$box/.Sent/new" "$box/.Sent/tmp"
chmod 711 "$tmp" # Dovecot's own user passes through it
trap 'sh tests/lab/dovecot.sh stop "$lab" >/dev/null 2>&1; tap_cleanup' EXIT
sh tests/lab/dovecot.sh start "$lab" >"$tmp/start" 2>&1
ok $? "a Dovecot starts" "$(cat "$tmp/start")"
. "$lab/env"
anna=$lab/mail/anna/Maildir bob=$lab/mail/bob/Maildir
config() { # config: searches are read from stdin
	cat >"$p/signet.conf" <<-EOF
		[account near]
		maildir = $box
		[account anna]
		imap = imaps://anna@127.0.0.1:$PORT_TLS
		password-command = echo secret-anna
		[account bob]
		imap = imaps://bob@127.0.0.1:$PORT_TLS
		password-command = echo secret-bob
		[searches]
	EOF
	cat >>"$p/signet.conf"
}
config <<-'END'
	reports = report -draft
	From Jo = from:jo subject:report
	important = ~F !~R
	budget = ~b budget
END
signet() { "$signet" --profile "$p" --batch "$@"; }
signet cert import --tls "$lab/tls/ca-good.pem" >/dev/null
post() { # post FOLDER DAY FLAGS FROM SUBJECT TEXT
	printf 'From: %s <%s@example.org>\nTo: anna@example.org\nSubject: %s\nDate: Wed, %02d Nov 2023 00:00:00 +0000\nMessage-ID: <%s@x>\n\n%s\n' \
		"$4" "$4" "$5" "$2" "$2" "$6" >"$1/tmp/17000000$2.x"
	chown "$MAIL_UID:$MAIL_GID" "$1/tmp/17000000$2.x" 2>/dev/null
	mv "$1/tmp/17000000$2.x" "$1/cur/17000000$2.x:2,$3"
}
found() { printf '%s\n' "$out" | sed -n 's/.*"account":"\([^"]*\)","folder":"\([^"]*\)","uid":\([0-9]*\).*/\1\/\2\/\3/p' | tr '\n' ' '; }

exits 0 "the searches that there are" signet search --list
is "$(printf '%s\n' "$out" | sed 's/  */ /g')" "reports report -draft
From Jo from:jo subject:report
important ~F !~R
budget ~b budget" "in the order of the file"
exits 0 "as JSON" signet --json search --list
like "$out" '"name":"From Jo","search":"from:jo subject:report"}' "a line each"
exits 66 "before anything was read" signet -A anna search --saved reports
like "$err" 'anna: nothing of it was read here yet: run signet sync' "it says what to do"

post "$box" 11 S Jo 'Annual report' 'in the near box, with a budget'
post "$box/.Sent" 14 S Eve 'Re: Annual report' 'sent'
post "$anna" 10 S Jo 'draft of a report' 'left out'
post "$anna" 13 F Jo 'Report of Anna' 'far away'
post "$bob" 12 FS Max 'Report of Bob' 'farther'
post "$bob" 15 '' Max 'Lunch' 'no such word'
signet -A anna sync >/dev/null 2>&1
signet -A bob sync >/dev/null 2>&1
exits 0 "words, over all accounts" signet --offline --json search --saved reports
is "$(found)" "near/Sent/1 anna/INBOX/2 bob/INBOX/1 near/INBOX/1 " "newest first, wherever it lies"
exits 0 "a name with a blank" signet --json search --saved 'From Jo'
is "$(found)" "anna/INBOX/2 near/INBOX/1 anna/INBOX/1 " "has its own"
exits 0 "a pattern" signet --json search --saved important
is "$(found)" "anna/INBOX/2 " "is asked of the lists"
exits 0 "one account alone" signet -A bob --json search --saved reports
is "$(found)" "bob/INBOX/1 " "with -A"
exits 0 "the first ones" signet --json search --saved reports --limit 2
is "$(found)" "near/Sent/1 anna/INBOX/2 " "of all accounts together"
exits 0 "a pattern that looks into messages" signet --json search --saved budget
is "$(found)" "near/INBOX/1 " "finds what is here"
like "$err" '4 messages could not be looked into' "and says what was not"
exits 0 "on paper" signet search --saved important
like "$out" '^anna/INBOX/2 .*NF.*Jo +Report of Anna' "a line names the message as show takes it"
exits 0 "show takes it" signet show "$(printf '%s\n' "$out" | awk '{print $1}')"
rm "$anna"/cur/1700000013*
signet -A anna sync >/dev/null 2>&1
exits 1 "what went is not found" signet --json search --saved important

exits 66 "a search that there is not" signet search --saved nothing
like "$err" 'signet search --list' "says where to look"
exits 2 "words besides" signet search --saved reports more
exits 2 "options that do not go with it" signet search --saved reports --server
exits 2 "nor these two" signet search --saved reports --list
exits 2 "nor words with --list" signet search --list words
config <<-'END'
	good = ~F
	bad = ~F (
END
exits 78 "a search that cannot be read" signet search --list
like "$err" 'signet.conf:11: the search "bad" cannot be read' "is told with its line"
exits 1 "doctor" signet doctor
like "$out" 'signet.conf:11: the search "bad" cannot be read' "tells it too"
done_testing
