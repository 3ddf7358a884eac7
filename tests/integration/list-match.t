#!/bin/sh
# `signet list --match`: mutt's patterns over a Maildir, and over what is kept of an IMAP folder.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
p=$tmp/p lab=$tmp/lab
chmod 711 "$tmp" # Dovecot's own user passes through it
mkdir -p "$p/Mail/cur" "$p/Mail/new" "$p/Mail/tmp" "$lab"
printf '[account local]\nmaildir = Mail\n' >"$p/signet.conf"
export TZ=UTC

letter() { # letter NUMBER FLAGS FROM SUBJECT DATE SIZE [FIELD]
	{
		printf 'From: %s\nTo: Bob <bob@example.org>\nSubject: %s\nDate: %s\nMessage-ID: <%s@match>\n' "$3" "$4" "$5" "$1"
		[ -z "${7:-}" ] || printf '%s\n' "$7"
		printf '\nWord%s of the text.\n' "$1"
		head -c "$6" /dev/zero | tr '\0' x | fold -w 70
	} >"$p/Mail/cur/100$1.m:2,$2"
}
letter 1 S 'Anna Keller <anna@example.org>' 'Invoice 4711' 'Tue, 01 Sep 2026 12:00:00 +0000' 100 'Cc: Team <team@example.org>'
letter 2 '' 'Carl <carl@example.org>' 'Re: Invoice 4711' 'Wed, 02 Sep 2026 12:00:00 +0000' 100 'References: <1@match>'
letter 3 SF 'Anna Keller <anna@example.org>' '=?utf-8?Q?Vertr=C3=A4ge?=' 'Thu, 10 Sep 2026 12:00:00 +0000' 30000
letter 4 SR 'Dora <dora@example.org>' 'pictures' 'Thu, 10 Sep 2026 23:59:00 +0000' 2000000
letter 5 ST 'Anna <anna@example.com>' 'Invoices, all of them' "$(date -uR -d '3 days ago')" 100
signet() { "$signet" --profile "$p" --batch "$@"; }

# found PATTERN: the numbers of what fits, as in the Message-IDs
found() { signet ${how:-} list --json --match "$@" | sed -n 's/.*"message_id":"\([0-9]*\)@match".*/\1/p' | sort | tr '\n' ' '; }
fits() { is "$(found "$1")" "${2:+$2 }" "${how:+kept: }$1"; }

patterns() { # over both
	fits 'anna' '1 3 5'
	fits '~f anna@example.org' '1 3'
	fits 'ANNA invoice' '1 5'
	fits '~s "invoice 4711"' '1 2'
	fits '~f carl | ~f dora' '2 4'
	fits '~f anna !(~s invoice)' '3'
	fits '~s VERTRÄGE' '3'
	fits '~c team' '1'
	fits '~L team' '1'
	fits '~t team' ''
	fits '~i 2@match' '2'
	fits '~x 1@match' '2'
	fits '~d 10/9/2026' '3 4'
	fits '~d 2026-09-01-2026-09-09' '1 2'
	fits '~d 11/9/2026-' '5'
	fits '~d -1/9/2026' '1'
	fits '~d <4d' '5'
	fits '~d <2d' ''
	fits '~d >2d ~d 2026-09-02-' '2 3 4 5'
	fits '~z >1M' '4'
	fits '~z 10K-1M' '3'
	fits '~z <1K' '1 2 5'
	fits '~N' '2'
	fits '~R !~D' '1 3 4'
	fits '~F' '3'
	fits '~Q' '4'
	fits '~D' '5'
	fits '~g | ~G' ''
	fits '~A' '1 2 3 4 5'
	fits 'nobody' ''
}
patterns
fits '~O' '2'
# What the messages themselves say.
fits '~b word3' '3'
fits '~b WORD' '1 2 3 4 5'
fits '~b nobody' ''
fits '~b @match' ''
fits '~h 2@match' '2'
fits '~h "from: anna keller"' '1 3'
fits '~h verträge' '3'
fits '~h word3' ''
fits '~B word3 | ~B 4@match' '3 4'
fits '~B "of the text" ~f dora' '4'
fits '!~b word3 ~f anna' '1 5'
exits 0 "messages are looked into" signet list --match '~b word'
is "$err" '' "all of them"
# One that is signed is read by NSS, which nothing else has opened for mail on this machine.
rsa_key "$tmp/key" && openssl req -x509 -key "$tmp/key" -out "$tmp/cert" -days 9 -subj /CN=Eve -addext subjectAltName=email:eve@example.org >/dev/null 2>&1
printf 'A trilobite.\n' | openssl smime -sign -text -signer "$tmp/cert" -inkey "$tmp/key" -from 'Eve <eve@example.org>' -to bob@example.org -subject signed >"$p/Mail/cur/1006.m:2,S"
exits 0 "a signed message is looked into" signet list --match '~b trilobite'
like "$out" ' S .* Eve ' "and found"
rm "$p/Mail/cur/1006.m:2,S"
exits 0 "as text" signet list --match '~f dora'
like "$out" ' r .* Dora +1\.9M  pictures' "a line for it"
is "$(printf '%s\n' "$out" | wc -l)" 1 "and none else"
exits 0 "--limit counts what fits" signet list --json --limit 2 --match '~f anna'
is "$(printf '%s\n' "$out" | wc -l)" 2 "two"
exits 1 "nothing fits: 1" signet list --match nobody
is "$out$err" "" "and no word"
exits 66 "a folder that is not there is told before" signet list Nowhere --match '~A'
nowhere() { # nowhere ACCOUNT: is it said where to look?
	like "$err" "folder \"Nowhere\".*signet folders -A $1 lists them\." "what lists those that are there is told"
}
nowhere local
exits 66 "a message of one: none is there" signet show Nowhere/1
nowhere local
exits 66 "an audit of one" signet audit Nowhere
nowhere local
exits 66 "a report on one" signet rekey Nowhere
nowhere local
exits 66 "a search of one" signet search --folder Nowhere word
nowhere local
exits 66 "a message that is not there, of a folder that is" signet show INBOX/4000
unlike "$err" 'signet folders' "has nothing to do with folders"

