#!/bin/sh
# What the driver does on a real Dovecot that lacks IDLE, UIDPLUS, MOVE, SPECIAL-USE and the rest.
CAPABILITY=IMAP4rev1
export CAPABILITY
exec sh "$(dirname "$0")/../lab/with-dovecot.sh" test-dovecot-lacks
