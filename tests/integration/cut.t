#!/bin/sh
# The line breaks at 200 random octets of `signet sync`, half of them with changes waiting for it, in either direction, in
# the midst of a TLS record or of a line of IMAP, by an end or a reset, for a moment or until later. After each the next run
# brings what is kept and what is there to the same state, does what waited once, and leaves nothing to the one after it.
# CUT_SEED=N runs the same once more, CUT_POINTS=N so many.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
lab=$tmp/lab
mkdir -p "$lab"
chmod 711 "$tmp" # Dovecot's own user passes through it
trap 'sh tests/lab/dovecot.sh stop "$lab" >/dev/null 2>&1; tap_cleanup' EXIT
sh tests/lab/dovecot.sh start "$lab" >"$tmp/start" 2>&1 || { cat "$tmp/start"; echo "Bail out! no server"; exit 1; }
SIGNET=$signet PYTHONDONTWRITEBYTECODE=1 python3 tests/integration/cut.py "$lab" "$tmp"
