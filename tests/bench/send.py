#!/usr/bin/env python3
"""Part of make bench: signed messages sent over TLS, beside `openssl cms -sign | msmtp` in the same run.

Both sides log in, sign with the same RSA-2048 key and talk to the same server on loopback, tests/lab/smtp-server.py;
what arrived is counted and every signature checked. signet's share contains the outbox with its syncs to the disk
(measured alone as well); msmtp keeps nothing. Exit code 1: a figure is missed or a message is wrong."""
import argparse, json, os, shutil, signal, statistics, subprocess, sys, tempfile, time

ap = argparse.ArgumentParser()
ap.add_argument("--build", default="build")
ap.add_argument("--messages", type=int, default=100)
ap.add_argument("--single", type=int, default=20)
ap.add_argument("--rounds", type=int, default=5)
args = ap.parse_args()
signet = os.path.abspath(f"{args.build}/signet")
here = os.path.dirname(os.path.abspath(__file__))
if not shutil.which("msmtp"):
    sys.exit("msmtp is missing: sh tests/lab/deps.sh bench")
top = tempfile.mkdtemp(prefix="signet-send-")
env = {**os.environ, "LC_ALL": "C.UTF-8", "HOME": top, "SIGNET_PASSWORD": "secret-anna"}
failures = []


def sh(command, **more):
    return subprocess.run(command, shell=True, cwd=top, env=env, check=True, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, **more)


