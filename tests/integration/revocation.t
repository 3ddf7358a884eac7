#!/bin/sh
# Asking the network about revocation: openssl's responder and a file server, honest and otherwise. Verdict and time.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
lab=$tmp/lab
mkdir "$lab"

# The server lives as long as the pipe that it reads.
mkfifo "$tmp/life"
python3 tests/lab/http-server.py "$lab" <"$tmp/life" &
server=$!
exec 9>"$tmp/life"
tap_cleanup() {
	exec 9>&-
	wait "$server" 2>/dev/null
	rm -rf "$tmp"
}
wait_until 30 test -s "$lab/port" || { echo "Bail out! the server does not start"; exit 1; }
at=http://127.0.0.1:$(cat "$lab/port")

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$lab/$1.key"; }
cert() { # cert NAME ISSUER SERIAL EXTENSIONS
	key "$1"
	printf '%b\n' "$4" >"$lab/$1.ext"
	openssl req -new -key "$lab/$1.key" -subj "/CN=$1" -out "$lab/$1.csr"
	openssl x509 -req -in "$lab/$1.csr" -CA "$lab/$2.pem" -CAkey "$lab/$2.key" -set_serial "$3" -out "$lab/$1.pem" -days 20 \
		-extfile "$lab/$1.ext"
}
mail='subjectAltName=email:anna@example.org\nkeyUsage=digitalSignature\nextendedKeyUsage=emailProtection'
signer() { # signer NAME SERIAL ADDRESSES [ISSUER]: its certificate, and a message by it
	cert "$1" "${4:-ca}" "$2" "$mail\n$3"
	{
		printf 'From: anna@example.org\r\n'
		printf 'Content-Type: text/plain\r\n\r\nAll is well.\r\n' |
			openssl cms -sign -nodetach -binary -signer "$lab/$1.pem" -inkey "$lab/$1.key" -outform SMIME |
			tr -d '\r' | sed 's/$/\r/'
	} >"$lab/$1.eml"
}
list() { # list NAME DAYS-AGO DAYS-LONG SIGNER
	openssl ca -gencrl -config "$lab/ca.cnf" -cert "$lab/$4.pem" -keyfile "$lab/$4.key" -out "$lab/list.pem" \
		-crl_lastupdate "$(date -u -d "$2 days ago" +%Y%m%d%H%M%SZ)" \
		-crl_nextupdate "$(date -u -d "$(($3 - $2)) days" +%Y%m%d%H%M%SZ)"
	openssl crl -in "$lab/list.pem" -outform DER -out "$lab/$1.crl"
}
(
	for ca in ca stranger; do
		key $ca
		openssl req -x509 -key "$lab/$ca.key" -out "$lab/$ca.pem" -days 30 -subj '/CN=Lab CA' -set_serial 1 \
			-addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign'
	done
	cert responder ca 50 'keyUsage=digitalSignature\nextendedKeyUsage=OCSPSigning'
	cert undelegated ca 51 'keyUsage=digitalSignature\nextendedKeyUsage=emailProtection'
	cert foreign stranger 52 'keyUsage=digitalSignature\nextendedKeyUsage=OCSPSigning'
	cert middle ca 53 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign'
	openssl x509 -in "$lab/middle.pem" -outform DER -out "$lab/middle.der"
	{
		for n in 0A 0C 0D 0E 0F; do printf 'V\t400101000000Z\t\t%s\tunknown\t/CN=%s\n' $n $n; done
		printf 'R\t400101000000Z\t%s\t0B\tunknown\t/CN=0B\n' "$(date -u -d '3 days ago' +%y%m%d%H%M%SZ)"
		printf 'R\t400101000000Z\t%s\t1F\tunknown\t/CN=1F\n' "$(date -u -d '3 days ago' +%y%m%d%H%M%SZ)"
	} >"$lab/index.txt"
	printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index.txt\ndefault_md=sha256\n' "$lab" >"$lab/ca.cnf"
	list fresh 1 30 ca
	list stale 40 10 ca
	list foreign 1 30 stranger
	signer ocsp-good 10 "authorityInfoAccess=OCSP;URI:$at/ocsp/responder"
	signer ocsp-revoked 11 "authorityInfoAccess=OCSP;URI:$at/ocsp/responder"
	signer by-issuer 12 "authorityInfoAccess=OCSP;URI:$at/ocsp/ca"
	signer by-undelegated 13 "authorityInfoAccess=OCSP;URI:$at/ocsp/undelegated"
	signer by-foreign 14 "authorityInfoAccess=OCSP;URI:$at/ocsp/foreign"
	signer unknown 20 "authorityInfoAccess=OCSP;URI:$at/ocsp/responder"
	for how in slow huge garbage error to-file; do signer $how 15 "authorityInfoAccess=OCSP;URI:$at/$how"; done
	signer unreachable 16 'authorityInfoAccess=OCSP;URI:http://127.0.0.1:1/ocsp'
	signer crl-good 30 "crlDistributionPoints=URI:$at/files/fresh.crl"
	signer crl-revoked 31 "crlDistributionPoints=URI:$at/files/fresh.crl"
	signer crl-stale 32 "crlDistributionPoints=URI:$at/files/stale.crl"
	signer crl-foreign 33 "crlDistributionPoints=URI:$at/files/foreign.crl"
	for how in drip large garbage; do signer crl-$how 34 "crlDistributionPoints=URI:$at/$how"; done
	signer crl-moved 35 "crlDistributionPoints=URI:$at/to-inside/fresh.crl"
	signer both 36 "authorityInfoAccess=OCSP;URI:$at/error\ncrlDistributionPoints=URI:$at/files/fresh.crl"
	signer orphan 60 "authorityInfoAccess=caIssuers;URI:$at/files/middle.der" middle
) >"$tmp/setup.log" 2>&1
ok "$(test -s "$lab/orphan.eml"; echo $?)" "the lab is set up" "$(tail -n 5 "$tmp/setup.log")"

