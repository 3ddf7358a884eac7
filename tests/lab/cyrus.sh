#!/bin/sh
# A Cyrus IMAP server of our own in a folder: `cyrus.sh start DIR` makes a certificate and a server on a free port of
# loopback, with the accounts anna and bob (made when they first log in, by any password), and writes DIR/env (PORT_TLS);
# `cyrus.sh stop DIR` ends it. `cyrus.sh fetch` brings the programs: Debian's packages cannot lie beside Dovecot's
# (Conflicts: imap-server), so that they are unpacked into build/lab/cyrus and installed nowhere.
#
# Started by root it keeps the mail as nobody, and runs from a copy in DIR, which nobody can reach. It touches nothing
# outside DIR.
set -eu
umask 077
root=${CYRUS:-$PWD/build/lab/cyrus}
what=$1
dir=${2:-}

. "$(dirname "$0")/ending.sh"
fetch() {
	[ ! -x "$root/usr/lib/cyrus/bin/imapd" ] || return 0
	mkdir -p "$root"
	(
		cd "$root"
		apt-get -q -o APT::Sandbox::User=root download cyrus-common cyrus-imapd
		umask 022
		for package in *.deb; do dpkg-deb -x "$package" .; done
		rm -f ./*.deb
	)
}
certs() {
	mkdir -p "$dir/tls"
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$dir/tls/ca-good.key" -out "$dir/tls/ca-good.pem" -days 30 \
		-subj '/CN=signet cyrus authority' -addext 'basicConstraints=critical,CA:TRUE' \
		-addext 'keyUsage=critical,keyCertSign,cRLSign' 2>/dev/null
	openssl req -new -newkey rsa:2048 -nodes -keyout "$dir/tls/good.key" -subj /CN=cyrus -out "$dir/tls/csr" 2>/dev/null
	printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' >"$dir/tls/ext"
	openssl x509 -req -in "$dir/tls/csr" -CA "$dir/tls/ca-good.pem" -CAkey "$dir/tls/ca-good.key" -CAcreateserial \
		-days 20 -extfile "$dir/tls/ext" -out "$dir/tls/good.pem" 2>/dev/null
	chmod 755 "$dir/tls"
	chmod 644 "$dir/tls/good.pem" "$dir/tls/ca-good.pem"
}
config() {
	user=$(id -un)
	if [ "$(id -u)" = 0 ]; then
		user=nobody
		chmod 755 "$dir"
	fi
	mkdir -p "$dir/config" "$dir/mail" "$dir/run"
	for name in proc lock socket db user; do mkdir -p "$dir/config/$name" "$dir/run/$name"; done
	(umask 022 && cp -r "$root/usr/lib" "$dir/lib" && chmod -R a+rX "$dir/lib")
	bin=$dir/lib/cyrus/bin
	# There is no database of passwords: whoever names an account has it.
	cat >"$dir/imapd.conf" <<-EOF
		configdirectory: $dir/config
		defaultpartition: default
		partition-default: $dir/mail
		proc_path: $dir/run/proc
		mboxname_lockpath: $dir/run/lock
		idlesocket: $dir/run/socket/idle
		notifysocket: $dir/run/socket/notify
		lmtpsocket: $dir/run/socket/lmtp
		cyrus_user: $user
		servername: localhost
		altnamespace: yes
		unixhierarchysep: yes
		allowplaintext: no
		sasl_mech_list: PLAIN
		sasl_pwcheck_method: alwaystrue
		tls_server_cert: $dir/tls/good.pem
		tls_server_key: $dir/tls/good.key
		tls_session_timeout: 0
		autocreate_post: yes
		autocreate_quota: 0
		autocreate_inbox_folders: Archive | Drafts | Sent | Trash
		xlist-drafts: Drafts
		xlist-sent: Sent
		xlist-trash: Trash
		expunge_mode: ${EXPUNGE:-delayed}
		conversations: no
		syslog_prefix: signet-test
		maxlogins_per_host: 0
	EOF
	[ -z "${SUPPRESS:-}" ] || printf 'suppress_capabilities: %s\n' "$SUPPRESS" >>"$dir/imapd.conf"
	cat >"$dir/cyrus.conf" <<-EOF
		START {
		  recover cmd="$bin/ctl_cyrusdb -C $dir/imapd.conf -r"
		}
		SERVICES {
		  imaps cmd="$bin/imapd -C $dir/imapd.conf -s -U 100" listen="127.0.0.1:$PORT_TLS" proto="tcp4" prefork=0
		}
		EVENTS {
		}
	EOF
	chmod 644 "$dir/imapd.conf" "$dir/cyrus.conf"
	if [ "$user" = nobody ]; then
		chown -R nobody "$dir/config" "$dir/mail" "$dir/run" "$dir/tls/good.key"
	fi
}
start() {
	LD_LIBRARY_PATH=$dir/lib/$(gcc -print-multiarch) "$bin/master" -D -C "$dir/imapd.conf" \
		-M "$dir/cyrus.conf" -p "$dir/run/master.pid" >"$dir/log" 2>&1 </dev/null &
	echo $! >"$dir/started"
	i=0
	until python3 -c "import socket; socket.create_connection(('127.0.0.1', $PORT_TLS), 1)" 2>/dev/null; do
		i=$((i + 1))
		if [ $i -ge 400 ] || ! runs "$(cat "$dir/started")"; then
			cat "$dir/log" >&2
			exit 1
		fi
		perl -e 'select undef, undef, undef, 0.05'
	done
}
case $what in
fetch)
	fetch
	;;
start)
	[ -x "$root/usr/lib/cyrus/bin/imapd" ] || {
		echo "cyrus.sh: there is no Cyrus in $root: make deps-test fetches it" >&2
		exit 1
	}
	mkdir -p "$dir"
	certs
	PORT_TLS=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	config
	printf 'PORT_TLS=%s\n' "$PORT_TLS" >"$dir/env"
	start
	;;
stop)
	[ -f "$dir/started" ] || exit 0
	pid=$(cat "$dir/started")
	rm -f "$dir/started"
	end_process "$pid" master
	;;
*)
	echo "usage: cyrus.sh fetch | start DIR | stop DIR" >&2
	exit 2
	;;
esac
