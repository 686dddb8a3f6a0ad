//! Input that could not be used: kept, with where it came from and why.

use serde::{Deserialize, Serialize};

use crate::Data;

/// A piece of input that was set aside, so that it harms nothing else and can be looked at later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
pub struct DeadLetter {
    /// The uid of the operator that refused it.
    pub operator: String,
    /// Where it came from, for a person: `flights.csv line 12`.
    pub origin: String,
    /// Why it was refused.
    pub reason: String,
    /// The input itself, as it was read; cut off after [`DeadLetter::BYTES_MAX`].
    pub bytes: Vec<u8>,
}

impl DeadLetter {
    /// How much of a refused piece of input is kept, in bytes.
    pub const BYTES_MAX: usize = 64 * 1024;

    /// A letter from an operator that is filled in by the runtime.
    pub fn new(origin: impl Into<String>, reason: impl Into<String>, bytes: &[u8]) -> Self {
        DeadLetter {
            operator: String::new(),
            origin: origin.into(),
            reason: reason.into(),
            bytes: bytes[..bytes.len().min(DeadLetter::BYTES_MAX)].to_vec(),
        }
    }
}
