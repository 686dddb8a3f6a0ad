//! Every step of a checkpoint and of a restore, at which the process is killed or a subtask panics.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::ledger::Ledger;

/// The points of `src/runtime/harm.rs` that a checkpoint passes, and how often it does: once, once for each of 8
/// subtasks (`two-phase-commit` at parallelism 2), for each of the 6 that keep something, or for each of 4 sinks: the file of
/// dead letters stages nothing where none come.
const CHECKPOINT: [(&str, u32); 14] = [
    ("coordinator::triggered", 1),
    ("task::barrier_seen", 8),
    ("sink::before_prepare", 8),
    ("sink::after_prepare", 4),
    ("task::after_save", 2),
    ("task::before_vote", 8),
    ("coordinator::after_vote", 8),
    ("coordinator::before_manifest", 1),
    ("coordinator::after_manifest", 1),
    ("coordinator::before_decision", 1),
    ("coordinator::after_decision", 1),
    ("sink::before_commit", 4),
    ("sink::after_commit", 4),
    ("coordinator::after_commit", 4),
];

/// Those that a restore passes once more.
const RESTORE: [&str; 4] =
    ["task::before_resolve", "sink::before_commit", "sink::after_commit", "task::after_load"];

/// A life of the job: where it dies, and at which parallelism it is led.
#[derive(Clone, Debug)]
struct Life {
    failpoints: String,
    parallelism: u32,
    dies: bool,
}

/// Lives of one job. Behind the last of them it is left in peace.
#[derive(Clone, Debug)]
struct Case {
    lives: Vec<Life>,
    /// The parallelism of the life that nobody harms.
    last: u32,
    /// Whether its first checkpoint is its last.
    only_final: bool,
}

/// Killed the so-manieth time after `before` others.
fn killed(point: &str, before: u32) -> Life {
    Life { failpoints: format!("{point}={before}*off->return(kill)"), parallelism: 2, dies: true }
}

/// A subtask panics once, after `before` others have not.
fn panics(point: &str, before: u32) -> Life {
    Life { failpoints: format!("{point}={before}*off->1*panic->off"), parallelism: 2, dies: false }
}

/// A life that leaves a checkpoint which is decided and not committed.
fn decided() -> Life {
    killed("coordinator::after_decision", 0)
}

fn case(lives: impl Into<Vec<Life>>) -> Case {
    Case { lives: lives.into(), last: 2, only_final: false }
}

impl Case {
    fn only_final(self) -> Self {
        Case { only_final: true, ..self }
    }

    fn at(mut self, parallelisms: [u32; 2], last: u32) -> Self {
        for (life, parallelism) in self.lives.iter_mut().zip(parallelisms) {
            life.parallelism = parallelism;
        }
        Case { last, ..self }
    }

    /// Lives all lives, and is judged.
    fn live(&self) {
        let ledger = Ledger::harmed(|ledger| self.is_lived(ledger));
        let ledger = ledger.unwrap_or_else(|| panic!("{self:?}: a life ends unharmed, however long it is"));
        if self.lives.iter().any(|life| life.dies) {
            ledger.book("", self.last).expect_done(&format!("{self:?}"));
        }
        ledger.judge(&format!("{self:?}"));
    }

    /// Lives all lives but the last, as far as each of them is harmed; whether all were.
    fn is_lived(&self, ledger: &mut Ledger) -> bool {
        if self.only_final {
            (ledger.interval, ledger.rate) = ("1h", 60_000);
        }
        self.lives.iter().all(|life| {
            if life.dies {
                return ledger.dies(&life.failpoints, life.parallelism);
            }
            let ended = ledger.book(&life.failpoints, life.parallelism);
            ended.expect_done(&life.failpoints);
            ended.said.contains("the job goes back to its last checkpoint")
        })
    }
}

/// At each step: the first time, and one in a later checkpoint.
fn each_step() -> Vec<Case> {
    let twice = |&(point, count): &(&str, u32)| [killed(point, 0), killed(point, 2 * count + count / 2)];
    CHECKPOINT.iter().flat_map(twice).map(|life| case([life])).collect()
}

/// After k of the votes and of the commits, for each k.
fn each_vote_and_commit() -> Vec<Case> {
    let votes = (8..16).map(|before| killed("coordinator::after_vote", before));
    let commits = (4..8).map(|before| killed("coordinator::after_commit", before));
    votes.chain(commits).map(|life| case([life])).collect()
}

