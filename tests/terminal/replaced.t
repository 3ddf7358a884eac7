#!/bin/sh
# A folder that is replaced by another one on its server, where the first number is another message's, while a message of it
# is on its way to another account: nothing of the other one is deleted.
. "$(dirname "$0")/server-lib.sh"
anna=$server/mail/anna/Maildir bob=$server/mail/bob/Maildir
mkfifo "$LAB/let-in" || exit 1
exec 8<>"$LAB/let-in"
# bob is let in once the test says so: until then what is to be stored there waits.
cat >"$LAB/password" <<END
#!/bin/sh
touch "$LAB/asked"
read word <"$LAB/let-in"
echo secret-bob
END
chmod +x "$LAB/password"
{
	far_account anna anna
	far_account bob bob | sed "s|^password-command = .*|password-command = $LAB/password|"
} | far_profile
mkdir -p "$anna/.Lists/cur" "$anna/.Lists/new" "$anna/.Lists/tmp"
plain 'Meant' 1 'This one.' >"$anna/.Lists/cur/1700000001.one:2,S"
mkdir -p "$anna/cur" "$anna/new" "$anna/tmp"
plain 'Elsewhere' 2 'Another folder.' >"$anna/cur/1700000002.two:2,S"
[ "$MAIL_UID" = "$(id -u)" ] || chown -R "$MAIL_UID:$MAIL_GID" "$anna"
holds() { grep -lrE "^Subject: $2\$" "$1"/cur "$1"/new 2>/dev/null | grep -q .; }

start 80 24 --
wait_for 'anna  online' 'the first account is there'
until_true test -e "$LAB/asked"
keys c
seen '^Change to folder'
typed 'anna/Lists'
keys Enter
wait_for 'Lists  1 message' 'the folder'
wait_for '^>.*Meant' 'and its message'
keys s
seen '^Move to folder'
typed 'bob/INBOX'
keys Enter
keys c
seen '^Change to folder'
typed 'anna/INBOX'
keys Enter
wait_for '^>.*Elsewhere' 'while it waits for the other account another folder is opened'
replace_folder anna Lists
check 'the folder is replaced' holds "$anna/.Lists" Another
echo >&8
check 'the message comes to the other account' until_true holds "$bob" Meant
wait_for 'was replaced|not deleted|not be deleted' 'that it was not deleted is said'
check 'the one that has its number now stays' holds "$anna/.Lists" Another
check 'and so does the one that was meant' holds "$anna/.Before" Meant
keys q
seen 'ended with 0'
check 'the one that has its number now stays' holds "$anna/.Lists" Another
done_testing
