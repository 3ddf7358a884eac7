#!/usr/bin/env python3
"""together.py LAB DIR: four clients change the same folders at the same time (see together.t).

Of each message it is known who files it (moves, copies, deletes): one client alone, so that the ledger says to a message
what must be where; or any ("everybody's"), so that it says what may have happened. All set flags on all."""
import os, random, sys, threading
from collections import Counter

sys.path.insert(0, "tests/lab")
from imap_lab import FLAGGED, SEEN, ANSWERED, Client, Profile, Tap, differences, environment, seeded

FOLDERS = ("INBOX", "Archive")
ROUNDS = int(os.environ.get("TOGETHER_ROUNDS", "10"))
OWNERS = ("first", "second", "other", "phone", "everybody")


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.where = {}        # Message-ID of one client's -> Counter of folders
        self.copies = Counter()    # of everybody's: how often it was to be copied or moved
        self.deleted = set()       # of everybody's: somebody was to delete it
        self.number = 0

    def fresh(self, owner):
        with self.lock:
            self.number += 1
            return f"{owner}.{self.number}@example.org"

    def note(self, kind, name, folder, to):
        with self.lock:
            if name.startswith("everybody."):
                self.copies[name] += kind in ("copy", "move")
                if kind == "expunge":
                    self.deleted.add(name)
                return
            places = self.where.setdefault(name, Counter())
            places[to] += kind != "expunge"
            places[folder] -= kind in ("move", "expunge")


def others(folder):
    return "Archive" if folder == "INBOX" else "INBOX"


def choose(dice, me, listed):
    """A change of one of the messages that are listed."""
    kind = dice.choice(("flags", "flags", "move", "move", "copy", "expunge"))
    names = Counter(name for name, _ in listed.values())
    mine = [name for name in names if names[name] == 1 and (kind == "flags" or name.split(".")[0] in (me, "everybody"))]
    return (kind, dice.choice(mine)) if mine else (None, None)


class Signet(threading.Thread):
    def __init__(self, me, profile, dice, ledger):
        super().__init__()
        self.me, self.profile, self.dice, self.ledger, self.faults, self.filed = me, profile, dice, ledger, [], set()

    def change(self):
        folder = self.dice.choice(FOLDERS)
        if self.dice.random() < 0.1:
            name = self.ledger.fresh(self.me)
            self.profile.write_down("append", folder, name, add=SEEN)
            self.ledger.note("copy", name, None, folder)
            return
        kind, name = choose(self.dice, self.me, self.profile.listed(folder))
        if kind == "flags":
            flag = self.dice.choice((FLAGGED, SEEN, ANSWERED))
            add = self.dice.random() < 0.6
            self.write(kind, folder, name, None, add=flag * add, remove=flag * (not add))
        elif kind and name not in self.filed:
            to = others(folder) if kind != "expunge" else None
            if self.write(kind, folder, name, to):
                self.ledger.note(kind, name, folder, to)
                if kind != "move" or name.startswith("everybody."):
                    self.filed.add(name)  # a copy has two places, which one name does not tell apart

    def write(self, kind, folder, name, to, **more):
        try:
            self.profile.write_down(kind, folder, name, to, age=self.dice.choice((0, 60)), **more)
            return True
        except AssertionError:
            return False  # the other one on this profile has just heard that it is gone

    def run(self):
        try:
            for _ in range(ROUNDS):
                for _ in range(self.dice.randrange(1, 4)):
                    self.change()
                done = self.profile.run("--json", "sync", *["--bodies"] * (self.dice.random() < 0.3))
                if done.returncode not in (0, 1):
                    self.faults.append(f"{self.me}: exit {done.returncode} {done.stderr}")
        except Exception as error:
            self.faults.append(f"{self.me}: {type(error).__name__} {error}")
            raise


