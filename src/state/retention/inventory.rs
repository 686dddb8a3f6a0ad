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
        let objects = store.list().await?;
        let mut manifests = BTreeMap::new();
        for stored in &objects {
            let Some(key) = ObjectKey::of_path(&stored.path).filter(|key| key.object == Object::Manifest)
            else {
                continue;
            };
            manifests.insert(stored.path.clone(), Inventory::read(store, key, &stored.path).await?);
        }
        Ok(Inventory { objects, manifests })
    }

    /// Reads one manifest that nothing but its name points to.
    pub(crate) async fn read(
        store: &CheckpointStore,
        key: ObjectKey,
        path: &str,
    ) -> Result<(Pointer, Manifest), StoreError> {
        let manifest = store.identify(path).await?;
        let pointer = Pointer { lineage: key.lineage, epoch: key.epoch, manifest };
        let manifest = store.manifest(&pointer).await?;
        Ok((pointer, manifest))
    }
}
