//! A flight: what the outputs need of a row of `flights.csv`.

use compact_str::CompactString;
use watershed::prelude::*;

use super::utc::Utc;

/// A flight as the file has it, each field named after its column.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub(super) struct Flight {
    /// The hour of scheduled departure.
    pub(super) time_hour: Utc,
    /// The minute of scheduled departure.
    pub(super) minute: u8,
    /// The airline's code.
    pub(super) carrier: CompactString,
    /// The aircraft; unknown for some cancelled flights.
    pub(super) tailnum: Option<CompactString>,
    /// The airport it leaves.
    pub(super) origin: CompactString,
    /// The airport it goes to.
    pub(super) dest: CompactString,
    /// In miles.
    pub(super) distance: u32,
    /// In minutes, negative where it left early; none where it was cancelled.
    pub(super) dep_delay: Option<i32>,
    /// In minutes, negative where it came early; none where it was cancelled or diverted.
    pub(super) arr_delay: Option<i32>,
}

impl Flight {
    /// The scheduled departure: a flight's event time.
    pub(super) fn scheduled(&self) -> EventTime {
        self.time_hour.0.after(Duration::from_secs(60 * u64::from(self.minute)))
    }
}
