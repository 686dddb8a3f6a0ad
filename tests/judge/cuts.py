#!/usr/bin/env python3
"""Says whether checkpoints are consistent cuts, and whether those of later runs go on from those of earlier ones.

    python3 cuts.py MANIFESTS

MANIFESTS is a file of JSON lines, each the manifest of a checkpoint with what its subtasks voted. Prints what it found in one
line and exits with 1 where anything is wrong.

- restored: checkpoints of a run that goes on from one of an earlier run, both of which are here.
- unbalanced: channels on which not all that was sent was received or recorded as under way, or one end of which is not
  told once.
- uncovered: operators whose key groups are not owned by one subtask each, and subtasks that vote twice or not at all.
- backwards: splits that are told twice, stand before where the checkpoint stood that this one came from, or are told no more.
"""

import argparse
import collections
import json
import sys
from pathlib import Path

MEASURES = ("records", "batches", "sum")
# Sums of checksums wrap around, and so may be compared.
MODULUS = 1 << 64


def ends(votes, side):
    """What the subtasks tell of one side of their channels: by channel, a list of counts."""
    found = collections.defaultdict(list)
    for vote in votes:
        for end in vote[side]:
            cut = end["cut"] if side == "in_flight" else end
            to, number = cut["channel"]["to"], cut["channel"]["channel"]
            wrong_end = side != "sent" and to != vote["subtask"]
            counts = None if wrong_end else [cut[measure] for measure in MEASURES]
            found[to["vertex"], to["index"], number].append(counts)
    return found


def unbalanced(votes):
    sent, received, in_flight = (ends(votes, side) for side in ("sent", "received", "in_flight"))
    wrong = 0
    for channel in set(sent) | set(received) | set(in_flight):
        out, into, between = sent[channel], received[channel], in_flight[channel] or [[0, 0, 0]]
        told = [len(out), len(into), len(between)] == [1, 1, 1] and None not in out + into + between
        wrong += not told or any((s - r - b) % MODULUS for s, r, b in zip(out[0], into[0], between[0]))
    return wrong


def uncovered(manifest):
    subtasks, ranges = collections.defaultdict(list), collections.defaultdict(list)
    for vote in manifest["votes"]:
        vertex = vote["subtask"]["vertex"]
        subtasks[vertex].append(vote["subtask"]["index"])
        if vote["key_groups"] is not None:
            ranges[vertex].append(range(vote["key_groups"]["start"], vote["key_groups"]["end"]))
    wrong = sum(sorted(indexes) != list(range(len(indexes))) for indexes in subtasks.values())
    for vertex, owned in ranges.items():
        groups = sorted(group for part in owned for group in part)
        wrong += groups != list(range(manifest["key_groups"])) or len(owned) != len(subtasks[vertex])
    return wrong


def splits(manifest):
    """Where each split stands; a list, in which there has to be one place."""
    found = collections.defaultdict(list)
    for vote in manifest["votes"]:
        for split in vote["splits"]:
            found[vote["subtask"]["vertex"], split["split"]].append((split["position"], split["ended"]))
    return found


def backwards(manifest, base):
    now = splits(manifest)
    wrong = sum(len(places) != 1 for places in now.values())
    for split, [(before, ended), *_] in (splits(base) if base else {}).items():
        # One that had been read to its end may be forgotten.
        wrong += (split in now and now[split][0][0] < before) or (split not in now and not ended)
    return wrong


def compare(manifests):
    """What is wrong, counted."""
    known = {(manifest["lineage"], manifest["epoch"]): manifest for manifest in manifests}
    found = {"cuts": len(manifests), "restored": 0, "unbalanced": 0, "uncovered": 0, "backwards": 0}
    for manifest in manifests:
        base = known.get((manifest["lineage"], manifest["base"]))
        found["restored"] += base is not None and base["run"] < manifest["run"]
        found["unbalanced"] += unbalanced(manifest["votes"])
        found["uncovered"] += uncovered(manifest)
        found["backwards"] += backwards(manifest, base)
        found["backwards"] += base is not None and (base["run"] > manifest["run"] or base["epoch"] >= manifest["epoch"])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifests", type=Path)
    options = parser.parse_args()
    found = compare([json.loads(line) for line in options.manifests.read_text().splitlines()])
    print(", ".join(f"{what} {count}" for what, count in found.items()))
    return int(any(found[what] for what in ("unbalanced", "uncovered", "backwards")))


if __name__ == "__main__":
    sys.exit(main())
