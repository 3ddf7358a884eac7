#!/usr/bin/env python3
"""Part of make bench: mailboxes of 1,000 to 100,000 messages on a real Dovecot, signet and every mail client that is
installed driven through tmux the same way in the same run, beside what a bare socket needs for the same answer.

mail.py [SUITE...] [--sizes "1000 10000 100000"] [--runs N]. See doc/testing.md. Every figure is a median of rounds in which
all of them take turns. Exit code 1: a figure is missed, or something was not seen."""
import argparse, os, shutil, signal, subprocess, sys, tempfile, time

import clients, floors, lab, tui
from figures import med, scaled

SUITES = "start pull keys signed round-trip wire idle bodies search".split()
ap = argparse.ArgumentParser()
ap.add_argument("suites", nargs="*", default=[], metavar="SUITE", help=" ".join(SUITES))
ap.add_argument("--build", default="build")
ap.add_argument("--sizes", default="1000 10000 100000")
ap.add_argument("--runs", type=int, default=3)
ap.add_argument("--clients", default="mutt neomutt alpine aerc")
args = ap.parse_args()
clients.Signet.program = os.path.abspath(f"{args.build}/signet")
sizes = sorted(int(n) for n in args.sizes.split())
BIG = sizes[-1]
RARE = 5 * len(sizes) # messages that have the rare word: five in each mailbox
unable = [f"{n}: not installed" for n in args.clients.split() if not os.path.exists(f"/usr/bin/{n}")]
peers = [n for n in args.clients.split() if os.path.exists(f"/usr/bin/{n}")]
rows, failures = [], []
MS = 1000


def text(value, unit):
    if value is None:
        return "-"
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}" if value >= 10 else f"{value:.2f} {unit}"


def row(axis, ours, best, floor, unit, wanted, good):
    """@best: (name, value) of the peers. @wanted: the limit in words; @good: is it met (None: it is only told)."""
    against = f"{best[0]} {text(best[1], unit)}" if best else "-"
    ratios = [f"{ours / of:.2f}x {name}" for name, of in (("peer", best and best[1]), ("floor", floor)) if ours and of]
    met = "" if good is None else "yes" if good else "MISSED"
    rows.append((axis, text(ours, unit), against, text(floor, unit) if floor else "-", ", ".join(ratios), wanted, met))
    print("  ".join(str(w) for w in rows[-1]), flush=True)
    if good is False or ours is None:
        failures.append(f"{axis}: {text(ours, unit)}, wanted {wanted}")


def best_of(figures):
    """figures: {label: [values]} -> (label, median) of the least."""
    found = [(med(v), n) for n, v in figures.items() if med(v) is not None]
    return (min(found)[1], min(found)[0]) if found else None


def begin(client, box, mark="NEWESTMARK", timeout=90, poll=0.002):
    app = tui.App(tm, client.argv(box), client.env())
    took = app.wait(mark, app.t0, timeout, poll, client.hook)
    if took is None:
        failures.append(f"{client.name} {client.mode} did not show {mark} of {box}")
        print(app.text() if app.alive() else f"{client.name} ended", file=sys.stderr)
    return app, took


def finish(client, app):
    """A clean end, so that caches are written."""
    if app.alive():
        client.leave(app)
        for _ in range(2000):
            if not app.alive():
                return
            time.sleep(0.005)
    app.stop()


def settled(app, quiet=0.5, limit=60):
    """Waits until a program uses no processor for @quiet seconds: what it loads behind the first screen is loaded."""
    before, since, end = app.cpu(), time.perf_counter(), time.perf_counter() + limit
    while time.perf_counter() < end:
        time.sleep(0.1)
        now = app.cpu()
        if now - before > 0.02:
            before, since = now, time.perf_counter()
        elif time.perf_counter() - since > quiet:
            return


def ways(port=None):
    """Every way a peer is set up for a start."""
    made = []
    for name in peers:
        if name in ("mutt", "neomutt"):
            made += [clients.make(bench, name, "cold", port=port), clients.make(bench, name, "warm", warm=True, port=port),
                     clients.make(bench, name, "warm qresync", warm=True, qresync=True, port=port)]
        elif name == "aerc":
            made += [clients.make(bench, name, "cold", port=port), clients.make(bench, name, "warm", warm=True, port=port)]
        else:
            made.append(clients.make(bench, name, "cold", port=port))
    return made


