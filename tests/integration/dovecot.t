#!/bin/sh
# The IMAP driver and the worker against a real Dovecot: tests/unit/test-dovecot.c does it, too slow for a unit test.
cd "$(dirname "$0")/../.." || exit 1
SIGNET_DOVECOT=$(mktemp -d)
export SIGNET_DOVECOT
chmod 711 "$SIGNET_DOVECOT"
trap 'sh tests/lab/dovecot.sh stop "$SIGNET_DOVECOT/lab"; rm -rf "$SIGNET_DOVECOT"' EXIT
trap 'exit 1' INT TERM
sh tests/lab/dovecot.sh start "$SIGNET_DOVECOT/lab" || { echo "Bail out! no server"; exit 1; }
"${BUILD:-build}/tests/test-dovecot" || exit 1
"${BUILD:-build}/tests/test-append" -p /append/dovecot >"$SIGNET_DOVECOT/append" 2>&1 && exit 0
sed 's/^/# /' "$SIGNET_DOVECOT/append"
exit 1
