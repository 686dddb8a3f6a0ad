#!/usr/bin/env python3
"""Computes what the `flight-delays` pipeline must put out, the slow and obvious way.

    python3 flight_delays.py --flights F.csv.gz --weather W.csv.gz --out DIR

Reads everything first and only then groups, so that arrival order, watermarks and lateness cannot matter:
this is the answer when no record is late. Every output follows from its definition record by record (a
sliding window is found by walking over all windows that hold the flight), with nothing shared between
windows, because whatever the engine is clever about must not be clever here as well.

A mean is the exact sum of the whole minutes, divided once as a 64-bit float and printed with six decimals,
as the engine does. Here that is the same as the exact quotient rounded half to even: below 1,024 minutes
and below some millions of flights a float's error cannot reach across a rounding boundary, and the only
true ties, quotients of 128, are exact floats.

Input that has no defined answer (a missing time, a field that is not a number) is refused, not skipped:
what a pipeline does with it is for other tests.
"""

import argparse
import collections
import csv
import datetime
import gzip
import re
import sys
from pathlib import Path

SECOND = 1
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

Flight = collections.namedtuple(
    "Flight", "event_time time_hour carrier tailnum origin dest distance dep_delay arr_delay"
)

HEADERS = {
    "hourly": "origin,window_start,window_end,flights,departed,mean_dep_delay",
    "carriers": "carrier,window_start,window_end,flights,mean_arr_delay",
    "rotations": "tailnum,session_start,session_end,flights,distance",
    "weather": "origin,window_start,visibility_band,flights,mean_dep_delay",
    "top_routes": "origin,window_start,rank,dest,flights",
}


class Refused(Exception):
    """Input or arguments for which no answer is defined."""


# Reading


def rows_of(path):
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text, strict=True):
            if None in row or None in row.values():
                raise Refused(f"{path}: a row has the wrong number of fields: {row}")
            yield row


def present(field):
    return field not in ("", "NA")


def optional_minutes(field):
    return int(field) if present(field) else None


def instant(text, cache={}):
    """Seconds since the epoch of an RFC 3339 time in UTC; a year has few hours, so each is parsed once."""
    if text not in cache:
        parsed = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
        cache[text] = int(parsed.replace(tzinfo=datetime.timezone.utc).timestamp())
    return cache[text]


def rfc3339(seconds, cache={}):
    if seconds not in cache:
        moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
        cache[seconds] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return cache[seconds]


def read_flights(path):
    flights = []
    for row in rows_of(path):
        try:
            hour = instant(row["time_hour"])
            flights.append(
                Flight(
                    event_time=hour + int(row["minute"]) * MINUTE,
                    time_hour=hour,
                    carrier=row["carrier"],
                    tailnum=row["tailnum"] if present(row["tailnum"]) else None,
                    origin=row["origin"],
                    dest=row["dest"],
                    distance=int(row["distance"]),
                    dep_delay=optional_minutes(row["dep_delay"]),
                    arr_delay=optional_minutes(row["arr_delay"]),
                )
            )
        except (KeyError, ValueError) as reason:
            raise Refused(f"{path}: {reason!r} in {row}") from reason
    return flights


def visibility_band(miles):
    if miles <= 2:
        return "0-2"
    if miles <= 5:
        return "2-5"
    return "5-10"


def read_bands(path):
    """The bands of an (origin, hour), one for each weather row with a visibility, as an inner join pairs them."""
    bands = collections.defaultdict(list)
    for row in rows_of(path):
        try:
            if present(row["visib"]):
                key = (row["origin"], instant(row["time_hour"]))
                bands[key].append(visibility_band(float(row["visib"])))
        except (KeyError, ValueError) as reason:
            raise Refused(f"{path}: {reason!r} in {row}") from reason
    return bands


# Arithmetic


def window_start(event_time, size):
    return event_time - event_time % size


def windows_holding(event_time, size, slide):
    """Starts of all windows [start, start + size) that hold the time, starts being multiples of the slide."""
    start = window_start(event_time, slide)
    while start + size > event_time:
        yield start
        start -= slide


def mean(values):
    present_values = [value for value in values if value is not None]
    return "%.6f" % (sum(present_values) / len(present_values)) if present_values else ""


def grouped(pairs):
    groups = collections.defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups.items()


# The five outputs


def hourly(flights, size):
    pairs = (((f.origin, window_start(f.event_time, size)), f.dep_delay) for f in flights)
    for (origin, start), delays in grouped(pairs):
        departed = sum(delay is not None for delay in delays)
        yield origin, rfc3339(start), rfc3339(start + size), len(delays), departed, mean(delays)


