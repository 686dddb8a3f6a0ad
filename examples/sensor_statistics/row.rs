//! What is stored: the rows of the tables, and of the files of JSON lines.

use watershed::prelude::*;

/// A sensor's readings in one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub(crate) struct Statistics {
    pub(crate) sensor: u32,
    /// The first moment of the window, RFC 3339 in UTC.
    pub(crate) window_start: String,
    /// The first moment after it.
    pub(crate) window_end: String,
    pub(crate) readings: u64,
    pub(crate) sum: f64,
    pub(crate) mean: f64,
    /// Of these readings, not an estimate for others: divided by their number.
    pub(crate) variance: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

/// How two sensors went along with each other in one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub(crate) struct Relation {
    pub(crate) left: u32,
    pub(crate) right: u32,
    pub(crate) window_start: String,
    pub(crate) window_end: String,
    /// Readings of the one that met one of the other.
    pub(crate) pairs: u64,
    /// Of these pairs: divided by their number.
    pub(crate) covariance: f64,
}
