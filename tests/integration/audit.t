#!/bin/sh
# signet audit: over the demonstration, over a server's folder, killed in the middle and gone on with.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
lab=$tmp/lab p=$tmp/p far=$tmp/far
mkdir -p "$lab" "$far"
chmod 711 "$tmp" # Dovecot's own user passes through it
trap 'sh tests/lab/dovecot.sh stop "$lab" >/dev/null 2>&1; tap_cleanup' EXIT
"$signet" demo --make "$p" >/dev/null
signet() { "$signet" --profile "$p" --batch "$@"; }
csv() { python3 - "$@" <<'EOF'
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1], newline="", encoding="utf-8")))
print(eval(sys.argv[2]))
EOF
}
json() { python3 - "$@" <<'EOF'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
print(eval(sys.argv[2]))
EOF
}

exits 2 "audit of nothing is a usage error" signet audit
exits 2 "--csv and --json at once too" signet --json audit --csv INBOX
exits 2 "and a key without --decrypt" signet audit --key x.p12 INBOX
exits 66 "no such folder" signet audit Nowhere

exits 1 "the demonstration has what is not fine" signet audit INBOX
like "$out" '^ +1 +2026-.* good +good +oskar@demo.example .* expired since' "an old letter was good and is, with its note"
like "$out" '^ +[0-9]+ .* bad +bad +erin@demo.example ' "a revoked certificate is bad"
unlike "$out" "$(printf '\033')" "no escape of a mail comes out"
exits 1 "as JSON" signet --json audit INBOX
printf '%s\n' "$out" >"$tmp/json"
is "$(json "$tmp/json" 'len(rows)')" "$(signet list INBOX | wc -l)" "a line for each message"
is "$(json "$tmp/json" 'len({r["uid"] for r in rows})')" "$(wc -l <"$tmp/json")" "each once"
signet list --json INBOX | sed 's/.*"uid":\([0-9]*\).*/INBOX\/\1/' >"$tmp/names"
# shellcheck disable=SC2046
signet --json verify $(cat "$tmp/names") >"$tmp/verify"
is "$(python3 - "$tmp/json" "$tmp/verify" <<'EOF'
import json, sys
audit = {"INBOX/%d" % r["uid"]: r for r in map(json.loads, open(sys.argv[1]))}
bad = []
for line in open(sys.argv[2]):
    v = json.loads(line)
    now = audit[v["input"]]["now"]
    if now["encryption"] == "sealed":
        if now["indicator"] != "none" or v["encryption"] == "none":
            bad.append(v["input"])
        continue
    for name in ("signature", "encryption", "indicator", "signer_address", "signer_matches_from", "trust_errors", "reason",
                 "warnings"):
        if now[name] != v[name]:
            bad.append("%s %s" % (v["input"], name))
print(bad)
EOF
)" "[]" "each says what verify says, word by word; what is encrypted is not opened"
signet --json audit --decrypt INBOX >"$tmp/opened"
is "$(json "$tmp/opened" 'sorted({r["now"]["encryption"] for r in rows})')" \
	"['decrypted', 'legacy-warned', 'no-key', 'none']" "with --decrypt it is"
is "$(json "$tmp/opened" '[r["now"]["indicator"] for r in rows if r["subject"].startswith("Budget 2027")]')" "['good']" \
	"and the signature inside counts"

signet audit --csv INBOX >"$tmp/csv"
is "$(csv "$tmp/csv" 'len(rows)')" "$(wc -l <"$tmp/json")" "as CSV, which python's csv reads"
is "$(csv "$tmp/csv" '[r["indicator"] for r in rows]')" "$(json "$tmp/json" '[r["now"]["indicator"] for r in rows]')" \
	"with the same verdicts"
is "$(csv "$tmp/csv" '{len(r) for r in rows}, {None in r for r in rows}')" "({19}, {False})" "and as many cells in each row"
signet audit --csv --by-sender INBOX >"$tmp/senders"
is "$(csv "$tmp/senders" 'sum(int(r["messages"]) for r in rows)')" "$(wc -l <"$tmp/json")" "by sender, nobody is lost"
is "$(csv "$tmp/senders" 'all(int(r["messages"]) == sum(int(r[k]) for k in ("good", "warn", "bad", "unsigned", "encrypted", "unreadable")) for r in rows)')" \
	True "and each row's sums are right"
is "$(csv "$tmp/senders" 'sum(int(r["good"]) for r in rows)')" \
	"$(json "$tmp/json" 'sum(r["now"]["indicator"] == "good" for r in rows)')" "good ones as there are"
is "$(csv "$tmp/senders" 'rows[0]["from_address"]')" "accounts@demo.example" "the worst comes first"

