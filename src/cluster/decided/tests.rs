//! What each change does, and when it is refused.

use watershed_core::checkpoint::{Guard, Meta};
use watershed_core::{Epoch, Run, Term};

use super::limits::{JOBS_MAX, REASON_BYTES_MAX, SPEC_BYTES_MAX};
use super::*;

fn spec() -> JobSpec {
    JobSpec { pipeline: "delays".to_owned(), parallelism: 2, ..JobSpec::default() }
}

fn submit(name: &str) -> ClusterChange {
    ClusterChange::Submit { name: name.to_owned(), spec: spec() }
}

fn decide(name: &str, number: u32, guard: Guard, change: Change) -> ClusterChange {
    ClusterChange::Decide { name: name.to_owned(), number, guard, change }
}

fn end(name: &str, number: u32, outcome: Outcome) -> ClusterChange {
    ClusterChange::End { name: name.to_owned(), number, outcome }
}

fn after(changes: impl IntoIterator<Item = ClusterChange>) -> ClusterState {
    let mut state = ClusterState::default();
    for change in changes {
        state.apply(change).unwrap();
    }
    state
}

/// Refuses, and changes nothing.
fn refusal(state: &ClusterState, change: ClusterChange) -> Refusal {
    let mut changed = state.clone();
    let refusal = changed.apply(change).expect_err("the change is refused");
    assert_eq!(changed, *state);
    refusal
}

#[test]
fn a_job_gets_a_number_of_its_own_and_nothing_is_decided_of_it() {
    let state = after([submit("a"), submit("b")]);
    let expected = |number| JobRecord {
        number,
        spec: spec(),
        meta: Meta::default(),
        wanted: Wanted::Running,
        outcome: None,
        lives: 0,
        rests: false,
    };
    let jobs = [("a".to_owned(), expected(1)), ("b".to_owned(), expected(2))].into();
    assert_eq!(state, ClusterState { jobs, next_job_number: 3, ..ClusterState::default() });
}

#[test]
fn a_name_is_taken_as_long_as_its_job_lives_and_its_number_for_ever() {
    let mut state = after([submit("a")]);
    assert_eq!(refusal(&state, submit("a")), Refusal::InUse { name: "a".to_owned() });
    let guard = Guard::of(&Meta::default());
    state.apply(decide("a", 1, guard, Change::BeginRun)).unwrap();
    state.apply(end("a", 1, Outcome::Cancelled)).unwrap();
    state.apply(submit("a")).unwrap();
    assert_eq!(state.jobs["a"].number, 2);
    assert_eq!(state.jobs["a"].meta, Meta::default());
    let replaced = Refusal::Replaced { name: "a".to_owned(), asked: 1, current: 2 };
    assert_eq!(refusal(&state, decide("a", 1, guard, Change::BeginRun)), replaced);
    state.apply(end("a", 2, Outcome::Cancelled)).unwrap();
    state.apply(ClusterChange::Remove { name: "a".to_owned() }).unwrap();
    state.apply(submit("a")).unwrap();
    assert_eq!(state.jobs["a"].number, 3);
}

#[test]
fn a_decision_of_a_job_needs_its_guard() {
    let mut state = after([submit("a")]);
    let guard = Guard::of(&Meta::default());
    state.apply(decide("a", 1, guard, Change::Lead)).unwrap();
    assert_eq!(state.jobs["a"].meta, Meta { term: Term(1), ..Meta::default() });
    let refused = refusal(&state, decide("a", 1, guard, Change::Burn(Epoch(64))));
    assert!(matches!(refused, Refusal::Job { .. }), "{refused}");
    let guard = Guard { term: Term(1), run: Run(0) };
    state.apply(decide("a", 1, guard, Change::Burn(Epoch(64)))).unwrap();
    assert_eq!(state.jobs["a"].meta.burnt, Epoch(64));
}

#[test]
fn a_job_that_has_ended_by_force_decides_nothing_more() {
    for outcome in [Outcome::Cancelled, Outcome::Failed { reason: "no".to_owned() }] {
        let state = after([submit("a"), end("a", 1, outcome.clone())]);
        let ended = Refusal::Ended { name: "a".to_owned() };
        let guard = Guard::of(&Meta::default());
        assert_eq!(refusal(&state, decide("a", 1, guard, Change::BeginRun)), ended);
        assert_eq!(refusal(&state, end("a", 1, outcome)), ended);
        let want = ClusterChange::Want { name: "a".to_owned(), wanted: Wanted::Running };
        assert_eq!(refusal(&state, want), ended);
        assert_eq!(refusal(&state, ClusterChange::Live { name: "a".to_owned(), number: 1 }), ended);
    }
}

