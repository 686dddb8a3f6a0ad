//! A table with its types hidden: what the runtime applies updates to, saves and restores.

use std::any::Any;

use crate::shared::{AnyAgrees, Refusal, Settled, Stamp};
use crate::{Epoch, MESSAGE_BYTES_MAX, excerpt};

/// What one site holds of one shared state. Read from any thread at any time; written by one at a time.
pub trait AnyTable: Send + Sync {
    /// The name of the shared state.
    fn name(&self) -> &str;

    /// Joins an update that was made elsewhere. To be called once for each update, after all that its writer had seen.
    ///
    /// # Errors
    ///
    /// Where the bytes are not one key and one delta, or where no correct writer makes such a delta. Nothing changes
    /// then.
    fn apply(&self, stamp: &Stamp, key: &[u8], delta: &[u8]) -> Result<Applied, TableError>;

    /// Makes an update of a key, both of which come as bytes from outside the program, as [`Table::update`] does. The delta
    /// for the other sites.
    ///
    /// [`Table::update`]: crate::shared::Table::update
    ///
    /// # Errors
    ///
    /// Where the bytes are not one key and one update, or where the resolver or a limit refuses it. Nothing changes then.
    fn update_bytes(&self, stamp: &Stamp, key: &[u8], update: &[u8]) -> Result<Vec<u8>, TableError>;

    /// Takes note that no update will come of some lanes: the states up to that epoch become one, and the resolver
    /// [forgets](crate::shared::Resolver::settle) what it kept for such updates. Less than was settled before changes
    /// nothing.
    fn settle(&self, settled: Settled);

    /// All that a task at this epoch would see, [as bytes](crate::shared#what-is-saved). Tables that have applied the
    /// same updates of lanes up to this epoch, and settled the same, save the same bytes. The epoch is not before that
    /// which was settled. Updates of later epochs may come meanwhile, and hardly wait; nothing settles.
    fn save(&self, at: Epoch) -> Vec<u8>;

    /// Takes in what a table of the same name has saved; every task sees it.
    ///
    /// # Errors
    ///
    /// Where the bytes are not such a table. The table is empty then, as it was.
    ///
    /// # Panics
    ///
    /// Where the table is not empty.
    fn load(&self, bytes: &[u8]) -> Result<(), TableError>;

    /// What a task at this epoch would read of a key, as MessagePack; `None` where there is nothing of the key. The
    /// key is MessagePack too, in any of the ways in which its type can be read.
    ///
    /// # Errors
    ///
    /// Where the bytes are no key of this table.
    fn get(&self, at: Epoch, key: &[u8]) -> Result<Option<Vec<u8>>, TableError>;

    /// How values are agreed on, where they are.
    fn agrees(&self) -> Option<&dyn AnyAgrees>;

    /// How many keys there are, those of which nothing can be read any more among them.
    fn len(&self) -> usize;

    /// Whether there is no key.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The table with its types, for whoever knows them.
    fn as_any(&self) -> &dyn Any;
}

/// What has become of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is in the table now.
    Joined,
    /// It is of a lane of which everything was in the table already.
    Settled,
}

/// Why a table does not take bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// Something is not what it should be.
    #[error("{part} of the shared state {name:?} cannot be read: {reason}")]
    Malformed {
        /// The name of the shared state.
        name: String,
        /// What cannot be read.
        part: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The resolver, or a limit, says no.
    #[error("an update of the shared state {name:?} is not taken: {refusal}")]
    Refused {
        /// The name of the shared state.
        name: String,
        /// Why.
        refusal: Refusal,
    },
    /// A table was saved in a format that this program does not know.
    #[error("the shared state {name:?} was saved in format {found}, and this program reads format {known}")]
    Format {
        /// The name of the shared state.
        name: String,
        /// The format that was found.
        found: u64,
        /// The format that is known.
        known: u64,
    },
    /// A table of another name was saved.
    #[error("the shared state {name:?} is given what was saved of {found:?}")]
    Name {
        /// The name of the shared state.
        name: String,
        /// The name that was found.
        found: String,
    },
    /// The saved keys are not in their order, each once.
    #[error("the saved keys of the shared state {name:?} are not in order: entry {entry} comes too late")]
    Order {
        /// The name of the shared state.
        name: String,
        /// The entry, from 0.
        entry: usize,
    },
}

impl TableError {
    pub(super) fn malformed(name: &str, part: &'static str, reason: &str) -> Self {
        let reason = excerpt(reason, MESSAGE_BYTES_MAX).into_owned();
        TableError::Malformed { name: name.to_owned(), part, reason }
    }

    pub(super) fn refused(name: &str, refusal: Refusal) -> Self {
        TableError::Refused { name: name.to_owned(), refusal }
    }
}
