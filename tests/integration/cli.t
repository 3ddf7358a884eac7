#!/bin/sh
# What a script relies on: help, exit codes, nearest matches, the configuration's errors.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
p=$tmp/p
mkdir -p "$p"

exits 0 "--help exits 0" "$signet" --help
help=$out
exits 0 "-h too" "$signet" -h
exits 0 "--version exits 0" "$signet" --version
like "$out" '^signet [0-9]+\.[0-9]+' "and says it"
for c in account audit cert decrypt demo doctor folders list outbox send show token verify; do
	like "$help" "^  $c " "--help names $c"
	exits 0 "$c --help exits 0" "$signet" "$c" --help
	like "$out" "signet $c" "and shows its use"
	exits 2 "$c --batchh is a usage error" "$signet" "$c" --batchh
	like "$err" 'did you mean --batch\?' "with the nearest match"
done
for words in --bogus --verbos --account --batch=1 -Z -A; do
	exits 2 "signet $words is a usage error" "$signet" $words
	like "$err" 'see signet --help$|See signet --help$' "which says where options stand"
done
# Whatever is missing or too much, the answer names what to say instead.
while read -r words <&3; do
	exits 2 "signet $words is a usage error" "$signet" --profile "$tmp/usage" $words
	like "$(printf '%s\n' "$err" | sed 's/^signet: //; s/^signet [a-z ]* takes//')" '(signet|say|see|as) [a-z-]+ |--help|[A-Z]{2,}|-A$|quote a name|which of the two' "and says what to say"
done 3<<'END'
account
audit
audit --csv --json INBOX
cert
cert accept
cert delete
cert expiry now
cert export
cert find
cert harvest
cert import
cert list two words
cert request
cert show
cert trust
cert use
decrypt
doctor all
encrypt
folders all
journal all
list two folders
list --limit none
list --batch=yes
outbox
outbox add
outbox cancel
pending all
pending --drop all
policy
rekey
search
search --limit none x
search --list words
search --list --limit 3
search --list --saved x
send
show
sign
token
token add
verify
END
exits 2 "an unknown subcommand is a usage error" "$signet" --profile "$p" verifi x
like "$err" 'did you mean verify\?' "with the nearest match"

exits 78 "no account is a configuration error" "$signet" --profile "$p" list
like "$err" 'signet demo' "and says what to do"
printf '[account x]\nmaildir = Mail\nadress = a@b.example\n' >"$p/signet.conf"
exits 78 "an unknown key is an error" "$signet" --profile "$p" list
like "$err" 'signet\.conf:3' "that names the line"
like "$err" 'address' "and the nearest match"
printf '[account x]\nimap = imaps://a@h.example\npassword = secret\n' >"$p/signet.conf"
exits 78 "a password in the file is refused" "$signet" --profile "$p" list
like "$err" 'password-command' "and says where it belongs"
unlike "$err" 'secret' "without repeating it"

printf '[account x]\nmaildir = Mail\n' >"$p/signet.conf"
mkdir -p "$p/Mail/cur" "$p/Mail/new" "$p/Mail/tmp"
printf 'From: =?utf-8?B?G1szMW1ldmls?= <e@x.example>\nSubject: plain\033[2Jred\nDate: Mon, 02 Nov 2026 09:00:00 +0000\nMessage-ID: <1@x>\n\nhello\n' >"$p/Mail/new/1.a.b"
exits 0 "list reads a Maildir" "$signet" --profile "$p" list
unlike "$out" "$(printf '\033')" "no escape comes out"
exits 0 "list --json" "$signet" --profile "$p" list --json
like "$out" '"schema":1' "has its schema"
like "$out" '"uid":1' "and the uid"
unlike "$out" "$(printf '\033')" "no escape in it"
exits 0 "folders" "$signet" --profile "$p" folders --json
like "$out" '"name":"INBOX"' "INBOX is there"
exits 66 "no such folder" "$signet" --profile "$p" list Nowhere
exits 66 "no such message" "$signet" --profile "$p" show INBOX/99
exits 66 "no such file" "$signet" --profile "$p" verify "$tmp/none.eml"
exits 0 "show a message" "$signet" --profile "$p" show INBOX/1
like "$out" 'hello' "shows its text"
unlike "$out" "$(printf '\033')" "and no escape"
exits 6 "verify says unsigned" "$signet" --profile "$p" verify --json INBOX/1
exits 6 "verify reads standard input" sh -c "cat '$p/Mail/new/1.a.b' '$p'/Mail/cur/* 2>/dev/null | '$signet' --profile '$p' verify --json -"
exits 0 "doctor finds nothing broken" "$signet" --profile "$p" doctor
exits 0 "account check" "$signet" --profile "$p" account check
is "$(ls "$p" | sort | tr '\n' ' ')" "Mail signet.conf state " "reading wrote nothing but the numbers of its messages"
done_testing
