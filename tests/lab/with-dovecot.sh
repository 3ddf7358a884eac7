#!/bin/sh
# with-dovecot.sh PROGRAM [ARGUMENT...]: runs build/tests/PROGRAM against a Dovecot of its own; for tests/integration/dovecot*.t.
cd "$(dirname "$0")/../.." || exit 1
SIGNET_DOVECOT=$(mktemp -d)
export SIGNET_DOVECOT
chmod 711 "$SIGNET_DOVECOT"
trap 'sh tests/lab/dovecot.sh stop "$SIGNET_DOVECOT/lab"; rm -rf "$SIGNET_DOVECOT"' EXIT
trap 'trap "" PIPE; exit 1' INT TERM HUP PIPE
sh tests/lab/dovecot.sh start "$SIGNET_DOVECOT/lab" || { echo "Bail out! no server"; exit 1; }
program=$1
shift
"${BUILD:-build}/tests/$program" "$@"
