//! The checkpoint store: immutable objects, each named by what it belongs to and by its content.
//!
//! An object is written once, all of it or none, and is durable when the write has returned. It is read back
//! only as an [`ObjectRef`] describes it: length and hash are compared before a byte is handed on. Which
//! objects make a checkpoint is said by its [`Manifest`]; whether the checkpoint exists, by the [meta
//! store](crate::meta) alone.

mod address;
mod local;
pub(crate) mod manifest;
mod near;
mod objects;
pub(crate) mod path;
mod remote;
#[cfg(feature = "s3")]
mod s3;
#[cfg(test)]
mod tests;

pub use objects::Stored;
pub use path::{Object, ObjectKey};

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use object_store::ObjectStore;
use watershed_core::checkpoint::{ContentHash, Manifest, ObjectRef, Pointer};
use watershed_core::state::{BackendError, Layer, Sections};
use watershed_core::{KeyGroupRange, KeyGroups};

use crate::StoreError;
use crate::error::Damage;
use crate::limits::Limits;
use crate::snapshot::{self, Header, Snapshot};
use crate::store::address::Address;
use crate::store::local::LocalObjects;
use crate::store::near::Near;
use crate::store::objects::Objects;
use crate::store::path::ObjectPath;
use crate::store::remote::RemoteObjects;

/// What is longer is hashed on a thread of its own: this much takes some tens of microseconds.
const HASH_BYTES_MAX: usize = 64 << 10;

/// The objects of a job's checkpoints. Cheap to clone; clones share the place.
#[derive(Clone, Debug)]
pub struct CheckpointStore {
    objects: Arc<dyn Objects>,
    /// Copies on this node.
    near: Option<Near>,
    limits: Limits,
}

impl CheckpointStore {
    /// A store in a directory that exists. Files and folders are synced before a write returns.
    ///
    /// # Errors
    ///
    /// Where the directory cannot be opened.
    pub fn local(directory: &Path) -> Result<Self, StoreError> {
        Ok(CheckpointStore::of(Arc::new(LocalObjects::open(directory)?)))
    }

    /// A store that is gone with the process, for a job without a state directory.
    pub fn memory() -> Self {
        CheckpointStore::over(Arc::new(object_store::memory::InMemory::new()), "memory".to_owned())
    }

    /// A store over an object store, which messages call `name`. It must keep what it has acknowledged, and
    /// refuse to create an object twice (as S3 does with conditional writes).
    pub fn over(store: Arc<dyn ObjectStore>, name: String) -> Self {
        CheckpointStore::of(Arc::new(RemoteObjects::new(store, name)))
    }

    /// The store of a state directory: at an address (`s3://bucket/prefix`, with the feature `s3`), or else in the
    /// directory itself. Endpoint, region and credentials of a server come from the environment (`AWS_*`).
    ///
    /// # Errors
    ///
    /// Where the address is none, the environment is incomplete, or the directory cannot be opened. Whether a server
    /// answers is found when it is asked.
    pub fn at(directory: &Path, address: Option<&str>) -> Result<Self, StoreError> {
        let Some(address) = address else { return CheckpointStore::local(directory) };
        let address = Address::parse(address)?;
        #[cfg(feature = "s3")]
        return s3::open(&address);
        #[cfg(not(feature = "s3"))]
        Err(StoreError::NoS3 { address: address.to_string() })
    }

    /// An address as it is written down.
    ///
    /// # Errors
    ///
    /// Where it is none.
    pub fn address(text: &str) -> Result<String, StoreError> {
        Ok(Address::parse(text)?.to_string())
    }

    fn of(objects: Arc<dyn Objects>) -> Self {
        CheckpointStore { objects, near: None, limits: Limits::default() }
    }

