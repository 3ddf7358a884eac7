#!/bin/sh
# The certificate screen: three groups, columns, status in words, limit and search as one types, details. At two sizes,
# in colour and without; what a certificate's maker says of himself reaches the screen through the gate alone.
. "$(dirname "$0")/lib.sh"
. tests/terminal/certs-lib.sh
make_profile
make_certs
fill_database
plain 'A letter' 1 'Hello.' | deliver one 1

on_row() { screen | grep -E -- "$1" | head -n 1 | grep -qE -- "$2"; } # on_row ROW-REGEX REGEX
open_screen() {
	start "$@" --
	seen '^> *1 '
	keys S
	seen '^ Certificates '
	until_true all_known
}
all_known() { has '^ Own' && ! has ' \.\.\.$'; }
raw_has_no() { ! colours | LC_ALL=C grep -q "$1"; }

session() { # session COLUMNS ROWS [VARIABLE=VALUE]
	size="$1x$2${3:+ $3}"
	open_screen "$@"
	wait_for '^ Certificates  2 own, 19 of people, 2 authorities' "$size: S opens it, counted by groups"
	check "$size: the columns are named" row_has 2 2 '^  address +issued by +use +until +lies in +status'
	check "$size: own ones first" row_has 3 4 '^ Own \(2\)'
	check "$size: the newest first, the cursor on it" row_has 4 4 '^> ?bob@example.org +Lab Mail CA +both +20[0-9-]+ database +good'
	check "$size: the old one stays, and is said to be over" row_has 5 5 '^  bob@example.org .* expired'
	wait_for '^  anna@example.org +Lab Mail CA +both .*good' "$size: a person's"
	check "$size: expired" on_row '^  carl@' ' expired'
	check "$size: revoked, by the list in the database" on_row '^  dora@' ' revoked'
	check "$size: distrusted" on_row '^  erik@' ' sign .* distrusted'
	check "$size: nobody vouches" on_row '^  fred@' 'Other Root .* not trust'
	check "$size: ends soon" on_row '^  gina@' ' encrypt .* ends in 9d'
	keys j
	wait_for '^ expired\. It signs no more; its key stays' "$size: below, what that means"
	keys q
	seen '^> *1 '
	keys S
	until_true all_known
	keys Tab
	wait_for '^> ?anna@example.org' "$size: Tab goes to the next group"
	keys Tab
	wait_for '^> ?Lab Mail CA .*issue .*trusted' "$size: and to the authorities"
	check "$size: one that is trusted for nothing" has '^  Other Root .* not trusted'
	keys End
	wait_for '^> ?Other Root' "$size: End"
	check "$size: what to do" has 'T trusts it'
	keys Tab
	wait_for '^> ?bob@example.org' "$size: Tab goes round"
	keys /
	typed 'car'
	wait_for '^> ?carl@example.org' "$size: / finds while one types"
	typed 'x'
	wait_for '^> ?bob@example.org' "$size: nothing fits: back to where it began"
	keys BSpace Enter
	wait_for '^> ?carl@example.org' "$size: Enter stays there"
	keys l
	typed 'man'
	wait_for '^ Certificates  12 of people  limit: man' "$size: l limits while one types"
	typed 'y03'
	wait_for '^ Certificates  1 of people  limit: many03' "$size: to one"
	keys Escape
	wait_for '^ Certificates  2 own, 19 of people' "$size: Esc takes it back"
	keys l
	typed '~x'
	keys Enter
	wait_for '^ Certificates  1 own, 2 of people  limit: ~x' "$size: ~x: what ends soon or has ended"
	keys Escape
	seen '2 own, 19'
	keys l
	typed '~b !expired ~p'
	keys Enter
	wait_for '^ Certificates  4 of people  limit' "$size: words of the status, turned round"
	keys l
	typed 'nobody-has-this'
	wait_for 'No certificate fits the limit' "$size: none"
	keys Escape Escape
	wait_for '2 own, 19' "$size: all again"
	keys Home Enter
	wait_for '^ Certificate: bob@example.org' "$size: Enter shows one"
	print=$(sha256 "$pki/bob.pem")
	check "$size: its fingerprint as openssl prints it, first half" has "SHA-256 +$(echo "$print" | cut -c 1-47)"
	check "$size: and second" has " +$(echo "$print" | cut -c 49-95)"
	check "$size: SHA-1 too" has "SHA-1 +$(openssl x509 -in "$pki/bob.pem" -noout -fingerprint -sha1 | sed 's/.*=//' | cut -c 1-47)"
	keys End
	wait_for 'Lab Mail CA,O=Lab .*trusted for mail' "$size: the chain, from its authority"
	wait_for '^ ?`- CN=Bob' "$size: down to it"
	keys q
	keys /
	typed fred
	keys Enter Enter
	wait_for 'Certificate: fred@example.org' "$size: one that is not trusted"
	keys End
	wait_for '! self-signed|! unknown-issuer' "$size: the rule that its chain breaks"
	keys q l
	typed hostile
	keys Enter
	wait_for '^> ?hostile@example.org' "$size: the hostile one"
	keys Enter
	wait_for 'Certificate: hostile@example.org' "$size: opens"
	check "$size: its name's letters are shown" has 'evil'
	check "$size: no escape sequence of its own" raw_has_no "$(printf '\033\\[2J')"
	check "$size: no C1" raw_has_no "$(printf '\302\233')"
	check "$size: no bidi control" raw_has_no "$(printf '\342\200\256')"
	check "$size: the title line stands" row_has 1 1 '^ Certificate: hostile'
	keys End Home q
	wait_for '^> ?hostile@example.org' "$size: and shuts"
	keys Escape b
	wait_for 'of people, [0-9][0-9]+ authorities' "$size: b shows NSS's own roots"
	keys l
	typed '~a nss roots'
	seen '1?[0-9][0-9] authorities  limit'
	check "$size: which say where they lie" has 'NSS ro'
	keys Escape
	wait_for 'of people, [0-9][0-9]+ authorities' "$size: Esc ends the limit"
	keys b
	wait_for '19 of people, 2 authorities' "$size: and b hides them"
	keys '?'
	wait_for 'Help: keys in the certificates' "$size: help"
	check "$size: has its keys" has 'as it is typed'
	keys q q
	wait_for 'INBOX  1 message' "$size: q goes back"
	keys q
	wait_for 'ended with 0' "$size: ends"
}
session 80 24
session 120 40 NO_COLOR=1
check 'NO_COLOR: none was written' raw_has_no "$(printf '\033\\[3[0-9]m')"

