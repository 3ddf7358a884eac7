#!/usr/bin/env python3
"""whole.py LAB DIR: lines and text that are fetched together are those that are fetched apart (see whole.t)."""
import os, random, shutil, sqlite3, subprocess, sys, time

sys.path.insert(0, "tests/lab")
from imap_lab import Client, Profile, Tap, environment

lab, place = sys.argv[1:3]
seed = os.environ.get("WHOLE_SEED") or str(random.randrange(10 ** 9))
dice = random.Random(seed)
print(f"# WHOLE_SEED={seed}", flush=True)
env = environment(f"{lab}/env")
port, ca, user = int(env["PORT_TLS"]), f"{lab}/tls/ca-good.pem", "anna"
box = f"{lab}/mail/{user}/Maildir"
tap = Tap()

VALUES = [b"plain", b"", b" ", b"two  blanks", b"\xe4\xf6\xfc bare octets", b"\xff\xfe", "größe — 日本".encode(),
          b"=?utf-8?B?Z3LDtsOfZQ==?=", b"=?iso-8859-1?Q?gr=F6=DFe?= =?utf-8?Q?_two?=", b"=?utf-8?B?not base64", b"=?x?Q?=00=1b?=",
          b"nul \0 in it", b"bell \a and \x1b[31m", b"lone \r return", b"folded\n here", b"folded\n\tby a tab\n \n twice",
          b"x" * 3000, b"Anna <anna@example.org>", b'"Keller, Anna" <a@x>, b@y, (c) d@z', b"group: a@x, b@y;", b"nobody:;", b"<>",
          b"@", b"Wed, 15 Nov 2023 10:00:00 +0100", b"15 Nov 23 10:00 EST", b"not a date", b"Thu, 99 Foo 99999",
          b"<id@example.org>", b"<a@b> <c@d>\n <e@f>", b"multipart/signed; protocol=x", b"application/pkcs7-mime; smime-type=signed-data",
          b"application/pkcs7-mime", b"application/octet-stream;\n name=\"smime.p7m\"", b"multipart/mixed; boundary=b", b"text/html",
          b"TEXT/plain; charset", b" text/plain", b"(c) multipart/mixed", b"text", b"/"]
NAMES = [b"From", b"To", b"Cc", b"Subject", b"Message-ID", b"References", b"In-Reply-To", b"Date", b"Content-Type", b"FROM", b"subject",
         b"Subject ", b"Subject\t", b"X-Subject", b"Sub", b"Received", b"Bcc", b"Reply-To", b"X-" + b"y" * 200]
ODD = [b"a line that is no header\n", b"From somebody Mon Jan  1 00:00:00 2024\n", b": no name\n", b" begins with a blank\n",
       b"\tSubject: begins with a tab\n"]
ENDS = [b"\nText of it.\n", b"\n", b"", b"\r\nText\r\nwith returns.\r\n", b"\nSubject: not a header\n\nTo: nor this\n", b"\n\0\1\2\xff\n"]


def hostile():
    lines = []
    for _ in range(dice.randrange(0, 14)):
        lines.append(dice.choice(ODD) if dice.random() < 0.05 else
                     dice.choice(NAMES) + b":" + dice.choice((b" ", b"", b"\t", b"\n ")) + dice.choice(VALUES) + dice.choice((b"\n", b"\n", b"\r\n")))
    return b"".join(lines) + dice.choice(ENDS)


def post(number, octets, flags="S"):
    path = f"{box}/tmp/{number}.x"
    with open(path, "wb") as file:
        file.write(octets)
    os.utime(path, (number, number))
    if os.getuid() == 0:
        os.chown(path, int(env["MAIL_UID"]), int(env["MAIL_GID"]))
    os.rename(path, f"{box}/cur/{number}.x:2,{flags}")


def truth():
    """uid -> the octets that the server has."""
    client, found = Client(port, user, ca), {}
    client.open("INBOX", True)
    for part in client.uid("FETCH", "1:*", "(UID BODY.PEEK[])"):
        if isinstance(part, tuple):
            found[int(part[0].split(b"UID ")[1].split()[0])] = part[1]
    client.imap.logout()
    return found


def kept(profile):
    """uid -> the octets in the store; and the numbers of the lines."""
    db = sqlite3.connect(f"{profile.path}/data/store/far.db")
    texts = {uid: bytes(text) for uid, text in db.execute("SELECT id & 4294967295, bytes FROM body")}
    lines = {uid for uid, in db.execute("SELECT id & 4294967295 FROM message")}
    db.close()
    return texts, lines


def listed(profile):
    return profile.run("--offline", "--json", "list", "INBOX").stdout.splitlines()


def differences(one, other):
    return "\n".join(f"- {a[:1500]}\n+ {b[:1500]}" for a, b in zip(one, other) if a != b) or f"{len(one)} and {len(other)} lines"


def forget(profile):
    shutil.rmtree(f"{profile.path}/data", ignore_errors=True)


