#!/usr/bin/env python3
"""Compares the outputs of a run with the expected ones, as sorted rows.

    python3 compare.py EXPECTED_DIR ACTUAL_DIR [--only NAME ...] [--show N]

EXPECTED_DIR holds `NAME.csv` for each output; ACTUAL_DIR either `NAME.csv` or a folder `NAME` of parts
`*.csv`, each with the header. The order of rows and their division into parts may differ, and nothing else
may: rows are compared as bytes and counted, headers must be equal, each file must end with a newline, and
a folder must hold nothing but parts. Exits with 1 at a difference and with 2 if the expected files are
missing or wrong themselves.
"""

import argparse
import collections
import sys
from pathlib import Path

NAMES = ("hourly", "carriers", "rotations", "weather", "top_routes")


class Malformed(Exception):
    """An output that cannot be compared, because it is missing or no CSV with a header."""


def read_part(path):
    content = path.read_bytes()
    if not content:
        raise Malformed(f"{path}: empty, not even a header")
    if not content.endswith(b"\n"):
        raise Malformed(f"{path}: does not end with a newline")
    header, *rows = content[:-1].split(b"\n")
    return header, rows


def part_paths(directory, name):
    single, folder = directory / f"{name}.csv", directory / name
    if single.exists() and folder.exists():
        raise Malformed(f"{directory}: both {name}.csv and {name}/ are there")
    if single.exists():
        return [single]
    if not folder.is_dir():
        raise Malformed(f"{directory}: neither {name}.csv nor {name}/ is there")
    paths = sorted(folder.iterdir())
    strays = [path.name for path in paths if path.suffix != ".csv" or path.name.startswith(".") or path.is_dir()]
    if strays:
        raise Malformed(f"{folder}: holds what is no part: {', '.join(strays)}")
    if not paths:
        raise Malformed(f"{folder}: holds no parts")
    return paths


def compare(expected_directory, actual_directory, name, show):
    """Lines that say what differs; none if nothing does."""
    wanted_header, wanted_rows = read_part(expected_directory / f"{name}.csv")
    found_rows = collections.Counter()
    problems = []
    try:
        for path in part_paths(actual_directory, name):
            header, rows = read_part(path)
            if header != wanted_header:
                problems.append(f"{path}: header is {header!r}, expected {wanted_header!r}")
            found_rows.update(rows)
    except (Malformed, OSError) as reason:
        return [str(reason)]

    wanted = collections.Counter(wanted_rows)
    for label, rows in (("missing", wanted - found_rows), ("unexpected", found_rows - wanted)):
        if rows:
            problems.append(f"{sum(rows.values())} rows {label}, the first:")
            first = sorted(rows.elements())[:show]
            problems.extend("  " + row.decode("utf-8", "backslashreplace") for row in first)
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("expected", type=Path)
    parser.add_argument("actual", type=Path)
    parser.add_argument("--only", nargs="+", default=NAMES, metavar="NAME", help="outputs to compare")
    parser.add_argument("--show", type=int, default=10, metavar="N", help="rows to print of each kind")
    options = parser.parse_args()

    differs = False
    for name in options.only:
        problems = compare(options.expected, options.actual, name, options.show)
        differs = differs or bool(problems)
        print(f"{name}: {'DIFFERENT' if problems else 'equal'}")
        for problem in problems:
            print(f"  {problem}")
    return 1 if differs else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Malformed, OSError) as reason:
        print(f"compare: {reason}", file=sys.stderr)
        sys.exit(2)
