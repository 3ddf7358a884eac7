#!/usr/bin/env python3
"""make bench: signet's throughput and memory beside its peers', in one run. See doc/testing.md.

Every figure is a median over rounds in which signet and its peers take turns; claims are ratios. What is measured is
checked too: every verdict must be right, and an altered message must be found out, or the run fails. Exit code 1: a
figure is missed or a verdict is wrong."""
import argparse, json, os, shutil, subprocess, sys, tempfile

from figures import med, scaled

ap = argparse.ArgumentParser()
ap.add_argument("--build", default="build")
ap.add_argument("--messages", type=int, default=2000)
ap.add_argument("--spawned", type=int, default=200, help="how many messages the process-per-message peer gets")
ap.add_argument("--size", type=int, default=100_000_000)
ap.add_argument("--rounds", type=int, default=5)
args = ap.parse_args()
signet = os.path.abspath(f"{args.build}/signet")
peer = os.path.abspath(f"{args.build}/bench/peer")
bare = os.path.abspath(f"{args.build}/bench/bare")
top = tempfile.mkdtemp(prefix="signet-bench-")
failures, unable = [], []
ENV = {**os.environ, "LC_ALL": "C.UTF-8", "HOME": top}
PASSWORD = "bench"


def run(argv, out=None, codes=(0,)):
    """Wall seconds, CPU seconds and peak RSS (MiB) of a command."""
    with open(out or os.devnull, "wb") as sink:
        child = subprocess.run([peer, "timed"] + argv, stdout=sink, stderr=subprocess.PIPE, text=True, env=ENV, cwd=top)
    wall, cpu, rss, code = child.stderr.rsplit("timed ", 1)[1].split()
    if int(code) not in codes:
        failures.append(f"{' '.join(argv)[:120]}... ended with {code}: {child.stderr[:200]}")
    return float(wall), float(cpu), int(rss) / 1024


def verify(files, out, codes=(0,)):
    return run([signet, "--profile", "profile", "verify", "--json", "--trust", "m/root.pem", "--key", "m/alice.p12",
                "--password-file", "m/password"] + files, out, codes)


def check(out, count, **expected):
    verdicts = [json.loads(line) for line in open(out)]
    wrong = [v["input"] for v in verdicts if any(v[k] != want for k, want in expected.items())]
    if len(verdicts) != count or wrong:
        failures.append(f"{len(verdicts)} of {count} verdicts, wrong: {wrong[:3]}")


rows = []


def row(what, ours, theirs, ratio, limit, good):
    rows.append((what, ours, theirs, ratio, limit, "yes" if good else "MISSED"))
    if not good:
        failures.append(f"{what}: {ratio}, wanted {limit}")


def control():
    """One octet of the text changed, and one of the certificate's issuer left out: both must be seen."""
    good = open(f"{top}/m/signed/00000", "rb").read()
    open(f"{top}/altered", "wb").write(good.replace(b"Line 3 of", b"Line 4 of", 1))
    verify(["altered"], f"{top}/o", codes=(1,))
    check(f"{top}/o", 1, signature="invalid", indicator="bad")
    gcm = bytearray(open(f"{top}/m/large-gcm", "rb").read())
    at = len(gcm) // 2
    while gcm[at] in b"\r\nA":
        at += 1
    gcm[at] = ord("A")
    open(f"{top}/gcm", "wb").write(gcm)
    verify(["gcm"], f"{top}/o", codes=(8,))
    check(f"{top}/o", 1, encryption="malformed", text="")
    run([signet, "--profile", "profile", "decrypt", "-o", "leak", "--key", "m/alice.p12", "--password-file", "m/password",
         "gcm"], codes=(8,))
    if os.path.exists(f"{top}/leak"):
        failures.append("plaintext of an altered GCM message was written")


def signing():
    names = sorted(os.listdir(f"{top}/m/signed"))
    files = [f"m/signed/{n}" for n in names]
    ours, loop, spawn = [], [], []
    for _ in range(args.rounds):
        ours.append(verify(files, f"{top}/o")[0] / len(files))
        check(f"{top}/o", len(files), signature="valid", indicator="good", signer_matches_from=True)
        answer = subprocess.run([peer, "verify", "m", str(len(files))], cwd=top, capture_output=True, text=True)
        seconds, good = answer.stdout.split()
        if int(good) != len(files):
            failures.append("libcrypto did not verify all")
        loop.append(float(seconds) / len(files))
        spawn.append(sum(run(["openssl", "cms", "-verify", "-in", f, "-CAfile", "m/root.pem", "-out", os.devnull])[0]
                         for f in files[:args.spawned]) / args.spawned)
    us, lib, proc = med(ours), med(loop), med(spawn)
    row("verify, a message (process each)", f"{us*1e3:.3f} ms", f"{proc*1e3:.2f} ms", f"{proc/us:.0f}x", "30x", proc / us >= 30)
    row("verify, a message (libcrypto loop)", f"{us*1e3:.3f} ms", f"{lib*1e3:.3f} ms", f"{lib/us:.1f}x", "2x", lib / us >= 2)


TURN = 100 # messages
OPERATION = 1.68e-3 # of NSS on the key, in seconds, where 0.15 ms more was asked for


