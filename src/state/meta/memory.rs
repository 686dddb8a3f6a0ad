//! Decisions of a job that keeps nothing.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use watershed_core::checkpoint::Meta;

use crate::meta::{Change, Guard, MetaError, MetaStore};

/// Keeps what is decided in memory: for a job without a state directory, whose decisions need not outlive it.
#[derive(Debug, Default)]
pub struct MemoryMetaStore {
    meta: Mutex<Meta>,
}

impl MemoryMetaStore {
    /// A store in which this is decided.
    pub fn new(meta: Meta) -> Self {
        MemoryMetaStore { meta: Mutex::new(meta) }
    }
}

#[async_trait]
impl MetaStore for MemoryMetaStore {
    async fn read(&self) -> Result<Meta, MetaError> {
        Ok(self.meta.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn cas(&self, guard: Guard, change: Change) -> Result<Meta, MetaError> {
        // A change is applied by one assignment, so that a panic elsewhere leaves nothing half decided.
        let mut meta = self.meta.lock().unwrap_or_else(PoisonError::into_inner);
        match change.apply(guard, &meta) {
            Ok(next) => {
                *meta = next.clone();
                Ok(next)
            }
            Err(refusal) => Err(MetaError::Refused { current: Box::new(meta.clone()), refusal }),
        }
    }
}
