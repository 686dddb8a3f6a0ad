#!/usr/bin/env python3
"""Says whether the decisions of `live-rules` were made by rules that there were, and by none older than was announced.

    python3 live_rules.py OUTPUT [--records 20000] [--changes 100] [--rules 10] [--cards 1000] [--seed 1]

OUTPUT is the folder that the pipeline wrote: `decisions.csv` and `rules.csv`. Prints what it found in one line and exits
with 1 where anything is wrong.

- lost, doubled: payments without a decision, and further decisions of the same payment.
- different: decisions of a payment that is none of the seed's; rules that are not the seed's, missing or twice; decisions by
  a version that says something else, or that do not follow from what it says.
- backwards: decisions of a card by an older rule than that of the one before it.
- overtaken: decisions by an older rule than was announced to whoever sent the payment on. The anomaly.

Payments and rules are computed here by their definition: payment `n` throws the dice of (seed, n), version `v` of rule `r`
those of (not seed, r << 40 | v).
"""

import argparse
import collections
import csv
import sys
from pathlib import Path

from ledger import MASK, dice

CENTS_MAX = 100_000


def payment(number, options):
    """Card, rule and cents of a payment."""
    drawn = dice(options.seed, number)
    next(drawn)
    return drawn.send(options.cards), drawn.send(options.rules), 1 + drawn.send(CENTS_MAX)


def limit(rule, version, options):
    drawn = dice(~options.seed & MASK, rule << 40 | version)
    next(drawn)
    return 1 + drawn.send(CENTS_MAX)


def versions(options):
    """What each version of each rule says: change `n` is the next version of rule `n % rules`."""
    changes = collections.Counter(number % options.rules for number in range(options.changes))
    return {
        (rule, version): limit(rule, version, options)
        for rule, count in changes.items()
        for version in range(1, count + 1)
    }


def compare(decisions, rules, options):
    """What is wrong, counted."""
    found = collections.Counter(lost=0, doubled=0, different=0, backwards=0, overtaken=0)
    expected = versions(options)
    told_rules = [(int(row["rule"]), int(row["version"]), int(row["limit"])) for row in rules]
    found["different"] += len(set(told_rules) ^ {(*key, says) for key, says in expected.items()})
    found["different"] += len(told_rules) - len(set(told_rules))
    seen, newest = collections.Counter(), {}
    for row in decisions:
        number, card, rule, cents = (int(row[field]) for field in ("id", "card", "rule", "cents"))
        told, decided = int(row["told"]), int(row["decided"])
        says = expected.get((rule, decided))
        is_payment = 0 <= number < options.records and payment(number, options) == (card, rule, cents)
        follows = (row["blocked"] == "true") == (says is not None and cents > says)
        is_rule = row["limit"] == ("" if says is None else str(says)) and (decided == 0 or says is not None)
        found["different"] += not (is_payment and is_rule and follows and (told == 0 or (rule, told) in expected))
        found["overtaken"] += decided < told
        found["backwards"] += decided < newest.get((card, rule), 0)
        newest[card, rule] = decided
        seen[number] += 1
    found["doubled"] = sum(count - 1 for count in seen.values())
    found["lost"] = sum(number not in seen for number in range(options.records))
    return {"decisions": len(decisions), **found}


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    for option, default in (("records", 20_000), ("changes", 100), ("rules", 10), ("cards", 1000), ("seed", 1)):
        parser.add_argument(f"--{option}", type=int, default=default)
    options = parser.parse_args()
    found = compare(rows(options.output / "decisions.csv"), rows(options.output / "rules.csv"), options)
    print(", ".join(f"{what} {count}" for what, count in found.items()))
    return int(any(count for what, count in found.items() if what != "decisions"))


if __name__ == "__main__":
    sys.exit(main())
