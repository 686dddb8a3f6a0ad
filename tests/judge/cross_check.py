#!/usr/bin/env python3
"""Compares flight_delays.py with flight_delays.sql, output by output and row by row.

    python3 cross_check.py [--flights F.csv.gz --weather W.csv.gz] [windows as for flight_delays.py]

Without arguments it takes January from `examples/data`. Exits with 1 if the two disagree anywhere.
"""

import argparse
import collections
import csv
import gzip
import sqlite3
import sys
from pathlib import Path

import flight_delays

HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "examples" / "data"
JANUARY = {"flights": DATA / "flights-2013-01.csv.gz", "weather": DATA / "weather-2013-01.csv.gz"}
SETTINGS = (
    "hourly_window", "carriers_size", "carriers_slide", "gap", "weather_window", "routes_window", "routes_top",
)


def load(database, table, path):
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", newline="") as text:
        rows = csv.reader(text)
        header = next(rows)
        columns = ", ".join(f'"{name}" TEXT' for name in header)
        database.execute(f"CREATE TABLE {table} ({columns})")
        marks = ", ".join("?" * len(header))
        database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def by_sql(options):
    """Each output's name with its header and its sorted CSV lines, as the SQL has them."""
    database = sqlite3.connect(":memory:")
    load(database, "flights", options.flights)
    load(database, "weather_rows", options.weather)
    database.execute("CREATE INDEX weather_of ON weather_rows (origin, time_hour)")
    database.execute("CREATE TABLE settings ({})".format(", ".join(f"{name} INTEGER" for name in SETTINGS)))
    marks = ", ".join("?" * len(SETTINGS))
    database.execute(f"INSERT INTO settings VALUES ({marks})", [getattr(options, name) for name in SETTINGS])
    database.executescript((HERE / "flight_delays.sql").read_text(encoding="utf-8"))
    for name in flight_delays.HEADERS:
        rows = database.execute(f"SELECT * FROM {name}")
        header = ",".join(column[0] for column in rows.description)
        yield name, header, sorted(",".join(map(str, row)).encode() for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flight_delays.add_input_arguments(parser, **JANUARY)
    options = parser.parse_args()

    flights = flight_delays.read_flights(options.flights)
    bands = flight_delays.read_bands(options.weather)
    python = dict(flight_delays.outputs(flights, bands, options))
    agree = True
    for name, header, lines in by_sql(options):
        same = header == flight_delays.HEADERS[name] and lines == python[name]
        agree = agree and same
        print(f"{name}: {len(lines)} rows, {'equal' if same else 'DIFFERENT'}")
        if not same:
            print(f"  header in SQL: {header}")
            sql_rows, python_rows = collections.Counter(lines), collections.Counter(python[name])
            for label, rows in (("Python", python_rows - sql_rows), ("SQL", sql_rows - python_rows)):
                for line in sorted(rows.elements())[:5]:
                    print(f"  only in {label}: {line.decode()}")
    return 0 if agree else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (flight_delays.Refused, OSError, EOFError) as reason:
        print(f"cross_check: {reason}", file=sys.stderr)
        sys.exit(2)
