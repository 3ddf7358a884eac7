#!/bin/sh
# | in the list gives a program the text of the message under the cursor, or of all tagged ones after ; the oldest first.
# What is encrypted is left out, and that is said: nothing is opened without a key press on it.
. "$(dirname "$0")/lib.sh"
make_profile
plain 'First' 1 'One swallow.' | deliver a 1
plain 'Second' 2 'Two doves.' | deliver b 2
rsa_key "$LAB/other.key" && openssl req -x509 -key "$LAB/other.key" -out "$LAB/other.pem" -days 30 -subj '/CN=Other' 2>/dev/null
{
	letter 'Third' 3
	printf 'Content-Type: text/plain\n\nThree geese.\n' | openssl cms -encrypt -aes-256-cbc "$LAB/other.pem" 2>/dev/null | grep -v '^MIME-Version:'
} | deliver c 3
plain 'Fourth' 4 'Four \033[31mcrows.' | deliver d 4

piped() { # piped FILE: the command was run, and the list is there again
	until_true [ -s "$1" ] && seen 'Press Enter to go back' && keys Enter && seen '^ INBOX '
}
for size in '80 24' '120 40'; do
	rm -f "$LAB"/out*
	start $size --
	wait_for '^> *4 .*Fourth' 'the list'
	keys '|'
	wait_for 'Pipe the text to' '| asks for a program'
	typed "cat >$LAB/out1"
	keys Enter
	check 'it is run' piped "$LAB/out1"
	check 'with the text of the message under the cursor' grep -q 'crows' "$LAB/out1"
	check 'and its header' grep -q '^Subject: Fourth' "$LAB/out1"
	check 'which passed the gate' sh -c '! LC_ALL=C grep -q "$(printf "\033")" "$1"' - "$LAB/out1"
	keys T
	wait_for 'Tag messages with' 'T'
	typed '~s first | ~s second | ~s third'
	keys Enter
	wait_for '3 tagged' 'three'
	keys '\;'
	wait_for 'which key' 'after ;'
	keys '|'
	wait_for 'Pipe the text of 3 messages to' '| says how many'
	typed "cat >$LAB/out2"
	keys Enter
	check 'it is run' piped "$LAB/out2"
	check 'with the texts of the tagged ones' [ "$(grep -cE 'swallow|doves' "$LAB/out2")" = 2 ]
	check 'the oldest first' [ "$(grep -n swallow "$LAB/out2" | cut -d: -f1)" -lt "$(grep -n doves "$LAB/out2" | cut -d: -f1)" ]
	check 'and of no other' sh -c '! grep -qE "crows|geese" "$1"' - "$LAB/out2"
	wait_for '1 left out: encrypted' 'what is encrypted is left out, and that is said'
	check 'with what to do, to the end' has 'gives its text'
	keys M-z
	wait_for 'Here u undeletes' 'Alt-z says what to do instead, in mail on this machine'
	keys q
	wait_for 'ended with 0' 'ends'
done
done_testing