def holds(profile, there, name):
    """Each text is that of its number, and every line that may have its text has it."""
    texts, lines = kept(profile)
    wrong = [uid for uid, text in texts.items() if there.get(uid) != text]
    tap.same((wrong, sorted(set(texts) - lines)), ([], []), f"{name}: each text is the one of its number")
    return texts, lines


apart, together = Profile(f"{place}/apart", port, user, ca), Profile(f"{place}/together", port, user, ca)
for i in range(400):
    post(1700000000 + i, hostile(), dice.choice(("S", "", "F", "RS", "TS", "D")))
post(1700000400, b"Subject: too large\n\n" + b"x" * 70 * 16000)
post(1700000401, b"".join(b"X-%d: %s\n" % (i, b"y" * 900) for i in range(290)) + b"Subject: below much\nFrom: deep@example.org\n\nText.\n")
post(1700000402, b"Subject: just fits\n\n" + (b"z" * 62 + b"\n") * 16000)
Client(port, user, ca).open("INBOX")

done = apart.run("--json", "sync", "INBOX")
tap.same(done.returncode, 0, "the lines alone")
began = time.monotonic()
done = together.run("--json", "sync", "--bodies", "--no-index", "INBOX")
took = time.monotonic() - began
tap.same(done.returncode, 0, "lines and text together")
tap.ok('"added":403' in done.stdout and '"bodies":402' in done.stdout and '"large":1' in done.stdout, "all of it", done.stdout + done.stderr)
one, other = listed(apart), listed(together)
tap.ok(one == other and len(one) == 403, "give the same lines", differences(one, other))
there = truth()
texts, lines = holds(together, there, "together")
tap.same(sorted(lines - set(texts)), [uid for uid in sorted(there) if len(there[uid]) > 1024 * 1024], "only what is too large has none")
done = together.run("--json", "sync", "--bodies", "--no-index", "INBOX")
tap.ok('"added":0' in done.stdout and '"bodies":0' in done.stdout, "nothing is left to do", done.stdout + done.stderr)

partly = 0
for i in range(8):
    forget(together)
    running = subprocess.Popen(together.command("sync", "--bodies", "--no-index", "INBOX"), stdin=subprocess.DEVNULL)
    try:
        running.wait(took * (i + 1) / 9)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
    if os.path.exists(f"{together.path}/data/store/far.db"):
        try:
            partly += 0 < len(holds(together, there, f"killed, {i}")[0]) < 402
        except sqlite3.OperationalError:
            pass  # it has no tables yet
    done = together.run("--json", "sync", "--bodies", "--no-index", "INBOX")
    texts, lines = holds(together, there, f"killed, {i}, and again")
    tap.ok(done.returncode == 0 and listed(together) == one and len(texts) == 402, f"killed, {i}: the next one ends it", done.stdout + done.stderr)
print(f"# killed in the midst of it: {partly}", flush=True)

for point in ("store-commit-1", "store-commit-2"):
    forget(together)
    done = together.run("sync", "--bodies", "INBOX", env=os.environ | {"SIGNET_TEST_DIE": point})
    tap.same(done.returncode, -9, f"killed at {point}")
    done = together.run("--json", "sync", "--bodies", "--no-index", "INBOX")
    tap.ok(done.returncode == 0 and listed(together) == one and len(kept(together)[0]) == 402, f"killed at {point}: the next one ends it",
           done.stdout + done.stderr)

# Another client is at it meanwhile: flags change, messages go and come.
for i in range(3):
    forget(together)
    other = Client(port, user, ca)
    other.open("INBOX")
    uids = other.uid("SEARCH", "ALL")[0].decode().split()
    running = subprocess.Popen(together.command("sync", "--bodies", "--no-index", "INBOX"), stdin=subprocess.DEVNULL)
    for step in range(60):
        uid = uids.pop(dice.randrange(len(uids)))
        if step % 3 == 0:
            other.expunge(uid)
        elif step % 3 == 1:
            other.store(uid, dice.choice("+-"), "\\Flagged \\Seen")
        elif step % 6 == 2:
            other.append("INBOX", f"new.{i}.{step}@example.org", f"new {i} {step}", text=f"Text {i} {step}.")
    tap.same(running.wait(300), 0, f"while others change it, {i}")
    done = together.run("--json", "sync", "--bodies", "--no-index", "INBOX")
    tap.same(done.returncode, 0, f"and after it, {i}")
    forget(apart)
    apart.run("sync", "INBOX")
    one, other = listed(apart), listed(together)
    tap.ok(one == other, f"the lines are those of the server, {i}", differences(one, other))
    there = truth()
    texts, lines = holds(together, there, f"changed, {i}")
    tap.same((sorted(lines), len(lines) - len(texts)), (sorted(there), sum(len(t) > 1024 * 1024 for t in there.values())), f"all of them, {i}")
tap.done()
sys.exit(tap.failed > 0)
