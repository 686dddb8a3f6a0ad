//! The pipeline in one process, as fast as it can, with nobody to hurt it: what the others are measured by.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::LOOK;
use crate::error::ChaosError;
use crate::home::clean;

/// How long the pipeline may take in one process.
const WITHIN: Duration = Duration::from_secs(900);

/// Kills a process that is left behind.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already is not there to be killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs it, with these arguments of `run`; how many records its largest source has read.
pub(crate) fn run(
    binary: &Path,
    directory: &Path,
    arguments: &[String],
    interrupted: &AtomicBool,
) -> Result<u64, ChaosError> {
    let (settings, answer, errors) = (
        directory.join("undisturbed.toml"),
        directory.join("undisturbed.json"),
        directory.join("undisturbed.log"),
    );
    fs::write(&settings, "").map_err(ChaosError::at(&settings))?;
    let mut command = clean(binary);
    command.arg("--config").arg(&settings).args(["run", "--quiet", "--json"]).args(arguments);
    command.arg("--dead-letters").arg(directory.join("undisturbed-dead-letters.jsonl"));
    command.stdin(Stdio::null());
    command.stdout(File::create(&answer).map_err(ChaosError::at(&answer))?);
    command.stderr(File::create(&errors).map_err(ChaosError::at(&errors))?);
    let what = "the pipeline in one process".to_owned();
    let child = command.spawn().map_err(|error| ChaosError::Process { what, error })?;
    let (mut process, begun) = (Process(child), Instant::now());
    let status = loop {
        if let Some(status) = process.0.try_wait().map_err(ChaosError::at(binary))? {
            break status;
        }
        if interrupted.load(Relaxed) {
            return Err(ChaosError::Interrupted);
        }
        if begun.elapsed() > WITHIN {
            let why = format!("not within {} s; give it less to do", WITHIN.as_secs());
            return Err(ChaosError::Undisturbed(why));
        }
        std::thread::sleep(LOOK);
    };
    let said = fs::read_to_string(&answer).map_err(ChaosError::at(&answer))?;
    // What the pipeline prints goes before.
    let summary: Value =
        said.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    if !status.success() {
        let errors = fs::read_to_string(&errors).unwrap_or_default();
        let why = summary["error"].as_str().map_or_else(|| errors.trim().to_owned(), str::to_owned);
        return Err(ChaosError::Undisturbed(why));
    }
    let sources = summary["sources"].as_array().map_or(&[] as &[_], Vec::as_slice);
    Ok(sources.iter().filter_map(|source| source["records"].as_u64()).max().unwrap_or_default())
}
