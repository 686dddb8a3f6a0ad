//! Merges the watermarks of several inputs into one: the lowest of those that still have a say.
//!
//! ```text
//!                Advanced, Active
//!             +--------------------+
//!             v                    |
//!   start -> Live -Idle, silence-> Idle         output, over all inputs:
//!             |                    |              some Live               -> speaks: lowest of the Live
//!             +-- Advanced(MAX) ---+-> Finished   none Live, some Idle    -> idle, at the highest ever heard
//!             |                    |      |       only Finished and Ended -> speaks: Watermark::MAX
//!             +------ Ended -------+------+       only Ended              -> ended
//!                      |
//!                      v
//!                    Ended
//! ```
//!
//! A watermark is a promise that no record at or before it will follow (MillWheel, Akidau et al. 2013; the
//! Dataflow model, Akidau et al. 2015), so the promise over several inputs is their minimum. An input with
//! nothing to say would hold that minimum for ever; *idleness* leaves it out until it speaks. What was hard
//! to get right:
//!
//! - **Speaking** is a record (`Active`) or a watermark that *advances*: a source whose records are all
//!   filtered away is not idle. A watermark that repeats is no speech, or a generator that emits on a clock
//!   would keep a silent input alive.
//! - **An idle input that resumes** counts again at once with its old watermark, so the merged watermark
//!   waits for it from there but never goes back: the resumed input's records at or behind the merged
//!   watermark are late, those ahead of it are not. (Flink leaves such an input out until it has caught up,
//!   so nothing waits and more becomes late.) Whoever resumes with nothing but late records holds the output
//!   until it falls silent again.
//! - **All inputs idle**: the merged watermark goes to the highest watermark that any input ever promised,
//!   and only then is idleness told downstream. Flink does so too (`StatusWatermarkValve`), but only if the
//!   last input to fall silent was the one at the minimum. The reason: had the inputs become idle in another
//!   order, the furthest one would have been alone and would have brought the merged watermark there. So the
//!   result of a silence does not depend on the order in which it was noticed.
//! - **`Watermark::MAX` on one input** (before its end) says that this input is done, not that the stream is:
//!   while others are merely idle the merged watermark does not become MAX, as they may come back.
//! - **Back-pressure is not silence.** The driver's clock stands still while it cannot read, and it drains what
//!   has arrived before it feeds `Deadline`.
//!
//! An advance costs O(1), and O(n) when the last input at the minimum leaves it; nothing is allocated.

use std::time::Duration;

use watershed_core::Watermark;

use crate::{Machine, Outcome, Tick};

/// What a [`WatermarkMerge`] hears. Inputs are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WatermarkEvent {
    /// The input promised this watermark. One behind an earlier promise is [`Outcome::Stale`], a repeated one
    /// [`Outcome::Duplicate`], and neither counts as speaking.
    Advanced {
        /// The input.
        input: usize,
        /// Its promise.
        watermark: Watermark,
    },
    /// Records came from the input, or its peer said that it speaks again. Once a batch is enough.
    Active {
        /// The input.
        input: usize,
    },
    /// The input's peer said that nothing comes for now.
    Idle {
        /// The input.
        input: usize,
    },
    /// Nothing will ever come from the input again.
    Ended {
        /// The input.
        input: usize,
    },
    /// The time of [`Machine::deadline`] has come.
    Deadline,
}

/// What a [`WatermarkMerge`] wants told downstream.
///
/// The watermarks emitted strictly increase. Nothing is emitted between `EmitIdle` and `EmitActive`, or after
/// `EmitEnd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WatermarkEffect {
    /// Promise this watermark.
    Emit(Watermark),
    /// Say that nothing comes for now.
    EmitIdle,
    /// Say that something comes again.
    EmitActive,
    /// Say that nothing will ever come again. [`Watermark::MAX`] has been emitted before.
    EmitEnd,
}

/// Merges the watermarks of a fixed number of inputs (a subtask's channels, or a source's splits).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WatermarkMerge {
    inputs: Vec<Input>,
    census: Census,
    output: Output,
    /// The last watermark emitted.
    merged: Watermark,
    /// The highest watermark below MAX that any input has promised.
    highest: Watermark,
    idle_after: Option<Duration>,
    /// No input can have been silent for `idle_after` before this. Only moved by a look at all inputs, so
    /// that an advance need not touch it.
    check_at: Option<Tick>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Input {
    /// Counts. `heard` is when it last spoke, `None` until its silence is first measured.
    Live { watermark: Watermark, heard: Option<Tick> },
    /// Left out until it speaks.
    Idle { watermark: Watermark },
    /// Has promised MAX, and its end is still to come.
    Finished,
    /// Gone.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Output {
    Speaking,
    Idle,
    Ended,
}

