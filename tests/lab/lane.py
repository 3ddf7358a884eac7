"""A mailbox that signet and another client change, over a line that may break."""
import os, random

from cutting import Cutter
from imap_lab import FLAGGED, SEEN, Client, Profile, differences, environment

FOLDERS = ("INBOX", "Archive")
CHANGES = rb"UID (?:STORE|COPY|MOVE|EXPUNGE) |APPEND "
ALL_KINDS = ("flags", "flags", "copy", "move", "expunge", "append")
QUIET = ('"added":0,', '"changed":0,', '"vanished":0,', '"anew":false,', '"bodies":0')


class Lane:
    """One mailbox with one signet, another client, and a line between them that breaks."""

    def __init__(self, user, seed, lab, place):
        self.user, self.dice, self.lab = user, random.Random(f"{seed} {user}"), lab
        self.port, self.ca = int(environment(f"{lab}/env")["PORT_TLS"]), f"{lab}/tls/ca-good.pem"
        self.cutter = Cutter(self.port, f"{lab}/tls/good.pem", f"{lab}/tls/good.key", self.ca)
        self.signet = Profile(f"{place}/{user}", self.cutter.port, user, self.ca)
        self.meet()
        self.other.imap.create("Archive")
        self.there = {folder: {} for folder in FOLDERS}  # what must be on the server: Message-ID -> flags
        self.known = set()                               # of INBOX, as signet saw it last
        self.number = self.tried = self.cuts = 0
        self.length = {}  # (plain, side, do we change something) -> octets of a run that went through
        self.faults = []

    def meet(self):
        """The other client, at a server that was started just now."""
        self.other = Client(self.port, self.user, self.ca)

    def fresh(self):
        self.number += 1
        return f"letter.{self.number}@{self.dice.randrange(10 ** 6)}.example.org"

    def post(self, folder="INBOX"):
        name = self.fresh()
        self.other.append(folder, name, name, "\\Seen", "Text. " * self.dice.randrange(1, 400))
        self.there[folder][name] = frozenset({"seen"})

    def others_change(self, names):
        """What another client does meanwhile, to some of @names."""
        dice, other, inbox = self.dice, self.other, self.there["INBOX"]
        for _ in range(dice.randrange(0, 3)):
            self.post(dice.choice(FOLDERS))
        for flags, words in (("\\Seen \\Flagged", {"seen", "flagged"}), ("", set()), ("\\Answered", {"answered"})):
            if dice.random() < 0.5:
                name = names.pop()
                other.uid("STORE", other.uids("INBOX", name)[0], "FLAGS.SILENT", f"({flags})")
                inbox[name] = frozenset(words)
        if dice.random() < 0.5:
            name = names.pop()
            other.expunge(other.uids("INBOX", name)[0])
            del inbox[name]
        if dice.random() < 0.5:
            name = names.pop()
            other.uid("MOVE", other.uids("INBOX", name)[0], "Archive")
            self.there["Archive"][name] = inbox.pop(name)

    def we_change(self, names, kinds):
        """What waits for the line: an entry of each kind."""
        inbox, archive = self.there["INBOX"], self.there["Archive"]
        for kind in kinds:
            name = self.fresh() if kind == "append" else names.pop()
            if kind == "flags":
                self.signet.write_down(kind, "INBOX", name, add=FLAGGED, remove=SEEN)
                inbox[name] = (inbox[name] | {"flagged"}) - {"seen"}
            elif kind == "append":
                self.signet.write_down(kind, "INBOX", name, add=SEEN)
                inbox[name] = frozenset({"seen"})
            else:
                self.signet.write_down(kind, "INBOX", name, None if kind == "expunge" else "Archive")
                flags = inbox[name] if kind == "copy" else inbox.pop(name)
                if kind != "expunge":
                    archive[name] = flags

    def names(self, least):
        """Of INBOX, in any order: those that are not in Archive too, so that a folder has one of a name."""
        while len(names := [name for name in self.there["INBOX"] if name not in self.there["Archive"]]) < least:
            self.post()
        self.dice.shuffle(names)
        return names

    def sync(self, *more, **how):
        done = self.signet.run("--json", "sync", *more, **how)
        return done, self.cutter.calm()

    def wrong(self, resumed, again):
        """Everything that is not as it must be, in words."""
        found = []
        if resumed.returncode or resumed.stderr:
            found.append(f"the next run ended with {resumed.returncode}: {resumed.stderr}")
        if again.returncode or again.stderr or "changes_" in again.stdout or not all(
                word in line for line in again.stdout.splitlines() for word in QUIET):
            found.append(f"one more run has something to do: exit {again.returncode} {again.stderr} {again.stdout}")
        if waits := self.signet.open_entries():
            found.append(f"left over: {waits}")
        for folder in FOLDERS:
            has, kept, want = self.other.state(folder), self.signet.listed(folder), self.there[folder]
            if kept != has:
                found.append(f"{folder}: what is kept is not what is there\n{differences(kept, has)}")
            if sorted(has.values(), key=str) != sorted(want.items(), key=str):
                names = [name for name, _ in has.values()]
                found.append(f"{folder}: what is there is not what was done\n"
                             f"not wanted: {[v for v in has.values() if want.get(v[0]) != v[1]]}\n"
                             f"missing: {set(want.items()) - set(has.values())}\n"
                             f"more than once: {sorted({n for n in names if names.count(n) > 1})}")
                self.there[folder] = dict(has.values())
        return found

    def point(self):
        dice = self.dice
        self.tried += 1
        ours, plain, side = self.tried % 2 == 0, dice.random() < 0.6, dice.choice(("up", "down"))
        hard, gone = dice.random() < 0.3, dice.random() < 0.4
        bodies = ["--bodies"] * (dice.random() < 0.5)
        names = self.names(30)
        if ours:
            mine = [name for name in names if name in self.known][:10]
            kinds = dice.sample(ALL_KINDS, dice.randrange(1, len(ALL_KINDS) + 1))
            self.we_change(mine, kinds)
            names = [name for name in names if name not in mine]
        self.others_change(names)
        if ours and dice.random() < 0.6:  # around a command that changes something
            plain, after = True, dice.randrange(120)
            how = dict(command=CHANGES, nth=dice.randrange(1, len(kinds) + 1))
        else:
            most = self.length.get((plain, side, ours))
            how, after = {}, dice.randrange(most) if most else 1 << 40
        self.cutter.arm(side, after, plain, hard, gone, **how)
        cut, fired = self.sync(*bodies)
        if not fired and not how:  # so long are they; the next are drawn from that
            for way in ("up", "down"):
                self.length[plain, way, ours] = self.cutter.octets[way]
        self.cuts += fired
        if fired:
            resumed, again = self.sync("--bodies")[0], self.sync("--bodies")[0]
            found = self.wrong(resumed, again)
            if cut.returncode not in (0, 69):
                found.append(f"the cut run ended with {cut.returncode}: {cut.stderr}")
            if found:
                how |= dict(changes=ours, plain=plain, side=side, after=after, hard=hard, gone=gone, bodies=bodies)
                self.faults.append(f"{self.user}, run {self.tried}: {how}\n" + "\n".join(found))
        self.known = set(self.there["INBOX"])

    def begin(self):
        """The first sync of a mailbox."""
        self.names(30)
        first, _ = self.sync("--bodies")
        self.known = set(self.there["INBOX"])
        return [f"the first sync: {first.stderr}"] if first.returncode else []

    def visit(self):
        """Without a cut, at whatever server runs now: all that others do, all that waits; and killed at each step."""
        found = []
        names = self.names(30)
        mine = [name for name in names if name in self.known][:6]
        self.we_change(mine, ALL_KINDS)
        self.others_change([name for name in names if name not in mine])
        resumed, again = self.sync("--bodies")[0], self.sync("--bodies")[0]
        found += self.wrong(resumed, again)
        self.known = set(self.there["INBOX"])
        for kind in ALL_KINDS[1:]:
            point = self.dice.choice(("pending-begun", "pending-asked", "pending-settled"))
            self.we_change([name for name in self.names(30) if name in self.known][:1], [kind])
            killed, _ = self.sync(env=os.environ | {"SIGNET_TEST_DIE": point})
            if killed.returncode != -9:
                found.append(f"{kind}: not killed at {point}: {killed.returncode} {killed.stderr}")
            resumed, again = self.sync("--bodies")[0], self.sync("--bodies")[0]
            found += [f"{kind}, killed at {point}: {words}" for words in self.wrong(resumed, again)]
            self.known = set(self.there["INBOX"])
        uid = self.other.uids("INBOX", self.names(1)[0])[0].decode()
        shown = self.signet.run("show", f"INBOX/{uid}")
        if shown.returncode or "Text." not in shown.stdout:
            found.append(f"show: {shown.returncode} {shown.stderr}")
        return found

    def run(self, points):
        """Until so many lines were cut."""
        try:
            self.faults += self.begin()
            while self.cuts < points and self.tried < 4 * points and len(self.faults) < 5:
                self.point()
        except Exception as error:
            self.faults.append(f"{self.user}, run {self.tried}: {type(error).__name__}: {error}")
            raise
