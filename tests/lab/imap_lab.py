"""What the tests of faults share: TAP, a bare IMAP client that is not signet, a profile of signet's, its journal."""
import imaplib, json, os, re, sqlite3, ssl, subprocess, sys, time

imaplib._MAXLINE = 10_000_000
SEEN, ANSWERED, FLAGGED = 1, 2, 4
WORDS = {"\\Seen": "seen", "\\Answered": "answered", "\\Flagged": "flagged", "\\Deleted": "deleted", "\\Draft": "draft",
         "$Forwarded": "forwarded"}
KINDS = {"flags": 0, "copy": 1, "move": 2, "expunge": 3, "append": 4}


class Tap:
    number = failed = 0

    def ok(self, right, name, detail=""):
        self.number += 1
        self.failed += not right
        print(f"{'ok' if right else 'not ok'} {self.number} - {name}", flush=True)
        if not right and detail:
            # prove shows that, and no comments
            print("\n".join("# " + line for line in str(detail).splitlines()[:40]), file=sys.stderr, flush=True)
        return right

    def same(self, got, want, name):
        return self.ok(got == want, name, "" if got == want else f"got:  {got}\nwant: {want}")

    def done(self):
        print(f"1..{self.number}", flush=True)


def letter(message_id, subject, text="Text."):
    return (f"From: Anna <anna@example.org>\r\nTo: Bob <bob@example.org>\r\nSubject: {subject}\r\n"
            f"Date: Wed, 15 Nov 2023 00:00:00 +0000\r\nMessage-ID: <{message_id}>\r\n\r\n{text}\r\n").encode()


class Client:
    """Another mail client, which knows nothing of ours."""

    def __init__(self, port, user, ca, password=None):
        self.imap = imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=ssl.create_default_context(cafile=ca), timeout=60)
        self.imap.login(user, password or f"secret-{user}")

    def must(self, answer):
        kind, data = answer
        if kind != "OK":
            raise RuntimeError(f"{kind} {data}")
        return data

    def uid(self, *words):
        return self.must(self.imap.uid(*words))

    def open(self, folder, readonly=False):
        self.must(self.imap.select(f'"{folder}"', readonly))

    def state(self, folder):
        """uid -> (Message-ID, flags), anew from the server. Leaves the folder open, read-only."""
        self.open(folder, True)
        if int(self.imap.untagged_responses.get("EXISTS", [b"0"])[-1]) == 0:
            return {}
        found, name = {}, None
        data = self.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        for at, part in enumerate(data):
            if not isinstance(part, tuple):
                continue
            behind = data[at + 1] if at + 1 < len(data) and isinstance(data[at + 1], bytes) else b""
            words = (part[0] + behind).decode()
            name = re.search(r"<(.*)>", part[1].decode())
            flags = re.search(r"FLAGS \(([^)]*)\)", words).group(1).split()
            found[int(re.search(r"UID (\d+)", words).group(1))] = (
                name.group(1) if name else "", frozenset(WORDS[f] for f in flags if f in WORDS))
        return found

    def uids(self, folder, message_id):
        self.open(folder)
        return self.uid("SEARCH", "HEADER", "Message-ID", f'"<{message_id}>"')[0].split()

    def append(self, folder, message_id, subject, flags="", text="Text."):
        self.must(self.imap.append(f'"{folder}"', f"({flags})", None, letter(message_id, subject, text)))

    def store(self, uid, change, flags):
        self.uid("STORE", uid, f"{change}FLAGS.SILENT", f"({flags})")

    def expunge(self, uid):
        self.store(uid, "+", "\\Deleted")
        self.uid("EXPUNGE", uid)


