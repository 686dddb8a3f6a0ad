//! Single behaviours against literal effects, then every order of events against a model without caches.

use std::time::Duration;

use watershed_core::{EventTime, Watermark};

use super::WatermarkEffect::{Emit, EmitActive, EmitEnd, EmitIdle};
use super::WatermarkEvent::{Active, Advanced, Deadline, Ended, Idle};
use super::{WatermarkEffect, WatermarkEvent, WatermarkMerge};
use crate::explore::explore;
use crate::{Machine, Outcome, Tick};

const IDLE_AFTER: Option<Duration> = Some(Duration::from_millis(10));
const MAX: Watermark = Watermark::MAX;

fn at(millis: i64) -> Watermark {
    Watermark(EventTime::from_millis(millis))
}

fn advanced(input: usize, millis: i64) -> WatermarkEvent {
    Advanced { input, watermark: at(millis) }
}

fn finished(input: usize) -> WatermarkEvent {
    Advanced { input, watermark: MAX }
}

/// Feeds the events at these times and returns all effects; each event must be applied.
fn fed(merge: &mut WatermarkMerge, events: &[(u64, WatermarkEvent)]) -> Vec<WatermarkEffect> {
    let mut effects = Vec::new();
    for &(now, event) in events {
        assert_eq!(merge.on(Tick(now), event, &mut effects), Outcome::Applied, "{event:?}");
    }
    effects
}

/// Feeds one event that must change nothing, and returns its outcome.
fn refused(merge: &mut WatermarkMerge, event: WatermarkEvent) -> Outcome {
    let (before, mut effects) = (merge.clone(), Vec::new());
    let outcome = merge.on(Tick(100), event, &mut effects);
    assert_eq!((&effects, &*merge), (&vec![], &before), "{event:?}");
    outcome
}

#[test]
fn emits_the_lowest_watermark_once_all_inputs_have_one() {
    let mut merge = WatermarkMerge::new(2, None);
    assert_eq!(fed(&mut merge, &[(0, advanced(0, 5))]), []);
    assert_eq!(fed(&mut merge, &[(0, advanced(1, 3))]), [Emit(at(3))]);
    assert_eq!(fed(&mut merge, &[(0, advanced(1, 9))]), [Emit(at(5))]);
    assert_eq!(fed(&mut merge, &[(0, advanced(1, 10)), (0, advanced(0, 10))]), [Emit(at(10))]);
    assert_eq!(merge.merged(), at(10));
}

#[test]
fn a_watermark_that_repeats_or_goes_back_is_ignored() {
    let mut merge = WatermarkMerge::new(1, None);
    assert_eq!(fed(&mut merge, &[(0, advanced(0, 5))]), [Emit(at(5))]);
    assert_eq!(refused(&mut merge, advanced(0, 5)), Outcome::Duplicate);
    assert_eq!(refused(&mut merge, advanced(0, 4)), Outcome::Stale);
}

#[test]
fn an_idle_input_does_not_hold_the_others_back() {
    let mut merge = WatermarkMerge::new(2, None);
    assert_eq!(fed(&mut merge, &[(0, advanced(0, 5)), (0, Idle { input: 1 })]), [Emit(at(5))]);
    assert_eq!(fed(&mut merge, &[(0, advanced(0, 7))]), [Emit(at(7))]);
    assert_eq!(refused(&mut merge, Idle { input: 1 }), Outcome::Duplicate);
}

#[test]
fn an_input_that_resumes_behind_holds_the_output_but_never_takes_it_back() {
    let mut merge = WatermarkMerge::new(2, None);
    let start = [(0, advanced(0, 5)), (0, advanced(1, 2)), (0, Idle { input: 1 })];
    assert_eq!(fed(&mut merge, &start), [Emit(at(2)), Emit(at(5))]);
    assert_eq!(fed(&mut merge, &[(0, Active { input: 1 }), (0, advanced(0, 20))]), []);
    assert_eq!(fed(&mut merge, &[(0, advanced(1, 4)), (0, advanced(1, 5))]), []);
    assert_eq!(fed(&mut merge, &[(0, advanced(1, 6))]), [Emit(at(6))]);
}

