#!/usr/bin/env python3
"""An IMAP server that makes something of what is sent along with a login.

imap-steps.py DIR WHAT: in front of the Dovecot that runs in DIR (tests/lab/dovecot.sh), with its certificate; listens on
127.0.0.1 and writes the port to DIR/steps.port and its pid to DIR/steps.pid. DIR/steps.log gets a line for each login:
"together" if more came before it (of SCRAM: its last, empty word) was answered, else "alone". WHAT it then does:
  pass    nothing; the login is answered only when more has come, or after some seconds without
  close   where more came it lets the login in, and hangs up
  plus    where more came it asks for more of the login
  mute    as pass, and it never tells the numbers of copies (COPYUID)
  silent  as pass, and it tells what it can do only when it is asked
  count   nothing, whatever passes; the log gets the octets that came from the server, at the end of a connection"""
import os, re, select, socket, ssl, sys, threading

folder, what = sys.argv[1:3]
inner = int(re.search(r"PORT_TLS='?(\d+)", open(f"{folder}/env").read()).group(1))
ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
ours.load_cert_chain(f"{folder}/tls/good.pem", f"{folder}/tls/good.key")
theirs = ssl.create_default_context(cafile=f"{folder}/tls/ca-good.pem")


def more_comes(client, buffered):
    return bool(buffered or client.pending() or select.select([client], [], [], 3)[0])


def down(server, client, closes):
    """What the server says, line by line; literals pass as lines too, since nothing in them is looked for."""
    try:
        for line in server.makefile("rb"):
            if what == "silent":
                line = re.sub(rb"\[CAPABILITY [^]]*\] ?", b"", line)
            if what == "mute":
                line = re.sub(rb"\[COPYUID [^]]*\] ?", b"", line)
            client.sendall(line)
            if closes and re.match(rb"\S+ OK .*[Ll]ogged in", line):
                break
    except OSError:
        pass
    for end in (server, client):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def count(source, sink, log):
    octets = 0
    try:
        while data := source.recv(1 << 16):
            octets += len(data)
            sink.sendall(data)
    except OSError:
        pass
    if log:
        with open(log, "a") as file:
            file.write(f"{octets}\n")
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(raw):
    try:
        client = ours.wrap_socket(raw, server_side=True)
        server = theirs.wrap_socket(socket.create_connection(("127.0.0.1", inner)), server_hostname="127.0.0.1")
    except OSError:
        return
    if what == "count":
        threading.Thread(target=count, args=(client, server, None), daemon=True).start()
        count(server, client, f"{folder}/steps.log")
        return
    closes = []
    threading.Thread(target=down, args=(server, client, closes), daemon=True).start()
    data, scram = b"", False
    try:
        while True:
            while b"\n" not in data:
                part = client.recv(1 << 16)
                if not part:
                    server.close()
                    return
                data += part
            line, data = data.split(b"\n", 1)
            login, last = re.match(rb"\S+ (AUTHENTICATE|LOGIN) ", line), scram and not line.strip()
            scram = (scram or b" AUTHENTICATE SCRAM" in line) and not last
            if last or login and not scram:
                more = more_comes(client, data)
                with open(f"{folder}/steps.log", "a") as log:
                    log.write("together\n" if more else "alone\n")
                if more and what == "plus":
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
