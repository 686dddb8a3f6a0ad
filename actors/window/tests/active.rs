//! Windows without regular times: sessions, and all of time.

use watershed_core::state::{Clock, Glance, LookError, State};
use watershed_core::{EventTime, KeyGroups, ProcessingTime};

use super::*;

#[test]
fn a_silence_of_exactly_the_gap_begins_a_new_session() {
    let sums = windows(Session::with_gap(ms(10)), (Count, Sum));
    let mut harness = Harness::transform(sums);
    harness.run([at(0, 'a', 1), at(9, 'a', 2), at(19, 'a', 4), at(5, 'b', 8), Input::watermark(17)]);
    assert_eq!(said(harness.records()), [('b', 5, 15, Firing::OnTime, (1, 8))]);
    harness.watermark(18);
    assert_eq!(said(harness.records()), [('a', 0, 19, Firing::OnTime, (2, 3))]);
    harness.end();
    assert_eq!(said(harness.records()), [('a', 19, 29, Firing::OnTime, (1, 4))]);
}

#[test]
fn a_record_that_bridges_two_sessions_makes_them_one() {
    let sums = windows(Session::with_gap(ms(10)), Sum);
    let found = run(&sums, [at(-20, 'a', 1), at(-2, 'a', 2), at(-11, 'a', 4), at(8, 'a', 8), Input::end()]);
    assert_eq!(found, [('a', -20, 8, Firing::OnTime, 7), ('a', 8, 18, Firing::OnTime, 8)]);
}

#[test]
fn a_session_takes_a_late_record_that_touches_it_and_no_other() {
    let counts = windows(Session::with_gap(ms(10)), Count);
    let mut harness = Harness::transform(counts);
    harness.run([at(20, 'a', 0), Input::watermark(25), at(11, 'a', 0), at(10, 'a', 0), at(0, 'a', 0)]);
    harness.run([at(1, 'c', 0), Input::end()]);
    assert_eq!(said(harness.records()), [('a', 10, 30, Firing::OnTime, 3)]);
    assert_eq!(harness.counters().late, 2);
}

#[test]
fn an_update_says_a_session_that_late_records_have_grown() {
    let rules = Rules { allowed_lateness: ms(20), ..Rules::default() };
    let mut harness = Harness::transform(Session::with_gap(ms(10)).windows::<char, i64, _>(Sum, rules));
    harness.run([at(0, 'a', 1), at(15, 'a', 2), Input::watermark(9)]);
    assert_eq!(said(harness.records()), [('a', 0, 10, Firing::OnTime, 1)]);
    harness.apply(at(-5, 'a', 4));
    assert_eq!(said(harness.records()), [('a', -5, 10, Firing::Update, 5)]);
    // The bridge opens the closed session again: it ends with the other.
    harness.apply(at(7, 'a', 8));
    assert_eq!(said(harness.records()), []);
    harness.watermark(24);
    assert_eq!(said(harness.records()), [('a', -5, 25, Firing::Update, 15)]);
    harness.run([Input::watermark(44), at(14, 'a', 1)]);
    assert_eq!((harness.values().len(), harness.counters().late), (0, 1));
}

#[test]
fn early_results_of_sessions_do_not_replace_the_last_one() {
    let rules = Rules { early: Some(Every::records(2)), ..Rules::default() };
    let mut harness = Harness::transform(Session::with_gap(ms(10)).windows::<char, i64, _>(Sum, rules));
    harness.run([at(0, 'a', 1), at(1, 'a', 2), Input::end()]);
    let results = [('a', 0, 11, Firing::Early, 3), ('a', 0, 11, Firing::OnTime, 3)];
    assert_eq!(said(harness.records()), results);
}

#[test]
fn sessions_at_the_ends_of_time_take_all_their_records() {
    let counts = windows(Session::with_gap(ms(10)), Count);
    let (min, max) = (i64::MIN, i64::MAX);
    let inputs = [at(min, 'a', 0), at(min, 'a', 0), at(max, 'a', 0), at(max, 'a', 0), Input::end()];
    assert_eq!(run(&counts, inputs).iter().map(|said| said.4).collect::<Vec<_>>(), [2, 2]);
}

#[test]
fn sessions_keep_the_contract() {
    for rules in rules() {
        let sessions = Session::with_gap(ms(6));
        verify_transform(&sessions.windows::<char, i64, _>((Count, Mean), rules.clone()), &rich());
        verify_transform(&sessions.windows::<char, i64, _>(crate::aggregate::Collect, rules), &rich());
    }
}

