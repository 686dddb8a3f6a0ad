//! What clients did and were told in one run of the job, in its order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::lists::Part;
use super::told::Told;

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Append {
        part: Part,
        element: u64,
    },
    /// None before it is known.
    Read {
        part: Part,
        elements: Option<Vec<u64>>,
    },
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Invoked,
    Done,
    /// Nothing has happened.
    Failed,
    /// It may have happened, or may happen yet.
    Open,
}

/// A transaction, as it begins or as it ends.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) fate: Fate,
    pub(crate) process: u64,
    pub(crate) steps: Vec<Step>,
}

/// What a run has found of the one before it.
#[derive(Debug)]
pub(crate) struct Heritage {
    /// The run before it.
    pub(crate) run: u64,
    /// All parts of its lists, as they will be as long as this run lasts: nobody appends to them any more.
    pub(crate) parts: BTreeMap<Part, Vec<u64>>,
}

/// The history of one run of the job.
#[derive(Default)]
pub(crate) struct History {
    entries: Mutex<Vec<Entry>>,
    heritage: OnceLock<Heritage>,
}

/// Where processes begin that stand for what a run before has left undone: behind all others.
const UNDONE: u64 = 1 << 40;

impl History {
    /// Notes something at the moment at which it is called.
    pub(crate) fn note(&self, process: u64, fate: Fate, steps: Vec<Step>) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(Entry { fate, process, steps });
    }

    /// Notes what the run has found of the one before it.
    pub(crate) fn inherit(&self, heritage: Heritage) {
        self.heritage.set(heritage).expect("a run begins once");
    }

    /// What the run has found of the one before it, if there was one.
    pub(crate) fn heritage(&self) -> Option<&Heritage> {
        self.heritage.get()
    }

    /// All that was done, and what the run before it has left undone: that must not come back.
    pub(crate) fn told(&self, before: Option<&History>) -> Told {
        let undone = self.heritage().zip(before);
        let mut entries: Vec<Entry> = undone.map(|(found, before)| before.undone(found)).unwrap_or_default();
        entries.extend(self.entries.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        Told(entries)
    }

    /// What has been appended in this run and is not found by the next one. SUBTLE: of what a session does not know to have
    /// been appended it may come yet, in the next run.
    fn undone(&self, found: &Heritage) -> Vec<Entry> {
        let mut fates = BTreeMap::new();
        for Entry { fate, steps, .. } in self.entries.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            for step in steps {
                if let Step::Append { part, element } = step
                    && part.run() == found.run
                {
                    let fate = match fate {
                        Fate::Invoked | Fate::Open => Fate::Open,
                        Fate::Done | Fate::Failed => Fate::Failed,
                    };
                    fates.insert((*part, *element), fate);
                }
            }
        }
        fates.retain(|(part, element), _| {
            found.parts.get(part).is_none_or(|elements| !elements.contains(element))
        });
        let entries = fates.into_iter().zip(UNDONE..).flat_map(|(((part, element), fate), process)| {
            [Fate::Invoked, fate].map(|fate| {
                let steps = vec![Step::Append { part, element }];
                Entry { fate, process, steps }
            })
        });
        entries.collect()
    }
}

/// What was done and told in each run of a job, by the histories of all.
pub(crate) fn told(histories: &BTreeMap<u64, Arc<History>>) -> Vec<(u64, Told)> {
    let before = |history: &History| history.heritage().and_then(|found| histories.get(&found.run));
    let told = |history: &History| history.told(before(history).map(Arc::as_ref));
    histories.iter().map(|(run, history)| (*run, told(history))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::lists::List;
    use super::*;

    #[test]
    fn what_a_run_does_not_find_of_the_one_before_has_failed_or_may_come_yet() {
        let part = List::of(1, 0, 8).part(0);
        let append = |element| vec![Step::Append { part, element }];
        let before = History::default();
        for (element, fate) in [(1, Fate::Done), (2, Fate::Done), (3, Fate::Failed), (4, Fate::Open)] {
            before.note(7, Fate::Invoked, append(element));
            before.note(7, fate, append(element));
        }
        let after = History::default();
        after.inherit(Heritage { run: 1, parts: BTreeMap::from([(part, vec![1])]) });
        let Told(entries) = after.told(Some(&before));
        let ends = entries.iter().filter(|entry| entry.fate != Fate::Invoked);
        let ends: Vec<_> = ends.map(|entry| (entry.fate, entry.steps.clone())).collect();
        assert_eq!(ends, [(Fate::Failed, append(2)), (Fate::Failed, append(3)), (Fate::Open, append(4))]);
        assert_eq!(entries.len(), 6);
        assert_eq!(History::default().told(Some(&before)).0.len(), 0, "the first run of all finds nothing");
    }
}
