#!/bin/sh
# A typed password and the desktop's keyring, which is a real gnome-keyring on a session bus of its own.
. "$(dirname "$0")/server-lib.sh"
bus=
trap '[ -z "$daemon" ] || kill $daemon 2>/dev/null; [ -z "$bus" ] || kill $bus 2>/dev/null; stop_dovecot "$server"; finish' EXIT
make_profile
cat >"$LAB/profile/signet.conf" <<END
[account anna]
address = anna@example.org
imap = imaps://anna@127.0.0.1:$PORT_TLS
[keys]
system-tokens = no
END
"$SIGNET" --profile "$LAB/profile" cert import --tls "$server/tls/ca-good.pem" >/dev/null 2>&1

# Without a keyring nothing is asked.
start 80 24 --
wait_for '^Password of anna' 'no keyring: the password is asked for'
typed 'secret-anna'
keys Enter
wait_for 'No messages' 'and lets us in'
keys '?'
wait_for 'Help: keys' 'another key is answered'
check 'nothing was asked' has_not 'keyring\?|Keep the'
keys q q
wait_for 'ended with 0' 'ends'

# A bus, and a keyring that is unlocked.
mkdir -p "$LAB/home" "$LAB/run"
chmod 700 "$LAB/run"
export HOME="$LAB/home" XDG_RUNTIME_DIR="$LAB/run" XDG_DATA_HOME="$LAB/home/data" XDG_CONFIG_HOME="$LAB/home/config"
dbus-daemon --session --fork --print-address=3 --print-pid=4 3>"$LAB/address" 4>"$LAB/bus" || { echo 'Bail out! no bus'; exit 1; }
bus=$(cat "$LAB/bus")
DBUS_SESSION_BUS_ADDRESS=$(cat "$LAB/address")
export DBUS_SESSION_BUS_ADDRESS
printf secret >"$LAB/unlock"
gnome-keyring-daemon --unlock --foreground --components=secrets <"$LAB/unlock" >/dev/null 2>&1 &
daemon=$!
answers() {
	dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner \
		string:org.freedesktop.secrets 2>/dev/null | grep -q 'boolean true'
}
check 'a keyring answers' until_true answers

come_in() { # come_in PASSWORD
	start 80 24 --
	wait_for '^Password of anna' "$what: the password is asked for"
	typed "$1"
	keys Enter
	wait_for '^Keep the password of anna in the keyring\? \(y/n, v: never\) *$' "$what: and whether to keep it"
	check "$what: only once it let us in" has 'online'
}
what='no'
come_in secret-anna
keys n
wait_gone 'Keep the' "$what: is taken"
keys q
wait_for 'ended with 0' "$what: ends"

what='yes'
come_in secret-anna
keys y
wait_for 'The password is in the keyring now' "$what: kept"
keys q
wait_for 'ended with 0' "$what: ends"
start 80 24 --
wait_for 'anna  online' 'the next time nothing is asked'
check 'neither the password nor whether to keep it' has_not 'Password of|Keep the'
keys q
wait_for 'ended with 0' 'ends'
"$SIGNET" --profile "$LAB/profile" account check >"$LAB/out" 2>&1
check 'account check says where it came from' grep -q 'password  *OK  *from the keyring' "$LAB/out"
"$SIGNET" --profile "$LAB/profile" doctor >"$LAB/out" 2>&1
check 'doctor too' grep -q 'anna  *password: from the keyring' "$LAB/out"

# The server has another password now.
sed -i 's/secret-anna/changed-anna/' "$server/passwd"
sh tests/lab/dovecot.sh stop "$server"
sh tests/lab/dovecot.sh again "$server"
"$SIGNET" --profile "$LAB/profile" --batch account check >"$LAB/out" 2>&1
check 'a batch run fails' grep -q 'password  *FAILED  *from the keyring' "$LAB/out"
start 80 24 --
wait_for 'refused the password from the keyring, which has forgotten it' 'a stored one that is refused is forgotten'
wait_for '^Password of anna' 'and asked for'
typed 'changed-anna'
keys Enter
wait_for '^Keep the password' 'the new one may be kept'
keys v
wait_gone 'Keep the' 'never'
keys q
wait_for 'ended with 0' 'ends'
start 80 24 --
wait_for '^Password of anna' 'nothing was kept'
typed 'changed-anna'
keys Enter
wait_for 'No messages' 'it lets us in'
keys '?'
wait_for 'Help: keys' 'another key is answered'
check 'never is never' has_not 'Keep the'
keys q q
wait_for 'ended with 0' 'ends'
done_testing
