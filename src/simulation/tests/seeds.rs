//! Seeds: a few of them in every suite, many of them on demand, one of them step by step.

use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use watershed_core::VertexId;
use watershed_simulation::{
    AFTER_NO_MAJORITY, Harm, OF_A_MAJORITY, Report, Summary, Tally, narrate, shrink, simulate,
};

/// How often each kind of fault has to strike in two hundred seeds, and to be recovered from; and how often, of so many,
/// it has to find anything to strike.
const STRUCK_MIN: u64 = 15;
const STRUCK_PERCENT_MIN: u64 = 90;

/// How often somebody has to be elected under each of the faults that take leaders down.
const ELECTED_MIN: u64 = 15;

/// One of each kind of fault.
const HARMS: [Harm; 20] = [
    Harm::Crash(0),
    Harm::Pause(0),
    Harm::OneWay(0, 1),
    Harm::Partition(1),
    Harm::Pair(0, 1),
    Harm::Loss(5),
    Harm::DiskFull(0),
    Harm::SlowSink(VertexId(0)),
    Harm::Doubt,
    Harm::Rival(0),
    Harm::Skew(0, 100),
    Harm::Skew(0, 3_600_000),
    Harm::Claim(0),
    Harm::Flicker(0),
    Harm::Leaderless,
    Harm::LateCampaign(0),
    Harm::Rescale,
    Harm::Savepoint,
    Harm::Suspend { back: false },
    Harm::Suspend { back: true },
];

/// Simulates these seeds, on all cores, and stops at the first that is found to fail, with the least faults that it takes.
fn simulate_all(seeds: Range<u64>) -> Summary {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let has_failed = AtomicBool::new(false);
    let mut summary = Summary::default();
    std::thread::scope(|scope| {
        let share = |first: usize| {
            let (own, has_failed) = (seeds.clone().skip(first).step_by(threads), &has_failed);
            scope.spawn(move || own.map_while(|seed| must_hold(seed, has_failed)).collect::<Vec<_>>())
        };
        let shares: Vec<_> = (0..threads).map(share).collect();
        for share in shares {
            share.join().expect("all properties hold").iter().for_each(|report| summary.add(report));
        }
    });
    summary
}

/// Simulates a seed, unless another has failed.
fn must_hold(seed: u64, has_failed: &AtomicBool) -> Option<Report> {
    if has_failed.load(Ordering::Relaxed) {
        return None;
    }
    let report = simulate(seed, None);
    if report.broken.is_some() {
        has_failed.store(true, Ordering::Relaxed);
        let least = shrink(&report, None);
        panic!(
            "{report}\nwith the fewest faults that it takes:\n{least}\n\
             repeat it: SIMULATION_SEED={seed} cargo test -p watershed-simulation -- one_seed --nocapture"
        );
    }
    Some(report)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().expect("a seed is a number"))
}

#[test]
fn two_hundred_seeds_lose_and_double_nothing() {
    let summary = simulate_all(0..200);
    println!("{summary}");
    // What never happens cannot go wrong.
    let tally = summary.tally();
    let happened = [
        ("update that was told to be durable", tally.durable),
        ("client that went on without what was undone", tally.rebased),
        ("client that was told what never happened", tally.rolled_back),
        ("client of a history that the job has left", tally.forked),
        ("client that waited in vain", tally.unavailable),
        ("dead letter", tally.letters),
        ("job that was suspended", tally.suspended),
        ("job that went back to a savepoint", tally.forks),
        ("agreement", tally.agreed),
        ("register that was read", tally.registers_read),
        ("writer that was refused for its clock", tally.skewed),
        ("update that was refused for its writer's clock", tally.distrusted),
        ("decision that came too late", tally.late_decisions),
    ];
    for (what, times) in happened {
        assert!(times > 0, "there is no {what} in two hundred seeds");
    }
    all_have_struck(tally);
    leaders_were_elected(tally);
}

/// Looks whether faults of each kind have done anything, and whether the job was well again behind them.
fn all_have_struck(tally: &Tally) {
    for kind in HARMS.map(Harm::kind) {
        let struck = tally.struck.get(kind).copied().unwrap_or(0);
        let recovered = tally.recoveries.iter().filter(|(other, _)| *other == kind).count();
        assert!(struck >= STRUCK_MIN, "{kind} has struck {struck} times");
        assert!(recovered as u64 >= STRUCK_MIN, "{kind} was recovered from {recovered} times");
    }
    let (drawn, struck) = (tally.faults.values().sum::<u64>(), tally.struck.values().sum::<u64>());
    assert!(struck * 100 >= drawn * STRUCK_PERCENT_MIN, "{struck} of {drawn} faults find anything to harm");
}

/// Looks whether leaders have changed under the faults that change them.
fn leaders_were_elected(tally: &Tally) {
    let faults = [
        Harm::Crash(0),
        Harm::Pause(0),
        Harm::OneWay(0, 1),
        Harm::Partition(1),
        Harm::Pair(0, 1),
        Harm::Loss(5),
        Harm::Rival(0),
        Harm::Claim(0),
        Harm::Flicker(0),
        Harm::Leaderless,
        Harm::LateCampaign(0),
    ];
    for kind in faults.map(Harm::kind).into_iter().chain([OF_A_MAJORITY, AFTER_NO_MAJORITY]) {
        let elected = tally.elected_under.get(kind).copied().unwrap_or(0);
        assert!(elected >= ELECTED_MIN, "{elected} elections: {kind}");
    }
}

#[test]
#[ignore = "takes minutes: --ignored --nocapture, and SIMULATION_SEEDS for another number"]
fn many_seeds_lose_and_double_nothing() {
    let first = number("SIMULATION_FIRST").unwrap_or(0);
    let summary = simulate_all(first..first + number("SIMULATION_SEEDS").unwrap_or(10_000));
    println!("{summary}");
}

#[test]
fn one_seed() {
    let Some(seed) = number("SIMULATION_SEED") else { return };
    let report = narrate(seed, None, None);
    println!("{report}");
    assert!(report.broken.is_none(), "{report}");
}

#[test]
fn a_seed_repeats_itself() {
    let (one, other) = (simulate(11, None), simulate(11, None));
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
}
