#!/usr/bin/env python3
"""Says whether the report of `inventory` is what the orders add up to that there had to be.

    python3 inventory.py OUTPUT [--orders 20000] [--articles 20] [--customers 500] [--seed 1]

OUTPUT is the folder that the pipeline wrote: `orders.csv` and `report.csv`. Prints what it found in one line and exits with
1 where anything is wrong.

- lost, doubled: orders that were not written, or more than once (numbers are 0, 1, 2, ..).
- extra: lines that say of an order what it is not, or of none.
- different: articles whose stock, reservations or number of orders are not what the orders add up to.

The orders are computed here by their definition: order `n` throws the dice of (seed, n). What the job has written of them is
compared with that, and no part of the sum.
"""

import argparse
import collections
import csv
import sys
from pathlib import Path

from ledger import dice

# Of a hundred orders, what becomes of those below the number.
KINDS = ((40, "delivered"), (65, "sold"), (85, "collected"), (97, "cancelled"), (100, "waiting"))
STOCK = {"delivered": 1, "sold": -1, "collected": -1, "cancelled": 0, "waiting": 0}


def order(number, options):
    """An order as the job has to write it."""
    drawn = dice(options.seed, number)
    next(drawn)
    drawn.send(options.customers)
    article, pieces, chance = drawn.send(options.articles), 1 + drawn.send(9), drawn.send(100)
    kind = next(kind for below, kind in KINDS if chance < below)
    return {"id": str(number), "article": str(article), "pieces": str(pieces), "kind": kind}


def totals(orders):
    """Number of orders, stock and reservations of each article."""
    found = collections.defaultdict(lambda: [0, 0, []])
    for row in orders:
        total = found[int(row["article"])]
        total[0] += 1
        total[1] += STOCK[row["kind"]] * int(row["pieces"])
        if row["kind"] == "waiting":
            total[2].append(int(row["id"]))
    return {article: (count, stock, sorted(waiting)) for article, (count, stock, waiting) in found.items()}


def compare(due, orders, report):
    """What is wrong, counted."""
    numbers = collections.Counter(row["id"] for row in orders)
    known = {row["id"]: row for row in due}
    told = {
        int(row["article"]): (int(row["orders"]), int(row["stock"]), [int(number) for number in row["reserved"].split()])
        for row in report
    }
    expected = totals(due)
    different = sum(told.get(article) != expected.get(article) for article in set(told) | set(expected))
    return {
        "orders": len(orders),
        "reserved": sum(len(total[2]) for total in expected.values()),
        "lost": sum(number not in numbers for number in known),
        "doubled": sum(times - 1 for times in numbers.values()),
        "extra": sum(known.get(row["id"]) != row for row in orders),
        "different": different + len(report) - len(told),
    }


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    for option, default in (("orders", 20_000), ("articles", 20), ("customers", 500), ("seed", 1)):
        parser.add_argument(f"--{option}", type=int, default=default)
    options = parser.parse_args()
    due = [order(number, options) for number in range(options.orders)]
    found = compare(due, rows(options.output / "orders.csv"), rows(options.output / "report.csv"))
    print(", ".join(f"{what} {count}" for what, count in found.items()))
    return int(any(found[what] for what in ("lost", "doubled", "extra", "different")))


if __name__ == "__main__":
    sys.exit(main())
