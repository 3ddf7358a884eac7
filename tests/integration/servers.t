#!/bin/sh
# What other clients change, and what waited for the line, carried out at servers that differ: Dovecot with each capability
# switched off, and with sdbox beside Maildir; Cyrus, which keeps modification sequences and tells of what is gone in its
# own way. signet is killed at a step of each kind of change, and the lines to sdbox and Cyrus break. SERVERS_SEED=N runs
# the same once more.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
chmod 711 "$tmp" # the servers' own users pass through it
mkdir "$tmp/dovecot" "$tmp/cyrus"
trap 'sh tests/lab/cyrus.sh stop "$tmp/cyrus"; sh tests/lab/dovecot.sh stop "$tmp/dovecot" >/dev/null 2>&1; tap_cleanup' EXIT
ZLIB=yes sh tests/lab/dovecot.sh start "$tmp/dovecot" >"$tmp/start" 2>&1 || { cat "$tmp/start"; echo "Bail out! no Dovecot"; exit 1; }
sh tests/lab/cyrus.sh start "$tmp/cyrus" >"$tmp/start" 2>&1 || { cat "$tmp/start"; echo "Bail out! no Cyrus"; exit 1; }
SIGNET=$signet PYTHONDONTWRITEBYTECODE=1 python3 tests/integration/servers.py "$tmp/dovecot" "$tmp/cyrus" "$tmp"
