#!/bin/sh
# What other programs write, signet reads: openssl cms in every algorithm that it has, gpgsm and NSS's cmsutil in theirs.
# The other way round, what crypto/cms-write.h writes is read by them in test-cms-write (openssl) and test-cms-interop
# (gpgsm, cmsutil). What a tool cannot do is said at the end.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
gpgsm_key_script=$PWD/tests/lab/gpgsm-key.sh
cd "$tmp" || exit 1
mkdir signed sealed

rsa_key root.key && openssl req -x509 -key root.key -out root.pem -days 30 -subj "/CN=Root" \
	-addext "keyUsage=critical,keyCertSign" 2>/dev/null
person() { # person NAME KEYOPTIONS...
	who=$1
	shift
	openssl genpkey -out "$who.key" "$@" 2>/dev/null
	openssl req -new -key "$who.key" -out "$who.csr" -subj "/CN=$who" 2>/dev/null
	usage=keyEncipherment
	case $who in ec*) usage=keyAgreement ;; pss | ed) usage=nonRepudiation ;; esac
	printf 'subjectAltName=email:anna@example.org\nkeyUsage=digitalSignature,%s\nextendedKeyUsage=emailProtection\nsubjectKeyIdentifier=hash\n' $usage >ext
	openssl x509 -req -in "$who.csr" -CA root.pem -CAkey root.key -days 20 -extfile ext -out "$who.pem" 2>/dev/null
}
person rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
person pss -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048
person ed -algorithm ED25519
for bits in 256 384 521; do
	person ec$bits -algorithm EC -pkeyopt ec_paramgen_curve:P-$bits -pkeyopt ec_param_enc:named_curve
done
keys=
for who in rsa ec256 ec384 ec521; do
	openssl pkcs12 -export -in $who.pem -inkey $who.key -passout pass:secret -out $who.p12
	keys="$keys --key $who.p12 --password-file password"
done
echo secret >password
printf 'Content-Type: text/plain\r\n\r\nThree thousand, by Friday.\r\n' >text

header() { printf 'From: Anna <anna@example.org>\r\nTo: bob@example.org\r\nSubject: x\r\n'; }
sealed() { # sealed NAME RECIPIENT OPTIONS...: a message that openssl encrypts
	name=$1 to=$2
	shift 2
	{ header && openssl cms -encrypt -binary -in text "$@" -recip $to.pem ${keyopt:-}; } >"sealed/$name" 2>"err-$name" ||
		ok 1 "openssl makes $name" "$(cat "err-$name")"
}
signed() { # signed NAME SIGNER OPTIONS...
	name=$1 by=$2
	shift 2
	{ header && openssl cms -sign -binary -in text -signer $by.pem -inkey $by.key "$@"; } >"signed/$name" 2>"err-$name" ||
		ok 1 "openssl makes $name" "$(cat "err-$name")"
}

# --- signatures
for md in sha256 sha384 sha512; do
	signed rsa-$md rsa -md $md
	signed rsa-$md-opaque rsa -md $md -nodetach
	signed pss-$md rsa -md $md -keyopt rsa_padding_mode:pss
	signed pss-$md-salt20 rsa -md $md -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:20
	signed psskey-$md pss -md $md -keyopt rsa_padding_mode:pss
	for bits in 256 384 521; do signed ec$bits-$md ec$bits -md $md; done
done
signed rsa-keyid rsa -keyid
signed rsa-indefinite rsa -nodetach -stream
signed rsa-cades rsa -cades

# --- encryption
for cipher in aes-128-cbc aes-192-cbc aes-256-cbc aes-128-gcm aes-192-gcm aes-256-gcm; do
	sealed rsa-$cipher rsa -$cipher
	sealed rsa-$cipher-stream rsa -$cipher -stream
	sealed rsa-$cipher-keyid rsa -$cipher -keyid
done
for md in sha1 sha224 sha256 sha384 sha512; do
	for mgf in sha1 sha224 sha256 sha384 sha512; do
		keyopt="-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:$md -keyopt rsa_mgf1_md:$mgf" sealed oaep-$md-$mgf rsa -aes-256-cbc
	done
	for bits in 256 384 521; do
		for cofactor in 0 1; do
			for size in 128 192 256; do # also the length of the key wrap
				keyopt="-keyopt ecdh_kdf_md:$md -keyopt ecdh_cofactor_mode:$cofactor" \
					sealed ecdh-$bits-$md-$cofactor-wrap$size ec$bits -aes-$size-cbc
			done
		done
	done
done
keyopt=
sealed gcm-ec384 ec384 -aes-256-gcm
{ header && openssl cms -encrypt -binary -in text -aes-256-cbc ec256.pem rsa.pem ec521.pem; } >sealed/mixed 2>err
sealed legacy-3des rsa -des3
{ header && openssl cms -encrypt -binary -in text -provider default -provider legacy -rc2-128 rsa.pem; } >sealed/legacy-rc2-128 2>err ||
	rm -f sealed/legacy-rc2-128

