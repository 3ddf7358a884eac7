#!/bin/sh
# The CMS that leaves, taken apart by openssl: algorithms, attributes, certificates, recipients, and what each of them
# depends on: what the reader announced, which certificates there are, who is written to.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
unset SIGNET_PIN SIGNET_PASSWORD
at=$PWD
cd "$tmp" || exit 1
quiet() { "$@" >out 2>err || { echo "# $*"; sed 's/^/# /' err; return 1; }; }

# --- Root signs two authorities; Anna has a certificate to sign from one and one to be written to from the other ---
authority() { # authority NAME [ISSUER]
	quiet sh "$at/tests/lab/rsa-key.sh" "$1.key"
	if [ -z "$2" ]; then
		quiet openssl req -x509 -key "$1.key" -out "$1.pem" -days 3650 -subj "/O=Test House/CN=$1" \
			-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
		return
	fi
	quiet openssl req -new -key "$1.key" -out csr -subj "/O=Test House/CN=$1"
	printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' >ext
	quiet openssl x509 -req -in csr -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days 3000 -out "$1.pem" -extfile ext
}
person() { # person FILE ADDRESS KEY USAGE ISSUER [DAYS]
	case $3 in
	rsa:*) quiet sh "$at/tests/lab/rsa-key.sh" "$1.key" "${3#rsa:}" && quiet openssl req -new -key "$1.key" -out csr -subj "/CN=$1" ;;
	*) quiet openssl req -new -newkey $3 -nodes -keyout "$1.key" -out csr -subj "/CN=$1" ;;
	esac
	printf 'subjectAltName=email:%s@example.org\nkeyUsage=critical,%s\nextendedKeyUsage=emailProtection\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' "$2" "$4" >ext
	quiet openssl x509 -req -in csr -CA "$5.pem" -CAkey "$5.key" -CAcreateserial -days "${6:-300}" -out "$1.pem" -extfile ext
	quiet openssl pkcs12 -export -in "$1.pem" -inkey "$1.key" -certfile "$5.pem" -passout pass:secret -out "$1.p12" -name "$1"
}
ec() { echo "ec -pkeyopt ec_paramgen_curve:$1"; }
authority Root
authority Signing Root
authority Writing Root
person anna anna rsa:2048 digitalSignature Signing
person anna-enc anna "$(ec P-256)" keyAgreement Writing
person bob bob rsa:2048 digitalSignature,keyEncipherment Signing
person carla carla "$(ec P-384)" digitalSignature,keyAgreement Signing
person dora dora rsa:2048 digitalSignature,keyEncipherment Signing
person archive archive rsa:3072 keyEncipherment Writing
person late late rsa:2048 digitalSignature,keyEncipherment Signing 0
echo secret >password
signet_of() { # signet_of NAME ARGUMENTS...
	who=$1
	shift
	"$signet" --profile "$tmp/$who" --batch "$@"
}
fingerprint() { openssl x509 -in "$1.pem" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr A-F a-f; }

