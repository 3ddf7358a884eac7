#!/bin/sh
# The list is on the screen before the certificate database is open; what needs it waits; that it cannot be opened is
# said.
. "$(dirname "$0")/lib.sh"
make_profile
plain 'First of all' 1 'The body of it.' | deliver a 1
plain 'Second of all' 2 'Another body.' | deliver b 2

# Another program writes to the database, and does not end.
cat >"$LAB/hold.py" <<'END'
import signal, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
open(sys.argv[2], "w").close()
signal.pause()
END
hold() {
	rm -f "$LAB/held"
	python3 "$LAB/hold.py" "$LAB/profile/nssdb/cert9.db" "$LAB/held" &
	holder=$!
	until_true test -e "$LAB/held"
}
release() {
	kill $holder
	wait $holder 2>/dev/null
}

hold
start 160 24 --
wait_for 'Second of all' 'the list is there while the database is still locked'
check 'which it is' kill -0 $holder
keys Enter
release
wait_for 'Another body' 'a message that was opened meanwhile is read when it is free'
check 'and nothing was complained of' has_not 'in use by'
keys q
wait_for '^> *[0-9].*Second of all' 'back in the list'
keys q
wait_for 'ended with 0' 'it ends'

hold
start 160 24 --
wait_for 'Second of all' 'the list is there again'
wait_for 'ended with 75' 'it ends where the database stays locked'
check 'and names the program' has 'in use by python3'
release

hold
start 160 24 --
wait_for 'Second of all' 'once more'
keys q
wait_for 'ended with 0' 'q does not wait for the database'
check 'which is still locked' kill -0 $holder
release

echo 'This was a database once, and is one no more: whoever reads it sees that at its first words, which are these.' \
	>"$LAB/profile/nssdb/cert9.db"
start 160 24 --
wait_for 'ended with 78' 'with a damaged database it ends'
check 'and says so' has 'cert9.db is damaged'
done_testing
