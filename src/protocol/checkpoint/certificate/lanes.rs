//! Where the lanes of all sites ended: the cut through shared state, against which everything else is measured.

use std::collections::BTreeMap;

use watershed_core::causal::{Dot, VectorClock};
use watershed_core::checkpoint::{SharedCut, SiteShare, Vote};
use watershed_core::{Counter, Epoch, Site, SubtaskId};

use super::{Mention, Moment, Violation};

/// The cut through shared state.
pub(super) struct Lanes<'a> {
    moment: Moment,
    /// The last update of each lane that any site names.
    finals: VectorClock,
    /// What each site has to say, and who says it.
    pub(super) shares: BTreeMap<Site, (SubtaskId, &'a SiteShare)>,
}

impl<'a> Lanes<'a> {
    /// What the shares in these votes tell, as far as they can be believed without looking at the rest: of two shares of
    /// one site the first.
    pub(super) fn of(moment: Moment, votes: &'a [Vote]) -> Lanes<'a> {
        let mut lanes = Lanes { moment, finals: VectorClock::new(), shares: BTreeMap::new() };
        for (subtask, cut) in cuts(votes) {
            if let Some(share) = &cut.share {
                lanes.finals.merge(&share.finals);
                lanes.shares.entry(cut.site).or_insert((subtask, share));
            }
        }
        lanes
    }

    /// How many lanes have an end.
    pub(super) fn len(&self) -> usize {
        self.finals.len()
    }

    /// Proves that whatever `clock` names is in the cut.
    pub(super) fn hold(
        &self,
        subtask: SubtaskId,
        mention: Mention,
        clock: &VectorClock,
    ) -> Result<(), Violation> {
        clock.dots().try_for_each(|dot| self.holds(subtask, mention, dot))
    }

    fn holds(&self, subtask: SubtaskId, mention: Mention, dot: Dot) -> Result<(), Violation> {
        self.belongs(subtask, mention, dot)?;
        let last = self.finals.get(dot.lane);
        // A site that knows of a complete checkpoint does not name the lanes that it holds. Whoever does not know of it yet
        // may still do so.
        let in_base = last == Counter(0) && self.moment.base.is_some_and(|base| dot.lane.epoch <= base);
        if dot.counter <= last || in_base {
            Ok(())
        } else {
            Err(Violation::Orphan { subtask, mention, dot, last })
        }
    }

    /// Proves that a lane is one of this run, of an epoch that the checkpoint closes.
    pub(super) fn belongs(
        &self,
        subtask: SubtaskId,
        mention: Mention,
        Dot { lane, .. }: Dot,
    ) -> Result<(), Violation> {
        let Moment { run, epoch, base: _ } = self.moment;
        if lane.run != run {
            return Err(Violation::OtherRun { subtask, mention, lane, run });
        }
        if lane.epoch > epoch {
            return Err(Violation::Beyond { subtask, mention, lane, epoch });
        }
        Ok(())
    }

    /// The checkpoint's number.
    pub(super) fn epoch(&self) -> Epoch {
        self.moment.epoch
    }
}

/// What each subtask says of shared state, where it says anything.
pub(super) fn cuts(votes: &[Vote]) -> impl Iterator<Item = (SubtaskId, &SharedCut)> {
    votes.iter().filter_map(|vote| vote.shared.as_deref().map(|cut| (vote.subtask, cut)))
}