    /// The store with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        CheckpointStore { limits, ..self }
    }

    /// The store with copies of what this process writes in a directory of its own, of at most so many bytes. A copy
    /// is read instead of the object where it is the very same.
    ///
    /// # Errors
    ///
    /// Where the directory cannot be made or read.
    pub fn with_copies(self, directory: &Path, bytes_max: u64) -> Result<Self, StoreError> {
        let near = Near::open(directory, bytes_max);
        let path = || directory.display().to_string();
        let near = near.map_err(|source| StoreError::io("keep copies in", path(), source))?;
        Ok(CheckpointStore { near: Some(near), ..self })
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What messages call it.
    pub fn name(&self) -> String {
        self.objects.name()
    }

    /// Writes an object and returns how to find and believe it. Writing the same again does nothing.
    ///
    /// # Errors
    ///
    /// Where it is too large, or the place fails; see [`StoreError`] for what each failure calls for.
    pub async fn put(&self, key: ObjectKey, bytes: impl Into<Bytes>) -> Result<ObjectRef, StoreError> {
        let bytes = bytes.into();
        let length = bytes.len() as u64;
        self.within(
            "the length of",
            &format!("an object for {key:?}"),
            length,
            self.limits.object_bytes_max,
        )?;
        let hash = hash(&bytes).await;
        let path = key.path(&hash);
        self.objects.create(&path, bytes.clone()).await?;
        if let Some(near) = &self.near {
            near.keep(&path, bytes).await;
        }
        Ok(ObjectRef { path: path.to_string(), bytes: length, hash })
    }

    /// Reads an object whose length and hash are as they should be.
    ///
    /// # Errors
    ///
    /// Where it is missing, damaged, too large, or named by a path that no object has.
    pub async fn get(&self, object: &ObjectRef) -> Result<Bytes, StoreError> {
        let path = ObjectPath::parse(&object.path)?;
        self.within("the length of", path.as_str(), object.bytes, self.limits.object_bytes_max)?;
        if let Some(near) = &self.near
            && let Some(copy) = near.read(&path, object.bytes).await
            && damage(object, &copy).await.is_none()
        {
            return Ok(copy);
        }
        let bytes = match self.objects.read(&path, object.bytes).await {
            Err(StoreError::TooLarge { found, max, .. }) => {
                return Err(StoreError::damaged(&object.path, Damage::Length { expected: max, found }));
            }
            bytes => bytes?,
        };
        match damage(object, &bytes).await {
            Some(damage) => Err(StoreError::damaged(&object.path, damage)),
            None => Ok(bytes),
        }
    }

    /// Writes one layer of a subtask's state.
    ///
    /// # Errors
    ///
    /// As [`put`](CheckpointStore::put).
    pub async fn put_layer(&self, header: Header, layer: Layer) -> Result<ObjectRef, StoreError> {
        let key = ObjectKey {
            lineage: header.lineage,
            epoch: header.epoch,
            run: header.run,
            object: Object::Snapshot(header.subtask),
        };
        let header = Header { kind: layer.kind, ..header };
        let encode = move || {
            let mut file = Vec::new();
            snapshot::write(&header, &layer.stages, &mut file).map(|()| file)
        };
        let encoded =
            tokio::task::spawn_blocking(encode).await.unwrap_or_else(|failed| Err(of_panic(failed)));
        let file =
            encoded.map_err(|source| StoreError::io("encode", format!("a layer for {key:?}"), source))?;
        self.put(key, file).await
    }

    /// Opens a layer's file, verified to the last byte.
    ///
    /// # Errors
    ///
    /// As [`get`](CheckpointStore::get), and where the file is no snapshot.
    pub async fn snapshot(&self, object: &ObjectRef) -> Result<Snapshot, StoreError> {
        let file = self.get(object).await?;
        let opened = tokio::task::spawn_blocking(move || Snapshot::open(file)).await;
        opened
            .unwrap_or_else(|failed| Err(Damage::Content(format!("reading it failed: {failed}"))))
            .map_err(|damage| StoreError::damaged(&object.path, damage))
    }

    /// Reads the layers of a subtask's state, oldest first: the key groups inside `range`, or all where there
    /// is none, and the whole pieces where `whole` is true.
    ///
    /// # Errors
    ///
    /// As [`snapshot`](CheckpointStore::snapshot), and where the list does not begin with its one full layer.
    pub async fn layers(
        &self,
        objects: &[ObjectRef],
        range: Option<&KeyGroupRange>,
        whole: bool,
    ) -> Result<Vec<Layer>, StoreError> {
        let everything = KeyGroupRange(0..KeyGroups::MAX);
        let mut layers = Vec::with_capacity(objects.len());
        for (number, object) in objects.iter().enumerate() {
            let snapshot = self.snapshot(object).await?;
            let full = snapshot.header().kind == snapshot::LayerKind::Full;
            if full != (number == 0) {
                let place = number + 1;
                let what = format!(
                    "it is layer {place} of a list in which the first, and only the first, must be full"
                );
                return Err(StoreError::damaged(&object.path, Damage::Content(what)));
            }
            layers.push(snapshot.part(range.unwrap_or(&everything), whole));
        }
        Ok(layers)
    }

    /// As [`layers`](CheckpointStore::layers), laid over each other: the state of each stage, by its uid.
    ///
    /// # Errors
    ///
    /// As [`layers`](CheckpointStore::layers).
    pub async fn state(
        &self,
        objects: &[ObjectRef],
        range: Option<&KeyGroupRange>,
        whole: bool,
    ) -> Result<BTreeMap<String, Sections>, StoreError> {
        Ok(Layer::settled(self.layers(objects, range, whole).await?))
    }

    /// Writes a manifest.
    ///
    /// # Errors
    ///
    /// As [`put`](CheckpointStore::put).
    pub async fn put_manifest(&self, manifest: &Manifest) -> Result<Pointer, StoreError> {
        let Manifest { lineage, epoch, run, .. } = *manifest;
        let key = ObjectKey { lineage, epoch, run, object: Object::Manifest };
        let bytes = manifest::encode(manifest);
        self.within(
            "the manifest of epoch",
            &epoch.to_string(),
            bytes.len() as u64,
            self.limits.manifest_bytes_max,
        )?;
        let manifest = self.put(key, bytes).await?;
        Ok(Pointer { lineage, epoch, manifest })
    }

    /// Reads the manifest of a decided checkpoint, and checks that it is that checkpoint's.
    ///
    /// # Errors
    ///
    /// As [`get`](CheckpointStore::get), and where it is no manifest, or another checkpoint's.
    pub async fn manifest(&self, pointer: &Pointer) -> Result<Manifest, StoreError> {
        let object = &pointer.manifest;
        self.within("the length of", &object.path, object.bytes, self.limits.manifest_bytes_max)?;
        let bytes = self.get(object).await?;
        self.manifest_in(&bytes, pointer)
    }

    /// Reads a manifest that nothing but its path points to, and what points to it.
    ///
    /// # Errors
    ///
    /// As [`identify`](CheckpointStore::identify) and [`manifest`](CheckpointStore::manifest).
    pub async fn manifest_at(&self, path: &str) -> Result<(Pointer, Manifest), StoreError> {
        let (object, bytes) = self.identified(path).await?;
        let Some(ObjectKey { lineage, epoch, .. }) = ObjectKey::of_path(path) else {
            return Err(StoreError::damaged(path, Damage::Content("it is named as no object is".to_owned())));
        };
        let pointer = Pointer { lineage, epoch, manifest: object };
        let manifest = self.manifest_in(&bytes, &pointer)?;
        Ok((pointer, manifest))
    }

    /// The manifest in what lies where a pointer shows.
    fn manifest_in(&self, bytes: &[u8], pointer: &Pointer) -> Result<Manifest, StoreError> {
        let object = &pointer.manifest;
        let found = manifest::decode(bytes, &self.limits)
            .map_err(|damage| StoreError::damaged(&object.path, damage))?;
        if (found.lineage, found.epoch) != (pointer.lineage, pointer.epoch) {
            let what = format!(
                "it is the manifest of epoch {} of lineage {}, and is pointed to as that of epoch {} of lineage {}",
                found.epoch, found.lineage, pointer.epoch, pointer.lineage
            );
            return Err(StoreError::damaged(&object.path, Damage::Content(what)));
        }
        Ok(found)
    }

    /// Finds what a stored object must be, by reading it: for a manifest that nothing points to any more,
    /// whose path holds the beginning of its hash.
    ///
    /// # Errors
    ///
    /// Where it is missing or too large, or its path does not fit its content.
    pub async fn identify(&self, path: &str) -> Result<ObjectRef, StoreError> {
        Ok(self.identified(path).await?.0)
    }

    /// What a stored object must be, and its bytes.
    async fn identified(&self, path: &str) -> Result<(ObjectRef, Bytes), StoreError> {
        let checked = ObjectPath::parse(path)?;
        let key = ObjectKey::of_path(path);
        // Nothing says how long it should be: whatever lies in the place of a manifest is not read beyond what one may have.
        let bytes_max = match &key {
            Some(key) if key.object == Object::Manifest => self.limits.manifest_bytes_max,
            Some(_) | None => self.limits.object_bytes_max,
        };
        let bytes = self.objects.read(&checked, bytes_max).await?;
        let hash = hash(&bytes).await;
        match key {
            Some(key) if key.path(&hash) == checked => {
                Ok((ObjectRef { path: path.to_owned(), bytes: bytes.len() as u64, hash }, bytes))
            }
            _ => Err(StoreError::damaged(
                path,
                Damage::Content(format!("its hash is {hash}, and its name says another")),
            )),
        }
    }

    /// All objects, by path.
    ///
    /// # Errors
    ///
    /// Where the place fails, or holds too many.
    pub async fn list(&self) -> Result<Vec<Stored>, StoreError> {
        self.objects.list(self.limits.objects_max).await
    }

    /// Takes an object out; nothing where there is none. Only [`retention`](crate::retention) knows which may
    /// go.
    ///
    /// # Errors
    ///
    /// Where the place fails.
    pub async fn delete(&self, path: &str) -> Result<(), StoreError> {
        self.objects.delete(&ObjectPath::parse(path)?).await
    }

    /// Takes out what writes that never came to their end have left before `before`; returns how many.
    ///
    /// # Errors
    ///
    /// Where the place fails.
    pub async fn sweep(&self, before: SystemTime) -> Result<usize, StoreError> {
        self.objects.sweep(before).await
    }

    fn within(&self, what: &str, of: &str, found: u64, max: u64) -> Result<(), StoreError> {
        if found > max {
            Err(StoreError::TooLarge { what: format!("{what} {of}"), found, max })
        } else {
            Ok(())
        }
    }
}

