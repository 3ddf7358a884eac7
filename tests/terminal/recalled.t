#!/bin/sh
# A draft that was taken out of the server's Drafts folder, and that folder replaced by another one while it is written: what
# has its number now stays.
. "$(dirname "$0")/compose-lib.sh"
. "$(dirname "$0")/server-lib.sh"
anna=$server/mail/anna/Maildir
holds() { grep -lrE "^Subject: $2\$" "$1"/cur "$1"/new 2>/dev/null | grep -q .; }
far_account anna anna | far_profile
mkdir -p "$anna/cur" "$anna/new" "$anna/tmp" "$anna/.Drafts/cur" "$anna/.Drafts/new" "$anna/.Drafts/tmp"
plain 'Begun' 1 'Half of it.' >"$anna/.Drafts/cur/1700000001.one:2,DS"
[ "$MAIL_UID" = "$(id -u)" ] || chown -R "$MAIL_UID:$MAIL_GID" "$anna"

compose_start 80 24 --
wait_for 'anna  online' 'the account is there'
keys c
seen '^Change to folder'
typed 'anna/Drafts'
keys Enter
wait_for '^>.*Begun' 'the draft'
keys R
wait_for 'Half of it' 'it is gone on with'
pid=$(signet_pid)
kill -STOP "$pid" # so that it never looks while there is no such folder
replace_folder anna Drafts
check 'the folder is replaced' holds "$anna/.Drafts" Another
doveadm -c "$server/dovecot.conf" kick anna >/dev/null 2>&1
kill -CONT "$pid"
wait_for 'replaced' 'which is noticed when the connection is there again'
keys q
seen 'Keep this message'
keys n
wait_for 'The older draft stays: the folder Drafts was replaced' 'dropped: what is not deleted is said'
check 'the one that has its number now is on the screen' has 'Another'
keys q
seen 'ended with 0'
check 'and stays' holds "$anna/.Drafts" Another
check 'as does the draft' holds "$anna/.Before" Begun
done_testing
