#!/bin/sh
# A mailbox in /var/mail for somebody who is not of the group mail: locked by dotlockfile. Needs root, to make one for
# the user nobody, which must have none.
cd "$(dirname "$0")/../.." || exit 1
skip() { echo "1..0 # SKIP $1"; exit 0; }
spool=/var/mail/nobody
[ "$(id -u)" = 0 ] || skip 'only root can make a mailbox for another user'
command -v setpriv >/dev/null || skip 'there is no setpriv'
[ -x /usr/bin/dotlockfile ] || skip 'there is no dotlockfile'
[ ! -e $spool ] && [ ! -e $spool.lock ] || skip "$spool is somebody's"
[ -d /var/mail ] || skip 'there is no /var/mail'
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"; rm -f $spool $spool.lock' EXIT
trap 'trap "" PIPE; exit 1' INT TERM HUP PIPE
for subject in one two three; do
	printf 'From anna@example.org Thu Mar 12 14:02:00 2026\nSubject: %s\nFrom: anna@example.org\n\nText.\n\n' $subject
done >"$tmp/mail"
mkdir "$tmp/state"
cp "${BUILD:-build}/tests/test-var-mail" "$tmp/test-var-mail" # nobody may not look everywhere
chmod 755 "$tmp" "$tmp/test-var-mail"
chown nobody "$tmp/state"
install -o nobody -g mail -m 600 "$tmp/mail" $spool
SIGNET_SPOOL=$spool SIGNET_SPOOL_STATE=$tmp/state setpriv --reuid nobody --regid nogroup --clear-groups "$tmp/test-var-mail"
