#!/bin/sh
# The whole way of a letter on the screen, over a real Postfix and a real Dovecot: written, signed, encrypted, sent, read
# back in Sent, read and answered by who got it; and what is seen of a recipient that the server refuses.
. "$(dirname "$0")/compose-lib.sh"
if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP Postfix runs for root only"
	exit 0
fi
. "$(dirname "$0")/server-lib.sh"
trap 'sh tests/lab/postfix.sh stop "$LAB/postfix"; stop_dovecot "$server"; finish' EXIT
imap=$PORT_TLS
sh tests/lab/postfix.sh start "$LAB/postfix" "$server" || { echo "Bail out! no Postfix"; exit 1; }
. "$LAB/postfix/env"
make_pki bob anna carol

# user NAME: their own profile, on the two servers.
user() {
	mkdir -p "$LAB/$1/state" "$LAB/$1/data" "$LAB/$1/nssdb"
	cat >"$LAB/$1/signet.conf" <<-END
		[account $1]
		address = $1@example.org
		name = $1 Lab
		imap = imaps://$1@127.0.0.1:$imap
		smtp = smtps://$1@127.0.0.1:$PORT_TLS
		password-command = echo secret-$1
		undo-send = ${2:-3}
		[keys]
		system-tokens = no
	END
	certutil -N -d "sql:$LAB/$1/nssdb" --empty-password
	"$SIGNET" --profile "$LAB/$1" cert import --tls "$server/tls/ca-good.pem" >/dev/null 2>&1
	trust_authority "$LAB/$1"
	own "$1" "$LAB/$1"
}
sits() { # sits NAME COLUMNS ROWS: NAME is at the screen now
	terminal kill-server 2>/dev/null
	until_true sh -c "! ps -eo args | grep -q '[-]-profile $LAB/profile'"
	rm -f "$LAB/profile"
	ln -s "$LAB/$1" "$LAB/profile"
	compose_start "$2" "$3" --
	wait_for "INBOX  .* $1  online" "$1 is online"
}
arrived() { grep -rl "$2" "$server/mail/$1/Maildir/new" "$server/mail/$1/Maildir/cur" 2>/dev/null | wc -l; }
flagged() { ls "$server/mail/$1/Maildir/cur" | grep -q ':2,[A-Z]*R'; }
mkdir -p "$LAB/run"
chmod 700 "$LAB/run"
printf '#!/bin/sh\nexec sh "%s/edit" "$1"\n' "$LAB" >"$LAB/editor"
chmod +x "$LAB/editor"
writes 'Hello,\n\nthis is a letter.\n'
printf 'a,b\n1,2\n' >"$LAB/figures.csv"
user bob
user anna 1
user carol 1

