#!/bin/sh
# A Dovecot of our own in a folder: `dovecot.sh start DIR` makes certificates, three accounts and a server on free ports,
# and writes DIR/env (PORT_TLS, PORT_PLAIN, ...); `dovecot.sh stop DIR` ends it, `dovecot.sh again DIR` starts it anew on
# the same ports. Any user may run it; it touches nothing outside DIR.
#
# Started by root it keeps the mail as nobody (MAIL_UID, MAIL_GID): Dovecot takes no mailbox of root's.
#
# One server, four certificates, by the address it is called on: 127.0.0.1 is good, 127.0.0.2 has expired, 127.0.0.3
# names another host, 127.0.0.4 comes from an authority that nobody knows. Accounts anna, bob and carol have the
# password "secret-" and their name; with LOGINS=plain only PLAIN and LOGIN are offered, with CAPABILITY="..." the server
# says that it can do just that, with ZLIB=yes it can compress. With PASSWORDS=SCRAM-SHA-256 it keeps them as that scheme
# (RFC 5803), as a server does that offers SCRAM: from passwords in the clear it would derive a key at each login.
set -eu
umask 077
what=$1
dir=$2

. "$(dirname "$0")/ending.sh"
stop() {
	[ -f "$dir/run/master.pid" ] || return 0
	end_process "$(cat "$dir/run/master.pid")" dovecot
	rm -f "$dir/run/master.pid"
}

rsa_key() { sh "$(dirname "$0")/rsa-key.sh" "$1"; }
cert() { # cert NAME CA SAN START END
	rsa_key "$dir/tls/$1.key"
	openssl req -new -key "$dir/tls/$1.key" -subj "/CN=$1" -out "$dir/tls/$1.csr" 2>/dev/null
	printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature,keyEncipherment\nbasicConstraints=critical,CA:FALSE\n' "$3" >"$dir/tls/$1.ext"
	openssl ca -batch -notext -config "$dir/tls/ca.cnf" -name "$2" -extfile "$dir/tls/$1.ext" -in "$dir/tls/$1.csr" \
		-out "$dir/tls/$1.pem" -startdate "$4" -enddate "$5" 2>/dev/null
}

certs() {
	mkdir -p "$dir/tls"
	: >"$dir/tls/ca.cnf"
	for ca in good stranger; do
		: >"$dir/tls/$ca.index"
		echo 1000 >"$dir/tls/$ca.serial"
		mkdir -p "$dir/tls/$ca.new"
		rsa_key "$dir/tls/ca-$ca.key"
		openssl req -x509 -new -key "$dir/tls/ca-$ca.key" -out "$dir/tls/ca-$ca.pem" -days 30 \
			-subj "/CN=signet test authority $ca" -addext 'basicConstraints=critical,CA:TRUE' \
			-addext 'keyUsage=critical,keyCertSign,cRLSign' 2>/dev/null
		cat >>"$dir/tls/ca.cnf" <<-EOF
			[$ca]
			database = $dir/tls/$ca.index
			serial = $dir/tls/$ca.serial
			new_certs_dir = $dir/tls/$ca.new
			certificate = $dir/tls/ca-$ca.pem
			private_key = $dir/tls/ca-$ca.key
			default_md = sha256
			unique_subject = no
			policy = any
		EOF
	done
	printf '[any]\ncommonName = supplied\n' >>"$dir/tls/ca.cnf"
	now=$(date -u -d '-1 hour' +%Y%m%d%H%M%SZ)
	later=$(date -u -d '+20 days' +%Y%m%d%H%M%SZ)
	cert good good 'DNS:localhost,IP:127.0.0.1' "$now" "$later"
	cert expired good 'DNS:localhost,IP:127.0.0.2' 20200101000000Z 20210101000000Z
	cert elsewhere good 'DNS:mail.example.org' "$now" "$later"
	cert stranger stranger 'DNS:localhost,IP:127.0.0.4' "$now" "$later"
}

