//! What a windowed stream was told beside its windows.

use std::time::Duration;

use watershed_core::{EventTime, Output, SideOutput, Watermark};

/// What happens to records that come late.
#[derive(Debug)]
pub struct Rules<T> {
    pub(super) allowed_lateness: Duration,
    pub(super) late: Option<SideOutput<T>>,
}

impl<T> Clone for Rules<T> {
    fn clone(&self) -> Self {
        Rules { allowed_lateness: self.allowed_lateness, late: self.late }
    }
}

impl<T> Default for Rules<T> {
    fn default() -> Self {
        Rules { allowed_lateness: Duration::ZERO, late: None }
    }
}

impl<T: watershed_core::Data> Rules<T> {
    /// Whether a window whose last millisecond is `last` takes no record any more.
    #[inline]
    pub(super) fn is_over(&self, last: EventTime, watermark: Watermark) -> bool {
        watermark.has_passed(last.after(self.allowed_lateness))
    }

    /// Counts a late record, and sends it where late records go.
    #[cold]
    pub(super) fn late<R>(&self, value: T, out: &mut impl Output<R>) {
        out.count_late();
        if let Some(late) = &self.late {
            out.side(late, value);
        }
    }
}
