#!/bin/sh
# The screen on a real Dovecot: a certificate that proves nothing, passwords, new mail, a server that goes and comes.
. "$(dirname "$0")/server-lib.sh"

post() { # post NAME [FLAGS]: takes a message from stdin, as a delivery agent would; with flags as another client would
	box=$server/mail/anna/Maildir
	cat >"$box/tmp/$1"
	chown "$MAIL_UID:$MAIL_GID" "$box/tmp/$1" 2>/dev/null
	if [ -n "${2:-}" ]; then mv "$box/tmp/$1" "$box/cur/$1:2,$2"; else mv "$box/tmp/$1" "$box/new/$1"; fi
}
make_profile
cat >"$LAB/profile/signet.conf" <<END
[account far]
address = anna@example.org
imap = imaps://anna@127.0.0.4:$PORT_TLS
[account near]
address = bob@example.org
maildir = mail
[keys]
system-tokens = no
END
plain 'One' 1 'The first letter.' | post 1700000001.one
plain 'Two' 2 'The second letter.' | post 1700000002.two
plain 'At home' 3 'In the Maildir.' | deliver home 3

start 80 24 --
wait_for 'does not prove' 'an unknown authority is told'
wait_for 'Accept this certificate for 127.0.0.4 from now on\? Spell out yes:' 'and asked about'
typed 'y'
keys Enter
wait_for 'offline' 'y is not spelled out: refused'
check 'no login was tried' sh -c "! grep -q 'user=<anna>' '$server/log'"
check 'the other account works all the same' true
keys C-r
wait_for 'Spell out yes:' 'Ctrl-R tries again'
typed 'yes'
keys Enter
wait_for '^Password of anna at 127.0.0.4: *$' 'then the password is asked for'
typed 'wrong'
check 'unseen' has_not 'wrong'
keys Enter
wait_for 'The server refused the password' 'a wrong one'
typed 'secret-anna'
keys Enter
wait_for 'INBOX  2 messages, 2 new +far  online' 'the right one'
check 'the password is on the screen nowhere' has_not 'secret'
keys Home Enter
wait_for 'The first letter' 'a message is fetched'
keys q
wait_for '2 messages, 1 new' 'and marked seen'
marked_there() { ls "$server/mail/anna/Maildir/cur" | grep -q ':2,.*S'; }
check 'on the server too' until_true marked_there

plain 'Three' 3 'The third letter.' | post 1700000003.three
wait_for 'INBOX  3 messages' 'new mail comes by itself'
wait_for 'New: Anna Keller: Three' 'and is named'
plain 'Filed' 4 'Read on a phone, and filed here.' | post 1700000004.filed S
wait_for 'INBOX  4 messages' 'what was read elsewhere comes, too'
check 'and is not told as new' has 'New: Anna Keller: Three'
rm "$server/mail/anna/Maildir/cur/1700000004.filed:2,S"
wait_for 'INBOX  3 messages' 'and goes'

stop_dovecot "$server"
wait_for 'far  offline' 'the line drops'
check 'the list stays' has 'One'
keys End Enter
wait_for 'cannot be reached|connection' 'a message that is not here says why'
keys q '!'
wait_for '^ *Log' 'the log opens'
causes() { screen | sed -n 's/^ *[0-9:]\{8\}  \(far: \)\{0,1\}//p' | grep '^127.0.0.4\|^The connection'; }
not_twice() { ! causes | sort | uniq -d | grep .; }
check 'the cause is there' has 'far: .*(closed|ended|broke)'
check 'and when it is tried again' eval 'screen | tr -s "\n " "  " | grep -q "It is tried again by itself; Ctrl-R in the list of folders (y) tries at once"'
check 'and none twice, however often it was tried' not_twice
keys q y
wait_for 'far  offline' 'the list of folders says so too'
typed '/near'
keys Enter Down Enter
wait_for 'INBOX  1 message .*near  online' 'the other account opens'
keys y
typed '/far'
keys Enter Down Enter
wait_for 'far' 'back to the first'
sh tests/lab/dovecot.sh again "$server"
keys C-r
wait_for 'INBOX  3 messages.* far  online' 'it comes back'
keys End Enter
wait_for 'The third letter' 'without asking again'
keys d
wait_for '1 deletion pending' 'delete'
keys q
wait_for 'Move 1 deleted message to the trash' 'into the trash of the server'
keys y
wait_for 'ended with 0' 'quits after it is done'
check 'it is there' sh -c "ls '$server/mail/anna/Maildir/.Trash/cur' | grep -q ."

start 80 24 --
wait_for '^Password of anna' 'another day: no question about the certificate'
keys Escape
wait_gone '^Password of anna' 'Esc gives up'
wait_for 'far  offline' 'and it stays offline'
keys q
wait_for 'ended with 0' 'and all ends well'
done_testing