config() {
	login=$(id -un)
	user=$login
	group=$(id -gn)
	if [ "$(id -u)" = 0 ]; then # Dovecot's processes then refuse to be root themselves
		login=dovenull user=dovecot group=dovecot
		chmod 755 "$dir"
		MAIL_UID=$(id -u nobody) MAIL_GID=$(id -g nobody)
	fi
	mkdir -p "$dir/run" "$dir/state" "$dir/mail"
	: >"$dir/passwd"
	for name in anna bob carol; do
		password="{PLAIN}secret-$name"
		[ -z "${PASSWORDS:-}" ] || password=$(doveadm pw -s "$PASSWORDS" -p "secret-$name")
		printf '%s:%s:%s:%s::%s/mail/%s::\n' $name "$password" "$MAIL_UID" "$MAIL_GID" "$dir" $name >>"$dir/passwd"
		mkdir -p "$dir/mail/$name/Maildir/cur" "$dir/mail/$name/Maildir/new" "$dir/mail/$name/Maildir/tmp"
	done
	chmod 644 "$dir/passwd"
	[ "$MAIL_UID" = "$(id -u)" ] || chown -R "$MAIL_UID:$MAIL_GID" "$dir/mail"
	cat >"$dir/dovecot.conf" <<-EOF
		base_dir = $dir/run
		state_dir = $dir/state
		log_path = $dir/log
		auth_verbose = yes
		instance_name = signet-test
		protocols = imap
		listen = 127.0.0.1, 127.0.0.2, 127.0.0.3, 127.0.0.4
		default_login_user = $login
		default_internal_user = $user
		default_internal_group = $group
		first_valid_uid = 1
		first_valid_gid = 1
		disable_plaintext_auth = yes
		auth_mechanisms = ${LOGINS:-scram-sha-256 plain login}
		auth_failure_delay = 0
		mail_location = maildir:~/Maildir
		mail_max_userip_connections = 100
		ssl = required
		ssl_min_protocol = TLSv1.2
		ssl_cert = <$dir/tls/good.pem
		ssl_key = <$dir/tls/good.key
		ssl_dh =
		local 127.0.0.2 {
		  ssl_cert = <$dir/tls/expired.pem
		  ssl_key = <$dir/tls/expired.key
		}
		local 127.0.0.3 {
		  ssl_cert = <$dir/tls/elsewhere.pem
		  ssl_key = <$dir/tls/elsewhere.key
		}
		local 127.0.0.4 {
		  ssl_cert = <$dir/tls/stranger.pem
		  ssl_key = <$dir/tls/stranger.key
		}
		passdb {
		  driver = passwd-file
		  args = username_format=%u $dir/passwd
		}
		userdb {
		  driver = passwd-file
		  args = username_format=%u $dir/passwd
		}
		namespace inbox {
		  inbox = yes
		  mailbox Drafts {
		    auto = create
		    special_use = \\Drafts
		  }
		  mailbox Gesendet {
		    auto = create
		    special_use = \\Sent
		  }
		  mailbox Trash {
		    auto = create
		    special_use = \\Trash
		  }
		}
		service imap-login {
		  chroot =
		  inet_listener imap {
		    port = $PORT_PLAIN
		  }
		  inet_listener imaps {
		    port = $PORT_TLS
		    ssl = yes
		  }
		}
		service auth {
		  unix_listener auth-submission {
		    mode = 0666
		  }
		}
		service anvil {
		  chroot =
		  unix_listener anvil-auth-penalty {
		    mode = 0
		  }
		}
		service stats {
		  chroot =
		}
	EOF
	[ -z "${ZLIB:-}" ] || printf 'protocol imap {\n  mail_plugins = imap_zlib\n}\n' >>"$dir/dovecot.conf"
	[ -z "${CAPABILITY:-}" ] || printf 'protocol imap {\n  imap_capability = %s\n}\n' "$CAPABILITY" >>"$dir/dovecot.conf"
}

start() {
	dovecot -c "$dir/dovecot.conf" >>"$dir/out" 2>&1 </dev/null # it keeps them open
	i=0
	until python3 -c "import socket; socket.create_connection(('127.0.0.1', $PORT_TLS), 1)" 2>/dev/null; do
		i=$((i + 1))
		[ $i -lt 100 ] || {
			cat "$dir/log" >&2
			exit 1
		}
		perl -e 'select undef, undef, undef, 0.05'
	done
}

case $what in
start)
	mkdir -p "$dir"
	certs
	set -- $(python3 -c '
import socket
a, b = socket.socket(), socket.socket()
a.bind(("127.0.0.1", 0)); b.bind(("127.0.0.1", 0))
print(a.getsockname()[1], b.getsockname()[1])')
	PORT_PLAIN=$1 PORT_TLS=$2 MAIL_UID=$(id -u) MAIL_GID=$(id -g)
	config
	printf 'PORT_PLAIN=%s\nPORT_TLS=%s\nMAIL_UID=%s\nMAIL_GID=%s\n' "$PORT_PLAIN" "$PORT_TLS" "$MAIL_UID" "$MAIL_GID" >"$dir/env"
	start
	;;
again)
	. "$dir/env"
	start
	;;
stop)
	stop
	;;
*)
	echo "usage: dovecot.sh start|stop|again DIR" >&2
	exit 2
	;;
esac