# Mail goes into a file each, with whom the envelope named.
cat >keep <<'END'
#!/bin/sh
n=$(ls "$KEPT" | grep -c '\.to$')
printf '%s\n' "$@" >"$KEPT/$n.to"
cat >"$KEPT/$n.eml"
END
chmod +x keep
profile() { # profile NAME [LINE...]
	name=$1
	shift
	mkdir -p "$name/Mail/cur" "$name/Mail/new" "$name/Mail/tmp" "$name/kept"
	printf '[account work]\naddress = %s@example.org\nmaildir = Mail\nsendmail = %s/keep\nundo-send = 0\n' "$name" "$tmp" >"$name/signet.conf"
	for line; do printf '%s\n' "$line" >>"$name/signet.conf"; done
	quiet signet_of "$name" cert import --trust Root.pem
}
own() { # own NAME FILE...
	name=$1
	shift
	for file; do quiet signet_of "$name" cert import --password-file password "$file.p12"; done
}
send() { # send NAME ARGUMENTS...: newest in $kept
	name=$1
	shift
	rm -f "$tmp/$name/kept"/*
	KEPT=$tmp/$name/kept signet_of "$name" send "$@" <text >out 2>err
}
printf 'Hello.\n\nFrom here.\n' >text
profile anna
own anna anna anna-enc
profile bob
own bob bob
profile carla
own carla carla
quiet signet_of anna cert import bob.pem
quiet signet_of anna cert import carla.pem
quiet signet_of anna cert import dora.pem

# One message's outermost CMS in openssl's words; addresses of the hex dump and its texts apart.
show() { # show FILE [NAME]: NAME decrypts first
	file=$1
	[ -z "${2:-}" ] || { openssl cms -decrypt -in "$1" -recip "$2.pem" -inkey "$2.key" -out inner 2>err && file=inner; }
	if grep -q 'multipart/signed' "$file"; then
		python3 - "$file" <<'END'
import base64, re, sys
text = open(sys.argv[1], "rb").read()
mark = re.search(rb"boundary=\"([^\"]*)\"", text).group(1)
open("p7s", "wb").write(base64.b64decode(text.split(b"--" + mark)[2].replace(b"\r", b"").split(b"\n\n", 1)[1]))
END
		openssl cms -cmsout -print -noout -inform DER -in p7s
	else
		openssl cms -cmsout -print -noout -in "$file"
	fi 2>err | sed -E '/^ +[0-9a-f]{4} - /d'
}
attribute() { sed -n "/^ *object: .*$1/,/^ *object: \|^ *signatureAlgorithm/p" shown; }
subjects() { sed -n 's/^ *subject: //p' shown | sed 's/.*CN=//' | sort | tr '\n' ' '; }
serial() { openssl x509 -in "$1.pem" -noout -serial | sed 's/.*=//'; }

# --- the signature ---
send anna -s one --sign bob@example.org
is $? 0 "a signed message leaves"
show anna/kept/0.eml >shown
is "$(sed -n '/digestAlgorithms/,/encapContentInfo/s/.*algorithm: \([a-z0-9]*\).*/\1/p' shown)" sha256 "SHA-256"
is "$(sed -n '/signatureAlgorithm/,$s/.*algorithm: \([A-Za-z]*\).*/\1/p' shown)" rsaEncryption "PKCS#1 v1.5, since nothing is known of Bob"
like "$(cat shown)" 'contentType: pkcs7-signedData' "SignedData"
is "$(grep -c 'object: contentType\|object: messageDigest\|object: signingTime' shown)" 3 "with content type, digest and time"
attribute 'S.MIME Capabilities' >caps
is "$(sed -n 's/.*prim:   OBJECT *:\(.*\)/\1/p' caps | head -n 1)" aes-256-gcm "capabilities begin with AES-256-GCM"
is "$(sed -n 's/.*prim:   OBJECT *:\(aes.*\)/\1/p' caps | tr '\n' ' ')" "aes-256-gcm aes-128-gcm aes-256-cbc aes-128-cbc " "then the others, by strength and kind"
unlike "$(cat caps)" 'rc2|des|rc4|md5|sha1([^0-9]|$)' "no RC2, no DES of any kind, nothing older"
like "$(cat caps)" 'rsaesOaep' "RSA-OAEP"
like "$(attribute encrypKeyPref)" "$(serial anna-enc)" "the preference names the certificate to be written to"
like "$(attribute signingCertificateV2)" "$(fingerprint anna | tr a-f A-F)" "signingCertificateV2 names the signer's by SHA-256"
is "$(subjects)" "Signing Writing anna anna-enc " "both certificates and both chains, without the root"
like "$(cat anna/kept/0.eml)" 'multipart/signed; micalg=sha-256' "detached"
quiet openssl cms -verify -in anna/kept/0.eml -CAfile Root.pem -purpose smimesign -out plain
is $? 0 "openssl builds the chain out of the message alone"
send anna -s two --sign --opaque bob@example.org && show anna/kept/0.eml >shown
like "$(cat anna/kept/0.eml)" 'smime-type=signed-data' "opaque when asked for"
is "$(subjects)" "Signing Writing anna anna-enc " "with the same certificates"
cat >m <<'END'
From: anna@example.org
To: bob@example.org
Subject: x

Hello
END
for digest in sha256 sha384 sha512; do
	signet_of anna sign --digest $digest m >s 2>err && show s >shown
	is "$(sed -n '/digestAlgorithms/,/encapContentInfo/s/.*algorithm: \([a-z0-9]*\).*/\1/p' shown)" $digest "--digest $digest"
done
for digest in sha1 md5; do exits 1 "--digest $digest is refused" signet_of anna sign --digest $digest m; done
like "$err" 'sha256, sha384 or sha512' "and says what to use"
sed 's/anna@/carla@/' m >mc
signet_of carla sign mc >s 2>err && show s >shown
is "$(sed -n '/digestAlgorithms/,/encapContentInfo/s/.*algorithm: \([a-z0-9]*\).*/\1/p' shown)" sha384 "a P-384 key signs with SHA-384"
is "$(sed -n '/signatureAlgorithm/,$s/.*algorithm: \([A-Za-z0-9-]*\).*/\1/p' shown)" ecdsa-with-SHA384 "by ECDSA"

# --- encrypted to somebody of whom nothing is known ---
recipients() { sed -n 's/^ *d\.\([a-z]*\): *$/\1/p' shown | grep -c "$1"; }
send anna -s three --encrypt bob@example.org && show anna/kept/0.eml >shown
is $? 0 "an encrypted message leaves"
like "$(cat shown)" 'contentType: pkcs7-envelopedData' "EnvelopedData"
like "$(cat shown)" 'algorithm: aes-256-cbc' "AES-256-CBC"
is "$(recipients ktri)/$(recipients kari)" 1/1 "one recipient by RSA, one (the sender) by ECDH"
is "$(sed -n '/keyEncryptionAlgorithm/,/encryptedKey/s/.*algorithm: \([A-Za-z0-9]*\).*/\1/p' shown | sort | tr '\n' ' ')" \
	"dhSinglePass rsaEncryption " "PKCS#1 v1.5 and ephemeral-static ECDH"
like "$(cat shown)" 'dhSinglePass-stdDH-sha256kdf-scheme' "with a KDF by SHA-256"
like "$(sed -n '/d.envelopedData/,/recipientInfos/p' shown)" 'version: 2' "version 2 (RFC 5652 6.1: an agreement is there)"
openssl cms -decrypt -in anna/kept/0.eml -recip anna-enc.pem -inkey anna-enc.key -out inner 2>err
like "$(tr -d '\r' <inner)" '^Hello\.$' "openssl decrypts the sender's own"

# --- what correspondents announce is remembered from their signed mail ---
for name in bob carla; do
	send $name -s hello --sign anna@example.org
	cp $name/kept/0.eml "anna/Mail/cur/$name:2,S"
done
exits 0 "verify reads one of them" signet_of anna verify anna/Mail/cur/bob:2,S
send anna -s still --encrypt --sign bob@example.org && show anna/kept/0.eml >shown
like "$(cat shown)" 'pkcs7-envelopedData' "verify looks, and remembers nothing"
exits 0 "cert harvest reads the folder" signet_of anna cert harvest INBOX
send anna -s four --encrypt --sign bob@example.org && show anna/kept/0.eml >shown
like "$(cat shown)" 'id-smime-ct-authEnvelopedData' "then AuthEnvelopedData"
like "$(cat shown)" 'algorithm: aes-256-gcm' "AES-256-GCM"
like "$(sed -n '/keyEncryptionAlgorithm/,/encryptedKey/p' shown)" 'rsaesOaep' "RSA-OAEP for Bob"
show anna/kept/0.eml bob >shown
is "$(sed -n '/signatureAlgorithm/,$s/.*algorithm: \([A-Za-z]*\).*/\1/p' shown)" rsassaPss "and an RSA-PSS signature inside"
send anna -s five --sign bob@example.org && show anna/kept/0.eml >shown
is "$(sed -n '/signatureAlgorithm/,$s/.*algorithm: \([A-Za-z]*\).*/\1/p' shown)" rsassaPss "RSA-PSS also on what is signed alone"
printf 'From: anna@example.org\nTo: bob@example.org\nSubject: x\n\nHello\n' >m
signet_of anna sign m >s 2>err && show s >shown
is "$(sed -n '/signatureAlgorithm/,$s/.*algorithm: \([A-Za-z]*\).*/\1/p' shown)" rsassaPss "and by signet sign"
send anna -s six --encrypt --sign bob@example.org carla@example.org && show anna/kept/0.eml >shown
like "$(cat shown)" 'algorithm: aes-256-gcm' "two who announced it: GCM"
is "$(recipients ktri)/$(recipients kari)" 1/2 "RSA and ECDH together, and the sender"
send anna -s seven --encrypt --sign bob@example.org dora@example.org && show anna/kept/0.eml >shown
like "$(cat shown)" 'algorithm: aes-256-cbc' "one of whom nothing is known: CBC for all"
is "$(sed -n '/d.ktri/,/encryptedKey/s/.*algorithm: \(rsa[A-Za-z]*\).*/\1/p' shown | sort | tr '\n' ' ')" "rsaEncryption rsaesOaep " \
	"OAEP for who announced it, PKCS#1 v1.5 for who did not"
show anna/kept/0.eml dora >shown
is "$(sed -n '/signatureAlgorithm/,$s/.*algorithm: \([A-Za-z]*\).*/\1/p' shown)" rsaEncryption "and a PKCS#1 v1.5 signature"

# --- blind copies, the archive ---
quiet signet_of anna cert import archive.pem
printf 'archive-cert = %s\n' "$(fingerprint archive)" >>anna/signet.conf
send anna -s eight --encrypt -b dora@example.org bob@example.org
is "$(ls anna/kept | grep -c 'to$')" 2 "a blind recipient has a transaction of its own"
for n in 0 1; do
	show anna/kept/$n.eml >shown
	who=$(grep -o 'bob@\|dora@' anna/kept/$n.to | tr -d @)
	other=$([ "$who" = bob ] && echo dora || echo bob)
	sed -n '/recipientInfos/,/encryptedContentInfo/p' shown >infos
	like "$(cat infos)" "$(serial $who)" "$who's copy is encrypted to $who"
	unlike "$(cat infos)" "$(serial $other)" "not to $other"
	like "$(cat infos)" "$(serial archive)" "and to the archive"
	like "$(cat infos)" "$(serial anna-enc)" "and to the sender"
	is "$(grep -c 'serialNumber' infos)" 3 "and to nobody else"
	unlike "$(cat anna/kept/$n.eml)" '^Bcc:|dora@' "whose name is nowhere outside"
	openssl cms -decrypt -in anna/kept/$n.eml -recip archive.pem -inkey archive.key -out inner 2>err
	unlike "$(cat inner)" 'dora@|^Bcc:' "nor inside"
done
for sent in anna/Mail/.Sent/cur/*; do
	openssl cms -decrypt -in "$sent" -recip anna-enc.pem -inkey anna-enc.key -out inner 2>err && tr -d '\r' <inner | grep -q '^Subject: eight$' && break
done
like "$(tr -d '\r' <inner)" '^Bcc: dora@example.org$' "the sender's own says who was written to"
unlike "$(cat "$sent")" 'dora@' "inside alone"

# --- who may not sign, and that the text is not lost ---
profile late
own late late
cp text before
exits 75 "an expired certificate does not sign" sh -c "KEPT=$tmp/late/kept $signet --profile $tmp/late --batch send -s lost --sign bob@example.org <text"
like "$err" 'past its end' "the rule that failed is said"
is "$(ls late/kept | wc -l | tr -d ' ')" 0 "nothing left"
is "$(signet_of late outbox list --json | wc -l | tr -d ' ')" 0 "and nothing is half queued"

# A key that is not the certificate's, under one name on a card: what it makes verifies for nobody, and never leaves.
for module in /usr/lib/softhsm/libsofthsm2.so /usr/lib64/pkcs11/libsofthsm2.so /usr/lib/pkcs11/libsofthsm2.so; do
	[ -e "$module" ] && break
done
person emil emil rsa:2048 digitalSignature Signing
person wrong wrong rsa:2048 digitalSignature Signing
mkdir tokens
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$tmp" >softhsm2.conf
export SOFTHSM2_CONF="$tmp/softhsm2.conf"
quiet softhsm2-util --module "$module" --init-token --free --label Karte --pin 1234 --so-pin 12345678
quiet openssl pkcs8 -topk8 -nocrypt -in wrong.key -out p8
quiet openssl x509 -in emil.pem -outform DER -out der
quiet softhsm2-util --module "$module" --import p8 --token Karte --label emil --id 01 --pin 1234
quiet pkcs11-tool --module "$module" --token-label Karte --login --pin 1234 --write-object der --type cert --id 01 --label emil
profile emil
quiet signet_of emil cert import Signing.pem
quiet signet_of emil token add card "$module"
echo 1234 >cardpin
sed 's/anna@/emil@/' m >me
exits 1 "a key that is not the certificate's does not sign" signet_of emil sign --pin-file cardpin me
like "$err" 'does not verify' "our own reader found it out"
is "$out" "" "and nothing was written"
cd "$at" || exit 1
done_testing
