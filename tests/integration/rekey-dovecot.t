#!/bin/sh
# signet rekey --to on a real IMAP server: flags, keywords and dates as another client sees them, kill -9 at every step, a
# server without UIDPLUS, a mailbox that is full, a line that breaks.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
lab=$tmp/lab work=$tmp/work profile=$tmp/profile here=$PWD
mkdir -p "$lab" "$work"
chmod 711 "$tmp" # Dovecot's own user passes through it
between_pid=
trap '[ -z "$between_pid" ] || kill $between_pid 2>/dev/null; cd "$here"; sh tests/lab/dovecot.sh stop "$lab" >/dev/null 2>&1; tap_cleanup' EXIT
sh tests/lab/dovecot.sh start "$lab" >"$tmp/start" 2>&1
ok $? "a Dovecot starts" "$(cat "$tmp/start")"
. "$lab/env"
. tests/lab/rekey-lab.sh
printf '[account far]\naddress = anna@example.org\nimap = imaps://anna@127.0.0.1:%s\npassword-command = echo secret-anna\n[keys]\nsystem-tokens = no\n' \
	"$PORT_TLS" >"$profile/signet.conf"
run 0 cert import --tls "$lab/tls/ca-good.pem" && run 0 cert import --trust root.pem && run 0 cert import --password-file password old.p12 && run 0 cert import bob.pem && card new
did 'keys in the database and on a token'
to=$(print_of new.pem)

for i in 1 2 3; do sealed $i aes-256-cbc old.pem >m$i; done
signed_sealed 4 old.pem >m4
sealed 5 des3 old.pem bob.pem >m5
plain 6 >m6
wrapped 7 old.pem >m7
sealed 8 aes-256-gcm new.pem >m8
cat >imap.py <<'END'
# imap.py PORT reset|list: INBOX filled anew; or a line for each message that another client can tell
import hashlib, imaplib, re, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[3])
box = imaplib.IMAP4_SSL("127.0.0.1", int(sys.argv[1]), ssl_context=context)
box.login("anna", "secret-anna")
box.select("INBOX")
if sys.argv[2] == "reset":
    if box.search(None, "ALL")[1][0]:
        box.store("1:*", "+FLAGS", r"(\Deleted)")
        box.expunge()
    flags = ["", r"\Seen $label1 Rot", r"\Flagged \Answered $Forwarded", r"\Seen", r"\Seen \Draft", "", r"\Seen", ""]
    for i in [int(n) for n in sys.argv[4:]] or range(1, 9):
        words = flags[i - 1]
        kind, data = box.append("INBOX", "(%s)" % words, '"%02d-Nov-2019 07:08:0%d +0300"' % (i, i), open("m%d" % i, "rb").read())
        assert kind == "OK", data
