#!/usr/bin/env python3
"""Compares the outputs of `sensor-statistics` with what follows from the readings by definition.

    python3 sensor_statistics.py READINGS OUTPUT [--unfinished]

READINGS is a file of JSON lines in the order of arrival; OUTPUT is the directory that the pipeline wrote with its
default parameters. With --unfinished the job was ended before its input was: windows are there that the
watermark, ten minutes behind the newest reading, has passed. Exits with 1 at a difference.

- A line that is no reading, and a value outside -50..60, is rejected.
- The rest of each sensor's readings is put in the order of their times (then values). A value that came 5 times in a
  row is rejected from then on, until another value comes.
- What is left is counted in windows of an hour since the epoch. Variance and covariance are divided by the number
  of values. Sensors 0 and 1 are compared over readings of the same time.
"""

import argparse
import collections
import datetime
import json
import math
import sqlite3
import sys
from pathlib import Path

LOW, HIGH, REPEATS = -50.0, 60.0, 5
MINUTE, HOUR = 60_000, 3_600_000
BOUND = 10 * MINUTE


def mean(values):
    return math.fsum(values) / len(values)


def covariance(pairs):
    left, right = mean([pair[0] for pair in pairs]), mean([pair[1] for pair in pairs])
    return mean([(pair[0] - left) * (pair[1] - right) for pair in pairs])


def text(millis):
    moment = datetime.datetime.fromtimestamp(millis / 1000, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def expected(lines, unfinished):
    sensors, rejected, newest = collections.defaultdict(list), 0, -math.inf
    for line in lines:
        try:
            reading = json.loads(line)
            sensor, time, value = int(reading["sensor"]), int(reading["time"]), float(reading["value"])
        except (ValueError, KeyError, TypeError):
            rejected += 1
            continue
        if time <= newest - BOUND - 1:
            sys.exit(f"a reading of sensor {sensor} may be late, and then there is no one answer: {line}")
        newest = max(newest, time)
        if LOW <= value <= HIGH:
            sensors[sensor].append((time, value))
        else:
            rejected += 1
    watermark = newest - BOUND - 1 if unfinished else math.inf

    windows, values_at = collections.defaultdict(list), {}
    for sensor, readings in sensors.items():
        last, repeats = None, 0
        for time, value in sorted(readings):
            if time > watermark:
                break
            repeats = repeats + 1 if value == last else 1
            last = value
            if repeats > REPEATS:
                rejected += 1
                continue
            window = time // HOUR * HOUR
            if window + HOUR - 1 <= watermark:
                windows[sensor, window].append(value)
                values_at.setdefault((sensor, time), []).append(value)

    statistics = {
        (sensor, text(start)): {
            "window_end": text(start + HOUR), "readings": len(values), "sum": math.fsum(values),
            "mean": mean(values), "variance": covariance([(value, value) for value in values]),
            "lowest": min(values), "highest": max(values),
        }
        for (sensor, start), values in windows.items()
    }
    pairs = collections.defaultdict(list)
    for (sensor, time), lefts in values_at.items():
        if sensor == 0:
            rights = values_at.get((1, time), [])
            pairs[time // HOUR * HOUR] += [(left, right) for left in lefts for right in rights]
    relation = {
        (0, 1, text(start)): {
            "window_end": text(start + HOUR), "pairs": len(met), "covariance": covariance(met),
        }
        for start, met in pairs.items() if met
    }
    return statistics, relation, rejected


def keyed(rows, key):
    table = {tuple(row.pop(name) for name in key): row for row in rows}
    return table


def from_lines(path, key):
    lines = path.read_text().splitlines() if path.exists() else []
    table = keyed([json.loads(line) for line in lines], key)
    if len(table) != len(lines):
        sys.exit(f"{path}: two rows are about the same window")
    return table


def from_database(path, table, key):
    with sqlite3.connect(path) as database:
        database.row_factory = sqlite3.Row
        return keyed([dict(row) for row in database.execute(f"SELECT * FROM {table}")], key)


def same(left, right):
    if isinstance(left, float) or isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9)
    return left == right


def compare(what, expected, actual):
    differences = [f"{what}: {key} is missing" for key in sorted(expected.keys() - actual.keys())]
    differences += [f"{what}: {key} should not be there" for key in sorted(actual.keys() - expected.keys())]
    for key in sorted(expected.keys() & actual.keys()):
        want, got = expected[key], actual[key]
        if want.keys() != got.keys() or not all(same(want[name], got[name]) for name in want):
            differences.append(f"{what}: {key} is {got} and should be {want}")
    return differences


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("readings", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--unfinished", action="store_true")
    arguments = parser.parse_args()

    lines = arguments.readings.read_text().splitlines()
    statistics, relation, rejected = expected(lines, arguments.unfinished)
    differences = []
    for table, key, rows in [
        ("statistics", ("sensor", "window_start"), statistics),
        ("relation", ("left", "right", "window_start"), relation),
    ]:
        name = f"{table}.jsonl"
        differences += compare(name, rows, from_lines(arguments.output / name, key))
        database = arguments.output / "sensors.sqlite"
        differences += compare(f"{database.name}, {table}", rows, from_database(database, table, key))
    letters = arguments.output / "rejected.jsonl"
    actual = len(letters.read_text().splitlines()) if letters.exists() else 0
    if actual != rejected:
        differences.append(f"{letters.name}: {actual} lines, and should be {rejected}")
    if differences:
        sys.exit("\n".join(differences[:20] + [f"{len(differences)} differences"]))
    print(f"{len(statistics)} windows, {len(relation)} relations, {rejected} rejected: as they should be")


if __name__ == "__main__":
    main()
