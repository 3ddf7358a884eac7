#!/bin/sh
# More is found here than is shown: what the server finds of it is counted once all the same. The messages with the highest
# numbers are the oldest by date, so that here and on the server others are told.
. "$(dirname "$0")/server-lib.sh"
anna=$server/mail/anna/Maildir
far_account anna anna | far_profile
post() { # post FOLDER FIRST LAST
	mkdir -p "$1/cur" "$1/new" "$1/tmp"
	python3 - "$@" <<-'END'
		import sys, time
		folder, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
		for i in range(first, last):
		    day = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(1700000000 - i * 3600))
		    with open(f"{folder}/cur/{1700000000 + i}.M{i}.host:2,S", "w") as f:
		        f.write(f"From: Jo <jo@example.org>\nTo: anna@example.org\nSubject: Letter {i}\nDate: {day}\nMessage-ID: <{i}@x>\n\nA quagga.\n")
	END
	[ "$MAIL_UID" = "$(id -u)" ] || chown -R "$MAIL_UID:$MAIL_GID" "$anna"
}
post "$anna" 0 230
signet sync --bodies >/dev/null 2>&1
post "$anna/.Fresh" 300 302

start 80 24 --
wait_for '^ INBOX  230 messages' 'the list is there'
keys Q
wait_for 'Search all folders for:' 'Q'
typed quagga
wait_for '^ Search anna: 230 found' 'all are found here'
keys Enter
unseen 'Search all folders for:'
keys a
wait_for '^ The server answered; 2 more by it' 'the server has two that are not here'
check 'and no message counts twice' until_true has '^ Search anna: 232 found'
keys End
wait_for '^>.* Fresh +Jo +Letter 301' 'the last of them'
keys s
wait_for '^ Search anna: 232 found, best first' 'in the other order it is as many'
wait_for '2 more by it' 'here and there'
done_testing