class Phone(threading.Thread):
    """It does at once what it does, at the server."""

    def __init__(self, client, dice, ledger, until):
        super().__init__()
        self.client, self.dice, self.ledger, self.until, self.faults, self.filed = client, dice, ledger, until, [], set()

    def change(self):
        folder = self.dice.choice(FOLDERS)
        if self.dice.random() < 0.1:
            name = self.ledger.fresh("phone")
            self.ledger.note("copy", name, None, folder)
            self.client.append(folder, name, name)
            return
        kind, name = choose(self.dice, "phone", self.client.state(folder))
        found = self.client.uids(folder, name) if kind and name not in self.filed else []
        if len(found) != 1:
            return
        if kind == "flags":
            self.client.store(found[0], self.dice.choice("+-"), self.dice.choice(("\\Seen", "\\Flagged")))
            return
        self.ledger.note(kind, name, folder, others(folder) if kind != "expunge" else None)
        if kind != "move" or name.startswith("everybody."):
            self.filed.add(name)
        if kind == "expunge":
            self.client.expunge(found[0])
        else:
            self.client.uid(kind.upper(), found[0], others(folder))

    def run(self):
        try:
            while any(thread.is_alive() for thread in self.until):
                self.change()
        except Exception as error:
            self.faults.append(f"phone: {type(error).__name__} {error}")
            raise


def account(ledger, found):
    """What the ledger does not explain."""
    faults = []
    for name, places in sorted(ledger.where.items()):
        for folder in FOLDERS:
            if found[folder][name] != places[folder]:
                faults.append(f"{name}: {found[folder][name]} times in {folder} and not {places[folder]}")
    for number in range(EVERYBODYS):
        name = f"everybody.{number}@example.org"
        many = sum(found[folder][name] for folder in FOLDERS)
        if not many and name not in ledger.deleted:
            faults.append(f"{name} is lost")
        if many > 1 + ledger.copies[name]:
            faults.append(f"{name}: {many} times, after {ledger.copies[name]} copies and moves")
    known = set(ledger.where) | {f"everybody.{number}@example.org" for number in range(EVERYBODYS)}
    return faults + [f"{name} is nobody's" for folder in FOLDERS for name in set(found[folder]) - known]


EVERYBODYS = 20


def main():
    lab, place = sys.argv[1:3]
    seed, tap, ledger = seeded("TOGETHER_SEED"), Tap(), Ledger()
    port, ca = int(environment(f"{lab}/env")["PORT_TLS"]), f"{lab}/tls/ca-good.pem"
    phone = Client(port, "anna", ca)
    phone.must(phone.imap.create("Archive"))
    for number in range(EVERYBODYS):
        phone.append("INBOX", f"everybody.{number}@example.org", f"everybody's {number}")
    for owner in OWNERS[:4]:
        for _ in range(12):
            name = ledger.fresh(owner)
            ledger.note("copy", name, None, "INBOX")
            phone.append("INBOX", name, name)
    one, two = Profile(f"{place}/one", port, "anna", ca), Profile(f"{place}/two", port, "anna", ca)
    for profile in (one, two):
        tap.same(profile.run("sync").returncode, 0, "a first sync")
        profile.journal().close()
    signets = [Signet(me, profile, random.Random(f"{seed} {me}"), ledger)
               for me, profile in (("first", one), ("second", one), ("other", two))]
    beside = Phone(phone, random.Random(f"{seed} phone"), ledger, signets)
    for thread in signets + [beside]:
        thread.start()
    for thread in signets + [beside]:
        thread.join()
    tap.same([fault for thread in signets + [beside] for fault in thread.faults], [], "four at once")
    # What waited is carried out; then what that has changed is heard.
    for profile in (one, two, one, two):
        done = profile.run("--json", "sync")
        if done.returncode not in (0, 1):
            tap.ok(False, "a last sync", done.stderr)
    states = {folder: phone.state(folder) for folder in FOLDERS}
    refused = [row for profile in (one, two) for row in profile.open_entries()]
    tap.same([row for row in refused if row[2] != 8], [], "nothing waits any more")
    tap.same([row for row in refused if "everybody." not in str(row[4])], [], "what was refused is everybody's")
    for name, profile in (("one profile", one), ("the other", two)):
        for folder in FOLDERS:
            kept = profile.listed(folder)
            tap.ok(kept == states[folder], f"{name}: {folder} is the server's", differences(kept, states[folder]))
        again = profile.run("--json", "sync")
        tap.ok(not again.returncode and '"added":0,"changed":0,"vanished":0' in again.stdout and not any(
            word in again.stdout for word in ('"changes_done":1', "anew\":true")), f"{name}: nothing is left to do",
            again.stdout + again.stderr)
    found = {folder: Counter(name for name, _ in states[folder].values()) for folder in FOLDERS}
    tap.same(account(ledger, found), [], "no message is lost, and none is there that the ledger does not explain")
    moved = sum(ledger.copies.values()) + len(ledger.deleted)
    tap.ok(moved > 0, f"{moved} times somebody filed what is everybody's")
    tap.done()


main()
