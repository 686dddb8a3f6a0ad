//! What an update costs on its way: bytes for each that receives it, and the time until it is there.

use super::trio::{NODES, Trio};
use super::{Arguments, median};
use crate::error::Error;

/// What a run has come to, of all nodes together.
struct Spread {
    made: u64,
    applied: u64,
    bytes: u64,
    /// What half, 99 of 100 and all updates took at most, in microseconds; of the slowest node.
    took: [u64; 3],
}

pub(super) fn measure(arguments: &Arguments) -> Result<(), Error> {
    let (mut bytes, mut half, mut most) = (Vec::new(), Vec::new(), Vec::new());
    for run in 1..=arguments.runs {
        // The same records without updates: what they and the cluster cost by themselves.
        let silent = spread(arguments, false)?;
        let Spread { made, applied, bytes: sent, took } = spread(arguments, true)?;
        let expected = arguments.rate * arguments.seconds;
        let others = NODES as u64 - 1;
        if (made, applied) != (expected, expected * others) {
            let what = format!("{made} updates were made of {expected}, and {applied} have arrived");
            return Err(Error::Wrong(what));
        }
        let each = sent.saturating_sub(silent.bytes) as f64 / applied as f64;
        let ms = took.map(|micros| micros as f64 / 1e3);
        println!(
            "spread run {run}: {made} updates at {}/s, {each:.0} bytes for each receiver ({:.0} with all else), \
             p50 {:.2} p99 {:.2} max {:.2} ms",
            arguments.rate,
            sent as f64 / applied as f64,
            ms[0],
            ms[1],
            ms[2]
        );
        bytes.push(each);
        half.push(ms[0]);
        most.push(ms[1]);
    }
    let (bytes, half, most) = (median(bytes), median(half), median(most));
    println!("spread: {bytes:.0} bytes for each receiver, p50 {half:.2} p99 {most:.2} ms, by medians");
    Ok(())
}

fn spread(arguments: &Arguments, updating: bool) -> Result<Spread, Error> {
    let updates = arguments.rate * arguments.seconds;
    // The last second is silent, so that all have come when the job ends.
    let (records, updates) = (updates + arguments.rate, if updating { updates } else { 0 });
    let work = [
        format!("--records={records}"),
        format!("--rate={}", arguments.rate),
        format!("--updates={updates}"),
    ];
    let mut trio = Trio::start(&work)?;
    trio.wait("the end of the job", |trio| {
        trio.ask_any("status").is_some_and(|said| said["state"] == "finished" || said["state"] == "failed")
    })?;
    let mut spread = Spread { made: 0, applied: 0, bytes: 0, took: [0; 3] };
    for index in 0..NODES {
        let told = trio.ask(index, "tell").ok_or_else(|| Error::Wrong("a node is silent".to_owned()))?;
        let number = |of: &serde_json::Value| of.as_u64().unwrap_or_default();
        spread.made += number(&told["made"]);
        spread.applied += number(&told["applied"]);
        spread.bytes += number(&told["bytes"]);
        for (place, took) in spread.took.iter_mut().enumerate() {
            *took = number(&told["took"][place]).max(*took);
        }
    }
    Ok(spread)
}