resized() {
	open_screen 120 40
	keys End
	resize 60 12
	wait_for '^> ?Other Root' 'made small: the cursor stays in sight'
	resize 20 5
	seen '^>'
	resize 120 40
	wait_for '^> ?Other Root .*not trusted' 'and large again'
	rm -rf "$LAB/profile/nssdb"
	keys q q
	wait_for 'ended with 0' 'ends'
}
resized

# What ends soon is said once the first screen is there, and leads to the certificates.
notice() { # notice COLUMNS ROWS
	size="$1x$2"
	make_profile
	certutil -A -d "$nss" -n root -t ,C, -i "$pki/root.pem"
	certutil -A -d "$nss" -n gina -t ,, -i "$pki/gina.pem"
	certutil -A -d "$nss" -n anna -t ,, -i "$pki/anna.pem"
	{
		letter 'From Gina' 2 'Gina <gina@example.org>'
		printf 'Content-Type: text/plain\n\nHello.\n'
	} | deliver two 2
	start "$1" "$2" --
	seen '^> *1 '
	keys Enter
	seen '^ *.?.?Hello'
	keys q q
	seen 'ended with 0'
	start "$1" "$2" --
	wait_for '^The certificate of gina@example.org ends in 9 days: S shows it' "$size: somebody who wrote lately"
	keys q
	seen 'ended with 0'
	pk12util -i "$pki/bobsoon.p12" -d "$nss" -W secret >/dev/null
	start "$1" "$2" --
	wait_for '^Your certificate for bob@example.org ends in 9 days, 1 more too: S shows them' "$size: ours comes first"
	seen '^> *[0-9]'
	keys @
	wait_for '^Gina <gina@|^.*gina@example.org' "$size: what is said goes before it"
	keys Home
	wait_for '^Your certificate for bob' "$size: and it comes back"
	keys S
	wait_for '^ Certificates  1 own, 1 of people  limit: ~x' "$size: S leads to those that end"
	keys Escape
	wait_for '^ Certificates  1 own, 2 of people, 1 authority' "$size: Esc shows all"
	keys q
	seen '^ *INBOX'
	check "$size: it was looked at, and is not said again" has_not 'ends in'
	pk12util -i "$pki/bob.p12" -d "$nss" -W secret >/dev/null
	keys q
	seen 'ended with 0'
	start "$1" "$2" --
	wait_for '^The certificate of gina' "$size: a successor of ours is here: nothing is said of it"
	keys q
	wait_for 'ended with 0' "$size: ends"
}
notice 80 24
notice 120 40
done_testing
