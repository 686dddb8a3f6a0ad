//! A task's clock on one channel: only what has changed since the frame before.
//!
//! ```text
//!   ClockWriter                                                   ClockReader
//!   first frame:        Full(base, all lanes)   ------------->    begins anew
//!   nothing changed:    None, one byte          ------------->    as before
//!   k lanes changed:    Delta(base, k entries)  ------------->    adds them, forgets lanes up to the base
//! ```
//!
//! A channel delivers its frames in order and each once, so both ends know the same clock after each frame; that is all
//! the technique needs. After a new connection both ends begin anew, and a reader takes nothing before a `Full` one. One
//! writer and one reader belong to one channel: were a connection's channels to share them, a fast task's clock would get
//! into a slow task's session.
//!
//! After: Singhal and Kshemkalyani, *An Efficient Implementation of Vector Clocks* (1992).

use serde::{Deserialize, Serialize};
use watershed_core::causal::{Dot, Lane, VectorClock};
use watershed_core::{Counter, Epoch, Run, Site};

/// What a frame says of its task's clock.
///
/// As MessagePack: nil, or an array of whether it is full, the base, and the entries. `None` takes one byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Packed", into = "Packed")]
pub enum FrameClock {
    /// It is that of the frame before.
    None,
    /// It is that of the frame before, but for these.
    Delta {
        /// Lanes up to this epoch are settled and not named.
        base: Epoch,
        /// The lanes that have changed.
        entries: Vec<ClockEntry>,
    },
    /// It is this.
    Full {
        /// Lanes up to this epoch are settled and not named.
        base: Epoch,
        /// All its lanes.
        entries: Vec<ClockEntry>,
    },
}

/// The newest update seen of one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClockEntry {
    /// The lane's site.
    pub site: Site,
    /// How far the lane's epoch lies behind the base: 1 or more.
    pub offset: u64,
    /// The update.
    pub counter: Counter,
}

/// The form on the wire: whether it is full, the base, the entries.
type Packed = Option<(bool, Epoch, Vec<ClockEntry>)>;

impl From<Packed> for FrameClock {
    fn from(packed: Packed) -> Self {
        match packed {
            None => FrameClock::None,
            Some((false, base, entries)) => FrameClock::Delta { base, entries },
            Some((true, base, entries)) => FrameClock::Full { base, entries },
        }
    }
}

impl From<FrameClock> for Packed {
    fn from(clock: FrameClock) -> Self {
        match clock {
            FrameClock::None => None,
            FrameClock::Delta { base, entries } => Some((false, base, entries)),
            FrameClock::Full { base, entries } => Some((true, base, entries)),
        }
    }
}

/// Says in each frame what has changed of a clock that only grows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClockWriter {
    /// What the other end knows, once it has had a full one.
    told: Option<VectorClock>,
}

impl Default for ClockWriter {
    fn default() -> Self {
        ClockWriter::new()
    }
}

impl ClockWriter {
    /// Has told nothing yet: for a new channel, and after each new connection.
    pub const fn new() -> Self {
        ClockWriter { told: None }
    }

    /// What the next frame says of the clock. `base` is the epoch up to which everything is settled; the clock's lanes
    /// up to there are left out.
    pub fn stamp(&mut self, clock: &VectorClock, base: Epoch) -> FrameClock {
        let open = clock.dots().filter(|dot| dot.lane.epoch > base);
        let Some(told) = &mut self.told else {
            let clock: VectorClock = open.collect();
            let entries = clock.dots().map(|dot| ClockEntry::of(dot, base)).collect();
            self.told = Some(clock);
            return FrameClock::Full { base, entries };
        };
        let changed: Vec<Dot> = open.filter(|dot| !told.has_seen(*dot)).collect();
        if changed.is_empty() {
            return FrameClock::None;
        }
        told.forget(base);
        changed.iter().for_each(|dot| told.see(*dot));
        FrameClock::Delta { base, entries: changed.iter().map(|dot| ClockEntry::of(*dot, base)).collect() }
    }
}

