#!/bin/sh
# What is done on the certificate screen: import, export, trust, delete, accept and forget, use, request. What was done
# is looked at by openssl and certutil.
. "$(dirname "$0")/lib.sh"
. tests/terminal/certs-lib.sh
make_certs
openssl x509 -in "$pki/anna.pem" -outform DER -out "$pki/anna.cer"
openssl crl2pkcs7 -nocrl -certfile "$pki/carl.pem" -certfile "$pki/gina.pem" -outform DER -out "$pki/two.p7b"
mkdir -p "$LAB/smime/certificates" "$LAB/out"
cp "$pki/fred.pem" "$LAB/smime/certificates/12345678.0"
echo nonsense >"$LAB/smime/certificates/87654321.0"
echo nonsense >"$pki/nonsense"
cat >"$LAB/gpgsm" <<END
#!/bin/sh
[ "\$*" = "--batch --armor --export" ] && cat "$pki/erik.pem"
END
chmod +x "$LAB/gpgsm"

signed() { # signed SUBJECT NUMBER NAME: by a certificate of the people's key
	{
		letter "$1" "$2" "$3 <$3@example.org>"
		printf 'Content-Type: text/plain\r\n\r\nAll is well.\r\n' |
			openssl smime -sign -signer "$pki/$3.pem" -inkey "$pki/keys/people.key.pem" | grep -v '^MIME-Version:'
	} | deliver "m$2" "$2"
}
encrypted() { # encrypted SUBJECT NUMBER FILE
	{
		letter "$1" "$2"
		printf 'Content-Type: text/plain\r\n\r\nFor Bob.\r\n' | openssl cms -encrypt -aes-256-cbc "$3" | grep -v '^MIME-Version:'
	} | deliver "m$2" "$2"
}

trust_of() { certutil -L -d "$nss" | sed -n "s/^$1 .* \\([a-zA-Z]*,[a-zA-Z]*,[a-zA-Z]*\\) *\$/\\1/p"; }
is_trusted() { trust_of 'Other Root' | grep -qxE "$1" || { certutil -L -d "$nss" | sed 's/^/# /' && false; }; }
row_of() { screen | grep -qE "^> ?$1"; }
at_row() { # at_row WORD REGEX: the cursor on the one row with that word
	keys Escape
	until_true has_not '  limit'
	keys l
	typed "$1"
	keys Enter
	seen "^> ?$2"
}
settled() { until_true has_not 'reading\.\.\.'; } # the list was read anew after a change
say() { # say TEXT: typed over what is in the question
	keys C-u
	typed "$1"
	keys Enter
}
choose() { # choose DOWN: the so many'th of the choices
	for i in $(seq "$1"); do keys j; done
	keys Enter
}

run_import() {
	keys i
	wait_for '^Import from:' 'i asks from where'
	check 'in words' has 'PKCS#12 with your key'
	typed "$pki/bobo"
	keys Tab
	wait_for 'bobold\.p' 'Tab completes'
	say "$pki/bob.p12"
	wait_for '^Password of bob.p12:' 'a PKCS#12 asks for its password'
	typed wrong
	keys Enter
	wait_for 'That is not its password' 'a wrong one is told'
	check 'nothing typed is shown' has_not wrong
	typed secret
	keys Enter
	wait_for 'yours is among them. work uses it from now on' 'the right one: it is ours, and the account takes it'
	wait_for '^> ?bob@example.org .* both .* database +good' 'the cursor is on it'
	check 'the key is in the database' sh -c "certutil -K -d '$nss' | grep -q bob"
	keys i
	seen '^Import from'
	say "$pki/bob.p12"
	seen '^Password of'
	keys Escape
	unseen '^Password of'
	check 'Esc at the password: nothing happens' has_not 'rror|rashed'
	keys i
	seen '^Import from'
	say "$pki/anna.cer"
	wait_for 'Imported: 1 certificate\.' 'DER'
	keys i
	seen '^Import from'
	say "$pki/two.p7b"
	wait_for 'Imported: 2 certificates' 'PKCS#7'
	keys i
	seen '^Import from'
	say "$pki/two.p7b"
	wait_for 'All 2 were there already' 'again: said to be there'
	keys i
	seen '^Import from'
	say "$LAB/smime"
	wait_for 'Imported: 1 certificate\.' "mutt's folder"
	keys '!'
	wait_for '87654321.0 was left out' 'what was left out is in the log'
	keys q i
	seen '^Import from'
	say gpgsm
	wait_for 'Imported: 1 certificate\.' "gpgsm's"
	keys i
	seen '^Import from'
	say "$pki/nonsense"
	wait_for 'none of the files that are taken' 'no certificate'
	keys i
	seen '^Import from'
	say "$pki/absent"
	wait_for 'cannot be read: No such file' 'no file'
	keys i
	seen '^Import from'
	say "$pki/other.pem"
	wait_for 'Nothing is trusted by that' 'an authority: what that means'
	check 'and the database says so' [ "$(certutil -L -d "$nss" | grep -c ',C,')" = 1 ]
}

