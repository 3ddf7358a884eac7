#!/bin/sh
# An OpenLDAP server of our own in a folder: `slapd.sh start DIR FILE.ldif` makes certificates and a server on free ports
# of loopback, puts the file's entries below dc=example,dc=org, and writes DIR/env (PORT_LDAP, PORT_LDAPS); `slapd.sh stop
# DIR` ends it. Any user may run it; it touches nothing outside DIR. With TLS=no it speaks no TLS at all.
#
# Its certificate is for localhost and 127.0.0.1, not for 127.0.0.2, where it listens too; DIR/tls/ca.pem issued it.
# uid=reader,dc=example,dc=org has the password "secret-reader"; ou=inside is shown to that one alone, and the whole of
# what was asked is in DIR/log.
set -eu
umask 077
what=$1
dir=$2

. "$(dirname "$0")/ending.sh"
certs() {
	mkdir -p "$dir/tls"
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$dir/tls/ca.key" -out "$dir/tls/ca.pem" -days 30 \
		-subj '/CN=signet directory authority' -addext 'basicConstraints=critical,CA:TRUE' \
		-addext 'keyUsage=critical,keyCertSign,cRLSign' 2>/dev/null
	openssl req -new -newkey rsa:2048 -nodes -keyout "$dir/tls/key.pem" -subj '/CN=directory' -out "$dir/tls/csr" 2>/dev/null
	printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature,keyEncipherment\nbasicConstraints=critical,CA:FALSE\n' >"$dir/tls/ext"
	openssl x509 -req -in "$dir/tls/csr" -CA "$dir/tls/ca.pem" -CAkey "$dir/tls/ca.key" -CAcreateserial -days 20 \
		-extfile "$dir/tls/ext" -out "$dir/tls/cert.pem" 2>/dev/null
}
config() {
	schema=/etc/ldap/schema
	[ -d $schema ] || schema=/etc/openldap/schema
	mkdir -p "$dir/db"
	cat >"$dir/slapd.conf" <<-EOF
		include $schema/core.schema
		include $schema/cosine.schema
		include $schema/inetorgperson.schema
		modulepath /usr/lib/ldap
		moduleload back_mdb
		pidfile $dir/pid
		loglevel stats
		allow bind_v2
		EOF
	if [ "${TLS:-yes}" = yes ]; then
		cat >>"$dir/slapd.conf" <<-EOF
			TLSCACertificateFile $dir/tls/ca.pem
			TLSCertificateFile $dir/tls/cert.pem
			TLSCertificateKeyFile $dir/tls/key.pem
		EOF
	fi
	cat >>"$dir/slapd.conf" <<-EOF
		database mdb
		suffix "dc=example,dc=org"
		directory $dir/db
		maxsize 33554432
		index mail,uid,cn eq,sub
		access to dn.subtree="ou=inside,dc=example,dc=org" by dn="uid=reader,dc=example,dc=org" read by * none
		access to attrs=userPassword by * auth
		access to * by * read
	EOF
	cat >"$dir/base.ldif" <<-EOF
		dn: dc=example,dc=org
		objectClass: dcObject
		objectClass: organization
		o: Example
		dc: example

		dn: ou=people,dc=example,dc=org
		objectClass: organizationalUnit
		ou: people

		dn: ou=inside,dc=example,dc=org
		objectClass: organizationalUnit
		ou: inside

		dn: uid=reader,dc=example,dc=org
		objectClass: inetOrgPerson
		uid: reader
		cn: Reader
		sn: Reader
		userPassword: secret-reader

	EOF
	cat "$dir/base.ldif" "$1" >"$dir/all.ldif"
	/usr/sbin/slapadd -f "$dir/slapd.conf" -l "$dir/all.ldif" >"$dir/slapadd" 2>&1 || { cat "$dir/slapadd" >&2; exit 1; }
}
start() {
	listen="ldap://127.0.0.1:$PORT_LDAP/ ldap://127.0.0.2:$PORT_LDAP/"
	[ "${TLS:-yes}" != yes ] || listen="$listen ldaps://127.0.0.1:$PORT_LDAPS/ ldaps://127.0.0.2:$PORT_LDAPS/"
	/usr/sbin/slapd -d stats -f "$dir/slapd.conf" -h "$listen" >"$dir/log" 2>&1 </dev/null &
	echo $! >"$dir/started"
	i=0
	until python3 -c "import socket; socket.create_connection(('127.0.0.1', $PORT_LDAP), 1)" 2>/dev/null; do
		i=$((i + 1))
		if [ $i -ge 400 ] || ! runs "$(cat "$dir/started")"; then
			cat "$dir/log" >&2
			exit 1
		fi
		perl -e 'select undef, undef, undef, 0.05'
	done
}
case $what in
start)
	mkdir -p "$dir"
	certs
	config "$3"
	set -- $(python3 -c '
import socket
a, b = socket.socket(), socket.socket()
a.bind(("127.0.0.1", 0)); b.bind(("127.0.0.1", 0))
print(a.getsockname()[1], b.getsockname()[1])')
	PORT_LDAP=$1 PORT_LDAPS=$2
	printf 'PORT_LDAP=%s\nPORT_LDAPS=%s\n' "$PORT_LDAP" "$PORT_LDAPS" >"$dir/env"
	start
	;;
stop)
	[ -f "$dir/started" ] || exit 0
	pid=$(cat "$dir/started")
	rm -f "$dir/started"
	end_process "$pid" slapd
	;;
*)
	echo "usage: slapd.sh start DIR FILE.ldif | stop DIR" >&2
	exit 2
	;;
esac
