//! What is kept for one key: its state as of each epoch in which it changed.
//!
//! ```text
//! epoch      base      4         5
//! state      s0   <=   s4   <=   s5      each holds all that the one before it holds
//! seen by    1..=3     4         5..     a task at epoch c sees the newest with epoch <= c
//! ```
//!
//! So a task that has not passed a barrier does not see what was done behind it, and what a checkpoint says of shared state
//! is what each of its tasks may have seen. A delta of an epoch is joined into the states of that epoch and of all later
//! ones. When an epoch is settled, all that came before becomes the base.
//!
//! Most keys have one version, which lies in its place without an allocation of its own.

use crate::Epoch;

/// The epoch of what every task sees: the first one has the epoch 1.
pub(super) const BASE: Epoch = Epoch(0);

/// The states of one key, of which there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Versions<S> {
    first: Version<S>,
    later: Vec<Version<S>>,
}

/// The state as of an epoch, and until the next.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version<S> {
    epoch: Epoch,
    state: S,
}

impl<S: Clone + Default> Versions<S> {
    /// One state, from an epoch on.
    pub(super) fn new(epoch: Epoch, state: S) -> Self {
        Versions { first: Version { epoch, state }, later: Vec::new() }
    }

    /// The state that a task at an epoch sees; `None` where it sees none.
    #[inline]
    pub(super) fn at(&self, epoch: Epoch) -> Option<&S> {
        let newest_first = self.later.iter().rev().chain([&self.first]);
        newest_first.into_iter().find(|version| version.epoch <= epoch).map(|version| &version.state)
    }

    /// Joins something into the states of an epoch and of all later ones.
    pub(super) fn join(&mut self, epoch: Epoch, join: impl Fn(&mut S)) {
        self.begin(epoch);
        for version in self.all_mut().filter(|version| version.epoch >= epoch) {
            join(&mut version.state);
        }
    }

    /// Makes all states up to an epoch one, the newest of them, which every task sees from now on. Whether no other is
    /// left.
    pub(super) fn fold(&mut self, epoch: Epoch) -> bool {
        let folded = self.later.iter().take_while(|version| version.epoch <= epoch).count();
        if let Some(newest) = self.later.drain(..folded).next_back() {
            self.first = newest;
        }
        if self.first.epoch <= epoch {
            self.first.epoch = BASE;
        }
        if self.later.is_empty() {
            self.later = Vec::new();
        }
        self.first.epoch == BASE && self.later.is_empty()
    }

    /// All states, to be changed; oldest first.
    pub(super) fn states_mut(&mut self) -> impl Iterator<Item = &mut S> {
        self.all_mut().map(|version| &mut version.state)
    }

    /// How many states there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        1 + self.later.len()
    }

    /// Makes a state of this epoch, where there is none: that of the epoch before it.
    fn begin(&mut self, epoch: Epoch) {
        if epoch < self.first.epoch {
            let first = Version { epoch, state: S::default() };
            self.later.insert(0, std::mem::replace(&mut self.first, first));
        }
        let earlier = self.later.partition_point(|version| version.epoch <= epoch);
        let before = if earlier == 0 { &self.first } else { &self.later[earlier - 1] };
        if before.epoch < epoch {
            let state = before.state.clone();
            self.later.insert(earlier, Version { epoch, state });
        }
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Version<S>> {
        std::iter::once(&mut self.first).chain(&mut self.later)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds a digit.
    fn add(versions: &mut Versions<String>, epoch: u64, digit: &str) {
        versions.join(Epoch(epoch), |state| state.push_str(digit));
    }

    fn seen(versions: &Versions<String>) -> Vec<Option<&str>> {
        (0..6).map(|epoch| versions.at(Epoch(epoch)).map(String::as_str)).collect()
    }

    #[test]
    fn a_task_sees_what_was_done_in_its_epoch_and_before() {
        let mut versions = Versions::new(Epoch(3), "3".to_owned());
        assert_eq!(seen(&versions), [None, None, None, Some("3"), Some("3"), Some("3")]);
        add(&mut versions, 5, "5");
        assert_eq!(seen(&versions), [None, None, None, Some("3"), Some("3"), Some("35")]);
    }

    #[test]
    fn what_comes_late_is_seen_in_all_later_epochs() {
        let mut versions = Versions::new(Epoch(2), "2".to_owned());
        add(&mut versions, 4, "4");
        add(&mut versions, 3, "3");
        assert_eq!(seen(&versions), [None, None, Some("2"), Some("23"), Some("243"), Some("243")]);
        add(&mut versions, 1, "1");
        assert_eq!(seen(&versions), [None, Some("1"), Some("21"), Some("231"), Some("2431"), Some("2431")]);
        add(&mut versions, 2, "x");
        assert_eq!(versions.at(Epoch(2)), Some(&"21x".to_owned()));
        assert_eq!(versions.len(), 4);
    }

    #[test]
    fn what_is_settled_is_one_state_that_everybody_sees() {
        let mut versions = Versions::new(Epoch(2), "2".to_owned());
        add(&mut versions, 3, "3");
        add(&mut versions, 5, "5");
        assert!(!versions.fold(Epoch(4)));
        assert_eq!(seen(&versions)[..], [[Some("23"); 5].as_slice(), &[Some("235")]].concat());
        assert!(!versions.fold(Epoch(4)));
        assert!(versions.fold(Epoch(5)));
        assert_eq!((seen(&versions), versions.len()), (vec![Some("235"); 6], 1));
    }

    #[test]
    fn what_is_not_settled_yet_is_not_seen_by_everybody() {
        let mut versions = Versions::new(Epoch(2), "2".to_owned());
        assert!(!versions.fold(Epoch(1)));
        assert_eq!(versions.at(Epoch(1)), None);
    }
}
