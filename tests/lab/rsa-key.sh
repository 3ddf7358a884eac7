#!/bin/sh
# rsa-key.sh FILE [BITS]: an RSA key in PEM. GnuTLS makes one in a third of the time that OpenSSL 3 takes, and a run of all
# tests needs some hundreds.
set -eu
umask 077
if command -v certtool >/dev/null &&
	certtool --generate-privkey --key-type rsa --bits "${2:-2048}" --no-text --outfile "$1" >/dev/null 2>&1; then
	exit 0
fi
exec openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:${2:-2048}" -out "$1" 2>/dev/null
