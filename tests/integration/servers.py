#!/usr/bin/env python3
"""servers.py DOVECOT CYRUS DIR: the same mailbox's life at servers that can do more or less (see servers.t)."""
import re, subprocess, sys

sys.path.insert(0, "tests/lab")
from imap_lab import Tap, seeded
from lane import Lane

dovecot, cyrus, place = sys.argv[1:4]
LEFT_OUT = (("QRESYNC",), ("CONDSTORE", "QRESYNC"), ("UIDPLUS",), ("MOVE",), ("MOVE", "UIDPLUS"), ("ENABLE",), ("ESEARCH",),
            ("IDLE",), ("COMPRESS=DEFLATE",), ("LITERAL+",), ("SPECIAL-USE", "LIST-EXTENDED"), ("LIST-STATUS",), ("SASL-IR",))


def dovecot_with(*settings):
    """The same server, anew."""
    ask = lambda what: subprocess.run(["sh", "tests/lab/dovecot.sh", what, dovecot], check=True, capture_output=True)
    ask("stop")
    text = open(f"{dovecot}/dovecot.conf").read()
    names = [re.escape(line.split(" =")[0]) for line in settings] + ["imap_capability"]
    text = re.sub(rf"(?m)^({'|'.join(names)}) =.*\n", "", text)
    with open(f"{dovecot}/dovecot.conf", "w") as file:
        file.write(text + "".join(line + "\n" for line in settings))
    ask("again")


def main():
    seed, tap = seeded("SERVERS_SEED"), Tap()
    lane = Lane("anna", seed, dovecot, place)
    can = lane.other.imap.capability()[1][0].decode().split()
    tap.ok(set(sum(LEFT_OUT, ())) <= set(can), "Dovecot can do all that is to be left out", can)
    tap.same(lane.begin() + lane.visit(), [], "Dovecot, Maildir")
    for words in LEFT_OUT:
        dovecot_with("imap_capability = " + " ".join(word for word in can if word not in words))
        lane.meet()
        tap.same(lane.visit(), [], "Dovecot without " + " and ".join(words))
    dovecot_with("mail_location = sdbox:~/sdbox")
    lane = Lane("bob", seed, dovecot, place)
    tap.same(lane.begin() + lane.visit(), [], "Dovecot, sdbox")
    lane.run(10)
    tap.same(lane.faults, [], "and over a line that breaks")
    with open(f"{lane.signet.path}/signet.conf", "a") as file:
        file.write("compress = always\n")
    lane.faults = []
    tap.same(lane.visit(), [], "and with a packed line")
    lane.run(20)
    tap.same(lane.faults, [], "which breaks too")
    lane = Lane("anna", seed, cyrus, f"{place}/cyrus")
    tap.same(lane.begin() + lane.visit() + lane.visit(), [], "Cyrus")
    lane.run(10)
    tap.same(lane.faults, [], "and over a line that breaks")
    folders = lane.signet.run("--json", "folders").stdout
    tap.same(re.findall(r'"role":"(drafts|sent|trash)"', folders), ["drafts", "sent", "trash"], "its special uses are known")
    tap.done()


main()
