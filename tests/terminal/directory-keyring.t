#!/bin/sh
# A directory that wants a login: its password is asked for once, kept in the keyring only where that was said, and taken
# from there by `signet cert find` and by the screen, which asks for none. gnome-keyring on a bus of its own, and slapd,
# whose ou=inside is shown to uid=reader alone.
. "$(dirname "$0")/compose-lib.sh"
bus_pid= keyring_pid=
finish_all() {
	[ -z "$keyring_pid" ] || kill "$keyring_pid" 2>/dev/null
	[ -z "$bus_pid" ] || kill "$bus_pid" 2>/dev/null
	sh tests/lab/slapd.sh stop "$LAB/ldap"
	finish
}
trap finish_all EXIT

make_pki bob eve
printf 'dn: uid=eve,ou=inside,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: eve\ncn: Eve Inside\nsn: Inside\nmail: eve@example.org\nuserCertificate;binary:: %s\n' \
	"$(openssl x509 -in "$pki/eve.pem" -outform DER | base64 -w 0)" >"$LAB/people.ldif"
sh tests/lab/slapd.sh start "$LAB/ldap" "$LAB/people.ldif"
. "$LAB/ldap/env"
log=$LAB/ldap/log

mkdir -p "$LAB/home" "$LAB/bus"
chmod 700 "$LAB/bus"
own="HOME=$LAB/home XDG_RUNTIME_DIR=$LAB/bus XDG_DATA_HOME=$LAB/home/data XDG_CONFIG_HOME=$LAB/home/config"
env $own dbus-daemon --session --nofork --address="unix:path=$LAB/bus/bus" >"$LAB/bus.log" 2>&1 &
bus_pid=$!
bus=unix:path=$LAB/bus/bus
until_true [ -S "$LAB/bus/bus" ]
printf secret | env $own DBUS_SESSION_BUS_ADDRESS="$bus" gnome-keyring-daemon --unlock --foreground --components=secrets >"$LAB/keyring.log" 2>&1 &
keyring_pid=$!
owned() {
	DBUS_SESSION_BUS_ADDRESS="$bus" dbus-send --session --print-reply --dest=org.freedesktop.DBus / \
		org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets 2>/dev/null | grep -q 'boolean true'
}
check 'a keyring runs' until_true owned

writer_profile <<-END
	undo-send = 1
	encrypt = ask
END
printf '[directory corp]\nbase = dc=example,dc=org\ndomains = example.org\nurl = ldaps://localhost:%s\nbind = uid=reader,dc=example,dc=org\n' \
	"$PORT_LDAPS" >>"$LAB/profile/signet.conf"
"$SIGNET" --profile "$LAB/profile" cert import --tls "$LAB/ldap/tls/ca.pem" >/dev/null
plain 'An old letter' 1 'Hello Bob.' | deliver one 1
find_eve() { start 100 24 "DBUS_SESSION_BUS_ADDRESS=$bus" -- cert find "$@" eve@example.org; }
logins() { grep -c 'BIND dn="uid=reader,dc=example,dc=org" method=128' "$log"; }
refused() { grep -c 'RESULT tag=97 err=49' "$log"; }

find_eve
wait_for 'Password of uid=reader,dc=example,dc=org at ldaps://localhost' 'nothing is kept yet: it is asked for'
typed secret-reader
keys Enter
wait_for '^candidate .*eve' 'and finds whom the directory shows to that login alone'
check 'the password is not shown' has_not 'secret-reader'
find_eve
wait_for 'Password of uid=reader' 'it was not kept, since nobody said so'
typed wrong-word
keys Enter
wait_for 'refuses the login of uid=reader' 'a wrong one is said'
find_eve --keep-password
wait_for 'Password of uid=reader' 'to be kept'
typed secret-reader
keys Enter
wait_for '^candidate .*eve' 'finds'
before=$(logins)
find_eve
wait_for '^candidate .*eve' 'kept: found without a question'
check 'none was asked' has_not 'Password of'
check 'by a login' [ "$(logins)" -gt "$before" ]
before=$(refused)
start 100 24 "DBUS_SESSION_BUS_ADDRESS=unix:path=$LAB/nowhere" -- --batch cert find eve@example.org
wait_for 'ended with [1-9]' 'without that keyring'
check 'nothing is found, and the option is named' has 'password-file|keyring'
check 'and no login was tried' [ "$(refused)" = "$before" ]

before=$(logins)
find_eve --import
wait_for 'Accept for eve@example.org: .*issued by Lab Mail CA' 'cert find --import asks'
check 'with the fingerprint to compare' eval 'screen | tr -d "\n" | grep -q "$(openssl x509 -in "$pki/eve.pem" -noout -fingerprint -sha256 | sed "s/.*=//" | cut -c 1-30)"'
keys n Enter
wait_for 'nothing was accepted' 'no: it is not'
check 'and stays away from the database' eval '! "$SIGNET" --profile "$LAB/profile" cert list --people | grep -q eve'
find_eve --import
seen 'Accept for eve@example.org'
keys y Enter
wait_for '^accepted .*eve' 'yes: it is'
check 'and stands in the database' eval '"$SIGNET" --profile "$LAB/profile" cert list --people | grep -q eve'
start 100 24 -- --batch cert find --import eve@example.org
wait_for 'with --batch say --accept' 'it asks: not for scripts'

"$SIGNET" --profile "$LAB/profile" cert delete --yes eve@example.org >/dev/null 2>&1
rm -f "$LAB/profile/data/people.db"*
compose_start 80 24 "DBUS_SESSION_BUS_ADDRESS=$bus" --
seen '^> *1 '
begin 'eve@example.org' 'Figures'
wait_for '^ candidate *eve@example.org' 'the screen finds her certificate by the kept password'
check 'and asked nobody' has_not 'Password'
check 'by a login of its own' [ "$(logins)" -gt "$before" ]
check 'no password stands in a file of the profile' eval '! grep -r secret-reader "$LAB/profile"'
pid=$(signet_pid)
terminal kill-server # it saves the draft first
until_true eval '! kill -0 "$pid" 2>/dev/null'
done_testing