def starts(size, port, runs, proxy=None, ours=("cold", "warm")):
    """{(name, mode): [(seconds, memory, octets)]}, the floors among them; the first round is for the caches alone."""
    figures = {}
    for run in range(-1, runs):
        for client in [clients_of("signet", mode, port) for mode in ours] + peers_of(port):
            if not client.warm or run < 0:
                client.wipe()
            if proxy:
                proxy.ask("reset")
            app, took = begin(client, f"m{size}")
            if took is not None:
                settled(app)
                wire = proxy.ask("get") if proxy else {}
                if run >= 0:
                    figures.setdefault((client.name, client.mode), []).append((took, app.mem(), wire))
            finish(client, app)
        if run >= 0:
            for name, measure in (("first page", floors.first_page), ("all headers", floors.all_headers),
                                  ("nothing new", floors.nothing_new)):
                took, octets = measure(bench, size, port)
                figures.setdefault(("floor", name), []).append((took, {}, dict(down=octets, up=0)))
    return figures


made = {}


def clients_of(name, mode, port=None, **more):
    port = port or bench.port
    key = (name, mode, port, str(more))
    if key not in made:
        made[key] = clients.make(bench, name, mode, warm=mode != "cold", port=port, **more)
    return made[key]


def peers_of(port):
    port = port or bench.port
    if port not in made:
        made[port] = ways(port)
    return made[port]


def seconds(figures, who, mode):
    return med([f[0] for f in figures.get((who, mode), [])])


def those(figures, mode_fits, index=0, key=None):
    return {f"{name} {mode}": [f[index][key] if key else f[index] for f in values] for (name, mode), values in figures.items()
            if name not in ("signet", "floor") and mode_fits(mode)}


ENOUGH = 5 # rounds of what takes seconds: one sample or two are chance
FAR = 11 # of starts at a distance: the server's part alone swings by 20 ms, the medians of five by 3 % of each other
started = {}


def warm_by_turns(n=9):
    """{size: seconds}: the first screen from the store, of the two largest by turns."""
    client, took = clients_of("signet", "warm"), {}
    for size in sizes[-2:]:
        app, _ = begin(client, f"m{size}") # its store
        settled(app, 1)
        finish(client, app)
    for _ in range(n):
        for size in sizes[-2:]:
            app, seconds_of = begin(client, f"m{size}")
            took.setdefault(size, []).append(seconds_of)
            settled(app, 0.3)
            finish(client, app)
    return {size: med(values) for size, values in took.items()}


def from_store():
    """Seconds that a start from the store may take."""
    return scaled(0.030, 0.507, seconds(started.get(BIG, {}), "neomutt", "warm qresync"))


FROM_STORE = "30 ms or 0.059x neomutt"


def suite_start():
    by_turns = warm_by_turns()
    for size in sizes:
        figures = started[size] = starts(size, bench.port, args.runs)
        page = seconds(figures, "floor", "first page")
        cold, warm = seconds(figures, "signet", "cold"), seconds(figures, "signet", "warm")
        peer = best_of(those(figures, lambda m: m == "cold"))
        big = size == BIG
        row(f"first screen, nothing cached, {size}", cold and cold * MS, peer and (peer[0], peer[1] * MS), page * MS, "ms",
            "1.5x floor, ahead of the best" if big else "", (cold / page <= 1.5 and cold < peer[1]) if big and cold and peer else None)
        peer = best_of(those(figures, lambda m: m != "cold"))
        warm = by_turns.get(size, warm)
        row(f"first screen from the store, {size}", warm and warm * MS, peer and (peer[0], peer[1] * MS), None, "ms",
            FROM_STORE if big else "", warm <= from_store() if big and warm else None)
        for key, words, limit in (("VmHWM", "peak memory", 40), ("RssAnon", "anonymous memory", 16)):
            ours = med([f[1][key] for f in figures.get(("signet", "warm"), [])])
            peer = best_of(those(figures, lambda m: True, 1, key))
            row(f"{words}, index open, {size}", ours, peer, None, "MiB", f"{limit} MiB" if big else "",
                ours <= limit if big and ours else None)
    if len(sizes) > 1:
        memory = {size: med([x[1]["RssAnon"] for x in started[size].get(("signet", "warm"), [])]) for size in sizes[-2:]}
        for words, figures in (("anonymous memory", memory), ("first screen from the store", by_turns)):
            a, b = figures[sizes[-2]], figures[BIG]
            growth = b / a if a and b else None
            row(f"growth of {words}, {sizes[-2]} to {BIG}", growth, None, None, "x", "1.2x", growth and growth <= 1.2)


