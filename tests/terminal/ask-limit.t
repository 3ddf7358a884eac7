#!/bin/sh
# A limit that looks into messages which are not here asks the server, of a real Dovecot: they are too large to be kept, so
# that none is fetched ahead.
. "$(dirname "$0")/server-lib.sh"
anna=$server/mail/anna/Maildir
far_account anna anna | far_profile
head -c 1300000 /dev/zero | tr '\0' 'x' | fold -w 70 >"$LAB/large"
post() { # post DAY SUBJECT FIELD TEXT
	{
		printf 'From: Jo <jo@example.org>\nTo: anna@example.org\nSubject: %s\nDate: Wed, %02d Nov 2023 00:00:00 +0000\nMessage-ID: <%s@x>\n%s\n\n' \
			"$2" "$1" "$1" "$3"
		cat "$LAB/large"
		printf '%s\n' "$4"
	} >"$anna/tmp/17000000$1.x"
	mv "$anna/tmp/17000000$1.x" "$anna/cur/17000000$1.x:2,S"
}
post 10 'One of them' 'X-Any: way' 'Behind it lies a Needle.'
post 11 'Two of them' 'X-Colour: needle' 'Behind it lies hay.'
post 12 'Three of them' 'Content-Type: application/pkcs7-mime; smime-type=enveloped-data' 'bmVlZGxl needle'
post 13 'Four of them' 'X-Any: way' 'Nothing but hay.'
[ "$MAIL_UID" = "$(id -u)" ] || chown -R "$MAIL_UID:$MAIL_GID" "$anna"
signet sync >/dev/null 2>&1
limit() { # limit PATTERN
	keys l
	seen 'Show messages with:'
	typed "$1"
	keys Enter
	unseen 'Show messages with:'
}

start 80 24 --
wait_for '^> *4 .*Four of them' 'the list is there'
keys a
wait_for 'Nothing to ask the server: l with ~b or ~B first' 'without a limit there is nothing to ask'
limit '~b needle'
wait_for '\[~b needle: 0\]' 'nothing that is here fits'
wait_for '4 could not be looked into: encrypted, or not kept here; a' 'what may fit is counted, and the key is told'
keys a
wait_for 'The server was asked: 1 fit' 'the server is asked'
check 'what it finds is shown' has 'One of them'
check 'alone' has_not '(Two|Three|Four) of them'
check 'and counted' has '\[~b needle: 1\]'
keys a
wait_for 'Nothing to ask the server: what it can tell' 'it is asked once'
keys Escape
wait_for 'Four of them' 'Esc shows all'
limit '~B needle !~b needle'
wait_for '4 could not be looked into' 'two tests'
keys a
wait_for 'The server was asked: 1 fit' 'are asked one after the other'
check 'and one is found by its header' has '^>.*Two of them'
keys Escape
wait_for 'Four of them' 'Esc shows all'
limit '!~b needle ~s of'
wait_for '4 could not be looked into' 'what does not have it'
keys a
wait_for 'The server was asked: 2 fit' 'is found too'
check 'but for what is encrypted' has_not 'Three of them'
stop_dovecot "$server"
limit '~b hay'
wait_for '4 could not be looked into' 'other words'
keys a
wait_for '^anna: ' 'a server that is down is told'
check 'and nothing is shown that is not known' has '\[~b hay: 0\]'
done_testing
