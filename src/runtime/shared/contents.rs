//! What a checkpoint has of shared state, key by key: for whoever looks at it without the job.
//!
//! A checkpoint keeps states and updates, and only the state's own resolver knows what they come to. So a program that has
//! the state in its plan, with the same types and the same resolver, reads values; and any other reads what was saved.

use std::collections::BTreeMap;

use watershed_core::checkpoint::{Manifest, SiteShare};
use watershed_core::plan::Fingerprint;
use watershed_core::shared::{AnyShared, TableError};
use watershed_core::{Epoch, Plan};
use watershed_state::{CheckpointStore, StoreError};

use super::restore::{Gathered, Pieces, of};
use super::saved::entries;

/// What every task has seen, of whichever epoch it is.
const NEWEST: Epoch = Epoch(u64::MAX);

/// What a checkpoint has of one shared state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedContents {
    /// The name of the shared state.
    pub name: String,
    /// What there is of each key, which is MessagePack.
    pub keys: BTreeMap<Vec<u8>, HeldOfKey>,
    /// Why what was saved is told in place of the values, where it is so.
    pub unresolved: Option<String>,
}

/// What a checkpoint has of one key of a shared state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldOfKey {
    /// What would be read of it, as MessagePack.
    Value(Vec<u8>),
    /// What was saved, for the resolver to make a value of.
    Saved {
        /// The state of the key, as MessagePack, up to where all was written in one piece.
        state: Option<Vec<u8>>,
        /// What was changed since, as MessagePack, each after all that it depends on.
        updates: Vec<Vec<u8>>,
    },
}

/// Reads what a checkpoint has of shared state, by the plan of a program that may know of it. States of which there is
/// nothing are left out, and so are keys of which nothing can be read any more.
///
/// # Errors
///
/// Where something that the checkpoint names is missing or damaged.
pub async fn shared_contents(
    store: &CheckpointStore,
    manifest: &Manifest,
    plan: Option<&Plan>,
) -> Result<Vec<SharedContents>, StoreError> {
    let cuts = manifest.votes.iter().filter_map(|vote| vote.shared.as_ref());
    let shares: Vec<SiteShare> = cuts.filter_map(|cut| cut.share.clone()).collect();
    let gathered = Gathered::of(store, &shares).await?;
    let mut contents = Vec::new();
    for (name, pieces) in &gathered.states {
        let values = known(plan, &manifest.plan, name)
            .and_then(|state| values(&gathered, &state, pieces, manifest).map_err(|error| error.to_string()));
        let (keys, unresolved) = match values {
            Ok(keys) => (keys, None),
            Err(why) => (saved(&gathered, pieces)?, Some(why)),
        };
        if !keys.is_empty() {
            contents.push(SharedContents { name: name.clone(), keys, unresolved });
        }
    }
    Ok(contents)
}

/// The shared state of a plan that is what was saved; or why there is none.
fn known(plan: Option<&Plan>, saved: &Fingerprint, name: &str) -> Result<AnyShared, String> {
    let plan = plan.ok_or("the program does not know its pipeline")?;
    let state = plan.shared.iter().map(|shared| &shared.state).find(|state| state.name() == name);
    let state = state.ok_or_else(|| format!("the pipeline shares no {name:?} now"))?;
    match (saved.shared(name), Fingerprint::of(plan).shared(name)) {
        (Some(before), Some(now)) if before == now => Ok(state.clone()),
        (before, now) => {
            let (before, now) = (before.unwrap_or("unknown"), now.unwrap_or("unknown"));
            Err(format!("it was saved as {before}, and the pipeline has {now} now"))
        }
    }
}

/// The values of all keys.
fn values(
    gathered: &Gathered,
    state: &AnyShared,
    pieces: &Pieces,
    manifest: &Manifest,
) -> Result<BTreeMap<Vec<u8>, HeldOfKey>, TableError> {
    let table = state.table();
    gathered.fill(table.as_ref(), pieces, (manifest.run, manifest.epoch))?;
    let keys = entries(&table.save(NEWEST)).expect("a table is saved as it is read");
    let value = |(key, _): (Vec<u8>, Vec<u8>)| -> Result<Option<_>, TableError> {
        let value = table.get(NEWEST, &key)?;
        Ok(value.filter(|value| value != NIL).map(|value| (key, HeldOfKey::Value(value))))
    };
    keys.into_iter().filter_map(|entry| value(entry).transpose()).collect()
}

/// MessagePack's nil: what is read where nothing is there any more.
const NIL: &[u8] = &[0xc0];

/// What was saved of all keys.
fn saved(gathered: &Gathered, pieces: &Pieces) -> Result<BTreeMap<Vec<u8>, HeldOfKey>, StoreError> {
    let base = match (&gathered.base, &pieces.base) {
        (Some(object), Some(table)) => entries(table).map_err(of(object))?,
        (None, _) | (_, None) => Vec::new(),
    };
    let mut keys: BTreeMap<Vec<u8>, (Option<Vec<u8>>, Vec<Vec<u8>>)> = BTreeMap::new();
    for (key, state) in base {
        keys.entry(key).or_default().0 = Some(state);
    }
    for (_, operation) in &pieces.behind {
        keys.entry(operation.key.clone()).or_default().1.push(operation.delta.clone());
    }
    let held = |(key, (state, updates))| (key, HeldOfKey::Saved { state, updates });
    Ok(keys.into_iter().map(held).collect())
}
