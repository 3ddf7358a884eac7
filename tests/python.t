#!/bin/sh
# A name that is not there shows itself in Python only when its line runs: in the benchmark after half an hour.
cd "$(dirname "$0")/.." || exit 1
echo 1..2
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
printf 'def late():\n    return missing\n' >"$scratch/late.py"
case $(pyflakes3 "$scratch/late.py") in
*"undefined name 'missing'"*) echo "ok 1 - pyflakes tells a name that is not there" ;;
*) echo "not ok 1 - pyflakes tells a name that is not there" ;;
esac
files=$({ find tests doc -name '*.py'; grep -rlE '^#!.*python' tests doc; } | sort -u) # one is a .t
if [ -n "$files" ] && told=$(pyflakes3 $files 2>&1); then
	echo "ok 2 - it has nothing to say of any script of ours"
else
	echo "not ok 2 - it has nothing to say of any script of ours"
	printf '%s\n' "$told" | sed 's/^/# /'
fi
