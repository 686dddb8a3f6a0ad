//! What must always hold, looked at after each step, and what must come about after the healing.
//!
//! | name | is | where |
//! | --- | --- | --- |
//! | I1 | no record is visible twice | [`output`] |
//! | I2 | each record below the decision is visible, or staged under a name that the manifest lists | [`loss`] |
//! | I3 | nothing is visible that the decision does not cover | [`output`] |
//! | D1, D2 | epochs of decisions rise | [`decision`] |
//! | D3 | a decision is made in the name of the newest reign and run | [`decision`] |
//! | D4 | what was committed was not taken back, and nothing is lost in doubt | [`output`] |
//! | D5 | only what a decided manifest lists is committed | [`output`] |
//! | D6 | a subtask does nothing before it has begun | `node::snapshot` |
//! | D7 | what is restored is what was saved, to the last byte | `node::snapshot` |
//! | D8 | nothing that the newest decision needs is gone, and all of it is synced when it is made | [`decision`] |
//! | D9 | positions of decided checkpoints never go back | [`decision`] |
//! | D10 | no epoch is handed out twice | [`decision`] |
//! | D11 | a finished job has committed everything, in all of its sinks, once | [`end`] |
//! | K | each decided manifest is a consistent cut, by the certificate | [`decision`] |
//! | W | watermarks rise, and no record comes behind one | `node::work` |
//! | C1 | a dot names one update | `node::shared` |
//! | C2 | a task that works on a record finds in shared state all that the record's writer knew | `node::shared` |
//! | C3 | an update is joined behind all that it depends on | `node::shared` |
//! | C4 | who is served with a token finds all that its client has seen or made | [`sessions`] |
//! | C6 | what a checkpoint saves of shared state is what was written before its barriers | [`decision`] |
//! | C7 | what was told to be durable is never refused, and never lost | [`sessions`] |
//! | C8 | a client that has seen what never happened is told so, of all of it and of nothing else | [`sessions`] |
//! | poison | what comes out as a dead letter is what could not be borne, and nothing else | [`output`] |
//! | shared | shared state counts each record once | [`end`] |
//! | state | counts tell of each record once | [`end`] |
//! | agreed | a register has one value for each round, and who reads it finds the newest one known | [`agreed`] |
//! | mistrust | no machine takes a correct peer for a confused one | `node` |
//! | D12 | once nothing goes wrong any more, the job comes to its end | `world` |

pub(crate) mod agreed;
pub(crate) mod decision;
pub(crate) mod end;
pub(crate) mod loss;
pub(crate) mod output;
pub(crate) mod sessions;

/// A property that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Broken {
    /// A record is visible twice.
    I1,
    /// A decided record is lost.
    I2,
    /// Something is visible that is not decided.
    I3,
    /// Epochs of decisions do not rise.
    D2,
    /// A decision was made in an older name.
    D3,
    /// Something staged has two ends, or is lost in doubt.
    D4,
    /// Something was committed that no decided manifest lists.
    D5,
    /// A subtask acted before it had begun.
    D6,
    /// Something was restored that was not saved.
    D7,
    /// Something that is needed is gone.
    D8,
    /// A position went back.
    D9,
    /// An epoch was handed out twice.
    D10,
    /// A finished job has not committed everything.
    D11,
    /// A checkpoint is no consistent cut.
    K,
    /// A watermark was no promise.
    W,
    /// A dot names two updates.
    C1,
    /// A task finds shared state older than who it hears from.
    C2,
    /// An update is joined before what it depends on.
    C3,
    /// A client is served without what it has seen.
    C4,
    /// A checkpoint saves other updates than those before its barriers.
    C6,
    /// What was durable is refused, or lost.
    C7,
    /// What never happened is taken for seen, or lost in silence.
    C8,
    /// A record was put in quarantine that could be borne, or came out that could not.
    Poison,
    /// Shared state does not count each record once.
    Shared,
    /// State does not count each record once.
    State,
    /// A register that is agreed on is not linearizable.
    Agreed,
    /// A machine finds what a correct peer says unexpected.
    Mistrust,
    /// The job was given up.
    Failed,
    /// The job does not come to its end.
    D12,
}
