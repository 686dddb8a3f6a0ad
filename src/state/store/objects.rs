//! What a place for objects must do.

use std::fmt::Debug;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;

use crate::StoreError;
use crate::store::path::ObjectPath;

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its path.
    pub path: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was written, by the clock of the place.
    pub modified: SystemTime,
}

/// A place for immutable objects.
#[async_trait]
pub(crate) trait Objects: Debug + Send + Sync {
    /// What messages call it.
    fn name(&self) -> String;

    /// Writes an object, durably and all at once. Where the very same is there already, that is made sure of
    /// instead; where another is there, nothing is changed and [`StoreError::Conflict`] returned.
    async fn create(&self, path: &ObjectPath, bytes: Bytes) -> Result<(), StoreError>;

    /// Reads an object of at most `bytes_max` bytes, or says that it is [missing](StoreError::Missing).
    async fn read(&self, path: &ObjectPath, bytes_max: u64) -> Result<Bytes, StoreError>;

    /// Lists all objects, at most `objects_max`, by path.
    async fn list(&self, objects_max: usize) -> Result<Vec<Stored>, StoreError>;

    /// Takes an object out, durably; nothing where there is none.
    async fn delete(&self, path: &ObjectPath) -> Result<(), StoreError>;

    /// Takes out what writes that never came to their end have left, where it is older than `before`. Returns
    /// how many there were.
    async fn sweep(&self, before: SystemTime) -> Result<usize, StoreError>;
}
