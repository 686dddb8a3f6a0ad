//! Seeds: a few of them in every suite, many of them on demand, one of them step by step.

use watershed_simulation::{Summary, narrate, shrink, simulate};

/// Simulates these seeds, and stops at the first that fails, with the least faults that it takes.
fn simulate_all(seeds: std::ops::Range<u64>) -> Summary {
    let mut summary = Summary::default();
    for seed in seeds {
        let report = simulate(seed, None);
        summary.add(&report);
        if report.broken.is_some() {
            let least = shrink(&report, None);
            panic!(
                "{report}\nwith the fewest faults that it takes:\n{least}\n\
                 repeat it: SIMULATION_SEED={seed} cargo test -p watershed-simulation -- one_seed --nocapture"
            );
        }
    }
    summary
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().expect("a seed is a number"))
}

#[test]
fn two_hundred_seeds_lose_and_double_nothing() {
    let summary = simulate_all(0..200);
    println!("{summary}");
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
