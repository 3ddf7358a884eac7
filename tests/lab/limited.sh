#!/bin/sh
# limited.sh SECONDS PROGRAM...: a test that hangs is a test that failed.
seconds=$1
shift
exec timeout --kill-after=10 "$seconds" "$@"
