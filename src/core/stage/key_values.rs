//! What an operator with one piece of state per key keeps: values, timers, and when the values expire.

use crate::spi::Output;
use crate::state::{
    self, BackendError, Clock, Current, Glance, Lifetimes, LookError, Looked, Room, Saving, Sections, State,
    StateError, TimeToLive, Timers, Values, show,
};
use crate::{Data, EventTime, Key, KeyGroup, KeyGroups, ProcessingTime};

/// One value and the timers of each key.
#[derive(Debug)]
pub struct KeyValues<K, S> {
    pub(super) values: Values<K, S>,
    pub(super) timers: Timers<K>,
    /// Only where values expire: all others pay for one look at this.
    pub(super) lives: Option<Box<Lives<K>>>,
}

impl<K, S> Default for KeyValues<K, S> {
    fn default() -> Self {
        KeyValues { values: Values::default(), timers: Timers::default(), lives: None }
    }
}

/// What a key's value is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    Record,
    Timer,
}

/// When the values were written last.
///
/// Beside the values and not in them, so that an operator may be given a time to live, or none any more, and go on from
/// what it saved before.
#[derive(Debug)]
pub(super) struct Lives<K> {
    written: Values<K, EventTime>,
    lifetimes: Lifetimes<K>,
    /// How far event time had come at the last call: what has expired does not come back for a timer in the past.
    reached: EventTime,
}

impl<K> Default for Lives<K> {
    fn default() -> Self {
        Lives { written: Values::default(), lifetimes: Lifetimes::default(), reached: EventTime::MIN }
    }
}

impl<K: Key, S: Data> KeyValues<K, S> {
    /// Lets values expire, where there are any.
    pub(super) fn expire_by(&mut self, limit: Option<TimeToLive>) {
        if let Some(limit) = limit.filter(|_| size_of::<S>() > 0) {
            self.lives.get_or_insert_default().lifetimes.limit_to(limit);
        }
    }

    /// Drops the value of a key if it has expired; else it may be younger from now on. Event time has come to `reached`
    /// at least.
    #[inline(always)]
    pub(super) fn age<T>(
        &mut self,
        key: &K,
        time: EventTime,
        reached: EventTime,
        occasion: Occasion,
        out: &impl Output<T>,
    ) {
        if self.lives.is_some() {
            self.age_alive(key, Clock { time, reached, now: out.now() }, occasion);
        }
    }

    #[inline(never)]
    fn age_alive(&mut self, key: &K, clock: Clock, occasion: Occasion) {
        let Some(lives) = self.lives.as_deref_mut().filter(|lives| lives.lifetimes.is_limited()) else {
            // They had a time to live when they were saved.
            self.lives = None;
            return;
        };
        let clock = lives.clock(clock);
        let held = lives.written.get(key).copied();
        let alive = held.filter(|_| !lives.lifetimes.is_over(held, clock));
        if held != alive {
            self.values.remove(key);
        }
        // A timer that finds no value makes one.
        if (occasion == Occasion::Record || alive.is_none() || lives.lifetimes.touch())
            && let Some(written) = lives.lifetimes.written(alive, Current::new(key, clock))
        {
            *lives.written.get_or_insert_ref(key, || written) = written;
        }
    }

    /// Drops all values that have expired.
    pub(super) fn expire<T>(&mut self, reached: EventTime, out: &impl Output<T>) {
        let Some(lives) = self.lives.as_deref_mut() else { return };
        let clock = lives.clock(Clock { time: reached, reached, now: out.now() });
        while let Some(key) = lives.lifetimes.ringing(clock) {
            let written = lives.written.get(&key).copied();
            if lives.lifetimes.is_over(written, clock) {
                self.values.remove(&key);
                lives.written.remove(&key);
            } else {
                lives.lifetimes.again(&key, written);
            }
        }
    }

    /// Drops the value and the timers of a key.
    pub(super) fn forget(&mut self, key: &K) {
        self.timers.forget(key);
        self.values.remove(key);
        if let Some(lives) = &mut self.lives {
            lives.written.remove(key);
            lives.lifetimes.forget(key);
        }
    }

    /// When the wall clock will fire a timer or have a value expire.
    pub(super) fn deadline(&self) -> Option<ProcessingTime> {
        let expiry = self.lives.as_ref().and_then(|lives| lives.lifetimes.deadline());
        [self.timers.next_processing(), expiry].into_iter().flatten().min()
    }
}

impl<K> Lives<K> {
    fn clock(&mut self, clock: Clock) -> Clock {
        self.reached = self.reached.max(clock.reached);
        Clock { reached: self.reached, ..clock }
    }
}

/// The part in which it is saved when values expire; there is none where they do not.
const LIFE: &str = "life";

impl<K: Key, S: Data> State for KeyValues<K, S> {
    fn open(&mut self, room: &Room) -> Result<(), BackendError> {
        self.values.open(room)?;
        self.lives.as_mut().map_or(Ok(()), |lives| lives.written.open(room))
    }

    fn save(&mut self, saving: &mut Saving) {
        self.values.save(saving.part("0"));
        self.timers.save(saving.part("1"));
        if let Some(lives) = &mut self.lives {
            let saving = saving.part(LIFE);
            lives.written.save(saving.part("written"));
            lives.lifetimes.save(saving.part("alarms"));
            saving.part("reached").put_whole(lives.reached);
        }
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        self.values.load(sections.get("0"))?;
        self.timers.load(sections.get("1"))?;
        if sections.parts().all(|(name, _)| name != LIFE) {
            return Ok(());
        }
        let (sections, lives) = (sections.get(LIFE), self.lives.get_or_insert_default());
        let reached: Result<Vec<EventTime>, _> = sections.get("reached").whole().collect();
        lives.reached = reached?.into_iter().min().unwrap_or(EventTime::MIN);
        lives.written.load(sections.get("written"))?;
        lives.lifetimes.load(sections.get("alarms"))
    }

    /// State without size has nothing to show.
    fn group_of(key: &[u8], groups: KeyGroups) -> Option<Result<KeyGroup, LookError>> {
        (size_of::<S>() > 0).then(|| state::group_of::<K>(key, groups))
    }

    fn look(&mut self, glance: Glance<'_>) -> Looked {
        glance.whole()?;
        let key: K = glance.key()?;
        if let Some(lives) = self.lives.as_deref_mut() {
            let clock = lives.clock(glance.clock);
            let written = lives.written.get(&key).copied();
            if lives.lifetimes.is_over(written, clock) {
                return Ok(None);
            }
        }
        show(self.values.get(&key))
    }
}

#[cfg(test)]
mod tests;
