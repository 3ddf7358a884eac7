#!/bin/sh
# Large messages by their parts, against a real Dovecot: too slow for a unit test.
exec sh "$(dirname "$0")/../lab/with-dovecot.sh" test-dovecot-parts
