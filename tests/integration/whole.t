#!/bin/sh
# Lists whose lines are made of the text that is fetched with them (signet sync --bodies) against a real Dovecot: they are
# those that fetching the lines alone gives, whatever the headers are, and each text stands under its own number; also when
# signet is killed on the way, and when messages come, go and change meanwhile. WHOLE_SEED=N runs the same once more.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
lab=$tmp/lab
mkdir -p "$lab"
chmod 711 "$tmp" # Dovecot's own user passes through it
trap 'sh tests/lab/dovecot.sh stop "$lab" >/dev/null 2>&1; tap_cleanup' EXIT
sh tests/lab/dovecot.sh start "$lab" >"$tmp/start" 2>&1 || { cat "$tmp/start"; echo "Bail out! no server"; exit 1; }
SIGNET=$signet PYTHONDONTWRITEBYTECODE=1 python3 tests/integration/whole.py "$lab" "$tmp"
