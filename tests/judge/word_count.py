#!/usr/bin/env python3
"""Counts words as `word-count` must: `python3 word_count.py FILE...` prints `word,count`, rows sorted by byte.

A word is a maximal run of ASCII letters, digits and apostrophes, in lower case; any other byte separates.
"""

import collections
import re
import sys
from pathlib import Path


def word_rows(contents):
    counts = collections.Counter()
    for content in contents:
        counts.update(word.lower() for word in re.findall(rb"[0-9A-Za-z']+", content))
    return sorted(b"%s,%d" % entry for entry in counts.items())


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    rows = word_rows(Path(path).read_bytes() for path in sys.argv[1:])
    sys.stdout.buffer.writelines(row + b"\n" for row in [b"word,count", *rows])
