//! What a job pays that shares nothing: `keyed-count` in two processes, by this program and by an older one in turn.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Arguments, median};
use crate::error::Error;

pub(super) fn measure(arguments: &Arguments) -> Result<(), Error> {
    let Some(before) = &arguments.before else {
        println!("unused: name an older program by --before to compare with it");
        return Ok(());
    };
    let now = env::current_exe().map_err(Error::Usage)?;
    let (mut of_before, mut of_now) = (Vec::new(), Vec::new());
    for run in 1..=arguments.runs {
        of_before.push(rate(before, arguments.records)?);
        of_now.push(rate(&now, arguments.records)?);
        let (before, now) = (of_before[of_before.len() - 1], of_now[of_now.len() - 1]);
        println!("unused run {run}: {before:.1} M events/s before, {now:.1} now, {:.3}", now / before);
    }
    println!("unused: {:.3} of the rate before, by medians", median(of_now) / median(of_before));
    Ok(())
}

/// Million events a second of one run, whose results are right.
fn rate(program: &Path, events: u64) -> Result<f64, Error> {
    let output = Command::new(program)
        .args(["compare", "--workload", "keyed-count", "--systems", "watershed-remote", "--runs", "1"])
        .args(["--json", "--events", &events.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(Error::Usage)?;
    let said = String::from_utf8_lossy(&output.stdout);
    let run: Value = serde_json::from_str(said.lines().next().unwrap_or_default()).unwrap_or_default();
    match run["events_per_second"].as_f64() {
        Some(rate) if run["right"] == true => Ok(rate / 1e6),
        Some(_) | None => Err(Error::Wrong(format!("{} says {said:?}", program.display()))),
    }
}
