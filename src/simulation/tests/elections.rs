//! Elections under one fault at a time, which many seeds mix.

use watershed_simulation::{AFTER_NO_MAJORITY, Fault, Harm, OF_A_MAJORITY, Summary, simulate_with};

/// When the fault begins: most jobs have a leader by then, and none has ended.
const AT: u64 = 300;

/// Simulates these seeds with nothing but this fault.
fn simulate_under(seeds: std::ops::Range<u64>, lasts: u64, harm: Harm) -> Summary {
    let mut summary = Summary::default();
    for seed in seeds {
        let report = simulate_with(seed, None, vec![Fault { at: AT, lasts, harm }]);
        assert!(report.broken.is_none(), "{report}");
        summary.add(&report);
    }
    println!("{summary}");
    summary
}

#[test]
fn a_majority_elects_another_leader_where_one_is_cut_off_with_a_minority() {
    // The first node leads where nothing else has happened.
    let summary = simulate_under(0..40, 1000, Harm::Partition(0b1));
    let tally = summary.tally();
    let elected = tally.elected_under.get(OF_A_MAJORITY).copied().unwrap_or(0);
    assert!(elected >= 20, "{elected} elections");
    assert!(tally.late_decisions > 0, "nobody who is cut off decides too late");
}

#[test]
fn without_a_majority_nothing_is_decided_and_then_somebody_is_elected() {
    let lasts = 1000;
    let summary = simulate_under(0..40, lasts, Harm::Leaderless);
    let tally = summary.tally();
    let elected = tally.elected_under.get(AFTER_NO_MAJORITY).copied().unwrap_or(0);
    assert!(elected >= 20, "{elected} elections");
    assert!(tally.recoveries.len() >= 20, "{} recoveries", tally.recoveries.len());
    for (_, ticks) in &tally.recoveries {
        assert!(*ticks > lasts, "something is decided {ticks} ticks after the majority is lost");
    }
}

#[test]
fn nobody_else_is_elected_where_one_message_in_ten_is_lost() {
    let seeds = 40;
    let summary = simulate_under(0..seeds, 2000, Harm::Loss(10));
    let tally = summary.tally();
    assert!(tally.struck.values().sum::<u64>() > seeds / 2, "few jobs see any loss");
    assert!(tally.elected_under.is_empty(), "somebody else is elected: {:?}", tally.elected_under);
}