#[test]
fn a_watermark_without_records_counts_as_speaking() {
    let mut merge = WatermarkMerge::new(2, IDLE_AFTER);
    let filtered = [(0, Deadline), (5, advanced(0, 1)), (9, Active { input: 1 }), (10, Deadline)];
    assert_eq!(fed(&mut merge, &filtered), []);
    assert_eq!(fed(&mut merge, &[(11, Idle { input: 0 }), (12, advanced(0, 3))]), []);
    assert_eq!(fed(&mut merge, &[(12, advanced(1, 2))]), [Emit(at(2))]);
}

#[test]
fn a_repeated_watermark_does_not_count_as_speaking() {
    let mut merge = WatermarkMerge::new(1, IDLE_AFTER);
    let mut effects = fed(&mut merge, &[(0, Deadline), (0, advanced(0, 1))]);
    assert_eq!(merge.on(Tick(9), advanced(0, 1), &mut effects), Outcome::Duplicate);
    assert_eq!(merge.on(Tick(10), Deadline, &mut effects), Outcome::Applied);
    assert_eq!(merge.on(Tick(11), advanced(0, 1), &mut effects), Outcome::Duplicate);
    assert_eq!(effects, [Emit(at(1)), EmitIdle]);
}

#[test]
fn silence_becomes_idleness_at_the_deadline_and_not_before() {
    let mut merge = WatermarkMerge::new(2, IDLE_AFTER);
    assert_eq!(merge.deadline(), Some(Tick(0)));
    assert_eq!(fed(&mut merge, &[(3, Deadline), (5, advanced(0, 1))]), []);
    assert_eq!(merge.deadline(), Some(Tick(13)));
    assert_eq!(merge.on(Tick(12), Deadline, &mut Vec::new()), Outcome::Stale);
    assert_eq!(fed(&mut merge, &[(13, Deadline)]), [Emit(at(1))]);
    assert_eq!(merge.deadline(), Some(Tick(15)));
    assert_eq!(fed(&mut merge, &[(15, Deadline)]), [EmitIdle]);
    assert_eq!(merge.deadline(), None);
    assert_eq!(fed(&mut merge, &[(40, Active { input: 1 })]), [EmitActive]);
    assert_eq!(merge.deadline(), Some(Tick(50)));
}

#[test]
fn all_inputs_idle_brings_the_output_to_the_highest_and_says_so_once() {
    let mut merge = WatermarkMerge::new(2, None);
    let events = [(0, advanced(0, 9)), (0, advanced(1, 4)), (0, Idle { input: 0 }), (0, Idle { input: 1 })];
    assert_eq!(fed(&mut merge, &events), [Emit(at(4)), Emit(at(9)), EmitIdle]);
    assert!(merge.is_idle());
    assert_eq!(fed(&mut merge, &[(0, Active { input: 1 }), (0, Active { input: 0 })]), [EmitActive]);
    assert_eq!(fed(&mut merge, &[(0, advanced(1, 10)), (0, advanced(0, 11))]), [Emit(at(10))]);
}

#[test]
fn an_ended_input_no_longer_counts_and_all_ended_is_the_end() {
    let mut merge = WatermarkMerge::new(2, None);
    assert_eq!(fed(&mut merge, &[(0, advanced(0, 9)), (0, Ended { input: 1 })]), [Emit(at(9))]);
    assert_eq!(refused(&mut merge, Ended { input: 1 }), Outcome::Duplicate);
    assert_eq!(fed(&mut merge, &[(0, Ended { input: 0 })]), [Emit(MAX), EmitEnd]);
    assert!(merge.has_ended());
    for event in [advanced(0, 10), Active { input: 0 }, Idle { input: 0 }] {
        assert_eq!(refused(&mut merge, event), Outcome::Unexpected);
    }
}

