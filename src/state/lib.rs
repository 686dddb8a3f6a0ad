//! What Watershed keeps on disk, and how it knows that what it reads is what it wrote.
//!
//! ```text
//!   state directory
//!   ├── watershed.json   whose directory this is              directory
//!   ├── meta.log         what is decided, one record a change  meta
//!   ├── meta.lock        held by the process that may decide   meta
//!   ├── ingress/..       what arrived, before the stream saw it ingress
//!   ├── work/..          state too large for memory, this run  DiskBackend, with the feature `disk`
//!   └── ck/..            immutable objects                     store
//!         ├── snapshots: layers of state by key group          snapshot
//!         └── manifests: who voted what                        store
//! ```
//!
//! | to | look at |
//! | --- | --- |
//! | open a state directory | [`StateDirectory`] |
//! | write and read the objects of a checkpoint | [`CheckpointStore`] |
//! | decide | [`MetaStore`] |
//! | keep what arrives and cannot be asked for again | [`ingress`] |
//! | know which objects may go | [`retention`] |
//! | look at checkpoints without the job | [`inspect`] |
//! | read the file format | [`snapshot`] |
//!
//! The decisions about checkpoints live in the protocol crate; nothing here knows when to take one. Two rules
//! hold everywhere: a write that has been reported as done is on the disk, file and directory, and bytes that
//! are not provably the ones that were written are never handed on.
//!
//! ```
//! use watershed_core::checkpoint::{Change, Guard};
//! use watershed_core::state::{KeyedMap, Layer, LayerKind, Saving, State};
//! use watershed_core::{Epoch, KeyGroups, Lineage, Run, SubtaskId, VertexId};
//! use watershed_state::{CheckpointStore, FileMetaStore, Header, MetaStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let groups = KeyGroups::default();
//! let store = CheckpointStore::local(directory.path())?;
//! let (meta, _torn) = FileMetaStore::open(directory.path())?;
//!
//! // A run begins, and fences those before it.
//! let decided = meta.cas(Guard::of(&meta.read().await?), Change::BeginRun).await?;
//!
//! // A subtask saves its state, durably,
//! let mut counts = KeyedMap::default();
//! counts.insert("EWR".to_owned(), 3_u64);
//! let mut saving = Saving::new(groups, LayerKind::Full);
//! counts.save(&mut saving);
//! let layer = Layer::of([("count-1".to_owned(), saving.encode())].into());
//! let subtask = SubtaskId { vertex: VertexId(1), index: 0 };
//! let header = Header {
//!     job: "flights".to_owned(),
//!     lineage: Lineage(0),
//!     epoch: Epoch(1),
//!     run: decided.run,
//!     subtask,
//!     key_groups: groups,
//!     kind: layer.kind,
//! };
//! let object = store.put_layer(header, layer).await?;
//!
//! // and another one reads its share of the key groups back.
//! let state = store.state(&[object], Some(&groups.range(0, 1)), true).await?;
//! let mut restored = KeyedMap::<String, u64>::default();
//! restored.load(&state["count-1"])?;
//! assert_eq!(restored.get(&"EWR".to_owned()), Some(&3));
//! # Ok(())
//! # }
//! ```

mod directory;
#[cfg(feature = "disk")]
mod disk;
pub mod durable;
mod error;
#[cfg(test)]
mod fixture;
pub mod ingress;
pub mod inspect;
mod limits;
pub mod meta;
mod msgpack;
#[cfg(test)]
#[path = "../../tests/conditions/need.rs"]
mod need;
pub mod retention;
pub mod snapshot;
pub mod store;
#[cfg(test)]
mod tiny_disk;

pub use directory::{Adopt, Identity, StateDirectory};
#[cfg(feature = "disk")]
pub use disk::DiskBackend;
pub use error::{Damage, StoreError, SyncFailure};
pub use ingress::{IngressError, IngressLimits, IngressLog, IngressLogs};
pub use limits::Limits;
pub use meta::{Change, FileMetaStore, Guard, MemoryMetaStore, MetaError, MetaStore, Refusal};
pub use msgpack::{Packed, from_json, inexact_number, to_json};
pub use snapshot::{Header, Layer, LayerKind};
pub use store::{CheckpointStore, Object, ObjectKey, Stored};
