//! K2 and K3: the cut through shared state is closed under causes, and nothing of it is lost.
//!
//! ```text
//!          epoch N        | barrier N      epoch N+1
//!   site 0 --u1---u2------|---u3-----
//!                    \    |   /
//!   site 1 -----------+---|--+--------     had its task seen u3 before its own barrier N, u3 would be an orphan: seen
//!                         |                by the saved state, and made by nobody once the job goes back to N
//! ```
//!
//! The cut is `W`: of each lane up to epoch N its last update. It is consistent where every task's session is covered by
//! `W` (K2, after Mattern 1989), and with each update that is in `W` all that it depends on (K3). Both hold by
//! construction, since a task sees no lane of an epoch that it has not begun; this is the proof that the construction was
//! followed.

use std::collections::BTreeMap;

use watershed_core::checkpoint::{SiteShare, Vote};
use watershed_core::{Epoch, Site, SubtaskId};

use super::lanes::cuts;
use super::{Checked, Lanes, Mention, Moment, Violation};

/// K2: nobody has seen what is not in the cut.
pub(super) fn causality(moment: Moment, votes: &[Vote]) -> Result<Checked, Violation> {
    let lanes = Lanes::of(moment, votes);
    let mut sessions = 0;
    for (subtask, cut) in cuts(votes) {
        lanes.hold(subtask, Mention::Seen, &cut.session)?;
        sessions += 1;
    }
    Ok(if sessions == 0 {
        Checked::default()
    } else {
        Checked::of([("subtasks", sessions), ("lanes", lanes.len())])
    })
}

/// K3: every site tells once what it has updated, has saved all of it, and what that depends on is in the cut.
pub(super) fn shares(moment: Moment, votes: &[Vote]) -> Result<Checked, Violation> {
    let sites = told_once(votes)?;
    let lanes = Lanes::of(moment, votes);
    let mut updates = 0;
    for (&site, &(subtask, share)) in &lanes.shares {
        for dot in share.finals.dots() {
            lanes.belongs(subtask, Mention::Closed, dot)?;
            if dot.lane.site != site {
                return Err(Violation::NotOwn { subtask, site, lane: dot.lane });
            }
        }
        lanes.hold(subtask, Mention::Needed, &share.deps)?;
        updates += saved(site, share, lanes.epoch())?;
    }
    Ok(if sites == 0 {
        Checked::default()
    } else {
        Checked::of([("sites", sites), ("lanes", lanes.len()), ("updates", updates as usize)])
    })
}

/// All subtasks speak of shared state or none does, and for each site exactly one speaks. Returns how many sites there
/// are.
fn told_once(votes: &[Vote]) -> Result<usize, Violation> {
    let mut sites: BTreeMap<Site, SubtaskId> = BTreeMap::new();
    let mut told: BTreeMap<Site, SubtaskId> = BTreeMap::new();
    for (subtask, cut) in cuts(votes) {
        sites.entry(cut.site).or_insert(subtask);
        if cut.share.is_some()
            && let Some(first) = told.insert(cut.site, subtask)
        {
            return Err(Violation::ShareTwice { site: cut.site, subtasks: (first, subtask) });
        }
    }
    let silent = votes.iter().find(|vote| vote.shared.is_none() && !sites.is_empty());
    if let Some(silent) = silent {
        return Err(Violation::NothingShared(silent.subtask));
    }
    let untold = sites.iter().find(|(site, _)| !told.contains_key(site));
    untold.map_or(Ok(sites.len()), |(&site, &subtask)| Err(Violation::ShareMissing { site, subtask }))
}

/// Proves that what is restored of a site is of the epochs that it should be, and that the newest log holds the updates
/// of the lanes that the checkpoint closes. Returns how many these are.
fn saved(site: Site, share: &SiteShare, epoch: Epoch) -> Result<u64, Violation> {
    let base = share.base.as_ref().map(|base| base.epoch);
    if let Some(found) = base.filter(|base| *base > epoch) {
        return Err(Violation::BaseBeyond { site, found, epoch });
    }
    let mut before = base;
    for found in share.logs.iter().map(|log| log.epoch) {
        // Logs of one epoch may stand beside each other where a site has taken over those of a site that was lost.
        let behind = before.is_none_or(|before| before < found || (Some(before) != base && before == found));
        if found > epoch || !behind {
            return Err(Violation::LogOutside { site, found, before, epoch });
        }
        before = Some(found);
    }
    // Sums stop at the largest number: hostile figures must not make them wrap around to the right one.
    let made = share.finals.dots().fold(0_u64, |sum, dot| sum.saturating_add(dot.counter.0));
    // A base that was written for this very checkpoint holds them all.
    if base == Some(epoch) {
        return Ok(made);
    }
    let newest = share.logs.iter().filter(|log| log.epoch == epoch);
    let saved = newest.fold(0_u64, |sum, log| sum.saturating_add(log.updates));
    if made == saved { Ok(made) } else { Err(Violation::Unsaved { site, made, saved }) }
}