full_round() { # full_round COLUMNS ROWS SUBJECT
	size="$1x$2"
	writes 'Hello,\n\nthis is a letter.\n'
	sits bob "$1" "$2"
	"$SIGNET" --profile "$LAB/bob" cert import "$pki/anna.pem" >/dev/null 2>&1
	begin 'anna@example.org, carol@example.org' "$3"
	wait_for '^ ready .*anna@example.org' "$size: Anna has a certificate"
	wait_for '^ none .*carol@example.org' "$size: Carol has none"
	keys S E
	wait_for '^ SIGN on .*bob Lab, database' "$size: signed"
	wait_for '^ ENCRYPT on, but 1 of 2 recipients has no accepted certificate' "$size: encrypted, but for Carol"
	keys a
	seen '^Attach file:'
	typed "$LAB/figures.csv"
	keys Enter
	wait_for 'Attached figures.csv' "$size: attached"
	keys y
	wait_for 'Cannot be encrypted to 1 of 2' "$size: y shows who is in the way"
	keys 2
	wait_for 'encrypted to 1, in clear to 1' "$size: 2 sends apart"
	typed plain
	keys Enter
	wait_for 'leaves in [0-9] s. Ctrl-U' "$size: the undo delay is counted down"
	check "$size: nothing has arrived meanwhile" [ "$(arrived carol "Subject: $3")" = 0 ]
	wait_for "Sent: $3" "$size: then it leaves"
	until_true sh -c "grep -rq 'Subject: $3' '$server/mail/carol/Maildir/new'"
	check "$size: in clear to Carol, once" [ "$(arrived carol "Subject: $3")" = 1 ]
	keys c
	seen '^Change to folder'
	typed Gesendet
	keys Enter
	wait_for 'Gesendet  [1-9]' "$size: the server's Sent folder has it"
	until_true has '\[\.\.\.\]'
	keys Home
	until_true has '\[\.\.\.\]'
	keys /
	seen '^Search for'
	typed '[...]'
	keys Enter
	wait_for '^>.*\[\.\.\.\]' "$size: one copy hides its subject"
	keys Enter
	wait_for 'ENCRYPTED|locked' "$size: it is encrypted, to oneself too"
	keys D
	wait_for 'this is a letter' "$size: and can be read"
	check "$size: it says who signed" has 'S[Ii][Gg][Nn][Ee][Dd] [Bb][Yy] bob@example.org'
	check "$size: with the subject inside" has "Subject:? +$3"
	keys q
	seen 'Gesendet'
	keys q
	wait_for 'ended with 0' "$size: Bob is done"

	# At the recipient's.
	sits anna "$1" "$2"
	wait_for '^>? +[0-9]+ N .*\[\.\.\.\]' "$size: it arrives at Anna's" # not the one of before, which the store still has
	keys End Enter
	wait_for 'ENCRYPTED|locked' "$size: encrypted"
	keys D
	wait_for 'this is a letter' "$size: her key opens it"
	check "$size: signed by Bob" has 'S[Ii][Gg][Nn][Ee][Dd] [Bb][Yy] bob@example.org'
	check "$size: the attachment is there" has 'figures.csv'
	writes 'I have read it.\n'
	keys r
	wait_for '^ ENCRYPT on' "$size: her answer is encrypted"
	check "$size: to Bob" has 'To: .*bob@example.org'
	check "$size: quoting him" has '> this is a letter'
}

full_round 120 40 Wide
keys q
seen 'Keep this message'
keys n
seen 'Dropped'
keys q
keys q
rm -f "$server"/mail/anna/Maildir/new/* "$server"/mail/anna/Maildir/cur/* "$server"/mail/bob/Maildir/.Gesendet/cur/*
full_round 80 24 Figures
# Bob's certificate came with his signed mail: a candidate, until she accepts it.
wait_for '^ ENCRYPT on, but the recipient has no accepted certificate' 'his certificate is a candidate only'
keys y
wait_for 'A accepts: bob Lab, from Lab Mail CA' 'the table says what A accepts'
keys A
wait_for 'Write to bob@example.org with this certificate' 'A asks'
print=$(openssl x509 -in "$pki/bob.pem" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g; s/..../& /g')
check 'with the fingerprint, whole' sh -c "[ \"\$(printf '%s' \"\$1\" | tr -cd '[:alnum:]' | grep -c \"\$2\")\" = 1 ]" - "$(screen | grep -A1 '^ *SHA-256 ' | sed 's/SHA-256//')" "$(printf %s "$print" | tr -d ' ')"
keys y
wait_for 'Everybody can read it' 'and it is accepted'
keys y
wait_for 'Sent: Re: Figures' 'the answer leaves'
until_true flagged anna
check '\Answered is set on the server' flagged anna
keys q
wait_for '^.* r +.*Figures|^>.*r.*\[\.\.\.\]|^>.*r.* Figures' 'and seen in the list'
keys q
wait_for 'ended with 0' 'Anna is done'
sits bob 120 40
until_true has '\[\.\.\.\]'
keys End Enter
wait_for 'ENCRYPTED|locked' 'the answer is encrypted'
keys D
wait_for 'I have read it' 'Bob reads it'
keys q
seen 'INBOX'
keys q
seen 'ended with'

# A recipient that the server refuses.
sits bob 80 24
begin 'anna@example.org, refused@example.org' 'Partly'
keys y
wait_for '"Partly" was sent to 1 of 2; REFUSED: refused@example.org' 'one is refused: that is told'
keys '!'
wait_for '554 5.7.1' "in the server's words"
wait_for 'Access denied' 'all of them'
keys q
until_true sh -c "grep -rq 'Subject: Partly' '$server/mail/anna/Maildir/new'"
check 'the rest was sent' [ "$(arrived anna 'Subject: Partly')" = 1 ]
keys B
wait_for 'Partly' 'the outbox keeps it'
keys Enter
wait_for 'REFUSED +refused@example.org: 554 5.7.1' 'with the one who did not get it'
done_testing