/// How many inputs are in which state, and where the live ones stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Census {
    live: usize,
    idle: usize,
    finished: usize,
    /// The lowest watermark of the live inputs, MAX if there are none.
    lowest: Watermark,
    /// How many live inputs stand at `lowest`.
    at_lowest: usize,
}

impl WatermarkMerge {
    /// Merges the watermarks of `inputs` inputs, each taken for idle when it has not spoken for `idle_after`
    /// (`None`: only when its peer says so).
    ///
    /// A silence is measured from the first `Deadline` on, which is asked for at once. With no inputs at all,
    /// that first `Deadline` ends the output.
    pub fn new(inputs: usize, idle_after: Option<Duration>) -> Self {
        WatermarkMerge {
            inputs: vec![Input::Live { watermark: Watermark::MIN, heard: None }; inputs],
            census: Census { live: inputs, idle: 0, finished: 0, lowest: Watermark::MIN, at_lowest: inputs },
            output: Output::Speaking,
            merged: Watermark::MIN,
            highest: Watermark::MIN,
            idle_after,
            check_at: (idle_after.is_some() || inputs == 0).then_some(Tick(0)),
        }
    }

    /// The last watermark emitted, [`Watermark::MIN`] before the first. Records at or behind it are late.
    #[inline]
    pub fn merged(&self) -> Watermark {
        self.merged
    }