def decrypting():
    files = [f"m/encrypted/{n}" for n in sorted(os.listdir(f"{top}/m/encrypted"))[:500]]
    text = open(f"{top}/m/encrypted/00000", "rb").read().split(b"\n\n", 1)
    import base64
    open(f"{top}/der", "wb").write(base64.b64decode(text[1] if len(text) == 2 else text[0].split(b"\r\n\r\n", 1)[1]))
    over, each, ops, cbc = [], [], [], []
    for at in list(range(0, len(files), TURN)) * args.rounds: # short turns: of two figures of 2 ms the difference is told
        answer = subprocess.run([bare, "m/alice.p12", PASSWORD, "der", str(TURN)], cwd=top, capture_output=True, text=True, env=ENV)
        operation, bulk = map(float, answer.stdout.split())
        some = files[at:at + TURN]
        one = verify(some[:1], f"{top}/o", codes=(6,))[1]
        many = verify(some, f"{top}/o", codes=(6,))[1]
        check(f"{top}/o", len(some), encryption="decrypted", indicator="none")
        each.append((many - one) / (len(some) - 1))
        over.append(each[-1] - operation)
        ops.append(operation)
        cbc.append(bulk)
    row("decrypt, a message, above NSS's key operation", f"{med(each)*1e3:.3f} ms", f"{med(ops)*1e3:.3f} ms",
        f"+{med(over)*1e3:.3f} ms", "+0.15 ms or 0.089x", med(over) <= scaled(0.15e-3, OPERATION, med(ops)))
    return med(cbc)


def large():
    key, iv = "01" * 32, "02" * 16
    enc = ["openssl", "enc", "-aes-256-cbc", "-K", key, "-iv", iv]
    run(enc + ["-in", "m/large", "-out", "raw"])
    run(enc + ["-a", "-in", "m/large", "-out", "raw64"])
    idle = {}
    for name, codes in (("m/signed/00000", (0,)), ("m/encrypted/00000", (6,))):
        idle[name] = med([verify([name], f"{top}/o", codes)[2] for _ in range(3)])
    decrypt = [signet, "--profile", "profile", "decrypt", "-o", "plain", "--key", "m/alice.p12", "--password-file", "m/password"]
    pairs = (("large-binary", enc + ["-d", "-in", "raw", "-out", "peer"], "100 MB CBC decrypted, and openssl enc -d"),
             ("large-cbc", enc + ["-d", "-a", "-in", "raw64", "-out", "peer"], "the same in base64, and enc -d -a"))
    for name, theirs, what in pairs:
        a, b, memory = [], [], []
        for _ in range(2 * args.rounds + 1): # the first ones fetch memory from the host, which the later ones find
            for leftover in ("plain", "peer"):
                if os.path.exists(f"{top}/{leftover}"):
                    os.unlink(f"{top}/{leftover}")
            b.append(run(theirs)[1])
            wall, cpu, rss = run(decrypt + [f"m/{name}"])
            a.append(cpu)
            memory.append(rss - idle["m/encrypted/00000"])
        if subprocess.run(["cmp", "-s", "plain", "m/large"], cwd=top).returncode:
            failures.append(f"{name} was not decrypted to what was encrypted")
        row(what, f"{med(a):.2f} s", f"{med(b):.2f} s", f"{med(a)/med(b):.1f}x", "2.5x", med(a) / med(b) <= 2.5)
        row("  its memory over a small message", f"+{max(memory):.0f} MiB", "", "", "+32 MiB", max(memory) <= 32)
    for name, codes, small, expected in (("large-signed", (0,), "m/signed/00000", {"signature": "valid"}),
                                         ("large-opaque", (0,), "m/signed/00000", {"signature": "valid"}),
                                         ("large-gcm", (6,), "m/encrypted/00000", {"encryption": "decrypted"})):
        took = [verify([f"m/{name}"], f"{top}/o", codes) for _ in range(3)]
        check(f"{top}/o", 1, **expected)
        memory = max(t[2] for t in took) - idle[small]
        row(f"100 MB {name[6:]}: memory over a small message", f"+{memory:.0f} MiB", "", f"{med([t[0] for t in took]):.2f} s",
            "+32 MiB", memory <= 32)


def peers_absent():
    for tool, why in (("gpgsm", "its process-per-message figure needs a key ring and an agent: not run"),
                      ("cmsutil", "verifies only against a database of its own: not run")):
        if not shutil.which(tool):
            unable.append(f"{tool}: not installed")
        else:
            unable.append(f"{tool}: {why}")


try:
    subprocess.run([peer, "make", "m", str(args.messages), str(args.size)], cwd=top, check=True)
    control()
    signing()
    bulk = decrypting()
    large()
    peers_absent()
finally:
    shutil.rmtree(top)
print(f"{'what':<50} {'signet':>10} {'peer':>10} {'ratio':>10} {'wanted':>18}")
for what, ours, theirs, ratio, limit, good in rows:
    print(f"{what:<50} {ours:>10} {theirs:>10} {ratio:>10} {limit:>18}  {good}")
print(f"NSS alone, AES-256-CBC over 100 MB: {bulk:.3f} s. Decryption is compared by CPU seconds, verification by the clock.")
for line in unable:
    print(f"not run: {line}")
for line in failures:
    print(f"FAILED: {line}")
sys.exit(1 if failures else 0)
