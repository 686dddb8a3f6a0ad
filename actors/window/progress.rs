//! How far windows have been closed.

use std::collections::BTreeMap;

use watershed_core::state::{Saving, Sections};
use watershed_core::{Key, KeyGroup, KeyGroups, StateError};

/// The number of the window that closes next.
///
/// It follows from the watermark, except while a subtask is in the midst of closing windows. Where two
/// subtasks were saved in that state and are restored as one, some key groups are ahead of the others, and sit out
/// the windows that they have closed already.
#[derive(Debug, Default)]
pub(super) struct Progress {
    next: Option<i64>,
    ahead: BTreeMap<KeyGroup, i64>,
}

impl Progress {
    /// The window that closes next, where one has closed before.
    pub(super) fn next(&self) -> Option<i64> {
        self.next
    }

    /// The window that closes next in the key group that is the least far, of those in which one has
    /// closed before.
    pub(super) fn soonest(&self) -> Option<i64> {
        self.next.or_else(|| self.ahead.values().min().copied())
    }

    /// Notes that all windows before `next` are closed.
    pub(super) fn close(&mut self, next: i64) {
        let next = self.next.map_or(next, |now| now.max(next));
        self.next = Some(next);
        if !self.ahead.is_empty() {
            self.ahead.retain(|_, group| *group > next);
        }
    }

    /// Whether a key's group has closed a window that others have not.
    #[inline]
    pub(super) fn is_ahead<K: Key>(&self, key: &K, window: i64, groups: KeyGroups) -> bool {
        !self.ahead.is_empty() && self.ahead.get(&groups.of(key)).is_some_and(|next| window < *next)
    }

    /// Saves it for each key group of the subtask.
    pub(super) fn save(&mut self, saving: &mut Saving) {
        let (own, ahead, range) = (self.next, self.ahead.clone(), saving.range().clone());
        saving.later(move |sections| {
            for group in range.0.map(KeyGroup) {
                let next = ahead.get(&group).copied().or(own);
                sections.part("next").put(group, &(group, next));
            }
        });
    }

    pub(super) fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        let saved: Result<Vec<(KeyGroup, Option<i64>)>, _> = sections.get("next").pieces().collect();
        let saved = saved?;
        self.next = saved.iter().map(|(_, next)| *next).min().flatten();
        let ahead = saved.into_iter().filter(|(_, next)| *next > self.next);
        self.ahead = ahead.filter_map(|(group, next)| Some((group, next?))).collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::KeyGroupRange;
    use watershed_core::state::LayerKind;

    use super::*;

    #[test]
    fn groups_that_are_ahead_sit_out_what_they_have_closed() {
        let groups = KeyGroups::default();
        let (left, right) = (1_u64, 2_u64);
        let mut saved = Sections::default();
        for (key, next) in [(left, 5), (right, 7)] {
            let group = groups.of(&key).0;
            let mut subtask = Saving::within(groups, KeyGroupRange(group..group + 1), LayerKind::Full);
            let mut progress = Progress::default();
            progress.close(next);
            progress.save(&mut subtask);
            saved.merge(subtask.encode());
        }
        let mut progress = Progress::default();
        progress.load(&saved).unwrap();
        assert_eq!(progress.next(), Some(5));
        let ahead =
            |progress: &Progress, window| [left, right].map(|key| progress.is_ahead(&key, window, groups));
        assert_eq!(ahead(&progress, 6), [false, true]);
        assert_eq!(ahead(&progress, 7), [false, false]);
        progress.close(7);
        assert_eq!(ahead(&progress, 6), [false, false]);
    }
}
