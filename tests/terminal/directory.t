#!/bin/sh
# A directory on the screen: asked for recipients while a message is written, by itself or by a key, and for addresses.
. "$(dirname "$0")/compose-lib.sh"
finish_all() {
	for pid in $hostile; do kill "$pid" 2>/dev/null; done
	sh tests/lab/slapd.sh stop "$LAB/ldap"
	finish
}
hostile=
trap finish_all EXIT

make_pki bob anna carol
person self >/dev/null 2>&1
openssl req -x509 -key "$pki/self.key" -days 9 -subj '/CN=Self' -addext subjectAltName=email:gina@example.org -addext basicConstraints=critical,CA:FALSE \
	-out "$pki/gina.pem" 2>/dev/null
entry() { # entry UID NAME
	printf 'dn: uid=%s,ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: %s\ncn: %s\nsn: %s\nmail: %s@example.org\nuserCertificate;binary:: %s\n\n' \
		"$1" "$1" "$2" "${2#* }" "$1" "$(openssl x509 -in "$pki/$1.pem" -outform DER | base64 -w 0)"
}
{
	entry carol 'Carol Otieno'
	entry gina 'Gina Self'
	printf 'dn: uid=zed,ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: zed\ncn: Zed "O, Neil\nsn: Z\nmail: zed@example.org\n'
} >"$LAB/people.ldif"
sh tests/lab/slapd.sh start "$LAB/ldap" "$LAB/people.ldif"
check 'slapd runs' [ -s "$LAB/ldap/env" ]
. "$LAB/ldap/env"
log=$LAB/ldap/log

fill() { # fill DIRECTORY-LINE...
	writer_profile <<-END
		undo-send = 1
		encrypt = ask
	END
	{
		printf '[directory corp]\nbase = dc=example,dc=org\ndomains = example.org\n'
		printf '%s\n' "$@"
	} >>"$LAB/profile/signet.conf"
	"$SIGNET" --profile "$LAB/profile" cert import --tls "$LAB/ldap/tls/ca.pem" >/dev/null
	plain 'An old letter' 1 'Hello Bob,\nhow are you?' | deliver one 1
	: >"$log"
}
# One whose terminal is taken away saves its draft first: the next must not meet it.
ended() { ! kill -0 "$1" 2>/dev/null; }
hang_up() {
	pid=$(signet_pid)
	terminal kill-server
	until_true ended "$pid"
}
asked() { grep -c "SRCH base=.*filter=\"(mail=$1)\"" "$log"; }
was_asked() { grep -q "SRCH base=.*$1" "$log"; }

# --- by itself, at two sizes
round() { # round COLUMNS ROWS
	size="$1x$2"
	fill "url = ldaps://localhost:$PORT_LDAPS"
	compose_start "$1" "$2" --
	seen '^> *1 '
	begin 'carol@example.org, dave@example.net' 'Figures'
	wait_for '^ candidate *carol@example.org' "$size: Carol's certificate is found in the directory, by itself"
	wait_for '1 certificate in the directory for carol@example.org' "$size: which is said"
	check "$size: Dave's domain is none of its own: it heard nothing of him" sh -c "! grep -q dave '$log'"
	check "$size: and of Carol once" [ "$(asked carol@example.org)" = 1 ]
	keys E
	seen '^ ENCRYPT on, but'
	keys y
	wait_for '^> *carol@example.org .*not accepted yet' "$size: it is no more than a candidate"
	check "$size: with its source" has 'directory corp'
	keys A
	wait_for 'directory corp' "$size: A shows whose it is and where it comes from"
	keys y
	wait_for 'Accepted for carol@example.org' "$size: it is accepted on a word"
	wait_for '^> *dave@example.net' "$size: and is no longer among those without"
	keys D
	seen 'Everybody can read it'
	check "$size: Carol is ready" has '^ ready *carol@example.org'
	keys y
	wait_for 'Sent: Figures' "$size: and the mail leaves"
	check "$size: encrypted" sh -c "! grep -l 'this is a letter' '$LAB'/delivered.*"
	keys q
	seen 'ended with 0'
}
round 80 24
round 120 40

# --- by a key
fill "url = ldap://localhost:$PORT_LDAP" 'ask = key'
compose_start 80 24 --
seen '^> *1 '
begin 'carol@example.org, gina@example.org' 'Figures'
wait_for '^ none *carol@example.org' 'ask = key: nothing is asked by itself'
keys E
seen '^ ENCRYPT on, but'
keys y
wait_for 'l asks directories' 'the table says that it can be asked'
check 'nobody was asked' [ "$(asked '.*')" = 0 ]
keys l
wait_for '^> *carol@example.org .*not accepted yet' 'l asks'
wait_for 'gina@example.org .*unfit' 'what nobody vouches for is no candidate'
check 'both were asked about' [ "$(asked '.*')" = 2 ]
check 'by StartTLS' grep -q 'TLS established' "$log"
hang_up

# --- addresses
fill "url = ldaps://localhost:$PORT_LDAPS"
compose_start 80 24 --
seen '^> *1 '
keys m
seen '^To:'
typed ca
keys Tab
typed r
keys Tab
wait_for '^To: Carol Otieno <carol@example.org>' 'three letters and Tab: whom the directory has'
check 'two were not enough' sh -c "! grep -q 'cn=ca\*' '$log'"
keys C-u
typed 'zed'
keys Tab
wait_for 'To: "Zed \\"O, Neil" <zed@example.org>|To: "Zed ' 'a name is quoted as it must be'
keys C-u
typed 'a*)(uid=*'
keys Tab
keys C-u
typed 'bob@example.net'
keys Tab
keys C-u
typed 'nobody'
keys Tab
check 'what was typed is no filter' until_true was_asked 'nobody'
check 'nor does it hear of addresses outside of its domains' sh -c "! grep -q 'example.net\|(uid=\*' '$log'"
hang_up

# --- a server that hangs holds nobody up
python3 tests/lab/ldap-hostile.py count "$LAB/hung" >"$LAB/port" &
hostile="$hostile $!"
until_true test -s "$LAB/port"
fill "url = ldap://127.0.0.1:$(cat "$LAB/port")" 'tls = none' 'timeout = 60'
compose_start 80 24 --
seen '^> *1 '
begin 'carol@example.org' 'Figures'
wait_for '^ none *carol@example.org' 'the recipients are there at once'
check 'while it is being asked' until_true grep -q connected "$LAB/hung"
keys S
wait_for '^ SIGN on' 'keys are answered meanwhile'
wait_for 'Asking the directory for certificates.*Esc cancels' 'that it is asked is said'
keys Escape
wait_gone 'Asking the directory' 'Esc ends it'
keys S
wait_for '^ SIGN off' 'and nothing else'
hang_up
done_testing
