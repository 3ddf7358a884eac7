#!/bin/sh
# The generated corpus: every field of every expectation, class by class; nothing that is not good may look good;
# and nobody is called, with the servers that the mails name listening.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh

# The servers first: they take ports that are free, which the mails then name.
python3 tests/corpus/generate.py --out "$tmp/corpus" --port 0 --serve 900 >"$tmp/served" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; tap_cleanup' EXIT
listens() { port=$(sed -n 's/^serving on 127.0.0.1:\([0-9]*\) .*/\1/p' "$tmp/served") && [ -n "$port" ]; }
wait_until 20 listens
ok $? "CRL and OCSP servers listen" "$(tail -n 5 "$tmp/served")"
[ -n "$port" ] || exit 1

python3 tests/corpus/generate.py --out "$tmp/corpus" --port "$port" >"$tmp/made" 2>&1
ok $? "the corpus is made, and openssl agrees with it" "$(tail -n 5 "$tmp/made")"
ok "$(grep -rqF "http://127.0.0.1:$port/" "$tmp/corpus/messages"; echo $?)" "its mails name these servers"

python3 tests/corpus/check.py "$tmp/corpus" --signet "$signet" --jobs 2 >"$tmp/log" 2>&1
while read -r class passed of total; do
	[ "$of" = of ] || continue
	[ "$passed" = "$total" ]
	ok $? "$class: $passed of $total" "$(grep -F "($class): " "$tmp/log")"
done <<EOF
$(grep -E '^[a-z-]+ +[0-9]+ of [0-9]+$' "$tmp/log")
EOF
like "$(tail -n 1 "$tmp/log")" '^[1-9][0-9]* passed, 0 failed$' "every message was judged"
like "$(cat "$tmp/log")" '^wrongly good: 0$' "nothing looks good that is not"

# Other names, texts, boundaries and keys every day; the same all day, so that what fails can be looked at.
seed=$(date +%Y%m%d)
echo "# today's seed: $seed"
python3 tests/corpus/generate.py --no-check --seed "$seed" --port "$port" --out "$tmp/today" >"$tmp/made" 2>&1
ok $? "the corpus of today's seed is made" "$(tail -n 5 "$tmp/made")"
python3 tests/corpus/check.py "$tmp/today" --signet "$signet" --jobs 2 >"$tmp/log" 2>&1
ok $? "every message of it passes (seed $seed)" "$(grep -v ' of ' "$tmp/log" | tail -n 15)"
like "$(cat "$tmp/log")" '^wrongly good: 0$' "and none of it looks good that is not"

# Once more with AddressSanitizer and UBSan: slower, and it maps far more than it uses.
sanitized=$PWD/${BUILD_ASAN:-build-asan}/signet
ok "$(test -x "$sanitized"; echo $?)" "there is a sanitized build"
python3 tests/corpus/check.py "$tmp/corpus" --signet "$sanitized" --jobs 2 --limit-mib 0 --limit-s 60 >"$tmp/asan" 2>&1
ok $? "every message passes in the sanitized build" "$(grep -v ' of ' "$tmp/asan" | tail -n 15)"

is "$(cat "$tmp/corpus/requests.log" 2>/dev/null)" "" "nobody was called"
python3 -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:$port/inter.crl').read()"
like "$(cat "$tmp/corpus/requests.log")" " GET $port /inter.crl\$" "(a call is noted: this one)"
done_testing