/// At each step of the last checkpoint, which is the only one, and after each of its commits.
fn each_step_of_the_last() -> Vec<Case> {
    let first = CHECKPOINT.iter().map(|(point, _)| killed(point, 0));
    let commits = (1..4).map(|before| killed("coordinator::after_commit", before));
    first.chain(commits).map(|life| case([life]).only_final()).collect()
}

/// At each step of the run behind a decision that nobody has carried out.
fn each_step_behind_a_decision() -> Vec<Case> {
    let steps = CHECKPOINT.iter().map(|(point, _)| *point).chain(RESTORE);
    let mut cases: Vec<_> = steps.map(|point| case([decided(), killed(point, 0)])).collect();
    cases.extend(RESTORE.map(|point| case([decided(), killed(point, 1)])));
    // From one checkpoint, four times.
    let again = || killed("sink::after_prepare", 0);
    cases.push(case([decided(), again(), again(), again()]));
    cases
}

/// A subtask that panics at each of its steps.
fn each_panic() -> Vec<Case> {
    let steps = CHECKPOINT.iter().filter(|(point, _)| !point.starts_with("coordinator"));
    let mut cases: Vec<_> = steps.map(|(point, count)| case([panics(point, count + 1)])).collect();
    cases.extend(RESTORE.map(|point| case([decided(), panics(point, 1)])));
    cases
}

/// Another parallelism after each death.
fn each_parallelism() -> Vec<Case> {
    let points = [
        "sink::after_prepare",
        "coordinator::after_manifest",
        "coordinator::after_decision",
        "sink::before_commit",
    ];
    let of = |point| {
        let lives = || case([killed(point, 3), killed(point, 1)]);
        [lives().at([2, 3], 1), lives().at([1, 4], 2), lives().at([3, 1], 4)]
    };
    points.into_iter().flat_map(of).collect()
}

/// Lives several cases at a time, and tells all that went wrong.
fn live(cases: Vec<Case>) {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(panic) = std::panic::catch_unwind(|| case.live()) {
                let why = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                wrong.lock().unwrap().push(why);
            }
        }
    };
    std::thread::scope(|scope| (0..3).for_each(|_| drop(scope.spawn(work))));
    let wrong = wrong.into_inner().unwrap();
    println!("{} cases, {} wrong", cases.len(), wrong.len());
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
}

#[test]
fn a_job_that_is_killed_at_a_step_of_a_checkpoint_books_each_event_once() {
    let points = [
        ("task::barrier_seen", 0),
        ("sink::after_prepare", 5),
        ("coordinator::after_vote", 11),
        ("coordinator::after_manifest", 1),
        ("coordinator::after_decision", 2),
        ("coordinator::after_commit", 5),
    ];
    live(points.map(|(point, before)| case([killed(point, before)])).into());
}

#[test]
fn a_job_that_is_killed_in_its_last_checkpoint_books_each_event_once() {
    let points = ["task::after_save", "coordinator::before_decision", "coordinator::after_commit"];
    live(points.map(|point| case([killed(point, 0)]).only_final()).into());
}

#[test]
fn a_job_that_goes_back_to_one_checkpoint_twice_books_each_event_once() {
    let mut cases: Vec<_> =
        ["sink::after_commit", "sink::after_prepare"].map(|point| case([decided(), killed(point, 1)])).into();
    cases.push(case([killed("sink::after_prepare", 3), killed("sink::after_prepare", 1)]).at([1, 4], 2));
    live(cases);
}

#[test]
fn a_job_whose_subtask_panics_goes_on_by_itself() {
    live(vec![
        case([panics("sink::before_commit", 5)]),
        case([panics("task::barrier_seen", 9)]),
        case([panics("task::after_save", 1)]),
        case([decided(), panics("task::after_load", 1)]),
    ]);
}

#[test]
#[ignore = "takes some minutes: the whole matrix"]
fn the_whole_matrix() {
    let parts = [
        each_step(),
        each_vote_and_commit(),
        each_step_of_the_last(),
        each_step_behind_a_decision(),
        each_panic(),
        each_parallelism(),
    ];
    live(parts.concat());
}