    /// Whether the last word downstream was that nothing comes for now.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.output == Output::Idle
    }

    /// Whether every input has ended.
    #[inline]
    pub fn has_ended(&self) -> bool {
        self.output == Output::Ended
    }

    fn advanced(
        &mut self,
        now: Tick,
        input: usize,
        to: Watermark,
        effects: &mut Vec<WatermarkEffect>,
    ) -> Outcome {
        let slot = &mut self.inputs[input];
        match *slot {
            Input::Live { watermark, heard: _ } | Input::Idle { watermark } if to < watermark => {
                Outcome::Stale
            }
            Input::Live { watermark, heard: _ } | Input::Idle { watermark } if to == watermark => {
                Outcome::Duplicate
            }
            Input::Live { watermark: _, heard: _ } | Input::Idle { watermark: _ } if to == Watermark::MAX => {
                *slot = Input::Finished;
                self.settle(effects);
                Outcome::Applied
            }
            Input::Live { watermark, heard: _ } => {
                *slot = Input::Live { watermark: to, heard: Some(now) };
                self.highest = self.highest.max(to);
                if watermark == self.census.lowest {
                    self.census.at_lowest -= 1;
                    if self.census.at_lowest == 0 {
                        self.settle(effects);
                    }
                }
                Outcome::Applied
            }
            Input::Idle { watermark: _ } => {
                self.highest = self.highest.max(to);
                self.wake(now, input, to, effects);
                Outcome::Applied
            }
            Input::Finished if to == Watermark::MAX => Outcome::Duplicate,
            Input::Finished => Outcome::Stale,
            Input::Ended => Outcome::Unexpected,
        }
    }

    fn active(&mut self, now: Tick, input: usize, effects: &mut Vec<WatermarkEffect>) -> Outcome {
        match &mut self.inputs[input] {
            Input::Live { watermark: _, heard } => {
                *heard = Some(now);
                Outcome::Applied
            }
            &mut Input::Idle { watermark } => {
                self.wake(now, input, watermark, effects);
                Outcome::Applied
            }
            // Each of its records is late by its own word; they change nothing here.
            Input::Finished => Outcome::Stale,
            Input::Ended => Outcome::Unexpected,
        }
    }

    fn idle(&mut self, input: usize, effects: &mut Vec<WatermarkEffect>) -> Outcome {
        let slot = &mut self.inputs[input];
        match *slot {
            Input::Live { watermark, heard: _ } => {
                *slot = Input::Idle { watermark };
                self.settle(effects);
                Outcome::Applied
            }
            Input::Idle { watermark: _ } => Outcome::Duplicate,
            Input::Finished => Outcome::Stale,
            Input::Ended => Outcome::Unexpected,
        }
    }

    fn ended(&mut self, input: usize, effects: &mut Vec<WatermarkEffect>) -> Outcome {
        let slot = &mut self.inputs[input];
        match slot {
            Input::Live { watermark: _, heard: _ } | Input::Idle { watermark: _ } | Input::Finished => {
                *slot = Input::Ended;
                self.settle(effects);
                Outcome::Applied
            }
            Input::Ended => Outcome::Duplicate,
        }
    }

    fn time_passed(&mut self, now: Tick, effects: &mut Vec<WatermarkEffect>) -> Outcome {
        if self.check_at.is_none_or(|at| now < at) {
            return Outcome::Stale;
        }
        self.check_at = None;
        if let Some(idle_after) = self.idle_after {
            for input in &mut self.inputs {
                match input {
                    Input::Live { watermark, heard } => {
                        let due = heard.get_or_insert(now).after(idle_after);
                        if due <= now {
                            *input = Input::Idle { watermark: *watermark };
                        } else {
                            self.check_at = Some(self.check_at.map_or(due, |at| at.min(due)));
                        }
                    }
                    Input::Idle { watermark: _ } | Input::Finished | Input::Ended => {}
                }
            }
        }
        self.settle(effects);
        Outcome::Applied
    }

    fn wake(&mut self, now: Tick, input: usize, watermark: Watermark, effects: &mut Vec<WatermarkEffect>) {
        self.inputs[input] = Input::Live { watermark, heard: Some(now) };
        // An earlier check already planned stays: no live input was heard later than now.
        self.check_at = self.check_at.or(self.idle_after.map(|idle_after| now.after(idle_after)));
        self.settle(effects);
    }

    /// Looks at all inputs anew and tells downstream what has changed.
    fn settle(&mut self, effects: &mut Vec<WatermarkEffect>) {
        self.census = Census::of(&self.inputs);
        let Census { live, idle, finished, lowest, at_lowest: _ } = self.census;
        if live == 0 {
            self.check_at = None;
        }
        let (output, watermark) = if live > 0 {
            (Output::Speaking, lowest)
        } else if idle > 0 {
            (Output::Idle, self.highest)
        } else if finished > 0 {
            (Output::Speaking, Watermark::MAX)
        } else {
            (Output::Ended, Watermark::MAX)
        };
        let was = std::mem::replace(&mut self.output, output);
        match (was, output) {
            (Output::Idle, Output::Speaking | Output::Ended) => effects.push(WatermarkEffect::EmitActive),
            (Output::Speaking, Output::Speaking | Output::Idle | Output::Ended)
            | (Output::Idle, Output::Idle)
            | (Output::Ended, Output::Ended) => {}
            (Output::Ended, Output::Speaking | Output::Idle) => unreachable!("an ended input stays ended"),
        }
        if watermark > self.merged {
            self.merged = watermark;
            effects.push(WatermarkEffect::Emit(watermark));
        }
        match (was, output) {
            (Output::Speaking, Output::Idle) => effects.push(WatermarkEffect::EmitIdle),
            (Output::Speaking | Output::Idle, Output::Ended) => effects.push(WatermarkEffect::EmitEnd),
            (Output::Speaking | Output::Idle | Output::Ended, Output::Speaking)
            | (Output::Idle | Output::Ended, Output::Idle)
            | (Output::Ended, Output::Ended) => {}
        }
    }
}

impl Census {
    fn of(inputs: &[Input]) -> Self {
        let mut census = Census { live: 0, idle: 0, finished: 0, lowest: Watermark::MAX, at_lowest: 0 };
        for input in inputs {
            match *input {
                Input::Live { watermark, heard: _ } => {
                    census.live += 1;
                    if watermark < census.lowest {
                        census.lowest = watermark;
                        census.at_lowest = 0;
                    }
                    census.at_lowest += usize::from(watermark == census.lowest);
                }
                Input::Idle { watermark: _ } => census.idle += 1,
                Input::Finished => census.finished += 1,
                Input::Ended => {}
            }
        }
        census
    }
}

impl Machine for WatermarkMerge {
    type Event = WatermarkEvent;
    type Effect = WatermarkEffect;

    fn on(&mut self, now: Tick, event: WatermarkEvent, effects: &mut Vec<WatermarkEffect>) -> Outcome {
        match event {
            WatermarkEvent::Advanced { input, watermark } => self.advanced(now, input, watermark, effects),
            WatermarkEvent::Active { input } => self.active(now, input, effects),
            WatermarkEvent::Idle { input } => self.idle(input, effects),
            WatermarkEvent::Ended { input } => self.ended(input, effects),
            WatermarkEvent::Deadline => self.time_passed(now, effects),
        }
    }

    fn deadline(&self) -> Option<Tick> {
        self.check_at
    }
}

#[cfg(test)]
mod tests;
