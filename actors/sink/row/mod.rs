//! Rows on their way into a database: gathered, staged in the checkpoint, applied once.
//!
//! Mode S of two-phase commit. A record becomes a row of [cells](cell::Cell) when it is written, so that a value
//! that no column can hold is found before anything is decided. `prepare` hands the [packed](packed::Packed) rows
//! of the epoch over as the staged value, and the checkpoint keeps them; nothing is held in the database between
//! the phases. `commit` applies them in one transaction together with the [fence](fence), which remembers how far
//! each subtask has come.
//!
//! ```text
//! record ──▶ cells ──▶ packed ──prepare──▶ staged ──commit──▶ ┌ fence: epoch := n, unless it is there already ┐
//!                      (memory)            (checkpoint)       └ rows                                          ┘
//! ```

pub(super) mod cell;
pub(super) mod columns;
pub(super) mod fence;
pub(super) mod gathered;
pub(super) mod packed;
pub(super) mod record;
pub(super) mod staged;