# Cells that a spreadsheet would compute, and a message that is none.
mkdir -p "$tmp/q/Mail/cur" "$tmp/q/Mail/new" "$tmp/q/Mail/tmp"
printf '[account q]\nmaildir = Mail\n' >"$tmp/q/signet.conf"
printf 'From: =?utf-8?q?=3DHYPERLINK=28=22http=3A//x=22=29?= <e@x.example>\nSubject: @SUM(A1:A9), "x"\nDate: Mon, 02 Nov 2026 09:00:00 +0000\n\nx\n' >"$tmp/q/Mail/cur/1.a:2,S"
exits 0 "a folder with nothing bad in it" "$signet" --profile "$tmp/q" --batch audit --csv INBOX
printf '%s\n' "$out" >"$tmp/formula"
is "$(csv "$tmp/formula" 'rows[0]["from"][:2], rows[0]["subject"]')" "(\"'=\", '\\'@SUM(A1:A9), \"x\"')" "no cell is a formula"
: >"$tmp/q/Mail/cur/2.a:2,S"
exits 1 "one that is no message is no fine one" "$signet" --profile "$tmp/q" --batch --json audit INBOX
printf '%s\n' "$out" >"$tmp/none"
is "$(json "$tmp/none" 'rows[1]["now"], bool(rows[1]["error"])')" "(None, True)" "and the reason stands there"

# Then and now: revoked since.
issue() { # issue NAME OPTION...: valid since three months
	name=$1
	shift
	(cd "$tmp/c" && openssl ca -batch -config ca.cnf -in "$name.csr" -out "$name.pem" -extfile "$name.ext" -notext "$@" \
		-startdate "$(date -u -d '-90 days' +%y%m%d%H%M%SZ)" -enddate "$(date -u -d '+90 days' +%y%m%d%H%M%SZ)")
}
cert() { # cert NAME
	printf 'subjectAltName=email:%s@example.org\nkeyUsage=digitalSignature\nextendedKeyUsage=emailProtection\n' "$1" >"$tmp/c/$1.ext"
	sh tests/lab/rsa-key.sh "$tmp/c/$1.key"
	openssl req -new -key "$tmp/c/$1.key" -out "$tmp/c/$1.csr" -subj "/CN=$1"
	issue "$1"
}
mkdir -p "$tmp/c/new" "$tmp/r/Mail/cur" "$tmp/r/Mail/new" "$tmp/r/Mail/tmp"
{
	: >"$tmp/c/index"
	echo 10 >"$tmp/c/serial"
	echo 10 >"$tmp/c/crlnumber"
	printf '[ca]\ndefault_ca=x\n[x]\ndatabase=index\nserial=serial\ncrlnumber=crlnumber\nnew_certs_dir=new\ncertificate=ca.pem\nprivate_key=ca.key\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n' >"$tmp/c/ca.cnf"
	printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n' >"$tmp/c/ca.ext"
	sh tests/lab/rsa-key.sh "$tmp/c/ca.key"
	openssl req -new -key "$tmp/c/ca.key" -out "$tmp/c/ca.csr" -subj '/CN=Audit CA'
	issue ca -selfsign
	cert anna
	(cd "$tmp/c" && openssl ca -config ca.cnf -revoke anna.pem -crl_reason keyCompromise && openssl ca -config ca.cnf -gencrl -crldays 30 -out crl.pem)
} >"$tmp/c/log" 2>&1
printf 'Content-Type: text/plain\r\n\r\nAll is well.\r\n' >"$tmp/part"
letter() { # letter FILE SECONDS-AGO: one that came then, signed just before (the claim is not part of it)
	{
		printf 'From: anna@example.org\r\nSubject: a letter\r\nMIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b;'
		printf ' protocol="application/pkcs7-signature"\r\n\r\n--b\r\n'
		cat "$tmp/part"
		printf '\r\n--b\r\nContent-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\n'
		openssl cms -sign -binary -in "$tmp/part" -signer "$tmp/c/anna.pem" -inkey "$tmp/c/anna.key" -outform DER -noattr |
			openssl base64
		printf -- '--b--\r\n'
	} >"$1"
	touch -d "@$(($(date +%s) - $2))" "$1"
}
letter "$tmp/r/Mail/cur/1.a:2,S" 864000
letter "$tmp/r/Mail/cur/2.a:2,S" -3600
printf '[account r]\nmaildir = Mail\n' >"$tmp/r/signet.conf"
then_and_now() {
	"$signet" --profile "$tmp/r" --batch --json audit --trust "$tmp/c/ca.pem" "$@" INBOX >"$tmp/then"
	json "$tmp/then" '[(r["then"]["indicator"], r["now"]["indicator"]) for r in rows]'
}
is "$(then_and_now | tr -d "'")" "[(good, good), (good, good)]" "while nobody has told of a revocation"
is "$(then_and_now --crl "$tmp/c/crl.pem" | tr -d "'")" "[(good, bad), (bad, bad)]" \
	"once it is known: it was good when the first came, not when the second did"

