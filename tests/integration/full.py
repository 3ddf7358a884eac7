#!/usr/bin/env python3
"""full.py LAB DIR SHIM: the disk is full under each file that signet keeps (see full.t)."""
import os, subprocess, sys

sys.path.insert(0, "tests/lab")
from imap_lab import Tap, letter, seeded
from lane import ALL_KINDS, Lane

lab, place, shim = sys.argv[1:4]
STEPS = (0, 1, 30, 4200, 9000, 20000, 33000, 37000, 45000, 80000, 170000)
SENTENCES = ("Make room on the disk", "No space left on device")


def full(under, after):
    return os.environ | {"LD_PRELOAD": shim, "FULL_UNDER": under, "FULL_AFTER": str(after)}


def unclear(done, codes):
    """A run that did not end as it should, or does not say what to do."""
    found = []
    if done.returncode not in codes:
        found.append(f"exit {done.returncode}: {done.stderr}")
    if done.returncode and not any(words in done.stderr for words in SENTENCES):
        found.append(f"what to do is not said: {done.stderr}")
    if "damaged" in done.stderr or "set aside" in done.stderr:
        found.append(f"taken for damage: {done.stderr}")
    return found


def sync(tap, lane, under, name):
    """Changes wait, others have made some, and after so many octets there is no room: then there is."""
    faults, filled = [], 0
    for after in STEPS:
        names = lane.names(30)
        mine = [n for n in names if n in lane.known][:6]
        lane.we_change(mine, ALL_KINDS)
        lane.others_change([n for n in names if n not in mine])
        done, _ = lane.sync("--bodies", env=full(under, after))
        filled += done.returncode != 0
        found = unclear(done, (0, 74))
        listed = lane.signet.run("--offline", "--json", "list", env=full(under, 0))
        found += unclear(listed, (0, 74))
        resumed, again = lane.sync("--bodies")[0], lane.sync("--bodies")[0]
        found += lane.wrong(resumed, again)
        lane.known = set(lane.there["INBOX"])
        if found:
            faults.append(f"after {after} octets (exit {done.returncode} {done.stderr}):\n" + "\n".join(found))
    tap.ok(not faults, f"{name}: a sentence, and all is done once there is room", "\n".join(faults))
    tap.ok(filled > 0, f"{name}: it was full")


def search(tap, lane):
    faults, filled = [], 0
    index = f"{lane.signet.path}/data/store/far.search"
    for after in STEPS:
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(index + suffix):
                os.unlink(index + suffix)
        done = lane.signet.run("--json", "search", "text", env=full(index, after))
        filled += done.returncode != 0
        found = unclear(done, (0, 74))
        whole = lane.signet.run("--json", "search", "text")
        if whole.returncode or not whole.stdout:
            found.append(f"then: {whole.returncode} {whole.stderr}")
        if not done.returncode and done.stdout != whole.stdout:
            found.append("an answer that is not whole, and does not say so")
        if found:
            faults.append(f"after {after} octets:\n" + "\n".join(found))
    tap.ok(not faults, "the index of words: a sentence, and it is made once there is room", "\n".join(faults))
    tap.ok(filled > 0, "the index of words: it was full")


def outbox(tap, lane):
    faults, refused = [], 0
    folder = f"{lane.signet.path}/data/outbox"
    text = f"{place}/letter"
    for number, after in enumerate((0, 1, 200, 700, 1500, 3000, 6000, 20000, 100000)):
        name = f"queued.{number}"
        with open(text, "wb") as file:
            file.write(letter(f"{name}@example.org", name, "Text. " * 500))
        with open(text) as file:
            done = subprocess.run(lane.signet.command("sendmail", "-t", "-i"), stdin=file, capture_output=True, text=True,
                                  env=full(folder, after), timeout=120)
        waits = sum(name in line for line in lane.signet.run("--json", "outbox", "list").stdout.splitlines())
        found = [] if not done.returncode else unclear(done, (75,))
        refused += done.returncode != 0
        if waits != (done.returncode == 0):
            found.append(f"exit {done.returncode}, and {waits} in the outbox")
        left = [entry for entry in os.listdir(folder) if "tmp" in entry or "new" in entry] if os.path.isdir(folder) else []
        if left:
            found.append(f"half a file: {left}")
        if found:
            faults.append(f"after {after} octets:\n" + "\n".join(found))
    tap.ok(not faults, "the outbox: a sentence, and a message is queued or not, never half", "\n".join(faults))
    tap.ok(0 < refused < 9, "the outbox: it was full, and then not", refused)


def main():
    seed, tap = seeded("FULL_SEED"), Tap()
    lane = Lane("anna", seed, lab, place)
    with open(f"{lane.signet.path}/signet.conf", "a") as file:
        file.write("smtp = smtps://anna@127.0.0.1:1\n")
    tap.same(lane.begin(), [], "a first sync")
    data = f"{lane.signet.path}/data"
    for under, name in (("/pending/", "the journal of changes"), ("/store/far.db", "the lists"), ("/", "everything")):
        sync(tap, lane, data + under, name)
    search(tap, lane)
    outbox(tap, lane)
    # The first of all syncs, where there is nothing yet.
    faults = []
    for after in STEPS:
        os.rename(f"{data}/store", f"{data}/store.{after}")
        done, _ = lane.sync(env=full(f"{data}/store", after))
        found = unclear(done, (0, 74))
        resumed, again = lane.sync("--bodies")[0], lane.sync("--bodies")[0]
        found += lane.wrong(resumed, again)
        if found:
            faults.append(f"after {after} octets:\n" + "\n".join(found))
    tap.ok(not faults, "a store that is begun: a sentence, and it goes on once there is room", "\n".join(faults))
    tap.done()


main()
