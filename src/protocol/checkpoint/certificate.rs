//! Proves that a complete set of votes is a consistent cut, before it is decided and again at any later time.
//!
//! A cut of a dataflow over first-in-first-out channels is consistent, and loses and doubles nothing, exactly
//! where each channel's two ends agree: what was sent before the sender's cut is what was received before the
//! receiver's, together with what the checkpoint itself recorded as under way. A causal path that crosses a cut
//! backwards has a first channel on which a message was received before the receiver's cut and sent after the
//! sender's, and so has more received than sent (Mattern 1989, for the general case with vector clocks). Counts
//! of records and batches and a sum of checksums make the comparison independent of the data's size.
//!
//! Shared state is a way round the channels: what a task writes there another one reads, and no count of any channel
//! tells. There the general case is checked, vector by vector.
//!
//! - **K4 identity**: one vote of each subtask that was expected and of nobody else, all of one plan, and the
//!   key-group ranges of each keyed vertex cover every group once.
//! - **K1 channels**: each expected channel is reported once by each end, its receiver's by the receiver, and
//!   `sent = received + in flight` in records, batches and sums.
//! - **K3 shared state**: each site tells once where its lanes ended, has saved as many updates as that are, and none of
//!   them depends on an update that is not in the cut.
//! - **K2 causality**: no subtask had seen an update that is not in the cut: lane by lane, `session <= final`.
//! - **K5 sources**: no split stands before where the previous checkpoint of the same lineage had it, is read
//!   by two subtasks, or is forgotten before its end.
//!
//! The same function checks votes as they come in and a manifest that lies in a store for years.

mod channels;
mod identity;
mod lanes;
mod rule;
mod shared;
mod sources;
#[cfg(test)]
mod tests;
mod violation;

use watershed_core::checkpoint::{Manifest, Vote};
use watershed_core::{Epoch, Run};

use super::Roster;
use lanes::Lanes;
pub use rule::{Checked, Finding, Rule};
pub use sources::Positions;
pub use violation::{End, Measure, Mention, Violation};

/// Which cut the votes claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    /// The run that is cut.
    pub run: Run,
    /// The checkpoint.
    pub epoch: Epoch,
    /// The newest checkpoint before it that is complete: it holds all lanes of this run up to its own epoch.
    pub base: Option<Epoch>,
}

impl Moment {
    /// The cut that a manifest claims to be.
    pub fn of(manifest: &Manifest) -> Moment {
        Moment { run: manifest.run, epoch: manifest.epoch, base: manifest.base }
    }
}

/// Proves that the votes are a consistent cut of the job that `roster` describes, whose sources had come to
/// `previous` in the checkpoint before of the same lineage.
///
/// # Errors
///
/// The first violation found, in the order of [`Rule::CHECKED`].
pub fn certify(
    roster: &Roster,
    moment: Moment,
    previous: &Positions,
    votes: &[Vote],
) -> Result<(), Violation> {
    Rule::CHECKED.into_iter().try_for_each(|rule| check(rule, roster, moment, previous, votes).map(drop))
}

/// Proves a manifest again, without its job. `previous` is the newest one before it of the same lineage, where
/// there is one left.
///
/// # Errors
///
/// As [`certify`], with the roster that the manifest itself tells ([`Roster::of_manifest`]).
pub fn certify_manifest(manifest: &Manifest, previous: Option<&Manifest>) -> Result<(), Violation> {
    let positions = positions(manifest, previous);
    certify(&Roster::of_manifest(manifest), Moment::of(manifest), &positions, &manifest.votes)
}

/// Proves a manifest rule by rule, in the order of [`Rule::ALL`], and tells of each what was checked or what is wrong.
///
/// Where one rule does not hold, others that build on it may not hold either: the one to look at is the one that
/// [`certify_manifest`] names.
pub fn examine(manifest: &Manifest, previous: Option<&Manifest>) -> Vec<Finding> {
    let (roster, positions) = (Roster::of_manifest(manifest), positions(manifest, previous));
    let finding = |rule| Finding {
        rule,
        found: check(rule, &roster, Moment::of(manifest), &positions, &manifest.votes),
    };
    Rule::ALL.map(finding).into()
}

fn positions(manifest: &Manifest, previous: Option<&Manifest>) -> Positions {
    let previous = previous.filter(|previous| previous.lineage == manifest.lineage);
    previous.map(|previous| Positions::of(&previous.votes)).unwrap_or_default()
}

fn check(
    rule: Rule,
    roster: &Roster,
    moment: Moment,
    previous: &Positions,
    votes: &[Vote],
) -> Result<Checked, Violation> {
    match rule {
        Rule::Channels => channels::check(roster, votes),
        Rule::Causality => shared::causality(moment, votes),
        Rule::SharedState => shared::shares(moment, votes),
        Rule::Identity => identity::check(roster, votes),
        Rule::Sources => sources::check(previous, votes),
    }
}
