# A certificate authority, a server's certificate and tests/lab/smtp-server.py: source it after tap.sh.
# smtp_lab DIR [--starttls]: starts it; its port in $smtp_port. smtp_stop STEP names where it hangs up ("" nowhere).
smtp_pids=
smtp_certs() {
	mkdir -p "$1"
	sh tests/lab/rsa-key.sh "$1/ca.key"
	sh tests/lab/rsa-key.sh "$1/key.pem"
	openssl req -x509 -new -key "$1/ca.key" -out "$1/ca.pem" -days 30 -subj "/CN=smtp lab" \
		-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
	openssl req -new -key "$1/key.pem" -subj /CN=lab -out "$1/csr" 2>/dev/null
	printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' >"$1/ext"
	openssl x509 -req -in "$1/csr" -CA "$1/ca.pem" -CAkey "$1/ca.key" -CAcreateserial -days 20 -extfile "$1/ext" \
		-out "$1/cert.pem" 2>/dev/null
}
smtp_lab() {
	smtp_dir=$1
	[ -f "$1/cert.pem" ] || smtp_certs "$1"
	rm -f "$1/port" "$1/stop" "$1/accepted"
	: >"$1/accepted"
	python3 tests/lab/smtp-server.py "$1" "${2:---tls}" >"$1/log" 2>&1 &
	smtp_pids="$smtp_pids $!"
	wait_until 30 test -f "$1/port" || { echo "Bail out! no SMTP server"; exit 1; }
	smtp_port=$(cat "$1/port")
}
smtp_stop() { printf '%s' "$1" >"$smtp_dir/stop"; }
smtp_end() { [ -z "$smtp_pids" ] || kill $smtp_pids 2>/dev/null; }
# How often a message with this subject was accepted.
smtp_count() { grep -c "Subject: $1\\\\r" "$smtp_dir/accepted"; }
