# A Dovecot of the test's own: $server is its folder, with $PORT_TLS and what else tests/lab/dovecot.sh says. It is stopped at
# the end. Instead of lib.sh, or after compose-lib.sh.
command -v wait_for >/dev/null || . "$(dirname "$0")/lib.sh"
command -v dovecot >/dev/null || PATH=$PATH:/usr/sbin
chmod 711 "$LAB" # its processes are other users'
server=$LAB/server
trap 'stop_dovecot "$server"; finish' EXIT
sh tests/lab/dovecot.sh start "$server" || { echo "Bail out! no server"; exit 1; }
. "$server/env"

signet() { "$SIGNET" --profile "$LAB/profile" "$@"; }
# far_account NAME USER [LINE...]: a section of signet.conf, one of the server's users by his password.
far_account() {
	printf '[account %s]\naddress = %s@example.org\nimap = imaps://%s@127.0.0.1:%s\npassword-command = echo secret-%s\n' \
		"$1" "$2" "$2" "$PORT_TLS" "$2"
	shift 2
	[ $# = 0 ] || printf '%s\n' "$@"
}
# far_profile: a new one with the sections that stdin has, in which the server's authority is trusted.
far_profile() {
	make_profile
	{ cat && printf '[keys]\nsystem-tokens = no\n'; } >"$LAB/profile/signet.conf"
	signet cert import --tls "$server/tls/ca-good.pem" >/dev/null 2>&1 </dev/null
}
# replace_folder USER FOLDER: by another one of its name, in which the first number is Eve's "Another"; it is "Before" then.
replace_folder() {
	python3 - "$PORT_TLS" "$1" "$2" <<-'END'
		import imaplib, ssl, sys
		port, user, folder = sys.argv[1:]
		with imaplib.IMAP4_SSL("127.0.0.1", int(port), ssl_context=ssl._create_unverified_context()) as far:
		    far.login(user, "secret-" + user)
		    far.rename(folder, "Before")
		    far.create(folder)
		    far.append(folder, None, None, b"From: Eve <eve@example.org>\r\nSubject: Another\r\n\r\nIt has the number now.\r\n")
	END
}
