"""What the mail benchmark runs in: a Dovecot with mailboxes of several sizes, a signer, a counting and delaying proxy. All
of it on loopback in one folder, and stopped and removed at the end."""
import json, os, shutil, socket, subprocess, sys, tempfile, time

import floors

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
RARE = "quetzalcoatlus"


class Proxy:
    def __init__(self, target, rtt_ms=0):
        with socket.socket() as a, socket.socket() as b:
            a.bind(("127.0.0.1", 0))
            b.bind(("127.0.0.1", 0))
            self.port, self.control = a.getsockname()[1], b.getsockname()[1]
        self.process = subprocess.Popen([sys.executable, HERE + "/proxy.py", str(self.port), str(target), str(self.control)])
        for _ in range(500):
            try:
                self.ask("get")
                break
            except OSError:
                time.sleep(0.02)
        if rtt_ms:
            self.ask(f"delay {rtt_ms / 2}")

    def ask(self, words):
        with socket.create_connection(("127.0.0.1", self.control)) as s:
            s.sendall(words.encode() + b"\n")
            return json.loads(s.makefile().readline())

    def close(self):
        self.process.terminate()
        self.process.wait()


class Lab:
    user, password = "anna", "secret-anna"

    def __init__(self, sizes, signed=200):
        self.dir = tempfile.mkdtemp(prefix="signet-mail-bench-")
        os.chmod(self.dir, 0o711)
        self.server, self.smime, self.local = self.dir + "/server", self.dir + "/smime", self.dir + "/local"
        self.proxies = []
        os.environ["PATH"] += ":/usr/sbin:/sbin"
        subprocess.run(["sh", TOP + "/tests/lab/dovecot.sh", "start", self.server], check=True,
                       env={**os.environ, "PASSWORDS": "SCRAM-SHA-256"}) # the server works as much for LOGIN as for SCRAM then
        self.env = dict(line.strip().split("=", 1) for line in open(self.server + "/env"))
        self.port = int(self.env["PORT_TLS"])
        self.ca = self.server + "/tls/ca-good.pem"
        self.tls = floors.context(self.ca)
        self.signer(signed)
        os.mkdir(self.local)
        for size in sizes:
            self.mailbox(size)

    def sh(self, command):
        subprocess.run(command, shell=True, check=True, cwd=self.smime, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def signer(self, count):
        """@count different messages, signed as people do: multipart/signed, RSA-2048, SHA-256."""
        os.makedirs(self.smime + "/plain")
        os.makedirs(self.smime + "/signed")
        with open(self.smime + "/ext", "w") as f:
            f.write("subjectAltName=email:alice@example.org\nextendedKeyUsage=emailProtection\n"
                    "keyUsage=critical,digitalSignature,keyEncipherment\n")
        self.sh("openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj '/O=Bench/CN=Bench CA' "
                "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign")
        self.sh("openssl req -newkey rsa:2048 -nodes -keyout alice.key -out alice.csr "
                "-subj '/O=Bench/CN=Alice Signer/emailAddress=alice@example.org'")
        self.sh("openssl x509 -req -in alice.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 20 -extfile ext -out alice.pem")
        self.sh("openssl pkcs12 -export -in alice.pem -inkey alice.key -certfile ca.pem -name alice -passout pass:pw -out alice.p12")
        for i in range(count):
            with open(f"{self.smime}/plain/{i:05d}", "w") as f:
                f.write(f"Content-Type: text/plain; charset=us-ascii\n\nSIGBODY {i}\n" +
                        "".join(f"Line {n} of message {i}.\n" for n in range(30)))
        self.sh("ls plain | xargs -P2 -I{} openssl cms -sign -md sha256 -in plain/{} -signer alice.pem -inkey alice.key -out signed/{}")

    def mailbox(self, size):
        """In Dovecot's Maildir as m@size, and once more in files that are the same for who reads a Maildir."""
        box = f"{self.server}/mail/{self.user}/Maildir/.m{size}"
        subprocess.run([sys.executable, HERE + "/mailbox.py", "--out", box, "--count", str(size), "--seed", str(size),
                        "--signed-pool", self.smime + "/signed"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["cp", "-al", box, f"{self.local}/m{size}"], check=True)
        open(box + "/maildirfolder", "w").close()
        if os.getuid() == 0:
            uid, gid = int(self.env["MAIL_UID"]), int(self.env["MAIL_GID"])
            subprocess.run(["chown", "-R", f"{uid}:{gid}", box], check=True)
            subprocess.run(["chmod", "-R", "a+rX", f"{self.local}/m{size}"], check=True)

    def proxy(self, rtt_ms=0):
        self.proxies.append(Proxy(self.port, rtt_ms))
        return self.proxies[-1]

    def cpu(self):
        """Seconds of processor that the server and the proxies have used, those of their processes that have ended too."""
        ticks, master = 0, int(open(self.server + "/run/master.pid").read())
        ours = {master, *(proxy.process.pid for proxy in self.proxies)}
        for pid in os.listdir("/proc"):
            try:
                stat = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split() if pid.isdigit() else None
            except OSError: # it has ended just now
                continue
            if stat and (int(pid) in ours or int(stat[1]) == master):
                ticks += sum(int(n) for n in stat[11:15 if int(pid) == master else 13])
        return ticks / os.sysconf("SC_CLK_TCK")

    def rest(self, quiet=0.5, limit=60):
        """Waits until the server and the proxies have used no processor for @quiet seconds: who has gone is answered no more."""
        before, since, end = self.cpu(), time.perf_counter(), time.perf_counter() + limit
        while time.perf_counter() < end:
            time.sleep(0.05)
            now = self.cpu()
            if now != before:
                before, since = now, time.perf_counter()
            elif time.perf_counter() - since > quiet:
                return
        print("The server does not come to rest.", file=sys.stderr)

    def close(self):
        for proxy in self.proxies:
            proxy.close()
        subprocess.run(["sh", TOP + "/tests/lab/dovecot.sh", "stop", self.server])
        shutil.rmtree(self.dir, ignore_errors=True)
