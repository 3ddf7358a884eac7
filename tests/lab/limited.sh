#!/bin/sh
# limited.sh SECONDS PROGRAM...: a test that hangs is a test that failed. Scripts (*.t) need no execute bit.
seconds=$1
shift
case $1 in
*.t) set -- sh "$@" ;;
esac
exec timeout --kill-after=10 "$seconds" "$@"