export_as() { # export_as DOWN FILE
	keys e
	seen '^ Export the certificate'
	choose "$1"
	seen '^Save in the file: bob@example.org'
	say "$LAB/out/$2"
}
run_export() {
	at_row bob@ bob@
	export_as 0 bob.pem
	wait_for "^Saved: .*bob.pem" 'PEM'
	check 'is the certificate' [ "$(sha256 "$LAB/out/bob.pem")" = "$(sha256 "$pki/bob.pem")" ]
	export_as 0 bob.pem
	wait_for 'There is a file of that name already' 'a file that is there stays'
	export_as 1 chain.pem
	wait_for "^Saved: .*chain.pem" 'with its chain'
	check 'two certificates' [ "$(grep -c BEGIN "$LAB/out/chain.pem")" = 2 ]
	export_as 3 bob.b64
	seen "^Saved: .*bob.b64"
	check 'base64 is the DER' sh -c "openssl base64 -d -A -in '$LAB/out/bob.b64' | openssl x509 -inform DER -noout"
	export_as 4 bob.ldif
	seen "^Saved: .*bob.ldif"
	check 'LDIF' grep -q '^userCertificate;binary:: ' "$LAB/out/bob.ldif"
	export_as 5 bob.p12
	wait_for '^Password for the exported file:' 'PKCS#12 asks for a new password'
	typed one
	keys Enter
	wait_for '^The same again:' 'twice'
	typed two
	keys Enter
	wait_for 'The two passwords differ: nothing was exported' 'they differ'
	check 'no file' [ ! -e "$LAB/out/bob.p12" ]
	export_as 5 bob.p12
	seen '^Password for'
	typed 'n€w secret'
	keys Enter
	seen '^The same'
	typed 'n€w secret'
	keys Enter
	wait_for '^Saved: .*bob.p12, readable by you alone' 'they agree'
	check 'it is' [ "$(stat -c %a "$LAB/out/bob.p12")" = 600 ]
	check 'openssl reads it' sh -c "openssl pkcs12 -in '$LAB/out/bob.p12' -passin 'pass:n€w secret' -nodes | grep -q 'PRIVATE KEY'"
	check 'AES-256' sh -c "openssl pkcs12 -in '$LAB/out/bob.p12' -passin 'pass:n€w secret' -noout -info 2>&1 | grep -qi 'aes-256'"
}