else:
    kind, data = box.fetch("1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
    for item in data:
        if not isinstance(item, tuple):
            continue
        about, body = item
        number = re.search(rb"Message-ID: <number(\d+)@", body).group(1).decode()
        flags = sorted(re.search(rb"FLAGS \(([^)]*)\)", about).group(1).decode().replace(r"\Recent", "").split())
        date = imaplib.Internaldate2tuple(re.search(rb'INTERNALDATE "[^"]*"', about).group(0))
        header = body.split(b"\r\n\r\n")[0].replace(b"authEnveloped-data", b"enveloped-data")
        open("got" + number, "wb").write(body)
        print(number, " ".join(flags), tuple(date)[:6], hashlib.sha256(header).hexdigest()[:16], body.count(b"\r\n") == body.count(b"\n"))
END
imap() { # imap reset|list [NUMBER...]: in which order it is filled
	what=$1
	shift
	python3 imap.py "$PORT_TLS" "$what" "$lab/tls/ca-good.pem" "$@"
}
seen_by_all() { imap list | sort; }
insides() { # how many of the five that can be done the new key opens, to what was in them
	good=0
	for i in 1 2 3 4 5; do
		opened m$i old >a 2>/dev/null && opened got$i new >b 2>/dev/null && cmp -s a b && good=$((good + 1))
	done
	echo $good
}
restart() { # restart [LINES]: another configuration
	(cd "$here" && sh tests/lab/dovecot.sh stop "$lab")
	sed -i '/^# here/,$d' "$lab/dovecot.conf"
	[ -z "${1:-}" ] || printf '# here\n%s\n' "$1" >>"$lab/dovecot.conf"
	(cd "$here" && sh tests/lab/dovecot.sh again "$lab" >/dev/null 2>&1)
}

imap reset
seen_by_all >before
run 1 rekey INBOX && says '^7 encrypted messages' && says '^ *5 +0 +.* old' && says '^ *1 +0 +.* new' || run 0 rekey INBOX
did 'the report'
run 1 rekey --to "$to" --yes --pin-file pin INBOX && says '^5 messages written anew, 1 could be read with that key already, 1 left'
did 'five are written anew'
seen_by_all >after
cmp before after; ok $? 'flags, keywords, dates and headers are as they were, for any client' "$(diff before after)"
is "$(insides)" 5 'openssl reads each with the new key, octet for octet what was in it'
run 1 rekey --to "$to" --yes --pin-file pin INBOX && says '^0 messages written anew, 6 could'; did 'run again: nothing to do'

for point in noted stored numbered checked marked expunged; do
	imap reset
	SIGNET_TEST_DIE=rekey-$point "$signet" --profile "$profile" --batch rekey --to "$to" --yes --pin-file pin INBOX >out 2>err
	is $? 137 "killed at rekey-$point"
	run 1 rekey --resume --pin-file pin
	did "killed at rekey-$point: resumed"
	seen_by_all >after
	cmp before after; ok $? "killed at rekey-$point: all is as it should be" "$(diff before after)"
	is "$(insides)" 5 "killed at rekey-$point: and read with the new key"
done

restart 'protocol imap {
  imap_capability = IMAP4rev1 LITERAL+ IDLE
}'
imap reset
run 1 rekey --to "$to" --yes --pin-file pin INBOX && says '^5 messages written anew'; did 'without UIDPLUS'
seen_by_all >after
cmp before after; ok $? 'the same comes of it' "$(diff before after)"
is "$(insides)" 5 'and the same is in it'
for point in stored checked marked; do
	imap reset
	SIGNET_TEST_DIE=rekey-$point "$signet" --profile "$profile" --batch rekey --to "$to" --yes --pin-file pin INBOX >out 2>err
	run 1 rekey --resume --pin-file pin
	seen_by_all >after
	cmp before after; ok $? "without UIDPLUS: killed at rekey-$point, resumed" "$(diff before after)"
done

# A mailbox with room for the largest message once more: each old one makes room for the next.
imap_size() { cat m[1-8] | wc -c; }
quota() { # quota OCTETS
	restart "mail_plugins = \$mail_plugins quota
plugin {
  quota = count:User
  quota_vsizes = yes
  quota_rule = *:bytes=$1
}"
}
restart
imap reset
quota $(($(imap_size) + $(wc -c <m4) + 500))
run 1 rekey --to "$to" --yes --pin-file pin INBOX && says '^5 messages written anew'; did 'hardly any room: the old ones make room'
seen_by_all >after
cmp before after; ok $? 'and all is as it should be' "$(diff before after)"
restart
imap reset
quota $(($(imap_size) + 200))
run 75 rekey --to "$to" --yes --pin-file pin INBOX && complains 'uota' && says 'Nothing is lost: signet rekey --resume'; did 'no room at all: it stops and says so'
imap list >/dev/null; seen_by_all >after
cmp before after; ok $? 'and nothing has changed' "$(diff before after)"
restart
run 1 rekey --resume --pin-file pin && says '^5 messages written anew'; did 'with room again, --resume goes on'
seen_by_all >after
cmp before after; ok $? 'to its end' "$(diff before after)"
is "$(insides)" 5 'with the new key'

# Between us and the server: what lies about the copy's number, what cuts the line once a copy was stored, what changes
# the header of what is stored, and what presses Ctrl-C when the first message is asked for.
cat >between.py <<'END'
import os, re, signal, socket, ssl, sys, threading, time
port, tls, mode = int(sys.argv[1]), sys.argv[2], sys.argv[3]
ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
ours.load_cert_chain(tls + "/good.pem", tls + "/good.key")
theirs = ssl.create_default_context(cafile=tls + "/ca-good.pem")
left = [1]
def pump(source, target, back):
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            if back and b"APPENDUID" in data:
                if mode == "lie":
                    data = re.sub(rb"(APPENDUID \d+) \d+", lambda m: m.group(1) + b" " + sys.argv[4].encode(), data)
                elif mode == "cut" and left and left.pop():
                    break
            if not back and mode == "mangle":
                data = data.replace(b"X-Odd:", b"X-Bad:")
            if not back and mode == "press" and b"BODY.PEEK[]" in data and left and left.pop():
                while not os.path.exists("pid"):
                    time.sleep(0.01)
                os.kill(int(open("pid").read()), signal.SIGINT)
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    plain, _ = listener.accept()
    try:
        near = ours.wrap_socket(plain, server_side=True)
        far = theirs.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1")
    except OSError:
        continue
    threading.Thread(target=pump, args=(near, far, False), daemon=True).start()
    threading.Thread(target=pump, args=(far, near, True), daemon=True).start()
