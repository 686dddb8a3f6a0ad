//! Objects in an object store: in memory, or S3-compatible with the feature `s3`.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode};

use crate::StoreError;
use crate::store::objects::{Objects, Stored};
use crate::store::path::{ObjectPath, ROOT};

/// An object store. What it has acknowledged is durable; that is its promise, not ours.
#[derive(Debug)]
pub(crate) struct RemoteObjects {
    store: Arc<dyn ObjectStore>,
    name: String,
}

impl RemoteObjects {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, name: String) -> Self {
        RemoteObjects { store, name }
    }

    /// A failure where the object need not have been there: what is not found is the bucket.
    fn unreached(&self, path: &str, source: Error) -> StoreError {
        StoreError::Remote { path: format!("{path} in {}", self.name), source }
    }

    /// A failure to read or to take out an object.
    fn failed(&self, path: &str, source: Error) -> StoreError {
        match source {
            Error::NotFound { .. } => StoreError::Missing { store: self.name.clone(), path: path.to_owned() },
            source => self.unreached(path, source),
        }
    }
}

fn location(path: &ObjectPath) -> Path {
    Path::from(path.as_str())
}

#[async_trait]
impl Objects for RemoteObjects {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn create(&self, path: &ObjectPath, bytes: Bytes) -> Result<(), StoreError> {
        match self.store.put_opts(&location(path), bytes.clone().into(), PutMode::Create.into()).await {
            Ok(_) => Ok(()),
            // Also what a retried request gets whose first try had succeeded.
            Err(Error::AlreadyExists { .. }) => match self.read(path, bytes.len() as u64).await {
                Ok(old) if old == bytes => Ok(()),
                Ok(_) | Err(StoreError::TooLarge { .. }) => {
                    Err(StoreError::Conflict { path: path.to_string() })
                }
                Err(failed) => Err(failed),
            },
            Err(failed) => Err(self.unreached(path.as_str(), failed)),
        }
    }

    async fn read(&self, path: &ObjectPath, bytes_max: u64) -> Result<Bytes, StoreError> {
        let failed = |source| self.failed(path.as_str(), source);
        let object = self.store.get(&location(path)).await.map_err(failed)?;
        if object.meta.size > bytes_max {
            let what = format!("the length of {path}");
            return Err(StoreError::TooLarge { what, found: object.meta.size, max: bytes_max });
        }
        object.bytes().await.map_err(failed)
    }

    async fn list(&self, objects_max: usize) -> Result<Vec<Stored>, StoreError> {
        let failed = |source| self.unreached(ROOT, source);
        let mut listed = self.store.list(Some(&Path::from(ROOT)));
        let mut objects = Vec::new();
        while let Some(object) = listed.try_next().await.map_err(failed)? {
            if objects.len() == objects_max {
                let what = "the number of objects in the store".to_owned();
                return Err(StoreError::TooLarge {
                    what,
                    found: objects.len() as u64 + 1,
                    max: objects_max as u64,
                });
            }
            let modified = object.last_modified.into();
            objects.push(Stored { path: object.location.to_string(), bytes: object.size, modified });
        }
        objects.sort_by(|a: &Stored, b| a.path.cmp(&b.path));
        Ok(objects)
    }

    async fn delete(&self, path: &ObjectPath) -> Result<(), StoreError> {
        match self.store.delete(&location(path)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(failed) => Err(self.failed(path.as_str(), failed)),
        }
    }

    async fn sweep(&self, _before: SystemTime) -> Result<usize, StoreError> {
        // An object store shows no write before its end.
        Ok(0)
    }
}
