# Ends processes that this shell did not start itself, by number. A number may be another process's as soon as its own has
# ended (there are 32,768, and the tests start some thousand a minute), so each is looked at before it is killed.

# runs PID [NAME]: one of that name, or any. A zombie, which nobody waits for, has ended all the same.
runs() {
	case $(ps -o stat=,comm= -p "$1" 2>/dev/null) in
	'' | Z*) return 1 ;;
	*" ${2:-}"*) return 0 ;;
	*) return 1 ;;
	esac
}

# end_process PID NAME: asked first, after 20 s by force.
end_process() {
	! runs "$1" "$2" || kill "$1" 2>/dev/null || true
	i=0
	while runs "$1" "$2" && [ $i -lt 400 ]; do
		i=$((i + 1))
		perl -e 'select undef, undef, undef, 0.05'
	done
	! runs "$1" "$2" || kill -9 "$1" 2>/dev/null || true
}
