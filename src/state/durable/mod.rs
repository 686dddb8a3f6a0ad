//! Files that are on the disk when they are said to be.
//!
//! A write is durable only when its file *and* the folder that names it are synced, and a name must appear
//! with all of its bytes or not at all. `object_store`'s local back-end can sync (0.14), but
//! takes a folder that another writer has just made as synced, follows symbolic links out of its root, and
//! syncs again after a sync has failed; so local files go through here. What the cluster decides is kept the same way,
//! by its own crate.

mod folder;
pub mod frame;
mod lock;

pub use folder::{EntryKind, Folder, PARTIAL, Written};
pub use lock::lock;
