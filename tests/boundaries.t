#!/bin/sh
# The dependency rules of doc/architecture.md, held against the sources and the objects.
cd "$(dirname "$0")/.." || exit 1
b=${BUILD:-build}
n=0
check() { # check NAME OFFENDERS
	n=$((n + 1))
	if [ -z "$2" ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; echo "$2" | sed 's/^/# /' | head -n 40; fi
}
sources() { ls $1/*.c $1/*.h 2>/dev/null; }
includes() { grep -nE "#include $1" $2 /dev/null; }

# The arrows: ui -> mail, crypto, keyring; mail -> crypto.
check "mail/ includes only mail/ and crypto/" "$(includes '"' "$(sources mail)" | grep -vE '#include "(mail|crypto)/')"
check "crypto/ includes only crypto/" "$(includes '"' "$(sources crypto)" | grep -vE '#include "crypto/')"
check "keyring/ includes only keyring/" "$(includes '"' "$(sources keyring)" | grep -vE '#include "keyring/')"
check "private headers stay in their folder" "$(for m in ui mail crypto keyring; do includes "\"[a-z]*/[a-z0-9-]*-private.h\"" "$(sources $m)" | grep -v "#include \"$m/"; done)"

# Who alone may see which library.
others() { # others PATTERN FILE-REGEX: includes of PATTERN in files that do not match
	for m in ui mail crypto keyring; do includes "<($1)" "$(sources $m)"; done | grep -vE "^($2):"
}
check "only ui/screen.c and ui/screen-cells.c include curses" "$(others '(n?cursesw?|term|panel)\.h|ncursesw?/' 'ui/screen(-cells)?\.c')"
check "only mail/store* includes SQLite" "$(others 'sqlite3' 'mail/store[a-z-]*(\.c|-private\.h)')"
check "only keyring/ includes libsecret" "$(others 'libsecret' 'keyring/[a-z-]*\.c')"
check "only crypto/ includes NSS and NSPR" "$(others '(nss|cert|certdb|certt|keyhi|keythi|pk11pub|pk11func|pkcs11t?|p12|p12plcy|secmod|secmodt|secitem|secder|secport|secerr|sechash|secoid|secoidt|ssl|sslerr|sslproto|ocsp|nspr|pr[a-z]+)\.h' 'crypto/[a-z0-9-]*\.[ch]')"
check "only mail/ includes libetpan and GMime" "$(others '(libetpan|gmime|ini\.h|gumbo)' 'mail/[a-z0-9-]*\.[ch]')"
check "only mail/fetch.c includes libcurl" "$(others 'curl/' 'mail/fetch\.c')"
check "only mail/directory-ldap.c includes libldap" "$(others '(ldap|lber|openldap)[a-z_]*\.h' 'mail/directory-ldap\.c')"
check "public headers show no foreign type" "$(for m in ui mail crypto keyring; do ls $m/*.h | grep -v -- -private.h; done | xargs grep -nE '(mailimap|mailmime|mailstream|mailsmtp|GMime[A-Za-z]*|SEC(Item|KEY[A-Za-z]*)|CERT[A-Z][A-Za-z]*|PK11[A-Za-z]*|PR[A-Z][A-Za-z]*|sqlite3(_stmt)?|Secret[A-Z][A-Za-z]*|WINDOW|Gumbo[A-Za-z]*|CURL[A-Za-z]*|LDAP[A-Za-z]*|BerElement|Sockbuf[A-Za-z_]*) *\*')"

# What the linker sees.
for m in mail crypto keyring; do
	case $m in mail) not='ui_|keyring_' ;; crypto) not='ui_|ml_|keyring_' ;; keyring) not='ui_|ml_|crypto_' ;; esac
	check "$m/ links to nothing above it" "$(nm -u $b/$m/*.o | awk '/ U /{print $2}' | grep -E "^($not)" | sort -u)"
done
check "functions carry their folder's name" "$(for m in ui:ui_ mail:ml_ crypto:crypto_ keyring:keyring_; do
	nm --defined-only $b/${m%:*}/*.o | awk -v p=${m#*:} '$2 ~ /^[TDBRC]$/ && $3 != "main" && index($3, p) != 1 {print $3}'
done)"
nm --defined-only $b/*/*.o | awk '$2 ~ /^[TDBRC]$/{print $3}' | sort -u >$b/symbols.ours
lazy=$(pkg-config --variable=libdir libetpan)/libetpan.so # mail/etpan.c
{ echo "$lazy"; ldd $b/signet "$lazy" | awk '$3 ~ /^\//{print $3}'; } | sort -u | xargs nm -D --defined-only 2>/dev/null | awk 'NF==3{sub(/@.*/,"",$3);print $3}' | sort -u >$b/symbols.theirs
check "no symbol of ours exists in a library that we link" "$(comm -12 $b/symbols.ours $b/symbols.theirs | grep -v '^main$')"
check "the libraries were looked at" "$(grep -qx mailimap_noop $b/symbols.theirs && grep -qx g_free $b/symbols.theirs || echo 'ldd or nm found nothing')"

# NSS's CMS layer is never given mail, and libetpan's TLS and MIME are never used.
check "NSS_CMS* is not called" "$(nm -u $b/*/*.o | awk '/ U (NSS_CMS|NSSCMS)/{print $2}' | sort -u)"
called=$(sed -n 's/^ *FUNCTION(\([a-z_]*\)).*/\1/p' mail/etpan-private.h) # by the table; the linker sees none of them
check "libetpan's own TLS, MIME and COMPRESS are not called" "$({ echo "$called"; nm -u $b/*/*.o | awk '/ U /{print $2}'; } |
	grep -E '^(mailmime|mailimf|mailimap_compress|mailimap_ssl|mailstream_ssl|mailimap_socket_starttls|mailsmtp_ssl)' | sort -u)"
check "libetpan is called by its table alone" "$(nm -u $b/*/*.o | awk '/ U (mailimap_|mailsmtp_|mailesmtp_|mailstream_)/{print $2}' | sort -u)$(
	echo "$called" | grep -qx mailimap_noop || echo 'the table was not found')"
check "calls that STYLE rules out" "$(nm -u $b/*/*.o | awk '/ U (strcpy|strcat|sprintf|strtok|atoi|system|popen|gets|__strcpy_chk|__strcat_chk|__sprintf_chk)$/{print $2}' | sort -u)"

check "the top level is in order" "$(git ls-files 2>/dev/null | cut -d/ -f1 | sort -u | grep -vxE 'Makefile|ui|mail|crypto|keyring|tests|doc|README\.md|LICENSE|CHANGELOG\.md|\..*')"
check "every test script is executable" "$(git ls-files -s 'tests/*.t' 2>/dev/null | awk '$1 != "100755" {print $4}')"
check "no file of C is over 700 lines" "$(wc -l $(for m in ui mail crypto keyring; do sources $m; done) | awk '$2 != "total" && $1 > 700 {print $2 ": " $1}')"
echo "1..$n"
