"""A proxy on loopback that breaks the line of an IMAP connection after a number of octets."""
import re, select, socket, ssl, struct, threading, time


class Cutter:
    """In front of a server with TLS. arm() says where the next line breaks; calm() waits until the server has come to the
    end of what it was sent: a command that was sent whole may be carried out long after the line broke, and no client can
    know of that; after it everything goes through.

    side: "up" counts what the client sends, "down" what the server does. plain: octets of IMAP (the proxy ends the TLS of
    both); else octets of TLS, so that a record may be torn. command: counted from the nth command of the client's that fits
    (plain alone). hard: the client gets a reset, not an end. gone: nobody
    answers any more until calm(); else the next connection goes through."""

    def __init__(self, port, cert, key, ca):
        self.target = port
        self.ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ours.load_cert_chain(cert, key)
        self.theirs = ssl.create_default_context(cafile=ca)
        self.lock = threading.Condition()
        self.side, self.after, self.plain, self.hard, self.gone = None, 0, False, False, False
        self.command, self.nth = None, 0
        self.cut, self.running, self.octets = False, 0, {"up": 0, "down": 0}
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, side=None, after=0, plain=False, hard=False, gone=False, command=None, nth=1):
        with self.lock:
            self.command, self.nth = command, nth
            self.side, self.after, self.plain, self.hard, self.gone = side, after, plain, hard, gone
            self.cut, self.octets = False, {"up": 0, "down": 0}

    def calm(self):
        """Was the line cut?"""
        with self.lock:
            if not self.lock.wait_for(lambda: not self.running, 120):
                raise RuntimeError("a connection does not end")
            self.side, self.plain, self.gone, self.command = None, False, False, None
            return self.cut

    def _accept(self):
        while True:
            raw, _ = self.listener.accept()
            with self.lock:
                refused = self.gone and self.cut
                self.running += not refused
            if refused:
                self._reset(raw)
            else:
                threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    @staticmethod
    def _reset(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    def _serve(self, raw):
        ends = [raw]
        try:
            ends.append(socket.create_connection(("127.0.0.1", self.target)))
            if self.plain:
                for sock in ends:
                    sock.settimeout(60)
                ends[1] = self.theirs.wrap_socket(ends[1], server_hostname="127.0.0.1")
                ends[0] = self.ours.wrap_socket(ends[0], server_side=True)
            self._carry(*ends)
        except OSError:
            pass
        finally:
            for sock in ends:
                sock.close()
            with self.lock:
                self.running -= 1
                self.lock.notify_all()

    def _carry(self, client, server):
        """One thread for both ways: an SSL object bears no two."""
        open_ends = {client: ("up", server), server: ("down", client)}
        for sock in open_ends:
            sock.setblocking(False)
        while open_ends:
            ready = [s for s in open_ends if isinstance(s, ssl.SSLSocket) and s.pending()]
            for source in ready or select.select(list(open_ends), [], [], 60)[0]:
                if source not in open_ends:
                    continue
                side, sink = open_ends[source]
                try:
                    data = source.recv(1 << 16)
                except (ssl.SSLWantReadError, BlockingIOError):
                    continue
                except OSError:
                    data = b""
                if not data:
                    del open_ends[source]
                    self._end(sink)
                    continue
                passes = self._passes(side, data)
                if passes:
                    self._send(sink, data[:passes])
                if passes < len(data):
                    self._break(client, server, open_ends)

    def _look_for_command(self, data):
        """From where it stands the octets are counted anew."""
        for found in re.finditer(self.command, data):
            self.nth -= 1
            if not self.nth:
                self.command = None
                self.octets = {"up": -found.start(), "down": 0}
                return

    def _passes(self, side, data):
        """How many of these octets go through."""
        length = len(data)
        with self.lock:
            if self.command and side == "up":
                self._look_for_command(data)
            if self.side != side or self.cut or self.command:
                self.octets[side] += length
                return length
            passes = min(length, self.after - self.octets[side])
            self.octets[side] += passes
            self.cut = passes < length
            return passes

    def _break(self, client, server, open_ends):
        self._end(server)
        if self.hard:
            open_ends.pop(client, None)
            self._reset(client)
        else:
            self._end(client)

    @staticmethod
    def _send(sink, data):
        """What the other side does not take any more is dropped."""
        end = time.monotonic() + 60
        while data and time.monotonic() < end:
            try:
                data = data[sink.send(data):]
            except (ssl.SSLWantWriteError, BlockingIOError):
                select.select([], [sink], [], 1)
            except ssl.SSLWantReadError:
                select.select([sink], [], [], 1)
            except OSError:
                return

    @staticmethod
    def _end(sock):
        """The end of TCP, without a farewell of TLS."""
        try:
            socket.socket.shutdown(sock, socket.SHUT_WR)
        except OSError:
            pass
