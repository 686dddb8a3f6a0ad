//! One token in all the places where it can be shown.

use watershed_core::causal::Lane;
use watershed_core::{Counter, Site};

use super::*;

fn dot(run: u32, epoch: u64, site: u16, counter: u64) -> Dot {
    let lane = Lane { run: Run(run), epoch: Epoch(epoch), site: Site(site) };
    Dot { lane, counter: Counter(counter) }
}

fn clock<const N: usize>(dots: [Dot; N]) -> VectorClock {
    dots.into_iter().collect()
}

fn record(run: u32, lineage: u32, base: Option<u64>) -> RollBack {
    RollBack { run: Run(run), lineage: Lineage(lineage), base: base.map(Epoch) }
}

/// Seen in run 3, in epochs 7, 8 and 9; checkpoint 6 was complete by then.
fn token() -> JobToken {
    JobToken {
        job: String::new(),
        lineage: Lineage(1),
        run: Run(3),
        seen: clock([dot(3, 7, 0, 5), dot(3, 8, 0, 2), dot(3, 8, 1, 4), dot(3, 9, 1, 1)]),
        completed: Some(Epoch(6)),
        inputs: Vec::new(),
    }
}

fn records() -> Vec<RollBack> {
    vec![record(1, 0, None), record(2, 1, Some(3)), record(3, 1, Some(6))]
}

/// A server in run 3.
fn place() -> Place {
    let (base, completed) = (Some(Epoch(6)), Some(Epoch(6)));
    Place { lineage: Lineage(1), run: Run(3), base, completed, roll_backs: RollBacks::of(&records()) }
}

/// A server in run 4, which began from this checkpoint.
fn set_back_to(base: u64) -> Place {
    let roll_backs = RollBacks::of(&[records(), vec![record(4, 1, Some(base))]].concat());
    let (base, completed) = (Some(Epoch(base)), Some(Epoch(base)));
    Place { run: Run(4), base, completed, roll_backs, ..place() }
}

fn wait<const N: usize>(dots: [Dot; N], checkpoint: Option<u64>) -> Translation {
    Translation::Wait(Needs { seen: clock(dots), checkpoint: checkpoint.map(Epoch) })
}

#[test]
fn in_its_own_run_a_token_waits_for_what_the_replica_may_not_have() {
    assert_eq!(
        translate(&token(), &place()),
        wait([dot(3, 7, 0, 5), dot(3, 8, 0, 2), dot(3, 8, 1, 4), dot(3, 9, 1, 1)], None)
    );
    let further = Place { base: Some(Epoch(8)), completed: Some(Epoch(9)), ..place() };
    assert_eq!(translate(&token(), &further), wait([dot(3, 9, 1, 1)], None), "not less: 9 is not whole here");
    let whole = Place { base: Some(Epoch(9)), ..place() };
    assert_eq!(translate(&token(), &whole), wait([], None));
    assert!(matches!(translate(&token(), &whole), Translation::Wait(needs) if needs.is_empty()));
}

#[test]
fn a_checkpoint_that_was_seen_is_waited_for_whole() {
    let mut reduced = token();
    reduced.reduce(Epoch(8));
    assert_eq!(translate(&reduced, &place()), wait([dot(3, 9, 1, 1)], Some(8)));
    assert_eq!(translate(&reduced, &set_back_to(9)), wait([], None));
}

#[test]
fn what_the_next_run_began_from_need_not_be_waited_for() {
    assert_eq!(translate(&token(), &set_back_to(9)), wait([], None));
    assert_eq!(translate(&token(), &set_back_to(12)), wait([], None));
}

