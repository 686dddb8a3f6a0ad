//! The worlds that are explored: each as small as it can be and still hold what it is named after.

use crate::fault::Fault;
use crate::model::Model;

/// One coordinator whose run is lost and lives on as a zombie, one record, two checkpoints.
pub(crate) const FAIL_OVER: Model = Model {
    records: 1,
    epochs: 2,
    runs: 2,
    nodes: 1,
    doubts: false,
    ends: false,
    cancels: false,
    patient: false,
    hears_commits: false,
    slow_saves: false,
    fault: None,
};

/// A second coordinator takes the reign from the first, which does not know it.
pub(crate) const RIVAL: Model = Model { nodes: 2, epochs: 1, ..FAIL_OVER };

/// The answer to a decision is lost, or the decision comes about after its asker has given up waiting.
pub(crate) const DOUBT: Model = Model { doubts: true, epochs: 1, ..FAIL_OVER };

/// The same within one run, which goes on to a next checkpoint and may be cancelled in the midst of it.
pub(crate) const CANCEL: Model = Model { doubts: true, cancels: true, runs: 1, ..FAIL_OVER };

/// The same, where the job that is cancelled has time to commit what it has decided, in another run where it must.
pub(crate) const PATIENT: Model = Model { patient: true, hears_commits: true, runs: 2, epochs: 1, ..CANCEL };

/// The source ends, and the job with it, with a fail-over on the way.
pub(crate) const END: Model = Model { ends: true, hears_commits: true, epochs: 1, ..FAIL_OVER };

/// Two fail-overs, with two zombies.
pub(crate) const THREE_RUNS: Model = Model { runs: 3, epochs: 1, ..FAIL_OVER };

/// Three checkpoints of one run, of which any may be given up, and whose commits are heard of, so that older
/// ones are forgotten.
pub(crate) const THREE_EPOCHS: Model =
    Model { records: 2, epochs: 3, runs: 1, hears_commits: true, ..FAIL_OVER };

/// One run whose checkpoints are given up at any moment, also while state is being saved, so that what is staged
/// for one is carried by the next.
pub(crate) const GIVEN_UP: Model = Model { records: 2, runs: 1, slow_saves: true, ..FAIL_OVER };

impl Model {
    pub(crate) fn with(self, fault: Fault) -> Model {
        Model { fault: Some(fault), ..self }
    }

    pub(crate) fn larger(self) -> Model {
        Model { records: 2, epochs: 2, ..self }
    }
}
