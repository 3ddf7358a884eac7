#!/bin/sh
# Mail of 100 MB on its way out: queued, submitted over TLS, its copy stored by APPEND, in little memory; octet for octet
# what was handed over; asked for its size before it is sent; and the same through a local command, into Maildir and mbox.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
. tests/lab/smtp-lab.sh
trap 'smtp_end; sh tests/lab/dovecot.sh stop "$tmp/dovecot" >/dev/null 2>&1; tap_cleanup' EXIT
chmod 711 "$tmp"
sh tests/lab/dovecot.sh start "$tmp/dovecot" >"$tmp/start" 2>&1 || { echo "Bail out! no Dovecot"; exit 1; }
. "$tmp/dovecot/env"
SMTP_SIZE=300000000 smtp_lab "$tmp/lab"
large_port=$smtp_port
export SIGNET_PASSWORD=secret-anna
p=$tmp/p
mkdir -p "$p/Mail/cur" "$p/Mail/new" "$p/Mail/tmp"
s="$signet --profile $p"

# A mail with lines that begin with dots, and 8-bit ones; CRLF, so that what is handed over is what leaves.
python3 - "$tmp" <<'EOP'
import sys
head = ("From: Anna <anna@example.org>\r\nTo: bob@example.org\r\nSubject: %s\r\nMessage-ID: <%s@example.org>\r\n"
        "Date: Sun, 22 Nov 2026 06:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n")
