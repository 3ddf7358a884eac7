#!/usr/bin/env python3
"""holding.py TARGET FOLDER OCTETS: a TCP proxy on loopback that holds back what the server sends once it has sent OCTETS on
a connection, until FOLDER/go is there; FOLDER/held says that it does. Its port is in FOLDER/port, its number in FOLDER/pid.
holding.py TARGET FOLDER WORD CERT KEY: the same, but it ends the TLS of both sides, and holds back the answer to a command
with WORD that comes while FOLDER/arm is there; with what FOLDER/arm says, where that is not empty.
Of one connection at a time; FOLDER/held goes when the answer does."""
import contextlib, os, select, socket, ssl, sys, threading, time

target, folder = int(sys.argv[1]), sys.argv[2]
octets, word = (0, sys.argv[3].encode()) if len(sys.argv) > 4 else (int(sys.argv[3]), None)


def put(name, word):
    with open(os.path.join(folder, name + ".new"), "w") as f:
        f.write(str(word))
    os.rename(os.path.join(folder, name + ".new"), os.path.join(folder, name))


def carry(source, sink, limit):
    total = 0
    try:
        while some := source.recv(16384):
            total += len(some)
            if limit and total > limit and not os.path.exists(os.path.join(folder, "go")):
                put("held", total)
                while not os.path.exists(os.path.join(folder, "go")):
                    time.sleep(0.02)
            sink.sendall(some)
    except OSError:
        pass
    for one in (source, sink):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def armed():
    """The word that is waited for now; None: none is."""
    try:
        with open(os.path.join(folder, "arm"), "rb") as f:
            return f.read().strip() or word
    except FileNotFoundError:
        return None


def is_held():
    return os.path.exists(os.path.join(folder, "held"))


def waits():
    return not os.path.exists(os.path.join(folder, "go"))


def converse(client, server):
    """One thread for both ways: an SSL object bears no two."""
    try:
        ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ours.load_cert_chain(sys.argv[4], sys.argv[5])
        client = ours.wrap_socket(client, server_side=True)
        server = ssl._create_unverified_context().wrap_socket(server)
        asked, kept = False, b""
        while True:
            ready = [one for one in (client, server) if one.pending()] or select.select([client, server], [], [], 0.02)[0]
            if kept and not waits():
                client.sendall(kept)
                kept, asked = b"", False
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(folder, "held"))
            for one in ready:
                some = one.recv(16384)
                if not some:
                    return
                if one is client:
                    wanted = armed()
                    asked |= wanted is not None and wanted in some and waits() and not is_held()
                    server.sendall(some)
                elif asked:
                    kept += some
                    put("held", len(kept))
                else:
                    client.sendall(some)
    except OSError:
        pass
    finally:
        client.close()
        server.close()


listener = socket.create_server(("127.0.0.1", 0), backlog=16)
put("port", listener.getsockname()[1])
put("pid", os.getpid())
while True:
    client, _ = listener.accept()
    server = socket.create_connection(("127.0.0.1", target))
    for one in (client, server):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if word:
        threading.Thread(target=converse, args=(client, server), daemon=True).start()
        continue
    threading.Thread(target=carry, args=(client, server, 0), daemon=True).start()
    threading.Thread(target=carry, args=(server, client, octets), daemon=True).start()
