//! Looking at checkpoints without the job: no pipeline's code, no lock, nothing changed.
//!
//! [`Offline`] opens a state directory as it lies there, also one that a job is running on and one that is
//! damaged: what can be read is shown, what cannot is named. Its answers are data (serde, for `--json`) that
//! print themselves for people.
//!
//! | to | call |
//! | --- | --- |
//! | see which checkpoints there are | [`Offline::list`] |
//! | see one: its subtasks, objects, positions, sizes | [`Offline::show`] |
//! | prove one, to the last byte | [`Offline::verify`] |
//! | see what changed between two | [`Offline::diff`] |
//! | see what is kept for a key | [`Offline::get`] |
//! | get all state out, one JSON value a line | [`Offline::export`] |
//!
//! State is read generically: MessagePack says what is a map, a list or a number, and how saved state is laid
//! out is told by its form; see [`Entry`] for what that can and cannot know. What a key of shared state comes to is known
//! to its resolver alone: who has a program that may know it brings its entries along, as [`SharedEntry`].

mod contents;
mod diff;
mod entries;
mod export;
mod list;
mod offline;
mod shared;
mod show;
#[cfg(test)]
mod tests;
mod text;
mod verify;

pub use crate::retention::Standing;
pub use diff::{Diff, GroupDiff, Keys, PartDiff};
pub use entries::Entry;
pub use export::Wanted;
pub use list::{Listing, Summary};
pub use offline::{CLUSTER_MARK, InspectError, Offline, Which};
pub use shared::{Held, SharedDiff, SharedEntry};
pub use show::{Detail, PartSize, SplitDetail, SubtaskDetail};
pub use verify::{Certificate, Problem, Report};
