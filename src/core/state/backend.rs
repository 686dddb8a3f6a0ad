//! Where state lies that does not fit into memory.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::KeyGroups;

/// A place for state beside memory, shared by the subtasks of a node.
///
/// What lies there is worked with, not trusted: it is written anew from a checkpoint whenever a run begins, and need
/// not survive anything.
pub trait Backend: fmt::Debug + Send + Sync {
    /// Opens a table of its own, empty; it is gone when it is dropped.
    ///
    /// # Errors
    ///
    /// Where the place fails.
    fn table(&self) -> Result<Box<dyn Table>, BackendError>;

    /// How many bytes of a table's entries may be kept in memory in front of it.
    fn memory(&self) -> usize;
}

/// An ordered map from bytes to bytes.
pub trait Table: Send {
    /// Lets `read` see the value of a key, if it has one; returns whether it has.
    ///
    /// # Errors
    ///
    /// Where the place fails.
    fn get(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, BackendError>;

    /// Sets values, and takes out the keys that come with none.
    ///
    /// # Errors
    ///
    /// Where the place fails.
    fn write(&mut self, entries: &mut dyn Iterator<Item = Write>) -> Result<(), BackendError>;

    /// Fills the table, which is empty, with entries in the order of their keys.
    ///
    /// # Errors
    ///
    /// Where the place fails.
    fn fill(&mut self, entries: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>) -> Result<(), BackendError>;

    /// What the table holds now, whatever is written to it later.
    fn view(&self) -> Arc<dyn View>;
}

/// A key, with its value or none.
pub type Write = (Vec<u8>, Option<Vec<u8>>);

/// Sees a key and its value, and says whether it wants more.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// What a [`Table`] held at one time.
pub trait View: Send + Sync {
    /// As [`Table::get`].
    ///
    /// # Errors
    ///
    /// Where the place fails.
    fn get(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, BackendError>;

    /// Lets `visit` see the entries whose keys begin with `prefix`, in the order of the keys, until it breaks off.
    ///
    /// # Errors
    ///
    /// Where the place fails.
    fn visit(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), BackendError>;
}

/// The place for state failed.
///
/// An operator that asks for the state of its key cannot go on without it, and has nobody to return an error to:
/// there it is raised as a panic with this as payload, which ends the run as the error that it is.
#[derive(Debug, thiserror::Error)]
#[error("state on disk at {place}: {what}; is the disk full or failing?")]
pub struct BackendError {
    /// Where.
    pub place: String,
    /// What failed.
    pub what: String,
}

impl BackendError {
    /// Raises the error where nothing can be returned.
    pub(super) fn raise(self) -> ! {
        std::panic::panic_any(self)
    }
}

/// What state is given before anything is put into it.
#[derive(Clone, Debug)]
pub struct Room {
    /// Into how many groups the job's keys are divided.
    pub key_groups: KeyGroups,
    /// Where state lies that does not fit into memory; `None` where all has to.
    pub backend: Option<Arc<dyn Backend>>,
}
