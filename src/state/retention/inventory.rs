//! What is in a store.

use std::collections::BTreeMap;

use watershed_core::checkpoint::{Manifest, Pointer};

use crate::{CheckpointStore, Object, ObjectKey, StoreError, Stored};

/// All objects of a store, and its manifests read.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The objects, by path.
    pub objects: Vec<Stored>,
    /// The manifests, by path. Those of checkpoints that were never decided are among them.
    pub manifests: BTreeMap<String, (Pointer, Manifest)>,
}

impl Inventory {
    /// Lists a store, and reads every manifest in it.
    ///
    /// # Errors
    ///
    /// Where the store fails, or a manifest cannot be read.
    pub async fn of(store: &CheckpointStore) -> Result<Inventory, StoreError> {
        let mut inventory = Inventory::default();
        inventory.renew(store).await?;
        Ok(inventory)
    }

    /// Becomes what is in the store now. A manifest that is known is not read again: its path has the beginning of its
    /// hash, so there never is another in its place.
    ///
    /// # Errors
    ///
    /// As [`Inventory::of`]; the next time, more may have to be read again.
    pub async fn renew(&mut self, store: &CheckpointStore) -> Result<(), StoreError> {
        let objects = store.list().await?;
        let mut known = std::mem::take(&mut self.manifests);
        let mut manifests = BTreeMap::new();
        for Stored { path, .. } in objects.iter().filter(|stored| is_manifest(&stored.path)) {
            let found = match known.remove(path) {
                Some(found) => found,
                None => store.manifest_at(path).await?,
            };
            manifests.insert(path.clone(), found);
        }
        *self = Inventory { objects, manifests };
        Ok(())
    }
}

/// Whether a path is that of a manifest.
pub(crate) fn is_manifest(path: &str) -> bool {
    ObjectKey::of_path(path).is_some_and(|key| key.object == Object::Manifest)
}
