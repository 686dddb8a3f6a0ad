#!/usr/bin/env python3
"""Packs January out of the whole year's flights and weather.

    python3 pack_january.py YEAR_FLIGHTS.csv.gz YEAR_WEATHER.csv.gz

Writes `flights-2013-01.csv.gz` and `weather-2013-01.csv.gz` beside this file. Lines are copied as they
are, in the order of the year's files: the order is the order of arrival, and it is what makes the data
worth streaming. No name and no time goes into the packed files, so that the same input always gives the
same bytes (from one version of zlib; the contents are the same from any).
"""

import gzip
import sys
from pathlib import Path


def lines_of(path):
    with gzip.open(path, "rb") as packed:
        return packed.read().splitlines(keepends=True)


def column(header, name):
    return header.rstrip(b"\n").split(b",").index(name)


def pack(path, lines):
    with open(path, "wb") as raw:
        with gzip.GzipFile("", "wb", compresslevel=9, fileobj=raw, mtime=0) as packed:
            packed.writelines(lines)


def main(flights_path, weather_path):
    here = Path(__file__).resolve().parent

    header, *rows = lines_of(flights_path)
    month, hour = column(header, b"month"), column(header, b"time_hour")
    january = [row for row in rows if row.rstrip(b"\n").split(b",")[month] == b"1"]
    pack(here / "flights-2013-01.csv.gz", [header] + january)

    # The month is New York's, so its last flights leave on 1 February in UTC, and their weather with them.
    last_hour = max(row.rstrip(b"\n").split(b",")[hour] for row in january)
    header, *rows = lines_of(weather_path)
    hour = column(header, b"time_hour")
    needed = [row for row in rows if row.rstrip(b"\n").split(b",")[hour] <= last_hour]
    pack(here / "weather-2013-01.csv.gz", [header] + needed)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
