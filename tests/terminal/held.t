#!/bin/sh
# A card that another program holds (gpg's scdaemon does): wherever its module answers with an error instead of doing its
# work, the card is said not to answer, and what lets it go; never that a PIN is wrong or that a mail is damaged. By
# subcommand and on the screen. What real OpenSC answers then was looked up on a virtual card: CKR_DEVICE_ERROR (30) where
# it should describe the reader. The card is SoftHSM2 behind tests/lab/removable-token.c; an old key lies on it too.
. "$(dirname "$0")/compose-lib.sh"
. tests/terminal/card-lib.sh

removable_card
signet() { "$SIGNET" --profile "$LAB/profile" "$@" >"$LAB/out" 2>"$LAB/err" </dev/null; }
exits() { # exits CODE NAME ARGUMENT...
	wanted=$1 what=$2
	shift 2
	signet "$@"
	got=$?
	[ $got = "$wanted" ] || sed "s/^/# exit $got: /" "$LAB/err"
	check "$what" [ $got = "$wanted" ]
}
complains() { if grep -qE -- "$1" "$LAB/err"; then pass "$2"; else sed 's/^/# /' "$LAB/err"; fail "$2"; fi; }
held() { printf '%s\n' "$@" >"$reader/held"; }

make_pki bob
make_profile
on_card "$pki/bob"
cp "$pki/bob.p12" "$LAB/bob.p12"
{
	person old rsa:2048
	openssl pkcs8 -topk8 -nocrypt -in "$pki/old.key" -out "$pki/old.p8"
	openssl x509 -in "$pki/old.pem" -outform DER -out "$pki/old.der"
	softhsm2-util --module "$module" --import "$pki/old.p8" --token "$TOKEN" --label 'Retired KEY MAN 1' --id 05 --pin $PIN
	pkcs11-tool --module "$module" --token-label "$TOKEN" --login --pin $PIN --write-object "$pki/old.der" --type cert --id 05 --label 'Retired Certificate for Key Management 1'
} >/dev/null 2>&1
trust_authority "$LAB/profile"
sealed() { # sealed SUBJECT NUMBER KEY
	letter "$1" "$2"
	printf 'Content-Type: text/plain\r\n\r\nTo the key of %s.\r\n' "$3" | openssl cms -encrypt -aes-256-cbc "$pki/$3.pem" 2>/dev/null | grep -v '^MIME-Version:'
}
sealed 'Sealed' 2 bob >"$LAB/sealed"
sealed 'Sealed' 2 bob | deliver sealed 2
sealed 'Old' 1 old | deliver old 1
plain 'Mine' 1 'By me.' | sed 's/^From: .*/From: bob@example.org/; s/^To: .*/To: anna@example.org/' >"$LAB/letter"
touch "$reader/present"
signet token add lab "$LAB/removable.so"

# Who may hold it is named where it runs: one of that name runs here, and is not gpg's.
cp "$(command -v sleep)" "$LAB/scdaemon"
"$LAB/scdaemon" 600 &
holder=$!
trap 'kill $holder 2>/dev/null; finish' EXIT
until_true eval '[ "$(cat /proc/$holder/comm)" = scdaemon ]'
named="does not answer: gpg's scdaemon \(process [0-9]*\) may hold it; gpgconf --kill scdaemon lets it go"
export SIGNET_PIN=$PIN

for where in 'slot 30' 'token 30' 'token e1' 'session 30' 'session e1'; do
	held "$where"
	[ "$where" != 'token 30' ] || held "$where" 'cached 1' # as OpenSC does for a second
	code=1
	case $where in session*) code=77 ;; esac # known by its name, and not to be reached
	exits $code "$where: token login" token login "$TOKEN"
	complains "$named" "$where: names it"
	exits 0 "$where: token list" token list
	check "$where: shows a card that does not answer" grep -qE 'a card that does not answer.*scdaemon' "$LAB/out"
	exits $code "$where: change-pin" token change-pin "$TOKEN"
	complains "$named" "$where: names it too"
	signet --offline doctor
	check "$where: doctor speaks of it" grep -qE 'WARN *token *a card in a reader of module lab does not answer' "$LAB/out"
	signet --batch decrypt "$LAB/sealed"
	complains 'scdaemon \(process' "$where: decrypt names it"
	rm "$reader/held"
	exits 0 "$where: let go" decrypt "$LAB/sealed"
