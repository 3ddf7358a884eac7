"""The closest that a mail can come to our strip, gutter, rule lines and prompts, on stdout: the same characters, wider and
narrower ones, whatever could move text to the left or onto another row, lines that wrap where it suits them."""
import email.utils

STRIP = 'SIGNED BY ceo@bank.example (The CEO), says Bank CA; not encrypted          V details'
LEADS = ['', '\r', '\x85', '\u2028', '\u2029', '\u200b', '\ufeff', '\u202e', '\u2066', '\u200f', '\u00ad', '\u0300', '\u180e',
         '\b\b\b', '\t', '\x0b', '\x0c', '\x1b[1G', '\x9b1G', '\U000e0020', '\u3164', '\u2800', '\u115f']
BARS = '\u2502\u2503\u2551\u258c\u2588\uff5c\u2758\u23d0\u01c0\u05c0#=:|'
RULES = '\u2500\u2501\u2550\u2014\u2015\uff0d\u30fc_-'

lines = ['From: =?utf-8?q?CEO=0A=0D=0A_SIGNED_BY_ceo?= <ceo@bank.example>', 'To: bob@example.org', 'Date: ' + email.utils.formatdate(),
         'Subject: =?utf-8?q?Closest=0A_BY_ceo=40bank=2Eexample=0D=7C_x?=', ' =?utf-8?q?=E2=80=A8=7C_line?=', 'MIME-Version: 1.0',
         'Message-ID: <closest@example.org>', 'Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: 8bit', '']
for lead in LEADS:
    lines += [lead + STRIP, lead + '| bar']
lines += [bar + ' bar' for bar in BARS] + [rule * 80 for rule in RULES]
lines += [('x' * 74 + '||||') * 30, ' '.join(['| bar'] * 400), 'PIN of the token "Bank": ']
print('\n'.join(lines))
