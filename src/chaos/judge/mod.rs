//! What is demanded of a job that was hurt.

mod audit;
mod outputs;
mod proof;

use serde::Serialize;

pub(crate) use audit::{Unjudged, audited};
pub(crate) use outputs::Outputs;
pub(crate) use proof::prove;

/// What was found of one job.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// The job.
    pub job: String,
    /// By what its output was judged.
    pub by: &'static str,
    /// What there was to compare: how many lines, or what the audit says.
    pub compared: String,
    /// Everything that is wrong, for people to read. Nothing where the job is as it should be.
    pub wrong: Vec<String>,
    /// How many of its checkpoints were proved.
    pub checkpoints_proved: usize,
    /// How many bytes each of these has, by its number.
    pub checkpoint_bytes: Vec<(u64, u64)>,
}
