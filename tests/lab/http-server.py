"""A server of revocation answers on loopback, honest or not: http-server.py FOLDER. Writes its port to FOLDER/port.

GET /files/NAME: the file of FOLDER. POST /ocsp/SIGNER: `openssl ocsp` answers, signed by SIGNER.pem. /slow never answers,
/drip sends an octet a second, /huge never ends, /large announces 100 MB, /garbage is none of it, /error is 500, /to-file and
/to-inside/... redirect. Every request is a line of FOLDER/log. Where FOLDER/tls.pem is (key and certificate), the same over TLS too, at
FOLDER/port-tls."""
import http.server
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time

top = sys.argv[1]


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def note(self):
        with open(os.path.join(top, "log"), "a") as log:
            log.write(f"{self.command} {self.path}\n")

    def answer(self, body, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def misbehave(self):
        if self.path == "/slow":
            time.sleep(120)
        elif self.path == "/drip":
            self.send_response(200)
            self.end_headers()
            for _ in range(120):
                self.wfile.write(b"0")
                self.wfile.flush()
                time.sleep(1)
        elif self.path == "/huge":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b"0" * 65536)
        elif self.path == "/large":
            self.send_response(200)
            self.send_header("Content-Length", "100000000")
            self.end_headers()
        elif self.path == "/garbage":
            self.answer(b"0\x82\x01\x00 this is nothing of the kind" * 20)
        elif self.path == "/to-file":
            self.answer(b"", 302, Location="file:///etc/passwd")
        elif self.path.startswith("/to-inside/"):
            self.answer(b"", 302, Location="/files/" + os.path.basename(self.path))
        else:
            self.answer(b"no", 500)

    def do_GET(self):
        self.note()
        try:
            if self.path.startswith("/files/"):
                with open(os.path.join(top, os.path.basename(self.path)), "rb") as file:
                    self.answer(file.read())
            else:
                self.misbehave()
        except OSError:
            self.close_connection = True

    def do_POST(self):
        self.note()
        request = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            if not self.path.startswith("/ocsp/"):
                self.misbehave()
                return
            signer = os.path.basename(self.path)
            with tempfile.TemporaryDirectory(dir=top) as folder:
                asked, said = os.path.join(folder, "q"), os.path.join(folder, "a")
                with open(asked, "wb") as file:
                    file.write(request)
                subprocess.run(
                    ["openssl", "ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", f"{signer}.pem", "-rkey",
                     f"{signer}.key", "-reqin", asked, "-respout", said, "-ndays", "1"],
                    cwd=top, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                with open(said, "rb") as file:
                    self.answer(file.read(), **{"Content-Type": "application/ocsp-response"})
        except OSError:
            self.close_connection = True


def start(name, context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with open(os.path.join(top, name + ".new"), "w") as port:
        port.write(str(server.server_address[1]))
    os.rename(os.path.join(top, name + ".new"), os.path.join(top, name))
    threading.Thread(target=server.serve_forever, daemon=True).start()


if os.path.exists(os.path.join(top, "tls.pem")):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(os.path.join(top, "tls.pem"))
    start("port-tls", tls)
start("port")
sys.stdin.read()  # ends with the test
