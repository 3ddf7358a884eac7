#!/bin/sh
# Installs what signet needs: `deps.sh run` to build and run it, `deps.sh test` also what its tests drive,
# `deps.sh bench` what its benchmark is held against. Debian and
# its kin by apt-get (as root, or through sudo); elsewhere it names the packages and stops. Servers that the tests
# drive are installed but never started: the tests run their own on loopback.
set -eu

run='gcc make pkg-config libc6-dev libglib2.0-dev libncurses-dev libjson-glib-dev libetpan-dev libgmime-3.0-dev
libmagic-dev libsqlite3-dev libinih-dev libgumbo-dev libnss3-dev libnspr4-dev libsecret-1-dev libcurl4-gnutls-dev libldap-dev libldap-2.5-0 zlib1g-dev libsasl2-modules
p11-kit-modules ncurses-term'
tests='dbus gnome-keyring libsecret-1-0 perl python3 pyflakes3 openssl gpgsm libnss3-tools gnutls-bin softhsm2 opensc tmux locales dovecot-core dovecot-imapd postfix slapd git git-email libmailtools-perl clang
libclang-rt-14-dev libical3 libicu72 libjansson4 libpcre3 libpq5 libwrap0 libxapian30 libxml2'

# The peer of `make bench` links libcrypto; nothing else does. The others are what signet is held against.
bench='python3 openssl libssl-dev msmtp dovecot-core dovecot-imapd tmux time mutt neomutt alpine aerc isync notmuch maildir-utils'

# Cyrus IMAP, which the packages of Dovecot exclude, is unpacked beside the build; the last line of $tests is what it links.
cyrus() {
	[ "$want" = "$run $tests" ] || return 0
	sh "$(dirname "$0")/cyrus.sh" fetch || { $as_root apt-get -q update && sh "$(dirname "$0")/cyrus.sh" fetch; }
}

want=$run
[ "${1:-run}" = test ] && want="$run $tests"
[ "${1:-run}" = bench ] && want="$run $bench"

if ! command -v apt-get >/dev/null 2>&1; then
	echo "signet: this system has no apt-get. Install the development packages of: glib2, ncurses (wide), json-glib,"
	echo "libetpan, gmime 3, libmagic, sqlite3, inih, gumbo, nss, nspr, libsecret, libcurl, openldap, zlib; and cyrus-sasl's SCRAM, p11-kit, gcc, make."
	if command -v dnf >/dev/null 2>&1; then
		echo "  dnf install gcc make pkgconf glib2-devel ncurses-devel json-glib-devel libetpan-devel gmime30-devel file-devel sqlite-devel inih-devel gumbo-parser-devel nss-devel nspr-devel libsecret-devel libcurl-devel openldap-devel zlib-devel cyrus-sasl-scram p11-kit"
	elif command -v pacman >/dev/null 2>&1; then
		echo "  pacman -S gcc make pkgconf glib2 ncurses json-glib libetpan gmime3 file sqlite libinih gumbo-parser nss nspr libsecret curl libldap zlib libsasl p11-kit"
	elif command -v brew >/dev/null 2>&1; then
		echo "  brew install pkg-config glib ncurses json-glib libetpan gmime libmagic sqlite inih gumbo-parser nss nspr libsecret curl openldap zlib cyrus-sasl p11-kit"
	fi
	[ "${1:-run}" = test ] && echo "For the tests also: perl, python3, pyflakes, openssl, gpgsm, nss-tools, softhsm2, tmux, dovecot, slapd, git, clang."
	echo "Then: make all"
	exit 1
fi

missing=
for p in $want; do
	case "$(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null)" in
	ii*) ;;
	*) missing="$missing $p" ;;
	esac
done
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
[ -n "$missing" ] || {
	cyrus
	exit
}

if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		echo "signet: these Debian packages are missing and only root can install them:$missing" >&2
		exit 1
	fi
fi

# While we install, a package may not start its server: that is policy-rc.d's 101.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
	$as_root chmod 755 $policy
	trap '$as_root rm -f $policy' EXIT
fi
echo "signet: installing$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get -q update
# shellcheck disable=SC2086
$as_root apt-get -q -y --no-install-recommends install $missing
cyrus
