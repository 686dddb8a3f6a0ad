//! Reads of checkpoints, in the order in which a session sees things.
//!
//! A checkpoint is asked for by whoever wants what is sure, and it waits for nothing that the asker has seen and that may
//! still be undone: so an answer as of a checkpoint may lack what the asker has updated a moment ago, and says so by the
//! number of the checkpoint. What holds of a session all the same:
//!
//! - **What is read after it, at `causal`, is nothing older**: the token of the answer names the checkpoint, beside what the
//!   shown token named.
//! - **Reads of the newest checkpoint do not go back**: the decision log is asked anew each time, by a read that sees all
//!   that was decided.
//! - **What the session has seen is not forgotten**: what of its token may still be undone stays in it. So the token may not
//!   be durable, though the answer is; that of an asker who shows none always is.
//! - **What was undone is not passed over**: a token of it comes back as it was shown, and is refused at `causal` as before.
//!   Where the asker goes on without it (`rebase`, `await_input`), that is told.
//! - **A history has nothing of another**: a token of one that was left by restoring an older checkpoint is refused here as
//!   everywhere.
//!
//! A checkpoint that is asked for by its number is a look back, not a step: it may lie before what the session has seen, and
//! takes nothing away from it.

use watershed_core::causal::VectorClock;
use watershed_core::checkpoint::{Manifest, Meta};
use watershed_protocol::causal::{
    JobToken, Needs, Place, RollBacks, Submitted, Translation, is_durable, translate,
};

use super::clerk::Clerk;
use super::inputs::lacking;
use super::{Query, QueryError};

/// What an asker of a checkpoint has seen before.
pub(super) struct Past {
    place: Place,
    held: Held,
    inputs: Vec<Submitted>,
}

/// What of a token holds.
enum Held {
    /// This, and it may be added to.
    Known { shown: Option<JobToken>, needs: Needs, rebased: bool },
    /// It has seen what was undone, or what has not been heard of here: it comes back as it was.
    Unmoved(JobToken),
}

/// The token of an answer, and what is known of it.
pub(super) struct Onward {
    pub(super) token: JobToken,
    pub(super) durable: bool,
    pub(super) rebased: bool,
}

impl Past {
    /// What holds of the token that is shown, by what is decided of the job.
    pub(super) fn of(
        meta: &Meta,
        shown: Option<JobToken>,
        inputs: Vec<Submitted>,
        query: &Query,
    ) -> Result<Self, QueryError> {
        let place = Place {
            lineage: meta.lineage,
            run: meta.run,
            base: meta.roll_backs.last().and_then(|record| record.base),
            completed: meta.completed.as_ref().map(|pointer| pointer.epoch),
            roll_backs: RollBacks::of(&meta.roll_backs),
        };
        let goes_on = query.rebase || query.await_input;
        let held = match shown {
            None => Held::Known { shown: None, needs: Needs::default(), rebased: false },
            Some(token) => match translate(&token, &place) {
                Translation::Wait(needs) => Held::Known { shown: Some(token), needs, rebased: false },
                Translation::RolledBack { rest, .. } if goes_on => {
                    Held::Known { shown: Some(token), needs: rest, rebased: true }
                }
                Translation::RolledBack { .. } | Translation::Ahead { .. } => Held::Unmoved(token),
                Translation::Forked { from, to } => return Err(QueryError::Forked { from, to }),
                Translation::Expired => return Err(QueryError::TokenExpired),
            },
        };
        Ok(Past { place, held, inputs })
    }

    /// What the asker has put in, that is waited for.
    pub(super) fn inputs(&self) -> &[Submitted] {
        &self.inputs
    }

