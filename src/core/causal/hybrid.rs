//! Times that respect causes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A hybrid logical time: milliseconds since 1970 (UTC) in the upper 48 bits, and in the lower 16 a count of what
/// happened within the same one. It is never smaller than that of anything it was caused by, and close to the wall clock.
///
/// After: Kulkarni et al., *Logical Physical Clocks and Consistent Snapshots in Globally Distributed Databases* (2014).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HybridTime(pub u64);

impl HybridTime {
    /// The latest wall-clock time that can be told: the year 10889.
    pub const MILLIS_MAX: u64 = (1 << 48) - 1;

    /// The first time of a millisecond; the last millisecond that can be told where it is later.
    pub fn at(millis: u64) -> Self {
        HybridTime(millis.min(Self::MILLIS_MAX) << 16)
    }

    /// The wall-clock part, in milliseconds since 1970 (UTC).
    pub const fn millis(self) -> u64 {
        self.0 >> 16
    }

    /// The next time. Where a millisecond has had all its times, the next one begins.
    #[must_use]
    pub const fn next(self) -> Self {
        HybridTime(self.0.saturating_add(1))
    }
}

impl fmt::Display for HybridTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.millis(), self.0 & 0xffff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_millisecond_flows_over_into_the_next() {
        let time = HybridTime::at(7);
        assert_eq!((time.millis(), time.to_string().as_str()), (7, "7+0"));
        assert_eq!(HybridTime(time.0 + 0xffff).next(), HybridTime::at(8));
        assert_eq!(HybridTime::at(u64::MAX).millis(), HybridTime::MILLIS_MAX);
    }
}