run_trust() {
	at_row 'other ~a' 'Other Root'
	settled
	keys T
	wait_for 'What is Other Root to be trusted for' 'T asks for what'
	keys Enter
	wait_for 'Trust it to say who anybody is' 'for mail'
	check 'with the fingerprint' has "SHA-256 $(sha256 "$pki/other.pem" | tr -d : | cut -c 1-4) "
	say no
	wait_gone 'Spell out' 'no is no'
	check 'and nothing is trusted' [ -z "$(certutil -L -d "$nss" | grep 'Other Root' | grep ',C,')" ]
	settled
	keys T
	seen 'to be trusted for'
	keys Enter
	seen 'Spell out'
	say yes
	wait_for '^Trusted for mail: Other Root' 'yes, spelled out'
	wait_for '^> ?Other Root .* trusted' 'the row says so'
	check 'for mail, not for servers' is_trusted 'c?,C,'
	at_row fred fred
	wait_for 'fred@.* good' 'and what it issued is good now'
	at_row 'other ~a' 'Other Root'
	settled
	keys T
	seen 'to be trusted for'
	keys Enter
	wait_for 'which server is which' 'for servers apart'
	say yes
	wait_for '^Trusted for servers: Other Root' 'done'
	check 'both now' is_trusted 'C,C,'
	settled
	keys T
	seen 'No longer|no longer'
	keys Enter
	wait_for 'Trust it for mail no longer' 'taken back for mail'
	keys y
	wait_for '^No longer trusted for mail' 'done'
	check 'servers stay' is_trusted 'C,c?,'
	wait_for '^> ?Other Root .* not trusted' 'the row says so'
	at_row anna anna
	settled
	keys T
	seen 'Never trust it for mail'
	check "a person's certificate cannot be trusted to issue" has_not 'Trust it for servers'
	keys Enter
	seen '^Never trust it'
	keys y
	wait_for '^Distrusted for mail' 'distrusted'
	wait_for 'anna@example.org .* distrusted' 'the row says so'
	settled
	keys T
	seen 'Distrust it for mail no longer'
	keys Enter
	seen 'Distrust it'
	keys y
	wait_for 'anna@example.org .* good' 'and back'
}

run_candidates() {
	keys Escape q
	seen '^> *3 '
	keys Up Up Enter
	wait_for '^ SIGNED BY many01@' 'a signed mail is read'
	keys j
	wait_for '^ SIGNED BY many02@' 'and another'
	keys S
	seen '^ Certificates '
	keys l
	typed '~c'
	keys Enter
	wait_for '^ Certificates  2 candidates' 'both are candidates'
	check 'apart from the others' has '^ Candidates from mail and directories, not accepted \(2\)'
	check 'where they came from' has 'From signed mail of 20'
	check 'they are in no database' [ -z "$(certutil -L -d "$nss" | grep many0)" ]
	settled
	keys A
	wait_for 'Write to many01@example.org with this certificate' 'A asks'
	keys y
	wait_for '^Accepted: Many01' 'accepted'
	wait_for '^ Certificates  1 candidate' 'one is left'
	settled
	keys D
	wait_for '^Forget it' 'D: forget'
	keys y
	wait_for '^Forgotten: Many02' 'forgotten'
	wait_for 'No certificate fits the limit' 'none is left'
	keys Escape
	wait_for '^  many01@example.org .* good' 'the accepted one is among the people'
	keys q q
	seen '^ *INBOX'
	keys Enter
	wait_for '^ SIGNED BY many02@' 'the mail is read again'
	keys q S
	seen '^ Certificates '
	check 'and what was forgotten is not offered again' until_true has_not 'reading|candidate'
}

run_delete() {
	at_row gina gina
	settled
	keys D
	wait_for 'Mail to gina@example.org cannot be encrypted with it any more' 'D says what is lost'
	keys n
	wait_for 'Nothing was deleted' 'n'
	settled
	keys D
	seen '^Delete it'
	keys y
	wait_for '^Deleted: Gina' 'y'
	check 'it is gone' [ -z "$(certutil -L -d "$nss" | grep -i gina)" ]
	at_row 'root ~a' 'Other Root'
	settled
	keys D
	wait_for '1 certificate in this list came from it' 'an authority: what came from it'
	keys Escape
	unseen '^Delete it'
	at_row bob@ bob@
	settled
	keys D
	wait_for '1 of 1 encrypted message in the accounts' 'an own one: the mail that only it reads is counted'
	wait_for 'Spell out yes' 'and a word is asked for'
	say y
	wait_for 'Nothing was deleted' 'y is not enough'
	check 'the key is there' sh -c "certutil -K -d '$nss' | grep -qi bob"
}

