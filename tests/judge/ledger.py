#!/usr/bin/env python3
"""Says whether the ledger that `two-phase-commit` has booked is exactly its log.

    python3 ledger.py OUTPUT --events 200000 [--partitions 8] [--keys 1000] [--seed 1] [--database FILE]

OUTPUT is the folder that the pipeline wrote: `ledger.sqlite` and the parts in `ledger/`. Prints what it found in one
line and exits with 1 where anything is wrong.

- lost: events of the log that are not in the table, or not in the parts.
- doubled: entries that are there again, counted in each place by themselves.
- extra: entries without an event, or whose key, payload or hash is not the event's.
- disorder: keys whose running count does not go 1, 2, 3, .. in the order of the table's rows, or along which a
  partition's offsets do not grow; and files in which they do not grow.
- differ: whether table and parts are not the same set of entries.

The log is computed here by its definition: event `offset` of partition `p` throws the dice of (seed, p << 40 | offset),
a SplitMix64 that begins at a hash of both.
"""

import argparse
import collections
import json
import sqlite3
import sys
from pathlib import Path

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def mix(bits):
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & MASK
    return bits ^ (bits >> 31)


def dice(seed, index):
    """The numbers below limits that are sent in."""
    state = mix((seed + mix((index * GOLDEN) & MASK)) & MASK)
    drawn = None
    while True:
        limit = yield drawn
        state = (state + GOLDEN) & MASK
        drawn = (mix(state) * limit) >> 64


def fnv(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return f"{value:016x}"


def event(partition, offset, keys, seed):
    """Key, payload and hash of an event."""
    drawn = dice(seed, partition << 40 | offset)
    next(drawn)
    key = drawn.send(keys)
    length = 8 + drawn.send(40)
    payload = "".join(chr(97 + drawn.send(26)) for _ in range(length))
    return key, payload, fnv(f"{partition}/{offset}/{key}/{payload}")


def log(options):
    return {
        (number % options.partitions, number // options.partitions): event(
            number % options.partitions, number // options.partitions, options.keys, options.seed
        )
        for number in range(options.events)
    }


def rows(database):
    if not database.exists():
        return []
    connection = sqlite3.connect(database)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), "the database is damaged"
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'ledger'").fetchone():
        return []
    query = 'SELECT "partition", "offset", "key", "count", payload, hash FROM ledger ORDER BY rowid'
    return connection.execute(query).fetchall()


def parts(folder):
    fields = ("partition", "offset", "key", "count", "payload", "hash")
    for part in sorted(folder.glob("*.jsonl")):
        text = part.read_bytes()
        assert not text or text.endswith(b"\n"), f"{part} ends in the middle of a line"
        entries = [json.loads(line) for line in text.splitlines()]
        yield [tuple(entry[field] for field in fields) for entry in entries]


def disordered(entries, from_one):
    """Keys whose counts and offsets do not grow as they should."""
    counts, offsets, wrong = {}, {}, set()
    for partition, offset, key, count, _, _ in entries:
        before = counts.get(key, 0 if from_one else None)
        if before is not None and (count != before + 1 if from_one else count <= before):
            wrong.add(key)
        if offsets.get((key, partition), -1) >= offset:
            wrong.add(key)
        counts[key], offsets[key, partition] = count, offset
    return len(wrong)


def compare(expected, table, files):
    """What is wrong, counted."""
    in_files = [entry for part in files for entry in part]
    lost = doubled = extra = 0
    for entries in (table, in_files):
        places = collections.Counter((entry[0], entry[1]) for entry in entries)
        doubled += sum(count - 1 for count in places.values())
        extra += sum(expected.get((entry[0], entry[1])) != (entry[2], entry[4], entry[5]) for entry in entries)
        lost += sum(place not in places for place in expected)
    return {
        "entries": len(table),
        "lost": lost,
        "doubled": doubled,
        "extra": extra,
        "disorder": disordered(table, True) + sum(disordered(part, False) for part in files),
        "differ": int(sorted(table) != sorted(in_files)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", type=Path)
    options = parser.parse_args()
    database = options.database or options.output / "ledger.sqlite"
    found = compare(log(options), rows(database), list(parts(options.output / "ledger")))
    print(", ".join(f"{what} {count}" for what, count in found.items()))
    return int(any(count for what, count in found.items() if what != "entries"))


if __name__ == "__main__":
    sys.exit(main())
