#!/usr/bin/env python3
"""A submission server that stops where a test wants it to.

smtp-server.py DIR [--tls | --starttls] : listens on 127.0.0.1, writes its port to DIR/port, its pid to DIR/pid.
DIR/cert.pem and DIR/key.pem are its certificate. What it accepted lies in DIR/accepted, one JSON object a line, written
before it answers. DIR/stop names where it hangs up (empty or missing: nowhere), read at each connection:
  connect banner ehlo starttls auth mail rcpt1 rcpt2 data body     before it answers that
  dot        after the message's dot, not accepted
  kept       after the dot: accepted, and no answer
  answered   right after the answer to the dot
Of a message over 20 MB "data" is only the beginning; "size" and "sha256" are of all of it. SMTP_SIZE is the most it takes.
Recipients that begin with "refuse" get 550, with "later" 451. User anna, password secret-anna. With SMTP_CLIENTS=FILE
(authorities) only AUTH EXTERNAL: who logs in is the common name of the certificate; DIR/logins has each attempt.
"""
import base64, hashlib, json, os, select, socket, ssl, sys, threading

folder = sys.argv[1]
mode = sys.argv[2] if len(sys.argv) > 2 else '--tls'
lock = threading.Lock()
LARGE = 20000000


class Stop(Exception):
    pass


def quick(conn):
    """Acknowledge at once, or a peer that writes twice waits 40 ms (Nagle and the delayed ACK)."""
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def until_dot(stream, before_read):
    """What stands before the line of a dot alone, in blocks of whole lines, without the dots put before others (RFC 5321,
    4.5.2), and None where the line ends too early. By blocks: a message of 100 MB has more than a million lines."""
    begun = b''  # of a line whose end is still to come
    while True:
        before_read()
        got = stream.peek()
        if not got:
            yield None
            return
        block = b'\n' + begun + got
        end = block.find(b'\n.\r\n')
        last = end if end >= 0 else block.rfind(b'\n')
        stream.read(end + len(b'.\r\n') - len(begun) if end >= 0 else len(got))
        yield block[:last + 1].replace(b'\n.', b'\n')[1:]
        if end >= 0:
            return
        begun = block[last + 1:]


def secured(context, conn):
    conn = context.wrap_socket(conn, server_side=True, do_handshake_on_connect=False)
    conn.setblocking(False)
    while True:
        try:
            conn.do_handshake()
            break
        except ssl.SSLWantReadError:
            quick(conn)
            if not select.select([conn], [], [], 60)[0]:
                raise OSError('no handshake')
    conn.setblocking(True)
    return conn


def serve(raw):
    try:
        stop = open(folder + '/stop').read().strip()
    except OSError:
        stop = ''

    def at(name):
        if stop == name:
            raise Stop

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + '/cert.pem', folder + '/key.pem')
    clients = os.environ.get('SMTP_CLIENTS')
    if clients:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_OPTIONAL
    conn = raw
    try:
        at('connect')
        secure = mode == '--tls'
        if secure:
            conn = secured(context, raw)
        stream = conn.makefile('rwb', 65536)

        def readline():
            quick(conn)
            return stream.readline()

        def say(text):
            stream.write(text.encode() + b'\r\n')
            stream.flush()
            quick(conn)

        at('banner')
        say('220 lab.example ESMTP')
        state = {'from': None, 'to': []}
        user = None
        while True:
            line = readline()
            if not line:
                return
            word = line.decode('utf-8', 'replace').strip()
            verb = word.upper()
            if verb.startswith('EHLO'):
                at('ehlo')
                caps = ['lab.example', 'SIZE ' + os.environ.get('SMTP_SIZE', '50000000'), '8BITMIME', 'SMTPUTF8', 'DSN', 'PIPELINING']
                if secure:
                    caps.append('AUTH EXTERNAL' if clients else 'AUTH PLAIN LOGIN')
                else:
                    caps.append('STARTTLS')
                for i, cap in enumerate(caps):
                    stream.write(('250%s%s\r\n' % ('-' if i + 1 < len(caps) else ' ', cap)).encode())
                stream.flush()
            elif verb == 'STARTTLS':
                at('starttls')
                say('220 go')
                conn = secured(context, conn)
                stream = conn.makefile('rwb', 65536)
                secure = True
            elif verb.startswith('AUTH EXTERNAL') and clients:
                at('auth')
                given = word.split()[2] if len(word.split()) > 2 else '='
                wanted = base64.b64decode(given).decode() if given != '=' else ''
                names = [value for rdn in (conn.getpeercert() or {}).get('subject', ()) for key, value in rdn
                         if key == 'commonName']
                user = names[0] if names and wanted in ('', names[0]) else None
                with lock, open(folder + '/logins', 'a') as out:
                    out.write('%s as %s: %s\n' % (names, wanted or '-', user))
                say('235 2.7.0 welcome' if user else '535 5.7.8 no certificate of that name')
            elif verb.startswith('AUTH PLAIN') and not clients:
                at('auth')
                good = base64.b64decode(word.split()[2]) == b'\0anna\0secret-anna'
                user = 'anna' if good else None
                say('235 2.7.0 welcome' if good else '535 5.7.8 no')
            elif verb.startswith('MAIL FROM:'):
                at('mail')
                state = {'from': word, 'to': []}
                say('250 2.1.0 ok' if user else '530 5.7.0 log in first')
            elif verb.startswith('RCPT TO:'):
                at('rcpt%d' % (len(state['to']) + 1))
                address = word[9:].split('>')[0]
                if address.startswith('refuse'):
                    say('550 5.1.1 no such user')
                elif address.startswith('later'):
                    say('451 4.2.0 not now')
                else:
                    state['to'].append(address)
                    say('250 2.1.5 ok')
            elif verb == 'DATA':
                at('data')
                if not state['to']:
                    say('554 5.5.1 nobody')
                    continue
                say('354 go')
                body = []
                size = 0
                digest = hashlib.sha256()
                for lines in until_dot(stream, lambda: quick(conn)):
                    if lines is None:
                        return
                    size += len(lines)
                    digest.update(lines)
                    if size <= LARGE:
                        body.append(lines)
                    if size > 100000:
                        at('body')
                at('dot')
                with lock, open(folder + '/accepted', 'a') as out:
                    out.write(json.dumps({'from': state['from'], 'to': state['to'],
                                          'size': size, 'sha256': digest.hexdigest(),
                                          'data': b''.join(body).decode('latin-1')}) + '\n')
                    out.flush()
                    if not os.environ.get("SMTP_NO_SYNC"):
                        os.fsync(out.fileno())
                at('kept')
                say('250 2.0.0 queued')
                state = {'from': None, 'to': []}
                at('answered')
            elif verb == 'RSET':
                state = {'from': None, 'to': []}
                say('250 ok')
            elif verb == 'QUIT':
                say('221 bye')
                return
            else:
                say('500 5.5.2 what')
    except (Stop, OSError, ssl.SSLError, ValueError):
        pass
    finally:
        try:
            conn.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        conn.close()


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(('127.0.0.1', 0))
listener.listen(64)
with open(folder + '/pid', 'w') as out:
    out.write(str(os.getpid()))
with open(folder + '/port.new', 'w') as out:
    out.write(str(listener.getsockname()[1]))
os.rename(folder + '/port.new', folder + '/port')
while True:
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
