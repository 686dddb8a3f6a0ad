//! The windows of a node: one for each job that lives on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Window;
use super::keyring::Keyring;

/// The windows of a node, by the names of the jobs.
#[derive(Default)]
pub(crate) struct Windows {
    known: Mutex<BTreeMap<String, Numbered>>,
    /// What the clerks of all of them seal tokens with.
    pub(crate) keys: Keyring,
}

/// The window of the job that has the name now.
struct Numbered {
    number: u32,
    window: Arc<Window>,
}

impl Windows {
    /// The window of a job, made where there is none. It stays over the runs of the job, so that a question may outlive
    /// one; those of jobs that have no run here are let go.
    pub(crate) fn of(&self, name: &str, number: u32, make: impl FnOnce() -> Window) -> Arc<Window> {
        let mut windows = self.lock();
        windows.retain(|other, known| other == name || known.window.is_open());
        if let Some(known) = windows.get(name).filter(|known| known.number == number) {
            return known.window.clone();
        }
        let window = Arc::new(make());
        windows.insert(name.to_owned(), Numbered { number, window: window.clone() });
        window
    }

    /// The window of a job that lives here.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Window>> {
        self.lock().get(name).map(|known| known.window.clone()).filter(|window| window.is_open())
    }

    /// All windows, with the names of their jobs.
    pub(super) fn all(&self) -> Vec<(String, Arc<Window>)> {
        self.lock().iter().map(|(name, known)| (name.clone(), known.window.clone())).collect()
    }

    /// A map is whole between any two of its calls.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Numbered>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
