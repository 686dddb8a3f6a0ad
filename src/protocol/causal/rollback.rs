//! To which checkpoints a job was set back.
//!
//! ```text
//!   run 3   ..--[N=7]--8--9--x            epochs 8 and 9 of run 3 are undone
//!   run 4             \--10--[11]--12--x  epochs 10 and 11 are kept, 12 of run 4 is undone
//!   run 5                        \--13--
//! ```
//!
//! Whether an update still counts is one comparison of two numbers: its lane was closed by the checkpoint from which the
//! next run began, or it was not. No clock of a checkpoint has to be kept for that. The records are totally ordered,
//! since each is made by the compare-and-swap that begins its run.

use watershed_core::causal::Lane;
pub use watershed_core::checkpoint::ROLL_BACKS_MAX;
use watershed_core::checkpoint::RollBack;

/// The newest roll-backs of a job, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollBacks(Vec<RollBack>);

/// What has become of an update of an older run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is part of the checkpoint from which the next run began, and so of everything since.
    Kept,
    /// It never happened: this roll-back has undone it.
    Undone(RollBack),
    /// Nobody knows any more.
    Forgotten,
}

impl RollBacks {
    /// The newest of these records, of which the meta store holds at least those that it was not told to forget.
    ///
    /// # Panics
    ///
    /// Where the records are not in the order in which runs begin.
    pub fn of(records: &[RollBack]) -> RollBacks {
        let mut roll_backs = RollBacks::default();
        records.iter().for_each(|record| roll_backs.push(*record));
        roll_backs
    }

    /// Takes note of another run, and forgets the oldest one where there are too many.
    ///
    /// # Panics
    ///
    /// Where the run is not newer than the newest, or a completed checkpoint of its history is lost with it.
    pub fn push(&mut self, record: RollBack) {
        if let Some(newest) = self.0.last() {
            assert!(newest.run < record.run, "runs begin in the order of their numbers");
            assert!(newest.lineage <= record.lineage, "an older lineage never comes back");
            let is_fork = newest.lineage < record.lineage;
            assert!(
                is_fork || newest.base <= record.base,
                "what is complete stays complete within a lineage"
            );
        }
        if self.0.len() == ROLL_BACKS_MAX {
            self.0.remove(0);
        }
        self.0.push(record);
    }

    /// What has become of the updates of a lane, of a run that is over.
    pub fn fate(&self, lane: Lane) -> Fate {
        let mut later = self.0.iter().skip_while(|record| record.run <= lane.run).peekable();
        // Each run has one record and numbers leave no gaps, so the next run's is here or was dropped.
        if later.peek().is_none_or(|next| next.run.0 != lane.run.0 + 1) {
            return Fate::Forgotten;
        }
        let undone = later.find(|record| record.base.is_none_or(|base| lane.epoch > base));
        undone.map_or(Fate::Kept, |record| Fate::Undone(*record))
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::{Epoch, Lineage, Run, Site};

    use super::*;

    fn record(run: u32, base: Option<u64>) -> RollBack {
        RollBack { run: Run(run), lineage: Lineage(0), base: base.map(Epoch) }
    }

    fn lane(run: u32, epoch: u64) -> Lane {
        Lane { run: Run(run), epoch: Epoch(epoch), site: Site(0) }
    }

    /// As in the picture at the top.
    fn pictured() -> RollBacks {
        RollBacks::of(&[record(4, Some(7)), record(5, Some(11))])
    }

    #[test]
    fn what_the_next_run_began_from_is_kept_and_the_rest_never_happened() {
        let roll_backs = pictured();
        assert_eq!(roll_backs.fate(lane(3, 7)), Fate::Kept);
        assert_eq!(roll_backs.fate(lane(3, 8)), Fate::Undone(record(4, Some(7))));
        // It is older than the base of run 5, and is not in it all the same.
        assert_eq!(roll_backs.fate(lane(3, 9)), Fate::Undone(record(4, Some(7))));
        assert_eq!(roll_backs.fate(lane(4, 11)), Fate::Kept);
        assert_eq!(roll_backs.fate(lane(4, 12)), Fate::Undone(record(5, Some(11))));
    }

    #[test]
    fn a_run_that_began_from_nothing_has_undone_everything() {
        let roll_backs = RollBacks::of(&[record(1, None), record(2, None), record(3, Some(2))]);
        assert_eq!(roll_backs.fate(lane(1, 1)), Fate::Undone(record(2, None)));
        assert_eq!(roll_backs.fate(lane(2, 2)), Fate::Kept);
    }

    #[test]
    fn of_runs_that_are_forgotten_nothing_is_said() {
        assert_eq!(pictured().fate(lane(2, 1)), Fate::Forgotten);
        let many: Vec<RollBack> = (1..=ROLL_BACKS_MAX as u32 + 2).map(|run| record(run, None)).collect();
        let roll_backs = RollBacks::of(&many);
        assert_eq!(roll_backs.0.len(), ROLL_BACKS_MAX);
        assert_eq!(roll_backs.fate(lane(1, 1)), Fate::Forgotten);
        assert_eq!(roll_backs.fate(lane(2, 1)), Fate::Undone(record(3, None)));
    }

    #[test]
    #[should_panic(expected = "in the order of their numbers")]
    fn a_run_begins_once() {
        RollBacks::of(&[record(4, Some(7)), record(4, Some(7))]);
    }

    #[test]
    #[should_panic(expected = "stays complete")]
    fn a_completed_checkpoint_is_not_lost() {
        RollBacks::of(&[record(4, Some(7)), record(5, Some(6))]);
    }
}
