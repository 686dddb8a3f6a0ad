//! What a checkpoint has of shared state, read by the types of the program where it has them.

use std::collections::BTreeMap;

use serde_json::Value;
use watershed_core::Plan;
use watershed_core::checkpoint::Manifest;
use watershed_runtime::{HeldOfKey, SharedContents, shared_contents};
use watershed_state::inspect::{Held, Offline, SharedEntry, Which};
use watershed_state::to_json;

use super::failure::{Failure, one_line};
use super::settings::{Options, Settings};
use super::streams::tell;
use crate::app::App;
use crate::job::state::wait;

/// A program, and how it was set: which may decide about the types of what its pipelines share.
pub(super) struct Program<'a> {
    pub(super) app: &'a App,
    pub(super) settings: &'a Settings,
}

/// What checkpoints have of shared state.
pub(super) struct SharedRead {
    pub(super) entries: Vec<SharedEntry>,
    /// Of which states what was saved is told in place of the values, and why.
    pub(super) unresolved: BTreeMap<String, String>,
}

impl Program<'_> {
    /// Reads what a checkpoint has of shared state. `set` are parameters of its pipeline.
    pub(super) fn shared(
        &self,
        offline: &Offline,
        which: Which,
        set: &[String],
    ) -> Result<SharedRead, Failure> {
        let (_, manifest) = wait(offline.manifest(which))?;
        let plan = self.plan(&manifest, set)?;
        let contents = wait(shared_contents(offline.store(), &manifest, plan.as_ref().ok()))?;
        let mut read = SharedRead { entries: Vec::new(), unresolved: BTreeMap::new() };
        for SharedContents { name, keys, unresolved } in contents {
            for (key, held) in keys {
                read.entries.push(entry(&name, &key, held).map_err(|why| {
                    Failure::Unable(format!("a key of the shared state {name} cannot be shown: {why}"))
                })?);
            }
            if let Some(why) = unresolved {
                let why = plan.as_ref().err().unwrap_or(&why);
                read.unresolved.insert(name, why.clone());
            }
        }
        Ok(read)
    }

    /// The plan of the pipeline that a checkpoint is of, as the program has it now; or why there is none.
    fn plan(&self, manifest: &Manifest, set: &[String]) -> Result<Result<Plan, String>, Failure> {
        let Some(registered) = manifest.plan.pipeline().and_then(|name| self.app.find(name)) else {
            return Ok(Err("the program does not know the pipeline".to_owned()));
        };
        let values = self.settings.parameters(self.app, registered.name, set)?;
        let described = registered.describe(manifest.key_groups, &values).map_err(|error| error.to_string());
        Ok(described.and_then(|pipeline| pipeline.plan().map_err(|error| error.to_string())))
    }
}

impl SharedRead {
    /// Says on standard error what could not be made values.
    pub(super) fn tell(&self, options: &Options) {
        for (name, why) in self.unresolved.iter().filter(|_| !options.quiet && !options.json) {
            tell(&one_line(&format!("the shared state {name} is told as it was saved: {why}")));
        }
    }
}

fn entry(shared: &str, key: &[u8], held: HeldOfKey) -> Result<SharedEntry, String> {
    let held = match held {
        HeldOfKey::Value(value) => Held::Value { value: to_json(&value)? },
        HeldOfKey::Saved { state, updates } => Held::Saved {
            state: state.map_or(Ok(Value::Null), |state| to_json(&state))?,
            updates: updates.iter().map(|update| to_json(update)).collect::<Result<_, _>>()?,
        },
    };
    Ok(SharedEntry { shared: shared.to_owned(), key: to_json(key)?, held })
}
