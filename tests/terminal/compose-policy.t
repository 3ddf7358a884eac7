#!/bin/sh
# [policy] and rules on the review screen: what they switch on, and which rule of which file forbids to switch it off.
. "$(dirname "$0")/../lab/own-etc.sh"
. "$(dirname "$0")/compose-lib.sh"

make_pki bob anna carol
reader_profile anna
reader_profile carol
writer_profile <<-END
	undo-send = 0
	encrypt = when-possible
END
known carol
cat >>"$LAB/profile/signet.conf" <<-END
	[rule contracts]
	subject = contract
	encrypt = demand
	[rule partners]
	domain = partner.example
	encrypt = demand
	[rule secrets]
	subject = secret
	clear = forbid
END
line_of() { echo $(($(grep -n "^\[rule $1\]" "$LAB/profile/signet.conf" | cut -d : -f 1) + 2)); } # of the demand
printf '[policy]\nlocked = sign\nsign = always\n' >/etc/signet/policy.conf

session() { # session COLUMNS ROWS [VARIABLE=VALUE]
	size="$1x$2${3:+ $3}"
	compose_start "$1" "$2" $3 --
	seen 'INBOX'
	begin 'anna@example.org' 'Hello'
	wait_for '^ SIGN on      by policy: bob Lab, database' "$size: what policy demands is on, and said"
	keys S
	wait_for 'It must be signed, by sign = always, /etc/signet/policy.conf:3' "$size: S says which line of which file forbids it"
	check "$size: it stays on" has '^ SIGN on '
	check "$size: nothing demands encryption" has '^ ENCRYPT off'

	# By the subject, and off again.
	keys s
	seen '^Subject:'
	typed ', the CONTRACT'
	keys Enter
	wait_for '^ ENCRYPT on, but' "$size: a word in the subject demands encryption"
	keys E
	wait_for "It must be encrypted, by rule contracts, $LAB/profile/signet.conf:$(line_of contracts)|It must be encrypted, by rule contracts" "$size: E names the rule"
	keys '!'
	wait_for "signet.conf:$(line_of contracts)" "$size: and its file"
	check "$size: and why" has 'the subject has "contract"|subject has'
	keys q
	seen '^ ENCRYPT on'
	keys y
	wait_for 'Cannot be encrypted to 1 of 1' "$size: without a certificate it does not leave"
	keys p
	wait_for 'by rule contracts' "$size: in clear neither"
	keys 2
	wait_for 'by rule contracts' "$size: nor apart"
	keys q
	seen '^ ENCRYPT on'
	keys s
	seen '^Subject:'
	keys C-u
	typed 'Hello'
	keys Enter
	wait_for '^ ENCRYPT off' "$size: without the word it is as it was before"

	# By a recipient.
	keys c
	seen '^Cc:'
	typed 'dora@partner.example'
	keys Enter
	wait_for '^ ENCRYPT on, but 2 of 2' "$size: a recipient's domain demands encryption"
	keys E
	wait_for 'by rule partners' "$size: E names that rule"
	keys c
	seen '^Cc:'
	keys C-u Enter
	wait_for '^ ENCRYPT off' "$size: without that recipient it is off"
	keys t
	seen '^To:'
	keys C-u
	typed 'carol@example.org'
	keys Enter
	wait_for '^ ENCRYPT on   to 1 recipient' "$size: when-possible encrypts as ever, by no rule"
	keys E
	wait_for '^ ENCRYPT off' "$size: and is free to be turned off"

	# Clear text forbidden: nothing is turned on, but it is said before it is sent.
	keys s
	seen '^Subject:'
	keys C-u
	typed 'A secret'
	keys Enter
	wait_for '^ ENCRYPT off  it may not leave so, by rule secrets: E encrypts' "$size: where clear text is forbidden the row says so"
	keys y
	wait_for 'policy demands it' "$size: it does not leave"
	keys E
	wait_for '^ ENCRYPT on   by rule secrets: to 1 recipient' "$size: E encrypts"
	keys E
	wait_for 'It must be encrypted, by rule secrets' "$size: and it stays so"
	rm -f "$LAB"/delivered*
	keys y
	wait_for 'Sent: A secret' "$size: then it leaves"
	check "$size: encrypted" grep -q enveloped "$LAB"/delivered.*
	keys q
	seen 'ended with 0'
}
session 80 24
session 120 40 NO_COLOR=1

done_testing