class Profile:
    def __init__(self, path, port, user, ca, password=None, trash=None):
        self.path, self.account = path, "far"
        os.makedirs(path, mode=0o700, exist_ok=True)
        with open(f"{path}/signet.conf", "w") as file:
            file.write(f"[account far]\naddress = {user}@example.org\nimap = imaps://{user}@127.0.0.1:{port}\n"
                       f"password-command = echo {password or 'secret-' + user}\n")
        self.identity = f"imap {user}@127.0.0.1:{port}"
        if not os.path.exists(f"{path}/nssdb"):
            self.run("cert", "import", "--tls", ca)

    def command(self, *words):
        return [os.environ["SIGNET"], "--profile", self.path, "--batch", *words]

    def run(self, *words, limit=300, **more):
        return subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=limit, **more)

    def listed(self, folder="INBOX"):
        """What is kept of the folder, as Client.state() has it."""
        done = self.run("--offline", "--json", "list", folder)
        if done.returncode:
            return f"exit {done.returncode}: {done.stderr}"
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return {line["uid"]: (line["message_id"].strip("<>"), frozenset(line["flags"])) for line in lines}

    def open_entries(self):
        """What waits, was begun, or failed."""
        if not os.path.exists(f"{self.path}/data/pending/{self.account}.db"):
            return []
        db = self.journal()
        rows = db.execute("SELECT id, kind, state, folder, error FROM entry WHERE state IN (1, 2, 8)").fetchall()
        db.close()
        return rows

    def journal(self):
        """The file of waiting changes as the program makes it; the screen writes it, so that a schema is made here."""
        path = f"{self.path}/data/pending/{self.account}.db"
        if not os.path.exists(path):
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            text = open("mail/store-pending.c").read()
            block = text[text.index("static const char schema[] ="):]
            db = sqlite3.connect(path)
            db.executescript("".join(re.findall(r'"((?:[^"\\]|\\.)*)"', block[:block.index(";\n\n")])))
            db.execute("INSERT INTO about VALUES(?)", (self.identity,))
            db.commit()
            db.close()
        return sqlite3.connect(path, timeout=60)

    def write_down(self, kind, folder, message_id, to=None, add=0, remove=0, age=60):
        """An entry as the screen writes it, @age seconds ago."""
        store = sqlite3.connect(f"{self.path}/data/store/{self.account}.db", timeout=60)
        number, validity = store.execute("SELECT id, uidvalidity FROM folder WHERE name = ?", (folder,)).fetchone()
        rows = [(0, 0, message_id, message_id)] if kind == "append" else store.execute(
            "SELECT abs(id) & 0xffffffff, flags, message_id, subject FROM message WHERE abs(id) >> 32 = ?"
            " AND trim(message_id, '<>') = ?", (number, message_id)).fetchall()
        store.close()
        assert rows, f"{message_id} is not kept in {folder}"
        db = self.journal()
        entry = db.execute(
            "INSERT INTO entry(kind, state, folder, uidvalidity, target, target_validity, added, removed, at, tries,"
            " by_itself, undone) VALUES(?, 1, ?, ?, ?, 0, ?, ?, ?, 0, 0, 0)",
            (KINDS[kind], folder, 0 if kind == "append" else validity, to, add, remove, int(time.time()) - age)).lastrowid
        db.executemany("INSERT INTO letter VALUES(?, ?, ?, ?, ?, 0)", [(entry, *row) for row in rows])
        if kind == "append":
            db.execute("INSERT INTO body VALUES(?, 1700000000, ?)", (entry, letter(message_id, message_id)))
        db.commit()
        db.close()


def differences(got, want):
    """Where two states differ, in lines."""
    if not isinstance(got, dict):
        return got
    return "\n".join(f"{uid}: {got.get(uid)} and not {want.get(uid)}" for uid in sorted(set(got) | set(want))
                     if got.get(uid) != want.get(uid))


def environment(path):
    return dict(line.split("=", 1) for line in open(path).read().split())


def seeded(name):
    """The seed is printed; NAME=SEED in the environment runs the same once more."""
    seed = os.environ.get(name) or str(int.from_bytes(os.urandom(4)))
    print(f"# {name}={seed}", flush=True)
    return seed
