#!/bin/sh
# Mail of 100 MB in little memory: verified, decrypted, shown and written, from a file, a pipe, a Maildir and an mbox;
# and what fails half way leaves nothing behind.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
cd "$tmp" || exit 1

# Peak memory in MiB of a command, and its exit code in $tmp/code.
peak() {
	python3 - "$@" <<-'EOP'
		import os, resource, subprocess, sys
		code = subprocess.run(sys.argv[1:], stdout=open("out", "wb"), stderr=open("err", "wb"),
		                      stdin=open("in", "rb") if os.path.exists("in") else None).returncode
		open("code", "w").write(str(code))
		print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
	EOP
}
# little WHAT LIMIT CODE COMMAND...: within LIMIT MiB, and ends with CODE
little() {
	what=$1 limit=$2 want=$3
	shift 3
	used=$(peak "$@")
	is "$(cat code)" "$want" "$what: exit code"
	[ "$used" -le "$limit" ]
	ok $? "$what: in little memory" "$used MiB, limit $limit: $(head -c 300 err)"
}

rsa_key root.key && openssl req -x509 -key root.key -out root.pem -days 30 -subj "/CN=Root" \
	-addext "keyUsage=critical,keyCertSign" 2>/dev/null
rsa_key anna.key && openssl req -new -key anna.key -out anna.csr -subj "/CN=Anna" 2>/dev/null
printf 'subjectAltName=email:anna@example.org\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=emailProtection\n' >ext
openssl x509 -req -in anna.csr -CA root.pem -CAkey root.key -days 30 -extfile ext -out anna.pem 2>/dev/null
openssl pkcs12 -export -in anna.pem -inkey anna.key -passout pass:secret -out anna.p12
echo secret >password
python3 - <<'EOP'
head = b"Content-Type: application/octet-stream; name=large.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"
line = (b"c2lnbmV0" * 9)[:72] + b"\r\n"
with open("large", "wb") as f:
    f.write(head)
    for i in range(100_000_000 // len(line) // 1000):
        f.write(line * 1000)
open("small", "wb").write(head + line)
EOP
header() { printf 'From: Anna <anna@example.org>\r\nTo: bob@example.org\r\nSubject: %s\r\nMessage-ID: <%s@example.org>\r\n' "$1" "$1"; }
for size in small large; do
	for cipher in cbc gcm; do
		{
			head $size-$cipher
			openssl cms -encrypt -stream -binary -aes-256-$cipher -in $size anna.pem
		} >$size-$cipher
	done
	{
		header $size-signed
		openssl cms -sign -stream -binary -in $size -signer anna.pem -inkey anna.key
	} >$size-signed
	{
		header $size-opaque
		openssl cms -sign -nodetach -stream -binary -in $size -signer anna.pem -inkey anna.key
	} >$size-opaque
done
openssl cms -encrypt -stream -binary -aes-256-cbc -in large-signed anna.pem >both.body
{ header both; cat both.body; } >large-both
# one octet of the middle
python3 - <<'EOP'
data = bytearray(open("large-gcm", "rb").read())
at = len(data) // 2
while data[at] in b"\r\nA":
    at += 1
data[at] = ord("A")
open("large-altered", "wb").write(data)
EOP

s="$signet --profile $tmp/profile"
k="--trust root.pem --key anna.p12 --password-file password"
idle=$(peak $s verify --json $k small-cbc)
limit=$((idle + 32))
is "$(cat code)" 6 "a small message is decrypted"

little "100 MB signed" $limit 0 $s verify --json $k large-signed
little "100 MB signed, opaque" $limit 0 $s verify --json $k large-opaque
little "100 MB CBC" $limit 6 $s verify --json $k large-cbc
like "$(head -c 2000 out)" '"encryption":"decrypted"' "100 MB CBC is decrypted"
little "100 MB GCM" $limit 6 $s verify --json $k large-gcm
like "$(head -c 2000 out)" '"encryption":"decrypted"' "100 MB GCM is decrypted"
little "100 MB signed, then encrypted" $limit 0 $s verify --json $k large-both
little "the reader's text of it" $limit 0 $s show $k large-both
like "$(cat out)" 'large.bin' "the attachment is listed"

for cipher in cbc gcm; do
	little "100 MB $cipher written to a file" $limit 0 $s decrypt -o plain $k large-$cipher
	cmp plain large
	ok $? "it is what was encrypted"
	rm -f plain
	little "100 MB $cipher written to a pipe" $limit 0 $s decrypt $k large-$cipher
	cmp out large
	ok $? "it is what was encrypted"
done
little "its verdict beside the file" $limit 0 $s decrypt --json -o plain $k large-both
cmp plain large-signed
ok $? "the file is what was encrypted"
like "$(cat out)" '"signature":"valid".*"encryption":"decrypted".*"name":"large.bin"' "its verdict is told"
rm -f plain
little "a full disk" $limit 74 $s decrypt --json -o /dev/full $k large-both
is "$(cat out)" "" "of what could not be written no verdict is told"
cp large-cbc in
little "100 MB from standard input" $limit 6 $s verify --json $k -
rm -f in

echo before >plain
little "an altered GCM message" $limit 8 $s decrypt -o plain $k large-altered
is "$(cat plain)" before "what was there stays"
is "$(ls plain*)" plain "and nothing is left beside it"
little "an altered GCM message, read" $limit 8 $s verify --json $k large-altered
like "$(cat out)" '"encryption":"malformed".*"text":""' "none of its plaintext is told"
little "its plaintext to a device" $limit 0 $s decrypt -o /dev/null $k small-cbc
[ -c /dev/null ]
ok $? "a device stays a device"

mkdir -p profile/Mail/cur profile/Mail/new profile/Mail/tmp
cp large-cbc profile/Mail/new/1.1.host
{ echo "From anna@example.org Sun Nov 22 10:00:00 2026"; tr -d '\r' <large-signed; echo; } >profile/box
printf '[account dir]\nmaildir = %s\n[account box]\nmbox = %s\n' "$tmp/profile/Mail" "$tmp/profile/box" >profile/signet.conf
little "100 MB in a Maildir" $limit 6 $s verify --json $k dir/INBOX/1
like "$(cat out)" '"encryption":"decrypted"' "it is decrypted"
little "100 MB in an mbox" $((limit + 8)) 0 $s verify --json --trust root.pem box/INBOX/1
like "$(cat out)" '"signature":"valid"' "its signature is valid"
done_testing