def carriers(flights, size, slide):
    pairs = (
        ((f.carrier, start), f.arr_delay)
        for f in flights
        for start in windows_holding(f.event_time, size, slide)
    )
    for (carrier, start), delays in grouped(pairs):
        yield carrier, rfc3339(start), rfc3339(start + size), len(delays), mean(delays)


def rotations(flights, gap):
    pairs = ((f.tailnum, (f.event_time, f.distance)) for f in flights if f.tailnum is not None)
    for tailnum, legs in grouped(pairs):
        sessions = []
        for time, distance in sorted(legs):
            # A silence of exactly the gap already ends the session.
            if not sessions or time - sessions[-1][-1][0] >= gap:
                sessions.append([])
            sessions[-1].append((time, distance))
        for session in sessions:
            first, last = session[0][0], session[-1][0]
            miles = sum(distance for _, distance in session)
            yield tailnum, rfc3339(first), rfc3339(last + gap), len(session), miles


def weather(flights, bands, size):
    pairs = (
        ((f.origin, window_start(f.event_time, size), band), f.dep_delay)
        for f in flights
        for band in bands.get((f.origin, f.time_hour), ())
    )
    for (origin, start, band), delays in grouped(pairs):
        yield origin, rfc3339(start), band, len(delays), mean(delays)


def top_routes(flights, size, top):
    pairs = (((f.origin, window_start(f.event_time, size)), f.dest) for f in flights)
    for (origin, start), dests in grouped(pairs):
        ranking = sorted(collections.Counter(dests).items(), key=lambda entry: (-entry[1], entry[0]))
        for rank, (dest, count) in enumerate(ranking[:top], start=1):
            yield origin, rfc3339(start), rank, dest, count


def outputs(flights, bands, options):
    """Each output's name with its rows as CSV lines, sorted by byte."""
    computed = {
        "hourly": hourly(flights, options.hourly_window),
        "carriers": carriers(flights, options.carriers_size, options.carriers_slide),
        "rotations": rotations(flights, options.gap),
        "weather": weather(flights, bands, options.weather_window),
        "top_routes": top_routes(flights, options.routes_window, options.routes_top),
    }
    for name, rows in computed.items():
        yield name, sorted(",".join(map(str, row)).encode() for row in rows)


def write_outputs(directory, named_lines):
    directory.mkdir(parents=True, exist_ok=True)
    for name, lines in named_lines:
        header = HEADERS[name].encode()
        (directory / f"{name}.csv").write_bytes(b"".join(line + b"\n" for line in [header, *lines]))
        print(f"{name}: {len(lines)} rows")


# Command line


def disorder(flights):
    """How far, in seconds, a flight comes behind the latest event time seen before it, at most."""
    latest, worst = None, 0
    for flight in flights:
        latest = flight.event_time if latest is None else max(latest, flight.event_time)
        worst = max(worst, latest - flight.event_time)
    return worst


def duration(text):
    match = re.fullmatch(r"([1-9][0-9]*)(s|m|h|d)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration like 30s, 15m, 6h or 1d")
    return int(match[1]) * {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}[match[2]]


def add_input_arguments(parser, **defaults):
    """Arguments that name the input and the windows; the cross-check takes the same."""
    for name in ("flights", "weather"):
        default = defaults.get(name)
        parser.add_argument(f"--{name}", type=Path, default=default, required=default is None)
    parser.add_argument("--hourly-window", type=duration, default="1h")
    parser.add_argument("--carriers-size", type=duration, default="24h")
    parser.add_argument("--carriers-slide", type=duration, default="1h")
    parser.add_argument("--gap", type=duration, default="6h")
    parser.add_argument("--weather-window", type=duration, default="24h")
    parser.add_argument("--routes-window", type=duration, default="24h")
    parser.add_argument("--routes-top", type=int, default=3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_input_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="directory for the five files")
    parser.add_argument(
        "--bound",
        type=duration,
        help="refuse input that is further out of order than this, since some of it may then be late",
    )
    options = parser.parse_args()

    flights = read_flights(options.flights)
    worst = disorder(flights)
    print(f"{len(flights)} flights, at most {worst} s out of order")
    if options.bound is not None and worst > options.bound:
        raise Refused(f"{options.flights}: {worst} s out of order, and the bound is {options.bound} s")
    write_outputs(options.out, outputs(flights, read_bands(options.weather), options))


if __name__ == "__main__":
    try:
        main()
    except (Refused, OSError, EOFError) as reason:
        print(f"flight_delays: {reason}", file=sys.stderr)
        sys.exit(2)
