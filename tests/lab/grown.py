"""grown.py FILE PAGES: makes an SQLite file that nobody has open say that it has so many pages, the new ones a hole."""
import sqlite3
import sys

name, pages = sys.argv[1], int(sys.argv[2])
db = sqlite3.connect(name)
assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
size = db.execute("PRAGMA page_size").fetchone()[0]
db.close()
with open(name, "r+b") as f:
    f.truncate(pages * size)
    f.seek(28)
    f.write(pages.to_bytes(4, "big"))
