#!/usr/bin/env python3
"""Says whether a history of transactions is causally consistent.

    python3 causal_history.py FILE

FILE is in the text format of the checker Plume, one step a line: `w(key,value,session,transaction)` and
`r(key,value,session,transaction)`, all of them numbers. The steps of a session come in its order. Each value is written once
to its key; a transaction before all others writes 0 to all keys; and what the transaction -1 writes was taken back. Prints
what it found, one finding a line, and exits with 1 where there is any, with 2 for input that has no defined answer.

The patterns are those of Bouajjani, Enea, Guerraoui, Hamza, "On Verifying Causal Consistency" (POPL 2017), between
transactions as in Biswas and Enea, "On the Complexity of Checking Transactional Consistency" (OOPSLA 2019). With `so` the
order of each session, `wr` from a writer to who reads what it wrote, and `co` the transitive closure of both:

- ThinAirRead: a value is read that nobody wrote.
- AbortedRead: a value is read that was taken back.
- IntermediateRead: a value is read that its transaction has overwritten itself.
- CyclicCO: `co` has a cycle: something is read before it was written.
- WriteCOInitRead: 0 is read, and a write of the key comes before that in `co`.
- WriteCORead: a value is read, and in `co` another write of the key comes between it and the read.
- CyclicCF: whoever reads one of two values, and has the write of the other before itself in `co`, puts the latter first;
  with these, the order has a cycle. Replicas that come to the same value have one order of all writes.

A vector clock for each transaction says how many of each session come before it in `co`. Of each session, the newest write
of a key that comes before a read stands for all older ones, since they come before it.
"""

import argparse
import bisect
import collections
import re
import sys

STEP = re.compile(r"([wr])\((\d+),(\d+),(\d+),(-1|\d+)\)\Z")


class Undefined(Exception):
    """Input that has no defined answer."""


class Transaction:
    def __init__(self, name, session, place):
        self.name = name
        self.session = session
        # Which of its session it is, from 1.
        self.place = place
        self.reads = []
        self.writes = {}

    def __str__(self):
        return f"transaction {self.name} of session {self.session}"


class History:
    """Transactions by sessions, in their order, and who wrote what."""

    def __init__(self, lines):
        self.sessions = collections.OrderedDict()
        self.transactions = []
        self.writers = {}
        self.overwritten = {}
        self.aborted = set()
        names = {}
        for number, line in enumerate(lines, 1):
            if line.strip():
                self._take(number, line.strip(), names)
        self.number = {session: number for number, session in enumerate(self.sessions)}

    def _take(self, number, line, names):
        step = STEP.match(line)
        if not step:
            raise Undefined(f"line {number} is no step: {line!r}")
        kind, key, value, session, name = step.group(1), *map(int, step.groups()[1:])
        if kind == "w" and value == 0:
            raise Undefined(f"line {number} writes 0, which is what each key begins with")
        if name == -1:
            if kind == "w":
                self.aborted.add((key, value))
            return
        transaction = names.get(name)
        if transaction is None:
            order = self.sessions.setdefault(session, [])
            transaction = names[name] = Transaction(name, session, len(order) + 1)
            order.append(transaction)
            self.transactions.append(transaction)
        if transaction.session != session:
            raise Undefined(f"line {number}: transaction {name} is one of session {transaction.session}")
        if kind == "r":
            if key in transaction.writes:
                raise Undefined(f"line {number}: transaction {name} reads key {key} after it has written it")
            transaction.reads.append((key, value))
            return
        if (key, value) in self.writers:
            raise Undefined(f"line {number} writes {value} to key {key} a second time")
        if key in transaction.writes:
            self.overwritten[key, transaction.writes[key]] = transaction
        self.writers[key, value] = transaction
        transaction.writes[key] = value


def judge(lines):
    """What is wrong with a history: names of patterns, each with what shows it."""
    history = History(lines)
    findings, reads = sources(history)
    order, cycle = clocks(history, reads)
    if cycle:
        return findings + [("CyclicCO", "each comes before the next: " + ", ".join(map(str, cycle)))]
    found, conflicts = conflicting(history, reads, order)
    findings += found
    if not found:
        cycle = cyclic(history, reads, conflicts)
        if cycle:
            findings.append(("CyclicCF", "each has to come before the next: " + ", ".join(map(str, cycle))))
    return findings


