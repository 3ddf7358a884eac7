#!/usr/bin/env python3
"""An IMAP server that makes something of what is sent along with a login.

imap-steps.py DIR WHAT: in front of the Dovecot that runs in DIR (tests/lab/dovecot.sh), with its certificate; listens on
127.0.0.1 and writes the port to DIR/steps.port and its pid to DIR/steps.pid. DIR/steps.log gets a line for each login:
"together" if more came before it (of SCRAM: its proof) was answered, else "alone". DIR/steps.pieces gets, for each record of
TLS that came, how many lines end in it. WHAT it then does:
  pass    nothing; the login is answered only when more has come, or after some seconds without
  close   where more came it lets the login in, and hangs up
  plus    where more came it asks for more of the login
  mute    as pass, and it never tells the numbers of copies (COPYUID)
  silent  as pass, and it tells what it can do only when it is asked
  forge   as pass, and its own proof in SCRAM is not the one that the password makes
  tell    as pass, and a refusal comes as the words of SCRAM first (RFC 5802 7)
  slam    as pass, and it hangs up with a refusal
  hold    as pass, and it greets only when something has come, or after some seconds without: "early" or "greeted" in the log
  shy     as hold, but where something came before its greeting it hangs up
  tired   as hold, and it hangs up where SCRAM's proof is not there after three seconds: "tired" in the log
  gone    as tired, and it ends then
  count   nothing, whatever passes; the log gets the octets that came from the server, at the end of a connection"""
import base64, os, re, select, socket, ssl, sys, threading

folder, what = sys.argv[1:3]
inner = int(re.search(r"PORT_TLS='?(\d+)", open(f"{folder}/env").read()).group(1))
ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
ours.load_cert_chain(f"{folder}/tls/good.pem", f"{folder}/tls/good.key")
theirs = ssl.create_default_context(cafile=f"{folder}/tls/ca-good.pem")


class Line:
    """A TLS connection that one thread reads and another writes: OpenSSL wants them by turns."""

    def __init__(self, tls):
        self.tls, self.lock = tls, threading.Lock()

    def waits(self, seconds=None):
        """Has something come, within so many seconds?"""
        return bool(self.tls.pending() or select.select([self.tls], [], [], seconds)[0])

    def recv(self):
        while True:
            self.waits()
            with self.lock:
                if self.waits(0):
                    return self.tls.recv(1 << 16)

    def sendall(self, data):
        with self.lock:
            self.tls.sendall(data)

    def lines(self):
        data = b""
        while part := self.recv():
            *whole, data = (data + part).split(b"\n")
            for line in whole:
                yield line + b"\n"
        yield data

    def end(self):
        try:
            self.tls.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def more_comes(client, buffered):
    return bool(buffered) or client.waits(3)


def note(word, file="log"):
    with open(f"{folder}/steps.{file}", "a") as log:
        log.write(word + "\n")


def forged(line):
    """The server's proof, another one."""
    proof = base64.b64decode(line[2:]) if re.match(rb"\+ [A-Za-z0-9+/=]+\r", line) else b""
    if not proof.startswith(b"v="):
        return line
    other = base64.b64encode(bytes(b ^ 1 for b in base64.b64decode(proof[2:])))
    return b"+ " + base64.b64encode(b"v=" + other) + b"\r\n"


def down(server, client, closes, proved):
    """What the server says, line by line; literals pass as lines too, since nothing in them is looked for."""
    try:
        for line in server.lines():
            no = re.match(rb"\S+ NO .*AUTHENTICATIONFAILED", line)
            if what == "forge":
                line = forged(line)
            if what == "tell" and no:
                client.sendall(b"+ " + base64.b64encode(b"e=invalid-proof") + b"\r\n")
            if what == "silent":
                line = re.sub(rb"\[CAPABILITY [^]]*\] ?", b"", line)
            if what == "mute":
                line = re.sub(rb"\[COPYUID [^]]*\] ?", b"", line)
            client.sendall(line)
            if line.startswith(b"+ dj0"): # "v="
                proved.set()
            if what == "slam" and no:
                break
            if closes and re.match(rb"\S+ OK .*[Ll]ogged in", line):
                break
    except OSError:
        pass
    server.end()
    client.end()


def count(source, sink, log):
    octets = 0
    try:
        while data := source.recv():
            octets += len(data)
            sink.sendall(data)
    except OSError:
        pass
    if log:
        note(str(octets))
    source.end()
    sink.end()


def serve(raw):
    try:
        client = Line(ours.wrap_socket(raw, server_side=True))
        server = Line(theirs.wrap_socket(socket.create_connection(("127.0.0.1", inner)), server_hostname="127.0.0.1"))
    except OSError:
        return
    if what == "count":
        threading.Thread(target=count, args=(client, server, False), daemon=True).start()
        count(server, client, True)
        return
    closes, proved = [], threading.Event()
    if what in ("hold", "shy", "tired", "gone"):
        early = more_comes(client, b"")
        note("early" if early else "greeted")
        if early and what == "shy":
            server.end()
            client.end()
            return
    threading.Thread(target=down, args=(server, client, closes, proved), daemon=True).start()
    data, scram, more = b"", 0, False # scram: lines to come, of its proof and of its last, empty word
    try:
        while True:
            if what in ("tired", "gone") and scram == 2 and not more_comes(client, data):
                note("tired")
                if what == "gone":
                    os._exit(0)
                server.end()
                client.end()
                return
            while b"\n" not in data:
                part = client.recv()
                if not part:
                    server.end()
                    return
                note(str(part.count(b"\n")), "pieces")
                data += part
            line, data = data.split(b"\n", 1)
            login = re.match(rb"\S+ (AUTHENTICATE|LOGIN) ", line)
            proof, last = scram == 2, scram == 1
            scram = 2 if b" AUTHENTICATE SCRAM" in line else max(scram - 1, 0)
            if proof or login and not scram:
                more = more_comes(client, data)
                note("together" if more else "alone")
            if last or login and not scram:
                if more and what == "plus":
                    if last:
                        proved.wait(5)
                    client.sendall(b"+ \r\n")
                    continue
                if more and what == "close":
                    closes.append(True)
            server.sendall(line + b"\n")
    except OSError:
        pass


listener = socket.create_server(("127.0.0.1", 0))
for name, number in (("pid", os.getpid()), ("port", listener.getsockname()[1])):
    with open(f"{folder}/steps.new", "w") as file:
        file.write(f"{number}\n")
    os.rename(f"{folder}/steps.new", f"{folder}/steps.{name}")
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
