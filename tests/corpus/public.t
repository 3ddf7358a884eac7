#!/bin/sh
# The public corpus (Thunderbird, RFC 4134, 9216, 9788, GnuPG, OpenSSL, MimeKit, BouncyCastle, KDE, Johnny, Covert
# Content), where it lies beside this folder: nothing looks good that is not, and the differences from its manifest are
# those that doc/verdicts.md argues, no more and no fewer. PUBLIC_CORPUS names another place.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh

public=${PUBLIC_CORPUS:-}
for place in ../shared/corpus/public ../../shared/corpus/public; do
	[ -n "$public" ] || { [ -f "$place/manifest.json" ] && public=$place; }
done
if [ -z "$public" ]; then
	echo "1..0 # SKIP the public corpus is not beside this folder"
	exit 0
fi

python3 tests/corpus/check.py --public "$public" --signet "$signet" --jobs 2 --limit-s 30 >"$tmp/log" 2>&1
like "$(cat "$tmp/log")" '^wrongly good: 0$' "nothing looks good that is not"
like "$(tail -n 1 "$tmp/log")" '^[1-9][0-9]* passed, [0-9]+ failed$' "every message was judged" "$(tail -n 5 "$tmp/log")"

# "id (class): words" on one side, "| `id` | `words` | why |" on the other.
sed -nE 's/^([^ ]+) \([a-z-]+\): (no JSON: exit [0-9]+).*$/\1 \2/p; t; s/^([^ ]+) \([a-z-]+\): (.*)$/\1 \2/p' "$tmp/log" |
	sort >"$tmp/found"
sed -n '/^## The public corpus/,/^## /p' doc/verdicts.md | sed -nE 's/^\| `([^`]+)` \| `([^`]+)` \| .+ \|$/\1 \2/p' | sort >"$tmp/argued"
ok "$(test -s "$tmp/argued"; echo $?)" "doc/verdicts.md argues differences"
is "$(comm -23 "$tmp/found" "$tmp/argued")" "" "every difference is argued in doc/verdicts.md"
is "$(comm -13 "$tmp/found" "$tmp/argued")" "" "and every one that is argued there is still found"
done_testing