#[test]
fn the_end_of_the_last_live_input_leaves_the_idle_ones_in_charge() {
    let mut merge = WatermarkMerge::new(2, None);
    let events = [(0, advanced(0, 9)), (0, Idle { input: 1 }), (0, Ended { input: 0 })];
    assert_eq!(fed(&mut merge, &events), [Emit(at(9)), EmitIdle]);
    assert_eq!(fed(&mut merge, &[(0, Ended { input: 1 })]), [EmitActive, Emit(MAX), EmitEnd]);
}

#[test]
fn a_finished_input_does_not_finish_the_stream_while_another_is_idle() {
    let mut merge = WatermarkMerge::new(2, None);
    let events = [(0, advanced(0, 9)), (0, Idle { input: 1 }), (0, finished(0))];
    assert_eq!(fed(&mut merge, &events), [Emit(at(9)), EmitIdle]);
    assert_eq!(fed(&mut merge, &[(0, advanced(1, 12))]), [EmitActive, Emit(at(12))]);
    assert_eq!(refused(&mut merge, finished(0)), Outcome::Duplicate);
    for event in [advanced(0, 20), Active { input: 0 }, Idle { input: 0 }] {
        assert_eq!(refused(&mut merge, event), Outcome::Stale);
    }
    assert_eq!(fed(&mut merge, &[(0, finished(1))]), [Emit(MAX)]);
    assert_eq!(fed(&mut merge, &[(0, Ended { input: 0 }), (0, Ended { input: 1 })]), [EmitEnd]);
}

#[test]
fn without_inputs_the_first_deadline_is_the_end() {
    let mut merge = WatermarkMerge::new(0, None);
    assert_eq!(merge.deadline(), Some(Tick(0)));
    assert_eq!(fed(&mut merge, &[(0, Deadline)]), [Emit(MAX), EmitEnd]);
    assert_eq!(merge.deadline(), None);
}

/// What one input has said, kept without any of the machine's shortcuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Said {
    watermark: Watermark,
    idle: bool,
    ended: bool,
    heard: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    merge: WatermarkMerge,
    inputs: Vec<Said>,
    now: u64,
    merged: Watermark,
    highest: Watermark,
    idle: bool,
    ended: bool,
}

impl World {
    fn new(inputs: usize, idle_after: Option<Duration>) -> Self {
        let mut merge = WatermarkMerge::new(inputs, idle_after);
        if idle_after.is_some() {
            assert_eq!(fed(&mut merge, &[(0, Deadline)]), []);
        }
        let said = Said { watermark: Watermark::MIN, idle: false, ended: false, heard: 0 };
        let (merged, highest) = (Watermark::MIN, Watermark::MIN);
        World { merge, inputs: vec![said; inputs], now: 0, merged, highest, idle: false, ended: false }
    }

    /// The world after the event, with the machine's effects checked against what the rules ask for.
    fn after(&self, event: WatermarkEvent) -> World {
        let mut world = self.clone();
        let mut effects = Vec::new();
        let outcome = world.merge.on(Tick(world.now), event, &mut effects);
        assert_eq!(outcome, world.hear(event), "{self:?} {event:?}");
        assert_eq!(effects, world.expected(), "{self:?} {event:?}");
        if outcome != Outcome::Applied {
            assert_eq!(world.merge, self.merge, "an event that is not applied changes nothing: {event:?}");
        }
        world
    }

    fn hear(&mut self, event: WatermarkEvent) -> Outcome {
        let now = self.now;
        let (Advanced { input, .. } | Active { input } | Idle { input } | Ended { input }) = event else {
            for said in self.inputs.iter_mut().filter(|said| said.watermark < MAX) {
                said.idle |= now - said.heard >= 10;
            }
            return Outcome::Applied;
        };
        let said = &mut self.inputs[input];
        match event {
            Ended { .. } if said.ended => return Outcome::Duplicate,
            _ if said.ended => return Outcome::Unexpected,
            Advanced { watermark, .. } if watermark == said.watermark => return Outcome::Duplicate,
            Advanced { watermark, .. } if watermark < said.watermark => return Outcome::Stale,
            Active { .. } | Idle { .. } if said.watermark == MAX => return Outcome::Stale,
            Idle { .. } if said.idle => return Outcome::Duplicate,
            Advanced { watermark, .. } => {
                *said = Said { watermark, idle: false, ended: false, heard: now };
                if watermark < MAX {
                    self.highest = self.highest.max(watermark);
                }
            }
            Active { .. } => *said = Said { idle: false, heard: now, ..*said },
            Idle { .. } => said.idle = true,
            Ended { .. } => *said = Said { watermark: MAX, ended: true, idle: false, ..*said },
            Deadline => unreachable!(),
        }
        Outcome::Applied
    }

