#!/bin/sh
# Mail of 100 MB on the screen, from a Maildir, from a server and from one that ignores partial ranges, in at most 32 MiB
# over what the program has idle.
. "$(dirname "$0")/server-lib.sh"
trap 'stop_whole; stop_dovecot "$server"; finish' EXIT
stop_whole() { [ ! -e "$server/whole.pid" ] || kill "$(cat "$server/whole.pid")"; }
PATIENCE=${PATIENCE:-120}

make_profile
top=$PWD
cd "$LAB" || exit 1
rsa_key root.key && openssl req -x509 -key root.key -out root.pem -days 30 -subj "/CN=Root" \
	-addext "keyUsage=critical,keyCertSign" 2>/dev/null
rsa_key anna.key && openssl req -new -key anna.key -out anna.csr -subj "/CN=Anna" 2>/dev/null
printf 'subjectAltName=email:anna@example.org\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=emailProtection\n' >ext
openssl x509 -req -in anna.csr -CA root.pem -CAkey root.key -days 30 -extfile ext -out anna.pem 2>/dev/null
openssl pkcs12 -export -in anna.pem -inkey anna.key -passout pass:secret -out anna.p12
certutil -A -d "sql:profile/nssdb" -n Root -t ,C, -i root.pem
pk12util -i anna.p12 -d "sql:profile/nssdb" -W secret >/dev/null
python3 - <<'EOP'
line = (b"c2lnbmV0" * 9)[:72] + b"\r\n"
with open("part", "wb") as f:
    f.write(b"Content-Type: application/octet-stream; name=large.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n")
    for i in range(100_000_000 // len(line) // 1000):
        f.write(line * 1000)
EOP
plain 'Small' 1 'A small letter.' | deliver small 1
{
	letter 'Large and signed' 2
	openssl cms -sign -stream -binary -in part -signer anna.pem -inkey anna.key
} | grep -av '^MIME-Version: 1.0$' | deliver signed 2
{
	letter 'Large and encrypted' 3
	openssl cms -encrypt -stream -binary -aes-256-cbc -in part anna.pem
} | grep -av '^MIME-Version: 1.0$' | deliver encrypted 3
rm part
python3 - <<'EOP'
line = b"A line of a very long letter, as programs write them: as wide as lines are.\n"
with open("part", "wb") as f:
    f.write(b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\n")
    for i in range(100_000_000 // len(line) // 1000):
        f.write(line * 1000)
    f.write(b"--b\nContent-Type: application/octet-stream; name=beside.bin\nContent-Transfer-Encoding: base64\n\n")
    f.write((b"c2lnbmV0" * 9 + b"\n") * 4000 + b"--b--\n")
EOP
{
	letter 'Large text' 4
	cat part
} | deliver text 4
rm part
mkdir -p "$server/mail/anna/Maildir/cur"
cp profile/mail/cur/* "$server/mail/anna/Maildir/cur/"
chown -R "$MAIL_UID:$MAIL_GID" "$server/mail/anna" 2>/dev/null
"$SIGNET" --profile profile cert import --tls --batch "$server/tls/ca-good.pem" >imported 2>&1 || sed 's/^/# /' imported
cd "$top" || exit 1

memory() { sed -n "s/^$1:[[:space:]]*\([0-9]*\) kB/\1/p" "/proc/$pid/status"; }
little() { # little NAME: the most it ever had is at most 32 MiB over what it had idle
	used=$((($(memory VmHWM) - idle) / 1024))
	[ "$used" -le 32 ] && pass "$1: in little memory" || fail "$1: $used MiB over idle"
	echo "# $1: $used MiB over idle ($((idle / 1024)) MiB)"
}
read_all() { # read_all WHERE
	keys Home Enter
	wait_for 'A small letter' "$1: the small one"
	pid=$(signet_pid)
	idle=$(memory VmHWM)
	keys j
	wait_for 'SIGNED BY' "$1: the signed one"
	check "$1: its attachment is listed" seen 'large.bin'
	little "$1, 100 MB signed"
	keys j
	wait_for 'ENCRYPTED to you' "$1: the encrypted one"
	check "$1: its attachment is listed" seen 'large.bin'
	little "$1, 100 MB encrypted"
	keys j
	wait_for 'A line of a very long letter' "$1: the text"
	little "$1, 100 MB of text"
	keys q
}
account() { # account LINE: the only one
	printf '[account it]\naddress = bob@example.org\n%s\n[keys]\nsystem-tokens = no\n' "$1" >"$LAB/profile/signet.conf"
	start 100 30 --
}
account 'maildir = mail'
wait_for '^> *[0-9]' 'the Maildir'
read_all 'Maildir'
keys q
wait_for 'ended with 0' 'and it ends'
imap() { # imap PORT WHAT
	account "imap = imaps://anna@127.0.0.1:$1"
	wait_for '^Password of anna' "$2: the server asks"
	typed 'secret-anna'
	keys Enter
	wait_for '^> *[0-9]' "$2: its folder"
	read_all "$2"
	keys q
	wait_for 'ended with 0' 'and it ends'
}
imap "$PORT_TLS" IMAP
python3 tests/lab/imap-whole.py "$server" 2>"$LAB/whole.log" &
until_true [ -s "$server/whole.port" ]
imap "$(cat "$server/whole.port")" 'IMAP without ranges'
done_testing
