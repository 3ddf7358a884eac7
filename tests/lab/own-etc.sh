# A system policy of the test's own. Sourced first, with the script's own arguments: runs the script again in a mount
# namespace, as "SCRIPT inside TOP", where /etc/signet is an empty folder that may be written to, and goes on there. The
# place is compiled in, and nothing but root (or the owner of such a namespace) can do this: no variable leads around it.
if [ "${1:-}" != inside ]; then
	script=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
	top=$(mktemp -d) || exit 1
	trap 'rm -rf "$top"' EXIT
	trap 'trap "" PIPE; exit 1' INT TERM HUP PIPE
	mkdir "$top/real" "$top/etc" "$top/etc/signet"
	for way in -m -rm; do
		unshare $way true 2>/dev/null || continue
		unshare $way sh "$script" inside "$top"
		exit
	done
	echo '1..0 # SKIP no mount namespace can be made here'
	exit 0
fi
top=$2
mount --bind /etc "$top/real" || exit 1
for name in "$top/real"/* "$top/real"/.[a-z]*; do
	base=$(basename "$name")
	[ "$base" = signet ] || [ ! -e "$name" ] || ln -s "$name" "$top/etc/$base"
done
mount --bind "$top/etc" /etc || exit 1
