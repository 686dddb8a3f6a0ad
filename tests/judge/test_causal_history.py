"""Judges the judge of causal histories: the anomalies of the literature, and what is none.

    python3 -m unittest discover -s tests/judge
"""

import unittest

import causal_history

X, Y = 1, 2


def history(*sessions):
    """The steps of sessions, each a list of transactions: strings as `wx1 ry0`."""
    lines, name = [], 0
    for session, transactions in enumerate(sessions):
        for transaction in transactions:
            for kind, key, *value in transaction.split():
                key = {"x": X, "y": Y}[key]
                lines.append(f"{kind}({key},{''.join(value)},{session},{name})")
            name += 1
    return lines


class Histories(unittest.TestCase):
    def check(self, expected, *sessions):
        findings = causal_history.judge(history(*sessions))
        self.assertEqual([name for name, _ in findings], expected, findings)

    def test_a_session_reads_what_it_wrote(self):
        self.check([], ["wx1", "rx1"])

    def test_two_sessions_may_each_miss_what_the_other_writes_at_the_same_time(self):
        self.check([], ["wx1", "ry0"], ["wy1", "rx0"], ["rx1", "ry1"])

    def test_two_readers_may_meet_unrelated_writes_to_two_keys_in_either_order(self):
        self.check([], ["wx1"], ["wy1"], ["rx1 ry0"], ["ry1 rx0"])

    def test_what_nobody_wrote_is_from_thin_air(self):
        self.check(["ThinAirRead"], ["wx1"], ["rx2"])

    def test_what_was_taken_back_must_not_be_read(self):
        lines = history(["wx1"], ["rx2"])
        findings = causal_history.judge([*lines, f"w({X},2,0,-1)"])
        self.assertEqual([name for name, _ in findings], ["AbortedRead"])
        self.assertEqual(causal_history.judge([*history(["wx1"], ["rx1"]), f"w({X},2,0,-1)"]), [])

    def test_what_a_transaction_has_overwritten_itself_must_not_be_read(self):
        self.check(["IntermediateRead"], ["wx1 wx2"], ["rx1"])
        self.check([], ["wx1 wx2"], ["rx2"])

    def test_two_reads_of_what_comes_later_are_a_cycle(self):
        self.check(["CyclicCO"], ["ry1", "wx1"], ["rx1", "wy1"])

    def test_a_read_of_what_the_session_writes_later_is_a_cycle(self):
        self.check(["CyclicCO"], ["rx1", "wx1"])

    def test_a_session_that_misses_its_own_write(self):
        self.check(["WriteCOInitRead"], ["wx1", "rx0"])

    def test_an_effect_without_its_cause(self):
        self.check(["WriteCOInitRead"], ["wx1"], ["rx1", "wy1"], ["ry1", "rx0"])

    def test_an_effect_without_its_cause_in_one_transaction(self):
        self.check(["WriteCOInitRead"], ["wx1"], ["rx1", "wy1"], ["ry1 rx0"])

    def test_half_of_a_transaction(self):
        self.check(["WriteCOInitRead"], ["wx1 wy1"], ["rx1 ry0"])

    def test_a_read_that_goes_back(self):
        self.check(["WriteCORead"], ["wx1", "wx2"], ["rx2", "rx1"])

    def test_a_read_that_goes_back_behind_what_another_session_has_overwritten(self):
        self.check(["WriteCORead"], ["wx1"], ["rx1", "wx2"], ["rx2", "rx1"])

    def test_what_a_transaction_overwrites_itself_is_what_it_has_to_read_before(self):
        self.check([], ["wx1"], ["rx1 wx2"], ["rx2"])

    def test_an_old_value_beside_an_effect_of_the_new_one(self):
        self.check(["WriteCORead"], ["wx1", "wx2", "wy1"], ["ry1", "rx1"])

    def test_unrelated_writes_to_one_key_may_be_met_in_one_order_by_all(self):
        self.check([], ["wx1"], ["wx2"], ["rx1", "rx2"], ["rx1", "rx2"])

    def test_unrelated_writes_to_one_key_that_two_readers_meet_in_two_orders(self):
        self.check(["CyclicCF"], ["wx1"], ["wx2"], ["rx1", "rx2"], ["rx2", "rx1"])

    def test_two_writers_that_each_see_the_other_last(self):
        self.check(["CyclicCF"], ["wx1", "rx2"], ["wx2", "rx1"])

    def test_a_value_that_changes_between_two_reads_of_a_transaction(self):
        self.check(["CyclicCF"], ["wx1"], ["wx2"], ["rx1 rx2"])

    def test_what_is_known_is_known_through_any_number_of_others(self):
        chain = [[f"ry{n}", f"wy{n + 1}"] for n in range(1, 8)]
        self.check(["WriteCOInitRead"], ["wx1 wy1"], *chain, ["ry8", "rx0"])
        self.check([], ["wx1 wy1"], *chain, ["ry8", "rx1"])

    def test_input_without_an_answer_is_refused(self):
        for lines in (
            ["w(1,2,3)"],
            ["x(1,2,3,4)"],
            ["w(1,0,1,1)"],
            ["w(1,1,1,1)", "w(1,1,2,2)"],
            ["w(1,1,1,1)", "w(2,1,2,1)"],
            ["w(1,1,1,1)", "r(1,1,1,1)"],
        ):
            with self.assertRaises(causal_history.Undefined, msg=lines):
                causal_history.judge(lines)


if __name__ == "__main__":
    unittest.main()
