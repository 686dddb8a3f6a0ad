"""Judges the judge: small inputs whose outputs were worked out by hand.

    python3 -m unittest discover -s tests/judge
"""

import argparse
import tempfile
import unittest
from pathlib import Path

import compare
import cross_check
import cuts
import flight_delays
import inventory
import ledger
import live_rules
import sensor_statistics
import word_count

FLIGHT_COLUMNS = "dep_delay,arr_delay,carrier,tailnum,origin,dest,distance,minute,time_hour"
WEATHER_COLUMNS = "origin,visib,time_hour"


class Outputs(unittest.TestCase):
    """Each case asks both implementations, and both must give the literal list."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def check(self, name, flights, expected, weather=(), arguments=()):
        (self.folder / "flights.csv").write_text("\n".join([FLIGHT_COLUMNS, *flights]) + "\n")
        (self.folder / "weather.csv").write_text("\n".join([WEATHER_COLUMNS, *weather]) + "\n")
        parser = argparse.ArgumentParser()
        flight_delays.add_input_arguments(
            parser, flights=self.folder / "flights.csv", weather=self.folder / "weather.csv"
        )
        options = parser.parse_args(arguments)
        rows = flight_delays.read_flights(options.flights)
        python = dict(flight_delays.outputs(rows, flight_delays.read_bands(options.weather), options))
        sql = {output: lines for output, _, lines in cross_check.by_sql(options)}
        self.assertEqual(python[name], [line.encode() for line in expected])
        self.assertEqual(sql[name], python[name])

    def test_a_flight_at_the_end_of_an_hour_belongs_to_the_next(self):
        self.check(
            "hourly",
            ["1,1,AA,N1,JFK,BOS,100,59,2013-01-01T10:00:00Z", "3,1,AA,N1,JFK,BOS,100,0,2013-01-01T11:00:00Z"],
            [
                "JFK,2013-01-01T10:00:00Z,2013-01-01T11:00:00Z,1,1,1.000000",
                "JFK,2013-01-01T11:00:00Z,2013-01-01T12:00:00Z,1,1,3.000000",
            ],
        )

    def test_a_cancelled_flight_counts_as_a_flight_and_not_in_the_mean(self):
        self.check(
            "hourly",
            [
                "NA,NA,AA,N1,JFK,BOS,100,0,2013-01-01T10:00:00Z",
                "-2,1,AA,N1,JFK,BOS,100,1,2013-01-01T10:00:00Z",
                "-3,1,AA,N1,JFK,BOS,100,2,2013-01-01T10:00:00Z",
                "NA,NA,AA,N1,LGA,BOS,100,0,2013-01-01T10:00:00Z",
            ],
            [
                "JFK,2013-01-01T10:00:00Z,2013-01-01T11:00:00Z,3,2,-2.500000",
                "LGA,2013-01-01T10:00:00Z,2013-01-01T11:00:00Z,1,0,",
            ],
        )

    def test_a_mean_between_two_sixth_decimals_rounds_to_the_even_one(self):
        late = ["1,1,AA,N1,JFK,BOS,100,0,2013-01-01T10:00:00Z"]
        punctual = ["0,1,AA,N1,JFK,BOS,100,0,2013-01-01T10:00:00Z"]
        hour = "JFK,2013-01-01T10:00:00Z,2013-01-01T11:00:00Z"
        self.check("hourly", late + punctual * 127, [f"{hour},128,128,0.007812"])
        self.check("hourly", late * 3 + punctual * 125, [f"{hour},128,128,0.023438"])

    def test_a_flight_is_in_every_sliding_window_that_holds_it(self):
        self.check(
            "carriers",
            ["1,NA,AA,N1,JFK,BOS,100,0,2013-01-01T10:00:00Z", "1,-7,AA,N1,JFK,BOS,100,0,2013-01-01T11:00:00Z"],
            [
                "AA,2013-01-01T09:00:00Z,2013-01-01T11:00:00Z,1,",
                "AA,2013-01-01T10:00:00Z,2013-01-01T12:00:00Z,2,-7.000000",
                "AA,2013-01-01T11:00:00Z,2013-01-01T13:00:00Z,1,-7.000000",
            ],
            arguments=["--carriers-size", "2h"],
        )

    def test_a_silence_of_exactly_the_gap_begins_a_new_session(self):
        self.check(
            "rotations",
            [
                "1,1,AA,N1,JFK,BOS,100,0,2013-01-01T16:00:00Z",
                "1,1,AA,N1,BOS,JFK,100,0,2013-01-01T10:00:00Z",
                "1,1,AA,N2,JFK,BOS,100,0,2013-01-01T10:00:00Z",
                "1,1,AA,N2,BOS,JFK,20,59,2013-01-01T15:00:00Z",
                "1,1,AA,NA,BOS,JFK,20,59,2013-01-01T15:00:00Z",
            ],
            [
                "N1,2013-01-01T10:00:00Z,2013-01-01T16:00:00Z,1,100",
                "N1,2013-01-01T16:00:00Z,2013-01-01T22:00:00Z,1,100",
                "N2,2013-01-01T10:00:00Z,2013-01-01T21:59:00Z,2,120",
            ],
        )

    def test_a_visibility_on_a_bound_is_in_the_lower_band_and_no_weather_leaves_the_flight_out(self):
        self.check(
            "weather",
            [
                "1,1,AA,N1,JFK,BOS,100,30,2013-01-01T10:00:00Z",
                "2,1,AA,N1,JFK,BOS,100,30,2013-01-01T11:00:00Z",
                "4,1,AA,N1,JFK,BOS,100,30,2013-01-01T12:00:00Z",
                "8,1,AA,N1,JFK,BOS,100,30,2013-01-01T13:00:00Z",
                "16,1,AA,N1,JFK,BOS,100,30,2013-01-01T14:00:00Z",
                "32,1,AA,N1,LGA,BOS,100,30,2013-01-01T10:00:00Z",
            ],
            [
                "JFK,2013-01-01T00:00:00Z,0-2,1,1.000000",
                "JFK,2013-01-01T00:00:00Z,2-5,2,3.000000",
                "JFK,2013-01-01T00:00:00Z,5-10,1,8.000000",
            ],
            weather=[
                "JFK,2,2013-01-01T10:00:00Z",
                "JFK,2.5,2013-01-01T11:00:00Z",
                "JFK,5,2013-01-01T12:00:00Z",
                "JFK,10,2013-01-01T13:00:00Z",
                "JFK,NA,2013-01-01T14:00:00Z",
            ],
        )

    def test_destinations_with_equal_counts_rank_by_name(self):
        legs = ["1,1,AA,N1,JFK,{},100,0,2013-01-01T10:00:00Z".format(dest) for dest in "MIA LAX BOS SFO SFO".split()]
        self.check(
            "top_routes",
            legs,
            [
                "JFK,2013-01-01T00:00:00Z,1,SFO,2",
                "JFK,2013-01-01T00:00:00Z,2,BOS,1",
                "JFK,2013-01-01T00:00:00Z,3,LAX,1",
            ],
        )

    def test_a_missing_time_is_refused(self):
        with self.assertRaises(flight_delays.Refused):
            self.check("hourly", ["1,1,AA,N1,JFK,BOS,100,NA,2013-01-01T10:00:00Z"], [])


class January(unittest.TestCase):
    def test_both_implementations_agree_on_the_example_data_and_on_its_number_of_rows(self):
        parser = argparse.ArgumentParser()
        flight_delays.add_input_arguments(parser, **cross_check.JANUARY)
        options = parser.parse_args([])
        flights, bands = flight_delays.read_flights(options.flights), flight_delays.read_bands(options.weather)
        python = dict(flight_delays.outputs(flights, bands, options))
        for name, header, lines in cross_check.by_sql(options):
            self.assertEqual(header, flight_delays.HEADERS[name])
            # A first differing row is short to print; the difference of two long lists takes minutes.
            first = next((pair for pair in zip(python[name], lines) if pair[0] != pair[1]), None)
            self.assertIsNone(first, name)
            self.assertEqual(len(python[name]), len(lines), name)
        self.assertEqual(
            {name: len(lines) for name, lines in python.items()},
            {"hourly": 1642, "carriers": 11225, "rotations": 23785, "weather": 144, "top_routes": 288},
        )


class Disorder(unittest.TestCase):
    def test_disorder_is_the_distance_behind_the_latest_time_so_far(self):
        flights = [argparse.Namespace(event_time=time) for time in (10, 70, 60, 40, 200, 180)]
        self.assertEqual(flight_delays.disorder(flights), 30)


class Comparison(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.expected, self.actual = Path(folder.name) / "expected", Path(folder.name) / "actual"
        self.expected.mkdir()
        self.actual.mkdir()
        (self.expected / "hourly.csv").write_text("a,b\n1,2\n3,4\n3,4\n")

    def found(self, **parts):
        (self.actual / "hourly").mkdir()
        for name, content in parts.items():
            (self.actual / "hourly" / f"{name}.csv").write_text(content)
        return compare.compare(self.expected, self.actual, "hourly", 10)

    def test_parts_in_any_order_are_equal_to_the_whole(self):
        self.assertEqual(self.found(one="a,b\n3,4\n", two="a,b\n", three="a,b\n3,4\n1,2\n"), [])

    def test_a_row_too_many_and_a_row_too_few_are_both_shown(self):
        self.assertEqual(
            self.found(one="a,b\n3,4\n1,2\n1,2\n"),
            ["1 rows missing, the first:", "  3,4", "1 rows unexpected, the first:", "  1,2"],
        )

    def test_a_part_without_the_header_differs(self):
        problems = self.found(one="a,b\n1,2\n3,4\n", two="3,4\n")
        self.assertTrue(any("header is b'3,4'" in problem for problem in problems), problems)

    def test_a_single_file_is_compared_too_and_a_cut_last_line_is_noticed(self):
        (self.actual / "hourly.csv").write_text("a,b\n1,2\n3,4\n3,4")
        problems = compare.compare(self.expected, self.actual, "hourly", 10)
        self.assertTrue(problems[0].endswith("does not end with a newline"), problems)
        (self.actual / "hourly.csv").write_text("a,b\n3,4\n3,4\n1,2\n")
        self.assertEqual(compare.compare(self.expected, self.actual, "hourly", 10), [])

    def test_a_missing_output_differs(self):
        self.assertEqual(len(compare.compare(self.expected, self.actual, "hourly", 10)), 1)


class WordCount(unittest.TestCase):
    def test_words_are_runs_of_ascii_letters_digits_and_apostrophes(self):
        self.assertEqual(
            word_count.word_rows(["Don't stop, DON'T: caf\u00e9 7th".encode()]),
            [b"7th,1", b"caf,1", b"don't,2", b"stop,1"],
        )


class SensorStatistics(unittest.TestCase):
    def lines(self, readings):
        return ['{"sensor":%d,"time":%d,"value":%s}' % reading for reading in readings]

    def test_a_sensor_that_repeats_itself_is_believed_five_times(self):
        stuck = [(3, 1000 * n, 2.0) for n in range(7)]
        lines = self.lines([*reversed(stuck), (3, 9000, 8.0), (3, 8000, 60.5)]) + ["no reading"]
        statistics, relation, rejected = sensor_statistics.expected(lines, False)
        self.assertEqual(rejected, 4)
        self.assertEqual(relation, {})
        self.assertEqual(
            statistics,
            {
                (3, "1970-01-01T00:00:00Z"): {
                    "window_end": "1970-01-01T01:00:00Z", "readings": 6, "sum": 18.0, "mean": 3.0,
                    "variance": 5.0, "lowest": 2.0, "highest": 8.0,
                }
            },
        )

    def test_two_sensors_are_compared_over_readings_of_the_same_time(self):
        lines = self.lines([(0, 0, 1), (1, 0, 10), (0, 5, 3), (1, 5, 30), (0, 6, 9), (2, 6, 9), (1, 7, 9)])
        _, relation, _ = sensor_statistics.expected(lines, False)
        row = {"window_end": "1970-01-01T01:00:00Z", "pairs": 2, "covariance": 10.0}
        self.assertEqual(relation, {(0, 1, "1970-01-01T00:00:00Z"): row})

    def test_windows_that_the_watermark_has_not_passed_are_not_there(self):
        lines = self.lines([(0, 0, 1), (0, 3_600_000, 2), (0, 4_200_000, 3)])
        self.assertEqual(len(sensor_statistics.expected(lines, False)[0]), 2)
        self.assertEqual(sensor_statistics.expected(lines, True)[0].keys(), {(0, "1970-01-01T00:00:00Z")})
        self.assertEqual(sensor_statistics.expected(lines[:2], True)[0], {})


class Ledger(unittest.TestCase):
    """A log of three events of one key in one partition, and ledgers that are wrong in one way each."""

    def setUp(self):
        self.log = {(0, n): (5, f"event {n}", f"hash {n}") for n in range(3)}
        self.right = [(0, n, 5, n + 1, f"event {n}", f"hash {n}") for n in range(3)]

    def found(self, table, part):
        found = ledger.compare(self.log, table, [part])
        return {what: count for what, count in found.items() if count and what != "entries"}

    def test_a_ledger_that_is_its_log_is_right(self):
        self.assertEqual(self.found(self.right, self.right), {})

    def test_what_is_lost_doubled_or_extra_is_found_in_each_place(self):
        right = self.right
        self.assertEqual(self.found(right[:2], right), {"lost": 1, "differ": 1})
        self.assertEqual(self.found(right, right[:2]), {"lost": 1, "differ": 1})
        self.assertEqual(self.found(right + right[2:], right), {"doubled": 1, "disorder": 1, "differ": 1})
        self.assertEqual(self.found(right, right + right[2:]), {"doubled": 1, "disorder": 1, "differ": 1})
        other = [*right[:2], (0, 2, 5, 3, "event 9", "hash 2")]
        self.assertEqual(self.found(other, other), {"extra": 2})

    def test_entries_that_were_counted_or_booked_out_of_order_are_found(self):
        first, second, third = self.right
        self.assertEqual(self.found([first, third, second], self.right), {"disorder": 1})
        again = [first, second, third[:3] + (2,) + third[4:]]
        self.assertEqual(self.found(again, again), {"disorder": 2})

    def test_an_event_is_what_the_engine_makes_of_its_place(self):
        self.assertEqual(ledger.event(3, 17, 1000, 1), (625, "obpbujnhffevxsxnhhzcrlouspaeadxxlmtjyr", "76aff0d7811f9cbd"))
        self.assertEqual(ledger.fnv(""), "cbf29ce484222325")


class LiveRules(unittest.TestCase):
    OPTIONS = argparse.Namespace(records=2, changes=3, rules=2, cards=4, seed=9)

    def decision(self, number, told, decided, **other):
        card, rule, cents = live_rules.payment(number, self.OPTIONS)
        says = live_rules.versions(self.OPTIONS).get((rule, decided))
        row = {"id": number, "card": card, "rule": rule, "cents": cents, "told": told, "decided": decided}
        row |= {"limit": "" if says is None else says, "blocked": says is not None and cents > says}
        return {field: str(value).replace("True", "true") for field, value in (row | other).items()}

    def check(self, decisions, rules=None, **wrong):
        versions = live_rules.versions(self.OPTIONS)
        told = [{"rule": rule, "version": version, "limit": says} for (rule, version), says in versions.items()]
        found = live_rules.compare(decisions, told if rules is None else rules(told), self.OPTIONS)
        nothing = dict(lost=0, doubled=0, different=0, backwards=0, overtaken=0)
        self.assertEqual(found, {"decisions": len(decisions), **nothing, **wrong})

    def test_rules_change_in_turn(self):
        self.assertEqual(sorted(live_rules.versions(self.OPTIONS)), [(0, 1), (0, 2), (1, 1)])

    def test_decisions_by_what_was_announced_or_newer_are_right(self):
        self.check([self.decision(0, 0, 0), self.decision(1, 0, 1)])
        self.check([self.decision(0, 1, 1), self.decision(1, 0, 0)])

    def test_a_decision_by_an_older_rule_than_was_announced_is_found(self):
        self.check([self.decision(0, 1, 0), self.decision(1, 0, 0)], overtaken=1)

    def test_what_is_missing_and_what_is_there_twice_is_found(self):
        self.check([self.decision(0, 0, 0)] * 2, lost=1, doubled=1)
        self.check([self.decision(0, 0, 0), self.decision(1, 0, 0)], rules=lambda told: told[1:], different=1)
        self.check([self.decision(0, 0, 0), self.decision(1, 0, 0)], rules=lambda told: told + told[:1], different=1)

    def test_what_does_not_follow_from_the_rule_is_found(self):
        blocked = {"true": "false", "False": "true"}[self.decision(0, 0, 1)["blocked"]]
        self.check([self.decision(0, 0, 1, blocked=blocked), self.decision(1, 0, 0)], different=1)
        self.check([self.decision(0, 0, 1, limit=7), self.decision(1, 0, 0)], different=1)
        self.check([self.decision(0, 0, 7), self.decision(1, 0, 0)], different=1)
        self.check([self.decision(0, 0, 0, cents=1), self.decision(1, 0, 0)], different=1)

    def test_a_card_for_which_the_rule_goes_back_is_found(self):
        self.check([self.decision(0, 0, 1), self.decision(0, 0, 0), self.decision(1, 0, 0)], doubled=1, backwards=1)


# As the job has written them, by default settings.
FIRST_ORDERS = [
    {"id": "0", "article": "7", "pieces": "4", "kind": "cancelled"},
    {"id": "1", "article": "3", "pieces": "4", "kind": "sold"},
    {"id": "2", "article": "15", "pieces": "2", "kind": "collected"},
]


class Inventory(unittest.TestCase):
    ORDERS = [
        {"id": "0", "article": "7", "pieces": "5", "kind": "delivered"},
        {"id": "1", "article": "7", "pieces": "2", "kind": "collected"},
        {"id": "2", "article": "7", "pieces": "4", "kind": "waiting"},
        {"id": "3", "article": "8", "pieces": "3", "kind": "sold"},
        {"id": "4", "article": "7", "pieces": "9", "kind": "cancelled"},
    ]
    REPORT = [
        {"article": "7", "orders": "4", "stock": "3", "reserved": "2"},
        {"article": "8", "orders": "1", "stock": "-3", "reserved": ""},
    ]

    def check(self, orders, report, due=ORDERS, **wrong):
        found = inventory.compare(due, orders, report)
        nothing = dict(orders=len(orders), reserved=1, lost=0, doubled=0, extra=0, different=0)
        self.assertEqual(found, {**nothing, **wrong})

    def test_a_report_that_adds_up_is_right(self):
        self.check(self.ORDERS, self.REPORT)

    def test_what_does_not_add_up_is_found(self):
        for field, value in (("orders", "3"), ("stock", "4"), ("reserved", "2 3"), ("reserved", "")):
            self.check(self.ORDERS, [{**self.REPORT[0], field: value}, self.REPORT[1]], different=1)
        self.check(self.ORDERS, self.REPORT[:1], different=1)
        self.check(self.ORDERS, self.REPORT + self.REPORT[:1], different=1)

    def test_an_order_that_is_missing_or_there_twice_is_found(self):
        self.check(self.ORDERS[:3] + self.ORDERS[4:], self.REPORT, lost=1)
        self.check(self.ORDERS + self.ORDERS[3:4], self.REPORT, doubled=1)

    def test_orders_and_a_report_that_are_wrong_alike_are_found(self):
        changed = [{**self.ORDERS[0], "pieces": "6"}, *self.ORDERS[1:]]
        self.check(changed, [{**self.REPORT[0], "stock": "4"}, self.REPORT[1]], extra=1, different=1)
        report = [{**self.REPORT[0], "orders": "3", "stock": "-2"}, self.REPORT[1]]
        self.check(self.ORDERS[1:], report, lost=1, different=1)

    def test_orders_are_those_of_the_seed(self):
        options = argparse.Namespace(articles=20, customers=500, seed=1)
        self.assertEqual([inventory.order(number, options) for number in range(3)], FIRST_ORDERS)


class Cuts(unittest.TestCase):
    """A source of one split, which sends to two subtasks that own four key groups."""

    def manifest(self, epoch=2, run=1, base=None, position=9):
        def vote(vertex, index, **said):
            nothing = dict(key_groups=None, received=[], sent=[], in_flight=[], splits=[])
            return {**nothing, "subtask": {"vertex": vertex, "index": index}, **said}

        def end(index, records):
            channel = {"to": {"vertex": 1, "index": index}, "channel": 0}
            return {"channel": channel, "records": records, "batches": 1, "sum": (1 << 64) - 1}

        votes = [
            vote(0, 0, sent=[end(0, 4), end(1, 5)], splits=[{"split": 0, "position": position, "ended": False}]),
            vote(1, 0, received=[end(0, 4)], key_groups={"start": 0, "end": 2}),
            vote(1, 1, received=[end(1, 5)], key_groups={"start": 2, "end": 4}),
        ]
        return dict(lineage=0, epoch=epoch, run=run, base=base, key_groups=4, votes=votes)

    def check(self, *manifests, **found):
        nothing = dict(cuts=len(manifests), restored=0, unbalanced=0, uncovered=0, backwards=0)
        self.assertEqual(cuts.compare(manifests), {**nothing, **found})

    def test_a_consistent_cut_is_one(self):
        self.check(self.manifest())

    def test_what_was_sent_has_to_be_received_or_recorded(self):
        for measure in cuts.MEASURES:
            broken = self.manifest()
            broken["votes"][1]["received"][0][measure] -= 1
            self.check(broken, unbalanced=1)
        recorded = self.manifest()
        end = recorded["votes"][1]["received"][0]
        recorded["votes"][1]["in_flight"] = [{"cut": {**end, "records": 3, "batches": 2, "sum": 4}}]
        end.update(records=1, batches=(1 << 64) - 1, sum=(1 << 64) - 5)
        self.check(recorded)

    def test_each_end_of_a_channel_is_told_once_and_by_its_own_subtask(self):
        silent, twice, stranger = self.manifest(), self.manifest(), self.manifest()
        silent["votes"][1]["received"] = []
        self.check(silent, unbalanced=1)
        twice["votes"][0]["sent"].append(twice["votes"][0]["sent"][0])
        self.check(twice, unbalanced=1)
        stranger["votes"][1]["received"], stranger["votes"][2]["received"] = (
            stranger["votes"][2]["received"],
            stranger["votes"][1]["received"],
        )
        self.check(stranger, unbalanced=2)

    def test_each_key_group_is_owned_once_and_each_subtask_votes_once(self):
        for start, end in ((1, 2), (0, 3), (0, 1)):
            broken = self.manifest()
            broken["votes"][1]["key_groups"] = {"start": start, "end": end}
            self.check(broken, uncovered=1)
        absent = self.manifest()
        del absent["votes"][1]
        self.check(absent, unbalanced=1, uncovered=2)

    def test_splits_go_forward_and_are_not_forgotten(self):
        before = self.manifest()
        self.check(before, self.manifest(epoch=3, base=2))
        self.check(before, self.manifest(epoch=3, base=2, position=8), backwards=1)
        forgotten = self.manifest(epoch=3, base=2)
        forgotten["votes"][0]["splits"] = []
        self.check(before, forgotten, backwards=1)
        before["votes"][0]["splits"][0]["ended"] = True
        self.check(before, forgotten)

    def test_a_later_run_that_goes_on_is_seen_and_one_that_begins_anew_is_not(self):
        before = self.manifest()
        self.check(before, self.manifest(epoch=3, run=2, base=2), restored=1)
        self.check(before, self.manifest(epoch=3, run=2))
        self.check(self.manifest(run=3), self.manifest(epoch=3, run=2, base=2), backwards=1)


if __name__ == "__main__":
    unittest.main()
