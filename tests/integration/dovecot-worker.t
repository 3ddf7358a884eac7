#!/bin/sh
# The worker of an account against a real Dovecot: too slow for a unit test.
exec sh "$(dirname "$0")/../lab/with-dovecot.sh" test-dovecot-worker
