#!/bin/sh
# The corpus' mails that want an answer to give away what somebody else wrote: each is answered, forwarded and edited
# as new on the screen, from the list and from the reader, its encrypted parts closed and opened. Nothing that was
# decrypted is in the draft that the editor gets, nor in what is sent, unless the person said so.
. "$(dirname "$0")/compose-lib.sh"

make_corpus || { cat "$LAB/made"; exit 1; }
make_profile
cat >"$LAB/profile/signet.conf" <<-END
	[account work]
	address = bob@corpus.example
	name = Bob Tester
	maildir = mail
	sendmail = $LAB/sendmail -t -i
	undo-send = 0
	[keys]
	system-tokens = no
END
mkdir -p "$LAB/run"
chmod 700 "$LAB/run"
printf test >"$LAB/password"
for key in bob bob-enc bob-ecenc bob-ecenc384 bob-oldenc; do
	"$SIGNET" --profile "$LAB/profile" cert import --password-file "$LAB/password" "$LAB/corpus/pki/$key.p12" >/dev/null 2>&1
done
"$SIGNET" --profile "$LAB/profile" cert import --trust "$LAB/corpus/pki/trusted-roots.pem" >/dev/null 2>&1
"$SIGNET" --profile "$LAB/profile" cert import "$LAB/corpus/pki/intermediates.pem" >/dev/null 2>&1
printf '#!/bin/sh\ncat >"%s/sent.new" && mv "%s/sent.new" "%s/sent"\n' "$LAB" "$LAB" "$LAB" >"$LAB/sendmail"
printf '#!/bin/sh\ncp "$1" "%s/given.new" && mv "%s/given.new" "%s/given"; echo "my words" >>"$1"\n' "$LAB" "$LAB" "$LAB" >"$LAB/editor"
chmod +x "$LAB/sendmail" "$LAB/editor"

# The token is in no part of the mail, however that is encoded.
cat >"$LAB/holds.py" <<'END'
import email, sys
token, raw = sys.argv[1].encode(), open(sys.argv[2], 'rb').read()
found = token in raw
for part in email.message_from_bytes(raw).walk():
    found = found or token in (part.get_payload(decode=True) or b'')
    found = found or any(token.decode() in str(value) for value in part.values())
sys.exit(not found)
END
holds_not() { [ -s "$2" ] && ! python3 "$LAB/holds.py" "$1" "$2"; }
has_either() { has '^ SIGN ' || has 'Quote what was decrypted'; }

# drafted NAME: after the key. The review screen, with a question about the quote before it if $asked.
drafted() {
	until_true has_either
	if [ "$asked" ]; then
		check "$1: it is asked" has "It would go to .*$asked"
		keys n
	else
		check "$1: nothing is asked" has_not 'Quote what'
	fi
	wait_for '^ SIGN ' "$1: the draft is there"
	check "$1: nothing of it was given to the editor" holds_not "$token" "$LAB/given"
	check "$1: nor is it on the screen" has_not "$token"
}
drop() {
	rm -f "$LAB/given"
	keys q
	seen 'Keep this message'
	keys n
	seen 'Dropped'
}
send_it() { # send_it NAME: in clear, where that is free
	rm -f "$LAB/sent" "$LAB/given"
	! has '^ ENCRYPT on' || keys E
	seen '^ ENCRYPT off'
	keys y
	wait_for 'Sent: ' "$1: it is sent"
	until_true [ -e "$LAB/sent" ]
	check "$1: without it" holds_not "$token" "$LAB/sent"
}
forward() { # forward NAME HOW
	keys f
	seen '^To:'
	typed 'mallory@corpus.example'
	keys Enter
	seen 'Forward as attachment'
	keys "$2"
	until_true has '^ SIGN '
	check "$1: forwarded ($2): nothing of it was given to the editor" holds_not "$token" "$LAB/given"
	send_it "$1: forwarded ($2)"
}
every_way() { # every_way NAME
	keys r
	drafted "$1: r"
	send_it "$1: r"
	keys g
	drafted "$1: g"
	drop
	forward "$1" n
	forward "$1" y
	keys e
	until_true has '^ SIGN '
	check "$1: edited as new: nothing of it was given to the editor" holds_not "$token" "$LAB/given"
	drop
}
open_profile() { # open_profile ID
	rm -rf "$LAB"/profile/mail/cur/* "$LAB/profile/data" "$LAB/given"
	cp "$LAB/corpus/messages/$1.eml" "$LAB/profile/mail/cur/1700000000.$1.host:2,S"
	start 80 24 "XDG_RUNTIME_DIR=$LAB/run" "EDITOR=$LAB/editor" --
	seen '^> *1 '
}
field() { # field ID KEY
	python3 -c 'import json, sys
for entry in json.load(open(sys.argv[1]))["messages"]:
    if entry["id"] == sys.argv[2]:
        print(entry.get("detail", {}).get(sys.argv[3], "") or entry["display"]["must_show"][0])' "$LAB/corpus/manifest.json" "$1" "$2"
}
ids=$(python3 -c 'import json, sys
print(*[entry["id"] for entry in json.load(open(sys.argv[1]))["messages"] if "reply_must_not_quote" in entry.get("detail", {})])' "$LAB/corpus/manifest.json")
check 'the corpus has such mails' [ "$(echo "$ids" | wc -w)" -ge 3 ]
asked=
for id in $ids; do
	token=$(field "$id" reply_must_not_quote)
	open_profile "$id"
	every_way "$id, from the list"
	keys Enter
	seen 'PART ENCRYPTED|encrypted part|D decrypts|D opens|ENCRYPTED'
	every_way "$id, read"
	keys D
	until_true has_not 'waits for D'
	keys End
	case $id in
	*mixed) wait_for "$token" "$id: opened by D, it can be read" ;;
	esac
	every_way "$id, opened"
	keys q
	keys q
	seen 'ended with 0'
done

# Whole messages that another sent on: it is asked, and no is the answer here.
for id in encrypt-then-sign-stripped sign-then-encrypt-mismatch; do
	token=$(field "$id" none)
	asked=$(sed -n 's/^From: .*<\(.*\)>.*/\1/p' "$LAB/corpus/messages/$id.eml" | head -n 1 | tr -d '\r')
	open_profile "$id"
	keys r
	drafted "$id: r"
	drop
	keys g
	drafted "$id: g"
	drop
	keys q
	seen 'ended with 0'
done

# An outer Reply-To that was put in front of a protected header.
id=hp-cipher-injected-reply-to
token=$(field "$id" reply_must_not_go_to)
open_profile "$id"
for key in r g; do
	keys "$key"
	until_true has_either
	check "$id: $key: it is not even asked for them" has_not "$token"
	! has 'Quote what' || keys n
	until_true has '^ SIGN '
	check "$id: $key: the answer does not go there" holds_not "$token" "$LAB/given"
	drop
done
keys q
seen 'ended with 0'

done_testing
