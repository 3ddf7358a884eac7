# A profile whose database has own certificates, people's and authorities', of every status. Sourced after lib.sh.
pki=$LAB/pki
nss="sql:$LAB/profile/nssdb"
make_certs() {
	mkdir -p "$pki"
	python3 tests/terminal/certs-pki.py "$pki" || { echo 'Bail out! no certificates'; exit 1; }
	for name in bob bobold bobsoon; do
		openssl pkcs12 -export -inkey "$pki/keys/$name.key.pem" -in "$pki/$name.pem" -passout pass:secret -name "$name" \
			-out "$pki/$name.p12"
	done
}
fill_database() {
	certutil -A -d "$nss" -n root -t ,C, -i "$pki/root.pem"
	certutil -A -d "$nss" -n other -t ,, -i "$pki/other.pem"
	for name in bob bobold; do pk12util -i "$pki/$name.p12" -d "$nss" -W secret >/dev/null; done
	for file in anna carl dora fred gina hostile many00 many01 many02 many03 many04 many05 many06 many07 many08 many09 many10 many11; do
		certutil -A -d "$nss" -n "$file" -t ,, -i "$pki/$file.pem"
	done
	certutil -A -d "$nss" -n erik -t ,p, -i "$pki/erik.pem"
	crlutil -I -d "$nss" -i "$pki/lab.crl" -t 1 >/dev/null
}
sha256() { openssl x509 -in "$1" -noout -fingerprint -sha256 | sed 's/.*=//'; }