def pulled(client):
    """Seconds from a start with nothing to the oldest message on the screen."""
    client.wipe()
    app, _ = begin(client, f"m{BIG}")
    app.key(client.keys["first"])
    took = app.wait("OLDESTMARK", app.t0, 90, 0.002)
    finish(client, app)
    return took


def suite_pull():
    """All headers in the store: signet and the floor by turns, since the floor of one minute is not the next one's."""
    ours, theirs, bare = [], {}, []
    for run in range(max(args.runs, ENOUGH)):
        ours.append(pulled(clients_of("signet", "cold")))
        bare.append(floors.all_headers(bench, BIG, bench.port)[0])
        for client in peers_of(None):
            if run < args.runs and client.mode == "cold" and client.name in ("mutt", "neomutt"):
                theirs.setdefault(client.name, []).append(pulled(client))
    peer, took = best_of(theirs), med(ours)
    row(f"all headers there and sortable, {BIG}, of {len(ours)}", took and took * MS, peer and (peer[0], peer[1] * MS), med(bare) * MS,
        "ms", "1.6x floor", took and took / med(bare) <= 1.6)


def navigate(client, size, n=5, pages=15, quiet=0.08, limit=20):
    """Seconds from a key to its screen: to the oldest for the first time and again, to the newest, a page down, open."""
    app, _ = begin(client, f"m{size}")
    settled(app)
    k, first, last, page, opened = client.keys, [], [], [], []
    for _ in range(n):
        first.append(app.wait("OLDESTMARK", app.key(k["first"]), limit, 0.0003))
        time.sleep(0.15)
        last.append(app.wait("NEWESTMARK", app.key(k["last"]), limit, 0.0003))
        time.sleep(0.15)
    top = "last" if client.name == "aerc" else "first" # it lists the newest at the top
    app.key(k[top])
    app.wait("NEWESTMARK" if top == "last" else "OLDESTMARK", None, limit, 0.0003)
    time.sleep(0.3)
    for _ in range(pages):
        before = app.text()
        page.append(app.settle(before, app.key(k["page"]), quiet, 5)[1])
        time.sleep(0.03)
    app.key(k["last"])
    app.wait("NEWESTMARK", None, limit, 0.0003)
    time.sleep(0.3)
    for _ in range(n):
        opened.append(app.wait("BODYMARK", app.key(k["open"]), limit, 0.0003))
        time.sleep(0.2)
        app.key(k["close"], literal=True)
        app.wait(lambda t: "BODYMARK" not in t, None, limit, 0.0003)
        time.sleep(0.2)
    finish(client, app)
    return dict(first=first[0], again=med(first[1:] + last), page=med(page), worst=max([p or 0 for p in page]),
                opened=opened[0], reopened=med(opened[1:]))


