//! A leash on sources: as long as somebody wants it, a job that is to be harmed does not come to its end.
//!
//! How long a job lasts that reads so many records a second is a matter of time, and how long it takes to harm it is one
//! of the machine: on a slow one the job is over before. So where `HARM_LEASH` names a file, each subtask of a source reads
//! in a run fewer records than the number in there, and comes closer and closer to it:
//!
//! ```text
//!   records                              length
//!   read in   ── ── ── ── ── ── ── ── ── ── ──
//!   this run               .  ·  ˙
//!                    .·˙
//!                .˙  half of them behind 5 s
//!              .
//!            .
//!          └─────────────────────────────▶ time
//! ```
//!
//! When the file is gone, all is read as fast as it would be otherwise.

use std::time::Duration;

/// How long it is waited before a source asks again that may read nothing more now.
pub(crate) const AGAIN: Duration = Duration::from_millis(20);

/// A source's subtask in one run, which may be on a leash: never.
#[cfg(not(feature = "failpoints"))]
#[derive(Debug, Default)]
pub(crate) struct Leash {}

#[cfg(not(feature = "failpoints"))]
impl Leash {
    /// How many of so many records may be read now: all.
    #[inline(always)]
    pub(crate) fn admits(&mut self, records: usize) -> usize {
        records
    }

    /// Takes note that so many were read.
    #[inline(always)]
    pub(crate) fn has_read(&mut self, _: u64) {}
}

#[cfg(feature = "failpoints")]
pub(crate) use held::Leash;

#[cfg(feature = "failpoints")]
mod held {
    use std::fs;
    use std::path::PathBuf;
    use std::sync::OnceLock;
    use std::time::{Duration, Instant};

    /// In what time half of the leash is paid out.
    const HALF: Duration = Duration::from_secs(5);

    /// A source's subtask in one run, which may be on a leash.
    #[derive(Debug, Default)]
    pub(crate) struct Leash {
        begun: Option<Instant>,
        read: u64,
    }

    impl Leash {
        /// How many of so many records may be read now.
        pub(crate) fn admits(&mut self, records: usize) -> usize {
            let begun = *self.begun.get_or_insert_with(Instant::now);
            let Some(length) = length() else { return records };
            let left = paid_out(length, begun.elapsed()).saturating_sub(self.read);
            usize::try_from(left).map_or(records, |left| left.min(records))
        }

        /// Takes note that so many were read.
        pub(crate) fn has_read(&mut self, records: u64) {
            self.read += records;
        }
    }

    /// How long the leash is, where there is one.
    fn length() -> Option<u64> {
        static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
        let file = FILE.get_or_init(|| std::env::var_os("HARM_LEASH").map(PathBuf::from)).as_ref()?;
        fs::read_to_string(file).ok()?.trim().parse().ok()
    }

    /// How much of it is paid out after a while.
    fn paid_out(length: u64, elapsed: Duration) -> u64 {
        let (elapsed, half) = (elapsed.as_secs_f64(), HALF.as_secs_f64());
        (length as f64 * elapsed / (elapsed + half)) as u64
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_leash_is_paid_out_slower_and_slower_and_never_whole() {
            let after = |seconds| paid_out(1000, Duration::from_secs(seconds));
            assert_eq!([0, 5, 15, 45, 495].map(after), [0, 500, 750, 900, 990]);
            assert!(after(3600) < 1000);
        }

        #[test]
        fn where_nobody_names_a_file_all_is_read() {
            let mut leash = Leash::default();
            leash.has_read(1 << 40);
            assert_eq!(leash.admits(4096), 4096);
        }
    }
}