line = "..dots\r\n.\r\nFrom the middle\r\n\u00e4\u00f6\u00fc " + "x" * 60 + "\r\n" + ("y" * 72 + "\r\n") * 60
line = line.encode()
for name, times in (("small", 1), ("large", 100000000 // len(line) + 1)):
    with open("%s/%s" % (sys.argv[1], name), "wb") as f:
        f.write((head % (name, name)).encode())
        for i in range(times):
            f.write(line)
with open(sys.argv[1] + "/lf", "wb") as f: # line ends that must be made
    f.write((head % ("lf", "lf")).replace("\r\n", "\n").encode())
    for i in range(50000000 // len(line) + 1):
        f.write(line.replace(b"\r\n", b"\n"))
EOP
cat >"$tmp/peak.py" <<'EOP'
import re, resource, subprocess, sys
process = subprocess.Popen(sys.argv[2:], stdout=open(sys.argv[1] + "/out", "wb"), stderr=open(sys.argv[1] + "/err", "wb"))
anon = 0
while process.poll() is None:
    try:
        status = open("/proc/%d/status" % process.pid).read()
        anon = max(anon, int(re.search(r"RssAnon:\s+(\d+)", status).group(1)))
    except (OSError, AttributeError):
        pass
    try:
        process.wait(0.02)
    except subprocess.TimeoutExpired:
        pass
open(sys.argv[1] + "/code", "w").write(str(process.returncode))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, anon // 1024)
EOP
little() { # little WHAT LIMIT CODE COMMAND...: at most LIMIT MiB resident, all kinds together
	what=$1 limit=$2 want=$3
	shift 3
	used=$(python3 "$tmp/peak.py" "$tmp" "$@")
	is "$(cat "$tmp/code")" "$want" "$what"
	[ "${used% *}" -le "$limit" ]
	ok $? "$what: in little memory" "$used MiB resident, anonymous; limit $limit: $(head -c 300 "$tmp/err")"
	echo "# $what: ${used% *} MiB resident, ${used#* } anonymous, limit $limit"
}
digest() { sha256sum "$1" | cut -c 1-64; }
# (The line goes on with 20 MB of the text: as characters of UTF-8, matched backwards, it took sed half a minute.)
accepted() { tail -n 1 "$smtp_dir/accepted" | LC_ALL=C grep -o '"sha256": "[0-9a-f]*"' | cut -d '"' -f 4; }

conf() { printf '[account work]\naddress = anna@example.org\n%s\n%s\n' "$@" >"$p/signet.conf"; }
imap() {
	printf '[account work]\naddress = anna@example.org\nimap = imaps://anna@127.0.0.1:%s\nsmtp = smtps://anna@127.0.0.1:%s\n' \
		"$PORT_TLS" "$1" >"$p/signet.conf"
}
imap "$large_port"
exits 0 "authorities" $s cert import "$tmp/lab/ca.pem" --tls
exits 0 "of both servers" $s cert import "$tmp/dovecot/tls/ca-good.pem" --tls

exits 0 "a small one" $s outbox add "$tmp/small"
idle=$(python3 "$tmp/peak.py" "$tmp" $s outbox flush)
is "$(cat "$tmp/code")" 0 "is sent"
limit=$((${idle% *} + 32))
echo "# small: ${idle% *} MiB resident"
little "100 MB queued" $limit 0 $s outbox add "$tmp/large"
little "100 MB submitted, and appended to Sent" $limit 0 $s outbox flush
is "$(accepted)" "$(digest "$tmp/large")" "what the server took is what was handed over, dots and all"
stored=$(grep -rl '^Subject: large' "$tmp/dovecot/mail/anna/Maildir" | head -n 1)
tr -d '\r' <"$stored" >"$tmp/stored"
tr -d '\r' <"$tmp/large" >"$tmp/wanted"
cmp -s "$tmp/stored" "$tmp/wanted"
ok $? "and so is the copy in Sent"
is "$($s outbox list)" "" "the outbox is empty"
little "50 MB with bare line ends queued" $limit 0 $s outbox add "$tmp/lf"
little "and submitted" $limit 0 $s outbox flush
tr -d '\r' <"$tmp/lf" | sed 's/$/\r/' >"$tmp/wanted"
is "$(accepted)" "$(digest "$tmp/wanted")" "every line end is CRLF"

exits 0 "by sendmail from a pipe" sh -c "$s sendmail -i bob@example.org <'$tmp/small'"
little "100 MB by sendmail" $limit 0 sh -c "exec $s sendmail -i bob@example.org <'$tmp/large'"
is "$(accepted)" "$(digest "$tmp/large")" "leaves as it was"

# A server that names a smaller size is asked nothing more.
smtp_lab "$tmp/lab"
imap "$smtp_port"
: >"$smtp_dir/accepted"
exits 0 "too large for this one" $s outbox add "$tmp/large"
little "100 MB to a server that takes 50" $limit 69 $s outbox flush
like "$(cat "$tmp/err")" 'has 100[0-9]* octets, and 127.0.0.1 takes at most 50000000: send the attachment in another way' "is told before a word of it is sent"
is "$(wc -c <"$smtp_dir/accepted" | tr -d ' ')" 0 "nothing was sent"
exits 0 "it is kept" $s outbox list
like "$out" '^[0-9a-v]+  failed ' "as failed"
id=$(printf '%s\n' "$out" | sed -n 's/^\([0-9a-v]*\) .*/\1/p')
exits 0 "and can be taken out to a file" $s outbox cancel -o "$tmp/kept" "$id"
cmp -s "$tmp/kept" "$tmp/large"
ok $? "as it was"

# By a local command; the copy into a Maildir, and into an mbox file.
conf "sendmail = sh -c 'cat >$tmp/taken' sh" 'maildir = Mail'
exits 0 "for a local command" $s outbox add "$tmp/large"
little "100 MB by a local command, copied into a Maildir" $limit 0 $s outbox flush
tr -d '\r' <"$tmp/large" >"$tmp/wanted"
cmp -s "$tmp/taken" "$tmp/wanted"
ok $? "the command gets it with the line ends of this system"
cmp -s "$(find "$p/Mail/.Sent" -type f -path '*/cur/*')" "$tmp/wanted"
ok $? "and so does the Maildir"
mkdir "$p/boxes"
: >"$p/boxes/Sent"
conf "sendmail = sh -c 'cat >$tmp/taken' sh" 'mbox = boxes'
exits 0 "for an mbox" $s outbox add "$tmp/large"
little "100 MB copied into an mbox" $limit 0 $s outbox flush
is "$(grep -c '^>From the middle' "$p/boxes/Sent")" "$(grep -c '^From the middle' "$tmp/large")" "with From lines quoted"
done_testing
