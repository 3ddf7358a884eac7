#!/bin/sh
# signet rekey: which keys encrypted mail needs, told without using any.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
work=$tmp/work profile=$tmp/profile
mkdir -p "$work"
. tests/lab/rekey-lab.sh
printf '[account here]\naddress = anna@example.org\nmaildir = mail\n[keys]\nsystem-tokens = no\n[policy]\njournal = on\n' >"$profile/signet.conf"
mkdir -p "$profile/mail/cur" "$profile/mail/new" "$profile/mail/tmp" "$profile/mail/.Empty/cur" "$profile/mail/.Empty/new" "$profile/mail/.Empty/tmp"
run 0 cert import --trust root.pem && run 0 cert import --password-file password old.p12 && run 0 cert import --password-file password spare.p12 && run 0 cert import bob.pem && card new
did 'keys in the database and on a token'
put() { tr -d '\r' >"$profile/mail/cur/$((1700000000 + $1)).$1.host:2,S"; }
sealed 1 aes-256-cbc old.pem | put 1
sealed 2 aes-256-gcm old.pem bob.pem | put 2
sealed 3 des3 old.pem spare.pem | put 3
sealed 4 aes-256-cbc bob.pem | put 4
sealed 5 aes-256-cbc new.pem | put 5
wrapped 6 old.pem | put 6
in_a_part 7 old.pem | put 7
plain 8 | put 8
{ letter 9; printf 'Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n'; } | put 9

rm -f "$profile/state/journal"
run 1 rekey INBOX && says '^8 encrypted messages in 1 folder' && says "^ *3 +1 +$(print_of old.pem | cut -c 1-16)  old" &&
	says "^ *0 +1 +$(print_of spare.pem | cut -c 1-16)  spare" && says "^ *1 +0 +$(print_of new.pem | cut -c 1-16)  new"
did 'the report: how many each key reads alone, and with another'
says 'in the database, valid until' && says 'on the card Karte, valid until'
did 'and where it lies'
says 'Nobody here can read 1 of them' && says '^ *1  bob@example.org \(bob\)'
did 'what nobody here reads, and who does'
says '^1 of them is signed around' && says '^1 of them is encrypted only in a part' && says '^1 of them says that' && says '^1 of them is encrypted with a cipher that is too weak'
did 'and what is special'
[ ! -e "$profile/state/journal" ]; did 'no key was used'
run 1 --json rekey INBOX && python3 - "$(print_of old.pem)" "$(print_of new.pem)" <<'END'
import json, sys
lines = [json.loads(line) for line in open("out")]
keys = {line["sha256"]: line for line in lines if line["kind"] == "key"}
assert (keys[sys.argv[1]]["only"], keys[sys.argv[1]]["others"], keys[sys.argv[1]]["token"]) == (3, 1, "database"), keys
assert (keys[sys.argv[2]]["only"], keys[sys.argv[2]]["token"], keys[sys.argv[2]]["retired"]) == (1, "Karte", False), keys
assert [line["messages"] for line in lines if line["kind"] == "missing"] == [1]
last = lines[-1]
assert last["kind"] == "report" and (last["encrypted"], last["unreadable"], last["wrapped"], last["parts"], last["broken"], last["legacy"]) == (8, 1, 1, 1, 1, 1), last
END
did 'the same as JSON'
run 1 --json -v rekey INBOX && [ "$(grep -c '"kind":"message"' out)" = 8 ] && grep '"here/INBOX/3"' out | grep -q '"cipher":"des-ede3-cbc".*"keys":\["[0-9a-f]*","[0-9a-f]*"\]'
did '-v: each message with what it needs'
run 0 rekey Empty && says '^0 encrypted messages'; did 'an empty folder: 0'
run 1 rekey --all && says '^8 encrypted messages in 2 folders'; did '--all'
run 66 rekey Nowhere && run 2 rekey && run 2 rekey --all INBOX; did 'no such folder, no folder, both'
mv softhsm.conf away.conf && printf 'directories.tokendir = %s/none\nobjectstore.backend = file\n' "$work" >softhsm.conf && mkdir none
run 1 --json rekey INBOX && grep "$(print_of new.pem)" out | grep -q '"absent":true'
did 'a card that is not in its reader is known all the same'
mv away.conf softhsm.conf
done_testing
