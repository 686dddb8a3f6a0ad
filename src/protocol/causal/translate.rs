//! What a token that was given in one run of a job comes to in another.
//!
//! ```text
//!   the token's run is        a lane that it names             then
//!   newer than the server's                                    Ahead: this server is behind, ask another
//!   of another lineage                                         Forked: nothing of it needs to be true here
//!   the server's              closed by a checkpoint that      nothing to wait for
//!                             the replica has whole
//!                             otherwise                        Wait for it
//!   older                     epoch <= base of the next run    kept: the base holds it
//!                             epoch >  base of the next run    RolledBack: it never happened
//! ```
//!
//! A token that names an undone update is refused, with what was undone. That it is never accepted needs no translation:
//! its lanes are of a run that nobody is in any more, and no dot is given twice, so it would wait for ever. Translation
//! makes a definite answer out of that.
//!
//! SUBTLE: a replica is asked only for lanes of its own run, which is what translation leaves. To
//! [`Applied::covers`](super::Applied::covers) all epochs that were handed out before the run are settled, whichever run
//! had them; a token of an older run would be accepted. [`Replica::is_plausible`](super::Replica::is_plausible) says no.
//!
//! A client may then go on with what is left of its token ([`Translation::RolledBack`] has it): it is answered as if it
//! had seen only what was kept, and knows so.

#[cfg(test)]
mod tests;

use watershed_core::causal::{Dot, VectorClock};
use watershed_core::checkpoint::RollBack;
use watershed_core::{Epoch, Lineage, Run};

use super::{Fate, JobToken, RollBacks};

/// Where a server stands that is shown a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its job's history.
    pub lineage: Lineage,
    /// The run that it is in.
    pub run: Run,
    /// The newest checkpoint of which its replica has applied all lanes: at least the one that the run began from.
    pub base: Option<Epoch>,
    /// The newest checkpoint that it knows to be complete.
    pub completed: Option<Epoch>,
    /// How the job came to this run.
    pub roll_backs: RollBacks,
}

/// What a token comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Translation {
    /// Answer once this has been applied.
    Wait(Needs),
    /// The client has seen what was undone.
    RolledBack {
        /// The token's run.
        from: Run,
        /// The server's run.
        to: Run,
        /// The checkpoint to which the job was set back; `None` where that was the very beginning.
        base: Option<Epoch>,
        /// The updates that never happened, by lanes.
        undone: Vec<Undone>,
        /// What of the token still holds: for a client that wants to go on as if it had seen no more.
        rest: Needs,
    },
    /// The job was set back by hand, to begin another history. What the client has seen belongs to the one before.
    Forked {
        /// The token's lineage.
        from: Lineage,
        /// The server's.
        to: Lineage,
    },
    /// The token is of a run that has not begun here: this server is behind, and must not answer.
    Ahead {
        /// The token's run.
        run: Run,
    },
    /// The roll-back that would decide over the token is no longer remembered.
    Expired,
}

/// What must have been applied before a question is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// These updates, in lanes of the server's run.
    pub seen: VectorClock,
    /// All lanes that this checkpoint closes.
    pub checkpoint: Option<Epoch>,
}

impl Needs {
    /// Whether the question may be answered at once.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty() && self.checkpoint.is_none()
    }
}

/// Updates of a lane that were seen and never happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undone {
    /// The last one that was seen. Of those before it in its lane none has happened either.
    pub up_to: Dot,
    /// The roll-back that has undone it.
    pub by: RollBack,
}

/// What a token comes to at a server.
pub fn translate(token: &JobToken, place: &Place) -> Translation {
    if token.run > place.run || token.seen.dots().any(|dot| dot.lane.run > place.run) {
        return Translation::Ahead { run: token.run };
    }
    if token.lineage != place.lineage {
        return Translation::Forked { from: token.lineage, to: place.lineage };
    }
    let (mut undone, mut rest) = (Vec::new(), Needs::default());
    for dot in token.seen.dots() {
        if dot.lane.run == place.run {
            if place.base.is_none_or(|base| dot.lane.epoch > base) {
                rest.seen.see(dot);
            }
            continue;
        }
        match place.roll_backs.fate(dot.lane) {
            Fate::Kept => {}
            Fate::Undone(by) => undone.push(Undone { up_to: dot, by }),
            Fate::Forgotten => return Translation::Expired,
        }
    }
    rest.checkpoint = token.completed.filter(|_| token.completed > place.base);
    // Lanes come in the order of their runs, so the first one was undone by the oldest roll-back.
    let Some(first) = undone.first() else { return Translation::Wait(rest) };
    Translation::RolledBack { from: token.run, to: place.run, base: first.by.base, undone, rest }
}

/// Whether all that a token names is part of a checkpoint that is complete. Such a token is refused by no later run of
/// its lineage: what is complete stays complete, and each run begins from it.
pub fn is_durable(token: &JobToken, place: &Place) -> bool {
    let is_kept = |dot: Dot| {
        if dot.lane.run == place.run {
            place.completed.is_some_and(|completed| dot.lane.epoch <= completed)
        } else {
            // SUBTLE: an epoch below the newest complete one does not do. That may be of a later run, which does not hold
            // what the token's own run had done behind its last complete checkpoint.
            place.roll_backs.fate(dot.lane) == Fate::Kept
        }
    };
    token.lineage == place.lineage
        && token.run <= place.run
        && token.completed <= place.completed
        && token.seen.dots().all(is_kept)
}
