//! A fault from when it is begun until the cluster is back from it: whether it has struck, and how long it was felt.
//!
//! ```text
//!   ordered ──► done ──────────────► back         of a frame: done when one is harmed, if one comes
//!     │          │ lasts ──► healed
//!     └─ none came: over, and nothing is harmed
//! ```
//!
//! That something was ordered says little. A fault *has struck* when something shows that it was felt:
//!
//! | fault | has struck |
//! | --- | --- |
//! | `kill`, `leader`, `pause` | where the node lived |
//! | `partition`, `one-way` | where the proxy stood in the way of a connection; rules of a kernel or an engine: at once |
//! | `slow`, `delay` | where a frame waited |
//! | `disk`, `full-disk` | where no checkpoint that began behind it was completed before it was healed |
//! | the others | when the frame was harmed: `reorder`, when another has overtaken it |

use std::time::{Duration, Instant};

use watershed_wire::Kind as FrameKind;

use crate::cluster::{Cluster, Standing};
use crate::fault::Kind;
use crate::harm::{Wound, name_of_frame, way};
use crate::proxy::{Harmed, Way};

/// How long a frame is waited for that could be harmed.
const FRAME_WITHIN: Duration = Duration::from_secs(10);

/// A fault whose end has not been seen.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) kind: Kind,
    /// When it was begun.
    pub(crate) since: Instant,
    pub(crate) has_struck: bool,
    /// What there is to be healed, and when.
    wound: Option<(Wound, Instant)>,
    healed_at: Option<Instant>,
    phase: Phase,
    /// How it was done, where that was not known before.
    detail: Option<String>,
}

/// How far a fault has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The next frame is to be harmed.
    Ordered,
    /// It was done at that time.
    Done(Instant),
    /// The cluster was back at the second time.
    Back(Instant, Instant),
    /// It has hurt nobody.
    Missed,
}

impl Open {
    /// A fault that has just been begun.
    pub(crate) fn new(kind: Kind, wound: Wound, lasts: Duration, has_struck: bool) -> Open {
        let since = Instant::now();
        let phase = if matches!(wound, Wound::Frame { .. }) { Phase::Ordered } else { Phase::Done(since) };
        let wound = Some((wound, since + lasts));
        Open { kind, since, has_struck, wound, healed_at: None, phase, detail: None }
    }

    /// Looks whether it is felt, where that does not show at once.
    pub(crate) fn feel(&mut self, cluster: &Cluster) {
        match &self.wound {
            Some((Wound::Frame { from, to, wanted }, _)) => {
                let (way, wanted) = (way(cluster, from, to), *wanted);
                self.feel_frame(&way, wanted);
            }
            Some((Wound::CutOff(node), _)) => self.has_struck |= cluster.nodes[*node].dwelling.feels_cut(),
            Some((Wound::Ways { from, to }, _)) => self.has_struck |= way(cluster, from, to).is_felt(),
            Some((Wound::Dead(_) | Wound::Still(_) | Wound::Away | Wound::Full, _)) | None => {}
        }
    }

    fn feel_frame(&mut self, way: &Way, wanted: FrameKind) {
        if self.phase != Phase::Ordered {
            return;
        }
        if let Some(harmed) = way.harmed() {
            self.harm_frame(harmed);
        } else if self.since.elapsed() > FRAME_WITHIN {
            way.heal();
            self.detail = Some(format!("{}, and none came", name_of_frame(wanted)));
            self.phase = Phase::Missed;
        }
    }

    fn harm_frame(&mut self, Harmed { kind, at }: Harmed) {
        self.detail = Some(name_of_frame(kind));
        (self.phase, self.has_struck) = (Phase::Done(at), true);
    }

    /// Looks whether the cluster is back from it.
    pub(crate) fn look_back(&mut self, standing: &Standing) {
        let Phase::Done(done_at) = self.phase else { return };
        let Some(at) = standing.completed_behind(done_at) else { return };
        let needs_disk = matches!(self.kind, Kind::Disk | Kind::FullDisk);
        if needs_disk && self.healed_at.is_none_or(|healed| at < healed) {
            // It was written on a disk that is said to take nothing.
            (self.phase, self.has_struck) = (Phase::Missed, false);
        } else {
            self.phase = Phase::Back(done_at, at);
        }
    }

    /// What is to be healed now, because it has lasted long enough.
    pub(crate) fn take_due(&mut self) -> Option<Wound> {
        let is_due = |(wound, until): &(Wound, Instant)| {
            !matches!(wound, Wound::Frame { .. }) && Instant::now() >= *until
        };
        if self.wound.as_ref().is_some_and(is_due) { self.take() } else { None }
    }

    /// What is to be healed. What shows only while it lasts must have been looked for before.
    pub(crate) fn take(&mut self) -> Option<Wound> {
        let (wound, _) = self.wound.take()?;
        if matches!(wound, Wound::Away | Wound::Full) && self.phase != Phase::Missed {
            self.has_struck = true;
        }
        self.healed_at = Some(Instant::now());
        Some(wound)
    }

    /// Whether nothing is left to be healed.
    pub(crate) fn is_healed(&self) -> bool {
        self.wound.as_ref().is_none_or(|(wound, _)| matches!(wound, Wound::Frame { .. }))
    }