# --- gpgsm and cmsutil, what they write
export GNUPGHOME="$tmp/gnupg"
mkdir -m 700 gnupg
printf 'disable-crl-checks\nbatch\nno-tty\nyes\npinentry-mode loopback\n' >gnupg/gpgsm.conf
echo allow-loopback-pinentry >gnupg/gpg-agent.conf
echo "$(openssl x509 -in root.pem -noout -fingerprint -sha1 | cut -d= -f2) S relax" >gnupg/trustlist.txt
part() { # part TYPE FILE: DER as a message
	header
	printf 'MIME-Version: 1.0\r\nContent-Type: application/pkcs7-mime; smime-type=%s; name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\n' "$1"
	openssl base64 -in "$2"
}
if command -v gpgsm >/dev/null && sh "$gpgsm_key_script" rsa.pem rsa.key secret -certfile root.pem >err 2>&1; then
	gpgsm --passphrase-fd 0 --local-user CN=rsa --output gpg --sign text <password >err 2>&1 && part signed-data gpg >signed/gpgsm
	gpgsm --recipient CN=rsa --output gpg --encrypt text >err 2>&1 && part enveloped-data gpg >sealed/gpgsm
	for cipher in AES128 AES192 AES256 3DES; do
		name=gpgsm-$cipher
		[ $cipher = 3DES ] && name=legacy-gpgsm-3des
		gpgsm --cipher-algo $cipher --recipient CN=rsa --output gpg --encrypt text >err 2>&1 && part enveloped-data gpg >sealed/$name
	done
fi
ok "$(test -s signed/gpgsm && test -s sealed/gpgsm-AES256; echo $?)" "gpgsm writes" "$(cat err)"
gpgconf --kill all 2>/dev/null
mkdir nss
certutil -N -d sql:nss --empty-password
certutil -A -d sql:nss -n root -t ,C, -i root.pem
pk12util -i rsa.p12 -d sql:nss -W secret >/dev/null
nick=$(certutil -L -d sql:nss | sed -n 's/ *u,u,u *$//p' | head -n 1)
for md in SHA256 SHA384 SHA512; do
	cmsutil -S -d sql:nss -N "$nick" -H $md -i text -o nss.der 2>err && part signed-data nss.der >signed/cmsutil-$md
done
cmsutil -E -d sql:nss -r "$nick" -i text -o nss.der 2>err && part enveloped-data nss.der >sealed/cmsutil
ok "$(test -s signed/cmsutil-SHA512 && test -s sealed/cmsutil; echo $?)" "cmsutil writes" "$(cat err)"

# --- signet reads
judge() { # judge FOLDER PYTHON-CONDITION-ON-v
	find "$1" -type f | sort >list
	# shellcheck disable=SC2046
	$signet --profile "$tmp/profile" verify --json --certs ed.pem --trust root.pem $keys $(cat list) >answers 2>err
	python3 - "$2" <<-'EOP'
		import json, sys
		seen = 0
		def transport(name):  # what must be said of how the key came
		    kind, *rest = name.split("-")
		    title = lambda digest: "SHA-" + digest[3:]
		    if kind == "oaep":
		        return "RSA-OAEP " + title(rest[0]) + ("" if rest[0] == rest[1] else ", MGF1 " + title(rest[1]))
		    if kind == "ecdh":
		        return f"ECDH P-{rest[0]} {title(rest[1])} AES-{rest[3][4:]} wrap"
		    return None
		for line in open("answers"):
		    v = json.loads(line)
		    name = v["input"].split("/", 1)[1]
		    text = v["text"].strip() == "Three thousand, by Friday."
		    good = bool(eval(sys.argv[1]))
		    seen += 1
		    print(("0 " if good else "1 ") + name, v["signature"], v["encryption"], (v["cipher"] or {}).get("key_transport", ""),
		          [s["algorithm"] for s in v["signers"]], "" if good else v["reason"])
		count = len(open("list").read().split())
		print("0" if seen == count else "1", f"{seen} of {count} were judged")
	EOP
}
report() { while read -r status name; do ok "$status" "$name"; done; }
judge signed 'v["signature"] == "valid" and v["indicator"] == "good" and text' >judged
report <judged
judge sealed 'transport(name) in (None, v["cipher"]["key_transport"]) and v["encryption"] == ("legacy-warned" if name.startswith("legacy") else "decrypted") and text' >judged
report <judged

# --- what is refused or not known says so, by its name
mkdir refused
for cipher in des-cbc rc2-40-cbc; do
	{ header && openssl cms -encrypt -binary -in text -provider default -provider legacy -$cipher rsa.pem; } >refused/$cipher 2>err ||
		rm -f refused/$cipher
done
judge refused 'v["encryption"] == "refused" and not text and name in v["reason"].lower()' >judged
report <judged
mkdir unknown
{ header && openssl cms -encrypt -binary -in text -camellia256 rsa.pem; } >unknown/camellia 2>err
judge unknown 'v["encryption"] == "unsupported" and not text and "camellia" in v["reason"].lower()' >judged
report <judged

echo "# openssl 3.0: no Ed25519 in CMS (it refuses to sign), CompressedData only where it was built with zlib (not in Debian)"
echo "# gpgsm 2.2: no RSA-PSS, OAEP or EC written from this key; AuthEnvelopedData neither written nor read"
echo "# cmsutil (NSS 3.87): RSA with PKCS#1 v1.5 and CBC only; reads no EC recipient, OAEP or GCM"
done_testing