run_use() {
	at_row bob@ bob@
	settled
	keys u
	wait_for '^> ?work: sign with it, and be written to' 'u: for which account and what'
	keys Enter
	wait_for 'work uses it for both from now on' 'done'
	check 'it is in signet.conf' grep -q "^sign-cert = $(sha256 "$pki/bob.pem" | tr -d : | tr A-F a-f)" "$LAB/profile/signet.conf"
	check 'for both' grep -q "^encrypt-cert = $(sha256 "$pki/bob.pem" | tr -d : | tr A-F a-f)" "$LAB/profile/signet.conf"
	settled
	keys D
	wait_for 'signet.conf names it for work' 'D knows that'
	keys Escape
	at_row anna anna
	settled
	keys u
	wait_for 'Its private key is not here' "another's cannot be used"
}

run_request() {
	keys r
	wait_for '^ Ask for a new certificate: which key' 'r: which key'
	choose 1
	wait_for '^For which addresses: bob@example.org' 'for the address of the account'
	keys Enter
	wait_for '^Your name, .*: Bob Mwangi' 'the name'
	keys Enter
	wait_for '^Save the request in the file: bob@example.org.csr' 'the file'
	say "$LAB/out/bob.csr"
	wait_for 'The key is made. Send .*bob.csr to your authority' 'made'
	check 'a request that holds, of P-256' sh -c "openssl req -in '$LAB/out/bob.csr' -verify -noout -text 2>&1 | grep -q 'NIST CURVE: P-256'"
	check 'with the address' sh -c "openssl req -in '$LAB/out/bob.csr' -noout -text | grep -q 'email:bob@example.org'"
	printf 'subjectAltName=email:bob@example.org\nkeyUsage=digitalSignature,keyAgreement\nextendedKeyUsage=emailProtection\n' >"$LAB/ext"
	openssl x509 -req -in "$LAB/out/bob.csr" -CA "$pki/root.pem" -CAkey "$pki/keys/root.key.pem" -set_serial 77777 \
		-days 800 -extfile "$LAB/ext" -out "$LAB/out/new.pem" 2>/dev/null
	keys i
	seen '^Import from'
	say "$LAB/out/new.pem"
	wait_for 'Shall work use the new certificate' 'the answer comes: the account, which names another, is offered it'
	check 'and that the old key stays is said' has "old one's key stays"
	keys y
	wait_for 'work uses it for both from now on' 'yes'
	check 'signet.conf names the new one' grep -q "^sign-cert = $(sha256 "$LAB/out/new.pem" | tr -d : | tr A-F a-f)" "$LAB/profile/signet.conf"
	wait_for '^> ?bob@example.org .* both' 'it is among the own ones'
	check 'beside the old one' until_true has '^ Own \(2\)'
	keys q
	seen '^ *INBOX'
	keys End Enter
	wait_for 'For Bob\.' 'and mail to the old one is still read'
	keys q
}

session() { # session COLUMNS ROWS [VARIABLE=VALUE]
	rm -rf "$LAB/out"
	mkdir "$LAB/out"
	make_profile
	certutil -A -d "$nss" -n root -t ,C, -i "$pki/root.pem"
	signed 'From one' 1 many01
	signed 'From two' 2 many02
	encrypted 'To Bob' 3 "$pki/bob.pem"
	start "$@" "PATH=$LAB:$PATH" --
	seen '^> *3 '
	keys S
	wait_for '^ Certificates  1 authority' "$1x$2: the screen opens"
	run_import
	run_export
	run_trust
	run_candidates
	run_delete
	run_use
	run_request
	keys q
	wait_for 'ended with 0' "$1x$2: ends"
}
session 80 24
session 120 40 NO_COLOR=1
done_testing
