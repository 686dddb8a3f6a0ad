//! The requests that wait for a checkpoint, or for the end.

use watershed_core::checkpoint::Pointer;

use super::effect::{Answer, CoordinatorEffect};
use super::event::{RequestId, Wish};

/// How many requests may wait at a time, of those for checkpoints, and of those for an end. Many who want a checkpoint
/// keep nobody from ending the job; and where so many want an end, one more changes nothing.
const REQUESTS_MAX: usize = 256;

/// What people have asked for. Outlives a run: what one run could not do, the next one does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Desk {
    waiting: Vec<(RequestId, Wish)>,
}

impl Desk {
    /// Takes a request in, or refuses it at once where too many wait.
    pub(super) fn enter(&mut self, request: RequestId, wish: Wish, effects: &mut Vec<CoordinatorEffect>) {
        let alike = |&&(_, waiting): &&(RequestId, Wish)| is_served(waiting) == is_served(wish);
        if self.waiting.iter().filter(alike).count() < REQUESTS_MAX {
            self.waiting.push((request, wish));
        } else {
            let reason = format!("{REQUESTS_MAX} requests are waiting: ask again later");
            refuse(&[(request, wish)], &reason, effects);
        }
    }

    /// Whether somebody wishes this.
    pub(super) fn wishes(&self, wish: Wish) -> bool {
        self.waiting.iter().any(|&(_, waiting)| waiting == wish)
    }

    /// Takes out the requests that the next checkpoint serves.
    pub(super) fn serve(&mut self) -> Vec<(RequestId, Wish)> {
        self.waiting.extract_if(.., |&mut (_, wish)| is_served(wish)).collect()
    }

    /// Puts requests back that were not served.
    pub(super) fn put_back(&mut self, requests: Vec<(RequestId, Wish)>) {
        self.waiting.splice(0..0, requests);
    }

    /// The job is over: grants the wish that ended it, and refuses the others.
    pub(super) fn close(
        &mut self,
        granted: Option<Wish>,
        pointer: Option<&Pointer>,
        reason: &str,
        effects: &mut Vec<CoordinatorEffect>,
    ) {
        for (request, wish) in std::mem::take(&mut self.waiting) {
            if Some(wish) == granted {
                let answer = Answer::Done(pointer.cloned());
                effects.push(CoordinatorEffect::Answer { request, answer });
            } else {
                refuse(&[(request, wish)], reason, effects);
            }
        }
    }
}

/// Whether a checkpoint serves a wish; the others are for an end.
fn is_served(wish: Wish) -> bool {
    match wish {
        Wish::Checkpoint | Wish::Savepoint => true,
        Wish::Suspend | Wish::Drain | Wish::Cancel => false,
    }
}

/// Answers requests with a reason why they are not granted.
pub(super) fn refuse(requests: &[(RequestId, Wish)], reason: &str, effects: &mut Vec<CoordinatorEffect>) {
    effects.extend(requests.iter().map(|&(request, wish)| {
        let answer = Answer::Refused { wish, reason: reason.to_owned() };
        CoordinatorEffect::Answer { request, answer }
    }));
}