def keys_by_turns(pages=60, jumps=10, quiet=0.03):
    """{size: (seconds of a page down, of a jump)}: of the two largest, both open, key by key by turns, since the machine of
    one moment is not that of the next."""
    apps = {size: begin(clients_of("signet", f"keys {size}"), f"m{size}")[0] for size in sizes[-2:]}
    keys, page, jump = clients_of("signet", "warm").keys, {size: [] for size in apps}, {size: [] for size in apps}
    for app in apps.values():
        settled(app)
    for at in range(2 * jumps + 1): # it ends at the oldest, of which there is a page below
        for size, app in apps.items():
            key, mark = (keys["last"], "NEWESTMARK") if at % 2 else (keys["first"], "OLDESTMARK")
            took = app.wait(mark, app.key(key), 20, 0.0003)
            if at:
                jump[size].append(took)
            time.sleep(quiet)
    for _ in range(min(pages, sizes[-2] // tui.H - 2)):
        for size, app in apps.items():
            page[size].append(app.settle(app.text(), app.key(keys["page"]), 0.05, 5)[1])
            time.sleep(quiet)
    for size, app in apps.items():
        finish(clients_of("signet", f"keys {size}"), app)
    return {size: (med(page[size]), med(jump[size])) for size in apps}


def pages_while_reading(client, quiet=0.02):
    """Seconds from each page key to its page, while the headers of all messages are being fetched behind the screen."""
    client.wipe()
    app, _ = begin(client, f"m{BIG}")
    took, rows = [], lambda text: text.split("\n")[5:30] # the title tells how far it is: no page
    while True:
        before = app.text()
        if "reading " not in before.split("\n")[0]:
            break
        took.append(app.wait(lambda t: rows(t) != rows(before), app.key("PPage"), 5, 0.0003))
        time.sleep(quiet)
    finish(client, app)
    return [t for t in took if t is not None]


def floor_while_reading(n, quiet=0.02):
    """Seconds to each of as many bare pages, while a bare socket reads the same headers, again and again."""
    reader = os.fork()
    if not reader:
        try:
            while True:
                floors.all_headers(bench, BIG, bench.port)
        finally:
            os._exit(1)
    try:
        return tui.floor_pages(tm, n + 1, quiet)
    finally:
        os.kill(reader, signal.SIGKILL)
        os.waitpid(reader, 0)


def peers_for_keys(port=None):
    return [clients.make(bench, n, "keys", port=port, warm=n != "alpine") for n in peers]


PAGE = 0.87 # ms of a bare page on the machine that the figures were asked for of


def suite_keys():
    floor = tui.floor_page(tm)
    ours, theirs = navigate(clients_of("signet", "warm"), BIG), {c.name: navigate(c, BIG) for c in peers_for_keys()}
    for key, words, limited in (("page", "page down", True), ("again", "jump to an end", True), ("worst", "page down, the slowest", False),
                                ("first", "jump to the oldest, first time", False), ("reopened", "open a message again", False)):
        peer = best_of({n: [f[key]] for n, f in theirs.items()})
        value = ours[key] and ours[key] * MS
        row(f"{words}, {BIG}", value, peer and (peer[0], peer[1] * MS), floor, "ms", "1.7 ms or 1.95x floor" if limited else "",
            value and value <= scaled(1.7, PAGE, floor) if limited else None)
    if len(sizes) > 1:
        (page, jump), (big_page, big_jump) = keys_by_turns().values()
        for words, a, b in (("page down", page, big_page), ("jump to an end", jump, big_jump)):
            growth = b / a if a and b else None
            row(f"growth of {words}, {sizes[-2]} to {BIG}, key by key", growth, None, None, "x", "1.2x", growth and growth <= 1.2)
    pages, bare = [], []
    for _ in range(max(args.runs, ENOUGH)):
        bench.rest() # of the list before
        pages.append(pages_while_reading(clients_of("signet", "reading")))
        bench.rest()
        bare.append(floor_while_reading(len(pages[-1])))
    if min(map(len, pages)) < 5:
        failures.append(f"only {min(map(len, pages))} pages were turned while all headers were fetched")
    for words, of in (("slowest", max), ("median", med)):
        value, least = (med([of(took) for took in rounds if took]) for rounds in (pages, bare))
        limit = max(scaled(16, PAGE, floor), least * MS)
        row(f"page while all headers are fetched, {words} of {int(med(map(len, pages)))}, of {len(pages)}", value and value * MS, None,
            least and least * MS, "ms", f"16 ms or 18.4x a bare page, {limit:.1f}", value and value * MS <= limit)


def suite_signed():
    """A signed message: from the key to the verdict on the screen, for the first time in a session."""
    size, figures = sizes[0], {}
    for run in range(max(args.runs, ENOUGH)):
        for name in ["signet"] + [n for n in peers if clients.KINDS[n].status and run < args.runs]:
            client = clients_of(name, "signed", crypto="yes") if name == "signet" else clients.make(bench, name, "signed", crypto="yes")
            app, _ = begin(client, f"m{size}")
            settled(app)
            app.key(client.keys["up"])
            time.sleep(0.3)
            took = app.wait(lambda t: client.status in t and "SIGBODY" in t, app.key(client.keys["open"]), 15, 0.0005)
            if took is None:
                failures.append(f"{name}: no verdict on the screen")
                print(app.text(), file=sys.stderr)
            figures.setdefault(name, []).append(took)
            finish(client, app)
    ours = figures.pop("signet")
    took = med(ours)
    floor = floors.one_body(bench, size, bench.port)[0] * MS + 0.3 + tui.floor_page(tm, 15)
    peer = best_of(figures)
    row(f"signed message: key to verdict, of {len(ours)}", took and took * MS, peer and (peer[0], peer[1] * MS), floor, "ms",
        "5 ms or 1.61x floor", took and took * MS <= scaled(5, 3.1, floor))


def suite_round_trip(rtt=100):
    proxy = bench.proxy(rtt)
    theirs = starts(BIG, proxy.port, max(args.runs - 1, 1), proxy, ours=())
    rounds = max(args.runs, FAR)
    ours = starts_far(proxy.port, rounds)
    page, cold, warm, known = (med(ours[what]) for what in ("floor", "cold", "warm", "remembered"))
    peer = best_of(those(theirs, lambda m: m == "cold"))
    row(f"first screen, {rtt} ms away, {BIG}, of {rounds}", cold and cold * MS, peer and (peer[0], peer[1] * MS), page * MS, "ms",
        "1.9x floor", cold and cold / page <= 1.9)
    if len(sizes) > 1:
        row("  the same, the server's capabilities remembered", known and known * MS, peer and (peer[0], peer[1] * MS), page * MS, "ms",
            "1.4x floor", known and known / page <= 1.4)
    else:
        unable.append("a start with remembered capabilities: needs two sizes")
    peer = best_of(those(theirs, lambda m: m != "cold"))
    row(f"first screen from the store, {rtt} ms away", warm and warm * MS, peer and (peer[0], peer[1] * MS), None, "ms", FROM_STORE,
        warm and warm <= from_store())
    ours, theirs = next_message(clients_of("signet", "warm", proxy.port)), {}
    for client in peers_for_keys(proxy.port):
        if client.name != "aerc":
            theirs[client.name] = [next_message(client)]
    peer = best_of(theirs)
    row(f"next message opened, {rtt} ms away", ours and ours * MS, peer and (peer[0], peer[1] * MS), None, "ms", "10 ms", ours and ours * MS <= 10)


def starts_far(port, rounds):
    """{what: [seconds]}: to the first screen, of the floor and of signet's starts by turns, each with a server that has nothing
    else to do. *remembered*: nothing of the folder is here, but another one was open the last time: what is remembered is what
    the server can do, and how many messages it counted."""
    took = {what: [] for what in ("floor", "cold", "warm", "remembered")}

    def start(what, box, quiet=0, count=True):
        client = clients_of("signet", what, port)
        app, seconds_of = begin(client, box)
        if quiet:
            settled(app, quiet)
        finish(client, app)
        bench.rest() # the server may have been in the midst of an answer
        if count:
            took[what].append(seconds_of)

    start("warm", f"m{BIG}", 1, count=False) # its store
    for _ in range(rounds):
        took["floor"].append(floors.first_page(bench, BIG, port)[0])
        bench.rest()
        clients_of("signet", "cold", port).wipe()
        start("cold", f"m{BIG}")
        start("warm", f"m{BIG}", 0.5)
        if len(sizes) > 1:
            clients_of("signet", "remembered", port).wipe()
            start("remembered", f"m{sizes[0]}", 1, count=False)
            start("remembered", f"m{BIG}")
    return took


def next_message(client):
    """The message above one that is being read, after some seconds in which a person would have read it."""
    app, _ = begin(client, f"m{BIG}")
    settled(app)
    app.key(client.keys["open"])
    app.wait("BODYMARK", None, 20)
    time.sleep(3)
    app.key(client.keys["close"], literal=True)
    app.wait(lambda t: "BODYMARK" not in t, None, 20)
    time.sleep(0.5)
    app.key(client.keys["up"])
    time.sleep(2)
    took = app.wait("SIGBODY", app.key(client.keys["open"]), 20, 0.0005)
    finish(client, app)
    return took


def suite_wire():
    proxy = bench.proxy()
    figures = starts(BIG, proxy.port, 1, proxy)
    octets = lambda who, mode: med([f[2]["down"] for f in figures.get((who, mode), [])])
    point = floors.resync_point(bench, BIG, bench.port)
    proxy.ask("reset")
    floors.nothing_new(bench, BIG, proxy.port, point)
    ours, floor = octets("signet", "warm"), proxy.ask("get")["down"] # each with the handshake of TLS
    peer = best_of(those(figures, lambda m: m != "cold", 2, "down"))
    row("nothing new, octets read", ours and ours / 1000, peer and (peer[0], peer[1] / 1000), floor / 1000, "kB",
        "2x floor", ours and ours <= 2 * floor)
    ours, peer = octets("signet", "cold"), best_of(those(figures, lambda m: m == "cold" , 2, "down"))
    row("all headers, octets read", ours and ours / 1e6, peer and (peer[0], peer[1] / 1e6), octets("floor", "all headers") / 1e6, "MB", "", None)


def suite_idle(length=20):
    for client in [clients_of("signet", "warm")] + peers_for_keys():
        app, _ = begin(client, f"m{BIG}")
        settled(app, 3)
        cpu, switches = app.cpu(), app.switches()
        time.sleep(length)
        cpu, switches = (app.cpu() - cpu) * MS, (app.switches() - switches) / length
        if client.name == "signet":
            row(f"idle for {length} s: processor", cpu, None, None, "ms", "0 ms", cpu == 0)
            row("idle: wake-ups a second", switches, None, None, "", "0.05", switches <= 0.05)
        else:
            row(f"  {client.name}: wake-ups a second", switches, None, None, "", "", None)
        finish(client, app)


def timed(argv, env=None, cwd=None):
    """Seconds, MiB at the peak, and what it printed."""
    with tempfile.NamedTemporaryFile() as report:
        t = time.perf_counter()
        done = subprocess.run(["/usr/bin/time", "-f", "%M", "-o", report.name] + argv, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, env={**os.environ, **(env or {})}, cwd=cwd)
        took = time.perf_counter() - t
        peak = int(open(report.name).read().split()[-1]) / 1024
    return took, peak, done.stdout, done.returncode


def suite_bodies():
    """All of a mailbox pulled: lists and whole messages."""
    client = clients_of("signet", "bodies")
    if subprocess.run(client.run("sync", "--help"), capture_output=True, text=True).stdout.find("--bodies") < 0:
        unable.append("signet sync has no --bodies")
        return
    if not os.path.exists("/usr/bin/mbsync"):
        unable.append("mbsync: not installed")
        return
    theirs = f"{bench.dir}/mbsync"
    os.makedirs(theirs)
    with open(theirs + "/rc", "w") as f:
        f.write(f"FSync no\n\nIMAPAccount b\nHost localhost\nPort {bench.port}\nUser {bench.user}\nPass {bench.password}\nSSLType IMAPS\n"
                f"CertificateFile {bench.ca}\n\nIMAPStore far\nAccount b\n\nMaildirStore near\nPath {theirs}/\nInbox {theirs}/INBOX\n\n"
                f"Channel c\nFar :far:m{BIG}\nNear :near:box\nCreate Near\nSync Pull\nSyncState *\n")
    floor, ours, other = [], [], []
    floors.all_bodies(bench, BIG, bench.port) # the server has looked at all of it, whoever comes first
    for _ in range(args.runs):
        floor.append(floors.all_bodies(bench, BIG, bench.port)[0])
        client.wipe()
        ours.append(timed(client.run("sync", "--bodies", "--no-index", f"m{BIG}"), client.env()))
        for left in (f"{theirs}/box", f"{theirs}/INBOX"):
            shutil.rmtree(left, ignore_errors=True)
        other.append(timed(["mbsync", "-q", "-c", theirs + "/rc", "c"], dict(HOME=theirs)))
        if ours[-1][3] or other[-1][3]:
            failures.append(f"full pull: signet ended with {ours[-1][3]}, mbsync with {other[-1][3]}")
    took, peer = med([run[0] for run in ours]), med([run[0] for run in other])
    row(f"full pull of bodies, {BIG}", took, ("mbsync", peer), med(floor), "s", "mbsync's time", took <= peer)
    row("  its peak memory", med([run[1] for run in ours]), ("mbsync", med([run[1] for run in other])), None, "MiB", "40 MiB",
        med([run[1] for run in ours]) <= 40)


def octets_of(folder, end=""):
    return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(folder) for name in names if name.endswith(end))


def found_while_typing(client, n=7):
    """Seconds from the key that completes a rare word to the messages that have it, in a client that runs and has its index."""
    app, _ = begin(client, f"m{BIG}")
    settled(app, 3)
    took = []
    for _ in range(n):
        app.key("Q")
        app.wait("Search all folders for:", None, 20)
        app.key(lab.RARE + "x", literal=True) # in none of them; what the word begins with finds it too, as it is typed
        app.wait(" 0 found", None, 20)
        time.sleep(0.3)
        took.append(app.wait(f" {RARE} found", app.key("BSpace"), 20, 0.0003))
        app.key("Escape")
        app.wait(lambda t: "Search all folders for:" not in t, None, 20)
        time.sleep(0.2)
    finish(client, app)
    return med(took)


def suite_search():
    client = clients_of("signet", "search", local=True)
    if subprocess.run(client.run("search", "--help"), capture_output=True).returncode:
        unable.append("signet has no search")
        return
    folder, home, theirs = f"m{BIG}", bench.dir + "/peers-search", {}
    os.makedirs(home + "/nm")
    took, peak, _, code = timed(client.run("search", "--reindex", lab.RARE), client.env())
    if code:
        failures.append(f"signet search --reindex ended with {code}")
    builds = {}
    if os.path.exists("/usr/bin/notmuch"):
        with open(home + "/rc", "w") as f:
            f.write(f"[database]\npath={home}/nm\nmail_root={bench.local}/{folder}\n[user]\nname=B\nprimary_email=b@example.org\n"
                    "[new]\ntags=\nignore=dovecot;.*\n[maildir]\nsynchronize_flags=false\n")
        env = dict(HOME=home, NOTMUCH_CONFIG=home + "/rc")
        builds["notmuch"] = timed(["notmuch", "new", "--quiet"], env)[:2]
        theirs["notmuch"] = [timed(["notmuch", "search", "--output=messages", lab.RARE], env)[0] for _ in range(7)]
    else:
        unable.append("notmuch: not installed")
    if os.path.exists("/usr/bin/mu"):
        env = dict(HOME=home, XDG_CACHE_HOME=home)
        timed(["mu", "init", f"--muhome={home}/mu", f"--maildir={bench.local}/{folder}"], env)
        builds["mu"] = timed(["mu", "index", f"--muhome={home}/mu", "--quiet"], env)[:2]
        theirs["mu"] = [timed(["mu", "find", f"--muhome={home}/mu", lab.RARE], env)[0] for _ in range(7)]
    else:
        unable.append("mu: not installed")
    peer = min(builds.items(), key=lambda b: b[1][0]) if builds else None
    row(f"search index built, {BIG}", took, peer and (peer[0], peer[1][0]), None, "s", "60 s", took <= 60)
    text, index = octets_of(f"{bench.local}/{folder}"), octets_of(client.home + "/p/data/store", ".search")
    row("  its size, of the messages' octets", index / text, None, None, "x", "0.6x", index / text <= 0.6)
    row("  its peak memory", peak, peer and (peer[0], peer[1][1]), None, "MiB", "256 MiB", peak <= 256)
    ours = []
    for _ in range(7):
        took, _, out, _ = timed(client.run("search", lab.RARE), client.env())
        ours.append(took)
        if out.count(b"\n") != RARE:
            failures.append(f"signet search found {out.count(10)} of {RARE}")
    peer = best_of(theirs)
    running = found_while_typing(client)
    row("rare word in all bodies, running client", running and running * MS, peer and (peer[0], peer[1] * MS), None, "ms",
        "10 ms or 1.64x mu", running and running <= scaled(0.010, 0.0061, med(theirs.get("mu", []))))
    row("rare word in all bodies, whole process", med(ours) * MS, peer and (peer[0], peer[1] * MS), None, "ms", "", None)


wanted = args.suites or SUITES
if set(wanted) - set(SUITES):
    sys.exit(f"suites are: {' '.join(SUITES)}")
print(f"making mailboxes of {', '.join(map(str, sizes))} messages...", file=sys.stderr, flush=True)
bench = lab.Lab(sizes)
tm = tui.Tmux()
try:
    for name in wanted:
        globals()["suite_" + name.replace("-", "_")]()
finally:
    tm.close()
    bench.close()
widths = [max(len(r[i]) for r in rows) for i in range(7)] if rows else []
print()
for line in [("axis", "signet", "best peer", "floor", "ratios", "wanted", "met")] + rows:
    print("  ".join(w.ljust(n) for w, n in zip(line, [max(a, 9) for a in widths])).rstrip())
for words in unable:
    print("not run:", words)
for words in failures:
    print("MISSED:", words)
sys.exit(1 if failures else 0)
