//! Lets checkpoints go that nobody needs any more: one pass at a time, and none left half done by the job's end.

use std::time::{Duration, SystemTime};

use actix::prelude::*;
use watershed_core::Epoch;
use watershed_state::retention::{self, Inventory, Keep, Needs};

use super::Coordinator;
use crate::storage::{Depot, Storage};

/// How long an object that no manifest names is left alone: its manifest may be about to be written.
const ORPHAN_GRACE: Duration = Duration::from_secs(600);

/// Whether old checkpoints are being let go at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Forgetting {
    #[default]
    Idle,
    /// A pass is under way. Those before `next` may go when it is over.
    Under { next: Option<Epoch> },
}

impl Coordinator {
    /// Lets the checkpoints before an epoch go, beside everything else. What fails here is done by the next pass.
    pub(super) fn forget(&mut self, before: Epoch, cx: &mut Context<Self>) {
        if let Forgetting::Under { next } = &mut self.forgetting {
            *next = Some(before);
            return;
        }
        let storage = self.storage.clone();
        if !storage.depot.lasts {
            return;
        }
        self.forgetting = Forgetting::Under { next: None };
        let known = std::mem::take(&mut self.stored);
        cx.spawn(pass(storage, before, known).into_actor(self).map(|known, coordinator, cx| {
            coordinator.stored = known;
            match std::mem::take(&mut coordinator.forgetting) {
                Forgetting::Under { next: Some(before) } => coordinator.forget(before, cx),
                Forgetting::Under { next: None } | Forgetting::Idle => coordinator.finish(),
            }
        }));
    }
}

/// One pass, by one that knows what was there before; what it has found then.
async fn pass(storage: Storage, before: Epoch, mut known: Inventory) -> Inventory {
    let Storage { meta, depot: Depot { store, .. }, .. } = storage;
    let needs = Needs { keep: Keep::From(before), grace: ORPHAN_GRACE, ..Needs::default() };
    let passed = match meta.read().await {
        Ok(meta) => retention::run(&store, &meta, &needs, SystemTime::now(), &mut known).await.map(drop),
        Err(error) => {
            tracing::warn!(%error, "old checkpoints are kept for now");
            return known;
        }
    };
    if let Err(error) = passed {
        tracing::warn!(%error, "old checkpoints are kept for now");
    }
    known
}