wrong() { # wrong PATTERN REGEX
	exits 2 "$1 is a usage error" signet list --match "$1"
	like "$err" "$2" "and the place is told"
}
wrong '~f anna ~y' 'no ~y.*character 9'
wrong '~d 31/2/2026' 'no such day.*character 4'
wrong '(anna' 'closing parenthesis.*character 1'
wrong '~T' '~T is not possible here.*character 1'
wrong '' 'missing.*character 1'

# What is kept of a server's folder.
trap 'sh tests/lab/dovecot.sh stop "$lab" >/dev/null 2>&1; tap_cleanup' EXIT
sh tests/lab/dovecot.sh start "$lab" >"$tmp/start" 2>&1
ok $? "a Dovecot starts" "$(cat "$tmp/start")"
. "$lab/env"
box=$lab/mail/anna/Maildir
cp "$p"/Mail/cur/* "$box/cur/"
chown "$MAIL_UID:$MAIL_GID" "$box"/cur/* 2>/dev/null
printf '[account far]\naddress = anna@example.org\nimap = imaps://anna@127.0.0.1:%s\npassword-command = echo secret-anna\n' \
	"$PORT_TLS" >"$p/signet.conf"
signet cert import --tls "$lab/tls/ca-good.pem" >/dev/null
how=
is "$(found '~f anna ~d 2026-09-10-')" "3 5 " "asked of the server"
fits '~O' ''
exits 0 "a sync" signet sync
how=--offline
patterns
exits 1 "no message was read yet: none can be looked into" signet --offline list --match '~f anna ~b word'
like "$err" '^signet: 3 messages could not be looked into' "and that is told"
exits 0 "what the list tells needs no look" signet --offline list --match '~b word | ~f anna'
exits 1 "nor what it rules out" signet --offline list --match '~b word ~f nobody'
is "$err" '' "nothing is told then"
exits 1 "nothing fits what is kept: 1" signet --offline list --match nobody
exits 66 "nothing is kept of this one" signet --offline list Nowhere --match '~A'
exits 66 "and there is none on the server" signet list Nowhere
nowhere far
exits 66 "nor a message" signet show Nowhere/1
nowhere far
exits 66 "nor anything to audit" signet audit Nowhere
nowhere far
exits 66 "nor a list to be read" signet sync Nowhere
nowhere far
exits 66 "nor a message of a folder that is there" signet show INBOX/4000
unlike "$err" 'signet folders' "which has nothing to do with folders"
done_testing
