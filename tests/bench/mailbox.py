#!/usr/bin/env python3
"""Makes a Maildir of many messages, always the same bytes for the same arguments.

mailbox.py --out DIR --count N [--seed S] [--signed-pool DIR] [--signed-pct 5]

Writes DIR/{cur,new,tmp} with N messages of 2 to 8 kB (and attachments), the oldest first; the names of the files carry
Dovecot's S= and W= sizes, and every message is \\Seen. What the benchmark looks for:
  last message  (newest): Subject "NEWESTMARK <N>"
  first message (oldest): Subject "OLDESTMARK 1"
  rare word "quetzalcoatlus" in 5 bodies, spread evenly
  message N-1 is S/MIME signed when a pool is given: Subject "SIGNEDMARK <N-1>"
"""
import argparse, base64, os, random, time
from email.utils import formatdate

RARE = "quetzalcoatlus"
FIRST = ("Anna Boris Carla Dmitri Elena Farid Greta Hugo Ines Jonas Karin Lars Maria Nils Olga Pavel Quinn Rosa "
         "Stefan Tanja Ugo Vera Walter Xenia Yusuf Zoe Søren Łukasz José Åsa").split()
LAST = ("Abel Berger Conti Dahl Eriksen Fischer Gruber Holm Ivanov Jensen Keller Lindqvist Moreau Novak Olsen "
        "Petrov Quist Rossi Schmidt Thorsen Ulrich Varga Weber Xu Young Zimmer Müller Čapek").split()


def enc(s):
    try:
        s.encode("ascii")
        return s
    except UnicodeEncodeError:
        return "=?utf-8?B?" + base64.b64encode(s.encode()).decode() + "?="


def build(args):
    r = random.Random(args.seed)
    syl = [c + v for c in "b c d f g h k l m n p r s t v w st tr pl br".split() for v in "a e i o u ai ou".split()]
    vocab = sorted({"".join(r.choice(syl) for _ in range(r.randint(1, 4))) for _ in range(30000)})
    r.shuffle(vocab)
    nv = len(vocab)

    def word():  # roughly Zipf: log-uniform rank
        return vocab[min(nv - 1, int(nv ** r.random()) - 1)]

    def para(utf8=False):
        ws = [word() for _ in range(r.randint(40, 90))]
        if utf8:
            for i in range(3, len(ws), 7):
                ws[i] += r.choice(["é", "ß", "ø", "–", "日本", "ж", "ñ"])
        out, line = [], ""
        for w in ws:
            if len(line) + len(w) > 71:
                out.append(line)
                line = w
            else:
                line = line + " " + w if line else w
        out.append(line)
        return ("\n".join(out) + "\n").encode()

    ascii_p = [para() for _ in range(4000)]
    utf_p = [para(True) for _ in range(500)]
    b64 = [base64.encodebytes(r.randbytes(r.randint(1500, 4500))) for _ in range(200)]
    people = [(f"{a} {b}", f"user{i}.{j}@example.org") for i, a in enumerate(FIRST) for j, b in enumerate(LAST)]
    ppl = [f"{enc(n)} <{m}>" if enc(n) != n else f"{n} <{m}>" for n, m in people]
    pool = []
    if args.signed_pool:
        for f in sorted(os.listdir(args.signed_pool))[:args.pool_max]:
            with open(os.path.join(args.signed_pool, f), "rb") as h:
                pool.append(h.read().replace(b"\r\n", b"\n"))
    return r, word, ascii_p, utf_p, b64, ppl, pool


