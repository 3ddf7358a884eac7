#!/bin/sh
# The demonstration's mailbox: every verdict that it promises is the one that comes out.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
p=$tmp/demo

exits 0 "signet demo --make" "$signet" demo --make "$p"
exits 2 "into a folder that is not empty: refused" "$signet" demo --make "$p"
exits 0 "its mailbox is listed" "$signet" --profile "$p" list --json
printf '%s\n' "$out" >"$tmp/list"
uid() { # the message whose subject begins with $1
	python3 - "$tmp/list" "$1" <<'P'
import json, sys
hits = [m["uid"] for m in map(json.loads, open(sys.argv[1], encoding="utf-8")) if m["subject"].startswith(sys.argv[2])]
print(hits[0] if len(hits) == 1 else "none-or-several:%s" % hits)
P
}
verdict() { # verdict SUBJECT EXIT SIGNATURE ENCRYPTION INDICATOR
	u=$(uid "$1")
	exits "$2" "$1: exit $2" "$signet" --profile "$p" --batch verify --json "INBOX/$u"
	is "$(printf '%s' "$out" | python3 -c 'import json,sys; d=json.load(sys.stdin); print(d["signature"], d["encryption"], d["indicator"])')" \
		"$3 $4 $5" "$1: $3 $4 $5"
}
verdict "Welcome" 6 unsigned none none
verdict "Contract, second draft" 0 valid none good
verdict "Minutes of Thursday" 0 valid none good
verdict "Opaque signature" 0 valid none good
verdict "Signed with RSA-PSS" 0 valid none good
verdict "Invoice 4711" 1 invalid none bad
verdict "Urgent: new bank" 3 valid none warn
verdict "You do not know" 4 valid-but-untrusted none warn
verdict "I vouch for myself" 4 valid-but-untrusted none warn
verdict "Hello from my laptop" 5 valid-but-untrusted none bad
verdict "An old letter" 0 valid none good
verdict "Signed after its" 4 valid-but-untrusted none warn
verdict "A key of 1024" 4 valid-but-untrusted none warn
verdict "[all] Office closed" 6 not-displayed-as-signed none none
verdict "Encrypted: AES-256-CBC" 6 unsigned decrypted none
verdict "Encrypted: AES-256-GCM" 6 unsigned decrypted none
verdict "Encrypted: RSA-OAEP" 6 unsigned decrypted none
verdict "Encrypted to your elliptic" 6 unsigned decrypted none
verdict "Encrypted by something old" 6 unsigned legacy-warned none
verdict "This was for Dave" 8 unsigned no-key none
verdict "Budget 2027" 0 valid decrypted good
verdict "Triple-wrapped" 0 valid decrypted good
verdict "HTML only" 6 unsigned none none
verdict "A painted seal" 6 unsigned none none
verdict "Fwd: Purchase approved" 6 not-displayed-as-signed none none
exits 0 "show" "$signet" --profile "$p" show "INBOX/$(uid "Urgent: new bank")"
like "$out" 'mallory@elsewhere.example' "names who really signed"
exits 0 "certificates" "$signet" --profile "$p" cert list --json
like "$out" 'you@demo.example' "has the reader's own"
unlike "$out" 'mallory' "and nobody else's"
done_testing
