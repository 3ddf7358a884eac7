# A card for the tests of the screen: SoftHSM2. Sourced after lib.sh or compose-lib.sh; $TOKEN and $PIN are its name and
# PIN, $module is its PKCS#11 module. removable_card puts tests/lab/removable-token.c in front ($LAB/removable.so): that
# card is in its reader while $reader/present is there, and the PINs that reach it are counted in $reader/logins.
TOKEN='Karte Ä'
PIN=${PIN:-1234}
for module in /usr/lib/softhsm/libsofthsm2.so /usr/lib64/pkcs11/libsofthsm2.so /usr/lib/pkcs11/libsofthsm2.so; do
	[ -e "$module" ] && break
done
export SOFTHSM2_CONF="$LAB/softhsm2.conf"
mkdir -p "$LAB/tokens"
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$LAB" >"$SOFTHSM2_CONF"

removable_card() {
	reader=$LAB/reader
	mkdir -p "$reader"
	export REMOVABLE_MODULE="$module" REMOVABLE_FOLDER="$reader"
	cc -shared -fPIC -o "$LAB/removable.so" tests/lab/removable-token.c $(pkg-config --cflags nss) -ldl ||
		{ echo 'Bail out! no module'; exit 1; }
}

# to_row ROW OTHER: the cursor of P's list, whichever of the two stands first. Nothing rests on keys that were not heard yet.
row_of() { screen | grep -n "^[> ] *$1" | head -n 1 | cut -d : -f 1; }
to_row() {
	seen "^[> ] *$1" && seen "^[> ] *$2"
	if [ "$(row_of "$1")" -lt "$(row_of "$2")" ]; then keys Home; else keys Home Down; fi
	seen "^> *$1"
}

# on_card FILE [TOKEN [LABEL]]: a new token with the key in FILE.key and the certificate in FILE.pem
on_card() {
	openssl pkcs8 -topk8 -nocrypt -in "$1.key" -out "$1.p8"
	openssl x509 -in "$1.pem" -outform DER -out "$1.der"
	softhsm2-util --module "$module" --init-token --free --label "${2:-$TOKEN}" --pin $PIN --so-pin 12345678
	softhsm2-util --module "$module" --import "$1.p8" --token "${2:-$TOKEN}" --label "${3:-bob}" --id 01 --pin $PIN
	pkcs11-tool --module "$module" --token-label "${2:-$TOKEN}" --login --pin $PIN --write-object "$1.der" --type cert --id 01 --label "${3:-bob}"
	rm "$1.p8"
} >/dev/null 2>&1