END
between() { # between MODE [NUMBER]
	rm -f port
	python3 between.py "$PORT_TLS" "$lab/tls" "$@" >port 2>/dev/null &
	between_pid=$!
	wait_until 30 test -s port
	sed -i "s/127.0.0.1:[0-9]*/127.0.0.1:$(cat port)/" "$profile/signet.conf"
}
direct() {
	kill $between_pid
	wait $between_pid 2>/dev/null
	sed -i "s/127.0.0.1:[0-9]*/127.0.0.1:$PORT_TLS/" "$profile/signet.conf"
}
imap reset
run 0 --json list INBOX
between lie "$(sed -n 's/.*"uid":\([0-9]*\).*number8@.*/\1/p' out)"
run 1 rekey --to "$to" --yes --pin-file pin INBOX && says '^5 messages written anew'; did 'a server that tells a wrong number for the copy'
direct
seen_by_all >after
cmp before after; ok $? 'nothing of anybody else is taken away, and all is as it should be' "$(diff before after)"
imap reset
between cut
run 69 rekey --to "$to" --yes --pin-file pin INBOX && says 'signet rekey --resume'; did 'a line that breaks when a copy was stored'
direct
run 1 rekey --resume --pin-file pin; did 'is gone on with'
seen_by_all >after
cmp before after; ok $? 'and each message is there once' "$(diff before after)"
is "$(insides)" 5 'with the new key'

# Ctrl-C while --resume looks at a message that needs nothing: what it did not look at is not done.
imap reset 8 1 2 3 4 5 6 7
SIGNET_TEST_DIE=rekey-noted "$signet" --profile "$profile" --batch rekey --to "$to" --yes --pin-file pin INBOX >out 2>err
is $? 137 'killed before the first copy is stored'
between press
rm -f pid
"$signet" --profile "$profile" --batch rekey --resume --pin-file pin >out 2>err </dev/null &
resumed=$!
echo $resumed >pid.new && mv pid.new pid
wait $resumed
is $? 75 'Ctrl-C while --resume looks what there is to do: not done to its end'
says '^It was not done to its end.*signet rekey --resume goes on'; did 'and it says so'
direct
run 1 rekey --resume --pin-file pin && says '^5 messages written anew, 1 could be read with that key already'; did 'resumed once more: all five'
seen_by_all >after
cmp before after; ok $? 'and all is as it should be' "$(diff before after)"

imap reset
between mangle
run 1 rekey --to "$to" --yes --pin-file pin INBOX && says '^0 messages written anew' && [ "$(grep -c 'gave back another header' out)" = 5 ]; did 'a server that changes a header: none is done, all are listed'
direct
seen_by_all >after
cmp before after; ok $? 'and nothing has changed' "$(diff before after)"
for point in stored numbered; do
	imap reset
	between mangle
	SIGNET_TEST_DIE=rekey-$point "$signet" --profile "$profile" --batch rekey --to "$to" --yes --pin-file pin INBOX >out 2>err
	is $? 137 "killed at rekey-$point behind such a server"
	direct
	run 1 rekey --resume --pin-file pin && says '^4 messages written anew' && [ "$(grep -c 'gave back another header' out)" = 1 ]; did 'resumed: that copy goes, and its old one is listed'
	seen_by_all >after
	cmp before after; ok $? 'and each message is there once, with its header' "$(diff before after)"
	run 1 rekey --to "$to" --yes --pin-file pin INBOX && says '^1 message written anew'; did 'the next run does it'
	seen_by_all >after
	cmp before after; ok $? 'as the others' "$(diff before after)"
done

# Another UIDVALIDITY between the crash and the next run.
imap reset
SIGNET_TEST_DIE=rekey-stored "$signet" --profile "$profile" --batch rekey --to "$to" --yes --pin-file pin INBOX >out 2>err
(cd "$here" && sh tests/lab/dovecot.sh stop "$lab")
rm -f "$lab/mail/anna/Maildir"/dovecot*uidlist* "$lab/mail/anna/Maildir"/dovecot.index*
(cd "$here" && sh tests/lab/dovecot.sh again "$lab" >/dev/null 2>&1)
run 1 rekey --resume --pin-file pin; did 'another UIDVALIDITY meanwhile'
seen_by_all | sed 's/\$label1 Rot//; s/  */ /' >after
sed 's/\$label1 Rot//; s/  */ /' before >plain
is "$(wc -l <after),$(insides)" 8,5 'each is there once, and read'
done_testing
