#!/bin/sh
# The order of a list that is long enough to be sorted between keys: by subject and by author each row is where one sort of
# all puts it, also once the list is read with that order, with a limit, and when mail comes and goes.
. "$(dirname "$0")/lib.sh"
ROWS=3100
make_profile
mkdir -p "$LAB/profile/mail/cur" "$LAB/profile/mail/new" "$LAB/profile/mail/tmp"
python3 - "$LAB" <<'EOP'
import email.utils, random, sys
r, lab = random.Random(7), sys.argv[1]
words = [a + b for a in "ba ce di fo gu ka le mi no pu".split() for b in ("", "ra", "si", "tu")]
lines = []
for i in range(1, 3001):
    subject, name = " ".join(r.choice(words) for _ in range(r.randint(1, 3))), r.choice(words).title()
    when, answer = 1700000000 + r.randint(0, 400) * 60, r.random() < .4 # many of the same minute
    lines.append((i, when, subject, name))
    with open(f"{lab}/profile/mail/cur/{1700000000 + i}.{i}.x:2,S", "w") as f:
        f.write(f"From: {name} <a@x>\nTo: bob@example.org\nSubject: {'Re: ' if answer else ''}{subject}\n"
                f"Date: {email.utils.formatdate(when)}\nMessage-ID: <{i}@x>\n\nText {i}.\n")
with open(f"{lab}/arrival", "w") as f:
    f.write(lines[-1][3] + "\n")
for name, key in ("subject", lambda m: (m[2].encode(), m[1], m[0])), ("from", lambda m: (m[3].lower().encode(), m[1], m[0])):
    with open(f"{lab}/{name}", "w") as f:
        f.writelines(f"{m[3]} {m[2]}\n" for m in sorted(lines, key=key))
EOP
listed() { screen | sed -nE 's/^[> ] *[0-9]+ .{3} .{3} //p' | sed -E 's/^.{11}//; s/ +[0-9]+$//; s/Re: //; s/ +/ /g; s/ $//'; }
rows_are() { listed >"$LAB/rows"; cmp -s "$LAB/rows" "$1"; }
sort_by() { # sort_by LETTER NAME
	keys o
	wait_for 'Sort by' 'o asks for the order'
	keys "$1"
	wait_for "Sorted by $2" "by $2"
}
add() { # add NAME SUBJECT: as one sort of all puts it, when it is the newest of that subject
	awk -v name="$1" -v subject="$2" '!put && substr($0, index($0, " ") + 1) > subject { print name, subject; put = 1 } { print }
		END { if (!put) print name, subject }' "$LAB/subject" >"$LAB/more"
}

start 120 $ROWS --
wait_for '^> *3000 ' 'the list'
sort_by f from
check 'by author all rows are where one sort of all puts them' until_true rows_are "$LAB/from"
sort_by s subject
check 'and by subject' until_true rows_are "$LAB/subject"
keys l
wait_for 'Show messages with' 'a limit is asked for'
typed '~f Basi'
keys Enter
grep '^Basi ' "$LAB/subject" >"$LAB/limited"
check 'within it they stand as they do among all' until_true rows_are "$LAB/limited"
keys Escape
check 'Esc shows all' until_true rows_are "$LAB/subject"
printf 'From: New <n@x>\nTo: bob@example.org\nSubject: Re: gura gu\nDate: %s\nMessage-ID: <new@x>\n\nText.\n' "$(date -uR)" |
	deliver new 4000 ''
LC_ALL=C add New 'gura gu'
check 'what comes finds its place' until_true rows_are "$LAB/more"
rm "$LAB/profile/mail/cur/"*.new.host*
check 'and what goes leaves it' until_true rows_are "$LAB/subject"
sort_by t threads
check 'no message is lost among threads' until_true sh -c "[ \"\$(tmux -S '$LAB/tmux$terminals' capture-pane -p | grep -cE '^[> ] *[0-9]+ ')\" = 3000 ]"
sort_by r arrival
check 'and by arrival the newest is the last again' until_true has '^[> ] *3000 .* '"$(tail -n 1 "$LAB/arrival")"
keys q
wait_for 'ended with 0' 'it ends'
printf '[ui]\nsort = from\n' >>"$LAB/profile/signet.conf"
start 120 $ROWS --
check 'an order that signet.conf has comes by itself' until_true rows_are "$LAB/from"
check 'with the cursor on the last' until_true has '^> *3000 '
keys q
wait_for 'ended with 0' 'it ends'
rm -rf "$LAB/profile/data/store"
start 120 $ROWS --
check 'also while all of it is read anew' until_true rows_are "$LAB/from"
keys q
wait_for 'ended with 0' 'it ends'
done_testing
