#!/usr/bin/env python3
"""LDAP servers that no directory is: ldap-hostile.py MODE LOGFILE prints its port and serves until it is killed.

Each connection and how many octets it sent is a line of the log. MODE: count (takes and never answers), garbage, huge (an
answer that says it has 2 GiB), drip (an octet a second that ends nowhere), endless (entries without end), tlsyes (yes to
StartTLS, with words in clear behind it), referral, drop (hangs up), values (an entry of certificates that are none).
"""
import socket
import sys
import threading
import time

mode, log = sys.argv[1], open(sys.argv[2], "ab", buffering=0)


def ber(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    size = bytes([n]) if n < 128 else bytes([0x84]) + n.to_bytes(4, "big")
    return bytes([tag]) + size + body


def message(number, operation):
    return ber(0x30, ber(0x02, bytes([number])), operation)


def result(tag, code, *more):
    return ber(tag, ber(0x0A, bytes([code])), ber(0x04), ber(0x04), *more)


def entry(count, attribute=b"cn", values=(b"x",)):
    return ber(0x64, ber(0x04, b"uid=%d,dc=example,dc=org" % count),
               ber(0x30, ber(0x30, ber(0x04, attribute), ber(0x31, *[ber(0x04, v) for v in values]))))


def answer(line):
    if mode == "garbage":
        line.sendall(b"\x16\x03\x01" + bytes(range(256)) * 40)
    elif mode == "huge":
        line.sendall(b"\x30\x84\x7f\xff\xff\xff\x02\x01\x01")
    elif mode == "drip":
        line.sendall(b"\x30\x84\x00\x00\x40\x00\x02\x01\x01")
        for _ in range(600):
            line.sendall(b"\x04")
            time.sleep(1)
    elif mode == "endless":
        for count in range(10 ** 7):
            line.sendall(message(1, entry(count)))
    elif mode == "tlsyes":
        line.sendall(message(1, result(0x78, 0)) + message(2, result(0x65, 0)))
    elif mode == "referral":
        line.sendall(message(1, result(0x65, 10, ber(0xA3, ber(0x04, b"ldap://127.0.0.1:1/")))))
    elif mode == "values":
        line.sendall(message(1, entry(1, b"userCertificate;binary", [b"\x30\x82\xff\xff" + bytes([i % 256]) * 300 for i in range(200)])) +
                     message(1, entry(2, b"userSMIMECertificate;binary", [b"\x30" * 9000, b"", b"A" * 300000])) +
                     message(1, result(0x65, 0)))
    elif mode == "drop":
        line.close()


def serve(line):
    got = 0
    line.settimeout(600)
    try:
        data = line.recv(65536)
        got += len(data)
        if data and mode != "count":
            answer(line)
        while data:
            data = line.recv(65536)
            got += len(data)
    except OSError:
        pass
    log.write(b"connection, %d octets\n" % got)


server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(64)
print(server.getsockname()[1], flush=True)
while True:
    connection, _ = server.accept()
    log.write(b"connected\n")
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
