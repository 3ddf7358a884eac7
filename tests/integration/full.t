#!/bin/sh
# The disk is full, after ever more octets, under the journal of changes, the store, the index of words, the outbox, and all
# of them: a sentence says what to do, nothing is taken for damage, what was only here is not lost, and with room again all
# goes on. tests/lab/full-disk.c plays the disk, so that no right to mount one is needed. FULL_SEED=N runs the same again.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
lab=$tmp/lab
mkdir -p "$lab"
chmod 711 "$tmp" # Dovecot's own user passes through it
trap 'sh tests/lab/dovecot.sh stop "$lab" >/dev/null 2>&1; tap_cleanup' EXIT
cc -shared -fPIC -o "$tmp/full.so" tests/lab/full-disk.c -ldl || { echo 'Bail out! no full disk'; exit 1; }
sh tests/lab/dovecot.sh start "$lab" >"$tmp/start" 2>&1 || { cat "$tmp/start"; echo "Bail out! no server"; exit 1; }
SIGNET=$signet PYTHONDONTWRITEBYTECODE=1 python3 tests/integration/full.py "$lab" "$tmp" "$tmp/full.so"
