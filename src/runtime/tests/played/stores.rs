//! A meta store in memory that errs where it is told to.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use async_trait::async_trait;
use watershed_state::{Guard, MemoryMetaStore, MetaError, StoreError, SyncFailure};

use super::*;

/// What becomes of a change.
pub(super) enum Fate {
    Done,
    /// The disk fails.
    Broken,
    /// It is done, and asked for again by whoever carries it, which is refused.
    Repeated,
    /// It is under way until the test lets it land.
    Adrift,
}

type Fates = dyn Fn(&Change) -> Fate + Send + Sync;

/// A meta store that errs where it is told to.
pub(super) struct Wayward {
    inner: MemoryMetaStore,
    fate: Box<Fates>,
    adrift: Mutex<Option<(Guard, Change)>>,
    /// How many reads fail from now on.
    pub(super) unread: AtomicU32,
}

impl Wayward {
    pub(super) fn new(fate: impl Fn(&Change) -> Fate + Send + Sync + 'static) -> Self {
        Wayward {
            inner: MemoryMetaStore::default(),
            fate: Box::new(fate),
            adrift: Mutex::default(),
            unread: AtomicU32::new(0),
        }
    }

    /// Does what is under way.
    pub(super) async fn land(&self) {
        let (guard, change) = self.adrift.lock().unwrap().take().expect("something is under way");
        self.inner.cas(guard, change).await.unwrap();
    }
}

impl fmt::Debug for Wayward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wayward").finish_non_exhaustive()
    }
}

fn silent() -> StoreError {
    let source = std::io::Error::from(std::io::ErrorKind::TimedOut);
    StoreError::Io { action: "reach", path: "decisions".to_owned(), source }
}

#[async_trait]
impl MetaStore for Wayward {
    async fn read(&self) -> Result<Meta, MetaError> {
        if self.unread.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(MetaError::Failed { source: silent() });
        }
        self.inner.read().await
    }

    async fn cas(&self, guard: Guard, change: Change) -> Result<Meta, MetaError> {
        match (self.fate)(&change) {
            Fate::Done => self.inner.cas(guard, change).await,
            Fate::Broken => {
                let source = std::io::Error::other("the disk is gone");
                let failure = SyncFailure { path: "decisions".to_owned(), source };
                Err(MetaError::Unknown { source: StoreError::Unsynced(failure) })
            }
            Fate::Adrift => {
                *self.adrift.lock().unwrap() = Some((guard, change));
                // Whoever asked for it hears nothing.
                std::future::pending().await
            }
            Fate::Repeated => {
                self.inner.cas(guard, change.clone()).await?;
                self.inner.cas(guard, change).await
            }
        }
    }
}
