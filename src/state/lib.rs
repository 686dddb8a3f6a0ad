//! What Watershed keeps on disk, and how it knows that what it reads is what it wrote.
//!
//! ```text
//!   state directory
//!   ├── watershed.json   whose directory this is              directory
//!   ├── meta.log         what is decided, one record a change  meta
//!   ├── meta.lock        held by the process that may decide   meta
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
//! | know which objects may go | [`retention`] |
//! | look at checkpoints without the job | [`inspect`] |
//! | read the file format | [`snapshot`] |
//!
//! The decisions about checkpoints live in the protocol crate; nothing here knows when to take one. Two rules
//! hold everywhere: a write that has been reported as done is on the disk, file and directory, and bytes that
//! are not provably the ones that were written are never handed on.

mod directory;
mod durable;
mod error;
#[cfg(test)]
mod fixture;
pub mod inspect;
mod limits;
pub mod meta;
mod msgpack;
pub mod retention;
pub mod snapshot;
pub mod store;
#[cfg(test)]
mod tiny_disk;

pub use directory::{Adopt, Identity, StateDirectory};
pub use error::{Damage, StoreError, SyncFailure};
pub use limits::Limits;
pub use meta::{Change, FileMetaStore, Guard, MemoryMetaStore, MetaError, MetaStore, Refusal};
pub use snapshot::{Header, Layer, LayerKind};
pub use store::{CheckpointStore, Object, ObjectKey, Stored};
