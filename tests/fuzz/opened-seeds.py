#!/usr/bin/env python3
"""Makes the seeds of fuzz-opened anew: tests/fuzz/seeds/opened. GVariant's serialization by hand, little endian.
usage: python3 tests/fuzz/opened-seeds.py (needs the openssl command line, for a sealed piece)"""
import hashlib, os, struct, subprocess, sys

here = os.path.dirname(os.path.abspath(__file__))
out = os.path.join(here, 'seeds', 'opened')


def offsets(body, ends):
    """body and the ends of its parts, each in as few octets as do for the whole"""
    for width, letter in ((1, 'B'), (2, 'H'), (4, 'I'), (8, 'Q')):
        if len(body) + width * len(ends) < 1 << 8 * width:
            return body + b''.join(struct.pack('<' + letter, end) for end in ends)


def pad(octets, to):
    return octets + bytes(-len(octets) % to)


def text(folder, uidvalidity, uid, message_id, lost, sender, to, subject, words):
    """(suusxssss)"""
    body, ends = folder.encode() + b'\0', []
    ends.append(len(body))
    body = pad(body, 4) + struct.pack('<II', uidvalidity, uid) + message_id.encode() + b'\0'
    ends.append(len(body))
    body = pad(body, 8) + struct.pack('<q', lost)
    for field in (sender, to, subject):
        body += field.encode() + b'\0'
        ends.append(len(body))
    return offsets(body + words.encode() + b'\0', ends[::-1])


def inside(*texts, number=1):
    """(ya(suusxssss))"""
    body, ends = b'', []
    for one in texts:
        body = pad(body, 8) + one
        ends.append(len(body))
    return pad(bytes([number]), 8) + offsets(body, ends)


def frame(octets, ids):
    numbers = b''.join(struct.pack('>Q', one) for one in ids)
    head = b'SNPC' + struct.pack('>II', len(octets), len(ids)) + hashlib.sha256(octets).digest()[:16]
    return head + hashlib.sha256(head + numbers).digest()[:8] + numbers + octets


def main():
    os.makedirs(out, exist_ok=True)
    here_one = text('INBOX', 7, 1, '1@x', 0, 'Jo <jo@test.example>', 'ec@fuzz.example\n', 'Budget', 'quetzalcoatlus and a budget')
    moved = text('INBOX', 7, 9, '2@x', 0, 'Jo <jo@test.example>', '', 'Moved', 'a pterodactyl')
    lost = text('Gone', 7, 3, '', 1700000000, '', '', '', 'lost')
    odd = text('INBOX', 7, 1, '1@x', -1, 'Zo\u00eb', '\u202e', '\u00e4' * 300, 'twice')
    sealed = subprocess.run(['openssl', 'cms', '-encrypt', '-binary', '-aes-256-gcm', '-outform', 'DER', os.path.join(here, 'keys', 'reader.pem')],
                            input=inside(here_one), stdout=subprocess.PIPE, check=True).stdout
    owner = hashlib.sha256(b'imap ec@mail.example.org:993').hexdigest()
    two = frame(sealed, [1]) + frame(b'no CMS', [2, 3])
    for name, octets in {
        'inside-one': b'U\1' + inside(here_one),
        'inside-three': b'U\3' + inside(here_one, moved, lost),
        'inside-odd': b'U\5' + inside(odd, here_one, odd, lost, moved),
        'inside-fewer': b'U\1' + inside(here_one, moved),
        'inside-newer': b'U\1' + inside(here_one, number=2),
        'inside-none': b'U\0' + inside(),
        'sealed': b'S' + sealed,
        'sealed-not': b'S' + b'no CMS',
        'file': b'P' + b'signet-pieces 1 ' + owner.encode() + b'\n' + two,
        'file-other': b'P' + b'signet-pieces 1 ' + b'0' * 64 + b'\n' + two,
        'file-torn': b'H' + two[:-3],
        'file-damaged': b'H' + two[:50] + b'?' + two[51:] + frame(b'', [4]),
        'file-marks': b'H' + b'SNPC' * 300 + two,
        'file-empty': b'P',
        'befell-octet': b'B\3' + b'\1\x20\2\x30\3\x10\0\0' + b'\0\0\x99\x20',
        'befell-cut': b'B\2' + b'\1\x20\2\x30\3\x10' + b'\1\0\xb0\0' + b'\2\0\0\x53',
        'befell-head': b'B\0' + b'\1\x20' + b'\0\0\5\0',
        'befell-length': b'B\2' + b'\1\x20\2\x30\3\x10' + b'\0\0\x57\xff',
    }.items():
        with open(os.path.join(out, name), 'wb') as f:
            f.write(octets)


if __name__ == '__main__':
    sys.exit(main())
