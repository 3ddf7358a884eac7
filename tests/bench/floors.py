"""The floor of each axis over IMAP: one TLS socket, the commands written, the answers read and thrown away."""
import socket, ssl, time

FIELDS = ("(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM SENDER SUBJECT TO CC MESSAGE-ID REFERENCES "
          "CONTENT-TYPE CONTENT-DESCRIPTION IN-REPLY-TO REPLY-TO LINES LIST-POST LIST-SUBSCRIBE LIST-UNSUBSCRIBE X-LABEL "
          "X-ORIGINAL-TO)])")


class Conn:
    def __init__(self, lab, port):
        self.lab, self.t0 = lab, time.perf_counter()
        s = socket.create_connection(("127.0.0.1", port))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.s = lab.tls.wrap_socket(s, server_hostname="localhost")
        self.n, self.buf, self.tail = 0, bytearray(1 << 20), b""

    def send(self, *commands):
        self.s.sendall(b"".join(c.encode() + b"\r\n" for c in commands))

    def login(self):
        return f"a LOGIN {self.lab.user} {self.lab.password}"

    def until(self, tag):
        """Reads on to the line that ends the command @tag; it has to end well."""
        wanted, tail = b"\r\n" + tag.encode() + b" OK", b"\r\n" + self.tail
        view = memoryview(self.buf)
        while True:
            i = tail.find(wanted)
            if i >= 0 and tail.find(b"\r\n", i + 2) >= 0:
                self.tail = tail[tail.find(b"\r\n", i + 2) + 2:]
                return
            assert b" BAD " not in tail[-300:] and b" NO " not in tail[-300:], tail[-300:]
            k = self.s.recv_into(self.buf)
            assert k, tail
            self.n += k
            tail = tail[-300:] + bytes(view[:k])

    def text_until(self, tag):
        text = self.tail
        while f"\r\n{tag} OK".encode() not in b"\r\n" + text:
            k = self.s.recv(1 << 16)
            assert k, text
            text += k
        self.tail = b""
        return text.decode()


def at_once(lab, box, last, port, stepwise=False):
    """Seconds and octets from the connection to the answer of @last. Stepwise: each command waits for the one before."""
    c = Conn(lab, port)
    if stepwise:
        for tag, command in (("a", c.login()), ("b", f"b SELECT {box}"), ("c", last)):
            c.send(command)
            c.until(tag)
    else:
        c.send(c.login(), f"b SELECT {box}", last)
        c.until("c")
    return time.perf_counter() - c.t0, c.n


def within(lab, box, command, port, first=None):
    """The same of one command in an open folder."""
    c = Conn(lab, port)
    c.send(c.login(), f"b SELECT {box}")
    c.until("b")
    if first:
        c.send(first)
        c.until("d")
    n, t = c.n, time.perf_counter()
    c.send(command)
    c.until("c")
    return time.perf_counter() - t, c.n - n


def first_page(lab, size, port):
    return at_once(lab, f"m{size}", f"c FETCH {size - 39}:{size} (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)", port)


def all_headers(lab, size, port):
    return at_once(lab, f"m{size}", f"c FETCH 1:* {FIELDS}", port)


def all_bodies(lab, size, port):
    return at_once(lab, f"m{size}", "c FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])", port)


def search_body(lab, size, port, word):
    return within(lab, f"m{size}", f"c UID SEARCH BODY {word}", port)


def one_body(lab, size, port):
    """Not the first of the session: the server has looked into the folder already."""
    return within(lab, f"m{size}", f"c FETCH {size - 1} (BODY.PEEK[])", port, f"d FETCH {size - 5} (BODY.PEEK[])")


def resync_point(lab, size, port):
    c = Conn(lab, port)
    c.send(c.login(), f"c STATUS m{size} (UIDVALIDITY HIGHESTMODSEQ)")
    text = c.text_until("c")
    return tuple(text.split(k + " ")[1].split(")")[0].split()[0] for k in ("UIDVALIDITY", "HIGHESTMODSEQ"))


def nothing_new(lab, size, port, point=None):
    """A folder opened again by QRESYNC (RFC 7162)."""
    validity, modseq = point or resync_point(lab, size, port)
    c = Conn(lab, port)
    c.send(c.login(), "e ENABLE QRESYNC", f"c SELECT m{size} (QRESYNC ({validity} {modseq}))")
    c.until("c")
    return time.perf_counter() - c.t0, c.n


def context(file):
    return ssl.create_default_context(cafile=file)
