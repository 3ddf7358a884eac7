#!/usr/bin/env python3
"""A saved search that finds every message of a large folder, on the screen: how long a key waits, while it is searched and
once all are there, and what a hit takes of memory. No peer has such a thing; the floor is a curses program that draws a
page (tui.floor_page).

saved.py [--build DIR] [--count N] [--profile DIR] [--pages]   DIR is made and kept; without it a temp folder is, and removed."""
import argparse, os, shutil, statistics, subprocess, tempfile, time

import tui

ap = argparse.ArgumentParser()
ap.add_argument("--build", default="build")
ap.add_argument("--count", type=int, default=100000)
ap.add_argument("--profile")
ap.add_argument("--pages", action="store_true", help="only a page in the folder and one in what was found, by turns")
args = ap.parse_args()
signet = os.path.abspath(args.build) + "/signet"
directory = args.profile or tempfile.mkdtemp(prefix="signet-saved-bench-")
profile = directory + "/profile"
N = args.count


def make():
    for sub in ("cur", "new", "tmp"):
        os.makedirs(f"{profile}/mail/{sub}")
        os.makedirs(f"{profile}/mail/.Other/{sub}")
    os.mkdir(profile + "/nssdb")
    subprocess.run(["certutil", "-N", "-d", f"sql:{profile}/nssdb", "--empty-password"], check=True)
    with open(profile + "/signet.conf", "w") as f:
        f.write("[account near]\naddress = anna@example.org\nmaildir = mail\n[searches]\nall = letter\n[keys]\nsystem-tokens = no\n")
    for i in range(N):
        day = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(1600000000 + i * 600))
        with open(f"{profile}/mail/cur/{1600000000 + i}.M{i}.host:2,S", "w") as f:
            f.write(f"From: Writer {i % 977} <w{i % 977}@example.org>\nTo: anna@example.org\nSubject: letter {i} of many\n"
                    f"Date: {day}\nMessage-ID: <{i}@example.org>\n\nThe text of letter {i}.\n")
    with open(f"{profile}/mail/.Other/cur/1.M1.host:2,S", "w") as f:
        f.write("From: Other <o@example.org>\nSubject: other\nDate: Sat, 12 Sep 2020 12:00:00 +0000\n\nNothing.\n")
    then = time.perf_counter()
    subprocess.run([signet, "--profile", profile, "--batch", "search", "nosuchword"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(f"indexed {N} messages in {time.perf_counter() - then:.1f} s", flush=True)


def report(name, waits):
    print(f"{name:38} {len(waits):4} keys  median {statistics.median(waits):6.1f} ms  95% {sorted(waits)[int(len(waits) * 0.95) - 1 if len(waits) > 1 else 0]:6.1f}  "
          f"worst {max(waits):7.1f}", flush=True)


def keys(app, name, key, n, done=None):
    """Milliseconds until something has changed on the screen, for each of n keys."""
    waits = []
    for i in range(n):
        before = app.text()
        first, _last = app.settle(before, app.key(key if isinstance(key, str) else key[i % len(key)]), quiet=0.03, timeout=5)
        if first is not None:
            waits.append(first * 1000)
        if done and done(app.text()):
            break
    if waits:
        report(name, waits)
    else:
        print(f"{name:38} nothing changed", flush=True)


def answer(app, name, key, words, wanted):
    app.key(key)
    app.wait(lambda text: text.rstrip().endswith("with:") or text.rstrip().endswith("for:"))
    app.key(words, literal=True)
    then = app.key("Enter")
    took = app.wait(wanted, then, timeout=60, poll=0.0005)
    print(f"{name:38} {'never' if took is None else f'{took * 1000:.1f} ms'}", flush=True)


def pages(tm, turns=60):
    """A page up from the newest, by turns in the folder and in what was found of it (in the folder that is up, in the other
    down): milliseconds until the page is there whole."""
    folder = tui.App(tm, [signet, "--profile", profile, "near/INBOX"], env={"TERM": "tmux-256color"})
    search = tui.App(tm, [signet, "--profile", profile, "near/Other"], env={"TERM": "tmux-256color"})
    folder.wait(f"letter {N - 1} of many")
    search.wait("other")
    search.key("y")
    search.wait("Folders")
    search.key("End")
    search.wait(">   all")
    search.key("Enter")
    search.wait(lambda text: f'Search "all"  {N} messages' in text.split("\n")[0] and "searching" not in text.split("\n")[0], timeout=300)
    for app, key in (folder, "End"), (search, "Home"):
        before = app.text()
        app.settle(before, app.key(key), quiet=0.5, timeout=2)
    waits = {"a page in the folder": [], "a page in what was found": []}
    for _ in range(turns):
        for (name, some), app, key in zip(waits.items(), (folder, search), ("PPage", "NPage")):
            before = app.text()
            first, last = app.settle(before, app.key(key), quiet=0.05, timeout=5)
            if last is not None:
                some.append(last * 1000)
    for name, some in waits.items():
        report(name, some)
    folder.stop()
    search.stop()


def main():
    if not os.path.exists(profile):
        make()
    tm = tui.Tmux()
    if args.pages:
        pages(tm)
        tm.close()
        return
    app = tui.App(tm, [signet, "--profile", profile, "near/Other"], env={"TERM": "tmux-256color"})
    app.wait("other")
    keys(app, "a key in a short list (for comparison)", "y", 1)
    app.wait("Folders")
    app.key("End")
    app.wait(">   all")
    before = app.mem()["RssAnon"]
    then = app.key("Enter")
    took = app.wait('Search "all"  ', then, poll=0.0005)
    print(f"{'the first found':38} {took * 1000:.1f} ms")
    app.wait("of many", then, poll=0.0005)
    over = lambda text: f'Search "all"  {N} messages' in text.split("\n")[0] and "searching" not in text.split("\n")[0]
    keys(app, "Down, while it is searched", "Down", 400, over)
    app.wait(over, timeout=300)
    print(f"{'all found':38} {time.perf_counter() - then:.2f} s after Enter")
    mem = app.mem()
    print(f"{'memory':38} {mem['RssAnon'] - before:.1f} MiB more: {(mem['RssAnon'] - before) * 1048576 / N:.0f} octets a hit; at most {mem['VmHWM']:.0f} MiB")
    keys(app, "Down", "Down", 60)
    keys(app, "a page down", "NPage", 40)
    keys(app, "to either end", ("End", "Home"), 20)
    keys(app, "F", "F", 10)
    answer(app, "l ~F", "l", "~F", "[~F:")
    app.key("Escape")
    app.wait(lambda t: "[~F" not in t)
    answer(app, "l ~s (each header)", "l", f"~s {N - 1}", f"[~s {N - 1}: 1]")
    keys(app, "Esc: all again", "Escape", 1)
    app.key("l")
    app.wait("Show messages")
    app.key("~s nowhere", literal=True)
    app.key("Enter")
    keys(app, "Down, while headers are read", ("Up", "Down"), 200, lambda text: "[~s nowhere" in text)
    app.key("Escape")
    app.wait(lambda t: "[~s" not in t)
    answer(app, "/ ~s (no header has it)", "/", "~s nowhere", "not to be found")
    keys(app, "Ctrl-R", "C-r", 1)
    keys(app, "Down, while it is searched again", "Down", 200, over)
    app.wait(over, timeout=300)
    answer(app, "T ~f (each header)", "T", "~f w976@", " tagged: after")
    app.stop()
    tm.close()


try:
    main()
finally:
    if not args.profile:
        shutil.rmtree(directory)
