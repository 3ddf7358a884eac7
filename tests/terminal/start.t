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

# Where the list is on a server the way to it is begun before there is a screen: what the screen needs of this is a pipe here,
# which nobody reads yet.
cat >"$LAB/listen.py" <<'END'
import os, signal, socket, sys
signal.alarm(900)
listener = socket.create_server(("127.0.0.1", 0))
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(listener.getsockname()[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
came = []
while True:
    came.append(listener.accept())
    open(sys.argv[2], "w").close()
END
python3 "$LAB/listen.py" "$LAB/port" "$LAB/came" &
listener=$!
until_true test -e "$LAB/port"
make_profile
cat >"$LAB/profile/signet.conf" <<END
[account far]
address = anna@example.org
imap = imaps://anna@127.0.0.1:$(cat "$LAB/port")
[keys]
system-tokens = no
END
start 80 24 -- --offline
wait_for 'far  offline' 'with --offline'
keys q
wait_for 'ended with 0' 'it ends'
check 'and has called nobody' [ ! -e "$LAB/came" ]
rm -f "$LAB/profile/state/stderr.log"
mkfifo "$LAB/profile/state/stderr.log"
start 80 24 --
check 'a server is called before there is a screen' until_true test -e "$LAB/came"
cat "$LAB/profile/state/stderr.log" >/dev/null &
reader=$!
wait_for 'INBOX .* far' 'which comes then'
keys q
wait_for 'ended with 0' 'q does not wait for the server'
kill $reader 2>/dev/null
wait $reader 2>/dev/null
rm -f "$LAB/profile/state/stderr.log"
kill $listener
wait $listener 2>/dev/null
done_testing
