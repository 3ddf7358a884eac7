#!/usr/bin/env python3
"""holding.py TARGET FOLDER OCTETS: a TCP proxy on loopback that holds back what the server sends once it has sent OCTETS on
a connection, until FOLDER/go is there; FOLDER/held says that it does. Its port is in FOLDER/port, its number in FOLDER/pid."""
import os, socket, sys, threading, time

target, folder, octets = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])


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


listener = socket.create_server(("127.0.0.1", 0), backlog=16)
put("port", listener.getsockname()[1])
put("pid", os.getpid())
while True:
    client, _ = listener.accept()
    server = socket.create_connection(("127.0.0.1", target))
    for one in (client, server):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=carry, args=(client, server, 0), daemon=True).start()
    threading.Thread(target=carry, args=(server, client, octets), daemon=True).start()
