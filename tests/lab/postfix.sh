#!/bin/sh
# A Postfix of our own beside tests/lab/dovecot.sh's: `postfix.sh start DIR DOVECOT_DIR` starts it on free ports of
# 127.0.0.1 and writes DIR/env (PORT_TLS, PORT_STARTTLS); `postfix.sh stop DIR` ends it, `postfix.sh again DIR` starts it
# anew on the same ports. Root only, as Postfix is; it touches nothing outside DIR but the mailboxes of the Dovecot lab,
# into which it delivers for anna, bob and carol at example.org (jörg's mail is carol's). Logins are those of the Dovecot
# lab, asked by its socket. refused@example.org is refused by policy; mail to anywhere else goes nowhere.
set -eu
umask 022
what=$1
dir=$2

stop() {
	[ -f "$dir/etc/main.cf" ] || return 0
	postfix -c "$dir/etc" abort >/dev/null 2>&1 || true
	i=0
	while postfix -c "$dir/etc" status >/dev/null 2>&1 && [ $i -lt 100 ]; do
		i=$((i + 1))
		perl -e 'select undef, undef, undef, 0.05'
	done
}

run() {
	postfix -c "$dir/etc" start >"$dir/out" 2>&1 </dev/null || {
		cat "$dir/out" "$dir/log" >&2
		exit 1
	}
	i=0
	until python3 -c "import socket; socket.create_connection(('127.0.0.1', $PORT_TLS), 1)" 2>/dev/null; do
		i=$((i + 1))
		[ $i -lt 200 ] || {
			cat "$dir/out" "$dir/log" >&2
			exit 1
		}
		perl -e 'select undef, undef, undef, 0.05'
	done
}

config() {
	mkdir -p "$dir/etc" "$dir/spool" "$dir/data"
	chown postfix "$dir/data"
	for name in anna bob carol; do echo "$name@example.org $name/Maildir/"; done >"$dir/etc/mailboxes"
	echo "jörg@example.org carol/Maildir/" >>"$dir/etc/mailboxes"
	cat >"$dir/etc/main.cf" <<-EOF
		compatibility_level = 3.6
		queue_directory = $dir/spool
		data_directory = $dir/data
		command_directory = /usr/sbin
		daemon_directory = /usr/lib/postfix/sbin
		mail_owner = postfix
		setgid_group = postdrop
		maillog_file = $dir/log
		maillog_file_prefixes = $dir
		inet_interfaces = 127.0.0.1
		inet_protocols = ipv4
		myhostname = lab.example
		mydestination =
		mynetworks =
		local_recipient_maps =
		alias_maps =
		virtual_mailbox_domains = example.org
		virtual_mailbox_base = $dovecot/mail
		virtual_mailbox_maps = texthash:$dir/etc/mailboxes
		virtual_uid_maps = static:$MAIL_UID
		virtual_gid_maps = static:$MAIL_GID
		virtual_minimum_uid = 1
		default_transport = error:this laboratory has no way out
		relay_transport = error:this laboratory has no way out
		message_size_limit = 20000000
		virtual_mailbox_limit = 0
		smtpd_tls_cert_file = $dovecot/tls/good.pem
		smtpd_tls_key_file = $dovecot/tls/good.key
		smtpd_tls_auth_only = yes
		smtpd_tls_security_level = may
		smtpd_sasl_auth_enable = yes
		smtpd_sasl_type = dovecot
		smtpd_sasl_path = $dovecot/run/auth-submission
		smtpd_relay_restrictions =
		smtpd_recipient_restrictions = check_recipient_access inline:{refused@example.org=REJECT}, permit_sasl_authenticated, reject
		smtpd_delay_reject = yes
		smtputf8_enable = yes
	EOF
	cat >"$dir/etc/master.cf" <<-EOF
		127.0.0.1:$PORT_TLS inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
		127.0.0.1:$PORT_STARTTLS inet n - n - - smtpd
		cleanup unix n - n - 0 cleanup
		qmgr unix n - n 300 1 qmgr
		tlsmgr unix - - n 1000? 1 tlsmgr
		rewrite unix - - n - - trivial-rewrite
		bounce unix - - n - 0 bounce
		defer unix - - n - 0 bounce
		trace unix - - n - 0 bounce
		verify unix - - n - 1 verify
		error unix - - n - - error
		retry unix - - n - - error
		virtual unix - n n - - virtual
		proxymap unix - - n - - proxymap
		anvil unix - - n - 1 anvil
		scache unix - - n - 1 scache
		postlog unix-dgram n - n - 1 postlogd
	EOF
}

case $what in
start)
	dovecot=$3
	mkdir -p "$dir"
	. "$dovecot/env"
	set -- $(python3 -c '
import socket
a, b = socket.socket(), socket.socket()
a.bind(("127.0.0.1", 0)); b.bind(("127.0.0.1", 0))
print(a.getsockname()[1], b.getsockname()[1])')
	PORT_TLS=$1 PORT_STARTTLS=$2
	config
	run
	printf 'PORT_TLS=%s\nPORT_STARTTLS=%s\n' "$PORT_TLS" "$PORT_STARTTLS" >"$dir/env"
	;;
again)
	. "$dir/env"
	stop
	run
	;;
stop)
	stop
	;;
*)
	echo "usage: postfix.sh start DIR DOVECOT_DIR | again DIR | stop DIR" >&2
	exit 2
	;;
esac
