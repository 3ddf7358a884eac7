#!/bin/sh
# Makes tests/fuzz/keys and tests/fuzz/seeds/cms anew: throw-away keys (password "test") that protect nothing, and
# small messages by openssl in every form that the codec reads. usage: sh tests/fuzz/cms-seeds.sh
set -eu
cd "$(dirname "$0")"
seeds=$PWD/seeds/cms keys=$PWD/keys
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cd "$dir"
person() { # person NAME KEY...
	name=$1; shift
	openssl req -x509 "$@" -nodes -keyout "$name.key" -out "$name.pem" -days 36500 -subj "/CN=$name" \
		-addext "subjectAltName=email:$name@fuzz.example" 2>/dev/null
	openssl pkcs12 -export -in "$name.pem" -inkey "$name.key" -passout pass:test -name "$name" -out "$keys/$name.p12"
}
person rsa -newkey rsa:2048
person ec -newkey ec -pkeyopt ec_paramgen_curve:P-256
printf 'Content-Type: text/plain\r\n\r\nseed\r\n' >content
sign() { out=$1 who=$2; shift 2; openssl cms -sign -binary -in content -outform DER -out "$seeds/sign-$out.der" -signer "$who.pem" -inkey "$who.key" "$@"; }
seal() { out=$1 who=$2; shift 2; openssl cms -encrypt -binary -in content -outform DER -out "$seeds/seal-$out.der" -provider default -provider legacy "$@" -recip "$who.pem" ${opt:-}; }
pss='-keyopt rsa_padding_mode:pss'
oaep='-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256 -keyopt rsa_mgf1_md:sha1 -keyopt rsa_oaep_label:6162'
sign rsa rsa
sign rsa-opaque rsa -nodetach
sign rsa-stream rsa -nodetach -stream
sign rsa-ess rsa -cades
sign rsa-keyid rsa -keyid -nodetach
sign rsa-bare rsa -noattr -nodetach -nocerts
sign pss rsa -nodetach $pss
sign ec ec -nodetach -md sha384
sign two rsa -nodetach -signer ec.pem -inkey ec.key
seal rsa rsa -aes128
seal rsa-stream rsa -aes256 -stream
seal rsa-keyid rsa -aes256 -keyid
seal rsa-3des rsa -des3
seal rsa-rc2 rsa -rc2-128
seal rsa-rc2-40 rsa -rc2-40
seal rsa-gcm rsa -aes-256-gcm
opt=$oaep
seal oaep rsa -aes-128-gcm
opt='-keyopt ecdh_kdf_md:sha256'
seal ec ec -aes128
opt='-keyopt ecdh_kdf_md:sha512 -keyopt ecdh_cofactor_mode:1'
seal ec-gcm ec -aes-256-gcm -keyid
opt='-recip ec.pem'
seal both rsa -aes128
openssl crl2pkcs7 -nocrl -certfile rsa.pem -certfile ec.pem -outform DER -out "$seeds/certs.der"
openssl cms -encrypt -binary -in content -outform DER -out "$seeds/password.der" -aes128 -pwri_password secret
openssl cms -digest_create -binary -in content -outform DER -out "$seeds/digest.der"
# openssl is seldom built with zlib.
python3 - "$seeds/compressed.der" <<'P'
import sys, zlib
def tlv(tag, *parts):
    body = b''.join(parts)
    n = len(body)
    return bytes([tag]) + (bytes([n]) if n < 128 else bytes([0x82, n >> 8, n & 255])) + body
oid = lambda h: tlv(6, bytes.fromhex(h))
data = zlib.compress(open('content', 'rb').read() * 20)
info = tlv(0x30, oid('2a864886f70d010701'), tlv(0xa0, tlv(4, data)))
body = tlv(0x30, tlv(2, b'\0'), tlv(0x30, oid('2a864886f70d0109100308')), info)
open(sys.argv[1], 'wb').write(tlv(0x30, oid('2a864886f70d0109100109'), tlv(0xa0, body)))
P
# 142 octets that made NSS 3.87's own CMS decoder crash: an unknown digest algorithm in DigestedData.
test -e "$seeds/nss-digesteddata.der"