#[test]
fn a_job_rests_when_it_is_to_and_until_somebody_wants_something_else_of_it() {
    let want = |wanted| ClusterChange::Want { name: "a".to_owned(), wanted };
    let rest = || ClusterChange::Rest { name: "a".to_owned(), number: 1 };
    let mut state = after([submit("a")]);
    assert!(matches!(refusal(&state, rest()), Refusal::Job { .. }), "nobody has wanted it to");
    state.apply(want(Wanted::Suspended)).unwrap();
    assert!(!state.jobs["a"].rests, "its savepoint is not taken yet");
    state.apply(rest()).unwrap();
    state.apply(want(Wanted::Suspended)).unwrap();
    assert!(state.jobs["a"].rests);
    for wanted in [Wanted::Running, Wanted::Cancelled] {
        let mut state = state.clone();
        state.apply(want(wanted)).unwrap();
        assert!(!state.jobs["a"].rests, "{wanted:?}");
        assert!(matches!(refusal(&state, rest()), Refusal::Job { .. }), "{wanted:?}");
    }
    state.apply(end("a", 1, Outcome::Cancelled)).unwrap();
    assert_eq!(refusal(&state, rest()), Refusal::Ended { name: "a".to_owned() });
}

#[test]
fn only_a_job_that_has_ended_is_forgotten() {
    let remove = || ClusterChange::Remove { name: "a".to_owned() };
    let mut state = after([submit("a")]);
    assert_eq!(refusal(&state, remove()), Refusal::Lives { name: "a".to_owned() });
    state.apply(end("a", 1, Outcome::Cancelled)).unwrap();
    state.apply(remove()).unwrap();
    assert_eq!(refusal(&state, remove()), Refusal::NoJob { name: "a".to_owned() });
}

#[test]
fn a_node_begins_only_lives_that_are_newer_than_all_before() {
    let register = |incarnation| ClusterChange::Register { node: "n".to_owned(), incarnation };
    let mut state = after([register(3)]);
    for asked in [2, 3] {
        let refused = Refusal::Incarnation { node: "n".to_owned(), asked, current: 3 };
        assert_eq!(refusal(&state, register(asked)), refused);
    }
    state.apply(register(4)).unwrap();
    assert_eq!(state.nodes["n"], NodeRecord { incarnation: 4 });
}

#[test]
fn names_are_short_and_plain() {
    let state = ClusterState::default();
    let long = "x".repeat(65);
    for name in ["", "A", "a b", "a/../b", "ä", "a\n", &long] {
        let refused = refusal(&state, submit(name));
        assert!(matches!(refused, Refusal::Name { .. }), "{name:?}");
        let register = ClusterChange::Register { node: name.to_owned(), incarnation: 1 };
        assert!(matches!(refusal(&state, register), Refusal::Name { .. }), "{name:?}");
    }
    after([submit(&"x".repeat(64)), submit("a-b_9")]);
}

#[test]
fn there_is_a_bound_on_jobs_on_what_describes_one_and_on_why_it_failed() {
    let mut state = after((0..JOBS_MAX).map(|number| submit(&format!("job-{number}"))));
    assert!(matches!(refusal(&state, submit("more")), Refusal::Full { .. }));
    state.apply(end("job-0", 1, Outcome::Cancelled)).unwrap();
    state.apply(submit("job-0")).unwrap();

    let parameters = [("p".to_owned(), "x".repeat(SPEC_BYTES_MAX))].into();
    let large = JobSpec { parameters, ..spec() };
    let refused =
        refusal(&ClusterState::default(), ClusterChange::Submit { name: "a".to_owned(), spec: large });
    assert!(matches!(refused, Refusal::SpecBytes { .. }));

    let reason = format!("x{}", "ä".repeat(REASON_BYTES_MAX));
    let state = after([submit("a"), end("a", 1, Outcome::Failed { reason })]);
    let Some(Outcome::Failed { reason }) = &state.jobs["a"].outcome else { panic!("the job has failed") };
    assert_eq!(reason.len(), REASON_BYTES_MAX - 1);
}

#[test]
fn a_job_that_lives_is_rescaled_and_one_that_has_ended_is_not() {
    let rescale = || ClusterChange::Rescale { name: "a".to_owned(), parallelism: 5 };
    let mut state = after([submit("a"), rescale()]);
    assert_eq!(state.jobs["a"].spec, JobSpec { parallelism: 5, ..spec() });
    state.apply(end("a", 1, Outcome::Cancelled)).unwrap();
    assert_eq!(refusal(&state, rescale()), Refusal::Ended { name: "a".to_owned() });
}

#[test]
fn the_lives_of_a_job_are_counted() {
    let live = || ClusterChange::Live { name: "a".to_owned(), number: 1 };
    assert_eq!(after([submit("a"), live(), live()]).jobs["a"].lives, 2);
}

#[test]
fn the_first_key_of_tokens_stays_and_its_secret_is_not_printed() {
    let key = |id| ClusterChange::TokenKey { secret: TokenSecret { id, secret: [7; 32] } };
    let state = after([key(3), key(4)]);
    assert_eq!(state.token_keys, [TokenSecret { id: 3, secret: [7; 32] }]);
    let printed = format!("{state:?} {:?}", key(5));
    assert!(!printed.contains("7, 7"), "{printed}");
}
