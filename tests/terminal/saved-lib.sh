# Messages of two accounts on a Dovecot and of a Maildir, for tests of saved searches. In each folder the first number is
# another message: whoever took a number for another folder's would be found out. SORT: how the lists are sorted.
. "$(dirname "$0")/server-lib.sh"
anna=$server/mail/anna/Maildir bob=$server/mail/bob/Maildir near=$LAB/profile/mail
{
	printf '[account near]\naddress = bob@example.org\nmaildir = mail\n'
	far_account anna anna
	far_account bob bob
	printf '[searches]\nPapers = report -draft\nflagged = ~F\n[ui]\nsort = %s\n' "${SORT:-arrival}"
} | far_profile
for home in "$anna" "$bob"; do
	for folder in Trash Lists Other; do
		mkdir -p "$home/.$folder/cur" "$home/.$folder/new" "$home/.$folder/tmp"
	done
done
post() { # post FOLDER DAY FLAGS SUBJECT TEXT
	printf 'From: Jo <jo@example.org>\nTo: anna@example.org\nSubject: %s\nDate: Wed, %02d Nov 2023 00:00:00 +0000\nMessage-ID: <%s.%s@x>\n\n%s\n' \
		"$4" "$2" "$2" "$(printf %s "$1" | tr -dc a-zA-Z)" "$5" >"$1/tmp/17000000$2.x"
	mv "$1/tmp/17000000$2.x" "$1/cur/17000000$2.x:2,$3"
}
post "$near" 10 S 'Near and no hit' 'Nothing.'
post "$near" 11 S 'Near report' 'The near text.'
post "$near/.Archive" 12 S 'Archived report' 'The archived text.'
post "$anna" 10 S 'Anna and no hit' 'Nothing.'
post "$anna" 13 S 'Report of Anna' 'The text of Anna.'
post "$anna/.Lists" 14 S 'Listed report' 'The listed text.'
post "$anna/.Lists" 15 S 'draft of a report' 'Left out.'
post "$bob" 10 S 'Bob and no hit' 'Nothing.'
post "$bob" 16 '' 'Report of Bob' 'The text of Bob.'
post "$bob/.Other" 17 S 'Other report' 'The other text.'
post "$bob/.Other" 18 S 'Second report' 'The second text.'
[ "$MAIL_UID" = "$(id -u)" ] || chown -R "$MAIL_UID:$MAIL_GID" "$anna" "$bob"
signet -A anna sync >/dev/null 2>&1
signet -A bob sync >/dev/null 2>&1
signet -A near search nothing-at-all >/dev/null 2>&1

file_of() { grep -lE "^Subject: $2\$" "$1"/cur/* "$1"/new/* 2>/dev/null; } # file_of FOLDER SUBJECT
there() { [ -n "$(file_of "$1" "$2")" ]; }
not_there() { ! there "$1" "$2"; }
has_flag() { file_of "$1" "$2" | grep -qE ":2,[A-Z]*$3"; } # has_flag FOLDER SUBJECT LETTER
flagged_all() { grep -lrE '^Subject:' "$anna" "$bob" "$near" | grep -E ':2,[A-Z]*F' | xargs -r sed -n 's/^Subject: //p' | sort | tr '\n' ','; }
only_flagged() { [ "$(flagged_all)" = "$1" ]; }
