//! A pipeline's own judge: where a binary has `PIPELINE-audit` beside `PIPELINE`, what that says of an output must be what
//! it says of the output that nobody has disturbed.
//!
//! It is for outputs whose lines are not the same from run to run, such as a database, or counts that depend on the order of
//! what two sources send.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::cluster::clean;
use crate::error::ChaosError;

/// How long an audit may take.
const AUDIT_WITHIN: Duration = Duration::from_secs(300);

/// What the audit says of an output, on its standard output.
pub(crate) fn audited(binary: &Path, settings: &Path, arguments: &[String]) -> Result<String, ChaosError> {
    let mut command = clean(binary);
    command.arg("--config").arg(settings).args(["run", "--quiet"]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let what = "the audit".to_owned();
    let mut process = command.spawn().map_err(|error| ChaosError::Process { what, error })?;
    let begun = Instant::now();
    // What it says fits into the pipe; one that says more stands still, and has not ended in time.
    loop {
        match process.try_wait() {
            Ok(Some(status)) => {
                let mut said = String::new();
                let read = process.stdout.take().map(|mut out| out.read_to_string(&mut said));
                return Ok(match read {
                    Some(Ok(_)) if status.success() => said.trim().to_owned(),
                    Some(Ok(_) | Err(_)) | None => format!("the audit failed: {status}"),
                });
            }
            Ok(None) if begun.elapsed() < AUDIT_WITHIN => std::thread::sleep(Duration::from_millis(20)),
            Ok(None) | Err(_) => {
                let _ = process.kill();
                let _ = process.wait();
                return Ok(format!("the audit did not end within {} s", AUDIT_WITHIN.as_secs()));
            }
        }
    }
}
