"""For near-misses.t.

    near_misses.py list CORPUS trust|certs|keys|crl|messages CLASS...
    near_misses.py compare CORPUS SHOTS SIGNET PROFILE CLASS...

`compare` prints a line for each message whose screen (SHOTS/N.txt, and N.ansi with its colours) says more than the JSON
of `SIGNET verify`, then a summary; exit 1 if there was any.
"""
import concurrent.futures, json, os, re, subprocess, sys

HEADS = {  # what the first row may begin with, by signature and indicator
    'good': ('SIGNED BY ',),
    'warn': ('SIGNED BY SOMEONE ELSE', 'SIGNED, THE AUTHOR IS NOT CLEAR', 'SIGNED, BUT LOOK', 'SIGNED, NOT TRUSTED', 'SIGNATURE CANNOT BE CHECKED'),
    'bad': ('BAD SIGNATURE', 'CERTIFICATE REVOKED'),
    'none': ('Not signed', 'NOT SIGNED AS A WHOLE', 'ENCRYPTED'),
}
CONTROL = re.compile('[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]')
SIGNED_GUTTER = ('|', '#')


def entries(manifest, classes):
    return [e for e in manifest['messages'] if e['class'] in classes and not (e.get('detail') or {}).get('preload_certs')]


def listed(manifest, what, classes):
    if what == 'trust':
        return manifest['trust_anchors']
    if what == 'certs':
        return manifest['known_intermediates']
    if what == 'keys':
        return sorted({k for v in manifest['viewers'].values() for k in v['keys']})
    if what == 'crl':
        return [manifest['revocation']['crl']]
    return [e['file'] for e in entries(manifest, classes)]


def judge(signet, profile, file):
    got = subprocess.run([signet, '--profile', profile, '--batch', 'verify', '--json', file], capture_output=True, text=True, timeout=120)
    return json.loads(got.stdout.splitlines()[0]) if got.stdout else {'indicator': None, 'text': ''}


def styles(ansi):
    return {code for run in re.findall(r'\x1b\[([0-9;]*)m', ansi) for code in run.split(';')}


def compare(entry, got, text, ansi):
    lines, coloured = text.split('\n'), ansi.split('\n')
    rule = next((n for n, l in enumerate(lines) if l.startswith('── INBOX ')), None)
    if rule is None:
        return ['no rule under the strip']
    bad, strip = [], ' '.join(l.strip() for l in lines[:rule])
    body, indicator = lines[rule + 1:], got['indicator']
    flat = re.sub(r'\s+', ' ', ' '.join(l[2:] for l in body))
    display, what = entry.get('display') or {}, got.get('signature')
    if indicator is None:
        return bad if strip.startswith('This is not a message') else ['it is no message, but the strip says: ' + strip[:60]]
    if not strip.startswith(HEADS[indicator]) or (indicator != 'good' and strip.startswith('SIGNED BY ') and 'SOMEONE ELSE' not in strip):
        bad.append('%s, but the strip says: %s' % (indicator, strip[:80]))
    if ('32' in styles('\n'.join(coloured[:rule]))) != (indicator == 'good'):
        bad.append('the colour of a good signature does not go with ' + indicator)
    if indicator in ('warn', 'bad') and got.get('signer_matches_from') is False and not re.search('not |NOT CLEAR|one of several', strip):
        bad.append('the strip does not say that the signer is not the author')
    if what not in ('valid', 'valid-but-untrusted'):
        bad += ['marked as signed: ' + l[:60] for l in body if l.startswith(tuple(g + ' ' for g in SIGNED_GUTTER))]
    for word in display.get('must_not_show') or []:
        if word in flat:
            bad.append('shows %r' % word)
    for word in display.get('must_not_be_shown_as_signed') or []:
        bad += ['shows as signed: %r' % word for l in body if word in l and l.startswith(SIGNED_GUTTER)]
    for word in display.get('must_show') or []:
        if word in got['text'] and word not in flat:
            bad.append('the JSON has %r, the screen does not' % word)
    if CONTROL.search(text.replace('\n', '')):
        bad.append('a control character came through')
    return bad


def main():
    what, corpus = sys.argv[1], sys.argv[2]
    with open(os.path.join(corpus, 'manifest.json')) as f:
        manifest = json.load(f)
    if what == 'list':
        print('\n'.join(listed(manifest, sys.argv[3], sys.argv[4:])))
        return 0
    shots, signet, profile, classes = sys.argv[3], sys.argv[4], sys.argv[5], sys.argv[6:]
    chosen, failed = entries(manifest, classes), 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda e: judge(signet, profile, os.path.join(corpus, e['file'])), chosen))
    for n, (entry, got) in enumerate(zip(chosen, answers), 1):
        text, ansi = (open(os.path.join(shots, '%d.%s' % (n, end)), encoding='utf-8', errors='replace').read() for end in ('txt', 'ansi'))
        found = compare(entry, got, text, ansi)
        failed += bool(found)
        for line in found:
            print('%s (%s): %s' % (entry['id'], entry['class'], line))
    print('%d screens of %d are weaker than the JSON' % (failed, len(chosen)))
    return 1 if failed else 0


sys.exit(main())
