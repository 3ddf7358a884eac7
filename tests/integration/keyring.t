#!/bin/sh
# Passwords in a real gnome-keyring, on a session bus of their own in a temp folder.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
mkdir -p "$tmp/home" "$tmp/run"
chmod 700 "$tmp/run"
cat >"$tmp/inside" <<S
set -e
printf secret | gnome-keyring-daemon --unlock --foreground --components=secrets >/dev/null 2>"$tmp/daemon.log" &
daemon=\$!
trap 'kill \$daemon 2>/dev/null; wait \$daemon 2>/dev/null || :' EXIT
until dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner \
	string:org.freedesktop.secrets 2>/dev/null | grep -q 'boolean true'; do
	kill -0 \$daemon || { cat "$tmp/daemon.log"; exit 1; }
	perl -e 'select undef, undef, undef, 0.05'
done
"$BUILD/tests/test-keyring" --service
echo "doctor: \$("$signet" --profile "$tmp/p" doctor | grep passwords)"
S
out=$(env HOME="$tmp/home" XDG_RUNTIME_DIR="$tmp/run" XDG_DATA_HOME="$tmp/home/data" XDG_CONFIG_HOME="$tmp/home/config" \
	dbus-run-session -- sh "$tmp/inside" 2>&1 </dev/null)
ok $? "stored, found, replaced and forgotten in gnome-keyring" "$out"
like "$out" '^ok 1 /keyring/service' "the test inside ran"
like "$out" 'doctor: OK .*keyring answers' "doctor says that it serves"
done_testing
