#!/bin/sh
# Passwords in a real gnome-keyring, on a session bus of their own in a temp folder.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/tap.sh
mkdir -p "$tmp/home" "$tmp/run"
chmod 700 "$tmp/run"
printf '#!/bin/sh\ncat >%s/mta\n' "$tmp" >"$tmp/mta.sh"
chmod 700 "$tmp/mta.sh"
cat >"$tmp/inside" <<S
set -e
printf secret | gnome-keyring-daemon --unlock --foreground --components=secrets >/dev/null 2>"$tmp/daemon.log" &
daemon=\$!
trap 'kill \$daemon 2>/dev/null; wait \$daemon 2>/dev/null || :' EXIT
owned() {
	dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner \
		string:org.freedesktop.secrets 2>/dev/null | grep -q 'boolean true'
}
until owned; do
	kill -0 \$daemon || { cat "$tmp/daemon.log"; exit 1; }
	perl -e 'select undef, undef, undef, 0.05'
done
"$BUILD/tests/test-keyring" --service
# The password of the certificate database, for a cron job that signs
p=$tmp/p
mkdir -p "\$p/Mail/cur" "\$p/Mail/new" "\$p/Mail/tmp" "\$p/nssdb"
printf 'right horse' >"$tmp/pw"
certutil -N -d "sql:\$p/nssdb" -f "$tmp/pw"
printf '[account x]\naddress = anna@example.org\nmaildir = Mail\nsign = always\nsendmail = $tmp/mta.sh\n' >"\$p/signet.conf"
sh "$rsa_key_script" "$tmp/ca.key" && openssl req -x509 -key "$tmp/ca.key" -out "$tmp/ca" -days 9 -subj /CN=ca 2>/dev/null
sh "$rsa_key_script" "$tmp/k" && openssl req -new -key "$tmp/k" -out "$tmp/csr" -subj /CN=anna 2>/dev/null
printf 'subjectAltName=email:anna@example.org\nkeyUsage=digitalSignature\n' >"$tmp/ext"
openssl x509 -req -in "$tmp/csr" -CA "$tmp/ca" -CAkey "$tmp/ca.key" -CAcreateserial -days 9 -extfile "$tmp/ext" -out "$tmp/c" 2>/dev/null
openssl pkcs12 -export -in "$tmp/c" -inkey "$tmp/k" -out "$tmp/p12" -passout pass:x
printf x >"$tmp/x"
"$signet" --profile "\$p" cert import "$tmp/p12" --password-file "$tmp/x" --pin-file "$tmp/pw" >/dev/null
"$signet" --profile "\$p" cert import "$tmp/ca" --trust --pin-file "$tmp/pw" >/dev/null
mail() { printf 'From: anna@example.org\nTo: bob@example.org\nSubject: \$1\n\ntext\n' | "$signet" --profile "\$p" --batch sendmail -t -i 2>&1; }
code=0; mail before >/dev/null || code=\$?
echo "before: \$code"
"$signet" --profile "\$p" token login database --keep --pin-file "$tmp/pw" >/dev/null
code=0; mail kept || code=\$?
echo "kept: \$code \$(grep -c pkcs7-signature "$tmp/mta")"
printf 'new horse' >"$tmp/pw2"
certutil -W -d "sql:\$p/nssdb" -f "$tmp/pw" -@ "$tmp/pw2" >/dev/null 2>&1
code=0; mail changed || code=\$?
echo "changed: \$code"
echo "doctor: \$("$signet" --profile "$tmp/p" doctor | grep passwords)"
# Another session, in which nobody has unlocked it, and nobody can be asked
"$signet" --profile "\$p" token login database --keep --pin-file "$tmp/pw2" >/dev/null
kill \$daemon
wait \$daemon || :
while owned; do perl -e 'select undef, undef, undef, 0.05'; done
gnome-keyring-daemon --foreground --components=secrets >/dev/null 2>"$tmp/daemon.log" &
daemon=\$!
until owned; do
	kill -0 \$daemon || { cat "$tmp/daemon.log"; exit 1; }
	perl -e 'select undef, undef, undef, 0.05'
done
code=0; mail locked || code=\$?
echo "locked: \$code"
code=0; "$signet" --profile "\$p" token login database --keep --pin-file "$tmp/pw2" 2>&1 || code=\$?
echo "keep: \$code"
echo "locked doctor: \$("$signet" --profile "$tmp/p" doctor | grep passwords)"
code=0; SIGNET_PIN='new horse' mail typed || code=\$?
echo "typed: \$code"
S
out=$(env HOME="$tmp/home" XDG_RUNTIME_DIR="$tmp/run" XDG_DATA_HOME="$tmp/home/data" XDG_CONFIG_HOME="$tmp/home/config" \
	dbus-run-session -- sh "$tmp/inside" 2>&1 </dev/null)
ok $? "stored, found, replaced and forgotten in gnome-keyring" "$out"
like "$out" '^ok 1 /keyring/service' "the test inside ran"
like "$out" '^before: 75' "a signing cron job without the database's password queues nothing"
like "$out" '^kept: 0 [1-9]' "with it in the keyring (token login --keep) the mail is signed and leaves"
like "$out" 'keyring has forgotten the password that was refused' "a wrong one is taken out of the keyring"
like "$out" '^changed: 75' "and nothing leaves unsigned"
like "$out" 'doctor: OK .*keyring answers' "doctor says that it serves"
like "$out" '^signet: The desktop.s keyring is locked, and was not unlocked: log in' "a locked keyring is named, with what to do"
like "$out" '^locked: 75' "the mail is not sent without its signature"
like "$out" 'the password is not kept: The desktop.s keyring is locked' "nothing is kept in a locked one"
like "$out" 'locked doctor: WARN .*keyring is locked' "doctor says so"
like "$out" '^typed: 0' "a password from elsewhere serves"
done_testing