def body(r, paras, lo=2000, hi=8000):
    want = r.randint(lo, hi)
    out, n = [], 0
    while n < want:
        p = r.choice(paras)
        out.append(p)
        n += len(p) + 1
    return out


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", required=True)
    ap.add_argument("--count", type=int, required=True)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--signed-pool")
    ap.add_argument("--signed-pct", type=float, default=5)
    ap.add_argument("--pool-max", type=int, default=2000)
    a = ap.parse_args()
    r, word, ascii_p, utf_p, b64, ppl, pool = build(a)
    for d in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(a.out, d), exist_ok=True)
    cur = os.path.join(a.out, "cur")
    dfd = os.open(cur, os.O_DIRECTORY)
    N, recent = a.count, []
    rare_at = {int(N * k / 6) for k in range(1, 6)}
    t0 = 1420070400                       # 2015-01-01
    step = (10 * 365 * 86400) // N
    start = time.time()
    for i in range(1, N + 1):
        ts = t0 + i * step + r.randint(0, step // 2)
        mid = f"<{i}.{r.getrandbits(48):012x}.{a.seed}@mail.example.org>"
        refs, subj = [], None
        if recent and r.random() < 0.55:
            pm, prefs, psub = recent[-1 - int(len(recent) * r.random() ** 2)]
            refs, subj = (prefs + [pm])[-8:], psub
        if subj is None:
            subj = " ".join(word() for _ in range(r.randint(3, 8))).capitalize()
            if r.random() < 0.06:
                subj += " — größe"
        recent.append((mid, refs, subj))
        if len(recent) > 60:
            recent.pop(0)
        sub = ("Re: " if refs else "") + subj
        kind = r.random() * 100
        signed = bool(pool) and (kind < a.signed_pct or i == N - 1) and i not in rare_at
        if i == N:
            sub, signed, kind = f"NEWESTMARK {N}", False, 99
        elif i == 1:
            sub, signed, kind = "OLDESTMARK 1", False, 99
        elif i == N - 1 and signed:
            sub = f"SIGNEDMARK {N-1}"
        frm = "Alice Signer <alice@example.org>" if signed else r.choice(ppl)
        tos = ", ".join(r.choice(ppl) for _ in range(r.choice((1, 1, 1, 2, 3))))
        date = formatdate(ts)
        h = [f"Return-Path: <{frm.split('<')[-1]}",
             f"Received: from mx{i % 7}.example.net (mx{i % 7}.example.net [192.0.2.{i % 250}])\n"
             f"\tby mail.example.org (Postfix) with ESMTPS id {r.getrandbits(40):010X}\n\tfor <bench@example.org>; {date}",
             f"From: {frm}", f"To: {tos}", f"Subject: {enc(sub)}", f"Date: {date}", f"Message-ID: {mid}"]
        if r.random() < 0.25:
            h.append("Cc: " + r.choice(ppl))
        if refs:
            h.append("In-Reply-To: " + refs[-1])
            h.append("References: " + "\n ".join(refs))
        if r.random() < 0.3:
            h += ["List-Id: <dev.lists.example.org>", "Precedence: list", f"X-Mailer: Bench {i % 9}.{i % 5}"]
        if signed:
            payload = r.choice(pool)     # already starts with MIME-Version: and Content-Type:
            msg = ("\n".join(h) + "\n").encode() + payload
        else:
            h.append("MIME-Version: 1.0")
            b = f"=-b{r.getrandbits(64):016x}"
            if 5 <= kind < 20:
                h += ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"]
                parts = body(r, utf_p)
            elif 20 <= kind < 32:
                txt = b"\n".join(body(r, ascii_p, 1000, 3500))
                h.append(f'Content-Type: multipart/alternative; boundary="{b}"')
                parts = [f"--{b}\nContent-Type: text/plain; charset=us-ascii\n\n".encode() + txt +
                         f"\n--{b}\nContent-Type: text/html; charset=us-ascii\n\n<html><body><p>".encode() +
                         txt.replace(b"\n\n", b"</p>\n<p>") + f"</p></body></html>\n--{b}--\n".encode()]
            elif 32 <= kind < 40:
                txt = b"\n".join(body(r, ascii_p, 1500, 4000))
                h.append(f'Content-Type: multipart/mixed; boundary="{b}"')
                parts = [f"--{b}\nContent-Type: text/plain; charset=us-ascii\n\n".encode() + txt +
                         f"\n--{b}\nContent-Type: application/octet-stream; name=\"data-{i}.bin\"\n"
                         f"Content-Disposition: attachment; filename=\"data-{i}.bin\"\n"
                         f"Content-Transfer-Encoding: base64\n\n".encode() + r.choice(b64) + f"--{b}--\n".encode()]
            else:
                h.append("Content-Type: text/plain; charset=us-ascii")
                parts = body(r, ascii_p)
            if i in rare_at:
                parts.insert(0, f"A {RARE} was seen here.\n".encode()) if not 20 <= kind < 40 else \
                    parts.__setitem__(0, parts[0].replace(b"us-ascii\n\n", f"us-ascii\n\nA {RARE} was seen here.\n".encode(), 1))
            if i in (1, N):
                parts.insert(0, b"BODYMARK first line of the body\n")
            msg = ("\n".join(h) + "\n\n").encode() + b"\n".join(parts)
        name = f"{ts}.M{i:06d}P1.bench,S={len(msg)},W={len(msg) + msg.count(10)}:2,S"
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644, dir_fd=dfd)
        os.write(fd, msg)
        os.utime(fd, (ts, ts))
        os.close(fd)
    print(f"{a.out}: {N} messages in {time.time() - start:.1f} s")


main()