    fn expected(&mut self) -> Vec<WatermarkEffect> {
        let may_speak = |said: &&Said| said.watermark < MAX;
        let lowest = self.inputs.iter().filter(may_speak).filter(|s| !s.idle).map(|s| s.watermark).min();
        let silent = lowest.is_none() && self.inputs.iter().any(|said| may_speak(&said));
        let ended = self.inputs.iter().all(|said| said.ended);
        let merged = if silent { self.highest } else { lowest.unwrap_or(MAX) }.max(self.merged);

        let mut effects = Vec::new();
        effects.extend((self.idle && !silent).then_some(EmitActive));
        effects.extend((merged > self.merged).then_some(Emit(merged)));
        effects.extend((silent && !self.idle).then_some(EmitIdle));
        effects.extend((ended && !self.ended).then_some(EmitEnd));
        (self.merged, self.idle, self.ended) = (merged, silent, ended);
        effects
    }
}

fn events_of(input: usize) -> [WatermarkEvent; 6] {
    let [one, two] = [advanced(input, 1), advanced(input, 2)];
    [one, two, finished(input), Active { input }, Idle { input }, Ended { input }]
}

#[test]
fn agrees_with_the_model_in_every_order_of_events_of_three_inputs() {
    let states = explore(World::new(3, None), |world, next| {
        next.extend((0..3).flat_map(events_of).map(|event| world.after(event)));
    });
    assert!(states > 1000, "only {states} states were reached");
}

#[test]
fn agrees_with_the_model_in_every_order_of_events_and_silences_of_two_inputs() {
    let states = explore(World::new(2, IDLE_AFTER), |world, next| {
        next.extend((0..2).flat_map(events_of).map(|event| world.after(event)));
        if world.now < 30 {
            let mut later = world.clone();
            later.now += 5;
            // A driver feeds the deadline when it is due, as it must.
            let due = later.merge.deadline().is_some_and(|deadline| deadline <= Tick(later.now));
            let mut live = later.inputs.iter().filter(|said| !said.idle && said.watermark < MAX);
            let silent = live.any(|said| later.now - said.heard >= 10);
            assert!(due || !silent, "a silence has no deadline: {later:?}");
            next.push(if due { later.after(Deadline) } else { later });
        }
    });
    assert!(states > 1000, "only {states} states were reached");
}

#[test]
fn the_watermark_after_a_silence_does_not_depend_on_the_order_of_the_inputs() {
    let scripts: [&[WatermarkEvent]; 3] = [
        &[advanced(0, 1), advanced(0, 7), Idle { input: 0 }],
        &[advanced(1, 4), Idle { input: 1 }],
        &[advanced(2, 2), advanced(2, 8), Ended { input: 2 }],
    ];
    let mut finals = 0;
    explore((WatermarkMerge::new(3, None), [0; 3]), |(merge, read), next| {
        for (input, script) in scripts.iter().enumerate() {
            if let Some(&event) = script.get(read[input]) {
                let (mut merge, mut read) = (merge.clone(), *read);
                assert_eq!(merge.on(Tick(0), event, &mut Vec::new()), Outcome::Applied);
                read[input] += 1;
                next.push((merge, read));
            }
        }
        if next.is_empty() {
            assert_eq!((merge.merged(), merge.is_idle()), (at(8), true));
            finals += 1;
        }
    });
    assert_eq!(finals, 1, "all orders end in one state");
}