done
for where in 'sign-init 30' 'sign-init e1' 'sign 30' 'sign e1'; do
	held "$where"
	exits 77 "$where: sign" sign -o "$LAB/signed" "$LAB/letter"
	complains "$named" "$where: is said to be the card's"
	check "$where: nothing is written" [ ! -e "$LAB/signed" ]
	rm "$reader/held"
done
exits 0 'let go: sign' sign -o "$LAB/signed" "$LAB/letter"
held 'login 30'
exits 8 'login 30: decrypt' decrypt "$LAB/sealed"
complains 'did not answer the PIN.*scdaemon' 'is no wrong PIN'
rm "$reader/held"
for where in 'slot 30' 'token e1' 'session 30'; do
	held 'decrypt 30' 'sign 5' "$where"
	mv "$reader/held" "$reader/held-next"
	exits 8 "$where: taken in mid-decryption" decrypt "$LAB/sealed"
	complains "$named" "$where: no mail is called damaged for that"
	rm "$reader/held"
	held 'decrypt 30' 'sign 5' "$where"
	mv "$reader/held" "$reader/held-next"
	exits 77 "$where: taken in mid-signature" sign -o "$LAB/signed3" "$LAB/letter"
	complains "$named" "$where: said so"
	rm "$reader/held"
done
unset SIGNET_PIN

# The reader is looked at once a second, and a change is told if what was there before it was seen: it may take a second try.
taken() {
	held 'slot 30' 'token 30' 'session 30'
	PATIENCE=5
	until_true has 'The card .* does not answer' || { rm "$reader/held" && until_true has 'The card .* is here' && false; }
	took=$?
	PATIENCE=30
	return $took
}
session() { # session COLUMNS ROWS
	size="$1x$2"
	start "$1" "$2" --
	seen '^> *2 .*Sealed'
	keys P
	wait_for "$TOKEN +its PIN is needed" "$size: P shows the card"
	wait_for '2 certificates with their key, 1 of them old, for reading old' "$size: and that an old key is on it"
	held 'slot 30' 'token 30' 'session 30'
	keys R
	wait_for 'a card that does not answer' "$size: taken by another program: said"
	wait_for "gpg's scdaemon \(process [0-9]+\) may hold it" "$size: by whom"
	wait_for 'gpgconf --kill +scdaemon|gpgconf +--kill' "$size: and what lets it go"
	to_row '.*does not answer' 'Certificate database'
	keys l '!' # the log: what is seen of the reader within a second, that it does not answer, takes the line at the bottom
	wait_for '^ *Log' "$size: the log"
	wait_for 'The card in this reader does not answer' "$size: it cannot be logged in to"
	keys q
	wait_for 'a card that does not answer' "$size: back"
	check "$size: and no PIN is asked for" has_not '^PIN of'
	rm "$reader/held"
	keys R
	wait_for "$TOKEN +its PIN is needed" "$size: let go, it is back"
	keys q
	seen 'INBOX'
	keys Home
	until_true eval 'screen | grep -q "^>"'
	keys Enter
	seen 'your key is locked'
	held 'decrypt 30' 'slot 30'
	mv "$reader/held" "$reader/held-next"
	keys D
	wait_for "^PIN of the token \"$TOKEN\": *\$" "$size: an old mail: D asks"
	typed $PIN
	keys Enter
	wait_for 'does not answer: gpg.s scdaemon' "$size: taken in mid-decryption: said"
	check "$size: the mail stays closed" has '^ ENCRYPTED'
	check "$size: and is not called damaged" has_not 'damaged'
	rm "$reader/held"
	keys D
	until_true has '^PIN of the token|To the key of old'
	has '^PIN of the token' && { typed $PIN; keys Enter; }
	wait_for 'To the key of old' "$size: let go, the old key opens the old mail"
	keys q
	seen '^ *INBOX  '
	check "$size: taken while the list is shown: said at the bottom" eval 'taken || taken || taken'
	check "$size: by whom, and not that it was pulled" has "^ *The card \"$TOKEN\" does not answer: gpg's scdaemon"
	rm "$reader/held"
	wait_for "The card \"$TOKEN\" is here" "$size: let go: said"
	rm "$reader/present"
	wait_for "The card \"$TOKEN\" was pulled" "$size: one that was pulled is said to be"
	touch "$reader/present"
	keys q
	wait_for 'ended with 0' "$size: ends"
}
session 80 24
session 120 40
done_testing
