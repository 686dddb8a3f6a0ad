//! How large vectors become when nodes are killed, leave and come back again and again.

use super::Arguments;
use super::trio::{NODES, Trio};
use crate::error::Error;

/// The most lanes of one node that may be open: of the epoch that is being completed, of the one after it, and of one
/// whose checkpoint has just been completed.
const LANES_MAX: u64 = 3;

pub(super) fn measure(arguments: &Arguments) -> Result<(), Error> {
    let mut trio =
        Trio::start(&[format!("--rate={}", arguments.rate.min(2000)), format!("--updates={}", u64::MAX)])?;
    let (mut run, mut entries) = (goes_on(&mut trio, 0)?, 0);
    for harm in 0..arguments.harms {
        let index = harm as usize % NODES;
        entries = entries.max(largest(&mut trio));
        if harm % 3 == 2 {
            trio.leave(index)?;
        } else {
            trio.kill(index)?;
        }
        let after = goes_on(&mut trio, run)?;
        trio.begin(index)?;
        trio.wait("the node that was gone", |trio| trio.ask_any("nodes").is_some_and(|said| said == NODES))?;
        println!("vectors: run {after} behind harm {}, {} entries at most", harm + 1, largest(&mut trio));
        run = after;
    }
    entries = entries.max(largest(&mut trio));
    let bound = LANES_MAX * NODES as u64;
    println!(
        "vectors: {entries} entries at most over {} harms, in {run} runs; the bound is {bound}",
        arguments.harms
    );
    if entries == 0 || entries > bound {
        return Err(Error::Wrong(format!("vectors have had {entries} entries, and may have 1 to {bound}")));
    }
    Ok(())
}

/// Waits for a checkpoint of a later run, and returns the run.
fn goes_on(trio: &mut Trio, before: u64) -> Result<u64, Error> {
    let (mut run, mut completed) = (0, None);
    trio.wait("a checkpoint of a later run", |trio| {
        let Some(said) = trio.ask_any("status") else { return false };
        let (now, newest) = (said["run"].as_u64().unwrap_or_default(), said["completed"].as_u64());
        if now > before && now != run {
            (run, completed) = (now, newest);
        }
        now > before && newest.is_some() && newest > completed
    })?;
    Ok(run)
}

/// The most entries that a vector has had on any of the nodes that live.
fn largest(trio: &mut Trio) -> u64 {
    let told = (0..NODES).filter_map(|index| trio.ask(index, "tell")?["entries"].as_u64());
    told.max().unwrap_or_default()
}
