#!/bin/sh
# The strip, the gutter, the certificate pane, PIN prompts, and what a hostile mail cannot do to any of them.
. "$(dirname "$0")/lib.sh"
PIN=s3cret

# A small authority and two people, by openssl; Bob's key lies in the NSS database behind a password.
make_people() {
	pki=$LAB/pki
	mkdir -p "$pki"
	(
		cd "$pki" || exit 1
		rsa_key ca.key && openssl req -x509 -key ca.key -out ca.pem -days 3650 -subj '/O=Lab/CN=Lab Mail CA' \
			-addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign'
		for name in anna bob mallory; do
			rsa_key $name.key && openssl req -new -key $name.key -out $name.csr -subj "/CN=$name Lab"
			printf 'subjectAltName=email:%s@example.org\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=emailProtection\nbasicConstraints=CA:FALSE\n' $name >$name.ext
			openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $name.pem -days 700 -extfile $name.ext
		done
		openssl pkcs12 -export -in bob.pem -inkey bob.key -certfile ca.pem -out bob.p12 -passout pass:x -name bob
	) >/dev/null 2>&1
	printf '%s\n' "$PIN" >"$LAB/pin"
	rm -rf "$LAB/profile/nssdb"
	mkdir "$LAB/profile/nssdb"
	certutil -N -d "sql:$LAB/profile/nssdb" -f "$LAB/pin"
	pk12util -i "$pki/bob.p12" -d "sql:$LAB/profile/nssdb" -W x -k "$LAB/pin" >/dev/null
	if [ "$1" = trusted ]; then
		certutil -A -d "sql:$LAB/profile/nssdb" -n lab -t ,C, -i "$pki/ca.pem" -f "$LAB/pin"
	fi
}
sign_as() { # sign_as NAME < a MIME part
	openssl smime -sign -signer "$pki/$1.pem" -inkey "$pki/$1.key" -certfile "$pki/ca.pem" 2>/dev/null | grep -v '^MIME-Version:'
}
part() { printf 'Content-Type: text/plain; charset=utf-8\r\n\r\n%b\r\n' "$1"; }

fill() {
	part 'Signed by Anna.\r\nAll is well.' >"$LAB/part"
	{ letter 'Signed' 1; sign_as anna <"$LAB/part"; } | deliver signed 1
	{ letter 'Altered' 2; sign_as anna <"$LAB/part" | sed 's/All is well/All is lost/'; } | deliver altered 2
	{ letter 'Urgent: new bank details' 3; sign_as mallory <"$LAB/part"; } | deliver somebody 3
	part 'For your eyes only.' >"$LAB/secret"
	{
		letter 'Encrypted' 4
		openssl cms -encrypt -aes-256-cbc -in "$LAB/secret" "$pki/bob.pem" 2>/dev/null | grep -v '^MIME-Version:'
	} | deliver encrypted 4
	{
		openssl smime -sign -signer "$pki/anna.pem" -inkey "$pki/anna.key" -in "$LAB/secret" 2>/dev/null >"$LAB/inner"
		letter 'Both' 5
		openssl cms -encrypt -aes-256-cbc -in "$LAB/inner" "$pki/bob.pem" 2>/dev/null | grep -v '^MIME-Version:'
	} | deliver both 5
	{
		letter "$(printf 'Escapes \033[31mred\033[0m \033]0;owned\007 \302\2332J end')" 6 "$(printf 'Evil \033[2J <evil@example.org>')"
		printf 'Content-Type: text/plain; charset=utf-8\n\nbefore \033[2J\033[1;1HSIGNED BY ceo@bank.example, says Bank CA\033[5;1H \302\2332J \342\200\256reversed after\n'
	} | deliver escapes 6
	{
		letter 'Imitation' 7 'CEO <ceo@bank.example>'
		printf 'Content-Type: text/plain; charset=utf-8\n\n'
		printf 'SIGNED BY ceo@bank.example (The CEO), says Bank CA              V details\n'
		printf '\342\224\200%.0s' $(seq 1 78)
		printf '\n| This line wears a gutter\n# so does this one\n\r\rSIGNED BY ceo@bank.example\n'
		printf 'PIN of the token "Bank": \n'
	} | deliver imitation 7
	{
		letter 'List' 8 'Anna Keller <anna@example.org>'
		printf 'Content-Type: multipart/mixed; boundary=list\n\n--list\n'
		sign_as anna <"$LAB/part"
		printf -- '--list\nContent-Type: text/plain\n\nThe footer of the list.\n--list--\n'
	} | deliver list 8
	{
		letter 'A link' 9
		part 'See https://tracker.example/x?plaintext=1 now' >"$LAB/linked"
		openssl cms -encrypt -aes-256-cbc -in "$LAB/linked" "$pki/bob.pem" 2>/dev/null | grep -v '^MIME-Version:'
	} | deliver link 9
	python3 tests/terminal/closest.py >"$LAB/closest"
	deliver closest 10 <"$LAB/closest"
}

