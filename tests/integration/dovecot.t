#!/bin/sh
# The IMAP driver against a real Dovecot: too slow for a unit test.
exec sh "$(dirname "$0")/../lab/with-dovecot.sh" test-dovecot