    /// What the asker has seen that has read a checkpoint now.
    pub(super) fn onward(self, clerk: &Clerk, manifest: &Manifest) -> Onward {
        let Past { place, held, mut inputs } = self;
        // What a complete checkpoint has worked on is as durable as the checkpoint, and needs not be named any more.
        inputs.retain(|input| !matches!(lacking(manifest, std::slice::from_ref(input)), Ok(None)));
        let (token, rebased) = match held {
            Held::Unmoved(token) => (JobToken { inputs, ..token }, false),
            Held::Known { shown, needs, rebased } => {
                let before = shown.as_ref();
                // Updates of a run are named only by who has seen that run: it is the newest then.
                let run = before.map_or(manifest.run, |token| token.run.max(manifest.run));
                let completed = before.and_then(|token| token.completed).max(Some(manifest.epoch));
                let of = (place.lineage, run);
                (clerk.token(of, VectorClock::new(), completed, &needs, &inputs), rebased)
            }
        };
        let durable = is_durable(&token, &place);
        Onward { token, durable, rebased }
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::causal::Lane;
    use watershed_core::checkpoint::{ContentHash, ObjectRef, Pointer, RollBack};
    use watershed_core::{Counter, Epoch, Lineage, Run, Site};
    use watershed_protocol::causal::{KeyId, TokenKey};

    use super::*;
    use crate::query::fixture;

    fn clerk() -> Clerk {
        Clerk::new("test", "test".to_owned(), vec![TokenKey::new(KeyId(1), [7; 32])])
    }

    /// A job in run 2, which began from checkpoint 6, and whose newest checkpoint is 9.
    fn meta() -> Meta {
        let object = ObjectRef { path: "x".to_owned(), bytes: 1, hash: ContentHash([0; 32]) };
        let lineage = Lineage(0);
        let back =
            |(run, base): (u32, Option<u64>)| RollBack { run: Run(run), lineage, base: base.map(Epoch) };
        Meta {
            run: Run(2),
            lineage,
            completed: Some(Pointer { lineage, epoch: Epoch(9), manifest: object }),
            roll_backs: [(1, None), (2, Some(6))].map(back).to_vec(),
            ..Meta::default()
        }
    }

    fn manifest(epoch: u64, run: u32) -> Manifest {
        fixture::manifest(Epoch(epoch), Run(run))
    }

    /// A token of a run that has seen an update of an epoch, and a checkpoint.
    fn token(run: u32, epoch: u64, completed: u64) -> JobToken {
        let lane = Lane { run: Run(run), epoch: Epoch(epoch), site: Site(0) };
        let needs = Needs { seen: vec![(lane, Counter(3))].into(), checkpoint: None };
        let of = (Lineage(0), Run(run));
        clerk().token(of, VectorClock::new(), Some(Epoch(completed)), &needs, &[])
    }

    fn read(shown: Option<JobToken>, rebase: bool, manifest: &Manifest) -> Result<Onward, QueryError> {
        let query = Query { rebase, ..Query::new("stock", vec![7]) };
        Ok(Past::of(&meta(), shown, Vec::new(), &query)?.onward(&clerk(), manifest))
    }

    #[test]
    fn who_has_seen_nothing_has_seen_the_checkpoint_then() {
        let Onward { token, durable, rebased } = read(None, false, &manifest(6, 1)).unwrap();
        assert_eq!((token.run, token.completed, token.seen.len()), (Run(1), Some(Epoch(6)), 0));
        assert_eq!((durable, rebased), (true, false));
    }

    #[test]
    fn what_was_seen_before_stays_in_the_token() {
        let Onward { token: onward, durable, .. } =
            read(Some(token(2, 10, 7)), false, &manifest(9, 2)).unwrap();
        assert_eq!((onward.run, onward.completed, onward.seen.len()), (Run(2), Some(Epoch(9)), 1));
        assert!(!durable, "epoch 10 is in no checkpoint");
        let Onward { token: onward, durable, .. } =
            read(Some(token(2, 8, 7)), false, &manifest(9, 2)).unwrap();
        assert_eq!((onward.seen.len(), durable), (0, true), "the checkpoint has it");
    }

    #[test]
    fn a_look_back_takes_nothing_away() {
        let Onward { token: onward, .. } = read(Some(token(2, 10, 9)), false, &manifest(6, 1)).unwrap();
        assert_eq!((onward.run, onward.completed, onward.seen.len()), (Run(2), Some(Epoch(9)), 1));
    }

    #[test]
    fn c8_a_token_of_what_was_undone_comes_back_unless_that_is_let_go_of() {
        let shown = token(1, 8, 6);
        let Onward { token: onward, durable, rebased } =
            read(Some(shown.clone()), false, &manifest(9, 2)).unwrap();
        assert_eq!((onward, durable, rebased), (shown.clone(), false, false));
        let Onward { token: onward, durable, rebased } = read(Some(shown), true, &manifest(9, 2)).unwrap();
        assert_eq!((onward.completed, onward.seen.len()), (Some(Epoch(9)), 0));
        assert_eq!((durable, rebased), (true, true));
    }

    #[test]
    fn a_token_of_another_history_is_refused() {
        let other = JobToken { lineage: Lineage(1), ..token(2, 10, 9) };
        let refused = read(Some(other), false, &manifest(9, 2)).err();
        assert_eq!(refused, Some(QueryError::Forked { from: Lineage(1), to: Lineage(0) }));
    }
}