impl ClockEntry {
    fn of(Dot { lane, counter }: Dot, base: Epoch) -> Self {
        ClockEntry { site: lane.site, offset: lane.epoch.0 - base.0, counter }
    }
}

/// Why a frame's clock is not taken. The channel is not to be trusted any more: give its connection up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClockError {
    /// Something has changed in a clock that was never told.
    #[error("a channel begins with a full clock")]
    NoBegin,
    /// There are too many lanes.
    #[error("a clock has {found} lanes, and {max} are taken")]
    TooMany {
        /// How many there are.
        found: usize,
        /// How many are taken.
        max: usize,
    },
    /// The base has gone back.
    #[error("a clock goes back from base {last} to {found}")]
    BaseBack {
        /// The last base.
        last: Epoch,
        /// The one found.
        found: Epoch,
    },
    /// There is no such site or lane.
    #[error("a clock names a lane of site {site}, {offset} epochs behind its base, and there is none")]
    NoLane {
        /// The site.
        site: Site,
        /// The epoch, counted from the base.
        offset: u64,
    },
    /// A counter is not behind the last one.
    #[error("a clock goes back in a lane of site {site}")]
    Back {
        /// The site.
        site: Site,
    },
}

/// Rebuilds the clock that a [`ClockWriter`] was given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClockReader {
    run: Run,
    sites: u16,
    lanes_max: usize,
    /// The base and the clock after the last frame, once there was a full one.
    known: Option<(Epoch, VectorClock)>,
    nothing: VectorClock,
}

impl ClockReader {
    /// The end of a channel of a run with so many sites. Takes clocks of no more than `lanes_max` lanes.
    pub const fn new(run: Run, sites: u16, lanes_max: usize) -> Self {
        ClockReader { run, sites, lanes_max, known: None, nothing: VectorClock::new() }
    }

    /// The writer's clock at the next frame. Before the first full one nothing has been seen.
    ///
    /// What it names is not believed yet: ask [`Replica::is_plausible`](super::Replica::is_plausible) too where it was
    /// not `None`.
    ///
    /// # Errors
    ///
    /// When no correct writer says this; nothing has changed then.
    pub fn read(&mut self, frame: &FrameClock) -> Result<&VectorClock, ClockError> {
        match frame {
            FrameClock::None => {}
            FrameClock::Full { base, entries } => {
                let clock = self.with(VectorClock::new(), *base, entries)?;
                self.known = Some((*base, clock));
            }
            FrameClock::Delta { base, entries } => {
                let (last, known) = self.known.as_ref().ok_or(ClockError::NoBegin)?;
                if base < last {
                    return Err(ClockError::BaseBack { last: *last, found: *base });
                }
                let mut known = known.clone();
                known.forget(*base);
                let clock = self.with(known, *base, entries)?;
                self.known = Some((*base, clock));
            }
        }
        Ok(self.known.as_ref().map_or(&self.nothing, |(_, clock)| clock))
    }

    /// A clock with some more entries.
    fn with(
        &self,
        mut clock: VectorClock,
        base: Epoch,
        entries: &[ClockEntry],
    ) -> Result<VectorClock, ClockError> {
        // Looked at first: a frame can name more than should be gone through.
        if entries.len() > self.lanes_max {
            return Err(ClockError::TooMany { found: entries.len(), max: self.lanes_max });
        }
        for &ClockEntry { site, offset, counter } in entries {
            let epoch = base.0.checked_add(offset).filter(|_| offset > 0);
            let Some(epoch) = epoch.filter(|_| site.0 < self.sites) else {
                return Err(ClockError::NoLane { site, offset });
            };
            let dot = Dot { lane: Lane { run: self.run, epoch: Epoch(epoch), site }, counter };
            if clock.has_seen(dot) {
                return Err(ClockError::Back { site });
            }
            clock.see(dot);
        }
        if clock.len() > self.lanes_max {
            return Err(ClockError::TooMany { found: clock.len(), max: self.lanes_max });
        }
        Ok(clock)
    }
}

#[cfg(test)]
mod tests;