#[test]
fn a_global_window_begins_anew_every_so_many_records() {
    let sums = windows(Global::every(Every::records(2)), Sum);
    let mut harness = Harness::transform(sums);
    harness.run([at(4, 'a', 1), at(5, 'b', 8), at(3, 'a', 2), at(6, 'a', 4)]);
    let always = |key, firing, value| Windowed { key, window: Span::ALWAYS, firing, value };
    let at_record = Record::new(always('a', Firing::Early, 3), watershed_core::EventTime::from_millis(3));
    assert_eq!(harness.records(), [at_record]);
    harness.end();
    let mut last = harness.values();
    last.sort();
    assert_eq!(last, [always('a', Firing::OnTime, 4), always('b', Firing::OnTime, 8)]);
}

#[test]
fn a_global_window_with_early_results_keeps_all_records() {
    let rules = Rules { early: Some(Every::processing_time(ms(10))), ..Rules::default() };
    let mut harness = Harness::transform(Global::new().windows::<char, i64, _>(Sum, rules));
    harness.run([Input::clock(1), at(0, 'a', 1), Input::clock(10), at(0, 'a', 2), Input::clock(20)]);
    harness.run([Input::clock(30), Input::end()]);
    let sums: Vec<_> = harness.values().into_iter().map(|said| (said.firing, said.value)).collect();
    assert_eq!(sums, [(Firing::Early, 1), (Firing::Early, 3), (Firing::OnTime, 3)]);
}

#[test]
fn global_windows_keep_the_contract() {
    for rules in rules() {
        verify_transform(&Global::new().windows::<char, i64, _>((Count, Mean), rules.clone()), &rich());
        if let Some(every) = rules.early {
            let global = Global::every(every);
            verify_transform(&global.windows::<char, i64, _>(Max, Rules::default()), &rich());
        }
    }
}

/// What somebody outside the job sees of a key, of state that was saved and is loaded again.
fn seen<S: State>(saved: &watershed_core::stage::Snapshot, key: char) -> Option<serde_json::Value> {
    let sections = saved.values().next().expect("it has one stage").get("state");
    let mut state = S::default();
    state.load(sections).expect("it was saved by this type");
    let key = rmp_serde::to_vec(&key).expect("a key can be written");
    assert!(S::group_of(&key, KeyGroups::default()).is_some_and(|group| group.is_ok()));
    let time = EventTime::from_millis(0);
    let clock = Clock { time, reached: time, now: ProcessingTime::from_millis(0) };
    let refused = state.look(Glance { piece: None, key: &[0x07], clock });
    assert!(matches!(refused, Err(LookError::Key { .. })), "{refused:?}");
    let looked = state.look(Glance { piece: None, key: &key, clock }).expect("it can be looked at");
    looked.map(|bytes| rmp_serde::from_slice(&bytes).expect("it is MessagePack"))
}

type SumOf<W> = <<W as Assigner>::Windows<char, i64, Sum> as Transform>::State;

#[test]
fn the_open_sessions_of_a_key_are_seen_from_outside() {
    let mut harness = Harness::transform(windows(Session::with_gap(ms(10)), Sum));
    harness.run([at(0, 'a', 1), at(5, 'a', 2), at(30, 'a', 4), at(5, 'b', 8), Input::watermark(16)]);
    let saved = harness.snapshot();
    let open = serde_json::json!([
        { "first": 30, "latest": 30, "closed": false, "said": false, "fresh": 1, "kept": 4 },
    ]);
    assert_eq!(seen::<SumOf<Session>>(&saved, 'a'), Some(open));
    assert_eq!(seen::<SumOf<Session>>(&saved, 'b'), None, "its session is over");
}

#[test]
fn what_a_global_window_has_of_a_key_is_seen_from_outside() {
    let mut harness = Harness::transform(windows(Global::every(Every::records(3)), Sum));
    harness.run([at(0, 'a', 1), at(5, 'a', 2)]);
    harness.run([at(0, 'b', 1), at(5, 'b', 2), at(5, 'b', 4)]);
    let saved = harness.snapshot();
    let kept = serde_json::json!({ "fresh": 2, "kept": 3 });
    assert_eq!(seen::<SumOf<Global>>(&saved, 'a'), Some(kept));
    assert_eq!(seen::<SumOf<Global>>(&saved, 'b'), None, "it has begun anew");
}
