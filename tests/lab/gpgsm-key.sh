#!/bin/sh
# gpgsm-key.sh CERT KEY PASSWORD [OPTION-OF-OPENSSL-PKCS12...]: into gpgsm's key ring ($GNUPGHOME, whose agent allows loopback).
# gpgsm 2.2 reads nothing newer than PBE-SHA1-3DES, and its PKCS#12 reader stumbles over the encryption that some salts
# make (1 in 100 was seen): then another file is made. gpgsm starts the agent itself, and gives up after five seconds: on a
# loaded machine that takes longer, and once it runs every gpgsm finds it.
cert=$1 key=$2 password=$3
shift 3
made=$(mktemp -d) || exit 1
trap 'rm -rf "$made"' EXIT
end=$(($(date +%s) + 60))
until gpg-connect-agent 'GETINFO pid' /bye >"$made/said" 2>&1; do
	[ "$(date +%s)" -lt "$end" ] || { cat "$made/said" >&2; exit 1; }
done
for try in 1 2 3 4 5 6 7 8 9 10; do
	openssl pkcs12 -export -in "$cert" -inkey "$key" -passout "pass:$password" -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES \
		-macalg sha1 -out "$made/p12" "$@" || exit 1
	printf '%s\n' "$password" | gpgsm --batch --pinentry-mode loopback --passphrase-fd 0 --import "$made/p12" >"$made/said" 2>&1 &&
		exit 0
done
cat "$made/said" >&2
exit 1
