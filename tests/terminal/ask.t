#!/bin/sh
# Q asks the server: for mail that is not here in full, of a real Dovecot. What it finds joins what was found here, once,
# with the cursor where it was; what cannot be asked is said, and the rest is asked.
. "$(dirname "$0")/server-lib.sh"
hold=$LAB/hold
# While the pipe hold is there, nobody can log in.
release() {
	[ ! -e "$hold" ] || { exec 8<>"$hold" && rm "$hold" && exec 8>&-; }
}
trap 'release; stop_dovecot "$server"; finish' EXIT
anna=$server/mail/anna/Maildir
{
	far_account anna anna | sed "s|^password-command = .*|password-command = cat '$hold' 2>/dev/null; echo secret-anna|"
	printf '[account near]\nmaildir = mail\n'
} | far_profile
own() { [ "$MAIL_UID" = "$(id -u)" ] || chown -R "$MAIL_UID:$MAIL_GID" "$anna"; }
folder() { mkdir -p "$anna/$1/cur" "$anna/$1/new" "$anna/$1/tmp"; }
post() { # post FOLDER DAY SUBJECT: the text comes from stdin
	{
		printf 'From: Jo <jo@example.org>\nTo: anna@example.org\nSubject: %s\nDate: Wed, %02d Nov 2023 00:00:00 +0000\nMessage-ID: <%s.%s@x>\n\n' \
			"$3" "$2" "$2" "$(printf %s "$1" | tr -dc a-zA-Z)"
		cat
	} >"$anna/$1/tmp/17000000$2.x"
	mv "$anna/$1/tmp/17000000$2.x" "$anna/$1/cur/17000000$2.x:2,S"
}
folder .Lists
folder .Closed
echo 'A quagga was seen here.' | post . 10 'Small one'
echo 'Nothing of the kind.' | post . 11 'Other one'
echo 'An older quagga.' | post .Lists 05 'Older one'
{
	head -c 1300000 /dev/zero | tr '\0' 'x' | fold -w 70
	echo
	echo 'Behind all that stands a quagga.'
} | post .Lists 12 'Large one'
folder .Trash
echo 'A quagga that was thrown away, and is not asked for.' | post .Trash 13 'Deleted one'
own
signet -A anna sync >/dev/null 2>&1
signet -A near search nothing-at-all >/dev/null 2>&1
folder .Fresh
echo 'The quagga that nobody has read.' | post .Fresh 14 'Fresh one'
own
chmod 0 "$anna/.Closed"

start 80 24 --
wait_for '^> *2 .*Other one' 'the list is there'
keys Enter
wait_for 'Nothing of the kind' 'a message is read'
keys k
wait_for 'A quagga was seen' 'and the other'
keys q
wait_for '^> *1 .*Small one' 'both are here now'
keys Q
wait_for 'Search all folders for:' 'Q asks for words'
typed quagga
wait_for '^ Search anna: 1 found' 'one is found here'
keys Enter
wait_gone 'Search all folders for:' 'Enter ends the question'
wait_for '^ 4 messages are not here in full: a asks the server' 'what is not here is counted, folders that were never read too'
wait_for '^ Enter open  a ask the server ' 'and the key is told'
check 'the cursor is on what is here' has '^> 2023-11-10 INBOX +Jo +Small one'
keys a
wait_for '^ The server answered, but for 1 folder .*; 3 more by it' 'the server is asked, and what it cannot open is said'
check 'by its name' has 'anna/Closed was left out'
check 'all is counted' has '^ Search anna: 4 found'
check 'the cursor stays on its message' has '^> 2023-11-10 INBOX +Jo +Small one'
check 'which is there once' [ "$(screen | grep -c 'Small one')" = 1 ]
check 'the newest first' [ "$(screen | sed -nE 's/^[> ] 2023-11-.* Jo +([A-Z][a-z]+) one.*/\1/p' | tr '\n' ' ')" = 'Fresh Large Small Older ' ]