profile=$tmp/profile
verify() { # verify NAME OPTIONS...
	name=$1
	shift
	"$signet" --profile "$profile" --batch verify --trust "$lab/ca.pem" "$@" "$lab/$name.eml"
}
seconds() { # seconds MOST NAME: since $began; far above what it takes: a server that hangs holds nobody for minutes
	took=$(($(date +%s) - began))
	ok "$(test "$took" -le "$1"; echo $?)" "$2 ends by itself (took $took s)"
}
requests() { cat "$lab/log" 2>/dev/null | wc -l | tr -d ' '; }

exits 0 "without --online nobody is asked" verify ocsp-good
is "$(requests)" 0 "the server saw nothing"
like "$("$signet" --profile "$profile" --batch --json verify --trust "$lab/ca.pem" "$lab/ocsp-good.eml")" '"network" *: *\[ *\]' \
	"and the JSON says so"
exits 7 "hard: what is not known cannot be decided" verify ocsp-good --revocation hard

exits 0 "OCSP: good, by a responder that the issuer named" verify ocsp-good --online --revocation hard
like "$out" "Asked $at/ocsp/responder: answered" "what was asked is told"
before=$(requests)
exits 0 "the answer is kept: hard without asking" verify ocsp-good --revocation hard
exits 0 "and --online asks no more before it has run out" verify ocsp-good --online --revocation hard
is "$(requests)" "$before" "the server was not asked again"
exits 7 "two days later it is stale" verify ocsp-good --revocation hard --at "$(date -u -d '2 days' +%Y-%m-%dT%H:%M:%SZ)"
"$signet" --profile "$profile" --batch --json verify --trust "$lab/ca.pem" --online "$lab/ocsp-revoked.eml" >"$tmp/json"
is "$?" 5 "OCSP: revoked"
like "$(cat "$tmp/json")" '"kind" *: *"ocsp"' "the JSON names what was asked"
like "$(cat "$tmp/json")" '"revocation" *: *"revoked"' "and the standing"
exits 5 "revoked stays revoked without the network" verify ocsp-revoked
exits 0 "OCSP: good, by the issuer itself" verify by-issuer --online --revocation hard

exits 7 "an answer by somebody without id-kp-OCSPSigning does not count" verify by-undelegated --online --revocation hard
like "$out" 'not signed by the certificate.s issuer' "and it is said"
exits 7 "nor one by another authority of that name" verify by-foreign --online --revocation hard
like "$out" 'not signed by the certificate.s issuer' "and it is said"
exits 7 "a certificate that the responder does not know" verify unknown --online --revocation hard
like "$out" 'does not know this certificate' "and it is said"
for how in huge garbage error to-file unreachable; do
	began=$(date +%s)
	exits 7 "OCSP $how: not known under hard" verify $how --online --revocation hard
	like "$out" 'Asked http://127[^ ]*: [A-Z].* .*' "why: $(printf '%s\n' "$out" | sed -n 's/^  Asked [^ ]* //p')"
	seconds 60 "OCSP $how"
	exits 0 "OCSP $how: soft goes on" verify $how --online
done
began=$(date +%s)
exits 7 "OCSP slow: not known under hard" verify slow --online --revocation hard
like "$out" 'No answer came in time' "why"
seconds 60 "OCSP slow"

exits 0 "CRL: good" verify crl-good --online --revocation hard
before=$(requests)
exits 5 "CRL: revoked, by the list that is here already" verify crl-revoked --online
is "$(requests)" "$before" "which is not fetched twice"
exits 5 "and without the network" verify crl-revoked
exits 7 "CRL: stale is unknown under hard" verify crl-stale --online --revocation hard
like "$out" 'stale' "and it is said"
exits 7 "CRL: another authority of that name" verify crl-foreign --online --revocation hard
like "$out" 'not signed by the certificate.s issuer' "and it is said"
for how in large garbage drip; do
	began=$(date +%s)
	exits 7 "CRL $how: not known under hard" verify crl-$how --online --revocation hard
	like "$out" 'Asked http://127[^ ]*: [A-Z].* .*' "why: $(printf '%s\n' "$out" | sed -n 's/^  Asked [^ ]* //p')"
	seconds 60 "CRL $how"
done
exits 0 "a redirect within http is followed" verify crl-moved --online --revocation hard
exits 0 "where the responder fails the list is asked" verify both --online --revocation hard

# A list of the cache is checked as if it had just come.
for f in "$profile"/cache/revocation/*; do printf 'x' >>"$f"; done
exits 7 "what somebody changed in the cache does not count" verify crl-good --revocation hard
rm -rf "$profile/cache"

exits 4 "an authority that the message left out" verify orphan
exits 4 "anybody may have named a private address: it is refused" verify orphan --online --revocation off
like "$out" 'private network.*internal-hosts' "with what to do about it"
printf '[policy]\ninternal-hosts = pki.example.org 127.0.0.1\n' >"$tmp/conf"
exits 0 "with internal-hosts it is fetched, and the chain is whole" "$signet" --profile "$profile" --config "$tmp/conf" --batch \
	verify --trust "$lab/ca.pem" --online --revocation off "$lab/orphan.eml"
exits 4 "it was a candidate: nothing of it stays" verify orphan
exits 2 "--online and --offline" "$signet" --profile "$profile" --offline --batch verify --online "$lab/orphan.eml"
done_testing
