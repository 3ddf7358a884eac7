#!/usr/bin/env python3
"""cut.py LAB DIR: the line breaks at random octets of a sync, with and without changes that wait (see cut.t)."""
import os, sys, threading

sys.path.insert(0, "tests/lab")
from imap_lab import Tap, seeded
from lane import Lane


def main():
    lab, place = sys.argv[1:3]
    points = int(os.environ.get("CUT_POINTS", "200"))
    seed, tap = seeded("CUT_SEED"), Tap()
    lanes = [Lane(user, seed, lab, place) for user in ("anna", "bob")]
    runs = [threading.Thread(target=lane.run, args=((points + 1) // 2,)) for lane in lanes]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    for lane in lanes:
        for fault in lane.faults:
            tap.ok(False, "after a cut all is as it would be without", fault)
        tap.ok(lane.faults == [], f"{lane.user}: the next run brings both sides to one state, the one after it has nothing to do")
        tap.same(lane.cuts, (points + 1) // 2, f"{lane.user}: so many lines broke")
    tap.done()


main()