def setup():
    ca = "openssl req -x509 -newkey rsa:2048 -nodes -keyout {0}.key -out {0}.pem -days 30 -subj /CN={0} " \
         "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign"
    one = "openssl req -newkey rsa:2048 -nodes -keyout {0}.key -subj /CN={0} -out {0}.csr && " \
          "openssl x509 -req -in {0}.csr -CA {1}.pem -CAkey {1}.key -CAcreateserial -days 20 -extfile {0}.ext -out {0}.pem"
    open(f"{top}/server.ext", "w").write("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    open(f"{top}/anna.ext", "w").write("subjectAltName=email:anna@example.org\nextendedKeyUsage=emailProtection\n"
                                       "keyUsage=digitalSignature\n")
    for command in (ca.format("root"), one.format("server", "root"), one.format("anna", "root")):
        sh(command)
    os.mkdir(f"{top}/lab")
    shutil.copy(f"{top}/server.pem", f"{top}/lab/cert.pem")
    shutil.copy(f"{top}/server.key", f"{top}/lab/key.pem")
    server = subprocess.Popen([sys.executable, f"{here}/../lab/smtp-server.py", f"{top}/lab"],
                              env={**env, "SMTP_NO_SYNC": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        if os.path.exists(f"{top}/lab/port"):
            break
        time.sleep(0.05)
    port = open(f"{top}/lab/port").read()
    for part in ("cur", "new", "tmp"):
        os.makedirs(f"{top}/p/Mail/{part}")
    open(f"{top}/p/signet.conf", "w").write(f"[account work]\naddress = anna@example.org\nmaildir = Mail\nsent = none\n"
                                            f"smtp = smtps://anna@127.0.0.1:{port}\n")
    open(f"{top}/pass", "w").write("x")
    sh("openssl pkcs12 -export -in anna.pem -inkey anna.key -certfile root.pem -out anna.p12 -passout pass:x")
    sh(f"{signet} --profile p cert import anna.p12 --password-file pass")
    sh(f"{signet} --profile p cert import root.pem --trust --tls")
    rc = os.open(f"{top}/msmtprc", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(rc, f"account default\nhost 127.0.0.1\nport {port}\nfrom anna@example.org\nauth plain\nuser anna\n"
                 f"password secret-anna\ntls on\ntls_starttls off\ntls_trust_file {top}/root.pem\n".encode())
    os.mkdir(f"{top}/m")
    for i in range(args.messages):
        open(f"{top}/m/{i:05d}", "w").write(f"From: anna@example.org\nTo: bob@example.org\nSubject: report {i}\n\n"
                                            + "".join(f"Line {n} of message {i}.\n" for n in range(40)))
        open(f"{top}/m/{i:05d}.txt", "w").write("".join(f"Line {n} of message {i}.\n" for n in range(40)))
    return server


def accepted():
    return sum(1 for _ in open(f"{top}/lab/accepted")) if os.path.exists(f"{top}/lab/accepted") else 0


def timed(work, count, what):
    before, begun = accepted(), time.perf_counter()
    work()
    took = time.perf_counter() - begun
    if accepted() - before != count:
        failures.append(f"{what}: {accepted() - before} of {count} arrived")
    return took


def pairs(count):
    for i in range(count):
        sh(f"openssl cms -sign -md sha256 -in m/{i:05d}.txt -signer anna.pem -inkey anna.key -certfile root.pem "
           f"-subject 'report {i}' -to bob@example.org -from anna@example.org | msmtp -C msmtprc bob@example.org")


added = []


def outbox():
    files = [f"m/{i:05d}" for i in range(args.messages)]
    begun = time.perf_counter()
    subprocess.run([signet, "--profile", "p", "outbox", "add", "--sign"] + files, cwd=top, env=env, check=True)
    added.append(time.perf_counter() - begun)
    subprocess.run([signet, "--profile", "p", "outbox", "flush"], cwd=top, env=env, check=True)


def single():
    for i in range(args.single):
        with open(f"{top}/m/{i:05d}.txt") as text:
            subprocess.run([signet, "--profile", "p", "send", "--sign", "-s", f"report {i}", "bob@example.org"], cwd=top,
                           env=env, check=True, stdin=text)


def syncs(count):
    fd = os.open(f"{top}/sync", os.O_RDWR | os.O_CREAT)
    begun = time.perf_counter()
    for _ in range(count):
        os.write(fd, b"x" * 100)
        os.fdatasync(fd)
    return time.perf_counter() - begun


def check():
    lines = open(f"{top}/lab/accepted").read().splitlines()
    for line in (lines[0], lines[-1], lines[len(lines) // 2]):
        open(f"{top}/one", "wb").write(json.loads(line)["data"].encode("latin-1"))
        if subprocess.run("openssl cms -verify -in one -CAfile root.pem -purpose any", shell=True, cwd=top,
                          capture_output=True).returncode:
            failures.append("a signature does not verify: " + line[:80])
    unsigned = [line for line in lines if "pkcs7-signature" not in line]
    if unsigned:
        failures.append(f"{len(unsigned)} messages are not signed")


server = setup()
try:
    theirs, ours, one, pair = [], [], [], []
    for _ in range(args.rounds):
        theirs.append(timed(lambda: pairs(args.messages), args.messages, "openssl | msmtp"))
        ours.append(timed(outbox, args.messages, "outbox"))
        pair.append(timed(lambda: pairs(args.single), args.single, "openssl | msmtp") / args.single)
        one.append(timed(single, args.single, "send") / args.single)
    check()
    disk = syncs(4 * args.messages)
finally:
    server.send_signal(signal.SIGTERM)
    server.wait()
    shutil.rmtree(top)
med = statistics.median
share, times = med(ours) / med(theirs), med(one) / med(pair)
print(f"send {args.messages} signed messages over TLS: outbox add --sign and flush {med(ours):.2f} s (add {med(added):.2f} s),"
      f" openssl | msmtp {med(theirs):.2f} s: {share:.2f} of it (wanted: at most 0.5) {'yes' if share <= 0.5 else 'MISSED'}")
print(f"send --sign, one process: {med(one)*1e3:.1f} ms, the pair {med(pair)*1e3:.1f} ms: {times:.2f} times (wanted: at most 3) "
      f"{'yes' if times <= 3 else 'MISSED'}")
print(f"the disk: {disk*1e3/(4*args.messages):.2f} ms a sync; {4*args.messages} of them {disk:.2f} s")
for failure in failures:
    print("FAILED: " + failure)
sys.exit(1 if failures or share > 0.5 or times > 3 else 0)
