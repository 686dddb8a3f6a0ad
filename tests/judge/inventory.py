#!/usr/bin/env python3
"""Says whether the report of `inventory` is what its orders add up to.

    python3 inventory.py OUTPUT [--orders 20000]

OUTPUT is the folder that the pipeline wrote: `orders.csv` and `report.csv`. Prints what it found in one line and exits with
1 where anything is wrong.

- lost, doubled: orders that were not booked, or more than once (numbers are 0, 1, 2, ..).
- different: articles whose stock, reservations or number of orders are not what the orders say.
"""

import argparse
import collections
import csv
import sys
from pathlib import Path

STOCK = {"delivered": 1, "sold": -1, "collected": -1, "cancelled": 0, "waiting": 0}


def totals(orders):
    """Number of orders, stock and reservations of each article."""
    found = collections.defaultdict(lambda: [0, 0, []])
    for row in orders:
        total = found[row["article"]]
        total[0] += 1
        total[1] += STOCK[row["kind"]] * int(row["pieces"])
        if row["kind"] == "waiting":
            total[2].append(int(row["id"]))
    return {article: (count, stock, sorted(waiting)) for article, (count, stock, waiting) in found.items()}


def compare(orders, report, count):
    """What is wrong, counted."""
    numbers = collections.Counter(int(row["id"]) for row in orders)
    told = {
        row["article"]: (int(row["orders"]), int(row["stock"]), [int(number) for number in row["reserved"].split()])
        for row in report
    }
    expected = totals(orders)
    different = sum(told.get(article) != expected.get(article) for article in set(told) | set(expected))
    return {
        "orders": len(orders),
        "reserved": sum(len(total[2]) for total in expected.values()),
        "lost": sum(number not in numbers for number in range(count)),
        "doubled": sum(times - 1 for times in numbers.values()),
        "different": different + len(report) - len(told),
    }


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--orders", type=int, default=20_000)
    options = parser.parse_args()
    found = compare(rows(options.output / "orders.csv"), rows(options.output / "report.csv"), options.orders)
    print(", ".join(f"{what} {count}" for what, count in found.items()))
    return int(any(found[what] for what in ("lost", "doubled", "different")))


if __name__ == "__main__":
    sys.exit(main())
