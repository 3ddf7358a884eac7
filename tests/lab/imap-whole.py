#!/usr/bin/env python3
"""An IMAP server that ignores partial ranges: asked for BODY.PEEK[...]<0.4096> it sends all of it, as BODY[...].

imap-whole.py DIR: in front of the Dovecot that runs in DIR (tests/lab/dovecot.sh), with its certificate; listens on
127.0.0.1 and writes the port to DIR/whole.port and its pid to DIR/whole.pid."""
import os, re, socket, ssl, sys, threading

folder = sys.argv[1]
inner = int(re.search(r"PORT_TLS='?(\d+)", open(f"{folder}/env").read()).group(1))
ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
ours.load_cert_chain(f"{folder}/tls/good.pem", f"{folder}/tls/good.key")
theirs = ssl.create_default_context(cafile=f"{folder}/tls/ca-good.pem")


def pump(source, sink):
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Commands:
    """What the client sends, line by line, without the ranges."""
    def __init__(self, conn):
        self.lines = conn.makefile("rb")

    def recv(self, _):
        return re.sub(rb"(BODY\.PEEK\[[^]]*\])<\d+\.\d+>", rb"\1", self.lines.readline())

    def shutdown(self, _):
        self.lines.close()


def serve(raw):
    try:
        client = ours.wrap_socket(raw, server_side=True)
        server = theirs.wrap_socket(socket.create_connection(("127.0.0.1", inner)), server_hostname="127.0.0.1")
    except OSError:
        return
    threading.Thread(target=pump, args=(Commands(client), server), daemon=True).start()
    pump(server, client)


listener = socket.create_server(("127.0.0.1", 0))
for name, number in (("pid", os.getpid()), ("port", listener.getsockname()[1])):
    with open(f"{folder}/whole.new", "w") as file:
        file.write(f"{number}\n")
    os.rename(f"{folder}/whole.new", f"{folder}/whole.{name}")
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
