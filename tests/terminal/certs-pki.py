"""Certificates for tests/terminal/certs*.t, into the folder that is named; certs-lib.sh puts them into the database."""
import os, random, sys, time, types
sys.path.insert(0, 'tests/corpus')
from generate import BOTH, DAY, ENC, MAIL, PKI, x_bc, x_ku, x_san

out = sys.argv[1]
now = int(time.time())
pki = PKI(types.SimpleNamespace(rng=random.Random(5), out=out, now=now))
CA = (x_bc(True), x_ku('cs', 'crl'))

def write(name, entity):
    with open(os.path.join(out, name + '.pem'), 'wb') as f:
        f.write(entity.pem())

def person(name, issuer, days=700, begun=40, exts=BOTH, cn=None, key=None, address=None):
    e = pki.cert(name, [('CN', cn if cn is not None else name.capitalize())], issuer=issuer, nb=now - begun * DAY,
                 na=now + days * DAY, exts=list(exts) + [x_san('email:' + (address or name + '@example.org'))], key=key)
    write(name, e)
    return e

root = pki.cert('root', [('O', 'Lab'), ('CN', 'Lab Mail CA')], exts=CA)
other = pki.cert('other', [('O', 'Elsewhere'), ('CN', 'Other Root')], exts=CA)
write('root', root)
write('other', other)
write('sub', pki.cert('sub', [('O', 'Elsewhere'), ('CN', 'Elsewhere Sub CA')], issuer=other, exts=CA))
bob = person('bob', root)
person('bobold', root, days=-5, begun=400, cn='Bob', address='bob@example.org')
person('bobsoon', root, days=10, begun=300, cn='Bob', address='bob@example.org')
people = pki.key('people')
person('anna', root, key=people)
person('carl', root, days=-3, begun=300, key=people)
dora = person('dora', root, key=people)
person('erik', root, exts=MAIL, key=people)
person('fred', other, key=people)
person('gina', root, days=10, begun=300, exts=ENC, key=people)
# what its maker says of himself: escape sequences, C1, bidi, and more than any screen holds
person('hostile', root, key=people, cn='\x1b[2J\x1b]0;owned\x07\x9b31m\u202eevil\u2066' + 'W' * 10000)
for i in range(12):
    person('many%02d' % i, root, key=people)
with open(os.path.join(out, 'lab.crl'), 'wb') as f:
    f.write(pki.crl(root, [(dora, now - DAY, 1)]))
