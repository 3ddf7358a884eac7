#!/bin/sh
# Three signets, two of them on one profile, and a client that does everything at once, as a phone does, change the same
# two folders of one Dovecot at the same time: flags, moves, copies, deletions, new messages. Then all have the server's
# state, and a ledger accounts for every message: none is lost, none is there twice that nobody copied.
# TOGETHER_SEED=N takes the same choices once more, TOGETHER_ROUNDS=N so many.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
lab=$tmp/lab
mkdir -p "$lab"
chmod 711 "$tmp" # Dovecot's own user passes through it
trap 'sh tests/lab/dovecot.sh stop "$lab" >/dev/null 2>&1; tap_cleanup' EXIT
sh tests/lab/dovecot.sh start "$lab" >"$tmp/start" 2>&1 || { cat "$tmp/start"; echo "Bail out! no server"; exit 1; }
SIGNET=$signet PYTHONDONTWRITEBYTECODE=1 python3 tests/integration/together.py "$lab" "$tmp"
