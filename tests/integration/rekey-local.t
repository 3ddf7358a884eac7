#!/bin/sh
# signet rekey --to on Maildir and mbox: encrypted mail written anew for a key on a card, and back for one in the database.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
work=$tmp/work profile=$tmp/profile
mkdir -p "$work"
. tests/lab/rekey-lab.sh
box=$profile/mail
settings() { # settings KIND...
	printf '[account here]\naddress = anna@example.org\n%s\n[keys]\nsystem-tokens = no\n' "$1" >"$profile/signet.conf"
	shift
	[ $# = 0 ] || printf '%s\n' "$@" >>"$profile/signet.conf"
}
settings 'maildir = mail' '[policy]' 'journal = on'
run 0 cert import --trust root.pem && run 0 cert import --password-file password old.p12 && run 0 cert import --password-file password spare.p12 && run 0 cert import bob.pem && card new
did 'keys in the database and on a token'
to=$(print_of new.pem) old=$(print_of old.pem)
put() { # put SECONDS FLAGS: into the Maildir, dated
	tr -d '\r' >"$box/tmp/m"
	touch -d "@$((1600000000 + $1))" "$box/tmp/m"
	mv "$box/tmp/m" "$box/cur/$((1700000000 + $1)).$1.host:2,$2"
}
fresh() { # fresh: nine messages, of which five can be done
	rm -rf "$box" "$profile/state" "$profile/data"
	mkdir -p "$box/cur" "$box/new" "$box/tmp"
	cp -p kept/* "$box/cur/"
}
mkdir -p "$box/cur" "$box/new" "$box/tmp"
sealed 1 aes-256-cbc old.pem | put 1 FSab
sealed 2 aes-256-gcm old.pem bob.pem | put 2 S
sealed 3 des3 old.pem spare.pem | put 3 ''
signed_sealed 4 old.pem | put 4 RS
sealed 5 aes-256-cbc new.pem | put 5 S
sealed 6 aes-256-cbc bob.pem | put 6 S
wrapped 7 old.pem | put 7 S
in_a_part 8 old.pem | put 8 S
plain 9 | put 9 S
sealed 10 aes-256-cbc spare.pem | put 10 S
sealed 11 aes-256-cbc old.pem | put 11 ST
mkdir kept && cp -p "$box"/cur/* kept/
there() { find "$box/cur" "$box/new" -type f | wc -l; }
file_of() { grep -lE "^Message-ID: <number$1@" "$box"/cur/* "$box"/new/* 2>/dev/null; }

run 1 rekey --to xyz INBOX && complains 'No certificate here fits'; did 'a certificate that is not there is what is said first'
run 2 rekey --to "$to" INBOX && complains 'give --yes'; did 'without a terminal --yes is needed'
run 2 rekey --from "$old" INBOX && run 2 rekey --resume INBOX && run 2 rekey --finish --resume && run 2 rekey --to "$to" --yes --cipher rot13 INBOX
did 'what does not go together'
run 1 rekey --to "$(print_of bob.pem)" --yes INBOX && complains 'no private key here'; did 'not to somebody else'
run 77 rekey --to "$to" --yes --pin-file wrong INBOX && [ "$(ls "$box/cur")" = "$(ls kept)" ]; did 'a wrong PIN: 77, and nothing was done'
rm -f "$profile/state/journal"
run 1 rekey --to "$to" --yes --pin-file pin INBOX; did 'the run: 1, since some are left'
says '^5 messages written anew, 1 could be read with that key already, 4 left as they are' && says '^1 had a cipher that is too weak'
did 'the summary'
says 'here/INBOX/[0-9]+: No key that is here' && says 'INBOX/[0-9]+: It is signed around' && says 'INBOX/[0-9]+: Only a part' && says 'INBOX/[0-9]+: It is marked as deleted'
did 'what was left, and why'
[ "$(there)" = 11 ] && [ ! -e "$profile"/data/rekey/*.state ]; did 'as many messages as before, and nothing noted any more'
good=0
for i in 1 2 3 4 10; do
	f=$(file_of $i)
	[ "$(echo "$f" | wc -l)" = 1 ] && opened "$f" new >a 2>/dev/null && k=$(ls kept/*."$i".host*) &&
		{ opened "$k" old >b 2>/dev/null || opened "$k" spare >b; } && cmp -s a b && good=$((good + 1)) || echo "# number $i: $f"
done
[ $good = 5 ]; did "openssl reads them with the new key, and what is inside is what was, octet for octet"
good=0
for i in 1 2 3 4 10; do
	bare_header "$(file_of $i)" >a
	bare_header kept/*."$i".host* >b
	cmp -s a b && [ "$(stat -c %Y "$(file_of $i)")" = "$(stat -c %Y kept/*."$i".host*)" ] && good=$((good + 1)) || { echo "# number $i"; diff a b; }
done
[ $good = 5 ]; did 'their headers and dates are the same'
good=0
for i in 1:FSab 2:S 3: 4:RS 10:S; do
	case $(file_of "${i%%:*}") in *":2,${i#*:}") good=$((good + 1)) ;; *) echo "# $(file_of "${i%%:*}")" ;; esac
done
[ $good = 5 ]; did 'and their flags, with letters that signet does not know'
good=0
for i in 5 6 7 8 9 11; do cmp -s "$(file_of $i)" kept/*."$i".host* && good=$((good + 1)); done
[ $good = 6 ]; did 'what was left is untouched'
grep '"act":"decrypt"' "$profile/state/journal" | grep -q '"token":"Karte".*"about":"<number4@' && grep '"act":"decrypt"' "$profile/state/journal" | grep -q '"token":"database".*"about":"<number4@'
did 'the journal has each use of either key'
run 1 --json rekey --to "$to" --yes --pin-file pin INBOX && grep '"kind":"summary"' out | grep -q '"rekeyed":0,"already":6,"left":4'
did 'run again, there is nothing to do'
f=$(file_of 4); run 0 --json verify --pin-file pin "$f"; grep -q '"signature":"valid"' out; did 'the signature inside is as good as before'

# --- back, from the card to the database; only what one key reads
fresh
run 1 --json rekey --to "$(print_of spare.pem)" --from "$to" --yes --pin-file pin INBOX && grep '"kind":"summary"' out | grep -q '"rekeyed":1,"already":2,"left":2,"other_key":5' && opened "$(file_of 5)" spare | grep -q 'number 5'
did '--from: only what that key reads, and the card is the old key'

# --- CBC, GCM and policy
fresh
run 1 --json rekey --to "$to" --yes --pin-file pin --cipher aes-256-cbc INBOX
grep '"kind":"rekeyed"' out | sed 's/.*"cipher":"\([^"]*\)".*/\1/' | sort | uniq -c | tr -s ' \n' ' ' >got
[ "$(cat got)" = ' 4 aes-256-cbc 1 aes-256-gcm ' ]; did "--cipher: what was authenticated stays so ($(cat got))"
fresh
settings 'maildir = mail' '[policy]' 'min-cipher = aes-256-gcm'
run 1 rekey --to "$to" --yes --pin-file pin INBOX && says '^2 messages written anew' && says 'would vouch for it'; did 'policy: what cannot be told from an altered message is not vouched for'
settings 'maildir = mail' '[policy]' 'min-rsa = 3072'
run 77 rekey --to "$to" --yes --pin-file pin INBOX && complains min-rsa; did 'policy: a key that is too short'
settings 'maildir = mail'

# --- the old copies stay
fresh
run 1 rekey --to "$to" --yes --keep-old --pin-file pin INBOX && says '^5 messages written anew' && says '5 old copies are there still' && [ "$(there)" = 16 ]
did '--keep-old: both are there'
run 1 rekey --to "$to" --yes --keep-old --pin-file pin INBOX && says '^0 messages written anew' && [ "$(there)" = 16 ]; did 'run again: no third copy'
run 75 rekey --to "$old" --yes --pin-file pin INBOX && complains 'not ended'; did 'to another key only once that is ended'
rm "$(for f in $(file_of 1); do opened "$f" new >/dev/null 2>&1 && echo "$f"; done)"
run 0 rekey --finish && [ "$(there)" = 11 ] && opened "$(file_of 1)" old >/dev/null 2>&1 && opened "$(file_of 2)" new >/dev/null 2>&1
did '--finish takes the old ones, but where the new one has gone'
run 0 rekey --finish && says 'nothing to go on with'; did 'once'

# --- killed at every point, and gone on with
for point in noted stored numbered checked marked expunged; do
	fresh
	SIGNET_TEST_DIE=rekey-$point "$signet" --profile "$profile" --batch rekey --to "$to" --yes --pin-file pin INBOX >out 2>err
	[ $? = 137 ] && [ "$(ls "$profile"/data/rekey/*.state | wc -l)" = 1 ] || [ $point = numbered ]
	did "killed at rekey-$point"
	[ ! -e "$profile"/data/rekey/*.state ] || { run 1 rekey --resume --pin-file pin || run 0 rekey --resume --pin-file pin; }
	count=$(there) good=0
	for i in 1 2 3 4 10; do opened "$(file_of $i)" new 2>/dev/null | grep -q "number $i\|MIAG\|signed-data" && good=$((good + 1)); done
	[ "$count $good" = '11 5' ] && [ ! -e "$profile"/data/rekey/*.state ]
	did "killed at rekey-$point, resumed: each is there once ($count, $good)"
done
# --- of two folders: killed in the second, and between them
second=$box/.Second
two() { # two: half of what can be done lies in the second
	fresh
	mkdir -p "$second/cur" "$second/new" "$second/tmp"
	for i in 3 4 10; do mv "$box"/cur/*."$i".host* "$second/cur/"; done
}
in_second() { grep -lE "^Message-ID: <number$1@" "$second"/cur/* "$second"/new/* 2>/dev/null; }
all_once() { # each of the five once, for the new key; what was left as it was
	good=0
	for i in 1 2; do f=$(file_of $i); [ "$(echo "$f" | wc -l)" = 1 ] && quiet opened "$f" new && good=$((good + 1)); done
	for i in 3 4 10; do f=$(in_second $i); [ "$(echo "$f" | wc -l)" = 1 ] && quiet opened "$f" new && good=$((good + 1)); done
	[ "$good $(there) $(find "$second/cur" "$second/new" -type f | wc -l)" = '5 8 3' ] || { echo "# $good $(there)"; return 1; }
}
noted() { find "$profile/data/rekey" -name '*.state' | wc -l; }
for point in expunged done; do
	for act in resume again; do
		two
		SIGNET_TEST_DIE=rekey-$point "$signet" --profile "$profile" --batch rekey --to "$to" --yes --pin-file pin INBOX Second >out 2>err
		[ $? = 137 ] && [ "$(noted)" = $([ $point = done ] && echo 1 || echo 2) ] && quiet opened "$(file_of 1)" new && quiet opened "$(file_of 2)" new &&
			cmp -s "$(in_second 4)" kept/*.4.host*
		did "killed at rekey-$point: the first folder is done, the second noted and untouched"
		# What stays as it is in the first folder is told where that is looked at again; its two are counted where its note is left.
		case $point.$act in
		*.again) run 1 rekey --to "$to" --yes --pin-file pin INBOX Second ;;
		expunged.*) run 1 rekey --resume --pin-file pin ;;
		*) run 0 rekey --resume --pin-file pin ;;
		esac && says "^$([ $point = done ] && echo 3 || echo 5) messages written anew" && all_once && [ "$(noted)" = 0 ]
		did "gone on with ($act): the second is done, nothing twice"
		run 1 --json rekey --to "$to" --yes --pin-file pin INBOX Second && grep '"kind":"summary"' out | grep -q '"rekeyed":0,"already":6'
		did 'and then there is nothing to do'
	done
done
fresh
SIGNET_TEST_DIE=rekey-stored "$signet" --profile "$profile" --batch rekey --to "$to" --yes --pin-file pin INBOX >out 2>err
run 1 rekey --to "$to" --yes --pin-file pin INBOX && [ "$(there)" = 11 ]; did 'the same run again does it as well'
fresh
SIGNET_TEST_DIE=rekey-checked "$signet" --profile "$profile" --batch rekey --to "$to" --yes --pin-file pin INBOX >out 2>err
printf 'put 4' >>"$(ls "$profile"/data/rekey/*.state)"
rm -rf "$profile/state"
run 1 rekey --resume --pin-file pin && [ "$(there)" = 11 ]; did 'with half a line noted, and other numbers: found by what they hold'
printf 'rubbish\n' >"$profile/data/rekey/x.state"
run 74 rekey --resume && complains 'damaged'; did 'a damaged note is said'
rm "$profile/data/rekey/x.state"

# --- a copy whose header is another: after a crash there is only the old one's to tell by
copies() { for f in "$box"/cur/* "$box"/new/*; do [ ! -f "$f" ] || quiet opened "$f" old || ! quiet opened "$f" new || grep -q '^Message-ID: <number5@' "$f" || echo "$f"; done; }
number_of() { sed -n 's/^Message-ID: <number\([0-9]*\)@.*/\1/p' "$1"; }
for point in stored checked; do
	fresh
	SIGNET_TEST_DIE=rekey-$point "$signet" --profile "$profile" --batch rekey --to "$to" --yes --pin-file pin INBOX >out 2>err
	f=$(copies | head -n 1) i=$(number_of "$f")
	sed -i '/^X-Odd/d' "$f"
	run 1 rekey --resume --pin-file pin && says '4 messages written anew' && [ "$(grep -c 'gave back another header' out)" = 1 ] && [ "$(there)" = 11 ] && cmp -s "$(file_of "$i")" kept/*."$i".host*
	did "killed at rekey-$point, and a field of the copy is gone: the old one stays, and is listed"
	run 1 rekey --to "$to" --yes --pin-file pin INBOX && says '^1 message written anew' && grep -q '^X-Odd' "$(file_of "$i")" && [ "$(there)" = 11 ]
	did 'the next run does it'
done
fresh
run 1 rekey --to "$to" --yes --keep-old --pin-file pin INBOX
f=$(copies | head -n 1) i=$(number_of "$f")
sed -i 's/^X-Odd.*/X-Odd: other/' "$f"
run 1 rekey --finish && says 'gave back another header' && [ "$(there)" = 11 ] && cmp -s "$(file_of "$i")" kept/*."$i".host*; did '--finish leaves the old one of such a copy'
run 0 rekey --finish && says 'nothing to go on with'; did 'and is done then'

# --- a folder that cannot be written, a disk that is full
fresh
if [ "$(id -u)" != 0 ]; then
	chmod 500 "$box/cur"
	run 77 rekey --to "$to" --yes --pin-file pin INBOX && complains 'only be read'; did 'a read-only folder: 77'
	chmod 700 "$box/cur"
fi
# --- mbox
fresh
for i in 1 2 3 4; do
	printf 'From bob@example.org Wed Nov 15 00:02:0%s 2023\n' $i
	cat kept/*."$i".host* | sed "s/^MIME-Version/X-Keywords: red $i\nStatus: RO\n&/"
	echo
done >"$profile/box"
cp "$profile/box" box.before
settings 'mbox = box'
run 0 rekey --to "$to" --yes --pin-file pin INBOX && says '^4 messages written anew' && [ "$(grep -c '^From ' "$profile/box")" = 4 ]; did 'mbox: all four'
run 0 --json rekey --to "$to" --yes --pin-file pin INBOX && grep -q '"rekeyed":0,"already":4' out; did 'mbox: run again, nothing to do'
[ "$(grep -c '^X-Keywords: red' "$profile/box")" = 4 ] && [ "$(grep -c '^From .* Wed Nov 15 00:02:0[1-4] 2023' "$profile/box")" = 4 ]; did 'mbox: keywords and dates'
csplit -s -f part "$profile/box" '/^From /' '{*}'
good=0
for i in 01 02 03 04; do sed 1d part$i >m && opened m new >/dev/null 2>&1 && good=$((good + 1)); done
[ $good = 4 ]; did 'mbox: openssl reads them'
for point in noted stored checked marked expunged; do
	cp box.before "$profile/box"
	rm -rf "$profile/state" "$profile/data"
	SIGNET_TEST_DIE=rekey-$point "$signet" --profile "$profile" --batch rekey --to "$to" --yes --pin-file pin INBOX >out 2>err
	run 0 rekey --resume --pin-file pin
	run 0 --json rekey --to "$to" --yes --pin-file pin INBOX && grep -q '"rekeyed":0,"already":4' out && [ "$(grep -c '^From ' "$profile/box")" = 4 ]
	did "mbox: killed at rekey-$point, resumed"
done
done_testing