def sources(history):
    """What is read from nowhere; and for each transaction what it reads, with whom it has that from."""
    findings, reads = [], {}
    for transaction in history.transactions:
        reads[transaction] = []
        for key, value in transaction.reads:
            writer = history.writers.get((key, value))
            read = f"{transaction} reads {value} of key {key}"
            if value != 0 and writer is None:
                aborted = (key, value) in history.aborted
                name, why = ("AbortedRead", "which was taken back") if aborted else ("ThinAirRead", "which nobody wrote")
                findings.append((name, f"{read}, {why}"))
            elif (key, value) in history.overwritten:
                findings.append(("IntermediateRead", f"{read}, which {writer} has overwritten itself"))
            else:
                reads[transaction].append((key, value, writer))
    return findings, reads


def successors(history, reads):
    """Who comes directly after whom in `co`."""
    after = {transaction: [] for transaction in history.transactions}
    for session in history.sessions.values():
        for one, next_one in zip(session, session[1:]):
            after[one].append(next_one)
    for transaction, read in reads.items():
        for writer in {writer for _, _, writer in read if writer is not None}:
            after[writer].append(transaction)
    return after


def sorted_by(after):
    """Transactions in an order that respects who comes after whom; those that are left are on a cycle, or behind one."""
    before = collections.Counter(next_one for next_ones in after.values() for next_one in next_ones)
    ready = collections.deque(one for one in after if not before[one])
    done = []
    while ready:
        one = ready.popleft()
        done.append(one)
        for next_one in after[one]:
            before[next_one] -= 1
            if not before[next_one]:
                ready.append(next_one)
    return done, {one for one, count in before.items() if count > 0}


def a_cycle(after, left):
    """One cycle among those that are left, each of which has one of them before it."""
    before = {}
    for one in left:
        for next_one in after[one]:
            if next_one in left:
                before[next_one] = one
    path, places = [], {}
    one = min(left, key=lambda transaction: transaction.name)
    while one not in places:
        places[one] = len(path)
        path.append(one)
        one = before[one]
    return list(reversed(path[places[one]:]))


def clocks(history, reads):
    """How many transactions of each session come before each one in `co`, itself included; or a cycle."""
    after = successors(history, reads)
    done, left = sorted_by(after)
    if left:
        return None, a_cycle(after, left)
    clock, width = {}, len(history.number)
    for transaction in done:
        order = history.sessions[transaction.session]
        own = list(clock[order[transaction.place - 2]]) if transaction.place > 1 else [0] * width
        for _, _, writer in reads[transaction]:
            # Whoever is known has brought all that it knows.
            if writer is not None and own[history.number[writer.session]] < writer.place:
                own = [max(pair) for pair in zip(own, clock[writer])]
        own[history.number[transaction.session]] = transaction.place
        clock[transaction] = own
    return clock, None


def conflicting(history, reads, clock):
    """Reads behind a write that has overwritten what they read; and pairs of writers of which the first has to come first."""
    places = collections.defaultdict(lambda: collections.defaultdict(list))
    for transaction in history.transactions:
        for key in transaction.writes:
            places[key][transaction.session].append(transaction.place)
    findings, conflicts = [], set()
    for transaction in history.transactions:
        for key, value, writer in reads[transaction]:
            for session, of_session in places[key].items():
                known = clock[transaction][history.number[session]] - (session == transaction.session)
                count = bisect.bisect_right(of_session, known)
                if not count:
                    continue
                other = history.sessions[session][of_session[count - 1] - 1]
                if other is writer:
                    continue
                read = f"{transaction} reads {value} of key {key}"
                if writer is None:
                    findings.append(("WriteCOInitRead", f"{read}, and knows of {other}, which writes to it"))
                elif clock[other][history.number[writer.session]] >= writer.place:
                    findings.append(("WriteCORead", f"{read}, and knows of {other}, which has overwritten it"))
                else:
                    conflicts.add((other, writer))
    return findings, conflicts


def cyclic(history, reads, conflicts):
    """A cycle in `co` and the order in which writers have to come, if there is one."""
    after = successors(history, reads)
    for first, second in conflicts:
        after[first].append(second)
    _, left = sorted_by(after)
    return a_cycle(after, left) if left else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    with open(parser.parse_args().file, encoding="utf-8") as lines:
        lines = lines.readlines()
    try:
        findings = judge(lines)
    except Undefined as undefined:
        print(undefined, file=sys.stderr)
        return 2
    for name, shown in findings:
        print(f"{name}: {shown}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
