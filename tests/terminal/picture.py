#!/usr/bin/env python3
"""A terminal's screen as a picture: `tmux capture-pane -ep | picture.py > doc/reader.svg`."""
import html
import re
import sys
import unicodedata

COLOURS = ['#1c1c1c', '#d75f5f', '#5faf5f', '#d7af5f', '#5f87d7', '#af87d7', '#5fafaf', '#d0d0d0',
           '#767676', '#ff8787', '#87d787', '#ffd787', '#87afff', '#d7afff', '#87d7d7', '#ffffff']
BACK, FRONT = '#16181d', '#d0d0d0'
CELL, LINE, SIZE = 8.4, 18, 14


def colour(n):
    if n < 16:
        return COLOURS[n]
    if n >= 232:
        return '#%02x%02x%02x' % ((8 + (n - 232) * 10,) * 3)
    n -= 16
    return '#%02x%02x%02x' % tuple(0 if v == 0 else 55 + v * 40 for v in (n // 36, n // 6 % 6, n % 6))


def width(c):
    if unicodedata.combining(c):
        return 0
    return 2 if unicodedata.east_asian_width(c) in 'WF' else 1


class Style:
    def __init__(self):
        self.fg, self.bg, self.bold, self.dim, self.under, self.reverse = None, None, False, False, False, False

    def apply(self, codes):
        codes = [int(c or 0) for c in codes.split(';')]
        while codes:
            c = codes.pop(0)
            if c == 0:
                self.__init__()
            elif c in (1, 2, 4, 7):
                setattr(self, {1: 'bold', 2: 'dim', 4: 'under', 7: 'reverse'}[c], True)
            elif c == 22:
                self.bold = self.dim = False
            elif c in (24, 27):
                setattr(self, {24: 'under', 27: 'reverse'}[c], False)
            elif 30 <= c <= 37 or 90 <= c <= 97:
                self.fg = colour(c - 30 if c < 90 else c - 82)
            elif 40 <= c <= 47:
                self.bg = colour(c - 40)
            elif c == 39:
                self.fg = None
            elif c == 49:
                self.bg = None
            elif c in (38, 48) and codes[:1] == [5]:
                setattr(self, 'fg' if c == 38 else 'bg', colour(codes[1]))
                codes = codes[2:]
            elif c in (38, 48) and codes[:1] == [2] and len(codes) >= 4:
                setattr(self, 'fg' if c == 38 else 'bg', '#%02x%02x%02x' % tuple(codes[1:4]))
                codes = codes[4:]

    def pair(self):
        fg, bg = self.fg or FRONT, self.bg
        if self.reverse:
            fg, bg = self.bg or BACK, self.fg or FRONT
        return fg, bg


def main():
    lines = sys.stdin.read().rstrip('\n').split('\n')
    out, style, widest = [], Style(), 0
    for row, line in enumerate(lines):
        column = 0
        for part in re.split(r'(\x1b\[[0-9;]*m)', line):
            if part.startswith('\x1b['):
                style.apply(part[2:-1])
                continue
            part = re.sub(r'\x1b.|[\x00-\x1f]', '', part)
            cells = sum(width(c) for c in part)
            if not part:
                continue
            fg, bg = style.pair()
            x, y = 10 + column * CELL, 10 + row * LINE
            if bg:
                out.append('<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>' % (x, y, cells * CELL, LINE, bg))
            if part.strip():
                out.append('<text x="%.1f" y="%d" fill="%s"%s%s%s textLength="%.1f" xml:space="preserve">%s</text>' % (
                    x, y + 13, fg, ' font-weight="bold"' if style.bold else '', ' opacity="0.7"' if style.dim else '',
                    ' text-decoration="underline"' if style.under else '', cells * CELL, html.escape(part)))
            column += cells
        widest = max(widest, column)
    w, h = 20 + max(widest, 80) * CELL, 20 + len(lines) * LINE
    print('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">' % (w, h, w, h))
    print('<rect width="100%%" height="100%%" rx="6" fill="%s"/>' % BACK)
    print('<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="%d">' % SIZE)
    print('\n'.join(out))
    print('</g></svg>')


main()