#[test]
fn what_was_undone_is_named_with_the_roll_back_and_the_rest_is_kept() {
    let by = record(4, 1, Some(8));
    let undone = vec![Undone { up_to: dot(3, 9, 1, 1), by }];
    let (from, to, base, rest) = (Run(3), Run(4), Some(Epoch(8)), Needs::default());
    let rolled_back = Translation::RolledBack { from, to, base, undone, rest };
    assert_eq!(translate(&token(), &set_back_to(8)), rolled_back);
    // A later roll-back changes nothing of it, though its base is newer than the lane.
    let mut later = set_back_to(8);
    later.roll_backs.push(record(5, 1, Some(30)));
    later = Place { run: Run(5), base: Some(Epoch(30)), completed: Some(Epoch(31)), ..later };
    let Translation::RolledBack { to, base, undone, .. } = translate(&token(), &later) else {
        panic!("it is undone for ever")
    };
    assert_eq!((to, base, undone[0].by), (Run(5), Some(Epoch(8)), by));
}

#[test]
fn all_lanes_behind_the_base_are_undone_and_those_of_the_new_run_still_hold() {
    let mut both = token();
    both.run = Run(4);
    both.see(&clock([dot(4, 12, 0, 1)]));
    let place = Place { base: Some(Epoch(10)), ..set_back_to(7) };
    let Translation::RolledBack { undone, rest, .. } = translate(&both, &place) else {
        panic!("it is undone")
    };
    let undone: Vec<Dot> = undone.iter().map(|undone| undone.up_to).collect();
    assert_eq!(undone, [dot(3, 8, 0, 2), dot(3, 8, 1, 4), dot(3, 9, 1, 1)]);
    assert_eq!(rest, Needs { seen: clock([dot(4, 12, 0, 1)]), checkpoint: None });
}

#[test]
fn a_server_that_is_behind_does_not_answer() {
    let behind = Place { run: Run(2), ..place() };
    assert_eq!(translate(&token(), &behind), Translation::Ahead { run: Run(3) });
    // Also where the token names no update.
    let mut reduced = token();
    reduced.reduce(Epoch(9));
    assert_eq!(translate(&reduced, &behind), Translation::Ahead { run: Run(3) });
    // Also where it has not heard of a fork.
    let before = Place { lineage: Lineage(0), run: Run(1), ..place() };
    assert_eq!(translate(&token(), &before), Translation::Ahead { run: Run(3) });
}

#[test]
fn a_token_of_another_history_is_refused_however_old_what_it_names() {
    let mut forked = set_back_to(9);
    forked.roll_backs.push(record(5, 2, Some(9)));
    let forked = Place { lineage: Lineage(2), run: Run(5), ..forked };
    let refused = Translation::Forked { from: Lineage(1), to: Lineage(2) };
    assert_eq!(translate(&token(), &forked), refused);
    let mut durable = token();
    durable.reduce(Epoch(9));
    assert_eq!(translate(&durable, &forked), refused);
    assert!(!is_durable(&durable, &forked));
}

#[test]
fn a_token_that_nobody_can_judge_any_more_has_expired_unless_nothing_is_left_to_judge() {
    let newest = record(9, 1, Some(40));
    let (base, completed) = (newest.base, newest.base);
    let place = Place { run: Run(9), base, completed, roll_backs: RollBacks::of(&[newest]), ..place() };
    assert_eq!(translate(&token(), &place), Translation::Expired);
    let mut durable = token();
    durable.reduce(Epoch(9));
    assert_eq!(translate(&durable, &place), wait([], None));
    assert!(is_durable(&durable, &place));
}

#[test]
fn a_token_is_durable_once_its_lanes_are_closed_by_a_complete_checkpoint_of_its_own_history() {
    let completed = |epoch| Place { completed: Some(Epoch(epoch)), ..place() };
    assert!(!is_durable(&token(), &completed(8)));
    assert!(is_durable(&token(), &completed(9)));
    assert!(is_durable(&token(), &set_back_to(9)));
    // A newer checkpoint of a later run does not hold what was undone before it.
    let later = Place { completed: Some(Epoch(20)), ..set_back_to(8) };
    assert!(!is_durable(&token(), &later));
    // Who is behind cannot say so.
    let mut reduced = token();
    reduced.reduce(Epoch(9));
    assert!(!is_durable(&reduced, &completed(8)));
    assert!(!is_durable(&JobToken { run: Run(4), ..reduced }, &completed(9)));
}
