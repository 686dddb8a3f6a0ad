//! Whoever is to be told is, in the end.

use watershed_core::checkpoint::Meta;

use super::*;
use crate::{Machine, Outcome, Tick};

fn feed(telling: &mut Telling, now: u64, event: TellEvent) -> Vec<TellEffect> {
    let mut effects = Vec::new();
    assert_eq!(telling.on(Tick(now), event.clone(), &mut effects), Outcome::Applied, "{event:?}");
    effects
}

fn told() -> Agreement {
    agreement(1, &[("a", 3)], 3)
}

fn read() -> TellEvent {
    let agreed = Agreed::default().with(&told()).expect("there is room");
    TellEvent::Read(Box::new(Meta { agreed, ..Meta::default() }))
}

#[test]
fn a_run_that_begins_is_told_all_once() {
    let mut telling = Telling::default();
    assert_eq!(feed(&mut telling, 0, TellEvent::Begun), [TellEffect::Read]);
    assert_eq!(feed(&mut telling, 5, read()), [TellEffect::Tell(vec![told()])]);
    assert_eq!(telling, Telling::default());
}

#[test]
fn a_store_that_does_not_answer_is_read_until_it_does() {
    let mut telling = Telling::default();
    feed(&mut telling, 0, TellEvent::Begun);
    for second in 1..100 {
        assert_eq!(feed(&mut telling, (second - 1) * 1000, TellEvent::Unread), []);
        assert_eq!(telling.deadline(), Some(Tick(second * 1000)));
        assert_eq!(feed(&mut telling, second * 1000, TellEvent::Deadline), [TellEffect::Read]);
    }
    assert_eq!(feed(&mut telling, 100_000, read()), [TellEffect::Tell(vec![told()])]);
    assert_eq!(telling.deadline(), None);
}

#[test]
fn what_is_in_doubt_is_looked_for_ever_less_often() {
    let mut telling = Telling::default();
    assert_eq!(feed(&mut telling, 0, TellEvent::Doubted), [TellEffect::Read]);
    let mut now = 0;
    let mut looks = vec![now];
    loop {
        // It is not there yet.
        feed(&mut telling, now, TellEvent::Read(Box::default()));
        let Some(until) = telling.deadline() else { break };
        now = until.0;
        assert_eq!(feed(&mut telling, now, TellEvent::Deadline), [TellEffect::Read]);
        looks.push(now / 1000);
    }
    assert_eq!(looks, [0, 1, 3, 7, 15, 31, 63, 127]);
    assert_eq!(looks.len(), LOOKS_MAX as usize);
}

#[test]
fn what_was_read_before_a_run_began_is_read_again() {
    let mut telling = Telling::default();
    feed(&mut telling, 0, TellEvent::Begun);
    assert_eq!(feed(&mut telling, 0, TellEvent::Begun), []);
    assert_eq!(feed(&mut telling, 1, TellEvent::Read(Box::default())), [TellEffect::Read]);
    assert_eq!(feed(&mut telling, 2, read()), [TellEffect::Tell(vec![told()])]);
    assert_eq!(telling.deadline(), None);
}

#[test]
fn what_comes_too_early_or_too_late_changes_nothing() {
    let mut telling = Telling::default();
    feed(&mut telling, 0, TellEvent::Begun);
    feed(&mut telling, 0, TellEvent::Unread);
    let before = telling.clone();
    for event in [TellEvent::Deadline, TellEvent::Unread, read()] {
        let mut effects = Vec::new();
        assert_eq!(telling.on(Tick(999), event, &mut effects), Outcome::Stale);
        assert_eq!((&telling, effects), (&before, vec![]));
    }
}
