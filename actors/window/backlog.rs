//! Results that were due when there was no room for them.
//!
//! A window of a million keys does not fit one batch. What has been handed over and what has not must be
//! told apart in a checkpoint too, so the rest is state: saved by key group, emitted before anything else.

use watershed_core::state::{KeyedMap, Saving, Sections, State};
use watershed_core::{Data, EventTime, Key, Output, StateError, Step};

use super::{Firing, Span, Windowed};

/// Results on their way out, each with its time.
#[derive(Clone, Debug)]
pub(super) struct Backlog<K, R>(Vec<(EventTime, Windowed<K, R>)>);

impl<K, R> Default for Backlog<K, R> {
    fn default() -> Self {
        Backlog(Vec::new())
    }
}

impl<K: Key, R: Data> Backlog<K, R> {
    /// Emits until nothing is left or there is no more room.
    pub(super) fn drain(&mut self, out: &mut impl Output<Windowed<K, R>>) -> Step {
        while !self.0.is_empty() {
            if out.is_full() {
                return Step::Again;
            }
            if let Some((time, result)) = self.0.pop() {
                out.emit_at(result, time);
            }
        }
        // A large window's room is given back; the next one may be small.
        self.0 = Vec::new();
        Step::Done
    }

    /// Emits everything: before a record that changes what a result on its way says.
    pub(super) fn flush(&mut self, out: &mut impl Output<Windowed<K, R>>) {
        for (time, result) in self.0.drain(..) {
            out.emit_at(result, time);
        }
    }

    /// Begins to emit the results of a window: directly while there is room, by the backlog after that.
    pub(super) fn emitter<'a, O: Output<Windowed<K, R>>>(
        &'a mut self,
        window: Span,
        firing: Firing,
        out: &'a mut O,
    ) -> Emitter<'a, K, R, O> {
        self.emitter_at(window.last(), window, firing, out)
    }

    /// Begins to emit the results of a window with a time of their own.
    pub(super) fn emitter_at<'a, O: Output<Windowed<K, R>>>(
        &'a mut self,
        time: EventTime,
        window: Span,
        firing: Firing,
        out: &'a mut O,
    ) -> Emitter<'a, K, R, O> {
        let full = out.is_full();
        Emitter { backlog: self, window, firing, time, out, full }
    }
}

/// Emits the results of one window.
pub(super) struct Emitter<'a, K, R, O> {
    backlog: &'a mut Backlog<K, R>,
    window: Span,
    firing: Firing,
    time: EventTime,
    out: &'a mut O,
    full: bool,
}

impl<K: Key, R: Data, O: Output<Windowed<K, R>>> Emitter<'_, K, R, O> {
    #[inline]
    pub(super) fn emit(&mut self, key: K, value: R) {
        let result = Windowed { key, window: self.window, firing: self.firing, value };
        if self.full {
            self.backlog.0.push((self.time, result));
        } else {
            self.out.emit_at(result, self.time);
            self.full = self.out.is_full();
        }
    }
}

impl<K: Key, R: Data> State for Backlog<K, R> {
    fn save(&mut self, saving: &mut Saving) {
        let mut by_key = KeyedMap::<K, Vec<(EventTime, Windowed<K, R>)>>::default();
        for entry in &self.0 {
            by_key.get_or_insert_ref(&entry.1.key, Vec::new).push(entry.clone());
        }
        by_key.save(saving);
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        let mut by_key = KeyedMap::<K, Vec<(EventTime, Windowed<K, R>)>>::default();
        by_key.load(sections)?;
        self.0.extend(by_key.drain().flat_map(|(_, entries)| entries));
        Ok(())
    }
}