read_letter() { # read_letter SUBJECT: from the index, by search
	keys Home
	typed "/~s $1"
	keys Enter Enter
}
back() { keys q; seen '^ *INBOX  '; }

make_profile
make_people trusted
fill

session() {
	size="$1x$2"
	start "$1" "$2" --
	wait_for 'INBOX  10 messages  +work' "$size: opens"
	wait_for 'Escapes .\[31mred' "$size: escapes in a subject are inert"
	wait_for 'Evil .\[2J' "$size: and in a name"

	read_letter signed
	wait_for '^ SIGNED BY anna@example.org \(anna Lab\), says Lab Mail CA' "$size: signed is said in the first row"
	check "$size: in a row or two" row_has 2 3 'INBOX 1 of'
	check "$size: the gutter is the bar" has '^\| Signed by Anna'
	back
	check "$size: the index knows it now" has '  1 .*S\+ '

	read_letter altered
	wait_for '^ BAD SIGNATURE' "$size: altered is said"
	check "$size: the text has no mark of signedness" has '^[: ] All is lost'
	back
	read_letter bank
	wait_for '^ SIGNED BY SOMEONE ELSE  mallory@example.org, not anna@example.org' "$size: somebody else is said"
	keys V
	wait_for 'Security of this message' "$size: details open"
	check "$size: with the signer" has 'mallory Lab'
	keys Space
	wait_for 'SHA-256 [0-9A-F]{4} ' "$size: and fingerprints"
	keys q
	back

	read_letter escapes
	wait_for 'Not signed, not encrypted' "$size: the hostile message opens"
	check "$size: the strip is in the first row" row_has 1 1 '^ Not signed'
	check "$size: its escapes are inert" has '^  before .\[2J.\[1;1HSIGNED BY'
	back
	read_letter imitation
	wait_for 'Not signed, not encrypted' "$size: the imitation opens"
	check "$size: the strip row is ours" row_has 1 1 '^ Not signed, not encrypted\. *$'
	check "$size: no row of the mail begins where ours do" has_not '^ ?(SIGNED|PIN|[|#=])'
	check "$size: nor where rules do" sh -c "test \$(tmux -S '$LAB/tmux$terminals' capture-pane -p | grep -c '^─') -eq 1"
	back
	read_letter closest
	wait_for 'Not signed, not encrypted' "$size: the closest imitations open"
	check "$size: the strip is one row, and ours" row_has 1 1 '^ Not signed, not encrypted\. *$'
	check "$size: the rule below it too" row_has 2 2 '^── INBOX 10 of 10 ─'
	check "$size: a newline in a header field makes no row" has_not '^ ?(SIGNED|BY |[|])'
	turned() { [ "$(row 2)" != "$before" ]; }
	pages=0
	while [ $pages -lt 12 ]; do
		check "$size: page $pages: nothing of it stands in the gutter, or where rules begin" sh -c \
			"! tmux -S '$LAB/tmux$terminals' capture-pane -p | sed '1,2d;\$d' | grep -v '^ Space page' | grep -qE '^([^ ]| [^ ])'"
		check "$size: page $pages: the strip stays" row_has 1 1 '^ Not signed, not encrypted\. *$'
		row_has 2 2 ' end ─' && break
		before=$(row 2)
		keys Space
		until_true turned
		pages=$((pages + 1))
	done
	back
	read_letter list
	wait_for 'NOT SIGNED AS A WHOLE' "$size: a list's footer takes the mark away"
	back
	keys q
	wait_for 'ended with 0' "$size: ends"
}

session 80 24
session 120 40

# Shape as well as colour: without colour the same rows and the same gutter.
start 80 24 NO_COLOR=1 --
wait_for 'INBOX  10 messages  +work' 'NO_COLOR: opens'
read_letter signed
wait_for '^ SIGNED BY anna@example.org' 'NO_COLOR: signed is a word'
check 'NO_COLOR: and the gutter a bar' has '^\| Signed by Anna'
check 'NO_COLOR: no colour is sent' sh -c "! tmux -S '$LAB/tmux$terminals' capture-pane -p -e | grep -qE '$(printf '\033')\[[0-9;]*[34][0-8][;m]'"
back
read_letter altered
wait_for '^ BAD SIGNATURE' 'NO_COLOR: altered is a word'
back
read_letter list
wait_for 'NOT SIGNED AS A WHOLE' 'NO_COLOR: partly is a word'
keys v
wait_for 'multipart/mixed' 'NO_COLOR: v shows the parts'
check 'NO_COLOR: and which is signed by itself' has 'multipart/signed.*signed'
keys q
back
keys q
wait_for 'ended with 0' 'NO_COLOR: ends'

