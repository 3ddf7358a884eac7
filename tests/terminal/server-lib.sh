# A Dovecot of the test's own: $server is its folder, with $PORT_TLS and what else tests/lab/dovecot.sh says. It is stopped at
# the end. Instead of lib.sh, or after compose-lib.sh.
command -v wait_for >/dev/null || . "$(dirname "$0")/lib.sh"
command -v dovecot >/dev/null || PATH=$PATH:/usr/sbin
chmod 711 "$LAB" # its processes are other users'
server=$LAB/server
trap 'stop_dovecot "$server"; finish' EXIT
sh tests/lab/dovecot.sh start "$server" || { echo "Bail out! no server"; exit 1; }
. "$server/env"
