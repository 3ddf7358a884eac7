#!/bin/sh
# What the screen shows of every near miss in the generated corpus (imitated senders, covert content, ambiguous MIME,
# header tricks, changed ciphertext), against what `verify --json` says of the same message with the same keys: the
# screen is never the weaker one.
. "$(dirname "$0")/lib.sh"
CLASSES='identity structure ui-redress covert-content mime-ambiguity signed-invalid protected-headers signed-encrypted efail reply-oracle'
corpus=$LAB/corpus

make_corpus
check 'the corpus is made' test -f "$corpus/manifest.json"
make_profile
echo test >"$LAB/pw"
batch() { "$SIGNET" --profile "$LAB/profile" --batch "$@" >/dev/null 2>&1; }
listed() { python3 tests/terminal/near_misses.py list "$corpus" "$1" $CLASSES; }
for file in $(listed trust); do batch cert import --trust "$corpus/$file"; done
for file in $(listed certs); do batch cert import "$corpus/$file"; done
for file in $(listed keys); do batch cert import --password-file "$LAB/pw" "$corpus/$file"; done
crlutil -I -i "$corpus/$(listed crl)" -d "sql:$LAB/profile/nssdb" -B >/dev/null 2>&1
n_messages=0
for file in $(listed messages); do
	n_messages=$((n_messages + 1))
	deliver m $((n_messages + 100000)) <"$corpus/$file"
done
check 'there are more than a hundred' test $n_messages -gt 100

mkdir "$LAB/shots"
start 120 50 -- INBOX
wait_for "^>? *$n_messages " 'all are in the list'
keys Home
until_true row_has 1 3 '^> +1 '
# The rule says which message, and the strip above it is empty until that one was judged. What reaches the terminal in
# two pieces is looked at twice.
judged() {
	screen >"$LAB/shot"
	grep -q "^── INBOX $1 of " "$LAB/shot" || return 1
	head -n 1 "$LAB/shot" | grep -q '^ *$\|^── \|^ *\(Fetching\|Checking\)\.\.\.' && return 1
	screen | cmp -s - "$LAB/shot"
}
missing=
for i in $(seq 1 $n_messages); do
	if [ "$i" = 1 ]; then keys Enter; else keys J; fi
	until_true judged "$i" || missing="$missing $i"
	cp "$LAB/shot" "$LAB/shots/$i.txt"
	colours >"$LAB/shots/$i.ansi"
done
check "every one was opened$missing" test -z "$missing"
python3 tests/terminal/near_misses.py compare "$corpus" "$LAB/shots" "$SIGNET" "$LAB/profile" $CLASSES >"$LAB/found" 2>&1
code=$?
sed 's/^/# /' "$LAB/found" | head -n 40
check "$(tail -n 1 "$LAB/found")" test $code = 0
done_testing
