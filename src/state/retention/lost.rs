//! Whether a decision log that looks whole has lost decisions.
//!
//! A log from whose end records are missing is a shorter log, and nothing in it shows that. To go on from it would go
//! back behind checkpoints that sinks have committed, and commit their records twice. But the store remembers:
//! epochs, runs and lineages are written down before anything is written in their name, and a manifest names the
//! checkpoint that was decided before it.

use watershed_core::Epoch;
use watershed_core::checkpoint::Meta;

use crate::meta::LOG;
use crate::{CheckpointStore, Damage, Object, ObjectKey, StoreError};

/// Compares what is decided with what is in the store.
///
/// What it cannot find is the loss of the last decision alone, before another checkpoint was written: the store
/// then looks as it does where that decision was never made.
///
/// # Errors
///
/// Where decisions are missing, and where the store fails. A manifest that cannot be read is passed over.
pub async fn demand_decisions(store: &CheckpointStore, meta: &Meta) -> Result<(), StoreError> {
    let completed = meta.completed.as_ref().map(|pointer| pointer.epoch);
    for stored in store.list().await? {
        let Some(key) = ObjectKey::of_path(&stored.path) else { continue };
        if key.lineage < meta.lineage {
            continue;
        }
        let lost = |what: String| {
            let Meta { lineage, run, burnt, .. } = meta;
            let found = format!(
                "decisions are missing at its end: it ends with lineage {lineage}, run {run}, epochs up to {burnt} and \
                 {} complete, and {} {what}",
                completed.map_or("no checkpoint".to_owned(), |epoch| format!("checkpoint {epoch}")),
                stored.path,
            );
            StoreError::damaged(LOG, Damage::Content(found))
        };
        if key.lineage > meta.lineage || key.run > meta.run || key.epoch > meta.burnt {
            return Err(lost("was written later".to_owned()));
        }
        if key.object == Object::Manifest
            && Some(key.epoch) > completed
            && let Ok((_, manifest)) = store.manifest_at(&stored.path).await
            && let Some(Epoch(base)) = manifest.base.filter(|base| Some(*base) > completed)
        {
            return Err(lost(format!("came from checkpoint {base}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use watershed_core::Run;
    use watershed_core::checkpoint::Pointer;

    use super::*;
    use crate::fixture::{checkpoint, counts, manifest};

    async fn write(store: &CheckpointStore, epoch: u64, run: u32, base: Option<u64>) -> Pointer {
        checkpoint(store, manifest(epoch, run, base), counts(&[])).await.0
    }

    fn meta(run: u32, burnt: u64, completed: &Pointer) -> Meta {
        Meta { run: Run(run), burnt: Epoch(burnt), completed: Some(completed.clone()), ..Meta::default() }
    }

    #[tokio::test]
    async fn a_manifest_that_was_never_decided_proves_nothing() {
        let store = CheckpointStore::memory();
        let first = write(&store, 1, 1, None).await;
        write(&store, 2, 1, Some(1)).await;
        write(&store, 3, 2, Some(1)).await;
        demand_decisions(&store, &meta(2, 64, &first)).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_written_after_the_last_known_decision_shows_that_decisions_are_missing() {
        let store = CheckpointStore::memory();
        let first = write(&store, 1, 1, None).await;
        write(&store, 2, 1, Some(1)).await;
        write(&store, 3, 2, Some(2)).await;
        let missing = async |meta| demand_decisions(&store, &meta).await.unwrap_err().to_string();
        let error = missing(meta(2, 64, &first)).await;
        assert!(error.starts_with("object meta.log is damaged: decisions are missing at its end"), "{error}");
        assert!(error.contains("came from checkpoint 2"), "{error}");
        let later = missing(meta(1, 64, &first)).await;
        assert!(later.contains("ck/0/3/2/") && later.contains("was written later"), "{later}");
        let burnt = missing(meta(2, 2, &first)).await;
        assert!(burnt.contains("ck/0/3/2/") && burnt.contains("epochs up to 2"), "{burnt}");
    }
}
