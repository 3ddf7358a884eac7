# What the tests of writing mail share: Bob writes; his sendmail puts mail into the Maildirs of profiles beside his.
. "$(dirname "$0")/lib.sh"
pki=$LAB/pki

# person NAME [rsa:BITS [DAYS]]: key, certificate and PKCS#12 (password x) of NAME@example.org
person() {
	bits=${2:-rsa:2048}
	sh tests/lab/rsa-key.sh "$pki/$1.key" "${bits#rsa:}"
	openssl req -new -key "$pki/$1.key" -out "$pki/$1.csr" -subj "/CN=$1 Lab"
	printf 'subjectAltName=email:%s@example.org\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=emailProtection\nbasicConstraints=CA:FALSE\n' "$1" >"$pki/$1.ext"
	openssl x509 -req -in "$pki/$1.csr" -CA "$pki/ca.pem" -CAkey "$pki/ca.key" -CAcreateserial -out "$pki/$1.pem" -days "${3:-700}" -extfile "$pki/$1.ext"
	openssl pkcs12 -export -inkey "$pki/$1.key" -in "$pki/$1.pem" -out "$pki/$1.p12" -passout pass:x
}
make_pki() {
	mkdir -p "$pki"
	printf x >"$pki/password"
	{
		sh tests/lab/rsa-key.sh "$pki/ca.key"
		openssl req -x509 -new -key "$pki/ca.key" -out "$pki/ca.pem" -days 3650 -subj '/O=Lab/CN=Lab Mail CA' \
			-addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign'
		for name in "$@"; do person "$name"; done
	} >/dev/null 2>&1
}
own() { # own NAME PROFILE: the key of NAME, with its authority trusted
	"$SIGNET" --profile "$2" cert import --password-file "$pki/password" "$pki/$1.p12" >/dev/null 2>&1
}
trust_authority() { certutil -A -d "sql:$1/nssdb" -n lab -t ,C, -i "$pki/ca.pem"; }
known() { "$SIGNET" --profile "$LAB/profile" cert import "$pki/$1.pem" >/dev/null; }

# A mailbox of somebody else: where the fake sendmail delivers, to be read with their key.
reader_profile() { # reader_profile NAME
	mkdir -p "$LAB/$1/nssdb" "$LAB/$1/mail/cur" "$LAB/$1/mail/new" "$LAB/$1/mail/tmp"
	printf '[account %s]\naddress = %s@example.org\nmaildir = mail\n[keys]\nsystem-tokens = no\n' "$1" "$1" >"$LAB/$1/signet.conf"
	certutil -N -d "sql:$LAB/$1/nssdb" --empty-password
	trust_authority "$LAB/$1"
	own "$1" "$LAB/$1"
}

# Bob's profile: account lines come from stdin.
writer_profile() {
	make_profile
	for folder in Sent Drafts; do
		mkdir -p "$LAB/profile/mail/.$folder/cur" "$LAB/profile/mail/.$folder/new" "$LAB/profile/mail/.$folder/tmp"
	done
	{
		printf '[account work]\naddress = bob@example.org\nname = Bob Mwangi\nalso = bob@example.com\nmaildir = mail\nsendmail = %s/sendmail -t -i\n' "$LAB"
		cat
		printf '[keys]\nsystem-tokens = no\n'
	} >"$LAB/profile/signet.conf"
	trust_authority "$LAB/profile"
	own bob "$LAB/profile"
	mkdir -p "$LAB/run"
	chmod 700 "$LAB/run"
	rm -rf "$LAB"/run/* "$LAB"/delivered* "$LAB/refuse"
	cat >"$LAB/sendmail" <<-END
		#!/bin/sh
		# Delivers for NAME@example.org into $LAB/NAME; \$LAB/refuse makes it fail.
		[ ! -e "$LAB/refuse" ] || { cat >/dev/null; echo 'the line is down' >&2; exit 75; }
		while [ "\$1" != -- ]; do shift; done
		shift
		cat >"$LAB/letter.\$\$"
		for to in "\$@"; do
			echo "\$to" >>"$LAB/delivered"
			box=$LAB/\${to%@*}/mail/new
			[ ! -d "\$box" ] || cp "$LAB/letter.\$\$" "\$box/\$(date +%s).\$\$.host"
		done
		mv "$LAB/letter.\$\$" "$LAB/delivered.\$\$"
	END
	# The editor: runs \$LAB/edit on the file, by sh.
	cat >"$LAB/editor" <<-END
		#!/bin/sh
		exec sh "$LAB/edit" "\$1"
	END
	chmod +x "$LAB/sendmail" "$LAB/editor"
	writes 'Hello,\n\nthis is a letter.\n'
}
writes() { # what the editor adds to the file
	printf '%b' "$1" >"$LAB/words"
	printf 'cat "%s/words" >>"$1"\n' "$LAB" >"$LAB/edit"
}
compose_start() { # compose_start COLUMNS ROWS [VARIABLE=VALUE...] [-- ARGUMENT...]
	c=$1 r=$2
	shift 2
	start "$c" "$r" "XDG_RUNTIME_DIR=$LAB/run" "EDITOR=$LAB/editor" "$@"
}
begin() { # begin TO SUBJECT: from the index
	keys m
	seen '^To:'
	typed "$1"
	keys Enter
	seen '^Subject:'
	typed "$2"
	keys Enter
	seen 'Compose'
}
sent_to() { grep -cx "$1" "$LAB/delivered" 2>/dev/null; } # how often it was delivered there
