//! The rules of a consistent cut, by their names.

use std::fmt;

use watershed_core::VertexId;

use super::{Mention, Violation};

/// What must hold of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// K1.
    Channels,
    /// K2.
    Causality,
    /// K3.
    SharedState,
    /// K4.
    Identity,
    /// K5.
    Sources,
}

impl Rule {
    /// All rules, in the order of their names.
    pub const ALL: [Rule; 5] =
        [Rule::Channels, Rule::Causality, Rule::SharedState, Rule::Identity, Rule::Sources];

    /// All rules, in the order in which they are checked: each one after those that it builds on. Who votes comes first;
    /// where the lanes ended comes before what was seen of them.
    pub const CHECKED: [Rule; 5] =
        [Rule::Identity, Rule::Channels, Rule::SharedState, Rule::Causality, Rule::Sources];

    /// What the rule says, in one sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Rule::Channels => {
                "what was sent on each channel before the cut was received before it, or is recorded as under way"
            }
            Rule::Causality => "no subtask had seen an update of shared state that is not in the cut",
            Rule::SharedState => {
                "each site has saved all updates that it had made, and none depends on one that is not in the cut"
            }
            Rule::Identity => "each subtask of one plan votes once, and each key group is owned once",
            Rule::Sources => "no split stands before where it stood, is read twice, or is forgotten",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::Channels => "K1 channels",
            Rule::Causality => "K2 causality",
            Rule::SharedState => "K3 shared state",
            Rule::Identity => "K4 identity",
            Rule::Sources => "K5 sources",
        })
    }
}

/// What came of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// How much was checked, or the first thing that is wrong.
    pub found: Result<Checked, Violation>,
}

/// How much was checked by a rule: of what, and how many. Empty where the job has nothing that the rule is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked(Vec<(&'static str, u64)>);

impl Checked {
    pub(super) fn of<const N: usize>(counts: [(&'static str, usize); N]) -> Checked {
        Checked(counts.map(|(what, count)| (what, count as u64)).into())
    }

    /// Each kind of thing, in the plural, and how many of it were checked.
    pub fn counts(&self) -> &[(&'static str, u64)] {
        &self.0
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing to check");
        }
        for (index, (what, count)) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            let what = if *count == 1 { what.trim_end_matches('s') } else { what };
            write!(f, "{comma}{count} {what}")?;
        }
        Ok(())
    }
}

impl Violation {
    /// The vertex at which the rule does not hold, where it is about one.
    pub fn vertex(&self) -> Option<VertexId> {
        let vertex = match self {
            Violation::VoteMissing(subtask)
            | Violation::VoteTwice(subtask)
            | Violation::Stranger(subtask)
            | Violation::NothingShared(subtask)
            | Violation::OtherPlan { subtask, .. }
            | Violation::NotKeyed { subtask }
            | Violation::WrongEnd { subtask, .. }
            | Violation::OtherRun { subtask, .. }
            | Violation::Beyond { subtask, .. }
            | Violation::Orphan { subtask, .. }
            | Violation::ShareMissing { subtask, .. }
            | Violation::ShareTwice { subtasks: (subtask, _), .. }
            | Violation::NotOwn { subtask, .. } => subtask.vertex,
            Violation::UnknownChannel { channel, .. }
            | Violation::ReportedTwice { channel, .. }
            | Violation::NotReported { channel, .. }
            | Violation::Channel { channel, .. } => channel.to.vertex,
            Violation::KeyGroups { vertex, .. }
            | Violation::KeyGroupsEnd { vertex, .. }
            | Violation::WentBack { vertex, .. }
            | Violation::SplitTwice { vertex, .. }
            | Violation::SplitForgotten { vertex, .. } => *vertex,
            Violation::BaseBeyond { .. } | Violation::LogOutside { .. } | Violation::Unsaved { .. } => {
                return None;
            }
        };
        Some(vertex)
    }

    /// The rule that does not hold.
    pub fn rule(&self) -> Rule {
        match self {
            Violation::VoteMissing(_)
            | Violation::VoteTwice(_)
            | Violation::Stranger(_)
            | Violation::OtherPlan { .. }
            | Violation::NotKeyed { .. }
            | Violation::KeyGroups { .. }
            | Violation::KeyGroupsEnd { .. } => Rule::Identity,
            Violation::WrongEnd { .. }
            | Violation::UnknownChannel { .. }
            | Violation::ReportedTwice { .. }
            | Violation::NotReported { .. }
            | Violation::Channel { .. } => Rule::Channels,
            Violation::OtherRun { mention, .. }
            | Violation::Beyond { mention, .. }
            | Violation::Orphan { mention, .. } => match mention {
                Mention::Seen => Rule::Causality,
                Mention::Closed | Mention::Needed => Rule::SharedState,
            },
            Violation::NothingShared(_)
            | Violation::ShareMissing { .. }
            | Violation::ShareTwice { .. }
            | Violation::NotOwn { .. }
            | Violation::BaseBeyond { .. }
            | Violation::LogOutside { .. }
            | Violation::Unsaved { .. } => Rule::SharedState,
            Violation::WentBack { .. } | Violation::SplitTwice { .. } | Violation::SplitForgotten { .. } => {
                Rule::Sources
            }
        }
    }
}