/// What a piece of state that could not be made has raised.
fn of_panic(failed: tokio::task::JoinError) -> std::io::Error {
    let payload = match failed.try_into_panic() {
        Ok(payload) => payload,
        Err(cancelled) => return std::io::Error::other(cancelled),
    };
    match payload.downcast::<BackendError>() {
        Ok(error) => std::io::Error::other(*error),
        Err(_) => std::io::Error::other("it panicked"),
    }
}

/// How bytes are not the object that they should be.
async fn damage(object: &ObjectRef, bytes: &Bytes) -> Option<Damage> {
    let found = bytes.len() as u64;
    if found != object.bytes {
        return Some(Damage::Length { expected: object.bytes, found });
    }
    let found = hash(bytes).await;
    (found != object.hash).then_some(Damage::Hash { expected: object.hash, found })
}

/// The hash of an object; that of a large one is computed where it holds nobody up.
async fn hash(bytes: &Bytes) -> ContentHash {
    let hash = |bytes: &Bytes| ContentHash(*blake3::hash(bytes).as_bytes());
    if bytes.len() <= HASH_BYTES_MAX {
        return hash(bytes);
    }
    let shared = bytes.clone();
    // Cancelled only where everything ends.
    tokio::task::spawn_blocking(move || hash(&shared)).await.unwrap_or_else(|_| hash(bytes))
}