# ---- what was found is opened where it lies
keys Up
wait_for '^> 2023-11-12 Lists +Jo +Large one' 'one that is not here'
keys Enter
wait_for '^── Lists 2 of 2' 'Enter opens it in its folder'
wait_for 'xxxxxxxxxxxxxxxx' 'with its text'
keys q
wait_for '^> 2023-11-12 Lists +Jo +Large one' 'q leads back to its line'
check 'among all of them' has '^ Search anna: 4 found'
keys Home
wait_for '^> 2023-11-14 Fresh +Jo +Fresh one' 'one of a folder that was never read'
keys Enter
wait_for 'The quagga that nobody has read' 'is opened as well'
keys q
wait_for '^> 2023-11-14 Fresh +Jo +Fresh one' 'and back'
wait_for '; [01] more by it' 'what was read is here now, and found here'
check 'and still once' [ "$(screen | grep -c 'Fresh one')" = 1 ]

# ---- a folder that was replaced: its numbers are others'
python3 - "$PORT_TLS" <<-'END'
	import imaplib, ssl, sys
	with imaplib.IMAP4_SSL("127.0.0.1", int(sys.argv[1]), ssl_context=ssl._create_unverified_context()) as far:
	    far.login("anna", "secret-anna")
	    far.rename("Lists", "Before")
	    far.create("Lists")
	    for subject in (b"Another", b"And another"):
	        far.append("Lists", None, None, b"From: Eve <eve@example.org>\r\nSubject: " + subject + b"\r\n\r\nIt has the number now.\r\n")
END
keys Down
wait_for '^> 2023-11-12 Lists +Jo +Large one' 'a message of a folder that was replaced'
keys Enter
wait_for 'was replaced by another one on the server' 'is told'
check 'and no other is opened' has_not 'It has the number now'

# ---- other words: what the server found for the old ones goes
keys Q
wait_for 'Search all folders for: quagga' 'other words'
keys C-u
typed kind
wait_for '^ Search anna: 1 found' 'are found here'
keys Enter
wait_gone 'Search all folders for:' 'Enter'
check 'without what the server found before' has_not 'Older one'

# ---- stopped, down, and up again
mkfifo "$hold"
keys a
wait_for '^ Asking the server' 'while it is asked'
keys a
wait_for 'The server is being asked: Esc stops it' 'it is not asked twice'
keys Escape
wait_for '^ Stopped: the server was not asked; 0 more by it' 'Esc stops it'
release
keys a
wait_for '^ The server answered' 'and a asks it again'
stop_dovecot "$server"
keys a
wait_for '^ The server did not answer .! says why.; 0 more by it' 'a server that is down is told'
check 'what was found here stays' has '^ Search anna: 1 found'
sh tests/lab/dovecot.sh again "$server"
keys a
wait_for '^ The server answered' 'it is asked once it is up'
keys q
wait_gone '^ Search anna' 'q leaves'

keys q
wait_for 'ended with 0' 'and signet'

start 80 24 -- --offline
wait_for 'Other one' 'without the network'
keys Q
wait_for 'Search all folders for:' 'Q'
typed quagga
wait_for ' Search anna: [1-9] found' 'finds what is here'
keys Enter
wait_gone 'Search all folders for:' 'Enter'
keys a
wait_for 'anna: 127.0.0.1 was not asked: signet was started with --offline' 'the server is not asked, and that is said'
check 'what was found here stays' has ' Search anna: [1-9] found'
keys q
wait_gone '^ Search anna' 'q leaves'

start 80 24 -- near
wait_for 'near' 'a mailbox on this machine'
keys Q
wait_for 'Search all folders for:' 'Q'
typed xx
keys Enter
wait_gone 'Search all folders for:' 'Enter'
wait_for '^ Enter open  Q other words' 'the hint does not name the key that asks a server'
keys a
wait_for 'there is no server to ask' 'it has no server'
keys '?'
wait_for 'Help: keys in the search' 'the help'
check 'does not either' has_not 'ask the server'
keys q
unseen 'Help: keys'
keys q
unseen '^ Search near'
keys a
wait_for 'there is no server to ask' 'nor has the list'
done_testing