# Killed in the middle, and gone on with.
for f in "$p"/Mail/cur/*; do
	name=${f##*/}
	for i in $(seq 1 60); do cp -p "$f" "$p/Mail/cur/${name%%:2,*}x$i:2,S"; done
done
signet audit --csv INBOX >"$tmp/whole"
is "$(ls "$p/data/audit" | wc -l)" 0 "nothing is left behind by one that came to its end"
interrupted() { # interrupted SIGNAL: what it leaves, once it has judged some
	# a shell has what runs in the background ignore Ctrl-C
	python3 -c 'import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])' \
		"$signet" --profile "$p" --batch audit --csv INBOX >"$tmp/part1" 2>"$tmp/part1.err" &
	pid=$!
	some() { [ "$(cat "$p"/data/audit/* 2>/dev/null | wc -l)" -gt 40 ]; }
	wait_until 30 some
	kill "-$1" $pid
	wait $pid
}
interrupted KILL 2>/dev/null
is "$(ls "$p/data/audit" | wc -l)" 1 "killed, it leaves what it has found"
lines=$(cat "$p"/data/audit/* | wc -l)
ok "$([ "$lines" -lt "$(wc -l <"$tmp/whole")" ]; echo $?)" "which is not all ($lines lines)"
is "$(stat -c %a "$p"/data/audit/*)" 600 "for its owner alone"
signet audit --resume --csv INBOX >"$tmp/resumed"
cmp -s "$tmp/whole" "$tmp/resumed"
ok $? "--resume gives the table of one that was not interrupted"
is "$(ls "$p/data/audit" | wc -l)" 0 "and clears up"
interrupted INT
is $? 130 "Ctrl-C ends it with 130"
like "$(cat "$tmp/part1.err")" 'interrupted after [0-9]+ of [0-9]+ messages: .*--resume' "and the sentence says how to go on"
signet audit --resume --by-sender --csv INBOX >"$tmp/by"
is "$(csv "$tmp/by" 'sum(int(r["messages"]) for r in rows)')" "$(($(wc -l <"$tmp/whole") - 1))" "also by sender"
interrupted KILL 2>/dev/null
root=$(signet cert list --json --authorities | sed -n '/"subject":"CN=Demo Root/s/.*"sha256":"\([0-9a-f]*\)".*/\1/p')
exits 0 "an authority is to be believed no more" signet cert distrust "$root"
exits 1 "gone on with after that" signet audit --resume --csv INBOX
printf '%s\n' "$out" >"$tmp/after"
like "$err" 'begun anew' "what was found before does not count" 
is "$(csv "$tmp/after" 'sum(r["indicator"] == "good" for r in rows)')" 0 "and nothing is good"

# A server's folder.
sh tests/lab/dovecot.sh start "$lab" >"$tmp/start" 2>&1
ok $? "a Dovecot starts" "$(cat "$tmp/start")"
. "$lab/env"
box=$lab/mail/anna/Maildir
printf '[account far]\naddress = anna@example.org\nimap = imaps://anna@127.0.0.1:%s\npassword-command = echo secret-anna\n' \
	"$PORT_TLS" >"$far/signet.conf"
away() { "$signet" --profile "$far" --batch "$@"; }
away cert import --tls "$lab/tls/ca-good.pem" >/dev/null
i=0
for f in "$p"/Mail/cur/*; do
	i=$((i + 1))
	[ $i -le 300 ] || break
	cp -p "$f" "$box/cur/$((1700000000 + i)).x:2,S"
done
chown -R "$MAIL_UID:$MAIL_GID" "$box" 2>/dev/null
exits 66 "offline, a folder that was never read" away --offline audit INBOX
exits 1 "a server's folder is fetched" away audit --csv INBOX
printf '%s\n' "$out" >"$tmp/far.csv"
is "$(csv "$tmp/far.csv" 'len(rows)')" 300 "all of it"
is "$(csv "$tmp/far.csv" 'sum(r["then_indicator"] == "" for r in rows)')" 0 "with the time at which each came"
exits 69 "offline, not all is here" away --offline audit --csv INBOX
like "$err" '300 messages are on the server and not here' "and it says how many are not"
"$signet" --profile "$far" --batch audit --csv INBOX >"$tmp/part1" 2>/dev/null &
pid=$!
some() { [ "$(cat "$far"/data/audit/* 2>/dev/null | wc -l)" -gt 20 ]; }
wait_until 30 some
kill -9 $pid
wait $pid 2>/dev/null
away audit --resume --csv INBOX >"$tmp/resumed"
cmp -s "$tmp/far.csv" "$tmp/resumed" || printf '%s\n' "$(cat "$tmp/far.csv")" | cmp -s - "$tmp/resumed"
ok $? "killed and gone on with, it tells the same" "$(diff "$tmp/far.csv" "$tmp/resumed" | head -n 5)"
done_testing