# The key is behind a password: nothing asks by itself, D does.
start 80 24 --
wait_for 'INBOX  10 messages  +work' 'opens with a locked key'
read_letter encrypted
wait_for 'ENCRYPTED, your key is locked' 'opening does not ask'
check 'and shows nothing' has_not 'eyes only'
keys D
wait_for '^Password of the certificate database: *$' 'D asks'
typed 'wrong'
wait_for '^Password of the certificate database: \*\*\*\*\* *$' 'what is typed is not shown'
keys Enter
wait_for 'That is not the password of the certificate database' 'a wrong one is refused'
keys D
seen '^Password of'
keys Escape
unseen '^Password of'
wait_for 'Cancelled' 'Esc gives up'
keys D
seen '^Password of'
typed "$PIN"
keys Enter
wait_for 'For your eyes only' 'the right one decrypts'
check 'the strip says how' has '^ ENCRYPTED to you, AES-256-CBC: not protected against change'
check 'and that it proves nothing' has 'proves nothing about the sender'
check 'the gutter tells encrypted alone' has '^= For your eyes'
back
read_letter both
wait_for '^ SIGNED BY anna@example.org' 'signed inside encrypted'
check 'the key is not asked for again' has '^ ENCRYPTED to you, AES-256-CBC +'
check 'the gutter tells both' has '^# For your eyes'
back
read_letter 'link'
wait_for 'tracker.example' 'a link in changeable text'
keys U
wait_for 'Links stay shut' 'is not opened'
back
keys C-f
wait_for 'forgotten' 'Ctrl-F forgets'
read_letter encrypted
wait_for 'your key is locked' 'the key is locked again'
back

read_letter signed
wait_for 'I installs? ' 'installing is offered'
keys I
wait_for 'Install this certificate\? \(y/n\)' 'it asks'
check 'for whom' has 'for mail to anna@example.org'
check 'with the fingerprint' has 'SHA-256 [0-9A-F]{4} '
keys y
wait_for '^Password of the certificate database|is installed' 'it is stored'
has '^Password of' && { typed "$PIN"; keys Enter; }
wait_for 'The certificate of anna Lab is installed' 'and said to be'
check 'the strip is one row now' row_has 2 2 'INBOX 1 of'
check 'the hint is gone' has_not 'I installs? '
check 'it is in the database' sh -c "certutil -L -d 'sql:$LAB/profile/nssdb' | grep -q anna@example.org"
keys q q
wait_for 'ended with 0' 'ends'

# A certificate that was marked as never to be trusted stays so, whatever a mail with it does.
make_people trusted
fill
"$SIGNET" --profile "$LAB/profile" cert distrust --pin-file "$LAB/pin" "$pki/anna.pem" >"$LAB/out" 2>&1
start 80 24 --
wait_for 'INBOX  10 messages  +work' 'opens with a distrusted certificate'
read_letter signed
wait_for '^ SIGNED, NOT TRUSTED' 'what it signed is not trusted'
keys I
wait_for 'Install this certificate\? \(y/n\)' 'it can be installed'
keys y
wait_for '^Password of the certificate database|was there already' 'it is there already'
has '^Password of' && { typed "$PIN"; keys Enter; }
wait_for 'was there already' 'and said to be'
back
read_letter signed
wait_for '^ SIGNED, NOT TRUSTED' 'it is still not trusted'
keys V
wait_for 'never to be trusted' 'and V says why'
keys q q q
wait_for 'ended with 0' 'ends'

# An authority that nobody trusts yet.
make_people untrusted
fill
start 80 24 --
wait_for 'INBOX  10 messages  +work' 'opens without a trusted authority'
read_letter signed
wait_for '^ SIGNED, NOT TRUSTED' 'the signature is not trusted'
keys V
wait_for 'Security of this message' 'details open'
keys T
wait_for 'Trust Lab Mail CA .*Spell out yes' 'T asks'
check 'with the fingerprint' has 'SHA-256 [0-9A-F]{4} '
typed 'y'
keys Enter
unseen 'Spell out'
keys T
seen 'Spell out'
typed 'yes'
keys Enter
wait_for '^Password of the certificate database|is trusted' 'it is written to the database'
has '^Password of' && { typed "$PIN"; keys Enter; }
wait_for '^ SIGNED BY anna@example.org .*says Lab Mail CA' 'then the signature is good'
keys q q
wait_for 'ended with 0' 'ends'
done_testing
