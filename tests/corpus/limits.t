#!/usr/bin/env python3
"""Mail that is too much of something: each is answered by a verdict or a sentence, never by a crash, within 5 s and
256 MiB of memory in use (the message's own octets included)."""
import base64, os, resource, shutil, subprocess, sys, tempfile, time

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
SIGNET = os.path.abspath(os.path.join(os.environ.get('BUILD', 'build'), 'signet'))
HEAD = b'From: a@b.example\nTo: c@d.example\nSubject: s\nMIME-Version: 1.0\n'
MIB = 1 << 20


def multi(kind, boundary, parts):
    return b'Content-Type: multipart/%s; boundary="%s"\n\n' % (kind, boundary) + b''.join(b'--%s\n%s\n' % (boundary, p) for p in parts) + b'--%s--\n' % boundary


def nested():
    return b''.join(b'Content-Type: multipart/mixed; boundary=d%d\n\n--d%d\n' % (i, i) for i in range(10000)) + b'\nx\n'


def alternatives(depth, wide):
    m = b'\nx\n'
    for i in range(depth):
        m = multi(b'alternative', b'd%d' % i, [b'\nshort'] * wide + [m])
    return m


def html(text):
    return b'Content-Type: text/html; charset=utf-8\n\n' + text


def signed(tmp, body, crlf):
    """a clear-signed message by a key of its own"""
    key, cert, part, sig = (os.path.join(tmp, n) for n in ('k', 'c', 'p', 's'))
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=x/emailAddress=a@b.example', '-days', '2', '-keyout', key, '-out', cert], check=True, stderr=subprocess.DEVNULL)
    with open(part, 'wb') as f:
        f.write(body.replace(b'\n', b'\r\n'))
    subprocess.run(['openssl', 'cms', '-sign', '-binary', '-in', part, '-signer', cert, '-inkey', key, '-outform', 'DER', '-out', sig], check=True)
    with open(sig, 'rb') as f:
        sig = base64.encodebytes(f.read())
    m = HEAD + multi(b'signed; protocol="application/pkcs7-signature"', b'b', [body, b'Content-Type: application/pkcs7-signature\nContent-Transfer-Encoding: base64\n\n' + sig])
    return m.replace(b'\n', b'\r\n') if crlf else m


def cases(tmp):
    yield 'text of 100 MB', HEAD + b'\n' + b'some words in a line\n' * (5 * MIB), (6,)
    yield '100 MB of empty lines', HEAD + b'\n' + b'\n' * (100 * MIB), (6,)
    yield 'one line of 100 MB', HEAD + b'\n' + b'x' * (100 * MIB), (6,)
    yield 'attachment of 75 MB', HEAD + multi(b'mixed', b'b', [b'\nhello', b'Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n' + base64.encodebytes(b'\0' * (75 * MIB))]), (6,)
    yield '100,000 parts', HEAD + multi(b'mixed', b'b', [b'\np'] * 100000), (6,)
    yield '100,000 attachments', HEAD + multi(b'mixed', b'b', [b'Content-Type: a/b; name=x\n\np'] * 100000), (6,)
    yield 'multiparts nested 10,000 deep', HEAD + nested(), (6,)
    yield 'alternatives nested 90 deep, 9,000 parts', HEAD + alternatives(90, 100), (6,)
    yield 'messages nested 25,000 deep', HEAD + b'Content-Type: message/rfc822\n\n' * 25000, (6,)
    yield '10 million delimiters', HEAD + b'Content-Type: multipart/mixed; boundary=b\n\n' + b'--b\n' * (10 * MIB), (6,)
    yield 'comments nested 200,000 deep in From', b'From: ' + b'(' * 200000 + b'\nSubject: s\n\nx\n', (6,)
    yield 'a million authors', b'From: ' + b'a@b, ' * 1000000 + b'\n\nx\n', (6,)
    yield 'header line of 20 MB', HEAD + b'X: ' + b'a' * (20 * MIB) + b'\n\nx\n', (65,)
    yield 'header of 100,000 fields', HEAD + b'X: y\n' * 100000 + b'\nx\n', (65,)
    yield 'encoded words of 4 MB', HEAD + b'Subject: ' + b'=?utf-8?q?=41?= ' * (MIB // 4) + b'\n\nx\n', (6,)
    yield '100,000 parameters', HEAD + b'Content-Type: text/plain' + b''.join(b'; n*%d=x' % i for i in range(100000)) + b'\n\nx\n', (6,)
    yield 'elements nested 20,000 deep', HEAD + html(b'<div>' * 20000 + b'x'), (6,)
    yield 'a million open formatting elements', HEAD + html(b'<b><i><font size=1>' * 300000 + b'x'), (6,)
    yield 'a hundred thousand links', HEAD + html(b''.join(b'<a href="https://x.example/%d">l</a> ' % i for i in range(100000))), (6,)
    yield 'table of 1 million cells', HEAD + html(b'<table>' + b'<tr><td>a<td>b<td>c<td>d' * 250000), (6,)
    yield '20 MB of a shifted charset', HEAD + b'Content-Type: text/plain; charset=iso-2022-jp\n\n' + b'\x1b$B%F%9\x1b(Bx' * (2 * MIB), (6,)
    yield 'S/MIME that is 50 MB of noise', HEAD + b'Content-Type: application/pkcs7-mime; smime-type=enveloped-data\nContent-Transfer-Encoding: base64\n\n' + base64.encodebytes(os.urandom(50 * MIB)), (8,)
    yield 'S/MIME of a million open sets', HEAD + b'Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\n' + base64.encodebytes(b'\x30\x80' * 1000000), (8,)
    yield '1,000 parts that claim to be S/MIME', HEAD + multi(b'mixed', b'b', [b'Content-Type: application/pkcs7-mime\n\n' + b'x' * 1000] * 1000), (6,)
    body = b'Content-Type: text/plain\n\n' + b'some words in a line\n' * (4 * MIB)
    yield 'signed text of 84 MB, CRLF', signed(tmp, body, True), (4,)
    yield 'signed text of 84 MB, LF', signed(tmp, body, False), (4,)


def run(path, profile):
    """-> (exit code, seconds, MiB, octets of output)"""
    out = open(path + '.out', 'w+b')
    begin = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out.fileno(), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
        os.execv(SIGNET, [SIGNET, '--profile', profile, '--batch', '--json', 'verify', path])
    _, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - begin
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    size = os.fstat(out.fileno()).st_size
    out.close()
    os.unlink(path + '.out')
    return code, seconds, usage.ru_maxrss / 1024, size


def main():
    tmp = tempfile.mkdtemp()
    n = 0
    try:
        for name, message, codes in cases(tmp):
            n += 1
            path = os.path.join(tmp, 'm')
            with open(path, 'wb') as f:
                f.write(message)
            size = len(message)
            del message
            code, seconds, mib, out = run(path, os.path.join(tmp, 'profile'))
            # what is in use: the message itself is mapped or read once
            good = code in codes and seconds <= 5 and mib <= 256
            print('%s %d - %s' % ('ok' if good else 'not ok', n, name))
            print('# exit %d, %.2f s, %d MiB (message %d MiB, answer %d KiB)' % (code, seconds, mib, size >> 20, out >> 10))
            sys.stdout.flush()
    finally:
        shutil.rmtree(tmp)
    print('1..%d' % n)


main()