    /// Whether the cluster is back from it, or has not felt it at all.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Back(..) | Phase::Missed)
    }

    /// When it was done, if it was.
    pub(crate) fn done_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Done(at) | Phase::Back(at, _) => Some(at),
            Phase::Ordered | Phase::Missed => None,
        }
    }

    /// How long it took to be back from it, if it has struck and the cluster is back.
    pub(crate) fn recovery(&self) -> Option<Duration> {
        match self.phase {
            Phase::Back(done_at, at) if self.has_struck => Some(at.saturating_duration_since(done_at)),
            Phase::Back(..) | Phase::Ordered | Phase::Done(_) | Phase::Missed => None,
        }
    }

    /// How it was done, where that was not known before.
    pub(crate) fn detail(&self) -> Option<String> {
        self.detail.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::{Once, Order};

    const SECOND: Duration = Duration::from_secs(1);

    /// Longer than any test takes.
    const HOUR: Duration = Duration::from_secs(3600);

    /// A checkpoint that was triggered and completed so long after a moment.
    fn standing(at: Instant, began: Duration, completed: Duration) -> Standing {
        Standing {
            state: "running".to_owned(),
            reason: String::new(),
            number: 1,
            newest: 100,
            began_at: Some(at + began),
            completed_at: Some(at + completed),
        }
    }

    fn open(kind: Kind, wound: Wound, has_struck: bool) -> Open {
        Open::new(kind, wound, HOUR, has_struck)
    }

    #[test]
    fn a_cluster_is_back_when_a_checkpoint_is_complete_that_was_triggered_behind_the_fault() {
        let mut kill = open(Kind::Kill, Wound::Dead(0), true);
        let at = kill.since;
        let before = Standing { began_at: at.checked_sub(SECOND), ..standing(at, SECOND, 2 * SECOND) };
        kill.look_back(&before);
        assert!(!kill.is_over(), "it was under way when the fault was done, whatever its number");
        kill.look_back(&Standing { began_at: None, ..before });
        assert!(!kill.is_over(), "whoever leads does not know when it was triggered");
        kill.look_back(&standing(at, SECOND, 3 * SECOND));
        assert_eq!((kill.is_over(), kill.recovery()), (true, Some(3 * SECOND)));
        kill.look_back(&standing(at, 4 * SECOND, 5 * SECOND));
        assert_eq!(kill.recovery(), Some(3 * SECOND), "the first counts");
    }

    #[test]
    fn there_is_nothing_to_be_back_from_where_nothing_was_struck() {
        let mut slow = open(Kind::Slow, Wound::Ways { from: "n1".to_owned(), to: "n2".to_owned() }, false);
        slow.look_back(&standing(slow.since, SECOND, 2 * SECOND));
        assert_eq!((slow.is_over(), slow.recovery()), (true, None));
        assert!(!slow.is_healed(), "it lasts all the same");
        slow.has_struck = true;
        assert_eq!(slow.recovery(), Some(2 * SECOND), "it was felt later");
    }

    #[test]
    fn a_disk_has_struck_only_where_nothing_was_completed_before_it_was_healed() {
        for (kind, wound) in [(Kind::Disk, Wound::Away), (Kind::FullDisk, Wound::Full)] {
            let mut useless = open(kind, wound, false);
            useless.look_back(&standing(useless.since, SECOND, 2 * SECOND));
            assert!(useless.is_over() && !useless.is_healed(), "{kind}");
            assert!(useless.take().is_some());
            assert!(!useless.has_struck && useless.recovery().is_none(), "{kind}");
        }
        let mut disk = open(Kind::Disk, Wound::Away, false);
        assert!(disk.take_due().is_none(), "it has not lasted long enough");
        assert!(disk.take().is_some() && disk.has_struck && disk.is_healed());
        disk.look_back(&standing(disk.since, SECOND, HOUR));
        assert_eq!((disk.has_struck, disk.recovery()), (true, Some(HOUR)));
        let mut late = open(Kind::Disk, Wound::Away, false);
        std::thread::sleep(Duration::from_millis(20));
        late.take();
        late.look_back(&standing(late.since, Duration::from_millis(1), Duration::from_millis(2)));
        assert!(!late.has_struck, "that was seen late");
    }

    #[test]
    fn a_fault_of_a_frame_is_done_when_one_is_harmed_and_misses_where_none_comes() {
        let wound =
            || Wound::Frame { from: "n1".to_owned(), to: "n2".to_owned(), wanted: FrameKind::Records };
        let (mut reorder, way) = (open(Kind::Reorder, wound(), false), Way::default());
        way.order(Order { once: Once::Reorder(SECOND), kind: None });
        reorder.feel_frame(&way, FrameKind::Records);
        reorder.look_back(&standing(reorder.since, SECOND, 2 * SECOND));
        assert!(!reorder.is_over() && !reorder.has_struck && reorder.done_at().is_none());
        reorder.harm_frame(Harmed { kind: FrameKind::Credit, at: reorder.since });
        assert_eq!((reorder.has_struck, reorder.detail().as_deref()), (true, Some("a frame of kind credit")));
        let mut missed = open(Kind::Cut, wound(), false);
        missed.since = missed.since.checked_sub(FRAME_WITHIN).expect("the machine runs for longer than that");
        missed.feel_frame(&Way::default(), FrameKind::Records);
        assert_eq!(missed.detail().as_deref(), Some("a frame of kind records, and none came"));
        assert!(missed.is_over() && missed.is_healed() && !missed.has_struck);
    }
}
